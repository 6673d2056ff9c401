// Backward pass of a layer whose neurons all meet the same events.
//
// Parallel over   (chunk of samples, tile of neurons): one block takes the samples of its chunk one
//                 after the other, one thread per neuron. A weight's gradient within a chunk is
//                 summed by one thread in the order of the events: no atomics, the same bits in
//                 every run. TILE is a multiple of 32.
// Before          as shared.cu; spikes grouped by (sample, neuron), ascending; all sums zero.
// After           by_weight[chunk] = dL/d(scaled weight); effects[tile] = dL/dt of the tile's share
//                 of every event before the end of its sample; sums, own, grazes per chunk.
// Twin            engine/cpu/shared_adjoint.py, engine/reference/layer_adjoint.py. The effect of an
//                 event is summed over neurons in another order than there.
// Needs           walk.cuh; shared memory as in engine/cuda/shared.py
//
// Roofline        one neuron and event with near terms: about 85 multiplications, fused operations
//                 and additions, 20 selections, 4 bytes of weights, 8 bytes of read and written
//                 sums, all from the second-level cache while a chunk's sums fit it.
//                 Machine code (sm_90, single): about 125 instructions on that path, no spill: at most
//                 2e11 neuron-events a second by the same count. Not measured on a device.

// Sum over the block's neurons of effect[event][neuron], one event per warp at a time.
DEVICE void sum_effects(const REAL* effect, int n_events, REAL* out, long long top) {
    const int lane = THREAD & 31;
    for (int i = THREAD >> 5; i < n_events; i += TILE / 32) {
        REAL total = REAL_(0.0);
        for (int k = lane; k < TILE; k += 32) total += effect[i * TILE + k];
        for (int k = 16; k > 0; k >>= 1) total += __shfl_xor_sync(0xffffffffu, total, k);
        if (lane == 0) out[top - i] = total;
    }
}

extern "C" __global__ void __launch_bounds__(TILE, 8) shared_backward(
    // sizes
    const int n_neurons, const int n_rows, const long long n_events,
    // samples of every chunk
    const long long* __restrict__ bounds,
    // events, weights and parameters as in shared_forward
    const long long* __restrict__ offsets, const double* __restrict__ times,
    const int* __restrict__ rows, const double* __restrict__ duration,
    const REAL* __restrict__ weights, const REAL* __restrict__ par,
    const double* __restrict__ refractory, const REAL fastest,
    // tape, grouped by (sample, neuron)
    const long long* __restrict__ spike_first, const double* __restrict__ spike_time,
    const REAL* __restrict__ spike_current, const REAL* __restrict__ spike_restart,
    const double* __restrict__ by_time, const REAL* __restrict__ by_voltage, double* through,
    // results: [chunks, n_rows, n_neurons], [tiles, events], [chunks, N_SUMS + N_OWN, n_neurons],
    // [chunks, n_neurons]
    REAL* by_weight, REAL* __restrict__ effects, double* __restrict__ sums,
    int* __restrict__ grazes) {
    SHARED_MEMORY(memory);
    double* const event_time = (double*)memory;
    REAL* const gap = (REAL*)(event_time + BACKWARD_EVENTS);
    int* const place = (int*)(gap + BACKWARD_EVENTS);  // of the event's row, and one to prefetch
    REAL* const effect = (REAL*)(place + BACKWARD_EVENTS + 2);

    const int n_tiles = (n_neurons + TILE - 1) / TILE;
    const long long chunk = BLOCK / n_tiles;
    const int tile = (int)(BLOCK % n_tiles);
    const int me = tile * TILE + THREAD;
    const bool mine = me < n_neurons;
    const int n = mine ? me : n_neurons - 1;
    const Neuron neuron = neuron_at(par, refractory, n, n_neurons);
    const Tape tape = {spike_time, by_time, spike_current, spike_restart, by_voltage, through};
    const REAL* const column = weights + n;
    REAL* const slab = by_weight + chunk * n_rows * n_neurons + n;
    Gradients<REAL> g;
    for (int i = 0; i < N_OWN; ++i) g.own[i] = 0.0;
    g.grazes = 0;
    double total[N_SUMS] = {0.0, 0.0, 0.0};

    for (long long sample = bounds[chunk]; sample < bounds[chunk + 1]; ++sample) {
        const long long pair = sample * n_neurons + n;
        Back back = back_from(tape, spike_first[pair], mine ? spike_first[pair + 1] : spike_first[pair]);
        Adjoint a = {REAL_(0.0), REAL_(0.0), REAL_(0.0), REAL_(0.0), REAL_(0.0)};
        for (int i = 0; i < N_SUMS; ++i) g.sums[i] = REAL_(0.0);
        const double t_end = duration[sample];
        const long long lo = offsets[sample];
        const long long hi = first_after(times, lo, offsets[sample + 1], t_end);
        double t = t_end;
        for (long long top = hi - 1; top >= lo; top -= BACKWARD_EVENTS) {
            const int m = (int)(top - lo + 1 < BACKWARD_EVENTS ? top - lo + 1 : BACKWARD_EVENTS);
            for (int i = THREAD; i < m; i += TILE) {
                const double low = times[top - i], up = top - i + 1 < hi ? times[top - i + 1] : t_end;
                event_time[i] = low;
                gap[i] = (REAL)(up - low);
                place[i] = rows[top - i] * n_neurons;
            }
            if (THREAD == 0) place[m] = 0;
            __syncthreads();
            int at = place[0];
            REAL w_next = column[at], sum_next = mine ? slab[at] : REAL_(0.0);
            for (int i = 0; i < m; ++i) {
                const REAL w = w_next, sum = sum_next, h = gap[i];
                const double t_low = event_time[i];
                const int here = at;
                at = place[i + 1];
                w_next = column[at];
                if (mine) sum_next = slab[at];
                if (next_stop(neuron, tape, back) >= t_low)
                    walk_back(neuron, a, t, t_low, tape, back, g);
                else if (fastest * h <= SMALL_Z)
                    a = pull_back(h, near_adjoint(h, neuron.rates), a);
                else
                    a = pull_back(h, far_adjoint(h, neuron.rates), a);
                t = t_low;
                const REAL summed = sum + a.beta;
                if (mine) slab[here] = summed;
                if (at == here) sum_next = summed;
                g.sums[BY_DRIVE] += w * a.beta;
                g.sums[BY_MEM] += w * a.beta_mem;
                g.sums[BY_SYN] += w * a.beta_syn;
                const REAL later = w * (neuron.rates.syn * a.beta - neuron.rates.mem * a.alpha);
                effect[i * TILE + THREAD] = mine ? later : REAL_(0.0);
            }
            __syncthreads();
            sum_effects(effect, m, effects + tile * n_events, top);
            __syncthreads();
        }
        if (next_stop(neuron, tape, back) >= 0.0)
            walk_back(neuron, a, t, 0.0, tape, back, g);
        else {
            const REAL h = (REAL)t;
            a = pull_back(h, far_adjoint(h, neuron.rates), a);
        }
        end_at_start(neuron, a, g);
        for (int i = 0; i < N_SUMS; ++i) total[i] += (double)g.sums[i];
    }
    if (!mine) return;
    double* const out = sums + chunk * (N_SUMS + N_OWN) * n_neurons + n;
    for (int i = 0; i < N_SUMS; ++i) out[i * n_neurons] = total[i];
    for (int i = 0; i < N_OWN; ++i) out[(N_SUMS + i) * n_neurons] = g.own[i];
    grazes[chunk * n_neurons + n] = g.grazes;
}
