r"""Voltages of a readout on the CPU, at asked times or where they are largest: host side.

Kernels are in ``eventsim/kernels/cpu/readout``. By the envelope theorem the gradient of a largest
voltage is that of V at a fixed time, one of every neuron. The way back from them is that of a
layer whose neurons fire then, and the loss has :math:`\partial L/\partial V` as its derivative by
the voltage just before each spike. Times at which all neurons are asked need no spikes.
"""

from dataclasses import dataclass, replace

import numpy as np

from eventsim.arrays import Floats
from eventsim.compiled import roles as R
from eventsim.compiled.library import library
from eventsim.engine.contract import table as T
from eventsim.engine.contract.adjoint_series import span_of
from eventsim.engine.contract.job import DirectGradients, Job, Voltages
from eventsim.engine.cpu import arrays as A
from eventsim.engine.cpu.blocks import by_block
from eventsim.engine.cpu.layer_adjoint import NOTHING_ASKED, together
from eventsim.engine.cpu.threads import threads_for


def largest(job: Job) -> Voltages:
    """Largest voltages of a readout whose stage shares events.

    They are found in double precision, as on every backend. Around its maximum V is flat: where it
    is known to a part in 10^7, its time is to some us, by which gradients of a part in 2,000 move.
    """
    p, events, exact = job.stage.population, A.merged_events(job), replace(job, precision="double")
    shape = (job.n_samples, p.size)
    found = R.LargestRole(np.zeros(shape), np.zeros(shape), np.full(shape, -1), np.zeros(shape))
    tasks = R.TasksRole.all(job.n_samples, len(job.stage.heard))
    with threads_for(job):
        call = R.LargestForward(tasks, *_layer_of(exact, events), found)
        library().run(call, T.real_type(exact))
    return Voltages((found.value + p.v_leak)[:, :, None], _Largest(job, events, found).backward)


def at(job: Job, times: Floats) -> Voltages:
    """Voltages of a readout whose stage shares events at ``times`` [samples, asked], ascending."""
    p, events = job.stage.population, A.merged_events(job)
    value: Floats = np.empty((*times.shape, p.size))
    asked = R.AskedRole(times, times.shape[1], value)
    tasks = R.TasksRole.all(job.n_samples, len(job.stage.heard))
    with threads_for(job):
        library().run(R.VoltagesForward(tasks, *_layer_of(job, events), asked), T.real_type(job))
    value += p.v_leak
    return Voltages(value.transpose(0, 2, 1), _AtTimes(job, events, times).backward)


def _layer_of(
    job: Job, merged: A.MergedEvents
) -> tuple[R.EventsRole, R.WeightsRole, R.NeuronsRole]:
    """The readout as a layer of neurons that do not fire."""
    arrivals = (merged.offsets, merged.times, merged.rows, job.duration)
    values, par = by_block(job, T.row_weights(job), len(job.stage.heard)), T.linear_table(job)
    return (
        R.EventsRole(*arrivals, job.stage.heard, None, None),
        R.WeightsRole.of(values),
        R.NeuronsRole(par, None, None, None, par.shape[1], T.fastest_rate(job)),
    )


def _gradients(
    job: Job, by_drive: Floats, by_spike: Floats, sums: Floats, by_leak: Floats
) -> DirectGradients:
    """As the protocol wants them, of what the way back found."""
    p = job.stage.population
    return DirectGradients(
        synapses=T.by_targets(job, by_drive, p.resistance, in_place=True),
        delays=None,
        spikes=by_spike,
        parameters=T.readout_parameters(
            job,
            np.stack([sums[T.BY_MEM], sums[T.BY_SYN], sums[T.BY_DRIVE] / p.resistance]),
            by_leak,
        ),
    )


def _tape(time: Floats, neuron: A.Index, alpha: Floats, previous: A.Index) -> A.Tape:
    """Spikes in order, each just before its time: an arrival then comes after it.

    Their currents let V rise, so that alpha is taken as it is; they have no restart.
    """
    none, rises = np.zeros(time.size), np.ones(time.size)
    before = np.nextafter(time, -np.inf)
    no_restart, number = np.full(time.size, np.nan), neuron.astype(np.int32)
    return A.Tape(before, number, rises, no_restart, none, alpha, previous, none.copy())


def _back(
    job: Job, events: A.MergedEvents, bounds: A.Index, tape: R.TapeRole, asked: R.AskedRole
) -> T.FoundBack:
    """The way back from spikes or from asked times, of the samples between ``bounds`` apart."""
    size, par = job.stage.population.size, T.linear_table(job)
    rows = np.ones(int(job.stage.wiring.row_start[-1]), np.bool_)
    carried = R.CarriedRole(np.zeros(job.n_samples), None, None, 0)
    way = R.WayBackRole(bounds, *span_of(job), rows, None), carried
    neurons = R.NeuronsRole(par, np.zeros(size), None, None, size, T.fastest_rate(job))
    with threads_for(job):
        return together(job, events, neurons, tape, way, asked=asked)


@dataclass(frozen=True, eq=False)
class _AtTimes:
    """The asked times, [samples, asked], and of what."""

    job: Job
    events: A.MergedEvents
    times: Floats

    def backward(self, by_value: Floats) -> DirectGradients:
        """Gradients from dL/d(value), [samples, size, asked], as the protocol wants them.

        In double precision: of the sum over all arrivals that a common delay gets, a part in
        thousands may be left, and rounding at every one of a hundred frames would show there.
        """
        job = replace(self.job, precision="double")
        bounds = A.sample_chunks(
            job, by_block(job, T.row_weights(job), len(job.stage.heard)).nbytes
        )
        nothing, nobody = np.zeros(0), np.zeros(0, np.int64)
        silence = _tape(nothing, nobody, nothing, nobody)
        tape = R.TapeRole(np.zeros(job.n_samples + 1, np.int64), *silence, None)
        of_value = np.array(by_value.transpose(0, 2, 1), order="C")
        asked = R.AskedRole(self.times, self.times.shape[1], of_value)
        back = _back(job, self.events, bounds, tape, asked)
        by_leak = by_value.sum(axis=(0, 2))
        return _gradients(job, back.by_drive, back.by_spike, back.sums, by_leak)


@dataclass(frozen=True, eq=False)
class _Largest:
    """Largest voltages, [samples, size], with their times and events."""

    job: Job
    events: A.MergedEvents
    found: R.LargestRole

    def backward(self, by_value: Floats) -> DirectGradients:
        """Gradients from dL/d(value), [samples, size, 1], as the protocol wants them."""
        job, events, found, by_value = self.job, self.events, self.found, by_value[:, :, 0]
        sample, neuron = np.nonzero((by_value != 0.0) & (found.time > 0.0))
        time = found.time[sample, neuron]
        order = np.lexsort((neuron, time, sample))
        sample, neuron, time = sample[order], neuron[order], time[order]
        spikes = _tape(time, neuron, by_value[sample, neuron], np.full(time.size, -1))
        offsets = np.searchsorted(sample, np.arange(job.n_samples + 1))
        bounds = A.sample_chunks(job, T.row_weights(job).nbytes)
        back = _back(job, events, bounds, R.TapeRole(offsets, *spikes, None), NOTHING_ASKED)
        by_spike = back.by_spike + events.by_spike(self._moved(by_value))
        return _gradients(job, back.by_drive, by_spike, back.sums, by_value.sum(axis=0))

    def _moved(self, by_value: Floats) -> Floats:
        """dL/dt of the events with which maxima move."""
        effects, arrival = np.zeros(self.events.times.size), self.found.arrival
        sample, neuron = np.nonzero(arrival >= 0)
        moved = by_value[sample, neuron] * self.found.slope[sample, neuron]
        np.add.at(effects, arrival[sample, neuron], moved)
        return effects
