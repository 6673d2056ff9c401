"""The commands ``eventsim export`` and ``eventsim import``; see :mod:`eventsim.cli.app`."""

from pathlib import Path
from typing import Annotated, Literal

import typer

from eventsim.cli.options import (
    JsonOption,
    NetArgument,
    SamplesOption,
    SensorOption,
    SplitOption,
)
from eventsim.cli.terminal import CHECK_FAILED, emit_json

Program = Literal["norse", "snntorch", "spikingjelly", "rockpool"]
Unit = Literal["s", "ms"]


def export_command(
    net: NetArgument,
    out: Annotated[Path, typer.Option("--out", metavar="FILE", help="The NIR file to write.")],
    to: Annotated[Literal["nir"], typer.Option("--to", help="Format.")] = "nir",
    target: Annotated[
        Program | None,
        typer.Option("--target", help="Program that will read it; plain NIR by default."),
    ] = None,
    dt: Annotated[
        float | None,
        typer.Option("--dt", help="Time step that the target will run with, ms."),
    ] = None,
    time_unit: Annotated[Unit, typer.Option("--time-unit", help="Of times in the file.")] = "s",
    lossy: Annotated[
        bool, typer.Option("--lossy", help="Only warn of what the target will leave out.")
    ] = False,
    which: Annotated[
        Literal["last", "selected", "initial"],
        typer.Option("--network", help="Of a run: last epoch, chosen by validation, untrained."),
    ] = "last",
    events: Annotated[
        str | None,
        typer.Option("--events", help="For the check: a data set, or a file of events."),
    ] = None,
    split: SplitOption = "test",
    sensor: SensorOption = None,
    samples: SamplesOption = 10,
    as_json: JsonOption = False,
) -> None:
    """Write a network for other programs, read it back, and compare the spikes of both.

    Plain NIR takes a spike as an impulse. Norse, snnTorch, SpikingJelly and Rockpool take it as 1
    for one time step: name the one that will read the file. What it cannot do is an error; with
    --lossy refractory times are left out, which networks of eventsim train have. The exit code
    is 1 if the check fails.

    [bold]Examples[/bold]

    eventsim export runs/demo --out demo.nir

    eventsim export runs/demo --target norse --dt 0.1 --lossy --out demo.nir
    """
    from eventsim.cli import exchange_commands as command

    del to
    found = command.export_network(
        net,
        out,
        which=which,
        target=target,
        dt=dt,
        time_unit=time_unit,
        lossy=lossy,
        events=events,
        reading=command.Reading(split=split, sensor=sensor),
        samples=samples,
    )
    emit_json(found) if as_json else command.show_export(found)
    if not found["check"]["passed"]:
        raise typer.Exit(CHECK_FAILED)


def import_command(
    file: Annotated[Path, typer.Argument(metavar="FILE", help="NIR file.")],
    out: Annotated[Path, typer.Option("--out", metavar="NET", help="Network file to write, .npz.")],
    source: Annotated[
        Program | None,
        typer.Option("--source", help="Program that wrote it, if it was not eventsim."),
    ] = None,
    dt: Annotated[float | None, typer.Option("--dt", help="Time step of that program, ms.")] = None,
    time_unit: Annotated[
        Unit | None, typer.Option("--time-unit", help="Of times in the file, if it is not said.")
    ] = None,
    as_json: JsonOption = False,
) -> None:
    """Read a NIR file into a network file, which other commands take.

    What eventsim cannot express is an error that names the node. A file of Norse, snnTorch,
    SpikingJelly or Rockpool means spikes of one time step: say so by --source.

    [bold]Examples[/bold]

    eventsim import demo.nir --out net.npz

    eventsim import model.nir --source norse --dt 1 --out net.npz
    """
    from eventsim.cli import exchange_commands as command

    found = command.import_network(file, out, source=source, dt=dt, time_unit=time_unit)
    emit_json(found) if as_json else command.show_import(found)
    if not found["check"]["passed"]:
        raise typer.Exit(CHECK_FAILED)
