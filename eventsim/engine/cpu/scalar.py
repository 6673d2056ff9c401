r"""Scalar functions of the kernels, for float32 and float64, from IEEE-exact operations alone.

They twin :mod:`eventsim.neuron.lif`. Only ``+ - * /``, fused multiply-add, floor, comparisons and
integer operations on bits are used, in a written order and without contraction, so that another
compiler gives the same bits. :math:`e^{-z}` is reduced to :math:`2^{-k} e^{-f}`; polynomials are
Chebyshev interpolants in 60-digit arithmetic, with relative errors of 1.2e-8 and 2.3e-8 (float32),
2e-17 and 7e-18 (float64), below half a unit in the last place.

Kernels work with the drive :math:`J = R I` (weights times R), with :math:`v = V - E`, and with the
rates :math:`a = 1/\tau_m`, :math:`b = 1/\tau_s`, kept as slow rate :math:`\lambda = \min(a, b)` and
signed gap :math:`\delta = b - a`.
"""

from typing import Any, NamedTuple

import numpy as np
from llvmlite import ir
from numba import types
from numba.extending import intrinsic, overload

from eventsim.engine.cpu.compile import formula, scalar

# The polynomial of psi holds for z up to here.
SMALL_Z = 0.5

# States up to this are zero: far below the least level (network.parts), so that they are below
# rounding, and far above the denormal numbers of the type, which are slow, and which a device may
# take for zero.
TINY_SINGLE, TINY_DOUBLE = 1e-30, 1e-200

# Membrane time constants after which a voltage that reached its level may have decayed below the
# numbers of the type, so that the ends of an interval no longer tell whether V falls there.
LONG = 16.0

# An interval's length is rounded: crossings are looked for that much beyond it, as a factor, and
# whoever asks compares times. So a crossing is found whatever ends the interval behind it.
BEYOND = 1.0 + 2.0**-20

# Newton's method stops at a step below this fraction of the slow time constant. Its error is then
# of the order of the step squared over the time constant, or, at a grazing peak, of the step.
STEP_SINGLE, STEP_DOUBLE = 1e-6, 1e-13
MAX_STEPS = 80
MOST_DOUBLINGS = 1100  # of a number that is finite, and more

# The crossing of a parabola is Newton's first step times 1 + r + 2 r^2 + .., r being its curvature
# times the step over its slope, both halved once. Beyond this r the method starts at the left end.
MOST_BEND = 0.125


@intrinsic
def fma(typingctx: Any, a: Any, b: Any, c: Any) -> Any:
    """``a * b + c`` with one rounding."""

    def codegen(context: Any, builder: Any, signature: Any, args: Any) -> Any:
        return builder.fma(*args)

    return a(a, a, a), codegen


def exponent_of(real: Any) -> tuple[int, int, int]:
    """Bits of a number of Numba's type, of its mantissa, and the exponent of 1."""
    return (32, 23, 127) if real == types.float32 else (64, 52, 1023)


@intrinsic
def power_of_two(typingctx: Any, k: Any) -> Any:
    """``2^-k`` for a whole k >= 0 below the exponent range, by writing the exponent's bits."""
    word, mantissa, bias = exponent_of(k)

    def codegen(context: Any, builder: Any, signature: Any, args: Any) -> Any:
        bits = ir.IntType(word)
        exponent = builder.sub(ir.Constant(bits, bias), builder.fptosi(args[0], bits))
        shifted = builder.shl(exponent, ir.Constant(bits, mantissa))
        return builder.bitcast(shifted, args[0].type)

    return k(k), codegen


def decay(z: float) -> float:
    """``exp(-z)`` for z >= 0; the smallest normal number where it would be below."""
    raise NotImplementedError


def psi_small(z: float) -> float:
    """:func:`eventsim.neuron.lif.psi` for 0 <= z <= SMALL_Z."""
    raise NotImplementedError


def newton_tolerance(slow: float) -> float:
    """Step in ms at which Newton's method stops."""
    raise NotImplementedError


def flush(x: float) -> float:
    """x, or zero where it is so small that its products could be denormal; NaN stays NaN."""
    raise NotImplementedError


class Exponential(NamedTuple):
    """Constants of exp(-z): the largest z, 1 / ln 2, -ln 2 in two parts, and a polynomial's.

    Those of the polynomial of (exp(g) - 1) / g are by power of g.
    """

    top: float
    log2e: float
    high: float
    low: float
    series: tuple[float, ...]


EXP_SINGLE = Exponential(
    87.0,
    1.44269504,
    -0.693145752,
    -1.42860677e-6,
    (1.0, 0.5, 0.16666505, 0.041666465, 0.0083691485, 0.0013933641),
)
EXP_DOUBLE = Exponential(
    708.0,
    1.4426950408889634,
    -0.6931471803691238,
    -1.9082149292705877e-10,
    (
        1.0,
        0.5000000000000006,
        0.16666666666666671,
        4.1666666666573143e-2,
        8.333333333326141e-3,
        1.3888888932488598e-3,
        1.9841269874800492e-4,
        2.4801504346997687e-5,
        2.7557255425746434e-6,
        2.7626357241447223e-7,
        2.5105206373957011e-8,
    ),
)


@overload(decay)
def _decay(z: Any) -> Any:
    if z == types.float32:
        f = np.float32
        top, log2e, high, low = (f(c) for c in EXP_SINGLE[:4])
        c0, c1, c2, c3, c4, c5 = (f(c) for c in EXP_SINGLE.series)
        half, one = f(0.5), f(1.0)

        def single(z: Any) -> Any:
            t = z if z < top else top
            k = np.floor(t * log2e + half)
            g = -fma(k, low, fma(k, high, t))
            p = fma(fma(fma(fma(fma(c5, g, c4), g, c3), g, c2), g, c1), g, c0)
            return fma(g, p, one) * power_of_two(k)

        return single

    most, per_ln2, ln2, rest = EXP_DOUBLE[:4]
    d0, d1, d2, d3, d4, d5, d6, d7, d8, d9, d10 = EXP_DOUBLE.series

    def double(z: Any) -> Any:
        t = z if z < most else most
        k = np.floor(t * per_ln2 + 0.5)
        g = -fma(k, rest, fma(k, ln2, t))
        p = fma(fma(fma(fma(fma(d10, g, d9), g, d8), g, d7), g, d6), g, d5)
        p = fma(fma(fma(fma(fma(p, g, d4), g, d3), g, d2), g, d1), g, d0)
        return fma(g, p, 1.0) * power_of_two(k)

    return double


# Coefficients of psi_small, that of z^0 first.
PSI_SINGLE = tuple(
    np.float32(c) for c in (-0.5, 0.16666563, -0.04164993, 0.00823822135, -0.00116428703)
)
PSI_DOUBLE = (
    -0.5,
    0.16666666666666538,
    -4.166666666658176e-2,
    8.333333331155702e-3,
    -1.3888888604959756e-3,
    1.9841248546681164e-4,
    -2.480061283245993e-5,
    2.7529613436538967e-6,
    -2.7077661631340098e-7,
    2.0367831165025622e-8,
)


@overload(psi_small)
def _psi_small(z: Any) -> Any:
    if z == types.float32:
        c0, c1, c2, c3, c4 = PSI_SINGLE

        def single(z: Any) -> Any:
            return fma(fma(fma(fma(c4, z, c3), z, c2), z, c1), z, c0)

        return single

    d0, d1, d2, d3, d4, d5, d6, d7, d8, d9 = PSI_DOUBLE

    def double(z: Any) -> Any:
        p = fma(fma(fma(fma(fma(d9, z, d8), z, d7), z, d6), z, d5), z, d4)
        return fma(fma(fma(fma(p, z, d3), z, d2), z, d1), z, d0)

    return double


@overload(newton_tolerance)
def _newton_tolerance(slow: Any) -> Any:
    fraction = np.float32(STEP_SINGLE) if slow == types.float32 else STEP_DOUBLE

    def tolerance(slow: Any) -> Any:
        return fraction / slow

    return tolerance


@overload(flush, jit_options={"forceinline": True})
def _flush(x: Any) -> Any:
    real = np.float32 if x == types.float32 else np.float64
    tiny, zero = real(TINY_SINGLE if x == types.float32 else TINY_DOUBLE), real(0.0)

    def flushed(x: Any) -> Any:
        return zero if abs(x) <= tiny else x

    return flushed


@formula
def near_terms(z):
    """psi(z), phi(z) and exp(-z) for 0 <= z <= SMALL_Z."""
    one = type(z)(1.0)
    p = psi_small(z)
    f = fma(z, p, one)
    return p, f, fma(-z, f, one)


@formula
def far_terms(z):
    """psi(z), phi(z) and exp(-z) for z >= 0, without a branch."""
    real = type(z)
    one, edge = real(1.0), real(SMALL_Z)
    near = z <= edge
    small, large = z if near else edge, edge if near else z
    p, f, e = near_terms(small)
    decayed = decay(large)
    far_f = (one - decayed) / large
    far_p = (far_f - one) / large
    return p if near else far_p, f if near else far_f, e if near else decayed


def _with(terms):
    """The functions that need the three terms, for one of the two ways to get them."""

    @formula
    def forward(h, slow, gap, rate_mem):
        """Decay of v, decay of J, and gain from J to v over h ms."""
        _, _, s = terms(slow * h)
        _, f, e = terms(abs(gap) * h)
        fast, gain = s * e, rate_mem * (h * (s * f))
        membrane_slow = gap >= type(h)(0.0)
        return s if membrane_slow else fast, fast if membrane_slow else s, gain

    @formula
    def adjoint(h, slow, gap, rate_mem):
        """As forward, and the gain's derivatives by the membrane and the synaptic rate."""
        _, _, s = terms(slow * h)
        p, f, e = terms(abs(gap) * h)
        fast, unit = s * e, h * s
        curve = h * unit
        by_slow, by_fast = curve * p, -curve * (p + f)
        membrane_slow = gap >= type(h)(0.0)
        by_mem = by_slow if membrane_slow else by_fast
        by_syn = by_fast if membrane_slow else by_slow
        integral = unit * f
        return (
            s if membrane_slow else fast,
            fast if membrane_slow else s,
            rate_mem * integral,
            fma(rate_mem, by_mem, integral),
            rate_mem * by_syn,
        )

    return forward, adjoint


near_forward, near_adjoint = _with(near_terms)
far_forward, far_adjoint = _with(far_terms)


@scalar
def propagators(h, slow, gap, rate_mem):
    """near_forward where it holds, else far_forward; the same bits as far_forward."""
    if (slow + abs(gap)) * h <= type(h)(SMALL_Z):
        return near_forward(h, slow, gap, rate_mem)
    return far_forward(h, slow, gap, rate_mem)


@scalar
def adjoint_propagators(h, slow, gap, rate_mem):
    """near_adjoint where it holds, else far_adjoint; the same bits as far_adjoint."""
    if (slow + abs(gap)) * h <= type(h)(SMALL_Z):
        return near_adjoint(h, slow, gap, rate_mem)
    return far_adjoint(h, slow, gap, rate_mem)


@formula
def pull_back(h, maps, alpha, beta, alpha_mem, beta_mem, beta_syn):
    """The adjoint state h ms earlier, from the five values of an adjoint propagator.

    The last three are the derivatives of alpha and beta by the membrane rate, and of beta by the
    synaptic rate; see :mod:`eventsim.adjoint`.
    """
    x, y, gain, gain_mem, gain_syn = maps
    return (
        flush(x * alpha),
        flush(fma(gain, alpha, y * beta)),
        flush(x * fma(-h, alpha, alpha_mem)),
        flush(fma(y, beta_mem, fma(gain, alpha_mem, gain_mem * alpha))),
        flush(fma(y, fma(-h, beta, beta_syn), gain_syn * alpha)),
    )


@formula
def highest(v, j, v_end, j_end, h, rate_mem, peak):
    """A bound of v over an interval of h ms that goes from (v, j) to (v_end, j_end).

    Either v ends highest, or it rises at first and falls at the end; then its peak is bounded by
    the largest gain within the interval, at most h times the membrane rate. After its peak v falls
    no faster than with the membrane's rate, so that it ends well above zero if h is not LONG; if it
    is, both ends may have vanished, and the bound holds whatever they are.
    """
    span, zero = rate_mem * h, type(v)(0.0)
    falls, reach = (j_end < v_end) | (span > type(h)(LONG)), span if span < peak else peak
    bound = (v if v > zero else zero) + (j if j > zero else zero) * reach
    top = bound if falls & (j > v) else v_end
    return top if top > v_end else v_end


@scalar
def crossing(v, j, h, slow, gap, rate_mem, level):
    """Time in [0, h BEYOND) at which v first rises through the level, or -1.

    With a positive level v can only cross while it rises under J > 0. There it is concave, so that
    Newton's method from the left never passes the crossing, and meets a falling v where there is
    none. It starts where the parabola through v crosses, as far as its series holds: at worst that
    lies behind the crossing, and the first step leads back before it.
    """
    real = type(h)
    none, zero, one = real(-1.0), real(0.0), real(1.0)
    if v >= level:
        return zero if j > v else none
    h = h * real(BEYOND)
    if level <= zero:
        return _crossing_from_rest(v, j, h, slow, gap, rate_mem, level)
    if not j > v:
        return none
    below, slope = v - level, rate_mem * (j - v)
    t, step = zero, -below / slope
    bend = real(0.5) * (rate_mem * ((rate_mem + gap) * j + slope)) * step / slope
    if zero < bend and bend <= real(MOST_BEND):
        start = step * fma(bend, one + (bend + bend), one)
        there, rising = _above(v, j, start, slow, gap, rate_mem, level)
        if rising > zero:
            t, below, slope = start, there, rising
    tolerance = newton_tolerance(slow)
    for _ in range(MAX_STEPS):
        step = -below / slope
        t = t + step
        if not t < h:
            return none
        if abs(step) <= tolerance:
            return t if t > zero else zero
        below, slope = _above(v, j, t, slow, gap, rate_mem, level)
        if below >= zero:
            return t
        if not slope > zero:
            return none
    return t


@formula
def _above(v, j, t, slow, gap, rate_mem, level):
    """V above the level, and its slope, t ms later."""
    x, y, gain = propagators(t, slow, gap, rate_mem)
    v_t = fma(gain, j, x * v)
    return v_t - level, rate_mem * (y * j - v_t)


@scalar
def _crossing_from_rest(v, j, h, slow, gap, rate_mem, level):
    """A neuron that rests at or above its level: v below it returns once and then stays above.

    Where it rests at its level v has to pass it; on its way there alone v never does. The bracket
    does not depend on h, so that the crossing has the same bits whatever ends the interval.
    """
    real = type(h)
    lo, hi = real(0.0), real(1.0) / slow
    for _ in range(MAX_STEPS):
        x, y, gain = propagators(hi, slow, gap, rate_mem)
        v_t = flush(fma(gain, j, x * v))
        if v_t > level or (v_t == level and level < real(0.0)):
            break
        if lo >= h:
            return real(-1.0)
        lo, hi = hi, hi + hi
    t = real(0.5) * (lo + hi)
    for _ in range(2 * MAX_STEPS):
        x, y, gain = propagators(t, slow, gap, rate_mem)
        v_t = flush(fma(gain, j, x * v))
        below, slope = v_t - level, rate_mem * (y * j - v_t)
        if below > real(0.0) or (below == real(0.0) and level < real(0.0)):
            hi = t
        else:
            lo = t
        guess = t - below / slope if slope > real(0.0) else lo
        if not (guess > lo and guess < hi):
            guess = real(0.5) * (lo + hi)
        if not (guess > lo and guess < hi) or guess == t:
            break
        t = guess
    return hi if hi < h else real(-1.0)


@scalar
def log_ratio(u):
    """``log(1 + u) / u`` for u > -1, of exact operations."""
    real = type(u)
    one, two, half, doublings, below = real(1.0), real(2.0), real(0.5), real(0.0), u
    if u < real(-0.25) or u > half:
        x = one + u
        for _ in range(MOST_DOUBLINGS):
            if x > real(1.5):
                x, doublings = half * x, doublings + one
            elif x < real(0.75):
                x, doublings = x + x, doublings - one
            else:
                break
        below = x - one
    # log(1 + below) = 2 artanh(s), |s| <= 1/5.
    s = below / (two + below)
    square, total = s * s, real(0.0)
    for k in range(25, 0, -2):
        total = total * square + one / real(k)
    if doublings == real(0.0):
        return two / (two + below) * total
    return (doublings * real(0.6931471805599453) + two * s * total) / u
