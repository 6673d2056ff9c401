"""Networks that hold their weights in float32: building, files, copies, and whoever reads them.

Who reads weights must find the values that are there: the answer is that of the network with the
same numbers in float64.
"""

import json
import warnings

import numpy as np
import pytest
import scipy.sparse as sp

import eventsim as es
from eventsim.chips import load_chip
from eventsim.energy import count
from eventsim.mapping import map_network, quantise
from eventsim.network.connectivity import synapse_numbers, with_synapses, without_neurons
from eventsim.network.nir import NirWarning, read_nir, write_nir
from eventsim.ranks import simulate_ranks
from tests.support.nets import random_net, random_stream
from tests.unit.ranks.nets import balanced, noise

SINGLE, DOUBLE = np.dtype(np.float32), np.dtype(np.float64)


def types_of(net):
    return {key: values.dtype for key, values in net.parameters().items()}


def assert_types(net, weights=SINGLE):
    """Weights of projections have a type, all other values are float64."""
    assert net.weight_dtype == weights
    own = {f"{name}.weights" for name in net.projections}
    for key, dtype in types_of(net).items():
        assert dtype == (weights if key in own else DOUBLE), key


def assert_same_values(one, other):
    assert one.parameters().keys() == other.parameters().keys()
    for key, values in other.parameters().items():
        assert np.array_equal(one.parameters()[key], values), key


def three_kinds(dtype=np.float64):
    """Dense, sparse and self-weights, and a decision; weights that float32 does not hold."""
    rng = np.random.default_rng(1)
    net = es.Network(weight_dtype=dtype)
    net.add_input("input", 4)
    net.add_population("hidden", 6, tau_mem=rng.uniform(5.0, 20.0, 6), resistance=1.3)
    net.add_readout("output", 3)
    net.connect("input", "hidden", rng.normal(3.0, 1.0, (4, 6)), delays=rng.uniform(0, 2, (4, 6)))
    net.connect("hidden", "hidden", es.self_recurrent(rng.normal(0.0, 0.1, 6)))
    wires = sp.random_array((6, 3), density=0.5, rng=rng, format="coo")
    net.connect("hidden", "output", wires)
    net.decide("output", rng.normal(size=(3, 2)))
    return net


def test_weights_are_float64_unless_a_network_says_float32():
    rng = np.random.default_rng(0)
    net = three_kinds()
    net.add_population("more", 2)
    net.connect("input", "more", rng.normal(size=(4, 2)).astype(np.float32))
    assert_types(net, DOUBLE)
    assert net.copy().weight_dtype == DOUBLE


@pytest.mark.parametrize("dtype", [np.float32, "float32", SINGLE])
def test_weights_of_every_kind_are_rounded_when_they_are_connected(dtype):
    net, given = three_kinds(dtype), three_kinds()
    assert_types(net)
    for name, projection in given.projections.items():
        rounded = projection.values.astype(np.float32)
        assert not np.array_equal(rounded, projection.values)
        assert np.array_equal(net.projections[name].values, rounded)
    assert_same_values(net, given.with_weight_dtype(dtype))


def test_weights_that_are_float32_already_are_not_the_callers_array():
    given = np.ones((4, 6), np.float32)
    net = es.Network(weight_dtype=np.float32)
    net.add_input("input", 4)
    net.add_population("hidden", 6)
    net.connect("input", "hidden", given)
    given[...] = 2.0
    assert (net.projections["input->hidden"].weights == 1.0).all()


def test_to_float32_rounds_once_and_to_float64_changes_nothing():
    net = three_kinds()
    single = net.with_weight_dtype(np.float32)
    assert_types(single)
    back = single.with_weight_dtype(np.float64)
    assert_types(back, DOUBLE)
    assert_same_values(back, single)
    for name, projection in single.projections.items():
        assert not np.shares_memory(projection.values, back.projections[name].values)
        assert not np.shares_memory(projection.delays, back.projections[name].delays)
    one = net.projections["input->hidden"].values
    assert np.abs(single.projections["input->hidden"].values / one - 1.0).max() < 6e-8


def test_shared_values_stay_shared():
    net = es.convolutional(12, (3,), 3, kernel=(5, 3), stride=(2, 1), seed=1)
    single = net.with_weight_dtype(np.float32)
    assert single.shared.keys() == net.shared.keys()
    for key, sharing in single.shared.items():
        assert sharing.agrees(single.parameters()[key])


def test_copies_and_networks_of_other_synapses_keep_the_type():
    net = three_kinds(np.float32)
    assert_types(net.copy())
    assert_types(net.map(lambda values: values.copy()))
    name = "input->hidden"
    assert_types(with_synapses(net, {name: synapse_numbers(net.projections[name])[::2]}))
    assert_types(without_neurons(net, {"hidden": np.array([0, 2, 5])}))
    assert_types(quantise(net, 4).net)


def test_a_file_keeps_type_and_values_and_is_smaller(tmp_path):
    double = es.scsr(100, (100,), 10, mean=2.0)
    net = double.with_weight_dtype(np.float32)
    for name, one in (("single", net), ("double", double)):
        one.save(tmp_path / f"{name}.npz")
    back = es.Network.load(tmp_path / "single.npz")
    assert_types(back)
    assert_same_values(back, net)
    assert_types(es.Network.load(tmp_path / "double.npz"), DOUBLE)
    sizes = [(tmp_path / f"{name}.npz").stat().st_size for name in ("single", "double")]
    assert sizes[0] < 0.8 * sizes[1]
    # What files have said so far, they say still.
    assert "weight_dtype" not in json.loads(str(double.to_arrays()["structure"]))


def test_nir_keeps_type_and_values(tmp_path):
    pytest.importorskip("nir", minversion="1.0.8")
    net = three_kinds(np.float32)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", NirWarning)
        write_nir(net, tmp_path / "net.nir")
    back = read_nir(tmp_path / "net.nir")
    assert_types(back)
    assert_same_values(back, net)


def answering(net):
    net.decide(None)
    net.set_answer(es.Answer(rule="maximum", population="output", class_names=("a", "b", "c")))
    return net


def test_c_is_the_text_of_the_same_values(tmp_path):
    net = answering(random_net(2, n_inputs=5).with_weight_dtype(np.float32))
    texts = []
    for name, one in (("one", net), ("other", net.with_weight_dtype(np.float64))):
        es.export_c(one, tmp_path / name, stream=random_stream(2))
        files = sorted(path for path in (tmp_path / name).rglob("*") if path.is_file())
        texts.append({path.name: path.read_bytes() for path in files})
    assert texts[0]
    assert texts[0] == texts[1]


def test_counts_and_mapping_are_those_of_the_same_values():
    net, stream = three_kinds(np.float32), random_stream(4, n_channels=4)
    net.decide(None)
    net.projections["input->hidden"].values[:, 1] = 0.0
    found = []
    for one in (net, net.with_weight_dtype(np.float64)):
        tape = es.simulate(one, stream)
        found.append((count(one, tape), map_network(one, tape, load_chip("loihi"))))
    (counts, mapped), (other, other_mapped) = found
    name = "input->hidden"
    assert 0 < counts.effective_events[name].sum() < counts.synaptic_events[name].sum()
    for field in ("synaptic_events", "effective_events"):
        for key, values in getattr(counts, field).items():
            assert np.array_equal(values, getattr(other, field)[key]), (field, key)
    assert counts.footprint == other.footprint
    assert repr(mapped) == repr(other_mapped)


@pytest.mark.parametrize("precision", ["double", "single"])
def test_processes_compute_with_the_same_values(precision):
    net, stream = balanced().whole().with_weight_dtype(np.float32), noise()
    for projection in net.projections.values():
        projection.values[...] *= np.float32(1.1)  # which float32 does not hold
    one, other = (
        simulate_ranks(each, stream, precision=precision).trains
        for each in (net, net.with_weight_dtype(np.float64))
    )
    assert one.keys() == other.keys()
    assert sum(map(len, one.values())) > 5
    for name, trains in one.items():
        assert np.array_equal(trains.times, other[name].times)


def test_quantised_values_lie_on_the_grid_of_the_largest_weight():
    net = three_kinds(np.float32)
    rounded = quantise(net, 4).net
    for name, projection in net.projections.items():
        largest = np.abs(projection.values.astype(np.float64)).max()
        units = rounded.projections[name].values.astype(np.float64) / largest * 7
        assert np.abs(units - np.round(units)).max() < 1e-6


def test_gradients_are_checked_in_float64():
    net, stream = random_net(4, hidden=(5, 4)).with_weight_dtype(np.float32), random_stream(4)

    def loss(net, tape):
        seeds = {name: np.cos(tape[name].times) for name in net.spiking}
        return sum(float(np.sin(tape[name].times).sum()) for name in net.spiking), seeds

    found = es.gradcheck(net, stream[0], loss, n_directions=3)
    assert all(row.worst_relative_error < 1e-4 for row in found.rows)
    assert sum(row.n_compared for row in found.rows) > 20
    assert_types(net)
