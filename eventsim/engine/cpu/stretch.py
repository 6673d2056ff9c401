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
from eventsim.engine.cpu.scalar import far_forward, flush, fma, near_forward
from eventsim.engine.series import (
    DEGREE_DOUBLE,
    DEGREE_SINGLE,
    ITEMS,
    SERIES_DOUBLE,
    SERIES_SINGLE,
    shorter,
)
from eventsim.engine.table import ALERT, GAP, PEAK, RATE_MEM, RATE_SYN, SLOW

_SHORTER = shorter()


class Stretch(NamedTuple):
    """The items of a stretch, the last at its end; where it has fewer, nothing comes behind.

    ``row`` counts the rows of the weights; of those that are below zero, -1 is the first of
    ``summed``. ``gap`` is in ms before the end, ``share`` the same in parts of the longest stretch.
    """

    time: NDArray[np.float64]
    row: NDArray[np.int64]
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
        np.zeros(ITEMS, par.dtype), np.zeros((ITEMS, par.shape[1]), par.dtype),
    )  # fmt: skip


@lean
def fill(stretch, event, times, rows, n_events, t_end, weights, longest):
    """The stretch from ``event`` on, of the events before ``n_events`` and the sample's end.

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
            event = _meeting(stretch, size, event, times, rows, n_events, weights)
        stretch.time[size] = time
        size += 1
    end = stretch.time[size - 1]
    for k in range(ITEMS):
        if k >= size:
            stretch.row[k], stretch.time[k] = zeros, end
        stretch.gap[k] = real(end - stretch.time[k])
        stretch.share[k] = stretch.gap[k] / longest
    return event, size, int(full or ends), ends


@lean
def _meeting(stretch, item, event, times, rows, n_events, weights):
    """The events at the time of this one are an item; returns the number of the next."""
    first = event
    event += 1
    while event < n_events and times[event] == times[first]:
        event += 1
    if event > first + 1:
        stretch.row[item] = -1 - item
        for n in range(stretch.summed.shape[1]):
            stretch.summed[item, n] = weights[rows[first], n]
        for k in range(first + 1, event):
            for n in range(stretch.summed.shape[1]):
                stretch.summed[item, n] += weights[rows[k], n]
    return event


@formula
def weight_at(stretch, k, weights, n):
    """Weight of the k-th item at neuron n."""
    row = stretch.row[k]
    return weights[row, n] if row >= 0 else stretch.summed[-1 - row, n]


def _step(propagate):
    @lean_inlined
    def step(par, table, before, after, mask, weights, stretch, h):
        """All neurons over a stretch of h ms; marks those that may fire."""
        real = type(h)
        zero = real(0.0)
        row, share, gap = stretch.row, stretch.share, stretch.gap
        weight0 = weights[row[0]] if row[0] >= 0 else stretch.summed[-1 - row[0]]
        weight1 = weights[row[1]] if row[1] >= 0 else stretch.summed[-1 - row[1]]
        weight2 = weights[row[2]] if row[2] >= 0 else stretch.summed[-1 - row[2]]
        weight3 = weights[row[3]] if row[3] >= 0 else stretch.summed[-1 - row[3]]
        u0, u1, u2 = share[0], share[1], share[2]
        s0, s1, s2 = gap[0], gap[1], gap[2]
        for n in range(par.shape[1]):
            v, j, rate_mem = before[0, n], before[1, n], par[RATE_MEM, n]
            w0, w1, w2 = weight0[n], weight1[n], weight2[n]
            x, y, gain = propagate(h, par[SLOW, n], par[GAP, n], rate_mem)
            left = y * j
            v_end, j_end = fma(gain, j, x * v), left + (((w0 + w1) + w2) + weight3[n])
            m0, m1, m2 = w0 * u0, w1 * u1, w2 * u2
            for q in range(degree(h)):
                moment = (m0 + m1) + m2
                v_end = fma(table[0, q, n], moment, v_end)
                j_end = fma(table[1, q, n], moment, j_end)
                m0, m1, m2 = m0 * u0, m1 * u1, m2 * u2
            up0, down0 = (w0, zero) if w0 > zero else (zero, w0)
            up1, down1 = (w1, zero) if w1 > zero else (zero, w1)
            up2, down2 = (w2, zero) if w2 > zero else (zero, w2)
            rise = fma(up2, s2, fma(up1, s1, up0 * s0))
            span = rate_mem * h
            reach = span if span < par[PEAK, n] else par[PEAK, n]
            top = fma(reach, j if j > zero else zero, v if v > zero else zero)
            top = fma(rate_mem, rise, top)
            least = (left if left < j else j) + ((down0 + down1) + down2)
            fall = top - least
            fallen = fma(span, fall if fall > zero else zero, v_end)
            mask[n] = (fallen if fallen < top else top) >= par[ALERT, n]
            after[0, n] = flush(v_end)
            after[1, n] = flush(j_end)

    return step


near_step, far_step = _step(near_forward), _step(far_forward)
