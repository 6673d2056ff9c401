// Stretches of a few arrivals that a neuron meets at once, by their moments.
//
// Parallel over   nothing: one thread owns one neuron of one sample; no communication. All threads
//                 of a block fill the same stretch from the same events.
// Twin            engine/cpu/stretch.py, same order of operations: same bits.
// Constants       ITEMS, SPAN, DEGREE, SERIES, SHORTER: engine/series.py
// Needs           walk.cuh

// Coefficients of V's and J's answer to an arrival; J's first is 1.
struct Answer {
    REAL v[DEGREE], j[DEGREE];
};

DEVICE Answer answer_of(const Rates& r, REAL longest) {
    constexpr REAL shorter[SERIES + 1][SERIES + 1] = SHORTER;
    REAL v[SERIES + 1], j[SERIES + 1];
    const REAL a = r.mem * longest, b = r.syn * longest;
    v[0] = REAL_(0.0);
    j[0] = REAL_(1.0);
#pragma unroll
    for (int q = 1; q <= SERIES; ++q) {
        v[q] = a * (j[q - 1] - v[q - 1]) / REAL_(q);
        j[q] = -(b * j[q - 1]) / REAL_(q);
    }
#pragma unroll
    for (int q = SERIES; q > DEGREE; --q) {
#pragma unroll
        for (int k = 1; k < q; ++k) {
            v[k] = fused(-v[q], shorter[q][k], v[k]);
            j[k] = fused(-j[q], shorter[q][k], j[k]);
        }
    }
    Answer answer;
#pragma unroll
    for (int q = 0; q < DEGREE; ++q) {
        answer.v[q] = v[q + 1];
        answer.j[q] = j[q + 1];
    }
    return answer;
}

// Events of one sample, sorted by time: those from `base` on are staged in shared memory.
struct Events {
    const double* times;
    const int* rows;
    const double* staged_time;
    const int* staged_row;
    long long base, end;
    int staged;
};

DEVICE double time_at(const Events& e, long long i) {
    return i - e.base < e.staged ? e.staged_time[i - e.base] : e.times[i];
}

DEVICE int row_at(const Events& e, long long i) {
    return i - e.base < e.staged ? e.staged_row[i - e.base] : e.rows[i];
}

// The items of a stretch, the last at its end; where it has fewer, nothing comes behind. All places
// are known to the compiler, or the arrays would lie in memory.
struct Stretch {
    double time[ITEMS];
    REAL weight[ITEMS], gap[ITEMS], share[ITEMS];
    int size, arrivals;  // items, and those of them that are arrivals
    bool ends;           // with the sample
};

// One of the items.
struct Item {
    double time;
    REAL weight;
};

DEVICE Item item_at(const Stretch& s, int k) {
    Item item = {s.time[0], s.weight[0]};
#pragma unroll
    for (int i = 1; i < ITEMS; ++i)
        if (k == i) item = {s.time[i], s.weight[i]};
    return item;
}

// The stretch from event `next` on, which is moved behind it; `column` are the neuron's weights.
// `e` is Events, or, in a loop, DueRows of windows.cu.
template <class Arriving>
DEVICE Stretch fill(const Arriving& e, long long& next, double t_end, const REAL* column,
                    int n_neurons, REAL longest) {
    Stretch s;
    double latest = t_end, end = t_end;
    bool full = false;
    s.ends = false;
    s.size = 0;
#pragma unroll
    for (int k = 0; k < ITEMS; ++k) {
        s.weight[k] = REAL_(0.0);
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
            s.weight[k] = w;
        }
    }
    s.arrivals = s.size - (full || s.ends ? 1 : 0);
#pragma unroll
    for (int k = 0; k < ITEMS; ++k) {
        s.gap[k] = (REAL)(end - s.time[k]);
        s.share[k] = s.gap[k] / longest;
    }
    return s;
}

// Take the neuron from time t over the stretch. False after a run-away.
template <class Out>
DEVICE bool meet(const Neuron& n, const Answer& answer, Cell& c, const Out& out, const Stretch& s,
                 double t, REAL fastest) {
    const REAL zero = REAL_(0.0);
    const double end = s.time[ITEMS - 1];
    const REAL h = (REAL)(end - t);
    const Map m = fastest * h <= SMALL_Z ? near_forward(h, n.rates) : far_forward(h, n.rates);
    REAL sum = s.weight[0], part[ITEMS - 1];
#pragma unroll
    for (int k = 1; k < ITEMS; ++k) sum = sum + s.weight[k];
    const REAL left = m.y * c.j;
    REAL v_end = fused(m.gain, c.j, m.x * c.v), j_end = left + sum;
    REAL rise = zero, drop = zero;
#pragma unroll
    for (int k = 0; k < ITEMS - 1; ++k) {
        const REAL w = s.weight[k], up = w > zero ? w : zero, down = w > zero ? zero : w;
        part[k] = w * s.share[k];
        rise = k == 0 ? up * s.gap[k] : fused(up, s.gap[k], rise);
        drop = k == 0 ? down : drop + down;
    }
#pragma unroll
    for (int q = 0; q < DEGREE; ++q) {
        REAL moment = part[0];
#pragma unroll
        for (int k = 1; k < ITEMS - 1; ++k) moment = moment + part[k];
        v_end = fused(answer.v[q], moment, v_end);
        j_end = fused(answer.j[q], moment, j_end);
#pragma unroll
        for (int k = 0; k < ITEMS - 1; ++k) part[k] = part[k] * s.share[k];
    }
    const REAL span = n.rates.mem * h, reach = span < n.peak ? span : n.peak;
    REAL top = fused(reach, c.j > zero ? c.j : zero, c.v > zero ? c.v : zero);
    top = fused(n.rates.mem, rise, top);
    const REAL fall = top - ((left < c.j ? left : c.j) + drop);
    const REAL fallen = fused(span, fall > zero ? fall : zero, v_end);
#if ADAPTIVE
    const REAL alert = lifted(n.threshold, c.adapted, end, n.alert);
#else
    const REAL alert = n.alert;
#endif
    const bool walks = c.held >= 0 ? c.until < end : (fallen < top ? fallen : top) >= alert;
    if (!walks) {
        c.v = c.held >= 0 ? n.reset : flush(v_end);
        c.j = flush(j_end);
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
