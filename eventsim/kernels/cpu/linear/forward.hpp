// Forward pass of linear neurons event by event: layers and loops.
//
// Side by side    nothing; tasks are samples, dealt to threads by the caller.
// Order           arrivals by (time, first synapse). In a layer a neuron is looked at when something
//                 reaches it. Where spikes reach neurons of the stage, one order over arrivals and
//                 crossings: a neuron waits at a time before which it does not fire; of one time
//                 arrivals come first.
// Before          roles.hpp; limits[sample] spikes have room; `begin` NULL at time zero.
// After           spikes in any order, as many as there is room for; counts of all; `end`, unless NULL,
//                 as the last event of each neuron left it.
// Reference       eventsim/engine/reference/linear.py
#pragma once
#include "../calls.hpp"
#include "../loop/due.hpp"
#include "../loop/heap.hpp"
#include "../watch.hpp"
#include "cells.hpp"

namespace eventsim {

template <int N, class R> class LinearRun {
    const LinearForward<R>& a;
    const int64_t size;
    const LinearNeurons<N, R> neurons;
    Arena arena;
    LinearCell<N, R>* const cells;
    Due due;
    Waiting waiting;
    double* const seen;    // ms from a neuron's time up to which it does not fire
    uint8_t* const sure;   // whether it is due to fire or to be let go, and not to be looked at again
    int64_t *const mark, *const reached;
    int64_t epoch = 0, n_reached = 0;
    double t_end = 0.0;
    Watched watched;

    // Synaptic events of a LIF neuron that one here counts as, or a look at a neuron.
    static constexpr int64_t EACH = 8;

    static std::size_t room(int64_t size) {
        return size * (sizeof(LinearCell<N, R>) + 25) + Due::room(size) + 8 * 64;
    }

  public:
    explicit LinearRun(const LinearForward<R>& call)
        : a(call), size(call.tables.size), neurons(call.tables, call.jumps, call.wires),
          arena(room(size)), cells(arena.take<LinearCell<N, R>>(size)), due(size, arena),
          seen(arena.take<double>(size)), sure(arena.take<uint8_t>(size)),
          mark(arena.take<int64_t>(size)), reached(arena.take<int64_t>(size)), watched(call.tasks) {}

    // False where there is no memory, or the call does not go on.
    bool run() {
        if (!arena.ok()) return false;
        for (int64_t i = 0; i < a.tasks.n; ++i) {
            const int64_t s = a.tasks.todo[i];
            SpikeRoom spikes(a.spikes, s);
            t_end = a.arriving.duration[s];
            begin(s);
            const int64_t end = a.wires.ordered ? in_order(s, spikes) : one_by_one(s, spikes);
            if (end == STOPPED || !watched.end(t_end, spikes.count <= spikes.limit)) return false;
            a.spikes.counts[s] = end == GOOD ? spikes.count : -1 - end;
            a.spikes.reached[s] = end == GOOD ? t_end : cells[end].time;
            keep(s);
        }
        return true;
    }

  private:
    // Else the number of a neuron that runs away. Stopped: there is no memory, or the call does not go on.
    enum : int64_t { GOOD = -1, STOPPED = -2 };

    // The neurons as they stand, and as they are left, if that is asked for.
    void begin(int64_t s) {
        watched.begin(a.begin.time ? a.begin.time[s * size] : 0.0);
        if (!a.begin.time) return neurons.begin(cells);
        for (int64_t n = 0, at = s * size; n < size; ++n, ++at) {
            LinearCell<N, R>& c = cells[n];
            stand_as(a.begin, at, c);
            c.spike = 0;
        }
    }
    void keep(int64_t s) const {
        if (!a.end.time) return;
        for (int64_t n = 0, at = s * size; n < size; ++n, ++at)
            leave_as(a.end, at, cells[n].x, cells[n].time, cells[n]);
    }

    int64_t one_by_one(int64_t s, SpikeRoom& spikes) {
        const Arriving& x = a.arriving;
        const LinearWires<R>& w = a.wires;
        for (int64_t e = x.offsets[s]; e < x.offsets[s + 1]; ++e) {
            for (int64_t k = x.first[e]; k < x.last[e]; ++k) {
                const int64_t n = w.target[k];
                if (neurons.walk(n, cells[n], x.time[e], spikes)) return n;
                cells[n].x[w.state[k]] += w.weight[k];
            }
            if (!watched.goes(EACH * (x.last[e] - x.first[e]), x.time[e])) return STOPPED;
        }
        for (int64_t n = 0; n < size; ++n)
            if (neurons.template walk<true>(n, cells[n], t_end, spikes)) return n;
        return GOOD;
    }

    int64_t in_order(int64_t s, SpikeRoom& spikes) {
        const Arriving& x = a.arriving;
        int64_t outside = x.offsets[s];
        const int64_t end = x.offsets[s + 1];
        due.clear();
        waiting.clear();
        for (int64_t n = 0; n < size; ++n) {
            mark[n] = epoch;
            expect(n);
        }
        for (;;) {
            double t = outside < end ? x.time[outside] : t_end;
            if (waiting.any() && waiting.first().time < t) t = waiting.first().time;
            if (due.first_time() < t) {
                const int64_t n = due.first();
                LinearCell<N, R>& c = cells[n];
                if (!watched.goes(EACH, due.first_time())) return STOPPED;
                if (!sure[n]) {
                    look(n);
                    continue;
                }
                if (c.held()) {
                    neurons.let_go(n, c);
                } else {
                    if (neurons.fire_at(n, c, due.first_time(), spikes)) return n;
                    if (!waiting.send(a.wires, n, c.time, t_end)) return STOPPED;
                }
                expect(n);
                continue;
            }
            if (!(t < t_end)) return GOOD;
            meet(t, outside, end);
            if (!watched.goes(EACH * n_reached, t)) return STOPPED;
        }
    }

    // Set the time at which neuron n, which an event changed, is due.
    void expect(int64_t n) { put(n, neurons.expect(n, cells[n], t_end, __builtin_inf())); }

    // A piece further than it has been looked at.
    void look(int64_t n) { put(n, neurons.look(n, cells[n], seen[n], t_end, __builtin_inf())); }

    void put(int64_t n, const LinearDue& next) {
        seen[n] = next.seen;
        sure[n] = next.sure;
        due.move(n, next.time);
    }

    // Meet all arrivals at t.
    void meet(double t, int64_t& outside, int64_t end) {
        ++epoch;
        n_reached = 0;
        waiting.meet(t, a.arriving, outside, end, [&](const Bundle& b) { deliver(b); });
        for (int64_t i = 0; i < n_reached; ++i) expect(reached[i]);
    }

    void deliver(const Bundle& b) {
        const LinearWires<R>& w = a.wires;
        if (b.first >= OWN) {
            const int64_t n = b.first - OWN;
            reach(n, b.time).x[w.own_state[n]] += w.own_weight[n];
            return;
        }
        for (int64_t k = b.first; k < b.last; ++k)
            reach(w.target[k], b.time).x[w.state[k]] += w.weight[k];
    }

    // Neuron n, brought to t, before which it does not fire.
    LinearCell<N, R>& reach(int64_t n, double t) {
        LinearCell<N, R>& c = cells[n];
        if (mark[n] != epoch) {
            mark[n] = epoch;
            reached[n_reached++] = n;
            neurons.advance(n, c, t);
        }
        return c;
    }
};

template <class V> int linear_forward(const LinearForward<Real<V>>& call) {
    return with_states(call.tables.n, [&](auto n) {
        return LinearRun<decltype(n)::value, Real<V>>(call).run() ? DONE : NO_MEMORY;
    });
}

}  // namespace eventsim
