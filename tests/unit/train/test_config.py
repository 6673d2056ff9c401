"""TrainConfig: round trip, and errors that name the key."""

import json
import math

import pytest

from eventsim.entries import schema
from eventsim.network.answer import VALUES
from eventsim.train import (
    ActivityCost,
    Augmentation,
    LearningRates,
    QuantisedTraining,
    SparseTraining,
    SpiKL,
    TrainConfig,
)  # fmt: skip
from eventsim.train.config import with_defaults
from eventsim.train.loss_settings import LOSSES, FirstSpikeLoss, IntegralLoss, SpikeCountLoss

TERMS = {
    "sparse": SparseTraining(sparsity=0.5, fan_in=3),
    "quantise": QuantisedTraining(chip="loihi", bits=4, begin=0.25),
    "activity": ActivityCost(target=2.0, chip="loihi", only=("hidden1->output",)),
    "spikl": SpiKL(resistance=0.05, mean_rate=60.0),
}


@pytest.mark.parametrize("name", TERMS)
def test_terms_survive_json_and_are_off_in_runs_from_before_them(name):
    config = TrainConfig(bip=("threshold",), **{name: TERMS[name]})
    assert TrainConfig.from_dict(json.loads(json.dumps(config.to_dict()))) == config
    older = config.to_dict()
    del older[name]
    assert getattr(TrainConfig.from_dict(older), name) == type(TERMS[name])()


def test_config_survives_json():
    config = TrainConfig(
        epochs=3,
        loss=IntegralLoss(time_constant=math.inf),
        clip_norm=math.inf,
        bip=("tau_mem",),
        rates=LearningRates(weights=0.1),
        augmentation=Augmentation(jitter=2.0, pixel_shift=1, sensor_size=(34, 34, 2)),
    )
    text = json.dumps(config.to_dict(), allow_nan=False)
    assert TrainConfig.from_dict(json.loads(text)) == config


def test_time_constant_follows_the_loss_where_none_is_given():
    assert TrainConfig().loss.time_constant == 300.0
    assert TrainConfig(loss="first_spike").loss.time_constant == 10.0
    assert TrainConfig.from_dict({"loss": "first_spike", "time_constant": None}).loss == (
        FirstSpikeLoss()
    )
    assert TrainConfig.from_dict({"time_constant": 5.0}).loss == IntegralLoss(time_constant=5.0)


@pytest.mark.parametrize("kind", [kind for kind in LOSSES if LOSSES[kind].rule is not None])
def test_defaults_of_a_loss_are_those_of_its_answer(kind):
    loss = LOSSES[kind]()
    assert {key: getattr(loss, key) for key in VALUES[loss.rule]} == VALUES[loss.rule]
    assert TrainConfig(loss=kind) == TrainConfig(loss=loss) == TrainConfig.from_dict({"loss": kind})


def test_flat_keys_are_those_of_the_loss():
    flat = {
        "loss": "spike_count",
        "time_constant": 4.0,
        "gain": 3.0,
        "decision_dropout": 0.0,
        "target_rate": 50.0,
        "frame_interval": 10.0,
        "missed_outputs": False,
    }
    loss = SpikeCountLoss(time_constant=4.0, gain=3.0, missed_outputs=False)
    config = TrainConfig(loss=loss)
    assert TrainConfig.from_dict(flat) == config
    now = config.to_dict()
    assert TrainConfig.from_dict(now) == config
    assert with_defaults(flat, now) == with_defaults({"loss": now["loss"]}, now) == now
    # A flat key goes before what the loss has.
    assert TrainConfig.from_dict(now | {"gain": 9.0}).loss.gain == 9.0
    assert (
        TrainConfig.from_dict({"loss": {"kind": "ctc"}, "frame_interval": 2.0}).loss.interval == 2
    )


def test_schema_of_a_loss_is_a_name_or_a_table():
    name, table = schema(TrainConfig)["properties"]["loss"]["anyOf"]
    assert name["enum"] == list(LOSSES)
    assert table["discriminator"]["mapping"].keys() == LOSSES.keys()


def test_absent_keys_take_their_defaults():
    assert TrainConfig.from_dict({"epochs": 7}) == TrainConfig(epochs=7)


def test_what_is_trained_follows_the_switches():
    assert TrainConfig(bip=()).trained() == ("weights",)
    assert TrainConfig(bip=("tau_syn",), train_delays=True).trained() == (
        "weights",
        "tau_syn",
        "delays",
    )
