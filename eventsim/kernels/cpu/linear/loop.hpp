// Forward pass of loops of linear neurons that all meet the same events: by windows, side by side.
//
// A window is a stretch of stretches.hpp, the piece of all neurons, which is at most the least delay
// of the loop. So what fires in it arrives behind its end, which is a float: all that arrives in a
// window is known when it begins. A neuron whose V stays below its alert level over the window, by
// the bound there, does not fire in it; it needs the sums of its arrivals alone. The others walk
// from arrival to arrival: walk.hpp.
//
// End             of a run: the window that it cuts ends there, and has the spikes that it gives
//                 whatever arrives later. `end` is the border before it, from where a run can go on,
//                 or the begin of a silence which lasts to the end: how many windows that has is
//                 known when something arrives. `left` is how the neurons stand at the end itself.
// Side by side    neurons of a block over a window, block after block. Tasks are samples, dealt to
//                 threads by the caller.
// Before          roles.hpp; limits[sample] spikes have room; `begin` NULL at time zero.
// After           spikes in any order, as many as there is room for; counts of all; `end` and
//                 `left`, unless NULL.
// Reference       eventsim/engine/reference/linear.py
#pragma once
#include "../loop/heap.hpp"
#include "../spike_room.hpp"
#include "../watch.hpp"
#include "walk.hpp"

namespace eventsim {

template <int N, class V> class LinearLoopRun {
    using R = Real<V>;

    // Spikes of a window, which are also among those of the sample.
    struct WindowRoom {
        SpikeRoom& all;
        GrowingArray<SentSpike> sent;
        bool no_room = false;

        void add(int64_t n, double t) {
            all.add(n, t);
            no_room |= !sent.push({t, (int32_t)n});
        }
    };

    const LinearLoopForward<R>& a;
    const int64_t size, n_blocks, width;
    const LinearNeurons<N, R> neurons;
    LinearBlock<N, V> block;
    LinearWalker<N, V> walker;
    Arena arena;
    LinearCell<N, R>* const cells;
    R *now, *next;         // [blocks, N, width]
    uint64_t* const held;  // [blocks]
    GrowingArray<double> times;   // of the bundles that are due, and their rows
    GrowingArray<int32_t> rows;
    int64_t failed = -1;   // who ran away first
    Watched watched;

    // Synaptic events that an arrival counts as.
    static constexpr int64_t OF_ARRIVAL = 64;

    static std::size_t room(const LinearLoopForward<R>& a) {
        const std::size_t blocks = a.lanes.n_blocks, states = blocks * N * a.weights.width;
        return a.tables.size * sizeof(LinearCell<N, R>) + 2 * states * sizeof(R) + blocks * 8 + 4 * 64;
    }

  public:
    explicit LinearLoopRun(const LinearLoopForward<R>& call)
        : a(call), size(call.tables.size), n_blocks(call.lanes.n_blocks), width(call.weights.width),
          neurons(call.tables, call.jumps, call.wires), block(call.weights, call.lanes),
          walker(neurons, block, true), arena(room(call)), cells(arena.take<LinearCell<N, R>>(size)),
          now(arena.take<R>(n_blocks * N * width)), next(arena.take<R>(n_blocks * N * width)),
          held(arena.take<uint64_t>(n_blocks)), watched(call.tasks) {}

    // False where there is no memory, or the call does not go on.
    bool run() {
        if (!arena.ok()) return false;
        for (int64_t i = 0; i < a.tasks.n; ++i) {
            const int64_t s = a.tasks.todo[i];
            SpikeRoom spikes(a.spikes, s);
            failed = -1;
            if (!run_sample(s, spikes)) return false;
            a.spikes.counts[s] = failed < 0 ? spikes.count : -1 - failed;
            a.spikes.reached[s] = failed < 0 ? a.arriving.duration[s] : cells[failed].time;
        }
        return true;
    }

  private:
    R* states_of(R* all, int64_t b) const { return all + b * N * width; }

    // The neurons as they stand; number of the window that begins then.
    double begin(int64_t s) {
        std::fill(now, now + n_blocks * N * width, R(0));
        std::fill(held, held + n_blocks, 0);
        block.enter(0, size);
        const bool stands = a.begin.time != nullptr;
        for (int64_t n = 0, at = s * size; n < size; ++n, ++at) {
            LinearCell<N, R>& c = cells[n];
            neurons.begin(n, c);
            if (stands) stand_as(a.begin, at, c);
            R* const x = states_of(now, n / width);
            for (int i = 0; i < N; ++i) x[i * width + n % width] = c.x[i];
            held[n / width] |= (uint64_t)c.held() << n % width;
        }
        return stands ? a.begin.time[s * size] / block.piece : 0.0;
    }

    // Keep the states at t of the neurons, which are at time `from` now, with no event between.
    void keep(const LinearStop<R>& to, int64_t s, double from, double t) const {
        if (!to.time) return;
        for (int64_t n = 0, at = s * size; n < size; ++n, ++at) {
            const R* const states = states_of(now, n / width) + n % width;
            R x[N], then[N];
            for (int i = 0; i < N; ++i) x[i] = states[i * width];
            if (from < t) neurons.flow(n, false).ahead(t - from, x, then);
            leave_as(to, at, from < t ? then : x, t, cells[n]);
        }
    }

    // Whether no neuron fires or is released unless something arrives.
    bool silent() {
        for (int64_t b = 0; b < n_blocks; ++b) {
            block.enter(b, size);
            if (held[b] || !block.silent(states_of(now, b))) return false;
        }
        return true;
    }

    bool run_sample(int64_t s, SpikeRoom& all) {
        const double t_end = a.arriving.duration[s];
        Incoming incoming(a.arriving, s);
        WindowRoom spikes{all, {}};
        double m = begin(s);
        bool cut = false;
        watched.begin(m * block.piece);
        while (m * block.piece < t_end && !cut && failed < 0) {
            const double coming = incoming.coming(), until = std::min(coming, t_end);
            const double idle = __builtin_floor((until - m * block.piece) / block.piece);
            if (idle >= 1.0 && silent()) {
                if (!(coming < t_end)) break;
                for (int64_t b = 0; b < n_blocks; ++b) {
                    block.enter(b, size);
                    block.far((int64_t)idle, states_of(now, b));
                }
                m += idle;
                continue;
            }
            cut = (m + 1.0) * block.piece > t_end;
            if (cut) keep(a.end, s, m * block.piece, m * block.piece);
            if (!incoming.take(std::min((m + 1.0) * block.piece, t_end)) || !gather(m, incoming.due, t_end))
                return false;
            spikes.sent.size = 0;
            over(cut && a.left.time, spikes);
            for (int64_t k = 0; k < spikes.sent.size; ++k)
                if (!incoming.waiting.send(a.wires, spikes.sent[k].neuron, spikes.sent[k].time, t_end))
                    return false;
            if (spikes.no_room) return false;
            std::swap(now, next);
            m += 1.0;
            if (!watched.goes(N * size + OF_ARRIVAL * incoming.due.size, m * block.piece)) return false;
        }
        const double stand = cut ? t_end : m * block.piece;
        if (!cut) keep(a.end, s, stand, stand);
        keep(a.left, s, stand, t_end);
        return watched.end(t_end, all.count <= all.limit);
    }

    bool gather(double m, const GrowingArray<Bundle>& due, double t_end) {
        if (!times.reserve(due.size) || !rows.reserve(due.size)) return false;
        for (int64_t k = 0; k < due.size; ++k) {
            times[k] = due[k].time;
            rows[k] = a.rows.row[due[k].first];
        }
        int64_t e = 0;
        return block.gather(m, {times.begin(), rows.begin()}, e, due.size, t_end) && walker.prepare();
    }

    // Take all neurons over the window; one by one if `each`. Of several that run away the first counts.
    void over(bool each, WindowRoom& spikes) {
        for (int64_t b = 0; b < n_blocks; ++b) {
            block.enter(b, size);
            const R* const from = states_of(now, b);
            R* const to = states_of(next, b);
            uint64_t marks = block.over_or_fires(from, to) | held[b];
            if (each) marks = ~uint64_t(0) >> (64 - block.size);
            for (; marks; marks &= marks - 1) {
                const int k = __builtin_ctzll(marks);
                const int64_t n = block.low + k;
                LinearCell<N, R>& c = cells[n];
                for (int i = 0; i < N; ++i) c.x[i] = from[i * width + k];
                c.time = block.begin;
                if (walker.walk(n, k, c, spikes) && (failed < 0 || c.time < cells[failed].time)) failed = n;
                for (int i = 0; i < N; ++i) to[i * width + k] = c.x[i];
                held[b] = (held[b] & ~(uint64_t(1) << k)) | (uint64_t)c.held() << k;
            }
        }
    }
};

template <class V> int linear_loop_forward(const LinearLoopForward<Real<V>>& call) {
    return with_states(call.tables.n, [&](auto n) {
        return LinearLoopRun<decltype(n)::value, V>(call).run() ? DONE : NO_MEMORY;
    });
}

}  // namespace eventsim
