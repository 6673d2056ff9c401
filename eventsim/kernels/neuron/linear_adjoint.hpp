// Events of linear neurons on the way back: sums by the entries of their matrices.
//
// Derivation      eventsim/engine/reference/linear_adjoint.py
// Reference       the same
#pragma once
#include "linear_cell.hpp"

namespace eventsim {

// NOTHING ends a flow to the end of a piece.
enum LinearKind : signed char { ARRIVAL, OWN_RETURN, SPIKE, LET_GO, NOTHING };

// A flow from the state before it, and what ends it. `index` is that of the arrival, or of the spike,
// which of an own return is that which returns.
template <int N, class R> struct LinearEntry {
    R x[N];
    double h;
    int64_t index, synapse;
    int32_t neuron;
    LinearKind kind;
    bool held;
};

// Number i of x, which may be in registers.
template <int N, class R> ON_DEVICE inline R picked(const R* x, int64_t i) {
    R found = x[0];
    UNROLL for (int k = 1; k < N; ++k) found = k == i ? x[k] : found;
    return found;
}

template <int N, class R, class Neurons, class Wires, class Tape, class Count> struct LinearAdjointOf {
    static constexpr int64_t WIDTH = 2 * N * N + N + 4;

    const Neurons& neurons;
    const Wires& wires;
    const Tape& tape;
    double* sums = nullptr;  // [size, WIDTH]: of a chunk of samples
    Count* grazes = nullptr;

    ON_DEVICE LinearAdjointOf(const Neurons& neurons, const Wires& wires, const Tape& tape)
        : neurons(neurons), wires(wires), tape(tape) {}

    ON_DEVICE double* flow_of(int64_t n) const { return sums + n * WIDTH; }
    ON_DEVICE double* keep_of(int64_t n) const { return flow_of(n) + N * N; }
    ON_DEVICE double* jump_of(int64_t n) const { return flow_of(n) + 2 * N * N; }
    ON_DEVICE double& level_of(int64_t n) const { return jump_of(n)[N]; }
    ON_DEVICE double& hold_of(int64_t n) const { return jump_of(n)[N + 1]; }
    ON_DEVICE double& own_weight_of(int64_t n) const { return jump_of(n)[N + 2]; }
    ON_DEVICE double& own_delay_of(int64_t n) const { return jump_of(n)[N + 3]; }

    // Meet the event that ends the flow e; lambda is the neuron's adjoint there.
    ON_DEVICE void meet(const LinearEntry<N, R>& e, R* lambda, const LinearFlow<N, R>& flow) const {
        R x[N];
        if (e.kind == SPIKE || e.kind == LET_GO) flow.ahead(e.h, e.x, x);
        end(e, x, lambda, flow);
    }

    // As above, where the end x of the flow is known.
    ON_DEVICE void end(const LinearEntry<N, R>& e, const R* x, R* lambda, const LinearFlow<N, R>& flow) const {
        switch (e.kind) {
            case ARRIVAL:
            case NOTHING: break;
            case OWN_RETURN: {
                const double later = own_return(e.neuron, lambda, flow);
                tape.through[e.index] += later;
                break;
            }
            case SPIKE: spike(e, x, lambda, flow); break;
            case LET_GO: let_go(e, x, lambda); break;
        }
    }

    // The flow e from its end, at which the adjoint is, to its begin.
    ON_DEVICE void over(const LinearEntry<N, R>& e, R* lambda, const LinearFlow<N, R>& flow) const {
        R found[N * N] = {};
        flow.integral(neurons.products(e.neuron, e.held), e.h, lambda, e.x, found);
        double* const into = flow_of(e.neuron);
        for (int i = e.held ? N : 0; i < N * N; ++i) into[i] += found[i];
    }

    // The begin of a sample.
    ON_DEVICE void begin(int64_t n, const R* lambda) const {
        if (neurons.level(n) > R(0)) return;  // else it begins at its reset
        const R first = lambda[0];
        jump_of(n)[0] += first;
        keep_of(n)[0] += first * neurons.level(n);
        level_of(n) += first * neurons.keep(n)[0];
    }

    // dL/dt of an arrival: the flow before it minus the flow after it.
    static ON_DEVICE R later(const LinearFlow<N, R>& flow, const R* lambda, int64_t state, R weight) {
        R total = 0;
        for (int i = 0; i < N; ++i) total += flow.a[i * N + state] * lambda[i];
        return -weight * total;
    }

    ON_DEVICE double own_return(int64_t n, const R* lambda, const LinearFlow<N, R>& flow) const {
        const int64_t state = wires.own_state[n];
        const double moved = later(flow, lambda, state, wires.own_weight[n]);
        own_weight_of(n) += picked<N>(lambda, state);
        own_delay_of(n) += moved;
        return moved;
    }

    // The end of a hold, from whose begin the spike e.index is.
    ON_DEVICE void let_go(const LinearEntry<N, R>& e, const R* x, const R* lambda) const {
        const int64_t n = e.neuron;
        R speed[N];
        times<N>(neurons.flow(n, false).a, x, speed);
        const double moved = -lambda[0] * speed[0];
        tape.through[e.index] += moved;
        hold_of(n) += moved;
    }

    ON_DEVICE void spike(const LinearEntry<N, R>& e, const R* x, R* lambda,
                         const LinearFlow<N, R>& flow) const {
        const int64_t n = e.neuron, k = e.index;
        const LinearFlow<N, R> then = neurons.flow(n, neurons.hold(n) > 0.0);
        const bool at_once = wires.own_delay[n] == 0.0;
        double moved = at_once ? own_return(n, lambda, then) : 0.0;
        R speed[N], kept[N], now[N], after[N];
        times<N>(flow.a, x, speed);
        times<N>(neurons.keep(n), speed, kept);
        neurons.after(n, x, now);
        times<N>(then.a, now, after);
        double by_level = -tape.by_voltage[k];
        if (speed[0] > R(0)) {
            moved += double(dot<N>(lambda, kept)) - double(dot<N>(lambda, after)) + tape.by_time[k] + tape.through[k];
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
            if (at_once) raise<N>(now, wires.own_state[n], wires.own_weight[n]);
            times<N>(flow.a, now, after);
            hold_of(n) -= lambda[0] * after[0];
        }
        R before[N];
        times<N, true>(neurons.keep(n), lambda, before);
        for (int i = 0; i < N; ++i) lambda[i] = before[i];
        lambda[0] -= by_level;
    }
};

}  // namespace eventsim
