r"""One spiking population, backward: the steps of the forward walk, read from the end.

:math:`\alpha = \partial L / \partial v` and :math:`\beta = \partial L / \partial I` are carried
through every step by the transpose of its linear map; parameters collect the derivative of that
map. They are the adjoints of Wunderlich and Pehle in other units,
:math:`\alpha = -\tau_m \lambda_V`, :math:`\beta = -\tau_s \lambda_I`; see :mod:`eventsim.adjoint`
for the derivation. Where the threshold is adaptive :math:`\kappa = \partial L / \partial a` goes
from spike to spike, see :mod:`eventsim.neuron.adaptive`.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np

from eventsim.arrays import Floats
from eventsim.engine.contract.job import Job, StageGradients
from eventsim.engine.contract.piece import Piece
from eventsim.engine.contract.state import start_state
from eventsim.engine.reference import layer
from eventsim.engine.reference.gather import Arrival
from eventsim.errors import BackendError
from eventsim.events import SpikeTrains
from eventsim.network.parts import ADAPTIVE
from eventsim.neuron.lif import decay, synaptic_gain, synaptic_gain_slopes

SPIKING = ("tau_mem", "tau_syn", "resistance", "threshold", "v_leak", "v_reset", "refractory")


@dataclass
class Sums:
    """What all neurons of a stage add to."""

    weights: Floats
    delays: Floats
    self_weights: Floats
    self_delays: Floats
    source_times: list[Floats]
    parameters: dict[str, Floats]
    grazes: int = 0


@dataclass
class Back:
    """Adjoint state of one neuron in one sample; ``later_spike`` is the one behind, with kappa."""

    p: layer.Neuron
    neuron: int
    by_time: Sequence[float]
    by_voltage: Sequence[float]
    sums: Sums
    alpha: float = 0.0
    beta: float = 0.0
    kappa: float = 0.0
    later_spike: layer.Spike | None = None
    through: dict[int, float] = field(default_factory=dict)

    def add(self, name: str, value: float) -> None:
        """Add to dL/d(parameter) of this neuron."""
        self.sums.parameters[name][self.neuron] += value

    def run(self, steps: Sequence[layer.Step]) -> None:
        """All steps of a sample, from the last to the first."""
        spike = sum(isinstance(step, layer.Spike) for step in steps)
        for step in reversed(steps):
            if isinstance(step, layer.Spike):
                spike -= 1
                self.spike(step, spike, self.by_time[spike])
            else:
                self.step(step)
        self.finish()

    def step(self, step: layer.Step) -> None:
        """Any step but a spike."""
        match step:
            case layer.Flow():
                self.flow(step)
            case Arrival():
                self.arrival(step)
            case layer.SelfArrival():
                self.self_arrival(step)
            case layer.Release():
                self.release(step)

    def finish(self) -> None:
        """The start of the sample."""
        if self.p.level <= 0.0:
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

    def arrival(self, step: Arrival) -> None:
        """A spike of a source."""
        self.sums.weights[step.synapse] += self.beta
        self.sums.delays[step.synapse] += self.later(step.weight)
        self.sums.source_times[step.afferent][step.spike] += self.later(step.weight)

    def self_arrival(self, step: layer.SelfArrival) -> None:
        """A spike of its own."""
        later = self.later(self.p.self_weight)
        self.sums.self_weights[self.neuron] += self.beta
        self.sums.self_delays[self.neuron] += later
        self.through[step.spike] = self.through.get(step.spike, 0.0) + later

    def release(self, step: layer.Release) -> None:
        """The end of a refractory time."""
        p, pull = self.p, -self.alpha / self.p.tau_mem
        later = pull * (p.resistance * step.current - p.v_reset)
        self.through[step.spike] = self.through.get(step.spike, 0.0) + later
        if p.refractory == 0.0 and p.self_delay == 0.0:
            # A hold would begin to grow with the self-jump before its end.
            later += pull * p.resistance * p.self_weight
        self.add("refractory", later)
        self.add("v_reset", self.alpha)
        self.alpha = 0.0

    def spike(self, step: layer.Spike, k: int, by_time: float) -> None:
        """Spike number k; ``by_time`` is all that came of it outside the neuron."""
        p = self.p
        slope = (p.resistance * step.current - p.level) / p.tau_mem
        if p.adaptation > 0.0:
            self._to_spike(step)
            by_time += self.kappa / p.tau_adaptation
            rise = p.adaptation * step.a  # V is at the level plus the rise, which falls
            slope += rise / p.tau_adaptation - rise / p.tau_mem
        self.alpha = self.by_voltage[k]
        if slope > 0.0:
            self.alpha -= (by_time + self.through.get(k, 0.0)) / slope
        else:
            self.sums.grazes += 1
        self.add("threshold", -self.alpha)
        if p.tau_adaptation > 0.0:
            self.add("adaptation", -step.a * self.alpha)
            self.kappa -= p.adaptation * self.alpha
            self.later_spike = step

    def _to_spike(self, step: layer.Spike) -> None:
        """Take kappa from the spike behind to right after this one."""
        if self.later_spike is not None:
            dt, tau = self.later_spike.time - step.time, self.p.tau_adaptation
            self.add("tau_adaptation", self.kappa * self.later_spike.a * dt / tau**2)
            self.kappa *= decay(dt, tau)


def backward(
    job: Job, trains: SpikeTrains, by_time: Floats, by_voltage: Floats, piece: Piece | None = None
) -> StageGradients:
    whole_only(piece)
    sums = new_sums(job)
    start = start_state(job)
    for sample in range(job.n_samples):
        lo, hi = trains.offsets[sample], trains.offsets[sample + 1]
        for neuron, p in enumerate(layer.neurons(job)):
            mine = np.flatnonzero(trains.neurons[lo:hi] == neuron) + lo
            state = Back(p, neuron, by_time[mine].tolist(), by_voltage[mine].tolist(), sums)
            state.run(layer.walk(job, start, p, sample, neuron)[0])
    return gradients(job, sums)


def whole_only(piece: object) -> None:
    """Raise BackendError for a piece."""
    if piece is not None:
        raise BackendError(
            "Backend 'reference' computes gradients of whole runs only, not by chunk. Run the "
            "chunks with backend='cpu'."
        )


def new_sums(job: Job) -> Sums:
    """Nothing added yet."""
    size, synapses = job.stage.population.size, job.stage.wiring.synapse.size
    names = SPIKING + (ADAPTIVE if job.stage.population.is_adaptive else ())
    return Sums(
        weights=np.zeros(synapses),
        delays=np.zeros(synapses),
        self_weights=np.zeros(size),
        self_delays=np.zeros(size),
        source_times=[np.zeros(source.times.size) for source in job.sources],
        parameters={name: np.zeros(size) for name in names},
    )


def gradients(job: Job, sums: Sums) -> StageGradients:
    """The sums of a stage, complete."""
    sums.parameters["v_leak"] = -sums.parameters["threshold"] - sums.parameters["v_reset"]
    return StageGradients(
        parameters=sums.parameters,
        weights=sums.weights,
        delays=sums.delays if job.stage.delays_per_synapse else None,
        self_weights=sums.self_weights,
        self_delays=sums.self_delays,
        source_times=tuple(sums.source_times),
        grazes=sums.grazes,
    )
