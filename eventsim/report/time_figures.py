"""Pictures of the answer over time: accuracy by time and by energy."""

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from eventsim.plot.style import BLUE, MUTED, VERMILION, figure, grid, population_colour
from eventsim.report.numbers import joules
from eventsim.report.record import OverTime

PERCENT = 100.0


def over_time(found: OverTime) -> Figure:
    """Left: accuracy and settled answers by time. Right: accuracy by energy."""
    drawn = figure(10.0, 3.6)
    by_time, by_energy = drawn.subplots(1, 2, sharey=True)
    _draw_times(by_time, found)
    _draw_energies(by_energy, found)
    for axes in (by_time, by_energy):
        grid(axes)
    return drawn


def _draw_times(axes: Axes, found: OverTime) -> None:
    decided, stopped = found.decided, found.decided.early_exit(found.margin)
    x, ends = PERCENT * found.shares, decided.times[:, -1]
    accuracy = PERCENT * decided.accuracy(found.labels)
    settled = PERCENT * (decided.latency()[:, None] <= decided.times).mean(axis=0)
    axes.plot(x, accuracy, color=BLUE, label="right answers")
    axes.plot(x, settled, color=MUTED, linestyle=(0, (3, 2)), label="answers that stay")
    right = PERCENT * (stopped.classes == found.labels).mean()
    exit_share = PERCENT * float(np.mean(stopped.times / ends))
    axes.plot(exit_share, right, "D", color=VERMILION, ms=7,
              label=f"early exit at a margin of {found.margin:g}")  # fmt: skip
    axes.set_title("Recordings (%)")
    axes.set_xlabel("share of a recording that is read (%)")
    axes.set_xlim(0.0, PERCENT)
    axes.set_ylim(0.0, 101.0)
    axes.legend(loc="lower right", fontsize=8)


def _draw_energies(axes: Axes, found: OverTime) -> None:
    axes.set_title("Right answers (%)")
    rows = found.rows()
    accuracy = [PERCENT * row["accuracy"] for row in rows]
    for number, chip in enumerate(found.chips):
        colour = population_colour(number)
        for key, line, face, what in (
            ("energy_pj", "o-", colour, ""),
            ("activity_pj", "o--", "white", ", without leakage"),
        ):
            spent = [row[key][chip] for row in rows if chip in row[key]]
            if spent and spent[-1] > 0.0:
                bound = rows[-1]["lower_bound"][key][chip]
                label = f"{chip}{what}: {joules(spent[-1], at_least=bound)}"
                shares = [PERCENT * energy / spent[-1] for energy in spent]
                axes.plot(shares, accuracy, line, color=colour, mfc=face, ms=4, label=label)
    if axes.lines:
        axes.legend(loc="lower right", fontsize=8)
    else:
        axes.text(0.5, 0.5, "no figures of an energy", transform=axes.transAxes, ha="center",
                  color=MUTED, fontsize=8)  # fmt: skip
    axes.set_xlim(0.0, 101.0)
    axes.set_xlabel("share of the energy of a whole recording (%)")
