"""``eventsim cost``: counts, energies by chip, and the dense networks beside them."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import typer

from eventsim.chips import Chip, chip_names, load_chip
from eventsim.cli.events import Reading, find_network, find_stream
from eventsim.cli.options import set_threads
from eventsim.cli.terminal import print_table, say_backend
from eventsim.energy import DenseEquivalent, EnergyReport, Widths, dense_pair, run_costs
from eventsim.engine import simulate
from eventsim.errors import DataError, ParameterError
from eventsim.events import EventStream
from eventsim.events.storage import write_atomically
from eventsim.network import Network
from eventsim.report import tables

__all__ = [
    "Reading",
    "Wish",
    "find_chips",
    "find_dense",
    "find_stream",
    "price",
    "set_threads",
    "show",
]


@dataclass(frozen=True)
class Wish:
    """What is to be priced: chips by name or file, the step of all or None, frames, widths."""

    chips: tuple[str, ...]
    step_ms: float | None
    frame_ms: float
    weight_bits: int


def price(
    net: Path, stream: EventStream, wish: Wish, *, backend: str, figure: Path | None
) -> dict[str, Any]:
    """Run the network, count, and price with every chip; draw, if a file is named."""
    if figure is not None and figure.suffix not in (".png", ".svg"):
        raise DataError(f"--figure {figure}: expected a name that ends with .png or .svg.")
    if stream.n_samples == 0:
        raise DataError("EVENTS holds no recordings, expected at least one.")
    chips = find_chips(wish.chips)
    network = find_network(net)
    runs_on = say_backend(backend)
    tape = simulate(network, stream, backend=backend)
    widths = Widths(weight=wish.weight_bits)
    costs = run_costs(network, tape, chips, step_ms=wish.step_ms, widths=widths)
    dense = find_dense(network, tape.stream, wish)
    if figure is not None:
        _draw(figure, costs.reports, dense, net)
    return {
        "network": str(net),
        "recordings": stream.n_samples,
        "counts": costs.counts.to_dict(),
        "clocked": [found.to_dict() for found in costs.steps],
        "energy": [report.to_dict() for report in costs.reports],
        "dense": [found.to_dict() for found in dense],
        "backend": runs_on.name,
        "figure": None if figure is None else str(figure),
    }


def find_chips(names: Sequence[str]) -> list[Chip]:
    """Chips by name or file, each once; all of eventsim's own if ``all`` is among the names."""
    chosen = chip_names() if "all" in names else tuple(dict.fromkeys(names))
    return [load_chip(name) for name in chosen]


def find_dense(net: Network, stream: EventStream, wish: Wish) -> tuple[DenseEquivalent, ...]:
    """The dense networks beside the spiking one."""
    try:
        return dense_pair(net, stream, frame_ms=wish.frame_ms, weight_bits=wish.weight_bits)
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
    write_atomically(path, content)


def show(found: Mapping[str, Any]) -> None:
    """Counts, every chip's terms, and a comparison, as tables."""
    counts = found["counts"]
    for table in (tables.populations(counts), tables.projections(counts), tables.totals(counts)):
        print_table(table)
    for steps in found["clocked"]:
        print_table(tables.steps(steps))
    for report in found["energy"]:
        print_table(tables.energy(report))
        for number, source in enumerate(tables.sources(report), start=1):
            typer.echo(f"  {number}: {source}")
        for missing in tables.missing(report):
            typer.echo(f"  not in the sum: {missing}")
    print_table(tables.energies(found["energy"], found["dense"]))
    if found["figure"] is not None:
        typer.echo(f"Picture: {found['figure']}")
