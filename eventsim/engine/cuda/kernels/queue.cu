// Neurons joined in loops: per sample one order of events over arrivals and crossings.
//
// Parallel over   samples: one block each. The next neuron is found by the whole block, and a bundle
//                 of synapses, whose targets all differ, is shared out among its threads. The heap of
//                 arrivals is kept by the first thread. blockDim.x is a multiple of 32, at most 1024.
// Before          outside arrivals by sample in order of (time, first synapse); work space as large
//                 as queue.py says; limit < 0: the sample has been run already.
// After           count[s] = spikes of the sample, also past its limit; the first `limit` of them at
//                 start[s] and on, in order of time. status[s] = QUEUE_DONE, QUEUE_FULL where the
//                 heap's capacity did not do, or QUEUE_RUNAWAY, with the neuron in count and the
//                 time in reached. stop_ says how the neurons stand, as begin_ does before.
// Twin            engine/cpu/queue.py, engine/reference/queue.py: the same order, the same bits
// Needs           walk.cuh; shared memory: 2 * 32 * (8 + 4) bytes
//
// Roofline        one event takes two or three barriers and one look at every neuron's next time (8
//                 bytes each): latency limits it. Samples fill the card, not neurons.

enum { QUEUE_DONE, QUEUE_FULL, QUEUE_RUNAWAY };

// Bundles from here on are self-connections that return later than their spike.
#define OWN (1LL << 62)

// The heap of arrivals of one sample, ordered by (time, first synapse).
struct Heap {
    double* time;
    long long *first, *last;
};

DEVICE bool comes_before(const Heap& h, int i, int j) {
    return h.time[i] < h.time[j] || (h.time[i] == h.time[j] && h.first[i] < h.first[j]);
}

DEVICE void swap_entries(const Heap& h, int i, int j) {
    const double time = h.time[i];
    const long long first = h.first[i], last = h.last[i];
    h.time[i] = h.time[j];
    h.first[i] = h.first[j];
    h.last[i] = h.last[j];
    h.time[j] = time;
    h.first[j] = first;
    h.last[j] = last;
}

DEVICE void push_entry(const Heap& h, int size, double time, long long first, long long last) {
    h.time[size] = time;
    h.first[size] = first;
    h.last[size] = last;
    for (int i = size; i > 0 && comes_before(h, i, (i - 1) / 2); i = (i - 1) / 2)
        swap_entries(h, i, (i - 1) / 2);
}

// Take the first of `size` entries out.
DEVICE void pop_entry(const Heap& h, int size) {
    size -= 1;
    swap_entries(h, 0, size);
    for (int i = 0;;) {
        int down = 2 * i + 1;
        if (down >= size) return;
        if (down + 1 < size && comes_before(h, down + 1, down)) ++down;
        if (!comes_before(h, down, i)) return;
        swap_entries(h, i, down);
        i = down;
    }
}

// Bundles by source neuron, and when the neurons' self-connections return.
struct Bundles {
    const long long *start, *first, *last;
    const double *delay, *own_delay;
};

// What a spike of neuron n at t sends joins the heap. False where its capacity does not do.
DEVICE bool send(const Heap& h, int& waiting, int capacity, const Bundles& sent, int n, double t,
                 double t_end) {
    const long long low = sent.start[n], high = sent.start[n + 1];
    if (waiting + (high - low) + 1 > capacity) return false;
    for (long long b = low; b < high; ++b)
        if (t + sent.delay[b] < t_end)
            push_entry(h, waiting++, t + sent.delay[b], sent.first[b], sent.last[b]);
    if (sent.own_delay[n] > 0.0 && t + sent.own_delay[n] < t_end)
        push_entry(h, waiting++, t + sent.own_delay[n], OWN + n, OWN + n + 1);
    return true;
}

// State of a sample's neurons since their last events: when that was, the rise to the crossing that
// is predicted, when V is let go, the spike that holds V or -1, and when the neuron is due.
struct Cells {
    double *time, *until, *due;
    REAL *v, *j, *rise;
    int *held, *mark;
#if ADAPTIVE
    double *a, *last;
#endif
};

// How the neurons of one sample stand between two pieces of a stream: engine/loop_state.py.
struct Standing {
    double *time, *until, *since;
    REAL *v, *j;
    long long* recent;
    double* border;
    long long *idle, *halvings;
#if ADAPTIVE
    double *a, *last;
#endif
};

#if ADAPTIVE
#define TIMES 5
#else
#define TIMES 3
#endif

// Of sample s in arrays [samples, TIMES, neurons], [samples, 2, neurons], [samples, neurons],
// [samples] and [samples, 2].
DEVICE Standing standing(double* times, REAL* state, long long* recent, double* border,
                         long long* window, long long s, int n_neurons) {
    double* const time = times + TIMES * s * n_neurons;
    REAL* const v = state + 2 * s * n_neurons;
    return {time, time + n_neurons, time + 2 * n_neurons, v, v + n_neurons,
            recent + s * n_neurons, border + s, window + 2 * s, window + 2 * s + 1,
#if ADAPTIVE
            time + 3 * n_neurons, time + 4 * n_neurons,
#endif
    };
}

DEVICE void take_up(const Standing& from, const Cells& c, int n, double* since, int* recent) {
    c.time[n] = from.time[n];
    c.v[n] = from.v[n];
    c.j[n] = from.j[n];
    c.until[n] = from.until[n];
    c.held[n] = c.until[n] > 0.0 ? EARLIER : -1;
    since[n] = from.since[n];
    recent[n] = (int)from.recent[n];
#if ADAPTIVE
    c.a[n] = from.a[n];
    c.last[n] = from.last[n];
#endif
}

DEVICE void lay_down(const Standing& to, const Cells& c, int n, const double* since,
                     const int* recent) {
    to.time[n] = c.time[n];
    to.v[n] = c.v[n];
    to.j[n] = c.j[n];
    to.until[n] = c.held[n] >= 0 ? c.until[n] : -1.0;
    to.since[n] = since[n];
    to.recent[n] = recent[n];
}

#define NEVER 1e300

DEVICE double predict(const Cells& c, const Neuron& p, int n, double t_end) {
    if (c.held[n] >= 0) return c.until[n] < t_end ? c.until[n] : NEVER;
    const REAL zero = REAL_(0.0), v = c.v[n], j = c.j[n];
    const REAL bound = peak_bound(v, j, p.peak);
    if (bound < p.alert) return NEVER;
    const REAL h = (REAL)(t_end - c.time[n]);
#if ADAPTIVE
    const REAL rise = crossing_within(p.threshold, {c.a[n], c.last[n]}, v, j, c.time[n], h, bound,
                                      p.rates, p.level, p.alert);
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

// The earliest (due, neuron) of the block's neurons, for all threads. `scratch` has 32 places.
DEVICE void earliest(const double* due, int n_neurons, double* times, int* neurons, double& time,
                     int& neuron) {
    double t = NEVER;
    int n = n_neurons;
    for (int k = THREAD; k < n_neurons; k += blockDim.x)
        if (due[k] < t) {
            t = due[k];
            n = k;
        }
    for (int k = 16; k > 0; k >>= 1) {
        const double other = __shfl_xor_sync(0xffffffffu, t, k);
        const int from = __shfl_xor_sync(0xffffffffu, n, k);
        if (other < t || (other == t && from < n)) {
            t = other;
            n = from;
        }
    }
    if ((THREAD & 31) == 0) {
        times[THREAD >> 5] = t;
        neurons[THREAD >> 5] = n;
    }
    __syncthreads();
    time = NEVER;
    neuron = n_neurons;
    for (int k = 0; k < (int)(blockDim.x >> 5); ++k)
        if (times[k] < time || (times[k] == time && neurons[k] < neuron)) {
            time = times[k];
            neuron = neurons[k];
        }
    __syncthreads();
}

extern "C" __global__ void queue_forward(
    const int n_neurons, const int capacity,
    // arrivals of other stages
    const long long* __restrict__ outside_start, const double* __restrict__ outside_time,
    const long long* __restrict__ outside_first, const long long* __restrict__ outside_last,
    // bundles by source neuron; synapses
    const long long* __restrict__ bundle_start, const long long* __restrict__ bundle_first,
    const long long* __restrict__ bundle_last, const double* __restrict__ bundle_delay,
    const int* __restrict__ target, const REAL* __restrict__ weight,
    const REAL* __restrict__ own_weight, const double* __restrict__ own_delay,
    // parameters
    const double* __restrict__ duration, const REAL* __restrict__ par,
    const double* __restrict__ refractory,
    // how the neurons stand, before and after
    double* begin_times, REAL* begin_state, long long* begin_recent, double* begin_border,
    long long* begin_window, double* stop_times, REAL* stop_state, long long* stop_recent,
    double* stop_border, long long* stop_window,
    // work space: [samples, neurons], and [samples, capacity]
    double* cell_time, double* cell_until, double* cell_due, double* cell_since, REAL* cell_v,
    REAL* cell_j, REAL* cell_rise, int* cell_held, int* cell_mark, int* cell_recent,
    double* heap_time, long long* heap_first, long long* heap_last,
    // where spikes go, per sample
    const long long* __restrict__ start, const int* __restrict__ limit, double* __restrict__ time,
    int* __restrict__ neuron, REAL* __restrict__ current, REAL* __restrict__ restart,
    // results per sample
    int* __restrict__ count, int* __restrict__ status, double* __restrict__ reached) {
    SHARED_MEMORY(memory);
    double* const times = (double*)memory;                // [32]
    double* const now = times + 32;                       // [1]
    long long* const bundle = (long long*)(now + 1);      // [2]
    int* const neurons = (int*)(bundle + 2);              // [32]
    int* const verdict = neurons + 32;                    // [1]

    const long long s = BLOCK, base = s * n_neurons;
    if (limit[s] < 0) return;
    const Heap heap = {heap_time + s * capacity, heap_first + s * capacity,
                       heap_last + s * capacity};
    const Bundles sent = {bundle_start, bundle_first, bundle_last, bundle_delay, own_delay};
    const Standing begin = standing(begin_times, begin_state, begin_recent, begin_border,
                                    begin_window, s, n_neurons);
    const Standing stop = standing(stop_times, stop_state, stop_recent, stop_border, stop_window,
                                   s, n_neurons);
    const Cells c = {cell_time + base, cell_until + base, cell_due + base, cell_v + base,
                     cell_j + base, cell_rise + base, cell_held + base, cell_mark + base,
#if ADAPTIVE
                     stop.a, stop.last,  // where they are left
#endif
    };
    double* const since = cell_since + base;
    int* const recent = cell_recent + base;
    const double t_end = duration[s];
    for (int n = THREAD; n < n_neurons; n += blockDim.x) {
        take_up(begin, c, n, since, recent);
        c.mark[n] = 0;
        c.due[n] = predict(c, neuron_at(par, refractory, n, n_neurons), n, t_end);
    }
    __syncthreads();
    // Of the first thread; the others follow what it writes to shared memory.
    long long outside = outside_start[s];
    const long long n_outside = outside_start[s + 1], at = start[s];
    int waiting = 0, n_spikes = 0, epoch = 0;
    const int room = limit[s];
    for (;;) {
        double due;
        int n;
        earliest(c.due, n_neurons, times, neurons, due, n);
        if (THREAD == 0) {
            double t = outside < n_outside ? outside_time[outside] : t_end;
            if (waiting > 0 && heap.time[0] < t) t = heap.time[0];
            *verdict = -1;
            if (due < t) {
                *now = -1.0;
                const Neuron p = neuron_at(par, refractory, n, n_neurons);
                if (c.held[n] >= 0) {
                    t = c.until[n];
                    c.j[n] = flush(far_forward((REAL)(t - c.time[n]), p.rates).y * c.j[n]);
                    c.v[n] = p.reset;
                    c.time[n] = t;
                    if (c.held[n] < room) restart[at + c.held[n]] = c.j[n];
                    c.held[n] = -1;
                } else {
                    const REAL j = flush(far_forward(c.rise[n], p.rates).y * c.j[n]);
                    t = c.time[n] + (double)c.rise[n];
                    if (n_spikes < room) {
                        time[at + n_spikes] = t;
                        neuron[at + n_spikes] = n;
                        current[at + n_spikes] = j;
                        restart[at + n_spikes] = p.refractory > 0.0 ? not_a_number() : j;
                    }
                    if (p.refractory > 0.0) {
                        c.held[n] = n_spikes;
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
                    n_spikes += 1;
                    if (t - since[n] > 1.0) {
                        since[n] = t;
                        recent[n] = 0;
                    }
                    recent[n] += 1;
                    if ((double)recent[n] > RUNAWAY_PER_MS) {
                        *verdict = QUEUE_RUNAWAY;
                        n_spikes = n;
                        reached[s] = t;
                    }
                    if (*verdict < 0 && !send(heap, waiting, capacity, sent, n, t, t_end))
                        *verdict = QUEUE_FULL;
                }
                c.due[n] = predict(c, p, n, t_end);
            } else if (t < t_end) {
                *now = t;
            } else {
                *verdict = QUEUE_DONE;
            }
        }
        __syncthreads();
        if (*verdict >= 0) break;
        const double t = *now;
        if (t < 0.0) continue;
        ++epoch;
        for (;;) {
            if (THREAD == 0) {
                const bool inside = waiting > 0 && heap.time[0] == t;
                bundle[0] = -1;
                if (outside < n_outside && outside_time[outside] == t &&
                    !(inside && heap.first[0] < outside_first[outside])) {
                    bundle[0] = outside_first[outside];
                    bundle[1] = outside_last[outside];
                    ++outside;
                } else if (inside) {
                    bundle[0] = heap.first[0];
                    bundle[1] = heap.last[0];
                    pop_entry(heap, waiting--);
                }
            }
            __syncthreads();
            const long long low = bundle[0], high = bundle[1];
            if (low < 0) break;
            for (long long k = low + THREAD; k < high; k += blockDim.x) {
                const int m = low >= OWN ? (int)(low - OWN) : target[k];
                if (c.mark[m] != epoch) {
                    c.mark[m] = epoch;
                    bring(c, neuron_at(par, refractory, m, n_neurons), m, t);
                }
                c.j[m] = c.j[m] + (low >= OWN ? own_weight[m] : weight[k]);
            }
            __syncthreads();
        }
        for (int m = THREAD; m < n_neurons; m += blockDim.x)
            if (c.mark[m] == epoch)
                c.due[m] = predict(c, neuron_at(par, refractory, m, n_neurons), m, t_end);
        __syncthreads();
    }
    for (int n = THREAD; n < n_neurons; n += blockDim.x)
        lay_down(stop, c, n, since, recent);
    if (THREAD == 0) {
        *stop.border = t_end;
        *stop.idle = *stop.halvings = 0;
        count[s] = n_spikes;
        status[s] = *verdict;
    }
}
