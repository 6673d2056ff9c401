"""``eventsim experiment ...``: what the commands do."""

import shlex
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import typer

from eventsim import experiment
from eventsim.cli.experiment_progress import ExperimentProgress, SearchProgress, shown
from eventsim.cli.options import set_threads
from eventsim.cli.terminal import INTERRUPTED, say, say_backend, show_table, stderr
from eventsim.entries import flat
from eventsim.events.storage import write_atomically, write_json
from eventsim.experiment import Ended, Experiment, Findings, NetworkSettings, Shape
from eventsim.experiment.reading import source
from eventsim.experiment.search import as_toml, search
from eventsim.experiment.table import ACCURACY_COLUMNS, COLUMNS, cells, markdown, notes
from eventsim.train import TrainConfig

__all__ = [
    "Choice",
    "describe",
    "describe_all",
    "run",
    "say_failed",
    "search_settings",
    "show",
    "show_all",
    "show_findings",
    "show_search",
    "source",
    "tabulate",
]

MARKDOWN, TABLE, FIGURE = "table.md", "table.json", "figure.png"
BEST_TRIALS = 10


@dataclass(frozen=True, kw_only=True)
class Choice:
    """What was typed; None and empty for what recipe and task say."""

    recipe: str
    task: str | None = None
    file: Path | None = None
    download: bool = False
    held_out: tuple[str, ...] = ()
    conditions: tuple[str, ...] = ()
    seeds: int | None = None
    epochs: int | None = None
    smoke: bool = False
    backend: str | None = None

    def load(self) -> tuple[experiment.Recipe, experiment.Task, experiment.Wish]:
        """Recipe, task, and what is asked for beside."""
        recipe = experiment.load_recipe(self.recipe)
        home = recipe.home if self.task is None else ""
        task = experiment.load_task(self.task or recipe.task, home=home)
        wish = experiment.Wish(
            conditions=self.conditions,
            seeds=tuple(range(self.seeds or 0)),
            epochs=self.epochs,
            backend=self.backend,
            held_out=self.held_out,
            file=None if self.file is None else str(self.file.resolve()),
            smoke=self.smoke,
        )
        return recipe, task, wish


def describe_all() -> dict[str, Any]:
    """The recipes and tasks that come with eventsim."""
    recipes = [experiment.load_recipe(name) for name in experiment.recipe_names()]
    tasks = [experiment.load_task(name) for name in experiment.task_names()]
    return {
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
        "tasks": [{"name": one.name, "title": one.title} for one in tasks],
    }


def show_all(found: Mapping[str, Any]) -> None:
    """Recipes and tasks as tables."""
    rows = [[r["name"], r["title"], ", ".join(r["conditions"])] for r in found["recipes"]]
    show_table("Recipes", ["name", "what it asks", "conditions"], rows, numbers=3)
    rows = [[task["name"], task["title"]] for task in found["tasks"]]
    show_table("Tasks, for --data", ["name", "data"], rows, numbers=2)
    typer.echo("Try: eventsim experiment architectures --data yinyang --smoke")


def describe(choice: Choice) -> dict[str, Any]:
    """A recipe on its task, every setting known."""
    found = experiment.resolve(*choice.load())
    shape = Shape.described(found.data)
    return {
        "name": found.name,
        "title": found.title,
        "about": found.about,
        "baseline": found.baseline,
        "seeds": list(found.seeds),
        "data": asdict(found.data),
        "conditions": [
            {
                "name": variant.name,
                "title": variant.title,
                "method": variant.method,
                "dt": None if variant.grid is None else variant.grid.dt,
                "parameters": variant.count_parameters(shape),
                "network": variant.network.described() if variant.network else {},
                "train": variant.train.to_dict(),
            }
            for variant in found.variants
        ],
    }


def show(found: Mapping[str, Any]) -> None:
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


def run(
    choice: Choice, out: Path | None, *, jobs: int, threads: int | None
) -> tuple[dict[str, Any], dict[str, str]]:
    """Run what is missing; findings, and the errors of runs that failed by their names."""
    recipe, task, wish = choice.load()
    found = experiment.resolve(recipe, task, wish)
    # The data is opened here first: it is fetched and encoded once, and tells what is wrong early.
    opened = found.data.labelled("train", fold=found.data.folds[0], download=choice.download)
    found.data.labelled("test", fold=found.data.folds[0], download=choice.download)
    found = experiment.resolve(recipe, task, wish, Shape.of(opened))
    root = out or Path("runs") / "experiments" / found.name
    if jobs == 0:
        set_threads(threads, choice.backend)
    with experiment.locked(root):
        ended = _run_missing(found, root, jobs=jobs, threads=threads)
    failed = {label: how.text for label, how in ended.items() if how.kind == "failed"}
    return tabulate(root) | {"failed": failed}, failed


def _run_missing(
    found: Experiment, root: Path, *, jobs: int, threads: int | None
) -> dict[str, Ended]:
    """How each run ended that was missing."""
    specs = found.specs()
    todo = experiment.missing(specs, root)
    experiment.save_plan(found, root)
    say(f"{found.title}: {len(specs)} runs, {len(specs) - len(todo)} are done. Folder: {root}")
    if not todo:
        return {}
    if any(spec.grid is None for spec in todo):
        say_backend(found.variants[0].train.backend)
    try:
        with ExperimentProgress(stderr(), len(todo)) as progress:
            return experiment.run_all(todo, root, progress, jobs=jobs, threads=threads)
    except KeyboardInterrupt:
        say(
            "Stopped. What was learned is kept; type the same command to go on, or see what is "
            f"there by:\n  eventsim experiment table {shlex.quote(str(root))}"
        )
        raise typer.Exit(INTERRUPTED) from None


def tabulate(root: Path) -> dict[str, Any]:
    """Read all results of an experiment, and write its table and figure."""
    found = experiment.collect(root)
    text = markdown(found)
    write_atomically(root / MARKDOWN, text)
    write_json(root / TABLE, found.to_dict())
    if found.rows:
        _draw(root / FIGURE, found)
    return {
        **found.to_dict(),
        "folder": str(root),
        "table": {"columns": list(COLUMNS), "cells": cells(found), "notes": notes(found)},
    }


def show_findings(found: Mapping[str, Any]) -> None:
    """The table, its notes, and where everything is."""
    if not found["rows"]:
        typer.echo("No run is done yet.")
        return
    table, split = found["table"], ACCURACY_COLUMNS
    columns, rows = table["columns"], table["cells"]
    show_table(found["title"], columns[:split], [row[:split] for row in rows])
    show_table(
        "What it costs",
        [columns[0], *columns[split:]],
        [[row[0], *row[split:]] for row in rows],
    )
    for note in table["notes"]:
        typer.echo(note)
    for name in (MARKDOWN, TABLE, FIGURE):
        typer.echo(f"Written: {Path(found['folder']) / name}")


def say_failed(failed: Mapping[str, str]) -> None:
    """The runs that failed, on stderr."""
    say(f"{len(failed)} of the runs failed; the same command tries them again:")
    for label, text in failed.items():
        say(f"  {label}: {text}")


def _draw(path: Path, found: Findings) -> None:
    from eventsim.report.experiment_figures import ConditionPoints, comparison
    from eventsim.report.style import look, png

    rows = [
        ConditionPoints(
            row.title,
            row.accuracies,
            row.selected_accuracies,
            row.measured["synaptic_operations_per_inference"],
        )
        for row in found.rows
    ]
    names = [row.name for row in found.rows]
    baseline = names.index(found.baseline) if found.baseline in names else None
    with look():
        content = png(comparison(rows, baseline=baseline, title=found.title))
    write_atomically(path, content)


def search_settings(
    choice: Choice, out: Path | None, *, trials: int | None, threads: int | None
) -> dict[str, Any]:
    """Search, and say what was found as JSON."""
    recipe, task, wish = choice.load()
    plan = experiment.resolve(recipe, task, wish)
    if choice.download:
        plan.data.labelled("train", download=True)
    folder = out or Path("runs") / "searches" / plan.name
    set_threads(threads, choice.backend)
    say_backend(plan.variants[0].train.backend)
    try:
        with experiment.locked(folder), SearchProgress(stderr()) as progress:
            found = search(recipe, task, wish, folder, progress, trials=trials)
    except KeyboardInterrupt:
        say(f"Stopped. Type the same command to go on. Folder: {folder}")
        raise typer.Exit(INTERRUPTED) from None
    return asdict(found) | {"folder": str(folder)}


def show_search(found: Mapping[str, Any]) -> None:
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
