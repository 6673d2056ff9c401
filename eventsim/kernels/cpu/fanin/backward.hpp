// Backward pass of layers whose neurons have events of their own.
//
// A neuron meets its arrivals several at once: met_back.hpp. A task is a part of the neurons, all samples
// of which it takes one after the other: each weight is summed by one thread, and in one order.
//
// Before          roles of the call; gradients, effects and sums hold what they are added to.
// After           `through` of the tape, and what is carried, changed to that at the begin.
// Reference       eventsim/engine/reference/layer_adjoint.py
#pragma once
#include "../spikes_back.hpp"
#include "../calls.hpp"
#include "met_back.hpp"
#include "spread.hpp"

namespace eventsim {

template <class V> class FaninBack {
    using R = Real<V>;

    // The arrivals of a neuron, first .. end. Their place is below zero, -1 - spike, where an own spike
    // returns; null: as they come.
    struct Arrivals {
        const double* time;
        const R* weight;
        const int64_t* place;
        int64_t first, end;
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
            Met<V> met;
            const int most = (int)std::min<int64_t>(MOST, i - x.first);
            const int m = met.meet(x.time, x.weight, i, most, tape.next_stop(n), rates, state);
            met.add(m, tape.sums + n, size);
            hand_on(n, x, i, m, met);
            i -= m;
        }
        tape.walk(n, t, a.sent.begin[s], rates, state);
        if (a.carried.starts) tape.end_at_start(n, state.alpha, state.alpha_mem);
        if (carried) store_state(carried, size, state);
        return true;
    }

    // Write the results of the m arrivals before the i-th to their places, the latest first.
    FORMULA_MEMBER void hand_on(int64_t n, const Arrivals& x, int64_t i, int m, const Met<V>& met) {
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
};

template <class V> int fanin_backward(const FaninBackward<Real<V>>& call) {
    return FaninBack<V>(call).run(call.found.n_parts) ? DONE : NO_MEMORY;
}

}  // namespace eventsim
