// Backward pass of loops: all arrivals of a sample from the last to the first.
//
// For loops whose neurons do not all meet the same events; the others go back as a layer does, dense/.
//
// A neuron goes back over its own spikes and releases when an arrival before them is met. Between two of
// them its adjoint is linear in that at the later one, so arrivals only ask what it is at their time.
// Whatever waits is settled before a neuron goes back over a spike: all that the spike caused came later,
// and has added its part to the spike's dL/dt by then. Of a spike and an arrival at the same neuron at
// exactly the same time, the arrival came first, unless it was caused without a delay by that neuron or
// one of a higher number, which fire after it.
//
// Where synapses have delays of their own, time goes by windows: flights_back.hpp. What arrived in one at neurons
// that do not stop in it is met in the order in which it is handed over; all else, bundles too, in order of time.
//
// Side by side    MOST arrivals, of one neuron or of many. A task is a chunk of samples, taken one after
//                 the other: its sums are its own, so that no result depends on threads.
// Before          roles of the call; gradients, effects and sums hold what they are added to.
// After           `through` of the tape, and what is carried, changed to that at the begin.
// Reference       eventsim/engine/reference/queue.py
#pragma once
#include "../../lanes.hpp"
#include "../calls.hpp"
#include "../spikes_back.hpp"
#include "../synapses.hpp"
#include "../watch.hpp"
#include "flights_back.hpp"
#include "heap.hpp"

namespace eventsim {

// Windows of flights from one spike of a neuron to its next, at least, on average.
constexpr double WINDOWS_A_SPIKE = 16.0;

// Place of a neuron on its way back: time, next stop, and its adjoint there, in one line of the cache; in
// double precision in two.
template <class R> struct alignas(64) BackPlace {
    double t, stop;
    Rates<R> rates;
    Adjoint<R> state;
};

// Destinations of an arrival's results: the gradients of its synapse (null for a return, which has none), and
// dL/dt of its spike: its number among all sources and among those of the loop, or -1.
template <class R> struct Brought {
    R* by_weight;
    double* by_delay;
    int64_t spike, cause;

    bool same_spike(const Brought& b) const { return spike == b.spike && cause == b.cause; }
};

// Arrivals that wait to be looked at: by how many ms each is before the place of its neuron.
template <class V> class Asking {
    using R = Real<V>;
    using Place = BackPlace<R>;
    static constexpr int N = Numbers<V>::count, WIDTH = sizeof(Place) / sizeof(R);

  public:
    static constexpr int MOST = 16;
    alignas(64) R since[MOST] = {}, weight[MOST] = {};
    alignas(64) R later[MOST], beta[MOST], beta_mem[MOST], beta_syn[MOST];  // what is found
    alignas(64) int32_t row[MOST] = {};  // of its neuron
    int64_t neuron[MOST];
    Brought<R> by[MOST];
    int size = 0;

    void add(int64_t n, const Brought<R>& b, R h, R w) {
        since[size] = h;
        weight[size] = w;
        row[size] = (int32_t)n * WIDTH;
        neuron[size] = n;
        by[size++] = b;
    }

    // Find the adjoint at all waiting arrivals, and their terms of dL/dt.
    __attribute__((noinline)) void look(const Place* all) {
        const R* const rates = &all->rates.slow;
        const R* const state = &all->state.alpha;
        for (int i = 0; i < MOST; i += N) {
            const int32_t* const at = row + i;
            const V h = load<V>(since + i);
            const Rates<V> r = {gather<V>(rates, at), gather<V>(rates + 1, at),
                                gather<V>(rates + 2, at), gather<V>(rates + 3, at)};
            const Adjoint<V> there = {gather<V>(state, at), gather<V>(state + 1, at),
                                      gather<V>(state + 2, at), gather<V>(state + 3, at),
                                      gather<V>(state + 4, at)};
            const Adjoint<V> x = pull_back(h, adjoint_propagators(h, r), there);
            store(later + i, load<V>(weight + i) * (r.syn * x.beta - r.mem * x.alpha));
            store(beta + i, x.beta);
            store(beta_mem + i, x.beta_mem);
            store(beta_syn + i, x.beta_syn);
        }
    }
};

template <class V> class LoopBackward {
    using R = Real<V>;
    using Place = BackPlace<R>;

    // The sums of a neuron lie side by side, with room up to SIDE.
    static constexpr int64_t SIDE = 4;

    const QueueBackward<R>& a;
    const int64_t size;
    const WeightTable weights;
    Arena arena;
    SpikesBack<R, double> spikes;
    Place* const place;
    Asking<V> asking;
    FlightsBack<R> flights;
    GrowingArray<NotedBack<R>> noted;  // of this window
    bool no_room = false;
    Watched watched;
    int64_t n_asked = 0;               // arrivals since it was asked whether the call goes on
    R *by_weight, *by_weight_flown;    // of the chunk, as all that follow
    double *by_delay, *by_delay_flown;
    double* const sums;  // [size, SIDE]

  public:
    explicit LoopBackward(const QueueBackward<R>& call)
        : a(call), size(call.neurons.size), weights{call.loop.parts, call.loop.n_parts},
          arena(SpikesBack<R, double>::room(size) + size * (sizeof(Place) + SIDE * 8) + 2 * 64),
          spikes(call.tape, call.neurons.strength != nullptr, size, nullptr, 1, arena, SIDE),
          place(arena.take<Place>(size)), flights(call.tiles, call.tape, size), watched(call.tasks),
          sums(arena.take<double>(SIDE * size)) {
        spikes.sums = sums;
    }

    // False where there is no memory, or the call does not go on.
    bool run() {
        if (!arena.ok()) return false;
        for (int64_t i = 0; i < a.tasks.n; ++i)
            if (!run_chunk(a.tasks.todo[i])) return false;
        return !no_room && flights.ok();
    }

  private:
    bool run_chunk(int64_t chunk) {
        double* const own = a.found.own + chunk * N_OWN * size;
        double* const adapted = a.found.adapted ? a.found.adapted + chunk * 2 * size : nullptr;
        by_weight = a.found.by_weight + chunk * a.way.n_synapses;
        by_delay = a.way.by_delay ? a.way.by_delay + chunk * a.way.n_synapses : nullptr;
        by_weight_flown = a.flown.by_weight + chunk * a.flown.n_places;
        by_delay_flown = a.flown.by_delay + chunk * a.flown.n_places;
        double* const found = a.found.sums + chunk * N_SUMS * size;
        for (int i = 0; i < N_SUMS; ++i)
            for (int64_t n = 0; n < size; ++n) sums[n * SIDE + i] = found[i * size + n];
        spikes.take_block(a.neurons, 0, size, own, adapted);
        for (int64_t s = a.way.bounds[chunk]; s < a.way.bounds[chunk + 1]; ++s)
            if (!run_sample(s)) return false;
        spikes.leave_block(size, own, adapted);
        for (int i = 0; i < N_SUMS; ++i)
            for (int64_t n = 0; n < size; ++n) found[i * size + n] = sums[n * SIDE + i];
        a.found.grazes[chunk] += spikes.grazes;
        return true;
    }

    bool run_sample(int64_t s) {
        R* const carried = a.carried.adjoint ? a.carried.adjoint + s * N_STATE * size : nullptr;
        double* const behind = a.carried.behind ? a.carried.behind + s * N_BEHIND * size : nullptr;
        const double t_end = a.arriving.duration[s];
        for (int64_t n = 0; n < size; ++n) {
            spikes.take_neuron(n, a.way.last[s * size + n], behind, size);
            const R* const par = a.neurons.par + n;
            place[n] = {t_end, spikes.next_stop(n),
                        {par[SLOW * size], par[GAP * size], par[RATE_MEM * size], par[RATE_SYN * size]},
                        {}};
            if (carried) place[n].state = state_at(carried + n);
        }
        if (!meet_all(s)) return false;
        for (int64_t n = 0; n < size; ++n) {
            Place& x = place[n];
            walk_to(n, x, a.carried.begin[s]);
            if (a.carried.starts) spikes.end_at_start(n, x.state.alpha, x.state.alpha_mem);
            if (carried) put_state(carried + n, x.state);
        }
        spikes.leave_sample(behind, size);
        return true;
    }

    Adjoint<R> state_at(const R* from) const {
        return {from[0], from[size], from[2 * size], from[3 * size], from[4 * size]};
    }

    void put_state(R* to, const Adjoint<R>& x) const {
        const R rows[N_STATE] = {x.alpha, x.beta, x.alpha_mem, x.beta_mem, x.beta_syn};
        for (int i = 0; i < N_STATE; ++i) to[i * size] = rows[i];
    }

    void walk_to(int64_t n, Place& x, double t) {
        spikes.walk(n, x.t, t, x.rates, x.state);
        x.t = t;
        x.stop = spikes.next_stop(n);
    }

    // Windows of flights: part of their mean delay, and no longer than a neuron mostly waits from spike to spike.
    double length_of(int64_t s) const {
        const int64_t n = a.tape.offsets[s + 1] - a.tape.offsets[s];
        const double each = (a.arriving.duration[s] - a.carried.begin[s]) * double(size) / double(n + 1);
        return std::min(a.way.length, each / WINDOWS_A_SPIKE);
    }

    bool goes() {
        const int64_t work = n_asked;
        n_asked = 0;
        return watched.goes(work);
    }

    // The arrivals of a sample from the last on; false where the call does not go on.
    bool meet_all(int64_t s) {
        const int64_t low = a.arriving.offsets[s];
        const double begin = a.carried.begin[s], length = length_of(s), never = -__builtin_inf();
        int64_t e = a.arriving.offsets[s + 1];
        flights.take(a.tape.offsets[s], a.tape.offsets[s + 1], begin, a.arriving.duration[s]);
        for (;;) {
            const double latest = std::max(flights.latest(), e > low ? a.arriving.time[e - 1] : never);
            if (latest == never) break;
            const double opens = flights.none() ? never : std::max(latest - length, begin);
            hand_over(opens);
            int64_t next = 0;
            for (; e > low && a.arriving.time[e - 1] >= opens; --e) {
                for (; next < noted.size && is_later(noted[next], e - 1); ++next) meet(noted[next]);
                meet(e - 1);
                if (!goes()) return false;
            }
            for (; next < noted.size; ++next) meet(noted[next]);
            if (!goes()) return false;
        }
        settle();
        return true;
    }

    // Meet the arrivals from `opens` on at synapses with delays of their own; those at neurons that stop in the
    // window are noted in order instead.
    void hand_over(double opens) {
        noted.size = 0;
        flights.hand_over(opens, [&](int64_t cause, double t, int64_t at, int32_t n, R w) {
            if (t == a.tape.time[cause] && a.tape.neuron[cause] >= n) t = just_behind(t);
            const Place& x = place[n];
            if (x.stop >= opens) no_room |= !noted.push({t, cause, at, n, w});
            else add(n, flown(cause, at), R(x.t - t), w);
        });
        std::sort(noted.begin(), noted.begin() + noted.size);
    }

    Brought<R> flown(int64_t cause, int64_t at) const {
        return {by_weight_flown + at, by_delay_flown + at, -1, cause};
    }
    void meet(const NotedBack<R>& x) { ask(flown(x.spike, x.place), x.neuron, x.time, x.weight); }

    // Whether that arrival came after event e of those that are known to arrive: of one time those that later
    // spikes caused.
    bool is_later(const NotedBack<R>& x, int64_t e) const {
        const double time = a.arriving.time[e];
        return x.time > time || (x.time == time && x.spike > a.arriving.cause[e]);
    }

    // Event e of those that are known to arrive.
    void meet(int64_t e) {
        const Arriving& met = a.arriving;
        const double time = met.time[e];
        const int64_t cause = met.cause[e];
        int64_t sender = -1;
        double after = time;
        if (cause >= 0 && a.tape.time[cause] == time) {
            // Without a delay it came after a spike at the same time: stop short of that.
            sender = a.tape.neuron[cause];
            after = just_behind(time);
        }
        Brought<R> by = {nullptr, nullptr, met.spike[e], cause};
        if (met.first[e] >= OWN) {
            const int64_t n = met.first[e] - OWN;
            return ask(by, n, sender >= n ? after : time, a.loop.own_weight[n]);
        }
        weights.of_part(met.first[e], [&](const auto* weight) {
            for (int64_t k = met.last[e] - 1; k >= met.first[e]; --k) {
                const int64_t n = a.loop.target[k];
                by.by_weight = by_weight + k;
                by.by_delay = by_delay ? by_delay + k : nullptr;
                ask(by, n, sender >= n ? after : time, R(weight[k]));
            }
        });
    }

    // Request the adjoint of neuron n at t, the time of an arrival.
    FORMULA_MEMBER void ask(const Brought<R>& by, int64_t n, double t, R w) {
        Place& x = place[n];
        if (x.stop >= t) {
            settle();
            walk_to(n, x, t);
        }
        add(n, by, R(x.t - t), w);
    }
    FORMULA_MEMBER void add(int64_t n, const Brought<R>& by, R h, R w) {
        asking.add(n, by, h, w);
        if (asking.size == Asking<V>::MOST) settle();
    }

    // Add the waiting arrivals to the gradients.
    __attribute__((noinline)) void settle() {
        if (asking.size == 0) return;
        asking.look(place);
        R effect = 0;
        for (int i = 0; i < asking.size; ++i) {
            const int64_t n = asking.neuron[i];
            const Brought<R>& by = asking.by[i];
            const R w = asking.weight[i], later = asking.later[i], met = asking.beta[i];
            double* const sum = sums + n * SIDE;
            sum[BY_DRIVE] += w * met;
            sum[BY_MEM] += w * asking.beta_mem[i];
            sum[BY_SYN] += w * asking.beta_syn[i];
            if (i > 0 && !by.same_spike(asking.by[i - 1])) {
                add_effect(effect, asking.by[i - 1]);
                effect = 0;
            }
            effect += later;
            if (!by.by_weight) spikes.add_return(n, met, later);
            else *by.by_weight += met;
            if (by.by_delay) *by.by_delay += later;
        }
        add_effect(effect, asking.by[asking.size - 1]);
        n_asked += asking.size;
        asking.size = 0;
    }

    // Add an effect to dL/dt of its spike, among those of all sources and among those of the loop.
    void add_effect(R effect, const Brought<R>& by) {
        if (by.spike >= 0) a.found.effects[by.spike] += effect;
        if (by.cause >= 0) a.tape.through[by.cause] += effect;
    }
};

template <class V> int queue_backward(const QueueBackward<Real<V>>& call) {
    return LoopBackward<V>(call).run() ? DONE : NO_MEMORY;
}

}  // namespace eventsim
