r"""Losses on the grid, and the decision that goes with each.

**Van Rossum** on a spiking output, as published (arXiv 2002.10085). With the trace of unit integral
:math:`a[t] = (1 - \Delta/\tau)\, a[t-1] + s[t]/\tau`, and :math:`a^*` that of the desired train,

.. math::
    L = \frac{1}{2} \sum_{c} \sum_t \Delta\, (a_c[t] - a_c^*[t])^2, \qquad
    \frac{\partial L}{\partial s_c[t]} = \frac{\Delta}{\tau} \sum_{m \ge t}
        \Big(1 - \frac{\Delta}{\tau}\Big)^{m-t} (a_c[m] - a_c^*[m]).

The desired train of the neuron of the class has spikes at :math:`(k + 1/2) / r` for a rate
:math:`r`, as in :class:`eventsim.train.spiking.ClassTrains`. That of the others is empty. The class
with the largest :math:`\sum_t a_c[t]` is the decision.

**Cross-entropy** on a readout, as in :class:`eventsim.train.CrossEntropy`, with a sum in place of
the integral:

.. math::
    z_c = g\, \frac{\sum_t \omega[t]\, V_c[t]}{\sum_t \omega[t]}, \qquad
    \omega[t] = e^{-(t - t_0)\, \Delta / T_w},

over the steps from that of the onset :math:`t_0` on; :math:`t_0` is 0 where the loss has no onset.

Both are means over the samples; steps past the end of a sample do not count.
"""

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import DTypeLike

from eventsim.arrays import Floats, Ints
from eventsim.clocked.forward import ClockedRun
from eventsim.clocked.synapses import Array
from eventsim.events.steps import step_of
from eventsim.matrix import require
from eventsim.summary import short_repr
from eventsim.train.loss_settings import (
    IntegralLoss,
    LossSettings,
    SpikeTrainLoss,
    features_of,
)
from eventsim.train.onset import onsets
from eventsim.train.softmax import softmax_loss

MS_PER_S = 1000.0


@dataclass(frozen=True, eq=False)
class ClockedOutcome:
    """A loss of a batch, and where its backward pass starts.

    Attributes
    ----------
    value
        Mean loss.
    logits
        Shape [samples, classes]; the largest is the decision.
    seeds
        Where :func:`eventsim.clocked.backward` starts.
    """

    value: float
    logits: Floats
    seeds: Mapping[str, Array]

    __repr__ = short_repr


def outcome_of(
    loss: LossSettings, run: ClockedRun, labels: Ints, output: str = "output"
) -> ClockedOutcome:
    """The loss of a run.

    Parameters
    ----------
    loss
        Its settings: ``van_rossum`` or ``cross_entropy``.
    run
        Of a batch.
    labels
        Class of every sample.
    output
        Name of the population that answers.

    Raises
    ------
    ParameterError
        The loss has no counterpart on a grid.
    """
    require("train", features_of(loss), "fixed_step", where="outcome_of")
    if isinstance(loss, SpikeTrainLoss):
        return _van_rossum(loss, run, labels, output)
    assert isinstance(loss, IntegralLoss)
    return _cross_entropy(loss, run, labels, output)


def _van_rossum(loss: SpikeTrainLoss, run: ClockedRun, labels: Ints, output: str) -> ClockedOutcome:
    spikes, dt, tau = run.spikes(output), run.clocked.dt, loss.time_constant
    dtype = run.records[output].voltage.dtype
    trace = _trace(spikes, dt, tau, dtype)
    wanted = np.zeros(spikes.shape, bool)
    times = np.arange(0.5, spikes.shape[0] * dt * loss.rate / MS_PER_S) * MS_PER_S / loss.rate
    steps = step_of(times, dt)
    steps = steps[steps < spikes.shape[0], np.newaxis]
    wanted[steps, np.arange(labels.size), labels] = True
    alive = run.events.alive
    difference = trace - _trace(wanted, dt, tau, dtype)
    if alive is not None:
        difference, trace = difference * alive, trace * alive
    n = max(labels.size, 1)
    value = 0.5 * dt * float(np.square(difference, dtype=np.float64).sum()) / n
    worth = difference[::-1] * (dt / n)
    seed = np.ascontiguousarray(_trace(worth, dt, tau, dtype)[::-1])
    return ClockedOutcome(value, trace.sum(axis=0, dtype=np.float64), {output: seed})


def _trace(values: Array, dt: float, tau: float, dtype: DTypeLike) -> Array:
    trace: Array = np.divide(values, tau, dtype=dtype)
    decay = 1.0 - dt / tau
    for t in range(1, trace.shape[0]):
        trace[t] += decay * trace[t - 1]
    return trace


def _cross_entropy(
    loss: IntegralLoss, run: ClockedRun, labels: Ints, output: str
) -> ClockedOutcome:
    voltage, dt = run.records[output].voltage, run.clocked.dt
    begin = onsets(run.stream, loss.onset, "cross_entropy")
    first = 0 if begin is None else step_of(begin, dt)
    steps = np.arange(voltage.shape[0])[:, None] - first  # from that of the onset on
    weights = np.exp(-np.maximum(steps, 0) * (dt / loss.time_constant)) * (steps >= 0)
    weights = np.broadcast_to(weights, voltage.shape[:2])
    if run.events.alive is not None:
        weights = weights * run.events.alive[..., 0]
    share = loss.gain * weights / weights.sum(axis=0)
    leak = run.clocked.grid.populations[output].v_leak
    logits = np.einsum("tb,tbn->bn", share, voltage) + loss.gain * leak
    value, by_logit = softmax_loss(logits, labels, "cross_entropy")
    seed = np.einsum("tb,bn->tbn", share, by_logit)
    return ClockedOutcome(value, logits, {output: seed.astype(voltage.dtype)})
