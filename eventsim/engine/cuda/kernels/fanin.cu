// A layer in which every neuron walks the arrivals of its own sources: sparse, or delayed apart.
//
// Parallel over   one thread per (sample, neuron).
// Before          arrivals grouped by (sample, neuron) in order of time, then of source row; all
//                 before the end of their sample. own_delay = 0: no self-connection that returns
//                 later than its spike.
// After           forward: as shared.cu. Backward: by_arrival = dL/d(scaled weight), later = dL/dt
//                 of every arrival, at the place it had before it was sorted; sums per pair.
// Twin            kernels/cpu/fanin, engine/reference/layer.py
// Needs           walk.cuh
//
// Roofline        20 bytes per arrival (time, synapse, weight), one interval of about 50 operations
//                 with far terms: memory limits it, and so does the divergence of lists of unequal
//                 length.

extern "C" __global__ void fanin_forward(
    const long long n_pairs, const __grid_constant__ Arrivals arrivals,
    const REAL* __restrict__ weight, const __grid_constant__ Members members,
    const __grid_constant__ Returns self,
    // state to start from, and the one after the last arrivals
    const __grid_constant__ Stop begin, const __grid_constant__ Stop end,
    const __grid_constant__ Buffers into) {
    const long long pair = GLOBAL_THREAD;
    if (pair >= n_pairs || into.limit[pair] < 0) return;
    const int n_neurons = members.n, n = (int)(pair % n_neurons);
    const Neuron neuron = neuron_at(members, n);
    const Written out = written_at(into, pair);
    const double t_end = arrivals.duration[pair / n_neurons], delay = self.delay[n];
    const bool returns = delay > 0.0;
    Cell cell = cell_from(begin, pair);
    long long early = self.first[pair];
    const long long n_early = self.first[pair + 1];
    long long i = arrivals.first[pair];
    const long long last = arrivals.first[pair + 1];
    int returned = 0;
    bool good = true;
    while (cell.t < t_end) {
        double until = i < last ? arrivals.time[i] : t_end;
        if (early < n_early) {
            const double back = self.early[early] + delay;
            until = back < until ? back : until;
        } else if (returns && returned < cell.count) {
            if (returned >= out.limit) break;  // its time was not kept: run again with more room
            const double back = out.time[returned] + delay;
            until = back < until ? back : until;
        }
        good = walk(neuron, cell, until, out, returns);
        if (!good) break;
        if (cell.t < until) continue;
        for (; i < last && arrivals.time[i] == cell.t; ++i) {
            cell.j = cell.j + weight[arrivals.synapse[i]];
            arrived(cell, cell.t);
        }
        for (; early < n_early && self.early[early] + delay == cell.t; ++early)
            cell.j = cell.j + self.weight[n];
        while (returns && returned < cell.count && returned < out.limit &&
               out.time[returned] + delay == cell.t) {
            cell.j = cell.j + self.weight[n];
            ++returned;
        }
        if (cell.t < t_end) keep(end, pair, cell, cell.t);
    }
    into.counts[pair] = good ? cell.count : -1;
    if (!good) into.reached[pair] = cell.t;
}

extern "C" __global__ void fanin_backward(
    const long long n_pairs, const __grid_constant__ Arrivals arrivals,
    const REAL* __restrict__ weight, const __grid_constant__ Members members,
    const __grid_constant__ Returns self, const __grid_constant__ Tape tape,
    const __grid_constant__ WayBack way, const __grid_constant__ ArrivalsFound found) {
    const long long pair = GLOBAL_THREAD;
    if (pair >= n_pairs) return;
    const int n_neurons = members.n, n = (int)(pair % n_neurons);
    const Neuron neuron = neuron_at(members, n);
    const long long sample = pair / n_neurons;
    Back back = back_from(tape, tape.first[pair], tape.first[pair + 1], neuron, way, sample, n,
                          n_neurons);
    const double t_begin = begin_of(way, sample), t_end = arrivals.duration[sample],
                 delay = self.delay[n];
    Gradients<double> g;
    Adjoint<REAL> a = carried_at(way, sample, n, n_neurons);
    // Spikes whose return is still to be met on the way back: up to `own`.
    long long own = tape.first[delay > 0.0 ? pair + 1 : pair] - 1;
    while (own >= back.first && tape.time[own] + delay >= t_end) --own;
    const long long first = arrivals.first[pair];
    long long i = arrivals.first[pair + 1] - 1;
    double t = t_end;
    int met = MOST;  // arrivals since the adjoint at t was found
    while (i >= first || own >= back.first) {
        const double external = i >= first ? arrivals.time[i] : -1.0;
        const double internal = own >= back.first ? tape.time[own] + delay : -1.0;
        if (i < first && internal < t_begin) break;  // was met in a piece before this one
        const bool returns = internal >= external;  // of equal times, returns come last
        const double t_low = returns ? internal : external;
        // Arrivals between two stops of the neuron, MOST at most, are met from the latest.
        const double at = next_stop(neuron, tape, back);
        Adjoint<REAL> here;
        if (met == MOST || at >= t_low) {
            walk_back(neuron, a, t, t_low, tape, back, g);
            t = t_low;
            here = a;
            met = 0;
        } else {
            const REAL h = (REAL)(t - t_low);
            here = pull_back(h, far_adjoint(h, neuron.rates), a);
        }
        ++met;
        const REAL w = returns ? self.weight[n] : weight[arrivals.synapse[i]];
        const REAL effect = w * (neuron.rates.syn * here.beta - neuron.rates.mem * here.alpha);
        g.sums[BY_DRIVE] += (double)(w * here.beta);
        g.sums[BY_MEM] += (double)(w * here.beta_mem);
        g.sums[BY_SYN] += (double)(w * here.beta_syn);
        if (returns) {
            g.own[BY_SELF] += (double)here.beta;
            g.own[BY_SELF_DELAY] += (double)effect;
            tape.through[own] += (double)effect;
            --own;
        } else {
            found.by_arrival[arrivals.origin[i]] = here.beta;
            found.later[arrivals.origin[i]] = effect;
            --i;
        }
    }
    walk_back(neuron, a, t, t_begin, tape, back, g);
    if (way.starts) end_at_start(neuron, a, g);
    carry(way, sample, n, n_neurons, a);
#if ADAPTIVE
    carry(way, sample, n, n_neurons, back.adapted);
#endif
    double* const out = found.sums + sample * (N_SUMS + N_OWN) * n_neurons + n;
    for (int k = 0; k < N_SUMS; ++k) out[k * n_neurons] = g.sums[k];
    for (int k = 0; k < N_OWN; ++k) out[(N_SUMS + k) * n_neurons] = g.own[k];
    found.grazes[pair] = g.grazes;
}
