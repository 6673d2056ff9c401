// Propagators of one neuron over h ms without an event: forward, and of its adjoint backward.
//
// v(h) = x v + g j,  j(h) = y j,  x = exp(-a h),  y = exp(-b h),  g = a (x - y) / (b - a)
//
// with v = V - E, j = R I and the rates a = 1/tau_m, b = 1/tau_s, kept as slow = min(a, b) and
// gap = b - a, so that g = a h exp(-slow h) phi(|gap| h) holds for equal rates as well.
//
// Derivation      eventsim/neuron/lif.py; of the adjoint eventsim/adjoint/__init__.py
// Error           a few units in the last place of each factor; see exponential.hpp
#pragma once
#include "exponential.hpp"

namespace eventsim {

// 1/ms.
template <class V> struct Rates {
    V slow, gap, mem, syn;
};

template <class V> struct Map {
    V x, y, gain;
};

// A map with the gain's derivatives by the membrane and the synaptic rate.
template <class V> struct AdjointMap {
    V x, y, gain, by_mem, by_syn;
};

template <class V>
FORMULA Map<V> map_of(V h, const Rates<V>& r, const Terms<V>& slow, const Terms<V>& gap) {
    const V s = slow.decayed, fast = s * gap.decayed;
    const Mask<V> membrane_slow = r.gap >= Real<V>(0);
    return {select(membrane_slow, s, fast), select(membrane_slow, fast, s),
            r.mem * (h * (s * gap.phi))};
}

template <class V>
FORMULA AdjointMap<V> adjoint_map_of(V h, const Rates<V>& r, const Terms<V>& slow,
                                     const Terms<V>& gap) {
    const V s = slow.decayed, fast = s * gap.decayed, unit = h * s, curve = h * unit;
    const V by_slow = curve * gap.psi, by_fast = -curve * (gap.psi + gap.phi);
    const Mask<V> membrane_slow = r.gap >= Real<V>(0);
    const V by_mem = select(membrane_slow, by_slow, by_fast);
    const V by_syn = select(membrane_slow, by_fast, by_slow), integral = unit * gap.phi;
    return {select(membrane_slow, s, fast), select(membrane_slow, fast, s), r.mem * integral,
            fused(r.mem, by_mem, integral), r.mem * by_syn};
}

// Near only if (slow + |gap|) h <= SMALL_Z; the same bits where both hold.
template <class V> FORMULA Map<V> near_forward(V h, const Rates<V>& r) {
    return map_of(h, r, near_terms(r.slow * h), near_terms(absolute(r.gap) * h));
}

template <class V> FORMULA Map<V> far_forward(V h, const Rates<V>& r) {
    return map_of(h, r, far_terms(r.slow * h), far_terms(absolute(r.gap) * h));
}

// As above, to the bit; numbers side by side that are all near take the near formulas.
template <class V> FORMULA Map<V> propagators(V h, const Rates<V>& r) {
    if constexpr (Numbers<V>::count > 1)
        if (all((r.slow + absolute(r.gap)) * h <= Real<V>(SMALL_Z))) return near_forward(h, r);
    return far_forward(h, r);
}

template <class V> FORMULA AdjointMap<V> near_adjoint(V h, const Rates<V>& r) {
    return adjoint_map_of(h, r, near_terms(r.slow * h), near_terms(absolute(r.gap) * h));
}

template <class V> FORMULA AdjointMap<V> far_adjoint(V h, const Rates<V>& r) {
    return adjoint_map_of(h, r, far_terms(r.slow * h), far_terms(absolute(r.gap) * h));
}

template <class V> FORMULA AdjointMap<V> adjoint_propagators(V h, const Rates<V>& r) {
    if constexpr (Numbers<V>::count > 1)
        if (all((r.slow + absolute(r.gap)) * h <= Real<V>(SMALL_Z))) return near_adjoint(h, r);
    return far_adjoint(h, r);
}

// dL/dv and dL/dj, their derivatives by the membrane rate, and that of beta by the synaptic rate.
template <class V> struct Adjoint {
    V alpha, beta, alpha_mem, beta_mem, beta_syn;
};

// The adjoint state h ms earlier.
template <class V>
FORMULA Adjoint<V> pull_back(V h, const AdjointMap<V>& m, const Adjoint<V>& a) {
    return {flush(m.x * a.alpha), flush(fused(m.gain, a.alpha, m.y * a.beta)),
            flush(m.x * fused(-h, a.alpha, a.alpha_mem)),
            flush(fused(m.y, a.beta_mem, fused(m.gain, a.alpha_mem, m.by_mem * a.alpha))),
            flush(fused(m.y, fused(-h, a.beta, a.beta_syn), m.by_syn * a.alpha))};
}

}  // namespace eventsim
