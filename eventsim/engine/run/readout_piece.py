r"""A readout over one chunk of a stream, forward and backward, from its state at the chunk's begin.

States at the end, and what the way back says of them, are those of
:mod:`eventsim.engine.run.states`, of a resistance of one, so that J is the current. With
:math:`p = a + \mu`, :math:`q = b + \mu` and :math:`f(t) = e^{-\mu t}` the weighted integral over
the piece from :math:`t_b` to :math:`t_e` is

.. math::
    B = \frac1q \Big(\Big[f I\Big]_{t_e}^{t_b} + \sum w f(t)\Big), \qquad
    \int f v\, dt = \frac1p \Big(\Big[f v\Big]_{t_e}^{t_b} + a R B\Big) .

Backward, dL/dv and dL/dI at the end come from the pieces behind and those at the begin go to the
pieces before; NumPy throughout.
"""

from dataclasses import dataclass, replace
from functools import cached_property

import numpy as np

from eventsim.arrays import Floats, Ints
from eventsim.engine.contract import table as T
from eventsim.engine.contract.backend import sum_by
from eventsim.engine.contract.job import Job, StageGradients
from eventsim.engine.run.arrivals import Arrivals, find_arrivals
from eventsim.engine.run.states import Begin, Met, Rates, States
from eventsim.events.tape import ReadoutState


@dataclass(frozen=True, eq=False)
class _Piece:
    """A readout from ``begin`` (ms, by sample) on, where it is as ``before``."""

    job: Job
    before: ReadoutState
    begin: Floats

    @cached_property
    def arrivals(self) -> Arrivals:
        """Arrivals of the job at all outputs."""
        return find_arrivals(self.job, np.arange(self.job.stage.population.size))

    @cached_property
    def which(self) -> Ints:
        """Numbers of the arrivals from the begin on."""
        row = self.arrivals.row // self.job.stage.population.size
        found: Ints = np.flatnonzero(self.arrivals.time >= self.begin[row])
        return found

    @cached_property
    def states(self) -> States:
        """V from E over the resistance, and the current, at the end; rows are [samples, size]."""
        job, p, found, which = self.job, self.job.stage.population, self.arrivals, self.which
        row, n = found.row[which], job.n_samples
        start = (self.before.voltage - p.v_leak) / p.resistance
        return States(
            np.repeat(job.duration, p.size)[None],
            Rates(np.tile(1.0 / p.tau_mem, n), np.tile(1.0 / p.tau_syn, n)),
            Met(row, np.zeros_like(row), found.time[which], found.weight[which]),
            Begin(np.repeat(self.begin, p.size), start.ravel(), self.before.current.ravel()),
        )

    def after(self) -> ReadoutState:
        """Voltage and current at the end."""
        p, states, shape = self.job.stage.population, self.states, self.before.voltage.shape
        return ReadoutState(
            p.resistance * states.v.reshape(shape) + p.v_leak, states.j.reshape(shape)
        )


def states_at(job: Job, before: ReadoutState, begin: Floats, times: Floats | None = None) -> States:
    """States of a single sample at ascending marks from the begin on, ms; V from E over R.

    The rows are the neurons. Arrivals behind the last mark are left out. Without ``times`` the
    marks are all times of arrivals, and the end.
    """
    piece = _Piece(job, before, begin)
    p, which = job.stage.population, piece.which
    time = piece.arrivals.time[which]
    if times is None:
        times = np.unique(np.concatenate([time, job.duration]))
    mark = np.searchsorted(times, time, side="left")
    met = mark < times.size
    row, weight = piece.arrivals.row[which][met], piece.arrivals.weight[which][met]
    start = ((before.voltage - p.v_leak) / p.resistance).ravel()
    return States(
        np.repeat(times[:, None], p.size, axis=1),
        Rates(1.0 / p.tau_mem, 1.0 / p.tau_syn),
        Met(row, mark[met], time[met], weight),
        Begin(np.repeat(begin, p.size), start, before.current.ravel()),
    )


def state_after(job: Job, before: ReadoutState, begin: Floats) -> ReadoutState:
    """Voltage and current at the end of the job, from those at ``begin``, ms by sample."""
    return _Piece(job, before, begin).after()


def integral(job: Job, before: ReadoutState, begin: Floats, rate: float) -> Floats:
    """Integral of exp(-rate t) V over the piece, [samples, size]."""
    return _Integral(_Piece(job, before, begin), rate).value


def integral_since(job: Job, before: ReadoutState, begin: Floats, rate: float) -> Floats:
    """As :func:`integral`, with the t of the weight counted from the begin of the piece."""
    return _Integral(_Piece(job, before, begin), rate).since


class _Integral:
    """The integral and what its derivatives are made of; fields as in the module, f from t_b on."""

    def __init__(self, piece: _Piece, rate: float) -> None:
        p, shape, met = piece.job.stage.population, piece.before.voltage.shape, piece.states.met
        self.a, self.resistance = 1.0 / p.tau_mem, p.resistance
        self.p, self.q, self.rate = self.a + rate, 1.0 / p.tau_syn + rate, rate
        lasts = replace(piece.job, duration=piece.job.duration - piece.begin)
        self.at_begin = np.exp(-rate * piece.begin)[:, None]
        self.at_end = np.exp(-rate * lasts.duration)[:, None]
        self.fade = np.exp(-rate * (met.time - piece.begin[met.row // p.size]))
        arrived = sum_by(met.drive * self.fade, met.row, piece.before.voltage.size).reshape(shape)
        before, after = piece.before, piece.after()
        self.current = (before.current - self.at_end * after.current + arrived) / self.q
        fallen = before.voltage - p.v_leak - self.at_end * (after.voltage - p.v_leak)
        self.inner = (fallen + self.a * p.resistance * self.current) / self.p
        self.leak: Floats = self.at_begin * T.leak_weight(lasts, rate)
        self.since: Floats = self.inner + p.v_leak * T.leak_weight(lasts, rate)
        self.value: Floats = self.at_begin * self.inner + p.v_leak * self.leak


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
    p, piece, shape = job.stage.population, _Piece(job, before, begin), before.voltage.shape
    states, r = piece.states, p.resistance
    by_v, by_i = later[0].copy(), later[1].copy()
    by_arrival, by_time = np.zeros(piece.which.size), np.zeros(piece.which.size)
    by_a, by_b, by_r, by_leak = (np.zeros(p.size) for _ in range(4))
    later[:] = 0.0
    if by_integral is not None:
        f = _Integral(piece, rate)
        of_v = by_integral * f.at_begin / f.p
        of_i = of_v * f.a * r / f.q
        later += of_v, of_i
        by_v -= of_v * f.at_end
        by_i -= of_i * f.at_end
        by_arrival += of_i.ravel()[states.met.row] * f.fade
        by_time -= rate * states.met.drive * by_arrival
        by_a += (of_v * (r * f.current - f.inner)).sum(axis=0)
        by_b -= (of_i * f.current).sum(axis=0)
        by_r += (of_v * f.a * f.current).sum(axis=0)
        by_leak += (by_integral * f.leak).sum(axis=0)
    back = states.backward((r * by_v).reshape(1, -1), by_i.reshape(1, -1))
    # V at the begin of a stream is E, whatever E is: only the leak's own part depends on it.
    of_begin = back.v.reshape(shape) / r
    later += of_begin, back.j.reshape(shape)
    by_r += (by_v * states.v.reshape(shape) - of_begin * (before.voltage - p.v_leak) / r).sum(
        axis=0
    )
    by_a += back.a.reshape(shape).sum(axis=0)
    by_b += back.b.reshape(shape).sum(axis=0)
    sums = np.stack([by_a, by_b, by_r])
    return _gradients(job, piece, by_arrival + back.drive, by_time + back.time, sums, by_leak)


def _gradients(
    job: Job, piece: _Piece, by_arrival: Floats, by_time: Floats, sums: Floats, by_leak: Floats
) -> StageGradients:
    n_synapses, n_spikes = int(job.stage.wiring.synapse_start[-1]), int(T.spike_bases(job)[-1])
    synapse, spike = piece.arrivals.synapse[piece.which], piece.arrivals.spike[piece.which]
    return T.stage_gradients(
        job,
        T.readout_parameters(job, sums, by_leak),
        weights=sum_by(by_arrival, synapse, n_synapses),
        delays=sum_by(by_time, synapse, n_synapses),
        effects=sum_by(by_time, spike, n_spikes),
    )
