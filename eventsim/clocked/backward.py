r"""Backward pass on the grid: TSSL-BP for weights, BIP for the neurons' own parameters.

Let :math:`q_j[t]` be the derivative of the loss by one spike of neuron j in step t, through all
that the neuron sends out:

.. math::
    q_j[t] = \frac{\partial L}{\partial s_j[t]} + \sum_i w_{ij}\, g_i[t + d_{ij}], \qquad
    g_i[t] = \frac{1}{\tau_{s,i}} \sum_{m \ge t} \Big(1 - \frac{\Delta}{\tau_{s,i}}\Big)^{m-t}
             \Delta R_i\, \delta_i[m],

:math:`\delta = \partial L / \partial u`, and :math:`\Delta u[t] = u[t] - \tilde u[t-1]`. TSSL-BP
(arXiv 2002.10085) takes in the step of a spike, with
:math:`\kappa = \mathrm{clip}(\Delta / \Delta u, 0, 8)`, which is
:math:`-\mathrm{clamp}(-1/\Delta u, -8, 0)` at 1 ms,

.. math:: \delta[t] = \kappa\, \Big(q[t] + \frac{u[t] - (V_r - E)}{\tau_m}\, \Theta\Big),

and otherwise :math:`\delta[t] = (1 - \Delta / \tau_m)\, \Theta`, where :math:`\Theta` is
:math:`\delta` of the step after (0 past the end; unchanged over steps in which u is held, whose
own :math:`\delta` is 0). The first term is the dependence between neurons. It is the shift of the
spike's time, :math:`\partial t / \partial u = -1/\dot u`, times the change of its trace with time.
For that change the published program takes minus :math:`\tau_s` times the slope of the trace, minus
the trace itself, so that more voltage always gives more trace. This program does the same. (A later
revision of the published program adds the first term in steps without a spike as well. This program
follows the earlier one.) The second term is the dependence inside the neuron: the reset moves with
the spike.

A neuron whose own trace :math:`a[t]` lies below :math:`1 / (4 \tau_s)` has been silent for long.
Then

.. math::
    \delta[t] = \frac{\Delta}{1\,\mathrm{ms}}\, q[t]\, \frac{e^{z}}{\alpha\,(1 + e^z)^2}, \qquad
    z = \mathrm{clip}\Big(\frac{\vartheta - E - u[t]}{\alpha}, -8, 8\Big),\ \alpha = 0.2,

the derivative of a sigmoid, takes the place of the spike's term; as published, it does not enter
:math:`\Theta`. Because of the factors :math:`\Delta` the gradient of a given input does not grow as
the step shrinks; they are 1 in the published method.

**BIP** (arXiv 2010.12691) is the chain rule from :math:`\delta` to the parameters in u:

.. math::
    \frac{\partial L}{\partial \tau_m} &= \sum_t \delta[t]\, \frac{\Delta}{\tau_m^2}\,
        \tilde u[t-1], &
    \frac{\partial L}{\partial R} &= \sum_t \delta[t]\, \Delta\, x[t], \\
    \frac{\partial L}{\partial \tau_s} &= \sum_t g[t]\, (x[t-1] - x[t]), &
    \frac{\partial L}{\partial \vartheta} &= -\sum_t \delta[t]\,
        [\text{spike, or } a[t] < 1/4\tau_s].

A readout has no threshold: :math:`\delta[t] = \partial L/\partial u[t] + (1 - \Delta/\tau_m)\,
\delta[t+1]`, and all its gradients are exact.
"""

from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from eventsim.clocked.forward import ClockedRun, Coefficients, GridRecord, lateral_names
from eventsim.clocked.synapses import Array
from eventsim.errors import ParameterError
from eventsim.network import Population
from eventsim.plan import Stage
from eventsim.train.config import Intrinsic

STEEPEST = 8.0  # of 1 / du, per ms
SURROGATE_WIDTH = 0.2
SURROGATE_RANGE = 8.0
BIP: tuple[Intrinsic, ...] = ("tau_mem", "tau_syn", "resistance", "threshold")

Gradients = dict[str, NDArray[np.float64]]


def backward(
    run: ClockedRun,
    seeds: Mapping[str, Array],
    *,
    per_spike: Mapping[str, NDArray[np.float64]] | None = None,
) -> Gradients:
    """Gradients of a loss by weights and by the parameters of the neurons.

    Parameters
    ----------
    run
        A run with ``keep=True``.
    seeds
        By population, [steps, samples, size]: dL/ds of a spiking population, dL/du of a readout.
    per_spike
        By population, [size]: what is added to dL/du in the step of every spike, as
        :meth:`RateBand.slopes` gives it.

    Returns
    -------
    dict
        Keys and shapes as in ``run.clocked.grid.parameters()``, without those that have no
        gradient here (v_leak, v_reset, refractory, delays).

    Raises
    ------
    ParameterError
        The run did not keep what is needed.
    """
    worth: dict[str, Array] = {}
    for name, record in run.records.items():
        if record.spikes is not None and record.low is None:
            raise ParameterError(
                "clocked.backward",
                "the run was made without keep=True",
                remedy="Pass keep=True to run().",
            )
        given = seeds.get(name)
        blank = np.zeros_like(record.voltage)
        worth[name] = blank if given is None else given.astype(record.voltage.dtype)
    gradients: Gradients = {}
    for stage in reversed(run.plan.stages):
        _backward_stage(run, stage, worth, per_spike or {}, gradients)
    return gradients


def _backward_stage(
    run: ClockedRun,
    stage: Stage,
    worth: dict[str, Array],
    per_spike: Mapping[str, NDArray[np.float64]],
    gradients: Gradients,
) -> None:
    """Turn derivatives by the members' spikes into those by their inputs, in the same arrays."""
    members = {
        p.name: _Retreat(p, run.records[p.name], run.clocked.dt, per_spike.get(p.name))
        for p in stage.members
    }
    inside = [run.synapses[name] for name in lateral_names(stage)]
    for t, n in reversed(list(enumerate(run.events.live))):
        for link in inside:
            p = link.projection
            link.back_at(worth[p.target][:, :n], t, worth[p.source][t, :n])
        for name, member in members.items():
            member.step(t, worth[name][t, :n])
    for name, member in members.items():
        gradients |= {f"{name}.{key}": value for key, value in member.gradients().items()}
    for p in (*stage.afferents, *(link.projection for link in inside)):
        link, errors = run.synapses[p.name], worth[p.target]
        gradients[f"{p.name}.weights"] = link.gradient(run.spikes(p.source), errors)
        if p.source in worth and p.source not in members:
            link.add_back(errors, worth[p.source])
    for name in members:
        del worth[name]


class _Retreat:
    """Backward pass of one population through the steps."""

    def __init__(
        self,
        population: Population,
        record: GridRecord,
        dt: float,
        per_spike: NDArray[np.float64] | None,
    ):
        self.record, self.dt = record, dt
        dtype, shape = record.voltage.dtype, record.voltage.shape[1:]
        self.c = Coefficients(population, dt, dtype)
        self.per_spike = None if per_spike is None else per_spike.astype(dtype)
        self.later = np.zeros(shape, dtype)  # Theta
        self.error = np.zeros(shape, dtype)  # dL/dx
        self.sums = {key: np.zeros(shape[1]) for key in BIP if key in population.parameters}

    def step(self, t: int, worth: Array) -> None:
        """Replace the derivative by spikes in step t by dL/d(what arrives in it)."""
        c, record, n = self.c, self.record, len(worth)
        before, later, error = self._before(t, n), self.later[:n], self.error[:n]
        if record.spikes is None:
            later *= c.decay_mem
            later += worth
            delta = later
        else:
            delta = self._spiking(t, worth, before, later)
        error *= c.decay_syn
        error += c.gain * delta
        np.divide(error, c.tau_syn, out=worth)
        self.sums["tau_mem"] += _over_samples(delta, before)
        self.sums["resistance"] += _over_samples(delta, record.current[t, :n])
        self.sums["tau_syn"] -= _over_samples(worth, record.current[t, :n])
        if t:
            self.sums["tau_syn"] += _over_samples(worth, record.current[t - 1, :n])

    def gradients(self) -> Gradients:
        """Sums over steps and samples, each [size]."""
        factors: dict[str, Any] = {
            "tau_mem": self.dt / self.c.tau_mem**2,
            "resistance": self.dt,
            "threshold": -1.0,
        }
        return {key: total * factors.get(key, 1.0) for key, total in self.sums.items()}

    def _before(self, t: int, n: int) -> Array:
        """Voltage after step t - 1 and its reset."""
        if t == 0:
            start: Array = np.broadcast_to(self.c.start, (n, self.c.start.size))
            return start
        voltage, spikes = self.record.voltage[t - 1, :n], self.record.spikes
        if spikes is None:
            return voltage
        after: Array = np.where(spikes[t - 1, :n], self.c.reset, voltage)
        return after

    def _spiking(self, t: int, worth: Array, before: Array, later: Array) -> Array:
        """Delta of the step; ``later`` becomes that which the step before needs."""
        c, record, dt, n = self.c, self.record, self.dt, len(worth)
        voltage, spikes = record.voltage[t, :n], record.spikes[t, :n]  # type: ignore[index]
        low = record.low[t, :n]  # type: ignore[index]
        rise = voltage - before
        slope = np.where(rise >= 0, dt / np.maximum(rise, dt / STEEPEST), 0.0)
        at_spike = slope * (worth + (voltage - c.reset) / c.tau_mem * later)
        if self.per_spike is not None:
            at_spike += self.per_spike
        chained = np.where(spikes, at_spike, c.decay_mem * later)
        smooth = worth * self._surrogate(voltage)
        if self.per_spike is not None:
            smooth += self.per_spike * spikes
        delta = np.where(low, smooth, chained)
        seen = low | spikes
        if record.held is not None:
            held = record.held[t, :n]
            delta[held] = 0.0
            chained = np.where(held, later, chained)
        later[...] = chained
        self.sums["threshold"] += delta.sum(axis=0, where=seen)
        return delta

    def _surrogate(self, voltage: Array) -> Array:
        z = (self.c.level - voltage) / SURROGATE_WIDTH
        e = np.exp(np.clip(z, -SURROGATE_RANGE, SURROGATE_RANGE))
        slope: Array = self.dt * e / (SURROGATE_WIDTH * (1.0 + e) ** 2)
        return slope


def _over_samples(first: Array, second: Array) -> Array:
    total: Array = np.einsum("bn,bn->n", first, second)
    return total
