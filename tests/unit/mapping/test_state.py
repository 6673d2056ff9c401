import numpy as np
import pytest
import scipy.sparse as sp
from hypothesis import given, settings
from hypothesis import strategies as st

import eventsim as es
from eventsim.chips import Limits
from eventsim.hardware.graph import axon_graph, renumbered
from eventsim.mapping import starts
from eventsim.mapping.effort import Effort, TimeIsUp
from eventsim.mapping.mesh import Flows, coordinates
from eventsim.mapping.place import _PlaceSearch, place
from eventsim.mapping.refine import refine
from eventsim.mapping.starts import first_fit, grow, population_order
from eventsim.mapping.state import BESIDE, CoreState, mesh_ground
from tests.unit.mapping.helpers import make_chip, random_net, random_stream

LIMITS = Limits(12, (3, 2), 2, axons_out_per_core=10_000)
NET = random_net(5)
GRAPH = axon_graph(NET, es.simulate(NET, random_stream()))


def distances(places, limits):
    """Links between cores and from the entry, the last row, entry by entry."""
    x, y = (axis[places] for axis in coordinates(limits))
    n = len(places)
    found = np.zeros((n + 1, n))
    for one in range(n + 1):
        for other in range(n):
            x0, y0 = (x[one], y[one]) if one < n else (0, 0)
            if one != other:
                found[one, other] = abs(x0 - x[other]) + abs(y0 - y[other]) + BESIDE
    return found


def brute_cost(graph, core_of, distance):
    dense, cost = graph.synapses.toarray(), 0.0
    for axon in range(graph.n_axons):
        home = core_of[axon] if axon < graph.n_neurons else distance.shape[1]
        for core in {core_of[n] for n in np.flatnonzero(dense[axon])}:
            cost += graph.spikes[axon] * distance[home, core]
    return cost


def a_state(seed, hops):
    """An assignment, and the distances of its cores."""
    rng = np.random.default_rng(seed)
    state = CoreState(GRAPH, LIMITS, rng.integers(0, 5, GRAPH.n_neurons).astype(np.int32), 5)
    apart = 1.0 - np.eye(6, 5)
    if hops:
        places = rng.permutation(12)[:5]
        state.ground = mesh_ground(places, LIMITS)
        apart = distances(places, LIMITS)
    return state, rng, apart


@settings(max_examples=settings.default.max_examples // 4)
@given(seed=st.integers(0, 1000), hops=st.booleans())
def test_the_best_gain_is_the_largest_fall_of_the_cost(seed, hops):
    state, _, apart = a_state(seed, hops)
    before = brute_cost(GRAPH, state.core_of, apart)
    assert state.cost() == before
    neurons = np.arange(GRAPH.n_neurons)
    gains = state.gains(neurons)
    for neuron in neurons:
        falls = []
        for core in set(range(5)) - {state.core_of[neuron]}:
            moved = state.core_of.copy()
            moved[neuron] = core
            falls.append(before - brute_cost(GRAPH, moved, apart))
        assert gains[neuron] == max(falls)


@settings(max_examples=settings.default.max_examples // 4)
@given(seed=st.integers(0, 1000), hops=st.booleans(), n_cores=st.sampled_from([3, 12, 64, 70]))
def test_destinations_as_bits_or_as_slots_give_the_same_moves(seed, hops, n_cores):
    rng, limits = np.random.default_rng(seed), Limits(80, (10, 4), 2, neurons_per_core=15)
    core_of = rng.integers(0, n_cores, GRAPH.n_neurons).astype(np.int32)
    states = [CoreState(GRAPH, limits, core_of, n_cores, by_bits=bits) for bits in (False, True)]
    if hops:
        for state in states:
            state.ground = mesh_ground(
                np.random.default_rng(seed).permutation(80)[:n_cores], limits
            )
    neurons, cores = np.arange(GRAPH.n_neurons), np.arange(n_cores, dtype=np.int32)

    def agree():
        gains = [state.gains(neurons, cores) for state in states]
        away = np.arange(n_cores)[:, None] != states[0].core_of
        assert np.array_equal(gains[0][away], gains[1][away])
        assert np.array_equal(*(state.core_of for state in states))
        assert states[0].cost() == states[1].cost()

    agree()
    for neuron, core in zip(rng.integers(0, neurons.size, 9), rng.choice(cores, 9), strict=True):
        for state in states:
            state.move(int(neuron), int(core))
        agree()
    for state in states:
        refine(state, Effort())
    agree()


@settings(max_examples=settings.default.max_examples // 4)
@given(seed=st.integers(0, 1000), hops=st.booleans())
def test_refinement_never_makes_the_cost_larger_nor_breaks_a_limit(seed, hops):
    state, _, apart = a_state(seed, hops)
    most, memory = int(state.held.states.max()) // 2, int(state.held.synapses.max())
    state.held.limits[[0, 3]] = most, memory
    before = state.cost()
    refine(state, Effort())
    assert state.cost() == brute_cost(GRAPH, state.core_of, apart) <= before
    assert np.bincount(state.core_of).max() <= most
    assert np.bincount(state.core_of, weights=GRAPH.fan_in).max() <= memory


def counts(state):
    """What a state has counted; destinations as a dense matrix."""
    held, start = state.held, state.wiring.start
    targets = np.zeros((GRAPH.n_axons, state.n_cores), np.int64)
    for axon, used in enumerate(held.used.tolist()):
        slots = slice(start[axon], start[axon] + used)
        core, pins = held.slots[slots].T
        assert len(set(core.tolist())) == used
        targets[axon, core] = pins
    return targets, held.states, held.axons_in, held.axons_out, held.synapses


@settings(max_examples=settings.default.max_examples // 4)
@given(seed=st.integers(0, 1000))
def test_moves_keep_all_counts(seed):
    state, rng, _ = a_state(seed, hops=False)
    for _ in range(30):
        neuron, core = int(rng.integers(GRAPH.n_neurons)), int(rng.integers(5))
        if core != state.core_of[neuron]:
            expected = state.held.axons_out + state.ask(neuron, core)[1]
            state.move(neuron, core)
            assert (state.held.axons_out == expected).all()
    anew = CoreState(GRAPH, LIMITS, state.core_of, 5)
    dense = GRAPH.synapses.toarray() > 0
    found, again = counts(state), counts(anew)
    for core in range(5):
        assert (found[0][:, core] == dense[:, state.core_of == core].sum(axis=1)).all()
    for one, other in zip(found, again, strict=True):
        assert (one == other).all()


STARTS = {
    "population_order": population_order,
    "first_fit": first_fit,
    "grow": lambda graph, chip: grow(graph, chip, Effort()),
}


@pytest.mark.parametrize("start", STARTS)
@pytest.mark.parametrize(
    "limits",
    [
        {"neurons_per_core": 4},
        {"synapses_per_core": 40},
        {"axons_in_per_core": 25},
        {"neurons_per_core": 4, "axons_out_per_core": 60},
    ],
)
def test_starts_count_what_an_assignment_counts_at_once(start, limits):
    state = STARTS[start](GRAPH, make_chip(**limits))
    anew = CoreState(GRAPH, state.limits, state.core_of, state.n_cores)
    for one, other in zip(counts(state), counts(anew), strict=True):
        assert (one == other).all()
    assert (state.excess() <= 0.0).all()


def test_first_fit_goes_back_to_a_core_with_room():
    net = es.Network()
    net.add_input("input", 6)
    net.add_population("a", 5)
    fan_in = [3, 4, 2, 1, 4]  # on cores of 6 synapses
    weights = np.array([[float(row < n) for n in fan_in] for row in range(6)])
    net.connect("input", "a", weights)
    graph = axon_graph(net, None)
    state = first_fit(graph, make_chip(synapses_per_core=6))
    assert state.core_of.tolist() == [0, 1, 0, 0, 2]
    assert state.held.used[graph.n_neurons :].tolist() == [3, 3, 3, 2, 0, 0]


def test_growing_that_follows_too_many_synapses_stops_if_there_is_an_answer(monkeypatch):
    chip = make_chip(neurons_per_core=3)
    monkeypatch.setattr(starts, "MOST_FOLLOWED", 0.5)
    assert (grow(GRAPH, chip, Effort()).core_of >= 0).all()
    answered = Effort()
    answered.has_answer()
    with pytest.raises(TimeIsUp):
        grow(GRAPH, chip, answered)
    monkeypatch.setattr(starts, "MOST_FOLLOWED", 24)
    assert (grow(GRAPH, chip, answered).core_of >= 0).all()


def test_a_state_filled_neuron_by_neuron_equals_one_at_once():
    state, rng, _ = a_state(3, hops=False)
    empty = CoreState(GRAPH, LIMITS, None, 5)
    for neuron in rng.permutation(GRAPH.n_neurons).tolist():
        empty.move(neuron, int(state.core_of[neuron]))
    for one, other in zip(counts(empty), counts(state), strict=True):
        assert (one == other).all()


def test_a_renumbered_graph_has_the_same_synapses():
    order = np.random.default_rng(0).permutation(GRAPH.n_neurons)
    near = renumbered(GRAPH, order)
    axons = np.concatenate([order, np.arange(GRAPH.n_neurons, GRAPH.n_axons)])
    assert (near.synapses.toarray() == GRAPH.synapses.toarray()[np.ix_(axons, order)]).all()
    assert (near.spikes == GRAPH.spikes[axons]).all()
    assert near.n_external == GRAPH.n_external


def random_flows(rng, n):
    between = rng.integers(0, 9, (n, n))
    np.fill_diagonal(between, 0)
    return Flows(sp.csr_array(between), rng.integers(0, 50, n), np.zeros(n, np.int64))


def test_placement_changes_equal_differences_of_its_cost():
    rng = np.random.default_rng(0)
    limits = Limits(12, (3, 2), 2)
    search = _PlaceSearch(random_flows(rng, 9), limits, np.arange(12), rng.permutation(12))
    before = search.cost()
    for i in range(12):
        for j in range(12):
            if i == j:
                continue
            change = search.changes(np.array([i]), np.array([j]))
            search.at[[i, j]] = search.at[[j, i]]
            assert search.cost() - before == pytest.approx(change[0])
            search.at[[i, j]] = search.at[[j, i]]


def test_a_descent_ends_where_no_swap_gains():
    rng = np.random.default_rng(1)
    limits = Limits(24, (4, 3), 2)
    search = _PlaceSearch(random_flows(rng, 20), limits, np.arange(24), rng.permutation(24))
    before = search.cost()
    search.descend(Effort())
    ones, others = (pairs.ravel() for pairs in np.mgrid[:20, :24])
    apart = ones != others
    changes = search.changes(ones[apart], others[apart])
    assert search.cost() < before
    assert changes.min() > -1e-5
    assert sorted(search.at.tolist()) == list(range(24))


def test_placement_of_a_chain_costs_one_link_per_step():
    n = 12
    order = np.random.default_rng(1).permutation(n)
    chain = (np.full(n - 1, 100), (order[:-1], order[1:]))
    nothing = np.zeros(n, np.int64)
    found = Flows(sp.csr_array(chain, shape=(n, n)), nothing, nothing)
    limits = Limits(12, (4, 3), 1)
    at = place(found, limits, Effort(), seed=0)
    x, y = (c[at] for c in coordinates(limits))
    hops = np.abs(x[order[:-1]] - x[order[1:]]) + np.abs(y[order[:-1]] - y[order[1:]])
    assert hops.sum() <= n  # n - 1 is the least; a snake through the mesh
    assert sorted(at.tolist()) == list(range(n))


def test_cores_with_input_from_outside_come_to_lie_at_its_entry():
    inward = np.array([0, 0, 500, 0], np.int64)
    found = Flows(sp.csr_array((4, 4), dtype=np.int64), inward, inward)
    at = place(found, Limits(9, (3, 3), 1), Effort(), seed=0)
    assert at[2] == 0
