// What the kernels of readouts are given beside ../roles.hpp, in the same way.
#pragma once
#include "../roles.hpp"

namespace eventsim {

// Outputs of a readout by their rates: the first two rows of a table [N_READOUT, size].
struct Outputs {
    const double* rates;
    int64_t size;
};

// Table of gains by blocks of LANES outputs, for the weight exp(-rate t); windows per ms.
template <class R> struct GainTable {
    R* values;  // [n_blocks, n_windows, N_GAIN, GAIN_TERMS, LANES]
    int64_t n_blocks, n_windows;
    double rate, per_ms;
};

// Synapses by source: those of row r are start[r] .. start[r + 1].
template <class R> struct FanOut {
    const int64_t* start;   // [rows + 1]
    const int32_t* target;  // [n]
    const R* weight;        // [n]
    const double* delay;    // [n], ms
    int64_t n;
};

// Sums of weight times gain over all arrivals, [n_samples, size].
struct Integrals {
    double* values;
    int64_t size;
};

// The way back from them; sums of a chunk, of samples bounds[c] .. bounds[c + 1], are its own.
struct IntegralsBack {
    const int64_t* bounds;  // [chunks + 1]
    const double* seeds;    // dL/d(integral), [n_samples, size]
    double* by_weight;      // [chunks, weights]; by_delay likewise, or null
    double* by_delay;
    double* effects;        // dL/dt of the spikes
    double* sums;           // [chunks, 3, size]: seeds times integral, and its derivatives by the rates
    int64_t size;
};

// Times at which all neurons are asked for their v, [samples, n], ascending in each sample.
struct Asked {
    const double* times;
    int64_t n;
    double* value;  // [samples, n, size], from E
};

// The way back from them; sums of a chunk are its own.
struct AskedBack {
    const double* times;
    int64_t n;
    const double* by_value;  // [samples, n, size]
    const int64_t* bounds;   // [chunks + 1]
    const uint8_t* asked;    // [rows]: whether dL/dt of a row's events is asked for
    double* sums;            // [chunks, N_SUMS, size]
    double middle, length;   // rate in 1/ms, and ms: engine/contract/adjoint_series.py (Span)
};

// By weight, [chunks, n_blocks, n_rows, width], and dL/dt by event.
template <class R> struct EventsBack {
    R* by_weight;
    R* effects;
};

// By neuron, [samples, size]: its largest v, from E, when that is, the event with which it moves, or -1,
// and dv/dt just before this event.
struct Largest {
    double *value, *time;
    int64_t* arrival;
    double* slope;
};

}  // namespace eventsim
