r"""The voltage of a LIF neuron between two events is known in closed form.

The neuron is current-based leaky integrate-and-fire. It has the membrane voltage :math:`V`, the
synaptic current :math:`I` and the parameters of the table below. With the voltage
:math:`v = V - E` measured from the resting potential,

.. math::
    \tau_m \dot v = -v + R I, \qquad \tau_s \dot I = -I,

so :math:`h` milliseconds after the state was :math:`v_0, I_0`

.. math::
    v(h) = v_0\,e^{-h/\tau_m} + R I_0\,g(h), \qquad I(h) = I_0\,e^{-h/\tau_s}, \qquad
    g(h) = a\,\frac{e^{-ah} - e^{-bh}}{b - a}, \quad a = 1/\tau_m,\; b = 1/\tau_s .

A spike is the first upward crossing :math:`v = \vartheta - E`; then :math:`v \leftarrow V_r - E`
and :math:`I` is kept.

**Readouts** are the same equation without threshold. Their weighted integral over a recording of
:math:`T` milliseconds is a sum over the arrivals :math:`k`, at :math:`t_k` with weight :math:`w_k`:

.. math::
    \int_0^T e^{-\mu t}\, v(t)\, dt = \sum_k R\, w_k\, e^{-\mu t_k} K(T - t_k), \qquad
    K(L) = \int_0^L e^{-\mu s} g(s)\, ds .

:math:`1/\mu` is the time constant of the weighting (:math:`\mu = 0` weights evenly), and
``integral_gain`` computes :math:`K`. Users call :func:`eventsim.readout_integral`, which adds the
part of :math:`E`.

===================  ==============  ====================
symbol               name            unit
===================  ==============  ====================
:math:`v`            v               as the threshold
:math:`RI`           drive           as the threshold
:math:`R`            resistance      none, scales weights
:math:`E`            v_leak          as the threshold
:math:`\vartheta`    threshold       any; sets the scale
:math:`V_r`          v_reset         as the threshold
:math:`\tau_m`       tau_mem         ms
:math:`\tau_s`       tau_syn         ms
:math:`\mu`          rate            1/ms
===================  ==============  ====================

.. dropdown:: Equal time constants, as the program computes them

    With :math:`\lambda = \min(a, b)` and :math:`z = |b - a|\,h \ge 0` everything is written in
    the entire functions

    .. math::
        \phi(z) = \frac{1 - e^{-z}}{z}, \qquad \psi(z) = \frac{\phi(z) - 1}{z},

        \mathcal E(h) = \frac{e^{-ah} - e^{-bh}}{b - a} = h\,e^{-\lambda h}\,\phi(z), \qquad
        \frac{\partial \mathcal E}{\partial \lambda} = h^2 e^{-\lambda h}\,\psi(z), \qquad
        \frac{\partial \mathcal E}{\partial (\lambda + |b-a|)} = -h^2 e^{-\lambda h}
        \,\bigl(\psi(z) + \phi(z)\bigr),

    which neither divide by :math:`b - a` nor form :math:`0 \cdot \infty` after a long silence.
    So :math:`\tau_m = \tau_s` is a regular point.

References
----------
Wunderlich and Pehle (2021), Event-based backpropagation can compute exact gradients for spiking
neural networks, Sci. Rep. 11:12829, equations (1) to (5).
"""

import math
from collections.abc import Callable, Iterable

# Below this, psi is summed as a series: its closed form loses digits by cancellation.
SERIES_BELOW = 0.5
# Below, the sum of psi and phi loses less than two digits, and recorded runs keep their bits.
CANCELS_FROM = 64.0


def phi(z: float) -> float:
    """``(1 - exp(-z)) / z`` for z >= 0."""
    return -math.expm1(-z) / z if z != 0.0 else 1.0


def psi(z: float) -> float:
    """``(phi(z) - 1) / z`` for z >= 0: the series ``-sum (-z)^k / (k + 2)!`` near zero."""
    if z >= SERIES_BELOW:
        return (phi(z) - 1.0) / z
    term, total, k = -0.5, 0.0, 2
    while total + term != total:
        total += term
        k += 1
        term *= -z / k
    return total


def loss(z: float) -> float:
    """``-phi'(z)``, which is ``psi(z) + phi(z)``, without loss of digits where z is large."""
    return (phi(z) - math.exp(-z)) / z if z >= CANCELS_FROM else psi(z) + phi(z)


def decay(dt: float, tau: float) -> float:
    """Factor by which a state with time constant ``tau`` shrinks in ``dt`` ms."""
    return math.exp(-dt / tau)


def difference(dt: float, a: float, b: float) -> float:
    """``(exp(-a dt) - exp(-b dt)) / (b - a)``, symmetric in a and b, in ms."""
    return dt * math.exp(-min(a, b) * dt) * phi(abs(b - a) * dt)


def difference_slopes(dt: float, a: float, b: float) -> tuple[float, float]:
    """Partial derivatives of :func:`difference` by ``a`` and by ``b``, in ms^2."""
    z = abs(b - a) * dt
    scale = dt * dt * math.exp(-min(a, b) * dt)
    by_slow, by_fast = scale * psi(z), -scale * loss(z)
    return (by_slow, by_fast) if a <= b else (by_fast, by_slow)


def synaptic_gain(dt: float, tau_mem: float, tau_syn: float) -> float:
    """Voltage that one unit of drive R I has caused after ``dt`` ms."""
    return difference(dt, 1.0 / tau_mem, 1.0 / tau_syn) / tau_mem


def synaptic_gain_slopes(dt: float, tau_mem: float, tau_syn: float) -> tuple[float, float]:
    """Partial derivatives of :func:`synaptic_gain` by ``tau_mem`` and by ``tau_syn``, 1/ms."""
    a, b = 1.0 / tau_mem, 1.0 / tau_syn
    by_a, by_b = difference_slopes(dt, a, b)
    return -a * a * (difference(dt, a, b) + a * by_a), -b * b * a * by_b


def voltage(v: float, drive: float, dt: float, tau_mem: float, tau_syn: float) -> float:
    """``v`` after ``dt`` ms without an event."""
    return v * decay(dt, tau_mem) + drive * synaptic_gain(dt, tau_mem, tau_syn)


def meeting(
    v: float, drive: float, of_drive: float, of_voltage: float, tau_mem: float, tau_syn: float
) -> float:
    r"""Time in ms at which ``of_drive`` times R I is ``of_voltage`` times v, or infinity.

    With :math:`\delta = b - a` it is :math:`\ln(1 + \delta m) / \delta`,
    :math:`m = (p R I_0 - q v_0) / (q (a R I_0 + \delta v_0))`.
    """
    a, b = 1.0 / tau_mem, 1.0 / tau_syn
    delta = b - a
    denominator = of_voltage * (a * drive + delta * v)
    if denominator == 0.0:
        return math.inf
    m = (of_drive * drive - of_voltage * v) / denominator
    if 1.0 + delta * m <= 0.0:
        return math.inf
    time = math.log1p(delta * m) / delta if delta != 0.0 else m
    return time if time > 0.0 else math.inf


def extremum(v: float, drive: float, tau_mem: float, tau_syn: float) -> float:
    """Time in ms of the only extremum of ``v``, where R I = v, or infinity if none is ahead."""
    return meeting(v, drive, 1.0, 1.0, tau_mem, tau_syn)


def first_crossing(
    v: float, drive: float, limit: float, level: float, tau_mem: float, tau_syn: float
) -> float:
    """Time in ``[0, limit)`` at which ``v`` first rises through ``level``, or infinity.

    A neuron that starts at or above the level and rises crosses at once.
    """
    if v >= level and (drive > v or drive == v < 0.0) and limit > 0.0:
        return 0.0
    if v < level and drive < level and level > 0.0:
        return math.inf  # v moves towards the drive, and the drive towards zero

    def excess(t: float) -> tuple[float, float]:
        """V less the level, and its slope."""
        above = voltage(v, drive, t, tau_mem, tau_syn) - level
        return above, (drive * decay(t, tau_syn) - above - level) / tau_mem

    turn = extremum(v, drive, tau_mem, tau_syn)
    turns = [turn] if turn < math.inf else []
    return first_rise(excess, turns, limit, level, max(tau_mem, tau_syn))


def first_rise(
    excess: Callable[[float], tuple[float, float]],
    turns: Iterable[float],
    limit: float,
    level: float,
    slowest: float,
) -> float:
    """Time in ``[0, limit)`` at which the excess rises through zero, or infinity.

    ``excess`` is V less its threshold, and its slope. Between its extrema, ``turns``, it is
    monotone: each piece is bracketed and solved, by steps of the ``slowest`` time constant behind
    the last. Where it starts at zero or above it does not rise, and the crossing comes after it
    fell below, or at a minimum that rounding left above. No bracket depends on ``limit``, so that
    the crossing has the same bits whatever ends the interval.
    """
    start = 0.0
    for end in turns:
        above = excess(end)[0]
        # A voltage that rests at its level has vanished before it could pass it.
        if above > 0.0 or above == 0.0 != level:
            root = bracketed_root(excess, start, end) if excess(start)[0] < 0.0 else end
            return root if root < limit else math.inf
        start = end
    if level >= 0.0 or excess(start)[0] >= 0.0:
        return math.inf
    end = start + slowest
    while start < limit:
        if excess(end)[0] >= 0.0:
            root = bracketed_root(excess, start, end)
            return root if root < limit else math.inf
        start, end = end, 3.0 * end - 2.0 * start
    return math.inf


def bracketed_root(function: Callable[[float], tuple[float, float]], lo: float, hi: float) -> float:
    """Newton's method inside a bracket that bisection keeps; returns the end behind the root."""
    sign = -1.0 if function(lo)[0] < 0.0 else 1.0
    t = lo
    while True:
        value, slope = function(t)
        lo, hi = (t, hi) if sign * value > 0.0 else (lo, t)
        guess = t - value / slope if sign * slope < 0.0 else lo
        if not lo < guess < hi:
            guess = 0.5 * (lo + hi)
        if not lo < guess < hi or guess == t:
            return hi
        t = guess


def integral_gain(span: float, tau_mem: float, tau_syn: float, rate: float) -> float:
    r"""Integral of ``exp(-rate s) synaptic_gain(s)`` over s in ``[0, span]``, in ms.

    With :math:`p = a + \mu`, :math:`q = b + \mu` it is :math:`a\,(F(p) - \mathcal E)/q`, where
    :math:`F(p) = (1 - e^{-p L})/p` and :math:`\mathcal E` is :func:`difference` of p and q.
    """
    a, p, q = 1.0 / tau_mem, 1.0 / tau_mem + rate, 1.0 / tau_syn + rate
    return a * (span * phi(p * span) - difference(span, p, q)) / q


def integral_gain_slopes(
    span: float, tau_mem: float, tau_syn: float, rate: float
) -> tuple[float, float]:
    """Partial derivatives of :func:`integral_gain` by ``tau_mem`` and by ``tau_syn``."""
    a, b = 1.0 / tau_mem, 1.0 / tau_syn
    p, q = a + rate, b + rate
    by_p, by_q = difference_slopes(span, p, q)
    inner = (span * phi(p * span) - difference(span, p, q)) / q
    area_by_p = -span * span * loss(p * span)
    by_a = inner + a * (area_by_p - by_p) / q
    by_b = a * (-by_q - inner) / q
    return -a * a * by_a, -b * b * by_b
