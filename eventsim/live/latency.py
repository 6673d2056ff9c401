"""Latencies, counted in bins: an hour needs as much memory as a second."""

import math
from dataclasses import dataclass, field
from typing import Any, Final

import numpy as np

from eventsim.arrays import Floats, Ints

LEAST, MOST, PER_DECADE = 1e-6, 1e4, 200  # s; a bin is 1.2 % wide
_BINS: Final = round(math.log10(MOST / LEAST) * PER_DECADE) + 2


@dataclass
class Latency:
    """Numbers of seconds by size; the largest is kept as it is, others to 1.2 %."""

    counts: Ints = field(default_factory=lambda: np.zeros(_BINS, np.int64))
    longest: float = 0.0

    def add(self, seconds: Floats) -> None:
        """Count some."""
        if seconds.size:
            place = np.log10(np.maximum(seconds, LEAST) / LEAST) * PER_DECADE
            bins = np.minimum(np.ceil(place).astype(np.int64), _BINS - 1)
            self.counts += np.bincount(bins, minlength=_BINS)
            self.longest = max(self.longest, float(seconds.max()))

    @property
    def number(self) -> int:
        """Number of values."""
        return int(self.counts.sum())

    def quantile(self, share: float) -> float:
        """Quantile in s, to the width of a bin; NaN without values."""
        if not self.number:
            return math.nan
        wanted = max(1, math.ceil(share * self.number))
        place = int(np.searchsorted(np.cumsum(self.counts), wanted))
        return min(LEAST * math.pow(10.0, place / PER_DECADE), self.longest)

    def to_dict(self) -> dict[str, Any]:
        """Plain values in ms; None where none were counted."""
        if not self.number:
            return {"number": 0, "median_ms": None, "p99_ms": None, "longest_ms": None}
        median, p99 = (1e3 * self.quantile(share) for share in (0.5, 0.99))
        return {
            "number": self.number,
            "median_ms": median,
            "p99_ms": p99,
            "longest_ms": 1e3 * self.longest,
        }
