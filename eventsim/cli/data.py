"""``eventsim data list | make | info``."""

import math
import time
from collections.abc import Mapping, Sequence
from dataclasses import asdict, replace
from pathlib import Path
from typing import Annotated, Any

import numpy as np
import typer

from eventsim import datasets
from eventsim.cli import completion
from eventsim.cli import options as opt
from eventsim.cli.begin import how_read, show_begins_late, show_read
from eventsim.cli.events import Events, find, find_settings, form_of, parts
from eventsim.cli.help import App
from eventsim.cli.reading import Reading
from eventsim.cli.terminal import Guarded, present, show_table, stdout
from eventsim.datasets.formats import FORMATS
from eventsim.datasets.statistics import N_TIDIGITS, EventStatistics, sparkline, statistics
from eventsim.errors import DataError
from eventsim.events import EventStream
from eventsim.events.begin import edges
from eventsim.runs.recordings import OWN
from eventsim.train.parts import Members

MOST_EVENTS = 30_000_000  # about 2 GB while they are counted
MOST_GROUPS = 24  # that are shown
data_app = App(
    cls=Guarded,
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    rich_markup_mode="rich",
    help="Data sets and event files: what there is, making them, what is in them, pictures.",
)

PlaceArgument = Annotated[
    str,
    typer.Argument(
        metavar="PLACE",
        help="Name of a data set, or a file of events: .h5, .npz, text, AEDAT, NIR.",
        autocompletion=completion.complete_data,
    ),
]


@data_app.command("list")
def data_list(as_json: opt.JsonOption = False) -> None:
    """The data sets, their licences, and how to get them.

    [bold]Example[/bold]: eventsim data list
    """
    found = {
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
    present(found, _show_all, as_json=as_json)


def _show_all(found: Mapping[str, Any]) -> None:
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


@data_app.command("make")
def data_make(
    data: opt.DataArgument,
    file: opt.FileOption = None,
    download: opt.DownloadOption = False,
    as_json: opt.JsonOption = False,
) -> None:
    """Make or encode a data set into the cache, so that later commands start at once.

    [bold]Examples[/bold]

    eventsim data make spoken_digits

    eventsim data make fsdd --download
    """
    settings, began = find_settings(data, file), time.perf_counter()
    if settings.name == OWN:
        said = "is a file of eventsim already, which every command reads"
        raise DataError(data, said, "a data set by its name")
    made = {}
    for split in parts(settings.name, Reading()):
        part = datasets.stored(settings.name, split=split, root=settings.file, download=download)
        made[split] = (len(part), part.stream.n_events)
    found = {
        "data": settings.name,
        "samples": {split: samples for split, (samples, _) in made.items()},
        "events": {split: events for split, (_, events) in made.items()},
        "seconds": time.perf_counter() - began,
    }
    present(found, _show_made, as_json=as_json)


def _show_made(found: Mapping[str, Any]) -> None:
    """Parts of a data set that was made, as a table."""
    table = [
        [split, f"{number:,}", f"{found['events'][split]:,}"]
        for split, number in found["samples"].items()
    ]
    title = f"{found['data']}, ready after {found['seconds']:.1f} s"
    show_table(title, ["part", "recordings", "events"], table)


Inspected = Annotated[
    Reading, "file", "form", "sensor", "unit", "columns", "sensor_size", "begin", "after_reset",
]  # fmt: skip


@data_app.command("info")
def data_info(
    place: PlaceArgument,
    split: Annotated[
        list[str] | None, typer.Option(help="Only this part of a data set; repeat for more.")
    ] = None,
    *,
    reading: Inspected,
    samples: opt.SamplesOption = None,
    as_json: opt.JsonOption = False,
) -> None:
    """Rates, durations, active channels, intervals and classes, beside those of N-TIDIGITS18.

    [bold]Examples[/bold]

    eventsim data info spoken_digits

    eventsim data info speech.aedat --sensor nas_64_stereo
    """
    form, main = form_of(place, reading), parts(place, reading)
    wanted = split or main
    read = {one: find(place, replace(reading, split=one)) for one in wanted}
    read = read or {"all": find(place, reading)}
    name = {"set": place, "ntidigits": "ntidigits"}.get(form)
    text = f"events of {FORMATS.get(form, f'format {form}')}"
    found = {
        "data": name or Path(place).name,
        "description": text if name is None else datasets.DATASETS[name].description,
        "splits": {one: _statistics(part, samples) for one, part in read.items()},
        "n_tidigits": N_TIDIGITS,
    }
    present(found, _show_info, as_json=as_json)


def _statistics(whole: Events, samples: int | None) -> dict[str, Any]:
    """Statistics of a part, or of at most ``samples`` recordings of it; plain values."""
    part = whole.fewer(samples)
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
        "first_event_ms": asdict(found.first),
        "begins_late": edges(stream).are_late,
        **how_read(whole),
    }
    data = part.data
    if data is not None and data.groups is not None:
        values["speakers"] = int(np.unique(data.groups).size)
        values["groups"] = Members.of_data(data).groups
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
        table["groups"] = f"{count:,}"
    table["events"] = f"{part.stream.n_events:,}"
    table["channels"] = f"{found.n_channels:,}"
    for name, spread, unit in (
        ("duration", found.duration, " ms"),
        ("events per sample", found.events, ""),
        ("active channels", found.active, f" of {found.n_channels:,}"),
        ("interval in a channel", found.interval, " ms"),
        ("first event", found.first, " ms"),
    ):
        none = math.isnan(spread.median)
        table[name] = "none" if none else f"{_number(spread.median)}{unit}"
        if not none and spread.low < spread.high:
            table[f"{name}, 5 to 95 %"] = f"{_number(spread.low)} to {_number(spread.high)}{unit}"
    empty = int((np.diff(stream.offsets) == 0).sum())
    if empty:
        table["recordings without events"] = f"{empty:,}"
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


def _show_info(found: Mapping[str, Any]) -> None:
    """Statistics as tables, one column per part; N-TIDIGITS18 stands beside as many channels."""
    parts: Mapping[str, Any] = found["splits"]
    beside = any(part["rows"].get("channels") == N_TIDIGITS["channels"] for part in parts.values())
    names = list(dict.fromkeys(name for part in parts.values() for name in part["rows"]))
    table = [
        [name, *(part["rows"].get(name, "") for part in parts.values())]
        + [N_TIDIGITS.get(name, "")] * beside
        for name in names
    ]
    title = f"{found['data']}: {found['description']}"
    show_table(title, ["", *parts, *["N-TIDIGITS18, single digits"] * beside], table)
    for split, part in parts.items():
        if part["events"]:
            bars = sparkline(np.array(part["profile"]))
            stdout().print(f"events by channel, {split}: {bars}", markup=False)
        if part["unit"]:
            stdout().print(f"times of the files were in {part['unit']}", markup=False)
        show_read(part)
        show_begins_late(part)
        if part["details"]:
            show_details(part["details"])
    first = next(iter(parts.values()))
    if any(part.get("groups") for part in parts.values()):
        _show_groups(parts)
    if "classes" in first:
        classes = list(dict.fromkeys(name for part in parts.values() for name in part["classes"]))
        counts = [[c, *(part["classes"].get(c, 0) for part in parts.values())] for c in classes]
        show_table("Recordings per class", ["class", *parts], counts)


def _show_groups(parts: Mapping[str, Any]) -> None:
    """Recordings of every group, the first ones by name."""
    counted = {split: part.get("groups") or {} for split, part in parts.items()}
    names = list(dict.fromkeys(name for groups in counted.values() for name in groups))
    rows = [[name, *(groups.get(name, 0) for groups in counted.values())] for name in names]
    title = "Recordings per group"
    if len(rows) > MOST_GROUPS:
        title += f", {MOST_GROUPS} of {len(rows)} (all of them: --json)"
    show_table(title, ["group", *parts], rows[:MOST_GROUPS])


def show_details(details: Mapping[str, Any]) -> None:
    """Format, sensor, counts and clock of a file, as a table."""
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
