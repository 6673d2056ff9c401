// What the kernels that map neurons onto cores are called with: ../calls.hpp. Without a word tasks are
// one, whose number does not matter.
#pragma once
#include "roles.hpp"

namespace eventsim {

struct FillCores {
    Tasks tasks;
    AxonWiring wiring;
    CoreHolds holds;
};

// Tasks are axons; what the destinations of each cost.
struct AxonCosts {
    Tasks tasks;
    AxonWiring wiring;
    CoreHolds holds;
    Ground ground;
    Costs costs;
};

// Tasks are parts of the neurons.
struct FindGains {
    Tasks tasks;
    AxonWiring wiring;
    CoreHolds holds;
    Ground ground;
    MoveGains gains;
};

struct MoveAll {
    Tasks tasks;
    AxonWiring wiring;
    CoreHolds holds;
    Ground ground;
    Wishes wishes;
};

struct MoveAway {
    Tasks tasks;
    AxonWiring wiring;
    CoreHolds holds;
    Ground ground;
    Leaving leaving;
};

struct CountAlone {
    Tasks tasks;
    AxonWiring wiring;
    CoreHolds holds;
    Leaving leaving;
};

struct MoveNeuron {
    Tasks tasks;
    AxonWiring wiring;
    CoreHolds holds;
    Coming coming;
};

struct AskCore {
    Tasks tasks;
    AxonWiring wiring;
    CoreHolds holds;
    Coming coming;
};

struct SwapNeurons {
    Tasks tasks;
    AxonWiring wiring;
    CoreHolds holds;
    Ground ground;
    Swaps swaps;
};

// Neurons from the first on come to one core, until one does not fit.
struct FillInOrder {
    Tasks tasks;
    AxonWiring wiring;
    CoreHolds holds;
    Filling filling;
};

// Each comes to the first core with room, until one has none.
struct FillFirstFit {
    Tasks tasks;
    AxonWiring wiring;
    CoreHolds holds;
    Filling filling;
};

// Free neurons come to one core until none fits: that which brings the fewest new axons next. Found is
// the number of synapses followed.
struct GrowCore {
    Tasks tasks;
    AxonWiring wiring;
    CoreHolds holds;
    Growing growing;
    NextNeurons next;
    Filling filling;
};

// The price of all sources of each neuron.
struct AddPrices {
    Tasks tasks;
    AxonWiring wiring;
    Prices prices;
};

struct SwapChanges {
    Tasks tasks;
    CoreField field;
    CoreSwaps swaps;
};

struct AnnealCores {
    Tasks tasks;
    CoreField field;
    CoreSwaps swaps;
};

struct DescendCores {
    Tasks tasks;
    CoreField field;
    Descent descent;
};

}  // namespace eventsim
