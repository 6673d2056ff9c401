/* Doubles by whole numbers: a b + c with one rounding where the processor has no instruction, and the square root. */
static uint64_t word_of(double x) {
    uint64_t bits;
    (void)memcpy(&bits, &x, sizeof bits);
    return bits;
}
SPARE static double of_word(uint64_t bits) {
    double x;
    (void)memcpy(&x, &bits, sizeof x);
    return x;
}

/* Mantissa in [2^52, 2^53), and exponent. */
SPARE static uint64_t parts_of(double x, int *exponent) {
    const uint64_t bits = word_of(x);
    const int field = (int)((bits >> 52) & 0x7ffU);
    uint64_t mantissa = bits & (((uint64_t)1 << 52) - 1U);
    *exponent = (field == 0 ? 1 : field) - 1075;
    if (field != 0) {
        mantissa |= (uint64_t)1 << 52;
    }
    while ((mantissa >> 52) == 0U) {
        mantissa <<= 1;
        --*exponent;
    }
    return mantissa;
}

#if NET_SOFT_FMA || !(defined(__FP_FAST_FMA) || defined(__FMA__) || defined(__aarch64__) || defined(__riscv_d))
typedef struct {
    uint64_t high, low;
} wide_t;

/* x / 2^n, its last bit set if one was lost. */
static wide_t shifted(wide_t x, int n) {
    wide_t y = x;
    uint64_t lost = 0U;
    if (n <= 0) {
        return x;
    }
    if (n > 127) {
        y.low = (x.high | x.low) != 0U ? 1U : 0U;
        y.high = 0U;
        return y;
    }
    if (n >= 64) {
        lost = x.low | (n > 64 ? x.high << (128 - n) : 0U);
        y.low = n > 64 ? x.high >> (n - 64) : x.high;
        y.high = 0U;
    } else {
        lost = x.low << (64 - n);
        y.low = (x.low >> n) | (x.high << (64 - n));
        y.high = x.high >> n;
    }
    y.low |= lost != 0U ? 1U : 0U;
    return y;
}

static wide_t raised(wide_t x, int n) {
    wide_t y = x;
    if (n >= 64) {
        y.high = x.low << (n - 64);
        y.low = 0U;
    } else if (n > 0) {
        y.high = (x.high << n) | (x.low >> (64 - n));
        y.low = x.low << n;
    }
    return y;
}

static int top_bit(wide_t x) {
    int top = 127;
    uint64_t part = x.high;
    if (part == 0U) {
        part = x.low;
        top = 63;
    }
    while ((part >> 63) == 0U) {
        part <<= 1;
        --top;
    }
    return top;
}

/* The double next to x 2^exponent, ties to even; its last bit may stand for smaller ones. */
static uint64_t nearest(wide_t x, int exponent) {
    int drop = top_bit(x) - 52;
    uint64_t mantissa, bits;
    int32_t field;
    if (drop < -1074 - exponent) {
        drop = -1074 - exponent;
    }
    if (drop <= 0) {
        mantissa = raised(x, -drop).low;
    } else {
        const wide_t kept = drop == 1 ? raised(x, 1) : shifted(x, drop - 2);
        const unsigned behind = (unsigned)(kept.low & 3U);
        mantissa = (kept.low >> 2) | (kept.high << 62);
        if (behind == 3U || (behind == 2U && (mantissa & 1U) != 0U)) {
            ++mantissa;
        }
    }
    field = (int32_t)(exponent + drop + 1074);
    if (field > 2046) {
        return (uint64_t)0x7ff << 52;
    }
    bits = ((uint64_t)(uint32_t)field << 52) + mantissa;
    return bits < ((uint64_t)0x7ff << 52) ? bits : (uint64_t)0x7ff << 52;
}

static wide_t product_of(uint64_t a, uint64_t b) {
    const uint64_t a0 = a & 0xffffffffU, a1 = a >> 32, b0 = b & 0xffffffffU, b1 = b >> 32;
    const uint64_t p00 = a0 * b0, p01 = a0 * b1, p10 = a1 * b0, p11 = a1 * b1;
    const uint64_t middle = (p00 >> 32) + (p01 & 0xffffffffU) + (p10 & 0xffffffffU);
    wide_t y;
    y.low = (p00 & 0xffffffffU) | (middle << 32);
    y.high = p11 + (p01 >> 32) + (p10 >> 32) + (middle >> 32);
    return y;
}

SPARE static double fused_double(double a, double b, double c) {
    const uint64_t sign = (uint64_t)1 << 63, of_c = word_of(c) & sign;
    const uint64_t of_product = (word_of(a) ^ word_of(b)) & sign;
    int ea, eb, ec, at_p, at_q, at, less;
    uint64_t ma, mb, mc;
    wide_t p, q, r;
    if (!(a - a == 0.0 && b - b == 0.0) || a == 0.0 || b == 0.0) {
        return a * b + c;
    }
    if (!(c - c == 0.0)) {
        return c;
    }
    if (c == 0.0) {
        return a * b;
    }
    ma = parts_of(a, &ea);
    mb = parts_of(b, &eb);
    mc = parts_of(c, &ec);
    p = raised(product_of(ma, mb), 20);
    q.high = mc << 8;
    q.low = 0U;
    at_p = ea + eb - 20;
    at_q = ec - 72;
    at = at_p > at_q ? at_p : at_q;
    p = shifted(p, at - at_p);
    q = shifted(q, at - at_q);
    if (of_product == of_c) {
        r.low = p.low + q.low;
        r.high = p.high + q.high + (r.low < p.low ? 1U : 0U);
        return of_word(of_c | nearest(r, at));
    }
    if (p.high == q.high && p.low == q.low) {
        return 0.0;
    }
    less = p.high < q.high || (p.high == q.high && p.low < q.low);
    if (less) {
        r.low = q.low - p.low;
        r.high = q.high - p.high - (q.low < p.low ? 1U : 0U);
        return of_word(of_c | nearest(r, at));
    }
    r.low = p.low - q.low;
    r.high = p.high - q.high - (p.low < q.low ? 1U : 0U);
    return of_word(of_product | nearest(r, at));
}
#else
SPARE static double fused_double(double a, double b, double c) { return __builtin_fma(a, b, c); }
#endif

/* The square root, rounded once, by whole numbers: not every processor has it. */
SPARE static double root_of_number(double x) {
    int exponent, i;
    uint64_t mantissa, bits, rest = 0U, root = 0U;
    double found;
    if (!(x > 0.0)) {
        return 0.0;
    }
    mantissa = parts_of(x, &exponent);
    if (exponent % 2 != 0) {
        mantissa <<= 1;
        --exponent;
    }
    for (i = 0; i < 54; ++i) {
        const uint64_t pair = i < 27 ? (mantissa >> (52 - 2 * i)) & 3U : 0U;
        const uint64_t trial = (root << 2) | 1U;
        rest = (rest << 2) | pair;
        root <<= 1;
        if (rest >= trial) {
            rest -= trial;
            root |= 1U;
        }
    }
    root = (root >> 1) + (root & 1U);
    bits = ((uint64_t)(uint32_t)(exponent / 2 + 26 + 1023) << 52) + (root - ((uint64_t)1 << 52));
    (void)memcpy(&found, &bits, sizeof found);
    return found;
}
