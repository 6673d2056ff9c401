"""Room for spikes: a layer that fires more than was thought is not run twice."""

import numpy as np
import pytest
import scipy

import eventsim as es
from eventsim.compiled.library import Library
from eventsim.compiled.roles import DenseForward
from eventsim.engine.cpu import layer
from tests.support.nets import one_layer


@pytest.fixture
def busy():
    """A layer of 16 samples at some 500 spikes/s a neuron, and its input."""
    rng = np.random.default_rng(0)
    net = one_layer("hidden", rng.normal(0.8, 0.1, (20, 40)))
    samples = [(np.sort(rng.uniform(0, 300, 600)), rng.integers(0, 20, 600)) for _ in range(16)]
    return net, es.EventStream.from_samples(samples, n_channels=20, duration=300.0)


def test_the_first_run_tries_an_eighth_and_later_ones_have_room(busy, monkeypatch):
    net, stream = busy
    tasks, run = [], Library.run

    def counted(self, call, *arguments, **options):
        if isinstance(call, DenseForward):
            tasks.append(call.tasks.n)
        run(self, call, *arguments, **options)

    monkeypatch.setattr(Library, "run", counted)
    first = es.simulate(net, stream, backend="cpu")
    assert len(first["hidden"]) > 16 * 40 * 0.3 * 128
    assert tasks == [2, 2, 14]
    tasks.clear()
    second = es.simulate(net, stream, backend="cpu")
    assert tasks == [16]
    assert np.array_equal(first["hidden"].times, second["hidden"].times)
    assert np.array_equal(first["hidden"].neurons, second["hidden"].neurons)


@pytest.mark.parametrize("loop", [False, True])
def test_a_late_chunk_has_room_for_its_own_length_only(monkeypatch, loop):
    net = one_layer("hidden", np.zeros((1, 4000)))
    if loop:
        ring = scipy.sparse.csr_array(([0.1], ([0], [1])), shape=(4000, 4000))
        net.connect("hidden", "hidden", ring, delays=1.0)
    sizes, buffers = [], layer.buffers

    def counted(size):
        sizes.append(size)
        return buffers(size)

    monkeypatch.setattr(layer, "buffers", counted)
    for length in (1e4, 1e5 - 10.0):
        _, state = es.simulate_chunk(net, _silence(length), backend="cpu")
        sizes.clear()
        es.simulate_chunk(net, _silence(length + 10.0), state, backend="cpu")
        assert sizes[0] == int(10.0 * 4000 * 64.0 * 1e-3)


def _silence(end):
    return es.EventStream([], [], [0, 0], n_channels=1, duration=end)
