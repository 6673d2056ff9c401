"""Loops of linear neurons by windows, side by side: the definition, chunks, starts, files."""

import numpy as np
import pytest

import eventsim as es
from eventsim.engine import algorithm
from eventsim.engine.cpu import linear_host
from eventsim.errors import RunawayError
from tests.gradients.test_chunks import assert_adds_up
from tests.parity.test_chunks import assert_chunks_equal_whole
from tests.support.compare import SINGLE_ATOL, assert_close_by_name, assert_same_spikes
from tests.support.linear_neurons import quiet_loop, random_loop, two_kinds_in_a_loop
from tests.support.losses import Sums
from tests.support.nets import random_stream


@pytest.fixture(autouse=True)
def windows(monkeypatch):
    """Runs of loops by windows, which all go by them that can; how many there were."""
    monkeypatch.setattr(algorithm, "WINDOW_SHARE", 0.0)
    runs, known = [], linear_host._by_windows

    def counted(*arguments):
        runs.append(arguments[0].n_samples)
        return known(*arguments)

    monkeypatch.setattr(linear_host, "_by_windows", counted)
    return runs


def same(seed, *, on_a_grid=False):
    """Whether spikes and gradients are those of the reference; how many spikes there are."""
    net, stream = random_loop(seed, on_a_grid=on_a_grid)
    found, expected = (es.simulate(net, stream, backend=b) for b in ("cpu", "reference"))
    n_spikes = assert_same_spikes(found, expected, atol_ms=1e-9)
    loss = Sums(net, stream.n_samples)
    mine, right = (es.backward(net, tape, loss).flat() for tape in (found, expected))
    assert_close_by_name(mine, right, rtol=1e-6, floor=1e-3)
    return n_spikes


@pytest.mark.parametrize("on_a_grid", [False, True])
def test_random_loops_are_those_of_the_reference(on_a_grid, windows):
    assert sum(same(seed, on_a_grid=on_a_grid) for seed in range(1, 8)) > 100
    assert len(windows) >= 7


@pytest.mark.parametrize("precision", ["double", "single"])
@pytest.mark.parametrize("length", [0.25, 4.0, 33.3])
def test_chunks_have_the_bits_of_the_whole(length, precision, windows):
    total, how = 0, {"backend": "cpu", "precision": precision}
    for seed, on_a_grid in ((1, False), (4, True), (8, False), (9, True)):
        net, stream = random_loop(seed, on_a_grid=on_a_grid)
        total += assert_chunks_equal_whole(net, stream, length, **how)
    assert total > 200
    assert len(windows) > 4 * 60.0 / length


def test_silent_windows_hold_what_is_held_and_cost_no_bit_of_chunks(windows):
    net, stream = quiet_loop()
    found, expected = (es.simulate(net, stream, backend=b) for b in ("cpu", "reference"))
    assert assert_same_spikes(found, expected, atol_ms=1e-9) > 3
    assert np.diff(found["a"].times).max() > 20.0
    for precision in ("single", "double"):
        for length in (3.7, 11.3, 23.3):
            assert_chunks_equal_whole(net, stream, length, backend="cpu", precision=precision)
    for length in (3.7, 23.3):
        assert_adds_up(net, stream, length, 1e-9, backend="cpu")
    assert len(windows) > 30


def test_of_neurons_that_run_away_the_first_is_told_as_by_the_reference():
    net = es.Network()
    net.add_input("input", 1)
    net.add_population("a", 3, neuron=es.AdLIF(tau_mem=6.0, tau_syn=9.0))
    net.connect("input", "a", np.array([[1.0, 60.0, 30.0]]))
    net.connect("a", "a", es.self_recurrent(np.full(3, 30.0)))
    net.add_population("b", 3, neuron=es.AdLIF())
    net.connect("a", "b", np.ones((3, 3)), delays=1.0)
    net.connect("b", "a", np.ones((3, 3)), delays=1.0)
    stream, told = es.EventStream([1.0], [0], [0, 1], n_channels=1, duration=9.0), []
    for backend in ("cpu", "reference"):
        with pytest.raises(RunawayError) as caught:
            es.simulate(net, stream, backend=backend)
        told.append(vars(caught.value))
    assert told[0] == {**told[1], "time": pytest.approx(told[1]["time"], abs=1e-9)}
    assert told[0]["neuron"] == 1


def test_single_precision_has_the_spikes_of_double(windows):
    for seed in (1, 4, 8):
        net, stream = random_loop(seed)
        single, double = (
            es.simulate(net, stream, backend="cpu", precision=p) for p in ("single", "double")
        )
        assert assert_same_spikes(single, double, atol_ms=SINGLE_ATOL) > 50
    assert len(windows) == 6


def test_a_loop_from_a_start_is_that_of_the_reference(windows):
    n_spikes = 0
    for seed in (2, 5, 8):
        net, stream = random_loop(seed)
        rng, size = np.random.default_rng(seed), net.populations["a"].size
        voltage = net.populations["a"].threshold - rng.uniform(0.05, 0.6, (2, size))
        given = {"start": es.Start(voltage={"a": voltage})}
        tapes = [es.simulate(net, stream, backend=b, **given) for b in ("cpu", "reference")]
        n_spikes += assert_same_spikes(*tapes, atol_ms=1e-9)
        found, expected = (es.backward(net, tape, Sums(net, 2)).flat() for tape in tapes)
        assert_close_by_name(found, expected, rtol=1e-6, floor=1e-3)
        at_rest = es.simulate(net, stream, backend="cpu")
        assert not np.array_equal(at_rest["a"].times, tapes[0]["a"].times)
    assert n_spikes > 100
    assert len(windows) == 6


def test_gradients_of_a_long_run_go_back_part_by_part(windows, monkeypatch):
    """Those of event by event, from the same spikes; some neuron is always held."""
    net = two_kinds_in_a_loop(5, 24)
    net.populations["a"].refractory[:] = 12.0
    stream = random_stream(6, n_samples=1, n_channels=5, duration=1500.0, rate=250.0)
    tape, loss = es.simulate(net, stream, backend="cpu"), Sums(net, 1)
    found = es.backward(net, tape, loss).flat()
    monkeypatch.setattr(linear_host, "side_by_side", lambda *_: False)
    assert_close_by_name(found, es.backward(net, tape, loss).flat(), rtol=1e-8, floor=1e-3)
    assert np.diff(tape["a"].times).max() < 12.0
    assert len(windows) == 1
