"""Pictures of a mapping: cores with their traffic, load of links, spikes and accuracy by bits."""

from collections.abc import Sequence

import numpy as np
from matplotlib.axes import Axes
from matplotlib.cm import ScalarMappable
from matplotlib.collections import LineCollection
from matplotlib.colors import Normalize
from matplotlib.figure import Figure
from matplotlib.patches import Rectangle
from matplotlib.ticker import MaxNLocator

from eventsim.hardware.usage import limits_of
from eventsim.mapping import Mapping, StudyRow
from eventsim.mapping.mesh import coordinates
from eventsim.plot import style

MOST_LINES = 400  # flows that are drawn, the strongest
SIDE = 0.42  # half of a tile
GAP = 0.02  # around a core
LEAST_SHADE = 0.15  # of a link that carries anything


def core_map(mapping: Mapping) -> Figure:
    """Tiles and cores in the colours of their populations, joined by the spikes between them.

    The fill of a core is in proportion to its neurons. A line is wider if more spikes go between
    its two tiles, in both directions together.
    """
    limits = limits_of(mapping.chip)
    columns, rows = _window(mapping)
    drawn = style.figure(max(4.6, 1.0 * columns + 2.4), max(3.2, 1.0 * rows + 1.3))
    axes = drawn.subplots()
    _tiles(axes, columns, rows)
    x, y = (axis[mapping.used] for axis in coordinates(limits))
    _flow_lines(axes, mapping, x, y)
    shares = _shares(mapping)
    most = max(int(mapping.usage.neurons.max()), 1)
    across = int(np.ceil(np.sqrt(limits.cores_per_tile)))
    pitch = 2 * SIDE / across
    side = pitch - 2 * GAP
    for k, core in enumerate(mapping.used.tolist()):
        inside = core % limits.cores_per_tile
        left = x[k] - SIDE + pitch * (inside % across) + GAP
        bottom = y[k] - SIDE + pitch * (inside // across) + GAP
        axes.add_patch(
            Rectangle((left, bottom), side, side, facecolor="white", edgecolor=style.MUTED, lw=0.6)
        )
        level = bottom
        for colour, number in enumerate(shares[:, k].tolist()):
            height = side * number / most
            axes.add_patch(
                Rectangle((left, level), side, height, color=style.population_colour(colour), lw=0)
            )
            level += height
    for index, name in enumerate(mapping.cores):
        axes.plot([], [], "s", color=style.population_colour(index), label=name)
    axes.legend(loc="upper left", bbox_to_anchor=(1.0, 1.0))
    axes.set_title(
        f"{mapping.chip.title}: {mapping.n_cores} cores, {mapping.method.replace('_', '-')}"
    )
    return drawn


def link_map(mapping: Mapping) -> Figure:
    """Spikes on every link of the mesh, both directions side by side."""
    columns, rows = _window(mapping)
    drawn = style.figure(max(4.6, 1.0 * columns + 2.2), max(3.2, 1.0 * rows + 1.3))
    axes = drawn.subplots()
    _tiles(axes, columns, rows)
    sent = mapping.traffic
    segments, loads = [], []
    for dx, dy, table, aside in (
        (1, 0, sent.east, (0.0, 0.09)),
        (1, 0, sent.west, (0.0, -0.09)),
        (0, 1, sent.north, (-0.09, 0.0)),
        (0, 1, sent.south, (0.09, 0.0)),
    ):
        for row, column in np.argwhere(table[:rows, :columns] > 0).tolist():
            x, y = column + aside[0], row + aside[1]
            segments.append(
                [(x + dx * SIDE, y + dy * SIDE), (x + dx * (1 - SIDE), y + dy * (1 - SIDE))]
            )
            loads.append(int(table[row, column]))
    top = max(loads, default=1)
    # White is nothing at all: the least load is already a shade.
    scale = ScalarMappable(Normalize(-LEAST_SHADE * top, top), style.SHADES)
    axes.add_collection(
        LineCollection(segments, colors=scale.to_rgba(np.array(loads)), linewidths=9.0)
    )
    if not loads:
        axes.text(0.5, 0.5, "no spike leaves its tile", transform=axes.transAxes, ha="center")
    else:
        bar = drawn.colorbar(scale, ax=axes, label="spikes on the link", shrink=0.8)
        bar.ax.set_ylim(0, top)
    axes.set_title(
        f"{sent.hop_weighted_spikes:,} links passed; busiest link {sent.busiest_link:,} spikes"
    )
    return drawn


def bits_study(study: Sequence[StudyRow]) -> Figure:
    """Share of spikes that are lost or moved, and accuracy, by the bits of the weights."""
    known = sorted((row for row in study if row.bits is not None), key=lambda row: row.bits or 0)
    bits = [row.bits or 0 for row in known]
    scores = [(row.bits or 0, 100.0 * row.score) for row in known if row.score is not None]
    drawn = style.figure(10.0 if scores else 5.4, 3.2)
    panels = drawn.subplots(1, 2 if scores else 1, squeeze=False)[0]
    lost = [100.0 * row.without_partner for row in known]
    _bits_panel(panels[0], bits, lost, style.VERMILION)
    panels[0].set_title(f"Spikes lost or moved by more than {study[0].window_ms:g} ms (%)")
    panels[0].set_ylim(bottom=0.0)
    if scores:
        _bits_panel(panels[1], [b for b, _ in scores], [s for _, s in scores], style.BLUE)
        if study[0].score is not None:
            exact = 100.0 * study[0].score
            panels[1].axhline(exact, color=style.INK, linewidth=1.0, linestyle=(0, (3, 2)))
            panels[1].annotate(
                f"as trained: {exact:.1f}",
                (bits[0], exact),
                xytext=(0, 4),
                textcoords="offset points",
                color=style.MUTED,
            )
        panels[1].set_title("Accuracy (%)")
    return drawn


def _bits_panel(axes: Axes, bits: list[int], values: list[float], colour: str) -> None:
    axes.plot(bits, values, color=colour, marker="o", markersize=4)
    axes.set_xlabel("bits of a weight")
    axes.xaxis.set_major_locator(MaxNLocator(integer=True))
    style.grid(axes)


def _window(mapping: Mapping) -> tuple[int, int]:
    """Columns and rows to draw: the used ones and one more, at least 2 x 2."""
    x, y = (axis[mapping.used] for axis in coordinates(limits_of(mapping.chip)))
    columns, rows = limits_of(mapping.chip).mesh
    return min(columns, max(2, int(x.max()) + 2)), min(rows, max(2, int(y.max()) + 2))


def _tiles(axes: Axes, columns: int, rows: int) -> None:
    for column in range(columns):
        for row in range(rows):
            axes.add_patch(
                Rectangle(
                    (column - SIDE, row - SIDE),
                    2 * SIDE,
                    2 * SIDE,
                    facecolor="#f7f9fb",
                    edgecolor=style.FAINT,
                    linewidth=0.8,
                )
            )
    axes.set_xlim(-0.6, columns - 0.4)
    axes.set_ylim(-0.6, rows - 0.4)
    axes.set_aspect("equal")
    axes.set_xticks(range(columns))
    axes.set_yticks(range(rows))
    axes.set_xlabel("column of tiles")
    axes.set_ylabel("row")
    axes.spines[:].set_visible(False)
    axes.tick_params(length=0)


def _shares(mapping: Mapping) -> np.ndarray[tuple[int, int], np.dtype[np.int64]]:
    """Neurons by population and used core."""
    number = {core: k for k, core in enumerate(mapping.used.tolist())}
    found = np.zeros((len(mapping.cores), mapping.n_cores), np.int64)
    for row, cores in enumerate(mapping.cores.values()):
        for core in cores.tolist():
            found[row, number[core]] += 1
    return found


def _flow_lines(
    axes: Axes,
    mapping: Mapping,
    x: np.ndarray[tuple[int], np.dtype[np.int64]],
    y: np.ndarray[tuple[int], np.dtype[np.int64]],
) -> None:
    between = mapping.spikes_by_core.between
    both = (between + between.T).tocoo()
    apart = (both.row < both.col) & ((x[both.row] != x[both.col]) | (y[both.row] != y[both.col]))
    if not apart.any():
        return
    one, other, loads = both.row[apart], both.col[apart], both.data[apart]
    order = np.argsort(loads, kind="stable")[-MOST_LINES:]
    pairs = zip(one[order].tolist(), other[order].tolist(), strict=True)
    lines = [[(x[i], y[i]), (x[j], y[j])] for i, j in pairs]
    widths = 0.3 + 4.0 * loads[order] / loads.max()
    axes.add_collection(
        LineCollection(lines, linewidths=widths.tolist(), colors=style.INK, alpha=0.3, zorder=3)
    )
