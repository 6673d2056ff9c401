r"""The backward pass of a spiking population: the steps of the forward walk, from the last on.

:math:`\alpha = \partial L / \partial v` and :math:`\beta = \partial L / \partial I` are carried
through every step by the transpose of its linear map; parameters collect the derivative of that
map. They are the adjoints of Wunderlich and Pehle in other units,
:math:`\alpha = -\tau_m \lambda_V`, :math:`\beta = -\tau_s \lambda_I`; see :mod:`eventsim.adjoint`
for the derivation. Where the threshold is adaptive :math:`\kappa = \partial L / \partial a` goes
from spike to spike, see :mod:`eventsim.neuron.adaptive`.
"""

from dataclasses import dataclass

import numpy as np

from eventsim.arrays import Floats
from eventsim.engine.contract.job import Job, StageGradients
from eventsim.engine.contract.piece import Piece
from eventsim.engine.contract.state import start_state
from eventsim.engine.reference import layer
from eventsim.engine.reference.back import AbstractBack, Sums, go_back, numbers_of
from eventsim.engine.reference.walk import Arrival, Release, SelfArrival, Spike, Step
from eventsim.events import SpikeTrains
from eventsim.network.parts import ADAPTIVE
from eventsim.neuron.lif import decay, synaptic_gain, synaptic_gain_slopes

SPIKING = ("tau_mem", "tau_syn", "resistance", "threshold", "v_leak", "v_reset", "refractory")


@dataclass
class Back(AbstractBack):
    """Adjoint state of one neuron in one sample; ``later_spike`` is the one behind, with kappa.

    ``given`` is whether its voltage at time zero is.
    """

    p: layer.Neuron
    given: bool
    alpha: float = 0.0
    beta: float = 0.0
    kappa: float = 0.0
    later_spike: Spike | None = None

    def step(self, step: Step) -> None:
        match step:
            case layer.Flow():
                self.flow(step)
            case SelfArrival():
                self.self_arrival(step)
            case Release():
                self.release(step)

    def finish(self) -> None:
        if self.given:
            self.add("v_leak", -self.alpha)
        elif self.p.level <= 0.0:
            self.add("v_reset", self.alpha)

    def flow(self, step: layer.Flow) -> None:
        """Time without an event."""
        p, dt, tau_mem, tau_syn = self.p, step.dt, self.p.tau_mem, self.p.tau_syn
        y = decay(dt, tau_syn)
        self.add("tau_syn", self.beta * step.current * y * dt / tau_syn**2)
        if step.held:
            self.beta *= y
            return
        x, gain = decay(dt, tau_mem), synaptic_gain(dt, tau_mem, tau_syn)
        by_tau_mem, by_tau_syn = synaptic_gain_slopes(dt, tau_mem, tau_syn)
        drive = p.resistance * step.current
        self.add("tau_mem", self.alpha * (step.v * x * dt / tau_mem**2 + drive * by_tau_mem))
        self.add("tau_syn", self.alpha * drive * by_tau_syn)
        self.add("resistance", self.alpha * step.current * gain)
        self.beta = y * self.beta + p.resistance * gain * self.alpha
        self.alpha *= x

    def later(self, weight: float) -> float:
        """dL/dt of an arrival of that weight: the flow before it minus the flow after it."""
        p = self.p
        return weight * (self.beta / p.tau_syn - p.resistance * self.alpha / p.tau_mem)

    def arrival(self, step: Arrival) -> float:
        later = self.later(step.weight)
        self.sums.weights[step.synapse] += self.beta
        self.sums.delays[step.synapse] += later
        return later

    def self_arrival(self, step: SelfArrival) -> None:
        """A spike of its own."""
        later = self.later(self.p.self_weight)
        self.sums.self_weights[self.neuron] += self.beta
        self.sums.self_delays[self.neuron] += later
        self.pass_on(step.spike, later)

    def release(self, step: Release) -> None:
        """The end of a refractory time."""
        p, pull = self.p, -self.alpha / self.p.tau_mem
        later = pull * (p.resistance * step.state.current - p.v_reset)
        self.pass_on(step.spike, later)
        if p.refractory == 0.0 and p.self_delay == 0.0:
            # A hold would begin to grow with the self-jump before its end.
            later += pull * p.resistance * p.self_weight
        self.add("refractory", later)
        self.add("v_reset", self.alpha)
        self.alpha = 0.0

    def spike(self, step: Spike, k: int, by_time: float, by_voltage: float) -> None:
        p, a = self.p, step.state.a
        slope = (p.resistance * step.state.current - p.level) / p.tau_mem
        if p.adaptation > 0.0:
            self._to_spike(step)
            by_time += self.kappa / p.tau_adaptation
            rise = p.adaptation * a  # V is at the level plus the rise, which falls
            slope += rise / p.tau_adaptation - rise / p.tau_mem
        self.alpha = by_voltage
        if slope > 0.0:
            self.alpha -= (by_time + self.through.get(k, 0.0)) / slope
        else:
            self.sums.grazes += 1
        self.add("threshold", -self.alpha)
        if p.tau_adaptation > 0.0:
            self.add("adaptation", -a * self.alpha)
            self.kappa -= p.adaptation * self.alpha
            self.later_spike = step

    def _to_spike(self, step: Spike) -> None:
        """Take kappa from the spike behind to right after this one."""
        if self.later_spike is not None:
            dt, tau = self.later_spike.time - step.time, self.p.tau_adaptation
            self.add("tau_adaptation", self.kappa * self.later_spike.state.a * dt / tau**2)
            self.kappa *= decay(dt, tau)


def backward(
    job: Job, trains: SpikeTrains, by_time: Floats, by_voltage: Floats, piece: Piece | None = None
) -> StageGradients:
    sums, start, given = new_sums(job), start_state(job), voltages_given(job)
    for sample in range(job.n_samples):
        spikes = numbers_of(trains, sample)
        for neuron, p in enumerate(layer.neurons(job)):
            turn = Back(p, neuron, sums, spikes[neuron], given[neuron])
            log = [(0, step) for step in layer.walk(job, start, p, sample, neuron)[0]]
            go_back(job, sample, log, [turn], by_time, by_voltage)
            turn.finish()
    return gradients(job, sums)


def voltages_given(job: Job) -> list[bool]:
    """Whether the voltage at time zero is given, by neuron."""
    size = int(job.stage.member_start[-1])
    return [False] * size if job.start is None else job.start.given.tolist()


def new_sums(job: Job) -> Sums:
    """Nothing added yet."""
    p = job.stage.population
    names = SPIKING + (ADAPTIVE if p.is_adaptive else ())
    return Sums.of(job, {name: np.zeros(p.size) for name in names})


def gradients(job: Job, sums: Sums) -> StageGradients:
    """The sums of a stage, complete."""
    found = sums.parameters
    found["v_leak"] -= found["threshold"] + found["v_reset"]
    return sums.gradients(job, found)
