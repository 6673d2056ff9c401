"""Readout on the CPU, host side."""

import numpy as np

from eventsim.engine.cpu import readout
from eventsim.engine.cpu.arrays import (
    Reals,
    fan_in,
    real_type,
    sample_chunks,
    spike_bases,
    split_effects,
)
from eventsim.engine.cpu.readout import N_SUMS
from eventsim.engine.job import Floats, Job, StageGradients


def forward(job: Job, rate: float) -> Floats:
    """As :meth:`eventsim.engine.job.Backend.readout_forward`."""
    p, par = job.stage.population, _table(job)
    integral = np.empty((job.n_samples, p.size))
    readout.forward(fan_in(job), par, par.dtype.type(rate), job.duration, integral)
    result: Floats = integral + p.v_leak * _leak_weight(job, rate)
    return result


def backward(job: Job, rate: float, by_integral: Floats) -> StageGradients:
    """As :meth:`eventsim.engine.job.Backend.readout_backward`."""
    p, par, fan = job.stage.population, _table(job), fan_in(job)
    bounds = sample_chunks(job, 16 * fan.weight.size)
    shape = (bounds.size - 1, fan.weight.size)
    by_weight, by_delay = np.zeros(shape), np.zeros(shape)
    sums, effects = np.zeros((shape[0], N_SUMS, p.size)), np.zeros(spike_bases(job)[-1])
    readout.backward(
        bounds, fan, par, par.dtype.type(rate), job.duration, by_integral, by_weight, by_delay,
        effects, sums,
    )  # fmt: skip
    by_rate_mem, by_rate_syn, by_resistance = sums.sum(axis=0)
    return StageGradients(
        parameters={
            "tau_mem": -by_rate_mem / p.tau_mem**2,
            "tau_syn": -by_rate_syn / p.tau_syn**2,
            "resistance": by_resistance,
            "v_leak": (by_integral * _leak_weight(job, rate)).sum(axis=0),
        },
        weights=by_weight.sum(axis=0),
        delays=by_delay.sum(axis=0) if job.stage.delays_per_synapse else None,
        self_weights=np.zeros(p.size),
        self_delays=np.zeros(p.size),
        source_times=split_effects(job, effects),
        grazes=0,
    )


def _table(job: Job) -> Reals:
    p = job.stage.population
    return np.stack([1.0 / p.tau_mem, 1.0 / p.tau_syn, p.resistance]).astype(real_type(job))


def _leak_weight(job: Job, rate: float) -> Floats:
    """Integral of exp(-rate t) over every sample, shape [samples, 1]."""
    end = job.duration[:, None]
    return end if rate == 0.0 else -np.expm1(-rate * end) / rate
