"""The pattern of sparse weights: which synapses there are, in CSR, checked wholly.

Kernels follow ``indptr`` and ``indices`` without looking: an index out of range reads or writes
memory that belongs to something else. Both arrays can come from a file, and can be edited in place
at any time, so that a network is checked before every run. It costs about as much as asking
whether the values are finite.
"""

from __future__ import annotations

import sys
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from eventsim.arrays import Ints, csr_array, slices
from eventsim.errors import NetworkError, ShapeError

Index = NDArray[np.signedinteger[Any]]


class Pattern(NamedTuple):
    """CSR: the first synapse of every source and their total, and every synapse's target."""

    indptr: Index
    indices: NDArray[np.int32]


def is_sparse(weights: Any) -> bool:
    """Whether they are a sparse matrix: where ``scipy.sparse`` was never imported, nothing is."""
    sparse = sys.modules.get("scipy.sparse")
    return sparse is not None and bool(sparse.issparse(weights))


def to_csr(where: str, weights: Any, dtype: np.dtype[Any]) -> tuple[Any, Ints | None]:
    """Any sparse matrix as a csr_array of ``dtype``, whose entries are those that are stored.

    In a row they are in order of their targets; several of one pair stay apart, in their order.
    Indices are of 32 bits where they fit. The second value is the place that each entry had in a
    CSR matrix whose rows were in another order, else None. Raises NetworkError for a malformed
    matrix and ShapeError for one of another type. New arrays.
    """
    if weights.dtype.kind not in "biuf":
        raise ShapeError(where, f"weights are of type {weights.dtype}", "real numbers")
    _check_given(where, weights)
    found, order = weights, None
    if weights.format == "csr":
        n = int(weights.indptr[-1])
        found = csr_array((weights.data[:n], weights.indices[:n], weights.indptr), weights.shape)
        if _disorder(found.indptr, found.indices) is not None:
            numbers = np.arange(n, dtype=np.int32 if n <= np.iinfo(np.int32).max else np.int64)
            found = csr_array((numbers, found.indices, found.indptr), weights.shape)
            found = found.tocsc().tocsr()  # by counting, which keeps the order of equal entries
            order = found.data
            found.data = weights.data[order]
    elif weights.format in ("coo", "bsr"):
        found = weights.tocoo(copy=False)
        # SciPy adds up no entries then; there and back again puts them in order.
        found = type(found)((found.data, (found.row, found.col)), weights.shape)
        found.has_canonical_format = True
        found = found.tocsr().tocsc().tocsr()
    values = csr_array(found, copy=order is None and weights.format == "csr")
    with np.errstate(over="ignore"):  # what is infinite then is refused as a weight
        values.data = values.data.astype(dtype, copy=False)
    if max(values.nnz, *values.shape) <= np.iinfo(np.int32).max:
        values.indices = values.indices.astype(np.int32, copy=False)
        values.indptr = values.indptr.astype(np.int32, copy=False)
    return values, order


def _check_given(where: str, weights: Any) -> None:
    """Raise NetworkError for a malformed matrix, before SciPy's conversions, which would crash."""
    if weights.format in ("csr", "csc"):
        rows, columns = weights.shape if weights.format == "csr" else weights.shape[::-1]
        n = int(weights.indptr[-1]) if weights.indptr.size else 0
        parts = (weights.indices[:n], weights.data[:n])
        _refuse(where, _fault(weights.indptr, *parts, (rows, columns)))
    elif weights.format == "bsr":
        try:
            weights.check_format(full_check=True)
        except ValueError as error:
            _refuse(where, str(error))


def check_pattern(where: str, weights: Any, shape: tuple[int, int]) -> None:
    """Raise NetworkError unless weights are a whole CSR of that shape, every row in order.

    Reads no values, which may be on a device.
    """
    indptr, indices = weights.indptr, weights.indices
    fault = _fault(indptr, indices, weights.data, shape)
    if fault is None and tuple(weights.shape) != shape:
        fault = f"their shape is {tuple(weights.shape)}, expected {shape}"
    if fault is None:
        fault = _disorder(indptr, indices)
    _refuse(where, fault)


def _fault(indptr: Index, indices: Index, data: Any, shape: tuple[int, int]) -> str | None:
    """The first fault of the arrays of a compressed matrix of (major, minor) shape, or None."""
    n_rows, n_columns = shape
    for name, values in (("indptr", indptr), ("indices", indices)):
        if values.dtype.kind != "i" or values.ndim != 1:
            return (
                f"{name} is an array {values.shape} of {values.dtype}, expected integers in a row"
            )
    if indptr.size != n_rows + 1 or indptr[0] != 0 or (indptr[1:] < indptr[:-1]).any():
        return f"indptr must have {n_rows + 1} entries that ascend from 0"
    if not indptr[-1] == indices.size == data.size:
        return (
            f"indptr ends at {indptr[-1]}, there are {indices.size} indices and {data.size} "
            "values, expected equal numbers"
        )
    if indices.size and not 0 <= indices.min() <= indices.max() < n_columns:
        entry = int(np.flatnonzero((indices < 0) | (indices >= n_columns))[0])
        return f"index of entry {entry} is {indices[entry]}, expected 0 .. {n_columns - 1}"
    return None


def _disorder(indptr: Index, indices: Index) -> str | None:
    """Text about the first entry of a row that does not ascend, or None."""
    entry = _first(indptr, indices, np.less)
    if entry is None:
        return None
    return (
        f"index of entry {entry} is {indices[entry]}, after {indices[entry - 1]} in the same row; "
        "expected ascending indices"
    )


def has_pair_twice(pattern: Pattern) -> bool:
    """Whether some row has an index twice: two synapses of one pair of neurons."""
    return _first(pattern.indptr, pattern.indices, np.equal) is not None


def further(pattern: Pattern) -> NDArray[np.bool_]:
    """Mask of entries with the index of the entry before them in the same row. New array."""
    found = np.zeros(pattern.indices.size, np.bool_)
    np.equal(pattern.indices[1:], pattern.indices[:-1], out=found[1:])
    begins = pattern.indptr[:-1]
    found[begins[begins < found.size]] = False
    return found


def count_further(pattern: Pattern) -> int:
    """Number of synapses beside the first one of their pair."""
    return int(further(pattern).sum()) if has_pair_twice(pattern) else 0


def _first(indptr: Index, indices: Index, holds: np.ufunc) -> int | None:
    """The first entry for which that holds of its index and the one before it in the same row."""
    before, behind = indices[:-1], indices[1:]
    for part in slices(behind.size):
        found = holds(behind[part], before[part])
        if not found.any():
            continue
        bounds = np.array((part.start, part.stop), indptr.dtype) + 1
        first, last = np.searchsorted(indptr, bounds)
        found[indptr[first:last] - bounds[0]] = False
        if found.any():
            return int(np.flatnonzero(found)[0]) + int(bounds[0])
    return None


def _refuse(where: str, fault: str | None) -> None:
    if fault is not None:
        raise NetworkError(
            where,
            f"sparse weights are malformed: {fault}",
            remedy="Build them anew, and connect them in a new network; do not edit indptr or "
            "indices in place.",
        )
