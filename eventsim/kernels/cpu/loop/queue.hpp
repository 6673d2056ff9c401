// Forward pass of loops event by event: per sample one order over arrivals and crossings.
//
// The next event is the earlier of the next arrival and the next neuron to fire or to be let go; at one
// time arrivals come first. After it only the neurons that it reached change their prediction. A neuron
// waits at a time before which it cannot fire; the crossing itself is searched when that time comes and
// nothing arrived since, so rarely. One whose time moves later stays where it is until then.
//
// Side by side    nothing; tasks are samples, dealt to threads by the caller.
// Before          roles of the call; limits[sample] spikes have room.
// After           spikes in the order in which they happened, as many as there is room for; counts of
//                 all; `end` as the last event of each neuron left it.
// Reference       eventsim/engine/reference/queue.py
#pragma once
#include "../../lanes.hpp"
#include "../calls.hpp"
#include "../synapses.hpp"
#include "../watch.hpp"
#include "cells.hpp"
#include "heap.hpp"

namespace eventsim {

// Synaptic events that a look at a neuron counts as.
constexpr int64_t OF_NEURON = 4;

template <class V> class LoopQueue {
    using R = Real<V>;

    const QueueForward<R>& a;
    const int64_t size;
    const WeightTable weights;
    Arena arena;
    Cells<R> cells;
    DueHeap due;
    Waiting waiting;
    uint8_t* const sure;      // whether a neuron is due at its crossing, and not before it
    int64_t *const mark, *const reached;
    int64_t epoch, n_reached;
    double t_end;
    Watched watched;

    static std::size_t room(int64_t size) {
        return Cells<R>::room(size) + DueHeap::room(size) + size * 17 + 4 * 64;
    }

  public:
    explicit LoopQueue(const QueueForward<R>& call)
        : a(call), size(call.neurons.size), weights{call.loop.parts, call.loop.n_parts},
          arena(room(size)), cells(call.neurons, arena), due(size, arena),
          sure(arena.take<uint8_t>(size)), mark(arena.take<int64_t>(size)),
          reached(arena.take<int64_t>(size)), watched(call.tasks) {}

    // False where there is no memory, or the call does not go on.
    bool run() {
        if (!arena.ok()) return false;
        for (int64_t i = 0; i < a.tasks.n; ++i)
            if (!run_sample(a.tasks.todo[i])) return false;
        return true;
    }

  private:
    enum Step { FIRED, ON, RAN_AWAY, NO_ROOM };

    bool run_sample(int64_t s) {
        begin(s);
        SpikeRoom spikes(a.spikes, s);
        int64_t outside = a.arriving.offsets[s];
        const int64_t end = a.arriving.offsets[s + 1];
        for (;;) {
            double t = outside < end ? a.arriving.time[outside] : t_end;
            if (waiting.any() && waiting.first().time < t) t = waiting.first().time;
            while (due.first_time() < t) {
                const int64_t n = due.first();
                if (!watched.goes(OF_NEURON, due.first_time())) return false;
                const Step step = go_on(n, spikes);
                if (step == NO_ROOM) return false;
                if (step == RAN_AWAY) {
                    a.spikes.counts[s] = -1 - n;
                    a.spikes.reached[s] = cells.cell[n].time;
                    return true;
                }
                if (step == FIRED && waiting.any() && waiting.first().time < t)
                    t = waiting.first().time;
            }
            if (!(t < t_end)) break;
            meet(t, outside, end);
            if (!watched.goes(n_reached, t)) return false;
        }
        if (!waiting.ok() || !watched.end(t_end, spikes.count <= spikes.limit)) return false;
        cells.keep(a.end, s);
        a.spikes.counts[s] = spikes.count;
        a.spikes.reached[s] = t_end;
        return true;
    }

    void begin(int64_t s) {
        t_end = a.arriving.duration[s];
        cells.begin(a.begin, s);
        watched.begin(a.under_way.since[s]);
        due.clear();
        waiting.begin(a.flights, a.under_way, s, t_end);
        epoch = 0;
        for (int64_t n = 0; n < size; ++n) {
            sure[n] = 0;
            mark[n] = 0;
            due.move(n, cells.soonest(n, t_end));
        }
    }

    // The time at which neuron n, the first, is due has come.
    Step go_on(int64_t n, SpikeRoom& spikes) {
        if (!sure[n]) {
            double at = cells.soonest(n, t_end);
            if (!(at > due.first_time())) {
                at = cells.predict(n, t_end);
                sure[n] = 1;
            }
            due.move(n, at);
            return ON;
        }
        sure[n] = 0;
        if (cells.cell[n].held()) {
            release(cells.cell[n], cells.firing[n], spikes);
            due.move(n, cells.soonest(n, t_end));
            return ON;
        }
        if (cells.fire_next(n, spikes)) return RAN_AWAY;
        due.move(n, cells.soonest(n, t_end));
        return waiting.send(a.loop, n, cells.cell[n].time, t_end) ? FIRED : NO_ROOM;
    }

    // Meet all arrivals at t.
    void meet(double t, int64_t& outside, int64_t end) {
        ++epoch;
        n_reached = 0;
        waiting.meet(t, a.arriving, outside, end, [&](const Bundle& b) { deliver(b); });
        look_again();
    }

    void deliver(const Bundle& b) {
        if (b.first >= OWN) {
            const int64_t n = b.first - OWN;
            reach(n, b.time).j += a.loop.own_weight[n];
            return;
        }
        weights.of_part(b.first, [&](const auto* weight) {
            for (int64_t k = b.first; k < b.last; ++k)
                reach(a.loop.target[k], b.time).j += R(weight[k]);
        });
    }

    // Neuron n, brought to t; those that nothing has reached at this time yet are noted.
    FORMULA_MEMBER Cell<R>& reach(int64_t n, double t) {
        Cell<R>& c = cells.cell[n];
        if (mark[n] != epoch) {
            mark[n] = epoch;
            reached[n_reached++] = n;
            advance(c, t);
        }
        return c;
    }

    // The neurons that were reached may be due earlier; those due later keep their place.
    void look_again() {
        for (int64_t i = 0; i < n_reached; ++i) {
            const int64_t n = reached[i];
            sure[n] = 0;
            const double at = cells.soonest(n, t_end);
            if (at < due.time_of(n)) due.move(n, at);
        }
    }
};

template <class V> int queue_forward(const QueueForward<Real<V>>& call) {
    return LoopQueue<V>(call).run() ? DONE : NO_MEMORY;
}

}  // namespace eventsim
