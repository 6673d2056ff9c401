// Neurons with a spike or release within a stretch go back over it apart from the neurons beside them.
//
// They go in two turns. First from stop to stop, in vectors of neurons. The arrivals between two stops
// of a neuron are a piece of its way, met from the state at the piece's later end. If that lies `way`
// ms before the stretch's, what all neurons share at an arrival, p and u, is divided by exp(-c way)
// and reduced by way / S; the first is done with the state. Then each neuron over its arrivals, in
// vectors of these, each from the state of its piece.
//
// Reference       eventsim/engine/reference/layer_adjoint.py
#pragma once
#include "passage.hpp"
#include "tape_back.hpp"

namespace eventsim {

template <class V> class Aside {
    using R = Real<V>;
    static constexpr int N = Numbers<V>::count, T = TERMS<R>, TABLE = 6 * T, ACROSS = PARTS<R> / N;

    // The states, grown, from which pieces of a group begin at the same turn, and where these are in u.
    struct Begin {
        alignas(64) R state[N_STATE][N], start[N];
    };

    // A piece: the arrivals from `first` on, met from the state `begin`.
    struct Piece {
        int first, begin;
    };

    // N neurons. Of their ways so far: where they are, and the next arrival.
    struct Group {
        alignas(64) R state[N_STATE][N], h[N], way[N];
        alignas(64) R weight[N][MOST], met[N][MOST];
        double t[N];
        int next[N], first[N], n_pieces[N];
        Piece pieces[N][MOST];
        int n_begins;
    };

    const R middle, length;
    const int64_t stride, place;  // of the tables; of the states
    R* const by_neuron;           // [stride, TABLE]: the series of every neuron
    R* const state;               // [N_STATE, place]
    int32_t* const who;
    uint8_t* const is_aside;      // [stride]
    const R* par;                 // [N_PAR, stride]
    TapeBack<R>& tape;
    R* const sums;                // [N_SUMS, stride]
    Begin* const begins;          // of a group, each of at least one piece

  public:
    int size = 0;

    static std::size_t room(int64_t stride) {
        return (stride + N) * (sizeof(R) * N_STATE + 4) + stride * (TABLE * sizeof(R) + 1) +
               N * MOST * sizeof(Begin) + 6 * 64;
    }

    Aside(const Span& span, const R* par, TapeBack<R>& tape, R* sums, int64_t stride, Arena& arena)
        : middle(R(span.middle)), length(R(span.length)), stride(stride), place(stride + N),
          by_neuron(arena.take<R>(stride * TABLE)), state(arena.take<R>(N_STATE * place)),
          who(arena.take<int32_t>(place)), is_aside(arena.zeros<uint8_t>(stride)), par(par), tape(tape),
          sums(sums), begins(arena.take<Begin>(N * MOST)) {}

    void take_series(int64_t n, const Series<R>& s) {
        std::copy(s.decays, s.decays + T, by_neuron + n * TABLE);
        std::copy(s.taken, s.taken + T, by_neuron + n * TABLE + T);
        std::copy(s.gains, s.gains + T, by_neuron + n * TABLE + 2 * T);
        std::copy(s.gains_mem, s.gains_mem + T, by_neuron + n * TABLE + 3 * T);
        std::copy(s.gains_syn, s.gains_syn + T, by_neuron + n * TABLE + 4 * T);
        std::copy(s.decays_syn, s.decays_syn + T, by_neuron + n * TABLE + 5 * T);
    }

    // Set aside the neurons with a spike or release after t_low, or at t_low if their number is above `sender`,
    // which caused the arrival there (or -1). Their states in `from` [N_STATE, stride] are moved away and
    // become zero, so that they add nothing at the arrivals of the stretch.
    void set_aside(double t_low, int64_t sender, R* from) {
        for (; tape.n_special > 0 && tape.is_before(t_low, sender); --tape.n_special) {
            const int32_t n = tape.special_neuron[tape.n_special - 1];
            if (is_aside[n]) continue;
            is_aside[n] = 1;
            who[size] = n;
            for (int i = 0; i < N_STATE; ++i) {
                state[i * place + size] = from[i * stride + n];
                from[i * stride + n] = R(0);
            }
            ++size;
        }
    }

    // Take all neurons set aside back from t to t_low over the arrivals of the stretch; states go to `to`.
    void back(Passage<V>& x, double t, double t_low, int64_t sender, R* to) {
        Group g;
        for (int i = 0; i < size; i += N) {
            const int mine = std::min(N, size - i);
            for (int l = mine; l < N; ++l) who[i + l] = who[i];
            walk(g, x, i, mine, t, t_low, sender);
            if (x.size > 0) meet_arrivals(g, x, who + i, mine);
            for (int l = 0; l < mine; ++l) {
                const int32_t n = who[i + l];
                is_aside[n] = 0;
                for (int k = 0; k < N_STATE; ++k) to[k * stride + n] = g.state[k][l];
            }
        }
        size = 0;
    }

  private:
    // Take neurons back from stop to stop. Neurons up to `sender` end just behind t_low.
    __attribute__((noinline)) void walk(Group& g, const Passage<V>& x, int i, int mine, double t,
                                        double t_low, int64_t sender) {
        const double t_short = just_behind(t_low);
        const Rates<V> rates = {gather<V>(par + SLOW * stride, who + i),
                                gather<V>(par + GAP * stride, who + i),
                                gather<V>(par + RATE_MEM * stride, who + i), V{}};
        Adjoint<V> a = load_state<V>(state + i, place);
        g.n_begins = 0;
        for (int l = 0; l < N; ++l) {
            g.t[l] = t;
            g.next[l] = g.n_pieces[l] = 0;
            g.h[l] = g.way[l] = R(0);
        }
        for (uint32_t walks = (uint32_t)((uint64_t(1) << mine) - 1); walks;) {
            uint32_t stops = 0, begin = 0;
            for (uint32_t bits = walks; bits; bits &= bits - 1) {
                const int l = __builtin_ctz(bits), n = who[i + l];
                const double at = tape.next_stop(n), low = n <= sender ? t_short : t_low;
                const bool stop = at >= low;
                const double until = stop ? at : low;
                const int first = g.next[l];
                g.next[l] = stop ? arrivals_after(x, at) : x.size;
                g.first[l] = first;
                begin |= (first < g.next[l] ? 1u : 0u) << l;
                stops |= (stop ? 1u : 0u) << l;
                g.way[l] = R(t - g.t[l]);
                g.h[l] = R(g.t[l] - until);
                g.t[l] = until;
            }
            if (begin) begin_pieces(g, a, begin);
            const V h = load<V>(g.h);
            const Adjoint<V> b = pull_back(h, adjoint_propagators(h, rates), a);
            const Mask<V> m = marked<V>(walks);
            a = {select(m, b.alpha, a.alpha), select(m, b.beta, a.beta),
                 select(m, b.alpha_mem, a.alpha_mem), select(m, b.beta_mem, a.beta_mem),
                 select(m, b.beta_syn, a.beta_syn)};
            if (stops) {
                store_state(g.state[0], N, a);
                for (uint32_t bits = stops; bits; bits &= bits - 1) meet(g, i, __builtin_ctz(bits));
                a.alpha = load<V>(g.state[0]);
                a.alpha_mem = load<V>(g.state[2]);
            }
            walks = stops;
        }
        store_state(g.state[0], N, a);
    }

    void meet(Group& g, int i, int l) {
        Adjoint<R> a = {g.state[0][l], g.state[1][l], g.state[2][l], g.state[3][l], g.state[4][l]};
        tape.meet(who[i + l], g.t[l], a);
        g.state[0][l] = a.alpha;
        g.state[2][l] = a.alpha_mem;
    }

    static int arrivals_after(const Passage<V>& x, double t) {
        int n = 0;
        for (int k = 0; k < MOST; k += Numbers<Doubles>::count)
            n += __builtin_popcount(bits_of(load<Doubles>(x.time + k) > t));
        return n;
    }

    // The lanes `which` meet their next arrivals from the states `a`.
    FORMULA_MEMBER void begin_pieces(Group& g, const Adjoint<V>& a, uint32_t which) const {
        const V way = load<V>(g.way), grow = spread<V>(1) / decay(middle * way);
        Begin& begin = begins[g.n_begins];
        const Adjoint<V> grown = {a.alpha * grow, a.beta * grow, a.alpha_mem * grow,
                                  a.beta_mem * grow, a.beta_syn * grow};
        store_state(begin.state[0], N, grown);
        store(begin.start, way * (R(1) / length));
        for (; which; which &= which - 1) {
            const int l = __builtin_ctz(which);
            g.pieces[l][g.n_pieces[l]++] = {g.first[l], g.n_begins};
        }
        ++g.n_begins;
    }

    // A series of one neuron, the same for all arrivals.
    struct Spread {
        const R* from;
        FORMULA_MEMBER V operator[](int q) const { return spread<V>(from[q]); }
    };

    // The neurons of a group over the arrivals, each in turn.
    __attribute__((noinline)) void meet_arrivals(Group& g, Passage<V>& x, const int32_t* mine, int n) {
        for (int k = 0; k < x.size; ++k)
            for (int l = 0; l < n; ++l) g.weight[l][k] = x.weights[k][mine[l]];
        for (int l = 0; l < n; ++l)
            for (int k = x.size; k < MOST; ++k) g.weight[l][k] = R(0);
        for (int l = 0; l < n; ++l) alone(g, x, l, mine[l]);
        for (int k = 0; k < x.size; ++k)
            for (int l = 0; l < n; ++l) {
                R& found = x.by_weight[k][mine[l]];
                found = fused(x.p[0][k], g.met[l][k], found);
            }
    }

    FORMULA_MEMBER void alone(Group& g, Passage<V>& x, int l, int n) {
        const R* const table = by_neuron + n * TABLE;
        const Spread decays = {table}, taken = {table + T}, gains = {table + 2 * T},
                     gains_mem = {table + 3 * T}, gains_syn = {table + 4 * T},
                     decays_syn = {table + 5 * T};
        const V rate_syn = spread<V>(par[RATE_SYN * stride + n]);
        V by_mem[ACROSS], by_syn[ACROSS];
        UNROLL for (int c = 0; c < ACROSS; ++c) by_mem[c] = by_syn[c] = V{};
        UNROLL for (int c = 0; c < MOST / N; ++c) {
            const int k = c * N;
            const Piece* piece = g.pieces[l];
            const Begin* begin = begins + piece->begin;
            V start = spread<V>(begin->start[l]), alpha = spread<V>(begin->state[0][l]),
              beta = spread<V>(begin->state[1][l]), alpha_mem = spread<V>(begin->state[2][l]),
              beta_mem = spread<V>(begin->state[3][l]), beta_syn = spread<V>(begin->state[4][l]);
            for (int i = 1; i < g.n_pieces[l]; ++i) {
                ++piece;
                begin = begins + piece->begin;
                const Mask<V> before = load<V>(NUMBERS + k) < R(piece->first);
                start = select(before, start, spread<V>(begin->start[l]));
                alpha = select(before, alpha, spread<V>(begin->state[0][l]));
                beta = select(before, beta, spread<V>(begin->state[1][l]));
                alpha_mem = select(before, alpha_mem, spread<V>(begin->state[2][l]));
                beta_mem = select(before, beta_mem, spread<V>(begin->state[3][l]));
                beta_syn = select(before, beta_syn, spread<V>(begin->state[4][l]));
            }
            const V u = load<V>(x.u + k) - start, w = load<V>(g.weight[l] + k);
            const V decayed = series_at(decays, u), gained = series_at(gains, u);
            const V met = fused(decayed, beta, gained * alpha);
            store(g.met[l] + k, met);
            if (x.n_asked > 0) {
                const V later = fused(met, rate_syn, series_at(taken, u) * alpha);
                store(x.aside + k, fused(w, later, load<V>(x.aside + k)));
            }
            const V shared = w * load<V>(x.p[0] + k);
            V changed = fused(gained, alpha_mem, series_at(gains_mem, u) * alpha);
            V& mem = by_mem[c % ACROSS];
            mem = fused(shared, fused(decayed, beta_mem, changed), mem);
            changed = fused(series_at(decays_syn, u), beta, series_at(gains_syn, u) * alpha);
            V& syn = by_syn[c % ACROSS];
            syn = fused(shared, fused(decayed, beta_syn, changed), syn);
        }
        sums[BY_MEM * stride + n] += sum_by_halves(by_mem);
        sums[BY_SYN * stride + n] += sum_by_halves(by_syn);
    }

    alignas(64) static constexpr R NUMBERS[MOST] = {0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15};
};

}  // namespace eventsim
