"""Projections: synapses from one population to another, and the checks of their values."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from typing import Any, Literal, NamedTuple

import numpy as np
from numpy.typing import ArrayLike, DTypeLike, NDArray

from eventsim.arrays import Array, Floats, Ints, csr_array, namespace, owners
from eventsim.checks import in_domain, instance, real_array, shaped
from eventsim.entries.annotations import Finite
from eventsim.errors import NetworkError, ParameterError, ShapeError
from eventsim.network.domain import MOST_WEIGHT, DomainCheck
from eventsim.network.draws import Distribution, Value, ends_of
from eventsim.network.parts import Population
from eventsim.network.pattern import (
    Pattern,
    check_pattern,
    count_further,
    has_pair_twice,
    is_sparse,
    to_csr,
)
from eventsim.network.rules import ConnectionRule, RandomProjection, build_rows
from eventsim.neuron.linear import LinearNeuron
from eventsim.summary import short_repr

VALUE_TYPES = np.dtype(np.float64), np.dtype(np.float32)

ProjectionKind = Literal["dense", "sparse", "self"]
DelaysOf = Literal["source", "synapse"]


class ValueTypes(NamedTuple):
    """Types of the weights and of the delays of a network, each one of VALUE_TYPES."""

    weights: np.dtype[Any] = VALUE_TYPES[0]
    delays: np.dtype[Any] = VALUE_TYPES[0]


DOUBLE = ValueTypes()


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
        stored entries are the synapses, also where they are zero, and several where a pair of
        neurons has several (multapses); :class:`PlacedEntries` where they are on a device.
        ``self``: weights [size]. float64 or float32, see :attr:`eventsim.Network.weight_dtype`.
    delays
        ms, >= 0. Shape () for one delay, [source] for one per source neuron, or one per
        synapse: [source, target] (dense), [stored entries] in CSR order (sparse), [size] (self).
        float64 or float32, see :attr:`eventsim.Network.delay_dtype`.
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
        """Pattern of sparse weights, live; None for other weights, which need none."""
        return Pattern(self.weights.indptr, self.weights.indices) if self.kind == "sparse" else None

    @property
    def values(self) -> Floats:
        """The weights as one live array: dense, stored entries, or the self-weights."""
        values: Floats = self.weights if self.pattern is None else self.weights.data
        return values

    @property
    def has_multapses(self) -> bool:
        """Whether some pair of neurons has several synapses. Looks at the whole pattern."""
        return self.pattern is not None and has_pair_twice(self.pattern)

    @property
    def n_possible(self) -> int:
        """Synapses of a full matrix, and further ones of pairs that have several.

        A self-recurrent projection could have one per neuron.
        """
        pairs: int = math.prod(self.weights.shape)
        return pairs if self.pattern is None else pairs + count_further(self.pattern)

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
        """Sums of the values of each pair's synapses, [source, target]; 0 where there is none."""
        if self.one_to_one:
            return np.diag(values)
        if self.pattern is None:
            return values
        parts = (values, self.pattern.indices, self.pattern.indptr)
        full: Floats = csr_array(parts, shape=self.weights.shape).toarray()
        return full

    def conditions(self) -> Iterator[DomainCheck]:
        """Conditions that weights and delays must fulfil."""
        expected = f"a finite number, at most {MOST_WEIGHT:g} in absolute value"
        yield DomainCheck("weight", self.values, expected, most=MOST_WEIGHT)
        most = float(np.finfo(self.delays.dtype).max)
        yield DomainCheck("delay", self.delays, "a finite value >= 0 (ms)", least=0.0, most=most)

    def check_pattern(self, n_sources: int, n_targets: int) -> None:
        """Raise NetworkError if sparse weights, edited in place, are no whole CSR any more."""
        if self.pattern is None:
            return
        where = f"Projection {self.name!r}"
        check_pattern(where, self.weights, (n_sources, n_targets))
        if self.delay_per_synapse and self.delays.shape != (self.weights.nnz,):
            raise NetworkError(
                where,
                f"there are {self.delays.size} delays for {self.weights.nnz} synapses",
                "one each",
                "Connect the new weights in a new network.",
            )

    def check(self) -> None:
        """Raise ParameterError if a weight or delay has left its domain."""
        for check in self.conditions():
            for piece in check.pieces:
                piece.require(f"Projection {self.name!r}", f"a {check.name}")

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

    def with_types(self, types: ValueTypes) -> Projection:
        """The same projection, values rounded to these types. New arrays; the pattern is shared.

        Raises ParameterError (a value is too large for its type).
        """
        with np.errstate(over="ignore"):  # what is infinite then is refused
            weights = self._mapped_weights(lambda values: values.astype(types.weights))
            found = replace(self, weights=weights, delays=self.delays.astype(types.delays))
        if (types.weights, types.delays) != (self.values.dtype, self.delays.dtype):
            found.check()
        return found

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


def value_type(given: DTypeLike, where: str, name: str) -> np.dtype[Any]:
    """Type of VALUE_TYPES; ParameterError, which names ``where`` and the argument, for another."""
    try:
        found = None if given is None else np.dtype(given)
    except TypeError:
        found = None
    for dtype in VALUE_TYPES:
        if found is not None and found == dtype:
            return dtype
    raise ParameterError(where, f"{name} is {given!r}", "numpy.float64 or numpy.float32")


def projection_name(source: str, target: str, neuron: LinearNeuron | None, receptor: str) -> str:
    """``source->target``, and ``:receptor`` where the target's neurons have several."""
    several = neuron is not None and len(neuron.receptors) > 1
    return f"{source}->{target}:{receptor}" if several else f"{source}->{target}"


def _joint(source: Population, target: Population, receptor: str | None) -> tuple[str, str]:
    """Name of a projection between both, and its receptor; NetworkError if there can be none."""
    name = f"{source.name}->{target.name}"
    receptor = target.receptor(receptor, f"Projection {name!r}")
    name = projection_name(source.name, target.name, target.neuron, receptor)
    if source.is_readout:
        raise NetworkError(
            f"Projection {name!r}",
            f"source is the readout {source.name!r}",
            "one that sends spikes",
        )
    if target.is_input:
        raise NetworkError(
            f"Projection {name!r}", f"target is the input {target.name!r}", "one that has neurons"
        )
    return name, receptor


def make_projection(
    source: Population,
    target: Population,
    weights: Any,
    delays: ArrayLike | Distribution,
    delays_of: DelaysOf | None = None,
    receptor: str | None = None,
    types: ValueTypes = DOUBLE,
) -> Projection:
    """Check and build a projection, of values of such types; see :meth:`Network.connect`."""
    name, receptor = _joint(source, target, receptor)
    for value in (weights, delays):
        if isinstance(value, Distribution):
            raise NetworkError(
                f"Projection {name!r}",
                f"values are drawn from {value} for synapses of no rule",
                "a rule",
                "Pass rule=, such as es.fixed_indegree(100).",
            )
    kind: ProjectionKind
    order = None
    if isinstance(weights, SelfRecurrent):
        own = _self_weights(name, source, target, weights)
        kind, values = "self", real_array(own, name, types.weights)
    elif is_sparse(weights):
        kind, (values, order) = "sparse", to_csr(f"Projection {name!r}", weights, types.weights)
    else:
        given = real_array(weights, f"Projection {name!r}: weights", types.weights)
        kind, values = "dense", np.array(given, order="C")
    if kind != "self" and values.shape != (source.size, target.size):
        raise ShapeError(
            f"Projection {name!r}",
            f"weights of shape {values.shape}",
            f"{(source.size, target.size)} = (source.size, target.size)",
            "If yours is [target, source], pass weights.T." if values.ndim == 2 else "",
        )
    lags = _delays(name, values, delays, delays_of, types.delays)
    of = _delays_of(name, values, lags, delays_of)
    if of == "synapse" and order is not None:
        lags = lags[order]
    projection = Projection(name, source.name, target.name, kind, values, lags, of, receptor)
    projection.check()
    return projection


def random_projection(
    source: Population,
    target: Population,
    rule: ConnectionRule,
    weights: Any,
    delays: Any,
    receptor: str | None,
    types: ValueTypes,
    seed: int,
) -> Projection:
    """Draw a projection by a rule; see :meth:`Network.connect`."""
    name, receptor = _joint(source, target, receptor)
    given = random_rule(name, rule, source.size, target.size, weights, delays, seed)
    rows = build_rows(given, *types)
    shape = source.size, target.size
    values = csr_array((rows.weights, rows.indices, rows.indptr), shape=shape)
    of: DelaysOf = "synapse" if rows.delays.ndim else "source"
    made = Projection(name, source.name, target.name, "sparse", values, rows.delays, of, receptor)
    made.check()
    return made


def random_rule(
    name: str,
    rule: ConnectionRule,
    n_sources: int,
    n_targets: int,
    weights: Any,
    delays: Any,
    seed: int,
) -> RandomProjection:
    """A rule with values that are checked; ``name`` is that of the projection."""
    where = f"Projection {name!r}"
    instance(where, "rule", rule, ConnectionRule)
    given = _drawable(where, "weight", weights), _drawable(where, "delay", delays)
    source, _, target = name.partition("->")
    same = source == target.partition(":")[0]
    rule.check(where, n_sources, n_targets, same=same)
    least, _ = ends_of(given[1])
    if least < 0.0:
        raise ParameterError(where, f"a delay can be {least:g} ms", "values >= 0", "Pass least=.")
    return RandomProjection(name, rule, n_sources, n_targets, same, *given, seed)


def _drawable(where: str, what: str, given: Any) -> Value:
    """A number, or a distribution to draw from; an error that names ``where`` for others."""
    if isinstance(given, Distribution):
        return given
    if np.ndim(given):
        expected = "a number, or a distribution such as es.normal(mean, sd)"
        raise ShapeError(where, f"a rule and an array of {what}s", expected)
    return float(in_domain(where, f"a {what}", given, Finite))


def _self_weights(
    name: str, source: Population, target: Population, weights: SelfRecurrent
) -> Floats:
    if source.name != target.name:
        raise NetworkError(
            f"Projection {name!r}",
            f"self_recurrent from {source.name!r} to {target.name!r}",
            "one population, whose neurons it joins each to itself",
        )
    expected = f"({target.size},), one per neuron"
    shaped(
        f"Projection {name!r}",
        "self-weights",
        weights.weights,
        (),
        (target.size,),
        expected=expected,
    )
    return np.array(np.broadcast_to(weights.weights, (target.size,)))


def _delays(
    name: str, weights: Any, given: Any, delays_of: DelaysOf | None, dtype: np.dtype[Any]
) -> Floats:
    """Delays of ``dtype``, of a shape that ``delays_of`` allows. New array."""
    delays = np.array(real_array(given, f"Projection {name!r}: delays", dtype), order="C")
    shapes = _shapes(weights)
    if delays_of not in (None, *shapes):
        raise NetworkError(
            f"Projection {name!r}", f"delays_of is {delays_of!r}", "'source' or 'synapse'"
        )
    allowed = [shape for of, shape in shapes.items() if delays_of in (None, of)]
    if delays.shape not in ((), *allowed):
        expected = " or ".join(f"{shape} for one per {of}" for of, shape in shapes.items())
        said = "" if delays_of is None else f", and delays_of is {delays_of!r}"
        raise ShapeError(
            f"Projection {name!r}",
            f"delays of shape {delays.shape}{said}",
            f"one number, or {expected}",
        )
    return delays


def _delays_of(name: str, weights: Any, delays: Floats, given: DelaysOf | None) -> DelaysOf:
    """Whether delays of an allowed shape are per source or per synapse."""
    shapes = _shapes(weights)
    if delays.ndim == 0 or (shapes["source"] == shapes["synapse"] and not is_sparse(weights)):
        return "source"
    if given is not None:
        return given
    fits = [of for of, shape in shapes.items() if shape == delays.shape]
    if len(fits) > 1 and not (np.diff(weights.indptr) == 1).all():
        raise ShapeError(
            f"Projection {name!r}",
            f"{delays.size} delays could be one per source or one per synapse, since there are "
            f"{delays.size} of both",
            remedy="Pass delays_of='source' or delays_of='synapse'.",
        )
    return fits[0]


def _shapes(weights: Any) -> dict[DelaysOf, tuple[int, ...]]:
    """The shapes of an array of delays."""
    per_synapse = (weights.nnz,) if is_sparse(weights) else weights.shape
    return {"source": (weights.shape[0],), "synapse": per_synapse}
