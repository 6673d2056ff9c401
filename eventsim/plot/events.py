"""Streams of events: channels over time, or the picture of a camera."""

from collections.abc import Sequence

import numpy as np
from matplotlib.axes import Axes
from matplotlib.colors import LogNorm, to_rgb
from matplotlib.patches import Patch
from numpy.typing import NDArray

from eventsim.arrays import Floats
from eventsim.checks import whole_array
from eventsim.errors import ShapeError
from eventsim.events import EventStream, StoredStream
from eventsim.plot.doors import check_kind, checked_sample
from eventsim.plot.spikes import dots
from eventsim.plot.style import BLUE, INK, SHADES, VERMILION, axes_for

DENSE = 20_000  # events; above, dots lie on each other and their density is drawn instead
MOST_ROWS = 256  # of a density
COLUMNS = 700
BRIGHTEST = 0.99  # share of the pixels with events that are not fully saturated


def stream(
    stream: EventStream | StoredStream,
    *,
    sample: int = 0,
    sensor: Sequence[int] | None = None,
    ax: Axes | None = None,
) -> Axes:
    """Draw one recording: its channels over time or, with ``sensor``, the picture of a camera.

    Parameters
    ----------
    stream
        The recordings.
    sample
        Number of the recording, negative ones counted from the end.
    sensor
        (width, height, polarities) in pixels, as :mod:`eventsim.datasets.adapters` numbers
        channels: ``(p * height + y) * width + x``. With 2 polarities "off" is 0 and "on" is 1.
        (width, height) has one polarity.
    ax
        Axes to draw on; None for a new figure.

    Returns
    -------
    Axes
        Channels: time in ms to the right, one dot per event; above 20,000 events their density.
        Camera: events of the whole recording by pixel, x to the right, y downwards. The shade is
        their number, the hue their polarity.

    Raises
    ------
    EventError
        There is no such sample.
    ShapeError
        The sensor has another number of pixels than the stream has channels.
    """
    kinds = (EventStream, StoredStream)
    check_kind("stream", stream, kinds, "Of a Dataset pass its .stream, of a SpikeTape too.")
    number = checked_sample("stream", sample, stream.n_samples)
    size = None if sensor is None else _checked_sensor(sensor, stream.n_channels)
    one = stream[number]
    times, channels = one.sample(0)
    end = float(one.duration[0])
    with axes_for(ax) as axes:
        if size is None:
            channels_over_time(axes, times, channels, stream.n_channels, (0.0, end))
            axes.set_xlabel("time (ms)")
            axes.set_ylabel("channel")
        else:
            _picture(axes, channels, size)
        return axes


def channels_over_time(
    axes: Axes,
    times: Floats,
    channels: NDArray[np.int32],
    n_channels: int,
    window: tuple[float, float],
) -> None:
    """Events as dots or, where they are too many, their density; the window is in ms."""
    if times.size > DENSE:
        _density(axes, times, channels, n_channels, window)
    else:
        dots(axes, times, channels, n_channels, INK)
    axes.set_xlim(window)


def _density(
    axes: Axes,
    times: Floats,
    channels: NDArray[np.int32],
    n_channels: int,
    window: tuple[float, float],
) -> None:
    rows = min(n_channels, MOST_ROWS)
    counts, _, _ = np.histogram2d(
        channels, times, bins=(rows, COLUMNS), range=((-0.5, n_channels - 0.5), window)
    )
    axes.imshow(
        np.ma.masked_equal(counts, 0.0),
        cmap=SHADES,
        # White is for no event: one event is drawn as the second lightest shade.
        norm=LogNorm(vmin=0.3, vmax=max(float(counts.max()), 1.0)),
        extent=(*window, -0.5, n_channels - 0.5),
        origin="lower",
        aspect="auto",
        interpolation="nearest",
    )
    axes.set_yticks([0, n_channels - 1] if n_channels > 1 else [0])


def _checked_sensor(sensor: Sequence[int], n_channels: int) -> tuple[int, int, int]:
    where = "plot.stream: sensor"
    given = whole_array(sensor, where)
    if given.shape not in ((2,), (3,)) or (given < 1).any() or (given[2:] > 2).any():
        raise ShapeError(
            where,
            f"is {sensor}",
            "(width, height) or (width, height, polarities) in pixels, with 1 or 2 polarities",
        )
    width, height, polarities = [*given.tolist(), 1][:3]
    if width * height * polarities != n_channels:
        raise ShapeError(
            where,
            f"{tuple(given.tolist())} has {width * height * polarities:,} channels",
            f"{n_channels:,}, as the stream has",
            "Pass (width, height, 2) where every pixel has an on and an off channel.",
        )
    return width, height, polarities


def _picture(axes: Axes, channels: NDArray[np.int32], size: tuple[int, int, int]) -> None:
    width, height, polarities = size
    counts = np.bincount(channels, minlength=width * height * polarities)
    by_pixel = counts.reshape(polarities, height, width)
    total = by_pixel.sum(axis=0)
    full = float(np.quantile(total[total > 0], BRIGHTEST)) if total.any() else 1.0
    # Square root: single events are seen beside pixels with hundreds.
    shade = np.sqrt(np.minimum(total / max(full, 1.0), 1.0))[..., None]
    off, on = np.array(to_rgb(VERMILION)), np.array(to_rgb(BLUE))
    share = (by_pixel[-1] / np.maximum(total, 1))[..., None]
    axes.imshow(1.0 - shade * (1.0 - (share * on + (1.0 - share) * off)), interpolation="nearest")
    axes.spines[:].set_visible(True)
    axes.set_xlabel("x (pixels)")
    axes.set_ylabel("y (pixels)")
    axes.set_xticks([0, width - 1] if width > 1 else [0])
    axes.set_yticks([0, height - 1] if height > 1 else [0])
    if polarities == 2:
        axes.legend(
            handles=[Patch(color=BLUE, label="on"), Patch(color=VERMILION, label="off")],
            loc="lower right",
            bbox_to_anchor=(1.0, 1.0),
            ncols=2,
            frameon=False,
            handlelength=0.9,
            borderpad=0.0,
        )
