"""``eventsim report``: training, sparsity, energy and mapping of a run on one page."""

import os
from collections.abc import Callable, Mapping, Sequence
from contextlib import nullcontext
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, cast

import numpy as np
import typer

import eventsim
from eventsim.arrays import Floats
from eventsim.chips import Chip
from eventsim.cli import options as opt
from eventsim.cli.checks import ends_in, left_out
from eventsim.cli.cost import DEFAULT_CHIPS, WeightBitsOption, find_chips, find_dense, stored_widths
from eventsim.cli.events import find_network, folder_of, tape_of
from eventsim.cli.map import find_congestion, find_study, study_missing
from eventsim.cli.measured import MeasuredPart, find_measured
from eventsim.cli.reading import MeasuredReading
from eventsim.cli.regression import report_values
from eventsim.cli.terminal import echo_late, present, say, say_backend
from eventsim.energy import RunCosts
from eventsim.errors import DataError, NetworkError
from eventsim.events import AnyDataset, EventStream, SpikeTape
from eventsim.folders import locked
from eventsim.mapping import InfeasibleError, StudyRow, compare_mappings
from eventsim.mapping.mapping import Method, filled_less
from eventsim.network import Network
from eventsim.report.priced import places_on, priced, priced_over_time
from eventsim.report.record import (
    ChipMapping,
    OverTime,
    Priced,
    Report,
    RunRecord,
    Unmade,
    firing_rates,
)
from eventsim.runs.run import Run, load_run
from eventsim.train.choice import in_classes_of
from eventsim.train.latency import MARGIN, SHARES, decision_over_time

WINDOW_MS = 1.0  # in which spikes on a link are counted


@dataclass(frozen=True, kw_only=True)
class ReportOptions:
    """Options of ``eventsim report``: figures, chips, mappings, and the page."""

    figures: opt.FiguresOption = None
    chip: list[str] | None = opt.chip_option(
        None,
        "Price with this chip, technology, or TOML file of your own; repeat for more, all "
        f"for all. By default {' and '.join(DEFAULT_CHIPS)}, and those of --map.",
    )
    onto: list[str] | None = opt.chip_option(None, "Map onto this chip; repeat for more.", "--map")
    method: opt.MethodOption = "refined"
    neurons_per_core: opt.NeuronsPerCoreOption = None
    bits: list[int] | None = opt.option(
        None,
        "Also simulate with weights of this number of bits, in the formats of the mapped "
        "chips; repeat for more.",
        min=1,
    )
    dt: opt.ClockOption = None
    frame: opt.FrameOption = 10.0
    weight_bits: WeightBitsOption = None
    seed: int = opt.option(0, "Seed of the mapping.", min=0)
    out: Path | None = opt.option(
        None, "Page to write; by default RUN/index.html, that of the training.", metavar="FILE"
    )


def report_command(
    run: opt.RunArgument,
    events: opt.EventsArgument = None,
    *,
    asked: ReportOptions,
    reading: MeasuredReading,
    samples: opt.SamplesOption = None,
    machine: opt.Machine,
    as_json: opt.JsonOption = False,
) -> None:
    """Complete the page of a run: sparsity, energy, latency and mapping beside its training.

    A section shows the time of the answer: accuracy and energy by the share of a recording that is
    read, latency, and early exit at a margin of 0.9.

    The page is one file with all figures inside. Energies on a chip include axons, links and cores
    of the mapping by --map, else of the one that eventsim map finds. Parts that were not asked for,
    or cannot be made, are named in a sentence.

    [bold]Examples[/bold]

    eventsim report runs/demo

    eventsim report runs/demo --figures pdf,svg

    eventsim report runs/demo --map loihi --bits 2 --bits 4 --bits 8

    eventsim report runs/demo --chip loihi --chip 45nm --dt 1 --samples 50 --out report.html
    """
    on = machine.ready()
    mine = folder_of(run)
    with locked(run) if run.is_dir() and os.access(run, os.W_OK) else nullcontext():
        if mine is not None and mine.settings.fits_values:
            _write_values(mine, events, asked, samples, as_json=as_json)
            return
        page, forms = _page(run, asked.out), opt.forms_of(asked.figures)
        maps = list(asked.onto or ())
        priced_on = find_chips(asked.chip or (*DEFAULT_CHIPS, *maps))
        # One without cores is refused here, before anything runs.
        targets = [filled_less(found, asked.neurons_per_core) for found in find_chips(maps)]
        find_chips([*(asked.chip or DEFAULT_CHIPS), *maps])  # no two of one name: places go by it
        stream, labelled, measured = find_measured(run, events, reading, samples=samples, some=True)
        given = _Given(run, events, samples, machine.backend, measured)
        on = say_backend(on).name
        report = _made(given, asked, (stream, labelled), priced_on, targets, on)
        from eventsim.report.write import write_page  # loads Matplotlib

        outcome = _outcome(report, write_page(page, report, forms=forms), on)
        present(outcome | {"measured": measured.to_dict()}, _show, as_json=as_json)


def _write_values(
    run: Run, events: str | None, asked: ReportOptions, samples: int | None, *, as_json: bool
) -> None:
    """The page of a run of regression, which has its training and test alone."""
    defaults = replace(ReportOptions(), figures=asked.figures, out=asked.out)
    left_out(
        asked != defaults or events is not None or samples is not None,
        run.folder,
        "is a run of regression, whose page takes --out and --figures alone",
        f"For costs and mapping: eventsim cost {run.folder}, eventsim map {run.folder}.",
    )
    report_values(run, asked.out, opt.forms_of(asked.figures), as_json=as_json)


def _made(
    given: "_Given",
    asked: ReportOptions,
    recordings: tuple[EventStream, AnyDataset | None],
    priced_on: Sequence[Chip],
    targets: Sequence[Chip],
    on: str,
) -> Report:
    """The report of a network that is run on the recordings, priced and mapped."""
    (stream, labelled), run = recordings, given.run
    mine, net = folder_of(run), find_network(run)
    tape = tape_of(mine, net, stream, backend=on)
    mappings = {one.title: _mapping(net, tape, one, asked.method, asked.seed) for one in targets}
    best = {
        one.name: found.compared.best
        for one in targets
        if isinstance(found := mappings[one.title], ChipMapping)
    }
    widths = stored_widths(asked.weight_bits, None if mine is None else mine.weight_bits)
    places, step_ms = places_on(net, tape, priced_on, best), asked.dt
    costs, fits = priced(net, tape, priced_on, step_ms=step_ms, widths=widths, places=places)
    dense = find_dense(net, tape.stream, frame_ms=asked.frame, weight_bits=asked.weight_bits)
    trained = _training(given, labelled)
    over_time = _over_time(
        given,
        net,
        tape,
        labelled,
        lambda times: priced_over_time(
            net, tape, priced_on, times, step_ms=step_ms, widths=widths, places=places
        ),
    )
    if not targets:
        targets = [one for one in priced_on if one.formats is not None][:1] or priced_on[:1]
    return Report(
        title=trained.title if isinstance(trained, RunRecord) else run.stem,
        about=trained.about if isinstance(trained, RunRecord) else "",
        version=eventsim.__version__,
        data=_words(given, labelled),
        command=opt.typed(),
        net=net,
        stream=stream,
        rates=firing_rates(tape),
        run=trained,
        priced=Priced(costs, dense, fits),
        over_time=over_time,
        mappings=mappings,
        studies={
            one.title: _study(mine, net, stream, labelled, one, tuple(asked.bits or ()), on)
            for one in (targets if asked.bits else ())
        },
    )


@dataclass(frozen=True)
class _Given:
    """A run and its recordings for the report."""

    run: Path
    events: str | None
    samples: int | None
    backend: str | None
    measured: MeasuredPart


def _page(run: Path, given: Path | None) -> Path:
    if given is None:
        return run / "index.html" if run.is_dir() else Path("report.html")
    ends_in("--out", given, ".html")
    return given


def _words(given: _Given, labelled: AnyDataset | None) -> str:
    """Name, part and number of the recordings, in words."""
    name = given.events or load_run(given.run).data_settings.info.name
    if labelled is None:
        return name
    few = given.samples
    some = "" if few is None else f", {few:,} recordings spread over its classes"
    part = "all" if given.measured.part == "all" else f"{given.measured.part} part"
    return f"{name}, {part}{some}; {given.measured.about_training}"


def _mapping(
    net: Network, tape: SpikeTape, chip: Chip, method: str, seed: int
) -> ChipMapping | Unmade:
    say(f"mapping onto {chip.title}: {method} and baselines")
    chosen = cast(Method, method.replace("-", "_"))
    try:
        compared = compare_mappings(net, tape, chip, method=chosen, seed=seed)
    except InfeasibleError as error:
        return Unmade(f"No mapping was found. {error}")
    found = find_congestion(net, tape, compared.best, window_ms=WINDOW_MS)
    if found is None:
        reason = f"No latency of a hop is published for {chip.title}, so none of spikes follows."
        return ChipMapping(compared, Unmade(reason))
    return ChipMapping(compared, found)


def _training(given: _Given, labelled: AnyDataset | None) -> RunRecord | Unmade:
    """The training, tested on the recordings of this report."""
    place = given.run
    if not place.is_dir():
        return Unmade(f"{place.name} is a network alone: give the folder of a run to see training.")
    if labelled is None:
        return Unmade(
            f"The recordings of {given.events} have no labels. Training and accuracy are shown on "
            "a data set, or without EVENTS."
        )
    run = load_run(place).on(given.backend)
    own = given.events is None and given.measured.part == "test"
    whole = own and given.samples is None
    guess = run.result.get("guess_accuracy") if whole and run.finished else None
    record = run.record(labelled, run.checked(labelled), guess=guess)
    if own:
        return record
    n, met = given.measured.recordings, given.measured.of_training
    part = {None: "given", 0: record.part, n: "training"}.get(met, "partly trained")
    about = f"{record.about} Shown here: {_words(given, labelled)}."
    return replace(record, about=about, part=part)


def _over_time(
    given: _Given,
    net: Network,
    tape: SpikeTape,
    labelled: AnyDataset | None,
    price: Callable[[Floats], Sequence[RunCosts]],
) -> OverTime | Unmade:
    """Answers after every hundredth of the time, and costs after every tenth."""
    if labelled is None:
        return Unmade("The recordings have no labels, so no answer is right or wrong.")
    mine = folder_of(given.run)
    if mine is not None and mine.settings.grid is not None:
        return Unmade(
            "The run answers on a grid of time, and this is known in exact time only: give the "
            "file of its network, and EVENTS."
        )
    times = SHARES * tape.stream.duration[:, None]
    try:
        labels = in_classes_of(net, labelled).labels
        decided = decision_over_time(net, tape, times)
    except (NetworkError, DataError) as error:
        return Unmade(str(error))
    say("answers and energy over time")
    priced_at = np.arange(9, SHARES.size, 10)
    return OverTime(
        shares=SHARES,
        decided=decided,
        labels=np.asarray(labels),
        priced_at=priced_at,
        costs=price(times[:, priced_at]),
        margin=MARGIN,
    )


def _study(
    run: Run | None,
    net: Network,
    stream: EventStream,
    labelled: AnyDataset | None,
    chip: Chip,
    bits: tuple[int, ...],
    backend: str,
) -> Sequence[StudyRow] | Unmade:
    """Spikes and accuracy by number of bits."""
    if chip.formats is None:
        return Unmade("Its file has no number formats: choose another chip.")
    if (missing := study_missing(run, net, chip, bits)) is not None:
        return Unmade(missing)
    say(f"rounding to the formats of {chip.title}")
    return find_study(net, stream, labelled, chip, bits=bits, backend=backend)


def _outcome(record: Report, page: Path, backend: str) -> dict[str, Any]:
    assert isinstance(record.priced, Priced)
    counts, run, late = record.priced.costs.counts, record.run, record.late
    events = [values.mean() for values in counts.synaptic_events.values()]
    return {
        "report": str(page),
        "recordings": counts.n_samples,
        "accuracy": run.last.evaluation.accuracy if isinstance(run, RunRecord) else None,
        "synaptic_operations_per_recording": float(np.sum(events)),
        "energy_pj_per_recording": {
            found.chip.name: found.total_pj for found in record.priced.costs.reports if found.terms
        },
        "missing_in_energy": {
            found.chip.name: [missing.to_dict() for missing in found.missing]
            for found in record.priced.costs.reports
        },
        "fits": {name: vars(fit) for name, fit in record.priced.fits.items()},
        "late_begin": None if late is None else late.to_dict(),
        "over_time": None if isinstance(record.over_time, Unmade) else record.over_time.summary(),
        "not_made": _not_made(record),
        "backend": backend,
    }


def _not_made(record: Report) -> dict[str, str]:
    parts: dict[str, object] = {"training": record.run, "answers over time": record.over_time}
    parts |= {f"mapping, {title}": found for title, found in record.mappings.items()}
    parts |= {f"bits, {title}": found for title, found in record.studies.items()}
    return {name: found.reason for name, found in parts.items() if isinstance(found, Unmade)}


def _show(found: Mapping[str, Any]) -> None:
    """The path of the page, and the sections that are missing."""
    echo_late(found)
    for name, reason in found["not_made"].items():
        typer.echo(f"Not in it: {name}. {reason}")
    typer.echo(f"Report: {found['report']}")
