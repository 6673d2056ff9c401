/* The network: events in, spikes and answers out.
 *
 * Every stage has a queue of what arrives at it, in order of time and row. It goes on as far as it knows
 * all that arrives: up to the earliest time at which one of its sources may still send. In a stage of
 * STRETCHES all neurons meet up to four arrivals at once, as in eventsim/kernels/cpu/dense: where a
 * stretch ends follows from the times of the arrivals alone.
 */
#include <string.h>

#include "@name@_tables.h"

#if defined(__STDC_VERSION__) && __STDC_VERSION__ >= 199901L
#include <float.h>
#endif

#define INFINITE (1e300)
#define NEVER_FIRES (3.4e38F)
#define MOST_SPIKES 1000 /* of a neuron in a ms; more are a runaway */

@formulas@
/* ---- queues ------------------------------------------------------------------------------------- */

static uint32_t place_of(const net_t *net, uint32_t stage, uint32_t number) {
    const net_stage *s = &net_stages[stage];
    uint32_t at = net->head[stage] + number;
    if (at >= s->room) {
        at -= s->room;
    }
    return s->room_first + at;
}

static void arrive(net_t *net, uint32_t stage, double time, uint32_t row) {
    uint32_t i = net->count[stage];
    if (i >= net_stages[stage].room) {
        net->status = (uint8_t)NET_FULL;
        return;
    }
    net->count[stage] = i + 1U;
    if (net->count[stage] > net->most[stage]) {
        net->most[stage] = net->count[stage];
    }
    for (; i > 0U; --i) {
        const uint32_t before = place_of(net, stage, i - 1U), here = place_of(net, stage, i);
        if (net->when[before] < time || (net->when[before] == time && net->row[before] <= row)) {
            break;
        }
        net->when[here] = net->when[before];
        net->row[here] = net->row[before];
    }
    i = place_of(net, stage, i);
    net->when[i] = time;
    net->row[i] = (NET_ROW_TYPE)row;
}

static void drop(net_t *net, uint32_t stage, uint32_t n) {
    net->head[stage] = place_of(net, stage, n) - net_stages[stage].room_first;
    net->count[stage] -= n;
}

/* A population's neuron has sent an event. */
static void send(net_t *net, uint32_t population, uint32_t neuron, double time) {
    uint32_t r;
    for (r = 0U; r < (uint32_t)NET_ROUTES; ++r) {
        const net_route *route = &net_routes[r];
        if (route->from == population) {
            const double delay = route->delays ? route->delays[neuron] : route->least;
            arrive(net, route->to, time + delay, route->row + neuron);
        }
    }
}

/* Up to when all that arrives at a stage is known. */
static double known_until(const net_t *net, uint32_t stage) {
    const net_stage *s = &net_stages[stage];
    double until = net->now;
    uint32_t r;
    for (r = s->first_route; r < s->first_route + s->n_routes; ++r) {
        const net_route *route = &net_routes[r];
        if (route->from > 0U) {
            const double sent = net->clock[net_stage_of[route->from]] + route->least;
            until = sent < until ? sent : until;
        }
    }
    return until;
}

/* ---- spikes ------------------------------------------------------------------------------------- */

/* Into the ring, in order of time and neuron among those of the same population that came since `first`. */
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
        const uint32_t last = net->spike_count - 1U - i;
        const uint32_t before = (net->spike_head + last) % (uint32_t)NET_SPIKES;
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

static void fired(net_t *net, uint32_t population, uint32_t neuron, double time, uint32_t *fresh) {
    note(net, population, neuron, time, fresh);
#if NET_RULE_SPIKES
    if (population == (uint32_t)NET_OUTPUT && neuron < (uint32_t)NET_CLASSES) {
        if (net->n_spikes[neuron] == 0U || time < net->first_spike[neuron]) {
            net->first_spike[neuron] = time;
        }
        ++net->n_spikes[neuron];
    }
#endif
    send(net, population, neuron, time);
}

/* ---- stretches ---------------------------------------------------------------------------------- */

/* Items, the last at the end; where there are fewer, nothing comes behind. Arrivals low .. high of the
 * queue are an item. */
typedef struct {
    double time[ITEMS];
    float since[ITEMS], gap[ITEMS], share[ITEMS];
    uint32_t low[ITEMS], high[ITEMS];
    int size;
} stretch_t;

/* The stretch of a stage from t on, if all of it is known. */
static int fill(const net_t *net, uint32_t stage, double t, double known, double end, stretch_t *x) {
    const float longest = net_stages[stage].longest;
    uint32_t next = 0U;
    double latest = 0.0;
    int size = 0, ends = 0, full = 0, k;
    while (size < ITEMS && !ends && !full) {
        double time = INFINITE;
        int arrives = 0;
        if (next < net->count[stage]) {
            time = net->when[place_of(net, stage, next)];
            arrives = time < known && time < end;
        }
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
            while (next < net->count[stage] && net->when[place_of(net, stage, next)] == time) {
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
    for (k = size; k < ITEMS; ++k) {
        x->low[k] = next;
        x->high[k] = next;
        x->time[k] = t;
        x->since[k] = 0.0F;
    }
    for (k = 0; k < ITEMS; ++k) {
        x->gap[k] = (float)(t - x->time[k]);
        x->share[k] = x->gap[k] / longest;
    }
    return 1;
}

static float weight_of(const net_t *net, uint32_t stage, uint32_t number, uint32_t neuron) {
    const net_stage *s = &net_stages[stage];
    return s->weights[(uint32_t)net->row[place_of(net, stage, number)] * s->size + neuron];
}

/* What a neuron meets at an item. */
static float item_weight(const net_t *net, uint32_t stage, const stretch_t *x, int k, uint32_t neuron) {
    float sum = 0.0F;
    uint32_t i;
    if (x->low[k] < x->high[k]) {
        sum = weight_of(net, stage, x->low[k], neuron);
        for (i = x->low[k] + 1U; i < x->high[k]; ++i) {
            sum += weight_of(net, stage, i, neuron);
        }
    }
    return sum;
}

/* A neuron that may fire within the stretch, or is let go, goes from item to item. */
static void walk(net_t *net, uint32_t stage, const stretch_t *x, uint32_t neuron, const items_t *items,
                 uint32_t *fresh) {
    const net_stage *s = &net_stages[stage];
    const float *par = net_par + (s->par + neuron) * (uint32_t)N_PAR;
    const rates_t rates = {par[SLOW], par[GAP], par[RATE_MEM]};
    const uint32_t n = s->first + neuron;
    const double length = x->time[ITEMS - 1] - net->clock[stage];
    double start = net->clock[stage];
    float v = net->v[n], j = net->j[n], h = x->since[0];
    int item = 0, fires = 0;
#if NET_REFRACTORY
    const double refractory = net_refractory[s->par + neuron];
    int held = net->until[n] >= 0.0;
#endif
    while (item < ITEMS) {
        map_t m;
        float v_end, j_end;
#if NET_REFRACTORY
        if (held && net->until[n] < x->time[item]) {
            h = (float)(net->until[n] - start);
            m = forward(h, &rates);
            j = flush(m.y * j);
            v = par[RESET];
            start = net->until[n];
            h = (float)(x->time[item] - start);
            net->until[n] = -1.0;
            held = 0;
            continue;
        }
#endif
        m = forward(h, &rates);
        v_end = fused(m.gain, j, m.x * v);
        j_end = m.y * j;
#if NET_REFRACTORY
        if (held) {
            v_end = par[RESET];
        } else
#endif
        if (highest(v, j, v_end, j_end, h, par[RATE_MEM], par[PEAK]) >= par[ALERT]) {
            const float tau = crossing(v, j, h, &rates, par[LEVEL]);
            const double time = start + (double)tau;
            if (tau >= 0.0F && time < x->time[item] && item < x->size) {
                m = forward(tau, &rates);
                j = flush(m.y * j) + par[SELF];
                v = par[RESET];
                start = time;
                h = (float)(x->time[item] - start);
                fired(net, s->population, neuron, time, fresh);
                if ((double)++fires > (double)MOST_SPIKES * (1.0 + length)) {
                    net->status = (uint8_t)NET_RUNAWAY;
                    return;
                }
#if NET_REFRACTORY
                if (refractory > 0.0) {
                    net->until[n] = time + refractory;
                    held = 1;
                }
#endif
                continue;
            }
            v_end = flush(v_end);
        } else {
            v_end = flush(v_end);
        }
        v = v_end;
        j = flush(flush(j_end) + items->weight[item]);
        start = x->time[item];
        ++item;
        if (item < ITEMS) {
            h = x->since[item];
        }
    }
    net->v[n] = v;
    net->j[n] = j;
}

/* All neurons of a stage over its next stretches, as far as these are known. */
static void run_stretches(net_t *net, uint32_t stage) {
    const net_stage *s = &net_stages[stage];
    const double known = known_until(net, stage);
    stretch_t x;
    while (net->status == (uint8_t)NET_OK && net->clock[stage] < net->end &&
           fill(net, stage, net->clock[stage], known, net->end, &x)) {
        const float h = (float)(x.time[ITEMS - 1] - net->clock[stage]);
        uint32_t neuron, fresh = 0U;
        int k;
        for (neuron = 0U; neuron < s->size; ++neuron) {
            const float *par = net_par + (s->par + neuron) * (uint32_t)N_PAR;
            const rates_t rates = {par[SLOW], par[GAP], par[RATE_MEM]};
            const uint32_t n = s->first + neuron;
            items_t items;
            ahead_t to;
            int walks;
            for (k = 0; k < ITEMS; ++k) {
                items.weight[k] = item_weight(net, stage, &x, k, neuron);
                items.gap[k] = x.gap[k];
                items.share[k] = x.share[k];
            }
            to = ahead(net->v[n], net->j[n], &items, &rates, par[PEAK],
                       s->answers + neuron * 2U * (uint32_t)DEGREE, h);
            walks = to.bound >= par[ALERT];
#if NET_REFRACTORY
            if (net->until[n] >= 0.0) {
                walks = net->until[n] < x.time[ITEMS - 1];
                to.v = par[RESET];
            }
#endif
            if (walks) {
                walk(net, stage, &x, neuron, &items, &fresh);
            } else {
                net->v[n] = to.v;
                net->j[n] = to.j;
            }
        }
        drop(net, stage, x.high[ITEMS - 1]);
        net->clock[stage] = x.time[ITEMS - 1];
    }
}

/* ---- readout ------------------------------------------------------------------------------------ */

#if NET_RULE_READOUT
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
        if (k == 0U || out[0] != out[-6] || out[1] != out[-5] || out[2] != out[-4]) {
            const rates_t rates = {out[0], out[1], out[2]};
            m = forward(h, &rates);
        }
        net->v[n] = flush(fused(m.gain, net->j[n], m.x * net->v[n]));
        net->j[n] = flush(m.y * net->j[n]);
    }
    net->clock[stage] = time;
}

static void run_outputs(net_t *net, uint32_t stage) {
    const net_stage *s = &net_stages[stage];
    const double known = known_until(net, stage);
    while (net->count[stage] > 0U) {
        const double time = net->when[place_of(net, stage, 0U)];
        float fade;
        uint32_t k;
        if (!(time < known && time < net->end)) {
            break;
        }
        if (time > net->clock[stage]) {
            run_outputs_to(net, stage, time);
        }
        fade = decay((float)time * NET_FADE);
        for (k = 0U; k < s->size; ++k) {
            const float w = weight_of(net, stage, 0U, k) * fade;
            net->j[s->first + k] += w;
            net->total[k] += w;
        }
        drop(net, stage, 1U);
    }
}
#endif

/* ---- the interface ------------------------------------------------------------------------------ */

static void run(net_t *net) {
    uint32_t k;
    for (k = 0U; k < (uint32_t)NET_STAGES && net->status == (uint8_t)NET_OK; ++k) {
        switch (net_stages[k].kind) {
        case STRETCHES:
            run_stretches(net, k);
            break;
        default:
#if NET_RULE_READOUT
            run_outputs(net, k);
#endif
            break;
        }
    }
}

static float number_of(uint32_t bits) {
    float x;
    memcpy(&x, &bits, sizeof x);
    return x;
}
static int same(float x, uint32_t bits) {
    uint32_t mine;
    memcpy(&mine, &x, sizeof mine);
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
    return status;
}

void net_reset(net_t *net) {
    uint32_t k;
    memset(net->clock, 0, sizeof net->clock);
    memset(net->head, 0, sizeof net->head);
    memset(net->count, 0, sizeof net->count);
    net->now = 0.0;
    net->end = INFINITE;
    for (k = 0U; k < (uint32_t)NET_NEURONS; ++k) {
        net->v[k] = net_start[k];
        net->j[k] = 0.0F;
#if NET_REFRACTORY
        net->until[k] = -1.0;
#endif
    }
#if NET_RULE_SPIKES
    for (k = 0U; k < (uint32_t)NET_CLASSES; ++k) {
        net->first_spike[k] = INFINITE;
        net->n_spikes[k] = 0U;
    }
#endif
#if NET_RULE_READOUT
    memset(net->total, 0, sizeof net->total);
#endif
    net->spike_head = 0U;
    net->spike_count = 0U;
    net->lost = 0U;
    net->ended = 0U;
    if (net->status != (uint8_t)NET_BAD_BUILD) {
        net->status = (uint8_t)NET_OK;
    }
}

net_status net_init(net_t *net) {
    memset(net, 0, sizeof *net);
    net->status = (uint8_t)net_selftest();
    net_reset(net);
    return (net_status)net->status;
}

net_status net_advance(net_t *net, double time) {
    if (net->status != (uint8_t)NET_OK) {
        return (net_status)net->status;
    }
    if (!(time >= 0.0 && time < INFINITE)) {
        return NET_BAD_INPUT;
    }
    if (time < net->now || net->ended != 0U) {
        return NET_LATE;
    }
    if (time > net->now) {
        net->now = time;
        run(net);
    }
    return (net_status)net->status;
}

net_status net_push(net_t *net, double time, uint32_t channel) {
    net_status status = NET_BAD_INPUT;
    if (channel < (uint32_t)NET_CHANNELS || net->status != (uint8_t)NET_OK) {
        status = net_advance(net, time);
    }
    if (status == NET_OK) {
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

static float score_of(const net_t *net, uint32_t k) {
#if NET_RULE_READOUT
    const net_stage *s = &net_stages[NET_OUTPUT_STAGE];
    const float *out = net_outputs + k * (uint32_t)OUTPUT_PAR;
    const float v = net->v[s->first + k];
#if NET_RULE_INTEGRAL
    const float end = (float)net->end, weight = end * terms(end * NET_FADE).phi;
    const float integral = (out[4] * (net->total[k] - net->j[s->first + k]) - v) * out[3];
    return NET_GAIN * (integral / weight + out[5]);
#else
    return NET_GAIN * (v + out[5]);
#endif
#elif NET_RULE_COUNT
    return NET_GAIN * ((float)net->n_spikes[k] * NET_TIME_CONSTANT / (float)net->end);
#else
    const double first = net->n_spikes[k] > 0U ? net->first_spike[k] : net->end;
    return (float)(-first / NET_TIME_CONSTANT);
#endif
}

net_status net_decide(net_t *net, double duration, net_answer *answer) {
    uint32_t k;
    if (net->status != (uint8_t)NET_OK) {
        return (net_status)net->status;
    }
    if (!(duration > 0.0 && duration < INFINITE)) {
        return NET_BAD_INPUT;
    }
    if (net->ended == 0U) {
        if (duration + NET_TAIL < net->now) {
            return NET_LATE;
        }
        net->end = duration + NET_TAIL;
        net->now = INFINITE;
        net->ended = 1U;
        run(net);
#if NET_RULE_READOUT
        if (net->status == (uint8_t)NET_OK) {
            run_outputs_to(net, (uint32_t)NET_OUTPUT_STAGE, net->end);
        }
#endif
    }
    answer->answer = 0;
    for (k = 0U; k < (uint32_t)NET_CLASSES; ++k) {
        answer->score[k] = score_of(net, k);
        if (answer->score[k] > answer->score[answer->answer]) {
            answer->answer = (int32_t)k;
        }
    }
    return (net_status)net->status;
}
