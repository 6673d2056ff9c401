"""Events in plain text: one event a line, a time and a channel, and which sample it is of.

    time_us,channel,sample
    120,3,0
    415,17,0
    80,3,1

:mod:`eventsim.datasets.text_columns` says how columns are told apart. Times without a unit are ms.
Samples are numbered from 0; a number that does not occur is a sample without events. A sample lasts
to the first whole millisecond after its last event.
"""

import math
import warnings
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Literal, NamedTuple

import numpy as np
from numpy.typing import NDArray

from eventsim.arrays import Floats, Ints
from eventsim.checks import every, one_each, reported, some
from eventsim.datasets.addresses import Size, channels_of, checked_size, count_merged, merged_text
from eventsim.datasets.dataset import (
    PER_MS,
    PLAIN,
    UNITS,
    Assumed,
    Unit,
    check_no_unix_clock,
    check_unit,
    duration_after,
    to_ms,
)
from eventsim.datasets.text_columns import Table, common_unit, table_of
from eventsim.errors import DataError
from eventsim.events import EventStream
from eventsim.events.begin import Begin, exact, ways_out, zeros

MOST_CHANNELS = 1 << 24
MOST_SAMPLES = 1 << 20
COUNTERS = (31, 32)  # bits of counters of us that begin anew within hours
WRAPPED = 0.02  # of its range: a counter that begins anew steps back by that much less, at most
# Beyond these a unit is doubted, see doubt().
SHORTEST = 10.0  # ms
LONGEST = 3_600_000.0  # ms, an hour
FASTEST = 1_000.0  # events per second and channel


@dataclass(frozen=True, eq=False)
class Lines:
    """Contents of the lines of a file, before its times are shifted to time 0."""

    path: Path  # the file
    # Of the times, and why it is this one where neither the file nor the caller says it
    unit: Unit
    assumed: Assumed | None
    times: Floats  # of that unit, also negative ones, in the order of the file. [events]
    # Integers. [events]
    channels: Ints
    samples: Ints
    n_channels: int  # that were asked for, or the largest one plus 1
    guess: str  # how the columns were read, where the file has no names for them; "" else
    # Names or numbers of the columns that were not read, because they were asked to be dropped
    dropped: tuple[str, ...]
    # Events by the values of p and y that share channels, see
    # :func:`eventsim.datasets.addresses.count_merged`
    merged: Mapping[str, Counter[int]]
    size: Size | None = None  # of the sensor; None where channels are no addresses
    named: tuple[str, ...] | None = None  # the columns, where the caller names them

    @property
    def steps_back(self) -> Floats:
        """Steps back in time, ms: of each event out of order, from the event above it."""
        order = np.argsort(self.samples, kind="stable")
        back = np.diff(self.times[order])[np.diff(self.samples[order]) == 0]
        return to_ms(-back[back < 0], self.unit)

    def stream(self, begin: Begin = "zero") -> tuple[EventStream, Floats]:
        """The recordings, and the time in ms that is 0 in each of them now. New arrays.

        Raises DataError (a time is negative, an event lies before the one that ``begin`` names, or
        a counter of microseconds began anew).
        """
        self._check_counter()
        order = np.argsort(self.samples, kind="stable")
        offsets = np.concatenate([[0], np.cumsum(np.bincount(self.samples))])
        given = self.times[order]
        zero = zeros(given, offsets, begin, where=str(self.path), per_ms=PER_MS[self.unit])
        times = np.empty(given.size)
        times[order] = to_ms(given - np.repeat(zero, np.diff(offsets)), self.unit)
        _check(self.path, times, "time in ms", np.inf, ways_out(times))
        times = times[order]
        parts = zip(offsets[:-1], offsets[1:], strict=True)
        stream = EventStream.from_unsorted(
            times,
            self.channels[order],
            offsets,
            n_channels=self.n_channels,
            duration=[duration_after(times[low:high]) for low, high in parts],
        )
        return stream, to_ms(zero, self.unit)

    def _check_counter(self) -> None:
        """Raise DataError where times step back by the range of a counter of microseconds.

        To sort them would put the end of the recording before its begin.
        """
        back = 1e3 * self.steps_back if self.unit == "us" else np.zeros(0)
        for bits in COUNTERS:
            whole = float(1 << bits)
            if ((back > (1.0 - WRAPPED) * whole) & (back <= whole)).any():
                raise DataError(
                    self.path,
                    f"times step back by {back.max():,.0f} us, as a counter of {bits} bits does "
                    "that begins anew",
                    remedy=f"Add {whole:.0f} to the times behind that event, or make another "
                    "recording of them (column sample).",
                )


def load(
    path: str | Path,
    *,
    unit: Unit | None = None,
    n_channels: int | None = None,
    columns: Sequence[str] | None = None,
    sensor_size: Sequence[int] | None = None,
    begin: Begin = "zero",
) -> EventStream:
    """Read events from a text file.

    Parameters
    ----------
    path
        The file, in UTF-8.
    unit
        Of the times: "s", "ms" or "us". None takes the one that the line of names or a remark
        gives, or ms.
    n_channels
        None for the largest channel of the file plus 1.
    columns
        Names of all columns of the file, ``-`` for one that is dropped; None for its own names.
    sensor_size
        (width, height, polarities) of a camera, where the columns have x, y or p.
    begin
        Time 0 of every sample: ``zero`` for that of the file, ``first-event``, or a time in ms, see
        :mod:`eventsim.events.begin`.

    Returns
    -------
    EventStream
        Events may come in any order. New arrays.

    Raises
    ------
    DataError
        The file is missing, empty, not of this form, or holds a time or a channel that cannot be,
        or a column that nobody asked to drop.
    """
    found = read(path, unit=unit, n_channels=n_channels, columns=columns, sensor_size=sensor_size)
    return found.stream(begin)[0]


def read(
    path: str | Path,
    *,
    unit: Unit | None = None,
    n_channels: int | None = None,
    columns: Sequence[str] | None = None,
    sensor_size: Sequence[int] | None = None,
    otherwise: Assumed = PLAIN,
) -> Lines:
    """As :func:`load`, before the times are put to where they begin.

    ``otherwise`` is the unit where neither ``unit`` nor the file says one.
    """
    place = Path(path)
    if unit is not None:
        check_unit(unit, str(place))
    size = None if sensor_size is None else checked_size(sensor_size)
    table = table_of(place, columns, size)
    stated = common_unit(unit, table.unit, str(place), "you said")
    rows = _rows(place, table)
    lines = made_lines(
        place,
        rows,
        stated=stated,
        otherwise=otherwise,
        n_channels=n_channels,
        size=size,
        dropped=tuple(table.cells[k] for k in table.dropped),
        named=columns,
    )
    return replace(lines, guess=_guess(table, lines.samples))


def made_lines(
    place: Path,
    rows: Mapping[str, Floats],
    *,
    stated: Unit | None,
    otherwise: Assumed,
    n_channels: int | None,
    size: Size | None,
    dropped: tuple[str, ...],
    named: Sequence[str] | None,
) -> Lines:
    """The events of columns: ``time``, ``channel`` or x, y and p, and perhaps ``sample``, [events].

    Their unit is ``stated``, or else ``otherwise``.

    Raises DataError (a number cannot be what its column says, or columns differ in length).
    """
    if size is not None and n_channels not in (None, math.prod(size)):
        raise DataError(
            place,
            f"a sensor of size {','.join(map(str, size))} has {math.prod(size):,} channels, you "
            f"said {n_channels}",
            remedy="Leave out one of the two.",
        )
    unit = stated or otherwise.unit
    lengths = {name: values.size for name, values in rows.items()}
    one_each(place, {f"of {name}": n for name, n in lengths.items()}, error=DataError)
    some(rows["time"].size, place, "event", expected="at least one", error=DataError)
    _check(place, np.abs(to_ms(rows["time"], unit)), "time in ms", np.inf)
    if stated is None:
        check_no_unix_clock(rows["time"], unit, str(place))
    samples = np.zeros(rows["time"].size, dtype=np.int64)
    if "sample" in rows:
        samples = _whole(place, rows["sample"], "sample", MOST_SAMPLES)
    merged: Mapping[str, Counter[int]] = {}
    if size is None:
        channels = _whole(place, rows["channel"], "channel", n_channels or MOST_CHANNELS)
    else:
        fields = {k: _whole(place, rows[k], k, MOST_CHANNELS, least=-1) for k in "xyp" if k in rows}
        channels = channels_of(fields, size, where=str(place))
        n_channels, merged = math.prod(size), count_merged(fields, size)
    return Lines(
        place,
        unit,
        otherwise if stated is None else None,
        rows["time"],
        channels,
        samples,
        n_channels or int(channels.max()) + 1,
        "",
        dropped,
        merged,
        size,
        None if named is None else tuple(named),
    )


def _guess(table: Table, samples: Ints) -> str:
    """Text about the roles that columns without names were given; "" if they have names."""
    if table.is_named:
        return ""
    said = f"columns read as {','.join(table.columns)}: the first line has no names"
    if "sample" not in table.columns:
        return said
    back = int((np.diff(samples) < 0).sum())
    said += f"; {samples.max() + 1:,} samples by the third column"
    return said + (", which goes up and down, as a polarity or an ear would" if back else "")


def doubt(streams: Sequence[EventStream]) -> tuple[str, Literal["long", "short"]] | None:
    """Doubt about the unit of these recordings, and whether it is too short or too long.

    None if nothing does. Recordings of which none lasts :data:`SHORTEST`, or more than
    :data:`FASTEST` events per second and channel, come of a unit that is too short (seconds read as
    ms); a recording longer than :data:`LONGEST` of one that is too long (microseconds read as ms).
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


class Remark(NamedTuple):
    """What was guessed, sorted, merged or dropped on reading, in words.

    ``remedy`` says what to type if it is wrong; None where it was asked for.
    """

    words: str
    remedy: str | None = ""


def remarks(files: Sequence[Lines], streams: Sequence[EventStream]) -> list[Remark]:
    """Remarks on the reading of files, which were made into ``streams``; each once for all."""
    found = []
    for one, n in Counter(file.assumed for file in files if file.assumed).items():
        others = " or ".join(unit for unit in UNITS if unit != one.unit)
        words = f"times{f' of {n:,} files' if n > 1 else ''} read as {one.unit}: {one.reason}"
        found.append(Remark(words, f"; --unit {others} if they are not"))
    for guess, n in Counter(file.guess for file in files if file.guess).items():
        remedy = "; --columns says what they are if they are not"
        found.append(Remark(guess + _of_files(n), remedy))
    for names, n in Counter(file.dropped for file in files if file.dropped).items():
        found.append(Remark(f"columns dropped: {', '.join(names)}{_of_files(n)}", None))
    more = [*merged_text(file.merged for file in files), *_unsorted(files)]
    return [*found, *map(Remark, [*more, *_doubted(files, streams)])]


def _of_files(n: int) -> str:
    return "" if n == 1 else f" ({n:,} files)"


def _unsorted(files: Sequence[Lines]) -> list[str]:
    """A line on events that are not in the order of time."""
    back = [one.steps_back for one in files]
    n_files = sum(bool(steps.size) for steps in back)
    steps = np.concatenate([np.zeros(0), *back])
    if not steps.size:
        return []
    return [
        f"events sorted by time: {steps.size:,} came before the one above them"
        f"{'' if len(files) == 1 else f', in {n_files:,} of {len(files):,} files'}; the largest "
        f"step back is {steps.max():,.6g} ms"
    ]


def _doubted(files: Sequence[Lines], streams: Sequence[EventStream]) -> list[str]:
    """A warning where the recordings are absurd in the unit of their times."""
    found = doubt(streams) if files else None
    if found is None:
        return []
    unit, place = files[0].unit, UNITS.index(files[0].unit)
    others = UNITS[:place] if found[1] == "short" else UNITS[place + 1 :]
    remedy = f"Are the times really in {unit}? Correct --unit, or the header, if they are not."
    if others and all(one.assumed for one in files):
        named = " or ".join(others)
        remedy = f"If the times are not in {unit}, read them again with --unit {named}."
    return [f"warning: {found[0]}. {remedy}"]


def _rows(path: Path, table: Table) -> dict[str, Floats]:
    """The columns that are read, by what they are; [events] each."""
    n = len(table.cells)
    # A line must have as many cells as the first one: of a dropped column one letter is read.
    kinds = [(str(k), "U1" if k in table.dropped else "f8") for k in range(n)]
    words = "a line cannot be read ({}; lines of events are counted from the first one, row 0)"
    failures = (ValueError, OSError, MemoryError)  # a UnicodeError is a ValueError
    with (
        reported(path, words, *failures, expected="numbers in every line", error=DataError),
        warnings.catch_warnings(),
    ):
        warnings.simplefilter("ignore")  # that it holds no line: said below
        rows = np.loadtxt(
            path,
            dtype=kinds if table.dropped else np.float64,
            comments="#",
            delimiter=table.separator,
            skiprows=table.skipped,
            ndmin=1 if table.dropped else 2,
            encoding="utf-8-sig",
        )
    some(rows.size, path, "event", expected="one or more below the names", error=DataError)
    if table.dropped:
        return {name: rows[str(k)] for name, k in table.columns.items()}
    counts = {"columns in its first line": n, "in those of events": rows.shape[1]}
    one_each(path, counts, error=DataError)
    return {name: np.ascontiguousarray(rows[:, k]) for name, k in table.columns.items()}


def _check(
    path: Path, values: NDArray[np.float64], what: str, end: float, more: str = "", least: int = 0
) -> None:
    good = np.isfinite(values) & (values >= least) & (values < end)
    expected = "a finite number >= 0" if end == np.inf else f"{least} .. {end - 1:.0f}"
    _every(path, values, what, good, expected, more)


def _whole(path: Path, values: Floats, what: str, end: int, *, least: int = 0) -> Ints:
    remedy = "Are the columns in another order? Name them in a first line."
    _every(path, values, what, values == np.floor(values), "a whole number", remedy)
    _check(path, values, what, end, least=least)
    return values.astype(np.int64)


def _every(
    path: Path, values: Floats, what: str, good: NDArray[np.bool_], expected: str, remedy: str
) -> None:
    where, kind = str(path), DataError
    every(where, what, values, good, expected, of="event", text=exact, remedy=remedy, error=kind)
