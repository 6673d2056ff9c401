"""Packet: events that a source of live events sends at once.

A **source** is an iterator of packets, in any size and at any time: a generator function is one. It
blocks until there are events, may send an empty packet, and ends when there are no more events.
Sources do not depend on networks or rules.
"""

import time
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from eventsim.arrays import is_whole
from eventsim.checks import real_array, whole_array
from eventsim.errors import ShapeError
from eventsim.events import EventStream
from eventsim.summary import short_repr

Source = Iterable["Packet"]


@dataclass(frozen=True, eq=False)
class Packet:
    """Events that arrived together.

    Parameters
    ----------
    times
        On the source's own clock, in units of ``1 / per_ms`` ms: integers where the clock has
        ticks, kept as int64, so that no bit is lost, else float64. Any order. [events]
    channels
        Whole numbers, [events]; what is no channel of the network is counted and left out.
    per_ms
        Units of the times in a ms: 1000 for us.
    arrived
        s, on the clock of :func:`time.monotonic`: when the events were read.
    until
        Time up to which the source has sent all events, in the same units; None if it does not
        know.
    end
        A recording ends at this time, in the same units, and the times of the next packet count
        from 0 again; None if none does.
    rubbish
        Data that could not be read: a few examples, and how many there were.
    lost
        Events or datagrams that the source itself had to drop, by what was dropped.

    Raises
    ------
    ShapeError
        Times and channels are not as many of each, or channels are no integers.
    """

    times: NDArray[Any]
    channels: NDArray[np.int64]
    per_ms: float = 1.0
    arrived: float = field(default_factory=time.monotonic)
    until: float | None = None
    end: float | None = None
    rubbish: tuple[int, str] = (0, "")
    lost: tuple[tuple[str, int], ...] = ()

    __repr__ = short_repr

    def __post_init__(self) -> None:
        # Differences of unsigned numbers would have no sign.
        is_clock = is_whole(np.asarray(self.times).dtype)
        times = (whole_array if is_clock else real_array)(self.times, "Packet: times")
        channels = whole_array(self.channels, "Packet: channels")
        if times.shape != channels.shape or times.ndim != 1:
            raise ShapeError(
                "Packet",
                f"times have shape {times.shape} and channels {channels.shape}",
                "one channel per time",
            )
        object.__setattr__(self, "times", times)
        object.__setattr__(self, "channels", channels)

    @classmethod
    def of(cls, times: ArrayLike, channels: ArrayLike, **more: Any) -> "Packet":
        """A packet of whatever NumPy makes arrays of, single numbers too; raises ShapeError.

        Channels may be floating-point numbers, if all are whole.
        """
        c = np.atleast_1d(np.asarray(channels))
        if c.dtype.kind == "f" and (c == np.floor(c)).all() and np.isfinite(c).all():
            c = c.astype(np.int64)
        return cls(np.atleast_1d(np.asarray(times)), c, **more)


def packets_of(stream: EventStream, *, length: float) -> Iterator[Packet]:
    """The recordings of a stream, one behind the other, in packets of ``length`` ms.

    The packets mark the end of every recording. They do not wait: see :func:`eventsim.live.replay`.
    """
    for (times, channels), duration in zip(stream, stream.duration.tolist(), strict=True):
        n = max(1, int(np.ceil(duration / length)))
        cuts = np.searchsorted(times, np.arange(1, n) * length)
        pieces = zip(np.split(times, cuts), np.split(channels, cuts), strict=True)
        for k, (t, c) in enumerate(pieces):
            last = k == n - 1
            yield Packet(
                t,
                c.astype(np.int64),
                until=None if last else (k + 1) * length,
                end=duration if last else None,
            )
