"""The mesh of a chip: positions of cores, XY routes, and their traffic.

Tiles are numbered row by row of the mesh, and cores tile by tile: core ``s`` of a chip lies on tile
``t = s // cores_per_tile``, in column ``t % columns`` and row ``t // columns``. The last tiles of a
chip may have no cores, but have routers; on a board these tiles are left out of the numbers. East
is to higher columns, north to higher rows. A spike goes first along the row to the column of its
destination, then along the column (XY routing). It is sent once to every destination core, whatever
the number of its targets there; cores on one tile are no hop apart. Axons from outside enter at
tile (0, 0).

On a board of chips the mesh is that of the board, cut evenly into chips. A link between two chips
counts ``chip_link`` in a search; hops count every link once, and those between chips apart.

Links are directed: ``east[y, x]`` leads from (x, y) to (x + 1, y), ``west[y, x]`` back; ``north[y,
x]`` leads from (x, y) to (x, y + 1), ``south[y, x]`` back.
"""

from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
import scipy
from numpy.typing import NDArray

from eventsim.arrays import Floats, Ints
from eventsim.chips import Limits
from eventsim.hardware.graph import AxonGraph
from eventsim.hardware.usage import destination_blocks
from eventsim.summary import short_repr

Cores = NDArray[np.int32]


@dataclass(frozen=True, eq=False)
class Flows:
    """Spikes by core, int64."""

    # From core to core, csr_array [cores, cores]; nothing on the diagonal
    between: "scipy.sparse.csr_array"
    inward: Ints  # from outside to every core, [cores]
    local: Ints  # of neurons with a target on their own core, [cores]


@dataclass(frozen=True, eq=False)
class Traffic:
    """Traffic of a mapping over the chip, in spikes of the whole tape.

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
    chips_east_west, chips_north_south
        How many of all those links, from outside too, lead from chip to chip.
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
    chips_east_west: int
    chips_north_south: int
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
    def hops_between_chips(self) -> int:
        """Links from chip to chip passed by all spikes, those from outside included."""
        return self.chips_east_west + self.chips_north_south

    @property
    def busiest_link(self) -> int:
        """Spikes on the link that carries most."""
        return max(int(x.max(initial=0)) for x in (self.east, self.west, self.north, self.south))


def coordinates(limits: Limits) -> tuple[Ints, Ints]:
    """Column and row of every core's tile, int64 [cores] each."""
    (columns, rows), (across, along) = limits.mesh, limits.chips
    of_chip = -(-limits.cores // (limits.cores_per_tile * across * along))  # tiles with cores
    row, column = np.divmod(np.arange(columns * rows), columns)
    wide, high = columns // across, rows // along
    tile = np.flatnonzero(row % high * wide + column % wide < of_chip)
    tile = np.repeat(tile, limits.cores_per_tile)[: limits.cores]
    return column[tile], row[tile]


def chip_lines(limits: Limits) -> tuple[Ints, Ints]:
    """Column of chips of every column of tiles, and row of chips of every row."""
    columns, rows = (
        np.arange(size) // (size // chips)
        for size, chips in zip(limits.mesh, limits.chips, strict=True)
    )
    return columns, rows


def line_places(limits: Limits) -> tuple[Floats, Floats]:
    """Places of columns and rows of tiles, in links, one between chips being ``chip_link``."""
    x, y = (
        np.arange(chips.size) + (limits.chip_link - 1.0) * chips for chips in chip_lines(limits)
    )
    return x, y


def flows(graph: AxonGraph, core_of: Cores, n_cores: int) -> Flows:
    """Spikes from core to core by an assignment, each destination core counted once."""
    sent = scipy.sparse.csr_array((n_cores, n_cores), dtype=np.int64)
    inward = np.zeros(n_cores, np.int64)
    for low, reached in destination_blocks(graph, core_of, n_cores):
        reached.data[:] = 1
        placed = max(0, min(graph.n_neurons - low, reached.shape[0]))  # the others are outside
        spikes = graph.spikes[low : low + reached.shape[0]]
        source = core_of[low : low + placed], np.arange(placed)
        by_core = scipy.sparse.csr_array((spikes[:placed], source), shape=(n_cores, placed))
        sent += by_core @ reached[:placed]
        inward += spikes[placed:] @ reached[placed:]
    local = sent.diagonal()
    at_home = local, np.arange(n_cores), np.arange(n_cores + 1)
    between = sent - scipy.sparse.csr_array(at_home, shape=sent.shape)
    between.eliminate_zeros()
    between.sort_indices()
    return Flows(between, inward, local)


class Hops(NamedTuple):
    """Links that spikes pass: east-west, north-south, and how many of each are between chips."""

    east_west: int
    north_south: int
    chips_east_west: int
    chips_north_south: int


def multicast_hops(graph: AxonGraph, core_of: Cores, place: Cores, limits: Limits) -> Hops:
    """Links that spikes pass where routers copy them (multicast).

    A spike then passes each link of a tree once: the union of the XY routes from its source to its
    destinations, along the source's row, and from there along the columns of the destinations.
    Spikes from outside are among them.
    """
    columns, (x, y) = limits.mesh[0], (axis[place] for axis in coordinates(limits))
    home_x, home_y = np.zeros(graph.n_axons, np.int64), np.zeros(graph.n_axons, np.int64)
    home_x[: graph.n_neurons], home_y[: graph.n_neurons] = x[core_of], y[core_of]
    chip_x, chip_y = chip_lines(limits)
    passed = np.zeros(4, np.int64)
    for low, reached in destination_blocks(graph, core_of, place.size):
        found = reached.tocoo()
        axon = found.row.astype(np.int64) + low
        across = _reach(axon, x[found.col], home_x)
        branch = axon * columns + x[found.col]  # an axon in a column
        along = _reach(branch, y[found.col], np.repeat(home_y, columns))
        spikes, of_branch = graph.spikes[across.group], graph.spikes[along.group // columns]
        passed += (
            spikes @ (across.most - across.least),
            of_branch @ (along.most - along.least),
            spikes @ (chip_x[across.most] - chip_x[across.least]),
            of_branch @ (chip_y[along.most] - chip_y[along.least]),
        )
    return Hops(*passed.tolist())


class _Reach(NamedTuple):
    """Groups, ascending; the first and the last line that each and its home lie on."""

    group: Ints
    least: Ints
    most: Ints


def _reach(group: Ints, line: Ints, home: Ints) -> _Reach:
    order = np.argsort(group, kind="stable")
    ordered = group[order]
    first = np.flatnonzero(np.diff(ordered, prepend=-1))
    which = ordered[first]
    if not which.size:
        return _Reach(which, which, which)
    least = np.minimum.reduceat(line[order], first)
    most = np.maximum.reduceat(line[order], first)
    return _Reach(which, np.minimum(least, home[which]), np.maximum(most, home[which]))


def traffic(found: Flows, place: Cores, limits: Limits) -> Traffic:
    """Count hops and loads of links.

    ``place`` is the chip's core on which each core of the assignment lies.
    """
    columns, rows = limits.mesh
    x, y = (coordinate[place] for coordinate in coordinates(limits))
    chip_x, chip_y = (chip[at] for chip, at in zip(chip_lines(limits), (x, y), strict=True))
    pairs = found.between.tocoo()
    source, target, spikes = pairs.row, pairs.col, pairs.data
    links = _Links(columns, rows)
    links.send(x[source], y[source], x[target], y[target], spikes)
    inside = np.zeros(place.size, np.int64)
    links.send(inside, inside, x, y, found.inward)
    return Traffic(
        spikes_between_cores=int(spikes.sum()),
        spikes_from_outside=int(found.inward.sum()),
        hops_east_west=int(spikes @ np.abs(x[source] - x[target])),
        hops_north_south=int(spikes @ np.abs(y[source] - y[target])),
        outside_east_west=int(found.inward @ x),
        outside_north_south=int(found.inward @ y),
        chips_east_west=int(
            spikes @ np.abs(chip_x[source] - chip_x[target]) + found.inward @ chip_x
        ),
        chips_north_south=int(
            spikes @ np.abs(chip_y[source] - chip_y[target]) + found.inward @ chip_y
        ),
        packets=int(spikes.sum() + found.local.sum()),
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
