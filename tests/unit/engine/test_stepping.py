"""What is chosen for neurons that are stepped depends on each of them alone."""

import numpy as np
import pytest

import eventsim as es
from eventsim.engine.contract import stepping
from eventsim.engine.contract.job import Job
from eventsim.plan import Stage
from tests.unit.ranks.nets import CHANNELS

SIZE = 150


def job(neurons, precision):
    """Some of many neurons whose time constants all differ."""
    rng, net = np.random.default_rng(0), es.Network()
    taus = {name: rng.uniform(2.0, 30.0, SIZE)[neurons] for name in ("tau_mem", "tau_syn")}
    net.add_input("input", CHANNELS)
    population = net.add_population("a", neurons.size, **taus)
    return Job(Stage((population,), (), (), (None,)), (), np.array([10.0]), precision)


@pytest.mark.parametrize("precision", ["double", "single"])
@pytest.mark.parametrize("first", [1, 7, 31, 32, 33, 100])
def test_functions_of_a_neuron_do_not_depend_on_its_place(first, precision):
    frame = stepping.Frame(1.5, 0.5, False)
    every = stepping.windows_in(job(np.arange(SIZE), precision), frame)
    some = stepping.windows_in(job(np.arange(first, SIZE, 3), precision), frame)
    assert (some.width, some.pieces) == (every.width, every.pieces)
    np.testing.assert_array_equal(some.basis.by_v, every.basis.by_v[:, first::3])
    np.testing.assert_array_equal(some.basis.by_j, every.basis.by_j[:, first::3])


def test_ranges_count_on_from_each_first_number():
    found = stepping.ranges(np.array([5, 0, 9]), np.array([2, 0, 3]))
    np.testing.assert_array_equal(found, [5, 6, 9, 10, 11])
    assert stepping.ranges(np.zeros(0, np.int64), np.zeros(0, np.int64)).size == 0
