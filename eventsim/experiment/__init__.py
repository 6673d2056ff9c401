"""Recipes compare networks, methods, data and seeds by one command.

A recipe (:mod:`eventsim.experiment.recipe`) lists conditions; :func:`resolve` fills in every
setting; :func:`run_all` trains the missing runs, each in a process of its own or on a cluster,
whose executor :func:`open_executor` makes; :func:`collect` reads the results, with tests over
seeds. :func:`search` looks for better settings on validation data.

>>> from eventsim import experiment
>>> recipe, task = experiment.load_recipe("bip"), experiment.load_task("yinyang")
>>> plan = experiment.resolve(recipe, task, experiment.Selection(smoke=True))
>>> [variant.name for variant in plan.variants][:3]
['none', 'tau_mem', 'tau_syn']
"""

from eventsim.experiment.executors import open_executor
from eventsim.experiment.pool import Observer, missing, run_all
from eventsim.experiment.reading import RecipeError
from eventsim.experiment.recipe import (
    Condition,
    Recipe,
    Sweep,
    Task,
    load_recipe,
    load_task,
    recipe_names,
    task_names,
)
from eventsim.experiment.resolve import Experiment, Selection, resolve
from eventsim.experiment.results import Findings, Row, collect, save_plan
from eventsim.experiment.statistics import Comparison, Summary, compare, holm
from eventsim.experiment.workers import Capacity, Ended
from eventsim.folders import locked
from eventsim.runs.data import DataSettings
from eventsim.runs.execution import execute
from eventsim.runs.networks import NetworkSettings
from eventsim.runs.settings import RunSettings, Shape

__all__ = [
    "Capacity", "Comparison", "Condition", "DataSettings", "Ended", "Experiment", "Findings",
    "NetworkSettings", "Observer", "Recipe", "RecipeError", "Row", "RunSettings", "Shape",
    "Summary", "Sweep", "Task", "Selection", "collect", "compare", "execute", "holm", "load_recipe",
    "load_task", "locked", "missing", "open_executor", "recipe_names", "resolve", "run_all",
    "save_plan", "task_names",
]  # fmt: skip
