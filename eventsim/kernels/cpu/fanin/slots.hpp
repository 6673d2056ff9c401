// The arrivals of each neuron of a block put in order of (time, row), like ones as they were sent.
//
// The time in which all arrive is divided into slots of equal length, EACH arrivals of a neuron in each on
// average. Arrivals are counted by slot, then written into their slots in the order in which they were sent.
// Within a slot each has the place of its rank: how many there are earlier. Where some come at one time, or a
// slot has many, those of the slot are sorted.
//
// Side by side    nothing; of a rank the comparisons with all others of the slot.
// Before          times are finite, delays at least 0.
#pragma once
#include <stdint.h>

#include <algorithm>

#include "../../lanes.hpp"
#include "../arena.hpp"

namespace eventsim {

// An arrival in its slot: in ms, the row of its source, and its place as it was sent, where its weight is.
struct InSlot {
    double time;
    int32_t row, place;
};

// Arrivals in order; rows and places are null where nobody asks for them.
template <class R> struct Arrived {
    double* time;
    R* weight;
    int32_t* row;
    int64_t* place;
};

class Slots {
    static constexpr int FEW = 16, MANY = 32;
    static constexpr int64_t EACH = 6;

    Arena room;
    GrowingArray<InSlot> sorted;
    int64_t n;        // slots of a neuron; number n has what does not arrive
    double t_begin, t_end, start, per_ms;
    int32_t* counts;  // [neurons, n + 1]; then where the next arrival of each slot goes

  public:
    // Divide the time from `first` to `last` into slots, for up to that many arrivals and neurons; arrivals
    // before t_begin or from t_end on do not count. False where there is no memory.
    bool divide(int64_t arrivals, int64_t neurons, double first, double last, double t_begin, double t_end) {
        n = std::max<int64_t>(1, arrivals / (EACH * std::max<int64_t>(neurons, 1)));
        if (arrivals > INT32_MAX || !room.renew(neurons * (n + 1) * sizeof(int32_t) + 64)) return false;
        counts = room.zeros<int32_t>(neurons * (n + 1));
        this->t_begin = t_begin;
        this->t_end = t_end;
        start = std::max(first, t_begin);
        const double length = std::min(last, t_end) - start;
        per_ms = length > 0.0 ? double(n) / length : 0.0;
        return true;
    }

    // Slots of what is sent at t over m synapses.
    void find(double t, const double* delay, int64_t m, int32_t* slot) const {
        const double begin = t_begin, end = t_end, start = this->start, per_ms = this->per_ms;
        const double highest = double(n - 1);
        const int32_t none = int32_t(n);
        for (int64_t i = 0; i < m; ++i) {
            const double at = t + delay[i], x = (at - start) * per_ms;
            const double within = x < highest ? x : highest;
            const int32_t mine = int32_t(within > 0.0 ? within : 0.0);
            slot[i] = (at >= begin) & (at < end) ? mine : none;
        }
    }
    bool has(int32_t slot) const { return slot < n; }
    // Counts of a neuron's arrivals by slot, of_each() of them; the last counts what does not arrive in time.
    int32_t* of_neuron(int64_t neuron) const { return counts + neuron * (n + 1); }
    int64_t of_each() const { return n + 1; }

    // From counts to places: first[k] is where the arrivals of neuron k begin; behind them is one place more.
    void begin(int64_t neurons, int64_t* first) {
        int64_t at = 0;
        for (int64_t k = 0; k < neurons; ++k) {
            first[k] = at;
            int32_t* const mine = of_neuron(k);
            for (int64_t slot = 0; slot < n; ++slot) {
                const int32_t size = mine[slot];
                mine[slot] = int32_t(at);
                at += size;
            }
            ++at;
        }
        first[neurons] = at;
    }

    // Write the arrivals of a neuron, all of them in their slots from lo on, to `to` in order. False where
    // there is no memory.
    template <class R>
    bool order(int64_t neuron, int64_t lo, const InSlot* from, const R* weight, const Arrived<R> to) {
        const int32_t* const ends = of_neuron(neuron);
        for (int64_t slot = 0; slot < n; ++slot) {
            const int64_t hi = ends[slot], m = hi - lo;
            const bool ranked = m <= FEW ? rank<FEW>(lo, m, from, weight, to)
                                         : m <= MANY && rank<MANY>(lo, m, from, weight, to);
            if (!ranked && !sort(lo, m, from, weight, to)) return false;
            lo = hi;
        }
        return true;
    }

  private:
    template <class R>
    FORMULA_MEMBER static void set(int64_t at, const InSlot& x, const R* weight, const Arrived<R>& to) {
        to.time[at] = x.time;
        to.weight[at] = weight[x.place];
        if (to.row) to.row[at] = x.row;
        if (to.place) to.place[at] = x.place;
    }

    // Write the m arrivals from lo on, MOST at most, by rank of their times; false where two times are equal.
    template <int MOST, class R>
    FORMULA_MEMBER static bool rank(int64_t lo, int64_t m, const InSlot* from, const R* weight,
                                    const Arrived<R>& to) {
        constexpr int L = Numbers<Doubles>::count;
        const uint32_t all = uint32_t((uint64_t(1) << m) - 1);
        Doubles time[MOST / L];
        UNROLL for (int c = 0; c < MOST / L; ++c) time[c] = times<L>(from + lo + c * L);
        int64_t ranks = 0;
        for (int64_t i = lo; i < lo + m; ++i) {
            const Doubles mine = spread<Doubles>(from[i].time);
            uint32_t earlier = 0;
            UNROLL for (int c = 0; c < MOST / L; ++c)
                earlier |= bits_of(DoubleMask(time[c] < mine)) << c * L;
            const int64_t rank = __builtin_popcount(earlier & all);
            ranks += rank;
            set(lo + rank, from[i], weight, to);
        }
        return ranks == m * (m - 1) / 2;
    }

    // Times of L arrivals.
    template <int L> FORMULA_MEMBER static Doubles times(const InSlot* from) {
        return even(load<Doubles>(&from[0].time), load<Doubles>(&from[L / 2].time),
                    std::make_integer_sequence<int, L>());
    }
    template <int... K>
    FORMULA_MEMBER static Doubles even(Doubles a, Doubles b, std::integer_sequence<int, K...>) {
#ifdef __clang__
        return __builtin_shufflevector(a, b, (2 * K)...);
#else
        return __builtin_shuffle(a, b, Mask<Doubles>{(2 * K)...});
#endif
    }

    // Write the m arrivals from lo on, sorted. False where there is no memory.
    template <class R>
    bool sort(int64_t lo, int64_t m, const InSlot* from, const R* weight, const Arrived<R>& to) {
        if (!sorted.reserve(m)) return false;
        std::copy(from + lo, from + lo + m, sorted.begin());
        std::sort(sorted.begin(), sorted.begin() + m, [](const InSlot& a, const InSlot& b) {
            if (a.time != b.time) return a.time < b.time;
            return a.row != b.row ? a.row < b.row : a.place < b.place;
        });
        for (int64_t i = 0; i < m; ++i) set(lo + i, sorted[i], weight, to);
        return true;
    }
};

}  // namespace eventsim
