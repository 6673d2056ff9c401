"""A stage of linear neurons on the CPU, host side: a layer, or populations joined in loops.

The state is of double precision, whatever that of the run.
"""

import numpy as np

from eventsim.arrays import Floats
from eventsim.engine.contract.bundles import (
    Bundles,
    all_arrivals,
    make_bundles,
    make_loop,
    outside_arrivals,
)
from eventsim.engine.contract.job import Job, StageGradients
from eventsim.engine.contract.linear import (
    ByMatrices,
    LinearCells,
    linear_back,
    linear_cells,
    linear_gradients,
)
from eventsim.engine.contract.table import spike_bases, split_effects
from eventsim.engine.cpu.arrays import Index, sample_chunks, summed
from eventsim.engine.cpu.layer import run_tasks
from eventsim.engine.cpu.library import library
from eventsim.engine.cpu.roles import SpikesRole, TasksRole
from eventsim.engine.cpu.roles_linear import (
    LinearBackward,
    LinearForward,
    LinearFoundRole,
    LinearJumpsRole,
    LinearTablesRole,
    LinearTapeRole,
    LinearWiresRole,
)
from eventsim.engine.cpu.roles_loop import ArrivingRole
from eventsim.events import SpikeTrains


def forward(job: Job) -> SpikeTrains:
    """Spikes of the stage; without currents (NaN)."""
    cells, bundles = linear_cells(job), make_bundles(job)
    arriving = ArrivingRole(*outside_arrivals(job, bundles), job.duration)
    fed = arriving, _tables(job, cells), _jumps(cells), _wires(job, cells, bundles)

    def run(todo: Index, places: SpikesRole) -> None:
        library().run(LinearForward(TasksRole(todo, todo.size, 1), *fed, places))

    return run_tasks(job, 1, run)


def backward(job: Job, trains: SpikeTrains, by_time: Floats, by_voltage: Floats) -> StageGradients:
    """Gradients of the stage from dL/dt of its spikes and dL/dV just before them."""
    cells, bundles = linear_cells(job), make_bundles(job)
    n, size, n_synapses = cells.n, cells.size, job.stage.wiring.target.size
    width = 2 * n * n + n + 4
    bounds = sample_chunks(job, 8 * (n_synapses + size * width))
    chunks = bounds.size - 1
    through = np.zeros(len(trains))
    tape = LinearTapeRole(
        bounds, trains.offsets, trains.times, trains.neurons, by_time, by_voltage, through
    )
    apart = job.stage.delays_per_synapse
    found = LinearFoundRole(
        np.zeros((chunks, n_synapses)),
        np.zeros((chunks, n_synapses)) if apart else None,
        np.zeros(int(spike_bases(job)[-1])),
        np.zeros((chunks, size, width)),
        np.zeros(chunks, np.int64),
        n_synapses,
    )
    library().run(
        LinearBackward(
            TasksRole.all(chunks),
            ArrivingRole(*all_arrivals(job, bundles, trains), job.duration),
            _tables(job, cells, back=True),
            _jumps(cells),
            _wires(job, cells, bundles),
            tape,
            found,
        )
    )
    sums = np.split(summed(found.sums), np.cumsum([n * n, n * n, n, 1, 1, 1]), axis=1)
    flow, keep, jump, *single = sums
    level, hold, own_weight, own_delay = (one[:, 0] for one in single)
    square = (size, n, n)
    return linear_gradients(
        job,
        ByMatrices(flow.reshape(square), keep.reshape(square), jump, level, hold),
        weights=summed(found.weight),
        delays=np.zeros(0) if found.delay is None else summed(found.delay),
        self_weights=own_weight.copy(),
        self_delays=own_delay.copy(),
        source_times=split_effects(job, found.effects),
        grazes=int(found.grazes.sum()),
    )


def _tables(job: Job, cells: LinearCells, *, back: bool = False) -> LinearTablesRole:
    t, sizes = cells.tables, (cells.size, cells.n, cells.tables.powers.shape[1])
    beta, products = linear_back(job) if back else (None, None)
    return LinearTablesRole(
        t.flow, t.alpha, t.powers, t.bounds, t.piece, beta, products, *sizes
    )  # fmt: skip


def _jumps(cells: LinearCells) -> LinearJumpsRole:
    m = cells.matrices
    return LinearJumpsRole(m.keep, m.jump, m.level, cells.alert, m.hold, cells.start)


def _wires(job: Job, cells: LinearCells, bundles: Bundles) -> LinearWiresRole:
    loop = make_loop(job, bundles, job.weights())
    ordered = bool(job.stage.lateral) or bool((loop.own_delay > 0.0).any())
    return LinearWiresRole(
        loop.start,
        loop.first,
        loop.last,
        loop.delay,
        loop.target,
        loop.weight,
        cells.synapse_state.astype(np.int32),
        loop.own_weight,
        loop.own_delay,
        cells.own_state.astype(np.int32),
        int(ordered),
    )
