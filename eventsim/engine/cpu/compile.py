"""How kernels are compiled: IEEE arithmetic, cached under a hash of the sources.

Numba's own cache notices a change of the file that holds a kernel, but not of a function that the
kernel calls from another file, and would go on running the old formula. So the cache folder is
named after all sources that kernels are made of together.
"""

import hashlib
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numba
import platformdirs
from numba import njit

# Modules outside, from the room above, whose constants are compiled in.
_SHARED = ("job.py", "table.py", "bundles.py", "../plan/plan.py")


def _cache_folder() -> str:
    here = Path(__file__).parent
    sources = [*sorted(here.glob("*.py")), *(here.parent / name for name in _SHARED)]
    digest = hashlib.sha256(b"\0".join(path.read_bytes() for path in sources)).hexdigest()[:16]
    return str(Path(platformdirs.user_cache_dir("eventsim")) / "kernels" / digest)


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


def kernel(function: Callable[..., Any]) -> Any:
    """Compile a kernel that Python calls: parallel, without the lock, cached on disk."""
    config: Any = numba.config
    before, config.CACHE_DIR = config.CACHE_DIR, _CACHE_FOLDER
    try:
        return njit(error_model="numpy", fastmath=False, parallel=True, nogil=True, cache=True)(
            function
        )
    finally:
        config.CACHE_DIR = before
