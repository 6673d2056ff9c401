"""Loops: cpu and the CUDA text agree bit for bit, whatever the order of threads and the block."""

import numpy as np
import pytest
import scipy.sparse

import eventsim as es
from eventsim.engine import algorithm
from eventsim.engine.contract.registry import get_backend
from eventsim.engine.cpu import queue_host
from eventsim.engine.cuda import queue
from eventsim.engine.cuda.backend import CudaBackend
from tests.support.nets import (
    large_net,
    lateral_net,
    one_layer,
    random_stream,
    ring_net,
    shared_net,
    two_kinds_net,
)
from tests.support.simt import HostDevice, devices, why_not
from tests.support.simt.exercise import differences, results
from tests.support.simt.runs import Run

pytestmark = pytest.mark.skipif(why_not() is not None, reason=str(why_not()))


def twins():
    """Identical neurons that meet the same events and each other, without delays: exact ties."""
    net = one_layer("twins", np.full((5, 40), 5.0), tau_mem=10.0, tau_syn=5.0, refractory=2.0)
    ring = scipy.sparse.csr_array(np.roll(0.4 * np.eye(40), 1, axis=1))
    net.connect("twins", "twins", ring)
    net.add_readout("output", 2, tau_mem=20.0, tau_syn=10.0)
    net.connect("twins", "output", np.ones((40, 2)))
    return net


def busy():
    """In a window of the nets below every neuron meets several of these."""
    return random_stream(1210, n_samples=2, n_channels=5, duration=35.0, rate=400.0)


def brief():
    """For nets whose neurons lie apart: the host build takes each of their events by itself."""
    return random_stream(1200, n_samples=2, n_channels=5, duration=12.0, rate=100.0)


def large_stream():
    return random_stream(1220, n_samples=1, n_channels=20, duration=60.0)


def pauses(n_channels):
    """Bursts with a long silence between them."""
    rng = np.random.default_rng(1230)
    times = np.sort(np.concatenate([rng.uniform(t, t + 5.0, 50) for t in (0.0, 90.0, 150.0)]))
    channels = rng.integers(0, n_channels, times.size)
    return es.EventStream(times, channels, [0, times.size], n_channels=n_channels, duration=240.0)


def stream():
    return random_stream(1200, n_samples=2, n_channels=5, duration=40.0)


CASES = {
    "no delays": Run(lambda: lateral_net(1201, size=20, delays="none", gain=0.2), stream),
    "delays by synapse": Run(lambda: lateral_net(1202, size=20), brief),
    "dense, delays by source": Run(
        lambda: lateral_net(1203, size=17, sparse=False, delays="source", gain=0.15), stream
    ),
    "ring with self-delays": Run(lambda: ring_net(1204, size=33), brief),
    "exact ties": Run(twins, stream),
}
WINDOWS = {
    "windows, time constants by neuron": Run(
        lambda: lateral_net(1211, size=20, delays="scalar"), busy
    ),
    "windows, time constants by population": Run(lambda: two_kinds_net(1212), busy),
    "windows, self-delays": Run(lambda: ring_net(1213, size=33), brief),
    "windows, long delays": Run(lambda: large_net(1214, n=150, delays=7.0), large_stream),
    "windows after silences": Run(lambda: two_kinds_net(1215), lambda: pauses(5)),
    "windows, stretches": Run(
        lambda: lateral_net(1216, size=20, sparse=False, delays="source", gain=0.2), busy
    ),
    "windows, stretches, some synapses": Run(
        lambda: shared_net(1217, n=70, refractory=2.5, whole=False), large_stream
    ),
    "windows, stretches after silences": Run(
        lambda: lateral_net(1218, size=20, sparse=False, delays="scalar", gain=0.05),
        lambda: pauses(5),
    ),
}


@pytest.mark.thorough("steps loops for seconds; tests/parity has loops on the host build")
@pytest.mark.crossed("seconds each; both orders and both precisions are in make test-all", all=1)
@pytest.mark.parametrize("precision", ["single", "double"])
@pytest.mark.parametrize("order", [0, 1], ids=["permuted", "in order"])
def test_loops_have_the_bits_of_cpu(order, precision):
    expected = results(get_backend("cpu"), precision, CASES)
    assert sum(v.size for key, v in expected.items() if key.endswith("/times")) > 3000
    actual = results(CudaBackend(devices(precision)[order]), precision, CASES)
    assert differences(actual, expected, precision) == []


@pytest.mark.thorough("half a minute; tests/parity/test_windows.py has the host build as well")
@pytest.mark.crossed("a quarter of a minute each; sums alone are in make test-nightly", all=0)
@pytest.mark.parametrize("precision", ["single", "double"])
@pytest.mark.parametrize("least", [0.5, 2.0], ids=["stretches where they pay", "sums alone"])
def test_windows_have_the_bits_of_cpu(least, precision, monkeypatch):
    monkeypatch.setattr(algorithm, "WINDOW_SHARE", 0.0)
    monkeypatch.setattr(algorithm, "LEAST_SIDE_BY_SIDE", least)
    used = []
    known = queue_host.by_windows
    monkeypatch.setattr(queue_host, "by_windows", lambda *a: used.append(1) or known(*a))
    expected = results(get_backend("cpu"), precision, WINDOWS)
    assert len(used) == len(WINDOWS)
    assert sum(v.size for key, v in expected.items() if key.endswith("/times")) > 3000
    for device in devices(precision):
        actual = results(CudaBackend(device), precision, WINDOWS)
        assert differences(actual, expected, precision) == []


@pytest.mark.thorough("the order of threads; devices above have two of them")
@pytest.mark.crossed("seconds each; both blocks and both ways are in make test-all", all=1)
@pytest.mark.parametrize("block", [32, 128])
@pytest.mark.parametrize(
    ("cases", "share"),
    [
        ({name: CASES[name] for name in ("no delays", "exact ties")}, algorithm.WINDOW_SHARE),
        ({name: WINDOWS[name] for name in list(WINDOWS)[:2]}, 0.0),
    ],
    ids=["loops", "windows"],
)
def test_bits_do_not_depend_on_the_block_or_the_order_of_threads(cases, share, block, monkeypatch):
    monkeypatch.setattr(algorithm, "WINDOW_SHARE", share)
    first = results(CudaBackend(HostDevice(0)), "single", cases)
    monkeypatch.setattr(queue, "block_of", lambda size: block)
    again = results(CudaBackend(HostDevice(block)), "single", cases)
    for key, value in first.items():
        if "grad" not in key:
            assert np.array_equal(again[key], value, equal_nan=value.dtype.kind == "f"), key
