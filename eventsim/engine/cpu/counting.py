"""Synaptic events on the CPU: twin of :mod:`eventsim.engine.contract.counting`."""

from collections.abc import Sequence

import numpy as np

from eventsim.arrays import Floats, Ints
from eventsim.compiled.library import library
from eventsim.compiled.roles import TasksRole
from eventsim.compiled.roles_order import ConnectionsRole, CountArrivals
from eventsim.engine.cpu.arrays import addresses
from eventsim.events.source import SourceSpikes
from eventsim.network import Projection
from eventsim.processors import threads_through

# What has delays of its own; twins in order/count.hpp.
OF_ALL, OF_NEURONS, OF_SYNAPSES = range(3)


def count_arrivals(pairs: Sequence[tuple[Projection, SourceSpikes]], duration: Floats) -> Ints:
    """Exact number of spikes that reach a synapse before the end of their sample, [pairs]."""
    n, found = len(pairs), np.zeros(len(pairs), np.int64)
    offsets = [np.ascontiguousarray(source.offsets, np.int64) for _, source in pairs]
    times = [np.ascontiguousarray(source.times, np.float64) for _, source in pairs]
    neurons = [np.ascontiguousarray(source.neurons, np.int32) for _, source in pairs]
    delays = [np.ascontiguousarray(projection.delays) for projection, _ in pairs]
    width = delays[0].itemsize if delays else 8  # a network has one type of delays
    own = [p.pattern is not None or p.delay_per_synapse for p, _ in pairs]
    first = [p.first_synapses() for (p, _), some in zip(pairs, own, strict=True) if some]
    begins, each = np.zeros(n, np.int64), np.zeros(n, np.int64)
    begins[own] = addresses(first)
    for k, (projection, source) in enumerate(pairs):
        each[k] = projection.values.size // max(source.size, 1)
    kinds = np.array([_delays_of(projection) for projection, _ in pairs], np.int64)
    connections = ConnectionsRole(
        addresses(offsets), addresses(times), addresses(neurons), addresses(delays), kinds, begins,
        each, duration, duration.size, found, width,
    )  # fmt: skip
    looked = np.flatnonzero((kinds != OF_ALL) | np.array(own, bool))
    threads = threads_through(sum(times[k].size for k in looked))
    library().run(CountArrivals(TasksRole.all(n), connections), threads=threads)
    return found


def _delays_of(projection: Projection) -> int:
    if projection.delay_per_synapse:
        return OF_SYNAPSES
    return OF_NEURONS if np.ndim(projection.delays) else OF_ALL
