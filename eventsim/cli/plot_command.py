"""``eventsim data plot``."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import typer

from eventsim.cli.events import Events, Reading, find
from eventsim.errors import DataError
from eventsim.events.storage import write_atomically
from eventsim.events.transforms import crop
from eventsim.report.recording import recording
from eventsim.report.style import look, png, svg


def plot(
    place: str,
    reading: Reading,
    *,
    sample: int,
    window: tuple[float, float | None],
    out: Path | None,
) -> dict[str, Any]:
    """Draw one recording of a data set or a file."""
    out = Path(f"{Path(place).stem}-{sample}.png") if out is None else out
    if out.suffix not in (".png", ".svg"):
        raise DataError(f"--out {out}: expected a name that ends with .png or .svg.")
    part = find(place, reading)
    if sample >= part.stream.n_samples:
        raise DataError(
            f"--sample is {sample}, but {part.name} has {part.stream.n_samples} recordings: "
            f"0 .. {part.stream.n_samples - 1}."
        )
    stream = part.stream[sample]
    begin, end = window
    if window != (0.0, None):
        stream = crop(stream, begin, end)
    with look():
        drawn = recording(stream, title=_title(part, sample), begin=begin)
        content = png(drawn) if out.suffix == ".png" else svg(drawn)
    write_atomically(out, content)
    return {
        "out": str(out),
        "sample": sample,
        "title": _title(part, sample),
        "events": stream.n_events,
        "duration_ms": float(stream.duration[0]),
        "channels": stream.n_channels,
    }


def _title(part: Events, sample: int) -> str:
    name = f"{part.name}, recording {sample}"
    data = part.data
    if data is not None and data.keys is not None and data.keys[sample] not in ("", str(sample)):
        name = f"{part.name}, {data.keys[sample]}"
    if data is not None:
        name += f": “{data.class_names[data.labels[sample]]}”"
    return name


def show_plot(found: Mapping[str, Any]) -> None:
    """Where the picture is."""
    typer.echo(
        f"{found['title']}: {found['events']:,} events in {found['duration_ms']:,.0f} ms, "
        f"{found['channels']:,} channels"
    )
    typer.echo(f"Picture: {found['out']}")
