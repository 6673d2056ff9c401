"""Properties that hold for every network and every input (hypothesis draws the seeds)."""

import numpy as np
import pytest
import scipy.sparse
from hypothesis import given, settings
from hypothesis import strategies as st

import eventsim as es
from tests.support.compare import TIME_ATOL, assert_same_spikes
from tests.support.nets import moved, one_sample, random_net, random_stream, rebuilt

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
    later = moved(stream, shift)
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
    rng = np.random.default_rng(seed)

    def wider(p):
        if p.source != "input":
            return p.weights, p.delays
        row = (1, p.weights.shape[1])
        delays = np.vstack([p.delays, rng.uniform(0.1, 5.0, row)])
        return np.vstack([p.weights, np.zeros(row)]), delays

    wide = rebuilt(net, wider)
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

    def moved(p):
        src, dst = order[p.source], order[p.target]
        index = dst if p.one_to_one else np.ix_(src, dst)
        return p.weights[index], p.delays[index]

    mixed = rebuilt(net, moved, order=order)
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

    def filled(p):
        if p.one_to_one:
            return p.weights, p.delays
        csr, delays = scipy.sparse.csr_array(p.weights), p.delays
        if delays.size == csr.nnz and delays.size > 1:
            delays = scipy.sparse.csr_array((delays, csr.indices, csr.indptr), shape=csr.shape)
            delays = delays.toarray()
        return csr.toarray(), delays

    dense = rebuilt(net, filled)
    expected = es.simulate(net, stream, backend=backend)
    actual = es.simulate(dense, stream, backend=backend)
    assert_same_spikes(actual, expected, atol_ms=TIME_ATOL[backend], net=dense)


@FEW
@given(seed=SEEDS)
def test_every_stored_entry_of_a_full_sparse_matrix_agrees_with_dense(backend, seed):
    # Same numbers, the other kernel: nothing is zero, so even the counts agree.
    net, stream = small(seed, sparse=False, delays="synapse")

    def stored(p):
        if p.one_to_one:
            return p.weights, p.delays
        return scipy.sparse.csr_array(p.weights), p.delays.ravel()

    full = rebuilt(net, stored)
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
    short = one_sample(stream.times[keep], stream.channels[keep], n_channels=5, duration=cut)
    whole = es.simulate(net, stream, backend=backend)
    part = es.simulate(net, short, backend=backend)
    before = {}
    for name in whole.names:
        times, neurons = whole[name].sample(0)
        before[name] = [(times[times < cut], neurons[times < cut])]
    assert_same_spikes(part, before, atol_ms=TIME_ATOL[backend])
