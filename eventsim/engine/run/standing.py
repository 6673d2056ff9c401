"""Neurons of a stage where a run, or a chunk of a stream, goes on from: for voltages by a tape.

The engine carries neurons as an event before the end of a chunk left them, those of shared layers
and of loops by windows from further back. What reaches them from there to the begin of the next
chunk is in its state, or follows from it; what they send until then that chunk has found again.
"""

from dataclasses import replace
from typing import NamedTuple

import numpy as np

from eventsim.arrays import Bools, Floats, Ints, owners
from eventsim.engine.contract.bundles import OWN
from eventsim.engine.contract.job import Job
from eventsim.engine.contract.linear import LinearStop, linear_cells, linear_start
from eventsim.engine.contract.loop_state import LoopState
from eventsim.engine.contract.state import Pending, Stop, start_of_neurons
from eventsim.engine.run.arrivals import find_arrivals
from eventsim.events import SpikeTape
from eventsim.events.source import SourceSpikes
from eventsim.plan.plan import BLOCK


class Reached(NamedTuple):
    """Arrivals at neurons of a stage; sample, neuron, ms and weight of each."""

    sample: Ints
    neuron: Ints
    time: Floats
    weight: Floats

    def where(self, which: Bools) -> "Reached":
        """The arrivals that are marked. New arrays."""
        sample, neuron, time, weight = self
        return Reached(sample[which], neuron[which], time[which], weight[which])


NOTHING = Reached(*np.zeros((2, 0), np.int64), *np.zeros((2, 0)))


class Standing(NamedTuple):
    """Neurons as they are known at ``stop``, [samples, size]; LIF ones with their drive.

    ``begin``: of what the tape has, ms by sample. ``reached``: met between the two.
    """

    begin: Floats
    stop: Stop | LinearStop
    reached: Reached = NOTHING

    def of(self, samples: Ints, neurons: Ints) -> "Standing":
        """Some neurons in some samples, both ascending, numbered from 0. New arrays."""
        met = self.reached
        met = met.where(np.isin(met.sample, samples) & np.isin(met.neuron, neurons))
        sample, neuron = np.searchsorted(samples, met.sample), np.searchsorted(neurons, met.neuron)
        stop = (values[samples][:, neurons] for values in self.stop)
        reached = Reached(sample, neuron, met.time, met.weight)
        return Standing(self.begin[samples], type(self.stop)(*stop), reached)


def standing(job: Job, tape: SpikeTape) -> Standing:
    """Neurons of a stage where its tape goes on from; ``job`` is one of double precision."""
    stage, before, n = job.stage, tape.before, job.n_samples
    begin = np.zeros(n) if tape.begin is None else tape.begin
    state = None if before is None else before.stands.get(stage.name)
    if stage.is_readout:
        p, (v, j) = stage.population, np.zeros((2, n, stage.population.size))
        if before is not None:
            voltage, current = before.readouts[stage.name]
            v, j = voltage - p.v_leak, current * p.resistance
        return Standing(begin, Stop(begin[:, None] + np.zeros(v.shape), v, j, np.full(v.shape, -1)))
    if stage.is_linear:
        return Standing(begin, _linear_start(job) if state is None else state.stand)
    if state is None:
        v, j = start_of_neurons(job)
        return Standing(begin, Stop(np.zeros(v.shape), v, j, np.full(v.shape, -1.0)))
    stop = Stop(*state.stop[:4])
    if tape.backend == "reference":  # which has the current
        stop = stop._replace(j=stop.j * stage.population.resistance)
    if not isinstance(state, LoopState):
        pending = state.pending
        return Standing(begin, stop, NOTHING if pending is None else _of_layer(job, pending))
    by_windows = tape.algorithms[stage.name].startswith("windows")
    return Standing(begin, stop, _of_loop(job, state) if by_windows else NOTHING)


def _linear_start(job: Job) -> LinearStop:
    x = linear_start(job, linear_cells(job))
    zero = np.zeros(x.shape[:2])
    return LinearStop(x, zero, zero - 1.0, zero, zero)


def _of_layer(job: Job, pending: Pending) -> Reached:
    """Pending arrivals, of which every block of neurons has met the first ``skip``."""
    start, sample = job.stage.wiring.out_start, owners(pending.offsets, pending.times.size)
    found, of = _spread(job, sample, pending.times, start[pending.rows], start[pending.rows + 1])
    number = np.arange(sample.size) - pending.offsets[sample]
    block = found.neuron // BLOCK if pending.skip.shape[1] > 1 else 0
    return found.where(number[of] >= pending.skip[found.sample, block])


def _of_loop(job: Job, state: LoopState) -> Reached:
    """Arrivals from the border on: pending ones, and those of spikes in flight.

    Synapses with delays of their own are among the first, or, as on ``cpu``, the last.
    """
    stage, sent, pending = job.stage, state.sent, state.pending
    sample = owners(pending.offsets, pending.time.size)
    found, _ = _spread(job, sample, pending.time, pending.first, pending.last)
    flies = np.repeat(
        [p in stage.lateral and p.delay_per_synapse for p in stage.projections],
        np.diff(stage.wiring.synapse_start),
    )
    listed = pending.first[pending.first < OWN]
    if flies[listed].any() or not flies.any():
        return found
    nobody = np.zeros(0), np.zeros(0, np.int32), np.zeros(job.n_samples + 1, np.int64)
    low = [stage.start_of(p.source) for p in stage.lateral]
    sources = [SourceSpikes(*nobody, p.weights.shape[0]) for p in stage.afferents] + [
        sent.of_neurons(np.arange(n, n + p.weights.shape[0]))
        for n, p in zip(low, stage.lateral, strict=True)
    ]
    before = replace(job, sources=tuple(sources), duration=state.begin)
    size = stage.population.size
    flown = find_arrivals(before, np.arange(size))
    sample, neuron = np.divmod(flown.row, size)
    late = flies[flown.synapse] & (flown.time >= state.stop.border[sample])
    more = Reached(sample, neuron, flown.time, flown.weight).where(late)
    return Reached(*(np.concatenate(pair) for pair in zip(found, more, strict=True)))


def _spread(job: Job, sample: Ints, time: Floats, first: Ints, last: Ints) -> tuple[Reached, Ints]:
    """Arrivals of synapses ``first : last``, and which of the given ones each is of.

    From OWN on they are self-connections of neurons.
    """
    own, some = np.flatnonzero(first >= OWN), np.flatnonzero(first < OWN)
    bounds = np.concatenate([[0], np.cumsum((last - first)[some])])
    each = owners(bounds, int(bounds[-1]))
    synapse = np.arange(each.size) - bounds[each] + first[some][each]
    returned, of = first[own] - OWN, np.concatenate([some[each], own])
    neuron = np.concatenate([job.stage.wiring.target[synapse], returned]).astype(np.int64)
    weight = np.concatenate([job.weights()[synapse], job.self_weights()[returned]])
    return Reached(sample[of], neuron, time[of], weight), of
