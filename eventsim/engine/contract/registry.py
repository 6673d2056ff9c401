"""Backends by name. A backend's module is imported when it is first asked for."""

import logging
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import asdict, dataclass, field
from functools import cache
from importlib import import_module
from typing import Any

import numpy as np

from eventsim.arrays import Array, namespace
from eventsim.checks import known
from eventsim.engine.contract.backend import Backend
from eventsim.errors import BackendError
from eventsim.processors import n_threads
from eventsim.processors import set_threads as let_kernels_use

_LOGGER = logging.getLogger(__name__)

_MODULES = {
    "reference": ("eventsim.engine.reference", "ReferenceBackend"),
    "cpu": ("eventsim.engine.cpu", "CpuBackend"),
    "cuda": ("eventsim.engine.cuda.backend", "CudaBackend"),
}

# Instances put in place by register_backend; they go before the modules above.
_REGISTERED: dict[str, Backend] = {}


def available_backends() -> list[str]:
    """Names that :func:`get_backend` knows."""
    return list(dict.fromkeys([*_MODULES, *_REGISTERED]))


def get_backend(name: str) -> Backend:
    """The backend of that name; ``auto`` takes cuda where a device can be used, else cpu.

    Raises
    ------
    BackendError
        Unknown name, or something that the backend needs is missing: it says what, and the command
        that mends it.
    """
    if name == "auto":
        name = _automatic()
    if name in _REGISTERED:
        return _REGISTERED[name]
    known("get_backend", "backend", name, ("auto", *available_backends()), error=BackendError)
    return _load(name)


def backend_of(array: Array) -> Backend | None:
    """The backend on whose device an array is; None for an array of NumPy."""
    xp = namespace(array)
    if xp is np:
        return None
    found = get_backend("cuda")
    return found if found.xp is xp else None


@cache
def _automatic() -> str:
    """The backend that ``auto`` stands for, chosen once per process."""
    found, obstacle = _cuda()
    name = "cpu" if found is None else "cuda"
    reason = f"no CUDA: {obstacle.reason}" if obstacle else f"{found.name}"
    _LOGGER.info("backend 'auto' is %s (%s)", name, reason)
    return name


@cache
def _cuda() -> tuple[Any, Any]:
    """The CUDA device or None, and what is in its way or None; looked up once per process."""
    probe = import_module("eventsim.engine.cuda.probe")
    found = probe.look()
    return (None, found) if isinstance(found, probe.Obstacle) else (found, None)


@cache
def _load(name: str) -> Backend:
    module, attribute = _MODULES[name]
    if name == "cuda":
        _, obstacle = _cuda()
        if obstacle is not None:
            raise BackendError(str(obstacle))
    try:
        backend: Backend = getattr(import_module(module), attribute)()
    except (ImportError, AttributeError) as error:
        raise BackendError(
            f"Backend {name!r}",
            f"cannot be loaded (import failed: {error})",
            remedy="Reinstall eventsim, or use backend='reference'.",
        ) from error
    return backend


@dataclass(frozen=True)
class BackendInfo:
    """A backend as a person or a program wants to know it; ``str()`` gives one line.

    Attributes
    ----------
    name
        Of the backend, never ``auto``.
    device
        Name of the device that it runs on, None for the processor.
    threads
        Number of threads, None for a backend without threads of its own.
    versions
        Of what runs it: cupy, driver, runtime, nvrtc and compute_capability for cuda, in the form
        of :class:`eventsim.engine.cuda.probe.Card`.
    no_cuda
        Why ``auto`` did not take cuda; None where it did, or where a backend was named.
    """

    name: str
    device: str | None = None
    threads: int | None = None
    versions: Mapping[str, str] = field(default_factory=dict)
    no_cuda: str | None = None

    def __str__(self) -> str:
        parts = [self.device] if self.device else []
        if "cupy" in self.versions:
            parts.append(f"CuPy {'.'.join(self.versions['cupy'].split('.')[:2])}")
        if self.threads is not None:
            parts.append(f"{self.threads} thread{'s' if self.threads != 1 else ''}")
        text = ", ".join(parts)
        if self.no_cuda is not None:
            text = "; ".join([*([text] if text else []), f"no CUDA: {self.no_cuda}"])
        return f"{self.name} ({text})" if text else self.name


def describe_backend(name: str = "auto") -> BackendInfo:
    """Backend, device, threads and versions behind a name. Loads it, as :func:`get_backend`.

    Raises
    ------
    BackendError
    """
    backend = get_backend(name)
    threads, versions = None, {}
    if backend.name == "cpu" and "cpu" not in _REGISTERED:
        threads = n_threads()
    if backend.name == "cuda" and "cuda" not in _REGISTERED:
        versions = {key: value for key, value in asdict(_cuda()[0]).items() if key != "name"}
    no_cuda = _cuda()[1].reason if name == "auto" and backend.name != "cuda" else None
    device = getattr(getattr(backend, "device", None), "name", None)
    return BackendInfo(backend.name, device, threads, versions, no_cuda)


def register_backend(name: str, backend: Backend | None) -> Backend | None:
    """Let ``name`` mean this instance, in place of the one that eventsim would load.

    Parameters
    ----------
    name
        A name of your own, or that of a backend to stand in for. ``auto`` is refused: it looks
        only at devices, and never takes a backend because it was registered.
    backend
        An object with the methods of :class:`eventsim.engine.backend.Backend`. Its ``name`` must be
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
            "register_backend",
            "'auto' is no backend, it chooses one by the devices that are here",
            remedy="Register under another name and pass that name to simulate.",
        )
    if backend is not None and backend.name != name:
        raise BackendError(
            "register_backend",
            f"the instance's name is {backend.name!r}",
            repr(name),
            f"A tape finds its backend by that name; give the class the attribute name = {name!r}.",
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

    Raises ParameterError, BackendError (``n`` is out of range, the backend unknown or not
    loadable).
    """
    name = get_backend(backend).name
    if name == "cpu":
        let_kernels_use(n)
