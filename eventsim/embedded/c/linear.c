/* One neuron that is linear between its events, in up to five states: the C99 twin of
 * eventsim/kernels/neuron/linear.hpp, and of what kernels/cpu/linear/walk.hpp computes in its place.
 */
#define MOST_STATES 5U
#define SERIES 8        /* degree of alpha up to a piece */
#define SERIES_LOW 4    /* up to an eighth of it */
#define ALPHAS 9U       /* coefficients of an alpha */
#define LEAST_STEP 3e-8 /* of a search, in pieces */
#define LEAP_ROUNDING 5e-6F
#define LONGEST_LEAP 1e15 /* pieces */

typedef struct {
    const float *a, *alpha, *powers, *bounds;
    double piece;
    uint32_t n, bits;
    int held;
} flow_t;

static float root_of_single(float x) { return (float)root_of_number((double)x); }

/* The largest whole number up to x >= 0. */
static double whole_of(double x) { return x < 4503599627370496.0 ? (double)(uint64_t)x : x; }

static float polynomial(const float *c, int degree, float h) {
    float total = c[degree];
    int m;
    for (m = degree - 1; m >= 0; --m) {
        total = total * h + c[m];
    }
    return total;
}

/* y = A x; x and y are not the same. */
static void times_of(const float *a, uint32_t n, const float *x, float *y) {
    uint32_t i, k;
    for (i = 0U; i < n; ++i) {
        float total = a[i * n] * x[0];
        for (k = 1U; k < n; ++k) {
            total += a[i * n + k] * x[k];
        }
        y[i] = total;
    }
}

/* x and what a power, which is stored less one, adds to it. */
static void power_of(const float *power, uint32_t n, const float *x, float *y) {
    uint32_t i;
    times_of(power, n, x, y);
    for (i = 0U; i < n; ++i) {
        y[i] = flush(x[i] + y[i]);
    }
}

/* The same, as neurons that go side by side compute it. */
static void power_fused(const float *power, uint32_t n, const float *x, float *y) {
    uint32_t i, k;
    for (i = 0U; i < n; ++i) {
        y[i] = x[i];
        for (k = 0U; k < n; ++k) {
            y[i] = fused(power[i * n + k], x[k], y[i]);
        }
        y[i] = flush(y[i]);
    }
}

/* times_of(); a voltage that is held does not change. */
static void slope_of(const flow_t *f, const float *x, float *y) {
    times_of(f->a, f->n, x, y);
    if (f->held) {
        y[0] = 0.0F;
    }
}

static void take(const flow_t *f, const float *x, float *y) {
    uint32_t i;
    for (i = 0U; i < f->n; ++i) {
        y[i] = x[i];
    }
}

/* The state h ms further, up to a piece. */
static void near_to(const flow_t *f, float h, const float *x, float *y) {
    const int degree = h * 8.0F <= (float)(f->piece) ? SERIES_LOW : SERIES;
    float p[MOST_STATES] = {0.0F}, w[MOST_STATES] = {0.0F}, z[MOST_STATES] = {0.0F};
    uint32_t i, k;
    for (k = 0U; k < f->n; ++k) {
        p[k] = polynomial(f->alpha + k * ALPHAS, degree, h);
    }
    for (i = 0U; i < f->n; ++i) {
        w[i] = p[f->n - 1U] * x[i];
    }
    for (k = f->n - 1U; k > 0U; --k) {
        slope_of(f, w, z);
        for (i = 0U; i < f->n; ++i) {
            w[i] = z[i] + p[k - 1U] * x[i];
        }
    }
    take(f, w, y);
}

/* q pieces further. Of longer silences than those of the recordings the powers are made here. */
static void over_pieces(const flow_t *f, double q, int fuses, float *y) {
    const uint32_t size = f->n * f->n;
    float made[2][MOST_STATES * MOST_STATES] = {{0.0F}}, z[MOST_STATES] = {0.0F};
    const float *power = f->powers;
    uint64_t left = q < 9e18 ? (uint64_t)q : (uint64_t)9e18;
    uint32_t bit = 0U, k;
    while (left != 0U) {
        if (bit > 0U && bit < f->bits) {
            power += size;
        } else if (bit > 0U) {
            float *square = made[bit & 1U];
            uint32_t i;
            for (i = 0U; i < f->n; ++i) {
                for (k = 0U; k < f->n; ++k) {
                    uint32_t m;
                    square[i * f->n + k] = power[i * f->n + k] + power[i * f->n + k];
                    for (m = 0U; m < f->n; ++m) {
                        square[i * f->n + k] += power[i * f->n + m] * power[m * f->n + k];
                    }
                }
            }
            power = square;
        }
        if ((left & 1U) != 0U) {
            if (fuses) {
                power_fused(power, f->n, y, z);
            } else {
                power_of(power, f->n, y, z);
            }
            take(f, z, y);
        }
        left >>= 1;
        ++bit;
    }
}

static void ahead_to(const flow_t *f, double h, const float *x, float *y) {
    const double q = h < f->piece ? 0.0 : whole_of(h / f->piece);
    near_to(f, (float)(h - q * f->piece), x, y);
    over_pieces(f, q, 0, y);
}

static float weighed(const float *bound, uint32_t n, const float *x) {
    float total = 0.0F;
    uint32_t i;
    for (i = 0U; i < n; ++i) {
        total += bound[i] * absolute(x[i]);
    }
    return total;
}

/* Bound of V - E over all times from the state on. */
SPARE static float ever(const flow_t *f, const float *x) {
    float total = 0.0F;
    uint32_t i;
    for (i = 0U; i < f->n; ++i) {
        total += x[i] > 0.0F ? f->bounds[i] * x[i] : f->bounds[f->n + i] * -x[i];
    }
    return total;
}

/* How many whole pieces V - E cannot reach the level in, from the state on. */
SPARE static double leap(const flow_t *f, const float *x, float level) {
    float v[MOST_STATES] = {0.0F}, w[MOST_STATES] = {0.0F}, once[MOST_STATES] = {0.0F};
    float sizes[MOST_STATES * MOST_STATES] = {0.0F}, twice[MOST_STATES] = {0.0F};
    float most, inside, below;
    const float u = x[0] - level;
    double far = LONGEST_LEAP;
    uint32_t i;
    if (!(u < 0.0F)) {
        return 0.0;
    }
    times_of(f->a, f->n, x, v);
    times_of(f->a, f->n, v, w);
    for (i = 0U; i < f->n * f->n; ++i) {
        sizes[i] = absolute(f->a[i]);
    }
    for (i = 0U; i < f->n; ++i) {
        twice[i] = absolute(x[i]);
    }
    times_of(sizes, f->n, twice, once);
    times_of(sizes, f->n, once, twice);
    most = ever(f, w);
    for (i = 0U; i < f->n; ++i) {
        most += LEAP_ROUNDING * (absolute(f->bounds[i]) + absolute(f->bounds[f->n + i])) * twice[i];
    }
    inside = v[0] * v[0] - 2.0F * most * u;
    below = inside >= 0.0F ? v[0] + root_of_single(inside) : 0.0F;
    if (below > 0.0F) {
        far = (double)(-2.0F * u / below) / f->piece;
    }
    return far > 0.0 ? whole_of(far < LONGEST_LEAP ? far : LONGEST_LEAP) : 0.0;
}

/* First time within a piece at which V - E is at the level, from below; the piece if there is none. A step goes as
 * far as surely nothing crosses. */
SPARE static double within(const flow_t *f, const float *x, float level) {
    float y[MOST_STATES] = {0.0F}, v[MOST_STATES] = {0.0F}, w[MOST_STATES] = {0.0F};
    double t = 0.0, trust = f->piece;
    take(f, x, y);
    for (;;) {
        float u, most, inside, below;
        double span, step;
        slope_of(f, y, v);
        slope_of(f, v, w);
        u = y[0] - level;
        if (u >= 0.0F) {
            return t;
        }
        span = f->piece - t < trust ? f->piece - t : trust;
        most = w[0] + weighed(f->bounds + 3U * f->n, f->n, y) * (float)(span);
        inside = v[0] * v[0] - 2.0F * most * u;
        below = inside >= 0.0F ? v[0] + root_of_single(inside) : 0.0F;
        step = span;
        if (below > 0.0F && -2.0F * u < (float)(span) * below) {
            step = (double)(-2.0F * u / below);
            if (step <= LEAST_STEP * f->piece || t + step == t) {
                return t;
            }
            t += step;
        } else {
            t = step == f->piece - t ? f->piece : t + step;
        }
        if (!(t < f->piece)) {
            return f->piece;
        }
        trust = 8.0 * step;
        near_to(f, (float)(t), x, y);
    }
}

/* alpha of a time, and of it backward. */
SPARE static void both_ways(const flow_t *f, float h, float *ahead_by, float *back_by) {
    const float square = h * h;
    uint32_t l;
    int m;
    for (l = 0U; l < f->n; ++l) {
        const float *c = f->alpha + l * ALPHAS;
        float even = c[SERIES], odd = c[SERIES - 1];
        for (m = SERIES - 2; m >= 0; m -= 2) {
            even = fused(even, square, c[m]);
        }
        for (m = SERIES - 3; m >= 1; m -= 2) {
            odd = fused(odd, square, c[m]);
        }
        ahead_by[l] = fused(odd, h, even);
        back_by[l] = fused(-odd, h, even);
    }
}

/* As within(), h up to a piece: V as one polynomial, and one bound of its third derivative. INFINITE if there is
 * no crossing. Steps are those to a crossing before `reach`, from h to a piece. */
SPARE static double crossing_before(const flow_t *f, const float *x, float h, float reach, float level) {
    const float jerk = weighed(f->bounds + 3U * f->n, f->n, x);
    float v[SERIES + 1] = {0.0F}, y[MOST_STATES] = {0.0F}, z[MOST_STATES] = {0.0F}, t = 0.0F, trust = reach;
    uint32_t l;
    int m;
    take(f, x, z);
    for (m = 0; m <= SERIES; ++m) {
        v[m] = f->alpha[m] * z[0];
    }
    for (l = 1U; l < f->n; ++l) {
        slope_of(f, z, y);
        take(f, y, z);
        for (m = 0; m <= SERIES; ++m) {
            v[m] = fused(f->alpha[l * ALPHAS + (uint32_t)m], z[0], v[m]);
        }
    }
    for (;;) {
        float u = v[SERIES], slope = 0.0F, bend = 0.0F, most, inside, below, span, step;
        for (m = SERIES - 1; m >= 0; --m) {
            bend = fused(bend, t, slope);
            slope = fused(slope, t, u);
            u = fused(u, t, v[m]);
        }
        u -= level;
        bend += bend;
        if (u >= 0.0F) {
            return (double)t;
        }
        if (t >= h) {
            return INFINITE;
        }
        span = reach - t < trust ? reach - t : trust;
        most = fused(jerk, span, bend);
        inside = slope * slope - 2.0F * most * u;
        below = inside >= 0.0F ? slope + root_of_single(inside) : 0.0F;
        step = span;
        if (below > 0.0F && -2.0F * u < span * below) {
            step = -2.0F * u / below;
            if ((double)step <= LEAST_STEP * f->piece || t + step == t) {
                return (double)t;
            }
            t += step;
        } else {
            t = step == reach - t ? reach : t + step;
        }
        trust = 8.0F * step;
    }
}

/* The state after a time, by its alpha. */
SPARE static void flow_by(const flow_t *f, const float *by, const float *z, float *y) {
    uint32_t l, q, p;
    for (q = 0U; q < f->n; ++q) {
        y[q] = by[f->n - 1U] * z[q];
    }
    for (l = f->n - 1U; l > 0U; --l) {
        float next[MOST_STATES] = {0.0F};
        for (q = 0U; q < f->n; ++q) {
            next[q] = by[l - 1U] * z[q];
            for (p = 0U; p < f->n; ++p) {
                next[q] = fused(f->a[q * f->n + p], y[p], next[q]);
            }
        }
        take(f, next, y);
    }
}

/* x, h; near_to(), and the root of h: of the C++. */
#define LINEAR_VECTORS 4
static const uint32_t linear_vectors[LINEAR_VECTORS][6] = {
    {0x3d926180U, 0xbf4082c8U, 0x3fee0429U, 0xc0855ca2U, 0xc172db92U, 0x3fae8b9cU},
    {0x3fef8d84U, 0xbfa11dd8U, 0x3f48ec6aU, 0x3f9a6f8eU, 0xbf517a08U, 0x3f62cbc5U},
    {0x3f6fd410U, 0xbfdcf691U, 0x3fdf4761U, 0x41048fc4U, 0xc1c2cac1U, 0x3fa90e27U},
    {0x3f9ac05cU, 0x3f2d85ecU, 0x3f124247U, 0x3f37809aU, 0x3e92adceU, 0x3f418005U},
};

/* Whether this build gives other numbers. */
SPARE static int linear_differs(void) {
    static const float a[4] = {-0.25F, 0.5F, -0.125F, -0.75F};
    float alpha[2 * (SERIES + 1)], found[3];
    flow_t f = {NULL, NULL, NULL, NULL, 8.0, 2U, 0U, 0};
    int i, k, differs = 0;
    f.a = a;
    f.alpha = alpha;
    for (k = 0; k < 2 * (SERIES + 1); ++k) {
        alpha[k] = 1.0F / (float)(k + 3);
    }
    for (i = 0; i < LINEAR_VECTORS; ++i) {
        volatile uint32_t given[3]; /* so that no compiler computes the answers itself */
        float in[3];
        for (k = 0; k < 3; ++k) {
            uint32_t bits;
            given[k] = linear_vectors[i][k];
            bits = given[k];
            (void)memcpy(&in[k], &bits, sizeof bits);
        }
        near_to(&f, in[2], in, found);
        found[2] = root_of_single(in[2]);
        for (k = 0; k < 3; ++k) {
            uint32_t bits;
            (void)memcpy(&bits, &found[k], sizeof bits);
            differs |= bits != linear_vectors[i][3 + k];
        }
    }
    return differs;
}
