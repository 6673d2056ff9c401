// What the kernels of loops are given beside ../roles.hpp, in the same way.
#pragma once
#include "../roles.hpp"

namespace eventsim {

// How the neurons of a loop are joined: bundles of synapses that arrive together, by source neuron.
// Synapses are those of all sources, other stages' included; eventsim/engine/contract/bundles.py.
template <class R> struct Loop {
    const int64_t* start;      // [size + 1]: start[n] .. start[n + 1] are the bundles of neuron n
    const int64_t* first;      // [bundles]: synapses first .. last
    const int64_t* last;
    const double* delay;       // [bundles], ms
    const int32_t* target;     // [synapses]
    const int64_t* parts;      // [2, n_parts + 1]: addresses of the weights, ../synapses.hpp
    const R* own_weight;       // [size]: of self-connections; their delay, ms, where it is above zero
    const double* own_delay;
    int64_t n_parts;
};

// Bundles that are known to arrive, in each sample by time and first synapse.
struct Arriving {
    const int64_t* offsets;    // [samples + 1]
    const double* time;
    const int64_t* first;      // synapses first .. last; OWN + n is the return of a spike of neuron n
    const int64_t* last;
    const int64_t* spike;      // its spike among those of all sources, or -1
    const int64_t* cause;      // its spike among those of the loop, or -1
    const double* duration;    // [samples]
};

// How the neurons of a loop stand, [samples, size]; `a` and `last` are null where no threshold adapts.
template <class R> struct LoopStop {
    double* time;
    R* v;
    R* j;
    double* until;             // below zero where V is not held
    double* since;             // spikes of the ms from here on that have been counted
    int64_t* recent;
    double* border;            // [samples], as the next two: of windows
    int64_t* idle;
    int64_t* halvings;
    double* a;
    double* last;
};

// How far samples of a loop go back, and with what: eventsim/engine/contract/piece.py.
template <class R> struct LoopBack {
    const int64_t* bounds;     // [chunks + 1]: samples bounds[c] .. bounds[c + 1] are a chunk
    const double* begin;       // [samples]
    const int64_t* last;       // [samples, size]: last spike of each neuron, or -1
    R* adjoint;                // [samples, 5, size] at the end; is left as at the begin. null: zero
    double* behind;            // [samples, N_BEHIND, size] of thresholds, likewise
    double* by_delay;          // [chunks, synapses]; null where no synapse has a delay of its own
    int64_t n_synapses;
    int64_t starts;            // whether samples start at the begin
};

// How a loop is cut into windows: eventsim/engine/contract/windowing.py.
struct Windows {
    double length;             // ms
    double border;             // of the only window; below zero: every one is `length` long
    int64_t pieces;            // of a window, at least
};

// How the arrivals of a piece are summed: the functions of an arrival, and what each adds to V and J.
template <class R> struct SumBasis {
    const R* by_v;             // [functions, size]
    const R* by_j;
    int64_t width;             // sums of a neuron
    double reach;              // ms, of the powers; 0 where the functions are the two answers themselves
};

// The neurons bounds[p] .. bounds[p + 1] of a sample are part p, which any thread may run.
struct NeuronParts {
    const int64_t* bounds;     // [n_blocks + 1] of the tasks
    int64_t* meeting;          // [N_MEETING] zeros, where threads meet: meeting.hpp
};

// Rows of the weights by synapse, of neurons that share their events.
struct SynapseRows {
    const int32_t* row;        // [synapses]
};

}  // namespace eventsim
