"""Seeds: the derivatives of a loss by the results of a run, where the backward pass starts."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Protocol

import numpy as np

from eventsim.adjoint.linear.neurons import Neurons
from eventsim.adjoint.linear.voltage import Probe
from eventsim.arrays import Array, Floats
from eventsim.engine.contract.job import DirectGradients
from eventsim.errors import ParameterError
from eventsim.events import SpikeTape
from eventsim.network import Network
from eventsim.summary import short_repr


@dataclass(frozen=True, eq=False)
class SpikeSeed:
    """Derivatives by the spikes of a population, in the order of the tape.

    Attributes
    ----------
    time
        dL/dt per spike, shape [spikes], or None for zero.
    voltage
        A pseudo-gradient added to dL/dV just before every spike, shape [spikes], or None. Spike
        counts are piecewise constant and have no exact gradient; this is where a regulariser
        of counts may act: a negative value asks for more spikes.
    """

    time: Floats | None = None
    voltage: Floats | None = None

    __repr__ = short_repr

    def scaled(self, weight: float) -> "SpikeSeed":
        """The derivatives times ``weight``. New arrays."""
        time, voltage = (None if v is None else weight * v for v in (self.time, self.voltage))
        return SpikeSeed(time, voltage)


@dataclass(frozen=True, eq=False)
class ReadoutSeed:
    """Derivative by the weighted integral of a readout.

    Attributes
    ----------
    time_constant
        ms, as given to :func:`eventsim.readout_integral`.
    integral
        dL/d(integral), shape [samples, size].
    begin
        ms, shape [samples], where the integral begins, as given there; None for the start. It
        counts as given: no derivative by it is taken.
    """

    time_constant: float
    integral: Floats
    begin: Floats | None = None

    __repr__ = short_repr

    def scaled(self, weight: float) -> "ReadoutSeed":
        """The derivatives times ``weight``. New arrays."""
        return ReadoutSeed(self.time_constant, weight * self.integral, self.begin)


@dataclass(frozen=True, eq=False)
class VoltageSeed:
    """Derivatives by the voltages of a probe, of neurons that do not fire.

    Attributes
    ----------
    probe
        Whose voltages.
    by_voltage
        dL/dV at its asked times, of the shape of its voltages.
    by_parameter
        What the loss itself, at fixed voltages, gives parameters of the neurons, [rows] each.
    """

    probe: Probe
    by_voltage: Floats
    by_parameter: Mapping[str, Floats] = field(default_factory=dict)

    __repr__ = short_repr

    @property
    def neurons(self) -> Neurons:
        """Neurons whose voltages the probe has."""
        return self.probe.neurons

    def scaled(self, weight: float) -> "VoltageSeed":
        """The derivatives times ``weight``. New arrays."""
        by_parameter = _scaled(self.by_parameter, weight)
        return VoltageSeed(self.probe, weight * self.by_voltage, by_parameter)

    def direct(self) -> DirectGradients:
        """Gradients by the parameters, synapses and spikes that act on the neurons."""
        found, n = self.probe.backward(self.by_voltage), self.neurons.chosen.size
        parameters = dict(found.parameters)
        for name, values in self.by_parameter.items():
            own = values.reshape(-1, n).sum(axis=0)
            parameters[name] = parameters[name] + own if name in parameters else own
        return found._replace(parameters=parameters)


@dataclass(frozen=True, eq=False)
class DirectSeed:
    """A :class:`VoltageSeed` carried back already, so that no arrivals have to be kept."""

    neurons: Neurons  # on which the loss acts
    found: DirectGradients  # its derivatives

    @classmethod
    def of(cls, seed: VoltageSeed) -> "DirectSeed":
        """Carry a seed back, and forget its arrivals."""
        return cls(seed.neurons.without_arrivals(), seed.direct())

    def scaled(self, weight: float) -> "DirectSeed":
        """The derivatives times ``weight``. New arrays."""
        synapses, delays, spikes, parameters = self.found
        delays = None if delays is None else weight * delays
        found = DirectGradients(
            weight * synapses, delays, weight * spikes, _scaled(parameters, weight)
        )
        return DirectSeed(self.neurons, found)

    def direct(self) -> DirectGradients:
        """Gradients by the parameters, synapses and spikes that act on the neurons."""
        return self.found


@dataclass(frozen=True, eq=False)
class DecisionSeed:
    """Derivatives by the network's linear decision, under the name of its readout.

    Attributes
    ----------
    values
        By the decision's keys of ``Network.parameters()``.
    """

    values: Mapping[str, Floats]

    __repr__ = short_repr

    def scaled(self, weight: float) -> "DecisionSeed":
        """The derivatives times ``weight``. New arrays."""
        return DecisionSeed(_scaled(self.values, weight))


Seed = SpikeSeed | ReadoutSeed | VoltageSeed | DirectSeed | DecisionSeed

# By population: an array is dL/dt per spike, a tuple holds several seeds.
Seeds = Mapping[str, Floats | Seed | tuple[Seed, ...]]


class Loss(Protocol):
    """Anything that turns a run into a number and its derivatives."""

    def __call__(self, net: Network, tape: SpikeTape) -> tuple[float, Seeds]:
        """Value, and seeds by population."""


def merge_seeds(
    first: Seeds, second: Seeds, *, weight: float = 1.0
) -> dict[str, Seed | tuple[Seed, ...]]:
    """Add ``weight`` times the second seeds to the first.

    A seed that is neither scaled nor added to is the one that was given.

    Raises
    ------
    ParameterError
        The same readout is weighed with different time constants, or from different times on.
    """
    merged: dict[str, tuple[Seed, ...]] = {}
    for seeds, factor in ((first, 1.0), (second, weight)):
        for name, given in seeds.items():
            own = seeds_of(given)
            if factor != 1.0:
                own = tuple(seed.scaled(factor) for seed in own)
            merged[name] = joined(name, (*merged.get(name, ()), *own))
    return {name: seeds[0] if len(seeds) == 1 else seeds for name, seeds in merged.items()}


def seeds_of(given: Any) -> tuple[Seed, ...]:
    """The seeds of one population, as an entry of :data:`Seeds` gives them."""
    if isinstance(given, Seed):
        return (given,)
    if isinstance(given, tuple) and given and all(isinstance(one, Seed) for one in given):
        return given
    return (SpikeSeed(time=given),)


def joined(name: str, seeds: tuple[Seed, ...]) -> tuple[Seed, ...]:
    """Join all seeds of the spikes to one, and all of the integral; others stay as they are."""
    found: list[Seed] = []
    for seed in seeds:
        place = next((k for k, one in enumerate(found) if type(one) is type(seed)), None)
        if place is None or not isinstance(seed, SpikeSeed | ReadoutSeed):
            found.append(seed)
        else:
            found[place] = _sum(name, found[place], seed)
    return tuple(found)


def _sum(name: str, first: Seed, second: Seed) -> Seed:
    if isinstance(first, SpikeSeed) and isinstance(second, SpikeSeed):
        time = _sum_of_given(first.time, second.time)
        return SpikeSeed(time, _sum_of_given(first.voltage, second.voltage))
    assert isinstance(first, ReadoutSeed)
    assert isinstance(second, ReadoutSeed)
    if first.time_constant != second.time_constant:
        raise ParameterError(
            "SumOfLosses",
            f"readout {name!r} is weighed with time constants {first.time_constant} and "
            f"{second.time_constant} ms",
            "one",
            "Give both losses the same.",
        )
    begin, other = (0.0 if one.begin is None else one.begin for one in (first, second))
    if not np.all(np.equal(begin, other)):
        raise ParameterError(
            "SumOfLosses",
            f"readout {name!r} is weighed from different times on",
            "the same onset",
            "Give both losses the same.",
        )
    return ReadoutSeed(first.time_constant, first.integral + second.integral, first.begin)


def _sum_of_given(first: Floats | None, second: Floats | None) -> Floats | None:
    if first is None or second is None:
        return second if first is None else first
    return first + second


def _scaled(values: Mapping[str, Array], weight: float) -> dict[str, Array]:
    return {key: weight * one for key, one in values.items()}
