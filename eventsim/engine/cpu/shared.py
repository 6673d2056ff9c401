"""A layer whose neurons all meet the same events: neurons side by side, event after event.

The inner loops run over neurons and are written so that the compiler turns them into vector
instructions: no branch, a contiguous weight row, the state copied from one array to another,
and no count kept. A neuron is a candidate in an interval if a cheap bound of V reaches its level.
Candidates are then walked one by one, from the state before the interval. In most networks events
come every few tenths of a ms, so that the products of rate and interval are below SMALL_Z and
exponentials are short polynomials ("near" loops).

Work per neuron and event: about 30 operations and 40 bytes forward, 70 and 150 backward, from the
first-level cache. bench/macro/w1.py measures the whole, spikes and readout included.
"""

import numpy as np
from numba import prange

from eventsim.engine.cpu.compile import kernel, scalar
from eventsim.engine.cpu.scalar import (
    SMALL_Z,
    far_adjoint,
    far_forward,
    flush,
    fma,
    highest,
    near_adjoint,
    near_forward,
    pull_back,
)
from eventsim.engine.cpu.walk import (
    ALPHA,
    ALPHA_MEM,
    BETA,
    BETA_MEM,
    BETA_SYN,
    N_ADJOINT,
    Held,
    hold,
    keep,
    sort_tail,
    walk,
    walk_back,
)
from eventsim.engine.table import ALERT, BY_RESET, GAP, LEVEL, PEAK, RATE_MEM, RATE_SYN, RESET, SLOW


def _forward_step(propagate):
    @scalar
    def step(par, before, after, mask, weight, h):
        """All neurons over h ms to the next arrival; marks the candidates.

        They are not counted here: Numba counts in 64 bits, which would halve the vectors.
        """
        for n in range(weight.size):
            v, j = before[0, n], before[1, n]
            x, y, gain = propagate(h, par[SLOW, n], par[GAP, n], par[RATE_MEM, n])
            v_end, j_end = fma(gain, j, x * v), y * j
            top = highest(v, j, v_end, j_end, h, par[RATE_MEM, n], par[PEAK, n])
            mask[n] = top >= par[ALERT, n]
            after[0, n] = flush(v_end)
            after[1, n] = flush(j_end + weight[n])

    return step


near_step, far_step = _forward_step(near_forward), _forward_step(far_forward)


@scalar
def _run_sample(
    s, lo, hi, times, rows, weights, par, refractory, t_end, fastest, begin, end, spikes, start,
    limit,
):  # fmt: skip
    """One sample; returns the number of spikes, or -1 - n where neuron n runs away, and a time."""
    n_neurons, real = par.shape[1], type(par[0, 0])
    before, after = np.zeros((2, n_neurons), par.dtype), np.zeros((2, n_neurons), par.dtype)
    mask = np.zeros(8 * ((n_neurons + 7) // 8), np.uint8)
    words = mask.view(np.uint64)
    held = Held(np.full(n_neurons, -1), np.zeros(n_neurons))
    holding, n_holding = np.zeros(n_neurons, np.int64), 0
    for n in range(n_neurons):
        before[0, n], before[1, n] = begin.v[s, n], begin.j[s, n]
        hold(held, begin, s, n)
        if held.spike[n] >= 0:
            holding[n_holding] = n
            n_holding += 1
    t, count, event = begin.time[s, 0], 0, lo
    while t < t_end:
        last = event >= hi or times[event] >= t_end
        until = t_end if last else times[event]
        if last:
            for n in range(n_neurons):
                keep(end, s, n, t, before[0, n], before[1, n], held)
        weight = weights[weights.shape[0] - 1] if last else weights[rows[event]]
        event += 1
        h = real(until - t)
        if fastest * h <= real(SMALL_Z):
            near_step(par, before, after, mask, weight, h)
        else:
            far_step(par, before, after, mask, weight, h)
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
                v, j, reached, count = walk(
                    n, before[0, n], before[1, n], t, until, par, refractory,
                    held, spikes, start, limit, count, False,
                )  # fmt: skip
                if count < 0:
                    return -1 - n, reached
                after[0, n] = v
                after[1, n] = j + weight[n]
                if held.spike[n] >= 0:
                    holding[n_holding] = n
                    n_holding += 1
        if count > first + 1:
            sort_tail(spikes, held, start + first, start + min(count, limit), start)
        before, after = after, before
        t = until
    return count, t_end


@kernel
def forward(todo, offsets, times, rows, weights, par, refractory, duration, fastest,
            begin, end, spikes, starts, limits, counts, reached):  # fmt: skip
    """Run the samples in ``todo`` from state ``begin``, leaving state ``end``.

    Counts go past the limits, spikes are written up to them.
    """
    for i in prange(todo.size):
        s = todo[i]
        counts[s], reached[s] = _run_sample(
            s, offsets[s], offsets[s + 1], times, rows, weights, par, refractory,
            duration[s], fastest, begin, end, spikes, starts[s], limits[s],
        )  # fmt: skip


def _backward_step(propagate):
    @scalar
    def step(par, before, after, weight, by_weight, sums, effect, h):
        """The arrival of an event at all neurons, then all neurons h ms back.

        Two loops, since the compiler gives up on one that writes ten arrays.
        """
        for n in range(weight.size):
            alpha, beta, w = before[ALPHA, n], before[BETA, n], weight[n]
            by_weight[n] += beta
            sums[0, n] += w * beta
            sums[1, n] += w * before[BETA_MEM, n]
            sums[2, n] += w * before[BETA_SYN, n]
            effect[n] = w * (par[RATE_SYN, n] * beta - par[RATE_MEM, n] * alpha)
        for n in range(weight.size):
            maps = propagate(h, par[SLOW, n], par[GAP, n], par[RATE_MEM, n])
            state = pull_back(
                h, maps, before[ALPHA, n], before[BETA, n], before[ALPHA_MEM, n],
                before[BETA_MEM, n], before[BETA_SYN, n],
            )  # fmt: skip
            after[ALPHA, n], after[BETA, n] = state[0], state[1]
            after[ALPHA_MEM, n], after[BETA_MEM, n] = state[2], state[3]
            after[BETA_SYN, n] = state[4]

    return step


near_back_step, far_back_step = _backward_step(near_adjoint), _backward_step(far_adjoint)


@scalar
def _tree_sum(values):
    """Sum by halves, in place: the same order for every run and every machine."""
    size = values.size
    while size > 1:
        half = (size + 1) // 2
        for n in range(size - half):
            values[n] += values[n + half]
        size = half
    return values[0]


@scalar
def _special_times(first, end, tape, refractory, held):
    """Times at which V is reset or let go, ascending, with their neurons."""
    n = end - first
    if not held:
        return tape.time[first:end], tape.neuron[first:end]
    times, neurons = np.empty(2 * n), np.empty(2 * n, np.int32)
    for k in range(n):
        neuron = tape.neuron[first + k]
        times[k], neurons[k] = tape.time[first + k], neuron
        times[n + k], neurons[n + k] = tape.time[first + k] + refractory[neuron], neuron
    order = np.argsort(times, kind="mergesort")
    return times[order], neurons[order]


@scalar
def _run_sample_back(lo, hi, times, rows, weights, par, refractory, t_end, fastest, first, end,
                     tape, held, by_weight, effects, sums, own):  # fmt: skip
    """One sample backward; adds to by_weight, sums and own; returns the number of grazes."""
    n_neurons, real = par.shape[1], type(par[0, 0])
    before = np.zeros((N_ADJOINT, n_neurons), par.dtype)
    after = np.zeros((N_ADJOINT, n_neurons), par.dtype)
    effect, touched = np.zeros(n_neurons, par.dtype), np.full(n_neurons, hi + 1)
    current, released = np.full(n_neurons, -1), np.ones(n_neurons, np.bool_)
    for k in range(first, end):
        current[tape.neuron[k]] = k
        released[tape.neuron[k]] = np.isnan(tape.restart[k])
    special, special_neuron = _special_times(first, end, tape, refractory, held)
    next_special, grazes = special.size - 1, 0
    while next_special >= 0 and special[next_special] >= t_end:
        next_special -= 1
    event = hi
    while event > lo and times[event - 1] >= t_end:
        event -= 1
    t = t_end
    row = weights.shape[0] - 1
    while True:
        event -= 1
        t_low = times[event] if event >= lo else 0.0
        h = real(t - t_low)
        if fastest * h <= real(SMALL_Z):
            near_back_step(par, before, after, weights[row], by_weight[row], sums, effect, h)
        else:
            far_back_step(par, before, after, weights[row], by_weight[row], sums, effect, h)
        if row < weights.shape[0] - 1:
            effects[event + 1] = _tree_sum(effect)
        while next_special >= 0 and special[next_special] >= t_low:
            n = special_neuron[next_special]
            next_special -= 1
            if touched[n] == event:
                continue
            touched[n] = event
            for i in range(N_ADJOINT):
                after[i, n] = before[i, n]
            grazes += walk_back(
                n, after, t, t_low, par, refractory, tape, current, released, sums, own
            )
        before, after = after, before
        if event < lo:
            break
        t, row = t_low, rows[event]
    for n in range(n_neurons):
        if par[LEVEL, n] <= real(0.0):
            own[BY_RESET, n] += before[ALPHA, n]
            sums[1, n] += par[RESET, n] * before[ALPHA_MEM, n]
    return grazes


@kernel
def backward(bounds, offsets, times, rows, weights, par, refractory, duration, fastest,
             spike_offsets, tape, held, by_weight, effects, sums, own, grazes):  # fmt: skip
    """Samples ``bounds[c] : bounds[c + 1]`` of every chunk c, whose sums are its own."""
    for chunk in prange(bounds.size - 1):
        part = np.zeros(sums.shape[1:], par.dtype)
        for s in range(bounds[chunk], bounds[chunk + 1]):
            part[:] = 0.0
            grazes[chunk] += _run_sample_back(
                offsets[s], offsets[s + 1], times, rows, weights, par, refractory,
                duration[s], fastest, spike_offsets[s], spike_offsets[s + 1], tape, held,
                by_weight[chunk], effects, part, own[chunk],
            )  # fmt: skip
            for i in range(part.shape[0]):
                for n in range(part.shape[1]):
                    sums[chunk, i, n] += part[i, n]
