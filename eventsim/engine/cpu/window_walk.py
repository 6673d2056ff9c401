"""The few neurons of a window that may fire go from arrival to arrival.

A neuron's state stays that of its last arrival, spike or release; at an arrival, and at the end of
a piece of the window, it is asked whether the neuron fired before. Which arrivals they meet:
:mod:`eventsim.engine.cpu.window_sparse` where bundles reach any neurons,
:mod:`eventsim.engine.cpu.window_dense` where all meet the same.
"""

import numpy as np

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
from eventsim.engine.cpu.window_cells import (
    L_ALERT,
    L_GAP,
    L_PEAK,
    L_RATE,
    L_SLOW,
    J,
    V,
    may_fire,
)
from eventsim.engine.table import ALERT, GAP, LEVEL, RATE_MEM, SLOW

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
def come_to_end(cells, par, refractory, n, end, stop, spikes, start, limit, count):
    """Neuron n comes to the end of a piece; it does not fire from ``stop`` on.

    Returns as :func:`catch_up`.
    """
    count, at = catch_up(cells, par, refractory, n, end, stop, spikes, start, limit, count)
    advance(cells, par, n, end)
    cells.v_now[n], cells.j_now[n] = cells.line[n, V], cells.line[n, J]
    cells.alert[n] = cells.line[n, L_ALERT]
    return count, at
