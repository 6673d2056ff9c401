"""Raw EVT2, EVT2.1 and EVT3 of event cameras as they come, byte by byte; times in us.

EVT2 has words of 32 bits, the kind in the highest four: 0 and 1 an event that is off or on, with 6
bits of the time, 11 of x and 11 of y; 8 the upper 28 bits of the time. EVT3 has words of 16 bits:
0 is y; 2 an event at x; 3 the base of a vector, whose events are the bits of words of kind 4 (12 of
them) and 5 (8); 6 and 8 are the lower and the upper 12 bits of the time, which counts on when it
begins anew after 16.8 s. Other kinds (triggers, monitoring) are left out. A header of lines that
begin with ``%`` and a blank is skipped, to the line ``% end`` where there is one. EVT2.1 is that of
:mod:`eventsim.datasets.evt21`; its header says the order of bytes.

State is carried from call to call: the time, in EVT3 also y, base and polarity, and the bytes of
half a word. Words before the first time are rubbish.

References
----------
Prophesee, Event formats EVT 2.0 and EVT 3.0, documentation of OpenEB.
"""

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from eventsim.datasets import evt21
from eventsim.live.packets import Packet
from eventsim.live.text import Size

PER_MS: Final = 1000.0
OF_EVT3: Final = 1 << 24  # us after which the time of EVT3 begins anew


@dataclass
class _Header:
    """Skips lines at the begin that start with ``%``, and cuts what follows into whole words."""

    left: bytes = b""
    over: bool = False
    lines: list[bytes] = field(default_factory=list)

    def words(self, data: bytes, dtype: str) -> NDArray[Any]:
        """Whole words behind the header."""
        return np.frombuffer(self.whole(data, np.dtype(dtype).itemsize), dtype).astype(np.int64)

    def whole(self, data: bytes, size: int) -> bytes:
        """Bytes of whole words of ``size`` bytes; the rest waits for more data."""
        data = self.left + data
        while not self.over and data:
            if not data.startswith(b"% "[: len(data)]):
                self.over = True
                break
            line, end, rest = data.partition(b"\n")
            if not end:
                self.left = data
                return b""
            data, self.over = rest, line.strip() == b"% end"
            self.lines.append(line)
        whole = len(data) // size * size
        self.left = data[whole:]
        return data[:whole]


@dataclass
class Evt2Reader:
    """Bytes of EVT2 to packets."""

    size: Size
    header: _Header = field(default_factory=_Header)
    high: int = -1

    def __call__(self, data: bytes, arrived: float) -> Iterator[Packet]:
        """The packet of some bytes."""
        words = self.header.words(data, "<u4")
        kind, value = words >> 28, words & 0xFFFFFFF
        high = _latest(kind == 8, value, self.high)
        self.high = int(high[-1]) if high.size else self.high
        event = kind <= 1
        good = event & (high >= 0)
        word, x, y = value[good], (value[good] >> 11) & 0x7FF, value[good] & 0x7FF
        times = (high[good] << 6) | (word >> 22)
        yield _packet(
            times, self.size.channels(x, y, kind[good]), arrived, int((event & ~good).sum())
        )


@dataclass
class Evt21Reader:
    """Bytes of EVT2.1 to packets."""

    size: Size
    header: _Header = field(default_factory=_Header)
    high: int = -1

    def __call__(self, data: bytes, arrived: float) -> Iterator[Packet]:
        """The packet of some bytes."""
        data = self.header.whole(data, evt21.BYTES)
        words = evt21.words_of(data, legacy=evt21.is_legacy(self.header.lines))
        found = evt21.decode(words, self.high)
        self.high = found.high
        yield _packet(found.t, self.size.channels(found.x, found.y, found.p), arrived, found.early)


@dataclass
class Evt3Reader:
    """Bytes of EVT3 to packets."""

    size: Size
    header: _Header = field(default_factory=_Header)
    high: int = -1
    low: int = 0
    turns: int = 0
    y: int = -1
    base: int = 0
    on: int = 0

    def __call__(self, data: bytes, arrived: float) -> Iterator[Packet]:
        """The packet of some bytes."""
        words = self.header.words(data, "<u2")
        if not words.size:
            return
        kind, value = words >> 12, words & 0xFFF
        times, y = self._times(kind, value), _latest(kind == 0, value & 0x7FF, self.y)
        on = _latest(kind == 3, value >> 11, self.on)
        width = np.where(kind == 4, 12, np.where(kind == 5, 8, 0))
        before = np.cumsum(width) - width
        base = before + _latest(kind == 3, (value & 0x7FF) - before, self.base)
        self.y, self.on, self.base = int(y[-1]), int(on[-1]), int(base[-1] + width[-1])
        # Bits of vectors, and an event of its own as the only bit of one.
        mask = np.where(
            kind == 2, 1, np.where(kind == 4, value, np.where(kind == 5, value & 0xFF, 0))
        )
        word, bit = np.nonzero((mask[:, None] >> np.arange(12)) & 1)
        single = kind[word] == 2
        x = np.where(single, value[word] & 0x7FF, base[word] + bit)
        p = np.where(single, value[word] >> 11, on[word])
        good = (times[word] >= 0) & (y[word] >= 0)
        channels = self.size.channels(x, y[word], p)
        yield _packet(times[word][good], channels[good], arrived, int((~good).sum()))

    def _times(self, kind: NDArray[Any], value: NDArray[Any]) -> NDArray[np.int64]:
        """Time of every word, us; -1 before the first."""
        mark = kind == 8
        high = _latest(mark, value, self.high)
        before = np.concatenate([[self.high], high[:-1]])
        # Anew only from near the end to near the begin: a small step back is no turn.
        turns = self.turns + np.cumsum(mark & (before - value > OF_EVT3 >> 13))
        low = _latest(kind == 6, value, self.low)
        self.high, self.low, self.turns = int(high[-1]), int(low[-1]), int(turns[-1])
        return np.where(high < 0, -1, turns * OF_EVT3 + (high << 12) + low)


def _latest(there: NDArray[Any], value: NDArray[Any], before: int) -> NDArray[np.int64]:
    """The value where it was last given, at every word; ``before`` where it was not yet."""
    place = np.maximum.accumulate(np.where(there, np.arange(there.size), -1))
    found = np.append(value, before)[place]
    return np.asarray(found, dtype=np.int64)


def _packet(
    times: NDArray[np.int64], channels: NDArray[np.int64], arrived: float, bad: int
) -> Packet:
    example = "an event before the first time" if bad else ""
    return Packet(times, channels, per_ms=PER_MS, arrived=arrived, rubbish=(bad, example))
