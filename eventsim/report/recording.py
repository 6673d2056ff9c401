"""Picture of one recording: its events, their rate over time, and their number by channel."""

from collections.abc import Sequence

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator
from numpy.typing import NDArray

from eventsim.events import EventStream
from eventsim.plot.events import MOST_ROWS, channels_over_time
from eventsim.plot.events import stream as draw_stream
from eventsim.plot.style import BLUE, figure, grid

BINS = 160  # of the rate over time
MS_PER_S = 1000.0


def recording(
    stream: EventStream, *, title: str, begin: float = 0.0, sensor: Sequence[int] | None = None
) -> Figure:
    """Picture of the first sample of ``stream``; its time 0 is at ``begin`` ms of the axis.

    With a ``sensor``, (width, height, polarities), it shows frames of a camera and the rate below.
    """
    times, channels = stream.sample(0)
    times, end = times + begin, begin + float(stream.duration[0])
    if sensor is not None:
        drawn = figure(7.0, 6.4)
        picture, rate = drawn.subplots(2, 1, gridspec_kw={"height_ratios": [4.2, 1.0]})
        draw_stream(stream, sensor=sensor, ax=picture)
        picture.set_title(title, loc="left")
        _rate(rate, times, (begin, end))
        return drawn
    drawn = figure(10.0, 5.2)
    panels = drawn.subplots(
        2,
        2,
        sharex="col",
        sharey="row",
        gridspec_kw={"width_ratios": [6.0, 1.0], "height_ratios": [3.2, 1.0]},
    )
    panels[1, 1].set_axis_off()
    channels_over_time(panels[0, 0], times, channels, stream.n_channels, (begin, end))
    panels[0, 0].set_title(title)
    panels[0, 0].set_ylabel("channel")
    _profile(panels[0, 1], channels, stream.n_channels, end - begin)
    _rate(panels[1, 0], times, (begin, end))
    return drawn


def _profile(axes: Axes, channels: NDArray[np.int32], n_channels: int, duration: float) -> None:
    edges = np.linspace(-0.5, n_channels - 0.5, min(n_channels, MOST_ROWS) + 1)
    counts, _ = np.histogram(channels, bins=edges)
    per_channel = counts / np.histogram(np.arange(n_channels), bins=edges)[0]
    rates = per_channel / duration * MS_PER_S
    axes.stairs(rates, edges, orientation="horizontal", fill=True, color=BLUE)
    axes.set_title("by channel")
    axes.set_xlabel("events per second")
    axes.xaxis.set_major_locator(MaxNLocator(nbins=3))
    axes.tick_params(labelbottom=True)


def _rate(axes: Axes, times: NDArray[np.float64], window: tuple[float, float]) -> None:
    counts, edges = np.histogram(times, bins=BINS, range=window)
    width = (window[1] - window[0]) / BINS
    axes.stairs(counts / width * MS_PER_S, edges, fill=True, color=BLUE)
    axes.set_xlabel("time (ms)")
    axes.set_ylabel("events\nper second")
    axes.set_ylim(bottom=0.0)
    axes.yaxis.set_major_locator(MaxNLocator(nbins=3))
    grid(axes)
