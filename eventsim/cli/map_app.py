"""``eventsim map``: its options. What it does is imported when it runs: ``--help`` is quick."""

from pathlib import Path
from typing import Annotated, Literal

import typer

from eventsim.cli.options import (
    BackendOption,
    EventsArgument,
    JsonOption,
    NetArgument,
    NeuronsPerCoreOption,
    SamplesOption,
    SensorOption,
    SplitOption,
    ThreadsOption,
)
from eventsim.cli.terminal import emit_json


def map_command(
    net: NetArgument,
    events: EventsArgument = None,
    chip: Annotated[
        str, typer.Option("--chip", metavar="NAME", help="A chip, or a TOML file of your own.")
    ] = "loihi",
    method: Annotated[
        Literal["hypergraph", "refined", "first-fit", "population-order"] | None,
        typer.Option(
            "--method",
            help="hypergraph (extra mapping; default where it is installed; minutes "
            "for millions of synapses), refined (needs nothing), or a baseline.",
        ),
    ] = None,
    compare: Annotated[
        bool,
        typer.Option(
            "--compare/--no-compare", help="Map with first-fit and population-order, too."
        ),
    ] = True,
    inputs: Annotated[
        Literal["external", "placed"],
        typer.Option(
            "--inputs",
            help="external: channels send from outside, entering at tile (0, 0). placed: each "
            "takes the place of a neuron.",
        ),
    ] = "external",
    neurons_per_core: NeuronsPerCoreOption = None,
    bits: Annotated[
        list[int] | None,
        typer.Option(
            "--bits",
            min=1,
            help="Simulate with weights of so many bits, decays, thresholds and delays in the "
            "chip's formats; repeat for more.",
        ),
    ] = None,
    window: Annotated[
        float, typer.Option("--window", metavar="MS", help="In which spikes on a link are counted.")
    ] = 1.0,
    sanafe: Annotated[
        float | None,
        typer.Option(
            "--sanafe",
            metavar="MS",
            help="Write files for SANA-FE with this time step, for the first recording.",
        ),
    ] = None,
    out: Annotated[
        Path | None,
        typer.Option("--out", metavar="FOLDER", help="Write mapping.json and pictures there."),
    ] = None,
    split: SplitOption = "test",
    sensor: SensorOption = None,
    samples: SamplesOption = None,
    seed: Annotated[int, typer.Option("--seed", min=0)] = 0,
    backend: BackendOption = None,
    threads: ThreadsOption = None,
    as_json: JsonOption = False,
) -> None:
    """Map a network onto the cores of a chip, weighted by the spikes that it really sends.

    All limits of the chip hold, and an independent count checks them; if they cannot, the message
    says which, where and by how much. Shown are the fill of the cores, spikes between cores, links
    they pass, latencies on the mesh, and what the chip's number formats do to spikes and accuracy.

    [bold]Examples[/bold]

    eventsim map runs/demo --chip loihi

    eventsim map runs/demo --chip truenorth --bits 2 --bits 4 --out mapped

    eventsim map net.npz events.npz --chip mine.toml --neurons-per-core 64 --sanafe 0.1 --out mapped
    """
    from eventsim.cli import map_command as command

    command.set_threads(threads, backend)
    wish = command.Wish(
        chip=chip,
        method=method,
        compare=compare,
        inputs=inputs,
        neurons_per_core=neurons_per_core,
        bits=tuple(bits or ()),
        window_ms=window,
        sanafe_ms=sanafe,
        out=out,
        seed=seed,
        backend=backend or "auto",
    )
    data = command.find_recordings(
        net, events, command.Reading(split=split, sensor=sensor), samples=samples
    )
    found = command.map_run(net, data, wish)
    emit_json(found) if as_json else command.show(found)
