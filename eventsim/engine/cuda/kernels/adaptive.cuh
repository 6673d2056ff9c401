// Neurons with an adaptive threshold: what is left out of the text of plain neurons.
//
// Parallel over   nothing: one thread owns one neuron of one sample; no communication.
// Twin            engine/cpu/adaptive.py, same order of operations: same bits.
// Needs           scalar.cuh
//
// Adaptations are float64 in both precisions: the way back finds them again, from the spikes alone.

// One neuron's threshold on the way back: dL/da right before the spike behind, its product with
// the adaptation there, and that spike's time, ms.
struct AdaptedBack {
    double kappa, product, behind;
};

#if ADAPTIVE

// Doublings of the slowest time constant after which states have vanished.
#define DOUBLINGS 6

// Rise of a threshold at a spike, and rate of its decay, 1/ms.
struct Threshold {
    double strength, rate;
};

// Adaptation right after a neuron's last spike, and that spike's time, ms.
struct Adapted {
    double a, last;
};

// The adaptation at t, not before the last spike.
DEVICE double adaptation_at(const Threshold& p, const Adapted& c, double t) {
    return c.a * decay(p.rate * (t - c.last));
}

// The neuron has fired at t.
DEVICE void jump(const Threshold& p, Adapted& c, double t) {
    c.a = adaptation_at(p, c, t) + 1.0;
    c.last = t;
}

// Alert level of a neuron up to a time before which it does not fire.
DEVICE REAL lifted(const Threshold& p, const Adapted& c, double until, REAL alert) {
    const REAL lift = (REAL)(p.strength * c.a) * decay((REAL)(p.rate * (until - c.last)));
    return alert + (REAL)(1.0 - ALERT_MARGIN) * lift;
}

// What a crossing starts from: V, J, the rise of the threshold, rates and the level at rest.
struct Start {
    REAL v, j, rise;
    Rates rates;
    REAL rate, level;
};

// V - level - rise, and its first two derivatives.
struct Excess {
    REAL by, slope, bend;
};

DEVICE Excess excess(REAL t, const Start& s) {
    const Map m = far_forward(t, s.rates);
    const REAL mem = s.rates.mem;
    const REAL v_t = fused(m.gain, s.j, m.x * s.v), j_t = m.y * s.j;
    const REAL rise_t = s.rise * decay(s.rate * t);
    const REAL slope = mem * (j_t - v_t), fall = s.rate * rise_t;
    const REAL bend = -(mem * ((mem + s.rates.gap) * j_t + slope)) - s.rate * fall;
    return {v_t - s.level - rise_t, slope + fall, bend};
}

// A time between the two turns of the excess; 0 where there is none.
DEVICE REAL middle_of(const Start& s) {
    const REAL zero = REAL_(0.0), one = REAL_(1.0), mem = s.rates.mem, gap = s.rates.gap;
    const REAL of_voltage = s.rate - mem;
    const REAL of_drive = of_voltage - (mem + gap);
    const REAL denominator = of_voltage * (mem * s.j + gap * s.v);
    if (denominator == zero) return zero;
    const REAL m = (of_drive * s.j - of_voltage * s.v) / denominator;
    if (one + gap * m <= zero) return zero;
    const REAL time = m * log_ratio(gap * m);
    return time > zero ? time : zero;
}

// Newton inside a bracket that bisection keeps; the end of the bracket behind the root. Of the
// excess, or of its slope if it is the time at which that `turns`.
DEVICE REAL root_of(bool turns, REAL lo, REAL hi, const Start& s) {
    const REAL zero = REAL_(0.0), half = REAL_(0.5);
    REAL t = lo;
    Excess e = excess(lo, s);
    const bool falls = (turns ? e.slope : e.by) > zero;
    for (int k = 0; k < 2 * MAX_STEPS; ++k) {
        REAL y = turns ? e.slope : e.by, dy = turns ? e.bend : e.slope;
        if (falls) {
            y = -y;
            dy = -dy;
        }
        if (y < zero) lo = t; else hi = t;
        REAL guess = dy > zero ? t - y / dy : lo;
        if (!(guess > lo && guess < hi)) guess = half * (lo + hi);
        if (!(guess > lo && guess < hi) || guess == t) break;
        t = guess;
        e = excess(t, s);
    }
    return hi;
}

// As adaptive_crossing, for a voltage that may fall: piece by piece between the extrema.
APART REAL after_turns(const Start& s, REAL h) {
    const REAL zero = REAL_(0.0), none = REAL_(-1.0);
    const REAL slowest = s.rates.slow < s.rate ? s.rates.slow : s.rate;
    REAL middle = middle_of(s);
    if (!(middle < REAL_(1 << DOUBLINGS) / slowest)) middle = zero;
    REAL start = zero, lo = zero, step = middle;
    bool below = excess(zero, s).by < zero;
    for (int k = 0; k < DOUBLINGS + 1; ++k) {
        if (step > zero) {
            const REAL hi = lo + step, first = excess(lo, s).slope, last = excess(hi, s).slope;
            if (first * last < zero || (first > zero) != (last > zero)) {
                const REAL turn = root_of(true, lo, hi, s);
                const bool above = excess(turn, s).by >= zero;
                if (below && above) {
                    const REAL t = root_of(false, start, turn, s);
                    return t < h ? t : none;
                }
                start = turn;
                below = !above;
                if (k > 0) break;
            }
            lo = hi;
        }
        step = k == 0 ? REAL_(1.0) / slowest : step + step;
    }
    if (s.level > zero || !below) return none;
    step = REAL_(1.0) / slowest;
    for (int k = 0; k < MAX_STEPS; ++k) {
        if (start >= h) return none;
        const REAL end = start + step;
        const Map m = far_forward(end, s.rates);
        const bool rests = s.level == zero && flush(fused(m.gain, s.j, m.x * s.v)) == zero;
        if (excess(end, s).by >= zero && !rests) {
            const REAL t = root_of(false, start, end, s);
            return t < h ? t : none;
        }
        start = end;
        step = step + step;
    }
    return none;
}

// Time in [0, h BEYOND) at which v first rises through the level plus the rise, or -1.
DEVICE REAL adaptive_crossing(const Start& s, REAL h) {
    const REAL zero = REAL_(0.0), none = REAL_(-1.0);
    h = h * BEYOND;
    Excess e = excess(zero, s);
    if (e.by >= zero && e.slope > zero) return zero;
    if (e.by < zero && s.j > s.v && s.j > zero) {
        // No later slope is larger: Newton's method from the left never passes the crossing.
        const REAL tolerance = NEWTON_STEP / s.rates.slow;
        REAL t = zero;
        for (int k = 0; k < MAX_STEPS; ++k) {
            const REAL step = -e.by / e.slope;
            t = t + step;
            if (!(t < h)) return none;
            if (absolute(step) <= tolerance) return t;
            e = excess(t, s);
            if (e.by >= zero) return t;
            if (!(e.slope - s.rate * (s.rise * decay(s.rate * t)) > zero))
                break;  // v falls: the crossing, if there is one, is behind its peak
        }
    }
    return after_turns(s, h);
}

// Time from t on at which the neuron crosses its threshold within h ms, or -1; `top` is a bound of
// v over the whole of them.
DEVICE REAL crossing_within(const Threshold& p, const Adapted& c, REAL v, REAL j, double t, REAL h,
                            REAL top, const Rates& rates, REAL level, REAL alert) {
    const REAL rise = flush((REAL)(p.strength * adaptation_at(p, c, t)));
    if (rise == REAL_(0.0)) return crossing(v, j, h, rates, level);
    const REAL rate = (REAL)p.rate;
    const REAL last = rise * decay(rate * (h * BEYOND)) * (REAL)(1.0 - ALERT_MARGIN);
    if (top < alert + last) return REAL_(-1.0);
    return adaptive_crossing({v, j, rise, rates, rate, level}, h);
}

// The neuron meets a spike at t, just before which the adaptation was `a`. Returns what it adds to
// the slope; dL/dt of the spike, and dL/d of the rate, gain what adaptation adds.
DEVICE double spike_back(const Threshold& p, AdaptedBack& b, double a, double t, double rate_mem,
                         double& by_time, double& by_rate) {
    if (b.product != 0.0 || b.kappa != 0.0) {
        const double h = b.behind - t;
        by_rate -= b.product * h;
        b.kappa *= decay(p.rate * h);
    }
    by_time = by_time + b.kappa * p.rate;
    return p.strength * a * (p.rate - rate_mem);
}

// Take alpha just before that spike as that by its threshold.
DEVICE void spiked_back(const Threshold& p, AdaptedBack& b, double a, double t, double alpha,
                        double& by_strength) {
    by_strength -= a * alpha;
    b.kappa -= p.strength * alpha;
    b.product = b.kappa * a;
    b.behind = t;
}

#endif
