"""Learning curves: a metric of training and validation by epoch."""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.ticker import MaxNLocator

from eventsim.errors import ParameterError
from eventsim.plot.style import BLUE, VERMILION, axes_for, grid

MARKED = 40  # epochs up to which each has a dot
VALIDATION = "validation_"


def history(result: Any, *, metric: str = "accuracy", ax: Axes | None = None) -> Axes:
    """Draw a learning curve: a metric of training and, if there was one, of validation by epoch.

    Parameters
    ----------
    result
        What :func:`eventsim.train` gave, a run of :func:`eventsim.load_run`, or a sequence of the
        metrics of every epoch, as their ``history`` is.
    metric
        Which one: ``"accuracy"``, ``"loss"``, or another number of the metrics.
    ax
        Axes to draw on; None for a new figure.

    Returns
    -------
    Axes
        Epoch to the right; accuracies in percent. The last values are written beside the curves.

    Raises
    ------
    ParameterError
        ``result`` has no metrics, or none of that name.
    """
    lines = _lines(result, metric)
    scale = 100.0 if metric == "accuracy" else 1.0
    epochs = [int(line["epoch"]) for line in lines]
    training = [scale * line[metric] for line in lines]
    validation = [scale * line.get(VALIDATION + metric, np.nan) for line in lines]
    validated = not np.isnan(validation).all()
    with axes_for(ax) as axes:
        # The last values stand beside the curves, apart even where the curves meet.
        lift = 5.0 if not (validated and training[-1] < validation[-1]) else -5.0
        _curve(axes, epochs, training, BLUE, "training", "-", lift if validated else 0.0)
        if validated:
            _curve(axes, epochs, validation, VERMILION, "validation", (0, (4, 2)), -lift)
            axes.legend(loc="best", frameon=False)
        axes.set_xlabel("epoch")
        axes.set_ylabel("accuracy (%)" if metric == "accuracy" else metric.replace("_", " "))
        axes.xaxis.set_major_locator(MaxNLocator(integer=True, min_n_ticks=1))
        grid(axes)
        return axes


def _lines(result: Any, metric: str) -> Sequence[Mapping[str, Any]]:
    lines: Sequence[Mapping[str, Any]] = getattr(result, "history", result)
    whole = isinstance(lines, Sequence) and all(
        isinstance(line, Mapping) and "epoch" in line for line in lines
    )
    if not whole:
        raise ParameterError(
            "plot.history",
            f"got {type(result).__name__}",
            'the result of training, a run, or a list of metrics with the key "epoch"',
        )
    if any(metric not in line for line in lines):
        numbers = [key for key, value in lines[0].items() if isinstance(value, int | float)]
        raise ParameterError(
            "plot.history", f"no metric {metric!r} in every epoch", f"one of {numbers}"
        )
    return lines


def _curve(
    axes: Axes, x: list[int], y: list[float], colour: str, label: str, style: Any, lift: float
) -> None:
    marker = "o" if len(x) <= MARKED else None
    axes.plot(x, y, color=colour, label=label, linestyle=style, marker=marker, markersize=3.5)
    if not x:
        return
    axes.annotate(
        f"{y[-1]:.1f}" if y[-1] >= 10 else f"{y[-1]:.2f}",
        (x[-1], y[-1]),
        xytext=(6, lift),
        textcoords="offset points",
        va="center",
        color=colour,
        annotation_clip=False,
    )
