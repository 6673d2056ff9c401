// A long call, watched from Python: its progress, and whether it is to stop, as at Ctrl-C.
//
// A kernel asks within its loop, and stops where the call is not to go on; whatever it returns then, the caller
// raises, and no result is used. Only the thread that called from Python looks at signals: watch.cpp. Others that
// share the call say how far they are, and stop as well.
#pragma once
#include "calls.hpp"

struct Watch;

// Whether the call goes on, of which `ms` more of a sample have been run.
extern "C" int eventsim_goes_on(Watch* watch, double ms);

namespace eventsim {

// Synaptic events between two looks at the clock: some 10 to 100 us, in which it takes 0.05.
constexpr int64_t UNSEEN = 1 << 13;

class Watched {
    Watch* const watch;  // null where nobody asks
    int64_t left = UNSEEN;
    double begun = 0.0, told = 0.0;

  public:
    explicit Watched(const Tasks& tasks) : watch((Watch*)(intptr_t)tasks.watch) {}

    // A sample is run from t on.
    void begin(double t) { begun = told = t; }

    // Whether the call goes on, which has come to t in its sample, by some `work` since it asked before.
    bool goes(int64_t work, double t) {
        left -= work;
        return left > 0 || tell(t);
    }

    // As above, on the way back, which reports no progress.
    bool goes(int64_t work) { return goes(work, told); }

    // As above, at the end of the sample, which is run again where its spikes do not fit.
    bool end(double t, bool fits) { return tell(fits ? t : begun); }

  private:
    __attribute__((noinline)) bool tell(double t) {
        const double ms = t - told;
        told = t;
        left = UNSEEN;
        return !watch || eventsim_goes_on(watch, ms);
    }
};

}  // namespace eventsim
