"""evaluate: its numbers against a count by hand."""

from dataclasses import replace

import numpy as np
import pytest

import eventsim as es
from eventsim.clocked import Grid
from eventsim.engine import simulate
from eventsim.events.transforms import extend
from eventsim.train import CrossEntropy, LabelledEvents, TrainConfig, evaluate, train
from eventsim.train.loss_settings import IntegralLoss
from tests.unit.train.task import DURATION, small_net, two_patterns

CONFIG = TrainConfig(batch_size=5, precision="double", loss=IntegralLoss(time_constant=40.0))


def test_evaluation_agrees_with_one_batch_by_hand():
    net, data = small_net(), two_patterns(12)
    result = evaluate(net, data, CONFIG)
    tape = simulate(net, data.stream, precision="double")
    loss = CrossEntropy(data.labels, time_constant=40.0, gain=CONFIG.loss.gain)
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


def longer(data, time):
    return LabelledEvents(extend(data.stream, time), data.labels, data.class_names)


def test_tail_is_silence_after_every_recording():
    net = es.scsr(6, (8,), 2, forward_delays=(10.0, 30.0))
    data = two_patterns(12)
    tailed = replace(CONFIG, tail=25.0)
    whole, cut = evaluate(net, longer(data, 25.0), CONFIG), evaluate(net, data, CONFIG)
    found = evaluate(net, data, tailed)
    assert found.loss == whole.loss != cut.loss
    assert dict(found.synaptic_events) == dict(whole.synaptic_events)
    # Spikes and time of one window: as one counts who simulates the recordings and their tail.
    tape = es.simulate(net, data.stream, tail=25.0)
    counted = es.energy.count(net, tape).rates["hidden1"]
    assert found.rates["hidden1"].mean() == pytest.approx(counted)
    np.testing.assert_allclose(found.rates["hidden1"], whole.rates["hidden1"])

    steps = [
        evaluate(net, d, c, method=Grid()).neuron_updates
        for d, c in ((data, tailed), (longer(data, 25.0), CONFIG))
    ]
    assert steps[0] == steps[1]
    assert found.neuron_updates is None


def test_training_hears_the_tail(tmp_path):
    net, data = small_net(), two_patterns(8)
    config = replace(CONFIG, epochs=2, validation_fraction=0.25, rate_strength=0.0)
    one = train(net, data, replace(config, tail=15.0), tmp_path / "tail").net.parameters()
    two = train(net, longer(data, 15.0), config, tmp_path / "longer").net.parameters()
    assert all(np.array_equal(one[key], two[key]) for key in one)


def test_of_very_many_classes_there_is_no_confusion_matrix():
    data = two_patterns(8)
    names = (*data.class_names, *(f"class {k}" for k in range(99)))
    net = es.scsr(6, (8,), len(names))
    many = evaluate(net, LabelledEvents(data.stream, data.labels, names), CONFIG)
    assert many.confusion.shape == (0, 0)
    assert 0 <= many.accuracy <= 1
    few = evaluate(net, LabelledEvents(data.stream, data.labels, names[:100]), CONFIG)
    assert few.confusion.sum() == 8
