"""Stretches of arrivals: their polynomials, where they end, and arrivals at one time."""

import numpy as np
import pytest
from numba import njit

import eventsim as es
from eventsim.engine.cpu.stretch import fill, new_stretch, polynomials
from eventsim.engine.series import DEGREE_DOUBLE, DEGREE_SINGLE, ITEMS, SPAN
from eventsim.engine.table import N_PAR, RATE_MEM, RATE_SYN
from tests.parity.test_chunks import assert_chunks_equal_whole
from tests.support.compiled import callable_part
from tests.support.nets import random_net, random_stream

TAUS = [(20.0, 10.0), (10.0, 20.0), (5.0, 5.0), (5.0, 5.0 + 1e-9), (2.0, 2000.0), (2000.0, 2.0)]


_polynomials = callable_part(polynomials)


@njit
def _ends(times, rows, t_end, weights, longest):
    stretch, event, found, t = new_stretch(weights), 0, [(0.0, 0, 0, 0, False)], 0.0
    while True:
        event, size, empty, ends = fill(
            stretch, event, times, rows, times.size, t, t_end, weights, longest
        )
        t = stretch.time[ITEMS - 1]
        found.append((t, event, size, empty, ends))
        if ends:
            return found[1:]


@pytest.mark.thorough("compiles a part of a kernel by itself")
@pytest.mark.parametrize(("real", "degree"), [("f4", DEGREE_SINGLE), ("f8", DEGREE_DOUBLE)])
def test_polynomials_are_the_answers_to_an_arrival(real, degree):
    tau_mem, tau_syn = np.array(TAUS).T
    a, b = 1.0 / tau_mem, 1.0 / tau_syn
    par = np.zeros((N_PAR, a.size), real)
    par[RATE_MEM], par[RATE_SYN] = a, b
    longest = np.dtype(real).type(SPAN / max(a.max(), b.max()))
    table = _polynomials(par, longest)
    assert table.shape == (2, degree, a.size)
    s = np.linspace(0.0, float(longest), 40)[:, None]
    powers = (s / float(longest)) ** np.arange(1, degree + 1)
    # Closed forms by long sums of small terms, which hold for equal rates as well.
    n, fine = 4000, np.arange(4000)[:, None, None]
    middle = (fine + 0.5) / n * s
    gain = (np.exp(-a * (s - middle) - b * middle)).sum(axis=0) * a * s / n
    error = 6e-8 if real == "f4" else 2e-9
    np.testing.assert_allclose(powers @ table[0].astype(float), gain, rtol=0, atol=error)
    error = 6e-8 if real == "f4" else 3e-16
    decay = np.exp(-b * s) - 1.0
    np.testing.assert_allclose(powers @ table[1].astype(float), decay, rtol=0, atol=error)


def test_double_precision_gain_is_that_of_exponentials():
    a, b = 1.0 / 20.0, 1.0 / 10.0
    par = np.zeros((N_PAR, 1))
    par[RATE_MEM], par[RATE_SYN] = a, b
    s = np.linspace(0.0, SPAN / b, 50)
    powers = (s * b / SPAN)[:, None] ** np.arange(1, DEGREE_DOUBLE + 1)
    found = powers @ _polynomials(par, np.float64(SPAN / b))[0]
    expected = a * np.exp(-a * s) * -np.expm1(-(b - a) * s) / (b - a)
    np.testing.assert_allclose(found[:, 0], expected, rtol=0, atol=2e-16)


@pytest.mark.thorough("compiles a part of a kernel by itself")
def test_where_stretches_end_follows_from_their_own_arrivals():
    rng = np.random.default_rng(3)
    times = np.sort(np.round(rng.uniform(0.0, 100.0, 120), 1))
    rows, weights = np.zeros(times.size, np.int32), np.ones((2, 3))
    whole = _ends(times, rows, 100.0, weights, 2.5)
    assert sum(size - empty for _, _, size, empty, _ in whole) == np.unique(times).size
    assert [ends for *_, ends in whole] == [False] * (len(whole) - 1) + [True]
    for cut in (0.0, 0.3, 17.0, 55.55, 99.9):
        early = times < cut
        part = _ends(times[early], rows[early], cut, weights, 2.5)
        assert part[:-1] == whole[: len(part) - 1]


def test_arrivals_at_one_time_are_one_item():
    times, rows = np.array([1.0, 1.0, 1.0, 2.0]), np.array([0, 1, 0, 1], np.int32)
    weights = np.array([[0.1, 0.2], [0.5, 0.25], [0.0, 0.0]])
    found = _ends(times, rows, 3.0, weights, 10.0)
    assert found == [(3.0, 4, 3, 1, True)]


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
