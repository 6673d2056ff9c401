"""Compiled loops over axons and cores: what a move brings, whether it fits, and moves.

Whoever calls them has checked everything.

The destinations of axon ``a`` are kept in slots ``wiring.start[a] .. + held.used[a]``, in no order:
a core, and how many distinct targets the axon has there. It never has more of them than targets, so
the slots of all axons take as much room as their targets, whatever the number of cores. Both
numbers of a slot lie side by side in memory, since most of the time goes into waiting for them.
"""

from typing import Any, NamedTuple

import numpy as np
from numba import prange

from eventsim.engine.cpu.compile import kernel, lean, lean_inlined, scalar, sequential_kernel

NOWHERE = -1
UNLIMITED = np.iinfo(np.int64).max
CANDIDATES = 6  # cores that are tried for one neuron


class AxonWiring(NamedTuple):
    """Axons and synapses; nothing here is changed.

    ``start, target``: distinct targets of every axon. ``column, source``: the same by target.
    ``spikes``: float64 [axons]. ``fan_in``: int64 [neurons]. ``selfed``: whether a neuron is its
    own target.
    """

    start: Any
    target: Any
    column: Any
    source: Any
    spikes: Any
    fan_in: Any
    selfed: Any


class CoreHolds(NamedTuple):
    """What lies where; all arrays are changed in place.

    ``core_of``: int32 [neurons]. ``core, pins``: int32 [slots]. ``used``: int32 [axons].
    ``neurons, axons_in, axons_out, synapses``: int64 [cores]. ``limits``: int64 [4], theirs.
    """

    core_of: Any
    core: Any
    pins: Any
    used: Any
    neurons: Any
    axons_in: Any
    axons_out: Any
    synapses: Any
    limits: Any


class Ground(NamedTuple):
    """Where cores lie: column and row of each, int64 [cores + 1], the last from the outside.

    ``x, y``: float64 [columns], [rows]: places of columns and rows; ``at_x, at_y``: float64 [cores
    + 1]: those of every core. ``beside``: float64 [1]: what is added to the distance between any
    two cores that are not the same.
    """

    column: Any
    row: Any
    x: Any
    y: Any
    at_x: Any
    at_y: Any
    beside: Any


class Scratch(NamedTuple):
    """Room for :func:`scan`: per core, per column, per row, and for changes of axons out."""

    gain: Any
    shared: Any
    saved: Any
    columns: Any
    rows: Any
    change: Any


@scalar
def new_scratch(held, ground):
    """Room for what a move brings on every core."""
    n_cores = held.neurons.size
    return Scratch(
        np.zeros(n_cores, np.float64),
        np.zeros(n_cores, np.int32),
        np.zeros(n_cores, np.float64),
        np.zeros(ground.x.size, np.float64),
        np.zeros(ground.y.size, np.float64),
        np.zeros(n_cores, np.int64),
    )


@lean_inlined
def _between(ground, one, other):
    """Distance of two cores that are not the same."""
    across = abs(ground.at_x[one] - ground.at_x[other])
    return across + abs(ground.at_y[one] - ground.at_y[other]) + ground.beside[0]


@lean
def _potential(loads, places):
    """Loads become, for every place, the sum of all loads times their distances from it."""
    n = loads.size
    if n == 1:
        loads[0] = 0.0
        return
    far, inside = 0.0, 0.0
    total, moment = 0.0, 0.0
    for k in range(n):
        total += loads[k]
        moment += loads[k] * places[k]
    for k in range(n):
        # Those up to k lie left of it, the others right.
        inside += loads[k]
        far += loads[k] * places[k]
        loads[k] = places[k] * (2.0 * inside - total) - 2.0 * far + moment


@lean
def scan(neuron, wiring, held, ground, room):
    """Gains of a neuron on all cores; where axons in are limited, those of it each core has."""
    n_cores, outside = room.gain.size, ground.column.size - 1
    here, even = held.core_of[neuron], ground.x.size == 1 and ground.y.size == 1
    beside, counted = ground.beside[0], held.limits[1] != UNLIMITED
    room.shared[:] = 0
    room.saved[:] = 0.0
    room.columns[:] = 0.0
    room.rows[:] = 0.0
    total, left = 0.0, 0.0
    for k in range(wiring.column[neuron], wiring.column[neuron + 1]):
        axon = wiring.source[k]
        low = wiring.start[axon]
        high = low + held.used[axon]
        if axon == neuron or wiring.spikes[axon] == 0.0:
            for j in range(low, high):
                room.shared[held.core[j]] += 1
            continue
        spikes = wiring.spikes[axon]
        home = outside
        if axon < held.core_of.size:
            home = held.core_of[axon]
            room.saved[home] += spikes * beside
        total += spikes
        if even:
            for j in range(low, high):
                core = held.core[j]
                if counted:
                    room.shared[core] += 1
                if core != home:
                    room.saved[core] += spikes * beside
                    if core == here and held.pins[j] == 1:
                        left += spikes * beside
            continue
        room.columns[ground.column[home]] += spikes
        room.rows[ground.row[home]] += spikes
        for j in range(low, high):
            core = held.core[j]
            if counted:
                room.shared[core] += 1
            if core != home:
                cost = spikes * _between(ground, home, core)
                room.saved[core] += cost
                if core == here and held.pins[j] == 1:
                    left += cost
    own = wiring.spikes[neuron]
    if own > 0.0:
        low = wiring.start[neuron]
        for j in range(low, low + held.used[neuron]):
            core, pins = held.core[j], held.pins[j]
            if core == here and wiring.selfed[neuron]:
                pins -= 1
            if pins > 0:
                total += own
                room.saved[core] += own * beside
                room.columns[ground.column[core]] += own
                room.rows[ground.row[core]] += own
                if core != here:
                    left += own * _between(ground, here, core)
    _potential(room.columns, ground.x)
    _potential(room.rows, ground.y)
    left -= total * beside
    for core in range(n_cores):
        cost = room.columns[ground.column[core]] + room.rows[ground.row[core]]
        room.gain[core] = left - cost + room.saved[core]
    room.gain[here] = 0.0


@lean
def share_axons(neuron, wiring, held, room):
    """How many of a neuron's sources each core has already."""
    room.shared[:] = 0
    for k in range(wiring.column[neuron], wiring.column[neuron + 1]):
        low = wiring.start[wiring.source[k]]
        for j in range(low, low + held.used[wiring.source[k]]):
            room.shared[held.core[j]] += 1


@lean
def has_room(neuron, core, wiring, held, room):
    """Whether neurons, synapses and axons in of a core allow one neuron more."""
    new = wiring.column[neuron + 1] - wiring.column[neuron] - room.shared[core]
    return (
        held.neurons[core] < held.limits[0]
        and held.axons_in[core] + new <= held.limits[1]
        and held.synapses[core] + wiring.fan_in[neuron] <= held.limits[3]
    )


@lean
def _slot(axon, core, wiring, held):
    """Slot of a destination of an axon; -1 if the core is none."""
    low = wiring.start[axon]
    for j in range(low, low + held.used[axon]):
        if held.core[j] == core:
            return j
    return -1


@lean
def _out_change(neuron, core, wiring, held, change):
    """What a move adds to the axons out of every core."""
    here = held.core_of[neuron]
    change[:] = 0
    for k in range(wiring.column[neuron], wiring.column[neuron + 1]):
        axon = wiring.source[k]
        if axon >= held.core_of.size or axon == neuron or held.core_of[axon] == NOWHERE:
            continue
        home = held.core_of[axon]
        if _slot(axon, core, wiring, held) < 0:
            change[home] += 1
        if here != NOWHERE:
            slot = _slot(axon, here, wiring, held)
            if held.pins[slot] == 1:
                change[home] -= 1
    own = held.used[neuron]
    if here != NOWHERE:
        change[here] -= own
    if wiring.selfed[neuron]:
        if here != NOWHERE and held.pins[_slot(neuron, here, wiring, held)] == 1:
            own -= 1
        if _slot(neuron, core, wiring, held) < 0:
            own += 1
    change[core] += own


@lean
def out_fits(neuron, core, wiring, held, room):
    """Whether no core would pass its limit of axons out, or be further beyond it than now."""
    if held.limits[2] == UNLIMITED:
        return True
    _out_change(neuron, core, wiring, held, room.change)
    for k in range(room.change.size):
        if room.change[k] > 0 and held.axons_out[k] + room.change[k] > held.limits[2]:
            return False
    return True


@lean
def put(neuron, core, wiring, held):
    """Put a neuron on a core, from where it is or from nowhere."""
    here = held.core_of[neuron]
    if here == core:
        return
    if here != NOWHERE:
        held.axons_out[here] -= held.used[neuron]
        held.neurons[here] -= 1
        held.synapses[here] -= wiring.fan_in[neuron]
    held.core_of[neuron] = NOWHERE  # so that its own axon is not counted twice
    for k in range(wiring.column[neuron], wiring.column[neuron + 1]):
        axon = wiring.source[k]
        home = held.core_of[axon] if axon < held.core_of.size else NOWHERE
        low = wiring.start[axon]
        last = low + held.used[axon] - 1
        gone, there = -1, -1
        for j in range(low, last + 1):
            if held.core[j] == here:
                gone = j
            elif held.core[j] == core:
                there = j
        if there >= 0:
            held.pins[there] += 1
        else:
            held.axons_in[core] += 1
            if home != NOWHERE:
                held.axons_out[home] += 1
        if gone >= 0 and held.pins[gone] > 1:
            held.pins[gone] -= 1
            gone = -1
        elif gone >= 0:
            held.axons_in[here] -= 1
            if home != NOWHERE:
                held.axons_out[home] -= 1
            if there >= 0:  # the slot is free: the last one takes its place
                held.core[gone], held.pins[gone] = held.core[last], held.pins[last]
                held.used[axon] -= 1
        if there < 0:
            if gone < 0:
                gone = last + 1
                held.used[axon] += 1
            held.core[gone], held.pins[gone] = core, 1
    held.core_of[neuron] = core
    held.axons_out[core] += held.used[neuron]
    held.neurons[core] += 1
    held.synapses[core] += wiring.fan_in[neuron]


@lean
def _best(gain):
    """The core of the largest gain, the first of equals."""
    best = 0
    for core in range(1, gain.size):
        if gain[core] > gain[best]:
            best = core
    return best


@lean
def _first_fitting(neuron, above, wiring, held, room):
    """The core of the largest gain, above a bound, that can take the neuron; -1 if none can."""
    here = held.core_of[neuron]
    tried, bound, after = 0, np.inf, -1
    while tried < CANDIDATES:
        best = -1
        for core in range(room.gain.size):
            gain = room.gain[core]
            if gain <= above or core == here or gain > bound or (gain == bound and core <= after):
                continue
            if best >= 0 and gain <= room.gain[best]:
                continue
            if has_room(neuron, core, wiring, held, room):
                best = core
        if best < 0:
            return -1
        if out_fits(neuron, best, wiring, held, room):
            return best
        bound, after = room.gain[best], best
        tried += 1
    return -1


@sequential_kernel
def fill(wiring, held):
    """Count everything anew from ``held.core_of``, in which every neuron has a core."""
    n_cores = held.neurons.size
    at = np.full(n_cores, -1, np.int64)
    held.neurons[:] = 0
    held.axons_in[:] = 0
    held.axons_out[:] = 0
    held.synapses[:] = 0
    for neuron in range(held.core_of.size):
        held.neurons[held.core_of[neuron]] += 1
        held.synapses[held.core_of[neuron]] += wiring.fan_in[neuron]
    for axon in range(held.used.size):
        low = wiring.start[axon]
        used = 0
        for k in range(low, wiring.start[axon + 1]):
            core = held.core_of[wiring.target[k]]
            if at[core] < low:
                at[core] = low + used
                held.core[low + used], held.pins[low + used] = core, 0
                held.axons_in[core] += 1
                used += 1
            held.pins[at[core]] += 1
        held.used[axon] = used
        if axon < held.core_of.size:
            held.axons_out[held.core_of[axon]] += used


@kernel
def costs(wiring, held, ground, found):
    """What the destinations of every axon cost, float64 [axons]."""
    for axon in prange(held.used.size):
        home = ground.column.size - 1
        if axon < held.core_of.size:
            home = held.core_of[axon]
        cost = 0.0
        for j in range(wiring.start[axon], wiring.start[axon] + held.used[axon]):
            if held.core[j] != home:
                cost += _between(ground, home, held.core[j])
        found[axon] = cost * wiring.spikes[axon]


@kernel
def best_gains(neurons, wiring, held, ground, found, parts):
    """The largest gain of every one of ``neurons`` on another core, float64 [neurons]."""
    for part in prange(parts):
        room = new_scratch(held, ground)
        # Neighbours share axons, whose slots are then in the processor's cache.
        for k in range(part * neurons.size // parts, (part + 1) * neurons.size // parts):
            neuron = neurons[k]
            scan(neuron, wiring, held, ground, room)
            here, best = held.core_of[neuron], -np.inf
            for core in range(room.gain.size):
                if core != here and room.gain[core] > best:
                    best = room.gain[core]
            found[k] = best


@kernel
def all_gains(neurons, cores, wiring, held, ground, found, parts):
    """The gains of every one of ``neurons`` on some cores, float64 [cores, neurons]."""
    for part in prange(parts):
        room = new_scratch(held, ground)
        for k in range(part * neurons.size // parts, (part + 1) * neurons.size // parts):
            scan(neurons[k], wiring, held, ground, room)
            for i in range(cores.size):
                found[i, k] = room.gain[cores[i]]


@sequential_kernel
def move_all(neurons, wiring, held, ground, wished, gains):
    """Move every neuron that gains by it; where the core of choice was full, what it wishes.

    ``wished``: int32 [neurons, wishes], its best cores by falling gain, and their ``gains``; -1 for
    none.
    """
    room = new_scratch(held, ground)
    for k in range(neurons.size):
        neuron = neurons[k]
        wished[k] = NOWHERE
        scan(neuron, wiring, held, ground, room)
        target = _best(room.gain)
        if room.gain[target] <= 0.0:
            continue
        core = _first_fitting(neuron, 0.0, wiring, held, room)
        if core == target:
            put(neuron, core, wiring, held)
            continue
        least = 0.0
        if core >= 0:
            least = room.gain[core]
            put(neuron, core, wiring, held)
        for i in range(wished.shape[1]):
            best = _best(room.gain)
            if room.gain[best] <= least:
                break
            wished[k, i], gains[k, i] = best, room.gain[best] - least
            room.gain[best] = 0.0


@sequential_kernel
def move_to_fitting(neuron, wiring, held, ground):
    """Move a neuron to the best core that can take it, at any price; whether there was one."""
    room = new_scratch(held, ground)
    scan(neuron, wiring, held, ground, room)
    core = _first_fitting(neuron, -np.inf, wiring, held, room)
    if core >= 0:
        put(neuron, core, wiring, held)
    return core >= 0


@sequential_kernel
def alone(neurons, core, wiring, held):
    """How many sources of every neuron have no other target on its core, int64 [neurons]."""
    found = np.zeros(neurons.size, np.int64)
    for i in range(neurons.size):
        for k in range(wiring.column[neurons[i]], wiring.column[neurons[i] + 1]):
            found[i] += held.pins[_slot(wiring.source[k], core, wiring, held)] == 1
    return found


@sequential_kernel
def move(neuron, core, wiring, held):
    """Put a neuron on a core, from where it is or from nowhere."""
    put(neuron, core, wiring, held)


@sequential_kernel
def out_change(neuron, core, wiring, held):
    """What a move adds to the axons out of every core, int64 [cores]."""
    change = np.zeros(held.neurons.size, np.int64)
    _out_change(neuron, core, wiring, held, change)
    return change


@lean
def takes(neuron, core, wiring, held, room):
    """Whether one core can take a neuron under all limits, those of other cores included."""
    shared = 0
    for k in range(wiring.column[neuron], wiring.column[neuron + 1]):
        shared += _slot(wiring.source[k], core, wiring, held) >= 0
    room.shared[core] = shared
    if not has_room(neuron, core, wiring, held, room):
        return False
    return out_fits(neuron, core, wiring, held, room)


@sequential_kernel
def fits(neuron, core, wiring, held, ground):
    """Whether one core can take a neuron under all limits, those of other cores included."""
    return takes(neuron, core, wiring, held, new_scratch(held, ground))
