// What the kernels that put spikes in order are called with: ../calls.hpp. Tasks are samples unless a
// word says something else.
#pragma once
#include "roles.hpp"

namespace eventsim {

struct MergeSources {
    Tasks tasks;
    Sources sources;
    Merged merged;
};

// Tasks are projections.
struct CountArrivals {
    Tasks tasks;
    Connections connections;
};

struct LinkSpikes {
    Tasks tasks;
    OwnSpikes spikes;
    Linked linked;
};

struct AdaptedBefore {
    Tasks tasks;
    OwnAdapted adapted;
};

struct PackSpikes {
    Tasks tasks;
    Rounds rounds;
    Packed packed;
};

}  // namespace eventsim
