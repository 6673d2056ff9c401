"""Compiled loops that fill empty cores, for starts of the search."""

import numpy as np

from eventsim.engine.cpu.compile import sequential_kernel
from eventsim.engine.cpu.heap import reschedule
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
    heap, place, due = np.arange(n), np.arange(n), np.full(n, np.inf)
    touched, refused = np.zeros(n, np.bool_), np.zeros(n, np.bool_)
    turn = 0
    while held.neurons[core] < held.limits[0]:
        while turn < order.size and (touched[order[turn]] or not free[order[turn]]):
            turn += 1
        first, other = heap[0], order[turn] if turn < order.size else -1
        if due[first] < np.inf and (
            other < 0 or due[first] < key[other] or (due[first] == key[other] and first < other)
        ):
            neuron = first
            reschedule(heap, place, due, neuron, np.inf)
        elif other >= 0:
            neuron = other
            turn += 1
        else:
            return
        touched[neuron] = True
        if (
            held.axons_in[core] + count[neuron] > held.limits[1]
            or held.synapses[core] + wiring.fan_in[neuron] > held.limits[3]
            or not out_fits(neuron, core, wiring, held, room)
        ):
            refused[neuron] = True
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
                if not free[other] or refused[other]:
                    continue
                key[other] = new[other] - 1e-6 * whole[other]
                touched[other] = True
                reschedule(heap, place, due, other, key[other])
