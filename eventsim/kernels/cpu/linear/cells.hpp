// Linear neurons of the CPU.
#pragma once
#include "../calls.hpp"
#include "../spike_room.hpp"
#include "../table.hpp"

#include "../../neuron/linear_cell.hpp"

namespace eventsim {

template <int N, class R>
using LinearNeurons = LinearNeuronsOf<N, R, LinearTables<R>, LinearJumps<R>, LinearWires<R>>;

}  // namespace eventsim
