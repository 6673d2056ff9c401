"""Comparison of conditions: a dot per seed or fold, and mean and standard deviation."""

from collections.abc import Mapping, Sequence

import numpy as np
from matplotlib.axes import Axes

from eventsim.arrays import Floats
from eventsim.checks import one_of
from eventsim.errors import ParameterError
from eventsim.plot.style import BLUE, FAINT, INK, ORANGE, axes_for

ROW_INCHES = 0.44


def comparison(
    values: Mapping[str, Sequence[float]],
    *,
    ringed: Mapping[str, Sequence[float]] | None = None,
    baseline: str | None = None,
    label: str = "accuracy (%)",
    ax: Axes | None = None,
) -> Axes:
    """Draw what several conditions reached: a row each, with a dot per seed or fold.

    Parameters
    ----------
    values
        Numbers of every condition by its title, in the order of the rows, from above.
    ringed
        Further numbers of them, drawn as rings.
    baseline
        The condition whose mean a line marks; None for none.
    label
        Of the values, with their unit.
    ax
        Axes to draw on; None for a new figure.

    Returns
    -------
    Axes
        The bar of a row is mean and standard deviation (of the sample, n - 1) of its dots; one
        value has no deviation.

    Raises
    ------
    ParameterError
        A condition has no value, or the baseline is none of them.
    """
    empty = [name for name, given in values.items() if not len(given)]
    if empty or not values:
        raise ParameterError(
            "plot.comparison",
            f"{empty[0] if empty else 'nothing'!r} has no value",
            "one or more of every condition",
        )
    if baseline is not None:
        one_of("plot.comparison", "baseline", baseline, values)
    with axes_for(ax, size=(7.0, 1.1 + ROW_INCHES * max(len(values), 2))) as axes:
        for number, (name, given) in enumerate(values.items()):
            found = np.asarray(given, np.float64)
            if name == baseline:
                axes.axvline(float(found.mean()), color=FAINT, linewidth=1.2, zorder=0)
            _draw(axes, number, found, np.asarray((ringed or {}).get(name, ()), np.float64))
        axes.set_yticks(range(len(values)), list(values))
        axes.set_ylim(len(values) - 0.5, -0.5)
        axes.grid(visible=True, axis="x")
        axes.set_xlabel(label)
        return axes


def _draw(axes: Axes, number: int, values: Floats, ringed: Floats) -> None:
    # Seeds lie side by side, so that equal ones are seen.
    axes.plot(values, number + _offsets(values.size), "o", color=BLUE, ms=4, zorder=3)
    axes.plot(ringed, number + _offsets(ringed.size) + 0.02, "o", mfc="none", mec=ORANGE, ms=6.5,
              mew=1.0, zorder=2)  # fmt: skip
    spread = float(values.std(ddof=1)) if values.size > 1 else 0.0
    axes.errorbar(float(values.mean()), number, xerr=spread, fmt="|", color=INK, ms=14, mew=1.6,
                  elinewidth=1.0, capsize=3, zorder=4)  # fmt: skip


def _offsets(n: int) -> Floats:
    offsets: Floats = np.linspace(-0.16, 0.16, n) if n > 1 else np.zeros(n)
    return offsets
