// Bounds of each row's synapses onto every block of neurons. Tasks are parts of the rows.
#pragma once
#include "../calls.hpp"
#include "../order/search.hpp"

namespace eventsim {

inline int find_bounds(const FindBounds& call) {
    const Bounds& x = call.bounds;
    for (int64_t i = 0; i < call.tasks.n; ++i) {
        const int64_t part = call.tasks.todo[i], parts = call.tasks.n_blocks;
        for (int64_t row = x.n_rows * part / parts; row < x.n_rows * (part + 1) / parts; ++row) {
            const int64_t start = x.out_start[row], end = x.out_start[row + 1];
            int32_t* const bound = x.bound + row * (x.n_blocks + 1);
            for (int64_t b = 0, k = start; b <= x.n_blocks; ++b) {
                k = first_at_least(x.target, k, end, int32_t(x.low + x.size * b / x.n_blocks));
                bound[b] = int32_t(k - start);
            }
        }
    }
    return DONE;
}

}  // namespace eventsim
