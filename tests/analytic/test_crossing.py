"""The first crossing after a single arrival, against closed forms and 50-digit solutions."""

import math

import mpmath as mp
import numpy as np
import pytest
from scipy.special import lambertw

import eventsim as es
from tests.support.compare import SINGLE_ATOL, TIME_ATOL
from tests.support.exact import exact_train, extremum, peak, quadratic_train, voltage
from tests.support.nets import one_neuron, one_sample
from tests.support.stepping import Neuron

EPS = np.finfo(float).eps
TAUS = [(20.0, 5.0), (5.0, 20.0), (10.0, 10.0), (10.0, 10.0 * (1 + 1e-9)), (8.0, 4.0)]


def run(neuron, weights, times, *, backend, duration=200.0, channels=None, precision="double"):
    weights = np.atleast_1d(weights)
    net = one_neuron(
        weights,
        **{
            name: getattr(neuron, name)
            for name in (
                "tau_mem",
                "tau_syn",
                "resistance",
                "threshold",
                "v_leak",
                "v_reset",
                "refractory",
            )
        },
    )
    stream = one_sample(times, channels, n_channels=weights.size, duration=duration)
    return es.simulate(net, stream, backend=backend, precision=precision)["hidden"].times


def test_crossing_with_equal_time_constants_matches_alpha_function(backend):
    tau, weight = 7.0, 4.5
    neuron = Neuron(tau, tau, 1.3, 1.1, -0.2, -0.4, 150.0)
    gap = (neuron.threshold - neuron.v_leak) / (neuron.resistance * weight)
    expected = 3.0 - tau * float(lambertw(-gap, 0).real)  # gap = x exp(-x), x = h / tau
    times = run(neuron, weight, [3.0], backend=backend)
    np.testing.assert_allclose(times, [expected], rtol=0, atol=TIME_ATOL[backend])


def test_crossing_with_tau_mem_twice_tau_syn_solves_a_quadratic(backend):
    neuron = Neuron(12.0, 6.0, 0.7, 0.9, 0.15, -0.3, 150.0)
    drive, gap = 0.7 * 6.0, 0.9 - 0.15
    x = (1.0 + math.sqrt(1.0 - 4.0 * gap / drive)) / 2.0
    times = run(neuron, 6.0, [5.0], backend=backend)
    np.testing.assert_allclose(times, [5.0 - 12.0 * math.log(x)], rtol=0, atol=TIME_ATOL[backend])


def test_train_after_one_arrival_matches_the_quadratic_recursion(backend):
    neuron = Neuron(16.0, 8.0, 1.2, 0.8, 0.1, -0.25, 0.0)
    expected = quadratic_train(neuron, 20.0, 200.0, at=2.0)
    assert len(expected) >= 5
    times = run(neuron, 20.0, [2.0], backend=backend)
    np.testing.assert_allclose(times, expected, rtol=0, atol=TIME_ATOL[backend])


@pytest.mark.parametrize("taus", TAUS)
def test_train_in_single_precision_is_within_a_microsecond(fast_backend, taus):
    neuron = Neuron(*taus, 1.2, 0.8, 0.1, -0.25, 1.0)
    expected = exact_train(neuron, [(2.0, 9.0), (20.0, 7.0)], 200.0)
    assert len(expected) >= 2
    times = run(neuron, [9.0, 7.0], [2.0, 20.0], channels=[0, 1], backend=fast_backend,
                precision="single")  # fmt: skip
    np.testing.assert_allclose(times, [float(t) for t in expected], rtol=0, atol=SINGLE_ATOL)


DIFFERENCES = [0.0] + [s * 10.0**-k for k in range(3, 17) for s in (1, -1)]


@pytest.mark.parametrize("difference", DIFFERENCES)
def test_nearly_equal_time_constants_are_regular(backend, difference):
    # Spikes from the series, the expm1 and the two-exponential side must join without a step.
    neuron = Neuron(9.0 * (1.0 + difference), 9.0, 0.8, 1.0, -0.1, 0.2, 0.5)
    arrivals = [(1.0, 8.0), (11.5, -2.0), (30.0, 9.0), (90.0, 5.0)]
    expected = [float(t) for t in exact_train(neuron, arrivals, 200.0)]
    assert len(expected) >= 4
    times = run(
        neuron, [8.0, -2.0, 9.0, 5.0], [1.0, 11.5, 30.0, 90.0], channels=[0, 1, 2, 3],
        backend=backend,
    )  # fmt: skip
    np.testing.assert_allclose(times, expected, rtol=0, atol=1e-11)


@pytest.mark.parametrize("excess", [1e-9, 1e-6, 1e-3])
@pytest.mark.parametrize("taus", TAUS)
def test_peak_just_above_threshold_spikes_and_just_below_does_not(backend, taus, excess):
    neuron = Neuron(*taus, 1.3, 1.1, -0.2, -0.4, 5.0)
    gap = mp.mpf(neuron.threshold) - mp.mpf(neuron.v_leak)
    just = gap / peak(neuron, 1)[1]
    above, below = float(just * (1 + mp.mpf(excess))), float(just * (1 - mp.mpf(excess)))
    assert run(neuron, below, [4.0], backend=backend).size == 0
    (expected,) = exact_train(neuron, [(4.0, above)], 200.0)
    times = run(neuron, above, [4.0], backend=backend)
    # 32 roundings of V, seen through the slope at which V passes the threshold.
    slope = float(mp.diff(lambda h: voltage(neuron, mp.mpf(0), mp.mpf(above), h), expected - 4))
    atol = 32 * EPS * 1.3 / slope + 1e-13
    np.testing.assert_allclose(times, [float(expected)], rtol=0, atol=atol)


@pytest.mark.parametrize("taus", TAUS)
def test_grazing_peak_of_a_second_arrival_is_decided_to_a_billionth(backend, taus):
    # V already moves when the second current arrives, so its peak is not the response's own.
    neuron = Neuron(*taus, 0.9, 1.0, 0.2, -0.1, 5.0)
    first = float(mp.mpf(0.5) * mp.mpf(0.8) / peak(neuron, 1)[1])

    def highest(second):
        i = mp.mpf(first) * mp.exp(-mp.mpf(3) / neuron.tau_syn) + second
        v = voltage(neuron, mp.mpf(0), mp.mpf(first), mp.mpf(3))
        return voltage(neuron, v, i, extremum(neuron, v, i)) - (mp.mpf(1) - mp.mpf(0.2))

    with mp.workdps(40):
        just = mp.findroot(highest, (mp.mpf(first) / 4, mp.mpf(first) * 4), solver="anderson")
        above, below = float(just * (1 + mp.mpf("1e-9"))), float(just * (1 - mp.mpf("1e-9")))
    arrivals = {"times": [4.0, 7.0], "channels": [0, 1], "backend": backend}
    assert run(neuron, [first, below], **arrivals).size == 0
    assert run(neuron, [first, above], **arrivals).size == 1


@pytest.mark.parametrize("taus", TAUS)
def test_grazing_peak_in_single_precision_is_decided_to_a_thousandth(fast_backend, taus):
    neuron = Neuron(*taus, 1.3, 1.1, -0.2, -0.4, 5.0)
    just = float((mp.mpf(1.1) + mp.mpf(0.2)) / peak(neuron, 1)[1])
    single = {"backend": fast_backend, "precision": "single"}
    assert run(neuron, just * 0.999, [4.0], **single).size == 0
    assert run(neuron, just * 1.001, [4.0], **single).size == 1


def test_voltage_that_rises_by_the_leak_alone_crosses(backend):
    # Far below rest after the reset, current negative: V dips first, then E lifts it.
    neuron = Neuron(10.0, 4.0, 1.0, 1.0, 1.4, -1.5, 2.0)
    arrivals = [(20.0, -6.0), (31.0, -9.0), (33.0, 3.0)]
    expected = [float(t) for t in exact_train(neuron, arrivals, 200.0)]
    assert len(expected) > 5
    times = run(neuron, [-6.0, -9.0, 3.0], [20.0, 31.0, 33.0], channels=[0, 1, 2], backend=backend)
    np.testing.assert_allclose(times, expected, rtol=0, atol=TIME_ATOL[backend])


def test_inhibition_just_before_a_crossing_prevents_it_and_just_after_does_not(backend):
    neuron = Neuron(10.0, 4.0, 1.0, 1.0, 0.1, 0.0, 150.0)
    (crossing,) = run(neuron, 6.0, [3.0], backend=backend)
    for shift, count in ((-1e-6, 0), (1e-6, 1)):
        times = run(neuron, [6.0, -50.0], [3.0, crossing + shift], channels=[0, 1], backend=backend)
        assert times.size == count
