// Synapses that have delays of their own, by source neuron, in order of (delay, number).
//
// They go into buckets of equal length in delay, two into each on average, and those of a bucket are then put
// in order.
//
// Side by side    nothing; tasks are neurons, dealt to threads by the caller.
// Before          delays are finite; rows of a neuron ascend.
// Reference       numpy.lexsort
#pragma once
#include <stdint.h>

#include <algorithm>

#include "../arena.hpp"
#include "../calls.hpp"
#include "../synapses.hpp"

namespace eventsim {

// The delay of a neuron's i-th synapse, by number, in ms.
struct Delayed {
    double delay;
    int64_t i;

    bool operator<(const Delayed& b) const { return delay < b.delay || (delay == b.delay && i < b.i); }
};

// Calls f(first, last, row) for the synapses first : last of every row of neuron n, in order.
template <class F> inline void each_row(const DelayedWires& w, int64_t n, const F& f) {
    for (int64_t e = w.start[n]; e < w.start[n + 1]; ++e) f(w.synapses[w.row[e]], w.synapses[w.row[e] + 1], e);
}

// The target neuron of synapse k, of row e.
inline int64_t target_of(const DelayedWires& w, int64_t e, int64_t k) {
    return w.into[e] + ((const int32_t*)(intptr_t)w.target[e])[k];
}

// The synapses of one neuron after another, in order.
class DelaySorter {
    // Synapses for each bucket, on average; so many are sorted by insertion.
    static constexpr int64_t EACH = 2, FEW = 16;

    GrowingArray<Delayed> given, sorted;
    GrowingArray<int64_t> begin;  // of every bucket

  public:
    int64_t size = 0;

    const Delayed& operator[](int64_t i) const { return sorted[i]; }

    // Sort the synapses of neuron n; false where there is no memory.
    bool sort(const DelayedWires& w, int64_t n) {
        int64_t all = 0;
        each_row(w, n, [&](int64_t low, int64_t high, int64_t) { all += high - low; });
        if (!given.reserve(all)) return false;
        size = 0;
        each_row(w, n, [&](int64_t low, int64_t high, int64_t e) {
            of_width(w.delay[e], w.delay_width, [&](const auto* delay) {
                for (int64_t k = low; k < high; ++k, ++size) given[size] = {double(delay[k]), size};
            });
        });
        const int64_t buckets = size / EACH + 1;
        if (!sorted.reserve(size) || !begin.reserve(buckets + 1)) return false;
        spread(buckets);
        for (int64_t b = 0, low = 0; b < buckets; low = begin[b++]) order(low, begin[b]);
        return true;
    }

  private:
    // Into buckets; behind it begin[b] is where those of bucket b end.
    void spread(int64_t buckets) {
        double least = __builtin_inf(), most = 0.0;
        for (int64_t i = 0; i < size; ++i) {
            least = std::min(least, given[i].delay);
            most = std::max(most, given[i].delay);
        }
        const double per_ms = most > least ? double(buckets) / (most - least) : 0.0;
        const auto bucket_of = [&](const Delayed& x) {
            return std::min(int64_t((x.delay - least) * per_ms), buckets - 1);
        };
        std::fill(begin.begin(), begin.begin() + buckets + 1, 0);
        for (int64_t i = 0; i < size; ++i) ++begin[bucket_of(given[i]) + 1];
        for (int64_t b = 0; b < buckets; ++b) begin[b + 1] += begin[b];
        for (int64_t i = 0; i < size; ++i) sorted[begin[bucket_of(given[i])]++] = given[i];
    }

    void order(int64_t low, int64_t high) {
        Delayed* const x = sorted.begin();
        if (high - low > FEW) return std::sort(x + low, x + high);
        for (int64_t i = low + 1; i < high; ++i) {
            const Delayed mine = x[i];
            int64_t k = i;
            for (; k > low && mine < x[k - 1]; --k) x[k] = x[k - 1];
            x[k] = mine;
        }
    }
};

inline int sort_delays(const SortDelays& call) {
    DelaySorter sorter;
    GrowingArray<int64_t> number;
    for (int64_t i = 0; i < call.tasks.n; ++i) {
        const int64_t n = call.tasks.todo[i];
        if (!sorter.sort(call.wires, n) || !number.reserve(sorter.size)) return NO_MEMORY;
        int64_t all = 0;
        each_row(call.wires, n, [&](int64_t low, int64_t high, int64_t) {
            for (int64_t k = low; k < high; ++k) number[all++] = k;
        });
        for (int64_t k = 0, at = call.sorted.start[n]; k < sorter.size; ++k, ++at) {
            call.sorted.delay[at] = sorter[k].delay;
            call.sorted.synapse[at] = number[sorter[k].i];
        }
    }
    return DONE;
}

}  // namespace eventsim
