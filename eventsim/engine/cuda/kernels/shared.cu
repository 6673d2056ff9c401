// Forward pass of a layer whose neurons all meet the same events.
//
// Parallel over   (sample, tile of neurons): one block; one thread per neuron walks all events of
//                 its sample. blockDim.x neurons make a tile.
// Before          events sorted by time inside each sample. limit < 0: the pair has been run
//                 already.
// After           count[s, n] = spikes of the neuron, also past its limit; the first `limit` of
//                 them at start[s, n] and on, ascending. count = -1 after a run-away, at `reached`.
// Twin            engine/cpu/shared.py, engine/reference/layer.py
// Needs           walk.cuh; shared memory as in engine/cuda/shared.py
//
// Roofline        one neuron and event with near terms (single precision, no candidate): about 34
//                 multiplications and fused operations, 16 additions, comparisons and selections,
//                 and 4 bytes of weights from the second-level cache (a row is shared by all
//                 samples; 12 bytes of event are read once per tile). That is about 12 operations
//                 a byte: arithmetic, not memory, limits it.

// Events staged at a time.
#define FORWARD_EVENTS 128

// Number of the first event in [lo, hi) at or after the end; events are sorted by time.
DEVICE long long first_after(const double* times, long long lo, long long hi, double end) {
    while (lo < hi) {
        const long long middle = lo + (hi - lo) / 2;
        if (times[middle] < end) lo = middle + 1; else hi = middle;
    }
    return lo;
}

// One interval of h ms to `until`, at whose end an event of weight w arrives.
DEVICE bool advance(const Neuron& n, Cell& c, const Written& out, REAL h, bool near_holds,
                    double before, double until, REAL w) {
    const Map m = near_holds ? near_forward(h, n.rates) : far_forward(h, n.rates);
    const REAL v_end = fused(m.gain, c.j, m.x * c.v), j_end = m.y * c.j;
    const REAL top = highest(c.v, c.j, v_end, j_end, h, n.rates.mem, n.peak);
    if (c.held < 0 && !(top >= n.level)) {
        c.v = flush(v_end);
        c.j = flush(j_end + w);
        return true;
    }
    c.t = before;
    const bool good = walk(n, c, until, out, false);
    c.j = c.j + w;
    return good;
}

extern "C" __global__ void shared_forward(
    // sizes
    const int n_neurons,
    // events: first of every sample, times in ms, rows of the weights
    const long long* __restrict__ offsets, const double* __restrict__ times,
    const int* __restrict__ rows, const double* __restrict__ duration,
    // weights [rows, n_neurons], parameters [N_PAR, n_neurons], ms
    const REAL* __restrict__ weights, const REAL* __restrict__ par,
    const double* __restrict__ refractory, const REAL fastest,
    // where spikes go, per (sample, neuron)
    const long long* __restrict__ start, const int* __restrict__ limit,
    // results
    double* __restrict__ time, REAL* __restrict__ current, REAL* __restrict__ restart,
    int* __restrict__ count, double* __restrict__ reached) {
    SHARED_MEMORY(memory);
    double* const event_time = (double*)memory;  // [FORWARD_EVENTS + 1]: that of the one before first
    REAL* const gap = (REAL*)(event_time + FORWARD_EVENTS + 1);
    int* const row = (int*)(gap + FORWARD_EVENTS);

    const int n_tiles = (n_neurons + blockDim.x - 1) / blockDim.x;
    const int sample = (int)(BLOCK / n_tiles);
    const int me = (int)(BLOCK % n_tiles) * blockDim.x + THREAD;
    const long long pair = (long long)sample * n_neurons + me;
    const bool mine = me < n_neurons && limit[pair] >= 0;
    if (!__syncthreads_or(mine)) return;

    const int n = me < n_neurons ? me : n_neurons - 1;
    const Neuron neuron = neuron_at(par, refractory, n, n_neurons);
    Written out = {time, current, restart, 0};
    if (mine) {
        const long long at = start[pair];
        out = {time + at, current + at, restart + at, limit[pair]};
    }
    Cell cell = cell_at_start(neuron);
    const double t_end = duration[sample];
    const long long lo = offsets[sample];
    const long long hi = first_after(times, lo, offsets[sample + 1], t_end);
    bool good = true;
    double before = 0.0;
    for (long long base = lo; base < hi; base += FORWARD_EVENTS) {
        const int m = (int)(hi - base < FORWARD_EVENTS ? hi - base : FORWARD_EVENTS);
        for (int i = THREAD; i < m; i += blockDim.x) {
            const double t = times[base + i], last = base + i > lo ? times[base + i - 1] : 0.0;
            event_time[i + 1] = t;
            gap[i] = (REAL)(t - last);
            row[i] = rows[base + i];
        }
        if (THREAD == 0) event_time[0] = before;
        __syncthreads();
        REAL w_next = weights[(long long)row[0] * n_neurons + n];
        for (int i = 0; i < m; ++i) {
            const REAL w = w_next, h = gap[i];
            w_next = weights[(long long)row[i + 1 < m ? i + 1 : i] * n_neurons + n];
            if (mine && good)
                good = advance(neuron, cell, out, h, fastest * h <= SMALL_Z, event_time[i],
                               event_time[i + 1], w);
        }
        before = event_time[m];
        __syncthreads();
    }
    if (!mine) return;
    if (good && before < t_end) {
        const REAL h = (REAL)(t_end - before);
        good = advance(neuron, cell, out, h, fastest * h <= SMALL_Z, before, t_end, REAL_(0.0));
    }
    count[pair] = good ? cell.count : -1;
    if (!good) reached[pair] = cell.t;
}
