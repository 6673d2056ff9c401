"""LIF populations joined in loops, forward and backward.

Every neuron walks as in :mod:`eventsim.engine.reference.layer`, but only to the earliest event of
all, over and over: :mod:`eventsim.engine.reference.walk`.
"""

from bisect import insort

import numpy as np

from eventsim.arrays import Floats
from eventsim.engine.contract.bundles import make_bundles, make_loop
from eventsim.engine.contract.job import Job, StageGradients
from eventsim.engine.contract.loop_state import (
    LoopState,
    LoopStop,
    after,
    arrivals_since,
    copied,
    start_loop,
)
from eventsim.engine.contract.piece import Piece
from eventsim.engine.contract.state import LayerState, Stop
from eventsim.engine.reference import layer
from eventsim.engine.reference.back import go_back, numbers_of
from eventsim.engine.reference.layer_adjoint import Back, gradients, new_sums, voltages_given
from eventsim.engine.reference.walk import Log, caused, run_together
from eventsim.events import SpikeTrains
from eventsim.events.tape import Adapted


def forward(job: Job) -> SpikeTrains:
    state = start_loop(job)
    return _advance(job, state, copied(state.stop))[0]


def resume(job: Job, state: LoopState) -> tuple[SpikeTrains, LoopState]:
    stop, bundles = copied(state.stop), make_bundles(job)
    loop = make_loop(job, bundles, job.weights())
    arrivals = arrivals_since(job, bundles, loop, state)
    trains, adapted = _advance(job, state, stop)
    return after(job, loop, state, arrivals, trains, stop, stand=job.duration, adapted=adapted)


def _advance(job: Job, state: LoopState, stop: LoopStop) -> tuple[SpikeTrains, Adapted | None]:
    """Spikes from the state on, and the adaptation behind the last events.

    Where the neurons stand then is written to ``stop``.
    """
    offsets, rows = [0], []
    adapted = state.adapted and Adapted(*(values.copy() for values in state.adapted))
    for sample in range(job.n_samples):
        log, walkers = run_sample(job, sample, state)
        for neuron, walker in enumerate(walkers):
            rows += layer.table_of_spikes((step for n, step in log if n == neuron), neuron)
            stands = (*walker.stop, walker.since, walker.recent)
            for into, numbers in ((stop, stands), (adapted or (), (walker.a, walker.fired))):
                for values, value in zip(into, numbers, strict=False):
                    values[sample, neuron] = value
        rows[offsets[-1] :] = sorted(rows[offsets[-1] :])
        offsets.append(len(rows))
    return layer.trains_of(rows, offsets, job.stage.population.size), adapted


def run_sample(job: Job, sample: int, state: LoopState) -> tuple[Log, list[layer.Walk]]:
    """The steps of all neurons, in turn, and the neurons at the end."""
    start, walkers = _as_layer(job, state), []
    for neuron, p in enumerate(layer.neurons(job)):
        walkers.append(layer.Walk(job, p, start, sample, neuron))
        walkers[-1].since = float(state.stop.since[sample, neuron])
        walkers[-1].recent = int(state.stop.recent[sample, neuron])
    low, high = state.sent.offsets[sample : sample + 2]
    for time, neuron in zip(state.sent.times[low:high], state.sent.neurons[low:high], strict=True):
        for target, arrival in caused(job, int(neuron), float(time), layer.EARLIER):
            if state.begin[sample] <= arrival.time < job.duration[sample]:
                insort(walkers[target].arrivals, arrival)
    return list(run_together(job, sample, walkers, range(len(walkers)))), walkers


def _as_layer(job: Job, state: LoopState) -> LayerState:
    """The state with the spikes that return to their own neuron at its begin or later."""
    sent, n = state.sent, job.n_samples * state.sent.size
    returning = sent.times + job.self_delays()[sent.neurons] >= state.begin[sent.sample]
    returning &= job.self_delays()[sent.neurons] > 0.0
    pair = (sent.sample * sent.size + sent.neurons)[returning]
    order = np.argsort(pair, kind="stable")
    first = np.concatenate([[0], np.cumsum(np.bincount(pair, minlength=n))]).astype(np.int64)
    return LayerState(
        state.begin, Stop(*state.stop[:4]), sent.times[returning][order], first,
        adapted=state.adapted,
    )  # fmt: skip


def backward(
    job: Job, trains: SpikeTrains, by_time: Floats, by_voltage: Floats, piece: Piece | None = None
) -> StageGradients:
    sums, start, by_time = new_sums(job), start_loop(job), by_time.copy()
    given = voltages_given(job)
    for sample in range(job.n_samples):
        spikes = zip(layer.neurons(job), numbers_of(trains, sample), strict=True)
        turns = [Back(p, n, sums, mine, given[n]) for n, (p, mine) in enumerate(spikes)]
        go_back(job, sample, run_sample(job, sample, start)[0], turns, by_time, by_voltage)
        for turn in turns:
            turn.finish()
    return gradients(job, sums)
