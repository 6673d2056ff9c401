r"""Readout population: the weighted integral of a leaky integrator's voltage, in closed form.

.. math::
    Y = \int_0^T e^{-\mu t}\, V(t)\, dt
      = E\, T \phi(\mu T) + \sum_{\text{arrivals}} R\, w\, e^{-\mu t}\, K(T - t)

with :math:`K` from :func:`eventsim.neuron.lif.integral_gain`, whose derivative is
:math:`K'(L) = e^{-\mu L} g(L)`.
"""

import math

import numpy as np

from eventsim.arrays import Floats
from eventsim.engine.contract.job import Job, StageGradients
from eventsim.engine.contract.table import stage_gradients
from eventsim.engine.reference.walk import gather
from eventsim.neuron.lif import integral_gain, integral_gain_slopes, phi, synaptic_gain


def forward(job: Job, rate: float) -> Floats:
    p = job.stage.population
    result = np.zeros((job.n_samples, p.size))
    for sample, end in enumerate(job.duration):
        for k in range(p.size):
            total = sum(
                a.weight
                * math.exp(-rate * a.time)
                * integral_gain(end - a.time, p.tau_mem[k], p.tau_syn[k], rate)
                for a in gather(job, sample, k)
            )
            result[sample, k] = p.resistance[k] * total + p.v_leak[k] * end * phi(rate * end)
    return result


def backward(job: Job, rate: float, by_integral: Floats) -> StageGradients:
    p, synapses = job.stage.population, job.stage.wiring.synapse.size
    weights, delays = np.zeros(synapses), np.zeros(synapses)
    source_times = tuple(np.zeros(source.times.size) for source in job.sources)
    sums = {name: np.zeros(p.size) for name in ("tau_mem", "tau_syn", "resistance", "v_leak")}
    for sample, end in enumerate(job.duration):
        for k in range(p.size):
            taus, scale = (p.tau_mem[k], p.tau_syn[k]), by_integral[sample, k]
            sums["v_leak"][k] += scale * end * phi(rate * end)
            for a in gather(job, sample, k):
                span, fade = end - a.time, math.exp(-rate * a.time)
                gain = fade * integral_gain(span, *taus, rate)
                by_tau_mem, by_tau_syn = integral_gain_slopes(span, *taus, rate)
                unit = scale * p.resistance[k]
                weights[a.synapse] += unit * gain
                sums["resistance"][k] += scale * a.weight * gain
                sums["tau_mem"][k] += unit * a.weight * fade * by_tau_mem
                sums["tau_syn"][k] += unit * a.weight * fade * by_tau_syn
                end_value = math.exp(-rate * span) * synaptic_gain(span, *taus)
                later = -unit * a.weight * (rate * gain + fade * end_value)
                delays[a.synapse] += later
                source_times[a.afferent][a.spike] += later
    return stage_gradients(job, sums, weights=weights, delays=delays, effects=source_times)
