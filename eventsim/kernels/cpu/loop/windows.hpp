// A sample of a loop, by windows of its least delay: the arrivals of each are known when it begins.
//
// Windows         are half-open. One ends at the rounded sum of its begin and the least delay, so that no
//                 rounded arrival time lies before it. After a window in which nothing happened the next
//                 one begins where something may.
// End             of a run: it cuts no window. The last one goes on to its border with what arrives before
//                 the end, and its spikes before the end are those that it gives whatever arrives later.
//                 So a run can go on from the border before it: eventsim/engine/contract/loop_state.py.
// Reference       eventsim/engine/contract/windowing.py
#pragma once
#include "../../neuron/crossing.hpp"
#include "../spike_room.hpp"
#include "../watch.hpp"
#include "heap.hpp"

namespace eventsim {

// Most halvings of the pieces of a window, and when they are halved and doubled: windowing.py.
constexpr int64_t MANY_MET = 2, FEW_MET = 16, MOST_HALVINGS = 5;

// Synaptic events that a bundle counts as.
constexpr int64_t OF_BUNDLE = 64;

// A window from `now`, where the neurons are, to `border`. Bundles arrive from `opens` on. Nothing from
// `end` on, the end of the run, is needed.
struct Window {
    double now, opens, border, end;
    int64_t pieces, halvings;
};

// Counts of a window: events that were met one by one, and synapses of flights that were due.
struct WindowFound {
    int64_t met = 0, handed = 0;
};

// The spikes of some neurons in a sample.
struct PartSpikes : SpikeRoom {
    int64_t task, sent = 0, failed = -1;  // spikes sent on; who ran away first, or -1
    double reached = 0.0;

    PartSpikes(const Spikes& to, int64_t task) : SpikeRoom(to, task), task(task) {}
    bool goes() const { return failed < 0 && count <= limit; }
};

// The opening of a window if nothing happened in the one before `border`: not after the next arrival, at
// `coming`, or release; at the border, where a neuron may fire. until(n) is the release of neuron n, below
// zero if it is not held; `par` [.., row] its parameters.
template <class R, class F>
double opening(const R* v, const R* j, const R* par, int64_t row, int64_t size, const F& until,
               double border, double coming) {
    for (int64_t n = 0; n < size; ++n) {
        const double at = until(n);
        if (at >= 0.0) coming = std::min(coming, at);
        else if (peak_bound(v[n], j[n], par[PEAK * row + n]) >= par[ALERT * row + n]) return border;
    }
    return std::max(border, coming);
}

// The windows of a sample. Its neurons are a C with
//   begin(s), keep(s, border)   take neurons as they stand, and write how they do
//   opens(border, coming)       as opening()
//   parts(), spikes(part)       parts of the neurons, and the PartSpikes of each
//   coming()                    when the next of their own flights arrives: flights.hpp; infinity without any
//   run(window, due, found)     all over one window. False where there is no memory
//   launch(t, n)                a spike was sent, if some of its synapses are in no bundle. False as well
template <class R, class Call, class C> class WindowRun {
    const Call& a;
    C& neurons;
    const double t_end;
    Incoming incoming;
    Watched watched;

  public:
    WindowRun(const Call& a, C& neurons, int64_t s)
        : a(a), neurons(neurons), t_end(a.arriving.duration[s]), incoming(a.arriving, s), watched(a.tasks) {}

    // False where there is no memory, or the call does not go on.
    bool run(int64_t s) {
        if (!neurons.begin(s)) return false;
        double now = a.begin.border[s];
        watched.begin(now);
        int64_t idle = a.begin.idle[s], halvings = a.begin.halvings[s];
        bool whole = true;
        while (now < t_end && goes()) {
            Window w = {now, idle ? neurons.opens(now, coming()) : now, a.windows.border, t_end,
                        a.windows.pieces << halvings, halvings};
            if (!(w.opens < t_end)) break;
            if (w.border < 0.0) w.border = w.opens + a.windows.length;
            whole = w.border <= t_end;
            if (!whole) keep(s, now, idle, halvings);
            WindowFound found;
            if (!incoming.take(w.border) || !neurons.run(w, incoming.due, found)) return false;
            halvings = halvings_after(w, found.met);
            bool sent = false;
            for (int64_t p = 0; p < neurons.parts(); ++p)
                if (!send(neurons.spikes(p), sent)) return false;
            now = w.border;
            if (!watched.goes(work_of(w, found), now)) return false;
            idle = incoming.due.size == 0 && found.handed == 0 && !sent;
        }
        if (whole) keep(s, now, idle, halvings);
        finish();
        return watched.end(t_end, goes());
    }

  private:
    // About, in synaptic events.
    int64_t work_of(const Window& w, const WindowFound& found) const {
        return a.neurons.size * w.pieces + OF_BUNDLE * incoming.due.size + found.handed;
    }

    bool goes() const {
        for (int64_t p = 0; p < neurons.parts(); ++p)
            if (!neurons.spikes(p).goes()) return false;
        return true;
    }

    void keep(int64_t s, double now, int64_t idle, int64_t halvings) {
        neurons.keep(s, now);
        a.end.border[s] = now;
        a.end.idle[s] = idle;
        a.end.halvings[s] = halvings;
    }

    double coming() const { return std::min(neurons.coming(), incoming.coming()); }

    int64_t halvings_after(const Window& w, int64_t met) const {
        const int64_t all = a.neurons.size * w.pieces;
        if (met * MANY_MET > all) return std::min(w.halvings + 1, MOST_HALVINGS);
        return met * FEW_MET < all ? std::max(w.halvings - 1, int64_t(0)) : w.halvings;
    }

    // Send the spikes of a window to those that wait. `some` says whether there were any.
    bool send(PartSpikes& x, bool& some) {
        some |= x.count > x.sent || x.failed >= 0;
        for (; x.sent < std::min(x.count, x.limit); ++x.sent) {
            const int64_t at = x.start + x.sent;
            const int32_t n = x.to.neuron[at];
            const double t = x.to.time[at];
            if (!incoming.waiting.send(a.loop, n, t, t_end) || !neurons.launch(t, n)) return false;
        }
        return true;
    }

    // A part that had no room makes all run again.
    void finish() {
        bool full = false, failed = false;
        for (int64_t p = 0; p < neurons.parts(); ++p) {
            full |= neurons.spikes(p).count > neurons.spikes(p).limit;
            failed |= neurons.spikes(p).failed >= 0;
        }
        for (int64_t p = 0; p < neurons.parts(); ++p) {
            const PartSpikes& x = neurons.spikes(p);
            int64_t& count = x.to.counts[x.task];
            count = x.failed < 0 ? x.count : -1 - x.failed;
            if (full && !failed) count = std::max(count, x.limit + 1);
            x.to.reached[x.task] = x.reached;
        }
    }
};

}  // namespace eventsim
