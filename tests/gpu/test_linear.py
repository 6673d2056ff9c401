"""Layers of linear neurons by the CUDA text: bits of cpu, gradients of the reference."""

import numpy as np
import pytest

import eventsim as es
from eventsim.engine.contract.registry import using_backend
from eventsim.engine.cuda import CudaBackend
from eventsim.errors import BackendError, RunawayError
from tests.support.linear_neurons import SPARSE, sparse_layer, sparse_stream
from tests.support.simt import HostDevice, why_not

pytestmark = pytest.mark.skipif(why_not() is not None, reason=str(why_not()))


def results(net, events, backend, device=None, **options):
    """Spikes, and gradients of a random loss of their times and of a readout's integral."""

    def loss(net, tape):
        own = np.random.default_rng(len(tape["h"])).normal(size=len(tape["h"]))
        integral = es.readout_integral(net, tape, "out", time_constant=30.0)
        seed = np.cos(np.arange(integral.size)).reshape(integral.shape)
        value = float(own @ tape["h"].times + (seed * integral).sum())
        return value, {"h": own, "out": es.ReadoutSeed(time_constant=30.0, integral=seed)}

    def run():
        tape = es.simulate(net, events, backend=backend, **options)
        return tape["h"], es.backward(net, tape, loss).flat()

    if device is None:
        return run()
    with using_backend("cuda", CudaBackend(device)):
        return run()


@pytest.mark.parametrize("precision", ["single", "double"])
@pytest.mark.parametrize("returns", [0.0, 1.5])
@pytest.mark.parametrize("kind", SPARSE)
def test_a_layer_has_the_bits_of_cpu_event_by_event_and_its_gradients(kind, returns, precision):
    net, events = sparse_layer(kind, returns), sparse_stream()
    expected, right = results(net, events, "cpu", precision=precision)
    bound = {"single": 2e-5, "double": 1e-8}[precision]
    if precision == "double":
        _, right = results(net, events, "reference")
    assert len(expected) > 20
    for seed in (0, 1):
        found, mine = results(net, events, "cuda", HostDevice(seed), precision=precision)
        for field in ("times", "neurons", "offsets", "current", "restart_current"):
            values = getattr(expected, field)
            assert np.array_equal(getattr(found, field), values, equal_nan=True), field
        assert mine.keys() == right.keys()
        for key, values in right.items():
            scale = np.abs(values).max(initial=0.0)
            np.testing.assert_allclose(
                mine[key], values, rtol=0, atol=bound * scale + 1e-12, err_msg=key
            )


def test_a_layer_that_shares_its_events_agrees_with_cpu_side_by_side():
    """By moments cpu has other last bits; delays per source are in the events' times."""
    net = es.Network()
    net.add_input("input", 6)
    rng = np.random.default_rng(8)
    net.add_population("h", 9, neuron=es.AdLIF(tau_mem=rng.uniform(10, 30, 9), a=0.5, b=0.2))
    net.connect("input", "h", rng.normal(0.8, 2.0, (6, 9)), delays=rng.uniform(0, 2, 6))
    net.add_readout("out", 2)
    net.connect("h", "out", rng.normal(0.0, 1.0, (9, 2)))
    (found, mine), (expected, right) = (
        results(net, sparse_stream(), *given) for given in [("cuda", HostDevice(1)), ("cpu",)]
    )
    assert found.neurons.tolist() == expected.neurons.tolist()
    np.testing.assert_allclose(found.times, expected.times, rtol=0, atol=1e-10)
    for key, values in right.items():
        scale = np.abs(values).max(initial=0.0)
        np.testing.assert_allclose(mine[key], values, rtol=0, atol=1e-8 * scale, err_msg=key)


def test_a_network_on_the_device_has_the_gradients_of_one_on_the_host_there(host_cuda):
    net, events = sparse_layer("adlif", 1.5), sparse_stream()
    with using_backend("cuda", host_cuda):
        there = net.map(host_cuda.asarray)
        _, right = results(net, events, "cuda")
        _, mine = results(there, events, "cuda")
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
