"""An independent check of a mapping: every limit, counted again from the network.

It shares no code with the partitioner and takes only the network, the chip, and the core of every
neuron, so that mappings of other tools can be checked too. The content of a core is counted by
sorting pairs (core, source), projection by projection: 10^7 synapses take seconds. Words as in
:mod:`eventsim.hardware.graph`.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from eventsim.chips import Chip
from eventsim.chips.chip import PLACE_STATES
from eventsim.hardware.errors import MappingError
from eventsim.network import Network, Projection

Ints = Sequence[int] | NDArray[np.integer[Any]]
Numbers = NDArray[np.int64]


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
    """What every core holds, by the name of its limit, and the synapses of every neuron."""
    first, total = {}, 0  # number of the first neuron of each population
    for name, population in net.populations.items():
        first[name], total = total, total + population.size
    core_of = np.full(total, -1)  # rank of the core; -1 outside of the chip
    cores, ranks = np.unique(np.concatenate(list(place.values())), return_inverse=True)
    for name, mine in zip(place, _split(ranks, place.values()), strict=True):
        core_of[first[name] : first[name] + mine.size] = mine
    fan_in, pairs = np.zeros(total, np.int64), [np.zeros(0, np.int64)]
    for projection in net.to_host().projections.values():
        source, target = _synapses(projection)
        target = target + first[projection.target]
        fan_in += np.bincount(target, minlength=total)
        pairs.append(np.unique(core_of[target] * total + source + first[projection.source]))
    core, source = np.divmod(np.unique(np.concatenate(pairs)), total)
    placed = core_of >= 0
    synapses = np.bincount(core_of[placed], weights=fan_in[placed], minlength=cores.size)
    # One axon out for each core that a source reaches; sources outside the chip have no core.
    home = core_of[source]
    by_core = {
        "neurons_per_core": np.bincount(core_of[placed], minlength=cores.size),
        "axons_in_per_core": np.bincount(core, minlength=cores.size),
        "axons_out_per_core": np.bincount(home[home >= 0], minlength=cores.size),
        "synapses_per_core": synapses.astype(np.int64),
        "synapse_bits_per_core": synapses.astype(np.int64) * bits,
    }
    states = _states(net)
    if (states != PLACE_STATES).any():  # else the number of neurons says it
        found = np.bincount(core_of[placed], weights=states[placed], minlength=cores.size)
        by_core["states_per_core"] = found.astype(np.int64)
    held = {
        name: dict(zip(cores.tolist(), numbers.tolist(), strict=True))
        for name, numbers in by_core.items()
    }
    return held, {name: fan_in[first[name] : first[name] + place[name].size] for name in place}


def _states(net: Network) -> Numbers:
    """Of every neuron, population after population; two, or those of its kind."""
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


def _synapses(projection: Projection) -> tuple[Numbers, Numbers]:
    """Source and target of every weight that is not 0."""
    kept = projection.values.ravel() != 0
    found = projection.sources()[kept], projection.targets()[kept]
    return found[0].astype(np.int64), found[1].astype(np.int64)
