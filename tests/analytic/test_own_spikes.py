"""Trains by closed forms, bursts and runaway; more of own spikes is in cases of conformance."""

import math
from dataclasses import asdict

import numpy as np
import pytest

import eventsim as es
from tests.support.compare import TIME_ATOL
from tests.support.exact import quadratic_train
from tests.support.nets import one_layer, one_neuron, one_sample
from tests.support.stepping import Neuron


@pytest.mark.parametrize("refractory", [0.0, 1.5])
@pytest.mark.parametrize("self_weight", [0.0, 3.0, 0.8, -2.0])
def test_self_weight_train_matches_the_quadratic_recursion(backend, self_weight, refractory):
    neuron = Neuron(12.0, 6.0, 0.9, 0.7, -0.15, -0.3, refractory)
    expected = quadratic_train(neuron, 14.0, 100.0, self_weight=self_weight, at=1.0)
    assert len(expected) >= 2
    net = one_neuron(14.0, self_weight=self_weight, **asdict(neuron))
    times = es.simulate(net, one_sample([1.0]), backend=backend)["hidden"].times
    np.testing.assert_allclose(times, expected, rtol=0, atol=TIME_ATOL[backend])


@pytest.mark.parametrize("refractory", [0.0, 2.5])
def test_pacemaker_fires_with_its_exact_period_from_the_reset(backend, refractory):
    neuron = Neuron(14.0, 5.0, 1.0, 1.0, 1.25, -0.5, refractory)
    run_up = 14.0 * math.log((1.25 + 0.5) / (1.25 - 1.0))
    expected = np.arange(run_up, 1000.0, run_up + refractory)
    net = one_neuron(1.0, **asdict(neuron))
    stream = es.EventStream([], [], [0, 0, 0], n_channels=1, duration=[1000.0, 300.0])
    spikes = es.simulate(net, stream, backend=backend)["hidden"]
    np.testing.assert_allclose(spikes.sample(0)[0], expected, rtol=0, atol=TIME_ATOL[backend])
    np.testing.assert_allclose(
        spikes.sample(1)[0], expected[expected < 300.0], rtol=0, atol=TIME_ATOL[backend]
    )


def test_bursts_that_outgrow_every_first_buffer_guess_are_kept_whole(backend):
    # 5000, 2500 and 3 spikes per neuron without a single input event, in one of three samples.
    tau = np.array([10.0, 20.0, 1.0])
    leak = np.array([1001.0, 1001.0, 1.0000001])
    run_up = tau * np.log((leak - 0.0) / (leak - 1.0))
    net = one_layer("hidden", np.ones((1, 3)), tau_mem=tau, tau_syn=4.0, v_leak=leak)
    net.add_population("next", 2, tau_mem=10.0, tau_syn=4.0)
    net.connect("hidden", "next", np.full((3, 2), [1e-3, 0.0]))
    stream = es.EventStream([], [], [0, 0, 0, 0], n_channels=1, duration=[0.001, 50.0, 0.002])
    tape = es.simulate(net, stream, backend=backend)
    assert list(np.diff(tape["hidden"].offsets)) == [0, tape["hidden"].times.size, 0]
    times, neurons = tape["hidden"].sample(1)
    for j in range(3):
        expected = run_up[j] * np.arange(1, int(50.0 / run_up[j]) + 1)
        np.testing.assert_allclose(times[neurons == j], expected, rtol=0, atol=1e-9)
    assert (neurons == 0).sum() > 5000
    assert tape.synaptic_events["hidden->next"] == 2 * times.size


def test_nine_hundred_spikes_per_ms_are_not_a_runaway(backend):
    leak = 1.0 / (1.0 - math.exp(-1.0 / 9000.0))  # tau_mem = 10 ms, one spike in 1 / 900 ms
    net = one_neuron(1.0, tau_mem=10.0, tau_syn=5.0, v_leak=leak)
    stream = es.EventStream([], [], [0, 0], n_channels=1, duration=3.0 + 0.5 / 900.0)
    assert es.simulate(net, stream, backend=backend)["hidden"].times.size == 2700


def test_runaway_names_population_sample_neuron_and_time(backend):
    net = one_layer("calm", np.full((1, 2), 0.1), tau_mem=10.0, tau_syn=5.0)
    net.add_population("hot", 3, tau_mem=10.0, tau_syn=5.0)
    net.connect("input", "hot", np.array([[0.5, 9.0, 0.5]]))
    net.connect("hot", "hot", es.self_recurrent(np.array([0.0, 50.0, 0.0])))
    stream = es.EventStream([1.0], [0], [0, 0, 1], n_channels=1, duration=200.0)
    with pytest.raises(es.errors.RunawayError) as caught:
        es.simulate(net, stream, backend=backend)
    error = caught.value
    assert (error.population, error.sample, error.neuron) == ("hot", 1, 1)
    assert 1.0 < error.time < 20.0
    assert error.limit == 1000


def test_runaway_pacemaker_is_refused(backend):
    net = one_neuron(1.0, tau_mem=10.0, tau_syn=5.0, v_leak=30_000.0)
    stream = es.EventStream([], [], [0, 0], n_channels=1, duration=50.0)
    with pytest.raises(es.errors.RunawayError):
        es.simulate(net, stream, backend=backend)
