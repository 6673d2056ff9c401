"""Compiled loops that fill empty cores, for starts of the search."""

import numpy as np

from eventsim.engine.cpu.compile import lean, sequential_kernel
from eventsim.mapping.kernels import has_room, new_scratch, out_fits, put, share_axons, takes


@sequential_kernel
def fill_in_order(first, end, core, wiring, held, ground):
    """Put neurons from ``first`` on one core, until one does not fit; which one, or ``end``."""
    room = new_scratch(held, ground)
    for neuron in range(first, end):
        if not takes(neuron, core, wiring, held, room):
            return neuron
        put(neuron, core, wiring, held)
    return end


@sequential_kernel
def fill_first_fit(first, end, wiring, held, ground):
    """Put neurons on the first core with room, until one has none; which one, or ``end``."""
    room = new_scratch(held, ground)
    for neuron in range(first, end):
        share_axons(neuron, wiring, held, room)
        found = -1
        for core in range(room.gain.size):
            if has_room(neuron, core, wiring, held, room) and out_fits(
                neuron, core, wiring, held, room
            ):
                found = core
                break
        if found < 0:
            return neuron
        put(neuron, found, wiring, held)
    return end


@lean
def _before(one, other, key):
    return key[one] < key[other] or (key[one] == key[other] and one < other)


@lean
def _rise(at, heap, where, key):
    """Bring an entry of a heap up to its place."""
    neuron = heap[at]
    while at > 0:
        parent = (at - 1) // 2
        if not _before(neuron, heap[parent], key):
            break
        heap[at] = heap[parent]
        where[heap[at]] = at
        at = parent
    heap[at] = neuron
    where[neuron] = at


@lean
def _pop(size, heap, where, key):
    """Take the first entry off a heap of that size; the neuron."""
    first, last = heap[0], heap[size - 1]
    where[first] = -1
    size -= 1
    if size == 0:
        return first
    at = 0
    while 2 * at + 1 < size:
        child = 2 * at + 1
        if child + 1 < size and _before(heap[child + 1], heap[child], key):
            child += 1
        if not _before(heap[child], last, key):
            break
        heap[at] = heap[child]
        where[heap[at]] = at
        at = child
    heap[at] = last
    where[last] = at
    return first


@sequential_kernel
def fill_by_overlap(core, free, order, price, whole, wiring, held, ground):
    """Put free neurons on one core until none fits: the one that brings the fewest new axons next.

    ``order`` has the free neurons by what they bring to an empty core. Those that share an axon
    with the core are in a heap; whether a neuron fits is asked when its turn comes, since one that
    does not will not later.
    """
    room = new_scratch(held, ground)
    n = held.core_of.size
    new, key = whole.copy(), whole - 1e-6 * whole
    count = np.empty(n, np.int64)
    for neuron in range(n):
        count[neuron] = wiring.column[neuron + 1] - wiring.column[neuron]
    inside = np.zeros(held.used.size, np.bool_)
    heap, where = np.empty(n, np.int32), np.full(n, -1, np.int32)
    touched = np.zeros(n, np.bool_)
    size, turn = 0, 0
    while held.neurons[core] < held.limits[0]:
        while turn < order.size and (touched[order[turn]] or not free[order[turn]]):
            turn += 1
        if size > 0 and (turn == order.size or _before(heap[0], order[turn], key)):
            neuron = _pop(size, heap, where, key)
            size -= 1
        elif turn < order.size:
            neuron = order[turn]
            turn += 1
        else:
            return
        touched[neuron] = True
        if (
            held.axons_in[core] + count[neuron] > held.limits[1]
            or held.synapses[core] + wiring.fan_in[neuron] > held.limits[3]
            or not out_fits(neuron, core, wiring, held, room)
        ):
            where[neuron] = -2
            continue
        put(neuron, core, wiring, held)
        free[neuron] = False
        for k in range(wiring.column[neuron], wiring.column[neuron + 1]):
            axon = wiring.source[k]
            if inside[axon]:
                continue
            inside[axon] = True
            for j in range(wiring.start[axon], wiring.start[axon + 1]):
                other = wiring.target[j]
                new[other] -= price[axon]
                count[other] -= 1
                if not free[other] or where[other] == -2:
                    continue
                key[other] = new[other] - 1e-6 * whole[other]
                if where[other] < 0:
                    touched[other] = True
                    heap[size] = other
                    size += 1
                    _rise(size - 1, heap, where, key)
                else:
                    _rise(where[other], heap, where, key)
