"""How kernels are compiled: IEEE arithmetic, cached under a hash of the sources.

Numba's own cache notices a change of the file that holds a kernel, but not of a function that the
kernel calls from another file, and would go on running the old formula. So the cache folder is
named after all sources that kernels are made of together.

The folder lies in ``$NUMBA_CACHE_DIR``, or in ``kernels`` of eventsim's own cache
(``$EVENTSIM_CACHE``, or the user's), or else beside the sources. Where nothing can be written
kernels are compiled without a cache, and a :class:`~eventsim.errors.CacheWarning` says so.
"""

import hashlib
import os
import warnings
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numba
from numba import njit

from eventsim.engine.cpu.fork import CompiledKernel
from eventsim.errors import CacheWarning, StorageError
from eventsim.folders import cache_folder, check_writable

_HERE = Path(__file__).parent


def sources() -> list[Path]:
    """Files of all rooms whose constants and tuples kernels may be made of."""
    rooms = (_HERE, _HERE.parent, _HERE.parent.parent / "plan")
    return [path for room in rooms for path in sorted(room.glob("*.py"))]


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
    digest = hashlib.sha256(b"\0".join(path.read_bytes() for path in sources())).hexdigest()[:16]
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


def formula(function: Callable[..., Any]) -> Any:
    """Compile a short function without loops; it is inlined, or loops over it stay scalar."""
    return njit(error_model="numpy", fastmath=False, forceinline=True)(function)


def scalar(function: Callable[..., Any]) -> Any:
    """Compile a function that kernels call."""
    return njit(error_model="numpy", fastmath=False)(function)


def lean(function: Callable[..., Any]) -> Any:
    """As scalar, for a function that makes no array: the arrays it is given are not counted.

    Numba counts the references to an array wherever it is passed on or taken out of a tuple, with
    atomic instructions, and does not always see that it need not; those took most of the queue's
    time (bench/macro/balanced.py).
    """
    without_counts: Any = {"_nrt": False}
    return njit(error_model="numpy", fastmath=False, **without_counts)(function)


def lean_inlined(function: Callable[..., Any]) -> Any:
    """As lean, and inlined, for what is called in one or two places.

    An array is passed to a function as seven numbers, which may take longer than its work.
    """
    without_counts: Any = {"_nrt": False, "forceinline": True}
    return njit(error_model="numpy", fastmath=False, **without_counts)(function)


def kernel(function: Callable[..., Any]) -> CompiledKernel:
    """Compile a kernel that Python calls: parallel, without the lock, cached where that can be."""
    config: Any = numba.config
    before, config.CACHE_DIR = config.CACHE_DIR, _CACHE_FOLDER or ""
    cache = _CACHE_FOLDER is not None
    try:
        compiled = njit(error_model="numpy", fastmath=False, parallel=True, nogil=True, cache=cache)
        return CompiledKernel(compiled(function))
    finally:
        config.CACHE_DIR = before
