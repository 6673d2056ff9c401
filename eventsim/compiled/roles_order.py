"""Arguments of the kernels that put spikes in order; see :mod:`eventsim.compiled.roles`."""

from typing import NamedTuple

from eventsim.compiled.roles import (
    Doubles,
    DoublesAt,
    DoublesOut,
    Ints,
    IntsAt,
    IntsOut,
    Rows,
    RowsAt,
    RowsOut,
    SourcesRole,
    TasksRole,
)


class MergedRole(NamedTuple):
    """Arrivals of all sources by sample, in order of (time, row), and their spikes' numbers."""

    offsets: Ints  # [samples + 1]
    time: DoublesOut  # [events], as the next
    row: RowsOut
    number: IntsOut


class ConnectionsRole(NamedTuple):
    """Projections, and the spikes of their sources in order of time, by sample.

    All but two are by projection.
    """

    offsets: IntsAt  # of each [samples + 1]
    time: DoublesAt
    neuron: RowsAt
    delay: Ints  # addresses
    delays_of: Ints  # what has delays of its own: eventsim/engine/cpu/counting.py
    first: IntsAt  # where the synapses of every source neuron begin; 0 where all have as many,
    each: Ints  # and how many then
    duration: Doubles  # [samples]
    n_samples: int
    found: IntsOut
    delay_width: int  # bytes of a delay, 4 or 8


class OwnSpikesRole(NamedTuple):
    """Spikes of a layer by sample and time."""

    offsets: Ints  # [samples + 1]
    neuron: Rows  # [spikes]
    current: Doubles
    restart: Doubles
    resistance: Doubles  # [size]
    size: int


class OwnAdaptedRole(NamedTuple):
    """Spikes of a layer whose thresholds adapt: their adaptation just before each of them."""

    offsets: Ints  # [samples + 1]
    neuron: Rows  # [spikes]
    time: Doubles
    rate: Doubles  # [size], 1/ms
    begin: Doubles  # [samples]: spikes before are left out
    a: DoublesOut  # [samples, size], at the begin, and changed, as the next
    last: DoublesOut
    before: DoublesOut  # [spikes]
    size: int


class LinkedRole(NamedTuple):
    """Per spike the one before of the same neuron and sample, or -1, and its drives.

    Those are currents times the resistance.
    """

    previous: IntsOut  # [spikes]
    current: DoublesOut
    restart: DoublesOut
    last: IntsOut  # [samples, size]: last spike of every neuron, or -1


class RoundsRole(NamedTuple):
    """Spikes that tasks wrote: ``counts`` from ``starts`` on, of the arrays of a round.

    Those of sample s are of tasks ``s * n_parts : (s + 1) * n_parts``.
    """

    time: DoublesAt  # [rounds], as the next
    neuron: RowsAt
    current: DoublesAt
    restart: DoublesAt
    round: Ints  # [tasks], as the next
    starts: Ints
    counts: Ints
    n_parts: int


class PackedRole(NamedTuple):
    """Spikes without gaps by sample, in order of (time, neuron), drives as currents."""

    offsets: Ints  # [samples + 1]
    time: DoublesOut
    neuron: RowsOut
    current: DoublesOut
    restart: DoublesOut
    resistance: Doubles  # [size]


class MergeSources(NamedTuple):
    """Arrivals of all sources of a stage in one order; tasks are samples, as mostly below."""

    tasks: TasksRole
    sources: SourcesRole
    merged: MergedRole


class CountArrivals(NamedTuple):
    """Spikes that reach a synapse before the end of their sample; tasks are projections."""

    tasks: TasksRole
    connections: ConnectionsRole


class LinkSpikes(NamedTuple):
    """Recorded spikes for the way back, each linked to its neuron's spike before."""

    tasks: TasksRole
    spikes: OwnSpikesRole
    linked: LinkedRole


class AdaptedBefore(NamedTuple):
    """The adaptation of thresholds before recorded spikes."""

    tasks: TasksRole
    adapted: OwnAdaptedRole


class PackSpikes(NamedTuple):
    """Spikes that the tasks of a layer wrote, packed by sample."""

    tasks: TasksRole
    rounds: RoundsRole
    packed: PackedRole
