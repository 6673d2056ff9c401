// The formulas of one neuron that is linear between its events, of N states.
//
// Derivation      eventsim/neuron/linear_tables.py, linear_flow.py: the same operations in the same
//                 order, so that both give the same bits in double precision.
// Error           of a state, after h ms: a few roundings for every bit of the number of pieces in h.
// Tables          are rows of one neuron; double alone.
#pragma once
#include <stdint.h>

namespace eventsim {

constexpr int LINEAR_DEGREE = 14, LINEAR_LOW = 8;

// What an integral over a time h needs beside the flow: eventsim/neuron/linear_tables.py.
struct LinearProducts {
    const double* beta;      // [N (N + 1) / 2, DEGREE + 2]
    const double* products;  // [bits, N^4]
};

inline double larger(double a, double b) { return b > a ? b : a; }
inline double size_of(double a) { return a < 0.0 ? -a : a; }

inline double polynomial(const double* c, int degree, double h) {
    double total = c[degree];
    for (int m = degree - 1; m >= 0; --m) total = total * h + c[m];
    return total;
}

// y = A x, or with BACK the transposed A times x.
template <int N, bool BACK = false> inline void times(const double* a, const double* x, double* y) {
    for (int i = 0; i < N; ++i) {
        double total = a[BACK ? i : i * N] * x[0];
        for (int j = 1; j < N; ++j) total += a[BACK ? j * N + i : i * N + j] * x[j];
        y[i] = total;
    }
}

template <int N> inline double dot(const double* a, const double* x) {
    double total = 0.0;
    for (int i = 0; i < N; ++i) total += a[i] * x[i];
    return total;
}

template <int N> struct LinearFlow {
    const double* a;       // [N, N]
    const double* alpha;   // [N, DEGREE + 1]
    const double* powers;  // [bits, N, N]
    const double* bounds;  // [4, N]: up, down, bend, jerk
    double piece;          // ms
    int bits;

    // The state, or with BACK the adjoint, h ms further; h up to a piece.
    template <bool BACK = false> void near(double h, const double* x, double* y) const {
        const bool low = h * 8.0 <= piece;
        double p[N], z[N];
        for (int k = 0; k < N; ++k)
            p[k] = low ? polynomial(alpha + k * (LINEAR_DEGREE + 1), LINEAR_LOW, h)
                       : polynomial(alpha + k * (LINEAR_DEGREE + 1), LINEAR_DEGREE, h);
        double w[N];
        for (int i = 0; i < N; ++i) w[i] = p[N - 1] * x[i];
        for (int k = N - 2; k >= 0; --k) {
            times<N, BACK>(a, w, z);
            for (int i = 0; i < N; ++i) w[i] = z[i] + p[k] * x[i];
        }
        for (int i = 0; i < N; ++i) y[i] = w[i];
    }

    // The whole pieces of h, and the rest.
    int64_t pieces(double h, double& rest) const {
        if (h < piece) {
            rest = h;
            return 0;
        }
        const double q = __builtin_floor(h / piece);
        rest = h - q * piece;
        return (int64_t)q;
    }

    void ahead(double h, const double* x, double* y) const {
        double rest;
        int64_t q = pieces(h, rest);
        near(rest, x, y);
        for (const double* power = powers; q; q >>= 1, power += N * N)
            if (q & 1) {
                double z[N];
                times<N>(power, y, z);
                for (int i = 0; i < N; ++i) y[i] = z[i];
            }
    }

    double weighed(const double* bound, const double* x) const {
        double total = 0.0;
        for (int i = 0; i < N; ++i) total += bound[i] * size_of(x[i]);
        return total;
    }

    // Bound of V - E over all times from the state on.
    double ever(const double* x) const {
        double total = 0.0;
        for (int i = 0; i < N; ++i) total += x[i] > 0.0 ? bounds[i] * x[i] : bounds[N + i] * -x[i];
        return total;
    }

    // Whether V - E may reach the alert level on the way from x to y, h ms later.
    bool may_cross(const double* x, const double* y, double h, double alert) const {
        if (h > piece) return ever(x) >= alert;
        return larger(x[0], y[0]) + weighed(bounds + 2 * N, x) * (h * h * 0.125) >= alert;
    }

    // First time before h at which V - E is at the level, from below; h if there is none.
    double crossing(const double* from, double h, double level, double alert) const {
        double base = 0.0, t = 0.0, trust = piece, x[N], y[N], v[N], w[N];
        for (int i = 0; i < N; ++i) x[i] = y[i] = from[i];
        for (;;) {
            times<N>(a, y, v);
            times<N>(a, v, w);
            const double u = y[0] - level, slope = v[0];
            if (u >= 0.0) return t;
            double end = base + piece < h ? base + piece : h;
            if (t >= end) {
                if (t >= h || ever(y) < alert) return h;
                base = t;
                for (int i = 0; i < N; ++i) x[i] = y[i];
                end = t + piece < h ? t + piece : h;
            }
            const double span = end - t < trust ? end - t : trust;
            const double most = w[0] + weighed(bounds + 3 * N, y) * span;
            const double inside = slope * slope - 2.0 * most * u;
            const double below = inside >= 0.0 ? slope + __builtin_sqrt(inside) : 0.0;
            double step = span;
            if (below > 0.0 && -2.0 * u < span * below) {
                step = -2.0 * u / below;
                if (step <= 1e-16 * piece || t + step == t) return t;
                t += step;
            } else {
                t = step == end - t ? end : t + step;
            }
            trust = 8.0 * step;
            near(t - base, x, y);
        }
    }

    // Adds the integral of adjoint times state over h ms to `into` [N, N], from the adjoint at its end,
    // which becomes that at its begin, and the state at its begin.
    void integral(const LinearProducts& p, double h, double* adjoint, const double* x,
                  double* into) const {
        double rest;
        const int64_t q = pieces(h, rest);
        if (q) far_integral(p, q, rest, adjoint, x, into);
        near_integral(p.beta, rest, adjoint, x, into);
        near<true>(rest, adjoint, adjoint);
    }

  private:
    __attribute__((noinline)) void far_integral(const LinearProducts& p, int64_t q, double rest,
                                                double* adjoint, const double* x,
                                                double* into) const {
        double state[64][N];
        near(rest, x, state[0]);
        int at = 0;
        for (int bit = 0; bit < bits; ++bit)
            if (q >> bit & 1) {
                times<N>(powers + bit * N * N, state[at], state[at + 1]);
                ++at;
            }
        for (int bit = bits - 1; bit >= 0; --bit)
            if (q >> bit & 1) {
                const double* tensor = p.products + bit * N * N * N * N;
                const double* const s = state[--at];
                for (int ij = 0; ij < N * N; ++ij)
                    for (int r = 0; r < N; ++r) {
                        into[ij] += adjoint[r] * dot<N>(tensor, s);
                        tensor += N;
                    }
                double before[N];
                times<N, true>(powers + bit * N * N, adjoint, before);
                for (int i = 0; i < N; ++i) adjoint[i] = before[i];
            }
    }

    void near_integral(const double* beta, double h, const double* adjoint, const double* x,
                       double* into) const {
        const bool low = h * 8.0 <= piece;
        double left[N][N], right[N][N], weight[N][N];
        for (int i = 0; i < N; ++i) {
            left[0][i] = adjoint[i];
            right[0][i] = x[i];
        }
        for (int k = 1; k < N; ++k) {
            times<N, true>(a, left[k - 1], left[k]);
            times<N>(a, right[k - 1], right[k]);
        }
        for (int k = 0; k < N; ++k)
            for (int l = k; l < N; ++l) {
                weight[k][l] = weight[l][k] = low ? polynomial(beta, LINEAR_LOW + 1, h)
                                                  : polynomial(beta, LINEAR_DEGREE + 1, h);
                beta += LINEAR_DEGREE + 2;
            }
        for (int k = 0; k < N; ++k)
            for (int j = 0; j < N; ++j) {
                double total = 0.0;
                for (int l = 0; l < N; ++l) total += weight[k][l] * right[l][j];
                for (int i = 0; i < N; ++i) into[i * N + j] += left[k][i] * total;
            }
    }
};

}  // namespace eventsim
