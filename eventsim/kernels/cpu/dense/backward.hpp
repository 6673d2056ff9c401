// Backward pass of layers whose neurons all meet the same events, block by block of neurons.
//
// Side by side    neurons of a block in vectors, stretch after stretch: block_back.hpp. A task is a
//                 chunk of samples, taken one after the other, or where no dL/dt of events is asked for a
//                 block of it: its sums are its own, so that no result depends on threads.
// Before          roles of the call; gradients, effects and sums hold what they are added to.
// After           dL/dt of events in rows that are asked for; `through` of the tape, and what is carried,
//                 changed to that at the begin.
// Asked times     of readouts: from the last to the first, and then to the start, what the loss says of
//                 a voltage is added to the adjoint; stretches end at asked times as well.
// Reference       eventsim/engine/reference/layer_adjoint.py
#pragma once
#include "../../lanes.hpp"
#include "../calls.hpp"
#include "block_back.hpp"

namespace eventsim {

template <class V> class LayerBack {
    using R = Real<V>;

    const DenseBackward<R>& a;
    const int64_t width, size, n_blocks, most_events, most_spikes;
    Arena arena;
    Ears ears;
    BlockBack<V> block;

  public:
    explicit LayerBack(const DenseBackward<R>& call)
        : a(call), width(call.weights.width), size(call.neurons.size), n_blocks(call.tasks.n_blocks),
          most_events(n_blocks > 1 ? most_of(call.tasks, call.way, call.events.offsets) : 0),
          most_spikes(most_of(call.tasks, call.way, call.tape.offsets)),
          arena(Ears::room(most_events) + BlockBack<V>::room(width, most_spikes)),
          ears(call.events, n_blocks, call.weights.n_rows - 1, most_events, arena),
          block(call.tape, call.neurons.strength != nullptr, call.neurons.fastest,
                {call.way.middle, call.way.length}, width, most_spikes, arena) {}

    // False where there is no memory.
    bool run() {
        if (!arena.ok()) return false;
        for (int64_t i = 0; i < a.tasks.n; ++i) {
            const int64_t task = a.tasks.todo[i];
            if (a.way.by_block) run_block(task, task / n_blocks, task % n_blocks);
            else for (int64_t b = 0; b < n_blocks; ++b) run_block(task, task, b);
        }
        return true;
    }

  private:
    void run_block(int64_t task, int64_t chunk, int64_t b) {
        const int64_t low = low_of(b, width), n = size_of(b, width, size);
        const int64_t slab = a.weights.n_rows * width;
        double* const own = a.found.own + chunk * N_OWN * size;
        double* const adapted = a.found.adapted ? a.found.adapted + chunk * 2 * size : nullptr;
        double* const sums = a.found.sums + chunk * N_SUMS * size + low;
        block.take_block(a.neurons, low, n, a.weights.values + b * slab,
                         a.found.by_weight + (chunk * n_blocks + b) * slab);
        block.tape.take_block(a.neurons, low, n, own, adapted);
        for (int64_t s = a.way.bounds[chunk]; s < a.way.bounds[chunk + 1]; ++s) {
            run_sample(s, b, low, n);
            block.add_sums(sums, size, n);
        }
        block.tape.leave_block(size, own, adapted);
        a.found.grazes[task] += block.tape.grazes;
        block.add_by_drive(sums + BY_DRIVE * size, a.weights.n_rows, n);
    }

    void run_sample(int64_t s, int64_t b, int64_t low, int64_t n) {
        const int64_t lo = a.events.offsets[s];
        R* const carried = a.carried.adjoint ? a.carried.adjoint + s * N_STATE * size + low : nullptr;
        double* const behind = a.carried.behind ? a.carried.behind + s * N_BEHIND * size : nullptr;
        const int64_t* const cause = a.way.cause ? a.way.cause + lo : nullptr;
        block.clear();
        if (carried) block.take_state(carried, size, n);
        block.tape.take_sample(a.tape.offsets[s], a.tape.offsets[s + 1], behind, size);
        if (a.asked.n > 0) go_by_asked(s, ears.of(s, b), low, n);
        else block.go(ears.of(s, b), a.events.duration[s], a.carried.begin[s],
                      {a.way.asked, a.found.effects + lo, cause});
        if (a.carried.starts) block.end_at_start(n);
        if (carried) block.leave_state(carried, size, n);
        block.tape.leave_sample(behind, size);
    }

    // Back from the requested voltages of neurons that do not fire; at the start V is at rest.
    void go_by_asked(int64_t s, const Heard& heard, int64_t low, int64_t n) {
        const double* const at = a.asked.times + s * a.asked.n;
        R* const effects = a.found.effects + a.events.offsets[s];
        int64_t event = heard.n;
        for (int64_t q = a.asked.n - 1; q >= 0 && at[q] > 0.0; --q) {
            const double* const by_value = a.asked.value + (s * a.asked.n + q) * size + low;
            for (int64_t k = 0; k < n; ++k) block.state[k] += R(by_value[k]);
            const double begin = q > 0 ? at[q - 1] : 0.0;
            if (!(begin < at[q])) continue;
            while (event > 0 && heard.times[event - 1] >= at[q]) --event;
            int64_t first = event;
            while (first > 0 && heard.times[first - 1] >= begin) --first;
            const int64_t* const mine = heard.number ? heard.number + first : nullptr;
            block.go({heard.times + first, heard.rows + first, mine, event - first}, at[q], begin,
                     {a.way.asked, mine ? effects : effects + first, nullptr});
            event = first;
        }
    }
};

template <class V> int dense_backward(const DenseBackward<Real<V>>& call) {
    return LayerBack<V>(call).run() ? DONE : NO_MEMORY;
}

}  // namespace eventsim
