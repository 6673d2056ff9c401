"""The commands: one file each, whose function has the options as its parameters.

What is slow to import (Matplotlib, h5py, parts of SciPy) is imported where it is used, so that
``--help`` is quick.
"""

from typing import Annotated, Any

import typer

from eventsim.cli import data_import, data_plot
from eventsim.cli.check import check_command
from eventsim.cli.conformance import conformance_command
from eventsim.cli.cost import cost_command
from eventsim.cli.data import data_app
from eventsim.cli.demo import demo_command
from eventsim.cli.evaluate import evaluate_command
from eventsim.cli.exchange import export_command, import_command
from eventsim.cli.experiment import experiment_app
from eventsim.cli.frontier import frontier_command
from eventsim.cli.gradcheck import gradcheck_command
from eventsim.cli.help import App, showing
from eventsim.cli.listen import listen_command
from eventsim.cli.map import map_command
from eventsim.cli.predict import predict_command
from eventsim.cli.report import report_command
from eventsim.cli.schema import schema_command
from eventsim.cli.simulate import simulate_command
from eventsim.cli.terminal import Guarded, guarded
from eventsim.cli.train import COMMON_OPTIONS, train_command

app = App(
    cls=Guarded,
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    rich_markup_mode="rich",
    help="Spiking neural networks in exact event time.\n\n"
    "Begin with: [bold]eventsim demo[/bold] (trains on spoken digits, writes a report) and "
    "[bold]eventsim gradcheck[/bold] (checks that gradients are right).",
)
app.command("train", rich_help_panel="Learn", cls=showing(*COMMON_OPTIONS))(train_command)
app.command("demo", rich_help_panel="Learn")(demo_command)
data_app.command("import")(data_import.data_import)
data_app.command("plot")(data_plot.data_plot)
app.add_typer(data_app, name="data")
app.add_typer(experiment_app, name="experiment")
app.command("frontier", rich_help_panel="Learn")(frontier_command)
app.command("evaluate", rich_help_panel="Use")(evaluate_command)
app.command("predict", rich_help_panel="Use")(predict_command)
app.command("listen", rich_help_panel="Use")(listen_command)
app.command("simulate", rich_help_panel="Use")(simulate_command)
app.command("export", rich_help_panel="Use")(export_command)
app.command("import", rich_help_panel="Use")(import_command)
app.command("cost", rich_help_panel="Use")(cost_command)
app.command("map", rich_help_panel="Use")(map_command)
app.command("report", rich_help_panel="Use")(report_command)
app.command("check", rich_help_panel="Prove")(check_command)
app.command("gradcheck", rich_help_panel="Prove")(gradcheck_command)
app.command("conformance", rich_help_panel="Prove")(conformance_command)
app.command("schema", rich_help_panel="Use")(schema_command)


def _version(wanted: bool) -> None:
    if wanted:
        import eventsim

        typer.echo(f"eventsim {eventsim.__version__}")
        raise typer.Exit()


@app.callback()
def _root(
    version: Annotated[
        bool, typer.Option("--version", callback=_version, is_eager=True, help="Print the version.")
    ] = False,
) -> None:
    del version


def run(arguments: list[str]) -> Any:
    """As the console script, for the given arguments; raises SystemExit."""
    return guarded(lambda: app(arguments))
