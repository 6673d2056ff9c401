"""A stage of linear neurons, forward: a layer, or populations joined in loops.

Each neuron goes to its next event: an arrival, the return of a spike of its own, the end of its
refractory time, or a crossing. In a layer one neuron goes after the other; in a loop always the one
whose event is the earliest of all, at one time crossings last and lower neurons first. The log of
all steps, in that order, is what the backward pass reads from its end.

Rules of simultaneity and run-away are those of :mod:`eventsim.engine.reference.layer` and, of
neurons that fire too often, of :mod:`eventsim.engine.reference.queue`.
"""

from bisect import insort
from collections import deque
from collections.abc import Iterator
from typing import NamedTuple

import numpy as np

from eventsim.engine.contract.job import RUNAWAY_PER_MS, Job
from eventsim.engine.contract.linear import LinearCells, linear_back, linear_cells
from eventsim.engine.reference.gather import Arrival, gather
from eventsim.engine.reference.layer import SelfArrival, Waits, runaway
from eventsim.engine.reference.queue import caused
from eventsim.events import SpikeTrains
from eventsim.neuron.linear_flow import BEYOND, NeuronFlow, Vector, times


class LinearCell(NamedTuple):
    """One neuron; ``state_of`` is the state that an arrival raises, by synapse."""

    free: NeuronFlow
    held: NeuronFlow
    keep: list[list[float]]
    jump: Vector
    level: float
    alert: float
    hold: float
    self_weight: float
    self_delay: float
    own_state: int
    state_of: list[int]


class LinearStep(NamedTuple):
    """``dt`` ms without an event, from the state x."""

    dt: float
    x: Vector
    held: bool


class LinearSpike(NamedTuple):
    """The neuron fires in the state x."""

    time: float
    x: Vector


class LinearRelease(NamedTuple):
    """V is let go in the state x, at the end of the refractory time after spike ``spike``."""

    spike: int
    x: Vector


AnyStep = LinearStep | Arrival | SelfArrival | LinearSpike | LinearRelease
Log = list[tuple[int, AnyStep]]


def linear_neurons(job: Job, *, back: bool = False) -> tuple[LinearCells, list[LinearCell]]:
    """Tables of the stage, and every neuron of it."""
    cells = linear_cells(job)
    behind = linear_back(job) if back else None
    own = zip(job.self_weights().tolist(), job.self_delays().tolist(), strict=True)
    states, m = cells.synapse_state.tolist(), cells.matrices
    found = []
    for k, (self_weight, self_delay) in enumerate(own):
        found.append(
            LinearCell(
                NeuronFlow(cells.tables, k, behind),
                NeuronFlow(cells.tables, cells.size + k, behind),
                m.keep[k].tolist(),
                m.jump[k].tolist(),
                float(m.level[k]),
                float(cells.alert[k]),
                float(m.hold[k]),
                self_weight,
                self_delay,
                int(cells.own_state[k]),
                states,
            )
        )
    return cells, found


class LinearWalk(Waits):
    """A neuron on its way through a sample; ``held`` is the spike whose reset still holds V."""

    def __init__(self, p: LinearCell, x: Vector, duration: float, arrivals: deque[Arrival]) -> None:
        self.p, self.x, self.t, self.duration = p, x, 0.0, duration
        self.arrivals, self.returning = arrivals, deque[tuple[float, int]]()
        self.held: int | None = None
        self.release_time = 0.0
        self.n_spikes, self.since, self.recent = 0, 0.0, 0

    def due(self) -> tuple[float, bool]:
        """Time of the next event, and whether it is a crossing."""
        p, until = self.p, self.next_time()
        h = until - self.t
        if self.held is not None or h <= 0.0:
            return until, False
        if not p.free.may_cross(self.x, p.free.ahead(h, self.x), h, p.alert):
            return until, False
        beyond = h * BEYOND
        crossing = p.free.crossing(self.x, beyond, p.level, p.alert)
        time = self.t + crossing
        return (time, True) if crossing < beyond and time < until else (until, False)

    def step(self, time: float, *, crosses: bool) -> Iterator[AnyStep]:
        """What happens up to the next event, which :meth:`due` said, and the event."""
        yield LinearStep(time - self.t, self.x, self.held is not None)
        flow = self.p.free if self.held is None else self.p.held
        self.x, self.t = flow.ahead(time - self.t, self.x), time
        if crosses:
            yield from self._fire()
        elif time < self.duration:
            yield from self._events()

    def _fire(self) -> Iterator[AnyStep]:
        p, k = self.p, self.n_spikes
        yield LinearSpike(self.t, self.x)
        self.n_spikes += 1
        kept = times(p.keep, self.x)
        self.x = [kept[i] + p.jump[i] for i in range(len(kept))]
        if p.hold > 0.0:
            self.held, self.release_time = k, self.t + p.hold
        if p.self_delay == 0.0:
            self._raise(p.own_state, p.self_weight)
            yield SelfArrival(k)
        else:
            self.returning.append((self.t + p.self_delay, k))

    def _events(self) -> Iterator[AnyStep]:
        while self.arrivals and self.arrivals[0].time == self.t:
            arrival = self.arrivals.popleft()
            self._raise(self.p.state_of[arrival.synapse], arrival.weight)
            yield arrival
        while self.returning and self.returning[0][0] == self.t:
            self._raise(self.p.own_state, self.p.self_weight)
            yield SelfArrival(self.returning.popleft()[1])
        if self.held is not None and self.release_time == self.t:
            yield LinearRelease(self.held, self.x)
            self.held = None

    def _raise(self, state: int, weight: float) -> None:
        self.x = [*self.x[:state], self.x[state] + weight, *self.x[state + 1 :]]

    def runs_away(self) -> bool:
        """Count a spike of now; whether there were too many in a ms."""
        if self.t - self.since > 1.0:
            self.since, self.recent = self.t, 0
        self.recent += 1
        return self.recent > RUNAWAY_PER_MS


def run_sample(job: Job, cells: LinearCells, neurons: list[LinearCell], sample: int) -> Log:
    """All steps of all neurons, see the module; the way from the last events to the end is left."""
    duration = float(job.duration[sample])
    walkers = [
        LinearWalk(p, cells.start[n].tolist(), duration, deque(gather(job, sample, n)))
        for n, p in enumerate(neurons)
    ]
    log: Log = []
    everyone = list(range(len(walkers)))
    for group in [everyone] if job.stage.lateral else [[n] for n in everyone]:
        dues = {n: walkers[n].due() for n in group}
        while True:
            first = min(group, key=lambda n: (*dues[n], n))
            if dues[first][0] >= duration:
                break
            changed, (time, crosses) = {first}, dues[first]
            for step in walkers[first].step(time, crosses=crosses):
                log.append((first, step))
                if isinstance(step, LinearSpike):
                    if walkers[first].runs_away():
                        raise runaway(job, sample, first, step.time)
                    for target, arrival in caused(job, first, time, walkers[first].n_spikes):
                        if arrival.time < duration:
                            insort(walkers[target].arrivals, arrival)
                            changed.add(target)
            for n in changed:
                dues[n] = walkers[n].due()
    return log


def forward(job: Job) -> SpikeTrains:
    """Spikes of the stage, sorted by (sample, time, neuron); without currents (NaN)."""
    cells, neurons = linear_neurons(job)
    offsets, rows = [0], list[tuple[float, int]]()
    for sample in range(job.n_samples):
        log = run_sample(job, cells, neurons, sample)
        rows += sorted((step.time, n) for n, step in log if isinstance(step, LinearSpike))
        offsets.append(len(rows))
    nothing = np.full(len(rows), np.nan)
    return SpikeTrains(
        times=np.array([time for time, _ in rows], np.float64),
        neurons=np.array([n for _, n in rows], np.int32),
        offsets=np.array(offsets, np.int64),
        size=cells.size,
        current=nothing,
        restart_current=nothing.copy(),
    )
