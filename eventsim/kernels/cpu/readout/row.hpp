// A row of a block: LANES outputs side by side, in as many vectors as they take.
#pragma once
#include "../../lanes.hpp"

namespace eventsim {

// eventsim.engine.cpu.blocks.LANES; rows of weights and of tables are this long.
constexpr int LANES = 16;

template <class V> struct Row {
    static constexpr int n = LANES / Numbers<V>::count;
    V part[n];
};

template <class V> FORMULA Row<V> load_row(const Real<V>* from) {
    Row<V> x;
    UNROLL for (int p = 0; p < x.n; ++p) x.part[p] = load<V>(from + p * Numbers<V>::count);
    return x;
}

template <class V> FORMULA void store_row(Real<V>* to, const Row<V>& x) {
    UNROLL for (int p = 0; p < x.n; ++p) store(to + p * Numbers<V>::count, x.part[p]);
}

template <class V> FORMULA Row<V> zeros() {
    Row<V> x;
    UNROLL for (int p = 0; p < x.n; ++p) x.part[p] = spread<V>(0);
    return x;
}

template <class V> FORMULA Row<V> operator*(V a, const Row<V>& b) {
    Row<V> x;
    UNROLL for (int p = 0; p < x.n; ++p) x.part[p] = a * b.part[p];
    return x;
}

template <class V> FORMULA Row<V> operator*(const Row<V>& a, const Row<V>& b) {
    Row<V> x;
    UNROLL for (int p = 0; p < x.n; ++p) x.part[p] = a.part[p] * b.part[p];
    return x;
}

template <class V> FORMULA Row<V> operator+(const Row<V>& a, const Row<V>& b) {
    Row<V> x;
    UNROLL for (int p = 0; p < x.n; ++p) x.part[p] = a.part[p] + b.part[p];
    return x;
}

template <class V> FORMULA Row<V> fused(const Row<V>& a, const Row<V>& b, const Row<V>& c) {
    Row<V> x;
    UNROLL for (int p = 0; p < x.n; ++p) x.part[p] = fused(a.part[p], b.part[p], c.part[p]);
    return x;
}

FORMULA Row<Doubles> widened(const Row<Doubles>& x) { return x; }
FORMULA Row<Doubles> widened(const Row<Floats>& x) {
    Row<Doubles> w;
    UNROLL for (int p = 0; p < x.n; ++p) {
        w.part[2 * p] = widened<0>(x.part[p]);
        w.part[2 * p + 1] = widened<1>(x.part[p]);
    }
    return w;
}

// The sum over a row, by halves, as of one vector.
template <class V> FORMULA Real<V> sum_by_halves(Row<V> x) {
    UNROLL for (int half = x.n / 2; half > 0; half /= 2)
        UNROLL for (int p = 0; p < half; ++p) x.part[p] = x.part[p] + x.part[p + half];
    return sum_by_halves(x.part[0]);
}

}  // namespace eventsim
