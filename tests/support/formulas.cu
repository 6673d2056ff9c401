// The formulas of eventsim/kernels on arrays, one thread for each number; and their constants.

using namespace eventsim;

#define ME ((int)(blockIdx.x * blockDim.x + threadIdx.x))

extern "C" __global__ void terms(const int n, const REAL* z, REAL* out) {
    const int i = ME;
    if (i >= n) return;
    const Terms<REAL> t = far_terms(z[i]);
    const REAL values[5] = {decay(z[i]), t.decayed, t.phi, t.psi, log_ratio(z[i])};
    for (int k = 0; k < 5; ++k) out[k * n + i] = values[k];
}

// By the rates a and b, over 1000 ms: the crossing, and a bound of v.
extern "C" __global__ void crossings(const int n, const REAL* v, const REAL* j, const REAL* a,
                                     const REAL* b, const REAL* level, REAL* out) {
    const int i = ME;
    if (i >= n) return;
    const Rates<REAL> r = {a[i] < b[i] ? a[i] : b[i], b[i] - a[i], a[i], b[i]};
    const REAL h = 1000, one = 1;
    const Map<REAL> m = far_forward(h, r);
    out[i] = crossing(v[i], j[i], h, r, level[i], true);
    out[n + i] = highest(v[i], j[i], fused(m.gain, j[i], m.x * v[i]), m.y * j[i], h, a[i], one);
}

extern "C" __global__ void constants(double* out) {
    const double values[12] = {ITEMS, SPAN, DEGREE<REAL>, TAYLOR<REAL>, MOST, TERMS<REAL>, EXTRA,
                               GAIN_TERMS<REAL>, ALERT_MARGIN, DOUBLINGS, WINDOW_BITS, FIRST_WINDOW};
    for (int k = 0; k < 12; ++k) out[k] = values[k];
}

// Matrices [13, 13] and [EXTRA, TERMS].
extern "C" __global__ void economies(double* shorter, double* economy) {
    constexpr Shorter all;
    constexpr Economy<TERMS<REAL>> own;
    for (int q = 0; q < 13; ++q)
        for (int k = 0; k < 13; ++k) shorter[13 * q + k] = all.row[q][k];
    for (int k = 0; k < EXTRA; ++k)
        for (int q = 0; q < TERMS<REAL>; ++q) economy[k * TERMS<REAL> + q] = own.row[k][q];
}

// Of neurons by their rates: coefficients [6 TERMS, n] over a stretch of so many ms.
extern "C" __global__ void adjoint_series(const int n, const REAL* a, const REAL* b,
                                          const double* middle, const double* length, REAL* out) {
    const int i = ME;
    if (i >= n) return;
    const Series<REAL> s = series_of(a[i], b[i], middle[i], length[i]);
    const REAL* const rows[6] = {s.decays, s.taken, s.gains, s.gains_mem, s.gains_syn, s.decays_syn};
    for (int k = 0; k < 6 * TERMS<REAL>; ++k) out[k * n + i] = rows[k / TERMS<REAL>][k % TERMS<REAL>];
}

// Of neurons by their rates: answers to an arrival [2 DEGREE, n] over a stretch of so many ms.
extern "C" __global__ void answers(const int n, const REAL* a, const REAL* b, const REAL* longest,
                                   REAL* out) {
    const int i = ME;
    if (i >= n) return;
    const Answer<REAL> answer = answer_of(a[i], b[i], longest[i]);
    for (int q = 0; q < DEGREE<REAL>; ++q) {
        out[q * n + i] = answer.of_v[q];
        out[(DEGREE<REAL> + q) * n + i] = answer.of_j[q];
    }
}

// Of an adaptive threshold with such a rise and rate: the crossing within h ms.
extern "C" __global__ void adaptive_crossings(const int n, const REAL* v, const REAL* j, const REAL* rise,
                                              const REAL* h, const REAL* a, const REAL* b,
                                              const REAL* rate, const REAL* level, REAL* out) {
    const int i = ME;
    if (i >= n) return;
    const Rates<REAL> r = {a[i] < b[i] ? a[i] : b[i], b[i] - a[i], a[i], b[i]};
    out[i] = adaptive_crossing(Start<REAL>{v[i], j[i], rise[i], r, rate[i], level[i]}, h[i]);
}
