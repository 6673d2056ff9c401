"""EventStream: batches of time-sorted events, checked once at the door.

A stream holds ``samples`` independent recordings one behind the other; sample ``s`` owns
the events ``offsets[s] : offsets[s + 1]``. Inside a sample events are ordered by
``(time, channel)``: simultaneous events given in another order are put into it, so that
the order of ties never depends on where the data came from.

==========  ==================  =====================================
field       type                meaning
==========  ==================  =====================================
times       float64 [events]    ms from the start of the sample
channels    int32 [events]      0 .. n_channels - 1
offsets     int64 [samples+1]   first event of every sample
n_channels  int                 number of channels
duration    float64 [samples]   length of every sample in ms
==========  ==================  =====================================

The events of Poisson sources (:func:`eventsim.poisson`) are made when they are first asked for; a
run that is long makes those of a span of time after the other, and keeps none.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any, TypeVar

import numpy as np
from numpy.typing import ArrayLike, NDArray

from eventsim.arrays import Floats, Ints
from eventsim.checks import (
    alike,
    every,
    in_domain,
    one_each,
    real_array,
    reported,
    shaped,
    whole_array,
    whole_number,
)
from eventsim.entries import Count, Positive, parse_json
from eventsim.errors import EventError, EventSimError, ShapeError, StorageError
from eventsim.events.npz import Form, check_forms, opened
from eventsim.events.order import event_order, place_of_event, sample_of_event
from eventsim.events.poisson_sources import PoissonSources
from eventsim.events.storage import read_arrays, write_arrays
from eventsim.summary import html_card, html_table, number, span

STREAM_VERSION = 1

# Events per sample from which those of a sample are taken as one block: of 32 samples of 64 events
# that takes 20 us and an index of all 13, of 1,285 events 31 and 81 (AMD EPYC).
BLOCK_LEAST = 128
Channel = TypeVar("Channel", bound=np.signedinteger[Any])
_FIELDS = ("times", "channels", "offsets", "n_channels", "duration")
_MADE = ("times", "channels", "offsets")  # of Poisson sources, when they are asked for


@dataclass(frozen=True, eq=False)
class EventStream:
    """A batch of event recordings.

    Parameters
    ----------
    times
        Shape [events], ms from the start of each sample, finite, in ``[0, duration]`` and
        ascending inside each sample. An event at ``duration`` itself is kept but causes nothing.
    channels
        Shape [events], integers in ``[0, n_channels)``.
    offsets
        Shape [samples + 1], ascending from 0 to the number of events.
    n_channels
        Number of channels, at least 1.
    duration
        ms, one value for all samples or shape [samples], positive and finite.

    Raises
    ------
    EventError, ShapeError
        With sample, event, what came, what was expected and what to do.
    """

    times: Floats
    channels: NDArray[np.int32]
    offsets: Ints
    n_channels: int
    duration: Floats

    def __init__(
        self,
        times: ArrayLike,
        channels: ArrayLike,
        offsets: ArrayLike,
        *,
        n_channels: int,
        duration: ArrayLike,
    ):
        t = _vector(times, "times", np.float64)
        c = _vector(channels, "channels", np.int64)
        o = _vector(offsets, "offsets", np.int64)
        _check_offsets(o, t.size, c.size)
        n_channels = whole_number(n_channels, "EventStream: n_channels")
        in_domain("EventStream", "n_channels", n_channels, Count, error=EventError)
        d = checked_durations(duration, o.size - 1)
        _check_times(t, o, d)
        _check_channels(c, o, n_channels)
        t, c = order_ties(t, c, o)
        self._fill(t, c.astype(np.int32), o, n_channels, d)

    def _fill(
        self, times: Floats, channels: NDArray[np.int32], offsets: Ints, n: int, duration: Floats
    ) -> None:
        """Take fields that are a stream's, without a look at them."""
        for name, value in zip(_FIELDS, (times, channels, offsets, n, duration), strict=True):
            object.__setattr__(self, name, value)
        self._freeze()

    def _freeze(self) -> None:
        for name in ("times", "channels", "offsets", "duration"):
            if name in self.__dict__:
                self.__dict__[name].flags.writeable = False

    def __getattr__(self, name: str) -> Any:
        # Only of names that are not there: of events that nobody has asked for yet.
        if name not in _MADE or self.sources is None:
            raise AttributeError(f"{type(self).__name__!r} object has no attribute {name!r}")
        made = self.sources.between(np.zeros(self.n_samples), self.duration)
        self._fill(*made, self.n_channels, self.duration)
        return self.__dict__[name]

    @property
    def sources(self) -> PoissonSources | None:
        """The Poisson sources whose events these are; None of a stream of given events."""
        found: PoissonSources | None = self.__dict__.get("_sources")
        return found

    def __setstate__(self, state: dict[str, Any]) -> None:
        # Arrays come out of a pickle, and out of copy.deepcopy, as arrays that can be written to.
        self.__dict__.update(state)
        self._freeze()

    @classmethod
    def from_unsorted(
        cls,
        times: ArrayLike,
        channels: ArrayLike,
        offsets: ArrayLike,
        *,
        n_channels: int,
        duration: ArrayLike,
    ) -> EventStream:
        """As the constructor, for events in any order inside each sample. New arrays."""
        t = _vector(times, "times", np.float64)
        c = _vector(channels, "channels", np.int64)
        o = _vector(offsets, "offsets", np.int64)
        _check_offsets(o, t.size, c.size)
        order = event_order(o, t, c)
        return cls(t[order], c[order], o, n_channels=n_channels, duration=duration)

    @classmethod
    def from_samples(
        cls, samples: Sequence[tuple[ArrayLike, ArrayLike]], *, n_channels: int, duration: ArrayLike
    ) -> EventStream:
        """Build a stream from one ``(times, channels)`` pair per sample. New arrays."""
        times = [_vector(t, "times", np.float64) for t, _ in samples]
        channels = [_vector(c, "channels", np.int64) for _, c in samples]
        for index, (t, c) in enumerate(zip(times, channels, strict=True)):
            one_each(f"EventStream, sample {index}", {"times": t.size, "channels": c.size})
        return cls(
            np.concatenate([*times, np.zeros(0)]),
            np.concatenate([*channels, np.zeros(0, np.int64)]),
            np.concatenate([[0], np.cumsum([t.size for t in times])]).astype(np.int64),
            n_channels=n_channels,
            duration=duration,
        )

    @property
    def n_samples(self) -> int:
        """Number of samples."""
        return self.duration.size

    @property
    def n_events(self) -> int:
        """Number of events in all samples."""
        return self.times.size

    def __len__(self) -> int:
        return self.n_samples

    @property
    def mean_events(self) -> float:
        """Number of events in all samples; of Poisson sources its mean, and none is made."""
        return float(self.n_events) if self.sources is None else self.sources.expected()

    def __repr__(self) -> str:
        about = "" if self.sources is None else "about "
        return (
            f"EventStream({self.n_samples} samples, {about}{self.mean_events:.0f} events, "
            f"{self.n_channels} channels)"
        )

    def _repr_html_(self) -> str:
        lasts = float(self.duration.sum())
        rate = 1e3 * self.mean_events / (lasts * self.n_channels) if lasts else 0.0
        facts = [
            ["samples", number(self.n_samples)],
            ["events" if self.sources is None else "events, mean", number(self.mean_events)],
            ["channels", number(self.n_channels)],
            ["duration (ms)", span(self.duration)],
            ["mean rate of a channel (Hz)", number(rate)],
        ]
        return html_card("EventStream", "", html_table(("", ""), facts))

    def sample(self, index: int) -> tuple[Floats, NDArray[np.int32]]:
        """Times and channels of one sample, negative numbers counted from the end. Views."""
        number = sample_number(index, self.n_samples)
        lo, hi = self.offsets[number], self.offsets[number + 1]
        return self.times[lo:hi], self.channels[lo:hi]

    def __iter__(self) -> Iterator[tuple[Floats, NDArray[np.int32]]]:
        return (self.sample(index) for index in range(self.n_samples))

    def __getitem__(self, index: Any) -> EventStream:
        """Select samples by integer, slice, integer array or boolean mask. New arrays."""
        wanted = np.atleast_1d(np.arange(self.n_samples)[index])
        first, end = self.offsets[wanted], self.offsets[wanted + 1]
        offsets = np.concatenate([[0], np.cumsum(end - first)])
        if offsets[-1] < BLOCK_LEAST * wanted.size or not wanted.size:
            events = np.repeat(first - offsets[:-1], end - first) + np.arange(offsets[-1])
            times, channels = self.times[events], self.channels[events]
        else:
            parts = [slice(*part) for part in zip(first.tolist(), end.tolist(), strict=True)]
            times, channels = (
                np.concatenate([values[part] for part in parts])
                for values in (self.times, self.channels)
            )
        # Samples of a stream are a stream.
        return stream_of(times, channels, offsets, self.n_channels, self.duration[wanted])

    def save(self, path: str | Path, *, notes: Mapping[str, str] | None = None) -> None:
        """Write the stream to one file, atomically; ``notes`` are what else is known, by name."""
        told = {"notes": np.array(json.dumps(dict(notes)))} if notes else {}
        write_arrays(path, self.to_arrays() | told, kind="eventsim-stream", version=STREAM_VERSION)

    @classmethod
    def load(cls, path: str | Path) -> EventStream:
        """Read a stream that :meth:`save` wrote; raises StorageError if it cannot be one."""
        arrays = read_arrays(
            path,
            kind="eventsim-stream",
            version=STREAM_VERSION,
            check=lambda archive: check_stream(archive.claims),
        )
        failures, words = (
            (KeyError, ValueError, TypeError, EventSimError),
            "is no whole stream ({})",
        )
        with reported(path, words, *failures, remedy="Save it again.", error=StorageError):
            return cls.from_arrays(arrays)

    @staticmethod
    def read_notes(path: str | Path) -> dict[str, str]:
        """The notes that :meth:`save` wrote beside a stream; none where it wrote none."""
        with opened(path, expected="an eventsim-stream file") as archive:
            text = archive.text("notes") if "notes" in archive.claims else "{}"
        found = parse_json(text, f"{path}, notes", StorageError)
        if not isinstance(found, dict):
            raise StorageError(f"{path}, notes", f"is {text[:40]!r}", "texts by name")
        return {str(name): str(value) for name, value in found.items()}

    def to_arrays(self) -> dict[str, NDArray[Any]]:
        """Fields as arrays, for files; Poisson sources stand in place of their events."""
        held = [name for name in _FIELDS if self.sources is None or name not in _MADE]
        found = {name: np.asarray(getattr(self, name)) for name in held}
        return found if self.sources is None else found | self.sources.to_arrays()

    @classmethod
    def from_arrays(cls, arrays: Mapping[str, NDArray[Any]]) -> EventStream:
        """Rebuild and check what :meth:`to_arrays` gave; a missing field is a KeyError."""
        if "rates" in arrays:
            duration = checked_durations(arrays["duration"], arrays["duration"].size)
            sources = PoissonSources.from_arrays(arrays)
            every(
                "EventStream", "until", sources.until, sources.until <= duration,
                "at most the duration of its sample", of="sample", unit="ms",
            )  # fmt: skip
            return drawn_stream(sources, duration)
        return cls(
            arrays["times"],
            arrays["channels"],
            arrays["offsets"],
            n_channels=whole_number(arrays["n_channels"], "EventStream: n_channels"),
            duration=arrays["duration"],
        )

    def batches(self, size: int, *, order: NDArray[np.int64] | None = None) -> Iterator[Ints]:
        """Sample numbers in groups of at most ``size``, in ``order`` or as stored."""
        return in_groups(self.n_samples, size, order)

    def round_times(self, tick: float) -> EventStream:
        """The same events on a coarse clock: every time becomes a multiple of ``tick``. New arrays.

        Events at one time are one step of the engine. So the more events share a tick, the less
        time a run takes. The run is exact for the rounded times. Durations do not change.

        Parameters
        ----------
        tick
            ms, > 0. A time goes to the nearest multiple, halfway between two to the even one, but
            never to the end of its sample or past it: then to the last multiple before. Events at
            the end of a sample, which cause nothing, stay there.

        Raises
        ------
        EventError
            ``tick`` is not a positive, finite number.

        Examples
        --------
        >>> import eventsim as es
        >>> stream = es.EventStream([0.4, 1.7, 9.8], [0, 1, 0], [0, 3], n_channels=2, duration=10.0)
        >>> stream.round_times(1.0).times.tolist()
        [0.0, 2.0, 9.0]
        """
        in_domain("round_times", "tick", tick, Positive, error=EventError)
        last = np.ceil(self.duration / tick) - 1.0
        # A quotient may be rounded up past the multiple that it stands for.
        last = np.maximum(last - (last * tick >= self.duration), 0.0)
        sample = sample_of_event(self.offsets)
        times = np.minimum(np.rint(self.times / tick), last[sample]) * tick
        return EventStream(
            np.where(self.times < self.duration[sample], times, self.times),
            self.channels,
            self.offsets,
            n_channels=self.n_channels,
            duration=self.duration,
        )

    def chunks(self, length: float) -> Iterator[EventStream]:
        """The stream in chunks of ``length`` ms, for :func:`eventsim.simulate_chunk`.

        Times count from the start of the recording, and the ``duration`` of a chunk is its
        end. An event on a border belongs to the later chunk; a sample that is over has no more
        events and keeps its duration.

        Raises
        ------
        EventError
            ``length`` is not a positive, finite number.
        """
        in_domain("chunks", "length", length, Positive, error=EventError)
        if self.sources is not None:
            yield from self._drawn_chunks(self.sources, length)
            return
        n = max(1, int(np.ceil(self.duration.max(initial=0.0) / length)))
        ends = np.arange(1, n) * length
        piece = np.searchsorted(ends, self.times, side="right")
        sample = sample_of_event(self.offsets)
        for k, end in enumerate([*ends, np.inf]):
            mine = piece == k
            counts = np.bincount(sample[mine], minlength=self.n_samples)
            yield EventStream(
                self.times[mine],
                self.channels[mine],
                np.concatenate([[0], np.cumsum(counts)]),
                n_channels=self.n_channels,
                duration=np.minimum(self.duration, end),
            )

    def _drawn_chunks(self, sources: PoissonSources, length: float) -> Iterator[EventStream]:
        """As :meth:`chunks`; of the events those of one chunk are there at a time."""
        begin, n = np.zeros(self.n_samples), int(np.ceil(sources.until.max(initial=0.0) / length))
        for end in [*(np.arange(1, n) * length), np.inf]:
            stop = np.minimum(self.duration, end)
            yield stream_of(*sources.between(begin, stop), self.n_channels, stop)
            begin = stop


def drawn_stream(sources: PoissonSources, duration: Floats) -> EventStream:
    """The stream of the events of Poisson sources, ms [samples] long; none of them is made."""
    stream = EventStream.__new__(EventStream)
    stream.__dict__.update(_sources=sources, n_channels=sources.rates.size, duration=duration)
    stream._freeze()
    return stream


def stream_of(
    times: Floats, channels: NDArray[np.int32], offsets: Ints, n_channels: int, duration: Floats
) -> EventStream:
    """A stream of fields that are one, without a look at them. Takes the arrays as they are."""
    stream = EventStream.__new__(EventStream)
    stream._fill(times, channels, offsets, n_channels, duration)
    return stream


def check_stream(claims: Mapping[str, Any], prefix: str = "") -> None:
    """Raise unless arrays, or what headers claim of them, have the form of a stream."""
    if f"{prefix}rates" in claims:
        check_forms(claims, {f"{prefix}duration": Form("f8", (None,))})
        PoissonSources.check_claims(claims, prefix, claims[f"{prefix}duration"].shape[0])
        return
    vectors = {f"{prefix}times": Form("f8", (None,)), f"{prefix}duration": Form("f8", (None,))}
    check_forms(claims, vectors)
    n_events, n_samples = (claims[name].shape[0] for name in vectors)
    check_forms(
        claims,
        {
            f"{prefix}channels": Form("i4", (n_events,)),
            f"{prefix}offsets": Form("i8", (n_samples + 1,)),
            f"{prefix}n_channels": Form("i8", ()),
        },
    )


def concatenate(streams: Sequence[EventStream]) -> EventStream:
    """Join streams of equal channel count, sample after sample. New arrays."""
    channels = (s.n_channels for s in streams)
    n_channels = alike("concatenate", "numbers of channels", channels, error=EventError)
    shifts = np.cumsum([0, *(s.n_events for s in streams[:-1])])
    return EventStream(
        np.concatenate([s.times for s in streams]),
        np.concatenate([s.channels for s in streams]),
        np.concatenate(
            [[0], *(s.offsets[1:] + k for s, k in zip(streams, shifts, strict=True))]
        ).astype(np.int64),
        n_channels=n_channels,
        duration=np.concatenate([s.duration for s in streams]),
    )


def sample_number(index: int, n_samples: int) -> int:
    """The sample that ``index`` means, negative ones counted from the end. Raises EventError."""
    if not -n_samples <= index < n_samples:
        raise EventError("sample", f"there is no sample {index}", f"one of the {n_samples}")
    return range(n_samples)[index]


def in_groups(n_samples: int, size: int, order: ArrayLike | None) -> Iterator[Ints]:
    """Numbers 0 .. n_samples - 1, or those of ``order``, in groups of at most ``size``."""
    in_domain("batches", "size", whole_number(size, "batches: size"), Count)
    numbers = np.arange(n_samples) if order is None else whole_array(order, "batches: order")
    return (numbers[start : start + size] for start in range(0, numbers.size, size))


def _vector(values: ArrayLike, name: str, dtype: Any) -> Any:
    where = f"EventStream: {name}"
    array = (real_array if dtype is np.float64 else whole_array)(values, where)
    if array.ndim != 1:
        raise ShapeError(where, f"has shape {array.shape}", "a one-dimensional array")
    return np.array(array)


def _check_offsets(offsets: Ints, n_times: int, n_channels: int) -> None:
    one_each("EventStream", {"times": n_times, "channels": n_channels})
    if (
        offsets.size < 1
        or offsets[0] != 0
        or offsets[-1] != n_times
        or (np.diff(offsets) < 0).any()
    ):
        raise EventError(
            "EventStream",
            f"offsets are {_short(offsets)}",
            f"some that ascend from 0 to the number of events ({n_times})",
            f"For a single sample pass [0, {n_times}].",
        )


def checked_durations(given: ArrayLike, n_samples: int) -> Floats:
    """The length of every sample, ms; raises ShapeError or EventError. New array."""
    duration = real_array(given, "EventStream: duration")
    words = f"one number or ({n_samples},), one per sample"
    shaped("EventStream", "duration", duration, (), (n_samples,), expected=words)
    duration = np.array(np.broadcast_to(duration, (n_samples,)))
    good, words = np.isfinite(duration) & (duration > 0), "a finite number > 0 (ms)"
    every("EventStream", "duration", duration, good, words, of="sample", error=EventError)
    return duration


def _check_times(times: Floats, offsets: Ints, duration: Floats) -> None:
    sample = sample_of_event(offsets)
    every(
        "EventStream",
        "time",
        times,
        np.isfinite(times) & (times >= 0) & (times <= duration[sample]),
        lambda k: f"a finite value in [0, {duration[sample[k]]}] (the sample's duration)",
        of=partial(place_of_event, offsets),
        unit="ms",
        remedy="Times are in ms from the start of the sample; divide us by 1000.",
        error=EventError,
    )
    same_sample = sample[1:] == sample[:-1]
    bad = np.flatnonzero(same_sample & (times[1:] < times[:-1]))
    if bad.size:
        k = bad[0] + 1
        raise EventError(
            f"EventStream, {place_of_event(offsets, k)}",
            f"time {times[k]} ms comes after {times[k - 1]} ms",
            remedy="Sort the events inside each sample, or use EventStream.from_unsorted.",
        )


def _check_channels(channels: Ints, offsets: Ints, n_channels: int) -> None:
    every(
        "EventStream",
        "channel",
        channels,
        (channels >= 0) & (channels < n_channels),
        f"0 .. {n_channels - 1}",
        of=partial(place_of_event, offsets),
        remedy="Pass a larger n_channels or remap the channels.",
        error=EventError,
    )


def order_ties(
    times: Floats, channels: NDArray[Channel], offsets: Ints
) -> tuple[Floats, NDArray[Channel]]:
    """Events that ascend in time, with those of one time in the order of their channels.

    The same arrays where they are in this order.
    """
    tie = times[1:] == times[:-1]
    if not (tie & (channels[1:] < channels[:-1])).any():
        return times, channels
    order = event_order(offsets, times, channels)
    return times[order], channels[order]


def _short(values: Ints) -> str:
    shown = ", ".join(str(v) for v in values[:6])
    return f"[{shown}{', ...' if values.size > 6 else ''}]"
