r"""RandomNetwork: a network as rules; each process draws its own part.

Each target neuron of a projection has ``in_degree`` distinct sources. They are drawn at random from
all neurons of the source population; no neuron is its own source. NEST calls this rule
``fixed_indegree``, without multapses and autapses. The rule goes from target to sources, so a
process draws only the synapses onto its own neurons.

Random numbers are those of Philox (Salmon et al. 2011), a function of key and counter:

.. math:: x_{p, b, n} = \mathrm{Philox}_{\,k(s, p)}(2^{192}\, b + n),

with seed s, population or projection p by the order in which they were added, block b of target
neurons (:mod:`eventsim.ranks.decomposition`) and n = 0, 1, ... So a block gets the same numbers on
any process, and the network does not depend on the number of processes. All processes need the same
version of NumPy: another version may use the generator's numbers in another way.

References
----------
Salmon, Moraes, Dror and Shaw (2011), Parallel random numbers: as easy as 1, 2, 3, SC11.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np
import scipy

from eventsim.arrays import Floats, Ints
from eventsim.checks import whole_number
from eventsim.errors import EventSimError, NetworkError, ParameterError
from eventsim.network import Network, Population
from eventsim.network.parts import make_population
from eventsim.ranks.decomposition import Decomposition, NeuronBlock
from eventsim.ranks.part import TAUS, Outline, Part, SynapseList, assemble, check_delay, joined

_POPULATION, _PROJECTION = 0, 1  # what a key is for

# Above this share of all sources they are drawn by sorting all of them.
DENSE = 0.5


@dataclass(frozen=True)
class Uniform:
    """A value that is drawn for each neuron or synapse, uniformly from ``low`` to ``high``."""

    low: float
    high: float

    def __post_init__(self) -> None:
        if not -math.inf < self.low <= self.high < math.inf:
            raise ParameterError(
                "Uniform", f"from {self.low} to {self.high}", "finite numbers, low <= high"
            )


Value = float | Uniform


class _Members(NamedTuple):
    name: str
    size: int
    parameters: dict[str, Value]


class _Rule(NamedTuple):
    """Source as in Outline, target population, and the rule of the synapses."""

    name: str
    source: int
    target: int
    in_degree: int
    weight: Value
    delay: Value


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
        self._seed = whole_number(seed, "RandomNetwork: seed")
        if self._seed < 0:
            raise ParameterError("RandomNetwork", f"seed is {seed}", "a whole number >= 0")
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
        """Add spiking neurons; each parameter is one number, or :class:`Uniform` to draw it.

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
        self, source: str, target: str, *, in_degree: int, weight: Value, delay: Value = 0.0
    ) -> None:
        """Connect two populations at random.

        Parameters
        ----------
        source
            The input or a population, perhaps that of the targets; no neuron is its own source.
        target
            A population.
        in_degree
            Distinct sources of every target neuron.
        weight
            Added to the synaptic current; a number, or :class:`Uniform` for one per synapse.
        delay
            ms, > 0, from the input also 0; a number, or :class:`Uniform` for one per synapse.

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
        if any(rule.name == name for rule in self._rules):
            raise NetworkError(
                "RandomNetwork",
                f"{name!r} is connected already",
                remedy="Connect two populations once.",
            )
        most = sources[source][1] - (source == target)
        in_degree = whole_number(in_degree, f"RandomNetwork: in_degree of {name!r}")
        if not 1 <= in_degree <= most:
            raise ParameterError(
                "RandomNetwork",
                f"in_degree of {name!r} is {in_degree}",
                f"1 .. {most}, the number of possible sources",
            )
        for high in (False, True):
            _check_synapse(name, _end(weight, high), _end(delay, high))
        if source in members:
            check_delay(name, _end(delay, False))
        k, to = sources[source][0], members[target][0] - 1
        self._rules.append(_Rule(name, k, to, in_degree, weight, delay))

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
            for number, rule in enumerate(self._rules):
                if rule.target == block.population:
                    pieces.append(self._synapses(number, rule, block, first, here))
            here += block.high - block.low
        parameters = {key: np.concatenate([each[key] for each in drawn]) for key in drawn[0]}
        population = Population("+".join(outline.names), here, "spiking", parameters)
        population.check()
        return assemble(outline, decomposition, rank, population, joined(pieces))

    def whole(self) -> Network:
        """The whole network, in this process, as an :class:`eventsim.Network`.

        There is a delay per synapse if delays are drawn, else one per projection.
        """
        part = self.part()
        outline, net = part.outline, Network()
        assert self._input is not None
        net.add_input(*self._input)
        bounds = part.decomposition.first
        for k, members in enumerate(self._members):
            mine = slice(int(bounds[k]), int(bounds[k + 1]))
            every = part.population.parameters
            given: dict[str, Any] = {key: values[mine] for key, values in every.items()}
            net.add_population(members.name, members.size, **given)
        first = outline.source_first()
        bundles = np.diff(part.synapse)
        source = np.repeat(np.repeat(part.sources, np.diff(part.first)), bundles)
        delay = np.repeat(part.delay, bundles)
        names = [self._input[0], *outline.names]
        for rule in self._rules:
            low, high = first[rule.source], first[rule.source + 1]
            begin, end = bounds[rule.target], bounds[rule.target + 1]
            mine = (low <= source) & (source < high) & (begin <= part.target) & (part.target < end)
            rows, columns = source[mine] - low, part.target[mine] - begin
            order, shape = np.lexsort((columns, rows)), (int(high - low), int(end - begin))
            weights = scipy.sparse.csr_array(
                (part.weight[mine][order], (rows[order], columns[order])), shape=shape
            )
            delays = delay[mine][order] if isinstance(rule.delay, Uniform) else rule.delay
            net.connect(
                names[rule.source], names[rule.target + 1], weights,
                delays=delays, delays_of="synapse",
            )  # fmt: skip
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
        between = [_end(rule.delay, False) for rule in self._rules if rule.source]
        return Outline(
            tuple(members.name for members in self._members),
            tuple(members.size for members in self._members),
            self._input[1],
            {(rule.source, rule.target): rule.name for rule in self._rules},
            min(between, default=math.inf),
            max(1.0 / _end(m.parameters[tau], False) for m in self._members for tau in TAUS),
            not any(isinstance(taus[0], Uniform) or set(taus) != {taus[0]} for taus in shared),
        )

    def facts(self) -> str:
        """All settings as text; equal texts mean equal networks."""
        return repr((self._seed, self._input, self._members, self._rules))

    def _check_new(self, name: str) -> None:
        if name in {m.name for m in self._members} | {self._input and self._input[0]}:
            raise NetworkError(
                "RandomNetwork",
                f"there is a population {name!r} already",
                remedy="Choose another name.",
            )

    def _generator(self, kind: int, number: int, block: NeuronBlock) -> np.random.Generator:
        sequence = np.random.SeedSequence(self._seed, spawn_key=(kind, number))
        key = sequence.generate_state(2, np.uint64)
        return np.random.Generator(np.random.Philox(key=key, counter=block.number << 192))

    def _parameters(self, block: NeuronBlock) -> dict[str, Floats]:
        rng, n = self._generator(_POPULATION, block.population, block), block.high - block.low
        given = self._members[block.population].parameters
        return {key: _drawn(rng, value, (n,)) for key, value in given.items()}

    def _synapses(
        self, number: int, rule: _Rule, block: NeuronBlock, first: Ints, here: int
    ) -> SynapseList:
        """Synapses of one projection onto a block whose first neuron is the ``here``-th own one."""
        rng, n = self._generator(_PROJECTION, number, block), block.high - block.low
        lateral = rule.source == rule.target + 1
        n_sources = int(first[rule.source + 1] - first[rule.source])
        chosen = distinct(rng, n, rule.in_degree, n_sources - lateral)
        if lateral:
            chosen += chosen >= np.arange(block.low, block.high)[:, None]
        return SynapseList(
            first[rule.source] + chosen.ravel(),
            np.repeat(np.arange(here, here + n), rule.in_degree),
            _drawn(rng, rule.weight, chosen.shape).ravel(),
            _drawn(rng, rule.delay, chosen.shape).ravel(),
        )


def distinct(rng: np.random.Generator, rows: int, k: int, n: int) -> Ints:
    """``k`` distinct numbers below ``n`` in each row, ascending; all sets are equally likely."""
    if k > DENSE * n:
        chosen = np.argpartition(rng.random((rows, n)), k - 1, axis=1)[:, :k]
        return np.sort(chosen, axis=1)
    drawn = rng.integers(0, n, (rows, k))
    while True:
        # What is there twice is drawn again: all sets stay alike.
        drawn.sort(axis=1)
        twice = np.zeros(drawn.shape, bool)
        twice[:, 1:] = drawn[:, 1:] == drawn[:, :-1]
        count = np.count_nonzero(twice)
        if not count:
            return drawn
        drawn[twice] = rng.integers(0, n, count)


def _drawn(rng: np.random.Generator, value: Value, shape: tuple[int, ...]) -> Floats:
    if isinstance(value, Uniform):
        return rng.uniform(value.low, value.high, shape)
    return np.full(shape, float(value))


def _end(value: Value, high: bool) -> float:
    """The largest that a value can be, or the smallest."""
    if isinstance(value, Uniform):
        return value.high if high else value.low
    return value


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
