"""LIF neurons, forward: in a layer each walks its own sorted arrivals.

The walk of a neuron is a list of steps. The backward pass reads the same list from its end.
Voltages here are measured from the resting potential, ``v = V - E``. A neuron that rests at or
above its threshold begins at its reset potential.
"""

from collections.abc import Iterable
from typing import NamedTuple

import numpy as np

from eventsim.engine.contract.job import RUNAWAY_PER_MS, Job
from eventsim.engine.contract.state import LayerState, Stop, carried, start_state
from eventsim.engine.reference.walk import (
    AbstractWalk,
    Arrival,
    Release,
    Spike,
    Step,
    gather,
    runaway,
)
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


class Noted(NamedTuple):
    """I, and the adaptation, at a spike or a release."""

    current: float
    a: float


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


class Walk(AbstractWalk):
    """A LIF neuron; ``a`` is the adaptation right after the last spike, at ``fired``.

    It begins as ``state`` says, whose spikes all have the number EARLIER.
    """

    def __init__(self, job: Job, p: Neuron, state: LayerState, sample: int, neuron: int) -> None:
        arrivals = gather(job, sample, neuron)
        super().__init__(float(job.duration[sample]), arrivals, p.self_delay)
        here, pair = (sample, neuron), sample * state.stop.v.shape[1] + neuron
        self.p, stop = p, state.stop
        self.t, self.v, self.current, self.release_time = (float(values[here]) for values in stop)
        if job.start is not None:  # whose state has the drive
            self.current = float(job.start.state[sample, neuron, 1])
        self.held = EARLIER if self.release_time >= 0.0 else None
        self.a, self.fired = 0.0, 0.0
        if state.adapted is not None:
            self.a, self.fired = (float(values[here]) for values in state.adapted)
        for time in state.spikes[state.first[pair] : state.first[pair + 1]]:
            self.returning.append((float(time) + p.self_delay, EARLIER))
        while self.arrivals and self.arrivals[0].time < state.begin[sample]:
            self.arrivals.popleft()

    def noted(self) -> Noted:
        return Noted(self.current, self.adaptation())

    @property
    def stop(self) -> tuple[float, ...]:
        """As :class:`Stop` has it."""
        until = self.release_time if self.held is not None else -1.0
        return self.t, self.v, self.current, until

    def crossing(self, until: float) -> float:
        p = self.p
        drive, rise = p.resistance * self.current, p.adaptation * self.adaptation()
        return self.t + first_crossing(
            self.v, drive, rise, until - self.t, p.level, p.tau_mem, p.tau_syn, p.tau_adaptation
        )

    def adaptation(self) -> float:
        """The adaptation now."""
        if self.a == 0.0 or self.p.tau_adaptation == 0.0:
            return 0.0
        return self.a * decay(self.t - self.fired, self.p.tau_adaptation)

    def flow(self, end: float) -> Flow:
        p, dt = self.p, end - self.t
        step = Flow(dt, self.v, self.current, self.held is not None)
        if self.held is None:
            self.v = voltage(self.v, p.resistance * self.current, dt, p.tau_mem, p.tau_syn)
        self.current *= decay(dt, p.tau_syn)
        self.t = end
        return step

    def reset(self, spike: int) -> list[Step]:
        p = self.p
        self.a, self.fired = after_spike(self.adaptation()), self.t
        self.v, self.held, self.release_time = p.v_reset, spike, self.t + p.refractory
        return [self.release()] if p.refractory == 0.0 else []

    def meet(self, arrival: Arrival | None) -> None:
        self.current += self.p.self_weight if arrival is None else arrival.weight


def walk(
    job: Job, state: LayerState, p: Neuron, sample: int, neuron: int
) -> tuple[list[Step], tuple[float, ...], tuple[float, float]]:
    """Steps of one neuron in one sample, in order of time.

    And the neuron and its adaptation right after its last arrival or return, as
    :class:`LayerState` has them.
    """
    walker, steps = Walk(job, p, state, sample, neuron), list[Step]()
    stop, adapted = walker.stop, (walker.a, walker.fired)
    since, before = walker.t, 0
    while walker.t < walker.duration:
        time, crosses = walker.due()
        for step in walker.step(time, crosses=crosses):
            steps.append(step)
            if isinstance(step, Arrival):
                since, before = walker.t, walker.n_spikes
            if walker.n_spikes - before > RUNAWAY_PER_MS * (1.0 + walker.t - since):
                raise runaway(job, sample, neuron, walker.t)
        if not crosses and walker.t < walker.duration:
            stop, adapted = walker.stop, (walker.a, walker.fired)
    return steps, stop, adapted


def forward(job: Job) -> SpikeTrains:
    """Spikes of the stage, sorted by (sample, time, neuron)."""
    return _advance(job, start_state(job))[0]


def resume(job: Job, state: LayerState) -> tuple[SpikeTrains, LayerState]:
    trains, end, adapted = _advance(job, state)
    return carried(job, state, trains, end, adapted=adapted)


def _advance(job: Job, state: LayerState) -> tuple[SpikeTrains, Stop, Adapted | None]:
    """Spikes from ``state`` on, and the state and adaptation after the last events."""
    offsets, parameters, rows = [0], neurons(job), []
    end = Stop(*(values.copy() for values in state.stop))
    adapted = state.adapted and Adapted(*(values.copy() for values in state.adapted))
    for sample in range(job.n_samples):
        found, failed = [], []
        for neuron, p in enumerate(parameters):
            try:
                steps, *stands = walk(job, state, p, sample, neuron)
            except RunawayError as error:
                failed.append(error)
                continue
            for into, numbers in zip((end, adapted or ()), stands, strict=True):
                for values, value in zip(into, numbers, strict=False):
                    values[sample, neuron] = value
            found += table_of_spikes(steps, neuron)
        if failed:
            raise min(failed, key=lambda error: (error.time, error.neuron))
        rows += sorted(found)
        offsets.append(len(rows))
    return trains_of(rows, offsets, len(parameters)), end, adapted


def table_of_spikes(steps: Iterable[Step], neuron: int) -> list[tuple[float, int, float, float]]:
    """Time, neuron, current and restart current of every spike among the steps."""
    steps = list(steps)
    restart = {s.spike: s.state.current for s in steps if isinstance(s, Release)}
    spikes = [s for s in steps if isinstance(s, Spike)]
    return [(s.time, neuron, s.state.current, restart.get(k, np.nan)) for k, s in enumerate(spikes)]


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
