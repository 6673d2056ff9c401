// What an arrival gains the integral of a readout, as a polynomial over the time that is left to it.
//
// With p = a + mu, q = b + mu, their smaller one l and larger one f, and the time left L,
//
// K' = a D,  D' = -l D + F,  F' = -f F,  F = exp(-f L)
//
// At the middle of a window these are known in closed form, as are their derivatives by l and f. The
// coefficients of higher order follow by the same equations. Numbers are double whatever the type
// of the state, until a coefficient is kept().
//
// Derivation      eventsim/engine/reference/readout.py; windows: eventsim/engine/gain_windows.py
// Error           of K, its derivatives and its slope, relative to the largest: 3e-8 for a state in
//                 float, 1e-15 in double
#pragma once
#include "exponential.hpp"

namespace eventsim {

// Windows of x = 16 + c L: so many leading bits of the mantissa number them in a power of two.
constexpr int WINDOW_BITS = 4, FIRST_WINDOW = 1 << WINDOW_BITS, WINDOW_SHIFT = 52 - WINDOW_BITS;

// Coefficients of every polynomial.
template <class R> constexpr int GAIN_TERMS = sizeof(R) == sizeof(float) ? 6 : 11;

// A coefficient in the type of the state, zero where it is tiny there.
FORMULA double kept(double value, bool single) {
    const double rounded = single ? (double)(float)value : value;
    const double tiny = single ? (double)Exponent<float>::tiny : Exponent<double>::tiny;
    return absolute(rounded) <= tiny ? 0.0 : rounded;
}

// An output: its membrane rate, the weight's rate mu, and l and f.
struct Output {
    double mem, rate, slow, fast;
    bool membrane_slow;
};

FORMULA Output output_of(double tau_mem, double tau_syn, double rate) {
    const double a = 1.0 / tau_mem, p = a + rate, q = 1.0 / tau_syn + rate;
    const bool membrane_slow = p <= q;
    return {a, rate, membrane_slow ? p : q, membrane_slow ? q : p, membrane_slow};
}

// Integral of D, D, and F, with their derivatives by l and f: terms of one order.
struct GainTerms {
    double area, area_slow, area_fast, d, d_slow, d_fast, f, f_fast;
};

// Of order 0, `left` ms before the end.
FORMULA GainTerms first_terms(const Output& o, double left) {
    const double slow = o.slow * left, gap = (o.fast - o.slow) * left;
    const Terms<double> at_slow = far_terms(slow), at_gap = far_terms(gap);
    const double s = at_slow.decayed, unit = left * s;
    GainTerms t;
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
FORMULA void to_next_order(const Output& o, GainTerms& t, double h) {
    const double d = t.d;
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
struct Gains {
    double gain, by_mem, by_syn, later;
};

FORMULA Gains gains_of(const Output& o, const GainTerms& t) {
    const double by_mem = o.membrane_slow ? t.area_slow : t.area_fast;
    const double by_syn = o.membrane_slow ? t.area_fast : t.area_slow;
    return {o.mem * t.area, fused(o.mem, by_mem, t.area), o.mem * by_syn,
            -fused(o.rate, o.mem * t.area, o.mem * t.d)};
}

}  // namespace eventsim
