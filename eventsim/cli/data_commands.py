"""``eventsim data list | make | info | import``."""

import math
import time
from collections.abc import Mapping, Sequence
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

import numpy as np

from eventsim import datasets
from eventsim.cli.event_files import Part, Reading, find, form_of
from eventsim.cli.sources import find_data
from eventsim.cli.terminal import show_table, stdout
from eventsim.datasets.statistics import N_TIDIGITS, EventStatistics, sparkline, statistics
from eventsim.errors import DataError
from eventsim.events import EventStream, Recording, write_stored

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
    source, began = find_data(data, file), time.perf_counter()
    found = {}
    for split in _main_parts(source.name):
        part = datasets.stored(source.name, split=split, root=source.file, download=download)
        found[split] = (len(part), part.stream.n_events)
    return {
        "data": source.name,
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


def _main_parts(name: str) -> list[str]:
    """The parts of a data set's own division; others divide the same samples again."""
    return [part for part in datasets.DATASETS[name].parts if "-" not in part]


def measure(place: str, reading: Reading, *, splits: Sequence[str]) -> dict[str, Any]:
    """Statistics of the parts of a data set, or of a file."""
    form = form_of(place, reading)
    if form in ("set", "ntidigits"):
        name = place if form == "set" else "ntidigits"
        wanted = list(splits) or _main_parts(name)
        parts = {split: find(place, replace(reading, split=split)) for split in wanted}
        text = datasets.DATASETS[name].description
    else:
        if splits and form != "tonic":
            raise DataError(f"--split: {place} is one file, it has no parts. Leave it out.")
        name, text = Path(place).name, f"events of format {form}"
        given = [(split, replace(reading, split=split)) for split in splits] or [("all", reading)]
        parts = {split: find(place, how) for split, how in given}
    return {
        "data": name,
        "description": text,
        "splits": {split: _statistics(part) for split, part in parts.items()},
        "n_tidigits": N_TIDIGITS,
    }


def _statistics(part: Part) -> dict[str, Any]:
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
    if part.groups is not None:
        values["speakers"] = int(np.unique(part.groups).size)
    if part.labels is not None:
        counts = np.bincount(part.labels, minlength=len(part.class_names))
        values["classes"] = dict(zip(part.class_names, counts.tolist(), strict=True))
    return _finite(values)


def _rows(part: Part, stream: EventStream, found: EventStatistics) -> dict[str, str]:
    """Quantity and value as people read them; quantities are called as in ``N_TIDIGITS``."""
    table = {"recordings": f"{part.stream.n_samples:,}"}
    if stream.n_samples < part.stream.n_samples:
        table["counted, evenly spread"] = f"{stream.n_samples:,}"
    if part.groups is not None and (count := np.unique(part.groups).size) > 1:
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


def import_events(place: str, reading: Reading, *, out: Path) -> dict[str, Any]:
    """Read any supported file and write it as eventsim stores events."""
    if out.suffix not in (".npz", ".h5"):
        raise DataError(f"--out {out}: expected a name that ends with .npz or .h5.")
    part = find(place, reading)
    if out.suffix == ".npz":
        part.stream[:].save(out)
    else:
        columns = {"labels": part.labels, "keys": part.keys, "groups": part.groups}
        write_stored(
            out,
            _recordings(part),
            n_channels=part.stream.n_channels,
            columns={name: values for name, values in columns.items() if values is not None},
            notes={"source": part.name, "class_names": "\n".join(part.class_names)},
        )
    seconds = float(part.stream.duration.sum()) / MS_PER_S
    return {
        "source": place,
        "format": form_of(place, reading),
        "out": str(out),
        "samples": part.stream.n_samples,
        "events": part.stream.n_events,
        "channels": part.stream.n_channels,
        "seconds_of_events": seconds,
        "events_per_second": part.stream.n_events / seconds if seconds else 0.0,
        "labels": part.labels is not None and out.suffix == ".h5",
        "details": part.details,
    }


def _recordings(part: Part) -> Any:
    for (times, channels), duration in zip(part.stream, part.stream.duration, strict=True):
        yield Recording(times, channels, float(duration))


def show_import(found: Mapping[str, Any]) -> None:
    """What was imported, as tables."""
    table = [
        ["recordings", f"{found['samples']:,}"],
        ["events", f"{found['events']:,}"],
        ["channels", f"{found['channels']:,}"],
        ["duration", f"{found['seconds_of_events']:,.3f} s"],
        ["events per second", f"{found['events_per_second']:,.0f}"],
    ]
    show_table(f"{found['source']} ({found['format']})", ["", ""], table)
    if found["details"]:
        show_details(found["details"])
    stdout().print(f"Events: {found['out']}", markup=False, soft_wrap=True)
