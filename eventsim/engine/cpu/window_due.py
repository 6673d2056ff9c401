"""When windows of a loop open, and the bundles that arrive in them."""

from typing import NamedTuple

import numpy as np

from eventsim.engine.cpu.compile import lean, lean_inlined, scalar
from eventsim.engine.cpu.heap import enlarged, pop
from eventsim.engine.cpu.window_cells import may_fire
from eventsim.engine.table import ALERT, PEAK


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


@lean_inlined
def take(due, n_due, heap, waiting, arrivals, outside, end, border):
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
def opens_at(cells, par, size, heap, waiting, arrivals, outside, end, border, idle):
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


@scalar
def take_more(due, heap, waiting, arrivals, outside, end, border):
    """As :func:`take` where ``due`` is full; returns a larger one as well, the first of all."""
    n_due = due.time.size
    while n_due == due.time.size:
        due = enlarged(due, 0)
        n_due, waiting, outside = take(due, n_due, heap, waiting, arrivals, outside, end, border)
    return due, n_due, waiting, outside
