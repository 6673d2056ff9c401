"""A layer whose neurons all meet the same events: neurons side by side, stretch after stretch.

The inner loop runs over neurons and is written so that the compiler turns it into vector
instructions: no branch, contiguous weight rows, the state copied from one array to another, and no
count kept. It takes all neurons over a stretch of a few arrivals at once, and marks those that may
fire within it: :mod:`eventsim.engine.cpu.stretch`. These, and neurons that are let go of within it,
are then walked one by one, arrival by arrival, from the state before the stretch. In most networks
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

from eventsim.engine.cpu.blocks import bounds_of, events_of
from eventsim.engine.cpu.compile import kernel, lean, scalar
from eventsim.engine.cpu.scalar import SMALL_Z, flush
from eventsim.engine.cpu.stretch import (
    Stretch,
    far_step,
    fill,
    near_step,
    new_stretch,
    polynomials,
    weight_at,
)
from eventsim.engine.cpu.walk import Held, SinceArrival, hold, keep, sort_tail, walk
from eventsim.engine.series import ITEMS, SPAN
from eventsim.engine.table import RESET


class Room(NamedTuple):
    """What one task works in: values of every neuron of its block."""

    before: NDArray[np.floating[Any]]
    after: NDArray[np.floating[Any]]
    mask: NDArray[np.uint8]
    words: NDArray[np.uint64]
    table: NDArray[np.floating[Any]]
    held: Held
    holding: NDArray[np.int64]
    walking: NDArray[np.int64]
    fired: SinceArrival
    stretch: Stretch


@scalar
def _room(par, longest):
    n_neurons = par.shape[1]
    mask = np.zeros(8 * ((n_neurons + 7) // 8), np.uint8)
    return Room(
        np.zeros((2, n_neurons), par.dtype), np.zeros((2, n_neurons), par.dtype), mask,
        mask.view(np.uint64), polynomials(par, longest),
        Held(np.full(n_neurons, -1), np.zeros(n_neurons)), np.zeros(n_neurons, np.int64),
        np.zeros(n_neurons + 1, np.int64),
        SinceArrival(np.zeros(n_neurons, np.int64), np.zeros(n_neurons, np.int64)),
        new_stretch(par),
    )  # fmt: skip


@lean
def _run_block(s, low, times, rows, weights, par, refractory, t_end, fastest, longest, room,
               begin, end, spikes, start, limit):  # fmt: skip
    """The neurons from ``low`` on in one sample; n counts from there.

    Returns the number of spikes, or -1 - n where neuron n is the first to run away, a time, and
    the number of the first event that ``end`` leaves to be met.
    """
    n_neurons, real = par.shape[1], type(par[0, 0])
    before, after, held, stretch = room.before, room.after, room.held, room.stretch
    holding, walking, mask, item = room.holding, room.walking, room.mask, stretch.time
    n_holding, arrival, since, fired = 0, 0, begin.time[s, low], room.fired
    for n in range(n_neurons):
        before[0, n], before[1, n] = begin.v[s, low + n], begin.j[s, low + n]
        hold(held, begin, s, n, low)
        if held.spike[n] >= 0:
            holding[n_holding] = n
            n_holding += 1
    t, count, event, met = begin.time[s, low], 0, 0, 0
    n_events = times.size
    while n_events > 0 and times[n_events - 1] >= t_end:
        n_events -= 1
    failed, failed_at = -1, t_end
    while t < t_end and failed < 0:
        met = event
        event, size, empty, ends = fill(
            stretch, event, times, rows, n_events, t_end, weights, longest
        )
        if ends:
            for n in range(n_neurons):
                keep(end, s, n, low, t, before[0, n], before[1, n], held)
        until = item[ITEMS - 1]
        h = real(until - t)
        if fastest * h <= real(SMALL_Z):
            near_step(par, room.table, before, after, mask, weights, stretch, h)
        else:
            far_step(par, room.table, before, after, mask, weights, stretch, h)
        n_holding = _let_hold(holding, n_holding, held, until, par, after, mask)
        n_walking = _marked(room.words, mask, walking)
        for k in range(size if n_walking else 0):
            first = count
            for i in range(n_walking):
                n = walking[i]
                if fired.arrival[n] != arrival:
                    fired.arrival[n], fired.times[n] = arrival, 0
                v, j, reached, total = walk(
                    n, before[0, n], before[1, n], t, item[k], par, refractory, held, spikes,
                    start, limit, count, since, fired.times[n], False,
                )  # fmt: skip
                if total < 0:
                    if failed < 0 or reached < failed_at:
                        failed, failed_at = n, reached
                    continue
                fired.times[n] += total - count
                count = total
                before[0, n], before[1, n] = v, flush(j + weight_at(stretch, k, weights, n))
            if failed >= 0:
                break
            if count > first + 1:
                sort_tail(spikes, held, start + first, start + min(count, limit), start)
            t = item[k]
            if k < size - empty:
                arrival, since = arrival + 1, t
        for i in range(n_walking):
            n = walking[i]
            after[0, n], after[1, n] = before[0, n], before[1, n]
            if held.spike[n] >= 0:
                holding[n_holding] = n
                n_holding += 1
        before, after = after, before
        t = until
        if n_walking == 0 and size > empty:
            arrival, since = arrival + size - empty, item[size - empty - 1]
    for k in range(start, start + min(count, limit)):
        spikes.neuron[k] += low
    return (count if failed < 0 else -1 - failed), failed_at, met


@lean
def _let_hold(holding, n_holding, held, until, par, after, mask):
    """Keep those held that are held on until then; the others may fire. Returns how many are."""
    size = 0
    for i in range(n_holding):
        n = holding[i]
        mask[n] = held.until[n] < until
        if not mask[n]:
            after[0, n] = par[RESET, n]
            holding[size] = n
            size += 1
    return size


@lean
def _marked(words, mask, found):
    """The marked neurons, eight asked at once; returns how many."""
    size = 0
    for word in range(words.size):
        if words[word] == np.uint64(0):
            continue
        for n in range(8 * word, 8 * word + 8):
            found[size] = n
            size += mask[n] != np.uint8(0)
    return size


@kernel
def forward(todo, heard, offsets, times, rows, skip, weights, par, refractory, duration, fastest,
            begin, end, met, spikes, starts, limits, counts, reached):  # fmt: skip
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
        my_par = par[:, low:high].copy()
        count, reached[task], first = _run_block(
            s, low, my_times, my_rows, weights[block], my_par, refractory[low:high], duration[s],
            fastest, longest, _room(my_par, longest), begin, end, spikes, starts[task],
            limits[task],
        )  # fmt: skip
        if n_blocks > 1:
            first = number[first] if first < number.size else hi - lo
        counts[task], met[s, block] = count if count >= 0 else count - low, skip[s, block] + first
