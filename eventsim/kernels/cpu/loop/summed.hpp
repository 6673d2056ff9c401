// Neurons of a loop, by windows and with sums: no queue of neurons.
//
// A window is cut into pieces. In a piece every arrival adds to the sums of its targets, sums.hpp, and every
// neuron is brought to the piece's end at once,
//
// v(T) = x v + g j + sum_q by_v[q] M_q,  j(T) = y j + sum_q by_j[q] M_q
//
// and does not fire before where v stays below the alert level for certain,
//
// v + (1 - x) max(max(j, 0) - v, 0) + a sum max(w, 0) s < alert.
//
// The middle term bounds what the neuron does by itself, since dv/dt = a (j - v), and a positive jump raises
// v by at most a w s. An adaptive threshold falls, so that its level is that at the end. The few others, and those that are let go, meet their arrivals one by one: few.hpp.
// Bundles are summed first, in order, then flights: flights.hpp.
// bench/macro/balanced.py times it.
//
// Side by side    neurons in vectors; parts of a sample's neurons may be run by several threads, which meet
//                 at the end of every window: crew.hpp. No result depends on who runs what.
// Before          roles of the call; bundles have their targets in ascending order.
// After           spikes of each part as it found them, as many as there is room for; counts of all; `end`
//                 at the last border before the end of the run, or there.
// Reference       eventsim/engine/reference/queue.py
#pragma once
#include <new>

#include "../../lanes.hpp"
#include "../calls.hpp"
#include "../crew.hpp"
#include "../dense/blocks.hpp"
#include "few.hpp"
#include "flights.hpp"
#include "sums.hpp"
#include "windows.hpp"

namespace eventsim {

// The synapses of the bundle so many places later are fetched while those of one are summed: random bundles
// of 2 kB took 0.9 in place of 1.6 ns per synaptic event.
constexpr int64_t AHEAD = 2;

// The first target of a part is looked for within so many synapses of where it may be expected.
constexpr int64_t NEAR_BY = 32;

template <class V, int W> class Summed {
    using R = Real<V>;
    using Call = LoopSums<R>;
    static constexpr int N = Numbers<V>::count, F = FUNCTIONS<R, W>;

    // Synapses of a bundle that reach a part.
    struct Range {
        int64_t low, high;
    };
    struct alignas(64) Part {  // no line of the cache has two
        const int64_t lo, hi;
        PartSpikes spikes;
        FewNeurons<V> few;
        PartFlights<V, W> flights;
        GrowingArray<Range> ranges;  // of the bundles that are due, where there are several parts
        R far_for;              // ms that the far propagators are for
        int64_t met;
        bool all_noted;         // all of the few
        int64_t n_flown;        // arrivals that flights bring to the few, and that they have not met
    };

    const Call& a;
    const WeightTable weights;
    const int64_t size, width, n_parts, sample;  // the width is a multiple of every vector's
    const R fastest;
    Arena arena;
    R *const par, *const by_v, *const by_j;      // [N_PAR, width], [F, width] twice
    R* const far;                                // [3, width]: propagators over a piece that is long
    R *const v, *const j, *const alert, *const moments;  // at the end of the last piece; of this one [width, W]
    uint8_t *const is_one, *const alike;         // alike: a vector of neurons has the rates of the one before it
    uint8_t* const noted;                        // of the few: whether their arrivals were noted
    const bool flies;                            // whether there may be flights
    int32_t *const place, *const maybe;          // maybe: who may fire in this piece, or is let go
    R *const was_v, *const was_j;                // of those
    Cells<R> cells;
    R* const rise;                               // of thresholds that adapt, at `fired`, the last spike
    double *const fired, *const rate;
    Part* const all;
    Crew* const crew;                            // where there are several parts
    Window window;
    const GrowingArray<Bundle>* due;
    GrowingArray<SentSpike> sent;                // in the window before

    static int64_t padded(int64_t size) { return (size + 63) / 64 * 64; }
    static std::size_t room(const Call& a) {
        const std::size_t size = a.neurons.size, width = padded(size);
        std::size_t bytes = width * (sizeof(R) * (N_PAR + 2 * F + 8 + W) + 11) + 16 * 64;
        bytes += Cells<R>::room(size) + a.tasks.n_blocks * sizeof(Part);
        if (a.neurons.strength) bytes += width * (sizeof(R) + 16) + 3 * 64;
        for (int64_t p = 0; p < a.tasks.n_blocks; ++p)
            bytes += FewNeurons<V>::room(a.parts.bounds[p + 1] - a.parts.bounds[p]);
        return bytes;
    }

  public:
    Summed(const Call& a, int64_t sample)
        : a(a), weights{a.loop.parts, a.loop.n_parts}, size(a.neurons.size), width(padded(size)),
          n_parts(a.tasks.n_blocks), sample(sample), fastest(R(a.neurons.fastest)), arena(room(a)),
          par(arena.take<R>(N_PAR * width)), by_v(arena.take<R>(F * width)), by_j(arena.take<R>(F * width)),
          far(arena.take<R>(3 * width)),
          v(arena.zeros<R>(width)), j(arena.zeros<R>(width)), alert(arena.take<R>(width)),
          moments(arena.zeros<R>(W * width)), is_one(arena.zeros<uint8_t>(width)),
          alike(arena.zeros<uint8_t>(width / N)), noted(arena.zeros<uint8_t>(width)),
          flies(a.tiles.address != 0), place(arena.take<int32_t>(width)),
          maybe(arena.take<int32_t>(width)), was_v(arena.take<R>(width)), was_j(arena.take<R>(width)),
          cells(a.neurons, arena), rise(arena.zeros<R>(cells.adapts() ? width : 0)),
          fired(arena.zeros<double>(cells.adapts() ? width : 0)),
          rate(arena.zeros<double>(cells.adapts() ? width : 0)), all(arena.take<Part>(n_parts)),
          crew((Crew*)(intptr_t)a.parts.crew) {
        if (!arena.ok()) return;
        take_columns(a.neurons.par, N_PAR, size, 0, size, width, par);
        take_columns(a.basis.by_v, F, size, 0, size, width, by_v);
        take_columns(a.basis.by_j, F, size, 0, size, width, by_j);
        for (int64_t n = N; n < width; n += N) alike[n / N] = same_rates(n, n - N);
        for (int64_t p = 0; p < n_parts; ++p) {
            const int64_t lo = a.parts.bounds[p], hi = a.parts.bounds[p + 1];
            new (all + p) Part{lo, hi, {a.spikes, sample * n_parts + p},
                               {hi - lo, cells, is_one, place, arena},
                               {a.tiles, a.series, p, size}, {}, R(0), 0, true, 0};
        }
    }
    ~Summed() {
        if (arena.ok())
            for (int64_t p = 0; p < n_parts; ++p) all[p].~Part();
    }
    Summed(const Summed&) = delete;

    // False where there is no memory.
    bool run() {
        if (!arena.ok()) return false;
        if (n_parts > 1) eventsim_crew_expect(crew, 1);
        const bool done = WindowRun<R, Call, Summed>(a, *this, sample).run(sample);
        if (n_parts > 1) eventsim_crew_expect(crew, 0);
        return done;
    }

    int64_t parts() const { return n_parts; }
    PartSpikes& spikes(int64_t p) { return all[p].spikes; }

    bool begin(int64_t s) {
        cells.begin(a.begin, s);
        std::fill(alert, alert + width, std::numeric_limits<R>::infinity());
        for (int64_t n = 0; n < size; ++n) settle(n);
        const UnderWay& before = a.under_way;
        for (int64_t k = before.offsets[s]; k < before.offsets[s + 1] && flies; ++k)
            for (int64_t p = 0; p < n_parts; ++p)
                if (!all[p].flights.resume(before.time[k], before.neuron[k], before.since[s])) return false;
        return true;
    }

    void keep(int64_t s, double border) const {
        for (int64_t n = 0, at = s * size; n < size; ++n, ++at) {
            const Cell<R>& c = cells.cell[n];
            a.end.time[at] = border;
            a.end.v[at] = v[n];
            a.end.j[at] = j[n];
            a.end.until[at] = c.held() ? c.until : -1.0;
            a.end.since[at] = cells.firing[n].since;
            a.end.recent[at] = cells.firing[n].recent;
            if (cells.adapts()) a.end.a[at] = cells.adapted[n].a, a.end.last[at] = cells.adapted[n].last;
        }
    }

    double opens(double border, double coming) const {
        const Cell<R>* const cell = cells.cell;
        return opening(v, j, par, width, size, [cell](int64_t n) { return cell[n].until; }, border, coming);
    }

    double coming() const {
        double found = __builtin_inf();
        for (int64_t p = 0; p < n_parts; ++p) found = std::min(found, all[p].flights.coming());
        return found;
    }

    bool launch(double t, int32_t n) { return !flies || sent.push({t, n}); }

    bool run(const Window& w, const GrowingArray<Bundle>& arriving, WindowFound& found) {
        window = w;
        due = &arriving;
        std::sort(sent.begin(), sent.begin() + sent.size);
        for (int64_t p = 0; p < n_parts; ++p)
            if ((n_parts > 1 && !all[p].ranges.reserve(due->size)) || !all[p].flights.reserve(sent.size))
                return false;
        if (n_parts > 1)
            eventsim_crew_run(crew, run_part, this, n_parts);
        else
            run_part(0);
        sent.size = 0;
        for (int64_t p = 0; p < n_parts; ++p) {
            found.met += all[p].met;
            found.handed += all[p].flights.handed;
            if (all[p].flights.no_room) return false;
        }
        return true;
    }

    static void run_part(void* self, int64_t p) { ((Summed*)self)->run_part(p); }

    // A part over the window.
    void run_part(int64_t p) {
        Part& x = all[p];
        const Window& w = window;
        if (n_parts > 1) take_ranges(x);
        double now = w.now;
        x.met = 0;
        x.flights.take(sent);
        for (int64_t piece = 1, first = 0, last = 0; piece <= w.pieces; ++piece, first = last) {
            double end = w.border;
            if (piece < w.pieces) end = w.opens + (end - w.opens) * (double(piece) / double(w.pieces));
            while (last < due->size && (*due)[last].time < end) ++last;
            sum_up(x, first, last, end);
            if (flies) x.flights.hand_over(end, w.end, moments);
            const R h = R(end - now);
            const bool near = fastest * h <= R(SMALL_Z);
            if (!near && h != x.far_for) find_far(x, h);
            if (near) bring_all<true>(x, now, end, h); else bring_all<false>(x, now, end, h);
            if (x.few.size > 0 && !one_by_one(x, first, last, end)) return;
            if (!(end < w.end)) return;
            now = end;
        }
    }

  private:
    // Copy the state of neuron n from its cell.
    void settle(int64_t n) {
        const Cell<R>& c = cells.cell[n];
        v[n] = c.v;
        j[n] = c.j;
        alert[n] = alert_of(c);
        if (!cells.adapts()) return;
        const Threshold p = cells.threshold(n);
        rise[n] = R(p.strength * cells.adapted[n].a);
        fired[n] = cells.adapted[n].last;
        rate[n] = p.rate;
    }

    // Alert levels of the neurons from n on up to the end of a piece; the bits of each by itself.
    FORMULA_MEMBER V lifted_until(double end, int64_t n, V level) const {
        alignas(64) R z[N];
        for (int k = 0; k < N; k += Numbers<Doubles>::count)
            store_as(z + k, load<Doubles>(rate + n + k) * (spread<Doubles>(end) - load<Doubles>(fired + n + k)));
        return lifted(load<V>(rise + n), load<V>(z), level);
    }

    // Fetch the ranges of a part; the loop behind uses them.
    void take_ranges(Part& x) {
        const int32_t* const target = a.loop.target;
        for (int64_t k = 0; k < due->size; ++k) {
            const Bundle& b = (*due)[k];
            if (b.first >= OWN) continue;
            __builtin_prefetch(target + b.first);
            __builtin_prefetch(target + b.last - 1);
        }
        for (int64_t k = 0; k < due->size; ++k) {
            const Bundle& b = (*due)[k];
            Range& r = x.ranges[k];
            if (b.first >= OWN) {
                const int64_t n = b.first - OWN;
                r = {b.first, x.lo <= n && n < x.hi ? b.last : b.first};
                continue;
            }
            r = {about(x.lo, b), about(x.hi, b)};
            for (const int64_t at : {r.low, r.high}) {
                __builtin_prefetch(target + at - NEAR_BY);
                __builtin_prefetch(target + at);
                __builtin_prefetch(target + at + NEAR_BY);
            }
        }
        for (int64_t k = 0; k < due->size; ++k) {
            const Bundle& b = (*due)[k];
            Range& r = x.ranges[k];
            if (b.first < OWN) r = {first_from(x.lo, r.low, b), first_from(x.hi, r.high, b)};
        }
    }
    // About where the targets from neuron n on begin, if those of the bundle are spread evenly.
    int64_t about(int64_t n, const Bundle& b) const {
        if (n == 0 || b.first == b.last) return b.first;
        if (n == size) return b.last;
        const int64_t least = a.loop.target[b.first], most = a.loop.target[b.last - 1];
        if (n <= least) return b.first;
        return n > most ? b.last : b.first + (b.last - b.first) * (n - least) / (most - least + 1);
    }
    // The bundle's first synapse with a target from neuron n on, which is about there.
    int64_t first_from(int64_t n, int64_t there, const Bundle& b) const {
        if (n == 0 || n == size) return there;
        const int32_t* const target = a.loop.target;
        int64_t low = std::max(b.first, there - NEAR_BY), high = std::min(b.last, there + NEAR_BY);
        if (low > b.first && target[low - 1] >= n) {
            high = low;
            low = b.first;
        } else if (high < b.last && target[high] < n) {
            low = high;
            high = b.last;
        }
        int64_t left = high - low;
        for (int64_t half; left > 1; left -= half) {  // without a branch on what is found
            half = left / 2;
            low += half & -int64_t(target[low + half - 1] < n);
        }
        return low + (left > 0 && target[low] < n);
    }
    Range range_of(const Part& x, int64_t k) const {
        if (n_parts > 1) return x.ranges[k];
        return {(*due)[k].first, (*due)[k].last};
    }

    // The functions of an arrival s ms before the end of its piece.
    Functions<R, W> functions_of(const Bundle& b, R s) const {
        R phi[W] = {};
        if constexpr (W == FEW_SUMS) {
            const int64_t n = b.first >= OWN ? b.first - OWN : a.loop.target[b.first];
            const Rates<R> rates = {par[SLOW * width + n], par[GAP * width + n], par[RATE_MEM * width + n],
                                    R(0)};
            const Map<R> m = propagators(s, rates);
            phi[0] = m.gain;
            phi[1] = m.y;
        } else {
            const R u = fused(R(2.0 / a.basis.reach), s, R(-1));
            R power = 1;
            for (int q = 0; q < F; ++q) {
                phi[q] = power;
                power = power * u;
            }
        }
        phi[W - 1] = s;
        return Functions<R, W>(phi);
    }

    // The bundles first .. last of those due are added to the sums of their targets.
    __attribute__((noinline)) void sum_up(const Part& x, int64_t first, int64_t last, double end) {
        for (int64_t k = first; k < last; ++k) {
            fetch(x, k + AHEAD);
            const Bundle& b = (*due)[k];
            const Range r = range_of(x, k);
            if (r.low >= r.high) continue;
            const Functions<R, W> phi = functions_of(b, R(end - b.time));
            if (b.first >= OWN) {
                phi.add(moments + W * (b.first - OWN), a.loop.own_weight[b.first - OWN]);
                continue;
            }
            weights.of_part_or_same(b.first, [&](auto weight) {
                if (weight.step) add(phi, r, [=](int64_t i) { return R(weight.at[i]); });
                else add(phi, r, [same = R(*weight.at)](int64_t) { return same; });
            });
        }
    }
    // The synapses of a range, of which number i has the weight of(i), are added to the sums of their targets.
    template <class F> FORMULA_MEMBER void add(const Functions<R, W>& phi, const Range& r, const F& of) const {
        const int32_t* const target = a.loop.target;
        R* const sums = moments;
        _Pragma("GCC unroll 4") for (int64_t i = r.low; i < r.high; ++i)
            phi.add(sums + W * (std::size_t)(uint32_t)target[i], of(i));
    }

    void fetch(const Part& x, int64_t k) const {
        if (k >= due->size || (*due)[k].first >= OWN) return;
        const Range r = range_of(x, k);
        fetch_lines(a.loop.target, r.low, r.high);
        weights.of_part_or_same((*due)[k].first, [&](auto weight) {
            if (weight.step) fetch_lines(weight.at, r.low, r.high);
        });
    }

    void find_far(Part& x, R h) {
        for (int64_t n = x.lo; n < x.hi; n += N) {
            const Map<V> m = far_forward(spread<V>(h), rates_of(n));
            store(far + n, m.x);
            store(far + width + n, m.y);
            store(far + 2 * width + n, m.gain);
        }
        x.far_for = h;
    }
    Map<V> far_of(int64_t n) const {
        return {load<V>(far + n), load<V>(far + width + n), load<V>(far + 2 * width + n)};
    }
    Rates<V> rates_of(int64_t n) const {
        return {load<V>(par + SLOW * width + n), load<V>(par + GAP * width + n),
                load<V>(par + RATE_MEM * width + n), V{}};
    }

    bool same_rates(int64_t n, int64_t m) const {
        const Rates<V> p = rates_of(n), q = rates_of(m);
        return eventsim::all((p.slow == q.slow) & (p.gap == q.gap) & (p.mem == q.mem));
    }

    // Take all neurons of a part from `begin` to the end of a piece, h ms later; the sums begin anew. Neurons
    // that may fire or be released before it are few, and stay where they were.
    //
    // NOTES: those whose arrivals are to be noted in the next piece are marked.
    template <bool NEAR, bool NOTES>
    __attribute__((noinline)) void bring(Part& x, double begin, double end, R h) {
        const int64_t width = this->width;
        const R *const of_v = by_v, *const of_j = by_j;
        const V length = spread<V>(h), zero = V{}, one = spread<V>(1);
        const bool adapts = cells.adapts();
        Map<V> m = {};
        V raised = zero;
        int64_t found = x.lo;
        for (int64_t n = x.lo; n < x.hi; n += N) {
            V sum[W];
            R* const row = moments + n * W;
            UNROLL for (int q = 0; q < W; ++q) sum[q] = load<V>(row + q * N);
            UNROLL for (int q = 0; q < W; ++q) store(row + q * N, zero);
            turn<W>(sum);
            if (!NEAR) m = far_of(n);
            else if (n == x.lo || !alike[n / N]) m = near_forward(length, rates_of(n));
            const V v0 = load<V>(v + n), j0 = load<V>(j + n);
            V v_end = fused(m.gain, j0, m.x * v0), j_end = m.y * j0;
            const V pull = select(zero < j0, j0, zero) - v0;
            V top = fused(one - m.x, select(zero < pull, pull, zero), v0);
            const V rate = load<V>(par + RATE_MEM * width + n);
            top = fused(rate, sum[W - 1], top);
            UNROLL for (int q = 0; q < F; ++q) {
                v_end = fused(load<V>(of_v + q * width + n), sum[q], v_end);
                j_end = fused(load<V>(of_j + q * width + n), sum[q], j_end);
            }
            store(v + n, flush(v_end));
            store(j + n, flush(j_end));
            alignas(64) R v_now[N], j_now[N];
            store(v_now, v0);
            store(j_now, j0);
            V level = load<V>(alert + n);
            if (adapts) level = lifted_until(end, n, level);
            if (NOTES) {
                raised = larger_of(raised, rate * sum[W - 1]);
                const V self = select(zero < j_end, j_end, zero) - v_end;
                const V bound = fused(one - m.x, select(zero < self, self, zero), v_end);
                for (uint32_t bits = x.flights.near(bound, level); bits; bits &= bits - 1)
                    row[__builtin_ctz(bits) * W + MARK] = R(-1);
            }
            for (uint32_t bits = bits_of(Mask<V>(top >= level)); bits; bits &= bits - 1) {
                const int l = __builtin_ctz(bits);
                if (NOTES) noted[n + l] = at(sum[MARK], l) < R(0);
                __builtin_prefetch(cells.cell + n + l, 1);
                maybe[found] = (int32_t)(n + l);
                was_v[found] = v_now[l];
                was_j[found] = j_now[l];
                ++found;
            }
        }
        if (NOTES) {
            for (int l = 0; l < N; ++l) x.flights.raised(at(raised, l));
            x.flights.end_piece();
        }
        take_few(x, found, begin, end);
    }
    template <bool NEAR> void bring_all(Part& x, double begin, double end, R h) {
        if constexpr (W == FEW_SUMS)
            if (flies) return bring<NEAR, true>(x, begin, end, h);
        bring<NEAR, false>(x, begin, end, h);
    }
    static V larger_of(V a, V b) { return select(a < b, b, a); }

    // Take the neurons that may fire or be released before the end: places x.lo .. found of `maybe`.
    void take_few(Part& x, int64_t found, double begin, double end) {
        for (int64_t i = x.lo; i < found; ++i) {
            const int32_t n = maybe[i];
            Cell<R>& c = cells.cell[n];
            if (c.held() && c.until >= end) {
                v[n] = c.reset;
                if (c.until < end + (end - begin)) mark(n);
                continue;
            }
            x.all_noted &= noted[n];
            c.v = was_v[i];
            c.j = was_j[i];
            c.time = begin;
            x.few.join(n);
        }
    }

    // The few meet the bundles first .. last, and come to the end of the piece. False where they do not go on.
    __attribute__((noinline)) bool one_by_one(Part& x, int64_t first, int64_t last, double end) {
        const Noted<R>* flown = nullptr;
        if (flies) flown = find_flown(x);
        for (int64_t k = first; k < last; ++k) {
            const Bundle& b = (*due)[k];
            const Range r = range_of(x, k);
            if (r.low >= r.high) continue;
            if (flies && !meet_flown(x, flown, b.time)) return false;
            if (b.first >= OWN) {
                const int64_t n = b.first - OWN;
                x.met += x.few.look_up_one(n, a.loop.own_weight[n], b.time, window, x.spikes);
            } else {
                x.met += weights.of_part_or_same(b.first, [&](auto weight) {
                    return x.few.look_up(a.loop.target, weight, r.low, r.high, b.time, window, x.spikes);
                });
            }
            if (!x.spikes.goes()) return false;
        }
        if (flies && !meet_flown(x, flown, end)) return false;
        if (!x.few.go(window, end, true, x.spikes)) return false;
        for (int64_t p = 0; p < x.few.size; ++p) {
            settle(x.few.who[p]);
            mark(x.few.who[p]);
            is_one[x.few.who[p]] = 0;
        }
        x.few.size = 0;
        return true;
    }

    // The first of what flights bring to the few in this piece; more is behind it, in order.
    const Noted<R>* find_flown(Part& x) {
        const GrowingArray<Noted<R>>& all = x.flights.arrivals_of(is_one, noted, x.all_noted);
        x.all_noted = true;
        x.n_flown = all.size;
        x.met += all.size;
        return all.begin();
    }

    // The few meet those before a time; of one time bundles come first. False where they do not go on.
    bool meet_flown(Part& x, const Noted<R>*& next, double before) {
        for (; x.n_flown > 0 && next->time < before; ++next, --x.n_flown) {
            x.few.look_up_one(next->who, next->weight, next->time, window, x.spikes);
            if (!x.spikes.goes()) return false;
        }
        return true;
    }

    // The arrivals of neuron n are noted in the next piece.
    void mark(int64_t n) {
        if (W == FEW_SUMS && flies) moments[W * n + MARK] = R(-1);
    }
};

template <class V, int W> bool run_summed(const LoopSums<Real<V>>& call) {
    if (call.tasks.n_blocks > 1)  // all tasks are of one sample
        return Summed<V, W>(call, call.tasks.todo[0] / call.tasks.n_blocks).run();
    for (int64_t i = 0; i < call.tasks.n; ++i)
        if (!Summed<V, W>(call, call.tasks.todo[i]).run()) return false;
    return true;
}

template <class V> int loop_sums(const LoopSums<Real<V>>& call) {
    const bool few = call.basis.width == FEW_SUMS;
    return (few ? run_summed<V, FEW_SUMS>(call) : run_summed<V, MANY_SUMS<Real<V>>>(call)) ? DONE : NO_MEMORY;
}

}  // namespace eventsim
