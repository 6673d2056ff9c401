"""A stage of linear neurons on the CPU, host side: a layer, or populations joined in loops.

Neurons that meet the same events go side by side, by the tables of
:mod:`~eventsim.engine.cpu.linear_lanes`, those of a loop by windows; others event by event, neuron
by neuron where no spike comes back later: :mod:`~eventsim.engine.cpu.linear_fanin`. Which type the
state has says :func:`~eventsim.engine.contract.linear.linear_type`.
"""

from collections.abc import Callable
from dataclasses import replace
from functools import partial

import numpy as np

from eventsim.arrays import Floats, aligned, owners
from eventsim.compiled.library import library
from eventsim.compiled.roles import EventsRole, SpikesRole, TasksRole
from eventsim.compiled.roles_linear import (
    LinearBackward,
    LinearCarriedRole,
    LinearForward,
    LinearFoundRole,
    LinearJumpsRole,
    LinearLayerBackward,
    LinearLayerForward,
    LinearLayerFoundRole,
    LinearLoopForward,
    LinearStopRole,
    LinearTablesRole,
    LinearTapeRole,
    LinearWiresRole,
)
from eventsim.compiled.roles_loop import ArrivingRole
from eventsim.engine.contract.bundles import (
    Arriving,
    Bundles,
    all_arrivals,
    causes,
    make_bundles,
    outside_arrivals,
)
from eventsim.engine.contract.job import Job, StageGradients
from eventsim.engine.contract.linear import (
    NOWHERE,
    LinearCells,
    LinearPiece,
    LinearStop,
    by_sums,
    linear_piece,
    loop_of,
    side_by_side,
    start_linear,
    typed_back,
    typed_cells,
    width_of_sums,
)
from eventsim.engine.contract.loop_state import LoopState, after, arrivals_since
from eventsim.engine.contract.table import spike_bases, stage_gradients
from eventsim.engine.cpu import linear_fanin
from eventsim.engine.cpu.arrays import (
    Index,
    MergedEvents,
    merged_events,
    sample_chunks,
    summed,
)
from eventsim.engine.cpu.fanin import PARTS
from eventsim.engine.cpu.layer import run_tasks
from eventsim.engine.cpu.linear_fanin import by_own_lists
from eventsim.engine.cpu.linear_lanes import (
    goes_far,
    lanes_back_of,
    lanes_of,
    of_blocks,
    weights_of,
)
from eventsim.engine.cpu.window_host import rows_of
from eventsim.events import SpikeTrains
from eventsim.neuron.linear_tables import BackTables


def forward(job: Job) -> SpikeTrains:
    """Spikes of the stage; without currents (NaN)."""
    lateral, started = bool(job.stage.lateral), job.start is not None
    if side_by_side(job) and not (lateral or started):
        return _forward_layer(job, typed_cells(job), make_bundles(job))
    if by_own_lists(job) and not started:
        cells = typed_cells(job)
        return linear_fanin.forward(job, cells, _tables(cells), _jumps(cells))
    bundles = make_bundles(job)
    arriving = outside_arrivals(job, bundles)
    # Nobody asks how the neurons stand then.
    begin = start_linear(job).stop if started else NOWHERE
    if lateral and side_by_side(job):
        return _by_windows(job, bundles, arriving, (begin, NOWHERE, NOWHERE), job.duration)
    return _by_events(job, bundles, arriving, (begin, NOWHERE), job.duration)


def resume(job: Job, state: LoopState) -> tuple[SpikeTrains, LoopState]:
    """A piece of a stream, of a layer event by event: its spikes, and the state to go on from."""
    bundles = make_bundles(job)
    loop = loop_of(job, bundles)
    arriving = arrivals_since(job, bundles, loop, state)
    stop = LinearStop(*(values.copy() for values in state.stop))
    span = job.duration - state.begin
    if not (job.stage.lateral and side_by_side(job)):
        trains = _by_events(job, bundles, arriving, (state.stop, stop), span)
        return after(job, loop, state, arriving, trains, stop, stand=job.duration)
    left = LinearStop(*(values.copy() for values in state.stop))
    trains = _by_windows(job, bundles, arriving, (state.stop, stop, left), span)
    stand = stop.time[:, 0]
    return after(job, loop, state, arriving, trains, stop, stand=stand, left=left)


def _by_events(
    job: Job,
    bundles: Bundles,
    arriving: Arriving,
    stands: tuple[LinearStop, LinearStop],
    span: Floats,
) -> SpikeTrains:
    """Spikes of ``span`` ms by sample; how the neurons stand before, and after: it is written."""
    cells, (begin, stop) = typed_cells(job), stands
    fed = (
        ArrivingRole(*arriving, job.duration), _tables(cells), _jumps(cells),
        _wires(job, cells, bundles), LinearStopRole(*begin), LinearStopRole(*stop),
    )  # fmt: skip

    def run(todo: Index, places: SpikesRole) -> None:
        library().run(LinearForward(TasksRole(todo, todo.size, 1), *fed, places), cells.real)

    return run_tasks(job, 1, run, span)


def _by_windows(
    job: Job,
    bundles: Bundles,
    arriving: Arriving,
    stands: tuple[LinearStop, LinearStop, LinearStop],
    span: Floats,
) -> SpikeTrains:
    """As :func:`_by_events`, by windows; the last is how the neurons stand at the end."""
    cells, (begin, stop, left) = typed_cells(job), stands
    fed = (
        ArrivingRole(*arriving, job.duration), weights_of(job, cells.real), rows_of(job),
        lanes_of(job, cells), _tables(cells), _jumps(cells), _wires(job, cells, bundles),
        LinearStopRole(*begin), LinearStopRole(*stop), LinearStopRole(*left),
    )  # fmt: skip

    def run(todo: Index, places: SpikesRole) -> None:
        library().run(LinearLoopForward(TasksRole(todo, todo.size, 1), *fed, places), cells.real)

    return run_tasks(job, 1, run, span)


def _forward_layer(job: Job, cells: LinearCells, bundles: Bundles) -> SpikeTrains:
    """As :func:`forward`, side by side."""
    fed = (
        _events(job, merged_events(job)), weights_of(job, cells.real), lanes_of(job, cells),
        _tables(cells), _jumps(cells), _wires(job, cells, bundles),
    )  # fmt: skip

    def run(todo: Index, places: SpikesRole) -> None:
        library().run(LinearLayerForward(TasksRole(todo, todo.size, 1), *fed, places), cells.real)

    return run_tasks(job, 1, run)


def _events(job: Job, merged: MergedEvents) -> EventsRole:
    return EventsRole(
        merged.offsets, merged.times, merged.rows, job.duration, job.stage.heard, None, None
    )


def backward(
    job: Job,
    trains: SpikeTrains,
    by_time: Floats,
    by_voltage: Floats,
    piece: LinearPiece | None = None,
) -> StageGradients:
    """Gradients of the stage from dL/dt of its spikes and dL/dV just before them."""
    cells = typed_cells(job)
    way: Callable[..., tuple[Floats, Floats, Floats]] = _backward_own
    if piece is None and side_by_side(job):
        way = partial(_backward_layer, trains=trains)
    elif piece is not None or not by_own_lists(job):
        way = partial(_backward_each, trains=trains, piece=piece)
    n_synapses, n = job.stage.wiring.n_synapses, cells.n
    width = width_of_sums(n)
    bounds = sample_chunks(job, 8 * (n_synapses + cells.size * width))
    if way is _backward_own:
        bounds = np.array([0, job.n_samples])  # its tasks are parts of the neurons
    chunks = bounds.size - 1
    tape = LinearTapeRole(
        bounds, trains.offsets, trains.times, trains.neurons, by_time, by_voltage,
        np.zeros(len(trains)),
    )  # fmt: skip
    sums, grazes = np.zeros((chunks, cells.size, width)), np.zeros(max(chunks, PARTS), np.int64)
    weights, delays, effects = way(job, cells, tape, sums, grazes)
    parameters, own = by_sums(job, summed(sums), n)
    found = stage_gradients(
        job, parameters, weights=weights, delays=delays, effects=effects, own=own,
        grazes=int(grazes.sum()),
    )  # fmt: skip
    return found if piece is None else replace(found, own_times=by_time + tape.through)


def _backward_own(
    job: Job, cells: LinearCells, tape: LinearTapeRole, sums: Floats, grazes: Index
) -> tuple[Floats, Floats, Floats]:
    """As :func:`_backward_layer`, by the own list of every neuron."""
    known = _tables(cells, typed_back(job)), _jumps(cells), tape
    return linear_fanin.backward(job, cells, known, sums, grazes)


def _backward_layer(
    job: Job,
    cells: LinearCells,
    tape: LinearTapeRole,
    sums: Floats,
    grazes: Index,
    *,
    trains: SpikeTrains,
) -> tuple[Floats, Floats, Floats]:
    """Gradients by weight, delay and time of all spikes; those by matrices go into ``sums``."""
    bundles, merged, chunks = make_bundles(job), merged_events(job), len(sums)
    weights = weights_of(job, cells.real)
    tables = _tables(cells, typed_back(job, far=goes_far(merged, job.duration, cells)))
    assert tables.beta is not None
    by_weight = aligned((chunks, *weights.values.shape), cells.real)
    effects = np.zeros(merged.times.size)
    lateral = bool(job.stage.lateral)
    asked, cause = lateral or job.asked is None or any(job.asked), None
    if lateral:
        cause = causes(job, trains)
        cause = cause if merged.spike is None else cause[merged.spike]
    back = LinearLayerBackward(
        TasksRole.all(chunks), _events(job, merged), weights, lanes_of(job, cells),
        lanes_back_of(cells, tables.beta), tables, _jumps(cells), _wires(job, cells, bundles), tape,
        LinearLayerFoundRole(by_weight, effects if asked else None, sums, grazes, cause),
    )  # fmt: skip
    library().run(back, cells.real)
    return of_blocks(job, summed(by_weight)), np.zeros(0), merged.by_spike(effects)


def _backward_each(
    job: Job,
    cells: LinearCells,
    tape: LinearTapeRole,
    sums: Floats,
    grazes: Index,
    *,
    trains: SpikeTrains,
    piece: LinearPiece | None,
) -> tuple[Floats, Floats, Floats]:
    """As :func:`_backward_layer`, event by event; over a piece, or whole samples."""
    bundles = make_bundles(job)
    begin = None if piece is None else piece.begin
    piece = linear_piece(job, np.zeros(job.n_samples)) if piece is None else piece
    chunks, n_synapses = len(sums), job.stage.wiring.n_synapses
    found = LinearFoundRole(
        np.zeros((chunks, n_synapses)),
        np.zeros((chunks, n_synapses)) if job.stage.delays_per_synapse else None,
        np.zeros(int(spike_bases(job)[-1])),
        sums,
        grazes,
        n_synapses,
    )
    library().run(
        LinearBackward(
            TasksRole.all(chunks),
            ArrivingRole(*all_arrivals(job, bundles, trains, begin), job.duration),
            _tables(cells, typed_back(job)),
            _jumps(cells),
            _wires(job, cells, bundles),
            LinearStopRole(*piece.stand),
            LinearCarriedRole(
                piece.adjoint,
                piece.begin,
                _holding(trains, piece),
                int(piece.starts),
                int(side_by_side(job) and bool(job.stage.lateral)),
            ),
            tape,
            found,
        ),
        cells.real,
    )
    delays = np.zeros(0) if found.delay is None else summed(found.delay)
    return summed(found.weight), delays, found.effects


def _holding(trains: SpikeTrains, piece: LinearPiece) -> Index:
    """The last spike of every neuron before the begin of a piece, [samples, size]; 0 of others."""
    found, sample = np.zeros(piece.adjoint.shape[:2], np.int64), owners(trains.offsets, len(trains))
    early = np.flatnonzero(trains.times < piece.begin[sample])
    found[sample[early], trains.neurons[early]] = early
    return found


def _tables(cells: LinearCells, back: BackTables | None = None) -> LinearTablesRole:
    t, sizes = cells.tables, (cells.size, cells.n, cells.tables.powers.shape[1])
    beta, products = back or (None, None)
    return LinearTablesRole(
        t.flow, t.alpha, t.powers, t.bounds, t.piece, beta, products, *sizes
    )  # fmt: skip


def _jumps(cells: LinearCells) -> LinearJumpsRole:
    m = cells.matrices
    return LinearJumpsRole(m.keep, m.jump, m.level, cells.alert, m.hold, cells.start)


def _wires(job: Job, cells: LinearCells, bundles: Bundles) -> LinearWiresRole:
    """As the kernels take them, once for all passes of a step and all pieces of a run."""
    return job.stage.once(
        (_wires, cells.real),
        lambda: _new_wires(job, cells, bundles),
        kept=job.stage.memo.again,
    )


def _new_wires(job: Job, cells: LinearCells, bundles: Bundles) -> LinearWiresRole:
    loop = loop_of(job, bundles)
    ordered = bool(job.stage.lateral) or bool((loop.own_delay > 0.0).any())
    return LinearWiresRole(
        loop.start,
        loop.first,
        loop.last,
        loop.delay,
        loop.target,
        loop.weight.astype(cells.real, copy=False),
        cells.synapse_state.astype(np.int32),
        loop.own_weight.astype(cells.real, copy=False),
        loop.own_delay,
        cells.own_state.astype(np.int32),
        int(ordered),
    )
