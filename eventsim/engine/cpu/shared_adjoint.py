"""Backward pass of a layer whose neurons all meet the same events, from the last event on.

The events are taken in stretches, from the last of a sample on: up to MOST arrivals within the
length of a stretch (:mod:`eventsim.engine.adjoint_series`), and then the way to the next arrival in
one step. The cut depends on the times of the arrivals alone. Neurons lie side by side in vectors,
in blocks where synapses are sparse, as in :mod:`eventsim.engine.cpu.shared`. A neuron with a spike
or a release on a stretch goes back over it by itself: :mod:`eventsim.engine.cpu.aside`.

So do the neurons of a loop that all meet the same events, their own spikes among them. Here the
arrivals of a stretch also end at the next spike or release of any neuron, and what they add to the
dL/dt of spikes of the loop is added at once: all that a spike caused is known before it is met. Of
a spike and an arrival at exactly the same time the arrival came first, unless it was caused without
a delay by that neuron or one of a higher number, which fire after it.

Work per neuron and arrival in a full stretch of single precision: 12 multiply-adds, and 6 for its
part of what is done once. bench/macro/w1.py measures the whole.
"""

import numpy as np
from numba import prange

from eventsim.engine.adjoint_series import (
    DECAY,
    DECAY_SYN,
    GAIN,
    GAIN_MEM,
    GAIN_SYN,
    MOST,
    TAKEN,
)
from eventsim.engine.cpu.adaptive import back_of, hand_on, take_back
from eventsim.engine.cpu.adjoint_series import (
    by_rates,
    grown,
    horner,
    lanes_of,
    opened,
    series_table,
    spread_all,
    terms_of,
    values_of,
)
from eventsim.engine.cpu.aside import (
    LATER,
    Block,
    Found,
    Way,
    aside_of,
    back_aside,
    is_before,
    passage_of,
    set_aside,
)
from eventsim.engine.cpu.blocks import bounds_of, columns, events_of
from eventsim.engine.cpu.compile import kernel, lean, lean_inlined, scalar
from eventsim.engine.cpu.lanes import (
    LANES,
    LINE,
    decay_line,
    fused,
    lanes_add,
    lanes_sum,
    line,
    line_at,
    line_from,
    product,
    put_line,
)
from eventsim.engine.cpu.scalar import SMALL_Z, far_adjoint, near_adjoint, pull_back
from eventsim.engine.cpu.walk import end_at_start
from eventsim.engine.table import (
    ALPHA,
    ALPHA_MEM,
    BETA,
    BETA_MEM,
    BETA_SYN,
    BY_DRIVE,
    BY_MEM,
    BY_SYN,
    GAP,
    N_ADJOINT,
    N_SUMS,
    RATE_MEM,
    RATE_SYN,
    SLOW,
)


def _back_step(propagate):
    @lean_inlined
    def step(size, par, before, after, h):
        """Neurons back by h ms, no event between."""
        for n in range(size):
            maps = propagate(h, par[SLOW, n], par[GAP, n], par[RATE_MEM, n])
            state = pull_back(
                h, maps, before[ALPHA, n], before[BETA, n], before[ALPHA_MEM, n],
                before[BETA_MEM, n], before[BETA_SYN, n],
            )  # fmt: skip
            after[ALPHA, n], after[BETA, n] = state[0], state[1]
            after[ALPHA_MEM, n], after[BETA_MEM, n] = state[2], state[3]
            after[BETA_SYN, n] = state[4]

    return step


_near_back_step, _far_back_step = _back_step(near_adjoint), _back_step(far_adjoint)


@lean_inlined
def _sender(event, times, cause, tape):
    """The neuron of a loop that caused an event without a delay; -1 if there is none."""
    k = cause[event] if cause.size > 0 else -1
    return np.int64(tape.neuron[k]) if k >= 0 and tape.time[k] == times[event] else np.int64(-1)


@lean_inlined
def _gather(passage, times, rows, event, block, asked, cause, next_special, way):
    """The next arrivals on the way back, of those before ``event``.

    Returns their number, and that of those whose effects are asked for.
    """
    joined = cause.size > 0 and next_special >= 0
    powers, real = passage.powers, type(block.par[0, 0])
    middle, length, n_terms = real(block.middle), real(block.length), powers.shape[0] - 1
    per_length, m, n_asked = real(1.0) / length, 0, 0
    while m < min(MOST, event):
        t = times[event - 1 - m]
        s = real(times[event - 1] - t)
        if s > length:
            break
        if joined and m > 0:
            sender = _sender(event - 1 - m, times, cause, way.tape)
            if is_before(t, sender, next_special, way):
                break
        row = rows[event - 1 - m]
        passage.times[m], passage.rows[m], passage.since[m], passage.asked[n_asked] = t, row, s, m
        n_asked += asked[row]
        m += 1
    for k in range(m, MOST):
        passage.times[k] = -1.0
    for k in range(0, MOST, LINE // powers.itemsize):  # those behind the last as well
        s = line_from(passage.since, k)
        p, u = decay_line(product(line(middle), s)), product(s, line(per_length))
        put_line(powers, n_terms, k, u)
        for q in range(n_terms):
            put_line(powers, q, k, p)
            p = product(p, u)
    return m, n_asked


@lean_inlined
def _arrival(k, n, passage, block, betas, moments, by_weight):
    """What arrival k adds at the neurons from n on; returns the moments, its weights, and u."""
    powers, terms, row = passage.powers, terms_of(block.table), passage.rows[k]
    u, w = line(powers[len(terms), k]), line_at(block.weights, row, n)
    p = spread_all(values_of(powers, 0, k, terms))
    put_line(by_weight, row, n, fused(p[0], horner(betas, u), line_at(by_weight, row, n)))
    return grown(moments, w, p), w, u


@lean_inlined
def _together(m, n_asked, passage, block, state, found):
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
        decays = lanes_of(table, DECAY * n_terms, n, terms)
        gains = lanes_of(table, GAIN * n_terms, n, terms)
        taken = lanes_of(table, TAKEN * n_terms, n, terms)
        betas, laters = opened(alpha, beta, rate_syn, decays, gains, taken)
        moments = spread_all(values_of(powers, 0, MOST, terms))
        # In one loop where all are asked for: the weights are loaded once.
        if n_asked == m:
            for k in range(m):
                moments, w, u = _arrival(k, n, passage, block, betas, moments, by_weight)
                put_line(effects, k, 0, fused(w, horner(laters, u), line_at(effects, k, 0)))
        else:
            for k in range(m):
                moments, _, _ = _arrival(k, n, passage, block, betas, moments, by_weight)
            for i in range(n_asked):
                k = passage.asked[i]
                u, w = line(powers[n_terms, k]), line_at(block.weights, passage.rows[k], n)
                put_line(effects, k, 0, fused(w, horner(laters, u), line_at(effects, k, 0)))
        by_mem, by_syn = by_rates(
            moments, alpha, beta, line_at(state, ALPHA_MEM, n), line_at(state, BETA_MEM, n),
            line_at(state, BETA_SYN, n), decays, gains,
            lanes_of(table, GAIN_MEM * n_terms, n, terms),
            lanes_of(table, GAIN_SYN * n_terms, n, terms),
            lanes_of(table, DECAY_SYN * n_terms, n, terms),
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
    reset, neurons = np.empty(n), np.empty(n, np.int32)
    let_go, ascends = np.empty(n), True
    for i in range(n):
        neuron = tape.neuron[mine[i]] - low
        reset[i], neurons[i] = tape.time[mine[i]], neuron
        let_go[i] = reset[i] + refractory[neuron]
        ascends = ascends and (i == 0 or let_go[i - 1] <= let_go[i])
    if not held:
        return reset, neurons
    # Refractory times that are alike leave the order as it is.
    order = np.arange(n) if ascends else np.argsort(let_go, kind="mergesort")
    times, both = np.empty(2 * n), np.empty(2 * n, np.int32)
    i = k = 0
    while i < n or k < n:
        if k == n or (i < n and reset[i] <= let_go[order[k]]):
            times[i + k], both[i + k] = reset[i], neurons[i]
            i += 1
        else:
            times[i + k], both[i + k] = let_go[order[k]], neurons[order[k]]
            k += 1
    return times, both


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


@lean_inlined
def _add_effects(n_asked, event, passage, number, cause, tape, effects):
    """What the arrivals before ``event`` add to dL/dt of the spikes that caused them."""
    for i in range(n_asked):
        k = passage.asked[i]
        later = lanes_sum(line_at(passage.effects, k, 0)) + passage.own[LATER, k]
        at = number[event - 1 - k] if number.size else event - 1 - k
        effect = passage.powers[0, k] * later
        effects[at] += effect
        if cause.size > 0 and cause[at] >= 0:
            tape.through[cause[at]] += effect


@scalar
def block_of(weights, par, refractory, low, high, table, middle, length):
    """The neurons ``low : high`` with their ``weights``, and of the whole layer what is theirs."""
    wide = weights.shape[1]
    mine = columns(table, low, high, wide + LANES)
    own = columns(par, low, high, wide + LANES)
    return Block(wide, weights, own, refractory[low:high], mine, mine.T.copy(), middle, length)


@lean
def go_back(times, rows, number, cause, block, t_end, t_begin, fastest, way, passage, aside, room,
            now, found, asked, effects, adapt):  # fmt: skip
    """All neurons of a block in one sample, backward; in ``room`` for two, state ``now`` is given.

    Adds to ``found`` and effects; returns the number of the last state in ``room``, and of grazes.
    """
    real, joined = type(block.par[0, 0]), cause.size > 0
    size = block.size
    next_special, event, grazes = way.special.size - 1, times.size, 0
    while next_special >= 0 and way.special[next_special] >= t_end:
        next_special -= 1
    while event > 0 and times[event - 1] >= t_end:
        event -= 1
    passage.times[:] = -1.0  # no arrival yet; another sample's may be left
    t, m, n_asked, n_aside = t_end, 0, 0, 0
    while True:
        before, after = room[now], room[1 - now]
        t_low, sender = t_begin, np.int64(-1)
        if event > m:
            t_low = times[event - m - 1]
            sender = _sender(event - m - 1, times, cause, way.tape)
        if not joined:
            n_aside, next_special = set_aside(t_low, sender, next_special, way, before, aside)
        if m > 0:
            _together(m, n_asked, passage, block, before, found)
        if joined:
            # All spikes and releases are before the arrivals: none of these is met aside.
            passage.own[LATER, :] = 0.0
            _add_effects(n_asked, event, passage, number, cause, way.tape, effects)
            passage.times[:] = -1.0
            n_aside, next_special = set_aside(t_low, sender, next_special, way, before, aside)
        h = real(t - t_low)
        if fastest * h <= real(SMALL_Z):
            _near_back_step(size, block.par, before, after, h)
        else:
            _far_back_step(size, block.par, before, after, h)
        grazes += back_aside(
            n_aside, 0 if joined else m, t, t_low, sender, passage, block, way, found, aside, after,
            adapt,
        )  # fmt: skip
        if not joined:
            _add_effects(n_asked, event, passage, number, cause, way.tape, effects)
        event -= m
        now = 1 - now
        if event == 0:
            break
        t = t_low
        m, n_asked = _gather(passage, times, rows, event, block, asked, cause, next_special, way)
    return now, grazes


@lean
def _take(way_back, s, low, high, state):
    """The state of the neurons ``low : high`` of sample s at its end; zeros if nothing is given."""
    if way_back.adjoint.size > 0:
        for i in range(N_ADJOINT):
            for n in range(low, high):
                state[i, n - low] = way_back.adjoint[s, i, n]


@lean
def _hand_on(way_back, s, low, high, state):
    """Undo :func:`_take`, with the state at the begin."""
    if way_back.adjoint.size > 0:
        for i in range(N_ADJOINT):
            for n in range(low, high):
                way_back.adjoint[s, i, n] = state[i, n - low]


@scalar
def add_part(part, low, high, sums):
    """Add what a sample gave the neurons ``low : high`` to their sums."""
    for i in range(N_SUMS):
        for n in range(high - low):
            sums[i, low + n] += part[i, n]


@scalar
def add_by_drive(found, weights, low, high, sums):
    """Add to the sums of the neurons ``low : high`` that over arrivals of weight times beta."""
    for row in range(weights.shape[0]):
        for n in range(high - low):
            met = np.float64(found.by_weight[row, n])
            sums[BY_DRIVE, low + n] += np.float64(weights[row, n]) * met


@kernel
def backward(bounds, heard, offsets, times, rows, cause, weights, par, refractory, duration,
             fastest, middle, length, asked, spike_offsets, tape, held, way_back, by_weight,
             effects, sums, own, grazes, adapt):  # fmt: skip
    """Samples ``bounds[c] : bounds[c + 1]`` of every chunk c, whose sums are its own.

    Effects are those of the events of rows that are ``asked`` for, else zero. In a loop, which is
    one block, ``cause`` is the number of every event's spike among those of the loop, -1 for one of
    another stage; without entries there is no loop.

    Rows of weights are as wide as vectors ask for, see :mod:`eventsim.engine.cpu.lanes`.
    """
    n_blocks, nothing, wide = heard.shape[0], np.zeros(0, np.int64), weights.shape[2]
    table = series_table(par, middle, length)
    for chunk in prange(bounds.size - 1):
        for b in range(n_blocks):
            low, high = bounds_of(b, n_blocks, par.shape[1])
            block = block_of(weights[b], par, refractory, low, high, table, middle, length)
            part, my_own = np.zeros((N_SUMS, wide), par.dtype), own[chunk, :, low:high].copy()
            found, passage, aside = (
                Found(by_weight[chunk, b], part, my_own),
                passage_of(par),
                aside_of(block),
            )
            room = np.empty((2, N_ADJOINT, wide + LANES), par.dtype)
            turn = back_of(adapt, chunk, low, high)
            for s in range(bounds[chunk], bounds[chunk + 1]):
                part[:], room[:] = 0.0, 0.0
                _take(way_back, s, low, high, room[0])
                lo, hi = offsets[s], offsets[s + 1]
                my_times, my_rows, number = events_of(heard, b, lo, hi, times, rows, nothing)
                for n in range(high - low):
                    take_back(turn, s, n)
                mine = _own_spikes(spike_offsets[s], spike_offsets[s + 1], tape, low, high)
                way = _way_of(wide, low, mine, tape, block.refractory, held)
                last, grazed = go_back(
                    my_times, my_rows, number, cause[lo:hi], block, duration[s], way_back.begin[s],
                    fastest, way, passage, aside, room, 0, found, asked, effects[lo:hi], turn,
                )  # fmt: skip
                grazes[chunk] += grazed
                if way_back.starts:
                    for n in range(high - low):
                        end_at_start(n, room[last], block.par, part, my_own)
                _hand_on(way_back, s, low, high, room[last])
                for n in range(high - low):
                    hand_on(turn, s, n)
                add_part(part, low, high, sums[chunk])
            own[chunk, :, low:high] = my_own
            add_by_drive(found, weights[b], low, high, sums[chunk])
