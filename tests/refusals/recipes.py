"""Files of recipes, tasks and chips with a mistake: what the calls of ``recipes.toml`` read."""

from pathlib import Path

import pytest

from eventsim.chips import load_chip
from eventsim.experiment import Capacity, Selection, load_task
from eventsim.experiment.executors import open_executor
from tests.refusals.things import WRITTEN, file
from tests.unit.chips.test_load import GOOD
from tests.unit.experiment.conftest import Files
from tests.unit.experiment.test_recipe import SWEEP


def recipe(before, after, *, task=False, more=""):
    """The conditions of a recipe with its task; one of both is changed."""
    files = Files(Path())
    WRITTEN.extend([files.recipe, files.task])
    with files.recipe.open("a") as end:
        end.write(more)
    files.change(before, after, task=task)
    return files.resolve()


def swept(before, after):
    """The conditions of a recipe with a sweep, which is changed."""
    return recipe(before, after, more=SWEEP)


def task(before, after):
    """The conditions of a recipe whose task is changed."""
    return recipe(before, after, task=True)


def based(entry):
    """A task of one's own that is based on another, by an entry of its file."""
    head = 'format = "eventsim-task"\nversion = 1\nname = "mine"\n'
    return load_task(Path(file(f"{head}{entry}\n", "task.toml")).resolve())


def chip(before, after):
    """The chip of a file that is changed."""
    assert before in GOOD
    return load_chip(Path(file(GOOD.replace(before, after), "mine.toml")))


def searched(before, after, **chosen):
    """The search of a recipe that is changed."""
    pytest.importorskip("optuna")
    from eventsim.experiment.search import search
    from tests.unit.experiment.test_search import Trials

    files = Files(Path())
    WRITTEN.extend([files.recipe, files.task])
    files.change(before, after)
    given = *files.load(), Selection(**chosen), Path("out"), Trials()
    return search(*given, trials=1, capacity=Capacity(jobs=0))


def executor(name):
    with open_executor(name, Path()):
        pass
