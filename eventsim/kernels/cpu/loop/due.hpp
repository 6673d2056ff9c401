// Due neurons: of all neurons the one whose time is the least, and of those at one time the first.
//
// The least of every sixteen times, the least of every sixteen of these, and so on to one. A time that moves
// costs a comparison a row, and sixteen beside each other where it was the least.
#pragma once
#include "../../lanes.hpp"
#include "../arena.hpp"

namespace eventsim {

class Due {
    static constexpr int64_t FAN = 16;
    static constexpr int MOST_ROWS = 17;
    static constexpr int N = Numbers<Doubles>::count;

    double* row[MOST_ROWS];  // of times, of the least of these, .., of one
    int64_t places[MOST_ROWS];
    int top = 0;

    static int64_t whole(int64_t size) { return (size + FAN - 1) / FAN * FAN; }

    FORMULA_MEMBER static double least(const double* from) {
        Doubles found = load<Doubles>(from);
        UNROLL for (int k = N; k < FAN; k += N) {
            const Doubles x = load<Doubles>(from + k);
            found = select(x < found, x, found);
        }
        double of[N];
        store(of, found);
        UNROLL for (int half = N / 2; half > 0; half /= 2)
            UNROLL for (int k = 0; k < half; ++k) of[k] = of[k + half] < of[k] ? of[k + half] : of[k];
        return of[0];
    }

    // The first of sixteen that is x.
    FORMULA_MEMBER static int64_t place_of(double x, const double* from) {
        for (int k = 0; k < FAN; k += N)
            if (const uint32_t bits = bits_of(load<Doubles>(from + k) == spread<Doubles>(x)))
                return k + __builtin_ctz(bits);
        return 0;
    }

  public:
    static std::size_t room(int64_t size) {
        std::size_t bytes = 64;
        for (int64_t n = size; n > 1; n = whole(n) / FAN) bytes += whole(n) * sizeof(double) + 64;
        return bytes + 2 * 64;
    }

    Due(int64_t size, Arena& arena) {
        int64_t n = std::max(size, int64_t(1));
        do {
            places[top] = whole(n);
            row[top] = arena.take<double>(places[top]);
            n = places[top++] / FAN;
        } while (n > 1);
        places[top] = 1;
        row[top] = arena.take<double>(1);
    }

    // All times, by neuron: for settle().
    double* times() { return row[0]; }

    // None is due.
    void clear() {
        for (int k = 0; k <= top; ++k) std::fill(row[k], row[k] + places[k], __builtin_inf());
    }

    double first_time() const { return *row[top]; }
    double time_of(int64_t n) const { return row[0][n]; }

    // The neuron that is due first.
    int64_t first() const {
        int64_t at = 0;
        for (int k = top - 1; k >= 0; --k) at = at * FAN + place_of(first_time(), row[k] + at * FAN);
        return at;
    }

    // Neuron n is due at `time`.
    void move(int64_t n, double time) {
        double was = row[0][n];
        row[0][n] = time;
        for (int k = 1; k <= top; ++k) {
            double& of_all = row[k][n /= FAN];
            const double before = of_all;
            if (time > before && was > before) return;
            of_all = time > before ? least(row[k - 1] + n * FAN) : time;
            was = before;
            time = of_all;
        }
    }

    // The times of neurons low .. high - 1 are others.
    void settle(int64_t low, int64_t high) {
        for (int k = 1; k <= top; ++k) {
            low /= FAN;
            high = (high + FAN - 1) / FAN;
            for (int64_t i = low; i < high; ++i) row[k][i] = least(row[k - 1] + i * FAN);
        }
    }
};

}  // namespace eventsim
