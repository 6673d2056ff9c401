// Neurons of two cores that change places.
#pragma once
#include "cores.hpp"

namespace eventsim {

class Swapping : public Moving {
    static constexpr int PARTNERS = 4;   // neurons that are tried for a swap
    static constexpr int PATIENCE = 50;  // swaps that fail in a row before a core is left

    const Swaps x;
    double* const largest;   // [n_homes], of the members' gains there
    int64_t* const order;    // [n_homes, n_members]: members by falling gain, of cores asked for
    uint8_t* const ordered;  // [n_homes]: whether that is there
    int64_t* const before;   // [N_LIMITS, n_cores]

    static std::size_t bytes(const SwapNeurons& call) {
        const Swaps& x = call.swaps;
        return x.n_homes * (9 + 8 * x.n_members) + N_LIMITS * call.holds.n_cores * 8 + 5 * 64;
    }

    const double* gains_at(int64_t home) const { return x.gains + home * x.n_members; }

    // Members by falling gain on the core of that number among the homes.
    const int64_t* ordered_at(int64_t home) {
        int64_t* const mine = order + home * x.n_members;
        if (ordered[home]) return mine;
        ordered[home] = 1;
        const double* const gains = gains_at(home);
        for (int64_t k = 0; k < x.n_members; ++k) mine[k] = k;
        std::sort(mine, mine + x.n_members, [gains](int64_t one, int64_t other) {
            return gains[one] > gains[other] || (gains[one] == gains[other] && one < other);
        });
        return mine;
    }

    // Whether both cores have memory for the synapses after a swap, or no less than before.
    bool has_memory(int64_t neuron, int64_t partner) const {
        const int64_t more = a.fan_in[neuron] - a.fan_in[partner];
        const int32_t full = h.core_of[more > 0 ? partner : neuron];
        return more == 0 || h.synapses[full] + (more > 0 ? more : -more) <= h.limits[SYNAPSES];
    }

    // Whether no core is further beyond a limit than before, or than it is allowed.
    bool none_worse() const {
        const int64_t* const now[N_LIMITS] = {h.states, h.axons_in, h.axons_out, h.synapses};
        for (int i = 0; i < N_LIMITS; ++i)
            for (int64_t core = 0; core < n_cores; ++core)
                if (now[i][core] > std::max(before[i * n_cores + core], h.limits[i])) return false;
        return true;
    }

    // Swap two neurons, or leave all as it was if that gains nothing or breaks a limit.
    bool swap(int64_t neuron, int64_t partner) {
        const int32_t here = h.core_of[neuron], there = h.core_of[partner];
        int i = 0;
        for (const int64_t* now : {h.states, h.axons_in, h.axons_out, h.synapses})
            std::copy(now, now + n_cores, before + n_cores * i++);
        scan(neuron);
        double both = gain[there];
        put(neuron, there);
        scan(partner);
        both += gain[here];
        put(partner, here);
        if (both > 0.0 && none_worse()) return true;
        put(partner, there);
        put(neuron, here);
        return false;
    }

    // Whether a neuron finds a partner for a gain of `wish`; counts the partners that it fails with.
    bool find_partner(int64_t neuron, int64_t home, double wish, int64_t& failed) {
        const double* const gains = gains_at(home);
        const int64_t* const members = ordered_at(home);
        int tried = 0;
        for (int64_t i = 0; i < x.n_members; ++i) {
            const int64_t partner = x.members[members[i]];
            if (gains[members[i]] <= -wish || tried == PARTNERS) return false;
            if (h.core_of[partner] != x.core || !has_memory(neuron, partner)) continue;
            ++tried;
            if (swap(neuron, partner)) return true;
            ++failed;
        }
        return false;
    }

  public:
    explicit Swapping(const SwapNeurons& call)
        : Moving(call.wiring, call.holds, call.ground, bytes(call)), x(call.swaps),
          largest(arena.take<double>(x.n_homes)), order(arena.take<int64_t>(x.n_homes * x.n_members)),
          ordered(arena.zeros<uint8_t>(x.n_homes)), before(arena.take<int64_t>(N_LIMITS * n_cores)) {}

    void run() {
        for (int64_t home = 0; home < x.n_homes; ++home)
            largest[home] = *std::max_element(gains_at(home), gains_at(home) + x.n_members);
        int64_t failed = 0;
        for (int64_t i = 0; i < x.n_neurons; ++i) {
            const int64_t home = x.columns[i];
            if (largest[home] <= -x.wishes[i]) continue;
            scan(x.neurons[i]);
            const double wish = gain[x.core];
            if (wish <= 0.0 || largest[home] <= -wish) continue;
            if (find_partner(x.neurons[i], home, wish, failed))
                failed = 0;
            else if (failed > PATIENCE)
                return;
        }
    }
};

// Lets neurons of other cores that find one full change places with its members.
inline int swap_neurons(const SwapNeurons& call) {
    Swapping cores(call);
    if (!cores.ok()) return NO_MEMORY;
    cores.run();
    return DONE;
}

}  // namespace eventsim
