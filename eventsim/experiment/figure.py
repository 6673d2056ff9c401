"""Picture of an experiment: what every condition and seed reached, and the cost of an inference."""

from collections.abc import Mapping
from typing import Any

from matplotlib.figure import Figure

from eventsim.experiment.results import Findings
from eventsim.experiment.table import TOLD
from eventsim.plot import comparison, style
from eventsim.plot.comparison import ROW_INCHES
from eventsim.plot.style import BLUE, INK, MUTED


def figure(findings: Findings) -> Figure:
    """A figure of the measure on the left, synaptic operations on the right, a row per condition.

    A dot is a seed (a fold, where there are any) after its last epoch, a ring as validation chose;
    the bar is mean and standard deviation over them. A line marks the mean of the baseline.
    """
    rows, told = findings.rows, TOLD[findings.measure]
    drawn = style.figure(10.0, 1.5 + ROW_INCHES * max(len(rows), 2))
    compared, cost = drawn.subplots(1, 2, width_ratios=[2.0, 1.0], sharey=True)
    own = {row.name: row.fold_values or row.values for row in rows}
    chosen = {row.name: row.selected_fold_values or row.selected_values for row in rows}
    comparison(
        {name: _shown(values, told.scale) for name, values in own.items()},
        ringed={name: _shown(values, told.scale) for name, values in chosen.items()},
        baseline=findings.baseline if findings.baseline in own else None,
        ax=compared,
    )
    compared.set_yticks(range(len(rows)), [row.title for row in rows])
    for number, row in enumerate(rows):
        operations = row.measured["synaptic_operations_per_inference"]
        if operations is not None:
            cost.barh(number, operations, color=BLUE, height=0.5)
            cost.annotate(f"{operations:,.0f}", (operations, number), (4, 0),
                          textcoords="offset points", va="center", fontsize=8,
                          color=INK)  # fmt: skip
    compared.set_title(f"{told.what} on the test part{' (%)' if told.scale > 1 else ''}")
    kind = findings.repeats.kind
    over = "folds" if findings.repeats.are_folds else "seeds of one division"
    compared.set_xlabel(
        f"dot: a {kind.removesuffix('s')} after its last epoch, ring: chosen by validation,\n"
        f"bar: mean ± standard deviation over {over}"
    )
    cost.set_title("Synaptic operations per recording")
    cost.margins(x=0.25)
    cost.tick_params(axis="y", labelleft=False, left=False)
    drawn.suptitle(findings.title, x=0.01, ha="left", fontsize=9, color=MUTED)
    return drawn


def _shown(values: Mapping[Any, float], scale: float) -> list[float]:
    return [scale * value for value in values.values()]
