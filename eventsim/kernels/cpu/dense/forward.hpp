// Forward pass of layers whose neurons all meet the same events, block by block of neurons.
//
// Side by side    neurons of a block in vectors, stretch after stretch; of SAMPLES tasks in step,
//                 those that may fire within their stretches: pool.hpp. Tasks are dealt to threads by
//                 the caller; no result depends on who runs beside whom.
// Before          roles of the call; limits[task] spikes have room.
// After           spikes by time and neuron, as many as there is room for; counts of all; `end` right
//                 after the last arrival that is met.
// Reference       eventsim/engine/reference/layer.py, one neuron at a time
#pragma once
#include "../../lanes.hpp"
#include "../calls.hpp"
#include "steps.hpp"

namespace eventsim {

template <class V, int SAMPLES> class Layer {
    using R = Real<V>;
    const DenseForward<R>& a;
    const int64_t width, most_events;
    Arena arena;
    R *par, *table;  // of every block
    Sample<R> samples[SAMPLES];
    Steps<V> steps;

    static std::size_t room(const DenseForward<R>& a, int64_t most_events) {
        const std::size_t w = a.weights.width, blocks = a.tasks.n_blocks, line = 64;
        const std::size_t tables = blocks * w * sizeof(R) * (N_PAR + 2 * DEGREE<R>) + 2 * line;
        const std::size_t each = (blocks > 1 ? most_events * 20 : 0) + 3 * line;
        return tables + SAMPLES * each + Steps<V>::room(w, SAMPLES) + line;
    }

  public:
    explicit Layer(const DenseForward<R>& call)
        : a(call), width(call.weights.width), most_events(most_of(call.tasks, call.events.offsets)),
          arena(room(call, most_events)),
          par(arena.take<R>(call.tasks.n_blocks * N_PAR * width)),
          table(arena.take<R>(call.tasks.n_blocks * 2 * DEGREE<R> * width)),
          steps(call.neurons, call.spikes, width, samples, par, SAMPLES, arena) {
        if (!arena.ok()) return;
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
            steps.open();
            bool near = true;
            for (int i = 0; i < SAMPLES; ++i)
                if (samples[i].runs) near &= step_of(samples[i], i);
            steps.pool.walk(near);
            for (Sample<R>& s : samples)
                if (s.runs) steps.close(s);
        }
    }

  private:
    void make_tables(int64_t block) {
        R* const own = par + block * N_PAR * width;
        const int64_t low = low_of(block, width), size = size_of(block, width, a.neurons.size);
        take_columns(a.neurons.par, N_PAR, a.neurons.size, low, size, width, own);
        write_answers<V>(own, width, steps.longest, table + block * 2 * DEGREE<R> * width);
    }

    void take_room(Sample<R>& s) {
        const int64_t own = a.tasks.n_blocks > 1 ? most_events : 0;
        s.times = arena.take<double>(own);
        s.number = arena.take<int64_t>(own);
        s.rows = arena.take<int32_t>(own);
    }

    void start(Sample<R>& s, int64_t task) {
        s.task = task;
        s.sample = task / a.tasks.n_blocks;
        s.block = task % a.tasks.n_blocks;
        s.low = low_of(s.block, width);
        s.size = size_of(s.block, width, a.neurons.size);
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
        s.runs = true;
        steps.stand(s, a.begin.v + at, a.begin.j + at, a.begin.until + at);
        if (a.begin.a)
            for (int64_t n = 0; n < s.size; ++n) s.adapted[n] = {a.begin.a[at + n], a.begin.last[at + n]};
    }

    // The events that the block receives, up to the end of the sample.
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

    // Keep the states of the neurons before the last stretch, right after an arrival.
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

    // Take a sample over its next stretch; whether it is short enough for near propagators.
    bool step_of(Sample<R>& s, int number) {
        s.met = s.event;
        fill(s, width, steps.longest, s.weights + (a.weights.n_rows - 1) * width);
        if (s.stretch.ends) keep(s);
        return steps.over(s, number);
    }
};

// The forward pass of a layer, SAMPLES tasks at a time.
template <class V> int dense_forward(const DenseForward<Real<V>>& call) {
    return Layer<V, 8>(call).run() ? DONE : NO_MEMORY;
}

}  // namespace eventsim
