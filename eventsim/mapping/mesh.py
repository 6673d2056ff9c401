"""The mesh of a chip: places of cores, XY routes, and what they carry.

Core ``s`` of the chip lies on tile ``s // cores_per_tile``; tile ``t`` lies in column ``t %
columns`` and row ``t // columns``. East is to higher columns, north to higher rows. A spike goes
first along the row to the column of its destination, then along the column (XY routing). It is sent
once to every destination core, whatever the number of its targets there; cores on one tile are no
hop apart. Axons from outside enter at tile (0, 0).

Links are directed: ``east[y, x]`` leads from (x, y) to (x + 1, y), ``west[y, x]`` back; ``north[y,
x]`` leads from (x, y) to (x, y + 1), ``south[y, x]`` back.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from eventsim.arrays import Ints
from eventsim.chips import Limits
from eventsim.mapping.graph import AxonGraph
from eventsim.mapping.usage import destinations
from eventsim.summary import short_repr

Cores = NDArray[np.int32]
BESIDE = 1 / 64  # of a link; exact in binary


@dataclass(frozen=True, eq=False)
class Flows:
    """Spikes by core, int64.

    Attributes
    ----------
    between
        From core to core, [cores, cores]; 0 on the diagonal.
    inward
        From outside to every core, [cores].
    local
        Of neurons with a target on their own core, [cores].
    """

    between: Ints
    inward: Ints
    local: Ints


@dataclass(frozen=True, eq=False)
class Traffic:
    """What a mapping sends over the chip, in spikes of the whole tape.

    Attributes
    ----------
    spikes_between_cores
        Sum over neurons of spikes times destination cores other than the neuron's own.
    spikes_from_outside
        Sum over axons from outside of spikes times destination cores.
    hops_east_west, hops_north_south
        Links passed by spikes between cores.
    outside_east_west, outside_north_south
        Links passed by spikes from outside.
    packets
        Spikes of neurons times destination cores, their own among them: what leaves neurons.
    east, west, north, south
        Spikes on every link, int64; both kinds. Shapes [rows, columns - 1] and [rows - 1, columns].
    """

    spikes_between_cores: int
    spikes_from_outside: int
    hops_east_west: int
    hops_north_south: int
    outside_east_west: int
    outside_north_south: int
    packets: int
    east: Ints
    west: Ints
    north: Ints
    south: Ints

    __repr__ = short_repr

    @property
    def hops_from_outside(self) -> int:
        """Links passed by spikes from outside."""
        return self.outside_east_west + self.outside_north_south

    @property
    def hop_weighted_spikes(self) -> int:
        """Links passed by all spikes, those from outside included."""
        return self.hops_east_west + self.hops_north_south + self.hops_from_outside

    @property
    def busiest_link(self) -> int:
        """Spikes on the link that carries most."""
        return max(int(x.max(initial=0)) for x in (self.east, self.west, self.north, self.south))


def coordinates(limits: Limits) -> tuple[Ints, Ints]:
    """Column and row of every core's tile, int64 [cores] each."""
    tile = np.arange(limits.cores) // limits.cores_per_tile
    columns = limits.mesh[0]
    return tile % columns, tile // columns


def mesh_distances(place: Cores, limits: Limits) -> NDArray[np.float64]:
    """Links between cores of an assignment, float64 [cores + 1, cores]; the last row from outside.

    Cores on one tile are :data:`BESIDE` apart, so that spikes between them are not for nothing.
    """
    x, y = (coordinate[place] for coordinate in coordinates(limits))
    links = np.abs(x[:, None] - x) + np.abs(y[:, None] - y) + BESIDE
    np.fill_diagonal(links, 0.0)
    return np.vstack([links, x + y + BESIDE])


def flows(graph: AxonGraph, core_of: Cores, n_cores: int) -> Flows:
    """Spikes from core to core by an assignment, each destination core counted once."""
    found = destinations(graph, core_of, n_cores).tocoo()
    spikes = graph.spikes[found.row]
    placed = found.row < graph.n_neurons
    source = core_of[found.row[placed]].astype(np.int64)
    pair = source * n_cores + found.col[placed]
    between = np.bincount(pair, weights=spikes[placed], minlength=n_cores**2)
    inward = np.bincount(found.col[~placed], weights=spikes[~placed], minlength=n_cores)
    square = between.reshape(n_cores, n_cores).astype(np.int64)
    local = square.diagonal().copy()
    np.fill_diagonal(square, 0)
    return Flows(square, inward.astype(np.int64), local)


def traffic(found: Flows, place: Cores, limits: Limits) -> Traffic:
    """Count hops and loads of links.

    Parameters
    ----------
    found
        Spikes between the cores of an assignment.
    place
        int32 [cores of the assignment]: core of the chip on which each lies.
    limits
        Of the chip.
    """
    columns, rows = limits.mesh
    x, y = (coordinate[place] for coordinate in coordinates(limits))
    across = np.abs(x[:, None] - x[None, :])
    along = np.abs(y[:, None] - y[None, :])
    source, target = np.nonzero(found.between)
    links = _Links(columns, rows)
    links.send(x[source], y[source], x[target], y[target], found.between[source, target])
    inside = np.zeros(place.size, np.int64)
    links.send(inside, inside, x, y, found.inward)
    return Traffic(
        spikes_between_cores=int(found.between.sum()),
        spikes_from_outside=int(found.inward.sum()),
        hops_east_west=int((found.between * across).sum()),
        hops_north_south=int((found.between * along).sum()),
        outside_east_west=int((found.inward * x).sum()),
        outside_north_south=int((found.inward * y).sum()),
        packets=int(found.between.sum() + found.local.sum()),
        **links.loads(),
    )


class _Links:
    """Loads of links, as differences along rows and columns: where each begins and ends."""

    def __init__(self, columns: int, rows: int):
        self._row = {name: np.zeros((rows, columns), np.int64) for name in ("east", "west")}
        self._column = {name: np.zeros((rows, columns), np.int64) for name in ("north", "south")}

    def send(self, x0: Ints, y0: Ints, x1: Ints, y1: Ints, spikes: Ints) -> None:
        for name, go in (("east", x1 > x0), ("west", x1 < x0)):
            low, high = np.minimum(x0, x1)[go], np.maximum(x0, x1)[go]
            np.add.at(self._row[name], (y0[go], low), spikes[go])
            np.subtract.at(self._row[name], (y0[go], high), spikes[go])
        for name, go in (("north", y1 > y0), ("south", y1 < y0)):
            low, high = np.minimum(y0, y1)[go], np.maximum(y0, y1)[go]
            np.add.at(self._column[name], (low, x1[go]), spikes[go])
            np.subtract.at(self._column[name], (high, x1[go]), spikes[go])

    def loads(self) -> dict[str, Ints]:
        along = {name: d.cumsum(axis=1)[:, :-1] for name, d in self._row.items()}
        return along | {name: d.cumsum(axis=0)[:-1, :] for name, d in self._column.items()}
