r"""A LIF neuron whose threshold rises with its own spikes and decays: the ALIF neuron.

Voltage and current are those of :mod:`eventsim.neuron.lif`. The threshold is

.. math::
    \vartheta(t) = \vartheta_0 + b\,a(t), \qquad \tau_a \dot a = -a, \qquad
    a \leftarrow a + 1 \;\text{right after a spike of the neuron,}

with :math:`a = 0` at the start. Neither the reset nor the refractory time changes :math:`a`, which
goes on decaying. Arrivals do not change it either. So between two spikes it follows from the last
one: :math:`a(t) = a(t_k^+)\,e^{-(t - t_k)/\tau_a}`. With :math:`b = 0` the neuron is that of
:mod:`eventsim.neuron.lif`, to the bit.

**A crossing** is an upward zero of :math:`u = v - (\vartheta_0 - E) - b\,a`. This is a sum of three
exponentials, so it has at most two extrema. The function :math:`e^{t/\tau_a} \dot u` has at most
one extremum, which separates them. Its time has a closed form
(:func:`~eventsim.neuron.lif.meeting`): there

.. math::
    (c - a - b')\,R I = (c - a)\,v, \qquad a = 1/\tau_m,\; b' = 1/\tau_s,\; c = 1/\tau_a .

Between its extrema u is monotone. Each piece is bracketed and solved, so no crossing is missed.
While v rises under :math:`I > 0`, no later slope of u is larger than the present one, and Newton's
method from the left never passes the first crossing. The general way is needed only for a voltage
that falls more slowly than its threshold.

**The adjoint.** A spike at :math:`t_k` has :math:`\partial L/\partial t_k = B_k`
(:mod:`eventsim.adjoint`). Its time follows from :math:`u(t_k) = 0`. With the slope of u,
:math:`D = \dot v^- + b\,a^-/\tau_a`, this gives

.. math::
    dt_k = -\frac{dv^- - d\vartheta_0 - a^-\,db - b\,da^-}{D} .

The jump is an event of its own. If it comes later by :math:`dt`, the jump decays for a shorter
time, which leaves :math:`dt/\tau_a` more of :math:`a` afterwards. With
:math:`\kappa = \partial L/\partial a`, backward in time
:math:`\kappa \leftarrow \kappa\,e^{-h/\tau_a}` between spikes, and at a spike

.. math::
    B_k \leftarrow B_k + \kappa^+/\tau_a, \qquad \alpha^- = -B_k/D, \qquad
    \kappa^- = \kappa^+ - b\,\alpha^-, \qquad
    \frac{\partial L}{\partial \vartheta_0} = -\alpha^-, \qquad
    \frac{\partial L}{\partial b} = -a^-\alpha^-, \qquad
    \frac{\partial L}{\partial (1/\tau_a)} = -\sum h\,\kappa\,a ,

the last over the stretches of :math:`h` ms between spikes, in which :math:`\kappa\,a` does not
change.

===================  ==============  ====================
symbol               name            unit
===================  ==============  ====================
:math:`a`            a               none
:math:`b`            adaptation      as the threshold
:math:`\tau_a`       tau_adaptation  ms
:math:`b\,a`         rise            as the threshold
===================  ==============  ====================

Another neuron model has to define the same: the flow of its state between events, the jump at a
spike, the first crossing, and the adjoint of each. A quadratic integrate-and-fire neuron with an
exponential current has no elementary closed form between events: its equation is a Riccati
equation, which Bessel functions solve. It would need these functions, or a flow that is integrated
to rounding. Its threshold is at infinity, and it reaches it in finite time.

References
----------
Bellec et al. (2018), Long short-term memory and learning-to-learn in networks of spiking neurons,
NeurIPS 31 (the model, on a grid). arXiv 2507.10568 (exact gradients of adaptive thresholds).
"""

import math
from typing import NamedTuple

from eventsim.neuron import lif
from eventsim.neuron.lif import bracketed_root, decay, meeting, voltage

# Doublings of the slowest time constant after which states have vanished, and turns mean nothing.
DOUBLINGS = 6


def after_spike(a: float) -> float:
    """``a`` right after a spike, from that just before it."""
    return a + 1.0


class Excess(NamedTuple):
    """The difference u = v - level - rise, from the state (v, drive, rise) at time zero on."""

    v: float
    drive: float
    rise: float
    level: float
    tau_mem: float
    tau_syn: float
    tau_adaptation: float

    def derivatives(self, t: float) -> tuple[float, float, float]:
        """The value of u ``t`` ms later, and its first two derivatives."""
        a, b, c = 1.0 / self.tau_mem, 1.0 / self.tau_syn, 1.0 / self.tau_adaptation
        v = voltage(self.v, self.drive, t, self.tau_mem, self.tau_syn)
        drive = self.drive * decay(t, self.tau_syn)
        rise = self.rise * decay(t, self.tau_adaptation)
        slope = a * (drive - v)
        return v - self.level - rise, slope + c * rise, -a * (b * drive + slope) - c * c * rise

    def value(self, t: float) -> tuple[float, float]:
        """The value of u, and its slope."""
        return self.derivatives(t)[:2]

    def slope(self, t: float) -> tuple[float, float]:
        """The slope of u and its own slope."""
        return self.derivatives(t)[1:]

    @property
    def slowest(self) -> float:
        """The longest time constant."""
        return max(self.tau_mem, self.tau_syn, self.tau_adaptation)

    def turns(self) -> list[float]:
        """Times of the extrema of u, ascending."""
        a, b, c = 1.0 / self.tau_mem, 1.0 / self.tau_syn, 1.0 / self.tau_adaptation
        middle = meeting(self.v, self.drive, c - a - b, c - a, self.tau_mem, self.tau_syn)
        found, lo = [], 0.0
        if middle < self.slowest * 2.0**DOUBLINGS:
            if self.slope(0.0)[0] * self.slope(middle)[0] < 0.0:
                found.append(bracketed_root(self.slope, 0.0, middle))
            lo = middle
        before, step = self.slope(lo)[0], self.slowest
        for _ in range(DOUBLINGS):
            if before * self.slope(lo + step)[0] < 0.0:
                found.append(bracketed_root(self.slope, lo, lo + step))
                break
            lo, step = lo + step, 2.0 * step
        return found


def first_crossing(
    v: float,
    drive: float,
    rise: float,
    limit: float,
    level: float,
    tau_mem: float,
    tau_syn: float,
    tau_adaptation: float,
) -> float:
    """Time in ``[0, limit)`` at which v first rises through ``level`` plus the rise, or infinity.

    As :func:`eventsim.neuron.lif.first_crossing`, which it is where the rise is zero.
    """
    if rise == 0.0:
        return lif.first_crossing(v, drive, limit, level, tau_mem, tau_syn)
    excess = Excess(v, drive, rise, level, tau_mem, tau_syn, tau_adaptation)
    above, slope = excess.value(0.0)
    if above >= 0.0 and slope > 0.0 and limit > 0.0:
        return 0.0
    if max(v, 0.0) < level and drive <= level:
        return math.inf  # v stays below the threshold at rest
    return lif.first_rise(excess.value, excess.turns(), limit, level, excess.slowest)
