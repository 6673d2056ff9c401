// What the kernels that put spikes in order are given beside ../roles.hpp, in the same way.
#pragma once
#include "../roles.hpp"

namespace eventsim {

// Arrivals of all sources by sample, in order of (time, row), and the numbers of their spikes.
struct Merged {
    const int64_t* offsets;  // [n_samples + 1]
    double* time;            // [events]
    int32_t* row;
    int64_t* number;
};

// Spikes of a layer by sample and time.
struct OwnSpikes {
    const int64_t* offsets;  // [samples + 1]
    const int32_t* neuron;   // [spikes]
    const double* current;
    const double* restart;
    const double* resistance;  // [size]
    int64_t size;
};

// Of each spike, the one before of the same neuron and sample, or -1, and its currents times the
// resistance; of each neuron its last spike, or -1.
struct Linked {
    int64_t* previous;  // [spikes]
    double* current;
    double* restart;
    int64_t* last;  // [samples, size]
};

// Spikes of a layer whose thresholds adapt: their adaptation just before each of them. `a` and `last`
// are those at the begin of each sample, and are changed.
struct OwnAdapted {
    const int64_t* offsets;  // [samples + 1]
    const int32_t* neuron;   // [spikes]
    const double* time;
    const double* rate;      // [size], 1/ms
    const double* begin;     // [samples], ms: spikes before are left out
    double* a;               // [samples, size]
    double* last;
    double* before;          // [spikes]
    int64_t size;
};

// What of a projection has delays of its own.
enum { OF_ALL, OF_NEURONS, OF_SYNAPSES };

// Projections, and the spikes of their sources in order of time, by sample.
struct Connections {
    const int64_t* const* offsets;  // [n], of each [n_samples + 1]
    const double* const* time;      // [n]
    const int32_t* const* neuron;   // [n]
    const double* const* delay;     // [n], ms
    const int64_t* delays_of;       // [n]
    const int64_t* const* first;    // [n]: where the synapses of each neuron begin; null where all
                                    //   neurons have as many, and no delays by synapse
    const int64_t* each;            // [n]: how many then
    const double* duration;         // [n_samples]
    int64_t n_samples;
    int64_t* found;                 // [n]
};

// What tasks wrote: the first counts[task] spikes from starts[task] on of the arrays of a round. Those
// of sample s are of the tasks s * n_parts and following.
struct Rounds {
    const double* const* time;     // [rounds]
    const int32_t* const* neuron;
    const double* const* current;
    const double* const* restart;
    const int64_t* round;   // [tasks]
    const int64_t* starts;  // [tasks]
    const int64_t* counts;  // [tasks]
    int64_t n_parts;
};

// Spikes without gaps by sample, in order of (time, neuron), drives as currents.
struct Packed {
    const int64_t* offsets;  // [samples + 1]
    double* time;
    int32_t* neuron;
    double* current;
    double* restart;
    const double* resistance;  // [size]
};

}  // namespace eventsim
