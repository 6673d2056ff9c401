"""A window of neurons that share their events: side by side, stretch after stretch, as in a layer.

All that arrives within a window is known when it begins, so that the neurons meet it as those of a
layer do, :mod:`eventsim.engine.cpu.shared`. The last stretch ends at the window's border.
"""

from typing import NamedTuple

import numpy as np
from numba import prange
from numpy.typing import NDArray

from eventsim.engine.cpu.compile import kernel, lean_inlined, scalar
from eventsim.engine.cpu.heap import enlarged, n_sent, send_all, waiting_room
from eventsim.engine.cpu.lanes import LINE, line_at, put_line
from eventsim.engine.cpu.shared import Room, look_who_is_held, meet_stretch, new_room
from eventsim.engine.cpu.stretch import fill
from eventsim.engine.cpu.walk import Held, Recent
from eventsim.engine.cpu.window_cells import begin_all, keep_all, new_neurons
from eventsim.engine.cpu.window_due import Window, opens_at, take, take_more
from eventsim.engine.series import ITEMS, SPAN


class Shared(NamedTuple):
    """Synapses of neurons that share their events.

    ``weight`` [rows + 1, neurons], of whole vectors, is zero where there is none; ``row`` is that
    of every synapse.
    """

    weight: NDArray[np.floating]
    row: NDArray[np.int32]


@scalar
def _room_of(cells, par, fastest):
    """What the windows of all neurons are computed in; who is held stands in ``cells``."""
    room = new_room(par, type(fastest)(SPAN) / fastest)
    return Room(
        room.before, room.after, room.alert, room.table, room.far, room.maps,
        Held(cells.held, cells.until), room.holding, room.walking, room.fired, room.stretch,
    )  # fmt: skip


@lean_inlined
def _run_window(cells, room, par, refractory, due, rows, window, fastest, shared, spikes, start,
                limit, count, n_holding):  # fmt: skip
    """All neurons in one window; ``rows`` is room for those of the bundles.

    Returns the number of spikes so far, or -1 - n where neuron n is the first to run away, a time,
    and how many are held.
    """
    n_due, t, t_end = window.n_due, window.now, min(window.border, window.end)
    stretch, weights, longest = room.stretch, shared.weight, type(fastest)(SPAN) / fastest
    recent, before, after, event = Recent(cells.since, cells.recent), cells.now, room.after, 0
    turned = False
    for k in range(n_due):
        rows[k] = shared.row[due.first[k]]
    while t < t_end and count <= limit:
        event, size, empty, _ = fill(
            stretch, event, due.time, rows, n_due, t, t_end, weights, longest
        )
        count, n_holding, failed, at = meet_stretch(
            room, before, after, t, size, empty, n_holding, weights, par, refractory, fastest,
            spikes, start, limit, count, 0, t, None, recent,
        )  # fmt: skip
        if failed >= 0:
            return -1 - failed, at, n_holding
        before, after, turned, t = after, before, not turned, stretch.time[ITEMS - 1]
    if turned:
        for n in range(0, par.shape[1], LINE // par.itemsize):
            put_line(after, 0, n, line_at(before, 0, n))
            put_line(after, 1, n, line_at(before, 1, n))
    return count, t_end, n_holding


@kernel
def forward_shared(todo, arrivals, loop, par, refractory, duration, length, fastest, begin, stop,
                   spikes, starts, limits, counts, reached, shared):  # fmt: skip
    """As :func:`eventsim.engine.cpu.windows.forward_samples`, in windows of ``length`` ms."""
    size = loop.own_weight.size
    for i in prange(todo.size):
        s = todo[i]
        cells = new_neurons(par.shape[1], par.dtype, 0)
        room = _room_of(cells, par, fastest)
        heap, due, rows = waiting_room(64), waiting_room(64), np.empty(64, np.int64)
        begin_all(cells, par, begin, s)
        n_holding = look_who_is_held(room, par, size)
        waiting, outside, end, t_end = 0, arrivals.offsets[s], arrivals.offsets[s + 1], duration[s]
        count, at, now = 0, 0.0, begin.border[s]
        idle, whole = begin.idle[s], True
        while now < t_end and 0 <= count <= limits[s]:
            opens = opens_at(cells, par, size, heap, waiting, arrivals, outside, end, now, idle)
            if not opens < t_end:
                break
            border = opens + length
            whole = border <= t_end
            if not whole:
                keep_all(cells, stop, s, now, idle, 0)
            n_due, waiting, outside = take(due, 0, heap, waiting, arrivals, outside, end, border)
            if n_due == due.time.size:
                due, n_due, waiting, outside = take_more(
                    due, heap, waiting, arrivals, outside, end, border
                )
                rows = np.empty(due.time.size, np.int64)
            before = count
            count, at, n_holding = _run_window(
                cells, room, par, refractory, due, rows,
                Window(now, opens, border, 1, n_due, t_end), fastest, shared, spikes, starts[s],
                limits[s], count, n_holding,
            )  # fmt: skip
            first, last = starts[s] + before, starts[s] + min(count, limits[s])
            most = waiting + n_sent(loop, spikes, first, last)
            if most > heap.time.size:
                heap = enlarged(heap, most)
            waiting = send_all(heap, waiting, loop, spikes, first, last, t_end)
            now, idle = border, int(n_due == 0 and count == before)
        if whole:
            keep_all(cells, stop, s, now, idle, 0)
        counts[s], reached[s] = count, at
