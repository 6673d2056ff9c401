// Synaptic events: spikes that reach a synapse before the end of their sample, counted one projection
// after the other.
#pragma once
#include "../calls.hpp"
#include "../synapses.hpp"

namespace eventsim {

// Kinds of delays of a projection: one for all, by neuron, by synapse; twins in eventsim/engine/cpu/counting.py.
enum { OF_ALL, OF_NEURONS, OF_SYNAPSES };

// Count of one sample's spikes, in order, that arrive before the end if all have the same delay.
inline int64_t count_in_time(const double* times, int64_t low, int64_t high, double delay, double end) {
    int64_t last = high;
    while (last > low && !(times[last - 1] + delay < end)) --last;
    return last - low;
}

class Counting {
    const Connections x;

    // Gives f the delays of a projection.
    template <class F> auto delays(int64_t p, const F& f) const { return of_width(x.delay[p], x.delay_width, f); }

    int64_t synapses_of(int64_t p, int32_t n) const {
        return x.first[p] ? x.first[p][n + 1] - x.first[p][n] : x.each[p];
    }

    // Synaptic events of one sample and projection with one delay for all.
    int64_t alike(int64_t p, int64_t low, int64_t high, double end) const {
        const double delay = this->delays(p, [](const auto* delay) { return double(delay[0]); });
        const int64_t n = count_in_time(x.time[p], low, high, delay, end);
        if (!x.first[p]) return n * x.each[p];
        int64_t found = 0;
        for (int64_t k = low; k < low + n; ++k) found += synapses_of(p, x.neuron[p][k]);
        return found;
    }

    // Synaptic events of one sample and projection with delays by neuron.
    template <class T>
    int64_t by_neuron(int64_t p, int64_t low, int64_t high, double end, const T* delay) const {
        int64_t found = 0;
        for (int64_t k = low; k < high; ++k) {
            const int32_t n = x.neuron[p][k];
            found += x.time[p][k] + double(delay[n]) < end ? synapses_of(p, n) : 0;
        }
        return found;
    }

    // Synaptic events of one sample and projection with delays by synapse.
    template <class T>
    int64_t by_synapse(int64_t p, int64_t low, int64_t high, double end, const T* delay) const {
        int64_t found = 0;
        for (int64_t k = low; k < high; ++k) {
            const double t = x.time[p][k];
            const int32_t n = x.neuron[p][k];
            for (int64_t e = x.first[p][n]; e < x.first[p][n + 1]; ++e) found += t + double(delay[e]) < end;
        }
        return found;
    }

  public:
    explicit Counting(const Connections& connections) : x(connections) {}

    int64_t run(int64_t p) const {
        int64_t found = 0;
        for (int64_t s = 0; s < x.n_samples; ++s) {
            const int64_t low = x.offsets[p][s], high = x.offsets[p][s + 1];
            const double end = x.duration[s];
            if (x.delays_of[p] == OF_ALL) found += alike(p, low, high, end);
            else found += delays(p, [&](const auto* delay) {
                if (x.delays_of[p] == OF_NEURONS) return by_neuron(p, low, high, end, delay);
                return by_synapse(p, low, high, end, delay);
            });
        }
        return found;
    }
};

inline int count_arrivals(const CountArrivals& call) {
    const Counting counting(call.connections);
    for (int64_t i = 0; i < call.tasks.n; ++i) {
        const int64_t p = call.tasks.todo[i];
        call.connections.found[p] = counting.run(p);
    }
    return DONE;
}

}  // namespace eventsim
