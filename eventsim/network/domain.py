"""Domains of values: what an array must fulfil, asked piece by piece or of its extent."""

from __future__ import annotations

import math
from collections.abc import Hashable, Iterable, Iterator
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from eventsim.arrays import AT_ONCE, Array, Floats, namespace, slices, to_host
from eventsim.checks import every
from eventsim.memo import Extent

# Sizes that voltages, resistances and weights may have: eventsim.network.parts.
LEAST, MOST, MOST_WEIGHT = 1e-15, 1e15, 1e20
LARGEST = float(np.finfo(np.float64).max)


class DomainCheck(NamedTuple):
    """A condition on the values of an array, or on its difference from another array.

    Each is above ``above``, at least ``least``, at most ``most`` in absolute value, and, if it is
    not zero, at least ``magnitude`` in absolute value.
    """

    name: str
    values: Floats
    expected: str
    minus: Floats | None = None
    above: float | None = None
    least: float | None = None
    most: float = math.inf
    magnitude: float = 0.0

    @property
    def bounds(self) -> tuple[float | None, ...]:
        """Bounds of the values: conditions with the same bounds may be checked together."""
        return self.above, self.least, self.most, self.magnitude

    @property
    def held(self) -> Array:
        """The values, or their difference from the other array, flat."""
        if self.minus is None:
            return self.values.ravel()
        with np.errstate(invalid="ignore", over="ignore"):
            return (self.values - self.minus).ravel()

    @property
    def pieces(self) -> Iterator[DomainCheck]:
        """The same condition of parts of the values, none of which is large; flat views.

        On a device, where every question has its price, it is in one piece.
        """
        if namespace(self.values) is not np or self.values.size <= AT_ONCE:
            yield self
            return
        values = self.values.reshape(-1)
        minus = None if self.minus is None else self.minus.reshape(-1)
        for mine in slices(values.size):
            yield self._replace(values=values[mine], minus=None if minus is None else minus[mine])

    @property
    def good(self) -> NDArray[np.bool_]:
        """True where it is fulfilled. New array."""
        values = self.values if self.minus is None else self.held.reshape(self.values.shape)
        size = abs(values)
        good: NDArray[np.bool_] = size <= self.most
        if self.above is not None:
            good &= values > self.above
        if self.least is not None:
            good &= values >= self.least
        if self.magnitude:
            good &= (size == 0.0) | (size >= self.magnitude)
        return good

    def require(self, where: str, name: str, *, of: str = "") -> None:
        """Raise ParameterError for the first value that does not fulfil it; ``of`` numbers them."""
        good, values = to_host(self.good), to_host(self.values)
        every(where, name, values, good, self.expected, of=of)

    def holds(self, extent: Extent) -> bool:
        """Whether it is fulfilled everywhere, from the extent of the values or differences."""
        least, largest, magnitude = extent
        if least > largest:  # no entries
            return True
        return (
            max(-least, largest) <= self.most
            and (self.above is None or least > self.above)
            and (self.least is None or least >= self.least)
            and magnitude >= self.magnitude
        )


def all_hold(conditions: Iterable[DomainCheck]) -> bool:
    """Whether all are fulfilled: one answer for all, since on a device each has its price."""
    alike: dict[Hashable, list[DomainCheck]] = {}
    good: list[Array] = []
    for condition in conditions:
        first, *others = condition.pieces
        if others:
            good += [piece.good.all(keepdims=True) for piece in (first, *others)]
        else:
            alike.setdefault(condition.bounds, []).append(first)
    for first, *others in alike.values():
        values = first.held
        values = namespace(values).concatenate([values, *(other.held for other in others)])
        good.append(first._replace(values=values, minus=None).good)
    return not good or bool(namespace(good[0]).concatenate(good).all())
