// What every kernel is called with, made of roles; a call begins with its tasks, which the caller
// deals to threads.
//
// To add a kernel  its struct here, or in calls.hpp of its room, and a line of KERNELS; an #include in
//                  level.cpp of the header that defines eventsim::NAME<V>(const CALL<Real<V>>&), V a
//                  vector. If nothing that it is given has the type of the state, it is compiled once:
//                  a line of COMMON_KERNELS, an #include in common.cpp, eventsim::NAME(const CALL&).
//                  A line in library.cpp for the struct, and one for each new role; the twins of these
//                  structs in eventsim/engine/cpu/roles*.py. Where one is missing, compiling or
//                  loading fails.
// Returned         0, or NO_MEMORY: nothing was done.
#pragma once
#include "fanin/calls.hpp"
#include "loop/calls.hpp"
#include "mapping/calls.hpp"
#include "order/calls.hpp"
#include "readout/calls.hpp"
#include "roles.hpp"

namespace eventsim {

enum { DONE, NO_MEMORY, NO_SUCH_LEVEL };

template <class R> struct DenseForward {
    Tasks tasks;
    Events events;
    Weights<R> weights;
    Neurons<R> neurons;
    Standing<R> begin, end;
    Spikes spikes;
};

template <class R> struct DenseBackward {
    Tasks tasks;
    Events events;
    Weights<R> weights;
    Neurons<R> neurons;
    Tape tape;
    WayBack<R> way;
    Found<R> found;
};

}  // namespace eventsim

// KERNEL(NAME, CALL) for each of them.
#define KERNELS(KERNEL)                         \
    KERNEL(dense_forward, DenseForward)         \
    KERNEL(dense_backward, DenseBackward)       \
    KERNEL(fanin_forward, FaninForward)         \
    KERNEL(fanin_backward, FaninBackward)       \
    KERNEL(queue_forward, QueueForward)         \
    KERNEL(queue_backward, QueueBackward)       \
    KERNEL(readout_gains, ReadoutGains)         \
    KERNEL(readout_forward, ReadoutForward)     \
    KERNEL(readout_backward, ReadoutBackward)   \
    KERNEL(apart_forward, ApartForward)         \
    KERNEL(apart_backward, ApartBackward)       \
    KERNEL(voltages_forward, VoltagesForward)   \
    KERNEL(voltages_backward, VoltagesBackward) \
    KERNEL(largest_forward, LargestForward)     \
    KERNEL(loop_sums, LoopSums)                 \
    KERNEL(loop_stretches, LoopStretches)
// Likewise of those that are compiled once.
#define COMMON_KERNELS(KERNEL)           \
    KERNEL(merge_sources, MergeSources)  \
    KERNEL(find_bounds, FindBounds)      \
    KERNEL(count_arrivals, CountArrivals)\
    KERNEL(adapted_before, AdaptedBefore) \
    KERNEL(link_spikes, LinkSpikes)      \
    KERNEL(pack_spikes, PackSpikes)      \
    KERNEL(fill_cores, FillCores)        \
    KERNEL(axon_costs, AxonCosts)        \
    KERNEL(find_gains, FindGains)        \
    KERNEL(move_all, MoveAll)            \
    KERNEL(move_away, MoveAway)          \
    KERNEL(count_alone, CountAlone)      \
    KERNEL(move_neuron, MoveNeuron)      \
    KERNEL(ask_core, AskCore)            \
    KERNEL(swap_neurons, SwapNeurons)    \
    KERNEL(fill_in_order, FillInOrder)   \
    KERNEL(fill_first_fit, FillFirstFit) \
    KERNEL(grow_core, GrowCore)          \
    KERNEL(add_prices, AddPrices)        \
    KERNEL(swap_changes, SwapChanges)    \
    KERNEL(anneal_cores, AnnealCores)    \
    KERNEL(descend_cores, DescendCores)
