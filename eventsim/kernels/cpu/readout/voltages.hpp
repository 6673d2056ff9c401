// Voltages of a readout that shares its events, at requested times.
//
// Side by side    neurons of a block, stretch after stretch, the last before an asked time ending
//                 there. Tasks are blocks in samples.
// Before          times ascend in each sample.
// After           v of every neuron at every asked time, from E.
// Reference       eventsim/adjoint/linear/voltage.py
#pragma once
#include "../../lanes.hpp"

#include "../arena.hpp"
#include "../calls.hpp"
#include "../dense/blocks.hpp"
#include "../dense/stretches.hpp"

namespace eventsim {

// A block of neurons that do not fire, in one sample at a time.
template <class V> class Silent {
    using R = Real<V>;
    const Events& events;
    const Weights<R>& weights;
    const Neurons<R>& neurons;
    const int64_t n_blocks, width;
    Arena arena;
    double* own_times = nullptr;
    int32_t* own_rows = nullptr;
    int64_t block = -1;

  public:
    const R fastest, longest;
    R *par, *table, *before, *after;  // [N_PAR, width], [2 DEGREE, width], [2, width] twice
    int64_t* number = nullptr;        // of each event among the sample's; null: as they come
    int64_t sample = 0, low = 0, size = 0, n_heard = 0;
    Course<R> course;

    // Neurons that do not fire, for tasks of some samples; `more` bytes are left for the caller.
    Silent(const Tasks& tasks, const Events& events, const Weights<R>& weights,
           const Neurons<R>& neurons, std::size_t more)
        : events(events), weights(weights), neurons(neurons), n_blocks(tasks.n_blocks),
          width(weights.width), arena(room(tasks, events, weights) + more),
          fastest(R(neurons.fastest)), longest(R(SPAN) / R(neurons.fastest)),
          par(arena.take<R>(N_PAR * width)), table(arena.take<R>(2 * DEGREE<R> * width)),
          before(arena.take<R>(2 * width)), after(arena.take<R>(2 * width)) {
        course.summed = arena.take<R>(ITEMS * width);
        if (n_blocks == 1) return;
        const int64_t most = most_events(tasks, events);
        own_times = arena.take<double>(most);
        number = arena.take<int64_t>(most);
        own_rows = arena.take<int32_t>(most);
    }
    bool ok() const { return arena.ok(); }
    template <class T> T* take(std::size_t n) { return arena.take<T>(n); }

    // Start before the first event of a task's sample.
    void start(int64_t task) {
        sample = task / n_blocks;
        if (task % n_blocks != block) {
            block = task % n_blocks;
            low = low_of(block, width);
            size = size_of(block, width, neurons.size);
            take_columns(neurons.par, N_PAR, neurons.size, low, size, width, par);
            write_answers<V>(par, width, longest, table);
        }
        const int64_t lo = events.offsets[sample], hi = events.offsets[sample + 1];
        course.times = n_blocks == 1 ? events.times + lo : own_times;
        course.rows = n_blocks == 1 ? events.rows + lo : own_rows;
        n_heard = hi - lo;
        if (n_blocks > 1)
            n_heard = hear(events, events.heard + block * (weights.n_rows - 1), lo, hi, own_times,
                           own_rows, number);
        course.weights = weights.values + block * weights.n_rows * width;
        course.event = 0;
        course.t = 0.0;
        std::fill(before, before + 2 * width, R(0));
    }

    // The next stretch: what all neurons share of its items, and its length.
    R next(Items<V>& items) {
        fill(course, width, longest, course.weights + (weights.n_rows - 1) * width);
        const Stretch<R>& x = course.stretch;
        UNROLL for (int k = 0; k < ITEMS; ++k) items.gap[k] = x.gap[k], items.share[k] = x.share[k];
        return R(x.time[ITEMS - 1] - course.t);
    }

    bool near(R h) const { return fastest * h <= R(SMALL_Z); }

    // The neurons from n on over a stretch of h ms, from state [2, width]; NEAR where near(h).
    template <bool NEAR>
    FORMULA_MEMBER Ahead<V> ahead_of(int64_t n, const R* state, Items<V>& items, R h) const {
        const R* const mine = par + n;
        const Rates<V> rates = {load<V>(mine + SLOW * width), load<V>(mine + GAP * width),
                                load<V>(mine + RATE_MEM * width), V{}};
        const Map<V> m = NEAR ? near_forward(spread<V>(h), rates) : far_forward(spread<V>(h), rates);
        UNROLL for (int k = 0; k < ITEMS; ++k)
            items.weight[k] = load<V>(course.stretch.weight[k] + n);
        return ahead(load<V>(state + n), load<V>(state + width + n), items, rates.mem,
                     load<V>(mine + PEAK * width), AnswerAt<V>{table + n, width}, m, h);
    }

  private:
    static int64_t most_events(const Tasks& tasks, const Events& events) {
        int64_t most = 0;
        for (int64_t i = 0; i < tasks.n; ++i) {
            const int64_t s = tasks.todo[i] / tasks.n_blocks;
            most = std::max(most, events.offsets[s + 1] - events.offsets[s]);
        }
        return most;
    }

    static std::size_t room(const Tasks& tasks, const Events& events, const Weights<R>& weights) {
        const std::size_t rows = N_PAR + 2 * DEGREE<R> + 4 + ITEMS, line = 64;
        return weights.width * rows * sizeof(R) + 8 * line +
               (tasks.n_blocks > 1 ? most_events(tasks, events) * 20 : 0);
    }
};

// Take all neurons over a stretch of h ms, without a bound of v.
template <bool NEAR, class V>
__attribute__((noinline)) void pass(Silent<V>& s, int64_t width, Items<V>& items, Real<V> h) {
    for (int64_t n = 0; n < width; n += Numbers<V>::count) {
        const Ahead<V> end = s.template ahead_of<NEAR>(n, s.before, items, h);
        store(s.after + n, end.v);
        store(s.after + width + n, end.j);
    }
    std::swap(s.before, s.after);
    s.course.t = s.course.stretch.time[ITEMS - 1];
}

// Take all neurons to a requested time, from an earlier one.
template <class V> FORMULA void pass_until(Silent<V>& s, int64_t width, double time) {
    Course<Real<V>>& course = s.course;
    course.t_end = time;
    Items<V> items;
    for (bool ends = time <= course.t; !ends;) {
        const Real<V> h = s.next(items);
        ends = course.stretch.ends;
        if (s.near(h)) pass<true>(s, width, items, h); else pass<false>(s, width, items, h);
    }
}

template <class V> int voltages_forward(const VoltagesForward<Real<V>>& call) {
    Silent<V> s(call.tasks, call.events, call.weights, call.neurons, 0);
    if (!s.ok()) return NO_MEMORY;
    for (int64_t i = 0; i < call.tasks.n; ++i) {
        s.start(call.tasks.todo[i]);
        s.course.n_events = 0;
        for (int64_t q = 0; q < call.asked.n; ++q) {
            const int64_t place = s.sample * call.asked.n + q;
            const double time = call.asked.times[place];
            int64_t& n_events = s.course.n_events;
            while (n_events < s.n_heard && s.course.times[n_events] < time) ++n_events;
            pass_until(s, call.weights.width, time);
            double* const value = call.asked.value + place * call.neurons.size + s.low;
            std::copy(s.before, s.before + s.size, value);
        }
    }
    return DONE;
}

}  // namespace eventsim
