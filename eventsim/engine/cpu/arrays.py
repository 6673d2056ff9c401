"""From a job to the arrays that the kernels take."""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from eventsim.arrays import Array, Floats
from eventsim.compiled.library import library
from eventsim.compiled.roles import CarriedRole, SourcesRole, TasksRole
from eventsim.compiled.roles_order import (
    AdaptedBefore,
    LinkedRole,
    LinkSpikes,
    MergedRole,
    MergeSources,
    OwnAdaptedRole,
    OwnSpikesRole,
)
from eventsim.engine.contract.job import Job
from eventsim.engine.contract.piece import Piece, whole
from eventsim.engine.contract.state import start_adapted
from eventsim.engine.contract.table import spike_bases
from eventsim.events import SpikeTrains
from eventsim.processors import threads_through

Index = NDArray[np.int64]

# Sums over samples are taken in this many parts and then added in order, whatever the number of
# threads, so that a result does not depend on the machine. Fewer where parts would be large.
CHUNKS = 8
CHUNK_BYTES = 32 * 2**20


class SpikeBuffers(NamedTuple):
    """Buffers for the spikes of a run; one part of the arrays per task."""

    time: NDArray[np.float64]
    neuron: NDArray[np.int32]
    current: NDArray[np.float64]
    restart: NDArray[np.float64]


class Tape(NamedTuple):
    """Recorded spikes of a population, what the loss says of them, and what they cause.

    ``previous`` is the spike before of the same neuron in the same sample, or -1; ``through``
    gathers dL/dt that runs over the neuron's own restart and return, and in a loop over whatever
    else the spike causes there.
    """

    time: NDArray[np.float64]
    neuron: NDArray[np.int32]
    current: NDArray[np.float64]
    restart: NDArray[np.float64]
    by_time: NDArray[np.float64]
    by_voltage: NDArray[np.float64]
    previous: NDArray[np.int64]
    through: NDArray[np.float64]


class AdaptingBack(NamedTuple):
    """Adaptive thresholds on the way back; all fields are None where thresholds do not adapt.

    ``before`` is the adaptation just before every spike of the tape; ``found`` [parts, 2, neurons]
    gathers dL/d of strength and rate. ``carried`` [samples, N_BEHIND, neurons] has what is known at
    the end of a piece, and is changed to that at its begin; None where nothing comes behind.
    """

    before: Floats | None = None
    found: Floats | None = None
    carried: Floats | None = None


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
    """Addresses of the arrays' first entries, int64 [arrays].

    With ``bases`` the first entry of array k has the number ``bases[k]``. The address is then that
    of number 0, which may lie before the array.
    """
    at = np.array([array.ctypes.data for array in arrays], np.int64)
    if bases is None or not arrays:
        return at
    return at - bases[: at.size] * arrays[0].itemsize


def events_of_samples(job: Job) -> Index:
    """Counts of all sources' events by sample."""
    return sum((np.diff(source.offsets) for source in job.sources), np.zeros(job.n_samples, int))


def merged_events(job: Job) -> MergedEvents:
    """A list of events in order for all neurons of a stage that shares events.

    Forward and backward pass share it where they share a memo.
    """
    delays = [projection.delays for projection in job.stage.projections]
    if job.stage.delays_per_synapse:
        delays = [np.zeros(1)] * len(delays)
    if len(job.sources) == 1 and not delays[0].any():
        (source,) = job.sources
        return MergedEvents(source.times.size, source.offsets, source.times, source.neurons, None)
    # The sources are kept beside, so that no other arrays can get their numbers.
    key = (merged_events, *(id(source.times) for source in job.sources))
    kept = job.stage.memo.back
    return job.stage.once(key, lambda: (_merged(job), job.sources), kept=kept)[0]


def _merged(job: Job) -> MergedEvents:
    sources, _held = sources_of(job)
    offsets = (sources.first - spike_bases(job)[:-1, None]).sum(axis=0)
    size = int(offsets[-1])
    times, rows, spike = np.empty(size), np.empty(size, np.int32), np.empty(size, np.int64)
    merged = MergedRole(offsets, times, rows, spike)
    call = MergeSources(TasksRole.all(job.n_samples), sources, merged)
    library().run(call, threads=threads_through(size))
    return MergedEvents(size, offsets, times, rows, spike)


def since(merged: MergedEvents, begin: Floats) -> MergedEvents:
    """The events at or after ``begin`` (ms, by sample)."""
    if not begin.any():
        return merged
    n_events = np.diff(merged.offsets)
    kept = merged.times >= np.repeat(begin, n_events)
    before = np.concatenate([[0], np.cumsum(kept)]).astype(np.int64)
    spike = np.flatnonzero(kept) if merged.spike is None else merged.spike[kept]
    offsets, times = before[merged.offsets], merged.times[kept]
    return MergedEvents(merged.n, offsets, times, merged.rows[kept], spike)


def adapting_back_of(
    job: Job, trains: SpikeTrains, parts: int, piece: Piece | None
) -> AdaptingBack:
    """Adaptive thresholds on the way back, with room for so many parts of the sums.

    ``piece`` is None for whole samples.
    """
    p = job.stage.population
    if not p.is_adaptive:
        return AdaptingBack()
    before, rate = np.empty(len(trains)), 1.0 / p.tau_adaptation
    begin, start, carried = np.zeros(job.n_samples), start_adapted(job), None
    if piece is not None and piece.adapted is not None:
        begin, (start, carried) = piece.begin, piece.adapted
    assert start is not None
    a, last = (values.copy() for values in start)
    own = OwnAdaptedRole(
        trains.offsets, trains.neurons, trains.times, rate, begin, a, last, before, p.size
    )
    call = AdaptedBefore(TasksRole.all(job.n_samples), own)
    library().run(call, threads=threads_through(len(trains)))
    return AdaptingBack(before, np.zeros((parts, 2, p.size)), _or_none(carried))


def _or_none(values: Array | None) -> Array | None:
    """None in place of an array without entries."""
    return values if values is not None and values.size else None


def summed_rows(*sums: Floats | None) -> Floats:
    """Sums [parts, rows, size] over the parts, the rows of all one behind the other."""
    return np.concatenate([part.sum(axis=0) for part in sums if part is not None])


def carried_of(job: Job, piece: Piece | None, adapt: AdaptingBack) -> CarriedRole:
    """Adjoint state carried over a piece; None stands for whole samples."""
    begin, adjoint, starts, _ = whole(job) if piece is None else piece
    return CarriedRole(begin, _or_none(adjoint), adapt.carried, starts)


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
    call = LinkSpikes(TasksRole.all(job.n_samples), own, linked)
    library().run(call, threads=threads_through(n))
    previous, current, restart, last = linked
    tape = Tape(
        trains.times, trains.neurons, current, restart, by_time, by_voltage, previous, np.zeros(n)
    )
    return tape, last


def sample_chunks(job: Job, bytes_each: int) -> Index:
    """Bounds of the sample groups whose sums are taken apart; depends on sizes only."""
    most = max(2, CHUNK_BYTES // max(bytes_each, 1))
    return _bounds(job.n_samples, max(1, min(CHUNKS, most, job.n_samples)))


@cache
def _bounds(n_samples: int, n: int) -> Index:
    """Bounds of so many groups; not to be changed."""
    bounds: Index = np.linspace(0, n_samples, n + 1).astype(np.int64)
    bounds.flags.writeable = False
    return bounds


def summed(parts: NDArray[np.floating[Any]]) -> Floats:
    """The sum of the parts [parts, entries] in order, float64; a view of one that is alone."""
    if parts.shape[0] == 1 and parts.dtype == np.float64:
        alone: Floats = parts[0]
        return alone
    found: Floats = parts.sum(axis=0, dtype=np.float64)
    return found
