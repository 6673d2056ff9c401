r"""Stretches of a few arrivals that a neuron meets at once, by their moments.

Between its own spikes a neuron is linear in its arrivals. An arrival s ms before the end of a
stretch adds to J there :math:`e^{-b s}`, and to V :math:`a (e^{-a s} - e^{-b s}) / (b - a)`, both
times its weight. Over a short stretch these are polynomials in :math:`u = s / S`, S being the same
for all neurons, so that the arrivals count by their moments :math:`M_q = \sum_k w_k u_k^q`, which
no time constant enters:

.. math::

    V(T) = x V + g J + \sum_{q \ge 1} d_q M_q, \qquad J(T) = y J + \sum_{q \ge 0} e_q M_q

with one propagation (x, y, g) for the whole stretch. The series are those of Taylor up to SERIES
terms, made shorter by Chebyshev polynomials: their error is below rounding.

Arrivals at one time are one item, whose weight is their sum. A stretch ends with its item number
ITEMS, or where the fastest rate has made SPAN since its first item, or with the sample, whatever
comes first. Where it ends thus follows from the times of its own arrivals, and a stream that is cut
within a stretch has the same stretches.

A neuron cannot fire within a stretch where a bound of V stays below its level: V rises by no more
than the J it starts with and its positive arrivals bring, and lies above its value at the end by
no more than it can have fallen since.
"""

from typing import Any, NamedTuple

import numpy as np
from numba import types
from numba.extending import overload
from numpy.typing import NDArray

from eventsim.engine.cpu.compile import formula, lean, lean_inlined, scalar
from eventsim.engine.cpu.lanes import (
    LINE,
    first_mark,
    flush_line,
    fused,
    lanes_abs,
    lanes_add,
    lanes_minus,
    line,
    line_at,
    line_from,
    marks,
    product,
    psi_line,
    put_line,
    where_less,
)
from eventsim.engine.cpu.scalar import far_forward, fma, near_forward
from eventsim.engine.series import (
    DEGREE_DOUBLE,
    DEGREE_SINGLE,
    ITEMS,
    SERIES_DOUBLE,
    SERIES_SINGLE,
    shorter,
)
from eventsim.engine.table import GAP, PEAK, RATE_MEM, RATE_SYN, SLOW

_SHORTER = shorter()


class Stretch(NamedTuple):
    """The items of a stretch, the last at its end; where it has fewer, nothing comes behind.

    ``row`` counts the rows of the weights; of those that are below zero, -1 is the first of
    ``summed``. ``gap`` is in ms before the end, ``share`` the same in parts of the longest stretch,
    ``since`` in ms after the item before, or the stretch's start.
    """

    time: NDArray[np.float64]
    row: NDArray[np.int64]
    since: NDArray[np.floating[Any]]
    gap: NDArray[np.floating[Any]]
    share: NDArray[np.floating[Any]]
    summed: NDArray[np.floating[Any]]


def degree(x: float) -> int:
    """Degree of the polynomials in the type of x."""
    raise NotImplementedError


def degree_of_series(x: float) -> int:
    """Degree of the series that the polynomials are made from, in the type of x."""
    raise NotImplementedError


def _by_type(function: Any, single: int, double: int) -> None:
    """Let a function of the type of its argument be a constant of the compiler."""

    @overload(function, jit_options={"forceinline": True})
    def chosen(x: Any) -> Any:
        value = single if x == types.float32 else double

        def constant(x: Any) -> Any:
            return value

        return constant


_by_type(degree, DEGREE_SINGLE, DEGREE_DOUBLE)
_by_type(degree_of_series, SERIES_SINGLE, SERIES_DOUBLE)


@scalar
def polynomials(par, longest):
    """Coefficients of V's and J's answer to an arrival, [2, degree, neurons]; J's first is 1.

    ``longest`` is that of a stretch, in ms. The error that J's first would take from the others is
    below rounding.
    """
    real = type(longest)
    table = np.zeros((2, degree(longest), par.shape[1]), par.dtype)
    c = np.zeros((2, degree_of_series(longest) + 1), par.dtype)
    for n in range(par.shape[1]):
        a, b = par[RATE_MEM, n] * longest, par[RATE_SYN, n] * longest
        c[0, 0], c[1, 0] = real(0.0), real(1.0)
        for q in range(1, c.shape[1]):
            c[0, q] = a * (c[1, q - 1] - c[0, q - 1]) / real(q)
            c[1, q] = -(b * c[1, q - 1]) / real(q)
        for i in range(2):
            for q in range(c.shape[1] - 1, table.shape[1], -1):
                for k in range(1, q):
                    c[i, k] = fma(-c[i, q], real(_SHORTER[q, k]), c[i, k])
            for q in range(table.shape[1]):
                table[i, q, n] = c[i, q + 1]
    return table


@scalar
def new_stretch(par):
    """Room for one of the neurons of a table."""
    return Stretch(
        np.zeros(ITEMS), np.zeros(ITEMS, np.int64), np.zeros(ITEMS, par.dtype),
        np.zeros(ITEMS, par.dtype), np.zeros(ITEMS, par.dtype),
        np.zeros((ITEMS, par.shape[1]), par.dtype),
    )  # fmt: skip


@lean_inlined
def fill(stretch, event, times, rows, n_events, t, t_end, weights, longest):
    """The stretch from t and ``event`` on, of the events before ``n_events`` and the sample's end.

    Returns the number of the next event, those of all items and of those that are no arrival, and
    whether the sample ends.
    """
    real, zeros = type(longest), weights.shape[0] - 1
    size, ends, full, latest = 0, False, False, t_end
    while size < ITEMS and not ends and not full:
        ends = event >= n_events
        time = t_end if ends else times[event]
        if size == 0:
            latest = time + longest
        full = time > latest
        stretch.row[size] = zeros
        if full:
            time, ends = latest, False
        elif not ends:
            stretch.row[size] = rows[event]
            event += 1
            if event < n_events and times[event] == time:
                event = _sum_up(stretch, size, event, times, rows, n_events, weights)
        stretch.time[size], stretch.since[size] = time, real(time - t)
        t = time
        size += 1
    end = stretch.time[size - 1]
    for k in range(ITEMS):
        if k >= size:
            stretch.row[k], stretch.time[k], stretch.since[k] = zeros, end, real(0.0)
        stretch.gap[k] = real(end - stretch.time[k])
        stretch.share[k] = stretch.gap[k] / longest
    return event, size, int(full or ends), ends


@lean
def _sum_up(stretch, item, event, times, rows, n_events, weights):
    """Item as the event before ``event`` and all at its time; returns the number of the next."""
    first, summed = event - 1, stretch.summed
    while event < n_events and times[event] == times[first]:
        event += 1
    stretch.row[item] = -1 - item
    for n in range(summed.shape[1]):
        summed[item, n] = weights[rows[first], n]
    for k in range(first + 1, event):
        for n in range(summed.shape[1]):
            summed[item, n] += weights[rows[k], n]
    return event


@formula
def weight_at(stretch, k, weights, n):
    """Weight of the k-th item at neuron n."""
    row = stretch.row[k]
    return weights[row, n] if row >= 0 else stretch.summed[-1 - row, n]


@lean_inlined
def near_lines(h, par, n, far):
    """near_forward of the neurons from n on, side by side."""
    zero, one = line(type(h)(0.0)), line(type(h)(1.0))
    slow, gap = line_at(par, SLOW, n), line_at(par, GAP, n)
    z = product(slow, line(h))
    s = fused(lanes_minus(zero, z), fused(z, psi_line(z), one), one)
    z = product(lanes_abs(gap), line(h))
    f = fused(z, psi_line(z), one)
    fast = product(s, fused(lanes_minus(zero, z), f, one))
    gain = product(line_at(par, RATE_MEM, n), product(line(h), product(s, f)))
    return where_less(gap, zero, fast, s), where_less(gap, zero, s, fast), gain


@lean_inlined
def far_lines(h, par, n, far):
    """far_forward of the neurons from n on: they lie in ``far``."""
    return line_at(far, 0, n), line_at(far, 1, n), line_at(far, 2, n)


@lean_inlined
def items_of(stretch, weights):
    """What all neurons share of a stretch's items: rows of weights, u, and ms before the end.

    The last item is at the end, and has neither of these two.
    """
    row, share, gap = stretch.row, stretch.share, stretch.gap
    weight0 = weights[row[0]] if row[0] >= 0 else stretch.summed[-1 - row[0]]
    weight1 = weights[row[1]] if row[1] >= 0 else stretch.summed[-1 - row[1]]
    weight2 = weights[row[2]] if row[2] >= 0 else stretch.summed[-1 - row[2]]
    weight3 = weights[row[3]] if row[3] >= 0 else stretch.summed[-1 - row[3]]
    return (
        weight0, weight1, weight2, weight3, line(share[0]), line(share[1]), line(share[2]),
        line(gap[0]), line(gap[1]), line(gap[2]),
    )  # fmt: skip


def _ahead(propagators_at):
    @lean_inlined
    def ahead(n, v, j, items, par, table, h, far):
        """The neurons from n on, from (v, j) over a stretch of h ms: v, j, and a bound of all v."""
        weight0, weight1, weight2, weight3, u0, u1, u2, s0, s1, s2 = items
        zero, n_terms, rate_mem = line(type(h)(0.0)), degree(h), line_at(par, RATE_MEM, n)
        w0, w1, w2 = line_from(weight0, n), line_from(weight1, n), line_from(weight2, n)
        x, y, gain = propagators_at(h, par, n, far)
        left = product(y, j)
        arrived = lanes_add(lanes_add(lanes_add(w0, w1), w2), line_from(weight3, n))
        v_end, j_end = fused(gain, j, product(x, v)), lanes_add(left, arrived)
        m0, m1, m2 = product(w0, u0), product(w1, u1), product(w2, u2)
        for q in range(n_terms):
            moment = lanes_add(lanes_add(m0, m1), m2)
            v_end = fused(line_at(table, q, n), moment, v_end)
            j_end = fused(line_at(table, n_terms + q, n), moment, j_end)
            m0, m1, m2 = product(m0, u0), product(m1, u1), product(m2, u2)
        rise = product(where_less(zero, w0, w0, zero), s0)
        rise = fused(where_less(zero, w1, w1, zero), s1, rise)
        rise = fused(where_less(zero, w2, w2, zero), s2, rise)
        drop = lanes_add(where_less(zero, w0, zero, w0), where_less(zero, w1, zero, w1))
        drop = lanes_add(drop, where_less(zero, w2, zero, w2))
        span, peak = product(rate_mem, line(h)), line_at(par, PEAK, n)
        reach = where_less(span, peak, span, peak)
        top = fused(reach, where_less(zero, j, j, zero), where_less(zero, v, v, zero))
        top = fused(rate_mem, rise, top)
        fall = lanes_minus(top, lanes_add(where_less(left, j, left, j), drop))
        fallen = fused(span, where_less(zero, fall, fall, zero), v_end)
        return flush_line(v_end), flush_line(j_end), where_less(fallen, top, fallen, top)

    return ahead


near_ahead, far_ahead = _ahead(near_lines), _ahead(far_lines)


def _step(ahead):
    @lean_inlined
    def step(par, alert, table, before, after, weights, stretch, h, far, found):
        """All neurons over a stretch of h ms; returns how many may fire, which are ``found``."""
        n_found, items = 0, items_of(stretch, weights)
        for n in range(0, par.shape[1], LINE // par.itemsize):
            v, j, bound = ahead(
                n, line_at(before, 0, n), line_at(before, 1, n), items, par, table, h, far
            )
            bits = marks(bound, line_from(alert, n))
            put_line(after, 0, n, v)
            put_line(after, 1, n, j)
            while bits != np.uint64(0):
                found[n_found] = n + first_mark(bits)
                n_found, bits = n_found + 1, bits & (bits - np.uint64(1))
        return n_found

    return step


near_step, far_step = _step(near_ahead), _step(far_ahead)


@lean
def far_propagators(h, par, far, low, high):
    """Propagators of the neurons low : high over h ms, [3, neurons], for :func:`far_lines`."""
    for n in range(low, high):
        x, y, gain = far_forward(h, par[SLOW, n], par[GAP, n], par[RATE_MEM, n])
        far[0, n], far[1, n], far[2, n] = x, y, gain


def _maps(propagate):
    @lean_inlined
    def maps(par, n, stretch, found):
        """Propagators of neuron n from item to item, [3, items]; side by side, in a vector."""
        slow, gap, rate_mem, since = par[SLOW, n], par[GAP, n], par[RATE_MEM, n], stretch.since
        for k in range(ITEMS):
            found[0, k], found[1, k], found[2, k] = propagate(since[k], slow, gap, rate_mem)

    return maps


near_maps, far_maps = _maps(near_forward), _maps(far_forward)
