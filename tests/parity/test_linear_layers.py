"""Layers of linear neurons side by side against the same neurons event by event."""

import re
from unittest.mock import Mock, patch

import numpy as np
import pytest

import eventsim as es
from eventsim.engine.contract import linear
from eventsim.engine.cpu import linear_fanin, linear_host, linear_lanes
from eventsim.errors import RunawayError
from eventsim.kernels import build
from eventsim.neuron import linear_tables
from tests.support.compare import assert_close_by_name, assert_same_bits, assert_same_trains
from tests.support.linear_neurons import (
    SPARSE,
    dense_layer,
    dense_stream,
    sparse_layer,
    sparse_stream,
    spikes_and_gradients,
)


@pytest.mark.parametrize("kind", ["adlif", "resonator", "receptors", "cable"])
def test_layers_side_by_side_have_the_spikes_and_gradients_of_event_by_event(kind, monkeypatch):
    net, events = dense_layer(kind), dense_stream()
    found, mine = spikes_and_gradients(net, events, backend="cpu")
    monkeypatch.setattr(linear, "LEAST_PIECE", np.inf)
    expected, right = spikes_and_gradients(net, events, backend="cpu")
    assert assert_same_trains(found, expected, atol_ms=1e-10) > 200
    assert_close_by_name(mine, right, rtol=1e-8)


def both_ways(monkeypatch, *given, **options):
    """Spikes and gradients by own lists, and in one order of all arrivals."""
    runs = []
    for way in (Mock(side_effect=linear_host.by_own_lists), Mock(return_value=False)):
        monkeypatch.setattr(linear_host, "by_own_lists", way)
        with patch.object(linear_fanin, "backward", wraps=linear_fanin.backward) as by_lists:
            runs.append(spikes_and_gradients(*given, backend="cpu", **options))
        assert way.call_count == 2  # forward and back
        assert by_lists.called == (len(runs) == 1)
    return runs


@pytest.mark.parametrize("precision", ["double", "single"])
@pytest.mark.parametrize("kind", sorted(SPARSE))
def test_layers_by_own_lists_have_the_bits_of_one_order(kind, precision, monkeypatch):
    given = sparse_layer(kind, 0.0), sparse_stream()
    (found, mine), (expected, right) = both_ways(monkeypatch, *given, precision=precision)
    assert len(found) > 20
    assert_same_bits(found, expected)
    assert_close_by_name(mine, right, rtol=1e-12)


def test_a_neuron_with_many_arrivals_goes_back_part_by_part(monkeypatch):
    """Arrivals and spikes of three parts and some; V is held where parts meet."""
    rng, net = np.random.default_rng(21), es.Network()
    net.add_input("input", 2)
    net.add_population("h", 2, neuron=es.AdLIF(a=0.5, b=0.05), refractory=[0.0, 2.0])
    net.connect("input", "h", rng.normal(1.0, 0.5, (2, 2)), delays=rng.uniform(0, 5, (2, 2)))
    times = np.sort(rng.uniform(0.0, 900.0, 9000))
    events = es.EventStream(times, rng.integers(0, 2, 9000), [0, 9000], n_channels=2, duration=1e3)
    (found, mine), (expected, right) = both_ways(monkeypatch, net, events)
    assert np.bincount(found.neurons, minlength=2).min() > 100
    assert_same_bits(found, expected)
    assert_close_by_name(mine, right, rtol=1e-11)


def test_the_first_neuron_that_runs_away_is_told():
    net = es.Network()
    net.add_input("input", 1)
    net.add_population("h", 3, neuron=es.AdLIF())
    net.connect("input", "h", [[40.0, 40.0, 40.0]], delays=[[3.0, 1.5, 2.5]])
    net.connect("h", "h", es.self_recurrent([1e4, 1e4, 1e4]))
    events = es.EventStream([1.0], [0], [0, 1], n_channels=1, duration=50.0)
    with pytest.raises(RunawayError, match="neuron 1 fired"):
        es.simulate(net, events, backend="cpu")


@pytest.mark.parametrize("itself", [False, True])
def test_a_layer_that_nothing_reaches_is_that_of_the_reference(itself):
    net = es.Network()
    net.add_input("input", 1)
    net.add_population("h", 2, neuron=es.AdLIF(v_leak=[1.5, 0.0], refractory=[0.5, 0.0]))
    if itself:
        net.connect("h", "h", es.self_recurrent([-0.1, 0.1]))
    events = es.EventStream([1.0], [0], [0, 1], n_channels=1, duration=90.0)
    (found, mine), (expected, right) = (
        spikes_and_gradients(net, events, backend=name) for name in ("cpu", "reference")
    )
    assert assert_same_trains(found, expected, atol_ms=1e-10) > 1
    assert_close_by_name(mine, right, rtol=1e-9)


def test_constants_of_both_sides_are_equal():
    """Were FAR of Python larger, the way back would read behind the products of long gaps."""
    folder = build.KERNELS / "cpu" / "linear"
    text = "".join(path.read_text(encoding="utf-8") for path in sorted(folder.glob("*.hpp")))
    terms = [str(linear_lanes.terms_of(real)) for real in (np.float32, np.float64)]
    assert re.findall(r"LINEAR_TERMS = .* (\d+) : (\d+);", text) == [tuple(terms)]
    formulas = (build.KERNELS / "neuron" / "linear.hpp").read_text(encoding="utf-8")
    degrees = [(str(linear_tables.DEGREE_SINGLE), str(linear_tables.DEGREE))]
    assert re.findall(r"LINEAR_DEGREE = .* (\d+) : (\d+);", formulas) == degrees
    assert re.findall(r"double FAR = ([\d.]+);", text) == [f"{linear_lanes.FAR:.1f}"]
