"""Other synapses for a network: values, delays and all else stay where they belong."""

import numpy as np
import pytest
import scipy.sparse as sp

import eventsim as es
from eventsim.errors import NetworkError
from eventsim.network.connectivity import moved, synapse_numbers, with_synapses, without_neurons
from tests.support.nets import one_layer, random_net, random_stream


def test_values_move_by_number_and_new_synapses_have_none():
    found = moved(np.array([5.0, 6.0, 7.0]), np.array([1, 4, 9]), np.array([0, 4, 9, 11]))
    np.testing.assert_array_equal(found, [0.0, 6.0, 7.0, 0.0])
    np.testing.assert_array_equal(moved(np.zeros(0), np.zeros(0, int), np.array([3])), [0.0])


@pytest.mark.parametrize("delays", ["none", "scalar", "source", "synapse"])
@pytest.mark.parametrize("sparse", [False, True])
def test_all_that_stays_is_as_it_was(delays, sparse):
    net = random_net(3, sparse=sparse, delays=delays)
    before = net.copy()
    name = "input->hidden1"
    numbers = synapse_numbers(net.projections[name])
    after = numbers[numbers % 3 != 1]
    found = with_synapses(net, {name: after})
    projection, old = found.projections[name], before.projections[name]
    assert projection.kind == "sparse"
    np.testing.assert_array_equal(synapse_numbers(projection), after)
    full = old.matrix(old.values)
    kept = np.zeros(full.size)
    kept[after] = full.ravel()[after]
    np.testing.assert_array_equal(projection.weights.toarray(), kept.reshape(full.shape))
    expected = old.synapse_delays()[np.isin(numbers, after)]
    np.testing.assert_array_equal(projection.synapse_delays(), expected)
    for key, values in before.parameters().items():
        np.testing.assert_array_equal(net.parameters()[key], values)
        if not key.startswith(name):
            np.testing.assert_array_equal(found.parameters()[key], values)


def test_all_possible_synapses_change_no_spike():
    net, stream = random_net(3, sparse=True, delays="source"), random_stream(4)
    full = {
        name: np.arange(np.prod(p.weights.shape))
        for name, p in net.projections.items()
        if not p.one_to_one
    }
    one, other = (
        es.simulate(n, stream, backend="reference") for n in (net, with_synapses(net, full))
    )
    for name in net.spiking:
        np.testing.assert_allclose(one[name].times, other[name].times, rtol=1e-12)
        np.testing.assert_array_equal(one[name].neurons, other[name].neurons)


def test_delays_per_synapse_without_a_value_are_refused():
    net = one_layer("hidden", sp.csr_array(np.eye(3, 2)), delays=[1.0, 2.0])
    with pytest.raises(NetworkError, match="has a delay per synapse, 2 in all"):
        with_synapses(net, {"input->hidden": np.array([0, 5])})
    dense = one_layer("hidden", np.ones((3, 2)), delays=np.arange(6.0).reshape(3, 2))
    # As many as sources: each synapse keeps its own.
    found = with_synapses(dense, {"input->hidden": np.array([0, 1, 5])})
    projection = found.projections["input->hidden"]
    assert projection.delays_of == "synapse"
    np.testing.assert_array_equal(projection.delays, [0.0, 1.0, 5.0])


@pytest.mark.parametrize("delays", ["none", "source", "synapse"])
@pytest.mark.parametrize("sparse", [False, True])
def test_neurons_that_stay_fire_as_before_where_the_others_were_silent(delays, sparse):
    net, stream = random_net(3, sparse=sparse, delays=delays), random_stream(4)
    for name in ("hidden1", "hidden2"):
        net.populations[name].threshold[2] = 1e6
    before = es.simulate(net, stream, backend="reference")
    kept = {
        name: np.flatnonzero(np.arange(net.populations[name].size) != 2) for name in net.spiking
    }
    found = without_neurons(net, kept)
    after = es.simulate(found, stream, backend="reference")
    for name, neurons in kept.items():
        assert found.populations[name].size == neurons.size
        np.testing.assert_array_equal(neurons[after[name].neurons], before[name].neurons)
        np.testing.assert_allclose(after[name].times, before[name].times, rtol=1e-12)
