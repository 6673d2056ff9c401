"""A layer whose neurons all meet the same events: neurons side by side, event after event.

The inner loops run over neurons and are written so that the compiler turns them into vector
instructions: no branch, a contiguous weight row, the state copied from one array to another,
and no count kept. A neuron is a candidate in an interval if a cheap bound of V reaches its level.
Candidates are then walked one by one, from the state before the interval. In most networks events
come every few tenths of a ms, so that the products of rate and interval are below SMALL_Z and
exponentials are short polynomials ("near" loops).

Where synapses are sparse but neighbours hear much the same, as in a convolution, neurons are taken
in blocks, each of which walks the events that it hears: :mod:`eventsim.engine.cpu.blocks`.

Work per neuron and event: about 30 operations and 40 bytes, from the first-level cache.
bench/macro/w1.py measures the whole, spikes and readout included. The backward pass is
:mod:`eventsim.engine.cpu.shared_adjoint`.
"""

import numpy as np
from numba import prange

from eventsim.engine.cpu.blocks import bounds_of, events_of
from eventsim.engine.cpu.compile import kernel, lean_inlined, scalar
from eventsim.engine.cpu.scalar import (
    SMALL_Z,
    far_forward,
    flush,
    fma,
    highest,
    near_forward,
    near_highest,
)
from eventsim.engine.cpu.walk import Held, hold, keep, sort_tail, walk
from eventsim.engine.table import ALERT, GAP, PEAK, RATE_MEM, SLOW


def _forward_step(propagate, bound):
    @lean_inlined
    def step(par, before, after, mask, weights, row, h):
        """All neurons over h ms to the next arrival; marks the candidates.

        They are not counted here: Numba counts in 64 bits, which would halve the vectors.
        """
        for n in range(par.shape[1]):
            v, j = before[0, n], before[1, n]
            x, y, gain = propagate(h, par[SLOW, n], par[GAP, n], par[RATE_MEM, n])
            v_end, j_end = fma(gain, j, x * v), y * j
            top = bound(v, j, v_end, j_end, h, par[RATE_MEM, n], par[PEAK, n])
            mask[n] = top >= par[ALERT, n]
            after[0, n] = flush(v_end)
            after[1, n] = flush(j_end + weights[row, n])

    return step


near_step = _forward_step(near_forward, near_highest)
far_step = _forward_step(far_forward, highest)


@scalar
def _run_block(
    s, low, times, rows, weights, par, refractory, t_end, fastest, begin, end, spikes, start, limit,
):  # fmt: skip
    """The neurons from ``low`` on in one sample; n counts from there.

    Returns the number of spikes, or -1 - n where neuron n is the first to run away, and a time.
    """
    n_neurons, real = par.shape[1], type(par[0, 0])
    before, after = np.zeros((2, n_neurons), par.dtype), np.zeros((2, n_neurons), par.dtype)
    mask = np.zeros(8 * ((n_neurons + 7) // 8), np.uint8)
    words = mask.view(np.uint64)
    held = Held(np.full(n_neurons, -1), np.zeros(n_neurons))
    holding, n_holding = np.zeros(n_neurons, np.int64), 0
    for n in range(n_neurons):
        before[0, n], before[1, n] = begin.v[s, low + n], begin.j[s, low + n]
        hold(held, begin, s, n, low)
        if held.spike[n] >= 0:
            holding[n_holding] = n
            n_holding += 1
    t, count, event = begin.time[s, low], 0, 0
    failed, failed_at = -1, t_end
    while t < t_end:
        last = event >= times.size or times[event] >= t_end
        until = t_end if last else times[event]
        if last:
            for n in range(n_neurons):
                keep(end, s, n, low, t, before[0, n], before[1, n], held)
        row = weights.shape[0] - 1 if last else rows[event]
        event += 1
        h = real(until - t)
        if fastest * h <= real(SMALL_Z):
            near_step(par, before, after, mask, weights, row, h)
        else:
            far_step(par, before, after, mask, weights, row, h)
        first = count
        for i in range(n_holding):
            mask[holding[i]] = np.uint8(1)
        n_holding = 0
        for word in range(words.size):
            if words[word] == np.uint64(0):
                continue
            for n in range(8 * word, 8 * word + 8):
                if mask[n] == np.uint8(0):
                    continue
                v, j, reached, total = walk(
                    n, before[0, n], before[1, n], t, until, par, refractory,
                    held, spikes, start, limit, count, False,
                )  # fmt: skip
                if total < 0:
                    if failed < 0 or reached < failed_at:
                        failed, failed_at = n, reached
                    continue
                count = total
                after[0, n] = v
                after[1, n] = j + weights[row, n]
                if held.spike[n] >= 0:
                    holding[n_holding] = n
                    n_holding += 1
        if failed >= 0:
            return -1 - failed, failed_at
        if count > first + 1:
            sort_tail(spikes, held, start + first, start + min(count, limit), start)
        before, after = after, before
        t = until
    for k in range(start, start + min(count, limit)):
        spikes.neuron[k] += low
    return count, t_end


@kernel
def forward(todo, heard, offsets, times, rows, weights, par, refractory, duration, fastest,
            begin, end, spikes, starts, limits, counts, reached):  # fmt: skip
    """Run the tasks in ``todo`` from state ``begin``, leaving state ``end``.

    A task is a block of one sample, of ``heard.shape[0]`` each. Counts go past the limits, spikes
    are written up to them.
    """
    n_blocks, nothing = heard.shape[0], np.zeros(0, np.int64)
    for i in prange(todo.size):
        task = todo[i]
        s, block = task // n_blocks, task % n_blocks
        low, high = bounds_of(block, n_blocks, par.shape[1])
        my_times, my_rows, _ = events_of(
            heard, block, offsets[s], offsets[s + 1], times, rows, nothing
        )
        count, reached[task] = _run_block(
            s, low, my_times, my_rows, weights[block], par[:, low:high].copy(),
            refractory[low:high], duration[s], fastest, begin, end, spikes, starts[task],
            limits[task],
        )  # fmt: skip
        counts[task] = count if count >= 0 else count - low
