r"""Losses on the number of output spikes, and on target trains of classes.

**SpikeCount.** Every spike of output neuron :math:`c` counts for :math:`\tau` ms; over a sample of
length :math:`T` the logit is the mean of that trace times a gain,

.. math::
    z_c = g\, N_c\, \tau / T, \qquad L = -\log \mathrm{softmax}(z)_y .

A count is piecewise constant, so this has no exact gradient. The derivative by the count is laid
on the voltage just before every spike, as if one spike more were one threshold
(:math:`\vartheta - E`) more of voltage, the same convention as :class:`eventsim.train.RateBand`:

.. math::
    \frac{\partial L}{\partial V^-} := \frac{1}{\vartheta_c - E_c}\,
        (p_c - y_c)\, \frac{g\, \tau}{T} .

**ClassTrains.** The van Rossum distance (:class:`eventsim.train.VanRossum`) to a target that says
the class: the neuron of the class fires regularly, at :math:`(k + \tfrac12) / r` for a rate
:math:`r`, the others not at all. With the distances :math:`D^{on}_c` and :math:`D^{off}_c` of
neuron :math:`c` to a regular and to an empty train

.. math::
    L = D^{on}_y + \frac{1}{n - 1} \sum_{c \ne y} D^{off}_c, \qquad z_c = D^{off}_c - D^{on}_c,

for :math:`n` neurons. Without the weight, silence of all neurons would be nearly the best answer
for many classes. The largest logit names the class whose target lies nearest. The gradient by spike
times is exact.

A neuron without a spike gets no gradient from either, unless ``miss_margin`` is given: then near
misses do, see :mod:`eventsim.train.near_miss`. One more spike at :math:`t` changes SpikeCount by
its derivative, and ClassTrains by

.. math:: \Delta = \tfrac12 - [c = y] \sum_k e^{-|t - t_k|/\tau},

weighted as the distance.

An unwanted spike has no useful gradient either: alone it costs 1/2 at any time. So with
``miss_margin`` ClassTrains also pushes down the voltage before every spike :math:`i` without which
the distance would be smaller, by :math:`\max(\Delta_i, 0) / (\vartheta - E)`, where
:math:`\Delta_i` is what the distance has from that spike being there.
"""

from dataclasses import KW_ONLY, dataclass

import numpy as np
from numpy.typing import NDArray

from eventsim.adjoint import Seeds, SpikeSeed
from eventsim.arrays import Array, Floats, Ints, beside, namespace, owners, to_host
from eventsim.checks import in_domain
from eventsim.entries import Above0
from eventsim.events import SpikeTape, SpikeTrains
from eventsim.network import Network
from eventsim.train.losses import VanRossum
from eventsim.train.near_miss import check_margin, with_misses
from eventsim.train.regularise import voltage_of_spike
from eventsim.train.softmax import (
    AbstractClassifier,
    Classified,
    check_labels,
    softmax_loss,
)

MS_PER_S = 1000.0


@dataclass(frozen=True, eq=False)
class SpikeCount(AbstractClassifier):
    r"""Softmax cross-entropy on spike counts; a pseudo-gradient, see the module.

    Parameters
    ----------
    labels
        As :class:`eventsim.train.CrossEntropy`.
    population
        Name of the spiking population that answers.
    time_constant
        :math:`\tau` in ms, > 0.
    gain
        :math:`g`, > 0: trace to logit.
    miss_margin
        Of near misses, in thresholds above rest; None for none.
    """

    labels: Ints | Floats
    _: KW_ONLY
    population: str = "output"
    time_constant: float = 10.0
    gain: float = 20.0
    miss_margin: float | None = None

    def __post_init__(self) -> None:
        in_domain("SpikeCount", "time_constant", self.time_constant, Above0)
        in_domain("SpikeCount", "gain", self.gain, Above0)
        check_margin("SpikeCount", self.miss_margin)

    def logits(self, net: Network, tape: SpikeTape) -> Floats:
        """Logits, shape [samples, classes]. New array."""
        tape.require_all("SpikeCount")
        counts = tape[self.population].counts()
        logits: Floats = counts * self._per_spike(tape)
        return logits

    def classify(self, net: Network, tape: SpikeTape) -> Classified:
        """Value, seeds and logits in one pass."""
        trains, p = tape[self.population], net.population(self.population)
        logits = self.logits(net, tape)
        value, d_logits = softmax_loss(logits, self.labels, "SpikeCount")
        by_count = d_logits * self._per_spike(tape)
        reach = beside(voltage_of_spike(p), by_count)
        voltage = (by_count / reach).ravel()[trains.train_numbers()]
        seeds: Seeds = {self.population: SpikeSeed(voltage=voltage)}
        seeds = with_misses(
            seeds, net, tape, self.population, lambda _: by_count, margin=self.miss_margin
        )
        return Classified(value, seeds, logits)

    def _per_spike(self, tape: SpikeTape) -> Floats:
        """Share of one spike in its logit, [samples, 1]."""
        duration = beside(tape.stream.duration, tape[self.population].times)
        unit: Floats = (self.gain * self.time_constant / duration)[:, None]
        return unit


@dataclass(frozen=True, eq=False)
class ClassTrains(AbstractClassifier):
    r"""Van Rossum distance to the target trains of classes; see the module.

    Parameters
    ----------
    labels
        Shape [samples], the neuron that should fire.
    population
        Name of the spiking population that answers.
    time_constant
        :math:`\tau` in ms, > 0.
    rate
        :math:`r` in Hz, > 0, of the neuron of the class.
    miss_margin
        Of near misses, in thresholds above rest; None for exact gradients alone.
    """

    labels: Ints
    _: KW_ONLY
    population: str = "output"
    time_constant: float = 30.0
    rate: float = 50.0
    miss_margin: float | None = None

    def __post_init__(self) -> None:
        in_domain("ClassTrains", "time_constant", self.time_constant, Above0)
        in_domain("ClassTrains", "rate", self.rate, Above0)
        check_margin("ClassTrains", self.miss_margin)

    def logits(self, net: Network, tape: SpikeTape) -> Floats:
        """Distance of every neuron from silence minus that from regular firing. New array."""
        (on, _, _), (off, _, _) = self._distances(tape)
        return off - on

    def classify(self, net: Network, tape: SpikeTape) -> Classified:
        """Value, seeds and logits in one pass."""
        trains = tape[self.population]
        wanted = self._wanted(trains)
        (on, by_on, with_on), (off, by_off, with_off) = self._distances(tape)
        xp, n_samples = namespace(on), trains.n_samples
        wanted_on = xp.asarray(wanted)
        weight = xp.where(wanted_on, 1.0, 1.0 / max(trains.size - 1, 1)) / n_samples
        value = float((weight * xp.where(wanted_on, on, off)).sum())
        number = trains.train_numbers()
        of_class, own = wanted_on.ravel()[number], weight.ravel()[number]
        time = own * xp.where(of_class, by_on, by_off)
        voltage = None
        if self.miss_margin is not None:
            p, neurons = net.population(self.population), trains.neurons
            unwanted = own * xp.maximum(xp.where(of_class, with_on, with_off), 0.0)
            voltage = unwanted / beside(voltage_of_spike(p), on)[neurons]
        seeds: Seeds = {self.population: SpikeSeed(time=time, voltage=voltage)}

        def effect(times: Array) -> Array:
            near = _nearness(times, tape.stream.duration, self.rate, self.time_constant)
            return weight * (0.5 - xp.where(wanted_on, near, 0.0))

        seeds = with_misses(seeds, net, tape, self.population, effect, margin=self.miss_margin)
        return Classified(value, seeds, off - on)

    def _wanted(self, trains: SpikeTrains) -> NDArray[np.bool_]:
        """Whether a neuron is that of the sample's class, [samples, size]; NumPy."""
        labels, size = to_host(self.labels), trains.size
        check_labels(labels, (trains.n_samples, size), "ClassTrains")
        wanted: NDArray[np.bool_] = np.arange(size) == labels[:, None]
        return wanted

    def _distances(
        self, tape: SpikeTape
    ) -> tuple[tuple[Floats, Floats, Floats], tuple[Floats, Floats, Floats]]:
        """As :meth:`VanRossum.parts`, to the regular trains and to silence."""
        tape.require_all("ClassTrains")
        trains, duration = tape[self.population], tape.stream.duration
        regular = regular_trains(duration, trains.size, rate=self.rate)
        empty = SpikeTrains(
            np.zeros(0), np.zeros(0, np.int32), np.zeros(duration.size + 1, np.int64), trains.size
        )
        on, off = (
            VanRossum(targets, population=self.population, time_constant=self.time_constant).parts(
                tape
            )
            for targets in (regular, empty)
        )
        return on, off


def regular_trains(duration: Floats, size: int, *, rate: float) -> SpikeTrains:
    """Trains of neurons that all fire at ``(k + 1/2) / rate`` (Hz) in ``duration`` ms; NumPy."""
    interval = MS_PER_S / rate
    counts = np.maximum(np.ceil(duration / interval - 0.5), 0.0).astype(np.int64)
    first = np.concatenate([[0], np.cumsum(counts)])
    time = (np.arange(first[-1]) - first[owners(first, int(first[-1]))] + 0.5) * interval
    return SpikeTrains(
        np.repeat(time, size),
        np.tile(np.arange(size, dtype=np.int32), time.size),
        (first * size).astype(np.int64),
        size,
    )


def _nearness(times: Array, duration: Floats, rate: float, tau: float) -> Array:
    """Sum of ``exp(-|t - t_k| / tau)`` over the regular train of every sample, as ``times``."""
    xp, interval = namespace(times), MS_PER_S / rate
    n = int(np.ceil(float(duration.max(initial=0.0)) / interval))
    target = (xp.arange(n) + 0.5) * interval
    there = target < xp.asarray(duration)[:, None, None]
    return xp.where(there, xp.exp(-abs(times[:, :, None] - target) / tau), 0.0).sum(axis=2)
