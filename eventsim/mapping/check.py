"""An independent check of a mapping: every limit, counted again from the network.

It shares no code with the partitioner and takes only the network, the chip, and the core of every
neuron, so that mappings of other tools can be checked too. Sources and cores that they reach are
marked in a table, of some sources at a time. Words as in :mod:`eventsim.hardware.graph`.
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from eventsim.chips import Chip
from eventsim.chips.chip import PLACE_STATES
from eventsim.errors import MappingError
from eventsim.network import Network, Projection

Ints = Sequence[int] | NDArray[np.integer[Any]]
Numbers = NDArray[np.int64]
ROOM = 1 << 24  # entries of the table of sources and cores; synapses, about


@dataclass(frozen=True)
class Violation:
    """A limit that is exceeded: field of ``Limits``, place, value, allowed value."""

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
        raise MappingError(f"Chip {chip.name!r}", "has no limits to check")
    place = _places(net, cores)
    held, fan_in = _count(net.to_host(), place, limits.bits_per_synapse or 0)
    broken = [
        Violation("cores", f"core {core}", core, limits.cores - 1)
        for core in held["neurons_per_core"]
        if not 0 <= core < limits.cores
    ]
    for name, by_core in held.items():
        allowed = getattr(limits, name)
        broken += [
            Violation(name, f"core {core}", number, allowed)
            for core, number in by_core.items()
            if allowed is not None and number > allowed
        ]
    most = limits.fan_in_per_neuron
    for name in sorted(fan_in):
        broken += [
            Violation("fan_in_per_neuron", f"neuron {index} of {name!r}", number, most)
            for index, number in enumerate(fan_in[name].tolist())
            if most is not None and number > most
        ]
    return broken


def _count(
    net: Network, place: Mapping[str, Numbers], bits: int
) -> tuple[dict[str, dict[int, int]], dict[str, Numbers]]:
    """Load of every core, by the name of its limit, and the synapses of every neuron."""
    first, total = {}, 0  # number of the first neuron of each population
    for name, population in net.populations.items():
        first[name], total = total, total + population.size
    core_of = np.full(total, -1)  # rank of the core; -1 outside of the chip
    cores, ranks = np.unique(np.concatenate(list(place.values())), return_inverse=True)
    for name, mine in zip(place, _split(ranks, place.values()), strict=True):
        core_of[first[name] : first[name] + mine.size] = mine
    fan_in, axons_in, axons_out = (np.zeros(n, np.int64) for n in (total, cores.size, cores.size))
    for source, low, high in _ranges(net, cores.size):
        reached = np.zeros((high - low, cores.size), bool)
        for projection in net.projections.values():
            if projection.source == source:
                row, target = _synapses(projection, low, high)
                target += first[projection.target]
                fan_in += np.bincount(target, minlength=total)
                reached[row, core_of[target]] = True
        axons_in += reached.sum(axis=0)
        # One axon out for each core that a source reaches; sources outside have no core.
        home, number = core_of[first[source] + low : first[source] + high], reached.sum(axis=1)
        axons_out += _sums(home[home >= 0], number[home >= 0], cores.size)
    placed = core_of >= 0
    synapses = _sums(core_of[placed], fan_in[placed], cores.size)
    by_core = {
        "neurons_per_core": np.bincount(core_of[placed], minlength=cores.size),
        "axons_in_per_core": axons_in,
        "axons_out_per_core": axons_out,
        "synapses_per_core": synapses,
        "synapse_bits_per_core": synapses * bits,
    }
    states = _states(net)
    if (states != PLACE_STATES).any():  # else the number of neurons says it
        by_core["states_per_core"] = _sums(core_of[placed], states[placed], cores.size)
    held = {
        name: dict(zip(cores.tolist(), numbers.tolist(), strict=True))
        for name, numbers in by_core.items()
    }
    return held, {name: fan_in[first[name] : first[name] + place[name].size] for name in place}


def _ranges(net: Network, n_cores: int) -> Iterator[tuple[str, int, int]]:
    """Neurons that are looked at together: a population, the first, the one after the last."""
    for name, population in net.populations.items():
        n = sum(p.values.size for p in net.projections.values() if p.source == name)
        step = max(1, ROOM // max(n_cores, n // population.size))
        for low in range(0, population.size if n else 0, step):
            yield name, low, min(low + step, population.size)


def _sums(cores: Numbers, numbers: Numbers, n_cores: int) -> Numbers:
    """Sum of whole numbers by core."""
    return np.bincount(cores, weights=numbers, minlength=n_cores).astype(np.int64)


def _states(net: Network) -> Numbers:
    """States of every neuron, population after population: two, or those of its kind."""
    parts = net.populations.values()
    each = [PLACE_STATES if p.neuron is None else len(p.neuron.states) for p in parts]
    return np.repeat(each, [p.size for p in parts])


def _split(ranks: Numbers, parts: Iterable[Numbers]) -> list[Numbers]:
    return np.split(ranks, np.cumsum([part.size for part in parts])[:-1])


def _places(net: Network, cores: Mapping[str, Ints]) -> dict[str, Numbers]:
    """Core of every neuron on the chip, by population."""
    place: dict[str, Numbers] = {}
    for name, population in net.populations.items():
        if population is net.input and name not in cores:
            continue
        place[name] = np.asarray(cores.get(name, ()), dtype=np.int64)
        if place[name].size != population.size:
            raise MappingError(
                f"Population {name!r}",
                f"the mapping has cores of {place[name].size} neurons",
                f"{population.size} as in the network",
            )
    return place


def _synapses(projection: Projection, low: int, high: int) -> tuple[Numbers, Numbers]:
    """Source, less the first, and target of every weight of some sources that is not 0."""
    first = projection.first_synapses()[low : high + 1]
    kept = np.flatnonzero(projection.values.ravel()[first[0] : first[-1]])
    row = np.repeat(np.arange(high - low), np.diff(first))[kept]
    return row, projection.targets(first[0] + kept)
