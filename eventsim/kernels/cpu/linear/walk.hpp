// One neuron alone over a stretch of its block: its arrivals side by side.
//
// Nothing between two spikes depends on order but a sum: with t = 0 at the begin the state before an
// arrival at h is e^(A h) z, where z = x + sum e^(-A h_j) B w_j over the arrivals before. A stretch is
// not longer than a piece, so that e^(-A h) is as exact as e^(A h).
//
// Side by side    arrivals; sums over them in their order, so that bits do not depend on the level.
// Reference       eventsim/engine/reference/linear.py, event by event
#pragma once
#include "stretches.hpp"

namespace eventsim {

template <int N, class V> class LinearWalker {
    using R = Real<V>;
    static constexpr int L = Numbers<V>::count, D = LINEAR_DEGREE<R>;

    const LinearNeurons<N, R>& neurons;
    const LinearBlock<N, V>& block;
    GrowingArray<R> room;
    int64_t stride = 0;

  public:
    // Rows of the nodes of a walk: its begin, the arrivals, its end.
    enum { WAY, STATE, AHEAD = STATE + N, KICK = AHEAD + N, WEIGHT = KICK + N, ROWS = WEIGHT + N };

    LinearWalker(const LinearNeurons<N, R>& neurons, const LinearBlock<N, V>& block)
        : neurons(neurons), block(block) {}

    R* row(int k) { return room.begin() + k * stride; }
    const R* row(int k) const { return room.begin() + k * stride; }

    // For the stretch that the block has gathered; false where there is no memory.
    bool prepare() {
        stride = block.arrivals.size + 2 + 2 * L;
        return room.reserve(ROWS * stride);
    }

    // Neuron n, number k of the block, from the begin of the stretch to its end; whether it runs away.
    bool walk(int64_t n, int k, LinearCell<N, R>& c, SpikeRoom& spikes) {
        for (int64_t i = 0;;) {
            if (c.held()) {
                go(n, k, c, std::min(c.until, block.stop), i);
                if (!(c.until < block.stop)) return false;
                c.until = -1.0;
            }
            if (!fires(n, k, c, i)) return false;
            if (neurons.fire_now(n, c, spikes)) return true;
        }
    }

    // Without a spike up to t, over the arrivals from number i on up to then; i is then behind them.
    void go(int64_t n, int k, LinearCell<N, R>& c, double t, int64_t& i) {
        const LinearFlow<N, R> flow = neurons.flow(n, c.held());
        const int64_t from = i;
        while (i < block.arrivals.size && block.arrivals[i].time <= t) ++i;
        for (int64_t g = 0; g < i - from + 1; g += L) {
            V ahead[N], back[N];
            series(flow, way_to(t, c.time, from, g), ahead, back);
            UNROLL for (int l = 0; l < N; ++l) store(row(AHEAD + l) + g, ahead[l]);
        }
        R term[N][N];  // of A^l
        for (int l = 0; l < N; ++l)
            for (int q = 0; q < N; ++q) term[l][q] = alpha(l, 0) * c.x[q];
        for (int r = 0; r < block.n_receptors(); ++r) arrive(r, k, from, i, term);
        R y[N], z[N];
        for (int q = 0; q < N; ++q) y[q] = term[N - 1][q];
        for (int l = N - 2; l >= 0; --l) {
            times<N>(flow.a, y, z);
            for (int q = 0; q < N; ++q) y[q] = z[q] + term[l][q];
        }
        for (int q = 0; q < N; ++q) c.x[q] = y[q];
        c.time = t;
    }

    // Adds the arrivals first : last of a receptor, whose alpha are those of the nodes from 1 on.
    void arrive(int r, int k, int64_t first, int64_t last, R (*term)[N]) const {
        const LinearArrival<R>* const arrivals = block.arrivals.begin() + first;
        const R* const ahead = row(AHEAD) + 1;
        const int state = block.state_of(r);
        R met[N];
        for (int l = 0; l < N; ++l) met[l] = term[l][state];
        for (int64_t j = 0; j < last - first; ++j) {
            if (arrivals[j].receptor != r) continue;
            const R w = arrivals[j].weights[k];
            for (int l = 0; l < N; ++l) met[l] += w * ahead[l * stride + j];
        }
        for (int l = 0; l < N; ++l) term[l][state] = met[l];
    }

    // The ways to t of the nodes from g on: of a begin, and of the arrivals from `first` on.
    V way_to(double t, double begin, int64_t first, int64_t g) const {
        DoublesOf<V> end;
        UNROLL for (int i = 0; i < end.parts; ++i) end.part[i] = spread<Doubles>(t);
        const V way = difference(end, load_wide<V>(block.times.begin() + first + g));
        return g ? way : select(marked<V>(1), spread<V>(R(t - begin)), way);
    }

    // All alpha of the ways, and of them backward.
    static void series(const LinearFlow<N, R>& flow, V h, V* ahead, V* back) {
        const V square = h * h;
        UNROLL for (int l = 0; l < N; ++l) {
            const R* const c = flow.alpha + l * (D + 1);
            V even = spread<V>(c[D]), odd = spread<V>(c[D - 1]);
            UNROLL for (int m = D - 2; m >= 0; m -= 2) even = fused(even, square, spread<V>(c[m]));
            UNROLL for (int m = D - 3; m >= 1; m -= 2) odd = fused(odd, square, spread<V>(c[m]));
            ahead[l] = fused(odd, h, even);
            back[l] = fused(-odd, h, even);
        }
    }

    R alpha(int l, int64_t node) const { return row(AHEAD + l)[node]; }

    // Whether the neuron fires; then it is at the crossing, else at the end. i is behind the arrivals met.
    bool fires(int64_t n, int k, LinearCell<N, R>& c, int64_t& i) {
        const LinearFlow<N, R> flow = neurons.flow(n, false);
        const int64_t n_nodes = states(flow, k, c, i);
        for (int64_t g = 0; g + 1 < n_nodes; g += L) {
            uint32_t marks = may_cross(flow, g, neurons.alert(n));
            if (n_nodes - 1 - g < L) marks &= (1u << (n_nodes - 1 - g)) - 1;
            for (; marks; marks &= marks - 1) {
                const int64_t m = g + __builtin_ctz(marks);
                const double t = m ? block.arrivals[i + m - 1].time : c.time, end = time_of(i + m);
                R x[N];
                after(m, x);
                if (!(end - t > 0.0)) continue;
                const double at = crossing(flow, x, R(end - t), neurons.level(n));
                if (!(at < end - t && t + at < end)) continue;
                flow.ahead((t + at) - t, x, c.x);
                c.time = t + at;
                i += m;
                return true;
            }
        }
        for (int q = 0; q < N; ++q) c.x[q] = row(STATE + q)[n_nodes - 1];
        c.time = block.stop;
        i = block.arrivals.size;
        return false;
    }

    // The states just before the nodes from the begin c on, over the arrivals from i on; how many.
    int64_t states(const LinearFlow<N, R>& flow, int k, const LinearCell<N, R>& c, int64_t i) {
        const int64_t n_nodes = block.arrivals.size - i + 2;
        R* const way = row(WAY);
        way[0] = 0;
        for (int r = 0; r < block.n_receptors(); ++r) {
            R* const weights = row(WEIGHT + r);
            for (int64_t m = 0; m < n_nodes + L; m += L) store(weights + m, V{});
        }
        R* const weights = row(WEIGHT);
        const LinearArrival<R>* const arrivals = block.arrivals.begin() + i;
        const double begin = c.time;
        for (int64_t m = 1; m + 1 < n_nodes; ++m) {
            const LinearArrival<R>& arrival = arrivals[m - 1];
            way[m] = R(arrival.time - begin);
            weights[arrival.receptor * stride + m] = arrival.weights[k];
        }
        way[n_nodes - 1] = R(block.stop - c.time);
        fill(WAY, n_nodes);
        R columns[N][N][N];  // of a receptor: A^l B
        for (int r = 0; r < block.n_receptors(); ++r) {
            for (int q = 0; q < N; ++q) columns[r][0][q] = q == block.state_of(r) ? R(1) : R(0);
            for (int l = 1; l < N; ++l) times<N>(flow.a, columns[r][l - 1], columns[r][l]);
        }
        for (int64_t g = 0; g < n_nodes; g += L) kicks(flow, columns, g);
        R z[N];
        R* const kick = row(KICK);
        for (int q = 0; q < N; ++q) z[q] = c.x[q];
        for (int64_t m = 0; m < n_nodes; ++m)
            for (int q = 0; q < N; ++q) {
                const R more = kick[q * stride + m];
                kick[q * stride + m] = z[q];
                z[q] += more;
            }
        for (int64_t g = 0; g < n_nodes; g += L) flows(flow, g);
        return n_nodes;
    }

    // The state right after node m.
    void after(int64_t m, R* x) const {
        for (int q = 0; q < N; ++q) x[q] = row(STATE + q)[m];
        for (int r = 0; r < block.n_receptors(); ++r) x[block.state_of(r)] += row(WEIGHT + r)[m];
    }

  private:
    double time_of(int64_t i) const {
        return i < block.arrivals.size ? block.arrivals[i].time : block.stop;
    }

    // Zeros behind the nodes, up to a whole vector and one more.
    void fill(int k, int64_t n_nodes) {
        R* const end = row(k) + n_nodes;
        store(end, V{});
        store(end + L, V{});
    }

    // What arrives, taken back to the begin.
    void kicks(const LinearFlow<N, R>& flow, const R (*columns)[N][N], int64_t g) {
        V ahead[N], back[N], kick[N] = {};
        series(flow, load<V>(row(WAY) + g), ahead, back);
        for (int r = 0; r < block.n_receptors(); ++r) {
            const V w = load<V>(row(WEIGHT + r) + g);
            UNROLL for (int q = 0; q < N; ++q) {
                V gain = back[0] * spread<V>(columns[r][0][q]);
                UNROLL for (int l = 1; l < N; ++l)
                    gain = fused(back[l], spread<V>(columns[r][l][q]), gain);
                kick[q] = fused(w, gain, kick[q]);
            }
        }
        UNROLL for (int q = 0; q < N; ++q) {
            store(row(AHEAD + q) + g, ahead[q]);
            store(row(KICK + q) + g, kick[q]);
        }
    }

    void flows(const LinearFlow<N, R>& flow, int64_t g) {
        V z[N], y[N];
        UNROLL for (int q = 0; q < N; ++q) z[q] = load<V>(row(KICK + q) + g);
        const V last = load<V>(row(AHEAD + N - 1) + g);
        UNROLL for (int q = 0; q < N; ++q) y[q] = last * z[q];
        UNROLL for (int l = N - 2; l >= 0; --l) {
            const V ahead = load<V>(row(AHEAD + l) + g);
            V next[N];
            UNROLL for (int q = 0; q < N; ++q) {
                next[q] = ahead * z[q];
                UNROLL for (int p = 0; p < N; ++p)
                    next[q] = fused(spread<V>(flow.a[q * N + p]), y[p], next[q]);
            }
            UNROLL for (int q = 0; q < N; ++q) y[q] = next[q];
        }
        UNROLL for (int q = 0; q < N; ++q) store(row(STATE + q) + g, y[q]);
    }

    // As LinearFlow::crossing, h up to a piece: V as one polynomial, and one bound of its third derivative.
    // Infinity if there is none.
    static double crossing(const LinearFlow<N, R>& flow, const R* x, R h, R level) {
        R z[N], y[N], v[D + 1];
        for (int q = 0; q < N; ++q) z[q] = x[q];
        for (int m = 0; m <= D; ++m) v[m] = flow.alpha[m] * z[0];
        for (int l = 1; l < N; ++l) {
            times<N>(flow.a, z, y);
            for (int q = 0; q < N; ++q) z[q] = y[q];
            for (int m = 0; m <= D; ++m) v[m] = fused(flow.alpha[l * (D + 1) + m], z[0], v[m]);
        }
        const R jerk = flow.weighed(flow.bounds + 3 * N, x);
        R t = 0, trust = h, u = v[0], slope = v[1], bend = v[2];
        for (;;) {
            u -= level;
            bend += bend;
            if (u >= R(0)) return t;
            if (t >= h) return __builtin_inf();
            const R span = h - t < trust ? h - t : trust;
            const R most = fused(jerk, span, bend);
            const R inside = slope * slope - R(2) * most * u;
            const R below = inside >= R(0) ? slope + square_root(inside) : R(0);
            R step = span;
            if (below > R(0) && R(-2) * u < span * below) {
                step = R(-2) * u / below;
                if (step <= LINEAR_STEP<R> * flow.piece || t + step == t) return t;
                t += step;
            } else {
                t = step == h - t ? h : t + step;
            }
            trust = R(8) * step;
            u = v[D];
            slope = bend = 0;
            for (int m = D - 1; m >= 0; --m) {
                bend = fused(bend, t, slope);
                slope = fused(slope, t, u);
                u = fused(u, t, v[m]);
            }
        }
    }

    // Bit m: whether V may reach the alert level between nodes g + m and g + m + 1.
    uint32_t may_cross(const LinearFlow<N, R>& flow, int64_t g, R alert) const {
        V bend = {};
        UNROLL for (int q = 0; q < N; ++q) {
            V x = load<V>(row(STATE + q) + g);
            for (int r = 0; r < block.n_receptors(); ++r)
                if (block.state_of(r) == q) x = x + load<V>(row(WEIGHT + r) + g);
            bend = fused(spread<V>(flow.bounds[2 * N + q]), absolute(x), bend);
        }
        const V h = load<V>(row(WAY) + g + 1) - load<V>(row(WAY) + g);
        const V u = load<V>(row(STATE) + g), v = load<V>(row(STATE) + g + 1);
        const V most = fused(h * h * R(0.125), bend, select(v > u, v, u));
        return bits_of(Mask<V>(most >= spread<V>(alert)));
    }
};

}  // namespace eventsim
