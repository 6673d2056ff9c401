r"""Placement: cores of an assignment onto cores of the chip, so that spikes pass few links.

The cost is :math:`\sum_{ij} F_{ij} d(p_i, p_j) + \sum_i G_i d(0, p_i)` with F the spikes from core
to core, G those from outside, d the links between tiles, 0 the tile (0, 0): a quadratic assignment
problem. The spectral start lays the two Fiedler vectors of F's graph onto the mesh; simulated
annealing over swaps of two places (one may be empty) goes from a temperature at which most swaps
pass down to none, and then each core in turn takes its best swap, until none gains. Several runs of
it, and the order of the cores, improved by swaps only, compete.

d is a sum over columns and rows. So the cost of a core at any position follows from its cost in
every column and in every row: checking all swaps takes time of positions squared, not cubed.
"""

import numpy as np
import scipy
from numpy.typing import NDArray

from eventsim.arrays import Floats, Ints
from eventsim.chips import Limits
from eventsim.compiled import roles_mapping
from eventsim.compiled.library import library
from eventsim.mapping.effort import Effort
from eventsim.mapping.mesh import Cores, Flows, coordinates, line_places
from eventsim.mapping.state import ONE_TASK

RUNS = 4  # of annealing; they end up to 5 % apart
SWEEPS = 60  # temperatures
MOVES_PER_PLACE = 100  # tried at each, for every core of the assignment
MOST_WORK = 10**9  # neighbours that are looked at in all
LEAST = 1e-6  # of a spike: what counts as a gain
SPARE = 1.25  # places that are considered for every core
DENSE = 1000  # cores up to which all eigenvectors are computed
SLICE = 64  # cores that are looked at before the clock is


def in_order(n_cores: int) -> Cores:
    """Core after core in the chip's numbering: row by row."""
    return np.arange(n_cores, dtype=np.int32)


def place(
    found: Flows, limits: Limits, effort: Effort, *, seed: int, start: Cores | None = None
) -> Cores:
    """Places of the cores of an assignment, int32 [cores of the assignment].

    Parameters
    ----------
    found
        Spikes between the cores.
    limits
        Of the chip.
    effort
        Ends the search when it is over.
    seed
        Of the annealing.
    start
        Places to begin with; they are improved by swaps only, without annealing.
    """
    n = found.inward.size
    region = _region(n, limits)
    places = region if start is None else np.union1d(region, start)
    if start is not None:
        search = _PlaceSearch(found, limits, places, _whole(start, places))
        search.descend(effort)
        return places[search.at[:n]].astype(np.int32)
    rough = _PlaceSearch(found, limits, places, np.arange(places.size))
    rough.descend(effort)
    if effort.is_over():
        return places[rough.at[:n]].astype(np.int32)
    begin, rng, searches = _spectral(found, limits, places), np.random.default_rng(seed), [rough]
    for _ in range(RUNS):
        if effort.is_over():
            break
        fine = _PlaceSearch(found, limits, places, begin)
        fine.anneal(rng, effort)
        fine.descend(effort)
        searches.append(fine)
    best = min(searches, key=_PlaceSearch.cost)
    return places[best.at[:n]].astype(np.int32)


def _whole(start: Cores, places: Ints) -> Ints:
    """Indices of the start's places, then of those left."""
    at = np.searchsorted(places, start)
    return np.concatenate([at, np.setdiff1d(np.arange(places.size), at)])


def _region(n: int, limits: Limits) -> Ints:
    """Places worth considering: the tiles nearest to (0, 0) in a square, with some to spare."""
    x, y = coordinates(limits)
    wanted = min(limits.cores, max(int(SPARE * n), n + 2 * limits.cores_per_tile))
    ring = np.maximum(x, y)
    order = np.lexsort((np.arange(limits.cores), x + y, ring))[:wanted]
    return np.sort(order)


def _both_ways(found: Flows) -> "scipy.sparse.csr_array":
    """Spikes between two cores in both directions together, csr_array float64."""
    both = (found.between + found.between.T).astype(np.float64).tocsr()
    both.sort_indices()
    return both


def _fiedler(flow: "scipy.sparse.csr_array") -> tuple[Floats, Floats]:
    """Eigenvectors of the graph's Laplacian to its second and third smallest eigenvalue."""
    n, degree = flow.shape[0], np.asarray(flow.sum(axis=1)).ravel()
    if n <= DENSE:
        _, vectors = np.linalg.eigh(np.diag(degree) - flow.toarray())
        return vectors[:, min(1, n - 1)], vectors[:, min(2, n - 1)]
    # The smallest of L are the largest of c - L, which Lanczos' method finds by products alone.
    shift = 2.0 * max(float(degree.max()), 1.0)
    shifted = scipy.sparse.diags_array(shift - degree) + flow
    begin = np.random.default_rng(0).normal(size=n)
    try:
        _, vectors = scipy.sparse.linalg.eigsh(shifted / shift, k=3, which="LA", v0=begin, tol=1e-4)
    except scipy.sparse.linalg.ArpackNoConvergence:
        return np.arange(n, dtype=np.float64), np.zeros(n)
    return vectors[:, 1], vectors[:, 0]  # by rising eigenvalue of c - L


def _spectral(found: Flows, limits: Limits, places: Ints) -> Ints:
    """Places of the cores, then the places left: cores that talk much come to lie close."""
    n = found.inward.size
    x, y = (coordinate[places] for coordinate in coordinates(limits))
    first, second = _fiedler(_both_ways(found))
    taken = np.lexsort((np.arange(x.size), x + y))[:n]  # the places nearest to the entry
    # Columns by the first vector, rows inside a column by the second.
    by_column = taken[np.lexsort((y[taken], x[taken]))]
    cores = np.argsort(first, kind="stable")
    at = np.empty(n, np.int64)
    for column in np.unique(x[by_column]):
        inside = np.flatnonzero(x[by_column] == column)
        chosen = cores[inside]
        at[chosen[np.argsort(second[chosen], kind="stable")]] = by_column[inside]
    rest = np.setdiff1d(np.arange(x.size), at)
    return np.concatenate([at, rest])


class _PlaceSearch:
    """Cores and empty ones (whose flows are 0) on as many places; ``at[i]`` is the place of i."""

    def __init__(self, found: Flows, limits: Limits, places: Ints, at: NDArray[np.int64]):
        self.n, flow = found.inward.size, _both_ways(found)
        x, y = (coordinate[places] for coordinate in coordinates(limits))
        inward = np.zeros(places.size)
        inward[: self.n] = found.inward
        across, along = line_places(limits)
        start = np.full(places.size + 1, flow.nnz, np.int64)
        start[: self.n + 1] = flow.indptr
        self.field = roles_mapping.CoreFieldRole(
            start=start,
            other=flow.indices.astype(np.int32),
            flow=flow.data,
            inward=inward,
            column=x,
            row=y,
            x=across[: x.max() + 1],
            y=along[: y.max() + 1],
            at=at.astype(np.int64),
            n_cores=at.size,
            n_columns=int(x.max()) + 1,
            n_rows=int(y.max()) + 1,
        )

    @property
    def at(self) -> NDArray[np.int64]:
        """Place of every core. View."""
        found: NDArray[np.int64] = self.field.at
        return found

    def cost(self) -> float:
        """Links passed by all spikes."""
        field = self.field
        x, y = field.x[field.column[field.at]], field.y[field.row[field.at]]
        one = np.repeat(np.arange(x.size), np.diff(field.start))
        links = np.abs(x[one] - x[field.other]) + np.abs(y[one] - y[field.other])
        return float(0.5 * (field.flow @ links) + field.inward @ (x + y))

    def changes(self, ones: Ints, others: Ints) -> Floats:
        """Changes of the cost by swapping the places of two cores, float64 [swaps]."""
        found = np.empty(ones.size)
        swaps = roles_mapping.CoreSwapsRole(ones, others, ones.size, None, found, None, None)
        library().run(roles_mapping.SwapChanges(ONE_TASK, self.field, swaps))
        return found

    def anneal(self, rng: np.random.Generator, effort: Effort) -> None:
        """Swaps at falling temperatures; the first of each pair is a core that is used."""
        n, size, field = self.n, self.at.size, self.field
        neighbours = 2 * (1 + field.flow.size // n)
        tries = max(1, min(MOVES_PER_PLACE * n, MOST_WORK // (RUNS * SWEEPS * neighbours)))
        pairs = rng.integers(0, n, 200), rng.integers(0, size, 200)
        changes = self.changes(*pairs)[pairs[0] != pairs[1]]
        typical = float(np.abs(changes).mean()) if changes.size else 0.0
        best, costs = self.at.copy(), np.full(2, self.cost())
        for temperature in np.geomspace(typical + 1e-12, 1e-3 * typical + 1e-12, SWEEPS):
            if effort.is_over():
                break
            first, second = rng.integers(0, n, tries), rng.integers(0, size, tries)
            limits = -temperature * np.log(rng.random(tries) + 1e-300)
            swaps = roles_mapping.CoreSwapsRole(first, second, tries, limits, None, costs, best)
            library().run(roles_mapping.AnnealCores(ONE_TASK, field, swaps))
        self.at[:] = best

    def descend(self, effort: Effort) -> None:
        """The best swap of each core in turn, until none gains."""
        field = self.field
        across = self._potential(field.column, field.x)
        along = self._potential(field.row, field.y)
        taken = 1
        while taken:
            taken = 0
            for low in range(0, self.n, SLICE):
                if effort.is_over():
                    return
                end = min(low + SLICE, self.n)
                descent = roles_mapping.DescentRole(
                    low, end, across, along, LEAST, np.empty(1, np.int64)
                )
                library().run(roles_mapping.DescendCores(ONE_TASK, field, descent))
                taken += int(descent.taken[0])

    def _potential(self, line: Ints, where: Floats) -> Floats:
        """Cost of each core in every column, or in every row, float64 [cores, columns]."""
        field, size = self.field, self.at.size
        flow = scipy.sparse.csr_array((field.flow, field.other, field.start), (size, size))
        ones = (np.ones(size), line[self.at], np.arange(size + 1))
        loads = flow @ scipy.sparse.csr_array(ones, (size, where.size))
        found: Floats = loads @ np.abs(where[:, None] - where) + np.outer(field.inward, where)
        return found
