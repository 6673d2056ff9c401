r"""Rates, inter-spike intervals, CV, synchrony and correlation of populations.

All functions take a tape, the name of a spiking population, and the window that counts: spikes at
``begin`` or later and before ``end``, ms, one for all samples or one for each. None for ``begin``
is the start of the tape, None for ``end`` the end of every sample. What a neuron or a sample does
not say is NaN, which ``np.nanmean`` leaves out. Of a population of which some neurons were recorded
(``simulate(.., record=..)``) all numbers are of these, in the order of ``tape.recorded``.

With :math:`c_i` the counts of neuron i in bins of a width, and variances over the bins of one
sample,

.. math::
    \text{synchrony} = \frac{\operatorname{var}(\sum_i c_i)}{\sum_i \operatorname{var}(c_i)},
    \qquad \text{correlation} = \frac{1}{n(n-1)} \sum_{i \ne j}
    \frac{\operatorname{cov}(c_i, c_j)}{\sqrt{\operatorname{var}(c_i) \operatorname{var}(c_j)}}.

The first is 1 for neurons that are independent and n for n that fire together: n times
:math:`\chi^2` of Golomb (2007), with counts in the place of voltages. The second is the mean of
Pearson's coefficient over all pairs. With :math:`z_i` the counts less their mean, over their
standard deviation, it is :math:`(\langle (\sum_i z_i)^2 \rangle - n) / (n (n - 1))`: no pair is
looked at by itself, so that time and memory are those of the spikes. A bin that the window ends
within is left out.

References
----------
Golomb (2007), Neuronal synchrony measures, Scholarpedia 2(1):1347. Softky and Koch (1993), The
highly irregular firing of cortical cells, J. Neurosci. 13:334 (CV). de la Rocha et al. (2007),
Correlation between neural spike trains increases with firing rate, Nature 448:802.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import ArrayLike

from eventsim.arrays import Floats, Ints, owners
from eventsim.checks import every, in_domain, real_array, shaped, whole_number
from eventsim.entries import Count, Positive
from eventsim.events.tape import SpikeTape, SpikeTrains

__all__ = ["correlation", "cv", "intervals", "rates", "synchrony"]


def rates(
    tape: SpikeTape,
    population: str,
    *,
    begin: ArrayLike | None = None,
    end: ArrayLike | None = None,
) -> Floats:
    """Firing rate of every neuron.

    Parameters
    ----------
    tape
        A run, or a chunk of one.
    population
        Name of a spiking population.
    begin, end
        Window that counts, in ms: one number or [samples].

    Returns
    -------
    float64 [samples, size]
        Spikes/s. New array; ``.mean()`` is the rate of the population.

    Raises
    ------
    NetworkError, ParameterError, ShapeError
        There is no such population, or a window is none, or not within its sample.

    Examples
    --------
    >>> import eventsim as es
    >>> net = es.Network()
    >>> net.add_input("input", 1)
    Population('input', 1 channel)
    >>> net.add_population("cells", 2, tau_mem=10.0, constant_current=[0.0, 2.0])
    Population('cells', 2 spiking neurons)
    >>> silence = es.EventStream([], [], [0, 0], n_channels=1, duration=1000.0)
    >>> tape = es.simulate(net, silence)
    >>> es.activity.rates(tape, "cells")
    array([[  0., 144.]])
    >>> es.activity.cv(tape, "cells").round(6)
    array([[nan,  0.]])
    """
    spikes = _spikes("rates", tape, population, begin, end)
    found: Floats = 1e3 * spikes.trains.counts() / spikes.length[:, np.newaxis]
    return found


def intervals(
    tape: SpikeTape,
    population: str,
    *,
    begin: ArrayLike | None = None,
    end: ArrayLike | None = None,
) -> tuple[Floats, Ints]:
    """Inter-spike intervals, neuron by neuron.

    Parameters
    ----------
    tape, population, begin, end
        As :func:`rates`. Both spikes of an interval lie in the window.

    Returns
    -------
    float64 [intervals]
        ms, in order of sample, neuron and time. New array.
    int64 [intervals]
        Whose they are: ``sample * size + neuron``. New array.

    Raises
    ------
    NetworkError, ParameterError, ShapeError
        As :func:`rates`.
    """
    trains = _spikes("intervals", tape, population, begin, end).trains
    number = trains.train_numbers()
    order = np.argsort(number, kind="stable")  # in order of time as they are
    number, times = number[order], trains.times[order]
    same = number[1:] == number[:-1]
    return np.diff(times)[same], number[1:][same]


def cv(
    tape: SpikeTape,
    population: str,
    *,
    least: int = 5,
    begin: ArrayLike | None = None,
    end: ArrayLike | None = None,
) -> Floats:
    """Coefficient of variation of the inter-spike intervals of every neuron.

    It is their standard deviation over their mean: 0 for a clock, 1 for a Poisson process.

    Parameters
    ----------
    tape, population, begin, end
        As :func:`rates`.
    least
        A neuron with fewer intervals has none: that of a few intervals is too small.

    Returns
    -------
    float64 [samples, size]
        NaN for a neuron that has none. New array; ``np.nanmean`` is that of the population.

    Raises
    ------
    NetworkError, ParameterError, ShapeError
        As :func:`rates`.
    """
    enough = in_domain("activity.cv", "least", whole_number(least, "activity.cv: least"), Count)
    gaps, owner = intervals(tape, population, begin=begin, end=end)
    shape = tape.stream.n_samples, tape[population].size
    n = shape[0] * shape[1]
    count = np.bincount(owner, minlength=n)
    often = count >= enough
    divisor = np.where(often, count, 1)
    mean = np.bincount(owner, gaps, n) / divisor
    variance = np.bincount(owner, (gaps - mean[owner]) ** 2, n) / divisor
    found = np.full(n, np.nan)
    found[often] = np.sqrt(variance[often]) / mean[often]
    return found.reshape(shape)


def synchrony(
    tape: SpikeTape,
    population: str,
    *,
    width: float = 2.0,
    begin: ArrayLike | None = None,
    end: ArrayLike | None = None,
) -> Floats:
    """Synchrony of the neurons of a population, sample by sample.

    Parameters
    ----------
    tape, population, begin, end
        As :func:`rates`.
    width
        Width of a bin, ms; two fit into the window.

    Returns
    -------
    float64 [samples]
        The variance of their summed count over the sum of the variances: 1 if they are independent,
        the number of neurons if all fire in the same bins; NaN where no neuron's count varies. New
        array.

    Raises
    ------
    NetworkError, ParameterError, ShapeError
        As :func:`rates`.
    """
    counted = _counts("synchrony", tape, population, width, begin, end)
    found = [(each.sums().var(), each.variances().sum()) for each in counted]
    return np.array([whole / alone if alone else np.nan for whole, alone in found])


def correlation(
    tape: SpikeTape,
    population: str,
    other: str | None = None,
    *,
    width: float = 2.0,
    begin: ArrayLike | None = None,
    end: ArrayLike | None = None,
) -> Floats:
    """Mean correlation of the spike counts of two neurons, over all pairs, sample by sample.

    Parameters
    ----------
    tape, population, begin, end, width
        As :func:`synchrony`.
    other
        Name of the population of the second neuron; None for that of the first.

    Returns
    -------
    float64 [samples]
        From -1 to 1; neurons whose count does not vary are left out, NaN where no pair is left. New
        array.

    Raises
    ------
    NetworkError, ParameterError, ShapeError
        As :func:`rates`.
    """
    first = _counts("correlation", tape, population, width, begin, end)
    if other is None or other == population:
        return np.array([_mean_of_pairs(each) for each in first])
    second = _counts("correlation", tape, other, width, begin, end)
    return np.array([_mean_across(one, two) for one, two in zip(first, second, strict=True)])


class _Spikes(NamedTuple):
    """Spikes of a population in the window of ``length`` ms from ``begin``, [samples]."""

    trains: SpikeTrains
    begin: Floats
    length: Floats


class _Counts(NamedTuple):
    """Spike counts of neurons in bins, of one sample: the pairs that are not 0."""

    neurons: Ints
    bins: Ints
    counts: Floats
    size: int
    n_bins: int

    def sums(self, weight: Floats | float = 1.0) -> Floats:
        """The counts of all neurons, each by its weight, summed by bin."""
        each = np.broadcast_to(weight, self.size)[self.neurons]
        return np.asarray(np.bincount(self.bins, self.counts * each, self.n_bins), np.float64)

    def means(self) -> Floats:
        """Mean count of every neuron over the bins."""
        found: Floats = np.bincount(self.neurons, self.counts, self.size) / self.n_bins
        return found

    def variances(self) -> Floats:
        """Variance of every neuron's count over the bins."""
        squares = np.bincount(self.neurons, self.counts**2, self.size) / self.n_bins
        found: Floats = squares - self.means() ** 2
        # A count that is the same in all bins: what is left is rounding.
        found[found <= 1e-12 * squares] = 0.0
        return found

    def scores(self) -> tuple[Floats, int]:
        """Sum by bin of every count less its mean, over its deviation; of how many neurons."""
        deviation = np.sqrt(self.variances())
        varies = deviation > 0.0
        weight = np.where(varies, 1.0 / np.where(varies, deviation, 1.0), 0.0)
        return self.sums(weight) - self.means() @ weight, int(varies.sum())


def _mean_of_pairs(counts: _Counts) -> float:
    score, n = counts.scores()
    return float(((score @ score) / counts.n_bins - n) / (n * (n - 1))) if n > 1 else np.nan


def _mean_across(one: _Counts, two: _Counts) -> float:
    (first, n), (second, m) = one.scores(), two.scores()
    return float((first @ second) / one.n_bins / (n * m)) if n and m else np.nan


def _spikes(
    what: str, tape: SpikeTape, population: str, begin: ArrayLike | None, end: ArrayLike | None
) -> _Spikes:
    where = f"activity.{what} of {population!r}"
    trains, last = tape.to_host()[population], tape.stream.duration
    first = np.zeros(last.size) if tape.begin is None else tape.begin
    low = first if begin is None else _times(where, "begin", begin, last.size)
    high = last if end is None else _times(where, "end", end, last.size)
    every(
        where, "begin", low, (first <= low) & (low < last),
        lambda k: f"{first[k]:g} ms or later, before {last[k]:g} ms",
        of="sample", unit="ms", text="{:g}".format,
    )  # fmt: skip
    every(
        where, "end", high, (low < high) & (high <= last),
        lambda k: f"more than {low[k]:g} ms, {last[k]:g} ms at most",
        of="sample", unit="ms", text="{:g}".format,
    )  # fmt: skip
    if begin is not None or end is not None:
        owner = owners(trains.offsets, len(trains))
        inside = trains.times >= low[owner]
        if end is not None:
            inside &= trains.times < high[owner]
        trains = trains.where(inside)
    return _Spikes(trains, low, high - low)


def _times(where: str, name: str, given: ArrayLike, n_samples: int) -> Floats:
    found = real_array(given, f"{where}: {name}")
    shaped(where, name, found, (), (n_samples,), expected=f"one number or ({n_samples},)")
    return np.broadcast_to(found, (n_samples,))


def _counts(
    what: str,
    tape: SpikeTape,
    population: str,
    width: float,
    begin: ArrayLike | None,
    end: ArrayLike | None,
) -> list[_Counts]:
    """Spike counts of every sample."""
    where = f"activity.{what} of {population!r}"
    width = in_domain(where, "width", width, Positive)
    spikes = _spikes(what, tape, population, begin, end)
    n_bins = np.floor(spikes.length / width + 1e-9).astype(np.int64)  # 3 times 0.1 is 0.3
    every(
        where, "a window", spikes.length, n_bins >= 2, f"two bins of {width:g} ms at least",
        of="sample", unit="ms", text="{:g}".format,
    )  # fmt: skip
    found = []
    for k, (n, first) in enumerate(zip(n_bins.tolist(), spikes.begin.tolist(), strict=True)):
        times, neurons = spikes.trains.sample(k)
        bins = np.floor((times - first) / width).astype(np.int64)
        keys = np.sort((neurons * np.int64(n) + bins)[bins < n])
        starts = np.flatnonzero(np.diff(keys, prepend=-1))
        counts = np.diff(starts, append=keys.size).astype(np.float64)
        found.append(_Counts(*np.divmod(keys[starts], n), counts, spikes.trains.size, n))
    return found
