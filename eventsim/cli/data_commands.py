"""``eventsim data list | make | info | import``."""

import math
import time
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

import numpy as np

from eventsim import datasets
from eventsim.cli.events import Events, Reading, find, find_settings, form_of, parts
from eventsim.cli.terminal import show_table, stdout
from eventsim.datasets.formats import FORMATS
from eventsim.datasets.label_files import labelled_files, read_folder, read_labels
from eventsim.datasets.statistics import N_TIDIGITS, EventStatistics, sparkline, statistics
from eventsim.errors import DataError
from eventsim.events import EventStream
from eventsim.events.labelled import recordings_of
from eventsim.events.stored import write_stored
from eventsim.runs.data import OWN

MS_PER_S = 1000.0
MOST_EVENTS = 30_000_000  # about 2 GB while they are counted


def describe_all() -> dict[str, Any]:
    """What is known of every data set before it is opened."""
    return {
        name: {
            "description": info.description,
            "classes": list(info.classes),
            "channels": info.channels,
            "samples": info.samples,
            "parts": list(info.parts),
            "splits": info.splits,
            "licence": info.licence,
            "obtain": info.obtain,
        }
        for name, info in datasets.DATASETS.items()
    }


def show_all(found: Mapping[str, Any]) -> None:
    """The data sets as a table."""
    table = [
        [
            name,
            f"{d['description']}. {d['splits']}.",
            f"{len(d['classes'])} classes, {d['channels']} channels, {d['samples']}",
            d["licence"],
            d["obtain"],
        ]
        for name, d in found.items()
    ]
    columns = ["name", "what it is", "size", "licence", "how to get it"]
    show_table("Data sets", columns, table, numbers=9)


def make(data: str, *, file: Path | None, download: bool) -> dict[str, Any]:
    """Open all main parts, which makes or encodes what is not in the cache."""
    settings, began = find_settings(data, file), time.perf_counter()
    if settings.name == OWN:
        raise DataError(f"{data}: is made already, every command takes it as it is.")
    found = {}
    for split in parts(settings.name, Reading()):
        part = datasets.stored(settings.name, split=split, root=settings.file, download=download)
        found[split] = (len(part), part.stream.n_events)
    return {
        "data": settings.name,
        "samples": {split: samples for split, (samples, _) in found.items()},
        "events": {split: events for split, (_, events) in found.items()},
        "seconds": time.perf_counter() - began,
    }


def show_made(found: Mapping[str, Any]) -> None:
    """What was made, as a table."""
    table = [
        [split, f"{number:,}", f"{found['events'][split]:,}"]
        for split, number in found["samples"].items()
    ]
    title = f"{found['data']}, ready after {found['seconds']:.1f} s"
    show_table(title, ["part", "recordings", "events"], table)


def measure(place: str, reading: Reading, *, splits: Sequence[str]) -> dict[str, Any]:
    """Statistics of the parts of a data set, or of a file."""
    form, main = form_of(place, reading), parts(place, reading)
    if splits and not main and form != "tonic":
        raise DataError(f"--split: {place} is one file, it has no parts. Leave it out.")
    wanted = splits or main
    read = {split: find(place, replace(reading, split=split)) for split in wanted}
    read = read or {"all": find(place, reading)}
    name = {"set": place, "ntidigits": "ntidigits"}.get(form)
    text = f"events of {FORMATS.get(form, f'format {form}')}"
    return {
        "data": name or Path(place).name,
        "description": text if name is None else datasets.DATASETS[name].description,
        "splits": {split: _statistics(part) for split, part in read.items()},
        "n_tidigits": N_TIDIGITS,
    }


def _statistics(part: Events) -> dict[str, Any]:
    share = min(1.0, MOST_EVENTS / max(part.stream.n_events, 1))
    n_counted = max(1, int(share * part.stream.n_samples)) if part.stream.n_samples else 0
    chosen = np.linspace(0, max(part.stream.n_samples - 1, 0), n_counted).astype(np.int64)
    stream = part.stream[np.unique(chosen)]
    found = statistics(stream)
    values: dict[str, Any] = {
        "samples": part.stream.n_samples,
        "samples_counted": stream.n_samples,
        "events": part.stream.n_events,
        "channels": found.n_channels,
        "events_per_second": found.rate,
        "active_channels": int((found.profile > 0).sum()),
        "neighbour_contrast": found.contrast,
        "duration_ms": asdict(found.duration),
        "events_per_sample": asdict(found.events),
        "active_channels_per_sample": asdict(found.active),
        "interval_ms": asdict(found.interval),
        "profile": found.profile.tolist(),
        "rows": _rows(part, stream, found),
        "details": part.details,
    }
    data = part.data
    if data is not None and data.groups is not None:
        values["speakers"] = int(np.unique(data.groups).size)
    if data is not None:
        counts = np.bincount(data.labels, minlength=len(data.class_names))
        values["classes"] = dict(zip(data.class_names, counts.tolist(), strict=True))
    return _finite(values)


def _rows(part: Events, stream: EventStream, found: EventStatistics) -> dict[str, str]:
    """Quantity and value as people read them; quantities are called as in ``N_TIDIGITS``."""
    table = {"recordings": f"{part.stream.n_samples:,}"}
    if stream.n_samples < part.stream.n_samples:
        table["counted, evenly spread"] = f"{stream.n_samples:,}"
    groups = None if part.data is None else part.data.groups
    if groups is not None and (count := np.unique(groups).size) > 1:
        table["speakers"] = f"{count:,}"
    table["events"] = f"{part.stream.n_events:,}"
    table["channels"] = f"{found.n_channels:,}"
    for name, spread, unit in (
        ("duration", found.duration, " ms"),
        ("events per sample", found.events, ""),
        ("active channels", found.active, f" of {found.n_channels:,}"),
        ("interval in a channel", found.interval, " ms"),
    ):
        none = math.isnan(spread.median)
        table[name] = "none" if none else f"{_number(spread.median)}{unit}"
        if not none and spread.low < spread.high:
            table[f"{name}, 5 to 95 %"] = f"{_number(spread.low)} to {_number(spread.high)}{unit}"
    table["event rate"] = f"{found.rate:,.0f} /s"
    if not math.isnan(found.contrast):
        table["neighbour contrast"] = f"{found.contrast:.2f}"
    return table


def _number(value: float) -> str:
    return f"{value:,.0f}" if value >= 100 else f"{value:.3g}"


def _finite(values: dict[str, Any]) -> dict[str, Any]:
    """The same with None for NaN, which JSON does not know."""
    return {
        key: _finite(value)
        if isinstance(value, dict)
        else None
        if isinstance(value, float) and math.isnan(value)
        else value
        for key, value in values.items()
    }


def show_info(found: Mapping[str, Any]) -> None:
    """Statistics as tables, one column per part, beside N-TIDIGITS18."""
    parts: Mapping[str, Any] = found["splits"]
    names = list(dict.fromkeys(name for part in parts.values() for name in part["rows"]))
    table = [
        [name, *(part["rows"].get(name, "") for part in parts.values()), N_TIDIGITS.get(name, "")]
        for name in names
    ]
    title = f"{found['data']}: {found['description']}"
    show_table(title, ["", *parts, "N-TIDIGITS18, single digits"], table)
    for split, part in parts.items():
        if part["events"]:
            bars = sparkline(np.array(part["profile"]))
            stdout().print(f"events by channel, {split}: {bars}", markup=False)
        if part["details"]:
            show_details(part["details"])
    first = next(iter(parts.values()))
    if "classes" in first:
        classes = list(dict.fromkeys(name for part in parts.values() for name in part["classes"]))
        counts = [[c, *(part["classes"].get(c, 0) for part in parts.values())] for c in classes]
        show_table("Recordings per class", ["class", *parts], counts)


def show_details(details: Mapping[str, Any]) -> None:
    """What a file says of itself."""
    table = [
        ["format", details["format"]],
        ["sensor", details["sensor"]],
        ["channel of the stream", " × ".join(details["channel"])],
        *([f"events by {name}", _counted(n)] for name, n in details["counts"].items()),
        *([f"skipped: {reason}", f"{n:,}"] for reason, n in details["skipped"].items()),
        ["first event on the file's clock", f"{details['first_tick']:,} x {details['tick_us']} us"],
        ["clock began anew", f"{details['wraps']} times"],
        ["events out of order", f"{details['out_of_order']:,}"],
    ]
    show_table("The file", ["", ""], table, numbers=9)


def _counted(numbers: Sequence[int]) -> str:
    return ", ".join(f"{value}: {n:,}" for value, n in enumerate(numbers))


def import_events(
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
        channels, notes = part.stream.n_channels, {"source": part.name}
        write_stored(out, recordings_of(part.stream), n_channels=channels, notes=notes)
    kept = part if out.suffix == ".h5" else replace(part, data=None)
    return _imported(place, form_of(place, reading), out, kept, ())


def _import_labelled(
    places: Sequence[str], reading: Reading, *, labels: Path | None, out: Path
) -> dict[str, Any]:
    if out.suffix != ".h5":
        raise DataError(f"--out {out}: expected a name that ends with .h5, which keeps labels.")
    if labels is None and len(places) != 1:
        raise DataError(f"{' '.join(places)}: expected one folder, with a folder per class.")
    paths = [Path(place) for place in places]
    rows = read_folder(paths[0]) if labels is None else read_labels(labels, paths)
    data, splits = labelled_files(rows, lambda file: find(str(file), reading).stream, name=out.stem)
    data.save(out, splits=splits)
    found = Events(out.stem, data.stream, data)
    source = str(labels or paths[0])
    form = "files of a folder" if labels is None else "files of a table"
    return _imported(source, form, out, found, [] if splits is None else splits.tolist())


def _imported(
    source: str, form: str, out: Path, part: Events, splits: Sequence[str]
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
        "seconds_of_events": seconds,
        "events_per_second": part.stream.n_events / seconds if seconds else 0.0,
        "labels": part.data is not None,
        "classes": dict(zip(names, map(int, counts), strict=True)),
        "parts": dict(Counter(splits)),
        "details": part.details,
    }


def show_import(found: Mapping[str, Any]) -> None:
    """What was imported, as tables."""
    table = [
        ["recordings", f"{found['samples']:,}"],
        ["events", f"{found['events']:,}"],
        ["channels", f"{found['channels']:,}"],
        ["duration", f"{found['seconds_of_events']:,.3f} s"],
        ["events per second", f"{found['events_per_second']:,.0f}"],
        *([f"class {name}", f"{n:,}"] for name, n in found["classes"].items()),
        *([f"part {name}", f"{n:,}"] for name, n in found["parts"].items()),
    ]
    show_table(f"{found['source']} ({found['format']})", ["", ""], table)
    if found["details"]:
        show_details(found["details"])
    stdout().print(f"Events: {found['out']}", markup=False, soft_wrap=True)
