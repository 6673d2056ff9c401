"""Stage with a loop on the CPU, host side."""

import numpy as np

from eventsim.engine.bundles import all_arrivals, make_bundles, make_loop, outside_arrivals
from eventsim.engine.cpu import order, queue, queue_adjoint
from eventsim.engine.cpu.arrays import sample_chunks
from eventsim.engine.cpu.layer import run_tasks
from eventsim.engine.cpu.walk import Tape
from eventsim.engine.job import Floats, Job, StageGradients
from eventsim.engine.table import (
    N_OWN,
    N_SUMS,
    layer_gradients,
    neuron_table,
    real_type,
    spike_bases,
    split_effects,
)
from eventsim.events import SpikeTrains
from eventsim.events.stream import sample_of_event


def forward(job: Job) -> SpikeTrains:
    """As :meth:`eventsim.engine.job.Backend.queue_forward`."""
    bundles, real = make_bundles(job), real_type(job)
    arrivals, loop = outside_arrivals(job, bundles), make_loop(job, bundles)
    loop = loop._replace(weight=loop.weight.astype(real), own_weight=loop.own_weight.astype(real))
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
    loop = make_loop(job, bundles)
    loop = loop._replace(weight=loop.weight.astype(real), own_weight=loop.own_weight.astype(real))
    bounds = sample_chunks(job, loop.weight.nbytes)
    chunks, n_synapses = bounds.size - 1, loop.weight.size
    weight, delay = np.zeros((chunks, n_synapses), real), np.zeros((chunks, n_synapses))
    sums, own = np.zeros((chunks, N_SUMS, size)), np.zeros((chunks, N_OWN, size))
    effects, grazes = np.zeros(spike_bases(job)[-1], real), np.zeros(chunks, np.int64)
    queue_adjoint.backward(
        bounds, all_arrivals(job, bundles, trains), loop, neuron_table(job),
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
