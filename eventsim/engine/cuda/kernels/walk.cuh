// One neuron between two arrivals: its own spikes forward, and backward.
//
// Parallel over   nothing: one thread owns one neuron of one sample; no communication.
// Twin            kernels/cpu/fanin/walk.hpp, same order of operations: same bits.
// Needs           neuron/adaptive.hpp, neuron/own_spikes.hpp

// Rows of the parameter table [N_PAR, neurons]; as in the twin.
enum { SLOW, GAP, RATE_MEM, LEVEL, ALERT, PEAK, RATE_SYN, RESET, SELF, INSTANT };
// Rows of the gradients of one neuron: weight times beta and its derivatives by the two rates,
// then dL/d of level, reset, refractory time, self-weight and self-delay,
enum { BY_DRIVE, BY_MEM, BY_SYN, N_SUMS };
// and of an adaptive threshold's rise and rate.
#if ADAPTIVE
enum { BY_LEVEL, BY_RESET, BY_REFRACTORY, BY_SELF, BY_SELF_DELAY, BY_STRENGTH, BY_RATE, N_OWN };
#else
enum { BY_LEVEL, BY_RESET, BY_REFRACTORY, BY_SELF, BY_SELF_DELAY, N_OWN };
#endif

struct Neuron {
    Rates<REAL> rates;
    REAL level, alert, peak, reset, self, instant;
    double refractory;
#if ADAPTIVE
    Threshold threshold;
#endif
};

DEVICE Neuron neuron_at(const Members& all, int n) {
    const Given<REAL> par = all.par;
    const int n_neurons = all.n;
    Neuron m;
    m.rates.slow = par[SLOW * n_neurons + n];
    m.rates.gap = par[GAP * n_neurons + n];
    m.rates.mem = par[RATE_MEM * n_neurons + n];
    m.rates.syn = par[RATE_SYN * n_neurons + n];
    m.level = par[LEVEL * n_neurons + n];
    m.alert = par[ALERT * n_neurons + n];
    m.peak = par[PEAK * n_neurons + n];
    m.reset = par[RESET * n_neurons + n];
    m.self = par[SELF * n_neurons + n];
    m.instant = par[INSTANT * n_neurons + n];
    m.refractory = all.refractory[n];
#if ADAPTIVE
    m.threshold = {all.refractory[n_neurons + n], all.refractory[2 * n_neurons + n]};
#endif
    return m;
}

// State of a neuron; `held` is the spike that holds V, or -1, and `until` when it is let go. At its
// last arrival, `since`, it had fired `before` times.
struct Cell {
    REAL v, j;
    double t, until, since;
    int count, held, before;
#if ADAPTIVE
    Adapted adapted;
#endif
};

// Note an arrival at t.
DEVICE void arrived(Cell& c, double t) {
    c.since = t;
    c.before = c.count;
}

// Number of a spike of an earlier piece of the stream: beyond every limit.
#define EARLIER 0x7fffffff

DEVICE Cell cell_from(const Stop& begin, long long pair) {
    Cell c;
    c.v = begin.v[pair];
    c.j = begin.j[pair];
    c.t = begin.time[pair];
    c.until = begin.until[pair];
    c.count = 0;
    c.held = c.until >= 0.0 ? EARLIER : -1;
#if ADAPTIVE
    c.adapted = {begin.a[pair], begin.last[pair]};
#endif
    arrived(c, c.t);
    return c;
}

// Write the neuron's state, right after an arrival at t.
DEVICE void keep(const Stop& end, long long pair, const Cell& c, double t) {
    end.time[pair] = t;
    end.v[pair] = c.v;
    end.j[pair] = c.j;
    end.until[pair] = c.held >= 0 ? c.until : -1.0;
#if ADAPTIVE
    end.a[pair] = c.adapted.a;
    end.last[pair] = c.adapted.last;
#endif
}

// Room for the neuron's spikes: the first `limit` of them are written, the rest counted.
struct Written {
    double* time;
    REAL *current, *restart;
    int limit;
};

DEVICE Written written_at(const Buffers& out, long long pair) {
    const long long at = out.start[pair];
    return {out.time + at, out.current + at, out.restart + at, out.limit[pair]};
}

// Place of the neuron's next spike.
DEVICE int next_place(const Written&, const Cell& c) { return c.count; }

// Whether there were more than RUNAWAY_PER_MS spikes per ms from the last arrival on.
DEVICE bool runs_away(const Written&, const Cell& c) {
    return c.count - c.before > RUNAWAY_PER_MS * (1.0 + (c.t - c.since));
}

// Advance to t_end, or to the next spike if `one_spike`. False where the neuron runs away. `out` is
// Written, or, in a loop, Fired of windows.cu.
template <class Out>
DEVICE bool walk(const Neuron& n, Cell& c, double t_end, const Out& out, bool one_spike) {
    for (;;) {
        if (c.held >= 0) {
            const bool later = c.until >= t_end;
            const double until = later ? t_end : c.until;
            c.j = flush(far_forward((REAL)(until - c.t), n.rates).y * c.j);
            c.v = n.reset;
            c.t = until;
            if (later) return true;
            if (c.held < out.limit) out.restart[c.held] = c.j;
            c.held = -1;
        }
        const REAL h = (REAL)(t_end - c.t);
        Map<REAL> m = far_forward(h, n.rates);
        const REAL v_end = fused(m.gain, c.j, m.x * c.v), j_end = m.y * c.j;
        REAL tau = REAL_(-1.0), top = highest(c.v, c.j, v_end, j_end, h, n.rates.mem, n.peak);
#if ADAPTIVE
        top = top > c.v ? top : c.v;  // a falling threshold may meet a falling voltage
        if (top >= n.alert)
            tau = crossing_within(n.threshold, c.adapted, c.t,
                                  OnWay<REAL>{c.v, c.j, h, top, n.rates, n.level, n.alert});
#else
        if (top >= n.alert) tau = crossing(c.v, c.j, h, n.rates, n.level, true);
#endif
        if (tau < REAL_(0.0) || c.t + (double)tau >= t_end) {
            c.v = flush(v_end);
            c.j = flush(j_end);
            c.t = t_end;
            return true;
        }
        m = far_forward(tau, n.rates);
        c.j = flush(m.y * c.j);
        c.t = c.t + (double)tau;
        c.v = n.reset;
#if ADAPTIVE
        jump(n.threshold, c.adapted, c.t);
#endif
        const int place = next_place(out, c);
        if (place < out.limit) {
            out.time[place] = c.t;
            out.current[place] = c.j;
            out.restart[place] = n.refractory > 0.0 ? not_a_number() : c.j;
        }
        if (n.refractory > 0.0) {
            c.held = place;
            c.until = c.t + n.refractory;
        }
        c.j = c.j + n.self;
        c.count += 1;
        if (runs_away(out, c)) return false;
        if (one_spike) return true;
    }
}

DEVICE double begin_of(const WayBack& way, long long sample) {
    return way.begin == nullptr ? 0.0 : way.begin[sample];
}

// The way back over one neuron's spikes: the one that comes next (below `first`: none is left),
// and whether its restart was met.
struct Back {
    long long first, next;
    bool released;
#if ADAPTIVE
    AdaptedBack adapted;
#endif
};

DEVICE Back back_from(const Tape& tape, long long first, long long last,
                      [[maybe_unused]] const Neuron& neuron, [[maybe_unused]] const WayBack& way,
                      [[maybe_unused]] long long sample, [[maybe_unused]] int n,
                      [[maybe_unused]] int n_neurons) {
    Back b;
#if ADAPTIVE
    Adapted c = {0.0, 0.0};
    b.adapted = {0.0, 0.0, 0.0};
    if (way.begin != nullptr) {
        const double* const at = way.behind + 3 * sample * n_neurons + n;
        c = {way.a[sample * n_neurons + n], way.last[sample * n_neurons + n]};
        b.adapted = {at[0], at[n_neurons], at[2 * n_neurons]};
    }
    for (long long k = first; k < last; ++k) {
        if (tape.time[k] < begin_of(way, sample)) continue;  // is in c
        tape.before[k] = adaptation_at(neuron.threshold, c, tape.time[k]);
        c = {tape.before[k] + 1.0, tape.time[k]};
    }
#endif
    b.first = first;
    b.next = last - 1;
    b.released = b.next < first || isnan(tape.restart[b.next]);
    return b;
}

// Time of the next restart or spike on the way back; before all times if there is none.
DEVICE double next_stop(const Neuron& n, const Tape& tape, const Back& b) {
    if (b.next < b.first) return -1.0;
    return b.released ? tape.time[b.next] : tape.time[b.next] + n.refractory;
}

// Gradients of one neuron. The sums of an event loop are kept in the type of the state.
template <class Sum>
struct Gradients {
    Sum sums[N_SUMS] = {};
    double own[N_OWN] = {};
    int grazes = 0;
};

// Take the neuron back over its next spike or restart.
template <class Sum>
DEVICE void meet(const Neuron& n, Adjoint<REAL>& a, const Tape& tape, Back& b, Gradients<Sum>& g) {
    const REAL rate_mem = n.rates.mem;
    const long long k = b.next;
    if (b.released == (n.refractory > 0.0)) {
        // The self-jump is met while V is held, or right after a restart without a hold.
        const SelfJumpBack<REAL> jump = self_jump_back(n.self, n.instant, rate_mem, n.rates.syn, a);
        tape.through[k] += (double)jump.later;
        g.own[BY_SELF] += (double)jump.by_self;
        g.own[BY_SELF_DELAY] += (double)jump.later;
        g.sums[BY_DRIVE] += (Sum)jump.by_drive;
        g.sums[BY_MEM] += (Sum)jump.by_mem;
        g.sums[BY_SYN] += (Sum)jump.by_syn;
    }
    if (!b.released) {
        const RestartBack<REAL> restart = restart_back(tape.restart[k], n.reset, n.self, rate_mem,
                                                       n.refractory != 0.0, a);
        tape.through[k] += (double)restart.later;
        g.own[BY_REFRACTORY] += (double)restart.by_refractory;
        g.own[BY_RESET] += (double)restart.by_reset;
        g.sums[BY_MEM] += (Sum)restart.by_mem;
        b.released = true;
        return;
    }
    REAL slope = rate_mem * (tape.current[k] - n.level);
    double by_time = tape.by_time[k] + tape.through[k];
#if ADAPTIVE
    slope += (REAL)spike_back(n.threshold, b.adapted, tape.before[k], tape.time[k],
                              (double)rate_mem, by_time, g.own[BY_RATE]);
#endif
    bool grazed;
    a.alpha = crossing_back(tape.by_voltage[k], by_time, slope, grazed);
    g.grazes += grazed;
    g.own[BY_LEVEL] -= (double)a.alpha;
#if ADAPTIVE
    spiked_back(n.threshold, b.adapted, tape.before[k], tape.time[k], (double)a.alpha,
                g.own[BY_STRENGTH]);
#endif
    b.next = k - 1;
    b.released = b.next < b.first || isnan(tape.restart[b.next]);
}

// Take the neuron back from t to t_low over its own spikes and restarts.
template <class Sum>
DEVICE void walk_back(const Neuron& n, Adjoint<REAL>& a, double t, double t_low, const Tape& tape,
                      Back& b, Gradients<Sum>& g) {
    for (;;) {
        const double at = next_stop(n, tape, b);
        if (b.next < b.first || at < t_low) break;
        const REAL h = (REAL)(t - at);
        a = pull_back(h, far_adjoint(h, n.rates), a);
        t = at;
        meet(n, a, tape, b, g);
    }
    const REAL h = (REAL)(t - t_low);
    a = pull_back(h, far_adjoint(h, n.rates), a);
}

DEVICE Adjoint<REAL> carried_at(const WayBack& way, long long sample, int n, int n_neurons) {
    Adjoint<REAL> a = {REAL_(0.0), REAL_(0.0), REAL_(0.0), REAL_(0.0), REAL_(0.0)};
    if (way.carried == nullptr) return a;
    const REAL* const at = way.carried + 5 * sample * n_neurons + n;
    a.alpha = at[0];
    a.beta = at[n_neurons];
    a.alpha_mem = at[2 * n_neurons];
    a.beta_mem = at[3 * n_neurons];
    a.beta_syn = at[4 * n_neurons];
    return a;
}

DEVICE void carry(const WayBack& way, long long sample, int n, int n_neurons, const Adjoint<REAL>& a) {
    if (way.carried == nullptr) return;
    REAL* const at = way.carried + 5 * sample * n_neurons + n;
    at[0] = a.alpha;
    at[n_neurons] = a.beta;
    at[2 * n_neurons] = a.alpha_mem;
    at[3 * n_neurons] = a.beta_mem;
    at[4 * n_neurons] = a.beta_syn;
}

#if ADAPTIVE
DEVICE void carry(const WayBack& way, long long sample, int n, int n_neurons,
                  const AdaptedBack& b) {
    if (way.behind == nullptr) return;
    double* const at = way.behind + 3 * sample * n_neurons + n;
    at[0] = b.kappa;
    at[n_neurons] = b.product;
    at[2 * n_neurons] = b.behind;
}
#endif

// A neuron that rests at or above its level started at its reset.
template <class Sum>
DEVICE void end_at_start(const Neuron& n, const Adjoint<REAL>& a, Gradients<Sum>& g) {
    if (n.level > REAL_(0.0)) return;
    g.own[BY_RESET] += (double)a.alpha;
    g.sums[BY_MEM] += (Sum)(n.reset * a.alpha_mem);
}
