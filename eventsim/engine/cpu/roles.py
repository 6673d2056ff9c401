"""What compiled kernels are called with: twins of ``roles.hpp`` and ``calls.hpp``.

A role is a tuple of arrays and numbers in the order of a struct's fields, a call a tuple of roles.
What a field is says its annotation: an array of a type, C-contiguous, which may be ``| None``; or
``int`` or ``float``. Arrays called ``Out`` are written to. All fields have 8 bytes. Other rooms
have their own in modules beside, which :mod:`eventsim.engine.cpu.calls` gathers.
"""

from typing import Annotated, Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

# Kind of the numbers and their bytes, R for the type of the state; w where they are written.
WRITTEN = "w"
Flags = Annotated[NDArray[np.bool_], "b1"]
FlagsOut = Annotated[NDArray[np.bool_], "b1w"]
Rows = Annotated[NDArray[np.int32], "i4"]
RowsOut = Annotated[NDArray[np.int32], "i4w"]
Ints = Annotated[NDArray[np.int64], "i8"]
Addresses = Ints  # of arrays
IntsOut = Annotated[NDArray[np.int64], "i8w"]
Doubles = Annotated[NDArray[np.float64], "f8"]
DoublesOut = Annotated[NDArray[np.float64], "f8w"]
Reals = Annotated[NDArray[np.floating[Any]], "R"]
RealsOut = Annotated[NDArray[np.floating[Any]], "Rw"]


class TasksRole(NamedTuple):
    """Tasks to run: number sample * n_blocks + block; backward chunks of samples."""

    todo: Ints
    n: int
    n_blocks: int

    @classmethod
    def all(cls, n: int, n_blocks: int = 1) -> "TasksRole":
        """Those of ``n`` samples, or of what else is divided into blocks."""
        return cls(np.arange(n * n_blocks), n * n_blocks, n_blocks)


class SourcesRole(NamedTuple):
    """Spikes of all sources, which have numbers: source after source, sample after sample.

    Those of source k in sample s are ``first[k, s] : first[k, s + 1]``. Where times and neurons of
    a source lie says the address of a spike of number 0. Rows of the wiring begin at
    ``row_start[k]``; ``delay`` is that of each row, ms, 0 where synapses have their own. The arrays
    at the addresses must outlive the call.
    """

    first: Ints
    time: Addresses
    neuron: Addresses
    row_start: Ints
    delay: Doubles
    duration: Doubles
    n_sources: int
    n_samples: int


class EventsRole(NamedTuple):
    """Events of all sources, sorted by time in each sample.

    ``skip`` and ``met`` are asked for where samples may begin and end inside a stream.
    """

    offsets: Ints
    times: Doubles
    rows: Rows
    duration: Doubles
    heard: Flags
    skip: Ints | None
    met: IntsOut | None


class WeightsRole(NamedTuple):
    """Weights by block, zero behind the last neuron and in the last row."""

    values: Reals
    n_rows: int
    width: int


class NeuronsRole(NamedTuple):
    """Parameters of all neurons; strength and rate are those of an adaptive threshold.

    Neurons that do not fire need no refractory time.
    """

    par: Reals
    refractory: Doubles | None
    strength: Doubles | None
    rate: Doubles | None
    size: int
    fastest: float


class StandingRole(NamedTuple):
    """How neurons stand, [samples, size]; ``a`` and ``last`` of an adaptive threshold."""

    time: Doubles
    v: Reals
    j: Reals
    until: Doubles
    a: Doubles | None
    last: Doubles | None


class SpikesRole(NamedTuple):
    """Where spikes go, by task."""

    time: DoublesOut
    neuron: RowsOut
    current: DoublesOut
    restart: DoublesOut
    starts: Ints
    limits: Ints
    counts: IntsOut
    reached: DoublesOut


class TapeRole(NamedTuple):
    """Recorded spikes of a layer: :class:`eventsim.engine.cpu.arrays.Tape` between two more.

    ``offsets`` are by sample; ``before`` is the adaptation just before each spike.
    """

    offsets: Ints
    time: Doubles
    neuron: Rows
    current: Doubles
    restart: Doubles
    by_time: Doubles
    by_voltage: Doubles
    previous: Ints
    through: DoublesOut
    before: Doubles | None


class WayBackRole(NamedTuple):
    """How far samples go back, and with what; see :class:`eventsim.engine.contract.piece.Piece`.

    Samples ``bounds[c] : bounds[c + 1]`` are chunk c; ``middle`` and ``length`` as
    :class:`eventsim.engine.contract.adjoint_series.Span`; ``behind`` is of adaptive thresholds;
    ``asked`` says of which rows' events dL/dt is asked for; ``cause`` is the spike of each event in
    a loop.
    """

    bounds: Ints
    middle: float
    length: float
    begin: Doubles
    adjoint: RealsOut | None
    behind: DoublesOut | None
    asked: Flags
    cause: Ints | None
    starts: int


class FoundRole(NamedTuple):
    """What the way back adds to; all but ``effects``, dL/dt by event, by chunk."""

    by_weight: RealsOut
    effects: RealsOut
    sums: DoublesOut
    own: DoublesOut
    adapted: DoublesOut | None
    grazes: IntsOut


class OutputsRole(NamedTuple):
    """Outputs of a readout, by their rates: rows of a table [N_READOUT, size]."""

    rates: Doubles
    size: int


class GainTableRole(NamedTuple):
    """Table of gains, [blocks, windows, N_GAIN, terms, LANES], by blocks of outputs.

    ``rate`` is that of the weight, ``per_ms`` the windows in a ms.
    """

    values: Reals
    n_blocks: int
    n_windows: int
    rate: float
    per_ms: float


class FanOutRole(NamedTuple):
    """Synapses by source: those of row r are ``start[r] : start[r + 1]``; delays in ms."""

    start: Ints
    target: Rows
    weight: Reals
    delay: Doubles
    n: int


class IntegralsRole(NamedTuple):
    """Sums of weight times gain, [samples, size]."""

    values: DoublesOut
    size: int


class IntegralsBackRole(NamedTuple):
    """The way back from dL/d(integral), ``seeds`` [samples, size].

    Samples ``bounds[c] : bounds[c + 1]`` are of chunk c, whose gradients by weight and delay and
    sums [chunks, 3, size] are its own. ``effects`` are dL/dt by spike.
    """

    bounds: Ints
    seeds: Doubles
    by_weight: DoublesOut
    by_delay: DoublesOut | None
    effects: DoublesOut
    sums: DoublesOut
    size: int


class AskedRole(NamedTuple):
    """Times [samples, n] at which all neurons are asked for their voltage [samples, n, size]."""

    times: Doubles
    n: int
    value: DoublesOut


class AskedBackRole(NamedTuple):
    """The way back from voltages at asked times.

    Samples ``bounds[c] : bounds[c + 1]`` are of chunk c; ``asked`` says of which rows' events dL/dt
    is asked for; ``middle`` and ``length`` as in
    :class:`eventsim.engine.contract.adjoint_series.Span`.
    """

    times: Doubles
    n: int
    by_value: Doubles
    bounds: Ints
    asked: Flags
    sums: DoublesOut
    middle: float
    length: float


class EventsBackRole(NamedTuple):
    """Gradients by weight, [chunks, blocks, rows, width], and dL/dt by event."""

    by_weight: RealsOut
    effects: RealsOut


class LargestRole(NamedTuple):
    """By neuron: the largest v, when, and the event with which the time moves, or -1.

    ``slope`` is dv/dt just before such an event. They begin as 0, 0, -1 and 0, which is the answer
    where v never rises above 0.
    """

    value: DoublesOut
    time: DoublesOut
    arrival: IntsOut
    slope: DoublesOut


class DenseForward(NamedTuple):
    """The forward pass of a layer whose neurons all meet the same events."""

    tasks: TasksRole
    events: EventsRole
    weights: WeightsRole
    neurons: NeuronsRole
    begin: StandingRole
    end: Annotated[StandingRole, WRITTEN]
    spikes: SpikesRole


class DenseBackward(NamedTuple):
    """The backward pass of a layer whose neurons all meet the same events."""

    tasks: TasksRole
    events: EventsRole
    weights: WeightsRole
    neurons: NeuronsRole
    tape: TapeRole
    way: WayBackRole
    found: FoundRole


class ReadoutGains(NamedTuple):
    """The table of a readout's gains; tasks are blocks of outputs."""

    tasks: TasksRole
    outputs: OutputsRole
    gains: Annotated[GainTableRole, WRITTEN]


class ReadoutForward(NamedTuple):
    """Integrals of a readout that shares its events; tasks are samples."""

    tasks: TasksRole
    spikes: SourcesRole
    gains: GainTableRole
    weights: WeightsRole
    integrals: IntegralsRole


class ReadoutBackward(NamedTuple):
    """The way back from them; tasks are chunks."""

    tasks: TasksRole
    spikes: SourcesRole
    gains: GainTableRole
    weights: WeightsRole
    back: IntegralsBackRole


class ApartForward(NamedTuple):
    """Integrals of a readout whose synapses are few or have delays of their own."""

    tasks: TasksRole
    spikes: SourcesRole
    gains: GainTableRole
    fan: FanOutRole
    integrals: IntegralsRole


class ApartBackward(NamedTuple):
    """The way back from them; tasks are chunks."""

    tasks: TasksRole
    spikes: SourcesRole
    gains: GainTableRole
    fan: FanOutRole
    back: IntegralsBackRole


class VoltagesForward(NamedTuple):
    """Voltages of a readout at asked times; tasks are blocks in samples."""

    tasks: TasksRole
    events: EventsRole
    weights: WeightsRole
    neurons: NeuronsRole
    asked: AskedRole


class VoltagesBackward(NamedTuple):
    """The way back from them; tasks are chunks."""

    tasks: TasksRole
    events: EventsRole
    weights: WeightsRole
    neurons: NeuronsRole
    asked: AskedBackRole
    back: EventsBackRole


class LargestForward(NamedTuple):
    """The largest voltages of a readout; tasks are blocks in samples."""

    tasks: TasksRole
    events: EventsRole
    weights: WeightsRole
    neurons: NeuronsRole
    largest: LargestRole


ROLES: tuple[type, ...] = (
    TasksRole,
    SourcesRole,
    EventsRole,
    WeightsRole,
    NeuronsRole,
    StandingRole,
    SpikesRole,
    TapeRole,
    WayBackRole,
    FoundRole,
    OutputsRole,
    GainTableRole,
    FanOutRole,
    IntegralsRole,
    IntegralsBackRole,
    AskedRole,
    AskedBackRole,
    EventsBackRole,
    LargestRole,
)
CALLS: tuple[type, ...] = (
    DenseForward,
    DenseBackward,
    ReadoutGains,
    ReadoutForward,
    ReadoutBackward,
    ApartForward,
    ApartBackward,
    VoltagesForward,
    VoltagesBackward,
    LargestForward,
)
