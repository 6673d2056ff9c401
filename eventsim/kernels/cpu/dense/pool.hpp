// Neurons that may fire within their stretches, of several samples: a pool that walks in vectors.
//
// A neuron is in a lane and goes from item to item of its own sample's stretch. A lane in which one
// may fire waits until all lanes wait or are through: then their crossings are solved at once. Where
// there are only few, each walks alone. What a neuron does depends on nothing beside it; spikes of a
// sample are sorted when its stretch ends.
//
// Reference       eventsim/engine/reference/layer.py, one neuron at a time
#pragma once
#include <limits>
#include <type_traits>

#include "../arena.hpp"
#include "../firing.hpp"
#include "blocks.hpp"
#include "stretches.hpp"

namespace eventsim {

// Neuron n is held: no stretch may fire it.
template <class R> FORMULA void hold(Sample<R>& s, int32_t n) {
    s.alert[n] = std::numeric_limits<R>::infinity();
    s.holding[s.n_holding++] = n;
}

// So many neurons walk one by one, since their vectors would be all but empty: one recording of W1
// at a time, with 64 neurons, took a fifth longer in vectors.
constexpr int FEW = 2;

template <class V> class Pool {
    using R = Real<V>;
    using Item = std::conditional_t<sizeof(R) == 4, int32_t, int64_t>;
    static constexpr int N = Numbers<V>::count;

    const Neurons<R>& neurons;
    const Spikes& spikes;
    const int64_t width;
    const bool refractory;
    Sample<R>* const samples;
    const R* const par;  // of all blocks, [n_blocks, N_PAR, width]
    int32_t* whose;  // its sample
    R *start_v, *start_j, *since[ITEMS], *weight[ITEMS];
    alignas(64) Item items[N];

    // What is known of the lanes of a W, a vector or one number, beside it.
    template <class W> struct Lane {
        static constexpr int N = Numbers<W>::count;
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
        for (int i = 0; i < size;) {
            const int left = std::min(N, size - i), mine = left > FEW ? left : 1;
            if (mine > 1)
                near ? walk_from<V, true>(i, mine) : walk_from<V, false>(i, mine);
            else
                near ? walk_from<R, true>(i, mine) : walk_from<R, false>(i, mine);
            i += mine;
        }
    }

  private:
    Sample<R>& of(int place) { return samples[whose[place]]; }

    template <class W> FORMULA_MEMBER W parameter(int row, const int32_t* places) const {
        return gather<W>(par + row * width, places);
    }

    // The `mine` neurons from i on walk in lanes of a W.
    template <class W, bool NEAR> __attribute__((noinline)) void walk_from(int i, int mine) {
        using M = Mask<W>;
        constexpr int N = Numbers<W>::count;
        Lane<W> x;
        for (int l = mine; l < N; ++l) who[i + l] = who[i], whose[i + l] = whose[i];
        int32_t places[N];
        for (int l = 0; l < N; ++l) places[l] = (int32_t)(of(i + l).par - par) + who[i + l];
        const Rates<W> rates = {parameter<W>(SLOW, places), parameter<W>(GAP, places),
                                parameter<W>(RATE_MEM, places), W{}};
        const W peak = parameter<W>(PEAK, places), alert = parameter<W>(ALERT, places);
        W v = load<W>(start_v + i), j = load<W>(start_j + i), h = load<W>(since[0] + i);
        W v_waits = v, j_waits = j;
        const uint32_t all_mine = (uint32_t)((uint64_t(1) << mine) - 1);
        const uint32_t were_held = some_held ? held_of(i, all_mine) : 0;
        x.inside = 0;
        for (int l = 0; l < mine; ++l) {
            const Sample<R>& s = of(i + l);
            const int n = who[i + l];
            x.met[l] = 0;
            x.fired[l] = s.fired_arrival[n] == s.arrival ? s.fired_times[n] : 0;
        }
        M waits = M{}, held = marked<W>(were_held);
        Whole<W> item = Whole<W>{};
        M walks = marked<W>(all_mine & ~were_held);
        // At first all go side by side, who is held aside.
        for (int k = 0; k < ITEMS && any(walks); ++k) {
            h = select(walks, load<W>(since[k] + i), h);
            const Map<W> m = NEAR ? near_forward(h, rates) : far_forward(h, rates);
            const W v_end = fused(m.gain, j, m.x * v), j_end = m.y * j;
            const M stops = walks & may_fire(v, j, v_end, j_end, h, rates.mem, peak, alert);
            v_waits = select(stops, v_end, v_waits);
            j_waits = select(stops, j_end, j_waits);
            waits = waits | stops;
            walks = without(stops, walks);
            v = select(walks, flush(v_end), v);
            j = select(walks, flush(flush(j_end) + load<W>(weight[k] + i)), j);
            item = one_more(item, walks);
        }
        walks = held;
        const W level = parameter<W>(LEVEL, places), reset = parameter<W>(RESET, places);
        const W self = parameter<W>(SELF, places);
        while (any(waits | walks)) {
            if (any(waits)) {
                const M fires = fire(x, i, v, j, v_waits, j_waits, h, rates, level, alert, peak,
                                     waits, item);
                if (any(fires)) {
                    if (refractory) held = held | (fires & marked<W>(held_of(i, bits_of(fires))));
                    h = load<W>(x.h);
                    v = select(fires, reset, v);
                    j = select(fires, load<W>(x.left) + self, j);
                }
                // Where there is no crossing, the item is reached after all.
                const M on = without(fires, waits);
                v = select(on, flush(v_waits), v);
                j = select(on, flush(flush(j_waits) + weight_at<W>(item, i)), j);
                walks = walks | fires | reach(x, i, item, on, h);
                waits = M{};
            }
            M let_go = M{};
            if (any(held & walks)) {
                store(x.h, h);
                put<W>(item);
                let_go = marked<W>(let_go_before(x, i, bits_of(M(held & walks))));
                h = load<W>(x.h);
            }
            const Map<W> m = propagators(h, rates);
            const W v_end = fused(m.gain, j, m.x * v), j_end = m.y * j;
            const M stops = without(
                held, walks & may_fire(v, j, v_end, j_end, h, rates.mem, peak, alert));
            v_waits = select(stops, v_end, v_waits);
            j_waits = select(stops, j_end, j_waits);
            waits = waits | stops;
            const M on = without(let_go, without(stops, walks));
            v = select(on, select(held, reset, flush(v_end)), v);
            j = select(on, flush(flush(j_end) + weight_at<W>(item, i)), j);
            if (any(let_go)) {
                v = select(let_go, reset, v);
                j = select(let_go, flush(j_end), j);
                store(x.j, j);
                release(x, i, bits_of(let_go));
                held = without(let_go, held);
                h = load<W>(x.h);
            }
            walks = let_go | reach(x, i, item, on, h);
        }
        store(x.v, v);
        store(x.j, j);
        leave(x, i, mine, bits_of(held), were_held);
    }

    template <class W>
    FORMULA_MEMBER Mask<W> may_fire(W v, W j, W v_end, W j_end, W h, W rate_mem, W peak,
                                    W alert) const {
        W top = highest(v, j, v_end, j_end, h, rate_mem, peak);
        if (neurons.strength) top = select(v > top, v, top);  // a threshold may fall onto it
        return top >= alert;
    }

    // Those of the lanes that wait that fire before their item; their spikes are written.
    template <class W>
    FORMULA_MEMBER Mask<W> fire(Lane<W>& x, int i, W v, W j, W v_end, W j_end, W h,
                                const Rates<W>& rates, W level, W alert, W peak, Mask<W> waits,
                                Whole<W> item) {
        using M = Mask<W>;
        put<W>(item);
        W tau;
        if (neurons.strength) {
            store(x.h, h);
            const W top = highest(v, j, v_end, j_end, h, rates.mem, peak);
            store(x.top, select(v > top, v, top));
            tau = one_by_one(waits, spread<W>(-1), [&](int l) {
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
        store(x.left, flush(propagators(select(found, tau, spread<W>(0)), rates).y * j));
        store(x.h, h);
        return marked<W>(note_spikes(x, i, bits_of(found)));
    }

    // What the neurons of the lanes are after their stretches.
    template <class W> void leave(const Lane<W>& x, int i, int mine, uint32_t held, uint32_t were_held) {
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

    template <class W> FORMULA_MEMBER W weight_at(Whole<W> item, int i) const {
        W found = load<W>(weight[0] + i);
        UNROLL for (int k = 1; k < ITEMS; ++k)
            found = select(item == k, load<W>(weight[k] + i), found);
        return found;
    }

    // Lanes `on` have met their item; those of them that have another, whose way is now `h`.
    template <class W>
    FORMULA_MEMBER Mask<W> reach(Lane<W>& x, int i, Whole<W>& item, Mask<W> on, W& h) const {
        item = one_more(item, on);
        x.inside &= ~bits_of(on);
        W way = h;
        UNROLL for (int k = 1; k < ITEMS; ++k)
            way = select(item == k, load<W>(since[k] + i), way);
        h = select(on, way, h);
        return on & (item < ITEMS);
    }

    template <class W> double start_of(const Lane<W>& x, const Sample<R>& s, int l, int item) const {
        if (x.inside >> l & 1) return x.t[l];
        return item > 0 ? s.stretch.time[item - 1] : s.t;
    }

    // Write the spikes of lanes that find a crossing before their item; which these are.
    template <class W> uint32_t note_spikes(Lane<W>& x, int i, uint32_t lanes) {
        uint32_t fires = 0;
        for (; lanes; lanes &= lanes - 1) {
            const int l = __builtin_ctz(lanes), n = who[i + l], item = (int)items[l];
            Sample<R>& s = of(i + l);
            const double t = start_of(x, s, l, item) + double(x.tau[l]);
            const double target = s.stretch.time[item];
            if (!(t < target) || item >= s.stretch.size) continue;
            write(s, n, t, x.left[l]);
            if (s.firing ? s.firing[n].runs_away(t) : runs_away(x, l, s, item, t)) {
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
            spikes.restart[at] = length == 0.0 ? left : std::numeric_limits<R>::quiet_NaN();
        }
        if (length > 0.0) {
            s.held[n] = s.count;
            s.until[n] = t + length;
        }
        if (neurons.strength)
            jump({neurons.strength[s.low + n], neurons.rate[s.low + n]}, s.adapted[n], t);
        ++s.count;
    }

    template <class W> bool runs_away(Lane<W>& x, int l, const Sample<R>& s, int item, double t) const {
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
    template <class W> uint32_t let_go_before(Lane<W>& x, int i, uint32_t held) {
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

    template <class W> void release(Lane<W>& x, int i, uint32_t lanes) {
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

    template <class W> FORMULA_MEMBER void put(Whole<W> item) {
        if constexpr (Numbers<W>::count == 1) items[0] = item;
        else __builtin_memcpy(items, &item, sizeof item);
    }
};

}  // namespace eventsim
