// Layers of linear neurons whose neurons have events of their own, backward.
//
// A neuron is replayed from its arrivals and spikes, in parts from marks that are kept, the last part
// first; each is logged and read from its end. So the memory of a task is that of its arrivals, a part and
// the marks. A task is a part of the neurons, all samples of which it takes one after the other: each
// weight is summed by one thread, and in one order.
//
// Side by side    nothing.
// Before          gradients, effects and sums hold what they are added to; own spikes return at once.
// Derivation      eventsim/engine/reference/linear_adjoint.py
// Reference       the same
#pragma once
#include "../fanin/spread.hpp"
#include "log.hpp"

namespace eventsim {

template <int N, class R> class LinearOwnListsBack {
    // Steps of a part.
    static constexpr int64_t PART = 1 << 12;

    // Position of a neuron's replay: its next arrival and its next spike.
    struct Mark {
        LinearCell<N, R> cell;
        int64_t arrival, spike;
    };

    const LinearFaninBackward<R>& a;
    const LinearLayerNeurons<N, R> neurons;
    LinearAdjointOf<N, R, LinearLayerNeurons<N, R>, LinearOwn<R>, LinearTape, int64_t> on_the_way;
    Spread<R> in;
    GrowingArray<int64_t> first, fired;  // where the spikes of each neuron begin, and all of them
    GrowingArray<LinearEntry<N, R>> log;
    LinearSteps<N, R, LinearLayerNeurons<N, R>> steps;
    GrowingArray<Mark> marks;

  public:
    explicit LinearOwnListsBack(const LinearFaninBackward<R>& call)
        : a(call), neurons(call.tables, call.jumps, call.own), on_the_way(neurons, call.own, call.tape),
          in(call.sent, call.wires, call.tasks.n_blocks, true, true), steps{neurons, &log} {}

    // False where there is no memory.
    bool run() {
        const LinearOwnFound& f = a.found;
        const int64_t each = a.tasks.n_blocks / f.n_parts;
        on_the_way.sums = f.sums;
        for (int64_t i = 0; i < a.tasks.n; ++i) {
            const int64_t part = a.tasks.todo[i];
            on_the_way.grazes = f.grazes + part;
            for (int64_t block = part * each; block < (part + 1) * each; ++block) {
                in.aim(block);
                for (int64_t s = 0; s < f.n_samples; ++s) {
                    if (!in.take(s) || !link(s)) return false;
                    for (int64_t k = 0; k < in.size; ++k)
                        if (!over_sample(k)) return false;
                    if (!in.gather(f.weight, f.delay, f.effects + part * f.n_events)) return false;
                }
            }
        }
        return true;
    }

  private:
    // The spikes of a sample by neuron of the block, in their order.
    bool link(int64_t s) {
        const int64_t lo = a.tape.offsets[s], hi = a.tape.offsets[s + 1];
        if (!first.reserve(in.size + 2) || !fired.reserve(hi - lo)) return false;
        std::fill_n(first.begin(), in.size + 2, 0);
        const auto mine = [&](int64_t spike) {
            const int64_t k = a.tape.neuron[spike] - in.low;
            return 0 <= k && k < in.size ? k : -1;
        };
        for (int64_t spike = lo; spike < hi; ++spike)
            if (mine(spike) >= 0) ++first[mine(spike) + 2];
        for (int64_t k = 2; k < in.size + 2; ++k) first[k] += first[k - 1];
        for (int64_t spike = lo; spike < hi; ++spike)
            if (mine(spike) >= 0) fired[first[mine(spike) + 1]++] = spike;
        return true;
    }

    // Neuron k of the block, from its begin and back.
    bool over_sample(int64_t k) {
        const int64_t n = in.low + k;
        Mark now;
        neurons.begin(n, now.cell);
        now.arrival = in.start[k];
        now.spike = first[k];
        marks.size = 0;
        do {
            if (!marks.push(now)) return false;
            if (!replay(k, now)) return false;
        } while (!ended(k, now));
        R lambda[N] = {};
        for (int64_t m = marks.size - 1; m >= 0; --m) {
            // The log is that of the last part.
            if (m < marks.size - 1 && !replay(k, now = marks[m])) return false;
            for (int64_t i = log.size - 1; i >= 0; --i) back(log[i], lambda);
        }
        on_the_way.begin(n, lambda);
        return true;
    }

    bool ended(int64_t k, const Mark& now) const {
        return now.arrival == in.start[k + 1] - 1 && now.spike == first[k + 1];
    }

    // A part of the steps of neuron k of the block, to the log: of one time arrivals come before spikes. False
    // where there is no memory.
    bool replay(int64_t k, Mark& now) {
        const int64_t n = in.low + k, end = in.start[k + 1] - 1;
        LinearCell<N, R>& c = now.cell;
        log.size = 0;
        while (!ended(k, now) && log.size < PART) {
            const bool fires = now.spike < first[k + 1];
            const double spikes = fires ? a.tape.time[fired[now.spike]] : __builtin_inf();
            if (now.arrival < end && !(spikes < in.time[now.arrival])) {
                const int64_t i = now.arrival++;
                if (!steps.go_to(n, c, in.time[i], ARRIVAL, i)) return false;
                raise<N>(c.x, a.own.state[in.row[i]], in.weight[i]);
            } else {
                const int64_t spike = fired[now.spike++];
                if (!steps.go_to(n, c, spikes, SPIKE, spike)) return false;
                neurons.fire(n, c, spike);
            }
        }
        return true;
    }

    void back(const LinearEntry<N, R>& e, R* lambda) {
        const LinearFlow<N, R> flow = neurons.flow(e.neuron, e.held);
        if (e.kind == ARRIVAL) {
            const int64_t state = a.own.state[in.row[e.index]];
            const int64_t at = in.place ? in.place[e.index] : e.index;
            in.met[at] = picked<N>(lambda, state);
            in.later[at] = on_the_way.later(flow, lambda, state, in.weight[e.index]);
        } else {
            on_the_way.meet(e, lambda, flow);
        }
        on_the_way.over(e, lambda, flow);
    }
};

template <class V> int linear_fanin_backward(const LinearFaninBackward<Real<V>>& call) {
    return with_states(call.tables.n, [&](auto n) {
        return LinearOwnListsBack<decltype(n)::value, Real<V>>(call).run() ? DONE : NO_MEMORY;
    });
}

}  // namespace eventsim
