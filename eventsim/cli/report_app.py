"""``eventsim report``: its options. What it does is imported when it runs: ``--help`` is quick."""

import shlex
import sys
from pathlib import Path
from typing import Annotated, Literal

import typer

from eventsim.cli.cost_app import DEFAULT_CHIPS
from eventsim.cli.options import (
    BackendOption,
    FrameOption,
    JsonOption,
    NeuronsPerCoreOption,
    SamplesOption,
    SensorOption,
    SplitOption,
    ThreadsOption,
)
from eventsim.cli.terminal import emit_json


def report(
    run: Annotated[
        Path,
        typer.Argument(metavar="RUN", help="Folder of a finished run; or a network file."),
    ],
    data: Annotated[
        str | None,
        typer.Option(
            "--data",
            metavar="EVENTS",
            help="A data set, or a file of events; the run's own data by default.",
        ),
    ] = None,
    chip: Annotated[
        list[str] | None,
        typer.Option(
            "--chip",
            metavar="NAME",
            help="Price with this chip, technology, or TOML file of your own; repeat for more, all "
            f"for all. By default {' and '.join(DEFAULT_CHIPS)}, and those of --map.",
        ),
    ] = None,
    onto: Annotated[
        list[str] | None,
        typer.Option("--map", metavar="NAME", help="Map onto this chip; repeat for more."),
    ] = None,
    method: Annotated[
        Literal["hypergraph", "refined", "first-fit", "population-order"] | None,
        typer.Option("--method", help="Of the mapping, as in eventsim map."),
    ] = None,
    neurons_per_core: NeuronsPerCoreOption = None,
    bits: Annotated[
        list[int] | None,
        typer.Option(
            "--bits",
            min=1,
            help="Simulate with weights of so many bits, in the formats of the mapped chips; "
            "repeat for more.",
        ),
    ] = None,
    dt: Annotated[
        float | None,
        typer.Option(
            "--dt", metavar="MS", help="Time step of the clocked terms; by default each chip's."
        ),
    ] = None,
    frame: FrameOption = 10.0,
    weight_bits: Annotated[
        int, typer.Option("--weight-bits", min=1, help="Of a stored weight, for the memory.")
    ] = 32,
    split: SplitOption = "test",
    sensor: SensorOption = None,
    samples: SamplesOption = None,
    seed: Annotated[int, typer.Option("--seed", min=0, help="Of the mapping.")] = 0,
    out: Annotated[
        Path | None,
        typer.Option(
            "--out", metavar="FILE", help="RUN/index.html, the page of the training, by default."
        ),
    ] = None,
    backend: BackendOption = None,
    threads: ThreadsOption = None,
    as_json: JsonOption = False,
) -> None:
    """Complete the page of a run: sparsity, energy and mapping beside its training.

    The page loads nothing from elsewhere: figures are inside. Where a network is mapped onto a chip
    that is priced too, its axons, links and cores are in the energy. What was not asked for, or
    cannot be made, is a sentence.

    [bold]Examples[/bold]

    eventsim report runs/demo

    eventsim report runs/demo --map loihi --bits 2 --bits 4 --bits 8

    eventsim report runs/demo --chip loihi --chip 45nm --dt 1 --samples 50 --out report.html
    """
    from eventsim.cli import report_command as command
    from eventsim.cli.cost_command import Wish as Costs

    command.set_threads(threads, backend)
    maps = tuple(onto or ())
    wish = command.Wish(
        data=data,
        reading=command.Reading(split=split, sensor=sensor),
        samples=samples,
        costs=Costs(
            chips=tuple(chip or (*DEFAULT_CHIPS, *maps)),
            step_ms=dt,
            frame_ms=frame,
            weight_bits=weight_bits,
        ),
        maps=maps,
        method=method,
        neurons_per_core=neurons_per_core,
        bits=tuple(bits or ()),
        seed=seed,
        backend=backend,
        out=out,
        command=shlex.join(["eventsim", *sys.argv[1:]]),
    )
    found = command.report(run, wish)
    emit_json(found) if as_json else command.show(found)
