"""Confusion matrix: true class against answer."""

from collections.abc import Sequence
from typing import Any

import numpy as np
from matplotlib.axes import Axes

from eventsim.checks import whole_array
from eventsim.errors import ShapeError
from eventsim.plot.style import INK, SHADES, axes_for

INCHES, MARGIN = 0.42, 1.6  # of a class, and of the names


def confusion(
    result: Any, class_names: Sequence[str] | None = None, *, ax: Axes | None = None
) -> Axes:
    """Draw a confusion matrix: counts of true class (rows) against answer (columns).

    Parameters
    ----------
    result
        What :func:`eventsim.evaluate` gave, or counts [true, answered], whole numbers.
    class_names
        Of the rows; None for their numbers. Columns beyond them are answers that are no class.
    ax
        Axes to draw on; None for a new figure.

    Returns
    -------
    Axes
        The shade is the share of the true class, in [0, 1]; counts of wrong answers are bold.

    Raises
    ------
    ShapeError
        The counts are no matrix, are empty (an evaluation of more than 100 classes has none), or
        there are not as many names as rows.
    """
    counts = whole_array(getattr(result, "confusion", result), "plot.confusion: counts")
    if counts.ndim != 2 or not counts.size or counts.shape[1] < counts.shape[0]:
        raise ShapeError(
            "plot.confusion",
            f"counts have shape {counts.shape}",
            "[true, answered] with as many columns as rows, or more",
            "An evaluation of more than 100 classes has none.",
        )
    n_true, n_answers = counts.shape
    names = list(map(str, range(n_true) if class_names is None else class_names))
    if len(names) != n_true:
        raise ShapeError("plot.confusion", f"{len(names)} class names", n_true)
    side = MARGIN + INCHES * n_answers
    with axes_for(ax, size=(side, side)) as axes:
        share = counts / np.maximum(counts.sum(axis=1, keepdims=True), 1)
        axes.imshow(share, cmap=SHADES, vmin=0.0, vmax=1.0)
        for row, column in zip(*np.nonzero(counts), strict=True):
            axes.text(
                column,
                row,
                str(counts[row, column]),
                ha="center",
                va="center",
                color="white" if share[row, column] > 0.55 else INK,
                fontsize=8.0,
                fontweight="bold" if row != column else "normal",
            )
        answers = [*names, *(f"#{k}" for k in range(n_true, n_answers))]
        axes.set_xticks(range(n_answers), answers, rotation=45, ha="right")
        axes.set_yticks(range(n_true), names)
        axes.set_xlabel("answered")
        axes.set_ylabel("true class")
        axes.set_xticks(np.arange(n_answers + 1) - 0.5, minor=True)
        axes.set_yticks(np.arange(n_true + 1) - 0.5, minor=True)
        axes.grid(visible=True, which="minor", color="#f0f3f6", linewidth=1.0)
        axes.tick_params(which="both", length=0)
        axes.spines[:].set_visible(False)
        return axes
