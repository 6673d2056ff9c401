"""Mapping: which neuron is on which core of a chip; how it is found, written and read."""

import json
from collections.abc import Mapping as Table
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, Literal, get_args

import numpy as np
from numpy.typing import ArrayLike, NDArray

from eventsim.arrays import to_host
from eventsim.checks import in_domain, one_of, times_by_sample
from eventsim.chips import Chip, Limits
from eventsim.entries import Count, read_json
from eventsim.errors import MappingError, StorageError
from eventsim.events import SpikeTape
from eventsim.events.storage import write_atomically
from eventsim.hardware.graph import AxonGraph, Inputs, axon_graph, axon_spikes
from eventsim.hardware.usage import Usage, check_neurons, core_usage, limits_of, states_assumed
from eventsim.mapping.effort import Effort, Told
from eventsim.mapping.mesh import (
    Cores,
    Flows,
    Hops,
    Traffic,
    coordinates,
    flows,
    multicast_hops,
    traffic,
)
from eventsim.mapping.search import assignments
from eventsim.matrix import require
from eventsim.network import Network
from eventsim.summary import cut, short_repr

Method = Literal["refined", "hypergraph", "first_fit", "population_order"]
METHODS: tuple[Method, ...] = get_args(Method)
BASELINES: tuple[Method, ...] = ("first_fit", "population_order")
FORMAT, VERSION = "eventsim-mapping", 1
TOLD = (  # of the traffic
    "spikes_between_cores", "spikes_from_outside", "hops_east_west", "hops_north_south",
    "hops_from_outside", "hop_weighted_spikes", "hops_between_chips",
)  # fmt: skip


@dataclass(frozen=True, eq=False)
class Mapping:
    """Neurons on cores.

    Attributes
    ----------
    chip, method, inputs, seed
        What was asked for.
    cores
        int32 [neurons] by population: core of the chip of every neuron.
    usage
        What each used core holds; core k of it is ``used[k]``.
    used
        int32 [used cores]: cores of the chip that hold something.
    traffic
        What passes over the mesh, every spike once for each destination core.
    assumed
        What is assumed of neurons with more states than the limits count, a line for each
        population.
    multicast_hops
        Links that spikes pass, those from outside included, where routers copy them: each link of a
        spike's tree of routes once.
    """

    chip: Chip
    method: Method
    inputs: Inputs
    seed: int
    cores: Table[str, Cores]
    used: Cores
    usage: Usage
    traffic: Traffic
    multicast_hops: Hops
    spikes_by_core: Flows = field(repr=False)
    assumed: tuple[str, ...] = ()

    __repr__ = short_repr

    @property
    def n_cores(self) -> int:
        """Cores that hold neurons."""
        return int(self.used.size)

    def fills(self) -> dict[str, tuple[int, int]]:
        """Fullest core and limit by resource, where the chip has a limit."""
        return self.usage.fills(limits_of(self.chip))

    def counts(self) -> dict[str, int]:
        """Counts for the ``mapped`` of :func:`eventsim.energy.energy`: axons, hops, cores.

        Hops are those of trees where the chip's routers copy spikes (``Limits.multicast``). Those
        between chips are ``hop_chip`` and in neither of the others.
        """
        sent = self.traffic
        hops = Hops(
            sent.hops_east_west + sent.outside_east_west,
            sent.hops_north_south + sent.outside_north_south,
            sent.chips_east_west,
            sent.chips_north_south,
        )
        if limits_of(self.chip).multicast:
            hops = self.multicast_hops
        return {
            "axon_out": sent.packets,
            "hop_ew": hops.east_west - hops.chips_east_west,
            "hop_ns": hops.north_south - hops.chips_north_south,
            "hop_chip": hops.chips_east_west + hops.chips_north_south,
            "cores": self.n_cores,
        }

    def link_energy(self) -> tuple[float, tuple[str, ...]]:
        """Energy of all links passed by the spikes, pJ, and terms without a figure of the chip."""
        passed = {name: n for name, n in self.counts().items() if name.startswith("hop_") and n}
        figures = self.chip.energy
        known = sum(n * figures[name].value for name, n in passed.items() if name in figures)
        return known, tuple(name for name in passed if name not in figures)

    def to_dict(self) -> dict[str, Any]:
        """Plain values, as in the file of :meth:`save`."""
        columns, rows = (axis[self.used] for axis in coordinates(limits_of(self.chip)))
        sent, (energy, lacking) = self.traffic, self.link_energy()
        return {
            "format": FORMAT,
            "version": VERSION,
            "chip": self.chip.name,
            "method": self.method,
            "inputs": self.inputs,
            "seed": self.seed,
            "cores_used": self.n_cores,
            "assumed": list(self.assumed),
            "fill": {name: {"most": a, "limit": b} for name, (a, b) in self.fills().items()},
            "traffic": {
                **{name: getattr(sent, name) for name in TOLD},
                "multicast_hops": self.multicast_hops.east_west + self.multicast_hops.north_south,
                "busiest_link": sent.busiest_link,
            },
            "link_energy": {"energy_pj": energy, "without_figure": list(lacking)},
            "used": [
                {"core": int(c), "column": int(x), "row": int(y), "neurons": int(n)}
                for c, x, y, n in zip(self.used, columns, rows, self.usage.neurons, strict=True)
            ],
            "cores": {name: cores.tolist() for name, cores in self.cores.items()},
        }

    def save(self, path: str | Path) -> None:
        """Write the mapping as JSON, atomically; :func:`load_cores` reads it."""
        text = json.dumps(self.to_dict()) + "\n"
        write_atomically(path, text)


def load_cores(path: str | Path) -> dict[str, Cores]:
    """The core of every neuron by population, from a file of :meth:`Mapping.save`."""
    if not Path(path).exists():
        raise StorageError(path, "no such file", "a mapping of eventsim")
    values = read_json(Path(path), str(path), StorageError)
    try:
        if values["format"] != FORMAT or values["version"] != VERSION:
            said = (cut(repr(values[key])) for key in ("format", "version"))
            raise ValueError("format {}, version {}".format(*said))
        return {name: _cores(name, cores) for name, cores in values["cores"].items()}
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise StorageError(
            path,
            f"is no mapping of version {VERSION} ({type(error).__name__}: {error})",
            remedy="Map the network again.",
        ) from error


def _cores(name: str, given: Any) -> Cores:
    largest = np.iinfo(np.int32).max
    if not isinstance(given, list) or not all(type(c) is int and 0 <= c <= largest for c in given):
        raise ValueError(f"the cores of {cut(repr(name))} are no list of whole numbers >= 0")
    return np.array(given, dtype=np.int32)


def map_network(
    net: Network,
    tape: SpikeTape | None,
    chip: Chip,
    *,
    method: Method = "refined",
    inputs: Inputs = "external",
    neurons_per_core: int | None = None,
    optimise_placement: bool | None = None,
    seed: int = 0,
    seconds: float | None = None,
    told: Told | None = None,
) -> Mapping:
    """Map a network onto a chip: partition under all limits, then place.

    Parameters
    ----------
    net
        The network.
    tape
        A run of it, whose spike counts weigh the axons; None weighs all alike.
    chip
        With limits.
    method
        ``refined``: several starts, each repaired and refined, of which the one is taken whose
        spikes pass the fewest links. ``hypergraph``: Mt-KaHyPar makes further starts (extra
        ``mapping``). ``first_fit`` and ``population_order``: baselines, defined in
        :mod:`eventsim.mapping.starts`.
    inputs
        As in :func:`axon_graph`.
    neurons_per_core
        Use at most this number of neurons of a core, so that more cores work in parallel. One with
        further states is counted as in ``Limits.neurons_per_core``.
    optimise_placement
        False puts core after core in the chip's numbering. By default baselines are placed so; the
        other methods by :func:`place`, after which neurons are moved by the links they save.
    seed
        Of partitioner and annealing; the same seed gives the same mapping, unless ``seconds`` ends
        the search.
    seconds
        After which the search ends with the best mapping so far (anytime); the first is finished in
        any case. Starts of our own come before Mt-KaHyPar. None: until nothing is left to do.
    told
        Called with the present step and the fraction of all steps that are done, 0 to 1.

    Raises
    ------
    InfeasibleError
        A limit cannot be kept, or was not kept by this method.
    MappingError
        The chip has no limits, the method is unknown, its package is missing, or its file does not
        say whether its neurons can be of the network's kinds.
    NetworkError
        The chip's neuron is fixed, and is not of a kind of the network.
    """
    one_of("map_network", "method", method, METHODS, error=MappingError)
    require("map", net, chip, where=f"Chip {chip.name!r}")
    graph = axon_graph(net, tape, inputs=inputs)
    return map_graph(
        graph,
        filled_less(chip, neurons_per_core),
        method=method,
        inputs=inputs,
        optimise_placement=optimise_placement,
        seed=seed,
        seconds=seconds,
        told=told,
    )


def map_graph(
    graph: AxonGraph,
    chip: Chip,
    *,
    method: Method = "refined",
    inputs: Inputs = "external",
    optimise_placement: bool | None = None,
    seed: int = 0,
    seconds: float | None = None,
    told: Told | None = None,
) -> Mapping:
    """As :func:`map_network`, for a graph that is at hand: several methods or chips share it."""
    check_neurons(graph, chip)
    optimise = method not in BASELINES if optimise_placement is None else optimise_placement
    found = []
    effort = Effort(seconds, told)
    for core_of, places in assignments(graph, chip, method, effort, optimise=optimise, seed=seed):
        found.append(_mapping(graph, chip, method, inputs, seed, core_of, places))
    return min(found, key=_merit)


def _merit(mapping: Mapping) -> tuple[int, int, int]:
    """Links that spikes pass, of trees where the chip's routers copy them; then spikes, cores."""
    sent, tree = mapping.traffic, mapping.multicast_hops
    spikes = sent.spikes_between_cores + sent.spikes_from_outside
    hops = sent.hop_weighted_spikes
    if limits_of(mapping.chip).multicast:
        hops = tree.east_west + tree.north_south
    return hops, spikes, mapping.n_cores


def filled_less(chip: Chip, neurons_per_core: int | None) -> Chip:
    """The chip with at most so many neurons on a core; itself for None."""
    limits = limits_of(chip)
    if neurons_per_core is None:
        return chip
    in_domain("map_network", "neurons_per_core", neurons_per_core, Count, error=MappingError)
    most = min(neurons_per_core, limits.neurons_per_core or neurons_per_core)
    return replace(chip, limits=replace(limits, neurons_per_core=most))


def _mapping(
    graph: AxonGraph,
    chip: Chip,
    method: Method,
    inputs: Inputs,
    seed: int,
    core_of: Cores,
    places: NDArray[np.int32],
) -> Mapping:
    limits, n_cores = limits_of(chip), places.size
    usage = core_usage(graph, core_of, n_cores, limits)
    at = places[core_of]
    return Mapping(
        chip=chip,
        method=method,
        inputs=inputs,
        seed=seed,
        cores={g.name: at[g.start : g.start + g.size] for g in graph.groups},
        used=places,
        usage=usage,
        assumed=states_assumed(graph, limits),
        **_sent(graph, core_of, places, limits),
    )


def _sent(graph: AxonGraph, core_of: Cores, places: Cores, limits: Limits) -> dict[str, Any]:
    """The fields of a mapping that depend on spikes."""
    found = flows(graph, core_of, places.size)
    return {
        "traffic": traffic(found, places, limits),
        "multicast_hops": multicast_hops(graph, core_of, places, limits),
        "spikes_by_core": found,
    }


def counts_over_time(
    net: Network, tape: SpikeTape, mapping: Mapping, times: ArrayLike
) -> list[dict[str, int]]:
    """Counts of a mapping up to each of some times: :meth:`Mapping.counts` of earlier spikes.

    Parameters
    ----------
    net, tape, mapping
        Of one network.
    times
        As in :func:`eventsim.energy.costs_over_time`, which takes the result as ``mapped``.

    Raises
    ------
    ParameterError, ShapeError
        Times are not positive, or of another shape.
    """
    asked = times_by_sample(times, to_host(tape.stream.duration), "counts_over_time")
    graph = axon_graph(net, tape, inputs=mapping.inputs)
    limits = limits_of(mapping.chip)
    at = np.concatenate([mapping.cores[group.name] for group in graph.groups])
    number = np.zeros(limits.cores, np.int32)
    number[mapping.used] = np.arange(mapping.n_cores, dtype=np.int32)
    found = []
    for ends in asked.T:
        spikes = axon_spikes(net, tape, inputs=mapping.inputs, until=ends)
        sent = _sent(replace(graph, spikes=spikes), number[at], mapping.used, limits)
        found.append(replace(mapping, **sent).counts())
    return found
