"""Decision, shared values and delays through NIR files: the same network, or a named loss."""

import json
import warnings

import numpy as np
import pytest

import eventsim as es
from eventsim.conformance.round_trip import round_trip
from eventsim.errors import EventSimError, NetworkError
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
    one, two = (
        es.predict(n, events(), backend="reference", precision="double") for n in (net, back)
    )
    assert np.ptp(one.scores, axis=0).min() > 0.1
    np.testing.assert_array_equal(one.scores, two.scores)
    trip = round_trip(net, events(), backend="reference")
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
    one, two = (
        es.predict(n, events(), backend="reference", precision="double") for n in (net, back)
    )
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


@pytest.mark.filterwarnings("ignore::eventsim.network.nir.NirWarning")
@pytest.mark.parametrize(
    ("key", "value"),
    [
        ("eventsim_decision", "nowhere"),
        ("eventsim_decision_weights", np.ones((2, 2))),
        ("eventsim_decision_bias", np.array([np.nan, 0.0, 0.0])),
        ("eventsim_shared", "no list"),
        ("eventsim_shared", json.dumps(["hidden1.tau_mem"] * 40)),
        ("eventsim_shared_0", np.array([0.5])),
    ],
)
def test_damaged_metadata_is_told(key, value):
    graph = to_nir(shared_net())
    graph.metadata[key] = value
    with pytest.raises(EventSimError, match="eventsim_shared|Decision|nowhere"):
        from_nir(graph)


def test_a_changed_decision_or_sharing_fails_the_check(tmp_path):
    net = shared_net()
    through_file(net, tmp_path)
    other = net.copy()
    other.decision.weights[1, 1] += 1e-9
    found = round_trip(other, events(), path=tmp_path / "net.nir", backend="reference")
    assert (found.decision, found.sharing, found.passed) == (False, True, False)
    other = net.copy()
    other.share("decision.weights", np.full(net.decision.weights.shape, -1))
    found = round_trip(other, events(), path=tmp_path / "net.nir", backend="reference")
    assert (found.decision, found.sharing, found.passed) == (True, False, False)
    assert round_trip(random_net(0), random_stream(3), backend="reference").decision is None
