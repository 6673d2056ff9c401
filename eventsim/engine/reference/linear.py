"""A stage of linear neurons, forward: a layer, or populations joined in loops.

In a layer one neuron goes after the other, in a loop all together, as
:mod:`eventsim.engine.reference.walk` says. The log of all steps is what the backward pass reads
from its end.
"""

from collections import deque
from typing import NamedTuple

import numpy as np

from eventsim.engine.contract.job import Job
from eventsim.engine.contract.linear import LinearCells, linear_back, linear_cells, linear_start
from eventsim.engine.reference.walk import AbstractWalk, Arrival, Log, Spike, gather, run_together
from eventsim.events import SpikeTrains
from eventsim.neuron.linear_flow import BEYOND, NeuronFlow, Vector, times


class LinearCell(NamedTuple):
    """A linear neuron; ``state_of`` is the state that an arrival raises, by synapse."""

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


class LinearWalk(AbstractWalk):
    """A linear neuron."""

    def __init__(self, p: LinearCell, x: Vector, duration: float, arrivals: deque[Arrival]) -> None:
        super().__init__(duration, arrivals, p.self_delay)
        self.p, self.x = p, x

    def noted(self) -> Vector:
        return self.x

    def crossing(self, until: float) -> float:
        p, h = self.p, until - self.t
        if h <= 0.0 or not p.free.may_cross(self.x, p.free.ahead(h, self.x), h, p.alert):
            return until
        beyond = h * BEYOND
        crossing = p.free.crossing(self.x, beyond, p.level, p.alert)
        return self.t + crossing if crossing < beyond else until

    def flow(self, end: float) -> LinearStep:
        step = LinearStep(end - self.t, self.x, self.held is not None)
        flow = self.p.free if self.held is None else self.p.held
        self.x, self.t = flow.ahead(step.dt, self.x), end
        return step

    def reset(self, spike: int) -> tuple[()]:
        p, kept = self.p, times(self.p.keep, self.x)
        self.x = [kept[i] + p.jump[i] for i in range(len(kept))]
        if p.hold > 0.0:
            self.held, self.release_time = spike, self.t + p.hold
        return ()

    def meet(self, arrival: Arrival | None) -> None:
        p, x = self.p, self.x
        state, weight = p.own_state, p.self_weight
        if arrival is not None:
            state, weight = p.state_of[arrival.synapse], arrival.weight
        self.x = [*x[:state], x[state] + weight, *x[state + 1 :]]


def run_sample(
    job: Job, cells: LinearCells, neurons: list[LinearCell], sample: int
) -> tuple[Log, list[LinearWalk]]:
    """Steps of all neurons, see the module, and the neurons after their last events."""
    end, start = float(job.duration[sample]), linear_start(job, cells)[sample].tolist()
    walkers = [LinearWalk(p, start[n], end, gather(job, sample, n)) for n, p in enumerate(neurons)]
    everyone, log = list(range(len(walkers))), Log()
    for group in [everyone] if job.stage.lateral else [[n] for n in everyone]:
        log += run_together(job, sample, walkers, group)
    return log, walkers


def forward(job: Job) -> SpikeTrains:
    """Spikes of the stage, sorted by (sample, time, neuron); without currents (NaN)."""
    cells, neurons = linear_neurons(job)
    offsets, rows = [0], list[tuple[float, int]]()
    for sample in range(job.n_samples):
        log, _ = run_sample(job, cells, neurons, sample)
        rows += sorted((step.time, n) for n, step in log if isinstance(step, Spike))
        offsets.append(len(rows))
    table, nothing = np.array(rows, np.float64).reshape(-1, 2), np.full((2, len(rows)), np.nan)
    times, numbers = table[:, 0].copy(), table[:, 1].astype(np.int32)
    return SpikeTrains(times, numbers, np.array(offsets, np.int64), cells.size, *nothing)
