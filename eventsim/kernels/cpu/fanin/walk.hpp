// The neurons of a block in one sample, each from arrival to arrival of its own, side by side in vectors.
//
// A neuron is in a lane until the sample ends; then the lane takes the next neuron. A lane in which one
// may fire before its next arrival waits until half of all do: then their crossings are solved at once.
// Own spikes that return, and V being let go, are met one by one. What a neuron does depends on nothing
// beside it.
//
// Reference       eventsim/engine/reference/layer.py, one neuron at a time
#pragma once
#include <limits>

#include "../../lanes.hpp"
#include "../../neuron/adaptive.hpp"
#include "../spike_room.hpp"
#include "../table.hpp"
#include "../calls.hpp"
#include "spread.hpp"

namespace eventsim {

template <class V> class Walk {
    using R = Real<V>;
    using M = Mask<V>;
    using Item = std::conditional_t<sizeof(R) == 4, int32_t, int64_t>;
    static constexpr int N = Numbers<V>::count;
    static constexpr double NEVER = std::numeric_limits<double>::infinity();

    // A neuron in a lane, beside what its vectors hold.
    struct Lane {
        int64_t n;            // of all neurons
        double begin;         // when it began
        int64_t first;        // its first arrival
        int64_t fired, met;   // spikes since its last arrival, which is that before `met`
        int64_t held_by;      // the spike that holds V
        double until, own;    // when V is let go, and when an own spike returns; NEVER
        double delay;         // of own spikes
        int64_t early, n_early;
        int64_t head, tail;   // its spikes that are to return
        Adapted adapted;
    };

    const FaninForward<R>& a;
    const Spread<R>& in;
    const bool special;       // some neurons are held, or have own spikes that return
    int64_t* const link;      // of each spike: the neuron's next; null where none returns
    SpikeRoom* spikes;
    int64_t s, next_neuron, task_failed;
    double t_end, failed_at;
    uint32_t active, waits;
    Lane lanes[N];
    alignas(64) double t[N], next[N];   // where it is; the sooner of `until` and `own`
    alignas(64) R v[N], j[N], slow[N], gap[N], mem[N], level[N], alert[N], peak[N], reset[N], self[N];
    alignas(64) R tau[N], left[N], top[N];
    alignas(64) Item at[N], end[N];     // next arrival, and the last one, which is the sample's end
    alignas(64) double to[N];

  public:
    Walk(const FaninForward<R>& call, const Spread<R>& in, bool special, int64_t* link)
        : a(call), in(in), special(special), link(link) {}

    // The task: what arrives is spread. Its spikes are written and counted.
    void run(int64_t task, int64_t sample) {
        SpikeRoom room(a.spikes, task);
        spikes = &room;
        s = sample;
        t_end = failed_at = a.sent.duration[s];
        task_failed = -1;
        next_neuron = 0;
        active = waits = 0;
        for (int l = 0; l < N; ++l)
            if (load(l)) active |= 1u << l;
        while (active) special ? go<true>() : go<false>();
        a.spikes.counts[task] = task_failed < 0 ? room.count : -1 - task_failed;
        a.spikes.reached[task] = failed_at;
    }

  private:
    FORMULA_MEMBER Rates<V> rates() const {
        return {eventsim::load<V>(slow), eventsim::load<V>(gap), eventsim::load<V>(mem), V{}};
    }
    FORMULA_MEMBER Whole<V> load_items(const Item* from) const {
        Whole<V> x;
        __builtin_memcpy(&x, from, sizeof x);
        return x;
    }

    // The ways of all lanes to what comes next.
    struct Way {
        DoublesOf<V> to;
        uint32_t sooner;  // it is no arrival of the list
        M tie;            // it is at once behind an arrival
        V h, v_end, j_end;
        M stops;          // one may fire
    };

    // From v and j at t to the next arrivals of the lists, or to what comes sooner.
    template <bool SPECIAL>
    FORMULA_MEMBER Way ahead(V v, V j, const DoublesOf<V>& t, const DoublesOf<V>& arrival) const {
        Way x;
        x.to = arrival;
        x.sooner = 0;
        if (SPECIAL) {
            const DoublesOf<V> other = load_wide<V>(next);
            x.sooner = less(other, x.to);
            x.to = select(x.sooner, other, x.to);
        }
        x.h = difference(x.to, t);
        x.tie = marked<V>(equal(x.to, t));
        const Rates<V> r = rates();
        const Map<V> m = propagators(x.h, r);
        x.v_end = fused(m.gain, j, m.x * v);
        x.j_end = m.y * j;
        x.stops = without(x.tie, highest_of(v, j, x) >= eventsim::load<V>(alert));
        return x;
    }
    FORMULA_MEMBER V highest_of(V v, V j, const Way& x) const {
        const V top = highest(v, j, x.v_end, x.j_end, x.h, eventsim::load<V>(mem),
                              eventsim::load<V>(peak));
        return a.neurons.strength ? select(v > top, v, top) : top;  // a threshold may fall onto v
    }

    // V and J of all lanes where they have gone their ways; at the next arrivals of the lists.
    struct There {
        V v, j;
    };
    template <bool SPECIAL> FORMULA_MEMBER There arrive(const Way& x, V v, V j, Whole<V> at) const {
        There y = {select(x.tie, v, flush(x.v_end)), select(x.tie, j, flush(x.j_end))};
        const V arrived = y.j + gather_at<V>(in.weight, at);
        if (SPECIAL) {
            y.v = select(eventsim::load<V>(alert) == std::numeric_limits<R>::infinity(),
                         eventsim::load<V>(reset), y.v);
            y.j = select(marked<V>(x.sooner), y.j, arrived);
        } else {
            y.j = arrived;
        }
        return y;
    }

    // The lanes `on` are there.
    template <bool SPECIAL>
    FORMULA_MEMBER void reach(const Way& x, const There& y, M on, V& v, V& j, DoublesOf<V>& t,
                              Whole<V>& at) const {
        v = select(on, y.v, v);
        j = select(on, y.j, j);
        at = one_more(at, SPECIAL ? without(marked<V>(x.sooner), on) : on);
        t = select(bits_of(on), x.to, t);
    }

    // All lanes walk until half of them wait, whose crossings are then solved. Mostly all lanes go on to
    // arrivals: what comes next is looked up without waiting for V.
    template <bool SPECIAL> __attribute__((noinline)) void go() {
        V v = eventsim::load<V>(this->v), j = eventsim::load<V>(this->j);
        DoublesOf<V> t = load_wide<V>(this->t);
        Whole<V> at = load_items(this->at);
        M walks = marked<V>(active & ~waits);
        DoublesOf<V> arrival = gather_wide<V>(in.time, at);
        for (;;) {
            const Whole<V> next_at = one_more(at, walks);
            const DoublesOf<V> next_arrival = gather_wide<V>(in.time, next_at);
            const Way x = ahead<SPECIAL>(v, j, t, arrival);
            const There y = arrive<SPECIAL>(x, v, j, at);
            const M on = without(x.stops, walks);
            const uint32_t going = bits_of(on);
            const uint32_t events =
                bits_of(M(on & (next_at >= load_items(end)))) | (SPECIAL ? going & x.sooner : 0);
            const uint32_t stops = bits_of(walks) & ~going;
            if (!(events | stops)) {
                v = select(walks, y.v, v);
                j = select(walks, y.j, j);
                t = select(bits_of(walks), x.to, t);
                at = next_at;
                arrival = next_arrival;
                continue;
            }
            reach<SPECIAL>(x, y, on, v, j, t, at);
            waits |= stops;
            if (events) {
                put(v, j, t, at);
                for (uint32_t bits = events; bits; bits &= bits - 1) {
                    const int l = __builtin_ctz(bits);
                    meet(l, SPECIAL && x.sooner >> l & 1);
                }
                v = eventsim::load<V>(this->v);
                j = eventsim::load<V>(this->j);
                t = load_wide<V>(this->t);
                at = load_items(this->at);
            }
            walks = marked<V>(active & ~waits);
            if (waits && __builtin_popcount(waits) >= __builtin_popcount(active & ~waits)) break;
            if (!active) return;
            arrival = gather_wide<V>(in.time, at);
        }
        solve<SPECIAL>(v, j, t, at);
    }

    FORMULA_MEMBER void put(V v, V j, const DoublesOf<V>& t, Whole<V> at) {
        store(this->v, v);
        store(this->j, j);
        store_wide(this->t, t);
        __builtin_memcpy(this->at, &at, sizeof at);
    }

    // The lanes that wait fire before what comes next, or reach it.
    template <bool SPECIAL> FORMULA_MEMBER void solve(V v, V j, DoublesOf<V> t, Whole<V> at) {
        const Way x = ahead<SPECIAL>(v, j, t, gather_wide<V>(in.time, at));
        const M asked = marked<V>(waits);
        store_wide(to, x.to);
        put(v, j, t, at);
        V found;
        if (a.neurons.strength) {
            store(top, highest_of(v, j, x));
            found = one_by_one(asked, spread<V>(R(-1)), [&](int l) { return adaptive_way(l); });
        } else {
            found = crossing(v, j, x.h, rates(), eventsim::load<V>(level), asked);
        }
        const M crosses = asked & (found >= R(0));
        store(tau, found);
        store(left, flush(propagators(select(crosses, found, spread<V>(0)), rates()).y * j));
        uint32_t fires = 0;
        for (uint32_t bits = bits_of(crosses); bits; bits &= bits - 1) {
            const int l = __builtin_ctz(bits);
            fires |= (this->t[l] + double(tau[l]) < to[l] ? 1u : 0u) << l;
        }
        const uint32_t others = waits & ~fires;
        const M on = marked<V>(others);
        reach<SPECIAL>(x, arrive<SPECIAL>(x, v, j, at), on, v, j, t, at);
        const uint32_t events =
            bits_of(M(on & (at >= load_items(end)))) | (SPECIAL ? others & x.sooner : 0);
        put(v, j, t, at);
        waits = 0;
        for (uint32_t bits = events; bits; bits &= bits - 1) {
            const int l = __builtin_ctz(bits);
            meet(l, SPECIAL && x.sooner >> l & 1);
        }
        for (uint32_t bits = fires; bits; bits &= bits - 1) fire(__builtin_ctz(bits));
    }

    Threshold threshold(int64_t n) const { return {a.neurons.strength[n], a.neurons.rate[n]}; }

    R adaptive_way(int l) const {
        const OnWay<R> way = {v[l], j[l], R(to[l] - t[l]), top[l], {slow[l], gap[l], mem[l], R(0)},
                              level[l], a.neurons.par[ALERT * a.neurons.size + lanes[l].n]};
        return crossing_within(threshold(lanes[l].n), lanes[l].adapted, t[l], way);
    }

    void fire(int l) {
        Lane& x = lanes[l];
        const double at_spike = t[l] + double(tau[l]), refractory = a.neurons.refractory[x.n];
        const int64_t number = spikes->count;
        spikes->add(x.n, at_spike, left[l], refractory > 0.0);
        t[l] = at_spike;
        v[l] = reset[l];
        j[l] = left[l] + self[l];
        if (a.neurons.strength) jump(threshold(x.n), x.adapted, at_spike);
        if (refractory > 0.0) hold(l, number, at_spike + refractory);
        if (runs_away(l)) {
            if (at_spike < failed_at || (at_spike == failed_at && x.n < task_failed)) {
                failed_at = at_spike;
                task_failed = x.n;
            }
            leave(l);
        } else if (x.delay > 0.0) {
            remember(l, number);
        }
    }

    bool runs_away(int l) {
        Lane& x = lanes[l];
        if (x.met != at[l]) {
            x.met = at[l];
            x.fired = 0;
        }
        if (++x.fired <= RUNAWAY_PER_MS) return false;
        const double since = at[l] > x.first ? in.time[at[l] - 1] : x.begin;
        return double(x.fired) > RUNAWAY_PER_MS * (1.0 + (t[l] - since));
    }

    void hold(int l, int64_t spike, double until) {
        lanes[l].held_by = spike;
        lanes[l].until = until;
        alert[l] = std::numeric_limits<R>::infinity();
        next[l] = std::min(lanes[l].until, lanes[l].own);
    }

    // A spike is to return. One that has no place ends the neuron: all is run again with more room.
    void remember(int l, int64_t spike) {
        Lane& x = lanes[l];
        if (spike >= spikes->limit) {
            leave(l);
            return;
        }
        link[spike] = -1;
        if (x.head < 0) x.head = spike; else link[x.tail] = spike;
        x.tail = spike;
        look_for_own(l);
    }

    void look_for_own(int l) {
        Lane& x = lanes[l];
        x.own = NEVER;
        if (x.early < x.n_early)
            x.own = a.returns.early[x.early] + x.delay;
        else if (x.head >= 0)
            x.own = a.spikes.time[spikes->start + x.head] + x.delay;
        next[l] = std::min(x.until, x.own);
    }

    // A lane has met what came: an arrival, the end, or what came `sooner`.
    void meet(int l, bool sooner) {
        Lane& x = lanes[l];
        bool arrived = true;
        if (sooner && x.own <= x.until) {
            j[l] += a.returns.weight[x.n];
            if (x.early < x.n_early) ++x.early; else x.head = link[x.head];
            look_for_own(l);
        } else if (sooner) {
            v[l] = reset[l];
            j[l] = flush(j[l]);
            spikes->let_go(x.held_by, j[l]);
            x.until = NEVER;
            next[l] = x.own;
            alert[l] = a.neurons.par[ALERT * a.neurons.size + x.n];
            arrived = false;
        }
        if (at[l] > end[l]) leave(l);
        else if (arrived && at[l] == end[l]) keep(l);
    }

    // The neuron as it stands right after an arrival.
    void keep(int l) {
        const Lane& x = lanes[l];
        const int64_t to = s * a.neurons.size + x.n;
        a.end.time[to] = t[l];
        a.end.v[to] = v[l];
        a.end.j[to] = j[l];
        a.end.until[to] = x.until < NEVER ? x.until : -1.0;
        if (a.end.a) a.end.a[to] = x.adapted.a, a.end.last[to] = x.adapted.last;
    }

    void leave(int l) {
        if (!load(l)) active &= ~(1u << l);
    }

    // The next neuron comes into a lane; false where there is none.
    bool load(int l) {
        while (next_neuron < in.size) {
            const int64_t k = next_neuron++;
            if (a.begin.time[s * a.neurons.size + in.low + k] < t_end) {
                take(l, k);
                return true;
            }
        }
        if (in.size > 0) at[l] = end[l] = Item(in.start[in.size] - 1);
        t[l] = t_end;
        next[l] = NEVER;
        v[l] = j[l] = slow[l] = gap[l] = mem[l] = R(0);
        return false;
    }

    void take(int l, int64_t k) {
        Lane& x = lanes[l];
        const int64_t size = a.neurons.size, n = in.low + k, from = s * size + n;
        const R* const par = a.neurons.par + n;
        slow[l] = par[SLOW * size], gap[l] = par[GAP * size], mem[l] = par[RATE_MEM * size];
        level[l] = par[LEVEL * size], alert[l] = par[ALERT * size], peak[l] = par[PEAK * size];
        reset[l] = par[RESET * size], self[l] = par[SELF * size];
        x.n = n;
        at[l] = Item(in.start[k]);
        end[l] = Item(in.start[k + 1] - 1);
        x.first = x.met = at[l];
        x.fired = 0;
        x.begin = t[l] = a.begin.time[from];
        v[l] = a.begin.v[from];
        j[l] = a.begin.j[from];
        if (a.begin.a) x.adapted = {a.begin.a[from], a.begin.last[from]};
        x.delay = a.returns.delay[n];
        x.early = a.returns.first[from];
        x.n_early = a.returns.first[from + 1];
        x.head = -1;
        x.until = NEVER;
        look_for_own(l);
        const bool held = a.begin.until[from] >= 0.0;
        if (held) {
            hold(l, EARLIER, a.begin.until[from]);
            v[l] = reset[l];
        }
        if (std::min(in.time[at[l]], x.own) == t[l]) {
            // An arrival at the begin is no tie.
            v[l] = held ? v[l] : flush(v[l]);
            j[l] = flush(j[l]);
        }
    }
};

}  // namespace eventsim
