"""The few neurons of a window that may fire go from arrival to arrival.

A neuron's state stays that of its last arrival, spike or release; at an arrival, and at the end of
a piece of the window, it is asked whether the neuron fired before. The targets of a bundle among
them are taken together, so that propagating them becomes vector instructions.
"""

import numpy as np

from eventsim.engine.bundles import OWN
from eventsim.engine.cpu.compile import lean, lean_inlined
from eventsim.engine.cpu.queue import advance, fire, release, runs_away
from eventsim.engine.cpu.scalar import (
    SMALL_Z,
    crossing,
    far_forward,
    flush,
    fma,
    highest,
    near_forward,
    near_highest,
)
from eventsim.engine.cpu.weights import base_of, weight_at, width_of
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
from eventsim.engine.cpu.window_sums import BLOCK
from eventsim.engine.table import ALERT, GAP, LEVEL, RATE_MEM, RESET, SLOW

# Neurons in one vector, or a few.
VECTOR = 16


@lean
def catch_up(cells, par, refractory, n, t, stop, spikes, start, limit, count):
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


@lean_inlined
def _gather(cells, target, t, taken, h):
    """The lines of some targets, and ms since their last event; returns the longest."""
    real = type(h[0])
    longest = real(0.0)
    for i in range(target.size):
        n = np.uint32(target[i])
        h[i] = real(t - cells.time[n])
        longest = max(longest, h[i])
        for c in range(N_LINE - 1):
            taken[c, i] = cells.line[n, c]
    return longest


def _propagate(propagate, bound):
    @lean
    def step(taken, h, weight, after, mask):
        """Some targets over h ms each, to an arrival; marks those that may fire before."""
        # Whole vectors, also where some of their places are not in use.
        for low in range(0, weight.size, VECTOR):
            for i in range(low, low + VECTOR):
                v, j = taken[V, i], taken[J, i]
                x, y, gain = propagate(h[i], taken[L_SLOW, i], taken[L_GAP, i], taken[L_RATE, i])
                v_end, j_end = fma(gain, j, x * v), y * j
                top = bound(v, j, v_end, j_end, h[i], taken[L_RATE, i], taken[L_PEAK, i])
                mask[i] = top >= taken[L_ALERT, i]
                after[0, i], after[1, i] = flush(v_end), flush(j_end)
        for i in range(weight.size):
            after[1, i] += weight[i]

    return step


_near_step = _propagate(near_forward, near_highest)
_far_step = _propagate(far_forward, highest)


@lean_inlined
def step_to_arrival(taken, h, longest, fastest, weight, after, mask):
    """Some targets over h ms each, ``longest`` at most; as the step that holds for these."""
    if fastest * longest <= type(longest)(SMALL_Z):
        _near_step(taken, h, weight, after, mask)
    else:
        _far_step(taken, h, weight, after, mask)


@lean
def _one(cells, par, refractory, n, t, weight, spikes, start, limit, count):
    """Neuron n alone meets an arrival at t; returns as :func:`catch_up`."""
    at = t
    if cells.time[n] < t:
        count, at = catch_up(cells, par, refractory, n, t, t, spikes, start, limit, count)
        advance(cells, par, n, t)
    cells.j[n] = cells.j[n] + weight
    return count, at


@lean_inlined
def _some(cells, par, refractory, target, weight, t, fastest, room, spikes, start, limit, count):
    """At most a block of neurons meet an arrival at t; returns as :func:`catch_up`."""
    taken, after, h, mask = room
    line, reset, at = cells.line, par[RESET], t
    longest = _gather(cells, target, t, taken, h)
    step_to_arrival(taken, h, longest, fastest, weight, after, mask)
    for i in range(target.size):
        n = np.uint32(target[i])
        if not cells.time[n] < t:
            cells.j[n] = cells.j[n] + weight[i]
            continue
        if mask[i] != np.uint8(0):
            held, before = cells.held[n], count
            if held >= 0 and cells.until[n] >= t:
                line[n, V], line[n, J], cells.time[n] = reset[n], after[1, i], t
                continue
            count, at = catch_up(
                cells, par, refractory, np.int64(n), t, t, spikes, start, limit, count
            )
            if count < 0 or count > limit:
                return count, at
            if held >= 0 or count > before:
                advance(cells, par, np.int64(n), t)
                cells.j[n] = cells.j[n] + weight[i]
                continue
        line[n, V], line[n, J], cells.time[n] = after[0, i], after[1, i], t
    return count, at


@lean
def _pick(target, low, high, one_by_one, found):
    """The synapses low : high whose targets go one by one, to ``found``; returns their number."""
    n, k = np.uint64(0), low
    while k + 4 <= high:
        for i in range(k, k + 4):
            found[n] = i
            n += np.uint64(one_by_one[np.uint32(target[i])])
        k += 4
    for i in range(k, high):
        found[n] = i
        n += np.uint64(one_by_one[np.uint32(target[i])])
    return np.int64(n)


@lean
def meet_one_by_one(cells, room, par, refractory, due, low, high, first, last, fastest, loop,
                    spikes, start, limit, count):  # fmt: skip
    """The few neurons meet the bundles first : last of those due.

    Returns as :func:`catch_up`, and the number of events.
    """
    target, weight, found = room.target, room.weight[0], room.found
    lanes = room.lines[0], room.after, room.h, room.ready
    met, at = 0, 0.0
    for k in range(first, last):
        t = due.time[k]
        if due.first[k] >= OWN:
            n = due.first[k] - OWN
            if low[k] < high[k] and cells.one_by_one[n] != np.uint8(0):
                count, at = _one(
                    cells, par, refractory, n, t, loop.own_weight[n], spikes, start, limit, count
                )
                met += 1
        else:
            n_found = _pick(loop.target, low[k], high[k], cells.one_by_one, found)
            met += n_found
            base, width = base_of(loop.weight, due.first[k]), width_of(loop.weight)
            for begin in range(0, n_found, BLOCK):
                size = min(BLOCK, n_found - begin)
                for i in range(size):
                    target[i] = loop.target[found[begin + i]]
                    weight[i] = weight_at(base, width, found[begin + i], weight[i])
                count, at = _some(
                    cells, par, refractory, target[:size], weight[:size], t, fastest, lanes,
                    spikes, start, limit, count,
                )  # fmt: skip
                if count < 0 or count > limit:
                    return count, at, met
        if count < 0 or count > limit:
            return count, at, met
    return count, at, met


@lean
def come_to_end(cells, par, refractory, n, end, stop, spikes, start, limit, count):
    """Neuron n comes to the end of a piece; it does not fire from ``stop`` on.

    Returns as :func:`catch_up`.
    """
    count, at = catch_up(cells, par, refractory, n, end, stop, spikes, start, limit, count)
    advance(cells, par, n, end)
    cells.v_now[n], cells.j_now[n] = cells.line[n, V], cells.line[n, J]
    cells.alert[n] = cells.line[n, L_ALERT]
    return count, at


@lean
def finish(cells, par, refractory, few, n_few, end, stop, spikes, start, limit, count):
    """As :func:`come_to_end` for the few neurons."""
    for i in range(n_few):
        n = few[i]
        cells.one_by_one[n] = 0
        count, at = come_to_end(cells, par, refractory, n, end, stop, spikes, start, limit, count)
        if count < 0 or count > limit:
            return count, at
    return count, end
