// A neuron's own spikes on the way back: the next one that it meets, and their terms of its adjoint.
//
// A spike is met in two steps, the release of V behind it first.
//
// R is the type of the state, S that of the sums.
//
// Reference       eventsim/engine/reference/layer_adjoint.py
#pragma once
#include "../lanes.hpp"  // in front of formulas that are used with vectors
#include "../neuron/adaptive.hpp"
#include "../neuron/own_spikes.hpp"
#include "arena.hpp"
#include "calls.hpp"
#include "table.hpp"

namespace eventsim {

// The next number above t >= 0.
FORMULA double just_behind(double t) {
    int64_t bits;
    __builtin_memcpy(&bits, &t, sizeof t);
    ++bits;
    __builtin_memcpy(&t, &bits, sizeof t);
    return t;
}

// Adjoint states of neurons, or of several side by side, in rows of some length.
template <class V> FORMULA Adjoint<V> load_state(const Real<V>* from, int64_t row) {
    return {load<V>(from), load<V>(from + row), load<V>(from + 2 * row), load<V>(from + 3 * row),
            load<V>(from + 4 * row)};
}
template <class V> FORMULA void store_state(Real<V>* to, int64_t row, const Adjoint<V>& a) {
    store(to, a.alpha);
    store(to + row, a.beta);
    store(to + 2 * row, a.alpha_mem);
    store(to + 3 * row, a.beta_mem);
    store(to + 4 * row, a.beta_syn);
}

template <class R, class S> class SpikesBack {
  protected:
    // A neuron: its parameters; the spike that it meets next, or -1, and the time of that stop: at its
    // release or, `released`, at the spike; and gradients by its parameters.
    struct Neuron {
        R mem, syn, level, reset, self, instant;
        double refractory, at;
        int64_t spike;
        bool released;
        double own[N_OWN];
    };
    // The adapting threshold of a neuron: parameters, state on the way back, gradients.
    struct Adapting {
        Threshold p;
        AdaptedBack now;
        double by_strength, by_rate;
    };

    const bool adapts;
    Neuron* const neurons;
    Adapting* const adapting;
    const Tape tape;
    const int64_t stride, step;  // of the sums: from row to row, and from neuron to neuron
    int64_t low, size;

  public:
    S* sums;                 // added to
    int64_t grazes;

    static std::size_t room(int64_t width) {
        return width * (sizeof(Neuron) + sizeof(Adapting)) + 2 * 64;
    }

    // Spikes of up to `width` neurons.
    SpikesBack(const Tape& tape, bool adapts, int64_t width, S* sums, int64_t stride, Arena& arena,
               int64_t step = 1)
        : adapts(adapts), neurons(arena.take<Neuron>(width)),
          adapting(arena.take<Adapting>(adapts ? width : 0)), tape(tape), stride(stride), step(step),
          sums(sums) {}

    // Take the neurons low .. low + size; `own` [N_OWN, all] has the gradients by their parameters so far.
    void take_block(const Neurons<R>& all, int64_t low, int64_t size, const double* own,
                    const double* adapted) {
        this->low = low;
        this->size = size;
        grazes = 0;
        for (int64_t n = 0; n < size; ++n) {
            Neuron& x = neurons[n];
            const R* const par = all.par + low + n;
            x.mem = par[RATE_MEM * all.size];
            x.syn = par[RATE_SYN * all.size];
            x.level = par[LEVEL * all.size];
            x.reset = par[RESET * all.size];
            x.self = par[SELF * all.size];
            x.instant = par[INSTANT * all.size];
            x.refractory = all.refractory[low + n];
            for (int i = 0; i < N_OWN; ++i) x.own[i] = own[i * all.size + low + n];
            if (!adapts) continue;
            adapting[n].p = {all.strength[low + n], all.rate[low + n]};
            adapting[n].by_strength = adapted[low + n];
            adapting[n].by_rate = adapted[all.size + low + n];
        }
    }

    // Undo take_block, with what is found by now.
    void leave_block(int64_t all, double* own, double* adapted) const {
        for (int64_t n = 0; n < size; ++n) {
            const Neuron& x = neurons[n];
            for (int i = 0; i < N_OWN; ++i) own[i * all + low + n] = x.own[i];
            if (!adapts) continue;
            adapted[low + n] = adapting[n].by_strength;
            adapted[all + low + n] = adapting[n].by_rate;
        }
    }

    // Take neuron n at the end of a sample, in which `last` (or -1) is its last spike; `carried`
    // [N_BEHIND, all], or null, is the state of the thresholds there.
    void take_neuron(int64_t n, int64_t last, const double* carried, int64_t all) {
        face(neurons[n], last);
        if (!adapts) return;
        adapting[n].now = {0.0, 0.0, 0.0};
        if (carried)
            adapting[n].now = {carried[KAPPA * all + low + n], carried[PRODUCT * all + low + n],
                               carried[BEHIND * all + low + n]};
    }

    // Undo take_neuron of all, at the begin.
    void leave_sample(double* carried, int64_t all) const {
        if (!adapts || !carried) return;
        for (int64_t n = 0; n < size; ++n) {
            const AdaptedBack& b = adapting[n].now;
            carried[KAPPA * all + low + n] = b.kappa;
            carried[PRODUCT * all + low + n] = b.product;
            carried[BEHIND * all + low + n] = b.behind;
        }
    }

    // Prefetch the record of spike k, unless -1, before it is met.
    void ask(int64_t k) const {
        if (k < 0) return;
        __builtin_prefetch(tape.previous + k);
        __builtin_prefetch(tape.time + k);
        __builtin_prefetch(tape.restart + k);
        __builtin_prefetch(tape.current + k);
        __builtin_prefetch(tape.by_time + k);
        __builtin_prefetch(tape.by_voltage + k);
        __builtin_prefetch(tape.through + k);
    }

    // Time of neuron n's next stop; before all times if it has none.
    double next_stop(int64_t n) const { return neurons[n].at; }

    // Take neuron n back over all that happens to it at or after t.
    FORMULA_MEMBER void meet(int64_t n, double t, Adjoint<R>& a) {
        Neuron& x = neurons[n];
        do {
            const int64_t k = x.spike;
            const bool held = x.refractory > 0.0;
            double through = tape.through[k];
            if (!x.released) {
                // The self-jump is met right after a restart without a hold, or while V is held.
                if (!held) through += self_jump(x, n, a);
                through += restart(x, n, held, R(tape.restart[k]), a);
                x.released = true;
                x.at = tape.time[k];
                if (x.at < t) {
                    tape.through[k] = through;
                    return;
                }
            }
            if (held) through += self_jump(x, n, a);
            tape.through[k] = through;
            a.alpha = spike(x, n, k, tape.by_time[k] + through);
            face(x, tape.previous[k]);
        } while (x.at >= t);
    }

    // Add the return of a spike of neuron n to dL/d of its weight and of its delay.
    void add_return(int64_t n, double by_self, double later) {
        neurons[n].own[BY_SELF] += by_self;
        neurons[n].own[BY_SELF_DELAY] += later;
    }

    // A neuron that rests at or above its level started at its reset.
    void end_at_start(int64_t n, R alpha, R alpha_mem) {
        Neuron& x = neurons[n];
        if (x.level > R(0)) return;
        x.own[BY_RESET] += alpha;
        sum(BY_MEM, n) += x.reset * alpha_mem;
    }

    // Take neuron n with the adjoint state `a` back from t to t_low, over all that happens to it there.
    FORMULA_MEMBER void walk(int64_t n, double t, double t_low, const Rates<R>& rates, Adjoint<R>& a) {
        for (double at; (at = next_stop(n)) >= t_low; t = at) {
            const R h = R(t - at);
            a = pull_back(h, far_adjoint(h, rates), a);
            meet(n, at, a);
        }
        const R h = R(t - t_low);
        a = pull_back(h, far_adjoint(h, rates), a);
    }

  private:
    S& sum(int row, int64_t n) const { return sums[row * stride + n * step]; }

    // Spike k, or -1, is the neuron's next: it stops at the release behind it if there is one. The record of
    // the spike before it, which may lie anywhere, is prefetched.
    void face(Neuron& x, int64_t k) const {
        x.spike = k;
        if (k >= 0) ask(tape.previous[k]);
        x.released = k < 0 || tape.restart[k] != tape.restart[k];
        x.at = k < 0 ? -1.0 : x.released ? tape.time[k] : tape.time[k] + x.refractory;
    }

    // Take the adjoint over a self-jump, below over a restart; each returns its term of dL/dt of the spike.
    FORMULA_MEMBER double self_jump(Neuron& x, int64_t n, const Adjoint<R>& a) {
        const SelfJumpBack<R> jump = self_jump_back(x.self, x.instant, x.mem, x.syn, a);
        x.own[BY_SELF] += jump.by_self;
        x.own[BY_SELF_DELAY] += jump.later;
        sum(BY_DRIVE, n) += jump.by_drive;
        sum(BY_MEM, n) += jump.by_mem;
        sum(BY_SYN, n) += jump.by_syn;
        return jump.later;
    }

    FORMULA_MEMBER double restart(Neuron& x, int64_t n, bool held, R j, Adjoint<R>& a) {
        const RestartBack<R> found = restart_back(j, x.reset, x.self, x.mem, held, a);
        x.own[BY_REFRACTORY] += found.by_refractory;
        x.own[BY_RESET] += found.by_reset;
        sum(BY_MEM, n) += found.by_mem;
        return found.later;
    }

    // Returns alpha just before spike k.
    FORMULA_MEMBER R spike(Neuron& x, int64_t n, int64_t k, double by_time) {
        R slope = x.mem * (R(tape.current[k]) - x.level);
        if (adapts)
            slope += R(spike_back(adapting[n].p, adapting[n].now, tape.before[k], x.at, double(x.mem),
                                  by_time, adapting[n].by_rate));
        bool grazed;
        const R alpha = crossing_back(R(tape.by_voltage[k]), by_time, slope, grazed);
        grazes += grazed;
        x.own[BY_LEVEL] -= alpha;
        if (adapts)
            spiked_back(adapting[n].p, adapting[n].now, tape.before[k], x.at, double(alpha),
                        adapting[n].by_strength);
        return alpha;
    }
};

}  // namespace eventsim
