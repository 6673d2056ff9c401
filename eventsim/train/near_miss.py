r"""Near misses: gradients for neurons without a spike, which exact gradients do not have.

A neuron that stays silent in a sample has no spike on which a gradient could act, but its largest
voltage :math:`V^*`, below the threshold, is known exactly, and so is its derivative by every weight
(the kernel's value :math:`g(t^* - t_i)`), delay, time constant and earlier spike
(:mod:`eventsim.adjoint.linear.voltage`). With the gap, and how near to a spike it is,

.. math::
    m = \frac{\vartheta - V^*}{\vartheta - E}, \qquad
    h(m) = \max(1 - m / m_0,\, 0),

there are two uses of it.

**NearMiss** is a loss of its own, for hidden neurons that fired in no sample of a batch (:math:`n`
neurons in the population, :math:`S` samples in the batch, strength :math:`s`):

.. math::
    L = \frac{s}{n S} \sum_{\text{silent}} \sum_{\text{samples}} \bigl(1 - h(m)^2\bigr), \qquad
    \frac{\partial L}{\partial V^*} = -\frac{s}{n S}\,\frac{2\,h(m)}{m_0\,(\vartheta - E)}.

It is exact as long as the same neurons are silent. It is strongest where a spike is nearest, and
0 for neurons further than :math:`m_0` from a spike.

**Missed output spikes** are a pseudo-gradient, for outputs that answer by spikes. If the loss would
change by :math:`\Delta < 0` with one more spike at :math:`t^*`, then, as at the surrogate of
TSSL-BP below the threshold,

.. math:: \frac{\partial L}{\partial V^*} := \frac{\Delta}{\vartheta - E}\, h(m).

References
----------
Zhang and Li (2020), Temporal spike sequence learning via backpropagation, NeurIPS 33, section 3.3,
where the surrogate stands at every time step below the threshold.
"""

from collections.abc import Callable, Mapping
from dataclasses import KW_ONLY, dataclass
from typing import NamedTuple

import numpy as np

from eventsim.adjoint import Seeds, VoltageSeed, merge_seeds
from eventsim.adjoint.linear.neurons import Neurons, silent_neurons, silent_parts
from eventsim.adjoint.linear.voltage import VoltageProbe
from eventsim.adjoint.seeds import DirectSeed
from eventsim.arrays import Array, Ints, namespace, to_host
from eventsim.checks import in_domain
from eventsim.entries import Above0, From0
from eventsim.events import SpikeTape
from eventsim.matrix import require
from eventsim.network import Network
from eventsim.network.features import neurons_of


@dataclass(frozen=True)
class NearMiss:
    """A pull towards the threshold on neurons that fired in no sample; see the module.

    Parameters
    ----------
    strength
        :math:`s`, >= 0.
    margin
        :math:`m_0`, > 0: the gap, in thresholds above rest, at which the pull begins.
    populations
        Names, or None for all spiking populations.
    """

    strength: float
    _: KW_ONLY
    margin: float = 1.0
    populations: tuple[str, ...] | None = None

    def __post_init__(self) -> None:
        in_domain("NearMiss", "strength", self.strength, From0)
        in_domain("NearMiss", "margin", self.margin, Above0)

    def __call__(self, net: Network, tape: SpikeTape) -> tuple[float, Seeds]:
        """Value and seeds."""
        tape.require_all("NearMiss")
        names = tape.names if self.populations is None else self.populations
        for name in names:
            require("near_miss", neurons_of(net.population(name)))
        counts = {name: tape[name].total_counts() for name in names}
        return self.of_silent(net, tape, counts, n_samples=tape.stream.n_samples)

    def of_silent(
        self, net: Network, tape: SpikeTape, counts: Mapping[str, Ints], *, n_samples: int
    ) -> tuple[float, dict[str, tuple[DirectSeed, ...]]]:
        """Share of one tape's samples in the value, and its seeds.

        Parameters
        ----------
        net, tape
            The network and its run over some or all samples of a batch.
        counts
            Spikes of every neuron in the whole batch, [size] by population.
        n_samples
            In the whole batch.
        """
        value, seeds = 0.0, dict[str, tuple[DirectSeed, ...]]()
        if self.strength == 0:
            return value, seeds
        for name, count in counts.items():
            silent = _able(net, name, np.flatnonzero(to_host(count) == 0))
            if not silent.size:
                continue
            unit, found = self.strength / (count.size * n_samples), list[DirectSeed]()
            for part in silent_parts(net, tape, name, silent):
                added, seed = self._of_part(find_misses(part, tape, name, self.margin), unit)
                value += added
                found.append(DirectSeed.of(seed))
            seeds[name] = tuple(found)
        return value, seeds

    def _of_part(self, misses: "Misses", unit: float) -> tuple[float, VoltageSeed]:
        value = unit * float((1.0 - misses.nearness**2).sum())
        by = -2.0 * unit / self.margin * misses.nearness / misses.reach
        by = namespace(by).where(misses.silent, by, 0.0)
        # From m: at fixed voltage it depends on threshold and rest as well.
        gap = self.margin * (1.0 - misses.nearness)
        own = {"threshold": -by * (1.0 - gap), "v_leak": -by * gap}
        return value, VoltageSeed(misses.probe, by[:, None], own)


# Change of a loss with one more spike at given times, both [samples, size]: one entry per output
# neuron in every sample, as if it alone had one more spike.
Effect = Callable[[Array], Array]


class Misses(NamedTuple):
    r"""Largest voltages of some neurons, one row per neuron in every sample.

    ``nearness`` is :math:`h(m)`, ``reach`` is :math:`\vartheta - E`, ``time`` that of the maximum.
    Rows that are not ``silent`` have spikes; what stands there means nothing.
    """

    probe: VoltageProbe
    silent: Array
    nearness: Array
    reach: Array
    time: Array


def find_misses(linear: Neurons, tape: SpikeTape, name: str, margin: float) -> Misses:
    """The near misses of neurons of the spiking population ``name`` that rest below threshold."""
    neurons = linear.in_member
    probe, xp = VoltageProbe.at_maximum(linear), linear.xp
    assert probe.maximum is not None
    threshold = linear.by_row(linear.parameter("threshold"))
    reach = threshold - linear.by_row(linear.parameter("v_leak"))
    nearness = xp.maximum(1.0 - (threshold - probe.maximum.value) / (margin * reach), 0.0)
    counts = tape[name].counts()[:, xp.asarray(neurons)].ravel()
    # Rounding may leave a grazing maximum above the threshold by an ulp.
    return Misses(probe, counts == 0, xp.minimum(nearness, 1.0), reach, probe.maximum.time)


def with_misses(
    seeds: Seeds, net: Network, tape: SpikeTape, name: str, effect: Effect, *, margin: float | None
) -> Seeds:
    r"""The seeds of the loss, and the pseudo-gradient of missed spikes of population ``name``.

    The effect gives :math:`\Delta`, of which only entries of neurons without a spike are used;
    ``margin`` is :math:`m_0` in thresholds above rest, None for the seeds alone.
    """
    if margin is None:
        return seeds
    counts = tape[name].counts()
    neurons = _able(net, name, np.flatnonzero(to_host((counts == 0).any(axis=0))))
    if not neurons.size:
        return seeds
    linear, xp = silent_neurons(net, tape, name, neurons), namespace(counts)
    misses = find_misses(linear, tape, name, margin)
    chosen = xp.asarray(neurons)
    times = xp.zeros(counts.shape)
    times[:, chosen] = misses.time.reshape(-1, neurons.size)
    change = xp.minimum(effect(times)[:, chosen].ravel(), 0.0)
    by = xp.where(misses.silent, change * misses.nearness / misses.reach, 0.0)
    # A threshold is to a missed spike what it is to a spike: so much voltage less.
    seed = VoltageSeed(misses.probe, by[:, None], {"threshold": -by})
    return merge_seeds(seeds, {name: seed})


def check_margin(where: str, margin: float | None) -> None:
    """Raise ParameterError unless a margin, if given, is > 0."""
    if margin is not None:
        in_domain(where, "miss_margin", margin, Above0)


def _able(net: Network, name: str, neurons: Ints) -> Ints:
    """The neurons that rest below their threshold; the others fire by themselves."""
    population = net.population(name)
    rests = to_host(population.v_leak) < to_host(population.threshold)
    able: Ints = neurons[rests[neurons]]
    return able
