r"""V and J of neurons at marks, in closed form from what arrives at them, and the way back.

A row is one neuron in one sample, which between two marks is linear in what arrives. With
:math:`v = V - E`, :math:`J = R I`, and x, y, g of :mod:`eventsim.engine.run.voltage_kernel`, from
mark to mark and of every arrival k from its time to the first mark behind it,

.. math::
    v_q = x\,v_{q-1} + g\,J_{q-1} + \sum_k R w_k\, g_k, \qquad
    J_q = y\,J_{q-1} + \sum_k R w_k\, y_k .

The work grows with arrivals plus marks, never with their product.

**Integral.** With a weight :math:`e^{-\lambda u}` both equations are integrated by parts,

.. math::
    K(t) = \int_0^t e^{-\lambda u} J\,du
         = \frac{J_0 + \sum_{t_i < t} R w_i\, e^{-\lambda t_i} - e^{-\lambda t} J(t)}{b + \lambda},
    \qquad
    \int_0^t e^{-\lambda u} v\,du = \frac{a\,K(t) + v_0 - e^{-\lambda t} v(t)}{a + \lambda} .

**Backward.** With :math:`\alpha = \partial L/\partial v` and :math:`\beta = \partial L/\partial J`
at the marks, later ones included (:math:`\alpha_q = u_q + x\,\alpha_{q+1}`, :math:`\beta_q = w_q +
g\,\alpha_{q+1} + y\,\beta_{q+1}`, where :math:`u, w` are the loss's own derivatives), an arrival
:math:`h` before the first of them has

.. math::
    \frac{\partial L}{\partial (R w)} = \alpha\, g + \beta\, y, \qquad
    \frac{\partial L}{\partial t_i} = -R w\,\bigl(a\,(y - g)\,\alpha - b\,y\,\beta\bigr),

and the rates get what the derivatives of the same maps say.
"""

from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property
from typing import NamedTuple

from eventsim.arrays import Array, namespace
from eventsim.engine.contract.backend import sum_by
from eventsim.engine.run.voltage_kernel import kernel, kernel_slopes


class Rates(NamedTuple):
    """Rates of membranes and synapses, 1/ms, [rows]."""

    a: Array
    b: Array


class Met(NamedTuple):
    """Arrivals: their row, the number of the first mark behind them, their ms, and R w."""

    row: Array
    mark: Array
    time: Array
    drive: Array


class Begin(NamedTuple):
    """Begin of each row: ms, v and J, [rows]."""

    time: Array
    v: Array
    j: Array


class Released(NamedTuple):
    """Marks at which v is set, [marks, rows], and to what, [rows]."""

    where: Array
    v: Array


class StatesBack(NamedTuple):
    """DL by R w and time of the arrivals, by the rates, and by v and J at the begin."""

    drive: Array
    time: Array
    a: Array
    b: Array
    v: Array
    j: Array


@dataclass(frozen=True, eq=False)
class States:
    """States of rows at marks, all arrays of one library."""

    times: Array  # marks, ms, ascending in every row; [marks, rows]
    rates: Rates
    met: Met
    begin: Begin | None = None  # None: from rest at 0
    release: Released | None = None
    add: Callable[[Array, Array, int], Array] = sum_by  # of values by index, to a size, in order

    @property
    def v(self) -> Array:
        """From E, at the marks; [marks, rows]."""
        return self._found[0]

    @property
    def j(self) -> Array:
        """At the marks; [marks, rows]."""
        return self._found[1]

    @cached_property
    def _found(self) -> tuple[Array, Array]:
        times, met, (a, b) = self.times, self.met, self.rates
        step = kernel(times[met.mark, met.row] - met.time, a[met.row], b[met.row])
        gain, added = self._at_marks(met.drive * step.g), self._at_marks(met.drive * step.y)
        (before, v, j), found_v, found_j = self._start(), gain, added  # which are written over
        for q in range(times.shape[0]):
            move = kernel(times[q] - before, a, b)
            v, j, before = gain[q] + (move.x * v + move.g * j), added[q] + move.y * j, times[q]
            if self.release is not None:
                v = namespace(v).where(self.release.where[q], self.release.v, v)
            found_v[q], found_j[q] = v, j
        return found_v, found_j

    def _start(self) -> Begin:
        return self.begin or Begin(*namespace(self.times).zeros((3, self.times.shape[1])))

    def _at_marks(self, values: Array) -> Array:
        """Sums over the arrivals between two marks, [marks, rows]."""
        shape = self.times.shape
        place = self.met.mark * shape[1] + self.met.row
        return self.add(values, place, self.times.size).reshape(shape)

    def integral(self, rate: float, *, since_first: bool = False) -> Array:
        """Integral of v to the marks, [marks, rows], from the begin or from the first mark.

        The weight is exp(-rate t), in 1/ms, with t from there on.
        """
        xp, (row, mark, time, drive), (a, b) = namespace(self.times), self.met, self.rates
        begin = Begin(self.times[0], self.v[0], self.j[0]) if since_first else self._start()
        if since_first:
            drive = drive * (mark > 0)
        passed = xp.maximum(time - begin.time[row], 0.0)
        added = self._at_marks(drive * xp.exp(-rate * passed))
        decay = xp.exp(-rate * (self.times - begin.time))
        of_drive = (xp.cumsum(added, axis=0) + begin.j - decay * self.j) / (b + rate)
        return (a * of_drive + begin.v - decay * self.v) / (a + rate)

    def slope(self) -> Array:
        """dv/dt just before the marks, 1/ms, at which no arrival may be."""
        return self.rates.a * (self.j - self.v)

    def backward(self, by_v: Array, by_j: Array | None = None) -> StatesBack:
        """Gradients from dL/dv and dL/dJ at the marks, [marks, rows]; of no release."""
        xp, times, (a, b) = namespace(self.times), self.times, self.rates
        n, n_rows = times.shape
        alpha, beta = by_v.copy(), xp.zeros((n, n_rows)) if by_j is None else by_j.copy()
        by_a, by_b, first = xp.zeros(n_rows), xp.zeros(n_rows), self._start()
        for q in range(n - 1, -1, -1):
            before = Begin(times[q - 1], self.v[q - 1], self.j[q - 1]) if q else first
            h, up, side = times[q] - before.time, alpha[q], beta[q]
            (x, y, g), g_by_a, g_by_b = kernel_slopes(h, a, b)
            by_a += up * (g_by_a * before.j - h * x * before.v)
            by_b += up * g_by_b * before.j - side * h * y * before.j
            up, side = x * up, g * up + y * side
            if q:
                alpha[q - 1] += up
                beta[q - 1] += side
        row, mark, time, drive = self.met
        h = times[mark, row] - time
        (_, y, g), g_by_a, g_by_b = kernel_slopes(h, a[row], b[row])
        of_v, of_j = alpha[mark, row], beta[mark, row]
        by_a += self.add(drive * of_v * g_by_a, row, n_rows)
        by_b += self.add(drive * (of_v * g_by_b - of_j * h * y), row, n_rows)
        by_time = -drive * (of_v * a[row] * (y - g) - of_j * b[row] * y)
        return StatesBack(of_v * g + of_j * y, by_time, by_a, by_b, up, side)
