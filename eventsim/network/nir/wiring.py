"""The chains of a pair of populations as one projection, of the kind that eventsim wrote if it did.

The nodes decide what the projection does. Metadata adds what they cannot say: which zero weights
exist, the delays of those, delays to the last bit. Where nodes were changed since, they win.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import scipy

from eventsim.arrays import Bools, Floats
from eventsim.errors import NetworkError
from eventsim.network.network import Network
from eventsim.network.nir.paths import Chain
from eventsim.network.projection import DelaysOf, SelfRecurrent


@dataclass(frozen=True, eq=False)
class End:
    """A population at the end of a chain; ``factor`` is a weight of 1 there in eventsim."""

    name: str
    size: int
    factor: Floats
    receptor: str | None = None


def connect(net: Network, source: End, target: End, found: Sequence[Chain], ms: float) -> None:
    """Add one projection for all chains of a pair; ``ms`` per unit of their delays.

    Raises
    ------
    NetworkError
        A neuron reaches another on several paths with different delays.
    """
    metadata = {key: value for chain in found for key, value in chain.metadata.items()}
    kind = metadata.get("eventsim_kind")
    same, receptor = source.name == target.name, target.receptor
    if same and kind in (None, "self") and all(map(_is_diagonal, found)):
        weights, delays = _joined(source, target, found)
        own = np.diag(delays * ms)
        exact = _exact_delays(metadata, delays * ms, np.eye(source.size) > 0, None)
        recurrent = SelfRecurrent(np.diag(weights) * target.factor)
        lags = _one_or_all(own) if exact is None else exact
        net.connect(source.name, target.name, recurrent, delays=lags, receptor=receptor)
        return
    weights, delays = _joined(source, target, found)
    used = weights != 0.0
    matrix: Any = weights * target.factor
    pattern = None
    if kind == "sparse":
        pattern = _pattern(metadata, used)
    elif kind is None and all(chain.one_to_one for chain in found):
        pattern = scipy.sparse.csr_array(np.eye(source.size))
    exact = _exact_delays(metadata, delays * ms, used, pattern)
    lags = _reduced(delays * ms, used) if exact is None else exact
    of: DelaysOf = "synapse" if lags.ndim == 2 else "source"
    if exact is not None and exact.ndim == 1:
        of = _delays_of(metadata, exact, source.size)
    if pattern is not None:
        rows = np.repeat(np.arange(source.size), np.diff(pattern.indptr))
        entries = (matrix[rows, pattern.indices], pattern.indices, pattern.indptr)
        matrix = scipy.sparse.csr_array(entries, shape=weights.shape)
        lags = lags[rows, pattern.indices] if lags.ndim == 2 else lags
    net.connect(source.name, target.name, matrix, delays=lags, delays_of=of, receptor=receptor)


def _is_diagonal(chain: Chain) -> bool:
    if chain.one_to_one:
        return True
    matrix = chain.weights
    return matrix.shape[0] == matrix.shape[1] and not (matrix - np.diag(np.diag(matrix))).any()


def _joined(source: End, target: End, found: Sequence[Chain]) -> tuple[Floats, Floats]:
    """Weights and delays of all chains together, [source.size, target.size]."""
    weights, delays = found[0].matrix(), found[0].delays()
    for chain in found[1:]:
        more, lags = chain.matrix(), chain.delays()
        clash = (weights != 0.0) & (more != 0.0) & (delays != lags)
        if clash.any():
            i, j = np.argwhere(clash)[0]
            raise NetworkError(
                "from_nir",
                f"neuron {i} of {source.name!r} reaches neuron {j} of {target.name!r} on several "
                f"paths, after {delays[i, j]:g} and {lags[i, j]:g}",
                remedy="eventsim has one synapse with one delay for a pair of neurons.",
            )
        delays = np.where(weights != 0.0, delays, lags)
        weights = weights + more
    return weights, delays


def _one_or_all(delays: Floats) -> Floats:
    """The common delay as an array of no dimension, if there is one."""
    same = delays.size > 0 and bool((delays == delays.flat[0]).all())
    return np.array(delays.flat[0]) if same else delays


def _reduced(delays: Floats, used: Bools) -> Floats:
    """Delays [sources, targets] as one number or one per source, where that says all."""
    given = delays[used]
    if (given == given[:1]).all():
        return np.array(given[0] if given.size else 0.0)
    low = np.where(used, delays, np.inf).min(axis=1)
    high = np.where(used, delays, -np.inf).max(axis=1)
    silent = ~used.any(axis=1)
    if ((low == high) | silent).all():
        return np.where(silent, 0.0, low)
    return delays


def _pattern(metadata: Mapping[str, Any], used: Bools) -> Any:
    """The stored entries of a sparse projection; all weights if the file's do not cover them."""
    indices, indptr = metadata.get("eventsim_indices"), metadata.get("eventsim_indptr")
    if indices is not None and indptr is not None and len(indptr) == used.shape[0] + 1:
        pattern = scipy.sparse.csr_array((np.ones(len(indices)), indices, indptr), shape=used.shape)
        if not (used & (pattern.toarray() == 0.0)).any():
            return pattern
    return scipy.sparse.csr_array(used.astype(np.float64))


def _delays_of(metadata: Mapping[str, Any], delays: Floats, n_sources: int) -> DelaysOf:
    """What a vector of delays is of; files of before did not say it: of sources, if it can be."""
    said = str(metadata.get("eventsim_delays_of", "source"))
    return "synapse" if said == "synapse" or delays.size != n_sources else "source"


def _exact_delays(
    metadata: Mapping[str, Any], delays: Floats, used: Bools, pattern: Any
) -> Floats | None:
    """Delays of the metadata, in the shape they had, if those of the nodes say the same."""
    if "eventsim_delays_ms" not in metadata:
        return None
    exact = np.asarray(metadata["eventsim_delays_ms"], dtype=np.float64)
    spread = exact
    vector = pattern is not None and exact.ndim == 1
    if vector and _delays_of(metadata, exact, used.shape[0]) == "synapse":
        if exact.size != pattern.nnz:
            return None
        parts = (exact, pattern.indices, pattern.indptr)
        spread = scipy.sparse.csr_array(parts, shape=used.shape).toarray()
    elif exact.shape == (used.shape[0],):
        spread = exact[:, np.newaxis]
    if spread.shape not in ((), (used.shape[0], 1), used.shape):
        return None
    spread = np.broadcast_to(spread, used.shape)
    return exact if np.allclose(spread[used], delays[used], rtol=1e-12, atol=0.0) else None
