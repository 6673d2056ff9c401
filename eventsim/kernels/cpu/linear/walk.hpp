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
    const bool cut;  // whether no bit of a spike may depend on where its stretch ends
    GrowingArray<R> room;
    int64_t stride = 0;

  public:
    // Rows of the nodes of a walk: its begin, the arrivals, its end.
    enum { STATE, AHEAD = STATE + N, KICK = AHEAD + N, WEIGHT = KICK + N, ROWS = WEIGHT + N };

    LinearWalker(const LinearNeurons<N, R>& neurons, const LinearBlock<N, V>& block, bool cut)
        : neurons(neurons), block(block), cut(cut) {}

    R* row(int k) { return room.begin() + k * stride; }
    const R* row(int k) const { return room.begin() + k * stride; }

    // Prepare the stretch that the block has gathered; false where there is no memory.
    bool prepare() {
        stride = block.arrivals.size + 2 + 2 * L;
        return room.reserve(ROWS * stride);
    }

    // Neuron n, number k of the block, from the begin of the stretch to its end; whether it runs away.
    template <class Room> bool walk(int64_t n, int k, LinearCell<N, R>& c, Room& spikes) {
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
        const LinearArrival* const arrivals = block.arrivals.begin() + first;
        const R* const ahead = row(AHEAD) + 1;
        const int state = block.state_of(r);
        R met[N];
        for (int l = 0; l < N; ++l) met[l] = term[l][state];
        for (int64_t j = 0; j < last - first; ++j) {
            if (arrivals[j].receptor != r) continue;
            const R w = block.weights_of(arrivals[j])[k];
            for (int l = 0; l < N; ++l) met[l] += w * ahead[l * stride + j];
        }
        for (int l = 0; l < N; ++l) term[l][state] = met[l];
    }

    // The ways to t of the nodes from g on: of a begin, and of the arrivals from `first` on.
    V way_to(double t, double begin, int64_t first, int64_t g) const {
        const V way = difference(wide(t), load_wide<V>(block.times.begin() + first + g));
        return g ? way : select(marked<V>(1), spread<V>(R(t - begin)), way);
    }

    // Series alpha of the ways, and of the ways backward.
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

    // Whether the neuron fires; it is at the crossing then, else at the end. i is behind the arrivals met.
    bool fires(int64_t n, int k, LinearCell<N, R>& c, int64_t& i) {
        const LinearFlow<N, R> flow = neurons.flow(n, false);
        const int64_t n_nodes = block.arrivals.size - i + 2;
        R columns[N][N][N];  // of a receptor: A^l B
        weigh(flow, k, i, n_nodes, columns);
        R z[N];
        for (int q = 0; q < N; ++q) z[q] = c.x[q];
        Nodes before, here;
        for (int64_t g = 0; g < n_nodes + L - 1; g += L, before = here) {
            if (g < n_nodes) here = nodes(flow, columns, c.time, i, g, n_nodes, z);
            if (g == 0) continue;
            const int64_t first = g - L;
            uint32_t marks = may_cross(flow, first, before, here, neurons.alert(n));
            if (n_nodes - 1 - first < L) marks &= (1u << (n_nodes - 1 - first)) - 1;
            for (; marks; marks &= marks - 1) {
                const int64_t m = first + __builtin_ctz(marks);
                const double t = m ? block.arrivals[i + m - 1].time : c.time, end = time_of(i + m);
                R x[N];
                after(m, x);
                if (!(end - t > 0.0)) continue;
                const R h = R(end - t);
                const double at = crossing(flow, x, h, cut ? R(flow.piece) : h, neurons.level(n));
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

    // Weights at each node of the arrivals at number k of the block, where node 1 is arrival i; and A^l B.
    void weigh(const LinearFlow<N, R>& flow, int k, int64_t i, int64_t n_nodes, R (*columns)[N][N]) {
        for (int r = 0; r < block.n_receptors(); ++r) {
            R* const weights = row(WEIGHT + r);
            for (int64_t m = 0; m < n_nodes; m += L) store(weights + m, V{});
            for (int q = 0; q < N; ++q) columns[r][0][q] = q == block.state_of(r) ? R(1) : R(0);
            for (int l = 1; l < N; ++l) times<N>(flow.a, columns[r][l - 1], columns[r][l]);
        }
        R* const weights = row(WEIGHT);
        const LinearArrival* const arrivals = block.arrivals.begin() + i;
        for (int64_t m = 1; m + 1 < n_nodes; ++m)
            weights[arrivals[m - 1].receptor * stride + m] = block.weights_of(arrivals[m - 1])[k];
    }

    // Nodes side by side: ms from the begin, and the states just before.
    struct Nodes {
        V way, x[N];
    };

    // The nodes from g on of a walk from `begin` over the arrivals from i on. The states there are those of
    // z, to which what arrives is added, taken back to the begin.
    Nodes nodes(const LinearFlow<N, R>& flow, const R (*columns)[N][N], double begin, int64_t i, int64_t g,
                int64_t n_nodes, R* z) {
        Nodes found;
        found.way = difference(load_wide<V>(block.times.begin() + i + g), wide(begin));
        if (g == 0) found.way = select(marked<V>(1), V{}, found.way);
        V ahead[N], back[N], sum[N];
        series(flow, found.way, ahead, back);
        kicks(columns, back, g);
        UNROLL for (int q = 0; q < N; ++q) sum[q] = spread<V>(z[q]);
        const int64_t n = std::min<int64_t>(n_nodes - g, L);
        for (int64_t m = 0; m < n; ++m) {
            const Mask<V> later = marked<V>(~uint32_t(1) << m);
            UNROLL for (int q = 0; q < N; ++q) {
                const V kick = spread<V>(row(KICK + q)[m]);
                sum[q] = select(later, sum[q] + kick, sum[q]);
            }
        }
        if (n_nodes - g > L)
            UNROLL for (int q = 0; q < N; ++q) z[q] = at(sum[q], L - 1) + row(KICK + q)[L - 1];
        flows(flow, ahead, sum, found.x);
        UNROLL for (int q = 0; q < N; ++q) store(row(STATE + q) + g, found.x[q]);
        return found;
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

    static DoublesOf<V> wide(double x) {
        DoublesOf<V> all;
        UNROLL for (int i = 0; i < all.parts; ++i) all.part[i] = spread<Doubles>(x);
        return all;
    }

    // Arrivals at the nodes from g on, taken back to the begin.
    void kicks(const R (*columns)[N][N], const V* back, int64_t g) {
        V kick[N] = {};
        for (int r = 0; r < block.n_receptors(); ++r) {
            const V w = load<V>(row(WEIGHT + r) + g);
            UNROLL for (int q = 0; q < N; ++q) {
                V gain = back[0] * spread<V>(columns[r][0][q]);
                UNROLL for (int l = 1; l < N; ++l)
                    gain = fused(back[l], spread<V>(columns[r][l][q]), gain);
                kick[q] = fused(w, gain, kick[q]);
            }
        }
        UNROLL for (int q = 0; q < N; ++q) store(row(KICK + q), kick[q]);
    }

    static void flows(const LinearFlow<N, R>& flow, const V* ahead, const V* z, V* y) {
        UNROLL for (int q = 0; q < N; ++q) y[q] = ahead[N - 1] * z[q];
        UNROLL for (int l = N - 2; l >= 0; --l) {
            V next[N];
            UNROLL for (int q = 0; q < N; ++q) {
                next[q] = ahead[l] * z[q];
                UNROLL for (int p = 0; p < N; ++p)
                    next[q] = fused(spread<V>(flow.a[q * N + p]), y[p], next[q]);
            }
            UNROLL for (int q = 0; q < N; ++q) y[q] = next[q];
        }
    }

    // As LinearFlow::crossing, h up to a piece: V as one polynomial, and one bound of its third derivative.
    // Infinity if there is none. Steps are those to a crossing before `reach`, from h to a piece.
    static double crossing(const LinearFlow<N, R>& flow, const R* x, R h, R reach, R level) {
        R z[N], y[N], v[D + 1];
        for (int q = 0; q < N; ++q) z[q] = x[q];
        for (int m = 0; m <= D; ++m) v[m] = flow.alpha[m] * z[0];
        for (int l = 1; l < N; ++l) {
            times<N>(flow.a, z, y);
            for (int q = 0; q < N; ++q) z[q] = y[q];
            for (int m = 0; m <= D; ++m) v[m] = fused(flow.alpha[l * (D + 1) + m], z[0], v[m]);
        }
        const R jerk = flow.weighed(flow.bounds + 3 * N, x);
        R t = 0, trust = reach, u = v[0], slope = v[1], bend = v[2];
        for (;;) {
            u -= level;
            bend += bend;
            if (u >= R(0)) return t;
            if (t >= h) return __builtin_inf();
            const R span = reach - t < trust ? reach - t : trust;
            const R most = fused(jerk, span, bend);
            const R inside = slope * slope - R(2) * most * u;
            const R below = inside >= R(0) ? slope + square_root(inside) : R(0);
            R step = span;
            if (below > R(0) && R(-2) * u < span * below) {
                step = R(-2) * u / below;
                if (step <= LINEAR_STEP<R> * flow.piece || t + step == t) return t;
                t += step;
            } else {
                t = step == reach - t ? reach : t + step;
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
    uint32_t may_cross(const LinearFlow<N, R>& flow, int64_t g, const Nodes& from, const Nodes& behind,
                       R alert) const {
        V bend = {};
        UNROLL for (int q = 0; q < N; ++q) {
            V x = from.x[q];
            for (int r = 0; r < block.n_receptors(); ++r)
                if (block.state_of(r) == q) x = x + load<V>(row(WEIGHT + r) + g);
            bend = fused(spread<V>(flow.bounds[2 * N + q]), absolute(x), bend);
        }
        const V h = one_further(from.way, behind.way) - from.way;
        const V u = from.x[0], v = one_further(u, behind.x[0]);
        const V most = fused(h * h * R(0.125), bend, select(v > u, v, u));
        return bits_of(Mask<V>(most >= spread<V>(alert)));
    }
};

}  // namespace eventsim
