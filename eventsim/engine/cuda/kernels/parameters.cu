// What layers take of the parameters of their neurons, and give back by them; one thread per neuron,
// or per pair (sample, neuron).
//
// Before          arrays float64; addresses of arrays that there may not be are 0 then.
// Twin            eventsim/engine/contract/table.py: neuron_table, start_voltage, layer_gradients. All rows have
//                 the same operations in the same order but PEAK, whose logarithm and exponential
//                 are made of exact operations here.
// Needs           the text in double precision; begin_pairs that of the state

#define TABLE_ROWS 11

extern "C" __global__ void make_table(
    const int n_neurons, const double alert_margin,
    const double* __restrict__ tau_mem, const double* __restrict__ tau_syn,
    const double* __restrict__ resistance, const double* __restrict__ threshold,
    const double* __restrict__ v_leak, const double* __restrict__ v_reset,
    // self-connections: addresses, and whether there is a delay for every neuron
    const long long own_weight, const long long own_delay, const int delay_by_neuron,
    // rows of the neuron table, and the voltage at time zero; rounded where the state is single
    const int single, double* __restrict__ table, float* __restrict__ rounded) {
    const int n = (int)GLOBAL_THREAD;
    if (n >= n_neurons) return;
    const double a = 1.0 / tau_mem[n], b = 1.0 / tau_syn[n], u = (b - a) / a;
    const double level = threshold[n] - v_leak[n], reset = v_reset[n] - v_leak[n];
    const double later = own_delay ? ((const double*)own_delay)[delay_by_neuron ? n : 0] : 0.0;
    const double own = own_weight ? ((const double*)own_weight)[n] : 0.0;
    double row[TABLE_ROWS];
    row[SLOW] = a < b ? a : b;
    row[GAP] = b - a;
    row[RATE_MEM] = a;
    row[LEVEL] = level;
    row[ALERT] = level - alert_margin * (fabs(level) + fabs(reset));
    row[PEAK] = (double)decay((REAL)((1.0 + u) * log_ratio((REAL)u)));
    row[RATE_SYN] = b;
    row[RESET] = reset;
    row[SELF] = later == 0.0 ? resistance[n] * own : 0.0;
    row[INSTANT] = later == 0.0 ? 1.0 : 0.0;
    row[TABLE_ROWS - 1] = level <= 0.0 ? reset : 0.0;
    for (int k = 0; k < TABLE_ROWS; ++k) {
        const long long place = (long long)k * n_neurons + n;
        if (single) rounded[place] = (float)row[k]; else table[place] = row[k];
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
