// Layers of linear neurons whose neurons have events of their own, forward: sparse ones, and those whose
// synapses have delays.
//
// Side by side    nothing; a neuron meets all of its arrivals before the next one does. Tasks are blocks
//                 of neurons in samples, dealt to threads by the caller.
// Before          roles.hpp; limits[task] spikes have room; own spikes return at once.
// After           spikes in any order, as many as there is room for; counts of all.
// Reference       eventsim/engine/reference/linear.py
#pragma once
#include "../fanin/spread.hpp"
#include "cells.hpp"

namespace eventsim {

template <int N, class R> class LinearOwnLists {
    const LinearFaninForward<R>& a;
    const LinearLayerNeurons<N, R> neurons;
    Spread<R> in;

  public:
    explicit LinearOwnLists(const LinearFaninForward<R>& call)
        : a(call), neurons(call.tables, call.jumps, call.own),
          in(call.sent, call.wires, call.tasks.n_blocks, false, true) {}

    // False where there is no memory.
    bool run() {
        for (int64_t i = 0; i < a.tasks.n; ++i) {
            const int64_t task = a.tasks.todo[i], n_blocks = a.tasks.n_blocks;
            in.aim(task % n_blocks);
            if (!in.take(task / n_blocks)) return false;
            SpikeRoom spikes(a.spikes, task);
            int64_t failed = -1;
            double reached = a.sent.duration[task / n_blocks];
            for (int64_t k = 0; k < in.size; ++k) {
                LinearCell<N, R> c;
                // The first to run away is told: of one time, the lowest.
                if (over_sample(k, c, spikes) && c.time < reached) failed = in.low + k, reached = c.time;
            }
            a.spikes.counts[task] = failed < 0 ? spikes.count : -1 - failed;
            a.spikes.reached[task] = reached;
        }
        return true;
    }

  private:
    // Neuron k of the block; whether it runs away.
    bool over_sample(int64_t k, LinearCell<N, R>& c, SpikeRoom& spikes) const {
        const int64_t n = in.low + k, end = in.start[k + 1] - 1;
        neurons.begin(n, c);
        for (int64_t i = in.start[k]; i < end; ++i) {
            if (neurons.walk(n, c, in.time[i], spikes)) return true;
            raise<N>(c.x, a.own.state[in.row[i]], in.weight[i]);
        }
        return neurons.template walk<true>(n, c, in.time[end], spikes);
    }
};

template <class V> int linear_fanin_forward(const LinearFaninForward<Real<V>>& call) {
    return with_states(call.tables.n, [&](auto n) {
        return LinearOwnLists<decltype(n)::value, Real<V>>(call).run() ? DONE : NO_MEMORY;
    });
}

}  // namespace eventsim
