// Spikes that the tasks of a layer wrote, packed: by sample, without gaps, in order of (time, neuron);
// like ones stay in the order of tasks.
#pragma once
#include "../calls.hpp"
#include "sort.hpp"

namespace eventsim {

class Packing {
    const Rounds rounds;
    const Packed packed;
    Arena arena;
    Run given, found;  // of one sample that is not in order
    double *current, *restart;
    Sorter sorter;

    Packing(const PackSpikes& call, int64_t most)
        : rounds(call.rounds), packed(call.packed), arena(most * 56 + 8 * 64 + Sorter::room(most)),
          given{arena.take<double>(most), arena.take<int32_t>(most), arena.take<int64_t>(most)},
          found{arena.take<double>(most), arena.take<int32_t>(most), arena.take<int64_t>(most)},
          current(arena.take<double>(most)), restart(arena.take<double>(most)), sorter(most, arena) {}

    // Copy the spikes of a task to `at`; returns whether they, and the one before, are in order.
    bool copy(int64_t task, int64_t low, int64_t at) const {
        const int64_t round = rounds.round[task], from = rounds.starts[task];
        const Run out = {packed.time, packed.neuron, nullptr};
        bool ordered = true;
        for (int64_t k = 0; k < rounds.counts[task]; ++k, ++at) {
            const int32_t neuron = rounds.neuron[round][from + k];
            const double resistance = packed.resistance[neuron];
            packed.time[at] = rounds.time[round][from + k];
            packed.neuron[at] = neuron;
            packed.current[at] = rounds.current[round][from + k] / resistance;
            packed.restart[at] = rounds.restart[round][from + k] / resistance;
            ordered &= at == low || in_order(out, at - 1, packed.time[at], neuron);
        }
        return ordered;
    }

    void sort(int64_t low, int64_t n) const {
        for (int64_t k = 0; k < n; ++k) given.set(k, packed.time[low + k], packed.neuron[low + k], k);
        sorter.sort(given, found, n);
        std::copy(packed.current + low, packed.current + low + n, current);
        std::copy(packed.restart + low, packed.restart + low + n, restart);
        for (int64_t k = 0; k < n; ++k) {
            packed.time[low + k] = found.time[k];
            packed.neuron[low + k] = found.row[k];
            packed.current[low + k] = current[found.number[k]];
            packed.restart[low + k] = restart[found.number[k]];
        }
    }

  public:
    explicit Packing(const PackSpikes& call) : Packing(call, most_of(call.tasks, call.packed.offsets)) {}

    bool ok() const { return arena.ok(); }

    void run(int64_t s) const {
        const int64_t low = packed.offsets[s];
        int64_t at = low;
        bool ordered = true;
        for (int64_t task = s * rounds.n_parts; task < (s + 1) * rounds.n_parts; ++task) {
            ordered &= copy(task, low, at);
            at += rounds.counts[task];
        }
        if (!ordered) sort(low, at - low);
    }
};

inline int pack_spikes(const PackSpikes& call) {
    Packing packing(call);
    if (!packing.ok()) return NO_MEMORY;
    for (int64_t i = 0; i < call.tasks.n; ++i) packing.run(call.tasks.todo[i]);
    return DONE;
}

}  // namespace eventsim
