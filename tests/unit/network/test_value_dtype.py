"""Networks that hold weights or delays in float32: building, files, copies, and whoever reads them.

Who reads values must find those that are there: the answer is that of the network with the same
numbers in float64.
"""

import json
import warnings
from dataclasses import dataclass

import numpy as np
import pytest
import scipy.sparse as sp

import eventsim as es
from eventsim.chips import load_chip
from eventsim.energy import count
from eventsim.errors import ParameterError
from eventsim.mapping import map_network, quantise
from eventsim.network.connectivity import synapse_numbers, with_synapses, without_neurons
from eventsim.network.nir import NirWarning, read_nir, write_nir
from eventsim.ranks import simulate_ranks
from tests.support.nets import random_net, random_stream
from tests.unit.ranks.nets import balanced, noise

SINGLE, DOUBLE = np.dtype(np.float32), np.dtype(np.float64)


@dataclass(frozen=True)
class Kind:
    """Of values: ``weight`` or ``delay``."""

    name: str

    def network(self, dtype=SINGLE):
        return every_kind(**{f"{self.name}_dtype": dtype})

    def to(self, net, dtype):
        return getattr(net, f"with_{self.name}_dtype")(dtype)

    def of(self, projection):
        return projection.values if self.name == "weight" else projection.delays

    def assert_types(self, net, dtype=SINGLE):
        """These values of projections have a type, all others are float64."""
        assert getattr(net, f"{self.name}_dtype") == dtype
        own = {f"{name}.{self.name}s" for name in net.projections}
        for key, found in types_of(net).items():
            assert found == (dtype if key in own else DOUBLE), key


@pytest.fixture(params=["weight", "delay"])
def kind(request):
    return Kind(request.param)


def types_of(net):
    return {key: values.dtype for key, values in net.parameters().items()}


def assert_same_values(one, other):
    assert one.parameters().keys() == other.parameters().keys()
    for key, values in other.parameters().items():
        assert np.array_equal(one.parameters()[key], values), key


def every_kind(**types):
    """Dense, sparse and self-weights, a decision, and delays; float32 holds none of the values."""
    rng = np.random.default_rng(1)
    net = es.Network(**types)
    net.add_input("input", 4)
    net.add_population("hidden", 6, tau_mem=rng.uniform(5.0, 20.0, 6), resistance=1.3)
    net.add_readout("output", 3)
    net.connect("input", "hidden", rng.normal(3, 1, (4, 6)), delays=rng.uniform(0.1, 2, (4, 6)))
    lags = rng.uniform(0.5, 1.0, 6)
    net.connect("hidden", "hidden", es.self_recurrent(rng.normal(0.0, 0.1, 6)), delays=lags)
    wires = sp.random_array((6, 3), density=0.5, rng=rng, format="coo")
    net.connect("hidden", "output", wires, delays=0.7)
    net.decide("output", rng.normal(size=(3, 2)))
    return net


def test_values_are_float64_unless_a_network_says_float32(kind):
    rng = np.random.default_rng(0)
    net = every_kind()
    net.add_population("more", 2)
    weights, delays = (rng.uniform(0.5, 1.0, (4, 2)).astype(np.float32) for _ in range(2))
    net.connect("input", "more", weights, delays=delays)
    kind.assert_types(net, DOUBLE)
    assert getattr(net.copy(), f"{kind.name}_dtype") == DOUBLE


@pytest.mark.parametrize("dtype", [np.float32, "float32", SINGLE])
def test_values_of_every_kind_are_rounded_once_when_they_are_connected(kind, dtype):
    net, given = kind.network(dtype), every_kind()
    kind.assert_types(net)
    for name, projection in given.projections.items():
        rounded = kind.of(projection).astype(np.float32)
        assert (rounded != kind.of(projection)).any()
        assert np.array_equal(kind.of(net.projections[name]), rounded)
    assert_same_values(net, kind.to(given, dtype))


def test_values_that_a_rule_draws_are_those_of_the_rule_rounded_once(kind):
    nets = [es.Network(seed=3, **{f"{kind.name}_dtype": dtype}) for dtype in (SINGLE, DOUBLE)]
    for net in nets:
        net.add_input("input", 30)
        net.add_population("a", 20)
        drawn = es.normal(1.5, 0.75, least=0.1)
        net.connect("input", "a", drawn, rule=es.fixed_indegree(10), delays=drawn)
    single, double = (kind.of(net.projections["input->a"]) for net in nets)
    assert single.size == 200
    assert single.dtype == np.float32
    assert np.array_equal(single, double.astype(np.float32))


def test_weights_that_are_float32_already_are_not_the_callers_array():
    given = np.ones((4, 6), np.float32)
    net = es.Network(weight_dtype=np.float32)
    net.add_input("input", 4)
    net.add_population("hidden", 6)
    net.connect("input", "hidden", given)
    given[...] = 2.0
    assert (net.projections["input->hidden"].weights == 1.0).all()


def test_to_float32_rounds_once_and_to_float64_changes_nothing(kind):
    net = every_kind()
    single = kind.to(net, np.float32)
    kind.assert_types(single)
    back = kind.to(single, np.float64)
    kind.assert_types(back, DOUBLE)
    assert_same_values(back, single)
    for name, projection in single.projections.items():
        assert not np.shares_memory(projection.values, back.projections[name].values)
        assert not np.shares_memory(projection.delays, back.projections[name].delays)
    one = kind.of(net.projections["input->hidden"])
    assert np.abs(kind.of(single.projections["input->hidden"]) / one - 1.0).max() < 6e-8


def test_both_types_are_chosen_apart_and_stay():
    net = every_kind(weight_dtype=np.float32).with_delay_dtype(np.float32)
    assert {kind.name for key, kind in types_of(net).items() if "->" in key} == {"float32"}
    assert net.with_weight_dtype(np.float64).delay_dtype == SINGLE
    back = net.with_delay_dtype(np.float64)
    assert (back.weight_dtype, back.delay_dtype) == (SINGLE, DOUBLE)


def test_a_value_that_float32_does_not_hold_is_refused(kind):
    net = every_kind()
    kind.of(net.projections["hidden->output"])[...] = 1e40
    with pytest.raises(ParameterError, match=f"a {kind.name}") as found:
        kind.to(net, np.float32)
    assert found.value.where == "Projection 'hidden->output'"


def test_shared_values_stay_shared():
    net = es.convolutional(12, (3,), 3, kernel=(5, 3), stride=(2, 1), seed=1)
    single = net.with_weight_dtype(np.float32)
    assert single.shared.keys() == net.shared.keys()
    for key, sharing in single.shared.items():
        assert sharing.agrees(single.parameters()[key])


def test_copies_and_networks_of_other_synapses_keep_the_type(kind):
    net = kind.network()
    kind.assert_types(net.copy())
    kind.assert_types(net.map(lambda values: values.copy()))
    name = "input->hidden"
    fewer = with_synapses(net, {name: synapse_numbers(net.projections[name])[::2]})
    kind.assert_types(fewer)
    assert kind.of(fewer.projections[name]).size == 12
    kind.assert_types(without_neurons(net, {"hidden": np.array([0, 2, 5])}))
    kind.assert_types(quantise(net, 4).net)


def test_a_file_keeps_type_and_values(kind, tmp_path):
    net = kind.network()
    for name, one in (("single", net), ("double", every_kind())):
        one.save(tmp_path / f"{name}.npz")
    back = es.Network.load(tmp_path / "single.npz")
    kind.assert_types(back)
    assert_same_values(back, net)
    kind.assert_types(es.Network.load(tmp_path / "double.npz"), DOUBLE)
    # What files have said so far, they say still.
    said = json.loads(str(every_kind().to_arrays()["structure"]))
    assert f"{kind.name}_dtype" not in said


def test_a_file_of_float32_weights_is_smaller(tmp_path):
    double = es.scsr(100, (100,), 10, mean=2.0)
    sizes = []
    for one in (double.with_weight_dtype(np.float32), double):
        one.save(tmp_path / "net.npz")
        sizes.append((tmp_path / "net.npz").stat().st_size)
    assert sizes[0] < 0.8 * sizes[1]


def test_nir_keeps_type_and_values(kind, tmp_path):
    pytest.importorskip("nir", minversion="1.0.8")
    net = kind.network()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", NirWarning)
        write_nir(net, tmp_path / "net.nir")
    back = read_nir(tmp_path / "net.nir")
    kind.assert_types(back)
    assert_same_values(back, net)


@pytest.mark.parametrize("delays", [None, "synapse"])
def test_c_is_the_text_of_the_same_values(kind, delays, tmp_path):
    given = {} if delays is None else {"delays": delays}
    net = kind.to(random_net(2, n_inputs=5, **given), np.float32)
    net.decide(None)
    net.set_answer(es.Answer(rule="maximum", population="output", class_names=("a", "b", "c")))
    texts = []
    for name, one in (("one", net), ("other", kind.to(net, np.float64))):
        es.export_c(one, tmp_path / name, stream=random_stream(2))
        files = sorted(path for path in (tmp_path / name).rglob("*") if path.is_file())
        texts.append({path.name: path.read_bytes() for path in files})
    assert texts[0]
    assert texts[0] == texts[1]


def test_counts_mapping_and_steps_are_those_of_the_same_values(kind):
    net, stream = kind.network(), random_stream(4, n_channels=4)
    net.decide(None)
    name = "input->hidden"
    net.projections[name].values[:, 1] = 0.0
    # On the border of two steps: 0.35 / 0.1 is 3.5 in float32, and a bit less in float64.
    net.projections[name].delays[...] = 0.35
    found = []
    for one in (net, kind.to(net, np.float64)):
        tape = es.simulate(one, stream)
        steps = quantise(one, load_chip("loihi"), step_ms=0.1).net.projections[name].delays
        found.append((count(one, tape), map_network(one, tape, load_chip("loihi")), steps))
    (counts, mapped, steps), (other, other_mapped, other_steps) = found
    assert 0 < counts.effective_events[name].sum() < counts.synaptic_events[name].sum()
    for field in ("synaptic_events", "effective_events"):
        for key, values in getattr(counts, field).items():
            assert np.array_equal(values, getattr(other, field)[key]), (field, key)
    assert counts.footprint == other.footprint
    assert repr(mapped) == repr(other_mapped)
    assert np.array_equal(steps, other_steps.astype(steps.dtype))


@pytest.mark.parametrize("precision", ["double", "single"])
def test_processes_compute_with_the_same_values(kind, precision):
    net, stream = balanced().whole(), noise()
    for projection in net.projections.values():
        kind.of(projection)[...] *= 1.1
    net = kind.to(net, np.float32)
    one, other = (
        simulate_ranks(each, stream, precision=precision).trains
        for each in (net, kind.to(net, np.float64))
    )
    assert one.keys() == other.keys()
    assert sum(map(len, one.values())) > 5
    for name, trains in one.items():
        assert np.array_equal(trains.times, other[name].times)


def test_quantised_values_lie_on_the_grid_of_the_largest_weight():
    net = every_kind(weight_dtype=np.float32)
    rounded = quantise(net, 4).net
    for name, projection in net.projections.items():
        largest = np.abs(projection.values.astype(np.float64)).max()
        units = rounded.projections[name].values.astype(np.float64) / largest * 7
        assert np.abs(units - np.round(units)).max() < 1e-6


def test_gradients_are_checked_in_float64(kind):
    net = kind.to(random_net(4, hidden=(5, 4), delays="synapse"), np.float32)

    def loss(net, tape):
        seeds = {name: np.cos(tape[name].times) for name in net.spiking}
        return sum(float(np.sin(tape[name].times).sum()) for name in net.spiking), seeds

    found = es.gradcheck(net, random_stream(4)[0], loss, n_directions=3)
    assert all(row.worst_relative_error < 1e-4 for row in found.rows)
    assert sum(row.n_compared for row in found.rows) > 20
    kind.assert_types(net)


def test_training_rounds_values_at_the_end_of_a_step(kind):
    net = kind.network()
    key = f"input->hidden.{kind.name}s"
    optimiser = es.train.AdamW(net, [key])
    before = net.parameters()[key].copy()
    wide = es.train.AdamW(kind.to(net, np.float64), [key])
    gradient = {key: np.random.default_rng(1).normal(size=before.shape)}
    for one in (optimiser, wide):
        one.step(gradient)
    after = net.parameters()[key]
    assert after.dtype == np.float32
    assert (after != before).all()
    assert np.array_equal(after, wide._net.parameters()[key].astype(np.float32))
