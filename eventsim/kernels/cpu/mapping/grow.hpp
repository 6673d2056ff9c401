// A core that is filled with neurons which share their sources.
//
// Neurons that share an axon with the core are in a heap; whether a neuron fits is checked when its turn
// comes, since one that does not will not later.
#pragma once
#include "starts.hpp"

namespace eventsim {

class DueNext {
    const NextNeurons x;

    bool earlier(double time, int64_t n, int64_t other) const {
        return time < x.due[other] || (time == x.due[other] && n < other);
    }

    void place(int64_t i, int64_t n) {
        x.heap[i] = n;
        x.place[n] = i;
    }

  public:
    int64_t size = 0;

    explicit DueNext(const NextNeurons& x) : x(x) {}

    int64_t first() const { return x.heap[0]; }
    double time_of(int64_t n) const { return x.due[n]; }

    void join(int64_t n) { place(size++, n); }

    // Neuron n, which is in the heap, is due at `time`.
    void move(int64_t n, double time) {
        x.due[n] = time;
        int64_t i = x.place[n];
        for (int64_t up; i > 0 && earlier(time, n, x.heap[up = (i - 1) / 2]); i = up) place(i, x.heap[up]);
        for (int64_t down; (down = 2 * i + 1) < size; i = down) {
            if (down + 1 < size && earlier(x.due[x.heap[down + 1]], x.heap[down + 1], x.heap[down])) ++down;
            if (earlier(time, n, x.heap[down])) break;
            place(i, x.heap[down]);
        }
        place(i, n);
    }

    void leave(int64_t n) {
        const int64_t last = x.heap[--size];
        forget(n);
        if (last == n) return;
        place(x.place[n], last);
        move(last, x.due[last]);
    }

    void forget(int64_t n) { x.due[n] = __builtin_inf(); }
};

class Grower : public Filler {
    static constexpr int64_t PATIENCE = 1 << 14;  // neurons that do not fit before a core is left

    const Growing g;
    const int32_t core;
    DueNext next;
    int64_t turn, none;  // of those that share nothing; `none` is the ring's end
    int64_t n_touched = 0, n_inside = 0, followed = 0;

    // The price at which a neuron is due: one that shares nothing with the core as if it shared a little.
    double due(int64_t n, double price) const { return price - 1e-6 * g.whole[n]; }

    void touch(int64_t n) {
        g.touched[n] = 1;
        g.touches[n_touched++] = (int32_t)n;
    }

    // The neuron that comes next, or none.
    int64_t take_next() {
        while (turn != none && g.touched[turn]) turn = g.after[turn];
        const double waits = turn != none ? due(turn, g.whole[turn]) : __builtin_inf();
        const int64_t first = next.size > 0 ? next.first() : none;
        if (first != none &&
            (next.time_of(first) < waits || (next.time_of(first) == waits && first < turn))) {
            next.leave(first);
            return first;
        }
        const int64_t found = turn;
        if (found == none) return none;
        turn = g.after[found];
        touch(found);
        return found;
    }

    bool fits(int64_t n) {
        return h.axons_in[core] + g.n_fresh[n] <= h.limits[AXONS_IN] &&
               h.synapses[core] + a.fan_in[n] <= h.limits[SYNAPSES] && out_fits(n, core);
    }

    void take(int64_t n) {
        put_on_newest(n, core);
        g.free[n] = 0;
        g.after[g.before[n]] = g.after[n];
        g.before[g.after[n]] = g.before[n];
        if (turn == n) turn = g.after[n];
        for_sources(n, [&](int64_t axon) {
            if (!g.inside[axon]) follow(axon);
        });
    }

    // An axon that the core did not have: its other targets bring one less.
    void follow(int64_t axon) {
        g.inside[axon] = 1;
        g.axons[n_inside++] = (int32_t)axon;
        followed += a.start[axon + 1] - a.start[axon];
        for (int64_t k = a.start[axon]; k < a.start[axon + 1]; ++k) {
            const int64_t other = a.target[k];
            if (!g.free[other] || g.refused[other]) continue;
            if (!g.touched[other]) {
                touch(other);
                next.join(other);
            }
            g.fresh[other] -= g.price[axon];
            --g.n_fresh[other];
            next.move(other, due(other, g.fresh[other]));
        }
    }

    // Everything is as for an empty core again.
    void forget() {
        for (int64_t k = 0; k < n_touched; ++k) {
            const int32_t n = g.touches[k];
            g.fresh[n] = g.whole[n];
            g.n_fresh[n] = a.column[n + 1] - a.column[n];
            g.touched[n] = g.refused[n] = 0;
            next.forget(n);
        }
        for (int64_t k = 0; k < n_inside; ++k) g.inside[g.axons[k]] = 0;
    }

  public:
    explicit Grower(const GrowCore& call)
        : Filler(call.wiring, call.holds), g(call.growing), core((int32_t)call.filling.core),
          next(call.next), turn(g.after[a.n_neurons]), none(a.n_neurons) {}

    // Returns the number of synapses followed.
    int64_t run() {
        int64_t failed = 0;
        while (h.states[core] < h.limits[STATES] && failed < PATIENCE) {
            const int64_t n = take_next();
            if (n == none) break;
            if (fits(n)) {
                failed = 0;
                take(n);
            } else {
                g.refused[n] = 1;
                ++failed;
            }
        }
        forget();
        return followed;
    }
};

inline int grow_core(const GrowCore& call) {
    Grower cores(call);
    if (!cores.ok()) return NO_MEMORY;
    *call.filling.found = cores.run();
    return DONE;
}

}  // namespace eventsim
