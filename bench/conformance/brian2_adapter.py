"""Brian2 on the conformance cases, at a fixed time step.

Needs brian2 and a NumPy that it imports with (brian2 2.9: ``"numpy<2"``)::

    eventsim conformance --adapter bench.conformance.brian2_adapter:step_0_01 --out brian2.json

The equations are integrated exactly from step to step (``method="exact"``), by Runge and Kutta's
rule (``rk4``) where equal time constants make Brian2's exact solution divide by zero. Input events,
delays and refractory times are rounded to the grid, and a spike has the time of the start of its
step; no bias is compensated. Brian2 refuses two events of one source in a step, so every input
event is a source of its own.
"""

from importlib.metadata import version

import brian2 as b2
import numpy as np

MAX_STEPS = 60_000  # a minute or so with the NumPy target, which needs no compiler
EQUATIONS = """
dv/dt = (v_leak - v + resistance * current) / tau_mem : 1 (unless refractory)
dcurrent/dt = -current / tau_syn : 1
tau_mem : second (constant)
tau_syn : second (constant)
t_ref : second (constant)
resistance : 1 (constant)
v_th : 1 (constant)
v_leak : 1 (constant)
v_reset : 1 (constant)
"""


class Brian2:
    """Brian2 at one time step, in ms."""

    name = "brian2"
    capabilities = frozenset({"lateral"})
    precision = "double"

    def __init__(self, dt):
        self.dt = dt
        self.version = version("brian2")
        self.settings = f"dt = {dt:g} ms, exact integration, rk4 for equal time constants"

    def supports(self, case):
        steps = case.duration / self.dt
        return f"takes {steps:.0f} steps of {self.dt:g} ms" if steps > MAX_STEPS else None

    def run(self, case):
        b2.prefs.codegen.target = "numpy"
        b2.defaultclock.dt = self.dt * b2.ms
        groups = {p.name: _group(p) for p in case.populations[1:]}
        monitors = {name: b2.SpikeMonitor(group) for name, group in groups.items()}
        source = _source(case)
        wires = [
            _wire(case, projection, source, groups)
            for projection in case.projections
            if source is not None or projection.source != case.input.name
        ]
        parts = [*groups.values(), *monitors.values(), *wires]
        network = b2.Network(parts + ([source] if source is not None else []))
        network.run(case.duration * b2.ms)
        return {
            name: [
                [float(t / b2.ms) for t in times if t / b2.ms < case.duration]
                for _, times in sorted(monitor.spike_trains().items())
            ]
            for name, monitor in monitors.items()
        }


def _group(population):
    p = {name: np.array(values) for name, values in population.parameters.items()}
    equal = np.isclose(p["tau_mem"], p["tau_syn"], rtol=1e-9, atol=0.0).any()
    group = b2.NeuronGroup(
        population.size,
        EQUATIONS,
        threshold="v >= v_th",
        reset="v = v_reset",
        refractory="t_ref",
        method="rk4" if equal else "exact",
    )
    group.tau_mem, group.tau_syn = p["tau_mem"] * b2.ms, p["tau_syn"] * b2.ms
    group.t_ref, group.resistance = p["refractory"] * b2.ms, p["resistance"]
    group.v_th, group.v_leak, group.v_reset = p["threshold"], p["v_leak"], p["v_reset"]
    group.v = np.where(p["v_leak"] >= p["threshold"], p["v_reset"], p["v_leak"])
    return group


def _source(case):
    """One source per input event, or None without events."""
    events = [event for event in case.events if event.time < case.duration]
    if not events:
        return None
    times = np.array([event.time for event in events]) * b2.ms
    return b2.SpikeGeneratorGroup(len(events), np.arange(len(events)), times)


def _wire(case, projection, source, groups):
    rows = [tuple(row) for row in projection.synapses]
    pre = groups.get(projection.source, source)
    if projection.source == case.input.name:
        events = [event for event in case.events if event.time < case.duration]
        rows = [(k, *row[1:]) for k, e in enumerate(events) for row in rows if row[0] == e.channel]
    synapses = b2.Synapses(pre, groups[projection.target], "w : 1", on_pre="current_post += w")
    sources, targets, weights, delays = (np.array(column) for column in zip(*rows, strict=True))
    synapses.connect(i=sources, j=targets)
    synapses.w = weights
    synapses.delay = delays * b2.ms
    return synapses


def step_0_1():
    """0.1 ms, the usual step."""
    return Brian2(0.1)


def step_0_01():
    """A hundredth of a millisecond."""
    return Brian2(0.01)
