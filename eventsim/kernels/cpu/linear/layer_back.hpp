// Backward pass of linear neurons that all meet the same events: of layers block by block of neurons, of
// loops all blocks together over one stretch after the other.
//
// A sample is replayed from its spikes up to the last of these blocks, in parts from marks that are kept,
// the last part first. In a loop a stretch is at most as long as the least delay: what a spike sends
// arrives in later stretches, and dL/dt of it is complete when its own is gone back over. Between two
// events of its own a neuron's adjoint does not know of arrivals: that of a weight is
// lambda(t_k) B = sum_q (lambda d_q) u_k^q of its stretch, and their integral of adjoint times state
// comes by their moments.
//
// Side by side    neurons of a block over a stretch. Those that fire in it, or whose V is held, go one
//                 by one, their arrivals side by side. Tasks are chunks of samples.
// Derivation      eventsim/engine/reference/linear_adjoint.py; stretches.hpp
// Reference       the same
#pragma once
#include "../watch.hpp"
#include "adjoint.hpp"
#include "walk.hpp"

namespace eventsim {

// A stretch of `pieces`, with the events first : last; the neurons that go alone over it.
struct LinearStretch {
    double m, pieces;
    int64_t first, last, alone, alone_last;
};

// A neuron k of a block that goes alone over a stretch, and its parts first : last.
struct LinearAlone {
    int64_t block;
    int k;
    int64_t first, last;
};

// A part of a neuron's own way: the arrivals first : last, and the event that ends it.
template <int N, class R> struct LinearPart {
    R x[N], end[N];
    double from, to;
    int64_t first, last, index;
    LinearKind kind;
    bool held;
};

// Position of a replay: the stretch, the next event, the next spike.
struct LinearMark {
    double m;
    int64_t event, spike;
};

template <int N, class V> class LinearLayerBack {
    using R = Real<V>;
    static constexpr int T = LINEAR_TERMS<R>, PAIRS = N * (N + 1) / 2, L = Numbers<V>::count;
    static constexpr int64_t MOST = 512;  // stretches of a part
    // Sums of dL/dt of an arrival, each over every SLOTS-th neuron: so no bit depends on the level.
    static constexpr int64_t SLOTS = 16;
    // Pieces without an event from which on each neuron goes over all of them by its products.
    static constexpr double FAR = 256.0;

    const LinearLayerBackward<R>& a;
    const LinearNeurons<N, R> neurons;
    LinearBlock<N, V> block;
    LinearWalker<N, V> walker;
    LinearAdjoint<N, R> events_back;
    const LinearEvents events;
    const int64_t width, n_together;  // blocks that go together: one of a layer, all of a loop
    Arena arena;
    LinearCell<N, R>* const cells;   // of these blocks, as all arrays of neurons below
    R *const now, *const adjoint;    // [together, N, width]
    R* const sums;                   // [blocks, N N, width]
    uint64_t* const held;            // [together]: who is
    int64_t first_block = 0;
    GrowingArray<R> states;  // [stretches, together, N, width]: where they begin
    GrowingArray<R> effects;  // [arrivals, SLOTS]
    GrowingArray<LinearStretch> stretches;
    GrowingArray<LinearAlone> alone;
    GrowingArray<LinearPart<N, R>> parts;  // of those that go alone
    GrowingArray<LinearMark> marks;
    GrowingArray<R> marked_states;  // [marks, together, N, width]
    GrowingArray<LinearCell<N, R>> marked_cells;  // [marks, together, width]
    GrowingArray<uint64_t> marked_held;           // [marks, together]
    GrowingArray<int64_t> spikes;  // of these blocks in the sample, by time
    R *weights_found = nullptr, *by_weight = nullptr;  // of all blocks of a chunk; of the block

    // A state, or a row or column of a matrix, side by side with zeros behind.
    typedef R Few __attribute__((vector_size(sizeof(R) * (N <= 4 ? 4 : 8))));
    template <int STEP> static Few few(const R* x) {
        Few y = {};
        UNROLL for (int i = 0; i < N; ++i) y[i] = x[i * STEP];
        return y;
    }
    static Few product(const Few* columns, Few x) {
        Few y = columns[0] * x[0];
        UNROLL for (int j = 1; j < N; ++j) y += columns[j] * x[j];
        return y;
    }

    // Weighted sums of the integrals beta over ways, all pairs side by side.
    struct Integrals {
        static constexpr int STRIDE = (PAIRS + 7) / 8 * 8, PARTS = (STRIDE + L - 1) / L;
        V sums[PARTS] = {};

        void add(R weight, R h, const R* betas) {
            UNROLL for (int c = 0; c < PARTS; ++c) {
                V value = load<V>(betas + (LINEAR_DEGREE<R> + 1) * STRIDE + c * L);
                UNROLL for (int m = LINEAR_DEGREE<R>; m >= 0; --m)
                    value = fused(value, spread<V>(h), load<V>(betas + m * STRIDE + c * L));
                sums[c] = fused(value, spread<V>(weight), sums[c]);
            }
        }

        // Adds sum_l beta_kl A^l x, of the given A^l x.
        void add_to(Few* total, const Few* right) const {
            R beta[PARTS * L];
            UNROLL for (int c = 0; c < PARTS; ++c) store(beta + c * L, sums[c]);
            UNROLL for (int k = 0; k < N; ++k)
                UNROLL for (int l = 0; l < N; ++l) total[k] += right[l] * beta[pair_of(k, l)];
        }
    };
    const R* betas_of(int64_t n, bool held) const {
        return a.back.by_pair + (held ? a.tables.size + n : n) * (LINEAR_DEGREE<R> + 2) * Integrals::STRIDE;
    }
    // Rows of the walker, by receptor: lambda(t) B of its arrivals, and its slope.
    enum { GAIN = LinearWalker<N, V>::KICK, SLOPE = LinearWalker<N, V>::WEIGHT };

    Watched watched;

    static std::size_t room(const LinearLayerBackward<R>& a) {
        const std::size_t width = a.weights.width, together = together_of(a);
        return together * width * (sizeof(LinearCell<N, R>) + 2 * N * sizeof(R)) +
               a.lanes.n_blocks * N * N * width * sizeof(R) + together * 8 + 6 * 64;
    }
    static int64_t together_of(const LinearLayerBackward<R>& a) { return a.found.cause ? a.lanes.n_blocks : 1; }

  public:
    explicit LinearLayerBack(const LinearLayerBackward<R>& call)
        : a(call), neurons(call.tables, call.jumps, call.wires),
          block(call.weights, call.lanes), walker(neurons, block, false),
          events_back(neurons, call.wires, call.tape), events{call.events.times, call.events.rows},
          width(call.weights.width), n_together(together_of(call)), arena(room(call)),
          cells(arena.take<LinearCell<N, R>>(n_together * width)),
          now(arena.take<R>(n_together * N * width)), adjoint(arena.take<R>(n_together * N * width)),
          sums(arena.take<R>(call.lanes.n_blocks * N * N * width)),
          held(arena.take<uint64_t>(n_together)), watched(call.tasks) {}

    // False where there is no memory, or the call does not go on.
    bool run() {
        if (!arena.ok()) return false;
        const int64_t n_blocks = a.lanes.n_blocks;
        for (int64_t i = 0; i < a.tasks.n; ++i) {
            const int64_t chunk = a.tasks.todo[i];
            events_back.sums = a.found.sums + chunk * a.tables.size * events_back.WIDTH;
            events_back.grazes = a.found.grazes + chunk;
            std::fill(sums, sums + n_blocks * N * N * width, R(0));
            weights_found = a.found.weight + chunk * n_blocks * a.weights.n_rows * width;
            const int64_t end = a.tape.bounds[chunk + 1];
            for (int64_t s = a.tape.bounds[chunk]; s < end; ++s) {
                for (first_block = 0; first_block < n_blocks; first_block += n_together)
                    if (!over_sample(s)) return false;
                // A sum of a neuron gathers one sample at most in single precision.
                if (sizeof(R) == sizeof(float) || s + 1 == end) add_sums();
            }
        }
        return true;
    }

  private:
    void add_sums() {
        const int64_t per_block = N * N * width;
        for (int64_t n = 0; n < a.tables.size; ++n)
            for (int ij = 0; ij < N * N; ++ij) {
                R& sum = sums[n / width * per_block + ij * width + n % width];
                events_back.flow_of(n)[ij] += sum;
                sum = 0;
            }
    }

    // Block b of those that go together, what is found by its weights included.
    void enter(int64_t b) {
        block.enter(first_block + b, a.tables.size);
        by_weight = weights_found + (first_block + b) * a.weights.n_rows * width;
    }
    int64_t n_states() const { return n_together * N * width; }

    // Whether the call goes on after another stretch of all neurons.
    bool goes() { return watched.goes(n_states()); }

    bool over_sample(int64_t s) {
        const LinearTape& tape = a.tape;
        const int64_t low = first_block * width, high = low + n_together * width;
        spikes.size = 0;
        for (int64_t k = tape.offsets[s]; k < tape.offsets[s + 1]; ++k)
            if (tape.neuron[k] >= low && tape.neuron[k] < high)
                if (!spikes.push(k)) return false;
        if (spikes.size == 0) return true;
        begin();
        LinearMark at = {0.0, a.events.offsets[s], 0};
        marks.size = 0;
        while (at.spike < spikes.size)
            if (!mark(at) || !replay(s, at) || !goes()) return false;
        for (int64_t part = marks.size - 1; part >= 0; --part) {
            if (part < marks.size - 1) {
                at = stand_at(part);
                if (!replay(s, at)) return false;
            }
            for (int64_t i = stretches.size - 1; i >= 0; --i)
                if (!back(s, stretches[i], states.begin() + i * n_states()) || !goes()) return false;
        }
        for (int64_t b = 0; b < n_together; ++b) {
            enter(b);
            for (int64_t k = 0; k < block.size; ++k) {
                R lambda[N];
                for (int i = 0; i < N; ++i) lambda[i] = adjoint[(b * N + i) * width + k];
                events_back.begin(block.low + k, lambda);
            }
        }
        return true;
    }

    // The neurons at time zero, and no adjoint.
    void begin() {
        std::fill(adjoint, adjoint + n_states(), R(0));
        std::fill(now, now + n_states(), R(0));
        std::fill(held, held + n_together, 0);
        for (int64_t b = 0; b < n_together; ++b) {
            enter(b);
            for (int64_t k = 0; k < block.size; ++k) {
                LinearCell<N, R>& c = cells[b * width + k];
                neurons.begin(block.low + k, c);
                for (int i = 0; i < N; ++i) now[(b * N + i) * width + k] = c.x[i];
            }
        }
    }

    // Keeps the neurons as they stand; false where there is no memory.
    bool mark(const LinearMark& at) {
        const int64_t n = marks.size, n_cells = n_together * width;
        if (!marks.push(at) || !marked_states.reserve((n + 1) * n_states()) ||
            !marked_cells.reserve((n + 1) * n_cells) || !marked_held.reserve((n + 1) * n_together))
            return false;
        std::copy(now, now + n_states(), marked_states.begin() + n * n_states());
        std::copy(cells, cells + n_cells, marked_cells.begin() + n * n_cells);
        std::copy(held, held + n_together, marked_held.begin() + n * n_together);
        return true;
    }

    // The neurons stand as they did at a mark.
    LinearMark stand_at(int64_t part) {
        const int64_t n_cells = n_together * width;
        const R* const x = marked_states.begin() + part * n_states();
        const LinearCell<N, R>* const c = marked_cells.begin() + part * n_cells;
        const uint64_t* const h = marked_held.begin() + part * n_together;
        std::copy(x, x + n_states(), now);
        std::copy(c, c + n_cells, cells);
        std::copy(h, h + n_together, held);
        return marks[part];
    }

    bool gather(int64_t s, const LinearStretch& x, int64_t& e) {
        return block.gather(x.m, events, e, a.events.offsets[s + 1], a.events.duration[s]) && walker.prepare();
    }
    bool any_held() const { return std::any_of(held, held + n_together, [](uint64_t some) { return some != 0; }); }

    // Replay one part from a mark on, or to the last spike, stretch by stretch.
    bool replay(int64_t s, LinearMark& at) {
        const int64_t end = a.events.offsets[s + 1];
        stretches.size = alone.size = parts.size = 0;
        if (!states.reserve(MOST * n_states())) return false;
        enter(0);
        while (at.spike < spikes.size && stretches.size < MOST) {
            const R* const from = states.begin() + stretches.size * n_states();
            std::copy(now, now + n_states(), states.begin() + stretches.size * n_states());
            double until = a.tape.time[spikes[at.spike]];
            if (at.event < end && a.events.times[at.event] < until) until = a.events.times[at.event];
            const double idle = __builtin_floor((until - at.m * block.piece) / block.piece);
            if (idle >= FAR && !any_held()) {
                for (int64_t b = 0; b < n_together; ++b) {
                    enter(b);
                    block.far((int64_t)idle, now + b * N * width);
                }
                if (!stretches.push({at.m, idle, at.event, at.event, 0, 0})) return false;
                at.m += idle;
                continue;
            }
            LinearStretch x = {at.m, 1.0, at.event, at.event, alone.size, alone.size};
            if (!gather(s, x, at.event)) return false;
            x.last = at.event;
            const int64_t first = at.spike;
            while (at.spike < spikes.size && a.tape.time[spikes[at.spike]] < block.stop) ++at.spike;
            for (int64_t b = 0; b < n_together; ++b)
                if (!replay_block(b, from + b * N * width, first, at.spike)) return false;
            x.alone_last = alone.size;
            if (!stretches.push(x)) return false;
            at.m += 1.0;
        }
        return true;
    }

    // Block b over a stretch, with the spikes first : last.
    bool replay_block(int64_t b, const R* from, int64_t first, int64_t last) {
        enter(b);
        R* const to = now + b * N * width;
        uint64_t fire = 0;
        for (int64_t at = first; at < last; ++at) {
            const int64_t k = a.tape.neuron[spikes[at]] - block.low;
            if (0 <= k && k < block.size) fire |= uint64_t(1) << k;
        }
        block.over(from, to);
        for (uint64_t some = fire | held[b]; some; some &= some - 1) {
            const int k = __builtin_ctzll(some);
            LinearCell<N, R>& c = cells[b * width + k];
            const int64_t n_parts = parts.size;
            for (int i = 0; i < N; ++i) c.x[i] = from[i * width + k];
            c.time = block.begin;
            if (!go(k, c, first, last) || !alone.push({b, k, n_parts, parts.size})) return false;
            for (int i = 0; i < N; ++i) to[i * width + k] = c.x[i];
            held[b] = (held[b] & ~(uint64_t(1) << k)) | (uint64_t)c.held() << k;
        }
        return true;
    }

    // Neuron k of the block over the stretch, with those spikes first : last that are its own.
    bool go(int k, LinearCell<N, R>& c, int64_t first, int64_t last) {
        const int64_t n = block.low + k;
        int64_t i = 0;
        for (int64_t at = first; at <= last; ++at) {
            if (at < last && a.tape.neuron[spikes[at]] != n) continue;
            const double t = at < last ? a.tape.time[spikes[at]] : block.stop;
            if (c.held() && c.until < t) {
                if (!one_part(k, c, c.until, i, LET_GO, c.spike)) return false;
                c.until = -1.0;
            }
            if (!one_part(k, c, t, i, at < last ? SPIKE : ARRIVAL, at < last ? spikes[at] : 0)) return false;
            if (at < last) neurons.fire(n, c, spikes[at]);
        }
        return true;
    }

    bool one_part(int k, LinearCell<N, R>& c, double t, int64_t& i, LinearKind kind, int64_t index) {
        LinearPart<N, R> part;
        part.from = c.time;
        part.to = t;
        part.first = i;
        part.index = index;
        part.kind = kind;
        part.held = c.held();
        for (int q = 0; q < N; ++q) part.x[q] = c.x[q];
        walker.go(block.low + k, k, c, t, i);
        part.last = i;
        for (int q = 0; q < N; ++q) part.end[q] = c.x[q];
        return parts.push(part);
    }

    // The adjoint, at the end of a stretch, goes to its begin.
    bool back(int64_t s, const LinearStretch& x, const R* from) {
        enter(0);
        if (x.pieces > 1.0) {
            for (int64_t b = 0; b < n_together; ++b) far_back(b, x, from + b * N * width);
            return true;
        }
        int64_t e = x.first;
        if (!gather(s, x, e)) return false;
        const bool asked = a.found.effects != nullptr;
        if (asked && !effects.reserve(block.arrivals.size * SLOTS)) return false;
        if (asked) std::fill(effects.begin(), effects.begin() + block.arrivals.size * SLOTS, R(0));
        int64_t first = x.alone;
        for (int64_t b = 0; b < n_together; ++b)
            first = block_back(b, from + b * N * width, first, x.alone_last, asked);
        for (int64_t k = 0; asked && k < block.arrivals.size; ++k) {
            const int64_t event = block.arrivals[k].event;
            const double moved = total_of(effects.begin() + k * SLOTS);
            a.found.effects[event] += moved;
            if (a.found.cause && a.found.cause[event] >= 0) a.tape.through[a.found.cause[event]] += moved;
        }
        return true;
    }

    // Block b likewise; those that go alone are among `alone` from `first` on. Gives the first behind them.
    int64_t block_back(int64_t b, const R* from, int64_t first, int64_t last, bool asked) {
        enter(b);
        R* const lambdas = adjoint + b * N * width;
        uint64_t by_themselves = 0;
        int64_t end = first;
        for (; end < last && alone[end].block == b; ++end) by_themselves |= uint64_t(1) << alone[end].k;
        for (int64_t v = 0; v < width; v += L)
            together(from, lambdas, v, marked_lanes(~by_themselves >> v), asked);
        for (int64_t i = first; i < end; ++i) {
            const LinearAlone& one = alone[i];
            R lambda[N];
            for (int q = 0; q < N; ++q) lambda[q] = lambdas[q * width + one.k];
            for (int64_t p = one.last - 1; p >= one.first; --p) part_back(one.k, parts[p], lambda, asked);
            for (int q = 0; q < N; ++q) lambdas[q * width + one.k] = lambda[q];
        }
        return end;
    }

    static double total_of(const R* slots) {
        double sums[SLOTS];
        for (int i = 0; i < SLOTS; ++i) sums[i] = slots[i];
        for (int half = SLOTS / 2; half; half /= 2)
            for (int i = 0; i < half; ++i) sums[i] += sums[i + half];
        return sums[0];
    }

    static Mask<V> marked_lanes(uint64_t bits) { return marked<V>((uint32_t)(bits & ((1u << L) - 1))); }

    V beta(int pair, int q, int64_t v) const {
        return block.of_table(a.back.betas, PAIRS * T, pair * T + q, v);
    }
    V flow(int i, int j, int64_t v) const {
        return block.of_table(a.back.flow, N * N, i * N + j, v);
    }

    // Take the neurons in `which` over the stretch.
    void together(const R* from, R* adjoint, int64_t v, Mask<V> which, bool asked) {
        V left[N][N], right[N][N], before[N];
        const V none = {};
        UNROLL for (int i = 0; i < N; ++i) {
            left[0][i] = load<V>(adjoint + i * width + v);
            right[0][i] = load<V>(from + i * width + v);
        }
        UNROLL for (int k = 1; k < N; ++k)
            UNROLL for (int i = 0; i < N; ++i) {
                left[k][i] = flow(0, i, v) * left[k - 1][0];
                right[k][i] = flow(i, 0, v) * right[k - 1][0];
                UNROLL for (int j = 1; j < N; ++j) {
                    left[k][i] = fused(flow(j, i, v), left[k - 1][j], left[k][i]);
                    right[k][i] = fused(flow(i, j, v), right[k - 1][j], right[k][i]);
                }
            }
        V total[N][N];  // sum_l beta_kl A^l x
        UNROLL for (int k = 0; k < N; ++k)
            UNROLL for (int j = 0; j < N; ++j) {
                total[k][j] = none;
                UNROLL for (int l = 0; l < N; ++l) {
                    const V whole = block.of_table(a.back.whole, PAIRS, pair_of(k, l), v);
                    total[k][j] = fused(whole, right[l][j], total[k][j]);
                }
            }
        for (int r = 0; r < block.n_receptors(); ++r) {
            if (!block.hears(r)) continue;
            weights_back(r, left[0], v, which, asked);
            meet_back(r, total, v);
        }
        R* const into = sums + (block.low / width) * N * N * width + v;
        UNROLL for (int i = 0; i < N; ++i)
            UNROLL for (int j = 0; j < N; ++j) {
                V found = none;
                UNROLL for (int k = 0; k < N; ++k) found = fused(left[k][i], total[k][j], found);
                R* const at = into + (i * N + j) * width;
                store(at, load<V>(at) + select(which, found, none));
            }
        block.template step<true>(0, left[0], before, v);
        UNROLL for (int i = 0; i < N; ++i) store(adjoint + i * width + v, select(which, before[i], left[0][i]));
    }

    static constexpr int pair_of(int k, int l) {
        const int low = k < l ? k : l, high = k < l ? l : k;
        return low * N - low * (low - 1) / 2 + high - low;
    }

    // dL/dw of the arrivals of a receptor, and dL/dt of them if it is asked for.
    void weights_back(int r, const V* lambda, int64_t v, Mask<V> which, bool asked) {
        V gain[T];
        const V none = {};
        UNROLL for (int q = 0; q < T; ++q) {
            gain[q] = block.meets(r, 0, q, v) * lambda[0];
            UNROLL for (int i = 1; i < N; ++i)
                gain[q] = fused(block.meets(r, i, q, v), lambda[i], gain[q]);
            gain[q] = select(which, gain[q], none);
        }
        V slopes[T];
        const R per_piece = R(1.0 / block.piece);
        UNROLL for (int q = 1; q < T; ++q) slopes[q] = gain[q] * (R(q) * -per_piece);
        const LinearArrival* const arrivals = block.arrivals.begin();
        const int32_t* const order = block.by_receptor.begin();
        R *const into = by_weight + v, *const slots = effects.begin() + v % SLOTS;
        const int64_t stride = width, last = block.first[r + 1];
        for (int64_t i = block.first[r]; i < last; ++i) {
            const LinearArrival& arrival = arrivals[order[i]];
            const V u = spread<V>(R(arrival.u));
            V found = gain[T - 1];
            UNROLL for (int q = T - 2; q >= 0; --q) found = fused(found, u, gain[q]);
            R* const at = into + arrival.row * stride;
            store(at, load<V>(at) + found);
            if (!asked) continue;
            V slope = slopes[T - 1];
            UNROLL for (int q = T - 2; q >= 1; --q) slope = fused(slope, u, slopes[q]);
            R* const slot = slots + order[i] * SLOTS;
            store(slot, fused(load<V>(block.weights_of(arrival) + v), slope, load<V>(slot)));
        }
    }

    // Add the arrivals of a receptor to sum_l beta_kl A^l x.
    void meet_back(int r, V (*total)[N], int64_t v) {
        const LinearMoments<V> s = block.moments(r, v);
        V column[N][N], weight[PAIRS];
        UNROLL for (int i = 0; i < N; ++i)
            column[0][i] = spread<V>(i == block.state_of(r) ? R(1) : R(0));
        UNROLL for (int l = 1; l < N; ++l)
            UNROLL for (int i = 0; i < N; ++i) {
                column[l][i] = flow(i, 0, v) * column[l - 1][0];
                UNROLL for (int j = 1; j < N; ++j)
                    column[l][i] = fused(flow(i, j, v), column[l - 1][j], column[l][i]);
            }
        UNROLL for (int pair = 0; pair < PAIRS; ++pair) {
            weight[pair] = beta(pair, 0, v) * s.m[0];
            UNROLL for (int q = 1; q < T; ++q) weight[pair] = fused(beta(pair, q, v), s.m[q], weight[pair]);
        }
        UNROLL for (int k = 0; k < N; ++k)
            UNROLL for (int j = 0; j < N; ++j)
                UNROLL for (int l = 0; l < N; ++l)
                    total[k][j] = fused(weight[pair_of(k, l)], column[l][j], total[k][j]);
    }

    // Neuron k of the block over a part of its own, what ends it first.
    void part_back(int k, const LinearPart<N, R>& part, R* lambda, bool asked) {
        const int64_t n = block.low + k;
        const LinearFlow<N, R> flow = neurons.flow(n, part.held);
        if (part.kind != ARRIVAL) {
            LinearEntry<N, R> e;
            e.index = part.index;
            e.neuron = (int32_t)n;
            e.kind = part.kind;
            e.held = part.held;
            events_back.end(e, part.end, lambda, flow);
        }
        Few right[N], left[N + 1], columns[N], rows[N], total[N] = {};
        UNROLL for (int i = 0; i < N; ++i) {
            rows[i] = few<1>(flow.a + i * N);
            columns[i] = few<N>(flow.a + i);
        }
        left[0] = few<1>(lambda);
        UNROLL for (int l = 1; l <= N; ++l) left[l] = product(rows, left[l - 1]);
        right[0] = few<1>(part.x);
        UNROLL for (int l = 1; l < N; ++l) right[l] = product(columns, right[l - 1]);
        Integrals by_begin;
        by_begin.add(R(1), R(part.to - part.from), betas_of(n, part.held));
        by_begin.add_to(total, right);
        Few before = {};
        for (int64_t g = 0; g < part.last - part.first + 1; g += L) {
            V ahead[N], back[N];
            walker.series(flow, walker.way_to(part.to, part.from, part.first, g), ahead, back);
            if (g == 0) UNROLL for (int l = 0; l < N; ++l) before += left[l] * at(ahead[l], 0);
            for (int r = 0; r < block.n_receptors(); ++r) {
                const int state = block.state_of(r);
                V gain = ahead[0] * spread<V>(left[0][state]), slope = ahead[0] * spread<V>(left[1][state]);
                UNROLL for (int l = 1; l < N; ++l) {
                    gain = fused(ahead[l], spread<V>(left[l][state]), gain);
                    slope = fused(ahead[l], spread<V>(left[l + 1][state]), slope);
                }
                store(walker.row(GAIN + r) + g, gain);
                store(walker.row(SLOPE + r) + g, slope);
            }
        }
        for (int r = 0; r < block.n_receptors(); ++r) arrivals_back(r, k, part, columns, total, asked);
        double* const into = events_back.flow_of(n);
        Few found[N];
        UNROLL for (int i = 0; i < N; ++i) {
            found[i] = total[0] * left[0][i];
            UNROLL for (int l = 1; l < N; ++l) found[i] += total[l] * left[l][i];
        }
        for (int i = part.held ? 1 : 0; i < N; ++i)
            for (int j = 0; j < N; ++j) into[i * N + j] += found[i][j];
        for (int q = 0; q < N; ++q) lambda[q] = before[q];
    }

    // dL/dw of the arrivals of a receptor, and what they add to sum_l beta_kl A^l x.
    void arrivals_back(int r, int k, const LinearPart<N, R>& part, const Few* columns, Few* total, bool asked) {
        const LinearArrival* const arrivals = block.arrivals.begin() + part.first;
        const R *const gain = walker.row(GAIN + r) + 1, *const slope = walker.row(SLOPE + r) + 1;
        const R* const betas = betas_of(block.low + k, part.held);
        R *const into = by_weight + k, *const slots = effects.begin() + part.first * SLOTS + k % SLOTS;
        Integrals met;
        bool some = false;
        for (int64_t j = 0; j < part.last - part.first; ++j) {
            const LinearArrival& arrival = arrivals[j];
            if (arrival.receptor != r) continue;
            const R w = block.weights_of(arrival)[k];
            into[arrival.row * width] += gain[j];
            if (asked) slots[j * SLOTS] -= w * slope[j];
            met.add(w, R(part.to - arrival.time), betas);
            some = true;
        }
        if (!some) return;
        Few right[N];
        right[0] = Few{};
        right[0][block.state_of(r)] = 1;
        UNROLL for (int l = 1; l < N; ++l) right[l] = product(columns, right[l - 1]);
        met.add_to(total, right);
    }

    // Block b over pieces without an event.
    void far_back(int64_t b, const LinearStretch& x, const R* from) {
        enter(b);
        R* const lambdas = adjoint + b * N * width;
        for (int64_t k = 0; k < block.size; ++k) {
            const int64_t n = block.low + k;
            R lambda[N], state[N];
            for (int q = 0; q < N; ++q) {
                lambda[q] = lambdas[q * width + k];
                state[q] = from[q * width + k];
            }
            neurons.flow(n, false).integral(neurons.products(n, false), x.pieces * block.piece, lambda,
                                            state, events_back.flow_of(n));
            for (int q = 0; q < N; ++q) lambdas[q * width + k] = lambda[q];
        }
    }
};

template <class V> int linear_layer_backward(const LinearLayerBackward<Real<V>>& call) {
    return with_states(call.tables.n, [&](auto n) {
        return LinearLayerBack<decltype(n)::value, V>(call).run() ? DONE : NO_MEMORY;
    });
}

}  // namespace eventsim
