// Layers of linear neurons of STATES states, backward, event by event.
//
// Parallel over   one thread per (sample, neuron). It goes over its own events twice: forward, from its
//                 recorded spikes, to write down the state before each; then from the last to the first.
// Before          arrivals as in linear.cu; the tape grouped by (sample, neuron); sums zero. A pair's
//                 events have room in `log` for its arrivals and thrice its spikes: each may return,
//                 and let V go.
// After           by_arrival = dL/d(weight), later = dL/dt of every arrival, at the place it had before
//                 it was sorted; sums [samples, neurons, WIDTH], grazes per pair.
// Twin            kernels/cpu/linear/backward.hpp, engine/reference/linear_adjoint.py
// Needs           neuron/linear_adjoint.hpp, linear.cu

// Recorded spikes by (sample, neuron), and what the loss says of them.
struct LinearTape {
    const long long* first;  // of every pair, and their number
    const double* time;      // ms
    const double* by_time;
    const double* by_voltage;
    double* through;  // gathers the part of dL/dt that runs over the neuron's own restart and return
};

// What happened to all pairs, step by step: work space.
struct LinearLog {
    REAL* state;          // [steps, STATES], before the step
    double* span;         // ms
    unsigned char* kind;  // LinearKind, and HELD where V is held
};

struct LinearResults {
    REAL* by_arrival;
    REAL* later;
    double* sums;
    int* grazes;
};

using Entry = LinearEntry<STATES, REAL>;
using OnTheWay = LinearAdjointOf<STATES, REAL, Neurons, LinearWires, LinearTape, int>;

enum { HELD = 8 };

// A pair on its way: its neuron, and its next step in the log.
struct Pair {
    const Neurons& neurons;
    const LinearLog& log;
    const long long n;
    long long step;
    Cell c;

    // The flow up to t, and what ends it.
    __device__ void flow(double t, int kind) {
        for (int i = 0; i < STATES; ++i) log.state[step * STATES + i] = c.x[i];
        log.span[step] = t - c.time;
        log.kind[step] = (unsigned char)(kind | (c.held() ? HELD : 0));
        ++step;
        neurons.advance(n, c, t);
    }

    // The same, and the end of a hold before t.
    __device__ void go_to(double t, int kind) {
        if (c.held() && c.until < t) {
            flow(c.until, LET_GO);
            c.until = -1.0;
        }
        flow(t, kind);
    }
};

// All that happens to a pair, from its recorded spikes: of one time arrivals come first, then returns.
DEVICE void replay(Pair& p, const LinearArrivals& x, long long pair, const LinearWires& w,
                   const LinearTape& tape) {
    long long i = x.first[pair], spike = tape.first[pair], own = spike;
    const long long last = x.first[pair + 1], end = tape.first[pair + 1];
    const double delay = w.own_delay[p.n], t_end = x.duration[pair / p.neurons.size()];
    p.neurons.begin(p.n, p.c);
    for (;;) {
        const double arrives = i < last ? x.time[i] : t_end;
        const double returns = delay > 0.0 && own < spike ? tape.time[own] + delay : t_end;
        const double fires = spike < end ? tape.time[spike] : t_end;
        if (i < last && arrives <= returns && arrives <= fires) {
            p.go_to(arrives, ARRIVAL);
            raise<STATES>(p.c.x, w.state[x.synapse[i]], w.weight[x.synapse[i]]);
            ++i;
        } else if (returns < t_end && returns <= fires) {
            p.go_to(returns, OWN_RETURN);
            p.neurons.returned(p.n, p.c);
            ++own;
        } else if (spike < end) {
            p.go_to(fires, SPIKE);
            p.neurons.fire(p.n, p.c, spike);
            ++spike;
        } else {
            return;
        }
    }
}

extern "C" __global__ void linear_backward(
    const long long n_pairs, const __grid_constant__ LinearArrivals x,
    const long long* __restrict__ origin, const __grid_constant__ LinearTables tables,
    const __grid_constant__ LinearJumps jumps, const __grid_constant__ LinearWires wires,
    const __grid_constant__ LinearTape tape, const __grid_constant__ LinearLog log,
    const __grid_constant__ LinearResults found) {
    const long long pair = GLOBAL_THREAD;
    if (pair >= n_pairs) return;
    const long long n = pair % tables.size, begin = x.first[pair] + 3 * tape.first[pair];
    const Neurons neurons(tables, jumps, wires);
    Pair p = {neurons, log, n, begin, {}};
    replay(p, x, pair, wires, tape);
    OnTheWay way(neurons, wires, tape);
    way.sums = found.sums + (pair - n) * OnTheWay::WIDTH;
    int grazes = 0;
    way.grazes = &grazes;
    REAL lambda[STATES] = {};
    double by_flow[STATES * STATES] = {};
    long long i = x.first[pair + 1] - 1, spike = tape.first[pair + 1] - 1, own = spike;
    const double delay = wires.own_delay[n], t_end = x.duration[pair / tables.size];
    while (own >= tape.first[pair] && tape.time[own] + delay >= t_end) --own;
    for (long long step = p.step - 1; step >= begin; --step) {
        Entry e;
        for (int k = 0; k < STATES; ++k) e.x[k] = log.state[step * STATES + k];
        e.h = log.span[step];
        e.kind = (LinearKind)(log.kind[step] & (HELD - 1));
        e.held = log.kind[step] >= HELD;
        e.neuron = (int)n;
        e.index = e.kind == OWN_RETURN ? own : spike;
        const LinearFlow<STATES, REAL> flow = neurons.flow(n, e.held);
        if (e.kind == ARRIVAL) {
            const int state = wires.state[x.synapse[i]];
            found.by_arrival[origin[i]] = picked<STATES>(lambda, state);
            found.later[origin[i]] = way.later(flow, lambda, state, wires.weight[x.synapse[i]]);
            --i;
        } else {
            way.meet(e, lambda, flow);
            own -= e.kind == OWN_RETURN;
            spike -= e.kind == SPIKE;
        }
        double added[STATES * STATES] = {};
        flow.integral(neurons.products(n, e.held), e.h, lambda, e.x, added);
        for (int k = 0; k < STATES * STATES; ++k)
            by_flow[k] += e.held && k < STATES ? 0.0 : added[k];
    }
    way.begin(n, lambda);
    for (int k = 0; k < STATES * STATES; ++k) way.flow_of(n)[k] = by_flow[k];
    found.grazes[pair] = grazes;
}
