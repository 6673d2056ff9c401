"""Events in plain text: one event a line, a time and a channel, and which sample it is of.

    time_us,channel,sample
    120,3,0
    415,17,0
    80,3,1

Columns are separated by commas, semicolons, tabs or blanks; empty lines and lines that begin with
``#`` are skipped. A line of names may come first; it is recognised by words in it:

=======  ===================================================================
column   names (case does not count), a unit may follow: ``t_us``, ``time (s)``
=======  ===================================================================
time     t, time, times, timestamp, timestamps; or a unit alone: ``seconds``
channel  c, ch, channel, channels, x, address, addr, neuron, unit, id
sample   s, sample, samples, recording, trial
=======  ===================================================================

====  ===============================================================================
unit  words
====  ===============================================================================
s     s, sec, secs, second, seconds; alone only sec, secs, seconds
ms    ms, msec, msecs, millis, millisecond, milliseconds
us    us, µs, usec, usecs, micros, microsecond, microseconds
====  ===============================================================================

Times without a unit are ms. Nanoseconds and minutes are refused. Other columns are not read.
Without names the columns are time, channel and, if there is a third one, sample. Samples are
numbered from 0; a number that does not occur is a sample without events. A sample lasts to the
first whole millisecond after its last event.
"""

import re
import warnings
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from eventsim.datasets.dataset import Unit, check_unit, duration_after, opened, to_ms
from eventsim.errors import DataError
from eventsim.events import EventStream

_NAMES = {
    "time": ("t", "time", "times", "timestamp", "timestamps"),
    "channel": (
        *("c", "ch", "channel", "channels", "x"),
        *("address", "addr", "neuron", "unit", "id"),
    ),
    "sample": ("s", "sample", "samples", "recording", "trial"),
}
_SPELLINGS: dict[Unit, tuple[str, ...]] = {
    "s": ("s", "sec", "secs", "second", "seconds"),
    "ms": ("ms", "msec", "msecs", "millis", "millisecond", "milliseconds"),
    "us": ("us", "usec", "usecs", "micros", "microsecond", "microseconds"),
}
_UNIT_OF = {word: unit for unit, words in _SPELLINGS.items() for word in words}
_NOT_ALONE = ("s", "second")  # as a name of a column: the sample, the second one
_OTHER_UNITS = ("ns", "nsec", "nanosecond", "nanoseconds", "min", "mins", "minute", "minutes")
LONGEST_LINE = 1 << 16  # bytes
MOST_CHANNELS = 1 << 24
MOST_SAMPLES = 1 << 20
# Beyond these a unit is doubted, see doubt().
SHORTEST = 10.0  # ms
LONGEST = 3_600_000.0  # ms, an hour
FASTEST = 10_000.0  # events per second and channel


@dataclass(frozen=True)
class Table:
    """How the lines of a file are read.

    ``skipped`` lines come before the first event; ``exact`` says that all columns are read.
    """

    separator: str | None
    columns: dict[str, int]
    skipped: int
    unit: Unit | None
    exact: bool


def load(
    path: str | Path, *, unit: Unit | None = None, n_channels: int | None = None
) -> EventStream:
    """Read events from a text file.

    Parameters
    ----------
    path
        The file, in UTF-8.
    unit
        Of the times: "s", "ms" or "us". None takes the one that the line of names gives, or ms.
    n_channels
        None for the largest channel of the file plus 1.

    Returns
    -------
    EventStream
        Events may come in any order. New arrays.

    Raises
    ------
    DataError
        The file is missing, empty, not of this form, or holds a time or a channel that cannot be.
    """
    place = Path(path)
    if unit is not None:
        check_unit(unit, str(place))
    table = _table(place)
    if None not in (unit, table.unit) and unit != table.unit:
        raise DataError(
            f"{place}: its first line says that times are in {table.unit}, you said {unit}. "
            "Leave the unit out, or correct the line."
        )
    rows = _rows(place, table)
    times = to_ms(rows[:, 0], unit or table.unit or "ms")
    _check(place, times, "time in ms", np.inf)
    channels = _whole(place, rows[:, 1], "channel", n_channels or MOST_CHANNELS)
    n_samples = 1
    sample = np.zeros(times.size, dtype=np.int64)
    if "sample" in table.columns:
        sample = _whole(place, rows[:, 2], "sample", MOST_SAMPLES)
        n_samples = int(sample.max()) + 1
    order = np.argsort(sample, kind="stable")
    offsets = np.concatenate([[0], np.cumsum(np.bincount(sample, minlength=n_samples))])
    times, channels = times[order], channels[order]
    parts = zip(offsets[:-1], offsets[1:], strict=True)
    return EventStream.from_unsorted(
        times,
        channels,
        offsets,
        n_channels=n_channels or int(channels.max()) + 1,
        duration=[duration_after(times[lo:hi]) for lo, hi in parts],
    )


def unit_of(path: str | Path) -> Unit | None:
    """The unit that the line of names of a file gives to its times, None where it gives none.

    Raises DataError as :func:`load`, for what the first line says.
    """
    return _table(Path(path)).unit


def doubt(streams: Sequence[EventStream]) -> tuple[str, Literal["long", "short"]] | None:
    """What makes the unit of all these recordings doubtful; None if nothing does.

    Recordings of which none lasts :data:`SHORTEST`, or more than :data:`FASTEST` events per second
    and channel, come of a unit that is too short (seconds read as ms); a recording longer than
    :data:`LONGEST` of one that is too long (microseconds read as ms).

    Returns
    -------
    tuple or None
        What is doubtful, in words, and whether the unit is too ``short`` or too ``long``.
    """
    longest = max((float(s.times.max(initial=0.0)) for s in streams), default=0.0)
    n_events = sum(s.n_events for s in streams)
    channel_seconds = sum(float(s.duration.sum()) * s.n_channels for s in streams) / 1e3
    if not n_events:
        return None
    if longest > LONGEST:
        return f"a recording lasts {longest / LONGEST:,.1f} hours", "long"
    if longest < SHORTEST:
        return f"no recording lasts longer than {longest:.3g} ms", "short"
    if n_events > FASTEST * channel_seconds:
        rate = n_events / channel_seconds
        return f"there are {rate:,.0f} events per second and channel", "short"
    return None


def _table(path: Path) -> Table:
    """What the first line that is no remark says of the others."""
    number, line = _first_line(path)
    separator = next((mark for mark in (",", ";", "\t") if mark in line), None)
    cells = [cell.strip() for cell in line.split(separator)]
    if _are_numbers(cells):
        if len(cells) not in (2, 3):
            raise DataError(
                f"{path}, line {number}: has {len(cells)} columns and no names, expected time, "
                "channel and perhaps sample. Name the columns in a first line."
            )
        names = ("time", "channel", "sample")[: len(cells)]
        return Table(separator, {name: k for k, name in enumerate(names)}, number - 1, None, True)
    columns: dict[str, int] = {}
    unit: Unit | None = None
    if "y" in map(str.lower, cells):
        raise DataError(
            f"{path}, line {number}: {line[:80]!r} names columns of a camera. Read them into a "
            "structured array, and that with eventsim.datasets.adapters."
        )
    for k, cell in enumerate(cells):
        word, its_unit = _name(cell)
        column = next((column for column, words in _NAMES.items() if word in words), None)
        if column == "time" and its_unit in _OTHER_UNITS:
            raise DataError(
                f"{path}, line {number}: its times are in {its_unit}, expected s, ms or us. "
                "Convert them, and name the new unit there."
            )
        if column is not None:
            if column in columns:
                raise DataError(f"{path}, line {number}: two columns are called {column}.")
            columns[column] = k
            unit = _UNIT_OF.get(its_unit or "") if column == "time" else unit
    if not {"time", "channel"} <= set(columns):
        raise DataError(
            f"{path}, line {number}: {line[:80]!r} is neither numbers nor names of columns. "
            "Expected a time and a channel, for example 'time_us,channel'."
        )
    return Table(separator, columns, number, unit, len(columns) == len(cells))


def _first_line(path: Path) -> tuple[int, str]:
    with opened(path, expected="a text file of events") as (file, _):
        for number, raw in enumerate(iter(lambda: file.readline(LONGEST_LINE), b""), start=1):
            if len(raw) == LONGEST_LINE:
                raise DataError(
                    f"{path}, line {number}: is longer than {LONGEST_LINE} bytes. It is no text "
                    "file of events."
                )
            try:
                line = raw.decode("utf-8-sig").strip()
            except UnicodeDecodeError as error:
                raise DataError(f"{path}, line {number}: is no text in UTF-8 ({error}).") from error
            if line and not line.startswith("#"):
                return number, line
    raise DataError(f"{path}: holds no event, only empty lines and remarks.")


def _are_numbers(cells: list[str]) -> bool:
    try:
        return bool([float(cell) for cell in cells])
    except ValueError:
        return False


def _name(cell: str) -> tuple[str, str | None]:
    """The word of a column's name, and the last one behind it: 'Time (us)' -> 'time', 'us'.

    A unit alone is the name of a time: 'seconds' -> 'time', 'seconds'.
    """
    # Micro is a sign of its own, and the Greek letter.
    words = re.findall(r"[a-z]+", re.sub("[µμ]", "u", cell.lower()))
    if len(words) == 1 and words[0] in _UNIT_OF and words[0] not in _NOT_ALONE:
        return "time", words[0]
    return words[0] if words else "", words[-1] if len(words) > 1 else None


def _rows(path: Path, table: Table) -> NDArray[np.float64]:
    """Columns time, channel and perhaps sample of all lines."""
    wanted = [table.columns[name] for name in _NAMES if name in table.columns]
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # that it holds no line: said below
            rows = np.loadtxt(
                path,
                dtype=np.float64,
                comments="#",
                delimiter=table.separator,
                skiprows=table.skipped,
                # All columns, if all are wanted: a line with more of them is an error then.
                usecols=None if table.exact else wanted,
                ndmin=2,
                encoding="utf-8-sig",
            )
    except (ValueError, OSError, MemoryError) as error:  # a UnicodeError is a ValueError
        raise DataError(
            f"{path}: a line cannot be read ({error}; lines of events are counted from the first "
            "one, which is row 0). Expected numbers in every line."
        ) from error
    if not rows.size:
        raise DataError(f"{path}: holds names of columns, but no event.")
    if table.exact and rows.shape[1] != len(wanted):
        raise DataError(
            f"{path}: its lines have {rows.shape[1]} columns, its first one says {len(wanted)}. "
            "Expected as many in every line."
        )
    return rows[:, wanted] if table.exact else rows


def _check(path: Path, values: NDArray[np.float64], what: str, end: float) -> None:
    bad = np.flatnonzero(~(np.isfinite(values) & (values >= 0) & (values < end)))
    if bad.size:
        expected = "a finite number >= 0" if end == np.inf else f"0 .. {end - 1:.0f}"
        raise DataError(
            f"{path}, event {bad[0]}: {what} is {values[bad[0]]:.17g}, expected {expected}."
        )


def _whole(path: Path, values: NDArray[np.float64], what: str, end: int) -> NDArray[np.int64]:
    fractional = np.flatnonzero(values != np.floor(values))
    if fractional.size:
        raise DataError(
            f"{path}, event {fractional[0]}: {what} is {values[fractional[0]]:.17g}, expected a "
            "whole number. Are the columns in another order? Name them in a first line."
        )
    _check(path, values, what, end)
    return values.astype(np.int64)
