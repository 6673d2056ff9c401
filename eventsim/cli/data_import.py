"""``eventsim data import``."""

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Annotated, Any

import numpy as np
import typer

from eventsim.cli.data import FormatOption, ResetOption, show_details
from eventsim.cli.events import Events, Reading, find, form_of, read_one
from eventsim.cli.options import (
    DownloadOption,
    FileOption,
    JsonOption,
    SensorOption,
    SplitOption,
    UnitOption,
)
from eventsim.cli.terminal import present, show_table, stdout
from eventsim.cli.text_events import TextEvents, common_unit, say_units, unit_notes
from eventsim.datasets.label_files import labelled_files, read_folder, read_labels
from eventsim.errors import DataError
from eventsim.events import EventStream, StoredStream
from eventsim.events.labelled import recordings_of
from eventsim.events.stored import write_stored

MS_PER_S = 1000.0


def data_import(
    out: Annotated[
        Path,
        typer.Option("--out", metavar="FILE", help="To write: .h5, or .npz without labels."),
    ],
    places: Annotated[
        list[str] | None,
        typer.Argument(
            metavar="PLACE...",
            help="A data set, files of events, or a folder that has a folder per class.",
        ),
    ] = None,
    labels: Annotated[
        Path | None,
        typer.Option(
            "--labels",
            metavar="FILE",
            help="Classes of the files: a table with the columns file, label and perhaps sample, "
            "group (who is recorded), split (train or test).",
        ),
    ] = None,
    form: FormatOption = "auto",
    file: FileOption = None,
    split: SplitOption = "test",
    download: DownloadOption = False,
    sensor: SensorOption = None,
    address_bytes: Annotated[
        int | None,
        typer.Option("--address-bytes", help="Of an AEDAT file, if not the sensor's: 2 or 4."),
    ] = None,
    tick_us: Annotated[
        float | None,
        typer.Option("--tick-us", help="Of an AEDAT file, if not the sensor's: a tick in us."),
    ] = None,
    by: Annotated[
        str | None,
        typer.Option(
            "--by",
            metavar="FIELDS",
            help="Of an AEDAT file: fields that make up the channel, e.g. ear,channel.",
        ),
    ] = None,
    where: Annotated[
        list[str] | None,
        typer.Option("--where", metavar="FIELD=VALUE", help="Of an AEDAT file: only these events."),
    ] = None,
    after_reset: ResetOption = False,
    unit: UnitOption = None,
    channels: Annotated[
        int | None,
        typer.Option("--channels", min=1, help="Of a text file; its largest channel by default."),
    ] = None,
    as_json: JsonOption = False,
) -> None:
    """Read events from any supported files or data set and write them as eventsim stores them.

    Every command takes the result; with labels (.h5) also train and evaluate. Classes are those of
    a data set, of a table (--labels), or of folders: a folder per class, and train/ and test/ above
    them if the parts are to be kept.

    [bold]Examples[/bold]

    eventsim data import --labels labels.csv --out mine.h5

    eventsim data import recordings/*.aedat --sensor nas_64_stereo --labels labels.csv --out mine.h5

    eventsim data import folder --out mine.h5

    eventsim data import speech.aedat --sensor nas_64_stereo --by ear,channel --out speech.npz

    eventsim data import events.csv --unit us --channels 64 --out events.npz

    eventsim data import NMNIST --format tonic --file data --split test --out nmnist.h5
    """
    reading = Reading(
        form=form,
        file=file,
        split=split,
        download=download,
        sensor=sensor,
        address_bytes=address_bytes,
        tick_us=tick_us,
        by=None if by is None else tuple(name.strip() for name in by.split(",")),
        where=tuple(where or ()),
        after_reset=after_reset,
        unit=unit,
        channels=channels,
    )
    found = _imported_from(places or [], reading, labels=labels, out=out)
    present(found, _show_import, as_json=as_json)


def _imported_from(
    places: Sequence[str], reading: Reading, *, labels: Path | None, out: Path
) -> dict[str, Any]:
    """Read files of events, with a class of each where one is given, and write them to one file.

    The classes come from a table of labels, from folders, or from a data set itself.
    """
    if out.suffix not in (".npz", ".h5"):
        raise DataError(f"--out {out}: expected a name that ends with .npz or .h5.")
    if labels is not None or any(Path(place).is_dir() for place in places):
        return _import_labelled(places, reading, labels=labels, out=out)
    if len(places) != 1:
        raise DataError(
            f"{len(places)} places were named without their classes, expected one place, or "
            "--labels FILE with a line for every file."
        )
    (place,) = places
    part = find(place, reading)
    if out.suffix == ".npz":
        part.stream[:].save(out)
    elif part.data is not None:
        part.data.save(out)
    else:
        channels = part.stream.n_channels
        notes = {"source": part.name} | unit_notes(_texts([part]))
        write_stored(out, recordings_of(part.stream), n_channels=channels, notes=notes)
    kept = part if out.suffix == ".h5" else replace(part, data=None)
    return _imported(
        place, form_of(place, reading), out, kept, (), unit=common_unit(_texts([part]))
    )


def _texts(parts: Sequence[Events]) -> list[TextEvents]:
    return [part.text for part in parts if part.text is not None]


def _import_labelled(
    places: Sequence[str], reading: Reading, *, labels: Path | None, out: Path
) -> dict[str, Any]:
    if out.suffix != ".h5":
        raise DataError(f"--out {out}: expected a name that ends with .h5, which keeps labels.")
    if labels is None and len(places) != 1:
        raise DataError(f"{' '.join(places)}: expected one folder, with a folder per class.")
    paths = [Path(place) for place in places]
    rows = read_folder(paths[0]) if labels is None else read_labels(labels, paths)
    read: dict[Path, Events] = {}

    def stream_of(file: Path) -> EventStream | StoredStream:
        read[file] = read_one(str(file), reading)
        return read[file].stream

    data, splits = labelled_files(rows, stream_of, name=out.stem)
    texts = _texts(list(read.values()))
    say_units(texts)
    data.save(out, splits=splits, notes=unit_notes(texts))
    found = Events(out.stem, data.stream, data)
    source = str(labels or paths[0])
    form = "files of a folder" if labels is None else "files of a table"
    given = [] if splits is None else splits.tolist()
    return _imported(source, form, out, found, given, unit=common_unit(texts))


def _imported(
    source: str, form: str, out: Path, part: Events, splits: Sequence[str], *, unit: str | None
) -> dict[str, Any]:
    seconds = float(part.stream.duration.sum()) / MS_PER_S
    names = () if part.data is None else part.data.class_names
    labels = np.zeros(0, np.int64) if part.data is None else part.data.labels
    counts = np.bincount(labels, minlength=len(names))
    return {
        "source": source,
        "format": form,
        "out": str(out),
        "samples": part.stream.n_samples,
        "events": part.stream.n_events,
        "channels": part.stream.n_channels,
        "unit": unit,
        "seconds_of_events": seconds,
        "events_per_second": part.stream.n_events / seconds if seconds else 0.0,
        "labels": part.data is not None,
        "classes": dict(zip(names, map(int, counts), strict=True)),
        "parts": dict(Counter(splits)),
        "details": part.details,
    }


def _show_import(found: Mapping[str, Any]) -> None:
    """What was imported, as tables."""
    table = [
        ["recordings", f"{found['samples']:,}"],
        ["events", f"{found['events']:,}"],
        ["channels", f"{found['channels']:,}"],
        *([["times read as", found["unit"]]] if found["unit"] else []),
        ["duration", f"{found['seconds_of_events']:,.3f} s"],
        ["events per second", f"{found['events_per_second']:,.0f}"],
        *([f"class {name}", f"{n:,}"] for name, n in found["classes"].items()),
        *([f"part {name}", f"{n:,}"] for name, n in found["parts"].items()),
    ]
    show_table(f"{found['source']} ({found['format']})", ["", ""], table)
    if found["details"]:
        show_details(found["details"])
    stdout().print(f"Events: {found['out']}", markup=False, soft_wrap=True)
