// Arrivals that a block of neurons meets at once on the way back, the latest first.
//
// They lie within the length S of a stretch. What all neurons share of an arrival s ms before the
// latest: p_q = exp(-c s) u^q and u = s / S, see neuron/adjoint_series.hpp. What an arrival adds to
// dL/dt of its spike is a sum over neurons, taken in PARTS that are added by halves: the same order
// at every level.
//
// Reference       eventsim/engine/contract/adjoint_series.py
#pragma once
#include <algorithm>

#include "../../neuron/adjoint_series.hpp"

namespace eventsim {

// The layer's middle rate, 1/ms, and the length of its stretches, ms.
struct Span {
    double middle, length;
};

// Parts of a sum over numbers side by side: as many as lie in a line of the cache.
template <class R> constexpr int PARTS = 64 / sizeof(R);

template <class V> struct Passage {
    using R = Real<V>;

    int size, n_asked;                // arrivals; those of them whose effects are requested
    int asked[MOST];                  // which these are
    alignas(64) double time[MOST];    // ms; -1 behind the last arrival
    const R* weights[MOST];           // rows [width]
    R* by_weight[MOST];               // their gradients
    alignas(64) R since[MOST];        // ms before the latest
    R p[TERMS<R>][MOST], u[MOST];
    R effects[MOST][PARTS<R>];        // dL/dt of each, without the factor p
    R aside[MOST];                    // the same, of the neurons aside
};

// The powers p and u of all arrivals. Behind the last arrival `since` is zero, so that nothing overflows.
template <class V> FORMULA void write_powers(Passage<V>& x, Real<V> middle, Real<V> length) {
    using R = Real<V>;
    const R per_length = R(1) / length;
    for (int k = x.size; k < MOST; ++k) {
        x.time[k] = -1.0;
        x.since[k] = R(0);
    }
    for (int k = 0; k < MOST; k += Numbers<V>::count) {
        const V s = load<V>(x.since + k), u = s * per_length;
        V p = decay(middle * s);
        store(x.u + k, u);
        for (int q = 0; q < TERMS<R>; ++q) {
            store(x.p[q] + k, p);
            p = p * u;
        }
    }
}

// The sum of PARTS numbers, which is spent, by halves.
template <class V> FORMULA Real<V> sum_by_halves(V* part) {
    for (int half = PARTS<Real<V>> / Numbers<V>::count / 2; half > 0; half /= 2)
        UNROLL for (int i = 0; i < half; ++i) part[i] = part[i] + part[half + i];
    return sum_by_halves(part[0]);
}

template <class V> FORMULA Real<V> sum_by_halves(const Real<V>* from) {
    constexpr int n = PARTS<Real<V>> / Numbers<V>::count;
    V part[n];
    UNROLL for (int i = 0; i < n; ++i) part[i] = load<V>(from + i * Numbers<V>::count);
    return sum_by_halves(part);
}

}  // namespace eventsim
