"""Arguments of kernels, declared here for both sides, as in ``compiled/roles.py``.

A role is a class of arrays and numbers that go to a kernel as one struct, by value: of class
``TapeStruct`` the struct ``Tape``, with the same fields. What a field is says its annotation: an
array of a type, which may be ``| None``, a number, or another role. What kernels write has a name
in ``Out``; nobody writes to other arrays while a kernel runs. A field of type ``Array`` is the
host's alone. :func:`declarations` writes the structs in front of the text of the kernels.

Times are in ms. A pair is a (sample, neuron); arrays by pair have the shape [samples, neurons].
"""

from collections.abc import Callable
from dataclasses import dataclass
from types import UnionType
from typing import Annotated, Any, NamedTuple, Union, get_args, get_origin, get_type_hints

import numpy as np
from numpy.typing import NDArray

from eventsim.arrays import Array
from eventsim.engine.contract.adam import AdamStep
from eventsim.events.tape import Adapted

# Kind of the numbers and their bytes, R for the type of the state; w where they are written.
Rows = Annotated[Array, "i4"]
RowsOut = Annotated[Array, "i4w"]
Ints = Annotated[Array, "i8"]
IntsOut = Annotated[Array, "i8w"]
Doubles = Annotated[Array, "f8"]
DoublesOut = Annotated[Array, "f8w"]
SinglesOut = Annotated[Array, "f4w"]
Reals = Annotated[Array, "R"]
RealsOut = Annotated[Array, "Rw"]
FlagsOut = Annotated[Array, "u1w"]
Long = Annotated[int, "i8"]
Real = Annotated[float, "R"]

NUMBERS = {"u1": "unsigned char", "i4": "int", "i8": "long long", "f4": "float", "f8": "double"}


class BuffersStruct(NamedTuple):
    """Room for the spikes of the pairs that one round runs; count and reached of all rounds."""

    start: Ints
    limit: Rows  # below zero: the pair has been run already
    time: DoublesOut
    current: RealsOut
    restart: RealsOut
    counts: RowsOut  # by pair, also past the limit; -1 after a run-away
    reached: DoublesOut  # by pair: time of the run-away


class StopStruct(NamedTuple):
    """Neurons in the middle of a run, by pair: :class:`.state.Stop`, with an :class:`.Adapted`."""

    time: DoublesOut
    v: RealsOut
    j: RealsOut
    until: DoublesOut  # below zero where V is not held
    a: DoublesOut | None = None  # right after the last spike, of thresholds that adapt
    last: DoublesOut | None = None  # that spike's time

    def copy(self) -> "StopStruct":
        """The same in new arrays."""
        return StopStruct(*(None if values is None else values.copy() for values in self))


class MembersStruct(NamedTuple):
    """Parameters of the neurons of a stage."""

    par: Reals  # [N_PAR, n]
    refractory: Doubles  # [n]; of thresholds that adapt [3, n], with their rise and rate
    n: int


class EventsStruct(NamedTuple):
    """Events that all neurons of a stage meet, sorted by time in each sample."""

    offsets: Ints  # [samples + 1]
    time: Doubles
    row: Rows  # of the weights
    duration: Doubles  # [samples]
    n: Long
    skip: Ints | None = None  # [samples]: events that the begin has met; forward
    met: IntsOut | None = None  # [samples]: those that the end has; forward


class ArrivalsStruct(NamedTuple):
    """Spike arrivals by pair, in each in order of time, then of source row."""

    first: Ints  # of every pair
    time: Doubles
    synapse: Rows
    # The place of each before it was sorted, where those of one spike lie side by side, from
    # to[spike] on.
    origin: Ints
    duration: Doubles  # [samples]
    to: Array
    cause: Ints | None = None  # the loop's own spike, or -1; on the way back of a loop


class ReturnsStruct(NamedTuple):
    """Self-connections that return later than their spike, by neuron.

    ``early[first[pair] :]`` are own spikes of an earlier piece that are still to return; forward.
    """

    weight: Reals
    delay: Doubles  # 0 where there is none
    first: Ints | None = None
    early: Doubles | None = None


class TapeStruct(NamedTuple):
    """Recorded spikes by pair, ascending, and what the loss says of them."""

    order: Array  # the number of each in the tape
    first: Ints  # of every pair, and their number
    time: DoublesOut
    current: RealsOut
    restart: RealsOut
    by_time: DoublesOut
    by_voltage: RealsOut
    through: DoublesOut  # gathers dL/dt that runs over the neuron's own restart and return
    before: DoublesOut  # work space of thresholds that adapt: adaptation just before every spike
    neuron: Rows | None = None  # of loops


class WayBackStruct(NamedTuple):
    """Begin of the way back, and the states carried to it.

    To time zero, where they start, from an adjoint state of zero, without arrays; or over a piece
    (:class:`eventsim.engine.contract.piece.Piece`).
    """

    starts: bool = True  # whether samples start at the begin
    begin: Doubles | None = None  # [samples]
    carried: RealsOut | None = None  # adjoint state [samples, 5, neurons]; is left as at the begin
    a: Doubles | None = None  # adaptation at the begin, and its spike's time, by pair
    last: Doubles | None = None
    behind: DoublesOut | None = None  # what is known of the next spikes [samples, 3, neurons]


class ChunksStruct(NamedTuple):
    """Chunks of samples on the way back, and the :class:`.adjoint_series.Span` of series."""

    bounds: Ints  # [chunks + 1]: samples bounds[c] : bounds[c + 1] are chunk c
    middle: float  # 1/ms
    length: float


class LayerFoundStruct(NamedTuple):
    """Gradients from the way back of shared events; each chunk has its own."""

    by_weight: RealsOut  # [chunks, n_rows, neurons]
    effects: RealsOut  # dL/dt, [tiles, events]
    sums: DoublesOut  # [chunks, N_SUMS + N_OWN, neurons]
    grazes: RowsOut  # [chunks, neurons]
    n_rows: int


class ArrivalsFoundStruct(NamedTuple):
    """Gradients by arrival from the way back, at the places before arrivals were sorted."""

    by_arrival: RealsOut  # dL/d(scaled weight)
    later: RealsOut  # dL/dt
    sums: DoublesOut  # [samples, N_SUMS + N_OWN, neurons]; of linear neurons [.., neurons, WIDTH]
    grazes: RowsOut  # by pair


class ArrivingStruct(NamedTuple):
    """Bundles that arrive, by sample, in order of (time, first synapse): Arriving of bundles.py."""

    offsets: Ints
    time: Doubles
    first: Ints  # synapses
    last: Ints
    cause: Ints | None  # the loop's own spike, or -1; on the way back
    duration: Doubles  # [samples]


class LoopStruct(NamedTuple):
    """Connections of a loop: Loop of bundles.py."""

    start: Ints  # of every neuron's bundles
    first: Ints  # synapses of every bundle
    last: Ints
    delay: Doubles
    target: Rows  # of every synapse
    weight: Reals
    own_weight: Reals  # of self-connections that return later than their spike
    own_delay: Doubles


class BundlesStruct(NamedTuple):
    """Room for bundles, [samples, capacity]: heaps by (time, first synapse); those of windows."""

    time: DoublesOut
    first: IntsOut
    last: IntsOut
    capacity: int


class RoundStruct(NamedTuple):
    """Room for the spikes of the samples that one round runs.

    ``counts``, ``status`` and ``reached`` are those of all rounds.
    """

    start: Ints
    limit: Rows  # below zero: the sample has been run already
    time: DoublesOut
    neuron: RowsOut
    current: RealsOut
    restart: RealsOut
    counts: RowsOut  # also past the limit; the neuron after a run-away
    status: RowsOut
    reached: DoublesOut  # time of a run-away


class LoopStopStruct(NamedTuple):
    """States of a loop's neurons: a :class:`.loop_state.LoopStop`, with an :class:`.Adapted`.

    ``until`` is not above 0 where V is not held.
    """

    time: DoublesOut  # by pair, as the next
    v: RealsOut
    j: RealsOut
    until: DoublesOut
    since: DoublesOut
    recent: IntsOut
    border: DoublesOut  # [samples], as the next
    idle: IntsOut
    halvings: IntsOut
    a: DoublesOut | None = None  # by pair, as in StopStruct
    last: DoublesOut | None = None


class CellsStruct(NamedTuple):
    """State of neurons since their last events, by pair: work space."""

    time: DoublesOut  # of the last event
    until: DoublesOut  # when V is let go
    due: DoublesOut
    since: DoublesOut  # from when on `recent` spikes were counted
    v: RealsOut
    j: RealsOut
    rise: RealsOut  # ms to the crossing that is predicted
    held: RowsOut  # the spike that holds V, or -1
    mark: RowsOut
    recent: RowsOut
    a: DoublesOut | None = None  # where thresholds are adaptive, as the next
    last: DoublesOut | None = None


class RoomStruct(NamedTuple):
    """Work space of a loop."""

    cells: CellsStruct
    heap: BundlesStruct


class WindowsStruct(NamedTuple):
    """Windows of a loop: engine/contract/windowing.py; and their work space."""

    length: float
    reach: float
    by_v: Reals  # [n_functions, neurons]
    by_j: Reals
    pieces: int  # of a window, at least
    width: int  # sums of a neuron
    n_functions: int
    due: BundlesStruct
    moments: RealsOut  # [samples, neurons, width]
    by_stretches: bool  # whether neurons share their events: then they have no sums, but
    weight: Reals | None  # weights [rows + 1, neurons],
    row: Rows | None  # the row of every synapse,
    fastest: Real  # 1/ms: and the largest rate


class PlacesStruct(NamedTuple):
    """Places of every chunk's neurons on their way back, [chunks, neurons]: work space."""

    adjoint: RealsOut  # [chunks, 5, neurons]
    reached: DoublesOut
    next: IntsOut
    released: FlagsOut
    adapted: DoublesOut  # [chunks, neurons, 3]: AdaptedBack, where thresholds are adaptive


class LoopFoundStruct(NamedTuple):
    """Gradients from the way back of a loop; each chunk has its own."""

    by_weight: RealsOut  # [chunks, n_synapses]
    by_delay: DoublesOut  # [chunks, n_synapses]
    effects: DoublesOut  # dL/dt by bundle
    sums: DoublesOut  # [chunks, N_SUMS + N_OWN, neurons]
    grazes: RowsOut  # [chunks, neurons]
    n_synapses: Long


class FanOutStruct(NamedTuple):
    """Synapses by source: those of row r are ``start[r] : start[r + 1]``."""

    start: Ints
    target: Rows
    delay: Doubles
    weight: Reals | None = None  # of readouts


class SourceSpikesStruct(NamedTuple):
    """Spikes of one source, in any order in each sample."""

    offsets: Ints
    time: Doubles
    neuron: Rows
    duration: Doubles  # [samples]
    row: int  # of its first neuron


class GainTableStruct(NamedTuple):
    """Table of gains of a readout for the weight exp(-rate t)."""

    values: Reals  # [windows, N_GAIN, GAIN_TERMS, size]
    size: int
    rate: float
    per_ms: float  # windows


class IntegralsBackStruct(NamedTuple):
    """The way back from a readout's integrals, and what it adds to."""

    seeds: Doubles  # dL/d(integral) times the resistance, [samples, size]
    by_weight: DoublesOut  # [parts, n_synapses], as the next
    by_delay: DoublesOut | None
    effects: DoublesOut  # dL/dt of the spikes
    sums: DoublesOut  # [parts times slices, 3, size]: by membrane rate, by synaptic rate, gains
    n_synapses: Long


class TableStruct(NamedTuple):
    """Room for a table made in double precision: rounded where the state is single."""

    values: DoublesOut | None
    rounded: SinglesOut | None


class ParametersStruct(NamedTuple):
    """Parameters of neurons, from which their table is made, [n]."""

    tau_mem: Doubles
    tau_syn: Doubles
    resistance: Doubles
    threshold: Doubles
    v_leak: Doubles
    v_reset: Doubles
    n: int


class OwnStruct(NamedTuple):
    """Self-connections, where there are any: weights by neuron, delays of all or by neuron."""

    weight: Doubles | None = None
    delay: Doubles | None = None
    by_neuron: bool = False


class PackedStruct(NamedTuple):
    """Spikes of all pairs without gaps, in the order of these."""

    time: DoublesOut
    sample: RowsOut
    neuron: RowsOut
    current: RealsOut
    restart: RealsOut


class RunsStruct(NamedTuple):
    """Spikes that lie neuron after neuron, each ascending."""

    first: Ints  # of every (sample, neuron), and their number
    time: Doubles
    sample: Rows
    neuron: Rows


class RecordedStruct(NamedTuple):
    """Spikes in order of (sample, time, neuron), with currents in the unit of the weights."""

    time: DoublesOut
    neuron: RowsOut
    current: DoublesOut
    restart: DoublesOut


class ReadStruct(NamedTuple):
    """Spikes of all sources: arrival, sample, source row."""

    time: DoublesOut
    sample: RowsOut
    row: RowsOut


@dataclass(frozen=True, eq=False)
class GroupsStruct:
    """Spikes of all sources by (sample, source row), in each in order of time."""

    first: Ints  # of every group, and their number
    time: Doubles  # when they arrive where a stage shares its events, else when they were fired
    sample: Rows
    row: Rows
    spike: Ints  # their number among those of all sources
    n_samples: int
    n_rows: int


class ExpandedStruct(NamedTuple):
    """Arrivals as they were expanded: of every spike one after the other."""

    time: DoublesOut
    pair: IntsOut
    synapse: RowsOut


class SegmentsStruct(NamedTuple):
    """Arrays that are trained; of each the rate, what multiplies its values, and their bounds."""

    start: Ints  # [n + 1]: the entries of array k are start[k] : start[k + 1]
    address: Ints
    logarithmic: Rows
    rate: Doubles
    decayed: Doubles
    least: Doubles
    most: Doubles
    n: int
    entries: Long


class AdamFactorsStruct(NamedTuple):
    """Numbers of a step of Adam."""

    factor: float
    clip: float
    grow1: float
    grow2: float
    bias1: float
    bias2: float
    epsilon: float

    @classmethod
    def of(cls, step: AdamStep) -> "AdamFactorsStruct":
        """The factors of a step."""
        kept1, kept2 = step.beta1, step.beta2
        bias1, bias2 = 1.0 - kept1**step.number, 1.0 - kept2**step.number
        return cls(step.factor, step.clip, 1.0 - kept1, 1.0 - kept2, bias1, bias2, step.epsilon)


class LinearTablesStruct(NamedTuple):
    """Tables of linear neurons: of all, then of all while V is held; see roles_linear.py."""

    flow: Reals
    alpha: Reals
    powers: Reals
    bounds: Reals
    piece: Doubles
    beta: Reals | None  # of the way back, as the next
    products: Reals | None
    size: int
    bits: int


class LinearJumpsStruct(NamedTuple):
    """Effect of a spike on its linear neuron, and the states at the start."""

    keep: Reals
    jump: Reals
    level: Reals
    alert: Reals
    hold: Doubles
    start: Reals


class LinearWiresStruct(NamedTuple):
    """Weights, delays and states of synapses, and of self-connections by neuron."""

    weight: Reals
    state: Rows
    own_weight: Reals
    own_delay: Doubles
    own_state: Rows
    ordered: bool  # whether a spike may return later


class LinearStruct(NamedTuple):
    """The linear neurons of a stage."""

    tables: LinearTablesStruct
    jumps: LinearJumpsStruct
    wires: LinearWiresStruct


class LinearTapeStruct(NamedTuple):
    """Recorded spikes by pair, and what the loss says of them."""

    first: Ints  # of every pair, and their number
    time: Doubles
    by_time: Doubles
    by_voltage: Doubles
    through: DoublesOut  # gathers dL/dt that runs over what a spike does in its stage


class LinearLogStruct(NamedTuple):
    """A log of all pairs' steps: work space."""

    state: RealsOut  # [steps, STATES], before the step
    span: DoublesOut  # ms
    kind: FlagsOut  # LinearKind, and HELD where V is held


class LinearStandingStruct(NamedTuple):
    """States of linear neurons by pair: LinearStop of engine/contract/linear.py."""

    x: RealsOut  # [samples, neurons, STATES]
    time: DoublesOut  # of the last event
    until: DoublesOut  # below zero where V is not held
    since: DoublesOut
    recent: IntsOut


class LinearDuesStruct(NamedTuple):
    """Due times of linear neurons, by pair: LinearDue. Work space."""

    time: DoublesOut
    seen: DoublesOut
    sure: FlagsOut
    mark: RowsOut


class LinearSentStruct(NamedTuple):
    """Arrivals of a loop's own spikes."""

    first: Ints  # of every spike, and their number: its places among the spikes of sources
    spike: Ints
    to: Ints  # the first arrival of every spike of the sources, before they are sorted
    least: float  # the least delay of all


class LinearMarksStruct(NamedTuple):
    """Places of pairs on their way back: work space of loops."""

    adjoint: RealsOut  # [pairs, STATES]
    step: IntsOut
    arrival: IntsOut
    spike: IntsOut
    own: IntsOut


def on_host(
    stop: StopStruct | LoopStopStruct, get: Callable[[Array], NDArray[Any]]
) -> tuple[list[Any], Adapted | None]:
    """States of neurons as arrays of NumPy: the fields of a stop, and the adaptation."""
    *stands, a, last = (None if values is None else get(values) for values in stop)
    return stands, None if a is None else Adapted(a, last)


def declarations() -> str:
    """A struct of each role, in the order in which they are declared."""
    roles = [role for name, role in globals().items() if name.endswith("Struct")]
    return "\n".join(
        "\n    ".join((f"struct {_struct(role)} {{", *(f"{of} {n};" for n, of in _fields(role))))
        + "\n};"
        for role in roles
    )


def types_of(role: type, real: type) -> list[np.dtype[Any]]:
    """Types of the arrays of a role for a type of the state, in order."""
    kinds = [get_args(hint)[1].rstrip("w") for _, hint in _hints(role) if _is_array(hint)]
    return [np.dtype(real if kind == "R" else kind) for kind in kinds]


def _hints(role: type) -> list[tuple[str, Any]]:
    """Annotations of the fields that kernels have."""
    hints = get_type_hints(role, include_extras=True).items()
    bare = [(n, get_args(h)[0] if get_origin(h) in (Union, UnionType) else h) for n, h in hints]
    return [(name, hint) for name, hint in bare if hint is not Any]


def _is_array(hint: Any) -> bool:
    return get_origin(hint) is Annotated and get_args(hint)[0] is Any


def _fields(role: type) -> list[tuple[str, str]]:
    """Names and types of the fields in C++."""
    return [(name, _type(hint)) for name, hint in _hints(role)]


def _type(hint: Any) -> str:
    if get_origin(hint) is not Annotated:
        return {int: "int", bool: "int", float: "double"}.get(hint) or _struct(hint)
    kind = get_args(hint)[1]
    number = NUMBERS.get(kind.rstrip("w"), "REAL")
    if not _is_array(hint):
        return number
    return f"{number}*" if kind.endswith("w") else f"Given<{number}>"


def _struct(role: type) -> str:
    return role.__name__.removesuffix("Struct")
