// Recorded spikes for the way back: each linked to the spike of its neuron before.
#pragma once
#include <algorithm>

#include "../calls.hpp"

namespace eventsim {

inline int link_spikes(const LinkSpikes& call) {
    const OwnSpikes& x = call.spikes;
    const Linked& out = call.linked;
    for (int64_t i = 0; i < call.tasks.n; ++i) {
        const int64_t s = call.tasks.todo[i];
        int64_t* const last = out.last + s * x.size;
        std::fill(last, last + x.size, -1);
        for (int64_t k = x.offsets[s]; k < x.offsets[s + 1]; ++k) {
            const int32_t n = x.neuron[k];
            out.previous[k] = last[n];
            last[n] = k;
            out.current[k] = x.current[k] * x.resistance[n];
            out.restart[k] = x.restart[k] * x.resistance[n];
        }
    }
    return DONE;
}

}  // namespace eventsim
