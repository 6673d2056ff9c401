"""Labels of recordings: a table of labels, or a folder per class.

A **table** is text in UTF-8 with one recording a line, cells separated by commas, semicolons or
tabs. Its first line names the columns:

==========  =====================================================================
column      content
==========  =====================================================================
``file``    path of the recording, from the folder of the table
``label``   name of its class
``sample``  optional: number of the recording in the file; all of them otherwise
``group``   optional: speaker, writer, session; recordings of one stay together
``split``   optional: part that it belongs to, such as train or test
==========  =====================================================================

The column of the groups may have another name, such as ``speaker``, which the caller says.

A **table of targets** has numbers in place of a class: see :func:`read_targets`.

A **folder** has one subfolder per class, named as the class, with its files. Folders of parts,
``train`` and ``test`` among them, may lie between: ``folder/train/yes/1.csv``.
"""

import csv
import math
import re
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import NoReturn

import numpy as np

from eventsim.checks import reported, some
from eventsim.datasets.dataset import Texts, decoded, opened, read_content
from eventsim.datasets.formats import format_of
from eventsim.errors import DataError
from eventsim.events import Dataset, DatasetInfo, EventStream, StoredStream, gather
from eventsim.events.labelled import recordings_of
from eventsim.events.targets import Lines

_COLUMNS = ("file", "label", "sample", "group", "split")
TIME = "time_ms"  # of a target
LARGEST_TABLE = 1 << 28  # bytes
LONGEST_LINE = 1 << 16  # bytes of names of columns


@dataclass(frozen=True)
class Labelled:
    """A recording's line of a table, or its file in a folder."""

    file: Path  # Of the recording
    # label, group, split: As the module says; empty texts where nothing is said
    label: str
    where: str  # Table and line, for messages
    sample: int | None = None  # Number of the recording in the file; None for all of them
    group: str = ""
    split: str = ""


def is_table(path: str | Path) -> bool:
    """Whether the first line of a text file is that of a table of labels."""
    with opened(Path(path), expected="a table of labels") as (file, _):
        first = file.readline(LONGEST_LINE).decode("utf-8-sig", "replace")
    return {"file", "label"} <= {cell.strip().lower() for cell in first.split(_mark(first))}


def _mark(first: str) -> str:
    """Separator of the cells of a table with this first line."""
    return next((mark for mark in ",;\t" if mark in first), ",")


def read_labels(
    path: str | Path,
    files: Sequence[Path] = (),
    *,
    may_lack: bool = False,
    group_column: str = "group",
) -> list[Labelled]:
    """The lines of a table of labels.

    Paths of recordings begin at the folder of the table, or at a single folder that is given as
    ``files``; else each of ``files`` must be in the table and none else. ``group_column`` is the
    name of the column with the groups. ``may_lack`` allows files that do not exist. Raises
    DataError with the line that is wrong.
    """
    place = Path(path)
    lines = _lines(place, ("file", "label"), group_column)
    found: list[Labelled] = []
    seen: dict[Path, dict[int | None, str]] = {}
    for where, cells, row in _rows(lines, place, files, may_lack=may_lack):
        others = seen.setdefault(row.file.resolve(), {})  # a/../b.csv, or a link, is b.csv
        before = others.get(row.sample) or others.get(None)
        if before is None and row.sample is None:  # all recordings, some of which were named
            before = next(iter(others.values()), None)
        if before is not None:
            raise DataError(where, f"{cells['file']} is there twice, first in {before}", "one line")
        others[row.sample] = where
        found.append(row)
    _check_splits(found)
    return found


@dataclass(frozen=True)
class TargetTable:
    """Contents of a table of targets."""

    names: tuple[str, ...]  # of the outputs, its other columns
    rows: Sequence[Labelled]  # one per recording, without a label
    targets: Sequence[Lines]  # of every recording; NaN where a cell is empty


def read_targets(
    path: str | Path, files: Sequence[Path] = (), *, group_column: str = "group"
) -> TargetTable:
    """The lines of a table of targets: the values that a network is to give for a recording.

    Its columns are ``file``, and as in a table of labels ``sample``, ``group``, ``split``; perhaps
    ``time_ms``, when the values are wanted, on the clock of the file; every other column is an
    output. A recording has a line for each of its times; without a time the value is wanted at its
    end. An empty cell is no target. Parameters and errors are those of :func:`read_labels`.
    """
    place = Path(path)
    lines = _lines(place, ("file",), group_column, outputs=True)
    found: dict[tuple[Path, int | None], Labelled] = {}
    targets: dict[tuple[Path, int | None], dict[str, tuple[float, tuple[float, ...]]]] = {}
    names: tuple[str, ...] = ()
    for where, cells, row in _rows(lines, place, files, may_lack=True):
        names = tuple(name for name in cells if name not in (*_COLUMNS, TIME))
        which = row.file.resolve(), row.sample
        first = found.setdefault(which, row)
        if (first.group, first.split) != (row.group, row.split):
            raise DataError(
                where,
                f"{cells['file']} has another group or split than in {first.where}",
                "the same in all lines of a recording",
            )
        values = tuple(_number(cells[name], name, where) for name in names)
        time = _number(cells.get(TIME, ""), TIME, where)
        at = "its end" if math.isnan(time) else f"{time:.17g} ms"
        mine = targets.setdefault(which, {})
        if at in mine:
            raise DataError(where, f"{cells['file']} has two lines for {at}", "one")
        mine[at] = (time, values)
    whole = {file: row.where for (file, sample), row in found.items() if sample is None}
    for file, sample in found:
        if sample is not None and file in whole:
            _refuse_gap(whole[file], "sample", f"other lines of {file}")
    _check_splits(list(found.values()))
    lines_of = [tuple(mine.values()) for mine in targets.values()]
    return TargetTable(names, list(found.values()), lines_of)


def _number(cell: str, name: str, where: str) -> float:
    """The number in a cell; NaN where it is empty."""
    if not cell:
        return math.nan
    try:
        found = float(cell)
    except ValueError:
        found = math.inf
    if not math.isfinite(found):
        raise DataError(
            where,
            f"{name} is {cell!r}",
            "a number, or an empty cell",
            f"If the column has the groups: --group-column {name}",
        )
    return found


def _rows(
    lines: Iterable[tuple[int, dict[str, str]]],
    place: Path,
    files: Sequence[Path],
    *,
    may_lack: bool,
) -> Iterator[tuple[str, dict[str, str], Labelled]]:
    """Place, cells and recording of every line; DataError where there is none, or not for a file.

    Parameters and paths as in :func:`read_labels`.
    """
    base = files[0] if len(files) == 1 and files[0].is_dir() else None
    known = {} if base is not None else _by_name(files)
    listed = set()
    for line, cells in lines:
        where = f"{place}, line {line}"
        row = _row(cells, where, base or place.parent, known)
        if not (may_lack or row.file.is_file()):
            raise DataError(where, f"there is no file {row.file}", "a recording")
        listed.add(row.file)
        yield where, cells, row
    some(listed, place, "recording", expected="some below the names of columns", error=DataError)
    missing = [file for file in known.values() if file not in listed]
    if missing:
        raise DataError(place, f"has no line for the file {missing[0]}", "one for each")


def left_out(folder: str | Path, rows: Sequence[Labelled]) -> list[Path]:
    """Files in a folder, at any depth, that are none of the rows; hidden ones are not counted."""
    place, taken = Path(folder), {row.file.resolve() for row in rows}
    inside = (file for file in sorted(place.rglob("*")) if file.is_file())
    shown = (f for f in inside if not any(part[0] == "." for part in f.relative_to(place).parts))
    return [file for file in shown if file.resolve() not in taken]


def read_folder(folder: str | Path) -> list[Labelled]:
    """The files of a folder per class, in the order of parts, classes and names.

    Raises DataError (the folder has no subfolders, or a class no files).
    """
    place = Path(folder)
    inside = _subfolders(place)
    parts = [one for one in inside if _subfolders(one)]
    if parts and len(parts) < len(inside):
        plain = next(one for one in inside if one not in parts)
        raise DataError(
            place,
            f"{parts[0].name} has subfolders, {plain.name} has none",
            "folders of classes, or folders of parts (train, test) with folders of classes in each",
        )
    found = []
    for part in parts or [place]:
        for kind in _subfolders(part):
            files = sorted(f for f in kind.iterdir() if f.is_file() and f.name[0] != ".")
            some(files, kind, "file", expected="the recordings of a class", error=DataError)
            split = part.name if parts else ""
            found += [Labelled(f, kind.name, str(f), split=split) for f in files]
    return some(
        found,
        place,
        "folders",
        expected="one per class with its recordings",
        remedy="Or name the files, and their classes in a table: --labels labels.csv.",
        error=DataError,
    )


def labelled_files(
    rows: Sequence[Labelled], read: Callable[[Path], EventStream | StoredStream], *, name: str
) -> tuple[Dataset, Texts | None]:
    """The recordings of all rows in memory, and the part of each, None where no row says one.

    Raises DataError where a file holds no events, lacks the sample that a row names, or has another
    number of channels than the others; text files, which do not know theirs, have that of the
    largest.
    """
    streams: dict[Path, EventStream] = {}
    parts, owner = [], []
    for number, row in enumerate(rows):
        if row.file not in streams:
            streams[row.file] = read(row.file)[:]
        stream = streams[row.file]
        if row.sample is not None and row.sample >= stream.n_samples:
            where, n = row.where, stream.n_samples
            raise DataError(where, f"sample is {row.sample}", f"0 .. {n - 1}, as {row.file} has")
        parts.append(stream if row.sample is None else stream[row.sample])
        owner += [number] * parts[-1].n_samples
    n_channels = _common_channels(rows, streams)
    chosen = [rows[k] for k in owner]
    names = class_names(rows)
    number_of = {label: k for k, label in enumerate(names)}
    info = DatasetInfo(name, "", names, n_channels, "", "", "")
    data = Dataset(
        gather((r for part in parts for r in recordings_of(part)), n_channels=n_channels),
        np.array([number_of[row.label] for row in chosen], np.int64),
        names,
        info,
        np.array([row.group for row in chosen], np.str_) if any(r.group for r in rows) else None,
        np.array([row.file.name for row in chosen], np.str_),
    )
    splits = np.array([row.split for row in chosen], np.str_)
    return data, splits if rows[0].split else None


def _common_channels(rows: Sequence[Labelled], streams: Mapping[Path, EventStream]) -> int:
    """Number of channels of all files; text alone may have fewer."""
    sizes = {row.file: streams[row.file].n_channels for row in rows}
    most = max(sizes.values())
    for row in rows:
        if sizes[row.file] < most and format_of(row.file) not in ("csv", "arrays"):
            raise DataError(
                row.where,
                f"{row.file} has {sizes[row.file]} channels, another file {most}",
                "as many in all",
            )
    return most


def class_names(rows: Sequence[Labelled]) -> tuple[str, ...]:
    """Names of the classes in order: numbers by value, else by the alphabet."""
    names = {row.label for row in rows}
    if all(name.isdecimal() for name in names):
        return tuple(sorted(names, key=lambda name: (int(name), name)))
    return tuple(sorted(names))


def _subfolders(folder: Path) -> list[Path]:
    if not folder.is_dir():
        raise DataError(folder, "is no folder", "one with a folder per class")
    return sorted(one for one in folder.iterdir() if one.is_dir() and one.name[0] != ".")


def _lines(
    path: Path, needed: Sequence[str], group_column: str, *, outputs: bool = False
) -> Iterator[tuple[int, dict[str, str]]]:
    """Number and cells of every line below the names of the columns; see :func:`read_labels`.

    With ``outputs`` every column without a meaning is one.
    """
    content = read_content(path, expected="a table of labels", largest=LARGEST_TABLE)
    text = decoded(content, str(path))
    first, _, _ = text.partition("\n")
    reader = csv.reader(text.splitlines(), delimiter=_mark(first))
    with reported(path, "cannot be read ({})", csv.Error, expected="a table", error=DataError):
        rows = [(reader.line_num, [cell.strip() for cell in row]) for row in reader]
    names = _names(rows[0][1] if rows else [], f"{path}, line 1", needed, group_column, outputs)
    for number, row in rows[1:]:
        if row and len(row) != len(names):
            raise DataError(
                f"{path}, line {number}",
                f"has {len(row)} cells",
                f"{len(names)}: {', '.join(names)}",
            )
        if row:
            yield number, dict(zip(names, row, strict=True))


def _names(
    written: Sequence[str], where: str, needed: Sequence[str], group_column: str, outputs: bool
) -> list[str]:
    """The names of the columns, that of the groups as ``group``; DataError where they are wrong."""
    names = [cell.lower() for cell in written]
    group = group_column.lower()
    mistake = _mistake_of_groups(names, group)
    names = ["group" if name == group else name for name in names]
    mistake = mistake or _mistake(names, written, needed, outputs)
    if mistake:
        raise DataError(where, mistake, f"the columns {_expected(needed, outputs)}")
    return [
        name if name in (*_COLUMNS, TIME) else written[k] for k, name in enumerate(names)
    ]  # an output keeps its capitals


def _mistake_of_groups(names: Sequence[str], group: str) -> str:
    """Mistake in the columns where that of the groups has another name; "" if none."""
    if group != "group" and group not in names:
        return f"has no column {group!r}, the one of the groups"
    return f"has the columns 'group' and {group!r}" if group != "group" in names else ""


def _mistake(
    names: Sequence[str], written: Sequence[str], needed: Sequence[str], outputs: bool
) -> str:
    """Mistake in the names of columns; "" if none."""
    if not set(names).issuperset(needed):
        return f"is {','.join(written)[:80]!r}"
    twice = [name for name in names if names.count(name) > 1]
    if twice:
        return f"has the column {twice[0]!r} twice"
    others = [name for name in names if name not in _COLUMNS]
    if others and not outputs:
        return (
            f"has the unknown column {others[0]!r} (if it has the groups: --group-column "
            f"{others[0]})"
        )
    wrong = [name for name in others if name != TIME and re.match(r"(t|time)([_ ]|$)", name)]
    wrong += ["label"] if "label" in names else []
    if outputs and wrong:
        return f"has the column {wrong[0]!r}"
    return "has no column of values" if outputs and not set(others) - {TIME} else ""


def _expected(needed: Sequence[str], outputs: bool) -> str:
    if outputs:
        return "file, perhaps sample, time_ms, group, split, and one column or more with values"
    return f"{', '.join(needed)}, and perhaps sample, group, split"


def _row(cells: dict[str, str], where: str, base: Path, known: dict[str, Path]) -> Labelled:
    for name in ("file", "label"):
        if name in cells and not cells[name]:
            raise DataError(where, f"has no {name}", "one")
    file = base / cells["file"]
    if known:
        named = known.get(str(file.resolve())) or known.get(cells["file"])
        if named is None:
            raise DataError(where, f"file is {cells['file']!r}", "one of the files that were named")
        file = named
    sample = cells.get("sample", "")
    if sample and not sample.isdecimal():
        raise DataError(where, f"sample is {sample!r}", "a number from 0 on")
    return Labelled(
        file=file,
        label=cells.get("label", ""),
        where=where,
        sample=int(sample) if sample else None,
        group=cells.get("group", ""),
        split=cells.get("split", ""),
    )


def _by_name(files: Sequence[Path]) -> dict[str, Path]:
    """Files by full path, by the path that was given, and by name where no other has it."""
    names = [file.name for file in files]
    found = {file.name: file for file in files if names.count(file.name) == 1}
    return found | {str(f): f for f in files} | {str(f.resolve()): f for f in files}


def _check_splits(rows: Sequence[Labelled]) -> None:
    given = [bool(row.split) for row in rows]
    if any(given) and not all(given):
        _refuse_gap(rows[given.index(False)].where, "split", "other lines")


def _refuse_gap(where: str, what: str, others: str) -> NoReturn:
    raise DataError(where, f"has no {what}, but {others} have one", "one in every line, or in none")
