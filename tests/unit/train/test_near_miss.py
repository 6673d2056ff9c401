"""Near misses: what silent neurons cost, missed output spikes by hand.

Their gradients are held to differences in ``tests/gradients/test_every_loss.py``.
"""

from dataclasses import replace

import numpy as np
import pytest

import eventsim as es
from eventsim.adjoint import VoltageSeed
from eventsim.events import SpikeTrains
from eventsim.train import ClassTrains, FirstSpike, NearMiss, RateBand, SpikeCount, SumOfLosses
from tests.support.nets import (
    one_layer,
    one_neuron,
    one_sample,
    random_net,
    random_stream,
)


def test_neuron_beyond_the_margin_costs_its_share_and_is_left_alone():
    net, stream = one_neuron([0.1], threshold=5.0), one_sample([1.0])
    tape = es.simulate(net, stream, backend="cpu")
    value, _ = NearMiss(3.0, margin=0.25)(net, tape)
    assert value == 3.0
    assert es.backward(net, tape, NearMiss(3.0, margin=0.25))["input->hidden"].weights[0, 0] == 0.0


def test_neuron_that_fires_costs_nothing():
    net, stream = one_neuron([20.0]), one_sample([1.0])
    tape = es.simulate(net, stream, backend="cpu")
    assert len(tape["hidden"])
    assert NearMiss(3.0)(net, tape) == (0.0, {})


def test_descent_on_near_misses_makes_a_silent_neuron_fire():
    net, stream = one_neuron([3.0, -1.0]), one_sample([1.0, 4.0], [0, 1], n_channels=2)
    weights, loss = net.projections["input->hidden"].weights, NearMiss(1.0, margin=0.8)
    assert not len(es.simulate(net, stream, backend="cpu")["hidden"])
    for _ in range(100):
        found = es.backward(net, es.simulate(net, stream, backend="cpu"), loss)
        weights -= 0.2 * found["input->hidden"].weights
    assert len(es.simulate(net, stream, backend="cpu")["hidden"]) == 1


def test_near_misses_add_to_other_seeds_of_the_same_population():
    net, stream = random_net(95, delays="none"), random_stream(91, n_samples=2, duration=60.0)
    net.populations["hidden1"].threshold[1] = 30.0
    tape = es.simulate(net, stream, backend="cpu")
    band, miss = RateBand(1.0, 5.0, strength=0.1), NearMiss(2.0, margin=50.0)
    together = es.backward(net, tape, SumOfLosses(((1.0, band), (0.5, miss)))).flat()
    one, two = es.backward(net, tape, band).flat(), es.backward(net, tape, miss).flat()
    assert two["hidden1.threshold"][1] > 0.0
    for key, values in together.items():
        np.testing.assert_allclose(values, one[key] + 0.5 * two[key], rtol=1e-9, atol=1e-12)


def silent_pair():
    """Two output neurons, neither of which fires; neuron 0 comes nearer to it."""
    net = one_layer("output", np.array([[4.0, 2.0]]), tau_mem=20.0, tau_syn=5.0, v_leak=-0.2)
    return net, one_sample([2.0])


@pytest.mark.parametrize(
    "make",
    [
        lambda label: SpikeCount(label, miss_margin=2.0),
        lambda label: FirstSpike(label, miss_margin=2.0),
        lambda label: ClassTrains(label, miss_margin=2.0),
    ],
)
def test_missed_spike_of_the_right_neuron_is_wanted_and_no_other(make):
    net, stream = silent_pair()
    tape = es.simulate(net, stream, backend="cpu")
    g = es.backward(net, tape, make(np.array([0])))["input->output"].weights
    assert g[0, 0] < 0.0
    assert g[0, 1] == 0.0


@pytest.mark.parametrize("late", [0.0, 0.2])
def test_missed_spike_is_weighed_by_what_it_would_change(late):
    net, stream = silent_pair()
    tape = es.simulate(net, stream, backend="cpu")
    alone = FirstSpike(
        np.array([0]), time_constant=30.0, late_strength=late, late_time_constant=40.0
    )
    loss = replace(alone, miss_margin=2.0)
    _, seed = loss(net, tape)[1]["output"]
    assert isinstance(seed, VoltageSeed)
    probe, by = seed.probe, seed.by_voltage
    time, v = probe.maximum.time[0], probe.maximum.value[0]
    lead = (100.0 - time) / 30.0
    change = np.log(0.5 + 0.5 * np.exp(lead)) - lead
    change += late * (np.exp(time / 40.0) - np.exp(100.0 / 40.0))
    expected = change / 1.2 * (1.0 - (1.0 - v) / (2.0 * 1.2))
    assert by[:, 0] == pytest.approx([expected, 0.0])
    spike = es.SpikeTape(
        stream,
        {"output": SpikeTrains(np.array([time]), np.zeros(1, np.int32), np.array([0, 1]), 2)},
        {},
        "cpu",
        "double",
    )
    assert change == pytest.approx(alone(net, spike)[0] - alone(net, tape)[0])


def test_missed_spikes_reach_the_weights_of_a_population_without_spikes():
    net, stream = silent_pair()
    tape = es.simulate(net, stream, backend="cpu")
    found = es.backward(net, tape, SpikeCount(np.array([0]), miss_margin=2.0))
    assert found["input->output"].weights[0, 0] < 0.0
