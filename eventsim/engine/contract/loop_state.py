"""A loop in the middle of a run: what is carried from one piece of a stream to the next.

By the queue every neuron is carried as its last event before the end left it, and all that arrived
before the end was met. By windows the neurons are carried from the last border before the end: the
window that the end cuts is run twice, up to the end by this piece and from its begin by the next,
which leaves out the spikes that the first has given. So both do the same operations wherever the
stream is cut, and the spikes of all pieces are to the bit those of one run.

Own spikes up to where the neurons stand, and arrivals between there and the end, are kept as long
as they have something to do; what the next piece finds again is left out.
"""

from dataclasses import dataclass, replace
from typing import Any, NamedTuple

import numpy as np

from eventsim.arrays import Array, Floats, owners
from eventsim.engine.contract.bundles import (
    Arriving,
    Bundles,
    Loop,
    arrivals_between,
    arrivals_of,
    in_order,
    outside_arrivals,
)
from eventsim.engine.contract.job import Job
from eventsim.engine.contract.state import start_state
from eventsim.events import SpikeTrains
from eventsim.events.source import SourceSpikes, source_of
from eventsim.events.tape import Adapted
from eventsim.summary import short_repr


class LoopStop(NamedTuple):
    """The neurons of a loop as they stand.

    By sample and neuron: ``time`` in ms, ``v``, ``j`` and ``until`` as :class:`Stop`, and how many
    spikes (``recent``) of the ms from ``since`` on have been counted. By sample, for windows:
    ``border``, where the neurons are; ``idle``, 1 where nothing happened in the window before it;
    ``halvings`` of the pieces.
    """

    time: Array
    v: Array
    j: Array
    until: Array
    since: Array
    recent: Array
    border: Array
    idle: Array
    halvings: Array


@dataclass(frozen=True, eq=False)
class LoopState:
    """State of every neuron of a loop in every sample; of one backend and precision."""

    begin: Floats  # End of what has been run, ms, [samples]
    stop: Any  # The neurons; of linear ones a LinearStop of :mod:`eventsim.engine.contract.linear`
    sent: SourceSpikes  # Own spikes up to there that reach a neuron of the loop at begin or later
    pending: Arriving  # Arrivals before begin that the neurons have not met
    adapted: Adapted | None = None  # The adaptation at stop; None where no threshold is adaptive
    left: Any = None  # Linear neurons at begin; None where they do not go by windows

    __repr__ = short_repr

    @property
    def stand(self) -> Any:
        """Linear neurons as the next piece finds them."""
        return self.stop if self.left is None else self.left


def start_loop(job: Job) -> LoopState:
    """The state at time zero."""
    start, n = start_state(job), job.n_samples
    shape = start.stop.v.shape
    stop = LoopStop(
        *start.stop, since=np.zeros(shape), recent=np.zeros(shape, np.int64), border=np.zeros(n),
        idle=np.zeros(n, np.int64), halvings=np.zeros(n, np.int64),
    )  # fmt: skip
    return replace(nothing_sent(job, stop), adapted=start.adapted)


def nothing_sent(job: Job, stop: Any) -> LoopState:
    """Neurons as they stand at time zero, when nothing is under way."""
    nothing, offsets = np.zeros(0), np.zeros(job.n_samples + 1, np.int64)
    sent = SourceSpikes(nothing, np.zeros(0, np.int32), offsets, stop.time.shape[1])
    none = np.zeros(0, np.int64)
    arriving = Arriving(offsets, nothing, none, none, none, none)
    return LoopState(np.zeros(job.n_samples), stop, sent, arriving)


def copied(stop: LoopStop) -> LoopStop:
    """The same in new arrays."""
    return LoopStop(*(values.copy() for values in stop))


def arrivals_since(job: Job, bundles: Bundles, loop: Loop, state: LoopState) -> Arriving:
    """Arrivals from the state to the end of the job, as far as they are known.

    That is what is pending, what other stages send, and what the loop sent before.
    """
    outside = outside_arrivals(job, bundles)
    own = arrivals_of(job, loop, state.sent)
    new = [arrivals_between(part, state.begin, job.duration) for part in (outside, own)]
    return in_order(job, [state.pending, *new])


def after(
    job: Job, loop: Loop, before: LoopState, arrivals: Arriving, trains: SpikeTrains,
    stop: Any, *, stand: Floats, adapted: Adapted | None = None, longest: Floats | None = None,
    left: Any = None,
) -> tuple[SpikeTrains, LoopState]:  # fmt: skip
    """Spikes of a piece of a stream as they are given, and the state behind it.

    ``loop, arrivals``: what the kernels took; NumPy arrays, as all others. ``before``: where the
    piece started. ``trains``: all spikes from there to the end of the job. ``stop``: the neurons
    after it. ``stand``: where they are, ms, [samples]: the end of the job, or by windows the last
    border before it. ``adapted``, ``left``: as :class:`LoopState`. ``longest``: of every neuron the
    longest delay of synapses that are not in ``loop``, ms; the kernels find again what is under way
    to them.
    """
    end = job.duration
    sample = owners(trains.offsets, len(trains))
    settled = source_of(trains).where(trains.times < stand[sample])
    sent = before.sent.followed_by(settled)
    pending = [
        arrivals_between(part, stand, end) for part in (arrivals, arrivals_of(job, loop, settled))
    ]
    late = sent.times + _longest_way(loop)[sent.neurons] >= end[sent.sample]
    if longest is not None:
        late |= sent.times + longest[sent.neurons] >= stand[sent.sample]
    state = LoopState(np.array(end), stop, sent.where(late), in_order(job, pending), adapted, left)
    return trains, state


def _longest_way(loop: Loop) -> Floats:
    """Longest delay of every neuron to one of the loop, itself included; ms."""
    longest: Floats = np.maximum(loop.own_delay, 0.0)
    neuron = owners(loop.start, loop.delay.size)
    np.maximum.at(longest, neuron, loop.delay)
    return longest
