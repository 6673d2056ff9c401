"""A layer whose neurons all meet the same events: neurons side by side, stretch after stretch.

The inner loop takes all neurons over a stretch of a few arrivals at once, in vectors
(:mod:`eventsim.engine.cpu.lanes`), and finds those that may fire within it:
:mod:`eventsim.engine.cpu.stretch`. These, and neurons that are let go of within it, then walk the
stretch one by one, arrival by arrival, from the state before it. In most networks
events come every few tenths of a ms, so that the products of rate and stretch are below SMALL_Z and
exponentials are short polynomials ("near" loops).

Where synapses are sparse but neighbours hear much the same, as in a convolution, neurons are taken
in blocks, each of which walks the events that it hears: :mod:`eventsim.engine.cpu.blocks`.

bench/macro/w1.py measures the whole, spikes and readout included. The backward pass is
:mod:`eventsim.engine.cpu.shared_adjoint`.
"""

from typing import Any, NamedTuple

import numpy as np
from numba import prange
from numpy.typing import NDArray

from eventsim.engine.cpu.adaptive import lift_alerts, of_sample
from eventsim.engine.cpu.blocks import bounds_of, columns, events_of
from eventsim.engine.cpu.compile import kernel, lean, lean_inlined, scalar
from eventsim.engine.cpu.scalar import SMALL_Z, flush
from eventsim.engine.cpu.stretch import (
    Stretch,
    far_maps,
    far_propagators,
    far_step,
    fill,
    near_maps,
    near_step,
    new_stretch,
    polynomials,
    weight_at,
)
from eventsim.engine.cpu.walk import Held, SinceArrival, hold, keep, sort_tail, walk
from eventsim.engine.series import ITEMS, SPAN
from eventsim.engine.table import ALERT, RESET


class Room(NamedTuple):
    """What one task works in: values of every neuron of its block, and of the columns behind.

    ``alert`` is infinite where V is held, and behind the last neuron; ``far`` and ``maps`` hold
    propagators, of all neurons over a stretch and of one from item to item.
    """

    before: NDArray[np.floating[Any]]
    after: NDArray[np.floating[Any]]
    alert: NDArray[np.floating[Any]]
    table: NDArray[np.floating[Any]]
    far: NDArray[np.floating[Any]]
    maps: NDArray[np.floating[Any]]
    held: Held
    holding: NDArray[np.int64]
    walking: NDArray[np.int64]
    fired: SinceArrival
    stretch: Stretch


@scalar
def new_room(par, longest):
    """Room for a block of neurons."""
    width = par.shape[1]
    alert = np.full(width, np.inf).astype(par.dtype)
    return Room(
        np.zeros((2, width), par.dtype), np.zeros((2, width), par.dtype), alert,
        polynomials(par, longest).reshape((-1, width)), np.zeros((3, width), par.dtype),
        np.zeros((3, ITEMS), par.dtype), Held(np.full(width, -1), np.zeros(width)),
        np.zeros(width, np.int64), np.zeros(width, np.int64),
        SinceArrival(np.zeros(width, np.int64), np.zeros(width, np.int64)), new_stretch(par),
    )  # fmt: skip


@lean_inlined
def look_who_is_held(room, par, n_neurons):
    """Set alerts and who is held by ``room.held``; returns how many are."""
    alert, holding, held, n_holding = room.alert, room.holding, room.held, 0
    for n in range(n_neurons):
        alert[n] = par[ALERT, n]
        if held.spike[n] >= 0:
            alert[n], holding[n_holding] = np.inf, n
            n_holding += 1
    return n_holding


@lean_inlined
def _let_go(holding, n_holding, walking, n_walking, held, until, par, after):
    """Those held that are let go of before ``until`` walk. Returns how many are held, and walk."""
    size = 0
    for i in range(n_holding):
        n = holding[i]
        if held.until[n] < until:
            walking[n_walking] = n
            n_walking += 1
        else:
            after[0, n], holding[size] = par[RESET, n], n
            size += 1
    return size, n_walking


@lean_inlined
def meet_stretch(room, before, after, t, size, empty, n_holding, weights, par, refractory, fastest,
                 spikes, start, limit, count, arrival, since, adapt, recent):  # fmt: skip
    """All neurons go from ``before``, at t, over the stretch in ``room`` to ``after``.

    ``arrival`` and ``since`` are the number and the time of the last arrival before it; ``adapt``
    and ``recent`` as :func:`eventsim.engine.cpu.walk.walk`. Returns the number of spikes, that of
    neurons held, and the first neuron to run away, or -1, with its time.
    """
    stretch, held, alert, holding = room.stretch, room.held, room.alert, room.holding
    walking, maps, fired, item = room.walking, room.maps, room.fired, stretch.time
    until, first, failed, failed_at = item[ITEMS - 1], count, -1, item[ITEMS - 1]
    real = type(par[0, 0])
    h = real(until - t)
    near = fastest * h <= real(SMALL_Z)
    if adapt is not None:
        lift_alerts(adapt, par, alert, until)
    if near:
        n_walking = near_step(
            par, alert, room.table, before, after, weights, stretch, h, room.far, walking
        )
    else:
        far_propagators(h, par, room.far, 0, par.shape[1])
        n_walking = far_step(
            par, alert, room.table, before, after, weights, stretch, h, room.far, walking
        )
    n_holding, n_walking = _let_go(holding, n_holding, walking, n_walking, held, until, par, after)
    for i in range(n_walking):
        n = walking[i]
        if near:
            near_maps(par, n, stretch, maps)
        else:
            far_maps(par, n, stretch, maps)
        v, j, at, met, seen = before[0, n], before[1, n], t, arrival, since
        n_fired = fired.times[n] if fired.arrival[n] == arrival else 0
        for k in range(size):
            v, j, reached, total = walk(
                n, v, j, at, item[k], maps[0, k], maps[1, k], maps[2, k], par, refractory, held,
                spikes, start, limit, count, seen, n_fired, False, adapt, recent,
            )  # fmt: skip
            if total < 0:
                if failed < 0 or reached < failed_at:
                    failed, failed_at = n, reached
                break
            n_fired, count, at = n_fired + total - count, total, item[k]
            j = flush(j + weight_at(stretch, k, weights, n))
            if k < size - empty:
                met, seen, n_fired = met + 1, at, 0
        fired.arrival[n], fired.times[n] = met, n_fired
        after[0, n], after[1, n], alert[n] = v, j, par[ALERT, n]
        if held.spike[n] >= 0:
            alert[n], holding[n_holding] = np.inf, n
            n_holding += 1
    if count > first + 1:
        sort_tail(spikes, held, start + first, start + min(count, limit), start)
    return count, n_holding, failed, failed_at


@lean
def _run_block(s, low, times, rows, weights, par, refractory, t_end, fastest, longest, room,
               begin, end, spikes, start, limit, adapt):  # fmt: skip
    """The neurons from ``low`` on in one sample; n counts from there.

    Returns the number of spikes, or -1 - n where neuron n is the first to run away, a time, and
    the number of the first event that ``end`` leaves to be met.
    """
    n_neurons = refractory.size
    before, after, held, stretch = room.before, room.after, room.held, room.stretch
    item, arrival, since = stretch.time, 0, begin.time[s, low]
    for n in range(n_neurons):
        before[0, n], before[1, n] = begin.v[s, low + n], begin.j[s, low + n]
        hold(held, begin, s, n, low)
    n_holding = look_who_is_held(room, par, n_neurons)
    t, count, event, met = begin.time[s, low], 0, 0, 0
    n_events = times.size
    while n_events > 0 and times[n_events - 1] >= t_end:
        n_events -= 1
    failed, failed_at = -1, t_end
    while t < t_end and failed < 0:
        met = event
        event, size, empty, ends = fill(
            stretch, event, times, rows, n_events, t, t_end, weights, longest
        )
        if ends:
            for n in range(n_neurons):
                keep(end, s, n, low, t, before[0, n], before[1, n], held, adapt)
        until = item[ITEMS - 1]
        count, n_holding, failed, failed_at = meet_stretch(
            room, before, after, t, size, empty, n_holding, weights, par, refractory, fastest,
            spikes, start, limit, count, arrival, since, adapt, None,
        )  # fmt: skip
        if size > empty:
            arrival, since = arrival + size - empty, item[size - empty - 1]
        before, after = after, before
        t = until
    for k in range(start, start + min(count, limit)):
        spikes.neuron[k] += low
    return (count if failed < 0 else -1 - failed), failed_at, met


@kernel
def forward(todo, heard, offsets, times, rows, skip, weights, par, refractory, duration, fastest,
            begin, end, met, spikes, starts, limits, counts, reached, adapt):  # fmt: skip
    """Run the tasks in ``todo`` from state ``begin``, leaving state ``end``.

    A task is a block of one sample, of ``heard.shape[0]`` each. Counts go past the limits, spikes
    are written up to them. By sample and block, the first ``skip`` events are met in ``begin``,
    the first ``met`` in ``end``.
    """
    n_blocks, nothing = heard.shape[0], np.zeros(0, np.int64)
    longest = type(fastest)(SPAN) / fastest
    for i in prange(todo.size):
        task = todo[i]
        s, block = task // n_blocks, task % n_blocks
        low, high = bounds_of(block, n_blocks, par.shape[1])
        lo, hi = offsets[s] + skip[s, block], offsets[s + 1]
        my_times, my_rows, number = events_of(heard, block, lo, hi, times, rows, nothing)
        my_par = columns(par, low, high, weights.shape[2])
        count, reached[task], first = _run_block(
            s, low, my_times, my_rows, weights[block], my_par, refractory[low:high], duration[s],
            fastest, longest, new_room(my_par, longest), begin, end, spikes, starts[task],
            limits[task], of_sample(adapt, s, low, high),
        )  # fmt: skip
        if n_blocks > 1:
            first = number[first] if first < number.size else hi - lo
        counts[task], met[s, block] = count if count >= 0 else count - low, skip[s, block] + first
