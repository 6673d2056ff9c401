// Neurons of a block, in a sample, from stretch to stretch: all side by side in vectors; those that may
// fire within a stretch, and those that are let go, come into a pool, in which they walk it.
//
// Before          `before` of a sample holds how its neurons stand, [2, width].
// After           spikes of the stretch by time and neuron.
#pragma once
#include "pool.hpp"

namespace eventsim {

template <class V> class Steps {
    using R = Real<V>;
    static constexpr int N = Numbers<V>::count;

    const Neurons<R>& neurons;
    const Spikes& spikes;
    const int64_t width;
    const bool refractory;
    const R fastest;

  public:
    const R longest;  // ms from the first item of a stretch to its last, at most
    Pool<V> pool;

    // Bytes for `most` samples side by side.
    static std::size_t room(int64_t width, int most) {
        return most * room_of_sample(width) + Pool<V>::room(width, most);
    }

    // `par` [blocks, N_PAR, width] are the parameters of all blocks.
    Steps(const Neurons<R>& neurons, const Spikes& spikes, int64_t width, Sample<R>* samples, const R* par,
          int most, Arena& arena)
        : neurons(neurons), spikes(spikes), width(width), refractory(holds(neurons)),
          fastest(R(neurons.fastest)), longest(R(SPAN) / R(neurons.fastest)),
          pool(neurons, spikes, width, refractory, samples, par, most, arena) {
        for (int i = 0; i < most; ++i) take_room(samples[i], arena);
    }

    // Neurons of a sample as they stand at first.
    void stand(Sample<R>& s, const R* v, const R* j, const double* until) const {
        s.n_holding = 0;
        std::fill(s.before, s.before + 2 * width, R(0));
        std::fill(s.alert, s.alert + width, std::numeric_limits<R>::infinity());
        std::fill(s.fired_arrival, s.fired_arrival + width, 0);
        std::fill(s.fired_times, s.fired_times + width, 0);
        std::fill(s.held, s.held + width, -1);
        for (int64_t n = 0; n < s.size; ++n) {
            s.before[n] = v[n];
            s.before[width + n] = j[n];
            s.until[n] = until[n];
            s.held[n] = until[n] >= 0.0 ? EARLIER : -1;
            s.alert[n] = s.par[ALERT * width + n];
            if (s.held[n] >= 0) hold(s, (int32_t)n);
        }
    }

    // The next stretches of samples come.
    void open() {
        pool.size = 0;
        pool.some_held = false;
    }

    // Take a sample over its stretch; who may fire within it comes into the pool. Whether it is short
    // enough for near propagators.
    bool over(Sample<R>& s, int number) {
        s.first = s.count;
        const double until = s.stretch.time[ITEMS - 1];
        const R h = R(until - s.t);
        const bool near = fastest * h <= R(SMALL_Z);
        if (neurons.strength) lift(s, until);
        const int before = pool.size;
        if (near) step<true>(s, h); else step<false>(s, h);
        let_go(s, until);
        pool.join(number, before);
        return near;
    }

    // The stretch is behind the sample, and its neurons have walked.
    void close(Sample<R>& s) {
        const Stretch<R>& x = s.stretch;
        if (s.count > s.first + 1) sort_tail(s, s.first, std::min(s.count, s.limit));
        if (x.size > x.empty) {
            s.arrival += x.size - x.empty;
            s.since = x.time[x.size - x.empty - 1];
        }
        std::swap(s.before, s.after);
        s.t = x.time[ITEMS - 1];
    }

  private:
    static std::size_t room_of_sample(int64_t width) {
        return width * (sizeof(R) * (5 + ITEMS) + 4 * 8 + 4 + sizeof(Adapted)) + 10 * 64;
    }

    void take_room(Sample<R>& s, Arena& arena) const {
        s.before = arena.take<R>(2 * width);
        s.after = arena.take<R>(2 * width);
        s.alert = arena.take<R>(width);
        s.summed = arena.take<R>(ITEMS * width);
        s.held = arena.take<int64_t>(width);
        s.fired_arrival = arena.take<int64_t>(width);
        s.fired_times = arena.take<int64_t>(width);
        s.until = arena.take<double>(width);
        s.adapted = arena.take<Adapted>(width);
        s.holding = arena.take<int32_t>(width);
        s.firing = nullptr;
        s.runs = false;
    }

    static bool holds(const Neurons<R>& neurons) {
        for (int64_t n = 0; n < neurons.size; ++n)
            if (neurons.refractory[n] > 0.0) return true;
        return false;
    }

    // Alert levels of those that are not held.
    void lift(Sample<R>& s, double until) {
        for (int64_t n = 0; n < s.size; ++n) {
            const Threshold p = {neurons.strength[s.low + n], neurons.rate[s.low + n]};
            if (s.alert[n] < std::numeric_limits<R>::infinity())
                s.alert[n] = lifted(p, s.adapted[n], until, s.par[ALERT * width + n]);
        }
    }

    template <bool NEAR> __attribute__((noinline)) void step(Sample<R>& s, R h) {
        const Stretch<R>& x = s.stretch;
        Items<V> items;
        UNROLL for (int k = 0; k < ITEMS; ++k) items.gap[k] = x.gap[k], items.share[k] = x.share[k];
        const R *const before = s.before, *const alert = s.alert;
        R* const after = s.after;
        const V length = spread<V>(h);
        const int64_t width = this->width;  // the compiler need not read it again
        const R *const par = s.par, *const table = s.table;
        int32_t* found = pool.who + pool.size;
        for (int64_t n = 0; n < width; n += N) {
            const R* const mine = par + n;
            const Rates<V> rates = {load<V>(mine + SLOW * width), load<V>(mine + GAP * width),
                                    load<V>(mine + RATE_MEM * width), V{}};
            const Map<V> m = NEAR ? near_forward(length, rates) : far_forward(length, rates);
            UNROLL for (int k = 0; k < ITEMS; ++k) items.weight[k] = load<V>(x.weight[k] + n);
            const Ahead<V> end =
                ahead(load<V>(before + n), load<V>(before + width + n), items, rates.mem,
                      load<V>(mine + PEAK * width), AnswerAt<V>{table + n, width}, m, h);
            store(after + n, end.v);
            store(after + width + n, end.j);
            found = append(found, (int32_t)n, end.bound >= load<V>(alert + n));
        }
        pool.size = (int)(found - pool.who);
    }

    // Held neurons whose V is released within the stretch join the pool.
    void let_go(Sample<R>& s, double until) {
        int size = 0;
        for (int i = 0; i < s.n_holding; ++i) {
            const int32_t n = s.holding[i];
            if (s.until[n] < until) {
                pool.who[pool.size++] = n;
                pool.some_held = true;
            } else {
                s.after[n] = s.par[RESET * width + n];
                s.holding[size++] = n;
            }
        }
        s.n_holding = size;
    }

    // Sort the last spikes by time and neuron.
    void sort_tail(Sample<R>& s, int64_t first, int64_t end) {
        double *const time = spikes.time + s.start, *const current = spikes.current + s.start,
                     *const restart = spikes.restart + s.start;
        int32_t* const neuron = spikes.neuron + s.start;
        const int64_t low = s.low;
        for (int64_t k = first + 1; k < end; ++k) {
            const double t = time[k], c = current[k], r = restart[k];
            const int32_t n = neuron[k];
            const bool held = refractory && s.held[n - low] == k;
            int64_t i = k;
            for (; i > first && (time[i - 1] > t || (time[i - 1] == t && neuron[i - 1] > n)); --i) {
                time[i] = time[i - 1];
                current[i] = current[i - 1];
                restart[i] = restart[i - 1];
                neuron[i] = neuron[i - 1];
                int64_t& other = s.held[neuron[i] - low];
                if (refractory && other == i - 1) other = i;
            }
            time[i] = t;
            neuron[i] = n;
            current[i] = c;
            restart[i] = r;
            if (held) s.held[n - low] = i;
        }
    }
};

}  // namespace eventsim
