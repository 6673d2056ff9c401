"""Sizes at which a fast kernel changes its path: blocks, vector lanes, threads, many samples.

The reference walks one neuron at a time and knows no sizes; whatever a fast backend does with
remainders, empty columns or several projections of different kind must not show.
"""

import numpy as np
import pytest
import scipy.sparse

import eventsim as es
from tests.support.compare import (
    SINGLE_ATOL,
    assert_agrees,
    count_different,
    counts_of,
    trains,
)
from tests.support.losses import Readout, SpikeTimes, Sum
from tests.support.nets import (
    neuron_parameters,
    one_layer,
    random_net,
    random_stream,
    response_peak,
)

# Around vectors of 8 and 16, two and four of them, and a block of 64.
SIZES = [1, 7, 8, 9, 16, 17, 33, 64, 65, 130]
BETWEEN = pytest.mark.nightly("the border that it lies at has other sizes in make test-all")


def layer(seed, size, *, n_inputs=8, delays="none", sparse=False, pacemakers=False):
    """One hidden layer with a readout. ``delays``: none, scalar, source or synapse."""
    return random_net(
        seed,
        n_inputs=n_inputs,
        hidden=(size,),
        delays=delays,
        sparse=sparse,
        pacemakers=pacemakers,
        self_delays="none" if delays == "none" else "neuron",
    )


@pytest.mark.parametrize("sparse", [False, True])
@pytest.mark.parametrize("delays", ["none", "scalar", "source", "synapse"])
@pytest.mark.parametrize(
    "size", [*SIZES, *(pytest.param(n, marks=BETWEEN) for n in (2, 15, 31, 70))]
)
def test_layer_of_any_size_agrees_with_reference(fast_backend, size, delays, sparse):
    net = layer(800 + size, size, delays=delays, sparse=sparse, pacemakers=size % 2 == 0)
    stream = random_stream(801, n_samples=2, n_channels=8, duration=30.0, rate=80.0)
    loss = Sum(SpikeTimes("hidden1"), Readout(9.0))
    assert_agrees(net, stream, fast_backend, loss if size < 100 else None)
    tapes = [es.simulate(net, stream, backend=name) for name in (fast_backend, "reference")]
    u, v = (es.readout_integral(net, t, "output", time_constant=9.0) for t in tapes)
    np.testing.assert_allclose(u, v, rtol=1e-10, atol=1e-10)


@pytest.mark.parametrize("sparse", [False, True])
@pytest.mark.parametrize("n_samples", [1, 3, 17])
def test_many_samples_of_different_length_agree_with_reference(fast_backend, n_samples, sparse):
    net = layer(811, 13, sparse=sparse, delays="synapse")
    rng = np.random.default_rng(812)
    lengths = rng.uniform(1.0, 60.0, n_samples)
    counts = rng.integers(0, 40, n_samples)
    counts[::4] = 0
    stream = es.EventStream.from_samples(
        [
            (np.sort(rng.uniform(0.0, length, count)), rng.integers(0, 8, count))
            for length, count in zip(lengths, counts, strict=True)
        ],
        n_channels=8,
        duration=lengths,
    )
    assert_agrees(net, stream, fast_backend)


def mixed_kinds(seed):
    """Dense and sparse projections, with every shape of delays, into one population."""
    rng = np.random.default_rng(seed)
    net = es.Network()
    net.add_input("input", 6)
    for name, size in (("a", 5), ("b", 4), ("c", 6), ("d", 7)):
        net.add_population(name, size, **neuron_parameters(rng, size))
        p = net.populations[name]
        peak = response_peak(p.tau_mem, p.tau_syn, p.resistance)
        dense = rng.uniform(-0.4, 1.2, (6, size)) / peak
        net.connect("input", name, dense, delays=rng.uniform(0.1, 4.0, 6))
    p = net.populations["d"]
    peak = response_peak(p.tau_mem, p.tau_syn, p.resistance)

    def pick(n):
        weights = np.where(rng.random((n, 7)) < 0.5, rng.uniform(-0.3, 0.6, (n, 7)), 0.0) / peak
        return scipy.sparse.csr_array(weights)

    net.connect("a", "d", pick(5))
    fine = pick(4)
    net.connect("b", "d", fine, delays=rng.uniform(0.1, 3.0, fine.nnz))
    net.connect("c", "d", pick(6).toarray(), delays=rng.uniform(0.1, 3.0, (6, 7)))
    net.connect("d", "d", es.self_recurrent(rng.uniform(-0.4, 0.4, 7) / peak), delays=1.25)
    net.add_readout("output", 2, **neuron_parameters(rng, 2, spiking=False))
    net.connect("input", "output", pick(6)[:, :2])
    net.connect("d", "output", rng.standard_normal((7, 2)), delays=0.75)
    return net


def test_projections_of_every_kind_into_one_population_agree(fast_backend):
    net = mixed_kinds(821)
    stream = random_stream(822, n_samples=3, n_channels=6, duration=60.0)
    assert_agrees(net, stream, fast_backend, Sum(SpikeTimes("a", "d"), Readout(20.0)))


@pytest.mark.thorough("so many neurons that sums cross a block")
def test_long_gradients_cross_block_borders(fast_backend):
    # Thousands of events and spikes per neuron: the backward pass recomputes states in blocks.
    net = layer(841, 3, delays="none")
    stream = random_stream(842, n_samples=2, n_channels=8, duration=600.0, rate=800.0)
    tape = es.simulate(net, stream, backend=fast_backend)
    assert min(len(t) for t in trains(tape["hidden1"]).values()) > 50
    assert stream.n_events > 7000
    # Errors of 5,000 terms that cancel; relative to the largest entry of each array.
    loss = Sum(SpikeTimes("hidden1"), Readout(90.0))
    assert_agrees(net, stream, fast_backend, loss, rtol=1e-7)


@pytest.mark.thorough("so many neurons that sums cross a block")
def test_wide_layer_in_single_precision_agrees_with_double(fast_backend):
    net = layer(851, 256, n_inputs=64)
    stream = random_stream(852, n_samples=4, n_channels=64, duration=200.0, rate=15.0)
    double, single = (
        es.simulate(net, stream, backend=fast_backend, precision=p) for p in ("double", "single")
    )
    different, total = count_different(single, double, SINGLE_ATOL)
    assert total > 5000
    # Grazing spikes (see tests/parity/test_simulate.py) and what follows them.
    assert different <= 0.01 * total, f"{different} of {total} spikes differ"


def test_spikes_do_not_depend_on_how_many_buffers_were_needed(fast_backend):
    # The same burst beside a silent neuron, alone, and in a batch with quieter samples.
    fast = {"tau_mem": 10.0, "tau_syn": 5.0, "v_leak": 401.0}
    net = one_layer("alone", np.zeros((1, 1)), **fast)
    net.add_population("many", 9, **(fast | {"v_leak": [0.0] * 8 + [401.0]}))
    durations = [0.01, 100.0, 0.02, 3.0]
    stream = es.EventStream([], [], [0] * 5, n_channels=1, duration=durations)
    for precision in ("double", "single"):
        tape = es.simulate(net, stream, backend=fast_backend, precision=precision)
        counts = counts_of(tape)
        assert counts["alone", 1, 0] == counts["many", 1, 8] > 3900
        assert np.array_equal(tape["alone"].times, tape["many"].times)
