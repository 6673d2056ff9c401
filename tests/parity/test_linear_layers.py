"""Layers of linear neurons side by side against the same neurons event by event."""

import re

import numpy as np
import pytest

import eventsim as es
from eventsim.engine.contract import linear
from eventsim.engine.cpu import linear_lanes
from eventsim.kernels import build
from eventsim.neuron import linear_tables
from tests.support.compare import assert_close_by_name, assert_same_trains
from tests.support.linear_neurons import dense_layer, dense_stream, spikes_and_gradients


@pytest.mark.parametrize("kind", ["adlif", "resonator", "receptors", "cable"])
def test_layers_side_by_side_have_the_spikes_and_gradients_of_event_by_event(kind, monkeypatch):
    net, events = dense_layer(kind), dense_stream()
    found, mine = spikes_and_gradients(net, events, backend="cpu")
    monkeypatch.setattr(linear, "LEAST_PIECE", np.inf)
    expected, right = spikes_and_gradients(net, events, backend="cpu")
    assert assert_same_trains(found, expected, atol_ms=1e-10) > 200
    assert_close_by_name(mine, right, rtol=1e-8)


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
