r"""The formulas of one linear neuron, in the order of operations of the compiled kernels.

Tables are those of :mod:`eventsim.neuron.linear_tables`; symbols those of
:mod:`eventsim.neuron.linear`. Level, bounds and crossings:

**No crossing.** Over any time u = V - E stays below :math:`\sum_i K^+_i x_i^+ + K^-_i x_i^-`, and
over h up to a piece below the chord, :math:`\max(u(0), u(h)) + \frac{h^2}{8} \sum_i G_i |x_i|`.

**First crossing.** Over a span :math:`\sigma`, :math:`\ddot u \le M = \ddot u(0) + \sigma \sum_i
J_i |x_i|`, so u lies below the parabola :math:`u_0 + \dot u_0 s + M s^2/2`. A step to the first
root of this parabola, or over the span, passes no crossing. The next span is at most eight steps.
This is Newton's method from the left with a bound in place of concavity, and it converges as
quickly. A maximum that reaches the level is a crossing.

**Leaps.** Second derivatives have the same flow as states. With :math:`w = A^2 x` all later second
derivatives stay below :math:`M = \sum_i K^+_i w_i^+ + K^-_i w_i^-`, and the parabola with this M is
a bound over any span. So after fast modes have decayed, one step can cover many pieces. M includes
a bound of the rounding of w.

**The integral** :math:`\int_0^h \lambda x^T dt` of the backward pass follows from the adjoint at
its end and the state at its begin: up to a piece by powers of A and beta, over dyadic times by
products.

Sources: exact integration by matrices, Rotter and Diesmann (1999); events of linear neurons,
Brette (2007).
"""

import math
from collections.abc import Sequence

import numpy as np

from eventsim.arrays import Floats
from eventsim.neuron.linear_tables import BEND, DEGREE, DOWN, JERK, LOW, UP, BackTables, FlowTables

Vector = list[float]
Matrix = Sequence[Sequence[float]]

# A level is looked for from this fraction of it and of the reset below it on; in single precision
# from that of eventsim/engine/contract/table.py.
ALERT_MARGIN = 1e-10

# An interval's length is rounded: crossings are looked for that much beyond it, as a factor, and
# whoever asks compares times.
BEYOND = 1.0 + 2.0**-20

# Of A^2 x, in sizes of the products: more than the roundings of two sums of five terms.
LEAP_ROUNDING = 1e-14
LONGEST_LEAP = 1e15  # pieces


class NeuronFlow:
    """The flow of neuron ``k`` of some tables."""

    def __init__(self, tables: FlowTables, k: int, back: BackTables | None = None):
        self.a: Matrix = tables.flow[k].tolist()
        self.piece = float(tables.piece[k])
        self.alpha: Matrix = tables.alpha[k].tolist()
        self.powers = tables.powers[k].tolist()
        self.bounds: Matrix = tables.bounds[k].tolist()
        self.n = len(self.a)
        self.sizes: Matrix = np.abs(tables.flow[k]).tolist()
        self.transposed: Matrix = [list(column) for column in zip(*self.a, strict=True)]
        self.back = None if back is None else (back.beta[k].tolist(), back.products[k])

    def ahead(self, h: float, x: Vector) -> Vector:
        """The state ``h`` ms later."""
        q = math.floor(h / self.piece)
        return self._over_pieces(q, self.near(h - q * self.piece, x))

    def _over_pieces(self, q: int, x: Vector) -> Vector:
        for power in self._bits(q):
            x = times(power, x)
        return x

    def near(self, h: float, x: Vector, *, back: bool = False) -> Vector:
        """The state, or with ``back`` the adjoint, after ``h`` ms; h is at most a piece."""
        a = self.transposed if back else self.a
        degree = LOW if h * 8.0 <= self.piece else DEGREE
        p = [polynomial(c, degree, h) for c in self.alpha]
        y = [p[-1] * value for value in x]
        for k in range(self.n - 2, -1, -1):
            z = times(a, y)
            y = [z[i] + p[k] * x[i] for i in range(self.n)]
        return y

    def _bits(self, q: int) -> list[Matrix]:
        return [power for bit, power in enumerate(self.powers) if q >> bit & 1]

    def ever(self, x: Vector) -> float:
        """Upper bound of V - E over all times after the state."""
        total = 0.0
        for up, down, value in zip(self.bounds[UP], self.bounds[DOWN], x, strict=True):
            total += up * value if value > 0.0 else down * -value
        return total

    def weighed(self, which: int, x: Vector) -> float:
        """Sum over the entries of a bound times the absolute values of the state."""
        total = 0.0
        for bound, value in zip(self.bounds[which], x, strict=True):
            total += bound * abs(value)
        return total

    def may_cross(self, x: Vector, y: Vector, h: float, alert: float) -> bool:
        """Whether V - E may reach the alert level on the way from x to y, ``h`` ms later."""
        if h > self.piece:
            return self.ever(x) >= alert
        return max(x[0], y[0]) + self.weighed(BEND, x) * (h * h * 0.125) >= alert

    def crossing(self, x: Vector, h: float, level: float, alert: float) -> float:
        """First time before ``h`` at which V - E reaches the level; h if there is none.

        Its bits do not depend on ``h``.
        """
        q = 0
        while q == 0 or q * self.piece < h:
            y = self._over_pieces(q, x)
            if q > 0 and self.ever(y) < alert:
                return h
            far = self._leap(y, level) if q > 0 else 0
            if far:
                q += far
                continue
            at = self._within(y, h - q * self.piece, level)
            if at < self.piece:
                return q * self.piece + at
            q += 1
        return h

    def _leap(self, x: Vector, level: float) -> int:
        """Number of whole pieces after the state in which V - E cannot reach the level."""
        v = times(self.a, x)
        w = times(self.a, v)
        rounding = times(self.sizes, times(self.sizes, [abs(value) for value in x]))
        u, most = x[0] - level, self.ever(w)
        for up, down, value in zip(self.bounds[UP], self.bounds[DOWN], rounding, strict=True):
            most += LEAP_ROUNDING * (abs(up) + abs(down)) * value
        inside = v[0] * v[0] - 2.0 * most * u
        if not u < 0.0:
            return 0
        below = v[0] + math.sqrt(inside) if inside >= 0.0 else 0.0
        far = -2.0 * u / below / self.piece if below > 0.0 else LONGEST_LEAP
        return int(min(far, LONGEST_LEAP)) if far > 0.0 else 0

    def _within(self, x: Vector, limit: float, level: float) -> float:
        """The first crossing within a piece; the piece if there is none before ``limit``."""
        t, trust, y = 0.0, self.piece, x
        while True:
            v = times(self.a, y)
            u, slope, bend = y[0] - level, v[0], times(self.a, v)[0]
            if u >= 0.0:
                return t
            span = min(self.piece - t, trust)
            most = bend + self.weighed(JERK, y) * span
            inside = slope * slope - 2.0 * most * u
            below = slope + math.sqrt(inside) if inside >= 0.0 else 0.0
            if below > 0.0 and -2.0 * u < span * below:
                step = -2.0 * u / below
                if step <= 1e-16 * self.piece or t + step == t:
                    return t
                t += step
            else:
                step = span
                t = self.piece if step == self.piece - t else t + step
            if not (t < self.piece and t < limit):
                return self.piece
            trust = 8.0 * step
            y = self.near(t, x)

    def integral(self, h: float, adjoint: Vector, x: Vector, into: Floats) -> Vector:
        """Add the integral over ``h`` ms to ``into`` [n, n]; returns the adjoint at its begin."""
        assert self.back is not None
        q, (beta, products) = math.floor(h / self.piece), self.back
        rest = h - q * self.piece
        bits = [bit for bit in range(len(self.powers)) if q >> bit & 1]
        states = [self.near(rest, x)]
        for bit in bits:
            states.append(times(self.powers[bit], states[-1]))
        for bit, state in zip(reversed(bits), states[-2::-1], strict=True):
            tensor = products[bit].reshape((self.n,) * 4)
            into += np.einsum("ijpq,p,q->ij", tensor, adjoint, state)
            columns = [list(column) for column in zip(*self.powers[bit], strict=True)]
            adjoint = times(columns, adjoint)
        self._near_integral(rest, adjoint, x, beta, into)
        return self.near(rest, adjoint, back=True)

    def _near_integral(
        self, h: float, adjoint: Vector, x: Vector, beta: Matrix, into: Floats
    ) -> None:
        left, right = [adjoint], [x]
        for _ in range(1, self.n):
            left.append(times(self.transposed, left[-1]))
            right.append(times(self.a, right[-1]))
        degree = (LOW if h * 8.0 <= self.piece else DEGREE) + 1
        value = iter(polynomial(c, degree, h) for c in beta)
        weight = np.zeros((self.n, self.n))
        for k in range(self.n):
            for q in range(k, self.n):
                weight[k, q] = weight[q, k] = next(value)
        into += np.array(left).T @ weight @ np.array(right)


def polynomial(c: Sequence[float], degree: int, h: float) -> float:
    """Value of a polynomial at ``h``, by Horner's rule."""
    total = c[degree]
    for m in range(degree - 1, -1, -1):
        total = total * h + c[m]
    return total


def times(a: Matrix, x: Vector) -> Vector:
    """Matrix times vector, each sum in the order of the columns."""
    found = []
    for row in a:
        total = row[0] * x[0]
        for j in range(1, len(x)):
            total += row[j] * x[j]
        found.append(total)
    return found
