// Events of linear neurons of the CPU on the way back.
#pragma once
#include "log.hpp"

namespace eventsim {

template <int N, class R>
using LinearAdjoint =
    LinearAdjointOf<N, R, LinearNeurons<N, R>, LinearWires<R>, LinearTape, int64_t>;

}  // namespace eventsim
