// Largest voltage of readout neurons that share their events.
//
// Side by side    neurons of a block, stretch after stretch. The bound of v over a stretch says which
//                 of them may exceed there what they have reached at the ends of all stretches so far,
//                 and of some that follow: only these walk it, arrival by arrival. So a neuron walks
//                 around its maximum, and hardly elsewhere.
// Before          value, time and slope are 0, arrival -1: the answer where v never rises above 0.
// After           by neuron the largest v, from E, when it is, the event with which that moves, or -1,
//                 and dv/dt just before this event.
// Reference       eventsim/adjoint/linear/voltage.py ("Maximum"), maximum.py
#pragma once
#include "voltages.hpp"

namespace eventsim {

// Room for the stretches after which neurons walk, and least number of them.
constexpr int64_t STRETCH_BYTES = 1 << 18, LEAST_STRETCHES = 16;

// No v this far below what a neuron has reached is its largest, in spite of rounding: as ALERT_MARGIN
// of eventsim/engine/contract/table.py.
constexpr double LARGEST_MARGIN = 1e-5;

// Least voltage that counts as reached: where v is less its bound need not be looked at.
constexpr double LEAST_LARGEST = 1e-30;

// Neuron n has v largest so far.
FORMULA void note(const Largest& found, int64_t n, double v, double t, int64_t event, double slope) {
    found.value[n] = v;
    found.time[n] = t;
    found.arrival[n] = event;
    found.slope[n] = slope;
}

template <class V> class Peaks {
    using R = Real<V>;
    static constexpr int N = Numbers<V>::count;

    const LargestForward<R>& a;
    const int64_t width, size;  // neurons, and most stretches behind one another
    Silent<V> s;
    R *states, *bounds, *best;  // [size + 1, 2, width], [size, width], [width]
    double* begins;
    int64_t* events;
    Largest found;

    static int64_t most_stretches(const LargestForward<R>& a) {
        const int64_t most = most_of(a.tasks, a.events.offsets);
        const int64_t room = STRETCH_BYTES / (3 * a.weights.width * (int64_t)sizeof(R));
        return std::min(std::max(room, LEAST_STRETCHES), most + 1);
    }

    static std::size_t more(const LargestForward<R>& a) {
        const std::size_t size = most_stretches(a), width = a.weights.width;
        return (3 * size + 3) * width * sizeof(R) + size * 16 + 5 * 64;
    }

  public:
    explicit Peaks(const LargestForward<R>& call)
        : a(call), width(call.weights.width), size(most_stretches(call)),
          s(call.tasks, call.events, call.weights, call.neurons, more(call)),
          states(s.template take<R>(2 * (size + 1) * width)), bounds(s.template take<R>(size * width)),
          best(s.template take<R>(width)), begins(s.template take<double>(size)),
          events(s.template take<int64_t>(size)) {}
    bool ok() const { return s.ok(); }

    void run(int64_t task) {
        s.start(task);
        Course<R>& course = s.course;
        const int64_t at = s.sample * a.neurons.size + s.low;
        const Largest& all = a.largest;
        found = {all.value + at, all.time + at, all.arrival + at, all.slope + at};
        course.t_end = a.events.duration[s.sample];
        course.n_events = s.n_heard;
        while (course.n_events > 0 && course.times[course.n_events - 1] >= course.t_end)
            --course.n_events;
        std::fill(states, states + 2 * width, R(0));
        std::fill(best, best + width, R(LEAST_LARGEST));
        for (bool ends = false; !ends;) {
            int64_t n = 0;
            for (; n < size && !ends; ++n) ends = pass(n);
            for (int64_t i = 0; i < n; ++i) walk(i);
            std::copy(states + 2 * n * width, states + 2 * (n + 1) * width, states);
        }
        const int64_t lo = a.events.offsets[s.sample];
        for (int64_t k = 0; k < s.size; ++k) {
            int64_t& event = found.arrival[k];
            if (event >= 0) event = lo + (s.number ? s.number[event] : event);
        }
    }

  private:
    // Take all neurons over the next stretch, the i-th; whether the sample ends with it.
    bool pass(int64_t i) {
        Course<R>& course = s.course;
        begins[i] = course.t;
        events[i] = course.event;
        Items<V> items;
        const R h = s.next(items);
        if (s.near(h)) pass_by<true>(i, items, h); else pass_by<false>(i, items, h);
        course.t = course.stretch.time[ITEMS - 1];
        return course.stretch.ends;
    }

    template <bool NEAR> __attribute__((noinline)) void pass_by(int64_t i, Items<V>& items, R h) {
        const int64_t width = this->width;  // the compiler need not read it again
        const R* const from = states + 2 * i * width;
        R *const to = states + 2 * (i + 1) * width, *const bound = bounds + i * width;
        R* const best = this->best;
        for (int64_t n = 0; n < width; n += N) {
            const Ahead<V> end = s.template ahead_of<NEAR>(n, from, items, h);
            store(to + n, end.v);
            store(to + width + n, end.j);
            store(bound + n, end.bound);
            const V most = load<V>(best + n);
            store(best + n, select(most < end.v, end.v, most));
        }
    }

    // Walk stretch i with the neurons that may exceed their largest voltage so far.
    void walk(int64_t i) {
        bool filled = false, near = false;
        const V part = spread<V>(R(1.0 - LARGEST_MARGIN));
        for (int64_t k = 0; k < width; k += N) {
            uint32_t bits = bits_of(load<V>(bounds + i * width + k) >= part * load<V>(best + k));
            for (; bits; bits &= bits - 1) {
                if (!filled) near = fill_again(i);
                filled = true;
                if (near) walk_one<true>(i, k + __builtin_ctz(bits));
                else walk_one<false>(i, k + __builtin_ctz(bits));
            }
        }
    }

    // Stretch i once more; whether it is short enough for near propagators. The way goes on as if not.
    bool fill_again(int64_t i) {
        Course<R>& course = s.course;
        const double t = course.t;
        const int64_t event = course.event;
        course.t = begins[i];
        course.event = events[i];
        Items<V> items;
        const R h = s.next(items);
        course.t = t;
        course.event = event;
        return s.near(h);
    }

    // Neuron n over stretch i, arrival by arrival.
    template <bool NEAR> void walk_one(int64_t i, int64_t n) {
        const Stretch<R>& x = s.course.stretch;
        const R* const own = s.par + n;
        const Rates<V> rates = {spread<V>(own[SLOW * width]), spread<V>(own[GAP * width]),
                                spread<V>(own[RATE_MEM * width]), V{}};
        constexpr int places = N > ITEMS ? N : ITEMS;
        alignas(64) R since[places] = {}, decay[places], decay_syn[places], gain[places];
        for (int k = 0; k < ITEMS; ++k) since[k] = x.since[k];
        for (int k = 0; k < ITEMS; k += N) {
            const V h = load<V>(since + k);
            const Map<V> m = NEAR ? near_forward(h, rates) : far_forward(h, rates);
            store(decay + k, m.x);
            store(decay_syn + k, m.y);
            store(gain + k, m.gain);
        }
        R v = states[2 * i * width + n], j = states[(2 * i + 1) * width + n];
        const double rate_mem = own[RATE_MEM * width];
        double at = begins[i];
        int64_t event = events[i];
        for (int k = 0; k < x.size; ++k) {
            const R v_end = fused(gain[k], j, decay[k] * v), j_end = decay_syn[k] * j;
            inside(n, v, j, v_end, j_end, at);
            at = x.time[k];
            const bool arrives = k < x.size - x.empty;
            if (v_end > found.value[n]) {
                if (arrives) note(found, n, v_end, at, event, rate_mem * ((double)j_end - (double)v_end));
                else if (x.ends) note(found, n, v_end, at, -1, 0.0);
            }
            v = v_end;
            j = flush(j_end + x.weight[k][n]);
            if (arrives)
                while (event < s.n_heard && s.course.times[event] == at) ++event;
        }
    }

    // Keeps neuron n's peak between two arrivals, the first at `begin`, if it is the largest so far.
    FORMULA_MEMBER void inside(int64_t n, double v, double j, double v_end, double j_end,
                               double begin) const {
        if (!(j > found.value[n] && j > v && j_end <= v_end)) return;
        const R* const own = s.par + n;
        const Rates<double> rates = {own[SLOW * width], own[GAP * width], own[RATE_MEM * width], 0.0};
        const double m = (j - v) / (rates.mem * j + rates.gap * v), u = rates.gap * m;
        const double since = m * log_ratio(u);
        const Map<double> way = far_forward(since, rates);
        const double peak = fused(way.gain, j, way.x * v);
        if (peak > found.value[n]) note(found, n, peak, begin + since, -1, 0.0);
    }
};

template <class V> int largest_forward(const LargestForward<Real<V>>& call) {
    Peaks<V> peaks(call);
    if (!peaks.ok()) return NO_MEMORY;
    for (int64_t i = 0; i < call.tasks.n; ++i) peaks.run(call.tasks.todo[i]);
    return DONE;
}

}  // namespace eventsim
