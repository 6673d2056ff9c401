"""Crossings of an adaptive threshold, against a solver that shares no formula with the package."""

import math

import mpmath as mp
import numpy as np
import pytest

from eventsim.neuron import adaptive, lif
from tests.support.conformance_answers import Neuron, bisected, derivative, value, zeros
from tests.support.formulas import TYPES, evaluated, formulas
from tests.support.simt import why_not

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


@pytest.fixture(scope="module")
def by_kernel():
    """First crossings by the kernels' formulas, of cases or of arrays of them."""
    if (reason := why_not()) is not None:
        pytest.skip(reason)
    device = formulas()

    def crossings(v, drive, rise, level, tau_mem, tau_syn, tau_adaptation, precision, span=SPAN):
        a, b, c = (1.0 / np.asarray(tau) for tau in (tau_mem, tau_syn, tau_adaptation))
        given = np.broadcast_arrays(v, drive, rise, span, a, b, c, level)
        given = [np.atleast_1d(x).astype(TYPES[precision]) for x in given]
        (found,) = evaluated(device, precision, "adaptive_crossings", 1, *given)
        found = np.where((found >= 0.0) & (found < span), found, np.inf)
        return float(found[0]) if np.ndim(v) == 0 else found

    return crossings


@pytest.mark.parametrize("name", CASES)
def test_first_crossing_is_that_of_the_50_digit_solution(name, by_kernel):
    v, drive, rise, *rest = CASES[name]
    expected = exact(*CASES[name])
    found = adaptive.first_crossing(v, drive, rise, SPAN, *rest)
    np.testing.assert_allclose(found, expected, rtol=0, atol=1e-10)
    np.testing.assert_allclose(by_kernel(*CASES[name], "double"), expected, rtol=0, atol=1e-10)
    single = by_kernel(*CASES[name], "single")
    np.testing.assert_allclose(single, expected, rtol=0, atol=1e-3)


def test_cases_cross_and_do_not_cross_rising_and_falling():
    found = {name: exact(*case) for name, case in CASES.items()}
    assert sum(math.isinf(time) for time in found.values()) >= 2
    falling = [name for name, case in CASES.items() if case[1] < case[0] and found[name] < math.inf]
    assert len(falling) >= 3


def test_random_crossings_are_those_of_a_fine_grid(by_kernel):
    rng, crossed, falling, cases = np.random.default_rng(11), 0, 0, []
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
        cases.append((*given, span, found))
        crossed, falling = crossed + (found < np.inf), falling + (found < np.inf and drive < v)
        if up.size:
            assert t[up[0]] - 1e-9 <= found <= t[up[0] + 1] + 1e-9
        elif found < np.inf:  # between two points of the grid
            assert abs(float(np.interp(found, t, above))) < 1e-3
    *given, span, found = np.array(cases).T
    by_kernels = by_kernel(*given, "double", span)
    np.testing.assert_allclose(by_kernels, found, rtol=0, atol=1e-8)
    assert crossed > 150
    assert falling > 20


@pytest.mark.parametrize("drive", [0.5, 1.5, 3.0])
def test_without_a_rise_the_crossing_is_the_plain_one_to_the_bit(drive):
    plain = lif.first_crossing(0.1, drive, 50.0, 1.0, 20.0, 5.0)
    assert adaptive.first_crossing(0.1, drive, 0.0, 50.0, 1.0, 20.0, 5.0, 30.0) == plain


@pytest.mark.parametrize("precision", TYPES)
@pytest.mark.parametrize("name", CASES)
def test_crossing_has_the_same_bits_whatever_ends_the_interval(name, precision, by_kernel):
    whole = by_kernel(*CASES[name], precision)
    if math.isinf(whole):
        return
    for span in (whole * 1.001, whole * 1.5, whole + 40.0, 5000.0):
        assert by_kernel(*CASES[name], precision, span) == whole
    assert math.isinf(by_kernel(*CASES[name], precision, whole * 0.99))
