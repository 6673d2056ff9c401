"""Positions of the boxes and arrows in the picture of a network.

Populations stand in columns by topological depth, the longest way from a population without
sources. Populations that reach each other form a loop and share a column, one below the other.

==================  =================================================================
projection          its arrow
==================  =================================================================
to the next column  straight, from the right side to the left side
over columns        a bow above everything between, the higher the more columns
inside a column     straight between neighbours, else a bow beside the column
onto itself         a small bow below the lowest box of a column, above the highest one,
                    on the right of one between
==================  =================================================================

All positions are in units of columns (x) and boxes (y).
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from graphlib import TopologicalSorter

import numpy as np
import scipy.sparse as sp
from scipy.sparse.csgraph import connected_components

Point = tuple[float, float]

HALF_WIDTH, HALF_HEIGHT = 0.29, 0.2  # of a box
ROW = 1.0  # between two boxes of a column
LOOP = 0.34  # height of a bow onto the own box
BOW = 0.3  # between a bow over columns and what it passes, and between two such bows
LABEL = 0.22  # height of a text of two lines
ASIDE = 0.1  # of two arrows between the same two boxes
LANDING = 0.16  # of bows, left and right of the middle of a box


@dataclass(frozen=True)
class Arrow:
    """A cubic curve from one box to another."""

    points: tuple[Point, Point, Point, Point]  # begin, two control points, end
    label: Point  # where its text is
    # Which point of the text is there, as matplotlib's ``(ha, va)``
    anchor: tuple[str, str] = ("center", "center")

    @property
    def level(self) -> bool:
        """Whether it is a horizontal line."""
        return len({y for _, y in self.points}) == 1


@dataclass(frozen=True)
class DiagramLayout:
    """Middles of boxes by name, and arrows by (source, target)."""

    boxes: Mapping[str, Point]
    arrows: Mapping[tuple[str, str], Arrow]

    @property
    def n_columns(self) -> int:
        """Number of columns."""
        return 1 + int(max((x for x, _ in self.boxes.values()), default=0.0))

    def heights(self) -> tuple[float, float]:
        """Lowest and highest point of boxes and labels."""
        boxes = [y for _, y in self.boxes.values()]
        labels = [arrow.label[1] for arrow in self.arrows.values()]
        low = min([*(y - HALF_HEIGHT for y in boxes), *(y - LABEL for y in labels)])
        return low, max([*(y + HALF_HEIGHT for y in boxes), *(y + LABEL for y in labels)])


def lay_out(names: Sequence[str], edges: Iterable[tuple[str, str]]) -> DiagramLayout:
    """Places of populations, in the order of ``names``, and of the arrows between them."""
    edges = list(edges)
    depths = _depths(names, edges)
    boxes: dict[str, Point] = {}
    for depth in sorted(set(depths.values())):
        column = [name for name in names if depths[name] == depth]
        for row, name in enumerate(column):
            boxes[name] = float(depth), ROW * ((len(column) - 1) / 2 - row)
    ends = {x: [y for u, y in boxes.values() if u == x] for x, _ in boxes.values()}
    tops = _tops(boxes, edges)
    arrows = {}
    for source, target in edges:
        (x0, y0), (x1, y1) = boxes[source], boxes[target]
        if source == target:
            arrows[source, target] = _onto_itself((x0, y0), ends[x0])
        elif x0 == x1:
            arrows[source, target] = _inside_column((x0, y0), y1)
        elif x1 - x0 == 1.0:
            begin, end = (x0 + HALF_WIDTH, y0), (x1 - HALF_WIDTH, y1)
            arrows[source, target] = _straight(begin, end)
        else:
            between = max(tops[x] for x in tops if x0 <= x <= x1)
            arrows[source, target] = _over((x0, y0), (x1, y1), between + BOW * (x1 - x0 - 1))
    return DiagramLayout(boxes, arrows)


def _depths(names: Sequence[str], edges: Sequence[tuple[str, str]]) -> dict[str, int]:
    """Longest way to every population, loops taken as one."""
    number = {name: k for k, name in enumerate(names)}
    pairs = np.array([(number[a], number[b]) for a, b in edges], dtype=np.int64).reshape(-1, 2)
    graph = sp.coo_array((np.ones(len(pairs)), tuple(pairs.T)), shape=(len(names), len(names)))
    _, loop = connected_components(graph.tocsr(), connection="strong")
    before: dict[int, set[int]] = {int(k): set() for k in loop}
    for a, b in pairs.tolist():
        if loop[a] != loop[b]:
            before[int(loop[b])].add(int(loop[a]))
    depth: dict[int, int] = {}
    for one in TopologicalSorter(before).static_order():
        depth[one] = max((depth[other] + 1 for other in before[one]), default=0)
    return {name: depth[int(loop[k])] for name, k in number.items()}


def _tops(boxes: Mapping[str, Point], edges: Sequence[tuple[str, str]]) -> dict[float, float]:
    """Highest point of every column, with what may be a bow onto the own box."""
    tops = {x: 0.0 for x, _ in boxes.values()}
    for name, (x, y) in boxes.items():
        above = (name, name) in edges and y > 0.0
        tops[x] = max(tops[x], y + HALF_HEIGHT + (LOOP if above else 0.0))
    return tops


def _straight(begin: Point, end: Point) -> Arrow:
    def at(share: float) -> Point:
        return begin[0] + share * (end[0] - begin[0]), begin[1] + share * (end[1] - begin[1])

    return Arrow((begin, at(1 / 3), at(2 / 3), end), at(0.5))


def _onto_itself(box: Point, column: Sequence[float]) -> Arrow:
    x, y = box
    if min(column) < y < max(column):
        edge, far = x + HALF_WIDTH, x + HALF_WIDTH + 0.75 * LOOP
        ends = y + HALF_HEIGHT / 2, y - HALF_HEIGHT / 2
        points = (edge, ends[0]), (far, ends[0]), (far, ends[1]), (edge, ends[1])
        return Arrow(points, (edge + 0.65 * LOOP, y), ("left", "center"))
    side = -1.0 if y == min(column) else 1.0
    edge, far = y + side * HALF_HEIGHT, y + side * (HALF_HEIGHT + LOOP)
    points = (x - ASIDE, edge), (x - 2.4 * ASIDE, far), (x + 2.4 * ASIDE, far), (x + ASIDE, edge)
    anchor = "top" if side < 0 else "bottom"
    return Arrow(points, (x, edge + side * 0.82 * LOOP), ("center", anchor))


def _inside_column(box: Point, y1: float) -> Arrow:
    """Down on the right, up on the left."""
    x, y0 = box
    side = 1.0 if y1 < y0 else -1.0
    if abs(y1 - y0) <= ROW:
        begin, end = y0 - side * HALF_HEIGHT, y1 + side * HALF_HEIGHT
        arrow = _straight((x + side * ASIDE, begin), (x + side * ASIDE, end))
        anchor = "left" if side > 0 else "right"
        return Arrow(arrow.points, (x + side * 1.3 * ASIDE, (y0 + y1) / 2), (anchor, "center"))
    edge, far = x + side * HALF_WIDTH, x + side * (HALF_WIDTH + 0.25)
    middle = (edge + 3 * far) / 4, (y0 + y1) / 2
    return Arrow(((edge, y0), (far, y0), (far, y1), (edge, y1)), middle)


def _over(source: Point, target: Point, apex: float) -> Arrow:
    (x0, y0), (x1, y1) = source, target
    begin, end = (x0 + LANDING, y0 + HALF_HEIGHT), (x1 - LANDING, y1 + HALF_HEIGHT)
    # A cubic curve is highest at an eighth of its ends and three quarters of its control points.
    control = (apex - (begin[1] + end[1]) / 8) / 0.75
    points = begin, (begin[0] + LANDING, control), (end[0] - LANDING, control), end
    return Arrow(points, ((begin[0] + end[0]) / 2, apex))
