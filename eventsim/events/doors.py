"""Arrays and numbers from a caller: refused if a conversion would lose a part of them.

NumPy turns fractions into integers, drops imaginary parts and ignores masks; the integer 2^31
becomes negative in an array of int32. Each function names the value and its place.
"""

import operator
from typing import Any

import numpy as np
from numpy.typing import DTypeLike, NDArray

from eventsim.arrays import is_masked, is_whole
from eventsim.errors import ParameterError, ShapeError

# Channels, neurons and sources are numbered in int32.
MOST_NUMBERS = 2**31 - 1


def real_array(values: Any, where: str, dtype: DTypeLike = np.float64) -> NDArray[np.float64]:
    """The values as float64, or another type; the same array if it is one. Raises ShapeError.

    What a smaller type does not hold is infinite in it.
    """
    array = _unmasked(values, where)
    if array.size and array.dtype.kind not in "biuf":
        raise _refused(where, array, "an array of real numbers")
    with np.errstate(over="ignore"):
        return array.astype(dtype, copy=False)


def whole_array(values: Any, where: str) -> NDArray[np.int64]:
    """The values as int64; the same array if it is one. Raises ShapeError."""
    array = _unmasked(values, where)
    if array.size and not is_whole(array.dtype):
        raise _refused(where, array, "an array of integers")
    if array.dtype == np.uint64 and array.size and array.max() > np.iinfo(np.int64).max:
        raise ShapeError(where, f"holds {array.max()}", "integers below 2^63")
    return array.astype(np.int64, copy=False)


def whole_number(value: Any, where: str) -> int:
    """The value as an int, if it is a whole number that int32 holds. Raises ShapeError."""
    try:
        number = operator.index(value)
    except TypeError:
        raise ShapeError(
            where, f"is {value!r} of type {type(value).__name__}", "a whole number"
        ) from None
    if number > MOST_NUMBERS:
        raise ShapeError(where, f"is {number:,}", f"at most {MOST_NUMBERS:,}")
    return number


def times_by_sample(values: Any, duration: NDArray[np.float64], where: str) -> NDArray[np.float64]:
    """Times > 0 in ms as [samples, times], those past the end of a sample put to its end.

    They are given ascending, the same for all samples or [samples, times]; ``duration`` is
    [samples]. Raises ShapeError or ParameterError in the name of ``where``.
    """
    given = real_array(values, f"{where}: times")
    if given.ndim == 0 or given.shape not in (given.shape[-1:], (duration.size, given.shape[-1])):
        raise ShapeError(
            where,
            f"times have shape {given.shape}",
            f"(times,), the same for all samples, or ({duration.size}, times)",
        )
    bad = given[~((given > 0.0) & (given < np.inf))]
    if bad.size:
        raise ParameterError(
            where, f"a time is {bad[0]} ms", "finite times > 0: before it nothing is read"
        )
    if not given.size or (np.diff(given, axis=-1) < 0.0).any():
        raise ParameterError(where, "times do not ascend or are none", "ascending times")
    return np.minimum(np.broadcast_to(given, (duration.size, given.shape[-1])), duration[:, None])


def _unmasked(values: Any, where: str) -> NDArray[Any]:
    if is_masked(values) and np.ma.is_masked(values):
        raise ShapeError(
            where,
            f"{int(np.ma.getmaskarray(values).sum())} values are masked",
            "a plain array",
            "Leave them out with .compressed(), or replace them with .filled(value).",
        )
    try:
        return np.asarray(values)
    except ValueError as error:  # lists of unequal lengths
        raise ShapeError(where, f"cannot be made an array ({error})") from error


def _refused(where: str, array: NDArray[Any], expected: str) -> ShapeError:
    return ShapeError(
        where,
        f"has shape {array.shape} and type {array.dtype}",
        expected,
        "Nothing is rounded or left out here: convert it yourself.",
    )
