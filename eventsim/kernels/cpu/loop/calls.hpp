// What the kernels of loops are called with: ../calls.hpp.
#pragma once
#include "roles.hpp"

namespace eventsim {

// Tasks are samples.
template <class R> struct QueueForward {
    Tasks tasks;
    Arriving arriving;
    Loop<R> loop;
    Neurons<R> neurons;
    LoopStop<R> begin, end;
    Spikes spikes;
};

// Tasks are chunks; what is found by weight is [chunks, synapses], effects are by spike of all sources.
template <class R> struct QueueBackward {
    Tasks tasks;
    Arriving arriving;
    Loop<R> loop;
    Neurons<R> neurons;
    Tape tape;
    LoopBack<R> way;
    Found<R> found;
};

}  // namespace eventsim
