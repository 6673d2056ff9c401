"""Backward pass of a layer whose neurons all meet the same events, from the last event on.

Neurons lie side by side in vectors, in blocks where synapses are sparse, as in
:mod:`eventsim.engine.cpu.shared`; a neuron with a spike or a release in an interval is walked by
itself. Work per neuron and event: about 70 operations and 150 bytes, from the first-level cache.
"""

import numpy as np
from numba import prange

from eventsim.engine.cpu.blocks import bounds_of, events_of, tree_sum
from eventsim.engine.cpu.compile import kernel, lean_inlined, scalar
from eventsim.engine.cpu.scalar import SMALL_Z, far_adjoint, near_adjoint, pull_back
from eventsim.engine.cpu.walk import (
    ALPHA,
    ALPHA_MEM,
    BETA,
    BETA_MEM,
    BETA_SYN,
    N_ADJOINT,
    walk_back,
)
from eventsim.engine.table import BY_RESET, GAP, LEVEL, RATE_MEM, RATE_SYN, RESET, SLOW


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
