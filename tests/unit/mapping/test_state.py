import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import eventsim as es
from eventsim.chips import Limits
from eventsim.mapping.graph import axon_graph
from eventsim.mapping.mesh import Flows, coordinates, mesh_distances
from eventsim.mapping.place import _Annealing, place
from eventsim.mapping.refine import gain_blocks
from eventsim.mapping.state import CoreState
from tests.unit.mapping.helpers import random_net, random_stream

LIMITS = Limits(12, (3, 2), 2, axons_out_per_core=10_000)
NET = random_net(5)
GRAPH = axon_graph(NET, es.simulate(NET, random_stream()))


def brute_cost(graph, core_of, distance):
    dense, cost = graph.synapses.toarray(), 0.0
    for axon in range(graph.n_axons):
        home = core_of[axon] if axon < graph.n_neurons else distance.shape[1]
        for core in {core_of[n] for n in np.flatnonzero(dense[axon])}:
            cost += graph.spikes[axon] * distance[home, core]
    return cost


def a_state(seed, hops):
    rng = np.random.default_rng(seed)
    state = CoreState(GRAPH, LIMITS, rng.integers(0, 5, GRAPH.n_neurons).astype(np.int32), 5)
    if hops:
        state.measure_by(mesh_distances(rng.permutation(12)[:5], LIMITS))
    return state, rng


@given(seed=st.integers(0, 1000), hops=st.booleans())
@settings(max_examples=20, deadline=None)
def test_gains_are_differences_of_the_cost(seed, hops):
    state, rng = a_state(seed, hops)
    before = brute_cost(GRAPH, state.core_of, state.distance)
    assert state.cost() == pytest.approx(before, abs=1e-9)
    neuron = int(rng.integers(GRAPH.n_neurons))
    gains = state.gains(neuron)
    for core in range(5):
        moved = state.core_of.copy()
        moved[neuron] = core
        assert before - brute_cost(GRAPH, moved, state.distance) == pytest.approx(gains[core])


@given(seed=st.integers(0, 1000), hops=st.booleans())
@settings(max_examples=10, deadline=None)
def test_gains_of_all_at_once_equal_those_one_by_one(seed, hops):
    state, _ = a_state(seed, hops)
    together = np.concatenate([block for _, block in gain_blocks(state)])
    for neuron in range(GRAPH.n_neurons):
        assert together[neuron] == pytest.approx(state.gains(neuron), abs=1e-9)


@given(seed=st.integers(0, 1000))
@settings(max_examples=15, deadline=None)
def test_moves_keep_all_counts(seed):
    state, rng = a_state(seed, hops=False)
    for _ in range(30):
        state.move(int(rng.integers(GRAPH.n_neurons)), int(rng.integers(5)))
    anew = CoreState(GRAPH, LIMITS, state.core_of, 5)
    for name in ("targets", "neurons", "axons_in", "axons_out", "synapses"):
        assert (getattr(state, name) == getattr(anew, name)).all(), name


def test_a_state_filled_neuron_by_neuron_equals_one_at_once():
    state, rng = a_state(3, hops=False)
    empty = CoreState(GRAPH, LIMITS, None, 5)
    for neuron in rng.permutation(GRAPH.n_neurons).tolist():
        empty.move(neuron, int(state.core_of[neuron]))
    assert (empty.axons_out == state.axons_out).all()
    assert (empty.axons_in == state.axons_in).all()


def test_placement_changes_equal_differences_of_its_cost():
    rng = np.random.default_rng(0)
    limits = Limits(12, (3, 2), 2)
    x, y = coordinates(limits)
    distance = (np.abs(x[:, None] - x) + np.abs(y[:, None] - y)).astype(float)
    flow = rng.integers(0, 9, (12, 12)).astype(float)
    flow = np.triu(flow, 1) + np.triu(flow, 1).T
    search = _Annealing(flow, rng.random(12), distance, (x + y).astype(float), rng.permutation(12))
    table, before = search._changes(), search.cost()
    for i in range(12):
        for j in range(12):
            if i == j:
                continue
            change = search.change(i, j)
            search.swap(i, j)
            assert search.cost() - before == pytest.approx(change)
            assert table[i, j] == pytest.approx(change)
            search.swap(i, j)


def test_placement_of_a_chain_costs_one_link_per_step():
    n = 12
    between = np.zeros((n, n), np.int64)
    order = np.random.default_rng(1).permutation(n)
    between[order[:-1], order[1:]] = 100
    limits = Limits(12, (4, 3), 1)
    at = place(Flows(between, np.zeros(n, np.int64), np.zeros(n, np.int64)), limits, seed=0)
    x, y = (c[at] for c in coordinates(limits))
    hops = np.abs(x[order[:-1]] - x[order[1:]]) + np.abs(y[order[:-1]] - y[order[1:]])
    assert hops.sum() <= n  # n - 1 is the least; a snake through the mesh
    assert sorted(at.tolist()) == list(range(n))


def test_cores_with_input_from_outside_come_to_lie_at_its_entry():
    inward = np.array([0, 0, 500, 0], np.int64)
    at = place(Flows(np.zeros((4, 4), np.int64), inward, inward), Limits(9, (3, 3), 1), seed=0)
    assert at[2] == 0
