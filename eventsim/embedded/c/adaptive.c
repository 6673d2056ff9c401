/* A threshold that rises at each spike and decays: the C99 twin of eventsim/kernels/neuron/adaptive.hpp.
 *
 * Adaptations are in double precision.
 */
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
    const float of_voltage = s->rate - s->rates.mem;
    return meeting(s->v, s->j, of_voltage - (s->rates.mem + s->rates.gap), of_voltage, &s->rates);
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
        guess = dy > 0.0F && k < MAX_STEPS ? t - y / dy : lo; /* steps of rounding never end */
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
                if (excess(turn, s).by >= 0.0F) {
                    const float t = below ? root_of(0, start, turn, s) : turn;
                    return t < h ? t : -1.0F;
                }
                start = turn;
                below = 1;
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
        const float fast = s->rates.slow + absolute(s->rates.gap);
        const float tolerance = newton_tolerance(s->rates.slow, fast > s->rate ? fast : s->rate);
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
