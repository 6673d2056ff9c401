"""Spiking layer, or loop that shares its events, on the CPU: host side of the backward pass."""

from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from eventsim.arrays import Floats, aligned, owners
from eventsim.compiled import roles as R
from eventsim.compiled.library import library
from eventsim.compiled.roles_fanin import (
    DenseFaninBackward,
    FaninBackward,
    RangeRole,
    WiresBackRole,
)
from eventsim.engine.contract import table as T
from eventsim.engine.contract.adjoint_series import span_of
from eventsim.engine.contract.bundles import causes
from eventsim.engine.contract.job import Job, StageGradients
from eventsim.engine.contract.piece import Piece
from eventsim.engine.cpu import arrays as A
from eventsim.engine.cpu import fanin
from eventsim.engine.cpu.blocks import by_block, heard_by, of_blocks
from eventsim.engine.cpu.layer import neurons_of
from eventsim.engine.cpu.threads import dealt
from eventsim.engine.cpu.weights import layer_weights
from eventsim.events import SpikeTrains
from eventsim.processors import n_threads

NOTHING_ASKED = R.AskedRole(None, 0, None)


def backward(
    job: Job, trains: SpikeTrains, by_time: Floats, by_voltage: Floats, piece: Piece | None = None
) -> StageGradients:
    run = _backward_shared if job.stage.shares_events else _backward_fanin
    found, through = run(job, trains, by_time, by_voltage, piece)
    return found if piece is None else replace(found, own_times=by_time + through)


def _backward_shared(
    job: Job, trains: SpikeTrains, by_time: Floats, by_voltage: Floats, piece: Piece | None
) -> tuple[StageGradients, Floats]:
    """The gradients, and the field ``through`` of the tape, in the order of the spikes."""
    tape, _ = A.tape_of(job, trains, by_time, by_voltage)
    bounds = A.sample_chunks(job, T.row_weights(job).nbytes)
    adapt = A.adapting_back_of(job, trains, bounds.size - 1, piece)
    carried = A.carried_of(job, piece, adapt)
    events, cause = _in_turn(job, A.since(A.merged_events(job), carried.begin), trains)
    way = R.WayBackRole(bounds, *span_of(job), _asked(job), cause), carried
    tapes = R.TapeRole(trains.offsets, *tape, adapt.before)
    back = together(job, events, neurons_of(job, T.neuron_table(job)), tapes, way, adapt.found)
    return T.layer_gradients(job, back), tape.through


def together(
    job: Job,
    events: A.MergedEvents,
    neurons: R.NeuronsRole,
    tape: R.TapeRole,
    way: tuple[R.WayBackRole, R.CarriedRole],
    adapted: Floats | None = None,
    asked: R.AskedRole = NOTHING_ASKED,
) -> T.FoundBack:
    """Run the kernel on the chunks of ``way``, whose sums are taken apart.

    ``adapted`` gathers what is found by adaptive thresholds. From voltages where they are asked.
    """
    size, chunks, wants_time = neurons.size, way[0].bounds.size - 1, way[0].asked.any()
    heard = job.stage.heard if wants_time else heard_by(job, chunks)
    n_blocks, work = len(heard), np.diff(events.offsets[way[0].bounds])
    by_each = n_blocks if not wants_time and chunks < n_threads() else 1
    weights = by_block(job, T.row_weights(job), n_blocks)
    by_weight = aligned((chunks, *weights.shape), weights.dtype)
    sums, own = np.zeros((chunks, T.N_SUMS, size)), np.zeros((chunks, T.N_OWN, size))
    effects = np.zeros(events.times.size, weights.dtype)
    grazes = np.zeros(chunks * by_each, np.int64)
    merged = (events.offsets, events.times, events.rows)
    back = R.DenseBackward(
        R.TasksRole(dealt(np.repeat(work, by_each)), chunks * by_each, n_blocks),
        R.EventsRole(*merged, job.duration, heard, None, None),
        R.WeightsRole.of(weights),
        neurons,
        tape,
        way[0]._replace(by_block=int(by_each > 1)),
        way[1],
        asked,
        R.FoundRole(by_weight, effects, sums, own, adapted, grazes),
    )  # fmt: skip
    library().run(back, weights.dtype.type)
    by_spike, all_sums = events.by_spike(effects), A.summed_rows(sums, own, adapted)
    return T.FoundBack(by_synapse(job, by_weight), None, by_spike, all_sums, int(grazes.sum()))


def by_synapse(job: Job, by_weight: Floats) -> Floats:
    """Sums over groups of samples, [groups, blocks, rows, neurons], as values of the synapses."""
    rows = of_blocks(by_weight.sum(axis=0, dtype=np.float64), job.stage.population.size)
    found: Floats = T.of_synapses(job, rows[:-1])
    return found


def _in_turn(
    job: Job, events: A.MergedEvents, trains: SpikeTrains
) -> tuple[A.MergedEvents, NDArray[np.int64] | None]:
    """Events as they came, and per event its spike among those of the loop, or -1.

    Of one time, what spikes of that time cause at once comes last, spike by spike: rows of a spike
    in several projections are apart. The second is None where there is no loop.
    """
    if not job.stage.lateral:
        return events, None
    cause: NDArray[np.int64] = causes(job, trains)
    cause = cause if events.spike is None else cause[events.spike]
    if not (events.times[1:] == events.times[:-1]).any():
        return events, cause
    at_once = cause >= 0
    at_once[at_once] = trains.times[cause[at_once]] == events.times[at_once]
    turn = np.where(at_once, cause, -1)
    if not ((np.diff(turn) < 0) & (np.diff(events.times) == 0)).any():
        return events, cause
    order = np.lexsort((turn, events.times, owners(events.offsets, events.times.size)))
    spike = order if events.spike is None else events.spike[order]
    times, rows = events.times[order], events.rows[order]
    return A.MergedEvents(events.n, events.offsets, times, rows, spike), cause[order]


def _asked(job: Job) -> NDArray[np.bool_]:
    """Whether dL/dt of the spikes of a row is asked for; of a loop's own it is."""
    starts = job.stage.wiring.row_start
    asked = np.ones(len(job.sources), bool) if job.asked is None else np.array(job.asked, bool)
    asked[len(job.stage.afferents) :] = True
    return np.repeat(asked, np.diff(starts))


def _backward_fanin(
    job: Job, trains: SpikeTrains, by_time: Floats, by_voltage: Floats, piece: Piece | None
) -> tuple[StageGradients, Floats]:
    """As :func:`_backward_shared`."""
    tape, last = A.tape_of(job, trains, by_time, by_voltage)
    par, real, n_synapses = T.neuron_table(job), T.real_type(job), job.stage.wiring.n_synapses
    size, parts = par.shape[1], fanin.PARTS
    adapt = A.adapting_back_of(job, trains, 1, piece)
    carried = A.carried_of(job, piece, adapt)
    sent, returns = fanin.sent_of(job, carried.begin), fanin.returns_of(job, None)
    n_events = sent.time.size
    by_weight = np.zeros(n_synapses, real)
    by_delay = np.zeros(n_synapses) if job.stage.delays_per_synapse else None
    sums, own = np.zeros((1, T.N_SUMS, size)), np.zeros((1, T.N_OWN, size))
    effects, grazes = np.zeros((parts, n_events), real), np.zeros(parts, np.int64)
    neurons, tapes = neurons_of(job, par), R.TapeRole(trains.offsets, *tape, adapt.before)
    into = WiresBackRole(
        last, by_weight, by_delay, effects, sums, own, adapt.found, grazes, parts, job.n_samples,
        n_events,
    )  # fmt: skip
    if fanin.is_dense(job):
        rows = R.WeightsRole.of(by_block(job, T.row_weights(job), 1))

        def call(low: int, high: int) -> FaninBackward | DenseFaninBackward:
            mine = RangeRole(low, high - low)
            return DenseFaninBackward(
                R.TasksRole(np.arange(parts), parts, parts), sent, rows, mine, neurons, returns,
                tapes, carried, into,
            )  # fmt: skip

    else:
        parts_of, resistance, _held = layer_weights(job)

        def call(low: int, high: int) -> FaninBackward | DenseFaninBackward:
            blocks = fanin.blocks_back(job, high - low)
            wires = fanin.wires_of(job, (parts_of, resistance), blocks, low, high)
            return FaninBackward(
                R.TasksRole(np.arange(parts), parts, blocks), sent, wires, neurons, returns, tapes,
                carried, into,
            )  # fmt: skip

    for low, high in fanin.groups(job):
        library().run(call(low, high), real)
    by_spike = A.merged_events(job).by_spike(effects.sum(axis=0, dtype=np.float64))
    found = T.FoundBack(
        by_weight, by_delay, by_spike,
        A.summed_rows(sums, own, adapt.found), int(grazes.sum()),
    )  # fmt: skip
    return T.layer_gradients(job, found), tape.through
