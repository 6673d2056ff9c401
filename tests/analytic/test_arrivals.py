"""Arrivals that are late, absent, very many or very far from zero.

Those at one time, at the start and around the end are cases of conformance.
"""

import math
from dataclasses import asdict

import numpy as np
import pytest

import eventsim as es
from tests.support.compare import TIME_ATOL, assert_same_spikes
from tests.support.nets import moved, one_neuron, one_sample, random_net, random_stream
from tests.support.stepping import Neuron, simulate, spikes_of_neuron

NEURON = Neuron(10.0, 4.0, 1.1, 1.0, 0.05, -0.3, 2.0)
PARAMETERS = asdict(NEURON)


def fired(backend, weights, times, channels=None, *, duration=100.0, **options):
    net = one_neuron(weights, **options, **PARAMETERS)
    stream = one_sample(times, channels, n_channels=len(weights), duration=duration)
    return es.simulate(net, stream, backend=backend)["hidden"].times


def test_event_at_the_end_is_valid_and_causes_nothing(backend):
    net = one_neuron([60.0], **PARAMETERS)
    tape = es.simulate(net, one_sample([100.0], duration=100.0), backend=backend)
    assert tape["hidden"].times.size == 0
    assert tape.synaptic_events["input->hidden"] == 0


def test_arrival_delayed_to_the_end_or_past_it_does_not_happen(backend):
    net = one_neuron([60.0], delays=2.0, **PARAMETERS)
    for time, count in ((98.0, 0), (99.0, 0), (97.75, 1)):
        tape = es.simulate(net, one_sample([time], duration=100.0), backend=backend)
        assert tape.synaptic_events["input->hidden"] == count


def test_population_without_any_input_is_silent(backend):
    net = one_neuron([6.0], **PARAMETERS)
    net.add_population("alone", 2, **PARAMETERS)
    tape = es.simulate(net, one_sample([5.0]), backend=backend)
    assert tape["alone"].times.size == 0
    assert tape["hidden"].times.size == 1


def test_empty_samples_in_a_batch_change_nothing(backend):
    net = random_net(11, hidden=(5, 4))
    full = random_stream(12, n_samples=2)
    pairs = [full.sample(0), ([], []), full.sample(1), ([], [])]
    stream = es.EventStream.from_samples(
        [([], []), *pairs], n_channels=5, duration=[7.0, full.duration[0], 50.0,
                                                     full.duration[1], 3.0],
    )  # fmt: skip
    alone, batch = (es.simulate(net, s, backend=backend) for s in (full, stream))
    for name in batch.names:
        assert batch[name].times.size > 0
        assert np.diff(batch[name].offsets)[[0, 2, 4]].tolist() == [0, 0, 0]
        assert np.array_equal(batch[name].times, alone[name].times)
        assert np.array_equal(batch[name].neurons, alone[name].neurons)


@pytest.mark.parametrize("n_samples", [0, 1, 3])
def test_stream_without_events_gives_an_empty_tape(backend, n_samples):
    net = random_net(11, hidden=(5, 4))
    stream = es.EventStream([], [], [0] * (n_samples + 1), n_channels=5, duration=20.0)
    tape = es.simulate(net, stream, backend=backend)
    for name in tape.names:
        assert tape[name].times.size == 0
        assert tape[name].offsets.tolist() == [0] * (n_samples + 1)
        assert tape[name].counts().shape == (n_samples, net.populations[name].size)
    assert set(tape.synaptic_events.values()) == {0}
    integral = es.readout_integral(net, tape, "output", time_constant=10.0)
    leak = net.populations["output"].v_leak * 10.0 * (1.0 - math.exp(-2.0))
    np.testing.assert_allclose(integral, np.tile(leak, (n_samples, 1)), rtol=1e-13, atol=0)


def test_ten_thousand_events_in_one_millisecond(backend):
    rng = np.random.default_rng(5)
    times = np.sort(20.0 + rng.random(10_000))
    channels = rng.integers(0, 3, times.size)
    weights = np.array([0.02, -0.012, 0.009])
    arrivals = list(zip(times, weights[channels], strict=True))
    expected = spikes_of_neuron(NEURON, arrivals, 100.0)
    assert len(expected) > 3
    actual = fired(backend, weights, times, channels)
    np.testing.assert_allclose(actual, expected, rtol=0, atol=TIME_ATOL[backend])


def test_times_of_a_hundred_million_ms_shift_the_answer(backend):
    far, grid = 1e8, 2.0**-20  # input times and delays that 1e8 + t represents exactly
    net = random_net(21, hidden=(5, 4), delays="scalar", self_delays="none")
    for name, value in net.parameters().items():
        if name.endswith("delays"):
            value[...] = np.round(value / grid) * grid
    near = random_stream(22, n_samples=2)
    times = np.round(near.times / grid) * grid
    duration = np.ceil(near.duration)
    stream = es.EventStream(times, near.channels, near.offsets, n_channels=5, duration=duration)
    here, there = (es.simulate(net, moved(stream, by), backend=backend) for by in (0.0, far))
    # One rounding of 1e8 is 1.5e-8 ms; every layer and every own spike adds some.
    assert min(len(here[name]) for name in here.names) > 10
    shifted = {n: [(t + far, k) for t, k in map(here[n].sample, range(2))] for n in here.names}
    assert_same_spikes(there, shifted, atol_ms=2e-6)


def test_gap_of_a_hundred_million_ms_forgets_everything(backend):
    far = 2.0**26
    times = fired(backend, [6.0], [1.0, far + 1.0], duration=far + 100.0)
    assert times.size == 2
    np.testing.assert_allclose(times[1] - far, times[0], rtol=0, atol=6e-8)


def test_samples_of_different_length_end_at_their_own_duration(backend):
    net = random_net(31, hidden=(5,), pacemakers=True)
    stream = random_stream(32, n_samples=3)
    tape = es.simulate(net, stream, backend=backend)
    for sample in range(3):
        times, _ = tape["hidden1"].sample(sample)
        assert times.size > 0
        assert (times < stream.duration[sample]).all()
    assert_same_spikes(tape, simulate(net, stream), atol_ms=1e-9, net=net)
