// Scalar functions of the kernels, from IEEE-exact operations alone.
//
// Twin            engine/cpu/scalar.py, same names, same operations in the same order: same bits.
// Constants       of decay and psi_small: Chebyshev interpolants, see the twin.
// Needs           no contraction (--fmad=false): fused() is the only fused operation.
//
// Rates a = 1/tau_m and b = 1/tau_s are kept as slow = min(a, b) and gap = b - a; v is measured
// from its leak, j = R I.

#define REAL_(x) ((REAL)(x))

// A level that no voltage reaches.
#if SINGLE
#define UNREACHABLE 3e38f
#else
#define UNREACHABLE 1e300
#endif

DEVICE float fused(float a, float b, float c) { return fmaf(a, b, c); }
DEVICE double fused(double a, double b, double c) { return fma(a, b, c); }

DEVICE REAL absolute(REAL x) {
#if SINGLE
    return fabsf(x);
#else
    return fabs(x);
#endif
}

// 2^-k for a whole k >= 0 below the exponent range, by writing the exponent's bits.
DEVICE float power_of_two(float k) { return __int_as_float((127 - (int)k) << 23); }
DEVICE double power_of_two(double k) {
    return __longlong_as_double((1023LL - (long long)k) << 52);
}

// exp(-z) for z >= 0; the smallest normal number where it would be below.
DEVICE float decay(float z) {
    const float t = z < 87.0f ? z : 87.0f;
    const float k = floorf(t * 1.44269504f + 0.5f);
    const float g = -fused(k, -1.42860677e-6f, fused(k, -0.693145752f, t));
    float p = fused(0.0013933641f, g, 0.0083691485f);
    p = fused(p, g, 0.041666465f);
    p = fused(p, g, 0.16666505f);
    p = fused(p, g, 0.5f);
    p = fused(p, g, 1.0f);
    return fused(g, p, 1.0f) * power_of_two(k);
}

DEVICE double decay(double z) {
    const double t = z < 708.0 ? z : 708.0;
    const double k = floor(t * 1.4426950408889634 + 0.5);
    const double g = -fused(k, -1.9082149292705877e-10, fused(k, -0.6931471803691238, t));
    double p = fused(2.5105206373957011e-8, g, 2.7626357241447223e-7);
    p = fused(p, g, 2.7557255425746434e-6);
    p = fused(p, g, 2.4801504346997687e-5);
    p = fused(p, g, 1.9841269874800492e-4);
    p = fused(p, g, 1.3888888932488598e-3);
    p = fused(p, g, 8.333333333326141e-3);
    p = fused(p, g, 4.1666666666573143e-2);
    p = fused(p, g, 0.16666666666666671);
    p = fused(p, g, 0.5000000000000006);
    p = fused(p, g, 1.0);
    return fused(g, p, 1.0) * power_of_two(k);
}

// psi(z) = (phi(z) - 1) / z for 0 <= z <= SMALL_Z, with phi(z) = (1 - exp(-z)) / z.
#define SMALL_Z REAL_(0.5)

DEVICE REAL psi_small(REAL z) {
#if SINGLE
    float p = fused(-0.00116428703f, z, 0.00823822135f);
    p = fused(p, z, -0.04164993f);
    p = fused(p, z, 0.16666563f);
    return fused(p, z, -0.5f);
#else
    double p = fused(2.0367831165025622e-8, z, -2.7077661631340098e-7);
    p = fused(p, z, 2.7529613436538967e-6);
    p = fused(p, z, -2.480061283245993e-5);
    p = fused(p, z, 1.9841248546681164e-4);
    p = fused(p, z, -1.3888888604959756e-3);
    p = fused(p, z, 8.333333331155702e-3);
    p = fused(p, z, -4.166666666658176e-2);
    p = fused(p, z, 0.16666666666666538);
    return fused(p, z, -0.5);
#endif
}

// Doublings of a number that is finite, and more.
#define MOST_DOUBLINGS 1100

// log(1 + u) / u for u > -1.
DEVICE REAL log_ratio(REAL u) {
    const REAL one = REAL_(1.0), half = REAL_(0.5);
    REAL below = u, doublings = REAL_(0.0);
    if (u < REAL_(-0.25) || u > half) {
        REAL x = one + u;
        for (int k = 0; k < MOST_DOUBLINGS; ++k) {
            if (x > REAL_(1.5)) {
                x = half * x;
                doublings = doublings + one;
            } else if (x < REAL_(0.75)) {
                x = x + x;
                doublings = doublings - one;
            } else {
                break;
            }
        }
        below = x - one;
    }
    // log(1 + below) = 2 artanh(s), |s| <= 1/5.
    const REAL s = below / (REAL_(2.0) + below), square = s * s;
    REAL sum = REAL_(0.0);
    for (int k = 25; k > 0; k -= 2) sum = sum * square + one / REAL_(k);
    if (doublings == REAL_(0.0)) return REAL_(2.0) / (REAL_(2.0) + below) * sum;
    return (doublings * REAL_(0.6931471805599453) + REAL_(2.0) * s * sum) / u;
}

// States up to this are zero.
#if SINGLE
#define TINY 1e-30f
#else
#define TINY 1e-200
#endif

// x, or zero where it is so small that its products could be denormal; NaN stays NaN.
DEVICE REAL flush(REAL x) { return absolute(x) <= TINY ? REAL_(0.0) : x; }

struct Terms {
    REAL psi, phi, decayed;
};

DEVICE Terms near_terms(REAL z) {
    Terms t;
    t.psi = psi_small(z);
    t.phi = fused(z, t.psi, REAL_(1.0));
    t.decayed = fused(-z, t.phi, REAL_(1.0));
    return t;
}

DEVICE Terms far_terms(REAL z) {
    if (z <= SMALL_Z) return near_terms(z);
    Terms t;
    t.decayed = decay(z);
    t.phi = (REAL_(1.0) - t.decayed) / z;
    t.psi = (t.phi - REAL_(1.0)) / z;
    return t;
}

// Rates of one neuron, and its map over an interval of h ms: decay of v, decay of j, gain j -> v.
struct Rates {
    REAL slow, gap, mem, syn;
};

struct Map {
    REAL x, y, gain;
};

// The gain's derivatives by the membrane and the synaptic rate besides.
struct AdjointMap {
    REAL x, y, gain, by_mem, by_syn;
};

DEVICE Map map_of(REAL h, const Rates& r, const Terms& slow, const Terms& gap) {
    const REAL s = slow.decayed, fast = s * gap.decayed;
    const bool membrane_slow = r.gap >= REAL_(0.0);
    Map m;
    m.gain = r.mem * (h * (s * gap.phi));
    m.x = membrane_slow ? s : fast;
    m.y = membrane_slow ? fast : s;
    return m;
}

DEVICE AdjointMap adjoint_map_of(REAL h, const Rates& r, const Terms& slow, const Terms& gap) {
    const REAL s = slow.decayed, fast = s * gap.decayed, unit = h * s;
    const REAL curve = h * unit, by_slow = curve * gap.psi, by_fast = -curve * (gap.psi + gap.phi);
    const bool membrane_slow = r.gap >= REAL_(0.0);
    const REAL by_mem = membrane_slow ? by_slow : by_fast;
    const REAL by_syn = membrane_slow ? by_fast : by_slow;
    const REAL integral = unit * gap.phi;
    AdjointMap m;
    m.x = membrane_slow ? s : fast;
    m.y = membrane_slow ? fast : s;
    m.gain = r.mem * integral;
    m.by_mem = fused(r.mem, by_mem, integral);
    m.by_syn = r.mem * by_syn;
    return m;
}

// The same bits whichever is taken where both hold; near only if (slow + |gap|) h <= SMALL_Z.
DEVICE Map near_forward(REAL h, const Rates& r) {
    return map_of(h, r, near_terms(r.slow * h), near_terms(absolute(r.gap) * h));
}

DEVICE Map far_forward(REAL h, const Rates& r) {
    return map_of(h, r, far_terms(r.slow * h), far_terms(absolute(r.gap) * h));
}

DEVICE AdjointMap near_adjoint(REAL h, const Rates& r) {
    return adjoint_map_of(h, r, near_terms(r.slow * h), near_terms(absolute(r.gap) * h));
}

DEVICE AdjointMap far_adjoint(REAL h, const Rates& r) {
    return adjoint_map_of(h, r, far_terms(r.slow * h), far_terms(absolute(r.gap) * h));
}

// alpha, beta, and their derivatives by the membrane rate (2) and of beta by the synaptic rate.
struct Adjoint {
    REAL alpha, beta, alpha_mem, beta_mem, beta_syn;
};

// The adjoint state h ms earlier.
DEVICE Adjoint pull_back(REAL h, const AdjointMap& m, const Adjoint& a) {
    Adjoint b;
    b.alpha = flush(m.x * a.alpha);
    b.beta = flush(fused(m.gain, a.alpha, m.y * a.beta));
    b.alpha_mem = flush(m.x * fused(-h, a.alpha, a.alpha_mem));
    b.beta_mem = flush(fused(m.y, a.beta_mem, fused(m.gain, a.alpha_mem, m.by_mem * a.alpha)));
    b.beta_syn = flush(fused(m.y, fused(-h, a.beta, a.beta_syn), m.by_syn * a.alpha));
    return b;
}

// A bound of v over an interval of h ms that goes from (v, j) to (v_end, j_end): either v ends
// highest, or it rises at first and falls at the end; then its peak is bounded by the gain's. Over a
// long interval both ends may have vanished, and the bound holds whatever they are: see the twin.
#define LONG REAL_(16.0)

DEVICE REAL highest(REAL v, REAL j, REAL v_end, REAL j_end, REAL h, REAL rate_mem, REAL peak) {
    const REAL zero = REAL_(0.0);
    const REAL span = rate_mem * h, reach = span < peak ? span : peak;
    const REAL bound = (v > zero ? v : zero) + (j > zero ? j : zero) * reach;
    const bool falls = (j_end < v_end) | (span > LONG);
    const REAL top = falls & (j > v) ? bound : v_end;
    return top > v_end ? top : v_end;
}

#if SINGLE
#define NEWTON_STEP 1e-6f
#else
#define NEWTON_STEP 1e-13
#endif
#define MAX_STEPS 80

// A neuron that rests at or above its level: v below it returns once and then stays above. Where it
// rests at its level v has to pass it. The bracket does not depend on h.
DEVICE REAL crossing_from_rest(REAL v, REAL j, REAL h, const Rates& r, REAL level) {
    const REAL zero = REAL_(0.0), half = REAL_(0.5);
    Map m;
    REAL lo = zero, hi = REAL_(1.0) / r.slow;
    for (int k = 0; k < MAX_STEPS; ++k) {
        m = far_forward(hi, r);
        const REAL v_t = flush(fused(m.gain, j, m.x * v));
        if (v_t > level || (v_t == level && level < zero)) break;
        if (lo >= h) return REAL_(-1.0);
        lo = hi;
        hi = hi + hi;
    }
    REAL t = half * (lo + hi);
    for (int step = 0; step < 2 * MAX_STEPS; ++step) {
        m = far_forward(t, r);
        const REAL v_t = flush(fused(m.gain, j, m.x * v));
        const REAL below = v_t - level, slope = r.mem * (m.y * j - v_t);
        if (below > zero || (below == zero && level < zero)) hi = t; else lo = t;
        REAL guess = slope > zero ? t - below / slope : lo;
        if (!(guess > lo && guess < hi)) guess = half * (lo + hi);
        if (!(guess > lo && guess < hi) || guess == t) break;
        t = guess;
    }
    return hi < h ? hi : REAL_(-1.0);
}

// Largest r of the series from which the crossing starts: see the twin.
#define MOST_BEND REAL_(0.125)

struct Above {
    REAL by, slope;
};

// V above the level, and its slope, t ms later.
DEVICE Above above(REAL v, REAL j, REAL t, const Rates& r, REAL level) {
    const Map m = far_forward(t, r);
    const REAL v_t = fused(m.gain, j, m.x * v);
    return {v_t - level, r.mem * (m.y * j - v_t)};
}

// An interval's length is rounded: see the twin.
#define BEYOND REAL_(1.00000095367431640625)

// Time in [0, h BEYOND) at which v first rises through the level, or -1. Where v can cross it is concave,
// so that Newton's method from the left never passes the crossing. It starts where the parabola
// through v crosses: at worst behind the crossing, and the first step leads back before it.
DEVICE REAL crossing(REAL v, REAL j, REAL h, const Rates& r, REAL level) {
    const REAL zero = REAL_(0.0), one = REAL_(1.0), none = REAL_(-1.0);
    if (v >= level) return j > v ? zero : none;
    h = h * BEYOND;
    if (level <= zero) return crossing_from_rest(v, j, h, r, level);
    if (!(j > v)) return none;
    Above a = {v - level, r.mem * (j - v)};
    REAL t = zero, step = -a.by / a.slope;
    const REAL bend = REAL_(0.5) * (r.mem * ((r.mem + r.gap) * j + a.slope)) * step / a.slope;
    if (zero < bend && bend <= MOST_BEND) {
        const REAL start = step * fused(bend, one + (bend + bend), one);
        const Above there = above(v, j, start, r, level);
        if (there.slope > zero) {
            t = start;
            a = there;
        }
    }
    const REAL tolerance = NEWTON_STEP / r.slow;
    for (int k = 0; k < MAX_STEPS; ++k) {
        step = -a.by / a.slope;
        t = t + step;
        if (!(t < h)) return none;
        if (absolute(step) <= tolerance) return t > zero ? t : zero;
        a = above(v, j, t, r, level);
        if (a.by >= zero) return t;
        if (!(a.slope > zero)) return none;
    }
    return t;
}
