"""Picture of an experiment: accuracy of every condition and seed, and what an inference costs."""

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from eventsim.experiment.results import Findings, Row
from eventsim.experiment.table import EARLIER_OPERATIONS
from eventsim.plot import style
from eventsim.plot.style import BLUE, FAINT, INK, MUTED, ORANGE

ROW_INCHES = 0.44


def figure(findings: Findings) -> Figure:
    """Accuracies on the left, synaptic operations on the right, one row per condition.

    A dot is a seed (a fold, where there are any) after its last epoch, a ring as validation chose;
    the bar is mean and standard deviation over them. A line marks the mean of the baseline.
    """
    rows = findings.rows
    drawn = style.figure(10.0, 1.5 + ROW_INCHES * max(len(rows), 2))
    accuracy, cost = drawn.subplots(1, 2, width_ratios=[2.0, 1.0], sharey=True)
    for number, row in enumerate(rows):
        if row.name == findings.baseline:
            accuracy.axvline(100.0 * row.last.mean, color=FAINT, linewidth=1.2, zorder=0)
        _draw_accuracies(accuracy, number, row)
        operations = row.measured["synaptic_operations_per_inference"]
        if operations is not None:
            cost.barh(number, operations, color=BLUE, height=0.5)
            cost.annotate(f"{operations:,.0f}", (operations, number), (4, 0),
                          textcoords="offset points", va="center", fontsize=8,
                          color=INK)  # fmt: skip
    accuracy.set_title("Accuracy on the test part (%)")
    accuracy.set_yticks(range(len(rows)), [row.title for row in rows])
    accuracy.set_ylim(len(rows) - 0.5, -0.5)
    accuracy.grid(visible=True, axis="x")
    kind = findings.repeats.kind
    over = "folds" if kind == "folds" else "seeds of one division"
    accuracy.set_xlabel(
        f"dot: a {kind.removesuffix('s')} after its last epoch, ring: chosen by validation,\n"
        f"bar: mean ± standard deviation over {over}"
    )
    cost.set_title("Synaptic operations per recording")
    if findings.has_earlier:
        cost.set_xlabel(EARLIER_OPERATIONS.replace(" with ", "\nwith "))
    cost.margins(x=0.25)
    cost.tick_params(axis="y", labelleft=False, left=False)
    drawn.suptitle(findings.title, x=0.01, ha="left", fontsize=9, color=MUTED)
    return drawn


def _draw_accuracies(axes: Axes, number: int, row: Row) -> None:
    values = row.fold_accuracies or row.accuracies
    ringed = row.selected_fold_accuracies or row.selected_accuracies
    last, chosen = (100.0 * np.array(list(one.values())) for one in (values, ringed))
    # Seeds lie side by side, so that equal ones are seen.
    axes.plot(last, number + _offsets(last.size), "o", color=BLUE, ms=4, zorder=3)
    axes.plot(chosen, number + _offsets(chosen.size) + 0.02, "o", mfc="none", mec=ORANGE, ms=6.5,
              mew=1.0, zorder=2)  # fmt: skip
    mean, spread = 100.0 * row.last.mean, 100.0 * (row.last.deviation or 0.0)
    axes.errorbar(mean, number, xerr=spread, fmt="|", color=INK, ms=14, mew=1.6,
                  elinewidth=1.0, capsize=3, zorder=4)  # fmt: skip


def _offsets(n: int) -> np.ndarray:
    return np.linspace(-0.16, 0.16, n) if n > 1 else np.zeros(n)
