"""Populations and projections, with the checks that their values must pass.

A neuron's parameters, each float64 [size]:

==========  =============================  =========================  =======
name        meaning                        domain                     default
==========  =============================  =========================  =======
tau_mem     membrane time constant, ms     > 0                        20
tau_syn     synaptic time constant, ms     > 0                        5
resistance  membrane resistance            > 0                        1
v_leak      resting potential              finite                     0
threshold   spike threshold                > v_reset                  1
v_reset     potential after a spike        < threshold                0
refractory  time V is held at reset, ms    >= 0                       0
==========  =============================  =========================  =======

A readout population has the first four only.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
import scipy.sparse as sp
from numpy.typing import ArrayLike, NDArray

from eventsim.errors import NetworkError, ParameterError, ShapeError

Floats = NDArray[np.float64]
PopulationKind = Literal["input", "spiking", "readout"]
ProjectionKind = Literal["dense", "sparse", "self"]

MEMBRANE = ("tau_mem", "tau_syn", "resistance", "v_leak")
SPIKE = ("threshold", "v_reset", "refractory")
PARAMETERS: Mapping[str, tuple[str, ...]] = {
    "input": (),
    "spiking": MEMBRANE + SPIKE,
    "readout": MEMBRANE,
}
_POSITIVE = ("tau_mem", "tau_syn", "resistance")


@dataclass(frozen=True, eq=False)
class Population:
    """Neurons of one kind; parameters as in the table of :mod:`eventsim.network.parts`.

    The arrays are live: changing them in place changes the network.
    """

    name: str
    size: int
    kind: PopulationKind
    parameters: Mapping[str, Floats]

    def __getattr__(self, name: str) -> Floats:
        parameters: Mapping[str, Floats] = self.__dict__.get("parameters", {})
        if name in parameters:
            return parameters[name]
        raise AttributeError(f"population of kind {self.__dict__.get('kind')!r} has no {name!r}")

    def check(self) -> None:
        """Raise ParameterError if a value has left its domain."""
        for name, values in self.parameters.items():
            self._require(name, np.isfinite(values), "a finite number")
            if name in _POSITIVE:
                self._require(name, values > 0, "a value > 0")
        if self.kind == "spiking":
            self._require("refractory", self.refractory >= 0, "a value >= 0 (ms)")
            self._require(
                "threshold", self.threshold > self.v_reset, "a value above the neuron's v_reset"
            )

    def _require(self, name: str, good: NDArray[np.bool_], expected: str) -> None:
        bad = np.flatnonzero(~good)
        if bad.size:
            raise ParameterError(
                f"Population {self.name!r}, neuron {bad[0]}: {name} is "
                f"{self.parameters[name][bad[0]]}, expected {expected}."
            )


@dataclass(frozen=True, eq=False)
class Projection:
    """Synapses from one population to another, or of every neuron onto itself.

    Attributes
    ----------
    kind
        ``dense``: weights [source, target]. ``sparse``: weights a csr_array of that shape, whose
        stored entries are the synapses, also where they are zero. ``self``: weights [size].
    delays
        ms, >= 0. Shape () for one delay, [source] for one per source neuron, or one per
        synapse: [source, target] (dense), [stored entries] in CSR order (sparse), [size] (self).
    """

    name: str
    source: str
    target: str
    kind: ProjectionKind
    weights: Any
    delays: Floats

    @property
    def values(self) -> Floats:
        """The weights as one live array: dense, stored entries, or the self-weights."""
        values: Floats = self.weights.data if self.kind == "sparse" else self.weights
        return values

    @property
    def delay_per_synapse(self) -> bool:
        """Whether targets of one source may see its spikes at different times."""
        per_source = (self.weights.shape[0],)
        return self.delays.ndim > 0 and self.delays.shape != per_source and self.kind != "self"

    def check(self) -> None:
        """Raise ParameterError if a weight or delay has left its domain."""
        if not np.isfinite(self.values).all():
            raise ParameterError(f"Projection {self.name!r}: a weight is not finite.")
        bad = ~(np.isfinite(self.delays) & (self.delays >= 0))
        if bad.any():
            raise ParameterError(
                f"Projection {self.name!r}: a delay is {self.delays[bad].flat[0]} ms, expected "
                "finite values >= 0."
            )


@dataclass(frozen=True, eq=False)
class SelfRecurrent:
    """One weight per neuron, from the neuron onto itself; made by :func:`self_recurrent`."""

    weights: Floats


def self_recurrent(weights: ArrayLike) -> SelfRecurrent:
    """Self-recurrent weights for ``connect(name, name, ...)``, one per neuron (or one for all)."""
    return SelfRecurrent(np.array(weights, dtype=np.float64))


def make_population(
    name: str, size: int, kind: PopulationKind, given: Mapping[str, ArrayLike]
) -> Population:
    """Check and build a population; scalars become one value per neuron."""
    if not name or "->" in name or "." in name:
        raise NetworkError(f"Population name {name!r}: must be non-empty, without '->' and '.'.")
    if size < 1:
        raise ShapeError(f"Population {name!r}: size is {size}, expected at least 1.")
    parameters = {}
    for key in PARAMETERS[kind]:
        values = np.asarray(given[key], dtype=np.float64)
        if values.shape not in ((), (size,)):
            raise ShapeError(
                f"Population {name!r}: {key} has shape {values.shape}, expected one number or "
                f"({size},), one per neuron."
            )
        parameters[key] = np.array(np.broadcast_to(values, (size,)))
    population = Population(name, size, kind, parameters)
    population.check()
    return population


def make_projection(
    source: Population, target: Population, weights: Any, delays: ArrayLike
) -> Projection:
    """Check and build a projection; see :meth:`Network.connect`."""
    name = f"{source.name}->{target.name}"
    kind: ProjectionKind
    if isinstance(weights, SelfRecurrent):
        kind, values, canonical = "self", _self_weights(name, source, target, weights), True
    elif sp.issparse(weights):
        kind, values = "sparse", sp.csr_array(weights, dtype=np.float64, copy=True)
        canonical = bool(values.has_canonical_format)
        values.sum_duplicates()
    else:
        kind, values, canonical = "dense", np.array(weights, dtype=np.float64, order="C"), True
    if kind != "self" and values.shape != (source.size, target.size):
        hint = " If yours is [target, source], pass weights.T." if values.ndim == 2 else ""
        raise ShapeError(
            f"Projection {name!r}: weights have shape {values.shape}, expected "
            f"{(source.size, target.size)} = (source.size, target.size).{hint}"
        )
    projection = Projection(
        name, source.name, target.name, kind, values, _delays(name, values, delays)
    )
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


def _delays(name: str, weights: Any, given: ArrayLike) -> Floats:
    delays = np.array(given, dtype=np.float64)
    per_synapse = (weights.nnz,) if sp.issparse(weights) else weights.shape
    if delays.shape not in ((), (weights.shape[0],), per_synapse):
        raise ShapeError(
            f"Projection {name!r}: delays have shape {delays.shape}, expected one number, "
            f"({weights.shape[0]},) for one per source, or {per_synapse} for one per synapse."
        )
    return delays
