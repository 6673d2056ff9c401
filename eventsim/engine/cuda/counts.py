"""Counts of events and extents of values: one launch each, and one read at the most."""

from collections.abc import Sequence
from weakref import WeakKeyDictionary

import numpy as np
from numpy.typing import NDArray

from eventsim.arrays import Array, Floats
from eventsim.engine.cuda.device import Device
from eventsim.events.source import SourceSpikes
from eventsim.memo import Extent
from eventsim.network import Projection

BLOCK, BLOCKS = 128, 32  # threads of a block; blocks of one count at most
PARTS = 8  # blocks of one array whose extent is found


class SynapseCache:
    """First synapse of every source on the device, by projection."""

    def __init__(self) -> None:
        self._known: WeakKeyDictionary[Projection, tuple[NDArray[np.int64], Array]] = (
            WeakKeyDictionary()
        )

    def place(self, dev: Device, projection: Projection) -> Array:
        """Shape [sources + 1]; made anew where the pattern has changed."""
        first = projection.first_synapses()
        known = self._known.get(projection)
        if known is None or not np.array_equal(known[0], first):
            known = self._known[projection] = (first, dev.asarray(first))
        return known[1]


def count_arrivals(
    dev: Device,
    synapses: SynapseCache,
    pairs: Sequence[tuple[Projection, SourceSpikes]],
    duration: Floats,
) -> Array:
    """Exact number of spikes that reach a synapse before the end of their sample, [pairs]."""
    found, end = dev.empty((len(pairs), BLOCKS), np.int64), dev.asarray(duration)
    table: list[list[int]] = []
    kept: list[Array] = []  # until the launch, so that their addresses stay theirs
    for projection, source in pairs:
        delays, given = projection.delays, (source.offsets, source.times, source.neurons)
        arrays = [synapses.place(dev, projection), dev.asarray(delays, np.float64)]
        arrays += map(dev.asarray, given)
        by = projection.delays.ndim > 0, projection.delay_per_synapse
        table.append([*(array.data.ptr for array in arrays), arrays[3].size, *map(int, by)])
        kept += arrays
    dev.launch(
        "double", "count_arrivals", len(pairs) * BLOCKS, BLOCK,
        [BLOCKS, end.size, dev.asarray(np.array(table, np.int64)), end, found],
        shared=BLOCK * 8,
    )  # fmt: skip
    return found.sum(axis=1)


class AddressLookup:
    """Finds the extents of the same arrays again and again; those of one size in a pair.

    ``dev``: where they are. ``pairs``: float64 arrays, each with another to subtract or None.
    """

    def __init__(self, dev: Device, pairs: Sequence[tuple[Array, Array | None]]) -> None:
        self._dev, self._pairs = dev, list(pairs)
        address = [array.data.ptr for array, _ in pairs]
        minus = [0 if other is None else other.data.ptr for _, other in pairs]
        size = [array.size for array, _ in pairs]
        self._arguments = [dev.asarray(np.array(v, np.int64)) for v in (address, minus, size)]

    def of(self, pairs: Sequence[tuple[Array, Array | None]]) -> bool:
        """Whether these arrays are the ones."""
        return len(pairs) == len(self._pairs) and all(
            a is b and m is n for (a, m), (b, n) in zip(pairs, self._pairs, strict=True)
        )

    def start(self) -> Array:
        """Extents of parts of the arrays, for :meth:`read`; nothing is waited for. New array."""
        n = len(self._pairs)
        found = self._dev.empty((n, PARTS, 3), np.float64)
        self._dev.launch(
            "double", "find_extents", n * PARTS, BLOCK, [PARTS, *self._arguments, found],
            shared=BLOCK * 8,
        )  # fmt: skip
        return found

    def read(self, found: NDArray[np.float64]) -> list[Extent]:
        """The extents from what :meth:`start` gave, on the host."""
        parts = found.reshape(len(self._pairs), PARTS, 3)
        columns = parts[:, :, 0].min(axis=1), parts[:, :, 1].max(axis=1), parts[:, :, 2].min(axis=1)
        return [Extent(*map(float, row)) for row in zip(*columns, strict=True)]
