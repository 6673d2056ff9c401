"""AxonGraph: a network as a graph of neurons and axons for a chip, with measured spike counts.

Definitions, which every part of this room shares:

=============  ===================================================================================
placed neuron  a neuron of a spiking population or of a readout; with ``inputs="placed"`` also every
               input channel, as a relay that occupies a neuron's place
axon           carries the spikes of one source to all of its targets: one per placed neuron, and,
               with ``inputs="external"``, one per input channel, which enters the chip from outside
synapse        an entry of a weight matrix that is not 0, self-connections included; it lies in the
               memory of its target's core
axon in        of a core: a source with at least one target there, whatever the number of its
               synapses; a neuron's own core counts if it has a target there
axon out       of a core: a pair (source neuron on that core, destination core), its own core among
               the destinations; axons from outside have none
fan-in         of a neuron: its synapses
states         of a neuron: of a linear neuron those of its kind, of all others two, also of a
               channel and where the threshold is adaptive: a place on a core
synapse bits   of a core: its synapses times ``bits_per_synapse``
=============  ===================================================================================

Axons have the numbers of their neurons, population after population in the order of the network.
Axons from outside follow.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any, Literal

import numpy as np
import scipy
from numpy.typing import NDArray

from eventsim.arrays import Floats, Ints
from eventsim.checks import one_of
from eventsim.chips.chip import PLACE_STATES
from eventsim.errors import MappingError, ShapeError
from eventsim.events import EventStream, SpikeTape
from eventsim.matrix import require
from eventsim.network import Network, Population, Projection
from eventsim.plan import make_plan
from eventsim.summary import short_repr

Inputs = Literal["external", "placed"]
EVENTS = 1 << 20  # of Poisson sources, made at a time
BLOCK = 1 << 22  # synapses: of all at once there would be several times the memory


@dataclass(frozen=True)
class Group:
    """A population among the placed neurons: ``start`` is the number of its first neuron."""

    name: str
    start: int
    size: int


@dataclass(frozen=True, eq=False)
class AxonGraph:
    """Neurons, axons and synapses; see the module for what these words mean.

    Attributes
    ----------
    groups
        Populations of placed neurons, in order.
    n_external
        Axons from outside.
    spikes
        int64 [axons]: spikes that were measured, over all samples.
    synapses
        csr_array of whole numbers [axons, neurons]: synapses from axon to neuron.
    states
        int64 [neurons]: states of every neuron.
    """

    groups: tuple[Group, ...]
    n_external: int
    spikes: Ints
    synapses: "scipy.sparse.csr_array"
    states: Ints

    __repr__ = short_repr

    @property
    def n_neurons(self) -> int:
        """Placed neurons."""
        return int(self.synapses.shape[1])

    @property
    def n_axons(self) -> int:
        """Placed neurons and axons from outside."""
        return int(self.synapses.shape[0])

    @cached_property
    def fan_in(self) -> Ints:
        """Synapses of every neuron, int64 [neurons]."""
        found, matrix = np.zeros(self.n_neurons, np.int64), self.synapses
        for low, high in row_blocks(matrix.indptr):
            some = slice(matrix.indptr[low], matrix.indptr[high])
            target, number = matrix.indices[some], matrix.data[some]
            found += np.bincount(target, number, minlength=found.size).astype(np.int64)
        return found

    @cached_property
    def by_target(self) -> "scipy.sparse.csc_array":
        """The same matrix by target: column n holds the sources of neuron n."""
        return self.synapses.tocsc()

    @cached_property
    def n_sources(self) -> Ints:
        """Distinct sources of every neuron, int64 [neurons]."""
        found: Ints = np.diff(self.by_target.indptr).astype(np.int64)
        return found

    def sources(self, neuron: int) -> NDArray[np.int32]:
        """Axons that reach a neuron. View."""
        lo, hi = self.by_target.indptr[neuron], self.by_target.indptr[neuron + 1]
        found: NDArray[np.int32] = self.by_target.indices[lo:hi]
        return found

    def name_of(self, neuron: int) -> tuple[str, int]:
        """Population of a placed neuron, and its index there."""
        for group in self.groups:
            if neuron < group.start + group.size:
                return group.name, neuron - group.start
        raise IndexError(neuron)


def renumbered(graph: AxonGraph, order: Ints) -> AxonGraph:
    """The graph with its neurons in another order: number k is neuron ``order[k]``. New arrays.

    It has one group without a name, since its neurons are of several populations.
    """
    axons = np.concatenate([order, np.arange(graph.n_neurons, graph.n_axons)])
    number = np.empty(order.size, np.int32)
    number[order] = np.arange(order.size, dtype=np.int32)
    rows = graph.synapses[axons]
    synapses = scipy.sparse.csr_array((rows.data, number[rows.indices], rows.indptr), rows.shape)
    synapses.sort_indices()
    group = Group("", 0, graph.n_neurons)
    states = graph.states[order]
    return AxonGraph((group,), graph.n_external, graph.spikes[axons], synapses, states)


def axon_graph(net: Network, tape: SpikeTape | None, *, inputs: Inputs = "external") -> AxonGraph:
    """Build the graph of a network with the spike counts of a tape.

    Parameters
    ----------
    net
        The network; not changed.
    tape
        A run of it. None gives each axon one spike, so that mappings count axons, not spikes.
    inputs
        ``external``: channels send spikes from outside the chip. ``placed``: every channel takes a
        neuron's place on a core, as a relay.

    Raises
    ------
    MappingError, ShapeError
        The network has no neurons, or the tape is of another network.
    """
    one_of("axon_graph", "inputs", inputs, ("external", "placed"), error=MappingError)
    require("map", net, where="axon_graph")
    net = net.to_host()
    placed, outside = _placed(net, inputs)
    if not any(p.kind != "input" for p in net.populations.values()):
        raise MappingError(
            "axon_graph", "the network has no neurons", "some", "Add a population first."
        )
    starts, groups = _number(net, placed, outside)
    n_neurons = sum(group.size for group in groups)
    n_axons = sum(p.size for p in net.populations.values())
    counts = np.ones(n_axons, np.int64)
    if tape is not None:
        make_plan(net).check_tape(tape, "axon_graph")
        counts = axon_spikes(net, tape, inputs=inputs)
    matrix = _matrix(list(net.projections.values()), starts, (n_axons, n_neurons))
    kept = [PLACE_STATES if p.neuron is None else len(p.neuron.states)
            for p in (net.populations[name] for name in placed)]  # fmt: skip
    states = np.repeat(np.array(kept, np.int64), [group.size for group in groups])
    return AxonGraph(groups, n_axons - n_neurons, counts, matrix, states)


def axon_spikes(
    net: Network, tape: SpikeTape, *, inputs: Inputs = "external", until: Floats | None = None
) -> Ints:
    """Spikes of every axon of :func:`axon_graph` over all samples, int64 [axons].

    With ``until``, ms [samples], the spikes before these times alone.
    """
    tape.require_all("axon_graph")
    tape = tape.to_host()
    ends = tape.stream.duration if until is None else until
    counts = [
        _counts(name, net.populations[name], tape, ends)
        for names in _placed(net, inputs)
        for name in names
    ]
    return np.concatenate(counts)


def _placed(net: Network, inputs: Inputs) -> tuple[list[str], list[str]]:
    """Populations with a place on the cores, and those whose axons come from outside."""
    kinds = {name: p.kind for name, p in net.populations.items()}
    placed = [name for name, kind in kinds.items() if kind != "input" or inputs == "placed"]
    return placed, [name for name in kinds if name not in placed]


def _number(
    net: Network, placed: Sequence[str], outside: Sequence[str]
) -> tuple[dict[str, int], tuple[Group, ...]]:
    """First axon of each population, and the placed populations as groups."""
    starts, total = {}, 0
    for name in (*placed, *outside):
        starts[name] = total
        total += net.populations[name].size
    return starts, tuple(Group(name, starts[name], net.populations[name].size) for name in placed)


def _counts(name: str, population: Population, tape: SpikeTape, ends: Floats) -> Ints:
    """Spikes of every neuron before ``ends``; a spike at the very end of a recording is one."""
    size = population.size
    if population.kind == "readout":
        return np.zeros(size, np.int64)
    if population.kind == "input":
        counts = np.zeros(tape.stream.n_channels, np.int64)
        for given in _parts(tape.stream):
            early = given.times < np.repeat(ends, np.diff(given.offsets))
            counts += np.bincount(given.channels[early], minlength=counts.size)
    else:
        fired, whole = tape[name], ends >= tape.stream.duration
        n = np.diff(fired.offsets)
        early = (fired.times < np.repeat(ends, n)) | np.repeat(whole, n)
        counts = np.bincount(fired.neurons[early], minlength=fired.size)
    if counts.size != size:
        raise ShapeError(
            f"Population {name!r}",
            f"the tape has {counts.size} neurons, the network {size}",
            remedy="Give a tape of this network.",
        )
    return counts


def _parts(stream: EventStream) -> Iterator[EventStream]:
    """A stream; that of Poisson sources in chunks, so that not all of its events are made."""
    if stream.sources is None:
        yield stream
        return
    longest = float(stream.duration.max(initial=0.0))
    yield from stream.chunks(max(longest, 1.0) / max(1.0, stream.mean_events / EVENTS))


def _matrix(
    projections: Sequence[Projection], starts: dict[str, int], shape: tuple[int, int]
) -> "scipy.sparse.csr_array":
    """Synapses of all axons; those of every projection are written to where they belong.

    A list of all synapses, which would be sorted, takes several times the memory.
    """
    ordered = sorted(projections, key=lambda projection: starts[projection.target])
    numbers = np.zeros(shape[0] + 1, np.int64)
    for projection in ordered:
        counts = _rows(projection)[0]
        numbers[starts[projection.source] + 1 :][: counts.size] += counts
    start = numbers.cumsum()
    index = np.int32 if start[-1] <= np.iinfo(np.int32).max else np.int64
    free, indices = start[:-1].copy(), np.empty(start[-1], np.int32)
    for projection in ordered:
        counts, target = _rows(projection)
        first: Ints = np.append(0, counts.cumsum())
        mine = free[starts[projection.source] :][: counts.size]
        for low, high in row_blocks(first):
            begin, end = first[low], first[high]
            place = np.repeat(mine[low:high] - first[low:high], counts[low:high])
            place += np.arange(begin, end)
            indices[place] = target[begin:end] + starts[projection.target]
        mine += counts
    values = np.ones(indices.size, np.int32), indices, start.astype(index)
    matrix = scipy.sparse.csr_array(values, shape=shape)
    matrix.sum_duplicates()
    matrix.data = matrix.data.astype(np.min_scalar_type(matrix.data.max(initial=1)))
    return matrix


def _rows(projection: Projection) -> tuple[Ints, NDArray[np.integer[Any]]]:
    """Synapses of every source, and the target of each synapse, source after source.

    Those whose weight is not 0. May be views.
    """
    first, pattern = projection.first_synapses(), projection.pattern
    target: NDArray[np.integer[Any]] = projection.targets() if pattern is None else pattern.indices
    kept = projection.values.ravel() != 0
    if kept.all():
        return np.diff(first), target
    before = np.append(0, kept.cumsum())
    return np.diff(before[first]), target[kept]


def row_blocks(start: Ints) -> Iterator[tuple[int, int]]:
    """Rows that are looked at together, first and end: those of some :data:`BLOCK` entries.

    ``start`` is the first entry of every row, and their total.
    """
    low = 0
    while low < start.size - 1:
        high = int(np.searchsorted(start, start[low] + BLOCK, side="right")) - 1
        high = max(high, low + 1)
        yield low, high
        low = high


def entries(projection: Projection) -> tuple[NDArray[np.int32], NDArray[np.int32]]:
    """Source and target of every weight that is not 0, both int32 [synapses]."""
    kept = projection.values.ravel() != 0
    source, target = projection.sources()[kept], projection.targets()[kept]
    return source.astype(np.int32), target.astype(np.int32)
