/* Stages of linear neurons, event by event and in stretches: the C99 twin of eventsim/kernels/cpu/linear.
 *
 * A table of net_linear has, in this order: A, the series alpha, e^(A piece 2^bit) - 1, bounds (up, down, bend,
 * jerk), what a reset keeps and adds, the start, level, alert; where some voltages are held, alpha and powers
 * of the held flow; in stretches, what an arrival adds, by receptor.
 */
#define TERMS 6U /* of the moments of arrivals */
#define MET 32U  /* arrivals in a piece, of which numbers are kept for all neurons */

typedef struct {
    float x[MOST_STATES];
    double time, until; /* where it is; when V is let go, below 0 where it is not held */
} linear_t;

/* ---- the neurons of a stage --------------------------------------------------------------------- */

static const net_linear *linear_of(uint32_t stage) { return &net_linears[net_stages[stage].linear]; }

static const float *table_of(const net_linear *l, uint32_t neuron) {
    return l->table + (uint32_t)l->which[neuron] * l->stride;
}

/* Piece, refractory time, and the state that its own spikes raise. */
static const double *times_of_neuron(const net_linear *l, uint32_t neuron) {
    return l->times + 3U * l->which[neuron];
}

/* What follows A, alpha, the powers and the bounds: keep, jump, start, level, alert. */
static const float *reset_of(const net_linear *l, uint32_t neuron) {
    const uint32_t n = l->n;
    return table_of(l, neuron) + n * n + n * ALPHAS + l->bits * n * n + 4U * n;
}

static const float *start_of(const net_linear *l, uint32_t neuron) {
    return reset_of(l, neuron) + l->n * l->n + l->n;
}

static float level_of(const net_linear *l, uint32_t neuron) { return start_of(l, neuron)[l->n]; }
static float alert_of(const net_linear *l, uint32_t neuron) { return start_of(l, neuron)[l->n + 1U]; }

/* Behind them. */
static const float *rest_of(const net_linear *l, uint32_t neuron) { return start_of(l, neuron) + l->n + 2U; }

static flow_t flow_of(const net_linear *l, uint32_t neuron, int held) {
    const uint32_t n = l->n;
    flow_t f;
    f.a = table_of(l, neuron);
    f.alpha = held ? rest_of(l, neuron) : f.a + n * n;
    f.powers = f.alpha + n * ALPHAS;
    f.bounds = f.a + n * n + n * ALPHAS + l->bits * n * n;
    f.piece = times_of_neuron(l, neuron)[0];
    f.n = n;
    f.bits = l->bits;
    f.held = held;
    return f;
}

static linear_t linear_at(const net_t *net, uint32_t stage, uint32_t neuron, double time) {
    const net_linear *l = linear_of(stage);
    linear_t c;
    uint32_t i;
    for (i = 0U; i < MOST_STATES; ++i) {
        c.x[i] = i < l->n ? net->x[net_stages[stage].state + neuron * l->n + i] : 0.0F;
    }
    c.time = time;
    c.until = -1.0;
#if NET_REFRACTORY
    c.until = net->until[net_stages[stage].first + neuron];
#endif
    return c;
}

static void keep_linear(net_t *net, uint32_t stage, uint32_t neuron, const linear_t *c) {
    const net_linear *l = linear_of(stage);
    uint32_t i;
    for (i = 0U; i < l->n; ++i) {
        net->x[net_stages[stage].state + neuron * l->n + i] = c->x[i];
    }
#if NET_REFRACTORY
    net->until[net_stages[stage].first + neuron] = c->until;
#endif
}

/* A neuron that is at its level fires. */
static void fire_linear(net_t *net, uint32_t stage, uint32_t neuron, linear_t *c, uint32_t *fresh) {
    const net_linear *l = linear_of(stage);
    const uint32_t n = net_stages[stage].first + neuron;
    const float *reset = reset_of(l, neuron), *jump = reset + l->n * l->n;
    const double *times = times_of_neuron(l, neuron);
    float y[MOST_STATES] = {0.0F};
    uint32_t i;
    fired(net, stage, n, c->time, fresh);
    count_spike(net, n, c->time);
    times_of(reset, l->n, c->x, y);
    for (i = 0U; i < l->n; ++i) {
        c->x[i] = y[i] + jump[i];
    }
    if (times[1] > 0.0) {
        c->until = c->time + times[1];
    }
    if (l->own_weight != NULL && own_delay_of(n) == 0.0) {
        c->x[(uint32_t)times[2]] += l->own_weight[neuron];
    }
}

static void reset_linear(net_t *net, uint32_t stage) {
    const net_linear *l = linear_of(stage);
    uint32_t neuron, i;
    for (neuron = 0U; neuron < net_stages[stage].size; ++neuron) {
        for (i = 0U; i < l->n; ++i) {
            net->x[net_stages[stage].state + neuron * l->n + i] = start_of(l, neuron)[i];
        }
    }
}

/* ---- event by event ----------------------------------------------------------------------------- */

#if NET_LINEAR_EVENTS
/* A neuron is looked at a piece further: when it is due then, to fire or to be looked at again. */
static void look(net_t *net, uint32_t stage, uint32_t neuron) {
    const net_linear *l = linear_of(stage);
    const uint32_t n = net_stages[stage].first + neuron;
    const linear_t c = linear_at(net, stage, neuron, net->at[n]);
    const flow_t f = flow_of(l, neuron, 0);
    float y[MOST_STATES] = {0.0F};
    ahead_to(&f, net->seen[n], c.x, y);
    net->sure[n] = 0U;
    net->due[n] = INFINITE;
    if (!(ever(&f, y) < alert_of(l, neuron))) {
        const double far = l->loops == 0U && net->seen[n] > 0.0 ? leap(&f, y, level_of(l, neuron)) : 0.0;
        const double at = far > 0.0 ? far * f.piece : within(&f, y, level_of(l, neuron));
        net->sure[n] = at < f.piece ? 1U : 0U;
        net->seen[n] += at;
        net->due[n] = c.time + net->seen[n];
    }
}

/* When a neuron that something changed is due. */
static void predict_linear(net_t *net, uint32_t stage, uint32_t neuron) {
    const uint32_t n = net_stages[stage].first + neuron;
    const linear_t c = linear_at(net, stage, neuron, net->at[n]);
    net->seen[n] = 0.0;
    if (c.until >= 0.0) {
        net->sure[n] = 1U;
        net->due[n] = c.until;
    } else {
        look(net, stage, neuron);
    }
}

/* A neuron that is due fires, is let go, or is looked at again. */
static void happen_linear(net_t *net, uint32_t stage, uint32_t n, uint32_t *fresh) {
    const uint32_t neuron = n - net_stages[stage].first;
    if (net->sure[n] == 0U) {
        look(net, stage, neuron);
    } else {
        linear_t c = linear_at(net, stage, neuron, net->at[n]);
        const int held = c.until >= 0.0;
        const flow_t f = flow_of(linear_of(stage), neuron, held);
        float y[MOST_STATES] = {0.0F};
        ahead_to(&f, net->due[n] - c.time, c.x, y);
        take(&f, y, c.x);
        c.time = net->due[n];
        if (held) {
            c.until = -1.0;
        } else {
            fire_linear(net, stage, neuron, &c, fresh);
        }
        keep_linear(net, stage, neuron, &c);
        net->at[n] = c.time;
        predict_linear(net, stage, neuron);
    }
}

static void meet_linear(net_t *net, uint32_t stage, uint32_t neuron, double time, uint32_t state, float weight) {
    const net_linear *l = linear_of(stage);
    const uint32_t n = net_stages[stage].first + neuron;
    if (net->due[n] >= 0.0) {
        linear_t c = linear_at(net, stage, neuron, net->at[n]);
        const flow_t f = flow_of(l, neuron, c.until >= 0.0);
        float y[MOST_STATES] = {0.0F};
        ahead_to(&f, time - c.time, c.x, y);
        take(&f, y, c.x);
        keep_linear(net, stage, neuron, &c);
        net->at[n] = time;
        net->due[n] = -1.0; /* to be predicted anew */
    }
    net->x[net_stages[stage].state + neuron * l->n + state] += weight;
}
#endif

/* ---- in stretches ------------------------------------------------------------------------------- */

#if NET_LINEAR_STRETCHES
/* An arrival in a piece: powers of the share of the piece behind it, and by what it bends V's chord. */
typedef struct {
    weights_t weights;
    float powers[TERMS - 1U], kink;
} met_t;

/* A piece of the grid, how many arrivals, the first of the queue, come in it, and the first of these. */
typedef struct {
    double begin, stop, length;
    uint32_t size;
    met_t met[MET];
} piece_t;

/* An arrival at a neuron. */
typedef struct {
    double time;
    const net_route *route;
    float weight;
} arrival_t;

static arrival_t arrival_of(const net_t *net, uint32_t stage, uint32_t number, uint32_t neuron) {
    const weights_t w = weights_of(stage, key_of(net, stage, number));
    arrival_t a;
    a.time = time_of(net, stage, number);
    a.route = w.route;
    a.weight = weight_at(w.route, w.base + neuron, neuron);
    return a;
}

/* A neuron that is held goes to t over the arrivals from number *i on up to then. */
static void go(const net_t *net, uint32_t stage, uint32_t neuron, const piece_t *x, double t, uint32_t *i, linear_t *c) {
    const flow_t f = flow_of(linear_of(stage), neuron, 1);
    float term[MOST_STATES][MOST_STATES] = {{0.0F}}, by[MOST_STATES] = {0.0F}, back_by[MOST_STATES] = {0.0F},
        y[MOST_STATES] = {0.0F}, z[MOST_STATES] = {0.0F};
    uint32_t l, q;
    both_ways(&f, (float)(t - c->time), by, back_by);
    for (l = 0U; l < f.n; ++l) {
        for (q = 0U; q < f.n; ++q) {
            term[l][q] = by[l] * c->x[q];
        }
    }
    for (; *i < x->size && time_of(net, stage, *i) <= t; ++*i) {
        const arrival_t a = arrival_of(net, stage, *i, neuron);
        both_ways(&f, (float)(t - a.time), by, back_by);
        for (l = 0U; l < f.n; ++l) {
            term[l][a.route->state] += a.weight * by[l];
        }
    }
    take(&f, term[f.n - 1U], y);
    for (l = f.n - 1U; l > 0U; --l) {
        slope_of(&f, y, z);
        for (q = 0U; q < f.n; ++q) {
            y[q] = z[q] + term[l - 1U][q];
        }
    }
    take(&f, y, c->x);
    c->time = t;
}

/* What an arrival adds, taken back to the begin. */
static void add_kick(const flow_t *f, const arrival_t *a, const float *back_by, float *z) {
    float column[MOST_STATES] = {0.0F}, next[MOST_STATES] = {0.0F}, gain[MOST_STATES] = {0.0F};
    uint32_t l, q;
    for (q = 0U; q < f->n; ++q) {
        column[q] = q == a->route->state ? 1.0F : 0.0F;
        gain[q] = back_by[0] * column[q];
    }
    for (l = 1U; l < f->n; ++l) {
        slope_of(f, column, next);
        take(f, next, column);
        for (q = 0U; q < f->n; ++q) {
            gain[q] = fused(back_by[l], column[q], gain[q]);
        }
    }
    for (q = 0U; q < f->n; ++q) {
        z[q] += a->weight * gain[q];
    }
}

/* Whether the neuron fires within the piece; then it is at the crossing, else at the end. *i is behind the arrivals
 * that it met. With t = 0 where it begins, the state before an arrival at h is e^(A h) z, where z is the state at the
 * begin and all arrivals before, taken back to there. */
static int fires_within(const net_t *net, uint32_t stage, uint32_t neuron, const piece_t *x, uint32_t *i, linear_t *c) {
    const net_linear *l = linear_of(stage);
    const flow_t f = flow_of(l, neuron, 0);
    const float level = level_of(l, neuron), alert = alert_of(l, neuron);
    float z[MOST_STATES] = {0.0F}, now[MOST_STATES] = {0.0F}, by[MOST_STATES] = {0.0F}, back_by[MOST_STATES] = {0.0F};
    float way = 0.0F;
    double time = c->time;
    uint32_t next;
    take(&f, c->x, z);
    take(&f, c->x, now);
    for (next = *i; next <= x->size; ++next) {
        arrival_t a = {0.0, NULL, 0.0F};
        float then[MOST_STATES] = {0.0F}, bend = 0.0F, further, h;
        double end = x->stop;
        uint32_t q;
        if (next < x->size) {
            a = arrival_of(net, stage, next, neuron);
            end = a.time;
        }
        further = (float)(end - c->time);
        both_ways(&f, further, by, back_by);
        flow_by(&f, by, z, then);
        for (q = 0U; q < f.n; ++q) {
            bend = fused(f.bounds[2U * f.n + q], absolute(now[q]), bend);
        }
        h = further - way;
        /* `time` is where the last arrival was met, of which now[] has the weight. */
        if (fused(h * h * 0.125F, bend, then[0] > now[0] ? then[0] : now[0]) >= alert && end - time > 0.0) {
            const float before = (float)(end - time);
            const double at = crossing_before(&f, now, before, l->loops != 0U ? (float)f.piece : before, level);
            if (at < end - time && time + at < end) {
                ahead_to(&f, (time + at) - time, now, c->x);
                c->time = time + at;
                *i = next;
                return 1;
            }
        }
        take(&f, then, now);
        if (next < x->size) {
            now[a.route->state] += a.weight;
            add_kick(&f, &a, back_by, z);
        }
        way = further;
        time = end;
    }
    take(&f, now, c->x);
    c->time = x->stop;
    *i = x->size;
    return 0;
}

/* One neuron alone over a piece. */
static void walk_linear(net_t *net, uint32_t stage, uint32_t neuron, const piece_t *x, linear_t *c, uint32_t *fresh) {
    uint32_t i = 0U;
    while (net->status == (uint8_t)NET_OK) {
        if (c->until >= 0.0) {
            go(net, stage, neuron, x, c->until < x->stop ? c->until : x->stop, &i, c);
            if (!(c->until < x->stop)) {
                return;
            }
            c->until = -1.0;
        }
        if (!fires_within(net, stage, neuron, x, &i, c)) {
            return;
        }
        fire_linear(net, stage, neuron, c, fresh);
    }
}

/* The moments of the arrivals of a receptor; what is negative among them. */
typedef struct {
    float m[TERMS], below, below_kinks;
    uint32_t state;
    int hears;
} moments_t;

static void meet_in(const net_t *net, uint32_t stage, const piece_t *x, uint32_t number, met_t *to) {
    const double u = (x->begin + x->length - time_of(net, stage, number)) / x->length;
    double power = 1.0;
    uint32_t q;
    to->weights = weights_of(stage, key_of(net, stage, number));
    for (q = 1U; q < TERMS; ++q) {
        power = power * u;
        to->powers[q - 1U] = (float)power;
    }
    to->kink = (float)(x->length * (u - u * u));
}

static moments_t moments_of(const net_t *net, uint32_t stage, uint32_t neuron, const piece_t *x, uint32_t receptor) {
    moments_t s;
    met_t made;
    uint32_t i, q;
    (void)memset(&s, 0, sizeof s);
    for (i = 0U; i < x->size; ++i) {
        const met_t *met = i < MET ? &x->met[i] : &made;
        const net_route *route;
        if (i >= MET) {
            meet_in(net, stage, x, i, &made);
        }
        route = met->weights.route;
        if (route->receptor == receptor) {
            const float weight = weight_at(route, met->weights.base + neuron, neuron);
            const float less = weight < 0.0F ? -weight : 0.0F;
            s.m[0] = s.m[0] + weight;
            for (q = 1U; q < TERMS; ++q) {
                s.m[q] = fused(weight, met->powers[q - 1U], s.m[q]);
            }
            s.below = s.below + less;
            s.below_kinks = fused(less, met->kink, s.below_kinks);
            s.state = route->state;
            s.hears = 1;
        }
    }
    return s;
}

/* From x to y over a piece; whether the neuron may fire within it. */
static int over_piece(const net_t *net, uint32_t stage, uint32_t neuron, const piece_t *p, const float *x,
                      float *y) {
    const net_linear *l = linear_of(stage);
    const flow_t f = flow_of(l, neuron, 0);
    const uint32_t n = f.n;
    const float *meets = rest_of(l, neuron) + l->holds * (n * ALPHAS + l->bits * n * n);
    float bend = 0.0F, kinks = 0.0F, chord;
    uint32_t i, q, r;
    power_fused(f.powers, n, x, y);
    for (i = 0U; i < n; ++i) {
        bend = fused(f.bounds[2U * n + i], absolute(x[i]), bend);
    }
    for (r = 0U; r < l->receptors; ++r) {
        const moments_t s = moments_of(net, stage, neuron, p, r);
        if (s.hears) {
            const float slope = f.a[s.state], kinked = fused(s.m[1] - s.m[2], (float)(f.piece), s.below_kinks);
            for (i = 0U; i < n; ++i) {
                for (q = 0U; q < TERMS; ++q) {
                    y[i] = fused(meets[(r * n + i) * TERMS + q], s.m[q], y[i]);
                }
            }
            bend = fused(f.bounds[2U * n + s.state], s.m[0] + (s.below + s.below), bend);
            kinks = kinks + (slope > 0.0F ? slope * s.below_kinks : -slope * (kinked > 0.0F ? kinked : 0.0F));
        }
    }
    chord = (y[0] > x[0] ? y[0] : x[0]) + kinks;
    return fused(bend, (float)(f.piece * f.piece * 0.125), chord) >= alert_of(l, neuron);
}

/* Whether no neuron is held, and none fires again unless something arrives; found once for each place on the grid. */
static int is_silent(net_t *net, uint32_t stage) {
    const net_linear *l = linear_of(stage);
    uint32_t neuron, i;
    if (net->idle[stage] == 0U) {
        net->idle[stage] = 1U;
        for (neuron = 0U; neuron < net_stages[stage].size && net->idle[stage] == 1U; ++neuron) {
            const linear_t c = linear_at(net, stage, neuron, 0.0);
            const flow_t f = flow_of(l, neuron, 0);
            float most = 0.0F;
            for (i = 0U; i < f.n; ++i) {
                most = fused(c.x[i] > 0.0F ? f.bounds[i] : -f.bounds[f.n + i], c.x[i], most);
            }
            if (c.until >= 0.0 || !(most < alert_of(l, neuron))) {
                net->idle[stage] = 2U;
            }
        }
    }
    return net->idle[stage] == 1U;
}

/* All neurons over a piece. */
static void run_piece(net_t *net, uint32_t stage, piece_t *x) {
    uint32_t neuron, i, fresh = 0U;
    for (i = 0U; i < x->size && i < MET; ++i) {
        meet_in(net, stage, x, i, &x->met[i]);
    }
    for (neuron = 0U; neuron < net_stages[stage].size; ++neuron) {
        linear_t c = linear_at(net, stage, neuron, x->begin);
        float y[MOST_STATES] = {0.0F};
        if (c.until >= 0.0 || over_piece(net, stage, neuron, x, c.x, y)) {
            walk_linear(net, stage, neuron, x, &c, &fresh);
        } else {
            const flow_t f = flow_of(linear_of(stage), neuron, 0);
            take(&f, y, c.x);
        }
        keep_linear(net, stage, neuron, &c);
    }
    drop(net, stage, x->size);
}

/* All neurons over pieces in which nothing happens. */
static void run_far(net_t *net, uint32_t stage, double pieces) {
    uint32_t neuron;
    for (neuron = 0U; neuron < net_stages[stage].size; ++neuron) {
        linear_t c = linear_at(net, stage, neuron, 0.0);
        const flow_t f = flow_of(linear_of(stage), neuron, 0);
        over_pieces(&f, pieces, 1, c.x);
        keep_linear(net, stage, neuron, &c);
    }
}

/* No spike comes before that time; whether that is new. */
static int tell(net_t *net, uint32_t stage, double time) {
    const int is_new = net->sent[stage] < time;
    if (is_new) {
        net->sent[stage] = time;
    }
    return is_new;
}

/* A stage goes a piece further, or to the next piece in which something happens; whether it could. */
static int step_linear(net_t *net, uint32_t stage) {
    const double piece = times_of_neuron(linear_of(stage), 0U)[0], known = known_until(net, stage);
    const double coming = time_of(net, stage, 0U), clock = net->clock[stage];
    const int sure = coming < known || known >= net->end;
    const double until = coming < known ? coming : known;
    double idle;
    piece_t x;
    if (!(clock < known)) {
        return 0;
    }
    idle = until > clock ? whole_of((until - clock) / piece) : 0.0;
    if ((idle >= 1.0 || !sure) && is_silent(net, stage)) {
        if (!sure) {
            return tell(net, stage, until);
        }
        run_far(net, stage, idle);
        net->clock[stage] = (clock / piece + idle) * piece;
    } else {
        x.begin = clock;
        x.length = piece;
        x.stop = clock + piece < net->end ? clock + piece : net->end;
        if (known < x.stop) {
            return is_silent(net, stage) && tell(net, stage, until);
        }
        x.size = 0U;
        while (time_of(net, stage, x.size) < x.stop) {
            ++x.size;
        }
        run_piece(net, stage, &x);
        net->clock[stage] = clock + piece;
    }
    net->idle[stage] = 0U;
    (void)tell(net, stage, net->clock[stage] < net->end ? net->clock[stage] : net->end);
    return 1;
}
#endif
