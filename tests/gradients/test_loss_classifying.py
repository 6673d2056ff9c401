"""Losses on voltages, counts and target trains by their formulas."""

import numpy as np
import pytest

import eventsim as es
from eventsim.adjoint import SpikeSeed
from eventsim.train import ClassTrains, SpikeCount, VanRossum, VoltageCrossEntropy
from eventsim.train.softmax import smoothed
from eventsim.train.spiking import regular_trains
from tests.support.nets import random_net, random_stream

STREAM = random_stream(101, n_samples=3, duration=70.0)
LABELS = np.array([2, 0, 1])
SHARES = smoothed(LABELS, 3, smoothing=0.3)


def test_logits_are_gain_times_the_largest_or_last_voltage():
    net = random_net(103)
    tape = es.simulate(net, STREAM, backend="cpu")
    for sample, end in enumerate(STREAM.duration):
        trace = es.voltage(net, tape, "output", np.linspace(0.0, end, 3001))[sample]
        top = VoltageCrossEntropy(LABELS, gain=3.0).logits(net, tape)[sample]
        np.testing.assert_allclose(top, 3.0 * trace.max(axis=0), atol=3e-3)
        last = VoltageCrossEntropy(LABELS, at="last", gain=3.0).logits(net, tape)[sample]
        np.testing.assert_allclose(last, 3.0 * trace[-1], rtol=1e-12)


def test_class_trains_are_van_rossum_distances_to_their_targets():
    net = random_net(104)
    tape = es.simulate(net, STREAM, backend="cpu")
    size = net.populations["hidden2"].size
    loss = ClassTrains(LABELS, population="hidden2", rate=80.0, time_constant=6.0)
    regular = regular_trains(STREAM.duration, size, rate=80.0)
    value, seeds = loss(net, tape)
    targets = [regular_of(label, regular) for label in LABELS]
    expected, slopes = 0.0, np.zeros(len(tape["hidden2"]))
    sample = np.repeat(np.arange(3), np.diff(tape["hidden2"].offsets))
    for k, (target, label) in enumerate(zip(targets, LABELS, strict=True)):
        found = VanRossum(target, population="hidden2", time_constant=6.0)
        distance, by_time = found.distance(tape)
        share = np.where(np.arange(size) == label, 1.0, 1.0 / (size - 1)) / 3
        expected += (share * distance[k]).sum()
        mine = sample == k
        slopes[mine] = (share[tape["hidden2"].neurons] * by_time)[mine]
    assert value == pytest.approx(expected)
    np.testing.assert_allclose(seeds["hidden2"].time, slopes, atol=1e-12)
    # The class whose target lies nearest, by trying all of them.
    tried = [
        VanRossum(regular_of(c, regular), population="hidden2", time_constant=6.0).distance(tape)[0]
        for c in range(size)
    ]
    nearest = np.argmin([d.sum(axis=1) for d in tried], axis=0)
    np.testing.assert_array_equal(loss.predictions(net, tape), nearest)


def regular_of(neuron, regular):
    mine = regular.neurons == neuron
    before = np.concatenate([[0], np.cumsum(mine)])
    return es.events.SpikeTrains(
        regular.times[mine], regular.neurons[mine], before[regular.offsets], regular.size
    )


def test_regular_trains_lie_inside_their_samples():
    trains = regular_trains(np.array([100.0, 4.0, 25.0]), 2, rate=50.0)
    assert trains.offsets.tolist() == [0, 10, 10, 12]
    assert trains.times.tolist() == [10, 10, 30, 30, 50, 50, 70, 70, 90, 90, 10, 10]
    assert trains.neurons.tolist() == [0, 1] * 6
    trains.map(np.asarray)


def test_spike_count_follows_its_formula():
    net = random_net(105)
    tape = es.simulate(net, STREAM, backend="cpu")
    loss = SpikeCount(LABELS, population="hidden2", time_constant=5.0, gain=8.0)
    counts, p = tape["hidden2"].counts(), net.populations["hidden2"]
    z = 8.0 * 5.0 * counts / STREAM.duration[:, None]
    np.testing.assert_allclose(loss.logits(net, tape), z)
    share = np.exp(z) / np.exp(z).sum(axis=1, keepdims=True)
    value, seeds = loss(net, tape)
    assert value == pytest.approx(-np.log(share[np.arange(3), LABELS]).mean())
    assert isinstance(seeds["hidden2"], SpikeSeed)
    by_count = (share - np.eye(p.size)[LABELS]) / 3 * 40.0 / STREAM.duration[:, None]
    expected = by_count / (p.threshold - p.v_leak)
    sample = np.repeat(np.arange(3), np.diff(tape["hidden2"].offsets))
    np.testing.assert_allclose(seeds["hidden2"].voltage, expected[sample, tape["hidden2"].neurons])


def test_descent_on_spike_counts_raises_the_right_count():
    net = random_net(106)
    loss = SpikeCount(LABELS, population="hidden2", miss_margin=1.0)
    before = loss(net, es.simulate(net, STREAM, backend="cpu"))[0]
    for _ in range(15):
        tape = es.simulate(net, STREAM, backend="cpu")
        found = es.backward(net, tape, loss).flat()
        for key, values in net.parameters().items():
            if key.endswith("hidden2.weights"):
                values -= 0.3 * found[key]
    after = loss(net, es.simulate(net, STREAM, backend="cpu"))[0]
    assert after < 0.8 * before
