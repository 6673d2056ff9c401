"""Arguments of the kernels of layers whose neurons have events of their own.

See :mod:`eventsim.compiled.roles`.
"""

from typing import Annotated, NamedTuple

from eventsim.compiled.roles import (
    WRITTEN,
    CarriedRole,
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
    WeightsRole,
)


class SentRole(NamedTuple):
    """Events of all sources, in each sample by time and row.

    They are sent then where synapses have delays, otherwise they arrive then.
    """

    offsets: Ints  # [samples + 1]
    time: Doubles  # [events]
    row: Rows  # [events], of the wiring
    begin: Doubles  # [samples]: arrivals before were met in an earlier piece of the stream
    duration: Doubles  # [samples]


class WiresRole(NamedTuple):
    """Synapses by row, in each by target; those onto the neurons ``low : low + size`` are run.

    These are divided into blocks of nearly as many.
    """

    out_start: Ints  # [n_rows + 1]
    target: Rows  # [synapses]
    bound: Rows  # [n_rows, n_blocks + 1]: how many of a row's are before each block
    parts: Ints  # [3, n_parts + 1]: addresses of the weights, eventsim/engine/cpu/weights.py
    resistance: Doubles | None  # of all neurons; None where weights are multiplied by it
    delay: Doubles | None  # [synapses]
    longest: float  # of the delays, ms
    n_parts: int
    n_rows: int
    low: int
    size: int


class BoundsRole(NamedTuple):
    """Counts of a row's synapses before each block of the neurons ``low : low + size``."""

    out_start: Ints
    target: Rows
    bound: RowsOut  # [n_rows, n_blocks + 1]: the last is that of all before the end of these
    n_rows: int
    n_blocks: int
    low: int
    size: int


class ReturnsRole(NamedTuple):
    """Self-connections that return later than their spike, of all neurons.

    ``early[first[i] :]`` are own spikes of an earlier piece that are still to return to the i-th
    (sample, neuron); forward.
    """

    weight: Reals
    delay: Doubles  # 0 where there is none
    first: Ints | None
    early: Doubles | None


class WiresBackRole(NamedTuple):
    """Sums to which the way back adds, and the last spikes, at which it begins."""

    last: Ints  # [samples, neurons]: spikes, -1 if there is none
    by_weight: RealsOut  # [synapses]
    by_delay: DoublesOut | None  # [synapses]
    effects: RealsOut  # [parts, n_events]: dL/dt
    sums: DoublesOut  # [N_SUMS, all neurons]
    own: DoublesOut  # [N_OWN, all neurons]
    adapted: DoublesOut | None  # [2, all neurons], of thresholds that adapt
    grazes: IntsOut  # [parts]
    n_parts: int
    n_samples: int
    n_events: int


class RangeRole(NamedTuple):
    """The neurons ``low : low + size``."""

    low: int
    size: int


class FindBounds(NamedTuple):
    """Bounds of blocks in each row; tasks are parts of the rows."""

    tasks: TasksRole
    bounds: BoundsRole


class FaninForward(NamedTuple):
    """The forward pass of a layer with own events; tasks are blocks of neurons in samples."""

    tasks: TasksRole
    sent: SentRole
    wires: WiresRole
    neurons: NeuronsRole
    returns: ReturnsRole
    begin: StandingRole
    end: Annotated[StandingRole, WRITTEN]
    spikes: SpikesRole


class DenseFaninForward(NamedTuple):
    """The forward pass where all neurons meet all events; tasks are blocks of them in samples."""

    tasks: TasksRole
    sent: SentRole
    rows: WeightsRole
    neurons: NeuronsRole
    returns: ReturnsRole
    begin: StandingRole
    end: Annotated[StandingRole, WRITTEN]
    spikes: SpikesRole


class FaninBackward(NamedTuple):
    """The backward pass of a layer with own events; tasks are neurons of several blocks each."""

    tasks: TasksRole
    sent: SentRole
    wires: WiresRole
    neurons: NeuronsRole
    returns: ReturnsRole
    tape: TapeRole
    carried: CarriedRole
    found: WiresBackRole


class DenseFaninBackward(NamedTuple):
    """The backward pass where all neurons meet all events; tasks are parts of the range."""

    tasks: TasksRole
    sent: SentRole
    rows: WeightsRole
    range: RangeRole
    neurons: NeuronsRole
    returns: ReturnsRole
    tape: TapeRole
    carried: CarriedRole
    found: WiresBackRole
