// Backward pass of loops: all arrivals of a sample from the last to the first.
//
// For loops whose neurons do not all meet the same events; the others go back as a layer does, dense/.
//
// A neuron goes back over its own spikes and releases when an arrival before them is met. Between two of
// them its adjoint is linear in that at the later one, so arrivals only ask what it is at their time.
// Whatever waits is settled before a neuron goes back over a spike: all that the spike caused came later,
// and has added its part to the spike's dL/dt by then. Of a spike and an arrival at the same neuron at
// exactly the same time, the arrival came first, unless it was caused without a delay by that neuron or
// one of a higher number, which fire after it.
//
// Side by side    MOST arrivals, of one neuron or of many. A task is a chunk of samples, taken one after
//                 the other: its sums are its own, so that no result depends on threads.
// Before          roles of the call; gradients, effects and sums hold what they are added to.
// After           `through` of the tape, and what is carried, changed to that at the begin.
// Reference       eventsim/engine/reference/queue.py
#pragma once
#include "../../lanes.hpp"
#include "../calls.hpp"
#include "../spikes_back.hpp"
#include "../synapses.hpp"
#include "heap.hpp"

namespace eventsim {

// Where a neuron is on its way back, what it comes to next, and its adjoint there, in one line of the
// cache; in double precision in two.
template <class R> struct alignas(64) BackPlace {
    double t, stop;
    Rates<R> rates;
    Adjoint<R> state;
};

// Arrivals that wait to be looked at: by how many ms each is before the place of its neuron.
template <class V> class Asking {
    using R = Real<V>;
    using Place = BackPlace<R>;
    static constexpr int N = Numbers<V>::count, WIDTH = sizeof(Place) / sizeof(R);

  public:
    static constexpr int MOST = 16;
    alignas(64) R since[MOST] = {}, weight[MOST] = {};
    alignas(64) R later[MOST], beta[MOST], beta_mem[MOST], beta_syn[MOST];  // what is found
    alignas(64) int32_t row[MOST] = {};  // of its neuron
    int64_t neuron[MOST], synapse[MOST], event[MOST];
    int size = 0;

    void add(int64_t n, int64_t k, int64_t e, R h, R w) {
        since[size] = h;
        weight[size] = w;
        row[size] = (int32_t)n * WIDTH;
        neuron[size] = n;
        synapse[size] = k;
        event[size++] = e;
    }

    // What the adjoint is at all of them, and what they add to dL/dt.
    __attribute__((noinline)) void look(const Place* all) {
        const R* const rates = &all->rates.slow;
        const R* const state = &all->state.alpha;
        for (int i = 0; i < MOST; i += N) {
            const int32_t* const at = row + i;
            const V h = load<V>(since + i);
            const Rates<V> r = {gather<V>(rates, at), gather<V>(rates + 1, at),
                                gather<V>(rates + 2, at), gather<V>(rates + 3, at)};
            const Adjoint<V> there = {gather<V>(state, at), gather<V>(state + 1, at),
                                      gather<V>(state + 2, at), gather<V>(state + 3, at),
                                      gather<V>(state + 4, at)};
            const Adjoint<V> x = pull_back(h, adjoint_propagators(h, r), there);
            store(later + i, load<V>(weight + i) * (r.syn * x.beta - r.mem * x.alpha));
            store(beta + i, x.beta);
            store(beta_mem + i, x.beta_mem);
            store(beta_syn + i, x.beta_syn);
        }
    }
};

template <class V> class LoopBackward {
    using R = Real<V>;
    using Place = BackPlace<R>;

    // What is summed of a neuron is side by side, with room up to SIDE.
    static constexpr int64_t SIDE = 4;

    const QueueBackward<R>& a;
    const int64_t size;
    const WeightTable weights;
    Arena arena;
    SpikesBack<R, double> spikes;
    Place* const place;
    Asking<V> asking;
    R* by_weight;      // of the chunk
    double* by_delay;
    double* const sums;  // [size, SIDE]

  public:
    explicit LoopBackward(const QueueBackward<R>& call)
        : a(call), size(call.neurons.size), weights{call.loop.parts, call.loop.n_parts},
          arena(SpikesBack<R, double>::room(size) + size * (sizeof(Place) + SIDE * 8) + 2 * 64),
          spikes(call.tape, call.neurons.strength != nullptr, size, nullptr, 1, arena, SIDE),
          place(arena.take<Place>(size)), sums(arena.take<double>(SIDE * size)) {
        spikes.sums = sums;
    }

    // False where there is no memory.
    bool run() {
        if (!arena.ok()) return false;
        for (int64_t i = 0; i < a.tasks.n; ++i) run_chunk(a.tasks.todo[i]);
        return true;
    }

  private:
    void run_chunk(int64_t chunk) {
        double* const own = a.found.own + chunk * N_OWN * size;
        double* const adapted = a.found.adapted ? a.found.adapted + chunk * 2 * size : nullptr;
        by_weight = a.found.by_weight + chunk * a.way.n_synapses;
        by_delay = a.way.by_delay ? a.way.by_delay + chunk * a.way.n_synapses : nullptr;
        double* const found = a.found.sums + chunk * N_SUMS * size;
        for (int i = 0; i < N_SUMS; ++i)
            for (int64_t n = 0; n < size; ++n) sums[n * SIDE + i] = found[i * size + n];
        spikes.take_block(a.neurons, 0, size, own, adapted);
        for (int64_t s = a.way.bounds[chunk]; s < a.way.bounds[chunk + 1]; ++s) run_sample(s);
        spikes.leave_block(size, own, adapted);
        for (int i = 0; i < N_SUMS; ++i)
            for (int64_t n = 0; n < size; ++n) found[i * size + n] = sums[n * SIDE + i];
        a.found.grazes[chunk] += spikes.grazes;
    }

    void run_sample(int64_t s) {
        R* const carried = a.carried.adjoint ? a.carried.adjoint + s * N_STATE * size : nullptr;
        double* const behind = a.carried.behind ? a.carried.behind + s * N_BEHIND * size : nullptr;
        const double t_end = a.arriving.duration[s];
        for (int64_t n = 0; n < size; ++n) {
            spikes.take_neuron(n, a.way.last[s * size + n], behind, size);
            const R* const par = a.neurons.par + n;
            place[n] = {t_end, spikes.next_stop(n),
                        {par[SLOW * size], par[GAP * size], par[RATE_MEM * size], par[RATE_SYN * size]},
                        {}};
            if (carried) place[n].state = state_at(carried + n);
        }
        meet_all(a.arriving.offsets[s], a.arriving.offsets[s + 1]);
        for (int64_t n = 0; n < size; ++n) {
            Place& x = place[n];
            walk_to(n, x, a.carried.begin[s]);
            if (a.carried.starts) spikes.end_at_start(n, x.state.alpha, x.state.alpha_mem);
            if (carried) put_state(carried + n, x.state);
        }
        spikes.leave_sample(behind, size);
    }

    Adjoint<R> state_at(const R* from) const {
        return {from[0], from[size], from[2 * size], from[3 * size], from[4 * size]};
    }

    void put_state(R* to, const Adjoint<R>& x) const {
        const R rows[N_STATE] = {x.alpha, x.beta, x.alpha_mem, x.beta_mem, x.beta_syn};
        for (int i = 0; i < N_STATE; ++i) to[i * size] = rows[i];
    }

    void walk_to(int64_t n, Place& x, double t) {
        spikes.walk(n, x.t, t, x.rates, x.state);
        x.t = t;
        x.stop = spikes.next_stop(n);
    }

    // The arrivals lo .. hi from the last on.
    void meet_all(int64_t lo, int64_t hi) {
        const Arriving& met = a.arriving;
        for (int64_t e = hi - 1; e >= lo; --e) {
            const double time = met.time[e];
            const int64_t cause = met.cause[e];
            int64_t sender = -1;
            double after = time;
            if (cause >= 0 && a.tape.time[cause] == time) {
                // Without a delay it came after a spike at the same time: stop short of that.
                sender = a.tape.neuron[cause];
                after = just_behind(time);
            }
            if (met.first[e] >= OWN) {
                const int64_t n = met.first[e] - OWN;
                ask(e, n, -1, sender >= n ? after : time, a.loop.own_weight[n]);
                continue;
            }
            weights.of_part(met.first[e], [&](const auto* weight) {
                for (int64_t k = met.last[e] - 1; k >= met.first[e]; --k) {
                    const int64_t n = a.loop.target[k];
                    ask(e, n, k, sender >= n ? after : time, R(weight[k]));
                }
            });
        }
        settle();
    }

    // Neuron n is asked what its adjoint is at t, where synapse k (-1: a return) brought event e.
    FORMULA_MEMBER void ask(int64_t e, int64_t n, int64_t k, double t, R w) {
        Place& x = place[n];
        if (x.stop >= t) {
            settle();
            walk_to(n, x, t);
        }
        asking.add(n, k, e, R(x.t - t), w);
        if (asking.size == Asking<V>::MOST) settle();
    }

    // Add what the arrivals that wait add to the gradients.
    __attribute__((noinline)) void settle() {
        if (asking.size == 0) return;
        asking.look(place);
        R effect = 0;
        int64_t event = asking.event[0];
        for (int i = 0; i < asking.size; ++i) {
            const int64_t n = asking.neuron[i], k = asking.synapse[i];
            const R w = asking.weight[i], later = asking.later[i], met = asking.beta[i];
            double* const sum = sums + n * SIDE;
            sum[BY_DRIVE] += w * met;
            sum[BY_MEM] += w * asking.beta_mem[i];
            sum[BY_SYN] += w * asking.beta_syn[i];
            if (asking.event[i] != event && !same_spike(asking.event[i], event)) {
                add_effect(effect, event);
                effect = 0;
            }
            event = asking.event[i];
            effect += later;
            if (k < 0) {
                spikes.add_return(n, met, later);
            } else {
                by_weight[k] += met;
                if (by_delay) by_delay[k] += later;
            }
        }
        add_effect(effect, event);
        asking.size = 0;
    }

    bool same_spike(int64_t e, int64_t f) const {
        const Arriving& met = a.arriving;
        return met.spike[e] == met.spike[f] && met.cause[e] == met.cause[f];
    }

    // What a spike causes, to that of all sources (-1: a return), and to that of the loop.
    void add_effect(R effect, int64_t e) {
        const int64_t spike = a.arriving.spike[e], cause = a.arriving.cause[e];
        if (spike >= 0) a.found.effects[spike] += effect;
        if (cause >= 0) a.tape.through[cause] += effect;
    }
};

template <class V> int queue_backward(const QueueBackward<Real<V>>& call) {
    return LoopBackward<V>(call).run() ? DONE : NO_MEMORY;
}

}  // namespace eventsim
