"""The columns of a text file of events: what they are called, and what each of them is.

Columns are separated by commas, semicolons, tabs or blanks; empty lines and lines that begin with
``#`` are skipped. A line of names may come first; it is recognised by words in it. The last line
with ``#`` above the first event that has a time, a channel, and as many names as there are columns
is such a line, too: ``numpy.savetxt(.., header="t_us,channel")`` writes it so. Its names may be
separated in another way than the numbers.

=======  ===================================================================
column   names (case does not count), a unit may follow: ``t_us``, ``time (s)``
=======  ===================================================================
time     t, time, times, timestamp, timestamps; or a unit alone: ``seconds``
channel  c, ch, channel, channels, x, address, addr, neuron, unit, id
sample   s, sample, samples, recording, trial
x, y, p  those names, or pol, polarity: the address of an event, where there is y or p
=======  ===================================================================

====  ===============================================================================
unit  words
====  ===============================================================================
s     s, sec, secs, second, seconds; alone only sec, secs, seconds
ms    ms, msec, msecs, millis, millisecond, milliseconds
us    us, µs, usec, usecs, micros, microsecond, microseconds
====  ===============================================================================

Nanoseconds and minutes are refused. A remark above the first event may also say the unit alone:
``# unit: us``, ``# times in microseconds``. Without names the columns are time, channel and, if
there is a third one, sample; that is a guess, which :attr:`eventsim.datasets.text.Lines.guess`
tells.

**No column is left out in silence**: a column of another name is an error. ``columns`` names all of
them, in the order of the file, whatever its first line calls them: ``("t_us", "channel", "-")``
drops the third one. A unit that it names must be the one of the first line, if that has one.
Addresses of a camera are ``x``, ``y`` and ``p``, or those of them that there are; with the size of
the sensor they make the channel, see :mod:`eventsim.datasets.addresses`.
"""

import re
from collections import deque
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from eventsim.datasets.addresses import Size
from eventsim.datasets.dataset import Unit, decoded, opened
from eventsim.errors import DataError

_NAMES = {
    "time": ("t", "time", "times", "timestamp", "timestamps"),
    "channel": (
        *("c", "ch", "channel", "channels", "x"),
        *("address", "addr", "neuron", "unit", "id"),
    ),
    "sample": ("s", "sample", "samples", "recording", "trial"),
}
# Fields of an address; beside them x is one, which else is the channel.
_ADDRESS = {"y": ("y",), "p": ("p", "pol", "polarity")}
_COLUMN_OF = {word: name for name, words in (_NAMES | _ADDRESS).items() for word in words}
# Words that a name of a channel or of a sample may have behind the first one.
_NUMBER_WORDS = ("id", "ids", "no", "nr", "number", "index", "idx", "address", "addr", "channel")
DROP = "-"
_PLAIN = {2: ("time", "channel"), 3: ("time", "channel", "sample")}  # columns without names
_SPELLINGS: dict[Unit, tuple[str, ...]] = {
    "s": ("s", "sec", "secs", "second", "seconds"),
    "ms": ("ms", "msec", "msecs", "millis", "millisecond", "milliseconds"),
    "us": ("us", "usec", "usecs", "micros", "microsecond", "microseconds"),
}
_UNIT_OF = {word: unit for unit, words in _SPELLINGS.items() for word in words}
_WORDS = "|".join(sorted([*_UNIT_OF, "µs", "μs"], key=len, reverse=True))
# A unit that is a multiple of one: 't (10 us)', 'seconds*1000'.
_NUMBER_OF_UNITS = re.compile(rf"[0-9]\s*[x*×]?\s*({_WORDS})\b|\b({_WORDS})\s*[*/×^]\s*[0-9]")
_NOT_ALONE = ("s", "second")  # as a name of a column: the sample, the second one
_OTHER_UNITS = ("ns", "nsec", "nanosecond", "nanoseconds", "min", "mins", "minute", "minutes")
LONGEST_LINE = 1 << 16  # bytes
MOST_REMARKS = 1000  # the last ones above the first event are looked at for names and units
# Words of a remark that says the unit of the times and nothing else.
_OF_UNITS = ("unit", "units")
_WITH_UNITS = ("all", "are", "as", "given", "in", "is", "of", "stamps", "the")


@dataclass(frozen=True)
class Table:
    """Layout of the lines of a file.

    ``skipped`` lines come before the first event; ``cells`` are the names of all columns, those of
    ``dropped`` ones included, which are none of ``columns``; ``where`` they stand is for messages.
    """

    separator: str | None
    columns: dict[str, int]
    skipped: int
    unit: Unit | None
    cells: tuple[str, ...]
    is_named: bool
    where: str

    @property
    def dropped(self) -> tuple[int, ...]:
        """Numbers of the columns that are not read."""
        return tuple(k for k in range(len(self.cells)) if k not in self.columns.values())


def table_of(path: Path, given: Sequence[str] | None, size: Size | None) -> Table:
    """Layout by the first line that is no remark, or by the caller."""
    number, line, remarks = _first_line(path)
    here, above = f"{path}, line {number}", f"{path}, above line {number}"
    found = layout(line, remarks, here, above, plain=_PLAIN, given=given)
    _check_address(found.columns, given or found.cells, found.where, size)
    return replace(found, skipped=number - 1 + found.skipped)


def layout(
    line: str,
    remarks: Sequence[str],
    here: str,
    above: str,
    *,
    plain: Mapping[int, tuple[str, ...]],
    given: Sequence[str] | None = None,
) -> Table:
    """Layout of a text by its first line that is no remark, the remarks above it, or the caller.

    ``plain`` are the columns without names, by their number; ``here`` and ``above`` are for
    messages.

    Raises DataError (the columns are none that can be read, or the unit of times is none).
    """
    (separator, cells), where = cells_of(line), here
    numbers = are_numbers(cells)
    n, skipped = len(cells), not numbers
    if numbers:
        named = ((_names_above(one, separator, n), one) for one in reversed(remarks))
        names, remark = next((one for one in named if one[0] is not None), (None, ""))
        if names is not None:
            numbers, cells, line, where = False, names, remark, above
    if numbers and given is None and n not in plain:
        raise DataError(
            where,
            f"has {n} columns and no names",
            "time, channel and perhaps sample",
            f"Name the columns in a first line, or so: {_all_asked(n)}.",
        )
    check_all_named(given, n, where)
    columns, unit = read_names(given or (plain[n] if numbers else cells), where, line)
    if given is not None and not numbers:
        unit = common_unit(unit, _unit_of_header(cells[columns["time"]], where), where)
    unit = common_unit(unit, unit_of_remarks(remarks, above), above, "its columns say")
    names = tuple(map(str, range(1, n + 1))) if numbers else cells
    return Table(separator, columns, skipped, unit, names, bool(given) or not numbers, where)


def cells_of(line: str) -> tuple[str | None, tuple[str, ...]]:
    """What separates the cells of a line, None for blanks, and the cells."""
    mark = next((mark for mark in (",", ";", "\t") if mark in line), None)
    return mark, tuple(cell.strip() for cell in line.split(mark))


def check_all_named(given: Sequence[str] | None, n: int, where: str) -> None:
    """Raise DataError where the caller names other than all ``n`` columns of a file."""
    if given is not None and len(given) != n:
        raise DataError(
            where,
            f"has {n} columns, {len(given)} were named: {','.join(given)}",
            remedy=f"Name all of them, and those to drop by a dash: {_all_asked(n)}.",
        )


def checked_roles(
    called: Sequence[str], where: str, line: str, size: Size | None
) -> tuple[dict[str, int], Unit | None]:
    """Number of each of these columns by what it is, and the unit of the times.

    ``line`` has the names as the file has them. Raises DataError as :func:`table_of`.
    """
    columns, unit = read_names(called, where, line)
    _check_address(columns, called, where, size)
    return columns, unit


def role_of(cell: str) -> str | None:
    """Role of a column of that name; None if the name is unknown."""
    column = _COLUMN_OF.get(_name(cell)[0])
    return column if column is not None and _is_whole_name(column, cell) else None


def _all_asked(n: int) -> str:
    """Names to give for ``n`` unknown columns, of which a third one may be a polarity."""
    sample = "" if n < 3 else "; sample in place of a dash if it numbers the recordings"
    return _asked((*_PLAIN[2], *[DROP] * (n - 2))) + sample


def _asked(names: Sequence[str]) -> str:
    listed = ",".join(names)
    return f"--columns {listed} (in Python columns={listed.split(',')})"


def read_names(called: Sequence[str], where: str, line: str) -> tuple[dict[str, int], Unit | None]:
    """Number of each column that is read by what it is, and the unit of the times."""
    columns: dict[str, int] = {}
    unit: Unit | None = None
    names = [_name(cell) for cell in called]
    has_address = any(_COLUMN_OF.get(word) in _ADDRESS for word, _ in names)
    unknown = []
    for k, (word, its_unit) in enumerate(names):
        if called[k] == DROP:
            continue
        column = "x" if has_address and word == "x" else _COLUMN_OF.get(word)
        if column == "time":
            _check_known_unit(its_unit, where)
            _check_one_unit(called[k], where)
        if column is None or not _is_whole_name(column, called[k]):
            unknown.append(k)
            continue
        if column in columns:
            kept = [DROP if j == k else cell for j, cell in enumerate(called)]
            raise DataError(
                where,
                f"two columns are called {column}",
                remedy=f"Drop one of them: {_asked(kept)}.",
            )
        columns[column] = k
        unit = _UNIT_OF.get(its_unit or "") if column == "time" else unit
    if "time" not in columns or not columns.keys() & {"channel", "x"}:
        raise DataError(
            where,
            f"{line[:80]!r} is neither numbers nor names of columns",
            remedy="Expected a time and a channel, for example 'time_us,channel'; or name all "
            f"columns so: {_all_asked(len(called))}.",
        )
    if unknown:
        kept = [DROP if k in unknown else cell for k, cell in enumerate(called)]
        said = ", ".join(f"{k + 1} is {called[k][:40]!r}" for k in unknown)
        raise DataError(
            where,
            f"column {said}, which is none of time, channel, sample, x, y and p",
            remedy=f"To drop it: {_asked(kept)}. To make the channel of it and of the other "
            "column, call them x and y, and give --sensor-size.",
        )
    return columns, unit


def _check_one_unit(cell: str, where: str) -> None:
    """Raise DataError where a name of times has a number beside its unit, or several units."""
    words = _words(cell)
    _check_known_unit(cell, where)
    units = {_UNIT_OF[word] for word in words[1:] if word in _UNIT_OF}
    if len(units) > 1:
        raise DataError(where, f"{cell!r} names several units", "one of s, ms and us")


def _unit_of_header(cell: str, where: str) -> Unit | None:
    """The unit that a file's own name of its times says, whatever else it says."""
    _check_one_unit(cell, where)
    words = _words(cell)
    _check_known_unit(words[-1] if words else None, where)
    return _UNIT_OF.get(_name(cell)[1] or "")


def unit_of_remarks(remarks: Sequence[str], where: str) -> Unit | None:
    """The unit of the times that remarks say in a part of their own; None where none does."""
    parts = [part for one in remarks for part in re.split(r"[#,;.]", re.sub("[µμ]", "u", one))]
    found = {unit for unit in map(_unit_alone, parts) if unit is not None}
    for unit in found:
        _check_known_unit(unit, where)
    units = {_UNIT_OF[word] for word in found}
    if len(units) > 1:
        raise DataError(
            where,
            f"remarks say that times are in {' and in '.join(sorted(units))}",
            "one unit",
            "Correct them.",
        )
    return next(iter(units), None)


def _unit_alone(part: str) -> str | None:
    """The word of a unit, where these words say that times have it, and nothing else."""
    words = re.findall(r"[^\W_]+", part.lower())
    units = [word for word in words if word in (*_UNIT_OF, *_OTHER_UNITS)]
    others = [word for word in words if word not in units]
    known = {*_NAMES["time"], *_OF_UNITS, *_WITH_UNITS}
    if len(units) != 1 or not known.issuperset(others):
        return None
    speaks = any(word in (*_NAMES["time"], *_OF_UNITS) for word in others)
    return units[0] if speaks else None  # alone it may be anything: a country, initials


def _check_known_unit(unit: str | None, where: str) -> None:
    """Raise DataError where times are in another unit than those that are read."""
    if unit in _OTHER_UNITS or (unit is not None and _NUMBER_OF_UNITS.search(unit.lower())):
        shown = unit if unit in _OTHER_UNITS else repr(unit)
        remedy = "Convert them, and name the new unit there."
        raise DataError(where, f"its times are in {shown}", "s, ms or us", remedy)


def common_unit(
    given: Unit | None, said: Unit | None, where: str, who: str = "you named them in"
) -> Unit | None:
    """The unit that was named for the times, or that their file says; they must not differ."""
    if None not in (given, said) and given != said:
        raise DataError(
            where,
            f"says that times are in {said}, {who} {given}",
            remedy="Leave the unit out, or correct the line.",
        )
    return given or said


def _is_whole_name(column: str, cell: str) -> bool:
    """Whether no word of a column's name says that it is something else: ``channel_gain``."""
    words = _words(cell)
    more = (*_UNIT_OF, "in", "stamp") if column == "time" else _NUMBER_WORDS
    return all(word in more for word in words[1:])


def _check_address(
    columns: Mapping[str, int], called: Sequence[str], where: str, size: Size | None
) -> None:
    """Raise DataError unless the columns say a channel, or the address of a sensor of that size."""
    fields = [name for name in ("x", *_ADDRESS) if name in columns]
    if size is not None and not fields:
        raise DataError(
            where, "has a channel, no columns x, y or p", remedy="Leave out the sensor's size."
        )
    if not fields or (size is not None and "channel" not in columns):
        return
    other = [columns[name] for name in _ADDRESS if name in columns]
    kept = [DROP if k in other else cell for k, cell in enumerate(called)]
    taken = ["x" if k == columns.get("channel") else cell for k, cell in enumerate(called)]
    raise DataError(
        where,
        "has columns of an address, "
        f"{' and '.join(fields)}{' beside a channel' if 'channel' in columns else ''}",
        remedy="None is left out in silence. To make the channel of all of them, give the size "
        f"of the sensor: {_asked(taken)}, --sensor-size WIDTH,HEIGHT,POLARITIES (in Python "
        "sensor_size=). To drop "
        f"{' and '.join(name for name in _ADDRESS if name in columns)}: {_asked(kept)}.",
    )


def _names_above(remark: str, separator: str | None, n: int) -> tuple[str, ...] | None:
    """The names of n columns that a remark says; None where it says none.

    They may stand apart by another mark than the numbers: ``numpy.savetxt`` takes both from the
    caller. ``unit: ms``, or ``unit ms``, names no columns: it speaks of a unit.
    """
    text = remark.lstrip("#").strip()
    for mark in (separator, ",", ";", "\t", None):
        cells = tuple(cell.strip() for cell in text.split(mark))
        if len(cells) == n and _has_roles(cells) and not _of_a_unit(cells):
            return cells
    return None


def _of_a_unit(cells: Sequence[str]) -> bool:
    """Whether the words say something of a unit, and not what columns hold."""
    names = [_name(cell) for cell in cells]
    alone = any(name == ("time", cell.lower()) for name, cell in zip(names, cells, strict=True))
    return any(cell.endswith((":", "=")) for cell in cells) or (
        alone and any(word == "unit" for word, _ in names)
    )


def _has_roles(cells: Sequence[str]) -> bool:
    """Whether a time, of any unit, and a channel are among these names."""
    has_time = any(_COLUMN_OF.get(_name(cell)[0]) == "time" for cell in cells)
    return has_time and not {"channel", "x"}.isdisjoint(map(role_of, cells))


def _first_line(path: Path) -> tuple[int, str, Sequence[str]]:
    """The first line that is no remark: its number and text, and the remarks above it."""
    remarks = deque[str](maxlen=MOST_REMARKS)
    with opened(path, expected="a text file of events") as (file, _):
        for number, raw in enumerate(iter(lambda: file.readline(LONGEST_LINE), b""), start=1):
            if len(raw) == LONGEST_LINE:
                where = f"{path}, line {number}"
                raise DataError(where, f"is longer than {LONGEST_LINE} bytes", "a text of events")
            line = decoded(raw, f"{path}, line {number}").strip()
            if line and not line.startswith("#"):
                return number, line, remarks
            remarks.append(line)
    raise DataError(path, "holds only empty lines and remarks", "at least one event")


def are_numbers(cells: Sequence[str]) -> bool:
    """Whether there are cells, and each of them is a number."""
    try:
        return bool([float(cell) for cell in cells])
    except ValueError:
        return False


def _name(cell: str) -> tuple[str, str | None]:
    """The word of a column's name, and the last one behind it: 'Time (us)' -> 'time', 'us'.

    A unit alone is the name of a time: 'seconds' -> 'time', 'seconds'.
    """
    words = _words(cell)
    if len(words) == 1 and words[0] in _UNIT_OF and words[0] not in _NOT_ALONE:
        return "time", words[0]
    return words[0] if words else "", words[-1] if len(words) > 1 else None


def _words(cell: str) -> list[str]:
    """Words of a name in small letters; micro is a sign of its own, and the Greek letter."""
    return re.findall(r"[a-z]+", re.sub("[µμ]", "u", cell.lower()))
