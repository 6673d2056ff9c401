// Events put in order: packed, expanded over synapses, summed by group. No atomics: every sum is
// taken by one thread in a written order.
//
// Twin            engine/cpu/order.py, and the sums of engine/cpu/fanin.py

// Copy what every (sample, neuron) wrote into arrays without gaps, in the same order.
extern "C" __global__ void pack_spikes(
    const long long n_pairs, const int n_neurons, const long long* __restrict__ start,
    const int* __restrict__ count, const int* __restrict__ limit, const long long* __restrict__ to,
    const double* __restrict__ time, const REAL* __restrict__ current,
    const REAL* __restrict__ restart,
    double* __restrict__ out_time, int* __restrict__ out_sample, int* __restrict__ out_neuron,
    REAL* __restrict__ out_current, REAL* __restrict__ out_restart) {
    const long long pair = GLOBAL_THREAD;
    // A pair that did not fit was run again elsewhere; one with limit < 0 was run before.
    if (pair >= n_pairs || limit[pair] < 0 || count[pair] > limit[pair]) return;
    for (int k = 0; k < count[pair]; ++k) {
        const long long from = start[pair] + k, into = to[pair] + k;
        out_time[into] = time[from];
        out_sample[into] = (int)(pair / n_neurons);
        out_neuron[into] = (int)(pair % n_neurons);
        out_current[into] = current[from];
        out_restart[into] = restart[from];
    }
}

// One arrival per spike and synapse of its source: 32 threads write those of one spike. Arrivals
// before the begin or not before the end of their sample get the pair n_pairs and sort last.
extern "C" __global__ void expand_arrivals(
    const long long n_spikes, const int n_neurons, const long long n_pairs,
    // spikes: sample, source row, time; number of the first arrival of each
    const int* __restrict__ sample, const int* __restrict__ row, const double* __restrict__ time,
    const long long* __restrict__ to,
    // synapses by source
    const long long* __restrict__ out_start, const int* __restrict__ target,
    const double* __restrict__ delay, const double* __restrict__ begin,
    const double* __restrict__ duration, double* __restrict__ arrival, long long* __restrict__ pair, int* __restrict__ synapse) {
    const long long i = GLOBAL_THREAD / 32;
    if (i >= n_spikes) return;
    const long long low = out_start[row[i]], high = out_start[row[i] + 1];
    for (long long k = low + THREAD % 32; k < high; k += 32) {
        const long long into = to[i] + (k - low);
        const int s = sample[i];
        const double t = time[i] + delay[k];
        arrival[into] = t;
        pair[into] =
            t >= begin[s] && t < duration[s] ? (long long)s * n_neurons + target[k] : n_pairs;
        synapse[into] = (int)k;
    }
}

// Per synapse the sum over its arrivals: samples ascending, in each from the last to the first.
extern "C" __global__ void sum_by_synapse(
    const long long n_synapses, const int n_samples, const int n_rows,
    const int* __restrict__ row, const long long* __restrict__ out_start,
    // spikes by (sample, row), and the first arrival of each
    const long long* __restrict__ first, const long long* __restrict__ to,
    const REAL* __restrict__ by_arrival, const REAL* __restrict__ later,
    double* __restrict__ by_weight, double* __restrict__ by_delay) {
    const long long k = GLOBAL_THREAD;
    if (k >= n_synapses) return;
    const long long place = k - out_start[row[k]];
    REAL weight = REAL_(0.0);
    double effect = 0.0;
    for (long long s = 0; s < n_samples; ++s) {
        const long long group = s * n_rows + row[k];
        for (long long i = first[group + 1] - 1; i >= first[group]; --i) {
            weight += by_arrival[to[i] + place];
            effect += (double)later[to[i] + place];
        }
    }
    by_weight[k] = (double)weight;
    by_delay[k] = effect;
}

// Per spike the sum over its arrivals, in the order of its synapses.
extern "C" __global__ void sum_by_spike(
    const long long n_spikes, const long long* __restrict__ spike,
    const long long* __restrict__ to, const REAL* __restrict__ later,
    double* __restrict__ effects) {
    const long long i = GLOBAL_THREAD;
    if (i >= n_spikes) return;
    double effect = 0.0;
    for (long long k = to[i]; k < to[i + 1]; ++k) effect += (double)later[k];
    effects[spike[i]] = effect;
}

// Sum over the rows of a matrix, in order.
template <class T>
DEVICE void sum_column(long long n_rows, long long n_columns, const T* values, double* sum) {
    const long long i = GLOBAL_THREAD;
    if (i >= n_columns) return;
    double total = 0.0;
    for (long long k = 0; k < n_rows; ++k) total += (double)values[k * n_columns + i];
    sum[i] = total;
}

extern "C" __global__ void sum_rows(const long long n_rows, const long long n_columns,
                                    const REAL* __restrict__ values, double* __restrict__ sum) {
    sum_column(n_rows, n_columns, values, sum);
}

extern "C" __global__ void sum_rows_double(
    const long long n_rows, const long long n_columns, const double* __restrict__ values,
    double* __restrict__ sum) {
    sum_column(n_rows, n_columns, values, sum);
}

// Per group the sum of its values, in the order in which `order` lists them.
extern "C" __global__ void sum_groups(
    const long long n_groups, const long long* __restrict__ first,
    const long long* __restrict__ order, const double* __restrict__ values,
    double* __restrict__ sum) {
    const long long g = GLOBAL_THREAD;
    if (g >= n_groups) return;
    double total = 0.0;
    for (long long i = first[g]; i < first[g + 1]; ++i) total += values[order[i]];
    sum[g] = total;
}
