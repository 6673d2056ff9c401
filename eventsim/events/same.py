"""Recordings that are there twice: which of some have the same events as one of others.

Events are compared by channel, and by their times from the first event on, since an import may have
moved or rounded the same recording in another way. Few events are compared by their times as they
are: from the first one on, all recordings of one event would be alike. Recordings without events
are like none.
"""

from collections.abc import Iterator

import numpy as np
from numpy.typing import NDArray

from eventsim.arrays import Floats, Ints
from eventsim.events.stored import StoredStream
from eventsim.events.stream import EventStream

SAME_MS = 1.5e-3  # a difference of times that were rounded to a microsecond moves by less
FEW = 8  # events
MARKS = 64  # of a recording's times are compared

Recordings = EventStream | StoredStream


def found_among(asked: Recordings, others: Recordings) -> Ints:
    """Numbers of the recordings asked for that have the same events as one of the others.

    Only recordings that have as many events as one on the other side are read. New array.
    """
    found: dict[bytes, list[tuple[int, Floats]]] = {}
    for index, times, channels in _as_long(asked, others):
        found.setdefault(_counts(channels), []).append((index, _marks(times, channels)))
    alike = {
        counts: (np.array([index for index, _ in same]), np.stack([marks for _, marks in same]))
        for counts, same in found.items()
    }
    met: set[int] = set()
    for _, times, channels in _as_long(others, asked):
        if (same := alike.get(_counts(channels))) is not None:
            which, marks = same
            off = np.abs(marks - _marks(times, channels)).max(axis=1)
            met.update(which[off < SAME_MS].tolist())
    return np.array(sorted(met), np.int64)


def _as_long(
    stream: Recordings, others: Recordings
) -> Iterator[tuple[int, Floats, NDArray[np.int32]]]:
    """Recordings that have as many events as one of the others, with their index; no empty ones."""
    lengths, known = np.diff(stream.offsets), np.diff(others.offsets)
    for index in np.flatnonzero(np.isin(lengths, known[known > 0])):
        yield int(index), *stream.sample(int(index))


def _counts(channels: NDArray[np.int32]) -> bytes:
    """How many events every channel has; no shift or rounding of times changes it."""
    return np.trim_zeros(np.bincount(channels), "b").tobytes()


def _marks(times: Floats, channels: NDArray[np.int32]) -> Floats:
    """Times from the first event on, channel by channel; of a long recording :data:`MARKS`.

    Rounding by r moves each of them by at most 2 r, since a channel's times stay in their order.
    """
    order = np.argsort(channels, kind="stable")
    at = np.linspace(0, order.size - 1, min(order.size, MARKS)).astype(np.int64)
    marks: Floats = times[order[at]] - (times[0] if times.size > FEW else 0.0)
    return marks
