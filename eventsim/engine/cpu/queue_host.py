"""Stage with a loop on the CPU, host side."""

from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from eventsim.arrays import Floats
from eventsim.compiled import roles as R
from eventsim.compiled import roles_loop as RL
from eventsim.compiled.library import library
from eventsim.engine.algorithm import (
    Algorithm,
    algorithm_by_windows,
    algorithm_of,
    least_delay,
)
from eventsim.engine.contract import loop_state
from eventsim.engine.contract import table as T
from eventsim.engine.contract.bundles import (
    Arriving,
    Loop,
    all_arrivals,
    make_bundles,
    make_loop,
    outside_arrivals,
)
from eventsim.engine.contract.job import Job, StageGradients
from eventsim.engine.contract.piece import Piece
from eventsim.engine.contract.windowing import Windows, met_in_window, windows_of
from eventsim.engine.cpu import arrays as A
from eventsim.engine.cpu import layer_adjoint
from eventsim.engine.cpu.blocks import by_block
from eventsim.engine.cpu.flights import (
    Tiles,
    collect,
    flights_of,
    longest_flights,
    mean_delay,
    sums_for,
    tiles_of,
    under_way,
)
from eventsim.engine.cpu.layer import neurons_of, run_tasks
from eventsim.engine.cpu.weights import synapse_weights
from eventsim.engine.cpu.window_host import (
    NO_BORDER,
    SumsRun,
    basis_of,
    bounds_of_parts,
    parts_for,
    rows_of,
    series_of,
)
from eventsim.events import SpikeTrains
from eventsim.events.tape import Adapted
from eventsim.processors import n_threads

# Windows of the way back in the mean delay of synapses with delays of their own: few neurons fire
# in one, and a spike hands over many synapses at once. Of 1 to 32, 2 to 8 took the least time.
WINDOWS_A_DELAY = 4


def forward(job: Job) -> SpikeTrains:
    return _run(job, prepare(job))


def resume(job: Job, state: loop_state.LoopState) -> tuple[SpikeTrains, loop_state.LoopState]:
    prepared = prepare(job, state)
    trains = _run(job, prepared)
    by_windows = algorithm_of(job.stage).by_windows
    return loop_state.after(
        job, prepared.loop, state, prepared.arrivals, trains, prepared.stop,
        stand=prepared.stop.border if by_windows else job.duration, adapted=prepared.adapted,
        longest=longest_flights(job),
    )  # fmt: skip


def _run(job: Job, prepared: "Prepared") -> SpikeTrains:
    run = by_windows if algorithm_of(job.stage).by_windows else by_queue
    return run(job, prepared)


@dataclass(frozen=True, eq=False)
class Prepared:
    """Arguments of a loop's kernels: known arrivals, synapses, parameters.

    The loop's own synapses with delays of their own are in no bundle of ``loop``; what is
    ``under_way`` to them are spikes. The neurons stand as in ``begin``; where they stand at the end
    goes to ``stop``. ``span`` is what is run of every sample, ms. ``weights`` must outlive the
    loop, which has their addresses. Adaptations at the begin and at the end are None where no
    threshold is adaptive.
    """

    arrivals: Arriving
    loop: Loop
    under_way: RL.UnderWayRole
    weights: tuple[NDArray[Any], ...]
    par: NDArray[np.floating[Any]]
    begin: loop_state.LoopStop
    stop: loop_state.LoopStop
    span: Floats
    adapted_begin: Adapted | None
    adapted: Adapted | None


def prepare(job: Job, state: loop_state.LoopState | None = None) -> Prepared:
    """From a job to arrays; None is the state at time zero."""
    bundles, (loop, weights) = make_bundles(job, lateral=False), _loop_of(job)
    if state is None:
        state, arrivals = loop_state.start_loop(job), outside_arrivals(job, bundles)
    else:
        arrivals = loop_state.arrivals_since(job, bundles, loop, state)
    stand = state.stop.border if algorithm_of(job.stage).by_windows else state.begin
    return Prepared(
        arrivals,
        loop,
        under_way(state.sent, stand),
        weights,
        T.neuron_table(job),
        state.stop,
        loop_state.copied(state.stop),
        job.duration - state.begin,
        state.adapted,
        None if state.adapted is None else Adapted(*(a.copy() for a in state.adapted)),
    )


def _loop_of(job: Job, *, flights: bool = False) -> tuple[Loop, tuple[NDArray[Any], ...]]:
    """The loop with arrays of the types that the kernels are compiled for, and its weights.

    Synapses with delays of their own are in no bundle: :mod:`eventsim.engine.cpu.flights`. Their
    weights and targets are among the loop's only with ``flights``; tiles have them as well.
    """

    def make() -> tuple[Loop, tuple[NDArray[Any], ...]]:
        bundles = make_bundles(job, lateral=False)
        addresses, weights = synapse_weights(job, flights=flights)
        loop = make_loop(job, bundles, addresses, lateral=False, flights=flights)
        own_weight = loop.own_weight.astype(T.real_type(job))
        return loop._replace(own_weight=own_weight), weights

    return job.stage.once((_loop_of, job.precision, flights), make, kept=job.stage.memo.pieces)


def by_queue(job: Job, prepared: Prepared) -> SpikeTrains:
    """Every sample by its queue of events."""
    loop, weights = _loop_of(job, flights=True)
    p = replace(prepared, loop=loop, weights=weights)
    (fed, neurons, stands), flights = _roles(job, p), flights_of(job)

    def run(todo: A.Index, places: R.SpikesRole) -> None:
        tasks = R.TasksRole(todo, todo.size, 1)
        call = RL.QueueForward(tasks, *fed, flights, p.under_way, neurons, *stands, places)
        library().run(call, T.real_type(job))

    return run_tasks(job, 1, run, p.span)


def _roles(
    job: Job, p: Prepared
) -> tuple[
    tuple[RL.ArrivingRole, RL.LoopRole],
    R.NeuronsRole,
    tuple[RL.LoopStopRole, RL.LoopStopRole],
]:
    """Roles of all kernels of loops: arrivals, loop, neurons, their states before and behind."""
    fed = RL.ArrivingRole(*p.arrivals, job.duration), _loop_role(p.loop)
    nothing = None, None
    begin = RL.LoopStopRole(*p.begin, *(p.adapted_begin or nothing))
    return fed, neurons_of(job, p.par), (begin, RL.LoopStopRole(*p.stop, *(p.adapted or nothing)))


def _loop_role(loop: Loop) -> RL.LoopRole:
    return RL.LoopRole(*loop, loop.weight.shape[1] - 1)


def by_windows(
    job: Job, prepared: Prepared, windows: Windows | None = None, parts: int | None = None
) -> SpikeTrains:
    """Every sample by windows, None: of the least delay; neurons in parts that run side by side.

    By itself it makes several parts where there are fewer samples than threads and a window has
    enough to do.
    """
    if algorithm_by_windows(job.stage) is Algorithm.LOOP_STRETCHES:
        length = least_delay(job.stage) if windows is None else windows.length
        return _by_stretches(job, prepared, length)
    windows = windows or windows_of(job)
    assert windows is not None  # _run asks first whether the loop goes by windows
    p, size = prepared, prepared.par.shape[1]
    if parts is None:
        met = met_in_window(p.span, p.arrivals, windows.length)
        parts = parts_for(met, size, n_threads() if job.n_samples < n_threads() else 1)
    cut = RL.WindowsRole(windows.length, NO_BORDER, windows.pieces)
    fed, neurons, stands = _roles(job, p)
    bounds, real = bounds_of_parts(size, parts), T.real_type(job)
    with tiles_of(job, bounds) as tiles:
        sums = SumsRun(
            *fed, tiles.role, series_of(windows, real), p.under_way, neurons, cut,
            basis_of(windows), *stands, bounds,
        )  # fmt: skip
        return run_tasks(job, parts, sums.run, p.span, apart=parts == 1)


def _by_stretches(job: Job, p: Prepared, length: float) -> SpikeTrains:
    """Every sample by windows of ``length`` ms of neurons that share their events."""
    cut, (fed, neurons, stands) = RL.WindowsRole(length, NO_BORDER, 1), _roles(job, p)
    weights, rows = _shared_weights(job), rows_of(job)

    def run(todo: A.Index, places: R.SpikesRole) -> None:
        call = RL.LoopStretches(
            R.TasksRole(todo, todo.size, 1), *fed, neurons, cut, weights, rows, *stands, places
        )
        library().run(call, T.real_type(job))

    return run_tasks(job, 1, run, p.span)


def _shared_weights(job: Job) -> R.WeightsRole:
    """Weights of neurons that share their events, by row, for whole vectors."""
    return job.stage.once(
        (_shared_weights, job.precision),
        lambda: R.WeightsRole.of(by_block(job, T.row_weights(job), 1)),
        kept=job.stage.memo.pieces,
    )


def backward(
    job: Job, trains: SpikeTrains, by_time: Floats, by_voltage: Floats, piece: Piece | None = None
) -> StageGradients:
    if job.stage.shares_events:
        return layer_adjoint.backward(job, trains, by_time, by_voltage, piece)
    with tiles_of(job, np.array([0, trains.size])) as tiles:
        return _backward(job, trains, by_time, by_voltage, piece, tiles)


def _backward(
    job: Job,
    trains: SpikeTrains,
    by_time: Floats,
    by_voltage: Floats,
    piece: Piece | None,
    tiles: Tiles,
) -> StageGradients:
    """As :func:`backward`, of neurons that do not share their events."""
    tape, last = A.tape_of(job, trains, by_time, by_voltage)
    bundles, par, size = make_bundles(job, lateral=False), T.neuron_table(job), trains.size
    loop, _held = _loop_of(job)  # the loop has addresses of what is held here
    n_synapses, real = job.stage.wiring.n_synapses, par.dtype.type
    bounds = A.sample_chunks(job, n_synapses * par.itemsize)
    chunks = bounds.size - 1
    weight = np.zeros((chunks, n_synapses), real)
    delay = np.zeros((chunks, n_synapses)) if job.stage.delays_per_synapse else None
    sums, own = np.zeros((chunks, T.N_SUMS, size)), np.zeros((chunks, T.N_OWN, size))
    effects, grazes = np.zeros(T.spike_bases(job)[-1], real), np.zeros(chunks, np.int64)
    adapt = A.adapting_back_of(job, trains, chunks, piece)
    flown = sums_for(tiles.role, real, chunks)
    arriving = all_arrivals(job, bundles, trains, None if piece is None else piece.begin)
    call = RL.QueueBackward(
        R.TasksRole.all(chunks),
        RL.ArrivingRole(*arriving, job.duration),
        _loop_role(loop),
        tiles.role,
        neurons_of(job, par),
        R.TapeRole(trains.offsets, *tape, adapt.before),
        RL.LoopBackRole(bounds, last, delay, n_synapses, mean_delay(job) / WINDOWS_A_DELAY),
        A.carried_of(job, piece, adapt),
        flown,
        R.FoundRole(weight, effects, sums, own, adapt.found, grazes),
    )  # fmt: skip
    library().run(call, real)
    if delay is not None:
        collect(job, tiles, flown, RL.SynapseSumsRole(weight[0], delay[0]))
    del flown, call  # before others as large are made
    by_delay, by_spike = delay if delay is None else A.summed(delay), effects.astype(np.float64)
    rows = A.summed_rows(sums, own, adapt.found)
    by_drive = weight[0] if chunks == 1 else A.summed(weight)
    back = T.FoundBack(by_drive, by_delay, by_spike, rows, int(grazes.sum()))
    found = T.layer_gradients(job, back)
    return found if piece is None else replace(found, own_times=tape.by_time + tape.through)
