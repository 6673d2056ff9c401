"""Units of time at the border: everything behind it is in ms."""

from typing import Any, Literal, get_args

import numpy as np
from numpy.typing import NDArray

from eventsim.errors import DataError

Unit = Literal["s", "ms", "us"]
UNITS: tuple[str, ...] = get_args(Unit)


def check_unit(unit: str, where: str) -> None:
    """Raise DataError unless ``unit`` is one of ``UNITS``."""
    if unit not in UNITS:
        raise DataError(f"{where}: unit is {unit!r}, expected 's', 'ms' or 'us'.")


def to_ms(times: NDArray[Any], unit: str) -> NDArray[np.float64]:
    """Times in ms as float64; infinite where they leave its range. New array."""
    with np.errstate(over="ignore", invalid="ignore"):
        values = times.astype(np.float64)
        # 1000 is a float64 and 0.001 is not: this rounds once.
        return values * 1e3 if unit == "s" else values / 1e3 if unit == "us" else values
