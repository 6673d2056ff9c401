"""Readout on the CPU, host side."""

import numpy as np

from eventsim.arrays import Floats
from eventsim.engine.cpu import readout, readout_apart
from eventsim.engine.cpu.arrays import read_only, sample_chunks
from eventsim.engine.cpu.lanes import LANES, aligned, of_lanes, to_lanes
from eventsim.engine.cpu.readout import N_SUMS, Gains, ReadoutSpikes
from eventsim.engine.cpu.readout_apart import FanOut
from eventsim.engine.gain_windows import N_GAIN, count_windows, terms_of, windows_per_ms
from eventsim.engine.job import Job, StageGradients
from eventsim.engine.table import (
    leak_weight,
    of_synapses,
    readout_gradients,
    readout_table,
    real_type,
    row_matrix,
    spike_bases,
    split_effects,
)
from eventsim.held import made_once


def forward(job: Job, rate: float) -> Floats:
    p, spikes, gains = job.stage.population, _spikes(job), gains_of(job, rate)
    integral = np.empty((job.n_samples, p.size))
    if job.stage.shares_events:
        readout.forward(spikes, gains, _weights(job), read_only(job.duration), integral)
    else:
        readout_apart.forward(spikes, gains, _fan_out(job), read_only(job.duration), integral)
    result: Floats = p.resistance * integral + p.v_leak * leak_weight(job, rate)
    return result


def backward(job: Job, rate: float, by_integral: Floats) -> StageGradients:
    p = job.stage.population
    seeds, effects = by_integral * p.resistance, np.zeros(spike_bases(job)[-1])
    run = _backward_shared if job.stage.shares_events else _backward_apart
    by_weight, by_delay, sums = run(job, _spikes(job), gains_of(job, rate), seeds, effects)
    by_gain, by_mem, by_syn = sums
    return readout_gradients(
        job,
        by_weight=by_weight,
        by_delay=by_delay,
        source_times=split_effects(job, effects),
        sums=np.stack([by_mem, by_syn, by_gain / p.resistance]),
        by_leak=(by_integral * leak_weight(job, rate)).sum(axis=0),
    )


def _backward_shared(
    job: Job, spikes: ReadoutSpikes, gains: Gains, seeds: Floats, effects: Floats
) -> tuple[Floats, Floats | None, Floats]:
    """dL/dw of the synapses; dL/d(delay) of each, where it has one of its own; sums of outputs."""
    weights, size = _weights(job), job.stage.population.size
    bounds = sample_chunks(job, 8 * weights.size)
    parts, blocks = bounds.size - 1, weights.shape[0]
    by_weight = aligned((parts, *weights.shape), np.float64)
    sums = np.zeros((parts, N_SUMS, blocks, LANES))
    wide = np.ascontiguousarray(to_lanes(seeds).transpose(1, 0, 2))
    duration = read_only(job.duration)
    readout.backward(bounds, spikes, gains, weights, duration, wide, by_weight, effects, sums)
    found = of_synapses(job, of_lanes(by_weight.sum(axis=0), size))
    return found, None, sums.sum(axis=0).reshape(N_SUMS, -1)[:, :size]


def _backward_apart(
    job: Job, spikes: ReadoutSpikes, gains: Gains, seeds: Floats, effects: Floats
) -> tuple[Floats, Floats | None, Floats]:
    """As :func:`_backward_shared`."""
    fan = _fan_out(job)
    bounds = sample_chunks(job, 16 * fan.weight.size)
    shape = (bounds.size - 1, fan.weight.size)
    by_weight, by_delay = np.zeros(shape), np.zeros(shape)
    sums = np.zeros((shape[0], N_SUMS, job.stage.population.size))
    duration = read_only(job.duration)
    readout_apart.backward(
        bounds, spikes, gains, fan, duration, seeds, by_weight, by_delay, effects, sums
    )
    return by_weight.sum(axis=0), by_delay.sum(axis=0), sums.sum(axis=0)


def _spikes(job: Job) -> ReadoutSpikes:
    bases, rows, sources = spike_bases(job), job.stage.wiring.row_start, job.sources
    first = np.zeros((len(sources), job.n_samples + 1), np.int64)
    for k, source in enumerate(sources):
        first[k] = source.offsets + bases[k]
    if len(sources) == 1:
        times, neurons = sources[0].times, sources[0].neurons
    else:
        times = np.concatenate([np.zeros(0), *(s.times for s in sources)])
        neurons = np.concatenate([np.zeros(0, np.int32), *(s.neurons for s in sources)])
    return ReadoutSpikes(first, read_only(times), read_only(neurons), rows, job.row_delays())


def gains_of(job: Job, rate: float) -> Gains:
    """With an empty table, which kernels fill."""
    real, per_ms, blocks = real_type(job), windows_per_ms(job, rate), _blocks(job)
    shape = (blocks, count_windows(job, per_ms), N_GAIN, terms_of(real), LANES)
    return Gains(readout_table(job), rate, per_ms, aligned(shape, real))


def _blocks(job: Job) -> int:
    return -(-job.stage.population.size // LANES)


def _weights(job: Job) -> Floats:
    """Weights by row, as :func:`eventsim.engine.cpu.lanes.to_lanes`, in the type of the state."""
    real = real_type(job)

    def make() -> Floats:
        return to_lanes(row_matrix(job, job.weights().astype(real)))

    weights: Floats = made_once((_weights, job.stage, real), make)
    return weights


def _fan_out(job: Job) -> FanOut:
    wiring = job.stage.wiring
    weight = job.weights().astype(real_type(job))
    return FanOut(wiring.out_start, read_only(wiring.target), weight, job.delays())
