"""Neurons joined in loops, by windows as long as their least delay: no queue of neurons.

Mathematics and the choice of windows: :mod:`eventsim.engine.windowing`. A window is cut into
pieces. In a piece every arrival adds to the sums of its targets,
:mod:`eventsim.engine.cpu.window_sums`, and every neuron is brought to the piece's end by one
propagation, :mod:`eventsim.engine.cpu.window_end`. The few neurons that may fire before it, or are
let go, meet their arrivals one by one, :mod:`eventsim.engine.cpu.window_sparse`. Neurons that share
their events need no sums, :mod:`eventsim.engine.cpu.window_shared`.

Windows and pieces are half-open. A window ends at the rounded sum of its begin and the least delay,
so that no rounded arrival time lies before it. The neurons of one sample may be shared out to
several threads, which meet at the end of every window. After a window in which nothing happened the
next one begins where something may. bench/macro/balanced.py times it.

The end of a run cuts no window: the last one goes on to its border with what arrives before the
end, and its spikes before the end are those that it gives whatever arrives later. So a run can go
on from the border before it, :mod:`eventsim.engine.loop_state`.
"""

from typing import NamedTuple

import numpy as np
from numba import prange
from numpy.typing import NDArray

from eventsim.engine.bundles import OWN
from eventsim.engine.cpu.compile import kernel, lean
from eventsim.engine.cpu.heap import Waiting, enlarged, n_sent, send_all, waiting_room
from eventsim.engine.cpu.order import first_at_least
from eventsim.engine.cpu.scalar import fma, propagators
from eventsim.engine.cpu.weights import base_of, width_of
from eventsim.engine.cpu.window_cells import (
    begin_all,
    keep_all,
    make_room,
    new_neurons,
)
from eventsim.engine.cpu.window_due import Window, opens_at, take, take_more
from eventsim.engine.cpu.window_end import all_end
from eventsim.engine.cpu.window_sparse import some_meet
from eventsim.engine.cpu.window_sums import add_bundle, add_one, fetch_bundle
from eventsim.engine.table import GAP, RATE_MEM, SLOW
from eventsim.engine.windowing import FEW, MANY, MOST_HALVINGS

# The synapses of the arrival so many places later are fetched while those of one are summed: random
# bundles of 2 kB took 0.9 in place of 1.6 ns per synaptic event.
AHEAD = 2


class Cut(NamedTuple):
    """Length of a window in ms, the least number of its pieces, and the functions."""

    length: float
    pieces: int
    width: int
    by_v: NDArray[np.floating]
    by_j: NDArray[np.floating]
    reach: float


@lean
def _functions(phi, cut, par, loop, low, s):
    """The functions of an arrival s ms before the end of its piece, and s itself, to ``phi``."""
    real = type(s)
    if cut.reach == 0.0:
        n = low - OWN if low >= OWN else np.int64(loop.target[low])
        _, phi[1], phi[0] = propagators(s, par[SLOW, n], par[GAP, n], par[RATE_MEM, n])
    else:
        u, power = fma(real(2.0 / cut.reach), s, real(-1.0)), real(1.0)
        for q in range(cut.by_v.shape[0]):
            phi[q] = power
            power = power * u
    phi[phi.size - 1] = s


@lean
def _sum_up(cells, par, due, low, high, first, last, end, cut, loop, phi):
    """The bundles first : last of those due are added to the sums of their targets."""
    real, width = type(phi[0]), width_of(loop.weight)
    for k in range(first, last):
        if k + AHEAD < low.size and due.first[k + AHEAD] < OWN:
            ahead = base_of(loop.weight, due.first[k + AHEAD])
            fetch_bundle(loop.target, ahead, width, low[k + AHEAD], high[k + AHEAD])
        _functions(phi, cut, par, loop, due.first[k], real(end - due.time[k]))
        if due.first[k] < OWN:
            base = base_of(loop.weight, due.first[k])
            add_bundle(cells.moments, loop.target, base, width, low[k], high[k], phi)
        elif low[k] < high[k]:
            n = due.first[k] - OWN
            add_one(cells.moments, n, loop.own_weight[n], phi)


@lean
def _own_bundles(due, loop, lo, hi, low, high):
    """Of every bundle the synapses that reach the neurons lo : hi."""
    whole = lo == 0 and hi == loop.own_weight.size
    for k in range(low.size):
        if due.first[k] >= OWN:
            low[k], high[k] = 0, lo <= due.first[k] - OWN < hi
        elif whole:
            low[k], high[k] = due.first[k], due.last[k]
        else:
            low[k] = first_at_least(loop.target, due.first[k], due.last[k], lo)
            high[k] = first_at_least(loop.target, low[k], due.last[k], hi)


@lean
def run_window(cells, room, par, refractory, lo, hi, due, mine, window, cut, fastest, loop, spikes,
               start, limit, count):  # fmt: skip
    """The neurons lo : hi in one window. ``mine`` is room for the synapses of bundles to them.

    Returns the number of spikes so far, a time, and how many events were met one by one.
    """
    n_due = window.n_due
    low, high = mine[0][:n_due], mine[1][:n_due]
    _own_bundles(due, loop, lo, hi, low, high)
    now, first, met, at = window.now, 0, 0, window.border
    for piece in range(1, window.pieces + 1):
        end = window.border
        if piece < window.pieces:
            end = window.opens + (end - window.opens) * (piece / window.pieces)
        last = first
        while last < n_due and due.time[last] < end:
            last += 1
        _sum_up(cells, par, due, low, high, first, last, end, cut, loop, room.phi)
        n_few = all_end(cells, room, par, cut, fastest, lo, hi, now, end)
        if n_few > 0:
            count, at, events = some_meet(
                cells, room, par, refractory, due, low, high, first, last, end, window.end, loop,
                n_few, spikes, start, limit, count,
            )  # fmt: skip
            met += events
            if count < 0 or count > limit:
                return count, at, met
        if not end < window.end:
            break
        now, first = end, last
    return count, at, met


@lean
def _halvings(before, met, neurons):
    """How often the pieces of the next window are halved, from events met in those of this one."""
    if met * MANY > neurons:
        return min(before + 1, MOST_HALVINGS)
    return max(before - 1, 0) if met * FEW < neurons else before


@kernel
def forward_samples(todo, arrivals, loop, par, refractory, duration, cut, fastest, begin, stop,
                    spikes, starts, limits, counts, reached):  # fmt: skip
    """Run the samples in ``todo`` side by side, from where they stand in ``begin``.

    Where they stand at the last border is written to ``stop``. Parameters by neuron are padded to
    whole blocks. Spikes are written up to the limits; a count past its limit says there were more.
    """
    size, padded = loop.own_weight.size, par.shape[1]
    for i in prange(todo.size):
        s = todo[i]
        cells = new_neurons(padded, par.dtype, cut.width)
        room = make_room(size, padded, cut.width, par.dtype)
        heap, due = waiting_room(64), waiting_room(64)
        mine = np.empty(64, np.int64), np.empty(64, np.int64)
        begin_all(cells, par, begin, s)
        waiting, outside, end, t_end = 0, arrivals.offsets[s], arrivals.offsets[s + 1], duration[s]
        count, at, now = 0, 0.0, begin.border[s]
        idle, halvings, whole = begin.idle[s], begin.halvings[s], True
        while now < t_end and 0 <= count <= limits[s]:
            opens = opens_at(cells, par, size, heap, waiting, arrivals, outside, end, now, idle)
            if not opens < t_end:
                break
            border = opens + cut.length
            whole = border <= t_end
            if not whole:
                keep_all(cells, stop, s, now, idle, halvings)
            n_due, waiting, outside = take(due, 0, heap, waiting, arrivals, outside, end, border)
            if n_due == due.time.size:
                due, n_due, waiting, outside = take_more(
                    due, heap, waiting, arrivals, outside, end, border
                )
                mine = np.empty(due.time.size, np.int64), np.empty(due.time.size, np.int64)
            before, pieces = count, cut.pieces << halvings
            count, at, met = run_window(
                cells, room, par, refractory, 0, size, due, mine,
                Window(now, opens, border, pieces, n_due, t_end), cut, fastest, loop, spikes,
                starts[s], limits[s], count,
            )  # fmt: skip
            halvings = _halvings(halvings, met, size * pieces)
            first, last = starts[s] + before, starts[s] + min(count, limits[s])
            most = waiting + n_sent(loop, spikes, first, last)
            if most > heap.time.size:
                heap = enlarged(heap, most)
            waiting = send_all(heap, waiting, loop, spikes, first, last, t_end)
            now, idle = border, int(n_due == 0 and count == before)
        if whole:
            keep_all(cells, stop, s, now, idle, halvings)
        counts[s], reached[s] = count, at


@kernel
def forward_parts(s, bounds, cells, arrivals, loop, par, refractory, t_end, cut, fastest, begin,
                  stop, spikes, starts, limits, counts, reached):  # fmt: skip
    """Run sample s, the neurons ``bounds[p] : bounds[p + 1]`` of all parts p side by side.

    Starts, limits, counts and reached are by part, otherwise as :func:`forward_samples`; where one
    part had no room all counts go past their limits.
    """
    n_parts, size, full = bounds.size - 1, loop.own_weight.size, False
    padded = par.shape[1]
    heap, due = waiting_room(64), waiting_room(64)
    begin_all(cells, par, begin, s)
    waiting, outside, end = 0, arrivals.offsets[s], arrivals.offsets[s + 1]
    now, idle, halvings, whole = begin.border[s], begin.idle[s], begin.halvings[s], True
    before, met = np.zeros(n_parts, np.int64), np.zeros(n_parts, np.int64)
    counts[:] = 0
    while now < t_end and not full and counts.min() >= 0:
        opens = opens_at(cells, par, size, heap, waiting, arrivals, outside, end, now, idle)
        if not opens < t_end:
            break
        border = opens + cut.length
        whole = border <= t_end
        if not whole:
            keep_all(cells, stop, s, now, idle, halvings)
        n_due, waiting, outside = take(due, 0, heap, waiting, arrivals, outside, end, border)
        if n_due == due.time.size:
            due, n_due, waiting, outside = take_more(
                due, heap, waiting, arrivals, outside, end, border
            )
        window = Window(now, opens, border, cut.pieces << halvings, n_due, t_end)
        due_time, due_first, due_last = due.time, due.first, due.last
        for p in prange(n_parts):
            before[p], here = counts[p], bounds[p + 1] - bounds[p]
            room = make_room(here, padded, cut.width, par.dtype)
            mine = np.empty(n_due, np.int64), np.empty(n_due, np.int64)
            counts[p], reached[p], met[p] = run_window(
                cells, room, par, refractory, bounds[p], bounds[p + 1],
                Waiting(due_time, due_first, due_last), mine, window, cut, fastest, loop, spikes,
                starts[p], limits[p], counts[p],
            )  # fmt: skip
        halvings = _halvings(halvings, met.sum(), size * window.pieces)
        for p in range(n_parts):
            full = full or counts[p] > limits[p]
            first, last = starts[p] + before[p], starts[p] + min(counts[p], limits[p])
            most = waiting + n_sent(loop, spikes, first, last)
            if most > heap.time.size:
                heap = enlarged(heap, most)
            waiting = send_all(heap, waiting, loop, spikes, first, last, t_end)
        now, idle = border, int(n_due == 0 and np.array_equal(counts, before))
    if whole:
        keep_all(cells, stop, s, now, idle, halvings)
    if full and counts.min() >= 0:
        counts[:] = np.maximum(counts, limits + 1)
