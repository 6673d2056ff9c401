"""``eventsim cost``: counts, energies by chip, and the dense networks beside them."""

import textwrap
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Annotated, Any

import typer

from eventsim.chips import Chip, chip_names, load_chip
from eventsim.cli import options as opt
from eventsim.cli.checks import ends_in
from eventsim.cli.events import find_encoder, find_for, find_network, folder_of, tape_of
from eventsim.cli.measured import MeasuredPart, some_measured
from eventsim.cli.reading import MeasuredReading
from eventsim.cli.terminal import echo_late, present, print_table, say_backend, stdout
from eventsim.embedded import footprint
from eventsim.energy import DenseEquivalent, Widths, dense_pair
from eventsim.energy.encoder import means_of
from eventsim.errors import NetworkError, ParameterError
from eventsim.events import EventStream, SpikeTape
from eventsim.mapping import quantise
from eventsim.network import Network
from eventsim.network.late import late_begin
from eventsim.report import tables
from eventsim.report.priced import priced
from eventsim.runs.run import Run

DEFAULT_CHIPS = ("45nm", "loihi")
FLOAT_BITS = 32  # as Widths has it
WeightBitsOption = Annotated[
    int | None,
    typer.Option(
        "--weight-bits",
        min=1,
        help="Of a stored weight, for the memory; by default those with which the network was "
        f"trained or to which it is rounded, else {FLOAT_BITS}.",
    ),
]


@dataclass(frozen=True, kw_only=True)
class CostOptions:
    """Options of ``eventsim cost``: chips, time step, bits, and the figure."""

    chip: list[str] | None = opt.chip_option(
        None,
        "Chip or technology, or a TOML file of your own; repeat for more, all for all. "
        f"By default {' and '.join(DEFAULT_CHIPS)}.",
    )
    dt: opt.ClockOption = None
    frame: opt.FrameOption = 10.0
    weight_bits: WeightBitsOption = None
    bits: int | None = opt.option(None, "Round all weights to so many bits first.", min=1)
    figure: Path | None = opt.option(None, "Draw the energies; .png or .svg.", metavar="FILE")


def cost_command(
    net: opt.NetArgument,
    events: opt.EventsArgument = None,
    *,
    asked: CostOptions,
    reading: MeasuredReading,
    samples: opt.SamplesOption = None,
    machine: opt.Machine,
    as_json: opt.JsonOption = False,
) -> None:
    """Count what a network does, exactly, and price it with the figures of chips.

    Every term of an energy is shown with its count, its published figure, and the figure's status
    and source. What a sum lacks is named, term by term, and the sum is marked as a lower bound (≥).
    Cores, axons and links are those of the mapping that eventsim map finds. If the network does not
    fit onto the cores of a chip, this is said, with the reason. Terms of clocked chips depend on
    the time step, which is shown beside them. A run that was trained on a grid of time is counted
    as it runs on its grid. A dense RNN and GRU of the same layer sizes on frames are shown for
    comparison. If an encoder that eventsim knows made the events of audio, its operations are shown
    too, outside the sum: a chip with a microphone has to do them itself.

    [bold]Examples[/bold]

    eventsim cost runs/demo

    eventsim cost runs/demo --chip loihi --chip 45nm --dt 1 --samples 50 --figure energy.png

    eventsim cost net.npz events.npz --chip mine.toml --json
    """
    on = machine.ready()
    ends_in("--figure", asked.figure, ".png", ".svg")
    chips = find_chips(asked.chip or DEFAULT_CHIPS)
    named = find_for(net, events, reading)
    stream, _ = named.some(samples)
    measured = some_measured(net, named, stream)
    run = folder_of(net)
    network = find_network(net) if run is None else run.net
    if asked.bits is not None:
        network = quantise(network, asked.bits).net
        run = None if run is None else run.rounded(asked.bits)
    runs_on = say_backend(on)
    tape = tape_of(run, network, stream, backend=on)
    encoder = find_encoder(net, events, named)
    known = asked.bits if run is None else run.weight_bits
    widths = stored_widths(asked.weight_bits, known)
    costs, fits = priced(network, tape, chips, step_ms=asked.dt, widths=widths, encoder=encoder)
    dense = find_dense(network, tape.stream, frame_ms=asked.frame, weight_bits=asked.weight_bits)
    if asked.figure is not None:
        from eventsim.plot.style import write_figure  # loads Matplotlib
        from eventsim.report.energy_figures import energy_breakdown

        draw = partial(energy_breakdown, costs.reports, dense=dense, title=str(net))
        write_figure(asked.figure, draw)
    late = late_begin(network, stream)
    found = {
        "network": str(net),
        "recordings": stream.n_samples,
        "measured": measured.to_dict(),
        "late_begin": None if late is None else late.to_dict(),
        "counts": costs.counts.to_dict(),
        "clocked": [found.to_dict() for found in costs.steps],
        "encoder": None if costs.encoder is None else means_of(costs.encoder),
        "energy": [report.to_dict() for report in costs.reports],
        "fits": {name: vars(fit) for name, fit in fits.items()},
        "dense": [found.to_dict() for found in dense],
        "as_c": _as_c(network, tape, run),
        "backend": runs_on.name,
        "figure": None if asked.figure is None else str(asked.figure),
    }
    present(found, _show, as_json=as_json)


def _as_c(network: Network, tape: SpikeTape, run: Run | None) -> dict[str, Any]:
    """Memory of the network as C, or the reason why it cannot be exported."""
    if run is not None and run.settings.grid is not None:
        return {"missing": "The run answers in time steps."}
    try:
        return vars(footprint(network, tape)) | {"missing": None}
    except NetworkError as error:
        return {"missing": str(error)}


def find_chips(names: Sequence[str]) -> list[Chip]:
    """Chips by name or file, each once; ``all`` stands for all of eventsim's own.

    Raises ParameterError where two files have one name.
    """
    chosen = [one for name in names for one in (chip_names() if name == "all" else (name,))]
    found = {given: load_chip(given) for given in dict.fromkeys(chosen)}
    check_names({given: chip.name for given, chip in found.items()}, "name")
    return list(found.values())


def stored_widths(given: int | None, known: int | None) -> Widths:
    """Bits of stored numbers: those that were asked for, else those that weights are known by."""
    return Widths(weight=given or known or FLOAT_BITS)


def check_names(names: Mapping[str, str], what: str) -> None:
    """Raise ParameterError where two chips have one name: their numbers could not be told apart."""
    for given, name in names.items():
        other = next((g for g, n in names.items() if n == name and g != given), None)
        if other is not None:
            raise ParameterError(
                f"--chip {given} and --chip {other}",
                f"are both of the {what} {name!r}",
                remedy=f"Change the {what} in one of the files.",
            )


def find_dense(
    net: Network, stream: EventStream, *, frame_ms: float, weight_bits: int | None
) -> tuple[DenseEquivalent, ...]:
    """The dense networks beside the spiking one, whose weights have 32 bits unless told."""
    try:
        return dense_pair(net, stream, frame_ms=frame_ms, weight_bits=weight_bits or FLOAT_BITS)
    except ParameterError as error:
        raise error.seen_from(f"--frame {frame_ms}", ParameterError) from error


def _note(text: str) -> None:
    """A line below a table, wrapped to its width."""
    out = stdout()
    for line in textwrap.wrap(text, out.width - 5, subsequent_indent="   "):
        out.print(f"  {line}", markup=False, soft_wrap=True)


def _show(found: Mapping[str, Any]) -> None:
    """Counts, every chip's terms, and a comparison, as tables."""
    typer.echo(f"Measured: {MeasuredPart(**found['measured'])}")
    echo_late(found)
    counts = found["counts"]
    for table in (tables.populations(counts), tables.projections(counts), tables.totals(counts)):
        print_table(table)
    if found["encoder"] is not None:
        print_table(tables.encoder(found["encoder"]))
    for steps in found["clocked"]:
        print_table(tables.steps(steps))
    for report in found["energy"]:
        print_table(tables.energy(report))
        for number, source in enumerate(tables.sources(report), start=1):
            _note(f"{number}: {source}")
        if report["chip"] in found["fits"]:
            _note(tables.place(report["chip"], found["fits"][report["chip"]]))
        for missing in tables.missing(report):
            _note(f"not in the sum: {missing}")
        for line in tables.encoder_energy(report):
            _note(line)
    print_table(tables.energies(found["energy"], found["dense"]))
    for dense in found["dense"]:
        names = ", ".join(missing["name"] for missing in dense["missing"])
        _note(f"not in the sum of the dense {dense['cell'].upper()}: {names}")
    _note(_line_of_c(found["as_c"]))
    if found["figure"] is not None:
        typer.echo(f"Picture: {found['figure']}")


def _line_of_c(found: Mapping[str, Any]) -> str:
    """Memory of the network as C on a small processor, in a line."""
    if found["missing"] is not None:
        return f"As C, by eventsim export --to c: cannot be. {found['missing']}"
    return (
        f"As C, by eventsim export --to c: {found['flash']:,} bytes of constants, "
        f"{found['ram']:,} bytes of RAM, with queues for {found['waited']:,} recordings like "
        "these, and the code."
    )
