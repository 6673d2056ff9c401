"""Neurons joined in loops, by windows as long as their least delay: no queue of neurons.

Mathematics and the choice of windows: :mod:`eventsim.engine.windowing`. A window is cut into
pieces. In a piece every arrival adds to the sums of its targets,
:mod:`eventsim.engine.cpu.window_sums`, and every neuron is brought to the piece's end by one
propagation, :mod:`eventsim.engine.cpu.window_end`. The few neurons that may fire before it, or are
let go, meet their arrivals one by one, :mod:`eventsim.engine.cpu.window_sparse`. Neurons that share
their events are summed up, and walk, side by side, :mod:`eventsim.engine.cpu.window_dense`.

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
from eventsim.engine.cpu.compile import kernel, lean, lean_inlined
from eventsim.engine.cpu.heap import Waiting, enlarged, n_sent, pop, send_all, waiting_room
from eventsim.engine.cpu.order import first_at_least
from eventsim.engine.cpu.scalar import fma, propagators
from eventsim.engine.cpu.weights import base_of, width_of
from eventsim.engine.cpu.window_cells import (
    begin_all,
    keep_all,
    make_room,
    may_fire,
    new_neurons,
)
from eventsim.engine.cpu.window_dense import add_to_all, all_meet
from eventsim.engine.cpu.window_end import all_end
from eventsim.engine.cpu.window_sparse import some_meet
from eventsim.engine.cpu.window_sums import TOGETHER, add_bundle, add_one, fetch_bundle
from eventsim.engine.table import ALERT, GAP, PEAK, RATE_MEM, SLOW
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


@lean_inlined
def _sum_up_all(room, shared, par, due, first, last, end, cut, loop):
    """As :func:`_sum_up` for neurons that share their events."""
    phi, rows, none = room.phi, room.rows, shared.weight.shape[0] - 1
    real = type(phi[0, 0])
    for begin in range(first, last, TOGETHER):
        n = min(TOGETHER, last - begin)
        for k in range(n):
            low = due.first[begin + k]
            _functions(phi[k], cut, par, loop, low, real(end - due.time[begin + k]))
            rows[k] = shared.row[low]
        rows[n:TOGETHER] = none
        add_to_all(room.sums, shared, rows, phi, room.weight)


class Window(NamedTuple):
    """From ``now``, where the neurons are, to ``border``; it is cut into that many pieces.

    From ``opens`` on bundles arrive, the first ``n_due`` of those in ``due``, in order. Nothing
    from ``end`` on, that of the run, is asked for.
    """

    now: float
    opens: float
    border: float
    pieces: int
    n_due: int
    end: float


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
               start, limit, count, shared):  # fmt: skip
    """The neurons lo : hi in one window. ``mine`` is room for the synapses of bundles to them.

    ``shared`` has the synapses of neurons that share their events, which these then all are, and is
    None of others: Numba compiles one of the two. Returns the number of spikes so far, a time, and
    how many events were met one by one.
    """
    n_due = window.n_due
    low, high = mine[0][:n_due], mine[1][:n_due]
    if shared is None:
        _own_bundles(due, loop, lo, hi, low, high)
    now, first, met, at = window.now, 0, 0, window.border
    for piece in range(1, window.pieces + 1):
        end = window.border
        if piece < window.pieces:
            end = window.opens + (end - window.opens) * (piece / window.pieces)
        last = first
        while last < n_due and due.time[last] < end:
            last += 1
        if shared is None:
            _sum_up(cells, par, due, low, high, first, last, end, cut, loop, room.phi[0])
        else:
            _sum_up_all(room, shared, par, due, first, last, end, cut, loop)
        n_few = all_end(cells, room, par, cut, fastest, lo, hi, now, end, shared)
        if n_few > 0:
            if shared is None:
                count, at, events = some_meet(
                    cells, room, par, refractory, due, low, high, first, last, end, window.end,
                    loop, n_few, spikes, start, limit, count,
                )  # fmt: skip
            else:
                count, at, events = all_meet(
                    cells, room, par, refractory, due, first, last, end, window.end, fastest,
                    shared, n_few, spikes, start, limit, count,
                )  # fmt: skip
            met += events
            if count < 0 or count > limit:
                return count, at, met
        if not end < window.end:
            break
        now, first = end, last
    return count, at, met


@lean
def _take(due, n_due, heap, waiting, arrivals, outside, end, border):
    """What arrives before the border, in order, behind the first ``n_due``.

    Up to where there is room for; returns the number of those due, and what is left.
    """
    while n_due < due.time.size:
        inside = waiting > 0 and heap.time[0] < border
        coming = outside < end and arrivals.time[outside] < border
        if not inside and not coming:
            break
        own = inside and (
            not coming
            or heap.time[0] < arrivals.time[outside]
            or (heap.time[0] == arrivals.time[outside] and heap.first[0] < arrivals.first[outside])
        )
        if own:
            due.time[n_due], due.first[n_due] = heap.time[0], heap.first[0]
            due.last[n_due] = heap.last[0]
            pop(heap, waiting)
            waiting -= 1
        else:
            due.time[n_due], due.first[n_due] = arrivals.time[outside], arrivals.first[outside]
            due.last[n_due] = arrivals.last[outside]
            outside += 1
        n_due += 1
    return n_due, waiting, outside


@lean
def _opens(cells, par, size, heap, waiting, arrivals, outside, end, border, idle):
    """Where the window after a border opens: there, or, if the last was idle, where something may.

    That is not after the next arrival or release; at the border, where a neuron may fire; never,
    where nothing comes.
    """
    if not idle:
        return border
    coming = np.inf
    if waiting > 0:
        coming = min(coming, heap.time[0])
    if outside < end:
        coming = min(coming, arrivals.time[outside])
    for n in range(size):
        if cells.held[n] >= 0:
            coming = min(coming, cells.until[n])
        elif may_fire(cells.v_now[n], cells.j_now[n], par[PEAK, n], par[ALERT, n]):
            return border
    return max(border, coming)


@lean
def _halvings(before, met, neurons):
    """How often the pieces of the next window are halved, from events met in those of this one."""
    if met * MANY > neurons:
        return min(before + 1, MOST_HALVINGS)
    return max(before - 1, 0) if met * FEW < neurons else before


@kernel
def forward_samples(todo, arrivals, loop, par, refractory, duration, cut, fastest, begin, stop,
                    spikes, starts, limits, counts, reached, shared):  # fmt: skip
    """Run the samples in ``todo`` side by side, from where they stand in ``begin``.

    Where they stand at the last border is written to ``stop``. Parameters by neuron are padded to
    whole blocks. Spikes are written up to the limits; where a count goes past its limit, there were
    more. ``shared`` as :func:`run_window`.
    """
    size, padded, n_functions = loop.own_weight.size, par.shape[1], cut.by_v.shape[0]
    for i in prange(todo.size):
        s = todo[i]
        cells = new_neurons(padded, par.dtype, cut.width)
        room = make_room(size, padded, cut.width, n_functions, par.dtype, shared)
        heap, due = waiting_room(64), waiting_room(64)
        mine = np.empty(64, np.int64), np.empty(64, np.int64)
        begin_all(cells, par, begin, s)
        waiting, outside, end, t_end = 0, arrivals.offsets[s], arrivals.offsets[s + 1], duration[s]
        count, at, now = 0, 0.0, begin.border[s]
        idle, halvings, whole = begin.idle[s], begin.halvings[s], True
        while now < t_end and 0 <= count <= limits[s]:
            opens = _opens(cells, par, size, heap, waiting, arrivals, outside, end, now, idle)
            if not opens < t_end:
                break
            border = opens + cut.length
            whole = border <= t_end
            if not whole:
                keep_all(cells, stop, s, now, idle, halvings)
            n_due, waiting, outside = _take(due, 0, heap, waiting, arrivals, outside, end, border)
            while n_due == due.time.size:
                due = enlarged(due, 0)
                mine = np.empty(due.time.size, np.int64), np.empty(due.time.size, np.int64)
                n_due, waiting, outside = _take(
                    due, n_due, heap, waiting, arrivals, outside, end, border
                )
            before, pieces = count, cut.pieces << halvings
            count, at, met = run_window(
                cells, room, par, refractory, 0, size, due, mine,
                Window(now, opens, border, pieces, n_due, t_end), cut, fastest, loop, spikes,
                starts[s], limits[s], count, shared,
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
    padded, n_functions = par.shape[1], cut.by_v.shape[0]
    heap, due = waiting_room(64), waiting_room(64)
    begin_all(cells, par, begin, s)
    waiting, outside, end = 0, arrivals.offsets[s], arrivals.offsets[s + 1]
    now, idle, halvings, whole = begin.border[s], begin.idle[s], begin.halvings[s], True
    before, met = np.zeros(n_parts, np.int64), np.zeros(n_parts, np.int64)
    counts[:] = 0
    while now < t_end and not full and counts.min() >= 0:
        opens = _opens(cells, par, size, heap, waiting, arrivals, outside, end, now, idle)
        if not opens < t_end:
            break
        border = opens + cut.length
        whole = border <= t_end
        if not whole:
            keep_all(cells, stop, s, now, idle, halvings)
        n_due, waiting, outside = _take(due, 0, heap, waiting, arrivals, outside, end, border)
        while n_due == due.time.size:
            due = enlarged(due, 0)
            n_due, waiting, outside = _take(
                due, n_due, heap, waiting, arrivals, outside, end, border
            )
        window = Window(now, opens, border, cut.pieces << halvings, n_due, t_end)
        due_time, due_first, due_last = due.time, due.first, due.last
        for p in prange(n_parts):
            before[p], here = counts[p], bounds[p + 1] - bounds[p]
            room = make_room(here, padded, cut.width, n_functions, par.dtype, None)
            mine = np.empty(n_due, np.int64), np.empty(n_due, np.int64)
            counts[p], reached[p], met[p] = run_window(
                cells, room, par, refractory, bounds[p], bounds[p + 1],
                Waiting(due_time, due_first, due_last), mine, window, cut, fastest, loop, spikes,
                starts[p], limits[p], counts[p], None,
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
