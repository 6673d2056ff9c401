// What the kernels of layers are given whose neurons have events of their own, in the same way as
// ../roles.hpp.
#pragma once
#include "../roles.hpp"

namespace eventsim {

// Events of all sources, in each sample by time and row. Where synapses have delays, they are sent then,
// otherwise they arrive then.
struct Sent {
    const int64_t* offsets;   // [samples + 1]
    const double* time;       // [events]
    const int32_t* row;       // [events], of the wiring
    const double* begin;      // [samples]: arrivals before were met in an earlier piece of the stream
    const double* duration;   // [samples]
};

// Synapses by row, in each by target; those onto the neurons low .. low + size that are run. These are
// divided into blocks of nearly as many.
struct Wires {
    const int64_t* out_start;  // [n_rows + 1]
    const int32_t* target;     // [synapses]
    const int32_t* bound;      // [n_rows, n_blocks + 1]: how many of a row's are before each block
    const int64_t* parts;      // [2, n_parts + 1]: addresses of the weights, ../synapses.hpp
    const double* resistance;  // of all neurons; null where weights are multiplied by it
    const double* delay;       // [synapses], ms; null: none
    int64_t n_parts, n_rows, low, size;
};

// How many of the synapses of a row are before each block of the neurons low .. low + size, and before
// the end of these.
struct Bounds {
    const int64_t* out_start;
    const int32_t* target;
    int32_t* bound;            // [n_rows, n_blocks + 1]
    int64_t n_rows, n_blocks, low, size;
};

// Self-connections that return later than their spike, of all neurons; their delay, ms, is 0 where there
// is none. The own spikes of an earlier piece that are still to return to the i-th (sample, neuron) are
// early[first[i]] .. ; forward.
template <class R> struct Returns {
    const R* weight;
    const double* delay;
    const int64_t* first;
    const double* early;
};

// What goes back, where a piece ends: eventsim/engine/contract/piece.py.
template <class R> struct Carried {
    R* adjoint;      // [samples, N_STATE, size] at the end; is left as at the begin. null: zero
    double* behind;  // [samples, N_BEHIND, size] of thresholds, likewise
    int64_t starts;  // whether samples start at the begin
};

// What the way back adds to. Tasks are parts of the neurons.
template <class R> struct WiresBack {
    R* by_weight;      // [synapses]
    double* by_delay;  // [synapses]; null: not asked for
    R* effects;        // [parts, n_events]: dL/dt
    double* sums;      // [N_SUMS, all neurons]
    double* own;       // [N_OWN, all neurons]
    double* adapted;   // [2, all neurons]; null where no threshold adapts
    int64_t* grazes;   // [parts]
    int64_t n_parts, n_samples, n_events;
};

}  // namespace eventsim
