"""Compiled loops that fill empty cores, for starts of the search.

Cores are opened one after the other. The newest one, if an axon reaches it, lies in the axon's last
slot, so that nobody looks for it among the others.
"""

from typing import Any, NamedTuple

import numpy as np

from eventsim.engine.cpu.compile import lean, sequential_kernel
from eventsim.engine.cpu.heap import reschedule
from eventsim.mapping.kernels import has_room, new_scratch, out_fits, put, share_axons

NEVER = np.inf
PATIENCE = 1 << 14  # neurons in a row that do not fit before a core is left


class Growing(NamedTuple):
    """What :func:`fill_by_overlap` knows of the neurons that are still free; changed in place.

    Between two cores everything is as for an empty core, so that a core costs what it touches.

    ``free``: bool [neurons]. ``before, after``: int64 [neurons + 1]: the free neurons by what they
    bring to an empty core, as a ring that begins behind the last entry. ``price``: float64 [axons],
    of a new axon. ``whole, new``: float64 [neurons]: price of all sources of a neuron, and of those
    that the core does not have; ``count``: int64 [neurons], how many these are. ``inside``: bool
    [axons]: whether the core has it; ``axons``: int32 [axons], those that it has. ``touched``: bool
    [neurons]: whether a neuron shares an axon with the core or was looked at; ``neurons``: int32
    [neurons], which. ``refused``: bool [neurons]. ``heap, place, due``: of the touched neurons that
    may be next (:func:`eventsim.engine.cpu.heap.reschedule`).
    """

    free: Any
    before: Any
    after: Any
    price: Any
    whole: Any
    new: Any
    count: Any
    inside: Any
    axons: Any
    touched: Any
    neurons: Any
    refused: Any
    heap: Any
    place: Any
    due: Any


@sequential_kernel
def prices(price, wiring, found):
    """Price of all sources of every neuron, float64 [neurons]."""
    for neuron in range(found.size):
        total = 0.0
        for k in range(wiring.column[neuron], wiring.column[neuron + 1]):
            total += price[wiring.source[k]]
        found[neuron] = total


@lean
def _newest_takes(neuron, core, wiring, held, room):
    """Whether the newest core can take a neuron under all limits."""
    shared = 0
    for k in range(wiring.column[neuron], wiring.column[neuron + 1]):
        axon = wiring.source[k]
        used = held.used[axon]
        shared += used > 0 and held.core[wiring.start[axon] + used - 1] == core
    room.shared[core] = shared
    if not has_room(neuron, core, wiring, held, room):
        return False
    return out_fits(neuron, core, wiring, held, room)


@lean
def _put_on_newest(neuron, core, wiring, held):
    """Put a neuron, which has no core, on the newest core."""
    for k in range(wiring.column[neuron], wiring.column[neuron + 1]):
        axon = wiring.source[k]
        slot = wiring.start[axon] + held.used[axon]
        if held.used[axon] > 0 and held.core[slot - 1] == core:
            held.pins[slot - 1] += 1
            continue
        held.core[slot], held.pins[slot] = core, 1
        held.used[axon] += 1
        held.axons_in[core] += 1
        if axon < held.core_of.size and held.core_of[axon] >= 0:
            held.axons_out[held.core_of[axon]] += 1
    held.core_of[neuron] = core
    held.axons_out[core] += held.used[neuron]
    held.neurons[core] += 1
    held.synapses[core] += wiring.fan_in[neuron]


@sequential_kernel
def fill_in_order(first, end, core, wiring, held, ground):
    """Put neurons from ``first`` on one core, until one does not fit; which one, or ``end``."""
    room = new_scratch(held, ground)
    for neuron in range(first, end):
        if not _newest_takes(neuron, core, wiring, held, room):
            return neuron
        _put_on_newest(neuron, core, wiring, held)
    return end


@lean
def _put_on_older(neuron, core, newest, wiring, held):
    """Put a neuron, which has no core, on a core that is not the newest, which stays last."""
    put(neuron, core, wiring, held)
    for k in range(wiring.column[neuron], wiring.column[neuron + 1]):
        axon = wiring.source[k]
        last = wiring.start[axon] + held.used[axon] - 1
        if held.used[axon] > 1 and held.core[last - 1] == newest:
            held.core[last - 1], held.core[last] = held.core[last], newest
            held.pins[last - 1], held.pins[last] = held.pins[last], held.pins[last - 1]


@sequential_kernel
def fill_first_fit(first, end, wiring, held, ground):
    """Put neurons on the first core with room, until one has none; which one, or ``end``."""
    room = new_scratch(held, ground)
    newest = held.neurons.size - 1
    for neuron in range(first, end):
        found, asked = -1, False
        for core in range(newest):
            if (
                held.neurons[core] == held.limits[0]
                or held.synapses[core] + wiring.fan_in[neuron] > held.limits[3]
            ):
                continue
            if not asked:
                share_axons(neuron, wiring, held, room)
                asked = True
            if has_room(neuron, core, wiring, held, room) and out_fits(
                neuron, core, wiring, held, room
            ):
                found = core
                break
        if found >= 0:
            _put_on_older(neuron, found, newest, wiring, held)
        elif _newest_takes(neuron, newest, wiring, held, room):
            _put_on_newest(neuron, newest, wiring, held)
        else:
            return neuron
    return end


@lean
def _leave(heap, place, due, size, neuron):
    """Take a neuron out of a heap of ``size``."""
    hole, last = place[neuron], heap[size - 1]
    due[neuron] = NEVER
    if last != neuron:
        heap[hole], place[last] = last, hole
        reschedule(heap[: size - 1], place, due, last, due[last])
    return size - 1


@lean
def _forget(growing, n_neurons, n_axons, wiring):
    """Everything is as for an empty core again."""
    for k in range(n_neurons):
        neuron = growing.neurons[k]
        growing.new[neuron] = growing.whole[neuron]
        growing.count[neuron] = wiring.column[neuron + 1] - wiring.column[neuron]
        growing.touched[neuron], growing.refused[neuron] = False, False
        growing.due[neuron] = NEVER
    for k in range(n_axons):
        growing.inside[growing.axons[k]] = False


@sequential_kernel
def fill_by_overlap(core, growing, wiring, held, ground):
    """Put free neurons on one core until none fits: the one that brings the fewest new axons next.

    Those that share an axon with the core are in a heap; whether a neuron fits is asked when its
    turn comes, since one that does not will not later. Returns the number of synapses followed.
    """
    room = new_scratch(held, ground)
    g, none = growing, held.core_of.size
    n_touched, n_inside, size, followed, failed = 0, 0, 0, 0, 0
    turn = g.after[none]
    while held.neurons[core] < held.limits[0] and failed < PATIENCE:
        while turn != none and g.touched[turn]:
            turn = g.after[turn]
        # A neuron that shares nothing with the core is chosen as if it shared a little.
        waits = g.whole[turn] - 1e-6 * g.whole[turn] if turn != none else NEVER
        first = g.heap[0] if size > 0 else none
        if first != none and (g.due[first] < waits or (g.due[first] == waits and first < turn)):
            neuron = first
            size = _leave(g.heap, g.place, g.due, size, neuron)
        elif turn != none:
            neuron = turn
            turn = g.after[turn]
            g.touched[neuron] = True
            g.neurons[n_touched] = neuron
            n_touched += 1
        else:
            break
        if (
            held.axons_in[core] + g.count[neuron] > held.limits[1]
            or held.synapses[core] + wiring.fan_in[neuron] > held.limits[3]
            or not out_fits(neuron, core, wiring, held, room)
        ):
            g.refused[neuron] = True
            failed += 1
            continue
        failed = 0
        _put_on_newest(neuron, core, wiring, held)
        g.free[neuron] = False
        g.after[g.before[neuron]] = g.after[neuron]
        g.before[g.after[neuron]] = g.before[neuron]
        if turn == neuron:
            turn = g.after[neuron]
        for k in range(wiring.column[neuron], wiring.column[neuron + 1]):
            axon = wiring.source[k]
            if g.inside[axon]:
                continue
            g.inside[axon] = True
            g.axons[n_inside] = axon
            n_inside += 1
            followed += wiring.start[axon + 1] - wiring.start[axon]
            for j in range(wiring.start[axon], wiring.start[axon + 1]):
                other = wiring.target[j]
                if not g.free[other] or g.refused[other]:
                    continue
                if not g.touched[other]:
                    g.touched[other] = True
                    g.neurons[n_touched] = other
                    n_touched += 1
                    g.heap[size], g.place[other] = other, size
                    size += 1
                g.new[other] -= g.price[axon]
                g.count[other] -= 1
                reschedule(
                    g.heap[:size], g.place, g.due, other, g.new[other] - 1e-6 * g.whole[other]
                )
    _forget(growing, n_touched, n_inside, wiring)
    return followed
