"""Values far from the usual ones: very fast, very slow, very strong, very many in flight.

Also the hard cases of the other files once more in single precision, where only the bound on
time is wider.
"""

import math

import numpy as np
import pytest

import eventsim as es
from tests.support.compare import SINGLE_ATOL, TIME_ATOL, assert_same_spikes
from tests.support.exact import exact_train, quadratic_train
from tests.support.nets import one_neuron, one_sample
from tests.support.stepping import Neuron, spikes_of_neuron

FIELDS = ("tau_mem", "tau_syn", "resistance", "threshold", "v_leak", "v_reset", "refractory")


def parameters(neuron):
    return {name: getattr(neuron, name) for name in FIELDS}


@pytest.mark.parametrize(
    ("taus", "weight"),
    [
        ((1000.0, 0.1), 2e4),
        ((0.1, 1000.0), 1.3),
        ((1e-2, 1e-2), 4.0),
        ((1e4, 1e4), 3.0),
        ((20.0, 1e-3), 3e4),
        ((20.0, 5.0), 1e9),
        ((20.0, 5.0), 1e4),
    ],
)
def test_extreme_time_constants_and_weights_match_fifty_digits(backend, taus, weight):
    neuron = Neuron(*taus, 1.1, 1.0, 0.1, -0.2, 2.0 * sum(taus) + 50.0)
    expected = [float(t) for t in exact_train(neuron, [(1.0, weight)], 40_000.0)]
    assert expected
    net = one_neuron(weight, **parameters(neuron))
    times = es.simulate(net, one_sample([1.0], duration=40_000.0), backend=backend)
    np.testing.assert_allclose(times["hidden"].times, expected, rtol=1e-14, atol=TIME_ATOL[backend])


@pytest.mark.parametrize("self_weight", [0.4, -0.15])
def test_hundreds_of_self_jumps_in_flight_land_in_order(backend, self_weight):
    # The delay is dozens of times the interval: many own spikes are under way at once.
    neuron = Neuron(10.0, 5.0, 1.0, 1.0, 8.0, 0.0, 0.0)
    expected = spikes_of_neuron(
        neuron, [(3.0, 1.0)], 120.0, self_weight=self_weight, self_delay=40.0
    )
    assert len(expected) > 80
    net = one_neuron(1.0, self_weight=self_weight, self_delay=40.0, **parameters(neuron))
    times = es.simulate(net, one_sample([3.0], duration=120.0), backend=backend)["hidden"].times
    np.testing.assert_allclose(times, expected, rtol=0, atol=TIME_ATOL[backend])


def test_refractory_longer_than_the_sample_allows_one_spike(backend):
    neuron = Neuron(10.0, 5.0, 1.0, 1.0, 2.0, 0.0, 1e6)
    net = one_neuron(9.0, **parameters(neuron))
    stream = one_sample(np.arange(0.0, 100.0, 0.5), duration=100.0)
    assert es.simulate(net, stream, backend=backend)["hidden"].times.size == 1


def test_hold_that_ends_at_the_end_of_the_sample_does_not_spike_again(backend):
    neuron = Neuron(10.0, 5.0, 1.0, 1.0, 0.0, 0.0, 0.0)
    net = one_neuron(60.0, **parameters(neuron))
    (first, *_) = es.simulate(net, one_sample([1.0]), backend=backend)["hidden"].times
    held = one_neuron(60.0, **(parameters(neuron) | {"refractory": 5.0}))
    tape = es.simulate(held, one_sample([1.0], duration=first + 5.0), backend=backend)
    assert tape["hidden"].times.tolist() == [first]


def test_sample_shorter_than_anything_is_fine(backend):
    net = one_neuron(60.0, self_weight=1.0, tau_mem=10.0, tau_syn=5.0)
    stream = one_sample([0.0, 1e-12], duration=1e-12)
    assert es.simulate(net, stream, backend=backend)["hidden"].times.size == 0


def test_derivative_of_a_readout_that_is_fast_beside_its_recording(backend):
    r"""With :math:`\mu = 1/T_w` the integral is a / ((a + mu) (b + mu)) e^(-mu t)."""
    net = es.Network()
    net.add_input("input", 1)
    net.add_readout("output", 1, tau_mem=1e-3, tau_syn=1e-3)
    net.connect("input", "output", [[1.0]])
    tape = es.simulate(net, one_sample([2.0], duration=10_000.0), backend=backend)
    seed = es.ReadoutSeed(time_constant=300.0, integral=np.ones((1, 1)))
    found = es.backward(net, tape, {"output": seed})["output"].tau_mem
    rate, mu = 1e3, 1.0 / 300.0
    expected = -(rate**2) * mu / (rate + mu) ** 3 * math.exp(-2.0 * mu)
    np.testing.assert_allclose(found, expected, rtol=1e-8)


def test_state_that_decays_to_denormals_and_below_stays_silent(backend):
    net = one_neuron([1.0, 6.0], tau_mem=0.5, tau_syn=0.25)
    times = [0.0, *np.arange(1.0, 400.0, 40.0), 1000.0]
    channels = [0] * (len(times) - 1) + [1]
    stream = one_sample(times, channels, n_channels=2, duration=1100.0)
    spikes = es.simulate(net, stream, backend=backend)["hidden"].times
    expected = exact_train(Neuron(0.5, 0.25, threshold=1.0), [(1000.0, 6.0)], 1100.0)
    np.testing.assert_allclose(spikes, [float(t) for t in expected], rtol=0, atol=1e-9)


def test_burst_of_self_excitation_in_single_precision(fast_backend):
    neuron = Neuron(12.0, 6.0, 1.0, 1.0, 0.0, 0.0, 1.0)
    expected = quadratic_train(neuron, 5.0, 60.0, self_weight=4.0, at=1.0)
    net = one_neuron(5.0, self_weight=4.0, **parameters(neuron))
    tape = es.simulate(net, one_sample([1.0], duration=60.0), backend=fast_backend,
                       precision="single")  # fmt: skip
    np.testing.assert_allclose(tape["hidden"].times, expected, rtol=0, atol=SINGLE_ATOL)


def test_pacemaker_in_single_precision_keeps_its_period(fast_backend):
    neuron = Neuron(14.0, 5.0, 1.0, 1.0, 1.25, -0.5, 2.5)
    run_up = 14.0 * math.log((1.25 + 0.5) / (1.25 - 1.0))
    expected = np.arange(run_up, 1000.0, run_up + 2.5)
    net = one_neuron(1.0, **parameters(neuron))
    stream = es.EventStream([], [], [0, 0], n_channels=1, duration=1000.0)
    times = es.simulate(net, stream, backend=fast_backend, precision="single")["hidden"].times
    # A period's rounding of 1e-7 adds up over the spikes before.
    np.testing.assert_allclose(times, expected, rtol=0, atol=SINGLE_ATOL)


def test_hundred_million_ms_in_single_precision_keep_the_double_times(fast_backend):
    # State is float32, time is not: only the gaps between events enter the state.
    net = one_neuron(6.0, tau_mem=10.0, tau_syn=4.0)
    answers = []
    for shift in (0.0, 1e8):
        stream = one_sample([shift + 1.0, shift + 31.5], duration=shift + 100.0)
        tape = es.simulate(net, stream, backend=fast_backend, precision="single")
        answers.append(tape["hidden"].times - shift)
    assert answers[0].size == 2
    np.testing.assert_allclose(answers[1], answers[0], rtol=0, atol=1e-7)


def test_ten_thousand_events_in_one_millisecond_in_single_precision(fast_backend):
    neuron = Neuron(10.0, 4.0, 1.1, 1.0, 0.05, -0.3, 2.0)
    rng = np.random.default_rng(5)
    times = np.sort(20.0 + rng.random(10_000))
    channels = rng.integers(0, 3, times.size)
    weights = np.array([0.02, -0.012, 0.009])
    expected = spikes_of_neuron(neuron, list(zip(times, weights[channels], strict=True)), 100.0)
    net = one_neuron(weights, **parameters(neuron))
    stream = one_sample(times, channels, n_channels=3)
    tape = es.simulate(net, stream, backend=fast_backend, precision="single")
    # The current is a sum of 10,000 roundings of 1e-7, so ten times the usual bound.
    np.testing.assert_allclose(tape["hidden"].times, expected, rtol=0, atol=10 * SINGLE_ATOL)


@pytest.mark.parametrize("adaptation", [None, 1e-3])
def test_time_constants_a_million_apart_in_single_precision(fast_backend, adaptation):
    """Newton's method ended at a part of the slow one, which may be many times the fast one."""
    rng, net = np.random.default_rng(9), es.Network()
    taus = np.repeat([[1e-6, 2.5], [3.0, 1e-7], [1e7, 3.0], [2e-5, 300.0]], 8, axis=0).T
    net.add_input("input", 4)
    net.add_population(
        "hidden", 32, tau_mem=taus[0], tau_syn=taus[1], refractory=1.0, adaptation=adaptation
    )
    strength = np.maximum(taus[0] / taus[1], 1.0)
    net.connect("input", "hidden", rng.normal(0.2, 0.6, (4, 32)) * strength)
    stream = one_sample(np.sort(rng.uniform(0.0, 80.0, 60)), rng.integers(0, 4, 60), n_channels=4)
    expected = es.simulate(net, stream, backend="reference")
    found = es.simulate(net, stream, backend=fast_backend, precision="single")
    assert np.unique(expected["hidden"].neurons).size > 20
    assert_same_spikes(found, expected, atol_ms=SINGLE_ATOL)


def test_runaway_in_single_precision_is_refused(fast_backend):
    net = one_neuron(9.0, self_weight=50.0, tau_mem=10.0, tau_syn=5.0)
    with pytest.raises(es.errors.RunawayError) as caught:
        es.simulate(net, one_sample([1.0]), backend=fast_backend, precision="single")
    error = caught.value
    assert (error.population, error.sample, error.neuron) == ("hidden", 0, 0)
