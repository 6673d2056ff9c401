"""Backward pass of a layer whose neurons all meet the same events, from the last event on.

The events are taken in stretches, from the last of a sample on: up to MOST arrivals within the
length of a stretch (:mod:`eventsim.engine.adjoint_series`), and then the way to the next arrival in
one step. The cut depends on the times of the arrivals alone. Neurons lie side by side in vectors,
in blocks where synapses are sparse, as in :mod:`eventsim.engine.cpu.shared`. A neuron with a spike
or a release on a stretch goes back over it by itself: :mod:`eventsim.engine.cpu.aside`.

Work per neuron and arrival in a full stretch of single precision: 12 multiply-adds, and 6 for its
part of what is done once. bench/macro/w1.py measures the whole.
"""

import numpy as np
from numba import prange

from eventsim.engine.adjoint_series import MOST
from eventsim.engine.cpu.adjoint_series import (
    by_rates,
    grown,
    horner,
    opened,
    series_table,
    spread_all,
    terms_of,
    values_of,
)
from eventsim.engine.cpu.aside import (
    Block,
    Found,
    Passage,
    Way,
    aside_of,
    back_aside,
    far_back_step,
    near_back_step,
    set_aside,
)
from eventsim.engine.cpu.blocks import bounds_of, events_of
from eventsim.engine.cpu.compile import kernel, lean, lean_inlined, scalar
from eventsim.engine.cpu.lanes import (
    LANES,
    LINE,
    fused,
    lanes_add,
    lanes_sum,
    line,
    line_at,
    put_line,
)
from eventsim.engine.cpu.scalar import SMALL_Z, decay
from eventsim.engine.cpu.walk import ALPHA, ALPHA_MEM, BETA, BETA_MEM, BETA_SYN, N_ADJOINT
from eventsim.engine.table import BY_DRIVE, BY_MEM, BY_RESET, BY_SYN, LEVEL, N_SUMS, RATE_SYN, RESET


@scalar
def _passage_of(par):
    """Room for a passage."""
    width = LINE // par.itemsize
    powers = np.zeros((len(terms_of(par)) + 1, MOST + 1), par.dtype)
    effects = np.zeros((MOST, width), par.dtype)
    return Passage(np.empty(MOST), np.empty(MOST, np.uint64), powers, effects)


@lean_inlined
def _gather(passage, times, rows, event, block):
    """The next arrivals on the way back, of those before ``event``; returns their number."""
    powers, real = passage.powers, type(block.par[0, 0])
    middle, length, n_terms = real(block.middle), real(block.length), powers.shape[0] - 1
    per_length, m = real(1.0) / length, 0
    while m < min(MOST, event):
        t = times[event - 1 - m]
        s = real(times[event - 1] - t)
        if s > length:
            break
        passage.times[m], passage.rows[m] = t, rows[event - 1 - m]
        p, u = decay(middle * s), s * per_length
        powers[n_terms, m] = u
        for q in range(n_terms):
            powers[q, m] = p
            p = p * u
        m += 1
    return m


@lean_inlined
def _together(m, passage, block, state, found):
    """The m arrivals of a stretch at all neurons, with ``state`` at the latest of them."""
    table, powers, effects = block.table, passage.powers, passage.effects
    by_weight, terms = found.by_weight, terms_of(table)
    n_terms, width = len(terms), LINE // table.itemsize
    for k in range(m):
        for i in range(width):
            effects[k, i] = 0.0
    for n in range(0, block.size, width):
        alpha, beta = line_at(state, ALPHA, n), line_at(state, BETA, n)
        rate_syn = line_at(block.par, RATE_SYN, n)
        betas, laters = opened(alpha, beta, rate_syn, table, n, terms)
        moments = spread_all(values_of(powers, 0, MOST, terms))
        for k in range(m):
            row, u = passage.rows[k], line(powers[n_terms, k])
            p, w = spread_all(values_of(powers, 0, k, terms)), line_at(block.weights, row, n)
            put_line(by_weight, row, n, fused(p[0], horner(betas, u), line_at(by_weight, row, n)))
            moments = grown(moments, w, p)
            put_line(effects, k, 0, fused(w, horner(laters, u), line_at(effects, k, 0)))
        by_mem, by_syn = by_rates(
            moments, alpha, beta, line_at(state, ALPHA_MEM, n), line_at(state, BETA_MEM, n),
            line_at(state, BETA_SYN, n), table, n, terms,
        )  # fmt: skip
        put_line(found.sums, BY_MEM, n, lanes_add(line_at(found.sums, BY_MEM, n), by_mem))
        put_line(found.sums, BY_SYN, n, lanes_add(line_at(found.sums, BY_SYN, n), by_syn))


@scalar
def _own_spikes(first, end, tape, low, high):
    """Those of the spikes ``first : end`` that are of the neurons ``low : high``."""
    own, n = np.empty(end - first, np.int64), 0
    for k in range(first, end):
        own[n] = k
        n += low <= tape.neuron[k] < high
    return own[:n]


@scalar
def _special_times(mine, low, tape, refractory, held):
    """Times at which V is reset or let go, ascending, with their neurons from ``low`` on."""
    n = mine.size
    times, neurons = np.empty(2 * n), np.empty(2 * n, np.int32)
    for i in range(n):
        neuron = tape.neuron[mine[i]] - low
        times[i], neurons[i] = tape.time[mine[i]], neuron
        times[n + i], neurons[n + i] = tape.time[mine[i]] + refractory[neuron], neuron
    if not held:
        return times[:n], neurons[:n]
    order = np.argsort(times, kind="mergesort")
    return times[order], neurons[order]


@scalar
def _way_of(size, low, mine, tape, refractory, held):
    """The spikes ``mine`` of neurons from ``low`` on, before the way back begins."""
    current, released = np.full(size, -1), np.ones(size, np.bool_)
    for i in range(mine.size):
        k = mine[i]
        current[tape.neuron[k] - low] = k
        released[tape.neuron[k] - low] = np.isnan(tape.restart[k])
    times, neurons = _special_times(mine, low, tape, refractory, held)
    return Way(tape, current, released, times, neurons)


@lean
def _go_back(times, rows, number, block, t_end, fastest, way, passage, aside, room, found, effects):
    """All neurons of a block in one sample, backward; ``room`` is for two states and times.

    Adds to ``found`` and effects; returns the number of grazes.
    """
    before, after, h, real = room[0], room[1], room[2, 0], type(block.par[0, 0])
    size, powers = block.size, passage.powers
    next_special, event, grazes = way.special.size - 1, times.size, 0
    while next_special >= 0 and way.special[next_special] >= t_end:
        next_special -= 1
    while event > 0 and times[event - 1] >= t_end:
        event -= 1
    t, m = t_end, 0
    while True:
        t_low = times[event - m - 1] if event > m else 0.0
        n_aside, next_special = set_aside(t, t_low, next_special, way, block, before, aside)
        if m > 0:
            _together(m, passage, block, before, found)
        h[:] = real(t - t_low)
        near = fastest * h[0] <= real(SMALL_Z)
        if near:
            near_back_step(size, block.par, before, after, h)
        else:
            far_back_step(size, block.par, before, after, h)
        grazes += back_aside(n_aside, m, t, t_low, near, passage, block, way, found, aside, after)
        for k in range(m):
            event -= 1
            later = powers[0, k] * lanes_sum(line_at(passage.effects, k, 0))
            effects[number[event] if number.size else event] += later
        before, after = after, before
        if event == 0:
            break
        t = t_low
        m = _gather(passage, times, rows, event, block)
    for n in range(block.refractory.size):
        if block.par[LEVEL, n] <= real(0.0):
            found.own[BY_RESET, n] += before[ALPHA, n]
            found.sums[BY_MEM, n] += block.par[RESET, n] * before[ALPHA_MEM, n]
    return grazes


@scalar
def _wide(values, low, high, size):
    """Columns ``low : high``, with columns of zeros behind, ``size`` in all."""
    out = np.zeros((values.shape[0], size + LANES), values.dtype)
    out[:, : high - low] = values[:, low:high]
    return out


@kernel
def backward(bounds, heard, offsets, times, rows, weights, par, refractory, duration, fastest,
             middle, length, spike_offsets, tape, held, by_weight, effects, sums, own,
             grazes):  # fmt: skip
    """Samples ``bounds[c] : bounds[c + 1]`` of every chunk c, whose sums are its own.

    Rows of weights are as wide as vectors ask for, see :mod:`eventsim.engine.cpu.lanes`.
    """
    n_blocks, nothing, wide = heard.shape[0], np.zeros(0, np.int64), weights.shape[2]
    table = series_table(par, middle, length)
    for chunk in prange(bounds.size - 1):
        for b in range(n_blocks):
            low, high = bounds_of(b, n_blocks, par.shape[1])
            my_table = _wide(table, low, high, wide)
            block = Block(
                wide, weights[b], _wide(par, low, high, wide), refractory[low:high],
                my_table, my_table.T.copy(), middle, length,
            )  # fmt: skip
            part, my_own = np.zeros((N_SUMS, wide), par.dtype), own[chunk, :, low:high].copy()
            found, passage, aside = (
                Found(by_weight[chunk, b], part, my_own),
                _passage_of(par),
                aside_of(block),
            )
            room = np.empty((3, N_ADJOINT, wide + LANES), par.dtype)
            for s in range(bounds[chunk], bounds[chunk + 1]):
                part[:], room[:] = 0.0, 0.0
                lo, hi = offsets[s], offsets[s + 1]
                my_times, my_rows, number = events_of(heard, b, lo, hi, times, rows, nothing)
                mine = _own_spikes(spike_offsets[s], spike_offsets[s + 1], tape, low, high)
                way = _way_of(wide, low, mine, tape, block.refractory, held)
                grazes[chunk] += _go_back(
                    my_times, my_rows, number, block, duration[s], fastest, way, passage, aside,
                    room, found, effects[lo:hi],
                )  # fmt: skip
                for i in range(N_SUMS):
                    for n in range(high - low):
                        sums[chunk, i, low + n] += part[i, n]
            own[chunk, :, low:high] = my_own
            # The sum over arrivals of weight times beta.
            for row in range(weights.shape[1]):
                for n in range(high - low):
                    met = np.float64(found.by_weight[row, n])
                    sums[chunk, BY_DRIVE, low + n] += np.float64(weights[b, row, n]) * met
