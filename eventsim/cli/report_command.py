"""``eventsim report``: training, sparsity, energy and mapping of a run on one page."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import typer

import eventsim
from eventsim.chips import Chip
from eventsim.cli import cost_command, map_command
from eventsim.cli.events import Reading, find_network
from eventsim.cli.map_command import Recordings
from eventsim.cli.options import set_threads
from eventsim.cli.terminal import say, say_backend
from eventsim.energy import Widths, run_costs
from eventsim.engine import simulate
from eventsim.errors import DataError
from eventsim.events import SpikeTape
from eventsim.mapping import InfeasibleError, StudyRow, compare_mappings
from eventsim.mapping.mapping import filled_less
from eventsim.network import Network
from eventsim.report.record import ChipMapping, Priced, Report, RunRecord, Unmade, firing_rates
from eventsim.report.write import write_page
from eventsim.runs.run import load_run

__all__ = ["Reading", "Wish", "report", "set_threads", "show"]

WINDOW_MS = 1.0  # in which spikes on a link are counted


@dataclass(frozen=True, kw_only=True)
class Wish:
    """The options of the command."""

    data: str | None
    reading: Reading
    samples: int | None
    costs: cost_command.Wish
    maps: tuple[str, ...]
    method: str | None
    neurons_per_core: int | None
    bits: tuple[int, ...]
    seed: int
    backend: str | None
    out: Path | None
    command: str


def report(place: Path, wish: Wish) -> dict[str, Any]:
    """Run the network of ``place`` once, find out what was asked for, and write the page."""
    out = _out(place, wish.out)
    chips = cost_command.find_chips(wish.costs.chips)
    # One without cores is refused here, before anything runs.
    onto = [filled_less(c, wish.neurons_per_core) for c in cost_command.find_chips(wish.maps)]
    data = map_command.find_recordings(place, wish.data, wish.reading, samples=wish.samples)
    if data.stream.n_samples == 0:
        raise DataError("--data holds no recordings, expected at least one.")
    net = find_network(place)
    backend = say_backend(wish.backend or "auto").name
    tape = simulate(net, data.stream, backend=backend)
    mappings = {chip.name: _mapping(net, tape, chip, wish) for chip in onto}
    priced = _priced(net, tape, chips, mappings, wish.costs)
    run = _run(place, data, wish)
    record = Report(
        title=run.title if isinstance(run, RunRecord) else place.stem,
        about=run.about if isinstance(run, RunRecord) else "",
        version=eventsim.__version__,
        data=_words(place, data, wish),
        command=wish.command,
        net=net,
        stream=tape.stream,
        rates=firing_rates(tape),
        run=run,
        priced=priced,
        mappings={chip.title: mappings[chip.name] for chip in onto},
        studies=_studies(net, data, onto or chips, wish),
    )
    return _outcome(record, write_page(out, record), backend)


def _out(place: Path, given: Path | None) -> Path:
    if given is None:
        return place / "index.html" if place.is_dir() else Path("report.html")
    if given.suffix != ".html":
        raise DataError(f"--out {given}: expected a name that ends with .html.")
    return given


def _words(place: Path, data: Recordings, wish: Wish) -> str:
    """Which recordings these are."""
    name = load_run(place).data_settings.info.name if wish.data is None else wish.data
    if data.labelled is None:
        return name
    some = "" if wish.samples is None else f", {wish.samples:,} recordings spread over its classes"
    return f"{name}, {wish.reading.split} part{some}"


def _mapping(net: Network, tape: SpikeTape, chip: Chip, wish: Wish) -> ChipMapping | Unmade:
    method = map_command.choose_method(wish.method)
    say(f"mapping onto {chip.title}: {method.replace('_', '-')} and baselines")
    try:
        compared = compare_mappings(net, tape, chip, method=method, seed=wish.seed)
    except InfeasibleError as error:
        return Unmade(f"No mapping was found. {error}")
    found = map_command.find_congestion(net, tape, compared.best, window_ms=WINDOW_MS)
    if found is None:
        reason = f"No latency of a hop is published for {chip.title}, so none of spikes follows."
        return ChipMapping(compared, Unmade(reason))
    return ChipMapping(compared, found)


def _priced(
    net: Network,
    tape: SpikeTape,
    chips: Sequence[Chip],
    mappings: Mapping[str, ChipMapping | Unmade],
    wish: cost_command.Wish,
) -> Priced:
    """Costs; axons, hops and cores of a chip are counted where it was mapped onto."""
    mapped = {
        name: found.compared.best.counts()
        for name, found in mappings.items()
        if isinstance(found, ChipMapping)
    }
    widths = Widths(weight=wish.weight_bits)
    costs = run_costs(net, tape, chips, step_ms=wish.step_ms, widths=widths, mapped=mapped)
    return Priced(costs, cost_command.find_dense(net, tape.stream, wish))


def _run(place: Path, data: Recordings, wish: Wish) -> RunRecord | Unmade:
    """The training, tested on the recordings of this report."""
    if not place.is_dir():
        return Unmade(f"{place.name} is a network alone: give the folder of a run to see training.")
    if data.labelled is None:
        return Unmade(
            f"The recordings of {wish.data} have no labels. Training and accuracy are shown on a "
            "data set, or without --data."
        )
    run = load_run(place).on(wish.backend)
    own = wish.data is None and wish.reading.split == "test"
    whole = own and wish.samples is None
    guess = run.result.get("guess_accuracy") if whole and run.finished else None
    record = run.record(data.labelled, run.checked(data.labelled), guess=guess)
    if own:
        return record
    part = "training" if wish.reading.split == "train" else record.part
    return replace(
        record, about=f"{record.about} Shown here: {_words(place, data, wish)}.", part=part
    )


def _studies(
    net: Network, data: Recordings, chips: Sequence[Chip], wish: Wish
) -> dict[str, Sequence[StudyRow] | Unmade]:
    """By title of the chip: of those that are mapped onto, else the first that has formats."""
    if not wish.bits:
        return {}
    if not wish.maps:
        chips = [chip for chip in chips if chip.formats is not None][:1] or chips[:1]
    found: dict[str, Sequence[StudyRow] | Unmade] = {}
    for chip in chips:
        if chip.formats is None:
            found[chip.title] = Unmade("Its file has no number formats: choose another chip.")
            continue
        say(f"rounding to the formats of {chip.title}")
        backend = wish.backend or "auto"
        found[chip.title] = map_command.find_study(net, data, chip, bits=wish.bits, backend=backend)
    return found


def _outcome(record: Report, page: Path, backend: str) -> dict[str, Any]:
    assert isinstance(record.priced, Priced)
    counts, run = record.priced.costs.counts, record.run
    events = [values.mean() for values in counts.synaptic_events.values()]
    return {
        "report": str(page),
        "recordings": counts.n_samples,
        "accuracy": run.last.evaluation.accuracy if isinstance(run, RunRecord) else None,
        "synaptic_operations_per_recording": float(np.sum(events)),
        "energy_pj_per_recording": {
            found.chip.name: found.total_pj for found in record.priced.costs.reports if found.terms
        },
        "not_made": _not_made(record),
        "backend": backend,
    }


def _not_made(record: Report) -> dict[str, str]:
    parts: dict[str, object] = {"training": record.run}
    parts |= {f"mapping, {title}": found for title, found in record.mappings.items()}
    parts |= {f"bits, {title}": found for title, found in record.studies.items()}
    return {name: found.reason for name, found in parts.items() if isinstance(found, Unmade)}


def show(found: Mapping[str, Any]) -> None:
    """Where the page is, and what is not on it."""
    for name, reason in found["not_made"].items():
        typer.echo(f"Not in it: {name}. {reason}")
    typer.echo(f"Report: {found['report']}")
