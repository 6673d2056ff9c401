// Stretches of a few arrivals that a neuron meets at once, by their moments.
//
// Parallel over   nothing: one thread owns one neuron of one sample; no communication. All threads
//                 of a block fill the same stretch from the same events.
// Twin            kernels/cpu/dense/stretches.hpp, same order of operations: same bits.
// Needs           walk.cuh, neuron/stretch.hpp

// Events of one sample, sorted by time: those from `base` on are staged in shared memory.
struct SampleEvents {
    Given<double> times;
    Given<int> rows;
    const double* staged_time;
    const int* staged_row;
    long long base, end;
    int staged;
};

DEVICE double time_at(const SampleEvents& e, long long i) {
    return i - e.base < e.staged ? e.staged_time[i - e.base] : e.times[i];
}

DEVICE int row_at(const SampleEvents& e, long long i) {
    return i - e.base < e.staged ? e.staged_row[i - e.base] : e.rows[i];
}

// The items of a stretch, the last at its end; where it has fewer, nothing comes behind. All places
// are known to the compiler, or the arrays would lie in memory.
struct Stretch {
    double time[ITEMS];
    Items<REAL> items;
    int size, arrivals;  // items, and those of them that are arrivals
    bool ends;           // with the sample
};

// One of the items.
struct Item {
    double time;
    REAL weight;
};

DEVICE Item item_at(const Stretch& s, int k) {
    Item item = {s.time[0], s.items.weight[0]};
#pragma unroll
    for (int i = 1; i < ITEMS; ++i)
        if (k == i) item = {s.time[i], s.items.weight[i]};
    return item;
}

// The stretch from event `next` on, which is moved behind it; `column` are the neuron's weights.
// `e` is SampleEvents, or, in a loop, DueRows of windows.cu.
template <class Arriving>
DEVICE Stretch fill(const Arriving& e, long long& next, double t_end, Given<REAL> column,
                    int n_neurons, REAL longest) {
    Stretch s;
    double latest = t_end, end = t_end;
    bool full = false;
    s.ends = false;
    s.size = 0;
#pragma unroll
    for (int k = 0; k < ITEMS; ++k) {
        s.items.weight[k] = REAL_(0.0);
        s.time[k] = end;
        if (s.ends || full) continue;
        const bool ends = next >= e.end;
        const double t = ends ? t_end : time_at(e, next);
        if (k == 0) latest = t + (double)longest;
        full = t > latest;
        s.ends = ends && !full;
        end = full ? latest : t;
        s.time[k] = end;
        s.size = k + 1;
        if (!full && !ends) {
            REAL w = column[(long long)row_at(e, next) * n_neurons];
            for (++next; next < e.end && time_at(e, next) == t; ++next)
                w = w + column[(long long)row_at(e, next) * n_neurons];
            s.items.weight[k] = w;
        }
    }
    s.arrivals = s.size - (full || s.ends ? 1 : 0);
#pragma unroll
    for (int k = 0; k < ITEMS; ++k) {
        s.items.gap[k] = (REAL)(end - s.time[k]);
        s.items.share[k] = s.items.gap[k] / longest;
    }
    return s;
}

// Take the neuron from time t over the stretch. False after a run-away.
template <class Out>
DEVICE bool meet(const Neuron& n, const Answer<REAL>& answer, Cell& c, const Out& out, const Stretch& s,
                 double t, REAL fastest) {
    const double end = s.time[ITEMS - 1];
    const REAL h = (REAL)(end - t);
    const Map<REAL> m =
        fastest * h <= REAL_(SMALL_Z) ? near_forward(h, n.rates) : far_forward(h, n.rates);
    const Ahead<REAL> reached = ahead(c.v, c.j, s.items, n.rates.mem, n.peak, answer, m, h);
#if ADAPTIVE
    const REAL alert = lifted(n.threshold, c.adapted, end, n.alert);
#else
    const REAL alert = n.alert;
#endif
    const bool walks = c.held >= 0 ? c.until < end : reached.bound >= alert;
    if (!walks) {
        c.v = c.held >= 0 ? n.reset : reached.v;
        c.j = reached.j;
        if (s.arrivals > 0) arrived(c, item_at(s, s.arrivals - 1).time);
        return true;
    }
    c.t = t;
    for (int k = 0; k < s.size; ++k) {
        const Item item = item_at(s, k);
        if (!walk(n, c, item.time, out, false)) return false;
        c.j = flush(c.j + item.weight);
        if (k < s.arrivals) arrived(c, item.time);
    }
    return true;
}
