"""The faults of ``mutants_cuda.py``.

Each has a file of ``eventsim/kernels`` or ``eventsim/engine/cuda/kernels``, a text that occurs in
it once, what stands there instead, and what is wrong then.
"""

from tests.support.mutant import Mutant

MUTANTS = (
    # ---- scalar functions
    Mutant(
        "neuron/exponential.hpp",
        "return select(absolute(x) <= Exponent<Real<V>>::tiny, spread<V>(0), x);",
        "return x;",
        "flush lost: states become denormal",
    ),
    Mutant(
        "neuron/exponential.hpp",
        "if (near) return near_terms(z);",
        "if (z <= R(4.0)) return near_terms(z);",
        "near terms beyond their range",
    ),
    Mutant(
        "neuron/crossing.hpp",
        "const V top = select(falls & (j > v), bound, v_end);",
        "const V top = select(falls & (j < v), bound, v_end);",
        "a peak inside an interval is not looked at",
    ),
    Mutant(
        "neuron/crossing.hpp",
        "const Mask<V> falls = (j_end < v_end) | (span > Real<V>(LONG));",
        "const Mask<V> falls = j_end < v_end;",
        "ends of an interval that have vanished are believed",
    ),
    Mutant(
        "neuron/crossing.hpp",
        "const Mask<V> close = runs & (absolute(step) <= tolerance);",
        "const Mask<V> close = runs & (step <= tolerance);",
        "Newton's method stops where it started behind the crossing",
    ),
    Mutant(
        "neuron/propagators.hpp",
        "flush(fused(m.gain, a.alpha, m.y * a.beta)),",
        "flush(fused(m.gain, m.x * a.alpha, m.y * a.beta)),",
        "adjoint: beta from the alpha of the wrong end",
    ),
    # ---- adaptive thresholds
    Mutant(
        "neuron/adaptive.hpp",
        "c.a = adaptation_at(p, c, t) + 1.0;",
        "c.a = adaptation_at(p, c, c.last) + 1.0;",
        "adaptation does not decay before a jump",
    ),
    Mutant(
        "neuron/adaptive.hpp",
        "return alert + R(1.0 - ALERT_MARGIN) * lift;",
        "return alert + R(1.5) * lift;",
        "a neuron is not looked at below a threshold that has come down",
    ),
    Mutant(
        "neuron/adaptive.hpp",
        "const R slope = mem * (j_t - v_t), fall = s.rate * rise_t;",
        "const R slope = mem * (j_t - v_t), fall = 0;",
        "the slope of the threshold is left out of Newton's steps",
    ),
    Mutant(
        "neuron/adaptive.hpp",
        "break;  // v falls: the crossing, if there is one, is behind its peak",
        "return none;",
        "a falling voltage is never met by its threshold",
    ),
    Mutant(
        "neuron/adaptive.hpp",
        "if (first * last < zero || (first > zero) != (last > zero)) {",
        "if (first * last < zero && k > 0) {",
        "the first of two turns is passed over",
    ),
    Mutant(
        "neuron/adaptive.hpp",
        "by_time = by_time + b.kappa * p.rate;",
        "by_time = by_time - b.kappa * p.rate;",
        "adjoint: a spike moved later leaves less adaptation",
    ),
    Mutant(
        "neuron/adaptive.hpp",
        "b.product = b.kappa * a;",
        "b.product = b.kappa * (a + 1.0);",
        "adjoint: the rate's share from right after the jump",
    ),
    # ---- one neuron
    Mutant(
        "walk.cuh",
        "m.level = par[LEVEL * n_neurons + n];",
        "m.level = par[LEVEL * n_neurons + (n ^ 1)];",
        "wrong index: the level of the neighbour",
    ),
    Mutant("walk.cuh", "c.j = c.j + n.self;", "", "missing self-jump"),
    Mutant(
        "walk.cuh", "c.held = place;\n            c.until", "c.until", "missing refractory time"
    ),
    Mutant(
        "walk.cuh",
        "if (place < out.limit) {",
        "{",
        "capacity of the spike buffer is not checked",
    ),
    Mutant(
        "walk.cuh",
        "if (c.held < out.limit) out.restart[c.held] = c.j;",
        "if (c.held <= out.limit) out.restart[c.held] = c.j;",
        "off by one: a restart past the capacity",
    ),
    Mutant(
        "walk.cuh",
        "end.until[pair] = c.held >= 0 ? c.until : -1.0;",
        "end.until[pair] = -1.0;",
        "a hold is lost between two pieces of a stream",
    ),
    Mutant(
        "neuron/own_spikes.hpp",
        "return grazes ? by_voltage : by_voltage - R(by_time) / slope;",
        "return grazes ? by_voltage : by_voltage + R(by_time) / slope;",
        "adjoint: wrong sign of dL/dt",
    ),
    Mutant(
        "walk.cuh",
        "tape.through[k] += (double)jump.later;",
        "",
        "adjoint: dL/dt through the self-jump is missing",
    ),
    Mutant(
        "walk.cuh",
        "if (n.level > REAL_(0.0)) return;",
        "return;",
        "adjoint: the start at the reset is missing",
    ),
    # ---- a layer that shares events
    Mutant(
        "stretch.cuh",
        "s.items.gap[k] = (REAL)(end - s.time[k]);",
        "s.items.gap[k] = (REAL)end - (REAL)s.time[k];",
        "an interval is the difference of rounded times",
    ),
    Mutant(
        "stretch.cuh",
        "full = t > latest;",
        "full = false;",
        "a stretch is longer than its series holds",
    ),
    Mutant(
        "stretch.cuh",
        "w = w + column[(long long)row_at(e, next) * n_neurons];",
        ";",
        "of events at one time only the first is met",
    ),
    Mutant(
        "stretch.cuh",
        "c.held >= 0 ? c.until < end :",
        "c.held >= 0 ? false :",
        "a hold that ends within a stretch goes on",
    ),
    Mutant(
        "neuron/stretch.hpp",
        "select(fallen < top, fallen, top)",
        "select(fallen < top, v_end, v_end)",
        "a peak within a stretch is not looked at",
    ),
    Mutant(
        "neuron/stretch.hpp",
        "v[k] = fused(-v[q], spread<V>(R(shorter.row[q][k])), v[k]);",
        "",
        "powers that are left out of a series are not made up for",
    ),
    Mutant(
        "neuron/adjoint_series.hpp",
        "for (int q = 0; q <= degree; ++q) found[k][q] -= leading * shorter.row[degree][q];",
        "found[k][degree] -= leading;",
        "adjoint: powers that are left out of a series are not made up for",
    ),
    Mutant(
        "neuron/readout.hpp",
        "t.d = h * (t.f - o.slow * d);",
        "t.d = h * (t.f - o.slow * t.d_slow);",
        "a gain's series goes on from the wrong term",
    ),
    Mutant(
        "numbers.hpp",
        "return __builtin_fmaf(a, b, c);",
        "return a * b + c;",
        "a product and a sum are rounded twice",
    ),
    Mutant(
        "stretch.cuh",
        "if (k < s.arrivals) arrived(c, item.time);",
        "arrived(c, item.time);",
        "a stretch that ends without an arrival counts as one",
    ),
    Mutant(
        "shared.cu",
        "if (!__syncthreads_or(mine)) return;",
        "if (!mine) return;",
        "threads leave before a barrier",
    ),
    Mutant(
        "shared.cu",
        "        __syncthreads();\n        do {",
        "        do {",
        "barrier lost: events are read while they are staged",
    ),
    Mutant(
        "shared.cu",
        "events.staged);\n        __syncthreads();",
        "events.staged);",
        "barrier lost: events are staged while they are read",
    ),
    Mutant(
        "shared.cu",
        "end - next < FORWARD_EVENTS ? (int)(end - next) : FORWARD_EVENTS;",
        "(int)(end - next);",
        "more events are staged than there is room for",
    ),
    Mutant(
        "shared.cu",
        "t = stretch.time[ITEMS - 1];",
        "t = stretch.time[ITEMS - 2];",
        "a stretch begins before the one in front has ended",
    ),
    Mutant(
        "shared_adjoint.cu",
        "if (mine) slab[at] = fused(",
        "slab[at] = fused(",
        "race: a thread without a neuron writes another's sum",
    ),
    Mutant(
        "shared_adjoint.cu",
        "            __syncthreads();\n            sum_effects(",
        "            sum_effects(",
        "barrier lost: effects are summed before they are there",
    ),
    Mutant(
        "shared_adjoint.cu",
        "            __syncthreads();\n            for (m = 0;",
        "            for (m = 0;",
        "barrier lost: arrivals are read while they are staged, on the way back",
    ),
    Mutant(
        "shared_adjoint.cu",
        "for (int k = 16; k > 0; k >>= 1) total +=",
        "for (int k = 8; k > 0; k >>= 1) total +=",
        "half a warp is left out of a sum",
    ),
    Mutant(
        "shared_adjoint.cu",
        "if (lane == 0) out[top - i] = total;",
        "out[top - i] = total;",
        "race: all lanes write one place",
    ),
    Mutant(
        "shared_adjoint.cu",
        "k = meet_arrivals(k, m, stops ? at : -1.0, (REAL)(t - since),",
        "k = meet_arrivals(k, m, stops ? at : -1.0, REAL_(0.0),",
        "the state after a spike is taken for that at the first arrival",
    ),
    Mutant(
        "shared_adjoint.cu",
        "arrivals.inside[THREAD] = any && s <= longest;",
        "arrivals.inside[THREAD] = any;",
        "a stretch is longer than its series hold",
    ),
    # ---- a layer with arrivals of its own
    Mutant(
        "fanin.cu",
        "if (pair >= n_pairs || into.limit[pair] < 0) return;",
        "if (pair > n_pairs || into.limit[pair] < 0) return;",
        "off by one: a thread past the last neuron",
    ),
    Mutant(
        "fanin.cu",
        "        for (; early < n_early && early_time[early] + delay == cell.t; ++early)\n"
        "            cell.j = cell.j + own_weight[n];",
        "        for (; early < n_early && early_time[early] + delay == cell.t; ++early) {}",
        "a self-jump of an earlier piece is lost",
    ),
    Mutant(
        "fanin.cu",
        "by_arrival[origin[i]] = here.beta;",
        "by_arrival[i] = here.beta;",
        "swapped index: sorted place for original place",
    ),
    Mutant(
        "fanin.cu",
        "if (met == MOST || at >= t_low) {",
        "if (met == MOST || at > t_end) {",
        "arrivals before a spike are met from the adjoint behind it",
    ),
    # ---- readout
    Mutant(
        "readout.cu",
        "t >= t_end) continue;\n                const Arrival",
        "t >= 2.0 * t_end) continue;\n                const Arrival",
        "arrivals after the end of the sample count",
    ),
    Mutant(
        "readout.cu",
        "i < low + size * (part + 1) / parts",
        "i < low + size * part / parts",
        "a part of the spikes is left out",
    ),
    Mutant(
        "readout.cu",
        "= 0.0;\n        __syncwarp(mask);\n        for (long long i",
        "= 0.0;\n        for (long long i",
        "barrier lost: spikes are added before all sums are zero",
    ),
    Mutant(
        "queue_adjoint.cu",
        "    scratch[THREAD] = value;\n    __syncthreads();",
        "    scratch[THREAD] = value;",
        "barrier lost: a block's sum begins before all values are there",
    ),
    Mutant(
        "queue_adjoint.cu",
        "scratch[THREAD] += scratch[THREAD + half];\n        __syncthreads();",
        "scratch[THREAD] += scratch[THREAD + half];",
        "barrier lost: a block's sum goes on before the half before is added",
    ),
    # ---- order
    Mutant(
        "order.cu",
        "out_sample[into] = (int)(pair / n_neurons);",
        "out_sample[into] = (int)(pair % n_neurons);",
        "swapped index: neuron for sample",
    ),
    Mutant(
        "order.cu",
        "k < high; k += 32)",
        "k < high; k += 33)",
        "wrong stride: synapses of a spike are left out",
    ),
    Mutant(
        "order.cu",
        "t >= begin[s] && t < duration[s]",
        "t > begin[s] - 1e9 && t < duration[s]",
        "arrivals of an earlier piece arrive again",
    ),
    Mutant(
        "order.cu",
        "for (long long i = first[group + 1] - 1; i >= first[group]; --i) {",
        "for (long long i = first[group + 1] - 1; i > first[group]; --i) {",
        "lost tail: a synapse's first arrival",
    ),
    # ---- loops
    Mutant(
        "queue.cu",
        "(h.time[i] == h.time[j] && h.first[i] < h.first[j])",
        "(h.time[i] == h.time[j] && h.first[i] > h.first[j])",
        "wrong order of arrivals at one time",
    ),
    Mutant(
        "queue.cu",
        "if (other < t || (other == t && from < n)) {",
        "if (other < t || (other == t && from > n)) {",
        "wrong order of neurons that fire at one time",
    ),
    Mutant(
        "queue.cu",
        "if (due < t) {",
        "if (due <= t) {",
        "a spike goes before an arrival at its time",
    ),
    Mutant(
        "queue.cu",
        "if (waiting + (high - low) + 1 > capacity) return false;",
        "",
        "capacity of the heap is not checked",
    ),
    Mutant(
        "queue.cu",
        "        __syncthreads();\n        if (block.verdict >= 0) break;",
        "        if (block.verdict >= 0) break;",
        "barrier lost: the verdict is read before it is there",
    ),
    Mutant(
        "queue.cu",
        "                c.j[m] = c.j[m] + (low >= OWN ? loop.own_weight[m] : loop.weight[k]);\n"
        "            }\n"
        "            __syncthreads();",
        "                c.j[m] = c.j[m] + (low >= OWN ? loop.own_weight[m] : loop.weight[k]);\n"
        "            }",
        "barrier lost: two bundles at one neuron at once",
    ),
    Mutant(
        "windows.cu",
        "const REAL positive = weight > REAL_(0.0) ? weight : REAL_(0.0);",
        "const REAL positive = weight < REAL_(0.0) ? weight : REAL_(0.0);",
        "inhibition bounds the voltage",
    ),
    Mutant(
        "windows.cu",
        "if (!through && (held || top >= p.alert)) {",
        "if (!through && top >= p.alert) {",
        "a neuron that is let go within a piece is taken for free",
    ),
    Mutant(
        "windows.cu",
        "                __syncthreads();\n            }\n            for (int n = THREAD;",
        "            }\n            for (int n = THREAD;",
        "barrier lost: two bundles are summed at one neuron at once",
    ),
    Mutant(
        "windows.cu",
        "c.until[n] = cell.until;",
        "",
        "a neuron held at the end of a window is let go at any time",
    ),
    Mutant(
        "windows.cu",
        "const double end = border < t_end ? border : t_end;",
        "const double end = border;",
        "neurons that share their events fire after the sample's end",
    ),
    Mutant(
        "windows.cu",
        "return e.row[e.first[i]];",
        "return e.row[e.first[i / 2]];",
        "arrivals of a window have the weights of others",
    ),
    Mutant(
        "queue_adjoint.cu",
        "if (cause >= 0) tape.through[cause] += effect;",
        "",
        "adjoint: dL/dt of the loop's own spikes is missing",
    ),
    Mutant(
        "queue_adjoint.cu",
        "spike_neuron[cause] >= n)",
        "spike_neuron[cause] > n)",
        "adjoint: wrong order of a spike and an arrival at its time",
    ),
    Mutant(
        "order.cu",
        "count_before(time, item, lo, hi, t, run < mine)",
        "count_before(time, item, lo, hi, t, run > mine)",
        "lost tie-break: spikes at one time go by neuron",
    ),
    Mutant(
        "order.cu",
        "const int mine = neuron[me] / width, low = mine / WAYS * WAYS;",
        "const int mine = neuron[me] / width, low = 0;",
        "runs beyond the first sixteen are merged with the wrong ones",
    ),
    Mutant(
        "order.cu",
        "if (limit[i] >= 0 && n > limit[i]) ++short_of[THREAD];",
        "if (limit[i] >= 0 && n > limit[i] + 1) ++short_of[THREAD];",
        "a spike without room is lost",
    ),
    Mutant(
        "order.cu",
        "lo + arrived_before(other, lo, hi, t, k < mine)",
        "lo + arrived_before(other, lo, hi, t, k > mine)",
        "lost tie-break: arrivals at one time go by source",
    ),
    Mutant(
        "order.cu",
        "source.delay[source.each * source.neuron[item]]",
        "source.delay[0]",
        "every row has the first one's delay",
    ),
    Mutant(
        "order.cu",
        "if (i <= n_samples) offsets[i] = first[i * n_rows];",
        "if (i <= n_samples) offsets[i] = first[i * n_rows + (i > 0 && i < n_samples)];",
        "a sample begins with the second row's arrivals",
    ),
    Mutant(
        "order.cu",
        "out_spike[i] = spike[order[i]];",
        "out_spike[i] = spike[i];",
        "effects go to the spikes by group, not in order",
    ),
    Mutant(
        "order.cu",
        "total += values[spike[i] - base];",
        "total += values[spike[first[group]] - base];",
        "all spikes of a neuron are given what its first is",
    ),
    Mutant(
        "readout.cu",
        "/ (tau_syn[n] * tau_syn[n])",
        "/ (tau_mem[n] * tau_syn[n])",
        "the gradient by tau_syn takes the other time constant",
    ),
    Mutant(
        "order.cu",
        "if ((long long)sample[k] * n_rows + row[k] < i) lo = middle + 1; else hi = middle;",
        "if ((long long)sample[k] * n_rows + row[k] <= i) lo = middle + 1; else hi = middle;",
        "the first spike of every group is that of the next",
    ),
    # ---- counts and extents
    Mutant(
        "counts.cu",
        "if (offsets[middle] <= i) low = middle; else high = middle;",
        "if (offsets[middle] < i) low = middle; else high = middle;",
        "the first spike of a sample is counted with the sample before",
    ),
    Mutant(
        "counts.cu",
        "found += time[i] + delay[k] < duration[low];",
        "found += time[i] < duration[low];",
        "delays of single synapses are not heard of",
    ),
    Mutant(
        "counts.cu",
        "if (!(x == x)) bad = -1.0;",
        "",
        "NaN is not seen",
    ),
    # ---- parameters
    Mutant(
        "parameters.cu",
        "row[GAP] = b - a;",
        "row[GAP] = a - b;",
        "the gap between the rates has the wrong sign",
    ),
    Mutant(
        "parameters.cu",
        "own[BY_SELF * size + n] * resistance[n]",
        "own[BY_SELF * size + n]",
        "the gradient by a self-weight is that by its drive",
    ),
    # ---- optimiser
    Mutant(
        "optimiser.cu",
        "if (start[middle] <= entry) low = middle; else high = middle;",
        "if (start[middle] < entry) low = middle; else high = middle;",
        "the first entry of an array is taken for the last of the one before",
    ),
    Mutant(
        "optimiser.cu",
        "if (which & 1) {",
        "if (which & 2) {",
        "thresholds are not kept above resets",
    ),
    Mutant(
        "optimiser.cu",
        "norm > clip ? clip / norm : 1.0",
        "norm > clip ? 1.0 : 1.0",
        "the gradient is not clipped",
    ),
)
