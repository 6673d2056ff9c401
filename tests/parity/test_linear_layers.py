"""Layers of linear neurons side by side against the same neurons event by event."""

import numpy as np
import pytest

import eventsim as es
from eventsim.engine.contract import linear
from tests.support.linear_neurons import dense_layer, dense_stream


def results(net, events):
    """Spikes, and gradients of a random loss of their times; by delays too."""
    tape = es.simulate(net, events, backend="cpu")
    own = np.random.default_rng(len(tape["h"])).normal(size=len(tape["h"]))
    found = es.backward(net, tape, lambda *_: (float(own @ tape["h"].times), {"h": own}))
    return tape["h"], found.flat()


@pytest.mark.parametrize("kind", ["adlif", "resonator", "receptors", "cable"])
def test_layers_side_by_side_have_the_spikes_and_gradients_of_event_by_event(kind, monkeypatch):
    net, events = dense_layer(kind), dense_stream()
    found, mine = results(net, events)
    monkeypatch.setattr(linear, "LEAST_PIECE", np.inf)
    expected, right = results(net, events)
    assert len(expected) > 200
    assert found.neurons.tolist() == expected.neurons.tolist()
    np.testing.assert_allclose(found.times, expected.times, rtol=0, atol=1e-10)
    assert right.keys() == mine.keys()
    for key, values in right.items():
        scale = np.abs(values).max(initial=0.0)
        np.testing.assert_allclose(
            mine[key], values, rtol=0, atol=1e-8 * scale + 1e-12, err_msg=key
        )
