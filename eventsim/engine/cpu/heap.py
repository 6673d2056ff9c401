"""Binary heaps: bundles of synapses that wait for their time, and neurons that are due.

Bundles are in order of (time, first synapse), neurons of (time, number).
"""

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from eventsim.engine.bundles import OWN
from eventsim.engine.cpu.compile import lean, lean_inlined, scalar


class Waiting(NamedTuple):
    """Bundles: when they arrive, and the bounds of their synapses. Arrays longer than needed."""

    time: NDArray[np.float64]
    first: NDArray[np.int64]
    last: NDArray[np.int64]


@scalar
def waiting_room(size):
    """Room for that many bundles."""
    return Waiting(np.empty(size), np.empty(size, np.int64), np.empty(size, np.int64))


@scalar
def enlarged(bundles, least):
    """The same bundles with room for ``least`` or twice as many, whichever is more."""
    room = waiting_room(max(2 * bundles.time.size, least))
    for k in range(bundles.time.size):
        room.time[k], room.first[k], room.last[k] = (
            bundles.time[k], bundles.first[k], bundles.last[k],
        )  # fmt: skip
    return room


@lean_inlined
def _push(heap, size, t, low, high):
    """A bundle joins a heap of ``size`` with room for it."""
    time, first, last = heap
    i = size
    while i > 0:
        up = (i - 1) >> 1
        if not (t < time[up] or (t == time[up] and low < first[up])):
            break
        time[i], first[i], last[i] = time[up], first[up], last[up]
        i = up
    time[i], first[i], last[i] = t, low, high


@lean
def pop(heap, size):
    """Take the first of ``size`` bundles out; the heap keeps size - 1."""
    time, first, last = heap
    size -= 1
    t, low, high = time[size], first[size], last[size]
    i = 0
    while True:
        down = 2 * i + 1
        if down >= size:
            break
        right = down + 1
        if right < size and (
            time[right] < time[down] or (time[right] == time[down] and first[right] < first[down])
        ):
            down = right
        if not (time[down] < t or (time[down] == t and first[down] < low)):
            break
        time[i], first[i], last[i] = time[down], first[down], last[down]
        i = down
    time[i], first[i], last[i] = t, low, high


@lean_inlined
def _push_sent(heap, size, loop, n, t, t_end):
    """What a spike of neuron n at t sends joins a heap with room for it; returns its size."""
    for b in range(loop.start[n], loop.start[n + 1]):
        if t + loop.delay[b] < t_end:
            _push(heap, size, t + loop.delay[b], loop.first[b], loop.last[b])
            size += 1
    if loop.own_delay[n] > 0.0 and t + loop.own_delay[n] < t_end:
        _push(heap, size, t + loop.own_delay[n], OWN + n, OWN + n + 1)
        size += 1
    return size


@lean
def n_sent(loop, spikes, low, high):
    """The most bundles that the spikes low : high send."""
    most = 0
    for i in range(low, high):
        n = spikes.neuron[i]
        most += loop.start[n + 1] - loop.start[n] + 1
    return most


@lean_inlined
def send_all(heap, size, loop, spikes, low, high, t_end):
    """What the spikes low : high send joins a heap with room; returns its size."""
    for i in range(low, high):
        size = _push_sent(heap, size, loop, np.int64(spikes.neuron[i]), spikes.time[i], t_end)
    return size


@lean
def reschedule(heap, place, due, n, time):
    """Neuron n is due at ``time``: move it to its place in the heap of neurons.

    ``heap`` has all neurons, ``place`` where each is in it, ``due`` when: the first is that of the
    least (time, neuron), or due at infinity if all are.
    """
    due[n] = time
    i = place[n]
    while i > 0:
        up = (i - 1) // 2
        other = heap[up]
        if due[other] < time or (due[other] == time and other < n):
            break
        heap[i] = other
        place[other] = i
        i = up
    while True:
        down = 2 * i + 1
        if down >= heap.size:
            break
        if down + 1 < heap.size:
            a, b = heap[down], heap[down + 1]
            if due[b] < due[a] or (due[b] == due[a] and b < a):
                down += 1
        other = heap[down]
        if time < due[other] or (time == due[other] and n < other):
            break
        heap[i] = other
        place[other] = i
        i = down
    heap[i] = n
    place[n] = i
