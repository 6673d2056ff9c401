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

from dataclasses import dataclass

import numpy as np

from eventsim.arrays import Floats
from eventsim.engine.contract.job import Job, StageGradients
from eventsim.engine.contract.linear import ByMatrices, LinearPiece, by_names
from eventsim.engine.reference.back import AbstractBack, Sums, go_back, numbers_of
from eventsim.engine.reference.layer_adjoint import voltages_given
from eventsim.engine.reference.linear import LinearCell, LinearStep, linear_neurons, run_sample
from eventsim.engine.reference.walk import Arrival, Release, SelfArrival, Spike, Step
from eventsim.events import SpikeTrains
from eventsim.neuron.linear_flow import NeuronFlow, Vector, times


@dataclass
class LinearBack(AbstractBack):
    """Adjoint state of one neuron in one sample; whether it starts at its reset, and is held.

    ``by_start`` gathers dL/dV of the voltages at time zero that are given, by neuron.
    """

    p: LinearCell
    adjoint: Vector
    rests_above: bool
    held: bool
    given: bool
    by_start: Floats

    def step(self, step: Step) -> None:
        match step:
            case LinearStep():
                self.flow(step)
            case Release():
                self.release(step)
            case SelfArrival():
                self.self_arrival(step)

    def finish(self) -> None:
        if self.given:
            self.by_start[self.neuron] += self.adjoint[0]
        if self.given or not self.rests_above:  # else it starts at its reset
            return
        p, by, first = self.p, self.sums.parameters, self.adjoint[0]
        by["jump"][self.neuron, 0] += first
        by["keep"][self.neuron, 0, 0] += first * p.level
        self.add("level", first * p.keep[0][0])

    def flow(self, step: LinearStep) -> None:
        """Time without an event."""
        n = len(self.adjoint)
        flow, found = (self.p.held if step.held else self.p.free), np.zeros((n, n))
        self.adjoint = flow.integral(step.dt, self.adjoint, step.x, found)
        if step.held:
            found[0] = 0.0
        self.add("flow", found)

    def later(self, weight: float, state: int) -> float:
        """dL/dt of an arrival of that weight: the flow before it minus the flow after it."""
        flow = self.p.held if self.held else self.p.free
        total = 0.0
        for row, value in zip(flow.a, self.adjoint, strict=True):
            total += row[state] * value
        return -weight * total

    def arrival(self, step: Arrival) -> float:
        state = self.p.state_of[step.synapse]
        later = self.later(step.weight, state)
        self.sums.weights[step.synapse] += self.adjoint[state]
        self.sums.delays[step.synapse] += later
        return later

    def self_arrival(self, step: SelfArrival) -> None:
        """A spike of its own."""
        p = self.p
        later = self.later(p.self_weight, p.own_state)
        self.sums.self_weights[self.neuron] += self.adjoint[p.own_state]
        self.sums.self_delays[self.neuron] += later
        self.pass_on(step.spike, later)

    def release(self, step: Release) -> None:
        """The end of a refractory time; V counts as held at the very end of it."""
        self.held = True
        later = -self.adjoint[0] * times(self.p.free.a, step.state)[0]
        self.pass_on(step.spike, later)
        self.add("hold", later)

    def spike(self, step: Spike, k: int, by_time: float, by_voltage: float) -> None:
        p, x, adjoint = self.p, step.state, self.adjoint
        self.held = False
        after: NeuronFlow = p.held if p.hold > 0.0 else p.free
        speed, kept = times(p.free.a, x), times(p.keep, x)
        new = [kept[i] + p.jump[i] for i in range(len(kept))]
        moved = dot(adjoint, times(p.keep, speed)) - dot(adjoint, times(after.a, new))
        by_level = -by_voltage
        if speed[0] > 0.0:
            by_level += (moved + by_time + self.through.get(k, 0.0)) / speed[0]
        else:
            self.sums.grazes += 1
        self.add("level", by_level)
        self.add("keep", np.outer(adjoint, x))
        self.add("jump", adjoint)
        if p.hold == 0.0:  # a hold would begin to grow here, after a self-jump
            if p.self_delay == 0.0:
                new[p.own_state] += p.self_weight
            self.add("hold", -adjoint[0] * times(p.free.a, new)[0])
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
    cells, neurons = linear_neurons(job, back=True)
    size, n, by_time = cells.size, cells.n, by_time.copy()
    shapes = {"flow": (n, n), "keep": (n, n), "jump": (n,), "level": (), "hold": ()}
    sums = Sums.of(job, {name: np.zeros((size, *shape)) for name, shape in shapes.items()})
    above, given, by_start = cells.rests_above.tolist(), voltages_given(job), np.zeros(size)
    for sample in range(job.n_samples):
        log, walkers = run_sample(job, cells, neurons, sample)
        turns = [
            LinearBack(
                p,
                k,
                sums,
                spikes,
                [0.0] * n,
                above[k],
                walkers[k].held is not None,
                given[k],
                by_start,
            )
            for k, (p, spikes) in enumerate(zip(neurons, numbers_of(trains, sample), strict=True))
        ]
        go_back(job, sample, log, turns, by_time, by_voltage)
        for turn in turns:
            turn.finish()
    parameters = by_names(job, ByMatrices(**sums.parameters))
    parameters["v_leak"] -= by_start
    return sums.gradients(job, parameters)
