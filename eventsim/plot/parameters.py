"""Distributions of neuron parameters."""

import numpy as np
from matplotlib.axes import Axes
from matplotlib.ticker import MaxNLocator

from eventsim.arrays import Floats, to_host
from eventsim.errors import NetworkError
from eventsim.network import Network
from eventsim.plot import style
from eventsim.plot.doors import check_kind
from eventsim.plot.spikes import TWO_LINES

TAUS = ("tau_mem", "tau_syn")
UNITS = {"tau_mem": "ms", "tau_syn": "ms", "refractory": "ms", "tau_adaptation": "ms"}
SYMBOLS = {
    "tau_mem": r"$\tau_\mathrm{mem}$",
    "tau_syn": r"$\tau_\mathrm{syn}$",
    "resistance": r"resistance $R$",
    "threshold": r"threshold $\vartheta$",
    "v_leak": r"resting potential $E$",
    "v_reset": r"reset $V_r$",
    "refractory": "refractory time",
    "adaptation": "adaptation $b$",
    "tau_adaptation": r"$\tau_a$",
}
BINS = 32
MARGIN = 1.12  # beside the least and the greatest time constant
FULL = 0.8  # height of the fullest bin, as a share of its row
ALPHAS = (0.9, 0.5)  # of tau_mem, tau_syn
ROW_INCHES = 0.42


def taus(net: Network, *, ax: Axes | None = None) -> Axes:
    """Draw how membrane and synaptic time constants are distributed, population by population.

    Parameters
    ----------
    net
        The network.
    ax
        Axes to draw on; None for a new figure.

    Returns
    -------
    Axes
        Time constant in ms to the right, on a logarithmic scale. A row per population and
        parameter; every row is scaled by its own fullest bin. A line marks the median.

    Raises
    ------
    NetworkError
        The network has no neurons.
    """
    check_kind("taus", net, Network, "Of a result of training or a run pass its .net.")
    if not net.neurons:
        raise NetworkError(
            "plot.taus", "the network has no population of neurons", remedy="Add one first."
        )
    rows = [
        (f"{name} {SYMBOLS[key]}", to_host(population.parameters[key]), colour, alpha)
        for colour, (name, population) in enumerate(net.neurons.items())
        for key, alpha in zip(TAUS, ALPHAS, strict=True)
    ]
    with style.axes_for(ax, size=(6.0, max(4.0, ROW_INCHES * len(rows) + 0.8))) as axes:
        edges = _value_axis(axes, np.concatenate([values for _, values, _, _ in rows]), "tau_mem")
        for row, (_, values, colour, alpha) in enumerate(rows):
            bins = edges
            if np.ptp(values) == 0.0:  # one bin, with the value in its middle
                bins = values[0] * np.sqrt([edges[0] / edges[1], edges[1] / edges[0]])
            counts, _ = np.histogram(values, bins=bins)
            base = float(len(rows) - 1 - row)
            axes.stairs(base + FULL * counts / counts.max(), bins, baseline=base, fill=True,
                        color=style.population_colour(colour), alpha=alpha)  # fmt: skip
            middle = float(np.median(values))
            axes.plot([middle, middle], [base, base + FULL], color=style.INK, linewidth=1.2)
            axes.axhline(base, color=style.FAINT, linewidth=0.8, zorder=0)
        two = style.size_points(axes)[1] / len(rows) >= TWO_LINES
        labels = [
            f"{label}\nmedian {np.median(values):.3g} ms" if two else label
            for label, values, _, _ in rows
        ]
        axes.set_yticks(np.arange(len(rows))[::-1] + FULL / 2, labels)
        axes.tick_params(axis="y", length=0.0, labelcolor=style.INK)
        axes.set_ylim(-0.1, len(rows))
        axes.set_xlabel("time constant (ms)")
        style.grid(axes, axis="x")
        return axes


def distribution(axes: Axes, values: Floats, before: Floats, *, name: str, colour: str) -> None:
    """Neurons by the value of a parameter, filled; dashed, and in words, what it was before."""
    edges = _value_axis(axes, np.concatenate([before, values]), name)
    changed = not np.array_equal(before, values)
    bins = edges.tolist()
    axes.hist(values, bins=bins, color=colour, alpha=0.9, edgecolor="white", linewidth=0.5)
    if np.ptp(before) == 0.0:
        axes.axvline(before[0], ymax=0.74, color=style.INK, linewidth=1.2, linestyle=(0, (3, 2)))
        label = f"before: {before[0]:.3g}"
    else:
        axes.hist(
            before, bins=bins, histtype="step", color=style.INK, linewidth=1.0, linestyle="--"
        )
        label = f"before: median {np.median(before):.3g}"
    after = f"after: median {np.median(values):.3g}" if changed else "unchanged"
    axes.text(
        0.985,
        0.95,
        f"{label}\n{after}",
        transform=axes.transAxes,
        ha="right",
        va="top",
        fontsize=8.0,
        color=style.MUTED,
        linespacing=1.4,
    )
    axes.yaxis.set_major_locator(MaxNLocator(integer=True, nbins=4))
    axes.set_ylim(top=1.35 * axes.get_ylim()[1])
    style.grid(axes)


def _value_axis(axes: Axes, values: Floats, name: str) -> Floats:
    """Make an x axis for the values, logarithmic for time constants; gives edges of its bins."""
    low, high = float(values.min()), float(values.max())
    edges: Floats
    if name in (*TAUS, "tau_adaptation") and low > 0.0:
        edges = np.geomspace(low / MARGIN, high * MARGIN, BINS + 1)
        axes.set_xlim(edges[0], edges[-1])
        style.log_scale(axes)
    else:
        margin = 0.06 * max(high - low, 0.1 * max(abs(high), 0.1))
        edges = np.linspace(low - margin, high + margin, BINS + 1)
    axes.set_xlim(edges[0], edges[-1])
    return edges
