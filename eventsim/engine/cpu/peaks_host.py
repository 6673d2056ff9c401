"""Largest voltages of a readout on the CPU, host side.

By the envelope theorem the gradient of a largest voltage is that of V at a fixed time. So the way
back is that of a layer, :mod:`eventsim.engine.cpu.shared_adjoint`, of neurons that each fire once,
at that time, and whose voltage just before is what the loss depends on.
"""

from dataclasses import dataclass

import numpy as np

from eventsim.arrays import Floats
from eventsim.engine.cpu import peaks
from eventsim.engine.cpu.arrays import (
    Index,
    MergedEvents,
    merged_events,
    read_only,
    sample_chunks,
    way_back_of,
)
from eventsim.engine.cpu.blocks import by_block
from eventsim.engine.cpu.layer_adjoint import together
from eventsim.engine.cpu.peaks import Largest
from eventsim.engine.cpu.threads import threads_for
from eventsim.engine.cpu.walk import Tape
from eventsim.engine.job import DirectGradients, Job, Peaks
from eventsim.engine.piece import whole
from eventsim.engine.table import (
    BY_DRIVE,
    BY_MEM,
    BY_SYN,
    by_targets,
    fastest_rate,
    linear_table,
    row_weights,
)


def find(job: Job) -> Peaks:
    """Largest voltages of a readout whose stage shares events."""
    p, events, par = job.stage.population, merged_events(job), linear_table(job)
    shape = (job.n_samples, p.size)
    found = Largest(np.zeros(shape), np.zeros(shape), np.full(shape, -1), np.zeros(shape))
    with threads_for(job):
        peaks.forward(
            job.stage.heard, events.offsets, events.times, events.rows,
            by_block(job, row_weights(job)), par, read_only(job.duration),
            par.dtype.type(fastest_rate(job)), *found,
        )  # fmt: skip
    return Peaks(found.value + p.v_leak, _Found(job, events, par, found).backward)


@dataclass(frozen=True, eq=False)
class _Found:
    """Where the largest voltages are, [samples, size], and of what."""

    job: Job
    events: MergedEvents
    par: Floats
    largest: Largest

    def backward(self, by_value: Floats) -> DirectGradients:
        """Gradients from dL/d(value), as the protocol wants them."""
        job, events, p = self.job, self.events, self.job.stage.population
        way_back = way_back_of(job, whole(job)._replace(starts=False))
        offsets, tape = self._tape(by_value)
        asked = np.ones(int(job.stage.wiring.row_start[-1]), np.bool_)
        bounds = sample_chunks(job, row_weights(job).nbytes)
        with threads_for(job):
            back = together(
                job, events, bounds, self.par, np.zeros(p.size), offsets, tape, way_back,
                np.zeros(0, np.int64), asked, None,
            )  # fmt: skip
        return DirectGradients(
            synapses=by_targets(job, back.by_drive, p.resistance, in_place=True),
            delays=None,
            spikes=back.by_spike + events.by_spike(self._moved(by_value)),
            parameters={
                "tau_mem": -back.sums[BY_MEM] / p.tau_mem**2,
                "tau_syn": -back.sums[BY_SYN] / p.tau_syn**2,
                "resistance": back.sums[BY_DRIVE] / p.resistance,
                "v_leak": by_value.sum(axis=0),
            },
        )

    def _tape(self, by_value: Floats) -> tuple[Index, Tape]:
        """The maxima as spikes, and the first of every sample.

        Each lies just before its time, since an arrival then comes after it.
        """
        sample, neuron = np.nonzero((by_value != 0.0) & (self.largest.time > 0.0))
        time = np.nextafter(self.largest.time[sample, neuron], 0.0)
        order = np.lexsort((neuron, time, sample))
        sample, neuron, time = sample[order], neuron[order], time[order]
        rises, none = np.ones(time.size), np.zeros(time.size)
        tape = Tape(
            time, neuron.astype(np.int32), rises, np.full(time.size, np.nan), none,
            by_value[sample, neuron], np.full(time.size, -1), none.copy(),
        )  # fmt: skip
        return np.searchsorted(sample, np.arange(self.job.n_samples + 1)), tape

    def _moved(self, by_value: Floats) -> Floats:
        """DL/dt of the events with which maxima move."""
        effects, arrival = np.zeros(self.events.times.size), self.largest.arrival
        sample, neuron = np.nonzero(arrival >= 0)
        moved = by_value[sample, neuron] * self.largest.slope[sample, neuron]
        np.add.at(effects, arrival[sample, neuron], moved)
        return effects
