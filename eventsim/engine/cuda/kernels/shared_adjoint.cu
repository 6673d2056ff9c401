// Backward pass of a layer whose neurons all meet the same events.
//
// Parallel over   (chunk of samples, tile of neurons): one block takes the samples of its chunk one
//                 after the other, one thread per neuron. A weight's gradient within a chunk is
//                 summed by one thread in the order of the events: no atomics, the same bits in
//                 every run. TILE is a multiple of 32.
// Before          as shared.cu; spikes grouped by (sample, neuron), ascending; all sums zero.
// After           by_weight[chunk] = dL/d(scaled weight); effects[tile] = dL/dt of the tile's share
//                 of every event before the end of its sample; sums, own, grazes per chunk.
// Twin            kernels/cpu/dense/backward.hpp, engine/reference/layer_adjoint.py. The effect of an
//                 event is summed over neurons in another order than there.
// Needs           walk.cuh, neuron/adjoint_series.hpp; shared memory: StagedArrivals
//
// Roofline        one neuron and event of a full stretch: about 20 fused operations in single
//                 precision, 4 bytes of weights, 8 bytes of read and written sums, all from the
//                 second-level cache while a chunk's sums fit it. Not measured on a device.

// Arrivals of one stretch in shared memory, the latest first.
struct StagedArrivals {
    double time[MOST];        // ms
    REAL p[MOST];             // of the first term
    REAL u[MOST];
    REAL effect[MOST][TILE];  // dL/dt at every thread's neuron
    int place[MOST];          // first column of the row
    int inside[MOST];         // whether the stretch reaches it
};

// Sum over the block's neurons of effect[event][neuron], one event per warp at a time.
DEVICE void sum_effects(const StagedArrivals& arrivals, int n_events, REAL* out, long long top) {
    const int lane = THREAD & 31;
    for (int i = THREAD >> 5; i < n_events; i += TILE / 32) {
        REAL total = REAL_(0.0);
        for (int k = lane; k < TILE; k += 32) total += arrivals.effect[i][k];
        for (int k = 16; k > 0; k >>= 1) total += __shfl_xor_sync(0xffffffffu, total, k);
        if (lane == 0) out[top - i] = total;
    }
}

// A neuron, if `mine`: its series, its weights and what is found of them, by row. A stretch has so many
// arrivals.
struct Meeting {
    StagedArrivals& arrivals;
    REAL middle, per_length;
    const Series<REAL>& series;
    Given<REAL> column;
    REAL* slab;
    bool mine;
    int n_arrivals;
};

// The arrivals from the k-th on that lie after `after`, with the state at `back` ms before the
// stretch's latest arrival. A thread without a neuron has a state of zeros. Returns the next one.
DEVICE int meet_arrivals(int k, double after, REAL back, const Adjoint<REAL>& a, REAL rate_syn,
                         const Meeting& x, REAL* sums) {
    StagedArrivals& arrivals = x.arrivals;
    const Series<REAL>& s = x.series;
    const int m = x.n_arrivals;
    if (k >= m || arrivals.time[k] <= after) return k;
    const REAL grow = REAL_(1.0) / decay(x.middle * back), start = back * x.per_length;
    const REAL alpha = a.alpha * grow, beta = a.beta * grow;
    const Opened<REAL> open = opened(s, alpha, beta, rate_syn);
    REAL moments[TERMS<REAL>];
    for (int q = 0; q < TERMS<REAL>; ++q) moments[q] = REAL_(0.0);
    for (; k < m && arrivals.time[k] > after; ++k) {
        const int at = arrivals.place[k];
        const REAL w = x.column[at], u = arrivals.u[k] - start;
        if (x.mine) x.slab[at] = fused(arrivals.p[k], series_at(open.betas, u), x.slab[at]);
        REAL p = arrivals.p[k];
        for (int q = 0; q < TERMS<REAL>; ++q) {
            moments[q] = fused(w, p, moments[q]);
            p = p * u;
        }
        arrivals.effect[k][THREAD] = arrivals.p[k] * (w * series_at(open.laters, u));
    }
    const Adjoint<REAL> grown = {alpha, beta, a.alpha_mem * grow, a.beta_mem * grow,
                                 a.beta_syn * grow};
    const ByRates<REAL> gained = by_rates(s, moments, grown);
    sums[BY_MEM] += gained.mem;
    sums[BY_SYN] += gained.syn;
    return k;
}

// The neuron goes back over a stretch, from t to `low`.
DEVICE void go_back(const Neuron& neuron, const Tape& tape, Back& back, Adjoint<REAL>& a,
                    Gradients<REAL>& g, const Meeting& x, double t, double low) {
    double since = t;
    for (int k = 0;;) {
        const double at = next_stop(neuron, tape, back);
        const bool stops = at >= low;
        const double until = stops ? at : low;
        k = meet_arrivals(k, stops ? at : -1.0, (REAL)(t - since), a, neuron.rates.syn, x, g.sums);
        const REAL h = (REAL)(since - until);
        a = pull_back(h, far_adjoint(h, neuron.rates), a);
        since = until;
        if (!stops) return;
        // Without a hold the restart and its spike are at one time.
        while (next_stop(neuron, tape, back) >= until) meet(neuron, a, tape, back, g);
    }
}

// The first threads stage an arrival each, which is there if `any`; the latest is at t.
DEVICE void stage(const Meeting& x, double time, int place, bool any, double t, REAL longest) {
    const REAL s = any ? (REAL)(t - time) : REAL_(0.0);
    x.arrivals.time[THREAD] = any ? time : 0.0;
    x.arrivals.place[THREAD] = any ? place : 0;
    x.arrivals.p[THREAD] = decay(x.middle * s);
    x.arrivals.u[THREAD] = s * x.per_length;
    x.arrivals.inside[THREAD] = any && s <= longest;
}

extern "C" __global__ void
__launch_bounds__(TILE, SINGLE ? 8 - 2 * ADAPTIVE : 4 - ADAPTIVE) shared_backward(
    const __grid_constant__ Chunks chunks, const __grid_constant__ Events events,
    const REAL* __restrict__ weights, const __grid_constant__ Members members,
    const __grid_constant__ Tape tape, const __grid_constant__ WayBack way,
    const __grid_constant__ LayerFound found) {
    SHARED_MEMORY(memory);
    StagedArrivals& arrivals = *(StagedArrivals*)memory;

    const int n_neurons = members.n, n_rows = found.n_rows, n_tiles = (n_neurons + TILE - 1) / TILE;
    const long long chunk = BLOCK / n_tiles;
    const int tile = (int)(BLOCK % n_tiles);
    const int me = tile * TILE + THREAD;
    const bool mine = me < n_neurons;
    const int n = mine ? me : n_neurons - 1;
    const Neuron neuron = neuron_at(members, n);
    const Given<REAL> column = {weights + n};
    REAL* const slab = found.by_weight + chunk * n_rows * n_neurons + n;
    const Series<REAL> series = series_of(neuron.rates.mem, neuron.rates.syn, chunks.middle, chunks.length);
    const REAL longest = (REAL)chunks.length, per_length = REAL_(1.0) / longest;
    Gradients<REAL> g;
    double total[N_SUMS] = {0.0, 0.0, 0.0};

    for (long long sample = chunks.bounds[chunk]; sample < chunks.bounds[chunk + 1]; ++sample) {
        const long long pair = sample * n_neurons + n;
        Back back = back_from(tape, tape.first[pair], tape.first[mine ? pair + 1 : pair], neuron,
                              way, sample, n, n_neurons);
        Adjoint<REAL> a = {REAL_(0.0), REAL_(0.0), REAL_(0.0), REAL_(0.0), REAL_(0.0)};
        if (mine) a = carried_at(way, sample, n, n_neurons);
        for (int i = 0; i < N_SUMS; ++i) g.sums[i] = REAL_(0.0);
        const double t_end = events.duration[sample];
        const long long lo = events.offsets[sample];
        const long long hi = first_after(events.time, lo, events.offsets[sample + 1], t_end);
        double t = t_end;
        long long top = hi;
        Meeting x = {arrivals, (REAL)chunks.middle, per_length, series, column, slab, mine, 0};
        for (int& m = x.n_arrivals;;) {
            const double t_low = top - m > lo ? events.time[top - m - 1] : begin_of(way, sample);
            go_back(neuron, tape, back, a, g, x, t, t_low);
            __syncthreads();
            sum_effects(arrivals, m, found.effects + tile * events.n, top - 1);
            __syncthreads();
            top -= m;
            if (top == lo) break;
            t = t_low;
            if (THREAD < MOST) {
                const long long event = top - 1 - THREAD;
                const bool any = event >= lo;
                stage(x, any ? events.time[event] : 0.0, any ? events.row[event] * n_neurons : 0, any, t,
                      longest);
            }
            __syncthreads();
            for (m = 0; m < MOST && arrivals.inside[m];) ++m;
        }
        if (way.starts) end_at_start(neuron, a, g);
        if (mine) carry(way, sample, n, n_neurons, a);
#if ADAPTIVE
        if (mine) carry(way, sample, n, n_neurons, back.adapted);
#endif
        for (int i = 0; i < N_SUMS; ++i) total[i] += (double)g.sums[i];
    }
    if (!mine) return;
    // The sum over arrivals of weight times beta.
    for (int row = 0; row < n_rows; ++row)
        total[BY_DRIVE] += (double)column[row * n_neurons] * (double)slab[row * n_neurons];
    double* const out = found.sums + chunk * (N_SUMS + N_OWN) * n_neurons + n;
    for (int i = 0; i < N_SUMS; ++i) out[i * n_neurons] = total[i];
    for (int i = 0; i < N_OWN; ++i) out[(N_SUMS + i) * n_neurons] = g.own[i];
    found.grazes[chunk * n_neurons + n] = g.grazes;
}
