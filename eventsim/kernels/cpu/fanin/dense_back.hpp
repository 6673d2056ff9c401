// Backward pass of dense layers of which own spikes return later: all neurons meet the same events.
//
// Neurons go one after the other, from arrival to arrival as in backward.hpp, and have its bits. But
// nothing is spread: a neuron finds the weights of the events in its column, and what is found of them
// goes there and, added up over the neurons, to the events. Tasks are parts of the neurons.
//
// Before, After   as backward.hpp.
// Reference       eventsim/engine/reference/layer_adjoint.py
#pragma once
#include "../calls.hpp"
#include "../order/search.hpp"
#include "../spikes_back.hpp"
#include "met_back.hpp"

namespace eventsim {

template <class V> class DenseFaninBack {
    using R = Real<V>;
    static constexpr int64_t MARGIN = 64;  // so many places before and behind all arrivals may be read

    // An own spike that is the neuron's arrival of that number.
    struct Return {
        int64_t arrival, spike;
    };

    const DenseFaninBackward<R>& a;
    const int64_t size, n_rows;
    Arena room, merged_room;
    SpikesBack<R, double> tape;
    R *column, *found;        // weights of a part's neurons and their gradients, [neurons, n_rows]
    // The arrivals of a neuron, and what is found of them.
    double* time;
    R *weight, *beta, *later;
    GrowingArray<Return> returns;  // the latest first
    int64_t low, part, s, n_events;
    const double* times;      // of the events
    const int32_t* rows;
    const int64_t* last;      // spike of each neuron of the part, or -1

    static int64_t widest(const DenseFaninBackward<R>& a) { return a.range.size / a.found.n_parts + 1; }

  public:
    explicit DenseFaninBack(const DenseFaninBackward<R>& call)
        : a(call), size(call.neurons.size), n_rows(call.rows.n_rows),
          room(SpikesBack<R, double>::room(widest(call)) + 2 * widest(call) * n_rows * sizeof(R) + 2 * 64),
          tape(call.tape, call.neurons.strength != nullptr, widest(call), nullptr, size, room),
          column(room.take<R>(widest(call) * n_rows)), found(room.take<R>(widest(call) * n_rows)) {}

    // False where there is no memory.
    bool run() {
        if (!room.ok()) return false;
        for (int64_t i = 0; i < a.tasks.n; ++i)
            if (!run_part(a.tasks.todo[i])) return false;
        return true;
    }

  private:
    bool run_part(int64_t number) {
        part = number;
        const int64_t parts = a.found.n_parts, first = a.range.size * part / parts;
        const int64_t n_mine = a.range.size * (part + 1) / parts - first;
        low = a.range.low + first;
        tape.sums = a.found.sums + low;
        tape.take_block(a.neurons, low, n_mine, a.found.own, a.found.adapted);
        for (int64_t row = 0; row < n_rows - 1; ++row)
            for (int64_t n = 0; n < n_mine; ++n) {
                column[n * n_rows + row] = a.rows.values[row * a.rows.width + low + n];
                found[n * n_rows + row] = a.found.by_weight[row * size + low + n];
            }
        for (s = 0; s < a.found.n_samples; ++s) {
            const int64_t end = a.sent.offsets[s + 1];
            const int64_t lo = first_at_least(a.sent.time, a.sent.offsets[s], end, a.sent.begin[s]);
            times = a.sent.time + lo;
            rows = a.sent.row + lo;
            n_events = first_at_least(a.sent.time, lo, end, a.sent.duration[s]) - lo;
            R* const effects = a.found.effects + part * a.found.n_events + lo;
            last = a.found.last + s * size + low;
            for (int64_t n = 0; n < n_mine; ++n) {
                if (n + 1 < n_mine) tape.ask(last[n + 1]);
                if (!run_neuron(n, effects)) return false;
            }
            tape.leave_sample(behind(), size);
        }
        tape.leave_block(size, a.found.own, a.found.adapted);
        for (int64_t row = 0; row < n_rows - 1; ++row)
            for (int64_t n = 0; n < n_mine; ++n)
                a.found.by_weight[row * size + low + n] = found[n * n_rows + row];
        a.found.grazes[part] += tape.grazes;
        return true;
    }

    double* behind() const { return a.carried.behind ? a.carried.behind + s * N_BEHIND * size : nullptr; }

    // Neuron n of the part, from the end of the sample to its begin.
    bool run_neuron(int64_t n, R* effects) {
        if (!list_returns(n) || !list_arrivals(n)) return false;
        const int64_t all = low + n;
        const R* const par = a.neurons.par + all;
        const Rates<R> rates = {par[SLOW * size], par[GAP * size], par[RATE_MEM * size], par[RATE_SYN * size]};
        R* const carried = a.carried.adjoint ? a.carried.adjoint + s * N_STATE * size + all : nullptr;
        Adjoint<R> state = {R(0), R(0), R(0), R(0), R(0)};
        if (carried) state = load_state<R>(carried, size);
        tape.take_neuron(n, last[n], behind(), size);
        double t = a.sent.duration[s];
        int64_t next = 0;  // of the returns
        for (int64_t i = n_events + returns.size; i > 0;) {
            tape.walk(n, t, time[i - 1], rates, state);
            t = time[i - 1];
            Met<V> met;
            const int most = (int)std::min<int64_t>(MOST, i);
            const int m = met.meet(time, weight, i, most, tape.next_stop(n), rates, state);
            met.add(m, tape.sums + n, size);
            // What lies before the m is written over later.
            std::copy(met.beta, met.beta + MOST, beta + i - MOST);
            std::copy(met.later, met.later + MOST, later + i - MOST);
            i -= m;
            for (; next < returns.size && returns[next].arrival >= i; ++next) {
                const Return& x = returns[next];
                tape.add_return(n, beta[x.arrival], later[x.arrival]);
                a.tape.through[x.spike] += later[x.arrival];
            }
        }
        tape.walk(n, t, a.sent.begin[s], rates, state);
        if (a.carried.starts) tape.end_at_start(n, state.alpha, state.alpha_mem);
        if (carried) store_state(carried, size, state);
        hand_on(found + n * n_rows, effects);
        return true;
    }

    // List the own spikes that return, each as an arrival behind all events that arrive at its time.
    bool list_returns(int64_t n) {
        returns.size = 0;
        const double delay = a.returns.delay[low + n], t_end = a.sent.duration[s], t_begin = a.sent.begin[s];
        int64_t before = n_events;
        for (int64_t k = delay > 0.0 ? last[n] : -1; k >= 0; k = a.tape.previous[k]) {
            const double own = a.tape.time[k] + delay;
            if (!(own < t_end)) continue;
            if (!(own >= t_begin)) break;
            before = first_at_least(times, 0, before, just_behind(own));
            if (!returns.push({before, k})) return false;
        }
        for (int64_t i = 0; i < returns.size; ++i) returns[i].arrival += returns.size - 1 - i;
        return true;
    }

    // The times and weights of all arrivals.
    bool list_arrivals(int64_t n) {
        const int64_t all = n_events + returns.size + 2 * MARGIN;
        if (!merged_room.renew(all * (sizeof(double) + 3 * sizeof(R)) + 4 * 64)) return false;
        time = merged_room.take<double>(all) + MARGIN;
        weight = merged_room.take<R>(all) + MARGIN;
        beta = merged_room.take<R>(all) + MARGIN;
        later = merged_room.take<R>(all) + MARGIN;
        const R* const mine = column + n * n_rows;
        each_run([&](int64_t to, int64_t event, int64_t size) {
            std::copy(times + event, times + event + size, time + to);
            const int32_t* const row = rows + event;
            R* const w = weight + to;  // the compiler need not read it again, as below
            for (int64_t k = 0; k < size; ++k) w[k] = mine[row[k]];
        });
        const double delay = a.returns.delay[low + n];
        for (int64_t i = 0; i < returns.size; ++i) {
            time[returns[i].arrival] = a.tape.time[returns[i].spike] + delay;
            weight[returns[i].arrival] = a.returns.weight[low + n];
        }
        return true;
    }

    // Add the results of the events to the neuron's weights, the latest first, and to the events.
    void hand_on(R* by_weight, R* effects) const {
        each_run([&](int64_t from, int64_t event, int64_t size) {
            const int32_t* const row = rows + event;
            const R *const found = beta + from, *const effect = later + from;
            R* const to = effects + event;
            for (int64_t k = 0; k < size; ++k) to[k] += effect[k];
            for (int64_t k = size; k-- > 0;) by_weight[row[k]] += found[k];
        });
    }

    // f(arrival, event, n) of all runs of n events between two returns, the latest first.
    template <class F> FORMULA_MEMBER void each_run(const F& f) const {
        int64_t arrival = n_events + returns.size, event = n_events;
        for (int64_t i = 0; i < returns.size; ++i) {
            const int64_t first = returns[i].arrival + 1, n = arrival - first;
            f(first, event - n, n);
            event -= n;
            arrival = first - 1;
        }
        f(0, 0, event);
    }
};

template <class V> int dense_fanin_backward(const DenseFaninBackward<Real<V>>& call) {
    return DenseFaninBack<V>(call).run() ? DONE : NO_MEMORY;
}

}  // namespace eventsim
