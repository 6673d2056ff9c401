// Room for the spikes of one task: those beyond its limit are counted, and not written.
#pragma once
#include "calls.hpp"

namespace eventsim {

struct SpikeRoom {
    const Spikes& to;
    int64_t start, limit, count;

    SpikeRoom(const Spikes& to, int64_t task)
        : to(to), start(to.starts[task]), limit(to.limits[task]), count(0) {}

    // The next spike: of neuron n at t, with the current j. V restarts at once; or it is held, and the
    // current of its restart is not a number until it is let go.
    void add(int64_t n, double t, double j, bool held) {
        if (count < limit) {
            const int64_t at = start + count;
            to.time[at] = t;
            to.neuron[at] = (int32_t)n;
            to.current[at] = j;
            to.restart[at] = held ? __builtin_nan("") : j;
        }
        ++count;
    }

    // The next spike, of a neuron whose current is not recorded.
    void add(int64_t n, double t) { add(n, t, __builtin_nan(""), false); }

    // Release V, held since spike number `spike`, with the current j.
    void let_go(int64_t spike, double j) {
        if (spike < limit) to.restart[start + spike] = j;
    }
};

}  // namespace eventsim
