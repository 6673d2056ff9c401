"""Layers of linear neurons in which every neuron has events of its own, host side.

As :mod:`~eventsim.engine.cpu.fanin` for other neurons: such a layer is sparse, or its synapses have
delays of their own. What arrives at a neuron is spread to a list of its own, which it meets event
by event.
"""

import numpy as np

from eventsim.arrays import Array, Floats
from eventsim.compiled.library import library
from eventsim.compiled.roles import SpikesRole, TasksRole
from eventsim.compiled.roles_linear import (
    LinearFaninBackward,
    LinearFaninForward,
    LinearJumpsRole,
    LinearOwnFoundRole,
    LinearOwnRole,
    LinearTablesRole,
    LinearTapeRole,
)
from eventsim.engine.contract.job import Job
from eventsim.engine.contract.linear import LinearCells, side_by_side, states_of
from eventsim.engine.contract.table import spike_bases
from eventsim.engine.cpu import fanin
from eventsim.engine.cpu.arrays import Index, merged_events
from eventsim.engine.cpu.layer import run_tasks
from eventsim.engine.cpu.weights import addresses_of
from eventsim.events import SpikeTrains


def by_own_lists(job: Job) -> bool:
    """Whether neurons meet lists of their own: none is reached by a spike that comes later."""
    stage = job.stage
    if stage.lateral or side_by_side(job):
        return False
    return not bool((job.self_delays() > 0.0).any())


def forward(
    job: Job, cells: LinearCells, tables: LinearTablesRole, jumps: LinearJumpsRole
) -> SpikeTrains:
    """Spikes of the stage; without currents (NaN)."""
    blocks = fanin.n_blocks(job)
    weights = _weights(job, cells)
    wires = fanin.wires_of(job, (addresses_of(weights), None), blocks, 0, cells.size)
    fed = fanin.sent_of(job, np.zeros(job.n_samples)), wires, tables, jumps, _own(job, cells)

    def run(todo: Index, places: SpikesRole) -> None:
        tasks = TasksRole(todo, todo.size, blocks)
        library().run(LinearFaninForward(tasks, *fed, places), cells.real)

    return run_tasks(job, blocks, run)


def backward(
    job: Job,
    cells: LinearCells,
    known: tuple[LinearTablesRole, LinearJumpsRole, LinearTapeRole],
    sums: Floats,
    grazes: Index,
) -> tuple[Floats, Floats, Floats]:
    """Gradients by weight, delay and time of all spikes; those by matrices go into ``sums``."""
    n_synapses, parts = job.stage.wiring.target.size, fanin.PARTS
    sent = fanin.sent_of(job, np.zeros(job.n_samples))
    by_weight = np.zeros(n_synapses)
    by_delay = np.zeros(n_synapses) if job.stage.delays_per_synapse else None
    effects = np.zeros((parts, sent.time.size))
    found = LinearOwnFoundRole(
        by_weight, by_delay, effects, sums, grazes, parts, job.n_samples, sent.time.size
    )
    own, (tables, jumps, tape) = _own(job, cells), known
    weights = _weights(job, cells)
    addresses = addresses_of(weights)
    for low, high in fanin.groups(job):
        blocks = fanin.blocks_back(job, high - low)
        wires = fanin.wires_of(job, (addresses, None), blocks, low, high)
        tasks = TasksRole(np.arange(parts), parts, blocks)
        library().run(
            LinearFaninBackward(tasks, sent, wires, tables, jumps, own, tape, found), cells.real
        )
    by_spike = merged_events(job).by_spike(effects.sum(axis=0))
    assert by_spike.size == spike_bases(job)[-1]
    return by_weight, np.zeros(0) if by_delay is None else by_delay, by_spike


def _weights(job: Job, cells: LinearCells) -> Array:
    """In the type of the state."""
    found: Array = job.weights().astype(cells.real, copy=False)
    return found


def _own(job: Job, cells: LinearCells) -> LinearOwnRole:
    stage = job.stage
    state = np.repeat(np.array(states_of(stage), np.int32), np.diff(stage.wiring.row_start))
    return LinearOwnRole(
        state, job.self_weights().astype(cells.real, copy=False), job.self_delays(),
        cells.own_state.astype(np.int32),
    )  # fmt: skip
