r"""Losses on readout voltages, first spikes and whole spike trains, each in closed form.

A loss is called as ``loss(net, tape)`` and returns its value and the seeds that
:func:`eventsim.adjoint.backward` starts from. All values are means over the samples. Seeds and
other arrays are where the tape's are.

**CrossEntropy.** Over a sample of length :math:`T` the logit of class :math:`c` is the weighted
mean of its readout's voltage times a gain :math:`g`,

.. math::
    z_c = \frac{g}{W} \int_0^T e^{-t/T_w}\, V_c(t)\, dt, \qquad
    W = \int_0^T e^{-t/T_w}\, dt = T_w\,(1 - e^{-T/T_w}),

so that the scale of the logits depends on neither :math:`T` nor :math:`T_w`
(:math:`T_w = \infty` gives the plain mean). With :math:`p = \mathrm{softmax}(z)` and the one-hot
label :math:`y`, :math:`L = -\log p_y` and :math:`\partial L / \partial z = p - y`. With an onset
:math:`t_0` both integrals begin there, and the weight is :math:`e^{-(t-t_0)/T_w}`; see
:mod:`eventsim.train.onset`.

**FirstSpike.** The same with :math:`z_c = -t_c / \tau`, where :math:`t_c` is the first spike of
neuron :math:`c`. A neuron without a spike counts as firing at :math:`T`, and gets no gradient,
unless ``miss_margin`` is given: then near misses do (:mod:`eventsim.train.near_miss`), whose spike
at :math:`t` would change the loss by :math:`\Delta = \ln(1 - p_c + p_c e^{\delta}) - \delta\, y_c`,
:math:`\delta = (T - t) / \tau`. The softmax knows only differences of times. A second term pulls
the spike of the right neuron :math:`y` forward, so that the neuron does not fall silent:
:math:`\alpha\,(e^{t_y / \tau_1} - 1)` with ``late_strength`` :math:`\alpha`; it changes
:math:`\Delta` by :math:`\alpha\, y_c\, (e^{t/\tau_1} - e^{T/\tau_1})`.

**VanRossum.** With :math:`f(t) = \sum_k e^{-(t-t_k)/\tau} H(t-t_k)` for the actual train and
:math:`g` likewise for the target,

.. math::
    D = \frac{1}{\tau} \int_0^\infty (f - g)^2\, dt
      = \frac12 \sum_{i,k} s_i s_k\, e^{-|t_i - t_k|/\tau},

where the sum runs over the merged train and :math:`s = +1` for an actual, :math:`-1` for a target
spike. With :math:`A_i = \sum_{t_k < t_i} s_k e^{-(t_i-t_k)/\tau}` from earlier and :math:`B_i`
likewise from later spikes

.. math::
    D = \tfrac12 \sum_i s_i^2 + \sum_i s_i A_i, \qquad
    \frac{\partial D}{\partial t_i} = \frac{s_i}{\tau} (B_i - A_i).

At an actual spike exactly at a target spike :math:`D` has a kink; this pair contributes
nothing to the gradient. One superfluous or missing spike alone costs 1/2.

References
----------
Van Rossum (2001), A novel spike distance, Neural Comput. 13:751, equation (2.4), there with
the factor 1/2 for a single spike as here.
Wunderlich and Pehle (2021), Sci. Rep. 11:12829, equation (10) for the first-spike loss.
"""

from dataclasses import KW_ONLY, dataclass

import numpy as np

from eventsim.adjoint import Loss, ReadoutSeed, Seed, Seeds, SpikeSeed, merge_seeds
from eventsim.arrays import Array, Floats, Ints, beside, counts_of, namespace
from eventsim.checks import in_domain
from eventsim.engine import get_backend, readout_integral
from eventsim.engine.contract.backend import sum_by
from eventsim.entries import Above0, NotNegative
from eventsim.errors import ShapeError
from eventsim.events import SpikeTape, SpikeTrains
from eventsim.network import Network
from eventsim.network.answer import Onset
from eventsim.train import softmax
from eventsim.train.near_miss import check_margin, with_misses
from eventsim.train.onset import check_onset, onsets, time_after

TINY, EPSILON = float(np.finfo(np.float64).tiny), float(np.finfo(np.float64).eps)


@dataclass(frozen=True, eq=False)
class CrossEntropy(softmax.AbstractClassifier):
    """Softmax cross-entropy on the weighted mean voltage of a readout; see the module.

    Parameters
    ----------
    labels
        Shape [samples], the class of every sample: the index of its readout neuron; or shares of
        classes, see :func:`eventsim.train.softmax.softmax_loss`.
    readout
        Name of the readout population.
    time_constant
        :math:`T_w` in ms, > 0, may be infinite.
    gain
        :math:`g`, > 0: voltage to logit.
    onset
        :math:`t_0` in ms, >= 0, or ``first_event``; 0 for the start of the recording.

    Raises
    ------
    ParameterError, ShapeError
        At once, or at the call if labels or onset do not fit the tape.
    """

    labels: Ints | Floats
    _: KW_ONLY
    readout: str = "output"
    time_constant: float = np.inf
    gain: float = 20.0
    onset: Onset = 0.0

    def __post_init__(self) -> None:
        in_domain("CrossEntropy", "time_constant", self.time_constant, Above0)
        in_domain("CrossEntropy", "gain", self.gain, Above0)
        check_onset("CrossEntropy", self.onset)

    def logits(self, net: Network, tape: SpikeTape) -> Floats:
        """Logits, shape [samples, classes]. New array."""
        return self._logits(net, tape, self._begin(tape))

    def classify(self, net: Network, tape: SpikeTape) -> softmax.Classified:
        """Value, seeds and logits in one pass."""
        begin = self._begin(tape)
        logits = self._logits(net, tape, begin)
        value, d_logits = softmax.softmax_loss(logits, self.labels, "CrossEntropy")
        integral = d_logits * self._scale(tape, begin, d_logits)
        seed = ReadoutSeed(time_constant=self.time_constant, integral=integral, begin=begin)
        return softmax.Classified(value, {self.readout: seed}, logits)

    def _logits(self, net: Network, tape: SpikeTape, begin: Floats | None) -> Floats:
        constant = self.time_constant
        integral = readout_integral(net, tape, self.readout, time_constant=constant, begin=begin)
        scaled: Floats = integral * self._scale(tape, begin, integral)
        return scaled

    def _begin(self, tape: SpikeTape) -> Floats | None:
        """Onset of every sample, ms [samples]; None for the start."""
        return onsets(tape.stream, self.onset, "CrossEntropy")

    def _scale(self, tape: SpikeTape, begin: Floats | None, like: Floats) -> Floats:
        """From integral to logit, [samples, 1], where ``like`` is."""
        weight = time_after(tape.stream.duration, begin, self.time_constant)
        scale: Floats = beside((self.gain / weight)[:, np.newaxis], like)
        return scale


@dataclass(frozen=True, eq=False)
class FirstSpike(softmax.AbstractClassifier):
    r"""Softmax cross-entropy on first-spike times; see the module.

    Parameters
    ----------
    labels
        Shape [samples], the neuron that should fire first; or shares, as :class:`CrossEntropy`.
    population
        Name of the spiking population that decides.
    time_constant
        :math:`\tau` in ms, > 0: the lead in time that counts.
    miss_margin
        Of near misses, in thresholds above rest; None for none.
    late_strength
        :math:`\alpha` >= 0: strength of the second term, for late spikes of the right neuron; 0 for
        none.
    late_time_constant
        :math:`\tau_1` in ms, > 0: not much shorter than the recordings, since the cost grows
        e-fold in it.
    """

    labels: Ints | Floats
    _: KW_ONLY
    population: str = "output"
    time_constant: float = 10.0
    miss_margin: float | None = None
    late_strength: float = 0.0
    late_time_constant: float = 6.4

    def __post_init__(self) -> None:
        in_domain("FirstSpike", "time_constant", self.time_constant, Above0)
        check_margin("FirstSpike", self.miss_margin)
        in_domain("FirstSpike", "late_strength", self.late_strength, NotNegative)
        in_domain("FirstSpike", "late_time_constant", self.late_time_constant, Above0)

    def logits(self, net: Network, tape: SpikeTape) -> Floats:
        """Logits, shape [samples, neurons]. New array."""
        return self._first(tape)[0] / -self.time_constant

    def classify(self, net: Network, tape: SpikeTape) -> softmax.Classified:
        """Value, seeds and logits in one pass."""
        times, spike, entry = self._first(tape)
        xp, logits = namespace(times), times / -self.time_constant
        value, d_logits = softmax.softmax_loss(logits, self.labels, "FirstSpike")
        n_samples = logits.shape[0]
        y = xp.asarray(softmax.shares_of(self.labels, logits.shape, "FirstSpike"))
        late = self._late(times, y)
        d_times = late / self.late_time_constant - d_logits / self.time_constant
        d_time = xp.zeros(len(tape[self.population]))
        d_time[spike] = d_times.ravel()[entry]
        seeds: Seeds = {self.population: SpikeSeed(time=d_time)}

        def effect(times: Array) -> Array:
            sooner = -times / self.time_constant - logits
            # Where p rounds to 0 or 1 its logarithms have no use, only a limit.
            p = xp.clip(softmax.softmax(logits), TINY, 1.0 - EPSILON)
            change = (xp.logaddexp(xp.log1p(-p), xp.log(p) + sooner) - y * sooner) / n_samples
            return change + self._late(times, y) - late

        seeds = with_misses(seeds, net, tape, self.population, effect, margin=self.miss_margin)
        return softmax.Classified(value + late.sum() - self.late_strength, seeds, logits)

    def _late(self, times: Array, y: Array) -> Array:
        """Cost of lateness of right spikes at these times, the strength not subtracted."""
        xp, strength = namespace(y), self.late_strength
        right = xp.where(y > 0.0, times, 0.0) if strength else xp.zeros(y.shape)
        return strength * y * xp.exp(right / self.late_time_constant) / y.shape[0]

    def _first(self, tape: SpikeTape) -> tuple[Floats, Ints, Ints]:
        """First times [samples, size], the spikes that set them, and their flat entries."""
        tape.require_all("FirstSpike")
        trains = tape[self.population]
        xp = namespace(trains.times)
        # Spikes ascend in time, so the first entry that unique finds is the earliest.
        entry, spike = xp.unique(trains.train_numbers(), return_index=True)
        times = xp.repeat(xp.asarray(tape.stream.duration), trains.size)
        times[entry] = trains.times[spike]
        return times.reshape(-1, trains.size), spike, entry


@dataclass(frozen=True, eq=False)
class VanRossum:
    r"""Squared van Rossum distance to target trains, summed over neurons; see the module.

    Parameters
    ----------
    targets
        Wanted spikes, of as many samples and neurons as ``population`` will have.
    population
        Name of the spiking population.
    time_constant
        :math:`\tau` in ms, > 0.

    Notes
    -----
    Costs O(n log n) for n spikes in all, actual and wanted. Neither train is cut off at the
    sample's end: the kernel's tail counts in full.
    """

    targets: SpikeTrains
    _: KW_ONLY
    population: str
    time_constant: float = 10.0

    def __post_init__(self) -> None:
        in_domain("VanRossum", "time_constant", self.time_constant, Above0)

    def __call__(self, net: Network, tape: SpikeTape) -> tuple[float, Seeds]:
        """Value and seeds."""
        value, gradient = self.distance(tape)
        n_samples = tape.stream.n_samples
        seed = SpikeSeed(time=gradient / n_samples)
        return float(value.sum() / n_samples), {self.population: seed}

    def distance(self, tape: SpikeTape) -> tuple[Floats, Floats]:
        """Distance per train [samples, size], and its derivative by every actual spike."""
        value, gradient, _ = self.parts(tape)
        return value, gradient

    def parts(self, tape: SpikeTape) -> tuple[Floats, Floats, Floats]:
        """As :meth:`distance`, and the change of the distance by each actual spike."""
        tape.require_all("VanRossum")
        actual, targets = tape[self.population], self.targets
        if (actual.n_samples, actual.size) != (targets.n_samples, targets.size):
            raise ShapeError(
                "VanRossum",
                f"targets have {targets.n_samples} samples of {targets.size} neurons",
                f"{actual.n_samples} of {actual.size} as in population {self.population!r}",
                "Select the batch's samples from the targets too.",
            )
        xp = namespace(actual.times)
        targets = targets.map(lambda values: beside(values, actual.times))
        train = xp.concatenate([actual.train_numbers(), targets.train_numbers()])
        times = xp.concatenate([actual.times, targets.times])
        sign = xp.concatenate([xp.ones(len(actual)), -xp.ones(len(targets))])
        order = xp.lexsort(xp.stack([times, train.astype(np.float64)]))
        train, times, sign = train[order], times[order], sign[order]

        # Simultaneous spikes of one train act as one of their summed sign.
        new = xp.ones(times.size, dtype=bool)
        new[1:] = (train[1:] != train[:-1]) | (times[1:] != times[:-1])
        group = xp.cumsum(new) - 1
        n_groups = int(new.sum())
        plus, minus = (counts_of(group[sign == s], n_groups) for s in (1.0, -1.0))
        summed: Floats = (plus - minus).astype(np.float64)
        g_train, g_times = train[new], times[new]
        earlier = _decayed_sum(g_times, g_train, summed, self.time_constant)
        # The same walk in reversed time; trains descend then, which keeps them together.
        later = _decayed_sum(-g_times[::-1], g_train[::-1], summed[::-1], self.time_constant)[::-1]

        per_group = summed * (0.5 * summed + earlier)
        add = sum_by if xp is np else get_backend(tape.backend).sum_by
        value: Floats = add(per_group, g_train, actual.n_samples * actual.size)
        gradient, effect = xp.empty(times.size), xp.empty(times.size)
        gradient[order] = (sign * (later - earlier)[group]) / self.time_constant
        # 1/2 alone, and its products with all others; those at the same time are in ``summed``.
        effect[order] = 0.5 + sign * (later + earlier + summed)[group] - 1.0
        shape, n = (actual.n_samples, actual.size), len(actual)
        return value.reshape(shape), gradient[:n], effect[:n]


@dataclass(frozen=True, eq=False)
class SumOfLosses:
    """Weighted sum of losses and regularisers.

    Parameters
    ----------
    terms
        Pairs ``(weight, loss)``.

    Raises
    ------
    ParameterError
        At the call, if two terms weigh the same readout with different time constants.
    """

    terms: tuple[tuple[float, Loss], ...]

    def __call__(self, net: Network, tape: SpikeTape) -> tuple[float, Seeds]:
        """Value and merged seeds."""
        value, merged = 0.0, dict[str, Seed | tuple[Seed, ...]]()
        for weight, loss in self.terms:
            term, seeds = loss(net, tape)
            value += weight * term
            merged = merge_seeds(merged, seeds, weight=weight)
        return value, merged


def _decayed_sum(times: Floats, trains: Ints, sizes: Floats, tau: float) -> Floats:
    """Sum of earlier jumps of the same train, decayed to every entry: A of the module.

    Entry i is ``decay_i * (A_{i-1} + size_{i-1})``, an affine map of the entry before it. Maps
    over 1, 2, 4, .. entries are composed until they span the longest train; all factors are
    <= 1, so nothing overflows.
    """
    xp = namespace(times)
    same, gaps = trains[1:] == trains[:-1], xp.maximum(xp.diff(times), 0.0)
    decay = xp.zeros(times.size)
    decay[1:] = xp.where(same, xp.exp(-gaps / tau), 0.0)
    total: Floats = xp.zeros(times.size)
    total[1:] = decay[1:] * sizes[:-1]
    span = 1
    while span < times.size and decay.any():
        total[span:] += decay[span:] * total[:-span]
        decay[span:] = decay[span:] * decay[:-span]
        span *= 2
    return total
