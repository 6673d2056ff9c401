"""Whether the values of a network lie in their domains, and their extents, asked of a device once.

A backend whose arrays are on a device finds the extents of all arrays in one launch; the host reads
them in one go. They then serve all that asks the same :class:`eventsim.memo.Memo`.
"""

from typing import Any, Protocol
from weakref import WeakKeyDictionary

import numpy as np
from numpy.typing import NDArray

from eventsim.arrays import Array, to_host
from eventsim.engine.contract.backend import Backend
from eventsim.memo import Extent, Memo
from eventsim.network import Network
from eventsim.network.domain import DomainCheck


class ExtentLookup(Protocol):
    """Finds the extents of arrays; see :meth:`eventsim.engine.backend.Backend.lookup`."""

    def of(self, pairs: Any) -> bool:
        """Whether these arrays are the ones."""

    def start(self) -> Array:
        """An array on the device, for :meth:`read` once it is on the host."""

    def read(self, found: NDArray[Any]) -> list[Extent]:
        """The extents."""


_LOOKUPS: WeakKeyDictionary[Network, ExtentLookup] = WeakKeyDictionary()


Pair = tuple[Array, Array | None]


class Look:
    """A look at a network that has begun; ``found`` is what the host has to fetch.

    ``conditions``: what its values must fulfil. ``lookup``: of the arrays of the conditions, each
    once.
    """

    def __init__(self, net: Network, conditions: list[DomainCheck], lookup: ExtentLookup) -> None:
        self._net, self._conditions, self._lookup = net, conditions, lookup
        self.found = lookup.start()

    def finish(self, found: NDArray[Any], memo: Memo) -> None:
        """Take what was fetched; raise ParameterError if a value has left its domain."""
        pairs = _pairs(self._conditions)
        extents = dict(zip(pairs, self._lookup.read(found), strict=True))
        for key, (values, minus) in pairs.items():
            if minus is None:
                memo.note(values, extents[key])
        if not all(c.holds(extents[_key(c)]) for c in self._conditions):
            self._net.check()


def begin_look(net: Network, engine: Backend) -> Look | None:
    """Begin to look at a network; None where that is not done in one launch."""
    conditions = net.conditions()
    pairs, known = list(_pairs(conditions).values()), _LOOKUPS.get(net)
    if known is None or not known.of(pairs):
        known = engine.lookup(pairs)
        if known is None:
            return None
        _LOOKUPS[net] = known
    return Look(net, conditions, known)


def _key(condition: DomainCheck) -> tuple[int, int]:
    return id(condition.values), id(condition.minus)


def _pairs(conditions: list[DomainCheck]) -> dict[tuple[int, int], Pair]:
    """The arrays of the conditions, and what is subtracted, each once."""
    return {_key(condition): (condition.values, condition.minus) for condition in conditions}


def on_device(net: Network) -> bool:
    """Whether the arrays of a network are others than NumPy's."""
    return any(not isinstance(values, np.ndarray) for values in net.parameters().values())


def check_values(net: Network, engine: Backend, memo: Memo) -> None:
    """Raise unless the network passes its :meth:`~eventsim.Network.check`, asked once a memo."""
    if not on_device(net):
        net.check()
        return
    net.check_patterns()
    if all(memo.extent(values) is not None for values in net.parameters().values()):
        return
    look = begin_look(net, engine)
    if look is None:
        net.check()
    else:
        look.finish(to_host(look.found), memo)
