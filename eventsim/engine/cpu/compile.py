"""How kernels are compiled: IEEE arithmetic, cached under a hash of the sources.

Numba's own cache notices a change of the file that holds a kernel, but not of a function that the
kernel calls from another file, and would go on running the old formula. So the cache folder is
named after all sources that kernels are made of together.

The folder lies in ``$NUMBA_CACHE_DIR``, or in ``kernels`` of eventsim's own cache
(``$EVENTSIM_CACHE``, or the user's), or else beside the sources. Where nothing can be written
kernels are compiled without a cache, and a :class:`~eventsim.errors.CacheWarning` says so.
"""

import hashlib
import json
import os
import time
import warnings
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numba
from numba import njit, types
from numba.core import event
from numba.core.caching import _SourceFileBackedLocatorMixin
from numba.core.registry import cpu_target

from eventsim.engine.compiling import note_compiled, note_compiling
from eventsim.engine.cpu.fork import CompiledKernel
from eventsim.errors import CacheWarning, StorageError
from eventsim.events.storage import write_atomically
from eventsim.folders import cache_folder, check_writable

_HERE = Path(__file__).parent


# Folders of the engine without a kernel: other backends.
_ELSEWHERE = ("engine/cuda", "engine/reference")


def sources(root: Path = _HERE.parent.parent) -> list[Path]:
    """Files that have kernels, or constants and tuples that kernels may be made of.

    Those of the engine and of the plan, in folders however deep; elsewhere in the package a file of
    kernels is called so.
    """
    names = ("engine/**/*.py", "plan/**/*.py", "**/*kernels.py")
    found = {path for name in names for path in root.glob(name)}
    elsewhere = [root / folder for folder in _ELSEWHERE]
    return sorted(path for path in found if not any(map(path.is_relative_to, elsewhere)))


def _places() -> list[Callable[[], Path]]:
    """Where compiled kernels may be kept, the best first; nowhere else if the user chose."""
    config: Any = numba.config
    given: str = config.CACHE_DIR
    if given:
        return [lambda: Path(given).absolute()]
    own = [lambda: cache_folder() / "kernels"]
    return own if os.environ.get("EVENTSIM_CACHE") else [*own, lambda: _HERE / "__pycache__"]


def _cache_folder() -> str | None:
    """Where compiled kernels are kept; None, and a warning, if they cannot be."""
    content = b"\0".join(path.read_bytes() for path in sources())
    digest = hashlib.sha256(content).hexdigest()[:16]
    reasons = []
    for place in _places():
        try:
            folder = place() / f"eventsim-{digest}"
            check_writable(folder)
            return str(folder)
        except StorageError as error:
            reasons.append(str(error))
    # Without the path of a source file, of which Python would print a line as well.
    warnings.warn_explicit(
        "Compiled kernels cannot be kept, so every process compiles its own, which takes up to a "
        f"minute: {' '.join(reasons)} Let EVENTSIM_CACHE name a folder that can be written.",
        CacheWarning,
        filename=__name__,
        lineno=0,
    )
    return None


_CACHE_FOLDER = _cache_folder()


class _Listener(event.Listener):
    """Notes kernels that are compiled; those that are loaded from the cache are no event."""

    def __init__(self) -> None:
        self.kernels: list[Any] = []
        self._began: list[float] = []  # of the kernels that are being compiled

    def on_start(self, event: Any) -> None:
        """Note it if it is a kernel: not a function inside of one, nor a user's own."""
        dispatcher = event.data["dispatcher"]
        if self._is_kernel(dispatcher):
            self._began.append(time.perf_counter())
            name = f"{dispatcher.py_func.__module__}.{dispatcher.py_func.__name__}"
            note_compiling(name, kernel_folder())

    def on_end(self, event: Any) -> None:
        """Note how long it took; of a kernel inside of one, its caller's time holds it."""
        if self._is_kernel(event.data["dispatcher"]):
            seconds = time.perf_counter() - self._began.pop()
            if not self._began:
                note_compiled(seconds)

    def _is_kernel(self, dispatcher: Any) -> bool:
        return any(dispatcher is kernel for kernel in self.kernels)


_LISTENER = _Listener()
event.register("numba:compile", _LISTENER)


def kernel_folder() -> Path | None:
    """Where compiled kernels are kept; None if they cannot be."""
    return None if _CACHE_FOLDER is None else Path(_CACHE_FOLDER)


class _Source(_SourceFileBackedLocatorMixin):
    """A file as Numba's cache looks at it."""

    def __init__(self, path: Path) -> None:
        self._py_file = str(path)


def _warm_mark() -> Path | None:
    """File that says that all kernels were compiled, by these sources for this processor.

    What Numba takes of a source decides whether it compiles again: from 0.68 on the content, before
    that the time of its last change, which is another one in every container.
    """
    folder = kernel_folder()
    if folder is None:
        return None
    codegen: Any = cpu_target.target_context.codegen()
    stamps = [(path.name, _Source(path).get_source_stamp()) for path in sources()]
    made_of = (numba.__version__, codegen.magic_tuple(), stamps)
    return folder / f"warm-{hashlib.sha256(repr(made_of).encode()).hexdigest()[:16]}.json"


def is_warm() -> bool:
    """Whether every kernel was compiled before, and all files of then are still there."""
    mark = _warm_mark()
    try:
        files = [] if mark is None else json.loads(mark.read_text("utf-8"))
    except (OSError, ValueError):
        return False
    return mark is not None and all((mark.parent / file).exists() for file in files)


def mark_warm() -> None:
    """Remember that every kernel is compiled, where anything can be kept."""
    mark = _warm_mark()
    if mark is not None:
        files = sorted(str(path.relative_to(mark.parent)) for path in mark.parent.rglob("*.nb?"))
        write_atomically(mark, json.dumps(files))


def _part(function: Callable[..., Any], **options: Any) -> Any:
    """Compile a function that kernels alone call: nothing is made for calls from elsewhere.

    The ways in for Python and for C, which Numba makes for every function, took an eighth of all
    compiling. Where a number in the text of the caller is an argument, Numba compiles the function
    for that number, and once more for others of its type: a fifth of all functions, and those they
    call. So it is compiled by the types of its arguments, and not by literal ones as well.
    """
    no_way_in: Any = {"no_cpython_wrapper": True, "no_cfunc_wrapper": True}
    compiled: Any = njit(error_model="numpy", fastmath=False, **no_way_in, **options)(function)
    plain = compiled.get_call_template

    def get_call_template(args: Any, kws: Any) -> Any:
        named = {name: types.unliteral(kind) for name, kind in kws.items()}
        return plain(tuple(types.unliteral(kind) for kind in args), named)

    def refuse(*_: Any, **__: Any) -> None:
        raise TypeError(f"{function.__name__} is part of kernels: call it in a compiled function.")

    compiled.get_call_template = get_call_template
    # Numba would jump to where the way in is not: it is told of no compiled version, and asks.
    compiled._insert, compiled._compile_for_args = lambda *_: None, refuse
    return compiled


def formula(function: Callable[..., Any]) -> Any:
    """Compile a short function without loops; it is inlined, or loops over it stay scalar."""
    return _part(function, forceinline=True)


def scalar(function: Callable[..., Any]) -> Any:
    """Compile a function that kernels call."""
    return _part(function)


def lean(function: Callable[..., Any]) -> Any:
    """As scalar, for a function that makes no array: the arrays it is given are not counted.

    Numba counts the references to an array wherever it is passed on or taken out of a tuple, with
    atomic instructions, and does not always see that it need not; those took most of the queue's
    time (bench/macro/balanced.py).
    """
    return _part(function, _nrt=False)


def lean_inlined(function: Callable[..., Any]) -> Any:
    """As lean, and inlined, for what is called in one or two places.

    An array is passed to a function as seven numbers, which may take longer than its work.
    """
    return _part(function, _nrt=False, forceinline=True)


def kernel(function: Callable[..., Any]) -> CompiledKernel:
    """Compile a kernel that Python calls: parallel, without the lock, cached where that can be."""
    return _kernel(function, parallel=True)


def sequential_kernel(function: Callable[..., Any]) -> CompiledKernel:
    """As kernel, for one thread: each step needs the one before."""
    return _kernel(function, parallel=False)


def _kernel(function: Callable[..., Any], *, parallel: bool) -> CompiledKernel:
    config: Any = numba.config
    before, config.CACHE_DIR = config.CACHE_DIR, _CACHE_FOLDER or ""
    cache = _CACHE_FOLDER is not None
    try:
        options: Any = {"parallel": parallel, "nogil": True, "cache": cache}
        options["no_cfunc_wrapper"] = True
        compiled = njit(error_model="numpy", fastmath=False, **options)(function)
        _LISTENER.kernels.append(compiled)
        return CompiledKernel(compiled)
    finally:
        config.CACHE_DIR = before
