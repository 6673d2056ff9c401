"""cpu and the CUDA text agree bit for bit in spikes, and two runs of the text in everything."""

import numpy as np
import pytest

import eventsim as es
from eventsim.engine.contract.registry import get_backend
from eventsim.engine.cpu import readout_host
from eventsim.engine.cuda import readout_host as cuda_readout
from eventsim.engine.cuda.backend import CudaBackend
from eventsim.engine.cuda.probe import Card, look
from eventsim.engine.run.run import readout_job
from tests.support.nets import neuron_parameters, random_net, random_stream
from tests.support.simt import devices, why_not
from tests.support.simt.exercise import differences, results
from tests.support.simt.runs import Run

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
SPIKES = 6_500  # at least, in each: some 70,000 in all


def case(name):
    seed = 700 + list(CASES).index(name)
    if CASES[name] is None:
        net = scsr(seed)
    else:
        net = random_net(seed, n_inputs=30, hidden=(96, 70), n_outputs=5, **CASES[name])
    duration = 60.0 if CASES[name] else 250.0
    stream = random_stream(seed, n_samples=2, n_channels=30, duration=duration, rate=40.0)
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


def assert_same_bits(precision, runs=None):
    """Of cpu and two devices in spikes; of these two, with threads in other orders, in all."""
    expected = results(get_backend("cpu"), precision, runs)
    first, again = (results(CudaBackend(device), precision, runs) for device in devices(precision))
    assert differences(first, expected, precision) == []
    assert differences(again, expected, precision) == []
    for key, value in first.items():
        assert np.array_equal(again[key], value, equal_nan=value.dtype.kind == "f"), key
    return sum(value.size for key, value in expected.items() if key.endswith("/times"))


@pytest.mark.crossed("large networks; the next test has one of each kind", test=0, all=1)
@pytest.mark.parametrize("precision", ["single", "double"])
@pytest.mark.parametrize("name", list(CASES))
def test_host_build_has_the_bits_of_cpu_and_of_itself_in_another_order(name, precision):
    run = {name: case(name)}
    for population in run[name].net().populations.values():
        if population.kind != "input":
            taus = np.concatenate([population.tau_mem, population.tau_syn])
            assert np.unique(taus).size == taus.size
    assert assert_same_bits(precision, run) >= SPIKES


@pytest.mark.thorough("every run; make test has a network of each kind, above")
@pytest.mark.crossed("the cases above are of both precisions", all=0)
@pytest.mark.parametrize("precision", ["single", "double"])
def test_host_build_agrees_with_cpu_at_the_edges_and_with_itself_in_another_order(precision):
    assert_same_bits(precision)


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
