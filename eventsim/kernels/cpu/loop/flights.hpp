// Spikes in flight of a loop by windows: spikes whose synapses have delays of their own.
//
// A neuron's synapses lie by (delay, number), in tiles. A spike in flight is its time and a place in that row:
// the synapses from there on are still to come. Those with
//
// sent + delay < end,
//
// rounded, are due before the end of a piece: a range from that place on. An arrival s ms before the end adds
// to the sums of its target as in sums.hpp. Its functions are powers, or the two responses as polynomials in
// u = 2 s / H - 1: eventsim/engine/contract/windowing.py.
//
// Order           of the sums: spikes by (time, neuron), each with its synapses in order.
// Noted           The few that may fire in a piece need their arrivals one by one, which are some in a
//                 thousand of all. So neurons that are near their alert level when a piece begins have a mark
//                 in the row of their sums, which is read anyway, and their arrivals are noted as they are
//                 summed. Those of others among the few are looked up afterwards. It changes no result.
// Side by side    synapses of a tile in vectors. No result depends on their width.
// Reference       eventsim/engine/reference/queue.py
#pragma once
#include <limits>

#include "../../lanes.hpp"
#include "../calls.hpp"
#include "sums.hpp"
#include "tiles.hpp"

namespace eventsim {

// Flights whose synapses are fetched before their turn, and tiles of each at most.
constexpr int64_t FLIGHTS_AHEAD = 2, TILES_AHEAD = 8;

// Margin within which a neuron near its threshold is noted, in multiples of the most that arrivals of one recent
// piece could have raised any neuron; and the share of it that remains after a piece that raised none.
constexpr double MARGIN_MORE = 1.25, MARGIN_KEPT = 0.95;

// Place of the mark in a row of FEW_SUMS: below zero if arrivals are noted.
constexpr int MARK = 2;

// Whole numbers as wide as the type.
template <class R> using Signed = std::conditional_t<sizeof(R) == 4, int32_t, int64_t>;

// A spike in flight. Synapses from place `at` on are still to come; in this piece they were from `from` on.
struct InFlight {
    double sent;
    int64_t from, at, end;
};

// An arrival at one of the few. Equal times are in the order in which they were found.
template <class R> struct Noted {
    double time;
    int64_t number;
    R weight;
    int32_t who;

    bool operator<(const Noted& b) const { return time < b.time || (time == b.time && number < b.number); }
};

// Shares that arrivals side by side add to W sums each, as vectors.
template <class V, int W> class Shares {
    using R = Real<V>;
    static constexpr int F = FUNCTIONS<R, W>, TERMS = FUNCTIONS<R, 0>;
    const V scale;
    V gain[TERMS], y[TERMS];  // coefficients of the responses where they are the functions

  public:
    explicit Shares(const FlightSeries<R>& from) : scale(spread<V>(R(2.0 / from.reach))) {
        for (int q = 0; q < TERMS; ++q) {
            gain[q] = spread<V>(from.gain[q]);
            y[q] = spread<V>(from.y[q]);
        }
    }

    // Shares of weights w that arrive s ms before the end.
    FORMULA_MEMBER void find(V s, V w, V* x) const {
        const V zero = V{}, u = fused(scale, s, spread<V>(R(-1)));
        UNROLL for (int q = 0; q < W; ++q) x[q] = zero;
        if constexpr (W == FEW_SUMS) {
            V of_v = gain[TERMS - 1], of_j = y[TERMS - 1];
            UNROLL for (int q = TERMS - 2; q >= 0; --q) {
                of_v = fused(of_v, u, gain[q]);
                of_j = fused(of_j, u, y[q]);
            }
            x[0] = w * of_v;
            x[1] = w * of_j;
        } else {
            x[0] = w;
            UNROLL for (int q = 1; q < F; ++q) x[q] = x[q - 1] * u;
        }
        x[W - 1] = select(zero < w, w, zero) * s;
    }
};

// The flights onto the neurons of one part of a sample.
template <class V, int W> class PartFlights {
    using R = Real<V>;
    static constexpr int N = Numbers<V>::count, CHUNKS = TILE / N;
    static constexpr int BYTES = std::min<int>(W * sizeof(R), VECTOR_BYTES), EACH = BYTES / sizeof(R);
    using T = typename Narrow<R, BYTES>::V;

    const TileRows<R> tiles;
    const Shares<V, W> shares;
    const int64_t *const first, *const last;  // places of every neuron's row
    GrowingArray<InFlight> flights;
    GrowingArray<Noted<R>> found;             // arrivals of noted neurons; then those of the few, in order
    R margin = 0, most = 0;                   // see above

  public:
    int64_t handed = 0;   // synapses that were due in this window
    bool no_room = false;

    PartFlights(const Tiles& tiles, const FlightSeries<R>& series, int64_t part, int64_t size)
        : tiles(tiles), shares(series), first(tiles.first + part * size), last(tiles.last + part * size) {}

    // Whether a neuron with these sums is noted.
    static bool is_noted(const R* sums) {
        Signed<R> word;
        __builtin_memcpy(&word, sums + MARK, sizeof word);
        return word < 0;
    }

    // Resume a spike from before, whose synapses have been met up to `since`. False where there is no memory.
    bool resume(double sent, int64_t n, double since) {
        int64_t low = first[n], high = last[n];
        while (low < high) {
            const int64_t middle = (low + high) / 2;
            if (sent + tiles.delay(middle) < since) low = middle + 1;
            else high = middle;
        }
        return low == last[n] || flights.push({sent, low, low, last[n]});
    }

    // Room for `more` flights; false where there is no memory.
    bool reserve(int64_t more) { return flights.reserve(flights.size + more); }

    // Take the spikes of the window before, in order; there is room. Flights without synapses to come leave.
    void take(const GrowingArray<SentSpike>& spikes) {
        handed = 0;
        int64_t kept = 0;
        for (int64_t k = 0; k < flights.size; ++k)
            if (flights[k].at < flights[k].end) flights[kept++] = flights[k];
        for (int64_t k = 0; k < spikes.size; ++k) {
            const int32_t n = spikes[k].neuron;
            if (first[n] < last[n]) flights[kept++] = {spikes[k].time, first[n], first[n], last[n]};
        }
        flights.size = kept;
    }

    // Time of the next arrival; infinity without any.
    double coming() const {
        double found = __builtin_inf();
        for (int64_t k = 0; k < flights.size; ++k)
            if (flights[k].at < flights[k].end)
                found = std::min(found, flights[k].sent + tiles.delay(flights[k].at));
        return found;
    }

    // Add the arrivals before the end of a piece, and before `stop`, to the sums of their targets.
    __attribute__((noinline)) void hand_over(double end, double stop, R* sums) {
        found.size = 0;
        const DoublesOf<V> border = everywhere(end), before = everywhere(std::min(end, stop));
        for (int64_t k = 0; k < flights.size; ++k) {
            fetch(k + FLIGHTS_AHEAD);
            InFlight& f = flights[k];
            f.from = f.at;
            while (f.at < f.end) {
                const char* const tile = tiles.of(f.at);
                const int begin = int(f.at % TILE);
                DoublesOf<V> arrival[CHUNKS];
                uint32_t due = 0;
                UNROLL for (int c = 0; c < CHUNKS; ++c) {
                    arrival[c] = later(f.sent, delays_of(tile, c));
                    due |= less<V>(arrival[c], before) << c * N;
                }
                const int last = __builtin_popcount(due);
                if (last <= begin) break;
                add(tile, begin, last, arrival, border, sums);
                f.at += last - begin;
                if (last < TILE) break;
            }
            handed += f.at - f.from;
        }
    }

    // The neurons to be noted in the next piece, whose V stays below `bound` without arrivals.
    FORMULA_MEMBER uint32_t near(V bound, V alert) const {
        const V held = spread<V>(-std::numeric_limits<R>::infinity());
        return bits_of(Mask<V>((bound + spread<V>(margin) >= alert) & (held < alert)));
    }
    // Arrivals of this piece could raise a neuron that much.
    void raised(R by) { most = std::max(most, by); }
    void end_piece() {
        margin = std::max(R(MARGIN_MORE) * most, R(MARGIN_KEPT) * margin);
        most = R(0);
    }

    // The arrivals of the few in this piece, in order: those of neurons that are `noted`, and of the others.
    const GrowingArray<Noted<R>>& arrivals_of(const uint8_t* is_one, const uint8_t* noted, bool all_noted) {
        int64_t kept = 0;
        for (int64_t k = 0; k < found.size; ++k) {
            const Noted<R>& x = found[k];
            if (is_one[x.who] && noted[x.who]) found[kept++] = x;
        }
        found.size = kept;
        if (!all_noted) look_again(is_one, noted);
        for (int64_t k = 0; k < found.size; ++k) found[k].number = k;
        std::sort(found.begin(), found.begin() + found.size);
        return found;
    }

  private:
    static DoublesOf<V> everywhere(double x) {
        DoublesOf<V> all;
        UNROLL for (int i = 0; i < all.parts; ++i) all.part[i] = spread<Doubles>(x);
        return all;
    }
    FORMULA_MEMBER static DoublesOf<V> later(double sent, DoublesOf<V> delay) {
        UNROLL for (int i = 0; i < delay.parts; ++i) delay.part[i] = spread<Doubles>(sent) + delay.part[i];
        return delay;
    }

    FORMULA_MEMBER DoublesOf<V> delays_of(const char* tile, int chunk) const {
        if (tiles.wide()) return load_wide<V>((const double*)tile + chunk * N);
        return load_wide<V>((const float*)tile + chunk * N);
    }

    // Prefetch as many tiles as were met in the piece before, and one more.
    void fetch(int64_t k) const {
        if (k >= flights.size) return;
        const InFlight& f = flights[k];
        const char* const from = tiles.of(f.at);
        const int64_t all = std::min((f.at - f.from) / TILE + 2, TILES_AHEAD) * tiles.bytes;
        for (int64_t line = 0; line < all; line += 64) __builtin_prefetch(from + line);
    }

    // Add the places begin .. last of a tile to the sums.
    FORMULA_MEMBER void add(const char* tile, int begin, int last, const DoublesOf<V>* arrival,
                            const DoublesOf<V>& border, R* sums) {
        alignas(64) R rows[TILE * W];
        UNROLL for (int c = 0; c < CHUNKS; ++c) {
            if ((c + 1) * N <= begin || c * N >= last) continue;
            V x[W];
            shares.find(difference<V>(border, arrival[c]), load<V>(tiles.weights(tile) + c * N), x);
            turn_back<W>(x);
            UNROLL for (int q = 0; q < W; ++q) store(rows + (c * W + q) * N, x[q]);
        }
        const int32_t* const target = tiles.targets(tile);
        for (int l = begin; l < last; ++l) {
            R* const row = sums + W * (std::size_t)(uint32_t)target[l];
            if (W == FEW_SUMS && __builtin_expect(is_noted(row), 0)) note(tile, l, arrival);
            UNROLL for (int c = 0; c < W / EACH; ++c) {
                T sum, more;
                __builtin_memcpy(&sum, row + c * EACH, sizeof sum);
                __builtin_memcpy(&more, rows + l * W + c * EACH, sizeof more);
                sum = sum + more;
                __builtin_memcpy(row + c * EACH, &sum, sizeof sum);
            }
        }
    }

    __attribute__((noinline)) void note(const char* tile, int l, const DoublesOf<V>* arrival) {
        double time[TILE];
        UNROLL for (int c = 0; c < CHUNKS; ++c) store_wide<V>(time + c * N, arrival[c]);
        push({time[l], 0, tiles.weights(tile)[l], tiles.targets(tile)[l]});
    }
    void push(const Noted<R>& x) { no_room |= !found.push(x); }

    // Look up the arrivals at those of the few that are not noted.
    __attribute__((noinline)) void look_again(const uint8_t* is_one, const uint8_t* noted) {
        for (int64_t k = 0; k < flights.size; ++k)
            for (int64_t at = flights[k].from; at < flights[k].at; ++at) {
                const char* const tile = tiles.of(at);
                const int32_t n = tiles.targets(tile)[at % TILE];
                if (!is_one[n] || noted[n]) continue;
                push({flights[k].sent + tiles.delay(at), 0, tiles.weights(tile)[at % TILE], n});
            }
    }
};

}  // namespace eventsim
