// The events of a sample, spread to the neurons of a block: what arrives at each lies together, in order.
//
// Events are taken in order of their time, and each is written to all its targets, behind what came
// before. Where synapses have delays, what arrives at a neuron is then sorted by time and row. Behind the
// last arrival of each neuron stands the end of the sample.
//
// On the way back `gather` takes what was found of the arrivals to their synapses and events.
//
// Reference       eventsim/engine/reference/layer.py: arrivals are in order of (time, row)
#pragma once
#include "../../numbers.hpp"
#include "../order/search.hpp"
#include "../order/sort.hpp"
#include "../synapses.hpp"
#include "../calls.hpp"

namespace eventsim {

template <class R> class Spread {
    // The synapses first .. first + n of an event onto the block.
    struct Fan {
        int64_t first, event;
        int32_t n;
    };

    // So many places before and behind all arrivals may be read, and written.
    static constexpr int64_t MARGIN = 64;

    const Sent& sent;
    const Wires& wires;
    const WeightTable weights;
    const int64_t n_blocks;
    const bool back, with_rows;
    Arena fans_room, cursor_room, room, sorting;
    Fan* fans;
    int64_t block, n_fans;
    int64_t* cursor;
    double t_begin, t_end;

  public:
    int64_t low, size;        // the neurons of the block are low .. low + size
    int64_t* start;           // [size + 1]: of each neuron's arrivals; the last of them is the end
    double* time;
    R* weight;
    int32_t* row;             // of each arrival's source; where they are asked for, or arrivals are sorted
    int64_t* place;           // of each arrival in the next two; null: the same
    R *met, *later;           // back: dL/d(weight) and dL/dt of each arrival

    Spread(const Sent& sent, const Wires& wires, int64_t n_blocks, bool back, bool with_rows = false)
        : sent(sent), wires(wires), weights{wires.parts, wires.n_parts}, n_blocks(n_blocks), back(back),
          with_rows(with_rows) {}

    int64_t widest() const { return (wires.size + n_blocks - 1) / n_blocks; }

    // The next arrivals are at the neurons of a block.
    void aim(int64_t block) {
        const int64_t first = wires.size * block / n_blocks;
        this->block = block;
        low = wires.low + first;
        size = wires.size * (block + 1) / n_blocks - first;
    }

    // Those of a sample. False where there is no memory.
    bool take(int64_t s) {
        t_begin = sent.begin[s];
        t_end = sent.duration[s];
        int64_t lo = sent.offsets[s], hi = sent.offsets[s + 1];
        if (!wires.delay) lo = first_at_least(sent.time, lo, hi, t_begin);
        hi = first_at_least(sent.time, lo, hi, t_end);
        if (!find_fans(lo, hi) || !count()) return false;
        const int64_t n = start[size], all = n + 2 * MARGIN;
        if (!take_room(n)) return false;
        if (wires.delay) {
            const Run run = {take<double>(all), take<int32_t>(all), take<int64_t>(all)};
            write(run);
            if (!sort(run, n)) return false;
        } else {
            write({});
        }
        for (int64_t k = 0; k < size; ++k) {
            const int64_t end = start[k + 1] - 1;
            time[end] = t_end;
            weight[end] = R(0);
        }
        return true;
    }

    // What was found of the arrivals goes to their synapses, and to the events' effects.
    template <class S> void gather(S* by_weight, double* by_delay, S* effects) {
        for (int64_t k = 0; k < size; ++k) cursor[k] = start[k + 1] - 1;
        for (int64_t i = n_fans; i-- > 0;) {
            const Fan& f = fans[i];
            S effect = effects[f.event];
            for (int64_t k = f.first; k < f.first + f.n;) {
                const int64_t n = wires.target[k] - low, behind = behind_pair(f, k);
                for (int64_t other = k; other < behind; ++other) cursor[n] -= meets(f, other);
                for (int64_t at = cursor[n]; k < behind; ++k) {
                    if (!meets(f, k)) continue;
                    by_weight[k] += met[at];
                    if (by_delay) by_delay[k] += later[at];
                    effect += later[at++];
                }
            }
            effects[f.event] = effect;
        }
    }

  private:
    bool arrives(const Fan& f, int64_t k) const {
        const double t = sent.time[f.event] + wires.delay[k];
        return t_begin <= t && t < t_end;
    }

    bool meets(const Fan& f, int64_t k) const { return !wires.delay || arrives(f, k); }

    // The synapse behind those of an event that have the target of synapse k: mostly the next.
    int64_t behind_pair(const Fan& f, int64_t k) const {
        const int64_t first = k++;
        while (k < f.first + f.n && wires.target[k] == wires.target[first]) ++k;
        return k;
    }

    // Which of the events lo .. hi have synapses onto the block.
    bool find_fans(int64_t lo, int64_t hi) {
        if (!fans_room.renew((hi - lo + 1) * sizeof(Fan) + 64)) return false;
        fans = fans_room.take<Fan>(hi - lo + 1);
        n_fans = 0;
        for (int64_t e = lo; e < hi; ++e) {
            const int64_t row = sent.row[e];
            const int32_t* const bound = wires.bound + row * (n_blocks + 1) + block;
            fans[n_fans] = {wires.out_start[row] + bound[0], e, bound[1] - bound[0]};
            n_fans += bound[1] != bound[0];
        }
        return true;
    }

    // Where the arrivals of each neuron begin, with a place for the end of the sample behind them.
    bool count() {
        if (!cursor_room.renew((2 * size + 1) * sizeof(int64_t) + 2 * 64)) return false;
        start = cursor_room.take<int64_t>(size + 1);
        cursor = cursor_room.take<int64_t>(size);
        std::fill(start, start + size + 1, 0);
        int64_t* const counts = start + 1;
        for (int64_t i = 0; i < n_fans; ++i) {
            const Fan& f = fans[i];
            for (int64_t k = f.first; k < f.first + f.n; ++k)
                if (meets(f, k)) ++counts[wires.target[k] - low];
        }
        for (int64_t n = 0; n < size; ++n) {
            cursor[n] = start[n];
            start[n + 1] += start[n] + 1;
        }
        return true;
    }

    template <class T> T* take(int64_t all) { return room.take<T>(all) + MARGIN; }

    // For n arrivals; where they are sorted, for what they are sorted by, twice.
    bool take_room(int64_t n) {
        const int64_t all = n + 2 * MARGIN, reals = 1 + (wires.delay != nullptr) + 2 * back;
        const int64_t sorted = wires.delay ? all * (8 + 2 * 12) + 5 * 64 : with_rows ? all * 4 + 64 : 0;
        if (!room.renew(all * (8 + reals * sizeof(R)) + sorted + (1 + reals) * 64)) return false;
        time = take<double>(all);
        weight = take<R>(all);
        row = with_rows && !wires.delay ? take<int32_t>(all) : nullptr;
        place = nullptr;
        if (back) met = take<R>(all), later = take<R>(all);
        return true;
    }

    // All events are written behind one another, and the end of the sample behind each neuron's.
    void write(const Run& run) {
        for (int64_t i = 0; i < n_fans; ++i)
            weights.of_part(fans[i].first, [&](auto from) { write(fans[i], from, run); });
    }
    template <class W> void write(const Fan& f, const W* from, const Run& run) {
        const double t = sent.time[f.event];
        const int32_t* const target = wires.target;
        if (wires.delay) {
            const int32_t row = sent.row[f.event];
            for (int64_t k = f.first; k < f.first + f.n; ++k) {
                if (!arrives(f, k)) continue;
                const int64_t at = cursor[target[k] - low]++;
                run.time[at] = t + wires.delay[k];
                run.row[at] = row;
                run.number[at] = at;
                weight[at] = weight_of(from, k);
            }
            return;
        }
        for (int64_t k = f.first; k < f.first + f.n; ++k) {
            const int64_t at = cursor[target[k] - low]++;
            time[at] = t;
            if (row) row[at] = sent.row[f.event];
            weight[at] = weight_of(from, k);
        }
    }
    template <class W> R weight_of(const W* from, int64_t k) const {
        return wires.resistance ? R(from[k] * wires.resistance[wires.target[k]]) : R(from[k]);
    }

    // The arrivals of each neuron in order of time and row.
    bool sort(const Run& given, int64_t n) {
        int64_t most = 0;
        for (int64_t k = 0; k < size; ++k) most = std::max(most, start[k + 1] - start[k] - 1);
        if (!sorting.renew(Sorter::room(most))) return false;
        const Sorter sorter(most, sorting);
        const Run found = {time, take<int32_t>(n + 2 * MARGIN), take<int64_t>(n + 2 * MARGIN)};
        R* const sorted = take<R>(n + 2 * MARGIN);
        for (int64_t k = 0; k < size; ++k) {
            const int64_t lo = start[k], hi = start[k + 1] - 1;
            sorter.sort(given.from(lo), found.from(lo), hi - lo);
            for (int64_t i = lo; i < hi; ++i) sorted[i] = weight[found.number[i]];
        }
        weight = sorted;
        row = found.row;
        place = found.number;
        return true;
    }
};

}  // namespace eventsim
