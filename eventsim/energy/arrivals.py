"""Arrivals of the spikes of a run, for all counters.

A spike of source i at time t reaches a synapse of delay d at t + d; it counts if that is before
the end of its sample, as in :func:`eventsim.simulate`. Where delays do not differ between the
synapses of one source, spikes are counted by their source, and only what differs between targets is
written out synapse by synapse: for some samples at a time, so that memory is bounded.
"""

from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from eventsim.arrays import Floats, Ints
from eventsim.engine.run.run import sources
from eventsim.errors import NetworkError, ShapeError
from eventsim.events import SpikeTape
from eventsim.events.source import SourceSpikes
from eventsim.events.steps import step_within
from eventsim.network import Network, Projection
from eventsim.network.pattern import Pattern, further, has_pair_twice
from eventsim.plan import make_plan

CHUNK = 2_000_000  # arrivals that are written out at a time; some 100 MB


class SynapseArrivals(NamedTuple):
    """Arrivals at synapses, one entry each: sample, synapse, target neuron, and time in ms."""

    sample: Ints
    synapse: Ints
    target: Ints
    time: Floats


class Wires:
    """The synapses of a projection, numbered as its values (flat) are stored.

    ``by_synapse`` says whether a spike may reach the synapses of its source at different times;
    ``first`` is the first synapse of every source, and their total, [sources + 1]. Of ``kept``
    synapses alone these count, and all keep their numbers.
    """

    def __init__(self, projection: Projection, kept: Ints | None = None):
        self.projection = projection
        self.by_synapse = projection.delay_per_synapse
        self.values: Floats = projection.values.ravel()
        self.first, self._kept = projection.first_synapses(), kept
        nonzero = np.concatenate([[0], np.cumsum(self.values != 0.0)])[self.first]
        self._nonzero = np.diff(nonzero).astype(np.int64)
        if kept is not None:
            self.first = np.searchsorted(kept, self.first)

    @cached_property
    def effective(self) -> "Wires":
        """The synapses whose weight is not zero: those that a chip stores."""
        if int(self._nonzero.sum()) == self.n_synapses:
            return self
        return Wires(self.projection, np.flatnonzero(self.values))

    @property
    def n_sources(self) -> int:
        """Number of source neurons."""
        return self.first.size - 1

    @property
    def n_synapses(self) -> int:
        """Number of synapses: stored entries, also where they are zero."""
        return int(self.first[-1])

    @property
    def n_possible(self) -> int:
        """As :attr:`eventsim.network.Projection.n_possible`."""
        return self.projection.n_possible

    @property
    def fan_out(self) -> Ints:
        """Synapses of every source."""
        return np.diff(self.first)

    @cached_property
    def targets_met(self) -> Ints:
        """Neurons that every source reaches: of several synapses of a pair one counts."""
        pattern = self.projection.pattern
        if pattern is None:
            return self.fan_out
        if self._kept is not None:
            pattern = Pattern(self.first, pattern.indices[self._kept])
        if not has_pair_twice(pattern):
            return self.fan_out
        before = np.concatenate([[0], np.cumsum(further(pattern))])
        found: Ints = self.fan_out - np.diff(before[self.first])
        return found

    @property
    def nonzero_fan_out(self) -> Ints:
        """Synapses of every source whose weight is not zero."""
        return self._nonzero

    @property
    def same_for_all_targets(self) -> bool:
        """Whether every target receives every spike, and at the same time."""
        return self.projection.all_to_all and not self.by_synapse and self._kept is None

    def sources_met(self, sent: SourceSpikes, end: Floats) -> tuple[NDArray[np.bool_], Floats]:
        """Mask of spikes arriving before ``end`` [samples], all arrivals; not ``by_synapse``."""
        time = sent.times + np.broadcast_to(self.projection.delays, self.n_sources)[sent.neurons]
        return time < end[sent.sample], time

    def spread(self, sources: Ints) -> tuple[Ints, Ints]:
        """All synapses of a list of sources: place in the list, and synapse. New arrays."""
        fan_out = self.fan_out[sources]
        place = np.repeat(np.arange(sources.size), fan_out)
        before = np.cumsum(fan_out) - fan_out
        synapse = (self.first[sources] - before)[place] + np.arange(place.size)
        return place, synapse if self._kept is None else self._kept[synapse]

    def arrivals(self, sent: SourceSpikes, end: Floats) -> SynapseArrivals:
        """Every arrival before ``end`` [samples] at a synapse; ``by_synapse``. New arrays."""
        spike, synapse = self.spread(sent.neurons.astype(np.int64))
        delay = self.projection.delays.ravel()[synapse]
        time, sample = sent.times[spike] + delay, sent.sample[spike]
        met = time < end[sample]
        return SynapseArrivals(
            sample[met], synapse[met], self.projection.targets(synapse[met]), time[met]
        )


@dataclass(frozen=True)
class CountedRun:
    """A network and what it did, on the host: what counters take."""

    net: Network
    sent: Mapping[str, SourceSpikes]
    wires: Mapping[str, Wires]
    duration: Floats

    @property
    def n_samples(self) -> int:
        """Number of samples."""
        return self.duration.size

    def into(self, population: str) -> list[Wires]:
        """The projections that end at a population."""
        return [w for w in self.wires.values() if w.projection.target == population]

    def source(self, wires: Wires) -> SourceSpikes:
        """The spikes of a projection's source."""
        return self.sent[wires.projection.source]

    def until(self, ends: Floats) -> "CountedRun":
        """The run with spikes and arrivals before ``ends`` in ms, [samples]; none past its end."""
        # Events at the very end of a sample belong to it.
        sent = {
            name: found.where((found.times < ends[at]) | (ends >= self.duration)[at])
            for name, found in self.sent.items()
            for at in [found.sample]
        }
        return replace(self, sent=sent, duration=ends)

    def pieces(self, wires: Sequence[Wires]) -> Iterator[tuple[int, int]]:
        """Ranges of samples in which these projections have no more than CHUNK arrivals."""
        load = np.zeros(self.n_samples, np.int64)
        for each in wires:
            sent = self.source(each)
            events = each.fan_out[sent.neurons]
            load += np.bincount(sent.sample, events, self.n_samples).astype(np.int64)
        low = 0
        while low < self.n_samples:
            total = np.cumsum(load[low:])
            high = low + max(1, int(np.searchsorted(total, CHUNK, side="right")))
            yield low, high
            low = high


def make_run(net: Network, tape: SpikeTape) -> CountedRun:
    """A network and its tape on the host, checked to belong together.

    Raises NetworkError, ShapeError (the tape is of another network, or holds no sample).
    """
    if tape.stream.n_samples == 0:
        raise ShapeError("SpikeTape", "holds no sample", "at least one to count")
    net, tape = net.to_host(), tape.to_host()
    sent = sources(net, tape)
    for name, found in sent.items():
        if found.size != net.population(name).size:
            raise ShapeError(
                f"Population {name!r}",
                f"has {net.population(name).size} neurons in the network, {found.size} on the tape",
                remedy="The tape is that of another network.",
            )
    if set(tape.synaptic_events) != set(net.projections):
        raise NetworkError(
            "Network",
            f"has the projections {sorted(net.projections)}, the tape those of "
            f"{sorted(tape.synaptic_events)}",
            remedy="The tape is that of another network.",
        )
    make_plan(net, tape.memo).check_tape(tape, "SpikeTape")
    wires = {name: Wires(projection) for name, projection in net.projections.items()}
    return CountedRun(net, sent, wires, np.asarray(tape.stream.duration, dtype=np.float64))


def entries(counts: object, tables: Sequence[str], names: Collection[str]) -> dict[str, Any]:
    """The entries of these names in the tables of some counts."""
    return {
        table: {name: one for name, one in vars(counts)[table].items() if name in names}
        for table in tables
    }


def sums_by_sample(sample: Ints, weights: Any, n_samples: int) -> Ints:
    """Sum of whole numbers per sample, exact. New array."""
    totals = np.zeros(n_samples, np.int64)
    np.add.at(totals, sample, weights)
    return totals


def distinct(values: Ints) -> Ints:
    """The different ones of whole numbers, ascending. New array."""
    # np.unique of NumPy 2.3 hashes: ten times slower for millions of different numbers.
    ordered = np.sort(values)
    found: Ints = ordered[np.concatenate([[True], np.diff(ordered) != 0])[: ordered.size]]
    return found


def distinct_arrivals(run: CountedRun, population: str, *, step_ms: float | None = None) -> Ints:
    """Pairs (neuron, time), or (neuron, step), at which spikes arrive; [samples].

    Spikes arrive at synapses whose weight is not zero; steps are given by ``step_ms``.
    """
    totals = np.zeros(run.n_samples, np.int64)
    wires = [each.effective for each in run.into(population)]
    size = run.net.population(population).size
    for low, high in run.pieces([w for w in wires if not w.same_for_all_targets]):
        totals[low:high] = _distinct_in(run, wires, size, (low, high), step_ms)
    return totals


class _ArrivalGroup(NamedTuple):
    """Arrivals of one projection, those that come together as one entry.

    ``units`` are sources, all of whose synapses are met; synapses where these differ.
    """

    wires: Wires
    sample: Ints
    time: Floats
    units: Ints

    @property
    def size(self) -> Ints:
        """Neurons that are met, of every entry."""
        if self.wires.by_synapse:
            return np.ones(self.units.size, np.int64)
        return self.wires.targets_met[self.units]

    def pairs(self, chosen: Any) -> tuple[Ints, Ints]:
        """Entry and target neuron of everything that arrives with the chosen entries."""
        entries = np.flatnonzero(chosen)
        if self.wires.by_synapse:
            return entries, self.wires.projection.targets(self.units[entries])
        place, synapse = self.wires.spread(self.units[entries])
        return entries[place], self.wires.projection.targets(synapse)


def _group(wires: Wires, sent: SourceSpikes, end: Floats) -> _ArrivalGroup:
    if wires.by_synapse:
        found = wires.arrivals(sent, end)
        return _ArrivalGroup(wires, found.sample, found.time, found.synapse)
    met, time = wires.sources_met(sent, end)
    return _ArrivalGroup(wires, sent.sample[met], time[met], sent.neurons[met].astype(np.int64))


def _distinct_in(
    run: CountedRun,
    wires: Sequence[Wires],
    size: int,
    piece: tuple[int, int],
    step_ms: float | None,
) -> Ints:
    """As :func:`distinct_arrivals`, of some samples.

    Moments, pairs (sample, time), are numbered. At one that comes from a projection with the same
    delays to all targets, every neuron is met. At others a neuron may be met twice only if several
    groups of arrivals meet: only those are written out by target.
    """
    low, high = piece
    end = run.duration[low:high]
    groups = [_group(each, run.source(each).between(low, high), end) for each in wires]
    sample = np.concatenate([np.zeros(0, np.int64), *(group.sample for group in groups)])
    time = np.concatenate([np.zeros(0), *(group.time for group in groups)])
    if step_ms is not None:
        time = step_within(time, end[sample], step_ms).astype(np.float64)
    moment, sample_of_moment = _number_moments(sample, time)
    moments = np.split(moment, np.cumsum([group.sample.size for group in groups])[:-1])
    pairs = list(zip(groups, moments, strict=True)) if groups else []
    meets_all = np.zeros(sample_of_moment.size, bool)
    for group, mine in pairs:
        if group.wires.same_for_all_targets:
            meets_all[mine] = True
    met = np.where(meets_all, size, 0)
    crowd = np.bincount(moment, minlength=met.size)
    several = []
    for group, mine in pairs:
        open_ = ~meets_all[mine]
        alone = open_ & (crowd[mine] == 1)
        met[mine[alone]] = group.size[alone]
        entry, target = group.pairs(open_ & ~alone)
        several.append(mine[entry] * size + target)
    found = distinct(np.concatenate([np.zeros(0, np.int64), *several]))
    met += np.bincount(found // size, minlength=met.size)
    return sums_by_sample(sample_of_moment, met, high - low)


def _number_moments(sample: Ints, time: Floats) -> tuple[Ints, Ints]:
    """A number for each distinct (sample, time), and the sample of each number."""
    order = np.lexsort((time, sample))
    sorted_sample, sorted_time = sample[order], time[order]
    new = np.ones(order.size, bool)
    new[1:] = (np.diff(sorted_sample) != 0) | (np.diff(sorted_time) != 0.0)
    number = np.empty(order.size, np.int64)
    number[order] = np.cumsum(new) - 1
    return number, sorted_sample[new]
