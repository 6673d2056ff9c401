import json
from collections import defaultdict
from dataclasses import replace

import numpy as np
import pytest
import scipy.sparse as sp
from hypothesis import given, settings
from hypothesis import strategies as st

import eventsim as es
from eventsim.chips import board_of, chip_names, load_chip
from eventsim.events.transforms import crop
from eventsim.mapping import (
    METHODS,
    InfeasibleError,
    MappingError,
    axon_graph,
    check_mapping,
    counts_over_time,
    load_cores,
    map_graph,
    map_network,
)
from eventsim.mapping.mesh import coordinates
from eventsim.mapping.state import CoreState
from tests.support.nets import one_layer
from tests.unit.mapping.helpers import make_chip, random_net, random_stream


def usable_methods():
    try:
        import mtkahypar  # noqa: F401
    except ImportError:
        return [m for m in METHODS if m != "hypergraph"]
    return list(METHODS)


def recount(net, tape, chip, cores):
    """Spikes and hops by walking every spike along its route; links by direction and tile."""
    columns = chip.limits.mesh[0]

    def tile(core):
        t = core // chip.limits.cores_per_tile
        return t % columns, t // columns

    targets = defaultdict(set)
    for p in net.projections.values():
        weights = p.weights.toarray() if p.kind == "sparse" else p.weights
        weights = np.diag(weights) if p.kind == "self" else weights
        for i, j in zip(*np.nonzero(weights), strict=True):
            targets[p.source, int(i)].add(int(cores[p.target][j]))
    found = defaultdict(int)
    spikes = [(name, int(n)) for name in tape.names for n in tape[name].neurons]
    spikes += [("input", int(c)) for c in tape.stream.channels]
    for source in spikes:
        placed = source[0] in cores
        home = int(cores[source[0]][source[1]]) if placed else None
        for core in targets[source]:
            found["packets"] += int(placed)
            if core == home:
                continue
            found["between" if placed else "outside"] += 1
            (x, y), (x1, y1) = (tile(home) if placed else (0, 0)), tile(core)
            while (x, y) != (x1, y1):
                if x != x1:
                    step, way = (1, "east") if x1 > x else (-1, "west")
                    kind = "ew"
                else:
                    step, way = (1, "north") if y1 > y else (-1, "south")
                    kind = "ns"
                found[kind if placed else "hops from outside"] += 1
                found[way, x, y] += 1
                x, y = (x + step, y) if kind == "ew" else (x, y + step)
    return found


@pytest.mark.parametrize("method", usable_methods())
@pytest.mark.parametrize("inputs", ["external", "placed"])
def test_traffic_equals_a_walk_of_every_spike(net, tape, chip, method, inputs):
    mapping = map_network(net, tape, chip, method=method, inputs=inputs)
    found, sent = recount(net, tape, chip, mapping.cores), mapping.traffic
    assert sent.spikes_between_cores == found["between"]
    assert sent.spikes_from_outside == found["outside"]
    assert sent.hops_east_west == found["ew"]
    assert sent.hops_north_south == found["ns"]
    assert sent.hops_from_outside == found["hops from outside"]
    assert sent.packets == found["packets"]
    for way, dx, dy in (("east", 0, 0), ("west", 1, 0), ("north", 0, 0), ("south", 0, 1)):
        loads = getattr(sent, way)
        for y, x in np.ndindex(*loads.shape):
            assert loads[y, x] == found[way, x + dx, y + dy], (way, x, y)


@pytest.mark.parametrize("inputs", ["external", "placed"])
def test_counts_up_to_a_time_are_those_of_a_walk_of_the_spikes_before_it(net, tape, chip, inputs):
    mapping, longest = map_network(net, tape, chip, inputs=inputs), tape.stream.duration.max()
    times = np.array([0.3, 0.7, 1.0, 1.5]) * longest
    spent = counts_over_time(net, tape, mapping, times)
    for time, counts in zip(times, spent, strict=True):
        until = crop(tape.stream, 0.0, np.minimum(time, tape.stream.duration))
        found = recount(net, es.simulate(net, until), chip, mapping.cores)
        names = ("east", "west"), ("north", "south")
        east_west, north_south = (sum(found[k] for k in found if k[0] in way) for way in names)
        assert counts == {
            "axon_out": found["packets"], "hop_ew": east_west, "hop_ns": north_south,
            "hop_chip": 0, "cores": mapping.n_cores,
        }  # fmt: skip
    assert 0 < spent[0]["axon_out"] < spent[1]["axon_out"] < spent[2]["axon_out"]
    assert spent[2] == spent[3] == mapping.counts()


def tree_links(graph, mapping):
    """Links that each spike passes once, east-west and north-south: its routes laid together."""
    limits = mapping.chip.limits
    tile = np.concatenate([mapping.cores[g.name] for g in graph.groups]) // limits.cores_per_tile
    dense, found = graph.synapses.toarray(), [0, 0]
    for axon in range(graph.n_axons):
        home = int(tile[axon]) if axon < graph.n_neurons else 0
        links = set()
        for other in tile[np.flatnonzero(dense[axon])].tolist():
            (y, x), (y1, x1) = divmod(home, limits.mesh[0]), divmod(other, limits.mesh[0])
            while (x, y) != (x1, y1):
                before = x, y
                if x != x1:
                    x += 1 if x1 > x else -1
                else:
                    y += 1 if y1 > y else -1
                links.add((before, (x, y)))
        for (x0, _), (x1, _) in links:
            found[x0 == x1] += int(graph.spikes[axon])
    return tuple(found)


@pytest.mark.parametrize("inputs", ["external", "placed"])
@pytest.mark.parametrize("multicast", [False, True])
def test_multicast_passes_each_link_of_a_tree_once(net, tape, inputs, multicast):
    chip = make_chip(neurons_per_core=3, multicast=multicast)
    mapping = map_network(net, tape, chip, method="refined", inputs=inputs)
    expected = tree_links(axon_graph(net, tape, inputs=inputs), mapping)
    sent = mapping.traffic
    assert mapping.multicast_hops == (*expected, 0, 0)
    assert 0 < sum(expected) < sent.hop_weighted_spikes
    assert mapping.to_dict()["traffic"]["multicast_hops"] == sum(expected)
    across = sent.hops_east_west + sent.outside_east_west
    along = sent.hops_north_south + sent.outside_north_south
    counts = mapping.counts()
    assert (counts["hop_ew"], counts["hop_ns"]) == (expected if multicast else (across, along))


def board(neurons_per_core=4, **limits):
    """16 tiles of one core."""
    given = {"cores": 16, "mesh": (4, 4), "cores_per_tile": 1} | limits
    return make_chip(neurons_per_core=neurons_per_core, **given)


def links_between_chips(graph, mapping):
    """Links from chip to chip that spikes pass, every spike for each destination, step by step."""
    limits, found = mapping.chip.limits, 0
    wide, high = (size // chips for size, chips in zip(limits.mesh, limits.chips, strict=True))
    cores = np.concatenate([mapping.cores[g.name] for g in graph.groups])
    dense = graph.synapses.toarray()
    for axon in range(graph.n_axons):
        home = int(cores[axon]) if axon < graph.n_neurons else 0
        for other in set(cores[np.flatnonzero(dense[axon])].tolist()):
            (y, x), (y1, x1) = divmod(home, limits.mesh[0]), divmod(other, limits.mesh[0])
            for at in range(min(x, x1), max(x, x1)):
                found += int(graph.spikes[axon]) * ((at + 1) % wide == 0)
            for at in range(min(y, y1), max(y, y1)):
                found += int(graph.spikes[axon]) * ((at + 1) % high == 0)
    return found


@pytest.mark.parametrize("multicast", [False, True])
@pytest.mark.parametrize("chips", [(1, 1), (2, 2), (1, 4)])
def test_links_between_chips_are_counted_and_priced_apart(net, tape, chips, multicast):
    chip = board(chips=chips, chip_link=3.0, multicast=multicast)
    mapping = map_network(net, tape, chip, method="refined")
    assert check_mapping(net, chip, mapping.cores) == []
    sent, counts, tree = mapping.traffic, mapping.counts(), mapping.multicast_hops
    assert sent.hops_between_chips == links_between_chips(axon_graph(net, tape), mapping)
    assert (sent.hops_between_chips > 0) == (chips != (1, 1))
    assert mapping.to_dict()["traffic"]["hops_between_chips"] == sent.hops_between_chips
    between = tree.chips_east_west + tree.chips_north_south
    assert between <= sent.hops_between_chips
    every = tree.east_west + tree.north_south if multicast else sent.hop_weighted_spikes
    assert counts["hop_chip"] == (between if multicast else sent.hops_between_chips)
    assert counts["hop_ew"] + counts["hop_ns"] + counts["hop_chip"] == every


def tiles_with_cores(chip):
    """(column, row) of every core of a board, tile by tile; a chip's last tiles have none."""
    limits, found = chip.limits, []
    wide, high = (size // chips for size, chips in zip(limits.mesh, limits.chips, strict=True))
    of_chip = limits.cores // limits.chips[0] // limits.chips[1] // limits.cores_per_tile
    for y in range(limits.mesh[1]):
        for x in range(limits.mesh[0]):
            if (y % high) * wide + x % wide < of_chip:
                found += [(x, y)] * limits.cores_per_tile
    return found


@pytest.mark.parametrize("chips", [(1, 1), (2, 1), (1, 2), (3, 2)])
def test_a_board_has_every_chips_own_tiles_without_cores(net, tape, chips):
    chip = board_of(make_chip(cores=18, neurons_per_core=1), chips)
    assert list(zip(*coordinates(chip.limits), strict=True)) == tiles_with_cores(chip)
    if chips == (3, 2):
        mapping = map_network(net, tape, chip, method="refined")
        assert check_mapping(net, chip, mapping.cores) == []
        x, y = np.array(tiles_with_cores(chip)).T
        found = mapping.traffic
        assert found.outside_east_west == int(mapping.spikes_by_core.inward @ x[mapping.used])
        assert found.outside_north_south == int(mapping.spikes_by_core.inward @ y[mapping.used])


def test_a_multicast_tree_passes_a_link_between_chips_once():
    net = one_layer("a", np.array([[1.0, 0.0, 0.0]]))
    net.connect("a", "a", np.array([[0.0, 1.0, 1.0], [0.0, 0.0, 0.0], [0.0, 0.0, 0.0]]))
    chip = board(1, cores=3, mesh=(3, 1), chips=(3, 1))
    mapping = map_network(net, None, chip, method="population_order")
    assert mapping.multicast_hops == (2, 0, 2, 0)
    assert mapping.traffic.hops_between_chips == 3


@pytest.mark.thorough(
    "searches three times for the places of 25 cores; links are counted in others"
)
def test_a_board_of_like_links_is_one_mesh_and_dear_links_are_avoided():
    net = grid_net()
    alone, alike, dear = (
        map_network(net, None, board(25, **limits), method="refined")
        for limits in ({}, {"chips": (2, 2)}, {"chips": (2, 2), "chip_link": 20.0})
    )
    assert alike.cores["sheet"].tolist() == alone.cores["sheet"].tolist()
    assert dear.traffic.hops_between_chips < alike.traffic.hops_between_chips


def test_on_one_tile_no_link_is_passed_and_one_destination_needs_no_copy(net, tape):
    chip = make_chip(cores=2, mesh=(1, 1), cores_per_tile=2, neurons_per_core=20)
    assert map_network(net, tape, chip, method="refined").multicast_hops == (0, 0, 0, 0)
    pair = one_layer("a", np.array([[1.0, 0.0]]))
    pair.connect("a", "a", np.array([[0.0, 1.0], [1.0, 0.0]]))
    chip = make_chip(cores=2, mesh=(2, 1), cores_per_tile=1, neurons_per_core=1)
    mapping = map_network(pair, None, chip, method="refined")
    assert sum(mapping.multicast_hops) == mapping.traffic.hop_weighted_spikes == 2


@pytest.mark.parametrize("method", usable_methods())
@settings(max_examples=5, deadline=None)
@given(
    seed=st.integers(0, 10_000),
    neurons=st.integers(4, 20),
    axons_in=st.integers(30, 60),
    axons_out=st.integers(60, 120),
    synapses=st.integers(60, 200),
    placed=st.booleans(),
)
def test_every_limit_holds_or_the_error_says_which(
    method, seed, neurons, axons_in, axons_out, synapses, placed
):
    net = random_net(seed)
    chip = make_chip(
        neurons_per_core=neurons,
        axons_in_per_core=axons_in,
        axons_out_per_core=axons_out,
        synapse_bits_per_core=8 * synapses,
        bits_per_synapse=8,
    )
    graph = axon_graph(net, None, inputs="placed" if placed else "external")
    mapping, refused = None, None
    try:
        mapping = map_graph(graph, chip, method=method)
    except InfeasibleError as error:
        refused = error
    if mapping is None:
        assert refused.needed > refused.available
        assert refused.limit in str(refused)
        return
    assert check_mapping(net, chip, mapping.cores) == []
    for most, limit in mapping.fills().values():
        assert most <= limit


def test_the_checker_sees_each_limit_broken(net, tape, chip):
    cores = {name: np.zeros(p.size, int) for name, p in net.populations.items() if name != "input"}
    tight = make_chip(
        neurons_per_core=38,
        axons_in_per_core=10,
        axons_out_per_core=10,
        synapses_per_core=10,
        synapse_bits_per_core=79,
        bits_per_synapse=8,
        fan_in_per_neuron=3,
    )
    broken = check_mapping(net, tight, cores)
    assert {v.limit for v in broken} == {
        "neurons_per_core",
        "axons_in_per_core",
        "axons_out_per_core",
        "synapses_per_core",
        "synapse_bits_per_core",
        "fan_in_per_neuron",
    }
    neurons = next(v for v in broken if v.limit == "neurons_per_core")
    assert (neurons.where, neurons.held, neurons.allowed) == ("core 0", 39, 38)
    cores["output"][0] = 24
    assert "cores" in {v.limit for v in check_mapping(net, chip, cores)}


@pytest.mark.parametrize("room", [1 << 24, 30])
def test_usage_equals_the_checkers_counts_exactly(net, tape, chip, room, monkeypatch):
    monkeypatch.setattr("eventsim.mapping.check.ROOM", room)  # some sources at a time
    mapping = map_network(net, tape, chip, method="first_fit")
    exact = {
        "neurons_per_core": int(mapping.usage.neurons.max()),
        "axons_in_per_core": int(mapping.usage.axons_in.max()),
        "axons_out_per_core": int(mapping.usage.axons_out.max()),
        "synapses_per_core": int(mapping.usage.synapses.max()),
        "synapse_bits_per_core": 8 * int(mapping.usage.synapses.max()),
    }
    limits = replace(chip.limits, bits_per_synapse=8, **exact)
    assert check_mapping(net, replace(chip, limits=limits), mapping.cores) == []
    for name, value in exact.items():
        less = replace(chip, limits=replace(limits, **{name: value - 1}))
        assert {v.limit for v in check_mapping(net, less, mapping.cores)} == {name}


def clustered(n_clusters=4, size=8, seed=0):
    """Groups that talk among themselves, numbered so that the order of the network hides them."""
    rng = np.random.default_rng(seed)
    n = n_clusters * size
    member = rng.permutation(n) % n_clusters
    weights = np.where(member[:, None] == member[None, :], 0.01, 0.0)
    np.fill_diagonal(weights, 0.0)
    net = one_layer("hidden", np.diag(np.full(n, 30.0)))
    net.connect("hidden", "hidden", weights)
    return net, member


@pytest.mark.parametrize("method", [m for m in usable_methods() if m in ("hypergraph", "refined")])
def test_clusters_are_found(method):
    net, member = clustered()
    tape = es.simulate(net, random_stream(n_channels=32))
    chip = make_chip(cores=4, mesh=(2, 2), cores_per_tile=1, neurons_per_core=8)
    mapping = map_network(net, tape, chip, method=method)
    assert mapping.traffic.spikes_between_cores == 0
    assert all(len(set(mapping.cores["hidden"][member == c])) == 1 for c in range(4))
    plain = map_network(net, tape, chip, method="first_fit")
    assert plain.traffic.spikes_between_cores > 0


def test_spike_counts_weigh_the_axons():
    """Two busy pairs must stay together although quiet neurons have more synapses across."""
    net = one_layer("a", np.eye(4) * 50.0)
    weights = np.zeros((4, 4))
    weights[0, 2] = weights[2, 0] = 0.01  # the busy pair
    weights[1, [0, 2, 3]] = 0.01
    weights[3, [0, 2, 1]] = 0.01
    net.connect("a", "a", weights)
    busy = [
        (np.arange(1.0, 90.0, 2.0), np.zeros(45, int)),
        (np.arange(1.0, 90.0, 2.0), np.full(45, 2)),
    ]
    stream = es.EventStream.from_samples(busy, n_channels=4, duration=100.0)
    chip = make_chip(cores=2, mesh=(2, 1), cores_per_tile=1, neurons_per_core=2)
    cores = map_network(net, es.simulate(net, stream), chip, method="refined").cores["a"]
    assert cores[0] == cores[2] != cores[1] == cores[3]


@pytest.mark.parametrize("method", usable_methods())
def test_the_same_seed_gives_the_same_mapping(net, tape, chip, method):
    one, two = (map_network(net, tape, chip, method=method, seed=3) for _ in range(2))
    assert one.to_dict() == two.to_dict()


def test_optimised_mappings_are_no_worse_than_the_baselines(net, tape, chip):
    hops = {m: map_network(net, tape, chip, method=m).traffic for m in usable_methods()}
    for method in set(hops) - {"first_fit", "population_order"}:
        for base in ("first_fit", "population_order"):
            assert hops[method].hop_weighted_spikes <= hops[base].hop_weighted_spikes


def grid_net(n=400, seed=0):
    """A sheet of neurons that reach their neighbours, numbered at random."""
    rng = np.random.default_rng(seed)
    place = rng.permutation(n)
    column, row = place % 20, place // 20
    near = np.abs(column[:, None] - column) + np.abs(row[:, None] - row) <= 2
    net = one_layer("sheet", np.ones((1, n)))
    net.connect("sheet", "sheet", sp.csr_array(near.astype(float)))
    return net


def test_a_search_without_time_gives_the_first_mapping_and_one_with_time_the_best():
    net, chip = grid_net(), make_chip(neurons_per_core=20)
    first = map_network(net, None, chip, method="refined", seconds=1e-9)
    whole = map_network(net, None, chip, method="refined")
    enough = map_network(net, None, chip, method="refined", seconds=1e9)
    assert check_mapping(net, chip, first.cores) == []
    assert whole.traffic.hop_weighted_spikes < first.traffic.hop_weighted_spikes
    assert enough.to_dict() == whole.to_dict()
    for method in ("first_fit", "population_order"):
        plain = map_network(net, None, chip, method=method, seconds=1e-9)
        assert plain.to_dict() == map_network(net, None, chip, method=method).to_dict()


@pytest.mark.thorough("three searches for 20 cores; a search without time is in make test")
def test_a_partition_that_cannot_be_ended_begins_only_if_there_is_time(monkeypatch):
    net, chip, begun = grid_net(), make_chip(neurons_per_core=20), []

    def kahypar(graph, _chip, n_cores, **_options):
        begun.append(n_cores)
        return (np.arange(graph.n_neurons) % n_cores).astype(np.int32)

    monkeypatch.setattr("eventsim.mapping.search.kahypar", kahypar)
    synapses = axon_graph(net, None).synapses.nnz
    monkeypatch.setattr("eventsim.mapping.search.SECONDS_PER_PIN", 2e6 / synapses)
    short = map_network(net, None, chip, method="hypergraph", seconds=1e6)
    assert not begun
    refined = map_network(net, None, chip, method="refined")
    assert short.cores["sheet"].tolist() == refined.cores["sheet"].tolist()
    map_network(net, None, chip, method="hypergraph", seconds=3e6)
    assert begun


@pytest.mark.parametrize("many", [False, True])
@pytest.mark.parametrize("method", usable_methods())
def test_what_is_told_only_rises(method, many, monkeypatch):
    if many:
        monkeypatch.setattr("eventsim.mapping.search.MANY_PINS", 100)
    net, chip, said = grid_net(100), make_chip(neurons_per_core=20), []
    map_network(net, None, chip, method=method, told=lambda *what: said.append(what))
    shares = [share for _, share in said]
    assert shares == sorted(shares)
    assert all(0.0 <= share <= 1.0 for share in shares)
    if method in ("refined", "hypergraph"):
        assert len({doing for doing, _ in said}) >= 3


@pytest.mark.parametrize("optimise", [False, True])
def test_a_large_network_goes_through_one_start_and_keeps_every_limit(optimise, monkeypatch):
    net = grid_net()
    chip = make_chip(neurons_per_core=20, axons_in_per_core=250, axons_out_per_core=250)
    few = map_network(net, None, chip, method="refined", optimise_placement=optimise)
    monkeypatch.setattr("eventsim.mapping.search.MANY_PINS", 100)
    found = map_network(net, None, chip, method="refined", optimise_placement=optimise)
    assert check_mapping(net, chip, found.cores) == []
    plain = map_network(net, None, chip, method="population_order")
    assert found.traffic.spikes_between_cores < 0.6 * plain.traffic.spikes_between_cores
    if optimise:
        assert found.traffic.hop_weighted_spikes < 1.3 * few.traffic.hop_weighted_spikes
    stopped = map_network(net, None, chip, method="refined", seconds=1e-9)
    assert check_mapping(net, chip, stopped.cores) == []


def test_a_large_network_whose_axons_reach_most_cores_is_refined_as_well_by_bits(monkeypatch):
    rng = np.random.default_rng(0)
    net = one_layer("a", np.diag(rng.uniform(1.0, 9.0, 120)))
    net.connect("a", "a", np.where(rng.random((120, 120)) < 0.2, 0.1, 0.0))
    tape = es.simulate(net, random_stream(n_channels=120))
    chip = make_chip(neurons_per_core=10)
    monkeypatch.setattr("eventsim.mapping.search.MANY_PINS", 100)
    used, init = [], CoreState.__init__

    def spied(*given, by_bits=False):
        used.append(by_bits)
        init(*given, by_bits=by_bits)

    monkeypatch.setattr(CoreState, "__init__", spied)
    found = {}
    for least in (0.25, np.inf):
        used.clear()
        monkeypatch.setattr("eventsim.mapping.state.MANY_REACHED", least)
        mapping = map_network(net, tape, chip, method="refined")
        assert any(used) == (least < 1.0)
        assert check_mapping(net, chip, mapping.cores) == []
        found[least] = mapping.traffic.hop_weighted_spikes
    assert found[0.25] < 1.02 * found[np.inf]
    plain = map_network(net, tape, chip, method="first_fit", optimise_placement=True)
    assert found[0.25] < plain.traffic.hop_weighted_spikes


def test_population_order_keeps_populations_apart_and_in_order(net, tape, chip):
    cores = map_network(net, tape, chip, method="population_order").cores
    everything = np.concatenate([cores["hidden1"], cores["hidden2"], cores["output"]])
    assert (np.diff(everything) >= 0).all()
    assert len(set(cores["hidden1"]) & set(cores["hidden2"])) == 0
    assert np.bincount(everything).tolist() == [8, 8, 4, 8, 8, 3]


def test_first_fit_shares_cores_among_populations(net, tape, chip):
    cores = map_network(net, tape, chip, method="first_fit").cores
    everything = np.concatenate([cores["hidden1"], cores["hidden2"], cores["output"]])
    assert np.bincount(everything).tolist() == [8, 8, 8, 8, 7]


def test_fewer_neurons_per_core_spread_over_more_cores(net, tape, chip):
    spread = map_network(net, tape, chip, method="first_fit", neurons_per_core=4)
    assert spread.n_cores == 10
    assert spread.usage.neurons.max() == 4


def test_a_neuron_with_too_many_sources_is_named(net, tape):
    with pytest.raises(InfeasibleError, match="neuron 2 of population 'hidden2'") as caught:
        map_network(net, tape, make_chip(axons_in_per_core=15), method="first_fit")
    error = caught.value
    assert (error.limit, error.needed, error.available) == ("axons_in_per_core", 19, 15)
    assert error.neuron == ("hidden2", 2)


def test_too_few_axons_out_say_on_which_core_and_by_how_much():
    net = one_layer("a", np.ones((1, 4)))
    net.add_population("b", 4)
    net.connect("a", "b", np.ones((4, 4)))
    chip = make_chip(neurons_per_core=2, axons_out_per_core=1)
    with pytest.raises(InfeasibleError, match="axons_out_per_core") as caught:
        map_network(net, None, chip, method="refined")
    assert (caught.value.needed, caught.value.available) == (2, 1)


def test_a_missing_extra_is_named(net, tape, chip, monkeypatch):
    import sys

    monkeypatch.setitem(sys.modules, "mtkahypar", None)
    with pytest.raises(MappingError, match=r"eventsim-snn\[mapping\]"):
        map_network(net, tape, chip, method="hypergraph")


def test_a_mapping_survives_its_file(net, tape, chip, tmp_path):
    mapping = map_network(net, tape, chip, method="refined")
    mapping.save(tmp_path / "mapping.json")
    cores = load_cores(tmp_path / "mapping.json")
    assert {k: v.tolist() for k, v in cores.items()} == {
        k: v.tolist() for k, v in mapping.cores.items()
    }
    values = json.loads((tmp_path / "mapping.json").read_text())
    assert values["traffic"]["hop_weighted_spikes"] == mapping.traffic.hop_weighted_spikes


@pytest.mark.parametrize("name", [n for n in chip_names() if load_chip(n).limits is not None])
def test_a_small_network_fits_every_chip(name):
    net = random_net(1, density=0.15)
    chip = load_chip(name)
    mapping = map_network(net, es.simulate(net, random_stream()), chip, method="refined")
    assert check_mapping(net, chip, mapping.cores) == []
