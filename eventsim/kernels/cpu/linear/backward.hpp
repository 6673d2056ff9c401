// Backward pass of linear neurons: layers and loops, of whole samples or of a piece.
//
// A sample is replayed from its spikes, in parts from marks that are kept, the last part first; each is
// logged and read from its end. So the memory of a task is that of a part and of the marks.
// A piece begins with each neuron as its last event left it: the adjoint that it gives is of that time.
//
// Side by side    nothing; tasks are chunks of samples, whose sums are their own.
// Derivation      eventsim/engine/reference/linear_adjoint.py
// Reference       the same
#pragma once
#include "../watch.hpp"
#include "adjoint.hpp"

namespace eventsim {

template <int N, class R> class LinearWayBack {
    // Steps of a part at least, and for each neuron.
    static constexpr int64_t PART = 1 << 16, PART_OF_NEURON = 16;

    const LinearBackward<R>& a;
    const int64_t size, most;
    const LinearNeurons<N, R> neurons;
    LinearAdjoint<N, R> on_the_way;
    Arena arena;
    LinearReplay<N, R> replay;
    R* const adjoint;  // [size, N]
    GrowingArray<LinearEntry<N, R>> log;
    GrowingArray<LinearCell<N, R>> marks;
    GrowingArray<LinearPlace> places;
    double *weight = nullptr, *delay = nullptr;
    Watched watched;

    static std::size_t room(int64_t size) {
        return size * (sizeof(LinearCell<N, R>) + N * sizeof(R)) + 2 * 64;
    }

  public:
    explicit LinearWayBack(const LinearBackward<R>& call)
        : a(call), size(call.tables.size), most(std::max(PART, PART_OF_NEURON * size)),
          neurons(call.tables, call.jumps, call.wires), on_the_way(neurons, call.wires, call.tape),
          arena(room(size)),
          replay(call, neurons, arena.take<LinearCell<N, R>>(size)), adjoint(arena.take<R>(size * N)),
          watched(call.tasks) {}

    // False where there is no memory, or the call does not go on.
    bool run() {
        if (!arena.ok()) return false;
        const LinearFound& f = a.found;
        for (int64_t i = 0; i < a.tasks.n; ++i) {
            const int64_t chunk = a.tasks.todo[i];
            weight = f.weight + chunk * f.n_synapses;
            delay = f.delay ? f.delay + chunk * f.n_synapses : nullptr;
            on_the_way.sums = f.sums + chunk * size * on_the_way.WIDTH;
            on_the_way.grazes = f.grazes + chunk;
            for (int64_t s = a.tape.bounds[chunk]; s < a.tape.bounds[chunk + 1]; ++s)
                if (!run_sample(s)) return false;
        }
        return true;
    }

  private:
    bool run_sample(int64_t s) {
        R* const carried = a.carried.adjoint + s * size * N;
        std::copy(carried, carried + size * N, adjoint);
        replay.begin(s);
        LinearPlace at = {a.arriving.offsets[s], a.tape.offsets[s]};
        while (at.spike < a.tape.offsets[s + 1] && a.tape.time[at.spike] < a.carried.begin[s]) ++at.spike;
        log.size = marks.size = places.size = 0;
        // The first part is logged on the way, which is all where there is no other.
        for (bool first = true;; first = false) {
            if (!marks.reserve(marks.size + size) || !places.push(at)) return false;
            std::copy(replay.cells, replay.cells + size, marks.begin() + marks.size);
            marks.size += size;
            if (!replay.run(s, at, most, first ? &log : nullptr) || !watched.goes(most)) return false;
            if (at.arrival >= a.arriving.offsets[s + 1] && at.spike >= a.tape.offsets[s + 1]) break;
        }
        for (int64_t part = places.size - 1; part >= 0; --part) {
            if (places.size > 1) {
                std::copy(marks.begin() + part * size, marks.begin() + (part + 1) * size, replay.cells);
                log.size = 0;
                LinearPlace from = places[part];
                if (!replay.run(s, from, most, &log) || !watched.goes(most)) return false;
            }
            for (int64_t i = log.size - 1; i >= 0; --i) back(log[i]);
        }
        std::copy(adjoint, adjoint + size * N, carried);
        for (int64_t n = 0; a.carried.starts && n < size; ++n) on_the_way.begin(n, adjoint + n * N);
        return true;
    }

    void back(const LinearEntry<N, R>& e) {
        const int64_t n = e.neuron;
        R* const lambda = adjoint + n * N;
        const LinearFlow<N, R> flow = neurons.flow(n, e.held);
        if (e.kind == ARRIVAL) arrival(e, lambda, flow);
        else on_the_way.meet(e, lambda, flow);
        on_the_way.over(e, lambda, flow);
    }

    void arrival(const LinearEntry<N, R>& e, const R* lambda, const LinearFlow<N, R>& flow) {
        const int64_t k = e.synapse, state = a.wires.state[k], cause = a.arriving.cause[e.index];
        const R moved = on_the_way.later(flow, lambda, state, a.wires.weight[k]);
        weight[k] += lambda[state];
        if (delay) delay[k] += moved;
        a.found.effects[a.arriving.spike[e.index]] += moved;
        if (cause >= 0) a.tape.through[cause] += moved;
    }
};

template <class V> int linear_backward(const LinearBackward<Real<V>>& call) {
    return with_states(call.tables.n, [&](auto n) {
        return LinearWayBack<decltype(n)::value, Real<V>>(call).run() ? DONE : NO_MEMORY;
    });
}

}  // namespace eventsim
