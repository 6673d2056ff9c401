"""What is said where linear neurons are not known, or not what they should be."""

from dataclasses import replace
from types import MappingProxyType

import numpy as np
import pytest

import eventsim as es
from eventsim import mapping
from eventsim.engine.contract.registry import using_backend
from eventsim.engine.reference import ReferenceBackend
from eventsim.errors import BackendError, NetworkError, ParameterError, StorageError
from eventsim.mapping.fits import fit_on
from eventsim.neuron.linear import neuron_described
from tests.unit.train.task import assert_same_net


def network(neuron=None, **values):
    net = es.Network()
    net.add_input("input", 2)
    net.add_population("h", 2, neuron=neuron or es.AdLIF(), **values)
    net.connect("input", "h", [[5.0, 5.0], [5.0, 5.0]])
    return net


STREAM = es.EventStream([1.0, 2.0], [0, 1], [0, 2], n_channels=2, duration=20.0)


class Own(es.LinearNeuron):
    states, receptors = ("v", "i"), MappingProxyType({"in": "i"})
    parameters = MappingProxyType({"tau": 5.0, "grow": -0.1})

    def flow(self, p):
        return {("v", "v"): p.grow, ("v", "i"): 1 / p.tau, ("i", "i"): -1 / p.tau}


class Rough(Own):
    def flow(self, p):
        return {**super().flow(p), ("v", "v"): -np.abs(p.grow)}


class KickedVoltage(Own):
    receptors = MappingProxyType({"in": "v"})


class Unknown(Own):
    def flow(self, p):
        return {("v", "x"): 1.0}


class UnknownReset(Own):
    def reset(self, p):
        return {"v": p.v_reset, "x": 0.0 * p.v_reset}


class SixStates(Own):
    states = ("v", "i", "a", "b", "c", "d")


class SoftReset(Own):
    def reset(self, p):
        return {"v": ("add", 0.0 * p.v_reset)}


class WithoutLeak(es.LinearNeuron):
    """Two compartments that keep their charge: the fastest mode neither grows nor fades."""

    states, receptors = ("v", "u", "i"), MappingProxyType({"in": "i"})
    parameters = MappingProxyType({"to": 1.0, "back": 1.0})

    def flow(self, p):
        return {
            ("v", "v"): -p.to, ("v", "u"): p.to, ("u", "v"): p.back, ("u", "u"): -p.back,
            ("v", "i"): 1.0, ("i", "i"): -0.2,
        }  # fmt: skip


def test_a_mode_that_neither_grows_nor_fades_is_no_growth_whatever_the_rounding():
    to, back = np.random.default_rng(0).uniform(0.01, 1.0, (2, 200))
    net = es.Network()
    net.add_input("input", 1)
    cells = net.add_population("h", 200, neuron=WithoutLeak(to=to, back=back))
    flow = cells.neuron.matrices(cells.parameters).flow
    assert np.linalg.eigvals(flow).real.max() > 0.0  # by rounding
    assert not cells.neuron.growth(cells.parameters).any()
    net.connect("input", "h", np.ones((1, 200)))
    net.check()


def test_parameters_given_beside_a_neuron_are_refused_and_common_ones_taken():
    assert network(threshold=2.0).populations["h"].threshold.tolist() == [2.0, 2.0]
    with pytest.raises(ParameterError, match="tau_mem is given beside neuron=AdLIF"):
        network(tau_mem=3.0)


def test_receptors_are_asked_for_by_name_where_there_are_several():
    net = es.Network()
    net.add_input("input", 1)
    net.add_population("h", 1, neuron=es.LIF(tau_syn={"ampa": 5.0, "nmda": 50.0}))
    for wrong in (None, "gaba"):
        with pytest.raises(NetworkError, match=r"expected one of \['ampa', 'nmda'\]"):
            net.connect("input", "h", [[1.0]], receptor=wrong)
    net.connect("input", "h", [[1.0]], receptor="ampa")
    net.connect("input", "h", [[1.0]], receptor="nmda")
    assert list(net.projections) == ["input->h:ampa", "input->h:nmda"]
    with pytest.raises(NetworkError, match="it has none by name"):
        network(es.LIF()).connect("h", "h", [[1.0] * 2] * 2, receptor="ampa")


def test_lif_of_one_time_constant_is_the_neuron_without_a_kind():
    plain = network(es.LIF(tau_mem=15.0, resistance=2.0)).populations["h"]
    assert plain.neuron is None
    assert plain.tau_mem.tolist() == [15.0, 15.0]


def test_a_network_of_linear_neurons_comes_back_from_its_file_unless_its_kind_is_unknown(tmp_path):
    net = network()
    net.add_population("g", 1, neuron=es.AdLIF(a=1.5, tau_syn={"x": 3.0, "y": 9.0}))
    net.add_population("own", 1, neuron=Own(tau=7.0))
    net.connect("h", "g", [[1.0], [2.0]], receptor="y")
    net.connect("g", "own", [[1.0]])
    net.save(tmp_path / "net.npz")
    again = es.Network.load(tmp_path / "net.npz")
    assert repr(again) == repr(net)
    assert_same_net(again, net)
    one, two = (es.simulate(n, STREAM, backend="reference") for n in (net, again))
    assert all(np.array_equal(one[name].times, two[name].times) for name in one.names)
    arrays = net.to_arrays()
    arrays["structure"] = np.array(str(arrays["structure"]).replace('"Own"', '"Gone"'))
    with pytest.raises(StorageError, match="'Gone', a class that is not defined here"):
        es.Network.from_arrays(arrays)


@pytest.mark.parametrize(
    ("name", "receptors", "said"),
    [
        ("Own", ["out"], "have receptors .'out'., expected .'in'., as the class"),
        ("Own", [], "have receptors"),
        ("_WithSynapses", [], "a class that is not defined here"),
        ("LinearNeuron", [], "a class that is not defined here"),
    ],
)
def test_a_class_with_other_receptors_than_a_file_says_is_refused(name, receptors, said):
    with pytest.raises(ParameterError, match=said):
        neuron_described(name, receptors)
    found = neuron_described("AdLIF", ["x", "y"])
    assert found.describe() == ("AdLIF", "x", "y")


def test_backends_without_linear_neurons_refuse_them_by_name():
    class Other(ReferenceBackend):
        name, runs = "other", frozenset({"adaptive"})

    with (
        using_backend("other", Other()),
        pytest.raises(BackendError, match="of kind AdLIF, which backend 'other'"),
    ):
        es.simulate(network(), STREAM, backend="other")


def test_an_adaptive_threshold_in_a_loop_with_linear_neurons_is_refused():
    net = network()
    net.add_population("l", 1, adaptation=0.1)
    net.connect("h", "l", [[1.0], [1.0]])
    net.connect("l", "h", [[1.0, 1.0]])
    with pytest.raises(BackendError, match="'l' has an adaptive threshold, and is in a loop"):
        es.simulate(net, STREAM, backend="cpu")


def test_a_chip_whose_neuron_is_fixed_refuses_linear_neurons_by_name():
    with pytest.raises(NetworkError, match="neurons of kind AdLIF"):
        mapping.map_network(network(), None, es.chips.load_chip("loihi"))


def test_the_voltage_of_linear_neurons_is_at_the_threshold_before_a_spike_and_reset_after_it():
    net = network(es.AdLIF(a=1.0, b=0.2, v_leak=0.1, v_reset=-0.2), refractory=1.0)
    tape = es.simulate(net, STREAM, backend="cpu")
    first = tape["h"].times[0]
    found = es.voltage(net, tape, "h", [0.0, first - 1e-9, first, first + 0.9])[0, :, 0]
    assert found == pytest.approx([0.1, 1.0, -0.2, -0.2], abs=1e-7)


def test_the_current_of_linear_neurons_is_what_arrived_by_receptor_each_decayed():
    taus = {"x": 3.0, "y": 9.0}
    net = network(es.AdLIF(a=1.0, b=0.2, tau_syn=4.0, refractory=1.0))
    net.add_population("two", 2, neuron=es.LIF(tau_syn=taus))
    for receptor, weight in (("x", 0.5), ("y", -2.0)):
        net.connect("input", "two", np.full((2, 2), weight), receptor=receptor, delays=1.5)
    tape, at = es.simulate(net, STREAM, backend="cpu"), np.array([0.5, 2.0, 4.0, 15.0])
    assert len(tape["h"]) > 0

    def arrived(tau, weight, delay):
        since = at[:, None] - (STREAM.times + delay)
        return (weight * np.exp(-since / tau) * (since >= 0.0)).sum(axis=1)

    found = es.current(net, tape, "h", at)[0]
    np.testing.assert_allclose(found, np.tile(arrived(4.0, 5.0, 0.0), (2, 1)).T, atol=1e-12)
    found = es.current(net, tape, "two", at, neurons=[1])[0, :, 0]
    expected = [arrived(taus["x"], 0.5, 1.5), arrived(taus["y"], -2.0, 1.5)]
    np.testing.assert_allclose(found, np.transpose(expected), atol=1e-12)


def test_further_states_are_counted_and_named_and_their_words_are_priced():
    net = network()
    tape = es.simulate(net, STREAM, backend="reference")
    counts = es.energy.count(net, tape)
    assert counts.synaptic_events["input->h"].tolist() == [4]
    assert counts.footprint.states == 2 * 3 * 4
    # Two arrivals at each of two neurons, one state beside V and I.
    assert counts.state_updates["h"].tolist() == counts.membrane_updates["h"].tolist() == [4]
    steps = es.energy.clocked(net, tape, step_ms=1.0)
    loihi = es.energy.energy(counts, es.chips.load_chip("loihi"), clocked=steps)
    missing = {one.name: one.count for one in loihi.missing}
    assert missing["state_update"] == 4.0
    of_lif = es.energy.energy(replace(counts, further_states={}), es.chips.load_chip("loihi"))
    assert "state_update" not in {one.name for one in of_lif.missing}
    # Where memory has a price the words are in it: read and written, in every step or at arrivals.
    sram = es.chips.load_chip("45nm_sram")
    for by, words in ((None, 4), (steps, 2 * 20)):
        mine, less = (
            es.energy.energy(counted, sram, clocked=by).total_pj
            for counted in (counts, replace(counts, further_states={}))
        )
        byte = sram.energy["memory_byte"].value
        assert mine - less == pytest.approx(words * 2 * 4 * byte, rel=1e-12)


def test_chips_say_whether_they_have_linear_neurons_and_why_not():
    found = {}
    for name in es.chips.chip_names():
        chip = es.chips.load_chip(name)
        if chip.limits is not None:
            found[name] = fit_on(network(), chip)
    fixed = {"loihi", "loihi_sanafe", "truenorth"}
    programs = {"loihi2", "spinnaker", "spinnaker2"}
    for name, fit in found.items():
        said = f"Chip {name!r}: population 'h' has neurons of kind AdLIF, and the chip's "
        if name in programs:
            assert fit.state == "fits"
            assert fit.reason.startswith("Assumed of population 'h': its neurons have 3 states")
        else:
            assert fit.state == ("does not fit" if name in fixed else "not checked")
            why = "neuron is fixed" if name in fixed else "file does not say"
            assert fit.reason.startswith(said + why)
    assert found.keys() == fixed | programs | {"dynapse"}
