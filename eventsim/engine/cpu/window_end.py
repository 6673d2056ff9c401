r"""Where the neurons of a loop are at the end of a piece of a window, from their sums.

A neuron is brought there at once,

.. math::
    V(T) = x V + g J + \sum_q c_q M_q, \qquad J(T) = y J + \sum_q d_q M_q,

and does not fire before where its voltage stays below the alert level for certain,

.. math::
    V + (1 - x) \max(\max(J, 0) - V, 0) + a \sum \max(w, 0) s < \mathrm{alert}.

The middle term bounds what the neuron does by itself, since :math:`\dot V = a (J - V)`, and a
positive jump raises V by at most a w s.
"""

import numpy as np

from eventsim.engine.cpu.compile import lean
from eventsim.engine.cpu.lanes import (
    LINE,
    first_mark,
    flush_line,
    fused,
    lanes_minus,
    line,
    line_at,
    line_from,
    marks,
    product,
    put_line,
    where_less,
)
from eventsim.engine.cpu.scalar import SMALL_Z
from eventsim.engine.cpu.stretch import far_lines, far_propagators, near_lines
from eventsim.engine.cpu.window_cells import J, V
from eventsim.engine.cpu.window_sums import BLOCK, gather_block
from eventsim.engine.table import RATE_MEM, RESET


def _ending(propagators_at):
    @lean
    def end_block(cells, room, par, cut, b, begin, end, n_few):
        """The block from neuron b on from ``begin`` to ``end``; returns as :func:`all_end`."""
        now, line_of, sums, first = cells.now, cells.line, room.sums, np.int64(b)
        real = type(sums[0, 0])
        h, zero, one = real(end - begin), line(real(0.0)), line(real(1.0))
        by_v, by_j, last = cut.by_v, cut.by_j, sums.shape[0] - 1
        for n in range(first, first + BLOCK, LINE // par.itemsize):
            v, j, rate_mem = line_at(now, V, n), line_at(now, J, n), line_at(par, RATE_MEM, n)
            x, y, gain = propagators_at(h, par, n, room.far)
            v_end, j_end = fused(gain, j, product(x, v)), product(y, j)
            pull = lanes_minus(where_less(zero, j, j, zero), v)
            top = fused(lanes_minus(one, x), where_less(zero, pull, pull, zero), v)
            top = fused(rate_mem, line_at(sums, last, n - first), top)
            for q in range(by_v.shape[0]):
                moment = line_at(sums, q, n - first)
                v_end = fused(line_at(by_v, q, n), moment, v_end)
                j_end = fused(line_at(by_j, q, n), moment, j_end)
            put_line(now, V, n, flush_line(v_end))
            put_line(now, J, n, flush_line(j_end))
            bits = marks(top, line_from(cells.alert, n))
            if bits == np.uint64(0):
                continue
            put_line(room.before, V, 0, v)
            put_line(room.before, J, 0, j)
            while bits != np.uint64(0):
                i = first_mark(bits)
                bits &= bits - np.uint64(1)
                k = n + i
                if cells.held[k] >= 0 and cells.until[k] >= end:
                    now[V, k] = par[RESET, k]
                    continue
                line_of[k, V], line_of[k, J] = room.before[V, i], room.before[J, i]
                cells.time[k], cells.one_by_one[k] = begin, 1
                room.few[n_few] = k
                n_few += 1
        return n_few

    return end_block


_near_end, _far_end = _ending(near_lines), _ending(far_lines)


@lean
def all_end(cells, room, par, cut, fastest, lo, hi, begin, end):
    """The neurons lo : hi from ``begin`` to the end of a piece; all sums are zero again.

    Returns the number of those that may fire before it, or are let go: their numbers are written to
    ``room.few``, and where they stood at first to ``cells.line``.
    """
    real = type(par[0, 0])
    h, n_few = real(end - begin), 0
    near = fastest * h <= real(SMALL_Z)
    if not near and h != room.far_for[0]:
        far_propagators(h, par, room.far, lo, hi + -hi % BLOCK)
        room.far_for[0] = h
    for b in range(lo, hi, BLOCK):
        gather_block(cells.moments, b, room.sums)
        if near:
            n_few = _near_end(cells, room, par, cut, b, begin, end, n_few)
        else:
            n_few = _far_end(cells, room, par, cut, b, begin, end, n_few)
    return n_few
