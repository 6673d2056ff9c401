// Table of an arrival's gain at every output of a readout, as polynomials over the time that is left
// to it: formulas in neuron/readout.hpp.
//
// Side by side    LANES outputs of a block; those behind the last repeat it.
// Reference       eventsim/engine/reference/readout.py; windows: eventsim/engine/contract/gain_windows.py
#pragma once
#include <algorithm>

#include "row.hpp"

#include "../../neuron/readout.hpp"
#include "../calls.hpp"

namespace eventsim {

// Rows of the table: gain, its derivatives by both rates, and its slope in time; and of the sums.
enum { GAIN, GAIN_BY_MEM, GAIN_BY_SYN, GAIN_LATER, N_GAIN };
constexpr int N_GAIN_SUMS = 3;

// Numbers of a polynomial of LANES outputs, and of a window.
template <class R> constexpr int POLYNOMIAL = GAIN_TERMS<R> * LANES;
template <class R> constexpr int WINDOW = N_GAIN * POLYNOMIAL<R>;

// Write a row of coefficients, zero where they are tiny.
template <class R> FORMULA void write_row(R* row, Doubles x) {
    double numbers[Numbers<Doubles>::count];
    store(numbers, x);
    for (int k = 0; k < Numbers<Doubles>::count; ++k) row[k] = flush(R(numbers[k]));
}

// Fill all windows of the outputs from one place of a block on; the first window is at `table`.
template <class R>
FORMULA void write_windows(const Output<Doubles>& output, const GainTable<R>& gains, R* table) {
    for (int64_t window = 0; window < gains.n_windows; ++window, table += WINDOW<R>) {
        const double width = width_of((Word)window, gains.per_ms);
        GainTerms<Doubles> terms = first_terms(output, middle_of((Word)window, gains.per_ms));
        for (int n = 0; n < GAIN_TERMS<R>; ++n) {
            if (n > 0) to_next_order(output, terms, width / n);
            const Gains<Doubles> found = gains_of(output, terms);
            R* const row = table + n * LANES;
            write_row(row + GAIN * POLYNOMIAL<R>, found.gain);
            write_row(row + GAIN_BY_MEM * POLYNOMIAL<R>, found.by_mem);
            write_row(row + GAIN_BY_SYN * POLYNOMIAL<R>, found.by_syn);
            write_row(row + GAIN_LATER * POLYNOMIAL<R>, found.later);
        }
    }
}

template <class V> int readout_gains(const ReadoutGains<Real<V>>& call) {
    constexpr int N = Numbers<Doubles>::count;
    const auto& gains = call.gains;
    for (int64_t i = 0; i < call.tasks.n; ++i) {
        const int64_t block = call.tasks.todo[i];
        double mem[LANES], syn[LANES];
        for (int k = 0; k < LANES; ++k) {
            const int64_t output = std::min(block * LANES + k, call.outputs.size - 1);
            mem[k] = call.outputs.rates[output];
            syn[k] = call.outputs.rates[call.outputs.size + output];
        }
        Real<V>* const table = gains.values + block * gains.n_windows * WINDOW<Real<V>>;
        for (int k = 0; k < LANES; k += N) {
            const Output<Doubles> output =
                output_of(load<Doubles>(mem + k), load<Doubles>(syn + k), gains.rate);
            write_windows(output, gains, table + k);
        }
    }
    return DONE;
}

// Polynomial whose coefficients lie from `first` on.
template <class V> FORMULA Row<V> polynomial_at(const Real<V>* first, V u) {
    constexpr int last = GAIN_TERMS<Real<V>> - 1;
    Row<V> x;
    UNROLL for (int p = 0; p < x.n; ++p) {
        const Real<V>* const mine = first + p * Numbers<V>::count;
        V value = load<V>(mine + last * LANES);
        UNROLL for (int n = last - 1; n >= 0; --n) value = fused(value, u, load<V>(mine + n * LANES));
        x.part[p] = value;
    }
    return x;
}

// As polynomial_at, for one output.
template <class R> FORMULA R polynomial_of_one(const R* first, R u) {
    constexpr int last = GAIN_TERMS<R> - 1;
    R value = first[last * LANES];
    UNROLL for (int n = last - 1; n >= 0; --n) value = fused(value, u, first[n * LANES]);
    return value;
}

}  // namespace eventsim
