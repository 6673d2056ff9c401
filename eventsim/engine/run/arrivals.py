"""Arrivals at the neurons of one population, for formulas outside the engine.

The engine processes arrivals without storing them. If a loss needs the voltage at other times, the
arrivals are written out here, for a readout or for a few neurons of a spiking population, in arrays
of the tape's library. A row is one neuron in one sample, ``sample * n_neurons + neuron``.
"""

from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np

from eventsim.arrays import Array, Ints, beside, namespace, owners
from eventsim.engine.contract.job import Job
from eventsim.summary import short_repr

# Rows up to this number are sorted by radix: NumPy's stable sort of 16-bit numbers is one.
RADIX_ROWS = 1 << 16


@dataclass(frozen=True, eq=False)
class Arrivals:
    """Arrivals before the end of their sample, sorted by (row, time)."""

    row: Array  # Neuron in a sample, see the module; int64 [arrivals]
    time: Array  # ms, the delay included
    weight: Array  # Added to the synaptic current
    synapse: Array  # Number in the wiring of the stage
    spike: Array  # Number among the spikes of all sources, one source after the other
    first: Array  # First arrival of every row, and their total; [rows + 1]

    __repr__ = short_repr


class _FanOut(NamedTuple):
    """Synapses onto the chosen neurons by source row; ``neuron`` counts the chosen ones."""

    first: Array
    synapse: Array
    neuron: Array


def no_arrivals(job: Job) -> Arrivals:
    """None, in arrays of the library of the job's spikes."""
    xp = namespace(_like(job))
    number = xp.zeros(0, np.int64)
    return Arrivals(number, xp.zeros(0), xp.zeros(0), number, number, xp.zeros(1, np.int64))


def find_arrivals(job: Job, neurons: Ints) -> Arrivals:
    """Arrivals at ``neurons`` of the stage in every sample, without those of self-connections.

    ``job``: the stage with the spikes of all its sources. ``neurons``: numbers in the stage, NumPy,
    without repetition.
    """
    like = _like(job)
    xp, fan = namespace(like), _fan_out(job, neurons, like)
    weights, delays = beside(job.weights(), like), beside(job.delays(), like)
    source_row, time, sample = _spikes(job, xp)
    spike = xp.arange(time.size)
    if not job.stage.delays_per_synapse and fan.synapse.size:
        # All arrivals of a spike are at one time: sorted once, before there are many of them.
        known = fan.synapse[xp.minimum(fan.first[source_row], fan.synapse.size - 1)]
        spike = xp.argsort(time + delays[known], kind="stable")
    counts = (fan.first[1:] - fan.first[:-1])[source_row[spike]]
    bounds = xp.concatenate([xp.zeros(1, np.int64), xp.cumsum(counts)]).astype(np.int64)
    each = owners(bounds, int(bounds[-1]))
    spike, entry = spike[each], xp.arange(each.size) - bounds[each]
    entry = entry + fan.first[source_row[spike]]
    synapse, row = fan.synapse[entry], sample[spike] * neurons.size + fan.neuron[entry]
    arrival = time[spike] + delays[synapse]
    met = arrival < xp.asarray(job.duration)[sample[spike]]
    row, arrival, synapse, spike = row[met], arrival[met], synapse[met], spike[met]
    n_rows = job.n_samples * neurons.size
    if job.stage.delays_per_synapse:
        order = xp.lexsort(xp.stack([arrival, row.astype(np.float64)]))
    else:
        short = row.astype(np.uint16) if n_rows <= RADIX_ROWS else row
        order = xp.argsort(short, kind="stable")
    row, synapse = row[order], synapse[order]
    first = xp.searchsorted(row, xp.arange(n_rows + 1))
    return Arrivals(row, arrival[order], weights[synapse], synapse, spike[order], first)


def _like(job: Job) -> Array:
    """An array of the library of the job's spikes."""
    return job.sources[0].times if job.sources else np.zeros(0)


def _spikes(job: Job, xp: Any) -> tuple[Array, Array, Array]:
    """Row of the wiring, time and sample of the spikes of all sources."""
    row_start = job.stage.wiring.row_start
    rows = [s.neurons + row_start[k] for k, s in enumerate(job.sources)]
    samples = [owners(xp.asarray(s.offsets), s.times.size) for s in job.sources]
    return (
        xp.concatenate([xp.zeros(0, np.int64), *rows]).astype(np.int64),
        xp.concatenate([xp.zeros(0), *(s.times for s in job.sources)]),
        xp.concatenate([xp.zeros(0, np.int64), *samples]).astype(np.int64),
    )


def _fan_out(job: Job, neurons: Ints, like: Array) -> _FanOut:
    wiring = job.stage.wiring
    counts = np.diff(wiring.in_start)[neurons]
    neuron = np.repeat(np.arange(neurons.size), counts)
    entry = np.arange(neuron.size) - (np.cumsum(counts) - counts - wiring.in_start[neurons])[neuron]
    row = wiring.row[entry]
    order = np.argsort(row, kind="stable")
    first = np.searchsorted(row[order], np.arange(int(wiring.row_start[-1]) + 1))
    found = _FanOut(first, wiring.synapse[entry][order], neuron[order])
    return _FanOut(*(beside(values.astype(np.int64), like) for values in found))
