// Readout integral and its gradients.
//
// Parallel over   the table: (window, output), one thread. Spikes of a source: LANES threads share
//                 one, which take its synapses in turn. Forward, a block takes a part of one
//                 sample's spikes; backward, those of a class of source rows in a part of the
//                 samples, so that each synapse belongs to one thread.
// Before          spikes of each sample at its offset, in any order; synapses by source (CSR), no
//                 target twice in a row.
// After           integral, sums: one row per block, without the resistance. effects: dL/dt.
// Twin            kernels/cpu/readout/{gains,shared,apart}.hpp, engine/reference/readout.py.
//                 The table has the same bits; sums over spikes are taken in another order, fixed
//                 by the sizes.
// Needs           neuron/readout.hpp; LANES, OUTPUTS; shared memory: 8 bytes per group of LANES, sum
//                 and one of OUTPUTS
//
// Roofline        one spike and output: 10 operations and 24 bytes of the table forward, 50 and 96
//                 backward, from the first-level cache, where neighbouring threads read
//                 neighbouring outputs; and backward one sum of 8 bytes in the second level.

// Rows of the sums by parameters, and of the table [windows, N_GAIN, GAIN_TERMS, outputs].
enum { READOUT_MEM, READOUT_SYN, READOUT_RESISTANCE, N_READOUT };
enum { GAIN, GAIN_BY_MEM, GAIN_BY_SYN, GAIN_LATER, N_GAIN };

// All coefficients of one output in one window.
extern "C" __global__ void readout_gains(
    const int n_outputs, const int n_windows, const int n_terms, const double* __restrict__ tau_mem,
    const double* __restrict__ tau_syn, const double rate, const double per_ms,
    const __grid_constant__ Table into) {
    const long long i = GLOBAL_THREAD;
    if (i >= (long long)n_outputs * n_windows) return;
    const int k = (int)(i % n_outputs);
    const long long window = i / n_outputs;
    const double left = middle_of(window, per_ms), width = width_of(window, per_ms);
    const int single = into.rounded != nullptr;
    const Output<double> output = output_of(1.0 / tau_mem[k], 1.0 / tau_syn[k], rate);
    GainTerms<double> terms = first_terms(output, left);
    const long long first = window * N_GAIN * n_terms * n_outputs + k;
    for (int n = 0; n < n_terms; ++n) {
        if (n > 0) to_next_order(output, terms, width / n);
        const Gains<double> found = gains_of(output, terms);
        const double value[N_GAIN] = {found.gain, found.by_mem, found.by_syn, found.later};
        for (int g = 0; g < N_GAIN; ++g) {
            const double coefficient = kept(value[g], single);
            const long long place = first + (g * n_terms + n) * n_outputs;
            if (single) into.rounded[place] = (float)coefficient; else into.values[place] = coefficient;
        }
    }
}

// Window of an arrival, its place in there, and exp(-rate t).
struct Arrival {
    long long window;
    REAL u, fade;
};

DEVICE Arrival arrival_at(double time, double t_end, const GainTable& gains) {
    const Place<double> place = place_of(t_end - time, gains.per_ms);
    Arrival arrival;
    arrival.window = place.window;
    arrival.u = REAL_(place.u);
    arrival.fade = decay(REAL_(gains.rate * time));
    return arrival;
}

// One row of the table for output k.
DEVICE REAL gain_at(const GainTable& gains, int k, int row, const Arrival& arrival) {
    const int n_outputs = gains.size;
    const Given<REAL> first =
        gains.values + ((arrival.window * N_GAIN + row) * GAIN_TERMS<REAL> * n_outputs + k);
    REAL value = first[(GAIN_TERMS<REAL> - 1) * n_outputs];
    for (int n = GAIN_TERMS<REAL> - 2; n >= 0; --n)
        value = fused(value, arrival.u, first[n * n_outputs]);
    return value;
}

// Threads that share a spike, as a mask of their warp.
DEVICE unsigned lanes_mask() { return ((1u << LANES) - 1u) << (THREAD % 32 / LANES * LANES); }

// Sums of all groups of the block for one output, in order.
DEVICE double sum_groups_of(const double* sums, int stride) {
    const int groups = blockDim.x / LANES;
    double total = 0.0;
    for (int group = 0; group < groups; ++group) total += sums[group * stride];
    return total;
}

extern "C" __global__ void readout_forward(
    const int n_samples, const int parts, const __grid_constant__ FanOut fan,
    const __grid_constant__ SourceSpikes from, const __grid_constant__ GainTable gains,
    // result [parts, samples, outputs]
    double* __restrict__ integral) {
    SHARED_MEMORY(memory);
    const int n_outputs = gains.size, group = THREAD / LANES, lane = THREAD % LANES, groups = blockDim.x / LANES;
    const unsigned mask = lanes_mask();
    double* const sums = (double*)memory;
    double* const mine = sums + group * OUTPUTS;
    const long long sample = BLOCK % n_samples, part = BLOCK / n_samples;
    const long long low = from.offsets[sample], size = from.offsets[sample + 1] - low;
    const double t_end = from.duration[sample];
    for (int base = 0; base < n_outputs; base += OUTPUTS) {
        for (int k = lane; k < OUTPUTS; k += LANES) mine[k] = 0.0;
        __syncwarp(mask);
        for (long long i = low + size * part / parts + group;
             i < low + size * (part + 1) / parts; i += groups) {
            const int row = from.row + from.neuron[i];
            const double time = from.time[i];
            for (long long e = fan.start[row] + lane; e < fan.start[row + 1]; e += LANES) {
                const int k = fan.target[e] - base;
                const double t = time + fan.delay[e];
                if (k < 0 || k >= OUTPUTS || t >= t_end) continue;
                const Arrival arrival = arrival_at(t, t_end, gains);
                const REAL gain = gain_at(gains, base + k, GAIN, arrival);
                mine[k] += (double)(fan.weight[e] * arrival.fade * gain);
            }
            __syncwarp(mask);
        }
        __syncthreads();
        for (int k = THREAD; k < OUTPUTS && base + k < n_outputs; k += blockDim.x)
            integral[BLOCK * n_outputs + base + k] = sum_groups_of(sums + k, OUTPUTS);
        __syncthreads();
    }
}

extern "C" __global__ void readout_backward(
    // slices: a power of two
    const int slices,  // a power of two
    const long long* __restrict__ bounds, const __grid_constant__ FanOut fan,
    const __grid_constant__ SourceSpikes from, const __grid_constant__ GainTable gains,
    const __grid_constant__ IntegralsBack back) {
    SHARED_MEMORY(memory);
    const int n_outputs = gains.size, group = THREAD / LANES, lane = THREAD % LANES, groups = blockDim.x / LANES;
    const unsigned mask = lanes_mask();
    double* const sums = (double*)memory;
    double* const mine = sums + group * 3 * OUTPUTS;
    const long long part = BLOCK / slices;
    const int classes = slices * groups, own = (int)(BLOCK % slices) * groups + group;
    for (int base = 0; base < n_outputs; base += OUTPUTS) {
        for (int k = lane; k < 3 * OUTPUTS; k += LANES) mine[k] = 0.0;
        __syncwarp(mask);
        for (long long sample = bounds[part]; sample < bounds[part + 1]; ++sample) {
            const double t_end = from.duration[sample];
            for (long long i = from.offsets[sample]; i < from.offsets[sample + 1]; ++i) {
                if ((from.neuron[i] & (classes - 1)) != own) continue;
                const int row = from.row + from.neuron[i];
                double effect = 0.0;
                for (long long e = fan.start[row] + lane; e < fan.start[row + 1]; e += LANES) {
                    const int k = fan.target[e] - base;
                    const double t = from.time[i] + fan.delay[e];
                    if (k < 0 || k >= OUTPUTS || t >= t_end) continue;
                    const Arrival arrival = arrival_at(t, t_end, gains);
                    REAL rows[N_GAIN];
                    for (int g = 0; g < N_GAIN; ++g)
                        rows[g] = gain_at(gains, base + k, g, arrival);
                    const REAL w = fan.weight[e] * arrival.fade;
                    const double unit = back.seeds[sample * n_outputs + base + k];
                    const double later = unit * (double)(w * rows[GAIN_LATER]);
                    const long long to = part * back.n_synapses + e;
                    back.by_weight[to] += unit * (double)(arrival.fade * rows[GAIN]);
                    if (back.by_delay) back.by_delay[to] += later;
                    effect += later;
                    mine[k] += unit * (double)(w * rows[GAIN_BY_MEM]);
                    mine[OUTPUTS + k] += unit * (double)(w * rows[GAIN_BY_SYN]);
                    mine[2 * OUTPUTS + k] += unit * (double)(w * rows[GAIN]);
                }
                for (int k = LANES / 2; k > 0; k /= 2)
                    effect += __shfl_xor_sync(mask, effect, k);
                if (lane == 0) back.effects[i] += effect;
                __syncwarp(mask);
            }
        }
        __syncthreads();
        for (int k = THREAD; k < 3 * OUTPUTS; k += blockDim.x) {
            const int output = base + k % OUTPUTS;
            if (output < n_outputs)
                back.sums[(BLOCK * 3 + k / OUTPUTS) * n_outputs + output] =
                    sum_groups_of(sums + k, 3 * OUTPUTS);
        }
        __syncthreads();
    }
}

// Integrals from those of parts, in order, with what the leak adds: [samples, outputs].
extern "C" __global__ void readout_total(
    const long long n_rows, const long long n_samples, const int n_outputs,
    const double* __restrict__ parts, const double* __restrict__ resistance,
    const double* __restrict__ v_leak, const double* __restrict__ leak_weight,
    double* __restrict__ integral) {
    const long long i = GLOBAL_THREAD, n_columns = n_samples * n_outputs;
    if (i >= n_columns) return;
    const int k = (int)(i % n_outputs);
    double total = 0.0;
    for (long long row = 0; row < n_rows; ++row) total += parts[row * n_columns + i];
    integral[i] = resistance[k] * total + v_leak[k] * leak_weight[i / n_outputs];
}

// Seeds [samples, outputs] times the resistance; and the gradient by v_leak, a sum in order.
extern "C" __global__ void readout_seeds(
    const long long n_samples, const int n_outputs, const double* __restrict__ seeds,
    const double* __restrict__ resistance, const double* __restrict__ leak_weight,
    double* __restrict__ scaled, double* __restrict__ by_leak) {
    const long long k = GLOBAL_THREAD;
    if (k >= n_outputs) return;
    double total = 0.0;
    for (long long sample = 0; sample < n_samples; ++sample) {
        const double seed = seeds[sample * n_outputs + k];
        scaled[sample * n_outputs + k] = seed * resistance[k];
        total += seed * leak_weight[sample];
    }
    by_leak[k] = total;
}

// Gradients by tau_mem, tau_syn and resistance of a readout, from sums over what arrives.
extern "C" __global__ void readout_gradients(
    const int n_neurons, const double* __restrict__ tau_mem, const double* __restrict__ tau_syn,
    const double* __restrict__ resistance,
    // by both rates, and by the drive; [N_READOUT, n_neurons]
    const double* __restrict__ sums, double* __restrict__ gradient) {
    const long long n = GLOBAL_THREAD, size = n_neurons;
    if (n >= size) return;
    gradient[n] = -sums[READOUT_MEM * size + n] / (tau_mem[n] * tau_mem[n]);
    gradient[size + n] = -sums[READOUT_SYN * size + n] / (tau_syn[n] * tau_syn[n]);
    gradient[2 * size + n] = sums[READOUT_RESISTANCE * size + n] / resistance[n];
}
