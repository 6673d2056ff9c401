"""The command behind the frontier of docs/benchmarks.md: its recipes are what it says."""

from dataclasses import replace

import pytest

from bench.suite.frontier import RECIPES, TASKS
from eventsim.experiment import load_recipe, load_task
from eventsim.experiment.resolve import Selection, resolve
from eventsim.runs.settings import Shape


@pytest.mark.parametrize("task", TASKS)
def test_conditions_differ_in_costs_and_length_alone(task):
    found = resolve(load_recipe(str(RECIPES[task])), load_task(TASKS[task]), Selection())
    first, *others = (variant for variant in found.variants if variant.grid is None)
    plain = first.train.to_dict()
    for other in others:
        train = other.train.to_dict()
        different = {key for key in plain if plain[key] != train[key]}
        assert different <= {"activity", "sparse", "epochs"}
        smaller = replace(other.network, hidden=first.network.hidden) == first.network
        assert smaller  # in nothing else
        assert different or other.network != first.network
    for variant in found.variants:
        net = variant.build(Shape.described(found.data))
        variant.train.activity.check(net)
        variant.train.sparse.check(net)


def test_counterpart_on_a_grid_lacks_only_what_a_grid_cannot_have():
    task = "fsdd_400"
    found = resolve(load_recipe(str(RECIPES[task])), load_task(TASKS[task]), Selection())
    plain = found.variants[0]
    (grid,) = (variant for variant in found.variants if variant.grid is not None)
    given, own = plain.train.to_dict(), grid.train.to_dict()
    assert {key for key in given if given[key] != own[key]} == {"bip"}
    assert set(given["bip"]) - set(own["bip"]) == {"v_leak", "v_reset"}
    assert grid.network == plain.network
