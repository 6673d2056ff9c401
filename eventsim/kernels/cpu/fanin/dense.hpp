// Forward pass of dense layers of which own spikes return later: all neurons meet the same events.
//
// Side by side    neighbouring neurons in vectors, from event to event. One that may fire before the
//                 next event, is let go, or meets a spike of its own, goes there alone: as rarely as
//                 there are spikes. Tasks, blocks of neurons in samples, are dealt to threads by the
//                 caller; no result depends on who runs beside whom.
// Before, After   as forward.hpp: each neuron has the bits that it has there, from a list of its own.
// Reference       eventsim/engine/reference/layer.py, one neuron at a time
#pragma once
#include "../../lanes.hpp"
#include "../arena.hpp"
#include "../dense/blocks.hpp"
#include "../order/search.hpp"
#include "alone.hpp"

namespace eventsim {

template <class V> class DenseWalk : LaneNeurons<V, DenseFaninForward<Real<V>>> {
    using Base = LaneNeurons<V, DenseFaninForward<Real<V>>>;
    using typename Base::R;
    using Base::N, Base::NEVER, Base::HELD, Base::a, Base::s, Base::t_end, Base::active, Base::t;
    using Base::next, Base::v, Base::j, Base::slow, Base::gap, Base::mem, Base::level, Base::alert;
    using Base::peak, Base::reset, Base::tau, Base::left, Base::top, Base::at, Base::to;

    const int64_t width;
    const R* weights;         // [n_rows, width] of the block; the last are zero
    const int32_t* rows;      // of the events
    int64_t n_events;
    double soonest;           // of what comes to a neuron by itself

  public:
    DenseWalk(const DenseFaninForward<R>& call, int64_t* link) : Base(call, link), width(call.rows.width) {}

    // The task; its spikes are written and counted.
    void run(int64_t task) {
        const int64_t blocks = a.tasks.n_blocks, sample = task / blocks, block = task % blocks;
        SpikeRoom room(a.spikes, task);
        Base::begin(room, sample);
        const double* const all = a.sent.time;
        const int64_t lo = first_at_least(all, a.sent.offsets[s], a.sent.offsets[s + 1], a.sent.begin[s]);
        n_events = first_at_least(all, lo, a.sent.offsets[s + 1], t_end) - lo;
        Base::times = all + lo;
        rows = a.sent.row + lo;
        weights = a.rows.values + block * a.rows.n_rows * width;
        const int64_t low = low_of(block, width), size = size_of(block, width, a.neurons.size);
        for (int64_t n = 0; n < size; n += N) {
            for (int l = 0; l < N; ++l)
                if (n + l < size && Base::goes(low + n + l)) {
                    Base::take(l, low + n + l, 0, time_of(0));
                    active |= 1u << l;
                } else {
                    Base::take_nothing(l);
                }
            if (active) go(n);
        }
        Base::end(task);
    }

  private:
    double time_of(int64_t k) const { return k < n_events ? Base::times[k] : t_end; }

    // The lanes from event to event up to the end of the sample, the weights of which are those from n on.
    __attribute__((noinline)) void go(int64_t n) {
        const Rates<V> r = Base::rates();
        const V reach = load<V>(peak), held = load<V>(reset);
        V v = load<V>(this->v), j = load<V>(this->j), alert = load<V>(this->alert);
        const R fastest = R(a.neurons.fastest);
        // Where all are that are not behind it.
        double now = t[__builtin_ctz(active)];
        uint32_t behind = 0;
        for (uint32_t bits = active; bits; bits &= bits - 1) {
            const int l = __builtin_ctz(bits);
            behind |= (t[l] != now ? 1u : 0u) << l;
        }
        look();
        for (int64_t k = 0; k <= n_events; ++k) {
            const double to = time_of(k);
            const R* const row = weights + (k < n_events ? rows[k] : a.rows.n_rows - 1) * width + n;
            V v_on = v, j_on = j;
            uint32_t alone = behind;
            if (to != now) {
                const R way = R(to - now);
                const V h = spread<V>(way);
                const Map<V> m = fastest * way <= R(SMALL_Z) ? near_forward(h, r) : far_forward(h, r);
                const V v_end = fused(m.gain, j, m.x * v), j_end = m.y * j;
                const V bound = Base::bound_of(v, j, v_end, j_end, h, r.mem, reach);
                alone |= bits_of(bound >= alert);
                v_on = flush(v_end);
                j_on = flush(j_end);
            }
            v_on = select(alert == HELD, held, v_on);
            j_on = j_on + load<V>(row);
            if (soonest < to) alone |= due(to);
            alone &= active;
            if (alone) {
                store(this->v, v);
                store(this->j, j);
                for (uint32_t bits = alone; bits; bits &= bits - 1) {
                    const int l = __builtin_ctz(bits);
                    if (!(behind >> l & 1)) t[l] = now;
                    go_alone(l, k, to, row[l]);
                }
                const Mask<V> went = marked<V>(alone);
                v_on = select(went, load<V>(this->v), v_on);
                j_on = select(went, load<V>(this->j), j_on);
                alert = load<V>(this->alert);
                behind = 0;
                look();
            }
            v = v_on;
            j = j_on;
            now = to;
            if (k == n_events - 1) keep_all(v, j, now);
        }
        active = 0;
    }

    void look() {
        soonest = NEVER;
        for (uint32_t bits = active; bits; bits &= bits - 1)
            soonest = std::min(soonest, next[__builtin_ctz(bits)]);
    }

    // The lanes to which something comes by itself before that time.
    FORMULA_MEMBER uint32_t due(double time) const {
        DoublesOf<V> to;
        UNROLL for (int i = 0; i < to.parts; ++i) to.part[i] = spread<Doubles>(time);
        return less(load_wide<V>(next), to);
    }

    // A lane goes from where it is to event k, at `until`, of that weight, or ends its way.
    void go_alone(int l, int64_t k, double until, R weight) {
        const Rates<R> r = {slow[l], gap[l], mem[l], R(0)};
        at[l] = k;
        for (;;) {
            const bool sooner = next[l] < until;
            to[l] = sooner ? next[l] : until;
            R v_on = v[l], j_on = j[l];
            if (to[l] != t[l]) {
                const R h = R(to[l] - t[l]);
                const Map<R> m = propagators(h, r);
                const R v_end = fused(m.gain, j[l], m.x * v[l]), j_end = m.y * j[l];
                top[l] = Base::bound_of(v[l], j[l], v_end, j_end, h, mem[l], peak[l]);
                if (top[l] >= alert[l] && crosses(l, h, r)) {
                    if (Base::fire(l)) continue;
                    active &= ~(1u << l);
                    Base::take_nothing(l);
                    return;
                }
                v_on = flush(v_end);
                j_on = flush(j_end);
            }
            v[l] = alert[l] == HELD ? reset[l] : v_on;
            j[l] = sooner ? j_on : j_on + weight;
            t[l] = to[l];
            if (!sooner) return;
            if (Base::meet_own(l) && k == n_events) Base::keep(l);
        }
    }

    // Whether the neuron of lane l crosses its threshold within h ms, before the event at their end.
    bool crosses(int l, R h, const Rates<R>& r) {
        tau[l] = a.neurons.strength ? Base::adaptive_way(l) : crossing(v[l], j[l], h, r, level[l], true);
        if (!(tau[l] >= R(0)) || !(t[l] + double(tau[l]) < to[l])) return false;
        left[l] = flush(propagators(tau[l], r).y * j[l]);
        return true;
    }

    void keep_all(V v, V j, double time) {
        store(this->v, v);
        store(this->j, j);
        for (uint32_t bits = active; bits; bits &= bits - 1) {
            const int l = __builtin_ctz(bits);
            t[l] = time;
            Base::keep(l);
        }
    }
};

template <class V> int dense_fanin_forward(const DenseFaninForward<Real<V>>& call) {
    int64_t most = 0;
    for (int64_t i = 0; i < call.tasks.n; ++i) most = std::max(most, call.spikes.limits[call.tasks.todo[i]]);
    Arena links(most * sizeof(int64_t) + 64);
    if (!links.ok()) return NO_MEMORY;
    DenseWalk<V> walk(call, links.take<int64_t>(most));
    for (int64_t i = 0; i < call.tasks.n; ++i) walk.run(call.tasks.todo[i]);
    return DONE;
}

}  // namespace eventsim
