// Neurons of a loop, each as its last event left it: its next spike or release, and the way there.
//
// Reference       eventsim/engine/reference/queue.py
#pragma once
#include "../../neuron/adaptive.hpp"
#include "../arena.hpp"
#include "../firing.hpp"
#include "../spike_room.hpp"
#include "../table.hpp"
#include "../calls.hpp"

namespace eventsim {

// A neuron in one line of the cache, in double precision in two.
template <class R> struct alignas(64) Cell {
    double time, until;  // of its last event; when V is let go, below zero where it is not held
    R v, j, rise;        // ms to the crossing that is predicted
    R slow, gap, mem, level, alert, peak, reset, self;

    bool held() const { return until >= 0.0; }
    FORMULA_MEMBER Rates<R> rates() const { return {slow, gap, mem, R(0)}; }
};

// Bring a neuron to an arrival at t. Nothing reads the V of one that is held: it is let go at its reset.
template <class R> FORMULA void advance(Cell<R>& c, double t) {
    const Map<R> m = far_forward(R(t - c.time), c.rates());
    c.v = flush(fused(m.gain, c.j, m.x * c.v));
    c.j = flush(m.y * c.j);
    c.time = t;
}

// V is let go.
template <class R> FORMULA void release(Cell<R>& c, const Firing& f, SpikeRoom& spikes) {
    c.v = c.reset;
    c.j = flush(far_forward(R(c.until - c.time), c.rates()).y * c.j);
    c.time = c.until;
    c.until = -1.0;
    spikes.let_go(f.spike, c.j);
}

// Neuron n fires after its rise.
template <class R> FORMULA void fire(Cell<R>& c, Firing& f, int64_t n, SpikeRoom& spikes) {
    const R j = flush(far_forward(c.rise, c.rates()).y * c.j);
    const double t = c.time + double(c.rise);
    const bool holds = f.refractory > 0.0;
    if (holds) {
        f.spike = spikes.count;
        c.until = t + f.refractory;
    }
    spikes.add(n, t, j, holds);
    c.j = j + c.self;
    c.v = c.reset;
    c.time = t;
}

// A level that V does not pass now, and by how much it falls in a ms, at most.
template <class V> struct Foreseen {
    V level, fall;
};

// An adaptive threshold at t, with the margin of the alert level: it falls ever more slowly.
template <class R> FORMULA Foreseen<R> lowered(const Threshold& p, const Adapted& c, double t, R alert) {
    const R rise = R(p.strength * adaptation_at(p, c, t));
    return {alert + R(1.0 - ALERT_MARGIN) * rise, R(p.rate) * rise};
}

// ms to the crossing, at least, from a v below a positive level: infinity where there is none.
//
// It is the first of Newton's steps in crossing(), which never go back, and so a bound of the crossing to the
// bit. V rises no faster than now, or falls, and meets a threshold that falls no faster than now.
template <class V> FORMULA V least_way(V v, V j, V mem, const Foreseen<V>& x) {
    const V zero = spread<V>(0), rise = mem * (j - v), closer = select(rise > zero, rise, zero) + x.fall;
    return select(closer > zero, (x.level - v) / closer, spread<V>(Real<V>(__builtin_inf())));
}

// The neurons of a sample.
template <class R> class Cells {
    const Neurons<R>& neurons;

  public:
    Cell<R>* const cell;
    Firing* const firing;
    Adapted* const adapted;

    static std::size_t room(int64_t size) {
        return size * (sizeof(Cell<R>) + sizeof(Firing) + sizeof(Adapted)) + 3 * 64;
    }

    Cells(const Neurons<R>& neurons, Arena& arena)
        : neurons(neurons), cell(arena.take<Cell<R>>(neurons.size)),
          firing(arena.take<Firing>(neurons.size)),
          adapted(arena.take<Adapted>(neurons.strength ? neurons.size : 0)) {}

    bool adapts() const { return neurons.strength != nullptr; }
    Threshold threshold(int64_t n) const { return {neurons.strength[n], neurons.rate[n]}; }

    // Load the states of sample s.
    void begin(const LoopStop<R>& from, int64_t s) {
        const int64_t size = neurons.size;
        const R* const par = neurons.par;
        for (int64_t n = 0, at = s * size; n < size; ++n, ++at) {
            cell[n] = {from.time[at], from.until[at], from.v[at], from.j[at], R(0),
                       par[SLOW * size + n], par[GAP * size + n], par[RATE_MEM * size + n],
                       par[LEVEL * size + n], par[ALERT * size + n], par[PEAK * size + n],
                       par[RESET * size + n], par[SELF * size + n]};
            firing[n] = {EARLIER, neurons.refractory[n], from.since[at], from.recent[at]};
            if (adapts()) adapted[n] = {from.a[at], from.last[at]};
        }
    }

    void keep(const LoopStop<R>& to, int64_t s) const {
        for (int64_t n = 0, at = s * neurons.size; n < neurons.size; ++n, ++at) {
            const Cell<R>& c = cell[n];
            to.time[at] = c.time;
            to.v[at] = c.v;
            to.j[at] = c.j;
            to.until[at] = c.held() ? c.until : -1.0;
            to.since[at] = firing[n].since;
            to.recent[at] = firing[n].recent;
            if (adapts()) to.a[at] = adapted[n].a, to.last[at] = adapted[n].last;
        }
    }

    // Time to the crossing of neuron n, which is not held, within h ms over which `bound` is one of v; or -1.
    FORMULA_MEMBER R rise_of(int64_t n, R h, R bound) const {
        const Cell<R>& c = cell[n];
        if (!adapts()) return crossing(c.v, c.j, h, c.rates(), c.level, true);
        const OnWay<R> way = {c.v, c.j, h, bound, c.rates(), c.level, c.alert};
        return crossing_within(threshold(n), adapted[n], c.time, way);
    }

    // Time at which neuron n fires or is released if nothing arrives before; infinity if not before t_end.
    double predict(int64_t n, double t_end) {
        constexpr double never = __builtin_inf();
        Cell<R>& c = cell[n];
        if (c.held()) return c.until < t_end ? c.until : never;
        const R bound = peak_bound(c.v, c.j, c.peak);
        if (bound < c.alert) return never;
        c.rise = rise_of(n, R(t_end - c.time), bound);
        const double at = c.time + double(c.rise);
        return c.rise < R(0) || at >= t_end ? never : at;
    }

    // A time before which neuron n does nothing if nothing arrives; at no time after its crossing.
    FORMULA_MEMBER double soonest(int64_t n, double t_end) {
        constexpr double never = __builtin_inf();
        const Cell<R>& c = cell[n];
        const Foreseen<R> x = adapts() ? lowered(threshold(n), adapted[n], c.time, c.alert) : Foreseen<R>{c.level, R(0)};
        if (c.held() || c.v >= x.level || c.level <= R(0)) return predict(n, t_end);
        if (peak_bound(c.v, c.j, c.peak) < c.alert) return never;
        const double at = c.time + double(least_way(c.v, c.j, c.mem, x));
        return at < t_end ? at : never;
    }

    // Neuron n fires; whether it runs away.
    bool fire_next(int64_t n, SpikeRoom& spikes) {
        fire(cell[n], firing[n], n, spikes);
        if (adapts()) jump(threshold(n), adapted[n], cell[n].time);
        return firing[n].runs_away(cell[n].time);
    }
};

}  // namespace eventsim
