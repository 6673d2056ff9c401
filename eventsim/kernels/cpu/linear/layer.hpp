// Forward pass of layers of linear neurons that all meet the same events, block by block of neurons.
//
// Side by side    neurons of a block over a stretch: stretches.hpp. Those that may fire within it, and
//                 those whose V is held, walk it one by one, event by event. Tasks are samples, dealt
//                 to threads by the caller.
// Before          roles.hpp; limits[sample] spikes have room.
// After           spikes in any order, as many as there is room for; counts of all.
// Reference       eventsim/engine/reference/linear.py
#pragma once
#include "../spike_room.hpp"
#include "walk.hpp"

namespace eventsim {

template <int N, class V> class LinearLayerRun {
    using R = Real<V>;
    const LinearLayerForward<R>& a;
    const LinearNeurons<N, R> neurons;
    LinearBlock<N, V> block;
    LinearWalker<N, V> walker;
    Arena arena;
    LinearCell<N, R>* const cells;
    R *now, *next;  // [N, width]

  public:
    explicit LinearLayerRun(const LinearLayerForward<R>& call)
        : a(call), neurons(call.tables, call.jumps, call.wires),
          block(call.weights, call.lanes), walker(neurons, block, false),
          arena(call.tables.size * sizeof(LinearCell<N, R>) + 2 * N * block.width * sizeof(R) + 3 * 64),
          cells(arena.take<LinearCell<N, R>>(call.tables.size)), now(arena.take<R>(N * block.width)),
          next(arena.take<R>(N * block.width)) {}

    // False where there is no memory.
    bool run() {
        if (!arena.ok()) return false;
        for (int64_t i = 0; i < a.tasks.n; ++i) {
            const int64_t s = a.tasks.todo[i];
            SpikeRoom spikes(a.spikes, s);
            int64_t end = GOOD;
            neurons.begin(cells);
            for (int64_t b = 0; b < a.lanes.n_blocks && end == GOOD; ++b) {
                block.enter(b, a.tables.size);
                end = over_sample(s, spikes);
            }
            if (end == NO_ROOM) return false;
            a.spikes.counts[s] = end == GOOD ? spikes.count : -1 - end;
            a.spikes.reached[s] = end == GOOD ? a.events.duration[s] : cells[end].time;
        }
        return true;
    }

  private:
    // Else the number of a neuron that runs away.
    enum : int64_t { GOOD = -1, NO_ROOM = -2 };

    int64_t over_sample(int64_t s, SpikeRoom& spikes) {
        const LinearEvents events = {a.events.times, a.events.rows};
        int64_t e = a.events.offsets[s];
        const int64_t end = a.events.offsets[s + 1], width = block.width;
        const double t_end = a.events.duration[s];
        std::fill(now, now + N * width, R(0));
        for (int64_t n = 0; n < block.size; ++n)
            for (int i = 0; i < N; ++i) now[i * width + n] = cells[block.low + n].x[i];
        uint64_t held = 0;
        for (double m = 0.0; m * block.piece < t_end;) {
            const double until = e < end && a.events.times[e] < t_end ? a.events.times[e] : t_end;
            const double idle = __builtin_floor((until - m * block.piece) / block.piece);
            if (idle >= 1.0 && held == 0 && block.silent(now)) {
                block.far((int64_t)idle, now);
                m += idle;
                continue;
            }
            if (!block.gather(m, events, e, end, t_end) || !walker.prepare()) return NO_ROOM;
            for (uint64_t marks = block.over_or_fires(now, next) | held; marks; marks &= marks - 1) {
                const int k = __builtin_ctzll(marks);
                const int64_t n = block.low + k;
                LinearCell<N, R>& c = cells[n];
                for (int i = 0; i < N; ++i) c.x[i] = now[i * width + k];
                c.time = block.begin;
                if (walker.walk(n, k, c, spikes)) return n;
                for (int i = 0; i < N; ++i) next[i * width + k] = c.x[i];
                held = (held & ~(uint64_t(1) << k)) | (uint64_t)c.held() << k;
            }
            std::swap(now, next);
            m += 1.0;
        }
        return GOOD;
    }
};

template <class V> int linear_layer_forward(const LinearLayerForward<Real<V>>& call) {
    return with_states(call.tables.n, [&](auto n) {
        return LinearLayerRun<decltype(n)::value, V>(call).run() ? DONE : NO_MEMORY;
    });
}

}  // namespace eventsim
