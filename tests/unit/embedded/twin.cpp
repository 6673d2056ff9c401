// The C twin of the neuron beside its headers, on random numbers: prints how many answers differ in a bit.
// With an argument it prints that many vectors of the boot self-test instead.
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <random>

#include "eventsim/kernels/neuron/adaptive.hpp"
#include "eventsim/kernels/neuron/linear.hpp"
#include "eventsim/kernels/neuron/stretch.hpp"

namespace twin {
#define INFINITE 1e300
#include "eventsim/embedded/c/formulas.c"
#include "eventsim/embedded/c/doubles.c"
#include "eventsim/embedded/c/adaptive.c"
#include "eventsim/embedded/c/linear.c"
}

using namespace eventsim;

struct Fixed {
    const float* from;
    float v(int q) const { return from[q]; }
    float j(int q) const { return from[4 + q]; }
};

static uint32_t bits(float x) {
    uint32_t b;
    memcpy(&b, &x, 4);
    return b;
}

static uint64_t bits(double x) {
    uint64_t b;
    memcpy(&b, &x, 8);
    return b;
}

static std::mt19937 rng(1);
static float uniform(float low, float high) { return std::uniform_real_distribution<float>(low, high)(rng); }
static float either(float a, float b) { return uniform(0, 1) < 0.5f ? a : b; }

// A neuron of N states whose tables are any numbers: formulas have to do the same with them.
template <int N> static long linear_differs(float scale) {
    float table[N * N * 4 + N * 13], x[N], y[N], ty[N];
    for (float& value : table) value = uniform(-1, 1) * scale;
    for (float& value : x) value = uniform(-2, 2);
    float *const alpha = table + N * N, *const powers = alpha + N * 9, *const bounds = powers + 2 * N * N;
    for (int k = 0; k < 4 * N; ++k) bounds[k] = absolute(bounds[k]);
    const LinearFlow<N, float> f = {table, alpha, powers, bounds, 0.5, 2};
    const twin::flow_t tf = {table, alpha, powers, bounds, 0.5, N, 2, 0};
    const float level = x[0] + uniform(0, 0.5f), near = uniform(0, 0.5f);
    const double h = uniform(0, 1.5f);
    f.ahead(h, x, y);
    twin::ahead_to(&tf, h, x, ty);
    long differ = memcmp(y, ty, sizeof y) != 0;
    f.near(near, x, y);
    twin::near_to(&tf, near, x, ty);
    differ += memcmp(y, ty, sizeof y) != 0;
    differ += bits(f.within(x, 1e300, level)) != bits(twin::within(&tf, x, level));
    differ += bits(f.ever(x)) != bits(twin::ever(&tf, x));
    differ += (double)f.leap(x, level) != twin::leap(&tf, x, level);
    const double number = (double)uniform(0, 1) * uniform(1e-30f, 1e30f) * (h > 1 ? 1e-300 : 1.0);
    return differ + (bits(__builtin_sqrt(number)) != bits(twin::root_of_number(number)));
}

// Vectors of the self-test of linear neurons.
static void print_linear() {
    const float a[4] = {-0.25f, 0.5f, -0.125f, -0.75f};
    float alpha[18];
    for (int k = 0; k < 18; ++k) alpha[k] = 1.0f / (float)(k + 3);
    const LinearFlow<2, float> f = {a, alpha, nullptr, nullptr, 8.0, 0};
    for (int k = 0; k < 4; ++k) {
        const float x[2] = {uniform(-2, 2), uniform(-2, 2)}, h = uniform(0, 2);
        float y[2];
        f.near(h, x, y);
        const float found[6] = {x[0], x[1], h, y[0], y[1], __builtin_sqrtf(h)};
        printf("    {");
        for (float value : found) printf("0x%08xU, ", bits(value));
        printf("},\n");
    }
}

int main(int argc, char** argv) {
    const int vectors = argc > 1 ? atoi(argv[1]) : 0;
    long differ = 0, fired = 0, adapted = 0, n = vectors ? 100000 : 60000;
    int printed = 0;
    for (long i = 0; i < n && (!vectors || printed < vectors); ++i) {
        const float tau_mem = uniform(1, 60), tau_syn = uniform(0, 1) < 0.1f ? tau_mem : uniform(1, 60);
        const float a = 1 / tau_mem, b = 1 / tau_syn, slow = a < b ? a : b, gap = b - a;
        const float v = uniform(-1.5f, 1.1f), j = uniform(-2, 6), h = either(uniform(0, 3), uniform(0, 400));
        const float level = uniform(0, 1) < 0.1f ? uniform(-1, 0) : uniform(0.5f, 1.5f);
        const Rates<float> r = {slow, gap, a, 0};
        const twin::rates_t tr = {slow, gap, a};
        const Map<float> m = far_forward(h, r);
        const twin::map_t tm = twin::forward(h, &tr);
        const float c = crossing(v, j, h, r, level, true), tc = twin::crossing(v, j, h, &tr, level);
        const float answer[8] = {0.25f, 0.125f, -0.0625f, 0.03125f, -0.5f, 0.25f, -0.125f, 0.0625f};
        const float in[3] = {v, j, h};
        Items<float> items;
        twin::items_t ti;
        for (int k = 0; k < 4; ++k) {
            ti.weight[k] = items.weight[k] = in[(k + printed) % 3];
            ti.gap[k] = items.gap[k] = h * (3 - k);
            ti.share[k] = items.share[k] = h * (3 - k) * slow;
        }
        const Ahead<float> to = ahead(v, j, items, a, level, Fixed{answer}, m, h);
        const twin::ahead_t tt = twin::ahead(v, j, &ti, &tr, level, answer, h);
        const float top = highest(v, j, to.v, to.j, h, a, level);
        const float x = uniform(-1e3f, 1e3f), y = uniform(-1e-3f, 1e3f), z = uniform(-1e6f, 1e6f);
        differ += bits(m.x) != bits(tm.x) || bits(m.y) != bits(tm.y) || bits(m.gain) != bits(tm.gain) ||
                  bits(c) != bits(tc) || bits(to.v) != bits(tt.v) || bits(to.j) != bits(tt.j) ||
                  bits(to.bound) != bits(tt.bound) ||
                  bits(top) != bits(twin::highest(v, j, tt.v, tt.j, h, a, level)) ||
                  bits(__builtin_fmaf(x, y, z)) != bits(twin::fused(x, y, z));
        const Threshold p = {uniform(0.1f, 2), 1 / uniform(5, 300)};
        const Adapted at = {uniform(0, 1) < 0.1f ? 0 : uniform(1, 3), 10.0};
        const twin::threshold_t tp = {p.strength, p.rate};
        const twin::adapted_t ta = {at.a, at.last};
        const double t = 10.0 + uniform(0, 50);
        const OnWay<float> way = {v, j, h, 9.0f, r, level, level - 0.1f};
        const float by = crossing_within(p, at, t, way);
        const twin::start_t start = {v, j, 0, tr, 0, level};
        differ += bits(by) != bits(twin::crossing_within(&tp, &ta, &start, t, h, 9.0f, level - 0.1f)) ||
                  bits(lifted(p, at, t, level)) != bits(twin::lifted(&tp, &ta, t, level)) ||
                  bits(log_ratio(v * 0.6f)) != bits(twin::log_ratio(v * 0.6f));
        const double big = x * double(y) + 1e-9 * z, tiny = z * 1e-300 * double(y);
        differ += bits(__builtin_fma(big, double(v), -double(float(big * v)))) !=
                      bits(twin::fused_double(big, double(v), -double(float(big * v)))) ||
                  bits(__builtin_fma(tiny, 1e-9 * v, 1e-310 * j)) != bits(twin::fused_double(tiny, 1e-9 * v, 1e-310 * j)) ||
                  bits(__builtin_fma(1.0 / y, 1.0 / x, z)) != bits(twin::fused_double(1.0 / y, 1.0 / x, z));
        differ += linear_differs<2>(0.3f) + linear_differs<3>(0.2f) + linear_differs<5>(0.1f);
        fired += c > 0;
        adapted += by > 0;
        // Vectors of the self-test: small times, and one Newton search that takes some steps.
        if (vectors && h < 60 && c > 0.5f && (to.bound < 1e6f)) {
            printf("    {{0x%08xU, 0x%08xU, 0x%08xU, 0x%08xU, 0x%08xU, 0x%08xU, 0x%08xU},\n     {0x%08xU, 0x%08xU, "
                   "0x%08xU, 0x%08xU, 0x%08xU, 0x%08xU, 0x%08xU}},\n",
                   bits(v), bits(j), bits(h), bits(slow), bits(gap), bits(a), bits(level), bits(m.x), bits(m.y),
                   bits(m.gain), bits(c), bits(to.v), bits(to.j), bits(to.bound));
            ++printed;
        }
    }
    if (vectors) print_linear();
    if (!vectors) printf("%ld of %ld differ, %ld fired, %ld with adaptation\n", differ, n, fired, adapted);
    return differ != 0;
}
