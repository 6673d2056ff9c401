// The formulas of one neuron that is linear between its events, of N states.
//
// Derivation      eventsim/neuron/linear_tables.py, linear_flow.py: the same operations in the same
//                 order, so that both give the same bits in double precision.
// Error           of a state, after h ms: a few roundings of the type for every bit of the number of
//                 pieces in h. Times are double in either type; only what is left of one within a
//                 piece has the type of the state.
// Tables          are rows of one neuron.
#pragma once
#include "exponential.hpp"

namespace eventsim {

// Degrees up to a piece, and up to an eighth of it: exact to the rounding of the type.
template <class R> constexpr int LINEAR_DEGREE = sizeof(R) == sizeof(float) ? 8 : 14;
template <class R> constexpr int LINEAR_LOW = sizeof(R) == sizeof(float) ? 4 : 8;

// Whether e^(A piece 2^bit) is stored less one, so that slow modes beside fast ones keep their digits.
template <class R> constexpr bool LINEAR_LESS_ONE = sizeof(R) == sizeof(float);

// A crossing is found where the next step is below this fraction of a piece.
template <class R> constexpr double LINEAR_STEP = sizeof(R) == sizeof(float) ? 3e-8 : 1e-16;

// Rounding of A^2 x, in sizes of the products; longest leap, in pieces. eventsim/neuron/linear_flow.py.
template <class R> constexpr R LEAP_ROUNDING = sizeof(R) == sizeof(float) ? R(5e-6) : R(1e-14);
constexpr double LONGEST_LEAP = 1e15;

// Products for an integral over a time h, beside the flow: eventsim/neuron/linear_tables.py.
template <class R> struct LinearProducts {
    const R* beta;      // [N (N + 1) / 2, DEGREE + 2]
    const R* products;  // [bits, N^4]
};

template <class R> ON_DEVICE inline R polynomial(const R* c, int degree, R h) {
    R total = c[degree];
    for (int m = degree - 1; m >= 0; --m) total = total * h + c[m];
    return total;
}

// y = A x, or with BACK the transposed A times x.
template <int N, bool BACK = false, class R> ON_DEVICE inline void times(const R* a, const R* x, R* y) {
    for (int i = 0; i < N; ++i) {
        R total = a[BACK ? i : i * N] * x[0];
        for (int j = 1; j < N; ++j) total += a[BACK ? j * N + i : i * N + j] * x[j];
        y[i] = total;
    }
}

// The state, or with BACK the adjoint, after the time of a stored power.
template <int N, bool BACK = false, class R> ON_DEVICE inline void jump_by(const R* power, const R* x, R* y) {
    times<N, BACK>(power, x, y);
    if constexpr (LINEAR_LESS_ONE<R>)
        for (int i = 0; i < N; ++i) y[i] = flush(x[i] + y[i]);
}

template <int N, class R> ON_DEVICE inline R dot(const R* a, const R* x) {
    R total = 0;
    for (int i = 0; i < N; ++i) total += a[i] * x[i];
    return total;
}

template <int N, class R> struct LinearFlow {
    static constexpr int DEGREE = LINEAR_DEGREE<R>, LOW = LINEAR_LOW<R>;

    const R* a;       // [N, N]
    const R* alpha;   // [N, DEGREE + 1]
    const R* powers;  // [bits, N, N], in single precision less one
    const R* bounds;  // [4, N]: up, down, bend, jerk
    double piece;     // ms
    int bits;

    // The state, or with BACK the adjoint, h ms further; h up to a piece.
    template <bool BACK = false> ON_DEVICE void near(R h, const R* x, R* y) const {
        const bool low = h * R(8) <= R(piece);
        R p[N], z[N];
        for (int k = 0; k < N; ++k)
            p[k] = low ? polynomial(alpha + k * (DEGREE + 1), LOW, h)
                       : polynomial(alpha + k * (DEGREE + 1), DEGREE, h);
        R w[N];
        for (int i = 0; i < N; ++i) w[i] = p[N - 1] * x[i];
        for (int k = N - 2; k >= 0; --k) {
            times<N, BACK>(a, w, z);
            for (int i = 0; i < N; ++i) w[i] = z[i] + p[k] * x[i];
        }
        for (int i = 0; i < N; ++i) y[i] = w[i];
    }

    // The whole pieces of h, and the rest.
    ON_DEVICE int64_t pieces(double h, double& rest) const {
        if (h < piece) {
            rest = h;
            return 0;
        }
        const double q = floored(h / piece);
        rest = h - q * piece;
        return (int64_t)q;
    }

    ON_DEVICE void ahead(double h, const R* x, R* y) const {
        double rest;
        const int64_t q = pieces(h, rest);
        near(R(rest), x, y);
        over_pieces(q, y);
    }

    // The state q pieces later.
    ON_DEVICE void over_pieces(int64_t q, R* y) const {
        for (const R* power = powers; q; q >>= 1, power += N * N)
            if (q & 1) {
                R z[N];
                jump_by<N>(power, y, z);
                for (int i = 0; i < N; ++i) y[i] = z[i];
            }
    }

    ON_DEVICE R weighed(const R* bound, const R* x) const {
        R total = 0;
        for (int i = 0; i < N; ++i) total += bound[i] * absolute(x[i]);
        return total;
    }

    // Bound of V - E over all times from the state on.
    ON_DEVICE R ever(const R* x) const {
        R total = 0;
        for (int i = 0; i < N; ++i) total += x[i] > R(0) ? bounds[i] * x[i] : bounds[N + i] * -x[i];
        return total;
    }

    // Whether V - E may reach the alert level on the way from x to y, h ms later.
    ON_DEVICE bool may_cross(const R* x, const R* y, double h, R alert) const {
        if (h > piece) return ever(x) >= alert;
        const R near_h = R(h), top = y[0] > x[0] ? y[0] : x[0];
        return top + weighed(bounds + 2 * N, x) * (near_h * near_h * R(0.125)) >= alert;
    }

    // Number of whole pieces, from the state on, in which V - E cannot reach the level.
    ON_DEVICE int64_t leap(const R* x, R level) const {
        R v[N], w[N], sizes[N * N], once[N], twice[N];
        times<N>(a, x, v);
        times<N>(a, v, w);
        for (int k = 0; k < N * N; ++k) sizes[k] = absolute(a[k]);
        for (int i = 0; i < N; ++i) twice[i] = absolute(x[i]);
        times<N>(sizes, twice, once);
        times<N>(sizes, once, twice);
        R most = ever(w);
        for (int i = 0; i < N; ++i)
            most += LEAP_ROUNDING<R> * (absolute(bounds[i]) + absolute(bounds[N + i])) * twice[i];
        const R u = x[0] - level, inside = v[0] * v[0] - R(2) * most * u;
        if (!(u < R(0))) return 0;
        const R below = inside >= R(0) ? v[0] + square_root(inside) : R(0);
        const double far = below > R(0) ? double(R(-2) * u / below) / piece : LONGEST_LEAP;
        return far > 0.0 ? (int64_t)(far < LONGEST_LEAP ? far : LONGEST_LEAP) : 0;
    }

    // First time before h at which V - E is at the level, from below; h if there is none. Its bits do not
    // depend on h. Times are doubles, and the numbers of the type count from the begin of a piece.
    ON_DEVICE double crossing(const R* from, double h, R level, R alert) const {
        R x[N];
        for (int64_t q = 0;;) {
            const double base = (double)q * piece;
            if (q && !(base < h)) return h;
            for (int i = 0; i < N; ++i) x[i] = from[i];
            over_pieces(q, x);
            if (q && ever(x) < alert) return h;
            const int64_t far = q ? leap(x, level) : 0;
            q += far ? far : 1;
            if (far) continue;
            const double at = within(x, h - base, level);
            if (at < piece) return base + at;
        }
    }

    // The crossing within a piece; the piece if there is none before `limit` in it.
    ON_DEVICE double within(const R* x, double limit, R level) const {
        double t = 0.0, trust = piece;
        R y[N], v[N], w[N];
        for (int i = 0; i < N; ++i) y[i] = x[i];
        for (;;) {
            times<N>(a, y, v);
            times<N>(a, v, w);
            const R u = y[0] - level, slope = v[0];
            if (u >= R(0)) return t;
            const double span = piece - t < trust ? piece - t : trust;
            const R most = w[0] + weighed(bounds + 3 * N, y) * R(span);
            const R inside = slope * slope - R(2) * most * u;
            const R below = inside >= R(0) ? slope + square_root(inside) : R(0);
            double step = span;
            if (below > R(0) && R(-2) * u < R(span) * below) {
                step = double(R(-2) * u / below);
                if (step <= LINEAR_STEP<R> * piece || t + step == t) return t;
                t += step;
            } else {
                t = step == piece - t ? piece : t + step;
            }
            if (!(t < piece && t < limit)) return piece;
            trust = 8.0 * step;
            near(R(t), x, y);
        }
    }

    // Adds the integral of adjoint times state over h ms to `into` [N, N], from the adjoint at its end,
    // which becomes that at its begin, and the state at its begin.
    template <class S>
    ON_DEVICE void integral(const LinearProducts<R>& p, double h, R* adjoint, const R* x, S* into) const {
        double rest;
        const int64_t q = pieces(h, rest);
        if (q) far_integral(p, q, R(rest), adjoint, x, into);
        near_integral(p.beta, R(rest), adjoint, x, into);
        near<true>(R(rest), adjoint, adjoint);
    }

  private:
    template <class S>
    RARE_MEMBER void far_integral(const LinearProducts<R>& p, int64_t q, R rest, R* adjoint, const R* x,
                                  S* into) const {
        R first[N];
        near(rest, x, first);
        for (int bit = bits - 1; bit >= 0; --bit) {
            if (!(q >> bit & 1)) continue;
            R state[N], before[N];  // the state at the begin of these pieces is found anew
            for (int i = 0; i < N; ++i) state[i] = first[i];
            over_pieces(q & ((int64_t(1) << bit) - 1), state);
            const R* tensor = p.products + bit * N * N * N * N;
            for (int ij = 0; ij < N * N; ++ij)
                for (int r = 0; r < N; ++r) {
                    into[ij] += adjoint[r] * dot<N>(tensor, state);
                    tensor += N;
                }
            jump_by<N, true>(powers + bit * N * N, adjoint, before);
            for (int i = 0; i < N; ++i) adjoint[i] = before[i];
        }
    }

    template <class S>
    ON_DEVICE void near_integral(const R* beta, R h, const R* adjoint, const R* x, S* into) const {
        const bool low = h * R(8) <= R(piece);
        R left[N][N], right[N][N], weight[N][N];
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
                weight[k][l] = weight[l][k] = low ? polynomial(beta, LOW + 1, h)
                                                  : polynomial(beta, DEGREE + 1, h);
                beta += DEGREE + 2;
            }
        for (int k = 0; k < N; ++k)
            for (int j = 0; j < N; ++j) {
                R total = 0;
                for (int l = 0; l < N; ++l) total += weight[k][l] * right[l][j];
                for (int i = 0; i < N; ++i) into[i * N + j] += left[k][i] * total;
            }
    }
};

}  // namespace eventsim
