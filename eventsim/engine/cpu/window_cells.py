"""State of the neurons of a loop that goes by windows of its least delay."""

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from eventsim.engine.cpu.compile import lean, lean_inlined, scalar
from eventsim.engine.cpu.lanes import LANES
from eventsim.engine.cpu.walk import EARLIER
from eventsim.engine.cpu.ways import N_WAY
from eventsim.engine.cpu.window_sums import BLOCK
from eventsim.engine.table import ALERT, GAP, PEAK, RATE_MEM, SLOW

# Fields of a neuron in one line of the cache.
V, J, L_SLOW, L_GAP, L_RATE, L_PEAK, L_ALERT = range(7)
N_LINE = 8

# Arrivals that the few neurons of a window meet between two sorts, by all neurons, and at least. In
# bench/macro/balanced.py 0.2 per neuron were met in a piece.
ROOM_PER_NEURON, ROOM_LEAST = 4, 1024

# Ways from arrival to arrival whose propagators are found at once: of 16, most were not gone.
N_WAYS = 8


class WindowState(NamedTuple):
    """The neurons of one sample, padded to whole blocks.

    ``now`` [2, neurons] are V and J at the end of the last piece, ``v_now`` and ``j_now`` views of
    it, ``moments`` [neurons, width] their sums in this one; ``alert`` is minus infinity while V is
    held. The other fields are of the neurons that go from arrival to arrival, marked in
    ``one_by_one``: those of :class:`eventsim.engine.cpu.queue.Cells`; ``line`` has a neuron's state
    and what a propagation needs of its parameters side by side, [neurons, N_LINE], ``v`` and ``j``
    are views of it. ``since`` and ``recent`` count a neuron's spikes of a ms.
    """

    now: NDArray[np.floating]
    v_now: NDArray[np.floating]
    j_now: NDArray[np.floating]
    moments: NDArray[np.floating]
    alert: NDArray[np.floating]
    one_by_one: NDArray[np.uint8]
    time: NDArray[np.float64]
    v: NDArray[np.floating]
    j: NDArray[np.floating]
    rise: NDArray[np.floating]
    until: NDArray[np.float64]
    held: NDArray[np.int64]
    line: NDArray[np.floating]
    since: NDArray[np.float64]
    recent: NDArray[np.int64]


def make_neurons(size, real, width):
    """Room for the neurons of one sample, whose rows begin at a line of the cache."""
    flat = np.zeros((N_LINE + width) * size + 64, real)
    skip = -(flat.ctypes.data // flat.itemsize) % (64 // flat.itemsize)
    middle = skip + N_LINE * size
    line = flat[skip:middle].reshape(size, N_LINE)
    now = np.zeros((2, size), real)
    return WindowState(
        now, now[V], now[J],
        flat[middle : middle + width * size].reshape(size, width), np.zeros(size, real),
        np.zeros(size, np.uint8), np.zeros(size), line[:, V], line[:, J], np.zeros(size, real),
        np.zeros(size), np.zeros(size, np.int64), line, np.zeros(size), np.zeros(size, np.int64),
    )  # fmt: skip


new_neurons = scalar(make_neurons)


class WindowRoom(NamedTuple):
    """What the windows of some neurons are computed in; none needs what another leaves here.

    ``sums`` [sums of a neuron, BLOCK] are the moments of a block of neurons side by side, ``far``
    [3, neurons] the propagators over the ms in ``far_for``, of pieces that are long; ``before``
    [2, LANES] where those neurons stood of which one may fire; ``few`` are the numbers of all that
    may. ``phi`` [width] are the functions of an arrival that is summed.

    The others are of those few. ``found`` are the synapses of a bundle that reach one of them,
    ``place`` [neurons] which of them a neuron is; ``met_by``, ``met_time`` and ``met_jump`` are the
    arrivals in order of time, who meets them and what they are, ``time`` and ``jump`` by neuron,
    ``start`` and ``number`` where those of each are, and how many; ``way`` [N_WAY, N_WAYS] the
    propagators.
    """

    sums: NDArray[np.floating]
    far: NDArray[np.floating]
    far_for: NDArray[np.floating]
    before: NDArray[np.floating]
    few: NDArray[np.int64]
    phi: NDArray[np.floating]
    found: NDArray[np.int64]
    place: NDArray[np.int64]
    met_by: NDArray[np.int64]
    met_time: NDArray[np.float64]
    met_jump: NDArray[np.floating]
    time: NDArray[np.float64]
    jump: NDArray[np.floating]
    start: NDArray[np.int64]
    number: NDArray[np.int64]
    way: NDArray[np.floating]


@scalar
def make_room(size, padded, width, real):
    """For ``size`` neurons."""
    met = ROOM_PER_NEURON * size + ROOM_LEAST
    return WindowRoom(
        np.zeros((width, BLOCK), real), np.empty((3, padded), real), np.zeros(1, real),
        np.empty((2, LANES), real), np.zeros(size, np.int64), np.zeros(width, real),
        np.empty(padded + 1, np.int64), np.empty(padded, np.int64), np.empty(met, np.int64),
        np.empty(met), np.empty(met, real), np.empty(met + size), np.empty(met + size, real),
        np.empty(size, np.int64), np.empty(size, np.int64), np.zeros((N_WAY, N_WAYS), real),
    )  # fmt: skip


@lean
def begin_all(cells, par, begin, s):
    """All neurons of sample s as they stand in ``begin``, a LoopStop."""
    real, line, size = type(par[0, 0]), cells.line, begin.v.shape[1]
    for n in range(par.shape[1]):
        cells.v_now[n], cells.j_now[n], cells.one_by_one[n] = real(0.0), real(0.0), 0
        cells.held[n], cells.alert[n] = -1, par[ALERT, n]
        if n < size:
            cells.v_now[n], cells.j_now[n] = begin.v[s, n], begin.j[s, n]
            cells.since[n], cells.recent[n] = begin.since[s, n], begin.recent[s, n]
            if begin.until[s, n] >= 0.0:
                cells.held[n], cells.until[n] = EARLIER, begin.until[s, n]
                cells.alert[n] = real(-np.inf)
        line[n, L_SLOW], line[n, L_GAP] = par[SLOW, n], par[GAP, n]
        line[n, L_RATE], line[n, L_PEAK] = par[RATE_MEM, n], par[PEAK, n]
        line[n, L_ALERT] = cells.alert[n]
    cells.moments[:] = real(0.0)


@lean
def keep_all(cells, stop, s, border, idle, halvings):
    """Write to a LoopStop how the neurons of sample s stand at a border of windows."""
    for n in range(stop.v.shape[1]):
        stop.time[s, n], stop.v[s, n], stop.j[s, n] = border, cells.v_now[n], cells.j_now[n]
        stop.until[s, n] = cells.until[n] if cells.held[n] >= 0 else -1.0
        stop.since[s, n], stop.recent[s, n] = cells.since[n], cells.recent[n]
    stop.border[s], stop.idle[s], stop.halvings[s] = border, idle, halvings


@lean_inlined
def may_fire(v, j, peak, alert):
    """Whether V could reach the level if nothing arrived; always while it is held."""
    zero = type(v)(0.0)
    return (v if v > zero else zero) + (j if j > zero else zero) * peak >= alert
