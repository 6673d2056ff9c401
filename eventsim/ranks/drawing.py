r"""RandomNetwork: a network as rules; each process draws its own part.

Rules, values and random numbers are those of :mod:`eventsim.network.rules`: a rule is drawn target
by target, so that a process draws only the synapses onto its own neurons, and all of them are
together what :meth:`eventsim.Network.connect` draws from the same seed.
"""

from __future__ import annotations

import math
from functools import cached_property
from typing import Any, NamedTuple

import numpy as np

from eventsim.arrays import Floats, Ints, owners
from eventsim.errors import EventSimError, NetworkError
from eventsim.network import Network, Population
from eventsim.network.draws import Distribution, Value, drawn, ends_of, seed_number, stream_of
from eventsim.network.parts import make_population
from eventsim.network.projection import random_rule
from eventsim.network.rules import ConnectionRule, RandomProjection
from eventsim.ranks.decomposition import Decomposition, NeuronBlock
from eventsim.ranks.part import TAUS, Outline, Part, SynapseList, assemble, check_delay, joined


class _Members(NamedTuple):
    name: str
    size: int
    parameters: dict[str, Value]


class _Rule:
    """A projection: source as in Outline, target population, and how its synapses are drawn."""

    def __init__(self, given: RandomProjection, source: int, target: int):
        self.given, self.source, self.target = given, source, target

    def __repr__(self) -> str:
        return repr((self.given, self.source, self.target))

    @cached_property
    def first(self) -> Ints:
        """First synapse of every target, and their total."""
        return self.given.first_synapses()

    def synapses(self, low: int, high: int) -> tuple[Ints, Ints, Floats, Floats]:
        """Source, target from ``low`` on, weight and delay onto some targets. New arrays."""
        begin, n = int(self.first[low]), int(self.first[high] - self.first[low])
        return (
            self.given.sources(self.first, low, high),
            owners(self.first[low : high + 1] - begin, n),
            self.given.values("weights", begin, n),
            self.given.values("delays", begin, n),
        )


class RandomNetwork:
    """Populations of spiking neurons with random projections, stored as rules without synapses.

    Parameters
    ----------
    seed
        Whole number >= 0, from which all random numbers follow.

    Raises
    ------
    ParameterError, ShapeError
        The seed is no whole number >= 0.
    """

    def __init__(self, *, seed: int) -> None:
        self._seed = seed_number(seed, "RandomNetwork")
        self._input: tuple[str, int] | None = None
        self._members: list[_Members] = []
        self._rules: list[_Rule] = []

    def __repr__(self) -> str:
        sizes = ", ".join(f"{members.name} of {members.size}" for members in self._members)
        return f"RandomNetwork(seed={self._seed}: {sizes}; {len(self._rules)} projections)"

    def add_input(self, name: str, size: int) -> None:
        """Add the channels of the input; as :meth:`eventsim.Network.add_input`."""
        if self._input is not None:
            raise NetworkError(
                "RandomNetwork",
                f"has an input already ({self._input[0]!r})",
                remedy="Merge your channels into one.",
            )
        self._check_new(name)
        made = make_population(name, size, "input", {})
        self._input = (made.name, made.size)

    def add_population(
        self,
        name: str,
        size: int,
        *,
        tau_mem: Value = 20.0,
        tau_syn: Value = 5.0,
        resistance: Value = 1.0,
        threshold: Value = 1.0,
        v_leak: Value = 0.0,
        v_reset: Value = 0.0,
        refractory: Value = 0.0,
    ) -> None:
        """Add spiking neurons; each parameter is one number, or what it is drawn from.

        Parameters
        ----------
        name, size
            Of the population.
        tau_mem, tau_syn, resistance, threshold, v_leak, v_reset, refractory
            Times in ms; see :mod:`eventsim.network.parts` for the domains.

        Raises
        ------
        NetworkError, ParameterError, ShapeError
            The name is taken or malformed, or a value can be outside its domain.
        """
        self._check_new(name)
        given: dict[str, Value] = {
            "tau_mem": tau_mem, "tau_syn": tau_syn, "resistance": resistance, "v_leak": v_leak,
            "threshold": threshold, "v_reset": v_reset, "refractory": refractory,
        }  # fmt: skip
        # The lowest thresholds with the highest resets, and the other way round.
        for high in ({"v_reset"}, given.keys() - {"v_reset"}):
            ends = {key: _end(value, key in high) for key, value in given.items()}
            size = make_population(name, size, "spiking", ends).size
        self._members.append(_Members(name, size, given))

    def connect(
        self, source: str, target: str, weights: Value, *, rule: ConnectionRule, delays: Value = 0.0
    ) -> None:
        """Connect two populations at random, as :meth:`eventsim.Network.connect`.

        Parameters
        ----------
        source
            The input or a population, perhaps that of the targets.
        target
            A population.
        weights
            Added to the synaptic current; a number, or what each is drawn from.
        rule
            Which synapses there are, such as ``es.fixed_indegree(100)``.
        delays
            ms, > 0, from the input also 0; a number, or what each is drawn from.

        Raises
        ------
        NetworkError, ParameterError, ShapeError
            A population is unknown, the two are connected already, there are too few sources, or
            a value can be outside its domain.
        """
        name = f"{source}->{target}"
        sources = {} if self._input is None else {self._input[0]: (0, self._input[1])}
        members = {m.name: (k + 1, m.size) for k, m in enumerate(self._members)}
        sources |= members
        for what, given, known in (("source", source, sources), ("target", target, members)):
            if given not in known:
                raise NetworkError(
                    "RandomNetwork",
                    f"projection {name!r} has the {what} {given!r}",
                    f"one of {list(known)}",
                )
        if any(one.given.name == name for one in self._rules):
            raise NetworkError(
                "RandomNetwork",
                f"{name!r} is connected already",
                remedy="Connect two populations once.",
            )
        n_sources, n_targets = sources[source][1], members[target][1]
        made = random_rule(name, rule, n_sources, n_targets, weights, delays, self._seed)
        for high in (False, True):
            _check_synapse(name, _typical(weights, high), _end(delays, high))
        if source in members:
            check_delay(name, _end(delays, False))
        self._rules.append(_Rule(made, sources[source][0], members[target][0] - 1))

    def part(self, n_ranks: int = 1, rank: int = 0) -> Part:
        """Draw the neurons of one of ``n_ranks`` processes and the synapses onto them. New arrays.

        Raises
        ------
        NetworkError, ParameterError
            There is no input or no population, or there are too few neurons for the processes.
        """
        outline = self.outline()
        decomposition = Decomposition(outline.sizes, n_ranks)
        decomposition.check()
        first, pieces, drawn, here = outline.source_first(), [], [], 0
        for block in decomposition.blocks(rank):
            drawn.append(self._parameters(block))
            for rule in self._rules:
                if rule.target == block.population:
                    source, target, *values = rule.synapses(block.low, block.high)
                    pieces.append(SynapseList(first[rule.source] + source, here + target, *values))
            here += block.high - block.low
        parameters = {key: np.concatenate([each[key] for each in drawn]) for key in drawn[0]}
        population = Population("+".join(outline.names), here, "spiking", parameters)
        population.check()
        return assemble(outline, decomposition, rank, population, joined(pieces))

    def whole(self) -> Network:
        """The whole network, in this process, as an :class:`eventsim.Network`.

        There is a delay per synapse if delays are drawn, else one per projection.
        """
        self.outline()  # there is an input
        net = Network(seed=self._seed)
        for name, size in filter(None, [self._input]):
            net.add_input(name, size)
        for k, members in enumerate(self._members):
            given: dict[str, Any] = self._parameters(NeuronBlock(k, 0, 0, members.size))
            net.add_population(members.name, members.size, **given)
        for one in self._rules:
            drawing = one.given
            source, _, target = drawing.name.partition("->")
            net.connect(source, target, drawing.weights, rule=drawing.rule, delays=drawing.delays)
        return net

    def outline(self) -> Outline:
        """The graph of populations; raises NetworkError if there is no input or no population."""
        if self._input is None or not self._members:
            raise NetworkError(
                "RandomNetwork",
                "needs an input and a population",
                remedy="Call add_input(name, size) and add_population(name, size).",
            )
        shared = [[m.parameters[tau] for m in self._members] for tau in TAUS]
        between = [_end(rule.given.delays, False) for rule in self._rules if rule.source]
        return Outline(
            tuple(members.name for members in self._members),
            tuple(members.size for members in self._members),
            self._input[1],
            {(rule.source, rule.target): rule.given.name for rule in self._rules},
            min(between, default=math.inf),
            max(1.0 / _end(m.parameters[tau], False) for m in self._members for tau in TAUS),
            not any(isinstance(taus[0], Distribution) or set(taus) != {taus[0]} for taus in shared),
        )

    def facts(self) -> str:
        """The settings as text; equal texts mean equal networks."""
        return repr((self._seed, self._input, self._members, self._rules))

    def _check_new(self, name: str) -> None:
        if name in {m.name for m in self._members} | {self._input and self._input[0]}:
            raise NetworkError(
                "RandomNetwork",
                f"there is a population {name!r} already",
                remedy="Choose another name.",
            )

    def _parameters(self, block: NeuronBlock) -> dict[str, Floats]:
        members, n = self._members[block.population], block.high - block.low
        return {
            key: drawn(value, stream_of(self._seed, members.name, key), block.low, n)
            for key, value in members.parameters.items()
        }


def _end(value: Value, high: bool) -> float:
    """The largest that a value can be, or the smallest."""
    return ends_of(value)[high]


def _typical(value: Value, high: bool) -> float:
    """As :func:`_end`, of limits alone: tails without limits are in any domain."""
    end = _end(value, high)
    return 0.0 if isinstance(value, Distribution) and not math.isfinite(end) else end


def _check_synapse(name: str, weight: float, delay: float) -> None:
    """Raise unless a synapse may have that weight and delay."""
    source, _, target = name.partition("->")
    try:
        net = Network()
        net.add_input("source", 1)
        net.add_population("target", 1)
        net.connect("source", "target", [[weight]], delays=delay)
    except EventSimError as error:
        where = error.where.replace("source->target", f"{source}->{target}")
        raise type(error)(where, error.got, error.expected, error.remedy) from None
