r"""Activity as a term of the loss: synaptic operations of an inference, or their energy on a chip.

With the energy :math:`E` of the activity of an inference, the mean over the :math:`S` samples of a
batch, and a target :math:`E^*`, the penalty is

.. math::
    L = \frac{s}{2} \max\Big(\frac{E}{E^*} - 1,\, 0\Big)^2, \qquad\text{or}\quad
    L = s\,E \quad\text{without a target}.

The target falls slowly, because neurons that fall silent hardly fire again: from the energy
:math:`E_1` of the first epoch, at the share p of the steps until ``end`` it is

.. math:: E^*_p = E^* \Big(\frac{E_1}{E^*}\Big)^{1 - p}, \qquad E_1 > E^*,

and in the first epoch there is no penalty. With ``end`` 0 it is :math:`E^*` from the first step.

:math:`E` is counted exactly from the spikes, and is what :func:`eventsim.energy.energy` reports of
them without leakage and without links between cores (:mod:`eventsim.energy.prices`); without a chip
it is the number of synaptic operations: arrivals of spikes at synapses.

**The gradient is a pseudo-gradient**, as that of :class:`.RateBand`: exact gradients do not see
that a spike appears or vanishes, by which alone operations change. One spike more of
neuron n costs :math:`c_n`: all the synaptic operations that it causes, which are its fan-out, times
their energy, their share of the updates of neurons, and its own energy. So

.. math::
    \frac{\partial L}{\partial N_n} = \frac{\partial L}{\partial E}\, \frac{c_n}{S}, \qquad
    \frac{\partial L}{\partial V^-} :=
        \frac{1}{\vartheta_n - E_n}\, \frac{\partial L}{\partial N_n}

is laid on the voltage just before every spike, as if one spike more were one threshold
(:math:`\vartheta - E_n`, with the resting potential) more of voltage. The sign is right, the size
is a convention; :func:`eventsim.adjoint.gradcheck` does not hold for it. Spikes of the input have a
price and no gradient: what they cost is reduced by fewer synapses (:mod:`eventsim.train.sparse`).

References
----------
Sorbaro et al. (2020), Optimizing the energy consumption of spiking neural networks for neuromorphic
applications, Front. Neurosci. 14:662: synaptic operations, each spike by its fan-out, in the loss.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Annotated

import numpy as np

from eventsim.adjoint import Seeds
from eventsim.arrays import Floats, beside
from eventsim.chips import load_chip
from eventsim.energy import ActivityPricing
from eventsim.energy.prices import check_names
from eventsim.entries import Bounds, NotNegative, Settings
from eventsim.entries.described import described, setting
from eventsim.events import SpikeTape
from eventsim.network import Network
from eventsim.train.regularise import spike_seeds, voltage_of_spike

PJ_PER_UJ = 1e6


@dataclass(frozen=True, eq=False)
class BatchActivity:
    """Counts of operations and energy of a batch, or of a part of it."""

    operations: Mapping[str, int]  # synaptic operations, by projection
    energy_pj: float  # of all samples together; 0 without a chip
    updates: Mapping[str, int]  # as in :class:`eventsim.energy.Activity`, and the next
    arrivals: Mapping[str, int]


@dataclass(frozen=True, kw_only=True)
@described
class ActivityCost(Settings):
    """Penalty on what an inference costs; a pseudo-gradient, see :mod:`eventsim.train.activity`."""

    target: NotNegative | None = setting(
        None,
        "Target cost of an inference: microjoules on the chip, or synaptic operations without "
        "a chip. 0: every cost is penalised. None: no penalty.",
    )
    strength: NotNegative = setting(
        3.0,
        "Strength :math:`s`: the term is twice this if an inference costs twice its target. "
        "Without a target: loss per microjoule or per operation.",
    )
    end: Annotated[float, Bounds(ge=0, le=1)] = setting(
        0.7,
        "Point of training at which the target is reached, as a fraction of the training "
        "steps; 0 for the start.",
    )
    chip: str = setting(
        "",
        "Name of a chip, or the file of one: its energies are measured and logged, also without a "
        "target. Empty for none.",
    )
    only: tuple[str, ...] = setting(
        (),
        "Projections whose synaptic operations count, and populations whose spikes and updates "
        "count, by name; empty for all.",
    )

    @cached_property
    def pricing(self) -> ActivityPricing | None:
        """The prices of the chip; None without one. Raises ChipError, ParameterError."""
        return ActivityPricing(load_chip(self.chip), self.only) if self.chip else None

    def check(self, net: Network) -> None:
        """Raise unless the network has what ``only`` names, and the chip is one with prices.

        Raises
        ------
        NetworkError, ChipError, ParameterError
        """
        check_names(net, self.only, "TrainConfig: activity.only")
        if self.chip:
            ActivityPricing(load_chip(self.chip))

    def __call__(self, net: Network, tape: SpikeTape) -> tuple[float, Seeds]:
        """Value and pseudo-gradient seeds, by the final target."""
        tape.require_all("ActivityCost")
        done = self.measure(net, lambda: tape, tape.synaptic_events)
        value, slopes = self.slopes(net, done, self.target, n_samples=tape.stream.n_samples)
        return value, spike_seeds(slopes, tape)

    def target_at(self, share: float, first: float | None) -> float | None:
        """The target of a step; None for no penalty.

        Parameters
        ----------
        share
            Of the training steps that are done, 0 .. 1.
        first
            What an inference cost in the first epoch; None before its end.
        """
        if not self.target or share >= self.end:
            return self.target
        if first is None:
            return None
        left = 1.0 - share / self.end
        return float(self.target * max(first / self.target, 1.0) ** left)

    def measure(
        self, net: Network, tape: Callable[[], SpikeTape], operations: Mapping[str, int]
    ) -> BatchActivity:
        """Counts of a tape, which is requested only if there is a chip.

        ``operations`` are its synaptic operations by projection.
        """
        pricing = self.pricing
        if pricing is None:
            return BatchActivity(operations, 0.0, {}, {})
        found = pricing.measure(net, tape())
        pj = float(found.energy_pj.sum())
        return BatchActivity(operations, pj, found.updates, found.arrivals)

    def cost(self, done: BatchActivity, *, n_samples: int) -> float:
        """Cost of an inference, in the unit of the target."""
        if self.chip:
            return done.energy_pj / (PJ_PER_UJ * n_samples)
        counted = [n for name, n in done.operations.items() if not self.only or name in self.only]
        return sum(counted) / n_samples

    def slopes(
        self, net: Network, done: BatchActivity, target: float | None, *, n_samples: int
    ) -> tuple[float, dict[str, Floats]]:
        """Value, and dL/dV per spike of every neuron, of a whole batch.

        Parameters
        ----------
        net
            The network.
        done
            By the whole batch, of ``n_samples``.
        target
            Of :meth:`target_at`.

        Returns
        -------
        Value, and slopes [size] by population, in arrays of the network's library; none below the
        target.
        """
        cost = self.cost(done, n_samples=n_samples)
        if target is None or cost <= target or not self.strength:
            return 0.0, {}
        excess = cost / target - 1.0 if target else 0.0
        value = 0.5 * self.strength * excess**2 if target else self.strength * cost
        by_cost = self.strength * excess / target if target else self.strength
        slopes = dict[str, Floats]()
        for name, price in self._prices(net, done).items():
            population = net.populations[name]
            if population.is_spiking:
                reach = voltage_of_spike(population)
                slopes[name] = beside(by_cost * price / n_samples, reach) / reach
        return value, slopes

    def _prices(self, net: Network, done: BatchActivity) -> dict[str, Floats]:
        """Price of one more spike of every neuron, in the unit of the target."""
        pricing = self.pricing
        if pricing is not None:
            found = pricing.of_spikes(net, done.updates, done.arrivals)
            return {name: price / PJ_PER_UJ for name, price in found.items()}
        prices = {p.source: np.zeros(p.weights.shape[0]) for p in net.projections.values()}
        for projection in net.projections.values():
            if not self.only or projection.name in self.only:
                prices[projection.source] += np.diff(projection.first_synapses())
        return prices
