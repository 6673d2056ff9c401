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
sources, nor from how time is cut. All is made of whole numbers and of operations that IEEE 754
defines exactly, so that every machine has the same events. ``kernels/cpu/poisson/draw.hpp`` makes
them.

References
----------
Salmon, Moraes, Dror and Shaw (2011), Parallel random numbers: as easy as 1, 2, 3, SC11.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from hashlib import blake2b
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from eventsim.arrays import Floats, Ints
from eventsim.checks import every, in_domain, shaped, whole_number
from eventsim.compiled.library import library
from eventsim.compiled.roles import TasksRole
from eventsim.compiled.roles_poisson import DrawEvents, PoissonCellsRole, PoissonSpansRole
from eventsim.entries import Natural
from eventsim.events.npz import Form, check_forms
from eventsim.processors import SMALL_EVENTS, n_threads

TICKS = 28  # binary digits of a ms
LONGEST = 2.0**25  # ms, of a recording
MOST_RATE = 1e6  # spikes/s of a source: a cell then has 2^21 ticks, and a recording 2^32 cells
MOST_MEAN, LONGEST_CELL = 8.0, 20  # events of a cell, and log2 of its length
COLUMNS = 36  # thresholds of a cell's number; of 8 on average, 4e-13 of all cells have more
WORD = 32
# Events that are put in order at a time, and the least number of a source's cells in a span: of the
# first and the last cell some events lie outside.
MOST_EVENTS, LEAST_CELLS = 1 << 20, 4
FIELDS = ("rates", "seed", "until")


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
    def limits(self) -> tuple[NDArray[np.uint32], NDArray[np.int32]]:
        """Words above which a cell has one event more, [means, columns], and each source's row."""
        mean = np.ldexp(self.rates * 1e-3, self.cells)
        means, row = np.unique(mean, return_inverse=True)
        chance = np.empty((means.size, COLUMNS))
        chance[:, 0] = exponential(means)
        for n in range(1, COLUMNS):
            chance[:, n] = chance[:, n - 1] * (means / n)
        reached = np.minimum(np.cumsum(chance, axis=1), 1.0) * 2.0**WORD
        return (np.ceil(reached) - 1.0).astype(np.uint32), row.reshape(-1).astype(np.int32)

    @cached_property
    def firing(self) -> PoissonCellsRole:
        """Sources with a rate, by the length of their cells, as the kernel takes them."""
        limits, row = self.limits
        fires = np.flatnonzero(self.rates > 0.0)
        number = fires[np.argsort(self.cells[fires], kind="stable")]
        lengths, first = np.unique(self.cells[number], return_index=True)
        return PoissonCellsRole(
            number.astype(np.int32), row[number], limits.view(np.int32),
            np.append(first, number.size).astype(np.int64), lengths + TICKS, lengths.size, COLUMNS,
            *self.key, self._bits,
        )  # fmt: skip

    @property
    def _bits(self) -> int:
        return int(self.rates.size - 1).bit_length()

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

    @property
    def least(self) -> int:
        """Events of a sample from which few are drawn for nothing, in cells across a border."""
        return LEAST_CELLS * int(MOST_MEAN) * self.rates.size

    def between(self, begin: Floats, end: Floats) -> Drawn:
        """Events of every sample from ``begin`` on, before ``end``, both ms [samples].

        Raises MemoryError, BackendError (compiled kernels are missing).
        """
        low = np.ceil(begin * 2.0**TICKS).astype(np.int64)
        high = np.ceil(np.minimum(end, self.until) * 2.0**TICKS).astype(np.int64)
        sample, low, high = self._spans(low, np.maximum(high, low))
        expected = self._expected(high - low)
        room = expected + expected // 8 + 64  # eight standard deviations more, of many
        while True:
            start = np.cumsum(room) - room
            times, sources = np.empty(int(room.sum())), np.empty(int(room.sum()), np.int32)
            count = np.empty_like(room)
            spans = PoissonSpansRole(
                sample, low, high, expected, start, room, 2.0**-TICKS, times, sources, count
            )
            library().run(DrawEvents(TasksRole.all(sample.size), self.firing, spans))
            if (count <= room).all():
                break
            room = np.maximum(room, count)
        place, total = np.cumsum(count) - count, int(count.sum())
        for to, first, n in zip(place.tolist(), start.tolist(), count.tolist(), strict=True):
            if first > to:
                times[to : to + n] = times[first : first + n]
                sources[to : to + n] = sources[first : first + n]
        offsets = np.append(0, np.cumsum(np.bincount(sample, count, begin.size).astype(np.int64)))
        return Drawn(times[:total], sources[:total], offsets)

    def _expected(self, span: Ints) -> Ints:
        """Mean number of events of spans, in ticks; rounded up."""
        found: Ints = np.ceil(self.rates.sum() * 1e-3 * 2.0**-TICKS * span).astype(np.int64)
        return found

    def _spans(self, low: Ints, high: Ints) -> tuple[Ints, Ints, Ints]:
        """Samples, first ticks, and ticks of the ends, of spans that are drawn by themselves."""
        expected, least = self._expected(high - low), self.least
        shared = np.minimum(expected // max(SMALL_EVENTS, least), n_threads() // max(1, low.size))
        n = np.maximum(-(-expected // max(MOST_EVENTS, least)), np.maximum(shared, 1))
        n = np.maximum(n, (high - low >> (62 - self._bits)) + 1)  # ticks fit beside a number
        sample = np.repeat(np.arange(low.size), n)
        part = np.arange(sample.size) - np.repeat(np.cumsum(n) - n, n)
        step = -(-(high - low) // n)
        first = np.minimum(low[sample] + part * step[sample], high[sample])
        return sample, first, np.minimum(first + step[sample], high[sample])


def exponential(x: Floats) -> Floats:
    """exp(-x) for x of 0 to 16, to 5e-15 of itself: the same bits on every machine. New array."""
    part, found = x / 16.0, np.ones_like(x)
    for n in range(18, 0, -1):
        found = 1.0 - found * (part / n)
    for _ in range(4):
        found = found * found
    return found
