// What the kernels of readouts are given, and called with: ../roles.hpp, ../calls.hpp.
#pragma once
#include "../roles.hpp"

namespace eventsim {

// Spikes of all sources, one source after the other, sample after sample: those of source k in sample
// s are first[k, s] .. first[k, s + 1].
struct ReadoutSpikes {
    const int64_t* first;      // [n_sources, n_samples + 1]
    const double* time;        // [spikes]
    const int32_t* neuron;     // [spikes], of the source
    const int64_t* row_start;  // [n_sources]: first row of the wiring
    const double* delay;       // [rows], ms, where synapses have none of their own
    const double* duration;    // [n_samples]
    int64_t n_sources, n_samples;
};

// Table of gains, and what it is made of: rates of outputs and of the weight exp(-rate t), windows per
// ms. Blocks are of LANES outputs.
template <class R> struct GainTable {
    R* values;          // [n_blocks, n_windows, N_GAIN, GAIN_TERMS, LANES]
    const double* par;  // [N_READOUT, size]: rows of eventsim/engine/table.py
    int64_t size, n_blocks, n_windows;
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

// Samples bounds[c] .. bounds[c + 1] are of chunk c, whose sums are its own.
struct Chunks {
    const int64_t* bounds;
    int64_t size;  // of all outputs
};

// Tasks are blocks of outputs: fills their table.
template <class R> struct ReadoutGains {
    Tasks tasks;
    GainTable<R> gains;
};

// Tasks are samples: integral [n_samples, n_blocks, LANES], sum of weight times gain over all arrivals.
template <class R> struct ReadoutForward {
    Tasks tasks;
    ReadoutSpikes spikes;
    GainTable<R> gains;
    const R* weights;  // [n_blocks, rows, LANES], zero behind the last output
    int64_t n_rows;
    double* integral;
};

// Tasks are chunks.
template <class R> struct ReadoutBackward {
    Tasks tasks;
    ReadoutSpikes spikes;
    GainTable<R> gains;
    Chunks chunks;
    const R* weights;     // as above
    int64_t n_rows;
    const double* seeds;  // dL/d(integral), [n_samples, n_blocks, LANES]
    double* by_weight;    // [chunks, n_blocks, rows, LANES], zeros
    double* effects;      // dL/dt of the spikes, zeros
    double* sums;         // [chunks, N_SUMS, n_blocks, LANES], zeros
};

// Tasks are samples: integral [n_samples, size].
template <class R> struct ApartForward {
    Tasks tasks;
    ReadoutSpikes spikes;
    GainTable<R> gains;
    FanOut<R> fan;
    double* integral;
};

// Tasks are chunks.
template <class R> struct ApartBackward {
    Tasks tasks;
    ReadoutSpikes spikes;
    GainTable<R> gains;
    Chunks chunks;
    FanOut<R> fan;
    const double* seeds;           // dL/d(integral), [n_samples, size]
    double *by_weight, *by_delay;  // [chunks, synapses], zeros
    double* effects;               // dL/dt of the spikes
    double* sums;                  // [chunks, N_SUMS, size], zeros
};

// Tasks are blocks of neurons in samples; the events have no duration, the neurons rates alone.
template <class R> struct VoltagesForward {
    Tasks tasks;
    Events events;
    Weights<R> weights;
    Neurons<R> neurons;
    const double* times;  // [samples, n_asked], ascending
    int64_t n_asked;
    double* value;        // [samples, n_asked, size], from E
};

// Tasks as above; arrays [samples, size].
template <class R> struct LargestForward {
    Tasks tasks;
    Events events;
    Weights<R> weights;
    Neurons<R> neurons;
    double *value, *time;  // v from E, ms
    int64_t* arrival;
    double* slope;
};

}  // namespace eventsim
