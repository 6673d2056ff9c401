// Several arrivals that a neuron meets at once on the way back, by series.
//
// With S the longest stretch, c the middle of all rates of a layer, u = s / S and
// p_q = exp(-c s) u^q of an arrival s ms earlier, the adjoint there is
//
// beta(s) = sum_q (decays_q beta + gains_q alpha) p_q,  b beta - a alpha likewise with taken_q,
//
// and the sums over arrivals of weight times the derivatives of beta follow from the moments
// M_q = sum_k w_k p_kq.
//
// Derivation      eventsim/engine/contract/adjoint_series.py: the series of Taylor, whose highest powers are
//                 economised as in stretch.hpp.
// Error           of decays 3.4e-8 (float) and 8e-18 (double), of gains relative to the largest
//                 1.4e-6 and 7e-16, of alternating signs along the stretch
#pragma once
#include "stretch.hpp"

namespace eventsim {

// Arrivals of one stretch at most; terms of a series; those of Taylor beyond them.
constexpr int MOST = 16;
template <class R> constexpr int TERMS = sizeof(R) == sizeof(float) ? 4 : 8;
constexpr int EXTRA = 3;

// Row k: power n + k as the polynomial of degree below n that is nearest on [0, 1].
template <int n> struct Economy {
    double row[EXTRA][n];

    FORMULA_MEMBER constexpr Economy() : row() {
        constexpr Shorter shorter;
        double found[EXTRA][n + EXTRA] = {};
        for (int k = 0; k < EXTRA; ++k) found[k][n + k] = 1.0;
        for (int degree = n + EXTRA - 1; degree >= n; --degree)
            for (int k = 0; k < EXTRA; ++k) {
                const double leading = found[k][degree];
                for (int q = 0; q <= degree; ++q) found[k][q] -= leading * shorter.row[degree][q];
            }
        for (int k = 0; k < EXTRA; ++k)
            for (int q = 0; q < n; ++q) row[k][q] = found[k][q];
    }
};

// Series of one neuron, times exp(c s): decays is of beta by beta, gains of beta by alpha, and their
// derivatives by the two rates. The formulas take any S with series of these names.
template <class V> struct Series {
    static constexpr int n = TERMS<Real<V>>;
    V decays[n], taken[n], gains[n], gains_mem[n], gains_syn[n], decays_syn[n];
};

// A series of Taylor made shorter; of numbers.
template <class R> FORMULA void shorten(const double* taylor, R* out) {
    constexpr int n = TERMS<R>;
    constexpr Economy<n> economy;
    for (int q = 0; q < n; ++q) {
        double total = taylor[q];
        for (int k = 0; k < EXTRA; ++k) total += economy.row[k][q] * taylor[n + k];
        out[q] = R(total);
    }
}

// The series of one neuron. Each function of s solves an equation of first order, which gives the next
// coefficient.
template <class R> FORMULA Series<R> series_of(R rate_mem, R rate_syn, double middle, double length) {
    constexpr int n = TERMS<R> + EXTRA;
    const double a = (double)rate_mem, b = (double)rate_syn;
    const double slow = (a - middle) * length, fast = (b - middle) * length;
    double x = 1.0, y = 1.0, x_mem = 0.0, y_syn = 0.0, g = 0.0, g_mem = 0.0, g_syn = 0.0;
    double t[6][n];
    for (int q = 0; q < n; ++q) {
        t[0][q] = y;
        t[1][q] = -a * x;
        t[2][q] = a * g;
        t[3][q] = g + a * g_mem;
        t[4][q] = a * g_syn;
        t[5][q] = y_syn;
        const double share = 1.0 / (q + 1.0);
        g_mem = share * (length * x_mem - fast * g_mem);
        g_syn = -share * (length * g + fast * g_syn);
        g = share * (length * x - fast * g);
        x_mem = -share * (length * x + slow * x_mem);
        y_syn = -share * (length * y + fast * y_syn);
        x = -share * (slow * x);
        y = -share * (fast * y);
    }
    Series<R> s;
    shorten(t[0], s.decays);
    shorten(t[1], s.taken);
    shorten(t[2], s.gains);
    shorten(t[3], s.gains_mem);
    shorten(t[4], s.gains_syn);
    shorten(t[5], s.decays_syn);
    return s;
}

// sum one[q] two[q], the last first.
template <class V, class One> FORMULA V dot(const One& one, const V* two) {
    constexpr int n = TERMS<Real<V>>;
    V total = one[n - 1] * two[n - 1];
    UNROLL for (int q = n - 2; q >= 0; --q) total = fused(one[q], two[q], total);
    return total;
}

// sum series[q] u^q.
template <class V, class One> FORMULA V series_at(const One& series, V u) {
    constexpr int n = TERMS<Real<V>>;
    V total = series[n - 1];
    UNROLL for (int q = n - 2; q >= 0; --q) total = fused(total, u, series[q]);
    return total;
}

// Series of the way back from (alpha, beta): of beta, and of dL/dt of an arrival of weight 1.
template <class V> struct Opened {
    V betas[TERMS<Real<V>>], laters[TERMS<Real<V>>];
};

template <class V, class S>
FORMULA Opened<V> opened(const S& s, V alpha, V beta, V rate_syn) {
    Opened<V> o;
    UNROLL for (int q = 0; q < TERMS<Real<V>>; ++q) {
        o.betas[q] = fused(s.decays[q], beta, s.gains[q] * alpha);
        o.laters[q] = fused(o.betas[q], rate_syn, s.taken[q] * alpha);
    }
    return o;
}

// Sums over arrivals of weight times the derivatives of beta by the two rates.
template <class V> struct ByRates {
    V mem, syn;
};

template <class V, class S>
FORMULA ByRates<V> by_rates(const S& s, const V* moments, const Adjoint<V>& a) {
    const V through = dot(s.decays, moments), gained = dot(s.gains, moments);
    const V by_mem = dot(s.gains_mem, moments) * a.alpha;
    const V by_syn =
        fused(dot(s.decays_syn, moments), a.beta, dot(s.gains_syn, moments) * a.alpha);
    return {fused(through, a.beta_mem, fused(gained, a.alpha_mem, by_mem)),
            fused(through, a.beta_syn, by_syn)};
}

}  // namespace eventsim
