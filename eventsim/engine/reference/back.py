"""The way back over the log of a sample: neuron by neuron, or those of a loop together."""

from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from eventsim.arrays import Floats
from eventsim.engine.contract.job import Job, StageGradients
from eventsim.engine.contract.table import stage_gradients
from eventsim.engine.reference.walk import Arrival, Log, Spike, Step
from eventsim.events import SpikeTrains


@dataclass
class Sums:
    """Sums over all neurons of a stage; ``parameters`` are those of the kind of neurons."""

    weights: Floats
    delays: Floats
    self_weights: Floats
    self_delays: Floats
    source_times: list[Floats]
    parameters: dict[str, Floats]
    grazes: int = 0

    @classmethod
    def of(cls, job: Job, parameters: dict[str, Floats]) -> "Sums":
        """Nothing added yet, beside what ``parameters`` begin as."""
        size, n = int(job.stage.member_start[-1]), job.stage.wiring.target.size
        (weights, delays), (own, own_delays) = np.zeros((2, n)), np.zeros((2, size))
        times = [np.zeros(source.times.size) for source in job.sources]
        return cls(weights, delays, own, own_delays, times, parameters)

    def gradients(self, job: Job, parameters: Mapping[str, Floats]) -> StageGradients:
        """The sums of a stage, with dL/d of its parameters by name."""
        own, times = (self.self_weights, self.self_delays), tuple(self.source_times)
        return stage_gradients(
            job, parameters, weights=self.weights, delays=self.delays, effects=times, own=own,
            grazes=self.grazes,
        )  # fmt: skip


@dataclass
class AbstractBack(ABC):
    """A neuron on its way back; ``spikes`` are the numbers in the tape of those still to come.

    ``through`` gathers dL/dt of each by the neuron's own restart and return.
    """

    p: Any
    neuron: int
    sums: Sums
    spikes: list[int]
    through: dict[int, float] = field(default_factory=dict, kw_only=True)

    def add(self, name: str, value: Any) -> None:
        """Add to dL/d(parameter) of this neuron."""
        self.sums.parameters[name][self.neuron] += value

    def pass_on(self, spike: int, later: float) -> None:
        """Add to dL/dt of one of its own spikes."""
        self.through[spike] = self.through.get(spike, 0.0) + later

    @abstractmethod
    def arrival(self, step: Arrival) -> float:
        """A spike of a source; dL/dt of it."""

    @abstractmethod
    def spike(self, step: Spike, k: int, by_time: float, by_voltage: float) -> None:
        """Spike number k; ``by_time`` is all that came of it outside the neuron."""

    @abstractmethod
    def step(self, step: Step) -> None:
        """Any other step."""

    @abstractmethod
    def finish(self) -> None:
        """The start of the sample."""


def numbers_of(trains: SpikeTrains, sample: int) -> list[list[int]]:
    """Numbers in the tape of a sample's spikes, by neuron."""
    lo, hi = trains.offsets[sample], trains.offsets[sample + 1]
    mine = (np.flatnonzero(trains.neurons[lo:hi] == n) + lo for n in range(trains.size))
    return [numbers.tolist() for numbers in mine]


def go_back(
    job: Job, sample: int, log: Log, turns: Sequence[AbstractBack], by_time: Floats,
    by_voltage: Floats,
) -> None:  # fmt: skip
    """Go back over all steps of a log; dL/dt caused by a loop's spikes goes into ``by_time``."""
    for n, step in reversed(log):
        turn = turns[n]
        if isinstance(step, Arrival):
            later, times = turn.arrival(step), turn.sums.source_times[step.afferent]
            times[_number(job, sample, turns, step, later, by_time)] += later
        elif isinstance(step, Spike):
            k = turn.spikes.pop()
            turn.spike(step, len(turn.spikes), by_time[k], by_voltage[k])
        else:
            turn.step(step)


def _number(
    job: Job, sample: int, turns: Sequence[AbstractBack], step: Arrival, later: float,
    by_time: Floats,
) -> int:  # fmt: skip
    """The spike of an arrival among those of its afferent; of a loop, ``by_time`` of it grows."""
    stage, k = job.stage, step.afferent
    if k < len(stage.afferents):
        return step.spike
    sent, source = job.sources[k], step.row - stage.wiring.row_start[k]
    by_time[turns[stage.start_of(stage.projections[k].source) + source].spikes[step.spike]] += later
    first, last = sent.offsets[sample : sample + 2]
    return int(first + np.flatnonzero(sent.neurons[first:last] == source)[step.spike])
