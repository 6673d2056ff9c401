// The adaptation of thresholds just before recorded spikes, found again from the spikes alone.
#pragma once
#include "../../neuron/adaptive.hpp"
#include "../calls.hpp"

namespace eventsim {

inline int adapted_before(const AdaptedBefore& call) {
    const OwnAdapted& x = call.adapted;
    for (int64_t i = 0; i < call.tasks.n; ++i) {
        const int64_t s = call.tasks.todo[i];
        double *const a = x.a + s * x.size, *const last = x.last + s * x.size;
        for (int64_t k = x.offsets[s]; k < x.offsets[s + 1]; ++k) {
            if (x.time[k] < x.begin[s]) continue;
            const int32_t n = x.neuron[k];
            Adapted now = {a[n], last[n]};
            const Threshold p = {0.0, x.rate[n]};  // whose rise does not matter
            x.before[k] = adaptation_at(p, now, x.time[k]);
            a[n] = x.before[k] + 1.0;
            last[n] = x.time[k];
        }
    }
    return DONE;
}

}  // namespace eventsim
