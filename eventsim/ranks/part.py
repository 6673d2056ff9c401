"""Part: the share of one process in a network, its own neurons and the synapses onto them.

Synapses are stored by source: row r has those of source ``sources[r]``. Only sources with a synapse
here have a row. Synapses of a row with the same delay are a bundle, since they arrive together; the
second one onto a neuron begins another. Rows ascend, bundles of a row are in order of their delay,
and targets ascend in a bundle. So a neuron sums the arrivals of one time in an order that does not
depend on the number of processes.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from eventsim.arrays import Floats, Ints
from eventsim.errors import NetworkError
from eventsim.network import Network, Population, Projection
from eventsim.ranks.decomposition import Decomposition
from eventsim.summary import short_repr

TAUS = ("tau_mem", "tau_syn")


@dataclass(frozen=True)
class Outline:
    """The graph of populations, which every process knows."""

    # Of the spiking populations
    names: tuple[str, ...]
    sizes: tuple[int, ...]
    n_inputs: int  # channels of the input
    # By (source, target): the number of the source, 0 the input and k + 1 population k, and that of
    # the target population. One-to-one projections are not among them.
    projections: dict[tuple[int, int], str]
    # Of all projections between neurons, and of neurons onto themselves where that is not 0; ms,
    # infinite if there are none
    least_delay: float
    fastest: float  # largest of all rates of membranes and synapses, 1/ms
    alike: bool  # whether all neurons share both time constants

    def source_first(self) -> Ints:
        """First source of the input and of every population, and their total."""
        return np.cumsum([0, self.n_inputs, *self.sizes])


class SynapseList(NamedTuple):
    """Source, target (own neurons, counted from 0), weight, and delay in ms of every synapse."""

    source: Ints
    target: Ints
    weight: Floats
    delay: Floats


@dataclass(frozen=True, eq=False)
class Part:
    """Arrays of one process; see :mod:`eventsim.ranks.part`."""

    outline: Outline
    decomposition: Decomposition
    rank: int
    neurons: Ints  # numbers of the own neurons, ascending, [own]
    population: Population  # the own neurons with their parameters
    recurrence: Projection | None  # their one-to-one projection onto themselves, or None
    # Source of every row, ascending, [rows]; first bundle of every row and their total
    sources: Ints
    first: Ints
    # Of every bundle, ms; first synapse of every bundle and their total
    delay: Floats
    synapse: Ints
    # Own neuron, counted from 0, and weight of every synapse
    target: NDArray[np.int32]
    weight: Floats

    __repr__ = short_repr

    @property
    def n_synapses(self) -> int:
        """Synapses that are stored here, without those of neurons onto themselves."""
        return self.target.size


def assemble(
    outline: Outline,
    decomposition: Decomposition,
    rank: int,
    population: Population,
    synapses: SynapseList,
    recurrence: Projection | None = None,
) -> Part:
    """Put the synapses of a process into their order."""
    order = np.lexsort((synapses.target, synapses.delay, synapses.source))
    source, delay = synapses.source[order], synapses.delay[order]
    target = synapses.target[order]
    apart = np.ones(source.size, bool)
    apart[1:] = (source[1:] != source[:-1]) | (delay[1:] != delay[:-1])
    apart[1:] |= target[1:] == target[:-1]
    synapse = np.flatnonzero(apart)
    source, delay = source[synapse], delay[synapse]
    first = np.flatnonzero(np.diff(source, prepend=-1))
    return Part(
        outline,
        decomposition,
        rank,
        decomposition.neurons(rank),
        population,
        recurrence,
        sources=source[first],
        first=np.append(first, source.size),
        delay=delay,
        synapse=np.append(synapse, apart.size),
        target=target.astype(np.int32),
        weight=synapses.weight[order],
    )


def joined(pieces: Sequence[SynapseList]) -> SynapseList:
    """Synapses one after the other. New arrays."""
    none = SynapseList(np.zeros(0, np.int64), np.zeros(0, np.int64), np.zeros(0), np.zeros(0))
    return SynapseList(*(np.concatenate(arrays) for arrays in zip(none, *pieces, strict=True)))


def outline_of(net: Network) -> Outline:
    """The outline of a network; NetworkError if it cannot be spread over processes."""
    names = list(net.spiking)
    place = {net.input.name: 0} | {name: k + 1 for k, name in enumerate(names)}
    projections, least = {}, np.inf
    for p in net.projections.values():
        if p.one_to_one:
            later = p.delays[p.delays > 0.0]
            least = min(least, float(later.min(initial=np.inf)))
            continue
        projections[place[p.source], place[p.target] - 1] = p.name
        if p.source != net.input.name:
            shortest = float(p.delays.min(initial=np.inf)) if p.values.size else np.inf
            check_delay(p.name, shortest)
            least = min(least, shortest)
    sizes = tuple(net.spiking[name].size for name in names)
    rates = [1.0 / getattr(p, tau) for tau in TAUS for p in net.spiking.values()]
    fastest = max(float(values.max()) for values in rates)
    of_tau = (np.concatenate(rates[: len(names)]), np.concatenate(rates[len(names) :]))
    alike = all(bool((values == values[0]).all()) for values in of_tau)
    return Outline(tuple(names), sizes, net.input.size, projections, least, fastest, alike)


def check_delay(name: str, shortest: float) -> None:
    """Raise NetworkError unless neurons of two processes may be connected with that delay, ms."""
    if not shortest > 0.0:
        raise NetworkError(
            "simulate_ranks",
            f"projection {name!r} has a delay of {shortest:g} ms",
            remedy="Processes exchange spikes once per window of the least delay between "
            "neurons, which must be > 0 ms. Give its synapses a delay, or call simulate, "
            "in one process.",
        )


def part_of(net: Network, decomposition: Decomposition, rank: int) -> Part:
    """The part of this process in a network that it has as a whole. New arrays."""
    outline = outline_of(net)
    mine = decomposition.neurons(rank)
    first = outline.source_first()
    here = np.full(int(decomposition.first[-1]), -1)
    here[mine] = np.arange(mine.size)
    place = {name: k for k, name in enumerate(outline.projections.values())}
    pairs, pieces = list(outline.projections), []
    for p in net.projections.values():
        if p.one_to_one:
            continue
        source, target = pairs[place[p.name]]
        at = here[decomposition.first[target] + p.targets()]
        met, weights, delays = at >= 0, p.values.ravel(), p.synapse_delays()
        sources = first[source] + p.sources()
        pieces.append(SynapseList(sources[met], at[met], weights[met], delays[met]))
    parameters = {
        key: np.concatenate([net.spiking[name].parameters[key] for name in outline.names])[mine]
        for key in next(iter(net.spiking.values())).parameters
    }
    population = Population("+".join(outline.names), mine.size, "spiking", parameters)
    own = _recurrence(net, population, mine)
    return assemble(outline, decomposition, rank, population, joined(pieces), own)


def _recurrence(net: Network, population: Population, mine: Ints) -> Projection | None:
    """The self-connections of all populations as one projection of the own neurons."""
    given = {p.target: p for p in net.projections.values() if p.one_to_one}
    if not given:
        return None
    name, parts = population.name, {"weights": [np.zeros(0)], "delays": [np.zeros(0)]}
    for each, members in net.spiking.items():
        for what, values in parts.items():
            value = getattr(given[each], what) if each in given else 0.0
            values.append(np.broadcast_to(value, (members.size,)))
    weights, delays = (np.concatenate(values)[mine] for values in parts.values())
    return Projection(f"{name}->{name}", name, name, "self", weights, delays, "source")
