"""Roles and calls: the arguments of compiled kernels, declared here for both sides.

A role is a tuple of arrays and numbers, a call a tuple of roles that begins with its tasks. What a
field is says its annotation: an array of a type, C-contiguous, which may be ``| None``; or ``int``
or ``float``. Arrays called ``Out`` are written to. All fields have 8 bytes.
``eventsim/kernels/build.py`` writes a C++ struct of each of them in the order of its fields: of
class ``EventsRole`` the struct ``Events``, a template over the type of the state where a field has
it. Other rooms have their own in modules ``roles_*.py`` beside.

Arrays are the caller's and outlive the call. Times are in ms. Sizes of tables are those of
``eventsim/engine/contract/table.py``.
"""

from typing import Annotated, Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

# Kind of the numbers and their bytes, R for the type of the state; w where they are written; behind
# @ what lies at an address.
WRITTEN = "w"
Flags = Annotated[NDArray[np.bool_], "b1"]
FlagsOut = Annotated[NDArray[np.bool_], "b1w"]
Rows = Annotated[NDArray[np.int32], "i4"]
RowsOut = Annotated[NDArray[np.int32], "i4w"]
RowsAt = Annotated[NDArray[np.int64], "i8@i4"]
Ints = Annotated[NDArray[np.int64], "i8"]
IntsOut = Annotated[NDArray[np.int64], "i8w"]
IntsAt = Annotated[NDArray[np.int64], "i8@i8"]
Doubles = Annotated[NDArray[np.float64], "f8"]
DoublesOut = Annotated[NDArray[np.float64], "f8w"]
DoublesAt = Annotated[NDArray[np.int64], "i8@f8"]
Reals = Annotated[NDArray[np.floating[Any]], "R"]
RealsOut = Annotated[NDArray[np.floating[Any]], "Rw"]


class TasksRole(NamedTuple):
    """Tasks to run: number sample * n_blocks + block; backward chunks of samples, or theirs.

    What ``watch`` is says ``cpu/watch.hpp``; :meth:`Library.run` sees to it.
    """

    todo: Ints  # [n]
    n: int
    n_blocks: int
    watch: int = 0  # address; 0 where nobody asks

    @classmethod
    def all(cls, n: int, n_blocks: int = 1) -> "TasksRole":
        """Tasks for all blocks of ``n`` samples, or of ``n`` other items."""
        return cls(np.arange(n * n_blocks), n * n_blocks, n_blocks)


class SourcesRole(NamedTuple):
    """Spikes of all sources, which have numbers: source after source, sample after sample.

    Spikes of source k in sample s have the numbers ``first[k, s] : first[k, s + 1]``. The address
    of a source is where number 0 would lie, so its spikes are read by their numbers.
    """

    first: Ints  # [n_sources, n_samples + 1]
    time: DoublesAt  # [n_sources]
    neuron: RowsAt  # [n_sources], of the source
    row_start: Ints  # [n_sources]: first row of the wiring
    delay: Doubles  # [rows], 0 where synapses have their own
    duration: Doubles  # [n_samples]
    n_sources: int
    n_samples: int


class EventsRole(NamedTuple):
    """Events of all sources, sorted by time in each sample.

    ``skip`` and ``met`` are asked for where samples may begin and end inside a stream.
    """

    offsets: Ints  # [samples + 1]
    times: Doubles  # [events]
    rows: Rows  # [events], of the weights
    duration: Doubles  # [samples]
    heard: Flags  # [n_blocks, rows]: whether a block hears a row
    skip: Ints | None  # [samples, n_blocks]: events that the begin has met; forward
    met: IntsOut | None  # [samples, n_blocks]: those that the end has; forward


class WeightsRole(NamedTuple):
    """Weights by block, zero behind the last neuron and in the last row."""

    values: Reals  # [n_blocks, n_rows, width]
    n_rows: int
    width: int  # a multiple of every vector's

    @classmethod
    def of(cls, values: Reals) -> "WeightsRole":
        """The weights of an array; of one block also without its number."""
        return cls(values, *values.shape[-2:])


class NeuronsRole(NamedTuple):
    """Parameters of all neurons; neurons that do not fire need no refractory time."""

    par: Reals  # [N_PAR, size]
    refractory: Doubles | None  # [size]
    strength: Doubles | None  # [size], of thresholds that adapt, as the next
    rate: Doubles | None  # [size], 1/ms
    size: int
    fastest: float  # 1/ms: the largest rate, in the type of the state


class StandingRole(NamedTuple):
    """States of neurons, [samples, size]; ``a`` and ``last`` of thresholds that adapt."""

    time: Doubles
    v: Reals
    j: Reals
    until: Doubles  # below zero where V is not held
    a: Doubles | None
    last: Doubles | None


class SpikesRole(NamedTuple):
    """Room for spikes: the first ``limits[task]`` of a task from ``starts[task]`` on."""

    time: DoublesOut
    neuron: RowsOut
    current: DoublesOut
    restart: DoublesOut
    starts: Ints
    limits: Ints
    counts: IntsOut  # also past the limit; -1 - n where neuron n is the first to run away
    reached: DoublesOut  # when that was


class TapeRole(NamedTuple):
    """Recorded spikes of a layer by sample and time: class Tape of ``arrays``, between two more."""

    offsets: Ints  # [samples + 1]
    time: Doubles
    neuron: Rows
    current: Doubles  # times the resistance
    restart: Doubles  # not a number where the neuron is not let go of
    by_time: Doubles  # what the loss says of them
    by_voltage: Doubles
    previous: Ints  # of the same neuron in the same sample, or -1
    through: DoublesOut  # gathers dL/dt that runs over what the spike causes in its layer
    before: Doubles | None  # adaptation just before the spike


class WayBackRole(NamedTuple):
    """Division of samples for the way back, and the results that are requested."""

    bounds: Ints  # [chunks + 1]: samples bounds[c] : bounds[c + 1] are chunk c
    middle: float  # 1/ms, and with the length: class Span of adjoint_series
    length: float
    asked: Flags  # [rows]: whether dL/dt of a row's events is asked for
    cause: Ints | None  # [events]: the spike of the loop that an event is of, or -1
    # whether tasks are number chunk * n_blocks + block: only where nothing is asked for
    by_block: int = 0


class CarriedRole(NamedTuple):
    """Adjoint states carried over the ends of pieces: class Piece of ``contract/piece.py``."""

    begin: Doubles  # [samples]: where the piece begins
    # adjoint, behind: given as at the end of the piece, left as at its begin; None: zero
    adjoint: RealsOut | None  # [samples, N_STATE, size]
    behind: DoublesOut | None  # [samples, N_BEHIND, size], of thresholds
    starts: int  # whether samples start at the begin


class FoundRole(NamedTuple):
    """Gradients that the way back adds to; each chunk has its own."""

    by_weight: RealsOut  # [chunks, n_blocks, n_rows, width]
    effects: RealsOut  # [events]: dL/dt
    sums: DoublesOut  # [chunks, N_SUMS, size]
    own: DoublesOut  # [chunks, N_OWN, size]
    adapted: DoublesOut | None  # [chunks, 2, size]: by rise and rate of thresholds
    grazes: IntsOut  # [tasks]


class AskedRole(NamedTuple):
    """Times at which the v of all neurons is requested, ascending in each sample."""

    times: Doubles | None  # [samples, n]; None where n is 0
    n: int
    value: DoublesOut | None  # [samples, n, size]: v, from E; on the way back dL/dv


class OutputsRole(NamedTuple):
    """Outputs of a readout by their rates: the first two rows of a table [N_READOUT, size]."""

    rates: Doubles
    size: int


class GainTableRole(NamedTuple):
    """Table of gains by blocks of LANES outputs, for the weight exp(-rate t)."""

    values: Reals  # [n_blocks, n_windows, N_GAIN, GAIN_TERMS, LANES]
    n_blocks: int
    n_windows: int
    rate: float
    per_ms: float  # windows


class FanOutRole(NamedTuple):
    """Synapses by source: those of row r are ``start[r] : start[r + 1]``."""

    start: Ints  # [rows + 1]
    target: Rows  # [n], as the next
    weight: Reals
    delay: Doubles
    n: int


class IntegralsRole(NamedTuple):
    """Sums of weight times gain over all arrivals, [samples, size]."""

    values: DoublesOut
    size: int


class IntegralsBackRole(NamedTuple):
    """The way back from readout integrals; each chunk has its own gradients."""

    bounds: Ints  # [chunks + 1]
    seeds: Doubles  # dL/d(integral), [samples, size]
    by_weight: DoublesOut  # [chunks, weights], as the next
    by_delay: DoublesOut | None
    effects: DoublesOut  # dL/dt of the spikes
    sums: DoublesOut  # [chunks, 3, size]: seeds times integral, and its derivatives by the rates
    size: int


class LargestRole(NamedTuple):
    """Largest v of every neuron, from E, [samples, size].

    They begin as 0, 0, -1 and 0, which is the answer where v never rises above 0.
    """

    value: DoublesOut
    time: DoublesOut  # when that is
    arrival: IntsOut  # the event with which it moves, or -1
    slope: DoublesOut  # dv/dt just before this event


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
    """The backward pass of a layer whose neurons all meet the same events.

    Of a readout, whose tape is empty, from voltages at asked times.
    """

    tasks: TasksRole
    events: EventsRole
    weights: WeightsRole
    neurons: NeuronsRole
    tape: TapeRole
    way: WayBackRole
    carried: CarriedRole
    asked: AskedRole
    found: FoundRole


class ReadoutGains(NamedTuple):
    """The table of a readout's gains; tasks are blocks of outputs."""

    tasks: TasksRole
    outputs: OutputsRole
    gains: Annotated[GainTableRole, WRITTEN]


class ReadoutForward(NamedTuple):
    """Integrals of a readout that shares its events; tasks are samples.

    Weights and integrals have a place for each of the LANES outputs of each block.
    """

    tasks: TasksRole
    spikes: SourcesRole
    gains: GainTableRole
    weights: WeightsRole
    integrals: IntegralsRole


class ReadoutBackward(NamedTuple):
    """The way back from readout integrals, without delays; tasks are chunks."""

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
    """The way back from such readout integrals; tasks are chunks."""

    tasks: TasksRole
    spikes: SourcesRole
    gains: GainTableRole
    fan: FanOutRole
    back: IntegralsBackRole


class VoltagesForward(NamedTuple):
    """Voltages of a readout at asked times; tasks are blocks in samples, from the first event."""

    tasks: TasksRole
    events: EventsRole
    weights: WeightsRole
    neurons: NeuronsRole
    asked: AskedRole


class LargestForward(NamedTuple):
    """The largest voltages of a readout; tasks are blocks in samples."""

    tasks: TasksRole
    events: EventsRole
    weights: WeightsRole
    neurons: NeuronsRole
    largest: LargestRole
