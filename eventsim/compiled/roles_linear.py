"""Arguments of the kernels of linear neurons; see :mod:`eventsim.compiled.roles`."""

from typing import Annotated, NamedTuple

from eventsim.compiled.roles import (
    WRITTEN,
    Doubles,
    DoublesOut,
    EventsRole,
    Ints,
    IntsOut,
    Reals,
    RealsOut,
    Rows,
    SpikesRole,
    TasksRole,
    WeightsRole,
)
from eventsim.compiled.roles_fanin import SentRole, WiresRole
from eventsim.compiled.roles_loop import ArrivingRole, SynapseRowsRole


class LinearTablesRole(NamedTuple):
    """Tables of all neurons, and of each while V is held: ``eventsim/neuron/linear_tables.py``."""

    flow: Reals  # [2, size, n, n], as all but bounds: first free, then held
    alpha: Reals  # [2, size, n, DEGREE + 1]
    powers: Reals  # [2, size, bits, n, n]; in single precision less one
    bounds: Reals  # [size, 4, n]: up, down, bend, jerk
    piece: Doubles  # [2, size]
    beta: Reals | None  # [2, size, pairs, DEGREE + 2]; None on the way forward
    products: Reals | None  # [2, size, bits, n^4]; likewise
    size: int
    n: int
    bits: int


class LinearJumpsRole(NamedTuple):
    """Effect of a spike on its neuron, and the states at the start."""

    keep: Reals  # [size, n, n]
    jump: Reals  # [size, n]
    level: Reals  # [size]
    alert: Reals  # [size]
    hold: Doubles  # [size]
    start: Reals  # [size, n]


class LinearWiresRole(NamedTuple):
    """Bundles and synapses of a loop, as in LoopRole; and the state that an arrival raises."""

    start: Ints  # [size + 1]
    first: Ints  # [bundles]: synapses first : last
    last: Ints
    delay: Doubles  # [bundles]
    target: Rows  # [synapses]
    weight: Reals  # [synapses]
    state: Rows  # [synapses]
    own_weight: Reals  # [size]: of self-connections; their delay, where it is above zero
    own_delay: Doubles
    own_state: Rows
    ordered: int  # whether spikes of one neuron may reach another, or itself later


class LinearOwnRole(NamedTuple):
    """Receptors and self-connections of a layer whose neurons have events of their own."""

    state: Rows  # [rows of the wiring]: which state an arrival raises
    own_weight: Reals  # [size]: of self-connections, whose delay is zero
    own_delay: Doubles
    own_state: Rows


class LinearStopRole(NamedTuple):
    """States of neurons, [samples, size]; None is time zero, or not requested."""

    x: Reals | None  # [samples, size, n]
    time: Doubles | None
    until: Doubles | None  # below zero where V is not held
    since: Doubles | None  # spikes of the ms from here on that have been counted
    recent: Ints | None


class LinearCarriedRole(NamedTuple):
    """Adjoint states that a piece of a stream takes from the next and gives to the one before."""

    adjoint: RealsOut  # [samples, size, n]: where the neurons stand at its end, then at its begin
    begin: Doubles  # [samples], ms: earlier spikes are not met
    spike: Ints  # [samples, size]: that which holds V where the piece begins
    starts: int  # whether it is the first
    to_end: int  # whether neurons stand at its end, not as their last event left them


class LinearLanesRole(NamedTuple):
    """Neurons side by side, [blocks, rows, width] each: ``eventsim/engine/cpu/linear_lanes.py``."""

    powers: Reals  # rows [bits, n, n]
    meets: Reals  # rows [receptors, n, TERMS]
    bounds: Reals  # rows [4, n]
    slopes: Reals  # rows [receptors]: dV/dt of a receptor's state
    alert: Reals  # one row
    piece: Doubles  # [blocks]
    receptor: Rows  # [rows of the weights]
    state: Rows  # [receptors]: which state an arrival raises
    n_blocks: int
    n_receptors: int
    bits: int


class LinearLanesBackRole(NamedTuple):
    """Further tables of the way back, [blocks, rows, width]."""

    flow: Reals  # rows [n, n]
    betas: Reals  # rows [pairs, TERMS]
    whole: Reals  # rows [pairs]: beta of a piece
    by_pair: Reals  # [2 size, DEGREE + 2, pairs]: beta; pairs in eights, a vector behind the last


class LinearTapeRole(NamedTuple):
    """Recorded spikes by sample and time, and what the loss says of them."""

    bounds: Ints  # [chunks + 1]: samples bounds[c] : bounds[c + 1] are chunk c
    offsets: Ints  # [samples + 1]
    time: Doubles
    neuron: Rows
    by_time: Doubles
    by_voltage: Doubles
    through: DoublesOut  # gathers dL/dt that runs over what the spike causes in its stage


class LinearFoundRole(NamedTuple):
    """Gradients that the way back finds; each chunk has its own."""

    weight: DoublesOut  # [chunks, synapses]
    delay: DoublesOut | None  # [chunks, synapses]; None where none has its own
    effects: DoublesOut  # dL/dt of the spikes of all sources
    sums: DoublesOut  # [chunks, size, 2 n^2 + n + 4]: flow, keep, jump, level, hold, own synapse
    grazes: IntsOut  # [chunks]
    n_synapses: int


class LinearLayerFoundRole(NamedTuple):
    """Gradients that the way back of a layer finds; each chunk has its own."""

    weight: RealsOut  # [chunks, blocks, rows, width]
    effects: DoublesOut | None  # [events]: dL/dt; None where it is not asked for
    sums: DoublesOut  # as in LinearFoundRole
    grazes: IntsOut  # [chunks]
    cause: Ints | None  # [events]: the spike of the loop that sent it, or -1; None of a layer


class LinearOwnFoundRole(NamedTuple):
    """Gradients of a layer whose neurons have events of their own."""

    weight: DoublesOut  # [synapses]
    delay: DoublesOut | None  # [synapses]; None where none has its own
    effects: DoublesOut  # [parts, events]: dL/dt
    sums: DoublesOut  # [size, ..], as in LinearFoundRole
    grazes: IntsOut  # [parts]
    n_parts: int
    n_samples: int
    n_events: int


class LinearForward(NamedTuple):
    """The forward pass of linear neurons; tasks are samples."""

    tasks: TasksRole
    arriving: ArrivingRole
    tables: LinearTablesRole
    jumps: LinearJumpsRole
    wires: LinearWiresRole
    begin: LinearStopRole
    end: Annotated[LinearStopRole, WRITTEN]
    spikes: SpikesRole


class LinearBackward(NamedTuple):
    """The backward pass of linear neurons; tasks are chunks."""

    tasks: TasksRole
    arriving: ArrivingRole
    tables: LinearTablesRole
    jumps: LinearJumpsRole
    wires: LinearWiresRole
    begin: LinearStopRole
    carried: LinearCarriedRole
    tape: LinearTapeRole
    found: LinearFoundRole


class LinearLayerForward(NamedTuple):
    """The forward pass of a layer side by side; tasks are samples."""

    tasks: TasksRole
    events: EventsRole
    weights: WeightsRole
    lanes: LinearLanesRole
    tables: LinearTablesRole
    jumps: LinearJumpsRole
    wires: LinearWiresRole
    spikes: SpikesRole


class LinearLoopForward(NamedTuple):
    """The forward pass of a loop side by side, by windows; tasks are samples.

    The neurons stand as in ``begin``, at one time. ``end`` is where a run goes on, ``left`` how
    they stand at the end.
    """

    tasks: TasksRole
    arriving: ArrivingRole
    weights: WeightsRole
    rows: SynapseRowsRole
    lanes: LinearLanesRole
    tables: LinearTablesRole
    jumps: LinearJumpsRole
    wires: LinearWiresRole
    begin: LinearStopRole
    end: Annotated[LinearStopRole, WRITTEN]
    left: Annotated[LinearStopRole, WRITTEN]
    spikes: SpikesRole


class LinearLayerBackward(NamedTuple):
    """The backward pass of a layer, or of a loop, side by side; tasks are chunks."""

    tasks: TasksRole
    events: EventsRole
    weights: WeightsRole
    lanes: LinearLanesRole
    back: LinearLanesBackRole
    tables: LinearTablesRole
    jumps: LinearJumpsRole
    wires: LinearWiresRole
    tape: LinearTapeRole
    found: LinearLayerFoundRole


class LinearFaninForward(NamedTuple):
    """The forward pass of a layer with events by neuron; tasks are blocks of neurons in samples."""

    tasks: TasksRole
    sent: SentRole
    wires: WiresRole
    tables: LinearTablesRole
    jumps: LinearJumpsRole
    own: LinearOwnRole
    spikes: SpikesRole


class LinearFaninBackward(NamedTuple):
    """The backward pass; tasks are parts of the neurons, each of several of the blocks."""

    tasks: TasksRole
    sent: SentRole
    wires: WiresRole
    tables: LinearTablesRole
    jumps: LinearJumpsRole
    own: LinearOwnRole
    tape: LinearTapeRole
    found: LinearOwnFoundRole
