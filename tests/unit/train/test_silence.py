"""Silent populations: scaled before a run, told during it, and when neither happens."""

import json
import logging
from dataclasses import replace

import numpy as np
import pytest

import eventsim as es
from eventsim.clocked import Grid
from eventsim.errors import StorageError
from eventsim.events.transforms import extend
from eventsim.train import TrainConfig, evaluate, load_network, train
from eventsim.train import calibration as room
from eventsim.train.silence import silent_populations
from tests.support.nets import moved
from tests.unit.train.task import Stop, assert_same_net, small_net, stop_at, two_patterns

CONFIG = TrainConfig(
    epochs=2, batch_size=16, validation_fraction=0.0, silent_lift=0.0, rate_strength=0.0, bip=()
)
OFF = replace(CONFIG, calibrate=0.0)


@pytest.fixture
def data():
    return two_patterns(48)


def quiet_net():
    """Its neurons receive a thousandth of what makes them fire."""
    net = small_net()
    net.projections["input->hidden1"].values[...] *= 1e-3
    return net


def logged(caplog):
    return [record.getMessage() for record in caplog.records if record.levelno >= logging.WARNING]


@pytest.mark.parametrize(
    ("rates", "silent"),
    [
        (np.full(10, 0.1), False),
        (np.full(10, 0.099), True),
        (np.eye(10)[0] * 50.0, False),  # nine of ten
        (np.eye(11)[0] * 50.0, True),  # ten of eleven
        (0.1, False),
        (0.099, True),
    ],
)
def test_borders_of_silence(rates, silent):
    found = silent_populations({"loud": np.ones(3), "p": rates})
    populations = [one.population for one in found]
    assert populations == ["p"] * silent


def test_the_warning_names_population_rate_and_remedy():
    (found,) = silent_populations({"hidden1": np.array([0.0, 0.0, 0.0, 0.12])})
    assert (found.rate, found.fraction) == (0.03, 0.75)
    text = str(found)
    for part in ("'hidden1' is silent", "fire 0.03 times", "75% of them never", "es.calibrate("):
        assert part in text


def late(data, shift=37250.0):
    return replace(data, stream=moved(data.stream, shift))


def test_recordings_that_begin_late_make_no_population_silent(data, caplog):
    """It fires 0.07 times per second of recording, and as often as before for the events."""
    net, moved = small_net(), late(data, 60000.0)
    found = evaluate(net, moved, CONFIG)
    assert found.rates["hidden1"].mean() < 0.1
    assert found.silent == ()
    assert found.late.first_event_ms == pytest.approx(60000.0, abs=5.0)
    assert [text[:26] for text in logged(caplog)] == ["The recordings begin late:"]
    assert evaluate(net, data, CONFIG).late is None
    assert [one.population for one in evaluate(quiet_net(), moved, CONFIG).silent] == ["hidden1"]


def test_training_on_late_recordings_says_so_once_and_keeps_it(data, caplog, tmp_path):
    result = train(small_net(), late(data), CONFIG, tmp_path / "run")
    (text,) = logged(caplog)
    assert json.loads((tmp_path / "run" / "run.json").read_text())["late_begin"]["text"] == text
    assert not any("silent" in line for line in result.history)
    train(small_net(), late(data), replace(CONFIG, epochs=3), tmp_path / "run", resume=True)
    assert json.loads((tmp_path / "run" / "run.json").read_text())["late_begin"]["text"] == text
    caplog.clear()
    onset = replace(CONFIG, loss=replace(CONFIG.loss, onset="first_event"))
    train(small_net(), late(data), onset, tmp_path / "onset")
    (text,) = logged(caplog)
    assert "such as rates, counts silence" in text
    assert json.loads((tmp_path / "onset" / "run.json").read_text())["late_begin"]["text"] == text


@pytest.mark.parametrize("validation", [0.0, 0.25])
def test_a_silent_population_is_logged_once_and_noted_in_every_epoch(data, caplog, validation):
    config, told = replace(OFF, validation_fraction=validation), []
    result = train(quiet_net(), data, config, callback=told.append)
    assert [line["silent"] for line in result.history] == [["hidden1"], ["hidden1"]]
    (text,) = logged(caplog)
    assert text.startswith("epoch 1: population 'hidden1' is silent")
    assert told[-1].metrics["silent"] == ["hidden1"]


def test_a_silent_population_is_scaled_before_training_and_it_is_said(data, caplog, tmp_path):
    net = quiet_net()
    result = train(net, data, CONFIG, tmp_path)
    (text,) = logged(caplog)
    assert text.startswith("calibrate: 'hidden1': incoming weights times ")
    assert all("silent" not in line for line in result.history)
    (done,) = json.loads((tmp_path / "run.json").read_text())["calibrated"]
    assert done["populations"] == ["hidden1"]
    assert (done["before"], done["after"]) == (0.0, pytest.approx(10.0, rel=0.25))  # few spikes
    looked_at = min(32, CONFIG.batch_size, len(data))
    assert (done["recordings"], done["recordings_in_all"]) == (looked_at, len(data))
    assert_same_net(load_network(tmp_path / "initial.npz"), net)
    assert_same_net(net, quiet_net())
    by_hand = quiet_net()
    by_hand.projections["input->hidden1"].values[...] *= done["factor"]
    assert_same_net(result.net, train(by_hand, data, OFF).net)


def test_a_network_that_fires_enough_is_trained_as_it_is(data, caplog, tmp_path):
    """No matter how much: only silence hides from gradients."""
    for gain in (1.0, 20.0):
        net = small_net()
        net.projections["input->hidden1"].values[...] *= gain
        assert_same_net(
            train(net, data, CONFIG, tmp_path / f"{gain}").net, train(net, data, OFF).net
        )
        assert "calibrated" not in json.loads((tmp_path / f"{gain}/run.json").read_text())
    assert logged(caplog) == []


@pytest.mark.parametrize(("rate", "scaled"), [(1.1, False), (0.9, True)])
def test_populations_below_a_tenth_of_the_target_are_scaled(data, rate, scaled):
    once = es.calibrate(small_net(), data.stream[:32], target_hz=5.0)
    before = room.scale(
        once.copy(), data.stream[:32], 5.0, backend="cpu", precision="double", refuse=print
    )[0].before
    config = replace(CONFIG, batch_size=32, precision="double", calibrate=10.0 * before / rate)
    (found,) = room.wake(once, data.subset(slice(32)).stream, config, log=False) or [None]
    assert (found is not None) == scaled


def test_a_network_for_a_grid_is_scaled_too(data):
    result = train(quiet_net(), data, CONFIG, method=Grid(dt=1.0))
    assert result.history[0]["rates"]["hidden1"] > 2.0
    without = train(quiet_net(), data, OFF, method=Grid(dt=1.0))
    assert without.history[0]["rates"]["hidden1"] == 0.0


def test_what_cannot_be_woken_is_said_and_trained_as_it_is(data, caplog):
    net = quiet_net()
    weights = net.projections["input->hidden1"].values
    weights[...] = -abs(weights)
    result = train(net, data, replace(CONFIG, epochs=1))
    assert "no source with spikes excites it" in logged(caplog)[0]
    assert_same_net(result.net, train(net, data, replace(OFF, epochs=1)).net)


def test_data_without_events_and_networks_without_spikes_are_trained(data, caplog):
    empty = replace(data, stream=es.EventStream([], [], [0] * 49, n_channels=6, duration=60.0))
    train(quiet_net(), empty, replace(CONFIG, epochs=1))
    assert "no events in 16 recordings" in logged(caplog)[0]
    caplog.clear()
    train(es.scsr(6, (), 2), data, replace(CONFIG, epochs=1))
    assert logged(caplog) == []


def test_not_more_recordings_are_run_than_a_batch_has(data, monkeypatch):
    seen, begin_course = [], room.begin_course

    def note(net, stream, **options):
        seen.append((stream.n_samples, stream.times[0]))
        return begin_course(net, stream, **options)

    monkeypatch.setattr(room, "begin_course", note)
    long = replace(data, stream=extend(data.stream, 5.0))
    for batch_size in (4, 40):
        room.wake(quiet_net(), long.stream, replace(CONFIG, batch_size=batch_size), log=False)
    assert [n for n, _ in seen] == [4, 32]


def test_a_resumed_run_is_not_scaled_again_and_keeps_its_bits(data, tmp_path, monkeypatch):
    whole = train(quiet_net(), data, CONFIG, tmp_path / "whole")
    stopped = tmp_path / "stopped"
    with pytest.raises(Stop):
        train(quiet_net(), data, CONFIG, stopped, callback=stop_at(2, 1))
    monkeypatch.setattr(room, "scale", None)
    with pytest.raises(StorageError, match="calibrate is 10.0 there, 0.0 now"):
        train(quiet_net(), data, OFF, stopped, resume=True)
    assert_same_net(train(quiet_net(), data, CONFIG, stopped, resume=True).net, whole.net)
    assert json.loads((stopped / "run.json").read_text())["calibrated"]
