// Layers of linear neurons of STATES states, backward, event by event.
//
// Parallel over   one thread per (sample, neuron). It goes over its own events twice: forward, from its
//                 recorded spikes, to write down the state before each; then from the last to the first.
// Before          arrivals as in linear.cu; the tape grouped by (sample, neuron); sums, grazes, later zero.
//                 A pair's events have room in `log` for its arrivals and thrice its spikes: each may
//                 return, and let V go.
// After           by_arrival = dL/d(weight), later = dL/dt of every arrival, at the place it had before
//                 it was sorted; sums [samples, neurons, WIDTH], grazes per pair.
// Twin            kernels/cpu/linear/backward.hpp, engine/reference/linear_adjoint.py
// Needs           neuron/linear_adjoint.hpp, linear.cu

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

    // The flow up to t, and the end of a hold before t.
    __device__ void go_to(double t, int kind) {
        if (c.held() && c.until < t) {
            flow(c.until, LET_GO);
            c.until = -1.0;
        }
        flow(t, kind);
    }
};

// Replay the events of a pair from its recorded spikes: of one time arrivals come first, then returns, and
// behind its spike the arrivals that spikes of that time cause at once, its own and those of neurons of higher
// numbers, which fire after it. Of one time the arrivals have these last.
DEVICE void replay(Pair& p, const Arrivals& x, long long pair, const LinearWires& w,
                   const LinearTape& tape) {
    long long i = x.first[pair], spike = tape.first[pair], own = spike;
    const long long last = x.first[pair + 1], end = tape.first[pair + 1];
    const double delay = w.own_delay[p.n], t_end = x.duration[pair / p.neurons.size()];
    p.neurons.begin(p.n, p.c);
    for (;;) {
        const double arrives = i < last ? x.time[i] : t_end;
        const double returns = delay > 0.0 && own < spike ? tape.time[own] + delay : t_end;
        const double fires = spike < end ? tape.time[spike] : t_end;
        const bool at_once = x.cause && i < last && arrives == fires &&
                             x.cause[i] >= tape.first[pair] && tape.time[x.cause[i]] == arrives;
        if (i < last && arrives <= returns && arrives <= fires && !at_once) {
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

// Dependence of a neuron on others on the way back: none in a layer.
struct NoOther {
    __device__ bool waits(double, long long) const { return false; }
    __device__ double effect(long long, const ArrivalsFound&) const { return 0.0; }
};

// A pair on its way back, at the latest event that is left.
struct PairBack {
    const Neurons& neurons;
    const Arrivals& x;
    const LinearWires& w;
    const LinearTape& tape;
    const LinearLog& log;
    const ArrivalsFound& found;
    const long long pair;
    long long step = 0, arrival = 0, spike = 0, own = 0;
    REAL lambda[STATES] = {};

    __device__ long long n() const { return pair % neurons.size(); }
    __device__ long long begin() const { return x.first[pair] + 3 * tape.first[pair]; }

    // Start at the end of all events.
    __device__ void start() {
        Pair p = {neurons, log, n(), begin(), {}};
        replay(p, x, pair, w, tape);
        step = p.step;
        arrival = x.first[pair + 1] - 1;
        spike = own = tape.first[pair + 1] - 1;
        const double delay = w.own_delay[n()], t_end = x.duration[pair / neurons.size()];
        while (own >= tape.first[pair] && tape.time[own] + delay >= t_end) --own;
    }

    __device__ OnTheWay way(int* grazes) const {
        OnTheWay way(neurons, w, tape);
        way.sums = found.sums + (pair - n()) * OnTheWay::WIDTH;
        way.grazes = grazes;
        return way;
    }

    // Go back to the begin, or to a spike that waits for others.
    template <class Others> __device__ void go(const Others& others) {
        int grazes = 0;
        const OnTheWay way = this->way(&grazes);
        double by_flow[STATES * STATES] = {};
        for (const long long first = begin(); step > first; --step) {
            Entry e;
            e.kind = (LinearKind)(log.kind[step - 1] & (HELD - 1));
            if (e.kind == SPIKE) {
                if (others.waits(tape.time[spike], n())) break;
                tape.through[spike] += others.effect(spike, found);
            }
            for (int k = 0; k < STATES; ++k) e.x[k] = log.state[(step - 1) * STATES + k];
            e.h = log.span[step - 1];
            e.held = log.kind[step - 1] >= HELD;
            e.neuron = (int)n();
            e.index = e.kind == OWN_RETURN ? own : spike;
            const LinearFlow<STATES, REAL> flow = neurons.flow(n(), e.held);
            if (e.kind == ARRIVAL) {
                const int k = x.synapse[arrival], state = w.state[k];
                found.by_arrival[x.origin[arrival]] = picked<STATES>(lambda, state);
                found.later[x.origin[arrival]] = way.later(flow, lambda, state, w.weight[k]);
                --arrival;
            } else {
                way.meet(e, lambda, flow);
                own -= e.kind == OWN_RETURN;
                spike -= e.kind == SPIKE;
            }
            double added[STATES * STATES] = {};
            flow.integral(neurons.products(n(), e.held), e.h, lambda, e.x, added);
            for (int k = 0; k < STATES * STATES; ++k)
                by_flow[k] += e.held && k < STATES ? 0.0 : added[k];
        }
        for (int k = 0; k < STATES * STATES; ++k) way.flow_of(n())[k] += by_flow[k];
        found.grazes[pair] += grazes;
    }

    __device__ void finish() const {
        int grazes = 0;
        way(&grazes).begin(n(), lambda);
    }
};

extern "C" __global__ void linear_backward(
    const long long n_pairs, const __grid_constant__ Arrivals x, const __grid_constant__ Linear all,
    const __grid_constant__ LinearTape tape, const __grid_constant__ LinearLog log,
    const __grid_constant__ ArrivalsFound found) {
    const long long pair = GLOBAL_THREAD;
    if (pair >= n_pairs) return;
    const Neurons neurons(all.tables, all.jumps, all.wires);
    PairBack back = {neurons, x, all.wires, tape, log, found, pair};
    back.start();
    back.go(NoOther());
    back.finish();
}
