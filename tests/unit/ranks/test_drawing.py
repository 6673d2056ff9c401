"""Networks by rules: what is drawn, and that it does not depend on who draws it."""

from dataclasses import replace

import numpy as np
import pytest

from eventsim.network import uniform
from eventsim.ranks import RandomNetwork
from eventsim.ranks.decomposition import Decomposition
from eventsim.ranks.part import part_of
from tests.unit.ranks.nets import balanced, distinct

DELAYS = [1.5, uniform(0.5, 3.0)]


def synapses(part):
    """All synapses of a part: source, target neuron, weight and delay, in one order."""
    bundles = np.diff(part.synapse)
    source = np.repeat(np.repeat(part.sources, np.diff(part.first)), bundles)
    delay = np.repeat(part.delay, bundles)
    table = np.stack([source, part.neurons[part.target], part.weight, delay])
    return table[:, np.lexsort(table[:2])]


def assert_same_part(part, other):
    for name in ("neurons", "sources", "first", "delay", "synapse", "target", "weight"):
        np.testing.assert_array_equal(getattr(part, name), getattr(other, name), err_msg=name)
    for name, values in part.population.parameters.items():
        np.testing.assert_array_equal(values, other.population.parameters[name], err_msg=name)


def test_whole_network_has_the_in_degrees_and_no_neuron_as_its_own_source():
    net = balanced().whole()
    for name, k in (("input->exc", 20), ("exc->exc", 30), ("exc->inh", 30), ("inh->inh", 10)):
        matrix = net.projections[name].weights.tocsc()
        np.testing.assert_array_equal(np.diff(matrix.indptr), k)
        if name in ("exc->exc", "inh->inh"):
            assert not matrix.diagonal().any()


def test_values_that_are_drawn_lie_in_their_range_and_differ():
    net = balanced(delay=uniform(0.5, 3.0)).whole()
    for values, low, high in (
        (net.populations["exc"].tau_mem, 15.0, 25.0),
        (net.projections["exc->inh"].values, 5.0, 15.0),
        (net.projections["exc->inh"].delays, 0.5, 3.0),
    ):
        assert low <= values.min() < values.max() <= high
        assert np.unique(values).size == values.size


@pytest.mark.parametrize("delay", DELAYS)
@pytest.mark.parametrize("n_ranks", [2, 3, 5])
def test_parts_of_all_processes_are_together_the_network_of_one(delay, n_ranks):
    net = balanced(delay=delay)
    parts = [net.part(n_ranks, rank) for rank in range(n_ranks)]
    table = np.concatenate([synapses(part) for part in parts], axis=1)
    np.testing.assert_array_equal(table[:, np.lexsort(table[:2])], synapses(net.part()))
    order = np.argsort(np.concatenate([part.neurons for part in parts]))
    for name, values in net.part().population.parameters.items():
        drawn = np.concatenate([part.population.parameters[name] for part in parts])
        np.testing.assert_array_equal(drawn[order], values)


@pytest.mark.parametrize("delay", DELAYS)
@pytest.mark.parametrize("n_ranks", [1, 3])
def test_parts_of_the_whole_network_are_those_drawn(delay, n_ranks):
    net = balanced(delay=delay)
    whole = net.whole()
    for rank in range(n_ranks):
        drawn = net.part(n_ranks, rank)
        cut = part_of(whole, Decomposition(drawn.outline.sizes, n_ranks), rank)
        # The least delay that is drawn is above the least that can be.
        assert cut.outline.least_delay >= drawn.outline.least_delay
        assert replace(cut.outline, least_delay=0.0) == replace(drawn.outline, least_delay=0.0)
        # The fastest rate is that of the synapses, which all neurons share.
        assert (drawn.outline.fastest, drawn.outline.alike) == (0.5, False)
        assert_same_part(cut, drawn)


def test_process_stores_the_synapses_onto_its_own_neurons_only():
    net = RandomNetwork(seed=1)
    net.add_input("input", 100)
    net.add_population("neurons", 2048)
    net.connect("input", "neurons", 1.0, rule=distinct(10))
    net.connect("neurons", "neurons", 1.0, rule=distinct(50), delays=1.0)
    whole = net.part()
    assert whole.n_synapses == 2048 * 60
    for n_ranks in (2, 4, 8):
        for rank in range(n_ranks):
            part = net.part(n_ranks, rank)
            assert part.n_synapses * n_ranks == whole.n_synapses
            assert part.weight.nbytes + part.target.nbytes == 12 * part.n_synapses
            # One delay for the synapses of a source.
            assert part.delay.size == part.sources.size


def test_another_seed_draws_another_network_and_the_same_the_same():
    one, same, other = (synapses(balanced(seed=seed).part()) for seed in (3, 3, 4))
    np.testing.assert_array_equal(one, same)
    assert not np.array_equal(one, other)
