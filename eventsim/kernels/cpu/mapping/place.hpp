// Cores on places of the chip: gains of swaps, annealing, and descent.
#pragma once
#include "../calls.hpp"
#include "../order/search.hpp"

namespace eventsim {

class Places {
  protected:
    const CoreField f;

    // Links between two places.
    double distance(int64_t one, int64_t other) const {
        const double across = __builtin_fabs(f.x[f.column[one]] - f.x[f.column[other]]);
        return across + __builtin_fabs(f.y[f.row[one]] - f.y[f.row[other]]);
    }

    double outside(int64_t place) const { return f.x[f.column[place]] + f.y[f.row[place]]; }

    // Adds to `change` what the neighbours of a core, without another, find of its move from p to q.
    void add_move(int64_t one, int64_t but, int64_t p, int64_t q, double& change) const {
        for (int64_t k = f.start[one]; k < f.start[one + 1]; ++k) {
            if (f.other[k] == but) continue;
            const int64_t place = f.at[f.other[k]];
            change += f.flow[k] * (distance(q, place) - distance(p, place));
        }
    }

    void exchange(int64_t one, int64_t other) const {
        const int64_t p = f.at[one];
        f.at[one] = f.at[other];
        f.at[other] = p;
    }

  public:
    explicit Places(const CoreField& field) : f(field) {}

    // The cost that swapping the places of two cores adds, from their neighbours alone.
    double swapped(int64_t one, int64_t other) const {
        const int64_t p = f.at[one], q = f.at[other];
        double change = (f.inward[other] - f.inward[one]) * (outside(p) - outside(q));
        add_move(one, other, p, q, change);
        add_move(other, one, q, p, change);
        return change;
    }

    void anneal(const CoreSwaps& x) const {
        double cost = x.costs[0], least = x.costs[1];
        for (int64_t k = 0; k < x.n; ++k) {
            if (x.ones[k] == x.others[k]) continue;
            const double change = swapped(x.ones[k], x.others[k]);
            if (!(change <= x.limits[k])) continue;
            exchange(x.ones[k], x.others[k]);
            cost += change;
            if (!(cost < least)) continue;
            least = cost;
            __builtin_memcpy(x.best, f.at, f.n_cores * sizeof(int64_t));
        }
        x.costs[0] = cost;
        x.costs[1] = least;
    }
};

// Swaps that gain most, by what each core costs in every column and row.
class Descending : public Places {
    const Descent x;

    double cost(int64_t core, int64_t place) const {
        return across(core, place) + along(core, place);
    }
    double across(int64_t core, int64_t place) const { return x.across[core * f.n_columns + f.column[place]]; }
    double along(int64_t core, int64_t place) const { return x.along[core * f.n_rows + f.row[place]]; }

    double flow(int64_t one, int64_t other) const {
        const int64_t high = f.start[one + 1];
        const int64_t k = first_at_least(f.other, f.start[one], high, (int32_t)other);
        return k < high && f.other[k] == other ? f.flow[k] : 0.0;
    }

    // Let the potentials of its neighbours know that a core went from one place to another.
    void shift(int64_t one, int64_t origin, int64_t goal) const {
        shift_line(one, f.x[f.column[origin]], f.x[f.column[goal]], f.x, f.n_columns, x.across);
        shift_line(one, f.y[f.row[origin]], f.y[f.row[goal]], f.y, f.n_rows, x.along);
    }
    void shift_line(int64_t one, double from, double to, const double* line, int64_t n, double* costs) const {
        if (from == to) return;
        for (int64_t k = f.start[one]; k < f.start[one + 1]; ++k)
            for (int64_t i = 0; i < n; ++i)
                costs[f.other[k] * n + i] +=
                    f.flow[k] * (__builtin_fabs(line[i] - to) - __builtin_fabs(line[i] - from));
    }

    // The core with which a swap gains most, and more than the least; -1 if with none.
    int64_t partner(int64_t one) const {
        const int64_t p = f.at[one];
        const double here = cost(one, p);
        double best = -x.least;
        int64_t found = -1;
        for (int64_t other = 0; other < f.n_cores; ++other) {
            const int64_t q = f.at[other];
            double change = cost(one, q) - here;
            change += cost(other, p);
            change -= cost(other, q);
            // Their distance from each other stays, which only makes it worse.
            if (!(change < best) || other == one) continue;
            change += 2.0 * flow(one, other) * distance(p, q);
            if (change < best) {
                best = change;
                found = other;
            }
        }
        return found;
    }

  public:
    explicit Descending(const DescendCores& call) : Places(call.field), x(call.descent) {}

    // The best swap of every core in turn; returns how many there were.
    int64_t run() const {
        int64_t taken = 0;
        for (int64_t one = x.first; one < x.end; ++one) {
            const int64_t other = partner(one);
            if (other < 0) continue;
            const int64_t p = f.at[one], q = f.at[other];
            shift(one, p, q);
            shift(other, q, p);
            exchange(one, other);
            ++taken;
        }
        return taken;
    }
};

inline int swap_changes(const SwapChanges& call) {
    const Places places(call.field);
    const CoreSwaps& x = call.swaps;
    for (int64_t k = 0; k < x.n; ++k) x.changes[k] = places.swapped(x.ones[k], x.others[k]);
    return DONE;
}

inline int anneal_cores(const AnnealCores& call) {
    Places(call.field).anneal(call.swaps);
    return DONE;
}

inline int descend_cores(const DescendCores& call) {
    *call.descent.taken = Descending(call).run();
    return DONE;
}

}  // namespace eventsim
