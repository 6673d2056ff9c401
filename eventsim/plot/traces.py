"""Voltages over time: exact traces with thresholds, resets and spikes."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from matplotlib.axes import Axes
from numpy.typing import ArrayLike

from eventsim.arrays import Floats, Ints, to_host
from eventsim.checks import real_array, whole_array
from eventsim.engine import voltage
from eventsim.errors import ParameterError, ShapeError
from eventsim.events import SpikeTape
from eventsim.network import Network, Population
from eventsim.plot.doors import check_kind, checked_sample
from eventsim.plot.style import (
    FAINT,
    INK,
    MUTED,
    POPULATIONS,
    axes_for,
    population_colour,
    size_points,
)

POINTS = 2000  # of time, more than a picture has columns
MOST_LANES = 4  # neurons that are drawn of a population that spikes, unless they are named
MOST_CURVES = 12  # of a readout
MARK = (0.08, 0.26)  # of a spike above its threshold, as shares of the range of all voltages
LANE = 1.4  # distance of two lanes, likewise
LANE_POINTS = 40.0  # height of a lane with numbers at its axis
FEW = 4  # curves whose legend lies inside
LINE_POINTS = 12.0  # height of a line of a legend
LETTER_POINTS = 6.5
STYLES = ("-", (0, (4, 1.5)))


@dataclass(frozen=True)
class _Traces:
    """Traces to draw: voltages [times, neurons] of neurons of one sample, and their spikes."""

    population: Population
    neurons: Ints
    times: Floats
    voltages: Floats
    spikes: list[Floats]
    names: list[str]


def voltages(
    net: Network,
    tape: SpikeTape,
    population: str | Population,
    *,
    neurons: ArrayLike | None = None,
    sample: int = 0,
    times: ArrayLike | None = None,
    ax: Axes | None = None,
) -> Axes:
    """Draw exact membrane voltages: thresholds, resets, refractory times, and marks of the spikes.

    Nothing has to be recorded: :func:`eventsim.voltage` computes them from the tape.

    Parameters
    ----------
    net, tape
        The network and its run.
    population
        Name of a spiking population or a readout, or the population itself.
    neurons
        Numbers of neurons. None for all up to 4 that spike, or 12 of a readout; of more that
        spike the 4 with the most spikes in the sample, of more of a readout the first 12.
    sample
        Number of the recording, negative ones counted from the end.
    times
        ms: the window and the resolution. None for 2,000 times over the whole sample, or chunk.
        The times just before and at every spike of a drawn neuron are added.
    ax
        Axes to draw on; None for a new figure.

    Returns
    -------
    Axes
        Time in ms to the right; voltages have no unit. Several neurons that spike lie in lanes one
        above the other, the first one at the top, each with its threshold (dashed) and resting
        potential. Neurons of a readout share one axis.

    Raises
    ------
    NetworkError
        There is no such population, or the tape is that of another network.
    EventError
        There is no such sample.
    ParameterError, ShapeError
        There is no such neuron, or times are no list inside the sample.
    """
    check_kind("voltages", net, Network, "Pass the network, then its tape.")
    check_kind("voltages", tape, SpikeTape, "Pass the network, then its tape.")
    tape.require_all("plot.voltages")
    number = checked_sample("voltages", sample, tape.stream.n_samples)
    name = population.name if isinstance(population, Population) else population
    traces = _traces(net, tape.to_host(), net.population(name), neurons, (number, times))
    with axes_for(ax) as axes:
        if traces.population.is_readout:
            _curves(axes, traces)
        else:
            _lanes(axes, traces, population_colour(tape.names.index(name)))
        axes.set_xlim(traces.times[0], traces.times[-1])
        axes.set_xlabel("time (ms)")
        return axes


def _traces(
    net: Network,
    tape: SpikeTape,
    population: Population,
    neurons: ArrayLike | None,
    when: tuple[int, ArrayLike | None],
) -> _Traces:
    sample, asked = when
    begin = 0.0 if tape.begin is None else float(tape.begin[sample])
    grid = _grid(asked, begin, float(tape.stream.duration[sample]))
    fired: tuple[Floats, Ints] = np.zeros(0), np.zeros(0, np.int64)
    if population.is_spiking:
        times, rows = tape[population.name].sample(sample)
        fired = times, rows.astype(np.int64)
    chosen = _chosen(population, neurons, fired[1])
    spikes = [fired[0][fired[1] == k] for k in chosen]
    spikes = [times[(times >= grid[0]) & (times <= grid[-1])] for times in spikes]
    both = [side for times in spikes for side in (np.nextafter(times, 0.0), times)]
    grid = np.unique(np.maximum(np.concatenate([grid, *both]), begin))
    values = voltage(net, tape, population.name, grid, neurons=chosen, samples=[sample])[0]
    answer = net.answer
    classes = answer.class_names if answer and answer.population == population.name else ()
    names = [classes[k] if k < len(classes) else f"neuron {k}" for k in chosen.tolist()]
    return _Traces(population, chosen, grid, values, spikes, names)


def _grid(asked: ArrayLike | None, begin: float, end: float) -> Floats:
    if asked is None:
        return np.linspace(begin, end, POINTS)
    grid = np.unique(real_array(asked, "plot.voltages: times"))
    if np.ndim(asked) != 1 or grid.size < 2:
        raise ShapeError(
            "plot.voltages",
            f"times have shape {np.shape(asked)} and {grid.size} different values",
            "a list of at least two times in ms",
        )
    if not (grid[0] >= begin and grid[-1] <= end):
        raise ParameterError(
            "plot.voltages",
            f"times go from {grid[0]} to {grid[-1]} ms",
            f"times inside the sample, from {begin:g} to {end}",
        )
    return grid


def _chosen(population: Population, neurons: ArrayLike | None, fired: Ints) -> Ints:
    """The neurons that were asked for, or some that tell most."""
    if neurons is None:
        if population.is_readout:
            return np.arange(min(population.size, MOST_CURVES))
        counts = np.bincount(fired, minlength=population.size)
        return np.sort(np.argsort(-counts, kind="stable")[:MOST_LANES])
    chosen = np.atleast_1d(whole_array(neurons, "plot.voltages: neurons"))
    if chosen.ndim != 1 or not chosen.size:
        raise ShapeError("plot.voltages", f"neurons have shape {chosen.shape}", "a list of numbers")
    bad = chosen[(chosen < 0) | (chosen >= population.size)]
    if bad.size:
        raise ParameterError(
            "plot.voltages",
            f"population {population.name!r} has no neuron {bad[0]}",
            f"numbers from 0 to {population.size - 1}",
        )
    return chosen


def _lanes(axes: Axes, traces: _Traces, colour: str) -> None:
    """Neurons that spike, one above the other on one scale."""
    population, chosen = traces.population, traces.neurons
    threshold = to_host(population.threshold)[chosen]
    rest = to_host(population.v_leak)[chosen]
    low = float(min(traces.voltages.min(), rest.min(), threshold.min()))
    span = float(max(traces.voltages.max(), rest.max(), threshold.max())) - low or 1.0
    lift = LANE * span * np.arange(chosen.size)[::-1]
    for k, up in enumerate(lift):
        axes.axhline(up + rest[k], color=FAINT, linewidth=0.8, zorder=0)
        axes.axhline(up + threshold[k], color=MUTED, linewidth=0.9, linestyle=(0, (4, 3)), zorder=1)
        axes.plot(traces.times, up + traces.voltages[:, k], color=colour, linewidth=1.3, zorder=2)
        foot, head = (up + threshold[k] + share * span for share in MARK)
        axes.vlines(traces.spikes[k], foot, head, colors=INK, linewidth=1.4, zorder=3)
    axes.set_ylim(low - 0.06 * span, lift[0] + low + span * (1.08 + MARK[1]))
    if chosen.size == 1:
        _name_axis(axes, f"{population.name}, {traces.names[0]}")
        what = "threshold at rest" if population.is_adaptive else "threshold"
        axes.annotate(what, (1.0, threshold[0]), (3, 0), color=MUTED, va="center",
                      xycoords=axes.get_yaxis_transform(), textcoords="offset points",
                      fontsize="small")  # fmt: skip
        return
    _name_axis(axes, population.name)
    numbers = LANE_POINTS * chosen.size < size_points(axes)[1]
    if numbers:
        places = np.concatenate([lift + rest, lift + threshold])
        values = [f"{value:.3g}" for value in (*rest, *threshold)]
        axes.set_yticks(places, values)
    else:
        axes.set_yticks([])
    axes.set_yticks(lift + (rest + threshold) / 2, traces.names, minor=True)
    axes.tick_params(axis="y", which="minor", length=0.0, labelcolor=INK, pad=22 if numbers else 4)


def _curves(axes: Axes, traces: _Traces) -> None:
    """Neurons of a readout on one axis."""
    axes.axhline(0.0, color=FAINT, linewidth=0.8, zorder=0)
    for k, name in enumerate(traces.names):
        style = STYLES[k // len(POPULATIONS) % len(STYLES)]
        axes.plot(traces.times, traces.voltages[:, k], color=population_colour(k), linestyle=style,
                  linewidth=1.5, label=name)  # fmt: skip
    _name_axis(axes, traces.population.name)
    looks = {"fontsize": "small", "framealpha": 0.85, "edgecolor": "none", "handlelength": 1.6}
    if len(traces.names) <= FEW:
        axes.legend(loc="best", frameon=True, **looks)
    elif LINE_POINTS * len(traces.names) < size_points(axes)[1]:
        axes.legend(loc="upper left", bbox_to_anchor=(1.0, 1.0), **looks)


def _name_axis(axes: Axes, what: str) -> None:
    """Say whose voltage it is, where there is room for it."""
    text = f"voltage of {what}"
    room = size_points(axes)[1] > LETTER_POINTS * len(text)
    axes.set_ylabel(text if room else "voltage")
