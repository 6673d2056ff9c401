// exp(-z), and its remainders after the first terms, for z >= 0.
//
// phi(z) = (1 - exp(-z)) / z,  psi(z) = (phi(z) - 1) / z
//
// Derivation      eventsim/neuron/lif.py. exp(-z) is reduced to 2^-k exp(-f), |f| <= ln 2 / 2.
// Error           Polynomials are Chebyshev interpolants in 60-digit arithmetic: relative errors of
//                 1.2e-8 (decay) and 2.3e-8 (psi) in float, 2e-17 and 7e-18 in double, below half a
//                 unit in the last place.
#pragma once
#include "../numbers.hpp"

namespace eventsim {

// Largest z whose terms are "near": polynomials alone, without a division.
constexpr double SMALL_Z = 0.5;

// Constants of a type: the largest z of decay(), 1 / ln 2, -ln 2 in two parts; the largest state that
// counts as zero, far below the least level and far above the denormal numbers, which are slow, and
// which a device may take for zero; a level that no voltage reaches.
template <class R> struct Exponent;

template <> struct Exponent<float> {
    static constexpr float top = 87.0f, log2e = 1.44269504f, high = -0.693145752f,
                           low = -1.42860677e-6f, tiny = 1e-30f, unreachable = 3e38f;
};

template <> struct Exponent<double> {
    static constexpr double top = 708.0, log2e = 1.4426950408889634, high = -0.6931471803691238,
                            low = -1.9082149292705877e-10, tiny = 1e-200, unreachable = 1e300;
};

// c[0] + c[1] z + .. by Horner's rule.
template <class V> FORMULA V polynomial(V, Real<V> last) { return spread<V>(last); }

template <class V, class... More> FORMULA V polynomial(V z, Real<V> first, More... more) {
    return fused(polynomial(z, (Real<V>)more...), z, spread<V>(first));
}

// exp(-z); the smallest normal number where it would be below.
template <class V> FORMULA V decay(V z) {
    using R = Real<V>;
    using E = Exponent<R>;
    const V t = select(z < E::top, z, spread<V>(E::top));
    const V k = floored(t * E::log2e + R(0.5));
    const V g = -fused(k, spread<V>(E::low), fused(k, spread<V>(E::high), t));
    V p;
    if constexpr (sizeof(R) == sizeof(float))
        p = polynomial(g, 1.0f, 0.5f, 0.16666505f, 0.041666465f, 0.0083691485f, 0.0013933641f);
    else
        p = polynomial(g, 1.0, 0.5000000000000006, 0.16666666666666671, 4.1666666666573143e-2,
                       8.333333333326141e-3, 1.3888888932488598e-3, 1.9841269874800492e-4,
                       2.4801504346997687e-5, 2.7557255425746434e-6, 2.7626357241447223e-7,
                       2.5105206373957011e-8);
    return fused(g, p, spread<V>(R(1.0))) * power_of_two(k);
}

// psi(z) for z <= SMALL_Z.
template <class V> FORMULA V psi_small(V z) {
    if constexpr (sizeof(Real<V>) == sizeof(float))
        return polynomial(z, -0.5f, 0.16666563f, -0.04164993f, 0.00823822135f, -0.00116428703f);
    else
        return polynomial(z, -0.5, 0.16666666666666538, -4.166666666658176e-2,
                          8.333333331155702e-3, -1.3888888604959756e-3, 1.9841248546681164e-4,
                          -2.480061283245993e-5, 2.7529613436538967e-6, -2.7077661631340098e-7,
                          2.0367831165025622e-8);
}

// x, or zero where it is so small that its products could be denormal; NaN stays NaN.
template <class V> FORMULA V flush(V x) {
    return select(absolute(x) <= Exponent<Real<V>>::tiny, spread<V>(0), x);
}

template <class V> struct Terms {
    V psi, phi, decayed;
};

// Terms for z <= SMALL_Z.
template <class V> FORMULA Terms<V> near_terms(V z) {
    const V one = spread<V>(1), psi = psi_small(z), phi = fused(z, psi, one);
    return {psi, phi, fused(-z, phi, one)};
}

// Terms for all z; the bits of near_terms where both hold. A number goes one of the two ways, numbers side
// by side go both.
template <class V> FORMULA Terms<V> far_terms(V z) {
    using R = Real<V>;
    const V one = spread<V>(1), edge = spread<V>(R(SMALL_Z));
    const Mask<V> near = z <= edge;
    if constexpr (Numbers<V>::count == 1)
        if (near) return near_terms(z);
    const Terms<V> t = near_terms(select(near, z, edge));
    const V large = select(near, edge, z), decayed = decay(large);
    const V phi = (one - decayed) / large, psi = (phi - one) / large;
    return {select(near, t.psi, psi), select(near, t.phi, phi), select(near, t.decayed, decayed)};
}

// -phi'(z), from the terms at z, without loss of digits where z is large.
template <class V> FORMULA V loss_of(V z, const Terms<V>& t) {
    return select(z <= Real<V>(SMALL_Z), t.psi + t.phi, (t.phi - t.decayed) / z);
}

// log(1 + u) / u for u > -1, of a number: 1 + u is doubled or halved into [0.75, 1.5], and there
// log(1 + x) = 2 artanh(s), s = x / (2 + x), |s| <= 1/5, by 13 terms.
template <class R> FORMULA R log_ratio(R u) {
    constexpr int most_doublings = 1100;  // of a number that is finite, and more
    const R one = 1, half = R(0.5);
    R below = u, doublings = 0;
    if (u < R(-0.25) || u > half) {
        R x = one + u;
        for (int k = 0; k < most_doublings; ++k) {
            if (x > R(1.5)) {
                x = half * x;
                doublings = doublings + one;
            } else if (x < R(0.75)) {
                x = x + x;
                doublings = doublings - one;
            } else {
                break;
            }
        }
        below = x - one;
    }
    const R s = below / (R(2) + below), square = s * s;
    R sum = 0;
    for (int k = 25; k > 0; k -= 2) sum = sum * square + one / R(k);
    if (doublings == R(0)) return R(2) / (R(2) + below) * sum;
    return (doublings * R(0.6931471805599453) + R(2) * s * sum) / u;
}

}  // namespace eventsim
