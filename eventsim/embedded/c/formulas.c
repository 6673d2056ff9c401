/* One neuron between its events, in single precision: the C99 twin of eventsim/kernels/neuron.
 *
 * Only + - * /, comparisons and one rounded multiply-add, in this order: every build without contraction
 * and without fast-math gives the same bits. net_selftest() tells the others apart.
 */
#if defined(__clang__)
#pragma STDC FP_CONTRACT OFF
#elif defined(__GNUC__)
#pragma GCC optimize("fp-contract=off")
#if defined(__thumb__) && !defined(__thumb2__)
/* With -Os GCC 14 pops r1 to r3 at the end of a function whose caller, by this pass, relies on them. */
#pragma GCC optimize("no-ipa-ra")
#endif
#endif

/* Not every network uses every function. */
#if defined(__GNUC__)
#define SPARE __attribute__((unused))
#else
#define SPARE
#endif

/* a b + c with one rounding: an instruction where there is one, else by whole numbers. */
#if !defined(NET_SOFT_FMA) && !defined(__FP_FAST_FMAF) && !defined(__FMA__) && !defined(__ARM_FEATURE_FMA) && \
    !defined(__aarch64__) && !defined(__riscv_f)
#define NET_SOFT_FMA 1
#endif
#ifndef NET_SOFT_FMA
#define NET_SOFT_FMA 0
#endif

#if NET_SOFT_FMA
static uint64_t bits_of(double x) {
    uint64_t bits;
    (void)memcpy(&bits, &x, sizeof bits);
    return bits;
}
static double of_bits(uint64_t bits) {
    double x;
    (void)memcpy(&x, &bits, sizeof x);
    return x;
}
/* In double precision the product is exact; the sum is rounded to odd, so that rounding it again gives
 * what one rounding gives (Boldo and Melquiond, 2008). */
static float fused(float a, float b, float c) {
    const double product = (double)a * (double)b, sum = product + (double)c, part = sum - product;
    const double rest = (product - (sum - part)) + ((double)c - part);
    uint64_t bits = bits_of(sum);
    if ((rest > 0.0 || rest < 0.0) && (bits & 1U) == 0U) {
        if ((rest > 0.0) == (sum > 0.0)) {
            ++bits;
        } else {
            --bits;
        }
    }
    return (float)of_bits(bits);
}
#else
static float fused(float a, float b, float c) { return __builtin_fmaf(a, b, c); }
#endif

#define TOP 87.0F                /* of decay() */
#define LOG2E 1.44269504F
#define LN2_HIGH (-0.693145752F) /* -ln 2 in two parts */
#define LN2_LOW (-1.42860677e-6F)
#define TINY 1e-30F              /* states below are zero */
#define NEAR_Z 0.5F
#define BEYOND 1.00000095367431640625F
#define MOST_BEND 0.125F
#define NEWTON_STEP 1e-6F        /* of the slow time constant */
#define NEWTON_FAST 5e-4F        /* of the fast one */
#define MAX_STEPS 80
#define LONG_SPAN 16.0F

typedef struct {
    float slow, gap, mem; /* 1/ms */
} rates_t;

typedef struct {
    float x, y, gain;
} map_t;

typedef struct {
    float phi, decayed;
} terms_t;

static float absolute(float x) { return x < 0.0F ? -x : x; }
static float flush(float x) { return absolute(x) <= TINY ? 0.0F : x; }

/* 2^-k. */
static float power_of_two(int32_t k) {
    const uint32_t bits = (uint32_t)(127 - k) << 23;
    float x;
    (void)memcpy(&x, &bits, sizeof x);
    return x;
}

/* exp(-z) for z >= 0. */
static float decay(float z) {
    const float t = z < TOP ? z : TOP;
    const int32_t whole = (int32_t)(t * LOG2E + 0.5F);
    const float k = (float)whole, g = -fused(k, LN2_LOW, fused(k, LN2_HIGH, t));
    float p = 0.0013933641F;
    p = fused(p, g, 0.0083691485F);
    p = fused(p, g, 0.041666465F);
    p = fused(p, g, 0.16666505F);
    p = fused(p, g, 0.5F);
    p = fused(p, g, 1.0F);
    return fused(g, p, 1.0F) * power_of_two(whole);
}

/* phi(z) = (1 - exp(-z)) / z and exp(-z). */
static terms_t terms(float z) {
    terms_t t;
    if (z <= NEAR_Z) {
        float psi = -0.00116428703F;
        psi = fused(psi, z, 0.00823822135F);
        psi = fused(psi, z, -0.04164993F);
        psi = fused(psi, z, 0.16666563F);
        psi = fused(psi, z, -0.5F);
        t.phi = fused(z, psi, 1.0F);
        t.decayed = fused(-z, t.phi, 1.0F);
    } else {
        t.decayed = decay(z);
        t.phi = (1.0F - t.decayed) / z;
    }
    return t;
}

/* v(h) = x v + gain j,  j(h) = y j. */
static map_t forward(float h, const rates_t *r) {
    const terms_t slow = terms(r->slow * h), gap = terms(absolute(r->gap) * h);
    const float fast = slow.decayed * gap.decayed;
    map_t m;
    m.x = r->gap >= 0.0F ? slow.decayed : fast;
    m.y = r->gap >= 0.0F ? fast : slow.decayed;
    m.gain = r->mem * (h * (slow.decayed * gap.phi));
    return m;
}

static float peak_bound(float v, float j, float reach) {
    const float up = (j > 0.0F ? j : 0.0F) * reach;
    return (v > 0.0F ? v : 0.0F) + up;
}

/* A bound of v over h ms from (v, j) to (v_end, j_end). */
SPARE static float highest(float v, float j, float v_end, float j_end, float h, float mem, float peak) {
    const float span = mem * h, bound = peak_bound(v, j, span < peak ? span : peak);
    const float top = ((j_end < v_end || span > LONG_SPAN) && j > v) ? bound : v_end;
    return top > v_end ? top : v_end;
}

typedef struct {
    float by, slope;
} above_t;

static above_t above(float v, float j, float t, const rates_t *r, float level) {
    const map_t m = forward(t, r);
    const float v_t = fused(m.gain, j, m.x * v);
    above_t a;
    a.by = v_t - level;
    a.slope = r->mem * (m.y * j - v_t);
    return a;
}

/* log(1 + u) / u for u > -1. */
static float log_ratio(float u) {
    float below = u, doublings = 0.0F, s, square, sum = 0.0F;
    int k;
    if (u < -0.25F || u > 0.5F) {
        float x = 1.0F + u;
        for (k = 0; k < 1100; ++k) {
            if (x > 1.5F) {
                x = 0.5F * x;
                doublings = doublings + 1.0F;
            } else if (x < 0.75F) {
                x = x + x;
                doublings = doublings - 1.0F;
            } else {
                break;
            }
        }
        below = x - 1.0F;
    }
    s = below / (2.0F + below);
    square = s * s;
    for (k = 25; k > 0; k -= 2) {
        sum = sum * square + 1.0F / (float)k;
    }
    if (doublings == 0.0F) {
        return 2.0F / (2.0F + below) * sum;
    }
    return (doublings * 0.6931471805599453F + 2.0F * s * sum) / u;
}

/* A time at which of_drive j = of_voltage v; 0 where there is none ahead. */
static float meeting(float v, float j, float of_drive, float of_voltage, const rates_t *r) {
    const float denominator = of_voltage * (r->mem * j + r->gap * v);
    float m, time;
    if (denominator == 0.0F) {
        return 0.0F;
    }
    m = (of_drive * j - of_voltage * v) / denominator;
    if (1.0F + r->gap * m <= 0.0F) {
        return 0.0F;
    }
    time = m * log_ratio(r->gap * m);
    return time > 0.0F ? time : 0.0F;
}

/* A neuron that rests at or above its level. */
static float crossing_from_rest(float v, float j, float h, const rates_t *r, float level) {
    float lo = 0.0F, hi, t;
    int k;
    if (v >= level) {
        map_t m;
        float least;
        if (level == 0.0F) {
            return -1.0F;
        }
        lo = meeting(v, j, 1.0F, 1.0F, r);
        m = forward(lo, r);
        least = flush(fused(m.gain, j, m.x * v));
        if (least >= level) {
            return least < 0.0F && lo < h ? lo : -1.0F;
        }
    }
    hi = lo + 1.0F / r->slow;
    for (k = 0; k < MAX_STEPS; ++k) {
        const map_t m = forward(hi, r);
        const float v_t = flush(fused(m.gain, j, m.x * v));
        if (v_t > level || (v_t == level && level < 0.0F)) {
            break;
        }
        if (lo >= h) {
            return -1.0F;
        }
        lo = hi;
        hi = hi + hi;
    }
    t = 0.5F * (lo + hi);
    for (k = 0; k < 2 * MAX_STEPS; ++k) {
        const map_t m = forward(t, r);
        const float v_t = flush(fused(m.gain, j, m.x * v));
        const float below = v_t - level, slope = r->mem * (m.y * j - v_t);
        float guess;
        if (below > 0.0F || (below == 0.0F && level < 0.0F)) {
            hi = t;
        } else {
            lo = t;
        }
        guess = slope > 0.0F && k < MAX_STEPS ? t - below / slope : lo; /* as in root_of */
        if (!(guess > lo && guess < hi)) {
            guess = 0.5F * (lo + hi);
        }
        if (!(guess > lo && guess < hi) || guess == t) {
            break;
        }
        t = guess;
    }
    return hi < h ? hi : -1.0F;
}

/* Newton's method stops at a smaller step. */
static float newton_tolerance(float slow, float fast) {
    const float of_slow = NEWTON_STEP / slow, of_fast = NEWTON_FAST / fast;
    return of_slow < of_fast ? of_slow : of_fast;
}

/* Time in [0, h BEYOND) at which v first rises through the level, or -1. */
static float crossing(float v, float j, float h, const rates_t *r, float level) {
    const float end = h * BEYOND;
    above_t a;
    float t = 0.0F, step, bend, tolerance;
    int k;
    if (v >= level && j > v) {
        return 0.0F;
    }
    if (level <= 0.0F) {
        return crossing_from_rest(v, j, end, r, level);
    }
    if (!(j > v)) {
        return -1.0F;
    }
    a.by = v - level;
    a.slope = r->mem * (j - v);
    step = -a.by / a.slope;
    bend = 0.5F * (r->mem * ((r->mem + r->gap) * j + a.slope)) * step / a.slope;
    if (0.0F < bend && bend <= MOST_BEND) {
        const float start = step * fused(bend, 1.0F + (bend + bend), 1.0F);
        const above_t there = above(v, j, start, r, level);
        if (there.slope > 0.0F) {
            t = start;
            a = there;
        }
    }
    tolerance = newton_tolerance(r->slow, r->slow + absolute(r->gap));
    for (k = 0; k < MAX_STEPS; ++k) {
        step = -a.by / a.slope;
        t = t + step;
        if (!(t < end)) {
            return -1.0F;
        }
        if (absolute(step) <= tolerance) {
            return t > 0.0F ? t : 0.0F;
        }
        a = above(v, j, t, r, level);
        if (a.by >= 0.0F) {
            return t;
        }
        if (!(a.slope > 0.0F)) {
            return -1.0F;
        }
    }
    return t;
}

/* A stretch: up to ITEMS arrivals that a neuron meets at once, by their moments. */
#define ITEMS 4
#define DEGREE 4

typedef struct {
    float weight[ITEMS], gap[ITEMS], share[ITEMS];
} items_t;

typedef struct {
    float v, j, bound;
} ahead_t;

/* From (v, j) over h ms; `answer` has DEGREE numbers of v, then of j. */
static ahead_t ahead(float v, float j, const items_t *items, const rates_t *r, float peak,
                     const float *answer, float h) {
    const map_t m = forward(h, r);
    const float left = m.y * j, span = r->mem * h, reach = span < peak ? span : peak;
    float sum = items->weight[0], rise = 0.0F, drop = 0.0F, part[ITEMS - 1], v_end, j_end, top, fall, fallen;
    ahead_t to;
    int k, q;
    for (k = 1; k < ITEMS; ++k) {
        sum = sum + items->weight[k];
    }
    v_end = fused(m.gain, j, m.x * v);
    j_end = left + sum;
    for (k = 0; k < ITEMS - 1; ++k) {
        const float w = items->weight[k], up = w > 0.0F ? w : 0.0F, down = w > 0.0F ? 0.0F : w;
        part[k] = w * items->share[k];
        rise = k == 0 ? up * items->gap[k] : fused(up, items->gap[k], rise);
        drop = k == 0 ? down : drop + down;
    }
    for (q = 0; q < DEGREE; ++q) {
        float moment = part[0];
        for (k = 1; k < ITEMS - 1; ++k) {
            moment = moment + part[k];
        }
        v_end = fused(answer[q], moment, v_end);
        j_end = fused(answer[DEGREE + q], moment, j_end);
        for (k = 0; k < ITEMS - 1; ++k) {
            part[k] = part[k] * items->share[k];
        }
    }
    top = fused(reach, j > 0.0F ? j : 0.0F, v > 0.0F ? v : 0.0F);
    top = fused(r->mem, rise, top);
    fall = top - ((left < j ? left : j) + drop);
    fallen = fused(span, fall > 0.0F ? fall : 0.0F, v_end);
    to.v = flush(v_end);
    to.j = flush(j_end);
    to.bound = fallen < top ? fallen : top;
    return to;
}
