"""Types of arrays, and the library that an array belongs to, so that one formula serves both.

Arrays of NumPy and of CuPy take the same calls, with a few exceptions. Those that the layers above
the engine meet are written here, once for both.
"""

import math
import sys
from collections.abc import Iterator
from typing import Any, Literal

import numpy as np
from numpy.typing import DTypeLike, NDArray

Array = Any  # of NumPy, or of CuPy for an array on a GPU
Floats = NDArray[np.float64]
Ints = NDArray[np.int64]
Bools = NDArray[np.bool_]
Precision = Literal["single", "double"]


# Entries of large arrays that NumPy takes at a time: what a formula makes for a while then stays
# small beside the arrays, and in the cache.
AT_ONCE = 1 << 16

CACHE_LINE = 64  # bytes


def is_masked(values: Any) -> bool:
    """Whether it is a masked array: where ``numpy.ma`` was never imported, nothing is."""
    masked = sys.modules.get("numpy.ma")
    return masked is not None and masked.isMaskedArray(values)


def is_whole(dtype: Any) -> bool:
    """Whether numbers of a type are whole ones."""
    return np.dtype(dtype).kind in "iu"


def slices(size: int) -> Iterator[slice]:
    """Parts of an array of that many entries, none of more than AT_ONCE."""
    return (slice(low, min(low + AT_ONCE, size)) for low in range(0, size, AT_ONCE))


def aligned(shape: tuple[int, ...], dtype: DTypeLike) -> NDArray[Any]:
    """NumPy's zeros that begin at a line of the cache: a vector across two lines takes longer."""
    size = math.prod(shape) * np.dtype(dtype).itemsize
    room = np.zeros(size + CACHE_LINE, np.uint8)
    begin = -room.ctypes.data % CACHE_LINE
    return room[begin : begin + size].view(dtype).reshape(shape)


def csr_array(*parts: Any, **options: Any) -> Any:
    """As ``scipy.sparse.csr_array``, which is slow to import: dense networks do without."""
    from scipy import sparse

    return sparse.csr_array(*parts, **options)


def namespace(array: Any) -> Any:
    """The module whose functions take ``array``: NumPy, or CuPy for an array on a GPU."""
    if type(array) is np.ndarray:
        return np
    return sys.modules[type(array).__module__.partition(".")[0]]


def to_host(values: Any) -> NDArray[Any]:
    """The same values as a NumPy array; the same array if it is one."""
    return values.get() if hasattr(values, "get") else np.asarray(values)


def fetch(*arrays: Any) -> list[NDArray[Any]]:
    """The arrays on the host; those on a device in one copy, as float64.

    float64 holds whole numbers up to 2^53.
    """
    found: list[Any] = list(arrays)
    there = [k for k, values in enumerate(arrays) if hasattr(values, "get")]
    if not there:
        return [np.asarray(values) for values in arrays]
    xp = namespace(arrays[there[0]])
    flat = [arrays[k].ravel() for k in there]
    joined = xp.concatenate(flat, dtype=np.float64, casting="unsafe").get()
    low = 0
    for k, part in zip(there, flat, strict=True):
        found[k] = joined[low : low + part.size].reshape(arrays[k].shape)
        low += part.size
    return [np.asarray(values) for values in found]


def beside(values: Any, like: Array) -> Array:
    """The same values where ``like`` is; the same array if it is there."""
    xp = namespace(like)
    return to_host(values) if xp is np else xp.asarray(values)


def owners(first: Array, n: int) -> Array:
    """Group of each of ``n`` items that lie group after group. New array, int64.

    ``first`` is the first item of every group, and their total: ``n``.
    """
    xp = namespace(first)
    # CuPy's repeat takes no array of counts.
    if xp is np:
        return np.repeat(np.arange(first.size - 1), np.diff(first))
    return xp.searchsorted(first, xp.arange(n), side="right") - 1


def counts_of(index: Array, size: int) -> Array:
    """How often 0 .. size - 1 occur in ``index``, int64 [size]. New array."""
    xp = namespace(index)
    # CuPy's bincount looks for the largest entry, which an empty array does not have.
    return xp.bincount(index, minlength=size) if index.size else xp.zeros(size, np.int64)


def largest(values: Array, *, least: float = 0.0) -> float:
    """The largest entry, ``least`` where none is larger or there is none."""
    # CuPy's max takes no initial value.
    return max(float(values.max()), least) if values.size else least
