r"""CoreState: an assignment that can be changed neuron by neuron, and what each change brings.

The cost is

.. math:: \sum_a w_a \sum_{c \in T(a)} D_{h(a)\,c}

over axons :math:`a` with :math:`w_a` spikes, their destination cores :math:`T(a)`, the core
:math:`h(a)` of the source or the outside, and a distance D between cores that is 0 on the diagonal.
With D = 1 off the diagonal and from the outside this is the number of spikes between cores: as a
hypergraph with one hyperedge per axon whose pins are its source and its targets, the connectivity
metric :math:`\sum_a w_a (\lambda_a - 1)`, up to a constant for axons from outside. With the links
between tiles it is the number of hops.

Moving neuron n from core A to core B changes the cost only through the axons that reach it and its
own, so that a row of counts per axon is all that a move has to read: a source a leaves A if n was
its only target there (gain :math:`w_a D_{h(a) A}`), and arrives at B if it had none there (loss
:math:`w_a D_{h(a) B}`); the destinations of n's own axon lie at other distances.
"""

from typing import Any

import numpy as np
from numpy.typing import NDArray

from eventsim.arrays import Bools, Floats, Ints
from eventsim.chips import Limits
from eventsim.mapping.graph import AxonGraph
from eventsim.mapping.usage import destinations, synapse_limit

UNLIMITED = np.iinfo(np.int64).max
NOWHERE = -1


class CoreState:
    """Neurons on cores, all limits counted.

    Attributes
    ----------
    core_of
        int32 [neurons]; -1 for a neuron that has no core yet.
    targets
        int32 [axons, cores]: distinct targets of every axon on every core.
    neurons, axons_in, axons_out, synapses
        int64 [cores]; axons out are counted only if the chip limits them.
    distance
        float64 [cores + 1, cores], the last row from the outside.
    """

    def __init__(
        self, graph: AxonGraph, limits: Limits, core_of: NDArray[np.int32] | None, n_cores: int
    ):
        self.graph, self.limits = graph, limits
        self.max_neurons = _or_unlimited(limits.neurons_per_core)
        self.max_in = _or_unlimited(limits.axons_in_per_core)
        self.max_out = _or_unlimited(limits.axons_out_per_core)
        self.max_synapses = _or_unlimited(synapse_limit(limits))
        self.core_of = np.full(graph.n_neurons, NOWHERE, np.int32)
        self.targets = np.zeros((graph.n_axons, n_cores), np.int32)
        self.neurons = np.zeros(n_cores, np.int64)
        self.axons_in = np.zeros(n_cores, np.int64)
        self.axons_out = np.zeros(n_cores, np.int64)
        self.synapses = np.zeros(n_cores, np.int64)
        diagonal = graph.synapses.diagonal()  # axons of placed neurons come first
        self.selfed: Bools = diagonal > 0
        self.distance = even_distances(n_cores)
        if core_of is not None:
            self._fill(core_of.astype(np.int32))

    def _fill(self, core_of: NDArray[np.int32]) -> None:
        self.core_of = core_of.copy()
        self.targets = destinations(self.graph, core_of, self.n_cores).toarray()
        present = self.targets > 0
        self.neurons = np.bincount(core_of, minlength=self.n_cores)
        self.axons_in = present.sum(axis=0)
        pairs = present[: self.graph.n_neurons].sum(axis=1)
        self.axons_out = self._sum_by_core(core_of, pairs)
        self.synapses = self._sum_by_core(core_of, self.graph.fan_in)

    def _sum_by_core(self, core_of: NDArray[np.int32], values: Ints) -> Ints:
        return np.bincount(core_of, weights=values, minlength=self.n_cores).astype(np.int64)

    @property
    def n_cores(self) -> int:
        """Cores that are counted, the empty ones among them."""
        return self.neurons.size

    def cost(self) -> float:
        """Sum over axons of spikes times distances to their destination cores."""
        home = self._homes(np.arange(self.graph.n_axons))
        weighted = (self.targets > 0) * self.distance[home]
        return float(self.graph.spikes @ weighted.sum(axis=1))

    def measure_by(self, distance: Floats) -> None:
        """Take other distances, float64 [cores + 1, cores]; the last row is from the outside."""
        self.distance = distance

    def _homes(self, axons: NDArray[Any]) -> NDArray[np.int64]:
        """Row of ``distance`` of every axon's source."""
        inside = axons < self.graph.n_neurons
        homes: NDArray[np.int64] = np.full(axons.size, self.n_cores, np.int64)
        homes[inside] = self.core_of[axons[inside]]
        return homes

    def open_core(self) -> int:
        """Add an empty core; its number."""
        self.targets = np.concatenate(
            [self.targets, np.zeros((self.graph.n_axons, 1), np.int32)], axis=1
        )
        for name in ("neurons", "axons_in", "axons_out", "synapses"):
            setattr(self, name, np.append(getattr(self, name), 0))
        self.distance = even_distances(self.n_cores)
        return self.n_cores - 1

    def gains(self, neuron: int) -> Floats:
        """What the cost falls by if a neuron moves, float64 [cores]; 0 for its own core."""
        here = int(self.core_of[neuron])
        sources = self.graph.sources(neuron)
        sources = sources[sources != neuron]
        spikes = self.graph.spikes[sources].astype(np.float64)
        pins = self.targets[sources]
        apart = self.distance[self._homes(sources)]
        left = spikes @ ((pins[:, here] == 1) * apart[:, here])
        gains = left - spikes @ ((pins == 0) * apart)
        own = self.targets[neuron].copy()
        own[here] -= self.selfed[neuron]
        reach = self.distance[: self.n_cores] @ (own > 0)
        gains += self.graph.spikes[neuron] * (reach[here] - reach)
        gains[here] = 0.0
        return np.asarray(gains)

    def room(self, neuron: int) -> Bools:
        """Cores that can take a neuron as far as neurons, synapses and axons in go, [cores]."""
        sources = self.graph.sources(neuron)
        new = sources.size - np.count_nonzero(self.targets[sources], axis=0)
        fits: Bools = (
            (self.neurons < self.max_neurons)
            & (self.synapses + self.graph.fan_in[neuron] <= self.max_synapses)
            & (self.axons_in + new <= self.max_in)
        )
        return fits

    def fits(self, neuron: int, core: int) -> bool:
        """Whether one core can take a neuron under all limits, those of other cores included."""
        sources = self.graph.sources(neuron)
        new = sources.size - np.count_nonzero(self.targets[sources, core])
        return bool(
            self.neurons[core] < self.max_neurons
            and self.synapses[core] + self.graph.fan_in[neuron] <= self.max_synapses
            and self.axons_in[core] + new <= self.max_in
            and self.out_fits(neuron, core)
        )

    def out_fits(self, neuron: int, core: int) -> bool:
        """Whether no core would pass its limit of axons out, or be further beyond it than now."""
        if self.max_out == UNLIMITED:
            return True
        change = self.out_change(neuron, core)
        after = self.axons_out + change
        return bool(((after <= self.max_out) | (change <= 0)).all())

    def out_change(self, neuron: int, core: int) -> Ints:
        """What a move adds to the axons out of every core, int64 [cores]."""
        here = int(self.core_of[neuron])
        sources = self.graph.sources(neuron)
        sources = sources[sources < self.graph.n_neurons]
        others = sources[sources != neuron]
        home = self.core_of[others]
        change = np.zeros(self.n_cores, np.int64)
        arrives = (self.targets[others, core] == 0) & (home != NOWHERE)
        change += np.bincount(home[arrives], minlength=self.n_cores)
        own = self.targets[neuron] > 0
        selfed = bool(self.selfed[neuron])
        if here != NOWHERE:
            leaves = (self.targets[others, here] == 1) & (home != NOWHERE)
            change -= np.bincount(home[leaves], minlength=self.n_cores)
            change[here] -= own.sum()
            own[here] = self.targets[neuron, here] > int(selfed)
        own[core] |= selfed
        change[core] += own.sum()
        return change

    def move(self, neuron: int, core: int) -> None:
        """Put a neuron on a core, from where it is or from nowhere."""
        here = int(self.core_of[neuron])
        if here == core:
            return
        change = self.out_change(neuron, core) if self.max_out != UNLIMITED else 0
        sources = self.graph.sources(neuron)
        if here != NOWHERE:
            left = self.targets[sources, here]
            self.axons_in[here] -= np.count_nonzero(left == 1)
            self.targets[sources, here] = left - 1
            self.neurons[here] -= 1
            self.synapses[here] -= self.graph.fan_in[neuron]
        met = self.targets[sources, core]
        self.axons_in[core] += np.count_nonzero(met == 0)
        self.targets[sources, core] = met + 1
        self.neurons[core] += 1
        self.synapses[core] += self.graph.fan_in[neuron]
        self.axons_out += change
        self.core_of[neuron] = core

    def excess(self) -> NDArray[np.float64]:
        """By how much every core is beyond its worst limit, relative to it; 0 if it is not."""
        pairs = (
            (self.neurons, self.max_neurons),
            (self.axons_in, self.max_in),
            (self.axons_out, self.max_out),
            (self.synapses, self.max_synapses),
        )
        worst = np.zeros(self.n_cores)
        for held, limit in pairs:
            worst = np.maximum(worst, (held - limit) / max(limit, 1))
        return worst


def _or_unlimited(limit: int | None) -> int:
    return UNLIMITED if limit is None else limit


def even_distances(n_cores: int) -> Floats:
    """1 between any two cores and from the outside."""
    distance = np.ones((n_cores + 1, n_cores))
    np.fill_diagonal(distance, 0.0)
    return distance
