// Layers of linear neurons of STATES states, event by event.
//
// Parallel over   one thread per (sample, neuron).
// Before          arrivals grouped by (sample, neuron) in order of time, then of source row; all
//                 before the end of their sample. limit < 0: the pair has been run already.
// After           counts = spikes of the pair, also past its limit; -1 after a run-away, whose time is
//                 in reached. The first `limit` of them at start and on.
// Twin            kernels/cpu/linear/forward.hpp, engine/reference/linear.py
// Needs           neuron/linear_cell.hpp

using Neurons = LinearNeuronsOf<STATES, REAL, LinearTables, LinearJumps, LinearWires>;
using Cell = LinearCell<STATES, REAL>;

// Room for the spikes of a pair.
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

// Meet each arrival in turn; whether the neuron runs away.
DEVICE bool one_by_one(const Neurons& neurons, long long n, Cell& c, const Arrivals& x, Ahead& at,
                       const LinearWires& w, Fired& fired) {
    for (; at.next < at.last; ++at.next) {
        if (neurons.walk(n, c, x.time[at.next], fired)) return true;
        const int k = x.synapse[at.next];
        raise<STATES>(c.x, w.state[k], w.weight[k]);
    }
    return neurons.walk(n, c, at.t_end, fired);
}

// As above, where spikes return: arrivals, returns and crossings in one order, as in a loop. Ends at a
// spike that returns and was not kept.
DEVICE bool in_order(const Neurons& neurons, long long n, Cell& c, const Arrivals& x, Ahead& at,
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
    const long long n_pairs, const __grid_constant__ Arrivals x, const __grid_constant__ Linear all,
    const __grid_constant__ Buffers into) {
    const long long pair = GLOBAL_THREAD;
    if (pair >= n_pairs || into.limit[pair] < 0) return;
    const long long n = pair % all.tables.size, from = into.start[pair];
    const Neurons neurons(all.tables, all.jumps, all.wires);
    Fired fired = {into.time + from, into.current + from, into.restart + from, into.limit[pair], 0};
    Ahead at = {x.first[pair], x.first[pair + 1], x.duration[pair / all.tables.size]};
    Cell c;
    neurons.begin(n, c);
    const bool away = all.wires.ordered ? in_order(neurons, n, c, x, at, all.wires, fired)
                                        : one_by_one(neurons, n, c, x, at, all.wires, fired);
    into.counts[pair] = away ? -1 : fired.count;
    if (away) into.reached[pair] = c.time;
}
