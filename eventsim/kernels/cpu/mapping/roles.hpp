// What the kernels that map neurons onto cores are given, in the same way as ../roles.hpp says.
#pragma once
#include "../roles.hpp"

namespace eventsim {

// Axons and their distinct targets. Axons of neurons come first, then those from outside.
struct AxonWiring {
    const int64_t* start;   // [n_axons + 1]: targets of axon a are start[a] .. start[a + 1]
    const int32_t* target;
    const int64_t* column;  // [n_neurons + 1]: the same by target
    const int32_t* source;
    const double* spikes;   // [n_axons]
    const int64_t* fan_in;  // [n_neurons]
    const uint8_t* selfed;  // [n_neurons]: whether it is its own target
    int64_t n_neurons, n_axons;
};

// A core that an axon reaches, and how many distinct targets it has there. Side by side in memory,
// since most of the time goes into waiting for them.
struct Slot {
    int32_t core, pins;
};

// What lies where. The destinations of axon a are the slots wiring.start[a] .. + used[a], in no order:
// it never has more of them than targets, so that slots take no more room than synapses.
struct CoreHolds {
    int32_t* core_of;     // [n_neurons], -1 for nowhere
    Slot* slots;          // [targets]
    int32_t* used;        // [n_axons]
    int64_t* neurons;     // [n_cores]
    int64_t* axons_in;    // [n_cores]
    int64_t* axons_out;   // [n_cores]
    int64_t* synapses;    // [n_cores]
    const int64_t* limits;  // [4]: of these; UNLIMITED for none
    int64_t n_cores;
};

// Where cores lie: the last of each is the outside.
struct Ground {
    const int64_t* column;  // [n_cores + 1]
    const int64_t* row;
    const double* x;        // [n_columns]
    const double* y;        // [n_rows]
    const double* at_x;     // [n_cores + 1]
    const double* at_y;
    int64_t n_columns, n_rows;
    double beside;          // what is added between any two cores that are not the same
};

// What the destinations of each axon cost.
struct Costs {
    double* found;  // [n_axons]
};

// Neurons that are moved: their best cores by falling gain where the core of choice was full.
struct Wishes {
    const int64_t* neurons;  // [n]
    int64_t n;
    int32_t* core;           // [n, most], -1 for none
    double* gain;            // [n, most]
    int64_t most;
};

// MoveGains of neurons on some cores, or, without these, the largest on any other.
struct MoveGains {
    const int64_t* neurons;  // [n]
    int64_t n, n_parts;      // neighbours share axons, whose slots are then in the cache
    const int32_t* cores;    // [n_cores], or null
    int64_t n_cores;
    double* found;           // [n_cores, n] or [n]
};

// Neurons that would rather be on one core, and its members.
struct Swaps {
    int64_t core;
    const int64_t* neurons;  // [n_neurons]
    const double* wishes;    // [n_neurons]: what each gained there when it was asked
    const int64_t* columns;  // [n_neurons]: row of `gains` for the core that it lies on
    int64_t n_neurons;
    const int64_t* members;  // [n_members]
    const double* gains;     // [n_homes, n_members]: of members on the cores of the neurons
    int64_t n_members, n_homes;
};

// Neurons first .. end that are put on cores; `found` is where this ends.
struct Filling {
    int64_t first, end, core;
    int64_t* found;  // [1]
};

// Neurons that are still free; between two cores everything is as for an empty core, so that a core
// costs what it touches.
struct Growing {
    uint8_t* free;        // [n_neurons]
    int64_t* before;      // [n_neurons + 1]: free neurons by what they bring to an empty core, a ring
    int64_t* after;       //   that begins behind the last entry
    const double* price;  // [n_axons], of a new axon
    const double* whole;  // [n_neurons]: price of all sources
    double* fresh;        // [n_neurons]: price of those that the core does not have; their number
    int64_t* n_fresh;
    uint8_t* inside;      // [n_axons]: whether the core has it; those that it has
    int32_t* axons;
    uint8_t* touched;     // [n_neurons]: whether a neuron shares an axon with the core or was looked at
    int32_t* touches;     // [n_neurons]: which
    uint8_t* refused;     // [n_neurons]: whether it does not fit
};

// Of the touched neurons those that may be next: a heap by (due, number).
struct NextNeurons {
    int64_t* heap;   // [n_neurons]
    int64_t* place;  // [n_neurons], of those in the heap
    double* due;     // [n_neurons], infinity of those that are not
};

// Price of each axon, and that of all sources of each neuron.
struct Prices {
    const double* price;  // [n_axons]
    double* found;        // [n_neurons]
};

// Neurons that are moved off a core, or asked about it.
struct Leaving {
    const int64_t* neurons;  // [n]
    int64_t n, core;
    int64_t* found;          // [n] or [1]
};

// A neuron that is to come to a core; what this adds to the axons out of every core, or null; whether
// all limits allow it.
struct Coming {
    int64_t neuron, core;
    int64_t* change;  // [n_cores]
    int64_t* fits;    // [1]
};

// Spikes between cores in both directions together, and where the cores lie. Empty ones come last.
struct CoreField {
    const int64_t* start;   // [n_cores + 1]
    const int32_t* other;   // sorted for each core
    const double* flow;
    const double* inward;   // [n_cores], from outside
    const int64_t* column;  // [places]
    const int64_t* row;
    const double* x;        // [n_columns]: how far from the entry
    const double* y;        // [n_rows]
    int64_t* at;            // [n_cores]: place of each
    int64_t n_cores, n_columns, n_rows;
};

// Swaps of two cores.
struct CoreSwaps {
    const int64_t* ones;    // [n]
    const int64_t* others;
    int64_t n;
    const double* limits;   // [n]: what each may add to the cost
    double* changes;        // [n]
    double* costs;          // [2]: of now, and the least one
    int64_t* best;          // [n_cores]: places with the least one
};

// Cores first .. end that swap, where each costs what in every column and row.
struct Descent {
    int64_t first, end;
    double* across;  // [n_cores, n_columns]
    double* along;   // [n_cores, n_rows]
    double least;    // what a swap must gain
    int64_t* taken;  // [1]: how many do
};

}  // namespace eventsim
