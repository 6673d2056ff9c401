"""Networks that hold their delays in float32: building, files, copies, and whoever reads them.

Who reads delays must find the values that are there: the answer is that of the network with the
same numbers in float64.
"""

import json
import warnings

import numpy as np
import pytest

import eventsim as es
from eventsim.chips import load_chip
from eventsim.energy import count
from eventsim.errors import ParameterError
from eventsim.mapping import map_network, quantise
from eventsim.network.connectivity import synapse_numbers, with_synapses, without_neurons
from eventsim.network.nir import NirWarning, read_nir, write_nir
from eventsim.ranks import simulate_ranks
from tests.support.nets import random_net, random_stream
from tests.unit.network.test_weight_dtype import (
    DOUBLE,
    SINGLE,
    answering,
    assert_same_values,
    three_kinds,
    types_of,
)
from tests.unit.ranks.nets import balanced, noise


def assert_types(net, delays=SINGLE):
    """Delays of projections have a type, all other values are float64."""
    assert net.delay_dtype == delays
    own = {f"{name}.delays" for name in net.projections}
    for key, dtype in types_of(net).items():
        assert dtype == (delays if key in own else DOUBLE), key


def delayed(**types):
    """Delays of every kind, which float32 does not hold."""
    rng = np.random.default_rng(2)
    net = es.Network(**types)
    net.add_input("input", 4)
    net.add_population("hidden", 6, tau_mem=rng.uniform(5.0, 20.0, 6), resistance=1.3)
    net.add_readout("output", 3)
    net.connect("input", "hidden", rng.normal(3, 1, (4, 6)), delays=rng.uniform(0.1, 2, (4, 6)))
    lags = rng.uniform(0.5, 1.0, 6)
    net.connect("hidden", "hidden", es.self_recurrent(rng.normal(0.0, 0.1, 6)), delays=lags)
    net.connect("hidden", "output", rng.normal(size=(6, 3)), delays=0.7)
    return net


@pytest.mark.parametrize("dtype", [np.float32, "float32", SINGLE])
def test_delays_of_every_kind_are_rounded_once_when_they_are_connected(dtype):
    net, given = delayed(delay_dtype=dtype), delayed()
    assert_types(net)
    for name, projection in given.projections.items():
        rounded = projection.delays.astype(np.float32)
        assert (rounded != projection.delays).any()
        assert np.array_equal(net.projections[name].delays, rounded)
    assert_same_values(net, given.with_delay_dtype(dtype))


def test_delays_that_a_rule_draws_are_those_of_the_rule_rounded_once():
    nets = [es.Network(seed=3, delay_dtype=kind) for kind in (np.float32, np.float64)]
    for net in nets:
        net.add_input("input", 30)
        net.add_population("a", 20)
        lags = es.normal(1.5, 0.75, least=0.1)
        net.connect("input", "a", rule=es.fixed_indegree(10), weights=0.5, delays=lags)
    single, double = (net.projections["input->a"].delays for net in nets)
    assert single.size == 200
    assert single.dtype == np.float32
    assert np.array_equal(single, double.astype(np.float32))


def test_to_float32_rounds_once_and_to_float64_changes_nothing():
    net = delayed()
    single = net.with_delay_dtype(np.float32)
    assert_types(single)
    back = single.with_delay_dtype(np.float64)
    assert_types(back, DOUBLE)
    assert_same_values(back, single)
    for name, projection in single.projections.items():
        assert not np.shares_memory(projection.values, back.projections[name].values)
        assert not np.shares_memory(projection.delays, back.projections[name].delays)
    one = net.projections["input->hidden"].delays
    assert np.abs(single.projections["input->hidden"].delays / one - 1.0).max() < 6e-8
    assert net.copy().delay_dtype == DOUBLE


def test_both_types_are_chosen_apart_and_stay():
    net = delayed(weight_dtype=np.float32).with_delay_dtype(np.float32)
    assert {kind.name for key, kind in types_of(net).items() if "->" in key} == {"float32"}
    assert net.with_weight_dtype(np.float64).delay_dtype == SINGLE
    back = net.with_delay_dtype(np.float64)
    assert (back.weight_dtype, back.delay_dtype) == (SINGLE, DOUBLE)


def test_a_delay_that_float32_does_not_hold_is_refused():
    net = delayed()
    net.projections["hidden->output"].delays[...] = 1e40
    with pytest.raises(ParameterError, match="a delay") as found:
        net.with_delay_dtype(np.float32)
    assert found.value.where == "Projection 'hidden->output'"


def test_copies_and_networks_of_other_synapses_keep_the_type():
    net = delayed(delay_dtype=np.float32)
    assert_types(net.copy())
    assert_types(net.map(lambda values: values.copy()))
    name = "input->hidden"
    fewer = with_synapses(net, {name: synapse_numbers(net.projections[name])[::2]})
    assert_types(fewer)
    assert fewer.projections[name].delays.size == 12
    assert_types(without_neurons(net, {"hidden": np.array([0, 2, 5])}))
    assert_types(quantise(net, 4).net)


def test_a_file_keeps_type_and_values(tmp_path):
    net = delayed(delay_dtype=np.float32)
    for name, one in (("single", net), ("double", delayed())):
        one.save(tmp_path / f"{name}.npz")
    back = es.Network.load(tmp_path / "single.npz")
    assert_types(back)
    assert_same_values(back, net)
    assert_types(es.Network.load(tmp_path / "double.npz"), DOUBLE)
    # What files have said so far, they say still.
    assert "delay_dtype" not in json.loads(str(delayed().to_arrays()["structure"]))


def test_nir_keeps_type_and_values(tmp_path):
    pytest.importorskip("nir", minversion="1.0.8")
    net = delayed(delay_dtype=np.float32)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", NirWarning)
        write_nir(net, tmp_path / "net.nir")
    back = read_nir(tmp_path / "net.nir")
    assert_types(back)
    assert_same_values(back, net)


def test_c_is_the_text_of_the_same_values(tmp_path):
    net = answering(random_net(2, n_inputs=5, delays="synapse").with_delay_dtype(np.float32))
    texts = []
    for name, one in (("one", net), ("other", net.with_delay_dtype(np.float64))):
        es.export_c(one, tmp_path / name, stream=random_stream(2))
        files = sorted(path for path in (tmp_path / name).rglob("*") if path.is_file())
        texts.append({path.name: path.read_bytes() for path in files})
    assert texts[0]
    assert texts[0] == texts[1]


def test_counts_mapping_and_steps_are_those_of_the_same_values():
    net, stream = delayed(delay_dtype=np.float32), random_stream(4, n_channels=4)
    # On the border of two steps: 0.35 / 0.1 is 3.5 in float32, and a bit less in float64.
    net.projections["input->hidden"].delays[...] = 0.35
    found = []
    for one in (net, net.with_delay_dtype(np.float64)):
        tape = es.simulate(one, stream)
        steps = quantise(one, load_chip("loihi"), step_ms=0.1).net
        delays = steps.projections["input->hidden"].delays
        found.append((count(one, tape), map_network(one, tape, load_chip("loihi")), delays))
    (counts, mapped, steps), (other, other_mapped, other_steps) = found
    for field in ("synaptic_events", "effective_events"):
        for key, values in getattr(counts, field).items():
            assert np.array_equal(values, getattr(other, field)[key]), (field, key)
    assert counts.footprint == other.footprint
    assert repr(mapped) == repr(other_mapped)
    assert np.array_equal(steps, other_steps.astype(np.float32))


@pytest.mark.parametrize("precision", ["double", "single"])
def test_processes_compute_with_the_same_values(precision):
    net, stream = balanced().whole(), noise()
    for projection in net.projections.values():
        projection.delays[...] *= 1.1
    net = net.with_delay_dtype(np.float32)
    one, other = (
        simulate_ranks(each, stream, precision=precision).trains
        for each in (net, net.with_delay_dtype(np.float64))
    )
    assert one.keys() == other.keys()
    assert sum(map(len, one.values())) > 5
    for name, trains in one.items():
        assert np.array_equal(trains.times, other[name].times)


def test_gradients_are_checked_in_float64():
    net = random_net(4, hidden=(5, 4), delays="synapse").with_delay_dtype(np.float32)
    stream = random_stream(4)

    def loss(net, tape):
        seeds = {name: np.cos(tape[name].times) for name in net.spiking}
        return sum(float(np.sin(tape[name].times).sum()) for name in net.spiking), seeds

    found = es.gradcheck(net, stream[0], loss, n_directions=3)
    assert all(row.worst_relative_error < 1e-4 for row in found.rows)
    assert sum(row.n_compared for row in found.rows) > 20
    assert_types(net)


def test_training_rounds_delays_at_the_end_of_a_step():
    net = three_kinds().with_delay_dtype(np.float32)
    key = "input->hidden.delays"
    optimiser = es.train.AdamW(net, [key])
    before = net.parameters()[key].copy()
    wide = es.train.AdamW(net.with_delay_dtype(np.float64), [key])
    gradient = {key: np.random.default_rng(1).normal(size=before.shape)}
    for one in (optimiser, wide):
        one.step(gradient)
    after = net.parameters()[key]
    assert after.dtype == np.float32
    assert (after != before).all()
    assert np.array_equal(after, wide._net.parameters()[key].astype(np.float32))
