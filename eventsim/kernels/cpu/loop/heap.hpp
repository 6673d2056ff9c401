// Binary heaps of a loop: bundles of synapses that wait for their time, and neurons that are due.
//
// Bundles are in order of (time, first synapse), neurons of (time, number): ties are decided.
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

// Bundles that wait.
class Waiting : private GrowingArray<Bundle> {
    // Put b at place i, or above it.
    void rise(int64_t i, const Bundle& b) {
        Bundle* const heap = begin();
        for (int64_t up; i > 0; i = up) {
            up = (i - 1) >> 1;
            if (!(b < heap[up])) break;
            heap[i] = heap[up];
        }
        heap[i] = b;
    }

  public:
    using GrowingArray::size;

    const Bundle& first() const { return *begin(); }

    // There is room for it.
    void push(const Bundle& b) {
        rise(size++, b);
    }

    // Take the first one out.
    void pop() {
        Bundle* const heap = begin();
        const Bundle b = heap[--size];
        int64_t i = 0;
        // The last one goes down to an end, where it mostly belongs, and then up.
        for (int64_t down; (down = 2 * i + 1) < size; i = down) {
            down += (down + 1 < size) & (heap[down + 1] < heap[down]);
            heap[i] = heap[down];
        }
        rise(i, b);
    }

    // What a spike of neuron n at t sends before t_end; false where there is no memory.
    template <class L> bool send(const L& loop, int64_t n, double t, double t_end) {
        const int64_t low = loop.start[n], high = loop.start[n + 1];
        if (!reserve(size + high - low + 1)) return false;
        for (int64_t b = low; b < high; ++b)
            if (t + loop.delay[b] < t_end) push({t + loop.delay[b], loop.first[b], loop.last[b]});
        const double back = loop.own_delay[n];
        if (back > 0.0 && t + back < t_end) push({t + back, OWN + n, OWN + n + 1});
        return true;
    }

    // Deliver all that arrives at t, these and what other stages send, from `outside` on, by their first
    // synapse.
    template <class F>
    void meet(double t, const Arriving& x, int64_t& outside, int64_t end, const F& deliver) {
        for (;;) {
            const bool inside = size > 0 && first().time == t;
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

// All neurons, each with the time at which it is due; infinity at first.
class DueHeap {
    struct Entry {
        double time;
        int64_t n;

        bool operator<(const Entry& b) const { return time < b.time || (time == b.time && n < b.n); }
    };

    Entry* const heap;
    int64_t* const place;  // of every neuron
    const int64_t size;

  public:
    static std::size_t room(int64_t size) { return size * (sizeof(Entry) + 8) + 2 * 64; }

    DueHeap(int64_t size, Arena& arena)
        : heap(arena.take<Entry>(size)), place(arena.take<int64_t>(size)), size(size) {}

    void clear() {
        for (int64_t n = 0; n < size; ++n) {
            heap[n] = {__builtin_inf(), n};
            place[n] = n;
        }
    }

    // The neuron that is due first, and when.
    int64_t first() const { return heap[0].n; }
    double first_time() const { return heap[0].time; }

    double time_of(int64_t n) const { return heap[place[n]].time; }

    // Neuron n is due at `time`.
    void move(int64_t n, double time) {
        const Entry e = {time, n};
        int64_t i = place[n];
        for (int64_t up; i > 0; i = up) {
            up = (i - 1) >> 1;
            if (!(e < heap[up])) break;
            put(i, heap[up]);
        }
        for (int64_t down; (down = 2 * i + 1) < size; i = down) {
            down += down + 1 < size && heap[down + 1] < heap[down];
            if (!(heap[down] < e)) break;
            put(i, heap[down]);
        }
        put(i, e);
    }

  private:
    void put(int64_t i, const Entry& e) {
        heap[i] = e;
        place[e.n] = i;
    }
};

}  // namespace eventsim
