"""Crossings of an adaptive threshold, against a solver that shares no formula with the package."""

import math

import mpmath as mp
import numpy as np
import pytest

from eventsim.engine.cpu import adaptive as kernels
from eventsim.neuron import adaptive, lif
from tests.support.compiled import callable_part
from tests.support.conformance_answers import Neuron, bisected, derivative, value, zeros

adaptive_crossing = callable_part(kernels.adaptive_crossing)

# v, drive, rise, level, tau_mem, tau_syn, tau_adaptation
CASES = {
    "v rises": (0.1, 3.0, 0.5, 1.0, 20.0, 5.0, 50.0),
    "v falls more slowly than the threshold": (1.7, 0.2, 1.0, 1.0, 100.0, 2.0, 8.0),
    "v falls without a current": (1.7, 0.0, 1.0, 1.0, 100.0, 2.0, 8.0),
    "v falls under inhibition": (1.6, -0.5, 1.2, 1.0, 50.0, 3.0, 5.0),
    "v never gets there": (0.3, 1.2, 0.5, 1.0, 20.0, 5.0, 50.0),
    "the threshold comes too late": (1.2, 0.0, 1.0, 1.0, 10.0, 2.0, 40.0),
    "behind two turns": (0.9, 2.0, 1.4, -0.2, 5.0, 1.5, 30.0),
    "rest above the threshold": (-0.5, 0.3, 0.7, -0.5, 12.0, 4.0, 25.0),
    "rest at the threshold": (-0.5, 0.3, 0.7, 0.0, 12.0, 4.0, 25.0),
    "all time constants equal": (0.2, 6.0, 0.4, 1.0, 10.0, 10.0, 10.0),
    "membrane as slow as adaptation": (0.2, 4.0, 0.4, 1.0, 10.0, 3.0, 10.0),
    "synapse as slow as adaptation": (0.2, 4.0, 0.4, 1.0, 10.0, 3.0, 3.0),
    "membrane and synapse equal": (0.2, 4.0, 0.4, 1.0, 10.0, 10.0, 3.0),
    "hardly any rise": (0.44, 2.7, 1e-9, 1.0, 2.484, 2.484, 2.485),
    "a rise that is gone at once": (0.9, 1.5, 4.0, 1.0, 20.0, 8.0, 0.05),
}
SPAN = 200.0


def exact(v, drive, rise, level, tau_mem, tau_syn, tau_adaptation, span=SPAN):
    """The first crossing within the span by the zeros of all derivatives, in 50 digits."""
    with mp.workdps(50):
        n = Neuron(
            *(mp.mpf(x) for x in (tau_mem, tau_syn, 1, level, 0, -9, 0)),
            adaptation=mp.mpf(rise),
            tau_adaptation=mp.mpf(tau_adaptation),
            a=mp.mpf(1),
        )
        n.v, n.i = mp.mpf(v), mp.mpf(drive)
        terms = n.excess()
        marks = [mp.mpf(0), *zeros(derivative(terms, mp.mpf(0)), mp.mpf(span)), mp.mpf(span)]
        for left, right in zip(marks[:-1], marks[1:], strict=True):
            if value(terms, left) < 0 <= value(terms, right):
                return float(bisected(terms, left, right))
    return math.inf


def by_kernel(v, drive, rise, level, tau_mem, tau_syn, tau_adaptation, real, span=SPAN):
    a, b, c = 1.0 / tau_mem, 1.0 / tau_syn, 1.0 / tau_adaptation
    found = adaptive_crossing(
        *(real(x) for x in (v, drive, rise, span, min(a, b), b - a, a, c, level))
    )
    return float(found) if 0.0 <= found < span else math.inf


@pytest.mark.parametrize("name", CASES)
def test_first_crossing_is_that_of_the_50_digit_solution(name):
    v, drive, rise, *rest = CASES[name]
    expected = exact(*CASES[name])
    found = adaptive.first_crossing(v, drive, rise, SPAN, *rest)
    np.testing.assert_allclose(found, expected, rtol=0, atol=1e-10)
    np.testing.assert_allclose(by_kernel(*CASES[name], np.float64), expected, rtol=0, atol=1e-10)
    single = by_kernel(*CASES[name], np.float32)
    np.testing.assert_allclose(single, expected, rtol=0, atol=1e-3)


def test_cases_cross_and_do_not_cross_rising_and_falling():
    found = {name: exact(*case) for name, case in CASES.items()}
    assert sum(math.isinf(time) for time in found.values()) >= 2
    falling = [name for name, case in CASES.items() if case[1] < case[0] and found[name] < math.inf]
    assert len(falling) >= 3


def test_random_crossings_are_those_of_a_fine_grid():
    rng, crossed, falling = np.random.default_rng(11), 0, 0
    grid = np.linspace(0.0, 1.0, 4001)
    for _ in range(800):
        tau_mem, tau_syn, tau = np.exp(rng.uniform(np.log(2.0), np.log(80.0), 3))
        level, rise = rng.choice([1.0, 0.5, -0.3]), rng.exponential(1.0)
        v = (level + rise) * rng.uniform(0.2, 0.999) if rng.random() < 0.6 else rng.normal()
        drive, span = rng.normal(0.5, 2.0), float(np.exp(rng.uniform(0.0, np.log(300.0))))
        if v >= level + rise:
            continue
        t = span * grid
        a, b = 1.0 / tau_mem, 1.0 / tau_syn
        gain = a * (np.exp(-a * t) - np.exp(-b * t)) / (b - a)
        above = v * np.exp(-a * t) + drive * gain - level - rise * np.exp(-t / tau)
        up = np.flatnonzero((above[:-1] < 0.0) & (above[1:] >= 0.0))
        given = (v, drive, rise, level, tau_mem, tau_syn, tau)
        found = adaptive.first_crossing(*given[:3], span, *given[3:])
        np.testing.assert_allclose(by_kernel(*given, np.float64, span), found, rtol=0, atol=1e-8)
        crossed, falling = crossed + (found < np.inf), falling + (found < np.inf and drive < v)
        if up.size:
            assert t[up[0]] - 1e-9 <= found <= t[up[0] + 1] + 1e-9
        elif found < np.inf:  # between two points of the grid
            assert abs(float(np.interp(found, t, above))) < 1e-3
    assert crossed > 150
    assert falling > 20


@pytest.mark.parametrize("drive", [0.5, 1.5, 3.0])
def test_without_a_rise_the_crossing_is_the_plain_one_to_the_bit(drive):
    plain = lif.first_crossing(0.1, drive, 50.0, 1.0, 20.0, 5.0)
    assert adaptive.first_crossing(0.1, drive, 0.0, 50.0, 1.0, 20.0, 5.0, 30.0) == plain


@pytest.mark.parametrize("real", [np.float32, np.float64])
@pytest.mark.parametrize("name", CASES)
def test_crossing_has_the_same_bits_whatever_ends_the_interval(name, real):
    whole = by_kernel(*CASES[name], real)
    if math.isinf(whole):
        return
    for span in (whole * 1.001, whole * 1.5, whole + 40.0, 5000.0):
        assert by_kernel(*CASES[name], real, span) == whole
    assert math.isinf(by_kernel(*CASES[name], real, whole * 0.99))


def test_kernels_look_for_turns_as_far_as_the_definition():
    assert kernels.DOUBLINGS == adaptive.DOUBLINGS
