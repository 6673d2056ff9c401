// Integral of a readout whose synapses are few or have delays of their own, and its gradients: one
// synapse after the other.
//
// Before          gains.hpp has filled the table.
// Reference       eventsim/engine/reference/readout.py
#pragma once
#include "gains.hpp"

namespace eventsim {

// An arrival at one output: its first coefficient, its place in the window, and exp(-rate t).
template <class R> struct ArrivalAt {
    const R* first;
    R u, fade;
};

template <class R>
FORMULA ArrivalAt<R> arrival_at(double time, double left, int64_t output, const GainTable<R>& gains) {
    const Place<double> place = place_of(left, gains.per_ms);
    const int64_t window = output / LANES * gains.n_windows + (int64_t)place.window;
    return {gains.values + window * WINDOW<R> + output % LANES, R(place.u),
            decay(R(gains.rate * time))};
}

// Calls f with the number, the time and the row of each spike of a sample, in order.
template <class F> FORMULA void for_spikes(const Sources& spikes, int64_t s, const F& f) {
    for (int64_t source = 0; source < spikes.n_sources; ++source) {
        const int64_t* const first = spikes.first + source * (spikes.n_samples + 1) + s;
        for (int64_t i = first[0]; i < first[1]; ++i)
            f(i, spikes.time[source][i], spikes.row_start[source] + spikes.neuron[source][i]);
    }
}

template <class V> int apart_forward(const ApartForward<Real<V>>& call) {
    using R = Real<V>;
    const FanOut<R>& fan = call.fan;
    for (int64_t i = 0; i < call.tasks.n; ++i) {
        const int64_t s = call.tasks.todo[i];
        const double t_end = call.spikes.duration[s];
        double* const sums = call.integrals.values + s * call.integrals.size;
        std::fill(sums, sums + call.integrals.size, 0.0);
        for_spikes(call.spikes, s, [&](int64_t, double time, int64_t row) {
            for (int64_t e = fan.start[row]; e < fan.start[row + 1]; ++e) {
                const double t = time + fan.delay[e];
                if (!(t < t_end)) continue;
                const ArrivalAt<R> x = arrival_at(t, t_end - t, fan.target[e], call.gains);
                sums[fan.target[e]] += fan.weight[e] * x.fade * polynomial_of_one(x.first, x.u);
            }
        });
    }
    return DONE;
}

// One spike on the way back: its dL/dt; the sums of its chunk grow.
template <class R>
FORMULA double spike_back(const ApartBackward<R>& call, int64_t chunk, double time, int64_t row,
                          double t_end, const double* seed) {
    const FanOut<R>& fan = call.fan;
    const IntegralsBack& back = call.back;
    const int64_t size = back.size;
    double* const sums = back.sums + chunk * N_GAIN_SUMS * size;
    double effect = 0.0;
    for (int64_t e = fan.start[row]; e < fan.start[row + 1]; ++e) {
        const double t = time + fan.delay[e];
        const int64_t k = fan.target[e];
        if (!(t < t_end)) continue;
        const ArrivalAt<R> x = arrival_at(t, t_end - t, k, call.gains);
        const double w = fan.weight[e], unit = seed[k];
        const R gain = x.fade * polynomial_of_one(x.first + GAIN * POLYNOMIAL<R>, x.u);
        const R by_mem = x.fade * polynomial_of_one(x.first + GAIN_BY_MEM * POLYNOMIAL<R>, x.u);
        const R by_syn = x.fade * polynomial_of_one(x.first + GAIN_BY_SYN * POLYNOMIAL<R>, x.u);
        const R slope = x.fade * polynomial_of_one(x.first + GAIN_LATER * POLYNOMIAL<R>, x.u);
        const double later = unit * w * slope;
        back.by_weight[chunk * fan.n + e] += unit * gain;
        back.by_delay[chunk * fan.n + e] += later;
        effect += later;
        sums[k] += unit * w * gain;
        sums[size + k] += unit * w * by_mem;
        sums[2 * size + k] += unit * w * by_syn;
    }
    return effect;
}

template <class V> int apart_backward(const ApartBackward<Real<V>>& call) {
    const Sources& spikes = call.spikes;
    for (int64_t i = 0; i < call.tasks.n; ++i) {
        const int64_t chunk = call.tasks.todo[i];
        for (int64_t s = call.back.bounds[chunk]; s < call.back.bounds[chunk + 1]; ++s)
            for_spikes(spikes, s, [&](int64_t spike, double time, int64_t row) {
                call.back.effects[spike] = spike_back(call, chunk, time, row, spikes.duration[s],
                                                      call.back.seeds + s * call.back.size);
            });
    }
    return DONE;
}

}  // namespace eventsim
