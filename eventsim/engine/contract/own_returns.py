r"""Own returns: spikes that reach their neuron through a projection of the loop without a delay.

With a refractory time of 0 such a spike arrives right behind the restart. A refractory time that
begins to grow has it arrive while V is held, so that V starts later with the risen current: to
:math:`-\alpha\,\dot V` of :mod:`eventsim.adjoint` comes :math:`-\alpha\,R w/\tau_m`, of linear
neurons :math:`-\lambda_0\, A_{0s} w`. Both are that rise times dL/dV behind all restarts, which
is dL/d(reset). A self-connection is no projection; kernels know it.

Of a neuron that rests at or above its threshold dL/d(reset) has its start besides, which is no
restart. Its dL/d(refractory) is off by that start's share, of which a warning is logged.
"""

import logging
from dataclasses import replace
from typing import NamedTuple

import numpy as np

from eventsim.arrays import Floats, Ints, fetch, namespace, to_host
from eventsim.engine.algorithm import least_delay
from eventsim.engine.contract.job import Job, StageGradients
from eventsim.plan import Stage

_LOGGER = logging.getLogger(__name__)


class OwnReturns(NamedTuple):
    """Synapses from a neuron to itself; of those that have a delay the weight is 0.

    Weights are where the network's are, neurons and projections on the host.
    """

    neuron: Ints
    projection: Ints
    weight: Floats


def own_returns(job: Job) -> OwnReturns | None:
    """Own returns of a stage; None where no spike of the loop arrives without a delay."""
    stage = job.stage
    if not stage.lateral or least_delay(stage) > 0.0:
        return None
    neuron, synapse, projection = stage.kept.once(_own_synapses, lambda: _own_synapses(stage))
    if not neuron.size:
        return None
    weights, delays = job.weights(), job.delays()
    at = namespace(weights).asarray(synapse)
    found = OwnReturns(neuron, projection, weights[at] * (delays[at] == 0.0))
    stage.kept.once(_warn_of_starts, lambda: _warn_of_starts(stage, found))
    return found


def _warn_of_starts(stage: Stage, own: OwnReturns) -> None:
    """Log a warning of neurons whose dL/d(refractory) has a wrong share of their start."""
    returning = own.neuron[to_host(own.weight) != 0.0]
    for member in stage.members:
        rest, level, hold = fetch(member.v_leak, member.threshold, member.refractory)
        starts = np.flatnonzero((rest >= level) & (hold == 0.0)) + stage.start_of(member.name)
        off = np.intersect1d(starts, returning) - stage.start_of(member.name)
        if off.size:
            _LOGGER.warning(
                "Population %r, neuron %d: dL/d(refractory) is off, since it rests at or above its "
                "threshold and its spikes return to it through %r without a delay (%d such "
                "neurons). Give it a refractory time, or the projection a delay, or do not use "
                "this derivative; all others are right.",
                member.name, off[0], stage.name, off.size,
            )  # fmt: skip


def _own_synapses(stage: Stage) -> tuple[Ints, Ints, Ints]:
    """Neuron, synapse in the order of the wiring, and projection of each; NumPy."""
    found = [np.zeros((3, 0), np.int64)]
    for k, projection in enumerate(stage.lateral, start=len(stage.afferents)):
        source = projection.sources() + stage.start_of(projection.source)
        own = np.flatnonzero(source == projection.targets() + stage.start_of(projection.target))
        synapse = own + stage.wiring.synapse_start[k]
        found.append(np.stack([source[own], synapse, np.full(own.size, k)]))
    neuron, synapse, number = np.concatenate(found, axis=1)
    return neuron, synapse, number


def with_own_returns(job: Job, found: StageGradients) -> StageGradients:
    """Gradients of a loop of LIF neurons with what own returns add to dL/d(refractory)."""
    own, p = own_returns(job), job.stage.population
    if own is None:
        return found
    given = found.parameters
    xp = namespace(given["refractory"])
    weight = xp.bincount(xp.asarray(own.neuron), own.weight, minlength=p.size)
    rise = xp.where(p.refractory > 0.0, 0.0, weight * p.resistance / p.tau_mem)
    later = given["refractory"] - rise * given["v_reset"]
    return replace(found, parameters={**given, "refractory": later})
