r"""Poisson sources: the definition of their events, made for any span of time from a counter.

Source k of sample s fires :math:`r_k` times a second. Its time is cut into cells of
:math:`L_k = 2^{j_k}` ms, the longest power of two (at most :math:`2^{20}`) with at most 8 events on
average, so that a cell holds 4 to 8. The events of a cell are those of

.. math:: P(n) = e^{-\mu} \mu^n / n!, \qquad \mu = r_k L_k,

in number, each at a time of its own, uniform in the cell. Numbers are words of Philox4x32-10
(Salmon et al. 2011), four of 32 bits a counter:

==========  ======================================================================
key         a digest of the seed, 64 bits
counter     (source, cell, draw, sample)
draw 0      the first word is the number of events: how many thresholds of the
            distribution, in units of 2^-32, it reaches; then events 0, 1, 2
draw d > 0  events 4 d - 1 to 4 d + 2
==========  ======================================================================

A word w stands for the time :math:`(c + w\, 2^{-32}) L_k` in cell c, rounded down to a multiple of
2^-28 ms (3.7 ps), of which a float64 holds :math:`2^{25}` ms, 9 hours, without rounding. So the
events of a source follow from the seed, its number, its rate and the sample alone: not from other
sources, nor from how time is cut.

References
----------
Salmon, Moraes, Dror and Shaw (2011), Parallel random numbers: as easy as 1, 2, 3, SC11.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import cached_property
from hashlib import blake2b
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from eventsim.arrays import Floats, Ints
from eventsim.checks import every, in_domain, shaped, whole_number
from eventsim.entries import Natural
from eventsim.events.npz import Form, check_forms

TICKS = 28  # binary digits of a ms
LONGEST = 2.0**25  # ms, of a recording
MOST_RATE = 1e6  # spikes/s of a source: a cell then has 2^21 ticks, and a recording 2^32 cells
MOST_MEAN, LONGEST_CELL = 8.0, 20  # events of a cell, and log2 of its length
COLUMNS = 36  # thresholds of a cell's number; of 8 on average, 4e-13 of all cells have more
WORD = 32
# Cells that are drawn at a time: their arrays stay in a cache. Of 2^12 to 2^18 cells 2^14 took
# least, 2^18 twice as long (AMD EPYC).
BLOCK = 1 << 14
_LOW, _SHIFT = np.uint64(2**WORD - 1), np.uint64(WORD)
_MULTIPLIERS = np.uint64(0xD2511F53), np.uint64(0xCD9E8D57)
_STEPS = 0x9E3779B9, 0xBB67AE85  # of the key, from round to round
FIELDS = ("rates", "seed", "until")
Words = NDArray[np.uint64]


class Drawn(NamedTuple):
    """Events of all samples, as the fields of an EventStream. New arrays."""

    times: Floats
    channels: NDArray[np.int32]
    offsets: Ints


@dataclass(frozen=True, eq=False)
class PoissonSources:
    """Independent Poisson sources; the module says what their events are.

    Attributes
    ----------
    rates
        Spikes/s of every source, [sources].
    seed
        Whole number >= 0.
    until
        ms, [samples]: where the events of every sample end.
    """

    rates: Floats
    seed: int
    until: Floats

    @cached_property
    def key(self) -> tuple[int, int]:
        """Key of the generator, two words of 32 bits."""
        digest = blake2b(repr((self.seed, "Poisson")).encode(), digest_size=8).digest()
        return int.from_bytes(digest[:4], "little"), int.from_bytes(digest[4:], "little")

    @cached_property
    def cells(self) -> Ints:
        """log2 of the length of every source's cells, in ms; 0 of one that is silent."""
        rates = np.where(self.rates > 0.0, self.rates, 8.0) * 1e-3
        _, exponent = np.frexp(MOST_MEAN / rates)
        return np.minimum(exponent.astype(np.int64) - 1, LONGEST_CELL)

    @cached_property
    def thresholds(self) -> tuple[Words, Ints]:
        """Thresholds of the numbers of events, [means, columns], and each source's row."""
        mean = self.rates * 1e-3 * np.exp2(self.cells)
        means, row = np.unique(mean, return_inverse=True)
        chance = np.empty((means.size, COLUMNS))
        chance[:, 0] = [math.exp(-one) for one in means.tolist()]
        for n in range(1, COLUMNS):
            chance[:, n] = chance[:, n - 1] * (means / n)
        reached = np.minimum(np.cumsum(chance, axis=1), 1.0) * 2.0**WORD
        return np.ceil(reached).astype(np.uint64), row.astype(np.int64)

    def check(self, n_samples: int) -> None:
        """Raise ParameterError or ShapeError for sources that cannot be."""
        where = "poisson"
        within = (self.rates >= 0.0) & (self.rates <= MOST_RATE)
        every(
            where, "rate", self.rates, within, f"0 .. {MOST_RATE:g} spikes/s", of="source",
            remedy="Divide a higher rate among several channels.",
        )  # fmt: skip
        in_domain(where, "seed", self.seed, Natural)
        shaped(where, "until", self.until, (n_samples,))
        within = (self.until >= 0.0) & (self.until <= LONGEST)
        every(where, "duration", self.until, within, f"at most {LONGEST:.0f} ms", of="sample")

    def to_arrays(self) -> dict[str, NDArray[Any]]:
        """Rates, seed and ends, for files."""
        return {name: np.asarray(getattr(self, name)) for name in FIELDS}

    @classmethod
    def from_arrays(cls, arrays: Mapping[str, NDArray[Any]]) -> PoissonSources:
        """Rebuild and check what :meth:`to_arrays` gave; a missing field is a KeyError."""
        rates, seed, until = (arrays[name] for name in FIELDS)
        found = cls(rates, whole_number(seed, "poisson: seed"), until)
        found.check(until.size)
        return found

    @staticmethod
    def check_claims(claims: Mapping[str, Any], prefix: str, n_samples: int) -> None:
        """Raise unless what headers claim of arrays has the form of sources."""
        forms = {"rates": Form("f8", (None,)), "seed": Form("i8", ())}
        forms |= {"until": Form("f8", (n_samples,)), "n_channels": Form("i8", ())}
        check_forms(claims, {f"{prefix}{name}": form for name, form in forms.items()})

    def expected(self) -> float:
        """Mean number of events, all samples together."""
        return float(self.rates.sum()) * 1e-3 * float(self.until.sum())

    def between(self, begin: Floats, end: Floats) -> Drawn:
        """Events of every sample from ``begin`` on, before ``end``, both ms [samples]."""
        low = np.ceil(begin * 2.0**TICKS).astype(np.int64)
        high = np.ceil(np.minimum(end, self.until) * 2.0**TICKS).astype(np.int64)
        parts = [
            part
            for sample, span in enumerate(zip(low.tolist(), high.tolist(), strict=True))
            for part in self._of_sample(sample, *span)
        ]
        counts = np.zeros(begin.size, np.int64)
        for part in parts:
            counts[part.sample] += part.ticks.size
        ticks = np.concatenate([np.zeros(0, np.int64), *(part.ticks for part in parts)])
        sources = np.concatenate([np.zeros(0, np.int32), *(part.sources for part in parts)])
        return Drawn(ticks * 2.0**-TICKS, sources, np.concatenate([[0], np.cumsum(counts)]))

    def _of_sample(self, sample: int, low: int, high: int) -> Iterator[_Part]:
        """Events of a sample between two ticks, in parts one after the other."""
        bits = int(self.rates.size - 1).bit_length()
        most = 1 << (63 - bits)  # ticks that fit beside the number of a source
        for first in range(low, high, most):
            last = min(first + most, high)
            found = [
                (ticks[inside] - first) << bits | sources[inside]
                for ticks, sources in self._blocks(sample, first, last)
                for inside in [(ticks >= first) & (ticks < last)]
            ]
            keys = np.sort(np.concatenate([np.zeros(0, np.int64), *found]))
            yield _Part(sample, (keys >> bits) + first, (keys & ((1 << bits) - 1)).astype(np.int32))

    def _blocks(self, sample: int, low: int, high: int) -> Iterator[tuple[Ints, Ints]]:
        """Ticks and sources of all cells that have some of the ticks, in no order."""
        shift = self.cells + TICKS
        fires = np.flatnonzero(self.rates > 0.0)
        first, last = low >> shift[fires], (high - 1) >> shift[fires]
        after = np.cumsum(last - first + 1)
        n_cells = int(after[-1]) if after.size else 0
        for block in range(0, n_cells, BLOCK):
            number = np.arange(block, min(block + BLOCK, n_cells))
            which = np.searchsorted(after, number, side="right")
            cell = number - after[which] + last[which] + 1
            yield self._cells_drawn(sample, fires[which], cell)

    def _cells_drawn(self, sample: int, source: Ints, cell: Ints) -> tuple[Ints, Ints]:
        """Ticks and sources of the events of some cells."""
        first = self._words(source, cell, np.zeros_like(source), sample)
        table, rows = self.thresholds
        # A row is ascending from 0 to 2^32, and so are rows one behind the other.
        row = rows[source]
        flat = table + (np.arange(len(table), dtype=np.uint64) << np.uint64(WORD + 1))[:, None]
        asked = first[:, 0] + (row.astype(np.uint64) << np.uint64(WORD + 1))
        count = np.searchsorted(flat.ravel(), asked, side="right") - row * COLUMNS
        more = (np.maximum(count - 3, 0) + 3) // 4
        owner = np.repeat(np.arange(source.size), more)
        draw = np.arange(owner.size) - np.repeat(np.cumsum(more) - more, more) + 1
        later = self._words(source[owner], cell[owner], draw, sample)
        there = np.arange(3) < count[:, None]
        there_later = np.arange(3, 7) + 4 * (draw[:, None] - 1) < count[owner][:, None]
        words = np.concatenate([first[:, 1:][there], later[there_later]]).astype(np.int64)
        which = np.concatenate([np.nonzero(there)[0], owner[np.nonzero(there_later)[0]]])
        digits = self.cells[source[which]] + TICKS
        inside = np.where(
            digits > WORD,
            words << np.maximum(digits - WORD, 0),
            words >> np.maximum(WORD - digits, 0),
        )
        return (cell[which] << digits) + inside, source[which]

    def _words(self, source: Ints, cell: Ints, draw: Ints, sample: int) -> Words:
        """Four words of 32 bits for every counter, [counters, 4]."""
        c0, c1, c2 = (values.astype(np.uint64) for values in (source, cell, draw))
        return philox(c0, c1, c2, np.full(source.size, sample, np.uint64), self.key)


class _Part(NamedTuple):
    sample: int
    ticks: Ints
    sources: NDArray[np.int32]


def philox(c0: Words, c1: Words, c2: Words, c3: Words, key: tuple[int, int]) -> Words:
    """Words of Philox4x32-10 for counters of four words of 32 bits, [counters, 4]. New array."""
    k0, k1 = key
    for _ in range(10):
        one, other = c0 * _MULTIPLIERS[0], c2 * _MULTIPLIERS[1]
        c0 = (other >> _SHIFT) ^ c1 ^ np.uint64(k0)
        c2 = (one >> _SHIFT) ^ c3 ^ np.uint64(k1)
        c1, c3 = other & _LOW, one & _LOW
        k0, k1 = (k0 + _STEPS[0]) & int(_LOW), (k1 + _STEPS[1]) & int(_LOW)
    return np.stack([c0, c1, c2, c3], axis=1)
