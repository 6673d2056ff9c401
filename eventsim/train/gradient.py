r"""gradient: the exact adjoint, and what losses of voltages at times of their own add to it.

The engine's backward pass starts from spikes and from weighted integrals of readouts. A loss of a
readout's voltage at chosen times, or of the largest voltage of a neuron that stayed silent, acts on
that population's own parameters and synapses, and on the spikes that reach it. All of these are
closed forms (:mod:`eventsim.train.voltage`): the first are added to the gradients, the second join
the seeds :math:`\partial L/\partial t` of the sources' spikes, from which the adjoint goes on.
:func:`eventsim.adjoint.backward` by itself refuses such seeds.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any, Protocol

import numpy as np

from eventsim.adjoint import Gradients, ReadoutSeed, SpikeSeed, backward
from eventsim.adjoint.finite import Given, require_finite, require_finite_loss
from eventsim.adjoint.gradients import PopulationGradients, ProjectionGradients
from eventsim.arrays import Array, Floats, beside, namespace, owners
from eventsim.engine.job import DirectGradients
from eventsim.errors import ParameterError
from eventsim.events import SpikeTape
from eventsim.network import Network, Projection
from eventsim.plan import make_plan
from eventsim.train.linear import Neurons
from eventsim.train.voltage import PeakProbe, VoltageProbe

OwnSeed = SpikeSeed | ReadoutSeed


@dataclass(frozen=True, eq=False)
class VoltageTerm:
    """Derivatives by the voltages of one probe.

    Attributes
    ----------
    probe
        Whose voltages.
    by_voltage
        dL/dV at its asked times, [rows, asked].
    by_parameter
        What the loss itself, at fixed voltages, gives parameters of the neurons, [rows] each.
    """

    probe: VoltageProbe | PeakProbe
    by_voltage: Floats
    by_parameter: Mapping[str, Floats] = field(default_factory=dict)

    @property
    def neurons(self) -> Neurons:
        """Whose voltages."""
        return self.probe.neurons

    def scaled(self, weight: float) -> "VoltageTerm":
        """The derivatives times ``weight``."""
        by_parameter = {name: weight * values for name, values in self.by_parameter.items()}
        return VoltageTerm(self.probe, weight * self.by_voltage, by_parameter)

    def backward(self) -> DirectGradients:
        """What it gives parameters, synapses and spikes that act on the neurons."""
        found, n = self.probe.backward(self.by_voltage), self.probe.neurons.chosen.size
        parameters = dict(found.parameters)
        for name, values in self.by_parameter.items():
            own = values.reshape(-1, n).sum(axis=0)
            parameters[name] = parameters[name] + own if name in parameters else own
        return found._replace(parameters=parameters)


@dataclass(frozen=True, eq=False)
class DirectTerm:
    """As :class:`VoltageTerm`, carried back already, so that no arrivals have to be kept.

    Attributes
    ----------
    neurons
        On which the loss acts.
    found
        Its derivatives.
    """

    neurons: Neurons
    found: DirectGradients

    @classmethod
    def of(cls, term: VoltageTerm) -> "DirectTerm":
        """Carry a term back, and forget its arrivals."""
        return cls(term.neurons.without_arrivals(), term.backward())

    def scaled(self, weight: float) -> "DirectTerm":
        """The derivatives times ``weight``."""
        parameters = {name: weight * values for name, values in self.found.parameters.items()}
        found = DirectGradients(
            synapses=weight * self.found.synapses,
            delays=weight * self.found.delays,
            spikes=weight * self.found.spikes,
            parameters=parameters,
        )
        return DirectTerm(self.neurons, found)

    def backward(self) -> DirectGradients:
        """As :meth:`VoltageTerm.backward`."""
        return self.found


@dataclass(frozen=True, eq=False)
class VoltageSeed:
    """Derivatives by a population's voltages at chosen times.

    Attributes
    ----------
    terms
        One per probe.
    other
        Seed of the same population that :func:`eventsim.adjoint.backward` takes, or None.
    decision
        Derivatives by the values of the linear decision behind the population, by their keys, in
        arrays of the tape's library.
    """

    terms: tuple[VoltageTerm | DirectTerm, ...]
    other: OwnSeed | None = None
    decision: Mapping[str, Floats] = field(default_factory=dict)


AnySeed = OwnSeed | VoltageSeed
AnySeeds = Mapping[str, Floats | SpikeSeed | ReadoutSeed | VoltageSeed]


class AnyLoss(Protocol):
    """As :class:`eventsim.adjoint.Loss`, voltages at chosen times included."""

    def __call__(self, net: Network, tape: SpikeTape) -> tuple[float, AnySeeds]:
        """Value, and seeds by population."""


def gradient(net: Network, tape: SpikeTape, seeds: AnySeeds | AnyLoss) -> Gradients:
    """Exact gradients, as :func:`eventsim.adjoint.backward`, of every loss of this package.

    Parameters
    ----------
    net, tape
        The network and its run.
    seeds
        A loss, or derivatives by population, those by voltages among them.
    """
    make_plan(net).check_tape(tape, "gradient")
    loss = np.nan
    if callable(seeds):
        given = seeds
        loss, seeds = given(net, tape)
        require_finite_loss("gradient", loss, given)
    plain: dict[str, AnySeed] = {}
    direct: list[tuple[Neurons, DirectGradients]] = []
    decided: dict[str, Floats] = {}
    for name, seed in seeds.items():
        if not isinstance(seed, VoltageSeed):
            plain |= merge_seeds({}, {name: seed})
            continue
        if seed.other is not None:
            plain[name] = seed.other
        _require_finite(name, seed)
        direct += [(term.neurons, term.backward()) for term in seed.terms]
        decided |= seed.decision
    by_input: list[Array] = []
    for neurons, found in direct:
        plain = merge_seeds(plain, _of_sources(net, neurons, found, by_input))
    gradients = backward(net, tape, _owned(plain))
    if not direct:
        return replace(gradients, loss=loss)
    total = gradients.flat()
    for neurons, found in direct:
        _add(net, neurons, found, total)
    return replace(
        gradients,
        populations=_regrouped(gradients.populations, total),
        projections=_regrouped(gradients.projections, total),
        input_times=sum(by_input, start=gradients.input_times),
        decision={
            key: values + beside(decided[key], values) if key in decided else values
            for key, values in gradients.decision.items()
        },
        loss=loss,
    )


def merge_seeds(first: AnySeeds, second: AnySeeds, *, weight: float = 1.0) -> dict[str, AnySeed]:
    """Add ``weight`` times the second seeds to the first. New arrays."""
    merged = {name: _scaled(seed, 1.0) for name, seed in first.items()}
    for name, seed in second.items():
        scaled = _scaled(seed, weight)
        merged[name] = _added(name, merged[name], scaled) if name in merged else scaled
    return merged


def _require_finite(name: str, seed: VoltageSeed) -> None:
    """Of what :func:`eventsim.adjoint.backward` does not see."""
    values = [term.by_voltage for term in seed.terms if isinstance(term, VoltageTerm)]
    given = [Given(f"dL/dV of {name!r}", one, lambda k: f"entry {k}") for one in values]
    given += [
        Given(f"dL/d({key})", one, lambda k: f"entry {k}") for key, one in seed.decision.items()
    ]
    require_finite("gradient", given)


def _of_sources(
    net: Network, neurons: Neurons, found: DirectGradients, by_input: list[Array]
) -> dict[str, AnySeed]:
    """Seeds of the spikes that reach the neurons; those of the input go into ``by_input``."""
    seeds: dict[str, AnySeed] = {}
    start = 0
    for projection, source in zip(neurons.job.stage.projections, neurons.job.sources, strict=True):
        mine = found.spikes[start : start + source.times.size]
        start += source.times.size
        if net.population(projection.source).kind == "input":
            by_input.append(mine)
        else:
            seeds = merge_seeds(seeds, {projection.source: SpikeSeed(time=mine)})
    return seeds


def _owned(seeds: Mapping[str, AnySeed]) -> dict[str, OwnSeed]:
    """The seeds that the engine's backward pass takes."""
    return {name: seed for name, seed in seeds.items() if not isinstance(seed, VoltageSeed)}


def _add(net: Network, neurons: Neurons, found: DirectGradients, total: dict[str, Floats]) -> None:
    """Add what acts on the neurons directly to the gradients by key."""
    stage = neurons.job.stage
    bounds = [int(number) for number in stage.wiring.synapse_start]
    for projection, lo, hi in zip(stage.projections, bounds[:-1], bounds[1:], strict=True):
        weights = found.synapses[lo:hi].reshape(projection.values.shape)
        delays = _by_delay(neurons, projection, found.delays[lo:hi])
        for key, values in (("weights", weights), ("delays", delays)):
            before = total[f"{projection.name}.{key}"]
            total[f"{projection.name}.{key}"] = before + beside(values, before)
    starts = [int(number) for number in stage.member_start]
    for member, lo, hi in zip(stage.members, starts[:-1], starts[1:], strict=True):
        mine = (neurons.chosen >= lo) & (neurons.chosen < hi)
        for key, values in found.parameters.items():
            before = total[f"{member.name}.{key}"]
            added = namespace(values).zeros(hi - lo)
            added[namespace(values).asarray(neurons.chosen[mine] - lo)] = values[
                namespace(values).asarray(np.flatnonzero(mine))
            ]
            total[f"{member.name}.{key}"] = before + beside(added, before)


def _by_delay(neurons: Neurons, projection: Projection, by_synapse: Array) -> Array:
    """From delays of synapses to those that the projection has."""
    xp = namespace(by_synapse)
    if projection.delays.ndim == 0:
        return xp.asarray(by_synapse.sum())
    if projection.delay_per_synapse:
        return by_synapse.reshape(projection.delays.shape)
    if projection.kind == "dense":
        return by_synapse.reshape(projection.values.shape).sum(axis=1)
    indptr = xp.asarray(projection.weights.indptr)
    row = owners(indptr, by_synapse.size)
    return neurons.sum_by(by_synapse, row, int(projection.weights.shape[0]))


def _scaled(seed: Floats | AnySeed, weight: float) -> AnySeed:
    if isinstance(seed, VoltageSeed):
        other = None if seed.other is None else _scaled(seed.other, weight)
        assert not isinstance(other, VoltageSeed)
        decision = {key: weight * values for key, values in seed.decision.items()}
        return VoltageSeed(tuple(term.scaled(weight) for term in seed.terms), other, decision)
    if isinstance(seed, ReadoutSeed):
        return ReadoutSeed(time_constant=seed.time_constant, integral=weight * seed.integral)
    if isinstance(seed, SpikeSeed):
        return SpikeSeed(
            time=None if seed.time is None else weight * seed.time,
            voltage=None if seed.voltage is None else weight * seed.voltage,
        )
    return SpikeSeed(time=weight * seed)


def _added(name: str, first: AnySeed, second: AnySeed) -> AnySeed:
    if isinstance(first, VoltageSeed) or isinstance(second, VoltageSeed):
        one, two = (
            s if isinstance(s, VoltageSeed) else VoltageSeed((), s) for s in (first, second)
        )
        others = [seed.other for seed in (one, two) if seed.other is not None]
        other = _added(name, *others) if len(others) == 2 else next(iter(others), None)
        assert not isinstance(other, VoltageSeed)
        decision = dict(one.decision)
        for key, values in two.decision.items():
            decision[key] = decision[key] + values if key in decision else values
        return VoltageSeed(one.terms + two.terms, other, decision)
    if isinstance(first, SpikeSeed) and isinstance(second, SpikeSeed):
        return SpikeSeed(
            time=_sum_of_given(first.time, second.time),
            voltage=_sum_of_given(first.voltage, second.voltage),
        )
    if isinstance(first, ReadoutSeed) and isinstance(second, ReadoutSeed):
        if first.time_constant == second.time_constant:
            integral = first.integral + second.integral
            return ReadoutSeed(time_constant=first.time_constant, integral=integral)
        raise ParameterError(
            f"SumOfLosses: readout {name!r} is weighed with time constants {first.time_constant} "
            f"and {second.time_constant} ms, expected one. Give both losses the same."
        )
    raise ParameterError(f"SumOfLosses: {name!r} has seeds for spikes and for a readout.")


def _sum_of_given(first: Floats | None, second: Floats | None) -> Floats | None:
    if first is None or second is None:
        return second if first is None else first
    return first + second


def _regrouped(groups: Mapping[str, Any], total: Mapping[str, Floats]) -> dict[str, Any]:
    """Gradients of populations, or of projections, with the values of ``total``."""
    found: dict[str, Any] = {}
    for name, group in groups.items():
        if isinstance(group, PopulationGradients):
            values = {key: total[f"{name}.{key}"] for key in group.parameters}
            found[name] = PopulationGradients(values)
        else:
            found[name] = ProjectionGradients(total[f"{name}.weights"], total[f"{name}.delays"])
    return found
