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
time     t, time, times, timestamp, timestamps
channel  c, ch, channel, channels, x, address, addr, neuron, unit, id
sample   s, sample, samples, recording, trial
=======  ===================================================================

Other columns are not read. Without names the columns are time, channel and, if there is a third
one, sample. Samples are numbered from 0; a number that does not occur is a sample without events.
A sample lasts to the first whole millisecond after its last event.
"""

import re
import warnings
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from eventsim.datasets.dataset import UNITS, Unit, check_unit, duration_after, opened, to_ms
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
LONGEST_LINE = 1 << 16  # bytes
MOST_CHANNELS = 1 << 24
MOST_SAMPLES = 1 << 20


@dataclass(frozen=True)
class Table:
    """How the lines of a file are read.

    ``skipped`` lines come before the first event; ``exact`` says that all columns are read.
    """

    separator: str | None
    columns: dict[str, int]
    skipped: int
    unit: str | None
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
    unit = None
    if "y" in map(str.lower, cells):
        raise DataError(
            f"{path}, line {number}: {line[:80]!r} names columns of a camera. Read them into a "
            "structured array, and that with eventsim.datasets.adapters."
        )
    for k, cell in enumerate(cells):
        word, its_unit = _name(cell)
        column = next((column for column, words in _NAMES.items() if word in words), None)
        if column is not None:
            if column in columns:
                raise DataError(f"{path}, line {number}: two columns are called {column}.")
            columns[column] = k
            unit = its_unit if column == "time" else unit
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
    """The word of a column's name, and the unit behind it: 'Time (us)' -> 'time', 'us'."""
    words = re.findall(r"[a-zµ]+", cell.lower().strip("\"' "))
    unit = words[-1].replace("µ", "u") if len(words) > 1 else None
    return words[0] if words else "", unit if unit in UNITS else None


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
