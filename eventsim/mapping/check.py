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
    neurons: Counter[int] = Counter(place.values())
    synapses: Counter[int] = Counter()
    fan_in: Counter[tuple[str, int]] = Counter()
    sources: defaultdict[int, set[tuple[str, int]]] = defaultdict(set)
    for projection in net.to_host().projections.values():
        for i, j in _synapses(projection):
            source, target = (projection.source, i), (projection.target, j)
            synapses[place[target]] += 1
            fan_in[target] += 1
            sources[place[target]].add(source)
    out: Counter[int] = Counter()
    for found in sources.values():
        for source in found:
            if source in place:
                out[place[source]] += 1
    bits = limits.bits_per_synapse or 0
    counted = (
        ("neurons_per_core", neurons),
        ("axons_in_per_core", {core: len(found) for core, found in sources.items()}),
        ("axons_out_per_core", out),
        ("synapses_per_core", synapses),
        ("synapse_bits_per_core", {core: number * bits for core, number in synapses.items()}),
    )
    broken = [
        Violation("cores", f"core {core}", core, limits.cores - 1)
        for core in neurons
        if not 0 <= core < limits.cores
    ]
    for name, held in counted:
        allowed = getattr(limits, name)
        broken += [
            Violation(name, f"core {core}", number, allowed)
            for core, number in sorted(held.items())
            if allowed is not None and number > allowed
        ]
    most = limits.fan_in_per_neuron
    broken += [
        Violation("fan_in_per_neuron", f"neuron {index} of {name!r}", number, most)
        for (name, index), number in sorted(fan_in.items())
        if most is not None and number > most
    ]
    return broken


def _places(net: Network, cores: Mapping[str, Ints]) -> dict[tuple[str, int], int]:
    place: dict[tuple[str, int], int] = {}
    for name, population in net.populations.items():
        if population.kind == "input" and name not in cores:
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
    if projection.kind == "self":
        yield from ((i, i) for i, w in enumerate(projection.weights.tolist()) if w != 0)
    elif projection.kind == "dense":
        for i, row in enumerate(projection.weights.tolist()):
            yield from ((i, j) for j, w in enumerate(row) if w != 0)
    else:
        start = projection.weights.indptr.tolist()
        targets, values = projection.weights.indices.tolist(), projection.weights.data.tolist()
        for i in range(len(start) - 1):
            span = range(start[i], start[i + 1])
            yield from ((i, targets[k]) for k in span if values[k] != 0)
