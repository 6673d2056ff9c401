"""Runs of a recipe on the command line: the options that say where, and how they are executed."""

import shlex
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

import typer

from eventsim.cli import completion
from eventsim.cli.experiment_progress import RunBars, display
from eventsim.cli.terminal import CHECK_FAILED, INTERRUPTED, say, say_backend
from eventsim.errors import ParameterError
from eventsim.experiment import (
    Capacity,
    Ended,
    Experiment,
    Recipe,
    Selection,
    Task,
    load_recipe,
    load_task,
    locked,
    missing,
    open_executor,
    resolve,
    run_all,
    save_plan,
)
from eventsim.experiment.executors import LOCAL
from eventsim.runs.settings import Shape

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
ConditionsOption = Annotated[
    list[str] | None,
    typer.Option("--condition", metavar="NAME", help="Only this one; repeat for more."),
]
JobsOption = Annotated[
    int | None,
    typer.Option(
        "--jobs",
        min=0,
        help="Processes at a time, one run each, 1 by default; 0: all in this process. Another "
        "executor has its own number.",
    ),
]


def load_both(name: str, data: str | None) -> tuple[Recipe, Task]:
    """A recipe and the task that was asked for, or its own."""
    recipe = load_recipe(name)
    return recipe, load_task(data or recipe.task, home="" if data else recipe.home)


@dataclass(frozen=True)
class Executing:
    """Where and how runs are executed, as it was typed: the options of ``experiment run``."""

    executor: str
    jobs: int | None
    threads: int | None
    download: bool

    def __post_init__(self) -> None:
        if self.executor != LOCAL and self.jobs is not None:
            raise ParameterError(
                f"--jobs {self.jobs} with --executor {self.executor}: how many runs go on at a "
                "time is the number of its workers. Leave out --jobs."
            )


def run_recipe(
    recipe: Recipe, task: Task, selection: Selection, root: Path, how: Executing
) -> tuple[Experiment, dict[str, Ended]]:
    """Every setting of a recipe's runs, and how each run ended that was missing in ``root``."""
    plan = resolve(recipe, task, selection)
    with open_executor(how.executor, root, threads=how.threads) as pool:
        # The data is opened here first: it is fetched and encoded once, and tells what is wrong
        # early.
        first = plan.data.folds[0]
        opened = plan.data.labelled("train", fold=first, download=how.download)
        plan.data.labelled("test", fold=first, download=how.download)
        plan = resolve(recipe, task, selection, Shape.of(opened))
        jobs = 1 if how.jobs is None else how.jobs
        with locked(root):
            return plan, _run_missing(plan, root, Capacity(jobs, how.threads, pool))


def failures(ended: Mapping[str, Ended]) -> dict[str, str]:
    """What went wrong, by the label of the run."""
    return {label: how.text for label, how in ended.items() if how.kind == "failed"}


def exit_if(failed: Mapping[str, str]) -> None:
    """Name the runs that failed and exit, if there are any."""
    if failed:
        say(f"{len(failed)} of the runs failed; the same command tries them again:")
        for label, text in failed.items():
            say(f"  {label}: {text}")
        raise typer.Exit(CHECK_FAILED)


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
