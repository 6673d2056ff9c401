"""Pictures of a run as a whole: learning curves, confusion, rates, neuron parameters."""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator
from numpy.typing import NDArray

from eventsim.arrays import Floats
from eventsim.network import Network
from eventsim.plot import confusion, history
from eventsim.plot.confusion import INCHES, MARGIN
from eventsim.plot.parameters import SYMBOLS, UNITS, distribution
from eventsim.plot.style import FAINT, INK, figure, grid, population_colour

Metrics = dict[str, Any]


def learning_curves(lines: Sequence[Metrics], *, selected: int | None = None) -> Figure:
    """Loss and accuracy of training and validation by epoch.

    ``selected`` marks the epoch that the validation part chose.
    """
    drawn = figure(10.0, 3.4)
    loss, accuracy = drawn.subplots(1, 2)
    for axes, key, title in (
        (loss, "loss", "Loss (cross-entropy, nats)"),
        (accuracy, "accuracy", "Accuracy (%)"),
    ):
        history(lines, metric=key, ax=axes)
        if selected is not None:
            axes.axvline(selected, color=FAINT, linewidth=1.0, zorder=0)
        axes.set_title(title)
        axes.set_ylabel("")
    loss.set_ylim(bottom=0.0)
    accuracy.set_ylim(top=101.0)
    return drawn


def confusion_matrix(counts: NDArray[np.int64], class_names: Sequence[str]) -> Figure:
    """Counts by true and predicted class; the shade is the share of the true class."""
    side = MARGIN + INCHES * counts.shape[1]
    drawn = figure(side, side)
    confusion(counts, class_names, ax=drawn.subplots())
    return drawn


def rate_histogram(rates: Mapping[str, Floats]) -> Figure:
    """Spikes per second of every neuron, one panel per spiking population."""
    drawn = figure(10.0, 2.9)
    panels = drawn.subplots(1, len(rates), squeeze=False, sharey=True)[0]
    top = max((values.max(initial=0.0) for values in rates.values()), default=0.0)
    edges = np.linspace(0.0, max(top, 1.0), 31)
    for index, (axes, (name, values)) in enumerate(zip(panels, rates.items(), strict=True)):
        colour = population_colour(index)
        axes.hist(values, bins=edges, color=colour, edgecolor="white", linewidth=0.6)
        median, silent = float(np.median(values)), int((values == 0.0).sum())
        axes.axvline(median, color=INK, linewidth=1.0, linestyle=(0, (3, 2)))
        axes.set_title(f"{name}: median {median:.1f} Hz, {silent} of {values.size} silent")
        axes.set_xlabel("spikes per second")
        axes.yaxis.set_major_locator(MaxNLocator(integer=True))
        grid(axes)
    panels[0].set_ylabel("neurons")
    return drawn


def parameter_distributions(before: Network, after: Network, names: Sequence[str]) -> Figure:
    """Distributions of neuron parameters before and after training.

    One row per population, one column per parameter of ``names``.
    """
    populations = list(after.neurons.values())
    drawn = figure(max(5.2 * len(names), 7.0) if len(names) < 3 else 10.5, 2.1 * len(populations))
    panels = drawn.subplots(len(populations), len(names), squeeze=False)
    for row, population in enumerate(populations):
        for column, name in enumerate(names):
            axes = panels[row, column]
            if name not in population.parameters:
                axes.set_axis_off()
                continue
            old = before.populations[population.name].parameters[name]
            new, colour = population.parameters[name], population_colour(row)
            distribution(axes, new, old, name=name, colour=colour)
            if column == 0:
                axes.set_ylabel(f"{population.name}\nneurons")
            if row == 0:
                axes.set_title(SYMBOLS[name])
            axes.set_xlabel(UNITS.get(name, ""))
    return drawn
