// Forward pass of a layer whose neurons all meet the same events.
//
// Parallel over   (sample, tile of neurons): one block; one thread per neuron walks all events of
//                 its sample. TILE neurons make a tile.
// Before          events that are not all met in the state, sorted by time inside each sample.
//                 limit < 0: the pair has been run already.
// After           counts[s, n] = spikes of the neuron, also past its limit; the first `limit` of
//                 them at start[s, n] and on, ascending. counts = -1 after a run-away, at `reached`.
// Twin            kernels/cpu/dense/forward.hpp, engine/reference/layer.py
// Needs           stretch.cuh; shared memory: StagedEvents
//
// Roofline        one neuron and stretch of four arrivals with near terms (single precision, nobody
//                 fires): about 100 multiplications, fused operations, comparisons and selections,
//                 16 bytes of weights from the second-level cache (a row is shared by all samples),
//                 and what all threads do alike to find the stretch. Arithmetic, not memory, limits
//                 it. Nothing of this was measured on a device.

// Events staged by a block in shared memory.
struct StagedEvents {
    double time[FORWARD_EVENTS];  // ms
    int row[FORWARD_EVENTS];
};

// Number of the first event in [lo, hi) at or after the end; events are sorted by time.
DEVICE long long first_after(Given<double> times, long long lo, long long hi, double end) {
    return first_where(lo, hi, [&](long long i) { return times[i] >= end; });
}

extern "C" __global__ void
__launch_bounds__(TILE, SINGLE ? 8 - 2 * ADAPTIVE : 4 - ADAPTIVE) shared_forward(
    const __grid_constant__ Events events, const REAL* __restrict__ weights,
    const __grid_constant__ Members members, const REAL fastest,
    // state to start from, and the one after the last arrivals
    const __grid_constant__ Stop begin, const __grid_constant__ Stop stop,
    const __grid_constant__ Buffers into) {
    SHARED_MEMORY(memory);
    StagedEvents& staged = *(StagedEvents*)memory;

    const int n_neurons = members.n, n_tiles = (n_neurons + TILE - 1) / TILE;
    const int sample = (int)(BLOCK / n_tiles);
    const int me = (int)(BLOCK % n_tiles) * TILE + THREAD;
    const long long pair = (long long)sample * n_neurons + me;
    const bool mine = me < n_neurons && into.limit[pair] >= 0;
    if (!__syncthreads_or(mine)) return;

    const int n = me < n_neurons ? me : n_neurons - 1;
    const Given<REAL> column = {weights + n};
    Neuron neuron = neuron_at(members, n);
    Written out = {into.time, into.current, into.restart, 0};
    if (mine)
        out = written_at(into, pair);
    else
        neuron.alert = Exponent<REAL>::unreachable;
    Cell cell = cell_from(begin, (long long)sample * n_neurons + n);
    const double t_end = events.duration[sample];
    // Staged events are loaded one by one: several at once would take registers.
    const double* const times = events.time;
    const int* const rows = events.row;
    const long long lo = events.offsets[sample];
    const long long end = first_after(events.time, lo, events.offsets[sample + 1], t_end);
    const REAL longest = REAL_(SPAN) / fastest;
    const Answer<REAL> answer = answer_of(neuron.rates.mem, neuron.rates.syn, longest);
    double failed = -1.0, t = begin.time[(long long)sample * n_neurons];  // of all neurons
    long long next = lo + events.skip[sample];
    bool ends = !(t < t_end);
    if (ends && me == 0) events.met[sample] = events.skip[sample];
    while (!ends) {
        SampleEvents ahead = {events.time, events.row, staged.time, staged.row, next, end, 0};
        ahead.staged = end - next < FORWARD_EVENTS ? (int)(end - next) : FORWARD_EVENTS;
        for (int i = THREAD; i < ahead.staged; i += TILE) {
            staged.time[i] = times[next + i];
            staged.row[i] = rows[next + i];
        }
        __syncthreads();
        do {
            const long long first = next;
            const Stretch stretch = fill(ahead, next, t_end, column, n_neurons, longest);
            ends = stretch.ends;
            if (ends && mine) keep(stop, pair, cell, t);
            if (ends && me == 0) events.met[sample] = first - lo;
            if (!meet(neuron, answer, cell, out, stretch, t, fastest)) {
                failed = cell.t;
                neuron.alert = Exponent<REAL>::unreachable;  // the others go on
                cell.held = -1;
            }
            t = stretch.time[ITEMS - 1];
        } while (!ends && next < ahead.base + ahead.staged);
        __syncthreads();
    }
    if (!mine) return;
    into.counts[pair] = failed < 0.0 ? cell.count : -1;
    into.reached[pair] = failed;
}
