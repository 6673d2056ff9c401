"""Values of a network that are one: weights of a kernel, parameters of a map's neurons.

Which values of a parameter are one is told by groups, one whole number per value: values of the
same number >= 0 are one, values of a negative number stand alone. Every value keeps its place in
its array, so that nothing that reads a network has to know; training keeps those of a group equal.
"""

from dataclasses import dataclass
from functools import cached_property
from typing import Literal

import numpy as np
from numpy.typing import ArrayLike, NDArray

from eventsim.arrays import Array, Ints, namespace
from eventsim.checks import shaped, whole_array
from eventsim.errors import ParameterError
from eventsim.summary import short_repr


@dataclass(frozen=True, eq=False)
class Sharing:
    """Groups of one parameter, in its shape; see the module."""

    groups: Ints

    __repr__ = short_repr

    @property
    def n_values(self) -> int:
        """Number of values, those of a group counted once."""
        return len(self._members) + int((self.groups < 0).sum())

    def agrees(self, values: Array) -> bool:
        """Whether the values of every group are equal."""
        return bool((self.spread(values, "least") == self.spread(values, "largest")).all())

    def spread(self, values: Array, how: Literal["sum", "least", "largest"]) -> Array:
        """Every value replaced by what its group has together. New array.

        Sums are taken in one order on every device.
        """
        xp, flat = namespace(values), values.ravel()
        if not self._members.size:
            return values.copy()
        members, there = xp.asarray(self._members), xp.asarray(self._there)
        taken = flat[members]
        if how == "sum":
            together = xp.where(there, taken, 0.0).sum(axis=1)
        else:
            # A place that is not taken repeats the first member.
            together = taken.min(axis=1) if how == "least" else taken.max(axis=1)
        found, shared = flat.copy(), xp.asarray(self._shared)
        found[shared] = together[xp.asarray(self._numbers)]
        return found.reshape(values.shape)

    def once(self) -> NDArray[np.float64]:
        """Weight of every value with which those of a group count once, in the shape of it."""
        weight = np.ones(self.groups.size)
        weight[self._shared] = 1.0 / self._there.sum(axis=1)[self._numbers]
        return weight.reshape(self.groups.shape)

    @cached_property
    def _shared(self) -> Ints:
        """Flat numbers of the values that are in a group."""
        return np.flatnonzero(self.groups.ravel() >= 0)

    @cached_property
    def _numbers(self) -> Ints:
        """Group of every shared value, counted without gaps."""
        return np.unique(self.groups.ravel()[self._shared], return_inverse=True)[1].ravel()

    @cached_property
    def _there(self) -> NDArray[np.bool_]:
        counts = np.bincount(self._numbers)
        return np.arange(counts.max(initial=0)) < counts[:, None]

    @cached_property
    def _members(self) -> Ints:
        """Flat numbers of the members, [groups, most members]; see ``_there``."""
        order = self._shared[np.argsort(self._numbers, kind="stable")]
        first = np.cumsum(np.bincount(self._numbers)) - np.bincount(self._numbers)
        members = np.repeat(order[first][:, None], self._there.shape[1], axis=1)
        members[self._there] = order
        return members


def make_sharing(key: str, values: Array, groups: ArrayLike) -> Sharing:
    """Check and build the groups of a parameter; see :meth:`Network.share`."""
    numbers = whole_array(groups, f"share: groups of {key!r}")
    expected = f"whole numbers of shape {values.shape}"
    shaped("share", f"groups of {key!r}", numbers, values.shape, expected=expected)
    sharing = Sharing(np.array(numbers))
    if not sharing.agrees(values):
        raise ParameterError(
            "share",
            f"shared values of {key!r} differ",
            "equal values in every group",
            "Set them before.",
        )
    return sharing
