"""Synapses of a loop that have delays of their own, as its kernels take them.

A spike of their source neuron is one item in flight, whatever their number: it meets them in the
order of their delays. So they are put in order once, as long as delays stay, and nothing is listed
by synapse when a spike is sent.
"""

from itertools import pairwise
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from eventsim.arrays import Floats, Ints
from eventsim.compiled.library import library
from eventsim.compiled.roles import TasksRole
from eventsim.compiled.roles_loop import (
    CollectFlights,
    CountFlights,
    DelayedWiresRole,
    FlightCountsRole,
    FlightPartsRole,
    FlightsRole,
    FlightSumsRole,
    LayFlights,
    SortDelays,
    SynapseSumsRole,
    TilesRole,
    UnderWayRole,
    WeightsAtRole,
)
from eventsim.engine.contract.job import Job
from eventsim.engine.contract.table import real_type
from eventsim.events.source import SourceSpikes
from eventsim.plan import Stage
from eventsim.processors import threads_through

# Synapses that lie together, and where tiles begin: kernels/cpu/loop/tiles.hpp.
TILE, LINE = 16, 64


class Tiles(NamedTuple):
    """Tiles as the kernels take them, and the memory that they lie in, which must outlive them."""

    role: TilesRole
    held: NDArray[np.uint8]


def flights_of(job: Job) -> FlightsRole:
    """All such synapses of a loop by source neuron and delay; not to be changed."""
    return job.stage.once(flights_of, lambda: _sorted(job), kept=job.stage.memo.pieces)


def under_way(spikes: SourceSpikes, since: Floats) -> UnderWayRole:
    """Spikes from before, which have met what they reach before ``since``, ms by sample."""
    return UnderWayRole(spikes.offsets, spikes.times, spikes.neurons, since)


def longest_flights(job: Job) -> Floats:
    """Of every neuron the longest delay of such synapses, [size], ms; -inf where it has none."""

    def make() -> Floats:
        stage = job.stage
        longest = np.full(int(stage.member_start[-1]), -np.inf)
        for projection in stage.lateral:
            if projection.delay_per_synapse:
                first = projection.first_synapses()
                some = np.flatnonzero(np.diff(first))
                most = np.maximum.reduceat(projection.delays.reshape(-1), first[some])
                low = stage.start_of(projection.source)
                longest[low + some] = np.maximum(longest[low + some], most)
        return longest

    return job.stage.once(longest_flights, make, kept=job.stage.memo.pieces)


def tiles_of(job: Job, bounds: Ints, weights: WeightsAtRole) -> Tiles:
    """All such synapses in tiles, for parts ``bounds[p] : bounds[p + 1]`` of the neurons.

    Weights as in ``weights``, in the type of the state.
    """

    def make() -> Tiles:
        return _tiles(job, bounds, weights)

    key = (tiles_of, job.precision, *bounds.tolist())
    return job.stage.once(key, make, kept=job.stage.memo.pieces)


def sums_for(tiles: TilesRole, real: type[np.floating[Any]], chunks: int) -> FlightSumsRole:
    """Room for what the way back finds of synapses in tiles, zero."""
    n = -(-int(tiles.last.max()) // TILE) * TILE
    return FlightSumsRole(np.zeros((chunks, n), real), np.zeros((chunks, n)), n, chunks)


def collect(job: Job, tiles: TilesRole, sums: FlightSumsRole, found: SynapseSumsRole) -> None:
    """Write what was found in tiles of one part to the places of the synapses' numbers."""
    if sums.n_places:
        wires, start, _held = _wires_of(job)
        call = CollectFlights(TasksRole.all(start.size - 1), wires, tiles, sums, found)
        library().run(call, real_type(job), threads=threads_through(int(start[-1])))


def mean_delay(job: Job) -> float:
    """Of such synapses, ms; zero where there are none."""

    def make() -> float:
        delays = [p.delays for p in job.stage.lateral if p.delay_per_synapse]
        n = sum(values.size for values in delays)
        return float(sum(values.sum(dtype=np.float64) for values in delays) / n) if n else 0.0

    return job.stage.once(mean_delay, make)


def no_tiles(size: int, parts: int) -> TilesRole:
    """Of a loop of ``size`` neurons without such synapses."""
    none = np.zeros((parts, size), np.int64)
    return TilesRole(none, none, 0, 4, 8)


def _tiles(job: Job, bounds: Ints, weights: WeightsAtRole) -> Tiles:
    size, width, n_parts = int(bounds[-1]), np.dtype(real_type(job)).itemsize, bounds.size - 1
    if not any(p.delay_per_synapse for p in job.stage.lateral):
        return Tiles(no_tiles(size, n_parts), np.zeros(0, np.uint8))
    wires, start, _held = _wires_of(job)
    parts, threads = FlightPartsRole(bounds, n_parts, size), threads_through(int(start[-1]))
    counts = np.diff(start)[None]
    if n_parts > 1:
        counts = np.zeros((n_parts, size), np.int64)
        call = CountFlights(TasksRole.all(size), wires, parts, FlightCountsRole(counts))
        library().run(call, threads=threads)
    ends = np.cumsum(-(-counts // TILE)).reshape(counts.shape)
    first = TILE * (ends - -(-counts // TILE))
    tile = TILE * (wires.delay_width + 4 + width)
    held = np.empty(int(ends[-1, -1]) * tile + LINE, np.uint8)
    at = held.ctypes.data + -held.ctypes.data % LINE
    role = TilesRole(first, first + counts, at, width, wires.delay_width)
    lay = LayFlights(TasksRole.all(size), wires, parts, weights, role)
    library().run(lay, threads=threads)
    return Tiles(role, held)


def _sorted(job: Job) -> FlightsRole:
    size = int(job.stage.member_start[-1])
    if not any(p.delay_per_synapse for p in job.stage.lateral):
        return FlightsRole(np.zeros(size + 1, np.int64), np.zeros(0, np.int64), np.zeros(0))
    wires, start, _held = _wires_of(job)
    found = FlightsRole(start, np.empty(start[-1], np.int64), np.empty(start[-1]))
    call = SortDelays(TasksRole.all(size), wires, found)
    library().run(call, threads=threads_through(int(start[-1])))
    return found


def _wires_of(job: Job) -> tuple[DelayedWiresRole, Ints, tuple[NDArray[Any], ...]]:
    """The rows of all neurons, their first places, and arrays whose addresses the rows have."""
    stage, wiring = job.stage, job.stage.wiring
    first, rows, projection, start = stage.kept.once(_rows_of, lambda: _rows_of(stage))
    delays = [np.ascontiguousarray(p.delays) for p in stage.projections]
    width = delays[0].itemsize  # a network has one type of delays
    starts = wiring.synapse_start[:-1].tolist()
    at = [
        values.ctypes.data - width * low if p.delay_per_synapse else 0
        for p, values, low in zip(stage.projections, delays, starts, strict=True)
    ]
    addresses = np.array(at, np.int64)[projection]
    wires = DelayedWiresRole(first, rows, addresses, wiring.out_start, wiring.target, width)
    return wires, start, tuple(delays)


def _rows_of(stage: Stage) -> tuple[Ints, Ints, Ints, Ints]:
    """Of every neuron its first row, all rows and their projections, its first place."""
    wiring, size = stage.wiring, int(stage.member_start[-1])
    neurons, rows, projections = ([np.zeros(0, np.int64)] for _ in range(3))
    bounds = list(pairwise(wiring.row_start.tolist()))
    for k, projection in enumerate(stage.lateral, start=len(stage.afferents)):
        if projection.delay_per_synapse:
            low, high = bounds[k]
            rows.append(np.arange(low, high))
            neurons.append(np.arange(high - low) + stage.start_of(projection.source))
            projections.append(np.full(high - low, k))
    neuron, row, of = (np.concatenate(parts) for parts in (neurons, rows, projections))
    by_neuron = np.argsort(neuron, kind="stable")
    counts = np.zeros(size, np.int64)
    np.add.at(counts, neuron, np.diff(wiring.out_start)[row])
    first = np.concatenate([[0], np.cumsum(np.bincount(neuron, minlength=size))])
    return first, row[by_neuron], of[by_neuron], np.concatenate([[0], np.cumsum(counts)])
