"""Stretches of arrivals where arrivals come at one time, against the reference."""

import numpy as np
import pytest

import eventsim as es
from tests.parity.test_chunks import assert_chunks_equal_whole
from tests.support.nets import random_net, random_stream


@pytest.mark.parametrize("delays", ["none", "source"])
@pytest.mark.parametrize("tick", [1.0, 5.0])
def test_coarse_ticks_have_the_spikes_of_the_reference(fast_backend, tick, delays):
    net = random_net(31, n_inputs=20, hidden=(24, 12), delays=delays, self_delays="none")
    fine = random_stream(32, n_samples=3, n_channels=20, duration=80.0, rate=120.0)
    stream = fine.round_times(tick)
    assert np.unique(stream.times).size < 0.5 * stream.times.size
    tape = es.simulate(net, stream, backend=fast_backend)
    expected = es.simulate(net, stream, backend="reference")
    for name in expected.names:
        assert len(expected[name]) > 50
        np.testing.assert_array_equal(tape[name].neurons, expected[name].neurons)
        np.testing.assert_allclose(tape[name].times, expected[name].times, rtol=0, atol=1e-9)
    assert assert_chunks_equal_whole(net, stream, 2.3, backend=fast_backend) > 100


def test_more_events_at_one_time_than_are_staged(fast_backend):
    times = np.repeat([3.0, 3.5, 9.0], [400, 7, 300])
    channels = np.arange(times.size) % 11
    stream = es.EventStream(times, channels, [0, times.size], n_channels=11, duration=30.0)
    net = es.Network()
    net.add_input("input", 11)
    net.add_population("hidden", 70, tau_mem=10.0, tau_syn=4.0, refractory=1.5)
    rng = np.random.default_rng(5)
    net.connect("input", "hidden", rng.normal(0.02, 0.03, (11, 70)))
    tape = es.simulate(net, stream, backend=fast_backend)
    expected = es.simulate(net, stream, backend="reference")
    assert len(expected["hidden"]) > 50
    np.testing.assert_array_equal(tape["hidden"].neurons, expected["hidden"].neurons)
    np.testing.assert_allclose(tape["hidden"].times, expected["hidden"].times, rtol=0, atol=1e-9)
