"""Every loss that TrainConfig names trains a network, and every term is one of its keys."""

from dataclasses import replace

import numpy as np
import pytest

from eventsim.engine import simulate
from eventsim.errors import NetworkError, ParameterError
from eventsim.network import scsr
from eventsim.train import (
    Augmentation,
    ClassTrains,
    SpikeCount,
    TrainConfig,
    VoltageCrossEntropy,
    evaluate,
    train,
)
from eventsim.train.choice import make_loss
from eventsim.train.loss_settings import LOSSES, LastLoss, SpikeTrainLoss
from tests.support.tiers import beyond
from tests.unit.train.task import first_spike_net, small_net, two_patterns

CONFIG = TrainConfig(epochs=8, batch_size=8, validation_fraction=0.0, precision="double")
LABELS = np.array([0, 1])


@pytest.mark.parametrize(
    ("loss", "more"), [("cross_entropy_maximum", {}), ("cross_entropy_last", {})]
)
def test_training_with_the_loss_learns_two_patterns(loss, more, tmp_path):
    config = replace(CONFIG, loss=loss, **more)
    result = train(small_net(), two_patterns(64), config, tmp_path)
    tested = evaluate(result.net, two_patterns(60, seed=1), config)
    assert tested.accuracy > 0.85
    assert tested.label_error_rate is None


def test_training_by_largest_voltages_with_shares_of_classes_learns_two_patterns(tmp_path):
    config = replace(
        CONFIG,
        loss="cross_entropy_maximum",
        epochs=20,
        label_smoothing=0.1,
        augmentation=Augmentation(mix=0.2),
    )
    net = scsr(6, (8,), 2, output_delays=(0.0, 10.0), mean=4.0, spread=4.0)
    result = train(net, two_patterns(64), config, tmp_path)
    tested = evaluate(result.net, two_patterns(60, seed=1), config)
    assert tested.accuracy > 0.85
    assert tested.confusion.shape == (2, 2)


@pytest.mark.thorough("trains for seconds")
@pytest.mark.parametrize(
    "loss",
    beyond(
        1,
        ["spike_count", "first_spike"],
        pytest.mark.nightly("3 s; its gradient by misses is in tests/gradients/test_every_loss.py"),
    ),
)
def test_output_that_learns_from_missed_spikes_learns_more(loss, tmp_path):
    def accuracy(*, missed):
        config = replace(CONFIG, loss=LOSSES[loss](missed_outputs=missed), epochs=25)
        net = train(first_spike_net(seed=1), two_patterns(64), config, tmp_path / str(missed)).net
        return evaluate(net, two_patterns(60, seed=1), config).accuracy

    assert accuracy(missed=True) > max(0.75, accuracy(missed=False) + 0.1)


def test_terms_together_train_and_do_not_depend_on_the_number_of_shards_beyond_rounding(tmp_path):
    terms = {
        "near_miss_strength": 0.5,
        "near_miss_margin": 2.0,
        "label_smoothing": 0.1,
        "rate_low": 5.0,
        "rate_strength": 1e-3,
        "augmentation": Augmentation(noise=5.0, crop=50.0, mix=0.3, jitter=1.0),
    }
    net, data = small_net(), two_patterns(24)
    net.populations["hidden1"].threshold[:3] = 4.0
    runs = [
        train(net, data, replace(CONFIG, epochs=1, shards=shards, **terms), tmp_path / str(shards))
        for shards in (1, 3)
    ]
    for key, values in runs[0].net.parameters().items():
        np.testing.assert_allclose(runs[1].net.parameters()[key], values, rtol=1e-6, atol=1e-8)
    assert runs[0].last["penalty"] == pytest.approx(runs[1].last["penalty"], rel=1e-9)
    assert runs[0].last["penalty"] > 0.0


def test_near_misses_wake_neurons_that_nothing_else_reaches(tmp_path):
    def silent_after(**more):
        net = small_net()
        net.populations["hidden1"].threshold[:4] = 6.0
        config = replace(CONFIG, epochs=6, silent_lift=0.0, **more)
        trained = train(net, two_patterns(48), config, tmp_path / str(len(more))).net
        counts = simulate(trained, two_patterns(48).stream)["hidden1"].total_counts()
        return int((counts[:4] == 0).sum())

    assert silent_after(near_miss_strength=5.0, near_miss_margin=1.0) < silent_after()


def test_config_names_the_loss_and_its_settings():
    loss = make_loss(replace(CONFIG, loss=LastLoss(gain=3.0)), LABELS)
    assert isinstance(loss, VoltageCrossEntropy)
    assert (loss.at, loss.gain) == ("last", 3.0)
    loss = make_loss(replace(CONFIG, loss="cross_entropy_maximum"), LABELS)
    assert isinstance(loss, VoltageCrossEntropy)
    assert loss.at == "maximum"
    config = replace(CONFIG, loss="spike_count", near_miss_margin=0.7)
    counts = make_loss(config, LABELS)
    assert isinstance(counts, SpikeCount)
    assert (counts.miss_margin, counts.time_constant) == (0.7, 10.0)
    trains = make_loss(replace(CONFIG, loss=SpikeTrainLoss(rate=80.0)), LABELS)
    assert isinstance(trains, ClassTrains)
    assert (trains.rate, trains.miss_margin, trains.time_constant) == (80.0, 1.0, 30.0)


@pytest.mark.parametrize(
    ("values", "message"),
    [
        ({"label_smoothing": 1.0}, "label_smoothing is 1.0"),
        ({"label_smoothing": 0.1, "loss": "ctc"}, "takes no shares of classes"),
        ({"loss": "van_rossum", "augmentation": {"mix": 0.2}}, "augmentation.mix is 0.2"),
        ({"near_miss_margin": 0.0}, "near_miss_margin is 0.0"),
        ({"near_miss_strength": -1.0}, "near_miss_strength is -1.0"),
        ({"loss": "van_rossum", "target_rate": 0.0}, "rate is 0.0"),
        ({"units_per_class": 2}, "units_per_class is 2, but this setting was removed"),
        ({"loss": "ctc", "frame_interval": float("inf")}, "interval is inf"),
    ],
)
def test_settings_that_cannot_be_are_refused(values, message):
    with pytest.raises(ParameterError, match=message):
        TrainConfig.from_dict(values)


def test_output_of_the_wrong_kind_is_refused(tmp_path):
    for loss, net in (("spike_count", small_net()), ("cross_entropy_last", first_spike_net())):
        with pytest.raises(NetworkError, match="expects a population of kind"):
            train(net, two_patterns(8), replace(CONFIG, loss=loss), tmp_path)
