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

// What f makes of the number of states, as a constant.
template <class F> int with_states(int64_t n, const F& f) {
    switch (n) {
        case 2: return f(std::integral_constant<int, 2>());
        case 3: return f(std::integral_constant<int, 3>());
        case 4: return f(std::integral_constant<int, 4>());
        default: return f(std::integral_constant<int, 5>());
    }
}

}  // namespace eventsim
