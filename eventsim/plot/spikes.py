"""Rasters: spikes and events as dots, one row per neuron or channel."""

from collections.abc import Mapping, Sequence

import numpy as np
from matplotlib.axes import Axes
from numpy.typing import NDArray

from eventsim.arrays import Floats
from eventsim.errors import NetworkError
from eventsim.events import SpikeTape
from eventsim.events.recorded import Recorded
from eventsim.plot.doors import check_kind, checked_sample
from eventsim.plot.style import FAINT, INK, axes_for, population_colour, size_points

GAP = 0.12  # between two bands, as a share of the highest one
LEAST_BAND = 0.3  # lowest band, as a share of the highest one
TWO_LINES = 24.0  # points that a label of two lines needs
LEAST_AREA = 0.6  # of a dot, square points; dots that would have to be smaller are drawn lighter
AREAS_OF_FEW = (5.0, 14.0)  # of dots that are few, in rows that are low or high
INK_SHARE = 0.2  # of a band that dots cover
ALPHAS = (0.3, 0.85)


def raster(
    tape: SpikeTape,
    *,
    populations: Sequence[str] | None = None,
    sample: int = 0,
    ax: Axes | None = None,
) -> Axes:
    """Draw the spikes of one sample: a dot per spike, a row per neuron, populations as bands.

    Parameters
    ----------
    tape
        What :func:`eventsim.simulate` gave.
    populations
        Names of those that are drawn, from top to bottom; that of the input is its own
        (``tape.input``). None for the input and all spiking populations.
    sample
        Number of the recording, negative ones counted from the end.
    ax
        Axes to draw on; None for a new figure.

    Returns
    -------
    Axes
        Time in ms to the right. Inside a band neuron 0 is at the bottom. The y axis of a single
        population is the number of the neuron. Of a population of which some neurons were recorded
        (``simulate(.., record=..)``) these have the rows, and the label says how many they are.

    Raises
    ------
    NetworkError
        The tape has no population of that name.
    EventError
        There is no such sample.
    """
    check_kind("raster", tape, SpikeTape, "es.plot.stream draws an EventStream.")
    number = checked_sample("raster", sample, tape.stream.n_samples)
    tape = tape.to_host()
    bands = {name: _band(tape, name, number) for name in _names(tape, populations)}
    with axes_for(ax) as axes:
        if len(bands) == 1:
            [(name, (times, rows, size, colour))] = bands.items()
            dots(axes, times, rows, size, colour)
            axes.set_ylabel(f"{name} {_rows_of(name == tape.input, 1)}")
            if name in tape.recorded:
                _number(axes, tape.recorded[name])
        else:
            of = {name: f" of {one.size:,}" for name, one in tape.recorded.items()
                  if not one.is_whole}  # fmt: skip
            _stack(axes, bands, tape.input, of)
        axes.set_xlim(0.0, float(tape.stream.duration[number]))
        axes.set_xlabel("time (ms)")
        return axes


Band = tuple[Floats, NDArray[np.int32], int, str]


def _names(tape: SpikeTape, populations: Sequence[str] | None) -> list[str]:
    known = [tape.input, *tape.names]
    if populations is None:
        return known
    asked = [populations] if isinstance(populations, str) else list(populations)
    unknown = [name for name in asked if name not in known]
    if unknown or not asked:
        what = f"has no spikes of population {unknown[0]!r}" if unknown else "got no population"
        raise NetworkError(
            "plot.raster",
            what,
            f"some of {known}",
            "Readouts do not spike: es.plot.voltages draws them.",
        )
    return list(dict.fromkeys(asked))


def _band(tape: SpikeTape, name: str, sample: int) -> Band:
    """Times, rows, number of rows, and a colour that does not depend on who else is drawn."""
    if name in tape.trains:
        trains = tape[name]
        fired = list(tape.recorded or tape.trains)
        return *trains.sample(sample), trains.size, population_colour(fired.index(name))
    return *tape.stream.sample(sample), tape.stream.n_channels, INK


def _number(axes: Axes, one: Recorded) -> None:
    """Name the first and the last row by the numbers of their neurons in the population."""
    rows = [0, one.neurons.size - 1] if one.neurons.size > 1 else [0]
    axes.set_yticks(rows, [str(one.neurons[row]) for row in rows])
    if not one.is_whole:
        axes.set_ylabel(f"{axes.get_ylabel()}, {one.neurons.size:,} of {one.size:,} recorded")


def _stack(axes: Axes, bands: Mapping[str, Band], source: str, of: Mapping[str, str]) -> None:
    """Bands from top to bottom, higher for more rows, but none too low to be seen.

    ``source`` is the name of the input; ``of`` says of how many neurons the rows were chosen.
    """
    roots = np.sqrt([size for _, _, size, _ in bands.values()])
    heights = np.maximum(roots / roots.max(), LEAST_BAND)
    whole = float(heights.sum() + GAP * (heights.size - 1))
    points = size_points(axes)[1] / whole
    tops = whole - np.concatenate([[0.0], np.cumsum(heights + GAP)[:-1]])
    for (times, rows, size, colour), top, height in zip(bands.values(), tops, heights, strict=True):
        y = top - height + (rows + 0.5) * (height / size)
        _mark(axes, times, y, colour, size=size, height=points * height)
    for border in tops[1:] + GAP / 2:
        axes.axhline(border, color=FAINT, linewidth=0.8, zorder=0)
    two_lines = points * heights.min() >= TWO_LINES
    labels = [
        f"{name}\n{size:,}{of.get(name, '')} {_rows_of(name == source, size)}"
        if two_lines
        else name + (f" ({size:,}{of[name]})" if name in of else "")
        for name, (_, _, size, _) in bands.items()
    ]
    axes.set_yticks(tops - heights / 2, labels)
    axes.tick_params(axis="y", length=0.0, labelcolor=INK)
    axes.set_ylim(-GAP / 2, whole + GAP / 2)


def _rows_of(is_input: bool, size: int) -> str:
    one = "channel" if is_input else "neuron"
    return one if size == 1 else f"{one}s"


def dots(axes: Axes, times: Floats, rows: NDArray[np.int32], size: int, colour: str) -> None:
    """Events as dots: time to the right, row 0 at the bottom, of ``size`` rows."""
    _mark(axes, times, rows, colour, size=size, height=size_points(axes)[1])
    axes.set_ylim(-0.02 * size - 0.5, 1.02 * size - 0.5)
    axes.set_yticks([0, size - 1] if size > 1 else [0])


def _mark(
    axes: Axes,
    times: Floats,
    y: NDArray[np.floating | np.integer],
    colour: str,
    *,
    size: int,
    height: float,
) -> None:
    """Dots in a band of ``size`` rows and ``height`` points; the more there are, the smaller."""
    most = float(np.clip((height / size) ** 2, *AREAS_OF_FEW))
    wanted = INK_SHARE * height * size_points(axes)[0] / max(times.size, 1)
    area = float(np.clip(wanted, LEAST_AREA, most))
    alpha = float(np.clip(ALPHAS[1] * np.sqrt(min(wanted / area, 1.0)), *ALPHAS))
    axes.scatter(times, y, s=area, color=colour, linewidths=0, alpha=alpha, rasterized=True)
