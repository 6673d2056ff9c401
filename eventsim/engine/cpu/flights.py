"""Synapses of a loop that have delays of their own, as its kernels take them.

A spike of their source neuron is one item in flight, whatever their number: it meets them in the
order of their delays. So they are put in order once, as long as delays stay, and nothing is listed
by synapse when a spike is sent.
"""

from itertools import pairwise
from typing import Any

import numpy as np
from numpy.typing import NDArray

from eventsim.arrays import Floats, Ints
from eventsim.engine.contract.job import Job
from eventsim.engine.cpu.library import library
from eventsim.engine.cpu.roles import TasksRole
from eventsim.engine.cpu.roles_loop import DelayedWiresRole, FlightsRole, SortDelays, UnderWayRole
from eventsim.engine.cpu.threads import threads_through
from eventsim.events.source import SourceSpikes
from eventsim.plan import Stage


def flights_of(job: Job) -> FlightsRole:
    """All such synapses of a loop by source neuron and delay; not to be changed."""
    return job.stage.once(flights_of, lambda: _sorted(job), kept=job.stage.memo.pieces)


def no_flights(size: int) -> FlightsRole:
    """Of a loop of ``size`` neurons without such synapses."""
    return FlightsRole(np.zeros(size + 1, np.int64), np.zeros(0, np.int64), np.zeros(0))


def under_way(spikes: SourceSpikes, since: Floats) -> UnderWayRole:
    """Spikes from before, which have met what they reach before ``since``, ms by sample."""
    return UnderWayRole(spikes.offsets, spikes.times, spikes.neurons, since)


def longest_flights(flights: FlightsRole) -> Floats:
    """Of every neuron the longest delay of its synapses, [size], ms; -inf where it has none."""
    longest = np.full(flights.start.size - 1, -np.inf)
    some = np.flatnonzero(np.diff(flights.start))
    longest[some] = flights.delay[flights.start[some + 1] - 1]
    return longest


def _sorted(job: Job) -> FlightsRole:
    stage, size = job.stage, int(job.stage.member_start[-1])
    if not any(p.delay_per_synapse for p in stage.lateral):
        return no_flights(size)
    wires, start, _held = _wires_of(job)
    found = FlightsRole(start, np.empty(start[-1], np.int64), np.empty(start[-1]))
    call = SortDelays(TasksRole.all(size), wires, found)
    library().run(call, threads=threads_through(int(start[-1])))
    return found


def _wires_of(job: Job) -> tuple[DelayedWiresRole, Ints, tuple[NDArray[Any], ...]]:
    """The rows of all neurons, their first places, and arrays whose addresses the rows have."""
    stage, wiring = job.stage, job.stage.wiring
    first, rows, projection, start = stage.kept.once(_rows_of, lambda: _rows_of(stage))
    delays = [
        np.ascontiguousarray(p.delays, np.float64).reshape(-1) if p.delay_per_synapse else None
        for p in stage.projections
    ]
    at = [
        0 if values is None else values.ctypes.data - 8 * int(low)
        for values, low in zip(delays, wiring.synapse_start, strict=False)
    ]
    addresses = np.array(at, np.int64)[projection]
    held = tuple(values for values in delays if values is not None)
    return DelayedWiresRole(first, rows, addresses, wiring.out_start), start, held


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
