"""A sample has the same bits by itself, in any batch and order, in chunks, on any threads.

The samples differ by a factor of a hundred in what arrives: an algorithm that was chosen by the
recordings would be another one for some of them.
"""

from functools import cache

import numpy as np
import pytest

import eventsim as es
from eventsim import processors
from eventsim.adjoint.backward import begin_backward
from eventsim.adjoint.linear.voltage import joined_voltages, readout_maximum
from eventsim.engine.algorithm import Algorithm, algorithms_of
from eventsim.plan import make_plan
from tests.parity.test_sizes import mixed_kinds
from tests.support.cpu_runs import LEAST_SHARED
from tests.support.linear_neurons import random_network, two_kinds_in_a_loop
from tests.support.nets import (
    lateral_net,
    neuron_parameters,
    random_net,
    ring_net,
    shared_net,
    two_kinds_net,
    with_adaptation,
)

NETS = {
    "dense layers": (lambda: random_net(1, delays="source", self_delays="none"), "stretches"),
    "convolution": (lambda: maps(), "stretches"),
    "sparse layers with delays": (lambda: random_net(2, sparse=True), "fan-in"),
    "loop without delay": (lambda: lateral_net(3, delays="none", gain=0.2), "queue"),
    "adaptive loop": (lambda: with_adaptation(lateral_net(4, delays="scalar")), "queue"),
    "adaptive layers": (lambda: with_adaptation(random_net(10, delays="source")), "fan-in"),
    "adaptive dense layers": (
        lambda: with_adaptation(random_net(11, delays="source", self_delays="none")),
        "stretches",
    ),
    "layers of all kinds": (lambda: mixed_kinds(861), "fan-in"),
    "ring with self-delays": (lambda: delayed(ring_net(5, size=12)), "windows, sums"),
    "loop, delays by synapse": (lambda: delayed(lateral_net(6, size=20)), "windows, sums"),
    "two kinds": (lambda: two_kinds_net(7), "windows, sums"),
    "wide layer": (lambda: wide_net(9), "stretches"),
    "loop of linear neurons": (lambda: two_kinds_in_a_loop(12), "linear"),
    "dense loop": (lambda: shared_net(8, 40, refractory=1.0), "windows, stretches"),
}
FIELDS = ("times", "neurons", "current", "restart_current")


def maps():
    return es.convolutional(
        12, (2,), 2, output_maps=2, kernel=(3, 3), stride=(2, 2), mean=3.0, seed=0
    )


def wide_net(seed):
    """Neurons of a layer that threads may share, the last block smaller than the others."""
    rng = np.random.default_rng(seed)
    net = es.Network()
    net.add_input("input", 4)
    given = neuron_parameters(rng, 75)
    net.add_population("hidden", 75, **given)
    net.connect("input", "hidden", rng.normal(2.0, 2.0, (4, 75)), delays=np.arange(4.0))
    return net


def delayed(net):
    """The least delay is long enough for windows."""
    for projection in net.projections.values():
        projection.delays[...] += 2.0
    return net


@cache
def case(name):
    net = NETS[name][0]()
    n, rng = net.input.size, np.random.default_rng(0)
    samples = []
    for rate, duration in ((1.5, 40.0), (0.02, 30.0), (0.3, 40.0)):  # events per ms
        count = 5 + rng.poisson(rate * duration)
        samples.append((np.sort(rng.uniform(0, duration, count)), rng.integers(0, n, count)))
    return net, es.EventStream.from_samples(samples, n_channels=n, duration=[40.0, 30.0, 40.0])


def spikes_of(tape, sample, fields=FIELDS):
    """All that is known of the spikes of a sample, by population."""
    found = {}
    for name, trains in tape.trains.items():
        mine = slice(*trains.offsets[sample : sample + 2])
        found[name] = [getattr(trains, field)[mine] for field in fields]
    return found


def assert_same_bits(found, expected, what):
    assert found.keys() == expected.keys()
    for name, arrays in expected.items():
        for mine, other in zip(found[name], arrays, strict=True):
            assert np.array_equal(mine, other, equal_nan=True), (what, name)


@pytest.mark.parametrize("precision", ["double", "single"])
@pytest.mark.parametrize("name", list(NETS))
def test_a_sample_has_the_same_bits_alone_in_a_batch_in_chunks_and_on_any_threads(
    fast_backend, name, precision, monkeypatch
):
    net, stream = case(name)
    options = {"backend": fast_backend, "precision": precision}
    tape = es.simulate(net, stream, **options)
    assert NETS[name][1] in tape.algorithms.values()
    assert sum(map(len, tape.trains.values())) > 20
    expected = [spikes_of(tape, s) for s in range(3)]
    for s in range(3):
        alone = es.simulate(net, stream[s], **options)
        assert alone.algorithms == tape.algorithms
        assert_same_bits(spikes_of(alone, 0), expected[s], f"sample {s} alone")
    turned = es.simulate(net, stream[[2, 0, 1]], **options)
    for place, s in enumerate((2, 0, 1)):
        assert_same_bits(spikes_of(turned, place), expected[s], f"sample {s} in another order")
    assert_chunks_have_the_bits(net, stream, tape, options)
    if fast_backend == "cpu":
        assert_threads_change_no_bit(net, stream, tape, options, monkeypatch)


def share_all(monkeypatch):
    """So small jobs have one thread, and their windows one part, if nothing is changed."""
    for module, name in LEAST_SHARED:
        monkeypatch.setattr(module, name, 1)


def assert_threads_change_no_bit(net, stream, tape, options, monkeypatch):
    expected = [spikes_of(tape, s) for s in range(3)]
    share_all(monkeypatch)
    before = processors.n_threads()
    try:
        for n in (1, 2, 7):
            processors.set_threads(n)
            again = es.simulate(net, stream, **options)
            for s in range(3):
                assert_same_bits(spikes_of(again, s), expected[s], f"{n} threads")
            alone = es.simulate(net, stream[0], **options)
            assert_same_bits(spikes_of(alone, 0), expected[0], f"alone, {n} threads")
        assert_chunks_have_the_bits(net, stream, tape, options)
    finally:
        processors.set_threads(before)


@pytest.mark.parametrize("precision", ["double", "single"])
@pytest.mark.parametrize("name", list(NETS))
def test_gradients_have_the_same_bits_on_any_number_of_threads(name, precision, monkeypatch):
    share_all(monkeypatch)
    net, stream = case(name)
    before = processors.n_threads()
    # More samples than parts of the sums, and fewer than threads; the latter as training asks.
    trained = {key for key in net.parameters() if not key.endswith(".delays")}
    for some, wrt in ((np.arange(12) % 3, None), (np.arange(1), trained)):
        found = []
        try:
            for n in (1, 2, 5):
                processors.set_threads(n)
                tape = es.simulate(net, stream[some], backend="cpu", precision=precision)
                seeds = {n: np.cos(np.arange(len(tape[n]))) for n in tape.names}
                back = begin_backward(net, tape, seeds, keys=wrt)
                found.append(back.values | {"input times": back.input_times})
        finally:
            processors.set_threads(before)
        for other in found[1:]:
            assert all(np.array_equal(other[key], found[0][key]) for key in found[0])


def assert_chunks_have_the_bits(net, stream, tape, options):
    parts = list(es.simulate_chunks(net, stream.chunks(13.0), **options))
    assert all(part.algorithms == tape.algorithms for part in parts)
    for s in range(3):
        found = [spikes_of(part, s, FIELDS[:3]) for part in parts]
        joined = {
            name: [np.concatenate(arrays) for arrays in zip(*(p[name] for p in found), strict=True)]
            for name in tape.trains
        }
        assert_same_bits(joined, spikes_of(tape, s, FIELDS[:3]), f"sample {s} in chunks")


@pytest.mark.parametrize("sparse", [False, True])
def test_voltages_of_a_sample_have_the_same_bits_alone_and_in_a_batch(fast_backend, sparse):
    net = random_net(9, sparse=sparse, delays="source", self_delays="none")
    rng, samples = np.random.default_rng(1), []
    for count in (600, 7, 90):
        samples.append((np.sort(rng.uniform(0, 40.0, count)), rng.integers(0, 5, count)))
    stream = es.EventStream.from_samples(samples, n_channels=5, duration=40.0)
    whole = largest_voltages(net, stream, fast_backend)
    for s in range(3):
        alone = largest_voltages(net, stream[s], fast_backend)
        np.testing.assert_array_equal(alone[0], whole[s])


def largest_voltages(net, stream, backend):
    tape = es.simulate(net, stream, backend=backend)
    return joined_voltages(readout_maximum(net, tape, "output"))


@pytest.mark.parametrize("precision", ["double", "single"])
def test_linear_neurons_of_a_sample_have_the_same_bits_alone(precision):
    options, n_spikes = {"backend": "cpu", "precision": precision}, 0
    for seed in range(4):
        net, stream = random_network(np.random.default_rng(seed))
        tape = es.simulate(net, stream, **options)
        assert "linear" in tape.algorithms.values()
        for s in range(stream.n_samples):
            alone = es.simulate(net, stream[s], **options)
            assert_same_bits(spikes_of(alone, 0), spikes_of(tape, s), f"sample {s} alone")
        n_spikes += sum(map(len, tape.trains.values()))
    assert n_spikes > 20


def test_every_algorithm_is_among_the_networks():
    nets = [make() for make, _ in NETS.values()] + [random_network(np.random.default_rng(0))[0]]
    found = {a for net in nets for a in algorithms_of(make_plan(net)).values()}
    assert found == {algorithm.value for algorithm in Algorithm}
