"""The few neurons of a window that may fire go from arrival to arrival; each has its own.

A neuron's state stays that of its last arrival, spike or release; at an arrival, and at the end of
a piece of the window, it is asked whether the neuron fired before.

Arrivals are looked up in the bundles, and put one behind the other by neuron, as many as there is
room for. Then every neuron goes through its own; the propagators to several of them are found at
once, side by side in vectors.
"""

import numpy as np

from eventsim.engine.bundles import OWN
from eventsim.engine.cpu.compile import lean, lean_inlined
from eventsim.engine.cpu.queue import advance, fire, release
from eventsim.engine.cpu.scalar import crossing, flush, fma, highest
from eventsim.engine.cpu.walk import runs_away
from eventsim.engine.cpu.ways import GAIN, H, X, Y, finding
from eventsim.engine.cpu.weights import base_of, weight_at, width_of
from eventsim.engine.cpu.window_cells import (
    L_ALERT,
    L_GAP,
    L_PEAK,
    L_RATE,
    L_SLOW,
    N_WAYS,
    J,
    V,
    may_fire,
)
from eventsim.engine.cpu.window_sums import BLOCK
from eventsim.engine.table import ALERT, GAP, LEVEL, RATE_MEM, RESET, SLOW


@lean
def _catch_up(cells, par, refractory, n, t, stop, spikes, start, limit, count):
    """Let neuron n fire and be let go before t and before ``stop``.

    Returns the number of spikes, -1 - n where the neuron runs away, and a time. Past the limit it
    stops.
    """
    line = cells.line
    real = type(line[n, V])
    zero = real(0.0)
    while count <= limit:
        if cells.held[n] >= 0:
            if not cells.until[n] < min(t, stop):
                break
            release(cells, par, n, spikes, start, limit)
            line[n, L_ALERT] = par[ALERT, n]
        if not may_fire(line[n, V], line[n, J], line[n, L_PEAK], line[n, L_ALERT]):
            break
        v, j, begin = line[n, V], line[n, J], cells.time[n]
        rise = crossing(
            v, j, real(t - begin), par[SLOW, n], par[GAP, n], par[RATE_MEM, n], par[LEVEL, n]
        )
        if rise < zero or not begin + rise < min(t, stop):
            break
        cells.rise[n] = rise
        fire(cells, par, n, refractory[n], spikes, start, limit, count)
        if cells.held[n] >= 0:
            line[n, L_ALERT] = real(-np.inf)
        at = cells.time[n]
        count += 1
        if runs_away(cells.since, cells.recent, n, at):
            return -1 - n, at
    return count, t


@lean
def _pick(target, low, high, one_by_one, found):
    """The synapses low : high whose targets go one by one, to ``found``; returns their number."""
    n, k, end = np.uint64(0), np.uint64(low), np.uint64(high)
    four, one = np.uint64(4), np.uint64(1)
    while k + four <= end:
        for _ in range(4):
            found[n] = k
            n += np.uint64(one_by_one[np.uint32(target[k])])
            k += one
    while k < end:
        found[n] = k
        n += np.uint64(one_by_one[np.uint32(target[k])])
        k += one
    return np.int64(n)


@lean
def _sort(room, n_few, n_met):
    """Put the arrivals in order of their neurons; behind each one's is room for its end."""
    at = 0
    for p in range(n_few):
        room.start[p] = at
        at += room.number[p] + 1
    for e in range(n_met):
        p = room.met_by[e]
        at = room.start[p]
        room.start[p] = at + 1
        room.time[at], room.jump[at] = room.met_time[e], room.met_jump[e]


_find_ways = finding(N_WAYS)


@lean_inlined
def _goes(cells, way, par, refractory, n, time, jump, n_arrivals, stop, spikes, start, limit,
          count):  # fmt: skip
    """Neuron n comes to all times; the first are those of its arrivals, the last may be an end.

    It does not fire from ``stop`` on. Returns as
    :func:`_catch_up`.
    """
    line = cells.line
    v, j, t, alert = line[n, V], line[n, J], cells.time[n], line[n, L_ALERT]
    rate_mem, peak, at = line[n, L_RATE], line[n, L_PEAK], t
    for i in range(time.size):
        if i % N_WAYS == 0:
            _find_ways(t, time[i:], line[n, L_SLOW], line[n, L_GAP], rate_mem, way)
        until, more, k = time[i], jump[i], i % N_WAYS
        if not t < until:
            j = j + more
            continue
        v_end, j_end = fma(way[GAIN, k], j, way[X, k] * v), way[Y, k] * j
        if highest(v, j, v_end, j_end, way[H, k], rate_mem, peak) >= alert:
            last = until if i < n_arrivals else min(until, stop)
            if cells.held[n] >= 0 and cells.until[n] >= last:
                v_end = par[RESET, n]
            else:
                line[n, V], line[n, J], cells.time[n] = v, j, t
                count, at = _catch_up(
                    cells, par, refractory, n, until, last, spikes, start, limit, count
                )
                if count < 0 or count > limit:
                    return count, at
                advance(cells, par, n, until)
                v, j, alert, t = line[n, V], line[n, J] + more, line[n, L_ALERT], until
                continue
        v, j, t = flush(v_end), flush(j_end) + more, until
    line[n, V], line[n, J], cells.time[n] = v, j, t
    return count, t


@lean
def _all_go(cells, room, par, refractory, n_few, n_met, end, stop, ends, spikes, start, limit,
            count):  # fmt: skip
    """The few neurons meet the arrivals looked up, and come to the end of the piece if it ``ends``.

    Returns as :func:`_catch_up`; of several neurons that run away
    the one that is first.
    """
    failed, failed_at = 0, np.inf
    _sort(room, n_few, n_met)
    for p in range(n_few):
        n, last, number = room.few[p], room.start[p], room.number[p]
        first, room.number[p] = last - number, 0
        if ends:
            room.time[last], room.jump[last] = end, type(room.jump[0])(0.0)
            last += 1
        found, at = _goes(
            cells, room.way, par, refractory, n, room.time[first:last], room.jump[first:last],
            number, stop, spikes, start, limit, count,
        )  # fmt: skip
        if found < 0:
            if at < failed_at:
                failed, failed_at = found, at
            continue
        count = found
        if count > limit:
            return count, at
        if ends:
            cells.v_now[n], cells.j_now[n] = cells.line[n, V], cells.line[n, J]
            cells.alert[n], cells.one_by_one[n] = cells.line[n, L_ALERT], 0
    if failed < 0:
        return failed, failed_at
    return count, end


@lean
def some_meet(cells, room, par, refractory, due, low, high, first, last, end, stop, loop,
              n_few, spikes, start, limit, count):  # fmt: skip
    """The first few neurons of ``room.few`` meet the bundles first : last, and come to ``end``.

    Of every bundle the synapses low : high reach the neurons that are here. None fires from
    ``stop`` on. Returns as :func:`_catch_up`, and the number of
    events.
    """
    found, place, met, n_met = room.found, room.place, 0, 0
    for p in range(n_few):
        place[room.few[p]], room.number[p] = p, 0
    for k in range(first, last):
        t, own = due.time[k], due.first[k] >= OWN
        base, width = (
            base_of(loop.weight, np.int64(0) if own else due.first[k]),
            width_of(loop.weight),
        )
        if own:
            n = due.first[k] - OWN
            n_picked = np.int64(low[k] < high[k] and cells.one_by_one[n] != np.uint8(0))
        else:
            n_picked = _pick(loop.target, low[k], high[k], cells.one_by_one, found)
        met += n_picked
        for begin in range(0, n_picked, BLOCK):
            size = min(BLOCK, n_picked - begin)
            if n_met + size > room.met_by.size:
                count, at = _all_go(
                    cells, room, par, refractory, n_few, n_met, end, stop, False, spikes, start,
                    limit, count,
                )  # fmt: skip
                if count < 0 or count > limit:
                    return count, at, met
                n_met = 0
            for i in range(begin, begin + size):
                if own:
                    n = due.first[k] - OWN
                    w = loop.own_weight[n]
                else:
                    n = np.int64(loop.target[np.uint64(found[i])])
                    w = weight_at(base, width, found[i], room.jump[0])
                p = place[n]
                room.met_by[n_met], room.met_time[n_met], room.met_jump[n_met] = p, t, w
                room.number[p] += 1
                n_met += 1
    count, at = _all_go(
        cells, room, par, refractory, n_few, n_met, end, stop, True, spikes, start, limit, count
    )
    return count, at, met
