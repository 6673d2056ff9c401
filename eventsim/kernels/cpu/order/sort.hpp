// Events put in order of (time, row); like ones stay in the order in which they came.
//
// They go into buckets of equal length in time, one into each on average, and are then put in order by
// insertion; by merging those of one bucket where a bucket has many, as where many events have one
// time.
//
// Before          times are finite.
// Room            12 bytes an event, taken of the arena by Sorter; `given` is workspace as well.
#pragma once
#include <stdint.h>

#include <algorithm>
#include <cstddef>

#include "../arena.hpp"

namespace eventsim {

// Events: their times, rows, and numbers.
struct Run {
    double* time;
    int32_t* row;
    int64_t* number;

    Run from(int64_t k) const { return {time + k, row + k, number + k}; }
    void set(int64_t k, double t, int32_t r, int64_t n) const { time[k] = t, row[k] = r, number[k] = n; }
    // Entry k becomes entry `at` of others.
    void set(int64_t k, const Run& others, int64_t at) const {
        set(k, others.time[at], others.row[at], others.number[at]);
    }
    void copy(int64_t low, int64_t high, const Run& to) const {
        std::copy(time + low, time + high, to.time + low);
        std::copy(row + low, row + high, to.row + low);
        std::copy(number + low, number + high, to.number + low);
    }
};

// Whether event i may come before an event of that time and row.
inline bool in_order(const Run& a, int64_t i, double time, int32_t row) {
    return a.time[i] < time || (a.time[i] == time && a.row[i] <= row);
}

// Merges the sorted events low .. middle and middle .. high of `a` into the same places of `to`.
inline void merge(const Run& a, int64_t low, int64_t middle, int64_t high, const Run& to) {
    int64_t i = low, j = middle, k = low;
    while (i < middle && j < high) {
        const bool first = in_order(a, i, a.time[j], a.row[j]);
        to.set(k++, a, first ? i : j);
        i += first;
        j += !first;
    }
    while (i < middle) to.set(k++, a, i++);
    while (j < high) to.set(k++, a, j++);
}

class Sorter {
    // Up to this number, events are sorted by insertion.
    static constexpr int64_t FEW = 32;
    // Numbers of buckets fit into 32 bits.
    static constexpr int64_t MOST_BUCKETS = int64_t(1) << 30;

    int32_t* const bucket;  // of every event
    int64_t* const ends;    // how many events the bucket before has; then where each bucket ends

    // Sorts the events lo .. hi, which lie near their places.
    static void insert(const Run& a, int64_t lo, int64_t hi) {
        for (int64_t i = lo + 1; i < hi; ++i) {
            const double t = a.time[i];
            if (a.time[i - 1] < t) continue;
            const int32_t row = a.row[i];
            const int64_t number = a.number[i];
            int64_t j = i;
            for (; j > lo && !in_order(a, j - 1, t, row); --j) a.set(j, a, j - 1);
            a.set(j, t, row, number);
        }
    }

    // As insert, for any number of events.
    static void sort_many(const Run& a, int64_t lo, int64_t hi, const Run& workspace) {
        for (int64_t start = lo; start < hi; start += FEW) insert(a, start, std::min(start + FEW, hi));
        for (int64_t width = FEW; width < hi - lo; width *= 2) {
            for (int64_t start = lo; start < hi; start += 2 * width)
                merge(a, start, std::min(start + width, hi), std::min(start + 2 * width, hi), workspace);
            workspace.copy(lo, hi, a);
        }
    }

    // Finds the bucket of every event, of as many as there are events, and how many are in each; returns
    // the number of buckets.
    int64_t share_out(const double* time, int64_t n) const {
        double first = time[0], last = time[0];
        for (int64_t i = 1; i < n; ++i) {
            first = std::min(first, time[i]);
            last = std::max(last, time[i]);
        }
        const int64_t buckets = std::min(n, MOST_BUCKETS);
        const double highest = (double)(buckets - 1);
        // Infinite where times differ by next to nothing: all are in the highest bucket then.
        const double scale = last > first ? (double)buckets / (last - first) : 0.0;
        std::fill(ends, ends + buckets + 1, 0);
        for (int64_t i = 0; i < n; ++i) {
            const double b = (time[i] - first) * scale;
            bucket[i] = (int32_t)(b < highest ? b : highest);
            ++ends[bucket[i] + 1];
        }
        return buckets;
    }

    // Copies events bucket after bucket; returns how many the largest has.
    int64_t put(const Run& given, const Run& found, int64_t n, int64_t buckets) const {
        int64_t largest = 0;
        for (int64_t b = 0; b < buckets; ++b) {
            largest = std::max(largest, ends[b + 1]);
            ends[b + 1] += ends[b];
        }
        for (int64_t i = 0; i < n; ++i) found.set(ends[bucket[i]]++, given, i);
        return largest;
    }

  public:
    // Bytes of the arena for up to so many events.
    static std::size_t room(int64_t most) { return most * 12 + 8 + 2 * 64; }
    Sorter(int64_t most, Arena& arena)
        : bucket(arena.take<int32_t>(most)), ends(arena.take<int64_t>(most + 1)) {}

    // `found` are the n events of `given` in order; those given are lost.
    void sort(const Run& given, const Run& found, int64_t n) const {
        if (n == 0) return;
        const int64_t buckets = share_out(given.time, n);
        if (put(given, found, n, buckets) <= FEW) {
            insert(found, 0, n);
            return;
        }
        for (int64_t b = 0, begin = 0; b < buckets; begin = ends[b++])
            if (ends[b] - begin > 1) sort_many(found, begin, ends[b], given);
    }
};

}  // namespace eventsim
