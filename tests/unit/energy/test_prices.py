"""Prices of activity: the energies of a report, and what one more spike costs."""

from dataclasses import replace

import numpy as np
import pytest

import eventsim as es
from eventsim.chips import Chip, Quantity, chip_names, load_chip
from eventsim.energy import ActivityPricing, clocked, cost, count, energy
from eventsim.mapping import quantise
from tests.matrix.networks import network
from tests.support.nets import random_net, random_stream

PRICED = [name for name in chip_names() if load_chip(name).energy.keys() & {"synaptic_event", "ac"}]


@pytest.fixture(scope="module")
def run():
    net = random_net(2, sparse=True, delays="source")
    stream = random_stream(3, n_samples=4)
    # All spikes arrive before the end.
    return net, es.simulate(net, stream, backend="reference", tail=500.0)


@pytest.mark.parametrize("name", PRICED)
def test_energy_of_activity_is_that_of_the_report_without_leakage(run, name):
    net, tape = run
    report = cost(net, tape, load_chip(name))
    found = ActivityPricing(load_chip(name)).measure(net, tape)
    assert found.energy_pj.shape == (4,)
    assert found.energy_pj.mean() == pytest.approx(report.part_pj("spikes", "step"), rel=1e-12)


@pytest.mark.parametrize("name", ["loihi_sanafe", "spinnaker", "spinnaker2", "45nm", "45nm_sram"])
@pytest.mark.parametrize("bits", [None, 3])  # of 3 bits, some weights are 0
def test_prices_of_all_spikes_add_up_to_the_energy(run, name, bits):
    net, tape = run
    if bits is not None:
        net = quantise(net, bits).net
        tape = es.simulate(net, tape.stream, backend="cpu", tail=500.0)
        assert any((p.values == 0).any() for p in net.projections.values())
    chip, counts = load_chip(name), count(net, tape)
    pricing = ActivityPricing(chip)
    found = pricing.measure(net, tape)
    reached = dict.fromkeys(net.neurons, 0)
    for key, n in counts.effective_events.items():
        reached[net.projections[key].target] += int(n.sum())
    assert found.arrivals == reached
    prices = pricing.of_spikes(net, found.updates, found.arrivals)
    sent = {name: tape[name].total_counts() for name in net.spiking}
    sent["input"] = np.bincount(tape.stream.channels, minlength=net.input.size)
    total = sum(float(prices[name] @ spikes) for name, spikes in sent.items())
    idle = chip.energy.get("neuron_update_idle")
    if idle is not None:
        neurons = sum(p.size for p in net.neurons.values())
        total += idle.value * neurons * np.ceil(tape.stream.duration / chip.step_ms).sum()
    assert total == pytest.approx(found.energy_pj.sum(), rel=1e-9)


@pytest.mark.parametrize("kind", ["adaptive", "receptors", "adlif", "resonator", "own_neuron"])
def test_prices_add_up_for_neurons_of_more_than_two_states(kind):
    net = network({"neuron": kind, "end": "readout"})
    tape = es.simulate(net, random_stream(0, n_channels=4), backend="cpu", tail=500.0)
    pricing = ActivityPricing(load_chip("45nm_sram"))  # which prices every number of a state
    found = pricing.measure(net, tape)
    prices = pricing.of_spikes(net, found.updates, found.arrivals)
    sent = {name: tape[name].total_counts() for name in net.spiking}
    sent["input"] = np.bincount(tape.stream.channels, minlength=net.input.size)
    assert all(spikes.any() for spikes in sent.values())
    total = sum(float(prices[name] @ spikes) for name, spikes in sent.items())
    assert total == pytest.approx(found.energy_pj.sum(), rel=1e-9)


def test_events_that_enter_and_leave_have_their_prices(run):
    net, tape = run
    figures = {
        name: Quantity(value, "pJ", "measured", "a test")
        for name, value in (("synaptic_event", 1.0), ("event_in", 10.0), ("event_out", 100.0))
    }
    chip = Chip("mine", "Mine", "chip", "a test", energy=figures)
    plain = replace(chip, energy={"synaptic_event": figures["synaptic_event"]})
    pricing, bare = ActivityPricing(chip), ActivityPricing(plain)
    more = pricing.measure(net, tape).energy_pj - bare.measure(net, tape).energy_pj
    np.testing.assert_allclose(more, 10.0 * np.diff(tape.stream.offsets) + 100.0)
    none = dict.fromkeys(net.neurons, 0)
    prices, without = (one.of_spikes(net, {}, none) for one in (pricing, bare))
    difference = {name: set((prices[name] - without[name]).tolist()) for name in prices}
    assert difference == {"input": {10.0}, "hidden1": {0.0}, "hidden2": {0.0}}
    part = [ActivityPricing(c, ("hidden2",)).measure(net, tape).energy_pj for c in (chip, plain)]
    assert part[0].tolist() == part[1].tolist()


def test_part_of_the_network_costs_its_own_operations_spikes_and_updates(run):
    net, tape = run
    chip = load_chip("loihi_sanafe")
    only = ("hidden1->output", "hidden2")
    found = ActivityPricing(chip, only).measure(net, tape)
    exact, steps = count(net, tape), clocked(net, tape, step_ms=1.0)
    part = energy(exact.only(only), chip, clocked=steps.only(only))
    assert found.energy_pj.mean() == pytest.approx(part.part_pj("spikes", "step"), rel=1e-12)
    figures = {name: figure.value for name, figure in chip.energy.items()}
    active = steps.active_updates["hidden2"]
    expected = (
        figures["synaptic_event"] * exact.synaptic_events["hidden1->output"]
        + figures["spike"] * exact.spikes["hidden2"]
        + figures["neuron_update_active"] * active
        + figures["neuron_update_idle"] * (steps.steps * 5 - active)
    )
    np.testing.assert_allclose(found.energy_pj, expected, rtol=1e-12)


def test_parts_of_a_network_add_up(run):
    net, tape = run
    chip = load_chip("loihi")
    parts = [ActivityPricing(chip, (name,)).measure(net, tape) for name in net.projections]
    parts += [ActivityPricing(chip, (name,)).measure(net, tape) for name in net.neurons]
    whole = ActivityPricing(chip).measure(net, tape)
    np.testing.assert_allclose(sum(p.energy_pj for p in parts), whole.energy_pj, rtol=1e-12)


def test_price_of_a_spike_is_its_fan_out_and_its_own(run):
    net, _ = run
    pricing, none = ActivityPricing(load_chip("truenorth")), dict.fromkeys(net.neurons, 0)
    price = pricing.of_spikes(net, {}, none)["hidden2"]
    fan_out = sum(
        np.diff(p.first_synapses()) for p in net.projections.values() if p.source == "hidden2"
    )
    each = load_chip("truenorth").energy["synaptic_event"].value
    np.testing.assert_allclose(price, each * fan_out, rtol=1e-12)
