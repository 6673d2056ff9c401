"""The faults of ``mutants_cpu.py``.

Each has a file of ``eventsim/kernels``, a text that occurs in it once, what stands there instead,
and what is wrong then.
"""

from tests.support.mutant import Mutant

MUTANTS = (
    # ---- stretches of dense layers
    Mutant(
        "cpu/dense/stretches.hpp",
        "for (; s.event < s.n_events && s.times[s.event] == time; ++s.event) {",
        "if (s.event < s.n_events && s.times[s.event] == time) {",
        "of several arrivals at one time the third is met as another item",
    ),
    Mutant(
        "cpu/dense/stretches.hpp",
        "if (times[ITEMS - 1] > times[0] + double(longest)) return false;",
        "",
        "a stretch goes on beyond what its series can do",
    ),
    Mutant(
        "cpu/dense/stretches.hpp",
        "if (times[k] == times[k + 1]) return false;",
        "if (k + 1 < ITEMS && times[k] == times[k + 1]) return false;",
        "arrivals at the time of a stretch's last are left to the next",
    ),
    Mutant(
        "cpu/dense/stretches.hpp",
        "x.empty = full || ends;",
        "x.empty = 0;",
        "the end of a stretch counts as an arrival",
    ),
    Mutant(
        "cpu/dense/blocks.hpp",
        "number[n] = i - lo;",
        "number[n] = n;",
        "events of a block are numbered among those that it hears",
    ),
    Mutant(
        "cpu/dense/blocks.hpp",
        "std::fill(own + row * width + size, own + (row + 1) * width, R(0));",
        "std::fill(own + row * width + size, own + (row + 1) * width + 1, R(0));",
        "zeros are written behind a table",
    ),
    # ---- neurons of dense layers that may fire
    Mutant(
        "cpu/dense/pool.hpp",
        "if (neurons.strength) top = select(v > top, v, top);  // a threshold may fall onto it",
        "",
        "a falling threshold that meets V is not looked for",
    ),
    Mutant(
        "cpu/dense/pool.hpp",
        "if (!(t < target) || item >= s.stretch.size) continue;",
        "if (item >= s.stretch.size) continue;",
        "a neuron fires at the time of an arrival, before it",
    ),
    Mutant(
        "cpu/dense/pool.hpp",
        "if (until >= s.stretch.time[item]) continue;",
        "if (until > s.stretch.time[item]) continue;",
        "a release at the time of an arrival comes before it",
    ),
    Mutant(
        "cpu/dense/pool.hpp",
        "if (s.failed < 0 || t < s.failed_at) s.failed = n, s.failed_at = t;",
        "s.failed = n, s.failed_at = t;",
        "of those that run away the last is told",
    ),
    Mutant(
        "cpu/dense/pool.hpp",
        "if (met > x.met[l]) x.fired[l] = 0;",
        "",
        "spikes before an arrival count as those of a run-away",
    ),
    Mutant(
        "cpu/dense/pool.hpp",
        "if (s.held[n] < s.limit) spikes.restart[s.start + s.held[n]] = x.j[l];",
        "spikes.restart[s.start + s.held[n]] = x.j[l];",
        "a release is written behind the room for spikes",
    ),
    Mutant(
        "cpu/dense/pool.hpp",
        "spikes.restart[at] = length == 0.0 ? left : std::numeric_limits<R>::quiet_NaN();",
        "spikes.restart[at] = std::numeric_limits<R>::quiet_NaN();",
        "a spike that nothing holds has no restart",
    ),
    Mutant(
        "cpu/dense/pool.hpp",
        "x.inside &= ~bits_of(on);",
        "",
        "a lane that met its item still starts from its last spike",
    ),
    Mutant(
        "cpu/dense/pool.hpp",
        "s.fired_arrival[n] = s.arrival + arrivals;",
        "s.fired_arrival[n] = s.arrival;",
        "spikes since an arrival are forgotten with the stretch",
    ),
    # ---- dense layers, forward
    Mutant(
        "cpu/dense/forward.hpp",
        "while (s.n_events > 0 && s.times[s.n_events - 1] >= s.t_end) --s.n_events;",
        "while (s.n_events > 0 && s.times[s.n_events - 1] > s.t_end) --s.n_events;",
        "an event at the end of a sample is met",
    ),
    Mutant(
        "cpu/dense/forward.hpp",
        "(time[i - 1] == t && neuron[i - 1] > n)",
        "(time[i - 1] == t && neuron[i - 1] < n)",
        "of spikes at one time the higher neuron's comes first",
    ),
    Mutant(
        "cpu/dense/forward.hpp",
        "if (refractory && other == i - 1) other = i;",
        "",
        "whoever is held forgets its spike when that moves",
    ),
    Mutant(
        "cpu/dense/forward.hpp",
        "if (s.until[n] < until) {",
        "if (s.until[n] <= until) {",
        "who is let go of at the end of a stretch walks it",
    ),
    Mutant(
        "cpu/dense/forward.hpp",
        "s.since = x.time[x.size - x.empty - 1];",
        "s.since = x.time[ITEMS - 1];",
        "the last arrival is where the stretch ended",
    ),
    Mutant(
        "cpu/dense/forward.hpp",
        "if (a.begin.a) s.adapted[n] = {a.begin.a[at + n], a.begin.last[at + n]};",
        "if (a.begin.a) s.adapted[n] = {0.0, a.begin.last[at + n]};",
        "a stream goes on with its thresholds at rest",
    ),
    Mutant(
        "cpu/dense/forward.hpp",
        "if (a.tasks.n_blocks > 1) met = met < s.n_heard ? s.number[met] : s.n_all;",
        "if (a.tasks.n_blocks > 1) met = s.n_all;",
        "a block has met the events that are left to the next piece",
    ),
    Mutant(
        "cpu/dense/forward.hpp",
        "s.alert[n] = lifted(p, s.adapted[n], until, s.par[ALERT * width + n]);",
        "s.alert[n] = lifted(p, s.adapted[n], s.t, s.par[ALERT * width + n]);",
        "the alert level is that of the stretch's begin, not its lowest",
    ),
    # ---- dense layers, backward
    Mutant(
        "cpu/dense/block_back.hpp",
        "while (event > 0 && events.times[event - 1] >= t_end) --event;",
        "while (event > 0 && events.times[event - 1] > t_end) --event;",
        "the way back meets an event at the sample's end",
    ),
    Mutant(
        "cpu/dense/block_back.hpp",
        "if (s > length) break;",
        "if (s > R(4) * length) break;",
        "arrivals are met at once beyond what their series can do",
    ),
    Mutant(
        "cpu/dense/block_back.hpp",
        "if (joined && m > 0 && tape.is_before(t, sender_of(effects.cause, k, t))) break;",
        "",
        "arrivals before a spike that their loop caused are met with those behind it",
    ),
    Mutant(
        "cpu/dense/block_back.hpp",
        "if (effects.cause && effects.cause[at] >= 0) tape.add_through(effects.cause[at], effect);",
        "",
        "what a spike of a loop causes is not handed to it",
    ),
    Mutant(
        "cpu/dense/block_back.hpp",
        "x.effects[k][i] = R(0);",
        "",
        "dL/dt of events keeps what the arrivals before them left",
    ),
    Mutant(
        "cpu/dense/block_back.hpp",
        "const int64_t at = events.number ? events.number[event - 1 - k] : event - 1 - k;",
        "const int64_t at = event - 1 - k;",
        "dL/dt of a block's events goes to others",
    ),
    Mutant(
        "cpu/dense/backward.hpp",
        "if (a.way.starts) block.end_at_start(n);",
        "",
        "who rests above its level had no reset at the start",
    ),
    Mutant(
        "cpu/dense/backward.hpp",
        "block.tape.leave_sample(behind, size);",
        "",
        "thresholds are carried back unchanged",
    ),
    Mutant(
        "cpu/dense/tape_back.hpp",
        "return at > t || (at == t && special_neuron[n_special - 1] > sender);",
        "return at > t;",
        "a spike at the time of an arrival that it caused is met behind it",
    ),
    Mutant(
        "cpu/dense/tape_back.hpp",
        "const bool reset = k == 0 || (i > 0 && special[i - 1] > let_go[order[k - 1]]);",
        "const bool reset = i > 0 && (k == 0 || special[i - 1] >= let_go[order[k - 1]]);",
        "a reset comes behind a release at its time",
    ),
    Mutant(
        "cpu/spikes_back.hpp",
        "if (held) through += self_jump(x, n, a);",
        "",
        "a spike that holds V has no self-jump on the way back",
    ),
    Mutant(
        "cpu/spikes_back.hpp",
        "grazes += grazed;",
        "",
        "spikes that touched their threshold are not counted",
    ),
    Mutant(
        "cpu/dense/aside.hpp",
        "const double at = tape.next_stop(n), low = n <= sender ? t_short : t_low;",
        "const double at = tape.next_stop(n), low = t_low;",
        "a neuron meets its stop before the arrival that it caused then",
    ),
    Mutant(
        "cpu/dense/aside.hpp",
        "if (is_aside[n]) continue;",
        "",
        "a neuron with two stops on a stretch goes aside twice",
    ),
    Mutant(
        "cpu/dense/aside.hpp",
        "const V u = load<V>(x.u + k) - start, w = load<V>(g.weight[l] + k);",
        "const V u = load<V>(x.u + k), w = load<V>(g.weight[l] + k);",
        "pieces behind a stop are met as if they began with the stretch",
    ),
    Mutant(
        "cpu/dense/passage.hpp",
        "x.since[k] = R(0);",
        "",
        "behind the last arrival the powers are of what was there before",
    ),
    # ---- readouts
    Mutant(
        "cpu/readout/shared.hpp",
        "for (int i = 0; i < n; ++i) fade[i] = time[i] < t_end ? fade[i] : R(0);",
        "for (int i = 0; i < n; ++i) fade[i] = time[i] <= t_end ? fade[i] : R(0);",
        "a spike that arrives at the end is still integrated",
    ),
    Mutant(
        "cpu/readout/shared.hpp",
        "for (int64_t low = first[0]; low < first[1]; low += BATCH) {",
        "for (int64_t low = first[0]; low < first[1]; low += BATCH + 1) {",
        "a spike between two batches is left out",
    ),
    Mutant(
        "cpu/readout/shared.hpp",
        "effects[i] += sum_by_halves(w * seed.unit * later);",
        "effects[i] = sum_by_halves(w * seed.unit * later);",
        "of several blocks of outputs the last says what a spike does",
    ),
    Mutant(
        "cpu/readout/apart.hpp",
        "const double t = time + fan.delay[e];\n                if (!(t < t_end)) continue;",
        "const double t = time;\n                if (!(t < t_end)) continue;",
        "delays of synapses are left out of the integral",
    ),
    Mutant(
        "cpu/readout/apart.hpp",
        "back.by_delay[chunk * fan.n + e] += later;",
        "back.by_delay[chunk * fan.n + e] = later;",
        "the last spike alone gives the gradient of a delay",
    ),
    Mutant(
        "cpu/readout/gains.hpp",
        "const int64_t output = std::min(block * LANES + k, call.outputs.size - 1);",
        "const int64_t output = block * LANES + k;",
        "rates behind the last output are read",
    ),
    # ---- order
    Mutant(
        "cpu/order/sort.hpp",
        "return a.time[i] < time || (a.time[i] == time && a.row[i] <= row);",
        "return a.time[i] < time || (a.time[i] == time && a.row[i] < row);",
        "events that are alike change their order",
    ),
    Mutant(
        "cpu/order/sort.hpp",
        "if (put(given, found, n, buckets) <= FEW) {",
        "if (true) {",
        "buckets with many events are sorted by insertion alone",
    ),
    # ---- loops, event by event
    Mutant(
        "cpu/loop/heap.hpp",
        "return time < b.time || (time == b.time && first < b.first);",
        "return time < b.time;",
        "bundles at one time come in the order in which they were sent",
    ),
    Mutant(
        "cpu/loop/heap.hpp",
        "return time < b.time || (time == b.time && n < b.n);",
        "return time < b.time || (time == b.time && n > b.n);",
        "of neurons that fire at one time the last is first",
    ),
    Mutant(
        "cpu/loop/heap.hpp",
        "const int64_t wanted = std::max({2 * room, size + more, int64_t(64)});",
        "const int64_t wanted = std::max(room, int64_t(64));",
        "the heap of bundles does not grow",
    ),
    Mutant(
        "cpu/loop/heap.hpp",
        "if (back > 0.0 && t + back < t_end) push({t + back, OWN + n, OWN + n + 1});",
        "",
        "spikes do not return later to their neurons",
    ),
    Mutant(
        "cpu/loop/cells.hpp",
        "c.v = c.held() ? c.reset : flush(fused(m.gain, c.j, m.x * c.v));",
        "c.v = flush(fused(m.gain, c.j, m.x * c.v));",
        "V grows while it is held",
    ),
    Mutant(
        "cpu/loop/cells.hpp",
        "f.spike = spikes.count;",
        "f.spike = spikes.count + 1;",
        "the current of a restart is that of the next spike",
    ),
    Mutant(
        "cpu/loop/cells.hpp",
        "to.recent[at] = firing[n].recent;",
        "to.recent[at] = 0;",
        "spikes of a ms are counted anew in every piece",
    ),
    Mutant(
        "cpu/spike_room.hpp",
        "if (count < limit) {",
        "{",
        "spikes are written beyond their room",
    ),
    Mutant(
        "cpu/loop/queue.hpp",
        "if (step == FIRED && waiting.size > 0 && waiting.first().time < t)",
        "if (step == NO_ROOM)",
        "what a spike sends at once is met late",
    ),
    Mutant(
        "cpu/loop/queue.hpp",
        "const int64_t n = reached[i];\n            sure[n] = 0;",
        "const int64_t n = reached[i];",
        "a neuron fires at a crossing from before an arrival",
    ),
    Mutant(
        "cpu/loop/queue.hpp",
        "if (at < due.time_of(n)) due.move(n, at);",
        "if (at < due.time_of(n) && !cells.adapts()) due.move(n, at);",
        "an arrival does not make an adaptive neuron due earlier",
    ),
    Mutant(
        "cpu/loop/queue_back.hpp",
        "after = just_behind(time);",
        "",
        "an arrival without a delay is met behind the spike that it followed",
    ),
    Mutant(
        "cpu/loop/queue_back.hpp",
        "ask(e, n, k, sender >= n ? after : time, R(weight[k]));",
        "ask(e, n, k, sender > n ? after : time, R(weight[k]));",
        "of a spike and what it sends to its own neuron at once the spike is met first",
    ),
    Mutant(
        "cpu/loop/queue_back.hpp",
        "settle();\n            walk_to(n, x, t);",
        "walk_to(n, x, t);",
        "a spike is met before all is known that it caused",
    ),
    Mutant(
        "cpu/loop/queue_back.hpp",
        "if (asking.event[i] != event && !same_spike(asking.event[i], event)) {",
        "if (asking.event[i] < 0) {",
        "what several spikes cause is added to one of them",
    ),
)
