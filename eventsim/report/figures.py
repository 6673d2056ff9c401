"""Pictures of a run as a whole: learning curves, confusion, rates, neuron parameters."""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import FuncFormatter, MaxNLocator, NullFormatter
from numpy.typing import NDArray

from eventsim.arrays import Floats
from eventsim.network import Network
from eventsim.report.style import (
    BLUE,
    FAINT,
    INK,
    MUTED,
    SHADES,
    VERMILION,
    figure,
    grid,
    population_colour,
)

Metrics = dict[str, Any]

UNITS = {"tau_mem": "ms", "tau_syn": "ms", "refractory": "ms"}
SYMBOLS = {
    "tau_mem": r"$\tau_{mem}$",
    "tau_syn": r"$\tau_{syn}$",
    "resistance": r"resistance $R$",
    "threshold": r"threshold $\vartheta$",
    "v_leak": r"resting potential $E$",
    "v_reset": r"reset $V_r$",
    "refractory": "refractory time",
}


def learning_curves(history: Sequence[Metrics], *, selected: int | None = None) -> Figure:
    """Loss and accuracy of training and validation by epoch.

    ``selected`` marks the epoch that the validation part chose.
    """
    drawn = figure(10.0, 3.4)
    loss, accuracy = drawn.subplots(1, 2)
    epochs = [line["epoch"] for line in history]
    for axes, key, title, scale in (
        (loss, "loss", "Loss (cross-entropy, nats)", 1.0),
        (accuracy, "accuracy", "Accuracy (%)", 100.0),
    ):
        training = [scale * m[key] for m in history]
        validation = [scale * m.get(f"validation_{key}", np.nan) for m in history]
        # The last values stand beside the curves, apart even where the curves meet.
        lift = 5 if not training[-1] < validation[-1] else -5
        _curve(axes, epochs, training, BLUE, "training", "-", lift)
        if f"validation_{key}" in history[0]:
            _curve(axes, epochs, validation, VERMILION, "validation", (0, (4, 2)), -lift)
        if selected is not None:
            axes.axvline(selected, color=FAINT, linewidth=1.0, zorder=0)
        axes.set_title(title)
        axes.set_xlabel("epoch")
        axes.xaxis.set_major_locator(MaxNLocator(integer=True, min_n_ticks=1))
        grid(axes)
    if "validation_loss" in history[0]:
        loss.legend(loc="upper right")
    loss.set_ylim(bottom=0.0)
    accuracy.set_ylim(top=101.0)
    return drawn


def _curve(
    axes: Axes, x: list[int], y: list[float], colour: str, label: str, style: Any, lift: int
) -> None:
    marker = "o" if len(x) <= 40 else None
    axes.plot(x, y, color=colour, label=label, linestyle=style, marker=marker, markersize=3.5)
    text = f"{y[-1]:.1f}" if y[-1] >= 10 else f"{y[-1]:.2f}"
    axes.annotate(
        text,
        (x[-1], y[-1]),
        xytext=(6, lift),
        textcoords="offset points",
        va="center",
        color=colour,
        annotation_clip=False,
    )


def confusion_matrix(confusion: NDArray[np.int64], class_names: Sequence[str]) -> Figure:
    """Counts of true against predicted class; the shade is the share of the true class."""
    n_true, n_predicted = confusion.shape
    side = 1.6 + 0.42 * n_predicted
    drawn = figure(side, side)
    axes = drawn.subplots()
    share = confusion / np.maximum(confusion.sum(axis=1, keepdims=True), 1)
    axes.imshow(share, cmap=SHADES, vmin=0.0, vmax=1.0)
    for row, column in zip(*np.nonzero(confusion), strict=True):
        colour = "white" if share[row, column] > 0.55 else INK
        wrong = row != column
        axes.text(
            column,
            row,
            str(confusion[row, column]),
            ha="center",
            va="center",
            color=colour,
            fontsize=8.0,
            fontweight="bold" if wrong else "normal",
        )
    predicted = [*class_names, *(f"#{k}" for k in range(len(class_names), n_predicted))]
    axes.set_xticks(range(n_predicted), predicted[:n_predicted], rotation=45, ha="right")
    axes.set_yticks(range(n_true), class_names)
    axes.set_xlabel("answered")
    axes.set_ylabel("true class")
    axes.set_xticks(np.arange(n_predicted + 1) - 0.5, minor=True)
    axes.set_yticks(np.arange(n_true + 1) - 0.5, minor=True)
    axes.grid(visible=True, which="minor", color="#f0f3f6", linewidth=1.0)
    axes.tick_params(which="both", length=0)
    axes.spines[:].set_visible(False)
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
            _distribution(axes, old, population.parameters[name], population_colour(row), name)
            if column == 0:
                axes.set_ylabel(f"{population.name}\nneurons")
            if row == 0:
                axes.set_title(SYMBOLS[name])
            axes.set_xlabel(UNITS.get(name, ""))
    return drawn


def _distribution(axes: Axes, old: Floats, new: Floats, colour: str, name: str) -> None:
    both = np.concatenate([old, new])
    low, high = both.min(), both.max()
    logarithmic = name in ("tau_mem", "tau_syn") and low > 0.0
    margin = 1.06 if logarithmic else 0.06 * max(high - low, 0.1 * max(abs(high), 0.1))
    if logarithmic:
        edges = np.geomspace(low / margin, high * margin, 33)
        axes.set_xscale("log")
        _plain_ticks(axes, edges[0], edges[-1])
    else:
        edges = np.linspace(low - margin, high + margin, 33)
    changed = not np.array_equal(old, new)
    axes.hist(new, bins=edges.tolist(), color=colour, alpha=0.9, edgecolor="white", linewidth=0.5)
    if np.ptp(old) == 0.0:
        axes.axvline(old[0], ymax=0.74, color=INK, linewidth=1.2, linestyle=(0, (3, 2)))
        label = f"before: {old[0]:.3g}"
    else:
        axes.hist(
            old, bins=edges.tolist(), histtype="step", color=INK, linewidth=1.0, linestyle="--"
        )
        label = f"before: median {np.median(old):.3g}"
    after = f"after: median {np.median(new):.3g}" if changed else "unchanged"
    axes.text(
        0.985,
        0.95,
        f"{label}\n{after}",
        transform=axes.transAxes,
        ha="right",
        va="top",
        fontsize=8.0,
        color=MUTED,
        linespacing=1.4,
    )
    axes.set_xlim(edges[0], edges[-1])
    axes.yaxis.set_major_locator(MaxNLocator(integer=True, nbins=4))
    axes.set_ylim(top=1.35 * axes.get_ylim()[1])
    grid(axes)


def _plain_ticks(axes: Axes, low: float, high: float) -> None:
    """Few ticks, written as plain numbers: 1, 2, 5 of a decade, or even steps in less than one."""
    found = [m * 10.0**e for e in range(-3, 6) for m in (1, 2, 5)]
    if high / low < 8.0:
        found = list(MaxNLocator(nbins=6).tick_values(low, high))
    ticks = [float(tick) for tick in found if low < tick < high]
    axes.set_xticks(ticks)
    axes.xaxis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:g}"))
    axes.xaxis.set_minor_formatter(NullFormatter())
    axes.set_xticks([], minor=True)
