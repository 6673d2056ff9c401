"""Pictures of amounts side by side: operations of projections, traffic of mappings."""

from collections.abc import Sequence

from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator, StrMethodFormatter

from eventsim.energy import ClockedCounts, Counts
from eventsim.mapping import Mapping
from eventsim.plot.style import BLUE, FAINT, INK, MUTED, VERMILION, figure, log_scale

ROW_INCHES = 0.44


def operations(counts: Counts, steps: ClockedCounts | None) -> Figure:
    """Synaptic operations of every projection per recording, on a logarithmic axis.

    A dot shows the operations of the exact spikes. With ``steps``, a ring shows those of a clocked
    machine that makes no use of sparsity: each weight in each step.
    """
    names = list(counts.synaptic_events)
    drawn = figure(7.2, 1.2 + ROW_INCHES * max(len(names), 2))
    axes = drawn.subplots()
    for row, name in enumerate(names):
        exact = float(counts.synaptic_events[name].mean())
        dense = 0.0 if steps is None else float(steps.dense[name].mean())
        if exact > 0.0 and dense > 0.0:
            axes.plot([exact, dense], [row, row], color=FAINT, zorder=1)
        if dense > 0.0:
            axes.plot(dense, row, "o", mfc="white", mec=INK, ms=6.5, zorder=2)
            _number(axes, dense, row)
        if exact > 0.0:
            axes.plot(exact, row, "o", color=BLUE, ms=6.5, zorder=3)
            _number(axes, exact, row)
        else:
            axes.text(0.02, row, "none", transform=axes.get_yaxis_transform(), va="center",
                      color=MUTED, fontsize=8)  # fmt: skip
    axes.set_xscale("log")
    axes.margins(x=0.12)
    log_scale(axes)
    _rows(axes, names)
    ring = "" if steps is None else f"; ring: every weight in every step of {steps.step_ms:g} ms"
    axes.set_xlabel(f"operations per recording; dot: exact{ring}")
    return drawn


def traffic(mappings: Sequence[Mapping]) -> Figure:
    """Links that spikes pass, by method: between cores, and from outside."""
    drawn = figure(7.2, 1.2 + ROW_INCHES * max(len(mappings), 2))
    axes = drawn.subplots()
    for row, mapping in enumerate(mappings):
        sent = mapping.traffic
        inside = sent.hops_east_west + sent.hops_north_south
        axes.barh(row, inside, color=BLUE, height=0.55, label="between cores")
        axes.barh(row, sent.hops_from_outside, left=inside, color=VERMILION, height=0.55,
                  hatch="////", edgecolor="white", linewidth=0.0, label="from outside")  # fmt: skip
        _number(axes, sent.hop_weighted_spikes, row, aside=True)
    axes.margins(x=0.15)
    axes.set_xlim(left=0.0)
    axes.xaxis.set_major_locator(MaxNLocator(nbins=6))
    axes.xaxis.set_major_formatter(StrMethodFormatter("{x:,.0f}"))
    _rows(axes, [mapping.method.replace("_", "-") for mapping in mappings])
    axes.set_xlabel("links passed by spikes, all recordings together")
    handles, labels = axes.get_legend_handles_labels()
    drawn.legend(handles[:2], labels[:2], loc="outside upper left", ncols=2, fontsize=8)
    return drawn


def _rows(axes: Axes, names: Sequence[str]) -> None:
    axes.set_yticks(range(len(names)), names)
    axes.set_ylim(len(names) - 0.4, -0.6)
    axes.tick_params(axis="y", length=0, labelcolor=INK)
    axes.spines["left"].set_visible(False)
    axes.grid(visible=True, axis="x")


def _number(axes: Axes, value: float, row: int, *, aside: bool = False) -> None:
    text = f"{value:,.0f}" if value >= 100.0 else f"{value:.3g}"
    axes.annotate(text, (value, row), (5, 0) if aside else (0, 7), textcoords="offset points",
                  ha="left" if aside else "center", va="center" if aside else "baseline",
                  fontsize=7.5, color=INK)  # fmt: skip
