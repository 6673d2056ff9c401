"""jaxsnn's event-based simulation on the conformance cases.

Needs ``pip install jaxsnn``::

    eventsim conformance --adapter bench.conformance.jaxsnn_adapter:double --out jaxsnn.json

It has exact times in closed form, for tau_mem = tau_syn or 2 tau_syn, equal parameters in a
population, one delay per projection, no refractory time, and a leak below the threshold. Voltages
are given to it in units of threshold - leak, weights times the resistance.
"""

import math
from importlib.metadata import version

import jax
import jax.numpy as jnp
import numpy as np
from jaxsnn.event.modules import LIF, Linear, Source
from jaxsnn.event.modules.lif.parameters import LIFParameters
from jaxsnn.event.topology import Topology
from jaxsnn.event.types import Spike

MORE_STEPS = 20  # beyond the events and spikes that there are: room for extra ones


class Jaxsnn:
    """jaxsnn in one precision."""

    name = "jaxsnn"
    capabilities = frozenset({"lateral"})

    def __init__(self, precision):
        self.precision = precision
        self.version = version("jaxsnn")
        self.settings = "closed forms, float64" if precision == "double" else "float32"
        jax.config.update("jax_enable_x64", precision == "double")

    def supports(self, case):
        for population in case.populations[1:]:
            p = population.parameters
            ratios = {m / s for m, s in zip(p["tau_mem"], p["tau_syn"], strict=True)}
            if not ratios <= {1.0, 2.0}:
                return "time constants, needs tau_mem = tau_syn or 2 tau_syn"
            if any(p["refractory"]):
                return "a refractory time"
            gaps = [a - b for a, b in zip(p["threshold"], p["v_leak"], strict=True)]
            if min(gaps) <= 0:
                return "a leak that is not below the threshold"
            if any(len(set(p[name])) > 1 for name in ("tau_mem", "tau_syn")):
                return "time constants that differ in a population"
            if len({_reset(population, j) for j in range(population.size)}) > 1:
                return "resets that differ in a population"
        for projection in case.projections:
            if len({row.delay for row in projection.synapses}) > 1:
                return "delays that differ in a projection"
        return None

    def run(self, case):
        net = Topology(t_max=case.duration)
        n_steps = len(case.events) + case.n_spikes + MORE_STEPS
        modules = {case.input.name: Source(case.input.size)}
        for population in case.populations[1:]:
            modules[population.name] = LIF(
                population.size, n_steps * max(1, population.size), _parameters(population)
            )
        edges = []
        for projection in case.projections:
            name = f"{projection.source}->{projection.target}"
            delay = projection.synapses[0].delay
            modules[name] = Linear(min_delay=delay, pre_weights=_weights(case, projection))
            edges += [(projection.source, name), (name, projection.target)]
        net.add(modules)
        net.connect(edges)
        init, apply = net.done()
        weights = init(jax.random.PRNGKey(0))
        found = jax.jit(apply)({case.input.name: _input(case)}, weights)
        return {p.name: _spikes(found[p.name], p.size, case) for p in case.populations[1:]}


def _reset(population, j):
    p = population.parameters
    return (p["v_reset"][j] - p["v_leak"][j]) / (p["threshold"][j] - p["v_leak"][j])


def _parameters(population):
    p = population.parameters
    return LIFParameters(
        tau_syn=p["tau_syn"][0], tau_mem=p["tau_mem"][0], v_th=1.0, v_reset=_reset(population, 0)
    )


def _weights(case, projection):
    sizes = {population.name: population.size for population in case.populations}
    target = next(p for p in case.populations if p.name == projection.target).parameters
    weights = np.zeros((sizes[projection.source], sizes[projection.target]))
    for row in projection.synapses:
        gap = target["threshold"][row.target] - target["v_leak"][row.target]
        weights[row.source, row.target] = row.weight * target["resistance"][row.target] / gap
    return jnp.asarray(weights)


def _input(case):
    events = sorted(case.events) or [(math.inf, 0)]
    times = jnp.asarray([[event[0] for event in events]])
    index = jnp.asarray([[event[1] for event in events]])
    return Spike(
        time=times,
        idx=index,
        current=jnp.zeros_like(times),
        layer_idx=jnp.zeros_like(index),
        internal=jnp.ones_like(index, dtype=bool),
    )


def _spikes(spikes, size, case):
    times, index, own = (np.asarray(x)[0] for x in (spikes.time, spikes.idx, spikes.internal))
    own = own & (times < case.duration)
    return [sorted(times[own & (index == j)].tolist()) for j in range(size)]


def double():
    """In float64."""
    return Jaxsnn("double")


def single():
    """In float32, as it comes."""
    return Jaxsnn("single")
