"""Every count of eventsim.energy again, event by event, in loops of plain Python."""

import math
from collections import Counter, defaultdict
from fractions import Fraction

import numpy as np


def spikes_of(net, tape):
    """Population -> list of (sample, time, neuron)."""
    found = {}
    for population in net.populations.values():
        if population.kind == "readout":
            continue
        events = tape.stream if population.kind == "input" else tape[population.name]
        units = events.channels if population.kind == "input" else events.neurons
        found[population.name] = [
            (sample, float(events.times[k]), int(units[k]))
            for sample in range(tape.stream.n_samples)
            for k in range(events.offsets[sample], events.offsets[sample + 1])
        ]
    return found


def synapses_of(projection):
    """(source, target, weight, delay) of every stored synapse."""
    kind, weights, delays = projection.kind, projection.weights, projection.delays
    if kind == "self":
        return [(n, n, w, float(delays if delays.ndim == 0 else delays[n]))
                for n, w in enumerate(weights)]  # fmt: skip
    found = []
    rows, columns = weights.shape
    number = 0
    for i in range(rows):
        if kind == "sparse":
            places = range(weights.indptr[i], weights.indptr[i + 1])
            entries = [(int(weights.indices[k]), float(weights.data[k])) for k in places]
        else:
            entries = [(j, float(weights[i, j])) for j in range(columns)]
        for j, w in entries:
            if delays.ndim == 0:
                delay = float(delays)
            elif projection.delay_per_synapse:
                delay = float(delays[number] if kind == "sparse" else delays[i, j])
            else:
                delay = float(delays[i])
            found.append((i, j, w, delay))
            number += 1
    return found


def arrivals_of(net, tape, name):
    """(sample, time, source, target, weight, synapse) of every arrival before the end."""
    projection = net.projections[name]
    by_source = defaultdict(list)
    for number, (i, j, w, d) in enumerate(synapses_of(projection)):
        by_source[i].append((number, j, w, d))
    found = []
    for sample, time, source in spikes_of(net, tape)[projection.source]:
        for number, target, weight, delay in by_source[source]:
            if time + delay < tape.stream.duration[sample]:
                found.append((sample, time + delay, source, target, weight, number))
    return found


def in_steps(time, step_ms):
    """A time in steps; a whole number where only the last bits of decimals stand between."""
    exact = Fraction(float(time)) / Fraction(float(step_ms))
    return round(exact) if abs(exact - round(exact)) < 1e-9 else exact


def step_of(time, end, step_ms):
    return min(math.floor(in_steps(time, step_ms)), math.ceil(in_steps(end, step_ms)) - 1)


def leaving(net, spikes, n):
    """Answers, or spikes of the populations that no other hears, per sample."""
    if net.answer is not None or any(p.kind == "readout" for p in net.populations.values()):
        return [1] * n
    sending = {p.source for p in net.projections.values() if p.source != p.target}
    ends = [p.name for p in net.populations.values() if p.kind != "input" and p.name not in sending]
    ends = ends or [list(net.populations)[-1]]
    return [sum(e[0] == s for name in ends for e in spikes[name]) for s in range(n)]


def recount(net, tape):
    """Everything that needs no step, per sample where it is per sample."""
    n = tape.stream.n_samples
    spikes = spikes_of(net, tape)
    events, effective, active = {}, {}, {}
    meetings = defaultdict(set)
    for name, projection in net.projections.items():
        found = arrivals_of(net, tape, name)
        events[name] = [sum(a[0] == s for a in found) for s in range(n)]
        effective[name] = [sum(a[0] == s and a[4] != 0 for a in found) for s in range(n)]
        active[name] = len({a[5] for a in found if a[4] != 0})
        meetings[projection.target] |= {(a[0], a[3], a[1]) for a in found if a[4] != 0}
    return {
        "spikes": {p: [sum(e[0] == s for e in all_) for s in range(n)]
                   for p, all_ in spikes.items()},
        "silent": {p: [net.populations[p].size - len({e[2] for e in all_ if e[0] == s})
                       for s in range(n)] for p, all_ in spikes.items()},
        "synaptic_events": events,
        "effective_events": effective,
        "active": active,
        "events_in": [sum(e[0] == s for e in spikes[net.input.name]) for s in range(n)],
        "events_out": leaving(net, spikes, n),
        "membrane_updates": {p.name: [sum(m[0] == s for m in meetings[p.name]) for s in range(n)]
                             for p in net.populations.values() if p.kind != "input"},
    }  # fmt: skip


def recount_steps(net, tape, step_ms, batch_size=1):
    """Everything that needs a step, per sample."""
    n, end = tape.stream.n_samples, tape.stream.duration
    own = [math.ceil(in_steps(length, step_ms)) for length in end]
    batch = [range(s // batch_size * batch_size, min(n, s // batch_size * batch_size + batch_size))
             for s in range(n)]  # fmt: skip
    steps = [max(own[k] for k in batch[s]) for s in range(n)]
    dense, acs, macs = {}, {}, {}
    meetings = defaultdict(set)
    for name, projection in net.projections.items():
        rows = projection.weights.shape
        possible = rows[0] * (rows[1] if len(rows) == 2 else 1)
        dense[name] = [possible * s for s in steps]
        acs[name], macs[name] = [0] * n, [0] * n
        inputs, operations = Counter(), defaultdict(set)
        for sample, time, source, target, weight, number in arrivals_of(net, tape, name):
            step = step_of(time, end[sample], step_ms)
            if weight != 0:
                meetings[projection.target].add((sample, target, step))
            unit = number if projection.delay_per_synapse else source
            operations[sample, step] |= {(unit, number)} if weight != 0 else set()
            if projection.delay_per_synapse:
                inputs[sample, step, unit] += 1
        if not projection.delay_per_synapse:
            # The call sees a source's events also if no synapse leads on from there.
            delays = [float(d) for d in np.broadcast_to(projection.delays, rows[:1])]
            for sample, time, source in spikes_of(net, tape)[projection.source]:
                if time + delays[source] < end[sample]:
                    step = step_of(time + delays[source], end[sample], step_ms)
                    inputs[sample, step, source] += 1
        # An input with two events in a call makes multiplications of all of that call.
        repeated = {(s // batch_size, step) for (s, step, _), k in inputs.items() if k > 1}
        for (sample, step), found in operations.items():
            kind = macs if (sample // batch_size, step) in repeated else acs
            kind[name][sample] += len(found)
    fired = {
        p: {(s, unit, step_of(t, end[s], step_ms)) for s, t, unit in spikes_of(net, tape)[p]}
        for p in net.populations
        if net.populations[p].kind == "spiking"
    }
    return {
        "steps": steps,
        "dense": dense,
        "effective_acs": acs,
        "effective_macs": macs,
        "active_updates": {p.name: [sum(m[0] == s for m in meetings[p.name]) for s in range(n)]
                           for p in net.populations.values() if p.kind != "input"},
        "activations": {p: [sum(f[0] == s for f in all_) for s in range(n)]
                        for p, all_ in fired.items()},
    }  # fmt: skip
