"""State of the neurons of a loop that goes by windows of its least delay."""

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from eventsim.engine.cpu.compile import lean, lean_inlined, scalar
from eventsim.engine.cpu.walk import EARLIER
from eventsim.engine.cpu.window_sums import BLOCK, TOGETHER
from eventsim.engine.table import ALERT, GAP, PEAK, RATE_MEM, SLOW

# Fields of a neuron in one line of the cache.
V, J, L_SLOW, L_GAP, L_RATE, L_PEAK, L_ALERT = range(7)
N_LINE = 8


class WindowState(NamedTuple):
    """The neurons of one sample, padded to whole blocks.

    ``v_now`` and ``j_now`` are their state at the end of the last piece, ``moments`` [neurons,
    width] their sums in this one; ``alert`` is minus infinity while V is held. The other fields are
    of the neurons that go from arrival to arrival, marked in ``one_by_one``: those of
    :class:`eventsim.engine.cpu.queue.Cells`; ``line`` has a neuron's state and what a propagation
    needs of its parameters side by side, [neurons, N_LINE], ``v`` and ``j`` are views of it.
    ``since`` and ``recent`` count a neuron's spikes of a ms.
    """

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
    return WindowState(
        np.zeros(size, real), np.zeros(size, real),
        flat[middle : middle + width * size].reshape(size, width), np.zeros(size, real),
        np.zeros(size, np.uint8), np.zeros(size), line[:, V], line[:, J], np.zeros(size, real),
        np.zeros(size), np.zeros(size, np.int64), line, np.zeros(size), np.zeros(size, np.int64),
    )  # fmt: skip


new_neurons = scalar(make_neurons)


class WindowRoom(NamedTuple):
    """What the windows of some neurons are computed in; none needs what another leaves here.

    ``sums`` [blocks, sums of a neuron, BLOCK] are the moments of a block of neurons side by side,
    ``v_end``, ``j_end`` and ``mask`` where it ends and which of them may fire before, eight of them
    a word in ``mask_words``; ``few`` their numbers. Of arrivals that are summed, ``phi``
    [TOGETHER, width] are the functions, ``weight`` [TOGETHER, BLOCK] the weights of a block. The
    others are of those few: their fields side by side, ``lines`` [blocks, N_LINE - 1, BLOCK] and
    ``when`` [blocks, BLOCK], and what one arrival needs, ``found`` the synapses of its bundle that
    reach one of them.
    """

    sums: NDArray[np.floating]
    v_end: NDArray[np.floating]
    j_end: NDArray[np.floating]
    mask: NDArray[np.uint8]
    mask_words: NDArray[np.uint64]
    few: NDArray[np.int64]
    phi: NDArray[np.floating]
    lines: NDArray[np.floating]
    when: NDArray[np.float64]
    after: NDArray[np.floating]
    h: NDArray[np.floating]
    ready: NDArray[np.uint8]
    target: NDArray[np.int64]
    weight: NDArray[np.floating]
    found: NDArray[np.int64]


@scalar
def make_room(size, padded, width, n_functions, real, shared):
    """For ``size`` neurons; ``shared`` as :func:`eventsim.engine.cpu.windows.run_window`."""
    blocks, sums = 1, width
    if shared is not None:
        blocks, sums = padded // BLOCK, n_functions + 1
    words = np.zeros(BLOCK // 8, np.uint64)
    return WindowRoom(
        np.zeros((blocks, sums, BLOCK), real), np.zeros(BLOCK, real), np.zeros(BLOCK, real),
        words.view(np.uint8), words, np.zeros(size, np.int64), np.zeros((TOGETHER, width), real),
        np.zeros((blocks, N_LINE - 1, BLOCK), real), np.zeros((blocks, BLOCK)),
        np.zeros((2, BLOCK), real), np.zeros(BLOCK, real), np.zeros(BLOCK, np.uint8),
        np.zeros(BLOCK, np.int64), np.zeros((TOGETHER, BLOCK), real),
        np.zeros(padded + 1, np.int64),
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
