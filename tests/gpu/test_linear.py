"""Layers of linear neurons by the CUDA text: bits of cpu, gradients of the reference."""

import numpy as np
import pytest

import eventsim as es
from eventsim.engine.contract.registry import using_backend
from eventsim.engine.cuda import CudaBackend
from eventsim.errors import BackendError, NetworkError, RunawayError
from tests.support.compare import assert_close_by_name
from tests.support.linear_neurons import (
    SPARSE,
    sparse_layer,
    sparse_stream,
    spikes_and_gradients,
)
from tests.support.simt import HostDevice, why_not

pytestmark = pytest.mark.skipif(why_not() is not None, reason=str(why_not()))


def on_the_host(net, events, seed, **options):
    """By the host build; the seed permutes threads and blocks."""
    with using_backend("cuda", CudaBackend(HostDevice(seed))):
        return spikes_and_gradients(net, events, backend="cuda", **options)


@pytest.mark.parametrize("precision", ["single", "double"])
@pytest.mark.parametrize("returns", [0.0, 1.5])
@pytest.mark.parametrize("kind", SPARSE)
def test_a_layer_has_the_bits_of_cpu_event_by_event_and_its_gradients(kind, returns, precision):
    net, events = sparse_layer(kind, returns), sparse_stream()
    expected, right = spikes_and_gradients(net, events, backend="cpu", precision=precision)
    bound = {"single": 2e-5, "double": 1e-8}[precision]
    if precision == "double":
        _, right = spikes_and_gradients(net, events, backend="reference")
    assert len(expected) > 20
    for seed in (0, 1):
        found, mine = on_the_host(net, events, seed, precision=precision)
        for field in ("times", "neurons", "offsets", "current", "restart_current"):
            values = getattr(expected, field)
            assert np.array_equal(getattr(found, field), values, equal_nan=True), field
        assert_close_by_name(mine, right, rtol=bound)


def test_a_layer_that_shares_its_events_agrees_with_cpu_side_by_side():
    """By moments cpu has other last bits; delays per source are in the events' times."""
    net = es.Network()
    net.add_input("input", 6)
    rng = np.random.default_rng(8)
    net.add_population("h", 9, neuron=es.AdLIF(tau_mem=rng.uniform(10, 30, 9), a=0.5, b=0.2))
    net.connect("input", "h", rng.normal(0.8, 2.0, (6, 9)), delays=rng.uniform(0, 2, 6))
    net.add_readout("out", 2)
    net.connect("h", "out", rng.normal(0.0, 1.0, (9, 2)))
    found, mine = on_the_host(net, sparse_stream(), seed=1)
    expected, right = spikes_and_gradients(net, sparse_stream(), backend="cpu")
    assert found.neurons.tolist() == expected.neurons.tolist()
    np.testing.assert_allclose(found.times, expected.times, rtol=0, atol=1e-10)
    assert_close_by_name(mine, right, rtol=1e-8)


def test_a_network_on_the_device_has_the_gradients_of_one_on_the_host_there(host_cuda):
    net, events = sparse_layer("adlif", 1.5), sparse_stream()
    with using_backend("cuda", host_cuda):
        there = net.map(host_cuda.asarray)
        _, right = spikes_and_gradients(net, events, backend="cuda")
        _, mine = spikes_and_gradients(there, events, backend="cuda")
    assert type(mine["h.tau_w"]) is type(there.populations["h"].tau_w)
    for key, values in right.items():
        assert np.array_equal(np.asarray(host_cuda.get(mine[key])), values), key


def test_a_neuron_that_runs_away_is_named(host_cuda):
    net, events = sparse_layer("adlif", 1e-5), sparse_stream()
    net.projections["h->h"].weights[...] = 500.0
    with using_backend("cuda", host_cuda), pytest.raises(RunawayError, match="'h'"):
        es.simulate(net, events, backend="cuda")


def test_linear_neurons_in_a_loop_are_refused_by_name(host_cuda):
    net = es.Network()
    net.add_input("input", 2)
    net.add_population("h", 2, neuron=es.AdLIF())
    net.connect("input", "h", np.ones((2, 2)))
    net.connect("h", "h", np.ones((2, 2)), delays=1.0)
    events = es.EventStream([1.0], [0], [0, 1], n_channels=2, duration=9.0)
    with using_backend("cuda", host_cuda), pytest.raises(BackendError, match="AdLIF in a loop"):
        es.simulate(net, events, backend="cuda")


def test_linear_neurons_in_pieces_are_refused_by_name(host_cuda):
    net, events = sparse_layer("adlif", 1.5), sparse_stream()
    with using_backend("cuda", host_cuda), pytest.raises(NetworkError, match="'h' has .* AdLIF"):
        es.simulate_chunk(net, next(iter(events.chunks(9.0))), backend="cuda")
