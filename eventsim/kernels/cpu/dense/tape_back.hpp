// The spikes of a block of neurons in one sample, on the way back: which of them a neuron meets next,
// and what they are to its adjoint.
//
// A spike is met in two steps, the release of V behind it first. The times at which V is reset or let
// go are `special`: there a neuron leaves those beside it.
//
// Reference       eventsim/engine/reference/layer_adjoint.py
#pragma once
#include "../../neuron/adaptive.hpp"
#include "../../neuron/own_spikes.hpp"
#include "../arena.hpp"
#include "../roles.hpp"
#include "blocks.hpp"

namespace eventsim {

// Rows of the sums of a sample, and of what is found by parameter: eventsim/engine/table.py.
enum { BY_DRIVE, BY_MEM, BY_SYN, N_SUMS };
enum { BY_LEVEL, BY_RESET, BY_REFRACTORY, BY_SELF, BY_SELF_DELAY, N_OWN };
enum { KAPPA, PRODUCT, BEHIND, N_BEHIND };

template <class R> class TapeBack {
    // What a neuron is; which spike it meets next, or -1, and when it stops there: at its release or,
    // `released`, at the spike; and what is found by its parameters.
    struct Neuron {
        R mem, syn, level, reset, self, instant;
        double refractory, at;
        int64_t spike;
        bool released;
        double own[N_OWN];
    };
    // Likewise of its threshold where that adapts.
    struct Adapting {
        Threshold p;
        AdaptedBack now;
        double by_strength, by_rate;
    };

    const Tape tape;
    const bool adapts;
    Neuron* const neurons;
    Adapting* const adapting;
    R* const sums;           // [N_SUMS, stride] of the sample
    const int64_t stride;
    int64_t *mine, *order;   // spikes of the block
    double* let_go;
    int64_t low, size;
    bool held;

  public:
    double* special;         // ascending
    int32_t* special_neuron; // from the block's first on
    int64_t n_special, grazes;

    static std::size_t room(int64_t width, int64_t most_spikes) {
        return width * (sizeof(Neuron) + sizeof(Adapting)) + most_spikes * (3 * 8 + 2 * 12) + 7 * 64;
    }

    TapeBack(const Tape& tape, bool adapts, R* sums, int64_t stride, int64_t most_spikes, Arena& arena)
        : tape(tape), adapts(adapts), neurons(arena.take<Neuron>(stride)),
          adapting(arena.take<Adapting>(adapts ? stride : 0)), sums(sums), stride(stride),
          mine(arena.take<int64_t>(most_spikes)), order(arena.take<int64_t>(most_spikes)),
          let_go(arena.take<double>(most_spikes)), special(arena.take<double>(2 * most_spikes)),
          special_neuron(arena.take<int32_t>(2 * most_spikes)) {}

    // The neurons low .. low + size come next; `own` [N_OWN, all] is what was found by their parameters.
    void take_block(const Neurons<R>& all, int64_t low, int64_t size, const double* own,
                    const double* adapted) {
        this->low = low;
        this->size = size;
        grazes = 0;
        held = false;
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
            held |= x.refractory > 0.0;
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

    // A sample, at its end: its spikes are first .. end, `carried` [N_BEHIND, all] or null what is known
    // of the thresholds there.
    void take_sample(int64_t first, int64_t end, const double* carried, int64_t all) {
        for (int64_t n = 0; n < size; ++n) {
            neurons[n].spike = -1;
            if (!adapts) continue;
            adapting[n].now = {0.0, 0.0, 0.0};
            if (carried)
                adapting[n].now = {carried[KAPPA * all + low + n], carried[PRODUCT * all + low + n],
                                      carried[BEHIND * all + low + n]};
        }
        int64_t n_mine = 0;
        for (int64_t k = first; k < end; ++k) {
            const int64_t n = tape.neuron[k] - low;
            if (n < 0 || n >= size) continue;
            mine[n_mine++] = k;
            neurons[n].spike = k;
        }
        for (int64_t n = 0; n < size; ++n) face(neurons[n], neurons[n].spike);
        list_special(n_mine);
    }

    // Undo take_sample, at the begin.
    void leave_sample(double* carried, int64_t all) const {
        if (!adapts || !carried) return;
        for (int64_t n = 0; n < size; ++n) {
            const AdaptedBack& b = adapting[n].now;
            carried[KAPPA * all + low + n] = b.kappa;
            carried[PRODUCT * all + low + n] = b.product;
            carried[BEHIND * all + low + n] = b.behind;
        }
    }

    // When neuron n stops next; before all times if it does not.
    double next_stop(int64_t n) const { return neurons[n].at; }

    // The neuron of a spike, from the block's first on, and the spike's time.
    int64_t neuron_of(int64_t spike) const { return tape.neuron[spike] - low; }
    double time_of(int64_t spike) const { return tape.time[spike]; }
    void add_through(int64_t spike, double effect) const { tape.through[spike] += effect; }

    // Whether an arrival at t, which neuron `sender` caused then (or -1), is before the last special.
    bool is_before(double t, int64_t sender) const {
        const double at = special[n_special - 1];
        return at > t || (at == t && special_neuron[n_special - 1] > sender);
    }

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

    // A neuron that rests at or above its level started at its reset.
    void end_at_start(int64_t n, R alpha, R alpha_mem) {
        Neuron& x = neurons[n];
        if (x.level > R(0)) return;
        x.own[BY_RESET] += alpha;
        sums[BY_MEM * stride + n] += x.reset * alpha_mem;
    }

  private:
    // Spike k, or -1, is the neuron's next: it stops at the release behind it if there is one.
    void face(Neuron& x, int64_t k) const {
        x.spike = k;
        x.released = k < 0 || tape.restart[k] != tape.restart[k];
        x.at = k < 0 ? -1.0 : x.released ? tape.time[k] : tape.time[k] + x.refractory;
    }

    // Each returns what it adds to dL/dt of the spike.
    FORMULA_MEMBER double self_jump(Neuron& x, int64_t n, const Adjoint<R>& a) {
        const SelfJumpBack<R> jump = self_jump_back(x.self, x.instant, x.mem, x.syn, a);
        x.own[BY_SELF] += jump.by_self;
        x.own[BY_SELF_DELAY] += jump.later;
        sums[BY_DRIVE * stride + n] += jump.by_drive;
        sums[BY_MEM * stride + n] += jump.by_mem;
        sums[BY_SYN * stride + n] += jump.by_syn;
        return jump.later;
    }

    FORMULA_MEMBER double restart(Neuron& x, int64_t n, bool held, R j, Adjoint<R>& a) {
        const RestartBack<R> found = restart_back(j, x.reset, x.self, x.mem, held, a);
        x.own[BY_REFRACTORY] += found.by_refractory;
        x.own[BY_RESET] += found.by_reset;
        sums[BY_MEM * stride + n] += found.by_mem;
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

    // The special times of the block's first n spikes, ascending.
    void list_special(int64_t n) {
        bool ascends = true;
        for (int64_t i = 0; i < n; ++i) {
            const int64_t neuron = neuron_of(mine[i]);
            const double reset = time_of(mine[i]);
            let_go[i] = reset + neurons[neuron].refractory;
            ascends &= i == 0 || let_go[i - 1] <= let_go[i];
            special[i] = reset;
            special_neuron[i] = int32_t(neuron);
        }
        n_special = n;
        if (held) merge_releases(n, ascends);
    }

    // A reset before a release at the same time; refractory times that are alike leave the order as it is.
    void merge_releases(int64_t n, bool ascends) {
        for (int64_t i = 0; i < n; ++i) order[i] = i;
        const double* const at = let_go;
        if (!ascends)
            std::sort(order, order + n,
                      [at](int64_t a, int64_t b) { return at[a] < at[b] || (at[a] == at[b] && a < b); });
        n_special = 2 * n;
        int64_t i = n, k = n;
        for (int64_t to = 2 * n; to-- > 0;) {
            // From the last on: resets lie where they are read before they are written over.
            const bool reset = k == 0 || (i > 0 && special[i - 1] > let_go[order[k - 1]]);
            if (reset) {
                --i;
                special[to] = special[i];
                special_neuron[to] = special_neuron[i];
            } else {
                --k;
                special[to] = let_go[order[k]];
                special_neuron[to] = int32_t(neuron_of(mine[order[k]]));
            }
        }
    }
};

}  // namespace eventsim
