"""Stretches of arrivals where arrivals come at one time, against the reference."""

import numpy as np
import pytest

import eventsim as es
from tests.parity.test_chunks import assert_chunks_equal_whole
from tests.support.compare import assert_same_spikes
from tests.support.nets import one_layer, random_net, random_stream


@pytest.mark.parametrize("delays", ["none", "source"])
@pytest.mark.parametrize("tick", [1.0, 5.0])
def test_coarse_ticks_have_the_spikes_of_the_reference(fast_backend, tick, delays):
    net = random_net(31, n_inputs=20, hidden=(24, 12), delays=delays, self_delays="none")
    fine = random_stream(32, n_samples=3, n_channels=20, duration=80.0, rate=120.0)
    stream = fine.round_times(tick)
    assert np.unique(stream.times).size < 0.5 * stream.times.size
    tape = es.simulate(net, stream, backend=fast_backend)
    expected = es.simulate(net, stream, backend="reference")
    assert min(len(expected[name]) for name in expected.names) > 50
    assert_same_spikes(tape, expected, atol_ms=1e-9)
    assert assert_chunks_equal_whole(net, stream, 2.3, backend=fast_backend) > 100


def test_more_events_at_one_time_than_are_staged(fast_backend):
    times = np.repeat([3.0, 3.5, 9.0], [400, 7, 300])
    channels = np.arange(times.size) % 11
    stream = es.EventStream(times, channels, [0, times.size], n_channels=11, duration=30.0)
    weights = np.random.default_rng(5).normal(0.02, 0.03, (11, 70))
    net = one_layer("hidden", weights, tau_mem=10.0, tau_syn=4.0, refractory=1.5)
    tape = es.simulate(net, stream, backend=fast_backend)
    expected = es.simulate(net, stream, backend="reference")
    assert assert_same_spikes(tape, expected, atol_ms=1e-9) > 50
