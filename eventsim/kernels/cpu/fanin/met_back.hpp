// Arrivals of one neuron that are met at once on the way back.
//
// Between two stops of a neuron, its spikes and releases, the adjoint is linear in its state: it is found
// for up to MOST arrivals side by side in vectors, from the state at the latest of them.
//
// Reference       eventsim/engine/reference/layer_adjoint.py
#pragma once
#include "../../lanes.hpp"
#include "../../neuron/adjoint_series.hpp"
#include "../table.hpp"

namespace eventsim {

// Results for up to MOST arrivals at once, the latest last.
template <class V> struct Met {
    using R = Real<V>;
    alignas(64) R beta[MOST], later[MOST], drive[MOST], mem[MOST], syn[MOST];

    // Meets the `most` arrivals before the i-th, or those of them behind `t_stop`; returns how many. As
    // many places before all arrivals may be read.
    FORMULA_MEMBER int meet(const double* time, const R* weight, int64_t i, int most, double t_stop,
                            const Rates<R>& rates, const Adjoint<R>& state) {
        constexpr int N = Numbers<V>::count;
        int m = most;
        if (!(time[i - most] > t_stop))
            for (m = 1; time[i - 1 - m] > t_stop;) ++m;
        const double t = time[i - 1];
        const Rates<V> r = {spread<V>(rates.slow), spread<V>(rates.gap), spread<V>(rates.mem),
                            spread<V>(rates.syn)};
        const Adjoint<V> from = {spread<V>(state.alpha), spread<V>(state.beta),
                                 spread<V>(state.alpha_mem), spread<V>(state.beta_mem),
                                 spread<V>(state.beta_syn)};
        DoublesOf<V> latest;
        UNROLL for (int k = 0; k < latest.parts; ++k) latest.part[k] = spread<Doubles>(t);
        UNROLL for (int c = MOST - N; c >= 0; c -= N) {
            if (c + N <= MOST - m) break;
            const int64_t low = i - MOST + c;
            V h = difference(latest, load_wide<V>(time + low));
            h = select(load<V>(NUMBERS + c) >= R(MOST - m), h, spread<V>(0));
            const Adjoint<V> there = pull_back(h, adjoint_propagators(h, r), from);
            const V w = load<V>(weight + low), sent = r.syn * there.beta - r.mem * there.alpha;
            store(beta + c, there.beta);
            store(later + c, w * sent);
            store(drive + c, w * there.beta);
            store(mem + c, w * there.beta_mem);
            store(syn + c, w * there.beta_syn);
        }
        return m;
    }

    // Adds m of them to the sums of a neuron, which lie `row` apart, the latest first.
    FORMULA_MEMBER void add(int m, double* sums, int64_t row) const {
        double by_drive = sums[BY_DRIVE * row], by_mem = sums[BY_MEM * row], by_syn = sums[BY_SYN * row];
        for (int k = MOST - 1; k >= MOST - m; --k) {
            by_drive += drive[k];
            by_mem += mem[k];
            by_syn += syn[k];
        }
        sums[BY_DRIVE * row] = by_drive;
        sums[BY_MEM * row] = by_mem;
        sums[BY_SYN * row] = by_syn;
    }

  private:
    alignas(64) static constexpr R NUMBERS[MOST] = {0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15};
};

}  // namespace eventsim
