"""``eventsim cost``: counts, energies by chip, and the dense networks beside them."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, BinaryIO

import typer

from eventsim.chips import Chip, chip_names, load_chip
from eventsim.cli.runs import RunSettings
from eventsim.cli.sources import Split, find_events, find_network
from eventsim.cli.terminal import percent, say_backend, show_table
from eventsim.cli.train_command import set_threads
from eventsim.energy import (
    ClockedCounts,
    DenseEquivalent,
    EnergyReport,
    Widths,
    clocked,
    count,
    dense_equivalent,
    energy,
)
from eventsim.engine import simulate
from eventsim.errors import DataError, ParameterError
from eventsim.events import EventStream, SpikeTape
from eventsim.events.storage import write_atomically
from eventsim.network import Network

__all__ = ["Wish", "find_stream", "price", "set_threads", "show"]

DENSE_PRICES = "45nm"


@dataclass(frozen=True)
class Wish:
    """What is to be priced: chips by name or file, the step of all or None, frames, widths."""

    chips: tuple[str, ...]
    step_ms: float | None
    frame_ms: float
    weight_bits: int


def find_stream(net: Path, events: str | None, *, split: Split, samples: int | None) -> EventStream:
    """The events that were named, or those of the run's own data set."""
    if events is not None:
        return find_events(events, split=split, samples=samples)
    if not net.is_dir():
        raise DataError(f"EVENTS is missing: {net} is no folder of a run, so name a data set.")
    stream = RunSettings.load(net).data.load(split).stream
    return stream if samples is None else stream[: min(samples, stream.n_samples)]


def price(
    net: Path, stream: EventStream, wish: Wish, *, backend: str, figure: Path | None
) -> dict[str, Any]:
    """Run the network, count, and price with every chip; draw, if a file is named."""
    if figure is not None and figure.suffix not in (".png", ".svg"):
        raise DataError(f"--figure {figure}: expected a name that ends with .png or .svg.")
    if stream.n_samples == 0:
        raise DataError("EVENTS holds no recordings, expected at least one.")
    chips = _chips(wish.chips)
    network = find_network(net)
    runs_on = say_backend(backend)
    tape = simulate(network, stream, backend=backend)
    counts = count(network, tape, widths=Widths(weight=wish.weight_bits))
    steps = _steps(network, tape, chips, wish.step_ms)
    reports = [energy(counts, chip, clocked=steps.get(_step(chip, wish.step_ms))) for chip in chips]
    dense = _dense(network, stream, wish)
    if figure is not None:
        _draw(figure, reports, dense, net)
    return {
        "network": str(net),
        "recordings": stream.n_samples,
        "counts": counts.to_dict(),
        "clocked": [found.to_dict() for found in steps.values()],
        "energy": [report.to_dict() for report in reports],
        "dense": [found.to_dict() for found in dense],
        "backend": runs_on.name,
        "figure": None if figure is None else str(figure),
    }


def _chips(names: Sequence[str]) -> list[Chip]:
    chosen = chip_names() if "all" in names else tuple(dict.fromkeys(names))
    return [load_chip(name) for name in chosen]


def _step(chip: Chip, given: float | None) -> float | None:
    return chip.step_ms if given is None else given


def _steps(
    net: Network, tape: SpikeTape, chips: Sequence[Chip], given: float | None
) -> dict[float | None, ClockedCounts]:
    """The run at every step that some chip takes."""
    lengths = {_step(chip, given) for chip in chips} - {None}
    return {
        step: clocked(net, tape, step_ms=step)
        for step in sorted(s for s in lengths if s is not None)
    }


def _dense(net: Network, stream: EventStream, wish: Wish) -> list[DenseEquivalent]:
    technology = load_chip(DENSE_PRICES)
    try:
        return [
            dense_equivalent(
                net,
                stream.duration,
                technology,
                frame_ms=wish.frame_ms,
                cell=cell,
                weight_bits=wish.weight_bits,
            )
            for cell in ("rnn", "gru")
        ]
    except ParameterError as error:
        raise ParameterError(f"--frame {wish.frame_ms}: {error}") from error


def _draw(
    path: Path, reports: Sequence[EnergyReport], dense: Sequence[DenseEquivalent], net: Path
) -> None:
    from eventsim.report.energy_figures import energy_breakdown
    from eventsim.report.style import look, png, svg

    with look():
        drawn = energy_breakdown(reports, dense=dense, title=str(net))
        content = png(drawn) if path.suffix == ".png" else svg(drawn)

    def write(file: BinaryIO) -> None:
        file.write(content)

    write_atomically(path, write)


def show(found: Mapping[str, Any]) -> None:
    """Counts, every chip's terms, and a comparison, as tables."""
    _show_counts(found["counts"])
    for steps in found["clocked"]:
        _show_steps(steps)
    for report in found["energy"]:
        _show_report(report)
    _show_comparison(found)
    if found["figure"] is not None:
        typer.echo(f"Picture: {found['figure']}")


def _show_counts(counts: Mapping[str, Any]) -> None:
    spikes, events = counts["spikes_per_sample"], counts["synaptic_events_per_sample"]
    updates, synapses = counts["membrane_updates_per_sample"], counts["synapses"]
    memory = counts["footprint_bytes"]
    rows = [
        *([f"{name}: spikes", f"{number:,.1f}"] for name, number in spikes.items()),
        *([f"{name}: synaptic events", f"{number:,.1f}"] for name, number in events.items()),
        *([f"{name}: updates by arrivals", f"{number:,.1f}"] for name, number in updates.items()),
        ["all: synaptic events", f"{sum(events.values()):,.1f}"],
        [
            "synapses stored / active in some recording",
            f"{sum(s['stored'] for s in synapses.values()):,} / "
            f"{sum(s['active'] for s in synapses.values()):,}",
        ],
        ["connection sparsity", percent(counts["connection_sparsity"])],
        ["neurons silent in a recording", percent(counts["activation_sparsity"])],
        ["memory", f"{memory['total'] / 1024:,.1f} KiB"],
    ]
    title = (
        f"Exact, per recording of {counts['milliseconds_per_sample']:,.0f} ms "
        f"(mean of {counts['samples']:,})"
    )
    show_table(title, ["", ""], rows)


def _show_steps(steps: Mapping[str, Any]) -> None:
    rows = [
        ["steps", f"{steps['steps_per_sample']:,.1f}"],
        ["neuron updates", f"{steps['neuron_updates_per_sample']:,.0f}"],
        ["of these with input", f"{steps['active_updates_per_sample']:,.1f}"],
        ["effective ACs", f"{steps['effective_acs_per_sample']:,.1f}"],
        ["effective MACs", f"{steps['effective_macs_per_sample']:,.1f}"],
        ["dense operations", f"{steps['dense_operations_per_sample']:,.0f}"],
        ["activation sparsity", percent(steps["activation_sparsity"])],
    ]
    show_table(f"On a clocked machine, dt = {steps['step_ms']:g} ms, per recording", ["", ""], rows)


def _show_report(report: Mapping[str, Any]) -> None:
    rows = [
        [
            number,
            term["name"],
            _basis(term["basis"], report["step_ms"]),
            f"{term['count_per_sample']:,.1f}",
            f"{term['figure']:,g} {term['unit']}",
            term["status"],
            joules(term["energy_pj_per_sample"]),
        ]
        for number, term in enumerate(report["terms"], start=1)
    ]
    if report["leakage"] == "separate":
        activity = joules(report["energy_pj_per_sample_of_activity"])
        rows.append(["", "all without leakage", "", "", "", "", activity])
    rows.append(["", "all", "", "", "", "", joules(report["energy_pj_per_sample"])])
    step = "no time step" if report["step_ms"] is None else f"dt = {report['step_ms']:g} ms"
    columns = ["", "term", "basis", "count", "figure", "status", "energy"]
    title = f"{report['title']} ({report['chip']}), {step}"
    if report["terms"]:
        show_table(title, columns, rows, numbers=3)
    else:
        show_table(title, ["", ""], [["energy", "no figures"]])
    for number, term in enumerate(report["terms"], start=1):
        typer.echo(f"  {number}: per {term['for_each']}. {term['source'].strip()}")
    for missing in report["missing"]:
        typer.echo(f"  not in the sum: {missing['name']}, {missing['reason']}")


def _basis(basis: str, step_ms: float | None) -> str:
    return f"dt = {step_ms:g} ms" if basis == "step" else basis


def _show_comparison(found: Mapping[str, Any]) -> None:
    rows = []
    for report in found["energy"]:
        step = "-" if report["step_ms"] is None else f"{report['step_ms']:g} ms"
        without, whole = (
            joules(report["energy_pj_per_sample_of_activity"]),
            joules(report["energy_pj_per_sample"]),
        )
        cells = {"separate": [without, whole], "included": ["-", whole], "missing": [without, "-"]}
        energies = cells[report["leakage"]] if report["terms"] else ["-", "-"]
        rows.append([report["chip"], step, *energies, len(report["missing"])])
    for dense in found["dense"]:
        name = f"dense {dense['cell'].upper()} on frames, {dense['chip']}"
        pj = joules(dense["energy_pj_per_sample"])
        rows.append([name, f"{dense['frame_ms']:g} ms", pj, "-", "-"])
    columns = ["energy per recording", "dt or frame", "without leakage", "with it", "terms missing"]
    show_table("Comparison", columns, rows)


def joules(picojoules: float) -> str:
    """An energy as people read it."""
    for unit, size in (("J", 1e12), ("mJ", 1e9), ("uJ", 1e6), ("nJ", 1e3)):
        if picojoules >= size:
            return f"{picojoules / size:,.3g} {unit}"
    return f"{picojoules:,.3g} pJ"
