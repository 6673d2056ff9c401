r"""Statistics of event streams: rates, active channels, intervals, profile over the channels.

An interval is the time between two events of one channel of one sample. A channel is active in a
sample if it has at least one event there. The contrast of neighbours is the mean difference of
adjacent channels in units of the mean channel,

.. math::
    \frac{\langle |p_{c+1} - p_c| \rangle}{\langle p_c \rangle}, \qquad
    p_c = \text{events of channel } c \text{ per sample},

about 0 for an ideal filter bank and large for a chip whose units differ.

``N_TIDIGITS`` holds what is known of the single digits of N-TIDIGITS18, to be put beside.

References
----------
Anumula, Neil, Delbruck, Liu (2018), Feature representations for neuromorphic audio spike streams,
Front. Neurosci. 12:23.
"""

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from eventsim.arrays import Floats
from eventsim.events import EventStream

_BARS = "▁▂▃▄▅▆▇█"

# Quantity, as `eventsim data info` calls it: what single digits of N-TIDIGITS18 show.
N_TIDIGITS: dict[str, str] = {
    "channels": "64",
    "duration": "up to 1850 ms",
    "events per sample": "about 1200 to 1500",
    "event rate": "about 2800 /s",
    "active channels": "about 40 of 64",
    "neighbour contrast": "large",
}


@dataclass(frozen=True)
class Spread:
    """Distribution of values: mean, extremes, percentiles; all NaN if there are no values."""

    mean: float
    minimum: float
    low: float
    """The 5th percentile."""
    median: float
    high: float
    """The 95th percentile."""
    maximum: float


@dataclass(frozen=True, eq=False)
class EventStatistics:
    """Statistics of a stream."""

    # Sizes of the stream
    n_samples: int
    n_events: int
    n_channels: int
    rate: float  # events per second of all samples together
    duration: Spread  # of the samples, ms
    events: Spread  # events per sample
    active: Spread  # active channels per sample
    interval: Spread  # intervals in ms
    first: Spread  # time of the first event of a sample, ms; of samples with events
    profile: Floats  # float64 [channels], events per sample
    contrast: float  # contrast of neighbours; NaN without events or with one channel


def statistics(stream: EventStream) -> EventStatistics:
    """Statistics of all samples of a stream."""
    sample = np.repeat(np.arange(stream.n_samples), np.diff(stream.offsets))
    unit = sample * stream.n_channels + stream.channels
    # Events are sorted by time inside a sample, and a stable sort keeps them so inside a unit.
    order = np.argsort(unit, kind="stable")
    unit, times = unit[order], stream.times[order]
    same = unit[1:] == unit[:-1]
    first = np.concatenate([[True], ~same])[: unit.size]
    active = np.bincount(unit[first] // stream.n_channels, minlength=stream.n_samples)
    counts = np.bincount(stream.channels, minlength=stream.n_channels)
    profile = counts / max(stream.n_samples, 1)
    total = float(stream.duration.sum())
    return EventStatistics(
        n_samples=stream.n_samples,
        n_events=stream.n_events,
        n_channels=stream.n_channels,
        rate=1e3 * stream.n_events / total if total else float("nan"),
        duration=_spread(stream.duration),
        events=_spread(np.diff(stream.offsets)),
        active=_spread(active),
        interval=_spread(np.diff(times)[same]),
        first=_spread(stream.times[stream.offsets[:-1][np.diff(stream.offsets) > 0]]),
        profile=profile,
        contrast=_contrast(profile),
    )


def sparkline(profile: Floats) -> str:
    """The profile as one line of bars, first channel left, at most 64 characters."""
    parts = np.array_split(profile, min(64, profile.size))
    heights = np.array([part.mean() for part in parts])
    top = heights.max(initial=0.0)
    levels = np.ceil(heights / top * len(_BARS)).astype(int) - 1 if top > 0 else heights.astype(int)
    return "".join(_BARS[max(level, 0)] for level in levels.tolist())


def _contrast(profile: Floats) -> float:
    if profile.size < 2 or not profile.any():
        return float("nan")
    return float(np.abs(np.diff(profile)).mean() / profile.mean())


def _spread(values: NDArray[Any]) -> Spread:
    if values.size == 0:
        return Spread(*[float("nan")] * 6)
    low, median, high = np.percentile(values, [5.0, 50.0, 95.0]).tolist()
    return Spread(float(values.mean()), float(values.min()), low, median, high, float(values.max()))
