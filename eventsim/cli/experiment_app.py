"""The commands ``eventsim experiment ...`` and their options; see :mod:`eventsim.cli.app`."""

from pathlib import Path
from typing import Annotated, Any

import typer

from eventsim.cli.options import DownloadOption, FileOption, JsonOption
from eventsim.cli.terminal import CHECK_FAILED, Guarded, emit_json


class _RunByDefault(Guarded):
    """``eventsim experiment NAME`` is ``eventsim experiment run NAME``."""

    def resolve_command(self, ctx: Any, args: list[str]) -> Any:
        """The command that was typed, or ``run``."""
        if args and args[0] not in self.commands and not args[0].startswith("-"):
            args = ["run", *args]
        return super().resolve_command(ctx, args)


experiment_app = typer.Typer(
    cls=_RunByDefault,
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    rich_markup_mode="rich",
    help="Recipes that compare networks and methods over seeds: one command, one table, one "
    "figure. [bold]eventsim experiment NAME[/bold] runs one.",
)

RecipeArgument = Annotated[
    str,
    typer.Argument(
        metavar="NAME", help="A recipe (see: eventsim experiment list), or a TOML file of your own."
    ),
]
TaskOption = Annotated[
    str | None,
    typer.Option(
        "--data",
        metavar="TASK",
        help="Data set and the settings that suit it (see: eventsim experiment list), or a TOML "
        "file; the recipe's own by default.",
    ),
]
HeldOutOption = Annotated[
    list[str] | None,
    typer.Option(
        "--held-out",
        metavar="GROUP",
        help="Test on this speaker, train on all others; repeat to take several in turn.",
    ),
]
ConditionOption = Annotated[
    list[str] | None,
    typer.Option("--condition", metavar="NAME", help="Only this one; repeat for more."),
]
SeedsOption = Annotated[
    int | None, typer.Option("--seeds", min=1, help="How many, 0 .. n - 1; the recipe's (3).")
]
EpochsOption = Annotated[
    int | None, typer.Option("--epochs", min=1, help="In place of the task's.")
]
SmokeOption = Annotated[
    bool, typer.Option("--smoke", help="A size that runs in seconds: shows that all works.")
]
BackendOption = Annotated[
    str | None, typer.Option("--backend", help="Of exact time; as in eventsim train.")
]


@experiment_app.command("list")
def experiment_list(as_json: JsonOption = False) -> None:
    """The recipes, and the tasks that each can run on.

    [bold]Example[/bold]: eventsim experiment list
    """
    from eventsim.cli import experiment_command as command

    found = command.describe_all()
    emit_json(found) if as_json else command.show_all(found)


@experiment_app.command("show")
def experiment_show(
    recipe: RecipeArgument,
    task: TaskOption = None,
    smoke: SmokeOption = False,
    as_toml: Annotated[
        bool, typer.Option("--toml", help="The file itself: where a recipe of your own begins.")
    ] = False,
    as_json: JsonOption = False,
) -> None:
    """The conditions of a recipe with all their settings and numbers of parameters; runs nothing.

    [bold]Examples[/bold]

    eventsim experiment show bip

    eventsim experiment show bip --toml > mine.toml

    eventsim experiment show architectures --data nmnist --json
    """
    from eventsim.cli import experiment_command as command

    if as_toml:
        typer.echo(command.source("recipe", recipe), nl=False)
        return
    found = command.describe(command.Choice(recipe=recipe, task=task, smoke=smoke))
    emit_json(found) if as_json else command.show(found)


@experiment_app.command("run")
def experiment_run(
    recipe: RecipeArgument,
    task: TaskOption = None,
    file: FileOption = None,
    download: DownloadOption = False,
    held_out: HeldOutOption = None,
    condition: ConditionOption = None,
    seeds: SeedsOption = None,
    epochs: EpochsOption = None,
    smoke: SmokeOption = False,
    backend: BackendOption = None,
    jobs: Annotated[
        int,
        typer.Option(
            "--jobs", min=0, help="Processes at a time, one run each; 0: all in this process."
        ),
    ] = 1,
    threads: Annotated[
        int | None,
        typer.Option(
            "--threads", min=1, help="Of each process; an equal share of the cores by default."
        ),
    ] = None,
    out: Annotated[
        Path | None,
        typer.Option("--out", metavar="FOLDER", help="runs/experiments/RECIPE-TASK by default."),
    ] = None,
    as_json: JsonOption = False,
) -> None:
    """Run what is missing of a recipe, then show the table and draw the figure.

    Every condition runs with every seed in a folder of its own. Runs that are done are not run
    again; those that were stopped go on from their checkpoint; one that fails is named at the end,
    and the exit code is 1. The folder gets table.md, table.json and figure.png.

    [bold]Examples[/bold]

    eventsim experiment architectures --data yinyang --smoke

    eventsim experiment bip --data fsdd --seeds 5 --jobs 2

    eventsim experiment architectures --data fsdd --held-out theo --condition scsr_bip

    eventsim experiment mine.toml --out runs/mine
    """
    from eventsim.cli import experiment_command as command

    choice = command.Choice(
        recipe=recipe,
        task=task,
        file=file,
        download=download,
        held_out=tuple(held_out or ()),
        conditions=tuple(condition or ()),
        seeds=seeds,
        epochs=epochs,
        smoke=smoke,
        backend=backend,
    )
    found, failed = command.run(choice, out, jobs=jobs, threads=threads)
    emit_json(found) if as_json else command.show_findings(found)
    if failed:
        command.say_failed(failed)
        raise typer.Exit(CHECK_FAILED)


@experiment_app.command("table")
def experiment_table(
    folder: Annotated[Path, typer.Argument(metavar="FOLDER", help="Of an experiment.")],
    as_markdown: Annotated[
        bool, typer.Option("--markdown", help="Markdown on stdout, no table.")
    ] = False,
    as_json: JsonOption = False,
) -> None:
    """The table of an experiment, finished or not; writes its table and figure again.

    [bold]Example[/bold]: eventsim experiment table runs/experiments/bip-fsdd --markdown
    """
    from eventsim.cli import experiment_command as command

    found = command.tabulate(folder)
    if as_json:
        emit_json(found)
    elif as_markdown:
        typer.echo((folder / command.MARKDOWN).read_text(encoding="utf-8"), nl=False)
    else:
        command.show_findings(found)


@experiment_app.command("search")
def experiment_search(
    recipe: RecipeArgument,
    task: TaskOption = None,
    file: FileOption = None,
    download: DownloadOption = False,
    condition: Annotated[
        str | None,
        typer.Option("--condition", metavar="NAME", help="Whose settings; the recipe's choice."),
    ] = None,
    trials: Annotated[
        int | None,
        typer.Option("--trials", min=1, help="In all, those of before included."),
    ] = None,
    seeds: SeedsOption = None,
    epochs: EpochsOption = None,
    smoke: SmokeOption = False,
    backend: BackendOption = None,
    threads: Annotated[
        int | None, typer.Option("--threads", min=1, help="All cores by default.")
    ] = None,
    out: Annotated[
        Path | None,
        typer.Option("--out", metavar="FOLDER", help="runs/searches/RECIPE-TASK by default."),
    ] = None,
    as_json: JsonOption = False,
) -> None:
    r"""Look for better settings with Optuna, within the recipe's ranges, on validation data only.

    Trials that are below the median of the others after an epoch are given up. A search that was
    stopped goes on. Needs Optuna, the extra search of eventsim.

    [bold]Example[/bold]: eventsim experiment search architectures --data yinyang --trials 30
    """
    from eventsim.cli import experiment_command as command

    choice = command.Choice(
        recipe=recipe,
        task=task,
        file=file,
        download=download,
        conditions=(condition,) if condition else (),
        seeds=seeds,
        epochs=epochs,
        smoke=smoke,
        backend=backend,
    )
    found = command.search_settings(choice, out, trials=trials, threads=threads)
    emit_json(found) if as_json else command.show_search(found)
