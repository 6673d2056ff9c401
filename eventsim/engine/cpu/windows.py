"""Neurons joined in loops, by windows as long as their least delay: no queue of neurons.

Nothing that fires within a window arrives before its end, so that the arrivals of a window are
known when it begins. Every neuron goes through its own: at an arrival, and at the window's end, it
is asked whether it fired before. Windows are half-open; each ends at the rounded sum of its begin
and the least delay, so that no rounded arrival time lies before it. A neuron's state stays that of
its last arrival, spike or release, and a crossing is decided by its own time alone, as in
:mod:`eventsim.engine.cpu.queue`: both give the same bits.

What is faster than there: the targets of a bundle are taken a block at a time, so that propagating
them becomes vector instructions (the work per synaptic event is about 30 operations and one line of
the cache), and the neurons of one sample may be shared out to several threads. What may be slower:
every window asks every neuron. After a window in which nothing happened the next one begins where
something may, so that a silence costs one window. bench/macro/balanced.py times both.
"""

from typing import NamedTuple

import numpy as np
from numba import prange
from numpy.typing import NDArray

from eventsim.engine.bundles import OWN
from eventsim.engine.cpu.compile import kernel, lean, lean_inlined, scalar
from eventsim.engine.cpu.heap import Waiting, enlarged, pop, send, waiting_room
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
from eventsim.engine.table import ALERT, GAP, LEVEL, PEAK, RATE_MEM, RESET, SLOW

# Targets that are brought along together.
BLOCK = 64

# Fields of a neuron in one line of the cache.
V, J, L_SLOW, L_GAP, L_RATE, L_PEAK, L_ALERT = range(7)
N_LINE = 8


class WindowState(NamedTuple):
    """The neurons of one sample: the fields of :class:`eventsim.engine.cpu.queue.Cells`, and more.

    ``line`` has a neuron's state and what a propagation needs of its parameters side by side,
    [neurons, N_LINE]; ``v`` and ``j`` are views of it. While V is held its alert level is minus
    infinity. ``since`` and ``recent`` count a neuron's spikes of a ms.
    """

    time: NDArray[np.float64]
    v: NDArray[np.floating]
    j: NDArray[np.floating]
    rise: NDArray[np.floating]
    until: NDArray[np.float64]
    held: NDArray[np.int64]
    line: NDArray[np.floating]
    since: NDArray[np.float64]
    recent: NDArray[np.int64]


def make_neurons(size, real):
    """Room for the neurons of one sample."""
    flat = np.zeros(N_LINE * (size + 2), real)
    skip = -(flat.ctypes.data // flat.itemsize) % (64 // flat.itemsize)
    line = flat[skip : skip + N_LINE * size].reshape(size, N_LINE)
    return WindowState(
        np.zeros(size), line[:, V], line[:, J], np.zeros(size, real), np.zeros(size),
        np.zeros(size, np.int64), line, np.zeros(size), np.zeros(size, np.int64),
    )  # fmt: skip


_make_neurons = scalar(make_neurons)


@lean
def _begin(cells, par):
    """All neurons at time zero."""
    real, line = type(par[0, 0]), cells.line
    for n in range(par.shape[1]):
        cells.time[n], cells.since[n], cells.recent[n] = 0.0, 0.0, 0
        cells.held[n] = -1
        line[n, V], line[n, J] = real(0.0), real(0.0)
        if par[LEVEL, n] <= real(0.0):
            line[n, V] = par[RESET, n]
        line[n, L_SLOW], line[n, L_GAP] = par[SLOW, n], par[GAP, n]
        line[n, L_RATE], line[n, L_PEAK] = par[RATE_MEM, n], par[PEAK, n]
        line[n, L_ALERT] = par[ALERT, n]


@lean_inlined
def _may_fire(line, n):
    """Whether neuron n could reach its level if nothing arrived; always while V is held."""
    v, j = line[n, V], line[n, J]
    zero = type(v)(0.0)
    bound = (v if v > zero else zero) + (j if j > zero else zero) * line[n, L_PEAK]
    return bound >= line[n, L_ALERT]


@lean
def _catch_up(cells, par, refractory, n, t, spikes, start, limit, count):
    """Let neuron n fire and be let go before t; returns the number of spikes, and a time.

    The number is -1 - n where the neuron runs away. Past the limit it stops.
    """
    line = cells.line
    real = type(line[n, V])
    zero = real(0.0)
    while count <= limit:
        if cells.held[n] >= 0:
            if not cells.until[n] < t:
                break
            release(cells, par, n, spikes, start, limit)
            line[n, L_ALERT] = par[ALERT, n]
        if not _may_fire(line, n):
            break
        v, j, begin = line[n, V], line[n, J], cells.time[n]
        rise = crossing(
            v, j, real(t - begin), par[SLOW, n], par[GAP, n], par[RATE_MEM, n], par[LEVEL, n]
        )
        if rise < zero or not begin + rise < t:
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
    @scalar
    def step(taken, h, weight, after, mask):
        """A block of targets over h ms each, to an arrival; marks those that may fire before."""
        for i in range(weight.size):
            v, j = taken[V, i], taken[J, i]
            x, y, gain = propagate(h[i], taken[L_SLOW, i], taken[L_GAP, i], taken[L_RATE, i])
            v_end, j_end = fma(gain, j, x * v), y * j
            top = bound(v, j, v_end, j_end, h[i], taken[L_RATE, i], taken[L_PEAK, i])
            mask[i] = top >= taken[L_ALERT, i]
            after[0, i] = flush(v_end)
            after[1, i] = flush(j_end) + weight[i]

    return step


_near_step = _propagate(near_forward, near_highest)
_far_step = _propagate(far_forward, highest)


@lean
def _one(cells, par, refractory, n, t, weight, spikes, start, limit, count):
    """Neuron n alone meets an arrival at t; returns as :func:`_catch_up`."""
    at = t
    if cells.time[n] < t:
        count, at = _catch_up(cells, par, refractory, n, t, spikes, start, limit, count)
        advance(cells, par, n, t)
    cells.j[n] = cells.j[n] + weight
    return count, at


@lean_inlined
def _bundle(cells, par, refractory, low, high, t, fastest, loop, work, spikes, start, limit, count):
    """The synapses low : high meet an arrival at t; returns as :func:`_catch_up`."""
    taken, after, h, mask = work
    line, at = cells.line, t
    real = type(h[0])
    for begin in range(low, high, BLOCK):
        end = min(begin + BLOCK, high)
        target, weight = loop.target[begin:end], loop.weight[begin:end]
        longest = _gather(cells, target, t, taken, h)
        if fastest * longest <= real(SMALL_Z):
            _near_step(taken, h, weight, after, mask)
        else:
            _far_step(taken, h, weight, after, mask)
        for i in range(target.size):
            n = np.uint32(target[i])
            if not cells.time[n] < t:
                cells.j[n] = cells.j[n] + weight[i]
                continue
            if mask[i] != np.uint8(0):
                held, before = cells.held[n], count
                count, at = _catch_up(
                    cells, par, refractory, np.int64(n), t, spikes, start, limit, count
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
def _above(target, low, high, n):
    """First synapse of low : high whose target is n or more; targets ascend."""
    while low < high:
        middle = (low + high) // 2
        if target[middle] < n:
            low = middle + 1
        else:
            high = middle
    return low


@scalar
def _run_window(cells, par, refractory, lo, hi, due, n_due, border, fastest, loop, spikes, start,
                limit, count):  # fmt: skip
    """The neurons lo : hi in one window; returns the number of spikes so far, and a time."""
    whole = lo == 0 and hi == par.shape[1]
    work = (
        np.empty((N_LINE - 1, BLOCK), par.dtype), np.empty((2, BLOCK), par.dtype),
        np.empty(BLOCK, par.dtype), np.empty(BLOCK, np.uint8),
    )  # fmt: skip
    at = border
    for k in range(n_due):
        low, high, t = due.first[k], due.last[k], due.time[k]
        if low >= OWN:
            n = low - OWN
            if lo <= n < hi:
                count, at = _one(
                    cells, par, refractory, n, t, loop.own_weight[n], spikes, start, limit, count
                )
        else:
            if not whole:
                low = _above(loop.target, low, high, lo)
                high = _above(loop.target, low, high, hi)
            count, at = _bundle(
                cells, par, refractory, low, high, t, fastest, loop, work, spikes, start, limit,
                count,
            )  # fmt: skip
        if count < 0 or count > limit:
            return count, at
    for n in range(lo, hi):
        if not _may_fire(cells.line, n):
            continue
        count, at = _catch_up(cells, par, refractory, n, border, spikes, start, limit, count)
        if count < 0 or count > limit:
            return count, at
    return count, border


@scalar
def _send_all(heap, waiting, loop, spikes, low, high, t_end):
    """What the spikes low : high send joins the heap; returns it and its size."""
    for i in range(low, high):
        heap, waiting = send(heap, waiting, loop, spikes.neuron[i], spikes.time[i], t_end)
    return heap, waiting


@scalar
def _take(due, heap, waiting, arrivals, outside, end, border):
    """What arrives before the border, in order; returns it, its number, and what is left."""
    n_due = 0
    while True:
        inside = waiting > 0 and heap.time[0] < border
        coming = outside < end and arrivals.time[outside] < border
        if not inside and not coming:
            return due, n_due, waiting, outside
        if n_due == due.time.size:
            due = enlarged(due, 0)
        own = inside and (
            not coming
            or heap.time[0] < arrivals.time[outside]
            or (heap.time[0] == arrivals.time[outside] and heap.first[0] < arrivals.first[outside])
        )
        if own:
            due.time[n_due], due.first[n_due] = heap.time[0], heap.first[0]
            due.last[n_due] = heap.last[0]
            pop(heap, waiting)
            waiting -= 1
        else:
            due.time[n_due], due.first[n_due] = arrivals.time[outside], arrivals.first[outside]
            due.last[n_due] = arrivals.last[outside]
            outside += 1
        n_due += 1


@lean
def _next_begin(cells, par, heap, waiting, arrivals, outside, end, border, window, t_end):
    """Where the next window begins after one in which nothing happened: not after what comes next.

    That is an arrival, a release, or a spike; if none comes, the end.
    """
    coming = t_end
    if waiting > 0:
        coming = min(coming, heap.time[0])
    if outside < end:
        coming = min(coming, arrivals.time[outside])
    if not coming > border + window:
        return border
    real, line = type(par[0, 0]), cells.line
    for n in range(par.shape[1]):
        if cells.held[n] >= 0:
            coming = min(coming, cells.until[n])
        elif _may_fire(line, n):
            begin = cells.time[n]
            rise = crossing(
                line[n, V], line[n, J], real(t_end - begin), par[SLOW, n], par[GAP, n],
                par[RATE_MEM, n], par[LEVEL, n],
            )  # fmt: skip
            if rise >= real(0.0):
                coming = min(coming, begin + rise)
    return max(border, coming)


@kernel
def forward_samples(todo, arrivals, loop, par, refractory, duration, window, fastest, spikes,
                    starts, limits, counts, reached):  # fmt: skip
    """Run the samples in ``todo`` side by side.

    Spikes are written up to the limits; where a count goes past its limit, there were more.
    """
    size = par.shape[1]
    for i in prange(todo.size):
        s = todo[i]
        cells, heap, due = _make_neurons(size, par.dtype), waiting_room(64), waiting_room(64)
        _begin(cells, par)
        waiting, outside, count, at, border = 0, arrivals.offsets[s], 0, 0.0, 0.0
        while border < duration[s] and 0 <= count <= limits[s]:
            border = min(border + window, duration[s])
            due, n_due, waiting, outside = _take(
                due, heap, waiting, arrivals, outside, arrivals.offsets[s + 1], border
            )
            before = count
            count, at = _run_window(
                cells, par, refractory, 0, size, due, n_due, border, fastest, loop, spikes,
                starts[s], limits[s], count,
            )  # fmt: skip
            heap, waiting = _send_all(
                heap, waiting, loop, spikes, starts[s] + before,
                starts[s] + min(count, limits[s]), duration[s],
            )  # fmt: skip
            if n_due == 0 and count == before:
                border = _next_begin(
                    cells, par, heap, waiting, arrivals, outside, arrivals.offsets[s + 1], border,
                    window, duration[s],
                )  # fmt: skip
        counts[s], reached[s] = count, at


@kernel
def forward_parts(s, bounds, cells, arrivals, loop, par, refractory, t_end, window, fastest, spikes,
                  starts, limits, counts, reached):  # fmt: skip
    """Run sample s, the neurons ``bounds[p] : bounds[p + 1]`` of all parts p side by side.

    Starts, limits, counts and reached are by part, otherwise as :func:`forward_samples`; where one
    part had no room all counts go past their limits.
    """
    n_parts, full = bounds.size - 1, False
    heap, due = waiting_room(64), waiting_room(64)
    _begin(cells, par)
    waiting, outside, border = 0, arrivals.offsets[s], 0.0
    before = np.zeros(n_parts, np.int64)
    counts[:] = 0
    while border < t_end and not full and counts.min() >= 0:
        border = min(border + window, t_end)
        due, n_due, waiting, outside = _take(
            due, heap, waiting, arrivals, outside, arrivals.offsets[s + 1], border
        )
        due_time, due_first, due_last = due.time, due.first, due.last
        for p in prange(n_parts):
            before[p] = counts[p]
            counts[p], reached[p] = _run_window(
                cells, par, refractory, bounds[p], bounds[p + 1],
                Waiting(due_time, due_first, due_last), n_due, border, fastest, loop, spikes,
                starts[p], limits[p], counts[p],
            )  # fmt: skip
        for p in range(n_parts):
            full = full or counts[p] > limits[p]
            heap, waiting = _send_all(
                heap, waiting, loop, spikes, starts[p] + before[p],
                starts[p] + min(counts[p], limits[p]), t_end,
            )  # fmt: skip
        if n_due == 0 and np.array_equal(counts, before):
            border = _next_begin(
                cells, par, heap, waiting, arrivals, outside, arrivals.offsets[s + 1], border,
                window, t_end,
            )  # fmt: skip
    if full and counts.min() >= 0:
        counts[:] = np.maximum(counts, limits + 1)
