"""``eventsim map``: a mapping beside its baselines, its traffic, number formats, and files."""

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from functools import partial
from pathlib import Path
from typing import Any, Literal, cast

import typer
from rich.progress import BarColumn, TextColumn, TimeElapsedColumn

from eventsim.checks import in_domain
from eventsim.chips import Chip, board_of, load_chip
from eventsim.cli import options as opt
from eventsim.cli.checks import left_out, needed
from eventsim.cli.events import check_exact, find_network, folder_of, tape_of
from eventsim.cli.measured import MeasuredPart, find_measured
from eventsim.cli.reading import MeasuredReading
from eventsim.cli.terminal import echo_late, present, print_table, say, say_backend, stderr
from eventsim.entries import Positive
from eventsim.errors import EventSimError, ParameterError
from eventsim.events import AnyDataset, EventStream, SpikeTape
from eventsim.hardware.quantise import refuse_without_format
from eventsim.hardware.usage import check_room, limits_left_out
from eventsim.mapping import (
    Congestion,
    MappingComparison,
    MappingError,
    StudyRow,
    compare_mappings,
    congestion,
    export_sanafe,
    quantisation_study,
)
from eventsim.mapping import Mapping as ChipMapping
from eventsim.mapping.mapping import Method, filled_less
from eventsim.network import Network
from eventsim.network.late import late_begin
from eventsim.progress import bars
from eventsim.report import tables
from eventsim.runs.run import Run
from eventsim.train import evaluate


@dataclass(frozen=True, kw_only=True)
class MapOptions:
    """Options of ``eventsim map``: the chip, the search, and files."""

    chip: str = opt.chip_option("loihi", "A chip, or a TOML file of your own.")
    method: opt.MethodOption = "refined"
    compare: bool = opt.option(
        True,
        "Also map with first-fit and population-order, for comparison.",
        "--compare/--no-compare",
    )
    inputs: Literal["external", "placed"] = opt.option(
        "external",
        "external: input channels send from outside; their spikes enter at tile (0, 0). "
        "placed: each channel takes the place of a neuron.",
    )
    neurons_per_core: opt.NeuronsPerCoreOption = None
    chips: str | None = opt.option(
        None,
        "Map onto a board of several such chips, such as 2x1. Links between chips are counted "
        "apart.",
        metavar="COLUMNSxROWS",
    )
    chip_link: float | None = opt.option(
        None,
        "Cost of a link between two chips in the search, where a link inside a chip costs 1. "
        "By default the chip's own, or 1.",
        metavar="LINKS",
    )
    seconds: float | None = opt.option(
        None,
        "End the search after this time with the best mapping so far; the first mapping is "
        "always finished. By default the search runs until it finds no improvement.",
        metavar="S",
    )
    bits: list[int] | None = opt.option(
        None,
        "Simulate with weights of this number of bits, and decays, thresholds and delays in "
        "the chip's formats; repeat for more.",
        min=1,
    )
    window: float = opt.option(
        1.0, "Time window in which spikes on a link are counted.", metavar="MS"
    )
    sanafe: float | None = opt.option(
        None, "Write files for SANA-FE with this time step, for the first recording.", metavar="MS"
    )
    out: Path | None = opt.option(None, "Write mapping.json and pictures there.", metavar="FOLDER")
    seed: int = opt.option(0, "", min=0)


def map_command(
    net: opt.NetArgument,
    events: opt.EventsArgument = None,
    *,
    asked: MapOptions,
    reading: MeasuredReading,
    samples: opt.SamplesOption = None,
    machine: opt.Machine,
    as_json: opt.JsonOption = False,
) -> None:
    """Map a network onto the cores of a chip, weighted by its measured spikes.

    The mapping keeps all limits of the chip, which an independent count checks. If this is not
    possible, the message says which limit, where, and by how much. The output has the fill of the
    cores, spikes between cores, links that they pass, latencies on the mesh, and the effect of the
    chip's number formats on spikes and accuracy.

    [bold]Examples[/bold]

    eventsim map runs/demo --chip loihi

    eventsim map runs/demo --chip loihi --seconds 30

    eventsim map runs/demo --chip loihi --chips 2x1 --chip-link 4

    eventsim map runs/demo --chip truenorth --bits 2 --bits 4 --out mapped

    eventsim map net.npz events.npz --chip mine.toml --neurons-per-core 64 --sanafe 0.1 --out mapped
    """
    on = machine.ready()
    lacks_place = asked.sanafe is not None and asked.out is None
    needed(not lacks_place, "--sanafe", "writes files", "Add --out FOLDER.")
    run = folder_of(net)
    if asked.bits:
        check_exact(run, "--bits")
    stream, labelled, measured = find_measured(net, events, reading, samples=samples, some=True)
    target = filled_less(
        find_board(load_chip(asked.chip), asked.chips, asked.chip_link), asked.neurons_per_core
    )
    network = find_network(net)
    check_room(network, target)  # before a run that may take minutes
    say_backend(on)
    tape = tape_of(run, network, stream, backend=on)
    compared = _compared(network, tape, target, asked)
    best = compared.best
    traffic = find_congestion(network, tape, best, window_ms=asked.window)
    bits = tuple(asked.bits or ())
    missing, study = study_missing(run, network, target, bits), list[StudyRow]()
    if missing is None:
        study = find_study(network, stream, labelled, target, bits=bits, backend=on)
    late = late_begin(network, stream)
    latencies = None if traffic is None else asdict(traffic)
    if latencies is not None:
        del latencies["loads"]
    found = {
        "network": str(net),
        "chip": target.name,
        "title": target.title,
        "recordings": stream.n_samples,
        "measured": measured.to_dict(),
        "late_begin": None if late is None else late.to_dict(),
        "mappings": [_plain(mapping) for mapping in compared.mappings],
        "limits_left_out": list(limits_left_out(target)),
        "assumed": list(best.assumed),
        "failed": dict(compared.failed),
        "congestion": latencies,
        "study": [asdict(row) for row in study],
        "study_missing": missing,
        "files": [],
    }
    if asked.out is not None:
        found["files"] = _write(network, tape.stream, best, study, asked.out, asked.sanafe)
    present(found, _show, as_json=as_json)


def _compared(net: Network, tape: SpikeTape, target: Chip, asked: MapOptions) -> MappingComparison:
    """The mappings of all methods that are asked for, with a bar meanwhile."""
    shown = (TextColumn("{task.description}"), BarColumn(), TimeElapsedColumn())
    with bars(*shown, console=stderr(), in_pipes=False) as progress:
        bar = progress.add_task("mapping", total=1.0)
        return compare_mappings(
            net,
            tape,
            target,
            method=cast(Method, asked.method.replace("-", "_")),
            baselines=asked.compare,
            inputs=asked.inputs,
            seed=asked.seed,
            seconds=asked.seconds,
            told=lambda doing, share: progress.update(bar, description=doing, completed=share),
        )


def find_board(chip: Chip, chips: str | None, link: float | None) -> Chip:
    """The board that ``--chips`` and ``--chip-link`` make of a chip; the chip without them."""
    if chips is None and link is None:
        return chip
    columns, times, rows = (chips or "1x1").partition("x")
    if not (times and columns.isdecimal() and rows.isdecimal() and int(columns) * int(rows) > 0):
        raise ParameterError(
            f"--chips {chips}", "", "columns and rows of chips, both at least 1, such as 2x1"
        )
    if link is not None:
        in_domain("--chip-link", "the cost", link, Positive)
    board = board_of(chip, (int(columns), int(rows)), link=link)
    alone = board.limits is not None and board.limits.chips == (1, 1)
    left_out(
        link is not None and alone,
        "--chip-link",
        f"{chip.name} is one chip, without a link to another",
        "Add --chips, such as --chips 2x1.",
    )
    return board


def find_congestion(
    net: Network, tape: SpikeTape, mapping: ChipMapping, *, window_ms: float
) -> Congestion | None:
    """Latencies on the mesh; None, and a line on stderr, if the chip has no figure for a hop."""
    if not {"hop_ew", "hop_ns"} & set(mapping.chip.latency):
        say(f"{mapping.chip.name}: no latency of a hop is published, so none of spikes follows.")
        return None
    return congestion(net, tape, mapping, window_ms=window_ms)


def study_missing(run: Run | None, net: Network, chip: Chip, bits: tuple[int, ...]) -> str | None:
    """Why number formats are not studied; None where they are.

    The study is in exact time, so not of a run in steps. A network without formats is left out
    here; where ``bits`` are asked for, the study itself refuses it.
    """
    if chip.formats is None:
        return None
    try:
        check_exact(run, "Number formats")
        if not bits:
            refuse_without_format(net, chip.formats, chip.step_ms, where="Number formats")
    except EventSimError as error:
        return str(error)
    return None


def find_study(
    net: Network,
    stream: EventStream,
    labelled: AnyDataset | None,
    chip: Chip,
    *,
    bits: tuple[int, ...],
    backend: str,
) -> list[StudyRow]:
    """Spikes with the chip's number formats; accuracy where there are labels and an answer."""
    if chip.formats is None:
        if bits:
            raise MappingError(
                f"Chip {chip.name!r}", "has no number formats", remedy="Leave out --bits."
            )
        return []

    def accuracy(network: Network) -> float:
        assert labelled is not None
        return evaluate(network, labelled).accuracy

    score = None if labelled is None or net.answer is None else accuracy
    return quantisation_study(net, stream, chip, bits=bits, score=score, backend=backend)


def _plain(mapping: ChipMapping) -> dict[str, Any]:
    values = mapping.to_dict()
    shown = ("method", "inputs", "seed", "cores_used", "fill", "traffic", "link_energy")
    return {key: values[key] for key in shown}


def _write(
    net: Network,
    stream: EventStream,
    mapping: ChipMapping,
    study: Sequence[StudyRow],
    out: Path,
    sanafe_ms: float | None,
) -> list[str]:
    """mapping.json, pictures, and the files for SANA-FE; their names."""
    from eventsim.plot.style import write_figure  # loads Matplotlib
    from eventsim.report.mapping_figures import bits_study, core_map, link_map

    mapping.save(out / "mapping.json")
    files = [out / "mapping.json"]
    drawn = {"cores.png": partial(core_map, mapping), "links.png": partial(link_map, mapping)}
    drawn |= {"bits.png": partial(bits_study, study)} if len(study) > 2 else {}
    for name, draw in drawn.items():
        write_figure(out / name, draw)
        files.append(out / name)
    if sanafe_ms is not None:
        written = export_sanafe(net, mapping, stream[:1], out / "sanafe", step_ms=sanafe_ms)
        files += [written.architecture, written.network]
        say(
            f"SANA-FE: {written.steps:,} steps of {sanafe_ms:g} ms for recording 0; "
            f"{written.moved:,} events went to a later step, {written.lost:,} found none."
        )
    return [str(path) for path in files]


def _show(found: Mapping[str, Any]) -> None:
    """Tables: mappings side by side, latencies, number formats; and the files."""
    title = f"{found['network']} on {found['title']}, {found['recordings']} recordings"
    typer.echo(f"Measured: {MeasuredPart(**found['measured'])}")
    echo_late(found)
    print_table(tables.mappings(found["mappings"], title))
    for line in tables.left_out(found["limits_left_out"]):
        typer.echo(line)
    for line in found["assumed"]:
        typer.echo(line)
    for method, reason in found["failed"].items():
        typer.echo(f"{method.replace('_', '-')}: {reason}")
    if found["congestion"] is not None:
        print_table(tables.latencies(found["congestion"]))
    if found["study_missing"] is not None:
        typer.echo(f"Number formats were not studied. {found['study_missing']}")
    if found["study"]:
        print_table(tables.number_formats(found["study"]))
        for line in tables.not_held(found["study"]):
            typer.echo(line)
    for file in found["files"]:
        typer.echo(f"Written: {file}")
