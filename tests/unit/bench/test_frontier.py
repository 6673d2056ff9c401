"""The command behind the frontier of docs/benchmarks.md: its recipes are what it says."""

from dataclasses import replace

import pytest

from bench.suite.frontier import SWEEPS
from eventsim.experiment import load_recipe, load_task
from eventsim.experiment.resolve import Selection, resolve
from eventsim.runs.settings import Shape


def resolved(task):
    return resolve(load_recipe(SWEEPS[task].recipe), load_task(SWEEPS[task].data), Selection())


@pytest.mark.parametrize("task", SWEEPS)
def test_sweep_has_a_dozen_conditions_and_leaves_out_a_grid_unless_it_says_so(task):
    sweep, found = SWEEPS[task], resolved(task)
    assert len(sweep.conditions()) >= 12
    left = {one.name for one in found.variants} - set(sweep.conditions())
    assert left == (set() if sweep.grid else {"grid_1ms"})


@pytest.mark.parametrize("task", SWEEPS)
def test_conditions_differ_in_costs_and_length_alone(task):
    found = resolved(task)
    first, *others = (variant for variant in found.variants if variant.grid is None)
    plain = first.train.to_dict()
    assert others
    for other in others:
        train = other.train.to_dict()
        different = {key for key in plain if plain[key] != train[key]}
        assert different <= {"activity", "sparse", "quantise", "epochs"}
        smaller = replace(other.network, hidden=first.network.hidden) == first.network
        assert smaller  # in nothing else
        assert different or other.network != first.network
    for variant in found.variants:
        net = variant.build(Shape.described(found.data))
        variant.train.activity.check(net)
        variant.train.sparse.check(net)


def test_counterpart_on_a_grid_lacks_only_what_a_grid_cannot_have():
    found = resolved("fsdd_400")
    plain = found.variants[0]
    (grid,) = (variant for variant in found.variants if variant.grid is not None)
    given, own = plain.train.to_dict(), grid.train.to_dict()
    assert {key for key in given if given[key] != own[key]} == {"bip"}
    assert set(given["bip"]) - set(own["bip"]) == {"v_leak", "v_reset"}
    assert grid.network == plain.network
