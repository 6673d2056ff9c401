// Forward pass of a layer whose neurons all meet the same events.
//
// Parallel over   (sample, tile of neurons): one block; one thread per neuron walks all events of
//                 its sample. TILE neurons make a tile.
// Before          events after the state's time, sorted by time inside each sample; weights have one row more than there
//                 are sources, all zero. limit < 0: the pair has been run already.
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
//                 Machine code (sm_90, single): about 70 instructions per neuron and event on that
//                 path, 45 of them arithmetic of this type, no spill. 132 multiprocessors that start
//                 four instructions of 32 threads a clock at 1.7 GHz cannot do more than 4e11
//                 neuron-events a second. Nothing of this was measured on a device.


// Number of the first event in [lo, hi) at or after the end; events are sorted by time.
DEVICE long long first_after(const double* times, long long lo, long long hi, double end) {
    while (lo < hi) {
        const long long middle = lo + (hi - lo) / 2;
        if (times[middle] < end) lo = middle + 1; else hi = middle;
    }
    return lo;
}

// One interval of h ms, from around[0] to around[1], at whose end an event of weight w arrives.
// False after a run-away.
DEVICE bool advance(const Neuron& n, Cell& c, const Written& out, REAL h, REAL fastest,
                    const double* around, REAL w) {
    const Map m = fastest * h <= SMALL_Z ? near_forward(h, n.rates) : far_forward(h, n.rates);
    const REAL v_end = fused(m.gain, c.j, m.x * c.v), j_end = m.y * c.j;
    const REAL top = highest(c.v, c.j, v_end, j_end, h, n.rates.mem, n.peak);
    if (c.held < 0 && !(top >= n.alert)) {
        c.v = flush(v_end);
        c.j = flush(j_end + w);
        return true;
    }
    c.t = around[0];
    const bool good = walk(n, c, around[1], out, false);
    c.j = c.j + w;
    return good;
}

extern "C" __global__ void __launch_bounds__(TILE, SINGLE ? 8 : 6) shared_forward(
    const int n_neurons, const int n_rows,
    // events: first of every sample, times in ms, rows of the weights
    const long long* __restrict__ offsets, const double* __restrict__ times,
    const int* __restrict__ rows, const double* __restrict__ duration,
    // weights [n_rows + 1, n_neurons], parameters [N_PAR, n_neurons], ms
    const REAL* __restrict__ weights, const REAL* __restrict__ par,
    const double* __restrict__ refractory, const REAL fastest,
    // state to start from, and the one after the last arrivals, [samples, neurons]
    const double* __restrict__ begin_time, const REAL* __restrict__ begin_v,
    const REAL* __restrict__ begin_j, const double* __restrict__ begin_until,
    double* __restrict__ end_time, REAL* __restrict__ end_v, REAL* __restrict__ end_j,
    double* __restrict__ end_until,
    // where spikes go, per (sample, neuron)
    const long long* __restrict__ start, const int* __restrict__ limit,
    // results
    double* __restrict__ time, REAL* __restrict__ current, REAL* __restrict__ restart,
    int* __restrict__ count, double* __restrict__ reached) {
    SHARED_MEMORY(memory);
    double* const event_time = (double*)memory;  // from the one before the first staged
    REAL* const gap = (REAL*)(event_time + FORWARD_EVENTS + 1);
    int* const place = (int*)(gap + FORWARD_EVENTS);  // of the event's row, and one to prefetch

    const int n_tiles = (n_neurons + TILE - 1) / TILE;
    const int sample = (int)(BLOCK / n_tiles);
    const int me = (int)(BLOCK % n_tiles) * TILE + THREAD;
    const long long pair = (long long)sample * n_neurons + me;
    const bool mine = me < n_neurons && limit[pair] >= 0;
    if (!__syncthreads_or(mine)) return;

    const int n = me < n_neurons ? me : n_neurons - 1;
    const REAL* const column = weights + n;
    Neuron neuron = neuron_at(par, refractory, n, n_neurons);
    Written out = {time, current, restart, 0};
    if (mine) {
        const long long at = start[pair];
        out = {time + at, current + at, restart + at, limit[pair]};
    } else {
        neuron.alert = UNREACHABLE;
    }
    Cell cell = cell_from(begin_time, begin_v, begin_j, begin_until,
                          (long long)sample * n_neurons + n);
    const double t_end = duration[sample];
    const long long lo = offsets[sample];
    const long long hi = first_after(times, lo, offsets[sample + 1], t_end);
    const long long n_intervals = hi - lo + 1;  // the last ends with the sample, and no event
    const double begin = begin_time[(long long)sample * n_neurons];  // of all neurons
    double failed = -1.0, before = begin;
    for (long long base = 0; base < n_intervals;) {
        // The last interval is staged alone: the state before it is kept.
        const long long left = n_intervals - 1 - base;
        const int m = left == 0 ? 1 : left < FORWARD_EVENTS ? (int)left : FORWARD_EVENTS;
        if (left == 0 && mine && before < t_end)
            keep({end_time, end_v, end_j, end_until}, pair, cell, before);
        for (int i = THREAD; i < m; i += TILE) {
            const long long e = lo + base + i;
            const double t = e < hi ? times[e] : t_end, last = e > lo ? times[e - 1] : begin;
            event_time[i + 1] = t;
            gap[i] = (REAL)(t - last);
            place[i] = (e < hi ? rows[e] : n_rows) * n_neurons;
        }
        if (THREAD == 0) {
            event_time[0] = before;
            place[m] = 0;
        }
        __syncthreads();
        REAL w_next = column[place[0]];
        for (int i = 0; i < m; ++i) {
            const REAL w = w_next;
            w_next = column[place[i + 1]];
            if (!advance(neuron, cell, out, gap[i], fastest, event_time + i, w)) {
                failed = cell.t;
                neuron.alert = UNREACHABLE;  // the others go on
                cell.held = -1;
            }
        }
        before = event_time[m];
        base += m;
        __syncthreads();
    }
    if (!mine) return;
    count[pair] = failed < 0.0 ? cell.count : -1;
    reached[pair] = failed;
}
