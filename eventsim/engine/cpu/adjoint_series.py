"""Series on the way back over several arrivals, of one neuron or of neurons side by side.

The formulas are those of :mod:`eventsim.engine.adjoint_series`. Series are tuples: of numbers for
one neuron, of lines (:mod:`eventsim.engine.cpu.lanes`) for neurons side by side. A function of
series is written for the first term and calls itself for the others.
"""

from typing import Any

import numpy as np
from numba import types
from numba.extending import overload

from eventsim.engine.adjoint_series import (
    DECAY,
    DECAY_SYN,
    EXTRA,
    GAIN,
    GAIN_MEM,
    GAIN_SYN,
    N_SERIES,
    TAKEN,
    TERMS,
    economy,
)
from eventsim.engine.cpu.compile import lean_inlined, scalar
from eventsim.engine.cpu.lanes import fused, line, line_at, product
from eventsim.engine.table import RATE_MEM, RATE_SYN

_INLINED: Any = {"jit_options": {"forceinline": True}}


def terms_of(values: Any) -> Any:
    """A tuple of zeros of the type of the array, as long as series are in it."""
    raise NotImplementedError


@overload(terms_of)
def _terms_of(values):
    single = values.dtype == types.float32
    zeros = (np.float32(0.0),) * TERMS["single"] if single else (0.0,) * TERMS["double"]
    return lambda values: zeros


def lanes_of(table: Any, row: int, n: int, terms: Any) -> Any:
    """The series in the table's rows from ``row`` on, of the neurons from n on."""
    raise NotImplementedError


@overload(lanes_of, **_INLINED)
def _lanes_of(table, row, n, terms):
    if len(terms) == 1:
        return lambda table, row, n, terms: (line_at(table, row, n),)
    return lambda table, row, n, terms: (
        (line_at(table, row, n),) + lanes_of(table, row + 1, n, terms[1:])
    )


def values_of(table: Any, row: int, n: int, terms: Any) -> Any:
    """As :func:`lanes_of`, of neuron n alone."""
    raise NotImplementedError


@overload(values_of, **_INLINED)
def _values_of(table, row, n, terms):
    if len(terms) == 1:
        return lambda table, row, n, terms: (table[row, n],)
    return lambda table, row, n, terms: (table[row, n],) + values_of(table, row + 1, n, terms[1:])


def spread_all(values: Any) -> Any:
    """A vector of every number."""
    raise NotImplementedError


@overload(spread_all, **_INLINED)
def _spread_all(values):
    if len(values) == 1:
        return lambda values: (line(values[0]),)
    return lambda values: (line(values[0]),) + spread_all(values[1:])


def horner(series: Any, u: Any) -> Any:
    """Sum of series[q] u^q."""
    raise NotImplementedError


@overload(horner, **_INLINED)
def _horner(series, u):
    if len(series) == 1:
        return lambda series, u: series[0]
    return lambda series, u: fused(horner(series[1:], u), u, series[0])


def grown(series: Any, x: Any, by: Any) -> Any:
    """Series[q] + x by[q]."""
    raise NotImplementedError


@overload(grown, **_INLINED)
def _grown(series, x, by):
    if len(series) == 1:
        return lambda series, x, by: (fused(x, by[0], series[0]),)
    return lambda series, x, by: (fused(x, by[0], series[0]),) + grown(series[1:], x, by[1:])


def mixed(one: Any, x: Any, two: Any, y: Any) -> Any:
    """One[q] x + two[q] y."""
    raise NotImplementedError


@overload(mixed, **_INLINED)
def _mixed(one, x, two, y):
    if len(one) == 1:
        return lambda one, x, two, y: (fused(one[0], x, product(two[0], y)),)
    return lambda one, x, two, y: (
        (fused(one[0], x, product(two[0], y)),) + mixed(one[1:], x, two[1:], y)
    )


def dot(one: Any, two: Any) -> Any:
    """Sum of one[q] two[q], the last first."""
    raise NotImplementedError


@overload(dot, **_INLINED)
def _dot(one, two):
    if len(one) == 1:
        return lambda one, two: product(one[0], two[0])
    return lambda one, two: fused(one[0], two[0], dot(one[1:], two[1:]))


def numbers_of(matrix: Any, row: int, column: int, terms: Any) -> Any:
    """The series in a row of a matrix from ``column`` on."""
    raise NotImplementedError


@overload(numbers_of, **_INLINED)
def _numbers_of(matrix, row, column, terms):
    if len(terms) == 1:
        return lambda matrix, row, column, terms: (matrix[row, column],)
    return lambda matrix, row, column, terms: (
        (matrix[row, column],) + numbers_of(matrix, row, column + 1, terms[1:])
    )


@lean_inlined
def opened(alpha, beta, rate_syn, decays, gains, taken):
    """Series of beta, and of what an arrival of weight 1 adds to dL/dt of its source.

    Of one neuron, or of neurons side by side.
    """
    betas = mixed(decays, beta, gains, alpha)
    return betas, mixed(betas, rate_syn, taken, alpha)


@lean_inlined
def by_rates(moments, alpha, beta, alpha_mem, beta_mem, beta_syn, decays, gains, gains_mem,
             gains_syn, decays_syn):  # fmt: skip
    """Sums over the arrivals of weight times the derivatives of beta by the two rates.

    Of one neuron, or of neurons side by side.
    """
    through, gained = dot(decays, moments), dot(gains, moments)
    gained_mem, gained_syn = dot(gains_mem, moments), dot(gains_syn, moments)
    by_mem = fused(through, beta_mem, fused(gained, alpha_mem, product(gained_mem, alpha)))
    changed = fused(dot(decays_syn, moments), beta, product(gained_syn, alpha))
    return by_mem, fused(through, beta_syn, changed)


_ECONOMY = {precision: economy(terms) for precision, terms in TERMS.items()}


def _economy_of(values: Any) -> Any:
    """The numbers of :func:`eventsim.engine.adjoint_series.economy` for the type of the array."""
    raise NotImplementedError


@overload(_economy_of)
def _economy_of_type(values):
    numbers = _ECONOMY["single" if values.dtype == types.float32 else "double"]
    return lambda values: numbers


@scalar
def series_table(par, middle, length):
    """Series of all neurons, [N_SERIES * terms, neurons], computed in double precision."""
    economy = _economy_of(par)
    n_terms = economy.shape[1]
    table, t = (
        np.empty((N_SERIES * n_terms, par.shape[1]), par.dtype),
        np.empty((N_SERIES, n_terms + EXTRA)),
    )
    for n in range(par.shape[1]):
        a, b = np.float64(par[RATE_MEM, n]), np.float64(par[RATE_SYN, n])
        _taylor(a, b, middle, length, n_terms + EXTRA, t)
        for i in range(N_SERIES):
            for q in range(n_terms):
                total = t[i, q]
                for k in range(EXTRA):
                    total += economy[k, q] * t[i, n_terms + k]
                table[i * n_terms + q, n] = total
    return table


@scalar
def _taylor(a, b, middle, length, n_terms, t):
    """Taylor coefficients of the functions times exp(middle s), in u = s / length.

    Each function of s solves an equation of first order, from which its next coefficient follows.
    """
    slow, fast = (a - middle) * length, (b - middle) * length
    x, y, x_mem, y_syn, g, g_mem, g_syn = 1.0, 1.0, 0.0, 0.0, 0.0, 0.0, 0.0
    for q in range(n_terms):
        t[DECAY, q], t[TAKEN, q], t[DECAY_SYN, q] = y, -a * x, y_syn
        t[GAIN, q], t[GAIN_MEM, q], t[GAIN_SYN, q] = a * g, g + a * g_mem, a * g_syn
        share = 1.0 / (q + 1.0)
        g_mem, g_syn = (
            share * (length * x_mem - fast * g_mem),
            -share * (length * g + fast * g_syn),
        )
        g = share * (length * x - fast * g)
        x_mem, y_syn = -share * (length * x + slow * x_mem), -share * (length * y + fast * y_syn)
        x, y = -share * (slow * x), -share * (fast * y)
