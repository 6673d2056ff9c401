// Neurons joined in loops, by windows of their least delay.
//
// Parallel over   samples: one block each. The synapses of a bundle, whose targets all differ, are
//                 shared out among its threads, and so are the neurons. Arrivals are put in order by
//                 the first thread. blockDim.x is a multiple of 32, at most 1024.
// Before          as in queue.cu; of outside arrivals and of those on their way as many as the
//                 capacity says may arrive in one window.
// After           as in queue.cu, but the spikes of a window in any order. A sample with more spikes
//                 than its limit stops at the end of the window.
// Twin            kernels/cpu/loop/summed.hpp, the same sums, the same bits; stretches.hpp there, of
//                 neurons that share their events
// Needs           queue.cu, stretch.cuh; shared memory: WindowMemory
//
// Roofline        a window takes a barrier per arrival, and a neuron that goes from arrival to
//                 arrival looks for itself in every bundle: few do. Neurons that share their events
//                 need no barrier within a window.

#define MOST_SUMS (SINGLE ? 8 : 16)

// Memory that the threads of a block share.
struct WindowMemory {
    double times[32];  // of every warp's earliest neuron
    double now;        // ms: begin of the window
    double opens;      // ms: time of its first event
    double border;     // ms: its end
    int neurons[32];
    int n_due, pieces, n_spikes, met, ran_away, verdict, quiet;
};

// Due arrivals of a window of neurons that share their events; `row` of the weights is that of a synapse.
struct DueRows {
    const double* time;
    const long long* first;
    const Given<int> row;
    long long end;
};

DEVICE double time_at(const DueRows& e, long long i) { return e.time[i]; }

DEVICE int row_at(const DueRows& e, long long i) { return e.row[e.first[i]]; }

// Room for the spikes of a sample from several threads.
struct Spikes {
    double* time;
    int* neuron;
    REAL *current, *restart;
    int limit;
    int* count;

    __device__ int add(int n, double t, REAL j, bool held) const {
        const int place = atomicAdd(count, 1);
        if (place < limit) {
            time[place] = t;
            neuron[place] = n;
            current[place] = j;
            restart[place] = held ? not_a_number() : j;
        }
        return place;
    }
    __device__ void let_go(int place, REAL j) const {
        if (place < limit) restart[place] = j;
    }
};

// Room for a neuron's spikes in a loop, and their number in the ms from `since` on.
struct Fired {
    double* time;
    REAL *current, *restart;
    int limit, *neuron, *count, me;
    double* since;
    int* recent;
};

DEVICE int next_place(const Fired& out, const Cell&) {
    const int place = atomicAdd(out.count, 1);
    if (place < out.limit) out.neuron[place] = out.me;
    return place;
}

DEVICE bool runs_away(const Fired& out, const Cell& c) {
    return runs_away(c.t, out.since, out.recent);
}

// The functions of an arrival s ms before the end of its piece; all places are known to the
// compiler, or they would lie in memory.
struct Functions {
    REAL of[MOST_SUMS], s;
};

DEVICE Functions functions(const Windows& w, const Rates<REAL>& r, REAL s) {
    Functions phi;
    phi.s = s;
    const Map<REAL> m = far_forward(s, r);
    const REAL scale = w.reach > 0.0 ? (REAL)(2.0 / w.reach) : REAL_(0.0);
    const REAL u = fused(scale, s, REAL_(-1.0));
    REAL power = REAL_(1.0);
#pragma unroll
    for (int q = 0; q < MOST_SUMS; ++q) {
        phi.of[q] = q < w.n_functions ? power : REAL_(0.0);
        power = power * u;
    }
    if (w.reach == 0.0) {
        phi.of[0] = m.gain;
        phi.of[1] = m.y;
    }
    return phi;
}

DEVICE void add_arrival(const Windows& w, REAL weight, const Functions& phi, REAL* moments) {
    const REAL positive = weight > REAL_(0.0) ? weight : REAL_(0.0);
    const int last = w.width - 1;
#pragma unroll
    for (int q = 0; q < MOST_SUMS; ++q)
        if (q < last) moments[q] = fused(weight, phi.of[q], moments[q]);
    moments[last] = fused(positive, phi.s, moments[last]);
}

// Let the neuron fire and be let go before t and before `stop`. False where it runs away.
DEVICE bool catch_up(const Cells& c, const Neuron& p, int n, double t, double stop,
                     const Spikes& out) {
    const double first = t < stop ? t : stop;
    for (;;) {
        if (c.held[n] >= 0) {
            if (!(c.until[n] < first)) return true;
            free_neuron(c, p, n, out);
        }
        const REAL bound = peak_bound(c.v[n], c.j[n], p.peak);
        if (!(bound >= p.alert)) return true;
        const REAL rise = rise_of(c, p, n, (REAL)(t - c.time[n]), bound);
        if (rise < REAL_(0.0) || !(c.time[n] + (double)rise < first)) return true;
        if (!fire_neuron(c, p, n, rise, out)) return false;
    }
}

// The neuron, one of those of a bundle, is brought to an arrival at t. False where it runs away.
DEVICE bool come_to(const Cells& c, const Neuron& p, int n, double t, const Spikes& out) {
    const REAL h = (REAL)(t - c.time[n]), v = c.v[n], j = c.j[n];
    const Map<REAL> m = far_forward(h, p.rates);
    const REAL v_end = fused(m.gain, j, m.x * v), j_end = m.y * j;
    const bool held = c.held[n] >= 0;
    if (held && c.until[n] >= t) {
        c.v[n] = p.reset;
        c.j[n] = flush(j_end);
        c.time[n] = t;
        return true;
    }
    REAL top = highest(v, j, v_end, j_end, h, p.rates.mem, p.peak);
#if ADAPTIVE
    top = top > v ? top : v;  // a threshold may fall onto v
#endif
    if (held || top >= alert_until(c, p, n, t))
        if (!catch_up(c, p, n, t, t, out)) return false;
    bring(c, p, n, t);
    return true;
}

// The synapse of a bundle whose target is n, or -1; targets ascend.
DEVICE long long synapse_of(const int* target, long long low, long long high, int n) {
    const long long at = first_where(low, high, [&](long long k) { return target[k] >= n; });
    return at < high && target[at] == n ? at : -1;
}

// The bundles due in a piece, its end, and that of the sample.
struct Piece {
    const Bundles& due;
    int first, last;
    double end, stop;
};

// Neuron n goes from arrival to arrival, to the end of a piece. The number of its arrivals, or -1 where
// it runs away.
DEVICE int one_by_one(const Cells& c, const Neuron& p, int n, const Piece& piece, const Loop& loop,
                      const Spikes& out) {
    const Bundles& due = piece.due;
    int met = 0;
    for (int k = piece.first; k < piece.last; ++k) {
        const double t = due.time[k];
        const bool own = due.first[k] >= OWN;
        const long long at = own ? (due.first[k] - OWN == n ? 0 : -1)
                                 : synapse_of(loop.target, due.first[k], due.last[k], n);
        if (at < 0) continue;
        met += 1;
        if (c.time[n] < t) {
            if (own) {
                if (!catch_up(c, p, n, t, t, out)) return -1;
                bring(c, p, n, t);
            } else if (!come_to(c, p, n, t, out)) {
                return -1;
            }
        }
        c.j[n] = c.j[n] + (own ? loop.own_weight[n] : loop.weight[at]);
    }
    if (!catch_up(c, p, n, piece.end, piece.stop, out)) return -1;
    bring(c, p, n, piece.end);
    return met;
}

// Arrivals of other stages that are still to come.
struct Coming {
    const double* time;
    const long long *first, *last;
    long long next, end;
};

// Take the arrivals before the border, in order; their number, or the capacity where there is no room.
DEVICE int take(const Bundles& h, int& waiting, Coming& outside, double border, const Bundles& due) {
    for (int k = 0; k < due.capacity; ++k) {
        const bool inside = waiting > 0 && h.time[0] < border;
        const bool coming = outside.next < outside.end && outside.time[outside.next] < border;
        if (!inside && !coming) return k;
        const long long i = outside.next;
        if (inside && (!coming || h.time[0] < outside.time[i] ||
                       (h.time[0] == outside.time[i] && h.first[0] < outside.first[i]))) {
            due.time[k] = h.time[0];
            due.first[k] = h.first[0];
            due.last[k] = h.last[0];
            pop_entry(h, waiting--);
        } else {
            due.time[k] = outside.time[i];
            due.first[k] = outside.first[i];
            due.last[k] = outside.last[i];
            ++outside.next;
        }
    }
    return due.capacity;
}

// Neuron n at the end of a piece; true where it may fire before or is let go, and stays
// where it is. Its sums are zero again.
DEVICE bool stays(const Cells& c, const Neuron& p, const Windows& w, int n, int n_neurons, double now,
                  double end, REAL* moments) {
    const REAL zero = REAL_(0.0), one = REAL_(1.0), h = (REAL)(end - now);
    const REAL v = c.v[n], j = c.j[n];
    const Map<REAL> m = far_forward(h, p.rates);
    REAL v_end = fused(m.gain, j, m.x * v), j_end = m.y * j;
    const REAL pull = (j > zero ? j : zero) - v;
    const REAL top = fused(p.rates.mem, moments[w.width - 1],
                           fused(one - m.x, pull > zero ? pull : zero, v));
    for (int q = 0; q < w.n_functions; ++q) {
        v_end = fused(w.by_v[q * n_neurons + n], moments[q], v_end);
        j_end = fused(w.by_j[q * n_neurons + n], moments[q], j_end);
    }
    for (int q = 0; q < w.width; ++q) moments[q] = zero;
    const bool held = c.held[n] >= 0, through = held && c.until[n] >= end;
    if (!through && (held || top >= alert_until(c, p, n, end))) {
        c.time[n] = now;
        return true;
    }
    c.v[n] = through ? p.reset : flush(v_end);
    c.j[n] = flush(j_end);
    c.time[n] = end;
    return false;
}

// The bundles due of a window, their weights [rows + 1, n_neurons], and from when to when it is run.
struct SharedWindow {
    const DueRows& due;
    const Given<REAL> weights;
    int n_neurons;
    REAL fastest;
    double now, end;
};

// Neuron n goes through a window in stretches. False where it runs away.
DEVICE bool by_stretches(const Cells& c, const Neuron& p, int n, const SharedWindow& window,
                         const Spikes& out) {
    const REAL fastest = window.fastest;
    const double now = window.now, end = window.end;
    const Fired fired = {out.time,   out.current, out.restart, out.limit, out.neuron,
                         out.count, n,           c.since + n, c.recent + n};
    const REAL longest = REAL_(SPAN) / fastest;
    const Answer<REAL> answer = answer_of(p.rates.mem, p.rates.syn, longest);
    Cell cell;
    cell.v = c.v[n];
    cell.j = c.j[n];
    cell.t = now;
    cell.until = c.until[n];
    cell.count = 0;
    cell.held = c.held[n];
#if ADAPTIVE
    cell.adapted = {c.a[n], c.last[n]};
#endif
    arrived(cell, now);
    bool goes_on = true;
    long long next = 0;
    for (double t = now; goes_on && t < end;) {
        const Stretch stretch = fill(window.due, next, end, window.weights + n, window.n_neurons,
                                     longest);
        goes_on = meet(p, answer, cell, fired, stretch, t, fastest);
        t = stretch.time[ITEMS - 1];
    }
    c.v[n] = cell.v;
    c.j[n] = cell.j;
    c.time[n] = goes_on ? end : cell.t;
    c.until[n] = cell.until;
    c.held[n] = cell.held;
#if ADAPTIVE
    c.a[n] = cell.adapted.a;
    c.last[n] = cell.adapted.last;
#endif
    return goes_on;
}

// Progress, kept by the first thread: arrivals still to come, entries of the heap, halvings of the pieces,
// and the spikes before the window.
struct Progress {
    Coming coming;
    int waiting, halvings, before;
};

// Sums of the neurons, to which due bundles add.
struct Summing {
    const Windows& w;
    const Loop& loop;
    const Bundles& due;
    REAL* sums;
};

// Earliest release of the neurons if nothing arrives, -1 where one may fire; for the first thread.
DEVICE double first_due(const Cells& c, const Members& all, WindowMemory& block) {
    for (int n = THREAD; n < all.n; n += blockDim.x) {
        const Neuron p = neuron_at(all, n);
        c.due[n] = c.held[n] >= 0 ? c.until[n]
                   : peak_bound(c.v[n], c.j[n], p.peak) >= p.alert ? -1.0 : NEVER;
    }
    __syncthreads();
    double next;
    int n;
    earliest(c.due, all.n, block.times, block.neurons, next, n);
    return next;
}

// Opening of a window if nothing happened in the one before: the first arrival or release; now if one may fire.
DEVICE double opening(const Progress& x, const Bundles& heap, double next, double now) {
    if (next >= 0.0 && x.waiting > 0 && heap.time[0] < next) next = heap.time[0];
    if (next >= 0.0 && x.coming.next < x.coming.end && x.coming.time[x.coming.next] < next)
        next = x.coming.time[x.coming.next];
    return next > now ? next : now;
}

// The first thread, where a sample begins or goes on.
DEVICE void start_windows(const LoopStop& begin, long long s, int n_neurons, WindowMemory& block) {
    block.now = begin.border[s];
    block.quiet = begin.idle[s] != 0;
    block.n_spikes = 0;
    block.met = 0;
    block.ran_away = n_neurons;
    block.verdict = -1;
}

// The first thread opens a window, and takes what arrives in it.
DEVICE void open_window(Progress& x, const Windows& w, const Bundles& heap, const Bundles& due,
                        WindowMemory& block) {
    const double border = block.opens + w.length;
    const int k = take(heap, x.waiting, x.coming, border, due);
    if (k == due.capacity) block.verdict = QUEUE_FULL;
    block.border = border;
    block.n_due = k;
    block.pieces = w.pieces << x.halvings;
    x.before = block.n_spikes;
}

// Sums what arrives from the `first` of the bundles due on and before `end`; returns the next.
DEVICE int sum_arrivals(const Summing& x, const Members& all, int first, int n_due, double end) {
    const Windows& w = x.w;
    int last = first;
    for (; last < n_due && x.due.time[last] < end; ++last) {
        const long long low = x.due.first[last], high = x.due.last[last];
        const int one = low >= OWN ? (int)(low - OWN) : x.loop.target[low];
        const Functions phi = functions(w, neuron_at(all, one).rates, (REAL)(end - x.due.time[last]));
        if (low >= OWN) {
            if (THREAD == 0)
                add_arrival(w, x.loop.own_weight[one], phi, x.sums + (long long)one * w.width);
        } else {
            for (long long k = low + THREAD; k < high; k += blockDim.x)
                add_arrival(w, x.loop.weight[k], phi, x.sums + (long long)x.loop.target[k] * w.width);
        }
        __syncthreads();
    }
    return last;
}

// Take all neurons through the window, piece by piece.
DEVICE void by_pieces(const Cells& c, const Members& all, const Summing& x, double t_end,
                      const Spikes& out, WindowMemory& block) {
    double now = block.now;
    const double opens = block.opens, border = block.border;
    int first = 0;
    for (int piece = 1; piece <= block.pieces; ++piece) {
        const double end = piece < block.pieces
                               ? opens + (border - opens) * ((double)piece / (double)block.pieces)
                               : border;
        const int last = sum_arrivals(x, all, first, block.n_due, end);
        for (int n = THREAD; n < all.n; n += blockDim.x) {
            const Neuron p = neuron_at(all, n);
            if (!stays(c, p, x.w, n, all.n, now, end, x.sums + (long long)n * x.w.width)) continue;
            const int found = one_by_one(c, p, n, {x.due, first, last, end, t_end}, x.loop, out);
            if (found < 0) atomicMin(&block.ran_away, n); else atomicAdd(&block.met, found);
        }
        __syncthreads();
        if (__syncthreads_or(block.ran_away < all.n || block.n_spikes > out.limit)) return;
        if (!(end < t_end)) return;
        now = end;
        first = last;
    }
}

// The first thread closes a window, and sends its spikes on their way.
DEVICE void close_window(Progress& x, const Bundles& heap, const Loop& loop, const Spikes& out,
                         int n_neurons, double t_end, WindowMemory& block) {
    if (block.ran_away < n_neurons) block.verdict = QUEUE_RUNAWAY;
    else if (block.n_spikes > out.limit) block.verdict = QUEUE_DONE;
    const long long events = block.met, asked = (long long)n_neurons * block.pieces;
    if (events * MANY > asked)
        x.halvings = x.halvings + 1 < MOST_HALVINGS ? x.halvings + 1 : MOST_HALVINGS;
    else if (events * FEW < asked)
        x.halvings = x.halvings > 0 ? x.halvings - 1 : 0;
    block.met = 0;
    block.now = block.border;
    for (int k = x.before; k < block.n_spikes && block.verdict < 0; ++k)
        if (!send(heap, x.waiting, loop, out.neuron[k], out.time[k], t_end))
            block.verdict = QUEUE_FULL;
    block.quiet = block.n_due == 0 && block.n_spikes == x.before;
}

// Write the state of the windows, from which a later call goes on; by the first thread.
DEVICE void lay_down(const LoopStop& stop, long long s, const WindowMemory& block, const Progress& x) {
    stop.border[s] = block.now;
    stop.idle[s] = block.quiet;
    stop.halvings[s] = x.halvings;
}

extern "C" __global__ void windows_forward(
    // arrivals of other stages, and how the neurons are joined
    const __grid_constant__ Arriving outside, const __grid_constant__ Loop loop,
    const __grid_constant__ Members members,
    // how the neurons stand, before and after
    const __grid_constant__ LoopStop begin, const __grid_constant__ LoopStop stop,
    const __grid_constant__ Room room, const __grid_constant__ Round results,
    const __grid_constant__ Windows w) {
    SHARED_MEMORY(memory);
    WindowMemory& block = *(WindowMemory*)memory;

    const int n_neurons = members.n;
    const long long s = BLOCK, base = s * n_neurons;
    if (results.limit[s] < 0) return;
    const Cells c = cells_at(room.cells, base);
    const Bundles heap = bundles_at(room.heap, s), due = bundles_at(w.due, s);
    const long long at = results.start[s];
    const Spikes out = {results.time + at,    results.neuron + at, results.current + at,
                        results.restart + at, results.limit[s],    &block.n_spikes};
    REAL* const sums = w.moments + base * w.width;
    const double t_end = outside.duration[s];
    for (int n = THREAD; n < n_neurons; n += blockDim.x) {
        take_up(begin, base + n, c, n);
        for (int q = 0; q < w.width; ++q) sums[(long long)n * w.width + q] = REAL_(0.0);
    }
    if (THREAD == 0) start_windows(begin, s, n_neurons, block);
    __syncthreads();
    Progress x = {{outside.time, outside.first, outside.last, outside.offsets[s], outside.offsets[s + 1]},
               0, (int)begin.halvings[s], 0};
    bool whole = true;
    while (block.now < t_end) {
        const double due_first = block.quiet ? first_due(c, members, block) : -1.0;
        if (THREAD == 0) block.opens = opening(x, heap, due_first, block.now);
        __syncthreads();
        if (!(block.opens < t_end)) break;
        whole = block.opens + w.length <= t_end;
        if (!whole)
            for (int n = THREAD; n < n_neurons; n += blockDim.x)
                lay_down(stop, base + n, c, n);
        if (THREAD == 0) {
            if (!whole) lay_down(stop, s, block, x);
            open_window(x, w, heap, due, block);
        }
        if (__syncthreads_or(THREAD == 0 && block.verdict >= 0)) break;
        if (w.by_stretches) {
            const DueRows rows = {due.time, due.first, w.row, block.n_due};
            const double border = block.border, end = border < t_end ? border : t_end;
            const SharedWindow window = {rows, w.weight, n_neurons, w.fastest, block.now, end};
            for (int n = THREAD; n < n_neurons; n += blockDim.x)
                if (!by_stretches(c, neuron_at(members, n), n, window, out)) atomicMin(&block.ran_away, n);
        } else {
            by_pieces(c, members, {w, loop, due, sums}, t_end, out, block);
        }
        __syncthreads();
        if (THREAD == 0) {
            close_window(x, heap, loop, out, n_neurons, t_end, block);
            if (block.verdict == QUEUE_RUNAWAY) results.reached[s] = c.time[block.ran_away];
        }
        if (__syncthreads_or(THREAD == 0 && block.verdict >= 0)) break;
    }
    if (whole)
        for (int n = THREAD; n < n_neurons; n += blockDim.x)
            lay_down(stop, base + n, c, n);
    if (THREAD == 0) {
        if (whole) lay_down(stop, s, block, x);
        results.counts[s] = block.ran_away < n_neurons ? block.ran_away : block.n_spikes;
        results.status[s] = block.verdict < 0 ? QUEUE_DONE : block.verdict;
    }
}
