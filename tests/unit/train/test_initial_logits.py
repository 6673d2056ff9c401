"""A new run begins with logits whose spread over the classes is known, and says what it did."""

import json
import logging
from dataclasses import replace

import numpy as np
import pytest
from scipy.integrate import trapezoid

import eventsim as es
from eventsim.clocked import Grid
from eventsim.errors import StorageError
from eventsim.train import TrainConfig, train
from eventsim.train import calibration as room
from eventsim.train.loss_settings import FirstSpikeLoss, MaximumLoss, WordsLoss
from tests.unit.train import task

CONFIG = TrainConfig(
    epochs=2, batch_size=16, validation_fraction=0.0, precision="double", calibrate=0.0
)
OFF = replace(CONFIG, initial_logits=0.0)


@pytest.fixture
def data():
    return task.two_patterns(48)


def loud_net():
    net = task.small_net()
    net.projections["hidden1->output"].values[...] *= 50.0
    return net


def spread(net, data, config=CONFIG):
    """The integral of the readout's voltage by a sum over fine steps, spread over the classes."""
    times = np.linspace(0.0, 60.0, 6001)
    weight = np.exp(-times / config.loss.time_constant)
    voltages = es.voltage(net, es.simulate(net, data.stream), "output", times)
    heard = trapezoid(voltages * weight[:, np.newaxis], times, axis=1)
    logits = heard / trapezoid(weight, times)
    return float((config.loss.gain * logits).std(axis=1).mean())


def test_the_spread_is_the_goal_by_an_independent_integral(data):
    few, net = data.subset(slice(6)), loud_net()
    assert spread(net, few) > 5.0
    done = room.calm(net, few, CONFIG, log=False)
    assert spread(net, few) == pytest.approx(1.0, rel=1e-4)
    assert done.after == pytest.approx(1.0)
    assert done.before == pytest.approx(spread(loud_net(), few), rel=1e-4)


def test_only_weights_into_the_readout_change_and_it_is_said(data, caplog, tmp_path):
    caplog.set_level(logging.INFO)
    result = train(loud_net(), data, CONFIG, tmp_path)
    assert "initial_logits: weights behind the logits times 0.0" in caplog.text
    done = json.loads((tmp_path / "run.json").read_text())["initial_logits"]
    looked_at = min(32, CONFIG.batch_size, len(data))
    assert (done["recordings"], done["recordings_in_all"]) == (looked_at, len(data))
    by_hand = loud_net()
    by_hand.projections["hidden1->output"].values[...] *= done["factor"]
    task.assert_same_net(result.net, train(by_hand, data, OFF).net)
    task.assert_same_net(es.Network.load(tmp_path / "initial.npz"), loud_net())
    assert abs(result.history[0]["loss"] - np.log(2.0)) < 1.0


def test_logits_that_are_near_enough_stay(data, tmp_path):
    net = task.small_net()
    net.projections["hidden1->output"].values[...] *= 0.1
    task.assert_same_net(train(net, data, CONFIG, tmp_path).net, train(net, data, OFF).net)
    assert "initial_logits" not in json.loads((tmp_path / "run.json").read_text())


def test_of_a_decision_its_own_weights_are_scaled(data):
    net = loud_net()
    net.decide("output", 30.0 * np.eye(2))
    before = {key: values.copy() for key, values in net.parameters().items()}
    done = room.calm(net, data, replace(CONFIG, loss=MaximumLoss()), log=False)
    for key, values in net.parameters().items():
        factor = done.factor if key == "decision.weights" else 1.0
        np.testing.assert_array_equal(values, before[key] * factor, err_msg=key)
    assert done.after == pytest.approx(1.0)


def test_losses_of_spikes_leave_the_network(data):
    config = replace(CONFIG, loss=FirstSpikeLoss())
    assert room.calm(task.first_spike_net(), data, config, log=False) is None


def strings_net(*, blank=0.0):
    """For the two words of the data, and a blank."""
    rng, net = np.random.default_rng(7), loud_net()
    small = net.projections["hidden1->output"].values
    new = es.Network()
    new.add_input("input", 6)
    new.add_population("hidden1", 8, tau_mem=12.0, tau_syn=5.0)
    new.add_readout("output", 3, tau_mem=20.0, tau_syn=5.0, v_leak=[0.0, 0.0, blank])
    new.connect("input", "hidden1", net.projections["input->hidden1"].values.reshape(6, 8))
    weights = np.column_stack([small.reshape(8, 2), 20.0 * rng.normal(0.0, 0.4, 8)])
    new.connect("hidden1", "output", weights)
    return new


def test_frames_of_strings_begin_as_blanks(data):
    few, config = data.subset(slice(12)), replace(CONFIG, loss=WordsLoss(interval=4.0, gain=10.0))
    done = room.calm(net := strings_net(), few, config, log=False)
    assert done.after == pytest.approx(1.0)
    times = 4.0 * np.arange(1, 16)
    logits = 10.0 * es.voltage(net, es.simulate(net, few.stream), "output", times)
    rest = net.readouts["output"].v_leak
    # One word in 15 frames of 4 ms: its logits leave it that share, and the blank all others.
    assert np.exp(10.0 * rest[:2]).sum() / np.exp(10.0 * rest).sum() == pytest.approx(1 / 15)
    assert (logits - 10.0 * rest).std(axis=2).mean() == pytest.approx(1.0, rel=1e-6)
    assert done.blank == rest[-1]
    assert str(done).endswith(f"; the blank rests at {rest[-1]:.3g}")


@pytest.mark.parametrize("size", [4.0, 1e-4])
def test_a_decision_on_strings_begins_as_blanks(data, size):
    # Also where its logits are near each other already.
    net, config = strings_net(), replace(CONFIG, loss=WordsLoss(interval=4.0))
    net.decide("output", size * np.random.default_rng(8).normal(size=(3, 3)))
    done = room.calm(net, data.subset(slice(12)), config, log=False)
    assert done.after == pytest.approx(min(done.before, 1.0))
    assert (done.factor < 1.0) == (size > 1.0)
    bias = net.decision.bias
    assert np.exp(bias[:2]).sum() / np.exp(bias).sum() == pytest.approx(1 / 15)
    assert done.blank == bias[-1]


def test_a_blank_that_rests_higher_or_shares_its_rest_stays(data):
    config = replace(CONFIG, loss=WordsLoss(interval=4.0, gain=10.0))
    assert room.calm(high := strings_net(blank=2.0), data, config, log=False).blank is None
    assert high.readouts["output"].v_leak[-1] == 2.0
    shared = strings_net()
    shared.share("output.v_leak", [0, 0, 0])
    assert room.calm(shared, data, config, log=False).blank is None
    assert not shared.readouts["output"].v_leak.any()
    shared.decide("output", 100.0 * np.eye(3))
    shared.share("decision.bias", [0, 0, 0])
    assert room.calm(shared, data, config, log=False).blank is None
    assert not shared.decision.bias.any()


def test_no_events_and_no_recordings_leave_the_network(data):
    empty = replace(data, stream=es.EventStream([], [], [0] * 49, n_channels=6, duration=60.0))
    for given in (empty, data.subset(slice(0))):
        assert room.calm(loud_net(), given, CONFIG, log=False) is None


def test_a_network_for_a_grid_is_scaled_too(data):
    config = replace(CONFIG, epochs=1, bip=())
    losses = [
        train(loud_net(), data, one, method=Grid(dt=1.0)).history[0]["loss"]
        for one in (config, replace(config, initial_logits=0.0))
    ]
    assert losses[0] < 1.5 < losses[1]


def test_a_resumed_run_is_not_scaled_again(data, tmp_path, monkeypatch):
    whole = train(loud_net(), data, CONFIG)
    with pytest.raises(task.Stop):
        train(loud_net(), data, CONFIG, tmp_path, callback=task.stop_at(2, 1))
    monkeypatch.setattr(room, "_spread", None)
    with pytest.raises(StorageError, match="initial_logits is 1.0 there, 0.0 now"):
        train(loud_net(), data, OFF, tmp_path, resume=True)
    task.assert_same_net(train(loud_net(), data, CONFIG, tmp_path, resume=True).net, whole.net)
    assert json.loads((tmp_path / "run.json").read_text())["initial_logits"]
