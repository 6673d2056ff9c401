"""Synaptic events: spikes that reach a synapse before the end of their sample."""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import numpy as np

from eventsim.arrays import Array, Floats, Ints, beside, namespace, owners, to_host
from eventsim.events.source import SourceSpikes
from eventsim.network import Projection


class SynapticEvents(Mapping[str, int]):
    """Counts by projection, which come from a device when the first of them is asked for.

    ``names``: of projections. ``counts``: whole numbers in the same order, on the device.
    """

    def __init__(self, names: Sequence[str], counts: Array) -> None:
        self._names, self.counts = list(names), counts
        self._fetched: dict[str, int] | None = None

    def _all(self) -> dict[str, int]:
        if self._fetched is None:
            counts = to_host(self.counts).tolist()
            self._fetched = dict(zip(self._names, counts, strict=True))
        return self._fetched

    def __getitem__(self, name: str) -> int:
        return self._all()[name]

    def __iter__(self) -> Iterator[str]:
        return iter(self._names)

    def __len__(self) -> int:
        return len(self._names)

    def __repr__(self) -> str:
        return repr(self._all())


def count_arrivals(pairs: Sequence[tuple[Projection, SourceSpikes]], duration: Floats) -> Ints:
    """Exact number of spikes that reach a synapse before the end of their sample, [pairs]."""
    ends: dict[str, Array] = {}
    counts = []
    for projection, source in pairs:
        if projection.source not in ends:
            owner = owners(source.offsets, source.times.size)
            ends[projection.source] = namespace(owner).asarray(duration)[owner]
        counts.append(_count(projection, source, ends[projection.source]))
    return np.array(counts, np.int64)


def _count(projection: Projection, source: SourceSpikes, end: Array) -> int:
    """Arrivals of one projection; ``end`` is that of the sample of every spike."""
    xp, delays = namespace(source.times), beside(projection.delays, source.times)
    if projection.delay_per_synapse:
        return _count_by_synapse(projection, source, delays.ravel(), end)
    met = source.times + (delays[source.neurons] if delays.ndim else delays) < end
    if projection.pattern is None:  # then all sources have as many targets
        return int(xp.count_nonzero(met)) * (projection.values.size // source.size)
    fan_out = xp.asarray(np.diff(projection.first_synapses()))
    return int(fan_out[source.neurons[met]].sum())


def _count_by_synapse(projection: Projection, source: SourceSpikes, delays: Any, end: Any) -> int:
    """The synapses that a spike reaches in time are the first of its source's, by their delay."""
    xp, on_host = namespace(delays), projection.first_synapses()
    if delays.size == 0:
        return 0
    first = xp.asarray(on_host)
    row = owners(first, delays.size)
    delays = delays[xp.lexsort(xp.stack([delays, row.astype(np.float64)]))]
    begin = low = first[source.neurons]
    high = first[source.neurons + 1]
    for _ in range(int(np.diff(on_host).max()).bit_length()):
        middle = (low + high) // 2
        tried = delays[xp.minimum(middle, delays.size - 1)]
        met = (low < high) & (source.times + tried < end)
        low, high = xp.where(met, middle + 1, low), xp.where(met, high, middle)
    return int((low - begin).sum())
