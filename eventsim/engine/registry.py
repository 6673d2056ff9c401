"""Backends by name. A backend's module is imported when it is first asked for."""

from functools import cache
from importlib import import_module

from eventsim.engine.job import Backend
from eventsim.errors import BackendError

_MODULES = {
    "reference": ("eventsim.engine.reference", "ReferenceBackend"),
    "cpu": ("eventsim.engine.cpu", "CpuBackend"),
}


def available_backends() -> list[str]:
    """Names that :func:`get_backend` knows."""
    return list(_MODULES)


@cache
def get_backend(name: str) -> Backend:
    """The backend of that name; ``auto`` takes the fastest that runs here.

    Raises
    ------
    BackendError
        Unknown name, or a package that the backend needs is missing.
    """
    if name == "auto":
        name = "cpu"
    if name not in _MODULES:
        raise BackendError(f"Backend {name!r} is unknown; there are auto, {', '.join(_MODULES)}.")
    module, attribute = _MODULES[name]
    try:
        backend: Backend = getattr(import_module(module), attribute)()
    except ImportError as error:
        raise BackendError(
            f"Backend {name!r} cannot be loaded (import failed: {error}). Reinstall eventsim, or "
            "use backend='reference'."
        ) from error
    return backend


def set_threads(n: int, *, backend: str = "auto") -> None:
    """Let a backend use ``n`` threads; a backend without threads of its own ignores it.

    Raises
    ------
    ParameterError, BackendError
        ``n`` is out of range, the backend unknown or not loadable.
    """
    name = get_backend(backend).name
    if name == "cpu":
        import_module("eventsim.engine.cpu.threads").set_threads(n)
