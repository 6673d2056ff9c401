"""Pictures of the costs of a run: energies of chips, and their terms."""

from collections.abc import Sequence

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from eventsim.energy import DenseEquivalent, EnergyReport
from eventsim.plot import style
from eventsim.report.numbers import joules

ROW_INCHES = 0.42
PJ_PER_UJ = 1e6

# A colour for what a term is about; a hatch tells its variants apart.
_LOOK: dict[str, tuple[str, str, str | None]] = {
    "synaptic_event": ("synaptic operations", style.BLUE, None),
    "ac": ("accumulations", style.BLUE, "////"),
    "mac": ("multiplications", style.BLUE, "...."),
    "memory_byte": ("memory", style.SKY, None),
    "state_access": ("state accesses", style.SKY, "////"),
    "neuron_update_active": ("neuron updates with input", style.VERMILION, None),
    "neuron_update_idle": ("neuron updates without", style.ORANGE, None),
    "membrane_update": ("neuron updates by arrivals", style.VERMILION, "////"),
    "spike": ("spikes", style.GREEN, None),
    "axon_out": ("axons", style.GREEN, "////"),
    "event_in": ("events that enter", style.GREEN, "...."),
    "event_out": ("events that leave", style.GREEN, "xxxx"),
    "hop_ew": ("links east-west", style.PURPLE, None),
    "hop_ns": ("links north-south", style.PURPLE, "////"),
    "hop_chip": ("links between chips", style.PURPLE, "...."),
    "step_sync": ("barriers", style.MUTED, None),
}


def energy_breakdown(
    reports: Sequence[EnergyReport], *, dense: Sequence[DenseEquivalent] = (), title: str = ""
) -> Figure:
    """Energy per sample of every chip, and the shares of its terms.

    The left panel has totals on a logarithmic axis: dots without leakage, rings with it. The right
    panel has the terms of the energy; leakage is left out if it is a term of its own. A sum that
    lacks a term has the sign of a lower bound. Chips without any figure are only named.
    """
    rows = len(reports) + len(dense)
    drawn = style.figure(10.0, 1.6 + ROW_INCHES * max(rows, 2))
    totals, shares = drawn.subplots(1, 2, width_ratios=[1.0, 1.25], sharey=True)
    _draw_totals(totals, reports, dense)
    _draw_shares(shares, reports, len(dense))
    named = [f"dense {one.cell.upper()}, {one.frame_ms:g} ms frames, {one.chip}" for one in dense]
    totals.set_yticks(range(rows), [*map(_name, reports), *named])
    totals.set_ylim(rows - 0.5, -0.5)
    handles, labels = shares.get_legend_handles_labels()
    unique = dict(zip(labels, handles, strict=True))
    drawn.legend(unique.values(), unique.keys(), loc="outside lower center", ncols=4, fontsize=8)
    if title:
        drawn.suptitle(title, x=0.01, ha="left", fontsize=9, color=style.MUTED)
    return drawn


def _name(report: EnergyReport) -> str:
    if report.step_ms is None:
        return f"{report.chip.name}, no step"
    return f"{report.chip.name}, dt {report.step_ms:g} ms"


def _draw_totals(
    axes: Axes, reports: Sequence[EnergyReport], dense: Sequence[DenseEquivalent]
) -> None:
    axes.set_title("Energy per recording (µJ)")
    for row, report in enumerate(reports):
        dynamic = report.activity_pj / PJ_PER_UJ
        whole = report.total_pj / PJ_PER_UJ
        if report.leakage == "included":
            dynamic = 0.0
        if report.leakage != "missing":
            if dynamic > 0.0:
                axes.plot([dynamic, whole], [row, row], color=style.FAINT, zorder=1)
            axes.plot(whole, row, "o", mfc="white", mec=style.INK, ms=6, zorder=2)
            _write(axes, whole, row, report.is_lower_bound)
        if dynamic > 0.0:
            axes.plot(dynamic, row, "o", color=style.INK, ms=6, zorder=3)
            _write(axes, dynamic, row, report.activity_is_lower_bound)
        if whole == 0.0:
            axes.text(0.5, row, "no figures", transform=axes.get_yaxis_transform(),
                      ha="center", va="center", color=style.MUTED, fontsize=8)  # fmt: skip
    for row, found in enumerate(dense, start=len(reports)):
        mean = float(found.energy_pj.mean()) / PJ_PER_UJ
        axes.plot(mean, row, "s", color=style.MUTED, ms=6)
        _write(axes, mean, row, bool(found.missing))
    axes.set_xscale("log")
    axes.margins(x=0.2)
    style.log_scale(axes)
    axes.grid(visible=True, axis="x")
    axes.set_xlabel("filled: without leakage, ring: with it; ≥: a lower bound, terms are missing")


def _write(axes: Axes, value: float, row: int, lower_bound: bool) -> None:
    text = joules(value * PJ_PER_UJ, at_least=lower_bound)
    axes.annotate(text, (value, row), (0, 7), textcoords="offset points", ha="center", fontsize=7.5,
                  color=style.INK)  # fmt: skip


def _draw_shares(axes: Axes, reports: Sequence[EnergyReport], n_dense: int) -> None:
    axes.set_title("What it is spent on, leakage of its own left out (%)")
    for row, report in enumerate(reports):
        costs = [c for c in report.terms if c.term.name in _LOOK and c.energy_pj.any()]
        energies = np.array([float(c.energy_pj.mean()) for c in costs])
        if not energies.sum() > 0.0:
            continue
        left = 0.0
        for cost, share in zip(costs, 100.0 * energies / energies.sum(), strict=True):
            label, colour, hatch = _LOOK[cost.term.name]
            axes.barh(row, share, left=left, color=colour, hatch=hatch, edgecolor="white",
                      label=label, height=0.6, linewidth=0.5)  # fmt: skip
            left += share
    for row in range(len(reports), len(reports) + n_dense):
        axes.text(
            50.0, row, "not split up", ha="center", va="center", color=style.MUTED, fontsize=8
        )
    axes.set_xlim(0.0, 100.0)
    axes.tick_params(axis="y", labelleft=False)
