"""What kernels of layers are called with whose neurons have events of their own.

Twins of ``fanin/roles.hpp`` and ``fanin/calls.hpp``, as in :mod:`eventsim.engine.cpu.roles`.
"""

from typing import Annotated, NamedTuple

from eventsim.engine.cpu.roles import (
    WRITTEN,
    Doubles,
    DoublesOut,
    Ints,
    IntsOut,
    NeuronsRole,
    Reals,
    RealsOut,
    Rows,
    RowsOut,
    SpikesRole,
    StandingRole,
    TapeRole,
    TasksRole,
)


class SentRole(NamedTuple):
    """Events of all sources, in each sample by time and row.

    They are sent then where synapses have delays, otherwise they arrive then. What arrives before
    ``begin`` (ms, by sample) was met in an earlier piece of the stream.
    """

    offsets: Ints
    time: Doubles
    row: Rows
    begin: Doubles
    duration: Doubles


class WiresRole(NamedTuple):
    """Synapses by row; those onto the neurons ``low : low + size``, in blocks of nearly as many.

    ``bound`` [rows, blocks + 1] says how many of a row are before each block; ``parts`` are
    addresses, see :mod:`eventsim.engine.cpu.weights`, of weights that are still to be multiplied by
    the target's resistance where that is given.
    """

    out_start: Ints
    target: Rows
    bound: Rows
    parts: Ints
    resistance: Doubles | None
    delay: Doubles | None
    n_parts: int
    n_rows: int
    low: int
    size: int


class BoundsRole(NamedTuple):
    """How many synapses of a row are before each block of the neurons ``low : low + size``.

    ``bound`` is [rows, blocks + 1]: the last number is that of all before the end of these.
    """

    out_start: Ints
    target: Rows
    bound: RowsOut
    n_rows: int
    n_blocks: int
    low: int
    size: int


class ReturnsRole(NamedTuple):
    """Self-connections that return later than their spike; delay 0 where there is none.

    ``early[first[i] :]`` are own spikes of an earlier piece that are still to return to the i-th
    (sample, neuron); forward.
    """

    weight: Reals
    delay: Doubles
    first: Ints | None
    early: Doubles | None


class CarriedRole(NamedTuple):
    """Adjoints at the end of a piece, which become those at its begin; None where they are zero."""

    adjoint: RealsOut | None
    behind: DoublesOut | None
    starts: int


class WiresBackRole(NamedTuple):
    """What the way back adds to; ``effects`` [parts, events] and ``grazes`` by part."""

    by_weight: RealsOut
    by_delay: DoublesOut | None
    effects: RealsOut
    sums: DoublesOut
    own: DoublesOut
    adapted: DoublesOut | None
    grazes: IntsOut
    n_parts: int
    n_samples: int
    n_events: int


class FindBounds(NamedTuple):
    """Where blocks begin in each row; tasks are parts of the rows."""

    tasks: TasksRole
    bounds: BoundsRole


class FaninForward(NamedTuple):
    """The forward pass of such a layer; tasks are blocks of neurons in samples."""

    tasks: TasksRole
    sent: SentRole
    wires: WiresRole
    neurons: NeuronsRole
    returns: ReturnsRole
    begin: StandingRole
    end: Annotated[StandingRole, WRITTEN]
    spikes: SpikesRole


class FaninBackward(NamedTuple):
    """The backward pass; tasks are parts of the neurons, each of several of the blocks."""

    tasks: TasksRole
    sent: SentRole
    wires: WiresRole
    neurons: NeuronsRole
    returns: ReturnsRole
    tape: TapeRole
    carried: CarriedRole
    found: WiresBackRole


ROLES: tuple[type, ...] = (
    SentRole,
    WiresRole,
    BoundsRole,
    ReturnsRole,
    CarriedRole,
    WiresBackRole,
)
CALLS: tuple[type, ...] = (FindBounds, FaninForward, FaninBackward)
