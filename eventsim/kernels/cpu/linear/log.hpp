// A log of the steps of linear neurons in a sample, from its recorded spikes.
//
// Nothing is searched for: all spikes are known. A step is the flow from the state before it, and what
// ends it. Steps are in order of time, of one time arrivals before spikes, the lower neuron first, and
// right behind a spike what it causes at once, so that read from the end all that a spike causes comes
// before it.
#pragma once
#include "../calls.hpp"
#include "../loop/heap.hpp"
#include "cells.hpp"

#include "../../neuron/linear_adjoint.hpp"

namespace eventsim {

// The steps of neurons, written to a log if there is one.
template <int N, class R, class Neurons> struct LinearSteps {
    const Neurons& neurons;
    GrowingArray<LinearEntry<N, R>>* log = nullptr;
    int64_t n_steps = 0;

    // The flow of neuron n up to t, where something happens, and to the end of its hold before; false where
    // there is no memory, as below.
    bool go_to(int64_t n, LinearCell<N, R>& c, double t, LinearKind kind, int64_t index, int64_t synapse = 0) {
        return let_go(n, c, t) && flow(n, c, t, kind, index, synapse);
    }

    bool let_go(int64_t n, LinearCell<N, R>& c, double t) {
        if (!(c.held() && c.until < t)) return true;
        if (!flow(n, c, c.until, LET_GO, c.spike, 0)) return false;
        c.until = -1.0;
        return true;
    }

    // The end of a sample at t: neuron n goes up to it if `through`, else it stays at its last event.
    bool end(int64_t n, LinearCell<N, R>& c, double t, bool through) {
        return let_go(n, c, t) && (!through || flow(n, c, t, NOTHING, 0, 0));
    }

  private:
    bool flow(int64_t n, LinearCell<N, R>& c, double t, LinearKind kind, int64_t index, int64_t synapse) {
        ++n_steps;
        if (log) {
            if (!log->reserve(log->size + 1)) return false;
            LinearEntry<N, R>& e = (*log)[log->size++];
            for (int i = 0; i < N; ++i) e.x[i] = c.x[i];
            e.h = t - c.time;
            e.index = index;
            e.synapse = synapse;
            e.neuron = (int32_t)n;
            e.kind = kind;
            e.held = c.held();
        }
        neurons.advance(n, c, t);
        return true;
    }
};

// Position of a sample's replay: the next arrival and the next spike.
struct LinearPlace {
    int64_t arrival, spike;
};

template <int N, class R> class LinearReplay {
    const LinearBackward<R>& a;
    const LinearNeurons<N, R>& neurons;
    LinearSteps<N, R, LinearNeurons<N, R>> steps;

  public:
    LinearCell<N, R>* const cells;

    LinearReplay(const LinearBackward<R>& call, const LinearNeurons<N, R>& neurons, LinearCell<N, R>* cells)
        : a(call), neurons(neurons), steps{neurons}, cells(cells) {}

    // The neurons of sample s as its first event finds them.
    void begin(int64_t s) {
        for (int64_t n = 0; n < neurons.size(); ++n) {
            const int64_t at = s * neurons.size() + n;
            LinearCell<N, R>& c = cells[n];
            neurons.begin(n, c);
            c.spike = a.carried.spike[at];
            if (!a.begin.time) continue;
            stand_as(a.begin, at, c);
        }
    }

    // Goes on from a place over about `most` steps or to the end of sample s, and writes them to the log
    // if there is one; false where there is no memory.
    bool run(int64_t s, LinearPlace& at, int64_t most, GrowingArray<LinearEntry<N, R>>* to) {
        const Arriving& x = a.arriving;
        const LinearTape& tape = a.tape;
        const int64_t end = x.offsets[s + 1], last = tape.offsets[s + 1];
        steps.log = to;
        steps.n_steps = 0;
        while ((at.arrival < end || at.spike < last) && steps.n_steps < most) {
            double t = at.arrival < end ? x.time[at.arrival] : __builtin_inf();
            if (at.spike < last && tape.time[at.spike] < t) t = tape.time[at.spike];
            const int64_t first = at.arrival;
            while (at.arrival < end && x.time[at.arrival] == t) ++at.arrival;
            bool at_once = false;  // whether a spike of now causes some
            for (int64_t e = first; e < at.arrival; ++e) {
                if (caused_at(e) == t) at_once = true;
                else if (!meet(e)) return false;
            }
            for (; at.spike < last && tape.time[at.spike] == t; ++at.spike) {
                if (!fire(at.spike)) return false;
                for (int64_t e = first; at_once && e < at.arrival; ++e)
                    if (x.cause[e] == at.spike && !meet(e)) return false;
            }
        }
        if (at.arrival < end || at.spike < last) return true;
        for (int64_t n = 0; n < neurons.size(); ++n)  // as the way forward leaves them
            if (!steps.end(n, cells[n], x.duration[s], a.carried.to_end)) return false;
        return true;
    }

  private:
    double caused_at(int64_t e) const {
        return a.arriving.cause[e] >= 0 ? a.tape.time[a.arriving.cause[e]] : -1.0;
    }

    bool meet(int64_t e) {
        const Arriving& x = a.arriving;
        const LinearWires<R>& w = a.wires;
        if (x.first[e] >= OWN) {
            const int64_t n = x.first[e] - OWN;
            if (!go_to(n, x.time[e], OWN_RETURN, x.cause[e], 0)) return false;
            cells[n].x[w.own_state[n]] += w.own_weight[n];
            return true;
        }
        for (int64_t k = x.first[e]; k < x.last[e]; ++k) {
            if (!go_to(w.target[k], x.time[e], ARRIVAL, e, k)) return false;
            cells[w.target[k]].x[w.state[k]] += w.weight[k];
        }
        return true;
    }

    bool fire(int64_t spike) {
        const int64_t n = a.tape.neuron[spike];
        if (!go_to(n, a.tape.time[spike], SPIKE, spike, 0)) return false;
        neurons.fire(n, cells[n], spike);
        return true;
    }

    bool go_to(int64_t n, double t, LinearKind kind, int64_t index, int64_t synapse) {
        return steps.go_to(n, cells[n], t, kind, index, synapse);
    }
};

}  // namespace eventsim
