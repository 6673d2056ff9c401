"""Decision, shared values and delays through NIR files: the same network, or a named loss."""

import warnings

import numpy as np
import pytest

import eventsim as es
from eventsim.conformance.round_trip import round_trip
from eventsim.errors import NetworkError
from eventsim.network import convolutional
from eventsim.network.nir import NirWarning, from_nir, read_nir, to_nir, write_nir
from tests.support.nets import random_net, random_stream

pytest.importorskip("nir", minversion="1.0.8")


def shared_net(*, refractory=1.0, forward_delays=(0.0, 30.0)):
    """Kernels, neurons and delays shared, a decision of which two weights are, and an answer."""
    net = convolutional(
        12, (3,), 3, output_maps=2, kernel=(5, 3), stride=(2, 1), mean=3.0, seed=1,
        refractory=refractory, forward_delays=forward_delays,
    )  # fmt: skip
    net.decision.weights[0, :2] = 0.25
    groups = np.full(net.decision.weights.shape, -1)
    groups[0, :2] = 0
    net.share("decision.weights", groups)
    net.set_answer(es.Answer(rule="maximum", tail=40.0, class_names=("a", "b", "c")))
    return net


def events():
    return random_stream(3, n_samples=6, n_channels=12, rate=150.0)


def through_file(net, folder, **options):
    with warnings.catch_warnings(record=True) as told:
        warnings.simplefilter("always", NirWarning)
        write_nir(net, folder / "net.nir", **options)
        back = read_nir(folder / "net.nir")
    return back, " ".join(str(entry.message) for entry in told)


@pytest.mark.parametrize("forward_delays", [(0.0, 30.0), 0.0], ids=["delays", "none"])
def test_plain_nir_takes_decision_sharing_and_delays_along(tmp_path, forward_delays):
    net = shared_net(forward_delays=forward_delays)
    back, told = through_file(net, tmp_path)
    assert "the linear decision behind 'output'" in told
    assert back.decision.readout == "output"
    before, after = net.parameters(), back.parameters()
    assert before.keys() == after.keys()
    for key, values in before.items():
        assert values.shape == after[key].shape, key
        assert np.array_equal(values, after[key]), key
    assert back.shared.keys() == net.shared.keys()
    assert len(net.shared) > 6
    for key, sharing in net.shared.items():
        assert np.array_equal(back.shared[key].groups, sharing.groups), key
    assert back.answer == net.answer
    one, two = (es.predict(n, events(), backend="cpu", precision="double") for n in (net, back))
    assert np.ptp(one.scores, axis=0).min() > 0.1
    np.testing.assert_array_equal(one.scores, two.scores)
    trip = round_trip(net, events(), backend="cpu")
    assert trip.spikes > 20
    assert (trip.decision, trip.sharing, trip.passed) == (True, True, True)


def test_file_for_a_program_leaves_the_decision_out_only_where_that_is_allowed(tmp_path):
    net = shared_net(refractory=0.0, forward_delays=0.0)
    with pytest.raises(NetworkError, match=r"linear decision behind 'output'.*lossy"):
        to_nir(net, target="norse", dt=0.1)
    back, told = through_file(net, tmp_path, target="norse", dt=0.1, lossy=True)
    assert "Norse does not see it: the linear decision behind 'output'" in told
    # In the units of the program and back: equal values stay equal, shared ones stay shared.
    assert back.shared.keys() == net.shared.keys()
    assert np.array_equal(back.decision.weights, net.decision.weights)
    one, two = (es.predict(n, events(), backend="cpu", precision="double") for n in (net, back))
    assert one.classes.tolist() == two.classes.tolist()
    assert round_trip(net, events(), path=tmp_path / "net.nir", target="norse").passed
    with pytest.raises(NetworkError, match="has delays"):
        to_nir(shared_net(refractory=0.0), target="norse", dt=0.1, lossy=True)


@pytest.mark.filterwarnings("ignore::eventsim.network.nir.NirWarning")
def test_values_that_were_changed_in_the_file_are_shared_no_more():
    net = shared_net()
    graph = to_nir(net)
    name = next(name for name in graph.nodes if name.startswith("w_") and "output" in name)
    graph.nodes[name].weight[0] *= 2.0
    with pytest.warns(NirWarning, match=r"values of hidden1->output.weights were shared"):
        back = from_nir(graph)
    assert net.shared.keys() - back.shared.keys() == {"hidden1->output.weights"}
    assert back.decision is not None


def test_a_changed_decision_or_sharing_fails_the_check(tmp_path):
    net = shared_net()
    through_file(net, tmp_path)
    other = net.copy()
    other.decision.weights[1, 1] += 1e-9
    found = round_trip(other, events(), path=tmp_path / "net.nir", backend="cpu")
    assert (found.decision, found.sharing, found.passed) == (False, True, False)
    other = net.copy()
    other.share("decision.weights", np.full(net.decision.weights.shape, -1))
    found = round_trip(other, events(), path=tmp_path / "net.nir", backend="cpu")
    assert (found.decision, found.sharing, found.passed) == (True, False, False)
    assert round_trip(random_net(0), random_stream(3), backend="cpu").decision is None


def receptors_net(*, tau=9.7, neuron=None):
    """Three receptors with delays and a loop, after a layer of them that has one."""
    rng = np.random.default_rng(5)
    net = es.Network()
    net.add_input("input", 6)
    net.add_population("first", 4, neuron=neuron or es.LIF(tau_syn={"only": tau}))
    taus = {"nmda": 80.0, "ampa": [tau, 3.0, 5.0], "gaba": 1 / 0.3}
    net.add_population("second", 3, neuron=es.LIF(tau_syn=taus, tau_mem=11.1), refractory=2.0)
    net.add_readout("out", 2)
    net.connect("input", "first", rng.normal(2.0, 1.0, (6, 4)), receptor=None)
    for name, mean in (("ampa", 4.0), ("nmda", 0.2), ("gaba", -0.5)):
        weights = rng.normal(mean, 0.5, (4, 3))
        net.connect("first", "second", weights, receptor=name, delays=rng.uniform(0.1, 3.0, 4))
    net.connect("second", "second", es.self_recurrent([0.1, -0.2, 0.3]), receptor="gaba", delays=1)
    net.connect("second", "first", rng.normal(0.0, 0.3, (3, 4)), delays=2.0)
    net.connect("second", "out", rng.normal(0.0, 1.0, (3, 2)))
    return net


@pytest.mark.filterwarnings("ignore::eventsim.network.nir.NirWarning")
def test_receptors_are_an_li_each_into_one_lif_and_come_back_to_the_bit(tmp_path):
    net = receptors_net()
    graph = to_nir(net)
    kinds = {name: type(node).__name__ for name, node in graph.nodes.items()}
    assert [kinds[f"second.{name}"] for name in ("ampa", "nmda", "gaba")] == ["LI"] * 3
    assert kinds["second"] == "LIF"
    assert {(f"second.{name}", "second") for name in ("ampa", "nmda", "gaba")} <= set(graph.edges)
    current = graph.nodes["second.gaba"]
    assert (current.tau == current.r).all()
    assert current.tau == pytest.approx(1 / 300)
    back, told = through_file(net, tmp_path)
    assert "kind" not in told
    before, after = net.parameters(), back.parameters()
    assert list(before) == list(after)
    assert all(np.array_equal(values, after[key]) for key, values in before.items())
    stream = random_stream(3, n_channels=6, n_samples=4, rate=250.0)
    trip = round_trip(net, stream, backend="cpu")
    assert trip.spikes > 50
    assert trip.passed


@pytest.mark.filterwarnings("ignore::eventsim.network.nir.NirWarning")
def test_a_foreign_graph_of_currents_into_one_lif_is_read_as_receptors():
    graph = to_nir(receptors_net())
    graph.metadata.clear()
    for node in graph.nodes.values():
        node.metadata.clear()
    back = from_nir(graph, time_unit="s")
    assert set(back.populations["second"].neuron.receptors) == {
        "second_ampa", "second_gaba", "second_nmda"
    }  # fmt: skip
    # One current alone is the synapse of a CubaLIF, as before.
    assert back.populations["first"].neuron is None
    graph.nodes["second.ampa"].r *= 2.0
    with pytest.raises(NetworkError, match=r"'second_ampa' before node 'second' has an r that is"):
        from_nir(graph, time_unit="s")


@pytest.mark.filterwarnings("ignore::eventsim.network.nir.NirWarning")
@pytest.mark.parametrize("neuron", [es.AdLIF(a=[2.0, 0.1, 0.0, -0.5], b=0.3), es.Resonator()])
def test_neurons_without_a_node_go_as_metadata_where_that_is_allowed(tmp_path, neuron):
    net, kind = receptors_net(neuron=neuron), type(neuron).__name__
    with pytest.raises(NetworkError, match=rf"'first' has neurons of kind {kind}.*no node.*lossy"):
        to_nir(net)
    back, told = through_file(net, tmp_path, lossy=True)
    assert f"'first' has neurons of kind {kind} (neurons that never fire stand in their" in told
    assert type(back.populations["first"].neuron).__name__ == kind
    before, after = net.parameters(), back.parameters()
    assert list(before) == list(after)
    assert all(np.array_equal(values, after[key]) for key, values in before.items())
    assert to_nir(net, lossy=True).nodes["first"].v_threshold.min() >= 1e6
    with pytest.raises(
        NetworkError, match=f"Norse: .*neurons of kind {kind}, which it does not take"
    ):
        to_nir(net, target="norse", lossy=True)
