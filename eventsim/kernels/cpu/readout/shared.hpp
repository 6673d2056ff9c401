// Integral of a readout that shares its events, and its gradients.
//
// Side by side    LANES outputs. Spikes are taken as they come, source by source; of GROUP spikes the
//                 gains are added up in the type of the state.
// Before          gains.hpp has filled the table.
// Reference       eventsim/engine/reference/readout.py
#pragma once
#include "../arena.hpp"
#include "gains.hpp"

namespace eventsim {

// Spikes whose places in the table are found before their gains are.
constexpr int BATCH = 256, GROUP = 16;

// Arrivals: row of the weights, first coefficient of the window in a block's table, place in there, and
// the weight exp(-rate t), zero behind the end.
template <class V> class Batch {
    using R = Real<V>;
    static constexpr int N = Numbers<V>::count, D = Numbers<Doubles>::count;
    alignas(64) double time[BATCH];
    alignas(64) Word window[BATCH];

  public:
    int n = 0;
    alignas(64) R place[BATCH], fade[BATCH];
    int64_t row[BATCH];

    int64_t first(int i) const { return (int64_t)window[i] * WINDOW<R>; }

    // The spikes low .. high of a source.
    void take(const Sources& spikes, int64_t source, int64_t low, int64_t high, double t_end,
              const GainTable<R>& gains) {
        const int64_t row_start = spikes.row_start[source];
        const int32_t* const neurons = spikes.neuron[source] + low;
        const double* const times = spikes.time[source] + low;
        n = (int)(high - low);
        for (int i = 0; i < n; ++i) {
            row[i] = row_start + neurons[i];
            time[i] = times[i] + spikes.delay[row[i]];
        }
        const int padded = (n + LANES - 1) / LANES * LANES;
        for (int i = n; i < padded; ++i) time[i] = 0.0;
        DoubleMask late = DoubleMask{};
        for (int i = 0; i < padded; i += D) {
            const Doubles t = load<Doubles>(time + i), left = t_end - t;
            const Place<Doubles> found =
                place_of(select(left > 0.0, left, spread<Doubles>(0.0)), gains.per_ms);
            __builtin_memcpy(window + i, &found.window, sizeof found.window);
            store_as(place + i, found.u);
            store_as(fade + i, gains.rate * t);
            late = late | (t >= t_end);
        }
        for (int i = 0; i < padded; i += N) store(fade + i, decay(load<V>(fade + i)));
        if (any(late))
            for (int i = 0; i < n; ++i) fade[i] = time[i] < t_end ? fade[i] : R(0);
    }
};

// Calls f with the number of the batch's first spike for each batch of a sample.
template <class V, class F>
FORMULA void for_batches(const Sources& spikes, const GainTable<Real<V>>& gains, int64_t s,
                         Batch<V>& batch, const F& f) {
    for (int64_t source = 0; source < spikes.n_sources; ++source) {
        const int64_t* const first = spikes.first + source * (spikes.n_samples + 1) + s;
        for (int64_t low = first[0]; low < first[1]; low += BATCH) {
            batch.take(spikes, source, low, std::min(low + BATCH, first[1]), spikes.duration[s], gains);
            f(low);
        }
    }
}

// Adds weight times gain of a batch at one block of outputs.
template <class V>
__attribute__((noinline)) void add_gains(const Batch<V>& batch, const Real<V>* weights,
                                         const Real<V>* table, double* sums) {
    Row<Doubles> total = load_row<Doubles>(sums);
    for (int low = 0; low < batch.n; low += GROUP) {
        Row<V> part = zeros<V>();
        for (int i = low; i < std::min(low + GROUP, batch.n); ++i) {
            const Row<V> w = spread<V>(batch.fade[i]) * load_row<V>(weights + batch.row[i] * LANES);
            part = fused(w, polynomial_at(table + batch.first(i), spread<V>(batch.place[i])), part);
        }
        total = total + widened(part);
    }
    store_row(sums, total);
}

template <class V> int readout_forward(const ReadoutForward<Real<V>>& call) {
    const auto& gains = call.gains;
    Batch<V> batch;
    for (int64_t i = 0; i < call.tasks.n; ++i) {
        const int64_t s = call.tasks.todo[i], size = call.integrals.size;
        double* const sums = call.integrals.values + s * size;
        std::fill(sums, sums + size, 0.0);
        for_batches(call.spikes, gains, s, batch, [&](int64_t) {
            for (int64_t b = 0; b < gains.n_blocks; ++b)
                add_gains(batch, call.weights.values + b * call.weights.n_rows * LANES,
                          gains.values + b * gains.n_windows * WINDOW<Real<V>>, sums + b * LANES);
        });
    }
    return DONE;
}

// dL/d(integral) of a block's outputs, in the type of the state as well.
template <class V> struct Seed {
    Row<V> unit;
    Row<Doubles> wide;
};

// As add_gains, with all derivatives; sums are [N_SUMS, LANES].
template <class V>
__attribute__((noinline)) void add_slopes(const Batch<V>& batch, const Real<V>* weights,
                                          const Real<V>* table, const Seed<V>& seed,
                                          double* by_weight, double* effects, double* sums) {
    using R = Real<V>;
    Row<Doubles> gains = load_row<Doubles>(sums), by_mem = load_row<Doubles>(sums + LANES),
                  by_syn = load_row<Doubles>(sums + 2 * LANES);
    for (int low = 0; low < batch.n; low += GROUP) {
        Row<V> part_gain = zeros<V>(), part_mem = zeros<V>(), part_syn = zeros<V>();
        for (int i = low; i < std::min(low + GROUP, batch.n); ++i) {
            const R* const first = table + batch.first(i);
            const V u = spread<V>(batch.place[i]), fade = spread<V>(batch.fade[i]);
            const int64_t row = batch.row[i] * LANES;
            const Row<V> w = fade * load_row<V>(weights + row);
            const Row<V> gain = polynomial_at(first + GAIN * POLYNOMIAL<R>, u);
            part_gain = fused(w, gain, part_gain);
            part_mem = fused(w, polynomial_at(first + GAIN_BY_MEM * POLYNOMIAL<R>, u), part_mem);
            part_syn = fused(w, polynomial_at(first + GAIN_BY_SYN * POLYNOMIAL<R>, u), part_syn);
            const Row<V> later = polynomial_at(first + GAIN_LATER * POLYNOMIAL<R>, u);
            effects[i] += sum_by_halves(w * seed.unit * later);
            double* const mine = by_weight + row;
            store_row(mine, fused(widened(fade * gain), seed.wide, load_row<Doubles>(mine)));
        }
        gains = gains + widened(part_gain);
        by_mem = by_mem + widened(part_mem);
        by_syn = by_syn + widened(part_syn);
    }
    store_row(sums, gains);
    store_row(sums + LANES, by_mem);
    store_row(sums + 2 * LANES, by_syn);
}

template <class V> FORMULA Seed<V> seed_of(const double* seeds) {
    Real<V> rounded[LANES];
    for (int k = 0; k < LANES; ++k) rounded[k] = Real<V>(seeds[k]);
    return {load_row<V>(rounded), load_row<Doubles>(seeds)};
}

// The way back over one sample of a chunk; `part` has room for [n_blocks, N_SUMS, LANES].
template <class V>
void sample_back(const ReadoutBackward<Real<V>>& call, int64_t chunk, int64_t s, Batch<V>& batch,
                 double* part) {
    const auto& gains = call.gains;
    const IntegralsBack& back = call.back;
    const int64_t size = back.size, slab = call.weights.n_rows * LANES;
    const double* const seeds = back.seeds + s * size;
    std::fill(part, part + N_GAIN_SUMS * size, 0.0);
    for_batches(call.spikes, gains, s, batch, [&](int64_t low) {
        for (int64_t b = 0; b < gains.n_blocks; ++b)
            add_slopes(batch, call.weights.values + b * slab,
                       gains.values + b * gains.n_windows * WINDOW<Real<V>>,
                       seed_of<V>(seeds + b * LANES),
                       back.by_weight + (chunk * gains.n_blocks + b) * slab, back.effects + low,
                       part + b * N_GAIN_SUMS * LANES);
    });
    for (int i = 0; i < N_GAIN_SUMS; ++i)
        for (int64_t k = 0; k < size; ++k)
            back.sums[(chunk * N_GAIN_SUMS + i) * size + k] +=
                seeds[k] * part[(k / LANES * N_GAIN_SUMS + i) * LANES + k % LANES];
}

template <class V> int readout_backward(const ReadoutBackward<Real<V>>& call) {
    const std::size_t numbers = call.gains.n_blocks * N_GAIN_SUMS * LANES;
    Arena arena(numbers * sizeof(double));
    if (!arena.ok()) return NO_MEMORY;
    double* const part = arena.take<double>(numbers);
    Batch<V> batch;
    for (int64_t i = 0; i < call.tasks.n; ++i) {
        const int64_t chunk = call.tasks.todo[i];
        for (int64_t s = call.back.bounds[chunk]; s < call.back.bounds[chunk + 1]; ++s)
            sample_back(call, chunk, s, batch, part);
    }
    return DONE;
}

}  // namespace eventsim
