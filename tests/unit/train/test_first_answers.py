"""Where a network begins that is fitted to values: no farther off than without any weights."""

import logging

import numpy as np
import pytest

import eventsim as es
from eventsim.events import Dataset
from eventsim.events.targets import Values
from eventsim.train.calibration import calm
from eventsim.train.loss_settings import ValuesLoss
from tests.support.nets import one_layer
from tests.unit.train.task import assert_same_net

N, TIMES, UNIT = 16, np.array([20.0, 40.0]), (2.0, 0.5)
LOSS = ValuesLoss(scale=UNIT)


def data():
    rng = np.random.default_rng(0)
    offsets = np.arange(N + 1) * 20
    times = np.concatenate([np.sort(rng.uniform(0.0, 40.0, 20)) for _ in range(N)])
    stream = es.EventStream(
        times, rng.integers(0, 4, times.size), offsets, n_channels=4, duration=40.0
    )
    values = rng.normal((5.0, -1.0), UNIT, (N, 2, 2))
    values[0, 1, 0] = np.nan
    targets = Values(values, np.tile(TIMES, (N, 1)), ("a", "b"))
    return Dataset(stream, np.zeros(N, int), ("0",), targets=targets)


def network(spread):
    """A network whose readout rests at the mean of the targets."""
    rng = np.random.default_rng(1)
    net = one_layer("hidden", rng.normal(2.0, 1.0, (4, 6)))
    net.add_readout("output", 2, v_leak=[5.0, -1.0])
    net.connect("hidden", "output", rng.normal(0.0, spread, (6, 2)))
    net.connect("input", "output", rng.normal(0.0, spread, (4, 2)))
    return net


def distances(net, given):
    """Root mean squares by voltages of the reference: answers and targets from rest, the error."""
    tape = es.simulate(net, given.stream, backend="reference")
    answers = es.voltage(net, tape, "output", TIMES).reshape(N, 2, 2)
    rest, wanted = net.population("output").v_leak, given.targets.values
    there = ~np.isnan(wanted)
    return [
        np.sqrt(np.mean(((one / UNIT)[there]) ** 2))
        for one in (answers - rest, wanted - rest, answers - wanted)
    ]


def config(**other):
    return es.TrainConfig(loss=LOSS, batch_size=N, backend="cpu", precision="double", **other)


@pytest.mark.parametrize("goal", [1.0, 0.5])
def test_answers_come_to_the_distance_of_the_targets_and_spikes_stay(goal, caplog):
    net, given = network(20.0), data()
    before = distances(net, given)
    spikes = es.simulate(net, given.stream)["hidden"].times
    assert before[2] > before[1]
    with caplog.at_level(logging.INFO, logger="eventsim"):
        done = calm(net, given, config(initial_logits=goal), log=True)
    after = distances(net, given)
    assert after[0] == pytest.approx(goal * before[1], rel=1e-6)
    assert (done.before, done.after) == pytest.approx((before[0], after[0]), rel=1e-6)
    assert done.targets == pytest.approx(before[1], rel=1e-12)
    assert "units of the loss from its resting voltage" in caplog.text
    np.testing.assert_array_equal(es.simulate(net, given.stream)["hidden"].times, spikes)


def test_a_network_that_was_fitted_and_a_goal_of_0_leave_every_bit():
    given = data()
    how = config(epochs=150, validation_fraction=0.0, weight_decay=0.0)
    fitted = es.train.train(network(20.0), given, how).net
    _, targets, error = distances(fitted, given)
    assert error < targets  # so that it knows something
    for net, goal in ((fitted, 1.0), (network(20.0), 0.0)):
        before = {key: values.copy() for key, values in net.parameters().items()}
        assert calm(net, given, config(initial_logits=goal), log=False) is None
        assert_same_net(before, net.parameters())


def test_regress_starts_from_the_network_that_it_got():
    """Its first loss, mean before each step, is that of the network as it is."""
    net, given = network(20.0), data()
    loss = es.train.MeanSquaredError(given.targets.values, TIMES, scale=UNIT)
    plain = es.train.RegressionConfig(epochs=1, batch_size=N, backend="cpu", precision="double")
    first = es.train.regress(net, given.stream, loss, plain).history[0]["loss"]
    assert first == pytest.approx(distances(net, given)[2] ** 2, rel=1e-6)
