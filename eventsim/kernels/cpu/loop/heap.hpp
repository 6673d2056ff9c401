// Binary heaps of a loop: bundles of synapses that wait for their time, and spikes in flight.
//
// Bundles are in order of (time, first synapse): ties are decided. A spike whose synapses have delays of
// their own is one entry, whatever their number: its row has them by (delay, number), and it waits for the next.
#pragma once
#include "../arena.hpp"
#include "../calls.hpp"

namespace eventsim {

// Bundles from here on are returns of a neuron's own spikes: eventsim/engine/contract/bundles.py.
constexpr int64_t OWN = int64_t(1) << 62;

// Synapses first .. last that arrive at that time, ms.
struct Bundle {
    double time;
    int64_t first, last;

    // Without a branch: which of two comes first cannot be foreseen.
    bool operator<(const Bundle& b) const { return (time < b.time) | ((time == b.time) & (first < b.first)); }
};

// A spike of the loop, ms.
struct SentSpike {
    double time;
    int32_t neuron;

    bool operator<(const SentSpike& b) const {
        return time < b.time || (time == b.time && neuron < b.neuron);
    }
};

// A spike in flight: the synapses from place `at` of its row on are still to come. The next one is `next`.
struct Flight {
    Bundle next;
    double sent;  // ms
    int64_t at, end;

    bool operator<(const Flight& b) const { return next < b.next; }
};

// A binary heap; the least is first.
template <class T> class Heap : private GrowingArray<T> {
    // Put x at place i, or above it.
    void rise(int64_t i, const T& x) {
        T* const heap = this->begin();
        for (int64_t up; i > 0; i = up) {
            up = (i - 1) >> 1;
            if (!(x < heap[up])) break;
            heap[i] = heap[up];
        }
        heap[i] = x;
    }

  public:
    using GrowingArray<T>::size;
    using GrowingArray<T>::reserve;

    const T& first() const { return *this->begin(); }

    // Push x; there is room.
    void push(const T& x) { rise(size++, x); }

    // Take the first one out.
    void pop() {
        T* const heap = this->begin();
        const T x = heap[--size];
        int64_t i = 0;
        // The last one goes down to an end, where it mostly belongs, and then up.
        for (int64_t down; (down = 2 * i + 1) < size; i = down) {
            down += (down + 1 < size) & (heap[down + 1] < heap[down]);
            heap[i] = heap[down];
        }
        rise(i, x);
    }

    // x takes the place of the first one, and is not less than it.
    void replace(const T& x) {
        T* const heap = this->begin();
        int64_t i = 0;
        for (int64_t down; (down = 2 * i + 1) < size; i = down) {
            down += (down + 1 < size) & (heap[down + 1] < heap[down]);
            if (!(heap[down] < x)) break;
            heap[i] = heap[down];
        }
        heap[i] = x;
    }
};

// Spikes of a loop on their way until they arrive: bundles, and spikes in flight to synapses with delays of
// their own. Both come in one order.
class Waiting {
    Heap<Bundle> bundles;
    Heap<Flight> flights;
    const Flights* rows = nullptr;
    double t_end = 0.0;
    bool failed = false;

    bool is_flight() const {
        return flights.size > 0 && (bundles.size == 0 || flights.first().next < bundles.first());
    }

    Bundle next_of(double sent, int64_t at) const {
        const int64_t k = rows->synapse[at];
        return {sent + rows->delay[at], k, k + 1};
    }

    // Flight f waits for its next synapse, in the place of the first one or by itself. Different delays may
    // end at one time, as it is rounded: then synapses of ascending numbers fly apart from those behind.
    void wait(Flight f, bool instead_of_first) {
        for (int64_t k = f.at + 1; k < f.end && f.sent + rows->delay[k] == f.next.time; ++k) {
            if (!(rows->synapse[k] < rows->synapse[k - 1])) continue;
            if (!make_room()) return;
            flights.push({f.next, f.sent, f.at, k});
            f.at = k;
            f.next = next_of(f.sent, k);
        }
        if (instead_of_first) flights.replace(f);
        else if (make_room()) flights.push(f);
    }

    bool make_room() {
        failed |= !flights.reserve(flights.size + 1);
        return !failed;
    }

    void fly(double sent, int64_t at, int64_t end) {
        if (at < end && sent + rows->delay[at] < t_end) wait({next_of(sent, at), sent, at, end}, false);
    }

    // The first flight has met its next synapse.
    void go_on() {
        Flight f = flights.first();
        const double now = f.next.time;
        if (++f.at < f.end && (f.next = next_of(f.sent, f.at)).time < t_end) {
            if (f.next.time == now) flights.replace(f);
            else wait(f, true);
        } else {
            flights.pop();
        }
    }

  public:
    // False where there was no memory.
    bool ok() const { return !failed; }
    bool any() const { return bundles.size > 0 || flights.size > 0; }
    const Bundle& first() const { return is_flight() ? flights.first().next : bundles.first(); }

    // Take the first one out.
    void pop() {
        if (is_flight()) go_on();
        else bundles.pop();
    }

    // Drop all that waits.
    void clear() { bundles.size = flights.size = 0; }

    // Begin with the spikes of sample s that were under way before, at the synapses that they have not reached.
    void begin(const Flights& flights, const UnderWay& before, int64_t s, double t_end) {
        clear();
        rows = &flights;
        this->t_end = t_end;
        for (int64_t k = before.offsets[s]; k < before.offsets[s + 1]; ++k) {
            const int64_t n = before.neuron[k], end = rows->start[n + 1];
            const double sent = before.time[k];
            const double* const delay = std::partition_point(
                rows->delay + rows->start[n], rows->delay + end,
                [&](double d) { return sent + d < before.since[s]; });
            fly(sent, delay - rows->delay, end);
        }
    }

    // Send a spike of neuron n at t, for arrivals before t_end; false where there is no memory.
    template <class L> bool send(const L& loop, int64_t n, double t, double t_end) {
        const int64_t low = loop.start[n], high = loop.start[n + 1];
        if (!bundles.reserve(bundles.size + high - low + 1)) return false;
        for (int64_t b = low; b < high; ++b)
            if (t + loop.delay[b] < t_end) bundles.push({t + loop.delay[b], loop.first[b], loop.last[b]});
        const double back = loop.own_delay[n];
        if (back > 0.0 && t + back < t_end) bundles.push({t + back, OWN + n, OWN + n + 1});
        if (rows) fly(t, rows->start[n], rows->start[n + 1]);
        return ok();
    }

    // Deliver all arrivals at t, from the loop and, from `outside` on, from other stages, by their first synapse.
    template <class F>
    void meet(double t, const Arriving& x, int64_t& outside, int64_t end, const F& deliver) {
        for (;;) {
            const bool inside = any() && first().time == t;
            if (outside < end && x.time[outside] == t && !(inside && first().first < x.first[outside])) {
                deliver({t, x.first[outside], x.last[outside]});
                ++outside;
            } else if (inside) {
                const Bundle b = first();
                pop();
                deliver(b);
            } else {
                break;
            }
        }
    }
};

// Arrivals in a sample of a loop that goes by windows: those from other stages, and those that wait.
class Incoming {
    const Arriving& from;
    int64_t outside;  // the next arrival
    const int64_t n_outside;

  public:
    Waiting waiting;
    GrowingArray<Bundle> due;

    Incoming(const Arriving& from, int64_t s)
        : from(from), outside(from.offsets[s]), n_outside(from.offsets[s + 1]) {}

    // Time of the next arrival; infinity without any.
    double coming() const {
        double found = __builtin_inf();
        if (waiting.any()) found = std::min(found, waiting.first().time);
        if (outside < n_outside) found = std::min(found, from.time[outside]);
        return found;
    }

    // Make the arrivals before the border due, in order. False where there is no memory.
    bool take(double border) {
        due.size = 0;
        for (;;) {
            const bool inside = waiting.any() && waiting.first().time < border;
            const bool comes = outside < n_outside && from.time[outside] < border;
            if (!inside && !comes) return waiting.ok();
            Bundle b = comes ? Bundle{from.time[outside], from.first[outside], from.last[outside]}
                             : waiting.first();
            if (inside && (!comes || waiting.first() < b)) {
                b = waiting.first();
                waiting.pop();
            } else {
                ++outside;
            }
            if (!due.push(b)) return false;
        }
    }
};

}  // namespace eventsim
