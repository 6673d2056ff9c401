"""TSSL-BP and BIP in plain Python loops, one sample at a time, from the published sums.

Nothing here is shared with eventsim.clocked: traces and errors are sums over all pairs of steps,
where that uses recursions. A problem is a dict of populations in the order in which they run, each
with lists of parameters, and a list of projections (source, target, weights, delay in steps), whose
weights are nested lists [source][target], None where there is no synapse.
"""

import math


def kernel(n, tau, dt):
    return (1 - dt / tau) ** n / tau if n >= 0 else 0.0


def kernel_slope(n, tau, dt):
    """Derivative of the kernel by tau."""
    if n < 0:
        return 0.0
    base = 1 - dt / tau
    inner = n * base ** (n - 1) * dt / tau**2 if n else 0.0
    return -(base**n) / tau**2 + inner / tau


def pairs(problem, target, i):
    for source, to, weights, delay in problem["projections"]:
        if to == target:
            for j, row in enumerate(weights):
                if row[i] is not None:
                    yield source, j, row[i], delay


def current(problem, spikes, name, i, t, kernel=kernel):
    p, dt = problem["populations"][name], problem["dt"]
    total = 0.0
    for source, j, w, delay in pairs(problem, name, i):
        for k in range(t - delay + 1):
            total += w * spikes[source][k][j] * kernel(t - delay - k, p["tau_syn"][i], dt)
    return total


def forward(problem, counts):
    """Spikes, u, u after the reset, and whether it was held, [name][t][i]."""
    dt, n_steps = problem["dt"], len(counts)
    spikes, u, after, held = {"input": counts}, {}, {}, {}
    for name, p in problem["populations"].items():
        size = len(p["tau_mem"])
        for made in (spikes, u, after, held):
            made[name] = [[0] * size for _ in range(n_steps)]
    for t in range(n_steps):
        for name, p in problem["populations"].items():
            for i in range(len(p["tau_mem"])):
                before = after[name][t - 1][i] if t else 0.0
                x = current(problem, spikes, name, i, t)
                v = (1 - dt / p["tau_mem"][i]) * before + dt * p["resistance"][i] * x
                if p["kind"] == "readout":
                    u[name][t][i] = after[name][t][i] = v
                    continue
                hold = p["hold"][i]
                held[name][t][i] = any(spikes[name][k][i] for k in range(max(t - hold, 0), t))
                if held[name][t][i]:
                    v = p["reset"][i]
                fired = v > p["level"][i] and t < problem["steps"]
                spikes[name][t][i] = int(fired)
                u[name][t][i], after[name][t][i] = v, p["reset"][i] if fired else v
    return spikes, u, after, held


def backward(problem, counts, seeds):
    """Gradients of one sample, by (population, parameter) and by projection number."""
    dt, n_steps = problem["dt"], len(counts)
    spikes, u, after, held = forward(problem, counts)
    names = list(problem["populations"])
    delta = {n: [[0.0] * len(row) for row in u[n]] for n in names}
    seen = {n: [[False] * len(row) for row in u[n]] for n in names}
    theta = {n: [0.0] * len(problem["populations"][n]["tau_mem"]) for n in names}
    for t in range(n_steps - 1, -1, -1):
        for name in reversed(names):
            p = problem["populations"][name]
            for i in range(len(p["tau_mem"])):
                seed = seeds[name][t][i] if name in seeds else 0.0
                leak = 1 - dt / p["tau_mem"][i]
                if p["kind"] == "readout":
                    delta[name][t][i] = sum(
                        seeds[name][m][i] * leak ** (m - t) for m in range(t, n_steps)
                    )
                    continue
                q = seed + worth(problem, delta, name, i, t, n_steps)
                if held[name][t][i]:
                    continue
                before = after[name][t - 1][i] if t else 0.0
                fired = spikes[name][t][i]
                if fired:
                    rate = (u[name][t][i] - before) / dt
                    partial = -8.0 if rate == 0 else min(max(-1 / rate, -8.0), 0.0)
                    # d(trace)/dt := -tau_s * slope of the trace, as the published program has it
                    value = partial * -q
                    lever = u[name][t][i] - p["reset"][i]
                    value += theta[name][i] * lever * -1 / p["tau_mem"][i] * partial
                else:
                    value = leak * theta[name][i]
                theta[name][i] = value
                trace = sum(
                    spikes[name][k][i] * kernel(t - k, p["tau_syn"][i], dt) for k in range(t + 1)
                )
                low = trace < 1 / (4 * p["tau_syn"][i])
                if low:
                    z = min(max((p["level"][i] - u[name][t][i]) / 0.2, -8.0), 8.0)
                    value = q * dt * math.exp(z) / (0.2 * (1 + math.exp(z)) ** 2)
                delta[name][t][i] = value
                seen[name][t][i] = low or fired
    return collect(problem, spikes, after, delta, seen)


def worth(problem, delta, name, j, t, n_steps):
    dt, total = problem["dt"], 0.0
    for source, target, weights, delay in problem["projections"]:
        if source != name:
            continue
        p = problem["populations"][target]
        for i, w in enumerate(weights[j]):
            for m in range(t + delay, n_steps) if w is not None else ():
                effect = dt * p["resistance"][i] * kernel(m - t - delay, p["tau_syn"][i], dt)
                total += w * effect * delta[target][m][i]
    return total


def collect(problem, spikes, after, delta, seen):
    dt, found = problem["dt"], {}
    for name, p in problem["populations"].items():
        for i in range(len(p["tau_mem"])):
            sums = dict.fromkeys(("tau_mem", "tau_syn", "resistance", "threshold"), 0.0)
            for t, row in enumerate(delta[name]):
                before = after[name][t - 1][i] if t else 0.0
                sums["tau_mem"] += row[i] * dt / p["tau_mem"][i] ** 2 * before
                sums["resistance"] += row[i] * dt * current(problem, spikes, name, i, t)
                slope = current(problem, spikes, name, i, t, kernel_slope)
                sums["tau_syn"] += row[i] * dt * p["resistance"][i] * slope
                sums["threshold"] -= row[i] * seen[name][t][i]
            for key, value in sums.items():
                found.setdefault((name, key), []).append(value)
    for number, (source, target, weights, delay) in enumerate(problem["projections"]):
        p = problem["populations"][target]
        found[number] = [
            [
                sum(
                    delta[target][t][i]
                    * dt
                    * p["resistance"][i]
                    * spikes[source][k][j]
                    * kernel(t - delay - k, p["tau_syn"][i], dt)
                    for t in range(len(delta[target]))
                    for k in range(t - delay + 1)
                )
                for i in range(len(weights[j]))
            ]
            for j in range(len(weights))
        ]
    return found
