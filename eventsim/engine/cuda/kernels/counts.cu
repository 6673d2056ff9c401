// What is counted of events and looked up of values, in one launch each; nothing here is rounded.
//
// Parallel over   threads take items in strides of the grid; every block leaves one result, of which
//                 there are few, and the rest is done on the host or by the library.
// Needs           shared memory of 8 bytes per thread; blocks of a power of two

// Sum over the threads of a block, in the first of them.
DEVICE long long block_total(long long value, long long* memory) {
    memory[THREAD] = value;
    __syncthreads();
    for (int half = (int)blockDim.x / 2; half > 0; half /= 2) {
        if (THREAD < half) memory[THREAD] += memory[THREAD + half];
        __syncthreads();
    }
    return memory[0];
}

// The smallest value of a block's threads, in all of them.
DEVICE double block_least(double value, double* memory) {
    memory[THREAD] = value;
    __syncthreads();
    for (int half = (int)blockDim.x / 2; half > 0; half /= 2) {
        if (THREAD < half && memory[THREAD + half] < memory[THREAD])
            memory[THREAD] = memory[THREAD + half];
        __syncthreads();
    }
    const double least = memory[0];
    __syncthreads();
    return least;
}

// Spikes that reach a synapse before the end of their sample. The delays are one for all, one per
// source (by_source), or one per synapse (by_synapse).
extern "C" __global__ void count_arrivals(
    const long long n_spikes, const int n_samples, const int by_source, const int by_synapse,
    // synapses of every source neuron
    const long long* __restrict__ first, const double* __restrict__ delay,
    // spikes
    const long long* __restrict__ offsets, const double* __restrict__ time,
    const int* __restrict__ neuron, const double* __restrict__ duration,
    // result, one per block
    long long* __restrict__ arrivals) {
    SHARED_MEMORY(memory);
    const long long step = (long long)gridDim.x * blockDim.x;
    long long found = 0;
    for (long long i = GLOBAL_THREAD; i < n_spikes; i += step) {
        long long low = 0, high = n_samples;  // the sample of a spike: offsets[low] <= i
        while (high - low > 1) {
            const long long middle = low + (high - low) / 2;
            if (offsets[middle] <= i) low = middle; else high = middle;
        }
        const long long begin = first[neuron[i]], end = first[neuron[i] + 1];
        if (!by_synapse) {
            if (time[i] + delay[by_source ? neuron[i] : 0] < duration[low]) found += end - begin;
            continue;
        }
        for (long long k = begin; k < end; ++k) found += time[i] + delay[k] < duration[low];
    }
    found = block_total(found, (long long*)memory);
    if (THREAD == 0) arrivals[BLOCK] = found;
}

// Of float64 arrays, or differences of two: smallest and largest entry, and smallest absolute value
// of those that are not zero. The first two are NaN if an entry is.
extern "C" __global__ void find_extents(
    const int n_parts,
    // addresses of the arrays, and of what is subtracted, or 0; sizes
    const long long* __restrict__ array, const long long* __restrict__ minus,
    const long long* __restrict__ size,
    // result [arrays, parts, 3]; every part is a block
    double* __restrict__ extent) {
    SHARED_MEMORY(memory);
    double* const work = (double*)memory;
    const long long which = BLOCK / n_parts, part = BLOCK % n_parts;
    const double* const values = (const double*)array[which];
    const double* const other = (const double*)minus[which];
    const double none = __longlong_as_double(0x7ff0000000000000LL);
    double least = none, largest = none, magnitude = none;  // of the largest the negative
    double bad = 0.0;
    for (long long i = part * blockDim.x + THREAD; i < size[which]; i += n_parts * blockDim.x) {
        const double x = other ? values[i] - other[i] : values[i];
        if (x < least) least = x;
        if (-x < largest) largest = -x;
        if (x != 0.0 && fabs(x) < magnitude) magnitude = fabs(x);
        if (!(x == x)) bad = -1.0;
    }
    least = block_least(least, work);
    largest = block_least(largest, work);
    magnitude = block_least(magnitude, work);
    bad = block_least(bad, work);
    if (THREAD != 0) return;
    const double nan = __longlong_as_double(0x7ff8000000000000LL);
    extent[3 * BLOCK] = bad < 0.0 ? nan : least;
    extent[3 * BLOCK + 1] = bad < 0.0 ? nan : -largest;
    extent[3 * BLOCK + 2] = magnitude;
}
