// Backward pass of linear neurons: layers and loops.
//
// A sample is replayed from its spikes, in parts from marks that are kept, the last part first; each is
// logged and read from its end. So the memory of a task is that of a part and of the marks.
//
// Side by side    nothing; tasks are chunks of samples, whose sums are their own.
// Derivation      eventsim/engine/reference/linear_adjoint.py
// Reference       the same
#pragma once
#include "log.hpp"

namespace eventsim {

template <int N> class LinearWayBack {
    // Steps of a part at least, and for each neuron.
    static constexpr int64_t PART = 1 << 16, PART_OF_NEURON = 16;
    static constexpr int64_t WIDTH = 2 * N * N + N + 4;

    const LinearBackward& a;
    const int64_t size, most;
    const LinearNeurons<N> neurons;
    Arena arena;
    LinearReplay<N> replay;
    double* const adjoint;  // [size, N]
    GrowingArray<LinearEntry<N>> log;
    GrowingArray<LinearCell<N>> marks;
    GrowingArray<LinearPlace> places;
    double *weight = nullptr, *delay = nullptr, *sums = nullptr;
    int64_t* grazes = nullptr;

    static std::size_t room(int64_t size) {
        return size * (sizeof(LinearCell<N>) + N * 8) + 2 * 64;
    }

  public:
    explicit LinearWayBack(const LinearBackward& call)
        : a(call), size(call.tables.size), most(std::max(PART, PART_OF_NEURON * size)),
          neurons(call.tables, call.jumps, call.wires), arena(room(size)),
          replay(call, neurons, arena.take<LinearCell<N>>(size)), adjoint(arena.take<double>(size * N)) {}

    // False where there is no memory.
    bool run() {
        if (!arena.ok()) return false;
        const LinearFound& f = a.found;
        for (int64_t i = 0; i < a.tasks.n; ++i) {
            const int64_t chunk = a.tasks.todo[i];
            weight = f.weight + chunk * f.n_synapses;
            delay = f.delay ? f.delay + chunk * f.n_synapses : nullptr;
            sums = f.sums + chunk * size * WIDTH;
            grazes = f.grazes + chunk;
            for (int64_t s = a.tape.bounds[chunk]; s < a.tape.bounds[chunk + 1]; ++s)
                if (!run_sample(s)) return false;
        }
        return true;
    }

  private:
    double* flow_of(int64_t n) const { return sums + n * WIDTH; }
    double* keep_of(int64_t n) const { return flow_of(n) + N * N; }
    double* jump_of(int64_t n) const { return flow_of(n) + 2 * N * N; }
    double& level_of(int64_t n) const { return jump_of(n)[N]; }
    double& hold_of(int64_t n) const { return jump_of(n)[N + 1]; }
    double& own_weight_of(int64_t n) const { return jump_of(n)[N + 2]; }
    double& own_delay_of(int64_t n) const { return jump_of(n)[N + 3]; }

    bool run_sample(int64_t s) {
        std::fill(adjoint, adjoint + size * N, 0.0);
        neurons.begin(replay.cells);
        LinearPlace at = {a.arriving.offsets[s], a.tape.offsets[s]};
        log.size = marks.size = places.size = 0;
        // The first part is logged on the way, which is all where there is no other.
        for (bool first = true;; first = false) {
            if (!marks.reserve(marks.size + size) || !places.push(at)) return false;
            std::copy(replay.cells, replay.cells + size, marks.begin() + marks.size);
            marks.size += size;
            if (!replay.run(s, at, most, first ? &log : nullptr)) return false;
            if (at.arrival >= a.arriving.offsets[s + 1] && at.spike >= a.tape.offsets[s + 1]) break;
        }
        for (int64_t part = places.size - 1; part >= 0; --part) {
            if (places.size > 1) {
                std::copy(marks.begin() + part * size, marks.begin() + (part + 1) * size, replay.cells);
                log.size = 0;
                LinearPlace from = places[part];
                if (!replay.run(s, from, most, &log)) return false;
            }
            for (int64_t i = log.size - 1; i >= 0; --i) back(log[i]);
        }
        for (int64_t n = 0; n < size; ++n)
            if (neurons.level(n) <= 0.0) {  // it began at its reset
                const double first = adjoint[n * N];
                jump_of(n)[0] += first;
                keep_of(n)[0] += first * neurons.level(n);
                level_of(n) += first * neurons.keep(n)[0];
            }
        return true;
    }

    void back(const LinearEntry<N>& e) {
        const int64_t n = e.neuron;
        double* const lambda = adjoint + n * N;
        const LinearFlow<N> flow = neurons.flow(n, e.held);
        switch (e.kind) {
            case ARRIVAL: arrival(e, lambda, flow); break;
            case OWN_RETURN: {
                const double later = own_return(n, lambda, flow);
                a.tape.through[e.index] += later;
                break;
            }
            case SPIKE: spike(e, lambda, flow); break;
            case LET_GO: let_go(e, lambda, flow); break;
        }
        double found[N * N] = {};
        flow.integral(neurons.products(n, e.held), e.h, lambda, e.x, found);
        double* const into = flow_of(n);
        for (int i = e.held ? N : 0; i < N * N; ++i) into[i] += found[i];
    }

    // dL/dt of an arrival: the flow before it minus the flow after it.
    static double later(const LinearFlow<N>& flow, const double* lambda, int64_t state, double weight) {
        double total = 0.0;
        for (int i = 0; i < N; ++i) total += flow.a[i * N + state] * lambda[i];
        return -weight * total;
    }

    void arrival(const LinearEntry<N>& e, const double* lambda, const LinearFlow<N>& flow) {
        const int64_t k = e.synapse, state = a.wires.state[k], cause = a.arriving.cause[e.index];
        const double moved = later(flow, lambda, state, a.wires.weight[k]);
        weight[k] += lambda[state];
        if (delay) delay[k] += moved;
        a.found.effects[a.arriving.spike[e.index]] += moved;
        if (cause >= 0) a.tape.through[cause] += moved;
    }

    double own_return(int64_t n, const double* lambda, const LinearFlow<N>& flow) {
        const int64_t state = a.wires.own_state[n];
        const double moved = later(flow, lambda, state, a.wires.own_weight[n]);
        own_weight_of(n) += lambda[state];
        own_delay_of(n) += moved;
        return moved;
    }

    // The end of a hold, from whose begin the spike e.index is.
    void let_go(const LinearEntry<N>& e, const double* lambda, const LinearFlow<N>& flow) {
        const int64_t n = e.neuron;
        double x[N], speed[N];
        flow.ahead(e.h, e.x, x);
        times<N>(neurons.flow(n, false).a, x, speed);
        const double moved = -lambda[0] * speed[0];
        a.tape.through[e.index] += moved;
        hold_of(n) += moved;
    }

    void spike(const LinearEntry<N>& e, double* lambda, const LinearFlow<N>& flow) {
        const int64_t n = e.neuron, k = e.index;
        const LinearFlow<N> then = neurons.flow(n, neurons.hold(n) > 0.0);
        const bool at_once = a.wires.own_delay[n] == 0.0;
        double moved = at_once ? own_return(n, lambda, then) : 0.0;
        double x[N], speed[N], kept[N], now[N], after[N];
        flow.ahead(e.h, e.x, x);
        times<N>(flow.a, x, speed);
        times<N>(neurons.keep(n), speed, kept);
        neurons.after(n, x, now);
        times<N>(then.a, now, after);
        double by_level = -a.tape.by_voltage[k];
        if (speed[0] > 0.0) {
            moved += dot<N>(lambda, kept) - dot<N>(lambda, after) + a.tape.by_time[k] + a.tape.through[k];
            by_level += moved / speed[0];
        } else {
            ++*grazes;
        }
        level_of(n) += by_level;
        for (int i = 0; i < N; ++i) {
            jump_of(n)[i] += lambda[i];
            for (int j = 0; j < N; ++j) keep_of(n)[i * N + j] += lambda[i] * x[j];
        }
        if (neurons.hold(n) == 0.0) {  // a hold would begin to grow here, after a self-jump
            if (at_once) now[a.wires.own_state[n]] += a.wires.own_weight[n];
            times<N>(flow.a, now, after);
            hold_of(n) -= lambda[0] * after[0];
        }
        double before[N];
        times<N, true>(neurons.keep(n), lambda, before);
        for (int i = 0; i < N; ++i) lambda[i] = before[i];
        lambda[0] -= by_level;
    }
};

inline int linear_backward(const LinearBackward& call) {
    switch (call.tables.n) {
        case 2: return LinearWayBack<2>(call).run() ? DONE : NO_MEMORY;
        case 3: return LinearWayBack<3>(call).run() ? DONE : NO_MEMORY;
        case 4: return LinearWayBack<4>(call).run() ? DONE : NO_MEMORY;
        default: return LinearWayBack<5>(call).run() ? DONE : NO_MEMORY;
    }
}

}  // namespace eventsim
