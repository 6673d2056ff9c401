"""A layer in the middle of a run: what is carried from one piece of a stream to the next.

A piece ends at ``begin`` of the next, but its state is kept as it was right after the last
arrival, or after the last whole stretch where a layer meets several arrivals at once, at ``time``
before that end. The next piece runs on from there, finds the spikes between ``time`` and ``begin``
a second time, and leaves them out. So every interval between two arrivals is solved as a whole, by
the same operations, wherever the stream was cut: the spikes of all pieces are to the bit those of
one run.
"""

from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from eventsim.arrays import Array, Floats, namespace, to_host
from eventsim.engine.contract.job import Job
from eventsim.engine.contract.table import levels, real_type
from eventsim.events import SpikeTrains
from eventsim.events.order import sample_of_event
from eventsim.events.tape import Adapted
from eventsim.summary import short_repr


class Stop(NamedTuple):
    """Every neuron right after an arrival at it, [samples, size].

    ``time`` in ms; ``v`` measured from v_leak; ``j`` the drive (of ``reference`` the current);
    ``until`` when V is let go, ms, or -1 if it is not held.
    """

    time: Array
    v: Array
    j: Array
    until: Array


class Pending(NamedTuple):
    """Arrivals before the end of a piece that not every neuron of a shared layer has met.

    By sample, in order: ``offsets``, ``times`` in ms, ``rows`` of the weights; the first ``skip``
    of a sample are met by that block of neurons, [samples, blocks].
    """

    offsets: NDArray[np.int64]
    times: Floats
    rows: NDArray[np.int32]
    skip: NDArray[np.int64]


@dataclass(frozen=True, eq=False)
class LayerState:
    """State of every neuron in every sample; of one backend and precision."""

    begin: Array  # End of what has been run, ms, [samples]
    stop: Stop  # The neurons after their last arrivals
    # spikes, first: Own spikes up to stop.time that return later: ms, grouped by (sample, neuron),
    # and the first of every group and their total
    spikes: Array
    first: Array
    pending: Pending | None = None  # Arrivals still to be met; None where there are none
    # The adaptation at stop; None where the threshold is not adaptive
    adapted: Adapted | None = None

    __repr__ = short_repr


def start_voltage(job: Job) -> Array:
    """Voltage at time zero, measured from v_leak, in the type of the state."""
    level, reset = (values.astype(real_type(job)) for values in levels(job))
    xp = namespace(level)
    return xp.where(level <= 0.0, reset, xp.zeros_like(reset))


def start_state(job: Job) -> LayerState:
    """The state at time zero, at rest where none is given: above the threshold at the reset."""
    v, j = start_of_neurons(job)
    shape = v.shape
    return LayerState(
        begin=np.zeros(job.n_samples),
        stop=Stop(time=np.zeros(shape), v=v, j=j, until=np.full(shape, -1.0)),
        spikes=np.zeros(0),
        first=np.zeros(job.n_samples * shape[1] + 1, np.int64),
        adapted=start_adapted(job),
    )


def start_of_neurons(job: Job) -> tuple[Array, Array]:
    """V from v_leak, and the drive, at time zero, [samples, size]; NumPy, type of the state."""
    start = to_host(start_voltage(job))
    v = np.zeros((job.n_samples, start.size), start.dtype) + start
    if job.start is None:
        return v, np.zeros_like(v)
    given, current = job.start.state[..., 0], job.start.state[..., 1]
    v = np.where(job.start.given, given.astype(v.dtype), v)
    return v, (current * to_host(job.stage.population.resistance)).astype(v.dtype)


def start_adapted(job: Job) -> Adapted | None:
    """No adaptation yet; None where the threshold is not adaptive."""
    p = job.stage.population
    shape = (job.n_samples, p.size)
    return Adapted(np.zeros(shape), np.zeros(shape)) if p.is_adaptive else None


def with_pending(
    pending: Pending | None, offsets: NDArray[np.int64], times: Floats, rows: NDArray[np.int32]
) -> tuple[NDArray[np.int64], Floats, NDArray[np.int32]]:
    """Arrivals of a piece behind those that are pending: offsets by sample, ms, and rows."""
    if pending is None:
        return offsets, times, rows
    samples = [sample_of_event(part) for part in (pending.offsets, offsets)]
    order = np.argsort(np.concatenate(samples), kind="stable")
    return (
        pending.offsets + offsets,
        np.concatenate([pending.times, times])[order],
        np.concatenate([pending.rows, rows])[order],
    )


def still_pending(
    offsets: NDArray[np.int64],
    times: Floats,
    rows: NDArray[np.int32],
    met: NDArray[np.int64],
    end: Floats,
) -> Pending:
    """Arrivals left before ``end`` where the first ``met`` of a sample are met.

    ``met`` is [samples, blocks], ``end`` in ms by sample.
    """
    least, n_events = met.min(axis=1), np.diff(offsets)
    left = np.arange(times.size) >= np.repeat(offsets[:-1] + least, n_events)
    left &= times < np.repeat(end, n_events)
    before = np.concatenate([[0], np.cumsum(left)]).astype(np.int64)
    return Pending(before[offsets], times[left], rows[left], met - least[:, np.newaxis])


def carried(
    job: Job,
    before: LayerState,
    trains: SpikeTrains,
    end: Stop,
    pending: Pending | None = None,
    adapted: Adapted | None = None,
) -> tuple[SpikeTrains, LayerState]:
    """Spikes of a piece of a stream as they are given, and the state behind it.

    ``before``: where the piece started. ``trains``: all spikes from ``before.stop`` on. ``end``:
    the neurons after their last arrivals. ``pending``: arrivals that they have not all met.
    ``adapted``: their adaptation at ``end``.
    """
    sample = np.repeat(np.arange(job.n_samples), np.diff(trains.offsets))
    pair = sample * trains.size + trains.neurons
    delay = np.tile(job.self_delays(), job.n_samples)
    early = np.repeat(np.arange(delay.size), np.diff(before.first))
    pairs, times = np.concatenate([early, pair]), np.concatenate([before.spikes, trains.times])
    reached = end.time.ravel()[pairs]
    returning = (delay[pairs] > 0.0) & (times <= reached) & (times + delay[pairs] > reached)
    order = np.argsort(pairs[returning], kind="stable")
    counts = np.bincount(pairs[returning], minlength=delay.size)
    state = LayerState(
        np.array(job.duration),
        end,
        spikes=times[returning][order],
        first=np.concatenate([[0], np.cumsum(counts)]).astype(np.int64),
        pending=pending,
        adapted=adapted,
    )
    return trains, state
