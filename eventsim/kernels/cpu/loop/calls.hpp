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

// By windows, with sums: a task is a part of the neurons in a sample, number sample * n_blocks + part. If
// there are several parts all tasks are of one sample, and threads may be called with some of them each.
template <class R> struct LoopSums {
    Tasks tasks;
    Arriving arriving;
    Loop<R> loop;
    Neurons<R> neurons;
    Windows windows;
    SumBasis<R> basis;
    NeuronParts parts;
    LoopStop<R> begin, end;
    Spikes spikes;
};

// By windows, of neurons that share their events: tasks are samples.
template <class R> struct LoopStretches {
    Tasks tasks;
    Arriving arriving;
    Loop<R> loop;
    Neurons<R> neurons;
    Windows windows;
    Weights<R> weights;
    SynapseRows rows;
    LoopStop<R> begin, end;
    Spikes spikes;
};

}  // namespace eventsim
