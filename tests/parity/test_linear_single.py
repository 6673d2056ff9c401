"""Linear neurons on the cpu in single precision, against double; and where they stay double."""

from dataclasses import replace

import numpy as np
import pytest

import eventsim as es
from eventsim.engine.cpu import arrays, linear_host
from tests.support.compare import SINGLE_ATOL, assert_close_by_name, assert_same_spikes
from tests.support.linear_neurons import dense_layer, dense_stream, random_network
from tests.support.losses import Sums

# Of the largest derivative by a name, where both go back from the same spikes.
GRADIENT_RTOL = 1e-4


@pytest.mark.parametrize("kind", ["adlif", "resonator", "cable"])
@pytest.mark.parametrize("way", ["side by side", "event by event"])
def test_layers_in_single_precision_have_the_spikes_and_gradients_of_double(kind, way, monkeypatch):
    net, events = dense_layer(kind), dense_stream()
    monkeypatch.setattr(arrays, "CHUNKS", 1)  # all samples into one sum
    tape = es.simulate(net, events, backend="cpu")
    loss = Sums(net, events.n_samples)
    right = es.backward(net, tape, loss).flat()
    if way == "event by event":
        monkeypatch.setattr(linear_host, "side_by_side", lambda *_: False)
    single = es.simulate(net, events, backend="cpu", precision="single")
    assert not np.array_equal(single["h"].times, tape["h"].times)
    assert_same_spikes(single, tape, atol_ms=SINGLE_ATOL)
    mine = es.backward(net, replace(tape, precision="single"), loss).flat()
    assert_close_by_name(mine, right, rtol=GRADIENT_RTOL)


@pytest.mark.parametrize("first", range(0, 12, 4))
def test_random_networks_in_single_precision_have_the_spikes_of_double(first):
    for seed in range(first, first + 4):
        net, stream = random_network(np.random.default_rng(seed))
        single = es.simulate(net, stream, backend="cpu", precision="single")
        double = es.simulate(net, stream, backend="cpu")
        assert_same_spikes(single, double, atol_ms=SINGLE_ATOL)
        tapes = double, replace(double, precision="single")
        loss = Sums(net, stream.n_samples)
        right, mine = (es.backward(net, tape, loss).flat() for tape in tapes)
        assert_close_by_name(mine, right, rtol=1e-3, floor=1e-2)


def quick(tau):
    """A membrane of that time constant, ms, whose V follows what arrives at once."""
    net = es.Network()
    net.add_input("input", 3)
    net.add_population("h", 6, neuron=es.AdLIF(tau_mem=tau, tau_syn=20.0, a=0.5), refractory=1.0)
    net.connect("input", "h", np.random.default_rng(1).normal(0.3, 0.6, (3, 6)))
    return net


def test_neurons_too_quick_for_single_precision_have_the_bits_of_double():
    for tau, same in ((0.2, False), (0.04, True), (1e-3, True)):
        net, events = quick(tau), dense_stream()
        times = [
            es.simulate(net, events, backend="cpu", precision=p)["h"].times
            for p in ("double", "single")
        ]
        assert times[0].size > 20
        assert np.array_equal(*times) is same


def test_a_slow_state_keeps_its_digits_over_many_pieces():
    """Were a piece's decay of it rounded to 24 bits, it would be 1e-4 off after 5,000 of them."""
    net = es.Network()
    net.add_input("input", 3)
    net.add_population("h", 1, neuron=es.LIF(tau_mem=20.0, tau_syn={"quick": 5.0, "slow": 1e5}))
    net.connect("input", "h", [[0.0], [0.9], [0.0]], receptor="slow")
    net.connect("input", "h", [[0.0], [0.0], [1.0]], receptor="quick")
    times = np.concatenate([[0.0], np.arange(0.3, 5000.0, 0.7), [5000.0]])
    channels = np.concatenate([[1], np.zeros(len(times) - 2, int), [2]])
    events = es.EventStream(times, channels, [0, len(times)], n_channels=3, duration=5030.0)
    tapes = [es.simulate(net, events, backend="cpu", precision=p) for p in ("double", "single")]
    assert len(tapes[0]["h"]) == 1
    assert_same_spikes(tapes[1], tapes[0], atol_ms=1e-4)
