// Linear neurons of the CPU.
#pragma once
#include "../calls.hpp"
#include "../spike_room.hpp"
#include "../table.hpp"

#include "../../lanes.hpp"  // in front of formulas that are used with vectors
#include "../../neuron/linear_cell.hpp"

namespace eventsim {

template <int N, class R>
using LinearNeurons = LinearNeuronsOf<N, R, LinearTables<R>, LinearJumps<R>, LinearWires<R>>;

}  // namespace eventsim
