"""Loops by windows: cpu and the CUDA text agree bit for bit; no loop depends on the block.

Loops by their queue are among the runs of ``test_bits.py``.
"""

from dataclasses import replace

import numpy as np
import pytest

import eventsim as es
from eventsim.engine import algorithm
from eventsim.engine.contract.registry import get_backend
from eventsim.engine.cpu import queue_host
from eventsim.engine.cuda import queue
from eventsim.engine.cuda.backend import CudaBackend
from tests.support.compare import ATOL, trains
from tests.support.nets import (
    large_net,
    lateral_net,
    random_stream,
    ring_net,
    shared_net,
    two_kinds_net,
    with_adaptation,
)
from tests.support.simt import HostDevice, devices, why_not
from tests.support.simt.exercise import differences, results
from tests.support.simt.runs import RUNS, Run

pytestmark = pytest.mark.skipif(why_not() is not None, reason=str(why_not()))


def busy():
    """In a window of the nets below every neuron meets several of these."""
    return random_stream(1210, n_samples=2, n_channels=5, duration=35.0, rate=400.0)


def large_stream():
    return random_stream(1220, n_samples=1, n_channels=20, duration=60.0)


def pauses(n_channels):
    """Bursts with a long silence between them."""
    rng = np.random.default_rng(1230)
    times = np.sort(np.concatenate([rng.uniform(t, t + 5.0, 50) for t in (0.0, 90.0, 150.0)]))
    channels = rng.integers(0, n_channels, times.size)
    return es.EventStream(times, channels, [0, times.size], n_channels=n_channels, duration=240.0)


def adaptive(net):
    return with_adaptation(net, 1231, adaptation=(0.05, 0.5), tau=(2.0, 100.0))


def ring():
    """Both populations return; the delays between them are by source."""
    net = ring_net(1213, size=33)
    between = net.projections["a->b"]
    net.projections["a->b"] = replace(between, delays=np.linspace(0.5, 3.0, 33), delays_of="source")
    return net


LOOPS = {name: RUNS[name] for name in ("loop, two warps", "ties, loop", "ties, loop, at once")}
WINDOWS = {
    "windows, time constants by neuron": Run(
        lambda: lateral_net(1211, size=20, delays="scalar"), busy
    ),
    "windows, time constants by population": Run(lambda: two_kinds_net(1212), busy),
    # Whose neurons lie apart: the host build takes each of their events by itself.
    "windows, self-delays": Run(
        ring,
        lambda: random_stream(1200, n_samples=2, n_channels=5, duration=12.0, rate=100.0),
    ),
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
    "windows, adaptive": Run(lambda: adaptive(two_kinds_net(1219)), busy, piece=11.0),
    "windows, adaptive, stretches": Run(
        lambda: adaptive(shared_net(1220, n=70, refractory=2.5)), large_stream, piece=17.0
    ),
}


@pytest.mark.thorough("half a minute; tests/parity/test_windows.py has the host build as well")
@pytest.mark.crossed("a quarter of a minute each; sums alone are in make test-nightly", all=0)
@pytest.mark.parametrize("precision", ["single", "double"])
@pytest.mark.parametrize("least", [0.5, 2.0], ids=["stretches where they pay", "sums alone"])
def test_windows_have_the_bits_of_cpu(least, precision, monkeypatch):
    monkeypatch.setattr(algorithm, "WINDOW_SHARE", 0.0)
    monkeypatch.setattr(algorithm, "LEAST_SIDE_BY_SIDE", least)
    used = {"by_windows": 0, "by_queue": 0}

    def counted(name, known):
        def run(*arguments):
            used[name] += 1
            return known(*arguments)

        return run

    for name in used:
        monkeypatch.setattr(queue_host, name, counted(name, getattr(queue_host, name)))
    expected = results(get_backend("cpu"), precision, WINDOWS)
    once = {name: replace(run, piece=None) for name, run in WINDOWS.items()}
    pieces = used["by_windows"]
    results(get_backend("cpu"), precision, once)
    assert used == {"by_windows": pieces + len(WINDOWS), "by_queue": 0}
    assert sum(v.size for key, v in expected.items() if key.endswith("/times")) > 3000
    for device in devices(precision):
        actual = results(CudaBackend(device), precision, WINDOWS)
        assert differences(actual, expected, precision) == []


@pytest.mark.thorough("seconds; the CUDA text sums spikes in flight as bundles, in another order")
@pytest.mark.parametrize("precision", ["single", "double"])
def test_windows_with_delays_by_synapse_have_the_spikes_of_cpu_up_to_rounding(
    precision, monkeypatch
):
    monkeypatch.setattr(algorithm, "WINDOW_SHARE", 0.0)
    net = ring_net(1213, size=33)
    stream = random_stream(1200, n_samples=2, n_channels=5, duration=12.0, rate=100.0)
    expected = es.simulate(net, stream, backend="cpu", precision=precision)
    assert "windows, sums" in expected.algorithms.values()
    keys = [key for name in expected.names for key in trains(expected[name])]
    assert len(keys) > 50
    run = Run(lambda: net, lambda: stream)
    flat = results(get_backend("cpu"), precision, {"flights": run})
    for device in devices(precision):
        found = results(CudaBackend(device), precision, {"flights": run})
        assert found.keys() == flat.keys()
        for key, times in flat.items():
            if key.endswith("/times"):
                mine = found[key]
                assert mine.shape == times.shape, key
                assert np.allclose(np.sort(mine), np.sort(times), rtol=0.0, atol=ATOL[precision])


@pytest.mark.thorough("the order of threads; devices above have two of them")
@pytest.mark.crossed("seconds each; both blocks and both ways are in make test-all", all=1)
@pytest.mark.parametrize("block", [32, 128])
@pytest.mark.parametrize(
    ("cases", "share"),
    [
        (LOOPS, algorithm.WINDOW_SHARE),
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
