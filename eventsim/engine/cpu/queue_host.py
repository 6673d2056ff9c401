"""Stage with a loop on the CPU, host side."""

import numpy as np

from eventsim.engine.bundles import Bundles, arriving, make_bundles
from eventsim.engine.cpu import order, queue, queue_adjoint
from eventsim.engine.cpu.arrays import sample_chunks
from eventsim.engine.cpu.layer import run_tasks
from eventsim.engine.cpu.queue import OWN, Arrivals, Loop
from eventsim.engine.cpu.queue_adjoint import Met
from eventsim.engine.cpu.walk import Tape
from eventsim.engine.job import Floats, Job, StageGradients
from eventsim.engine.table import (
    N_OWN,
    N_SUMS,
    layer_gradients,
    neuron_table,
    real_type,
    scaled_weights,
    spike_bases,
    split_effects,
)
from eventsim.events import SpikeTrains
from eventsim.events.stream import sample_of_event


def forward(job: Job) -> SpikeTrains:
    """As :meth:`eventsim.engine.job.Backend.queue_forward`."""
    bundles = make_bundles(job)
    arrivals, loop = Arrivals(*arriving(job, bundles, job.sources)), _loop(job, bundles)
    par, refractory = neuron_table(job), job.stage.population.refractory

    def run(todo, spikes, starts, limits, counts, reached):
        queue.forward(
            todo, arrivals, loop, par, refractory, job.duration, spikes, starts, limits, counts,
            reached,
        )  # fmt: skip

    trains = run_tasks(job, 1, run)
    # Neurons of one time fire in the order of the queue; the tape has them by number.
    by_neuron = np.lexsort((trains.neurons, trains.times, sample_of_event(trains.offsets)))
    return SpikeTrains(
        trains.times[by_neuron],
        trains.neurons[by_neuron],
        trains.offsets,
        trains.size,
        current=trains.current[by_neuron],
        restart_current=trains.restart_current[by_neuron],
    )


def backward(job: Job, trains: SpikeTrains, by_time: Floats, by_voltage: Floats) -> StageGradients:
    """As :meth:`eventsim.engine.job.Backend.queue_backward`."""
    size, real, resistance = trains.size, real_type(job), job.stage.population.resistance
    bundles = make_bundles(job)
    previous, last = np.empty(len(trains), np.int64), np.full((job.n_samples, size), -1, np.int64)
    order.link(trains.offsets, trains.neurons, previous, last)
    tape = Tape(
        trains.times,
        trains.neurons,
        trains.current * resistance[trains.neurons],
        trains.restart_current * resistance[trains.neurons],
        by_time.copy(),
        by_voltage,
        previous,
        np.zeros(len(trains)),
    )
    loop = _loop(job, bundles)
    bounds = sample_chunks(job, loop.weight.nbytes)
    chunks, n_synapses = bounds.size - 1, loop.weight.size
    weight, delay = np.zeros((chunks, n_synapses), real), np.zeros((chunks, n_synapses))
    sums, own = np.zeros((chunks, N_SUMS, size)), np.zeros((chunks, N_OWN, size))
    effects, grazes = np.zeros(spike_bases(job)[-1], real), np.zeros(chunks, np.int64)
    queue_adjoint.backward(
        bounds, _met(job, bundles, trains), loop, neuron_table(job),
        job.stage.population.refractory, job.duration, last, tape, weight, delay, effects, sums,
        own, grazes,
    )  # fmt: skip
    return layer_gradients(
        job,
        by_drive=weight.sum(axis=0, dtype=np.float64),
        by_delay=delay.sum(axis=0),
        source_times=split_effects(job, effects.astype(np.float64)),
        sums=sums.sum(axis=0),
        own=own.sum(axis=0),
        grazes=int(grazes.sum()),
    )


def _loop(job: Job, bundles: Bundles) -> Loop:
    stage, real = job.stage, real_type(job)
    neurons, rows = [np.zeros(0, np.int64)], [np.zeros(0, np.int64)]
    for k, projection in enumerate(stage.lateral, start=len(stage.afferents)):
        low, high = stage.wiring.row_start[k], stage.wiring.row_start[k + 1]
        rows.append(np.arange(low, high))
        neurons.append(np.arange(high - low) + stage.start_of(projection.source))
    neuron, row = np.concatenate(neurons), np.concatenate(rows)
    by_neuron = np.argsort(neuron, kind="stable")
    bundle, place = bundles.of_rows(row[by_neuron])
    counts = np.bincount(neuron[by_neuron][place], minlength=stage.population.size)
    return Loop(
        np.concatenate([[0], np.cumsum(counts)]).astype(np.int64),
        bundles.first[bundle],
        bundles.last[bundle],
        bundles.delay[bundle],
        stage.wiring.target,
        scaled_weights(job).astype(real),
        (job.self_weights() * stage.population.resistance).astype(real),
        job.self_delays(),
    )


def _met(job: Job, bundles: Bundles, trains: SpikeTrains) -> Met:
    """Every bundle that arrived, self-connections that return later among them."""
    stage, bases = job.stage, spike_bases(job)
    met = arriving(job, bundles, job.sources)
    cause = np.full(bases[-1], -1)
    for k, projection in enumerate(stage.lateral, start=len(stage.afferents)):
        low = stage.start_of(projection.source)
        cause[bases[k] : bases[k + 1]] = np.flatnonzero(
            (trains.neurons >= low) & (trains.neurons < low + job.sources[k].size)
        )
    sample, delay = sample_of_event(trains.offsets), job.self_delays()[trains.neurons]
    time = trains.times + delay
    own = np.flatnonzero((delay > 0.0) & (time < job.duration[sample]))
    all_time = np.concatenate([met.time, time[own]])
    first = np.concatenate([met.first, OWN + trains.neurons[own].astype(np.int64)])
    at = np.concatenate([sample_of_event(met.offsets), sample[own]])
    in_order = np.lexsort((first, all_time, at))
    counts = np.bincount(at, minlength=job.n_samples)
    return Met(
        np.concatenate([[0], np.cumsum(counts)]).astype(np.int64),
        all_time[in_order],
        first[in_order],
        np.concatenate([met.last, np.zeros(own.size, np.int64)])[in_order],
        np.concatenate([met.spike, np.full(own.size, -1)])[in_order],
        np.concatenate([cause[met.spike], own])[in_order],
    )
