"""Raster of held-out recordings: input events, spikes of every population, readout voltages."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from numpy.typing import NDArray

from eventsim.engine import simulate, voltage
from eventsim.events import AnyDataset, Dataset, SpikeTape
from eventsim.network import Network
from eventsim.plot import style
from eventsim.plot.spikes import dots
from eventsim.train import TrainConfig
from eventsim.train.choice import make_loss
from eventsim.train.readouts import decision_behind

N_SHOWN = 4
N_SEARCHED = 128
VOLTAGE_POINTS = 400


@dataclass(frozen=True, eq=False)
class Shown:
    """A few recordings with their run."""

    tape: SpikeTape  # of the shown recordings alone
    # Of the shown recordings, [samples] each
    labels: NDArray[np.int64]
    predicted: NDArray[np.int64]


def choose(net: Network, test: AnyDataset, config: TrainConfig) -> Shown:
    """Recordings to draw: right answers of different classes, and a wrong one if there is one.

    The search takes at most ``N_SEARCHED`` recordings, spread evenly over ``test``. The choice is
    the same for the same network and data.
    """
    spread = np.unique(np.linspace(0, len(test) - 1, min(N_SEARCHED, len(test))).astype(np.int64))
    some = test[spread]
    predicted = _run(net, some, config)[1]
    right = np.flatnonzero(predicted == some.labels)
    wrong = np.flatnonzero(predicted != some.labels)
    _, first = np.unique(some.labels[right], return_index=True)
    apart = right[first]
    n_wrong = max(min(1, wrong.size), N_SHOWN - apart.size)
    n_right = N_SHOWN - n_wrong
    if apart.size > n_right:
        apart = apart[np.linspace(0, apart.size - 1, n_right).astype(np.int64)]
    chosen = some[np.concatenate([apart, wrong[:n_wrong]]).astype(np.int64)]
    tape, answers = _run(net, chosen, config)
    return Shown(tape, chosen.labels, answers)


def _run(net: Network, data: Dataset, config: TrainConfig) -> tuple[SpikeTape, NDArray[np.int64]]:
    tape = simulate(
        net, data.stream, tail=config.tail, backend=config.backend, precision=config.precision
    )
    return tape, make_loss(config, data.labels, data.class_names).predictions(net, tape)


def raster(net: Network, shown: Shown, class_names: Sequence[str], *, output: str) -> Figure:
    """A raster plot: a column per recording; rows are input, populations, readout ``output``."""
    tape, stream = shown.tape, shown.tape.stream
    names = [name for name in tape.names if name != output or net.populations[name].size > 1]
    has_readout = output in net.readouts
    heights = [1.25, *(1.0 for _ in names), *([1.15] if has_readout else [])]
    drawn = style.figure(2.9 * stream.n_samples + 0.9, 1.75 * len(heights) + 0.5)
    # In proportion to the durations, with a least width so that each can be read.
    middle = float(np.median(stream.duration))
    ratios = np.clip(stream.duration, 0.75 * middle, 1.3 * middle).tolist()
    panels = drawn.subplots(
        len(heights),
        stream.n_samples,
        squeeze=False,
        sharex="col",
        sharey="row",
        gridspec_kw={"height_ratios": heights, "width_ratios": ratios},
    )
    n_input = stream.n_channels
    for column in range(stream.n_samples):
        _title(panels[0, column], shown, column, class_names)
        _row(panels[0, column], *stream.sample(column), n_input, style.INK)
        for row, name in enumerate(names, start=1):
            trains = tape[name]
            colour = style.population_colour(row - 1)
            _row(panels[row, column], *trains.sample(column), trains.size, colour)
        panels[-1, column].set_xlabel("time (ms)")
        panels[-1, column].set_xlim(0.0, stream.duration[column])
    panels[0, 0].set_ylabel("input\nchannel")
    for row, name in enumerate(names, start=1):
        panels[row, 0].set_ylabel(f"{name}\nneuron")
    if has_readout:
        _voltages(panels[-1], net, shown, output)
        panels[-1, 0].set_ylabel(f"{output}\nvoltage")
    return drawn


def _row(
    axes: Axes, times: NDArray[np.float64], rows: NDArray[np.int32], size: int, colour: str
) -> None:
    """Draw a panel of the raster; the time axis is drawn at the bottom only."""
    dots(axes, times, rows, size, colour)
    axes.tick_params(axis="x", length=0)
    axes.spines["bottom"].set_visible(False)


def _title(axes: Axes, shown: Shown, column: int, class_names: Sequence[str]) -> None:
    label, answer = int(shown.labels[column]), int(shown.predicted[column])
    said = class_names[label]
    heard = class_names[answer] if answer < len(class_names) else f"#{answer}"
    right = label == answer
    verdict = "right" if right else f"heard “{heard}”"
    axes.set_title(f"“{said}”\n{verdict}", color=style.BLUE if right else style.VERMILION)


def _voltages(panels: NDArray[np.object_], net: Network, shown: Shown, output: str) -> None:
    stream = shown.tape.stream
    grid = np.linspace(0.0, stream.duration.max(), VOLTAGE_POINTS)
    voltages = voltage(net, shown.tape, output, grid)
    classes = decision_behind(net, output) is None
    for column, axes in enumerate(panels):
        inside = grid <= stream.duration[column]
        times, curves = grid[inside], voltages[column][inside]
        label, answer = int(shown.labels[column]), int(shown.predicted[column])
        axes.axhline(0.0, color=style.FAINT, linewidth=0.8, zorder=0)
        # Behind a decision the readout's neurons are no classes.
        apart = (label, answer) if classes else ()
        others = [k for k in range(curves.shape[1]) if k not in apart]
        axes.plot(times, curves[:, others], color=style.FAINT, linewidth=0.9)
        if apart and answer != label:
            axes.plot(times, curves[:, answer], color=style.VERMILION, linestyle=(0, (4, 2)))
        if apart:
            axes.plot(times, curves[:, label], color=style.BLUE)
        axes.tick_params(colors=style.MUTED)
