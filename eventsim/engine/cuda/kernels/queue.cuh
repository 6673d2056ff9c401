// Event queue of a sample, by a block of threads: one order over its neurons' arrivals and crossings, for
// loops of all kinds of neurons.
//
// Parallel over   samples: one block each. The next neuron is found by the whole block, and a bundle
//                 of synapses, whose targets all differ, is shared out among its threads. The heap of
//                 arrivals is kept by the first thread. blockDim.x is a multiple of 32, at most 1024.
// Before          outside arrivals by sample in order of (time, first synapse); work space as large
//                 as queue.py says; limit < 0: the sample has been run already.
// After           counts[s] = spikes of the sample, also past its limit; the first `limit` of them at
//                 start[s] and on, in order of time. status[s] = QUEUE_DONE, QUEUE_FULL where the
//                 heap's capacity did not do, or QUEUE_RUNAWAY, with the neuron in counts and the
//                 time in reached.
// Twin            kernels/cpu/loop/heap.hpp
// Needs           shared memory: QueueMemory
//
// Roofline        one event takes two or three barriers and one look at every neuron's next time (8
//                 bytes each): latency limits it. Samples fill the card, not neurons.

enum { QUEUE_DONE, QUEUE_FULL, QUEUE_RUNAWAY };

// Bundles from here on are self-connections that return later than their spike.
#define OWN (1LL << 62)

// The bundles of sample s.
DEVICE Bundles bundles_at(const Bundles& all, long long s) {
    const long long base = s * all.capacity;
    return {all.time + base, all.first + base, all.last + base, all.capacity};
}

// Memory that the threads of a block share.
struct QueueMemory {
    double times[32];      // of every warp's earliest neuron
    double now;            // ms; below zero where no arrival is met
    long long bundle[2];   // synapses that are met next
    int neurons[32];
    int verdict;
};

DEVICE bool comes_before(const Bundles& h, int i, int j) {
    return h.time[i] < h.time[j] || (h.time[i] == h.time[j] && h.first[i] < h.first[j]);
}

DEVICE void swap_entries(const Bundles& h, int i, int j) {
    const double time = h.time[i];
    const long long first = h.first[i], last = h.last[i];
    h.time[i] = h.time[j];
    h.first[i] = h.first[j];
    h.last[i] = h.last[j];
    h.time[j] = time;
    h.first[j] = first;
    h.last[j] = last;
}

DEVICE void push_entry(const Bundles& h, int size, double time, long long first, long long last) {
    h.time[size] = time;
    h.first[size] = first;
    h.last[size] = last;
    for (int i = size; i > 0 && comes_before(h, i, (i - 1) / 2); i = (i - 1) / 2)
        swap_entries(h, i, (i - 1) / 2);
}

// Take the first of `size` entries out.
DEVICE void pop_entry(const Bundles& h, int size) {
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

// Push the bundles of a spike of neuron n at t. False where the heap's capacity does not suffice.
DEVICE bool send(const Bundles& h, int& waiting, const Loop& loop, int n, double t, double t_end) {
    const long long low = loop.start[n], high = loop.start[n + 1];
    if (waiting + (high - low) + 1 > h.capacity) return false;
    for (long long b = low; b < high; ++b)
        if (t + loop.delay[b] < t_end)
            push_entry(h, waiting++, t + loop.delay[b], loop.first[b], loop.last[b]);
    if (loop.own_delay[n] > 0.0 && t + loop.own_delay[n] < t_end)
        push_entry(h, waiting++, t + loop.own_delay[n], OWN + n, OWN + n + 1);
    return true;
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

// Room for the spikes of a sample, and their number.
struct Spiking {
    const Round& out;
    const long long at;
    const int room;
    int n;

    // Add a spike; its number. V restarts at once, or is held.
    __device__ int add(long long neuron, double t, REAL j, bool held) {
        if (n < room) {
            out.time[at + n] = t;
            out.neuron[at + n] = (int)neuron;
            out.current[at + n] = j;
            out.restart[at + n] = held ? not_a_number() : j;
        }
        return n++;
    }
    __device__ void add(long long neuron, double t) { add(neuron, t, not_a_number(), true); }
    __device__ void let_go(int spike, REAL j) const {
        if (spike < room) out.restart[at + spike] = j;
    }
};

// The next bundle that arrives at t, of the loop or of other stages, in order; -1 first if none does.
DEVICE void take_bundle(const Bundles& heap, int& waiting, const Arriving& outside, long long& coming,
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

// Outcomes for a neuron that is due.
enum { QUIET, FIRED, AWAY };

// The neurons of sample s from where they stand to its end, all of them expected. Of its neurons a Stage has
// when they are due, the epoch in which each was met last, the time of its last event, and what it does:
// act where it is due, reach a time, be raised by a synapse or its own spike, and be expected anew.
template <class Stage>
DEVICE void run_queue(Stage& stage, long long s, int n_neurons, const Arriving& outside, const Loop& loop,
                      const Bundles& heaps, const Round& out, QueueMemory& block) {
    const Bundles heap = bundles_at(heaps, s);
    const double t_end = outside.duration[s];
    // Of the first thread; the others follow what it writes to shared memory.
    long long coming = outside.offsets[s];
    const long long n_outside = outside.offsets[s + 1];
    int waiting = 0, epoch = 0;
    Spiking spikes = {out, out.start[s], out.limit[s], 0};
    for (;;) {
        double due;
        int n;
        earliest(stage.due(), n_neurons, block.times, block.neurons, due, n);
        if (THREAD == 0) {
            double t = coming < n_outside ? outside.time[coming] : t_end;
            if (waiting > 0 && heap.time[0] < t) t = heap.time[0];
            block.verdict = -1;
            if (due < t) {
                block.now = -1.0;
                const int what = stage.act(n, spikes);
                if (what == AWAY) {
                    block.verdict = QUEUE_RUNAWAY;
                    spikes.n = n;
                    out.reached[s] = stage.time(n);
                } else if (what == FIRED && !send(heap, waiting, loop, n, stage.time(n), t_end)) {
                    block.verdict = QUEUE_FULL;
                }
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
                if (stage.mark()[m] != epoch) {
                    stage.mark()[m] = epoch;
                    stage.reach(m, t);
                }
                if (low >= OWN) stage.returned(m);
                else stage.raise(m, k);
            }
            __syncthreads();
        }
        for (int m = THREAD; m < n_neurons; m += blockDim.x)
            if (stage.mark()[m] == epoch) stage.expect(m);
        __syncthreads();
    }
    if (THREAD == 0) {
        out.counts[s] = spikes.n;
        out.status[s] = block.verdict;
    }
}
