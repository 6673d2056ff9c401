r"""Maximum of V over a sample, exact, for all rows of some neurons that do not fire.

The state after every arrival comes from a scan in two levels: arrivals are cut into blocks of
BLOCK; blocks advance side by side from zero, then their beginnings follow from each other, then
they advance again from these. How long a block is does not depend on how many arrivals there are:
else a sample would round otherwise in another batch. Of the gaps between arrivals
only those are solved in which V rises first and falls last, and in which the drive, a bound of V,
exceeds the largest voltage found at an arrival.
"""

from typing import NamedTuple

import numpy as np

from eventsim.adjoint.linear.neurons import Neurons
from eventsim.arrays import Array, largest, namespace
from eventsim.engine.run.voltage_kernel import Kernel, kernel

# Arrivals of a block: about the square root of thousands, where the scan has fewest steps.
BLOCK = 64


class Maximum(NamedTuple):
    """Maximum of V in its sample, one entry per row.

    ``time`` in ms; ``value``; ``arrival`` with which the time moves, or -1; ``slope`` V' before it.
    """

    time: Array
    value: Array
    arrival: Array
    slope: Array


class Nodes(NamedTuple):
    """States of every row at every arrival and at its end, [nodes, rows]; v from E."""

    time: Array
    v: Array
    drive_before: Array
    drive: Array


def find_maximum(neurons: Neurons) -> Maximum:
    """The largest voltage of every row over its sample; of equal ones the earliest."""
    xp, rows = neurons.xp, neurons.xp.arange(neurons.n_rows)
    a, b = (1.0 / neurons.by_row(neurons.parameter(k)) for k in ("tau_mem", "tau_syn"))
    states = _states(neurons, a, b)
    # Of arrivals at one time the first: only before it is V's slope that before all of them.
    first_of_time = xp.ones(states.v.shape, np.bool_)
    first_of_time[1:] = states.time[1:] != states.time[:-1]
    node = xp.where(first_of_time, states.v, -np.inf).argmax(axis=0)
    at_node = states.v[node, rows]
    gap, inside, since = best_inside(states, xp.maximum(at_node, 0.0), a, b)
    peaks, rests = inside > at_node, xp.maximum(inside, at_node) <= 0.0
    time = xp.where(peaks, states.time[gap, rows] + since, states.time[node, rows])
    v = xp.where(peaks, inside, at_node)
    first = neurons.arrivals.first
    turns = ~peaks & ~rests & (node < first[1:] - first[:-1])
    slope = a * (states.drive_before[node, rows] - at_node)
    rest = neurons.by_row(neurons.parameter("v_leak"))
    return Maximum(
        time=xp.where(rests, 0.0, time),
        value=rest + xp.where(rests, 0.0, v),
        arrival=xp.where(turns, first[:-1] + node, -1),
        slope=xp.where(turns, slope, 0.0),
    )


def best_inside(states: Nodes, floor: Array, a: Array, b: Array) -> tuple[Array, Array, Array]:
    """Per row: the gap with the largest peak, the peak (or -inf), its time since the gap's."""
    xp, (n, n_rows) = namespace(floor), states.v.shape
    rises = states.drive[:-1] > states.v[:-1]
    falls = states.drive_before[1:] <= states.v[1:]
    place = xp.flatnonzero((rises & falls & (states.drive[:-1] > floor)).ravel())
    row = place % n_rows
    v, drive = states.v.ravel()[place], states.drive.ravel()[place]
    a, b = a[row], b[row]
    delta = b - a
    m = (drive - v) / (a * drive + delta * v)
    u = delta * m
    h = m * xp.where(u == 0.0, 1.0, xp.log1p(u) / xp.where(u == 0.0, 1.0, u))
    moved = kernel(h, a, b)
    peak, since = xp.full((n - 1) * n_rows, -np.inf), xp.zeros((n - 1) * n_rows)
    peak[place], since[place] = moved.x * v + moved.g * drive, h
    peak, since, rows = peak.reshape(-1, n_rows), since.reshape(-1, n_rows), xp.arange(n_rows)
    gap = peak.argmax(axis=0)
    return gap, peak[gap, rows], since[gap, rows]


def _states(neurons: Neurons, a: Array, b: Array) -> Nodes:
    xp, found, n_rows = neurons.xp, neurons.arrivals, neurons.n_rows
    longest = int(largest(found.first[1:] - found.first[:-1])) + 1
    blocks = -(-longest // BLOCK)  # what is left over lies at the end
    shape = (blocks, BLOCK, n_rows)
    place = (xp.arange(found.row.size) - found.first[found.row]) * n_rows + found.row
    flat = (blocks * BLOCK, n_rows)
    time, added = xp.tile(neurons.ends(), flat[0]), xp.zeros(flat[0] * n_rows)
    time[place] = found.time
    drive = neurons.by_row(neurons.parameter("resistance"))
    added[place] = drive[found.row] * found.weight
    time, step = time.reshape(flat), xp.zeros(flat)
    step[1:] = time[1:] - time[:-1]
    move = Kernel(*(part.reshape(shape) for part in kernel(step, a, b)))
    added = added.reshape(shape)
    ends = time.reshape(shape)[:, -1]
    v, j = _block_starts(move, added, ends, a, b)
    v_all, j_all, j_before = xp.empty(shape), xp.empty(shape), xp.empty(shape)
    for k in range(BLOCK):
        v, before = move.x[:, k] * v + move.g[:, k] * j, move.y[:, k] * j
        j = before + added[:, k]
        v_all[:, k], j_all[:, k], j_before[:, k] = v, j, before
    return Nodes(time, v_all.reshape(flat), j_before.reshape(flat), j_all.reshape(flat))


def _block_starts(
    move: Kernel, added: Array, ends: Array, a: Array, b: Array
) -> tuple[Array, Array]:
    """State with which every block begins: that of the end of the block before, [blocks, rows]."""
    xp, (blocks, length, n_rows) = namespace(added), added.shape
    v, j = xp.zeros((blocks, n_rows)), xp.zeros((blocks, n_rows))
    for k in range(length):
        v, j = move.x[:, k] * v + move.g[:, k] * j, move.y[:, k] * j + added[:, k]
    over = kernel(ends[1:] - ends[:-1], a, b)
    v_start, j_start = xp.zeros((blocks, n_rows)), xp.zeros((blocks, n_rows))
    for k in range(1, blocks):
        # ``v, j`` are what a block adds by itself, whatever it begins with.
        v_start[k] = v[k - 1]
        j_start[k] = j[k - 1]
        if k > 1:
            v_start[k] += over.x[k - 2] * v_start[k - 1] + over.g[k - 2] * j_start[k - 1]
            j_start[k] += over.y[k - 2] * j_start[k - 1]
    return v_start, j_start
