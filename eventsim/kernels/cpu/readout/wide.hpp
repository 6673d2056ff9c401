// The outputs of a block side by side: LANES numbers, in as many vectors as they take.
#pragma once
#include "../../lanes.hpp"

namespace eventsim {

// eventsim.engine.cpu.lanes.LANES; rows of weights and of tables are this long.
constexpr int LANES = 16;

template <class V> struct Wide {
    static constexpr int n = LANES / Numbers<V>::count;
    V part[n];
};

template <class V> FORMULA Wide<V> load_wide(const Real<V>* from) {
    Wide<V> x;
    UNROLL for (int p = 0; p < x.n; ++p) x.part[p] = load<V>(from + p * Numbers<V>::count);
    return x;
}

template <class V> FORMULA void store_wide(Real<V>* to, const Wide<V>& x) {
    UNROLL for (int p = 0; p < x.n; ++p) store(to + p * Numbers<V>::count, x.part[p]);
}

template <class V> FORMULA Wide<V> zeros() {
    Wide<V> x;
    UNROLL for (int p = 0; p < x.n; ++p) x.part[p] = spread<V>(0);
    return x;
}

template <class V> FORMULA Wide<V> operator*(V a, const Wide<V>& b) {
    Wide<V> x;
    UNROLL for (int p = 0; p < x.n; ++p) x.part[p] = a * b.part[p];
    return x;
}

template <class V> FORMULA Wide<V> operator*(const Wide<V>& a, const Wide<V>& b) {
    Wide<V> x;
    UNROLL for (int p = 0; p < x.n; ++p) x.part[p] = a.part[p] * b.part[p];
    return x;
}

template <class V> FORMULA Wide<V> operator+(const Wide<V>& a, const Wide<V>& b) {
    Wide<V> x;
    UNROLL for (int p = 0; p < x.n; ++p) x.part[p] = a.part[p] + b.part[p];
    return x;
}

template <class V> FORMULA Wide<V> fused(const Wide<V>& a, const Wide<V>& b, const Wide<V>& c) {
    Wide<V> x;
    UNROLL for (int p = 0; p < x.n; ++p) x.part[p] = fused(a.part[p], b.part[p], c.part[p]);
    return x;
}

FORMULA Wide<Doubles> widened(const Wide<Doubles>& x) { return x; }
FORMULA Wide<Doubles> widened(const Wide<Floats>& x) {
    Wide<Doubles> w;
    UNROLL for (int p = 0; p < x.n; ++p) {
        w.part[2 * p] = widened<0>(x.part[p]);
        w.part[2 * p + 1] = widened<1>(x.part[p]);
    }
    return w;
}

// As of one vector.
template <class V> FORMULA Real<V> sum_by_halves(Wide<V> x) {
    UNROLL for (int half = x.n / 2; half > 0; half /= 2)
        UNROLL for (int p = 0; p < half; ++p) x.part[p] = x.part[p] + x.part[p + half];
    return sum_by_halves(x.part[0]);
}

}  // namespace eventsim
