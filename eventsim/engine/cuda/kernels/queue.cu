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
// Twin            kernels/cpu/loop/queue.hpp, engine/reference/queue.py: the same order, the same bits
// Needs           walk.cuh; shared memory: QueueMemory
//
// Roofline        one event takes two or three barriers and one look at every neuron's next time (8
//                 bytes each): latency limits it. Samples fill the card, not neurons.

enum { QUEUE_DONE, QUEUE_FULL, QUEUE_RUNAWAY };

// Bundles from here on are self-connections that return later than their spike.
#define OWN (1LL << 62)

// Bundles that arrive, by sample, in order of (time, first synapse): Arriving of bundles.py.
struct Arriving {
    const long long* offsets;
    const double* time;      // ms
    const long long* first;  // synapses
    const long long* last;
    const long long* cause;  // on the way back: the loop's own spike, or -1
};

// How the neurons are joined: Loop of bundles.py.
struct Loop {
    const long long* start;   // of every neuron's bundles
    const long long* first;   // synapses of every bundle
    const long long* last;
    const double* delay;      // ms
    const int* target;        // of every synapse
    const REAL* weight;
    const REAL* own_weight;   // of self-connections that return later than their spike
    const double* own_delay;  // ms
};

// The heaps of arrivals [samples, capacity], each ordered by (time, first synapse).
struct Heap {
    double* time;
    long long* first;
    long long* last;
};

DEVICE Heap heap_at(const Heap& all, long long base) {
    return {all.time + base, all.first + base, all.last + base};
}

// Room for the spikes of samples: Round of queue.py.
struct Round {
    const long long* start;
    const int* limit;  // below zero: the sample has been run already
    double* time;      // ms
    int* neuron;
    REAL* current;
    REAL* restart;
    int* count;        // also past the limit; the neuron after a run-away
    int* status;
    double* reached;   // ms: time of a run-away
};

// What the threads of a block share.
struct QueueMemory {
    double times[32];      // of every warp's earliest neuron
    double now;            // ms; below zero where no arrival is met
    long long bundle[2];   // synapses that are met next
    int neurons[32];
    int verdict;
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

// What a spike of neuron n at t sends joins the heap. False where its capacity does not do.
DEVICE bool send(const Heap& h, int& waiting, int capacity, const Loop& loop, int n, double t,
                 double t_end) {
    const long long low = loop.start[n], high = loop.start[n + 1];
    if (waiting + (high - low) + 1 > capacity) return false;
    for (long long b = low; b < high; ++b)
        if (t + loop.delay[b] < t_end)
            push_entry(h, waiting++, t + loop.delay[b], loop.first[b], loop.last[b]);
    if (loop.own_delay[n] > 0.0 && t + loop.own_delay[n] < t_end)
        push_entry(h, waiting++, t + loop.own_delay[n], OWN + n, OWN + n + 1);
    return true;
}

// State of neurons [samples, neurons] since their last events: work space.
struct Cells {
    double* time;   // ms, of the last event
    double* until;  // ms, when V is let go
    double* due;    // ms
    double* since;  // ms, from when on `recent` spikes were counted
    REAL* v;
    REAL* j;
    REAL* rise;     // ms to the crossing that is predicted
    int* held;      // the spike that holds V, or -1
    int* mark;
    int* recent;
    double* a;      // where thresholds are adaptive: what Adapted says, where it is left
    double* last;
};

DEVICE Cells cells_at(const Cells& all, long long base) {
    return {all.time + base, all.until + base, all.due + base,  all.since + base,
            all.v + base,    all.j + base,     all.rise + base, all.held + base,
            all.mark + base, all.recent + base, nullptr,        nullptr};
}

// How the neurons of all samples stand between two pieces of a stream: engine/contract/loop_state.py.
struct Standings {
    double* times;      // ms, [samples, TIMES, neurons]
    REAL* state;        // [samples, 2, neurons]: v, j
    long long* recent;  // [samples, neurons]
    double* border;     // ms, [samples]
    long long* window;  // [samples, 2]: idle, halvings
};

// Those of one sample.
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

// Where the spikes of a sample go, and how many it has.
struct Spiking {
    const Round& out;
    const long long at;
    const int room;
    int n;
};

// Neuron n, which is held, is let go of.
DEVICE void free_neuron(const Cells& c, const Neuron& p, int n, const Spiking& spikes) {
    const double t = c.until[n];
    c.j[n] = flush(far_forward((REAL)(t - c.time[n]), p.rates).y * c.j[n]);
    c.v[n] = p.reset;
    c.time[n] = t;
    if (c.held[n] < spikes.room) spikes.out.restart[spikes.at + c.held[n]] = c.j[n];
    c.held[n] = -1;
}

// Neuron n crosses its threshold, after its rise. Returns when; false in `goes_on` where it runs away.
DEVICE double fire_neuron(const Cells& c, const Neuron& p, int n, Spiking& spikes, bool& goes_on) {
    const REAL j = flush(far_forward(c.rise[n], p.rates).y * c.j[n]);
    const double t = c.time[n] + (double)c.rise[n];
    if (spikes.n < spikes.room) {
        const long long place = spikes.at + spikes.n;
        spikes.out.time[place] = t;
        spikes.out.neuron[place] = n;
        spikes.out.current[place] = j;
        spikes.out.restart[place] = p.refractory > 0.0 ? not_a_number() : j;
    }
    if (p.refractory > 0.0) {
        c.held[n] = spikes.n;
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
    spikes.n += 1;
    if (t - c.since[n] > 1.0) {
        c.since[n] = t;
        c.recent[n] = 0;
    }
    c.recent[n] += 1;
    goes_on = (double)c.recent[n] <= RUNAWAY_PER_MS;
    return t;
}

// The next bundle that arrives at t, of the loop or of other stages, in order; -1 first if none does.
DEVICE void take_bundle(const Heap& heap, int& waiting, const Arriving& outside, long long& coming,
                        long long n_outside, double t, long long* bundle) {
    const bool inside = waiting > 0 && heap.time[0] == t;
    bundle[0] = -1;
    if (coming < n_outside && outside.time[coming] == t &&
        !(inside && heap.first[0] < outside.first[coming])) {
        bundle[0] = outside.first[coming];
        bundle[1] = outside.last[coming];
        ++coming;
    } else if (inside) {
        bundle[0] = heap.first[0];
        bundle[1] = heap.last[0];
        pop_entry(heap, waiting--);
    }
}

extern "C" __global__ void queue_forward(
    const int n_neurons, const int capacity,
    // arrivals of other stages, and how the neurons are joined
    const __grid_constant__ Arriving outside, const __grid_constant__ Loop loop,
    // parameters
    const double* __restrict__ duration, const REAL* __restrict__ par,
    const double* __restrict__ refractory,
    // how the neurons stand, before and after
    const __grid_constant__ Standings begins, const __grid_constant__ Standings stops,
    // work space, and results
    const __grid_constant__ Cells cells, const __grid_constant__ Heap heaps,
    const __grid_constant__ Round out) {
    SHARED_MEMORY(memory);
    QueueMemory& block = *(QueueMemory*)memory;

    const long long s = BLOCK;
    if (out.limit[s] < 0) return;
    const Heap heap = heap_at(heaps, s * capacity);
    const Standing begin = standing(begins, s, n_neurons), stop = standing(stops, s, n_neurons);
    Cells c = cells_at(cells, s * n_neurons);
    c.a = stop.a;
    c.last = stop.last;
    const double t_end = duration[s];
    for (int n = THREAD; n < n_neurons; n += blockDim.x) {
        take_up(begin, c, n);
        c.mark[n] = 0;
        c.due[n] = predict(c, neuron_at(par, refractory, n, n_neurons), n, t_end);
    }
    __syncthreads();
    // Of the first thread; the others follow what it writes to shared memory.
    long long coming = outside.offsets[s];
    const long long n_outside = outside.offsets[s + 1];
    int waiting = 0, epoch = 0;
    Spiking spikes = {out, out.start[s], out.limit[s], 0};
    for (;;) {
        double due;
        int n;
        earliest(c.due, n_neurons, block.times, block.neurons, due, n);
        if (THREAD == 0) {
            double t = coming < n_outside ? outside.time[coming] : t_end;
            if (waiting > 0 && heap.time[0] < t) t = heap.time[0];
            block.verdict = -1;
            if (due < t) {
                block.now = -1.0;
                const Neuron p = neuron_at(par, refractory, n, n_neurons);
                if (c.held[n] >= 0) {
                    free_neuron(c, p, n, spikes);
                } else {
                    bool goes_on;
                    t = fire_neuron(c, p, n, spikes, goes_on);
                    if (!goes_on) {
                        block.verdict = QUEUE_RUNAWAY;
                        spikes.n = n;
                        out.reached[s] = t;
                    } else if (!send(heap, waiting, capacity, loop, n, t, t_end)) {
                        block.verdict = QUEUE_FULL;
                    }
                }
                c.due[n] = predict(c, p, n, t_end);
            } else if (t < t_end) {
                block.now = t;
            } else {
                block.verdict = QUEUE_DONE;
            }
        }
        __syncthreads();
        if (block.verdict >= 0) break;
        const double t = block.now;
        if (t < 0.0) continue;
        ++epoch;
        for (;;) {
            if (THREAD == 0)
                take_bundle(heap, waiting, outside, coming, n_outside, t, block.bundle);
            __syncthreads();
            const long long low = block.bundle[0], high = block.bundle[1];
            if (low < 0) break;
            for (long long k = low + THREAD; k < high; k += blockDim.x) {
                const int m = low >= OWN ? (int)(low - OWN) : loop.target[k];
                if (c.mark[m] != epoch) {
                    c.mark[m] = epoch;
                    bring(c, neuron_at(par, refractory, m, n_neurons), m, t);
                }
                c.j[m] = c.j[m] + (low >= OWN ? loop.own_weight[m] : loop.weight[k]);
            }
            __syncthreads();
        }
        for (int m = THREAD; m < n_neurons; m += blockDim.x)
            if (c.mark[m] == epoch)
                c.due[m] = predict(c, neuron_at(par, refractory, m, n_neurons), m, t_end);
        __syncthreads();
    }
    for (int n = THREAD; n < n_neurons; n += blockDim.x)
        lay_down(stop, c, n);
    if (THREAD == 0) {
        *stop.border = t_end;
        *stop.idle = *stop.halvings = 0;
        out.count[s] = spikes.n;
        out.status[s] = block.verdict;
    }
}
