"""From a job to the arrays that the kernels take."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from eventsim.arrays import Floats
from eventsim.engine.cpu import fanin
from eventsim.engine.cpu.adaptive import Adapting, AdaptingBack, before_spikes
from eventsim.engine.cpu.fanin import FanIn, FanOutEvents
from eventsim.engine.cpu.library import library
from eventsim.engine.cpu.roles import SourcesRole, TasksRole
from eventsim.engine.cpu.roles_order import (
    ByRowRole,
    GroupByRow,
    LinkedRole,
    LinkSpikes,
    MergedRole,
    MergeSources,
    OwnSpikesRole,
)
from eventsim.engine.cpu.threads import n_threads
from eventsim.engine.cpu.walk import Tape, WayBack
from eventsim.engine.cpu.weights import synapse_weights
from eventsim.engine.job import Job
from eventsim.engine.piece import Piece, whole
from eventsim.engine.state import LayerState, start_adapted
from eventsim.engine.table import N_BEHIND, real_type, spike_bases
from eventsim.events import SpikeTrains
from eventsim.events.tape import Adapted
from eventsim.held import made_for_back, made_once

Index = NDArray[np.int64]

# Sums over samples are taken in this many parts and then added in order, whatever the number of
# threads, so that a result does not depend on the machine. Fewer where parts would be large.
CHUNKS = 8
CHUNK_BYTES = 32 * 2**20

# Parts of the rows of a wiring whose synapses are sorted by target side by side.
ROW_PARTS = 8


@dataclass(frozen=True, eq=False)
class MergedEvents:
    """Events of all sources of a stage in order: time, row, and number among all ``n`` spikes.

    ``spike`` is None where the events are those of the only source, as they are.
    """

    n: int

    offsets: Index
    times: Floats
    rows: NDArray[np.int32]
    spike: Index | None

    def by_spike(self, by_event: NDArray[np.floating[Any]]) -> Floats:
        """Values of events as float64 values of the spikes of all sources. New array."""
        if self.spike is None:
            return by_event.astype(np.float64)
        found = np.zeros(self.n)
        found[self.spike] = by_event
        return found


def read_only(values: Any) -> Any:
    """A view that cannot be written to.

    Arrays of a stream are read-only, those of spikes are not, and for Numba the two are different
    types: kernels that take either get views, or they would be compiled twice.
    """
    view = values.view()
    view.flags.writeable = False
    return view


def sources_of(job: Job) -> tuple[SourcesRole, list[Any]]:
    """Spikes of all sources as kernels take them, and the arrays whose addresses it has.

    They must outlive it.
    """
    bases, stage = spike_bases(job), job.stage
    first = np.empty((len(job.sources), job.n_samples + 1), np.int64)
    for k, source in enumerate(job.sources):
        np.add(source.offsets, bases[k], out=first[k])
    times = [np.ascontiguousarray(source.times, np.float64) for source in job.sources]
    neurons = [np.ascontiguousarray(source.neurons, np.int32) for source in job.sources]
    rows = stage.wiring.row_start
    delays = np.zeros(int(rows[-1])) if stage.delays_per_synapse else job.row_delays()
    sources = SourcesRole(
        first, addresses(times, bases), addresses(neurons, bases), rows, delays, job.duration,
        len(times), job.n_samples,
    )  # fmt: skip
    return sources, [times, neurons]


def addresses(arrays: Sequence[NDArray[Any]], bases: Index | None = None) -> Index:
    """Where the arrays begin; with ``bases``, where an entry 0 would lie before the entry base."""
    at = np.array([array.ctypes.data for array in arrays], np.int64)
    if bases is None or not arrays:
        return at
    return at - bases[: at.size] * arrays[0].itemsize


def merged_events(job: Job) -> MergedEvents:
    """One ordered list of events for all neurons of a stage that shares events.

    Forward and backward pass share it inside :func:`eventsim.held.holding` of both.
    """
    delays = [projection.delays for projection in job.stage.projections]
    if len(job.sources) == 1 and not delays[0].any():
        (source,) = job.sources
        return MergedEvents(source.times.size, source.offsets, source.times, source.neurons, None)
    # The sources are kept beside, so that no other arrays can get their numbers.
    key = (merged_events, job.stage, *(id(source.times) for source in job.sources))
    found: MergedEvents = made_for_back(key, lambda: (_merged(job), job.sources))[0]
    return found


def _merged(job: Job) -> MergedEvents:
    sources, _held = sources_of(job)
    offsets = (sources.first - spike_bases(job)[:-1, None]).sum(axis=0)
    size = int(offsets[-1])
    times, rows, spike = np.empty(size), np.empty(size, np.int32), np.empty(size, np.int64)
    merged = MergedRole(offsets, times, rows, spike)
    _run(MergeSources(TasksRole.all(job.n_samples), sources, merged))
    return MergedEvents(size, read_only(offsets), read_only(times), read_only(rows), spike)


def _run(call: MergeSources | GroupByRow | LinkSpikes) -> None:
    library().run(call, threads=n_threads())


def since(merged: MergedEvents, begin: Floats) -> MergedEvents:
    """The events at or after ``begin`` (ms, by sample)."""
    if not begin.any():
        return merged
    n_events = np.diff(merged.offsets)
    kept = merged.times >= np.repeat(begin, n_events)
    before = np.concatenate([[0], np.cumsum(kept)]).astype(np.int64)
    spike = np.flatnonzero(kept) if merged.spike is None else merged.spike[kept]
    offsets, times = read_only(before[merged.offsets]), read_only(merged.times[kept])
    return MergedEvents(merged.n, offsets, times, read_only(merged.rows[kept]), spike)


def adapting_of(job: Job, begin: Adapted | None) -> tuple[Adapting | None, Adapted | None]:
    """Adaptive thresholds as the kernels take them, and where they leave those of the end.

    None and None where the threshold is not adaptive.
    """
    if begin is None:
        return None, None
    p, end = job.stage.population, Adapted(*(values.copy() for values in begin))
    return Adapting(p.adaptation, 1.0 / p.tau_adaptation, *begin, *end), end


def adapting_back_of(
    job: Job, trains: SpikeTrains, parts: int, piece: Piece | None
) -> AdaptingBack | None:
    """Adaptive thresholds on the way back, with room for so many parts of the sums.

    None where the threshold is not adaptive; ``piece`` None of whole samples.
    """
    p = job.stage.population
    if not p.is_adaptive:
        return None
    before, rate, nothing = np.empty(len(trains)), 1.0 / p.tau_adaptation, np.zeros(0)
    begin, start = np.zeros(job.n_samples), start_adapted(job)
    carried = np.zeros((0, N_BEHIND, p.size))
    if piece is not None and piece.adapted is not None:
        begin, (start, carried) = piece.begin, piece.adapted
    assert start is not None
    before_spikes(trains.offsets, trains.neurons, trains.times, rate, begin, *start, before)
    found = np.zeros((parts, 2, p.size))
    return AdaptingBack(p.adaptation, rate, before, nothing, nothing, nothing, found, carried)


def adapted_sums(adapt: AdaptingBack | None) -> Floats | None:
    """What the way back found by rise and rate, [2, size]; None where nothing is adaptive."""
    return None if adapt is None else summed(adapt.found)


def way_back_of(job: Job, piece: Piece | None) -> WayBack:
    """What the kernels of the way back take of a piece; None is the whole of the samples."""
    begin, adjoint, starts, _ = whole(job) if piece is None else piece
    return WayBack(read_only(begin), adjoint, starts)


def tape_of(
    job: Job, trains: SpikeTrains, by_time: Floats, by_voltage: Floats
) -> tuple[Tape, Index]:
    """The tape of the way back, and every neuron's last spike, -1 if none, [samples, neurons]."""
    n, resistance = len(trains), job.stage.population.resistance
    linked = LinkedRole(
        np.empty(n, np.int64), np.empty(n), np.empty(n),
        np.empty((job.n_samples, trains.size), np.int64),
    )  # fmt: skip
    drives = trains.current, trains.restart_current
    own = OwnSpikesRole(trains.offsets, trains.neurons, *drives, resistance, trains.size)
    _run(LinkSpikes(TasksRole.all(job.n_samples), own, linked))
    previous, current, restart, last = linked
    tape = Tape(
        trains.times, trains.neurons, current, restart, by_time, by_voltage, previous, np.zeros(n)
    )
    return tape, last


def tape_by_neuron(
    job: Job, trains: SpikeTrains, by_time: Floats, by_voltage: Floats
) -> tuple[Tape, Index, Index]:
    """As :func:`tape_of`, spikes in order of (sample, neuron, time); and which spikes they are.

    A way back that takes one neuron after the other finds all that it reads of it together.
    """
    own = SourcesRole(
        trains.offsets[np.newaxis], addresses([trains.times]), addresses([trains.neurons]),
        np.zeros(1, np.int64), np.zeros(trains.size), job.duration, 1, job.n_samples,
    )  # fmt: skip
    first, time, which = _by_row(own, trains.size)
    has = np.diff(first, axis=1) > 0
    previous = np.arange(-1, len(trains) - 1)
    previous[first[:, :-1][has]] = -1
    last = np.where(has, first[:, 1:] - 1, -1)
    neuron, resistance = trains.neurons[which], job.stage.population.resistance
    current, restart = (
        drive[which] * resistance[neuron] for drive in (trains.current, trains.restart_current)
    )
    tape = Tape(
        time, neuron, current, restart, by_time[which], by_voltage[which], previous,
        np.zeros(time.size),
    )  # fmt: skip
    return tape, last, which


class Sent(NamedTuple):
    """Spikes by source row: the first of every row, [samples, rows + 1], time, number among all.

    The time is that of arrival, or, in a stage where synapses have delays of their own, of sending.
    """

    first: Index
    time: Floats
    spike: Index


def fan_in(
    job: Job,
    sent: Sent | None,
    *,
    begin: Floats | None = None,
    state: LayerState | None = None,
    bounds: tuple[int, int] = (0, 0),
    numbered: bool = False,
) -> FanIn:
    """Synapses by target and spikes by source; weights in the type of the state.

    None of them where spikes are spread to their targets. Only those of the neurons from the first
    of ``bounds`` to before the second; with ``begin`` (ms, by sample) or ``state``, only what is
    met from there on. The numbers of synapses, for which only the way back asks, are there if they
    are to be ``numbered``.
    """
    own_weight, real = job.self_weights() * job.stage.population.resistance, real_type(job)
    if begin is None:
        begin = np.zeros(job.n_samples) if state is None else state.begin
    if sent is None:
        sent = Sent(np.zeros((0, 0), np.int64), np.zeros(0), np.zeros(0, np.int64))
    low, in_start, row, synapse, weight, delay = _by_target(job, bounds, numbered=numbered)
    return FanIn(
        low,
        in_start,
        row,
        synapse,
        weight,
        delay,
        sent.first,
        sent.time,
        sent.spike,
        own_weight.astype(real),
        job.self_delays(),
        begin,
        np.zeros(0, np.int64) if state is None else state.first,
        np.zeros(0) if state is None else state.spikes,
    )


def fan_out(job: Job, n_blocks: int) -> tuple[FanOutEvents, Any]:
    """Synapses by source and events in order, for so many blocks of neurons; and their weights.

    Whose addresses it has: they must outlive it. Without blocks nothing is to be spread.
    """
    wiring, stage = job.stage.wiring, job.stage
    bound, weight, held = np.empty((0, 0), np.int64), np.zeros((2, 2), np.int64), None
    events: tuple[Any, ...] = np.zeros(0, np.int64), np.zeros(0), np.zeros(0, np.int32)
    target = read_only(wiring.target)
    if n_blocks:

        def make() -> Index:
            bound = np.empty((n_blocks + 1, wiring.out_start.size - 1), np.int64)
            fanin.bounds_of_blocks(wiring.out_start, target, stage.population.size, bound)
            return bound

        bound = made_once((fan_out, stage, n_blocks), make)
        weight, held = synapse_weights(job)
        merged = merged_events(job)
        events = merged.offsets, merged.times, merged.rows
    return FanOutEvents(bound, target, weight, *map(read_only, events)), held


def sent_by_row(job: Job) -> Sent:
    """The spikes of all sources, by row of the wiring."""
    sources, _held = sources_of(job)
    return _by_row(sources, int(job.stage.wiring.row_start[-1]))


def _by_row(sources: SourcesRole, n_rows: int) -> Sent:
    n_spikes = int((sources.first[:, -1] - sources.first[:, 0]).sum())
    first = np.empty((sources.n_samples, n_rows + 1), np.int64)
    sent = Sent(first, np.empty(n_spikes), np.empty(n_spikes, np.int64))
    _run(GroupByRow(TasksRole.all(sources.n_samples), sources, ByRowRole(*sent, n_rows)))
    return sent


def _by_target(job: Job, bounds: tuple[int, int], *, numbered: bool) -> tuple[Any, ...]:
    """The fields of :class:`FanIn` that the spikes do not change, weights and delays of now."""
    stage, wiring, resistance = job.stage, job.stage.wiring, job.stage.population.resistance
    low, high = bounds
    n_rows, target = wiring.out_start.size - 1, read_only(wiring.target)
    begin, parts = np.empty(n_rows, np.int64), np.linspace(0, n_rows, ROW_PARTS + 1).astype(int)
    counts = np.zeros((ROW_PARTS, high - low), np.int64)
    fanin.count(low, high, parts, wiring.out_start, target, begin, counts)
    in_start = np.concatenate([[0], np.cumsum(counts.sum(axis=0))])
    following = in_start[:-1].copy()
    for of_part in counts:  # from numbers of entries to the first of each part
        following += of_part
        np.subtract(following, of_part, out=of_part)
    n, apart = int(in_start[-1]), stage.delays_per_synapse
    number = np.int32 if wiring.target.size <= np.iinfo(np.int32).max else np.int64
    row, weight = np.empty(n, np.int32), np.empty(n, real_type(job))
    synapse = np.empty(n if numbered else 0, number)
    delay = np.empty(n if apart else 0)
    delays = job.delays() if apart else np.zeros(0)
    for k, projection in enumerate(stage.projections):
        fanin.fill(
            low, high, parts, wiring.row_start[k], wiring.row_start[k + 1], begin,
            wiring.out_start, target, counts, read_only(projection.values.reshape(-1)),
            wiring.synapse_start[k], read_only(resistance), delays, row, synapse, weight, delay,
        )  # fmt: skip
    return low, in_start, row, synapse, weight, delay


def sample_chunks(job: Job, bytes_each: int) -> Index:
    """Bounds of the sample groups whose sums are taken apart; depends on sizes only."""
    most = max(2, CHUNK_BYTES // max(bytes_each, 1))
    n = max(1, min(CHUNKS, most, job.n_samples))
    return np.linspace(0, job.n_samples, n + 1).astype(np.int64)


def summed(parts: NDArray[np.floating[Any]]) -> Floats:
    """The sum of the parts [parts, entries] in order, float64; a view of one that is alone."""
    return (
        parts[0]
        if parts.shape[0] == 1 and parts.dtype == np.float64
        else parts.sum(axis=0, dtype=np.float64)
    )
