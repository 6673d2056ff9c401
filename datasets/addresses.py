r"""The channel of an event of a camera, or of any sensor with several fields in its address.

.. math::
    c = (p \cdot \text{height} + y)\,\text{width} + x,

so that a channel is the flat index of an image [polarity, y, x]: x is fastest. A field whose size
is 1 does not count; tonic's cochleas say (64, 1, 1). Polarities are False and True, 0 and 1, or -1
and 1, in this order. A size with one polarity merges both: :func:`merged_text` says so.
"""

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from eventsim.checks import every
from eventsim.errors import DataError

Size = tuple[int, int, int]
MOST_NAMED = 4  # values of a field that are merged


def _counted_from_1(name: str, values: NDArray[np.int64], size: Size) -> str:
    """Remedy for coordinates of a program that counts from 1; empty for others."""
    if (
        name == "p"
        or not values.size
        or values.min() != 1
        or values.max() != size["xy".index(name)]
    ):
        return ""
    larger = f"{size[0] + 1},{size[1] + 1},{size[2]}"
    return (
        f"Its {name} are 1 .. {values.max()}, as of programs that count from 1 (MATLAB). Take "
        f"1 from x and y, or say --sensor-size {larger} (in Python sensor_size=({larger}))."
    )


def checked_size(size: Sequence[int]) -> Size:
    """The size of a sensor: (width, height, polarities); raises DataError."""
    numbers = tuple(size)
    whole = all(isinstance(n, int | np.integer) and n >= 1 for n in numbers)
    if len(numbers) != 3 or not whole or numbers[2] > 2:
        raise DataError(
            "sensor_size",
            f"is {numbers}",
            "(width, height, polarities), three integers >= 1 with at most 2 polarities",
        )
    return int(numbers[0]), int(numbers[1]), int(numbers[2])


def channels_of(fields: Mapping[str, NDArray[Any]], size: Size, *, where: str) -> NDArray[np.int64]:
    """Channel of every event, from fields x, y and p, [events] each. New array.

    Those whose size is 1 may be missing. Raises DataError, in the name of ``where``, if another is,
    or if an address lies outside of the sensor (width, height, polarities).
    """
    width, height, polarities = size
    channels = np.zeros(fields["x"].size, dtype=np.int64)
    for name, extent in (("p", polarities), ("y", height), ("x", width)):
        if extent == 1 and name != "x":
            continue
        if name not in fields:
            raise DataError(where, f"has no field {name}", f"{extent} values, as sensor_size says")
        values = fields[name].astype(np.int64)
        if name == "p" and (values == -1).any():
            values = np.where(values == -1, 0, np.where(values == 1, 1, -1))
        every(
            where,
            name,
            fields[name],
            (values >= 0) & (values < extent),
            f"0 .. {extent - 1} (sensor_size is {size})",
            of="event",
            remedy=_counted_from_1(name, values, size),
            error=DataError,
        )
        channels = channels * extent + values
    return channels


def count_merged(fields: Mapping[str, NDArray[Any]], size: Size) -> dict[str, Counter[int]]:
    """Events by the values of p and y, where ``size`` has one value of them."""
    alone = {name for name, extent in zip("yp", size[1:], strict=True) if extent == 1}
    found = {}
    for name in sorted(alone & set(fields)):
        values, numbers = np.unique(fields[name].astype(np.int64), return_counts=True)
        found[name] = Counter(dict(zip(values.tolist(), numbers.tolist(), strict=True)))
    return found


def merged_text(each: Iterable[Mapping[str, Counter[int]]]) -> list[str]:
    """Values of p and y that share channels, in words, from results of :func:`count_merged`."""
    total: dict[str, Counter[int]] = {}
    for found in each:
        for name, numbers in found.items():
            total[name] = total.get(name, Counter()) + numbers
    said = []
    for name, numbers in total.items():
        if len(numbers) > 1:
            parts = [f"{number:,} of {name} {value}" for value, number in numbers.most_common()]
            more = sum(number for _, number in numbers.most_common()[MOST_NAMED:])
            parts = [*parts[:MOST_NAMED], *([f"{more:,} of others"] if more else [])]
            what = "polarities" if name == "p" else "rows"
            said.append(
                f"{what} merged, as the sensor's size has 1 value of {name}: {', '.join(parts)} "
                "events share channels"
            )
    return said
