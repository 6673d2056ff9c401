"""Activity as a term of the loss: its value is the energy that is reported, its direction right."""

from dataclasses import replace

import numpy as np
import pytest

from eventsim.adjoint import backward
from eventsim.chips import load_chip
from eventsim.clocked import Grid
from eventsim.energy import cost, count
from eventsim.engine import simulate
from eventsim.train import ActivityCost, TrainConfig, train
from eventsim.train.activity import PJ_PER_UJ
from tests.unit.train.task import assert_same_net, first_spike_net, small_net, two_patterns

CONFIG = TrainConfig(
    epochs=6, batch_size=8, seed=2, validation_fraction=0.0, rate_strength=0.0, calibrate=0.0
)


@pytest.fixture(scope="module")
def run():
    net = small_net()
    return net, simulate(net, two_patterns(20).stream)


def test_cost_without_a_chip_is_the_synaptic_operations_of_an_inference(run):
    net, tape = run
    loss = ActivityCost(target=10.0)
    done = loss.measure(net, lambda: tape, tape.synaptic_events)
    operations = sum(n.mean() for n in count(net, tape).synaptic_events.values())
    assert loss.cost(done, n_samples=20) == pytest.approx(operations, rel=1e-12)
    assert loss(net, tape)[0] == pytest.approx(1.5 * (operations / 10.0 - 1.0) ** 2, rel=1e-12)


@pytest.mark.parametrize("chip", ["loihi", "truenorth", "45nm_sram"])
def test_cost_on_a_chip_is_the_energy_of_the_report(run, chip):
    net, tape = run
    energy = cost(net, tape, load_chip(chip)).part_pj("spikes", "step") / PJ_PER_UJ
    value, _ = ActivityCost(target=0.0, strength=3.0, chip=chip)(net, tape)
    assert value == pytest.approx(3.0 * energy, rel=1e-12)


def test_below_the_target_nothing_is_penalised(run):
    net, tape = run
    assert ActivityCost(target=1e9)(net, tape) == (0.0, {})
    assert ActivityCost()(net, tape) == (0.0, {})


def test_seeds_follow_the_formula(run):
    net, tape = run
    only = ("hidden1->output",)
    value, seeds = ActivityCost(target=4.0, strength=2.0, only=only)(net, tape)
    per_sample = tape.synaptic_events["hidden1->output"] / 20
    assert value == pytest.approx((per_sample / 4.0 - 1.0) ** 2)
    # Two synapses behind each of the neurons, whose thresholds are 1 above rest.
    by_cost = 2.0 * (per_sample / 4.0 - 1.0) / 4.0
    np.testing.assert_allclose(seeds["hidden1"].voltage, by_cost * 2 / 20)


def test_derivative_by_a_count_is_that_of_the_value(run):
    """One spike more of a neuron, all of whose operations are counted, raises the value so."""
    net, tape = run
    loss, step = ActivityCost(target=50.0, strength=1.0), 1e-3
    done = loss.measure(net, lambda: tape, tape.synaptic_events)
    more = dict(done.operations)
    more["hidden1->hidden1"] += step
    more["hidden1->output"] += 2 * step
    value, slopes = loss.slopes(net, done, 50.0, n_samples=20)
    higher, _ = loss.slopes(net, replace(done, operations=more), 50.0, n_samples=20)
    np.testing.assert_allclose(slopes["hidden1"], (higher - value) / step, rtol=1e-5)


@pytest.mark.parametrize("chip", ["", "loihi"])
def test_descent_on_the_pseudo_gradient_lowers_the_cost(chip):
    net, stream = small_net(), two_patterns(20).stream
    loss, values = ActivityCost(target=0.0, chip=chip), []
    for _ in range(5):
        tape = simulate(net, stream)
        values.append(loss(net, tape)[0])
        gradients = backward(net, tape, loss).flat()
        weights, direction = (
            net.projections["input->hidden1"].weights,
            gradients["input->hidden1.weights"],
        )
        weights -= 0.05 * direction / np.abs(direction).max()
    assert values == sorted(values, reverse=True)
    assert values[-1] < values[0]


def test_target_falls_from_the_first_epoch_to_its_value():
    loss = ActivityCost(target=10.0, end=0.5)
    assert loss.target_at(0.0, None) is None
    assert loss.target_at(0.25, 90.0) == pytest.approx(30.0)
    assert loss.target_at(0.25, 5.0) == 10.0
    assert loss.target_at(0.5, 90.0) == loss.target_at(1.0, None) == 10.0
    assert ActivityCost(target=10.0, end=0.0).target_at(0.0, None) == 10.0
    assert ActivityCost(target=0.0).target_at(0.0, None) == 0.0


@pytest.mark.thorough("trains for seconds")
def test_training_to_a_target_reaches_it_and_logs_it():
    only = ("hidden1->output", "hidden1->hidden1")
    config = replace(CONFIG, epochs=30, activity=ActivityCost(target=60.0, only=only))
    plain = train(small_net(), two_patterns(60), replace(config, activity=ActivityCost()))
    found = train(small_net(), two_patterns(60), config)
    assert plain.last["synaptic_events_per_sample"] > 280.0
    assert 30.0 < found.last["activity_per_sample"] < 70.0
    assert "activity_per_sample" not in plain.last


def test_energy_is_logged_with_a_chip_alone_and_changes_nothing():
    data = two_patterns(24)
    plain = train(small_net(), data, replace(CONFIG, epochs=1))
    found = train(small_net(), data, replace(CONFIG, epochs=1, activity=ActivityCost(chip="loihi")))
    assert found.last["energy_pj_per_sample"] > 0.0
    assert_same_net(found.net, plain.net)


def test_spiking_outputs_have_a_price_too():
    net = first_spike_net()
    tape = simulate(net, two_patterns(20).stream)
    loss = ActivityCost(target=0.0, chip="loihi_sanafe", only=("output",))
    _, seeds = loss(net, tape)
    assert (seeds["output"].voltage > 0.0).all()


def test_activity_is_penalised_on_a_grid_too():
    config = replace(CONFIG, epochs=2, bip=(), activity=ActivityCost(target=100.0, end=0.0))
    found = train(small_net(), two_patterns(16), config, method=Grid())
    assert found.last["penalty"] > 0.0
    assert found.last["activity_per_sample"] > 100.0


def test_settings_are_read_where_the_chip_is_not():
    assert TrainConfig(activity=ActivityCost(chip="elsewhere.toml")).activity.chip
