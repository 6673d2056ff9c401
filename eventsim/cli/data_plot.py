"""``eventsim data plot``."""

from collections.abc import Mapping
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Annotated, Any

import typer

from eventsim.cli.begin import how_read, show_read
from eventsim.cli.checks import ends_in
from eventsim.cli.data import PlaceArgument
from eventsim.cli.events import Events, find, form_of
from eventsim.cli.options import JsonOption
from eventsim.cli.readers import TEXTS, size_of
from eventsim.cli.reading import Reading
from eventsim.cli.terminal import present
from eventsim.errors import DataError
from eventsim.events.transforms import crop

Plotted = Annotated[
    Reading, "file", "split", "form", "sensor", "unit", "columns", "sensor_size", "after_reset",
]  # fmt: skip


def data_plot(
    place: PlaceArgument,
    sample: Annotated[int, typer.Option(min=0, help="Number of the recording.")] = 0,
    out: Annotated[
        Path | None, typer.Option(metavar="FILE", help=".png or .svg; NAME-SAMPLE.png by default.")
    ] = None,
    begin: Annotated[float, typer.Option(min=0.0, help="Of the picture, ms.")] = 0.0,
    end: Annotated[float | None, typer.Option(help="Of the picture, ms.")] = None,
    *,
    reading: Plotted,
    as_json: JsonOption = False,
) -> None:
    """Draw a recording: its events, the rate over time, and the events of every channel.

    Of a camera, the picture: files that were imported with --sensor-size know it; others need it.

    [bold]Examples[/bold]

    eventsim data plot spoken_digits --sample 7

    eventsim data plot camera.npz --sensor-size 34,34,2

    eventsim data plot speech.aedat --sensor nas_64_stereo --begin 500 --end 1500 --out word.svg
    """
    out = Path(f"{Path(place).stem}-{sample}.png") if out is None else out
    ends_in("--out", out, ".png", ".svg")
    size = size_of(reading.sensor_size)
    if form_of(place, reading) not in TEXTS:  # whose channels the size does not make
        reading = replace(reading, sensor_size=None)
    part = find(place, reading)
    sensor = size or part.sensor
    if sample >= part.stream.n_samples:
        last = part.stream.n_samples - 1
        raise DataError(part.name, f"there is no recording {sample}", f"--sample from 0 to {last}")
    stream = part.stream[sample]
    if (begin, end) != (0.0, None):
        stream = crop(stream, begin, end)
    from eventsim.plot.style import write_figure  # loads Matplotlib
    from eventsim.report.recording import recording

    title = _title(part, sample)
    write_figure(out, partial(recording, stream, title=title, begin=begin, sensor=sensor))
    found = {
        "out": str(out),
        "sample": sample,
        "title": _title(part, sample),
        "events": stream.n_events,
        "duration_ms": float(stream.duration[0]),
        "channels": stream.n_channels,
        "sensor_size": None if sensor is None else list(sensor),
        "read": how_read(part),
    }
    present(found, _show, as_json=as_json)


def _title(part: Events, sample: int) -> str:
    name = f"{part.name}, recording {sample}"
    data = part.data
    if data is not None and data.keys is not None and data.keys[sample] not in ("", str(sample)):
        name = f"{part.name}, {data.keys[sample]}"
    if data is not None:
        name += f": “{data.class_names[data.labels[sample]]}”"
    return name


def _show(found: Mapping[str, Any]) -> None:
    """Counts of the events, and the path of the picture."""
    typer.echo(
        f"{found['title']}: {found['events']:,} events in {found['duration_ms']:,.0f} ms, "
        f"{found['channels']:,} channels"
    )
    show_read(found["read"])
    typer.echo(f"Picture: {found['out']}")
