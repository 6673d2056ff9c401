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

// Up to this number, neurons walk one by one, since their vectors would be all but empty: one recording
// of W1 at a time, with 64 neurons, took a fifth longer in vectors.
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

    // Values of the lanes of a W, a vector or one number, that are kept beside it.
    template <class W> struct Lane {
        static constexpr int N = Numbers<W>::count;
        alignas(64) R tau[N], left[N], h[N], v[N], j[N], top[N];
        double t[N];       // of the last spike or release, where the lane is inside its item
        int64_t fired[N];
        int met[N];        // arrivals before the last of the spikes that `fired` counts
        uint32_t inside;
    };

    // Neurons of the lanes on their way, whose next event is `h` ms away; where those that wait would be.
    template <class W> struct Walk {
        Rates<W> rates;
        W peak, alert, level, reset, self, v, j, h, v_there, j_there;
        Whole<W> item;
        Mask<W> walks, waits, held;
    };

    // States at the next item, and the lanes that may fire before.
    template <class W> struct Next {
        W v, j;
        Mask<W> stops;
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

    // Walk the stretches of all neurons in the pool; near_forward holds for all if `near`.
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
        Walk<W> y;
        y.rates = {parameter<W>(SLOW, places), parameter<W>(GAP, places),
                   parameter<W>(RATE_MEM, places), W{}};
        y.peak = parameter<W>(PEAK, places), y.alert = parameter<W>(ALERT, places);
        y.v = load<W>(start_v + i), y.j = load<W>(start_j + i), y.h = load<W>(since[0] + i);
        y.v_there = y.v, y.j_there = y.j;
        const uint32_t all_mine = (uint32_t)((uint64_t(1) << mine) - 1);
        const uint32_t were_held = some_held ? held_of(i, all_mine) : 0;
        take(x, i, mine);
        y.waits = M{}, y.held = marked<W>(were_held);
        y.item = Whole<W>{};
        y.walks = marked<W>(all_mine & ~were_held);
        // At first all go side by side, who is held aside.
        for (int k = 0; k < ITEMS && any(y.walks); ++k) {
            y.h = select(y.walks, load<W>(since[k] + i), y.h);
            const Map<W> m = NEAR ? near_forward(y.h, y.rates) : far_forward(y.h, y.rates);
            const Next<W> end = next_of(y, m, y.walks);
            y.walks = without(end.stops, y.walks);
            y.v = select(y.walks, flush(end.v), y.v);
            y.j = select(y.walks, flush(flush(end.j) + load<W>(weight[k] + i)), y.j);
            y.item = one_more(y.item, y.walks);
        }
        y.walks = y.held;
        y.level = parameter<W>(LEVEL, places), y.reset = parameter<W>(RESET, places);
        y.self = parameter<W>(SELF, places);
        while (any(y.waits | y.walks)) {
            if (any(y.waits)) end_waiting(x, i, y);
            M let_go = M{};
            if (any(y.held & y.walks)) {
                store(x.h, y.h);
                put<W>(y.item);
                let_go = marked<W>(let_go_before(x, i, bits_of(M(y.held & y.walks))));
                y.h = load<W>(x.h);
            }
            const Next<W> end = next_of(y, propagators(y.h, y.rates), without(y.held, y.walks));
            const M on = without(let_go, without(end.stops, y.walks));
            y.v = select(on, select(y.held, y.reset, flush(end.v)), y.v);
            y.j = select(on, flush(flush(end.j) + weight_at<W>(y.item, i)), y.j);
            if (any(let_go)) {
                y.v = select(let_go, y.reset, y.v);
                y.j = select(let_go, flush(end.j), y.j);
                store(x.j, y.j);
                release(x, i, bits_of(let_go));
                y.held = without(let_go, y.held);
                y.h = load<W>(x.h);
            }
            y.walks = let_go | reach(x, i, y, on);
        }
        store(x.v, y.v);
        store(x.j, y.j);
        leave(x, i, mine, bits_of(y.held), were_held);
    }

    // Load the state of the lanes' neurons at the start of their stretches.
    template <class W> void take(Lane<W>& x, int i, int mine) {
        x.inside = 0;
        for (int l = 0; l < mine; ++l) {
            const Sample<R>& s = of(i + l);
            const int n = who[i + l];
            x.met[l] = 0;
            x.fired[l] = s.fired_arrival[n] == s.arrival ? s.fired_times[n] : 0;
        }
    }

    // The states at the items of the lanes; those of `walking` that may fire before now wait.
    template <class W> FORMULA_MEMBER Next<W> next_of(Walk<W>& y, const Map<W>& m, Mask<W> walking) const {
        const W v = fused(m.gain, y.j, m.x * y.v), j = m.y * y.j;
        const Mask<W> stops = walking & may_fire(y, v, j);
        y.v_there = select(stops, v, y.v_there);
        y.j_there = select(stops, j, y.j_there);
        y.waits = y.waits | stops;
        return {v, j, stops};
    }

    // Lanes that wait fire; where there is no crossing, the item is reached after all.
    template <class W> FORMULA_MEMBER void end_waiting(Lane<W>& x, int i, Walk<W>& y) {
        const Mask<W> fires = fire(x, i, y);
        if (any(fires)) {
            if (refractory) y.held = y.held | (fires & marked<W>(held_of(i, bits_of(fires))));
            y.h = load<W>(x.h);
            y.v = select(fires, y.reset, y.v);
            y.j = select(fires, load<W>(x.left) + y.self, y.j);
        }
        const Mask<W> on = without(fires, y.waits);
        y.v = select(on, flush(y.v_there), y.v);
        y.j = select(on, flush(flush(y.j_there) + weight_at<W>(y.item, i)), y.j);
        y.walks = y.walks | fires | reach(x, i, y, on);
        y.waits = Mask<W>{};
    }

    template <class W> FORMULA_MEMBER W top_of(const Walk<W>& y, W v_end, W j_end) const {
        const W top = highest(y.v, y.j, v_end, j_end, y.h, y.rates.mem, y.peak);
        return neurons.strength ? select(y.v > top, y.v, top) : top;  // a threshold may fall onto it
    }

    template <class W> FORMULA_MEMBER Mask<W> may_fire(const Walk<W>& y, W v_end, W j_end) const {
        return top_of(y, v_end, j_end) >= y.alert;
    }

    // The waiting lanes whose neurons fire before their item; their spikes are written.
    template <class W> FORMULA_MEMBER Mask<W> fire(Lane<W>& x, int i, const Walk<W>& y) {
        using M = Mask<W>;
        put<W>(y.item);
        W tau;
        if (neurons.strength) {
            store(x.h, y.h);
            store(x.top, top_of(y, y.v_there, y.j_there));
            tau = one_by_one(y.waits, spread<W>(-1), [&](int l) {
                const Sample<R>& s = of(i + l);
                const int n = who[i + l];
                const Threshold p = {neurons.strength[s.low + n], neurons.rate[s.low + n]};
                const Rates<R> own = {at(y.rates.slow, l), at(y.rates.gap, l), at(y.rates.mem, l), R(0)};
                const OnWay<R> way = {at(y.v, l), at(y.j, l), x.h[l],          x.top[l],
                                      own,        at(y.level, l), at(y.alert, l)};
                return crossing_within(p, s.adapted[n], start_of(x, s, l, (int)items[l]), way);
            });
        } else {
            tau = crossing(y.v, y.j, y.h, y.rates, y.level, y.waits);
        }
        const M found = y.waits & (tau >= R(0));
        if (!any(found)) return M{};
        store(x.tau, tau);
        store(x.left, flush(propagators(select(found, tau, spread<W>(0)), y.rates).y * y.j));
        store(x.h, y.h);
        return marked<W>(note_spikes(x, i, bits_of(found)));
    }

    // Store the state of the lanes' neurons after their stretches.
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

    // Lanes `on` have met their item; those of them that have another, whose way begins.
    template <class W> FORMULA_MEMBER Mask<W> reach(Lane<W>& x, int i, Walk<W>& y, Mask<W> on) const {
        y.item = one_more(y.item, on);
        x.inside &= ~bits_of(on);
        W way = y.h;
        UNROLL for (int k = 1; k < ITEMS; ++k)
            way = select(y.item == k, load<W>(since[k] + i), way);
        y.h = select(on, way, y.h);
        return on & (y.item < ITEMS);
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
