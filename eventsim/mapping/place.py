r"""Placement: cores of an assignment onto cores of the chip, so that spikes pass few links.

The cost is :math:`\sum_{ij} F_{ij} d(p_i, p_j) + \sum_i G_i d(0, p_i)` with F the spikes from core
to core, G those from outside, d the links between tiles, 0 the tile (0, 0): a quadratic assignment
problem. The spectral start lays the two Fiedler vectors of F's graph onto the mesh; simulated
annealing over swaps of two places (one may be empty) goes from a temperature at which most swaps
pass down to none, and then the best swaps are taken until none gains. The order of the cores,
improved by swaps only, competes.
"""

import numpy as np
from numpy.typing import NDArray

from eventsim.arrays import Floats
from eventsim.chips import Limits
from eventsim.mapping.mesh import Cores, Flows, coordinates

SWEEPS = 60  # temperatures
MOVES_PER_PLACE = 20  # tried at each, for every core of the assignment
MOST_MOVES = 120_000
ROUND = 64  # swaps that are taken from one table of all
LEAST = 1e-6  # of a spike: what counts as a gain
SPARE = 1.25  # places that are considered for every core


def in_order(n_cores: int) -> Cores:
    """Core after core in the chip's numbering: row by row."""
    return np.arange(n_cores, dtype=np.int32)


def place(found: Flows, limits: Limits, *, seed: int, start: Cores | None = None) -> Cores:
    """Places of the cores of an assignment, int32 [cores of the assignment].

    Parameters
    ----------
    found
        Spikes between the cores.
    limits
        Of the chip.
    seed
        Of the annealing.
    start
        Places to begin with; they are improved by swaps only, without annealing.
    """
    n = found.inward.size
    places = _region(n, limits) if start is None else np.union1d(_region(n, limits), start)
    x, y = (coordinate[places] for coordinate in coordinates(limits))
    distance = (np.abs(x[:, None] - x) + np.abs(y[:, None] - y)).astype(np.float64)
    flow = np.zeros((places.size, places.size))
    flow[:n, :n] = found.between + found.between.T
    inward = np.zeros(places.size)
    inward[:n] = found.inward
    outside = (x + y).astype(np.float64)
    if start is not None:
        search = _Annealing(flow, inward, distance, outside, _whole(start, places))
        search.descend()
        return places[search.at[:n]].astype(np.int32)
    rough = _Annealing(flow, inward, distance, outside, np.arange(places.size))
    rough.descend()
    search = _Annealing(flow, inward, distance, outside, _spectral(flow[:n, :n], x, y))
    search.anneal(np.random.default_rng(seed), n)
    search.descend()
    best = min(rough, search, key=_Annealing.cost)
    return places[best.at[:n]].astype(np.int32)


def _whole(start: Cores, places: NDArray[np.int64]) -> NDArray[np.int64]:
    """Indices of the start's places, then of those left."""
    at = np.searchsorted(places, start)
    return np.concatenate([at, np.setdiff1d(np.arange(places.size), at)])


def _region(n: int, limits: Limits) -> NDArray[np.int64]:
    """Places worth considering: the tiles nearest to (0, 0) in a square, with some to spare."""
    x, y = coordinates(limits)
    wanted = min(limits.cores, max(int(SPARE * n), n + 2 * limits.cores_per_tile))
    ring = np.maximum(x, y)
    order = np.lexsort((np.arange(limits.cores), x + y, ring))[:wanted]
    return np.sort(order)


def _spectral(flow: Floats, x: NDArray[np.int64], y: NDArray[np.int64]) -> NDArray[np.int64]:
    """Places of the cores, then the places left: cores that talk much come to lie close."""
    n = flow.shape[0]
    laplacian = np.diag(flow.sum(axis=1)) - flow
    _, vectors = np.linalg.eigh(laplacian)
    first = vectors[:, min(1, n - 1)]
    second = vectors[:, min(2, n - 1)]
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


class _Annealing:
    """Cores and empty ones (whose flows are 0) on as many places; ``at[i]`` is the place of i."""

    def __init__(
        self, flow: Floats, inward: Floats, distance: Floats, outside: Floats, at: NDArray[np.int64]
    ):
        self.flow, self.inward, self.distance, self.outside = flow, inward, distance, outside
        self.at = at.copy()

    def cost(self) -> float:
        """Links passed by all spikes."""
        d = self.distance[self.at[:, None], self.at[None, :]]
        return float(0.5 * (self.flow * d).sum() + self.inward @ self.outside[self.at])

    def change(self, i: int, j: int) -> float:
        """What swapping the places of i and j adds to the cost."""
        p, q = self.at[i], self.at[j]
        d = self.distance[p, self.at] - self.distance[q, self.at]
        pull = self.flow[j] - self.flow[i]
        # Terms of i and j with each other: their distance stays.
        pull[i] = pull[j] = 0.0
        out = (self.inward[j] - self.inward[i]) * (self.outside[p] - self.outside[q])
        return float(pull @ d + out)

    def swap(self, i: int, j: int) -> None:
        self.at[i], self.at[j] = self.at[j], self.at[i]

    def anneal(self, rng: np.random.Generator, n: int) -> None:
        """Swaps at falling temperatures; the first of each pair is a core that is used."""
        size = self.at.size
        tries = max(1, min(MOVES_PER_PLACE * n, MOST_MOVES // SWEEPS))
        pairs = np.stack([rng.integers(0, n, 200), rng.integers(0, size, 200)], axis=1)
        typical = np.mean([abs(self.change(i, j)) for i, j in pairs.tolist() if i != j] or [0.0])
        best, least = self.at.copy(), self.cost()
        cost = least
        for temperature in np.geomspace(typical + 1e-12, 1e-3 * typical + 1e-12, SWEEPS):
            first = rng.integers(0, n, tries).tolist()
            second = rng.integers(0, size, tries).tolist()
            limits = (-temperature * np.log(rng.random(tries) + 1e-300)).tolist()
            for i, j, limit in zip(first, second, limits, strict=True):
                if i == j:
                    continue
                delta = self.change(i, j)
                if delta <= limit:
                    self.swap(i, j)
                    cost += delta
                    if cost < least:
                        best, least = self.at.copy(), cost
        self.at = best

    def descend(self) -> None:
        """The best swaps of all pairs, round by round, until none gains."""
        while True:
            change = self._changes()
            order = np.argsort(change, axis=None)[:ROUND]
            pairs = zip(*np.unravel_index(order, change.shape), strict=True)
            gained = False
            for i, j in ((int(a), int(b)) for a, b in pairs):
                # Earlier swaps of the round may have changed what this one brings.
                if change[i, j] < -LEAST and self.change(i, j) < -LEAST:
                    self.swap(i, j)
                    gained = True
            if not gained:
                return

    def _changes(self) -> Floats:
        """:meth:`change` of all pairs at once, float64 [places, places]."""
        d = self.distance[self.at[:, None], self.at[None, :]]
        there = self.flow @ d  # what i costs at the place of j, the others where they are
        out = self.inward[:, None] * self.outside[self.at][None, :]
        one = there - np.diag(there)[:, None] + out - np.diag(out)[:, None]
        changes: Floats = one + one.T + 2.0 * self.flow * d
        return changes
