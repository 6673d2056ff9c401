// What the loops of a CPU are given: one struct for each role, declared a second time as a NumPy
// structured type in eventsim/engine/cpu/roles.py, which holds sizes and offsets to these.
//
// Arrays are the caller's, C-contiguous, and outlive the call. Times are in ms.
#pragma once
#include <stdint.h>

namespace eventsim {

// Tasks to run: forward a block of neurons in one sample, number sample * n_blocks + block; backward a
// chunk of samples.
struct Tasks {
    const int64_t* todo;  // [n]
    int64_t n, n_blocks;
};

// Spikes of all sources, which have numbers: one source after the other, sample after sample. Those of
// source k in sample s are first[k, s] .. first[k, s + 1], and time[k] + number is where the time lies:
// the addresses are those of a spike of number 0, wherever the source's own begin.
struct Sources {
    const int64_t* first;          // [n_sources, n_samples + 1]
    const double* const* time;     // [n_sources]
    const int32_t* const* neuron;  // [n_sources], of the source
    const int64_t* row_start;      // [n_sources]: first row of the wiring
    const double* delay;           // [rows], ms; zero where synapses have their own
    const double* duration;        // [n_samples]
    int64_t n_sources, n_samples;
};

// Events of all sources, sorted by time in each sample.
struct Events {
    const int64_t* offsets;   // [samples + 1]
    const double* times;      // [events]
    const int32_t* rows;      // [events], of the weights
    const double* duration;   // [samples]
    const uint8_t* heard;     // [n_blocks, rows]: whether a block hears a row
    const int64_t* skip;      // [samples, n_blocks]: events that the begin has met; forward
    int64_t* met;             // [samples, n_blocks]: those that the end has; forward
};

// Weights by block, zero behind the last neuron and in the last row.
template <class R> struct Weights {
    const R* values;        // [n_blocks, n_rows, width]
    int64_t n_rows, width;  // the width is a multiple of every vector's
};

// Parameters: rows of eventsim/engine/contract/table.py; those of the threshold are null if it does not adapt.
template <class R> struct Neurons {
    const R* par;              // [N_PAR, size]
    const double* refractory;  // [size]
    const double* strength;    // [size]
    const double* rate;        // [size], 1/ms
    int64_t size;
    double fastest;            // 1/ms: the largest rate, in the type of the state
};

// How neurons stand, [samples, size]; `a` and `last` are null where no threshold adapts.
template <class R> struct Standing {
    double* time;
    R* v;
    R* j;
    double* until;  // below zero where V is not held
    double* a;
    double* last;
};

// Where spikes go: the first limits[task] of a task from starts[task] on.
struct Spikes {
    double* time;
    int32_t* neuron;
    double* current;
    double* restart;
    const int64_t* starts;
    const int64_t* limits;
    int64_t* counts;   // also past the limit; -1 - n where neuron n is the first to run away
    double* reached;   // when that was
};

// Recorded spikes of a layer by sample and time; currents are times the resistance.
struct Tape {
    const int64_t* offsets;    // [samples + 1]
    const double* time;
    const int32_t* neuron;
    const double* current;
    const double* restart;     // not a number where the neuron is not let go of
    const double* by_time;     // what the loss says of them
    const double* by_voltage;
    const int64_t* previous;   // of the same neuron in the same sample, or -1
    double* through;           // gathers dL/dt that runs over what the spike causes in its layer
    const double* before;      // adaptation just before the spike; null where no threshold adapts
};

// How far samples go back, and with what: eventsim/engine/contract/piece.py.
template <class R> struct WayBack {
    const int64_t* bounds;     // [chunks + 1]: samples bounds[c] .. bounds[c + 1] are a chunk
    double middle, length;     // rate in 1/ms, and ms: eventsim/engine/contract/adjoint_series.py (Span)
    const double* begin;       // [samples]
    R* adjoint;                // [samples, 5, size] at the end; is left as at the begin. null: zero
    double* behind;            // [samples, N_BEHIND, size] of thresholds, likewise
    const uint8_t* asked;      // [rows]: whether dL/dt of a row's events is asked for
    const int64_t* cause;      // [events]: the spike of the loop that an event is of, or -1; null: no loop
    int64_t starts;            // whether samples start at the begin
};

// What the way back finds; that of a chunk is its own.
template <class R> struct Found {
    R* by_weight;              // [chunks, n_blocks, n_rows, width]
    R* effects;                // [events]: dL/dt
    double* sums;              // [chunks, N_SUMS, size]
    double* own;               // [chunks, N_OWN, size]
    double* adapted;           // [chunks, 2, size]: by rise and rate of thresholds; null where none adapts
    int64_t* grazes;           // [chunks]
};

}  // namespace eventsim
