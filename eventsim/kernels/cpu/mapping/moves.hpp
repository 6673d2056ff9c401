// Counts of an assignment, what moves of neurons gain, and moves.
#pragma once
#include "cores.hpp"

namespace eventsim {

// Counts everything anew from the cores of the neurons, of which each has one.
inline int fill_cores(const FillCores& call) {
    const AxonWiring& a = call.wiring;
    const CoreHolds& h = call.holds;
    Slot* const slots = slots_of(h);
    Arena arena(h.n_cores * sizeof(int64_t));
    if (!arena.ok()) return NO_MEMORY;
    int64_t* const at = arena.take<int64_t>(h.n_cores);  // slot of the axon at hand, or an earlier one
    std::fill(at, at + h.n_cores, -1);
    for (int64_t* each : {h.states, h.axons_in, h.axons_out, h.synapses})
        std::fill(each, each + h.n_cores, 0);
    for (int64_t n = 0; n < a.n_neurons; ++n) {
        h.states[h.core_of[n]] += a.states[n];
        h.synapses[h.core_of[n]] += a.fan_in[n];
    }
    for (int64_t axon = 0; axon < a.n_axons; ++axon) {
        const int64_t low = a.start[axon];
        if (h.reached) {
            for (int64_t k = low; k < a.start[axon + 1]; ++k) {
                const int32_t core = h.core_of[a.target[k]];
                h.reached[axon * h.words + core / 64] |= (int64_t)(1ull << core % 64);
            }
            continue;
        }
        int32_t used = 0;
        for (int64_t k = low; k < a.start[axon + 1]; ++k) {
            const int32_t core = h.core_of[a.target[k]];
            if (at[core] < low) {
                at[core] = low + used++;
                slots[at[core]] = {core, 0};
                ++h.axons_in[core];
            }
            ++slots[at[core]].pins;
        }
        h.used[axon] = used;
        if (axon < a.n_neurons) h.axons_out[h.core_of[axon]] += used;
    }
    return DONE;
}

inline int axon_costs(const AxonCosts& call) {
    const Moving cores(call.wiring, call.holds, call.ground);
    if (!cores.ok()) return NO_MEMORY;
    for (int64_t i = 0; i < call.tasks.n; ++i)
        call.costs.found[call.tasks.todo[i]] = cores.cost_of(call.tasks.todo[i]);
    return DONE;
}

inline int find_gains(const FindGains& call) {
    Moving cores(call.wiring, call.holds, call.ground);
    if (!cores.ok()) return NO_MEMORY;
    const MoveGains& x = call.gains;
    for (int64_t i = 0; i < call.tasks.n; ++i) {
        const int64_t part = call.tasks.todo[i];
        for (int64_t k = part * x.n / x.n_parts; k < (part + 1) * x.n / x.n_parts; ++k) {
            cores.scan(x.neurons[k]);
            if (!x.cores) x.found[k] = cores.best_elsewhere(x.neurons[k]);
            for (int64_t c = 0; x.cores && c < x.n_cores; ++c)
                x.found[c * x.n + k] = cores.gain_on(x.cores[c]);
        }
    }
    return DONE;
}

class AllMoves : public Moving {
  public:
    using Moving::Moving;

    // Move a neuron if it gains by it; where the core of choice was full, what it wishes.
    void move(int64_t neuron, const Wishes& wishes, int64_t k) {
        int32_t* const wished = wishes.core + k * wishes.most;
        std::fill(wished, wished + wishes.most, NOWHERE);
        scan(neuron);
        const int64_t target = best();
        if (gain[target] <= 0.0) return;
        const int64_t core = first_fitting(neuron, 0.0);
        const double least = core >= 0 ? gain[core] : 0.0;
        if (core >= 0) put(neuron, (int32_t)core);
        if (core == target) return;
        for (int64_t i = 0; i < wishes.most; ++i) {
            const int64_t most = best();
            if (gain[most] <= least) return;
            wished[i] = (int32_t)most;
            wishes.gain[k * wishes.most + i] = gain[most] - least;
            gain[most] = 0.0;
        }
    }

    // Move neurons off a core, each to the best that can take it at any price, until it is within its
    // limits or one cannot; returns how many.
    int64_t leave(const Leaving& x) {
        for (int64_t k = 0; k < x.n; ++k) {
            if (is_within(x.core)) return k;
            scan(x.neurons[k]);
            const int64_t core = first_fitting(x.neurons[k], -std::numeric_limits<double>::infinity());
            if (core < 0) return k;
            put(x.neurons[k], (int32_t)core);
        }
        return x.n;
    }

  private:
    bool is_within(int64_t core) const {
        return h.states[core] <= h.limits[STATES] && h.axons_in[core] <= h.limits[AXONS_IN] &&
               h.axons_out[core] <= h.limits[AXONS_OUT] && h.synapses[core] <= h.limits[SYNAPSES];
    }
};

inline int move_all(const MoveAll& call) {
    AllMoves cores(call.wiring, call.holds, call.ground);
    if (!cores.ok()) return NO_MEMORY;
    for (int64_t k = 0; k < call.wishes.n; ++k) cores.move(call.wishes.neurons[k], call.wishes, k);
    return DONE;
}

inline int move_away(const MoveAway& call) {
    AllMoves cores(call.wiring, call.holds, call.ground);
    if (!cores.ok()) return NO_MEMORY;
    *call.leaving.found = cores.leave(call.leaving);
    return DONE;
}

class OneMove : public Mapping {
  public:
    OneMove(const AxonWiring& wiring, const CoreHolds& holds) : Mapping(wiring, holds) {}

    void move(const Coming& x) { put(x.neuron, (int32_t)x.core); }

    void ask(const Coming& x) {
        *x.fits = takes(x.neuron, (int32_t)x.core);
        find_change(x.neuron, (int32_t)x.core);
        std::copy(change, change + n_cores, x.change);
    }

    // Counts of every neuron's sources without another target on its core.
    void count_alone(const Leaving& x) const {
        for (int64_t i = 0; i < x.n; ++i) {
            x.found[i] = 0;
            for_sources(x.neurons[i], [&](int64_t axon) {
                x.found[i] += slot_of(axon, (int32_t)x.core)->pins == 1;
            });
        }
    }
};

inline int count_alone(const CountAlone& call) {
    const OneMove cores(call.wiring, call.holds);
    if (!cores.ok()) return NO_MEMORY;
    cores.count_alone(call.leaving);
    return DONE;
}

inline int move_neuron(const MoveNeuron& call) {
    OneMove cores(call.wiring, call.holds);
    if (!cores.ok()) return NO_MEMORY;
    cores.move(call.coming);
    return DONE;
}

inline int ask_core(const AskCore& call) {
    OneMove cores(call.wiring, call.holds);
    if (!cores.ok()) return NO_MEMORY;
    cores.ask(call.coming);
    return DONE;
}

}  // namespace eventsim
