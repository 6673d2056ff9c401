r"""A stage of linear neurons, backward: the log of the forward walk, read from its end.

With :math:`\lambda = \partial L/\partial x`, backward in time :math:`\lambda \leftarrow e^{A^T h}
\lambda`. An arrival at state s gives :math:`\partial L/\partial w = \lambda_s` and
:math:`\partial L/\partial t = -w\, \lambda \cdot A e_s`. A spike, with :math:`x^+ = R x^- + r` and
:math:`\dot u = (A x^-)_0`:

.. math::
    \alpha = \frac{\lambda^+ \cdot (R A x^- - A^+ x^+) + \partial L/\partial t_k}{\dot u}, \qquad
    \lambda^- = R^T \lambda^+ - e_0 \alpha, \qquad
    \frac{\partial L}{\partial \vartheta} = \sum \alpha, \quad
    \frac{\partial L}{\partial R} = \sum \lambda^+ x^{-T}, \quad
    \frac{\partial L}{\partial r} = \sum \lambda^+ .

While V is held A is without its first row, also in :math:`A^+`; the end of that time gives
:math:`-\lambda_0 (A x)_0` to :math:`\partial L/\partial t_k` and to
:math:`\partial L/\partial t_{ref}`. By A's entries, :math:`\partial L/\partial A = \int \lambda
x^T dt` in closed form (:mod:`eventsim.neuron.linear_flow`). Derivatives by the parameters follow
from these (:mod:`eventsim.neuron.linear`). Sources: Wunderlich and Pehle (2021); saltation
matrices of hybrid systems.
"""

from dataclasses import dataclass, field
from typing import NamedTuple

import numpy as np

from eventsim.arrays import Floats
from eventsim.engine.contract.job import Job, StageGradients
from eventsim.engine.contract.linear import ByMatrices, LinearPiece, linear_gradients
from eventsim.engine.reference.gather import Arrival
from eventsim.engine.reference.layer import SelfArrival
from eventsim.engine.reference.layer_adjoint import whole_only
from eventsim.engine.reference.linear import (
    AnyStep,
    LinearCell,
    LinearRelease,
    LinearSpike,
    LinearStep,
    Log,
    linear_neurons,
    run_sample,
)
from eventsim.events import SpikeTrains
from eventsim.neuron.linear_flow import NeuronFlow, Vector, times


@dataclass
class LinearSums:
    """What all neurons of a stage add to."""

    by: ByMatrices
    weights: Floats
    delays: Floats
    self_weights: Floats
    self_delays: Floats
    source_times: list[Floats]
    grazes: int = 0


@dataclass
class LinearBack:
    """Adjoint state of one neuron in one sample; ``spikes`` are its numbers in the tape."""

    p: LinearCell
    neuron: int
    adjoint: Vector
    spikes: list[int]
    sums: LinearSums
    through: dict[int, float] = field(default_factory=dict)

    def step(self, step: AnyStep, place: "Place", by_time: Floats, by_voltage: Floats) -> None:
        """Any step but the arrival of another's spike."""
        match step:
            case LinearStep():
                self.flow(step)
            case LinearRelease():
                self.release(step)
            case SelfArrival():
                self.self_arrival(step, held=place.held)
            case LinearSpike():
                k = self.spikes[place.n_spikes]
                self.spike(step, place.n_spikes, by_time[k], by_voltage[k])

    def finish(self) -> None:
        """The start of a neuron that rests at or above its threshold: at its reset."""
        p, by, first = self.p, self.sums.by, self.adjoint[0]
        by.jump[self.neuron, 0] += first
        by.keep[self.neuron, 0, 0] += first * p.level
        by.level[self.neuron] += first * p.keep[0][0]

    def flow(self, step: LinearStep) -> None:
        """Time without an event."""
        n = len(self.adjoint)
        flow, found = (self.p.held if step.held else self.p.free), np.zeros((n, n))
        self.adjoint = flow.integral(step.dt, self.adjoint, step.x, found)
        if step.held:
            found[0] = 0.0
        self.sums.by.flow[self.neuron] += found

    def later(self, weight: float, state: int, *, held: bool) -> float:
        """dL/dt of an arrival of that weight: the flow before it minus the flow after it."""
        flow = self.p.held if held else self.p.free
        total = 0.0
        for row, value in zip(flow.a, self.adjoint, strict=True):
            total += row[state] * value
        return -weight * total

    def self_arrival(self, step: SelfArrival, *, held: bool) -> None:
        """A spike of its own."""
        p = self.p
        later = self.later(p.self_weight, p.own_state, held=held)
        self.sums.self_weights[self.neuron] += self.adjoint[p.own_state]
        self.sums.self_delays[self.neuron] += later
        self.through[step.spike] = self.through.get(step.spike, 0.0) + later

    def release(self, step: LinearRelease) -> None:
        """The end of a refractory time."""
        later = -self.adjoint[0] * times(self.p.free.a, step.x)[0]
        self.through[step.spike] = self.through.get(step.spike, 0.0) + later
        self.sums.by.hold[self.neuron] += later

    def spike(self, step: LinearSpike, k: int, by_time: float, by_voltage: float) -> None:
        """Spike number k of the neuron; ``by_time`` is all that came of it outside the neuron."""
        p, by, adjoint = self.p, self.sums.by, self.adjoint
        after: NeuronFlow = p.held if p.hold > 0.0 else p.free
        speed, kept = times(p.free.a, step.x), times(p.keep, step.x)
        new = [kept[i] + p.jump[i] for i in range(len(kept))]
        moved = dot(adjoint, times(p.keep, speed)) - dot(adjoint, times(after.a, new))
        by_level = -by_voltage
        if speed[0] > 0.0:
            by_level += (moved + by_time + self.through.get(k, 0.0)) / speed[0]
        else:
            self.sums.grazes += 1
        by.level[self.neuron] += by_level
        by.keep[self.neuron] += np.outer(adjoint, step.x)
        by.jump[self.neuron] += adjoint
        if p.hold == 0.0:  # a hold would begin to grow here, after a self-jump
            if p.self_delay == 0.0:
                new[p.own_state] += p.self_weight
            by.hold[self.neuron] -= adjoint[0] * times(p.free.a, new)[0]
        columns = [list(column) for column in zip(*p.keep, strict=True)]
        self.adjoint = times(columns, adjoint)
        self.adjoint[0] -= by_level


def dot(one: Vector, two: Vector) -> float:
    """Sum of products, in order."""
    total = 0.0
    for a, b in zip(one, two, strict=True):
        total += a * b
    return total


def backward(
    job: Job,
    trains: SpikeTrains,
    by_time: Floats,
    by_voltage: Floats,
    piece: LinearPiece | None = None,
) -> StageGradients:
    """Gradients of a stage from dL/dt of its spikes and dL/dV just before them."""
    whole_only(piece)
    cells, neurons = linear_neurons(job, back=True)
    sums = _new_sums(job, cells.size, cells.n)
    seeds = by_time.copy(), by_voltage
    for sample in range(job.n_samples):
        lo, hi = trains.offsets[sample], trains.offsets[sample + 1]
        turns = []
        for n, p in enumerate(neurons):
            mine = np.flatnonzero(trains.neurons[lo:hi] == n) + lo
            turns.append(LinearBack(p, n, [0.0] * cells.n, mine.tolist(), sums))
        log = _placed(neurons, run_sample(job, cells, neurons, sample))
        for n, step, place in reversed(log):
            if isinstance(step, Arrival):
                _arrival(job, sample, turns, n, step, place, seeds[0])
            else:
                turns[n].step(step, place, *seeds)
        for turn in turns:
            if cells.rests_above[turn.neuron]:
                turn.finish()
    return linear_gradients(
        job,
        sums.by,
        weights=sums.weights,
        delays=sums.delays,
        self_weights=sums.self_weights,
        self_delays=sums.self_delays,
        source_times=tuple(sums.source_times),
        grazes=sums.grazes,
    )


def _new_sums(job: Job, size: int, n: int) -> LinearSums:
    synapses = job.stage.wiring.target.size
    by = ByMatrices(
        np.zeros((size, n, n)), np.zeros((size, n, n)), np.zeros((size, n)), np.zeros(size),
        np.zeros(size),
    )  # fmt: skip
    return LinearSums(
        by,
        weights=np.zeros(synapses),
        delays=np.zeros(synapses),
        self_weights=np.zeros(size),
        self_delays=np.zeros(size),
        source_times=[np.zeros(source.times.size) for source in job.sources],
    )


class Place(NamedTuple):
    """Where a step is: how often its neuron has fired before, and whether V is held after it."""

    n_spikes: int
    held: bool


def _placed(neurons: list[LinearCell], log: Log) -> list[tuple[int, AnyStep, Place]]:
    """The steps of a log with their places; V counts as held at the very end of that time."""
    now, found = [Place(0, held=False)] * len(neurons), []
    for n, step in log:
        found.append((n, step, now[n]))
        if isinstance(step, LinearSpike):
            now[n] = Place(now[n].n_spikes + 1, held=neurons[n].hold > 0.0)
        elif isinstance(step, LinearRelease):
            now[n] = now[n]._replace(held=False)
    return found


def _arrival(
    job: Job, sample: int, turns: list[LinearBack], n: int, step: Arrival, place: Place,
    by_time: Floats,
) -> None:  # fmt: skip
    """A spike of a source; of a loop, it acts on that spike of now as well."""
    turn, sums, stage = turns[n], turns[n].sums, job.stage
    state, spike = turn.p.state_of[step.synapse], step.spike
    later = turn.later(step.weight, state, held=place.held)
    sums.weights[step.synapse] += turn.adjoint[state]
    sums.delays[step.synapse] += later
    if step.afferent >= len(stage.afferents):
        sent, source = job.sources[step.afferent], step.row - stage.wiring.row_start[step.afferent]
        low = stage.start_of(stage.projections[step.afferent].source)
        by_time[turns[low + source].spikes[spike]] += later
        first, last = sent.offsets[sample : sample + 2]
        spike = int(first + np.flatnonzero(sent.neurons[first:last] == source)[spike])
    sums.source_times[step.afferent][spike] += later
