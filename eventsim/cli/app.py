"""The commands and their options. What they do is imported when they run: ``--help`` is quick.

Typer reads the options from the functions' parameters, so a command has as many parameters as
options.
"""

from pathlib import Path
from typing import Annotated, Any, Literal

import typer

from eventsim.arrays import Precision
from eventsim.cli.conformance import conformance_command
from eventsim.cli.cost import cost_command
from eventsim.cli.data_app import data_app
from eventsim.cli.exchange import export_command, import_command
from eventsim.cli.experiment_app import experiment_app
from eventsim.cli.gradcheck import gradcheck_command
from eventsim.cli.map import map_command
from eventsim.cli.options import (
    BackendOption,
    FileOption,
    JsonOption,
    NetArgument,
    SamplesOption,
    SensorOption,
    SplitOption,
    ThreadsOption,
)
from eventsim.cli.report import report_command
from eventsim.cli.schema import schema_command
from eventsim.cli.terminal import Guarded, emit_json, guarded
from eventsim.cli.train import demo_command, train_command

app = typer.Typer(
    cls=Guarded,
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    rich_markup_mode="rich",
    help="Spiking neural networks in exact event time.\n\n"
    "Begin with: [bold]eventsim demo[/bold] (trains on spoken digits, writes a report) and "
    "[bold]eventsim gradcheck[/bold] (proves that gradients are right).",
)
app.command("train", rich_help_panel="Learn")(train_command)
app.command("demo", rich_help_panel="Learn")(demo_command)
app.add_typer(data_app, name="data")
app.add_typer(experiment_app, name="experiment")
app.command("export", rich_help_panel="Use")(export_command)
app.command("import", rich_help_panel="Use")(import_command)
app.command("cost", rich_help_panel="Use")(cost_command)
app.command("map", rich_help_panel="Use")(map_command)
app.command("report", rich_help_panel="Use")(report_command)
app.command("schema", rich_help_panel="Use")(schema_command)


def _version(wanted: bool) -> None:
    if wanted:
        import eventsim

        typer.echo(f"eventsim {eventsim.__version__}")
        raise typer.Exit()


@app.callback()
def _root(
    version: Annotated[
        bool,
        typer.Option("--version", callback=_version, is_eager=True, help="Print the version."),
    ] = False,
) -> None:
    del version


@app.command(rich_help_panel="Use")
def evaluate(
    run: Annotated[
        Path, typer.Argument(metavar="RUN", help="Folder of a finished run, or a network file.")
    ],
    data: Annotated[
        str | None,
        typer.Argument(
            metavar="DATA",
            help="Data set, or file with labels; the run's own by default.",
        ),
    ] = None,
    file: FileOption = None,
    split: SplitOption = "test",
    which: Annotated[
        Literal["last", "selected", "initial"],
        typer.Option("--network", help="After the last epoch, chosen by validation, or untrained."),
    ] = "last",
    backend: BackendOption = None,
    threads: ThreadsOption = None,
    as_json: JsonOption = False,
) -> None:
    """Accuracy, loss, confusion matrix, spike rates and synaptic events of a trained network.

    [bold]Examples[/bold]

    eventsim evaluate runs/demo

    eventsim evaluate runs/demo --network selected --json

    eventsim evaluate net.npz fsdd
    """
    from eventsim.cli import use_commands as command

    command.set_threads(threads, backend)
    found = command.evaluate_run(
        run, data, command.Reading(file=file, split=split), which=which, backend=backend
    )
    emit_json(found) if as_json else command.show_evaluation(found)


@app.command(rich_help_panel="Use")
def simulate(
    net: NetArgument,
    events: Annotated[
        str,
        typer.Argument(
            metavar="EVENTS",
            help="A data set, or a file of events: .h5, .npz, text, AEDAT, NIR.",
        ),
    ],
    out: Annotated[
        Path | None,
        typer.Option("--out", metavar="TAPE", help="Write all spikes to this .npz file."),
    ] = None,
    split: SplitOption = "test",
    sensor: SensorOption = None,
    samples: SamplesOption = None,
    backend: BackendOption = None,
    precision: Annotated[Precision, typer.Option("--precision")] = "double",
    threads: ThreadsOption = None,
    as_json: JsonOption = False,
) -> None:
    """Run a network on events: spikes and synaptic events by population, and the time it took.

    A trained network runs on after every recording as in training, and its answers are shown.

    [bold]Examples[/bold]

    eventsim simulate runs/demo spoken_digits --samples 10 --out tape.npz

    eventsim simulate net.npz events.npz --backend reference
    """
    from eventsim.cli import use_commands as command

    command.set_threads(threads, backend)
    reading = command.Reading(split=split, sensor=sensor)
    stream = command.find_stream(net, events, reading, samples=samples)
    found = command.simulate_events(
        net, stream, out=out, backend=backend or "auto", precision=precision
    )
    emit_json(found) if as_json else command.show_simulation(found)


app.command("gradcheck", rich_help_panel="Prove")(gradcheck_command)
app.command("conformance", rich_help_panel="Prove")(conformance_command)


def run(arguments: list[str]) -> Any:
    """As the console script, for the given arguments; raises SystemExit."""
    return guarded(lambda: app(arguments))
