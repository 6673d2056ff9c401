"""Training with a linear decision behind the readout: it learns, resumes, and is refused."""

from dataclasses import replace

import numpy as np
import pytest

import eventsim as es
from eventsim.train import Augmentation, TrainConfig, evaluate, load_network, train
from eventsim.train.counting import count_trained
from eventsim.train.groups import select
from eventsim.train.loss_settings import MaximumLoss
from eventsim.train.optimiser import LearningRates
from tests.unit.train.task import two_patterns

CONFIG = TrainConfig(
    epochs=8,
    batch_size=8,
    validation_fraction=0.0,
    precision="double",
    loss=MaximumLoss(dropout=0.3),
    tail=20.0,
    rates=LearningRates(weights=0.02, taus=0.02, intrinsic=0.01),
    augmentation=Augmentation(jitter=1.0),
)


def network(n_outputs=2):
    return es.convolutional(
        6, (4,), n_outputs, output_maps=6, kernel=(3, 3), forward_delays=(0.0, 20.0), mean=4.0
    )


def test_training_moves_the_decision_and_learns(tmp_path):
    before = network()
    result = train(before, two_patterns(64), CONFIG, tmp_path)
    for key in before.decision.parameters:
        assert (result.net.parameters()[key] != before.parameters()[key]).all(), key
    found = evaluate(result.net, two_patterns(60, seed=1), CONFIG)
    assert found.accuracy > 0.85
    assert found.confusion.shape == (2, 2)
    stored = load_network(tmp_path / "last.npz")
    np.testing.assert_array_equal(stored.decision.weights, result.net.decision.weights)


def test_dropout_matters_in_training_alone(tmp_path):
    data, config = two_patterns(16), replace(CONFIG, epochs=1)
    with_it, without = (
        train(network(), data, replace(config, loss=loss), tmp_path / str(loss.dropout)).net
        for loss in (MaximumLoss(dropout=0.5), MaximumLoss())
    )
    assert (with_it.decision.weights != without.decision.weights).any()
    assert evaluate(without, data, config).loss == pytest.approx(
        evaluate(without, data, replace(config, loss="cross_entropy_maximum")).loss
    )


def test_mixed_labels_have_the_classes_of_the_decision(tmp_path):
    config = replace(CONFIG, epochs=1, augmentation=Augmentation(mix=0.4))
    train(network(n_outputs=3), two_patterns(16), config, tmp_path)


def test_weights_of_the_decision_count_once_each_and_go_with_the_weights():
    net = network()
    assert {"decision.weights", "decision.bias"} <= set(select(net, ["weights"]))
    without = net.copy()
    without.decide(None)
    more = count_trained(net, CONFIG) - count_trained(without, CONFIG)
    assert more == 2 * net.population("output").size + 2
