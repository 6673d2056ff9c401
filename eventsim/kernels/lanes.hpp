// Vectors of numbers for the formulas of neuron/, as wide as a register: for CPUs only.
//
// Needs           the vector extensions of GCC and Clang. A vector's functions are declared here, in
//                 front of the formulas that use them.
// Bits            those of the numbers one by one, at every width.
#pragma once
#include <type_traits>
#include <utility>

#include "numbers.hpp"
#if defined(__x86_64__)
#include <immintrin.h>
#endif

#if defined(__AVX512F__) && defined(__AVX512DQ__)
#define VECTOR_BYTES 64
#elif defined(__AVX2__)
#define VECTOR_BYTES 32
#else
#define VECTOR_BYTES 16
#endif

namespace eventsim {

// Vectors that a processor holds at once.
#if defined(__AVX512F__) || defined(__aarch64__)
constexpr int REGISTERS = 32;
#else
constexpr int REGISTERS = 16;
#endif

typedef float Floats __attribute__((vector_size(VECTOR_BYTES)));
typedef double Doubles __attribute__((vector_size(VECTOR_BYTES)));
// Masks: the type of a comparison, in which the two compilers differ.
using FloatMask = decltype(Floats{} < Floats{});
using DoubleMask = decltype(Doubles{} < Doubles{});

typedef Word Words __attribute__((vector_size(VECTOR_BYTES)));
typedef float HalfFloats __attribute__((vector_size(VECTOR_BYTES / 2)));  // as many as Doubles

template <> struct Numbers<Floats> {
    using R = float;
    using Mask = FloatMask;
    static constexpr int count = VECTOR_BYTES / sizeof(float);
};

template <> struct Numbers<Doubles> {
    using R = double;
    using Mask = DoubleMask;
    static constexpr int count = VECTOR_BYTES / sizeof(double);
};

FORMULA Floats select(FloatMask which, Floats a, Floats b) { return which ? a : b; }
FORMULA Doubles select(DoubleMask which, Doubles a, Doubles b) { return which ? a : b; }
FORMULA FloatMask without(FloatMask a, FloatMask b) { return ~a & b; }
FORMULA DoubleMask without(DoubleMask a, DoubleMask b) { return ~a & b; }
FORMULA float at(Floats x, int k) { return x[k]; }
FORMULA double at(Doubles x, int k) { return x[k]; }
FORMULA Floats absolute(Floats x) { return (Floats)((FloatMask)x & 0x7fffffff); }
FORMULA Doubles absolute(Doubles x) { return (Doubles)((DoubleMask)x & 0x7fffffffffffffffLL); }
FORMULA Floats power_of_two(Floats k) {
    return (Floats)((127 - __builtin_convertvector(k, FloatMask)) << 23);
}
FORMULA Doubles power_of_two(Doubles k) {
    return (Doubles)((1023 - __builtin_convertvector(k, DoubleMask)) << 52);
}

FORMULA Words word_of(Doubles x) { return (Words)x; }
FORMULA Doubles of_word(Words word) { return (Doubles)word; }

// Bit k says whether number k is marked.
template <class M> FORMULA uint32_t bits_of(M m) {
    constexpr bool four = sizeof(m[0]) == 4;
#if VECTOR_BYTES == 64
    if constexpr (four) return _mm512_movepi32_mask((__m512i)m);
    else return _mm512_movepi64_mask((__m512i)m);
#elif VECTOR_BYTES == 32
    if constexpr (four) return (uint32_t)_mm256_movemask_ps((__m256)m);
    else return (uint32_t)_mm256_movemask_pd((__m256d)m);
#else
    uint32_t bits = 0;
    for (unsigned k = 0; k < VECTOR_BYTES / sizeof(m[0]); ++k) bits |= (m[k] ? 1u : 0u) << k;
    return four ? bits : bits;
#endif
}

FORMULA uint32_t bits_of(bool m) { return m; }

FORMULA bool any(FloatMask m) { return bits_of(m) != 0; }
FORMULA bool any(DoubleMask m) { return bits_of(m) != 0; }
FORMULA bool all(FloatMask m) { return bits_of(m) == (1u << Numbers<Floats>::count) - 1; }
FORMULA bool all(DoubleMask m) { return bits_of(m) == (1u << Numbers<Doubles>::count) - 1; }

#if VECTOR_BYTES == 64
FORMULA Floats fused(Floats a, Floats b, Floats c) {
    return (Floats)_mm512_fmadd_ps((__m512)a, (__m512)b, (__m512)c);
}
FORMULA Doubles fused(Doubles a, Doubles b, Doubles c) {
    return (Doubles)_mm512_fmadd_pd((__m512d)a, (__m512d)b, (__m512d)c);
}
FORMULA Floats floored(Floats x) { return (Floats)_mm512_roundscale_ps((__m512)x, 9); }
FORMULA Doubles floored(Doubles x) { return (Doubles)_mm512_roundscale_pd((__m512d)x, 9); }
#elif VECTOR_BYTES == 32
FORMULA Floats fused(Floats a, Floats b, Floats c) {
    return (Floats)_mm256_fmadd_ps((__m256)a, (__m256)b, (__m256)c);
}
FORMULA Doubles fused(Doubles a, Doubles b, Doubles c) {
    return (Doubles)_mm256_fmadd_pd((__m256d)a, (__m256d)b, (__m256d)c);
}
FORMULA Floats floored(Floats x) { return (Floats)_mm256_floor_ps((__m256)x); }
FORMULA Doubles floored(Doubles x) { return (Doubles)_mm256_floor_pd((__m256d)x); }
#else
template <class V> FORMULA V fused_each(V a, V b, V c) {
    V x;
    UNROLL for (int k = 0; k < Numbers<V>::count; ++k) x[k] = fused(a[k], b[k], c[k]);
    return x;
}
template <class V> FORMULA V floored_each(V a) {
    V x;
    UNROLL for (int k = 0; k < Numbers<V>::count; ++k) x[k] = floored(a[k]);
    return x;
}
FORMULA Floats fused(Floats a, Floats b, Floats c) { return fused_each(a, b, c); }
FORMULA Doubles fused(Doubles a, Doubles b, Doubles c) { return fused_each(a, b, c); }
FORMULA Floats floored(Floats x) { return floored_each(x); }
FORMULA Doubles floored(Doubles x) { return floored_each(x); }
#endif

// Write n + k for every marked number k; returns behind the last.
template <class M> FORMULA int32_t* append(int32_t* to, int32_t n, M m) {
    uint32_t bits = bits_of(m);
#if VECTOR_BYTES == 64
    // Without a branch: which numbers are marked cannot be foreseen.
    const __m512i lane = _mm512_setr_epi32(0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15);
    const __m512i mine = _mm512_add_epi32(_mm512_set1_epi32(n), lane);
    _mm512_storeu_si512(to, _mm512_maskz_compress_epi32((__mmask16)bits, mine));
    return to + __builtin_popcount(bits);
#else
    for (; bits; bits &= bits - 1) *to++ = n + __builtin_ctz(bits);
    return to;
#endif
}

// x, and where marked what f gives for number k.
template <class M, class V, class F> FORMULA V one_by_one(M which, V x, const F& f) {
    Real<V> numbers[Numbers<V>::count];
    __builtin_memcpy(numbers, &x, sizeof x);
    for (uint32_t bits = bits_of(which); bits != 0; bits &= bits - 1) {
        const int k = __builtin_ctz(bits);
        numbers[k] = f(k);
    }
    __builtin_memcpy(&x, numbers, sizeof x);
    return x;
}

// Number k is marked where bit k is set.
template <class V> FORMULA Mask<V> marked(uint32_t bits) {
    if constexpr (Numbers<V>::count == 1) {
        return bits & 1;
    } else {
#if VECTOR_BYTES == 64
        if constexpr (sizeof(Real<V>) == 4) return (Mask<V>)_mm512_movm_epi32((__mmask16)bits);
        else return (Mask<V>)_mm512_movm_epi64((__mmask8)bits);
#else
        Mask<V> bit;
        UNROLL for (int k = 0; k < Numbers<V>::count; ++k) bit[k] = 1 << k;
        return (bit & (int)bits) == bit;
#endif
    }
}

// A whole number for each number, and 1 more where marked.
template <class V> using Whole = std::conditional_t<Numbers<V>::count == 1, int, Mask<V>>;
template <class M> FORMULA M one_more(M whole, M which) { return whole - which; }
FORMULA int one_more(int whole, bool which) { return whole + which; }

template <class V> FORMULA V load(const Real<V>* from) {
    V x;
    __builtin_memcpy(&x, from, sizeof x);
    return x;
}

template <class V> FORMULA void store(Real<V>* to, V x) { __builtin_memcpy(to, &x, sizeof x); }

// Number k ^ HALF as number k.
template <int HALF, class V, int... K> FORMULA V exchanged(V x, std::integer_sequence<int, K...>) {
#ifdef __clang__
    return __builtin_shufflevector(x, x, (K ^ HALF)...);
#else
    return __builtin_shuffle(x, Mask<V>{(K ^ HALF)...});
#endif
}

// Number k + 1 as number k; behind them comes the first of `next`.
template <class V, int... K> FORMULA V one_further(V x, V next, std::integer_sequence<int, K...>) {
#ifdef __clang__
    return __builtin_shufflevector(x, next, (K + 1)...);
#else
    return __builtin_shuffle(x, next, Mask<V>{(K + 1)...});
#endif
}
template <class V> FORMULA V one_further(V x, V next) {
    return one_further(x, next, std::make_integer_sequence<int, Numbers<V>::count>());
}

// The sum of all numbers: the halves are added, then the halves of that.
template <int HALF, class V> FORMULA V sum_of_halves(V x) {
    x = x + exchanged<HALF>(x, std::make_integer_sequence<int, Numbers<V>::count>());
    if constexpr (HALF > 1) return sum_of_halves<HALF / 2>(x);
    else return x;
}
template <class V> FORMULA Real<V> sum_by_halves(V x) {
    return sum_of_halves<Numbers<V>::count / 2>(x)[0];
}

// Doubles as numbers of either type.
FORMULA void store_as(double* to, Doubles x) { store(to, x); }
FORMULA void store_as(float* to, Doubles x) {
    const HalfFloats rounded = __builtin_convertvector(x, HalfFloats);
    __builtin_memcpy(to, &rounded, sizeof rounded);
}

// The first half of some floats, or the second, as doubles.
template <int half> FORMULA Doubles widened(Floats x) {
#if VECTOR_BYTES == 64
    return (Doubles)_mm512_cvtps_pd(_mm512_extractf32x8_ps((__m512)x, half));
#elif VECTOR_BYTES == 32
    return (Doubles)_mm256_cvtps_pd(_mm256_extractf128_ps((__m256)x, half));
#else
    HalfFloats part;
    __builtin_memcpy(&part, (const char*)&x + half * sizeof part, sizeof part);
    return __builtin_convertvector(part, Doubles);
#endif
}

// from[index[k]] as number k.
template <class V> FORMULA V gather(const Real<V>* from, const int32_t* index) {
    if constexpr (Numbers<V>::count == 1) {
        return from[*index];
    } else {
#if VECTOR_BYTES == 64
        if constexpr (sizeof(Real<V>) == 4)
            return (V)_mm512_i32gather_ps(_mm512_loadu_si512(index), from, 4);
        else
            return (V)_mm512_i32gather_pd(_mm256_loadu_si256((const __m256i*)index), from, 8);
#else
        V x;
        UNROLL for (int k = 0; k < Numbers<V>::count; ++k) x[k] = from[index[k]];
        return x;
#endif
    }
}

// from[index[k]] as number k.
template <class V> FORMULA V gather_at(const Real<V>* from, Whole<V> index) {
#if VECTOR_BYTES == 64
    if constexpr (sizeof(Real<V>) == 4) return (V)_mm512_i32gather_ps((__m512i)index, from, 4);
    else return (V)_mm512_i64gather_pd((__m512i)index, from, 8);
#else
    V x;
    UNROLL for (int k = 0; k < Numbers<V>::count; ++k) x[k] = from[index[k]];
    return x;
#endif
}

// A double for each number of a V, in as many vectors as that takes; bit k is that of number k.
template <class V> struct DoublesOf {
    static constexpr int each = Numbers<Doubles>::count, parts = Numbers<V>::count / each;
    Doubles part[parts];
};

template <class V> FORMULA DoublesOf<V> load_wide(const double* from) {
    DoublesOf<V> x;
    UNROLL for (int i = 0; i < x.parts; ++i) x.part[i] = load<Doubles>(from + i * x.each);
    return x;
}
template <class V> FORMULA DoublesOf<V> load_wide(const float* from) {
    DoublesOf<V> x;
    if constexpr (x.parts == 2) {
        const Floats all = load<Floats>(from);
        x.part[0] = widened<0>(all);
        x.part[1] = widened<1>(all);
    } else {
        HalfFloats some;
        __builtin_memcpy(&some, from, sizeof some);
        x.part[0] = __builtin_convertvector(some, Doubles);
    }
    return x;
}
template <class V> FORMULA void store_wide(double* to, const DoublesOf<V>& x) {
    UNROLL for (int i = 0; i < x.parts; ++i) store(to + i * x.each, x.part[i]);
}

template <class V> FORMULA DoublesOf<V> gather_wide(const double* from, Whole<V> index) {
    DoublesOf<V> x;
#if VECTOR_BYTES == 64
    if constexpr (x.parts == 2) {
        const __m512i all = (__m512i)index;
        x.part[0] = (Doubles)_mm512_i32gather_pd(_mm512_castsi512_si256(all), from, 8);
        x.part[1] = (Doubles)_mm512_i32gather_pd(_mm512_extracti64x4_epi64(all, 1), from, 8);
    } else {
        x.part[0] = (Doubles)_mm512_i64gather_pd((__m512i)index, from, 8);
    }
#else
    UNROLL for (int i = 0; i < x.parts; ++i)
        UNROLL for (int k = 0; k < x.each; ++k) x.part[i][k] = from[index[i * x.each + k]];
#endif
    return x;
}

template <class V> FORMULA uint32_t less(const DoublesOf<V>& a, const DoublesOf<V>& b) {
    uint32_t bits = 0;
    UNROLL for (int i = 0; i < a.parts; ++i)
        bits |= bits_of(DoubleMask(a.part[i] < b.part[i])) << i * a.each;
    return bits;
}
template <class V> FORMULA uint32_t equal(const DoublesOf<V>& a, const DoublesOf<V>& b) {
    uint32_t bits = 0;
    UNROLL for (int i = 0; i < a.parts; ++i)
        bits |= bits_of(DoubleMask(a.part[i] == b.part[i])) << i * a.each;
    return bits;
}
template <class V> FORMULA DoublesOf<V> select(uint32_t bits, const DoublesOf<V>& a, const DoublesOf<V>& b) {
    DoublesOf<V> x;
    UNROLL for (int i = 0; i < x.parts; ++i)
        x.part[i] = select(marked<Doubles>(bits >> i * x.each), a.part[i], b.part[i]);
    return x;
}

// a - b, as numbers of a V.
template <class V> FORMULA V difference(const DoublesOf<V>& a, const DoublesOf<V>& b) {
    if constexpr (DoublesOf<V>::parts == 1) {
        return (V)(a.part[0] - b.part[0]);
    } else {
        const Doubles low = a.part[0] - b.part[0], high = a.part[1] - b.part[1];
#if VECTOR_BYTES == 64
        const __m512 first = _mm512_castps256_ps512(_mm512_cvtpd_ps((__m512d)low));
        return (V)_mm512_insertf32x8(first, _mm512_cvtpd_ps((__m512d)high), 1);
#else
        V x;
        const HalfFloats halves[2] = {__builtin_convertvector(low, HalfFloats),
                                      __builtin_convertvector(high, HalfFloats)};
        __builtin_memcpy(&x, halves, sizeof x);
        return x;
#endif
    }
}

}  // namespace eventsim
