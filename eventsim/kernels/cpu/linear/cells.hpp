// Linear neurons of the CPU.
#pragma once
#include <type_traits>

#include "../calls.hpp"
#include "../spike_room.hpp"
#include "../table.hpp"

#include "../../lanes.hpp"  // in front of formulas that are used with vectors
#include "../../neuron/linear_cell.hpp"

namespace eventsim {

template <int N, class R>
using LinearNeurons = LinearNeuronsOf<N, R, LinearTables<R>, LinearJumps<R>, LinearWires<R>>;

template <int N, class R>
using LinearLayerNeurons = LinearNeuronsOf<N, R, LinearTables<R>, LinearJumps<R>, LinearOwn<R>>;

// Load the state of a neuron, number `at` of a stop.
template <int N, class R> void stand_as(const LinearStop<R>& from, int64_t at, LinearCell<N, R>& c) {
    for (int i = 0; i < N; ++i) c.x[i] = from.x[at * N + i];
    c.time = from.time[at];
    c.until = from.until[at];
    c.since = from.since[at];
    c.recent = from.recent[at];
}

// Store the state of a neuron, with states x at time t.
template <int N, class R>
void leave_as(const LinearStop<R>& to, int64_t at, const R* x, double t, const LinearCell<N, R>& c) {
    for (int i = 0; i < N; ++i) to.x[at * N + i] = x[i];
    to.time[at] = t;
    to.until[at] = c.until;
    to.since[at] = c.since;
    to.recent[at] = c.recent;
}

// Call f with the number of states as a constant; its result.
template <class F> int with_states(int64_t n, const F& f) {
    switch (n) {
        case 2: return f(std::integral_constant<int, 2>());
        case 3: return f(std::integral_constant<int, 3>());
        case 4: return f(std::integral_constant<int, 4>());
        default: return f(std::integral_constant<int, 5>());
    }
}

}  // namespace eventsim
