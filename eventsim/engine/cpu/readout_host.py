"""Readout on the CPU, host side: kernels are in ``eventsim/kernels/cpu/readout``.

Spikes are taken as they come, source by source: a table
(:mod:`eventsim.engine.contract.gain_windows`) gives each its gain at every output, as one short
polynomial. All outputs lie side by side; where synapses are few, or have delays of their own, they
are taken one by one.
"""

import numpy as np

from eventsim.arrays import Floats, aligned
from eventsim.compiled import roles as R
from eventsim.compiled.library import library
from eventsim.engine.contract import table as T
from eventsim.engine.contract.gain_windows import N_GAIN, count_windows, terms_of, windows_per_ms
from eventsim.engine.contract.job import Job, StageGradients
from eventsim.engine.cpu.arrays import sample_chunks, sources_of
from eventsim.engine.cpu.blocks import LANES, in_blocks, of_blocks

# Rows of the sums over arrivals, each times its weight: gain, its derivatives by both rates.
N_SUMS = 3


def forward(job: Job, rate: float) -> Floats:
    p, (spikes, _held), gains = job.stage.population, sources_of(job), gains_of(job, rate)
    tasks = R.TasksRole.all(job.n_samples)
    shared = job.stage.shares_events
    size = _blocks(job) * LANES if shared else p.size
    integrals = R.IntegralsRole(np.empty((job.n_samples, size)), size)
    if shared:
        library().run(
            R.ReadoutForward(tasks, spikes, gains, _weights(job), integrals), T.real_type(job)
        )
    else:
        library().run(
            R.ApartForward(tasks, spikes, gains, _fan_out(job), integrals), T.real_type(job)
        )
    integral = integrals.values[:, : p.size]
    result: Floats = p.resistance * integral + p.v_leak * T.leak_weight(job, rate)
    return result


def backward(job: Job, rate: float, by_integral: Floats) -> StageGradients:
    p = job.stage.population
    seeds, effects = by_integral * p.resistance, np.zeros(T.spike_bases(job)[-1])
    run = _backward_shared if job.stage.shares_events else _backward_apart
    spikes, _held = sources_of(job)
    by_weight, by_delay, sums = run(job, spikes, gains_of(job, rate), seeds, effects)
    by_gain, by_mem, by_syn = sums
    by_leak = (by_integral * T.leak_weight(job, rate)).sum(axis=0)
    found = T.readout_parameters(job, np.stack([by_mem, by_syn, by_gain / p.resistance]), by_leak)
    return T.stage_gradients(job, found, weights=by_weight, delays=by_delay, effects=effects)


def _backward_shared(
    job: Job, spikes: R.SourcesRole, gains: R.GainTableRole, seeds: Floats, effects: Floats
) -> tuple[Floats, Floats | None, Floats]:
    """dL/dw of the synapses; dL/d(delay) of each, where it has one of its own; sums of outputs."""
    weights, size, wide = _weights(job), job.stage.population.size, _blocks(job) * LANES
    bounds = sample_chunks(job, 8 * weights.values.size)
    parts = bounds.size - 1
    by_weight = aligned((parts, *weights.values.shape), np.float64)
    sums = np.zeros((parts, N_SUMS, wide))
    of_outputs = np.zeros((job.n_samples, wide))
    of_outputs[:, :size] = seeds
    back = R.IntegralsBackRole(bounds, of_outputs, by_weight, None, effects, sums, wide)
    library().run(
        R.ReadoutBackward(R.TasksRole.all(parts), spikes, gains, weights, back), T.real_type(job)
    )
    found = T.of_synapses(job, of_blocks(by_weight.sum(axis=0), size))
    return found, None, sums.sum(axis=0)[:, :size]


def _backward_apart(
    job: Job, spikes: R.SourcesRole, gains: R.GainTableRole, seeds: Floats, effects: Floats
) -> tuple[Floats, Floats | None, Floats]:
    """As :func:`_backward_shared`."""
    fan, size = _fan_out(job), job.stage.population.size
    bounds = sample_chunks(job, 16 * fan.n)
    shape = (bounds.size - 1, fan.n)
    by_weight, by_delay = np.zeros(shape), np.zeros(shape)
    sums = np.zeros((shape[0], N_SUMS, size))
    back = R.IntegralsBackRole(bounds, seeds, by_weight, by_delay, effects, sums, size)
    library().run(
        R.ApartBackward(R.TasksRole.all(shape[0]), spikes, gains, fan, back), T.real_type(job)
    )
    return by_weight.sum(axis=0), by_delay.sum(axis=0), sums.sum(axis=0)


def gains_of(job: Job, rate: float) -> R.GainTableRole:
    """Filled; forward and backward pass may share it."""
    real, per_ms = T.real_type(job), windows_per_ms(job, rate)
    n_windows, blocks = count_windows(job, per_ms), _blocks(job)

    def make() -> R.GainTableRole:
        values = aligned((blocks, n_windows, N_GAIN, terms_of(real), LANES), real)
        gains = R.GainTableRole(values, blocks, n_windows, rate, per_ms)
        outputs = R.OutputsRole(T.readout_table(job), job.stage.population.size)
        library().run(R.ReadoutGains(R.TasksRole.all(blocks), outputs, gains), T.real_type(job))
        return gains

    return job.stage.once((gains_of, real, rate, per_ms, n_windows), make)


def _blocks(job: Job) -> int:
    return -(-job.stage.population.size // LANES)


def _weights(job: Job) -> R.WeightsRole:
    """Weights by row, as :func:`.blocks.in_blocks`, in the type of the state."""
    real = T.real_type(job)

    def make() -> R.WeightsRole:
        values = in_blocks(T.row_matrix(job, job.weights().astype(real)), LANES)
        return R.WeightsRole.of(values)

    return job.stage.once((_weights, real), make)


def _fan_out(job: Job) -> R.FanOutRole:
    wiring = job.stage.wiring
    weight = job.weights().astype(T.real_type(job))
    return R.FanOutRole(wiring.out_start, wiring.target, weight, job.delays(), weight.size)
