"""One spiking population, forward: each neuron walks its own sorted arrivals.

The walk of a neuron is a list of steps. The backward pass reads the same list from its end.
Voltages here are measured from the resting potential, ``v = V - E``.

Rules of simultaneity: arrivals of one time are summed before the threshold is tested, so an
interval between two arrivals is half-open. A self-connection without delay acts right after the
reset. A neuron that rests at or above its threshold begins at its reset potential.
"""

from collections import deque
from collections.abc import Iterator
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np

from eventsim.engine.contract.job import RUNAWAY_PER_MS, Job
from eventsim.engine.contract.state import LayerState, Stop, carried, start_state
from eventsim.engine.reference.gather import Arrival, gather
from eventsim.errors import RunawayError
from eventsim.events import SpikeTrains
from eventsim.events.tape import Adapted
from eventsim.neuron.adaptive import after_spike, first_crossing
from eventsim.neuron.lif import decay, voltage

# Number of a spike of an earlier piece of the stream.
EARLIER = -1


class Neuron(NamedTuple):
    """Parameters of one neuron; ``level`` and ``v_reset`` are measured from v_leak.

    Those of the adaptation are 0 where the threshold is not adaptive.
    """

    tau_mem: float
    tau_syn: float
    resistance: float
    level: float
    v_reset: float
    refractory: float
    self_weight: float
    self_delay: float
    adaptation: float
    tau_adaptation: float


class Flow(NamedTuple):
    """``dt`` ms without an event, from the state (v, current)."""

    dt: float
    v: float
    current: float
    held: bool


class SelfArrival(NamedTuple):
    """The neuron's own spike number ``spike`` comes back."""

    spike: int


class Spike(NamedTuple):
    """The neuron fires; ``current`` is I just before, ``a`` the adaptation."""

    time: float
    current: float
    a: float


class Release(NamedTuple):
    """V is let go at the end of the refractory time after spike number ``spike``."""

    spike: int
    current: float


Step = Flow | Arrival | SelfArrival | Spike | Release


def neurons(job: Job) -> list[Neuron]:
    """Parameters of every neuron of the stage."""
    p = job.stage.population
    columns = (
        p.tau_mem,
        p.tau_syn,
        p.resistance,
        p.threshold - p.v_leak,
        p.v_reset - p.v_leak,
        p.refractory,
        job.self_weights(),
        job.self_delays(),
        *((p.adaptation, p.tau_adaptation) if p.is_adaptive else (np.zeros(p.size),) * 2),
    )
    return [Neuron(*(float(x) for x in row)) for row in zip(*columns, strict=True)]


class Waits:
    """What a neuron waits for in a sample; ``held`` is the spike whose reset still holds V."""

    duration: float
    arrivals: deque[Arrival]
    returning: deque[tuple[float, int]]
    held: int | None
    release_time: float

    def next_time(self) -> float:
        """Time of the next event that is no crossing, or of the end."""
        times = [self.duration]
        if self.arrivals:
            times.append(self.arrivals[0].time)
        if self.returning:
            times.append(self.returning[0][0])
        if self.held is not None:
            times.append(self.release_time)
        return min(times)


@dataclass
class Walk(Waits):
    """State of a neuron while it walks; ``held`` is the spike whose reset still holds V.

    ``a`` is the adaptation right after the last spike, at ``since``.
    """

    p: Neuron
    duration: float
    arrivals: deque[Arrival]
    t: float = 0.0
    v: float = 0.0
    current: float = 0.0
    held: int | None = None
    n_spikes: int = 0
    gap: tuple[float, int] = (0.0, 0)
    a: float = 0.0
    since: float = 0.0

    def __post_init__(self) -> None:
        self.returning: deque[tuple[float, int]] = deque()
        self.release_time = 0.0
        self.stop: Stop | None = None
        self.adapted = (0.0, 0.0)

    def go_on(self, state: LayerState, sample: int, neuron: int) -> None:
        """Start from ``state``, whose spikes all have the number EARLIER."""
        here, pair = (sample, neuron), sample * state.stop.v.shape[1] + neuron
        self.t, self.v = float(state.stop.time[here]), float(state.stop.v[here])
        self.current, self.release_time = float(state.stop.j[here]), float(state.stop.until[here])
        self.held = EARLIER if self.release_time >= 0.0 else None
        self.gap = (self.t, 0)
        if state.adapted is not None:
            self.a, self.since = (float(values[here]) for values in state.adapted)
            self.adapted = (self.a, self.since)
        for time in state.spikes[state.first[pair] : state.first[pair + 1]]:
            self.returning.append((float(time) + self.p.self_delay, EARLIER))
        while self.arrivals and self.arrivals[0].time < state.begin[sample]:
            self.arrivals.popleft()

    def due(self) -> tuple[float, bool]:
        """Time of the next event, and whether it is a crossing."""
        until = self.next_time()
        crossing = self._crossing(until)
        return (crossing, True) if crossing < until else (until, False)

    def step(self) -> Iterator[Step]:
        """What happens up to the next event, and the event."""
        time, crosses = self.due()
        yield self._flow(time)
        if crosses:
            yield from self._fire()
        elif self.t < self.duration:
            yield from self._events()
            until = self.release_time if self.held is not None else -1.0
            self.stop = Stop(self.t, self.v, self.current, until)
            self.adapted = (self.a, self.since)

    def steps(self) -> Iterator[Step]:
        """All that happens up to the end."""
        while self.t < self.duration:
            yield from self.step()

    def _crossing(self, until: float) -> float:
        p = self.p
        if self.held is not None:
            return until
        drive, rise = p.resistance * self.current, p.adaptation * self.adaptation()
        return self.t + first_crossing(
            self.v, drive, rise, until - self.t, p.level, p.tau_mem, p.tau_syn, p.tau_adaptation
        )

    def adaptation(self) -> float:
        """The adaptation now."""
        if self.a == 0.0 or self.p.tau_adaptation == 0.0:
            return 0.0
        return self.a * decay(self.t - self.since, self.p.tau_adaptation)

    def _flow(self, end: float) -> Flow:
        p, dt = self.p, end - self.t
        step = Flow(dt, self.v, self.current, self.held is not None)
        if self.held is None:
            self.v = voltage(self.v, p.resistance * self.current, dt, p.tau_mem, p.tau_syn)
        self.current *= decay(dt, p.tau_syn)
        self.t = end
        return step

    def _fire(self) -> Iterator[Step]:
        p, k = self.p, self.n_spikes
        a = self.adaptation()
        yield Spike(self.t, self.current, a)
        self.n_spikes += 1
        self.a, self.since = after_spike(a), self.t
        self.v, self.held, self.release_time = p.v_reset, k, self.t + p.refractory
        if p.refractory == 0.0:
            yield self._release()
        if p.self_delay == 0.0:
            self.current += p.self_weight
            yield SelfArrival(k)
        else:
            self.returning.append((self.t + p.self_delay, k))

    def _events(self) -> Iterator[Step]:
        while self.arrivals and self.arrivals[0].time == self.t:
            arrival = self.arrivals.popleft()
            self.current += arrival.weight
            self.gap = (self.t, self.n_spikes)
            yield arrival
        while self.returning and self.returning[0][0] == self.t:
            self.current += self.p.self_weight
            yield SelfArrival(self.returning.popleft()[1])
        if self.held is not None and self.release_time == self.t:
            yield self._release()

    def _release(self) -> Release:
        assert self.held is not None
        step, self.held = Release(self.held, self.current), None
        return step

    def runs_away(self) -> bool:
        """Whether it has fired too often since its last arrival."""
        since, before = self.gap
        return self.n_spikes - before > RUNAWAY_PER_MS * (1.0 + self.t - since)


def walk(
    job: Job, state: LayerState, p: Neuron, sample: int, neuron: int
) -> tuple[list[Step], Walk]:
    """All steps of one neuron in one sample, in order of time, and the neuron at the end."""
    walker = Walk(p, float(job.duration[sample]), deque(gather(job, sample, neuron)))
    walker.go_on(state, sample, neuron)
    steps = []
    for step in walker.steps():
        steps.append(step)
        if walker.runs_away():
            raise runaway(job, sample, neuron, walker.t)
    return steps, walker


def runaway(job: Job, sample: int, neuron: int, time: float) -> RunawayError:
    """The error for a neuron that fires too often."""
    return RunawayError(
        population=job.stage.name, sample=sample, neuron=neuron, time=time, limit=RUNAWAY_PER_MS
    )


def forward(job: Job) -> SpikeTrains:
    """Spikes of the stage, sorted by (sample, time, neuron)."""
    return _advance(job, start_state(job))[0]


def resume(job: Job, state: LayerState) -> tuple[SpikeTrains, LayerState]:
    trains, end, adapted = _advance(job, state)
    return carried(job, state, trains, end, adapted=adapted)


def _advance(job: Job, state: LayerState) -> tuple[SpikeTrains, Stop, Adapted | None]:
    """All spikes from ``state`` on, and the state and adaptation after the last events."""
    offsets, parameters, rows = [0], neurons(job), []
    end = Stop(*(values.copy() for values in state.stop))
    adapted = state.adapted and Adapted(*(values.copy() for values in state.adapted))
    for sample in range(job.n_samples):
        found, failed = [], []
        for neuron, p in enumerate(parameters):
            try:
                steps, walker = walk(job, state, p, sample, neuron)
            except RunawayError as error:
                failed.append(error)
                continue
            for values, value in zip(end, walker.stop or (), strict=False):
                values[sample, neuron] = value
            for values, value in zip(adapted or (), walker.adapted, strict=False):
                values[sample, neuron] = value
            found += table_of_spikes(steps, neuron)
        if failed:
            raise min(failed, key=lambda error: (error.time, error.neuron))
        rows += sorted(found)
        offsets.append(len(rows))
    return trains_of(rows, offsets, len(parameters)), end, adapted


def table_of_spikes(steps: list[Step], neuron: int) -> list[tuple[float, int, float, float]]:
    """Time, neuron, current and restart current of every spike among the steps."""
    restart = {s.spike: s.current for s in steps if isinstance(s, Release)}
    spikes = [s for s in steps if isinstance(s, Spike)]
    return [(s.time, neuron, s.current, restart.get(k, np.nan)) for k, s in enumerate(spikes)]


def trains_of(
    rows: list[tuple[float, int, float, float]], offsets: list[int], size: int
) -> SpikeTrains:
    """The spikes of :func:`table_of_spikes`, sorted, of all samples."""
    table = np.array(rows, dtype=np.float64).reshape(-1, 4)
    return SpikeTrains(
        times=table[:, 0].copy(),
        neurons=table[:, 1].astype(np.int32),
        offsets=np.array(offsets, dtype=np.int64),
        size=size,
        current=table[:, 2].copy(),
        restart_current=table[:, 3].copy(),
    )
