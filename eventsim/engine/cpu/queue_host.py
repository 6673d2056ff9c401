"""Stage with a loop on the CPU, host side."""

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from eventsim.arrays import Floats
from eventsim.engine.bundles import (
    Arriving,
    Loop,
    all_arrivals,
    make_bundles,
    make_loop,
    outside_arrivals,
)
from eventsim.engine.cpu import order, queue, queue_adjoint, windows
from eventsim.engine.cpu.arrays import sample_chunks
from eventsim.engine.cpu.layer import run_tasks
from eventsim.engine.cpu.threads import n_threads
from eventsim.engine.cpu.walk import Tape
from eventsim.engine.job import Job, StageGradients
from eventsim.engine.table import (
    N_OWN,
    N_SUMS,
    fastest_rate,
    layer_gradients,
    neuron_table,
    real_type,
    spike_bases,
    split_effects,
)
from eventsim.events import SpikeTrains
from eventsim.events.order import event_order

# A loop goes by windows where in a window that many synaptic events of other stages reach a neuron
# on average. bench/macro/windows.py
WINDOW_SHARE = 0.25

# Synaptic events of other stages in a window for which a thread is woken: a ms of work. On a busy
# machine a thread may wait a time slice for the others at every window's end; with 5,000 events and
# a load of 7 on two cores bench/macro/balanced.py took six times as long.
PART_EVENTS = 100_000


def forward(job: Job) -> SpikeTrains:
    prepared = prepare(job)
    return (by_windows if _windows_pay(job, prepared) else by_queue)(job, prepared)


@dataclass(frozen=True, eq=False)
class Prepared:
    """What the kernels of a loop take: arrivals of other stages, synapses, parameters."""

    arrivals: Arriving
    loop: Loop
    par: NDArray[np.floating[Any]]
    refractory: Floats

    @property
    def least_delay(self) -> float:
        """Of what the neurons send to each other and to themselves later, ms."""
        own = self.loop.own_delay[self.loop.own_delay > 0.0]
        return float(min(self.loop.delay.min(initial=np.inf), own.min(initial=np.inf)))


def prepare(job: Job) -> Prepared:
    """From a job to arrays."""
    bundles, real = make_bundles(job), real_type(job)
    loop = make_loop(job, bundles)
    return Prepared(
        outside_arrivals(job, bundles),
        loop._replace(weight=loop.weight.astype(real), own_weight=loop.own_weight.astype(real)),
        neuron_table(job),
        job.stage.population.refractory,
    )


def _windows_pay(job: Job, prepared: Prepared) -> bool:
    """Whether windows are expected to be faster; what the loop itself will send is not known."""
    if not 0.0 < prepared.least_delay < np.inf:
        return False
    return _met_in_window(job, prepared) >= WINDOW_SHARE * prepared.par.shape[1]


def _met_in_window(job: Job, prepared: Prepared) -> float:
    """Synaptic events of other stages in a window of one sample, on average."""
    arrivals = prepared.arrivals
    met = (arrivals.last - arrivals.first).sum() * prepared.least_delay
    return float(met / max(job.duration.sum(), prepared.least_delay))


def by_queue(job: Job, prepared: Prepared) -> SpikeTrains:
    """Every sample by its queue of events."""

    def run(todo, spikes, starts, limits, counts, reached):
        queue.forward(
            todo, prepared.arrivals, prepared.loop, prepared.par, prepared.refractory,
            job.duration, spikes, starts, limits, counts, reached,
        )  # fmt: skip

    return _by_neuron(run_tasks(job, 1, run))


def by_windows(job: Job, prepared: Prepared, parts: int | None = None) -> SpikeTrains:
    """Every sample by windows, its neurons in parts that run side by side.

    By itself it makes several parts where there are fewer samples than threads and a window has
    enough to do.
    """
    p, size = prepared, prepared.par.shape[1]
    fastest, window = p.par.dtype.type(fastest_rate(job)), p.least_delay
    if parts is None:
        most = n_threads() if job.n_samples < n_threads() else 1
        parts = int(np.clip(_met_in_window(job, p) / PART_EVENTS, 1, most))
    bounds = np.linspace(0, size, parts + 1).astype(np.int64)

    def run_samples(todo, spikes, starts, limits, counts, reached):
        windows.forward_samples(
            todo, p.arrivals, p.loop, p.par, p.refractory, job.duration, window, fastest,
            spikes, starts, limits, counts, reached,
        )  # fmt: skip

    def run_parts(todo, spikes, starts, limits, counts, reached):
        for s in np.unique(todo // parts):
            mine = slice(s * parts, (s + 1) * parts)
            windows.forward_parts(
                s, bounds, windows.make_neurons(size, p.par.dtype), p.arrivals, p.loop, p.par,
                p.refractory, job.duration[s], window, fastest, spikes, starts[mine],
                limits[mine], counts[mine], reached[mine],
            )  # fmt: skip

    return _by_neuron(run_tasks(job, parts, run_samples if parts == 1 else run_parts))


def _by_neuron(trains: SpikeTrains) -> SpikeTrains:
    """Spikes of one time by neuron, as the tape has them."""
    order = event_order(trains.offsets, trains.times, trains.neurons)
    return SpikeTrains(
        trains.times[order],
        trains.neurons[order],
        trains.offsets,
        trains.size,
        current=trains.current[order],
        restart_current=trains.restart_current[order],
    )


def backward(job: Job, trains: SpikeTrains, by_time: Floats, by_voltage: Floats) -> StageGradients:
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
