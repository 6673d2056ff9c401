"""The command behind the frontier of docs/benchmarks.md: its recipes are what it says."""

import pytest

from bench.suite.frontier import RECIPES, TASKS
from eventsim.experiment import load_recipe, load_task
from eventsim.experiment.resolve import Selection, resolve
from eventsim.runs.settings import Shape


@pytest.mark.parametrize("task", TASKS)
def test_conditions_differ_in_costs_and_length_alone(task):
    found = resolve(load_recipe(str(RECIPES[task])), load_task(TASKS[task]), Selection())
    plain, *others = (variant.train.to_dict() for variant in found.variants)
    for other in others:
        different = {key for key in plain if plain[key] != other[key]}
        assert different <= {"activity", "sparse", "epochs"}
        assert different
    net = found.variants[0].build(Shape.described(found.data))
    for variant in found.variants:
        variant.train.activity.check(net)
        variant.train.sparse.check(net)
