"""``eventsim export`` and ``eventsim import``: networks to and from other programs."""

import warnings
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import typer

from eventsim.cli.events import Reading, find_for, find_network
from eventsim.cli.terminal import say, show_table
from eventsim.conformance.round_trip import RoundTrip, round_trip
from eventsim.events import EventStream
from eventsim.network import Network
from eventsim.network.nir import NirWarning, Target, read_nir, write_nir
from eventsim.network.nir.package import TimeUnit
from eventsim.runs.run import Which
from eventsim.train import save_network

__all__ = ["Reading", "export_network", "import_network", "show_export", "show_import"]

N_SAMPLES, DURATION, RATE = 4, 200.0, 50.0  # of the events of a check: ms, events per second


def export_network(
    place: Path,
    out: Path,
    *,
    which: Which,
    target: Target | None,
    dt: float | None,
    time_unit: TimeUnit,
    lossy: bool,
    events: str | None,
    reading: Reading,
    samples: int | None,
) -> dict[str, Any]:
    """Write a network to a NIR file, read that file, and simulate both."""
    net = find_network(place, which=which)
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always", NirWarning)
        write_nir(net, out, target=target, dt=dt, time_unit=time_unit, lossy=lossy)
    for entry in caught:
        say(f"warning: {entry.message}")
    if events is None:
        stream = poisson_events(net)
    else:
        stream, _ = find_for(place, events, reading).some(samples)
    trip = round_trip(net, stream, path=out, target=target)
    return {
        "network": str(place),
        "file": str(out),
        "bytes": out.stat().st_size,
        "target": target,
        "warnings": [str(entry.message) for entry in caught],
        "check": _check(trip, stream, events),
    }


def import_network(
    file: Path,
    out: Path,
    *,
    source: Target | None,
    dt: float | None,
    time_unit: TimeUnit | None,
) -> dict[str, Any]:
    """Read a NIR file into a network file, and simulate it before and after a round trip."""
    net = read_nir(file, source=source, dt=dt, time_unit=time_unit)
    save_network(out, net)
    stream = poisson_events(net)
    return {
        "file": str(file),
        "network": str(out),
        "populations": [
            {"name": p.name, "kind": p.kind, "neurons": p.size} | _ranges(p.parameters)
            for p in net.populations.values()
        ],
        "projections": [
            {"name": p.name, "kind": p.kind, "weights": int(p.values.size)}
            for p in net.projections.values()
        ],
        "check": _check(round_trip(net, stream), stream, None),
    }


def poisson_events(net: Network, *, seed: int = 0) -> EventStream:
    """Random events on every channel, where a check has none of its own."""
    size = net.input.size
    rng = np.random.default_rng(seed)
    parts = []
    for count in rng.poisson(RATE * size * DURATION / 1e3, N_SAMPLES):
        times = np.sort(rng.uniform(0.0, DURATION, count))
        parts.append((times, rng.integers(0, size, count)))
    return EventStream.from_samples(parts, n_channels=size, duration=DURATION)


def _ranges(parameters: Mapping[str, Any]) -> dict[str, list[float]]:
    return {key: [float(v.min()), float(v.max())] for key, v in parameters.items()}


def _check(trip: RoundTrip, stream: EventStream, events: str | None) -> dict[str, Any]:
    about = events or f"Poisson events, {RATE:g}/s on every channel"
    return trip.to_dict() | {"events": f"{about}; {stream.n_samples} x, {stream.n_events:,}"}


def show_export(found: Mapping[str, Any]) -> None:
    """What was written, and the check."""
    form = f"for {found['target']}" if found["target"] else "plain NIR"
    typer.echo(f"{found['network']} -> {found['file']} ({form}, {found['bytes']:,} bytes)")
    _show_check(found["check"])


def show_import(found: Mapping[str, Any]) -> None:
    """What was read, and the check."""
    rows = [
        [p["name"], p["kind"], f"{p['neurons']:,}", _range(p, "tau_mem"), _range(p, "tau_syn")]
        for p in found["populations"]
    ]
    columns = ["population", "kind", "neurons", "tau_mem ms", "tau_syn ms"]
    show_table(f"{found['file']} -> {found['network']}", columns, rows, numbers=2)
    rows = [[p["name"], p["kind"], f"{p['weights']:,}"] for p in found["projections"]]
    show_table("", ["projection", "kind", "weights"], rows, numbers=2)
    _show_check(found["check"])


def _range(population: Mapping[str, Any], key: str) -> str:
    if key not in population:
        return "-"
    low, high = population[key]
    return f"{low:.4g}" if low == high else f"{low:.4g} to {high:.4g}"


def _show_check(check: Mapping[str, Any]) -> None:
    rows = [
        [
            name,
            f"{p['spikes']:,}",
            f"{p['spikes_after']:,}",
            "identical" if p["identical"] else f"{p['worst_ms']:.1e}",
        ]
        for name, p in check["populations"].items()
    ]
    rows += [
        [name, "", "", f"{value:.1e} of the integral" if value else "identical"]
        for name, value in check["readouts"].items()
    ]
    columns = ["population", "spikes", "after", "worst difference ms"]
    show_table(f"Round trip ({check['events']} events)", columns, rows)
    if not any(p["spikes"] for p in check["populations"].values()):
        typer.echo("No neuron fired: the check says little. Name events with --events.")
    typer.echo("Round trip passed." if check["passed"] else "Round trip FAILED.")
