"""What a synapse takes in memory, and that saving it changes no bit."""

import tracemalloc

import numpy as np
import pytest

import eventsim as es
from bench.macro import large
from eventsim.engine.cpu import layer
from tests.support.nets import random_net, random_stream

N_NEURONS, MS = 20_000, 20.0


@pytest.fixture(scope="module", params=["feedforward", "recurrent"])
def grown(request):
    """A network of two million synapses, by its shape."""
    return request.param, large.network(request.param, N_NEURONS)


# Bytes that were measured, and a fifth more. The network's 12 are in them, and what goes by neuron.
MOST = {"feedforward": 31.0, "recurrent": 34.0}
MOST_BACK = {"feedforward": 58.0, "recurrent": 48.0}


def traced(call, n_synapses, held):
    """Bytes a synapse at the peak of a call, those of the network included; and its result."""
    tracemalloc.start()
    try:
        result = call()
        return tracemalloc.get_traced_memory()[1] / n_synapses + held, result
    finally:
        tracemalloc.stop()


@pytest.mark.parametrize("precision", ["double", "single"])
def test_bytes_a_synapse_at_the_peak_of_a_run_and_of_gradients(grown, precision):
    shape, made = grown
    net = made.copy()
    stream = large.events(shape, net, MS)
    n_synapses = sum(p.values.size for p in net.projections.values())
    assert n_synapses > layer.GROUPED_FROM
    seed = lambda tape: es.SpikeSeed(time=np.ones(len(tape["neurons"])))  # noqa: E731
    other = made.copy()  # which has its kernels compiled, so that this is not traced
    tape = es.simulate(other, stream, backend="cpu", precision=precision)
    es.backward(other, tape, {"neurons": seed(tape)})
    peak, tape = traced(
        lambda: es.simulate(net, stream, backend="cpu", precision=precision), n_synapses, 12.0
    )
    assert 12.0 < peak <= MOST[shape]
    peak, _ = traced(lambda: es.backward(net, tape, {"neurons": seed(tape)}), n_synapses, 12.0)
    assert 12.0 < peak <= MOST_BACK[shape]


@pytest.mark.parametrize("delays", ["scalar", "source", "synapse"])
@pytest.mark.parametrize("precision", ["double", "single"])
def test_layer_in_groups_of_neurons_has_the_spikes_of_the_whole(monkeypatch, precision, delays):
    net = random_net(4, hidden=(70, 5), sparse=True, delays=delays)
    stream = random_stream(4)

    def run():
        return es.simulate(net, stream, backend="cpu", precision=precision)

    whole = run()
    monkeypatch.setattr(layer, "GROUPED_FROM", 0)
    grouped = run()
    for name in whole.names:
        assert len(whole[name])
        assert np.array_equal(whole[name].times, grouped[name].times)
        assert np.array_equal(whole[name].neurons, grouped[name].neurons)
        assert np.array_equal(whole[name].offsets, grouped[name].offsets)
