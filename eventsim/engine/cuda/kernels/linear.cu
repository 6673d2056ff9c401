// Layers of linear neurons of STATES states, event by event.
//
// Parallel over   one thread per (sample, neuron).
// Before          arrivals grouped by (sample, neuron) in order of time, then of source row; all
//                 before the end of their sample. limit < 0: the pair has been run already.
// After           count = spikes of the pair, also past its limit; -1 after a run-away, whose time is
//                 in reached. The first `limit` of them at start and on.
// Twin            kernels/cpu/linear/forward.hpp, engine/reference/linear.py
// Needs           neuron/linear_cell.hpp

// Tables of all neurons, then of all while V is held: roles_linear.py.
struct LinearTables {
    const REAL* flow;
    const REAL* alpha;
    const REAL* powers;
    const REAL* bounds;
    const double* piece;
    const REAL* beta;
    const REAL* products;
    int size, bits;
};

struct LinearJumps {
    const REAL* keep;
    const REAL* jump;
    const REAL* level;
    const REAL* alert;
    const double* hold;
    const REAL* start;
};

// What synapses, and self-connections by neuron, add to which state.
struct LinearWires {
    const REAL* weight;
    const int* state;
    const REAL* own_weight;
    const double* own_delay;  // ms
    const int* own_state;
    int ordered;              // whether a spike may return later
};

// Arrivals of all pairs.
struct LinearArrivals {
    const long long* first;   // of every pair
    const double* time;       // ms
    const int* synapse;
    const double* duration;   // ms, by sample
    const long long* cause;   // on the way back of a loop: its own spike, or -1
};

using Neurons = LinearNeuronsOf<STATES, REAL, LinearTables, LinearJumps, LinearWires>;
using Cell = LinearCell<STATES, REAL>;

// Where the spikes of a pair go.
struct Fired {
    double* const time;
    REAL *const current, *const restart;
    const int limit;
    int count;

    __device__ void add(long long, double t) {
        if (count < limit) {
            time[count] = t;
            current[count] = restart[count] = not_a_number();
        }
        ++count;
    }
};

// The arrivals of a pair, and where it is among them.
struct Ahead {
    long long next;
    const long long last;
    const double t_end;
};

// Each arrival in turn; whether the neuron runs away.
DEVICE bool one_by_one(const Neurons& neurons, long long n, Cell& c, const LinearArrivals& x, Ahead& at,
                       const LinearWires& w, Fired& fired) {
    for (; at.next < at.last; ++at.next) {
        if (neurons.walk(n, c, x.time[at.next], fired)) return true;
        const int k = x.synapse[at.next];
        raise<STATES>(c.x, w.state[k], w.weight[k]);
    }
    return neurons.walk(n, c, at.t_end, fired);
}

// The same where spikes return: arrivals, returns and crossings in one order, as in a loop. Ends where
// a spike was not kept that returns.
DEVICE bool in_order(const Neurons& neurons, long long n, Cell& c, const LinearArrivals& x, Ahead& at,
                     const LinearWires& w, Fired& fired) {
    const double delay = w.own_delay[n];
    int returned = 0;
    for (LinearDue due = neurons.expect(n, c, at.t_end, NEVER);;) {
        double t = at.next < at.last ? x.time[at.next] : at.t_end;
        if (delay > 0.0 && returned < fired.count) {
            if (returned >= fired.limit) return false;
            const double own = fired.time[returned] + delay;
            t = own < t ? own : t;
        }
        if (due.time < t) {
            if (!due.sure) {
                due = neurons.look(n, c, due.seen, at.t_end, NEVER);
                continue;
            }
            if (c.held()) {
                neurons.let_go(n, c);
            } else if (neurons.fire_at(n, c, due.time, fired)) {
                return true;
            }
        } else {
            if (!(t < at.t_end)) return false;
            neurons.advance(n, c, t);
            for (; at.next < at.last && x.time[at.next] == t; ++at.next)
                raise<STATES>(c.x, w.state[x.synapse[at.next]], w.weight[x.synapse[at.next]]);
            for (; delay > 0.0 && returned < fired.count && returned < fired.limit &&
                   fired.time[returned] + delay == t;
                 ++returned)
                neurons.returned(n, c);
        }
        due = neurons.expect(n, c, at.t_end, NEVER);
    }
}

extern "C" __global__ void linear_forward(
    const long long n_pairs, const __grid_constant__ LinearArrivals x,
    const __grid_constant__ LinearTables tables, const __grid_constant__ LinearJumps jumps,
    const __grid_constant__ LinearWires wires, const __grid_constant__ Buffers into) {
    const long long pair = GLOBAL_THREAD;
    if (pair >= n_pairs || into.limit[pair] < 0) return;
    const long long n = pair % tables.size, from = into.start[pair];
    const Neurons neurons(tables, jumps, wires);
    Fired fired = {into.time + from, into.current + from, into.restart + from, into.limit[pair], 0};
    Ahead at = {x.first[pair], x.first[pair + 1], x.duration[pair / tables.size]};
    Cell c;
    neurons.begin(n, c);
    const bool away = wires.ordered ? in_order(neurons, n, c, x, at, wires, fired)
                                    : one_by_one(neurons, n, c, x, at, wires, fired);
    into.count[pair] = away ? -1 : fired.count;
    if (away) into.reached[pair] = c.time;
}
