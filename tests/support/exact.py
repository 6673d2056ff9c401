r"""Spike trains of a single neuron from textbook formulas, in 50 digits or in closed form.

:func:`exact_train` evaluates, with mpmath at 50 digits,

.. math::
    V(h) = E + (V_0 - E) e^{-h/\tau_m}
         + R I_0 \frac{\tau_s}{\tau_m - \tau_s} (e^{-h/\tau_m} - e^{-h/\tau_s})

(the alpha function for equal time constants) and finds the first crossing between the single
extremum and the ends. The cancellation for nearly equal time constants costs digits, of which 50
leave enough.

:func:`quadratic_train` needs no root finder: with :math:`\tau_m = 2\tau_s` and
:math:`x = e^{-h/\tau_m}` the crossing is a root of a quadratic equation.
"""

import math

import mpmath as mp

DIGITS = 50


def exact_train(neuron, arrivals, duration, *, self_weight=0.0, self_delay=0.0):
    """Spike times (mpf) of a :class:`tests.support.stepping.Neuron`."""
    with mp.workdps(DIGITS):
        return _train(neuron, arrivals, duration, self_weight, self_delay)


def _train(n, arrivals, duration, self_weight, self_delay):
    pending = sorted((mp.mpf(t), mp.mpf(w)) for t, w in arrivals if t < duration)
    leak, theta, reset = mp.mpf(n.v_leak), mp.mpf(n.threshold), mp.mpf(n.v_reset)
    v = (reset - leak) if leak >= theta else mp.mpf(0)
    i, t, hold, spikes = mp.mpf(0), mp.mpf(0), mp.mpf(0), []
    while t < duration:
        while pending and pending[0][0] <= t:
            i += pending.pop(0)[1]
        end = min(pending[0][0] if pending else mp.mpf(duration), mp.mpf(duration))
        if t < hold:
            end = min(end, hold)
            v, i, t = reset - leak, i * mp.exp(-(end - t) / n.tau_syn), end
            continue
        h = first_crossing(n, v, i, end - t, theta - leak)
        span = end - t if h is None else h
        v, i, t = voltage(n, v, i, span), i * mp.exp(-span / mp.mpf(n.tau_syn)), t + span
        if h is not None:
            spikes.append(t)
            v, hold = reset - leak, t + mp.mpf(n.refractory)
            pending = sorted([*pending, (t + mp.mpf(self_delay), mp.mpf(self_weight))])
    return spikes


def voltage(n, v, i, h):
    """V - E after ``h`` ms from ``v`` = V - E and current ``i``."""
    tm, ts = mp.mpf(n.tau_mem), mp.mpf(n.tau_syn)
    if tm == ts:
        gain = h / tm * mp.exp(-h / tm)
    else:
        gain = ts / (tm - ts) * (mp.exp(-h / tm) - mp.exp(-h / ts))
    return v * mp.exp(-h / tm) + mp.mpf(n.resistance) * i * gain


def extremum(n, v, i):
    """Time of the only extremum of V after ``h`` = 0, or None."""
    tm, ts, drive = mp.mpf(n.tau_mem), mp.mpf(n.tau_syn), mp.mpf(n.resistance) * i
    if drive == 0:
        return None
    if tm == ts:
        h = tm * (1 - v / drive)
    else:
        k = ts / (tm - ts)
        slow, fast = v + drive * k, -drive * k
        ratio = -(fast * tm) / (slow * ts) if slow != 0 else mp.mpf(0)
        if ratio <= 0:
            return None
        h = mp.log(ratio) / (1 / ts - 1 / tm)
    return h if h > 0 else None


def first_crossing(n, v, i, span, theta):
    """Smallest h in [0, span) at which V reaches theta from below, or None."""
    top = extremum(n, v, i)
    marks = [mp.mpf(0), *([top] if top is not None and top < span else []), span]

    def above(h):
        return voltage(n, v, i, h) - theta

    for left, right in zip(marks[:-1], marks[1:], strict=True):
        if above(left) < 0 <= above(right):
            return mp.findroot(above, (left, right), solver="anderson", tol=mp.mpf(10) ** -45)
    return None


def peak(n, i):
    """``(time, V - E)`` of the maximum of the response to a jump ``i`` of the current from rest."""
    with mp.workdps(DIGITS):
        h = extremum(n, mp.mpf(0), mp.mpf(i))
        return h, voltage(n, mp.mpf(0), mp.mpf(i), h)


def quadratic_train(n, weight, duration, *, self_weight=0.0, at=0.0):
    """Spike times for tau_mem = 2 tau_syn, one arrival, then only the neuron's own jumps.

    With x = exp(-h / tau_mem):  V - E = (V0 + R I0) x - R I0 x^2.
    """
    assert n.tau_mem == 2.0 * n.tau_syn
    theta, reset = n.threshold - n.v_leak, n.v_reset - n.v_leak
    v, i, t, spikes = 0.0, weight, at, []
    while True:
        drive = n.resistance * i
        if drive <= 0.0:
            return spikes
        b = v + drive
        root = b * b - 4.0 * drive * theta
        if root < 0.0:
            return spikes
        x = (b + math.sqrt(root)) / (2.0 * drive)
        if x > 1.0:  # both crossings lie in the past
            return spikes
        t = t - n.tau_mem * math.log(x)
        if t >= duration:
            return spikes
        spikes.append(t)
        i = i * x * x + self_weight
        i *= math.exp(-n.refractory / n.tau_syn)
        v, t = reset, t + n.refractory
