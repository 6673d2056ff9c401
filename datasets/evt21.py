"""Raw EVT2.1 of event cameras: words of 64 bits, each of up to 32 events in a row of pixels.

From the highest bit on: 4 bits of kind, 6 of the time (its lowest, us), 11 of x, 11 of y, and 32 of
which bit k stands for an event at x + k. Kinds 0 and 1 are events that are off or on. Of kind 8 the
28 bits below the kind are the upper bits of the time. Other kinds (triggers, monitoring) are left
out. Words come little-endian (GenX320); or, where the header says ``endianness=legacy`` (IMX636),
upper half first, each half little-endian.

References
----------
Prophesee, Event format EVT 2.1, documentation of the Metavision SDK.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

BYTES = 8  # of a word
AT_ONCE = 1 << 16  # words, of which each may have 32 events
_HALF = np.uint64(32)


@dataclass(frozen=True, eq=False)
class Decoded:
    """Events, int64 [events]: time in us, place, and whether it became brighter."""

    t: NDArray[np.int64]
    x: NDArray[np.int64]
    y: NDArray[np.int64]
    p: NDArray[np.int64]
    high: int  # upper bits of the time, for the words that follow; -1 before the first
    early: int  # words of events before the first time, which are left out


def is_named(header: Iterable[bytes]) -> bool:
    """Whether lines at the begin of a file say that it is EVT2.1."""
    return any(b"evt 2.1" in line or b"format EVT21" in line for line in header)


def is_legacy(header: Iterable[bytes]) -> bool:
    """Whether the upper half of a word comes first."""
    return any(b"endianness=legacy" in line for line in header)


def words_of(data: bytes, *, legacy: bool) -> NDArray[np.uint64]:
    """Whole words. New array."""
    words = np.frombuffer(data, "<u8").astype(np.uint64)
    return (words >> _HALF) | (words << _HALF) if legacy else words


def decode(words: NDArray[np.uint64], high: int = -1) -> Decoded:
    """The events of some words, after a word whose upper bits of time were ``high``."""
    upper = (words >> _HALF).astype(np.int64)
    kind, masks = upper >> 28, (words & np.uint64(0xFFFFFFFF)).astype(np.int64)
    place = np.maximum.accumulate(np.where(kind == 8, np.arange(kind.size), -1))
    highs = np.append(upper & 0xFFFFFFF, high)[place]
    event = kind <= 1
    good = event & (highs >= 0)
    word, bit = np.nonzero((masks[good][:, None] >> np.arange(32)) & 1)
    chosen: NDArray[Any] = upper[good][word]
    return Decoded(
        t=(highs[good][word] << 6) | ((chosen >> 22) & 0x3F),
        x=((chosen >> 11) & 0x7FF) + bit,
        y=chosen & 0x7FF,
        p=chosen >> 28,
        high=int(highs[-1]) if highs.size else high,
        early=int((event & ~good).sum()),
    )
