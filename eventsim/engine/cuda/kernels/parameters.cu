// Tables of the neurons' parameters for layers, and gradients by the parameters; one thread per neuron,
// or per pair (sample, neuron).
//
// Before          arrays float64.
// Twin            eventsim/engine/contract/table.py: neuron_table, start_voltage, layer_gradients. All rows have
//                 the same operations in the same order but PEAK, whose logarithm and exponential
//                 are made of exact operations here.
// Needs           the text in double precision; begin_pairs that of the state

#define TABLE_ROWS 11

extern "C" __global__ void make_table(
    const double alert_margin, const __grid_constant__ Parameters p, const __grid_constant__ Own own,
    // rows of the neuron table, and the voltage at time zero
    const __grid_constant__ Table into) {
    const int n = (int)GLOBAL_THREAD, n_neurons = p.n;
    if (n >= n_neurons) return;
    const double a = 1.0 / p.tau_mem[n], b = 1.0 / p.tau_syn[n], u = (b - a) / a;
    const double level = p.threshold[n] - p.v_leak[n], reset = p.v_reset[n] - p.v_leak[n];
    const double later = own.delay ? own.delay[own.by_neuron ? n : 0] : 0.0;
    const double weight = own.weight ? own.weight[n] : 0.0;
    double row[TABLE_ROWS];
    row[SLOW] = a < b ? a : b;
    row[GAP] = b - a;
    row[RATE_MEM] = a;
    row[LEVEL] = level;
    row[ALERT] = level - alert_margin * (fabs(level) + fabs(reset));
    row[PEAK] = (double)decay((REAL)((1.0 + u) * log_ratio((REAL)u)));
    row[RATE_SYN] = b;
    row[RESET] = reset;
    row[SELF] = later == 0.0 ? p.resistance[n] * weight : 0.0;
    row[INSTANT] = later == 0.0 ? 1.0 : 0.0;
    row[TABLE_ROWS - 1] = level <= 0.0 ? reset : 0.0;
    for (int k = 0; k < TABLE_ROWS; ++k) {
        const long long place = (long long)k * n_neurons + n;
        if (into.rounded) into.rounded[place] = (float)row[k]; else into.values[place] = row[k];
    }
}

// The state at time zero, where all else is zero: at rest, or reset, and not held.
extern "C" __global__ void begin_pairs(
    const long long n_pairs, const int n_neurons, const REAL* __restrict__ start,
    REAL* __restrict__ v, double* __restrict__ until) {
    const long long i = GLOBAL_THREAD;
    if (i >= n_pairs) return;
    v[i] = REAL_(0.0) + start[i % n_neurons];
    until[i] = -1.0;
}

// Gradients by what is trained of a neuron, from sums over its spikes.
extern "C" __global__ void neuron_gradients(
    const int n_neurons, const double* __restrict__ tau_mem, const double* __restrict__ tau_syn,
    const double* __restrict__ resistance,
    // [N_SUMS + N_OWN, n_neurons], as in engine/contract/table.py
    const double* __restrict__ sums,
    // by tau_mem, tau_syn, resistance, v_leak, self-weight
    double* __restrict__ gradient) {
    const long long n = GLOBAL_THREAD, size = n_neurons;
    if (n >= size) return;
    const double* const own = sums + N_SUMS * size;
    const double by_level = own[BY_LEVEL * size + n], by_reset = own[BY_RESET * size + n];
    gradient[n] = -sums[BY_MEM * size + n] / (tau_mem[n] * tau_mem[n]);
    gradient[size + n] = -sums[BY_SYN * size + n] / (tau_syn[n] * tau_syn[n]);
    gradient[2 * size + n] = sums[BY_DRIVE * size + n] / resistance[n];
    gradient[3 * size + n] = -by_level - by_reset;
    gradient[4 * size + n] = own[BY_SELF * size + n] * resistance[n];
}
