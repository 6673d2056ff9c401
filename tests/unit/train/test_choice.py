"""Every loss that TrainConfig names trains a network, and every term is one of its keys."""

from dataclasses import replace

import numpy as np
import pytest

from eventsim.engine import simulate
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
