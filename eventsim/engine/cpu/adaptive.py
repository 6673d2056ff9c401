r"""Neurons with an adaptive threshold, in the kernels: the twin of :mod:`eventsim.neuron.adaptive`.

Every kernel of spiking neurons takes ``adapt``: None, with which the compiler leaves out all that
is here, so that plain neurons run what they always ran, or the :class:`Adapting` of its neurons.

Between two spikes of a neuron its adaptation is known from the last one, so that arrivals, most of
the work, cost nothing more. The threshold lies above its level at rest: a bound of V below that
one settles an interval as it does for plain neurons. Adaptations are float64 in both precisions,
so that the way back finds them again, from the spikes alone, to the bit.
"""

from typing import NamedTuple

import numpy as np
from numba import prange
from numpy.typing import NDArray

from eventsim.engine.cpu.compile import kernel, lean, scalar
from eventsim.engine.cpu.scalar import (
    BEYOND,
    MAX_STEPS,
    crossing,
    decay,
    flush,
    fma,
    log_ratio,
    newton_tolerance,
    propagators,
)
from eventsim.engine.table import (
    ALERT,
    ALERT_MARGIN,
    BEHIND,
    GAP,
    KAPPA,
    LEVEL,
    PRODUCT,
    RATE_MEM,
    SLOW,
)

# As in eventsim.neuron.adaptive, which is no source of kernels.
DOUBLINGS = 6


class Adapting(NamedTuple):
    """Adaptive thresholds: rise at a spike, and rate of its decay (1/ms), by neuron.

    ``a`` right after the last spike, and that spike's time ``since`` (ms): of all samples,
    [samples, size], where a kernel is called, and rows of one sample, copied and changed, inside.
    The last two are those with which the next piece of the stream goes on.
    """

    strength: NDArray[np.float64]
    rate: NDArray[np.float64]
    a: NDArray[np.float64]
    since: NDArray[np.float64]
    end_a: NDArray[np.float64]
    end_since: NDArray[np.float64]


class AdaptingBack(NamedTuple):
    r"""Adaptive thresholds on the way back.

    ``before`` is the adaptation just before every spike of the tape. By neuron, for one sample:
    ``kappa`` is :math:`\partial L/\partial a` right before the spike behind, ``product`` its
    product with the adaptation there, ``behind`` that spike's time, ms. ``found`` gathers dL/d of
    strength and rate: where a kernel is called [parts, 2, neurons], inside that of one part.
    ``carried`` [samples, N_BEHIND, neurons] has what is known at the end of a piece, and is changed
    to that at its begin; without entries nothing comes behind.
    """

    strength: NDArray[np.float64]
    rate: NDArray[np.float64]
    before: NDArray[np.float64]
    kappa: NDArray[np.float64]
    product: NDArray[np.float64]
    behind: NDArray[np.float64]
    found: NDArray[np.float64]
    carried: NDArray[np.float64]


@scalar
def of_sample(adapt, s, low, high):
    """The neurons ``low : high`` in sample s, as they stand at its begin; None of plain ones."""
    if adapt is None:
        return None
    return Adapting(
        adapt.strength[low:high], adapt.rate[low:high], adapt.a[s, low:high].copy(),
        adapt.since[s, low:high].copy(), adapt.end_a[s, low:high], adapt.end_since[s, low:high],
    )  # fmt: skip


@lean
def stand(adapt, n):
    """The adaptation of neuron n now is that at the end of the piece."""
    if adapt is not None:
        adapt.end_a[n], adapt.end_since[n] = adapt.a[n], adapt.since[n]


@lean
def jump(adapt, n, t):
    """Neuron n has fired at t."""
    if adapt is not None:
        adapt.a[n] = adapt.a[n] * decay(adapt.rate[n] * (t - adapt.since[n])) + 1.0
        adapt.since[n] = t


@lean
def rise_at(adapt, n, t):
    """Rise of the threshold of neuron n at t, not before its last spike."""
    return adapt.strength[n] * (adapt.a[n] * decay(adapt.rate[n] * (t - adapt.since[n])))


@lean
def crossing_within(adapt, n, v, j, t, h, top, par):
    """Time from t on at which neuron n crosses its threshold within h ms, or -1.

    ``top`` is a bound of v over the whole of them.
    """
    real = type(v)
    slow, gap, rate_mem, level = par[SLOW, n], par[GAP, n], par[RATE_MEM, n], par[LEVEL, n]
    rise = flush(real(rise_at(adapt, n, t)))
    if rise == real(0.0):
        return crossing(v, j, h, slow, gap, rate_mem, level)
    rate = real(adapt.rate[n])
    last = rise * decay(rate * (h * real(BEYOND))) * real(1.0 - ALERT_MARGIN)
    if top < par[ALERT, n] + last:
        return real(-1.0)
    return adaptive_crossing(v, j, rise, h, slow, gap, rate_mem, rate, level)


@scalar
def adaptive_crossing(v, j, rise, h, slow, gap, rate_mem, rate, level):
    """Time in [0, h BEYOND) at which v first rises through the level plus the rise, or -1.

    The crossing does not depend on h, so that it has the same bits whatever ends the interval.
    """
    real = type(h)
    none, zero = real(-1.0), real(0.0)
    h = h * real(BEYOND)
    above, slope, _ = _excess(zero, v, j, rise, slow, gap, rate_mem, rate, level)
    if above >= zero and slope > zero:
        return zero
    if above < zero and j > v and j > zero:
        # No later slope is larger: Newton's method from the left never passes the crossing.
        t, tolerance = zero, newton_tolerance(slow)
        for _ in range(MAX_STEPS):
            step = -above / slope
            t = t + step
            if not t < h:
                return none
            if abs(step) <= tolerance:
                return t
            above, slope, _ = _excess(t, v, j, rise, slow, gap, rate_mem, rate, level)
            if above >= zero:
                return t
            if not slope - rate * (rise * decay(rate * t)) > zero:
                break  # v falls: the crossing, if there is one, is behind its peak
    return _after_turns(v, j, rise, h, slow, gap, rate_mem, rate, level)


@scalar
def _excess(t, v, j, rise, slow, gap, rate_mem, rate, level):
    """V - level - rise ``t`` ms later, and its first two derivatives."""
    x, y, gain = propagators(t, slow, gap, rate_mem)
    v_t, j_t, rise_t = fma(gain, j, x * v), y * j, rise * decay(rate * t)
    slope, fall = rate_mem * (j_t - v_t), rate * rise_t
    bend = -(rate_mem * ((rate_mem + gap) * j_t + slope)) - rate * fall
    return v_t - level - rise_t, slope + fall, bend


@scalar
def _after_turns(v, j, rise, h, slow, gap, rate_mem, rate, level):
    """As adaptive_crossing, for a voltage that may fall: piece by piece between the extrema."""
    real = type(h)
    zero, none = real(0.0), real(-1.0)
    slowest = slow if slow < rate else rate
    middle = _middle(v, j, gap, rate_mem, rate)
    if not middle < real(2.0**DOUBLINGS) / slowest:
        middle = zero
    start = zero
    below = _excess(zero, v, j, rise, slow, gap, rate_mem, rate, level)[0] < zero
    lo, step = zero, middle
    for k in range(DOUBLINGS + 1):
        if step > zero:
            hi = lo + step
            first = _excess(lo, v, j, rise, slow, gap, rate_mem, rate, level)[1]
            last = _excess(hi, v, j, rise, slow, gap, rate_mem, rate, level)[1]
            if first * last < zero or (first > zero) != (last > zero):
                turn = _root(True, lo, hi, v, j, rise, slow, gap, rate_mem, rate, level)
                above = _excess(turn, v, j, rise, slow, gap, rate_mem, rate, level)[0] >= zero
                if below and above:
                    t = _root(False, start, turn, v, j, rise, slow, gap, rate_mem, rate, level)
                    return t if t < h else none
                start, below = turn, not above
                if k > 0:
                    break
            lo = hi
        step = real(1.0) / slowest if k == 0 else step + step
    if level > zero or not below:
        return none
    step = real(1.0) / slowest
    for _ in range(MAX_STEPS):
        if start >= h:
            return none
        end = start + step
        x, _, gain = propagators(end, slow, gap, rate_mem)
        rests = level == zero and flush(fma(gain, j, x * v)) == zero
        above = _excess(end, v, j, rise, slow, gap, rate_mem, rate, level)[0] >= zero
        if above and not rests:
            t = _root(False, start, end, v, j, rise, slow, gap, rate_mem, rate, level)
            return t if t < h else none
        start, step = end, step + step
    return none


@scalar
def _middle(v, j, gap, rate_mem, rate):
    """Twin of :func:`eventsim.neuron.adaptive.meeting`, for the turns; 0 where there is none."""
    real = type(v)
    zero, one = real(0.0), real(1.0)
    of_voltage = rate - rate_mem
    of_drive = of_voltage - (rate_mem + gap)
    denominator = of_voltage * (rate_mem * j + gap * v)
    if denominator == zero:
        return zero
    m = (of_drive * j - of_voltage * v) / denominator
    if one + gap * m <= zero:
        return zero
    time = m * log_ratio(gap * m)
    return time if time > zero else zero


@scalar
def _root(turns, lo, hi, v, j, rise, slow, gap, rate_mem, rate, level):
    """Newton inside a bracket that bisection keeps; the end of the bracket behind the root.

    Of the excess, or of its slope if it is the time at which that ``turns``.
    """
    real = type(lo)
    zero, half, t = real(0.0), real(0.5), lo
    value, slope, bend = _excess(lo, v, j, rise, slow, gap, rate_mem, rate, level)
    falls = (slope if turns else value) > zero
    for _ in range(2 * MAX_STEPS):
        y, dy = (slope, bend) if turns else (value, slope)
        if falls:
            y, dy = -y, -dy
        if y < zero:
            lo = t
        else:
            hi = t
        guess = t - y / dy if dy > zero else lo
        if not (guess > lo and guess < hi):
            guess = half * (lo + hi)
        if not (guess > lo and guess < hi) or guess == t:
            break
        t = guess
        value, slope, bend = _excess(t, v, j, rise, slow, gap, rate_mem, rate, level)
    return hi


@scalar
def back_of(adapt, part, low, high):
    """The neurons ``low : high`` at the end of a sample; None of plain ones."""
    if adapt is None:
        return None
    return AdaptingBack(
        adapt.strength[low:high], adapt.rate[low:high], adapt.before, np.zeros(high - low),
        np.zeros(high - low), np.zeros(high - low), adapt.found[part, :, low:high],
        adapt.carried[:, :, low:high],
    )  # fmt: skip


@lean
def take_back(adapt, s, n):
    """Neuron n at the end of sample s, or of a piece of it."""
    if adapt is not None:
        carried = adapt.carried
        adapt.kappa[n], adapt.product[n], adapt.behind[n] = 0.0, 0.0, 0.0
        if carried.size > 0:
            adapt.kappa[n], adapt.product[n] = carried[s, KAPPA, n], carried[s, PRODUCT, n]
            adapt.behind[n] = carried[s, BEHIND, n]


@lean
def hand_on(adapt, s, n):
    """Undo :func:`take_back`, with what is known at the begin."""
    if adapt is not None:
        carried = adapt.carried
        if carried.size > 0:
            carried[s, KAPPA, n], carried[s, PRODUCT, n] = adapt.kappa[n], adapt.product[n]
            carried[s, BEHIND, n] = adapt.behind[n]


@lean
def spike_back(adapt, n, k, t, by_time, rate_mem):
    """Neuron n meets its spike k, at t, on the way back.

    Returns dL/dt of the spike with what adaptation adds, and what it adds to the slope.
    """
    if adapt.product[n] != 0.0 or adapt.kappa[n] != 0.0:
        h = adapt.behind[n] - t
        adapt.found[1, n] -= adapt.product[n] * h
        adapt.kappa[n] *= decay(adapt.rate[n] * h)
    rise = adapt.strength[n] * adapt.before[k]
    return by_time + adapt.kappa[n] * adapt.rate[n], rise * (adapt.rate[n] - rate_mem)


@lean
def spiked_back(adapt, n, k, t, alpha):
    """Take alpha just before spike k of neuron n, at t, as that by its threshold."""
    a = adapt.before[k]
    adapt.found[0, n] -= a * alpha
    adapt.kappa[n] -= adapt.strength[n] * alpha
    adapt.product[n], adapt.behind[n] = adapt.kappa[n] * a, t


@kernel
def before_spikes(offsets, neurons, times, rate, begin, first_a, first_since, found):
    """The adaptation just before every spike from ``begin`` (ms, by sample) on."""
    for s in prange(offsets.size - 1):
        a, since = first_a[s].copy(), first_since[s].copy()
        for k in range(offsets[s], offsets[s + 1]):
            if times[k] >= begin[s]:
                n = neurons[k]
                found[k] = a[n] * decay(rate[n] * (times[k] - since[n]))
                a[n], since[n] = found[k] + 1.0, times[k]
