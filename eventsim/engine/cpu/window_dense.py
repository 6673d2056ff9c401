"""Windows of neurons that share their events: all are summed up, and the few walk, side by side.

The sums of a block of neurons lie one kind behind the other, so that an arrival meets them as
vectors of neurons; where it has no synapse its weight is zero, which changes no sum. Those that may
fire keep their fields side by side from arrival to arrival; one that does fire, or is let go, is
written back, and taken again. Operations, and their order, are those of
:mod:`eventsim.engine.cpu.window_sums` and :mod:`eventsim.engine.cpu.window_walk`, where bundles
reach any neurons, so that both give the same bits.
"""

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from eventsim.engine.cpu.compile import lean, lean_inlined
from eventsim.engine.cpu.queue import advance
from eventsim.engine.cpu.scalar import crossing, fma
from eventsim.engine.cpu.window_cells import (
    L_ALERT,
    L_GAP,
    L_PEAK,
    L_RATE,
    L_SLOW,
    N_LINE,
    J,
    V,
    may_fire,
)
from eventsim.engine.cpu.window_sums import BLOCK, TOGETHER
from eventsim.engine.cpu.window_walk import catch_up, come_to_end, step_to_arrival
from eventsim.engine.table import LEVEL, RESET


class Shared(NamedTuple):
    """Synapses of neurons that share their events, by row of the stage's wiring.

    ``weight`` [rows + 1, neurons] is zero where there is none. ``missing`` [rows, neurons] marks
    these places; it is empty if there are none. ``row`` is that of every synapse.
    """

    weight: NDArray[np.floating]
    missing: NDArray[np.uint8]
    row: NDArray[np.int32]


@lean_inlined
def _take_weights(weights, begin, room):
    """Those of a block of neurons that begins with that one; zero behind the last neuron."""
    mine = weights[begin : begin + BLOCK]
    for i in range(mine.size):
        room[i] = mine[i]
    room[mine.size :] = type(room[0])(0.0)


@lean_inlined
def add_to_all(sums, shared, rows, phi, weight):
    """TOGETHER bundles add to the sums of all neurons, one after the other.

    ``rows`` are theirs in the order of arrival, ``phi`` [TOGETHER, functions] their functions; the
    last row has no weights and makes up for bundles that are missing. ``weight`` is room.
    """
    n_functions, last = sums.shape[1] - 1, phi.shape[1] - 1
    zero = type(phi[0, 0])(0.0)
    for block in range(sums.shape[0]):
        for k in range(TOGETHER):
            _take_weights(shared.weight[rows[k]], block * BLOCK, weight[k])
        for q in range(n_functions):
            row = sums[block, q]
            f0, f1, f2, f3 = phi[0, q], phi[1, q], phi[2, q], phi[3, q]
            for i in range(BLOCK):
                first = fma(weight[1, i], f1, fma(weight[0, i], f0, row[i]))
                row[i] = fma(weight[3, i], f3, fma(weight[2, i], f2, first))
        row = sums[block, n_functions]
        for k in range(TOGETHER):
            factor, of = phi[k, last], weight[k]
            for i in range(BLOCK):
                row[i] = fma(of[i] if of[i] > zero else zero, factor, row[i])


@lean
def _take(cells, n, lines, when, i):
    """The fields of neuron n go to place i."""
    for c in range(N_LINE - 1):
        lines[c, i] = cells.line[n, c]
    when[i] = cells.time[n]


@lean
def _put(cells, n, lines, when, i):
    """What place i has of neuron n's state is written back."""
    cells.line[n, V], cells.line[n, J], cells.time[n] = lines[V, i], lines[J, i], when[i]


@lean_inlined
def _stays(cells, par, n, lines, when, i, t):
    """Whether neuron n at place i, which may fire, neither does before t nor is let go."""
    if cells.held[n] >= 0:
        return False
    v, j, begin = lines[V, i], lines[J, i], when[i]
    if not may_fire(v, j, lines[L_PEAK, i], lines[L_ALERT, i]):
        return True
    real = type(v)
    rise = crossing(
        v, j, real(t - begin), lines[L_SLOW, i], lines[L_GAP, i], lines[L_RATE, i], par[LEVEL, n]
    )
    return rise < real(0.0) or not begin + rise < t


@lean_inlined
def _each(cells, par, refractory, few, lines, when, weight, missed, after, ready, t, spikes, start,
          limit, count):  # fmt: skip
    """Some of the neurons miss an arrival at t, met another then, or may have fired before.

    Returns as :func:`~eventsim.engine.cpu.window_walk.catch_up`.
    """
    at = t
    for i in range(few.size):
        n = few[i]
        if missed.size > 0 and missed[n] != np.uint8(0):
            continue
        if not when[i] < t:
            lines[J, i] += weight[i]
            continue
        if ready[i] != np.uint8(0) and not _stays(cells, par, n, lines, when, i, t):
            if cells.held[n] >= 0 and cells.until[n] >= t:
                lines[V, i], lines[J, i], when[i] = par[RESET, n], after[1, i], t
                continue
            _put(cells, n, lines, when, i)
            count, at = catch_up(cells, par, refractory, n, t, t, spikes, start, limit, count)
            if count < 0 or count > limit:
                return count, at
            advance(cells, par, n, t)
            cells.j[n] = cells.j[n] + weight[i]
            _take(cells, n, lines, when, i)
            continue
        lines[V, i], lines[J, i], when[i] = after[0, i], after[1, i], t
    return count, at


@lean_inlined
def _step(room, block, n_lanes, t, fastest):
    """The lanes of a block go to t, each with its weight; returns whether one has to be looked at.

    That is one that may have fired, or that met another arrival at t.
    """
    lines, when, weight, h, ready = (
        room.lines[block], room.when[block], room.weight[0], room.h, room.ready,
    )  # fmt: skip
    real = type(h[0])
    longest, apart = real(0.0), False
    for i in range(n_lanes):
        h[i] = real(t - when[i])
        longest = max(longest, h[i])
        apart |= not when[i] < t
    step_to_arrival(lines, h, longest, fastest, weight[:n_lanes], room.after, ready)
    for i in range(n_lanes):
        apart |= ready[i] != np.uint8(0)
    return apart


@lean_inlined
def all_meet(cells, room, par, refractory, due, first, last, end, stop, fastest, shared, n_few,
             spikes, start, limit, count):  # fmt: skip
    """The first few neurons of ``room.few`` meet the bundles first : last, and come to ``end``.

    None fires from ``stop`` on. Returns as :func:`~eventsim.engine.cpu.window_walk.catch_up`, and
    the number of events.
    """
    few, weight, after, ready = room.few, room.weight[0], room.after, room.ready
    all_there = shared.missing.size == 0
    met, at = 0, 0.0
    for k in range(n_few):
        _take(cells, few[k], room.lines[k // BLOCK], room.when[k // BLOCK], k % BLOCK)
    for k in range(first, last):
        t = due.time[k]
        row = shared.row[due.first[k]]
        weights, missed = shared.weight[row], shared.missing[0 if all_there else row]
        for begin in range(0, n_few, BLOCK):
            size, n_missed, block = min(BLOCK, n_few - begin), 0, begin // BLOCK
            lines, when, mine = room.lines[block], room.when[block], few[begin : begin + size]
            for i in range(size):
                weight[i] = weights[mine[i]]
                if not all_there:
                    n_missed += np.int64(missed[mine[i]])
            met += size - n_missed
            apart = _step(room, block, size, t, fastest)
            if apart or n_missed > 0:
                count, at = _each(
                    cells, par, refractory, mine, lines, when, weight, missed, after, ready, t,
                    spikes, start, limit, count,
                )  # fmt: skip
                if count < 0 or count > limit:
                    return count, at, met
                continue
            for i in range(size):
                lines[V, i], lines[J, i], when[i] = after[0, i], after[1, i], t
    weight[:] = type(weight[0])(0.0)
    for begin in range(0, n_few, BLOCK):
        size, block = min(BLOCK, n_few - begin), begin // BLOCK
        lines, when, mine = room.lines[block], room.when[block], few[begin : begin + size]
        _step(room, block, size, end, fastest)
        for i in range(size):
            n = mine[i]
            cells.one_by_one[n] = 0
            if ready[i] == np.uint8(0) or _stays(cells, par, n, lines, when, i, min(end, stop)):
                cells.v_now[n], cells.j_now[n] = after[0, i], after[1, i]
                cells.alert[n] = lines[L_ALERT, i]
                continue
            _put(cells, n, lines, when, i)
            count, at = come_to_end(
                cells, par, refractory, n, end, stop, spikes, start, limit, count
            )
            if count < 0 or count > limit:
                return count, at, met
    return count, end, met
