// Moves of neurons: their gain, whether they fit, and doing them, for all loops over axons and cores.
//
// Cost            the sum over axons of spikes times distances to destinations: eventsim/mapping/state.py.
// Before          whoever calls has checked everything.
#pragma once
#include <algorithm>
#include <limits>

#include "../arena.hpp"
#include "../calls.hpp"

namespace eventsim {

enum { STATES, AXONS_IN, AXONS_OUT, SYNAPSES, N_LIMITS };

constexpr int64_t UNLIMITED = std::numeric_limits<int64_t>::max();
constexpr int32_t NOWHERE = -1;

// A core that an axon reaches, and how many distinct targets it has there. Side by side in memory,
// since most of the time goes into waiting for them.
struct Slot {
    int32_t core, pins;
};

// The slots of all axons.
inline Slot* slots_of(const CoreHolds& holds) { return (Slot*)holds.slots; }

// Axons, and cores with what they hold.
class Mapping {
  protected:
    const AxonWiring a;
    const CoreHolds h;
    const int64_t n_cores;
    Arena arena;
    int64_t* const change;  // [n_cores]
    int32_t* const shared;  // [n_cores]: sources of a neuron that each core has; 0 with bits
    int32_t* const counts;  // [2, n_axons], with bits: targets on the two cores `counted`
    int32_t counted[2] = {NOWHERE, NOWHERE};
    int latest = 0;  // of the two

    Mapping(const AxonWiring& wiring, const CoreHolds& holds, std::size_t more = 0)
        : a(wiring), h(holds), n_cores(holds.n_cores),
          arena(n_cores * 12 + counts_of(wiring, holds) * 4 + 3 * 64 + more),
          change(arena.take<int64_t>(n_cores)), shared(arena.zeros<int32_t>(n_cores)),
          counts(arena.zeros<int32_t>(counts_of(wiring, holds))) {}

    static int64_t counts_of(const AxonWiring& wiring, const CoreHolds& holds) {
        return holds.reached ? 2 * wiring.n_axons : 0;
    }

    // Calls f with each axon that reaches a neuron.
    template <class F> void for_sources(int64_t neuron, const F& f) const {
        for (int64_t k = a.column[neuron]; k < a.column[neuron + 1]; ++k) f((int64_t)a.source[k]);
    }

    Slot* first_slot(int64_t axon) const { return slots_of(h) + a.start[axon]; }
    Slot* end_of_slots(int64_t axon) const { return first_slot(axon) + h.used[axon]; }

    // Destinations of an axon, a bit a core.
    uint64_t* bits_of(int64_t axon) const { return (uint64_t*)h.reached + axon * h.words; }

    // Calls f with each core that an axon reaches, by its bits.
    template <class F> void for_reached(int64_t axon, const F& f) const {
        for (int64_t w = 0; w < h.words; ++w)
            for (uint64_t bits = bits_of(axon)[w]; bits; bits &= bits - 1)
                f((int32_t)(64 * w + __builtin_ctzll(bits)));
    }

    // With bits: targets of every axon on a core, if they are counted; else null.
    int32_t* known_targets(int32_t core) const {
        for (int k = 0; k < 2; ++k)
            if (counted[k] == core) return counts + k * a.n_axons;
        return nullptr;
    }

    // Targets of every axon on a core, counted if needed, in place of the core not wanted for longest.
    int32_t* targets_on(int32_t core) {
        if (counted[1 - latest] == core) latest = 1 - latest;
        if (counted[latest] == core) return counts + latest * a.n_axons;
        latest = 1 - latest;
        counted[latest] = core;
        int32_t* const found = counts + latest * a.n_axons;
        std::fill(found, found + a.n_axons, 0);
        for (int64_t neuron = 0; neuron < a.n_neurons; ++neuron)
            if (h.core_of[neuron] == core) for_sources(neuron, [&](int64_t axon) { ++found[axon]; });
        return found;
    }

    // The slot of an axon's destination; null if the core is none.
    Slot* slot_of(int64_t axon, int32_t core) const {
        for (Slot* slot = first_slot(axon); slot < end_of_slots(axon); ++slot)
            if (slot->core == core) return slot;
        return nullptr;
    }

    // The core of an axon's source, nowhere from outside.
    int32_t home_of(int64_t axon) const { return axon < a.n_neurons ? h.core_of[axon] : NOWHERE; }

    // Finds how many of a neuron's sources each core has already.
    void share_axons(int64_t neuron) {
        std::fill(shared, shared + n_cores, 0);
        for_sources(neuron, [&](int64_t axon) {
            for (const Slot* slot = first_slot(axon); slot < end_of_slots(axon); ++slot)
                ++shared[slot->core];
        });
    }

    // Whether neurons, synapses and incoming axons of a core allow one neuron more, some of whose axons it has.
    bool has_room(int64_t neuron, int64_t core) const {
        const int64_t fresh = a.column[neuron + 1] - a.column[neuron] - shared[core];
        return h.states[core] + a.states[neuron] <= h.limits[STATES] &&
               h.axons_in[core] + fresh <= h.limits[AXONS_IN] &&
               h.synapses[core] + a.fan_in[neuron] <= h.limits[SYNAPSES];
    }

    // Finds what a move adds to the axons out of every core.
    void find_change(int64_t neuron, int32_t core) {
        const int32_t here = h.core_of[neuron];
        std::fill(change, change + n_cores, 0);
        if (h.reached) return;  // nobody limits them
        for_sources(neuron, [&](int64_t axon) {
            const int32_t home = home_of(axon);
            if (axon == neuron || home == NOWHERE) return;
            if (!slot_of(axon, core)) ++change[home];
            if (here != NOWHERE && slot_of(axon, here)->pins == 1) --change[home];
        });
        int64_t own = h.used[neuron];
        if (here != NOWHERE) change[here] -= own;
        if (a.selfed[neuron]) {
            if (here != NOWHERE && slot_of(neuron, here)->pins == 1) --own;
            if (!slot_of(neuron, core)) ++own;
        }
        change[core] += own;
    }

    // Whether no core would pass its limit of axons out, or be further beyond it than now.
    bool out_fits(int64_t neuron, int32_t core) {
        if (h.limits[AXONS_OUT] == UNLIMITED) return true;
        find_change(neuron, core);
        for (int64_t k = 0; k < n_cores; ++k)
            if (change[k] > 0 && h.axons_out[k] + change[k] > h.limits[AXONS_OUT]) return false;
        return true;
    }

    // Whether one core can take a neuron under all limits, those of other cores included.
    bool takes(int64_t neuron, int32_t core) {
        int32_t found = 0;
        if (!h.reached)
            for_sources(neuron, [&](int64_t axon) { found += slot_of(axon, core) != nullptr; });
        shared[core] = found;
        return has_room(neuron, core) && out_fits(neuron, core);
    }

    // A neuron that has come to a core, or, with -1, has left it.
    void count(int64_t neuron, int32_t core, int sign) {
        h.core_of[neuron] = sign > 0 ? core : NOWHERE;
        h.axons_out[core] += sign * h.used[neuron];
        h.states[core] += sign * a.states[neuron];
        h.synapses[core] += sign * a.fan_in[neuron];
    }

    // Put a neuron on a core, from where it is or from nowhere.
    void put(int64_t neuron, int32_t core) {
        const int32_t here = h.core_of[neuron];
        if (here == core) return;
        if (h.reached) return put_by_bits(neuron, here, core);
        if (here != NOWHERE) count(neuron, here, -1);  // its own axon is then not counted twice
        for_sources(neuron, [&](int64_t axon) { lead(axon, here, core); });
        count(neuron, core, 1);
    }

    // As put, with bits, from a core.
    void put_by_bits(int64_t neuron, int32_t here, int32_t core) {
        int32_t *const left = targets_on(here), *const come = known_targets(core);
        count(neuron, here, -1);
        for_sources(neuron, [&](int64_t axon) {
            uint64_t* const bits = bits_of(axon);
            if (--left[axon] == 0) bits[here / 64] &= ~(1ull << here % 64);
            bits[core / 64] |= 1ull << core % 64;
            if (come) ++come[axon];
        });
        count(neuron, core, 1);
    }

    // A target of an axon goes from one core, or nowhere, to another.
    void lead(int64_t axon, int32_t here, int32_t core) {
        const int32_t home = home_of(axon);
        Slot *gone = nullptr, *there = nullptr, *const end = end_of_slots(axon);
        for (Slot* slot = first_slot(axon); slot < end; ++slot) {
            if (slot->core == here) gone = slot;
            else if (slot->core == core) there = slot;
        }
        if (there) {
            ++there->pins;
        } else {
            ++h.axons_in[core];
            if (home != NOWHERE) ++h.axons_out[home];
        }
        if (gone && gone->pins > 1) {
            --gone->pins;
            gone = nullptr;
        } else if (gone) {
            --h.axons_in[here];
            if (home != NOWHERE) --h.axons_out[home];
            if (there) {  // the slot is free: the last one takes its place
                *gone = end[-1];
                --h.used[axon];
            }
        }
        if (there) return;
        if (!gone) {
            gone = end;
            ++h.used[axon];
        }
        *gone = {core, 1};
    }

  public:
    bool ok() const { return arena.ok(); }
};

// The gain of a move to every core.
class Moving : public Mapping {
    // Cores that are tried for one neuron.
    static constexpr int CANDIDATES = 6;

    const Ground g;
    double *const saved, *const columns, *const rows;
    const int32_t* at_home = nullptr;  // with bits: targets of every axon on the neuron's core

    static std::size_t bytes(const CoreHolds& holds, const Ground& ground) {
        return (2 * holds.n_cores + ground.n_columns + ground.n_rows) * 8 + 4 * 64;
    }

    // Distance of two cores that are not the same.
    double between(int64_t one, int64_t other) const {
        const double across = __builtin_fabs(g.at_x[one] - g.at_x[other]);
        return across + __builtin_fabs(g.at_y[one] - g.at_y[other]) + g.beside;
    }

    // Loads become, for every place, the sum of all loads times their distances from it.
    static void potential(double* loads, const double* places, int64_t n) {
        if (n == 1) {
            loads[0] = 0.0;
            return;
        }
        double far = 0.0, inside = 0.0, total = 0.0, moment = 0.0;
        for (int64_t k = 0; k < n; ++k) {
            total += loads[k];
            moment += loads[k] * places[k];
        }
        for (int64_t k = 0; k < n; ++k) {  // those up to k lie left of it, the others right
            inside += loads[k];
            far += loads[k] * places[k];
            loads[k] = places[k] * (2.0 * inside - total) - 2.0 * far + moment;
        }
    }

    // Add the savings of an axon that reaches the neuron from `home`, on cores that have it. Returns the
    // saving if the neuron leaves `here`.
    template <bool EVEN> double look_at_source(int64_t axon, int64_t home, int32_t here) {
        const double spikes = a.spikes[axon];
        double left = 0.0;
        for (const Slot* slot = first_slot(axon); slot < end_of_slots(axon); ++slot) {
            ++shared[slot->core];
            if (slot->core == home) continue;
            const double cost = spikes * (EVEN ? g.beside : between(home, slot->core));
            saved[slot->core] += cost;
            if (slot->core == here && slot->pins == 1) left += cost;
        }
        return left;
    }

    // By bits, subtract the losses on cores that do not have the axon, which are few.
    template <bool EVEN> double look_at_missing(int64_t axon, int64_t home, int32_t here) {
        const double spikes = a.spikes[axon];
        for (int64_t first = 0; first < n_cores; first += 64) {
            uint64_t missing = ~bits_of(axon)[first / 64];
            if (n_cores - first < 64) missing &= (1ull << (n_cores - first)) - 1;
            for (; missing; missing &= missing - 1) {
                const int64_t core = first + __builtin_ctzll(missing);
                if (core != home) saved[core] -= spikes * (EVEN ? g.beside : between(home, core));
            }
        }
        if (home == here || at_home[axon] != 1) return 0.0;
        return spikes * (EVEN ? g.beside : between(home, here));
    }

  protected:
    double* const gain;

  public:
    Moving(const AxonWiring& wiring, const CoreHolds& holds, const Ground& ground, std::size_t more = 0)
        : Mapping(wiring, holds, bytes(holds, ground) + more), g(ground),
          saved(arena.take<double>(n_cores)), columns(arena.take<double>(g.n_columns)),
          rows(arena.take<double>(g.n_rows)), gain(arena.take<double>(n_cores)) {}

    // Finds the gains of a neuron on all cores, and what it shares with each.
    void scan(int64_t neuron) {
        const int32_t here = h.core_of[neuron];
        const bool even = g.n_columns == 1 && g.n_rows == 1;
        std::fill(shared, shared + n_cores, 0);
        std::fill(saved, saved + n_cores, 0.0);
        std::fill(columns, columns + g.n_columns, 0.0);
        std::fill(rows, rows + g.n_rows, 0.0);
        double total = 0.0, left = 0.0;
        if (h.reached) at_home = targets_on(here);
        for_sources(neuron, [&](int64_t axon) {
            const double spikes = a.spikes[axon];
            if (axon == neuron || spikes == 0.0) {
                if (h.reached) return;
                for (const Slot* slot = first_slot(axon); slot < end_of_slots(axon); ++slot)
                    ++shared[slot->core];
                return;
            }
            const int64_t home = axon < a.n_neurons ? h.core_of[axon] : n_cores;
            if (h.reached) {
                left += even ? look_at_missing<true>(axon, home, here)
                             : look_at_missing<false>(axon, home, here);
                return;
            }
            if (axon < a.n_neurons) saved[home] += spikes * g.beside;
            total += spikes;
            if (even) {
                left += look_at_source<true>(axon, home, here);
            } else {
                columns[g.column[home]] += spikes;
                rows[g.row[home]] += spikes;
                left += look_at_source<false>(axon, home, here);
            }
        });
        if (a.spikes[neuron] > 0.0) look_at_targets(neuron, here, total, left);
        potential(columns, g.x, g.n_columns);
        potential(rows, g.y, g.n_rows);
        left -= total * g.beside;
        for (int64_t core = 0; core < n_cores; ++core) {
            const double cost = columns[g.column[core]] + rows[g.row[core]];
            gain[core] = left - cost + saved[core];
        }
        gain[here] = 0.0;
    }

    double gain_on(int64_t core) const { return gain[core]; }

    // The largest gain on another core than its own.
    double best_elsewhere(int64_t neuron) const {
        double best = -std::numeric_limits<double>::infinity();
        for (int64_t core = 0; core < n_cores; ++core)
            if (core != h.core_of[neuron] && gain[core] > best) best = gain[core];
        return best;
    }

    // The cost of an axon's destinations.
    double cost_of(int64_t axon) const {
        const int64_t home = axon < a.n_neurons ? h.core_of[axon] : n_cores;
        double cost = 0.0;
        const auto add = [&](int32_t core) { cost += core != home ? between(home, core) : 0.0; };
        if (h.reached)
            for_reached(axon, add);
        else
            for (const Slot* slot = first_slot(axon); slot < end_of_slots(axon); ++slot) add(slot->core);
        return cost * a.spikes[axon];
    }

  protected:
    // The core of the largest gain, the first of equals.
    int64_t best() const { return std::max_element(gain, gain + n_cores) - gain; }

    // The core of the largest gain, above a bound, that can take the neuron; -1 if none can.
    int64_t first_fitting(int64_t neuron, double above) {
        double bound = std::numeric_limits<double>::infinity();
        int64_t after = -1;
        for (int tried = 0; tried < CANDIDATES; ++tried) {
            const int64_t found = next_best(neuron, above, bound, after);
            if (found < 0 || out_fits(neuron, (int32_t)found)) return found;
            bound = gain[found];
            after = found;
        }
        return -1;
    }

  private:
    // The core with room and the largest gain above `above`, behind (bound, after) in order.
    int64_t next_best(int64_t neuron, double above, double bound, int64_t after) const {
        int64_t best = -1;
        for (int64_t core = 0; core < n_cores; ++core) {
            const double x = gain[core];
            if (x <= above || core == h.core_of[neuron] || x > bound || (x == bound && core <= after))
                continue;
            if ((best < 0 || x > gain[best]) && has_room(neuron, core)) best = core;
        }
        return best;
    }

    // The neuron's own axon.
    void look_at_targets(int64_t neuron, int32_t here, double& total, double& left) {
        const double own = a.spikes[neuron];
        const auto look = [&](int32_t core, int32_t pins) {
            if (pins - (core == here && a.selfed[neuron]) <= 0) return;
            total += own;
            saved[core] += own * g.beside;
            columns[g.column[core]] += own;
            rows[g.row[core]] += own;
            if (core != here) left += own * between(here, core);
        };
        if (h.reached) {
            for_reached(neuron, [&](int32_t core) { look(core, core == here ? at_home[neuron] : 1); });
            return;
        }
        for (const Slot* slot = first_slot(neuron); slot < end_of_slots(neuron); ++slot)
            look(slot->core, slot->pins);
    }
};

}  // namespace eventsim
