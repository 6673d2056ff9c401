"""Recordings of address events: AEDAT files of cochleas and event cameras.

>>> from eventsim.datasets import aer
>>> mono, record = aer.load("speech.aedat", sensor="nas_64_stereo")  # your file  # doctest: +SKIP
>>> both_ears, _ = aer.load(  # your file  # doctest: +SKIP
...     "speech.aedat", sensor="nas_64_stereo", by=("ear", "channel")
... )

Versions 1, 2 and 3.1 are read here (:mod:`eventsim.datasets.aer_files`), version 4 through the
package ``aedat`` (:mod:`eventsim.datasets.aer_dv`). How an address becomes fields such as ear,
channel and polarity is said by the sensor (:mod:`eventsim.datasets.aer_sensors`).

Time 0 is the first event of the file; its time on the file's own clock is kept in the record.
Counts of ticks are unwrapped and divided as integers, so that times are only rounded to the
nearest float64. The duration is the first whole millisecond after the last event. A recording is
one sample.

Records that are no events of the sensor (triggers, frames, events marked invalid) are skipped and
counted in the record. Events that come a little earlier than the one before them, as some boards
send them, are sorted and counted. A step back by more than ``RESET_MS`` is a reset of the clock:
events before and after it have no common time, and the file is refused unless ``after_reset`` asks
for the part after the last one.
"""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from eventsim.checks import known, some
from eventsim.datasets import aer_dv, aer_files
from eventsim.datasets.aer_sensors import SENSORS, Field, Sensor, find_sensor, nas
from eventsim.datasets.dataset import duration_after, opened
from eventsim.errors import DataError
from eventsim.events import EventStream

__all__ = ["SENSORS", "Field", "Record", "Sensor", "load", "nas"]

RESET_MS = 1000.0
MOST_VALUES = 16  # fields of at most so many values are counted value by value


@dataclass(frozen=True, kw_only=True)
class Record:
    """Facts about a file beside its events."""

    # Names, for example "AEDAT 2.0" and "nas_64_stereo"
    format: str
    sensor: str
    channels: tuple[str, ...]  # fields that make up the channel, slowest first
    n_events: int  # number of events in the stream
    skipped: Mapping[str, int]  # how many records of the file are not in the stream, by reason
    # Events in the stream for every value of a field, e.g. ``counts["ear"]``
    counts: Mapping[str, tuple[int, ...]]
    duration_ms: float  # of the stream
    # Time of the first event on the file's clock, in ticks, and the length of a tick
    first_tick: int
    tick_us: float
    wraps: int  # how often the clock's counter began anew
    out_of_order: int  # number of events that came earlier than the one before them
    header: tuple[str, ...] = field(repr=False)  # lines of text at the begin of the file

    def summary(self) -> dict[str, Any]:
        """The record without the header, of plain types."""
        return {
            "format": self.format,
            "sensor": self.sensor,
            "channel": list(self.channels),
            "events": self.n_events,
            "skipped": dict(self.skipped),
            "counts": {name: list(numbers) for name, numbers in self.counts.items()},
            "duration_ms": self.duration_ms,
            "first_tick": self.first_tick,
            "tick_us": self.tick_us,
            "wraps": self.wraps,
            "out_of_order": self.out_of_order,
        }


def load(
    path: str | Path,
    *,
    sensor: str | Sensor | None = None,
    by: Sequence[str] | None = None,
    where: Mapping[str, int] | None = None,
    after_reset: bool = False,
) -> tuple[EventStream, Record]:
    """Read an AEDAT file.

    Parameters
    ----------
    path
        The file. Its version is read from it.
    sensor
        A key of ``SENSORS`` or a description of your own; None takes the one that the file
        names. Needed for files without a header.
    by
        Fields that make up the channel, slowest first; the others are merged. None takes all, as
        the sensor lists them.
    where
        Take only events whose fields have these values, e.g. ``{"ear": 0}``. Such a field does
        not have to be in ``by``.
    after_reset
        If the clock was reset, take what follows the last reset.

    Returns
    -------
    stream, record
        One sample, and what is known of it beside the events.

    Raises
    ------
    DataError
        The file is missing, truncated, damaged, of an unknown version, holds no event, or was
        not written by this sensor.
    """
    place = Path(path)
    raw = _read(place, find_sensor(sensor) if isinstance(sensor, str) else sensor)
    names = _checked_fields(raw.sensor, by, where)
    begin = _begin(raw, place, after_reset)
    ticks, values = raw.ticks[begin:], {name: v[begin:] for name, v in raw.values.items()}
    what = f"event of sensor {raw.sensor.name!r}"
    some(ticks.size, place, what, expected="at least one", error=DataError)
    chosen = np.ones(ticks.size, dtype=bool)
    for name, value in (where or {}).items():
        chosen &= values[name] == value
    first = int(ticks.min())
    times = (ticks - first) / (1000.0 / raw.sensor.tick_us)
    channels, n_channels = _channels(raw.sensor, values, names)
    stream = EventStream.from_unsorted(
        times[chosen],
        channels[chosen],
        [0, int(chosen.sum())],
        n_channels=n_channels,
        duration=duration_after(times),
    )
    lost = {"before the last reset": begin, "not selected": int((~chosen).sum())}
    return stream, Record(
        format=raw.format,
        sensor=raw.sensor.name,
        channels=names,
        n_events=stream.n_events,
        skipped={**raw.skipped, **{reason: n for reason, n in lost.items() if n}},
        counts=_counts(raw.sensor, values, chosen),
        duration_ms=float(stream.duration[0]),
        first_tick=first,
        tick_us=raw.sensor.tick_us,
        wraps=raw.wraps,
        out_of_order=int((np.diff(ticks) < 0).sum()),
        header=raw.header,
    )


def _read(path: Path, sensor: Sensor | None) -> aer_files.RawEvents:
    with opened(path, expected="an AEDAT file") as (file, size):
        header = aer_files.read_header(file, path)
        version = aer_files.version_of(header)
        if version in ("1.0", "2.0"):
            return aer_files.read_jaer(file, size, path, header, sensor)
        if version == "3.1":
            return aer_files.read_caer(file, size, path, header, sensor)
        if version == "4.0":
            return aer_dv.read(file, size, path, header, sensor)
    raise DataError(
        path,
        f"is AEDAT of version {version[:20]!r}",
        "1.0, 2.0, 3.1 or 4.0",
        "Convert it with the software that wrote it.",
    )


def _checked_fields(
    sensor: Sensor, by: Sequence[str] | None, where: Mapping[str, int] | None
) -> tuple[str, ...]:
    names = sensor.names if by is None else tuple(by)
    for name in (*names, *(where or {})):
        known(f"Sensor {sensor.name!r}", "field", name, sensor.names, error=DataError)
    if not names or len(set(names)) < len(names):
        raise DataError("by", f"is {list(names)}", f"different fields of sensor {sensor.name!r}")
    for name, value in (where or {}).items():
        if not 0 <= value < sensor.sizes[name]:
            raise DataError(
                "where",
                f"{name} is {value}",
                f"0 .. {sensor.sizes[name] - 1} of sensor {sensor.name!r}",
            )
    return names


def _begin(raw: aer_files.RawEvents, path: Path, after_reset: bool) -> int:
    """Number of the first event whose time can be told."""
    limit = RESET_MS * 1000.0 / raw.sensor.tick_us
    resets = np.flatnonzero(np.diff(raw.ticks) < -limit) + 1
    if not resets.size:
        return 0
    k = int(resets[-1])
    if not after_reset:
        back = (raw.ticks[k - 1] - raw.ticks[k]) * raw.sensor.tick_us / 1000.0
        raise DataError(
            f"{path}, event {k}",
            f"its time is {back:.6g} ms before that of the event before it",
            remedy=f"The clock was reset ({resets.size} times), or the file is damaged or of "
            "another address width. Pass after_reset=True to read what follows the last "
            "reset.",
        )
    return k


def _channels(
    sensor: Sensor, values: aer_files.Values, names: tuple[str, ...]
) -> tuple[NDArray[np.int64], int]:
    """Channel of every event, and their number."""
    sizes = [sensor.sizes[name] for name in names]
    channels = np.ravel_multi_index([values[name] for name in names], sizes)
    return channels.astype(np.int64), math.prod(sizes)


def _counts(
    sensor: Sensor, values: aer_files.Values, chosen: NDArray[np.bool_]
) -> dict[str, tuple[int, ...]]:
    return {
        name: tuple(np.bincount(values[name][chosen], minlength=size).tolist())
        for name, size in sensor.sizes.items()
        if size <= MOST_VALUES
    }
