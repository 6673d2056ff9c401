"""A layer whose neurons all meet the same events: neurons side by side, event after event.

The inner loops run over neurons and are written so that the compiler turns them into vector
instructions: no branch, a contiguous weight row, the state copied from one array to another,
and no count kept. A neuron is a candidate in an interval if a cheap bound of V reaches its level.
Candidates are then walked one by one, from the state before the interval. In most networks events
come every few tenths of a ms, so that the products of rate and interval are below SMALL_Z and
exponentials are short polynomials ("near" loops).

Where synapses are sparse but neighbours hear much the same, as in a convolution, neurons are taken
in blocks, each of which walks the events that it hears: :mod:`eventsim.engine.cpu.blocks`.

Work per neuron and event: about 30 operations and 40 bytes forward, 70 and 150 backward, from the
first-level cache. bench/macro/w1.py measures the whole, spikes and readout included.
"""

import numpy as np
from numba import prange

from eventsim.engine.cpu.blocks import bounds_of, events_of, tree_sum
from eventsim.engine.cpu.compile import kernel, lean_inlined, scalar
from eventsim.engine.cpu.scalar import (
    SMALL_Z,
    far_adjoint,
    far_forward,
    flush,
    fma,
    highest,
    near_adjoint,
    near_forward,
    near_highest,
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


def _backward_step(propagate):
    @lean_inlined
    def step(par, before, after, weights, by_weight, row, sums, effect, h):
        """The arrival of an event at all neurons, then all neurons h ms back.

        Two loops, since the compiler gives up on one that writes ten arrays.
        """
        for n in range(par.shape[1]):
            alpha, beta, w = before[ALPHA, n], before[BETA, n], weights[row, n]
            by_weight[row, n] += beta
            sums[0, n] += w * beta
            sums[1, n] += w * before[BETA_MEM, n]
            sums[2, n] += w * before[BETA_SYN, n]
            effect[n] = w * (par[RATE_SYN, n] * beta - par[RATE_MEM, n] * alpha)
        for n in range(par.shape[1]):
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
def _run_block_back(low, times, rows, number, weights, par, refractory, t_end, fastest, mine,
                    tape, held, by_weight, effects, sums, own):  # fmt: skip
    """The neurons from ``low`` on in one sample, backward.

    Adds to by_weight, effects, sums and own; returns the number of grazes.
    """
    n_neurons, n_events, real = par.shape[1], times.size, type(par[0, 0])
    before = np.zeros((N_ADJOINT, n_neurons), par.dtype)
    after = np.zeros((N_ADJOINT, n_neurons), par.dtype)
    effect, touched = np.zeros(n_neurons, par.dtype), np.full(n_neurons, n_events + 1)
    current, released = np.full(n_neurons, -1), np.ones(n_neurons, np.bool_)
    for i in range(mine.size):
        k = mine[i]
        current[tape.neuron[k] - low] = k
        released[tape.neuron[k] - low] = np.isnan(tape.restart[k])
    special, special_neuron = _special_times(mine, low, tape, refractory, held)
    next_special, grazes = special.size - 1, 0
    while next_special >= 0 and special[next_special] >= t_end:
        next_special -= 1
    event = n_events
    while event > 0 and times[event - 1] >= t_end:
        event -= 1
    t = t_end
    row = weights.shape[0] - 1
    while True:
        event -= 1
        t_low = times[event] if event >= 0 else 0.0
        h = real(t - t_low)
        if fastest * h <= real(SMALL_Z):
            near_back_step(par, before, after, weights, by_weight, row, sums, effect, h)
        else:
            far_back_step(par, before, after, weights, by_weight, row, sums, effect, h)
        if row < weights.shape[0] - 1:
            effects[number[event + 1] if number.size else event + 1] += tree_sum(effect)
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
        if event < 0:
            break
        t, row = t_low, rows[event]
    for n in range(n_neurons):
        if par[LEVEL, n] <= real(0.0):
            own[BY_RESET, n] += before[ALPHA, n]
            sums[1, n] += par[RESET, n] * before[ALPHA_MEM, n]
    return grazes


@kernel
def backward(bounds, heard, offsets, times, rows, weights, par, refractory, duration, fastest,
             spike_offsets, tape, held, by_weight, effects, sums, own, grazes):  # fmt: skip
    """Samples ``bounds[c] : bounds[c + 1]`` of every chunk c, whose sums are its own."""
    n_blocks, nothing = heard.shape[0], np.zeros(0, np.int64)
    for chunk in prange(bounds.size - 1):
        for block in range(n_blocks):
            low, high = bounds_of(block, n_blocks, par.shape[1])
            my_par, my_own = par[:, low:high].copy(), own[chunk, :, low:high].copy()
            part = np.zeros((sums.shape[1], high - low), par.dtype)
            for s in range(bounds[chunk], bounds[chunk + 1]):
                part[:] = 0.0
                lo, hi = offsets[s], offsets[s + 1]
                my_times, my_rows, number = events_of(heard, block, lo, hi, times, rows, nothing)
                mine = _own_spikes(spike_offsets[s], spike_offsets[s + 1], tape, low, high)
                grazes[chunk] += _run_block_back(
                    low, my_times, my_rows, number, weights[block], my_par, refractory[low:high],
                    duration[s], fastest, mine, tape, held, by_weight[chunk, block],
                    effects[lo:hi], part, my_own,
                )  # fmt: skip
                for i in range(part.shape[0]):
                    for n in range(part.shape[1]):
                        sums[chunk, i, low + n] += part[i, n]
            own[chunk, :, low:high] = my_own
