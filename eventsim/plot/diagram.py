"""The graph of a network: populations as boxes, projections as arrows."""

from collections.abc import Sequence
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.patches import FancyArrowPatch, FancyBboxPatch
from matplotlib.path import Path

from eventsim.arrays import to_host
from eventsim.errors import NetworkError
from eventsim.network import Network, Population, Projection
from eventsim.plot.doors import check_kind
from eventsim.plot.layout import HALF_HEIGHT, HALF_WIDTH, Arrow, DiagramLayout, Point, lay_out
from eventsim.plot.style import (
    INK,
    MUTED,
    POINTS_PER_INCH,
    TEXT,
    axes_for,
    population_colour,
    size_points,
)

DECISION = "decision"
COLUMN_INCHES, MOST_COLUMN_INCHES = 1.35, 2.0
LEAST_COLUMNS = 3  # of the picture
LEAST_HEIGHT = 2.0  # of the picture, in rows
LETTER = 0.62  # width of a letter, as a share of its size


def graph(net: Network, *, ax: Axes | None = None) -> Axes:
    """Draw the network: a box per population, an arrow per projection.

    Parameters
    ----------
    net
        The network.
    ax
        Axes to draw on; None for a new figure.

    Returns
    -------
    Axes
        Populations from left to right by topological depth, those of a loop in one column. An arrow
        has the colour of its source; beside it are the number of synapses and, unless they are 0,
        the delays. A linear decision is a dashed box.

    Raises
    ------
    NetworkError
        The network has no population.
    """
    check_kind("graph", net, Network, "Of a result of training or a run pass its .net.")
    if not net.populations:
        raise NetworkError("plot.graph", "the network has no population", remedy="Add one first.")
    edges = [(p.source, p.target) for p in net.projections.values()]
    names = list(net.populations)
    if net.decision is not None:
        names.append(DECISION)
        edges.append((net.decision.readout, DECISION))
    layout = lay_out(names, edges)
    # Wide enough for long names, within reason.
    widest = LETTER * TEXT * max(map(len, names)) / (2 * HALF_WIDTH * POINTS_PER_INCH)
    column = float(np.clip(widest, COLUMN_INCHES, MOST_COLUMN_INCHES))
    with axes_for(ax, size=(max(6.0, column * layout.n_columns), 4.0)) as axes:
        _frame(axes, layout)
        # With such letters the longest name fits into its box.
        longest = max(8, *(len(name) for name in layout.boxes))
        size = float(min(TEXT, 2 * HALF_WIDTH * _column_points(axes) / (LETTER * longest)))
        # As in a raster: populations that spike have colours, the input is dark.
        colours = {p.name: INK if p.is_input else MUTED for p in net.populations.values()}
        colours |= {name: population_colour(k) for k, name in enumerate(net.spiking)}
        for (source, target), arrow in layout.arrows.items():
            joining = [
                p for p in net.projections.values() if (p.source, p.target) == (source, target)
            ]
            label = _facts(joining) if joining else ""
            _arrow(axes, arrow, label, colour=colours.get(source, MUTED), size=size)
        for name, place in layout.boxes.items():
            population = net.populations.get(name)
            if population is None:
                n = "" if net.decision is None else f"{net.decision.weights.shape[1]} classes"
                _box(axes, place, (name, n), MUTED, size, style="--")
            else:
                _box(axes, place, (name, _kind(population)), colours[name], size)
        delayed = any(np.any(to_host(p.delays)) for p in net.projections.values())
        axes.set_xlabel("at arrows: synapses, delays" if delayed else "at arrows: synapses")
        return axes


def _kind(population: Population) -> str:
    word = {"input": "channel", "spiking": "neuron", "readout": "readout"}[population.kind]
    return f"{population.size:,} {word}{'' if population.size == 1 else 's'}"


def _facts(joining: Sequence[Projection]) -> str:
    """Number of synapses and range of delays, of all receptors together."""
    count = _short(sum(p.values.size for p in joining))
    text = f"self, {count}" if all(p.one_to_one for p in joining) else count
    delays = np.concatenate([to_host(p.delays).ravel() for p in joining])
    if not delays.size or not delays.any():
        return text
    low, high = float(delays.min()), float(delays.max())
    if low == high:
        return f"{text}\n{low:.3g} ms"
    digits = 0 if high >= 10.0 else 1
    return f"{text}\n{low:.{digits}f}–{high:.{digits}f} ms"


def _short(count: int) -> str:
    if count >= 1_000_000:
        return f"{count / 1e6:.3g}M"
    return f"{count / 1e3:.3g}k" if count >= 10_000 else f"{count:,}"


def _frame(axes: Axes, layout: DiagramLayout) -> None:
    low, high = layout.heights()
    spare = max(LEAST_HEIGHT - (high - low), 0.1) / 2
    middle, width = (layout.n_columns - 1) / 2, max(layout.n_columns, LEAST_COLUMNS)
    axes.set_xlim(middle - width / 2, middle + width / 2)
    axes.set_ylim(low - spare, high + spare)
    axes.set_xticks([])
    axes.set_yticks([])
    axes.spines[:].set_visible(False)


def _column_points(axes: Axes) -> float:
    left, right = axes.get_xlim()
    return size_points(axes)[0] / (right - left)


def _box(
    axes: Axes, place: Point, texts: tuple[str, str], colour: str, size: float, *, style: Any = "-"
) -> None:
    x, y = place
    low, high = axes.get_ylim()
    aspect = _column_points(axes) / (size_points(axes)[1] / (high - low))
    axes.add_patch(
        FancyBboxPatch(
            (x - HALF_WIDTH, y - HALF_HEIGHT),
            2 * HALF_WIDTH,
            2 * HALF_HEIGHT,
            boxstyle="round,pad=0,rounding_size=0.06",
            mutation_aspect=aspect,
            facecolor="white",
            edgecolor=colour,
            linewidth=1.8,
            linestyle=style,
            zorder=3,
        )
    )
    name, kind = texts
    middle: dict[str, Any] = {
        "ha": "center",
        "textcoords": "offset points",
        "zorder": 4,
        "color": INK,
    }
    axes.annotate(name, place, (0, 1), va="bottom", fontsize=size, fontweight="bold", **middle)
    axes.annotate(kind, place, (0, -1), va="top", fontsize=0.85 * size, **middle)


def _arrow(axes: Axes, arrow: Arrow, label: str, *, colour: str, size: float) -> None:
    codes = [Path.MOVETO, Path.CURVE4, Path.CURVE4, Path.CURVE4]
    axes.add_patch(
        FancyArrowPatch(
            path=Path(arrow.points, codes),
            arrowstyle="-|>",
            mutation_scale=9.0,
            color=colour,
            linewidth=1.3,
            shrinkA=0.0,
            shrinkB=0.0,
            zorder=2,
        )
    )
    _label(axes, arrow, label, size=0.85 * size)


def _label(axes: Axes, arrow: Arrow, label: str, *, size: float) -> None:
    """Beside the middle of the arrow; a level one passes between the lines of the text."""
    ha, va = arrow.anchor
    looks: dict[str, Any] = {"color": INK, "linespacing": 1.1, "zorder": 2.5}
    if not arrow.level:
        looks["bbox"] = {"facecolor": "white", "edgecolor": "none", "pad": 0.8}
        axes.text(*arrow.label, label, ha=ha, va=va, fontsize=size, **looks)
        return
    room = (arrow.points[3][0] - arrow.points[0][0]) * _column_points(axes)
    for line, offset, side in zip(label.split("\n"), (2, -2), ("bottom", "top"), strict=False):
        fitting = min(size, room / (LETTER * max(len(line), 1)))
        axes.annotate(line, arrow.label, (0, offset), textcoords="offset points", ha=ha, va=side,
                      fontsize=fitting, **looks)  # fmt: skip
