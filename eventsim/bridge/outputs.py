"""Results of a run of a module: tensors that autograd can differentiate."""

from collections.abc import Mapping
from dataclasses import dataclass
from numbers import Real
from typing import Any

import torch

from eventsim.bridge.share import to_torch
from eventsim.bridge.voltage import readout_voltage
from eventsim.errors import NetworkError, ParameterError
from eventsim.events import SpikeTape, SpikeTrains
from eventsim.network import Network


@dataclass(frozen=True, eq=False)
class Spikes:
    """Spikes of one population, sorted by (sample, time, neuron). Do not change them in place.

    Attributes
    ----------
    times
        Tensor float64 [spikes], ms; differentiable.
    trains
        The record itself.
    """

    times: Any
    trains: SpikeTrains

    @property
    def neurons(self) -> Any:
        """Tensor int32 [spikes]."""
        return to_torch(self.trains.neurons)

    @property
    def samples(self) -> Any:
        """Tensor int64 [spikes]."""
        return to_torch(self.trains.train_numbers() // self.trains.size)

    def counts(self) -> Any:
        """Spikes of every neuron, tensor int64 [samples, size]. Constant: no gradient."""
        return to_torch(self.trains.counts())

    def first(self, silent: float) -> Any:
        """Time of every neuron's first spike, tensor [samples, size]; ``silent`` without one."""
        given: Any = silent
        if not isinstance(given, Real):
            raise ParameterError(
                "Spikes.first", f"silent is of type {type(given).__name__}", "a number (ms)"
            )
        numbers = to_torch(self.trains.train_numbers())
        # Within a train times ascend: the first entry of a number is its first spike.
        order = torch.argsort(numbers, stable=True)
        ordered = numbers[order]
        begins = torch.ones_like(ordered, dtype=torch.bool)
        begins[1:] = ordered[1:] != ordered[:-1]
        shape = (self.trains.n_samples, self.trains.size)
        found = self.times.new_full((shape[0] * shape[1],), silent)
        return found.index_put((ordered[begins],), self.times[order[begins]]).reshape(shape)


@dataclass(frozen=True, eq=False)
class Outputs:
    """Results of a run.

    Attributes
    ----------
    readouts
        Weighted integrals of V by readout, tensors float64 [samples, size].
    spikes
        By spiking population.
    tape
        The record of the run.
    """

    readouts: Mapping[str, Any]
    spikes: Mapping[str, Spikes]
    tape: SpikeTape
    net: Network
    values: Mapping[str, Any]
    input_times: Any

    @property
    def readout(self) -> Any:
        """The integrals of the only readout; NetworkError if there are none or several."""
        if len(self.readouts) != 1:
            raise NetworkError(
                "Outputs.readout",
                f"the network has {len(self.readouts)} readouts",
                "one",
                "Use .readouts, or .spikes.",
            )
        return next(iter(self.readouts.values()))

    def voltage(self, name: str, at: Any) -> Any:
        """V of a readout at times ``at``, tensor [samples, times, size]; differentiable.

        ``at`` is a tensor [times] in ms, which may itself require a gradient. Arrivals at or after
        the end of a sample are left out. Raises ParameterError or ShapeError if ``at`` is
        something else, NetworkError unless ``name`` is a readout.
        """
        times = {name: spikes.times for name, spikes in self.spikes.items()}
        times[self.net.input.name] = self.input_times
        return readout_voltage(self.net, self.tape, self.values, times, name, at)
