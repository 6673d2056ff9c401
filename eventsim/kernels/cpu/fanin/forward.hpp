// Forward pass of layers whose neurons have events of their own: sparse ones, and those whose synapses
// have delays.
//
// Side by side    neurons of a block in vectors: walk.hpp. Tasks are dealt to threads by the caller; no
//                 result depends on who runs beside whom.
// Before          roles of the call; limits[task] spikes have room.
// After           spikes of a task in any order, as many as there is room for; counts of all; `end` right
//                 after the last arrival that is met.
// Reference       eventsim/engine/reference/layer.py, one neuron at a time
#pragma once
#include "walk.hpp"

namespace eventsim {

// Whether one of the neurons has a time above zero.
FORMULA bool some_above_zero(const double* times, int64_t n) {
    return std::any_of(times, times + n, [](double t) { return t > 0.0; });
}

template <class V> int fanin_forward(const FaninForward<Real<V>>& call) {
    const Tasks& tasks = call.tasks;
    const bool returns = some_above_zero(call.returns.delay, call.neurons.size);
    const bool special = returns || some_above_zero(call.neurons.refractory, call.neurons.size);
    int64_t most = 0;
    for (int64_t i = 0; i < tasks.n && returns; ++i) most = std::max(most, call.spikes.limits[tasks.todo[i]]);
    Arena links(most * sizeof(int64_t) + 64);
    if (!links.ok()) return NO_MEMORY;
    Spread<Real<V>> in(call.sent, call.wires, tasks.n_blocks, false);
    Walk<V> walk(call, in, special, links.take<int64_t>(most));
    for (int64_t i = 0; i < tasks.n; ++i) {
        const int64_t task = tasks.todo[i], s = task / tasks.n_blocks;
        in.aim(task % tasks.n_blocks);
        if (!in.take(s)) return NO_MEMORY;
        walk.run(task, s);
    }
    return DONE;
}

}  // namespace eventsim
