/* The network: events in, spikes and answers out.
 *
 * Every stage has a queue of what arrives at it, in order of time and key. It goes on as far as it knows
 * all that arrives: up to the earliest time at which one of its sources may still send. In a stage of
 * STRETCHES all neurons meet up to four arrivals at once, as in eventsim/kernels/cpu/dense: where a
 * stretch ends follows from the times of the arrivals alone. A stretch that has not ended yet can be
 * peeked into: its spikes so far have the bits that they will have, and are not sent twice. A stage of
 * EVENTS goes from arrival to arrival, as eventsim/kernels/cpu/fanin and loop/queue.hpp. Linear neurons
 * do so, too, or all neurons of a stage go on by PIECES of time, as kernels/cpu/linear.
 */
#include <float.h>
#include <string.h>

#include "@name@_tables.h"

#define INFINITE (1e300)
#define FOREVER (1e37F)
#define MOST_SPIKES 1000.0 /* of a neuron in a ms; more are a runaway */

@formulas@
#if NET_ADAPTIVE || NET_LINEAR
@doubles@
#endif
#if NET_ADAPTIVE
@adaptive@
#endif
#if NET_LINEAR
@linear@
#endif

/* ---- queues ------------------------------------------------------------------------------------- */

static uint32_t place_of(const net_t *net, uint32_t stage, uint32_t number) {
    const net_stage *s = &net_stages[stage];
    uint32_t at = net->head[stage] + number;
    if (at >= s->room) {
        at -= s->room;
    }
    return s->room_first + at;
}

static double time_of(const net_t *net, uint32_t stage, uint32_t number) {
    return number < net->count[stage] ? net->when[place_of(net, stage, number)] : INFINITE;
}

static uint32_t key_of(const net_t *net, uint32_t stage, uint32_t number) {
    return net->key[place_of(net, stage, number)];
}

static void arrive(net_t *net, uint32_t stage, double time, uint32_t key) {
    uint32_t i = net->count[stage];
    if (i >= net_stages[stage].room) {
        net->status = (uint8_t)NET_FULL;
        return;
    }
    net->count[stage] = i + 1U;
    if (4U * i > 3U * net_stages[stage].room) {
        net->crowded = 1U; /* a source may hold others up by a stretch that does not end */
    }
    if (net->count[stage] > net->most[stage]) {
        net->most[stage] = net->count[stage];
    }
    for (; i > 0U; --i) {
        const uint32_t before = place_of(net, stage, i - 1U), here = place_of(net, stage, i);
        if (net->when[before] < time || (net->when[before] == time && net->key[before] <= key)) {
            break;
        }
        net->when[here] = net->when[before];
        net->key[here] = net->key[before];
    }
    i = place_of(net, stage, i);
    net->when[i] = time;
    net->key[i] = (NET_ROW_TYPE)key;
}

static void drop(net_t *net, uint32_t stage, uint32_t n) {
    net->head[stage] = place_of(net, stage, n) - net_stages[stage].room_first;
    net->count[stage] -= n;
}

/* A neuron's event becomes the arrivals of a route. */
static void take_route(net_t *net, const net_route *r, uint32_t neuron, double time) {
    uint32_t k;
    if (r->synapses != NULL) {
        const uint32_t low = r->synapses[neuron], high = r->synapses[neuron + 1U];
        if (r->apart != 0U) {
            for (k = low; k < high; ++k) {
                arrive(net, r->to, time + (r->delays != NULL ? r->delays[k] : r->least), r->key + k);
            }
        } else if (low < high) {
            arrive(net, r->to, time + (r->delays != NULL ? r->delays[neuron] : r->least), r->key + low);
        }
    } else if (r->rows == NULL) {
        arrive(net, r->to, time + (r->delays != NULL ? r->delays[neuron] : r->least), r->key + neuron);
    } else if (r->rows[neuron] != NO_ROW) {
        arrive(net, r->to, time + (r->delays != NULL ? r->delays[neuron] : r->least), r->key + r->rows[neuron]);
    }
}

static void send(net_t *net, uint32_t population, uint32_t neuron, double time) {
    uint32_t r;
    for (r = 0U; r < (uint32_t)NET_ROUTES; ++r) {
        if (net_routes[r].from == population) {
            take_route(net, &net_routes[r], neuron, time);
        }
    }
}

/* Up to when all that arrives at a stage from others is known. */
static double known_until(const net_t *net, uint32_t stage) {
    const net_stage *s = &net_stages[stage];
    double until = net->now < net->end ? net->now : net->end;
    uint32_t r, k;
    for (r = s->first_route; r < s->first_route + s->n_routes; ++r) {
        const net_route *route = &net_routes[r];
        if (route->from > 0U && !(route->from >= s->population && route->from < s->population + s->members)) {
            for (k = net_stage_of[route->from]; k < net_stage_of[route->from + 1U] || k == net_stage_of[route->from];
                 ++k) {
                const double next = net->sent[k] + route->least;
                until = next < until ? next : until;
            }
        }
    }
    return until;
}

/* Where the weights of an arrival are: of neuron or synapse i it is weight_at(route, base + i, ..). */
typedef struct {
    const net_route *route;
    uint32_t base;
} weights_t;

static weights_t weights_of(uint32_t stage, uint32_t key) {
    const net_stage *s = &net_stages[stage];
    weights_t w;
    uint32_t r = s->first_route + s->n_routes - 1U;
    while (r > s->first_route && net_routes[r].key > key) {
        --r;
    }
    w.route = &net_routes[r];
    w.base = key - w.route->key;
    if (w.route->synapses == NULL) {
        w.base *= s->size;
    }
    return w;
}

/* Weight i of a route, onto that neuron. */
static float weight_at(const net_route *r, uint32_t i, uint32_t neuron) {
#if NET_CODES
    if (r->codes != NULL) {
        const uint32_t code = r->bits == 8U ? r->codes[i] : ((uint32_t)r->codes[i >> 1] >> ((i & 1U) * 4U)) & 15U;
        return r->levels != NULL ? r->levels[code] : (float)(r->grid[code] * r->resistance[neuron]);
    }
#endif
    (void)neuron;
    return r->values[i];
}

/* ---- spikes ------------------------------------------------------------------------------------- */

/* Into the ring, in order of time and neuron among the last `fresh` ones. */
static void note(net_t *net, uint32_t population, uint32_t neuron, double time, uint32_t *fresh) {
    uint32_t at, i;
    if (net->spike_count == (uint32_t)NET_SPIKES) {
        net->spike_head = (net->spike_head + 1U) % (uint32_t)NET_SPIKES;
        --net->spike_count;
        ++net->lost;
        if (*fresh > net->spike_count) {
            *fresh = net->spike_count;
        }
    }
    for (i = 0U; i < *fresh; ++i) {
        const uint32_t before = (net->spike_head + net->spike_count - 1U - i) % (uint32_t)NET_SPIKES;
        if (net->spike_time[before] < time ||
            (net->spike_time[before] == time && net->spike_neuron[before] < neuron)) {
            break;
        }
        at = (before + 1U) % (uint32_t)NET_SPIKES;
        net->spike_time[at] = net->spike_time[before];
        net->spike_population[at] = net->spike_population[before];
        net->spike_neuron[at] = net->spike_neuron[before];
    }
    at = (net->spike_head + net->spike_count - i) % (uint32_t)NET_SPIKES;
    net->spike_time[at] = time;
    net->spike_population[at] = (uint16_t)population;
    net->spike_neuron[at] = (uint16_t)neuron;
    ++net->spike_count;
    ++*fresh;
}

static double own_delay_of(uint32_t n) {
#if NET_OWN_DELAYS
    return net_own_delay[n];
#else
    (void)n;
    return 0.0;
#endif
}

#if NET_COUNTS
/* A spike of neuron n; too many in a ms are a runaway. */
static void count_spike(net_t *net, uint32_t n, double time) {
    if (time - net->since[n] > 1.0) {
        net->since[n] = time;
        net->recent[n] = 0U;
    }
    ++net->recent[n];
    if ((double)net->recent[n] > MOST_SPIKES) {
        net->status = (uint8_t)NET_RUNAWAY;
    }
}
#endif

/* Neuron n of all has fired. */
static void fired(net_t *net, uint32_t stage, uint32_t n, double time, uint32_t *fresh) {
    const net_stage *s = &net_stages[stage];
    uint32_t population = s->population, neuron;
    while (population + 1U < s->population + s->members && n >= net_first[population + 1U]) {
        ++population;
    }
    neuron = n - net_first[population];
    note(net, population, neuron, time, fresh);
#if NET_RULE_SPIKES
    if (population == (uint32_t)NET_OUTPUT) {
        if (net->n_spikes[neuron] == 0U || time < net->first_spike[neuron]) {
            net->first_spike[neuron] = time;
        }
        ++net->n_spikes[neuron];
    }
#endif
    send(net, population, neuron, time);
    if (own_delay_of(n) > 0.0) {
        arrive(net, stage, time + own_delay_of(n), s->own + (n - s->first));
    }
}

/* ---- one neuron --------------------------------------------------------------------------------- */

#if NET_STRETCHES || NET_EVENTS
typedef struct {
    double time, until; /* where it is; when V is let go, below 0 where it is not held */
#if NET_ADAPTIVE
    adapted_t adapted;
#endif
    float v, j;
} cell_t;

static cell_t cell_of(const net_t *net, uint32_t n, double time) {
    cell_t c;
    c.time = time;
    c.v = net->v[n];
    c.j = net->j[n];
    c.until = -1.0;
#if NET_REFRACTORY
    c.until = net->until[n];
#endif
#if NET_ADAPTIVE
    c.adapted.a = net->adaptation[n];
    c.adapted.last = net->last[n];
#endif
    return c;
}

static void keep(net_t *net, uint32_t n, const cell_t *c) {
    net->v[n] = c->v;
    net->j[n] = c->j;
#if NET_REFRACTORY
    net->until[n] = c->until;
#endif
#if NET_ADAPTIVE
    net->adaptation[n] = c->adapted.a;
    net->last[n] = c->adapted.last;
#endif
}

static rates_t rates_of(const float *par) {
    rates_t r;
    r.slow = par[SLOW];
    r.gap = par[GAP];
    r.mem = par[RATE_MEM];
    return r;
}

/* Number i of the parameters crosses its level within h ms: after how many, or -1. */
static float search(const net_stage *s, uint32_t i, const cell_t *c, float h, float top) {
    const float *par = net_par + i * (uint32_t)N_PAR;
    const rates_t rates = rates_of(par);
#if NET_ADAPTIVE
    if (s->adapts != 0U) {
        const threshold_t p = {net_thresholds[2U * i], net_thresholds[2U * i + 1U]};
        start_t from;
        from.v = c->v;
        from.j = c->j;
        from.rise = 0.0F;
        from.rates = rates;
        from.rate = 0.0F;
        from.level = par[LEVEL];
        return crossing_within(&p, &c->adapted, &from, c->time, h, top, par[ALERT]);
    }
#endif
    (void)s;
    (void)top;
    return crossing(c->v, c->j, h, &rates, par[LEVEL]);
}

/* It fires tau ms after where it is. */
static void fire(uint32_t i, cell_t *c, float tau) {
    const float *par = net_par + i * (uint32_t)N_PAR;
    const rates_t rates = rates_of(par);
    const map_t m = forward(tau, &rates);
    c->j = flush(m.y * c->j) + par[SELF];
    c->v = par[RESET];
    c->time = c->time + (double)tau;
#if NET_REFRACTORY
    if (net_refractory[i] > 0.0) {
        c->until = c->time + net_refractory[i];
    }
#endif
#if NET_ADAPTIVE
    {
        const threshold_t p = {net_thresholds[2U * i], net_thresholds[2U * i + 1U]};
        if (p.strength > 0.0 || p.rate > 0.0) {
            jump(&p, &c->adapted, c->time);
        }
    }
#endif
}

static void let_go(const float *par, cell_t *c) {
    const rates_t rates = rates_of(par);
    const map_t m = forward((float)(c->until - c->time), &rates);
    c->j = flush(m.y * c->j);
    c->v = par[RESET];
    c->time = c->until;
    c->until = -1.0;
}
#endif

/* ---- stretches ---------------------------------------------------------------------------------- */

#if NET_STRETCHES
/* Items, the last at the end; where there are fewer, nothing comes behind. Arrivals low .. high of the
 * queue are an item. */
typedef struct {
    double time[ITEMS];
    float since[ITEMS], gap[ITEMS], share[ITEMS];
    uint32_t low[ITEMS], high[ITEMS];
    weights_t weights[ITEMS]; /* of the first of them */
    int size;
} stretch_t;

static void close_stretch(const net_t *net, uint32_t stage, stretch_t *x) {
    const double end = x->time[x->size - 1];
    int k;
    for (k = x->size; k < ITEMS; ++k) {
        x->low[k] = x->high[x->size - 1];
        x->high[k] = x->low[k];
        x->time[k] = end;
        x->since[k] = 0.0F;
    }
    for (k = 0; k < ITEMS; ++k) {
        x->gap[k] = (float)(end - x->time[k]);
        x->share[k] = x->gap[k] / net_stages[stage].longest;
        if (x->low[k] < x->high[k]) {
            x->weights[k] = weights_of(stage, key_of(net, stage, x->low[k]));
        }
    }
}

/* The stretch of a stage from its clock on, if all of it is known. */
static int fill(const net_t *net, uint32_t stage, double known, double end, stretch_t *x) {
    const float longest = net_stages[stage].longest;
    uint32_t next = 0U;
    double latest = 0.0, t = net->clock[stage];
    int size = 0, ends = 0, full = 0;
    while (size < ITEMS && !ends && !full) {
        double time = time_of(net, stage, next);
        const int arrives = time < known && time < end;
        ends = !arrives && known >= end;
        if (ends) {
            time = end;
        } else if (!arrives) {
            if (size == 0 || !(known > latest)) {
                return 0;
            }
            time = known;
        }
        if (size == 0) {
            latest = time + (double)longest;
        }
        full = time > latest;
        x->low[size] = next;
        if (full) {
            time = latest;
            ends = 0;
        } else if (!ends) {
            while (time_of(net, stage, next) == time) {
                ++next;
            }
        }
        x->high[size] = next;
        x->time[size] = time;
        x->since[size] = (float)(time - t);
        t = time;
        ++size;
    }
    x->size = size;
    close_stretch(net, stage, x);
    return 1;
}

/* What a neuron meets at an item: arrivals of one time are summed in order. */
static float item_weight(const net_t *net, uint32_t stage, const stretch_t *x, int k, uint32_t neuron) {
    float sum = 0.0F;
    uint32_t i;
    if (x->low[k] < x->high[k]) {
        sum = weight_at(x->weights[k].route, x->weights[k].base + neuron, neuron);
        for (i = x->low[k] + 1U; i < x->high[k]; ++i) {
            const weights_t w = weights_of(stage, key_of(net, stage, i));
            sum += weight_at(w.route, w.base + neuron, neuron);
        }
    }
    return sum;
}

/* A neuron that may fire within the stretch, or is let go, goes from item to item. */
static void walk(net_t *net, uint32_t stage, const stretch_t *x, uint32_t neuron, const items_t *items, cell_t *c,
                 uint32_t *fresh) {
    const net_stage *s = &net_stages[stage];
    const uint32_t i = s->par + neuron;
    const float *par = net_par + i * (uint32_t)N_PAR;
    const rates_t rates = rates_of(par);
    const double most = MOST_SPIKES * (1.0 + (x->time[ITEMS - 1] - c->time));
    float h = x->since[0];
    int item = 0;
    double fires = 0.0;
    while (item < ITEMS) {
        map_t m;
        float v_end, j_end;
        if (c->until >= 0.0 && c->until < x->time[item]) {
            let_go(par, c);
            h = (float)(x->time[item] - c->time);
            continue;
        }
        m = forward(h, &rates);
        v_end = fused(m.gain, c->j, m.x * c->v);
        j_end = m.y * c->j;
        if (c->until < 0.0) {
            float top = highest(c->v, c->j, v_end, j_end, h, par[RATE_MEM], par[PEAK]);
            top = s->adapts != 0U && c->v > top ? c->v : top; /* a threshold may fall onto it */
            if (top >= par[ALERT]) {
                const float tau = search(s, i, c, h, top);
                const double time = c->time + (double)tau;
                if (tau >= 0.0F && time < x->time[item] && item < x->size) {
                    fire(i, c, tau);
                    h = (float)(x->time[item] - time);
                    if (time >= net->sent[stage]) {
                        fired(net, stage, s->first + neuron, time, fresh);
                    }
                    fires += 1.0;
                    if (fires > most) {
                        net->status = (uint8_t)NET_RUNAWAY;
                        return;
                    }
                    continue;
                }
            }
        }
        c->v = c->until >= 0.0 ? par[RESET] : flush(v_end);
        c->j = flush(flush(j_end) + items->weight[item]);
        c->time = x->time[item];
        ++item;
        if (item < ITEMS) {
            h = x->since[item];
        }
    }
}

/* One neuron over a stretch. */
static void over(net_t *net, uint32_t stage, const stretch_t *x, uint32_t neuron, cell_t *c, uint32_t *fresh) {
    const net_stage *s = &net_stages[stage];
    const uint32_t i = s->par + neuron;
    const float *par = net_par + i * (uint32_t)N_PAR;
    const rates_t rates = rates_of(par);
    const double end = x->time[ITEMS - 1];
    items_t items;
    ahead_t to;
    float alert = par[ALERT];
    int walks, k;
    for (k = 0; k < ITEMS; ++k) {
        items.weight[k] = item_weight(net, stage, x, k, neuron);
        items.gap[k] = x->gap[k];
        items.share[k] = x->share[k];
    }
    to = ahead(c->v, c->j, &items, &rates, par[PEAK], s->answers + neuron * 2U * (uint32_t)DEGREE,
               (float)(end - c->time));
    if (c->until >= 0.0) {
        walks = c->until < end;
        to.v = par[RESET];
    } else {
#if NET_ADAPTIVE
        if (s->adapts != 0U) {
            const threshold_t p = {net_thresholds[2U * i], net_thresholds[2U * i + 1U]};
            alert = lifted(&p, &c->adapted, end, alert);
        }
#endif
        walks = to.bound >= alert;
    }
    if (walks) {
        walk(net, stage, x, neuron, &items, c, fresh);
    } else {
        c->v = to.v;
        c->j = to.j;
    }
}

/* All neurons of a stage over a stretch; where they stand then is kept if it has ended. */
static void run_stretch(net_t *net, uint32_t stage, const stretch_t *x, int ended) {
    const net_stage *s = &net_stages[stage];
    const double end = x->time[ITEMS - 1];
    uint32_t neuron, fresh = 0U;
    for (neuron = 0U; neuron < s->size; ++neuron) {
        cell_t c = cell_of(net, s->first + neuron, net->clock[stage]);
        over(net, stage, x, neuron, &c, &fresh);
        if (ended) {
            keep(net, s->first + neuron, &c);
        }
    }
    if (fresh > 0U || x->high[ITEMS - 1] > 0U) {
        net->busy[stage] = 1U;
    }
    if (ended) {
        drop(net, stage, x->high[ITEMS - 1]);
        net->clock[stage] = end;
    }
    if (net->sent[stage] < end) {
        net->sent[stage] = end;
    }
}

/* Where the window of a stage ends; 0 where that is not known yet. After a window in which nothing happened the
 * next one opens where something may: eventsim/kernels/cpu/loop/windows.hpp. */
static double border_of(net_t *net, uint32_t stage, double known) {
    const net_stage *s = &net_stages[stage];
    double opens = net->clock[stage], coming = time_of(net, stage, 0U);
    uint32_t neuron;
    if (net->clock[stage] < net->border[stage]) {
        return net->border[stage];
    }
    if (net->idle[stage] != 0U) {
        int sure = coming < known, fires = 0;
        for (neuron = 0U; neuron < s->size; ++neuron) {
            const float *par = net_par + (s->par + neuron) * (uint32_t)N_PAR;
            const cell_t c = cell_of(net, s->first + neuron, 0.0);
            if (c.until >= 0.0) {
                coming = c.until < coming ? c.until : coming;
            } else if (peak_bound(c.v, c.j, par[PEAK]) >= par[ALERT]) {
                fires = 1;
            }
        }
        sure = sure || coming < known || known >= net->end;
        if (!fires) {
            if (!sure) {
                if (net->sent[stage] < known) {
                    net->sent[stage] = known;
                }
                return 0.0;
            }
            opens = coming > opens ? coming : opens;
        }
    }
    net->border[stage] = opens + s->length;
    net->busy[stage] = 0U;
    return net->border[stage];
}

/* Up to where stretches may go now. */
static double limit_of(net_t *net, uint32_t stage, double known) {
    double limit = net->end;
    if (net_stages[stage].kind == WINDOWS) {
        const double border = border_of(net, stage, known);
        limit = border < limit ? border : limit;
    }
    return limit;
}

/* The next stretch of a stage, if it is known that it has ended; whether it is. */
static int step_stretches(net_t *net, uint32_t stage) {
    const double known = known_until(net, stage), limit = limit_of(net, stage, known);
    stretch_t x;
    if (!(net->clock[stage] < limit) || !fill(net, stage, known, limit, &x)) {
        return 0;
    }
    run_stretch(net, stage, &x, 1);
    if (net_stages[stage].kind == WINDOWS && !(net->clock[stage] < net->border[stage])) {
        net->idle[stage] = net->busy[stage] == 0U ? 1U : 0U;
    }
    return 1;
}

/* What is known of the stretch that has not ended. */
static void peek_stretches(net_t *net, uint32_t stage) {
    const double known = known_until(net, stage), limit = limit_of(net, stage, known);
    stretch_t x;
    if (net->sent[stage] < known && known <= limit && fill(net, stage, known, known, &x)) {
        run_stretch(net, stage, &x, 0);
    }
}
#endif

#if NET_LINEAR
@linear_stages@
#endif

/* ---- arrival by arrival ------------------------------------------------------------------------- */

#if NET_EVENTS
/* When a neuron fires or is let go if nothing arrives. */
static void predict(net_t *net, uint32_t stage, uint32_t neuron) {
    const net_stage *s = &net_stages[stage];
    const uint32_t n = s->first + neuron, i = s->par + neuron;
    const float *par = net_par + i * (uint32_t)N_PAR;
    const cell_t c = cell_of(net, n, net->at[n]);
    const float bound = peak_bound(c.v, c.j, par[PEAK]);
    net->due[n] = INFINITE;
    net->rise[n] = -1.0F;
    if (c.until >= 0.0) {
        net->due[n] = c.until;
    } else if (bound >= par[ALERT]) {
        net->rise[n] = search(s, i, &c, FOREVER, bound);
        if (net->rise[n] >= 0.0F) {
            net->due[n] = c.time + (double)net->rise[n];
        }
    }
}

/* A neuron fires, or is let go. */
static void happen(net_t *net, uint32_t stage, uint32_t n, uint32_t *fresh) {
    const net_stage *s = &net_stages[stage];
    const uint32_t i = s->par + (n - s->first);
    cell_t c = cell_of(net, n, net->at[n]);
    if (c.until >= 0.0) {
        let_go(net_par + i * (uint32_t)N_PAR, &c);
    } else {
        fire(i, &c, net->rise[n]);
        fired(net, stage, n, c.time, fresh);
        count_spike(net, n, c.time);
    }
    keep(net, n, &c);
    net->at[n] = c.time;
    predict(net, stage, n - s->first);
}

/* A neuron meets an arrival. */
static void meet(net_t *net, uint32_t stage, uint32_t neuron, double time, float weight) {
    const net_stage *s = &net_stages[stage];
    const uint32_t n = s->first + neuron;
    const float *par = net_par + (s->par + neuron) * (uint32_t)N_PAR;
    if (net->at[n] < time || net->due[n] >= 0.0) {
        const rates_t rates = rates_of(par);
        cell_t c = cell_of(net, n, net->at[n]);
        const map_t m = forward((float)(time - c.time), &rates);
        c.v = c.until >= 0.0 ? par[RESET] : flush(fused(m.gain, c.j, m.x * c.v));
        c.j = flush(m.y * c.j);
        keep(net, n, &c);
        net->at[n] = time;
        net->due[n] = -1.0; /* to be predicted anew */
    }
    net->j[n] += weight;
}
#endif

#if NET_DUES
/* The neuron that is due first. */
static uint32_t first_due(const net_t *net, const net_stage *s) {
    uint32_t n, first = s->first;
    for (n = s->first + 1U; n < s->first + s->size; ++n) {
        if (net->due[n] < net->due[first]) {
            first = n;
        }
    }
    return first;
}

static void predict_one(net_t *net, uint32_t stage, uint32_t neuron) {
#if NET_LINEAR_EVENTS
    if (net_stages[stage].kind == LINEAR_EVENTS) {
        predict_linear(net, stage, neuron);
        return;
    }
#endif
#if NET_EVENTS
    predict(net, stage, neuron);
#endif
}

static void happen_one(net_t *net, uint32_t stage, uint32_t n, uint32_t *fresh) {
#if NET_LINEAR_EVENTS
    if (net_stages[stage].kind == LINEAR_EVENTS) {
        happen_linear(net, stage, n, fresh);
        return;
    }
#endif
#if NET_EVENTS
    happen(net, stage, n, fresh);
#endif
}

/* A neuron meets weight i of a route. */
static void reach(net_t *net, uint32_t stage, uint32_t neuron, double time, const net_route *r, uint32_t i) {
    const float weight = weight_at(r, i, neuron);
#if NET_LINEAR_EVENTS
    if (net_stages[stage].kind == LINEAR_EVENTS) {
        meet_linear(net, stage, neuron, time, r->state, weight);
        return;
    }
#endif
#if NET_EVENTS
    meet(net, stage, neuron, time, weight);
#endif
}

#if NET_OWN_DELAYS
/* A spike of its own returns to a neuron. */
static void return_to(net_t *net, uint32_t stage, uint32_t neuron, double time) {
#if NET_LINEAR_EVENTS
    if (net_stages[stage].kind == LINEAR_EVENTS) {
        const net_linear *l = linear_of(stage);
        meet_linear(net, stage, neuron, time, (uint32_t)times_of_neuron(l, neuron)[2], l->own_weight[neuron]);
        return;
    }
#endif
#if NET_EVENTS
    meet(net, stage, neuron, time, net_own_weight[net_stages[stage].par + neuron]);
#endif
}
#endif

static void deliver(net_t *net, uint32_t stage, double time, uint32_t key) {
    const net_stage *s = &net_stages[stage];
    uint32_t k;
#if NET_OWN_DELAYS
    if (key >= s->own) {
        return_to(net, stage, key - s->own, time);
        return;
    }
#endif
    {
        const weights_t w = weights_of(stage, key);
        if (w.route->synapses == NULL) {
            for (k = 0U; k < s->size; ++k) {
                reach(net, stage, k, time, w.route, w.base + k);
            }
        } else {
            uint32_t target;
            k = w.base;
            do {
                target = w.route->targets[k];
                reach(net, stage, target & ~LAST, time, w.route, k);
                ++k;
            } while ((target & LAST) == 0U);
        }
    }
}

/* A stage goes on to the next time at which something arrives, and over it; whether it could. */
static int step_events(net_t *net, uint32_t stage) {
    const net_stage *s = &net_stages[stage];
    const double known = known_until(net, stage);
    uint32_t n, fresh = 0U;
    double next;
    for (;;) {
        const uint32_t first = first_due(net, s);
        next = time_of(net, stage, 0U);
        next = next < known ? next : known;
        if (!(net->due[first] < next) || net->status != (uint8_t)NET_OK) {
            break;
        }
        happen_one(net, stage, first, &fresh);
    }
    n = net->sent[stage] < next ? 1U : 0U;
    net->sent[stage] = next;
    if (!(time_of(net, stage, 0U) < known) || net->status != (uint8_t)NET_OK) {
        return (int)n;
    }
    while (time_of(net, stage, 0U) == next) {
        deliver(net, stage, next, key_of(net, stage, 0U));
        drop(net, stage, 1U);
    }
    for (n = s->first; n < s->first + s->size; ++n) {
        if (net->due[n] < 0.0) {
            predict_one(net, stage, n - s->first);
        }
    }
    return 1;
}
#endif

/* ---- readout ------------------------------------------------------------------------------------ */

#if NET_RULE_READOUT
#if NET_RULE_MAXIMUM
/* The largest voltage on the way, from (v, j) to (v_end, j_end). */
static void look_for_peak(net_t *net, uint32_t k, float v, float j, float v_end, float j_end, float h) {
    const float *out = net_outputs + k * (uint32_t)OUTPUT_PAR;
    const float a = out[2], gap = out[1];
    if (v_end > net->largest[k]) {
        net->largest[k] = v_end;
    }
    if (j > v && highest(v, j, v_end, j_end, h, a, out[6]) > net->largest[k]) {
        const rates_t rates = {out[0], out[1], out[2]};
        const float u = (j - v) / (j * (a + gap)), time = u * log_ratio(-gap * u);
        if (time > 0.0F && time < h) {
            const map_t m = forward(time, &rates);
            const float top = fused(m.gain, j, m.x * v);
            net->largest[k] = top > net->largest[k] ? top : net->largest[k];
        }
    }
}
#endif

/* exp(-mu t) v and exp(-mu t) j of every output decay with rates that are larger by mu, and so the
 * integral of the first follows from the ends alone. */
static void run_outputs_to(net_t *net, uint32_t stage, double time) {
    const net_stage *s = &net_stages[stage];
    const float h = (float)(time - net->clock[stage]);
    map_t m = {1.0F, 1.0F, 0.0F};
    uint32_t k;
    for (k = 0U; k < s->size; ++k) {
        const float *out = net_outputs + k * (uint32_t)OUTPUT_PAR;
        const uint32_t n = s->first + k;
        const float v = net->v[n], j = net->j[n];
        if (k == 0U || out[0] != out[-OUTPUT_PAR] || out[1] != out[1 - OUTPUT_PAR] || out[2] != out[2 - OUTPUT_PAR]) {
            const rates_t rates = {out[0], out[1], out[2]};
            m = forward(h, &rates);
        }
        net->v[n] = flush(fused(m.gain, j, m.x * v));
        net->j[n] = flush(m.y * j);
#if NET_RULE_MAXIMUM
        if (NET_RULE == MAXIMUM) {
            look_for_peak(net, k, v, j, net->v[n], net->j[n], h);
        }
#endif
    }
    net->clock[stage] = time;
}

static void meet_output(net_t *net, const net_stage *s, uint32_t k, float weight) {
    net->j[s->first + k] += weight;
    net->total[k] += weight;
}

static void run_outputs(net_t *net, uint32_t stage) {
    const net_stage *s = &net_stages[stage];
    const double known = known_until(net, stage);
    while (time_of(net, stage, 0U) < known) {
        const double time = time_of(net, stage, 0U);
        const weights_t w = weights_of(stage, key_of(net, stage, 0U));
        const float fade = decay((float)(time - net->onset) * NET_FADE);
        uint32_t k;
        if (time > net->clock[stage]) {
            run_outputs_to(net, stage, time);
        }
        if (w.route->synapses == NULL) {
            for (k = 0U; k < s->size; ++k) {
                meet_output(net, s, k, weight_at(w.route, w.base + k, k) * fade);
            }
        } else {
            uint32_t target;
            k = w.base;
            do {
                target = w.route->targets[k];
                meet_output(net, s, target & ~LAST, weight_at(w.route, k, target & ~LAST) * fade);
                ++k;
            } while ((target & LAST) == 0U);
        }
        drop(net, stage, 1U);
    }
}
#endif

/* ---- the interface ------------------------------------------------------------------------------ */

/* A stage goes one step further; whether it could. */
static int step(net_t *net, uint32_t stage) {
    switch (net_stages[stage].kind) {
#if NET_STRETCHES
    case STRETCHES:
    case WINDOWS:
        return step_stretches(net, stage);
#endif
#if NET_LINEAR_STRETCHES
    case PIECES:
        return step_linear(net, stage);
#endif
#if NET_DUES
    case EVENTS:
    case LINEAR_EVENTS:
        return step_events(net, stage);
#endif
    default:
#if NET_RULE_READOUT
        run_outputs(net, stage);
#endif
        return 0;
    }
}

static void peek(net_t *net, uint32_t stage) {
#if NET_STRETCHES
    if (net_stages[stage].kind == STRETCHES || net_stages[stage].kind == WINDOWS) {
        peek_stretches(net, stage);
    }
#else
    (void)net;
    (void)stage;
#endif
}

/* All stages go on as far as is known; the last ones first, so that little waits between them. */
static void run(net_t *net, int peeks) {
    uint32_t peeked = 0U, k = (uint32_t)NET_STAGES;
    while (net->status == (uint8_t)NET_OK) {
        if (k > 0U) {
            --k;
            if (step(net, k)) {
                k = (uint32_t)NET_STAGES;
            }
        } else if (peeks && peeked < (uint32_t)NET_STAGES) {
            peek(net, peeked);
            ++peeked;
            k = (uint32_t)NET_STAGES;
        } else {
            break;
        }
    }
}

static float number_of(uint32_t bits) {
    float x;
    (void)memcpy(&x, &bits, sizeof x);
    return x;
}
static int same(float x, uint32_t bits) {
    uint32_t mine;
    (void)memcpy(&mine, &x, sizeof mine);
    return mine == bits;
}

/* v, j, h, slow, gap, mem, level; x, y, gain, crossing, and v, j, bound of a stretch: of the C++. */
#define VECTORS 12
static const uint32_t vectors[VECTORS][2][7] = {
    {{0xbf4a4208U, 0xbf242ff2U, 0x41bd9407U, 0x3e2a2ad3U, 0x3e0bbd01U, 0x3e2a2ad3U, 0xbed059b8U},
     {0x3c9fa3f0U, 0x3a494fbeU, 0x3cbabe07U, 0x40da164fU, 0xc3a144c9U, 0xc42f9e55U, 0x425477d1U}},
    {{0xbe940c0cU, 0x408fd042U, 0x3ff455eaU, 0x3e4eaa1bU, 0xbe87f118U, 0x3eef4625U, 0x3f60bfa4U},
     {0x3ed1d1cbU, 0x3f2e26deU, 0x3ef3bfb7U, 0x3f24e673U, 0x408a9246U, 0x413bafdcU, 0x41992fa0U}},
    {{0xbfbba0d3U, 0x40bafc45U, 0x4014258eU, 0x3d48ef93U, 0xbe3abaf7U, 0x3e6cf6dcU, 0x3f9d73a1U},
     {0x3f15d4d4U, 0x3f6484ffU, 0x3ec7b6a8U, 0x4006a433U, 0x3fdd7d65U, 0x415b8d33U, 0x40a228daU}},
    {{0x3f0c31c8U, 0x403364fcU, 0x422a88c1U, 0x3c9760d4U, 0x39141500U, 0x3c9760d4U, 0x3f2d5a6fU},
     {0x3ee8e062U, 0x3ee77a86U, 0x3eb6e9a8U, 0x405538d7U, 0x416c82b1U, 0x420e4142U, 0x4226f9dfU}},
    {{0x3f6bb630U, 0x40bf5b2dU, 0x3fdf7fe0U, 0x3c9f2c34U, 0x00000000U, 0x3c9f2c34U, 0x3f861447U},
     {0x3f7775dbU, 0x3f7775dbU, 0x3d06544eU, 0x3fa9bfa2U, 0x3fa460e0U, 0x41a05bafU, 0x3fa460e0U}},
    {{0x3c692d00U, 0x40989709U, 0x41eb1a2dU, 0x3ccfec80U, 0xbae72e20U, 0x3cde5f62U, 0x3f91ebacU},
     {0x3ee6940dU, 0x3ef2d858U, 0x3ebcca6cU, 0x413f16aeU, 0x4220c9b6U, 0x4292b0daU, 0x429bf392U}},
    {{0x3f009998U, 0x3fead1ccU, 0x4228cfb3U, 0x3d8b9ad2U, 0x00000000U, 0x3d8b9ad2U, 0x3f184f0aU},
     {0x3d66a95dU, 0x3d66a95dU, 0x3e25e484U, 0x3f8ef936U, 0x4361c1feU, 0x43b3dad4U, 0x4309e4e8U}},
    {{0xbea58dd0U, 0x403da382U, 0x3fa447f6U, 0x3e1d7d80U, 0xbecd08e0U, 0x3f0de3d0U, 0x3f8eb12cU},
     {0x3efb613dU, 0x3f52246aU, 0x3ee9c614U, 0x3f96282eU, 0x3feed84aU, 0x41076f68U, 0x40f53231U}},
    {{0x3ecac5ccU, 0x408ea40bU, 0x422d7fd0U, 0x3d3718a2U, 0xbb540d30U, 0x3d445975U, 0x3f75a95aU},
     {0x3e00062cU, 0x3e13504eU, 0x3e8ee3c9U, 0x405ac177U, 0x449f1494U, 0x45144774U, 0x438f1343U}},
    {{0xbf283cfeU, 0x403caca0U, 0x416250f8U, 0x3cb0c8baU, 0xbca8b3ccU, 0x3d2cbe43U, 0xbefe4e92U},
     {0x3f0cfbb7U, 0x3f3ca844U, 0x3ec34389U, 0x3f8b949aU, 0x4015d547U, 0x41797c97U, 0x40f6402cU}},
    {{0xbeffddb0U, 0x401fc364U, 0x4211aa57U, 0x3c97d2bcU, 0xbbb7c3ecU, 0x3cc5c3b7U, 0x3f065c4cU},
     {0x3ed48d8fU, 0x3f025b26U, 0x3ecf4fc0U, 0x41accd1fU, 0x41b02628U, 0x41f5e8a0U, 0x428fd8dfU}},
    {{0xbf8d68d7U, 0x401d9bc2U, 0x4008c209U, 0x3dbd2dd9U, 0xbf010480U, 0x3f18aa3bU, 0x3f73c18bU},
     {0x3e8f2b30U, 0x3f5224cbU, 0x3f23f4a6U, 0x3fca483cU, 0x3fd4ffdaU, 0x40e42367U, 0x415a6e4aU}},
};

net_status net_selftest(void) {
    net_status status = NET_OK;
    int i;
#if defined(__FAST_MATH__)
    status = NET_BAD_BUILD;
#endif
#if defined(FLT_EVAL_METHOD) && FLT_EVAL_METHOD != 0
    status = NET_BAD_BUILD;
#endif
    for (i = 0; i < VECTORS; ++i) {
        volatile uint32_t given[7]; /* so that no compiler computes the answers itself */
        float in[7];
        rates_t rates;
        map_t m;
        items_t items;
        ahead_t to;
        const float answer[2 * DEGREE] = {0.25F, 0.125F, -0.0625F, 0.03125F, -0.5F, 0.25F, -0.125F, 0.0625F};
        int k;
        for (k = 0; k < 7; ++k) {
            given[k] = vectors[i][0][k];
            in[k] = number_of(given[k]);
        }
        rates.slow = in[3];
        rates.gap = in[4];
        rates.mem = in[5];
        for (k = 0; k < ITEMS; ++k) {
            items.weight[k] = in[(k + i) % 3];
            items.gap[k] = in[2] * (float)(ITEMS - 1 - k);
            items.share[k] = in[2] * (float)(ITEMS - 1 - k) * in[3];
        }
        m = forward(in[2], &rates);
        to = ahead(in[0], in[1], &items, &rates, in[6], answer, in[2]);
        if (!same(m.x, vectors[i][1][0]) || !same(m.y, vectors[i][1][1]) ||
            !same(m.gain, vectors[i][1][2]) ||
            !same(crossing(in[0], in[1], in[2], &rates, in[6]), vectors[i][1][3]) ||
            !same(to.v, vectors[i][1][4]) || !same(to.j, vectors[i][1][5]) ||
            !same(to.bound, vectors[i][1][6])) {
            status = NET_BAD_BUILD;
        }
    }
#if NET_LINEAR
    if (linear_differs()) {
        status = NET_BAD_BUILD;
    }
#endif
    return status;
}

void net_reset(net_t *net) {
    uint32_t k;
    (void)memset(net->clock, 0, (size_t)NET_STAGES * sizeof net->clock[0]);
    (void)memset(net->sent, 0, (size_t)NET_STAGES * sizeof net->sent[0]);
    (void)memset(net->border, 0, (size_t)NET_STAGES * sizeof net->border[0]);
    (void)memset(net->idle, 0, (size_t)NET_STAGES * sizeof net->idle[0]);
    (void)memset(net->busy, 0, (size_t)NET_STAGES * sizeof net->busy[0]);
    (void)memset(net->head, 0, (size_t)NET_STAGES * sizeof net->head[0]);
    (void)memset(net->count, 0, (size_t)NET_STAGES * sizeof net->count[0]);
    net->now = 0.0;
    net->latest = 0.0;
    net->end = INFINITE;
    for (k = 0U; k < (uint32_t)NET_NEURONS; ++k) {
        net->v[k] = net_start[k];
        net->j[k] = 0.0F;
#if NET_REFRACTORY
        net->until[k] = -1.0;
#endif
#if NET_ADAPTIVE
        net->adaptation[k] = 0.0;
        net->last[k] = 0.0;
#endif
#if NET_DUES
        net->at[k] = 0.0;
        net->due[k] = INFINITE;
#endif
#if NET_COUNTS
        net->since[k] = 0.0;
        net->recent[k] = 0U;
#endif
    }
#if NET_RULE_SPIKES
    for (k = 0U; k < (uint32_t)NET_CLASSES; ++k) {
        net->first_spike[k] = INFINITE;
        net->n_spikes[k] = 0U;
    }
#endif
#if NET_RULE_READOUT
    (void)memset(net->total, 0, (size_t)NET_OUTPUTS * sizeof net->total[0]);
#endif
#if NET_RULE_MAXIMUM
    (void)memset(net->largest, 0, (size_t)NET_OUTPUTS * sizeof net->largest[0]);
#endif
#if NET_LINEAR
    for (k = 0U; k < (uint32_t)NET_STAGES; ++k) {
        if (net_stages[k].kind == PIECES || net_stages[k].kind == LINEAR_EVENTS) {
            reset_linear(net, k);
        }
    }
#endif
#if NET_DUES
    for (k = 0U; k < (uint32_t)NET_STAGES; ++k) {
        uint32_t neuron;
        const int has_dues = net_stages[k].kind == EVENTS || net_stages[k].kind == LINEAR_EVENTS;
        for (neuron = 0U; has_dues && neuron < net_stages[k].size; ++neuron) {
            predict_one(net, k, neuron);
        }
    }
#endif
    net->onset = 0.0;
    net->heard = 0U;
    net->spike_head = 0U;
    net->spike_count = 0U;
    net->lost = 0U;
    net->ended = 0U;
    net->crowded = 0U;
    if (net->status != (uint8_t)NET_BAD_BUILD) {
        net->status = (uint8_t)NET_OK;
    }
}

net_status net_init(net_t *net) {
    (void)memset(net, 0, sizeof *net);
    net->status = (uint8_t)net_selftest();
    net_reset(net);
    return (net_status)net->status;
}

static net_status advance(net_t *net, double time, int peek) {
    if (net->status != (uint8_t)NET_OK) {
        return (net_status)net->status;
    }
    if (!(time >= 0.0 && time < INFINITE) || !(net->end > 0.0)) {
        return NET_BAD_INPUT;
    }
    if (time < net->now || net->ended != 0U) {
        return NET_LATE;
    }
    if (time > net->now) {
        net->now = time;
        run(net, peek || net->crowded != 0U);
        net->crowded = 0U;
    }
    return (net_status)net->status;
}

net_status net_advance(net_t *net, double time) { return advance(net, time, 1); }

net_status net_push(net_t *net, double time, uint32_t channel) {
    net_status status = NET_BAD_INPUT;
    if (channel < (uint32_t)NET_CHANNELS || net->status != (uint8_t)NET_OK) {
        status = advance(net, time, 0);
    }
    if (status == NET_OK) {
        if (NET_ONSET_FIRST != 0 && net->heard == 0U) {
            net->onset = time;
        }
        net->heard = 1U;
        net->latest = time;
        send(net, 0U, channel, time);
        status = (net_status)net->status;
    }
    return status;
}

net_status net_push_us(net_t *net, uint32_t time, uint32_t channel) {
    return net_push(net, (double)time / 1000.0, channel);
}

net_status net_poll(net_t *net, net_spike *spike) {
    if (net->spike_count == 0U) {
        return NET_EMPTY;
    }
    spike->time = net->spike_time[net->spike_head];
    spike->population = net->spike_population[net->spike_head];
    spike->neuron = net->spike_neuron[net->spike_head];
    net->spike_head = (net->spike_head + 1U) % (uint32_t)NET_SPIKES;
    --net->spike_count;
    return NET_OK;
}

uint32_t net_lost(const net_t *net) { return net->lost; }

uint32_t net_most(const net_t *net, uint32_t stage) {
    return stage < (uint32_t)NET_STAGES ? net->most[stage] : 0U;
}

#if NET_RULE_READOUT
/* What is read of an output. */
static float value_of(const net_t *net, uint32_t k) {
    const uint32_t n = net_stages[NET_OUTPUT_STAGE].first + k;
    const float *out = net_outputs + k * (uint32_t)OUTPUT_PAR;
    float value = net->v[n];
    if (NET_RULE == INTEGRAL) {
        const float span = (float)(net->end - net->onset), weight = span * terms(span * NET_FADE).phi;
        value = (out[4] * (net->total[k] - net->j[n]) - value) * out[3] / weight;
    }
#if NET_RULE_MAXIMUM
    if (NET_RULE == MAXIMUM) {
        value = net->largest[k];
    }
#endif
    return value + out[5];
}

static float readout_of(const net_t *net, uint32_t k) {
#if NET_DECISION
    float sum = net_bias[k];
    uint32_t u;
    for (u = 0U; u < (uint32_t)NET_OUTPUTS; ++u) {
        sum += value_of(net, u) * net_decision[u * (uint32_t)NET_CLASSES + k];
    }
    return sum;
#else
    return NET_GAIN * value_of(net, k);
#endif
}
#endif

static double score_of(const net_t *net, uint32_t k) {
    double score = 0.0;
#if NET_RULE_READOUT
    if (NET_RULE < COUNT) {
        score = (double)readout_of(net, k);
    }
#endif
#if NET_RULE_SPIKES
    if (NET_RULE == COUNT) {
        score = (double)NET_GAIN * ((double)net->n_spikes[k] * (double)NET_TIME_CONSTANT / net->end);
    } else if (NET_RULE == FIRST) {
        score = -(net->n_spikes[k] > 0U ? net->first_spike[k] : net->end) / (double)NET_TIME_CONSTANT;
    }
#endif
    return score;
}

net_status net_decide(net_t *net, double duration, net_answer *answer) {
    double best = 0.0;
    uint32_t k;
    if (net->status != (uint8_t)NET_OK) {
        return (net_status)net->status;
    }
    if (!(duration > 0.0 && duration < INFINITE) || !(net->end > 0.0)) {
        return NET_BAD_INPUT;
    }
    if (net->ended == 0U) {
        if (duration < net->latest || duration + NET_TAIL < net->now) {
            return NET_LATE;
        }
        net->end = duration + NET_TAIL;
        net->now = INFINITE;
        net->ended = 1U;
        run(net, 0);
#if NET_RULE_READOUT
        if (NET_RULE < COUNT && net->status == (uint8_t)NET_OK) {
            run_outputs_to(net, (uint32_t)NET_OUTPUT_STAGE, net->end);
        }
#endif
    }
    answer->answer = 0;
    for (k = 0U; k < (uint32_t)NET_CLASSES; ++k) {
        const double score = score_of(net, k);
        answer->score[k] = (float)score;
        if (k == 0U || score > best) {
            best = score;
            answer->answer = (int32_t)k;
        }
    }
    return (net_status)net->status;
}
