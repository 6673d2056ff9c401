"""Checks of what a caller gives, with one form of words for all rooms.

A check gives what it checked, or raises an error that says where, what came and what was expected.
Domains are those of settings: :mod:`eventsim.entries.annotations`.

Arrays and numbers are refused if a conversion would lose a part of them: NumPy turns fractions into
integers, drops imaginary parts and ignores masks; the integer 2^31 becomes negative in an array of
int32.
"""

import operator
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from typing import Any, TypeVar

import numpy as np
from numpy.typing import DTypeLike, NDArray

from eventsim.arrays import is_masked, is_whole
from eventsim.entries.annotations import Checker, words_of
from eventsim.entries.settings import ErrorType, nearest, shown
from eventsim.errors import EventSimError, NetworkError, ParameterError, ShapeError

T = TypeVar("T")
# Channels, neurons and sources are numbered in int32.
MOST_NUMBERS = 2**31 - 1


def in_domain(
    where: str, name: str, given: Any, domain: Any, *, error: ErrorType = ParameterError
) -> Any:
    """The value as an annotation of settings says, such as ``Positive``; raises ``error``."""
    plain = given[()] if isinstance(given, np.ndarray) and not given.ndim else given
    checker = Checker(tables=False)
    found = checker.value(domain, plain, ())
    if checker.mistakes:
        plain = plain.item() if isinstance(plain, np.generic) else plain
        raise error(where, f"{name} is {shown(plain)}", words_of(domain))
    return found


def one_of(
    where: str, name: str, given: Any, choices: Iterable[Any], *, error: ErrorType = ParameterError
) -> None:
    """Raise ``error`` unless the value is one of the choices."""
    choices = tuple(choices)
    if not any(given is one or (type(given) is type(one) and given == one) for one in choices):
        expected = " or ".join(
            filter(None, (", ".join(map(repr, choices[:-1])), repr(choices[-1])))
        )
        raise error(where, f"{name} is {shown(given)}", expected)


def known(
    where: str,
    what: str,
    name: Any,
    names: Iterable[str],
    *,
    otherwise: str = "",
    error: ErrorType = NetworkError,
) -> None:
    """Raise ``error`` unless there is something of that name; it names the nearest one."""
    there = tuple(names)
    if name not in there:
        hint = nearest(name, there) if isinstance(name, str) else ""
        expected = f"one of {', '.join(there)}" if there else f"some; there is no {what}"
        raise error(where, f"no {what} {shown(name)}", expected, hint or otherwise)


def shaped(
    where: str,
    name: str,
    values: Any,
    *shapes: tuple[int, ...],
    expected: str = "",
    remedy: str = "",
) -> None:
    """Raise ShapeError unless an array has one of the shapes; ``expected`` says them in words."""
    if values.shape not in shapes:
        words = expected or " or ".join(map(str, shapes))
        raise ShapeError(where, f"{name} of shape {values.shape}", words, remedy)


def every(
    where: str,
    name: str,
    values: NDArray[Any],
    good: NDArray[np.bool_],
    expected: str | Callable[[int], str],
    *,
    of: str | Callable[[int], str] = "",
    unit: str = "",
    text: Callable[[Any], str] = "{}".format,
    remedy: str = "",
    error: ErrorType = ParameterError,
) -> None:
    """Raise ``error`` for the first value that is not good, as ``text`` shows it.

    ``of`` says what the values are of, such as "neuron", whose number is told then; or it makes the
    place of a number, as ``expected`` may make the words.
    """
    bad = np.flatnonzero(~good)
    if bad.size:
        k = int(bad[0])
        place = of(k) if callable(of) else f"{of} {k}" if of else ""
        got = f"{name} is {text(values.flat[k])} {unit}".rstrip()
        words = expected(k) if callable(expected) else expected
        raise error(", ".join(filter(None, (where, place))), got, words, remedy)


def instance(where: str, name: str, given: Any, *kinds: type, remedy: str = "") -> None:
    """Raise ParameterError unless the value is of one of the classes."""
    if not isinstance(given, kinds):
        words = " or ".join(kind.__name__ for kind in kinds)
        raise ParameterError(where, f"{name} is of type {type(given).__name__}", words, remedy)


def alike(where: str, what: str, numbers: Iterable[int], *, error: ErrorType = ShapeError) -> int:
    """The one number that all have; raises ``error`` where there are several, or none."""
    found = sorted(set(numbers))
    if len(found) != 1:
        raise error(where, f"{what} are {found}", "one number for all")
    return found[0]


def one_each(
    where: object,
    counts: Mapping[str, int],
    *,
    remedy: str = "",
    error: ErrorType = ShapeError,
) -> None:
    """Raise ``error`` unless there are as many of each, by what they are called in the plural."""
    if len(set(counts.values())) > 1:
        *first, last = (f"{n:,} {name}" for name, n in counts.items())
        raise error(where, f"{', '.join(first)} and {last}", "as many of each", remedy)


def some(
    found: T | None,
    where: object,
    what: str,
    *,
    expected: str = "",
    remedy: str = "",
    error: ErrorType,
) -> T:
    """Return ``found``; raise ``error``, that ``where`` holds no ``what``, if it is empty."""
    if not found:
        raise error(where, f"holds no {what}", expected, remedy)
    return found


def follows(where: object, what: str, claimed: int, left: int, *, error: ErrorType) -> None:
    """Raise ``error`` where less is left of a file than something in it claims, in bytes."""
    if claimed > left:
        raise error(
            where,
            f"needs {claimed:,} bytes for {what}, but only {left:,} follow",
            "a whole file",
            "The file is truncated or damaged.",
        )


def vector(
    where: object, name: str, claim: Any, kinds: str, *, remedy: str = "", error: ErrorType
) -> None:
    """Raise ``error`` unless what has a shape and a type is one-dimensional, of a NumPy kind."""
    if len(claim.shape) != 1 or claim.dtype.kind not in kinds:
        words = {"f": "floats", "i": "integers", "S": "texts"}
        expected = " or ".join(words[kind] for kind in kinds if kind in words)
        got = f"{name} has shape {claim.shape} and type {claim.dtype}".lstrip()
        raise error(where, got, f"a one-dimensional array of {expected}", remedy)


@contextmanager
def reported(
    where: object,
    got: str,
    *failures: type[Exception],
    expected: str = "",
    remedy: str = "",
    error: ErrorType,
) -> Iterator[None]:
    """Raise failures of the block as ``error``; the words have their text in place of ``{}``.

    Errors of eventsim pass as they are, unless a class of theirs is among the ``failures``.
    """
    try:
        yield
    except failures as problem:
        own = tuple(kind for kind in failures if issubclass(kind, EventSimError))
        if isinstance(problem, EventSimError) and not isinstance(problem, own):
            raise
        words = (text.replace("{}", str(problem)) for text in (got, expected, remedy))
        raise error(where, *words) from problem


@contextmanager
def seen_from(
    place: object, *failures: type[EventSimError], error: type[EventSimError], remedy: str = ""
) -> Iterator[None]:
    """Raise such errors of the block as ``error``, from the place around theirs, with a remedy."""
    try:
        yield
    except failures as problem:
        raise problem.seen_from(place, error, remedy) from problem


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
    lengths = given.shape[-1:] if given.ndim else (0,)
    per_sample = (duration.size, *lengths)
    words = f"(times,), the same for all samples, or ({duration.size}, times)"
    shaped(where, "times", given, lengths, per_sample, expected=words)
    good = (given > 0.0) & (given < np.inf)
    every(where, "a time", given, good, "finite times > 0 (ms): before it nothing is read")
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
        came = f"cannot be made an array ({error})"
        raise ShapeError(where, came, "numbers, or lists of equal lengths") from error


def _refused(where: str, array: NDArray[Any], expected: str) -> ShapeError:
    return ShapeError(
        where,
        f"has shape {array.shape} and type {array.dtype}",
        expected,
        "Nothing is rounded or left out here: convert it yourself.",
    )
