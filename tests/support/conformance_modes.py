r"""Neurons of several states in the conformance cases, exactly: all modes, all zeros of V - theta.

With :math:`x = (V - E, \ldots)` and :math:`\dot x = A x`, see :mod:`eventsim.conformance.case`,
:math:`V - \vartheta = \sum_k c_k e^{\lambda_k t}`, one mode being the constant. Modes are found at
``WORK`` more digits; A is moved by :math:`10^{10 - digits}` a ms, so that no two are equal and
nothing that is asked for changes.

**All zeros.** Real rates: a function has one zero more than its derivative at most, and that of
:math:`f e^{-\lambda_0 t}` has one mode less. A pair :math:`\sigma \pm i \omega` is taken away in
windows shorter than :math:`\pi / \omega`: with :math:`G = f e^{-\sigma t}`,
:math:`c = \cos \omega (t - m)` around the middle m and :math:`W = c\, G' - c'\, G`,

.. math::
    (G / c)' = W / c^2, \qquad W' = c\, (G'' + \omega^2 G),

and the last bracket has no such pair any more. So its zeros bracket those of W, and these those of
f (Polya's factorisation).
"""

from copy import deepcopy
from functools import cache

import mpmath as mp

WORK = 180


class Cell:
    """A neuron with a state x, x[0] = V - E; V stands still until ``held``."""

    def __init__(self, population, j):
        values = {k: mp.mpf(v[j]) for k, v in population.items() if isinstance(v, list)}
        self.states = population["neuron"]["states"]
        self.receptors = population["neuron"]["receptors"]
        rows, self.kept, self.added = _system(population["neuron"]["kind"], self.states, values)
        self.added[0] = values["v_reset"] - values["v_leak"]
        self.refractory, self.threshold = values["refractory"], values["threshold"]
        self.level = values["threshold"] - values["v_leak"]
        self.free = tuple(map(tuple, rows))
        self.still = ((mp.mpf(0),) * len(rows), *self.free[1:])
        self.x = [mp.mpf(0)] * len(rows)
        if self.level <= 0:
            self.x[0] = self.added[0]
        self.t, self.held, self.crossing = mp.mpf(0), mp.mpf(0), mp.inf

    def receive(self, receptor, jump):
        """An arrival raises the state of its receptor."""
        self.x[self.states.index(self.receptors[receptor])] += jump

    def fire(self):
        """What a spike does, now."""
        rows = zip(self.kept, self.x, self.added, strict=True)
        self.x = [kept * x + added for kept, x, added in rows]
        self.held = self.t + self.refractory

    def slope(self):
        """V' in the state."""
        return mp.fsum(a * x for a, x in zip(self.free[0], self.x, strict=True))

    def advance(self, t):
        """Carry the state to time t, where no crossing lies between."""
        if self.t < self.held:
            self._flow(self.still, min(self.held, t))
        if self.t < t:
            self._flow(self.free, t)

    def _flow(self, rows, t):
        if self.t < t:
            with mp.workdps(mp.mp.dps + WORK):
                terms, h = _terms(rows, self.x), t - self.t
                self.x = [value(mine, h) for mine in terms]
            self.t = t

    def predict(self, end):
        """Time of the next crossing before ``end`` if nothing arrives, or infinity."""
        ahead = deepcopy(self)
        ahead.advance(max(self.t, min(self.held, end)))
        h = ahead.first_crossing(end - ahead.t)
        self.crossing = mp.inf if h is None or ahead.t + h >= end else ahead.t + h

    def excess(self):
        """V minus its threshold, as modes."""
        return [*_terms(self.free, self.x)[0], (-self.level, mp.mpf(0))]

    def first_crossing(self, span):
        """Smallest h in [0, span] at which V rises through the threshold, or None."""
        tiny = mp.mpf(10) ** (5 - mp.mp.dps)
        with mp.workdps(mp.mp.dps + WORK):
            terms = self.excess()
            for low, high in _windows(terms, span):
                marks = [low, *zeros(_moved(terms), low, high, tiny), high]
                for left, right in zip(marks[:-1], marks[1:], strict=True):
                    if value(terms, left) < 0 <= value(terms, right):
                        return bracketed(lambda h: value(terms, h), left, right, tiny)
        return None

    def peaks(self, span, *, last):
        """V minus its threshold at the peaks in the next ``span`` ms; if ``last``, at their end."""
        tiny = mp.mpf(10) ** (5 - mp.mp.dps)
        with mp.workdps(mp.mp.dps + WORK):
            terms = self.excess()
            slope, found = _moved(terms), []
            for low, high in _windows(terms, span):
                for h in zeros(slope, low, high, tiny):
                    found += [value(terms, h)] if value(_moved(slope), h) < 0 else []
            return [*found, *([value(terms, span)] if last else [])]

    def highest(self, span):
        """Largest V minus its threshold in the next ``span`` ms of free flow."""
        return max(self.peaks(span, last=True))


def _system(kind, states, p):
    """Rows of A, what a spike keeps of every state, and what it adds."""
    n = len(states)
    rows = [[mp.mpf(0)] * n for _ in states]
    kept, added = [0, *[1] * (n - 1)], [mp.mpf(0)] * n
    own = {"LIF": 1, "AdLIF": 2, "Resonator": 2, "linear": n}[kind]
    for k in range(own, n):
        rows[k][k] = -1 / p["tau_syn" + states[k].removeprefix("i")]
    if kind == "LIF":
        rows[0] = [-1 / p["tau_mem"], *[p["resistance"] / p["tau_mem"]] * (n - 1)]
    elif kind == "AdLIF":
        rows[0] = [v / p["tau_mem"] for v in (-1, -1, *[1] * (n - 2))]
        rows[1][:2], added[1] = [p["a"] / p["tau_w"], -1 / p["tau_w"]], p["b"]
    elif kind == "Resonator":
        omega, damping = 2 * mp.pi * p["frequency"] / 1000, p["damping"] / 1000
        rows[0][:2] = [-damping, omega]
        rows[1], kept[1] = [-omega, -damping, *[omega] * (n - 2)], 0
    else:
        for k, to in enumerate(states):
            for j, by in enumerate(states):
                rows[k][j] = p.get(f"flow_{to}_{by}", mp.mpf(0))
            if f"set_{to}" in p:
                kept[k], added[k] = 0, p[f"set_{to}"]
            elif f"add_{to}" in p:
                added[k] = p[f"add_{to}"]
    return rows, kept, added


@cache
def _modes(rows, digits):
    """Rates, one of each complex pair, and per mode its vector and its row of the inverse."""
    n, apart = len(rows), mp.mpf(10) ** (10 + WORK - digits)
    a = mp.matrix([list(row) for row in rows])
    for k in range(n):
        a[k, k] += apart * (k + 1) ** 2
    rates, vectors = mp.eig(a)
    inverse, found = vectors**-1, []
    for k, rate in enumerate(rates):
        if abs(mp.im(rate)) < apart**2:
            rate, times = mp.re(rate), 1
        elif mp.im(rate) < 0:
            continue
        else:
            times = 2
        found.append((rate, times, list(vectors[:, k]), list(inverse[k, :])))
    return found


def _terms(rows, x):
    """Every state as modes (c, rate): the sum of the real parts of c exp(rate t)."""
    found = [[] for _ in rows]
    for rate, times, vector, row in _modes(rows, mp.mp.dps):
        share = times * mp.fsum(r * v for r, v in zip(row, x, strict=True))
        for mine, entry in zip(found, vector, strict=True):
            c = share * entry
            mine.append((c if mp.im(rate) else mp.re(c), rate))
    return found


def value(terms, h):
    """The sum after h ms."""
    return mp.fsum(mp.re(c * mp.exp(rate * h)) for c, rate in terms)


def _moved(terms, shift=0):
    """The derivative of the sum times exp(-shift h)."""
    return [(c * (rate - shift), rate - shift) for c, rate in terms if c and rate != shift]


def _windows(terms, span):
    """Parts of 0 .. span in which :func:`zeros` holds."""
    fastest = max((abs(mp.im(rate)) for _, rate in terms), default=mp.mpf(0))
    count = int(mp.ceil(span * fastest / 3)) or 1
    return [(span * k / count, span * (k + 1) / count) for k in range(count)]


def zeros(terms, low, high, tiny):
    """All h inside at which the sum changes its sign, ascending; see the module."""
    terms = [(c, rate) for c, rate in terms if c]
    if not terms:
        return []
    pair = next(((c, rate) for c, rate in terms if mp.im(rate)), None)
    if pair is None:
        marks = zeros(_moved(terms, terms[0][1]), low, high, tiny)
        return _changes(lambda h: value(terms, h), marks, low, high, tiny)
    sigma, omega, middle = mp.re(pair[1]), mp.im(pair[1]), (low + high) / 2
    g = [(c, rate - sigma) for c, rate in terms]
    less = [
        (c * (r**2 + omega**2), r)
        for (c, r), term in zip(g, terms, strict=True)
        if term is not pair
    ]
    by_time = _moved(g)

    def wronskian(h):
        angle = omega * (h - middle)
        return mp.cos(angle) * value(by_time, h) + omega * mp.sin(angle) * value(g, h)

    marks = _changes(wronskian, zeros(less, low, high, tiny), low, high, tiny)
    return _changes(lambda h: value(terms, h), marks, low, high, tiny)


def _changes(f, marks, low, high, tiny):
    """Sign changes of f, which is monotone between marks, up to a factor."""
    marks = [low, *marks, high]
    values = [f(h) for h in marks]
    pairs = zip(marks[:-1], marks[1:], values[:-1], values[1:], strict=True)
    return [bracketed(f, a, b, tiny) for a, b, u, v in pairs if u * v < 0]


def bracketed(f, left, right, tiny):
    """Where f changes its sign inside a bracket, within ``tiny``: regula falsi of Illinois."""
    low, high, side, last = f(left), f(right), 0, right
    rising = low < 0
    while right - left > tiny:
        middle = (left * high - right * low) / (high - low)
        if not left < middle < right:
            middle = (left + right) / 2
        if abs(middle - last) < tiny / 8:
            one, two = max(left, middle - tiny / 2), min(right, middle + tiny / 2)
            if (f(one) < 0) == rising and (f(two) < 0) != rising:
                return middle
            middle = (left + right) / 2
        last, found = middle, f(middle)
        if (found < 0) == rising:
            left, low, high = middle, found, high / 2 if side < 0 else high
            side = -1
        else:
            right, high, low = middle, found, low / 2 if side > 0 else low
            side = 1
    return right
