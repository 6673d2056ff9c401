// Backward pass of layers whose neurons all meet the same events, block by block of neurons.
//
// Side by side    neurons of a block in vectors, stretch after stretch: block_back.hpp. A task is a
//                 chunk of samples, taken one after the other: its sums are its own, so that no result
//                 depends on threads.
// Before          roles.hpp; gradients, effects and sums hold what they are added to.
// After           dL/dt of events in rows that are asked for; `through` of the tape, and what is carried,
//                 changed to that at the begin.
// Reference       eventsim/engine/cpu/shared_adjoint.py, to the bit; eventsim/engine/reference/layer_adjoint.py
#pragma once
#include "../../lanes.hpp"
#include "block_back.hpp"

namespace eventsim {

template <class R> struct DenseBackward {
    Tasks tasks;
    Events events;
    Weights<R> weights;
    Neurons<R> neurons;
    Tape tape;
    WayBack<R> way;
    Found<R> found;
};

template <class V> class LayerBack {
    using R = Real<V>;
    static constexpr int N_STATE = 5;

    const DenseBackward<R>& a;
    const int64_t width, size, n_blocks, most_events, most_spikes;
    Arena arena;
    double* const times;  // of the events that a block hears
    int32_t* const rows;
    int64_t* const number;
    BlockBack<V> block;

    // Of a sample of the chunks.
    static int64_t most_of(const DenseBackward<R>& a, const int64_t* offsets) {
        int64_t most = 0;
        for (int64_t i = 0; i < a.tasks.n; ++i)
            for (int64_t s = a.way.bounds[a.tasks.todo[i]]; s < a.way.bounds[a.tasks.todo[i] + 1]; ++s)
                most = std::max(most, offsets[s + 1] - offsets[s]);
        return most;
    }

    static std::size_t room(int64_t width, int64_t events, int64_t spikes) {
        return events * 20 + 3 * 64 + BlockBack<V>::room(width, spikes);
    }

  public:
    explicit LayerBack(const DenseBackward<R>& call)
        : a(call), width(call.weights.width), size(call.neurons.size), n_blocks(call.tasks.n_blocks),
          most_events(n_blocks > 1 ? most_of(call, call.events.offsets) : 0),
          most_spikes(most_of(call, call.tape.offsets)), arena(room(width, most_events, most_spikes)),
          times(arena.take<double>(most_events)), rows(arena.take<int32_t>(most_events)),
          number(arena.take<int64_t>(most_events)),
          block(call.tape, call.neurons.strength != nullptr, call.neurons.fastest, call.way.span, width,
                most_spikes, arena) {}

    // False where there is no memory.
    bool run() {
        if (!arena.ok()) return false;
        for (int64_t i = 0; i < a.tasks.n; ++i)
            for (int64_t b = 0; b < n_blocks; ++b) run_block(a.tasks.todo[i], b);
        return true;
    }

  private:
    void run_block(int64_t chunk, int64_t b) {
        const int64_t low = low_of(b, n_blocks), n = size_of(b, n_blocks, size);
        const int64_t slab = a.weights.n_rows * width;
        const R* const weights = a.weights.values + b * slab;
        R* const by_weight = a.found.by_weight + (chunk * n_blocks + b) * slab;
        double* const own = a.found.own + chunk * N_OWN * size;
        double* const adapted = a.found.adapted ? a.found.adapted + chunk * 2 * size : nullptr;
        double* const sums = a.found.sums + chunk * N_SUMS * size + low;
        block.take_block(a.neurons, low, n, weights, by_weight);
        block.tape.take_block(a.neurons, low, n, own, adapted);
        for (int64_t s = a.way.bounds[chunk]; s < a.way.bounds[chunk + 1]; ++s) {
            run_sample(s, b, low, n);
            for (int i = 0; i < N_SUMS; ++i)
                for (int64_t k = 0; k < n; ++k) sums[i * size + k] += block.sums[i * block.stride + k];
        }
        block.tape.leave_block(size, own, adapted);
        a.found.grazes[chunk] += block.tape.grazes;
        for (int64_t row = 0; row < a.weights.n_rows; ++row)
            for (int64_t k = 0; k < n; ++k)
                sums[BY_DRIVE * size + k] +=
                    double(weights[row * width + k]) * double(by_weight[row * width + k]);
    }

    void run_sample(int64_t s, int64_t b, int64_t low, int64_t n) {
        const int64_t stride = block.stride;
        R* const carried = a.way.adjoint ? a.way.adjoint + s * N_STATE * size + low : nullptr;
        double* const behind = a.way.behind ? a.way.behind + s * N_BEHIND * size : nullptr;
        std::fill(block.sums, block.sums + N_SUMS * stride, R(0));
        std::fill(block.state, block.state + N_STATE * stride, R(0));
        for (int i = 0; carried && i < N_STATE; ++i)
            std::copy(carried + i * size, carried + i * size + n, block.state + i * stride);
        block.tape.take_sample(a.tape.offsets[s], a.tape.offsets[s + 1], behind, size);
        const int64_t lo = a.events.offsets[s];
        block.go(heard(s, b), a.events.duration[s], a.way.begin[s],
                 {a.way.asked, a.found.effects + lo, a.way.cause ? a.way.cause + lo : nullptr});
        for (int64_t k = 0; a.way.starts && k < n; ++k)
            block.tape.end_at_start(k, block.state[k], block.state[2 * stride + k]);
        for (int i = 0; carried && i < N_STATE; ++i)
            std::copy(block.state + i * stride, block.state + i * stride + n, carried + i * size);
        block.tape.leave_sample(behind, size);
    }

    // The events of a sample that a block hears.
    Heard heard(int64_t s, int64_t b) const {
        const int64_t lo = a.events.offsets[s], hi = a.events.offsets[s + 1];
        if (n_blocks == 1) return {a.events.times + lo, a.events.rows + lo, nullptr, hi - lo};
        const uint8_t* const mine = a.events.heard + b * (a.weights.n_rows - 1);
        return {times, rows, number, hear(a.events, mine, lo, hi, times, rows, number)};
    }
};

// 0, or 1 where there is no memory.
template <class V> int dense_backward(const DenseBackward<Real<V>>& call) {
    return LayerBack<V>(call).run() ? 0 : 1;
}

}  // namespace eventsim
