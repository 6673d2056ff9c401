"""What is known of arrays whose values do not change for a while, so that no device is asked twice.

On a device every look of the host at a value waits for all that was asked before. Inside
:func:`holding` the values of a network do not change: what was looked up of them once, and what was
made of them, serves until the end of the block.
"""

from collections.abc import Callable, Hashable, Iterator, Mapping
from contextlib import contextmanager
from contextvars import ContextVar
from typing import Any, NamedTuple

Array = Any


class Extent(NamedTuple):
    """Of the entries of an array.

    ``least`` and ``largest`` are NaN if one is; of an array without entries infinite.
    ``magnitude`` is the least absolute value of those that are not zero, infinite without any.
    """

    least: float
    largest: float
    magnitude: float


class HeldValues:
    """Extents by array, and what was made; a new one knows nothing.

    Parameters
    ----------
    extents
        What is known already.
    back
        Whether a backward pass follows inside the block: then what the forward pass made of its
        spikes is kept for it as well.
    """

    def __init__(
        self, extents: Mapping[int, tuple[Array, Extent]] | None = None, *, back: bool = False
    ):
        # The arrays are kept, so that no other can get the id of one.
        self.extents = dict(extents or {})
        self.made: dict[Hashable, Any] = {}
        self.back = back


_HELD: ContextVar[HeldValues | None] = ContextVar("held", default=None)


@contextmanager
def holding(held: HeldValues | None = None) -> Iterator[HeldValues]:
    """Inside, the values of networks do not change; in a block in a block the outer one serves."""
    now = _HELD.get() or held or HeldValues()
    token = _HELD.set(now)
    try:
        yield now
    finally:
        _HELD.reset(token)


def current() -> HeldValues | None:
    """That of the block that is open, if one is."""
    return _HELD.get()


def extent_of(array: Array) -> Extent | None:
    """What is known of an array; None if nothing is."""
    held = _HELD.get()
    found = None if held is None else held.extents.get(id(array))
    return None if found is None else found[1]


def any_nonzero(array: Array) -> bool:
    """Whether some entry is not zero."""
    known = extent_of(array)
    return bool(array.any()) if known is None else known.magnitude < float("inf")


def least_of(array: Array) -> float:
    """The smallest entry of an array that has one."""
    known = extent_of(array)
    return float(array.min()) if known is None else known.least


def largest_of(array: Array) -> float:
    """The largest entry of an array that has one."""
    known = extent_of(array)
    return float(array.max()) if known is None else known.largest


def made_once(key: Hashable, make: Callable[[], Any]) -> Any:
    """What ``make`` gives; inside :func:`holding` it is made once for every key."""
    held = _HELD.get()
    if held is None:
        return make()
    if key not in held.made:
        held.made[key] = make()
    return held.made[key]


def made_for_back(key: Hashable, make: Callable[[], Any]) -> Any:
    """As :func:`made_once`, for what is large: kept only where a backward pass will ask for it."""
    held = _HELD.get()
    return make() if held is None or not held.back else made_once(key, make)
