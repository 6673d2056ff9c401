r"""Cost of the activity of a run on a chip, and of one more spike: for losses.

The energy of activity is that of :func:`eventsim.energy.energy`, of the terms that rest on spikes
or on steps: without leakage, and without links between cores, which only a mapping knows.

**Price of a spike**, in pJ, of neuron n of a population, with :math:`N_{pn}` synapses whose weight
is not 0 in every projection p, from there onto population :math:`B(p)`, and the figures e of the
chip:

.. math::
    c_n = e_{spike} + e_{io} + \sum_p N_{pn} \Big(e_{op} +
        \frac{U_{B(p)}}{O_{B(p)}}\, e_{update}\Big),
    \qquad e_{op} = e_{synaptic\_event} + e_{ac} + b_w\, e_{memory\_byte},

with the bytes :math:`b_w` of a weight; :math:`e_{io}` is ``event_in`` of the input's events and
``event_out`` of spikes that leave the chip. All arrivals at a population share its updates equally:
U updates of its neurons in the batch are spread over the O effective operations that it receives.
With a time step :math:`e_{update}` is what an update with input costs more than one without;
without a step it is ``membrane_update`` and what the accesses to the state cost.

So the prices of all spikes, those of the input included, add up to the energy of activity, less
the idle updates of every step and the answer that leaves, where every spike arrives before its
sample ends, and no two events of a source meet in a step of a chip that prices
``ac`` and ``mac`` by steps.
"""

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from eventsim.arrays import Floats
from eventsim.checks import known
from eventsim.chips import Chip
from eventsim.energy.arrivals import Wires, make_run
from eventsim.energy.counts import BITS_PER_BYTE, Widths, count_run, leaving_spikes, states_of
from eventsim.energy.report import ACCESSES, energy
from eventsim.energy.steps import clock_run
from eventsim.errors import ParameterError
from eventsim.events import SpikeTape
from eventsim.network import Network

# Terms that rest on updates by arrivals where there is no step; on steps; on operations by steps.
_BY_ARRIVALS = ("membrane_update", "state_access", "memory_byte")
_BY_OPERATIONS = ("ac", "mac", "memory_byte")
_BY_STEPS = ("neuron_update_active", "neuron_update_idle", "state_access", "step_sync")


@dataclass(frozen=True, eq=False)
class Activity:
    """Energy, updates and arrivals of a run's activity.

    Attributes
    ----------
    energy_pj
        [samples]
    updates
        Updates of neurons by arrivals, in all samples, by population: per time where the chip
        prices these, else per step; none where the chip prices neither.
    arrivals
        Effective operations that reach a population, in all samples, by population.
    """

    energy_pj: Floats
    updates: Mapping[str, int]
    arrivals: Mapping[str, int]


@dataclass(frozen=True)
class ActivityPricing:
    """Prices of activity on a chip; see :mod:`eventsim.energy.prices`.

    Attributes
    ----------
    chip
        Of :func:`eventsim.chips.load_chip`, with an energy of synaptic operations.
    only
        Projections whose synaptic operations count, and populations whose spikes and updates
        count, by name; empty for all.

    Raises
    ------
    ParameterError
        The chip has no energy of synaptic operations.
    """

    chip: Chip
    only: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        if self.chip.energy.keys().isdisjoint(("synaptic_event", "ac")):
            raise ParameterError(
                "ActivityPricing",
                f"chip {self.chip.name!r} has no energy of a synaptic operation (synaptic_event "
                "or ac)",
                "one",
                "Choose another chip.",
            )

    def measure(self, net: Network, tape: SpikeTape) -> Activity:
        """Costs of the activity on a tape of :func:`eventsim.simulate` with the network."""
        run, step_ms = make_run(net, tape), self.chip.step_ms
        # What the chip does not price is not counted: that would take longest.
        by_arrivals = self._prices("membrane_update") if step_ms else self._prices(*_BY_ARRIVALS)
        counts, steps = count_run(run, Widths(), updates=by_arrivals), None
        if step_ms is not None and self._prices(*_BY_STEPS, *_BY_OPERATIONS):
            steps = clock_run(run, step_ms=step_ms, operations=self._prices(*_BY_OPERATIONS))
        effective = counts.effective_events
        if self.only:
            counts = counts.only(self.only)
            steps = None if steps is None else steps.only(self.only)
        terms = energy(counts, self.chip, clocked=steps).terms
        total = np.zeros(run.n_samples)
        for cost in terms:
            if cost.term.needs in ("spikes", "step"):
                total = total + cost.energy_pj
        updates = counts.membrane_updates if steps is None else steps.active_updates
        met = dict.fromkeys(net.neurons, 0)
        for name, projection in net.projections.items():
            met[projection.target] += int(effective[name].sum())
        return Activity(total, {name: int(found.sum()) for name, found in updates.items()}, met)

    def of_spikes(
        self, net: Network, updates: Mapping[str, int], arrivals: Mapping[str, int]
    ) -> dict[str, Floats]:
        """Price of one more spike of every neuron, or event of a channel, pJ.

        Parameters
        ----------
        net
            The network.
        updates, arrivals
            As in :class:`Activity`, of a batch.

        Returns
        -------
        [size] by population that sends: the spiking ones, and the input. New arrays.
        """
        own, prices = self._figures("spike"), dict[str, Floats]()
        ways = ("event_in", "event_out")
        passing = {way: 0.0 if self.only else self._figures(way) for way in ways}
        for name, population in net.populations.items():
            if not population.is_readout:
                each = own if population.is_spiking and self._counts(name) else 0.0
                each += passing["event_in"] if population.is_input else 0.0
                each += passing["event_out"] if name in leaving_spikes(net) else 0.0
                prices[name] = np.full(population.size, float(each))
        for projection in net.projections.values():
            target = projection.target
            share = updates.get(target, 0) / max(arrivals[target], 1)
            update = self._update(states_of(net.populations[target]))
            each = self._operation * self._counts(projection.name) + share * update
            prices[projection.source] += each * Wires(projection).nonzero_fan_out
        return prices

    def _counts(self, name: str) -> bool:
        return not self.only or name in self.only

    def _prices(self, *names: str) -> bool:
        return not self.chip.energy.keys().isdisjoint(names)

    def _figures(self, *names: str) -> float:
        return sum(self.chip.energy[name].value for name in names if name in self.chip.energy)

    @property
    def _operation(self) -> float:
        """Energy of a synaptic operation, pJ."""
        weight = Widths().weight / BITS_PER_BYTE * self._figures("memory_byte")
        return self._figures("synaptic_event", "ac") + weight

    def _update(self, states: int) -> float:
        """Energy of an update by an arrival, of a neuron of so many states, pJ."""
        if self.chip.step_ms is not None:
            return self._figures("neuron_update_active") - self._figures("neuron_update_idle")
        state = states * Widths().state / BITS_PER_BYTE * self._figures("memory_byte")
        return self._figures("membrane_update") + ACCESSES * (self._figures("state_access") + state)


def check_names(net: Network, names: tuple[str, ...], where: str) -> None:
    """Raise NetworkError unless all are names of projections or of populations of neurons."""
    for name in names:
        known(where, "projection or population", name, [*net.projections, *net.neurons])
