r"""The algorithm of each stage: one place that decides, for every fast backend.

===================  ===============================================================================
stretches            a layer whose neurons meet the same events at the same times: side by side
fan-in               a layer whose neurons meet events of their own: each walks its own
queue                a loop, event by event: one queue per sample
windows, sums        a loop by windows of its least delay, arrivals of a window summed by neuron;
                     spikes are in flight to synapses that have delays of their own
windows, stretches   the same where neurons share their events: side by side within a window
linear               neurons of another kind than LIF (:mod:`eventsim.neuron.linear`), a layer or a
                     loop: side by side where they meet the same events, a loop by windows; else
                     event by event (:func:`eventsim.engine.contract.linear.side_by_side`)
===================  ===============================================================================

All give the same spikes up to rounding. In the last bits they differ, and in a network that is
chaotic these grow. So the choice follows from the network alone: a sample has the same bits by
itself, in any batch, in any order, whole or in chunks, on any number of threads, and whatever ran
before. What a stage meets in a run decides only what changes no bit: the room for spikes, how many
parts of a sample run side by side, and whether the events of a fan-in are spread to its neurons or
collected by them.

**Loops.** Windows need a least delay H above 0. They pay where a neuron meets enough in a window.
How much it meets in a run must not be asked, so every source is taken to send at a nominal rate r:
with n synapses onto N neurons a loop goes by windows where

.. math:: \frac{n}{N} \, r H \ge 1/4,

and 1/32 where at least 65,536 synapses have delays of their own: the queue then meets every arrival
by itself.

Readouts have no spikes, and are computed as a layer is.
"""

from enum import StrEnum

import numpy as np

from eventsim.arrays import to_host
from eventsim.memo import Memo
from eventsim.network import Projection
from eventsim.plan import Plan, Stage
from eventsim.plan.plan import MOST_PLACES

# A loop goes by windows where that many arrivals reach a neuron in a window, on average, if every
# source sends at the nominal rate, per ms. Busy loops are up to nine times as fast by windows then,
# nearly silent ones up to four times as slow: bench/macro/windows.py, bench/results/windows.jsonl.
WINDOW_SHARE, NOMINAL_RATE = 0.25, 0.016

# An eighth of that share is enough where that many synapses have delays of their own: an arrival
# then takes 50 to 300 ns by the queue, 15 to 70 by windows. C exports smaller loops by the queue.
SHARE_BY_SYNAPSE, MANY_SYNAPSES = 1 / 8, 1 << 16

# Neurons that share their events go by stretches where at least that share of synapses is there.
# Beside sums 128 to 2,000 of them then take half as long, forward, in either precision.
LEAST_SIDE_BY_SIDE = 1 / 2


class Algorithm(StrEnum):
    """Algorithm of a stage; see the module."""

    STRETCHES = "stretches"
    FAN_IN = "fan-in"
    QUEUE = "queue"
    SUMS = "windows, sums"
    LOOP_STRETCHES = "windows, stretches"
    LINEAR = "linear"

    @property
    def by_windows(self) -> bool:
        """Whether a loop goes by windows of its least delay."""
        return self in (Algorithm.SUMS, Algorithm.LOOP_STRETCHES)


def algorithm_of(stage: Stage) -> Algorithm:
    """The algorithm of a stage, on every fast backend and in both precisions."""
    if stage.is_linear:
        return Algorithm.LINEAR
    if not stage.lateral:
        return Algorithm.STRETCHES if stage.shares_events else Algorithm.FAN_IN
    length = least_delay(stage)
    if not 0.0 < length < np.inf or not windows_pay(stage, length):
        return Algorithm.QUEUE
    return algorithm_by_windows(stage)


def windows_pay(stage: Stage, length: float) -> bool:
    """Whether enough is met in windows of that length, in ms, at the nominal rate."""
    n_synapses = sum(p.values.size for p in stage.projections)
    by_synapse = sum(p.values.size for p in stage.lateral if p.delay_per_synapse)
    share = WINDOW_SHARE * (SHARE_BY_SYNAPSE if by_synapse >= MANY_SYNAPSES else 1.0)
    return n_synapses * NOMINAL_RATE * length >= share * int(stage.member_start[-1])


def algorithm_by_windows(stage: Stage) -> Algorithm:
    """The algorithm of a loop that goes by windows: stretches where neurons share events."""
    n_synapses = sum(p.values.size for p in stage.projections)
    n_places = sum(p.weights.shape[0] for p in stage.projections) * int(stage.member_start[-1])
    few = n_synapses > MOST_PLACES or n_synapses < LEAST_SIDE_BY_SIDE * n_places
    return Algorithm.LOOP_STRETCHES if stage.shares_events and not few else Algorithm.SUMS


def algorithms_of(plan: Plan, *, definition: str | None = None) -> dict[str, str]:
    """The algorithm of every stage that spikes, by its name, in the order in which they run.

    ``definition`` names a backend that runs all stages by one algorithm of its own.
    """
    stages = [stage for stage in plan.stages if not stage.is_readout]
    return {stage.name: definition or algorithm_of(stage).value for stage in stages}


def least_delay(stage: Stage) -> float:
    """The least delay in a loop, in ms.

    It is that of what the neurons send to each other, and of what they send to themselves with a
    delay. 0 where some send to others without delay, inf where there are no synapses.
    """

    def make() -> float:
        memo, own = stage.memo, filter(None, stage.recurrences)
        between = min((_least(memo, p) for p in stage.lateral), default=np.inf)
        later = min((_least_later(memo, r) for r in own), default=np.inf)
        return min(between, later) if between < np.inf else between

    return stage.once(least_delay, make)


def _least(memo: Memo, projection: Projection) -> float:
    known = memo.extent(projection.delays)
    if known is not None:
        return known.least
    return float(to_host(projection.delays).min(initial=np.inf))


def _least_later(memo: Memo, projection: Projection) -> float:
    """The least delay that is not 0; inf where there is none."""
    known = memo.extent(projection.delays)
    if known is not None:
        return known.magnitude
    delays = to_host(projection.delays)
    return float(delays[delays > 0.0].min(initial=np.inf))
