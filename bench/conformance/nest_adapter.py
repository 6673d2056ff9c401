"""NEST's neurons with precise spike times on the conformance cases.

Needs ``pip install nest-simulator``::

    eventsim conformance --adapter bench.conformance.nest_adapter:ps --out nest.json

``iaf_psc_exp_ps`` and ``iaf_psc_exp_ps_lossless`` have spike times off the grid, but a delay and a
refractory time of at least one step, both multiples of it; cases without are reported as not
supported. The current I of a case is NEST's in pA, V in mV, and C = tau_m / R. Every arrival of an
input has a generator of its own that sends one step early, so that input delays may have any value.
"""

import nest
import numpy as np

MAX_STEPS = 20_000_000
SLACK = 1e-9  # ms; how near a multiple of the step is one


class Nest:
    """A model of NEST at a resolution in ms."""

    name = "nest"
    capabilities = frozenset({"lateral"})
    precision = "double"

    def __init__(self, model, resolution=0.01):
        self.model, self.resolution = model, resolution
        self.version = nest.__version__
        self.settings = f"{model}, dt = {resolution:g} ms"
        nest.set_verbosity("M_FATAL")

    def supports(self, case):
        step = self.resolution
        if case.duration / step > MAX_STEPS:
            return f"takes {case.duration / step:.0f} steps of {step:g} ms"
        for population in case.populations[1:]:
            if self.model.endswith("lossless") and _equal_taus(population):
                return "equal time constants"
            for time in population.parameters["refractory"]:
                if not self._on_grid(time):
                    return f"refractory time {time:g} ms, needs a multiple of {step:g} ms, not 0"
        for projection in case.projections:
            for row in projection.synapses:
                if projection.source != case.input.name and not self._on_grid(row.delay):
                    return f"delay {row.delay:g} ms, needs a multiple of {step:g} ms, not 0"
        if not _rests(case) and any(time <= step for _, _, time, _ in self._arrivals(case)):
            return "an arrival in the first step of a neuron that fires by itself"
        return None

    def run(self, case):
        nest.ResetKernel()
        nest.resolution = self.resolution
        shift = self._shift(case)
        groups = {p.name: self._create(p) for p in case.populations[1:]}
        recorders = {}
        for name, group in groups.items():
            recorders[name] = nest.Create("spike_recorder")
            nest.Connect(group, recorders[name])
        for name, neuron, time, weight in self._arrivals(case):
            self._send(groups[name][neuron], time + shift, weight)
        for projection in case.projections:
            if projection.source != case.input.name:
                for row in projection.synapses:
                    nest.Connect(
                        groups[projection.source][row.source],
                        groups[projection.target][row.target],
                        syn_spec={"weight": row.weight, "delay": row.delay},
                    )
        steps = int(np.ceil((case.duration + shift) / self.resolution)) + 1
        nest.Simulate(steps * self.resolution)
        return {
            p.name: self._read(recorders[p.name], groups[p.name], case.duration, shift)
            for p in case.populations[1:]
        }

    def _on_grid(self, time):
        steps = time / self.resolution
        return steps > 0.5 and abs(steps - round(steps)) * self.resolution < SLACK

    def _arrivals(self, case):
        """(population, neuron, time, weight) of every input arrival inside the sample."""
        return [
            (projection.target, row.target, event.time + row.delay, row.weight)
            for projection in case.projections
            if projection.source == case.input.name
            for event in case.events
            for row in projection.synapses
            if row.source == event.channel and event.time + row.delay < case.duration
        ]

    def _shift(self, case):
        """NEST sends nothing at time 0; neurons at rest may start later."""
        early = any(time <= 2 * self.resolution for _, _, time, _ in self._arrivals(case))
        return 1.0 if early else 0.0

    def _create(self, population):
        p = {name: np.array(values) for name, values in population.parameters.items()}
        neurons = nest.Create(self.model, population.size)
        neurons.set(
            tau_m=p["tau_mem"].tolist(),
            tau_syn_ex=p["tau_syn"].tolist(),
            tau_syn_in=p["tau_syn"].tolist(),
            C_m=(p["tau_mem"] / p["resistance"]).tolist(),
            V_th=p["threshold"].tolist(),
            E_L=p["v_leak"].tolist(),
            V_reset=p["v_reset"].tolist(),
            t_ref=p["refractory"].tolist(),
        )
        start = np.where(p["v_leak"] >= p["threshold"], p["v_reset"], p["v_leak"])
        neurons.set(V_m=start.tolist())
        return neurons

    def _send(self, neuron, time, weight):
        generator = nest.Create(
            "spike_generator",
            params={"spike_times": [time - self.resolution], "precise_times": True},
        )
        nest.Connect(generator, neuron, syn_spec={"weight": weight, "delay": self.resolution})

    def _read(self, recorder, group, duration, shift):
        events = recorder.get("events")
        times = np.asarray(events["times"], dtype=float) - shift
        return [
            sorted(times[(events["senders"] == i) & (times < duration)].tolist())
            for i in group.tolist()
        ]


def _equal_taus(population):
    p = population.parameters
    return any(m == s for m, s in zip(p["tau_mem"], p["tau_syn"], strict=True))


def _rests(case):
    """Whether no neuron fires without input."""
    return all(
        leak < threshold
        for p in case.populations[1:]
        for leak, threshold in zip(p.parameters["v_leak"], p.parameters["threshold"], strict=True)
    )


def ps():
    """Precise spike times."""
    return Nest("iaf_psc_exp_ps")


def lossless():
    """Precise spike times, and no grazing spike lost, as its authors say."""
    return Nest("iaf_psc_exp_ps_lossless")
