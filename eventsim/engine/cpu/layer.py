"""Spiking layer on the CPU, host side of the forward pass: buffers that grow, packing, errors."""

from collections.abc import Callable

import numpy as np

from eventsim.arrays import Floats
from eventsim.compiled import roles as R
from eventsim.compiled.library import library
from eventsim.compiled.roles_fanin import DenseFaninForward, FaninForward
from eventsim.compiled.roles_order import PackedRole, PackSpikes, RoundsRole
from eventsim.engine.algorithm import Algorithm, algorithm_of
from eventsim.engine.contract import table as T
from eventsim.engine.contract.job import Job, raise_first_runaway
from eventsim.engine.contract.state import (
    LayerState,
    Pending,
    Stop,
    carried,
    start_state,
    still_pending,
    with_pending,
)
from eventsim.engine.cpu import fanin
from eventsim.engine.cpu.arrays import (
    Index,
    SpikeBuffers,
    addresses,
    events_of_samples,
    merged_events,
    since,
)
from eventsim.engine.cpu.blocks import by_block, heard_by
from eventsim.engine.cpu.threads import SMALL_WORK, dealt
from eventsim.engine.cpu.weights import layer_weights
from eventsim.events import SpikeTrains
from eventsim.events.tape import Adapted
from eventsim.processors import threads_through

# A buffer holds at least that many spikes.
GUESS_LEAST = 256

# Without a run of before, of so many tasks one is tried, for the room that the others need.
TRIED = 8

# Shorter spans say little about spikes per ms.
LEAST_SPAN = 1.0

# Room beyond the largest number of spikes per ms that a task had; and where a stage keeps it. It
# says how much memory a run takes at first, and nothing else.
SPARE = 1.25
RATE = "spikes per ms and task"

Run = Callable[[Index, R.SpikesRole], None]


def forward(job: Job) -> SpikeTrains:
    return _advance(job, start_state(job), carry=False)[0]


def resume(job: Job, state: LayerState) -> tuple[SpikeTrains, LayerState]:
    return carried(job, state, *_advance(job, state, carry=True))


def _advance(
    job: Job, state: LayerState, *, carry: bool
) -> tuple[SpikeTrains, Stop, Pending | None, Adapted | None]:
    """Spikes from ``state`` on, the state after the last arrivals, and arrivals still pending.

    What is pending is looked for only to ``carry`` it on. The last is the adaptation then.
    """
    end = Stop(*(values.copy() for values in state.stop))
    adapted = None if state.adapted is None else Adapted(*(x.copy() for x in state.adapted))
    if algorithm_of(job.stage) is Algorithm.STRETCHES:
        trains, pending = _stretches(job, state, end, adapted, carry=carry)
        return trains, end, pending, adapted
    return _fanin(job, state, end, adapted), end, None, adapted


def _fanin(job: Job, state: LayerState, end: Stop, adapted: Adapted | None) -> SpikeTrains:
    """As :func:`_advance`, of neurons with events of their own, to ``end`` and ``adapted``."""
    sent, returns = fanin.sent_of(job, state.begin), fanin.returns_of(job, state)
    par = T.neuron_table(job)
    neurons, (begins, ends) = neurons_of(job, par), _standing(state, end, adapted)
    real = par.dtype.type
    if fanin.is_dense(job):
        blocks = len(heard_by(job, job.n_samples))
        rows = R.WeightsRole.of(by_block(job, T.row_weights(job), blocks))

        def call(tasks: R.TasksRole, places: R.SpikesRole) -> DenseFaninForward | FaninForward:
            return DenseFaninForward(tasks, sent, rows, neurons, returns, begins, ends, places)

    else:
        blocks = fanin.n_blocks(job)
        parts, resistance, _held = layer_weights(job)
        wires = fanin.wires_of(job, (parts, resistance), blocks, 0, job.stage.population.size)

        def call(tasks: R.TasksRole, places: R.SpikesRole) -> DenseFaninForward | FaninForward:
            return FaninForward(tasks, sent, wires, neurons, returns, begins, ends, places)

    def run(todo: Index, places: R.SpikesRole) -> None:
        library().run(call(R.TasksRole(todo, todo.size, blocks), places), real)

    return run_tasks(job, blocks, run, job.duration - state.begin)


def _standing(
    state: LayerState, end: Stop, adapted: Adapted | None
) -> tuple[R.StandingRole, R.StandingRole]:
    """States of neurons at first, and the arrays into which their states at the end are written."""
    nothing = (None, None)
    return (
        R.StandingRole(*state.stop, *(state.adapted or nothing)),
        R.StandingRole(*end, *(adapted or nothing)),
    )


def _stretches(
    job: Job, state: LayerState, end: Stop, adapted: Adapted | None, *, carry: bool
) -> tuple[SpikeTrains, Pending | None]:
    """As :func:`_advance`, of neurons that meet the same events, to ``end`` and ``adapted``."""
    merged, par = merged_events(job), T.neuron_table(job)
    heard = heard_by(job, job.n_samples)
    if carry:
        merged = since(merged, state.begin)
    arrivals = with_pending(state.pending, merged.offsets, merged.times, merged.rows)
    n_blocks = len(heard)
    skip = np.zeros((job.n_samples, n_blocks), np.int64)
    if state.pending is not None:
        skip = np.repeat(state.pending.skip, n_blocks // len(job.stage.heard), axis=1)
    met = skip.copy()
    events = R.EventsRole(*arrivals, job.duration, heard, skip, met)
    values = by_block(job, T.row_weights(job), n_blocks)
    weights = R.WeightsRole.of(values)
    neurons, (begins, ends) = neurons_of(job, par), _standing(state, end, adapted)
    real = par.dtype.type

    def run(todo: Index, places: R.SpikesRole) -> None:
        tasks = R.TasksRole(todo, todo.size, n_blocks)
        call = R.DenseForward(tasks, events, weights, neurons, begins, ends, places)
        library().run(call, real)

    trains = run_tasks(job, n_blocks, run, job.duration - state.begin)
    if len(job.stage.heard) == 1:
        met = met[:, :1]  # what one block has met, all have
    return trains, still_pending(*arrivals, met, job.duration) if carry else None


def neurons_of(job: Job, par: np.ndarray) -> R.NeuronsRole:
    """Parameters of all neurons as the kernels take them."""
    p = job.stage.population
    strength, rate = (p.adaptation, 1.0 / p.tau_adaptation) if p.is_adaptive else (None, None)
    return R.NeuronsRole(par, p.refractory, strength, rate, p.size, T.fastest_rate(job))


def run_tasks(
    job: Job, blocks: int, run: Run, span: Floats | None = None, *, apart: bool = True
) -> SpikeTrains:
    """Run all tasks; spikes in order of (sample, time, neuron).

    Tasks whose spikes do not fit are run again with room for all, which costs as much as the run.
    So room is made for as many spikes as the stage had before. The first time an eighth of the
    tasks is run first, to see how many spikes the others will have. This is allowed by ``apart``,
    which is False where the tasks of a sample need each other. ``span`` is the time that is run of
    every sample, ms; None for all of it.
    """
    size, n_tasks = job.stage.population.size, job.n_samples * blocks
    limits = np.repeat(T.guess_spikes(job, size / blocks, GUESS_LEAST, span), blocks)
    counts, reached = np.zeros(n_tasks, np.int64), np.zeros(n_tasks)
    rounds: list[SpikeBuffers] = []
    work = events_of_samples(job)
    tasks, where = dealt(np.repeat(work, blocks)), np.zeros(n_tasks, np.int64)
    starts, lasts = np.zeros(n_tasks, np.int64), job.duration if span is None else span
    lasts = np.repeat(np.maximum(lasts, LEAST_SPAN), blocks)
    parts = [tasks]
    if apart and RATE not in job.stage.seen and size * work.sum() >= SMALL_WORK:
        parts = [tasks[::TRIED].copy(), np.delete(tasks, slice(None, None, TRIED))]
    for todo in parts:
        room = np.minimum(
            job.stage.seen.get(RATE, 0.0) * lasts[todo], T.GUESS_MOST / max(n_tasks, 1)
        )
        limits[todo] = np.maximum(limits[todo], room.astype(np.int64))
        while todo.size:
            ends = np.cumsum(limits[todo])
            starts[todo] = ends - limits[todo]
            spikes = buffers(int(ends[-1]))
            run(todo, R.SpikesRole(*spikes, starts, limits, counts, reached))
            where[todo] = len(rounds)
            rounds.append(spikes)
            todo = np.flatnonzero(counts > limits)
            limits[todo] = np.maximum(counts[todo], 2 * limits[todo])
            failed = np.flatnonzero(counts < 0)
            if failed.size:
                # Only those that come before it are worth another round.
                todo = todo[todo // blocks <= failed[0] // blocks]
        job.stage.seen[RATE] = SPARE * float((counts / lasts).max(initial=0.0))
    _raise_runaway(job, blocks, counts, reached)
    return _pack(job, blocks, rounds, where, starts, counts)


def buffers(size: int) -> SpikeBuffers:
    """Room for so many spikes."""
    return SpikeBuffers(np.empty(size), np.empty(size, np.int32), np.empty(size), np.empty(size))


def _raise_runaway(job: Job, blocks: int, counts: Index, reached: np.ndarray) -> None:
    failed = np.flatnonzero(counts < 0)
    raise_first_runaway(job, failed // blocks, -1 - counts[failed], reached[failed])


def _pack(
    job: Job, blocks: int, rounds: list[SpikeBuffers], where: Index, starts: Index, counts: Index
) -> SpikeTrains:
    linear, size = job.stage.is_linear, job.stage.population.size  # whose spikes have no currents
    resistance = np.ones(size) if linear else job.stage.population.resistance
    ends = np.cumsum(counts)
    offsets = np.zeros(job.n_samples + 1, np.int64)
    offsets[1:] = ends[blocks - 1 :: blocks]
    found = buffers(int(offsets[-1]))
    time, neuron, current, restart = (
        addresses([spikes[k] for spikes in rounds]) for k in range(len(found))
    )
    call = PackSpikes(
        R.TasksRole.all(job.n_samples),
        RoundsRole(time, neuron, current, restart, where, starts, counts, blocks),
        PackedRole(offsets, *found, resistance),
    )
    library().run(call, threads=threads_through(found.time.size))
    return SpikeTrains(
        found.time,
        found.neuron,
        offsets,
        size,
        current=found.current,
        restart_current=found.restart,
    )
