// Synapses with delays of their own, as flights.hpp reads them: sixteen delays, targets and weights together.
//
// A neuron's row begins a tile; places that are not used have an infinite delay. Delays are as wide as the
// network has them.
//
// Side by side    nothing; tasks are neurons, dealt to threads by the caller.
// Before          roles of the call.
// Reference       numpy.lexsort
#pragma once
#include <limits>

#include "../calls.hpp"
#include "../order/delays.hpp"
#include "../synapses.hpp"

namespace eventsim {

constexpr int64_t TILE = 16;

// The tiles at their address, by place.
template <class R> class TileRows {
    char* const begin;
    static constexpr int64_t TARGETS = TILE * sizeof(int32_t), WEIGHTS = TILE * sizeof(R);
    const int64_t delays;  // bytes of those of a tile

  public:
    const int64_t bytes;   // of a tile

    explicit TileRows(const Tiles& tiles)
        : begin((char*)(intptr_t)tiles.address), delays(TILE * tiles.delay_width),
          bytes(delays + TARGETS + WEIGHTS) {}

    bool wide() const { return delays == TILE * int64_t(sizeof(double)); }
    char* of(int64_t place) const { return begin + place / TILE * bytes; }
    int32_t* targets(char* tile) const { return (int32_t*)(tile + delays); }
    R* weights(char* tile) const { return (R*)(tile + delays + TARGETS); }
    const int32_t* targets(const char* tile) const { return (const int32_t*)(tile + delays); }
    const R* weights(const char* tile) const { return (const R*)(tile + delays + TARGETS); }

    double delay(int64_t place) const {
        const char* const tile = of(place);
        return wide() ? ((const double*)tile)[place % TILE] : double(((const float*)tile)[place % TILE]);
    }
    void set_delay(int64_t place, double delay) const {
        char* const tile = of(place);
        if (wide()) ((double*)tile)[place % TILE] = delay;
        else ((float*)tile)[place % TILE] = float(delay);
    }
};

// The part of the neurons that has neuron n.
inline int64_t part_of(const FlightParts& parts, int64_t n) {
    int64_t p = 0;
    while (p + 1 < parts.n_parts && n >= parts.bounds[p + 1]) ++p;
    return p;
}

// How many synapses of every neuron each part has.
inline int count_flights(const CountFlights& call) {
    const DelayedWires& w = call.wires;
    for (int64_t i = 0; i < call.tasks.n; ++i) {
        const int64_t n = call.tasks.todo[i];
        for (int64_t e = w.start[n]; e < w.start[n + 1]; ++e)
            for (int64_t k = w.synapses[w.row[e]]; k < w.synapses[w.row[e] + 1]; ++k)
                ++call.counted.of[part_of(call.parts, w.target[k]) * call.parts.size + n];
    }
    return DONE;
}

template <class R> class TileLayer {
    const LayFlights& a;
    const TileRows<R> tiles;
    const WeightTable weights;
    DelaySorter sorter;
    GrowingArray<int64_t> at;  // of every part

    void put(int64_t place, double delay, int64_t target, R weight) {
        char* const tile = tiles.of(place);
        tiles.set_delay(place, delay);
        tiles.targets(tile)[place % TILE] = (int32_t)target;
        tiles.weights(tile)[place % TILE] = weight;
    }

  public:
    explicit TileLayer(const LayFlights& call)
        : a(call), tiles(call.tiles), weights{call.weights.parts, call.weights.n_parts} {}

    // False where there is no memory.
    bool lay(int64_t n) {
        const FlightParts& parts = a.parts;
        if (!sorter.sort(a.wires, n) || !at.reserve(parts.n_parts)) return false;
        for (int64_t p = 0; p < parts.n_parts; ++p) at[p] = a.tiles.first[p * parts.size + n];
        for (int64_t k = 0; k < sorter.size; ++k) {
            const int64_t synapse = sorter[k].synapse, target = a.wires.target[synapse];
            const R weight = weights.of_part(synapse, [&](const auto* w) { return R(w[synapse]); });
            put(at[part_of(parts, target)]++, sorter[k].delay, target, weight);
        }
        for (int64_t p = 0; p < parts.n_parts; ++p)
            for (; at[p] % TILE != 0; ++at[p])
                put(at[p], std::numeric_limits<double>::infinity(), parts.bounds[p], R(0));
        return true;
    }
};

template <class R> int lay_flights_as(const LayFlights& call) {
    TileLayer<R> layer(call);
    for (int64_t i = 0; i < call.tasks.n; ++i)
        if (!layer.lay(call.tasks.todo[i])) return NO_MEMORY;
    return DONE;
}

// Puts the synapses into tiles, weights in the type of the state.
inline int lay_flights(const LayFlights& call) {
    return call.tiles.width == sizeof(float) ? lay_flights_as<float>(call) : lay_flights_as<double>(call);
}

}  // namespace eventsim
