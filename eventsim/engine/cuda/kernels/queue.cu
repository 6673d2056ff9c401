// Neurons joined in loops, event by event.
//
// Parallel over   samples, as queue.cuh says, and what holds before and after.
// After           stop_ says how the neurons stand, as begin_ does before.
// Twin            kernels/cpu/loop/queue.hpp, engine/reference/queue.py: the same order, the same bits
// Needs           walk.cuh, queue.cuh

DEVICE Cells cells_at(const Cells all, long long base) {
    return {all.time + base, all.until + base, all.due + base,  all.since + base,
            all.v + base,    all.j + base,     all.rise + base, all.held + base,
            all.mark + base, all.recent + base, nullptr,        nullptr};
}

// How the neurons of one sample stand between two pieces of a stream.
struct Standing {
    double *time, *until, *since;
    REAL *v, *j;
    long long* recent;
    double* border;
    long long *idle, *halvings;
    double *a, *last;
};

#if ADAPTIVE
#define TIMES 5
#else
#define TIMES 3
#endif

DEVICE Standing standing(const Standings& all, long long s, int n_neurons) {
    double* const time = all.times + TIMES * s * n_neurons;
    REAL* const v = all.state + 2 * s * n_neurons;
    const bool adapts = TIMES > 3;
    return {time,
            time + n_neurons,
            time + 2 * n_neurons,
            v,
            v + n_neurons,
            all.recent + s * n_neurons,
            all.border + s,
            all.window + 2 * s,
            all.window + 2 * s + 1,
            adapts ? time + 3 * n_neurons : nullptr,
            adapts ? time + 4 * n_neurons : nullptr};
}

DEVICE void take_up(const Standing& from, const Cells& c, int n) {
    c.time[n] = from.time[n];
    c.v[n] = from.v[n];
    c.j[n] = from.j[n];
    c.until[n] = from.until[n];
    c.held[n] = c.until[n] > 0.0 ? EARLIER : -1;
    c.since[n] = from.since[n];
    c.recent[n] = (int)from.recent[n];
#if ADAPTIVE
    c.a[n] = from.a[n];
    c.last[n] = from.last[n];
#endif
}

DEVICE void lay_down(const Standing& to, const Cells& c, int n) {
    to.time[n] = c.time[n];
    to.v[n] = c.v[n];
    to.j[n] = c.j[n];
    to.until[n] = c.held[n] >= 0 ? c.until[n] : -1.0;
    to.since[n] = c.since[n];
    to.recent[n] = c.recent[n];
}


DEVICE double predict(const Cells& c, const Neuron& p, int n, double t_end) {
    if (c.held[n] >= 0) return c.until[n] < t_end ? c.until[n] : NEVER;
    const REAL zero = REAL_(0.0), v = c.v[n], j = c.j[n];
    const REAL bound = peak_bound(v, j, p.peak);
    if (bound < p.alert) return NEVER;
    const REAL h = (REAL)(t_end - c.time[n]);
#if ADAPTIVE
    const OnWay<REAL> way = {v, j, h, bound, p.rates, p.level, p.alert};
    const REAL rise = crossing_within(p.threshold, {c.a[n], c.last[n]}, c.time[n], way);
#else
    const REAL rise = crossing(v, j, h, p.rates, p.level, true);
#endif
    c.rise[n] = rise;
    const double t = c.time[n] + (double)rise;
    return rise < zero || t >= t_end ? NEVER : t;
}

// Bring the neuron to an arrival at t.
DEVICE void bring(const Cells& c, const Neuron& p, int n, double t) {
    const Map<REAL> m = far_forward((REAL)(t - c.time[n]), p.rates);
    const REAL v = c.v[n], j = c.j[n];
    c.v[n] = c.held[n] >= 0 ? p.reset : flush(fused(m.gain, j, m.x * v));
    c.j[n] = flush(m.y * j);
    c.time[n] = t;
}

// Neuron n, which is held, is let go of.
DEVICE void free_neuron(const Cells& c, const Neuron& p, int n, const Spiking& spikes) {
    const double t = c.until[n];
    c.j[n] = flush(far_forward((REAL)(t - c.time[n]), p.rates).y * c.j[n]);
    c.v[n] = p.reset;
    c.time[n] = t;
    if (c.held[n] < spikes.room) spikes.out.restart[spikes.at + c.held[n]] = c.j[n];
    c.held[n] = -1;
}

// Neuron n crosses its threshold, after its rise. False where it runs away.
DEVICE bool fire_neuron(const Cells& c, const Neuron& p, int n, Spiking& spikes) {
    const REAL j = flush(far_forward(c.rise[n], p.rates).y * c.j[n]);
    const double t = c.time[n] + (double)c.rise[n];
    if (p.refractory > 0.0) {
        c.held[n] = spikes.n;
        c.until[n] = t + p.refractory;
    }
    spikes.add(n, t, j, p.refractory > 0.0 ? not_a_number() : j);
    c.j[n] = j + p.self;
    c.v[n] = p.reset;
    c.time[n] = t;
#if ADAPTIVE
    Adapted adapted = {c.a[n], c.last[n]};
    jump(p.threshold, adapted, t);
    c.a[n] = adapted.a;
    c.last[n] = adapted.last;
#endif
    if (t - c.since[n] > 1.0) {
        c.since[n] = t;
        c.recent[n] = 0;
    }
    c.recent[n] += 1;
    return (double)c.recent[n] <= RUNAWAY_PER_MS;
}

// Neurons of a sample, as run_queue asks for them.
struct LifStage {
    const Cells& c;
    const Loop& loop;
    const Members& members;
    const double t_end;

    __device__ const double* due() const { return c.due; }
    __device__ int* mark() const { return c.mark; }
    __device__ double time(int n) const { return c.time[n]; }
    __device__ Neuron neuron(int n) const { return neuron_at(members, n); }

    __device__ int act(int n, Spiking& spikes) const {
        const Neuron p = neuron(n);
        int what = QUIET;
        if (c.held[n] >= 0) free_neuron(c, p, n, spikes);
        else what = fire_neuron(c, p, n, spikes) ? FIRED : AWAY;
        c.due[n] = predict(c, p, n, t_end);
        return what;
    }
    __device__ void expect(int n) const { c.due[n] = predict(c, neuron(n), n, t_end); }
    __device__ void reach(int n, double t) const { bring(c, neuron(n), n, t); }
    __device__ void raise(int n, long long k) const { c.j[n] = c.j[n] + loop.weight[k]; }
    __device__ void returned(int n) const { c.j[n] = c.j[n] + loop.own_weight[n]; }
};

extern "C" __global__ void queue_forward(
    // arrivals of other stages, and how the neurons are joined
    const __grid_constant__ Arriving outside, const __grid_constant__ Loop loop,
    const __grid_constant__ Members members,
    // how the neurons stand, before and after
    const __grid_constant__ Standings begins, const __grid_constant__ Standings stops,
    const __grid_constant__ Room room, const __grid_constant__ Round out) {
    SHARED_MEMORY(memory);
    QueueMemory& block = *(QueueMemory*)memory;

    const long long s = BLOCK;
    if (out.limit[s] < 0) return;
    const int n_neurons = members.n;
    const Standing begin = standing(begins, s, n_neurons), stop = standing(stops, s, n_neurons);
    Cells c = cells_at(room.cells, s * n_neurons);
    c.a = stop.a;
    c.last = stop.last;
    const double t_end = outside.duration[s];
    LifStage stage = {c, loop, members, t_end};
    for (int n = THREAD; n < n_neurons; n += blockDim.x) {
        take_up(begin, c, n);
        c.mark[n] = 0;
        stage.expect(n);
    }
    __syncthreads();
    run_queue(stage, s, n_neurons, outside, loop, room.heap, out, block);
    for (int n = THREAD; n < n_neurons; n += blockDim.x)
        lay_down(stop, c, n);
    if (THREAD == 0) {
        *stop.border = t_end;
        *stop.idle = *stop.halvings = 0;
    }
}
