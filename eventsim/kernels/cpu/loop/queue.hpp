// Forward pass of loops event by event: per sample one order over arrivals and crossings.
//
// The next event is the earlier of the next arrival and the next neuron to fire or to be let go; at one
// time arrivals come first. After it only the neurons that it reached change their prediction. A neuron
// waits at a time before which it cannot fire; the crossing itself is searched when that time comes and
// nothing arrived since, so rarely. One whose time moves later may stay where it is until then.
//
// Side by side    the neurons that a bundle reaches: reached.hpp. Tasks are samples, dealt to threads by the caller.
// Before          roles of the call; limits[sample] spikes have room.
// After           spikes in the order in which they happened, as many as there is room for; counts of
//                 all; `end` as the last event of each neuron left it.
// Reference       eventsim/engine/reference/queue.py
#pragma once
#include "../calls.hpp"
#include "../synapses.hpp"
#include "../watch.hpp"
#include "heap.hpp"
#include "reached.hpp"

namespace eventsim {

// Synaptic events that a look at a neuron counts as.
constexpr int64_t OF_NEURON = 4;

template <class V> class LoopQueue {
    using R = Real<V>;

    const QueueForward<R>& a;
    const WeightTable weights;
    Arena arena;
    Reached<V> neurons;
    Cells<R>& cells;
    Due& due;
    Waiting waiting;
    int64_t sure = NONE;  // the neuron that is due at its crossing or release, and not before it
    int64_t n_reached = 0;
    double t_end = 0.0;
    Watched watched;

    static constexpr int64_t NONE = -1;

  public:
    explicit LoopQueue(const QueueForward<R>& call)
        : a(call), weights{call.loop.parts, call.loop.n_parts}, arena(Reached<V>::room(call.neurons.size)),
          neurons(call.neurons, arena), cells(neurons.cells), due(neurons.due), watched(call.tasks) {}

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
        neurons.keep(a.end, s);
        a.spikes.counts[s] = spikes.count;
        a.spikes.reached[s] = t_end;
        return true;
    }

    void begin(int64_t s) {
        t_end = a.arriving.duration[s];
        neurons.begin(a.begin, s, t_end);
        watched.begin(a.under_way.since[s]);
        waiting.begin(a.flights, a.under_way, s, t_end);
        sure = NONE;
    }

    // The time at which neuron n, the first, is due has come.
    Step go_on(int64_t n, SpikeRoom& spikes) {
        Cell<R>& c = neurons.cell(n);
        if (sure != n) {
            double at = cells.soonest(n, t_end);
            if (!(at > due.first_time())) {
                at = cells.predict(n, t_end);
                sure = n;
            }
            due.move(n, at);
            return ON;
        }
        sure = NONE;
        const bool held = c.held();
        if (held) release(c, cells.firing[n], spikes);
        else if (cells.fire_next(n, spikes)) return RAN_AWAY;
        neurons.expect(n);
        if (held) return ON;
        return waiting.send(a.loop, n, c.time, t_end) ? FIRED : NO_ROOM;
    }

    // Meet all arrivals at t.
    void meet(double t, int64_t& outside, int64_t end) {
        sure = NONE;
        n_reached = 0;
        waiting.meet(t, a.arriving, outside, end, [&](const Bundle& b) { deliver(b); });
        neurons.settle();
    }

    void deliver(const Bundle& b) {
        if (b.first >= OWN) {
            const int64_t n = b.first - OWN;
            neurons.meet_one(n, a.loop.own_weight[n], b.time);
            ++n_reached;
            return;
        }
        weights.of_part(b.first, [&](const auto* weight) {
            neurons.meet(a.loop.target + b.first, weight + b.first, b.last - b.first, b.time);
        });
        n_reached += b.last - b.first;
    }
};

template <class V> int queue_forward(const QueueForward<Real<V>>& call) {
    return LoopQueue<V>(call).run() ? DONE : NO_MEMORY;
}

}  // namespace eventsim
