/* One neuron that is linear between its events, in up to five states: the C99 twin of
 * eventsim/kernels/neuron/linear.hpp, and of what kernels/cpu/linear/walk.hpp computes in its place.
 */
#define MOST_STATES 5U
#define SERIES 14        /* degree of alpha up to a piece */
#define SERIES_LOW 8     /* up to an eighth of it */
#define LEAST_STEP 1e-16 /* of a search, in pieces */
#define FUSED fused_double
#define ROOT root_of_number
#define REAL(x) ((net_real)(x))

typedef struct {
    const net_real *a, *alpha, *powers, *bounds;
    double piece;
    uint32_t n, bits;
    int held;
} flow_t;

static net_real size_of(net_real x) { return x < REAL(0) ? -x : x; }

/* The largest whole number up to x >= 0. */
static double whole_of(double x) { return x < 4503599627370496.0 ? (double)(uint64_t)x : x; }

static net_real polynomial(const net_real *c, int degree, net_real h) {
    net_real total = c[degree];
    int m;
    for (m = degree - 1; m >= 0; --m) {
        total = total * h + c[m];
    }
    return total;
}

/* y = A x; x and y are not the same. */
static void times_of(const net_real *a, uint32_t n, const net_real *x, net_real *y) {
    uint32_t i, k;
    for (i = 0U; i < n; ++i) {
        net_real total = a[i * n] * x[0];
        for (k = 1U; k < n; ++k) {
            total += a[i * n + k] * x[k];
        }
        y[i] = total;
    }
}

static void times_fused(const net_real *a, uint32_t n, const net_real *x, net_real *y) {
    uint32_t i, k;
    for (i = 0U; i < n; ++i) {
        y[i] = a[i * n] * x[0];
        for (k = 1U; k < n; ++k) {
            y[i] = FUSED(a[i * n + k], x[k], y[i]);
        }
    }
}

/* times_of(); a voltage that is held does not change. */
static void slope_of(const flow_t *f, const net_real *x, net_real *y) {
    times_of(f->a, f->n, x, y);
    if (f->held) {
        y[0] = 0.0;
    }
}

static void take(const flow_t *f, const net_real *x, net_real *y) {
    uint32_t i;
    for (i = 0U; i < f->n; ++i) {
        y[i] = x[i];
    }
}

/* The state h ms further, up to a piece. */
static void near_to(const flow_t *f, net_real h, const net_real *x, net_real *y) {
    const int degree = h * REAL(8) <= REAL(f->piece) ? SERIES_LOW : SERIES;
    net_real p[MOST_STATES], w[MOST_STATES], z[MOST_STATES];
    uint32_t i, k;
    for (k = 0U; k < f->n; ++k) {
        p[k] = polynomial(f->alpha + k * (SERIES + 1U), degree, h);
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
static void over_pieces(const flow_t *f, double q, int fuses, net_real *y) {
    const uint32_t size = f->n * f->n;
    net_real made[2][MOST_STATES * MOST_STATES], z[MOST_STATES];
    const net_real *power = f->powers;
    uint64_t left = q < 9e18 ? (uint64_t)q : (uint64_t)9e18;
    uint32_t bit, k;
    for (bit = 0U; left != 0U; ++bit) {
        if (bit > 0U && bit < f->bits) {
            power += size;
        } else if (bit > 0U) {
            net_real *square = made[bit & 1U];
            uint32_t i;
            for (i = 0U; i < f->n; ++i) {
                for (k = 0U; k < f->n; ++k) {
                    uint32_t m;
                    square[i * f->n + k] = 0.0;
                    for (m = 0U; m < f->n; ++m) {
                        square[i * f->n + k] += power[i * f->n + m] * power[m * f->n + k];
                    }
                }
            }
            power = square;
        }
        if ((left & 1U) != 0U) {
            if (fuses) {
                times_fused(power, f->n, y, z);
            } else {
                times_of(power, f->n, y, z);
            }
            take(f, z, y);
        }
        left >>= 1;
    }
}

static void ahead_to(const flow_t *f, double h, const net_real *x, net_real *y) {
    const double q = h < f->piece ? 0.0 : whole_of(h / f->piece);
    near_to(f, REAL(h - q * f->piece), x, y);
    over_pieces(f, q, 0, y);
}

static net_real weighed(const net_real *bound, uint32_t n, const net_real *x) {
    net_real total = 0.0;
    uint32_t i;
    for (i = 0U; i < n; ++i) {
        total += bound[i] * size_of(x[i]);
    }
    return total;
}

/* Bound of V - E over all times from the state on. */
SPARE static net_real ever(const flow_t *f, const net_real *x) {
    net_real total = 0.0;
    uint32_t i;
    for (i = 0U; i < f->n; ++i) {
        total += x[i] > REAL(0) ? f->bounds[i] * x[i] : f->bounds[f->n + i] * -x[i];
    }
    return total;
}

/* First time within a piece at which V - E is at the level, from below; the piece if there is none. A step goes as
 * far as surely nothing crosses. */
SPARE static double within(const flow_t *f, const net_real *x, net_real level) {
    net_real y[MOST_STATES], v[MOST_STATES], w[MOST_STATES];
    double t = 0.0, trust = f->piece;
    take(f, x, y);
    for (;;) {
        net_real u, most, inside, below;
        double span, step;
        slope_of(f, y, v);
        slope_of(f, v, w);
        u = y[0] - level;
        if (u >= REAL(0)) {
            return t;
        }
        span = f->piece - t < trust ? f->piece - t : trust;
        most = w[0] + weighed(f->bounds + 3U * f->n, f->n, y) * REAL(span);
        inside = v[0] * v[0] - REAL(2) * most * u;
        below = inside >= REAL(0) ? v[0] + ROOT(inside) : REAL(0);
        step = span;
        if (below > REAL(0) && REAL(-2) * u < REAL(span) * below) {
            step = (double)(REAL(-2) * u / below);
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
        near_to(f, REAL(t), x, y);
    }
}

/* alpha of a time, and of it backward. */
SPARE static void both_ways(const flow_t *f, net_real h, net_real *ahead_by, net_real *back_by) {
    const net_real square = h * h;
    uint32_t l;
    int m;
    for (l = 0U; l < f->n; ++l) {
        const net_real *c = f->alpha + l * (SERIES + 1U);
        net_real even = c[SERIES], odd = c[SERIES - 1];
        for (m = SERIES - 2; m >= 0; m -= 2) {
            even = FUSED(even, square, c[m]);
        }
        for (m = SERIES - 3; m >= 1; m -= 2) {
            odd = FUSED(odd, square, c[m]);
        }
        ahead_by[l] = FUSED(odd, h, even);
        back_by[l] = FUSED(-odd, h, even);
    }
}

/* As within(), h up to a piece: V as one polynomial, and one bound of its third derivative. INFINITE if there is
 * no crossing. */
SPARE static double crossing_before(const flow_t *f, const net_real *x, net_real h, net_real level) {
    const net_real jerk = weighed(f->bounds + 3U * f->n, f->n, x);
    net_real v[SERIES + 1], y[MOST_STATES], z[MOST_STATES], t = REAL(0), trust = h;
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
            v[m] = FUSED(f->alpha[l * (SERIES + 1U) + (uint32_t)m], z[0], v[m]);
        }
    }
    for (;;) {
        net_real u = v[SERIES], slope = REAL(0), bend = REAL(0), most, inside, below, span, step;
        for (m = SERIES - 1; m >= 0; --m) {
            bend = FUSED(bend, t, slope);
            slope = FUSED(slope, t, u);
            u = FUSED(u, t, v[m]);
        }
        u -= level;
        bend += bend;
        if (u >= REAL(0)) {
            return (double)t;
        }
        if (t >= h) {
            return INFINITE;
        }
        span = h - t < trust ? h - t : trust;
        most = FUSED(jerk, span, bend);
        inside = slope * slope - REAL(2) * most * u;
        below = inside >= REAL(0) ? slope + ROOT(inside) : REAL(0);
        step = span;
        if (below > REAL(0) && REAL(-2) * u < span * below) {
            step = REAL(-2) * u / below;
            if ((double)step <= LEAST_STEP * f->piece || t + step == t) {
                return (double)t;
            }
            t += step;
        } else {
            t = step == h - t ? h : t + step;
        }
        trust = REAL(8) * step;
    }
}

/* The state after a time, by its alpha. */
SPARE static void flow_by(const flow_t *f, const net_real *by, const net_real *z, net_real *y) {
    uint32_t l, q, p;
    for (q = 0U; q < f->n; ++q) {
        y[q] = by[f->n - 1U] * z[q];
    }
    for (l = f->n - 1U; l > 0U; --l) {
        net_real next[MOST_STATES];
        for (q = 0U; q < f->n; ++q) {
            next[q] = by[l - 1U] * z[q];
            for (p = 0U; p < f->n; ++p) {
                next[q] = FUSED(f->a[q * f->n + p], y[p], next[q]);
            }
        }
        take(f, next, y);
    }
}

/* x, h; near_to(), what one rounding keeps of x0 x1, and the root of h: of the C++. */
#define LINEAR_VECTORS 4
static const uint64_t linear_vectors[LINEAR_VECTORS][7] = {
    {0xbfb96bc355555555U, 0x3fc9e01f55555555U, 0x3fd43b8b2aaaaaabU, 0xbfa13c2f1bf3a475U, 0x3fb3ec018dfd6c34U,
     0x3c33f9b38e38e38eU, 0x3fe1fe04da9c605aU},
    {0xbfdca01baaaaaaabU, 0x3fce2658aaaaaaabU, 0x3fd841a3aaaaaaabU, 0xbfc860270e1bbee6U, 0x3fb9ad5b255c515fU,
     0x3c5fed798e38e38eU, 0x3fe3b347ebdbce30U},
    {0xbfda963700000000U, 0xbfe3e85d6aaaaaabU, 0x3fea184055555555U, 0xbfdc07e0d84415ebU, 0xbfde2a671db371ecU,
     0x3c71b97a00000000U, 0x3fece59be650cf79U},
    {0x3fdece8200000000U, 0xbfd674ca55555555U, 0x3ff5483d6aaaaaabU, 0x4016ded40e46f2cdU, 0xc0110c7b724eeb3dU,
     0x3c6489ac00000000U, 0x3ff273fafa6f05eeU},
};

/* Whether this build gives other numbers. */
SPARE static int linear_differs(void) {
    static const net_real a[4] = {-0.25, 0.5, -0.125, -0.75};
    net_real alpha[2 * (SERIES + 1)], found[4];
    flow_t f = {NULL, NULL, NULL, NULL, 8.0, 2U, 0U, 0};
    int i, k, differs = 0;
    f.a = a;
    f.alpha = alpha;
    for (k = 0; k < 2 * (SERIES + 1); ++k) {
        alpha[k] = 1.0 / (double)(k + 3);
    }
    for (i = 0; i < LINEAR_VECTORS; ++i) {
        volatile uint64_t given[3]; /* so that no compiler computes the answers itself */
        net_real in[3];
        for (k = 0; k < 3; ++k) {
            given[k] = linear_vectors[i][k];
            in[k] = of_word(given[k]);
        }
        near_to(&f, in[2], in, found);
        found[2] = FUSED(in[0], in[1], -(in[0] * in[1]));
        found[3] = root_of_number(in[2]);
        for (k = 0; k < 4; ++k) {
            differs |= word_of(found[k]) != linear_vectors[i][3 + k];
        }
    }
    return differs;
}
