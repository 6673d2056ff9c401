"""Rates, intervals, CV, synchrony and correlation: against plain loops, NumPy and processes."""

import numpy as np
import pytest

import eventsim as es
from eventsim.errors import ParameterError
from eventsim.events import activity

LENGTHS = (900.0, 400.0)  # ms


def made(samples, sizes, lengths=LENGTHS):
    """A tape of populations that fired at these times: by population, sample and neuron."""
    trains = {}
    for name, size in sizes.items():
        times, neurons, offsets = [], [], [0]
        for trains_of in samples[name]:
            t = np.concatenate([*trains_of, np.zeros(0)])
            k = np.repeat(np.arange(size), [len(each) for each in trains_of])
            order = np.lexsort((k, t))
            times.append(t[order])
            neurons.append(k[order].astype(np.int32))
            offsets.append(offsets[-1] + t.size)
        nothing = np.full(offsets[-1], np.nan)
        trains[name] = es.SpikeTrains(
            np.concatenate(times), np.concatenate(neurons), np.array(offsets), size,
            current=nothing, restart_current=nothing,
        )  # fmt: skip
    silent = es.EventStream([], [], [0] * (len(lengths) + 1), n_channels=1, duration=lengths)
    return es.SpikeTape(silent, trains, {}, "cpu", "double")


@pytest.fixture(scope="module")
def drawn():
    """Spikes by population, sample and neuron; neuron 2 of a is silent, 3 fires once a bin."""
    rng, found = np.random.default_rng(1), {}
    for name, size in SIZES.items():
        found[name] = [
            [np.sort(rng.uniform(0, length, rng.poisson(0.02 * length))) for _ in range(size)]
            for length in LENGTHS
        ]
    for sample, length in zip(found["a"], LENGTHS, strict=True):
        sample[2], sample[3] = np.zeros(0), np.arange(0.5, length, 2.0)
    return found


SIZES = {"a": 6, "b": 4}
WINDOWS = {
    "whole": ({}, (0.0, 0.0), LENGTHS),
    "late": ({"begin": 100.0}, (100.0, 100.0), LENGTHS),
    "by sample": ({"begin": [50.0, 10.0], "end": [799.0, 399.0]}, (50.0, 10.0), (799.0, 399.0)),
}


def within(times, low, high):
    return times[(times >= low) & (times < high)]


@pytest.mark.parametrize("window", WINDOWS)
def test_rates_intervals_and_cv_are_those_of_loops_over_neurons(drawn, window):
    how, lows, highs = WINDOWS[window]
    tape, seen = made(drawn, SIZES), 0
    rates, cv = (f(tape, "a", **how) for f in (activity.rates, activity.cv))
    gaps, owner = activity.intervals(tape, "a", **how)
    for k, (low, high) in enumerate(zip(lows, highs, strict=True)):
        for n in range(6):
            mine = within(drawn["a"][k][n], low, high)
            assert rates[k, n] == pytest.approx(mine.size / (high - low) * 1e3, rel=1e-14)
            wanted = np.diff(mine)
            assert np.array_equal(gaps[owner == 6 * k + n], wanted)
            if wanted.size < 5:
                assert np.isnan(cv[k, n])
                continue
            assert cv[k, n] == pytest.approx(wanted.std() / wanted.mean(), rel=1e-12, abs=1e-14)
            seen += 1
    assert seen >= 8


def counts(trains, low, high, width):
    edges = low + width * np.arange(int((high - low) // width) + 1)
    return np.array([np.histogram(within(t, low, edges[-1]), edges)[0] for t in trains])


@pytest.mark.parametrize("window", WINDOWS)
@pytest.mark.parametrize("width", [2.0, 7.0])
def test_synchrony_and_correlation_are_those_of_all_counts_in_bins(drawn, window, width):
    how, lows, highs = WINDOWS[window]
    tape, seen = made(drawn, SIZES), 0
    how = how | {"width": width}
    found = [
        activity.synchrony(tape, "a", **how),
        activity.correlation(tape, "a", **how),
        activity.correlation(tape, "a", "b", **how),
    ]
    for k, (low, high) in enumerate(zip(lows, highs, strict=True)):
        a, b = (counts(drawn[name][k], low, high, width) for name in ("a", "b"))
        synchrony = a.sum(axis=0).var() / a.var(axis=1).sum()
        a = a[a.var(axis=1) > 0.0]
        every = np.corrcoef(np.concatenate([a, b]))
        n = len(a)
        inside = (every[:n, :n].sum() - n) / (n * (n - 1))
        wanted = [synchrony, inside, every[:n, n:].mean()]
        assert np.allclose([each[k] for each in found], wanted, rtol=1e-9, atol=1e-12)
        seen += 1
    assert seen == 2


def test_neurons_that_fire_together_have_a_synchrony_of_their_number():
    train = np.sort(np.random.default_rng(2).uniform(0, 900, 60))
    tape = made({"a": [[train] * 5]}, {"a": 5}, (900.0,))
    assert activity.synchrony(tape, "a") == pytest.approx(5.0)
    assert activity.correlation(tape, "a") == pytest.approx(1.0)


def test_independent_processes_have_what_theory_says():
    """Poisson: CV 1, synchrony 1, correlation 0. Gamma of order 4: CV 1/2."""
    rng, length, n = np.random.default_rng(3), 50_000.0, 60
    poisson = [np.sort(rng.uniform(0, length, rng.poisson(0.02 * length))) for _ in range(n)]
    gamma = [np.cumsum(rng.gamma(4.0, 12.5, 900)) for _ in range(n)]
    gamma = [times[times < length] for times in gamma]
    tape = made({"poisson": [poisson], "gamma": [gamma]}, {"poisson": n, "gamma": n}, (length,))
    assert activity.rates(tape, "poisson").mean() == pytest.approx(20.0, rel=0.02)
    assert activity.cv(tape, "poisson").mean() == pytest.approx(1.0, abs=0.01)
    assert activity.cv(tape, "gamma").mean() == pytest.approx(0.5, abs=0.01)
    assert activity.synchrony(tape, "poisson") == pytest.approx(1.0, abs=0.05)
    for other in ("poisson", "gamma"):
        assert activity.correlation(tape, "poisson", other) == pytest.approx(0.0, abs=1e-3)


def test_silence_has_a_rate_and_nothing_else():
    tape = made({"a": [[np.zeros(0)] * 3]}, {"a": 3}, (90.0,))
    assert np.array_equal(activity.rates(tape, "a"), np.zeros((1, 3)))
    assert np.isnan(activity.cv(tape, "a")).all()
    assert np.isnan(activity.synchrony(tape, "a")).all()
    assert np.isnan(activity.correlation(tape, "a")).all()
    assert activity.intervals(tape, "a")[0].size == 0


def test_a_chunk_counts_from_where_it_begins():
    net = es.Network()
    net.add_input("input", 1)
    net.add_population("cells", 2, constant_current=[2.0, 3.0])
    silent = es.EventStream([], [], [0, 0], n_channels=1, duration=200.0)
    whole = es.simulate(net, silent)
    *_, last = es.simulate_chunks(net, silent.chunks(150.0))
    wanted = activity.rates(whole, "cells", begin=150.0)
    assert np.array_equal(activity.rates(last, "cells"), wanted)
    with pytest.raises(ParameterError, match="150 ms or later"):
        activity.rates(last, "cells", begin=100.0)
