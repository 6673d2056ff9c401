r"""A readout over one piece of a stream, forward and backward, from its state at the piece's begin.

Over the piece from :math:`t_b` to :math:`t_e`, with :math:`v = V - E`, rates a and b, and arrivals
of weight w at t, the state at the end is

.. math::
    v_e = x v_b + R g I_b + \sum R w\, g(t_e - t), \qquad I_e = y I_b + \sum w\, y(t_e - t)

(:mod:`eventsim.engine.run.voltage_kernel`). The weighted integral follows from both states, because
:math:`\frac{d}{dt} e^{-\mu t} I = -q\, e^{-\mu t} I` and
:math:`\frac{d}{dt} e^{-\mu t} v = -p\, e^{-\mu t} v + a R\, e^{-\mu t} I`, with :math:`p = a + \mu`
and :math:`q = b + \mu`:

.. math::
    B = \Big[f I\Big]_{t_e}^{t_b} + \sum w f(t), \qquad
    \int e^{-\mu t} v\, dt = \frac1p \Big(\Big[f v\Big]_{t_e}^{t_b} + \frac{a R}{q} B\Big),
    \qquad f(t) = e^{-\mu t} .

Backward, dL/dv and dL/dI at the end come from the pieces behind and those at the begin go to the
pieces before; NumPy throughout.
"""

from dataclasses import replace
from typing import NamedTuple

import numpy as np

from eventsim.arrays import Floats, Ints
from eventsim.engine.contract.backend import sum_by
from eventsim.engine.contract.job import Job, StageGradients
from eventsim.engine.contract.table import (
    leak_weight,
    readout_gradients,
    spike_bases,
    split_effects,
)
from eventsim.engine.run.arrivals import Arrivals, find_arrivals
from eventsim.engine.run.voltage_kernel import kernel, kernel_slopes
from eventsim.events.tape import ReadoutState


class _Met(NamedTuple):
    """Arrivals from the begin on, with the sample and the neuron of each."""

    found: Arrivals
    which: Ints
    sample: Ints
    target: Ints
    row: Ints
    time: Floats
    weight: Floats


def _met(job: Job, begin: Floats) -> _Met:
    size = job.stage.population.size
    found = find_arrivals(job, np.arange(size))
    which = np.flatnonzero(found.time >= begin[found.row // size])
    row = found.row[which]
    return _Met(found, which, row // size, row % size, row, found.time[which], found.weight[which])


def state_after(job: Job, before: ReadoutState, begin: Floats) -> ReadoutState:
    """Voltage and current at the end of the job, from those at ``begin``, ms by sample."""
    return _after(job, before, begin, _met(job, begin))


def _after(job: Job, before: ReadoutState, begin: Floats, met: _Met) -> ReadoutState:
    p = job.stage.population
    a, b = 1.0 / p.tau_mem, 1.0 / p.tau_syn
    move = kernel((job.duration - begin)[:, None], a, b)
    voltage = (before.voltage - p.v_leak) * move.x + p.resistance * move.g * before.current
    current = before.current * move.y
    move = kernel(job.duration[met.sample] - met.time, a[met.target], b[met.target])
    voltage += _by_row(met, p.resistance[met.target] * met.weight * move.g, voltage)
    current += _by_row(met, met.weight * move.y, current)
    return ReadoutState(voltage + p.v_leak, current)


def _by_row(met: _Met, values: Floats, like: Floats) -> Floats:
    """Sums over the arrivals at every neuron in every sample."""
    return sum_by(values, met.row, like.size).reshape(like.shape)


def integral(job: Job, before: ReadoutState, begin: Floats, rate: float) -> Floats:
    """Integral of exp(-rate t) V over the piece, [samples, size]."""
    met = _met(job, begin)
    parts = _Integral(job, before, begin, rate, met)
    return parts.value


class _Integral:
    """The integral and what its derivatives are made of; fields as in the module."""

    def __init__(
        self, job: Job, before: ReadoutState, begin: Floats, rate: float, met: _Met
    ) -> None:
        p, after = job.stage.population, _after(job, before, begin, met)
        self.a, b, r = 1.0 / p.tau_mem, 1.0 / p.tau_syn, p.resistance
        self.p, self.q, self.rate = self.a + rate, b + rate, rate
        self.at_begin, self.at_end = (np.exp(-rate * t)[:, None] for t in (begin, job.duration))
        self.fade = np.exp(-rate * met.time)
        fallen = self.at_begin * (before.voltage - p.v_leak)
        fallen = fallen - self.at_end * (after.voltage - p.v_leak)
        self.current = self.at_begin * before.current - self.at_end * after.current
        self.current = self.current + _by_row(met, met.weight * self.fade, self.current)
        self.drive = self.a * r / self.q  # what the current counts in the voltage
        self.inner = fallen + self.drive * self.current
        lasts = replace(job, duration=job.duration - begin)
        self.leak: Floats = self.at_begin * leak_weight(lasts, rate)
        self.value: Floats = self.inner / self.p + p.v_leak * self.leak


def backward(
    job: Job,
    before: ReadoutState,
    begin: Floats,
    later: Floats,
    rate: float = 0.0,
    by_integral: Floats | None = None,
) -> StageGradients:
    """Gradients over the piece.

    Parameters
    ----------
    before, begin
        State at the begin, and its ms, by sample.
    later
        dL/dV and dL/dI at the end, [2, samples, size]; changed in place to those at the begin.
    rate, by_integral
        1/ms, and dL/d(integral), [samples, size]; None: the loss reads no integral.
    """
    p, met = job.stage.population, _met(job, begin)
    a, b, r = 1.0 / p.tau_mem, 1.0 / p.tau_syn, p.resistance
    by_v, by_i = later[0].copy(), later[1].copy()
    by_v_begin, by_i_begin = np.zeros_like(by_v), np.zeros_like(by_i)
    by_arrival, by_time = np.zeros(met.time.size), np.zeros(met.time.size)
    by_a, by_b, by_r, by_leak = (np.zeros(p.size) for _ in range(4))
    if by_integral is not None:
        f = _Integral(job, before, begin, rate, met)
        unit = by_integral / f.p
        by_v -= unit * f.at_end
        by_i -= unit * f.drive * f.at_end
        by_v_begin += unit * f.at_begin
        by_i_begin += unit * f.drive * f.at_begin
        by_arrival += (unit * f.drive)[met.sample, met.target] * f.fade
        by_time -= rate * met.weight * by_arrival
        by_a += (unit * (f.current * r / f.q - f.inner / f.p)).sum(axis=0)
        by_b -= (unit * f.drive / f.q * f.current).sum(axis=0)
        by_r += (unit * f.drive / r * f.current).sum(axis=0)
        by_leak += (by_integral * f.leak).sum(axis=0)
    # From the begin to the end.
    h = (job.duration - begin)[:, None]
    (x, y, g), g_by_a, g_by_b = kernel_slopes(h, a, b)
    v, i = before.voltage - p.v_leak, before.current
    by_v_begin += x * by_v
    by_i_begin += r * g * by_v + y * by_i
    by_a += (by_v * (r * g_by_a * i - h * x * v)).sum(axis=0)
    by_b += (by_v * r * g_by_b * i - by_i * h * y * i).sum(axis=0)
    by_r += (by_v * g * i).sum(axis=0)
    # From the arrivals to the end.
    h = job.duration[met.sample] - met.time
    (_, y, g), g_by_a, g_by_b = kernel_slopes(h, a[met.target], b[met.target])
    v, i, rs = by_v[met.sample, met.target], by_i[met.sample, met.target], r[met.target]
    by_arrival += rs * g * v + y * i
    slope = rs * a[met.target] * (y - g) * v - b[met.target] * y * i
    by_time -= met.weight * slope
    each = met.weight * v
    by_a += sum_by(rs * each * g_by_a, met.target, p.size)
    by_b += sum_by(rs * each * g_by_b - met.weight * h * y * i, met.target, p.size)
    by_r += sum_by(each * g, met.target, p.size)
    # V at the begin of a stream is E, whatever E is: only the leak's own part depends on it.
    later[0], later[1] = by_v_begin, by_i_begin
    return _gradients(job, met, by_arrival, by_time, np.stack([by_a, by_b, by_r]), by_leak)


def _gradients(
    job: Job, met: _Met, by_arrival: Floats, by_time: Floats, sums: Floats, by_leak: Floats
) -> StageGradients:
    n_synapses, n_spikes = int(job.stage.wiring.synapse_start[-1]), int(spike_bases(job)[-1])
    synapse, spike = met.found.synapse[met.which], met.found.spike[met.which]
    return readout_gradients(
        job,
        by_weight=sum_by(by_arrival, synapse, n_synapses),
        by_delay=sum_by(by_time, synapse, n_synapses),
        source_times=split_effects(job, sum_by(by_time, spike, n_spikes)),
        sums=sums,
        by_leak=by_leak,
    )
