"""Largest voltages of a readout on the CPU, host side."""

from dataclasses import dataclass

import numpy as np

from eventsim.arrays import Floats
from eventsim.engine.cpu import peaks
from eventsim.engine.cpu.arrays import Index, MergedEvents, merged_events, sample_chunks
from eventsim.engine.cpu.blocks import by_block, by_row
from eventsim.engine.cpu.threads import threads_for
from eventsim.engine.job import DirectGradients, Job, Peaks
from eventsim.engine.table import of_synapses, row_matrix


def find(job: Job) -> Peaks:
    """Largest voltages of a readout whose stage shares events."""
    p, events = job.stage.population, merged_events(job)
    shape = (job.n_samples, p.size)
    value, time, slope = np.zeros(shape), np.zeros(shape), np.zeros(shape)
    arrival = np.full(shape, -1)
    a, b = 1.0 / p.tau_mem, 1.0 / p.tau_syn
    par = np.stack([np.minimum(a, b), b - a, a, p.resistance])
    weights = by_block(job, row_matrix(job, job.weights()))
    with threads_for(job):
        peaks.forward(
            job.stage.heard, events.offsets, events.times, events.rows, weights, par, job.duration,
            value, time, arrival, slope,
        )  # fmt: skip
    found = _Found(job, events, weights, par, time, arrival, slope)
    return Peaks(value + p.v_leak, found.backward)


@dataclass(frozen=True, eq=False)
class _Found:
    """Where the largest voltages are, [samples, size], and of what."""

    job: Job
    events: MergedEvents
    weights: Floats
    par: Floats
    time: Floats
    arrival: Index
    slope: Floats

    def backward(self, by_value: Floats) -> DirectGradients:
        """Gradients from dL/d(value), as the protocol wants them."""
        job, events, weights = self.job, self.events, self.weights
        bounds = sample_chunks(job, 2 * weights.nbytes)
        shape = (bounds.size - 1, *weights.shape)
        by_weight, by_delay = np.zeros(shape), np.zeros(shape)
        sums = np.zeros((shape[0], peaks.N_SUMS, job.stage.population.size))
        effects = np.zeros(events.times.size)
        with threads_for(job):
            peaks.backward(
                bounds, job.stage.heard, events.offsets, events.times, events.rows, weights,
                self.par, self.time, by_value, by_weight, by_delay, effects, sums,
            )  # fmt: skip
        delays = by_row(job, by_delay.sum(axis=0))
        self._add_moved(by_value, effects, delays)
        p, total = job.stage.population, sums.sum(axis=0)
        return DirectGradients(
            synapses=of_synapses(job, by_row(job, by_weight.sum(axis=0))),
            delays=of_synapses(job, delays),
            spikes=events.by_spike(effects),
            parameters={
                "tau_mem": -total[peaks.BY_MEM] / p.tau_mem**2,
                "tau_syn": -total[peaks.BY_SYN] / p.tau_syn**2,
                "resistance": total[peaks.BY_RESISTANCE],
                "v_leak": by_value.sum(axis=0),
            },
        )

    def _add_moved(self, by_value: Floats, effects: Floats, delays: Floats) -> None:
        """Add what events give with which a peak moves."""
        sample, neuron = np.nonzero(self.arrival >= 0)
        moved = by_value[sample, neuron] * self.slope[sample, neuron]
        event = self.arrival[sample, neuron]
        np.add.at(effects, event, moved)
        np.add.at(delays, (self.events.rows[event], neuron), moved)
