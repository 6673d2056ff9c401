"""Populations joined in loops, forward and backward.

Forward, every neuron walks as in :mod:`eventsim.engine.reference.layer`, but only to the earliest
event of all, over and over. Of one time, arrivals, returns and restarts come before crossings, and
lower neurons before higher ones; what a spike sends out joins the arrivals of its targets.

Backward, the same steps are read from their end. A spike waits for all that it caused: neurons take
turns, and each goes back until it meets a spike of which some arrival has not been met yet.

A neuron of a loop runs away if it fires too often within a ms: between two of its arrivals it may
fire but once, where neurons that excite each other go on for ever.
"""

from bisect import insort
from collections import Counter, deque
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from eventsim.arrays import Floats
from eventsim.engine.contract.bundles import make_bundles, make_loop
from eventsim.engine.contract.job import RUNAWAY_PER_MS, Job, StageGradients
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
from eventsim.engine.reference.gather import Arrival, gather
from eventsim.engine.reference.layer_adjoint import Back, gradients, new_sums, whole_only
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
    return after(job, loop, state, arrivals, trains, stop, by_windows=False, adapted=adapted)


def _advance(job: Job, state: LoopState, stop: LoopStop) -> tuple[SpikeTrains, Adapted | None]:
    """All spikes from the state on, and the adaptation then.

    Where the neurons stand then is written to ``stop``.
    """
    offsets, rows = [0], []
    adapted = state.adapted and Adapted(*(values.copy() for values in state.adapted))
    for sample in range(job.n_samples):
        found, walkers = run_sample(job, sample, state, stop)
        for neuron, (steps, walker) in enumerate(zip(found, walkers, strict=True)):
            rows += layer.table_of_spikes(steps, neuron)
            for values, value in zip(adapted or (), (walker.a, walker.since), strict=False):
                values[sample, neuron] = value
        rows[offsets[-1] :] = sorted(rows[offsets[-1] :])
        offsets.append(len(rows))
    return layer.trains_of(rows, offsets, job.stage.population.size), adapted


def run_sample(
    job: Job, sample: int, state: LoopState, stop: LoopStop
) -> tuple[list[list[layer.Step]], list[layer.Walk]]:
    """The steps of every neuron, and the neurons at the end."""
    duration, begin = float(job.duration[sample]), float(state.begin[sample])
    walkers, recent, steps = [], [], []
    start = _as_layer(job, state)
    for neuron, p in enumerate(layer.neurons(job)):
        walkers.append(layer.Walk(p, duration, deque(gather(job, sample, neuron))))
        walkers[-1].go_on(start, sample, neuron)
        since, count = state.stop.since[sample, neuron], state.stop.recent[sample, neuron]
        recent.append(_Recent(float(since), int(count)))
        steps.append(list[layer.Step]())
    low, high = state.sent.offsets[sample : sample + 2]
    for time, neuron in zip(state.sent.times[low:high], state.sent.neurons[low:high], strict=True):
        for target, arrival in caused(job, int(neuron), float(time), layer.EARLIER):
            if begin <= arrival.time < duration:
                insort(walkers[target].arrivals, arrival)
    dues = [walker.due() for walker in walkers]
    while True:
        first = min(range(len(walkers)), key=lambda n: (*dues[n], n), default=None)
        if first is None or dues[first][0] >= duration:
            break
        changed = {first}
        for step in walkers[first].step():
            steps[first].append(step)
            if isinstance(step, layer.Spike):
                if recent[first].too_many(step.time):
                    raise layer.runaway(job, sample, first, step.time)
                ordinal = walkers[first].n_spikes
                for target, arrival in caused(job, first, step.time, ordinal):
                    if arrival.time < duration:
                        insort(walkers[target].arrivals, arrival)
                        changed.add(target)
        for neuron in changed:
            dues[neuron] = walkers[neuron].due()
    for neuron, (walker, counted) in enumerate(zip(walkers, recent, strict=True)):
        until = -1.0 if walker.held is None else walker.release_time
        stands = (walker.t, walker.v, walker.current, until, counted.since, counted.count)
        for values, value in zip(stop, stands, strict=False):
            values[sample, neuron] = value
    return steps, walkers


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


@dataclass
class _Recent:
    """Spikes of one neuron in the ms that began with the one at ``since``; twin of the cpu's."""

    since: float = 0.0
    count: int = 0

    def too_many(self, time: float) -> bool:
        """Count a spike; whether there were too many in a ms."""
        if time - self.since > 1.0:
            self.since, self.count = time, 0
        self.count += 1
        return self.count > RUNAWAY_PER_MS


def caused(job: Job, neuron: int, time: float, ordinal: int) -> list[tuple[int, Arrival]]:
    """The arrivals that the neuron's spike number ``ordinal`` causes inside the loop, by target."""
    stage, wiring, found = job.stage, job.stage.wiring, []
    weights, delays = job.weights(), job.delays()
    for k, projection in enumerate(stage.lateral, start=len(stage.afferents)):
        source = neuron - stage.start_of(projection.source)
        if 0 <= source < wiring.row_start[k + 1] - wiring.row_start[k]:
            row = int(wiring.row_start[k]) + source
            for synapse in range(wiring.out_start[row], wiring.out_start[row + 1]):
                arrival = Arrival(
                    time + float(delays[synapse]), row, synapse, float(weights[synapse]), k, ordinal
                )
                found.append((int(wiring.target[synapse]), arrival))
    return found


def backward(
    job: Job, trains: SpikeTrains, by_time: Floats, by_voltage: Floats, piece: Piece | None = None
) -> StageGradients:
    whole_only(piece)
    sums, start = new_sums(job), start_loop(job)
    wake = _Wake(_causes(job, trains), by_time.tolist())
    for sample in range(job.n_samples):
        lo, hi = trains.offsets[sample], trains.offsets[sample + 1]
        numbers = [
            np.flatnonzero(trains.neurons[lo:hi] == neuron) + lo for neuron in range(trains.size)
        ]
        turns = []
        found, _ = run_sample(job, sample, start, copied(start.stop))
        for neuron, (p, steps) in enumerate(zip(layer.neurons(job), found, strict=True)):
            mine = numbers[neuron]
            named = [_named(job, step, numbers, wake.causes) for step in steps]
            back = Back(p, neuron, [], by_voltage[mine].tolist(), sums)
            turns.append(_Turn(back, mine.tolist(), named))
            wake.expect(named)
        while any(turn.steps for turn in turns):
            for turn in turns:
                turn.go_back(wake)
        for turn in turns:
            turn.back.finish()
    return gradients(job, sums)


def _named(
    job: Job, step: layer.Step, numbers: list[NDArray[np.int64]], causes: dict[tuple[int, int], int]
) -> layer.Step:
    """An arrival of the loop with the number of its spike in its source, as all others have."""
    stage = job.stage
    if not isinstance(step, Arrival) or step.afferent < len(stage.afferents):
        return step
    low = stage.start_of(stage.projections[step.afferent].source)
    number = numbers[step.row - stage.wiring.row_start[step.afferent] + low][step.spike]
    first = next(i for i in range(len(causes)) if causes[step.afferent, i] >= number)
    return step._replace(spike=first)


@dataclass
class _Wake:
    """What spikes cause inside the loop: number of arrivals not met yet, and their share of dL/dt.

    ``causes`` gives the number in the tape of spike i of projection k.
    """

    causes: dict[tuple[int, int], int]
    by_time: list[float]
    waiting: Counter[int] = field(default_factory=Counter)

    def cause(self, arrival: Arrival) -> int | None:
        """Number in the tape of the spike that arrives; None if it is of another stage."""
        return self.causes.get((arrival.afferent, arrival.spike))

    def expect(self, steps: list[layer.Step]) -> None:
        """Count the arrivals among the steps of a neuron."""
        arrivals = [step for step in steps if isinstance(step, Arrival)]
        found = [self.cause(arrival) for arrival in arrivals]
        self.waiting.update(cause for cause in found if cause is not None)

    def met(self, arrival: Arrival, later: float) -> None:
        """An arrival was met on the way back; moving it is worth ``later``."""
        cause = self.cause(arrival)
        if cause is not None:
            self.waiting[cause] -= 1
            self.by_time[cause] += later


@dataclass
class _Turn:
    """One neuron on its way back, with the numbers of its spikes in the tape."""

    back: Back
    spikes: list[int]
    steps: list[layer.Step]

    def go_back(self, wake: _Wake) -> None:
        """Until a spike that waits for something it caused."""
        while self.steps:
            step = self.steps[-1]
            if isinstance(step, layer.Spike):
                if wake.waiting[self.spikes[-1]] > 0:
                    return
                number = self.spikes.pop()
                self.back.spike(step, len(self.spikes), wake.by_time[number])
            else:
                self.back.step(step)
            if isinstance(step, Arrival):
                wake.met(step, self.back.later(step.weight))
            self.steps.pop()


def _causes(job: Job, trains: SpikeTrains) -> dict[tuple[int, int], int]:
    """Number in the tape of every spike of a lateral projection."""
    stage, found = job.stage, {}
    for k, projection in enumerate(stage.lateral, start=len(stage.afferents)):
        low = stage.start_of(projection.source)
        high = low + job.sources[k].size
        mine = np.flatnonzero((trains.neurons >= low) & (trains.neurons < high))
        found.update({(k, spike): int(number) for spike, number in enumerate(mine)})
    return found
