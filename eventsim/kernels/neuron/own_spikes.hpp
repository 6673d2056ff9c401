// A neuron's own spikes on the way back: the restart behind a spike, at the spike or at the release of V,
// the jump of J by the neuron's own weight, and the crossing.
//
// a is the adjoint state right behind each of them, of which the next one is the state before.
//
// Derivation      eventsim/adjoint/__init__.py; the definition: eventsim/engine/reference/layer_adjoint.py
#pragma once
#include "propagators.hpp"

namespace eventsim {

// dL/dt of the spike, dL/d of the weight, and the sums of weight times beta and its derivatives.
template <class R> struct SelfJumpBack {
    R later, by_self, by_drive, by_mem, by_syn;
};

// `instant` is 1 where the weight acts at the spike, else 0, as the weight then is.
template <class R>
FORMULA SelfJumpBack<R> self_jump_back(R self, R instant, R rate_mem, R rate_syn, const Adjoint<R>& a) {
    return {self * (rate_syn * a.beta - rate_mem * a.alpha), instant * a.beta, self * a.beta,
            self * a.beta_mem, self * a.beta_syn};
}

// dL/dt of the spike, dL/d of the refractory time and of the reset, and by the membrane rate.
template <class R> struct RestartBack {
    R later, by_refractory, by_reset, by_mem;
};

// V restarts with the drive j. A hold would begin to grow with the self-jump before its end.
template <class R>
FORMULA RestartBack<R> restart_back(R j, R reset, R self, R rate_mem, bool held, Adjoint<R>& a) {
    const R at_end = held ? j : j + self;
    const RestartBack<R> found = {-a.alpha * (rate_mem * (j - reset)),
                                  -a.alpha * (rate_mem * (at_end - reset)), a.alpha,
                                  reset * a.alpha_mem};
    a.alpha = R(0);
    a.alpha_mem = R(0);
    return found;
}

// alpha just before a spike at which V crosses with that slope; V grazes where it does not rise.
template <class R> FORMULA R crossing_back(R by_voltage, double by_time, R slope, bool& grazes) {
    grazes = !(slope > R(0));
    return grazes ? by_voltage : by_voltage - R(by_time) / slope;
}

}  // namespace eventsim
