"""The table of a readout's gains against its formulas in 90 digits."""

import math
from types import SimpleNamespace

import mpmath as mp
import numpy as np
import pytest

from eventsim.engine.cpu import gains
from eventsim.engine.cpu.lanes import LANES, of_lanes, to_lanes
from eventsim.engine.gain_windows import (
    FIRST_WINDOW,
    N_GAIN,
    WINDOW_BITS,
    count_windows,
    terms_of,
)
from tests.support.compiled import callable_part

fill, window_of = callable_part(gains.fill), callable_part(gains.window_of)

# Largest error relative to the largest value in the table: what the polynomials leave out, and a
# few roundings, more where the derivative by a fast membrane is a small difference.
RTOL = {np.float32: 3e-7, np.float64: 2e-13}

# tau_mem, tau_syn and the weight's time constant in ms.
CONSTANTS = [
    (20.0, 10.0, 300.0),
    (10.0, 10.0, math.inf),
    (10.0, 10.0 * (1.0 + 1e-9), 10.0),
    (3.0, 40.0, 5.0),
    (1000.0, 0.5, math.inf),
    (0.5, 1000.0, 2.0),
]
LONGEST = 3000.0  # ms


def table_of(real):
    """All constants as outputs of one table, for one weight at a time."""

    def made(rate):
        rates = np.array([[1.0 / tau for tau in taus] for taus in zip(*CONSTANTS, strict=True)])
        fastest = float(rates[:2].max()) + rate
        last = np.float64(FIRST_WINDOW + 4.0 * fastest * LONGEST).view(np.int64)
        first = np.float64(FIRST_WINDOW).view(np.int64)
        windows = int((last >> (52 - WINDOW_BITS)) - (first >> (52 - WINDOW_BITS))) + 1
        table = np.zeros((1, windows, N_GAIN, terms_of(real), LANES), real)
        fill(rates[:2], rate, 4.0 * fastest, table)
        return table, 4.0 * fastest

    return made


def in_table(table, per_ms, left):
    """All rows of all outputs at one time left, by numpy."""
    window, place = window_of(left, per_ms)
    powers = place ** np.arange(table.shape[3])
    return np.einsum("gnk,n->gk", table[0, window].astype(float), powers)[:, : len(CONSTANTS)]


def gain(left, a, b, rate):
    """K in as many digits as mpmath is told to take; a and b must differ."""
    integrals = [(1 - mp.exp(-x * left)) / x for x in (a + rate, b + rate)]
    return a * (integrals[0] - integrals[1]) / (b - a)


def by_formula(left, tau_mem, tau_syn, rate):
    """One column of the table."""
    with mp.workdps(90):
        left, rate = mp.mpf(left), mp.mpf(rate)
        # Equal rates are taken apart by less than shows.
        a, b = 1 / mp.mpf(tau_mem), 1 / mp.mpf(tau_syn) + mp.mpf("1e-25")
        value = gain(left, a, b, rate)
        slope = a * (mp.exp(-(a + rate) * left) - mp.exp(-(b + rate) * left)) / (b - a)
        by_mem = mp.diff(lambda x: gain(left, x, b, rate), a)
        by_syn = mp.diff(lambda x: gain(left, a, x, rate), b)
        return [float(x) for x in (value, by_mem, by_syn, -(rate * value + slope))]


@pytest.mark.parametrize("real", [np.float32, np.float64])
@pytest.mark.parametrize("time_constant", sorted({c[2] for c in CONSTANTS}))
def test_table_of_gains_is_the_formula_at_any_time_left(real, time_constant):
    rate = 1.0 / time_constant
    table, per_ms = table_of(real)(rate)
    rng = np.random.default_rng(4)
    times = np.concatenate([[0.0, LONGEST], 10.0 ** rng.uniform(-4.0, math.log10(LONGEST), 60)])
    actual = np.array([in_table(table, per_ms, left) for left in times])
    expected = np.array(
        [
            np.transpose([by_formula(left, mem, syn, rate) for mem, syn, _ in CONSTANTS])
            for left in times
        ]
    )
    error = np.abs(actual - expected).max(axis=0) / np.abs(expected).max(axis=0)
    assert error.max() < RTOL[real], error


def test_windows_follow_each_other_and_places_run_through_them():
    times = np.linspace(0.0, 400.0, 20_001)
    found = [window_of(left, 0.4) for left in times]
    window, place = np.array([w for w, _ in found]), np.array([p for _, p in found])
    assert window[0] == 0
    assert set(np.diff(window)) == {0, 1}
    assert place.min() >= -0.5
    assert place.max() < 0.5
    inside = np.diff(window) == 0
    assert (np.diff(place)[inside] > 0.0).all()


def test_every_time_left_of_the_longest_sample_has_a_window():
    rng = np.random.default_rng(6)
    for begin in np.concatenate([np.arange(17.0, 64.0), 2.0 ** np.arange(6, 20)]):
        for per_ms in rng.uniform(0.01, 30.0, 20):
            longest = (begin - 16.0) / per_ms
            job = SimpleNamespace(duration=np.array([longest]))
            assert window_of(longest, per_ms)[0] < count_windows(job, per_ms)


@pytest.mark.parametrize("size", [1, 16, 37])
def test_lanes_give_back_the_matrix(size):
    matrix = np.random.default_rng(5).normal(size=(7, size)).astype(np.float32)
    blocks = to_lanes(matrix)
    assert blocks.shape == (-(-size // LANES), 7, LANES)
    assert blocks.ctypes.data % 64 == 0
    assert np.array_equal(of_lanes(blocks, size), matrix)
    assert not blocks.transpose(1, 0, 2).reshape(7, -1)[:, size:].any()
