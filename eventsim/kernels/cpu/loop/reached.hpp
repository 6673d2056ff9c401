// The neurons of a queue: those that a bundle of synapses reaches are brought there side by side.
//
// V, J and their times stand in rows. What happens to one neuron, a spike or a release, happens in its cell
// (cells.hpp), which takes them from there. Neurons reached at one time by several bundles are brought there by
// the first; the way of length zero after it changes nothing.
//
// Bits            those of the neurons one by one.
// Reference       eventsim/engine/reference/queue.py
#pragma once
#include "../../lanes.hpp"
#include "cells.hpp"
#include "due.hpp"

namespace eventsim {

// Up to so many neurons are brought to a time one by one: their vectors would be all but empty.
constexpr int64_t FEW_REACHED = 2;

// Places of as many neurons as numbers in a V: one behind the other, or any, of which `n` count.
template <class V> struct InRow {
    using R = Real<V>;
    static constexpr bool in_row = true;
    static constexpr int n = Numbers<V>::count;
    int64_t first;

    int64_t operator[](int k) const { return first + k; }
    FORMULA_MEMBER V of(const R* x) const { return load<V>(x + first); }
    FORMULA_MEMBER DoublesOf<V> wide(const double* x) const { return load_wide<V>(x + first); }
    FORMULA_MEMBER void put(R* x, V values) const { store(x + first, values); }
    FORMULA_MEMBER void put(double* x, const DoublesOf<V>& values) const { store_wide<V>(x + first, values); }
};
template <class V> struct Scattered {
    using R = Real<V>;
    static constexpr bool in_row = false;
    const int32_t* place;
    int n;
    Whole<V> index;  // the last one again behind them

    FORMULA_MEMBER Scattered(const int32_t* place, int n) : place(place), n(n) {
        for (int k = 0; k < Numbers<V>::count; ++k) index[k] = place[std::min(k, n - 1)];
    }
    int64_t operator[](int k) const { return place[k]; }
    FORMULA_MEMBER V of(const R* x) const { return gather_at<V>(x, index); }
    FORMULA_MEMBER DoublesOf<V> wide(const double* x) const { return gather_wide<V>(x, index); }
    FORMULA_MEMBER void put(R* x, V values) const {
        alignas(64) R each[Numbers<V>::count];
        store(each, values);
        for (int k = 0; k < n; ++k) x[place[k]] = each[k];
    }
    FORMULA_MEMBER void put(double* x, const DoublesOf<V>& values) const {
        alignas(64) double each[Numbers<V>::count];
        store_wide<V>(each, values);
        for (int k = 0; k < n; ++k) x[place[k]] = each[k];
    }
};

template <class V> class Reached {
    using R = Real<V>;
    static constexpr int N = Numbers<V>::count;
    static constexpr R NEVER = __builtin_inf();

    const Neurons<R>& neurons;
    const int64_t size;
    R *const v, *const j;
    R* const watch;  // the level of least_way(); infinity while V is held, below all where crossings are predicted
    double* const time;
    double t_end = 0.0;
    int64_t low = 0, high = 0;  // neurons whose times in `due` are not settled

  public:
    Cells<R> cells;
    Due due;

    static std::size_t room(int64_t size) {
        return Cells<R>::room(size) + Due::room(size) + size * (3 * sizeof(R) + 8) + 4 * 64;
    }

    Reached(const Neurons<R>& neurons, Arena& arena)
        : neurons(neurons), size(neurons.size), v(arena.take<R>(size)), j(arena.take<R>(size)),
          watch(arena.take<R>(size)), time(arena.take<double>(size)), cells(neurons, arena), due(size, arena) {}

    // Neurons as they stand in sample s, which ends at t_end.
    void begin(const LoopStop<R>& from, int64_t s, double t_end) {
        this->t_end = t_end;
        cells.begin(from, s);
        due.clear();
        settle();
        for (int64_t n = 0; n < size; ++n) expect(n);
    }

    void keep(const LoopStop<R>& to, int64_t s) {
        for (int64_t n = 0; n < size; ++n) cell(n);
        cells.keep(to, s);
    }

    // The cell of neuron n, up to date.
    FORMULA_MEMBER Cell<R>& cell(int64_t n) {
        Cell<R>& c = cells.cell[n];
        c.v = v[n];
        c.j = j[n];
        c.time = time[n];
        return c;
    }

    // Neuron n stands as its cell does, and is due anew.
    void expect(int64_t n) {
        stand(n);
        due.move(n, cells.soonest(n, t_end));
    }

    // A return of neuron n's own at t.
    void meet_one(int64_t n, R weight, double t) {
        Cell<R>& c = cell(n);
        advance(c, t);
        c.j += weight;
        stand(n);
        expect_earlier(n);
    }

    // Meet synapses of a bundle at t: their targets ascend.
    template <class T> void meet(const int32_t* target, const T* weight, int64_t synapses, double t) {
        int64_t k = 0;
        while (k + FEW_REACHED < synapses) {
            int64_t n = 0;
            while (k + n + N <= synapses && target[k + n + N - 1] == target[k] + n + N - 1) n += N;
            if (n > 0) meet_row(target[k], weight + k, n, t);
            else meet_scattered(target + k, weight + k, (int)std::min(n = N, synapses - k), t);
            k += n;
        }
        for (; k < synapses; ++k) meet_one(target[k], R(weight[k]), t);
    }

    // All bundles of a time have been met.
    void settle() {
        if (low < high) due.settle(low, high);
        low = size;
        high = 0;
    }

  private:
    void stand(int64_t n) {
        const Cell<R>& c = cells.cell[n];
        v[n] = c.v;
        j[n] = c.j;
        time[n] = c.time;
        watch[n] = c.held() ? NEVER : c.level > R(0) ? cells.adapts() ? c.alert : c.level : -NEVER;
    }

    void expect_earlier(int64_t n) {
        const double at = cells.soonest(n, t_end);
        if (at < due.time_of(n)) due.move(n, at);
    }

    // Synapses onto the neurons from `first` on, in whole vectors.
    template <class T> __attribute__((noinline)) void meet_row(int64_t first, const T* weight, int64_t n, double t) {
        for (int64_t k = 0; k < n; k += N) meet_some(InRow<V>{first + k}, weight + k, t);
        low = std::min(low, first);
        high = std::max(high, first + n);
    }

    template <class T> __attribute__((noinline))
    void meet_scattered(const int32_t* target, const T* weight, int n, double t) {
        meet_some(Scattered<V>(target, n), weight, t);
    }

    // A synapse onto each of those neurons.
    template <class T, class Who> FORMULA_MEMBER void meet_some(const Who& who, const T* weight, double t) {
        const R* const par = neurons.par;
        alignas(64) R number[N];
        DoublesOf<V> now;
        UNROLL for (int i = 0; i < now.parts; ++i) now.part[i] = spread<Doubles>(t);
        const V of_mem = who.of(par + RATE_MEM * size), before = who.of(j);
        const Rates<V> rates = {who.of(par + SLOW * size), who.of(par + GAP * size), of_mem, V{}};
        const Map<V> m = propagators(difference<V>(now, who.wide(time)), rates);
        for (int k = 0; k < N; ++k) number[k] = Who::in_row || k < who.n ? R(weight[k]) : R(0);
        const V there = flush(fused(m.gain, before, m.x * who.of(v))), drive = flush(m.y * before) + load<V>(number);
        who.put(v, there);
        who.put(j, drive);
        who.put(time, now);
        // Cells::soonest() of all.
        Foreseen<V> x = {who.of(watch), spread<V>(0)};
        if (cells.adapts()) lower(who, t, x);
        const uint32_t known = (1u << who.n) - 1, sees = bits_of(Mask<V>(there >= x.level)) & known;
        const Mask<V> may = peak_bound(there, drive, who.of(par + PEAK * size)) >= who.of(par + ALERT * size);
        store(number, select(may, least_way(there, drive, of_mem, x), spread<V>(NEVER)));
        DoublesOf<V> at = load_wide<V>(number);
        UNROLL for (int i = 0; i < at.parts; ++i) {
            at.part[i] = now.part[i] + at.part[i];
            at.part[i] = select(at.part[i] < spread<Doubles>(t_end), at.part[i], spread<Doubles>(NEVER));
        }
        const DoublesOf<V> was = who.wide(due.times());
        if constexpr (Who::in_row) {
            const Mask<V> held = x.level >= spread<V>(NEVER);
            who.put(due.times(), select<V>(bits_of(held), was, at));
        } else {
            alignas(64) double each[N];
            store_wide<V>(each, at);
            for (uint32_t some = less<V>(at, was) & ~sees & known; some; some &= some - 1) {
                const int k = __builtin_ctz(some);
                due.move(who[k], each[k]);
            }
        }
        for (uint32_t some = sees; some; some &= some - 1) {
            const int64_t n = who[__builtin_ctz(some)];
            cell(n);
            if constexpr (Who::in_row) due.times()[n] = cells.soonest(n, t_end);
            else expect_earlier(n);
        }
    }

    // Thresholds that have risen: Foreseen::lowered() of all.
    template <class Who> FORMULA_MEMBER void lower(const Who& who, double t, Foreseen<V>& x) const {
        alignas(64) R rise[N], rate[N], z[N];
        for (int k = 0; k < N; ++k) {
            const int64_t n = who[std::min(k, who.n - 1)];
            const Threshold p = cells.threshold(n);
            const Adapted& c = cells.adapted[n];
            rise[k] = R(p.strength * c.a);
            rate[k] = R(p.rate);
            z[k] = R(p.rate * (t - c.last));
        }
        const V risen = load<V>(rise) * decay(load<V>(z));
        x = {x.level + R(1.0 - ALERT_MARGIN) * risen, load<V>(rate) * risen};
    }
};

}  // namespace eventsim
