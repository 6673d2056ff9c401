// The gain of a readout's integral from an arrival, as a polynomial over the time that is left to it.
//
// With p = a + mu, q = b + mu, their smaller one l and larger one f, and the time left L,
//
// K' = a D,  D' = -l D + F,  F' = -f F,  F = exp(-f L)
//
// At the middle of a window these are known in closed form, as are their derivatives by l and f. The
// coefficients of higher order follow by the same equations. V is double, or several, whatever the
// type of the state, until a coefficient is kept().
//
// Derivation      eventsim/engine/reference/readout.py; windows: eventsim/engine/contract/gain_windows.py
// Error           of K, its derivatives and its slope, relative to the largest: 3e-8 for a state in
//                 float, 1e-15 in double
#pragma once
#include "exponential.hpp"

namespace eventsim {

// Windows of x = 16 + c L: so many leading bits of the mantissa number them in a power of two.
constexpr int WINDOW_BITS = 4, FIRST_WINDOW = 1 << WINDOW_BITS, WINDOW_SHIFT = 52 - WINDOW_BITS;

// Coefficients of every polynomial.
template <class R> constexpr int GAIN_TERMS = sizeof(R) == sizeof(float) ? 6 : 11;

// The number of a window is the leading bits of x, the place in it, from -1/2 to 1/2, the others.
constexpr Word FIRST_NUMBER = (Word)(1023 + WINDOW_BITS) << WINDOW_BITS;
constexpr Word FRACTION = ((Word)1 << 52) - 1, EXPONENT_OF_ONE = (Word)1023 << 52;

template <class V> struct Place {
    decltype(word_of(V{})) window;
    V u;
};

// The place in the table of an arrival with `left` ms >= 0.
template <class V> FORMULA Place<V> place_of(V left, double per_ms) {
    const auto x = word_of(fused(left, spread<V>(per_ms), spread<V>(FIRST_WINDOW)));
    return {(x >> WINDOW_SHIFT) - FIRST_NUMBER,
            of_word((x << WINDOW_BITS & FRACTION) | EXPONENT_OF_ONE) - 1.5};
}

// ms that are left in the middle of a window, and its width in ms.
FORMULA double middle_of(Word window, double per_ms) {
    const Word x = (window + FIRST_NUMBER) << WINDOW_SHIFT | (Word)1 << (WINDOW_SHIFT - 1);
    return (of_word(x) - FIRST_WINDOW) / per_ms;
}

FORMULA double width_of(Word window, double per_ms) {
    return of_word((window + FIRST_NUMBER) >> WINDOW_BITS << 52) / (FIRST_WINDOW * per_ms);
}

// A coefficient in the type of the state, zero where it is tiny there.
FORMULA double kept(double value, bool single) {
    return single ? (double)flush((float)value) : flush(value);
}

// Outputs: their membrane rate, the weight's rate mu, and l and f; 1/ms.
template <class V> struct Output {
    V mem, slow, fast;
    Mask<V> membrane_slow;
    double rate;
};

template <class V> FORMULA Output<V> output_of(V rate_mem, V rate_syn, double rate) {
    const V p = rate_mem + rate, q = rate_syn + rate;
    const Mask<V> membrane_slow = p <= q;
    return {rate_mem, select(membrane_slow, p, q), select(membrane_slow, q, p), membrane_slow, rate};
}

// Integral of D, D, and F, with their derivatives by l and f: terms of one order.
template <class V> struct GainTerms {
    V area, area_slow, area_fast, d, d_slow, d_fast, f, f_fast;
};

// Terms of order 0, `left` ms before the end.
template <class V> FORMULA GainTerms<V> first_terms(const Output<V>& o, double left) {
    const V slow = o.slow * left, gap = (o.fast - o.slow) * left;
    const Terms<V> at_slow = far_terms(slow), at_gap = far_terms(gap);
    const V s = at_slow.decayed, unit = left * s;
    GainTerms<V> t;
    t.d = unit * at_gap.phi;
    t.d_slow = left * (unit * at_gap.psi);
    t.d_fast = -left * (unit * loss_of(gap, at_gap));
    t.area = (left * at_slow.phi - t.d) / o.fast;
    t.area_slow = (-left * (left * loss_of(slow, at_slow)) - t.d_slow) / o.fast;
    t.area_fast = (-t.d_fast - t.area) / o.fast;
    t.f = s * at_gap.decayed;
    t.f_fast = -left * t.f;
    return t;
}

// The terms become those of the next order, over whose number the window's width is h.
template <class V> FORMULA void to_next_order(const Output<V>& o, GainTerms<V>& t, double h) {
    const V d = t.d;
    t.area = h * d;
    t.area_slow = h * t.d_slow;
    t.area_fast = h * t.d_fast;
    t.d_fast = h * (t.f_fast - o.slow * t.d_fast);
    t.d_slow = h * (-d - o.slow * t.d_slow);
    t.d = h * (t.f - o.slow * d);
    t.f_fast = h * (-t.f - o.fast * t.f_fast);
    t.f = -h * (o.fast * t.f);
}

// Coefficients of one order: gain, its derivatives by both rates, and its slope in time.
template <class V> struct Gains {
    V gain, by_mem, by_syn, later;
};

template <class V> FORMULA Gains<V> gains_of(const Output<V>& o, const GainTerms<V>& t) {
    const V by_mem = select(o.membrane_slow, t.area_slow, t.area_fast);
    const V by_syn = select(o.membrane_slow, t.area_fast, t.area_slow);
    return {o.mem * t.area, fused(o.mem, by_mem, t.area), o.mem * by_syn,
            -fused(spread<V>(o.rate), o.mem * t.area, o.mem * t.d)};
}

}  // namespace eventsim
