"""Spiking layer on the CPU, host side of the backward pass."""

import numpy as np

from eventsim.engine.cpu import fanin, order, shared
from eventsim.engine.cpu.arrays import (
    Reals,
    fan_in,
    merged_events,
    neuron_table,
    real_type,
    row_weights,
    sample_chunks,
    spike_bases,
    split_effects,
)
from eventsim.engine.cpu.layer import BLOCKS, fastest_rate
from eventsim.engine.cpu.walk import (
    BY_LEVEL,
    BY_REFRACTORY,
    BY_RESET,
    BY_SELF,
    BY_SELF_DELAY,
    N_OWN,
    Tape,
)
from eventsim.engine.job import Floats, Job, StageGradients
from eventsim.events import SpikeTrains


def backward(job: Job, trains: SpikeTrains, by_time: Floats, by_voltage: Floats) -> StageGradients:
    """As :meth:`eventsim.engine.job.Backend.layer_backward`."""
    size, resistance = job.stage.population.size, job.stage.population.resistance
    previous = np.empty(len(trains), np.int64)
    last = np.full((job.n_samples, size), -1, np.int64)
    order.link(trains.offsets, trains.neurons, previous, last)
    tape = Tape(
        trains.times,
        trains.neurons,
        trains.current * resistance[trains.neurons],
        trains.restart_current * resistance[trains.neurons],
        by_time,
        by_voltage,
        previous,
        np.zeros(len(trains)),
    )
    run = _backward_shared if job.stage.shares_events else _backward_fanin
    return run(job, trains, tape, last)


def _backward_shared(job: Job, trains: SpikeTrains, tape: Tape, last: np.ndarray) -> StageGradients:
    size, par, refractory = last.shape[1], neuron_table(job), job.stage.population.refractory
    events, weights = merged_events(job), row_weights(job)
    bounds = sample_chunks(job, weights.nbytes)
    chunks = bounds.size - 1
    by_weight = np.zeros((chunks, *weights.shape), weights.dtype)
    sums, own = np.zeros((chunks, 3, size)), np.zeros((chunks, N_OWN, size))
    effects, grazes = np.zeros(events.times.size, weights.dtype), np.zeros(chunks, np.int64)
    shared.backward(
        bounds, events.offsets, events.times, events.rows, weights, par, refractory, job.duration,
        par.dtype.type(fastest_rate(job)), trains.offsets, tape, bool(refractory.any()),
        by_weight, effects, sums, own, grazes,
    )  # fmt: skip
    by_spike = effects.astype(np.float64)
    if events.spike is not None:
        by_spike = np.empty(effects.size)
        by_spike[events.spike] = effects
    total = by_weight.sum(axis=0, dtype=np.float64)[:-1].ravel()
    return _gather(job, total, None, by_spike, sums.sum(axis=0), own.sum(axis=0), grazes)


def _backward_fanin(job: Job, trains: SpikeTrains, tape: Tape, last: np.ndarray) -> StageGradients:
    size, real = last.shape[1], real_type(job)
    fan, par = fan_in(job), neuron_table(job)
    by_weight, by_delay = np.zeros(fan.weight.size, real), np.zeros(fan.weight.size)
    sums, own = np.zeros((3, size)), np.zeros((N_OWN, size))
    effects, grazes = np.zeros((BLOCKS, spike_bases(job)[-1]), real), np.zeros(BLOCKS, np.int64)
    fanin.backward(
        fan, par, job.stage.population.refractory, job.duration, last, tape, by_weight, by_delay,
        effects, sums, own, grazes,
    )  # fmt: skip
    delays = by_delay if job.stage.delays_per_synapse else None
    by_spike = effects.sum(axis=0, dtype=np.float64)
    return _gather(job, by_weight.astype(np.float64), delays, by_spike, sums, own, grazes)


def _gather(
    job: Job,
    weights: Floats,
    delays: Floats | None,
    by_spike: Floats,
    sums: Reals,
    own: Reals,
    grazes: np.ndarray,
) -> StageGradients:
    """From derivatives by drive and rates to those by weights and time constants."""
    p = job.stage.population
    return StageGradients(
        parameters={
            "tau_mem": -sums[1] / p.tau_mem**2,
            "tau_syn": -sums[2] / p.tau_syn**2,
            "resistance": sums[0] / p.resistance,
            "threshold": own[BY_LEVEL],
            "v_leak": -own[BY_LEVEL] - own[BY_RESET],
            "v_reset": own[BY_RESET],
            "refractory": own[BY_REFRACTORY],
        },
        weights=weights * p.resistance[job.stage.wiring.target],
        delays=delays,
        self_weights=own[BY_SELF] * p.resistance,
        self_delays=own[BY_SELF_DELAY],
        source_times=split_effects(job, by_spike),
        grazes=int(grazes.sum()),
    )
