r"""Tables for the formulas of linear neurons, computed once from their matrices.

No eigenvalue is computed. So complex, equal and defective eigenvalues are no special cases. By the
theorem of Cayley and Hamilton, with entire functions :math:`\alpha_k`,

.. math::
    e^{A h} = \sum_{k < n} \alpha_k(h) A^k, \qquad
    \alpha_k = \sum_m \gamma_{m,k} \frac{h^m}{m!}, \qquad
    \gamma_{m+1,k} = \gamma_{m,k-1} - c_k \gamma_{m,n-1},

where c is the characteristic polynomial (Faddeev, LeVerrier). Up to a *piece* :math:`\Delta`, a
power of two with :math:`\Delta \lVert A \rVert \le 1/2`, degree 14 is exact to rounding. Up to
:math:`\Delta / 8` degree 8 is enough. A longer time is a whole number of pieces and a rest; for
each bit of this number a matrix :math:`e^{A \Delta 2^b}` is stored. The tables are computed in
extended precision where the machine has it, those for kernels of single precision in double.
:math:`e^{A h} - 1` is squared in place of :math:`e^{A h}`, so that slow modes beside fast ones keep
their digits.

=========  ==========================  =============================================================
field      shape                       is
=========  ==========================  =============================================================
flow       [N, n, n]                   A
piece      [N]                         :math:`\Delta`, ms
alpha      [N, n, DEGREE + 1]          coefficients of :math:`\alpha_k`
powers     [N, bits, n, n]             :math:`e^{A \Delta 2^b}`
bounds     [N, 4, n]                   up, down: sup over all times of :math:`\pm (e^{A t})_{0i}`;
                                       bend, jerk: sup of :math:`|e_0 A^2 e^{A t}|_i` and
                                       :math:`|e_0 A^3 e^{A t}|_i` up to a piece
beta       [N, pairs, DEGREE + 2]      :math:`\int_0^h \alpha_k(h - s)\, \alpha_l(s)\, ds`, k <= l
products   [N, bits, n^4]              the same integral over :math:`\Delta 2^b`
=========  ==========================  =============================================================
"""

import math
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from eventsim.arrays import Floats

DEGREE, LOW = 14, 8
DEGREE_SINGLE = 8  # and 4: kernels/neuron/linear.hpp
UP, DOWN, BEND, JERK = range(4)
MOST_BITS = 60
MOST_PIECES = 1e12

# Rows of a grid of times that are looked at together, and how many times that at most.
_ROWS_LOG, _MOST_BLOCKS = 4, 256

# A grid of bounds gets twice as wide where that adds less than this fraction of the bound.
_LOOSE = 0.01
# In place of a bound that was not found; finite, so that it is 0 of a state of 0.
_NO_BOUND, _NO_BOUND_SINGLE = 1e300, 1e30
# Bounds are this much larger, more than the rounding of the sums in them.
_ROUNDED = 1.0 + 1e-9


class FlowTables(NamedTuple):
    """Tables of the flows of N neurons, float64; see the module."""

    flow: Floats
    piece: Floats
    alpha: Floats
    powers: Floats
    bounds: Floats

    def single(self) -> "FlowTables":
        """The same for kernels of single precision: ``powers`` without the unit matrix."""
        eye = np.eye(self.flow.shape[1])
        return FlowTables(
            _single(self.flow),
            self.piece,
            _single(self.alpha[..., : DEGREE_SINGLE + 1]),
            _single(self.powers - eye),
            _single(np.minimum(self.bounds, _NO_BOUND_SINGLE)),
        )


class BackTables(NamedTuple):
    """Further tables of the backward pass, float64; see the module."""

    beta: Floats
    products: Floats

    def single(self) -> "BackTables":
        """The same for kernels of single precision."""
        return BackTables(_single(self.beta[..., : DEGREE_SINGLE + 2]), _single(self.products))


def _single(values: Floats) -> Any:
    """As float32, with tiny values as zero: products of them would be slow."""
    small = np.abs(values) < 1e-30
    return np.ascontiguousarray(np.where(small, 0.0, values), np.float32)


def pieces_of(flow: NDArray[Any]) -> Floats:
    """The piece of every flow, ms, [N]."""
    size = np.abs(flow).astype(np.float64)
    norm = np.minimum(size.sum(axis=1).max(axis=1), size.sum(axis=2).max(axis=1))
    least: Floats = 2.0 ** np.floor(np.log2(0.5 / np.maximum(norm, 1e-30)))
    return least


def bits_for(piece: Floats, longest: float) -> int:
    """Bits of the number of pieces in the longest time, ms."""
    most = math.log2(max(longest, 1e-300) / float(piece.min()))
    return min(max(math.ceil(most) + 1, 6), MOST_BITS)


def without_bound(tables: FlowTables, longest: float) -> NDArray[np.int64]:
    """Flows with more pieces than powers reach, or too many to search each without a bound."""
    unknown = tables.bounds[:, UP : DOWN + 1].max(axis=(1, 2)) >= _NO_BOUND_SINGLE
    pieces, reached = longest / tables.piece, 2.0 ** tables.powers.shape[1]
    return np.flatnonzero((unknown & (pieces > MOST_PIECES)) | (pieces >= reached))


def flow_tables(
    flow: NDArray[Any], piece: Floats, bits: int, longest: float, free: int
) -> FlowTables:
    """Tables of flows [N, n, n] for times up to ``longest``, ms, made in the type of the flows.

    The first ``free`` flows have bounds; those of a voltage in its refractory time need none.
    """
    a = _beside(flow)
    powers, bounds = _powers(a, piece, bits), np.zeros((4, flow.shape[1], len(flow)))
    some = a[..., :free], piece[:free]
    bounds[UP, :, :free], bounds[DOWN, :, :free] = _highest(*some, powers[..., :free], longest)
    bounds[BEND, :, :free], bounds[JERK, :, :free] = _swing(*some, 2), _swing(*some, 3)
    made = (np.moveaxis(part, -1, 0) for part in (_alphas(a), powers, bounds))
    return FlowTables(*(np.ascontiguousarray(part, np.float64) for part in (flow, piece, *made)))


def back_tables(flow: NDArray[Any], piece: Floats, bits: int, *, far: bool = True) -> BackTables:
    """Tables of the backward pass of the same flows; without ``far`` there are no products."""
    a = _beside(flow)
    beta = _betas(_alphas(a))
    products = np.zeros((0, len(flow)))
    if far:
        products = _products(a, piece, beta, _powers(a, piece, bits))
    made = (np.moveaxis(part, -1, 0) for part in (beta, products))
    return BackTables(*(np.ascontiguousarray(part, np.float64) for part in made))


# Below, flows are side by side: the last axis is their number, and loops of NumPy are as long.


def _beside(flow: NDArray[Any]) -> NDArray[Any]:
    """Flows [N, n, n] as [n, n, N]."""
    return np.ascontiguousarray(np.moveaxis(flow, 0, -1))


def _product(a: NDArray[Any], b: NDArray[Any]) -> NDArray[Any]:
    """Products of matrices side by side, [.., i, k, N] and [.., k, j, N]."""
    total: NDArray[Any] = a[..., :, 0, None, :] * b[..., None, 0, :, :]
    for k in range(1, a.shape[-2]):
        total += a[..., :, k, None, :] * b[..., None, k, :, :]
    return total


def _eye(flow: NDArray[Any]) -> NDArray[Any]:
    """Unit matrices, of the shape and the type of the flows."""
    found = np.zeros_like(flow)
    found[range(len(flow)), range(len(flow))] = 1.0
    return found


def _alphas(flow: NDArray[Any]) -> NDArray[Any]:
    """Coefficients of all alpha, [n, DEGREE + 1, N]."""
    n, size = flow.shape[1:]
    eye, diagonal = _eye(flow), range(n)
    c, m = np.zeros((n + 1, size), flow.dtype), np.zeros_like(flow)
    c[n] = 1.0
    for k in range(1, n + 1):
        m = _product(flow, m) + c[n - k + 1] * eye
        c[n - k] = -_product(flow, m)[diagonal, diagonal].sum(axis=0) / k
    found, power = np.zeros((n, DEGREE + 1, size), flow.dtype), np.zeros((n, size), flow.dtype)
    power[0] = 1.0
    for degree in range(DEGREE + 1):
        found[:, degree] = power / math.factorial(degree)
        top = power[-1]
        power = np.concatenate([np.zeros_like(power[:1]), power[:-1]])
        power -= top * c[:n]
    return found


def _betas(alpha: NDArray[Any]) -> NDArray[Any]:
    """Coefficients of all beta, pair (k, l) after pair for k <= l, [pairs, DEGREE + 2, N]."""
    n, _, size = alpha.shape
    # s^i (h - s)^j integrates to i! j! / (i + j + 1)! h^(i + j + 1).
    factor = np.array([
        [math.factorial(i) * math.factorial(j) / math.factorial(i + j + 1) if i + j <= DEGREE else 0
         for j in range(DEGREE + 1)] for i in range(DEGREE + 1)
    ], alpha.dtype)  # fmt: skip
    k, q = np.triu_indices(n)
    found = np.zeros((k.size, DEGREE + 2, size), alpha.dtype)
    for i in range(DEGREE + 1):
        rest = DEGREE + 1 - i
        second = alpha[:, :rest] * factor[i, :rest, None]
        found[:, i + 1 :] += alpha[k, i, None] * second[q]
    return found


def _powers(flow: NDArray[Any], piece: Floats, bits: int) -> NDArray[Any]:
    """Powers of the flow for :class:`FlowTables`, [bits, n, n, N]."""
    step: NDArray[Any] = flow * piece.astype(flow.dtype)
    term, less_one = step, step
    for m in range(2, 24):
        term = _product(term, step) / m
        less_one = less_one + term
    found, eye = [], _eye(flow)
    for _ in range(bits):
        found.append(less_one + eye)
        less_one = 2.0 * less_one + _product(less_one, less_one)
    return np.stack(found)


def _products(
    flow: NDArray[Any], piece: Floats, beta: NDArray[Any], powers: NDArray[Any]
) -> NDArray[Any]:
    """Integral over every dyadic time as a tensor [i, j, p, q] of adjoint p and state q, flat."""
    n, size = flow.shape[1:]
    h, power = piece.astype(flow.dtype), [_eye(flow)]
    for _ in range(1, n):
        power.append(_product(power[-1], flow))
    value = (beta * h ** np.arange(DEGREE + 2)[:, None]).sum(axis=1)
    tensor = np.zeros((n, n, n, n, size), flow.dtype)
    pairs = [(k, q) for k in range(n) for q in range(k, n)]
    for k in range(n):
        for q in range(n):
            weight = value[pairs.index((min(k, q), max(k, q)))]
            left = power[k].transpose(1, 0, 2)[:, None, :, None]
            tensor += weight * (left * power[q][None, :, None, :])
    found = [tensor]
    for step in powers[:-1]:
        # The later half is met from the state in the middle, the earlier one by the adjoint there.
        later = _product(found[-1], step)
        earlier = _product(step, found[-1])
        found.append(later + earlier)
    return np.stack(found).reshape(len(found), -1, size)


def _swing(flow: NDArray[Any], piece: Floats, order: int) -> NDArray[Any]:
    """Bound of the first row of A^order e^(A t) up to a piece, entry by entry, [n, N]."""
    row = flow[:1]
    for _ in range(order - 1):
        row = _product(row, flow)
    total: NDArray[Any] = np.abs(row)
    factor: NDArray[Any] = np.ones(len(piece), flow.dtype)
    for m in range(1, 20):
        row, factor = _product(row, flow), factor * piece / m
        total = total + np.abs(row) * factor
    return np.asarray(total[0] * _ROUNDED)


def _exp_of_sizes(flow: Floats, piece: Floats) -> Floats:
    """Bound of e^(A t) up to a piece, entry by entry."""
    size = np.abs(flow) * piece
    total = term = _eye(flow)
    for m in range(1, 20):
        term = _product(term, size) / m
        total = total + term
    return total * _ROUNDED


def _highest(
    flow: NDArray[Any], piece: Floats, powers: NDArray[Any], longest: float
) -> tuple[Floats, Floats]:
    r"""Sup of the first row of :math:`\pm e^{A t}` over 0 <= t <= ``longest``, [n, N] each.

    It computes rows r on a grid of step H. Between two of them the value is at most
    :math:`H^2/8\, |r A^2|\, M` above the chord, where M bounds :math:`e^{A s}` for s <= H. The step
    of a neuron doubles where this stays small, so that slow modes beside fast ones need few rows.
    """
    a, steps, each = flow.astype(np.float64), powers.astype(np.float64), np.arange(len(piece))
    square, most, k = _product(a, a), _exp_of_sizes(a, piece), np.zeros(len(piece), np.int64)
    row = _eye(a)[:1]
    up = down = np.zeros_like(row[0])
    reached = np.zeros(len(piece))
    for _ in range(_MOST_BLOCKS):
        rows = row
        for bit in range(_ROWS_LOG):
            step = _beside(steps[np.minimum(k + bit, len(steps) - 1), :, :, each])
            rows = np.concatenate([rows, _product(rows, step)])
        width = piece * 2.0**k
        slack = _slack(rows, square, most, width)
        up, down = np.maximum(up, (rows + slack).max(0)), np.maximum(down, (slack - rows).max(0))
        reached = reached + width * len(rows)
        tail = np.abs(rows[-1]).sum(axis=0) * most.sum(axis=1).max(axis=0)
        step = _beside(steps[k, :, :, each])
        falls = np.abs(step).sum(axis=1).max(axis=0) <= 0.5
        done = (reached >= longest) | (falls & (tail <= 1e-9))
        if done.all():
            rest = np.where(reached >= longest, 0.0, tail)
            return np.maximum(up, rest) * _ROUNDED, np.maximum(down, rest) * _ROUNDED
        row = _product(rows[-1:], step)
        wider = np.maximum(most, _product(np.abs(step), most))
        more = _slack(row, square, wider, 2.0 * width)[0]
        widens = (more <= _LOOSE * np.maximum(up, down)).all(axis=0)
        widens &= k + 1 + _ROWS_LOG <= len(steps)
        most, k = np.where(widens, wider, most), k + widens
    none = np.where(done, 0.0, _NO_BOUND)
    return np.maximum(up, none) * _ROUNDED, np.maximum(down, none) * _ROUNDED


def _slack(rows: Floats, square: Floats, most: Floats, width: Floats) -> Floats:
    # The product first: where fast modes have decayed its terms cancel.
    found: Floats = (width**2 / 8.0) * _product(np.abs(_product(rows, square)), most)
    return found
