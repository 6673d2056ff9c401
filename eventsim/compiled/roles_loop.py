"""Arguments of the kernels of loops; see :mod:`eventsim.compiled.roles`."""

from typing import Annotated, NamedTuple

from eventsim.compiled.roles import (
    WRITTEN,
    CarriedRole,
    Doubles,
    DoublesOut,
    FoundRole,
    Ints,
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
    """Connections of a loop: bundles of synapses that arrive together, by source neuron.

    Synapses are those of all sources, other stages' included; class Loop of ``bundles``.
    """

    start: Ints  # [size + 1]: start[n] : start[n + 1] are the bundles of neuron n
    first: Ints  # [bundles]: synapses first : last
    last: Ints
    delay: Doubles  # [bundles]
    target: Rows  # [synapses]
    parts: Ints  # [3, n_parts + 1]: addresses of the weights, eventsim/engine/cpu/weights.py
    own_weight: Reals  # [size]: of self-connections; their delay, where it is above zero
    own_delay: Doubles
    n_parts: int


class ArrivingRole(NamedTuple):
    """Bundles that are known to arrive, in each sample by time and first synapse."""

    offsets: Ints  # [samples + 1]
    time: Doubles
    first: Ints  # synapses first : last; OWN + n is the return of a spike of neuron n
    last: Ints
    spike: Ints  # its spike among those of all sources, or -1
    cause: Ints  # its spike among those of the loop, or -1
    duration: Doubles  # [samples]


class FlightsRole(NamedTuple):
    """Synapses of a loop with delays of their own, by source neuron: none of them is in a bundle.

    Those of neuron n are at the places ``start[n] : start[n + 1]``, by delay and then by number.
    """

    start: Ints  # [size + 1]
    synapse: Ints  # [places]
    delay: Doubles  # [places], ms


class UnderWayRole(NamedTuple):
    """Spikes of the loop from before, in each sample by time and neuron.

    They reach those of their synapses with delays of their own that they do not reach before
    ``since``.
    """

    offsets: Ints  # [samples + 1]
    time: Doubles
    neuron: Rows
    since: Doubles  # [samples]


class DelayedWiresRole(NamedTuple):
    """Rows of the wiring whose synapses have delays of their own, by source neuron.

    Those of neuron n are ``row[start[n] : start[n + 1]]``, ascending. The addresses of a row's
    delays and targets are where those of synapse 0 would lie, so they are read by the numbers of
    their synapses. Targets, int32, count from neuron ``into``.
    """

    start: Ints  # [size + 1]
    row: Ints
    delay: Ints  # addresses
    target: Ints
    into: Ints
    synapses: Ints  # [rows + 1]: of row r are synapses[r] : synapses[r + 1]
    delay_width: int  # bytes of a delay, 4 or 8


class FlightPartsRole(NamedTuple):
    """Neurons ``bounds[p] : bounds[p + 1]``, of ``size``, are those of part p."""

    bounds: Ints  # [n_parts + 1]
    n_parts: int
    size: int


class FlightCountsRole(NamedTuple):
    """Synapses of every neuron onto each part."""

    of: Ints  # [n_parts, size]


class WeightsAtRole(NamedTuple):
    """Addresses of weights by the numbers of their synapses, as in LoopRole, and their factors."""

    parts: Ints
    resistance: Doubles  # [size], of the target
    n_parts: int


class TilesRole(NamedTuple):
    """Synapses of a loop with delays of their own, in tiles: ``kernels/cpu/loop/tiles.hpp``.

    Those of neuron n onto part p are at the places ``first[p, n] : last[p, n]``, by delay and then
    by number.
    """

    first: Ints  # [n_parts, size]
    last: Ints
    address: int  # of the first tile; 0 where there are none
    width: int  # bytes of a weight
    delay_width: int  # and of a delay


class FlightRanksRole(NamedTuple):
    """Places of synapses in their rows of tiles, counted from the row's first on its part.

    Those of neuron n are ``start[n] : start[n + 1]``, by number.
    """

    start: Ints  # [size + 1]
    address: int  # of the first
    width: int  # bytes of each, 2 or 4
    known: int  # 1 where an earlier call has written them, and the tiles


class FlightSeriesRole(NamedTuple):
    """The two responses as polynomials in u = 2 s / reach - 1: class Series of ``windowing``."""

    gain: Reals
    y: Reals
    reach: float  # ms, of the powers as well


class LoopStopRole(NamedTuple):
    """States of neurons, [samples, size]; ``a`` and ``last`` of thresholds that adapt."""

    time: Doubles
    v: Reals
    j: Reals
    until: Doubles  # below zero where V is not held
    since: Doubles  # spikes of the ms from here on that have been counted
    recent: Ints
    border: Doubles  # [samples], as the next two: of windows
    idle: Ints
    halvings: Ints
    a: Doubles | None
    last: Doubles | None


class LoopBackRole(NamedTuple):
    """Division of samples for the way back of a loop, and their last spikes."""

    bounds: Ints  # [chunks + 1]: samples bounds[c] : bounds[c + 1] are chunk c
    last: Ints  # [samples, size]: last spike of each neuron, or -1
    by_delay: DoublesOut | None  # [chunks, synapses]; where synapses have delays of their own
    n_synapses: int
    length: float  # ms, of windows in which flights are met; at most


class FlightSumsRole(NamedTuple):
    """Gradients by synapses in tiles, by place."""

    by_weight: RealsOut  # [chunks, n_places]
    by_delay: DoublesOut
    n_places: int
    chunks: int


class SynapseSumsRole(NamedTuple):
    """Gradients by synapses, by number."""

    by_weight: RealsOut  # [synapses]
    by_delay: DoublesOut


class WindowsRole(NamedTuple):
    """Windows of a loop: :mod:`eventsim.engine.contract.windowing`."""

    length: float
    border: float  # of the only window; below zero: every one is ``length`` long
    pieces: int  # of a window, at least


class SumBasisRole(NamedTuple):
    """Basis of the sums of arrivals in a piece: the functions of one, and their terms of V, J."""

    by_v: Reals  # [functions, size]
    by_j: Reals
    width: int  # sums of a neuron
    reach: float  # of the powers; 0 where the functions are the two answers themselves


class NeuronPartsRole(NamedTuple):
    """Neurons ``bounds[p] : bounds[p + 1]`` of a sample are part p, which any thread may run.

    Where there are several parts, the call is led by its only thread.
    """

    bounds: Ints  # [n_blocks + 1] of the tasks
    crew: int  # address of the threads that run parts; 0 where there is one


class SynapseRowsRole(NamedTuple):
    """Row of the weights of every synapse, of neurons that share their events."""

    row: Rows


class SortDelays(NamedTuple):
    """Puts synapses with delays of their own in order; tasks are neurons."""

    tasks: TasksRole
    wires: DelayedWiresRole
    sorted: Annotated[FlightsRole, WRITTEN]


class CountFlights(NamedTuple):
    """Counts what :class:`LayFlights` needs places for; tasks are neurons."""

    tasks: TasksRole
    wires: DelayedWiresRole
    parts: FlightPartsRole
    counted: Annotated[FlightCountsRole, WRITTEN]


class LayFlights(NamedTuple):
    """Puts synapses with delays of their own into tiles; tasks are neurons.

    Where they lie in tiles since an earlier call, neurons whose delays are the same are given their
    weights alone.
    """

    tasks: TasksRole
    wires: DelayedWiresRole
    parts: FlightPartsRole
    weights: WeightsAtRole
    tiles: TilesRole
    ranks: FlightRanksRole


class QueueForward(NamedTuple):
    """The forward pass of a loop, event by event; tasks are samples."""

    tasks: TasksRole
    arriving: ArrivingRole
    loop: LoopRole
    flights: FlightsRole
    under_way: UnderWayRole
    neurons: NeuronsRole
    begin: LoopStopRole
    end: Annotated[LoopStopRole, WRITTEN]
    spikes: SpikesRole


class QueueBackward(NamedTuple):
    """The backward pass of a loop whose neurons do not share their events; tasks are chunks.

    What is found by weight is [chunks, synapses], effects are by spike of all sources. Of the
    loop's own synapses with delays of their own nothing is among the arrivals: they are in tiles,
    those onto all neurons together.
    """

    tasks: TasksRole
    arriving: ArrivingRole
    loop: LoopRole
    tiles: TilesRole
    neurons: NeuronsRole
    tape: TapeRole
    way: LoopBackRole
    carried: CarriedRole
    flown: FlightSumsRole
    found: FoundRole


class CollectFlights(NamedTuple):
    """Puts what was found in tiles where the synapses' numbers say; tasks are neurons."""

    tasks: TasksRole
    wires: DelayedWiresRole
    tiles: TilesRole
    ranks: FlightRanksRole
    flown: FlightSumsRole
    found: SynapseSumsRole


class LoopSums(NamedTuple):
    """A loop by windows, with sums: a task is a part of the neurons in a sample.

    If there are several parts all tasks are of one sample, and threads may be called with some of
    them each.
    """

    tasks: TasksRole
    arriving: ArrivingRole
    loop: LoopRole
    tiles: TilesRole
    series: FlightSeriesRole
    under_way: UnderWayRole
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
