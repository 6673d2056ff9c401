"""evaluate: its numbers against a count by hand."""

import numpy as np
import pytest

from eventsim.engine import simulate
from eventsim.train import CrossEntropy, TrainConfig, evaluate
from tests.unit.train.task import DURATION, small_net, two_patterns

CONFIG = TrainConfig(batch_size=5, precision="double", time_constant=40.0)


def test_evaluation_agrees_with_one_batch_by_hand():
    net, data = small_net(), two_patterns(12)
    result = evaluate(net, data, CONFIG)
    tape = simulate(net, data.stream, precision="double")
    loss = CrossEntropy(data.labels, time_constant=40.0, gain=CONFIG.gain)
    predicted = loss.predictions(net, tape)
    assert result.loss == pytest.approx(loss(net, tape)[0], rel=1e-12)
    assert result.accuracy == np.mean(predicted == data.labels)
    for true in range(2):
        for guess in range(2):
            count = np.sum((data.labels == true) & (predicted == guess))
            assert result.confusion[true, guess] == count
    rates = tape["hidden1"].counts().sum(axis=0) / (12 * DURATION / 1000.0)
    np.testing.assert_allclose(result.rates["hidden1"], rates)
    for name, number in tape.synaptic_events.items():
        assert result.synaptic_events[name] == pytest.approx(number / 12)
    assert result.n_samples == 12
