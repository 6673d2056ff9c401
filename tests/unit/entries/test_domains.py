"""Every class of settings refuses a value outside its domain, by its own name and the field's."""

from math import inf, nan

import pytest

from eventsim.chips.chip import Formats
from eventsim.datasets import encoders
from eventsim.datasets.spoken_digits import SpeechRecipe
from eventsim.errors import ParameterError
from eventsim.train import Augmentation, SpiKL, TrainConfig
from eventsim.train.activity import ActivityCost
from eventsim.train.optimiser import AdamSettings, LearningRates
from eventsim.train.quantised import QuantisedTraining
from eventsim.train.sparse import SparseTraining

CAMERA = {"sensor_size": (4, 4, 2)}
# By class and field: values that are refused, each given alone.
REFUSED = {
    encoders.Bsa: {"threshold": [0.0], "scale": [inf], "hold": [0], "limit": [0]},
    encoders.GammatoneBank: {
        "n_channels": [0], "frequency_min": [9000.0], "order": [0], "compression": [0.0],
        "decimation": [0],
    },
    encoders.LyonEar: {
        "decimation": [0], "ear_q": [0.5], "step_factor": [-1.0], "tau_factor": [inf]
    },
    encoders.IntegrateAndFire: {
        "gain": [0.0], "leak": [-1.0], "refractory": [-1.0], "mismatch": [nan], "seed": [-1]
    },
    encoders.CochleaEncoder: {
        "n_channels": [0], "frequency_min": [-1.0], "frequency_max": [50.0], "filter_order": [0],
        "inhibition_width": [4], "compression": [0.0], "gain": [inf], "floor": [-0.1],
        "refractory": [nan], "emphasis": [1.0], "mismatch": [-0.1],
    },
    encoders.DeltaModulation: {"delta": [0.0]},
    SpeechRecipe: {
        "train_voices": [0], "test_voices": [16], "accents": [9], "seed": [-1],
        "sample_rate": [3999], "equaliser": [-1.0], "noise": [inf],
    },
    Augmentation: {
        "drop": [1.0], "jitter": [-1.0], "time_scale": [nan], "channel_shift": [1.5],
        "sensor_size": [(4, 0, 2)],
    },
    ActivityCost: {"target": [-1]},
    SpiKL: {"tau_mem": [-1.0], "mean_rate": [0.0]},
    SparseTraining: {"sparsity": [1.0], "interval": [0], "fan_in": [0], "scope": ["layer"]},
    QuantisedTraining: {"bits": [0]},
    LearningRates: {"taus": [-1.0]},
    AdamSettings: {"weight_decay": [-1.0], "clip_norm": [0.0], "max_delay": [0.0, -1.0, nan]},
    TrainConfig: {"max_delay": [0.0, -1.0, nan], "averaged": [-0.1, 1.0, nan]},
    Formats: {"weight_bits": [0]},
}  # fmt: skip
CASES = [
    (kind, name, value)
    for kind, fields in REFUSED.items()
    for name, values in fields.items()
    for value in values
]


@pytest.mark.parametrize(
    ("kind", "name", "value"), CASES, ids=[f"{k.__name__}-{n}-{v}" for k, n, v in CASES]
)
def test_value_outside_its_domain_is_refused_by_class_and_field(kind, name, value):
    with pytest.raises(ParameterError, match=rf"^{kind.__name__}: .*{name}"):
        kind(**{name: value})


@pytest.mark.parametrize(
    ("name", "given"),
    [
        ("pixel_shift", {"pixel_shift": 1.5, **CAMERA}),
        ("pixel_scale", {"pixel_scale": -0.1, **CAMERA}),
        ("sensor_size", {"sensor_size": (), "pixel_shift": 1}),
        ("sensor_size", {"sensor_size": (4, 4), "pixel_shift": 1}),
        ("sensor_size", {"sensor_size": (), "pixel_turn": 5.0}),
    ],
)
def test_moves_of_pixels_need_a_sensor_and_amounts_that_can_be(name, given):
    with pytest.raises(ParameterError, match=f"Augmentation: {name} is"):
        Augmentation(**given)
