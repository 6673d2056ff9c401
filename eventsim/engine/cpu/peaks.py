"""Largest voltage of readout neurons that share their events.

What is computed is told in :mod:`eventsim.adjoint.linear.voltage`, under "Maximum"; voltages are
from E. Neurons lie side by side and go from stretch to stretch, as those that fire do
(:mod:`eventsim.engine.cpu.stretch`). The bound of V over a stretch says which of them may exceed
there what they have reached at the ends of all stretches so far, and of some that follow: only
these walk it, arrival by arrival. So a neuron walks around its maximum, and hardly elsewhere.

The way back is that of a layer whose neurons go back from their maxima:
:mod:`eventsim.engine.cpu.voltages_host`.
"""

import math
from typing import Any, NamedTuple

import numpy as np
from numba import prange
from numpy.typing import NDArray

from eventsim.engine.cpu.blocks import bounds_of, columns, events_of
from eventsim.engine.cpu.compile import kernel, lean, lean_inlined, scalar
from eventsim.engine.cpu.lanes import (
    LINE,
    first_mark,
    line,
    line_at,
    marks,
    product,
    put_line,
    where_less,
)
from eventsim.engine.cpu.scalar import SMALL_Z, TINY_SINGLE, far_forward, flush, fma
from eventsim.engine.cpu.stretch import (
    Stretch,
    far_ahead,
    far_maps,
    far_propagators,
    fill,
    items_of,
    near_ahead,
    near_maps,
    new_stretch,
    polynomials,
    weight_at,
)
from eventsim.engine.series import ITEMS, SPAN
from eventsim.engine.table import ALERT_MARGIN, GAP, RATE_MEM, SLOW

# Room for the stretches after which neurons walk, and least number of them.
STRETCH_BYTES, LEAST_STRETCHES = 1 << 18, 16


class Largest(NamedTuple):
    """By neuron: the largest v, when, and the event with which the time moves, or -1.

    ``slope`` is dv/dt just before such an event. They begin as 0, 0, -1 and 0, which is the answer
    where v never rises above 0.
    """

    value: NDArray[np.float64]
    time: NDArray[np.float64]
    arrival: NDArray[np.int64]
    slope: NDArray[np.float64]


class Stretches(NamedTuple):
    """Some stretches behind one another: v and j before each and after the last, and bounds of v.

    ``begin`` and ``event`` are where each begins, ``best`` the largest v at an end so far, [1,
    neurons].
    """

    v: NDArray[np.floating[Any]]
    j: NDArray[np.floating[Any]]
    bound: NDArray[np.floating[Any]]
    begin: NDArray[np.float64]
    event: NDArray[np.int64]
    best: NDArray[np.floating[Any]]
    table: NDArray[np.floating[Any]]
    far: NDArray[np.floating[Any]]
    maps: NDArray[np.floating[Any]]
    stretch: Stretch


@scalar
def _room(par, longest, n_events):
    width = par.shape[1]
    most = max(STRETCH_BYTES // (3 * width * par.itemsize), LEAST_STRETCHES)
    size = min(most, n_events + 1)
    states = np.zeros((2, size + 1, width), par.dtype)
    best = np.full((1, width), TINY_SINGLE).astype(par.dtype)
    return Stretches(
        states[0], states[1], np.empty((size, width), par.dtype), np.empty(size),
        np.empty(size, np.int64), best, polynomials(par, longest).reshape((-1, width)),
        np.zeros((3, width), par.dtype), np.zeros((3, ITEMS), par.dtype), new_stretch(par),
    )  # fmt: skip


def _over(ahead):
    @lean_inlined
    def over(i, par, weights, h, room):
        """All neurons over stretch i, of h ms."""
        items, best = items_of(room.stretch, weights), room.best
        for n in range(0, par.shape[1], LINE // par.itemsize):
            v, j, bound = ahead(
                n, line_at(room.v, i, n), line_at(room.j, i, n), items, par, room.table, h,
                room.far,
            )  # fmt: skip
            put_line(room.v, i + 1, n, v)
            put_line(room.j, i + 1, n, j)
            put_line(room.bound, i, n, bound)
            most = line_at(best, 0, n)
            put_line(best, 0, n, where_less(most, v, v, most))

    return over


_near_over, _far_over = _over(near_ahead), _over(far_ahead)


@lean_inlined
def _note(n, value, time, arrival, slope, found):
    found.value[n], found.time[n] = value, time
    found.arrival[n], found.slope[n] = arrival, slope


@lean_inlined
def _inside(n, v, j, v_end, j_end, begin, par, found):
    """Keep neuron n's peak between two arrivals if it is the largest v so far."""
    if not (j > found.value[n] and j > v and j_end <= v_end):
        return
    a, gap = np.float64(par[RATE_MEM, n]), np.float64(par[GAP, n])
    m = (j - v) / (a * j + gap * v)
    u = gap * m
    since = m if u == 0.0 else m * (math.log1p(u) / u)
    x, _, gain = far_forward(since, np.float64(par[SLOW, n]), gap, a)
    peak = fma(gain, j, x * v)
    if peak > found.value[n]:
        _note(n, peak, begin + since, -1, 0.0, found)


@lean
def _walk(i, n, size, empty, ends, times, weights, par, room, found):
    """Neuron n over stretch i, of which the room has the items, arrival by arrival."""
    stretch, maps, event = room.stretch, room.maps, room.event[i]
    v, j, at = room.v[i, n], room.j[i, n], room.begin[i]
    for k in range(size):
        v_end, j_end = fma(maps[2, k], j, maps[0, k] * v), maps[1, k] * j
        before, drive = np.float64(v_end), np.float64(j_end)
        _inside(n, np.float64(v), np.float64(j), before, drive, at, par, found)
        at, arrives = stretch.time[k], k < size - empty
        if before > found.value[n] and arrives:
            slope = np.float64(par[RATE_MEM, n]) * (drive - before)
            _note(n, before, at, event, slope, found)
        elif before > found.value[n] and ends:
            _note(n, before, at, -1, 0.0, found)
        v, j = v_end, flush(j_end + weight_at(stretch, k, weights, n))
        while arrives and event < times.size and times[event] == at:
            event += 1


@lean
def _find(times, rows, weights, par, t_end, fastest, longest, room, found):
    """Largest values of a block of neurons in one sample."""
    real, stretch, best, width = type(par[0, 0]), room.stretch, room.best, par.shape[1]
    t, event, ends, n_events = 0.0, 0, False, times.size
    while n_events > 0 and times[n_events - 1] >= t_end:
        n_events -= 1
    while not ends:
        n = 0
        while n < room.event.size and not ends:
            room.begin[n], room.event[n] = t, event
            event, _, _, ends = fill(
                stretch, event, times, rows, n_events, t, t_end, weights, longest
            )
            until = stretch.time[ITEMS - 1]
            h = real(until - t)
            if fastest * h <= real(SMALL_Z):
                _near_over(n, par, weights, h, room)
            else:
                far_propagators(h, par, room.far, 0, width)
                _far_over(n, par, weights, h, room)
            t, n = until, n + 1
        for i in range(n):
            filled, size, empty, last, near = False, 0, 0, False, False
            for k in range(0, width, LINE // par.itemsize):
                level = product(line(real(1.0 - ALERT_MARGIN)), line_at(best, 0, k))
                bits = marks(line_at(room.bound, i, k), level)
                while bits != np.uint64(0):
                    if not filled:
                        begin, filled = room.begin[i], True
                        _, size, empty, last = fill(
                            stretch, room.event[i], times, rows, n_events, begin, t_end, weights,
                            longest,
                        )  # fmt: skip
                        near = fastest * real(stretch.time[ITEMS - 1] - begin) <= real(SMALL_Z)
                    neuron = k + first_mark(bits)
                    bits = bits & (bits - np.uint64(1))
                    if near:
                        near_maps(par, neuron, stretch, room.maps)
                    else:
                        far_maps(par, neuron, stretch, room.maps)
                    _walk(i, neuron, size, empty, last, times, weights, par, room, found)
        for k in range(width):
            room.v[0, k], room.j[0, k] = room.v[n, k], room.j[n, k]


@kernel
def forward(
    heard, offsets, times, rows, weights, par, duration, fastest, value, time, arrival, slope
):  # fmt: skip
    """What every neuron of every sample has largest, [samples, size] each: see :class:`Largest`."""
    n_blocks, nothing = heard.shape[0], np.zeros(0, np.int64)
    longest = type(fastest)(SPAN) / fastest
    for task in prange(duration.size * n_blocks):
        s, block = task // n_blocks, task % n_blocks
        low, high = bounds_of(block, n_blocks, par.shape[1])
        lo, hi = offsets[s], offsets[s + 1]
        my_times, my_rows, number = events_of(heard, block, lo, hi, times, rows, nothing)
        my_par = columns(par, low, high, weights.shape[2])
        found = Largest(
            value[s, low:high], time[s, low:high], arrival[s, low:high], slope[s, low:high]
        )
        _find(
            my_times, my_rows, weights[block], my_par, duration[s], fastest, longest,
            _room(my_par, longest, my_times.size), found,
        )  # fmt: skip
        for k in range(low, high):
            if arrival[s, k] >= 0:
                arrival[s, k] = lo + (number[arrival[s, k]] if number.size else arrival[s, k])
