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
// Twin            kernels/cpu/loop/queue_back.hpp, engine/reference/queue.py
// Needs           walk.cuh, queue.cu (OWN); shared memory: 8 bytes a thread

// The next larger number; for finite x >= 0.
DEVICE double just_after(double x) {
    return __longlong_as_double(__double_as_longlong(x) + 1);
}

// The places of a chunk, and its sums and grazes.
struct ChunkPlaces {
    REAL* adjoint;
    double* reached;
    long long* next;
    unsigned char* released;
    double *adapted, *sums;
    int* grazes;
};

DEVICE ChunkPlaces places_at(const Places& all, const LoopFound& found, long long base) {
    return {all.adjoint + 5 * base, all.reached + base,
            all.next + base,        all.released + base,
            all.adapted + 3 * base, found.sums + (N_SUMS + N_OWN) * base,
            found.grazes + base};
}

DEVICE void put_adjoint(const ChunkPlaces& at, int n, int n_neurons, const Adjoint<REAL>& adjoint) {
    REAL* const a = at.adjoint + n;
    a[0] = adjoint.alpha;
    a[n_neurons] = adjoint.beta;
    a[2 * n_neurons] = adjoint.alpha_mem;
    a[3 * n_neurons] = adjoint.beta_mem;
    a[4 * n_neurons] = adjoint.beta_syn;
}

// Neuron n, with its parameters, taken back to t_low over its own spikes.
DEVICE Adjoint<REAL> place_back(const ChunkPlaces& at, const Neuron& p, int n, int n_neurons, double t_low,
                          const Tape& tape, long long first) {
    REAL* const a = at.adjoint + n;
    Adjoint<REAL> adjoint = {a[0], a[n_neurons], a[2 * n_neurons], a[3 * n_neurons], a[4 * n_neurons]};
    Back back = {first, at.next[n], at.released[n] != 0,
#if ADAPTIVE
                 ((AdaptedBack*)at.adapted)[n],
#endif
    };
    Gradients<double> g;
    walk_back(p, adjoint, at.reached[n], t_low, tape, back, g);
    at.reached[n] = t_low;
    at.next[n] = back.next;
    at.released[n] = back.released ? 1 : 0;
#if ADAPTIVE
    ((AdaptedBack*)at.adapted)[n] = back.adapted;
#endif
    put_adjoint(at, n, n_neurons, adjoint);
    for (int i = 0; i < N_SUMS; ++i) at.sums[i * n_neurons + n] += g.sums[i];
    for (int i = 0; i < N_OWN; ++i) at.sums[(N_SUMS + i) * n_neurons + n] += g.own[i];
    at.grazes[n] += g.grazes;
    return adjoint;
}

extern "C" __global__ void queue_backward(
    const long long* __restrict__ bounds,
    // arrivals, own ones among them, and how the neurons are joined
    const __grid_constant__ Arriving met, const __grid_constant__ Loop loop,
    const __grid_constant__ Members members, const __grid_constant__ Tape tape,
    const __grid_constant__ WayBack way, const __grid_constant__ Places places,
    const __grid_constant__ LoopFound found) {
    SHARED_MEMORY(memory);
    const int n_neurons = members.n;
    const long long chunk = BLOCK;
    const ChunkPlaces at = places_at(places, found, chunk * n_neurons);
    REAL* const weight_sum = found.by_weight + chunk * found.n_synapses;
    double* const delay_sum = found.by_delay + chunk * found.n_synapses;
    for (long long s = bounds[chunk]; s < bounds[chunk + 1]; ++s) {
        const Given<long long> first = tape.first + s * n_neurons;
        for (int n = THREAD; n < n_neurons; n += blockDim.x) {
            put_adjoint(at, n, n_neurons, carried_at(way, s, n, n_neurons));
            const Neuron p = neuron_at(members, n);
            const Back back = back_from(tape, first[n], first[n + 1], p, way, s, n, n_neurons);
            at.next[n] = back.next;
            at.released[n] = back.released ? 1 : 0;
#if ADAPTIVE
            ((AdaptedBack*)at.adapted)[n] = back.adapted;
#endif
            at.reached[n] = met.duration[s];
        }
        __syncthreads();
        for (long long e = met.offsets[s + 1] - 1; e >= met.offsets[s]; --e) {
            const long long low = met.first[e], cause = met.cause[e];
            double effect = 0.0;
            for (long long k = low + THREAD; k < met.last[e]; k += blockDim.x) {
                const bool own = low >= OWN;
                const int n = own ? (int)(low - OWN) : loop.target[k];
                const Neuron p = neuron_at(members, n);
                double t = met.time[e];
                // Without a delay it came after a spike of n at the same time: stop short of that.
                if (cause >= 0 && tape.time[cause] == t && tape.neuron[cause] >= n)
                    t = just_after(t);
                const Adjoint<REAL> a = place_back(at, p, n, n_neurons, t, tape, first[n]);
                const REAL w = own ? loop.own_weight[n] : loop.weight[k];
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
            effect = over_block<Plus>(effect, (double*)memory);
            if (THREAD == 0) {
                found.effects[e] = effect;
                if (cause >= 0) tape.through[cause] += effect;
            }
            __syncthreads();
        }
        for (int n = THREAD; n < n_neurons; n += blockDim.x) {
            const Neuron p = neuron_at(members, n);
            const Adjoint<REAL> a = place_back(at, p, n, n_neurons, begin_of(way, s), tape, first[n]);
            carry(way, s, n, n_neurons, a);
#if ADAPTIVE
            carry(way, s, n, n_neurons, ((AdaptedBack*)at.adapted)[n]);
#endif
            if (!way.starts || p.level > REAL_(0.0)) continue;
            at.sums[(N_SUMS + BY_RESET) * n_neurons + n] += (double)a.alpha;
            at.sums[BY_MEM * n_neurons + n] += (double)(p.reset * a.alpha_mem);
        }
        __syncthreads();
    }
}
