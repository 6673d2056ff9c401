// Forward pass of a layer whose neurons all meet the same events.
//
// Parallel over   (sample, tile of neurons): one block; one thread per neuron walks all events of
//                 its sample. TILE neurons make a tile.
// Before          events that are not all met in the state, sorted by time inside each sample.
//                 limit < 0: the pair has been run already.
// After           count[s, n] = spikes of the neuron, also past its limit; the first `limit` of
//                 them at start[s, n] and on, ascending. count = -1 after a run-away, at `reached`.
// Twin            kernels/cpu/dense/forward.hpp, engine/reference/layer.py
// Needs           stretch.cuh; shared memory: StagedEvents
//
// Roofline        one neuron and stretch of four arrivals with near terms (single precision, nobody
//                 fires): about 100 multiplications, fused operations, comparisons and selections,
//                 16 bytes of weights from the second-level cache (a row is shared by all samples),
//                 and what all threads do alike to find the stretch. Arithmetic, not memory, limits
//                 it. Nothing of this was measured on a device.

// Those of a block.
struct StagedEvents {
    double time[FORWARD_EVENTS];  // ms
    int row[FORWARD_EVENTS];
};

// Number of the first event in [lo, hi) at or after the end; events are sorted by time.
DEVICE long long first_after(const double* times, long long lo, long long hi, double end) {
    while (lo < hi) {
        const long long middle = lo + (hi - lo) / 2;
        if (times[middle] < end) lo = middle + 1; else hi = middle;
    }
    return lo;
}

extern "C" __global__ void
__launch_bounds__(TILE, SINGLE ? 8 - 2 * ADAPTIVE : 4 - ADAPTIVE) shared_forward(
    const int n_neurons,
    // events: first of every sample, times in ms, rows of the weights
    const long long* __restrict__ offsets, const double* __restrict__ times,
    const int* __restrict__ rows, const double* __restrict__ duration,
    // weights [rows, n_neurons], parameters [N_PAR, n_neurons], and as neuron_at says
    const REAL* __restrict__ weights, const REAL* __restrict__ par,
    const double* __restrict__ refractory, const REAL fastest,
    // state to start from, and the one after the last arrivals
    const __grid_constant__ Stop begin, const __grid_constant__ Stop stop,
    // events of every sample that are met in either
    const long long* __restrict__ skip, long long* __restrict__ met,
    // results
    const __grid_constant__ Buffers into) {
    SHARED_MEMORY(memory);
    StagedEvents& staged = *(StagedEvents*)memory;

    const int n_tiles = (n_neurons + TILE - 1) / TILE;
    const int sample = (int)(BLOCK / n_tiles);
    const int me = (int)(BLOCK % n_tiles) * TILE + THREAD;
    const long long pair = (long long)sample * n_neurons + me;
    const bool mine = me < n_neurons && into.limit[pair] >= 0;
    if (!__syncthreads_or(mine)) return;

    const int n = me < n_neurons ? me : n_neurons - 1;
    const REAL* const column = weights + n;
    Neuron neuron = neuron_at(par, refractory, n, n_neurons);
    Written out = {into.time, into.current, into.restart, 0};
    if (mine)
        out = written_at(into, pair);
    else
        neuron.alert = Exponent<REAL>::unreachable;
    Cell cell = cell_from(begin, (long long)sample * n_neurons + n);
    const double t_end = duration[sample];
    const long long lo = offsets[sample], end = first_after(times, lo, offsets[sample + 1], t_end);
    const REAL longest = REAL_(SPAN) / fastest;
    const Answer<REAL> answer = answer_of(neuron.rates.mem, neuron.rates.syn, longest);
    double failed = -1.0, t = begin.time[(long long)sample * n_neurons];  // of all neurons
    long long next = lo + skip[sample];
    bool ends = !(t < t_end);
    if (ends && me == 0) met[sample] = skip[sample];
    while (!ends) {
        Events events = {times, rows, staged.time, staged.row, next, end, 0};
        events.staged = end - next < FORWARD_EVENTS ? (int)(end - next) : FORWARD_EVENTS;
        for (int i = THREAD; i < events.staged; i += TILE) {
            staged.time[i] = times[next + i];
            staged.row[i] = rows[next + i];
        }
        __syncthreads();
        do {
            const long long first = next;
            const Stretch stretch = fill(events, next, t_end, column, n_neurons, longest);
            ends = stretch.ends;
            if (ends && mine) keep(stop, pair, cell, t);
            if (ends && me == 0) met[sample] = first - lo;
            if (!meet(neuron, answer, cell, out, stretch, t, fastest)) {
                failed = cell.t;
                neuron.alert = Exponent<REAL>::unreachable;  // the others go on
                cell.held = -1;
            }
            t = stretch.time[ITEMS - 1];
        } while (!ends && next < events.base + events.staged);
        __syncthreads();
    }
    if (!mine) return;
    into.count[pair] = failed < 0.0 ? cell.count : -1;
    into.reached[pair] = failed;
}
