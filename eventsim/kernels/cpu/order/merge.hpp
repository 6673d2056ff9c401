// Arrivals of all sources of a stage in one order: by time, then row, then as they came.
//
// A source whose spikes all take equally long comes in that order: then sources are merged. Else all
// are sorted.
#pragma once
#include "../calls.hpp"
#include "sort.hpp"

namespace eventsim {

class Merging {
    const Sources sources;
    const Merged merged;
    Arena arena;
    Run room;         // of one sample
    Sorter sorter;
    int64_t* ends;    // of the sources in there
    bool ascending;   // whether each of them is in order

    static std::size_t bytes(int64_t most, int64_t n_sources) {
        return most * 20 + n_sources * 8 + 4 * 64 + Sorter::room(most);
    }

    Merging(const MergeSources& call, int64_t most)
        : sources(call.sources), merged(call.merged), arena(bytes(most, sources.n_sources)),
          room{arena.take<double>(most), arena.take<int32_t>(most), arena.take<int64_t>(most)},
          sorter(most, arena), ends(arena.take<int64_t>(sources.n_sources)) {}

    // Write the arrivals of a sample into the room, source after source; returns how many.
    int64_t gather(int64_t s) {
        int64_t n = 0;
        ascending = true;
        for (int64_t k = 0; k < sources.n_sources; ++k) {
            const int64_t* const first = sources.first + k * (sources.n_samples + 1) + s;
            const double* const times = sources.time[k];
            const int32_t* const neurons = sources.neuron[k];
            const int64_t begin = n, row_start = sources.row_start[k];
            for (int64_t number = first[0]; number < first[1]; ++number, ++n) {
                const int64_t row = row_start + neurons[number];
                room.set(n, times[number] + sources.delay[row], (int32_t)row, number);
            }
            ends[k] = n;
            for (int64_t i = begin + 1; ascending && i < n; ++i)
                ascending = in_order(room, i - 1, room.time[i], room.row[i]);
        }
        return n;
    }

    // Merge runs next to each other until there is one, to and fro between the room and `out`.
    void merge_all(const Run& out, int64_t n) {
        Run from = room, to = out;
        for (int64_t runs = sources.n_sources; runs > 1; runs = (runs + 1) / 2) {
            int64_t low = 0;
            for (int64_t k = 0; k < runs; k += 2) {
                const int64_t middle = ends[k], end = k + 1 < runs ? ends[k + 1] : middle;
                merge(from, low, middle, end, to);
                ends[k / 2] = low = end;
            }
            std::swap(from, to);
        }
        if (from.time == room.time) from.copy(0, n, out);
    }

  public:
    explicit Merging(const MergeSources& call) : Merging(call, most_of(call.tasks, call.merged.offsets)) {}

    bool ok() const { return arena.ok(); }

    void run(int64_t s) {
        const Run out = Run{merged.time, merged.row, merged.number}.from(merged.offsets[s]);
        const int64_t n = gather(s);
        if (ascending)
            merge_all(out, n);
        else
            sorter.sort(room, out, n);
    }
};

inline int merge_sources(const MergeSources& call) {
    Merging merging(call);
    if (!merging.ok()) return NO_MEMORY;
    for (int64_t i = 0; i < call.tasks.n; ++i) merging.run(call.tasks.todo[i]);
    return DONE;
}

}  // namespace eventsim
