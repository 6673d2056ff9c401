// Weights of synapses, read where they are. Every projection has an array of its own, in single or in
// double precision; here it is a part.
//
// The table [2, n + 1] has two rows. The first holds the first synapse of each of the n parts, then the
// number of all synapses. The second holds the address of each part, then the bytes of a weight. The
// address is where the weight of synapse 0 would lie, so a weight is read by its synapse's number.
//
// Reference       eventsim/engine/cpu/weights.py
#pragma once
#include <stdint.h>

namespace eventsim {

struct WeightTable {
    const int64_t* parts;
    int64_t n;

    bool wide() const { return parts[2 * n + 1] == 8; }

    // Where synapse 0 would be; the same for all synapses of a bundle.
    intptr_t base_of(int64_t synapse) const {
        int64_t part = 0;
        while (part + 1 < n && synapse >= parts[part + 1]) ++part;
        return (intptr_t)parts[n + 1 + part];
    }

    // Gives f the weights of the part that has the synapse, as a pointer to those of its type.
    template <class F> auto of_part(int64_t synapse, const F& f) const {
        return wide() ? f((const double*)base_of(synapse)) : f((const float*)base_of(synapse));
    }
};

// Ask for the synapses low .. high, so that they are in the cache when they are met.
template <class W>
inline void fetch_synapses(const int32_t* target, const W* weights, int64_t low, int64_t high) {
    constexpr int64_t line = 64;
    for (int64_t k = low; k < high; k += line / sizeof(int32_t)) __builtin_prefetch(target + k, 0, 2);
    for (int64_t k = low; k < high; k += line / sizeof(W)) __builtin_prefetch(weights + k, 0, 2);
}

}  // namespace eventsim
