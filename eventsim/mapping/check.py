"""An independent check of a mapping: every limit, counted again from the network, in plain Python.

It shares no code with the partitioner and takes only the network, the chip, and the core of every
neuron, so that mappings of other tools can be checked too. Slow: sets and loops over all synapses.
Words as in :mod:`eventsim.mapping.graph`.
"""

from collections import Counter, defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from eventsim.chips import Chip
from eventsim.mapping.errors import MappingError
from eventsim.network import Network, Projection

Neuron = tuple[str, int]
Ints = Sequence[int] | NDArray[np.integer[Any]]


@dataclass(frozen=True)
class Violation:
    """A limit that does not hold: field of ``Limits``, where, what came, what is allowed."""

    limit: str
    where: str
    held: int
    allowed: int

    def __str__(self) -> str:
        return f"{self.limit}: {self.where} holds {self.held:,}, allowed are {self.allowed:,}"


def check_mapping(net: Network, chip: Chip, cores: Mapping[str, Ints]) -> list[Violation]:
    """Limits that a mapping breaks; an empty list if all hold.

    Parameters
    ----------
    net
        The network that was mapped.
    chip
        With limits.
    cores
        Core of every neuron by population, as ``Mapping.cores``; with the input's channels if they
        have places on cores.

    Raises
    ------
    MappingError
        A neuron has no core, or the chip has no limits.
    """
    limits = chip.limits
    if limits is None:
        raise MappingError(f"Chip {chip.name!r}: has no limits to check.")
    place = _places(net, cores)
    held, fan_in = _count(net, place, limits.bits_per_synapse or 0)
    broken = [
        Violation("cores", f"core {core}", core, limits.cores - 1)
        for core in held["neurons_per_core"]
        if not 0 <= core < limits.cores
    ]
    for name, by_core in held.items():
        allowed = getattr(limits, name)
        broken += [
            Violation(name, f"core {core}", number, allowed)
            for core, number in sorted(by_core.items())
            if allowed is not None and number > allowed
        ]
    most = limits.fan_in_per_neuron
    broken += [
        Violation("fan_in_per_neuron", f"neuron {index} of {name!r}", number, most)
        for (name, index), number in sorted(fan_in.items())
        if most is not None and number > most
    ]
    return broken


def _count(
    net: Network, place: Mapping[Neuron, int], bits: int
) -> tuple[dict[str, dict[int, int]], dict[Neuron, int]]:
    """What every core holds, by the name of its limit, and the synapses of every neuron."""
    synapses: Counter[int] = Counter()
    fan_in: Counter[Neuron] = Counter()
    sources: defaultdict[int, set[Neuron]] = defaultdict(set)
    for projection in net.to_host().projections.values():
        for i, j in _synapses(projection):
            target = (projection.target, j)
            synapses[place[target]] += 1
            fan_in[target] += 1
            sources[place[target]].add((projection.source, i))
    # One axon out for each core that a source reaches; sources outside the chip have no core.
    out = Counter(place[source] for found in sources.values() for source in found & place.keys())
    return {
        "neurons_per_core": Counter(place.values()),
        "axons_in_per_core": {core: len(found) for core, found in sources.items()},
        "axons_out_per_core": out,
        "synapses_per_core": synapses,
        "synapse_bits_per_core": {core: number * bits for core, number in synapses.items()},
    }, fan_in


def _places(net: Network, cores: Mapping[str, Ints]) -> dict[Neuron, int]:
    place: dict[Neuron, int] = {}
    for name, population in net.populations.items():
        if population is net.input and name not in cores:
            continue
        given = [int(core) for core in cores.get(name, ())]
        if len(given) != population.size:
            raise MappingError(
                f"Population {name!r}: the mapping has cores of {len(given)} neurons, the network "
                f"{population.size}."
            )
        place |= {(name, index): core for index, core in enumerate(given)}
    return place


def _synapses(projection: Projection) -> Iterator[tuple[int, int]]:
    """Source and target of every weight that is not 0."""
    ends = zip(projection.sources().tolist(), projection.targets().tolist(), strict=True)
    values = projection.values.ravel().tolist()
    yield from (pair for pair, weight in zip(ends, values, strict=True) if weight != 0)
