"""Linear neurons on chips: one of n states takes the place of n/2 where neurons are programs."""

import numpy as np
import pytest

import eventsim as es
from eventsim.chips import load_chip
from eventsim.hardware.usage import limits_left_out
from eventsim.mapping import check_mapping, map_network
from eventsim.mapping.fits import Fit, fit_on
from tests.support.linear_neurons import TwoCompartments
from tests.support.nets import one_layer
from tests.unit.mapping.helpers import make_chip

STATES = {"plain": 2, "adaptive": 3, "receptors": 4, "own": 5, "out": 2}
SIZES = {"plain": 6, "adaptive": 7, "receptors": 5, "own": 3, "out": 2}


def mixed():
    """Neurons of two to five states, a loop among them, and a readout."""
    rng, net = np.random.default_rng(3), es.Network()
    net.add_input("input", 5)
    net.add_population("plain", SIZES["plain"])
    net.add_population("adaptive", SIZES["adaptive"], neuron=es.AdLIF())
    net.add_population(
        "receptors", SIZES["receptors"], neuron=es.LIF(tau_syn={"x": 2.0, "y": 9.0, "z": 40.0})
    )
    net.add_population("own", SIZES["own"], neuron=TwoCompartments())
    net.add_readout("out", SIZES["out"])
    pairs = [("input", "plain"), ("plain", "adaptive"), ("adaptive", "adaptive")]
    for source, target in [*pairs, ("plain", "out"), ("own", "out")]:
        shape = net.populations[source].size, net.populations[target].size
        net.connect(source, target, rng.normal(1.0, 1.0, shape))
    for target, receptor in (("receptors", "y"), ("own", "dendrite")):
        weights = rng.normal(1.0, 1.0, (SIZES["adaptive"], SIZES[target]))
        net.connect("adaptive", target, weights, receptor=receptor)
    return net


def programmable(**limits):
    return make_chip(neuron_model="programmable", **limits)


def states_by_core(cores):
    """Counted one neuron after the other."""
    found = {}
    for name, places in cores.items():
        for core in np.asarray(places).tolist():
            found[core] = found.get(core, 0) + STATES[name]
    return found


@pytest.mark.parametrize("inputs", ["external", "placed"])
@pytest.mark.parametrize("method", ["first_fit", "population_order", "refined"])
def test_a_core_holds_as_many_states_as_its_neurons_have(method, inputs):
    net, chip = mixed(), programmable(neurons_per_core=4)
    found = map_network(net, None, chip, method=method, inputs=inputs)
    cores = {name: found.cores[name] for name in STATES}
    held = states_by_core(cores)
    for core in found.cores.get("input", np.zeros(0, int)).tolist():
        held[core] = held.get(core, 0) + 2
    assert max(held.values()) <= 8
    assert found.usage.states.tolist() == [held[core] for core in found.used.tolist()]
    assert found.fills()["states"] == (max(held.values()), 8)
    assert check_mapping(net, chip, found.cores) == []


def test_a_larger_neuron_takes_more_cores_and_this_is_said():
    net = one_layer("hidden", np.ones((2, 12)), neuron=es.AdLIF())
    chip = programmable(neurons_per_core=4)
    found = map_network(net, None, chip, method="first_fit")
    assert found.n_cores == 6  # two of three states in eight
    (line,) = found.assumed
    assert line == (
        "Assumed of population 'hidden': its neurons have 3 states, so each takes the place of 1.5 "
        "of neurons_per_core, which have 2. The time that their updates take is not counted."
    )
    assert found.to_dict()["assumed"] == [line]
    fit = fit_on(net, chip)
    assert (fit.state, fit.reason, fit.cores) == ("fits", line, 6)
    assert Fit.of_runs([fit_on(net, chip)] * 2).reason == line


def test_of_lif_neurons_nothing_is_assumed(net):
    chip = programmable(neurons_per_core=8)
    found = map_network(net, None, chip, method="first_fit")
    assert found.assumed == ()
    assert found.usage.states is None
    assert "states" not in found.fills()
    assert "states_per_core" not in limits_left_out(programmable())


def test_without_a_limit_of_neurons_nothing_is_assumed():
    found = map_network(mixed(), None, programmable(), method="first_fit")
    assert (found.assumed, found.n_cores) == ((), 1)


def test_the_independent_check_counts_states():
    net, chip = mixed(), programmable(neurons_per_core=4)
    cores = {name: np.arange(size) for name, size in SIZES.items()}
    cores["own"][:] = 20
    (broken,) = [v for v in check_mapping(net, chip, cores) if v.limit == "states_per_core"][:1]
    most = states_by_core(cores)
    assert broken.held == most[int(broken.where.split()[-1])] > broken.allowed == 8


@pytest.mark.parametrize("name", ["spinnaker", "spinnaker2", "loihi2"])
def test_chips_whose_neurons_are_programs_hold_them(name):
    chip = load_chip(name)
    found = map_network(mixed(), None, chip, method="first_fit")
    assert [line.split("'")[1] for line in found.assumed] == ["adaptive", "receptors", "own"]
    assert check_mapping(mixed(), chip, found.cores) == []
