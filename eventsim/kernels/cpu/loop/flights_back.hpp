// Spikes in flight on the way back, whose synapses have delays of their own: met from the last arrival to the
// first.
//
// Between two of its own spikes a neuron's adjoint may be requested in any order. So time goes by windows of any
// length, whatever the delays: in each the spikes hand over their arrivals one spike after the other, a range of
// their rows of tiles, which is read in place. No list has an entry per synaptic event.
//
// Side by side    nothing.
// Before          spikes of a sample are in order of time.
// Reference       eventsim/engine/reference/queue.py
#pragma once
#include "../calls.hpp"
#include "heap.hpp"
#include "tiles.hpp"

namespace eventsim {

// A spike of which synapses from place `begin` of its row up to `at` are still to be met; the next one at `next`.
struct FlightBack {
    double next;
    int64_t spike, begin, at;

    // The latest comes first.
    bool operator<(const FlightBack& b) const {
        return next > b.next || (next == b.next && spike > b.spike);
    }
};

// An arrival at a neuron that stops in the window. It is met right in front of `time`.
template <class R> struct NotedBack {
    double time;
    int64_t spike, place;
    int32_t neuron;
    R weight;

    // The latest comes first.
    bool operator<(const NotedBack& b) const {
        if (time != b.time) return time > b.time;
        return spike != b.spike ? spike > b.spike : place > b.place;
    }
};

template <class R> class FlightsBack {
    const TileRows<R> tiles;
    const Tiles& rows;
    const Tape& tape;
    Heap<FlightBack> flights;
    double longest = -1.0;     // delay of all
    double begin = 0.0, end = 0.0;
    int64_t first = 0, last = 0;  // spikes of the sample that are not in flight yet
    bool failed = false;

  public:
    FlightsBack(const Tiles& rows, const Tape& tape, int64_t size) : tiles(rows), rows(rows), tape(tape) {
        for (int64_t n = 0; n < size; ++n)
            if (rows.first[n] < rows.last[n]) longest = std::max(longest, tiles.delay(rows.last[n] - 1));
    }

    // Whether no neuron has such synapses.
    bool none() const { return longest < 0.0; }
    // False where there was no memory.
    bool ok() const { return !failed; }

    // The spikes first .. last of a sample, of which what arrived from `begin` on and before `end` is met.
    void take(int64_t first, int64_t last, double begin, double end) {
        flights.size = 0;
        this->first = first;
        this->last = none() ? first : last;
        this->begin = begin;
        this->end = end;
    }

    // Time of the last arrival that is not met yet; -infinity without any.
    double latest() {
        while (first < last && (flights.size == 0 || reach() >= flights.first().next)) launch(--last);
        return flights.size == 0 ? -__builtin_inf() : flights.first().next;
    }

    // Calls meet(spike, t, place, neuron, weight) for all that arrived from `opens` on.
    template <class F> void hand_over(double opens, const F& meet) {
        while (first < last && reach() >= opens) launch(--last);
        while (flights.size > 0 && flights.first().next >= opens) {
            FlightBack f = flights.first();
            const double sent = tape.time[f.spike];
            while (f.at > f.begin && hand_over_tile(f, sent, opens, meet)) {}
            if (f.at > f.begin) f.next = sent + tiles.delay(f.at - 1);
            if (f.at > f.begin && f.next >= begin) flights.replace(f);
            else flights.pop();
        }
    }

  private:
    // Time behind which no arrival of a spike not yet in flight can lie.
    double reach() const { return tape.time[last - 1] + longest; }

    void launch(int64_t spike) {
        const int64_t n = tape.neuron[spike];
        const double sent = tape.time[spike];
        int64_t low = rows.first[n], high = rows.last[n];
        while (low < high) {
            const int64_t middle = (low + high) / 2;
            if (sent + tiles.delay(middle) < end) low = middle + 1;
            else high = middle;
        }
        if (low == rows.first[n]) return;
        const double next = sent + tiles.delay(low - 1);
        if (next < begin) return;
        failed |= !flights.reserve(flights.size + 1);
        if (!failed) flights.push({next, spike, rows.first[n], low});
    }

    // Meet the arrivals of the last tile not met yet; whether that was all of it.
    template <class F> FORMULA_MEMBER bool hand_over_tile(FlightBack& f, double sent, double opens, const F& meet) {
        const char* const tile = tiles.of(f.at - 1);
        if (tiles.wide()) return hand_over_tile(f, tile, (const double*)tile, sent, opens, meet);
        return hand_over_tile(f, tile, (const float*)tile, sent, opens, meet);
    }
    template <class D, class F>
    FORMULA_MEMBER bool hand_over_tile(FlightBack& f, const char* tile, const D* delay, double sent, double opens,
                                       const F& meet) {
        const int32_t* const target = tiles.targets(tile);
        const R* const weight = tiles.weights(tile);
        const int64_t place = (f.at - 1) / TILE * TILE;
        int l = int(f.at - 1 - place);
        for (; l >= 0; --l) {
            const double t = sent + double(delay[l]);
            if (t < opens) break;
            meet(f.spike, t, place + l, target[l], weight[l]);
        }
        f.at = place + l + 1;
        return l < 0;
    }
};

// Collect the gradients of synapses in tiles, by their numbers.
template <class V> int collect_flights(const CollectFlights<Real<V>>& call) {
    const FlightSums<Real<V>>& from = call.flown;
    for (int64_t i = 0; i < call.tasks.n; ++i) {
        const int64_t n = call.tasks.todo[i];
        of_ranks(call.ranks, n, [&](const auto* rank) {
            each_row(call.wires, n, [&](int64_t low, int64_t high, int64_t) {
                for (int64_t k = low; k < high; ++k) {
                    double by_weight = 0.0, by_delay = 0.0;
                    for (int64_t c = 0, at = call.tiles.first[n] + *rank++; c < from.chunks; ++c, at += from.n_places) {
                        by_weight += from.by_weight[at];
                        by_delay += from.by_delay[at];
                    }
                    call.found.by_weight[k] = Real<V>(by_weight);
                    call.found.by_delay[k] = by_delay;
                }
            });
        });
    }
    return DONE;
}

}  // namespace eventsim
