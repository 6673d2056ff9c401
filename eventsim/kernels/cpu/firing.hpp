// Firing rate of a neuron: finds neurons that run away.
#pragma once
#include "table.hpp"

namespace eventsim {

// Spikes of a neuron so far. `spike` is the number of the spike that holds V. `recent` counts spikes in the
// ms from `since` on.
struct Firing {
    int64_t spike;
    double refractory, since;
    int64_t recent;

    // Count a spike at t; whether there were too many in a ms.
    bool runs_away(double t) {
        if (t - since > 1.0) {
            since = t;
            recent = 0;
        }
        return ++recent > RUNAWAY_PER_MS;
    }
};

}  // namespace eventsim
