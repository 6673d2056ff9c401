// A stretch: several arrivals that a neuron meets at once, by their moments.
//
// An arrival of weight w changes v by w g(s) and j by w exp(-b s) after s ms. Over a stretch of at
// most L ms, rate L <= SPAN, both are polynomials in u = s / L; so with the moments
// M_q = sum_k w_k u_k^q of the arrivals, u_k reaching from each to the end,
//
// v(end) = v x + g j + sum_q answer.v[q] M_(q+1),  j(end) = y j + sum w_k + sum_q answer.j[q] M_(q+1)
//
// Derivation      eventsim/engine/contract/series.py: the series of Taylor, whose highest powers are written
//                 as the polynomial of lower degree that is nearest on [0, 1] (economisation).
// Error           of the answers: 6e-8 in float, 2e-16 (v) and 3e-16 (j) in double, for weights of 1
#pragma once
#include "crossing.hpp"

namespace eventsim {

// Most items of a stretch, and most that the fastest rate makes from its first to its last.
constexpr int ITEMS = 4;
constexpr double SPAN = 0.25;

// Degree of the polynomials, and of the series of Taylor that they are made from.
template <class R> constexpr int DEGREE = sizeof(R) == sizeof(float) ? 4 : 8;
template <class R> constexpr int TAYLOR = sizeof(R) == sizeof(float) ? 7 : 12;

// Row q: coefficients of the shifted Chebyshev polynomial of degree q over its leading one: whole
// numbers over powers of two, exact.
struct Shorter {
    double row[13][13];

    FORMULA_MEMBER constexpr Shorter() : row() {
        double whole[13][13] = {{1.0}, {-1.0, 2.0}};
        double leading = 1.0;
        for (int q = 1; q < 13; ++q) {
            leading *= q == 1 ? 2.0 : 4.0;
            for (int k = 0; k <= q; ++k) {
                if (q > 1)
                    whole[q][k] = (k > 0 ? 4.0 * whole[q - 1][k - 1] : 0.0) -
                                  2.0 * whole[q - 1][k] - whole[q - 2][k];
                row[q][k] = whole[q][k] / leading;
            }
        }
    }
};

// Coefficients of v's and j's answer to an arrival, from u on; the constant ones are 0 and 1.
template <class V> struct Answer {
    V of_v[DEGREE<Real<V>>], of_j[DEGREE<Real<V>>];

    FORMULA_MEMBER V v(int q) const { return of_v[q]; }
    FORMULA_MEMBER V j(int q) const { return of_j[q]; }
};

template <class V> FORMULA Answer<V> answer_of(V rate_mem, V rate_syn, Real<V> longest) {
    using R = Real<V>;
    constexpr int degree = DEGREE<R>, taylor = TAYLOR<R>;
    constexpr Shorter shorter;
    const V a = rate_mem * longest, b = rate_syn * longest;
    V v[taylor + 1], j[taylor + 1];
    v[0] = spread<V>(0);
    j[0] = spread<V>(1);
    UNROLL for (int q = 1; q <= taylor; ++q) {
        v[q] = a * (j[q - 1] - v[q - 1]) / R(q);
        j[q] = -(b * j[q - 1]) / R(q);
    }
    UNROLL for (int q = taylor; q > degree; --q) {
        UNROLL for (int k = 1; k < q; ++k) {
            v[k] = fused(-v[q], spread<V>(R(shorter.row[q][k])), v[k]);
            j[k] = fused(-j[q], spread<V>(R(shorter.row[q][k])), j[k]);
        }
    }
    Answer<V> answer;
    UNROLL for (int q = 0; q < degree; ++q) {
        answer.of_v[q] = v[q + 1];
        answer.of_j[q] = j[q + 1];
    }
    return answer;
}

// v and j at the end of a stretch, and a bound of v over all of it.
template <class V> struct Ahead {
    V v, j, bound;
};

// Items of a stretch: their weights at a neuron; and for all neurons the ms from each to the end, and that
// over the longest that a stretch may be. The last item is at the end.
template <class V> struct Items {
    V weight[ITEMS];
    Real<V> gap[ITEMS], share[ITEMS];
};

// State after a stretch of h ms, whose map is `m`, from (v, j). `answer` has functions v(q) and j(q).
template <class V, class A>
FORMULA Ahead<V> ahead(V v, V j, const Items<V>& items, V rate_mem, V peak, const A& answer,
                       const Map<V>& m, Real<V> h) {
    const V zero = spread<V>(0), left = m.y * j;
    V sum = items.weight[0], rise = zero, drop = zero, part[ITEMS - 1];
    UNROLL for (int k = 1; k < ITEMS; ++k) sum = sum + items.weight[k];
    V v_end = fused(m.gain, j, m.x * v), j_end = left + sum;
    UNROLL for (int k = 0; k < ITEMS - 1; ++k) {
        const V w = items.weight[k], up = select(w > zero, w, zero);
        const V down = select(w > zero, zero, w);
        part[k] = w * items.share[k];
        rise = k == 0 ? up * items.gap[k] : fused(up, spread<V>(items.gap[k]), rise);
        drop = k == 0 ? down : drop + down;
    }
    UNROLL for (int q = 0; q < DEGREE<Real<V>>; ++q) {
        V moment = part[0];
        UNROLL for (int k = 1; k < ITEMS - 1; ++k) moment = moment + part[k];
        v_end = fused(answer.v(q), moment, v_end);
        j_end = fused(answer.j(q), moment, j_end);
        UNROLL for (int k = 0; k < ITEMS - 1; ++k) part[k] = part[k] * items.share[k];
    }
    // v rises by no more than what is there and what comes lets it, and falls at its end no more
    // than the membrane's rate and the least j let it.
    const V span = rate_mem * h, reach = select(span < peak, span, peak);
    V top = fused(reach, select(j > zero, j, zero), select(v > zero, v, zero));
    top = fused(rate_mem, rise, top);
    const V fall = top - (select(left < j, left, j) + drop);
    const V fallen = fused(span, select(fall > zero, fall, zero), v_end);
    return {flush(v_end), flush(j_end), select(fallen < top, fallen, top)};
}

}  // namespace eventsim
