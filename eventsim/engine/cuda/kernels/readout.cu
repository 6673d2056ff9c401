// Readout integral and its gradients.
//
// Parallel over   forward: (sample, output), one block; threads share its synapses. Backward by
//                 weight: (chunk of samples, output), one block; a synapse belongs to one thread.
//                 Backward by time: one thread per spike.
// Before          spikes grouped by (sample, source row), ascending; synapses by target (CSC) and by
//                 source (CSR). Each block is a power of two.
// Twin            engine/cpu/readout.py, engine/reference/readout.py. Sums over the synapses of one
//                 output are taken in another order than there, fixed by the block's size.
// Needs           scalar.cuh
//
// Roofline        one spike and output: about 90 operations, 8 bytes of time from the second-level
//                 cache: arithmetic limits it.

// Rows of the parameter table [N_READOUT, outputs].
enum { READOUT_MEM, READOUT_SYN, READOUT_RESISTANCE, N_READOUT };

// Gain of one arrival, its derivatives by both rates, and what a later arrival loses.
struct Gain {
    REAL gain, by_mem, by_syn, later;
};

DEVICE Gain arrival_gain(double time, double t_end, REAL rate, REAL a, REAL b) {
    const REAL zero = REAL_(0.0), p = a + rate, q = b + rate;
    const bool membrane_slow = p <= q;
    const REAL slow = membrane_slow ? p : q, gap = absolute(q - p);
    REAL span = (REAL)(t_end - time);
    const bool arrives = span > zero;
    span = arrives ? span : zero;
    REAL fade = decay(rate * (REAL)time);
    fade = arrives ? fade : zero;
    const Terms at_p = far_terms(p * span), at_slow = far_terms(slow * span);
    const Terms at_gap = far_terms(gap * span);
    const REAL unit = span * at_slow.decayed, difference = unit * at_gap.phi;
    const REAL by_slow = span * (unit * at_gap.psi);
    const REAL by_fast = -span * (unit * (at_gap.psi + at_gap.phi));
    const REAL by_p = membrane_slow ? by_slow : by_fast;
    const REAL by_q = membrane_slow ? by_fast : by_slow;
    const REAL inner = (span * at_p.phi - difference) / q;
    const REAL area_by_p = -span * (span * (at_p.psi + at_p.phi));
    Gain g;
    g.gain = fade * (a * inner);
    g.by_mem = fade * (inner + a * ((area_by_p - by_p) / q));
    g.by_syn = fade * (a * ((-by_q - inner) / q));
    g.later = -(rate * g.gain + fade * (a * difference));
    return g;
}

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

extern "C" __global__ void readout_forward(
    const int n_outputs, const int n_rows,
    // synapses by target, and spikes by (sample, row)
    const long long* __restrict__ in_start, const int* __restrict__ in_row,
    const long long* __restrict__ in_synapse, const REAL* __restrict__ weight,
    const double* __restrict__ delay, const long long* __restrict__ first,
    const double* __restrict__ time, const double* __restrict__ duration,
    const REAL* __restrict__ par, const REAL rate,
    // result [samples, outputs]
    double* __restrict__ integral) {
    SHARED_MEMORY(memory);
    const int k = (int)(BLOCK % n_outputs);
    const long long sample = BLOCK / n_outputs;
    const REAL a = par[READOUT_MEM * n_outputs + k], b = par[READOUT_SYN * n_outputs + k];
    double total = 0.0;
    for (long long entry = in_start[k] + THREAD; entry < in_start[k + 1]; entry += blockDim.x) {
        const long long synapse = in_synapse[entry], group = sample * n_rows + in_row[entry];
        double gain = 0.0;
        for (long long i = first[group]; i < first[group + 1]; ++i)
            gain += (double)arrival_gain(time[i] + delay[synapse], duration[sample], rate, a, b).gain;
        total += (double)weight[synapse] * gain;
    }
    total = block_sum(total, (double*)memory);
    if (THREAD == 0)
        integral[BLOCK] = (double)par[READOUT_RESISTANCE * n_outputs + k] * total;
}

extern "C" __global__ void readout_backward(
    const int n_outputs, const int n_rows, const long long n_synapses,
    const long long* __restrict__ bounds,
    // as readout_forward
    const long long* __restrict__ in_start, const int* __restrict__ in_row,
    const long long* __restrict__ in_synapse, const REAL* __restrict__ weight,
    const double* __restrict__ delay, const long long* __restrict__ first,
    const double* __restrict__ time, const double* __restrict__ duration,
    const REAL* __restrict__ par, const REAL rate, const double* __restrict__ by_integral,
    // results: [chunks, synapses] twice, [chunks, 3, outputs]; all zero before
    double* __restrict__ by_weight, double* __restrict__ by_delay, double* __restrict__ sums) {
    SHARED_MEMORY(memory);
    const int k = (int)(BLOCK % n_outputs);
    const long long chunk = BLOCK / n_outputs;
    const REAL a = par[READOUT_MEM * n_outputs + k], b = par[READOUT_SYN * n_outputs + k];
    const double resistance = (double)par[READOUT_RESISTANCE * n_outputs + k];
    double total[3] = {0.0, 0.0, 0.0};
    for (long long sample = bounds[chunk]; sample < bounds[chunk + 1]; ++sample) {
        const double scale = by_integral[sample * n_outputs + k], unit = scale * resistance;
        for (long long entry = in_start[k] + THREAD; entry < in_start[k + 1]; entry += blockDim.x) {
            const long long synapse = in_synapse[entry], group = sample * n_rows + in_row[entry];
            const double w = (double)weight[synapse];
            double gain = 0.0, by_mem = 0.0, by_syn = 0.0, later = 0.0;
            for (long long i = first[group]; i < first[group + 1]; ++i) {
                const Gain g =
                    arrival_gain(time[i] + delay[synapse], duration[sample], rate, a, b);
                gain += (double)g.gain;
                by_mem += (double)g.by_mem;
                by_syn += (double)g.by_syn;
                later += (double)g.later;
            }
            by_weight[chunk * n_synapses + synapse] += unit * gain;
            by_delay[chunk * n_synapses + synapse] += unit * w * later;
            total[0] += unit * w * by_mem;
            total[1] += unit * w * by_syn;
            total[2] += scale * w * gain;
        }
    }
    for (int i = 0; i < 3; ++i) {
        const double sum = block_sum(total[i], (double*)memory);
        if (THREAD == 0) sums[(chunk * 3 + i) * n_outputs + k] = sum;
    }
}

extern "C" __global__ void readout_by_time(
    const long long n_spikes, const int n_outputs,
    // spikes in groups: sample, row, time, and the number of each among all spikes
    const int* __restrict__ sample, const int* __restrict__ row, const double* __restrict__ time,
    const long long* __restrict__ spike,
    // synapses by source
    const long long* __restrict__ out_start, const int* __restrict__ target,
    const REAL* __restrict__ weight, const double* __restrict__ delay,
    const double* __restrict__ duration, const REAL* __restrict__ par, const REAL rate,
    const double* __restrict__ by_integral,
    // result [spikes]
    double* __restrict__ effects) {
    const long long i = GLOBAL_THREAD;
    if (i >= n_spikes) return;
    const int s = sample[i];
    double effect = 0.0;
    for (long long synapse = out_start[row[i]]; synapse < out_start[row[i] + 1]; ++synapse) {
        const int k = target[synapse];
        const REAL a = par[READOUT_MEM * n_outputs + k], b = par[READOUT_SYN * n_outputs + k];
        const double unit = by_integral[(long long)s * n_outputs + k] *
                            (double)par[READOUT_RESISTANCE * n_outputs + k];
        const Gain g = arrival_gain(time[i] + delay[synapse], duration[s], rate, a, b);
        effect += unit * (double)weight[synapse] * (double)g.later;
    }
    effects[spike[i]] = effect;
}
