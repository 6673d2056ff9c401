"""``eventsim experiment ...``: recipes that compare networks and methods over seeds."""

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from functools import partial
from pathlib import Path
from typing import Annotated, Any

import typer

from eventsim.cli import experiment_runs, terminal
from eventsim.cli.experiment_progress import TrialBars, display, shown
from eventsim.cli.fields import Table, fields_of
from eventsim.cli.help import App
from eventsim.cli.options import FiguresOption, JsonOption, forms_of, option
from eventsim.entries import flat
from eventsim.events.storage import write_atomically, write_json
from eventsim.experiment import (
    Capacity,
    Selection,
    collect,
    load_recipe,
    load_task,
    locked,
    open_executor,
    recipe_names,
    resolve,
    task_names,
)
from eventsim.experiment.reading import source
from eventsim.experiment.results import HEAD
from eventsim.experiment.search import as_toml, search
from eventsim.experiment.table import (
    COLUMNS,
    COMPARED_COLUMNS,
    TOLD,
    cells,
    fold_cells,
    fold_columns,
    markdown,
    notes,
    partial_notes,
)
from eventsim.runs.networks import NetworkSettings
from eventsim.runs.settings import Shape
from eventsim.train import TrainConfig

MARKDOWN, TABLE, FIGURE = "table.md", "table.json", "figure.png"
BEST_TRIALS = 10
OF_A_SEARCH = (
    "file", "divide", "test_fraction", "validate", "seeds", "epochs", "smoke", "backend",
)  # fmt: skip
OF_A_RUN = (
    "file", "divide", "folds", "test_fraction", "held_out", "validate", "seeds", "epochs",
    "smoke", "backend",
)  # fmt: skip


class _RunByDefault(terminal.Guarded):
    """``eventsim experiment NAME`` is ``eventsim experiment run NAME``."""

    def resolve_command(self, ctx: Any, args: list[str]) -> Any:
        """The command that was typed, or ``run``."""
        if args and args[0] not in self.commands and not args[0].startswith("-"):
            args = ["run", *args]
        return super().resolve_command(ctx, args)


experiment_app = App(
    cls=_RunByDefault,
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    rich_markup_mode="rich",
    help="Recipes that compare networks and methods over seeds: one command, one table, one "
    "figure. [bold]eventsim experiment NAME[/bold] runs one.",
)


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
    terminal.present(found, _show_all, as_json=as_json)


@experiment_app.command("show")
def experiment_show(
    name: experiment_runs.RecipeArgument,
    data: experiment_runs.TaskOption = None,
    smoke: Annotated[
        bool, typer.Option("--smoke", help="Settings of --smoke: the small size of the task.")
    ] = False,
    as_toml: Annotated[
        bool, typer.Option("--toml", help="Print the file itself, to start a recipe of your own.")
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
    plan = resolve(*experiment_runs.load_both(name, data), Selection(smoke=smoke))
    shape = Shape.described(plan.data)
    found = {
        **{key: getattr(plan, key) for key in (*HEAD, "small_size")},
        "seeds": list(plan.seeds),
        "data": asdict(plan.data),
        "division": plan.data.info.splits,
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
    terminal.present(found, _show, as_json=as_json)


@experiment_app.command("run")
def experiment_run(
    name: experiment_runs.RecipeArgument,
    data: experiment_runs.TaskOption = None,
    condition: experiment_runs.ConditionsOption = None,
    *,
    how: experiment_runs.Executing,
    out: Annotated[
        Path | None, typer.Option(metavar="FOLDER", help="runs/experiments/RECIPE-TASK by default.")
    ] = None,
    figures: FiguresOption = None,
    as_json: JsonOption = False,
    selected: Annotated[Table, fields_of(Selection, *OF_A_RUN, panel="Options")],
) -> None:
    """Run the missing runs of a recipe, then show the table and draw the figure.

    Every condition runs with every seed in a folder of its own. Finished runs are not run again;
    stopped runs continue from their checkpoint. Runs that fail are named at the end, and the exit
    code is 1. The folder gets table.md, table.json and figure.png.

    [bold]Examples[/bold]

    eventsim experiment architectures --data yinyang --smoke

    eventsim experiment bip --data fsdd --seeds 5 --jobs 2

    eventsim experiment architectures --data fsdd --held-out theo --condition scsr_bip

    eventsim experiment bip --data mine.h5 --divide recording

    eventsim experiment bip --data mine.h5 --divide group --folds 5

    eventsim experiment bip --data mine.h5 --folds each

    eventsim experiment mine.toml --out runs/mine --figures pdf,svg

    eventsim experiment bip --seeds 100 --executor dask://head:8786
    """
    forms = forms_of(figures)
    recipe, task = experiment_runs.load_both(name, data)
    selection = Selection(conditions=tuple(condition or ()), **selected)
    root = out or Path("runs") / "experiments" / resolve(recipe, task, selection).name
    _, ended = experiment_runs.run_recipe(recipe, task, selection, root, how)
    failed = experiment_runs.failures(ended)
    terminal.present(_tabulate(root, forms) | {"failed": failed}, _show_findings, as_json=as_json)
    experiment_runs.exit_if(failed)


@experiment_app.command("table")
def experiment_table(
    folder: Annotated[Path, typer.Argument(metavar="FOLDER", help="Folder of an experiment.")],
    as_markdown: Annotated[
        bool, typer.Option("--markdown", help="Markdown on stdout, no table.")
    ] = False,
    figures: FiguresOption = None,
    as_json: JsonOption = False,
) -> None:
    """The table of an experiment, finished or not; writes its table and figure again.

    [bold]Example[/bold]: eventsim experiment table runs/experiments/bip-fsdd --markdown
    """
    found = _tabulate(folder, forms_of(figures))
    if as_markdown and not as_json:
        typer.echo((folder / MARKDOWN).read_text(encoding="utf-8"), nl=False)
    else:
        terminal.present(found, _show_findings, as_json=as_json)


@dataclass(frozen=True, kw_only=True)
class SearchOptions:
    """Options of ``eventsim experiment search``: condition, trials, processes, folder."""

    condition: str | None = option(
        None, "Condition whose settings are varied; by default the recipe's choice.", metavar="NAME"
    )
    trials: int | None = option(
        None, "Number of trials, those of earlier commands included.", min=1
    )
    jobs: int = option(
        1, "Trials at a time, each in a process; 0: one after the other in this process.", min=0
    )
    out: Path | None = option(None, "runs/searches/RECIPE-TASK by default.", metavar="FOLDER")


@experiment_app.command("search")
def experiment_search(
    name: experiment_runs.RecipeArgument,
    data: experiment_runs.TaskOption = None,
    *,
    asked: SearchOptions,
    how: Annotated[experiment_runs.Executing, "download", "executor", "threads"],
    as_json: JsonOption = False,
    selected: Annotated[Table, fields_of(Selection, *OF_A_SEARCH, panel="Options")],
) -> None:
    r"""Look for better settings with Optuna, within the recipe's ranges, on validation data only.

    Trials that are below the median of the others after an epoch are stopped. The same command
    continues a search. Needs Optuna, the extra search of eventsim.

    [bold]Examples[/bold]

    eventsim experiment search architectures --data yinyang --trials 30

    eventsim experiment search bip --data fsdd --trials 200 --jobs 20 --executor dask://head:8786
    """
    recipe, task = experiment_runs.load_both(name, data)
    selection = Selection(conditions=(asked.condition,) if asked.condition else (), **selected)
    plan = resolve(recipe, task, selection)
    if how.download:
        plan.data.labelled("train", download=True)
    folder = asked.out or Path("runs") / "searches" / plan.name
    terminal.say_backend(plan.variants[0].train.backend)
    words = f"Stopped. Type the same command to go on. Folder: {folder}"
    with (
        terminal.going_on(partial(terminal.say, words)),
        open_executor(how.executor, folder, threads=how.threads) as pool,
        locked(folder),
        display() as progress,
    ):
        found = search(
            recipe, task, selection, folder, TrialBars(progress),
            trials=asked.trials, capacity=Capacity(asked.jobs, how.threads, pool),
        )  # fmt: skip
    terminal.present(asdict(found) | {"folder": str(folder)}, _show_search, as_json=as_json)


def _tabulate(root: Path, forms: Sequence[str] = ()) -> dict[str, Any]:
    """Read all results of an experiment, and write its table and figure."""
    found = collect(root)
    write_atomically(root / MARKDOWN, markdown(found))
    write_json(root / TABLE, asdict(found))
    if found.rows:
        from eventsim.experiment.figure import figure  # loads Matplotlib
        from eventsim.plot.style import write_figure

        for form in dict.fromkeys(("png", *forms)):
            write_figure((root / FIGURE).with_suffix(f".{form}"), partial(figure, found))
    figures = [FIGURE, *(Path(FIGURE).with_suffix(f".{form}").name for form in forms)]
    names = [MARKDOWN, TABLE, *(dict.fromkeys(figures) if found.rows else ())]
    return {
        **asdict(found),
        "folder": str(root),
        "files": [str(root / name) for name in names],
        "table": {"columns": list(COLUMNS), "cells": cells(found), "notes": notes(found)},
        "partial_notes": partial_notes(found),
        "fold_table": {"columns": fold_columns(found), "cells": fold_cells(found)},
    }


def _show_all(found: Mapping[str, Any]) -> None:
    """Recipes and tasks as tables."""
    rows = [[r["name"], r["title"], ", ".join(r["conditions"])] for r in found["recipes"]]
    terminal.show_table("Recipes", ["name", "what it asks", "conditions"], rows, numbers=3)
    rows = [[task["name"], task["title"]] for task in found["tasks"]]
    terminal.show_table("Tasks, for --data", ["name", "data"], rows, numbers=2)
    typer.echo("Try: eventsim experiment architectures --data yinyang --smoke")


def _show(found: Mapping[str, Any]) -> None:
    """Settings of the conditions as tables: those that differ, and those that are shared."""
    typer.echo(found["about"] or found["title"])
    if found["small_size"] is not None:
        typer.echo(found["small_size"])
    typer.echo(f"Seeds {found['seeds']}; baseline {found['baseline']}.")
    typer.echo(f"Division: {found['division']}.")
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
    terminal.show_table(
        found["title"], ["condition", "in what they differ", "parameters"], rows, numbers=2
    )
    usual = flat({"network": NetworkSettings().described(), "train": TrainConfig().to_dict()})
    shared = [
        [key, shown(value)]
        for key, value in settings[0].items()
        if key.startswith(("network.", "train."))
        and key not in differing
        and shown(value) != shown(usual.get(key))
    ]
    terminal.show_table("Shared settings that are not the defaults", ["", ""], shared)


def _show_findings(found: Mapping[str, Any]) -> None:
    """The table, its notes, and where everything is."""
    if not found["rows"]:
        waiting = found["partial_notes"]
        typer.echo("No condition is done in all folds." if waiting else "No run is done yet.")
        for note in waiting:
            typer.echo(note)
        return
    table, split = found["table"], COMPARED_COLUMNS
    columns, rows = table["columns"], table["cells"]
    terminal.show_table(found["title"], columns[:split], [row[:split] for row in rows])
    folds = found["fold_table"]
    if folds["cells"]:
        told = TOLD[found["measure"]]
        unit = " in %" if told.scale > 1 else ""
        title = f"{told.what} on the test part{unit} by fold, last epoch, mean over seeds"
        terminal.show_table(title, folds["columns"], folds["cells"], numbers=2)
    costs = [[row[0], *row[split:]] for row in rows]
    terminal.show_table("What it costs", [columns[0], *columns[split:]], costs)
    for note in table["notes"]:
        typer.echo(note)
    for path in found["files"]:
        typer.echo(f"Written: {path}")


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
    seeds, by = ", ".join(map(str, found["seeds"])), found["validated_by"]
    title = (
        f"Best of {len(trials)} trials of {found['condition']}: validation accuracy in %, last "
        f"epoch, mean over seeds {seeds}; validated by {by}"
    )
    terminal.show_table(title, ["trial", "state", "accuracy", *keys], rows, numbers=2)
    if found["small_size"] is not None:
        typer.echo(found["small_size"])
    if best is None:
        typer.echo("No trial came to its end.")
        return
    if found["tied"] > 1:
        typer.echo(f"{found['tied']} trials reached the best value; the earliest is taken.")
    typer.echo(
        "The best of many trials is chosen by this value, which is too good for that reason: run "
        "the recipe with its settings for an accuracy to report."
    )
    typer.echo("The best one as a recipe has it:\n")
    typer.echo(as_toml(found["condition"], best["values"]))
    typer.echo(f"\nAll trials: {Path(found['folder']) / 'search.json'}")
