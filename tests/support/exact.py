r"""Spike trains of a single neuron from textbook formulas, in 50 digits or in closed form.

:func:`exact_train` and what follows it are those of :mod:`tests.support.conformance_answers`, at 50
digits, of which the cancellation for nearly equal time constants leaves enough.

:func:`quadratic_train` needs no root finder: with :math:`\tau_m = 2\tau_s` and
:math:`x = e^{-h/\tau_m}` the crossing is a root of a quadratic equation.
"""

import math

import mpmath as mp

from tests.support.conformance_answers import PARAMETERS, Neuron, solve

DIGITS = 50


def exact_train(neuron, arrivals, duration, *, self_weight=0.0, self_delay=0.0):
    """Spike times (mpf) of a :class:`tests.support.stepping.Neuron`."""
    parameters = {name: [getattr(neuron, name)] for name in PARAMETERS}
    into = [[k, 0, weight, 0.0] for k, (_, weight) in enumerate(arrivals)]
    own = [[0, 0, self_weight, self_delay]]
    entry = {
        "duration": duration,
        "events": [[time, k] for k, (time, _) in enumerate(arrivals)],
        "populations": [{"name": "input"}, {"name": "one", "size": 1} | parameters],
        "projections": [
            {"source": source, "target": "one", "synapses": rows}
            for source, rows in (("input", into), ("one", own))
        ],
    }
    return solve(entry, digits=DIGITS)["one", 0]


def _at(n, v, i):
    """The neuron with V = ``v`` above its rest, and that current."""
    found = Neuron(**{name: mp.mpf(getattr(n, name)) for name in PARAMETERS})
    found.v, found.i = found.v_leak + v, mp.mpf(i)
    return found


def voltage(n, v, i, h):
    """V - E after ``h`` ms from ``v`` = V - E and current ``i``."""
    return _at(n, v, i).voltage(h) - n.v_leak


def extremum(n, v, i):
    """Time of the only extremum of V after ``h`` = 0, or None."""
    return _at(n, v, i).turn()


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
