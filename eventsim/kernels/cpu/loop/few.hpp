// The few neurons of a window that may fire: each goes from arrival to arrival of its own.
//
// A neuron's state stays that of its last arrival, spike or release; at an arrival, and at the end of a
// piece of the window, a spike before it is looked for. Arrivals are looked up in the bundles
// and put one behind the other by neuron, as many as there is room for. Then every neuron goes through its
// own; the propagators to several of them, which do not depend on its state, are found at once.
//
// Reference       eventsim/engine/reference/queue.py
#pragma once
#include "../../lanes.hpp"
#include "cells.hpp"
#include "sums.hpp"
#include "windows.hpp"

namespace eventsim {

// Arrivals that the few neurons meet between two sorts, by all neurons, and at least. In
// bench/macro/balanced.py 0.2 per neuron were met in a piece.
constexpr int64_t ROOM_PER_NEURON = 4, ROOM_LEAST = 1024;

// Synapses that are looked through at a time.
constexpr int64_t LOOKED = 128;

// The alert level: minus infinity while V is held, so that every bound is above it.
template <class R> FORMULA R alert_of(const Cell<R>& c) {
    return c.held() ? -std::numeric_limits<R>::infinity() : c.alert;
}

// Ways of a neuron from one time to the next of some, their propagators side by side.
template <class V> struct Ways {
    using R = Real<V>;
    static constexpr int N = Numbers<V>::count;
    alignas(64) R h[N], x[N], y[N], gain[N];

    // The ways to the n times of `time`, of which the one before is known as well.
    FORMULA_MEMBER void find(const double* time, int64_t n, const Rates<R>& rates) {
        for (int k = 0; k < N; k += Numbers<Doubles>::count)
            store_as(h + k, load<Doubles>(time + k) - load<Doubles>(time + k - 1));
        for (int64_t k = n; k < N; ++k) h[k] = R(0);
        const Rates<V> r = {spread<V>(rates.slow), spread<V>(rates.gap), spread<V>(rates.mem), V{}};
        const Map<V> m = propagators(load<V>(h), r);
        store(x, m.x);
        store(y, m.y);
        store(gain, m.gain);
    }
};

// The few: neurons of a part that may fire or be released in a piece.
template <class V> class FewNeurons {
    using R = Real<V>;
    using W = Ways<V>;

    struct Met {
        double time;
        R jump;
        int32_t who;
    };

    const int64_t most;     // arrivals that there is room for
    Cells<R>& cells;        // all neurons
    Met* const met;         // in order of time
    double* const time;     // by neuron: where it is, its arrivals, its end
    R* const jump;
    int32_t *const start, *const number;  // where those of each are
    int64_t n_met = 0;

  public:
    int32_t* const who;
    uint8_t* const is_one;  // of all neurons
    int32_t* const place;   // which of the few a neuron is
    int64_t size = 0;

    static int64_t most_of(int64_t neurons) { return ROOM_PER_NEURON * neurons + ROOM_LEAST; }
    static std::size_t room(int64_t neurons) {
        const int64_t most = most_of(neurons), places = most + 2 * neurons + W::N;
        return most * sizeof(Met) + places * (8 + sizeof(R)) + neurons * 12 + 6 * 64;
    }

    // For parts of up to `neurons` neurons; `is_one` and `place` have all neurons.
    FewNeurons(int64_t neurons, Cells<R>& cells, uint8_t* is_one, int32_t* place, Arena& arena)
        : most(most_of(neurons)), cells(cells), met(arena.take<Met>(most)),
          time(arena.take<double>(most + 2 * neurons + W::N)), jump(arena.take<R>(most + 2 * neurons + W::N)),
          start(arena.take<int32_t>(neurons)), number(arena.take<int32_t>(neurons)),
          who(arena.take<int32_t>(neurons)), is_one(is_one), place(place) {}

    // Neuron n joins the few.
    FORMULA_MEMBER void join(int64_t n) {
        is_one[n] = 1;
        place[n] = (int32_t)size;
        number[size] = 0;
        who[size++] = (int32_t)n;
    }

    // Meet the arrivals at t of those synapses low .. high whose targets are among the few; their number.
    template <class T>
    int64_t look_up(const int32_t* target, const PartWeights<T>& weight, int64_t low, int64_t high, double t,
                    const Window& w, PartSpikes& spikes) {
        int64_t all = 0;
        int32_t found[LOOKED + 1];
        for (int64_t begin = low; begin < high; begin += LOOKED) {
            const int32_t* const mine = target + begin;
            const int32_t size = (int32_t)std::min(LOOKED, high - begin);
            int32_t n = 0;
            _Pragma("GCC unroll 4") for (int32_t k = 0; k < size; ++k) {
                found[n] = k;
                n += is_one[(uint32_t)mine[k]];
            }
            all += n;
            if (n_met + n > most && !go(w, 0.0, false, spikes)) return all;
            for (int32_t i = 0; i < n; ++i) meet(mine[found[i]], t, R(weight[begin + found[i]]));
        }
        return all;
    }

    // Meet one arrival at neuron n, if it is among the few.
    int64_t look_up_one(int64_t n, R weight, double t, const Window& w, PartSpikes& spikes) {
        if (!is_one[n]) return 0;
        if (n_met + 1 > most && !go(w, 0.0, false, spikes)) return 1;
        meet(n, t, weight);
        return 1;
    }

    // Take the few over their arrivals, and to the end of the piece if it `ends`. Of several that run away
    // the first in time counts. False where the window does not go on.
    bool go(const Window& w, double end, bool ends, PartSpikes& spikes) {
        sort();
        for (int64_t p = 0; p < size && spikes.count <= spikes.limit; ++p) {
            const int64_t n = who[p], last = start[p], first = last - number[p];
            time[first - 1] = cells.cell[n].time;
            if (ends) {
                time[last] = end;
                jump[last] = R(0);
            }
            const int64_t count = spikes.count;
            if (goes(n, time + first, jump + first, number[p], ends, w.end, spikes)) spikes.count = count;
            number[p] = 0;
        }
        n_met = 0;
        return spikes.goes();
    }

  private:
    void meet(int64_t n, double t, R weight) {
        const int32_t p = place[n];
        met[n_met++] = {t, weight, p};
        ++number[p];
    }

    // Sort arrivals by neuron, with a place before the first arrival of each and one behind its last.
    void sort() {
        int32_t at = 0;
        for (int64_t p = 0; p < size; ++p) {
            start[p] = at + 1;
            at += number[p] + 2;
        }
        for (int64_t e = 0; e < n_met; ++e) {
            const int32_t i = start[met[e].who]++;
            time[i] = met[e].time;
            jump[i] = met[e].jump;
        }
    }

    // Take neuron n to the times of its arrivals and, if it `ends`, to one more, for which it does not fire
    // from `stop` on. Whether it runs away.
    __attribute__((noinline)) bool goes(int64_t n, const double* time, const R* jump, int64_t arrivals,
                                        bool ends, double stop, PartSpikes& spikes) {
        Cell<R>& c = cells.cell[n];
        const Rates<R> rates = c.rates();
        R v = c.v, j = c.j, alert = alert_of(c);
        double t = c.time;
        W ways;
        for (int64_t i = 0; i < arrivals + ends; ++i) {
            const int64_t k = i % W::N;
            if (k == 0) ways.find(time + i, arrivals + ends - i, rates);
            if (!(t < time[i])) {
                j = j + jump[i];
                continue;
            }
            R v_end = fused(ways.gain[k], j, ways.x[k] * v), j_end = ways.y[k] * j;
            const double until = time[i], last = i < arrivals ? until : std::min(until, stop);
            R top = highest(v, j, v_end, j_end, ways.h[k], rates.mem, c.peak), level = alert;
            if (cells.adapts()) {  // a threshold may fall onto v
                top = larger(v, top);
                level = lifted(cells.threshold(n), cells.adapted[n], until, alert);
            }
            if (top >= level) {
                if (c.held() && c.until >= last) {
                    v_end = c.reset;
                } else {
                    c.v = v;
                    c.j = j;
                    c.time = t;
                    if (catch_up(n, until, last, spikes)) return true;
                    if (spikes.count > spikes.limit) return false;
                    advance(c, until);
                    v = c.v;
                    j = c.j + jump[i];
                    alert = alert_of(c);
                    t = until;
                    continue;
                }
            }
            v = flush(v_end);
            j = flush(j_end) + jump[i];
            t = until;
        }
        c.v = v;
        c.j = j;
        c.time = t;
        return false;
    }

    // Take neuron n over its spikes and releases before t and before `stop`; past the limit it stops. Whether
    // it runs away.
    bool catch_up(int64_t n, double t, double stop, PartSpikes& spikes) {
        Cell<R>& c = cells.cell[n];
        const double before = std::min(t, stop);
        while (spikes.count <= spikes.limit) {
            if (c.held()) {
                if (!(c.until < before)) return false;
                release(c, cells.firing[n], spikes);
            }
            const R bound = peak_bound(c.v, c.j, c.peak);
            if (!(bound >= c.alert)) return false;
            c.rise = cells.rise_of(n, R(t - c.time), bound);
            if (c.rise < R(0) || !(c.time + double(c.rise) < before)) return false;
            if (cells.fire_next(n, spikes)) {
                if (spikes.failed < 0 || c.time < spikes.reached) spikes.failed = n, spikes.reached = c.time;
                return true;
            }
        }
        return false;
    }
};

}  // namespace eventsim
