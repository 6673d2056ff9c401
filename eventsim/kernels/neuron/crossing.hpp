// Spike times: bounds of v over an interval, and the first upward crossing of the level.
//
// Derivation      eventsim/neuron/lif.py. Where v can cross a positive level it rises under j > 0 and
//                 is concave, so that Newton's method from the left never passes the crossing, and
//                 meets a falling v where there is none.
// Error           of the order of the last step squared over the fast time constant, NEWTON_FAST of
//                 which is the largest; at a grazing peak of the order of the step.
#pragma once
#include "propagators.hpp"

namespace eventsim {

// Membrane time constants after which a v that reached its level may have decayed below the numbers
// of the type, so that the ends of an interval no longer tell whether v falls there.
constexpr double LONG = 16.0;

// The crossing of a parabola is Newton's first step times 1 + r + 2 r^2 + .., r being its curvature
// times the step over its slope, both halved once. Beyond this r the method starts at the left end.
constexpr double MOST_BEND = 0.125;

// Newton's method stops at a step below these fractions of both time constants, the slow and the
// fast, or after so many.
template <class R> constexpr R NEWTON_STEP = sizeof(R) == sizeof(float) ? R(1e-6) : R(1e-13);
template <class R> constexpr R NEWTON_FAST = sizeof(R) == sizeof(float) ? R(5e-4) : R(1e-8);
constexpr int MAX_STEPS = 80;

template <class V> FORMULA V newton_tolerance(V slow, V fast) {
    using R = Real<V>;
    const V of_slow = NEWTON_STEP<R> / slow, of_fast = NEWTON_FAST<R> / fast;
    return select(of_slow < of_fast, of_slow, of_fast);
}

// A bound of v from (v, j) on, where the gain from j is at most `reach`.
template <class V> FORMULA V peak_bound(V v, V j, V reach) {
    const V zero = spread<V>(0);
    return select(v > zero, v, zero) + select(j > zero, j, zero) * reach;
}

// A bound of v over h ms from (v, j) to (v_end, j_end): either v ends highest, or it rises at first
// and falls at the end; then its peak is bounded by the largest gain within, at most h times the
// membrane rate, and at most `peak`. After its peak v falls no faster than with the membrane's rate,
// so that it ends well above zero if h is not LONG; if it is, both ends may have vanished, and the
// bound holds whatever they are.
template <class V> FORMULA V highest(V v, V j, V v_end, V j_end, V h, V rate_mem, V peak) {
    const V span = rate_mem * h, bound = peak_bound(v, j, select(span < peak, span, peak));
    const Mask<V> falls = (j_end < v_end) | (span > Real<V>(LONG));
    const V top = select(falls & (j > v), bound, v_end);
    return select(top > v_end, top, v_end);
}

template <class V> struct Above {
    V by, slope;
};

// v above the level, and its slope, t ms later.
template <class V> FORMULA Above<V> above(V v, V j, V t, const Rates<V>& r, V level) {
    const Map<V> m = propagators(t, r);
    const V v_t = fused(m.gain, j, m.x * v);
    return {v_t - level, r.mem * (m.y * j - v_t)};
}

// A time at which of_drive j = of_voltage v, of numbers alone; 0 where there is none ahead.
template <class R> FORMULA R meeting(R v, R j, R of_drive, R of_voltage, const Rates<R>& r) {
    const R zero = 0, one = 1;
    const R denominator = of_voltage * (r.mem * j + r.gap * v);
    if (denominator == zero) return zero;
    const R m = (of_drive * j - of_voltage * v) / denominator;
    if (one + r.gap * m <= zero) return zero;
    const R time = m * log_ratio(r.gap * m);
    return time > zero ? time : zero;
}

// A neuron that rests at or above its level, of numbers alone: v below it returns once and then stays
// above. Where it rests at its level v has to pass it. A v that has reached a level below rest and
// falls is looked for from its minimum on, where it crosses if rounding left it above. The bracket
// does not depend on h, so that the crossing has the same bits whatever ends the interval.
template <class R> RARE_MEMBER static R crossing_from_rest(R v, R j, R h, const Rates<R>& r, R level) {
    const R zero = 0, half = R(0.5), none = -1;
    Map<R> m;
    R lo = zero;
    if (v >= level) {
        if (level == zero) return none;
        lo = meeting(v, j, R(1), R(1), r);
        m = far_forward(lo, r);
        const R least = flush(fused(m.gain, j, m.x * v));
        if (least >= level) return least < zero && lo < h ? lo : none;
    }
    R hi = lo + R(1) / r.slow;
    for (int k = 0; k < MAX_STEPS; ++k) {
        m = far_forward(hi, r);
        const R v_t = flush(fused(m.gain, j, m.x * v));
        if (v_t > level || (v_t == level && level < zero)) break;
        if (lo >= h) return none;
        lo = hi;
        hi = hi + hi;
    }
    R t = half * (lo + hi);
    for (int step = 0; step < 2 * MAX_STEPS; ++step) {
        m = far_forward(t, r);
        const R v_t = flush(fused(m.gain, j, m.x * v));
        const R below = v_t - level, slope = r.mem * (m.y * j - v_t);
        if (below > zero || (below == zero && level < zero)) hi = t; else lo = t;
        R guess = slope > zero && step < MAX_STEPS ? t - below / slope : lo;  // adaptive.hpp: root_of
        if (!(guess > lo && guess < hi)) guess = half * (lo + hi);
        if (!(guess > lo && guess < hi) || guess == t) break;
        t = guess;
    }
    return hi < h ? hi : none;
}

// Time in [0, h BEYOND) at which v first rises through the level, or -1, of those that are asked for.
// Newton's method starts where the parabola through v crosses: at worst behind the crossing, and the
// first step leads back before it.
template <class V> FORMULA V crossing(V v, V j, V h, const Rates<V>& r, V level, Mask<V> asked) {
    using R = Real<V>;
    const V zero = spread<V>(0), one = spread<V>(1);
    const Mask<V> fires = asked & (v >= level) & (j > v);
    V found = select(fires, zero, spread<V>(-1));
    asked = without(fires, asked);
    h = h * R(BEYOND);
    const Mask<V> rests = asked & (level <= zero);
    if (any(rests))
        found = one_by_one(rests, found, [&](int k) {
            const Rates<R> rates = {at(r.slow, k), at(r.gap, k), at(r.mem, k), at(r.syn, k)};
            return crossing_from_rest(at(v, k), at(j, k), at(h, k), rates, at(level, k));
        });
    Mask<V> runs = without(rests, asked) & (j > v);
    if (!any(runs)) return found;
    Above<V> a = {v - level, r.mem * (j - v)};
    V t = zero, step = -a.by / a.slope;
    const V bend = R(0.5) * (r.mem * ((r.mem + r.gap) * j + a.slope)) * step / a.slope;
    Mask<V> jumps = runs & (zero < bend) & (bend <= R(MOST_BEND));
    if (any(jumps)) {
        const V start = step * fused(bend, one + (bend + bend), one);
        const Above<V> there = above(v, j, select(jumps, start, zero), r, level);
        jumps = jumps & (there.slope > zero);
        t = select(jumps, start, t);
        a = {select(jumps, there.by, a.by), select(jumps, there.slope, a.slope)};
    }
    const V tolerance = newton_tolerance(r.slow, r.slow + absolute(r.gap));
    for (int k = 0; k < MAX_STEPS; ++k) {
        step = -a.by / a.slope;
        t = select(runs, t + step, t);
        runs = runs & (t < h);
        const Mask<V> close = runs & (absolute(step) <= tolerance);
        found = select(close, select(t > zero, t, zero), found);
        runs = without(close, runs);
        if (!any(runs)) return found;
        a = above(v, j, select(runs, t, zero), r, level);
        const Mask<V> met = runs & (a.by >= zero);
        found = select(met, t, found);
        runs = without(met, runs) & (a.slope > zero);
        if (!any(runs)) return found;
    }
    return select(runs, t, found);
}

}  // namespace eventsim
