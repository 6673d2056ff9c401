// Counts of events and extents of values, in one launch each; nothing here is rounded.
//
// Parallel over   threads take items in strides of the grid; every block leaves one result, of which
//                 there are few, and the rest is done on the host or by the library.
// Needs           shared memory of 8 bytes per thread; blocks of a power of two

// Spikes that reach a synapse before the end of their sample, by projection. The delays of a
// projection are one for all, one per source, or one per synapse.
extern "C" __global__ void count_arrivals(
    const int n_parts, const int n_samples,
    // of every projection eight numbers: addresses of the first synapse of every source, delays, and
    // the spikes' offsets, times and neurons; the number of spikes; whether delays are by source,
    // and by synapse
    const long long* __restrict__ projection, const double* __restrict__ duration,
    // result [projections, parts]; every part is a block
    long long* __restrict__ arrivals) {
    SHARED_MEMORY(memory);
    const long long* const at = projection + 8 * (BLOCK / n_parts);
    const long long* const first = (const long long*)at[0];
    const double* const delay = (const double*)at[1];
    const long long* const offsets = (const long long*)at[2];
    const double* const time = (const double*)at[3];
    const int* const neuron = (const int*)at[4];
    const bool by_source = at[6] != 0, by_synapse = at[7] != 0;
    long long found = 0, i = (BLOCK % n_parts) * blockDim.x + THREAD;
    for (; i < at[5]; i += (long long)n_parts * blockDim.x) {
        const int sample = group_of(offsets, n_samples, i);
        const long long begin = first[neuron[i]], end = first[neuron[i] + 1];
        if (!by_synapse) {
            if (time[i] + delay[by_source ? neuron[i] : 0] < duration[sample]) found += end - begin;
            continue;
        }
        for (long long k = begin; k < end; ++k) found += time[i] + delay[k] < duration[sample];
    }
    found = over_block<Plus>(found, (long long*)memory);
    if (THREAD == 0) arrivals[BLOCK] = found;
}

// Extents of float64 arrays, or of differences of two: smallest and largest entry, and smallest
// absolute value of those that are not zero. The first two are NaN if an entry is.
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
    double least = none, largest = -none, magnitude = none;
    int bad = 0;
    for (long long i = part * blockDim.x + THREAD; i < size[which]; i += n_parts * blockDim.x) {
        const double x = other ? values[i] - other[i] : values[i];
        if (x < least) least = x;
        if (x > largest) largest = x;
        if (x != 0.0 && fabs(x) < magnitude) magnitude = fabs(x);
        if (!(x == x)) bad = 1;
    }
    least = over_block<Smaller>(least, work);
    largest = over_block<Larger>(largest, work);
    magnitude = over_block<Smaller>(magnitude, work);
    bad = over_block<Larger>(bad, (int*)memory);
    if (THREAD != 0) return;
    const double nan = __longlong_as_double(0x7ff8000000000000LL);
    extent[3 * BLOCK] = bad ? nan : least;
    extent[3 * BLOCK + 1] = bad ? nan : largest;
    extent[3 * BLOCK + 2] = magnitude;
}
