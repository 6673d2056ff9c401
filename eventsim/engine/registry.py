"""Backends by name. A backend's module is imported when it is first asked for."""

from collections.abc import Iterator
from contextlib import contextmanager
from functools import cache
from importlib import import_module

from eventsim.engine.job import Backend
from eventsim.errors import BackendError

_MODULES = {
    "reference": ("eventsim.engine.reference", "ReferenceBackend"),
    "cpu": ("eventsim.engine.cpu", "CpuBackend"),
    "cuda": ("eventsim.engine.cuda", "CudaBackend"),
}

# Instances put in place by register_backend; they go before the modules above.
_REGISTERED: dict[str, Backend] = {}


def available_backends() -> list[str]:
    """Names that :func:`get_backend` knows."""
    return list(dict.fromkeys([*_MODULES, *_REGISTERED]))


def get_backend(name: str) -> Backend:
    """The backend of that name; ``auto`` takes the fastest that runs here.

    Raises
    ------
    BackendError
        Unknown name, or something that the backend needs is missing.
    """
    if name == "auto":
        name = "cpu"
    if name in _REGISTERED:
        return _REGISTERED[name]
    if name not in _MODULES:
        known = ", ".join(available_backends())
        raise BackendError(f"Backend {name!r} is unknown; there are auto, {known}.")
    return _load(name)


@cache
def _load(name: str) -> Backend:
    module, attribute = _MODULES[name]
    try:
        backend: Backend = getattr(import_module(module), attribute)()
    except (ImportError, AttributeError) as error:
        raise BackendError(
            f"Backend {name!r} cannot be loaded (import failed: {error}). Reinstall eventsim, or "
            "use backend='reference'."
        ) from error
    return backend


def register_backend(name: str, backend: Backend | None) -> Backend | None:
    """Let ``name`` mean this instance, in place of the one that eventsim would load.

    Parameters
    ----------
    name
        A name of your own, or that of a backend to stand in for. ``auto`` is refused: it looks
        only at devices, and never takes a backend because it was registered.
    backend
        An object with the methods of :class:`eventsim.engine.job.Backend`. Its ``name`` must be
        ``name``: a tape finds the backend for its backward pass by it. None takes back what was
        registered.

    Returns
    -------
    What was registered under the name before, None if nothing; pass it to undo.

    Raises
    ------
    BackendError
    """
    if name == "auto":
        raise BackendError(
            "register_backend: 'auto' is no backend, it chooses one by the devices that are here. "
            "Register under another name and pass that name to simulate."
        )
    if backend is not None and backend.name != name:
        raise BackendError(
            f"register_backend: the instance's name is {backend.name!r}, expected {name!r}. A "
            "tape finds its backend by that name; give the class the attribute "
            f"name = {name!r}."
        )
    before = _REGISTERED.pop(name, None)
    if backend is not None:
        _REGISTERED[name] = backend
    return before


@contextmanager
def using_backend(name: str, backend: Backend) -> Iterator[Backend]:
    """As :func:`register_backend`, until the end of a ``with`` block."""
    before = register_backend(name, backend)
    try:
        yield backend
    finally:
        register_backend(name, before)


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
