// Linear neurons as they stand, and their tables.
#pragma once
#include "../../neuron/linear.hpp"
#include "../calls.hpp"
#include "../spike_room.hpp"
#include "../table.hpp"

namespace eventsim {

// A neuron after its last event, at `time`; V is held up to `until`, unless that is below zero.
template <int N> struct LinearCell {
    double x[N], time, until, since;
    int64_t recent, spike;  // spikes of the ms from `since` on; the number of that which holds V

    bool held() const { return until >= 0.0; }

    // Count a spike of now; whether there were too many in a ms.
    bool runs_away() {
        if (time - since > 1.0) {
            since = time;
            recent = 0;
        }
        return ++recent > RUNAWAY_PER_MS;
    }
};

template <int N> class LinearNeurons {
    const LinearTables t;
    const LinearJumps j;
    const LinearWires w;

  public:
    LinearNeurons(const LinearTables& tables, const LinearJumps& jumps, const LinearWires& wires)
        : t(tables), j(jumps), w(wires) {}

    LinearFlow<N, double> flow(int64_t n, bool held) const {
        const int64_t k = held ? t.size + n : n;
        return {t.flow + k * N * N, t.alpha + k * N * (LINEAR_DEGREE<double> + 1), t.powers + k * t.bits * N * N,
                t.bounds + n * 4 * N, t.piece[n], (int)t.bits};
    }

    LinearProducts<double> products(int64_t n, bool held) const {
        const int64_t k = held ? t.size + n : n;
        return {t.beta + k * (N * (N + 1) / 2) * (LINEAR_DEGREE<double> + 2),
                t.products + k * t.bits * N * N * N * N};
    }

    const double* keep(int64_t n) const { return j.keep + n * N * N; }
    double level(int64_t n) const { return j.level[n]; }
    double alert(int64_t n) const { return j.alert[n]; }
    double hold(int64_t n) const { return j.hold[n]; }

    void begin(LinearCell<N>* cells) const {
        for (int64_t n = 0; n < t.size; ++n) begin(n, cells[n]);
    }
    void begin(int64_t n, LinearCell<N>& c) const {
        for (int i = 0; i < N; ++i) c.x[i] = j.start[n * N + i];
        c.time = c.since = 0.0;
        c.until = -1.0;
        c.recent = c.spike = 0;
    }

    // The neuron at t, up to which nothing happens to it.
    void advance(int64_t n, LinearCell<N>& c, double t) const {
        double y[N];
        flow(n, c.held()).ahead(t - c.time, c.x, y);
        for (int i = 0; i < N; ++i) c.x[i] = y[i];
        c.time = t;
    }

    // The state after the reset of a spike.
    void after(int64_t n, const double* x, double* y) const {
        times<N>(keep(n), x, y);
        for (int i = 0; i < N; ++i) y[i] = y[i] + j.jump[n * N + i];
    }

    // The neuron, at the level now, fires: spike number `spike`.
    void fire(int64_t n, LinearCell<N>& c, int64_t spike) const {
        double y[N];
        after(n, c.x, y);
        for (int i = 0; i < N; ++i) c.x[i] = y[i];
        if (hold(n) > 0.0) {
            c.until = c.time + hold(n);
            c.spike = spike;
        }
        if (w.own_delay[n] == 0.0) c.x[w.own_state[n]] += w.own_weight[n];
    }

    // Neuron n goes on to t, and fires where it has to; whether it runs away.
    bool walk(int64_t n, LinearCell<N>& c, double t, SpikeRoom& spikes) const {
        double y[N];
        for (;;) {
            const double h = t - c.time;
            if (c.held()) {
                if (c.until < t) {
                    let_go(n, c);
                    continue;
                }
                flow(n, true).ahead(h, c.x, y);
                break;
            }
            if (!(h > 0.0)) return false;
            const LinearFlow<N, double> flow = this->flow(n, false);
            flow.ahead(h, c.x, y);
            if (!flow.may_cross(c.x, y, h, alert(n))) break;
            const double at = flow.crossing(c.x, h, level(n), alert(n));
            if (!(at < h && c.time + at < t)) break;
            if (fire_at(n, c, c.time + at, spikes)) return true;
        }
        for (int i = 0; i < N; ++i) c.x[i] = y[i];
        c.time = t;
        return false;
    }

    void let_go(int64_t n, LinearCell<N>& c) const {
        advance(n, c, c.until);
        c.until = -1.0;
    }

    // Whether it runs away.
    bool fire_at(int64_t n, LinearCell<N>& c, double t, SpikeRoom& spikes) const {
        advance(n, c, t);
        return fire_now(n, c, spikes);
    }
    bool fire_now(int64_t n, LinearCell<N>& c, SpikeRoom& spikes) const {
        spikes.add(n, c.time, __builtin_nan(""), false);
        if (c.runs_away()) return true;
        fire(n, c, 0);
        return false;
    }
};

}  // namespace eventsim
