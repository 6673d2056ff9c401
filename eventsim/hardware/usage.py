"""Use of the cores under an assignment, compared with the limits; and a lower bound of it."""

import math
from collections.abc import Iterator
from dataclasses import dataclass, fields

import numpy as np
import scipy
from numpy.typing import NDArray

from eventsim.arrays import Ints
from eventsim.chips import Chip, Limits
from eventsim.chips.chip import PLACE_STATES
from eventsim.errors import MappingError
from eventsim.hardware.errors import InfeasibleError
from eventsim.hardware.graph import AxonGraph, axon_graph, row_blocks
from eventsim.matrix import require
from eventsim.network import Network
from eventsim.summary import short_repr

LIMIT_OF = {
    "neurons": "neurons_per_core",
    "states": "states_per_core",
    "axons_in": "axons_in_per_core",
    "axons_out": "axons_out_per_core",
    "synapses": "synapses_per_core",
    "synapse_bits": "synapse_bits_per_core",
}
ADVICE = {
    "neurons": "Use a chip or board with more cores, or fewer neurons.",
    "states": "Use a chip or board with more cores, or neurons with fewer states.",
    "axons_in": "Lower the fan-in (sparser weights), or use a chip or board with more cores.",
    "axons_out": "Lower the fan-out (sparser weights), or use a chip or board with more cores.",
    "synapses": "Use sparser weights, or a chip or board with more cores.",
    "synapse_bits": "Use sparser weights, fewer bits per weight, or a chip or board of more cores.",
}


@dataclass(frozen=True, eq=False)
class Usage:
    """Content of each core, int64 [cores] each; words as in :mod:`eventsim.hardware.graph`.

    ``states`` is None where all neurons have as many as a place has: then their number says it.
    """

    neurons: Ints
    states: Ints | None
    axons_in: Ints
    axons_out: Ints
    synapses: Ints
    synapse_bits: Ints

    __repr__ = short_repr

    def fills(self, limits: Limits) -> dict[str, tuple[int, int]]:
        """The fullest core and the limit, ``{resource: (most, limit)}``, where there is one."""
        return {name: (int(held.max()), limit) for name, held, limit in self._limited(limits)}

    def excess(self, limits: Limits) -> tuple[str, int, int, int] | None:
        """The worst ``(resource, core, used, limit)``, relative to its limit; None if all fit."""
        worst, found = 1.0, None
        for name, held, limit in self._limited(limits):
            core = int(held.argmax())
            share = float(held[core]) / limit if limit else np.inf
            if held[core] > limit and share > worst:
                worst, found = share, (name, core, int(held[core]), limit)
        return found

    def _limited(self, limits: Limits) -> Iterator[tuple[str, Ints, int]]:
        for field in fields(self):
            limit, held = getattr(limits, LIMIT_OF[field.name]), getattr(self, field.name)
            if limit is not None and held is not None:
                yield field.name, held, int(limit)


def destinations(
    graph: AxonGraph, core_of: NDArray[np.int32], n_cores: int
) -> "scipy.sparse.csr_array":
    """Targets of every axon on every core, csr_array int32 [axons, cores] without zeros."""
    blocks = [found for _, found in destination_blocks(graph, core_of, n_cores)]
    return scipy.sparse.vstack(blocks, format="csr")


def destination_blocks(
    graph: AxonGraph, core_of: NDArray[np.int32], n_cores: int
) -> Iterator[tuple[int, "scipy.sparse.csr_array"]]:
    """The rows of :func:`destinations` block after block, each with the number of its first."""
    ones, synapses = np.ones(core_of.size, np.int32), graph.synapses
    place = scipy.sparse.csr_array(
        (ones, core_of, np.arange(core_of.size + 1)), (core_of.size, n_cores)
    )
    for low, high in row_blocks(synapses.indptr):
        start = synapses.indptr[low : high + 1]
        target = synapses.indices[start[0] : start[-1]]
        shape = high - low, graph.n_neurons
        values = np.ones(target.size, np.int32), target, start - start[0]
        yield low, (scipy.sparse.csr_array(values, shape=shape) @ place).tocsr()


def core_usage(graph: AxonGraph, core_of: NDArray[np.int32], n_cores: int, limits: Limits) -> Usage:
    """Count the content of each core; ``core_of`` is the core of each placed neuron.

    The limits give the bits per synapse, 0 where a chip has none.
    """
    axons_in, reached = np.zeros(n_cores, np.int64), np.zeros(graph.n_axons, np.int64)
    for low, found in destination_blocks(graph, core_of, n_cores):
        axons_in += np.bincount(found.indices, minlength=n_cores)
        reached[low : low + found.shape[0]] = np.diff(found.indptr)
    synapses = _counted(core_of, graph.fan_in, n_cores)
    return Usage(
        neurons=np.bincount(core_of, minlength=n_cores),
        states=_counted(core_of, graph.states, n_cores) if further_states(graph).any() else None,
        axons_in=axons_in,
        axons_out=_counted(core_of, reached[: graph.n_neurons], n_cores),
        synapses=synapses,
        synapse_bits=synapses * (limits.bits_per_synapse or 0),
    )


def _counted(core_of: NDArray[np.int32], numbers: Ints, n_cores: int) -> Ints:
    """Sum of whole numbers by core."""
    return np.bincount(core_of, weights=numbers, minlength=n_cores).astype(np.int64)


def further_states(graph: AxonGraph) -> Ints:
    """States of every neuron beyond those that a place on a core has, int64 [neurons]."""
    return graph.states - PLACE_STATES


def states_assumed(graph: AxonGraph, limits: Limits) -> tuple[str, ...]:
    """Assumptions about neurons with further states, a line for each population; often none."""
    if limits.neurons_per_core is None:
        return ()
    return tuple(
        f"Assumed of population {group.name!r}: its neurons have {n} states, so each takes the "
        f"place of {n / PLACE_STATES:g} of neurons_per_core, which have {PLACE_STATES}. The time "
        "that their updates take is not counted."
        for group in graph.groups
        if (n := int(graph.states[group.start])) != PLACE_STATES
    )


def limits_of(chip: Chip) -> Limits:
    """The limits of a chip; MappingError for a technology, which has none."""
    if chip.limits is None:
        raise MappingError(
            f"Chip {chip.name!r}",
            f"is a {chip.kind} without cores, nothing can be mapped onto it",
            remedy="Choose a chip that has limits (eventsim.chips.chip_names()), or give yours "
            "some.",
        )
    return chip.limits


def limits_left_out(chip: Chip) -> tuple[str, ...]:
    """Limits of a core or a neuron that the chip's file lacks; they are not checked."""
    limits = limits_of(chip)
    names = [name for name in LIMIT_OF.values() if name != "states_per_core"]
    names.append("fan_in_per_neuron")
    return tuple(name for name in names if getattr(limits, name) is None)


def synapse_limit(limits: Limits) -> int | None:
    """Largest number of synapses on a core, by number and by memory; None without a limit."""
    found = []
    if limits.synapses_per_core is not None:
        found.append(limits.synapses_per_core)
    if limits.synapse_bits_per_core is not None and limits.bits_per_synapse:
        found.append(limits.synapse_bits_per_core // limits.bits_per_synapse)
    return min(found) if found else None


def check_neurons(graph: AxonGraph, chip: Chip) -> None:
    """Raise InfeasibleError if a single neuron exceeds a limit, or all neurons exceed the chip."""
    limits = limits_of(chip)
    bits = limits.bits_per_synapse or 0
    alone = (
        ("fan_in_per_neuron", graph.fan_in, limits.fan_in_per_neuron),
        ("states_per_core", graph.states, limits.states_per_core),
        ("axons_in_per_core", graph.n_sources, limits.axons_in_per_core),
        ("synapses_per_core", graph.fan_in, limits.synapses_per_core),
        ("synapse_bits_per_core", graph.fan_in * bits, limits.synapse_bits_per_core),
    )
    for name, needs, limit in alone:
        neuron = int(needs.argmax())
        if limit is not None and needs[neuron] > limit:
            many = int((needs > limit).sum())
            raise InfeasibleError(
                chip=chip.name,
                limit=name,
                needed=int(needs[neuron]),
                available=limit,
                neuron=graph.name_of(neuron),
                advice=f"It is the worst of {many:,} such neurons; no core can hold one of them. "
                "Give them fewer inputs (sparser weights) or states, or choose another chip.",
            )
    whole = (
        ("neurons", graph.n_neurons, limits.neurons_per_core),
        ("states", int(graph.states.sum()), limits.states_per_core),
        ("synapses", int(graph.fan_in.sum()), limits.synapses_per_core),
        ("synapse_bits", int(graph.fan_in.sum()) * bits, limits.synapse_bits_per_core),
    )
    cores = max((need / per_core for _, need, per_core in whole if per_core is not None), default=0)
    for name, need, per_core in whole:
        if per_core is not None and need > per_core * limits.cores:
            raise InfeasibleError(
                chip=chip.name,
                limit=f"{LIMIT_OF[name]} x {limits.cores:,} cores",
                needed=need,
                available=per_core * limits.cores,
                advice=f"{ADVICE[name]} {_board_for(cores, limits)}",
            )


def _board_for(cores: float, limits: Limits) -> str:
    """Advice to take the least board that has so many cores."""
    each = limits.cores // (limits.chips[0] * limits.chips[1])
    chips = max(2, math.ceil(cores / each))
    columns = math.isqrt(chips - 1) + 1
    return (
        f"At least {chips:,} chips have room for it: a board of {columns} x "
        f"{-(-chips // columns)} (eventsim.chips.board_of; --chips)."
    )


def check_room(net: Network, chip: Chip) -> None:
    """Raise InfeasibleError if it is certain that no mapping of a network onto a chip exists.

    This checks the needs of each neuron alone, and of all neurons together. Without an error
    :func:`map_network` may still find no mapping.

    Parameters
    ----------
    net
        Its weights that are not 0 count.
    chip
        With limits.

    Raises
    ------
    InfeasibleError
        A limit is exceeded by any mapping.
    MappingError
        The chip has no limits, or the network no neurons.
    """
    require("map", net, chip, where=f"Chip {chip.name!r}")
    limits, graph = limits_of(chip), axon_graph(net, None)
    check_neurons(graph, chip)
    needed = fewest_cores(graph, limits)
    if needed > limits.cores:
        raise InfeasibleError(
            chip=chip.name,
            limit="cores",
            needed=needed,
            available=limits.cores,
            advice=f"{ADVICE['axons_in']} {_board_for(needed, limits)}",
        )


def fewest_cores(graph: AxonGraph, limits: Limits) -> int:
    """A lower bound of the number of cores, from neurons, synapses and axons in."""
    bounds = [1]
    if limits.states_per_core is not None:
        bounds.append(-(-int(graph.states.sum()) // limits.states_per_core))
    most = synapse_limit(limits)
    if most:
        bounds.append(-(-int(graph.fan_in.sum()) // most))
    if limits.axons_in_per_core:
        used = int((np.diff(graph.synapses.indptr) > 0).sum())
        bounds.append(-(-used // limits.axons_in_per_core))
    return max(bounds)
