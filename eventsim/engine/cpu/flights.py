"""Synapses of a loop that have delays of their own, as its kernels take them.

A spike of their source neuron is one item in flight, whatever their number: it meets them in the
order of their delays. So they are put in order once, as long as delays stay, and nothing is listed
by synapse when a spike is sent.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from itertools import pairwise
from threading import Lock
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
    FlightRanksRole,
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
from eventsim.engine.cpu.weights import own_weights
from eventsim.events.source import SourceSpikes
from eventsim.plan import Stage
from eventsim.processors import threads_through

# Synapses that lie together, and where tiles begin: kernels/cpu/loop/tiles.hpp.
TILE, LINE = 16, 64

# Synapses of a neuron onto one part whose ranks are numbers of 16 bits.
MOST_NARROW = 1 << 16

_NO_RANKS = FlightRanksRole(np.zeros(1, np.int64), 0, 2, 0)


class Tiles(NamedTuple):
    """Tiles as the kernels take them, where in them every synapse lies, and the memory of both.

    The memory must outlive the others.
    """

    role: TilesRole
    ranks: FlightRanksRole
    held: tuple[NDArray[Any], ...]


def flights_of(job: Job) -> FlightsRole:
    """Synapses of a loop with own delays, by source neuron and delay; not to be changed."""
    return job.stage.once(flights_of, lambda: _sorted(job), kept=job.stage.memo.pieces)


def under_way(spikes: SourceSpikes, since: Floats) -> UnderWayRole:
    """Spikes from before, which have met what they reach before ``since``, ms by sample."""
    return UnderWayRole(spikes.offsets, spikes.times, spikes.neurons, since)


def longest_flights(job: Job) -> Floats:
    """Longest delay of every neuron's own-delay synapses, [size], ms; -inf without any."""

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


@contextmanager
def tiles_of(job: Job, bounds: Ints) -> Iterator[Tiles]:
    """Synapses with own delays in tiles, for parts ``bounds[p] : bounds[p + 1]`` of the neurons.

    Weights are times the resistances of targets, in the type of the state. A stage keeps the tiles
    of its last run: a row whose delays are the same is given its weights alone. Another run of the
    same stage beside this one makes its own.
    """
    kept: _Kept = job.stage.kept.once(_Kept, _Kept)
    if not any(p.delay_per_synapse for p in job.stage.lateral):
        yield Tiles(no_tiles(int(bounds[-1]), bounds.size - 1), _NO_RANKS, ())
    elif not kept.free.acquire(blocking=False):
        yield _Kept().tiles_for(job, bounds)
    else:
        try:
            yield kept.tiles_for(job, bounds)
        finally:
            kept.free.release()


class _Kept:
    """Tiles from call to call, for one of them at a time, which holds ``free``."""

    def __init__(self) -> None:
        self.free = Lock()
        self._form: tuple[Any, ...] = ()
        self._tiles: Tiles | None = None
        self._values: object = None  # what is kept as long as values are those in the tiles

    def tiles_for(self, job: Job, bounds: Ints) -> Tiles:
        """The kept tiles with the job's values, or new tiles in their place."""
        wires, start, _held = _wires_of(job)
        form = job.precision, wires.delay_width, *bounds.tolist()
        values = job.stage.once((tiles_of, form), object)
        known = self._tiles if form == self._form else None
        if known is not None and values is self._values:
            return known
        self._tiles = None  # before others are made: there is room for one
        parts = FlightPartsRole(bounds, bounds.size - 1, start.size - 1)
        tiles = _new_tiles(job, wires, start, parts) if known is None else known
        own, resistance, _weights = own_weights(job)
        call = LayFlights(
            TasksRole.all(parts.size),
            wires,
            parts,
            WeightsAtRole(own, resistance, own.shape[1] - 1),
            tiles.role,
            tiles.ranks._replace(known=int(known is not None)),
        )
        library().run(call, threads=threads_through(int(start[-1])))
        self._form, self._tiles, self._values = form, tiles, values
        return tiles


def sums_for(tiles: TilesRole, real: type[np.floating[Any]], chunks: int) -> FlightSumsRole:
    """Room for what the way back finds of synapses in tiles, zero."""
    n = -(-int(tiles.last.max()) // TILE) * TILE
    return FlightSumsRole(np.zeros((chunks, n), real), np.zeros((chunks, n)), n, chunks)


def collect(job: Job, tiles: Tiles, sums: FlightSumsRole, found: SynapseSumsRole) -> None:
    """Write what was found in tiles of one part to the places of the synapses' numbers."""
    if sums.n_places:
        wires, start, _held = _wires_of(job)
        tasks = TasksRole.all(start.size - 1)
        call = CollectFlights(tasks, wires, tiles.role, tiles.ranks, sums, found)
        library().run(call, real_type(job), threads=threads_through(int(start[-1])))


def mean_delay(job: Job) -> float:
    """Mean delay of synapses with own delays, ms; zero without any."""

    def make() -> float:
        delays = [p.delays for p in job.stage.lateral if p.delay_per_synapse]
        n = sum(values.size for values in delays)
        return float(sum(values.sum(dtype=np.float64) for values in delays) / n) if n else 0.0

    return job.stage.once(mean_delay, make)


def no_tiles(size: int, parts: int) -> TilesRole:
    """Tiles of a loop of ``size`` neurons without synapses with own delays."""
    none = np.zeros((parts, size), np.int64)
    return TilesRole(none, none, 0, 4, 8)


def _new_tiles(job: Job, wires: DelayedWiresRole, start: Ints, parts: FlightPartsRole) -> Tiles:
    """Room for all such synapses, in which nothing is written yet."""
    counts = np.diff(start)[None]
    if parts.n_parts > 1:
        counts = np.zeros((parts.n_parts, parts.size), np.int64)
        call = CountFlights(TasksRole.all(parts.size), wires, parts, FlightCountsRole(counts))
        library().run(call, threads=threads_through(int(start[-1])))
    ends = np.cumsum(-(-counts // TILE)).reshape(counts.shape)
    first = TILE * (ends - -(-counts // TILE))
    width = np.dtype(real_type(job)).itemsize
    held = np.empty(int(ends[-1, -1]) * TILE * (wires.delay_width + 4 + width) + LINE, np.uint8)
    at = held.ctypes.data + -held.ctypes.data % LINE
    role = TilesRole(first, first + counts, at, width, wires.delay_width)
    rank = np.empty(int(start[-1]), np.uint16 if counts.max() <= MOST_NARROW else np.uint32)
    ranks = FlightRanksRole(start, rank.ctypes.data, rank.itemsize, 0)
    return Tiles(role, ranks, (held, rank))


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
    n = len(stage.projections)
    at, held = np.zeros((3, n), np.int64), list[NDArray[Any]]()
    for k in range(len(stage.afferents), n):
        if stage.projections[k].delay_per_synapse:
            low, delays = int(wiring.synapse_start[k]), stage.projections[k].delays
            targets, at[2, k] = wiring.targets_of(k)
            held += [np.ascontiguousarray(delays), np.ascontiguousarray(targets)]
            at[:2, k] = [a.ctypes.data - a.itemsize * low for a in held[-2:]]
    delay, target, into = at[:, projection]
    width = stage.projections[0].delays.itemsize  # a network has one type of delays
    wires = DelayedWiresRole(first, rows, delay, target, into, wiring.out_start, width)
    return wires, start, tuple(held)


def _rows_of(stage: Stage) -> tuple[Ints, Ints, Ints, Ints]:
    """First row of every neuron, all rows and their projections, first place of every neuron."""
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
