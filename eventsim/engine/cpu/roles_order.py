"""What kernels that put spikes in order are called with: twins of ``kernels/cpu/order``."""

from typing import NamedTuple

from eventsim.engine.cpu.roles import (
    Addresses,
    Doubles,
    DoublesOut,
    Ints,
    IntsOut,
    Rows,
    RowsOut,
    SourcesRole,
    TasksRole,
)


class MergedRole(NamedTuple):
    """Arrivals of all sources by sample, in order of (time, row), and their spikes' numbers."""

    offsets: Ints
    time: DoublesOut
    row: RowsOut
    number: IntsOut


class ConnectionsRole(NamedTuple):
    """Projections, and the spikes of their sources; all but two by projection.

    ``delays_of`` says what has delays of its own (:mod:`eventsim.engine.cpu.counting`); ``first``
    is where the synapses of every source neuron begin, 0 where each has ``each``. Counts are
    ``found``. The arrays at the addresses must outlive the call.
    """

    offsets: Addresses
    time: Addresses
    neuron: Addresses
    delay: Addresses
    delays_of: Ints
    first: Addresses
    each: Ints
    duration: Doubles
    n_samples: int
    found: IntsOut


class OwnSpikesRole(NamedTuple):
    """Spikes of a layer by sample and time; the resistance is by neuron."""

    offsets: Ints
    neuron: Rows
    current: Doubles
    restart: Doubles
    resistance: Doubles
    size: int


class OwnAdaptedRole(NamedTuple):
    """Adaptation just before every spike from ``begin`` (ms, by sample) on.

    That of neurons at the begin, [samples, size], is changed.
    """

    offsets: Ints
    neuron: Rows
    time: Doubles
    rate: Doubles
    begin: Doubles
    a: DoublesOut
    last: DoublesOut
    before: DoublesOut
    size: int


class LinkedRole(NamedTuple):
    """Per spike the one before of the same neuron and sample, or -1, and its drives.

    Those are currents times the resistance. ``last`` [samples, size] is the last spike of every
    neuron, or -1.
    """

    previous: IntsOut
    current: DoublesOut
    restart: DoublesOut
    last: IntsOut


class RoundsRole(NamedTuple):
    """What tasks wrote: ``counts`` spikes from ``starts`` on, of the arrays of a round.

    Those of sample s are of tasks ``s * n_parts : (s + 1) * n_parts``.
    """

    time: Addresses
    neuron: Addresses
    current: Addresses
    restart: Addresses
    round: Ints
    starts: Ints
    counts: Ints
    n_parts: int


class PackedRole(NamedTuple):
    """Spikes without gaps by sample, in order of (time, neuron), drives as currents."""

    offsets: Ints
    time: DoublesOut
    neuron: RowsOut
    current: DoublesOut
    restart: DoublesOut
    resistance: Doubles


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
    """Recorded spikes as the way back takes them."""

    tasks: TasksRole
    spikes: OwnSpikesRole
    linked: LinkedRole


class AdaptedBefore(NamedTuple):
    """The adaptation of thresholds before recorded spikes."""

    tasks: TasksRole
    adapted: OwnAdaptedRole


class PackSpikes(NamedTuple):
    """What the tasks of a layer wrote, brought together."""

    tasks: TasksRole
    rounds: RoundsRole
    packed: PackedRole


ROLES: tuple[type, ...] = (
    MergedRole,
    ConnectionsRole,
    OwnSpikesRole,
    OwnAdaptedRole,
    LinkedRole,
    RoundsRole,
    PackedRole,
)
CALLS: tuple[type, ...] = (
    MergeSources,
    CountArrivals,
    AdaptedBefore,
    LinkSpikes,
    PackSpikes,
)
