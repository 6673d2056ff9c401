"""Largest voltage of readout neurons that share their events, and its gradients.

Neurons lie side by side, as in :mod:`eventsim.engine.cpu.shared`, so that the compiler vectorises
over them. What is computed is told in :mod:`eventsim.adjoint.linear.voltage`, under "Maximum";
voltages are from E, in double precision.
"""

import math

import numpy as np
from numba import prange

from eventsim.engine.cpu.blocks import bounds_of, events_of, tree_sum
from eventsim.engine.cpu.compile import kernel, scalar
from eventsim.engine.cpu.scalar import SMALL_Z, far_adjoint, far_forward, near_forward

# Rows of the parameters: slow rate and gap as in :mod:`eventsim.engine.table`, then these two.
SLOW, GAP, RATE_MEM, RESISTANCE = range(4)
# Rows of the sums: dL/d(membrane rate), dL/d(synaptic rate), dL/d(resistance).
BY_MEM, BY_SYN, BY_RESISTANCE = range(3)
N_SUMS = 3


def _step(propagate):
    @scalar
    def step(v, j, h, par, v_end, j_end, value, mask):
        """Every neuron ``h`` ms later; marks those that may have exceeded their largest value."""
        for k in range(v.size):
            x, y, gain = propagate(h, par[SLOW, k], par[GAP, k], par[RATE_MEM, k])
            v_end[k] = x * v[k] + gain * j[k]
            j_end[k] = y * j[k]
            turns = (j[k] > value[k]) & (j[k] > v[k]) & (j_end[k] <= v_end[k])
            mask[k] = turns | (v_end[k] > value[k])

    return step


near_step, far_step = _step(near_forward), _step(far_forward)


@scalar
def _peak_after(v, j, a, gap):
    """Time after which v, rising now under a drive above it, turns round."""
    m = (j - v) / (a * j + gap * v)
    u = gap * m
    return m if u == 0.0 else m * (math.log1p(u) / u)


@scalar
def _note(k, v, j, v_end, j_end, begin, end, event, par, found):
    """Keep what neuron k has above its largest value so far; ``event`` ends the time, or -1."""
    value, time, arrival, slope = found
    if j[k] > value[k] and j[k] > v[k] and j_end[k] <= v_end[k]:
        since = _peak_after(v[k], j[k], par[RATE_MEM, k], par[GAP, k])
        x, _, gain = far_forward(since, par[SLOW, k], par[GAP, k], par[RATE_MEM, k])
        peak = x * v[k] + gain * j[k]
        if peak > value[k]:
            value[k], time[k], arrival[k], slope[k] = peak, begin + since, -1, 0.0
    if v_end[k] > value[k]:
        value[k], time[k], arrival[k] = v_end[k], end, event
        slope[k] = par[RATE_MEM, k] * (j_end[k] - v_end[k]) if event >= 0 else 0.0


@scalar
def _find(times, rows, weights, par, duration, found):
    """Largest values of a block of neurons in one sample, written to ``found``."""
    size, value = par.shape[1], found[0]
    v, j = np.zeros(size), np.zeros(size)
    v_end, j_end = np.zeros(size), np.zeros(size)
    mask = np.zeros(8 * ((size + 7) // 8), np.uint8)
    words = mask.view(np.uint64)
    fastest = (par[SLOW] + np.abs(par[GAP])).max()
    now, event, last = 0.0, 0, False
    while not last:
        last = event >= times.size or times[event] >= duration
        until = duration if last else times[event]
        h = until - now
        if fastest * h <= SMALL_Z:
            near_step(v, j, h, par, v_end, j_end, value, mask)
        else:
            far_step(v, j, h, par, v_end, j_end, value, mask)
        for word in range(words.size):
            if words[word] == np.uint64(0):
                continue
            for k in range(8 * word, 8 * word + 8):
                if mask[k] != np.uint8(0):
                    ends = -1 if last else event
                    _note(k, v, j, v_end, j_end, now, until, ends, par, found)
        if not last:
            weight = weights[rows[event], :size]
            for k in range(size):
                v[k] = v_end[k]
                j[k] = j_end[k] + par[RESISTANCE, k] * weight[k]
        now = until
        event += 1


@kernel
def forward(
    heard, offsets, times, rows, weights, par, duration, value, time, arrival, slope
):  # fmt: skip
    """Per sample and neuron: the largest v, when, and the event with which the time moves or -1.

    The last four, [samples, size], begin as 0, 0, -1 and 0, which is the answer where v never rises
    above 0; ``slope`` is dv/dt just before such an event.
    """
    n_blocks, nothing = heard.shape[0], np.zeros(0, np.int64)
    for task in prange(duration.size * n_blocks):
        s, block = task // n_blocks, task % n_blocks
        low, high = bounds_of(block, n_blocks, par.shape[1])
        lo, hi = offsets[s], offsets[s + 1]
        my_times, my_rows, number = events_of(heard, block, lo, hi, times, rows, nothing)
        found = (
            value[s, low:high], time[s, low:high], arrival[s, low:high], slope[s, low:high]
        )  # fmt: skip
        _find(my_times, my_rows, weights[block], par[:, low:high].copy(), duration[s], found)
        for k in range(low, high):
            if arrival[s, k] >= 0:
                arrival[s, k] = lo + (number[arrival[s, k]] if number.size else arrival[s, k])


@scalar
def _back(times, rows, number, weights, par, peak_time, by_value, by_weight, by_delay, effects,
          sums):  # fmt: skip
    """A block of neurons in one sample: see :func:`backward`."""
    size, last = par.shape[1], peak_time.max()
    effect = np.zeros(size)
    for i in range(times.size):
        if times[i] >= last:
            break
        row = rows[i]
        weight, its, its_delay = weights[row, :size], by_weight[row, :size], by_delay[row, :size]
        for k in range(size):
            since = peak_time[k] - times[i]
            later = since > 0.0
            h, up = (since if later else 0.0), (by_value[k] if later else 0.0)
            a, w = par[RATE_MEM, k], weight[k]
            _, y, gain, by_mem, by_syn = far_adjoint(h, par[SLOW, k], par[GAP, k], a)
            unit = up * par[RESISTANCE, k]
            by_time = -unit * w * (a * (y - gain))
            effect[k] = by_time
            its[k] += unit * gain
            its_delay[k] += by_time
            sums[BY_MEM, k] += unit * w * by_mem
            sums[BY_SYN, k] += unit * w * by_syn
            sums[BY_RESISTANCE, k] += up * w * gain
        effects[number[i] if number.size else i] += tree_sum(effect)


@kernel
def backward(
    bounds, heard, offsets, times, rows, weights, par, peak_time, by_value, by_weight, by_delay,
    effects, sums,
):  # fmt: skip
    """Samples ``bounds[c] : bounds[c + 1]`` of every chunk c, whose sums are its own.

    ``by_weight`` and ``by_delay`` [chunks, blocks, rows, neurons], ``sums`` [chunks, N_SUMS, size],
    ``effects`` dL/dt of every event. The part of events with which a peak moves is not in it.
    """
    n_blocks, nothing = heard.shape[0], np.zeros(0, np.int64)
    for chunk in prange(bounds.size - 1):
        for block in range(n_blocks):
            low, high = bounds_of(block, n_blocks, par.shape[1])
            my_par, my_sums = par[:, low:high].copy(), sums[chunk, :, low:high].copy()
            for s in range(bounds[chunk], bounds[chunk + 1]):
                lo, hi = offsets[s], offsets[s + 1]
                my_times, my_rows, number = events_of(heard, block, lo, hi, times, rows, nothing)
                _back(
                    my_times, my_rows, number, weights[block], my_par, peak_time[s, low:high],
                    by_value[s, low:high], by_weight[chunk, block], by_delay[chunk, block],
                    effects[lo:hi], my_sums,
                )  # fmt: skip
            sums[chunk, :, low:high] = my_sums
