"""TrainConfig: round trip, and errors that name the key."""

import json
import math

import pytest

from eventsim.errors import ParameterError
from eventsim.train import Augmentation, LearningRates, TrainConfig
from eventsim.train.config import with_defaults


def test_config_survives_json():
    config = TrainConfig(
        epochs=3,
        time_constant=math.inf,
        clip_norm=math.inf,
        bip=("tau_mem",),
        rates=LearningRates(weights=0.1),
        augmentation=Augmentation(jitter=2.0, pixel_shift=1, sensor_size=(34, 34, 2)),
    )
    text = json.dumps(config.to_dict(), allow_nan=False)
    assert TrainConfig.from_dict(json.loads(text)) == config


def test_time_constant_follows_the_loss_where_none_is_given():
    assert TrainConfig().loss_time_constant() == 300.0
    assert TrainConfig(loss="first_spike").loss_time_constant() == 10.0
    assert TrainConfig(time_constant=5.0).loss_time_constant() == 5.0


def test_absent_keys_take_their_defaults():
    assert TrainConfig.from_dict({"epochs": 7}) == TrainConfig(epochs=7)


def test_unknown_key_names_the_nearest():
    with pytest.raises(ParameterError, match=r"unknown key 'batchsize'.*mean 'batch_size'"):
        TrainConfig.from_dict({"batchsize": 3})
    with pytest.raises(ParameterError, match=r"TrainConfig, rates: has an unknown key 'tau'"):
        TrainConfig.from_dict({"rates": {"tau": 1.0}})


@pytest.mark.parametrize(
    ("key", "value"),
    [
        ("epochs", 0),
        ("epochs", 2.5),
        ("batch_size", 0),
        ("shards", 0),
        ("shards", 33),
        ("seed", -1),
        ("validation_fraction", 1.0),
        ("loss", "hinge"),
        ("precision", "half"),
        ("time_constant", 0.0),
        ("gain", math.inf),
        ("bip", ["tau"]),
        ("ease_in", -1),
        ("rate_strength", -1.0),
        ("checkpoint_every", -1),
    ],
)
def test_value_out_of_range_names_the_key(key, value):
    with pytest.raises(ParameterError, match=rf"TrainConfig: {key}(\[0\])? is"):
        TrainConfig.from_dict({key: value})


def test_removed_setting_is_read_where_it_had_no_effect():
    assert TrainConfig.from_dict({"units_per_class": 1, "gain": 3.0}) == TrainConfig(gain=3.0)
    with pytest.raises(ParameterError, match="units_per_class is 4, but this setting was removed"):
        TrainConfig.from_dict({"units_per_class": 4})
    now = TrainConfig().to_dict()
    assert with_defaults({**now, "units_per_class": 1}, now) == now
    assert with_defaults({**now, "units_per_class": 4}, now) == {**now, "units_per_class": 4}


def test_value_of_wrong_type_is_a_parameter_error():
    with pytest.raises(ParameterError, match="TrainConfig"):
        TrainConfig.from_dict({"gain": "ten"})
    with pytest.raises(ParameterError, match="TrainConfig"):
        TrainConfig.from_dict({"rates": 3.0})


def test_band_upside_down_raises():
    with pytest.raises(ParameterError, match="0 <= low <= high"):
        TrainConfig(rate_low=5.0, rate_high=1.0)


def test_what_is_trained_follows_the_switches():
    assert TrainConfig(bip=()).trained() == ("weights",)
    assert TrainConfig(bip=("tau_syn",), train_delays=True).trained() == (
        "weights",
        "tau_syn",
        "delays",
    )
