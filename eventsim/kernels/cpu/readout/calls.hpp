// What the kernels of readouts are called with: ../calls.hpp.
#pragma once
#include "roles.hpp"

namespace eventsim {

// Tasks are blocks of outputs: fills their table.
template <class R> struct ReadoutGains {
    Tasks tasks;
    Outputs outputs;
    GainTable<R> gains;
};

// Tasks are samples. Weights and integrals have a place for each of the LANES outputs of each block.
template <class R> struct ReadoutForward {
    Tasks tasks;
    Sources spikes;
    GainTable<R> gains;
    Weights<R> weights;
    Integrals integrals;
};

// Tasks are chunks; without delays, otherwise as above.
template <class R> struct ReadoutBackward {
    Tasks tasks;
    Sources spikes;
    GainTable<R> gains;
    Weights<R> weights;
    IntegralsBack back;
};

// Tasks are samples.
template <class R> struct ApartForward {
    Tasks tasks;
    Sources spikes;
    GainTable<R> gains;
    FanOut<R> fan;
    Integrals integrals;
};

// Tasks are chunks.
template <class R> struct ApartBackward {
    Tasks tasks;
    Sources spikes;
    GainTable<R> gains;
    FanOut<R> fan;
    IntegralsBack back;
};

// Tasks are blocks of neurons in samples, whose events are met from the first on.
template <class R> struct VoltagesForward {
    Tasks tasks;
    Events events;
    Weights<R> weights;
    Neurons<R> neurons;
    Asked asked;
};

// Tasks are chunks.
template <class R> struct VoltagesBackward {
    Tasks tasks;
    Events events;
    Weights<R> weights;
    Neurons<R> neurons;
    AskedBack asked;
    EventsBack<R> back;
};

// Tasks as of VoltagesForward.
template <class R> struct LargestForward {
    Tasks tasks;
    Events events;
    Weights<R> weights;
    Neurons<R> neurons;
    Largest largest;
};

}  // namespace eventsim
