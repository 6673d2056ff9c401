"""The rate band and the lift of silent neurons."""

import numpy as np
import pytest
import scipy.sparse as sp

from eventsim.adjoint import backward
from eventsim.engine import simulate
from eventsim.errors import ParameterError
from eventsim.events import EventStream, SpikeTape, SpikeTrains
from eventsim.network import self_recurrent
from eventsim.train import ActivityCost, ClassTrains, RateBand, SpikeCount, lift_silent
from tests.support.nets import one_layer
from tests.unit.train.task import small_net, two_patterns


def net_of_three():
    net = one_layer("hidden", np.ones((2, 3)), threshold=1.5, v_leak=0.5)
    net.connect("hidden", "hidden", self_recurrent(np.full(3, 0.1)))
    return net


def tape_with_counts(counts, duration=500.0):
    """Two samples; all spikes of ``counts`` lie in the first."""
    neurons = np.repeat(np.arange(len(counts)), counts).astype(np.int32)
    times = np.linspace(1.0, 400.0, neurons.size)
    trains = SpikeTrains(times, neurons, np.array([0, neurons.size, neurons.size]), len(counts))
    stream = EventStream([], [], [0, 0, 0], n_channels=2, duration=duration)
    return SpikeTape(stream, {"hidden": trains}, {}, "reference", "double")


def test_rate_inside_the_band_costs_nothing():
    value, seeds = RateBand(1.0, 10.0)(net_of_three(), tape_with_counts([1, 5, 10]))
    assert value == 0.0
    np.testing.assert_array_equal(seeds["hidden"].voltage, 0.0)


def test_rate_band_value_and_seeds_follow_the_formula():
    # One second of input in all, so rates are counts: 2 above, 4 below, one inside.
    value, seeds = RateBand(6.0, 10.0, strength=0.2)(net_of_three(), tape_with_counts([12, 2, 7]))
    assert value == pytest.approx(0.5 * 0.2 * (2.0**2 + 4.0**2) / 3)
    voltage = seeds["hidden"].voltage
    np.testing.assert_allclose(voltage[:12], 0.2 * 2.0 / 3)  # threshold - v_leak = 1
    np.testing.assert_allclose(voltage[12:14], -0.2 * 4.0 / 3)
    np.testing.assert_array_equal(voltage[14:], 0.0)


@pytest.mark.parametrize(
    "loss",
    [
        RateBand(0.0, 1.0),
        ActivityCost(target=0.0),
        SpikeCount([2], population="hidden"),
        ClassTrains([2], population="hidden", miss_margin=1.0),
    ],
)
def test_spikes_that_are_too_many_are_pushed_down_where_neurons_rest_above_threshold(loss):
    net = net_of_three()
    net.connect("hidden", net.add_readout("output", 1), np.ones((3, 1)))
    net.population("hidden").v_leak[:2] = 1.5, 2.5  # the threshold is 1.5
    times = np.arange(1.0, 30.0)
    stream = EventStream(times, np.zeros(29, int), [0, 29], n_channels=2, duration=50.0)
    tape = simulate(net, stream)
    fired = tape["hidden"].neurons
    assert np.unique(fired).size == 3
    _, seeds = loss(net, tape)
    np.testing.assert_array_less(0.0, seeds["hidden"].voltage[fired < 2])


@pytest.mark.parametrize(("band", "wish"), [((200.0, 300.0), 1.0), ((0.0, 1.0), -1.0)])
def test_descent_on_the_pseudo_gradient_moves_the_rate_into_the_band(band, wish):
    net, stream = small_net(), two_patterns(20).stream
    before = len(simulate(net, stream)["hidden1"])
    for _ in range(5):
        gradients = backward(net, simulate(net, stream), RateBand(*band)).flat()
        weights = net.projections["input->hidden1"].weights
        direction = gradients["input->hidden1.weights"]
        weights -= 0.05 * direction / np.abs(direction).max()
    after = len(simulate(net, stream)["hidden1"])
    assert wish * (after - before) > 0


def test_lift_raises_only_incoming_weights_of_silent_neurons():
    net = net_of_three()
    assert lift_silent(net, {"hidden": np.array([3, 0, 1])}, amount=0.25) == 1
    weights = net.projections["input->hidden"].weights
    np.testing.assert_array_equal(weights, [[1.0, 1.25, 1.0], [1.0, 1.25, 1.0]])
    np.testing.assert_array_equal(net.projections["hidden->hidden"].weights, 0.1)


def test_lift_of_sparse_projection_changes_stored_entries_only():
    net = one_layer("hidden", sp.csr_array(np.diag([1.0, 2.0, 3.0])))
    lift_silent(net, {"hidden": np.array([0, 1, 0])}, amount=0.5)
    weights = net.projections["input->hidden"].weights
    assert weights.nnz == 3
    np.testing.assert_array_equal(weights.toarray(), np.diag([1.5, 2.0, 3.5]))


def test_lift_by_nothing_lifts_nobody():
    net = net_of_three()
    assert lift_silent(net, {"hidden": np.zeros(3, int)}, amount=0.0) == 0
    with pytest.raises(ParameterError, match="amount is -1"):
        lift_silent(net, {"hidden": np.zeros(3, int)}, amount=-1.0)
