"""Two synapses of one pair of neurons stay apart, and do what their sum does."""

import functools

import numpy as np
import pytest
import scipy.sparse as sp

import eventsim as es
from eventsim.energy import count
from eventsim.engine.algorithm import algorithm_of
from eventsim.network.connectivity import synapse_numbers, with_synapses
from eventsim.plan import make_plan
from tests.support.compare import ATOL, assert_agrees, assert_same_spikes
from tests.support.losses import SpikeTimes
from tests.support.nets import large_net, lateral_net, random_net, random_stream, rebuilt

CASES = {
    "fan-in": lambda: random_net(1201, sparse=True, delays="source"),
    "queue": lambda: lateral_net(1202, delays="scalar"),
    "windows, sums": lambda n=120: large_net(1203, n=n, delays=7.0),
    "windows, sums of sources": lambda: large_net(
        1204, n=60, delays=np.random.default_rng(0).uniform(5.0, 9.0, 60)
    ),
}


def apart(net, seed=0):
    """The network with every synapse of sparse weights as one to three, and their parents."""
    rng, parents = np.random.default_rng(seed), {}

    def change(projection):
        delays = projection.delays
        if projection.kind != "sparse":
            return projection.weights, delays
        times = rng.integers(1, 4, projection.values.size)
        parent = parents[projection.name] = np.repeat(np.arange(times.size), times)
        part = rng.uniform(0.5, 1.5, parent.size)
        part /= np.bincount(parent, part)[parent]
        places = projection.sources()[parent], projection.targets()[parent]
        values = projection.values[parent] * part
        weights = sp.coo_array((values, places), projection.weights.shape)
        return weights, delays[parent] if projection.delay_per_synapse else delays

    return rebuilt(net, change), parents


def stream_of(net):
    duration = 60.0 if net.input.size == 5 else 40.0
    return random_stream(1210, n_samples=2, n_channels=net.input.size, duration=duration)


@functools.cache
def defined(case):
    """What the definition makes of the sums."""
    whole = CASES[case]()
    return es.simulate(whole, stream_of(whole), backend="reference")


@pytest.mark.parametrize("precision", ["double", "single"])
@pytest.mark.parametrize("case", list(CASES))
def test_spikes_are_those_of_the_sums(case, precision, backend):
    if (backend, precision) == ("reference", "single"):
        return
    whole = CASES[case]()
    net, parents = apart(whole)
    assert parents
    assert all(net.projections[name].has_multapses for name in parents)
    assert case.startswith(algorithm_of(make_plan(net).stages[0]))
    how, stream = {"backend": backend, "precision": precision}, stream_of(net)
    found = es.simulate(net, stream, **how)
    assert assert_same_spikes(found, defined(case), atol_ms=ATOL[precision], net=whole) > 20


@pytest.mark.parametrize("case", list(CASES))
def test_each_has_the_gradient_of_the_sum(case, backend):
    # The reference has neither windows nor blocks that a larger network would fill.
    smaller = {"n": 60} if (case, backend) == ("windows, sums", "reference") else {}
    whole = CASES[case](**smaller)
    net, parents = apart(whole)
    stream, loss = stream_of(net), SpikeTimes(*net.spiking)
    found, expected = (
        es.backward(one, es.simulate(one, stream, backend=backend), loss).flat()
        for one in (net, whole)
    )
    for name, parent in parents.items():
        key = f"{name}.weights"
        scale = abs(expected[key]).max()
        np.testing.assert_allclose(
            found[key], expected[key][parent], rtol=1e-6, atol=1e-8 * scale, err_msg=key
        )
        key = f"{name}.delays"
        np.testing.assert_allclose(found[key], expected[key], rtol=1e-6, atol=1e-7 * scale)


def lines(seed=1220, *, lateral=False, digits=9):
    """Delay lines: several synapses of each pair, each with a delay of its own; few, few digits."""
    net, _ = apart(lateral_net(seed) if lateral else random_net(seed, sparse=True))
    rng = np.random.default_rng(seed)
    for projection in net.projections.values():
        if projection.delay_per_synapse:
            projection.delays[...] = rng.uniform(0.6, 6.0, projection.delays.size).round(digits)
    return net


@pytest.mark.parametrize("digits", [9, 0])
@pytest.mark.parametrize("lateral", [False, True])
def test_delay_lines_agree_with_the_definition(lateral, digits, fast_backend):
    net = lines(lateral=lateral, digits=digits)
    assert_agrees(net, stream_of(net), fast_backend, SpikeTimes(*net.spiking))


def test_gradients_of_delay_lines_are_those_of_differences():
    net = lines()
    found = es.gradcheck(net, stream_of(net), SpikeTimes(*net.spiking), n_directions=4)
    assert found.fraction_compared > 0.8
    assert found.worst_relative_error < 1e-5


def test_delays_move_with_the_entries_of_rows_in_another_order():
    given = sp.csr_array(([1.0, 2.0, 3.0, 4.0], [2, 0, 2, 1], [0, 3, 4]), shape=(2, 3))
    net = es.Network()
    net.add_input("input", 2)
    net.add_population("hidden", 3)
    projection = net.connect("input", "hidden", given, delays=[1.0, 2.0, 3.0, 4.0])
    assert projection.weights.indices.tolist() == [0, 2, 2, 1]
    assert projection.values.tolist() == [2.0, 1.0, 3.0, 4.0]
    assert projection.delays.tolist() == [2.0, 1.0, 3.0, 4.0]
    assert given.indices.tolist() == [2, 0, 2, 1]


@pytest.mark.parametrize("silent", [False, True])
def test_what_meets_a_neuron_at_one_time_is_one_update(silent):
    whole = random_net(1230, sparse=True, delays="source")
    net, parents = apart(whole)
    if silent:  # the first synapse of each pair, but a pair keeps one
        for name, parent in parents.items():
            several = np.bincount(parent)[parent] > 1
            first = np.append(True, np.diff(parent) > 0)
            moved = net.projections[name].values
            behind = np.flatnonzero(several & first) + 1
            moved[behind] += moved[behind - 1]
            moved[behind - 1] = 0.0
    stream = stream_of(net)
    found, expected = (count(one, es.simulate(one, stream)) for one in (net, whole))
    for name, updates in expected.membrane_updates.items():
        np.testing.assert_array_equal(found.membrane_updates[name], updates)
    assert parents
    for name, parent in parents.items():
        assert found.synapses[name].stored == parent.size
        further = parent.size - expected.synapses[name].stored
        assert found.synapses[name].possible == expected.synapses[name].possible + further


def test_chosen_synapses_of_a_pair_are_those_that_stay():
    net, _ = apart(random_net(1240, sparse=True))
    name = "input->hidden1"
    projection = net.projections[name]
    numbers = synapse_numbers(projection)
    assert (np.diff(numbers) > 0).all()
    stay = np.random.default_rng(0).random(numbers.size) < 0.5
    kept = with_synapses(net, {name: numbers[stay]}).projections[name]
    assert kept.has_multapses
    for one, other in ((kept.values, projection.values), (kept.delays, projection.delays)):
        np.testing.assert_array_equal(one, other[stay])
    np.testing.assert_array_equal(kept.targets(), projection.targets()[stay])
