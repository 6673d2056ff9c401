"""``eventsim cost``: its options. What it does is imported when it runs: ``--help`` is quick."""

from pathlib import Path
from typing import Annotated

import typer

from eventsim.cli.options import (
    BackendOption,
    EventsArgument,
    FrameOption,
    JsonOption,
    NetArgument,
    SamplesOption,
    SensorOption,
    SplitOption,
    ThreadsOption,
)
from eventsim.cli.terminal import emit_json

DEFAULT_CHIPS = ("45nm", "loihi")


def cost(
    net: NetArgument,
    events: EventsArgument = None,
    chip: Annotated[
        list[str] | None,
        typer.Option(
            "--chip",
            metavar="NAME",
            help="Chip or technology, or a TOML file of your own; repeat for more, all for all. "
            f"By default {' and '.join(DEFAULT_CHIPS)}.",
        ),
    ] = None,
    dt: Annotated[
        float | None,
        typer.Option(
            "--dt",
            metavar="MS",
            help="Time step of the clocked terms; by default that of each chip.",
        ),
    ] = None,
    frame: FrameOption = 10.0,
    weight_bits: Annotated[
        int, typer.Option("--weight-bits", min=1, help="Of a stored weight.")
    ] = 32,
    figure: Annotated[
        Path | None,
        typer.Option("--figure", metavar="FILE", help="Draw the energies; .png or .svg."),
    ] = None,
    split: SplitOption = "test",
    sensor: SensorOption = None,
    samples: SamplesOption = None,
    backend: BackendOption = None,
    threads: ThreadsOption = None,
    as_json: JsonOption = False,
) -> None:
    """Count what a network does, exactly, and price it with the figures of chips.

    Every term of an energy is shown with its count, its published figure, and the figure's status
    and source; what is missing is named. Terms of clocked chips depend on the time step, which is
    shown beside them. A dense RNN and GRU of the same layer sizes on frames stand beside them.

    [bold]Examples[/bold]

    eventsim cost runs/demo

    eventsim cost runs/demo --chip loihi --chip 45nm --dt 1 --samples 50 --figure energy.png

    eventsim cost net.npz events.npz --chip mine.toml --json
    """
    from eventsim.cli import cost_command as command

    command.set_threads(threads, backend)
    wish = command.Wish(
        chips=tuple(chip or DEFAULT_CHIPS), step_ms=dt, frame_ms=frame, weight_bits=weight_bits
    )
    stream = command.find_stream(
        net, events, command.Reading(split=split, sensor=sensor), samples=samples
    )
    found = command.price(net, stream, wish, backend=backend or "auto", figure=figure)
    emit_json(found) if as_json else command.show(found)
