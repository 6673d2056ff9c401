"""A network in fixed steps, in plain loops over steps and populations: dense matrices, no plan.

The equations are those of :mod:`eventsim.clocked.network`. Nothing else is shared with it.
"""

import numpy as np


def stepped(net, stream, dt):
    """Spikes and voltages above rest of every population, each [steps, samples, neurons]."""
    names, n = list(net.populations), len(stream)
    n_steps = np.ceil(stream.duration / dt - 1e-9).astype(int)
    shape, alive = (n_steps.max(), n), np.arange(n_steps.max())[:, None] < n_steps
    spikes = {name: np.zeros((*shape, net.populations[name].size)) for name in names}
    for k in range(n):
        times, channels = stream.sample(k)
        np.add.at(spikes[net.input.name], (np.floor(times / dt).astype(int), k, channels), 1.0)
    leads = np.eye(len(names), dtype=bool)  # whether a population reaches another
    for p in net.projections.values():
        leads[names.index(p.source), names.index(p.target)] = True
    for _ in names:
        leads |= leads @ leads
    sent = {name: [] for name in names}
    for p in net.projections.values():
        a, b = names.index(p.source), names.index(p.target)
        steps = np.rint(np.broadcast_to(p.delays, net.populations[p.source].size) / dt)
        steps = np.maximum(steps, leads[a, b] and leads[b, a]).astype(int)
        sent[p.target].append((spikes[p.source], _dense(p), steps))
    order = sorted(net.neurons, key=lambda name: leads[:, names.index(name)].sum())
    state = {name: np.zeros((3, n, net.populations[name].size)) for name in order}
    voltages = {name: np.zeros((*shape, net.populations[name].size)) for name in order}
    for t in range(shape[0]):
        for name in order:
            p, (x, u, free) = net.populations[name], state[name]
            x *= 1 - dt / p.tau_syn
            for source, weights, steps in sent[name]:
                for d in np.unique(steps[steps <= t]):
                    x += (source[t - d] * (steps == d)) @ weights / p.tau_mem
            u[...] = (1 - dt / p.tau_mem) * u + dt * p.resistance * x
            if p.is_spiking:
                reset = p.v_reset - p.v_leak
                u[...] = np.where(free > t, reset, u)
                fires = (u > p.threshold - p.v_leak) & alive[t, :, None]
                spikes[name][t] = fires
                free[...] = np.where(fires, t + 1 + np.rint(p.refractory / dt), free)
            voltages[name][t] = u
            if p.is_spiking:
                u[...] = np.where(fires, reset, u)
    return {name: (spikes[name], voltages[name]) for name in order}


def _dense(projection):
    if projection.kind == "self":
        return np.diag(projection.values)
    weights = projection.weights
    return weights if isinstance(weights, np.ndarray) else weights.toarray()
