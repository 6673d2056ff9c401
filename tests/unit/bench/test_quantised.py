"""The command behind weights of few bits in docs/benchmarks.md: its recipe is what it says."""

import numpy as np

from bench.suite.quantised import RECIPE, TASK, on_grid
from eventsim.experiment import load_recipe, load_task
from eventsim.experiment.resolve import Selection, resolve
from eventsim.mapping import quantise
from tests.unit.train.task import small_net


def test_conditions_differ_in_numbers_alone():
    found = resolve(load_recipe(str(RECIPE)), load_task(str(TASK)), Selection())
    plain, *others = (variant.train.to_dict() for variant in found.variants)
    assert others
    for other in others:
        different = {key for key in plain if plain[key] != other[key]}
        assert different
        assert different <= {"quantise", "epochs"}


def test_grid_is_told_from_no_grid():
    net = small_net()
    assert not on_grid(net, 4)
    rounded = quantise(net, 4).net
    assert on_grid(rounded, 4)
    assert not on_grid(rounded, 3)
    rounded.projections["input->hidden1"].values[0, 0] *= np.nextafter(1.0, 2.0) + 1e-6
    assert not on_grid(rounded, 4)
