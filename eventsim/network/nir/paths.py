"""Paths between two populations of a NIR graph: a chain of linear nodes as one projection.

A chain takes the spikes of source i to the neurons j of its end with a weight and a delay,

    weight_ij = product of the matrices and scales,      delay_ij = before_i + after_j.

A Delay before the first matrix belongs to sources, one after the last to targets. Between two
matrices it must be one number: else a source would reach a target at several times at once.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np

from eventsim.arrays import Floats
from eventsim.errors import NetworkError, ShapeError

PASSING = ("Linear", "Affine", "Scale", "Delay", "Flatten")


@dataclass(frozen=True, eq=False)
class Chain:
    """Linear nodes on the way from one population to another."""

    # Names of nodes
    source: str
    target: str
    # Of one input each [source.size] while no matrix was met, else [source.size, here]
    weights: Floats
    # Delays by source and by what the chain leads to, in the file's unit
    before: Floats
    after: Floats
    # That of the nodes on the way; of equal keys the first
    metadata: Mapping[str, Any] = field(default_factory=dict)

    @property
    def one_to_one(self) -> bool:
        """Whether every source has met one target at most, its own."""
        return self.weights.ndim == 1

    def matrix(self) -> Floats:
        """Weights [source.size, target.size]."""
        return np.diag(self.weights) if self.one_to_one else self.weights

    def delays(self) -> Floats:
        """Delays [source.size, target.size]."""
        return self.before[:, np.newaxis] + self.after[np.newaxis, :]


def chains(graph: Any, sources: Mapping[str, int], targets: Mapping[str, int]) -> list[Chain]:
    """The chains from sources to targets (names and sizes of nodes), in the order of the edges.

    Raises NetworkError, ShapeError (a node on the way is unknown or does not fit, or the way never
    ends).
    """
    after: dict[str, list[str]] = {name: [] for name in graph.nodes}
    for source, target in graph.edges:
        after[source].append(target)
    found = []
    for name, size in sources.items():
        zero = np.zeros(size)
        begin = Chain(name, name, np.ones(size), zero, zero)
        found += list(_follow(graph, after, targets, begin, (name,)))
    return found


def _follow(
    graph: Any,
    after: Mapping[str, list[str]],
    targets: Mapping[str, int],
    chain: Chain,
    way: tuple[str, ...],
) -> Iterator[Chain]:
    for name in after[way[-1]]:
        node = graph.nodes[name]
        if name in targets:
            here = chain.after.size
            if here != targets[name]:
                raise ShapeError(
                    "from_nir",
                    f"the path {' -> '.join((*way, name))} ends with {here} signals",
                    f"{targets[name]}, one per neuron of {name!r}",
                )
            yield replace(chain, target=name)
        elif type(node).__name__ not in ("Output", "Input"):
            if name in way:
                raise NetworkError(
                    "from_nir",
                    f"nodes {way[way.index(name) :]} form a loop without a neuron",
                    "a neuron in every loop of spikes",
                )
            yield from _follow(graph, after, targets, _through(chain, name, node), (*way, name))


def _through(chain: Chain, name: str, node: Any) -> Chain:
    """The chain, one node longer."""
    kind = type(node).__name__
    metadata = {**getattr(node, "metadata", {}), **chain.metadata}
    chain = replace(chain, metadata=metadata)
    if kind in ("Linear", "Affine"):
        if kind == "Affine" and np.any(node.bias):
            raise NetworkError(
                "from_nir",
                f"node {name!r} is an Affine with a bias, a constant current that no event carries",
                remedy="Move it into v_leak of the neurons (r times the bias), and set it to 0.",
            )
        return _multiplied(chain, name, np.asarray(node.weight, dtype=np.float64))
    if kind == "Scale":
        scale = _signals(chain, name, node.scale)
        return replace(chain, weights=chain.weights * scale)
    if kind == "Delay":
        return replace(chain, after=chain.after + _signals(chain, name, node.delay))
    if kind == "Flatten":
        return chain
    raise NetworkError(
        "from_nir",
        f"node {name!r} is of type {kind}",
        f"one of {', '.join(PASSING)} between populations",
    )


def _multiplied(chain: Chain, name: str, matrix: Floats) -> Chain:
    here = chain.after.size
    if matrix.ndim != 2 or matrix.shape[1] != here:
        raise ShapeError(
            "from_nir",
            f"the weights of node {name!r} have shape {matrix.shape}",
            f"(targets, {here})",
        )
    if chain.one_to_one:
        before, weights = chain.before + chain.after, chain.weights[:, np.newaxis] * matrix.T
        return replace(chain, weights=weights, before=before, after=np.zeros(matrix.shape[0]))
    if np.ptp(chain.after) != 0.0:
        raise NetworkError(
            "from_nir",
            f"delays that differ lie between two matrices, the second is node {name!r}",
            remedy="A source would reach a target at several times, which one projection cannot "
            "do.",
        )
    lag = np.full(matrix.shape[0], chain.after[0])
    return replace(chain, weights=chain.weights @ matrix.T, after=lag)


def _signals(chain: Chain, name: str, values: Any) -> Floats:
    """Values of a node, one for each signal of the chain."""
    given = np.asarray(values, dtype=np.float64)
    here = chain.after.size
    if given.size not in (1, here):
        raise ShapeError(
            "from_nir", f"node {name!r} has {given.size} values", f"{here}, one per signal"
        )
    return np.broadcast_to(given.ravel(), (here,))
