"""Readout on the CPU, host side."""

import numpy as np

from eventsim.arrays import Floats
from eventsim.engine.cpu import readout
from eventsim.engine.cpu.arrays import fan_in, sample_chunks
from eventsim.engine.cpu.readout import N_SUMS
from eventsim.engine.job import Job, StageGradients
from eventsim.engine.table import (
    leak_weight,
    readout_gradients,
    readout_table,
    spike_bases,
    split_effects,
)


def forward(job: Job, rate: float) -> Floats:
    p, par = job.stage.population, readout_table(job)
    integral = np.empty((job.n_samples, p.size))
    readout.forward(fan_in(job), par, par.dtype.type(rate), job.duration, integral)
    result: Floats = integral + p.v_leak * leak_weight(job, rate)
    return result


def backward(job: Job, rate: float, by_integral: Floats) -> StageGradients:
    p, par, fan = job.stage.population, readout_table(job), fan_in(job)
    bounds = sample_chunks(job, 16 * fan.weight.size)
    shape = (bounds.size - 1, fan.weight.size)
    by_weight, by_delay = np.zeros(shape), np.zeros(shape)
    sums, effects = np.zeros((shape[0], N_SUMS, p.size)), np.zeros(spike_bases(job)[-1])
    readout.backward(
        bounds, fan, par, par.dtype.type(rate), job.duration, by_integral, by_weight, by_delay,
        effects, sums,
    )  # fmt: skip
    return readout_gradients(
        job,
        by_weight=by_weight.sum(axis=0),
        by_delay=by_delay.sum(axis=0),
        source_times=split_effects(job, effects),
        sums=sums.sum(axis=0),
        by_leak=(by_integral * leak_weight(job, rate)).sum(axis=0),
    )
