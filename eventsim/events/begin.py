r"""Time 0 of recordings: the source's own, their first event, or a time that is named.

A recording that was cut out of a session, or that has the times of a sensor's clock, begins long
before its first event. Losses, rates and durations count from time 0, so such a recording is moved
to its first event. **The rule**, applied once to all recordings of an import: the times are a clock
if, in at least half of the recordings, the silence before the first event is longer than the span
from the first event to the last,

.. math::
    t_\text{first} > t_\text{last} - t_\text{first}.

Recordings whose span is 0 (no event, one event, or all events at one time) are not counted; if all
are such, the times are no clock. If the times are a clock, every recording is moved to its own
first event, also those that were not counted; recordings of one clock then have no common time any
more. A recording without events is not moved.

A duration that the source states is shifted as well; one that follows from the last event is
computed again.
"""

from dataclasses import dataclass
from typing import Any, Literal

import numpy as np

from eventsim.arrays import Floats, Ints
from eventsim.errors import DataError
from eventsim.events.order import sample_of_event
from eventsim.events.stored import StoredStream
from eventsim.events.stream import EventStream

Begin = float | Literal["first-event", "zero"]

LATE = 0.25  # of the span: a longer silence before the first event is spoken of
_SAMPLES = 1024  # of a file that are in memory at a time


@dataclass(frozen=True, eq=False)
class Edges:
    """First and last event of every recording, ms [samples]; NaN where there is none."""

    first: Floats
    last: Floats

    @property
    def vote(self) -> Floats:
        """Silence before the first event in units of the span, of the recordings that count."""
        span = self.last - self.first
        return self.first[span > 0] / span[span > 0]

    @property
    def are_clock(self) -> bool:
        """Whether the times are a clock, as the module says."""
        return self._half_above(1.0)

    @property
    def are_late(self) -> bool:
        """Whether half of the recordings begin later than :data:`LATE` of their span."""
        return self._half_above(LATE)

    def _half_above(self, least: float) -> bool:
        silence = self.vote
        return bool(silence.size) and 2 * int((silence > least).sum()) >= silence.size


def edges(stream: EventStream | StoredStream) -> Edges:
    """First and last events, read a part of the file at a time."""
    parts = [_edges(one.times, one.offsets) for one in _parts(stream)]
    first = [np.zeros(0), *(p.first for p in parts)]
    return Edges(np.concatenate(first), np.concatenate([np.zeros(0), *(p.last for p in parts)]))


def _parts(stream: EventStream | StoredStream) -> list[EventStream] | Any:
    if isinstance(stream, EventStream):
        return [stream]
    return (stream[index] for index in stream.batches(_SAMPLES))


def _edges(times: Floats, offsets: Ints) -> Edges:
    """First and last event of every sample, whose times are in any order."""
    found = Edges(*np.full((2, offsets.size - 1), np.nan))
    full = np.flatnonzero(np.diff(offsets))
    if full.size:
        found.first[full] = np.minimum.reduceat(times, offsets[full])
        found.last[full] = np.maximum.reduceat(times, offsets[full])
    return found


def zeros(times: Floats, offsets: Ints, begin: Begin, *, where: str, per_ms: float = 1.0) -> Floats:
    """The time that becomes 0 in every recording, [samples], in the unit of ``times``.

    Times are in any order inside each sample, also negative, ``per_ms`` of them in a ms. Of
    ``begin``, ``zero`` leaves them as they are, ``first-event`` is as the module says, a number is
    a time in ms. Raises DataError, in the name of ``where``, if events lie before that number.
    """
    if begin == "zero":
        return np.zeros(offsets.size - 1)
    if begin == "first-event":
        return np.nan_to_num(_edges(times, offsets).first)
    zero = float(begin) * per_ms
    early = times < zero
    if early.any():
        inside = np.unique(sample_of_event(offsets)[early]).size
        raise DataError(
            where,
            f"{early.sum():,} of {times.size:,} events, in {inside:,} of {offsets.size - 1:,} "
            f"recordings, lie before {begin:g} ms, which is to be time 0; the first is at "
            f"{exact(times.min() / per_ms)} ms",
            remedy="None is left out: name an earlier time, or put every recording to its first "
            "event: --begin first-event, in Python begin='first-event'.",
        )
    return np.full(offsets.size - 1, zero)


def ways_out(times: Floats) -> str:
    """Remedy for negative times, ms [events], as a sentence; empty where no time is."""
    early = times[np.isfinite(times) & (times < 0)]
    if not early.size:
        return ""
    least = exact(np.floor(early.min()))
    return (
        "If it is a clock, put every recording to its first event: --begin first-event, in Python "
        f"begin='first-event'; or, so that recordings keep an onset that they share, make "
        f"{least} ms time 0 of all: --begin {least}, in Python begin={least}."
    )


def exact(value: float) -> str:
    """The shortest text of a number that reads back exactly; whole numbers without a point."""
    return f"{value:.0f}" if float(value).is_integer() and abs(value) < 1e17 else repr(float(value))


def put(stream: EventStream, zero: Floats, *, stated: bool, where: str) -> EventStream:
    """The recordings with the times ``zero``, ms [samples], as their 0. New arrays.

    ``stated`` says that the source states durations, which move along; else they reach to the first
    whole ms after the last event.

    Raises DataError (a recording is over at its time 0).
    """
    times = stream.times - zero[sample_of_event(stream.offsets)]
    last = _edges(times, stream.offsets).last
    duration = stream.duration - zero if stated else np.floor(np.nan_to_num(last)) + 1.0
    # An event at the end of a recording would leave nothing of it.
    duration = np.where((duration <= 0) & (last == 0) & (zero > 0), 1.0, duration)
    over = np.flatnonzero(duration <= 0)
    if over.size:
        raise DataError(
            f"{where}, recording {over[0]}",
            f"lasts to {stream.duration[over[0]]:g} ms",
            f"an end after {zero[over[0]]:g} ms, which is to be time 0",
        )
    return EventStream(
        times, stream.channels, stream.offsets, n_channels=stream.n_channels, duration=duration
    )


def from_first_event(stream: EventStream) -> EventStream:
    """The recordings from their first events on, which come to time 0; those without stay.

    A sample lasts as much shorter as it begins earlier. New arrays.
    """
    zero = zeros(stream.times, stream.offsets, "first-event", where="from_first_event")
    return put(stream, zero, stated=True, where="from_first_event")


@dataclass(frozen=True, eq=False)
class TimeZero:
    """Time 0 of recordings, and the reason for it."""

    begin: Begin  # what was done
    reason: str  # why, in words
    zero: Floats  # ms, on the clock of the source: what is time 0 of every recording. [samples]
    edges: Edges  # first and last events on the clock of the recordings as they are now

    @property
    def is_moved(self) -> bool:
        """Whether the times of any recording are others than those of the source."""
        return bool((self.zero != 0).any())

    def summary(self) -> dict[str, Any]:
        """The rule and its result as plain values; times in ms."""
        empty = int(np.isnan(self.edges.first).sum())
        return summary(self.begin, self.reason, self.zero, recordings=self.zero.size, empty=empty)


def summary(
    begin: Begin, reason: str, zero: Floats | None, *, recordings: int, empty: int
) -> dict[str, Any]:
    """A rule for time 0 and its result as plain values; None for what ``zero`` does not say."""
    by_time = not isinstance(begin, str)
    return {
        "rule": "time" if by_time else begin,
        "time_ms": begin if by_time else None,
        "reason": reason,
        "recordings": recordings,
        "moved": None if zero is None else int((zero != 0).sum()),
        "without_events": empty,
        "moved_by_ms": None if zero is None else spread(zero[zero != 0]),
    }


def spread(values: Floats) -> dict[str, float] | None:
    """Smallest, median and largest of all values that are not NaN; None if there are none."""
    there = values[~np.isnan(values)]
    if not there.size:
        return None
    return {
        "smallest": float(there.min()),
        "median": float(np.median(there)),
        "largest": float(there.max()),
    }
