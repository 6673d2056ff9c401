// Neurons of a loop that share their events: by windows, and stretch after stretch, as those of a layer.
//
// All arrivals within a window are known when it begins. Its last stretch ends at its border.
//
// Side by side    neurons in vectors: ../dense/steps.hpp. Tasks are samples.
// Before          roles of the call.
// After           as summed.hpp; spikes by time and neuron.
// Reference       eventsim/engine/reference/queue.py
#pragma once
#include "../../lanes.hpp"
#include "../calls.hpp"
#include "../dense/steps.hpp"
#include "windows.hpp"

namespace eventsim {

template <class V> class Stretched {
    using R = Real<V>;
    using Call = LoopStretches<R>;

    const Call& a;
    const int64_t size, width, sample;
    Arena arena;
    R *const par, *const table;
    Firing* const firing;
    Sample<R> s;
    Steps<V> steps;
    PartSpikes found;
    GrowingArray<int32_t> rows;      // of the weights, of the bundles that are due
    GrowingArray<double> times;

    static std::size_t room(const Call& a) {
        const std::size_t w = a.weights.width;
        return w * (sizeof(R) * (N_PAR + 2 * DEGREE<R>) + sizeof(Firing)) + 4 * 64 + Steps<V>::room(w, 1);
    }

  public:
    Stretched(const Call& a, int64_t sample)
        : a(a), size(a.neurons.size), width(a.weights.width), sample(sample), arena(room(a)),
          par(arena.take<R>(N_PAR * width)), table(arena.take<R>(2 * DEGREE<R> * width)),
          firing(arena.take<Firing>(width)), steps(a.neurons, a.spikes, width, &s, par, 1, arena),
          found(a.spikes, sample) {
        if (!arena.ok()) return;
        take_columns(a.neurons.par, N_PAR, size, 0, size, width, par);
        write_answers<V>(par, width, steps.longest, table);
    }

    // False where there is no memory.
    bool run() { return arena.ok() && WindowRun<R, Call, Stretched>(a, *this, sample).run(sample); }

    int64_t parts() const { return 1; }
    PartSpikes& spikes(int64_t) { return found; }

    bool begin(int64_t sample) {
        const int64_t at = sample * size;
        s.low = s.block = 0;
        s.size = size;
        s.weights = a.weights.values;
        s.par = par;
        s.table = table;
        s.start = found.start;
        s.limit = found.limit;
        s.count = s.arrival = 0;
        s.since = 0.0;
        s.failed = -1;
        s.firing = firing;
        for (int64_t n = 0; n < size; ++n)
            firing[n] = {EARLIER, 0.0, a.begin.since[at + n], a.begin.recent[at + n]};
        steps.stand(s, a.begin.v + at, a.begin.j + at, a.begin.until + at);
        for (int64_t n = 0; n < size && a.begin.a; ++n) s.adapted[n] = {a.begin.a[at + n], a.begin.last[at + n]};
        return true;
    }

    static double coming() { return __builtin_inf(); }
    static bool launch(double, int32_t) { return true; }

    void keep(int64_t sample, double border) const {
        for (int64_t n = 0, at = sample * size; n < size; ++n, ++at) {
            a.end.time[at] = border;
            a.end.v[at] = s.before[n];
            a.end.j[at] = s.before[width + n];
            a.end.until[at] = s.held[n] >= 0 ? s.until[n] : -1.0;
            a.end.since[at] = firing[n].since;
            a.end.recent[at] = firing[n].recent;
            if (a.end.a) a.end.a[at] = s.adapted[n].a, a.end.last[at] = s.adapted[n].last;
        }
    }

    double opens(double border, double coming) const {
        const auto until = [this](int64_t n) { return s.held[n] >= 0 ? s.until[n] : -1.0; };
        return opening(s.before, s.before + width, par, width, size, until, border, coming);
    }

    bool run(const Window& w, const GrowingArray<Bundle>& due, WindowFound&) {
        if (!rows.reserve(due.size) || !times.reserve(due.size)) return false;
        for (int64_t k = 0; k < due.size; ++k) {
            times[k] = due[k].time;
            rows[k] = a.rows.row[due[k].first];
        }
        s.times = times.begin();
        s.rows = rows.begin();
        s.n_events = due.size;
        s.event = 0;
        s.t = w.now;
        s.t_end = std::min(w.border, w.end);
        while (s.t < s.t_end && s.failed < 0 && s.count <= s.limit) {
            fill(s, width, steps.longest, s.weights + (a.weights.n_rows - 1) * width);
            steps.open();
            steps.pool.walk(steps.over(s, 0));
            steps.close(s);
        }
        found.count = s.count;
        found.failed = s.failed;
        found.reached = s.failed_at;
        return true;
    }
};

template <class V> int loop_stretches(const LoopStretches<Real<V>>& call) {
    for (int64_t i = 0; i < call.tasks.n; ++i)
        if (!Stretched<V>(call, call.tasks.todo[i]).run()) return NO_MEMORY;
    return DONE;
}

}  // namespace eventsim
