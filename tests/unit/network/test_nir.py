"""Networks to NIR and back: nothing lost, the dynamics that NIR's equations say."""

import warnings

import h5py
import numpy as np
import pytest
import scipy.sparse
from hypothesis import given
from hypothesis import strategies as st
from scipy.integrate import solve_ivp

import eventsim as es
from eventsim.errors import NetworkError
from eventsim.network.nir import NirWarning, from_nir, read_nir, tape_to_nir, to_nir, write_nir
from tests.support.nets import (
    lateral_net,
    one_layer,
    one_sample,
    random_net,
    random_stream,
    ring_net,
)

nir = pytest.importorskip("nir", minversion="1.0.8")


def quietly(function, *arguments, **options):
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", NirWarning)
        return function(*arguments, **options)


def assert_same_network(actual, expected):
    assert list(actual.populations) == list(expected.populations)
    assert list(actual.projections) == list(expected.projections)
    for name, projection in expected.projections.items():
        assert actual.projections[name].kind == projection.kind
        if projection.kind == "sparse":
            assert np.array_equal(
                actual.projections[name].weights.indices, projection.weights.indices
            )
    mine, theirs = actual.parameters(), expected.parameters()
    assert mine.keys() == theirs.keys()
    for key in theirs:
        assert mine[key].shape == theirs[key].shape, key
        assert np.array_equal(mine[key], theirs[key]), key


NETS = {
    "dense": lambda: random_net(0, delays="none", self_delays="none"),
    "one delay": lambda: random_net(1, delays="scalar", self_delays="scalar"),
    "delays by source": lambda: random_net(2, delays="source"),
    "delays by synapse": lambda: random_net(3, delays="synapse"),
    "sparse": lambda: random_net(4, sparse=True, delays="none"),
    "sparse with delays by source": lambda: random_net(5, sparse=True, delays="source"),
    "sparse with delays by synapse": lambda: random_net(6, sparse=True, delays="synapse"),
    "pacemakers": lambda: random_net(7, pacemakers=True),
    "lateral": lambda: lateral_net(8),
    "ring": lambda: ring_net(9),
    "scsr": lambda: es.scsr(8, (5, 6), 3),
}


@pytest.mark.parametrize("name", NETS)
@pytest.mark.parametrize("unit", ["s", "ms"])
def test_network_read_from_a_file_is_the_same_to_the_bit(name, unit, tmp_path):
    net = NETS[name]()
    quietly(write_nir, net, tmp_path / "net.nir", time_unit=unit)
    assert_same_network(read_nir(tmp_path / "net.nir"), net)


@given(seed=st.integers(0, 2**32 - 1))
def test_any_network_in_memory_is_the_same_to_the_bit(seed):
    rng = np.random.default_rng(seed)
    sizes = rng.integers(1, 5, 3)
    net = es.Network()
    net.add_input("in put", int(sizes[0]))
    names = ["in put"]
    for k, size in enumerate(sizes[1:]):
        names.append(f"output{'' if k else ' /'}")
        net.add_population(names[-1], int(size), tau_mem=rng.uniform(1e-3, 1e3, size))
    for source in names:
        for target in names[1:]:
            n, m = net.populations[source].size, net.populations[target].size
            weights = rng.normal(size=(n, m)) * (rng.random((n, m)) < 0.7)
            kind = rng.integers(4)
            if kind == 0:
                net.connect(source, target, weights, delays=rng.uniform(0, 3, (n, m)))
            elif kind == 1:
                entries = scipy.sparse.csr_array(weights)
                net.connect(source, target, entries, delays=float(rng.integers(2)))
            elif source == "in put":
                net.connect(source, target, weights)
            elif kind == 2 and source == target:
                net.connect(source, target, es.self_recurrent(rng.normal(size=n)))
    assert_same_network(from_nir(to_nir(net)), net)


def test_stored_zero_weights_stay(tmp_path):
    net = es.Network()
    net.add_input("input", 2)
    net.add_population("hidden", 3)
    entries = (np.array([0.0, 2.0, 0.0]), np.array([1, 2, 0]), np.array([0, 2, 3]))
    net.connect("input", "hidden", scipy.sparse.csr_array(entries, shape=(2, 3)), delays=[1, 2, 3])
    write_nir(net, tmp_path / "net.nir")
    assert_same_network(read_nir(tmp_path / "net.nir"), net)


def test_spikes_follow_the_equations_of_nir_between_impulses():
    """The graph's own numbers, integrated by an ODE solver that knows nothing of eventsim."""
    rng = np.random.default_rng(0)
    net = es.Network()
    net.add_input("input", 3)
    net.add_population(
        "hidden",
        4,
        tau_mem=rng.uniform(5, 20, 4),
        tau_syn=rng.uniform(2, 8, 4),
        resistance=rng.uniform(0.5, 2, 4),
        threshold=rng.uniform(0.8, 1.2, 4),
        v_leak=rng.uniform(-0.2, 0.2, 4),
        v_reset=rng.uniform(-0.5, 0.0, 4),
    )
    net.connect("input", "hidden", rng.uniform(0.5, 3.0, (3, 4)))
    times, channels = np.sort(rng.uniform(0, 60, 25)), rng.integers(0, 3, 25)
    graph = to_nir(net)
    expected = _by_solver(graph, times / 1e3, channels, end=0.06)
    spikes = es.simulate(net, one_sample(times, channels, n_channels=3, duration=60.0))["hidden"]
    found = [spikes.times[spikes.neurons == j] for j in range(4)]
    assert sum(map(len, expected)) > 8
    for mine, theirs in zip(found, expected, strict=True):
        assert mine == pytest.approx(np.array(theirs) * 1e3, abs=1e-6)


def _by_solver(graph, times, channels, *, end):
    """Spike times in s of the only CubaLIF; S is a sum of impulses of area 1."""
    (node,) = (n for n in graph.nodes.values() if isinstance(n, nir.CubaLIF))
    (linear,) = (n for n in graph.nodes.values() if isinstance(n, nir.Linear))
    found = []
    for j in range(node.r.size):
        state, now, spikes = [node.v_leak[j], 0.0], 0.0, []

        def flow(_, y, j=j):
            v, i = y
            slope = (node.v_leak[j] - v + node.r[j] * i) / node.tau_mem[j]
            return [slope, -i / node.tau_syn[j]]

        def crossing(_, y, j=j):
            return y[0] - node.v_threshold[j]

        crossing.terminal, crossing.direction = True, 1.0
        for until, channel in [*zip(times, channels, strict=True), (end, None)]:
            while now < until:
                run = solve_ivp(flow, (now, until), state, events=crossing, rtol=1e-11, atol=1e-13)
                now, state = run.t[-1], list(run.y[:, -1])
                if run.status == 1:
                    spikes.append(now)
                    state[0] = node.v_reset[j]
            if channel is not None:
                state[1] += linear.weight[j, channel] * node.w_in[j] / node.tau_syn[j]
        found.append(spikes)
    return found


def test_self_recurrence_is_a_scale_in_a_loop_and_a_skip_an_edge():
    graph = quietly(to_nir, es.scsr(4, (3, 3), 2))
    assert isinstance(graph.nodes["w_hidden1_hidden1"], nir.Scale)
    assert ("hidden1", "w_hidden1_hidden1") in graph.edges
    assert ("w_hidden1_hidden1", "hidden1") in graph.edges
    assert ("input", "w_input_hidden2") in graph.edges
    assert isinstance(graph.nodes["output_neurons"], nir.CubaLI)
    assert graph.metadata["time_unit"] == "s"
    assert graph.nodes["hidden1"].tau_mem == pytest.approx(20e-3)


def test_delays_by_synapse_take_a_branch_for_each_delay_of_a_source():
    net = one_layer("hidden", np.ones((2, 2)), delays=[[1.0, 2.0], [3.0, 3.0]])
    graph = to_nir(net)
    delays = [n.delay * 1e3 for n in graph.nodes.values() if isinstance(n, nir.Delay)]
    assert np.array_equal(delays, [[1.0, 3.0], [2.0, 0.0]])
    total = sum(n.weight for n in graph.nodes.values() if isinstance(n, nir.Linear))
    assert np.array_equal(total, np.ones((2, 2)))


def test_population_without_a_source_stays_one():
    net = es.Network()
    net.add_input("input", 1)
    net.add_population("alone", 2, v_leak=2.0)
    net.add_readout("output", 1)
    net.connect("input", "output", np.ones((1, 1)))
    net.connect("alone", "output", np.ones((2, 1)))
    assert_same_network(from_nir(quietly(to_nir, net)), net)


def test_what_nir_has_no_word_for_is_warned_of():
    net = one_layer("hidden", np.ones((1, 2)), refractory=[0.0, 3.0], v_leak=[0.0, 2.0])
    with pytest.warns(NirWarning, match="refractory times .up to 3 ms.*fire by themselves"):
        to_nir(net)


def test_weights_changed_in_the_file_count(tmp_path):
    net = random_net(0, sparse=True)
    quietly(write_nir, net, tmp_path / "net.nir")
    with h5py.File(tmp_path / "net.nir", "r+") as file:
        weights = file["node/nodes/w_input_hidden1/weight"]
        weights[...] = 2.0 * weights[...]
        taus = file["node/nodes/hidden1/tau_mem"]
        taus[...] = np.full(taus.shape, 0.025)
    back = read_nir(tmp_path / "net.nir")
    assert back.projections["input->hidden1"].kind == "sparse"
    assert np.allclose(back.populations["hidden1"].tau_mem, 25.0)
    # Some synapses of a source with several delays stand in other branches.
    ratio = back.projections["input->hidden1"].values / net.projections["input->hidden1"].values
    assert set(np.round(ratio, 12)) == {1.0, 2.0}


def test_weights_outside_a_sparse_pattern_join_it():
    net = one_layer("hidden", scipy.sparse.csr_array(np.array([[1.0, 0.0], [0.0, 1.0]])))
    graph = to_nir(net)
    graph.nodes["w_input_hidden"].weight[0, 1] = 5.0
    back = from_nir(graph).projections["input->hidden"]
    assert np.array_equal(back.weights.toarray(), [[1.0, 0.0], [5.0, 1.0]])


def test_delays_changed_in_the_graph_count():
    net = one_layer("hidden", np.ones((2, 2)), delays=[1.0, 2.0])
    graph = to_nir(net)
    graph.nodes["delay_input_hidden"].delay[:] = [3e-3, 4e-3]
    assert np.allclose(from_nir(graph).projections["input->hidden"].delays, [3.0, 4.0])


def test_spikes_of_a_tape_go_to_nir_by_node(tmp_path):
    net, stream = random_net(0), random_stream(0)
    tape = es.simulate(net, stream)
    data = tape_to_nir(net, tape)
    data.check_nodes(quietly(to_nir, net))
    nir.write_data(tmp_path / "spikes.nir", data)
    back = nir.read_data(tmp_path / "spikes.nir").nodes["hidden1"].observables["spikes"]
    times, neurons = tape["hidden1"].sample(1)
    assert np.array_equal(back.idx[1][: neurons.size], neurons)
    assert np.allclose(back.time[1][: times.size] * 1e3, times, rtol=1e-15)
    assert list(tape_to_nir(net, tape, names=["hidden2"]).nodes) == ["hidden2"]


def test_a_file_that_cannot_be_written_leaves_the_old_one(tmp_path, monkeypatch):
    path = tmp_path / "net.nir"
    quietly(write_nir, random_net(0), path)
    before = path.read_bytes()

    def fail(*_):
        raise OSError("no space")

    monkeypatch.setattr(nir, "write", fail)
    with pytest.raises(OSError, match="no space"):
        quietly(write_nir, random_net(1), path)
    assert path.read_bytes() == before
    assert [file.name for file in tmp_path.iterdir()] == ["net.nir"]


def test_missing_package_names_the_extra(monkeypatch):
    monkeypatch.setitem(__import__("sys").modules, "nir", None)
    with pytest.raises(NetworkError, match=r"pip install 'eventsim-snn\[nir\]'"):
        to_nir(random_net(0))
