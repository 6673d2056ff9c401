"""Largest voltage of readout neurons that share their events, and its gradients.

Neurons lie side by side, as in :mod:`eventsim.engine.cpu.shared`, so that the compiler vectorises
over them. What is computed is told in :mod:`eventsim.train.voltage`, under "Maximum"; voltages are
from E, in double precision.
"""

import math

import numpy as np
from numba import prange

from eventsim.engine.cpu.compile import formula, kernel, scalar
from eventsim.engine.cpu.scalar import far_adjoint, far_forward

# Rows of the parameters: slow rate and gap as in :mod:`eventsim.engine.table`, then these two.
SLOW, GAP, RATE_MEM, RESISTANCE = range(4)
# Rows of the sums: dL/d(membrane rate), dL/d(synaptic rate), dL/d(resistance).
BY_MEM, BY_SYN, BY_RESISTANCE = range(3)
N_SUMS = 3


@formula
def _advance(v, j, h, par, v_end, j_end):
    """Every neuron ``h`` ms later."""
    for k in range(v.size):
        x, y, gain = far_forward(h, par[SLOW, k], par[GAP, k], par[RATE_MEM, k])
        v_end[k] = x * v[k] + gain * j[k]
        j_end[k] = y * j[k]


@scalar
def _peak_after(v, j, a, gap):
    """Time after which v, rising now under a drive above it, turns round."""
    m = (j - v) / (a * j + gap * v)
    u = gap * m
    return m if u == 0.0 else m * (math.log1p(u) / u)


@scalar
def _note(v, j, v_end, j_end, begin, end, event, par, found):
    """Keep what an interval has above the largest voltages so far; ``event`` ends it, or -1."""
    value, time, arrival, slope = found
    for k in range(v.size):
        if j[k] > value[k] and j[k] > v[k] and j_end[k] <= v_end[k]:
            since = _peak_after(v[k], j[k], par[RATE_MEM, k], par[GAP, k])
            x, _, gain = far_forward(since, par[SLOW, k], par[GAP, k], par[RATE_MEM, k])
            peak = x * v[k] + gain * j[k]
            if peak > value[k]:
                value[k], time[k], arrival[k], slope[k] = peak, begin + since, -1, 0.0
        if v_end[k] > value[k]:
            value[k], time[k], arrival[k] = v_end[k], end, event
            slope[k] = par[RATE_MEM, k] * (j_end[k] - v_end[k]) if event >= 0 else 0.0


@kernel
def forward(offsets, times, rows, weights, par, duration, value, time, arrival, slope):
    """Per sample and neuron: the largest v, when, and the event with which the time moves or -1.

    The last four, [samples, size], begin as 0, 0, -1 and 0, which is the answer where v never rises
    above 0; ``slope`` is dv/dt just before such an event.
    """
    for s in prange(duration.size):
        size = par.shape[1]
        v, j = np.zeros(size), np.zeros(size)
        v_end, j_end = np.zeros(size), np.zeros(size)
        found = (value[s], time[s], arrival[s], slope[s])
        now = 0.0
        for i in range(offsets[s], offsets[s + 1]):
            if times[i] >= duration[s]:
                break
            _advance(v, j, times[i] - now, par, v_end, j_end)
            _note(v, j, v_end, j_end, now, times[i], i, par, found)
            now, row = times[i], rows[i]
            for k in range(size):
                v[k] = v_end[k]
                j[k] = j_end[k] + par[RESISTANCE, k] * weights[row, k]
        _advance(v, j, duration[s] - now, par, v_end, j_end)
        _note(v, j, v_end, j_end, now, duration[s], -1, par, found)


@kernel
def backward(
    bounds, offsets, times, rows, weights, par, peak_time, by_value, by_weight, by_delay, effects,
    sums,
):  # fmt: skip
    """Samples ``bounds[c] : bounds[c + 1]`` of every chunk c, whose sums are its own.

    ``by_weight`` and ``by_delay`` [chunks, rows, size], ``sums`` [chunks, N_SUMS, size],
    ``effects`` dL/dt of every event. The part of events with which a peak moves is not in it.
    """
    for chunk in prange(bounds.size - 1):
        for s in range(bounds[chunk], bounds[chunk + 1]):
            last = peak_time[s].max()
            for i in range(offsets[s], offsets[s + 1]):
                if times[i] >= last:
                    break
                row, effect = rows[i], 0.0
                for k in range(par.shape[1]):
                    since = peak_time[s, k] - times[i]
                    later = since > 0.0
                    h, up = (since if later else 0.0), (by_value[s, k] if later else 0.0)
                    a, w = par[RATE_MEM, k], weights[row, k]
                    _, y, gain, by_mem, by_syn = far_adjoint(h, par[SLOW, k], par[GAP, k], a)
                    unit = up * par[RESISTANCE, k]
                    by_time = -unit * w * (a * (y - gain))
                    effect += by_time
                    by_weight[chunk, row, k] += unit * gain
                    by_delay[chunk, row, k] += by_time
                    sums[chunk, BY_MEM, k] += unit * w * by_mem
                    sums[chunk, BY_SYN, k] += unit * w * by_syn
                    sums[chunk, BY_RESISTANCE, k] += up * w * gain
                effects[i] += effect
