"""Compiled loops of placement: what swaps of places bring, annealing, and descent."""

from typing import Any, NamedTuple

import numpy as np

from eventsim.engine.cpu.compile import lean, sequential_kernel


class CoreField(NamedTuple):
    """What placement reads and changes; cores that are empty come last and have no flows.

    ``start, other, flow``: spikes between cores, in both directions together, by core and sorted.
    ``inward``: float64 [cores], from outside. ``column, row``: int64 [places]. ``x, y``: float64
    [columns], [rows]: how far they lie from the entry. ``at``: int64 [cores]: place of each.
    """

    start: Any
    other: Any
    flow: Any
    inward: Any
    column: Any
    row: Any
    x: Any
    y: Any
    at: Any


@lean
def _distance(field, one, other):
    """Links between two places."""
    across = abs(field.x[field.column[one]] - field.x[field.column[other]])
    return across + abs(field.y[field.row[one]] - field.y[field.row[other]])


@lean
def _outside(field, place):
    return field.x[field.column[place]] + field.y[field.row[place]]


@lean
def _swapped(field, one, other):
    """What swapping the places of two cores adds to the cost, from their neighbours alone."""
    p, q = field.at[one], field.at[other]
    change = (field.inward[other] - field.inward[one]) * (_outside(field, p) - _outside(field, q))
    for k in range(field.start[one], field.start[one + 1]):
        if field.other[k] != other:
            place = field.at[field.other[k]]
            gap = _distance(field, q, place) - _distance(field, p, place)
            change += field.flow[k] * gap
    for k in range(field.start[other], field.start[other + 1]):
        if field.other[k] != one:
            place = field.at[field.other[k]]
            gap = _distance(field, p, place) - _distance(field, q, place)
            change += field.flow[k] * gap
    return change


@sequential_kernel
def swap_changes(field, ones, others):
    """What every swap would add to the cost, float64 [swaps]."""
    found = np.empty(ones.size, np.float64)
    for k in range(ones.size):
        found[k] = _swapped(field, ones[k], others[k])
    return found


@sequential_kernel
def anneal(field, ones, others, limits, cost, least, best):
    """Swaps that add no more than their limits; the cost, the least one, whose places are best."""
    for k in range(ones.size):
        if ones[k] == others[k]:
            continue
        change = _swapped(field, ones[k], others[k])
        if change <= limits[k]:
            p = field.at[ones[k]]
            field.at[ones[k]] = field.at[others[k]]
            field.at[others[k]] = p
            cost += change
            if cost < least:
                least = cost
                best[:] = field.at
    return cost, least


@lean
def _flow(field, one, other):
    low, high = field.start[one], field.start[one + 1]
    while low < high:
        middle = (low + high) // 2
        if field.other[middle] < other:
            low = middle + 1
        else:
            high = middle
    if low < field.start[one + 1] and field.other[low] == other:
        return field.flow[low]
    return 0.0


@lean
def _shift(field, one, origin, goal, across, along):
    """Let the potentials of its neighbours know that a core went from one place to another."""
    x0, x1 = field.x[field.column[origin]], field.x[field.column[goal]]
    y0, y1 = field.y[field.row[origin]], field.y[field.row[goal]]
    for k in range(field.start[one], field.start[one + 1]):
        other, flow = field.other[k], field.flow[k]
        if x0 != x1:
            for i in range(field.x.size):
                across[other, i] += flow * (abs(field.x[i] - x1) - abs(field.x[i] - x0))
        if y0 != y1:
            for i in range(field.y.size):
                along[other, i] += flow * (abs(field.y[i] - y1) - abs(field.y[i] - y0))


@sequential_kernel
def descend(field, first, end, across, along, least):
    """The best swap of every core from ``first``, if it gains more than ``least``; how many did."""
    taken = 0
    for one in range(first, end):
        p = field.at[one]
        here = across[one, field.column[p]] + along[one, field.row[p]]
        best, found = -least, -1
        for other in range(field.at.size):
            q = field.at[other]
            change = across[one, field.column[q]] + along[one, field.row[q]] - here
            change += across[other, field.column[p]] + along[other, field.row[p]]
            change -= across[other, field.column[q]] + along[other, field.row[q]]
            # Their distance from each other stays, which only makes it worse.
            if change < best and other != one:
                change += 2.0 * _flow(field, one, other) * _distance(field, p, q)
                if change < best:
                    best, found = change, other
        if found >= 0:
            q = field.at[found]
            _shift(field, one, p, q, across, along)
            _shift(field, found, q, p, across, along)
            field.at[one], field.at[found] = q, p
            taken += 1
    return taken
