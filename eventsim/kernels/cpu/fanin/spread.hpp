// The events of a sample, spread to the neurons of a block: what arrives at each lies together, in order.
//
// Events are taken in order of their time, and each is written to all its targets, behind what came
// before. Where synapses have delays, what arrives at a neuron is put in order of time and row: slots.hpp.
// Behind the last arrival of each neuron stands the end of the sample.
//
// On the way back `gather` takes what was found of the arrivals to their synapses and events.
//
// Reference       eventsim/engine/reference/layer.py: arrivals are in order of (time, row)
#pragma once
#include "../../numbers.hpp"
#include "../order/search.hpp"
#include "../synapses.hpp"
#include "../calls.hpp"
#include "slots.hpp"

namespace eventsim {

template <class R> class Spread {
    // The synapses first .. first + n of an event onto the block.
    struct Fan {
        int64_t first, event;
        int32_t n;
    };

    // Places before and behind all arrivals that may be read, and written.
    static constexpr int64_t MARGIN = 64;

    const Sent& sent;
    const Wires& wires;
    const WeightTable weights;
    const int64_t n_blocks;
    const bool back, with_rows;
    Arena fans_room, cursor_room, room;
    Slots slots;
    GrowingArray<int64_t> places;   // of an event's arrivals
    GrowingArray<int32_t> slot_of;  // of all synapses of the events, one event after the other
    Fan* fans;
    int64_t block, n_fans, most_of_fan, most;  // synapses of an event, and of all
    int64_t* cursor;
    double t_begin, t_end;

  public:
    int64_t low, size;        // the neurons of the block are low .. low + size
    int64_t* start;           // [size + 1]: of each neuron's arrivals; the last of them is the end
    double* time;
    R* weight;
    int32_t* row;             // of each arrival's source; where they are asked for
    int64_t* place;           // of each arrival in the next two; null: the same
    R *met, *later;           // back: dL/d(weight) and dL/dt of each arrival

    Spread(const Sent& sent, const Wires& wires, int64_t n_blocks, bool back, bool with_rows = false)
        : sent(sent), wires(wires), weights{wires.parts, wires.n_parts}, n_blocks(n_blocks), back(back),
          with_rows(with_rows) {}

    int64_t widest() const { return (wires.size + n_blocks - 1) / n_blocks; }

    // Choose the block whose neurons get the next arrivals.
    void aim(int64_t block) {
        const int64_t first = wires.size * block / n_blocks;
        this->block = block;
        low = wires.low + first;
        size = wires.size * (block + 1) / n_blocks - first;
    }

    // Spread the events of a sample. False where there is no memory.
    bool take(int64_t s) {
        t_begin = sent.begin[s];
        t_end = sent.duration[s];
        int64_t lo = sent.offsets[s], hi = sent.offsets[s + 1];
        if (!wires.delay) lo = first_at_least(sent.time, lo, hi, t_begin);
        hi = first_at_least(sent.time, lo, hi, t_end);
        if (!find_fans(lo, hi) || !count()) return false;
        if (!take_room(start[size])) return false;
        if (wires.delay) {
            const int64_t all = start[size] + 2 * MARGIN;
            InSlot* const given = take<InSlot>(all);
            R* const weights = take<R>(all);
            write_delayed(given, weights);
            for (int64_t k = 0; k < size; ++k)
                if (!slots.order(k, start[k], given, weights, {time, weight, row, place})) return false;
            met = weights;
            later = (R*)given;
        } else {
            write();
        }
        for (int64_t k = 0; k < size; ++k) {
            const int64_t end = start[k + 1] - 1;
            time[end] = t_end;
            weight[end] = R(0);
        }
        return true;
    }

    // Add the results of the arrivals to their synapses, and to the events' effects. False where there is no
    // memory.
    template <class S> bool gather(S* by_weight, double* by_delay, S* effects) {
        if (!places.reserve(most_of_fan)) return false;
        int64_t* const at = places.begin();
        for (int64_t k = 0; k < size; ++k) cursor[k] = start[k + 1] - 1;
        const int32_t* slot = wires.delay ? slot_of.begin() + most : nullptr;
        for (int64_t i = n_fans; i-- > 0;) {
            const Fan& f = fans[i];
            const int32_t* const target = wires.target + f.first;
            if (slot) slot -= f.n;
            for (int64_t k = f.n; k-- > 0;)
                at[k] = !slot || slots.has(slot[k]) ? --cursor[target[k] - low] : -1;
            S effect = effects[f.event];
            for (int64_t k = 0; k < f.n; ++k) {
                if (at[k] < 0) continue;
                by_weight[f.first + k] += met[at[k]];
                if (by_delay) by_delay[f.first + k] += later[at[k]];
                effect += later[at[k]];
            }
            effects[f.event] = effect;
        }
        return true;
    }

  private:
    // Find the events among lo .. hi that have synapses onto the block.
    bool find_fans(int64_t lo, int64_t hi) {
        if (!fans_room.renew((hi - lo + 1) * sizeof(Fan) + 64)) return false;
        fans = fans_room.take<Fan>(hi - lo + 1);
        n_fans = most_of_fan = most = 0;
        for (int64_t e = lo; e < hi; ++e) {
            const int64_t row = sent.row[e];
            const int32_t* const bound = wires.bound + row * (n_blocks + 1) + block;
            fans[n_fans] = {wires.out_start[row] + bound[0], e, bound[1] - bound[0]};
            n_fans += bound[1] != bound[0];
            most_of_fan = std::max<int64_t>(most_of_fan, bound[1] - bound[0]);
            most += bound[1] - bound[0];
        }
        return true;
    }

    // Find where the arrivals of each neuron begin, with a place for the end of the sample behind them.
    bool count() {
        if (!cursor_room.renew((2 * size + 1) * sizeof(int64_t) + 2 * 64)) return false;
        start = cursor_room.take<int64_t>(size + 1);
        cursor = cursor_room.take<int64_t>(size);
        if (wires.delay) return count_slots();
        std::fill(start, start + size + 1, 0);
        int64_t* const counts = start + 1;
        for (int64_t i = 0; i < n_fans; ++i) {
            const Fan& f = fans[i];
            for (int64_t k = f.first; k < f.first + f.n; ++k) ++counts[wires.target[k] - low];
        }
        for (int64_t n = 0; n < size; ++n) {
            cursor[n] = start[n];
            start[n + 1] += start[n] + 1;
        }
        return true;
    }
    bool count_slots() {
        const double first = n_fans ? sent.time[fans[0].event] : t_begin;
        const double last = n_fans ? sent.time[fans[n_fans - 1].event] + wires.longest : t_begin;
        if (!slots.divide(most, size, first, last, t_begin, t_end)) return false;
        if (!slot_of.reserve(most)) return false;
        int32_t* slot = slot_of.begin();
        for (int64_t i = 0; i < n_fans; ++i) {
            const Fan f = fans[i];
            const int32_t* const target = wires.target + f.first;
            slots.find(sent.time[f.event], wires.delay + f.first, f.n, slot);
            int32_t* const counts = slots.of_neuron(0);
            const int64_t of_each = slots.of_each(), low = this->low;
            for (int32_t k = 0; k < f.n; ++k) ++counts[(target[k] - low) * of_each + slot[k]];
            slot += f.n;
        }
        slots.begin(size, start);
        std::copy(start, start + size, cursor);
        return true;
    }

    template <class T> T* take(int64_t all) { return room.take<T>(all) + MARGIN; }

    // Take memory for n arrivals; with delays, for the unordered ones as well.
    bool take_room(int64_t n) {
        const int64_t all = n + 2 * MARGIN, real = sizeof(R);
        const int64_t listed = 8 + real + (with_rows ? 4 : 0);
        const int64_t more = wires.delay ? sizeof(InSlot) + real + (back ? 8 : 0) : back ? 2 * real : 0;
        if (!room.renew(all * (listed + more) + 8 * 64)) return false;
        time = take<double>(all);
        weight = take<R>(all);
        row = with_rows ? take<int32_t>(all) : nullptr;
        place = back && wires.delay ? take<int64_t>(all) : nullptr;
        if (back && !wires.delay) met = take<R>(all), later = take<R>(all);
        return true;
    }

    // Write the arrivals of all events, one event behind the other.
    void write() {
        for (int64_t i = 0; i < n_fans; ++i)
            weights.of_part(fans[i].first, [&](auto from) { write(fans[i], from); });
    }
    template <class W> void write(const Fan& f, const W* from) {
        const double t = sent.time[f.event];
        const int32_t* const target = wires.target;
        for (int64_t k = f.first; k < f.first + f.n; ++k) {
            const int64_t at = cursor[target[k] - low]++;
            time[at] = t;
            if (row) row[at] = sent.row[f.event];
            weight[at] = weight_of(from, k);
        }
    }

    // Write the arrivals of synapses with delays into their slots; their weights go to the places of the events.
    void write_delayed(InSlot* to, R* weight_to) const {
        const int32_t* slot = slot_of.begin();
        for (int64_t i = 0; i < n_fans; slot += fans[i++].n)
            weights.of_part(fans[i].first,
                            [&](auto from) { write_delayed(fans[i], from, slot, to, weight_to); });
    }
    template <class W>
    void write_delayed(const Fan f, const W* from, const int32_t* slot, InSlot* to, R* weight_to) const {
        const double t = sent.time[f.event], *const delay = wires.delay + f.first;
        const int32_t row = sent.row[f.event], *const target = wires.target + f.first;
        const int64_t low = this->low, of_each = slots.of_each();
        int64_t* const cursor = this->cursor;
        int32_t* const next = slots.of_neuron(0);
        for (int32_t k = 0; k < f.n; ++k) {
            if (!slots.has(slot[k])) continue;
            const int64_t n = target[k] - low, at = next[n * of_each + slot[k]]++, place = cursor[n]++;
            to[at] = {t + delay[k], row, int32_t(place)};
            weight_to[place] = weight_of(from, f.first + k);
        }
    }
    template <class W> R weight_of(const W* from, int64_t k) const {
        return wires.resistance ? R(from[k] * wires.resistance[wires.target[k]]) : R(from[k]);
    }
};

}  // namespace eventsim
