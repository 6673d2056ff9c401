"""Losses for tests.

Those for gradients are smooth, and blind to how the spikes happen to be ordered: coefficients
belong to (sample, neuron, how many-eth spike), not to a place in the tape: two neurons that swap
their order must not make the loss jump.
"""

import math

import numpy as np

import eventsim as es
from eventsim.arrays import owners
from eventsim.train import (
    CTC,
    ClassTrains,
    FirstSpike,
    NearMiss,
    RateBand,
    SpikeCount,
    SumOfLosses,
    VoltageCrossEntropy,
)
from eventsim.train.softmax import smoothed


def ranks(spikes):
    """``(sample, how many-eth spike of its neuron in its sample)`` of every spike."""
    sample = np.repeat(np.arange(spikes.offsets.size - 1), np.diff(spikes.offsets))
    rank = np.zeros(spikes.times.size, dtype=int)
    seen = {}
    for k, key in enumerate(zip(sample, spikes.neurons, strict=True)):
        rank[k] = seen.get(key, 0)
        seen[key] = rank[k] + 1
    return sample, rank


def coefficients(spikes, phase):
    """Fixed numbers of order one, one per spike."""
    sample, rank = ranks(spikes)
    return np.cos(phase + 1.7 * sample + 2.3 * spikes.neurons + 0.9 * rank)


class SpikeTimes:
    """Sum of c t + b sin(t / 9) over the spikes of the given populations."""

    def __init__(self, *names):
        self.names = names

    def __call__(self, net, tape):
        """The loss and dL/dt per spike."""
        terms, seeds = [], {}
        for index, name in enumerate(self.names):
            spikes = tape[name]
            c = coefficients(spikes, 0.3 + index)
            b = coefficients(spikes, 1.1 - index)
            terms += list(c * spikes.times + b * np.sin(spikes.times / 9.0))
            seeds[name] = c + b * np.cos(spikes.times / 9.0) / 9.0
        return math.fsum(terms), seeds


class Sums:
    """A loss that is a sum over spikes and over time, and so over chunks."""

    def __init__(self, net, n_samples):
        rng = np.random.default_rng(5)
        shapes = {name: (n_samples, p.size) for name, p in net.readouts.items()}
        self.by_integral = {name: rng.normal(size=shape) for name, shape in shapes.items()}

    def __call__(self, net, tape):
        value, seeds = 0.0, {}
        for name, trains in tape.trains.items():
            phase = owners(trains.offsets, len(trains)) + 2.3 * trains.neurons + trains.times / 9.0
            value += np.sin(phase).sum()
            seeds[name] = es.SpikeSeed(np.cos(phase) / 9.0, 0.1 * np.sin(2.0 * phase))
        for name, weights in self.by_integral.items():
            value += (weights * es.readout_integral(net, tape, name, time_constant=70.0)).sum()
            seeds[name] = es.ReadoutSeed(70.0, weights)
        return value, seeds


class Readout:
    """Sum of a u + u^2 / 50 over the integrals u of the readout."""

    def __init__(self, time_constant, name="output"):
        self.time_constant, self.name = time_constant, name

    def __call__(self, net, tape):
        """The loss and dL/du."""
        u = es.readout_integral(net, tape, self.name, time_constant=self.time_constant)
        sample, neuron = np.indices(u.shape)
        a = np.cos(0.7 + 1.3 * sample + 2.1 * neuron)
        loss = math.fsum((a * u + u**2 / 50.0).ravel())
        integral = a + u / 25.0
        return loss, {self.name: es.ReadoutSeed(self.time_constant, integral)}


class Sum:
    """Sum of losses over different populations."""

    def __init__(self, *losses):
        self.losses = losses

    def __call__(self, net, tape):
        """The summed loss and all seeds."""
        total, seeds = 0.0, {}
        for loss in self.losses:
            value, own = loss(net, tape)
            total += value
            seeds |= own
        return total, seeds


# Classes of three samples, of three.
LABELS = np.array([0, 2, 1])


def all_losses(name):
    """Losses of LABELS that between them use everything; ``name`` is a spiking population."""
    return SumOfLosses(
        (
            (1.0, VoltageCrossEntropy(LABELS)),
            (0.5, VoltageCrossEntropy(smoothed(LABELS, 3, smoothing=0.2), at="last")),
            (0.3, CTC([(0,), (1, 0), ()], interval=9.0)),
            (1.0, SpikeCount(LABELS, population=name, miss_margin=3.0)),
            (0.2, ClassTrains(LABELS, population=name, miss_margin=3.0)),
            (0.1, FirstSpike(LABELS, population=name, miss_margin=3.0)),
            (2.0, NearMiss(1.0, margin=3.0)),
            (1.0, RateBand(10.0, 20.0, strength=0.1)),
        )
    )
