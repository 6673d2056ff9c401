"""Gate: from packets as they arrive to chunks of recordings for a network.

Times of a source become ms since the start of a recording. Chunks end at multiples of ``step``, and
at the end of a recording: they do not depend on the packets. A chunk is closed when the source has
reported a time that is later by ``patience`` ms.

Each kind of error in a stream has one rule and a counter (:class:`Counters`):

===============  ==================================================================================
late             an event before the end of the last closed chunk is dropped
unordered        an event that is earlier than one before it, but not late, is sorted in
duplicate        an event at the time and on the channel of another is kept, or dropped if asked
too many         of more than ``most`` events in a step, those that came last are dropped
behind the end   an event at or after the end of its recording, reported later, is dropped
no channel       an event on a channel that the network does not have is dropped
rubbish          what cannot be read, or has no finite time, is dropped. 1,000 in a row, before
                 any event, are an error: the source has another format
restart          a jump of more than ``backward`` ms back or ``forward`` ms forward is a restart
                 of the clock: the recording ends with its last chunk, and time 0 is now
===============  ==================================================================================

**A recording ends** when the source says so (``Packet.end``), at an event on the channel
``end_channel``, which the network does not get, after ``gap`` ms without an event, or after every
``every`` ms. Without any of them there is one recording without an end. The events that are left
when the source ends are a recording that was cut, unless a gap ends recordings.

**Time 0** is the end of the recording before. For the first recording it is time 0 of the source,
if its times are not whole numbers and begin within ``forward`` ms of it. Else, as for a sensor's
clock and after a gap or a restart, it is the first event.
"""

import math
from collections import Counter
from collections.abc import Iterator
from dataclasses import asdict, dataclass, field
from typing import Annotated, Any, Final, Literal, NamedTuple

import numpy as np
from numpy.typing import NDArray

from eventsim.arrays import Bools, Floats
from eventsim.entries import Bounds, Count, NotNegative, Positive, Settings
from eventsim.entries.described import described, setting
from eventsim.errors import EventError
from eventsim.live.packets import Packet
from eventsim.summary import short_repr

LANGUAGE: Final = 1000  # unreadable things in a row, after which a source is not understood
Why = Literal["told", "gap", "every", "restart", "over"]


@described
@dataclass(frozen=True, kw_only=True)
class GateSettings(Settings):
    """Settings of the gate; see :mod:`eventsim.live.gate`. Times in ms.

    Raises
    ------
    ParameterError
        A value lies outside its domain.
    """

    step: Positive = setting(10.0, "Length of a chunk, ms: how often answers are computed.")
    patience: NotNegative = setting(0.0, "Time for which the stream waits for late events, ms.")
    duplicates: Literal["keep", "drop"] = setting(
        "keep", "What to do with an event at the same time and channel as another event."
    )
    most: Count = setting(1_000_000, "Largest number of events that wait for the end of a chunk.")
    backward: Positive = setting(
        1000.0, "A jump back by more than this, in ms, is a restart of the clock."
    )
    forward: Positive = setting(
        60_000.0, "A jump forward by more than this, in ms, is a restart of the clock."
    )
    end_channel: Annotated[int, Bounds(ge=0)] | None = setting(
        None, "An event on this channel ends a recording; it is not part of the recording."
    )
    gap: Positive | None = setting(None, "A time without events, in ms, that ends a recording.")
    every: Positive | None = setting(None, "Length of a recording, in ms: it ends after this time.")

    @property
    def is_divided(self) -> bool:
        """Whether recordings end before the stream does, by what is asked here."""
        return any(one is not None for one in (self.end_channel, self.gap, self.every))


@dataclass
class Counters:
    """Counts of what arrived and what was done with it, in events unless another unit is given."""

    events: int = 0  # that went into the network
    packets: int = 0
    recordings: int = 0  # that ended, cut ones included
    cut: int = 0  # recordings whose end was not told: a restart, or the source ended
    late: int = 0
    latest_ms: float = 0.0  # by how much the latest event was late
    unordered: int = 0
    duplicate: int = 0
    too_many: int = 0
    behind_end: int = 0  # at or behind the end of their recording, where nothing can act any more
    no_channel: int = 0
    rubbish: int = 0  # lines, words or datagrams
    restarts: int = 0
    lost: Counter[str] = field(default_factory=Counter)  # by the source, by what was lost
    example: str = ""  # of rubbish

    def to_dict(self) -> dict[str, Any]:
        """Plain values."""
        return {**asdict(self), "lost": dict(self.lost)}


@dataclass(frozen=True, eq=False)
class Passage:
    """A piece of a recording, its events sorted."""

    begin: float  # ms since the start of the recording
    end: float  # ms; no event is at or behind it
    times: Floats
    channels: NDArray[np.int64]
    arrived: Floats  # s, of every event
    zero: float  # ms, time 0 of the recording on the source's clock
    told: float  # s, arrival of what closed the piece
    why: Why | None = None  # the recording ends here, and how that is known

    __repr__ = short_repr


class Gate:
    """Events that are in no chunk yet, and the time so far.

    Parameters
    ----------
    settings
        As said.
    n_channels
        Of the network.
    """

    def __init__(self, settings: GateSettings, n_channels: int) -> None:
        self.settings, self.n_channels = settings, n_channels
        self.counters = Counters()
        self._per_ms = 1.0
        self._in_a_row = 0  # unreadable things
        self._last_arrival = math.inf  # s, of an event
        self._now = math.nan  # s, arrival of the last packet
        self._waiting = _NONE
        self._start(None)

    def _start(self, base: Any) -> None:
        """A recording begins at ``base`` on the source's clock; None: at its first event."""
        self._base = base
        self._steps = 0  # closed ones
        self._closed = 0.0  # ms
        self._newest: Any = None  # time of the latest event

    @property
    def waiting(self) -> int:
        """Events that came and are in no piece yet."""
        return self._waiting.times.size

    def feed(self, packet: Packet) -> Iterator[Passage]:
        """The pieces that a packet closes."""
        self.counters.packets += 1
        self._now = packet.arrived
        self.counters.lost.update(dict(packet.lost))
        if packet.times.size or packet.until is not None or packet.end is not None:
            self._per_ms = packet.per_ms
        left = self._readable(packet)
        while left.times.size:
            if self._base is None:
                self._base = self._begins(left.times[0])
            n, why = self._next_cut(left)
            yield from self._take(left.part(slice(n)))
            if why is None:
                break
            time = left.times[n]
            if why == "told":  # the event says it, and is none itself
                yield from self._finish(self._since(time), why)
            else:
                yield from self._finish(self._ends(why), why)
                self.counters.restarts += why == "restart"
            self._start(time)
            left = left.part(slice(n + (why == "told"), None))
        yield from self._told(packet)

    def _told(self, packet: Packet) -> Iterator[Passage]:
        """Chunks closed by the times that a packet gives beside its events."""
        if packet.end is not None:
            self._base = 0 if self._base is None else self._base
            yield from self._finish(self._since(packet.end), "told")
            self._start(0)
        elif packet.until is not None:
            if self._base is not None:
                yield from self._close(self._since(packet.until))
        elif not packet.times.size and self.settings.gap is not None:
            silent = 1e3 * (packet.arrived - self._last_arrival)
            if self._newest is not None and silent > self.settings.gap:
                yield from self._finish(self._ends("gap"), "gap")
                self._start(None)

    def finish(self) -> Iterator[Passage]:
        """The pieces that are left when the source has ended."""
        if self._newest is not None or self._closed > 0.0:
            why: Why = "over" if self.settings.gap is None else "gap"
            yield from self._finish(self._ends(why), why)
        self._start(None)

    def _begins(self, first: Any) -> Any:
        """Time 0 on the source's clock, of which nobody told it."""
        is_clock = isinstance(first, np.integer) or first > self.settings.forward * self._per_ms
        return first if is_clock or first < 0 else first * 0

    def _since(self, time: Any) -> float:
        """Ms since the start of the recording."""
        return float((time - self._base) / self._per_ms)

    def _ends(self, why: Why) -> float:
        """End of a recording whose end was not reported, ms."""
        newest = self._closed if self._newest is None else self._since(self._newest)
        if why == "gap":
            assert self.settings.gap is not None
            return newest + self.settings.gap
        return max(self._closed, (math.floor(newest / self.settings.step) + 1) * self.settings.step)

    def _readable(self, packet: Packet) -> "_Events":
        """The events of a packet that have a time and a channel."""
        count, (times, channels) = self.counters, (packet.times, packet.channels)
        good = np.ones(times.size, bool) if times.dtype.kind in "iu" else np.isfinite(times)
        number, example = packet.rubbish
        if not good.all():
            number += int((~good).sum())
            example = example or f"a time of {times[~good][0]}"
        known = (channels >= 0) & (channels < self.n_channels)
        known |= self._ends_one(channels)
        count.no_channel += int((good & ~known).sum())
        good &= known
        count.rubbish += number
        count.example = count.example or example[:80]
        self._in_a_row = 0 if good.any() else self._in_a_row + number
        if self._in_a_row >= LANGUAGE and not count.events + self.waiting:
            raise EventError(
                "listen",
                f"{count.rubbish:,} things came that cannot be read, such as {count.example!r}, "
                "and no event",
                remedy="Does the source speak another format?",
            )
        if good.any():
            self._last_arrival = packet.arrived
        arrived = np.full(int(good.sum()), packet.arrived)
        return _Events(times[good], channels[good], arrived)

    def _ends_one(self, channels: NDArray[np.int64]) -> Bools:
        """Mask of the events that end a recording."""
        end = self.settings.end_channel
        return np.zeros(channels.size, bool) if end is None else channels == end

    def _next_cut(self, events: "_Events") -> tuple[int, Why | None]:
        """Number of events that belong to the recording, and why the next one does not."""
        asked, times = self.settings, events.times
        known = self._newest is not None
        highest = _highest(self._newest if known else self._base, times)[:-1]
        step = (times - highest) / self._per_ms
        forth = step > 0.0 if known else np.arange(times.size) > 0
        whys: dict[Why, Bools] = {
            "told": self._ends_one(events.channels),
            "restart": (step < -asked.backward) | (forth & (step > asked.forward)),
            "gap": forth & (step > (math.inf if asked.gap is None else asked.gap)),
        }
        found = [(int(there.argmax()), why) for why, there in whys.items() if there.any()]
        return min(found, key=lambda one: one[0]) if found else (times.size, None)

    def _take(self, events: "_Events") -> Iterator[Passage]:
        """Let events wait, and close what later ones cannot change."""
        if not events.times.size:
            return
        late = self._closed - np.asarray((events.times - self._base) / self._per_ms)
        if (late > 0.0).any():
            self.counters.late += int((late > 0.0).sum())
            self.counters.latest_ms = max(self.counters.latest_ms, float(late.max()))
            events = events.part(late <= 0.0)
            if not events.times.size:
                return
        newest = events.times[0] if self._newest is None else self._newest
        highest = _highest(newest, events.times)
        self.counters.unordered += int((events.times < highest[:-1]).sum())
        self._newest = highest[-1]
        self._waiting = self._waiting.followed_by(events)
        yield from self._close(self._since(self._newest) - self.settings.patience)
        if self.waiting > self.settings.most:
            self.counters.too_many += self.waiting - self.settings.most
            self._waiting = self._waiting.part(slice(self.settings.most))

    def _close(self, until: float) -> Iterator[Passage]:
        """The pieces that end at or before ``until``, ms."""
        step, every = self.settings.step, self.settings.every
        while True:
            end = (self._steps + 1) * step
            if every is not None and min(end, until) >= every:
                base = self._base + every * self._per_ms
                kept, until = self._newest, until - every
                yield from self._finish(every, "every")
                self._start(base)
                self._newest = kept
                continue
            if end > until:
                return
            yield self._piece(end, None)
            self._steps += 1

    def _finish(self, end: float, why: Why) -> Iterator[Passage]:
        """The last pieces of a recording."""
        if end < self._closed:
            # What ends a recording came too late: the recording has gone on by then.
            self.counters.late += 1
            end = self._closed
        if end <= 0.0:
            return
        step = self.settings.step
        while (self._steps + 1) * step < end:
            yield self._piece((self._steps + 1) * step, None)
            self._steps += 1
        yield self._piece(end, why)
        if why != "every":
            self.counters.behind_end += self.waiting
            self._waiting = _NONE
        self.counters.recordings += 1
        self.counters.cut += why in ("restart", "over")

    def _piece(self, end: float, why: Why | None) -> Passage:
        """The piece from the end of the last one; its events wait no longer."""
        ms = np.asarray((self._waiting.times - self._base) / self._per_ms, dtype=np.float64)
        mine = ms < end
        events, ms = self._waiting.part(mine), ms[mine]
        self._waiting = self._waiting.part(~mine)
        order = np.lexsort((events.channels, ms))
        events, ms = events.part(order), ms[order]
        same = np.zeros(ms.size, bool)
        same[1:] = (ms[1:] == ms[:-1]) & (events.channels[1:] == events.channels[:-1])
        self.counters.duplicate += int(same.sum())
        if self.settings.duplicates == "drop":
            events, ms = events.part(~same), ms[~same]
        self.counters.events += ms.size
        begin, self._closed = self._closed, end
        zero = float(self._base / self._per_ms)
        return Passage(begin, end, ms, events.channels, events.arrived, zero, self._now, why)


class _Events(NamedTuple):
    """Events on the source's clock, in the order in which they came."""

    times: NDArray[Any]
    channels: NDArray[np.int64]
    arrived: Floats

    def part(self, which: Any) -> "_Events":
        """Some of them."""
        return _Events(*(values[which] for values in self))

    def followed_by(self, later: "_Events") -> "_Events":
        """Events of both."""
        if not self.times.size:
            return later
        return _Events(*(np.concatenate(two) for two in zip(self, later, strict=True)))


def _highest(newest: Any, times: NDArray[Any]) -> NDArray[Any]:
    """The latest time before each, and that of all."""
    highest: NDArray[Any] = np.maximum.accumulate(np.concatenate([[newest], times]))
    return highest


_NONE = _Events(np.zeros(0, np.int64), np.zeros(0, np.int64), np.zeros(0))
