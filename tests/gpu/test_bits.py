"""cpu and the CUDA text agree bit for bit in spikes, and two runs of the text in everything."""

import numpy as np
import pytest

import eventsim as es
from eventsim.engine.contract.registry import get_backend
from eventsim.engine.cpu import readout_host
from eventsim.engine.cuda import CudaBackend
from eventsim.engine.cuda import readout_host as cuda_readout
from eventsim.engine.cuda.probe import Card, look
from eventsim.engine.run.run import readout_job
from tests.support.nets import neuron_parameters, random_net, random_stream
from tests.support.simt import HostDevice, devices, why_not
from tests.support.simt.exercise import differences, results
from tests.support.simt.runs import Run
from tests.support.tiers import beyond

pytestmark = pytest.mark.skipif(why_not() is not None, reason=str(why_not()))

DEVICE = look()

# All have two hidden layers, skips past each, self-recurrence and another tau for every neuron.
CASES = {
    "dense": {"delays": "none", "self_delays": "none"},
    "dense, delays by source": {"delays": "source", "self_delays": "none"},
    "dense, delays by synapse": {"delays": "synapse", "self_delays": "neuron"},
    "sparse": {"sparse": True, "delays": "none", "self_delays": "none"},
    "sparse, delays by source": {"sparse": True, "delays": "source", "self_delays": "scalar"},
    "sparse, delays by synapse": {"sparse": True, "delays": "synapse", "self_delays": "neuron"},
    "scsr": None,
}
SPIKES = 14_500  # at least, in each: more than 100,000 in all


def case(name):
    seed = 700 + list(CASES).index(name)
    if CASES[name] is None:
        net = scsr(seed)
    else:
        net = random_net(seed, n_inputs=30, hidden=(96, 70), n_outputs=5, **CASES[name])
    duration = 60.0 if CASES[name] else 250.0
    stream = random_stream(seed, n_samples=4, n_channels=30, duration=duration, rate=40.0)
    return Run(lambda: net, lambda: stream)


def scsr(seed):
    """A net of :func:`eventsim.scsr`, whose neurons then get parameters of their own."""
    rng = np.random.default_rng(seed)
    net = es.scsr(30, (96, 70), 5, mean=5.0, spread=2.0, seed=rng)
    for population in net.populations.values():
        if population.kind == "input":
            continue
        spiking = population.kind == "spiking"
        for key, values in neuron_parameters(rng, population.size, spiking=spiking).items():
            getattr(population, key)[:] = values
    return net


def n_spikes(found):
    return sum(value.size for key, value in found.items() if key.endswith("/times"))


@pytest.mark.crossed("large networks; the next test has one of each kind", test=0, all=1)
@pytest.mark.parametrize("precision", ["single", "double"])
@pytest.mark.parametrize("name", list(CASES))
def test_host_build_has_the_bits_of_cpu(name, precision):
    run = {name: case(name)}
    for population in run[name].net().populations.values():
        if population.kind != "input":
            taus = np.concatenate([population.tau_mem, population.tau_syn])
            assert np.unique(taus).size == taus.size
    expected = results(get_backend("cpu"), precision, run)
    assert n_spikes(expected) >= SPIKES
    for device in devices(precision):
        actual = results(CudaBackend(device), precision, run)
        assert differences(actual, expected, precision) == []


@pytest.mark.thorough("every run; make test has a network of each kind, above")
@pytest.mark.crossed("the cases above are of both precisions", all=0)
@pytest.mark.parametrize("precision", ["single", "double"])
def test_host_build_agrees_with_cpu_at_the_edges(precision):
    expected = results(get_backend("cpu"), precision)
    for device in devices(precision):
        actual = results(CudaBackend(device), precision)
        assert differences(actual, expected, precision) == []


@pytest.mark.thorough("all runs twice; spikes in another order are compared with cpu in make test")
@pytest.mark.parametrize(
    "precision", beyond(1, ["single", "double"], pytest.mark.nightly("the same order of sums"))
)
def test_gradients_do_not_depend_on_the_order_of_threads_and_blocks(precision):
    more = {"scsr": case("scsr"), "sparse": case("sparse, delays by synapse")}
    first, again = (
        results(backend, precision) | results(backend, precision, more)
        for backend in (CudaBackend(HostDevice(seed)) for seed in (0, 3))
    )
    for key, value in first.items():
        assert np.array_equal(again[key], value, equal_nan=value.dtype.kind == "f"), key


@pytest.mark.parametrize("precision", ["single", "double"])
def test_table_of_a_readouts_gains_has_the_bits_of_cpu(precision):
    net = random_net(31, n_outputs=21, tau_ratio=1.0 + 1e-9)
    net.population("output").tau_mem[:5] = [0.3, 400.0, 10.0, 20.0, 5.0]
    stream = random_stream(32, n_samples=2, duration=400.0)
    tape, rate = es.simulate(net, stream, backend="cpu", precision=precision), 0.01
    job = readout_job(net, tape, "output")
    cpu = readout_host.gains_of(job, rate)
    table = np.moveaxis(cpu.values, 0, 3)
    expected = table.reshape(*table.shape[:3], -1)[..., :21]
    for device in devices(precision):
        actual = cuda_readout.gains_of(device, job, rate, cpu.per_ms).get()
        assert np.array_equal(actual, expected)


@pytest.mark.gpu
@pytest.mark.skipif(
    not isinstance(DEVICE, Card), reason=f"no device: {getattr(DEVICE, 'reason', '')}"
)
@pytest.mark.parametrize("precision", ["single", "double"])
def test_device_has_the_bits_of_cpu(precision):
    more = {name: case(name) for name in CASES}
    expected, actual = (
        results(backend, precision) | results(backend, precision, more)
        for backend in (get_backend("cpu"), CudaBackend())
    )
    assert differences(actual, expected, precision) == []
