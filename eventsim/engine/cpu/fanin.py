"""A layer in which every neuron walks the events of its own sources: sparse, or delayed apart.

Where the synapses of a source share its delay, the events of a sample are put in order, and spread
to the neurons of a block: what arrives at each is in order then. Otherwise, and on the way back,
events are grouped by source beforehand. A neuron collects those of its sources, each source an
ascending run, puts them in order, and walks the result. Work grows with synapses and synaptic
events.

Forward, tasks are (sample, block of neurons); backward, a block of neurons takes all samples, so
that each weight is summed by one thread and in one order. Between two stops of its neuron (spikes
and releases) the adjoint is linear in its state: it is found for several arrivals at once, side by
side in vectors, from the state at the latest of them.
"""

from typing import NamedTuple

import numpy as np
from numba import prange
from numpy.typing import NDArray

from eventsim.engine.adjoint_series import MOST
from eventsim.engine.cpu.adaptive import back_of, hand_on, of_sample, take_back
from eventsim.engine.cpu.compile import kernel, lean, lean_inlined, scalar
from eventsim.engine.cpu.order import first_at_least, sort_run
from eventsim.engine.cpu.scalar import (
    SMALL_Z,
    far_adjoint,
    near_adjoint,
    propagators,
    pull_back,
)
from eventsim.engine.cpu.walk import Held, end_at_start, hold, keep, next_stop, walk, walk_back
from eventsim.engine.cpu.ways import GAIN, N_WAY, X, Y, finding
from eventsim.engine.cpu.weights import base_of, weight_at, width_of
from eventsim.engine.table import (
    ALPHA,
    ALPHA_MEM,
    BETA,
    BETA_MEM,
    BETA_SYN,
    BY_DRIVE,
    BY_MEM,
    BY_SELF,
    BY_SELF_DELAY,
    BY_SYN,
    GAP,
    N_ADJOINT,
    RATE_MEM,
    RATE_SYN,
    SLOW,
)

# Where what is found of up to MOST arrivals, met at once on the way back, lies in one array: how
# many ms they are before the latest, beta there, dL/dt by weight, and beta's derivatives by the
# rates. Places that are known let the compiler see that nothing overlaps.
N_MET = 5
SINCE, MET, SENT, MET_MEM, MET_SYN = range(0, N_MET * MOST, MOST)

# Ways from arrival to arrival whose propagators are found at once.
N_WAYS = 32
_find_ways = finding(N_WAYS)


class FanIn(NamedTuple):
    """Synapses by target, and the spikes of each sample by source row.

    The entries ``in_start[n - low] : in_start[n - low + 1]`` are the synapses of neuron n, in the
    order of their rows, with their numbers in the wiring where they are asked for.

    ``first[s, row] : first[s, row + 1]`` are the spikes of a row, ``spike`` their numbers among
    those of all sources, ``time`` when they arrive; where ``delay`` has entries, the delays of the
    synapses, when they are sent. ``own_weight`` and ``own_delay`` belong to self-connections that
    return later than their spike; their delay is 0 where there is none. Arrivals before ``begin``
    (ms, by sample) were met in an earlier piece of the stream; ``early_time[early_first[i]:]`` are
    the own spikes of that piece that are still to return to the i-th (sample, neuron).
    """

    low: int
    in_start: NDArray[np.int64]
    row: NDArray[np.int32]
    synapse: NDArray[np.signedinteger]
    weight: NDArray[np.floating]
    delay: NDArray[np.float64]
    first: NDArray[np.int64]
    time: NDArray[np.float64]
    spike: NDArray[np.int64]
    own_weight: NDArray[np.floating]
    own_delay: NDArray[np.float64]
    begin: NDArray[np.float64]
    early_first: NDArray[np.int64]
    early_time: NDArray[np.float64]


class FanOutEvents(NamedTuple):
    """Synapses by source row, and the events of each sample in order (time, row).

    The synapses ``bound[b, row] : bound[b + 1, row]`` of a row lead to the neurons of block b.
    ``weight`` has addresses, :mod:`eventsim.engine.cpu.weights`. Without blocks nothing is spread.
    """

    bound: NDArray[np.int64]
    target: NDArray[np.int32]
    weight: NDArray[np.int64]
    offsets: NDArray[np.int64]
    time: NDArray[np.float64]
    row: NDArray[np.int32]


@kernel
def bounds_of_blocks(out_start, target, n_neurons, bound):
    """``bound`` of :class:`FanOutEvents`, for blocks of nearly as many neurons."""
    n_blocks = bound.shape[0] - 1
    for row in prange(out_start.size - 1):
        k = out_start[row]
        for b in range(n_blocks):
            k = first_at_least(target, k, out_start[row + 1], n_neurons * b // n_blocks)
            bound[b, row] = k
        bound[n_blocks, row] = out_start[row + 1]


@lean
def _count_arrivals(out, lo, hi, block, low, cursor):
    """How many of the events lo : hi reach each neuron of a block, from neuron ``low`` on."""
    first, last = out.bound[block], out.bound[block + 1]
    for e in range(lo, hi):
        row = out.row[e]
        for k in range(first[row], last[row]):
            cursor[np.uint32(out.target[k] - low) + 1] += 1
    for n in range(1, cursor.size):
        cursor[n] += cursor[n - 1]


@lean
def _spread(out, lo, hi, block, low, cursor, time, weight):
    """The events lo : hi are written to each of their neurons in a block, behind one another.

    ``cursor`` has where those of a neuron begin, and then where they end.
    """
    first, last, width = out.bound[block], out.bound[block + 1], width_of(out.weight)
    for e in range(lo, hi):
        row, t = out.row[e], out.time[e]
        base = base_of(out.weight, first[row])
        for k in range(first[row], last[row]):
            n = np.uint32(out.target[k] - low)
            at = cursor[n]
            cursor[n] = at + 1
            time[at], weight[at] = t, weight_at(base, width, k, weight[at])


@kernel
def count(low, high, bounds, out_start, target, begin, counts):
    """Synapses onto the neurons ``low : high``: where they begin in every row, and how many.

    ``counts`` [parts, neurons], which come as zeros, are those of the rows between ``bounds``.
    """
    for part in prange(bounds.size - 1):
        for row in range(bounds[part], bounds[part + 1]):
            k, end = out_start[row], out_start[row + 1]
            if low > 0:
                k = first_at_least(target, k, end, low)
            begin[row] = k
            while k < end and target[k] < high:
                counts[part, target[k] - low] += 1
                k += 1


@kernel
def fill(low, high, bounds, first_row, last_row, begin, out_start, target, cursor, weights,
         first_synapse, resistance, delays, row, synapse, weight, delay):  # fmt: skip
    """Entries of the rows of one projection; ``cursor`` is each part's next entry of every neuron.

    ``weights`` and ``first_synapse`` are those of the projection. Numbers of synapses, and delays
    of the whole wiring, are left out where they have no entries.
    """
    for part in prange(bounds.size - 1):
        for r in range(max(bounds[part], first_row), min(bounds[part + 1], last_row)):
            k, end = begin[r], out_start[r + 1]
            while k < end and target[k] < high:
                n = target[k]
                entry = cursor[part, n - low]
                cursor[part, n - low] += 1
                row[entry] = r
                weight[entry] = weights[k - first_synapse] * resistance[n]
                if synapse.size > 0:
                    synapse[entry] = k
                if delays.size > 0:
                    delay[entry] = delays[k]
                k += 1


@lean
def _arrive(fan, lo, n, time, synapse, spike):
    """Times of the arrivals, looked up at once, for they lie far apart in memory."""
    for i in range(n):
        time[i] = fan.time[spike[i]]
    if fan.delay.size > 0:
        for i in range(n):
            time[i] += fan.delay[lo + synapse[i]]


@scalar
def _collect(fan, s, n, t_end, own_times):
    """Arrivals of neuron n in order: time, synapse, and number among all spikes by row.

    Synapses are counted from the neuron's first; the self-connection is behind the last, and its
    spikes have numbers of their own.
    """
    lo, hi = fan.in_start[n - fan.low], fan.in_start[n - fan.low + 1]
    rows, first, size = fan.row[lo:hi], fan.first[s], own_times.size
    for row in rows:
        size += first[row + 1] - first[row]
    time, time2 = np.empty(size), np.empty(size)
    synapse, synapse2 = np.empty(size, np.int32), np.empty(size, np.int32)
    spike, spike2 = np.empty(size, np.int64), np.empty(size, np.int64)
    k = 0
    for i in range(rows.size):
        for number in range(first[rows[i]], first[rows[i] + 1]):
            synapse[k], spike[k] = i, number
            k += 1
    _arrive(fan, lo, k, time, synapse, spike)
    kept, before, begin, ascending = 0, -np.inf, fan.begin[s], True
    for i in range(k):
        if begin <= time[i] < t_end:
            time[kept], synapse[kept], spike[kept] = time[i], synapse[i], spike[i]
            ascending &= before <= time[i]
            before = time[i]
            kept += 1
    for i in range(own_times.size):
        arrival = own_times[i] + fan.own_delay[n]
        if begin <= arrival < t_end:
            time[kept], synapse[kept], spike[kept] = arrival, rows.size, i
            ascending &= before <= arrival
            before = arrival
            kept += 1
    given = time[:kept], synapse[:kept], spike[:kept]
    if ascending:
        return given
    found = time2[:kept], synapse2[:kept], spike2[:kept]
    sort_run(given, found)
    return found


@lean
def _run_neuron(fan, s, n, time, weight, par, refractory, t_end, begin, end, held, spikes, start,
                limit, count, way, adapt):  # fmt: skip
    """One neuron in one sample; returns the number of spikes (-1: runs away) and a time."""
    delay, own_first, returned = fan.own_delay[n], count, count
    pair = s * par.shape[1] + n
    early, n_early = fan.early_first[pair], fan.early_first[pair + 1]
    v, j, t, i = begin.v[s, n], begin.j[s, n], begin.time[s, n], 0
    hold(held, begin, s, n, 0)
    since, before, found = t, count, -N_WAYS
    while t < t_end:
        until = time[i] if i < time.size else t_end
        if early < n_early:
            until = min(until, fan.early_time[early] + delay)
        elif delay > 0.0 and returned < count:
            if returned >= limit:
                return count, t
            until = min(until, spikes.time[start + returned] + delay)
        if 0 < i < time.size and t == time[i - 1] and until == time[i]:
            if i >= found + N_WAYS:
                found = i
                slow, gap, rate_mem = par[SLOW, n], par[GAP, n], par[RATE_MEM, n]
                _find_ways(time[i - 1], time[i:], slow, gap, rate_mem, way)
            x, y, gain = way[X, i - found], way[Y, i - found], way[GAIN, i - found]
        else:
            x, y, gain = propagators(
                type(v)(until - t), par[SLOW, n], par[GAP, n], par[RATE_MEM, n]
            )
        v, j, t, count = walk(
            n, v, j, t, until, x, y, gain, par, refractory, held, spikes, start, limit, count,
            since, count - before, delay > 0.0, adapt, None,
        )  # fmt: skip
        if count < 0:
            return -1, t
        if t < until:
            continue
        while i < time.size and time[i] == t:
            j = j + weight[i]
            since, before = t, count
            i += 1
        while early < n_early and fan.early_time[early] + delay == t:
            j = j + fan.own_weight[n]
            early += 1
        while delay > 0.0 and returned < min(count, limit) and returned >= own_first:
            if spikes.time[start + returned] + delay != t:
                break
            j = j + fan.own_weight[n]
            returned += 1
        if t < t_end:
            keep(end, s, n, 0, t, v, j, held, adapt)
    return count, t_end


@lean
def _weights(fan, n, synapse, weight):
    """Those of the arrivals of neuron n."""
    lo = fan.in_start[n - fan.low]
    for i in range(synapse.size):
        weight[i] = fan.weight[lo + synapse[i]]


@kernel
def forward(todo, n_blocks, fan, out, par, refractory, duration, begin, end, spikes, starts, limits,
            counts, reached, adapt):  # fmt: skip
    """Run the tasks in ``todo``, task = sample * n_blocks + block of neurons; states as shared.

    Arrivals are those that ``out`` spreads, or, where it has no blocks, what every neuron collects.
    """
    n_neurons, spread = par.shape[1], out.bound.shape[0] > 0
    for i in prange(todo.size):
        task = todo[i]
        s, block = task // n_blocks, task % n_blocks
        held = Held(np.full(n_neurons, -1), np.zeros(n_neurons))
        mine, way = of_sample(adapt, s, 0, n_neurons), np.zeros((N_WAY, N_WAYS), par.dtype)
        nothing = np.empty(0)
        count, t, failed, t_end = 0, duration[s], -1, duration[s]
        low, high = n_neurons * block // n_blocks, n_neurons * (block + 1) // n_blocks
        cursor = np.zeros(high - low + 1 if spread else 0, np.int64)
        size = 0
        if spread:
            first = first_at_least(out.time, out.offsets[s], out.offsets[s + 1], fan.begin[s])
            last = first_at_least(out.time, first, out.offsets[s + 1], t_end)
            _count_arrivals(out, first, last, block, low, cursor)
            size = cursor[high - low]
        times, weights = np.empty(size), np.empty(size, par.dtype)
        if spread:
            _spread(out, first, last, block, low, cursor, times, weights)
        at = 0
        for n in range(low, high):
            if spread:
                until = first_at_least(times, at, cursor[n - low], t_end)
                time, weight = times[at:until], weights[at:until]
                at = cursor[n - low]
            else:
                time, synapse, _ = _collect(fan, s, n, t_end, nothing)
                weight = np.empty(synapse.size, par.dtype)
                _weights(fan, n, synapse, weight)
            total, t = _run_neuron(
                fan, s, n, time, weight, par, refractory, t_end, begin, end, held, spikes,
                starts[task], limits[task], count, way, mine,
            )  # fmt: skip
            if total >= 0:
                count = total
            elif failed < 0 or t < t_end:
                # Of the others only what happens before matters now.
                failed, t_end = n, t
        counts[task], reached[task] = count if failed < 0 else -1 - failed, t_end


def _adjoints(propagate):
    @lean_inlined
    def adjoints(n, adjoint, par, met):
        """What neuron n's adjoint is at arrivals, from that at the latest; of all MOST."""
        slow, gap = par[SLOW, n], par[GAP, n]
        rate_mem, rate_syn = par[RATE_MEM, n], par[RATE_SYN, n]
        alpha, beta, alpha_mem = adjoint[ALPHA, n], adjoint[BETA, n], adjoint[ALPHA_MEM, n]
        beta_mem, beta_syn = adjoint[BETA_MEM, n], adjoint[BETA_SYN, n]
        for k in range(MOST):
            h = met[SINCE + k]
            maps = propagate(h, slow, gap, rate_mem)
            there = pull_back(h, maps, alpha, beta, alpha_mem, beta_mem, beta_syn)
            met[MET + k] = there[1]
            met[SENT + k] = rate_syn * there[1] - rate_mem * there[0]
            met[MET_MEM + k], met[MET_SYN + k] = there[3], there[4]

    return adjoints


_near_adjoints, _far_adjoints = _adjoints(near_adjoint), _adjoints(far_adjoint)


@lean
def _meet_together(n, i, time, t_stop, adjoint, par, met):
    """The arrivals before the i-th and after ``t_stop``, MOST at most: their number.

    ``adjoint`` is that at the latest of them, and stays; ``met`` is what it is at each.
    """
    m, real = 1, type(par[0, 0])
    t, most = time[i - 1], min(MOST, i)
    met[SINCE] = real(0.0)
    while m < most and time[i - 1 - m] > t_stop:
        met[SINCE + m] = real(t - time[i - 1 - m])
        m += 1
    for k in range(m, MOST):
        met[SINCE + k] = real(0.0)
    if (par[SLOW, n] + abs(par[GAP, n])) * met[SINCE + m - 1] <= real(SMALL_Z):
        _near_adjoints(n, adjoint, par, met)
    else:
        _far_adjoints(n, adjoint, par, met)
    return m


@scalar
def _run_neuron_back(fan, s, n, par, refractory, t_end, last, tape, way_back, adjoint, current,
                     released, by_weight, by_delay, effects, sums, own, met, adapt):  # fmt: skip
    """One neuron in one sample, backward; returns the number of grazes."""
    mine = 0
    take_back(adapt, s, n)
    k = last
    while k >= 0 and fan.own_delay[n] > 0.0:
        mine += 1
        k = tape.previous[k]
    own_spikes, own_times = np.empty(mine, np.int64), np.empty(mine)
    k = last
    for i in range(mine - 1, -1, -1):
        own_spikes[i], own_times[i] = k, tape.time[k]
        k = tape.previous[k]
    time, synapse, spike = _collect(fan, s, n, t_end, own_times)
    lo, hi = fan.in_start[n - fan.low], fan.in_start[n - fan.low + 1]
    carried = way_back.adjoint.size > 0
    for i in range(N_ADJOINT):
        adjoint[i, n] = way_back.adjoint[s, i, n] if carried else type(par[0, 0])(0.0)
    current[n] = last
    released[n] = last < 0 or np.isnan(tape.restart[last])
    t, grazes, i = t_end, 0, time.size
    while i > 0:
        grazes += walk_back(
            n, adjoint, t, time[i - 1], par, refractory, tape, current, released, sums, own, adapt
        )
        t = time[i - 1]
        t_stop = next_stop(n, tape, refractory, current, released)
        m = _meet_together(n, i, time, t_stop, adjoint, par, met)
        for k in range(m):
            i -= 1
            entry = lo + synapse[i]
            w = fan.weight[entry] if entry < hi else fan.own_weight[n]
            later = w * met[SENT + k]
            sums[BY_DRIVE, n] += w * met[MET + k]
            sums[BY_MEM, n] += w * met[MET_MEM + k]
            sums[BY_SYN, n] += w * met[MET_SYN + k]
            if entry < hi:
                by_weight[fan.synapse[entry]] += met[MET + k]
                if by_delay.size > 0:
                    by_delay[fan.synapse[entry]] += later
                effects[fan.spike[spike[i]]] += later
            else:
                own[BY_SELF, n] += met[MET + k]
                own[BY_SELF_DELAY, n] += later
                tape.through[own_spikes[spike[i]]] += later
    grazes += walk_back(
        n, adjoint, t, way_back.begin[s], par, refractory, tape, current, released, sums, own, adapt
    )
    if way_back.starts:
        end_at_start(n, adjoint, par, sums, own)
    if carried:
        for i in range(N_ADJOINT):
            way_back.adjoint[s, i, n] = adjoint[i, n]
    hand_on(adapt, s, n)
    return grazes


@kernel
def backward(fan, par, refractory, duration, last, tape, way_back, by_weight, by_delay, effects,
             sums, own, grazes, adapt):  # fmt: skip
    """All samples, one block of the neurons of ``fan`` after the other.

    ``effects`` has one row per block.
    """
    n_blocks, n_neurons, n_mine = effects.shape[0], par.shape[1], fan.in_start.size - 1
    for block in prange(n_blocks):
        adjoint = np.zeros((N_ADJOINT, n_neurons), par.dtype)
        current, released = np.full(n_neurons, -1), np.ones(n_neurons, np.bool_)
        low, high = n_mine * block // n_blocks, n_mine * (block + 1) // n_blocks
        mine, met = back_of(adapt, 0, 0, n_neurons), np.zeros(N_MET * MOST, par.dtype)
        for n in range(fan.low + low, fan.low + high):
            for s in range(duration.size):
                grazes[block] += _run_neuron_back(
                    fan, s, n, par, refractory, duration[s], last[s, n], tape, way_back, adjoint,
                    current, released, by_weight, by_delay, effects[block], sums, own, met, mine,
                )  # fmt: skip
