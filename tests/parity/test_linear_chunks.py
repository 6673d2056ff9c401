"""Linear neurons in pieces of a stream: to the bit those of the whole, event by event."""

import numpy as np
import pytest

import eventsim as es
from eventsim.engine.cpu import linear_host
from tests.parity.test_chunks import assert_chunks_equal_whole
from tests.support.compare import SINGLE_ATOL, assert_same_spikes
from tests.support.linear_neurons import dense_layer, dense_stream, random_network


@pytest.fixture
def event_by_event(monkeypatch):
    monkeypatch.setattr(linear_host, "side_by_side", lambda *_: False)


@pytest.mark.usefixtures("event_by_event")
@pytest.mark.parametrize("precision", ["single", "double"])
@pytest.mark.parametrize("length", [1.7, 33.3])
def test_pieces_of_random_networks_are_to_the_bit_the_whole(length, precision):
    total = 0
    for seed in range(8):
        net, stream = random_network(np.random.default_rng(seed))
        total += assert_chunks_equal_whole(net, stream, length, backend="cpu", precision=precision)
    assert total > 200


@pytest.mark.usefixtures("event_by_event")
@pytest.mark.parametrize("kind", ["adlif", "resonator", "cable"])
def test_pieces_of_layers_that_hold_their_neurons_are_to_the_bit_the_whole(kind):
    net, stream = dense_layer(kind), dense_stream()
    assert assert_chunks_equal_whole(net, stream, 11.3, backend="cpu") > 200


@pytest.mark.parametrize(("precision", "atol"), [("double", 1e-10), ("single", SINGLE_ATOL)])
def test_pieces_of_a_layer_side_by_side_have_its_spikes_up_to_rounding(precision, atol):
    net, stream = dense_layer("adlif"), dense_stream()
    how = {"backend": "cpu", "precision": precision}
    parts = [tape["h"] for tape in es.simulate_chunks(net, stream.chunks(29.0), **how)]
    joined = [
        tuple(np.concatenate([p.sample(s)[k] for p in parts]) for k in (0, 1))
        for s in range(stream.n_samples)
    ]
    assert_same_spikes(es.simulate(net, stream, **how), {"h": joined}, atol_ms=atol)


def test_a_readout_behind_linear_neurons_ends_as_in_the_whole():
    net, stream = random_network(np.random.default_rng(1))
    state = None
    for chunk in stream.chunks(13.0):
        _, state = es.simulate_chunk(net, chunk, state, backend="cpu")
    whole = es.simulate(net, stream, backend="cpu")
    expected = es.voltage(net, whole, "out", [float(stream.duration[0])])[:, 0]
    np.testing.assert_allclose(state.readouts["out"].voltage, expected, rtol=0, atol=1e-9)
