"""A tape that is kept longer than the step of training that made it."""

from dataclasses import replace

import numpy as np

import eventsim as es
from eventsim.train import method
from tests.support.losses import SpikeTimes
from tests.support.nets import random_stream
from tests.unit.train.task import assert_same_net


def test_tape_of_a_step_that_is_over_knows_nothing_of_its_values(monkeypatch):
    kept = []
    forward = method.Exact.forward

    def keeping(*given, **named):
        done = forward(*given, **named)
        kept.append((given[1], done.tape()))
        return done

    monkeypatch.setattr(method.Exact, "forward", keeping)
    net = es.rsnn(5, (6, 6), 3, seed=1, mean=12.0)
    net.connect("hidden2", "hidden1", np.full((6, 6), 0.2), delays=1.0)  # one loop of both
    stream = random_stream(2, n_samples=8, n_channels=5, duration=60.0)
    data = es.Dataset(stream, np.arange(8) % 3, ("a", "b", "c"))
    config = es.TrainConfig(epochs=2, batch_size=4, backend="cpu", validation_fraction=0.0)
    es.train(net, data, config)
    trained, tape = kept[0]
    assert tape.memo is not None
    loss = SpikeTimes("hidden1", "hidden2")
    found = es.backward(trained, tape, loss).flat()
    expected = es.backward(trained, replace(tape, memo=None), loss).flat()
    assert_same_net(found, expected)
    assert any(np.any(values) for values in expected.values())
