// Events of Poisson sources in order of (time, source); eventsim/events/poisson_sources.py defines them.
//
// Sources whose cells are equally long are drawn cell after cell, so that events come roughly in order of
// time. An event is a key of 64 bits: its tick since the begin of the span, and behind it the source. Keys
// go into buckets of equal length in time, of a thousand on average; each is put in order by itself, in
// the first cache.
//
// Side by side    nothing; tasks are spans, dealt to threads by the caller.
// Before          roles of the call.
// Room            some 11 bytes an event, taken of the arena.
// Reference       tests/support/poisson_plain.py
#pragma once
#include <stdint.h>

#include <algorithm>

#include "../arena.hpp"
#include "../calls.hpp"
#include "philox.hpp"

namespace eventsim {

// Keys of the events of a span, in buckets of equal length in time.
struct Buckets {
    uint64_t* key;  // [n, room]
    int32_t* held;  // [n]: keys of each, also beyond its room
    int64_t n, room;
    uint64_t span;  // ticks
    int digits;     // log2 of the ticks of a bucket
    int bits;       // of a source's number

    // An event, at a tick since the begin of the span; it may lie outside.
    void put(uint64_t tick, int32_t source) const {
        if (tick >= span) return;
        const uint64_t bucket = tick >> digits;
        const int32_t at = held[bucket]++;
        if (at < room) key[bucket * room + at] = tick << bits | uint64_t(source);
    }
};

class Drawing {
    static constexpr int64_t BLOCK = 128;     // cells that are drawn at a time
    static constexpr double BUCKET = 1024.0;  // the most keys of a bucket, on average
    static constexpr int WORD = 32;           // binary digits of a random word

    const PoissonCells x;
    const PoissonSpans y;
    Arena arena;             // of a task
    Counters first, later;   // of a block of cells: their first draws, and the others
    int32_t *number, *owner; // of events of a cell; the cell of a later draw
    Buckets buckets;
    uint64_t* sorted;        // keys of a bucket, in order
    int32_t* ends;           // of the parts of a bucket

    static Counters counters(Arena& arena, int64_t n) {
        uint32_t* const words = arena.take<uint32_t>(4 * n);
        return {words, words + n, words + 2 * n, words + 3 * n};
    }

    // Number of parts of a bucket of n keys, a power of two.
    static int parts_digits(int64_t n, int most) {
        int found = 0;
        while (found < most && (int64_t(1) << found) < n) ++found;
        return found;
    }

    // Empty buckets that hold so many keys each; false where there is no memory.
    bool make_room(int64_t most) {
        Buckets& b = buckets;
        b.room = most;
        const int64_t draws = BLOCK * (x.n_limits / 4 + 1), parts = int64_t(1) << parts_digits(most, b.digits);
        const std::size_t cells = BLOCK * 20 + draws * 20, keys = (b.n + 1) * most * 8;
        if (!arena.renew(cells + keys + (b.n + parts + 1) * 4 + 8 * 64)) return false;
        first = counters(arena, BLOCK);
        later = counters(arena, draws);
        number = arena.take<int32_t>(BLOCK);
        owner = arena.take<int32_t>(draws);
        b.key = arena.take<uint64_t>(b.n * most);
        b.held = arena.zeros<int32_t>(b.n);
        sorted = arena.take<uint64_t>(most);
        ends = arena.take<int32_t>(parts + 1);
        return true;
    }

    bool make_buckets(int64_t i) {
        const uint64_t span = uint64_t(y.high[i] - y.low[i]);
        double mean = double(y.expected[i]) / double(span);
        int digits = 0;
        for (; mean <= BUCKET / 2 && span >> digits > 1; ++digits) mean *= 2;
        buckets = {nullptr, nullptr, int64_t((span - 1) >> digits) + 1, 0, span, digits, int(x.bits)};
        return make_room(int64_t(mean * 1.25) + 64);  // eight standard deviations more, or above
    }

    int32_t number_of(uint32_t word, int32_t row) const {
        const auto* const limit = (const uint32_t*)x.limits + row * x.n_limits;
        int32_t n = 0;
        for (int64_t k = 0; k < x.n_limits; ++k) n += limit[k] < word;
        return n;
    }

    // The words of cell `cell` of n sources, first and later draws; the number of these.
    int64_t draw(const int32_t* source, const int32_t* row, int64_t n, uint32_t cell, uint32_t sample) const {
        const Counters one = first, others = later;
        for (int64_t k = 0; k < n; ++k) one.set(k, source[k], cell, 0, sample);
        philox(one, n, x.key, x.other_key);
        int32_t *const numbers = number, *const owners = owner;
        for (int64_t k = 0; k < n; ++k) numbers[k] = number_of(one.a[k], row[k]);
        int64_t draws = 0;
        for (int64_t k = 0; k < n; ++k)
            for (int32_t d = 1; 4 * d - 1 < numbers[k]; ++d, ++draws) {
                owners[draws] = int32_t(k);
                others.set(draws, source[k], cell, d, sample);
            }
        philox(others, draws, x.key, x.other_key);
        return draws;
    }

    // The events of cell `cell` of some sources of a group, in the span of task i.
    void meet(int64_t i, const int32_t* source, const int32_t* row, int64_t n, int64_t cell, int length) const {
        const int64_t draws = draw(source, row, n, uint32_t(cell), uint32_t(y.sample[i]));
        const uint64_t begin = (uint64_t(cell) << length) - uint64_t(y.low[i]);
        const int up = std::max(length - WORD, 0), down = std::max(WORD - length, 0);
        const Buckets to = buckets;
        const Counters one = first, others = later;
        const int32_t *const numbers = number, *const owners = owner;
        const auto event = [=](uint32_t word, int64_t k) {
            to.put(begin + ((uint64_t(word) << up) >> down), source[k]);
        };
        for (int64_t k = 0; k < n; ++k) {
            if (numbers[k] > 0) event(one.b[k], k);
            if (numbers[k] > 1) event(one.c[k], k);
            if (numbers[k] > 2) event(one.d[k], k);
        }
        int32_t left = 0;  // events of the draw, and of those behind it
        for (int64_t j = 0; j < draws; ++j) {
            const int32_t k = owners[j];
            left = j > 0 && owners[j - 1] == k ? left - 4 : numbers[k] - 3;
            event(others.a[j], k);
            if (left > 1) event(others.b[j], k);
            if (left > 2) event(others.c[j], k);
            if (left > 3) event(others.d[j], k);
        }
    }

    void meet_all(int64_t i) const {
        for (int64_t g = 0; g < x.n_groups; ++g) {
            const int length = int(x.digits[g]);
            const int64_t last = (y.high[i] - 1) >> length;
            for (int64_t cell = y.low[i] >> length; cell <= last; ++cell)
                for (int64_t at = x.group[g]; at < x.group[g + 1]; at += BLOCK) {
                    const int64_t n = std::min(BLOCK, x.group[g + 1] - at);
                    meet(i, x.number + at, x.row + at, n, cell, length);
                }
        }
    }

    // Puts the n keys of a bucket in order: by parts of its time, with one key on average or fewer, and
    // then by insertion.
    void sort(const uint64_t* keys, int32_t n) const {
        const int parts = parts_digits(n, buckets.digits), shift = buckets.bits + buckets.digits - parts;
        const uint64_t mask = (uint64_t(1) << parts) - 1;
        uint64_t* const to = sorted;
        int32_t* const end = ends;
        std::fill(end, end + mask + 2, 0);
        for (int32_t k = 0; k < n; ++k) ++end[(keys[k] >> shift & mask) + 1];
        for (uint64_t p = 0; p < mask; ++p) end[p + 1] += end[p];
        for (int32_t k = 0; k < n; ++k) to[end[keys[k] >> shift & mask]++] = keys[k];
        for (int32_t k = 1; k < n; ++k) {
            const uint64_t mine = to[k];
            int32_t at = k;
            for (; at > 0 && to[at - 1] > mine; --at) to[at] = to[at - 1];
            to[at] = mine;
        }
    }

    void write(int64_t i) const {
        const int bits = buckets.bits;
        const uint64_t mask = (uint64_t(1) << bits) - 1;
        const uint64_t* const keys = sorted;
        double* time = y.time + y.start[i];
        int32_t* source = y.source + y.start[i];
        const int64_t low = y.low[i];
        const double tick = y.tick;
        for (int64_t b = 0; b < buckets.n; ++b) {
            const int32_t n = buckets.held[b];
            sort(buckets.key + b * buckets.room, n);
            for (int32_t k = 0; k < n; ++k) {
                time[k] = double(low + int64_t(keys[k] >> bits)) * tick;
                source[k] = int32_t(keys[k] & mask);
            }
            time += n;
            source += n;
        }
    }

  public:
    explicit Drawing(const DrawEvents& call) : x(call.cells), y(call.spans) {}

    // False where there is no memory.
    bool run(int64_t i) {
        y.found[i] = 0;
        if (y.high[i] <= y.low[i] || x.n_groups == 0) return true;
        if (!make_buckets(i)) return false;
        meet_all(i);
        const int64_t most = *std::max_element(buckets.held, buckets.held + buckets.n);
        if (most > buckets.room) {  // more than chance does; counts are right all the same
            if (!make_room(most)) return false;
            meet_all(i);
        }
        for (int64_t b = 0; b < buckets.n; ++b) y.found[i] += buckets.held[b];
        if (y.found[i] <= y.room[i]) write(i);
        return true;
    }
};

inline int draw_events(const DrawEvents& call) {
    Drawing drawing(call);
    for (int64_t k = 0; k < call.tasks.n; ++k)
        if (!drawing.run(call.tasks.todo[k])) return NO_MEMORY;
    return DONE;
}

}  // namespace eventsim
