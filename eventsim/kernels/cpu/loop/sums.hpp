// Sums of the arrivals in a piece of a window, by neuron.
//
// An arrival of weight w that comes s ms before the end adds w phi_q(s) to sum q of its target, see
// eventsim/engine/contract/windowing.py, and max(w, 0) s to its last sum: one fused multiply-add of a row as wide
// as its sums.
#pragma once
#include <limits>

#include "../../lanes.hpp"
#include "../../neuron/propagators.hpp"
#include "../synapses.hpp"
#include "../table.hpp"
#include "heap.hpp"

namespace eventsim {

// Sums of a neuron where its answers are the functions; and where the functions are powers.
constexpr int FEW_SUMS = 4;
template <class R> constexpr int MANY_SUMS = sizeof(R) == sizeof(float) ? 8 : 16;

// Functions of an arrival.
template <class R, int W>
constexpr int FUNCTIONS = W == FEW_SUMS ? 2 : sizeof(R) == sizeof(float) ? 7 : 12;

// The larger number of each two, b where they are equal.
template <class T> FORMULA T larger(T a, T b) { return a > b ? a : b; }

// Vectors narrower than a register.
template <class R, int BYTES> struct Narrow;
template <> struct Narrow<float, VECTOR_BYTES> { using V = Floats; };
template <> struct Narrow<double, VECTOR_BYTES> { using V = Doubles; };
#if VECTOR_BYTES > 16
typedef float Floats4 __attribute__((vector_size(16)));
template <> struct Narrow<float, 16> { using V = Floats4; };
FORMULA Floats4 fused(Floats4 a, Floats4 b, Floats4 c) {
    return (Floats4)_mm_fmadd_ps((__m128)a, (__m128)b, (__m128)c);
}
FORMULA Floats4 larger(Floats4 a, Floats4 b) { return (Floats4)_mm_max_ps((__m128)a, (__m128)b); }
#endif
#if VECTOR_BYTES > 32
typedef float Floats8 __attribute__((vector_size(32)));
typedef double Doubles4 __attribute__((vector_size(32)));
template <> struct Narrow<float, 32> { using V = Floats8; };
template <> struct Narrow<double, 32> { using V = Doubles4; };
FORMULA Floats8 fused(Floats8 a, Floats8 b, Floats8 c) {
    return (Floats8)_mm256_fmadd_ps((__m256)a, (__m256)b, (__m256)c);
}
FORMULA Doubles4 fused(Doubles4 a, Doubles4 b, Doubles4 c) {
    return (Doubles4)_mm256_fmadd_pd((__m256d)a, (__m256d)b, (__m256d)c);
}
FORMULA Floats8 larger(Floats8 a, Floats8 b) { return (Floats8)_mm256_max_ps((__m256)a, (__m256)b); }
FORMULA Doubles4 larger(Doubles4 a, Doubles4 b) { return (Doubles4)_mm256_max_pd((__m256d)a, (__m256d)b); }
#endif

// The W functions of an arrival, in registers; the last is s.
template <class R, int W> class Functions {
    static constexpr int BYTES = std::min<int>(W * sizeof(R), VECTOR_BYTES), N = BYTES / sizeof(R);
    using T = typename Narrow<R, BYTES>::V;
    T phi[W / N], least;  // of the weight: it counts in the last sum where it is above zero

  public:
    FORMULA_MEMBER explicit Functions(const R* from) {
        R floor[N];
        std::fill(floor, floor + N - 1, -std::numeric_limits<R>::infinity());
        floor[N - 1] = R(0);
        __builtin_memcpy(&least, floor, sizeof least);
        __builtin_memcpy(phi, from, sizeof phi);
    }

    // A neuron, whose sums are `row`, meets the arrival.
    FORMULA_MEMBER void add(R* row, R w) const {
        const T weight = w - T{}, positive = larger(weight, least);
        T sums[W / N];
        __builtin_memcpy(sums, row, sizeof sums);
        UNROLL for (int c = 0; c < W / N; ++c)
            sums[c] = fused(c < W / N - 1 ? weight : positive, phi[c], sums[c]);
        __builtin_memcpy(row, sums, sizeof sums);
    }
};

// Numbers FIRST, FIRST + 2, .. of a and, behind them, b.
template <int FIRST, class V, int... K>
FORMULA V every_other(V a, V b, std::integer_sequence<int, K...>) {
#ifdef __clang__
    return __builtin_shufflevector(a, b, (2 * K + FIRST)...);
#else
    return __builtin_shuffle(a, b, Mask<V>{(2 * K + FIRST)...});
#endif
}

// W numbers of each neuron, one neuron behind the other, become W vectors of neurons side by side.
template <int W, class V> FORMULA void turn(V* x) {
    if constexpr (W > 1) {
        constexpr std::make_integer_sequence<int, Numbers<V>::count> all;
        V even[W / 2], odd[W / 2];
        UNROLL for (int i = 0; i < W / 2; ++i) {
            even[i] = every_other<0>(x[2 * i], x[2 * i + 1], all);
            odd[i] = every_other<1>(x[2 * i], x[2 * i + 1], all);
        }
        turn<W / 2>(even);
        turn<W / 2>(odd);
        UNROLL for (int i = 0; i < W / 2; ++i) {
            x[2 * i] = even[i];
            x[2 * i + 1] = odd[i];
        }
    }
}

// Numbers of a and b by turns, from number FIRST of each on.
template <int FIRST, class V, int... K> FORMULA V by_turns(V a, V b, std::integer_sequence<int, K...>) {
    constexpr int N = Numbers<V>::count;
#ifdef __clang__
    return __builtin_shufflevector(a, b, (FIRST + K / 2 + K % 2 * N)...);
#else
    return __builtin_shuffle(a, b, Mask<V>{(FIRST + K / 2 + K % 2 * N)...});
#endif
}

// The reverse of turn().
template <int W, class V> FORMULA void turn_back(V* x) {
    if constexpr (W > 1) {
        constexpr int N = Numbers<V>::count;
        constexpr std::make_integer_sequence<int, N> all;
        V even[W / 2], odd[W / 2];
        UNROLL for (int i = 0; i < W / 2; ++i) {
            even[i] = x[2 * i];
            odd[i] = x[2 * i + 1];
        }
        turn_back<W / 2>(even);
        turn_back<W / 2>(odd);
        UNROLL for (int i = 0; i < W / 2; ++i) {
            x[2 * i] = by_turns<0>(even[i], odd[i], all);
            x[2 * i + 1] = by_turns<N / 2>(even[i], odd[i], all);
        }
    }
}

}  // namespace eventsim
