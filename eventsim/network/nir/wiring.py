"""The chains of a pair of populations as one projection, of the kind that eventsim wrote if it did.

The nodes decide what the projection does. Metadata adds what they cannot say: which zero weights
exist, the delays of those, delays to the last bit. Where nodes were changed since, they win.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import scipy

from eventsim.arrays import Bools, Floats, owners
from eventsim.network.network import Network
from eventsim.network.nir.branches import branches_of
from eventsim.network.nir.paths import Chain
from eventsim.network.pattern import Pattern, has_pair_twice
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

    Where a neuron reaches another on several paths with different delays, or the metadata has
    several synapses of a pair, each path is a synapse of its own; else weights are added up.
    """
    metadata = {key: value for chain in found for key, value in chain.metadata.items()}
    kind = metadata.get("eventsim_kind")
    listed = _listed(metadata, (source.size, target.size)) if kind == "sparse" else None
    several = listed is not None and has_pair_twice(Pattern(listed.indptr, listed.indices))
    if several or _clash(found):
        _connect_apart(net, source, target, found, ms, metadata, listed if several else None)
        return
    same, receptor = source.name == target.name, target.receptor
    if same and kind in (None, "self") and all(map(_is_diagonal, found)):
        weights, delays = _joined(found)
        own = np.diag(delays * ms)
        exact = _exact_delays(metadata, delays * ms, np.eye(source.size) > 0, None)
        recurrent = SelfRecurrent(np.diag(weights) * target.factor)
        lags = _one_or_all(own) if exact is None else exact
        net.connect(source.name, target.name, recurrent, delays=lags, receptor=receptor)
        return
    weights, delays = _joined(found)
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


def _clash(found: Sequence[Chain]) -> bool:
    """Whether some neuron reaches another on two paths with different delays."""
    weights, delays = found[0].matrix(), found[0].delays()
    for chain in found[1:]:
        more, lags = chain.matrix(), chain.delays()
        if ((weights != 0.0) & (more != 0.0) & (delays != lags)).any():
            return True
        delays = np.where(weights != 0.0, delays, lags)
        weights = weights + more
    return False


def _connect_apart(
    net: Network,
    source: End,
    target: End,
    found: Sequence[Chain],
    ms: float,
    metadata: Mapping[str, Any],
    listed: Any,
) -> None:
    """As :func:`connect`: each path is a synapse of its own.

    ``listed`` has the synapses that eventsim wrote, if it wrote several of a pair: they are taken
    where the nodes still have them.
    """
    shape = source.size, target.size
    values = np.concatenate([chain.matrix()[chain.matrix() != 0.0] for chain in found])
    lags = np.concatenate([chain.delays()[chain.matrix() != 0.0] for chain in found]) * ms
    places = np.concatenate([np.argwhere(chain.matrix()) for chain in found]).T
    matrix = scipy.sparse.coo_array((values * target.factor[places[1]], tuple(places)), shape)
    delays = lags[np.lexsort((places[1], places[0]))]
    of: DelaysOf = "synapse"
    exact = None if listed is None else _exact_apart(found, ms, metadata, listed)
    if exact is not None:
        matrix, delays, of = exact
        matrix.data *= target.factor[matrix.indices]
    elif (delays == delays[:1]).all():
        delays = _one_or_all(delays)
    net.connect(
        source.name, target.name, matrix, delays=delays, delays_of=of, receptor=target.receptor
    )


def _exact_apart(
    found: Sequence[Chain], ms: float, metadata: Mapping[str, Any], listed: Any
) -> tuple[Any, Floats, DelaysOf] | None:
    """Weights and delays of the listed synapses, whose branches the chains are; None if not."""
    rows, n = owners(listed.indptr, listed.nnz), listed.shape[0]
    exact = np.asarray(metadata.get("eventsim_delays_ms", 0.0), dtype=np.float64)
    of = _delays_of(metadata, exact, n) if exact.ndim else "source"
    if exact.shape not in ((), (listed.nnz,) if of == "synapse" else (n,)):
        return None
    delays = exact if of == "synapse" else np.broadcast_to(exact, (n,))[rows]
    branch = branches_of(rows, listed.indices, delays)
    if int(branch.max(initial=0)) + 1 != len(found):
        return None
    values, lags = np.zeros(listed.nnz), np.zeros(listed.nnz)
    for k, chain in enumerate(found):
        mine = rows[branch == k], listed.indices[branch == k]
        values[branch == k], lags[branch == k] = chain.matrix()[mine], chain.delays()[mine] * ms
    nonzero = sum(np.count_nonzero(chain.matrix()) for chain in found)
    if nonzero != np.count_nonzero(values) or not np.allclose(delays, lags, rtol=1e-12, atol=0.0):
        return None
    parts = values, listed.indices, listed.indptr
    return scipy.sparse.csr_array(parts, shape=listed.shape), exact, of


def _is_diagonal(chain: Chain) -> bool:
    if chain.one_to_one:
        return True
    matrix = chain.weights
    return matrix.shape[0] == matrix.shape[1] and not (matrix - np.diag(np.diag(matrix))).any()


def _joined(found: Sequence[Chain]) -> tuple[Floats, Floats]:
    """Weights and delays of all chains together, [source.size, target.size]."""
    weights, delays = found[0].matrix(), found[0].delays()
    for chain in found[1:]:
        more, lags = chain.matrix(), chain.delays()
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
    listed = _listed(metadata, used.shape)
    if listed is not None and not (used & (listed.toarray() == 0.0)).any():
        return listed
    return scipy.sparse.csr_array(used.astype(np.float64))


def _listed(metadata: Mapping[str, Any], shape: tuple[int, ...]) -> Any:
    """The stored entries of a sparse projection in the metadata, each 1; None without."""
    indices, indptr = metadata.get("eventsim_indices"), metadata.get("eventsim_indptr")
    if indices is None or indptr is None or len(indptr) != shape[0] + 1:
        return None
    return scipy.sparse.csr_array((np.ones(len(indices)), indices, indptr), shape=shape)


def _delays_of(metadata: Mapping[str, Any], delays: Floats, n_sources: int) -> DelaysOf:
    """Whether delays are per source or synapse; old files do not say: per source, if it fits."""
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
