"""Populations and projections, with the checks that their values must pass.

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

Voltages have no unit, but a size: ``threshold - v_leak`` is zero, or between 1e-15 and 1e15 in
absolute value, and weights are at most 1e20. Within this domain every backend gives the same
spikes in both precisions, however the network is scaled: a state is taken for zero only below
1e-30 (single precision) or 1e-200 (double), far below rounding.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, Literal, NamedTuple

import numpy as np
from numpy.typing import ArrayLike, NDArray

from eventsim.arrays import AT_ONCE, Array, Floats, Ints, csr_array, namespace, owners, slices
from eventsim.errors import NetworkError, ParameterError, ShapeError
from eventsim.events.doors import real_array, whole_number
from eventsim.memo import Extent
from eventsim.network.pattern import Pattern, check_pattern, is_sparse, to_csr
from eventsim.neuron.linear import LinearNeuron
from eventsim.summary import short_repr

PopulationKind = Literal["input", "spiking", "readout"]
ProjectionKind = Literal["dense", "sparse", "self"]
DelaysOf = Literal["source", "synapse"]

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
_POSITIVE = ("tau_mem", "tau_syn", "resistance", "tau_adaptation")

# Sizes that voltages, resistances and weights may have; see the text above.
LEAST, MOST, MOST_WEIGHT = 1e-15, 1e15, 1e20
LARGEST = float(np.finfo(np.float64).max)
_SIZES = f"{LEAST:g} to {MOST:g} in absolute value; scale voltages and weights alike"


class DomainCheck(NamedTuple):
    """What an array of values must fulfil, or its difference from another array.

    Each is above ``above``, at least ``least``, at most ``most`` in absolute value, and, if it is
    not zero, at least ``magnitude`` in absolute value.
    """

    name: str
    values: Floats
    expected: str
    minus: Floats | None = None
    above: float | None = None
    least: float | None = None
    most: float = math.inf
    magnitude: float = 0.0

    @property
    def bounds(self) -> tuple[float | None, ...]:
        """What the values are held to: conditions of the same bounds may be asked together."""
        return self.above, self.least, self.most, self.magnitude

    @property
    def held(self) -> Array:
        """The values, or their difference from the other array, flat."""
        if self.minus is None:
            return self.values.ravel()
        with np.errstate(invalid="ignore", over="ignore"):
            return (self.values - self.minus).ravel()

    @property
    def pieces(self) -> Iterator[DomainCheck]:
        """The same condition of parts of the values, none of which is large; flat views.

        On a device, where every question has its price, it is in one piece.
        """
        if namespace(self.values) is not np or self.values.size <= AT_ONCE:
            yield self
            return
        values = self.values.reshape(-1)
        minus = None if self.minus is None else self.minus.reshape(-1)
        for mine in slices(values.size):
            yield self._replace(values=values[mine], minus=None if minus is None else minus[mine])

    @property
    def good(self) -> NDArray[np.bool_]:
        """True where it is fulfilled. New array."""
        values = self.values if self.minus is None else self.held.reshape(self.values.shape)
        size = abs(values)
        good: NDArray[np.bool_] = size <= self.most
        if self.above is not None:
            good &= values > self.above
        if self.least is not None:
            good &= values >= self.least
        if self.magnitude:
            good &= (size == 0.0) | (size >= self.magnitude)
        return good

    def holds(self, extent: Extent) -> bool:
        """Whether it is fulfilled everywhere, from the extent of the values or differences."""
        least, largest, magnitude = extent
        if least > largest:  # no entries
            return True
        return (
            max(-least, largest) <= self.most
            and (self.above is None or least > self.above)
            and (self.least is None or least >= self.least)
            and magnitude >= self.magnitude
        )


@dataclass(frozen=True, eq=False)
class Population:
    """Neurons of one kind; parameters as in the table of :mod:`eventsim.network.parts`.

    The arrays are live: changing them in place changes the network. ``neuron`` is None of LIF
    neurons of one receptor, with or without an adaptive threshold, of readouts and of the input.
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
            there = "there are none by name, leave it out" if known == [""] else (
                f"expected one of {known}"
            )  # fmt: skip
            raise NetworkError(f"{where}: receptor is {asked!r} of {self.name!r}; {there}.")
        return asked

    def conditions(self) -> Iterator[DomainCheck]:
        """What the values must fulfil."""
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
        """What a linear neuron must fulfil besides."""
        for name, values in self.parameters.items():
            domain = neuron.domain(name)
            if domain.above is not None:
                yield DomainCheck(name, values, f"a value > {domain.above:g}", above=domain.above)
            if domain.least is not None:
                yield DomainCheck(name, values, f"a value >= {domain.least:g}", least=domain.least)
        with np.errstate(all="ignore"):
            matrices, growth = neuron.matrices(self.parameters), neuron.growth(self.parameters)
            restart = matrices.keep[:, 0, 0] * matrices.level + matrices.jump[:, 0]
        unstable = "0: the neuron is unstable, its state grows without end"
        yield DomainCheck("the fastest growing mode, per ms,", growth, unstable, most=0.0)
        below = "a value > 0: after a spike the voltage must be below the threshold"
        room = matrices.level - restart
        yield DomainCheck("the threshold less the voltage after a spike", room, below, above=0.0)

    def check(self) -> None:
        """Raise ParameterError if a value has left its domain."""
        for check in self.conditions():
            bad = namespace(check.values).flatnonzero(~check.good)
            if bad.size:
                raise ParameterError(
                    f"Population {self.name!r}, neuron {bad[0]}: {check.name} is "
                    f"{check.values[bad[0]]}, expected {check.expected}."
                )

    def map(self, convert: Callable[[Array], Array]) -> Population:
        """The same population, every array put through ``convert``."""
        parameters = {name: convert(values) for name, values in self.parameters.items()}
        return replace(self, parameters=parameters)


class PlacedEntries(NamedTuple):
    """Sparse weights whose values are on a device; fields as those of a csr_array.

    ``data`` is live, as that of a csr_array in a network of NumPy arrays. ``indices`` and
    ``indptr`` are NumPy arrays.
    """

    data: Array
    indices: NDArray[np.int32]
    indptr: NDArray[np.int32]
    shape: tuple[int, int]

    @property
    def nnz(self) -> int:
        """Number of stored entries."""
        return int(self.data.size)


@dataclass(frozen=True, eq=False)
class Projection:
    """Synapses from one population to another, or of every neuron onto itself.

    Attributes
    ----------
    receptor
        Receptor of the targets, ``""`` where these have only one without a name.
    kind
        ``dense``: weights [source, target]. ``sparse``: weights a csr_array of that shape, whose
        stored entries are the synapses, also where they are zero; :class:`PlacedEntries` where they
        are on a device. ``self``: weights [size].
    delays
        ms, >= 0. Shape () for one delay, [source] for one per source neuron, or one per
        synapse: [source, target] (dense), [stored entries] in CSR order (sparse), [size] (self).
    delays_of
        Whether a vector of ``delays`` has one for each ``source`` or for each ``synapse``; of one
        delay for all, and of self-weights, where both are the same, ``source``.
    """

    name: str
    source: str
    target: str
    kind: ProjectionKind
    weights: Any
    delays: Floats
    delays_of: DelaysOf
    receptor: str = ""

    def __repr__(self) -> str:
        n = self.values.size
        return f"Projection({self.name!r}, {self.kind}, {n} synapse{'s' * (n != 1)})"

    @property
    def pattern(self) -> Pattern | None:
        """Which synapses sparse weights have, live; None where their number follows from the shape.

        All else that depends on the form of the weights follows from it.
        """
        return Pattern(self.weights.indptr, self.weights.indices) if self.kind == "sparse" else None

    @property
    def values(self) -> Floats:
        """The weights as one live array: dense, stored entries, or the self-weights."""
        values: Floats = self.weights if self.pattern is None else self.weights.data
        return values

    @property
    def all_to_all(self) -> bool:
        """Whether there is a synapse from every source to every target: dense weights."""
        return self.kind == "dense"

    @property
    def one_to_one(self) -> bool:
        """Whether neurons project to themselves only: self-recurrent weights."""
        return self.kind == "self"

    @property
    def delay_per_synapse(self) -> bool:
        """Whether targets of one source may see its spikes at different times."""
        return self.delays_of == "synapse"

    def first_synapses(self) -> Ints:
        """First synapse of every source in the order of ``values``, and their total.

        Shape [sources + 1]. New array on the host, as those of the next two.
        """
        if self.pattern is not None:
            return self.pattern.indptr.astype(np.int64)
        n_sources, *per_source = self.weights.shape
        first: Ints = np.arange(n_sources + 1, dtype=np.int64) * math.prod(per_source)
        return first

    def sources(self) -> Ints:
        """Source neuron of every synapse, [synapses]."""
        found: Ints = owners(self.first_synapses(), self.values.size)
        return found

    def targets(self, synapses: Ints | None = None) -> Ints:
        """Target neuron of some synapses, or of all."""
        if self.pattern is not None:
            chosen = self.pattern.indices if synapses is None else self.pattern.indices[synapses]
            return np.array(chosen, dtype=np.int64)
        numbers: Ints = np.arange(self.values.size) if synapses is None else synapses
        found: Ints = numbers % int(self.weights.shape[-1])
        return found

    def of_sources(self, by_source: Array) -> Array:
        """The value [sources] of every synapse's source, in the shape of ``values``."""
        xp = namespace(by_source)
        if self.pattern is not None:
            return by_source[owners(xp.asarray(self.pattern.indptr), self.values.size)]
        columns = by_source.reshape(-1, *(1 for _ in self.weights.shape[1:]))
        return xp.broadcast_to(columns, self.weights.shape)

    def of_targets(self, by_target: Array) -> Array:
        """The value [targets] of every synapse's target, in a shape that fits ``values``."""
        if self.pattern is None:
            return by_target
        return by_target[namespace(by_target).asarray(self.pattern.indices)]

    def synapse_delays(self, out: Floats | None = None) -> Floats:
        """One delay per synapse, flat, whatever form they have, ms; in ``out`` if that is given."""
        if self.delay_per_synapse:
            every = self.delays
        elif self.delays.ndim:
            every = self.of_sources(self.delays)
        else:
            every = namespace(self.delays).broadcast_to(self.delays, self.values.shape)
        if out is None:
            delays: Floats = every.ravel()
            return delays
        out.reshape(every.shape)[...] = every
        return out

    def matrix(self, values: Floats) -> Floats:
        """Values of synapses as a matrix [source, target], 0 where there is no synapse."""
        if self.one_to_one:
            return np.diag(values)
        if self.pattern is None:
            return values
        parts = (values, self.pattern.indices, self.pattern.indptr)
        full: Floats = csr_array(parts, shape=self.weights.shape).toarray()
        return full

    def conditions(self) -> Iterator[DomainCheck]:
        """What weights and delays must fulfil."""
        expected = f"a finite number, at most {MOST_WEIGHT:g} in absolute value"
        yield DomainCheck("weight", self.values, expected, most=MOST_WEIGHT)
        yield DomainCheck("delay", self.delays, "a finite value >= 0 (ms)", least=0.0, most=LARGEST)

    def check_pattern(self, n_sources: int, n_targets: int) -> None:
        """Raise NetworkError if sparse weights, edited in place, are no whole CSR any more."""
        if self.pattern is None:
            return
        where = f"Projection {self.name!r}"
        check_pattern(where, self.weights, (n_sources, n_targets))
        if self.delay_per_synapse and self.delays.shape != (self.weights.nnz,):
            raise NetworkError(
                f"{where}: there are {self.delays.size} delays for {self.weights.nnz} synapses, "
                "expected one each. Connect the new weights in a new network."
            )

    def check(self) -> None:
        """Raise ParameterError if a weight or delay has left its domain."""
        for check in self.conditions():
            for piece in check.pieces:
                bad = piece.values[~piece.good]
                if bad.size:
                    raise ParameterError(
                        f"Projection {self.name!r}: a {check.name} is {bad.ravel()[0]}, expected "
                        f"{check.expected}."
                    )

    def share_targets(self, targets: NDArray[np.int32]) -> None:
        """Have the indices of sparse weights, which are equal to ``targets``, in that array.

        Weights on a device, or of another type of index, keep their own.
        """
        weights = self.weights
        if is_sparse(weights) and weights.indices.dtype == targets.dtype:
            weights.indices = targets

    def map(self, convert: Callable[[Array], Array]) -> Projection:
        """The same projection, every array of values put through ``convert``."""
        return replace(self, weights=self._mapped_weights(convert), delays=convert(self.delays))

    def _mapped_weights(self, convert: Callable[[Array], Array]) -> Any:
        if self.pattern is None:
            return convert(self.weights)
        weights = self.weights
        data = convert(weights.data)
        if namespace(data) is np:
            return csr_array((data, weights.indices, weights.indptr), shape=weights.shape)
        return PlacedEntries(data, weights.indices, weights.indptr, weights.shape)


@dataclass(frozen=True, eq=False)
class SelfRecurrent:
    """One weight per neuron, from the neuron onto itself; made by :func:`self_recurrent`."""

    weights: Floats

    __repr__ = short_repr


def self_recurrent(weights: ArrayLike) -> SelfRecurrent:
    """Self-recurrent weights for ``connect(name, name, ...)``, one per neuron (or one for all)."""
    return SelfRecurrent(np.array(real_array(weights, "self_recurrent: weights")))


def make_population(
    name: str,
    size: int,
    kind: PopulationKind,
    given: Mapping[str, ArrayLike],
    neuron: LinearNeuron | None = None,
) -> Population:
    """Check and build a population; scalars become one value per neuron."""
    if not name or "->" in name or "." in name:
        raise NetworkError(f"Population name {name!r}: must be non-empty, without '->' and '.'.")
    size = whole_number(size, f"Population {name!r}: size")
    if size < 1:
        raise ShapeError(f"Population {name!r}: size is {size}, expected at least 1.")
    parameters = {}
    adaptive = ADAPTIVE if "adaptation" in given else ()
    for key in PARAMETERS[kind] + adaptive if neuron is None else neuron.names:
        values = real_array(given[key], f"Population {name!r}: {key}")
        if values.shape not in ((), (size,)):
            raise ShapeError(
                f"Population {name!r}: {key} has shape {values.shape}, expected one number or "
                f"({size},), one per neuron."
            )
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


def projection_name(source: str, target: Population, receptor: str) -> str:
    """``source->target``, and ``:receptor`` where the target has several."""
    several = target.neuron is not None and len(target.neuron.receptors) > 1
    return f"{source}->{target.name}:{receptor}" if several else f"{source}->{target.name}"


def make_projection(
    source: Population,
    target: Population,
    weights: Any,
    delays: ArrayLike,
    delays_of: DelaysOf | None = None,
    receptor: str | None = None,
) -> Projection:
    """Check and build a projection; see :meth:`Network.connect`."""
    receptor = target.receptor(receptor, f"Projection '{source.name}->{target.name}'")
    name = projection_name(source.name, target, receptor)
    kind: ProjectionKind
    if isinstance(weights, SelfRecurrent):
        kind, values, canonical = "self", _self_weights(name, source, target, weights), True
    elif is_sparse(weights):
        kind, (values, canonical) = "sparse", to_csr(f"Projection {name!r}", weights)
    else:
        values = np.array(real_array(weights, f"Projection {name!r}: weights"), order="C")
        kind, canonical = "dense", True
    if kind != "self" and values.shape != (source.size, target.size):
        hint = " If yours is [target, source], pass weights.T." if values.ndim == 2 else ""
        raise ShapeError(
            f"Projection {name!r}: weights have shape {values.shape}, expected "
            f"{(source.size, target.size)} = (source.size, target.size).{hint}"
        )
    lags = _delays(name, values, delays, delays_of)
    of = _delays_of(name, values, lags, delays_of)
    projection = Projection(name, source.name, target.name, kind, values, lags, of, receptor)
    if projection.delay_per_synapse and not canonical:
        raise ShapeError(
            f"Projection {name!r}: delays per synapse need sparse weights with sorted indices and "
            "no duplicates. Call weights.sum_duplicates() before you build the delays."
        )
    projection.check()
    return projection


def _self_weights(
    name: str, source: Population, target: Population, weights: SelfRecurrent
) -> Floats:
    if source.name != target.name:
        raise NetworkError(
            f"Projection {name!r}: self_recurrent joins every neuron to itself, so source and "
            "target must be the same population."
        )
    if weights.weights.shape not in ((), (target.size,)):
        raise ShapeError(
            f"Projection {name!r}: self-weights have shape {weights.weights.shape}, expected "
            f"({target.size},), one per neuron."
        )
    return np.array(np.broadcast_to(weights.weights, (target.size,)))


def _delays(name: str, weights: Any, given: ArrayLike, delays_of: DelaysOf | None) -> Floats:
    """Delays of a shape that ``delays_of`` allows."""
    delays = np.array(real_array(given, f"Projection {name!r}: delays"), order="C")
    shapes = _shapes(weights)
    if delays_of not in (None, *shapes):
        raise NetworkError(
            f"Projection {name!r}: delays_of is {delays_of!r}, expected 'source' or 'synapse'."
        )
    allowed = [shape for of, shape in shapes.items() if delays_of in (None, of)]
    if delays.shape not in ((), *allowed):
        expected = " or ".join(f"{shape} for one per {of}" for of, shape in shapes.items())
        said = "" if delays_of is None else f", and delays_of is {delays_of!r}"
        raise ShapeError(
            f"Projection {name!r}: delays have shape {delays.shape}{said}. Expected one number, or "
            f"{expected}."
        )
    return delays


def _delays_of(name: str, weights: Any, delays: Floats, given: DelaysOf | None) -> DelaysOf:
    """What delays of an allowed shape are of."""
    shapes = _shapes(weights)
    if delays.ndim == 0 or (shapes["source"] == shapes["synapse"] and not is_sparse(weights)):
        return "source"
    if given is not None:
        return given
    fits = [of for of, shape in shapes.items() if shape == delays.shape]
    if len(fits) > 1 and not (np.diff(weights.indptr) == 1).all():
        raise ShapeError(
            f"Projection {name!r}: {delays.size} delays could be one per source or one per "
            f"synapse, since there are {delays.size} of both. Pass delays_of='source' or "
            "delays_of='synapse'."
        )
    return fits[0]


def _shapes(weights: Any) -> dict[DelaysOf, tuple[int, ...]]:
    """The shapes of an array of delays."""
    per_synapse = (weights.nnz,) if is_sparse(weights) else weights.shape
    return {"source": (weights.shape[0],), "synapse": per_synapse}
