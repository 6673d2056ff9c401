r"""Table of an arrival's gain at every readout, as polynomials over the time that is left to it.

With :math:`p = a + \mu, q = b + \mu`, their smaller one l and larger one f, and the time left L,

.. math::
    K' = a D, \qquad D' = -l D + F, \qquad F' = -f F,

where :math:`F = e^{-f L}` and D is the integral of :math:`e^{-l (L - s)} e^{-f s}`. At the middle
of a window these are known in closed form, as are their derivatives by l and f. The coefficients
of higher order follow by the same equations, which hold for each order of Taylor's polynomial; no
mode faster than the window grows by them. See :mod:`eventsim.engine.gain_windows`.

Table [blocks of outputs, windows, rows, coefficients, LANES], in the type of the state.
"""

from typing import Any

import numpy as np
from llvmlite import ir
from numba import types
from numba.extending import intrinsic, overload

from eventsim.engine.cpu.compile import formula, lean, scalar
from eventsim.engine.cpu.lanes import LANES, lanes_fma, load
from eventsim.engine.cpu.scalar import SMALL_Z, far_terms, flush, fma
from eventsim.engine.gain_windows import (
    FIRST_WINDOW,
    GAIN,
    GAIN_BY_MEM,
    GAIN_BY_SYN,
    GAIN_LATER,
    TERMS_DOUBLE,
    TERMS_SINGLE,
    WINDOW_BITS,
)
from eventsim.engine.table import READOUT_MEM, READOUT_SYN

# Rows of a block's terms: the integral of D, D, and F, with their derivatives by both rates; and of
# its rates.
AREA, AREA_SLOW, AREA_FAST, D, D_SLOW, D_FAST, F, F_FAST = range(8)
N_TERMS = 8
SLOW, FAST, MEMBRANE, MEMBRANE_SLOW = range(4)
N_RATES = 4

MANTISSA = 52  # bits of a float64
_SHIFT = MANTISSA - WINDOW_BITS
_FIRST = int(np.float64(FIRST_WINDOW).view(np.int64)) >> _SHIFT
_FRACTION, _ONE = (1 << MANTISSA) - 1, int(np.float64(1.0).view(np.int64))


@intrinsic
def bits_of(typingctx: Any, x: Any) -> Any:
    """Bits of a float64 as int64."""

    def codegen(context: Any, builder: Any, signature: Any, args: Any) -> Any:
        return builder.bitcast(args[0], ir.IntType(64))

    return types.int64(types.float64), codegen


@intrinsic
def of_bits(typingctx: Any, bits: Any) -> Any:
    """The float64 with these bits."""

    def codegen(context: Any, builder: Any, signature: Any, args: Any) -> Any:
        return builder.bitcast(args[0], ir.DoubleType())

    return types.float64(types.int64), codegen


@formula
def window_of(left, per_ms):
    """Window of a time left in ms, and the place in it."""
    bits = bits_of(fma(left, per_ms, float(FIRST_WINDOW)))
    return (bits >> _SHIFT) - _FIRST, of_bits(((bits << WINDOW_BITS) & _FRACTION) | _ONE) - 1.5


@formula
def _middle_and_width(window, per_ms):
    """Time left in the middle of a window, and its width, ms."""
    begin = (window + _FIRST) << _SHIFT
    middle = of_bits(begin | (1 << (_SHIFT - 1))) - FIRST_WINDOW
    power = of_bits((begin >> MANTISSA) << MANTISSA)
    return middle / per_ms, power / (FIRST_WINDOW * per_ms)


@formula
def _loss_terms(z):
    """psi(z), phi(z), exp(-z), and -phi'(z) without loss of digits where z is large."""
    psi, phi, decayed = far_terms(z)
    return psi, phi, decayed, psi + phi if z <= SMALL_Z else (phi - decayed) / z


@formula
def _middle_terms(left, slow, fast):
    """Integral of D and its derivatives by slow and fast rate, the same of D, and F and its own."""
    _, phi_l, s, loss_l = _loss_terms(slow * left)
    psi_z, phi_z, z, loss_z = _loss_terms((fast - slow) * left)
    unit = left * s
    d, d_slow, d_fast = unit * phi_z, left * (unit * psi_z), -left * (unit * loss_z)
    area = (left * phi_l - d) / fast
    area_slow = (-left * (left * loss_l) - d_slow) / fast
    return area, area_slow, (-d_fast - area) / fast, d, d_slow, d_fast, s * z, -left * (s * z)


@lean
def _start(rates, left, state):
    """Terms of order 0 in the middle of a window; all outputs of a block side by side."""
    for k in range(LANES):
        (
            state[AREA, k], state[AREA_SLOW, k], state[AREA_FAST, k], state[D, k],
            state[D_SLOW, k], state[D_FAST, k], state[F, k], state[F_FAST, k],
        ) = _middle_terms(left, rates[SLOW, k], rates[FAST, k])  # fmt: skip


@lean
def _next_order(rates, h, state, after):
    """Terms of the next order; ``h`` is the window's width over that order."""
    for k in range(LANES):
        slow, fast = rates[SLOW, k], rates[FAST, k]
        d, d_slow, d_fast = state[D, k], state[D_SLOW, k], state[D_FAST, k]
        f, f_fast = state[F, k], state[F_FAST, k]
        after[AREA, k], after[AREA_SLOW, k], after[AREA_FAST, k] = h * d, h * d_slow, h * d_fast
        after[D, k], after[D_SLOW, k] = h * (f - slow * d), h * (-d - slow * d_slow)
        after[D_FAST, k] = h * (f_fast - slow * d_fast)
        after[F, k], after[F_FAST, k] = -h * (fast * f), h * (-f - fast * f_fast)


@lean
def _write(rates, rate, state, table, n):
    """Coefficients of order n from the terms of that order."""
    real = type(table[0, 0, 0])
    for k in range(LANES):
        a, area, d = rates[MEMBRANE, k], state[AREA, k], state[D, k]
        membrane_slow = rates[MEMBRANE_SLOW, k] > 0.0
        by_mem = state[AREA_SLOW, k] if membrane_slow else state[AREA_FAST, k]
        by_syn = state[AREA_FAST, k] if membrane_slow else state[AREA_SLOW, k]
        table[GAIN, n, k] = flush(real(a * area))
        table[GAIN_BY_MEM, n, k] = flush(real(fma(a, by_mem, area)))
        table[GAIN_BY_SYN, n, k] = flush(real(a * by_syn))
        table[GAIN_LATER, n, k] = flush(real(-fma(rate, a * area, a * d)))


@scalar
def fill(par, rate, per_ms, table):
    """The table of all outputs; places behind the last output repeat it."""
    rates = np.empty((N_RATES, LANES))
    state, after = np.empty((N_TERMS, LANES)), np.empty((N_TERMS, LANES))
    for block in range(table.shape[0]):
        for k in range(LANES):
            output = min(block * LANES + k, par.shape[1] - 1)
            p, q = par[READOUT_MEM, output] + rate, par[READOUT_SYN, output] + rate
            rates[MEMBRANE, k], rates[MEMBRANE_SLOW, k] = par[READOUT_MEM, output], p <= q
            rates[SLOW, k], rates[FAST, k] = min(p, q), max(p, q)
        for window in range(table.shape[1]):
            middle, width = _middle_and_width(window, per_ms)
            _start(rates, middle, state)
            _write(rates, rate, state, table[block, window], 0)
            for n in range(1, table.shape[3]):
                _next_order(rates, width / n, state, after)
                _write(rates, rate, after, table[block, window], n)
                state, after = after, state


def lanes_polynomial(table: Any, at: int, u: Any) -> Any:
    """Polynomial whose coefficients lie from ``at`` on in a C-contiguous table; all lanes."""
    raise NotImplementedError


def polynomial(table: Any, at: int, u: float) -> float:
    """As :func:`lanes_polynomial` for the lane of the flat table's entry ``at``."""
    raise NotImplementedError


def _terms(table: Any) -> int:
    return TERMS_SINGLE if table.dtype == types.float32 else TERMS_DOUBLE


@overload(lanes_polynomial, jit_options={"forceinline": True})
def _lanes_polynomial(table, at, u):
    last = _terms(table) - 1

    def of_lanes(table, at, u):
        value = load(table, at + last * LANES)
        for n in range(1, last + 1):
            value = lanes_fma(value, u, load(table, at + (last - n) * LANES))
        return value

    return of_lanes


@overload(polynomial, jit_options={"forceinline": True})
def _polynomial(table, at, u):
    last = _terms(table) - 1

    def of_one(table, at, u):
        value = table[at + last * LANES]
        for n in range(1, last + 1):
            value = fma(value, u, table[at + (last - n) * LANES])
        return value

    return of_one
