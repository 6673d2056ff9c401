"""Streams joined in time: several sensors become one stream, each with its delay."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import ArrayLike

from eventsim.checks import alike, every, real_array, shaped
from eventsim.errors import EventError
from eventsim.events.order import sample_of_event
from eventsim.events.stream import EventStream


def merge(streams: Sequence[EventStream], *, delays: ArrayLike = 0.0) -> EventStream:
    """Merge streams into one, each shifted by its delay.

    Parameters
    ----------
    streams
        With equal numbers of samples. None is changed. Channels are stacked: those of the
        second stream follow those of the first, and so on.
    delays
        ms, >= 0; one number, or one per stream.

    Returns
    -------
    EventStream
        All events in the total order (time, channel). A sample lasts as long as its longest part
        with its delay. New arrays.
    """
    if not streams:
        raise EventError("merge", "no streams were given", "at least one")
    alike("merge", "numbers of samples", (stream.n_samples for stream in streams))
    shifts = real_array(delays, "merge: delays")
    shaped("merge", "delays", shifts, (), (len(streams),))
    shifts = np.broadcast_to(shifts, (len(streams),))
    good = np.isfinite(shifts) & (shifts >= 0)
    every("merge", "a delay", shifts, good, "a finite value >= 0 (ms)", error=EventError)
    first = np.cumsum([0, *(stream.n_channels for stream in streams)])
    sample = np.concatenate([sample_of_event(stream.offsets) for stream in streams])
    order = np.argsort(sample, kind="stable")
    lengths = np.sum([np.diff(stream.offsets) for stream in streams], axis=0)
    pairs = list(zip(streams, shifts, first, strict=False))
    return EventStream.from_unsorted(
        np.concatenate([stream.times + shift for stream, shift, _ in pairs])[order],
        np.concatenate([stream.channels + base for stream, _, base in pairs])[order],
        np.concatenate([[0], np.cumsum(lengths)]),
        n_channels=int(first[-1]),
        duration=np.max([stream.duration + shift for stream, shift, _ in pairs], axis=0),
    )
