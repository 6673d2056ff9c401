"""Checks of what the pictures are asked for, before a figure is opened."""

from typing import Any

from eventsim.checks import whole_number
from eventsim.errors import EventError, ParameterError


def check_kind(where: str, given: Any, kind: type | tuple[type, ...], hint: str) -> None:
    """Raise ParameterError unless ``given`` is of a kind that ``where`` draws."""
    if not isinstance(given, kind):
        kinds = kind if isinstance(kind, tuple) else (kind,)
        names = " or ".join(one.__name__ for one in kinds)
        raise ParameterError(f"plot.{where}", f"got {type(given).__name__}", names, hint)


def checked_sample(where: str, sample: int, n_samples: int) -> int:
    """The sample that ``sample`` means, negative numbers counted from the end."""
    number = whole_number(sample, f"plot.{where}: sample")
    if not -n_samples <= number < n_samples:
        known = f"0 .. {n_samples - 1}" if n_samples else "there is none"
        raise EventError(
            f"plot.{where}", f"sample is {number}", f"one of the {n_samples} samples: {known}"
        )
    return range(n_samples)[number]
