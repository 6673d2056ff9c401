// Adam's step over all trained parameters of a network, wherever their arrays are.
//
// Parallel over   entries of one vector, in which the arrays lie one after the other ("segments").
// Before          start[k] .. start[k + 1]: the entries of array k, whose values are at address[k].
// After           as eventsim/train/optimiser.py, whose formulas these are and which a test compares.
//                 The norm's square is summed by thread, then over the threads of a block, then over
//                 the blocks: in one order, whatever the device.
// Needs           the text in double precision; shared memory of 8 bytes per thread

struct Segment {
    int number;
    double* value;
};

// The array that an entry belongs to, and its value there.
DEVICE Segment segment_of(long long entry, const Segments& all) {
    const int k = group_of(all.start, all.n, entry);
    return {k, (double*)all.address[k] + (entry - all.start[k])};
}

// exp(-x).
DEVICE double shrunk(double x) {
    return x < 0.0 ? 1.0 / (double)decay((REAL)-x) : (double)decay((REAL)x);
}

// Gradient by the coordinate in which a parameter is trained, and its squares' sums by block.
extern "C" __global__ void adam_gradient(
    const __grid_constant__ Segments all, double* __restrict__ gradient,
    double* __restrict__ squares) {
    SHARED_MEMORY(memory);
    double sum = 0.0;
    for (long long i = GLOBAL_THREAD; i < all.entries; i += (long long)gridDim.x * blockDim.x) {
        const Segment at = segment_of(i, all);
        const double g = all.logarithmic[at.number] ? gradient[i] * *at.value : gradient[i];
        gradient[i] = g;
        sum += g * g;
    }
    sum = over_block<Plus>(sum, (double*)memory);
    if (THREAD == 0) squares[BLOCK] = sum;
}

// The step; nothing moves if the norm is not finite. `square` becomes the square of the norm.
extern "C" __global__ void adam_move(
    const int n_parts, const __grid_constant__ Segments all,
    const __grid_constant__ AdamFactors x, const double* __restrict__ gradient,
    const double* __restrict__ squares, double* __restrict__ first, double* __restrict__ second,
    double* __restrict__ square) {
    double sum = 0.0;
    for (int k = 0; k < n_parts; ++k) sum += squares[k];
    const long long i = GLOBAL_THREAD;
    if (i == 0) square[0] = sum;
    if (i >= all.entries || !(sum <= 1.7976931348623157e308)) return;
    const double norm = sqrt(sum);
    const double g = gradient[i] * (norm > x.clip ? x.clip / norm : 1.0);
    const double m = first[i] + x.grow1 * (g - first[i]);
    const double v = second[i] + x.grow2 * (g * g - second[i]);
    first[i] = m;
    second[i] = v;
    const Segment at = segment_of(i, all);
    const int k = at.number;
    const double eta = x.factor * all.rate[k];
    const double change = eta * (m / x.bias1) / (sqrt(v / x.bias2) + x.epsilon);
    double value = *at.value;
    value = all.logarithmic[k] ? value * shrunk(change) : value * (1.0 - eta * all.decayed[k]) - change;
    if (value < all.least[k]) value = all.least[k];
    if (value > all.most[k]) value = all.most[k];
    *at.value = value;
}

// Bounds between the parameters of a neuron: thresholds above resets and rests, and self-weights
// below those at which a neuron runs away. One block per population.
extern "C" __global__ void adam_restore(
    const double margin, const double stable,
    // addresses [populations, 8]: tau_mem, tau_syn, resistance, threshold, v_leak, v_reset,
    // refractory, self-weights; the number of neurons, and which of the last five are trained
    const long long* __restrict__ address, const int* __restrict__ size,
    const int* __restrict__ trained) {
    const long long* const at = address + 8 * BLOCK;
    const int which = trained[BLOCK];
    double* const threshold = (double*)at[3];
    double* const v_leak = (double*)at[4];
    double* const v_reset = (double*)at[5];
    double* const own = (double*)at[7];
    for (int n = THREAD; n < size[BLOCK]; n += blockDim.x) {
        if (which & 1) {
            if (threshold[n] < v_reset[n] + margin) threshold[n] = v_reset[n] + margin;
        } else if (which & 2) {
            if (v_reset[n] > threshold[n] - margin) v_reset[n] = threshold[n] - margin;
        }
        if ((which & 4) && v_leak[n] > threshold[n] - margin) v_leak[n] = threshold[n] - margin;
        if (!(which & 8) || ((const double*)at[6])[n] != 0.0) continue;
        const double limit = (threshold[n] - v_reset[n]) * ((const double*)at[0])[n] /
                             (((const double*)at[1])[n] * ((const double*)at[2])[n]);
        if (own[n] > stable * limit) own[n] = stable * limit;
    }
}

// The mean of the values after this one more, the n-th.
extern "C" __global__ void adam_average(
    const __grid_constant__ Segments all, const double count,
    double* __restrict__ mean) {
    const long long i = GLOBAL_THREAD;
    if (i >= all.entries) return;
    const double x = *segment_of(i, all).value;
    mean[i] += (x - mean[i]) / count;
}
