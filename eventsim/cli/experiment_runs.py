"""Runs of a recipe on the command line: the options that say where, and how they are executed."""

import re
import shlex
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from functools import partial
from pathlib import Path
from typing import Annotated

import typer

from eventsim.cli import completion
from eventsim.cli.checks import one_alone
from eventsim.cli.events import find_settings
from eventsim.cli.experiment_progress import RunBars, display
from eventsim.cli.options import DownloadOption, option
from eventsim.cli.regression import base_for_values, has_targets
from eventsim.cli.terminal import check_passed, going_on, say, say_backend
from eventsim.datasets import DATASETS
from eventsim.experiment import (
    Capacity,
    DataSettings,
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
    task_names,
)
from eventsim.experiment.executors import LOCAL
from eventsim.experiment.recipe import Smoke
from eventsim.runs.settings import Shape
from eventsim.train import TrainConfig

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
        help="A task: a data set with suitable settings (see: eventsim experiment list), or a "
        "TOML file. Or what eventsim train takes as DATA, with default settings. By "
        "default the recipe's own.",
        autocompletion=completion.complete_task,
    ),
]
ConditionsOption = Annotated[
    list[str] | None,
    typer.Option("--condition", metavar="NAME", help="Only this condition; repeat for more."),
]


@dataclass(frozen=True, kw_only=True)
class Executing:
    """Options of the execution of runs: download, executor, processes, threads."""

    download: DownloadOption = False
    executor: str = option(
        LOCAL,
        "Where runs are executed: local (processes of this machine), dask://HOST:PORT, or slurm "
        "(with parameters slurm?timeout_min=240&mem_gb=4). Extras: dask, slurm.",
        metavar="WHERE",
    )
    jobs: int | None = option(
        None,
        "Number of processes, each with one run at a time; 1 by default. 0: all runs in this "
        "process. Only with the executor local.",
        min=0,
    )
    threads: int | None = option(
        None,
        "Threads of each process; by default an equal share of the cores, with another executor 1.",
        min=1,
    )

    def __post_init__(self) -> None:
        one_alone(
            self.executor != LOCAL and self.jobs is not None,
            f"--jobs {self.jobs}",
            f"--executor {self.executor}",
            "the number of workers decides how many runs are executed at a time",
        )


def load_both(name: str, data: str | None) -> tuple[Recipe, Task]:
    """A recipe and the task that was asked for, or its own.

    What is neither a task nor its file is a data set, or a file with labels or targets.
    """
    recipe = load_recipe(name)
    if data is None:
        return recipe, load_task(recipe.task, home=recipe.home)
    if data in task_names() or data.endswith(".toml"):
        return recipe, load_task(data)
    if data in DATASETS or Path(data).exists():
        return recipe, _task_of(data)
    return recipe, load_task(data)  # which says what there is


def _task_of(data: str) -> Task:
    """Recordings of one's own as a task, with the default settings."""
    values = has_targets(data)
    settings, plain = find_settings(data, targets=values), DataSettings(file="")
    given = {key: v for key, v in asdict(settings).items() if v != getattr(plain, key)}
    small = Smoke(
        data={"train_samples": 60, "test_samples": 30},
        network={"hidden": [12, 8]},
        train={"epochs": 1, "batch_size": 20},
    )
    name = re.sub(r"[^A-Za-z0-9_-]+", "_", Path(settings.title).stem)
    train, usual = base_for_values().to_dict() if values else {}, TrainConfig().to_dict()
    return Task(
        name=name,
        title=settings.title,
        data=given,
        train={key: value for key, value in train.items() if value != usual[key]},
        smoke=small,
        place=f"--data {data}",
    )


def run_recipe(
    recipe: Recipe, task: Task, selection: Selection, root: Path, how: Executing
) -> tuple[Experiment, dict[str, Ended]]:
    """Every setting of a recipe's runs, and how each run ended that was missing in ``root``."""
    plan = resolve(recipe, task, selection)
    with open_executor(how.executor, root, threads=how.threads) as pool:
        # The data is opened here first: it is fetched and encoded once, and tells what is wrong
        # early.
        first = plan.data.turns[0]
        opened = first.labelled("train", download=how.download)
        first.labelled("test", download=how.download)
        plan = resolve(recipe, task, selection, Shape.of(opened))
        jobs = 1 if how.jobs is None else how.jobs
        with locked(root):
            return plan, _run_missing(plan, root, Capacity(jobs, how.threads, pool))


def failures(ended: Mapping[str, Ended]) -> dict[str, str]:
    """Errors of the runs that failed, by the label of the run."""
    return {label: how.text for label, how in ended.items() if how.failed}


def exit_if(failed: Mapping[str, str]) -> None:
    """Name the runs that failed and exit, if there are any."""
    if failed:
        say(f"{len(failed)} of the runs failed; the same command tries them again:")
        for label, text in failed.items():
            say(f"  {label}: {text}")
    check_passed(not failed)


def _run_missing(plan: Experiment, root: Path, capacity: Capacity) -> dict[str, Ended]:
    """Execute the missing runs, and return how each ended, by label."""
    specs = plan.specs()
    todo = missing(specs, root)
    save_plan(plan, root)
    say(f"{plan.title}: {len(specs)} runs, {len(specs) - len(todo)} are done. Folder: {root}")
    if plan.data.by_group or plan.data.is_read_here:
        say(f"data: {plan.data.info.description}; {plan.data.info.splits}")
    for number, one in enumerate(plan.data.turns, 1) if plan.data.folds is not None else ():
        say(f"fold {number} tests {one.fold}")
    if not todo:
        return {}
    if any(spec.grid is None for spec in todo):
        say_backend(plan.variants[0].train.backend)
    words = (
        "Stopped. What was learned is kept; type the same command to go on, or see what is there "
        f"by:\n  eventsim experiment table {shlex.quote(str(root))}"
    )
    with going_on(partial(say, words)), display() as progress:
        return run_all(todo, root, RunBars(progress, len(todo)), **vars(capacity))
