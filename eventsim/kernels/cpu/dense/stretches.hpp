// A sample under way: its events, and the stretches that they make.
//
// Arrivals at one time are one item, whose weight is their sum. A stretch ends with item ITEMS, or
// where the fastest rate has made SPAN since its first item, or with the sample: where it ends
// follows from the times of its own arrivals, so that a stream that is cut has the same stretches.
//
// Reference       eventsim/engine/reference/layer.py
#pragma once
#include <algorithm>

#include "../../neuron/adaptive.hpp"
#include "../../neuron/stretch.hpp"
#include "../firing.hpp"
#include "../calls.hpp"

namespace eventsim {

// Items, the last at the end; where there are fewer, nothing comes behind.
template <class R> struct Stretch {
    double time[ITEMS];
    const R* weight[ITEMS];                      // rows [width]
    R since[ITEMS], gap[ITEMS], share[ITEMS];    // ms from the item before; ms to the end, and in parts
    int size, empty;                             // items, and those that are no arrival
    bool ends;                                   // with the sample
};

// The way of a block's neurons through a sample, so far.
template <class R> struct Course {
    const double* times;                         // of its events
    const int32_t* rows;
    const R* weights;                            // [n_rows, width] of its block
    int64_t n_events, event;                     // the next
    double t, t_end;
    R* summed;                                   // [ITEMS, width]
    Stretch<R> stretch;
};

// A task under way; arrays have a place for every neuron of its block, and more up to the width.
template <class R> struct Sample : Course<R> {
    int64_t task, sample, block, low, size;      // its neurons are low .. low + size
    int64_t start, limit, count, first;          // of its spikes; count before this stretch
    const int64_t* number;                       // of each event among the sample's; null: as they come
    int64_t met;                                 // the next event before this stretch
    int64_t n_heard, n_all;                      // events of the block, and of the sample, behind those skipped
    int64_t arrival, failed;                     // arrivals so far; who ran away, or -1
    double since, failed_at;                     // since: time of the last arrival
    R *before, *after, *alert;                   // [2, width] twice, [width]
    const R *par, *table;                        // [N_PAR, width], [2 DEGREE, width] of its block
    int64_t *held, *fired_arrival, *fired_times; // spike that holds V, or -1; spikes since an arrival
    double* until;
    Adapted* adapted;
    Firing* firing;                              // of a loop, whose spikes make arrivals; else null
    int32_t* holding;                            // who is held
    int n_holding;
    bool runs, near;
};

// The events from s.event on that come at one time make one item.
template <class R> RARE_FORMULA void sum_up(Course<R>& s, int item, double time, int64_t width) {
    R* const sum = s.summed + item * width;
    std::copy(s.stretch.weight[item], s.stretch.weight[item] + width, sum);
    for (; s.event < s.n_events && s.times[s.event] == time; ++s.event) {
        const R* const more = s.weights + s.rows[s.event] * width;
        for (int64_t n = 0; n < width; ++n) sum[n] += more[n];
    }
    s.stretch.weight[item] = sum;
}

// As fill, for the usual case that four events at different times fit into one stretch.
template <class R> FORMULA bool fill_four(Course<R>& s, int64_t width, R longest) {
    if (s.event + ITEMS >= s.n_events) return false;
    const double* const times = s.times + s.event;
    if (times[ITEMS - 1] > times[0] + double(longest)) return false;
    for (int k = 0; k < ITEMS; ++k)
        if (times[k] == times[k + 1]) return false;
    Stretch<R>& x = s.stretch;
    for (int k = 0; k < ITEMS; ++k) {
        x.time[k] = times[k];
        x.since[k] = R(times[k] - (k == 0 ? s.t : times[k - 1]));
        x.gap[k] = R(times[ITEMS - 1] - times[k]);
        x.weight[k] = s.weights + s.rows[s.event + k] * width;
    }
    for (int k = 0; k < ITEMS; ++k) x.share[k] = x.gap[k] / longest;
    s.event += ITEMS;
    x.size = ITEMS;
    x.empty = 0;
    x.ends = false;
    return true;
}

// The stretch from s.t and s.event on; `nothing` is a row of zeros.
template <class R>
FORMULA void fill(Course<R>& s, int64_t width, R longest, const R* nothing) {
    if (fill_four(s, width, longest)) return;
    Stretch<R>& x = s.stretch;
    int size = 0;
    bool ends = false, full = false;
    double t = s.t, latest = s.t_end;
    while (size < ITEMS && !ends && !full) {
        ends = s.event >= s.n_events;
        double time = ends ? s.t_end : s.times[s.event];
        if (size == 0) latest = time + double(longest);
        full = time > latest;
        x.weight[size] = nothing;
        if (full) {
            time = latest;
            ends = false;
        } else if (!ends) {
            x.weight[size] = s.weights + s.rows[s.event++] * width;
            if (s.event < s.n_events && s.times[s.event] == time) sum_up(s, size, time, width);
        }
        x.time[size] = time;
        x.since[size] = R(time - t);
        t = time;
        ++size;
    }
    for (int k = size; k < ITEMS; ++k) {
        x.weight[k] = nothing;
        x.time[k] = t;
        x.since[k] = R(0);
    }
    for (int k = 0; k < ITEMS; ++k) {
        x.gap[k] = R(t - x.time[k]);
        x.share[k] = x.gap[k] / longest;
    }
    x.size = size;
    x.empty = full || ends;
    x.ends = ends;
}

}  // namespace eventsim
