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

// Places of the synapses of neuron n in its row of tiles, by number. F is called with a pointer to them.
template <class F> auto of_ranks(const FlightRanks& ranks, int64_t n, const F& f) {
    const int64_t at = ranks.address + ranks.start[n] * ranks.width;
    return ranks.width == sizeof(uint16_t) ? f((uint16_t*)(intptr_t)at) : f((uint32_t*)(intptr_t)at);
}

// The part of the neurons that has neuron n.
inline int64_t part_of(const FlightParts& parts, int64_t n) {
    int64_t p = 0;
    while (p + 1 < parts.n_parts && n >= parts.bounds[p + 1]) ++p;
    return p;
}

// Counts of every neuron's synapses by part.
inline int count_flights(const CountFlights& call) {
    const DelayedWires& w = call.wires;
    for (int64_t i = 0; i < call.tasks.n; ++i) {
        const int64_t n = call.tasks.todo[i];
        each_row(w, n, [&](int64_t low, int64_t high, int64_t e) {
            for (int64_t k = low; k < high; ++k)
                ++call.counted.of[part_of(call.parts, target_of(w, e, k)) * call.parts.size + n];
        });
    }
    return DONE;
}

template <class R> class TileLayer {
    const LayFlights& a;
    const TileRows<R> tiles;
    const WeightTable weights;
    DelaySorter sorter;
    GrowingArray<int64_t> at;      // of every part
    GrowingArray<int32_t> target;  // of every synapse of a neuron, as the next
    GrowingArray<R> drive;

    void put(int64_t place, double delay, int64_t target, R weight) {
        char* const tile = tiles.of(place);
        tiles.set_delay(place, delay);
        tiles.targets(tile)[place % TILE] = (int32_t)target;
        tiles.weights(tile)[place % TILE] = weight;
    }

    int64_t first(int64_t n, int64_t target) const {
        return a.tiles.first[part_of(a.parts, target) * a.parts.size + n];
    }

    // Targets of the synapses of neuron n, and their weights times the resistance there.
    bool gather(int64_t n) {
        const int64_t all = a.ranks.start[n + 1] - a.ranks.start[n];
        if (!target.reserve(all) || !drive.reserve(all)) return false;
        int64_t i = 0;
        each_row(a.wires, n, [&](int64_t low, int64_t high, int64_t e) {
            if (low < high) weights.of_part(low, [&](const auto* weight) {
                for (int64_t k = low; k < high; ++k, ++i) {
                    target[i] = int32_t(target_of(a.wires, e, k));
                    drive[i] = R(double(weight[k]) * a.weights.resistance[target[i]]);
                }
            });
        });
        return true;
    }

    // Writes the weights where the synapses lie since an earlier call; false if some delay is another.
    template <class T> bool renew(int64_t n, const T* rank) {
        bool same = true;
        int64_t i = 0;
        each_row(a.wires, n, [&](int64_t low, int64_t high, int64_t e) {
            of_width(a.wires.delay[e], a.wires.delay_width, [&](const auto* delay) {
                for (int64_t k = low; k < high; ++k, ++i) {
                    const int64_t place = first(n, target[i]) + rank[i];
                    same &= tiles.delay(place) == double(delay[k]);
                    tiles.weights(tiles.of(place))[place % TILE] = drive[i];
                }
            });
        });
        return same;
    }

    template <class T> bool lay(int64_t n, T* rank) {
        const FlightParts& parts = a.parts;
        if (!sorter.sort(a.wires, n) || !at.reserve(parts.n_parts)) return false;
        for (int64_t p = 0; p < parts.n_parts; ++p) at[p] = a.tiles.first[p * parts.size + n];
        for (int64_t k = 0; k < sorter.size; ++k) {
            const int64_t i = sorter[k].i, place = at[part_of(parts, target[i])]++;
            put(place, sorter[k].delay, target[i], drive[i]);
            rank[i] = T(place - first(n, target[i]));
        }
        for (int64_t p = 0; p < parts.n_parts; ++p)
            for (; at[p] % TILE != 0; ++at[p])
                put(at[p], std::numeric_limits<double>::infinity(), parts.bounds[p], R(0));
        return true;
    }

  public:
    explicit TileLayer(const LayFlights& call)
        : a(call), tiles(call.tiles), weights{call.weights.parts, call.weights.n_parts} {}

    // False where there is no memory.
    bool neuron(int64_t n) {
        return gather(n) && of_ranks(a.ranks, n, [&](auto* rank) {
            return (a.ranks.known && renew(n, rank)) || lay(n, rank);
        });
    }
};

template <class R> int lay_flights_as(const LayFlights& call) {
    TileLayer<R> layer(call);
    for (int64_t i = 0; i < call.tasks.n; ++i)
        if (!layer.neuron(call.tasks.todo[i])) return NO_MEMORY;
    return DONE;
}

// Puts the synapses into tiles, weights times the resistances of targets, in the type of the state.
inline int lay_flights(const LayFlights& call) {
    return call.tiles.width == sizeof(float) ? lay_flights_as<float>(call) : lay_flights_as<double>(call);
}

}  // namespace eventsim
