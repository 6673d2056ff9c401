"""``eventsim data list | make | info``."""

import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

from eventsim import datasets
from eventsim.cli.sources import Split, find_data
from eventsim.cli.terminal import show_table
from eventsim.datasets import Dataset

SPLITS: tuple[Split, Split] = ("train", "test")
QUANTILES = (0.05, 0.25, 0.5, 0.75, 0.95)
MS_PER_S = 1000.0


def describe_all() -> dict[str, Any]:
    """What is known of every data set before it is opened."""
    return {
        name: {
            "description": info.description,
            "classes": list(info.classes),
            "channels": info.channels,
            "splits": info.splits,
            "licence": info.licence,
            "obtain": info.obtain,
        }
        for name, info in datasets.DATASETS.items()
    }


def show_all(found: Mapping[str, Any]) -> None:
    """The data sets as a table."""
    rows = [
        [name, f"{d['description']}. {d['splits']}.", d["licence"], d["obtain"]]
        for name, d in found.items()
    ]
    show_table("Data sets", ["name", "what it is", "licence", "how to get it"], rows, numbers=9)


def make(data: str, *, file: Path | None, download: bool) -> dict[str, Any]:
    """Load both splits, which makes or encodes what is not in the cache."""
    source, began = find_data(data, file), time.perf_counter()
    loaded = {split: source.load(split, download=download) for split in SPLITS}
    return {
        "data": source.name,
        "samples": {split: len(part) for split, part in loaded.items()},
        "events": {split: part.stream.n_events for split, part in loaded.items()},
        "seconds": time.perf_counter() - began,
    }


def show_made(found: Mapping[str, Any]) -> None:
    """What was made, as a table."""
    rows = [
        [split, f"{number:,}", f"{found['events'][split]:,}"]
        for split, number in found["samples"].items()
    ]
    title = f"{found['data']}, ready after {found['seconds']:.1f} s"
    show_table(title, ["part", "recordings", "events"], rows)


def measure(data: str, *, file: Path | None) -> dict[str, Any]:
    """Statistics of every split of a data set."""
    source = find_data(data, file)
    parts = {split: _statistics(source.load(split)) for split in SPLITS}
    return {"data": source.name, "description": source.info.description, "splits": parts}


def _statistics(data: Dataset) -> dict[str, Any]:
    stream = data.stream
    seconds = float(stream.duration.sum()) / MS_PER_S
    per_channel = np.bincount(stream.channels, minlength=stream.n_channels)
    counts = np.bincount(data.labels, minlength=len(data.class_names))
    return {
        "samples": stream.n_samples,
        "speakers": int(np.unique(data.groups).size),
        "events": stream.n_events,
        "events_per_sample": stream.n_events / max(stream.n_samples, 1),
        "events_per_second": stream.n_events / seconds if seconds else 0.0,
        "channels": stream.n_channels,
        "active_channels": int((per_channel > 0).sum()),
        "duration_ms": {
            "shortest": float(stream.duration.min(initial=np.inf)),
            "median": float(np.median(stream.duration)),
            "longest": float(stream.duration.max(initial=0.0)),
        },
        "interval_ms": {
            "in_sample": _interval_quantiles(data, by_channel=False),
            "in_channel": _interval_quantiles(data, by_channel=True),
        },
        "classes": dict(zip(data.class_names, counts.tolist(), strict=True)),
    }


def _interval_quantiles(data: Dataset, *, by_channel: bool) -> dict[str, float]:
    """Quantiles of the times between neighbouring events of a sample, or of its channels."""
    stream = data.stream
    sample = np.repeat(np.arange(stream.n_samples), np.diff(stream.offsets))
    line = sample * stream.n_channels + stream.channels if by_channel else sample
    order = np.lexsort((stream.times, line))
    line, times = line[order], stream.times[order]
    gaps = np.diff(times)[line[1:] == line[:-1]]
    if not gaps.size:
        return {}
    return {
        f"{100 * q:g}%": float(v)
        for q, v in zip(QUANTILES, np.quantile(gaps, QUANTILES), strict=True)
    }


def show_info(found: Mapping[str, Any]) -> None:
    """Statistics as tables, one column per split."""
    parts: Mapping[str, Any] = found["splits"]
    lines: dict[str, list[str]] = {}
    for part in parts.values():
        for name, text in _lines(part).items():
            lines.setdefault(name, []).append(text)
    columns = ["", *parts]
    show_table(
        f"{found['data']}: {found['description']}",
        columns,
        [[name, *texts] for name, texts in lines.items()],
    )
    names = next(iter(parts.values()))["classes"]
    rows = [[name, *(part["classes"][name] for part in parts.values())] for name in names]
    show_table("Recordings per class", ["class", *parts], rows)


def _lines(part: Mapping[str, Any]) -> dict[str, str]:
    duration = part["duration_ms"]
    lines = {
        "recordings": f"{part['samples']:,}",
        "speakers": f"{part['speakers']:,}",
        "events": f"{part['events']:,}",
        "events per recording": f"{part['events_per_sample']:,.0f}",
        "events per second": f"{part['events_per_second']:,.0f}",
        "active channels": f"{part['active_channels']} of {part['channels']}",
        "duration, ms (shortest, median, longest)": (
            f"{duration['shortest']:.0f}, {duration['median']:.0f}, {duration['longest']:.0f}"
        ),
    }
    for where, text in (("in_sample", "of a recording"), ("in_channel", "of one channel")):
        quantiles = part["interval_ms"][where]
        names = ", ".join(quantiles) or "none"
        lines[f"intervals {text}, ms ({names})"] = ", ".join(f"{v:.3g}" for v in quantiles.values())
    return lines
