// A neuron whose threshold rises by `strength` at each of its spikes and decays at `rate`.
//
// level(t) = level + strength a exp(-rate (t - last)),  a = 1 + a exp(-rate ..) at every spike
//
// R is a number: float or double. Adaptations are double whatever R is, so that the way back finds
// them again, from the spikes alone, to the bit.
//
// Derivation      eventsim/neuron/adaptive.py; of the adjoint eventsim/adjoint/__init__.py
// Error           as crossing.hpp
#pragma once
#include "crossing.hpp"

namespace eventsim {

// The alert level lies below the level by this fraction of the largest voltages of the neuron, more
// than the rounding of float.
constexpr double ALERT_MARGIN = 1e-5;

// Doublings of the slowest time constant after which states have vanished.
constexpr int DOUBLINGS = 6;

// Rise at a spike, and rate of its decay, 1/ms.
struct Threshold {
    double strength, rate;
};

// Adaptation right after a neuron's last spike, and that spike's time, ms.
struct Adapted {
    double a, last;
};

// The adaptation at t, not before the last spike.
FORMULA double adaptation_at(const Threshold& p, const Adapted& c, double t) {
    return c.a * decay(p.rate * (t - c.last));
}

// The neuron has fired at t.
FORMULA void jump(const Threshold& p, Adapted& c, double t) {
    c.a = adaptation_at(p, c, t) + 1.0;
    c.last = t;
}

// The alert level above one that does not adapt, a rise having decayed by exp(-z).
template <class V> FORMULA V lifted(V rise, V z, V alert) {
    return alert + Real<V>(1.0 - ALERT_MARGIN) * (rise * decay(z));
}

// Alert level of a neuron up to a time before which it does not fire. It follows from the last spike
// alone, so that a stream that is cut has the same.
template <class R>
FORMULA R lifted(const Threshold& p, const Adapted& c, double until, R alert) {
    return lifted(R(p.strength * c.a), R(p.rate * (until - c.last)), alert);
}

// Start of a search for a crossing: v, j, the rise of the threshold, rates and the level at rest.
template <class R> struct Start {
    R v, j, rise;
    Rates<R> rates;
    R rate, level;
};

// v - level - rise, and its first two derivatives.
template <class R> struct Excess {
    R by, slope, bend;
};

template <class R> FORMULA Excess<R> excess(R t, const Start<R>& s) {
    const Map<R> m = far_forward(t, s.rates);
    const R mem = s.rates.mem;
    const R v_t = fused(m.gain, s.j, m.x * s.v), j_t = m.y * s.j;
    const R rise_t = s.rise * decay(s.rate * t);
    const R slope = mem * (j_t - v_t), fall = s.rate * rise_t;
    const R bend = -(mem * ((mem + s.rates.gap) * j_t + slope)) - s.rate * fall;
    return {v_t - s.level - rise_t, slope + fall, bend};
}

// A time between the two turns of the excess; 0 where there is none.
template <class R> FORMULA R middle_of(const Start<R>& s) {
    const R of_voltage = s.rate - s.rates.mem;
    return meeting(s.v, s.j, of_voltage - (s.rates.mem + s.rates.gap), of_voltage, s.rates);
}

// Newton inside a bracket that bisection keeps; the end of the bracket behind the root. Of the
// excess, or of its slope if it is the time at which that `turns`. V is rounded in larger steps than
// the rest of the excess: between two of them Newton's steps may be so small that they never end,
// while the other end of the bracket is far. Then bisection alone goes on.
template <class R> FORMULA R root_of(bool turns, R lo, R hi, const Start<R>& s) {
    const R zero = 0, half = R(0.5);
    R t = lo;
    Excess<R> e = excess(lo, s);
    const bool falls = (turns ? e.slope : e.by) > zero;
    for (int k = 0; k < 2 * MAX_STEPS; ++k) {
        R y = turns ? e.slope : e.by, dy = turns ? e.bend : e.slope;
        if (falls) {
            y = -y;
            dy = -dy;
        }
        if (y < zero) lo = t; else hi = t;
        R guess = dy > zero && k < MAX_STEPS ? t - y / dy : lo;
        if (!(guess > lo && guess < hi)) guess = half * (lo + hi);
        if (!(guess > lo && guess < hi) || guess == t) break;
        t = guess;
        e = excess(t, s);
    }
    return hi;
}

// As adaptive_crossing, for a voltage that may fall: piece by piece between the extrema.
template <class R> RARE_FORMULA R after_turns(const Start<R>& s, R h) {
    const R zero = 0, none = -1;
    const R slowest = s.rates.slow < s.rate ? s.rates.slow : s.rate;
    R middle = middle_of(s);
    if (!(middle < R(1 << DOUBLINGS) / slowest)) middle = zero;
    R start = zero, lo = zero, step = middle;
    bool below = excess(zero, s).by < zero;
    for (int k = 0; k < DOUBLINGS + 1; ++k) {
        if (step > zero) {
            const R hi = lo + step, first = excess(lo, s).slope, last = excess(hi, s).slope;
            if (first * last < zero || (first > zero) != (last > zero)) {
                const R turn = root_of(true, lo, hi, s);
                if (excess(turn, s).by >= zero) {  // from below, or a minimum that rounding left above
                    const R t = below ? root_of(false, start, turn, s) : turn;
                    return t < h ? t : none;
                }
                start = turn;
                below = true;
                if (k > 0) break;
            }
            lo = hi;
        }
        step = k == 0 ? R(1) / slowest : step + step;
    }
    if (s.level > zero || !below) return none;
    step = R(1) / slowest;
    for (int k = 0; k < MAX_STEPS; ++k) {
        if (start >= h) return none;
        const R end = start + step;
        const Map<R> m = far_forward(end, s.rates);
        const bool rests = s.level == zero && flush(fused(m.gain, s.j, m.x * s.v)) == zero;
        if (excess(end, s).by >= zero && !rests) {
            const R t = root_of(false, start, end, s);
            return t < h ? t : none;
        }
        start = end;
        step = step + step;
    }
    return none;
}

// Time in [0, h BEYOND) at which v first rises through the level plus the rise, or -1. It does not
// depend on h, so that it has the same bits whatever ends the interval.
template <class R> FORMULA R adaptive_crossing(const Start<R>& s, R h) {
    const R zero = 0, none = -1;
    h = h * R(BEYOND);
    Excess<R> e = excess(zero, s);
    if (e.by >= zero && e.slope > zero) return zero;
    if (e.by < zero && s.j > s.v && s.j > zero) {
        // No later slope is larger: Newton's method from the left never passes the crossing.
        const R fast = s.rates.slow + absolute(s.rates.gap);
        const R tolerance = newton_tolerance(s.rates.slow, fast > s.rate ? fast : s.rate);
        R t = zero;
        for (int k = 0; k < MAX_STEPS; ++k) {
            const R step = -e.by / e.slope;
            t = t + step;
            if (!(t < h)) return none;
            if (absolute(step) <= tolerance) return t;
            e = excess(t, s);
            if (e.by >= zero) return t;
            if (!(e.slope - s.rate * (s.rise * decay(s.rate * t)) > zero))
                break;  // v falls: the crossing, if there is one, is behind its peak
        }
    }
    return after_turns(s, h);
}

// A neuron on its way over h ms, over which `top` is a bound of v.
template <class R> struct OnWay {
    R v, j, h, top;
    Rates<R> rates;
    R level, alert;
};

// Time from t on at which the neuron crosses its threshold on its way, or -1.
template <class R>
FORMULA R crossing_within(const Threshold& p, const Adapted& c, double t, const OnWay<R>& x) {
    const R rise = flush(R(p.strength * adaptation_at(p, c, t)));
    if (rise == R(0)) return crossing(x.v, x.j, x.h, x.rates, x.level, true);
    const R rate = R(p.rate), last = rise * decay(rate * (x.h * R(BEYOND))) * R(1.0 - ALERT_MARGIN);
    if (x.top < x.alert + last) return R(-1);
    return adaptive_crossing(Start<R>{x.v, x.j, rise, x.rates, rate, x.level}, x.h);
}

// One neuron's threshold on the way back: dL/da right before the spike behind, its product with
// the adaptation there, and that spike's time, ms.
struct AdaptedBack {
    double kappa, product, behind;
};

// The neuron meets a spike at t, just before which the adaptation was `a`. Returns what it adds to
// the slope; dL/dt of the spike, and dL/d of the rate, gain what adaptation adds.
FORMULA double spike_back(const Threshold& p, AdaptedBack& b, double a, double t, double rate_mem,
                          double& by_time, double& by_rate) {
    if (b.product != 0.0 || b.kappa != 0.0) {
        const double h = b.behind - t;
        by_rate -= b.product * h;
        b.kappa *= decay(p.rate * h);
    }
    by_time = by_time + b.kappa * p.rate;
    return p.strength * a * (p.rate - rate_mem);
}

// Take alpha just before that spike as that by its threshold.
FORMULA void spiked_back(const Threshold& p, AdaptedBack& b, double a, double t, double alpha,
                         double& by_strength) {
    by_strength -= a * alpha;
    b.kappa -= p.strength * alpha;
    b.product = b.kappa * a;
    b.behind = t;
}

}  // namespace eventsim
