"""Neurons joined in loops: per sample one order of events over arrivals and crossings.

The next event is the earlier of the next arrival and the next neuron to fire or to be let go; at
one time arrivals come first. After it only the neurons that it reached change their prediction.
Arrivals and neurons wait in two binary heaps, ordered by (time, synapse) and (time, neuron).

What arrives is a bundle of synapses, see :mod:`eventsim.engine.bundles`. Spikes of other stages
arrive in a sorted list; those of the neurons themselves go through the heap.

Work per synaptic event: one propagation and a division. A neuron waits at a time before which it
cannot fire, the first of Newton's steps; the crossing itself is searched when that time comes and
nothing arrived since, so rarely. A neuron whose time moves later stays where it is until then. Per
spike one pass through each heap. A neuron's state goes from arrival to arrival as in
:mod:`eventsim.engine.cpu.fanin`, by the same operations, so that both give the same bits.
bench/macro/balanced.py times it.
"""

from typing import NamedTuple

import numpy as np
from numba import prange
from numpy.typing import NDArray

from eventsim.engine.bundles import OWN
from eventsim.engine.cpu.adaptive import crossing_within, jump, of_sample, stand
from eventsim.engine.cpu.compile import kernel, lean, scalar
from eventsim.engine.cpu.heap import pop, reschedule, send, waiting_room
from eventsim.engine.cpu.scalar import crossing, flush, fma, propagators
from eventsim.engine.cpu.walk import EARLIER, runs_away
from eventsim.engine.cpu.weights import base_of, weight_at, width_of
from eventsim.engine.table import (
    ALERT,
    ALERT_MARGIN,
    GAP,
    LEVEL,
    PEAK,
    RATE_MEM,
    RESET,
    SELF,
    SLOW,
)


class Cells(NamedTuple):
    """State of every neuron since its last event: when it was, and when V is let go.

    ``rise`` is the time from there to the crossing that is predicted; ``held`` the spike that holds
    V, or -1.
    """

    time: NDArray[np.float64]
    v: NDArray[np.floating]
    j: NDArray[np.floating]
    rise: NDArray[np.floating]
    until: NDArray[np.float64]
    held: NDArray[np.int64]


@lean
def _predict(cells, par, n, t_end, adapt):
    """When neuron n fires or is let go if nothing arrives before; infinity if not at all."""
    if cells.held[n] >= 0:
        return cells.until[n] if cells.until[n] < t_end else np.inf
    v, j = cells.v[n], cells.j[n]
    real = type(v)
    zero, t = real(0.0), cells.time[n]
    bound = (v if v > zero else zero) + (j if j > zero else zero) * par[PEAK, n]
    if bound < par[ALERT, n]:
        return np.inf
    if adapt is None:
        rise = crossing(
            v, j, real(t_end - t), par[SLOW, n], par[GAP, n], par[RATE_MEM, n], par[LEVEL, n]
        )
    else:
        rise = crossing_within(adapt, n, v, j, t, real(t_end - t), bound, par)
    cells.rise[n] = rise
    if rise < zero or t + rise >= t_end:
        return np.inf
    return t + rise


@lean
def _soonest(cells, par, n, t_end, adapt):
    """A time before which neuron n does nothing if nothing arrives; at no time after its crossing.

    It is the first of Newton's steps in :func:`crossing`, which never go back, and so a bound of
    the crossing to the bit. An adaptive threshold is never below its level at rest, but is found by
    other steps, so that its bound is a little earlier.
    """
    v, j, level = cells.v[n], cells.j[n], par[LEVEL, n]
    real = type(v)
    zero, t = real(0.0), cells.time[n]
    if cells.held[n] >= 0 or v >= level or level <= zero:
        return _predict(cells, par, n, t_end, adapt)
    bound = (v if v > zero else zero) + (j if j > zero else zero) * par[PEAK, n]
    if bound < par[ALERT, n] or not j > v:
        return np.inf
    at = t + (level - v) / (par[RATE_MEM, n] * (j - v))
    if adapt is not None:
        at = t + (at - t) * (1.0 - ALERT_MARGIN)
    return at if at < t_end else np.inf


@lean
def advance(cells, par, n, t):
    """Bring neuron n to an arrival at t."""
    v, j = cells.v[n], cells.j[n]
    x, y, gain = propagators(
        type(v)(t - cells.time[n]), par[SLOW, n], par[GAP, n], par[RATE_MEM, n]
    )
    cells.v[n] = par[RESET, n] if cells.held[n] >= 0 else flush(fma(gain, j, x * v))
    cells.j[n], cells.time[n] = flush(y * j), t


@lean
def release(cells, par, n, spikes, start, limit):
    """V of neuron n is let go."""
    j, t = cells.j[n], cells.until[n]
    _, y, _ = propagators(type(j)(t - cells.time[n]), par[SLOW, n], par[GAP, n], par[RATE_MEM, n])
    cells.v[n], cells.j[n], cells.time[n] = par[RESET, n], flush(y * j), t
    if cells.held[n] < limit:
        spikes.restart[start + cells.held[n]] = cells.j[n]
    cells.held[n] = -1


@lean
def fire(cells, par, n, refractory, spikes, start, limit, count):
    """Neuron n fires after its rise; its spike gets the number ``count``."""
    _, y, _ = propagators(cells.rise[n], par[SLOW, n], par[GAP, n], par[RATE_MEM, n])
    j, t = flush(y * cells.j[n]), cells.time[n] + cells.rise[n]
    if count < limit:
        spikes.time[start + count], spikes.neuron[start + count] = t, n
        spikes.current[start + count] = j
        if refractory == 0.0:
            spikes.restart[start + count] = j
    if refractory > 0.0:
        cells.held[n], cells.until[n] = count, t + refractory
    cells.j[n], cells.v[n], cells.time[n] = j + par[SELF, n], par[RESET, n], t


@lean
def _deliver(low, high, t, loop, cells, par, reached, n_reached, mark, epoch):
    """A bundle arrives; neurons that nothing has reached at this time yet join ``reached``."""
    own = low >= OWN
    base, width = base_of(loop.weight, np.int64(0) if own else low), width_of(loop.weight)
    for k in range(0 if own else low, 1 if own else high):
        n = low - OWN if own else np.int64(loop.target[k])
        if mark[n] != epoch:
            mark[n] = epoch
            reached[n_reached] = n
            n_reached += 1
            advance(cells, par, n, t)
        w = loop.own_weight[n] if own else weight_at(base, width, k, cells.j[n])
        cells.j[n] = cells.j[n] + w
    return n_reached


@lean
def _look_again(reached, n_reached, cells, par, heap, place, due, sure, t_end, adapt):
    """The neurons that were reached may be due earlier; those due later keep their place."""
    for i in range(n_reached):
        n = reached[i]
        sure[n] = False
        at = _soonest(cells, par, n, t_end, adapt)
        if at < due[n]:
            reschedule(heap, place, due, n, at)


@scalar
def _run_sample(
    s, arrivals, loop, par, refractory, t_end, begin, stop, spikes, start, limit, adapt
):
    """One sample; returns the number of spikes, or -1 - n where neuron n runs away, and a time."""
    size = par.shape[1]
    cells = Cells(
        begin.time[s].copy(), begin.v[s].copy(), begin.j[s].copy(), np.zeros(size, par.dtype),
        begin.until[s].copy(), np.empty(size, np.int64),
    )  # fmt: skip
    heap, place, due = np.arange(size), np.arange(size), np.full(size, np.inf)
    sure = np.zeros(size, np.bool_)
    for n in range(size):
        cells.held[n] = EARLIER if cells.until[n] >= 0.0 else -1
        reschedule(heap, place, due, n, _soonest(cells, par, n, t_end, adapt))
    bundles = waiting_room(64)
    waiting, outside, end = 0, arrivals.offsets[s], arrivals.offsets[s + 1]
    reached, n_reached = np.empty(size, np.int64), 0
    mark, epoch = np.full(size, -1), 0
    since, recent, count = begin.since[s].copy(), begin.recent[s].copy(), 0
    while True:
        t = arrivals.time[outside] if outside < end else t_end
        if waiting > 0:
            t = min(t, bundles.time[0])
        n = heap[0]
        if due[n] < t:
            if not sure[n]:
                at = _soonest(cells, par, n, t_end, adapt)
                if not at > due[n]:
                    at, sure[n] = _predict(cells, par, n, t_end, adapt), True
                reschedule(heap, place, due, n, at)
                continue
            sure[n] = False
            if cells.held[n] >= 0:
                release(cells, par, n, spikes, start, limit)
                reschedule(heap, place, due, n, _soonest(cells, par, n, t_end, adapt))
                continue
            fire(cells, par, n, refractory[n], spikes, start, limit, count)
            t = cells.time[n]
            jump(adapt, n, t)
            count += 1
            if runs_away(since, recent, n, t):
                return -1 - n, t
            reschedule(heap, place, due, n, _soonest(cells, par, n, t_end, adapt))
            bundles, waiting = send(bundles, waiting, loop, n, t, t_end)
            continue
        if not t < t_end:
            break
        epoch += 1
        n_reached = 0
        while True:
            inside = waiting > 0 and bundles.time[0] == t
            if (
                outside < end
                and arrivals.time[outside] == t
                and not (inside and bundles.first[0] < arrivals.first[outside])
            ):
                low, high = arrivals.first[outside], arrivals.last[outside]
                outside += 1
            elif inside:
                low, high = bundles.first[0], bundles.last[0]
                pop(bundles, waiting)
                waiting -= 1
            else:
                break
            n_reached = _deliver(low, high, t, loop, cells, par, reached, n_reached, mark, epoch)
        _look_again(reached, n_reached, cells, par, heap, place, due, sure, t_end, adapt)
    for n in range(size):
        stop.time[s, n], stop.v[s, n], stop.j[s, n] = cells.time[n], cells.v[n], cells.j[n]
        stop.until[s, n] = cells.until[n] if cells.held[n] >= 0 else -1.0
        stop.since[s, n], stop.recent[s, n] = since[n], recent[n]
        stand(adapt, n)
    return count, t_end


@kernel
def forward(todo, arrivals, loop, par, refractory, duration, begin, stop, spikes, starts, limits,
            counts, reached, adapt):  # fmt: skip
    """Run the samples in ``todo`` from where they stand in ``begin``, and write it to ``stop``.

    Counts go past the limits, spikes are written up to them.
    """
    for i in prange(todo.size):
        s = todo[i]
        counts[s], reached[s] = _run_sample(
            s, arrivals, loop, par, refractory, duration[s], begin, stop, spikes, starts[s],
            limits[s], of_sample(adapt, s, 0, par.shape[1]),
        )  # fmt: skip
