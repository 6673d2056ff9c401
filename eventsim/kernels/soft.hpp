// a b + c with one rounding where the processor has no instruction for it.
//
// Not every mathematical library of C rounds once: so it is written here, with whole numbers.
#pragma once
#include <stdint.h>

namespace eventsim {

static inline uint64_t bits_of_double(double x) {
    uint64_t bits;
    __builtin_memcpy(&bits, &x, sizeof bits);
    return bits;
}

static inline double double_of_bits(uint64_t bits) {
    double x;
    __builtin_memcpy(&x, &bits, sizeof x);
    return x;
}

// In double precision the product is exact. Their sum is rounded to odd, so that rounding it once more
// gives what one rounding gives: Boldo and Melquiond (2008), Emulation of a FMA and correctly rounded
// sums: proved algorithms using rounding to odd.
__attribute__((noinline)) static float soft_fused(float a, float b, float c) {
    const double product = (double)a * (double)b, sum = product + (double)c, part = sum - product;
    const double rest = (product - (sum - part)) + ((double)c - part);  // Knuth's two-sum
    uint64_t bits = bits_of_double(sum);
    if ((rest > 0.0 || rest < 0.0) && (bits & 1) == 0) bits += (rest > 0.0) == (sum > 0.0) ? 1 : -1;
    return (float)double_of_bits(bits);
}

// A finite number other than 0 as mantissa 2^exponent, the mantissa in [2^52, 2^53).
struct Parts {
    uint64_t mantissa;
    int exponent;

    explicit Parts(double x) {
        const uint64_t bits = bits_of_double(x), fraction = bits & ((uint64_t(1) << 52) - 1);
        const int field = (int)(bits >> 52 & 0x7ff);
        const int shift = field == 0 ? __builtin_clzll(fraction) - 11 : 0;
        mantissa = field == 0 ? fraction << shift : fraction | uint64_t(1) << 52;
        exponent = (field == 0 ? 1 : field) - 1075 - shift;
    }
};

using Wide = unsigned __int128;

// x / 2^n, its last bit set if one was lost.
static inline Wide shifted(Wide x, int n) {
    if (n == 0) return x;
    if (n > 127) return x != 0;
    return x >> n | (Wide)((x & (((Wide)1 << n) - 1)) != 0);
}

// The double next to x 2^exponent, ties to even; its last bit may stand for smaller ones.
static inline uint64_t nearest(Wide x, int exponent) {
    const uint64_t high = (uint64_t)(x >> 64);
    const int top = high ? 127 - __builtin_clzll(high) : 63 - __builtin_clzll((uint64_t)x);
    int drop = top - 52;
    if (drop < -1074 - exponent) drop = -1074 - exponent;  // no bit below that of the least double
    uint64_t mantissa;
    if (drop <= 0) {
        mantissa = (uint64_t)(x << -drop);
    } else {
        const Wide kept = drop == 1 ? x << 1 : shifted(x, drop - 2);  // half a bit, and what is behind
        mantissa = (uint64_t)(kept >> 2);
        const unsigned behind = (unsigned)kept & 3;
        mantissa += behind == 3 || (behind == 2 && (mantissa & 1));
    }
    const int64_t field = (int64_t)exponent + drop + 1074;
    const uint64_t infinite = uint64_t(0x7ff) << 52;
    if (field > 2046) return infinite;
    // A mantissa of 2^52 and more adds 1 to the field: that of a subnormal number is 0.
    const uint64_t bits = ((uint64_t)field << 52) + mantissa;
    return bits < infinite ? bits : infinite;
}

__attribute__((noinline)) static double soft_fused(double a, double b, double c) {
    const double product = a * b;
    const bool finite = a - a == 0.0 && b - b == 0.0;
    if (!finite || a == 0.0 || b == 0.0) return product + c;
    if (c - c != 0.0) return c;
    if (c == 0.0) return product;
    const Parts x(a), y(b), z(c);
    const uint64_t sign = uint64_t(1) << 63, of_c = bits_of_double(c) & sign;
    const uint64_t of_product = (bits_of_double(a) ^ bits_of_double(b)) & sign;
    // Both with their first bit at 2^124 or 2^125.
    Wide p = (Wide)x.mantissa * y.mantissa << 20, q = (Wide)z.mantissa << 72;
    const int at_p = x.exponent + y.exponent - 20, at_q = z.exponent - 72;
    const int at = at_p > at_q ? at_p : at_q;
    p = shifted(p, at - at_p);
    q = shifted(q, at - at_q);
    if (of_product == of_c) return double_of_bits(of_c | nearest(p + q, at));
    if (p == q) return 0.0;
    return double_of_bits(p > q ? of_product | nearest(p - q, at) : of_c | nearest(q - p, at));
}

}  // namespace eventsim
