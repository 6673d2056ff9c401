"""Populations, with the checks that their values must pass.

A neuron's parameters, each float64 [size]:

==========  =============================  =========================  =======
name        meaning                        domain                     default
==========  =============================  =========================  =======
tau_mem     membrane time constant, ms     > 0                        20
tau_syn     synaptic time constant, ms     > 0                        5
resistance  membrane resistance            > 0, at most 1e15          1
v_leak      resting potential              finite                     0
threshold   spike threshold                > v_reset; see below       1
v_reset     potential after a spike        < threshold                0
refractory  time V is held at reset, ms    >= 0                       0
==========  =============================  =========================  =======

A readout population has the first four only. Neurons with an adaptive threshold
(:mod:`eventsim.neuron.adaptive`) have two more:

==============  ============================  ==================  =======
name            meaning                       domain              default
==============  ============================  ==================  =======
adaptation      rise of the threshold after   >= 0, at most 1e15  none
                a spike of the neuron
tau_adaptation  time constant with which the  > 0                 100
                rise decays, ms
==============  ============================  ==================  =======

Neurons of another kind (:mod:`eventsim.neuron.linear`) have the parameters of their kind in place
of these.

Voltages have no unit, but a range: ``threshold - v_leak`` is zero, or between 1e-15 and 1e15 in
absolute value, and weights are at most 1e20. Within this domain every backend gives the same
spikes in both precisions, however the network is scaled: a state counts as zero only below
1e-30 (single precision) or 1e-200 (double), far below rounding.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, Literal

import numpy as np
from numpy.typing import ArrayLike

from eventsim.arrays import Array, Floats, fetch, namespace
from eventsim.checks import every, in_domain, real_array, shaped, whole_number
from eventsim.entries import Count
from eventsim.errors import NetworkError, ParameterError, ShapeError
from eventsim.network.domain import LARGEST, LEAST, MOST, DomainCheck
from eventsim.neuron.linear import COMMON, LIF, LinearNeuron

PopulationKind = Literal["input", "spiking", "readout"]

MEMBRANE = ("tau_mem", "tau_syn", "resistance", "v_leak")
SPIKE = ("threshold", "v_reset", "refractory")
# What spiking neurons with an adaptive threshold have besides, and others do not have at all.
ADAPTIVE = ("adaptation", "tau_adaptation")
TAU_ADAPTATION = 100.0  # ms, where only the rise of the threshold is given
PARAMETERS: Mapping[str, tuple[str, ...]] = {
    "input": (),
    "spiking": MEMBRANE + SPIKE,
    "readout": MEMBRANE,
}
# Of Network.add_population; others are None.
_DEFAULTS = {"tau_mem": 20.0, "tau_syn": 5.0, "resistance": 1.0, **COMMON}
_POSITIVE = ("tau_mem", "tau_syn", "resistance", "tau_adaptation")

_SIZES = f"{LEAST:g} to {MOST:g} in absolute value; scale voltages and weights alike"


@dataclass(frozen=True, eq=False)
class Population:
    """Neurons of one kind; parameters as in the table of :mod:`eventsim.network.parts`.

    The arrays are live: changing them in place changes the network. ``neuron`` is None for LIF
    neurons with one receptor, with or without an adaptive threshold, for readouts and for the
    input.
    """

    name: str
    size: int
    kind: PopulationKind
    parameters: Mapping[str, Floats]
    neuron: LinearNeuron | None = None

    def __repr__(self) -> str:
        of = "" if self.neuron is None else f"{type(self.neuron).__name__} "
        what = "channel" if self.is_input else f"{self.kind} {of}neuron"
        return f"Population({self.name!r}, {self.size} {what}{'s' * (self.size != 1)})"

    def __getattr__(self, name: str) -> Floats:
        try:
            values: Floats = self.__dict__["parameters"][name]
        except KeyError:
            kind = self.__dict__.get("kind")
            raise AttributeError(f"population of kind {kind!r} has no {name!r}") from None
        return values

    @property
    def is_input(self) -> bool:
        """Whether it is the input's channels, which are no neurons."""
        return self.kind == "input"

    @property
    def is_spiking(self) -> bool:
        """Whether its neurons spike."""
        return self.kind == "spiking"

    @property
    def is_readout(self) -> bool:
        """Whether its neurons integrate without a threshold."""
        return self.kind == "readout"

    @property
    def is_adaptive(self) -> bool:
        """Whether its neurons have an adaptive threshold."""
        return "adaptation" in self.parameters

    def receptor(self, asked: str | None, where: str) -> str:
        """The receptor of that name, or the only one for None; NetworkError if there is none."""
        known = [""] if self.neuron is None else list(self.neuron.receptors)
        if asked is None and len(known) == 1:
            return known[0]
        if asked is None or asked not in known:
            there = "none: it has none by name" if known == [""] else f"one of {known}"
            raise NetworkError(where, f"receptor is {asked!r} of {self.name!r}", there)
        return asked

    def conditions(self) -> Iterator[DomainCheck]:
        """Conditions that the values must fulfil."""
        for name, values in self.parameters.items():
            yield DomainCheck(name, values, "a finite number", most=LARGEST)
        if self.neuron is not None:
            yield from self._conditions_of(self.neuron)
        for name, values in self._lif_parameters().items():
            if name in _POSITIVE:
                yield DomainCheck(name, values, "a value > 0", above=0.0)
            if name == "resistance":
                yield DomainCheck(name, values, f"a value <= {MOST:g}", most=MOST)
            if name == "adaptation":
                yield DomainCheck(name, values, f"a value in 0 .. {MOST:g}", least=0.0, most=MOST)
        if self.is_spiking:
            threshold, expected = self.threshold, "a value above the neuron's v_reset"
            yield DomainCheck("refractory", self.refractory, "a value >= 0 (ms)", least=0.0)
            yield DomainCheck("threshold", threshold, expected, minus=self.v_reset, above=0.0)
            yield DomainCheck(
                "threshold",
                threshold,
                f"a distance from v_leak of 0, or of {_SIZES}",
                minus=self.v_leak,
                most=MOST,
                magnitude=LEAST,
            )

    def _lif_parameters(self) -> Mapping[str, Floats]:
        return self.parameters if self.neuron is None else {}

    def _conditions_of(self, neuron: LinearNeuron) -> Iterator[DomainCheck]:
        """Further conditions of a linear neuron."""
        for name, values in self.parameters.items():
            domain = neuron.domain(name)
            if domain.above is not None:
                yield DomainCheck(name, values, f"a value > {domain.above:g}", above=domain.above)
            if domain.least is not None:
                yield DomainCheck(name, values, f"a value >= {domain.least:g}", least=domain.least)
        there = namespace(self.v_leak).asarray
        here = dict(zip(self.parameters, fetch(*self.parameters.values()), strict=True))
        with np.errstate(all="ignore"):
            matrices, growth = neuron.matrices(here), neuron.growth(here)
            restart = matrices.keep[:, 0, 0] * matrices.level + matrices.jump[:, 0]
        unstable = "0: the neuron is unstable, its state grows without end"
        yield DomainCheck("the fastest growing mode, per ms,", there(growth), unstable, most=0.0)
        below = "a value > 0: after a spike the voltage must be below the threshold"
        room = there(matrices.level - restart)
        yield DomainCheck("the threshold less the voltage after a spike", room, below, above=0.0)

    def check(self) -> None:
        """Raise ParameterError if a value has left its domain."""
        for check in self.conditions():
            check.require(f"Population {self.name!r}", check.name, of="neuron")

    def map(self, convert: Callable[[Array], Array]) -> Population:
        """The same population, every array put through ``convert``."""
        parameters = {name: convert(values) for name, values in self.parameters.items()}
        return replace(self, parameters=parameters)


def make_population(
    name: str,
    size: int,
    kind: PopulationKind,
    given: Mapping[str, ArrayLike],
    neuron: LinearNeuron | None = None,
) -> Population:
    """Check and build a population; scalars become one value per neuron."""
    if not name or "->" in name or "." in name:
        raise NetworkError("Population", f"name is {name!r}", "a text without '->' and '.'")
    size = whole_number(size, f"Population {name!r}: size")
    in_domain(f"Population {name!r}", "size", size, Count, error=ShapeError)
    parameters = {}
    adaptive = ADAPTIVE if "adaptation" in given else ()
    for key in PARAMETERS[kind] + adaptive if neuron is None else neuron.names:
        values = real_array(given[key], f"Population {name!r}: {key}")
        expected = f"one number or ({size},), one per neuron"
        shaped(f"Population {name!r}", key, values, (), (size,), expected=expected)
        parameters[key] = np.array(np.broadcast_to(values, (size,)))
    population = Population(name, size, kind, parameters, neuron)
    population.check()
    if neuron is not None and not neuron.always_stable:  # a description of one's own
        neuron.check_slopes(parameters, f"Population {name!r}")
    return population


def join_populations(members: Sequence[Population]) -> Population:
    """Populations of one kind as one, neuron after neuron. New arrays.

    Where some have an adaptive threshold, that of the others rises by 0. Where some are linear
    neurons of another kind, there is nothing that all have.
    """
    first = members[0]
    if any(p.neuron is not None for p in members):
        return Population(
            "+".join(population.name for population in members),
            sum(population.size for population in members),
            first.kind,
            {},
        )
    xp = namespace(next(iter(first.parameters.values())))
    keys = PARAMETERS[first.kind]
    given = [p.parameters for p in members]
    if any(p.is_adaptive for p in members):
        keys += ADAPTIVE
        without = {"adaptation": 0.0, "tau_adaptation": TAU_ADAPTATION}
        given = [
            {**{key: xp.full(p.size, value) for key, value in without.items()}, **p.parameters}
            for p in members
        ]
    return Population(
        "+".join(population.name for population in members),
        sum(population.size for population in members),
        first.kind,
        {key: xp.concatenate([parameters[key] for parameters in given]) for key in keys},
    )


def with_current(
    name: str, size: int, given: Mapping[str, ArrayLike], current: ArrayLike
) -> dict[str, ArrayLike]:
    """The parameters with a constant current: v_leak grows by resistance times current."""
    if np.ndim(current) == 0 and current == 0.0:
        return dict(given)
    where, shapes = f"Population {name!r}", ((), (size,))
    values = {**given, "constant_current": current}
    parts = []
    for key in ("v_leak", "resistance", "constant_current"):
        found = real_array(values[key], f"{where}: {key}")
        shaped(where, key, found, *shapes, expected=f"one number or ({size},), one per neuron")
        every(where, key, found, np.isfinite(found), "a finite number", of="neuron")
        parts.append(found)
    rest, resistance, driven = parts
    return {**given, "v_leak": rest + resistance * driven}


def spiking_population(
    name: str,
    size: int,
    given: Mapping[str, Any],
    adapting: Mapping[str, Any],
    neuron: LinearNeuron | None,
    current: ArrayLike,
) -> Population:
    """Neurons as add_population is asked for them; None of what is not given of ``adapting``."""
    if neuron is not None:
        return _linear_population(name, size, {**given, **adapting}, neuron, current)
    given = with_current(name, size, given, current)
    rise, tau = adapting["adaptation"], adapting["tau_adaptation"]
    if rise is None and tau is not None:
        raise ParameterError(
            f"Population {name!r}",
            "tau_adaptation is given without adaptation, the rise of the threshold after a spike",
            remedy="Give both, or none for a threshold that stays.",
        )
    more = {"adaptation": rise, "tau_adaptation": TAU_ADAPTATION if tau is None else tau}
    return make_population(name, size, "spiking", given if rise is None else {**given, **more})


def _linear_population(
    name: str, size: int, given: Mapping[str, Any], neuron: LinearNeuron, current: ArrayLike
) -> Population:
    """Neurons of a kind; ``given`` are the arguments of add_population, whose defaults go."""
    said = {key: v for key, v in given.items() if np.ndim(v) or v != _DEFAULTS.get(key)}
    foreign = [key for key in said if key not in COMMON]
    twice = [key for key in said if key in neuron.values]
    if foreign or twice:
        raise ParameterError(
            f"Population {name!r}",
            f"{(foreign + twice)[0]} is given beside neuron={type(neuron).__name__}(..)",
            "there",
        )
    values = {key: neuron.default(key) for key in neuron.names} | neuron.values | said
    if isinstance(neuron, LIF):
        values = with_current(name, size, values, current)
    elif np.any(np.asarray(current) != 0.0):
        raise ParameterError(
            f"Population {name!r}",
            f"constant_current is given beside neuron={type(neuron).__name__}(..)",
            "it beside LIF neurons",
            "Of others it is no shift of v_leak.",
        )
    kind = None if neuron.is_plain else neuron
    return make_population(name, size, "spiking", values, kind)
