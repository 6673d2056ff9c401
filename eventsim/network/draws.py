r"""Values that are drawn: distributions with limits, by a counter-based generator.

Word i of a stream is a word of Philox (Salmon et al. 2011), a function of a key and of i. The key
is a digest of a seed and of names. So the value of item i depends on nothing but these: not on
threads, nor on the part of the items that a process draws. A value is a quantile,

.. math:: x_i = F^{-1}(u_i), \qquad u_i = (w_i + 1/2)\, 2^{-53},

with :math:`w_i` the upper 53 bits of the word. Within limits a < b it is redrawn, which is the
quantile of :math:`F(a) + u_i (F(b) - F(a))`, or clipped.

References
----------
Salmon, Moraes, Dror and Shaw (2011), Parallel random numbers: as easy as 1, 2, 3, SC11.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from hashlib import blake2b
from typing import Literal, NamedTuple

import numpy as np
from numpy.typing import NDArray

from eventsim.arrays import Floats, Ints
from eventsim.checks import in_domain, one_of, whole_number
from eventsim.entries.annotations import Finite
from eventsim.errors import ParameterError

Outside = Literal["redraw", "clip"]
WORDS = 4  # of a counter of Philox
UNIT = 2.0**-53


class WordStream(NamedTuple):
    """Random words by their number."""

    key: tuple[int, int]

    def uniform(self, first: int, n: int) -> Floats:
        """Numbers ``first`` to ``first + n - 1``, in (0, 1). New array."""
        return (self._words(first, n).astype(np.float64) + 0.5) * UNIT

    def below(self, most: int, first: int, n: int) -> Ints:
        """The same as whole numbers below ``most``, at most 2^32. New array."""
        # The product of 53 bits and a number below 2^53 rounds to less than the number.
        return (self._words(first, n) * (most * UNIT)).astype(np.int64)

    def _words(self, first: int, n: int) -> NDArray[np.uint64]:
        block, skipped = divmod(first, WORDS)
        words = np.random.Philox(key=self.key, counter=block).random_raw(n + skipped)
        found: NDArray[np.uint64] = words[skipped:] >> np.uint64(11)
        return found

    def generator(self) -> np.random.Generator:
        """NumPy's generator of the stream, from its begin."""
        return np.random.Generator(np.random.Philox(key=self.key))


def seed_number(seed: int, where: str) -> int:
    """The seed; ParameterError or ShapeError, which name ``where``, unless it can be one."""
    found = whole_number(seed, f"{where}: seed")
    if found < 0:
        raise ParameterError(where, f"seed is {seed}", "a whole number >= 0")
    return found


def stream_of(seed: int, *names: object) -> WordStream:
    """The stream of a seed and of names; others have others."""
    digest = blake2b(repr((seed, *names)).encode(), digest_size=16).digest()
    return WordStream((int.from_bytes(digest[:8], "little"), int.from_bytes(digest[8:], "little")))


@dataclass(frozen=True)
class Distribution:
    """A distribution of values, made by :func:`normal`, :func:`lognormal` and :func:`uniform`.

    ``first`` and ``second`` are mean and standard deviation of the normal variable, or the ends of
    a uniform one. No value lies outside ``least`` and ``most``.
    """

    kind: Literal["normal", "lognormal", "uniform"]
    first: float
    second: float
    least: float = -math.inf
    most: float = math.inf
    outside: Outside = "redraw"

    def __post_init__(self) -> None:
        one_of(self.kind, "outside", self.outside, ("redraw", "clip"))
        names = ("low", "high") if self.kind == "uniform" else ("mean", "sd")
        for name, value in zip(names, (self.first, self.second), strict=True):
            in_domain(self.kind, name, value, Finite)
        for name, value in (("least", self.least), ("most", self.most)):
            in_domain(self.kind, name, value, float)
        spread = self.second - self.first if self.kind == "uniform" else self.second
        if spread < 0.0:
            expected = "low <= high" if self.kind == "uniform" else "sd >= 0"
            raise ParameterError(self.kind, f"({self.first}, {self.second})", f"finite, {expected}")
        if not self.least <= self.most:
            raise ParameterError(
                self.kind, f"least {self.least}, most {self.most}", "least <= most"
            )
        low, high, _ = self._limits()
        if self.outside == "redraw" and spread and not high > low:
            raise ParameterError(
                self.kind, f"nothing of it lies between {self.least} and {self.most}", "some"
            )

    def __str__(self) -> str:
        return f"{self.kind}({self.first:g}, {self.second:g})"

    @property
    def ends(self) -> tuple[float, float]:
        """The least and the largest value that can be drawn."""
        low, high = {
            "uniform": (self.first, self.second),
            "normal": (-math.inf, math.inf) if self.second else (self.first, self.first),
            "lognormal": (0.0, math.inf),
        }[self.kind]
        return max(low, self.least), min(high, self.most)

    def quantile(self, u: Floats) -> Floats:
        """Values of uniform numbers. New array."""
        from scipy.special import ndtri

        low, high, turned = self._limits() if self.outside == "redraw" else (0.0, 1.0, False)
        if self.kind == "uniform":
            found = self.first + (low + u * (high - low)) * (self.second - self.first)
        else:
            z = ndtri(low + u * (high - low))
            found = self.first + (-z if turned else z) * self.second
            with np.errstate(over="ignore"):  # what is infinite then is refused as a weight
                found = np.exp(found) if self.kind == "lognormal" else found
        return np.clip(found, self.least, self.most)

    def _limits(self) -> tuple[float, float, bool]:
        """Chances of values beyond the limits, in the tail that has more digits: whether above."""
        low, high = self._below(self.least), self._below(self.most)
        if self.kind == "uniform" or low <= 0.5:
            return low, high, False
        return self._below(self.most, above=True), self._below(self.least, above=True), True

    def _below(self, end: float, *, above: bool = False) -> float:
        """The chance of a value below an end, or above it."""
        from scipy.special import ndtr

        if self.kind == "uniform":
            width = self.second - self.first
            return (
                min(max((end - self.first) / width, 0.0), 1.0) if width else float(end > self.first)
            )
        if self.kind == "lognormal":
            end = math.log(end) if end > 0.0 else -math.inf
        if not self.second:
            return float(end > self.first) if not above else float(end < self.first)
        z = (end - self.first) / self.second
        return float(ndtr(-z if above else z))


Value = float | Distribution


def normal(
    mean: float,
    sd: float,
    *,
    least: float = -math.inf,
    most: float = math.inf,
    outside: Outside = "redraw",
) -> Distribution:
    """A normal distribution, for :meth:`eventsim.Network.connect`.

    Parameters
    ----------
    mean, sd
        Mean and standard deviation, before limits.
    least, most
        Limits.
    outside
        Values outside are drawn again (``redraw``), or moved to the limit (``clip``).

    Raises
    ------
    ParameterError

    Examples
    --------
    >>> import eventsim as es
    >>> net = es.Network(seed=1)
    >>> sound, cells = net.add_input("input", 100), net.add_population("cells", 50)
    >>> net.connect(
    ...     sound, cells, rule=es.fixed_indegree(20), weights=es.normal(0.5, 0.05),
    ...     delays=es.normal(1.5, 0.75, least=0.1),
    ... )
    Projection('input->cells', sparse, 1000 synapses)
    """
    return Distribution("normal", mean, sd, least, most, outside)


def lognormal(
    mean: float,
    sd: float,
    *,
    least: float = -math.inf,
    most: float = math.inf,
    outside: Outside = "redraw",
) -> Distribution:
    """The exponential of a normal variable of that ``mean`` and ``sd``; else as :func:`normal`.

    Raises
    ------
    ParameterError
    """
    return Distribution("lognormal", mean, sd, least, most, outside)


def uniform(low: float, high: float) -> Distribution:
    """A uniform distribution from ``low`` to ``high``; used as :func:`normal`.

    Raises
    ------
    ParameterError
    """
    return Distribution("uniform", low, high)


def drawn(value: Value, stream: WordStream, first: int, n: int) -> Floats:
    """Values of the items ``first`` to ``first + n - 1``. New array."""
    if isinstance(value, Distribution):
        return value.quantile(stream.uniform(first, n))
    return np.full(n, float(value))


def ends_of(value: Value) -> tuple[float, float]:
    """The least and the largest that a value can be."""
    return value.ends if isinstance(value, Distribution) else (float(value), float(value))
