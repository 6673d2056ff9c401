// Neurons that may fire within their stretches, of several samples: a pool that walks in vectors.
//
// A neuron is in a lane and goes from item to item of its own sample's stretch. A lane in which one
// may fire waits until all lanes wait or are through: then their crossings are solved at once. What
// a neuron does depends on nothing beside it; spikes of a sample are sorted when its stretch ends.
//
// Reference       eventsim/engine/cpu/walk.py, one neuron at a time; the definition:
//                 eventsim/engine/reference/layer.py
#pragma once
#include <limits>
#include <type_traits>

#include "../arena.hpp"
#include "blocks.hpp"
#include "stretches.hpp"

namespace eventsim {

// More spikes in a ms since an arrival are a run-away.
constexpr int RUNAWAY_PER_MS = 1000;

// Number of a spike of an earlier piece of the stream: beyond every limit.
constexpr int64_t EARLIER = int64_t(1) << 62;

// Neuron n is held: no stretch may fire it.
template <class R> FORMULA void hold(Sample<R>& s, int32_t n) {
    s.alert[n] = std::numeric_limits<R>::infinity();
    s.holding[s.n_holding++] = n;
}

template <class V> class Pool {
    using R = Real<V>;
    using M = Mask<V>;
    using Whole = std::conditional_t<sizeof(R) == 4, int32_t, int64_t>;
    static constexpr int N = Numbers<V>::count;

    const Neurons<R>& neurons;
    const Spikes& spikes;
    const int64_t width;
    const bool refractory;
    Sample<R>* const samples;
    const R* const par;  // of all blocks, [n_blocks, N_PAR, width]
    int32_t* whose;  // its sample
    R *start_v, *start_j, *since[ITEMS], *weight[ITEMS];
    alignas(64) Whole items[N];

    // What is known of the lanes beside their vectors.
    struct Lane {
        alignas(64) R tau[N], left[N], h[N], v[N], j[N], top[N];
        double t[N];       // of the last spike or release, where the lane is inside its item
        int64_t fired[N];
        int met[N];        // arrivals before the last of the spikes that `fired` counts
        uint32_t inside;
    };

  public:
    int32_t* who;  // number of the neuron in its block
    int size = 0;
    bool some_held = false;

    Pool(const Neurons<R>& neurons, const Spikes& spikes, int64_t width, bool refractory,
         Sample<R>* samples, const R* par, int most, Arena& arena)
        : neurons(neurons), spikes(spikes), width(width), refractory(refractory), samples(samples),
          par(par) {
        const std::size_t places = most * width + 64;
        who = arena.zeros<int32_t>(places);
        whose = arena.zeros<int32_t>(places);
        start_v = arena.zeros<R>(places);
        start_j = arena.zeros<R>(places);
        for (int k = 0; k < ITEMS; ++k) {
            since[k] = arena.zeros<R>(places);
            weight[k] = arena.zeros<R>(places);
        }
    }

    static std::size_t room(int64_t width, int most) {
        return (most * width + 64) * (8 + sizeof(R) * (2 + 2 * ITEMS)) + 64 * (4 + 2 * ITEMS);
    }

    // The neurons from `first` on are of sample `number`.
    void join(int number, int first) {
        const Sample<R>& s = samples[number];
        for (int i = first; i < size; ++i) {
            const int n = who[i];
            whose[i] = number;
            start_v[i] = s.before[n];
            start_j[i] = s.before[width + n];
            for (int k = 0; k < ITEMS; ++k) {
                since[k][i] = s.stretch.since[k];
                weight[k][i] = s.stretch.weight[k][n];
            }
        }
    }

    // All walk their stretches; near_forward holds for all if `near`.
    void walk(bool near) {
        for (int i = 0; i < size; i += N)
            if (near) walk_from<true>(i); else walk_from<false>(i);
    }

  private:
    Sample<R>& of(int place) { return samples[whose[place]]; }

    FORMULA_MEMBER V parameter(int row, const int32_t* places) const {
        return gather<V>(par + row * width, places);
    }

    // The lanes from i on walk.
    template <bool NEAR> __attribute__((noinline)) void walk_from(int i) {
        Lane x;
        const int mine = std::min(N, size - i);
        for (int l = mine; l < N; ++l) who[i + l] = who[i], whose[i + l] = whose[i];
        int32_t places[N];
        for (int l = 0; l < N; ++l) places[l] = (int32_t)(of(i + l).par - par) + who[i + l];
        const Rates<V> rates = {parameter(SLOW, places), parameter(GAP, places), parameter(RATE_MEM, places), V{}};
        const V peak = parameter(PEAK, places), alert = parameter(ALERT, places);
        V v = load<V>(start_v + i), j = load<V>(start_j + i), h = load<V>(since[0] + i);
        V v_waits = v, j_waits = j;
        const uint32_t all_mine = (uint32_t)((uint64_t(1) << mine) - 1);
        const uint32_t were_held = some_held ? held_of(i, all_mine) : 0;
        x.inside = 0;
        for (int l = 0; l < mine; ++l) {
            const Sample<R>& s = of(i + l);
            const int n = who[i + l];
            x.met[l] = 0;
            x.fired[l] = s.fired_arrival[n] == s.arrival ? s.fired_times[n] : 0;
        }
        M waits = M{}, item = M{}, held = marked<V>(were_held);
        M walks = marked<V>(all_mine & ~were_held);
        // At first all go side by side, who is held aside.
        for (int k = 0; k < ITEMS && any(walks); ++k) {
            h = select(walks, load<V>(since[k] + i), h);
            const Map<V> m = NEAR ? near_forward(h, rates) : far_forward(h, rates);
            const V v_end = fused(m.gain, j, m.x * v), j_end = m.y * j;
            const M stops = walks & may_fire(v, j, v_end, j_end, h, rates.mem, peak, alert);
            v_waits = select(stops, v_end, v_waits);
            j_waits = select(stops, j_end, j_waits);
            waits = waits | stops;
            walks = without(stops, walks);
            v = select(walks, flush(v_end), v);
            j = select(walks, flush(flush(j_end) + load<V>(weight[k] + i)), j);
            item = item - walks;
        }
        walks = held;
        const V level = parameter(LEVEL, places), reset = parameter(RESET, places), self = parameter(SELF, places);
        while (any(waits | walks)) {
            if (any(waits)) {
                const M fires = fire(x, i, v, j, v_waits, j_waits, h, rates, level, alert, peak,
                                     waits, item);
                if (any(fires)) {
                    if (refractory) held = held | (fires & marked<V>(held_of(i, bits_of(fires))));
                    h = load<V>(x.h);
                    v = select(fires, reset, v);
                    j = select(fires, load<V>(x.left) + self, j);
                }
                // Where there is no crossing, the item is reached after all.
                const M on = without(fires, waits);
                v = select(on, flush(v_waits), v);
                j = select(on, flush(flush(j_waits) + weight_at(item, i)), j);
                walks = walks | fires | reach(x, i, item, on, h);
                waits = M{};
            }
            M let_go = M{};
            if (any(held & walks)) {
                store(x.h, h);
                put(item);
                let_go = marked<V>(let_go_before(x, i, bits_of(held & walks)));
                h = load<V>(x.h);
            }
            const Map<V> m = propagators(h, rates);
            const V v_end = fused(m.gain, j, m.x * v), j_end = m.y * j;
            const M stops = without(
                held, walks & may_fire(v, j, v_end, j_end, h, rates.mem, peak, alert));
            v_waits = select(stops, v_end, v_waits);
            j_waits = select(stops, j_end, j_waits);
            waits = waits | stops;
            const M on = without(let_go, without(stops, walks));
            v = select(on, select(held, reset, flush(v_end)), v);
            j = select(on, flush(flush(j_end) + weight_at(item, i)), j);
            if (any(let_go)) {
                v = select(let_go, reset, v);
                j = select(let_go, flush(j_end), j);
                store(x.j, j);
                release(x, i, bits_of(let_go));
                held = without(let_go, held);
                h = load<V>(x.h);
            }
            walks = let_go | reach(x, i, item, on, h);
        }
        store(x.v, v);
        store(x.j, j);
        leave(x, i, mine, bits_of(held), were_held);
    }

    FORMULA_MEMBER M may_fire(V v, V j, V v_end, V j_end, V h, V rate_mem, V peak, V alert) const {
        V top = highest(v, j, v_end, j_end, h, rate_mem, peak);
        if (neurons.strength) top = select(v > top, v, top);  // a threshold may fall onto it
        return top >= alert;
    }

    // Those of the lanes that wait that fire before their item; their spikes are written.
    FORMULA_MEMBER M fire(Lane& x, int i, V v, V j, V v_end, V j_end, V h, const Rates<V>& rates,
                          V level, V alert, V peak, M waits, M item) {
        put(item);
        V tau;
        if (neurons.strength) {
            store(x.h, h);
            const V top = highest(v, j, v_end, j_end, h, rates.mem, peak);
            store(x.top, select(v > top, v, top));
            tau = one_by_one(waits, spread<V>(-1), [&](int l) {
                const Sample<R>& s = of(i + l);
                const int n = who[i + l];
                const Threshold p = {neurons.strength[s.low + n], neurons.rate[s.low + n]};
                const Rates<R> own = {at(rates.slow, l), at(rates.gap, l), at(rates.mem, l), R(0)};
                return crossing_within(p, s.adapted[n], at(v, l), at(j, l),
                                       start_of(x, s, l, (int)items[l]), x.h[l], x.top[l], own,
                                       at(level, l), at(alert, l));
            });
        } else {
            tau = crossing(v, j, h, rates, level, waits);
        }
        const M found = waits & (tau >= R(0));
        if (!any(found)) return M{};
        store(x.tau, tau);
        store(x.left, flush(propagators(select(found, tau, spread<V>(0)), rates).y * j));
        store(x.h, h);
        return marked<V>(note_spikes(x, i, bits_of(found)));
    }

    // What the neurons of the lanes are after their stretches.
    void leave(const Lane& x, int i, int mine, uint32_t held, uint32_t were_held) {
        for (int l = 0; l < mine; ++l) {
            const int n = who[i + l];
            Sample<R>& s = of(i + l);
            s.after[n] = x.v[l];
            s.after[width + n] = x.j[l];
            const int arrivals = s.stretch.size - s.stretch.empty;
            if (x.fired[l] > 0 && x.met[l] == arrivals) {
                s.fired_arrival[n] = s.arrival + arrivals;
                s.fired_times[n] = x.fired[l];
            }
        }
        for (uint32_t bits = held | were_held; bits; bits &= bits - 1) {
            const int l = __builtin_ctz(bits), n = who[i + l];
            Sample<R>& s = of(i + l);
            if (held >> l & 1) hold(s, n); else s.alert[n] = s.par[ALERT * width + n];
        }
    }

    FORMULA_MEMBER V weight_at(M item, int i) const {
        V found = load<V>(weight[0] + i);
        UNROLL for (int k = 1; k < ITEMS; ++k)
            found = select(item == k, load<V>(weight[k] + i), found);
        return found;
    }

    // Lanes `on` have met their item; those of them that have another, whose way is now `h`.
    FORMULA_MEMBER M reach(Lane& x, int i, M& item, M on, V& h) const {
        item = item - on;
        x.inside &= ~bits_of(on);
        V way = h;
        UNROLL for (int k = 1; k < ITEMS; ++k)
            way = select(item == k, load<V>(since[k] + i), way);
        h = select(on, way, h);
        return on & (item < ITEMS);
    }

    double start_of(const Lane& x, const Sample<R>& s, int l, int item) const {
        if (x.inside >> l & 1) return x.t[l];
        return item > 0 ? s.stretch.time[item - 1] : s.t;
    }

    // Write the spikes of lanes that find a crossing before their item; which these are.
    uint32_t note_spikes(Lane& x, int i, uint32_t lanes) {
        uint32_t fires = 0;
        for (; lanes; lanes &= lanes - 1) {
            const int l = __builtin_ctz(lanes), n = who[i + l], item = (int)items[l];
            Sample<R>& s = of(i + l);
            const double t = start_of(x, s, l, item) + double(x.tau[l]);
            const double target = s.stretch.time[item];
            if (!(t < target) || item >= s.stretch.size) continue;
            write(s, n, t, x.left[l]);
            if (runs_away(x, l, s, item, t)) {
                if (s.failed < 0 || t < s.failed_at) s.failed = n, s.failed_at = t;
                continue;  // as if it went on: nothing of it is read any more
            }
            x.t[l] = t;
            x.h[l] = R(target - t);
            x.inside |= 1u << l;
            fires |= 1u << l;
        }
        return fires;
    }

    void write(Sample<R>& s, int n, double t, R left) {
        const double length = neurons.refractory[s.low + n];
        if (s.count < s.limit) {
            const int64_t at = s.start + s.count;
            spikes.time[at] = t;
            spikes.neuron[at] = (int32_t)(s.low + n);
            spikes.current[at] = left;
            if (length == 0.0) spikes.restart[at] = left;
        }
        if (length > 0.0) {
            s.held[n] = s.count;
            s.until[n] = t + length;
        }
        if (neurons.strength)
            jump({neurons.strength[s.low + n], neurons.rate[s.low + n]}, s.adapted[n], t);
        ++s.count;
    }

    bool runs_away(Lane& x, int l, const Sample<R>& s, int item, double t) const {
        const int met = std::min(item, s.stretch.size - s.stretch.empty);
        if (met > x.met[l]) x.fired[l] = 0;
        x.met[l] = met;
        if (++x.fired[l] <= RUNAWAY_PER_MS) return false;
        const double since = met > 0 ? s.stretch.time[met - 1] : s.since;
        return double(x.fired[l]) > RUNAWAY_PER_MS * (1.0 + (t - since));
    }

    uint32_t held_of(int i, uint32_t lanes) {
        uint32_t found = 0;
        for (; lanes; lanes &= lanes - 1) {
            const int l = __builtin_ctz(lanes);
            found |= (of(i + l).held[who[i + l]] >= 0 ? 1u : 0u) << l;
        }
        return found;
    }

    // Lanes of those held that are let go of before their item, to where h then leads.
    uint32_t let_go_before(Lane& x, int i, uint32_t held) {
        uint32_t found = 0;
        for (; held; held &= held - 1) {
            const int l = __builtin_ctz(held), item = (int)items[l];
            const Sample<R>& s = of(i + l);
            const double until = s.until[who[i + l]];
            if (until >= s.stretch.time[item]) continue;
            x.h[l] = R(until - start_of(x, s, l, item));
            found |= 1u << l;
        }
        return found;
    }

    void release(Lane& x, int i, uint32_t lanes) {
        for (; lanes; lanes &= lanes - 1) {
            const int l = __builtin_ctz(lanes), n = who[i + l];
            Sample<R>& s = of(i + l);
            if (s.held[n] < s.limit) spikes.restart[s.start + s.held[n]] = x.j[l];
            s.held[n] = -1;
            x.t[l] = s.until[n];
            x.h[l] = R(s.stretch.time[items[l]] - x.t[l]);
            x.inside |= 1u << l;
        }
    }

    FORMULA_MEMBER void put(M item) { __builtin_memcpy(items, &item, sizeof item); }
};

}  // namespace eventsim
