// Neurons of a layer, side by side over stretches in which they meet the same arrivals.
//
// A stretch is a piece of a grid that begins at 0, the same for all neurons of a block. An arrival of
// weight w, s = u PIECE before its end, adds w e^(A s) B = w sum_q d_q u^q to the state there: so all
// arrivals of a receptor come by their moments sum_k w_k u_k^q. V stays below the chord of the stretch,
// and what its bend and its kinks add:
//
//     max(u(0), u(h)) + h^2/8 sum_i G_i (|x_i| + sum_k |B w_k|_i) + sum_k (-e_0 A B w_k)^+ s_k (h - s_k) / h
//
// Side by side    neurons of a block.
// Before          lanes of neurons that are not there have no level.
// Reference       eventsim/engine/cpu/linear_lanes.py has the tables, eventsim/neuron/linear_flow.py each neuron
#pragma once
#include "../../lanes.hpp"
#include "../arena.hpp"
#include "../calls.hpp"
#include "cells.hpp"

namespace eventsim {

template <class R> constexpr int LINEAR_TERMS = sizeof(R) == sizeof(float) ? 6 : 10;  // of the moments: linear_lanes.py

// An arrival of a stretch: its time, row of the weights, receptor, and number among the events.
struct LinearArrival {
    double time, u, kink;
    int64_t event, row;
    int32_t receptor;
};

// Events of a sample, by time.
struct LinearEvents {
    const double* times;
    const int32_t* rows;
};

// The moments of the arrivals of one receptor at some neurons; and what is negative among them.
template <class V> struct LinearMoments {
    V m[LINEAR_TERMS<Real<V>>], below, below_kinks;
};

template <int N, class V> class LinearBlock {
    using R = Real<V>;
    static constexpr int T = LINEAR_TERMS<R>;
    const Weights<R>& weights;
    const LinearLanes<R>& lanes;
    const R* rows = nullptr;  // weights of the block
    int64_t block = 0;
    GrowingArray<R> powers;   // u^q, [arrivals, T], in order of receptors

  public:
    const int64_t width;
    double piece = 0.0, begin = 0.0, stop = 0.0;
    int64_t low = 0, size = 0;
    GrowingArray<LinearArrival> arrivals;     // by time
    GrowingArray<double> times;                // of them behind one place, and a vector more
    GrowingArray<int32_t> by_receptor;
    int64_t first[N];  // of a receptor, among them; `receptors` and one more

    LinearBlock(const Weights<R>& weights, const LinearLanes<R>& lanes)
        : weights(weights), lanes(lanes), width(weights.width) {}

    // Blocks of one piece may be entered one after the other with the arrivals that were gathered.
    void enter(int64_t number, int64_t n_neurons) {
        block = number;
        rows = weights.values + number * weights.n_rows * width;
        piece = lanes.piece[number];
        low = number * width;
        size = std::min(width, n_neurons - low);
    }

    // Gather the events from e on that come before the end of stretch m; e is then behind them. False
    // where there is no memory.
    bool gather(double m, const LinearEvents& events, int64_t& e, int64_t end, double t_end) {
        begin = m * piece;
        stop = std::min(begin + piece, t_end);
        const int64_t from = e;
        while (e < end && events.times[e] < stop) ++e;
        arrivals.size = e - from;
        if (!arrivals.reserve(arrivals.size) || !powers.reserve(arrivals.size * T) ||
            !by_receptor.reserve(arrivals.size) ||
            !times.reserve(arrivals.size + 1 + 2 * Numbers<V>::count))
            return false;
        times[0] = begin;
        const double per_piece = 1.0 / piece;  // exact: a power of two
        for (int64_t k = 0; k < arrivals.size; ++k) {
            const double time = events.times[from + k], u = (begin + piece - time) * per_piece;
            const int64_t row = events.rows[from + k];
            arrivals[k] = {time, u, piece * (u - u * u), from + k, row, lanes.receptor[row]};
            times[1 + k] = time;
        }
        std::fill_n(times.begin() + 1 + arrivals.size, 2 * Numbers<V>::count, stop);
        int64_t n = 0;
        for (int r = 0; r < lanes.n_receptors; ++r) {
            first[r] = n;
            for (int64_t k = 0; k < arrivals.size; ++k)
                if (arrivals[k].receptor == r) by_receptor[n++] = (int32_t)k;
        }
        first[lanes.n_receptors] = n;
        for (int64_t i = 0; i < n; ++i) {
            R* const p = powers.begin() + i * T;
            const double u = arrivals[by_receptor[i]].u;
            double power = 1.0;
            for (int q = 0; q < T; ++q, power *= u) p[q] = R(power);
        }
        return true;
    }

    const LinearArrival& arrival(int64_t i) const { return arrivals[by_receptor[i]]; }
    const R* weights_of(const LinearArrival& arrival) const { return rows + arrival.row * width; }
    bool hears(int r) const { return first[r] < first[r + 1]; }
    int n_receptors() const { return (int)lanes.n_receptors; }
    int state_of(int r) const { return lanes.state[r]; }

    // Row `row` of a table of so many rows by block.
    V of_table(const R* table, int64_t n_rows, int64_t row, int64_t v) const {
        return load<V>(table + (block * n_rows + row) * width + v);
    }
    V power(int bit, int ij, int64_t v) const {
        return of_table(lanes.powers, lanes.bits * N * N, bit * N * N + ij, v);
    }
    V meets(int r, int i, int q, int64_t v) const {
        return of_table(lanes.meets, lanes.n_receptors * N * T, (r * N + i) * T + q, v);
    }
    V bound(int which, int i, int64_t v) const {
        return of_table(lanes.bounds, 4 * N, which * N + i, v);
    }

    LinearMoments<V> moments(int r, int64_t v) const {
        LinearMoments<V> s = {};
        for (int64_t i = first[r]; i < first[r + 1]; ++i) {
            const LinearArrival& arrival = this->arrival(i);
            const R* const p = powers.begin() + i * T;
            const V w = load<V>(weights_of(arrival) + v), none = {};
            const V less = select(w < none, -w, none);
            s.m[0] = s.m[0] + w;
            UNROLL for (int q = 1; q < T; ++q) s.m[q] = fused(w, spread<V>(p[q]), s.m[q]);
            s.below = s.below + less;
            s.below_kinks = fused(less, spread<V>(R(arrival.kink)), s.below_kinks);
        }
        return s;
    }

    // y = e^(A PIECE 2^bit) x, or x e^(A PIECE 2^bit).
    template <bool BACK = false> void step(int bit, const V* x, V* y, int64_t v) const {
        const auto entry = [&](int i, int j) { return power(bit, BACK ? j * N + i : i * N + j, v); };
        UNROLL for (int i = 0; i < N; ++i) {
            y[i] = LINEAR_LESS_ONE<R> ? fused(entry(i, 0), x[0], x[i]) : entry(i, 0) * x[0];
            UNROLL for (int j = 1; j < N; ++j) y[i] = fused(entry(i, j), x[j], y[i]);
            if (LINEAR_LESS_ONE<R>) y[i] = flush(y[i]);
        }
    }

    void meet(int r, const LinearMoments<V>& s, V* y, int64_t v) const {
        UNROLL for (int i = 0; i < N; ++i)
            UNROLL for (int q = 0; q < T; ++q) y[i] = fused(meets(r, i, q, v), s.m[q], y[i]);
    }

    // The states behind the stretch.
    void over(const R* from, R* to) const {
        for (int64_t v = 0; v < width; v += Numbers<V>::count) {
            V x[N], y[N];
            UNROLL for (int i = 0; i < N; ++i) x[i] = load<V>(from + i * width + v);
            step(0, x, y, v);
            for (int r = 0; r < n_receptors(); ++r)
                if (hears(r)) meet(r, moments(r, v), y, v);
            UNROLL for (int i = 0; i < N; ++i) store(to + i * width + v, y[i]);
        }
    }

    // As above; returns marks of the neurons that may fire within the stretch.
    uint64_t over_or_fires(const R* from, R* to) const {
        uint64_t marks = 0;
        for (int64_t v = 0; v < width; v += Numbers<V>::count) {
            V x[N], y[N], bend = {}, kinks = {};
            UNROLL for (int i = 0; i < N; ++i) x[i] = load<V>(from + i * width + v);
            step(0, x, y, v);
            UNROLL for (int i = 0; i < N; ++i) bend = fused(bound(2, i, v), absolute(x[i]), bend);
            for (int r = 0; r < n_receptors(); ++r) {
                if (!hears(r)) continue;
                const LinearMoments<V> s = moments(r, v);
                meet(r, s, y, v);
                bend = fused(bound(2, state_of(r), v), s.m[0] + (s.below + s.below), bend);
                const V slope = of_table(lanes.slopes, n_receptors(), r, v), none = {};
                const V kinked = fused(s.m[1] - s.m[2], spread<V>(R(piece)), s.below_kinks);
                kinks = kinks + select(slope > none, slope * s.below_kinks,
                                       -slope * select(kinked > none, kinked, none));
            }
            UNROLL for (int i = 0; i < N; ++i) store(to + i * width + v, y[i]);
            const V chord = select(y[0] > x[0], y[0], x[0]) + kinks;
            const V most = fused(bend, spread<V>(R(piece * piece * 0.125)), chord);
            marks |= (uint64_t)bits_of(Mask<V>(most >= alert(v))) << v;
        }
        return marks;
    }

    V alert(int64_t v) const { return of_table(lanes.alert, 1, 0, v); }

    // Whether no neuron fires again unless something arrives.
    bool silent(const R* from) const {
        bool all_below = true;
        for (int64_t v = 0; v < width; v += Numbers<V>::count) {
            V most = {};
            const V none = {};
            UNROLL for (int i = 0; i < N; ++i) {
                const V x = load<V>(from + i * width + v);
                most = fused(select(x > none, bound(0, i, v), -bound(1, i, v)), x, most);
            }
            all_below &= all(Mask<V>(most < alert(v)));
        }
        return all_below;
    }

    // The states q pieces without an arrival later.
    void far(int64_t q, R* states) const {
        for (int64_t v = 0; v < width; v += Numbers<V>::count) {
            V x[N], y[N];
            UNROLL for (int i = 0; i < N; ++i) x[i] = load<V>(states + i * width + v);
            int64_t left = q;
            for (int bit = 0; left; left >>= 1, ++bit)
                if (left & 1) {
                    step(bit, x, y, v);
                    UNROLL for (int i = 0; i < N; ++i) x[i] = y[i];
                }
            UNROLL for (int i = 0; i < N; ++i) store(states + i * width + v, x[i]);
        }
    }
};

}  // namespace eventsim
