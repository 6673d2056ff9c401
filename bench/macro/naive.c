// The naive exact loop: every neuron meets every event, in double precision, on one thread.
//
// Neurons     dV/dt = (-V + J) / tau_mem, dJ/dt = -J / tau_syn, tau_mem = 2 tau_syn for all of them.
//             After h ms, with x = exp(-h / tau_mem): V = (V0 + J0) x - J0 x^2 and J = J0 x^2, so
//             that a crossing of the threshold, which is 1, is a root of a quadratic in x, the
//             larger one. At a spike V falls to 0 and J takes the self-weight; readouts do not fire.
// Before      times ascend; sources are 0 .. n_sources - 1; weight is [n_sources][n_neurons].
// After       returns how many spikes there were; the first `most` are in spike_time and
//             spike_neuron, in the order in which they were found: by event, then by neuron.
// Build       cc -O3 -march=native -shared -fPIC naive.c -o naive.so -lm

#include <math.h>

// Larger root x of J x^2 - (V + J) x + 1 = 0 in (x_end, 1), or 0 if there is none.
static inline double crossing(double v, double j, double x_end)
{
    const double sum = v + j, under = sum * sum - 4.0 * j;
    if (j <= 0.0 || under < 0.0)
        return 0.0;
    const double x = (sum + sqrt(under)) / (2.0 * j);
    return x < 1.0 && x > x_end ? x : 0.0;
}

long naive_layer(
    // sizes
    const long n_events, const int n_neurons,
    // window and neurons, ms
    const double t_end, const double tau_mem, const int fires,
    // wiring
    const double *weight, const double *self_weight,
    // input stream
    const double *time, const int *source,
    // workspace of n_neurons each, and room for spikes
    double *v, double *j, const long most, double *spike_time, int *spike_neuron)
{
    long n_spikes = 0;
    double now = 0.0;
    for (int n = 0; n < n_neurons; n++)
        v[n] = j[n] = 0.0;
    for (long k = 0; k <= n_events; k++) {
        const double until = k < n_events ? time[k] : t_end;
        const double whole = exp((now - until) / tau_mem);
        for (int n = 0; n < n_neurons; n++) {
            double v0 = v[n], j0 = j[n], x = whole, t = now, found;
            // Most neurons have no root at all: V would not reach the threshold in any time.
            if (fires && j0 > 0.0 && (v0 + j0) * (v0 + j0) >= 4.0 * j0)
                while ((found = crossing(v0, j0, x)) > 0.0) {
                    t -= tau_mem * log(found);
                    if (n_spikes < most) {
                        spike_time[n_spikes] = t;
                        spike_neuron[n_spikes] = n;
                    }
                    n_spikes++;
                    j0 = j0 * found * found + self_weight[n];
                    v0 = 0.0;
                    x /= found;
                }
            v[n] = (v0 + j0) * x - j0 * x * x;
            j[n] = j0 * x * x;
        }
        if (k < n_events)
            for (int n = 0; n < n_neurons; n++)
                j[n] += weight[(long)source[k] * n_neurons + n];
        now = until;
    }
    return n_spikes;
}
