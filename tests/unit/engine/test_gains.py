"""What an arrival gains a readout's integral, by its table, against its formulas in 90 digits."""

import math
from types import SimpleNamespace

import mpmath as mp
import numpy as np
import pytest

from eventsim.compiled import roles
from eventsim.compiled.library import library
from eventsim.engine.contract.gain_windows import (
    FIRST_WINDOW,
    N_GAIN,
    WINDOW_BITS,
    count_windows,
    terms_of,
)
from eventsim.engine.cpu.arrays import addresses
from eventsim.engine.cpu.blocks import LANES, in_blocks, of_blocks

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
N = len(CONSTANTS)
LONGEST = 3000.0  # ms


def number_of(left, per_ms):
    """Of a time's window: the leading bits."""
    numbers = np.array([FIRST_WINDOW + per_ms * left, FIRST_WINDOW]).view(np.int64)
    return int(np.subtract(*(numbers >> (52 - WINDOW_BITS))))


def in_kernels(real, rate, lefts):
    """Gain, its derivatives by both rates, and its slope, of all constants, [lefts, 4, N].

    A spike at 0 of each sample, which ends after the time left, has a synapse of weight 1 at every
    output; backward, one output alone is asked for in each of N samples.
    """
    rates = np.array([[1.0 / tau for tau in taus] for taus in zip(*CONSTANTS, strict=True)])
    per_ms = 4.0 * (float(rates[:2].max()) + rate)
    windows = number_of(LONGEST, per_ms) + 1
    gains = roles.GainTableRole(
        np.zeros((1, windows, N_GAIN, terms_of(real), LANES), real), 1, windows, rate, per_ms
    )
    library().run(
        roles.ReadoutGains(roles.TasksRole.all(1), roles.OutputsRole(rates[:2], N), gains), real
    )
    duration = np.repeat(lefts, N)
    n = duration.size
    times, neurons = np.zeros(n), np.zeros(n, np.int32)
    spikes = roles.SourcesRole(
        np.arange(n + 1)[None], addresses([times]), addresses([neurons]), np.zeros(1, np.int64),
        np.zeros(1), duration, 1, n,
    )  # fmt: skip
    weights = roles.WeightsRole(in_blocks(np.ones((1, N), real), LANES), 1, LANES)
    integral, tasks = roles.IntegralsRole(np.empty((n, LANES)), LANES), roles.TasksRole.all(n)
    library().run(roles.ReadoutForward(tasks, spikes, gains, weights, integral), real)
    seeds = np.tile(np.eye(N, LANES), (len(lefts), 1))
    by_weight, effects, sums = np.zeros((n, 1, LANES)), np.zeros(n), np.zeros((n, 3, LANES))
    back = roles.IntegralsBackRole(np.arange(n + 1), seeds, by_weight, None, effects, sums, LANES)
    library().run(roles.ReadoutBackward(tasks, spikes, gains, weights, back), real)
    own = sums.reshape(-1, N, 3, LANES)[:, np.arange(N), :, np.arange(N)]  # [N, lefts, 3]
    assert np.array_equal(by_weight[::N, 0, 0], own[0, :, 0])
    forward = integral.values[::N, :N]
    assert np.array_equal(forward.T, own[..., 0])
    return np.stack([forward, own[..., 1].T, own[..., 2].T, effects.reshape(-1, N)], axis=1)


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
def test_gain_and_its_derivatives_are_the_formula_at_any_time_left(real, time_constant):
    rate = 1.0 / time_constant
    rng = np.random.default_rng(4)
    times = np.concatenate([[1e-9, LONGEST], 10.0 ** rng.uniform(-4.0, math.log10(LONGEST), 60)])
    actual = in_kernels(real, rate, times)
    expected = np.array(
        [
            np.transpose([by_formula(left, mem, syn, rate) for mem, syn, _ in CONSTANTS])
            for left in times
        ]
    )
    error = np.abs(actual - expected).max(axis=0) / np.abs(expected).max(axis=0)
    assert error.max() < RTOL[real], error


def test_every_time_left_of_the_longest_sample_has_a_window():
    rng = np.random.default_rng(6)
    for begin in np.concatenate([np.arange(17.0, 64.0), 2.0 ** np.arange(6, 20)]):
        for per_ms in rng.uniform(0.01, 30.0, 20):
            longest = (begin - 16.0) / per_ms
            job = SimpleNamespace(duration=np.array([longest]))
            assert number_of(longest, per_ms) < count_windows(job, per_ms)


@pytest.mark.parametrize("size", [1, 16, 37])
def test_lanes_give_back_the_matrix(size):
    matrix = np.random.default_rng(5).normal(size=(7, size)).astype(np.float32)
    blocks = in_blocks(matrix, LANES)
    assert blocks.shape == (-(-size // LANES), 7, LANES)
    assert blocks.ctypes.data % 64 == 0
    assert np.array_equal(of_blocks(blocks, size), matrix)
    assert not blocks.transpose(1, 0, 2).reshape(7, -1)[:, size:].any()
