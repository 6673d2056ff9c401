// Empty cores that are filled, for starts of the search.
//
// Cores are opened one after the other. The newest one, if an axon reaches it, lies in the axon's last
// slot, so that nobody looks for it among the others.
#pragma once
#include "cores.hpp"

namespace eventsim {

class Filler : public Mapping {
  protected:
    // The last slot of an axon, if it is of the core; else null.
    Slot* newest_slot(int64_t axon, int32_t core) const {
        Slot* const last = end_of_slots(axon) - 1;
        return h.used[axon] > 0 && last->core == core ? last : nullptr;
    }

    // Put a neuron, which has no core, on the newest core.
    void put_on_newest(int64_t neuron, int32_t core) {
        for_sources(neuron, [&](int64_t axon) {
            if (Slot* const slot = newest_slot(axon, core)) {
                ++slot->pins;
                return;
            }
            *end_of_slots(axon) = {core, 1};
            ++h.used[axon];
            ++h.axons_in[core];
            if (home_of(axon) != NOWHERE) ++h.axons_out[home_of(axon)];
        });
        count(neuron, core, 1);
    }

  private:
    // Whether the newest core can take a neuron under all limits.
    bool newest_takes(int64_t neuron, int32_t core) {
        int32_t found = 0;
        for_sources(neuron, [&](int64_t axon) { found += newest_slot(axon, core) != nullptr; });
        shared[core] = found;
        return has_room(neuron, core) && out_fits(neuron, core);
    }

    // Put a neuron, which has no core, on a core that is not the newest, which stays last.
    void put_on_older(int64_t neuron, int32_t core, int32_t newest) {
        put(neuron, core);
        for_sources(neuron, [&](int64_t axon) {
            Slot* const end = end_of_slots(axon);
            if (h.used[axon] > 1 && end[-2].core == newest) std::swap(end[-2], end[-1]);
        });
    }

    // The first core before the newest that can take a neuron; -1 if none can.
    int64_t first_with_room(int64_t neuron, int64_t newest) {
        bool asked = false;
        for (int64_t core = 0; core < newest; ++core) {
            if (h.states[core] + a.states[neuron] > h.limits[STATES] ||
                h.synapses[core] + a.fan_in[neuron] > h.limits[SYNAPSES])
                continue;
            if (!asked) share_axons(neuron);
            asked = true;
            if (has_room(neuron, core) && out_fits(neuron, (int32_t)core)) return core;
        }
        return -1;
    }

  public:
    Filler(const AxonWiring& wiring, const CoreHolds& holds) : Mapping(wiring, holds) {}

    int64_t fill_in_order(const Filling& x) {
        const int32_t core = (int32_t)x.core;
        for (int64_t neuron = x.first; neuron < x.end; ++neuron) {
            if (!newest_takes(neuron, core)) return neuron;
            put_on_newest(neuron, core);
        }
        return x.end;
    }

    int64_t fill_first_fit(const Filling& x) {
        const int32_t newest = (int32_t)(n_cores - 1);
        for (int64_t neuron = x.first; neuron < x.end; ++neuron) {
            const int64_t core = first_with_room(neuron, newest);
            if (core >= 0)
                put_on_older(neuron, (int32_t)core, newest);
            else if (newest_takes(neuron, newest))
                put_on_newest(neuron, newest);
            else
                return neuron;
        }
        return x.end;
    }
};

inline int fill_in_order(const FillInOrder& call) {
    Filler cores(call.wiring, call.holds);
    if (!cores.ok()) return NO_MEMORY;
    *call.filling.found = cores.fill_in_order(call.filling);
    return DONE;
}

inline int fill_first_fit(const FillFirstFit& call) {
    Filler cores(call.wiring, call.holds);
    if (!cores.ok()) return NO_MEMORY;
    *call.filling.found = cores.fill_first_fit(call.filling);
    return DONE;
}

inline int add_prices(const AddPrices& call) {
    for (int64_t n = 0; n < call.wiring.n_neurons; ++n) {
        double total = 0.0;
        for (int64_t k = call.wiring.column[n]; k < call.wiring.column[n + 1]; ++k)
            total += call.prices.price[call.wiring.source[k]];
        call.prices.found[n] = total;
    }
    return DONE;
}

}  // namespace eventsim
