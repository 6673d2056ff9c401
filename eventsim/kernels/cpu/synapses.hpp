// Weights of synapses, read where they are. Every projection has an array of its own, in single or in
// double precision; here it is a part.
//
// The table [3, n + 1] has three rows. The first holds the first synapse of each of the n parts, then the
// number of all synapses. The second holds the address of each part, then the bytes of a weight. The
// address is where the weight of synapse 0 would lie, so a weight is read by its synapse's number. The
// third holds 1 for each part whose weights are all the same number, else 0; its last entry is none.
//
// Reference       eventsim/engine/cpu/weights.py
#pragma once
#include <stdint.h>

#include <type_traits>

namespace eventsim {

// Weights by the numbers of their synapses, of which one alone is read where all are the same.
template <class T> struct PartWeights {
    const T* at;
    int64_t step;  // 0 where all are the same

    T operator[](int64_t synapse) const { return at[synapse * step]; }
};

// Gives f the address as a pointer to numbers of so many bytes, 4 or 8.
template <class F> auto of_width(int64_t address, int64_t width, const F& f) {
    return width == 8 ? f((const double*)(intptr_t)address) : f((const float*)(intptr_t)address);
}

class WeightTable {
    const int64_t* parts;
    int64_t n;

    // The part that has a synapse; the same for all synapses of a bundle.
    int64_t part_of(int64_t synapse) const {
        int64_t part = 0;
        while (part + 1 < n && synapse >= parts[part + 1]) ++part;
        return part;
    }

    template <class F> auto in_part(int64_t part, const F& f) const {
        return of_width(parts[n + 1 + part], parts[2 * n + 1], f);
    }

  public:
    WeightTable(const int64_t* parts, int64_t n) : parts(parts), n(n) {}

    bool wide() const { return parts[2 * n + 1] == 8; }

    // Gives f the weights of the part that has the synapse, as a pointer to those of its type.
    template <class F> auto of_part(int64_t synapse, const F& f) const {
        return in_part(part_of(synapse), f);
    }

    // As of_part(), with PartWeights.
    template <class F> auto of_part_or_same(int64_t synapse, const F& f) const {
        const int64_t part = part_of(synapse), same = parts[2 * (n + 1) + part];
        return in_part(part, [&](const auto* weight) {
            return f(PartWeights<std::decay_t<decltype(*weight)>>{weight + same * parts[part], 1 - same});
        });
    }
};

// Ask for the synapses low .. high, so that they are in the cache when they are met.
template <class T> inline void fetch_lines(const T* from, int64_t low, int64_t high) {
    constexpr int64_t line = 64;
    for (int64_t k = low; k < high; k += line / sizeof(T)) __builtin_prefetch(from + k, 0, 2);
}

}  // namespace eventsim
