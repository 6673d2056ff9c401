"""What was made of values that stay as they are for a while, so that it is made once.

Whoever runs a network says for how long its values stay, and owns the :class:`Memo` of that time: a
simulation and a way back each have one of their own, a step of training has one for all its passes,
a run that goes on piece by piece has one for all its pieces.
The stages of the plan carry it (:func:`eventsim.plan.make_plan`), and so does the tape of a step of
training. Where it ends, what was made ends: a process keeps nothing of it but a few tables of
linear neurons, by their values (:mod:`eventsim.engine.contract.linear`). That of a tape that is
kept longer than its step is over, and knows nothing of the values of that step.

On a device every look of the host at a value waits for all that was asked before; what was seen of
an array once serves as long.
"""

from collections.abc import Callable, Hashable
from typing import Any, NamedTuple, TypeVar

Array = Any
Made = TypeVar("Made")


class Extent(NamedTuple):
    """Of the entries of an array.

    ``least`` and ``largest`` are NaN if one is; of an array without entries infinite.
    ``magnitude`` is the least absolute value of those that are not zero, infinite without any.
    """

    least: float
    largest: float
    magnitude: float


class Memo:
    """What was made, by key, and extents of arrays; a new one knows nothing.

    ``back``: whether a backward pass follows with the same memo: then what the forward pass made of
    its spikes is kept for it as well. ``pieces``: whether it is that of a run that goes on piece by
    piece, whose spikes are others in each.
    """

    def __init__(self, *, back: bool = False, pieces: bool = False) -> None:
        self.made: dict[Hashable, Any] = {}
        self.back, self.pieces = back, pieces
        self.again = back or pieces
        self._over = False
        # The arrays are kept, so that no other can get the id of one.
        self._extents: dict[int, tuple[Array, Extent]] = {}

    def once(self, key: Hashable, make: Callable[[], Made], *, kept: bool = True) -> Made:
        """What ``make`` gives, made once for every key; not to be changed.

        ``kept`` says whether it is worth its memory here: what is large only where another pass
        will ask for it, what was made of spikes not from piece to piece.
        """
        if self._over or not kept:
            return make()
        if key not in self.made:
            self.made[key] = make()
        found: Made = self.made[key]
        return found

    def end(self) -> None:
        """The values change: what was made is forgotten, and nothing is kept any more."""
        self.made, self._extents, self._over = {}, {}, True

    def note(self, array: Array, extent: Extent) -> None:
        """Keep what was seen of an array."""
        if not self._over:
            self._extents[id(array)] = array, extent

    def extent(self, array: Array) -> Extent | None:
        """What was seen of an array; None if nothing was."""
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
