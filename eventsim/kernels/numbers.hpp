// Number types of the formulas of a neuron, and the functions that these call.
//
// V               float or double. Formulas are written for a type V that may as well stand for
//                 several numbers side by side: R = Real<V> is the number it is made of, Mask<V>
//                 what a comparison gives, and select() takes the place of ?:.
// Bits            + - * /, comparisons, whole numbers, and the functions below, in a written order
//                 and without contraction (--fmad=false, -ffp-contract=off): every compiler gives
//                 the same bits.
// Not used        allocation, exceptions, the library of the language.
#pragma once

#if defined(__CUDACC__) || defined(__CUDACC_RTC__)
#if defined(__CUDACC_RTC__)
using int32_t = int;
using int64_t = long long;
#endif
#define FORMULA [[maybe_unused]] static __device__ __forceinline__
#define FORMULA_MEMBER __device__ __forceinline__
#define RARE_FORMULA [[maybe_unused]] static __device__ __noinline__
#define ON_DEVICE __device__
#define RARE_MEMBER __device__  // its arguments stay in registers
#define UNROLL _Pragma("unroll")
#else
#include <stdint.h>
#ifdef KERNEL_LEVEL  // a vector that is passed to a function goes through memory
#define FORMULA [[maybe_unused, gnu::always_inline]] static inline
#define FORMULA_MEMBER [[gnu::always_inline]]
#else
#define FORMULA [[maybe_unused]] static inline
#define FORMULA_MEMBER
#endif
#define RARE_FORMULA [[maybe_unused, gnu::noinline]] static
#define ON_DEVICE
#define RARE_MEMBER [[gnu::noinline]]
#define UNROLL _Pragma("GCC unroll 16")
#endif

namespace eventsim {

template <class V> struct Numbers;

template <> struct Numbers<float> {
    using R = float;
    using Mask = bool;
    static constexpr int count = 1;
};

template <> struct Numbers<double> {
    using R = double;
    using Mask = bool;
    static constexpr int count = 1;
};

template <class V> using Real = typename Numbers<V>::R;
template <class V> using Mask = typename Numbers<V>::Mask;

// The bits of a double, as a whole number.
using Word = unsigned long long;

// fused: a b + c with one rounding. floored: the largest whole number not above x. power_of_two: 2^-k for a
// whole k >= 0 below the exponent range, by writing the exponent's bits. word_of, of_word: the bits of a double.
#if defined(__CUDACC__) || defined(__CUDACC_RTC__)
FORMULA float fused(float a, float b, float c) { return fmaf(a, b, c); }
FORMULA double fused(double a, double b, double c) { return fma(a, b, c); }
FORMULA float absolute(float x) { return fabsf(x); }
FORMULA double absolute(double x) { return fabs(x); }
FORMULA float floored(float x) { return floorf(x); }
FORMULA double floored(double x) { return floor(x); }
FORMULA float square_root(float x) { return sqrtf(x); }
FORMULA double square_root(double x) { return sqrt(x); }
FORMULA float power_of_two(float k) { return __int_as_float((127 - (int)k) << 23); }
FORMULA double power_of_two(double k) {
    return __longlong_as_double((1023LL - (long long)k) << 52);
}
FORMULA Word word_of(double x) { return (Word)__double_as_longlong(x); }
FORMULA double of_word(Word word) { return __longlong_as_double((long long)word); }
#else
FORMULA float fused(float a, float b, float c) { return __builtin_fmaf(a, b, c); }
FORMULA double fused(double a, double b, double c) { return __builtin_fma(a, b, c); }
FORMULA float absolute(float x) { return __builtin_fabsf(x); }
FORMULA double absolute(double x) { return __builtin_fabs(x); }
FORMULA float floored(float x) { return __builtin_floorf(x); }
FORMULA double floored(double x) { return __builtin_floor(x); }
FORMULA float square_root(float x) { return __builtin_sqrtf(x); }
FORMULA double square_root(double x) { return __builtin_sqrt(x); }
FORMULA float power_of_two(float k) {
    const int32_t bits = (127 - (int32_t)k) << 23;
    float x;
    __builtin_memcpy(&x, &bits, sizeof x);
    return x;
}
FORMULA double power_of_two(double k) {
    const int64_t bits = (1023 - (int64_t)k) << 52;
    double x;
    __builtin_memcpy(&x, &bits, sizeof x);
    return x;
}
FORMULA Word word_of(double x) {
    Word word;
    __builtin_memcpy(&word, &x, sizeof x);
    return word;
}
FORMULA double of_word(Word word) {
    double x;
    __builtin_memcpy(&x, &word, sizeof x);
    return x;
}
#endif

// Masks. select: a where `which`, else b. all, any: whether all, or any, are marked. without: b and not a.
FORMULA float select(bool which, float a, float b) { return which ? a : b; }
FORMULA double select(bool which, double a, double b) { return which ? a : b; }
FORMULA bool all(bool which) { return which; }
FORMULA bool any(bool which) { return which; }
FORMULA bool without(bool a, bool b) { return !a && b; }

// V with x everywhere.
template <class V> FORMULA V spread(Real<V> x) {
    if constexpr (Numbers<V>::count == 1)
        return x;
    else
        return x - V{};
}

// Number k of x.
FORMULA float at(float x, int) { return x; }
FORMULA double at(double x, int) { return x; }

// x, and where marked what f gives for number k.
template <class F> FORMULA float one_by_one(bool which, float x, const F& f) {
    return which ? f(0) : x;
}
template <class F> FORMULA double one_by_one(bool which, double x, const F& f) {
    return which ? f(0) : x;
}

// An interval's length is rounded: crossings are looked for that much beyond it, as a factor, and
// whoever asks compares times. So a crossing is found whatever ends the interval behind it.
constexpr double BEYOND = 1.0 + 1.0 / 1048576.0;

}  // namespace eventsim
