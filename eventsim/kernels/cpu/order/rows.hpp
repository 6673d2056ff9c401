// Spikes grouped by the row of the wiring that they are of, in the order in which they come; when they
// arrive.
#pragma once
#include "../arena.hpp"
#include "../calls.hpp"

namespace eventsim {

// Calls f with the number of each spike of a sample, its time and its row.
template <class F> inline void for_each_spike(const Sources& sources, int64_t s, const F& f) {
    for (int64_t k = 0; k < sources.n_sources; ++k) {
        const int64_t* const first = sources.first + k * (sources.n_samples + 1) + s;
        for (int64_t number = first[0]; number < first[1]; ++number)
            f(number, sources.time[k][number], sources.row_start[k] + sources.neuron[k][number]);
    }
}

// Those of one sample; `next` has room for a number of each row.
inline void group_sample(const Sources& sources, const ByRow& out, int64_t s, int64_t* next) {
    std::fill(next, next + out.n_rows, 0);
    for_each_spike(sources, s, [&](int64_t, double, int64_t row) { ++next[row]; });
    int64_t at = 0;  // spikes of earlier samples lie before
    for (int64_t k = 0; k < sources.n_sources; ++k) {
        const int64_t* const first = sources.first + k * (sources.n_samples + 1);
        at += first[s] - first[0];
    }
    int64_t* const first = out.first + s * (out.n_rows + 1);
    for (int64_t row = 0; row < out.n_rows; ++row) {
        const int64_t n = next[row];
        first[row] = next[row] = at;
        at += n;
    }
    first[out.n_rows] = at;
    for_each_spike(sources, s, [&](int64_t number, double time, int64_t row) {
        const int64_t to = next[row]++;
        out.time[to] = time + sources.delay[row];
        out.number[to] = number;
    });
}

inline int group_by_row(const GroupByRow& call) {
    Arena arena(call.by_row.n_rows * sizeof(int64_t));
    if (!arena.ok()) return NO_MEMORY;
    int64_t* const next = arena.take<int64_t>(call.by_row.n_rows);
    for (int64_t i = 0; i < call.tasks.n; ++i)
        group_sample(call.sources, call.by_row, call.tasks.todo[i], next);
    return DONE;
}

}  // namespace eventsim
