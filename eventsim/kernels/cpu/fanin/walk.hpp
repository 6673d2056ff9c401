// The neurons of a block in one sample, each from arrival to arrival of its own, side by side in vectors.
//
// A neuron is in a lane until the sample ends; then the lane takes the next neuron. A lane in which one
// may fire before its next arrival waits until half of all do: then their crossings are solved at once.
// Own spikes that return, and V being let go, are met one by one. What a neuron does depends on nothing
// beside it.
//
// Reference       eventsim/engine/reference/layer.py, one neuron at a time
#pragma once
#include "alone.hpp"
#include "spread.hpp"

namespace eventsim {

template <class V> class Walk : LaneNeurons<V, FaninForward<Real<V>>> {
    using Base = LaneNeurons<V, FaninForward<Real<V>>>;
    using typename Base::R, typename Base::Item, typename Base::Lane;
    using Base::N, Base::NEVER, Base::HELD, Base::a, Base::s, Base::t_end, Base::active, Base::lanes;
    using Base::t, Base::next, Base::v, Base::j, Base::slow, Base::gap, Base::mem, Base::level;
    using Base::alert, Base::peak, Base::reset, Base::self, Base::tau, Base::left, Base::top, Base::at;
    using Base::to, Base::rates;
    using M = Mask<V>;

    const Spread<R>& in;
    const bool special;       // some neurons are held, or have own spikes that return
    int64_t next_neuron;
    uint32_t waits;
    alignas(64) Item end[N];  // the last arrival, which is the sample's end

  public:
    Walk(const FaninForward<R>& call, const Spread<R>& in, bool special, int64_t* link)
        : Base(call, link), in(in), special(special) {}

    // The task: what arrives is spread. Its spikes are written and counted.
    void run(int64_t task, int64_t sample) {
        SpikeRoom room(a.spikes, task);
        Base::begin(room, sample);
        Base::times = in.time;
        next_neuron = 0;
        waits = 0;
        for (int l = 0; l < N; ++l)
            if (load(l)) active |= 1u << l;
        while (active) special ? go<true>() : go<false>();
        Base::end(task);
    }

  private:
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

    // Step all lanes from v and j at t to the next arrivals of their lists, or to an earlier special event.
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
        return Base::bound_of(v, j, x.v_end, x.j_end, x.h, eventsim::load<V>(mem), eventsim::load<V>(peak));
    }

    // V and J of all lanes where they have gone their ways; at the next arrivals of the lists.
    struct There {
        V v, j;
    };
    template <bool SPECIAL> FORMULA_MEMBER There arrive(const Way& x, V v, V j, Whole<V> at) const {
        There y = {select(x.tie, v, flush(x.v_end)), select(x.tie, j, flush(x.j_end))};
        const V arrived = y.j + gather_at<V>(in.weight, at);
        if (SPECIAL) {
            y.v = select(eventsim::load<V>(alert) == HELD, eventsim::load<V>(reset), y.v);
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

    // Walk all lanes until half of them wait, whose crossings are then solved. Mostly all lanes go on to
    // arrivals: the next one is looked up without waiting for V.
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
            found = one_by_one(asked, spread<V>(R(-1)), [&](int l) { return Base::adaptive_way(l); });
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
        for (uint32_t bits = fires; bits; bits &= bits - 1) {
            const int l = __builtin_ctz(bits);
            if (!Base::fire(l)) leave(l);
        }
    }

    // A lane has met what came: an arrival, the end, or what came `sooner`.
    void meet(int l, bool sooner) {
        const bool arrived = !sooner || Base::meet_own(l);
        if (at[l] > end[l]) leave(l);
        else if (arrived && at[l] == end[l]) Base::keep(l);
    }

    void leave(int l) {
        if (!load(l)) active &= ~(1u << l);
    }

    // The next neuron comes into a lane; false where there is none.
    bool load(int l) {
        while (next_neuron < in.size) {
            const int64_t k = next_neuron++, first = in.start[k];
            if (!Base::goes(in.low + k)) continue;
            end[l] = Item(in.start[k + 1] - 1);
            Base::take(l, in.low + k, first, in.time[first]);
            return true;
        }
        if (in.size > 0) at[l] = end[l] = Item(in.start[in.size] - 1);
        Base::take_nothing(l);
        return false;
    }
};

}  // namespace eventsim
