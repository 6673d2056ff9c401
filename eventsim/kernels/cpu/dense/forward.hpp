// Forward pass of layers whose neurons all meet the same events, block by block of neurons.
//
// Side by side    neurons of a block in vectors, stretch after stretch; of SAMPLES tasks in step,
//                 those that may fire within their stretches: pool.hpp. Tasks are dealt to threads by
//                 the caller; no result depends on who runs beside whom.
// Before          roles.hpp; limits[task] spikes have room.
// After           spikes by time and neuron, as many as there is room for; counts of all; `end` right
//                 after the last arrival that is met.
// Reference       eventsim/engine/reference/layer.py, one neuron at a time
#pragma once
#include "../../lanes.hpp"
#include "../calls.hpp"
#include "pool.hpp"

namespace eventsim {


template <class V, int SAMPLES> class Layer {
    using R = Real<V>;
    static constexpr int N = Numbers<V>::count;

    const DenseForward<R>& a;
    const int64_t width;
    const R fastest, longest;
    bool refractory = false;
    int64_t most_events = 0;
    Arena arena;
    R *par, *table;  // of every block
    Sample<R> samples[SAMPLES];
    Pool<V> pool;

    static std::size_t room(const DenseForward<R>& a, int64_t most_events) {
        const std::size_t w = a.weights.width, blocks = a.tasks.n_blocks, line = 64;
        const std::size_t tables = blocks * w * sizeof(R) * (N_PAR + 2 * DEGREE<R>) + 2 * line;
        const std::size_t each = w * (sizeof(R) * (5 + ITEMS) + 4 * 8 + 4 + sizeof(Adapted)) +
                                 (blocks > 1 ? most_events * 20 : 0) + 13 * line;
        return tables + SAMPLES * each + Pool<V>::room(w, SAMPLES) + line;
    }

    static int64_t longest_list(const DenseForward<R>& a) {
        int64_t most = 0;
        for (int64_t i = 0; i < a.tasks.n; ++i) {
            const int64_t s = a.tasks.todo[i] / a.tasks.n_blocks;
            most = std::max(most, a.events.offsets[s + 1] - a.events.offsets[s]);
        }
        return most;
    }

  public:
    explicit Layer(const DenseForward<R>& call)
        : a(call), width(call.weights.width), fastest(R(call.neurons.fastest)),
          longest(R(SPAN) / R(call.neurons.fastest)), most_events(longest_list(call)),
          arena(room(call, most_events)), par(arena.take<R>(call.tasks.n_blocks * N_PAR * width)),
          table(arena.take<R>(call.tasks.n_blocks * 2 * DEGREE<R> * width)),
          pool(call.neurons, call.spikes, width, holds(call), samples, par, SAMPLES, arena) {
        if (!arena.ok()) return;
        refractory = holds(call);
        for (int64_t b = 0; b < a.tasks.n_blocks; ++b) make_tables(b);
        for (Sample<R>& s : samples) take_room(s);
    }

    // False where there is no memory.
    bool run() {
        if (!arena.ok()) return false;
        int64_t next = 0;
        for (;;) {
            bool some = false;
            for (Sample<R>& s : samples) {
                while (!s.runs || !(s.t < s.t_end && s.failed < 0)) {
                    if (s.runs) finish(s);
                    if (next == a.tasks.n) break;
                    start(s, a.tasks.todo[next++]);
                }
                some |= s.runs;
            }
            if (!some) return true;
            pool.size = 0;
            pool.some_held = false;
            bool near = true;
            for (int i = 0; i < SAMPLES; ++i)
                if (samples[i].runs) near &= step_of(samples[i], i);
            pool.walk(near);
            for (Sample<R>& s : samples)
                if (s.runs) close(s);
        }
    }

  private:
    static bool holds(const DenseForward<R>& a) {
        for (int64_t n = 0; n < a.neurons.size; ++n)
            if (a.neurons.refractory[n] > 0.0) return true;
        return false;
    }

    void make_tables(int64_t block) {
        R* const own = par + block * N_PAR * width;
        const int64_t low = low_of(block, a.tasks.n_blocks);
        const int64_t size = size_of(block, a.tasks.n_blocks, a.neurons.size);
        take_columns(a.neurons.par, N_PAR, a.neurons.size, low, size, width, own);
        write_answers<V>(own, width, longest, table + block * 2 * DEGREE<R> * width);
    }

    void take_room(Sample<R>& s) {
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
        const int64_t own = a.tasks.n_blocks > 1 ? most_events : 0;
        s.times = arena.take<double>(own);
        s.number = arena.take<int64_t>(own);
        s.rows = arena.take<int32_t>(own);
        s.runs = false;
    }

    void start(Sample<R>& s, int64_t task) {
        s.task = task;
        s.sample = task / a.tasks.n_blocks;
        s.block = task % a.tasks.n_blocks;
        s.low = low_of(s.block, a.tasks.n_blocks);
        s.size = size_of(s.block, a.tasks.n_blocks, a.neurons.size);
        s.weights = a.weights.values + s.block * a.weights.n_rows * width;
        s.par = par + s.block * N_PAR * width;
        s.table = table + s.block * 2 * DEGREE<R> * width;
        s.start = a.spikes.starts[task];
        s.limit = a.spikes.limits[task];
        s.t_end = a.events.duration[s.sample];
        listen(s);
        const int64_t at = s.sample * a.neurons.size + s.low;
        s.t = s.since = a.begin.time[at];
        s.count = s.event = s.met = s.arrival = 0;
        s.failed = -1;
        s.failed_at = s.t_end;
        s.n_holding = 0;
        s.runs = true;
        std::fill(s.before, s.before + 2 * width, R(0));
        std::fill(s.alert, s.alert + width, std::numeric_limits<R>::infinity());
        std::fill(s.fired_arrival, s.fired_arrival + width, 0);
        std::fill(s.fired_times, s.fired_times + width, 0);
        std::fill(s.held, s.held + width, -1);
        for (int64_t n = 0; n < s.size; ++n) {
            s.before[n] = a.begin.v[at + n];
            s.before[width + n] = a.begin.j[at + n];
            s.until[n] = a.begin.until[at + n];
            s.held[n] = s.until[n] >= 0.0 ? EARLIER : -1;
            s.alert[n] = s.par[ALERT * width + n];
            if (a.begin.a) s.adapted[n] = {a.begin.a[at + n], a.begin.last[at + n]};
            if (s.held[n] >= 0) hold(s, (int32_t)n);
        }
    }

    // The events that the block hears, up to the end of the sample.
    void listen(Sample<R>& s) {
        const int64_t skip = a.events.skip[s.sample * a.tasks.n_blocks + s.block];
        const int64_t lo = a.events.offsets[s.sample] + skip, hi = a.events.offsets[s.sample + 1];
        s.n_all = hi - lo;
        s.n_events = hi - lo;
        if (a.tasks.n_blocks == 1) {
            s.times = a.events.times + lo;
            s.rows = a.events.rows + lo;
        } else {
            const uint8_t* const heard = a.events.heard + s.block * (a.weights.n_rows - 1);
            s.n_events = hear(a.events, heard, lo, hi, (double*)s.times, (int32_t*)s.rows,
                              (int64_t*)s.number);
        }
        s.n_heard = s.n_events;
        while (s.n_events > 0 && s.times[s.n_events - 1] >= s.t_end) --s.n_events;
    }

    void finish(Sample<R>& s) {
        s.runs = false;
        int64_t met = s.met;
        if (a.tasks.n_blocks > 1) met = met < s.n_heard ? s.number[met] : s.n_all;
        const int64_t place = s.sample * a.tasks.n_blocks + s.block;
        a.spikes.counts[s.task] = s.failed < 0 ? s.count : -1 - s.failed - s.low;
        a.spikes.reached[s.task] = s.failed_at;
        a.events.met[place] = a.events.skip[place] + met;
    }

    // How the neurons stand before the last stretch, right after an arrival.
    void keep(const Sample<R>& s) {
        const int64_t at = s.sample * a.neurons.size + s.low;
        for (int64_t n = 0; n < s.size; ++n) {
            a.end.time[at + n] = s.t;
            a.end.v[at + n] = s.before[n];
            a.end.j[at + n] = s.before[width + n];
            a.end.until[at + n] = s.held[n] >= 0 ? s.until[n] : -1.0;
            if (a.end.a) a.end.a[at + n] = s.adapted[n].a, a.end.last[at + n] = s.adapted[n].last;
        }
    }

    // Take a sample over its next stretch; who may fire within it comes into the pool. Whether it is
    // short enough for near propagators.
    bool step_of(Sample<R>& s, int number) {
        s.met = s.event;
        fill(s, width, longest, s.weights + (a.weights.n_rows - 1) * width);
        if (s.stretch.ends) keep(s);
        s.first = s.count;
        const double until = s.stretch.time[ITEMS - 1];
        const R h = R(until - s.t);
        const bool near = fastest * h <= R(SMALL_Z);
        if (a.neurons.strength) lift(s, until);
        const int before = pool.size;
        if (near) step<true>(s, h); else step<false>(s, h);
        let_go(s, until);
        pool.join(number, before);
        return near;
    }

    // Alert levels of those that are not held.
    void lift(Sample<R>& s, double until) {
        for (int64_t n = 0; n < s.size; ++n) {
            const Threshold p = {a.neurons.strength[s.low + n], a.neurons.rate[s.low + n]};
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

    // Those held that are let go of within the stretch walk.
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

    // Sort the last spikes by time and neuron.
    void sort_tail(Sample<R>& s, int64_t first, int64_t end) {
        double *const time = a.spikes.time + s.start, *const current = a.spikes.current + s.start,
                     *const restart = a.spikes.restart + s.start;
        int32_t* const neuron = a.spikes.neuron + s.start;
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

// Of SAMPLES tasks at a time.
template <class V> int dense_forward(const DenseForward<Real<V>>& call) {
    return Layer<V, 8>(call).run() ? DONE : NO_MEMORY;
}

}  // namespace eventsim
