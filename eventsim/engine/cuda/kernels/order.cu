// Events put in order: packed, expanded over synapses, summed by group. No atomics: every sum is
// taken by one thread in a written order.
//
// Twin            kernels/cpu/order, and the sums of kernels/cpu/fanin

// Copy what every (sample, neuron) wrote into arrays without gaps, in the same order.
extern "C" __global__ void pack_spikes(
    const long long n_pairs, const int n_neurons, const __grid_constant__ Buffers from,
    const long long* __restrict__ to, const __grid_constant__ Packed packed) {
    const long long pair = GLOBAL_THREAD;
    // A pair that did not fit was run again elsewhere; one with limit < 0 was run before.
    if (pair >= n_pairs || from.limit[pair] < 0 || from.counts[pair] > from.limit[pair]) return;
    for (int k = 0; k < from.counts[pair]; ++k) {
        const long long at = from.start[pair] + k, into = to[pair] + k;
        packed.time[into] = from.time[at];
        packed.sample[into] = (int)(pair / n_neurons);
        packed.neuron[into] = (int)(pair % n_neurons);
        packed.current[into] = from.current[at];
        packed.restart[into] = from.restart[at];
    }
}

// Verdict of a round, whether all spikes had room: by block the largest count of the round's pairs,
// the number of those without room, and of those that ran away; last of all the sum of all counts.
extern "C" __global__ void judge_pairs(
    const long long n_pairs, const int* __restrict__ limit, const int* __restrict__ count,
    const long long* __restrict__ to, long long* __restrict__ verdict) {
    SHARED_MEMORY(memory);
    int* const work = (int*)memory;
    int most = 0, short_of = 0, failed = 0;
    for (long long i = GLOBAL_THREAD; i < n_pairs; i += (long long)gridDim.x * blockDim.x) {
        const int n = count[i];
        if (n > most) most = n;
        if (n < 0) ++failed;
        if (limit[i] >= 0 && n > limit[i]) ++short_of;
    }
    most = over_block<Larger>(most, work);
    short_of = over_block<Plus>(short_of, work);
    failed = over_block<Plus>(failed, work);
    if (THREAD != 0) return;
    verdict[3 * BLOCK] = most;
    verdict[3 * BLOCK + 1] = short_of;
    verdict[3 * BLOCK + 2] = failed;
    if (BLOCK == 0) verdict[3 * gridDim.x] = to[n_pairs];
}

// Number of items of [lo, hi), ascending, before t; those at t as well if they go first.
DEVICE long long count_before(Given<double> time, const long long* item, long long lo, long long hi,
                              double t, bool at_too) {
    return first_where(lo, hi, [&](long long i) {
        const double other = time[item ? item[i] : i];
        return at_too ? other > t : other >= t;
    }) - lo;
}

// One round of merging: of every sample, WAYS neighbouring runs, each ascending in time, become one.
// At first a run is what one neuron wrote, after k rounds what WAYS^k neighbours wrote. Equal times
// stay in the order of the runs.
#define WAYS 16

extern "C" __global__ void merge_runs(
    const long long n, const int n_neurons, const int width, const int is_first,
    const __grid_constant__ Runs spikes,
    // which spike stands where, before and after
    const long long* __restrict__ before, long long* __restrict__ after) {
    const long long i = GLOBAL_THREAD;
    if (i >= n) return;
    const long long* const item = is_first ? nullptr : before;
    const long long me = item ? item[i] : i;
    const long long pair = (long long)spikes.sample[me] * n_neurons;
    const int mine = spikes.neuron[me] / width, low = mine / WAYS * WAYS;
    const double t = spikes.time[me];
    long long into = spikes.first[pair + (long long)low * width];
    for (int run = low; run < low + WAYS; ++run) {
        const long long begin = (long long)run * width;
        if (begin >= n_neurons) break;
        const long long end = begin + width < n_neurons ? begin + width : n_neurons;
        const long long lo = spikes.first[pair + begin], hi = spikes.first[pair + end];
        into += run == mine ? i - lo : count_before(spikes.time, item, lo, hi, t, run < mine);
    }
    after[into] = me;
}

// The spikes in order of (sample, time, neuron), with currents in the unit of the weights; `number`
// is the place in that order of every spike as it was packed.
extern "C" __global__ void arrange_spikes(
    const long long n, const double* __restrict__ resistance, const long long* __restrict__ order,
    const __grid_constant__ Packed packed, const __grid_constant__ Recorded into,
    long long* __restrict__ number) {
    const long long i = GLOBAL_THREAD;
    if (i >= n) return;
    const long long k = order[i];
    const int j = packed.neuron[k];
    into.time[i] = packed.time[k];
    into.neuron[i] = j;
    into.current[i] = (double)packed.current[k] / resistance[j];
    into.restart[i] = (double)packed.restart[k] / resistance[j];
    number[k] = i;
}

// A tape and what the loss says of its spikes, by (sample, neuron); `order` is the number of each in
// the tape.
extern "C" __global__ void group_tape(
    const long long n, const double* __restrict__ resistance, const long long* __restrict__ order,
    const __grid_constant__ Recorded from, const double* __restrict__ by_time,
    const double* __restrict__ by_voltage, const __grid_constant__ Tape into) {
    const long long i = GLOBAL_THREAD;
    if (i >= n) return;
    const long long k = order[i];
    const double r = resistance[from.neuron[k]];
    into.time[i] = from.time[k];
    into.current[i] = (REAL)(from.current[k] * r);
    into.restart[i] = (REAL)(from.restart[k] * r);
    into.by_time[i] = by_time[k];
    into.by_voltage[i] = (REAL)by_voltage[k];
}

// Spikes of one source of a stage, among those of all sources.
struct Source {
    const double* time;
    const int* neuron;
    const long long* offsets;  // first spike of every sample
    const double* delay;  // none, one of all its rows (each = 0), or one of every row (each = 1)
    long long base, row;  // numbers of its first spike and of its first row
    long long each;
};

#define SOURCE_FIELDS 7

DEVICE Source source_at(const long long* table, int k) {
    const long long* const at = table + SOURCE_FIELDS * k;
    return {(const double*)at[0], (const int*)at[1], (const long long*)at[2],
            (const double*)at[3], at[4], at[5], at[6]};
}

// Arrival time of a spike of a source.
DEVICE double arrival_of(const Source& source, long long item) {
    if (!source.delay) return source.time[item];
    return source.time[item] + source.delay[source.each * source.neuron[item]];
}

// The source that a spike belongs to, by its number among those of all.
DEVICE int source_of(const long long* table, int n_sources, long long spike) {
    int k = n_sources - 1;
    while (table[SOURCE_FIELDS * k + 4] > spike) --k;
    return k;
}

// Number of spikes of a source, from lo to hi, that arrive before t; those at t as well if they go first.
DEVICE long long arrived_before(const Source& source, long long lo, long long hi, double t,
                                bool at_too) {
    return first_where(lo, hi, [&](long long i) {
        const double other = arrival_of(source, i);
        return at_too ? other > t : other >= t;
    }) - lo;
}

// Arrivals of all sources in order of (sample, time, source); each source has one delay.
extern "C" __global__ void merge_sources(
    const long long n, const int n_samples, const int n_sources,
    // addresses and numbers of every source, [sources, SOURCE_FIELDS]
    const long long* __restrict__ sources,
    // first of every sample; times in ms, rows, numbers of the spikes
    long long* __restrict__ offsets, double* __restrict__ time, int* __restrict__ row,
    long long* __restrict__ spike) {
    const long long i = GLOBAL_THREAD;
    if (i <= n_samples) {
        long long total = 0;
        for (int k = 0; k < n_sources; ++k) total += source_at(sources, k).offsets[i];
        offsets[i] = total;
    }
    if (i >= n) return;
    const int mine = source_of(sources, n_sources, i);
    const Source me = source_at(sources, mine);
    const long long item = i - me.base;
    const int s = group_of(me.offsets, n_samples, item);
    const double t = arrival_of(me, item);
    long long into = 0;
    for (int k = 0; k < n_sources; ++k) {
        const Source other = source_at(sources, k);
        const long long lo = other.offsets[s], hi = other.offsets[s + 1];
        into += k == mine ? item : lo + arrived_before(other, lo, hi, t, k < mine);
    }
    time[into] = t;
    row[into] = (int)me.row + me.neuron[item];
    spike[into] = i;
}

// Sample, row and arrival of the spikes of all sources, and (sample, row) as one number.
extern "C" __global__ void read_sources(
    const long long n, const int n_samples, const int n_sources, const int n_rows,
    const long long* __restrict__ sources, const __grid_constant__ Read into,
    int* __restrict__ key) {
    const long long i = GLOBAL_THREAD;
    if (i >= n) return;
    const Source me = source_at(sources, source_of(sources, n_sources, i));
    const long long item = i - me.base;
    const int s = group_of(me.offsets, n_samples, item);
    const int row = (int)me.row + me.neuron[item];
    into.time[i] = arrival_of(me, item);
    into.sample[i] = s;
    into.row[i] = row;
    key[i] = (int)((unsigned)s * (unsigned)n_rows + (unsigned)row);
}

// As above in the order of (sample, row), and the first of every such pair and their total.
extern "C" __global__ void group_sources(
    const long long n, const int n_rows, const long long n_groups,
    const long long* __restrict__ order, const __grid_constant__ Read from,
    long long* __restrict__ first, const __grid_constant__ Read into) {
    const long long i = GLOBAL_THREAD;
    if (i < n) {
        into.time[i] = from.time[order[i]];
        into.sample[i] = from.sample[order[i]];
        into.row[i] = from.row[order[i]];
    }
    if (i > n_groups) return;
    first[i] = first_where(0, n, [&](long long at) {
        return (long long)from.sample[order[at]] * n_rows + from.row[order[at]] >= i;
    });
}

// Arrivals in their order, and the first of every sample and their total.
extern "C" __global__ void order_arrivals(
    const long long n, const long long* __restrict__ order, const __grid_constant__ Groups groups,
    long long* __restrict__ offsets, double* __restrict__ time, int* __restrict__ row,
    long long* __restrict__ spike) {
    const long long i = GLOBAL_THREAD;
    if (i <= groups.n_samples) offsets[i] = groups.first[i * groups.n_rows];
    if (i >= n) return;
    time[i] = groups.time[order[i]];
    row[i] = groups.row[order[i]];
    spike[i] = groups.spike[order[i]];
}

// Per neuron of a source the sum of the values of its spikes: samples ascending, in each in order.
extern "C" __global__ void sum_by_row(
    const long long size, const long long row,
    const long long base,  // numbers of the source's first row and of its first spike
    const __grid_constant__ Groups groups, const double* __restrict__ values,
    double* __restrict__ sum) {
    const long long j = GLOBAL_THREAD;
    if (j >= size) return;
    double total = 0.0;
    for (long long s = 0; s < groups.n_samples; ++s) {
        const long long group = s * groups.n_rows + row + j, end = groups.first[group + 1];
        for (long long i = groups.first[group]; i < end; ++i) total += values[groups.spike[i] - base];
    }
    sum[j] = total;
}

// One arrival per spike and synapse of its source: 32 threads write those of one spike. Arrivals
// before the begin or not before the end of their sample get a pair behind all others and sort last.
extern "C" __global__ void expand_arrivals(
    const long long n_spikes, const int n_neurons, const __grid_constant__ Groups groups,
    const long long* __restrict__ to,  // number of the first arrival of each spike
    const __grid_constant__ FanOut fan, const double* __restrict__ begin,
    const double* __restrict__ duration, const __grid_constant__ Expanded arrivals) {
    const long long i = GLOBAL_THREAD / 32;
    if (i >= n_spikes) return;
    const int row = groups.row[i], s = groups.sample[i];
    const long long low = fan.start[row], high = fan.start[row + 1];
    const long long nowhere = (long long)groups.n_samples * n_neurons;
    for (long long k = low + THREAD % 32; k < high; k += 32) {
        const long long into = to[i] + (k - low);
        const double t = groups.time[i] + fan.delay[k];
        const bool met = t >= begin[s] && t < duration[s];
        arrivals.time[into] = t;
        arrivals.pair[into] = met ? (long long)s * n_neurons + fan.target[k] : nowhere;
        arrivals.synapse[into] = (int)k;
    }
}

// Per synapse the sum over its arrivals: samples ascending, in each from the last to the first.
extern "C" __global__ void sum_by_synapse(
    const long long n_synapses, const int* __restrict__ row, const long long* __restrict__ out_start,
    // spikes, and the first arrival of each
    const __grid_constant__ Groups groups, const long long* __restrict__ to,
    const __grid_constant__ ArrivalsFound found, double* __restrict__ by_weight,
    double* __restrict__ by_delay) {
    const long long k = GLOBAL_THREAD;
    if (k >= n_synapses) return;
    const long long place = k - out_start[row[k]];
    REAL weight = REAL_(0.0);
    double effect = 0.0;
    for (long long s = 0; s < groups.n_samples; ++s) {
        const long long group = s * groups.n_rows + row[k], first = groups.first[group];
        for (long long i = groups.first[group + 1] - 1; i >= first; --i) {
            weight += found.by_arrival[to[i] + place];
            effect += (double)found.later[to[i] + place];
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
