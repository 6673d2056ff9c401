"""Properties that hold for every network and every input (hypothesis draws the seeds)."""

import numpy as np
import pytest
import scipy.sparse
from hypothesis import given, settings
from hypothesis import strategies as st

import eventsim as es
from tests.support.compare import TIME_ATOL, assert_same_spikes, trains
from tests.support.nets import random_net, random_stream

SEEDS = st.integers(0, 2**20)
FEW = settings(max_examples=settings.default.max_examples // 4, derandomize=True)

BY_DEFINITION = pytest.mark.crossed("the reference; the others are held to it", test=0)


def small(seed, *, n_samples=1, **options):
    """A small net and stream; layers, delays and ratio of taus vary with the seed."""
    rng = np.random.default_rng(seed)
    options = {
        "hidden": [(5,), (5, 4), (4, 4, 3)][rng.integers(3)],
        "delays": ["none", "scalar", "source", "synapse"][rng.integers(4)],
        "self_delays": ["none", "scalar", "neuron"][rng.integers(3)],
        "tau_ratio": [None, 0.25, 1.0, 4.0][rng.integers(4)],
        "sparse": bool(rng.integers(2)),
    } | options
    net = random_net(seed, **options)
    return net, random_stream(seed + 1, n_samples=n_samples, duration=50.0)


@BY_DEFINITION
@FEW
@given(seed=SEEDS, shift=st.floats(0.001, 500.0))
def test_shifting_all_times_shifts_the_answer(backend, seed, shift):
    net, stream = small(seed, n_samples=2)
    later = es.EventStream(
        stream.times + shift,
        stream.channels,
        stream.offsets,
        n_channels=stream.n_channels,
        duration=stream.duration + shift,
    )
    here = es.simulate(net, stream, backend=backend)
    there = es.simulate(net, later, backend=backend)
    expected = {
        name: [(t + shift, n) for t, n in map(here[name].sample, range(2))] for name in here.names
    }
    assert_same_spikes(there, expected, atol_ms=2e-9, net=net)


@BY_DEFINITION
@FEW
@given(seed=SEEDS)
def test_zero_weights_change_nothing(backend, seed):
    net, stream = small(seed, sparse=False, delays="synapse")
    wide = es.Network()
    wide.add_input("input", net.populations["input"].size + 1)
    _add_neurons(wide, net)
    rng = np.random.default_rng(seed)
    for projection in net.projections.values():
        weights, delays = projection.weights, projection.delays
        if projection.kind == "self":
            wide.connect(projection.source, projection.target, es.self_recurrent(weights),
                         delays=delays)  # fmt: skip
            continue
        if projection.source == "input":
            weights = np.vstack([weights, np.zeros((1, weights.shape[1]))])
            delays = np.vstack([delays, rng.uniform(0.1, 5.0, (1, weights.shape[1]))])
        wide.connect(projection.source, projection.target, weights, delays=delays)
    extra = np.sort(rng.uniform(0.0, stream.duration[0], 40))
    more = es.EventStream.from_unsorted(
        np.concatenate([stream.times, extra]),
        np.concatenate([stream.channels, np.full(40, 5)]),
        [0, stream.n_events + 40],
        n_channels=6,
        duration=stream.duration,
    )
    expected = es.simulate(net, stream, backend=backend)
    actual = es.simulate(wide, more, backend=backend)
    assert_same_spikes(actual, expected, atol_ms=TIME_ATOL[backend], net=wide)


@BY_DEFINITION
@FEW
@given(seed=SEEDS)
def test_renumbering_neurons_renumbers_the_answer(backend, seed):
    net, stream = small(seed, sparse=False, delays="synapse", self_delays="neuron")
    rng = np.random.default_rng(seed)
    order = {
        name: np.arange(p.size) if p.kind == "input" else rng.permutation(p.size)
        for name, p in net.populations.items()
    }
    mixed = es.Network()
    mixed.add_input("input", net.populations["input"].size)
    _add_neurons(mixed, net, order)
    for projection in net.projections.values():
        src, dst = order[projection.source], order[projection.target]
        if projection.kind == "self":
            mixed.connect(
                projection.source,
                projection.target,
                es.self_recurrent(projection.weights[dst]),
                delays=projection.delays[dst],
            )
        else:
            mixed.connect(
                projection.source,
                projection.target,
                projection.weights[np.ix_(src, dst)],
                delays=projection.delays[np.ix_(src, dst)],
            )
    expected = es.simulate(net, stream, backend=backend)
    actual = es.simulate(mixed, stream, backend=backend)
    renumbered = {}
    for name in expected.names:
        times, neurons = expected[name].sample(0)
        renumbered[name] = [(times, np.argsort(order[name])[neurons])]
    assert_same_spikes(actual, renumbered, atol_ms=TIME_ATOL[backend], net=mixed)


@FEW
@given(seed=SEEDS)
def test_a_sample_does_not_see_its_batch(backend, seed):
    net, stream = small(seed, n_samples=3)
    batch = es.simulate(net, stream, backend=backend)
    total = dict.fromkeys(batch.synaptic_events, 0)
    for index in range(3):
        alone = es.simulate(net, stream[index], backend=backend)
        for name in batch.names:
            times, neurons = batch[name].sample(index)
            assert np.array_equal(times, alone[name].times)
            assert np.array_equal(neurons, alone[name].neurons)
        for name, count in alone.synaptic_events.items():
            total[name] += count
    assert dict(batch.synaptic_events) == total


@FEW
@given(seed=SEEDS)
def test_dense_and_sparse_agree(backend, seed):
    net, stream = small(seed, sparse=True)
    dense = es.Network()
    dense.add_input("input", net.populations["input"].size)
    _add_neurons(dense, net)
    for projection in net.projections.values():
        weights, delays = projection.weights, projection.delays
        if projection.kind == "self":
            weights = es.self_recurrent(weights)
        else:
            csr = scipy.sparse.csr_array(weights)
            weights = csr.toarray()
            if delays.size == csr.nnz and delays.size > 1:
                delays = scipy.sparse.csr_array(
                    (delays, csr.indices, csr.indptr), shape=csr.shape
                ).toarray()
        dense.connect(projection.source, projection.target, weights, delays=delays)
    expected = es.simulate(net, stream, backend=backend)
    actual = es.simulate(dense, stream, backend=backend)
    assert_same_spikes(actual, expected, atol_ms=TIME_ATOL[backend], net=dense)


@FEW
@given(seed=SEEDS)
def test_every_stored_entry_of_a_full_sparse_matrix_agrees_with_dense(backend, seed):
    # Same numbers, the other kernel: nothing is zero, so even the counts agree.
    net, stream = small(seed, sparse=False, delays="synapse")
    full = es.Network()
    full.add_input("input", net.populations["input"].size)
    _add_neurons(full, net)
    for projection in net.projections.values():
        weights, delays = projection.weights, projection.delays
        if projection.kind == "self":
            weights = es.self_recurrent(weights)
        else:
            weights, delays = scipy.sparse.csr_array(weights), delays.ravel()
        full.connect(projection.source, projection.target, weights, delays=delays)
    expected = es.simulate(net, stream, backend=backend)
    actual = es.simulate(full, stream, backend=backend)
    assert_same_spikes(actual, expected, atol_ms=TIME_ATOL[backend], net=full)
    assert dict(actual.synaptic_events) == dict(expected.synaptic_events)


@FEW
@given(seed=SEEDS)
def test_cutting_the_end_of_a_sample_keeps_its_beginning(backend, seed):
    # The state is not public, so a run cannot be resumed; but it must not see its future.
    net, stream = small(seed)
    cut = float(stream.duration[0]) * 0.6
    keep = stream.times < cut
    short = es.EventStream(
        stream.times[keep], stream.channels[keep], [0, keep.sum()], n_channels=5, duration=cut
    )
    whole = es.simulate(net, stream, backend=backend)
    part = es.simulate(net, short, backend=backend)
    for name in whole.names:
        expected = {key: t[t < cut] for key, t in trains(whole[name]).items() if (t < cut).any()}
        actual = trains(part[name])
        assert expected.keys() == actual.keys()
        for key, times in expected.items():
            np.testing.assert_allclose(actual[key], times, rtol=0, atol=TIME_ATOL[backend])


def _add_neurons(target, net, order=None):
    """Copy the populations of ``net`` except the input, renumbered if asked."""
    for name, p in net.populations.items():
        if p.kind == "input":
            continue
        pick = order[name] if order else np.arange(p.size)
        fields = ["tau_mem", "tau_syn", "resistance", "v_leak"]
        if p.kind == "spiking":
            fields += ["threshold", "v_reset", "refractory"]
        values = {field: getattr(p, field)[pick] for field in fields}
        add = target.add_population if p.kind == "spiking" else target.add_readout
        add(name, p.size, **values)
