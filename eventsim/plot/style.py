"""Style of all pictures, and their conversion to PNG or SVG.

Figures of reports are built by matplotlib's object interface and drawn by Agg: no display, no
global state. Only :func:`subplots` opens a figure of pyplot, which a notebook or a window shows.
Colours are those of Okabe and Ito, which colour-blind readers can tell apart; what differs in
colour also differs in form or is labelled.
"""

import io
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import matplotlib
from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.colors import LinearSegmentedColormap
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator

from eventsim.events.storage import write_atomically

INK = "#1d2733"
MUTED = "#5f6b7a"
FAINT = "#c9d0d9"
GRID = "#e8ecf1"
BLUE = "#0072b2"
ORANGE = "#e69f00"
VERMILION = "#d55e00"
GREEN = "#009e73"
PURPLE = "#cc79a7"
SKY = "#56b4e9"

POPULATIONS = (BLUE, GREEN, PURPLE, SKY, VERMILION, ORANGE)
SHADES = LinearSegmentedColormap.from_list("shades", ["#ffffff", "#b9d6ea", "#3d8fc4", "#08415f"])

DPI = 160
MOST_TICKS = 6  # of a logarithmic axis, each LABEL_POINTS wide
LABEL_POINTS = 36.0
TEXT = 9.0
POINTS_PER_INCH = 72.0

_RC: dict[Any, Any] = {
    "font.family": "sans-serif",
    "font.sans-serif": ["DejaVu Sans"],
    "font.size": TEXT,
    "figure.facecolor": "white",
    "axes.facecolor": "white",
    "axes.titlesize": 10.0,
    "axes.titleweight": "bold",
    "axes.titlelocation": "left",
    "axes.titlepad": 8.0,
    "axes.labelcolor": MUTED,
    "axes.edgecolor": FAINT,
    "axes.linewidth": 0.8,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.axisbelow": True,
    "text.color": INK,
    "xtick.color": MUTED,
    "ytick.color": MUTED,
    "xtick.major.size": 3.0,
    "ytick.major.size": 3.0,
    "grid.color": GRID,
    "grid.linewidth": 0.8,
    "legend.frameon": False,
    "lines.linewidth": 1.8,
    "lines.solid_capstyle": "round",
}


@contextmanager
def look() -> Iterator[None]:
    """Make figures that are built and drawn inside look alike; restores what was set before.

    But for the interactive mode: the first figure loads the backend of a notebook, which switches
    it on, and shows no later figure without.
    """
    interactive = matplotlib.is_interactive()
    try:
        with matplotlib.rc_context(_RC):
            try:
                yield
            finally:
                interactive = matplotlib.is_interactive()
    finally:
        matplotlib.interactive(interactive)


def figure(width: float, height: float) -> Figure:
    """An empty figure, in inches."""
    drawn = Figure(figsize=(width, height), layout="constrained", facecolor="white")
    FigureCanvasAgg(drawn)
    return drawn


@contextmanager
def axes_for(ax: Axes | None, *, size: tuple[float, float] = (6.0, 4.0)) -> Iterator[Axes]:
    """Give the axes to draw on: ``ax`` itself, or those of a new figure that looks like all others.

    The new figure, of ``size`` inches, is one of pyplot's: a notebook shows it at the end of the
    cell, ``pyplot.show()`` in a window. What is drawn on ``ax`` has its figure's fonts.
    """
    if ax is not None:
        yield ax
        return
    drawn, axes = subplots(size=size)
    try:
        with look():
            yield axes
    except BaseException:
        from matplotlib import pyplot

        pyplot.close(drawn)
        raise


def subplots(
    rows: int = 1, columns: int = 1, *, size: tuple[float, float] = (6.0, 4.0), sharex: bool = False
) -> tuple[Figure, Any]:
    """Open a figure of several axes that look as those of the other pictures.

    Parameters
    ----------
    rows, columns
        Number of axes.
    size
        Of the figure, (width, height) in inches.
    sharex
        Whether the axes have one time axis.

    Returns
    -------
    figure, axes
        A figure of pyplot, and its axes as ``matplotlib.pyplot.subplots`` gives them: one, or
        an array of them.
    """
    from matplotlib import pyplot  # chooses a backend, so only where a figure is opened

    with look():
        drawn, axes = pyplot.subplots(
            rows, columns, figsize=size, sharex=sharex, layout="constrained"
        )
        for one in drawn.axes:
            # Ticks that are made later, outside of this style, look as those of now.
            one.tick_params(which="both", colors=MUTED, labelsize=TEXT, length=3.0)
    return drawn, axes


def size_points(axes: Axes) -> tuple[float, float]:
    """About how wide and how high the axes are, in points."""
    drawn = axes.get_figure(root=True)
    assert drawn is not None
    box = axes.get_position()
    width, height = drawn.get_size_inches()
    return float(POINTS_PER_INCH * width * box.width), float(POINTS_PER_INCH * height * box.height)


# Formats of files, and what of each changes from run to run and is left out.
FORMS = {"pdf": "CreationDate", "svg": "Date", "png": "Software"}


def png(drawn: Figure) -> bytes:
    """The figure as the content of a PNG file."""
    return encoded(drawn, "png")


def svg(drawn: Figure) -> bytes:
    """The figure as the content of an SVG file; what is drawn as dots is an image in it."""
    return encoded(drawn, "svg")


def encoded(drawn: Figure, form: str) -> bytes:
    """The figure as the content of a file of one of ``FORMS``; text in a PDF stays text."""
    buffer = io.BytesIO()
    # The salt gives the same names in an SVG file at every run.
    with matplotlib.rc_context({"pdf.fonttype": 42, "svg.hashsalt": "eventsim"}):
        drawn.savefig(buffer, format=form, dpi=DPI, metadata={FORMS[form]: None})
    return buffer.getvalue()


def write_figure(path: Path, draw: Callable[[], Figure]) -> None:
    """Draw a figure that looks as all others into a file, in the format of its ending."""
    with look():
        content = encoded(draw(), path.suffix.removeprefix("."))
    write_atomically(path, content)


def grid(axes: Axes, *, axis: str = "y") -> None:
    """Faint lines behind the data."""
    which: Any = axis
    axes.grid(visible=True, axis=which, color=GRID, linewidth=0.8)
    axes.set_axisbelow(True)


def log_scale(axes: Axes) -> None:
    """Make the x axis logarithmic, with at most MOST_TICKS plain numbers, none over another.

    Ticks are 1, 2, 5 of a decade, only powers of ten on a wide axis, even steps on one of less than
    a decade. Call it when everything is drawn and the limits are set.
    """
    axes.set_xscale("log")
    low, high = axes.get_xlim()
    most = int(min(MOST_TICKS, max(2.0, size_points(axes)[0] // LABEL_POINTS)))
    ticks: list[float] = []
    for steps in ((1, 2, 5), (1,)):
        found = (m * 10.0**e for e in range(-20, 21) for m in steps)
        ticks = ticks if 3 <= len(ticks) <= most else [x for x in found if low <= x <= high]
    ticks = ticks[:: -(-len(ticks) // most)] if ticks else ticks
    if len(ticks) < 2:
        even = MaxNLocator(nbins=max(1, most - 2)).tick_values(low, high)
        ticks = [float(x) for x in even if low <= x <= high]
    axes.set_xticks(ticks, [f"{x:g}" for x in ticks])
    axes.set_xticks([], minor=True)
    axes.set_xlim(low, high)


def population_colour(index: int) -> str:
    """Colour of the population that comes ``index``-th in the network."""
    return POPULATIONS[index % len(POPULATIONS)]
