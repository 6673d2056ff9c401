// The way back from voltages of a readout at asked times.
//
// From the last asked time to the first, and then to the start, what the loss says of a voltage is
// added to the adjoint; the way between two asked times is that of a layer whose neurons do not fire,
// whose stretches end at the asked times as well: dense/block_back.hpp.
//
// Side by side    neurons of a block. Tasks are chunks of samples.
// Before          times ascend in each sample; gradients, effects and sums hold what they are added to.
// Reference       eventsim/adjoint/linear/voltage.py
#pragma once
#include "../../lanes.hpp"

#include "../arena.hpp"
#include "../calls.hpp"
#include "../dense/block_back.hpp"

namespace eventsim {

template <class V> class VoltagesBack {
    using R = Real<V>;

    const VoltagesBackward<R>& a;
    const int64_t width, n_blocks, n_asked, most_events;
    const Tape silence = {};
    Arena arena;
    Ears ears;
    BlockBack<V> block;

  public:
    explicit VoltagesBack(const VoltagesBackward<R>& call)
        : a(call), width(call.weights.width), n_blocks(call.tasks.n_blocks), n_asked(call.asked.n),
          most_events(n_blocks > 1 ? most_of(call.tasks, call.asked.bounds, call.events.offsets) : 0),
          arena(Ears::room(most_events) + BlockBack<V>::room(width, 0)),
          ears(call.events, n_blocks, call.weights.n_rows - 1, most_events, arena),
          block(silence, false, call.neurons.fastest, {call.asked.middle, call.asked.length}, width, 0,
                arena) {}

    // False where there is no memory.
    bool run() {
        if (!arena.ok()) return false;
        block.tape.n_special = 0;
        for (int64_t i = 0; i < a.tasks.n; ++i)
            for (int64_t b = 0; b < n_blocks; ++b) run_block(a.tasks.todo[i], b);
        return true;
    }

  private:
    void run_block(int64_t chunk, int64_t b) {
        const int64_t all = a.neurons.size, low = low_of(b, n_blocks), n = size_of(b, n_blocks, all);
        const int64_t slab = a.weights.n_rows * width;
        const R* const weights = a.weights.values + b * slab;
        R* const by_weight = a.back.by_weight + (chunk * n_blocks + b) * slab;
        double* const sums = a.asked.sums + chunk * N_SUMS * all + low;
        block.take_block(a.neurons, low, n, weights, by_weight);
        for (int64_t s = a.asked.bounds[chunk]; s < a.asked.bounds[chunk + 1]; ++s) {
            run_sample(s, b, low, n);
            block.add_sums(sums, all, n);
        }
        block.add_by_drive(sums + BY_DRIVE * all, a.weights.n_rows, n);
    }

    void run_sample(int64_t s, int64_t b, int64_t low, int64_t n) {
        block.clear();
        const double* const at = a.asked.times + s * n_asked;
        const Heard heard = ears.of(s, b);
        R* const effects = a.back.effects + a.events.offsets[s];
        int64_t event = heard.n;
        for (int64_t q = n_asked - 1; q >= 0; --q) {
            if (at[q] <= 0.0) return;  // at the start V rests, whatever comes
            const double* const by_value = a.asked.by_value + (s * n_asked + q) * a.neurons.size + low;
            for (int64_t k = 0; k < n; ++k) block.state[k] += R(by_value[k]);
            const double begin = q > 0 ? at[q - 1] : 0.0;
            if (!(begin < at[q])) continue;
            while (event > 0 && heard.times[event - 1] >= at[q]) --event;
            int64_t first = event;
            while (first > 0 && heard.times[first - 1] >= begin) --first;
            const int64_t* const mine = heard.number ? heard.number + first : nullptr;
            block.go({heard.times + first, heard.rows + first, mine, event - first}, at[q], begin,
                     {a.asked.asked, mine ? effects : effects + first, nullptr});
            event = first;
        }
    }
};

template <class V> int voltages_backward(const VoltagesBackward<Real<V>>& call) {
    return VoltagesBack<V>(call).run() ? DONE : NO_MEMORY;
}

}  // namespace eventsim
