"""Picture of an experiment: accuracy of every condition and seed, and what an inference costs."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from eventsim.report.style import BLUE, FAINT, INK, MUTED, ORANGE, figure

ROW_INCHES = 0.44


@dataclass(frozen=True)
class ConditionPoints:
    """A condition as it is drawn.

    Attributes
    ----------
    title
        Beside its row.
    last, selected
        Accuracy in [0, 1] by seed, after the last epoch and as validation chose.
    operations
        Synaptic operations per inference; None if not known.
    """

    title: str
    last: Mapping[int, float]
    selected: Mapping[int, float]
    operations: float | None


def comparison(
    rows: Sequence[ConditionPoints], *, baseline: int | None = None, title: str = ""
) -> Figure:
    """Accuracies on the left, synaptic operations on the right, one row per condition.

    A dot is a seed after its last epoch, a ring as validation chose; the bar is mean and standard
    deviation over the seeds. A line marks the mean of row ``baseline``.
    """
    drawn = figure(10.0, 1.5 + ROW_INCHES * max(len(rows), 2))
    accuracy, cost = drawn.subplots(1, 2, width_ratios=[2.0, 1.0], sharey=True)
    if baseline is not None:
        mean = 100.0 * float(np.mean(list(rows[baseline].last.values())))
        accuracy.axvline(mean, color=FAINT, linewidth=1.2, zorder=0)
    for number, row in enumerate(rows):
        _draw_accuracies(accuracy, number, row)
        if row.operations is not None:
            cost.barh(number, row.operations, color=BLUE, height=0.5)
            cost.annotate(f"{row.operations:,.0f}", (row.operations, number), (4, 0),
                          textcoords="offset points", va="center", fontsize=8,
                          color=INK)  # fmt: skip
    accuracy.set_title("Accuracy on the test part (%)")
    accuracy.set_yticks(range(len(rows)), [row.title for row in rows])
    accuracy.set_ylim(len(rows) - 0.5, -0.5)
    accuracy.grid(visible=True, axis="x")
    accuracy.set_xlabel("dot: last epoch, ring: chosen by validation, bar: mean ± sd over seeds")
    cost.set_title("Synaptic operations per recording")
    cost.margins(x=0.25)
    cost.tick_params(axis="y", labelleft=False, left=False)
    if title:
        drawn.suptitle(title, x=0.01, ha="left", fontsize=9, color=MUTED)
    return drawn


def _draw_accuracies(axes: Axes, number: int, row: ConditionPoints) -> None:
    last = 100.0 * np.array(list(row.last.values()))
    chosen = 100.0 * np.array(list(row.selected.values()))
    # Seeds lie side by side, so that equal ones are seen.
    axes.plot(last, number + _offsets(last.size), "o", color=BLUE, ms=4, zorder=3)
    axes.plot(chosen, number + _offsets(chosen.size) + 0.02, "o", mfc="none", mec=ORANGE, ms=6.5,
              mew=1.0, zorder=2)  # fmt: skip
    spread = float(np.std(last, ddof=1)) if last.size > 1 else 0.0
    axes.errorbar(float(last.mean()), number, xerr=spread, fmt="|", color=INK, ms=14, mew=1.6,
                  elinewidth=1.0, capsize=3, zorder=4)  # fmt: skip


def _offsets(n: int) -> np.ndarray:
    return np.linspace(-0.16, 0.16, n) if n > 1 else np.zeros(n)
