// The spikes of a block of neurons in one sample, on the way back.
//
// The times at which V is reset or let go are `special`: there a neuron leaves those beside it.
//
// Reference       eventsim/engine/reference/layer_adjoint.py
#pragma once
#include "../spikes_back.hpp"
#include "blocks.hpp"

namespace eventsim {

template <class R> class TapeBack : public SpikesBack<R, R> {
    using Base = SpikesBack<R, R>;
    using Base::low, Base::neurons, Base::size, Base::tape;

    int64_t *mine, *order;   // spikes of the block
    double* let_go;

  public:
    double* special;         // ascending
    int32_t* special_neuron; // from the block's first on
    int64_t n_special;

    static std::size_t room(int64_t width, int64_t most_spikes) {
        return Base::room(width) + most_spikes * (3 * 8 + 2 * 12) + 5 * 64;
    }

    // `sums` [N_SUMS, stride] are those of a sample.
    TapeBack(const Tape& tape, bool adapts, R* sums, int64_t stride, int64_t most_spikes, Arena& arena)
        : Base(tape, adapts, stride, sums, stride, arena), mine(arena.take<int64_t>(most_spikes)),
          order(arena.take<int64_t>(most_spikes)), let_go(arena.take<double>(most_spikes)),
          special(arena.take<double>(2 * most_spikes)),
          special_neuron(arena.take<int32_t>(2 * most_spikes)) {}

    // A sample, at its end: its spikes are first .. end, `carried` [N_BEHIND, all] or null what is known
    // of the thresholds there.
    void take_sample(int64_t first, int64_t end, const double* carried, int64_t all) {
        for (int64_t n = 0; n < size; ++n) neurons[n].spike = -1;
        int64_t n_mine = 0;
        for (int64_t k = first; k < end; ++k) {
            const int64_t n = tape.neuron[k] - low;
            if (n < 0 || n >= size) continue;
            mine[n_mine++] = k;
            neurons[n].spike = k;
        }
        for (int64_t n = 0; n < size; ++n) this->take_neuron(n, neurons[n].spike, carried, all);
        list_special(n_mine);
    }

    // The neuron of a spike, from the block's first on, and the spike's time.
    int64_t neuron_of(int64_t spike) const { return tape.neuron[spike] - low; }
    double time_of(int64_t spike) const { return tape.time[spike]; }
    void add_through(int64_t spike, double effect) const { tape.through[spike] += effect; }

    // Whether an arrival at t, which neuron `sender` caused then (or -1), is before the last special.
    bool is_before(double t, int64_t sender) const {
        const double at = special[n_special - 1];
        return at > t || (at == t && special_neuron[n_special - 1] > sender);
    }

  private:
    // The special times of the block's first n spikes, ascending. A neuron without a refractory time is let
    // go at its spike.
    void list_special(int64_t n) {
        int64_t n_held = 0;
        bool ascends = true;
        for (int64_t i = 0; i < n; ++i) {
            const int64_t neuron = neuron_of(mine[i]);
            const double reset = time_of(mine[i]), refractory = neurons[neuron].refractory;
            special[i] = reset;
            special_neuron[i] = int32_t(neuron);
            if (!(refractory > 0.0)) continue;
            let_go[i] = reset + refractory;
            ascends &= n_held == 0 || let_go[order[n_held - 1]] <= let_go[i];
            order[n_held++] = i;
        }
        n_special = n;
        if (n_held > 0) merge_releases(n, n_held, ascends);
    }

    // A release before a reset at the same time; refractory times that are alike leave the order as it is.
    void merge_releases(int64_t n, int64_t n_held, bool ascends) {
        const double* const at = let_go;
        if (!ascends)
            std::sort(order, order + n_held,
                      [at](int64_t a, int64_t b) { return at[a] < at[b] || (at[a] == at[b] && a < b); });
        n_special = n + n_held;
        int64_t i = n, k = n_held;
        for (int64_t to = n_special; to-- > 0;) {
            // From the last on: resets lie where they are read before they are written over.
            const bool reset = k == 0 || (i > 0 && special[i - 1] >= let_go[order[k - 1]]);
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
