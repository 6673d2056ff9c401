/* A threshold that rises at each spike and decays: the C99 twin of eventsim/kernels/neuron/adaptive.hpp.
 *
 * Adaptations are in double precision, whose multiply-add takes whole numbers of 128 bits where the
 * processor has none.
 */
#if NET_SOFT_FMA || !(defined(__FP_FAST_FMA) || defined(__FMA__) || defined(__aarch64__) || defined(__riscv_d))
typedef struct {
    uint64_t high, low;
} wide_t;

static uint64_t word_of(double x) {
    uint64_t bits;
    (void)memcpy(&bits, &x, sizeof bits);
    return bits;
}
static double of_word(uint64_t bits) {
    double x;
    (void)memcpy(&x, &bits, sizeof x);
    return x;
}

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

/* Mantissa in [2^52, 2^53), and exponent. */
static uint64_t parts_of(double x, int *exponent) {
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

static double fused_double(double a, double b, double c) {
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
static double fused_double(double a, double b, double c) { return __builtin_fma(a, b, c); }
#endif

/* exp(-z) for z >= 0. */
static double decay_double(double z) {
    static const double terms_of[10] = {
        0.5000000000000006, 0.16666666666666671, 4.1666666666573143e-2, 8.333333333326141e-3,
        1.3888888932488598e-3, 1.9841269874800492e-4, 2.4801504346997687e-5, 2.7557255425746434e-6,
        2.7626357241447223e-7, 2.5105206373957011e-8};
    const double t = z < 708.0 ? z : 708.0;
    const int32_t whole = (int32_t)(t * 1.4426950408889634 + 0.5);
    const double k = (double)whole;
    const double g = -fused_double(k, -1.9082149292705877e-10, fused_double(k, -0.6931471803691238, t));
    const uint64_t bits = (uint64_t)(1023 - whole) << 52;
    double p = terms_of[9], scale;
    int i;
    for (i = 8; i >= 0; --i) {
        p = fused_double(p, g, terms_of[i]);
    }
    p = fused_double(p, g, 1.0);
    (void)memcpy(&scale, &bits, sizeof scale);
    return fused_double(g, p, 1.0) * scale;
}

#define ALERT_BELOW (1.0 - 1e-5)
#define DOUBLINGS 6

typedef struct {
    double strength, rate; /* rise at a spike; 1/ms */
} threshold_t;

typedef struct {
    double a, last; /* right after the last spike, and its time */
} adapted_t;

static double adaptation_at(const threshold_t *p, const adapted_t *c, double t) {
    return c->a * decay_double(p->rate * (t - c->last));
}

static void jump(const threshold_t *p, adapted_t *c, double t) {
    c->a = adaptation_at(p, c, t) + 1.0;
    c->last = t;
}

SPARE static float lifted(const threshold_t *p, const adapted_t *c, double until, float alert) {
    const float lift = (float)(p->strength * c->a) * decay((float)(p->rate * (until - c->last)));
    return alert + (float)ALERT_BELOW * lift;
}

typedef struct {
    float v, j, rise;
    rates_t rates;
    float rate, level;
} start_t;

typedef struct {
    float by, slope, bend;
} excess_t;

static excess_t excess(float t, const start_t *s) {
    const map_t m = forward(t, &s->rates);
    const float mem = s->rates.mem;
    const float v_t = fused(m.gain, s->j, m.x * s->v), j_t = m.y * s->j;
    const float rise_t = s->rise * decay(s->rate * t);
    const float slope = mem * (j_t - v_t), fall = s->rate * rise_t;
    excess_t e;
    e.by = v_t - s->level - rise_t;
    e.slope = slope + fall;
    e.bend = -(mem * ((mem + s->rates.gap) * j_t + slope)) - s->rate * fall;
    return e;
}

static float middle_of(const start_t *s) {
    const float mem = s->rates.mem, gap = s->rates.gap;
    const float of_voltage = s->rate - mem, of_drive = of_voltage - (mem + gap);
    const float denominator = of_voltage * (mem * s->j + gap * s->v);
    float m, time;
    if (denominator == 0.0F) {
        return 0.0F;
    }
    m = (of_drive * s->j - of_voltage * s->v) / denominator;
    if (1.0F + gap * m <= 0.0F) {
        return 0.0F;
    }
    time = m * log_ratio(gap * m);
    return time > 0.0F ? time : 0.0F;
}

static float root_of(int turns, float from, float to, const start_t *s) {
    float lo = from, hi = to, t = from;
    excess_t e = excess(lo, s);
    const int falls = (turns ? e.slope : e.by) > 0.0F;
    int k;
    for (k = 0; k < 2 * MAX_STEPS; ++k) {
        float y = turns ? e.slope : e.by, dy = turns ? e.bend : e.slope, guess;
        if (falls) {
            y = -y;
            dy = -dy;
        }
        if (y < 0.0F) {
            lo = t;
        } else {
            hi = t;
        }
        guess = dy > 0.0F ? t - y / dy : lo;
        if (!(guess > lo && guess < hi)) {
            guess = 0.5F * (lo + hi);
        }
        if (!(guess > lo && guess < hi) || guess == t) {
            break;
        }
        t = guess;
        e = excess(t, s);
    }
    return hi;
}

static float after_turns(const start_t *s, float h) {
    const float slowest = s->rates.slow < s->rate ? s->rates.slow : s->rate;
    float middle = middle_of(s), start = 0.0F, lo = 0.0F, step;
    int below, k;
    if (!(middle < (float)(1 << DOUBLINGS) / slowest)) {
        middle = 0.0F;
    }
    step = middle;
    below = excess(0.0F, s).by < 0.0F;
    for (k = 0; k < DOUBLINGS + 1; ++k) {
        if (step > 0.0F) {
            const float hi = lo + step, first = excess(lo, s).slope, last = excess(hi, s).slope;
            if (first * last < 0.0F || (first > 0.0F) != (last > 0.0F)) {
                const float turn = root_of(1, lo, hi, s);
                const int reaches = excess(turn, s).by >= 0.0F;
                if (below && reaches) {
                    const float t = root_of(0, start, turn, s);
                    return t < h ? t : -1.0F;
                }
                start = turn;
                below = !reaches;
                if (k > 0) {
                    break;
                }
            }
            lo = hi;
        }
        step = k == 0 ? 1.0F / slowest : step + step;
    }
    if (s->level > 0.0F || !below) {
        return -1.0F;
    }
    step = 1.0F / slowest;
    for (k = 0; k < MAX_STEPS; ++k) {
        float end;
        map_t m;
        int rests;
        if (start >= h) {
            return -1.0F;
        }
        end = start + step;
        m = forward(end, &s->rates);
        rests = s->level == 0.0F && flush(fused(m.gain, s->j, m.x * s->v)) == 0.0F;
        if (excess(end, s).by >= 0.0F && !rests) {
            const float t = root_of(0, start, end, s);
            return t < h ? t : -1.0F;
        }
        start = end;
        step = step + step;
    }
    return -1.0F;
}

static float adaptive_crossing(const start_t *s, float h) {
    const float end = h * BEYOND;
    excess_t e = excess(0.0F, s);
    if (e.by >= 0.0F && e.slope > 0.0F) {
        return 0.0F;
    }
    if (e.by < 0.0F && s->j > s->v && s->j > 0.0F) {
        const float tolerance = NEWTON_STEP / s->rates.slow;
        float t = 0.0F;
        int k;
        for (k = 0; k < MAX_STEPS; ++k) {
            const float step = -e.by / e.slope;
            t = t + step;
            if (!(t < end)) {
                return -1.0F;
            }
            if (absolute(step) <= tolerance) {
                return t;
            }
            e = excess(t, s);
            if (e.by >= 0.0F) {
                return t;
            }
            if (!(e.slope - s->rate * (s->rise * decay(s->rate * t)) > 0.0F)) {
                break;
            }
        }
    }
    return after_turns(s, end);
}

/* Time from t on at which the neuron crosses its threshold within h ms, or -1; `top` bounds v. */
static float crossing_within(const threshold_t *p, const adapted_t *c, const start_t *from, double t, float h,
                             float top, float alert) {
    start_t s = *from;
    float last;
    s.rise = flush((float)(p->strength * adaptation_at(p, c, t)));
    if (s.rise == 0.0F) {
        return crossing(s.v, s.j, h, &s.rates, s.level);
    }
    s.rate = (float)p->rate;
    last = s.rise * decay(s.rate * (h * BEYOND)) * (float)ALERT_BELOW;
    if (top < alert + last) {
        return -1.0F;
    }
    return adaptive_crossing(&s, h);
}
