"""Plan: the population graph condensed into stages, in the order in which they run.

Apart from self-connections a ScSr-SNN is feedforward. Once the spikes of all its sources are
known, every (sample, neuron) pair of a population can walk its own merged input alone, so that
a population is one stage. Lateral recurrence would need a queue and is refused here.
"""

from dataclasses import dataclass
from functools import cached_property
from graphlib import TopologicalSorter
from weakref import WeakKeyDictionary

import numpy as np
import scipy.sparse as sp
from scipy.sparse.csgraph import connected_components

from eventsim.errors import NetworkError
from eventsim.network import Network, Population, Projection
from eventsim.plan.wiring import Wiring, make_wiring


@dataclass(frozen=True, eq=False)
class Stage:
    """One population with all that leads into it.

    Attributes
    ----------
    afferents
        Projections from other populations, in the order in which they were connected.
    recurrence
        The population's self-recurrent projection, or None.
    """

    population: Population
    afferents: tuple[Projection, ...]
    recurrence: Projection | None

    @property
    def name(self) -> str:
        """Name of the population."""
        return self.population.name

    @cached_property
    def wiring(self) -> Wiring:
        """All afferent synapses as one matrix, by source and by target."""
        return make_wiring(self.afferents, self.population.size)

    @property
    def delays_per_synapse(self) -> bool:
        """Whether some afferent has delays of its own for every synapse."""
        return any(projection.delay_per_synapse for projection in self.afferents)

    @property
    def shares_events(self) -> bool:
        """Whether all neurons of the stage meet the same events at the same times.

        So it is if every afferent is dense and no delay depends on the target. Then neurons can
        be advanced side by side; otherwise each walks the events of its own sources.
        """
        dense = all(p.kind == "dense" for p in self.afferents) and not self.delays_per_synapse
        return dense and (self.recurrence is None or not self.recurrence.delays.any())


@dataclass(frozen=True, eq=False)
class Plan:
    """Stages in run order; readouts are among them."""

    input: Population
    stages: tuple[Stage, ...]


_PLANS: WeakKeyDictionary[Network, tuple[tuple[int, int], Plan]] = WeakKeyDictionary()


def make_plan(net: Network) -> Plan:
    """Plan a network, or return its plan if its structure has not changed since.

    Raises
    ------
    NetworkError
        There is no input, or populations are joined in a loop.
    """
    signature = (len(net.populations), len(net.projections))
    known = _PLANS.get(net)
    if known is None or known[0] != signature:
        known = (signature, _plan(net))
        _PLANS[net] = known
    return known[1]


def _plan(net: Network) -> Plan:
    inputs = [p for p in net.populations.values() if p.kind == "input"]
    if not inputs:
        raise NetworkError("Network: has no input. Call add_input(name, size) first.")
    _refuse_loops(net)
    before: dict[str, list[str]] = {name: [] for name in net.populations}
    for projection in net.projections.values():
        if projection.kind != "self":
            before[projection.target].append(projection.source)
    order = TopologicalSorter(before).static_order()
    populations = [net.populations[name] for name in order]
    return Plan(inputs[0], tuple(_stage(net, p) for p in populations if p.kind != "input"))


def _stage(net: Network, population: Population) -> Stage:
    into = [p for p in net.projections.values() if p.target == population.name]
    recurrence = [p for p in into if p.kind == "self"]
    return Stage(
        population,
        tuple(p for p in into if p.kind != "self"),
        recurrence[0] if recurrence else None,
    )


def _refuse_loops(net: Network) -> None:
    names = list(net.populations)
    edges = [
        (names.index(p.source), names.index(p.target), p.name)
        for p in net.projections.values()
        if p.kind != "self"
    ]
    graph = sp.coo_array(
        (np.ones(len(edges)), ([e[0] for e in edges], [e[1] for e in edges])),
        shape=(len(names), len(names)),
    )
    _, component = connected_components(graph, directed=True, connection="strong")
    inside = [name for source, target, name in edges if component[source] == component[target]]
    if inside:
        raise NetworkError(
            f"Plan: projections {inside} form a loop between neurons (lateral recurrence). This "
            "version runs feedforward networks with self-recurrent and skip connections; use "
            "es.self_recurrent(r) for neurons that feed back onto themselves."
        )
