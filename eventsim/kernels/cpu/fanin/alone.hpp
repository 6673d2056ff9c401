// One neuron of the lanes, alone, where own spikes may return and V may be held.
//
// Reference       eventsim/engine/reference/layer.py
#pragma once
#include <algorithm>
#include <limits>

#include "../../lanes.hpp"
#include "../../neuron/adaptive.hpp"
#include "../calls.hpp"
#include "../spike_room.hpp"
#include "../table.hpp"

namespace eventsim {

template <class V, class Call> class LaneNeurons {
  protected:
    using R = Real<V>;
    using Item = std::conditional_t<sizeof(R) == 4, int32_t, int64_t>;
    static constexpr int N = Numbers<V>::count;
    static constexpr double NEVER = std::numeric_limits<double>::infinity();
    static constexpr R HELD = std::numeric_limits<R>::infinity();  // the alert level meanwhile

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

    const Call& a;
    int64_t* const link;      // of each spike: the neuron's next; null where none returns
    SpikeRoom* spikes;
    int64_t s, task_failed;
    const double* times;      // of arrivals
    double t_end, failed_at;
    uint32_t active;
    Lane lanes[N];
    alignas(64) double t[N], next[N];   // where it is; the sooner of `until` and `own`
    alignas(64) R v[N], j[N], slow[N], gap[N], mem[N], level[N], alert[N], peak[N], reset[N], self[N];
    alignas(64) R tau[N], left[N], top[N];
    alignas(64) Item at[N];             // next arrival
    alignas(64) double to[N];

    LaneNeurons(const Call& call, int64_t* link) : a(call), link(link) {}

    FORMULA_MEMBER Rates<V> rates() const {
        return {eventsim::load<V>(slow), eventsim::load<V>(gap), eventsim::load<V>(mem), V{}};
    }

    // A bound of v from (v, j) over h ms.
    template <class W>
    FORMULA_MEMBER W bound_of(W v, W j, W v_end, W j_end, W h, W rate_mem, W reach) const {
        const W top = highest(v, j, v_end, j_end, h, rate_mem, reach);
        return a.neurons.strength ? select(v > top, v, top) : top;  // a threshold may fall onto v
    }

    Threshold threshold(int64_t n) const { return {a.neurons.strength[n], a.neurons.rate[n]}; }

    R adaptive_way(int l) const {
        const OnWay<R> way = {v[l], j[l], R(to[l] - t[l]), top[l], {slow[l], gap[l], mem[l], R(0)},
                              level[l], a.neurons.par[ALERT * a.neurons.size + lanes[l].n]};
        return crossing_within(threshold(lanes[l].n), lanes[l].adapted, t[l], way);
    }

    // The task begins; its spikes come to `room`.
    void begin(SpikeRoom& room, int64_t sample) {
        spikes = &room;
        s = sample;
        t_end = failed_at = a.sent.duration[s];
        task_failed = -1;
        active = 0;
    }

    // Write the result of the task: its count of spikes, or the neuron that ran away.
    void end(int64_t task) const {
        a.spikes.counts[task] = task_failed < 0 ? spikes->count : -1 - task_failed;
        a.spikes.reached[task] = failed_at;
    }

    // The neuron of lane l fires tau ms later; false if that ends its sample.
    bool fire(int l) {
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
            return false;
        }
        return !(x.delay > 0.0) || remember(l, number);
    }

    bool runs_away(int l) {
        Lane& x = lanes[l];
        if (x.met != at[l]) {
            x.met = at[l];
            x.fired = 0;
        }
        if (++x.fired <= RUNAWAY_PER_MS) return false;
        const double since = at[l] > x.first ? times[at[l] - 1] : x.begin;
        return double(x.fired) > RUNAWAY_PER_MS * (1.0 + (t[l] - since));
    }

    void hold(int l, int64_t spike, double until) {
        lanes[l].held_by = spike;
        lanes[l].until = until;
        alert[l] = HELD;
        next[l] = std::min(lanes[l].until, lanes[l].own);
    }

    // A spike is to return. One that has no place ends the neuron: all is run again with more room.
    bool remember(int l, int64_t spike) {
        Lane& x = lanes[l];
        if (spike >= spikes->limit) return false;
        link[spike] = -1;
        if (x.head < 0) x.head = spike; else link[x.tail] = spike;
        x.tail = spike;
        look_for_own(l);
        return true;
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

    // An own spike returns, or V is let go; whether it was the former.
    bool meet_own(int l) {
        Lane& x = lanes[l];
        if (x.own <= x.until) {
            j[l] += a.returns.weight[x.n];
            if (x.early < x.n_early) ++x.early; else x.head = link[x.head];
            look_for_own(l);
            return true;
        }
        v[l] = reset[l];
        j[l] = flush(j[l]);
        spikes->let_go(x.held_by, j[l]);
        x.until = NEVER;
        next[l] = x.own;
        alert[l] = a.neurons.par[ALERT * a.neurons.size + x.n];
        return false;
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

    // Whether neuron n has an event before the end of the sample.
    bool goes(int64_t n) const { return a.begin.time[s * a.neurons.size + n] < t_end; }

    void take_nothing(int l) {
        t[l] = t_end;
        next[l] = NEVER;
        v[l] = j[l] = slow[l] = gap[l] = mem[l] = level[l] = peak[l] = reset[l] = self[l] = R(0);
        alert[l] = HELD;
    }

    // Neuron n comes into a lane, as it stands at first; its first arrival is number `first`, at `time`.
    void take(int l, int64_t n, int64_t first, double time) {
        Lane& x = lanes[l];
        const int64_t size = a.neurons.size, from = s * size + n;
        const R* const par = a.neurons.par + n;
        slow[l] = par[SLOW * size], gap[l] = par[GAP * size], mem[l] = par[RATE_MEM * size];
        level[l] = par[LEVEL * size], alert[l] = par[ALERT * size], peak[l] = par[PEAK * size];
        reset[l] = par[RESET * size], self[l] = par[SELF * size];
        x.n = n;
        at[l] = Item(first);
        x.first = x.met = first;
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
        if (std::min(time, x.own) == t[l]) {
            // An arrival at the begin is no tie.
            v[l] = held ? v[l] : flush(v[l]);
            j[l] = flush(j[l]);
        }
    }
};

}  // namespace eventsim
