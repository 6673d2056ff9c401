// Loops of linear neurons of STATES states, event by event, forward and back.
//
// Parallel over   forward samples, as queue.cuh says; back a block for each sample, whose threads share out
//                 its neurons. blockDim.x is a power of two, at least 32.
// Before, after   forward as queue.cuh, `begins` NULL at time zero; `stops` says how the neurons stand. Back as
//                 linear_adjoint.cu.
// Twin            kernels/cpu/linear/forward.hpp, backward.hpp, engine/reference/linear.py
// Needs           queue.cuh, linear_adjoint.cu; shared memory: forward QueueMemory, back 8 bytes a thread

// Neurons of a sample, as run_queue asks for them.
struct LinearStage {
    const Neurons& neurons;
    const LinearWires& w;
    const LinearStanding& all;
    const LinearDues& dues;
    const long long base;  // of the sample
    const double t_end;

    __device__ const double* due() const { return dues.time + base; }
    __device__ int* mark() const { return dues.mark + base; }
    __device__ double time(int n) const { return all.time[base + n]; }

    __device__ Cell load(const LinearStanding& from, int n) const {
        Cell c;
        for (int i = 0; i < STATES; ++i) c.x[i] = from.x[(base + n) * STATES + i];
        c.time = from.time[base + n];
        c.until = from.until[base + n];
        c.since = from.since[base + n];
        c.recent = from.recent[base + n];
        c.spike = 0;
        return c;
    }
    __device__ void store(int n, const Cell& c) const {
        for (int i = 0; i < STATES; ++i) all.x[(base + n) * STATES + i] = c.x[i];
        all.time[base + n] = c.time;
        all.until[base + n] = c.until;
        all.since[base + n] = c.since;
        all.recent[base + n] = c.recent;
    }
    __device__ void put(int n, const LinearDue& due) const {
        dues.time[base + n] = due.time;
        dues.seen[base + n] = due.seen;
        dues.sure[base + n] = due.sure;
    }

    __device__ void begin(int n, const LinearStanding& from) const {
        Cell c;
        if (from.x) c = load(from, n);
        else neurons.begin(n, c);
        store(n, c);
        mark()[n] = 0;
        put(n, neurons.expect(n, c, t_end, NEVER));
    }
    __device__ int act(int n, Spiking& spikes) const {
        Cell c = load(all, n);
        if (!dues.sure[base + n]) {
            put(n, neurons.look(n, c, dues.seen[base + n], t_end, NEVER));
            return QUIET;
        }
        int what = QUIET;
        if (c.held()) neurons.let_go(n, c);
        else what = neurons.fire_at(n, c, dues.time[base + n], spikes) ? AWAY : FIRED;
        store(n, c);
        put(n, neurons.expect(n, c, t_end, NEVER));
        return what;
    }
    __device__ void expect(int n) const { put(n, neurons.expect(n, load(all, n), t_end, NEVER)); }
    __device__ void reach(int n, double t) const {
        Cell c = load(all, n);
        neurons.advance(n, c, t);
        store(n, c);
    }
    __device__ void raise(int n, long long k) const { all.x[(base + n) * STATES + w.state[k]] += w.weight[k]; }
    __device__ void returned(int n) const {
        all.x[(base + n) * STATES + w.own_state[n]] += w.own_weight[n];
    }
};

extern "C" __global__ void linear_queue(
    // arrivals of other stages, and how the neurons are joined
    const __grid_constant__ Arriving outside, const __grid_constant__ Loop loop,
    const __grid_constant__ Linear all,
    // how the neurons stand, before and after
    const __grid_constant__ LinearStanding begins, const __grid_constant__ LinearStanding stops,
    const __grid_constant__ LinearDues dues, const __grid_constant__ Bundles heaps,
    const __grid_constant__ Round out) {
    SHARED_MEMORY(memory);
    const long long s = BLOCK;
    const int n_neurons = all.tables.size;
    if (out.limit[s] < 0) return;
    const Neurons neurons(all.tables, all.jumps, all.wires);
    LinearStage stage = {neurons, all.wires, stops, dues, s * n_neurons, outside.duration[s]};
    for (int n = THREAD; n < n_neurons; n += blockDim.x) stage.begin(n, begins);
    __syncthreads();
    run_queue(stage, s, n_neurons, outside, loop, heaps, out, *(QueueMemory*)memory);
}

// Neurons of a loop wait for what their spikes cause. All have gone back to a spike each, the last of
// which, by time and then by neuron, is that of `last` at `top`: it need not wait any longer, nor those
// whose arrivals all come behind it.
struct OthersBack {
    const LinearSent& sent;
    const double top, last;

    __device__ bool waits(double t, long long n) const {
        return !(t + sent.least > top || (t == top && n == last));
    }
    __device__ double effect(long long spike, const ArrivalsFound& found) const {
        double total = 0.0;
        for (long long i = sent.first[spike]; i < sent.first[spike + 1]; ++i)
            for (long long k = sent.to[sent.spike[i]]; k < sent.to[sent.spike[i] + 1]; ++k)
                total += found.later[k];
        return total;
    }
};

extern "C" __global__ void linear_loop_backward(
    const __grid_constant__ Arrivals x, const __grid_constant__ Linear all,
    const __grid_constant__ LinearTape tape, const __grid_constant__ LinearLog log,
    const __grid_constant__ ArrivalsFound found, const __grid_constant__ LinearSent sent,
    const __grid_constant__ LinearMarks marks) {
    SHARED_MEMORY(memory);
    const long long n_neurons = all.tables.size, base = BLOCK * n_neurons;
    const Neurons neurons(all.tables, all.jumps, all.wires);
    double top = NEVER, last = -1.0;
    for (bool first = true; top >= 0.0; first = false) {
        double latest = -1.0, number = -1.0;  // ms, and of the neuron
        for (long long pair = base + THREAD; pair < base + n_neurons; pair += blockDim.x) {
            PairBack back = {neurons, x, all.wires, tape, log, found, pair};
            if (first) {
                back.start();
            } else {
                for (int k = 0; k < STATES; ++k) back.lambda[k] = marks.adjoint[pair * STATES + k];
                back.step = marks.step[pair];
                back.arrival = marks.arrival[pair];
                back.spike = marks.spike[pair];
                back.own = marks.own[pair];
            }
            const bool left = first || back.step > back.begin();
            back.go(OthersBack{sent, top, last});
            for (int k = 0; k < STATES; ++k) marks.adjoint[pair * STATES + k] = back.lambda[k];
            marks.step[pair] = back.step;
            marks.arrival[pair] = back.arrival;
            marks.spike[pair] = back.spike;
            marks.own[pair] = back.own;
            if (back.step > back.begin()) {
                const double waits = tape.time[back.spike];
                if (waits >= latest) {  // numbers of a thread ascend
                    latest = waits;
                    number = (double)back.n();
                }
            } else if (left) {
                back.finish();
            }
        }
        top = over_block<Larger>(latest, (double*)memory);
        last = over_block<Larger>(latest == top ? number : -1.0, (double*)memory);
    }
}
