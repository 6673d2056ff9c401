"""Synaptic events that the CPU counts: those of the definition, arrival by arrival."""

import numpy as np
import pytest
import scipy.sparse as sp

import eventsim as es
from eventsim.engine.contract.counting import count_arrivals
from eventsim.engine.cpu import CpuBackend
from eventsim.events.source import SourceSpikes

DURATION = np.array([10.0, 3.0, 0.5, 20.0])


def delays_of(kind, rng, weights):
    """Delays in whole ms, as times are: some arrive at the very end."""
    n_synapses = weights.nnz if sp.issparse(weights) else weights.shape
    size = {"all": (), "source": weights.shape[0], "synapse": n_synapses}[kind]
    return rng.integers(0, 6, size).astype(float)


def projections(rng):
    """Of a network with weights of every form and delays of every kind."""
    net = es.Network()
    net.add_input("input", 7)
    for number, kind in enumerate(("all", "source", "synapse")):
        dense = rng.normal(size=(7, 5))
        sparse = sp.csr_array(np.where(rng.random((7, 5)) < 0.4, 1.0, 0.0))
        for form, weights in (("dense", dense), ("sparse", sparse)):
            name = f"{form}{number}"
            net.add_population(name, 5)
            delays, of = delays_of(kind, rng, weights), "synapse" if kind == "synapse" else "source"
            net.connect("input", name, weights, delays=delays, delays_of=of)
    return list(net.projections.values())


def each_delay(projection, n):
    """Delays of the synapses of source neuron n."""
    low, high = projection.first_synapses()[n : n + 2]
    if projection.delay_per_synapse:
        return projection.delays.ravel()[low:high]
    return np.repeat(
        projection.delays[n] if projection.delays.ndim else projection.delays, high - low
    )


@pytest.mark.parametrize("seed", range(5))
def test_counts_are_those_of_each_arrival(seed):
    rng = np.random.default_rng(seed)
    counts = rng.integers(0, 30, 4)
    offsets = np.concatenate([[0], np.cumsum(counts)])
    ends = np.repeat(DURATION, counts)
    times = rng.integers(0, ends.astype(int) + 1).astype(float)
    times = times[np.lexsort((times, np.repeat(np.arange(4), counts)))]
    source = SourceSpikes(times, rng.integers(0, 7, times.size).astype(np.int32), offsets, 7)
    pairs = [(projection, source) for projection in projections(rng)]
    found = CpuBackend().count_arrivals(pairs, DURATION)
    assert found.tolist() == count_arrivals(pairs, DURATION).tolist()
    for (projection, _), number in zip(pairs, found.tolist(), strict=True):
        assert number == sum(
            t + delay < end
            for t, n, end in zip(times, source.neurons, ends, strict=True)
            for delay in each_delay(projection, n)
        )
