"""Every synapse and every arrival of a network, spelled out one by one.

Nothing here is fast. It is the brute-force reading of the wiring against which counts, currents
and the stepping integrator are made.
"""

from dataclasses import dataclass

import numpy as np


@dataclass(frozen=True)
class Synapses:
    """Parallel arrays, one entry per stored synapse."""

    sources: np.ndarray
    targets: np.ndarray
    weights: np.ndarray
    delays: np.ndarray


def synapses(net, projection):
    """All synapses of a projection. New arrays."""
    if projection.kind == "self":
        n = net.populations[projection.target].size
        return Synapses(
            np.arange(n),
            np.arange(n),
            np.array(projection.weights, dtype=float),
            np.array(np.broadcast_to(np.asarray(projection.delays, dtype=float).ravel(), (n,))),
        )
    n_sources = net.populations[projection.source].size
    n_targets = net.populations[projection.target].size
    if projection.kind == "dense":
        sources = np.repeat(np.arange(n_sources), n_targets)
        targets = np.tile(np.arange(n_targets), n_sources)
        weights = np.asarray(projection.weights, dtype=float).ravel()
    else:
        csr = projection.weights
        sources = np.repeat(np.arange(n_sources), np.diff(csr.indptr))
        targets = np.asarray(csr.indices)
        weights = np.asarray(csr.data, dtype=float)
    delays = np.asarray(projection.delays, dtype=float).ravel()
    if delays.size == 1:
        delays = np.full(weights.size, delays[0])
    elif projection.delays_of == "source":
        delays = delays[sources]
    assert delays.size == weights.size
    return Synapses(sources, targets, weights, delays)


def run_order(net):
    """Population names, each after all its sources; self-connections do not count."""
    waiting = {name: set() for name in net.populations}
    for projection in net.projections.values():
        if projection.source != projection.target:
            waiting[projection.target].add(projection.source)
    order = []
    while waiting:
        ready = [name for name, sources in waiting.items() if sources <= set(order)]
        assert ready, "the network has a cycle"
        order.append(ready[0])
        del waiting[ready[0]]
    return order


def events_of(stream, spikes, net, name, sample):
    """``(times, neurons)`` of an input or of an already computed spiking population."""
    if net.populations[name].kind == "input":
        return stream.sample(sample)
    source = spikes[name]
    return source.sample(sample) if hasattr(source, "sample") else source[sample]


def arrivals_by_target(net, stream, spikes, name, sample, *, lateral=False):
    """Arrivals before the sample's end, without self-connections: per neuron (time, weight).

    ``lateral``: those from other neurons of the same population too.
    """
    duration = float(stream.duration[sample])
    arrivals = [[] for _ in range(net.populations[name].size)]
    for projection in net.projections.values():
        inside = projection.source == name
        if projection.target != name or (inside and not (lateral and projection.kind != "self")):
            continue
        wires = synapses(net, projection)
        times, senders = events_of(stream, spikes, net, projection.source, sample)
        for time, sender in zip(times, senders, strict=True):
            for k in np.flatnonzero(wires.sources == sender):
                when = float(time) + float(wires.delays[k])
                if when < duration:
                    arrivals[wires.targets[k]].append((when, float(wires.weights[k])))
    return arrivals


def count_synaptic_events(net, stream, tape):
    """Deliveries before the sample's end, by projection name."""
    counts = {}
    for name, projection in net.projections.items():
        wires = synapses(net, projection)
        total = 0
        for sample in range(stream.n_samples):
            duration = float(stream.duration[sample])
            times, senders = events_of(stream, tape, net, projection.source, sample)
            for time, sender in zip(times, senders, strict=True):
                delays = wires.delays[wires.sources == sender]
                total += sum(float(time) + float(d) < duration for d in delays)
        counts[name] = total
    return counts


def current_before(net, tape, name, sample, neuron, time):
    """Current of one neuron just before ``time``, self-connection included, by superposition."""
    population = net.populations[name]
    arrivals = arrivals_by_target(net, tape.stream, tape, name, sample)[neuron]
    loop = net.projections.get(f"{name}->{name}")
    if loop is not None:
        wires = synapses(net, loop)
        times, neurons = tape[name].sample(sample)
        own = times[neurons == neuron]
        arrivals = arrivals + [(t + wires.delays[neuron], wires.weights[neuron]) for t in own]
    tau = float(population.tau_syn[neuron])
    return sum(w * np.exp(-(time - t) / tau) for t, w in arrivals if t < time)


def slope_before(net, tape, name, sample, neuron, time):
    """Slope of V (1/ms) just before a spike of one neuron."""
    population = net.populations[name]
    current = current_before(net, tape, name, sample, neuron, time)
    drive = population.resistance[neuron] * current
    gap = population.threshold[neuron] - population.v_leak[neuron]
    return float((drive - gap) / population.tau_mem[neuron])
