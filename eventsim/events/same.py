"""Recordings that are there twice: which of some have the same events as one of others.

Events are compared by channel, and by their times from the first event on, since an import may have
moved or rounded the same recording in another way. Few events are compared by their times as they
are: from the first one on, all recordings of one event would be alike. Recordings without events
are like none.
"""

import hashlib
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


def found_among(
    asked: Recordings, others: Recordings, *, of: Ints | None = None, among: Ints | None = None
) -> Ints:
    """Numbers of the recordings asked for that have the same events as one of the others.

    ``of`` and ``among`` are numbers of those that are asked for and compared with; None for all.
    Only recordings that have as many events as one on the other side are read, one at a time. New
    array.
    """
    of, among = _numbers(asked, of), _numbers(others, among)
    mine, theirs = (np.diff(s.offsets)[k] for s, k in ((asked, of), (others, among)))
    found: dict[bytes, list[tuple[int, Floats]]] = {}
    for index, times, channels in _read(asked, of[np.isin(mine, theirs)]):
        found.setdefault(_counts(channels), []).append((index, _marks(times, channels)))
    alike = {
        counts: (np.array([index for index, _ in same]), np.stack([marks for _, marks in same]))
        for counts, same in found.items()
    }
    met: set[int] = set()
    for _, times, channels in _read(others, among[np.isin(theirs, mine)]):
        if (same := alike.get(_counts(channels))) is not None:
            which, marks = same
            off = np.abs(marks - _marks(times, channels)).max(axis=1)
            met.update(which[off < SAME_MS].tolist())
    return np.array(sorted(met), np.int64)


def _numbers(stream: Recordings, index: Ints | None) -> Ints:
    """Numbers of those recordings, or of all, that have events."""
    index = np.arange(stream.n_samples) if index is None else index
    return index[np.diff(stream.offsets)[index] > 0]


def _read(stream: Recordings, index: Ints) -> Iterator[tuple[int, Floats, NDArray[np.int32]]]:
    for k in index.tolist():
        yield k, *stream.sample(k)


def _counts(channels: NDArray[np.int32]) -> bytes:
    """Hash of the event counts of all channels; no shift or rounding of times changes it."""
    counts = np.trim_zeros(np.bincount(channels), "b").tobytes()
    return hashlib.blake2b(counts, digest_size=16).digest()


def _marks(times: Floats, channels: NDArray[np.int32]) -> Floats:
    """Times from the first event on, channel by channel; of a long recording :data:`MARKS`.

    Rounding by r moves each of them by at most 2 r, since a channel's times stay in their order.
    """
    order = np.argsort(channels, kind="stable")
    at = np.linspace(0, order.size - 1, min(order.size, MARKS)).astype(np.int64)
    marks: Floats = times[order[at]] - (times[0] if times.size > FEW else 0.0)
    return marks
