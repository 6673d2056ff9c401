// Blocks of neighbouring neurons: their bounds, the events of the layer that each of them receives, and
// the tables of their neurons.
//
// A block has `width` neurons, the last one the rest. It walks only the events of the rows that one of its
// neurons receives. A single block receives all.
//
// Reference       eventsim/engine/cpu/blocks.py; eventsim/plan (BLOCK, heard)
#pragma once
#include <algorithm>

#include "../../neuron/stretch.hpp"
#include "../calls.hpp"
#include "../table.hpp"

namespace eventsim {

// The first neuron of a block, and how many it has, of a layer of `size`.
FORMULA int64_t low_of(int64_t block, int64_t width) { return block * width; }
FORMULA int64_t size_of(int64_t block, int64_t width, int64_t size) {
    return std::min(width, size - block * width);
}

// The events lo .. hi that a block hears, whose row of `heard` is given, and their numbers from lo on;
// returns how many.
FORMULA int64_t hear(const Events& events, const uint8_t* heard, int64_t lo, int64_t hi,
                     double* times, int32_t* rows, int64_t* number) {
    int64_t n = 0;
    for (int64_t i = lo; i < hi; ++i) {
        times[n] = events.times[i];
        rows[n] = events.rows[i];
        number[n] = i - lo;
        n += heard[events.rows[i]];
    }
    return n;
}

// The columns low .. low + size of a table [rows, all], and zeros behind them up to the width.
template <class R>
FORMULA void take_columns(const R* table, int rows, int64_t all, int64_t low, int64_t size,
                          int64_t width, R* own) {
    for (int row = 0; row < rows; ++row) {
        const R* const from = table + row * all + low;
        std::copy(from, from + size, own + row * width);
        std::fill(own + row * width + size, own + (row + 1) * width, R(0));
    }
}

// The answers [2 DEGREE, width] of the neurons of a table of parameters.
template <class V>
FORMULA void write_answers(const Real<V>* par, int64_t width, Real<V> longest, Real<V>* answers) {
    constexpr int degree = DEGREE<Real<V>>;
    for (int64_t n = 0; n < width; n += Numbers<V>::count) {
        const Answer<V> answer = answer_of(load<V>(par + RATE_MEM * width + n),
                                           load<V>(par + RATE_SYN * width + n), longest);
        for (int q = 0; q < degree; ++q) {
            store(answers + q * width + n, answer.of_v[q]);
            store(answers + (degree + q) * width + n, answer.of_j[q]);
        }
    }
}

// The answers of the neurons side by side from some place on.
template <class V> struct AnswerAt {
    const Real<V>* table;
    int64_t width;
    FORMULA_MEMBER V v(int q) const { return load<V>(table + q * width); }
    FORMULA_MEMBER V j(int q) const { return load<V>(table + (DEGREE<Real<V>> + q) * width); }
};

}  // namespace eventsim
