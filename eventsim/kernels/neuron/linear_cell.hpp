// The state of a linear neuron, from one event to the next.
//
// Needs           a processor's own Tables, Jumps and Wires: compiled/roles_linear.py; RUNAWAY_PER_MS
// Reference       eventsim/engine/reference/linear.py
#pragma once
#include "linear.hpp"

namespace eventsim {

// An arrival raises a state other than V. x may be in registers.
template <int N, class R> ON_DEVICE inline void raise(R* x, int64_t state, R weight) {
    UNROLL for (int i = 1; i < N; ++i)
        if (i == state) x[i] += weight;
}

// A neuron after its last event, at `time`; V is held up to `until`, unless that is below zero.
template <int N, class R> struct LinearCell {
    R x[N];
    double time, until, since;
    int64_t recent, spike;  // spikes of the ms from `since` on; the number of that which holds V

    ON_DEVICE bool held() const { return until >= 0.0; }

    // Count a spike of now; whether there were too many in a ms.
    ON_DEVICE bool runs_away() {
        if (time - since > 1.0) {
            since = time;
            recent = 0;
        }
        return ++recent > RUNAWAY_PER_MS;
    }
};

// Due time of a neuron with possible arrivals: its spike or release if that is sure, else the time to look
// again. Up to `seen` ms from its time it does not fire.
struct LinearDue {
    double time, seen;
    bool sure;
};

template <int N, class R, class Tables, class Jumps, class Wires> class LinearNeuronsOf {
    static constexpr int DEGREE = LINEAR_DEGREE<R>;
    const Tables t;
    const Jumps j;
    const Wires w;

  public:
    ON_DEVICE LinearNeuronsOf(const Tables& tables, const Jumps& jumps, const Wires& wires)
        : t(tables), j(jumps), w(wires) {}

    ON_DEVICE int64_t size() const { return t.size; }

    ON_DEVICE LinearFlow<N, R> flow(int64_t n, bool held) const {
        const int64_t k = held ? t.size + n : n;
        return {t.flow + k * N * N, t.alpha + k * N * (DEGREE + 1), t.powers + k * t.bits * N * N,
                t.bounds + n * 4 * N, t.piece[n], (int)t.bits};
    }

    ON_DEVICE LinearProducts<R> products(int64_t n, bool held) const {
        const int64_t k = held ? t.size + n : n;
        return {t.beta + k * (N * (N + 1) / 2) * (DEGREE + 2),
                t.products + k * t.bits * N * N * N * N};
    }

    ON_DEVICE const R* keep(int64_t n) const { return j.keep + n * N * N; }
    ON_DEVICE R level(int64_t n) const { return j.level[n]; }
    ON_DEVICE R alert(int64_t n) const { return j.alert[n]; }
    ON_DEVICE double hold(int64_t n) const { return j.hold[n]; }

    ON_DEVICE void begin(LinearCell<N, R>* cells) const {
        for (int64_t n = 0; n < t.size; ++n) begin(n, cells[n]);
    }
    ON_DEVICE void begin(int64_t n, LinearCell<N, R>& c) const {
        for (int i = 0; i < N; ++i) c.x[i] = j.start[n * N + i];
        c.time = c.since = 0.0;
        c.until = -1.0;
        c.recent = c.spike = 0;
    }

    // The neuron at t, up to which nothing happens to it.
    ON_DEVICE void advance(int64_t n, LinearCell<N, R>& c, double t) const {
        R y[N];
        flow(n, c.held()).ahead(t - c.time, c.x, y);
        for (int i = 0; i < N; ++i) c.x[i] = y[i];
        c.time = t;
    }

    // The state after the reset of a spike.
    ON_DEVICE void after(int64_t n, const R* x, R* y) const {
        times<N>(keep(n), x, y);
        for (int i = 0; i < N; ++i) y[i] = y[i] + j.jump[n * N + i];
    }

    // A spike of its own returns.
    ON_DEVICE void returned(int64_t n, LinearCell<N, R>& c) const {
        raise<N>(c.x, w.own_state[n], w.own_weight[n]);
    }

    // The neuron, at the level now, fires: spike number `spike`.
    ON_DEVICE void fire(int64_t n, LinearCell<N, R>& c, int64_t spike) const {
        R y[N];
        after(n, c.x, y);
        for (int i = 0; i < N; ++i) c.x[i] = y[i];
        if (hold(n) > 0.0) {
            c.until = c.time + hold(n);
            c.spike = spike;
        }
        if (w.own_delay[n] == 0.0) returned(n, c);
    }

    // Neuron n goes on to t, and fires where it has to; whether it runs away. With STAYS it is left as its
    // last event before t left it.
    template <bool STAYS = false, class Room>
    ON_DEVICE bool walk(int64_t n, LinearCell<N, R>& c, double t, Room& spikes) const {
        R y[N];
        for (;;) {
            const double h = t - c.time;
            if (c.held()) {
                if (c.until < t) {
                    let_go(n, c);
                    continue;
                }
                if (STAYS) return false;
                flow(n, true).ahead(h, c.x, y);
                break;
            }
            if (!(h > 0.0)) return false;
            const LinearFlow<N, R> flow = this->flow(n, false);
            flow.ahead(h, c.x, y);
            if (!flow.may_cross(c.x, y, h, alert(n))) break;
            const double beyond = h * BEYOND;
            const double at = flow.crossing(c.x, beyond, level(n), alert(n));
            if (!(at < beyond && c.time + at < t)) break;
            if (fire_at(n, c, c.time + at, spikes)) return true;
        }
        if (STAYS) return false;
        for (int i = 0; i < N; ++i) c.x[i] = y[i];
        c.time = t;
        return false;
    }

    ON_DEVICE void let_go(int64_t n, LinearCell<N, R>& c) const {
        advance(n, c, c.until);
        c.until = -1.0;
    }

    // Fire at t; whether the neuron runs away.
    template <class Room> ON_DEVICE bool fire_at(int64_t n, LinearCell<N, R>& c, double t, Room& spikes) const {
        advance(n, c, t);
        return fire_now(n, c, spikes);
    }
    template <class Room> ON_DEVICE bool fire_now(int64_t n, LinearCell<N, R>& c, Room& spikes) const {
        spikes.add(n, c.time);
        if (c.runs_away()) return true;
        fire(n, c, 0);
        return false;
    }

    // Due time of a neuron that an event changed; `never` if not before t_end.
    ON_DEVICE LinearDue expect(int64_t n, const LinearCell<N, R>& c, double t_end, double never) const {
        if (c.held()) return {c.until < t_end ? c.until : never, 0.0, true};
        return look(n, c, 0.0, t_end, never);
    }

    // Due time, looked for a piece further than before.
    ON_DEVICE LinearDue look(int64_t n, const LinearCell<N, R>& c, double seen, double t_end,
                             double never) const {
        const LinearFlow<N, R> flow = this->flow(n, false);
        R y[N];
        flow.ahead(seen, c.x, y);
        if (!(c.time + seen < t_end) || flow.ever(y) < alert(n)) return {never, seen, false};
        // To the end of the piece: a spike just before t_end is not lost by the rounding of what is left.
        const double at = flow.within(y, never, level(n));
        return {c.time + (seen + at), seen + at, at < flow.piece};
    }
};

}  // namespace eventsim
