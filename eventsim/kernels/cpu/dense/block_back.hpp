// A block of neurons on the way back through one sample.
//
// The events are taken in stretches, from the last of a sample on: up to MOST arrivals within the
// length of a stretch, and then the way to the next arrival in one step. The cut depends on the times
// of the arrivals alone. Neurons lie side by side in vectors; one with a spike or a release on a
// stretch goes aside.
//
// So do the neurons of a loop that all meet the same events, their own spikes among them. What they add
// to the dL/dt of a spike has to be known before that is met. A stretch therefore goes over spikes and
// releases only where all that its arrivals were caused by came before it, as with a delay; else its
// arrivals end at the next of these, and are met apart from the way behind them. Of a spike and an
// arrival at exactly the same time the arrival came first, unless it was caused without a delay by that
// neuron or one of a higher number, which fire after it.
//
// Reference       eventsim/engine/reference/layer_adjoint.py
#pragma once
#include <limits>

#include "aside.hpp"

namespace eventsim {

// The events of a sample that a block receives, and their numbers among the sample's; null: as they come.
struct Heard {
    const double* times;
    const int32_t* rows;
    const int64_t* number;
    int64_t n;
};

// Finds the events of a sample that a block receives, with room where there are several blocks.
class Ears {
    const Events& events;
    const int64_t n_blocks, n_rows;
    double* const times;
    int32_t* const rows;
    int64_t* const number;

  public:
    static std::size_t room(int64_t most_events) { return most_events * 20 + 3 * 64; }

    Ears(const Events& events, int64_t n_blocks, int64_t n_rows, int64_t most_events, Arena& arena)
        : events(events), n_blocks(n_blocks), n_rows(n_rows), times(arena.take<double>(most_events)),
          rows(arena.take<int32_t>(most_events)), number(arena.take<int64_t>(most_events)) {}

    Heard of(int64_t sample, int64_t block) const {
        const int64_t lo = events.offsets[sample], hi = events.offsets[sample + 1];
        if (n_blocks == 1) return {events.times + lo, events.rows + lo, nullptr, hi - lo};
        const uint8_t* const mine = events.heard + block * n_rows;
        return {times, rows, number, hear(events, mine, lo, hi, times, rows, number)};
    }
};

// The most entries of a sample of the chunks of the tasks, samples bounds[c] .. bounds[c + 1].
FORMULA int64_t most_of(const Tasks& tasks, const WayBack& way, const int64_t* offsets) {
    int64_t most = 0;
    for (int64_t i = 0; i < tasks.n; ++i) {
        const int64_t c = way.by_block ? tasks.todo[i] / tasks.n_blocks : tasks.todo[i];
        for (int64_t s = way.bounds[c]; s < way.bounds[c + 1]; ++s)
            most = std::max(most, offsets[s + 1] - offsets[s]);
    }
    return most;
}

// Events by row of which dL/dt is asked; by event, where it goes; the spike of the loop that caused it,
// or -1, and null where there is no loop.
template <class R> struct Effects {
    const uint8_t* asked;
    R* values;
    const int64_t* cause;
};

template <class V> class BlockBack {
    using R = Real<V>;
    static constexpr int N = Numbers<V>::count, T = TERMS<R>;
    static constexpr double NEVER = -std::numeric_limits<double>::infinity();

    const int64_t width, stride;  // of weights; of tables
    const R fastest;
    const Span span;
    R *const par, *const table;   // [N_PAR, stride], [6 T, stride]
    const R* weights;             // [rows, width]
    R* by_weight;
    Passage<V> x;
    double caused;                // when the last of the spikes was that caused the arrivals

  public:
    R* const state;               // [N_STATE, stride]
    R* const sums;                // [N_SUMS, stride]: of a sample
    TapeBack<R> tape;

  private:
    Aside<V> aside;

  public:
    // Row length: padding behind the neurons keeps rows from sharing places of the cache.
    static int64_t stride_of(int64_t width) { return width + 64 / (int64_t)sizeof(float); }

    static std::size_t room(int64_t width, int64_t most_spikes) {
        const int64_t stride = stride_of(width);
        return stride * sizeof(R) * (N_PAR + 6 * T + N_STATE + N_SUMS) + 4 * 64 +
               TapeBack<R>::room(stride, most_spikes) + Aside<V>::room(stride);
    }

    BlockBack(const Tape& tape, bool adapts, double fastest, const Span& span, int64_t width,
              int64_t most_spikes, Arena& arena)
        : width(width), stride(stride_of(width)), fastest(R(fastest)), span(span),
          par(arena.zeros<R>(N_PAR * stride)), table(arena.zeros<R>(6 * T * stride)),
          state(arena.zeros<R>(N_STATE * stride)), sums(arena.zeros<R>(N_SUMS * stride)),
          tape(tape, adapts, sums, stride, most_spikes, arena),
          aside(span, par, this->tape, sums, stride, arena) {}

    // The neurons low .. low + size come next.
    void take_block(const Neurons<R>& all, int64_t low, int64_t size, const R* weights, R* by_weight) {
        this->weights = weights;
        this->by_weight = by_weight;
        take_columns(all.par, N_PAR, all.size, low, size, stride, par);
        for (int64_t n = 0; n < width; ++n) {
            const Series<R> s = series_of(par[RATE_MEM * stride + n], par[RATE_SYN * stride + n],
                                          span.middle, span.length);
            aside.take_series(n, s);
            const R* const rows[6] = {s.decays, s.taken, s.gains, s.gains_mem, s.gains_syn, s.decays_syn};
            for (int i = 0; i < 6; ++i)
                for (int q = 0; q < T; ++q) table[(i * T + q) * stride + n] = rows[i][q];
        }
    }

    // A sample comes next.
    void clear() {
        std::fill(sums, sums + N_SUMS * stride, R(0));
        std::fill(state, state + N_STATE * stride, R(0));
    }

    // Take the adjoint states of the block's n neurons, rows of [N_STATE, all].
    void take_state(const R* from, int64_t all, int64_t n) {
        for (int i = 0; i < N_STATE; ++i)
            std::copy(from + i * all, from + i * all + n, state + i * stride);
    }
    void leave_state(R* to, int64_t all, int64_t n) const {
        for (int i = 0; i < N_STATE; ++i)
            std::copy(state + i * stride, state + i * stride + n, to + i * all);
    }

    void end_at_start(int64_t n) {
        for (int64_t k = 0; k < n; ++k) tape.end_at_start(k, state[k], state[2 * stride + k]);
    }

    // Add the sums of a sample to those of its chunk [N_SUMS, all] at the block's `n` neurons.
    void add_sums(double* to, int64_t all, int64_t n) const {
        for (int i = 0; i < N_SUMS; ++i)
            for (int64_t k = 0; k < n; ++k) to[i * all + k] += sums[i * stride + k];
    }

    // Add the sum over arrivals of weight times beta, when a chunk has been taken.
    void add_by_drive(double* to, int64_t n_rows, int64_t n) const {
        for (int64_t row = 0; row < n_rows; ++row)
            for (int64_t k = 0; k < n; ++k)
                to[k] += double(weights[row * width + k]) * double(by_weight[row * width + k]);
    }

    // The way back from t_end to t_begin; adds to the sums, the gradients of weights, and effects.
    void go(const Heard& events, double t_end, double t_begin, const Effects<R>& effects) {
        while (tape.n_special > 0 && tape.special[tape.n_special - 1] >= t_end) --tape.n_special;
        int64_t event = events.n;
        while (event > 0 && events.times[event - 1] >= t_end) --event;
        x.size = x.n_asked = 0;
        caused = NEVER;
        for (double t = t_end;;) {
            const bool last = event == x.size;
            const int64_t next = event - x.size - 1;
            const double t_low = last ? t_begin : events.times[next];
            const int64_t sender = last ? -1 : sender_of(effects.cause, next, t_low);
            const R h = R(t - t_low);
            const bool apart = caused >= t_low;
            if (apart) {
                // All spikes and releases are before the arrivals: none meets these aside.
                sweep(true, false, h);
                add_effects(events, event, effects);
            }
            aside.set_aside(t_low, sender, state);
            sweep(!apart && x.size > 0, true, h);
            const int64_t met = x.size;
            if (apart) x.size = 0;
            aside.back(x, t, t_low, sender, state);
            if (!apart) add_effects(events, event, effects);
            event -= met;
            if (event == 0) return;
            t = t_low;
            gather_arrivals(events, event, t_begin, effects);
        }
    }

  private:
    // The neuron of a loop that caused an event at t without a delay; -1 if there is none.
    int64_t sender_of(const int64_t* cause, int64_t event, double t) const {
        const int64_t k = cause ? cause[event] : -1;
        return k >= 0 && tape.time_of(k) == t ? tape.neuron_of(k) : -1;
    }

    double caused_at(int64_t cause) const { return cause < 0 ? NEVER : tape.time_of(cause); }

    // The next arrivals on the way back, of those before `event`.
    void gather_arrivals(const Heard& events, int64_t event, double t_begin, const Effects<R>& effects) {
        const R length = R(span.length);
        const double latest = events.times[event - 1];
        int m = 0;
        x.n_asked = 0;
        caused = NEVER;
        for (const int most = (int)std::min<int64_t>(MOST, event); m < most; ++m) {
            const int64_t k = event - 1 - m;
            const double t = events.times[k];
            const R s = R(latest - t);
            if (s > length) break;
            if (effects.cause) {
                const double by = std::max(caused, caused_at(effects.cause[k]));
                const bool among =
                    m > 0 && tape.n_special > 0 && tape.is_before(t, sender_of(effects.cause, k, t));
                if (among && by >= (k > 0 ? events.times[k - 1] : t_begin)) break;
                caused = by;
            }
            const int64_t row = events.rows[k];
            x.time[m] = t;
            x.since[m] = s;
            x.weights[m] = weights + row * width;
            x.by_weight[m] = by_weight + row * width;
            x.asked[x.n_asked] = m;
            x.n_asked += effects.asked[row];
        }
        x.size = m;
        write_powers(x, R(span.middle), length);
        for (int k = 0; k < m; ++k) {
            x.aside[k] = R(0);
            for (int i = 0; i < PARTS<R>; ++i) x.effects[k][i] = R(0);
        }
    }

    // Add what the arrivals before `event` add to dL/dt of their spikes.
    void add_effects(const Heard& events, int64_t event, const Effects<R>& effects) {
        for (int i = 0; i < x.n_asked; ++i) {
            const int k = x.asked[i];
            const R later = sum_by_halves<V>(x.effects[k]) + x.aside[k];
            const int64_t at = events.number ? events.number[event - 1 - k] : event - 1 - k;
            const R effect = x.p[0][k] * later;
            effects.values[at] += effect;
            if (effects.cause && effects.cause[at] >= 0) tape.add_through(effects.cause[at], effect);
        }
    }

    // Take all neurons over the arrivals, over a way of h ms, or over both.
    void sweep(bool arrivals, bool way, R h) {
        const bool near = fastest * h <= R(SMALL_Z);
        if (!way) side_by_side<true, NO_WAY>(h);
        else if (arrivals && near) side_by_side<true, NEAR>(h);
        else if (arrivals) side_by_side<true, FAR>(h);
        else if (near) side_by_side<false, NEAR>(h);
        else side_by_side<false, FAR>(h);
    }

    enum { NO_WAY, NEAR, FAR };

    // Three series of an arrival are in registers at once, of one vector of neurons or of two.
    static constexpr bool AT_ONCE = 3 * T <= REGISTERS - 4;
    static constexpr int SIDE = 6 * T <= REGISTERS - 4 ? 2 : 1;

    template <bool ARRIVALS, int WAY> __attribute__((noinline)) void side_by_side(R h) {
        int64_t n = 0;
        for (; n + SIDE * N <= width; n += SIDE * N) columns<SIDE, ARRIVALS, WAY>(n, h);
        for (; n < width; n += N) columns<1, ARRIVALS, WAY>(n, h);
    }

    // W vectors of neurons from n on.
    template <int W, bool ARRIVALS, int WAY> FORMULA_MEMBER void columns(int64_t n, R h) {
        R* const at = state + n;
        Adjoint<V> a[W];
        UNROLL for (int c = 0; c < W; ++c) a[c] = load_state<V>(at + c * N, stride);
        if (ARRIVALS) {
            if (AT_ONCE && x.n_asked == x.size) meet_arrivals<W, true>(n, a);
            else meet_arrivals<W, false>(n, a);
        }
        if (WAY == NO_WAY) return;
        const V way = spread<V>(h);
        UNROLL for (int c = 0; c < W; ++c) {
            const R* const own = par + n + c * N;
            const Rates<V> r = {load<V>(own + SLOW * stride), load<V>(own + GAP * stride),
                                load<V>(own + RATE_MEM * stride), V{}};
            const AdjointMap<V> m = WAY == NEAR ? near_adjoint(way, r) : far_adjoint(way, r);
            store_state(at + c * N, stride, pull_back(way, m, a[c]));
        }
    }

    // A series of neurons side by side.
    struct Row {
        const R* from;
        int64_t stride;
        FORMULA_MEMBER V operator[](int q) const { return load<V>(from + q * stride); }
    };
    struct SeriesAt {
        Row decays, taken, gains, gains_mem, gains_syn, decays_syn;
    };
    FORMULA_MEMBER SeriesAt series_from(int64_t n) const {
        const R* const own = table + n;
        const int64_t next = T * stride;
        return {{own, stride},            {own + next, stride},     {own + 2 * next, stride},
                {own + 3 * next, stride}, {own + 4 * next, stride}, {own + 5 * next, stride}};
    }

    // Over the arrivals, with `a` at the latest of them; effects within the loop if ALL_ASKED.
    template <int W, bool ALL_ASKED> FORMULA_MEMBER void meet_arrivals(int64_t n, const Adjoint<V>* a) {
        Opened<V> open[W];
        V moments[W][T];
        UNROLL for (int c = 0; c < W; ++c) {
            const V rate_syn = load<V>(par + RATE_SYN * stride + n + c * N);
            open[c] = opened(series_from(n + c * N), a[c].alpha, a[c].beta, rate_syn);
            UNROLL for (int q = 0; q < T; ++q) moments[c][q] = V{};
        }
        const int size = x.size;
        for (int k = 0; k < size; ++k) {
            V w[W];
            UNROLL for (int c = 0; c < W; ++c) w[c] = load<V>(x.weights[k] + n + c * N);
            UNROLL for (int c = 0; c < W; ++c) add_by_weight(k, n + c * N, open[c]);
            if (AT_ONCE) add_to_moments<W>(k, w, moments);
            if (ALL_ASKED)
                UNROLL for (int c = 0; c < W; ++c) add_effect(k, n + c * N, w[c], open[c]);
        }
        for (int k = 0; !AT_ONCE && k < size; ++k) {
            const V w = load<V>(x.weights[k] + n);
            add_to_moments<1>(k, &w, moments);
        }
        for (int i = 0; !ALL_ASKED && i < x.n_asked; ++i)
            UNROLL for (int c = 0; c < W; ++c) {
                const int k = x.asked[i];
                add_effect(k, n + c * N, load<V>(x.weights[k] + n + c * N), open[c]);
            }
        UNROLL for (int c = 0; c < W; ++c) {
            const ByRates<V> found = by_rates(series_from(n + c * N), moments[c], a[c]);
            R* const by_mem = sums + BY_MEM * stride + n + c * N;
            R* const by_syn = sums + BY_SYN * stride + n + c * N;
            store(by_mem, load<V>(by_mem) + found.mem);
            store(by_syn, load<V>(by_syn) + found.syn);
        }
    }

    FORMULA_MEMBER void add_by_weight(int k, int64_t n, const Opened<V>& open) {
        R* const found = x.by_weight[k] + n;
        const V beta = series_at(open.betas, spread<V>(x.u[k]));
        store(found, fused(spread<V>(x.p[0][k]), beta, load<V>(found)));
    }

    template <int W> FORMULA_MEMBER void add_to_moments(int k, const V* w, V (*moments)[T]) const {
        UNROLL for (int q = 0; q < T; ++q) {
            const V p = spread<V>(x.p[q][k]);
            UNROLL for (int c = 0; c < W; ++c) moments[c][q] = fused(w[c], p, moments[c][q]);
        }
    }

    FORMULA_MEMBER void add_effect(int k, int64_t n, V w, const Opened<V>& open) {
        R* const effect = x.effects[k] + n % PARTS<R>;
        const V later = series_at(open.laters, spread<V>(x.u[k]));
        store(effect, fused(w, later, load<V>(effect)));
    }
};

}  // namespace eventsim
