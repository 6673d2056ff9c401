"""Ties that rounding may decide: neurons of a loop that cross at one time and meet without delay.

The lowest of them fires first. Its spike reaches the others at once and moves their crossings by
less than the last digit. Which of the others fires next is then left to rounding, and may keep the
rest from firing: backends may differ in who fires. Two spikes at one time, of which one reaches the
neuron of the other without delay, are the sign of it. A tie of which only one neuron fires shows no
sign in its spikes, and is not found.
"""

import logging
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import asdict, dataclass, replace
from typing import Any

import numpy as np

from eventsim.arrays import Ints, owners, to_host
from eventsim.engine.algorithm import least_delay
from eventsim.events import SpikeTape
from eventsim.plan import Plan, Stage

SAME = 1e-11  # ms, and as a fraction: spikes that are no further apart are at one time
MOST_LOOKED_AT = 10_000  # pairs of spikes at one time

_LOGGER = logging.getLogger(__name__)


@dataclass(frozen=True)
class Ties:
    """Ties of a run that rounding decides; the text is the warning."""

    stage: str  # the populations of the loop
    pairs: int  # spikes at the time of one that reaches their neuron without delay, at least
    # The first of them
    sample: int
    time_ms: float
    neurons: tuple[int, int]  # numbers in the loop, population after population

    def __str__(self) -> str:
        first, second = self.neurons
        return (
            f"Loop {self.stage!r}: {self.pairs:,} times two of its neurons fire at one time, and a "
            f"spike reaches the other without delay (first: sample {self.sample}, "
            f"{self.time_ms:.6g} ms, neurons {first} and {second}). The lower neuron is first; "
            "where others cross at that time, too, rounding decides who of them fires next, and "
            "backends may differ in who fires. Neurons that are copies of each other do so. Give "
            "the loop a delay, or neurons that differ."
        )

    def to_dict(self) -> dict[str, Any]:
        """The fields and the text, as plain values that JSON can hold."""
        return {**asdict(self), "neurons": list(self.neurons), "text": str(self)}


# Of the runs inside of :func:`collected_ties`; None outside.
_collected: ContextVar[list[Ties] | None] = ContextVar("collected ties", default=None)


@contextmanager
def collected_ties() -> Iterator[list[Ties]]:
    """Inside, ties of runs are put into this list in place of warnings: the caller tells them."""
    found: list[Ties] = []
    token = _collected.set(found)
    try:
        yield found
    finally:
        _collected.reset(token)


def tell_ties(found: Iterable[Ties]) -> None:
    """Log a warning of each loop whose ties rounding decides, or add them to the caller's list.

    Of several pieces of a run those of a loop are one.
    """
    collected, by_stage = _collected.get(), dict[str, list[Ties]]()
    for one in found:
        by_stage.setdefault(one.stage, []).append(one)
    found = [
        replace(
            min(some, key=lambda one: (one.sample, one.time_ms)),
            pairs=sum(one.pairs for one in some),
        )
        for some in by_stage.values()
    ]
    if collected is not None:
        collected.extend(found)
        return
    for one in found:
        _LOGGER.warning("%s", one)


def ties_of(plan: Plan, tape: SpikeTape) -> tuple[Ties, ...]:
    """Ties of each loop of a run, or a piece of one, that has some; often none.

    The tape is on the host.
    """
    loops = (one for one in plan.stages if one.lateral and least_delay(one) == 0.0)
    found = (_of_stage(stage, tape) for stage in loops)
    return tuple(one for one in found if one is not None)


def _of_stage(stage: Stage, tape: SpikeTape) -> Ties | None:
    trains = [tape[member.name] for member in stage.members]
    times = np.concatenate([train.times for train in trains])
    sample = np.concatenate([owners(train.offsets, len(train)) for train in trains])
    starts = zip(trains, stage.member_start, strict=False)
    neuron = np.concatenate([train.neurons.astype(np.int64) + int(low) for train, low in starts])
    order = np.lexsort((neuron, times, sample))
    times, sample, neuron = times[order], sample[order], neuron[order]
    together = (np.diff(times) <= SAME * (1.0 + times[1:])) & (np.diff(sample) == 0)
    pairs = np.flatnonzero(together & (np.diff(neuron) != 0))[:MOST_LOOKED_AT]
    if not pairs.size:
        return None
    joined = _joined(stage, neuron[pairs], neuron[pairs + 1])
    if not joined.any():
        return None
    first = int(pairs[joined][0])
    who = (int(neuron[first]), int(neuron[first + 1]))
    return Ties(stage.name, int(joined.sum()), int(sample[first]), float(times[first]), who)


def _joined(stage: Stage, one: Ints, other: Ints) -> Any:
    """Whether the one of each pair reaches the other without delay, or the other the one."""
    ways = set(_ways(stage, np.unique(np.concatenate([one, other]))))
    pairs = zip(one.tolist(), other.tolist(), strict=True)
    return np.array([(a, b) in ways or (b, a) in ways for a, b in pairs])


def _ways(stage: Stage, neurons: Ints) -> Iterator[tuple[int, int]]:
    """Pairs of these neurons of which one reaches the other without delay."""
    for projection in stage.lateral:
        start, into = stage.start_of(projection.source), stage.start_of(projection.target)
        source, target = projection.sources() + start, projection.targets() + into
        delays, weights = map(to_host, (projection.synapse_delays(), projection.values))
        at_once = (delays == 0.0) & (weights.ravel() != 0.0)
        at_once &= np.isin(source, neurons) & np.isin(target, neurons)
        yield from zip(source[at_once].tolist(), target[at_once].tolist(), strict=True)
