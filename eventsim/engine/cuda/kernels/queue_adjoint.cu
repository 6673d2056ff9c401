// Neurons joined in loops, backward: all arrivals of a sample from the last to the first.
//
// Parallel over   chunks of samples: one block takes the samples of its chunk one after the other. A
//                 bundle's synapses, whose targets all differ, are shared out among the threads; a
//                 weight's gradient within a chunk is summed by one thread at a time, in the order of
//                 the arrivals: no atomics. blockDim.x is a power of two, at least 32.
// Before          arrivals by sample in order of (time, first synapse), own returns among them; the
//                 tape grouped by (sample, neuron); `cause` numbers spikes in that grouping, -1 for
//                 those of other stages; all sums zero.
// After           by_weight, by_delay per chunk; effects by arrival; sums and grazes per chunk.
// Twin            engine/cpu/queue_adjoint.py, engine/reference/queue.py
// Needs           walk.cuh, queue.cu (OWN); shared memory: 8 bytes a thread

// Sum over the block, by halves; the first thread has the result. `scratch` has one place a thread.
DEVICE double block_sum(double value, double* scratch) {
    scratch[THREAD] = value;
    __syncthreads();
    for (int half = blockDim.x / 2; half > 0; half /= 2) {
        if (THREAD < half) scratch[THREAD] += scratch[THREAD + half];
        __syncthreads();
    }
    const double total = scratch[0];
    __syncthreads();
    return total;
}

// The next larger number; for finite x >= 0.
DEVICE double just_after(double x) {
    return __longlong_as_double(__double_as_longlong(x) + 1);
}

// Where the neurons of one block are on their way back, and what they add to.
struct Places {
    REAL* adjoint;  // [5, neurons]
    double *reached, *sums;
    long long* next;
    unsigned char* released;
    int* grazes;
    AdaptedBack* adapted;
};

DEVICE void put_adjoint(const Places& at, int n, int n_neurons, const Adjoint<REAL>& adjoint) {
    REAL* const a = at.adjoint + n;
    a[0] = adjoint.alpha;
    a[n_neurons] = adjoint.beta;
    a[2 * n_neurons] = adjoint.alpha_mem;
    a[3 * n_neurons] = adjoint.beta_mem;
    a[4 * n_neurons] = adjoint.beta_syn;
}

// Neuron n, with its parameters, taken back to t_low over its own spikes.
DEVICE Adjoint<REAL> place_back(const Places& at, const Neuron& p, int n, int n_neurons, double t_low,
                          const Tape& tape, long long first) {
    REAL* const a = at.adjoint + n;
    Adjoint<REAL> adjoint = {a[0], a[n_neurons], a[2 * n_neurons], a[3 * n_neurons], a[4 * n_neurons]};
    Back back = {first, at.next[n], at.released[n] != 0,
#if ADAPTIVE
                 at.adapted[n],
#endif
    };
    Gradients<double> g;
    for (int i = 0; i < N_SUMS; ++i) g.sums[i] = 0.0;
    for (int i = 0; i < N_OWN; ++i) g.own[i] = 0.0;
    g.grazes = 0;
    walk_back(p, adjoint, at.reached[n], t_low, tape, back, g);
    at.reached[n] = t_low;
    at.next[n] = back.next;
    at.released[n] = back.released ? 1 : 0;
#if ADAPTIVE
    at.adapted[n] = back.adapted;
#endif
    put_adjoint(at, n, n_neurons, adjoint);
    for (int i = 0; i < N_SUMS; ++i) at.sums[i * n_neurons + n] += g.sums[i];
    for (int i = 0; i < N_OWN; ++i) at.sums[(N_SUMS + i) * n_neurons + n] += g.own[i];
    at.grazes[n] += g.grazes;
    return adjoint;
}

extern "C" __global__ void queue_backward(
    const int n_neurons, const long long n_synapses, const long long* __restrict__ bounds,
    // arrivals
    const long long* __restrict__ met_start, const double* __restrict__ met_time,
    const long long* __restrict__ met_first, const long long* __restrict__ met_last,
    const long long* __restrict__ met_cause,
    // synapses and parameters
    const int* __restrict__ target, const REAL* __restrict__ weight,
    const REAL* __restrict__ own_weight, const double* __restrict__ duration,
    const REAL* __restrict__ par, const double* __restrict__ refractory,
    // tape, grouped by (sample, neuron)
    const long long* __restrict__ spike_first, const double* __restrict__ spike_time,
    const int* __restrict__ spike_neuron, const REAL* __restrict__ spike_current,
    const REAL* __restrict__ spike_restart, const double* __restrict__ by_time,
    const REAL* __restrict__ by_voltage, double* through, double* before,
    // how far back
    const double* __restrict__ begin, REAL* carried, const int piece,
    const double* __restrict__ begin_a, const double* __restrict__ begin_last, double* behind,
    // work space: [chunks, 5, neurons], and [chunks, neurons]
    REAL* adjoint, double* reached, long long* next, unsigned char* released,
    // and [chunks, neurons, 3] where thresholds are adaptive
    double* adapted,
    // results: [chunks, synapses] twice, [arrivals], [chunks, N_SUMS + N_OWN, neurons],
    // [chunks, neurons]
    REAL* by_weight, double* by_delay, double* __restrict__ effects, double* sums, int* grazes) {
    SHARED_MEMORY(memory);
    const long long chunk = BLOCK, base = chunk * n_neurons;
    const Tape tape = {spike_time, by_time, spike_current, spike_restart,
                       by_voltage, through, before};
    const WayBack way = way_back(begin, carried, piece, begin_a, begin_last, behind);
    const Places at = {adjoint + 5 * base, reached + base, sums + (N_SUMS + N_OWN) * base,
                       next + base, released + base, grazes + base,
                       (AdaptedBack*)adapted + base};
    REAL* const weight_sum = by_weight + chunk * n_synapses;
    double* const delay_sum = by_delay + chunk * n_synapses;
    for (long long s = bounds[chunk]; s < bounds[chunk + 1]; ++s) {
        const long long* const first = spike_first + s * n_neurons;
        for (int n = THREAD; n < n_neurons; n += blockDim.x) {
            put_adjoint(at, n, n_neurons, carried_at(way, s, n, n_neurons));
            const Neuron p = neuron_at(par, refractory, n, n_neurons);
            const Back back = back_from(tape, first[n], first[n + 1], p, way, s, n, n_neurons);
            at.next[n] = back.next;
            at.released[n] = back.released ? 1 : 0;
#if ADAPTIVE
            at.adapted[n] = back.adapted;
#endif
            at.reached[n] = duration[s];
        }
        __syncthreads();
        for (long long e = met_start[s + 1] - 1; e >= met_start[s]; --e) {
            const long long low = met_first[e], cause = met_cause[e];
            double effect = 0.0;
            for (long long k = low + THREAD; k < met_last[e]; k += blockDim.x) {
                const bool own = low >= OWN;
                const int n = own ? (int)(low - OWN) : target[k];
                const Neuron p = neuron_at(par, refractory, n, n_neurons);
                double t = met_time[e];
                // Without a delay it came after a spike of n at the same time: stop short of that.
                if (cause >= 0 && spike_time[cause] == t && spike_neuron[cause] >= n)
                    t = just_after(t);
                const Adjoint<REAL> a = place_back(at, p, n, n_neurons, t, tape, first[n]);
                const REAL w = own ? own_weight[n] : weight[k];
                const REAL later = w * (p.rates.syn * a.beta - p.rates.mem * a.alpha);
                at.sums[BY_DRIVE * n_neurons + n] += (double)(w * a.beta);
                at.sums[BY_MEM * n_neurons + n] += (double)(w * a.beta_mem);
                at.sums[BY_SYN * n_neurons + n] += (double)(w * a.beta_syn);
                if (own) {
                    at.sums[(N_SUMS + BY_SELF) * n_neurons + n] += (double)a.beta;
                    at.sums[(N_SUMS + BY_SELF_DELAY) * n_neurons + n] += (double)later;
                } else {
                    weight_sum[k] += a.beta;
                    delay_sum[k] += (double)later;
                }
                effect += (double)later;
            }
            effect = block_sum(effect, (double*)memory);
            if (THREAD == 0) {
                effects[e] = effect;
                if (cause >= 0) through[cause] += effect;
            }
            __syncthreads();
        }
        for (int n = THREAD; n < n_neurons; n += blockDim.x) {
            const Neuron p = neuron_at(par, refractory, n, n_neurons);
            const Adjoint<REAL> a = place_back(at, p, n, n_neurons, begin_of(way, s), tape, first[n]);
            carry(way, s, n, n_neurons, a);
#if ADAPTIVE
            carry(way, s, n, n_neurons, at.adapted[n]);
#endif
            if (!way.starts || p.level > REAL_(0.0)) continue;
            at.sums[(N_SUMS + BY_RESET) * n_neurons + n] += (double)a.alpha;
            at.sums[BY_MEM * n_neurons + n] += (double)(p.reset * a.alpha_mem);
        }
        __syncthreads();
    }
}
