"""``eventsim experiment ...``: recipes that compare networks and methods over seeds."""

import shlex
from collections.abc import Mapping
from dataclasses import asdict
from pathlib import Path
from typing import Annotated, Any

import typer

from eventsim.cli import completion
from eventsim.cli.experiment_progress import RunBars, TrialBars, display, shown
from eventsim.cli.fields import options_of
from eventsim.cli.options import DownloadOption, JsonOption
from eventsim.cli.terminal import (
    CHECK_FAILED,
    INTERRUPTED,
    Guarded,
    present,
    say,
    say_backend,
    show_table,
)
from eventsim.entries import flat
from eventsim.errors import ParameterError
from eventsim.events.storage import write_atomically, write_json
from eventsim.experiment import (
    Capacity,
    Ended,
    Experiment,
    Recipe,
    Selection,
    Task,
    collect,
    load_recipe,
    load_task,
    locked,
    missing,
    open_executor,
    recipe_names,
    resolve,
    run_all,
    save_plan,
    task_names,
)
from eventsim.experiment.executors import LOCAL
from eventsim.experiment.reading import source
from eventsim.experiment.results import HEAD
from eventsim.experiment.search import as_toml, search
from eventsim.experiment.table import ACCURACY_COLUMNS, COLUMNS, cells, markdown, notes
from eventsim.runs.networks import NetworkSettings
from eventsim.runs.settings import Shape
from eventsim.train import TrainConfig

MARKDOWN, TABLE, FIGURE = "table.md", "table.json", "figure.png"
BEST_TRIALS = 10


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
        metavar="NAME",
        help="A recipe (see: eventsim experiment list), or a TOML file of your own.",
        autocompletion=completion.complete_recipe,
    ),
]
TaskOption = Annotated[
    str | None,
    typer.Option(
        "--data",
        metavar="TASK",
        help="Data set and the settings that suit it (see: eventsim experiment list), or a TOML "
        "file; the recipe's own by default.",
        autocompletion=completion.complete_task,
    ),
]
ExecutorOption = Annotated[
    str,
    typer.Option(
        "--executor",
        metavar="WHERE",
        help="Who executes: local (processes of this machine), dask://HOST:PORT, slurm (with "
        "parameters slurm?timeout_min=240&mem_gb=4), or mpi; the extras dask, slurm, mpi.",
    ),
]
ThreadsOption = Annotated[
    int | None,
    typer.Option(
        "--threads",
        min=1,
        help="Of each process; by default an equal share of the cores, 1 with another executor.",
    ),
]


@experiment_app.command("list")
def experiment_list(as_json: JsonOption = False) -> None:
    """The recipes, and the tasks that each can run on.

    [bold]Example[/bold]: eventsim experiment list
    """
    recipes = [load_recipe(name) for name in recipe_names()]
    found = {
        "recipes": [
            {
                "name": one.name,
                "title": one.title,
                "about": one.about,
                "conditions": [condition.name for condition in one.condition],
                "task": one.task,
            }
            for one in recipes
        ],
        "tasks": [{"name": name, "title": load_task(name).title} for name in task_names()],
    }
    present(found, _show_all, as_json=as_json)


@experiment_app.command("show")
def experiment_show(
    name: RecipeArgument,
    data: TaskOption = None,
    smoke: Annotated[bool, typer.Option("--smoke", help="The small size of the task.")] = False,
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
    if as_toml:
        typer.echo(source("recipe", name), nl=False)
        return
    plan = resolve(*_load(name, data), Selection(smoke=smoke))
    shape = Shape.described(plan.data)
    found = {
        **{key: getattr(plan, key) for key in HEAD},
        "seeds": list(plan.seeds),
        "data": asdict(plan.data),
        "conditions": [
            {
                "name": variant.name,
                "title": variant.title,
                "method": variant.method.name,
                "dt": None if variant.grid is None else variant.grid.dt,
                "parameters": variant.count_parameters(shape),
                "network": variant.network.described() if variant.network else {},
                "train": variant.train.to_dict(),
            }
            for variant in plan.variants
        ],
    }
    present(found, _show, as_json=as_json)


@experiment_app.command("run")
@options_of(
    Selection, "file", "held_out", "seeds", "epochs", "smoke", "backend",
    into="selected", panel="Options",
)  # fmt: skip
def experiment_run(
    selected: Mapping[str, Any],
    name: RecipeArgument,
    data: TaskOption = None,
    download: DownloadOption = False,
    condition: Annotated[
        list[str] | None,
        typer.Option("--condition", metavar="NAME", help="Only this one; repeat for more."),
    ] = None,
    executor: ExecutorOption = LOCAL,
    jobs: Annotated[
        int | None,
        typer.Option(
            "--jobs",
            min=0,
            help="Processes at a time, one run each, 1 by default; 0: all in this process. Another "
            "executor has its own number.",
        ),
    ] = None,
    threads: ThreadsOption = None,
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

    eventsim experiment bip --seeds 100 --executor dask://head:8786
    """
    if executor != LOCAL and jobs is not None:
        raise ParameterError(
            f"--jobs {jobs} with --executor {executor}: how many runs go on at a time is the "
            "number of its workers. Leave out --jobs."
        )
    recipe, task = _load(name, data)
    selection = Selection(conditions=tuple(condition or ()), **selected)
    plan = resolve(recipe, task, selection)
    root = out or Path("runs") / "experiments" / plan.name
    with open_executor(executor, root, threads=threads) as pool:
        # The data is opened here first: it is fetched and encoded once, and tells what is wrong
        # early.
        first = plan.data.folds[0]
        opened = plan.data.labelled("train", fold=first, download=download)
        plan.data.labelled("test", fold=first, download=download)
        plan = resolve(recipe, task, selection, Shape.of(opened))
        with locked(root):
            ended = _run_missing(plan, root, Capacity(1 if jobs is None else jobs, threads, pool))
    failed = {label: how.text for label, how in ended.items() if how.kind == "failed"}
    present(_tabulate(root) | {"failed": failed}, _show_findings, as_json=as_json)
    if failed:
        say(f"{len(failed)} of the runs failed; the same command tries them again:")
        for label, text in failed.items():
            say(f"  {label}: {text}")
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
    found = _tabulate(folder)
    if as_markdown and not as_json:
        typer.echo((folder / MARKDOWN).read_text(encoding="utf-8"), nl=False)
    else:
        present(found, _show_findings, as_json=as_json)


@experiment_app.command("search")
@options_of(
    Selection, "file", "seeds", "epochs", "smoke", "backend", into="selected", panel="Options"
)
def experiment_search(
    selected: Mapping[str, Any],
    name: RecipeArgument,
    data: TaskOption = None,
    download: DownloadOption = False,
    condition: Annotated[
        str | None,
        typer.Option("--condition", metavar="NAME", help="Whose settings; the recipe's choice."),
    ] = None,
    trials: Annotated[
        int | None,
        typer.Option("--trials", min=1, help="In all, those of before included."),
    ] = None,
    executor: ExecutorOption = LOCAL,
    jobs: Annotated[
        int,
        typer.Option(
            "--jobs",
            min=0,
            help="Trials at a time, each in a process; 0: one after the other in this process.",
        ),
    ] = 1,
    threads: ThreadsOption = None,
    out: Annotated[
        Path | None,
        typer.Option("--out", metavar="FOLDER", help="runs/searches/RECIPE-TASK by default."),
    ] = None,
    as_json: JsonOption = False,
) -> None:
    r"""Look for better settings with Optuna, within the recipe's ranges, on validation data only.

    Trials that are below the median of the others after an epoch are given up. A search that was
    stopped goes on. Needs Optuna, the extra search of eventsim.

    [bold]Examples[/bold]

    eventsim experiment search architectures --data yinyang --trials 30

    eventsim experiment search bip --data fsdd --trials 200 --jobs 20 --executor dask://head:8786
    """
    recipe, task = _load(name, data)
    selection = Selection(conditions=(condition,) if condition else (), **selected)
    plan = resolve(recipe, task, selection)
    if download:
        plan.data.labelled("train", download=True)
    folder = out or Path("runs") / "searches" / plan.name
    say_backend(plan.variants[0].train.backend)
    try:
        with (
            open_executor(executor, folder, threads=threads) as pool,
            locked(folder),
            display() as progress,
        ):
            found = search(
                recipe, task, selection, folder, TrialBars(progress),
                trials=trials, capacity=Capacity(jobs, threads, pool),
            )  # fmt: skip
    except KeyboardInterrupt:
        say(f"Stopped. Type the same command to go on. Folder: {folder}")
        raise typer.Exit(INTERRUPTED) from None
    present(asdict(found) | {"folder": str(folder)}, _show_search, as_json=as_json)


def _load(name: str, data: str | None) -> tuple[Recipe, Task]:
    """A recipe and the task that was asked for, or its own."""
    recipe = load_recipe(name)
    return recipe, load_task(data or recipe.task, home="" if data else recipe.home)


def _run_missing(plan: Experiment, root: Path, capacity: Capacity) -> dict[str, Ended]:
    """How each run ended that was missing."""
    specs = plan.specs()
    todo = missing(specs, root)
    save_plan(plan, root)
    say(f"{plan.title}: {len(specs)} runs, {len(specs) - len(todo)} are done. Folder: {root}")
    if not todo:
        return {}
    if any(spec.grid is None for spec in todo):
        say_backend(plan.variants[0].train.backend)
    try:
        with display() as progress:
            return run_all(todo, root, RunBars(progress, len(todo)), **vars(capacity))
    except KeyboardInterrupt:
        say(
            "Stopped. What was learned is kept; type the same command to go on, or see what is "
            f"there by:\n  eventsim experiment table {shlex.quote(str(root))}"
        )
        raise typer.Exit(INTERRUPTED) from None


def _tabulate(root: Path) -> dict[str, Any]:
    """Read all results of an experiment, and write its table and figure."""
    found = collect(root)
    write_atomically(root / MARKDOWN, markdown(found))
    write_json(root / TABLE, asdict(found))
    if found.rows:
        from eventsim.experiment.figure import figure  # loads Matplotlib
        from eventsim.plot.style import look, png

        with look():
            write_atomically(root / FIGURE, png(figure(found)))
    return {
        **asdict(found),
        "folder": str(root),
        "table": {"columns": list(COLUMNS), "cells": cells(found), "notes": notes(found)},
    }


def _show_all(found: Mapping[str, Any]) -> None:
    """Recipes and tasks as tables."""
    rows = [[r["name"], r["title"], ", ".join(r["conditions"])] for r in found["recipes"]]
    show_table("Recipes", ["name", "what it asks", "conditions"], rows, numbers=3)
    rows = [[task["name"], task["title"]] for task in found["tasks"]]
    show_table("Tasks, for --data", ["name", "data"], rows, numbers=2)
    typer.echo("Try: eventsim experiment architectures --data yinyang --smoke")


def _show(found: Mapping[str, Any]) -> None:
    """What the conditions share, and in what they differ."""
    typer.echo(found["about"] or found["title"])
    typer.echo(f"Seeds {found['seeds']}; baseline {found['baseline']}.")
    settings = [flat(condition) for condition in found["conditions"]]
    differing = [
        key
        for key in dict.fromkeys(key for one in settings for key in one)
        if key not in ("name", "title")
        and len({repr(one[key]) for one in settings if key in one}) > 1
    ]
    own = [[key for key in differing if key in one and key != "parameters"] for one in settings]
    rows = [
        [
            one["name"],
            "\n".join(f"{key} {shown(one[key])}" for key in keys),
            f"{one['parameters']:,}",
        ]
        for one, keys in zip(settings, own, strict=True)
    ]
    show_table(found["title"], ["condition", "in what they differ", "parameters"], rows, numbers=2)
    usual = flat({"network": NetworkSettings().described(), "train": TrainConfig().to_dict()})
    shared = [
        [key, shown(value)]
        for key, value in settings[0].items()
        if key.startswith(("network.", "train."))
        and key not in differing
        and shown(value) != shown(usual.get(key))
    ]
    show_table("Shared settings that are not the defaults", ["", ""], shared)


def _show_findings(found: Mapping[str, Any]) -> None:
    """The table, its notes, and where everything is."""
    if not found["rows"]:
        typer.echo("No run is done yet.")
        return
    table, split = found["table"], ACCURACY_COLUMNS
    columns, rows = table["columns"], table["cells"]
    show_table(found["title"], columns[:split], [row[:split] for row in rows])
    costs = [[row[0], *row[split:]] for row in rows]
    show_table("What it costs", [columns[0], *columns[split:]], costs)
    for note in table["notes"]:
        typer.echo(note)
    for name in (MARKDOWN, TABLE, FIGURE):
        typer.echo(f"Written: {Path(found['folder']) / name}")


def _show_search(found: Mapping[str, Any]) -> None:
    """The best trials, and the settings of the best one as lines of a recipe."""
    trials, best = found["trials"], found["best"]
    keys = list(dict.fromkeys(key for one in trials for key in one["values"]))
    rows = [
        [
            one["number"],
            one["state"],
            "-" if one["value"] is None else f"{100.0 * one['value']:.2f}",
            *(shown(one["values"].get(key)) for key in keys),
        ]
        for one in trials[:BEST_TRIALS]
    ]
    title = f"Best of {len(trials)} trials of {found['condition']}, validation accuracy in %"
    show_table(title, ["trial", "state", "accuracy", *keys], rows, numbers=2)
    if best is None:
        typer.echo("No trial came to its end.")
        return
    typer.echo("The best one as a recipe has it:\n")
    typer.echo(as_toml(found["condition"], best["values"]))
    typer.echo(f"\nAll trials: {Path(found['folder']) / 'search.json'}")
