r"""The channel of an event of a camera, or of any sensor with several fields in its address.

.. math::
    c = (p \cdot \text{height} + y)\,\text{width} + x,

so that a channel is the flat index of an image [polarity, y, x]: x is fastest. A field whose size
is 1 does not count; tonic's cochleas say (64, 1, 1). Polarities are False and True, 0 and 1, or -1
and 1, in this order.
"""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from eventsim.errors import DataError

Size = tuple[int, int, int]


def checked_size(size: Sequence[int]) -> Size:
    """The size of a sensor: (width, height, polarities); raises DataError."""
    numbers = tuple(size)
    whole = all(isinstance(n, int | np.integer) and n >= 1 for n in numbers)
    if len(numbers) != 3 or not whole or numbers[2] > 2:
        raise DataError(
            f"sensor_size is {numbers}, expected (width, height, polarities), three integers >= 1 "
            "with at most 2 polarities."
        )
    return int(numbers[0]), int(numbers[1]), int(numbers[2])


def channels_of(fields: Mapping[str, NDArray[Any]], size: Size, *, where: str) -> NDArray[np.int64]:
    """Channel of every event, [events]. New array.

    Parameters
    ----------
    fields
        Integers [events] by the names x, y and p; those whose size is 1 may be missing.
    size
        (width, height, polarities).
    where
        What the events are of, for messages.

    Raises
    ------
    DataError
        A field is missing, or an address lies outside of the sensor.
    """
    width, height, polarities = size
    channels = np.zeros(fields["x"].size, dtype=np.int64)
    for name, extent in (("p", polarities), ("y", height), ("x", width)):
        if extent == 1 and name != "x":
            continue
        if name not in fields:
            raise DataError(
                f"{where}: has no field {name}, but sensor_size says {extent} values of it."
            )
        values = fields[name].astype(np.int64)
        if name == "p" and (values == -1).any():
            values = np.where(values == -1, 0, np.where(values == 1, 1, -1))
        bad = np.flatnonzero((values < 0) | (values >= extent))
        if bad.size:
            raise DataError(
                f"{where}, event {bad[0]}: {name} is {fields[name][bad[0]]}, expected 0 .. "
                f"{extent - 1} (sensor_size is {size})."
            )
        channels = channels * extent + values
    return channels
