// Backward pass of layers whose neurons have events of their own.
//
// Between two stops of a neuron, its spikes and releases, the adjoint is linear in its state: it is found
// for up to MOST arrivals at once, side by side in vectors, from the state at the latest of them. A task
// is a part of the neurons, all samples of which it takes one after the other: each weight is summed by
// one thread, and in one order.
//
// Before          roles of the call; gradients, effects and sums hold what they are added to.
// After           `through` of the tape, and what is carried, changed to that at the begin.
// Reference       eventsim/engine/reference/layer_adjoint.py
#pragma once
#include "../../lanes.hpp"
#include "../../neuron/adjoint_series.hpp"
#include "../spikes_back.hpp"
#include "../calls.hpp"
#include "spread.hpp"

namespace eventsim {

template <class V> class FaninBack {
    using R = Real<V>;
    static constexpr int N = Numbers<V>::count;

    // The arrivals of a neuron, first .. end. Their place is below zero, -1 - spike, where an own spike
    // returns; null: as they come.
    struct Arrivals {
        const double* time;
        const R* weight;
        const int64_t* place;
        int64_t first, end;
    };

    // What is found of up to MOST arrivals at once, the latest last.
    struct Met {
        alignas(64) R beta[MOST], later[MOST], drive[MOST], mem[MOST], syn[MOST];
    };

    const FaninBackward<R>& a;
    const int64_t size;
    Spread<R> in;
    Arena room, merged;
    SpikesBack<R, double> tape;
    const int64_t* last = nullptr;  // spike of each neuron of the block, or -1
    int64_t s;

  public:
    explicit FaninBack(const FaninBackward<R>& call)
        : a(call), size(call.neurons.size), in(call.sent, call.wires, call.tasks.n_blocks, true),
          room(SpikesBack<R, double>::room(in.widest())),
          tape(call.tape, call.neurons.strength != nullptr, in.widest(), nullptr, size, room) {}

    // False where there is no memory.
    bool run(int64_t n_parts) {
        if (!room.ok()) return false;
        const int64_t each = a.tasks.n_blocks / n_parts;
        for (int64_t i = 0; i < a.tasks.n; ++i) {
            const int64_t part = a.tasks.todo[i];
            for (int64_t block = part * each; block < (part + 1) * each; ++block)
                if (!run_block(block, part)) return false;
        }
        return true;
    }

  private:
    bool run_block(int64_t block, int64_t part) {
        in.aim(block);
        tape.sums = a.found.sums + in.low;
        tape.take_block(a.neurons, in.low, in.size, a.found.own, a.found.adapted);
        for (s = 0; s < a.found.n_samples; ++s) {
            if (!in.take(s)) return false;
            last = a.found.last + s * size + in.low;
            for (int64_t n = in.size; n-- > 0;) {
                if (n) tape.ask(last[n - 1]);
                if (!run_neuron(n)) return false;
            }
            tape.leave_sample(behind(), size);
            if (!in.gather(a.found.by_weight, a.found.by_delay, a.found.effects + part * a.found.n_events))
                return false;
        }
        tape.leave_block(size, a.found.own, a.found.adapted);
        a.found.grazes[part] += tape.grazes;
        return true;
    }

    double* behind() const { return a.carried.behind ? a.carried.behind + s * N_BEHIND * size : nullptr; }

    // Neuron n of the block, from the end of the sample to its begin.
    bool run_neuron(int64_t n) {
        const int64_t all = in.low + n;
        Arrivals x = {in.time, in.weight, in.place, in.start[n], in.start[n + 1] - 1};
        if (a.returns.delay[all] > 0.0 && last[n] >= 0 && !merge(n, x)) return false;
        const R* const par = a.neurons.par + all;
        const Rates<R> rates = {par[SLOW * size], par[GAP * size], par[RATE_MEM * size],
                                par[RATE_SYN * size]};
        R* const carried = a.carried.adjoint ? a.carried.adjoint + s * N_STATE * size + all : nullptr;
        Adjoint<R> state = {R(0), R(0), R(0), R(0), R(0)};
        if (carried) state = load_state<R>(carried, size);
        tape.take_neuron(n, last[n], behind(), size);
        double t = a.sent.duration[s];
        for (int64_t i = x.end; i > x.first;) {
            tape.walk(n, t, x.time[i - 1], rates, state);
            t = x.time[i - 1];
            Met met;
            const int m = meet_together(x, i, tape.next_stop(n), rates, state, met);
            add(n, x, i, m, met);
            i -= m;
        }
        tape.walk(n, t, a.sent.begin[s], rates, state);
        if (a.carried.starts) tape.end_at_start(n, state.alpha, state.alpha_mem);
        if (carried) store_state(carried, size, state);
        return true;
    }

    // How many arrivals before the i-th, MOST at most, are met from the state at the latest of them.
    FORMULA_MEMBER int meet_together(const Arrivals& x, int64_t i, double t_stop, const Rates<R>& rates,
                                     const Adjoint<R>& state, Met& met) const {
        const int most = (int)std::min<int64_t>(MOST, i - x.first);
        int m = most;
        if (!(x.time[i - most] > t_stop))
            for (m = 1; x.time[i - 1 - m] > t_stop;) ++m;
        const double t = x.time[i - 1];
        const Rates<V> r = {spread<V>(rates.slow), spread<V>(rates.gap), spread<V>(rates.mem),
                            spread<V>(rates.syn)};
        const Adjoint<V> from = {spread<V>(state.alpha), spread<V>(state.beta),
                                 spread<V>(state.alpha_mem), spread<V>(state.beta_mem),
                                 spread<V>(state.beta_syn)};
        DoublesOf<V> latest;
        UNROLL for (int k = 0; k < latest.parts; ++k) latest.part[k] = spread<Doubles>(t);
        UNROLL for (int c = MOST - N; c >= 0; c -= N) {
            if (c + N <= MOST - m) break;
            const int64_t low = i - MOST + c;
            V h = difference(latest, load_wide<V>(x.time + low));
            h = select(load<V>(NUMBERS + c) >= R(MOST - m), h, spread<V>(0));
            const Adjoint<V> there = pull_back(h, adjoint_propagators(h, r), from);
            const V w = load<V>(x.weight + low), sent = r.syn * there.beta - r.mem * there.alpha;
            store(met.beta + c, there.beta);
            store(met.later + c, w * sent);
            store(met.drive + c, w * there.beta);
            store(met.mem + c, w * there.beta_mem);
            store(met.syn + c, w * there.beta_syn);
        }
        return m;
    }

    // Add what was found of the m arrivals before the i-th, the latest first.
    FORMULA_MEMBER void add(int64_t n, const Arrivals& x, int64_t i, int m, const Met& met) {
        double* const sums = tape.sums + n;
        double drive = sums[BY_DRIVE * size], mem = sums[BY_MEM * size], syn = sums[BY_SYN * size];
        for (int k = MOST - 1; k >= MOST - m; --k) {
            drive += met.drive[k];
            mem += met.mem[k];
            syn += met.syn[k];
        }
        sums[BY_DRIVE * size] = drive;
        sums[BY_MEM * size] = mem;
        sums[BY_SYN * size] = syn;
        const int64_t low = i - MOST;
        for (int k = MOST - 1; k >= MOST - m; --k) {
            const int64_t place = x.place ? x.place[low + k] : low + k;
            if (place >= 0) {
                in.met[place] = met.beta[k];
                in.later[place] = met.later[k];
            } else {
                tape.add_return(n, met.beta[k], met.later[k]);
                a.tape.through[-1 - place] += met.later[k];
            }
        }
    }

    // The arrivals with the own spikes that return among them, behind all else that arrives then.
    bool merge(int64_t n, Arrivals& x) {
        int64_t mine = 0;
        for (int64_t k = last[n]; k >= 0; k = a.tape.previous[k]) ++mine;
        constexpr int64_t margin = 64;
        const int64_t all = x.end - x.first + mine + 2 * margin;
        if (!merged.renew(all * (16 + sizeof(R)) + 3 * 64)) return false;
        double* const time = merged.take<double>(all) + margin;
        R* const weight = merged.take<R>(all) + margin;
        int64_t* const place = merged.take<int64_t>(all) + margin;
        const double delay = a.returns.delay[in.low + n];
        int64_t to = x.end - x.first + mine, i = x.end;
        const int64_t end = to;
        for (int64_t k = last[n];;) {
            // From the last on.
            while (k >= 0 && !(a.tape.time[k] + delay < a.sent.duration[s])) k = a.tape.previous[k];
            const double own = k >= 0 ? a.tape.time[k] + delay : -1.0;
            if (k >= 0 && own >= a.sent.begin[s] && (i == x.first || own >= x.time[i - 1])) {
                time[--to] = own;
                weight[to] = a.returns.weight[in.low + n];
                place[to] = -1 - k;
                k = a.tape.previous[k];
            } else if (i > x.first) {
                --i;
                time[--to] = x.time[i];
                weight[to] = x.weight[i];
                place[to] = x.place ? x.place[i] : i;
            } else {
                break;
            }
        }
        x = {time, weight, place, to, end};
        return true;
    }

    alignas(64) static constexpr R NUMBERS[MOST] = {0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15};
};

template <class V> int fanin_backward(const FaninBackward<Real<V>>& call) {
    return FaninBack<V>(call).run(call.found.n_parts) ? DONE : NO_MEMORY;
}

}  // namespace eventsim
