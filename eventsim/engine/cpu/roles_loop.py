"""What the kernels of loops are called with: twins of ``loop/roles.hpp`` and ``loop/calls.hpp``."""

from typing import Annotated, NamedTuple

from eventsim.engine.cpu.roles import (
    WRITTEN,
    Doubles,
    DoublesOut,
    FoundRole,
    Ints,
    IntsOut,
    NeuronsRole,
    Reals,
    RealsOut,
    Rows,
    SpikesRole,
    TapeRole,
    TasksRole,
    WeightsRole,
)


class LoopRole(NamedTuple):
    """How neurons are joined: :class:`.bundles.Loop`; ``parts`` has addresses."""

    start: Ints
    first: Ints
    last: Ints
    delay: Doubles
    target: Rows
    parts: Ints
    own_weight: Reals
    own_delay: Doubles
    n_parts: int


class ArrivingRole(NamedTuple):
    """What is known to arrive: :class:`.bundles.Arriving`, and the samples' ends."""

    offsets: Ints
    time: Doubles
    first: Ints
    last: Ints
    spike: Ints
    cause: Ints
    duration: Doubles


class LoopStopRole(NamedTuple):
    """How neurons stand: :class:`.loop_state.LoopStop`, and adaptive thresholds."""

    time: Doubles
    v: Reals
    j: Reals
    until: Doubles
    since: Doubles
    recent: Ints
    border: Doubles
    idle: Ints
    halvings: Ints
    a: Doubles | None
    last: Doubles | None


class LoopBackRole(NamedTuple):
    """How far samples go back, and with what; see :class:`eventsim.engine.contract.piece.Piece`.

    ``last`` [samples, neurons] is the last spike of each, -1 if none; ``by_delay`` [chunks,
    synapses] is there if synapses have delays of their own.
    """

    bounds: Ints
    begin: Doubles
    last: Ints
    adjoint: RealsOut | None
    behind: DoublesOut | None
    by_delay: DoublesOut | None
    n_synapses: int
    starts: int


class WindowsRole(NamedTuple):
    """Length of windows, ms, and the least number of their pieces.

    If ``border`` is not below zero there is one window, which ends there.
    """

    length: float
    border: float
    pieces: int


class SumBasisRole(NamedTuple):
    """As :class:`eventsim.engine.contract.windowing.Basis`; a neuron has ``width`` sums."""

    by_v: Reals
    by_j: Reals
    width: int
    reach: float


class NeuronPartsRole(NamedTuple):
    """Neurons ``bounds[p] : bounds[p + 1]`` of a sample are part p.

    Where there are several, threads meet at ``meeting``: N_MEETING zeros.
    """

    bounds: Ints
    meeting: IntsOut


class SynapseRowsRole(NamedTuple):
    """Row of the weights of every synapse."""

    row: Rows


class QueueForward(NamedTuple):
    """The forward pass of a loop, event by event; tasks are samples."""

    tasks: TasksRole
    arriving: ArrivingRole
    loop: LoopRole
    neurons: NeuronsRole
    begin: LoopStopRole
    end: Annotated[LoopStopRole, WRITTEN]
    spikes: SpikesRole


class QueueBackward(NamedTuple):
    """The backward pass of a loop whose neurons do not share their events; tasks are chunks."""

    tasks: TasksRole
    arriving: ArrivingRole
    loop: LoopRole
    neurons: NeuronsRole
    tape: TapeRole
    way: LoopBackRole
    found: FoundRole


class LoopSums(NamedTuple):
    """A loop by windows, with sums; tasks are parts of neurons in samples.

    If there are several parts all tasks are of one sample.
    """

    tasks: TasksRole
    arriving: ArrivingRole
    loop: LoopRole
    neurons: NeuronsRole
    windows: WindowsRole
    basis: SumBasisRole
    parts: NeuronPartsRole
    begin: LoopStopRole
    end: Annotated[LoopStopRole, WRITTEN]
    spikes: SpikesRole


class LoopStretches(NamedTuple):
    """A loop by windows, of neurons that share their events; tasks are samples."""

    tasks: TasksRole
    arriving: ArrivingRole
    loop: LoopRole
    neurons: NeuronsRole
    windows: WindowsRole
    weights: WeightsRole
    rows: SynapseRowsRole
    begin: LoopStopRole
    end: Annotated[LoopStopRole, WRITTEN]
    spikes: SpikesRole


ROLES: tuple[type, ...] = (
    LoopRole,
    ArrivingRole,
    LoopStopRole,
    LoopBackRole,
    WindowsRole,
    SumBasisRole,
    NeuronPartsRole,
    SynapseRowsRole,
)
CALLS: tuple[type, ...] = (QueueForward, QueueBackward, LoopSums, LoopStretches)
