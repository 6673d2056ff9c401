"""``eventsim data import``."""

import json
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Annotated, Any

import numpy as np
import typer

from eventsim.arrays import Floats
from eventsim.cli.begin import automatic, show_read, shown_spread, together
from eventsim.cli.checks import ends_in, needed, one_alone
from eventsim.cli.damaged import SkipDamagedOption, read_files
from eventsim.cli.data import show_details
from eventsim.cli.events import Events, form_of, parts, read_one, say_all
from eventsim.cli.options import JsonOption, option
from eventsim.cli.readers import TI46, made_of
from eventsim.cli.reading import Reading
from eventsim.cli.terminal import present, say, show_table, stdout
from eventsim.datasets.label_files import (
    Labelled,
    TargetTable,
    labelled_files,
    left_out,
    read_folder,
    read_labels,
    read_targets,
)
from eventsim.datasets.made import Made
from eventsim.errors import DataError
from eventsim.events import Dataset, StoredStream
from eventsim.events.begin import edges, spread
from eventsim.events.labelled import BEGINS, Texts, recordings_of
from eventsim.events.stored import Columns, write_stored
from eventsim.events.targets import TARGETS, Values, targets_of

MS_PER_S = 1000.0
MOST_NAMED = 6  # files in a message
KEPT = (TARGETS, "labels", "groups", "keys", "splits")  # of recordings, in a file .h5 alone

# How the files are read; which parts of them, the command says in its own words.
ImportedReading = Annotated[
    Reading,
    "form", "file", "download", "sensor", "address_bytes", "tick_us", "by", "where", "after_reset",
    "unit", "channels", "columns", "sensor_size", "encoder", "begin",
]  # fmt: skip


@dataclass(frozen=True, kw_only=True)
class _Table:
    """The table that says what the recordings are; ``path`` is None where folders say it."""

    labels: Path | None = option(
        None,
        "Classes of the files: a table with the columns file and label, and perhaps sample, group "
        "(who is recorded) and split (train or test).",
        metavar="FILE",
    )
    targets: Path | None = option(
        None,
        "Values of the files, for regression: a table with the column file, a column of numbers "
        "per output, and perhaps time_ms (without it: at the end), sample, group and split.",
        metavar="FILE",
    )
    group_column: str = option(
        "group", "Name of the column of the groups in the table, such as speaker.", metavar="NAME"
    )

    def __post_init__(self) -> None:
        one_alone(self.labels is not None and self.targets is not None, "--labels", "--targets")
        needed(
            self.path is not None or self.group_column == "group",
            "--group-column",
            "names a column of a table",
            "Name the table: --labels FILE or --targets FILE.",
        )

    @property
    def path(self) -> Path | None:
        return self.labels or self.targets

    def read(self, paths: Sequence[Path]) -> tuple[list[Labelled], TargetTable | None]:
        """A row per recording, and the targets where the table has them."""
        if self.targets is not None:
            found = read_targets(self.targets, paths, group_column=self.group_column)
            return list(found.rows), found
        if self.labels is None:
            return read_folder(paths[0]), None
        column = self.group_column
        return read_labels(self.labels, paths, may_lack=True, group_column=column), None


def data_import(
    out: Annotated[
        Path, typer.Option(metavar="FILE", help="File to write: .h5, or .npz without labels.")
    ],
    places: Annotated[
        list[str] | None,
        typer.Argument(
            metavar="PLACE...",
            help="A data set, files of events, or a folder that has a folder per class.",
        ),
    ] = None,
    *,
    table: _Table,
    split: Annotated[
        str | None,
        typer.Option(
            help="Part of the data set, test by default. Of a file of eventsim all parts by "
            "default."
        ),
    ] = None,
    reading: ImportedReading,
    skip_damaged: SkipDamagedOption = False,
    as_json: JsonOption = False,
) -> None:
    """Read events from any supported files or data set and write them as eventsim stores them.

    Every command reads the result; train and evaluate need labels or targets (.h5). Classes are
    those of a data set, of a table (--labels), or of folders: a folder per class, and perhaps
    train/ and test/ above them.

    Audio becomes events by the streaming cochlea (--encoder), as a microphone's does.

    If the times are plainly those of a clock, recordings are moved to their first event. They are,
    if in half of the recordings or more the silence before the first event is longer than the time
    from the first event to the last. --begin chooses another start.

    [bold]Examples[/bold]

    eventsim data import --labels labels.csv --out mine.h5

    eventsim data import --labels labels.csv --group-column speaker --out mine.h5

    eventsim data import --targets targets.csv --out mine.h5

    eventsim data import recordings/*.aedat --sensor nas_64_stereo --labels labels.csv --out mine.h5

    eventsim data import folder --out mine.h5

    eventsim data import speech.aedat --sensor nas_64_stereo --by ear,channel --out speech.npz

    eventsim data import words --encoder frequency_max=8000 --out words.h5

    eventsim data import events.csv --unit us --channels 64 --out events.npz

    eventsim data import --labels labels.csv --skip-damaged --out mine.h5

    eventsim data import folder --columns t_us,channel,- --begin first-event --out mine.h5
    """
    reading = replace(reading, split=split, whole=split is None)
    found = _imported_from(places or [], reading, table=table, out=out, skip=skip_damaged)
    present(found, _show_import, as_json=as_json)


def _imported_from(
    places: Sequence[str], reading: Reading, *, table: _Table, out: Path, skip: bool
) -> dict[str, Any]:
    """Read files of events, with a class of each where one is given, and write them to one file.

    The classes come from a table of labels, from folders, or from a data set itself.
    """
    ends_in("--out", out, ".npz", ".h5")
    folders = reading.form not in TI46 and any(Path(place).is_dir() for place in places)
    if table.path is not None or folders:
        return _import_labelled(places, reading, table=table, out=out, skip=skip)
    if len(places) != 1:
        raise DataError(
            "data import",
            f"{len(places)} places were named without their classes",
            "one place, or --labels FILE with a line for every file",
        )
    (place,) = places
    form = form_of(place, reading)
    part = read_one(place, reading)
    (part,) = [part] if form == "set" else automatic([part])
    say_all([part])
    columns = _columns(place, form, part, reading)
    told = [*part.told, *_taken(place, form, reading), *_lost(columns, part, out)]
    for words in told[len(part.told) :]:
        say(words)
    made = made_of([part], told)
    _write(out, part, columns, made.notes(part.begun))
    if out.suffix == ".npz":
        part, columns = replace(part, data=None), {}
    targets = targets_of(StoredStream.open(out)) if TARGETS in columns else None
    return _imported(place, form, out, part, made) | _told(columns.get("splits"), targets)


def _told(splits: Texts | None, targets: Values | None) -> dict[str, Any]:
    """Parts and targets of what was imported, plain values."""
    given = [] if splits is None else splits.tolist()
    summary = None if targets is None else targets.summary()
    return {"parts": dict(Counter(given)), "targets": summary}


def _columns(place: str, form: str, part: Events, reading: Reading) -> Columns:
    """Columns in the file that was read, also of recordings that are shifted in time.

    Raises DataError where targets would have to be moved.
    """
    is_moved = form == "stored" and not isinstance(part.stream, StoredStream)
    read = read_one(place, replace(reading, begin=None)) if is_moved else part
    columns = read.stream.columns if isinstance(read.stream, StoredStream) else {}
    if is_moved and TARGETS in columns:
        raise DataError(
            place,
            "its targets are wanted at times of their own, and another time 0 would leave them "
            "behind",
            remedy="Leave out --begin, or import the recordings anew with --targets.",
        )
    return {name: values for name, values in columns.items() if name != BEGINS}


def _taken(place: str, form: str, reading: Reading) -> list[str]:
    """A line on the part of a data set that was taken, where other parts are left out."""
    others = [one for one in parts(place, reading) if one != reading.part]
    if not others or (form == "stored" and reading.whole):
        return []
    return [f"part {reading.part}; left out: {', '.join(others)} (--split)"]


def _lost(columns: Columns, part: Events, out: Path) -> list[str]:
    """A line on the columns that an npz file does not keep."""
    data = part.data
    if data is not None:
        columns = {"labels": data.labels, **data.columns(splits=columns.get("splits"))}
    there = [name for name in KEPT if name in columns]
    if not there or out.suffix != ".npz":
        return []
    return [f"not in an npz file: {', '.join(there)}; --out {out.with_suffix('.h5')} keeps them"]


def _write(out: Path, part: Events, columns: Columns, notes: Mapping[str, str]) -> None:
    """Write recordings, and what is known of them, in the form that the name says."""
    begins = part.zero if part.zero.any() else None
    if out.suffix == ".npz":
        kept = {} if begins is None else {BEGINS: json.dumps(begins.tolist())}
        part.stream[:].save(out, notes={**notes, **kept})
    elif part.data is not None:
        part.data.save(out, splits=columns.get("splits"), begins=begins, notes=notes)
    else:
        write_stored(
            out,
            recordings_of(part.stream),
            n_channels=part.stream.n_channels,
            columns={**columns, **({} if begins is None else {BEGINS: begins})},
            notes={"source": part.name, **notes},
        )


def _of_rates(parts: Sequence[Events]) -> list[str]:
    """A line where audio has several sample rates or is not all: a microphone cannot match it."""
    heard = [part.made.audio for part in parts]
    rates = Counter(f"{audio.sample_rate:g} Hz" for audio in heard if audio is not None)
    others = len(parts) - rates.total()
    if not rates or (len(rates) == 1 and not others):
        return []
    named = [f"{n:,} of {rate}" for rate, n in rates.most_common()]
    return [f"audio of different kinds: {', '.join(named)}; {others:,} files of no audio"]


def _import_labelled(
    places: Sequence[str], reading: Reading, *, table: _Table, out: Path, skip: bool
) -> dict[str, Any]:
    ends_in("--out", out, ".h5", keeps="labels and targets")
    if table.path is None and len(places) != 1:
        raise DataError(" ".join(places), "are several", "one folder, with a folder per class")
    paths = [Path(place) for place in places]
    named, values = table.read(paths)
    files, bad = read_files(
        [str(row.file) for row in named],
        lambda file: read_one(file, reading),
        skip=skip,
        where={} if table.path is None else {str(row.file): row.where for row in named},
    )
    each = automatic(list(files.values()))
    read = dict(zip(map(Path, files), each, strict=True))
    say_all(each)
    rows = [row for row in named if row.file in read]
    gone = sorted({row.label for row in named} - {row.label for row in rows} - {""})
    told = [*_left_out(paths, named, table.path), *_ungrouped(rows)]
    told += [f"left out: {one}" for one in bad]
    told += [f"no recording is left of the classes {', '.join(gone)}"] if gone else []
    told += _of_rates(each)
    data, splits = labelled_files(rows, lambda file: read[file].stream, name=out.stem)
    zero = np.concatenate([read[row.file].zero[_chosen(row.sample)] for row in rows])
    targets = None
    if values is not None:
        before = data.stream.duration
        data, targets = _with_targets(data, values, rows, zero)
        longer = int((data.stream.duration > before).sum())
        told += [f"{longer:,} recordings last until their last target"] if longer else []
    for words in told:
        say(words)
    begun = together(each, data.stream, zero)
    made = made_of(each, told)
    begins = begun.zero if begun.is_moved else None
    replace(data, targets=targets).save(out, splits=splits, begins=begins, notes=made.notes(begun))
    found = Events(out.stem, data.stream, data if targets is None else None, begun=begun)
    source = str(table.path or paths[0])
    form = "files of a folder" if table.path is None else "files of a table"
    imported = _imported(source, form, out, found, made) | _told(splits, targets)
    return imported | {"damaged": [asdict(one) for one in bad]}


def _with_targets(
    data: Dataset, table: TargetTable, rows: Sequence[Labelled], zero: Floats
) -> tuple[Dataset, Values]:
    """The recordings, each as long as its last target at least, and their targets."""
    if len(data) != len(rows):
        raise DataError(
            rows[0].where,
            f"the {len(rows):,} files have {len(data):,} recordings",
            "one for every file of the table",
            "Say which by a column 'sample'.",
        )
    of_row = {id(row): lines for row, lines in zip(table.rows, table.targets, strict=True)}
    targets = Values.of_lines(
        [of_row[id(row)] for row in rows],
        zero=zero,
        duration=data.stream.duration,
        names=table.names,
    )
    duration = np.maximum(data.stream.duration, targets.times[:, -1])
    return replace(data, stream=replace(data.stream, duration=duration)), targets


def _left_out(paths: Sequence[Path], rows: Sequence[Labelled], labels: Path | None) -> list[str]:
    """A line on files of the given folders that are not imported."""
    folders = [path for path in paths if path.is_dir()]
    files = [file for folder in folders for file in left_out(folder, rows)]
    names = [str(file) for file in files if labels is None or file.resolve() != labels.resolve()]
    if not names:
        return []
    more = f" and {len(names) - MOST_NAMED:,} more" if len(names) > MOST_NAMED else ""
    return [f"{len(names):,} files of the folder left out: {', '.join(names[:MOST_NAMED])}{more}"]


def _ungrouped(rows: Sequence[Labelled]) -> list[str]:
    """A line on rows of a table without a group, where other rows have one."""
    without = [row for row in rows if not row.group]
    if not without or len(without) == len(rows):
        return []
    return [f"{len(without):,} lines without a group count as one group; first {without[0].where}"]


def _chosen(sample: int | None) -> slice:
    """A slice of all recordings of a file, or of the one with that number."""
    return slice(None) if sample is None else slice(sample, sample + 1)


def _imported(source: str, form: str, out: Path, part: Events, made: Made) -> dict[str, Any]:
    seconds = float(part.stream.duration.sum()) / MS_PER_S
    names = () if part.data is None else part.data.class_names
    labels = np.zeros(0, np.int64) if part.data is None else part.data.labels
    counts = np.bincount(labels, minlength=len(names))
    first = (edges(part.stream) if part.begun is None else part.begun.edges).first
    return {
        "source": source,
        "format": form,
        "out": str(out),
        "samples": part.stream.n_samples,
        "without_events": int(np.isnan(first).sum()),
        "events": part.stream.n_events,
        "channels": part.stream.n_channels,
        "unit": made.unit,
        "guesses": list(made.remarks),
        "begin": None if part.begun is None else part.begun.summary(),
        "first_event_ms": spread(first),
        "seconds_of_events": seconds,
        "events_per_second": part.stream.n_events / seconds if seconds else 0.0,
        "labels": part.data is not None,
        "classes": dict(zip(names, map(int, counts), strict=True)),
        "details": part.details,
        "audio": None if made.audio is None else asdict(made.audio),
        "damaged": [],
        "targets": None,
    }


def _target_rows(found: Mapping[str, Any] | None) -> list[tuple[str, str]]:
    """Every output, and its values in words."""
    if found is None:
        return []
    return [
        (name, f"{n:,} values" + (f", {one['least']:.4g} to {one['largest']:.4g}" if n else ""))
        for name, one in found.items()
        for n in [one["values"]]
    ]


def _made_by(audio: Mapping[str, Any]) -> str:
    """The cochlea in words: kind, channels, sample rate."""
    kind = "streaming cochlea" if audio["encoder"]["streaming"] else "cochlea of whole recordings"
    return f"{kind}, {audio['encoder']['n_channels']} channels, {audio['sample_rate']:g} Hz"


def _show_import(found: Mapping[str, Any]) -> None:
    """Counts of the imported recordings, details of their file and the reading, as tables."""
    without = found["without_events"]
    table = [
        ["recordings", f"{found['samples']:,}"],
        *([["recordings without events", f"{without:,}"]] if without else []),
        ["events", f"{found['events']:,}"],
        ["channels", f"{found['channels']:,}"],
        *([["files left out", f"{len(found['damaged']):,}"]] if found["damaged"] else []),
        *([["made of audio by", _made_by(found["audio"])]] if found["audio"] else []),
        *([["times read as", found["unit"]]] if found["unit"] else []),
        *([["first event", shown_spread(found["first_event_ms"])]] if found["events"] else []),
        ["duration", f"{found['seconds_of_events']:,.3f} s"],
        ["events per second", f"{found['events_per_second']:,.0f}"],
        *([f"class {name}", f"{n:,}"] for name, n in found["classes"].items()),
        *([f"target {name}", text] for name, text in _target_rows(found["targets"])),
        *([f"part {name}", f"{n:,}"] for name, n in found["parts"].items()),
    ]
    show_table(f"{found['source']} ({found['format']})", ["", ""], table)
    if found["details"]:
        show_details(found["details"])
    show_read(found)
    stdout().print(f"Events: {found['out']}", markup=False, soft_wrap=True)
