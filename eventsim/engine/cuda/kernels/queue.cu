// Neurons joined in loops, event by event.
//
// Parallel over   samples, as queue.cuh says, and what holds before and after.
// After           stop_ says how the neurons stand, as begin_ does before.
// Twin            kernels/cpu/loop/queue.hpp, engine/reference/queue.py: the same order, the same bits
// Needs           walk.cuh, queue.cuh

DEVICE Cells cells_at(const Cells all, long long base) {
    Cells c = {all.time + base, all.until + base,  all.due + base,  all.since + base,
               all.v + base,    all.j + base,      all.rise + base, all.held + base,
               all.mark + base, all.recent + base, nullptr,         nullptr};
#if ADAPTIVE
    c.a = all.a + base;
    c.last = all.last + base;
#endif
    return c;
}

// Neuron n, which is number `at` of all samples', as it stands between two pieces of a stream.
DEVICE void take_up(const LoopStop& from, long long at, const Cells& c, int n) {
    c.time[n] = from.time[at];
    c.v[n] = from.v[at];
    c.j[n] = from.j[at];
    c.until[n] = from.until[at];
    c.held[n] = c.until[n] > 0.0 ? EARLIER : -1;
    c.since[n] = from.since[at];
    c.recent[n] = (int)from.recent[at];
#if ADAPTIVE
    c.a[n] = from.a[at];
    c.last[n] = from.last[at];
#endif
}

DEVICE void lay_down(const LoopStop& to, long long at, const Cells& c, int n) {
    to.time[at] = c.time[n];
    to.v[at] = c.v[n];
    to.j[at] = c.j[n];
    to.until[at] = c.held[n] >= 0 ? c.until[n] : -1.0;
    to.since[at] = c.since[n];
    to.recent[at] = c.recent[n];
#if ADAPTIVE
    to.a[at] = c.a[n];
    to.last[at] = c.last[n];
#endif
}

// Time to the crossing of a neuron that is not held, within h ms over which `bound` is one of v; or -1.
// And a neuron's alert level up to a time before which it does not fire.
#if ADAPTIVE
DEVICE REAL rise_of(const Cells& c, const Neuron& p, int n, REAL h, REAL bound) {
    const OnWay<REAL> way = {c.v[n], c.j[n], h, bound, p.rates, p.level, p.alert};
    return crossing_within(p.threshold, {c.a[n], c.last[n]}, c.time[n], way);
}
DEVICE REAL alert_until(const Cells& c, const Neuron& p, int n, double t) {
    return lifted(p.threshold, {c.a[n], c.last[n]}, t, p.alert);
}
#else
DEVICE REAL rise_of(const Cells& c, const Neuron& p, int n, REAL h, REAL) {
    return crossing(c.v[n], c.j[n], h, p.rates, p.level, true);
}
DEVICE REAL alert_until(const Cells&, const Neuron& p, int, double) { return p.alert; }
#endif

DEVICE double predict(const Cells& c, const Neuron& p, int n, double t_end) {
    if (c.held[n] >= 0) return c.until[n] < t_end ? c.until[n] : NEVER;
    const REAL bound = peak_bound(c.v[n], c.j[n], p.peak);
    if (bound < p.alert) return NEVER;
    const REAL rise = rise_of(c, p, n, (REAL)(t_end - c.time[n]), bound);
    c.rise[n] = rise;
    const double t = c.time[n] + (double)rise;
    return rise < REAL_(0.0) || t >= t_end ? NEVER : t;
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
template <class Out> DEVICE void free_neuron(const Cells& c, const Neuron& p, int n, const Out& spikes) {
    const double t = c.until[n];
    c.j[n] = flush(far_forward((REAL)(t - c.time[n]), p.rates).y * c.j[n]);
    c.v[n] = p.reset;
    c.time[n] = t;
    spikes.let_go(c.held[n], c.j[n]);
    c.held[n] = -1;
}

// Whether a neuron that fires at t, after so many spikes of the ms from `since` on, runs away.
DEVICE bool runs_away(double t, double* since, int* recent) {
    if (t - *since > 1.0) {
        *since = t;
        *recent = 0;
    }
    *recent += 1;
    return (double)*recent > RUNAWAY_PER_MS;
}

// Neuron n crosses its threshold, after its rise. False where it runs away.
template <class Out>
DEVICE bool fire_neuron(const Cells& c, const Neuron& p, int n, REAL rise, Out& spikes) {
    const REAL j = flush(far_forward(rise, p.rates).y * c.j[n]);
    const double t = c.time[n] + (double)rise;
    const int place = spikes.add(n, t, j, p.refractory > 0.0);
    if (p.refractory > 0.0) {
        c.held[n] = place;
        c.until[n] = t + p.refractory;
    }
    c.j[n] = j + p.self;
    c.v[n] = p.reset;
    c.time[n] = t;
#if ADAPTIVE
    Adapted adapted = {c.a[n], c.last[n]};
    jump(p.threshold, adapted, t);
    c.a[n] = adapted.a;
    c.last[n] = adapted.last;
#endif
    return !runs_away(t, c.since + n, c.recent + n);
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
        else what = fire_neuron(c, p, n, c.rise[n], spikes) ? FIRED : AWAY;
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
    const __grid_constant__ LoopStop begin, const __grid_constant__ LoopStop stop,
    const __grid_constant__ Room room, const __grid_constant__ Round out) {
    SHARED_MEMORY(memory);
    QueueMemory& block = *(QueueMemory*)memory;

    const long long s = BLOCK;
    if (out.limit[s] < 0) return;
    const int n_neurons = members.n;
    const long long base = s * n_neurons;
    const Cells c = cells_at(room.cells, base);
    const double t_end = outside.duration[s];
    LifStage stage = {c, loop, members, t_end};
    for (int n = THREAD; n < n_neurons; n += blockDim.x) {
        take_up(begin, base + n, c, n);
        c.mark[n] = 0;
        stage.expect(n);
    }
    __syncthreads();
    run_queue(stage, s, n_neurons, outside, loop, room.heap, out, block);
    for (int n = THREAD; n < n_neurons; n += blockDim.x)
        lay_down(stop, base + n, c, n);
    if (THREAD == 0) {
        stop.border[s] = t_end;
        stop.idle[s] = stop.halvings[s] = 0;
    }
}
