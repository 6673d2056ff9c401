"""A cache of what is derived from network values, valid while they stay unchanged.

The code that runs a network says for how long its values stay, and owns the :class:`Memo` of that
time: a simulation and a backward pass have a memo each, a step of training has one for all its
passes, a run chunk by chunk has one for all its chunks.
The stages of the plan carry the memo (:func:`eventsim.plan.make_plan`), and so does the tape of a
step of training. At its end the memo forgets its entries: a process keeps only a few tables of
linear neurons, by their values (:mod:`eventsim.engine.contract.linear`). The memo of a tape that is
kept longer than its step has ended, and knows nothing of the values of that step.

On a device every read of a value by the host waits for all work that was queued before; the extent
of an array, read once, is cached as long.
"""

from collections.abc import Callable, Hashable
from typing import Any, NamedTuple, TypeVar

Array = Any
Made = TypeVar("Made")


class Extent(NamedTuple):
    """Extremes of the entries of an array.

    ``least`` and ``largest`` are NaN if one is; of an array without entries infinite.
    ``magnitude`` is the least absolute value of those that are not zero, infinite without any.
    """

    least: float
    largest: float
    magnitude: float


class Memo:
    """Cached results by key, and extents of arrays; a new memo is empty.

    ``back``: whether a backward pass follows with the same memo: then results that the forward pass
    derives from its spikes are cached for it as well. ``pieces``: whether the memo is that of a run
    chunk by chunk, each of which has other spikes.
    """

    def __init__(self, *, back: bool = False, pieces: bool = False) -> None:
        self.made: dict[Hashable, Any] = {}
        self.back, self.pieces = back, pieces
        self.again = back or pieces
        self._over = False
        # The arrays are kept, so that no other can get the id of one.
        self._extents: dict[int, tuple[Array, Extent]] = {}

    def once(self, key: Hashable, make: Callable[[], Made], *, kept: bool = True) -> Made:
        """Result of ``make``, computed once for every key; not to be changed.

        ``kept`` says whether the result is worth its memory here: a large one only where another
        pass will need it, one derived from spikes not from chunk to chunk.
        """
        if self._over or not kept:
            return make()
        if key not in self.made:
            self.made[key] = make()
        found: Made = self.made[key]
        return found

    def end(self) -> None:
        """Forget all results, since the values change, and cache nothing any more."""
        self.made, self._extents, self._over = {}, {}, True

    def note(self, array: Array, extent: Extent) -> None:
        """Cache the extent of an array."""
        if not self._over:
            self._extents[id(array)] = array, extent

    def extent(self, array: Array) -> Extent | None:
        """Cached extent of an array, or None."""
        found = self._extents.get(id(array))
        return None if found is None else found[1]

    def any_nonzero(self, array: Array) -> bool:
        """Whether some entry is not zero."""
        known = self.extent(array)
        return bool(array.any()) if known is None else known.magnitude < float("inf")

    def least(self, array: Array) -> float:
        """The smallest entry of an array that has one."""
        known = self.extent(array)
        return float(array.min()) if known is None else known.least

    def largest(self, array: Array) -> float:
        """The largest entry of an array that has one."""
        known = self.extent(array)
        return float(array.max()) if known is None else known.largest
