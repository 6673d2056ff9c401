"""Synapses in bundles: those of one source neuron that share a delay arrive together.

A projection whose delay is one number, or one per source neuron, has one bundle per source neuron;
one with a delay per synapse has one bundle per synapse. No neuron is in a bundle twice: where a
source has several synapses onto one neuron, the next of them begins a bundle. The queue of a stage
with a loop moves bundles, and a sample's arrivals are ordered by (time, first synapse). A
self-connection that returns later than its spike is a bundle without a synapse, of number OWN +
neuron: after all others of its time.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np

from eventsim.arrays import Array, beside, namespace, owners, to_host
from eventsim.engine.contract.job import Job
from eventsim.engine.contract.table import spike_bases
from eventsim.events import SpikeTrains
from eventsim.events.order import is_ordered, order_of_parts
from eventsim.events.source import SourceSpikes, source_of
from eventsim.memo import Made
from eventsim.plan import Stage
from eventsim.plan.wiring import Wiring

# Bundles from here on are self-connections.
OWN = 2**62


@dataclass(frozen=True, eq=False)
class Bundles:
    """Bundles by source row of the stage's wiring: bounds of their synapses, and delay in ms.

    Row r has the bundles ``start[r] : start[r + 1]``. NumPy arrays.
    """

    start: Array
    first: Array
    last: Array
    delay: Array

    def of_rows(self, rows: Array) -> tuple[Array, Array]:
        """Bundles of many rows one after the other, and which of ``rows`` each belongs to."""
        start, xp = beside(self.start, rows), namespace(rows)
        counts = (start[1:] - start[:-1])[rows]
        if xp is np and (counts == 1).all():
            return start[rows], np.arange(rows.size)
        before = _starts(counts)
        place = owners(before, int(before[-1]))
        number = xp.arange(place.size)
        return number + (start[rows] - before[:-1])[place], place


class Loop(NamedTuple):
    """Connections of a loop's neurons: bundles by source neuron, synapses, self-connections.

    ``start[n] : start[n + 1]`` are the bundles of neuron n, with the bounds of their synapses and
    their delay. ``target`` and ``weight`` are by synapse, those of other stages' included; the
    backend ``cpu`` has the addresses of :mod:`eventsim.engine.cpu.weights` in place of weights.
    """

    start: Array
    first: Array
    last: Array
    delay: Array
    target: Array
    weight: Any
    own_weight: Array
    own_delay: Array


class Arriving(NamedTuple):
    """Bundles that arrive, by sample, in order of (time, first synapse).

    ``spike`` is the number of its spike among those of all sources of the job, ``cause`` its number
    among those of the loop itself, -1 for one of another stage.
    """

    offsets: Array
    time: Array
    first: Array
    last: Array
    spike: Array
    cause: Array


def make_bundles(job: Job, *, lateral: bool = True) -> Bundles:
    """The bundles of a stage; not to be changed.

    ``lateral``: those of the loop's own synapses with delays of their own as well.
    """
    key, kept = (make_bundles, lateral), job.stage.memo.pieces
    return job.stage.once(key, lambda: _bundles(job, lateral), kept=kept)


def _bundles(job: Job, lateral: bool) -> Bundles:
    stage = job.stage
    start, first, last, row, apart = _of_structure(stage, lateral, _places_of, stage, lateral)
    delay = job.row_delays()[row]
    mine = np.flatnonzero(apart[row])
    if mine.size:
        delay[mine] = to_host(job.delays(lateral=lateral))[first[mine]]
    return Bundles(start, first, last, delay)


def _of_structure(stage: Stage, lateral: bool, make: Callable[..., Made], *given: Any) -> Made:
    """Values made of a stage's structure alone, kept unless delays are by synapse."""
    kept = not any(p.delay_per_synapse for p in (stage.projections if lateral else stage.afferents))
    return stage.kept.once((make, lateral), lambda: make(*given), kept=kept)


def _places_of(stage: Stage, lateral: bool) -> tuple[Array, ...]:
    """Bounds of bundles and of their synapses, their rows, and which rows have one a synapse."""
    wiring = stage.wiring
    each, n_rows = [p.delay_per_synapse for p in stage.projections], np.diff(wiring.row_start)
    apart, fan_out = np.repeat(each, n_rows), np.diff(wiring.out_start)
    if not lateral:
        fan_out[apart & (np.arange(apart.size) >= wiring.row_start[len(stage.afferents)])] = 0
    if any(p.has_multapses for p in stage.projections if not p.delay_per_synapse):
        return (*_parted(wiring, apart, fan_out > 0), apart)
    start = _starts(np.where(apart, fan_out, fan_out > 0))
    row = owners(start, int(start[-1]))
    first = wiring.out_start[row] + np.arange(row.size) - start[row]
    first = np.where(apart[row], first, wiring.out_start[row])
    last = np.where(apart[row], first + 1, wiring.out_start[row + 1])
    return start, first, last, row, apart


def _parted(wiring: Wiring, apart: Array, taken: Array) -> tuple[Array, ...]:
    """As :func:`_places_of`, of the rows ``taken``; no neuron is in a bundle twice."""
    some = np.flatnonzero(taken)
    n = int(np.searchsorted(wiring.row_start, some[-1] + 1)) if some.size else 0  # projections
    n_rows, target = int(wiring.row_start[n]), wiring.first_targets(n)
    counts = np.diff(wiring.out_start[: n_rows + 1])
    begins = np.repeat(apart[:n_rows], counts)
    begins[1:] |= target[1:] == target[:-1]
    begins[wiring.out_start[:n_rows][counts > 0]] = True
    first = np.flatnonzero(begins & np.repeat(taken[:n_rows], counts))
    start = np.searchsorted(first, wiring.out_start)
    row = owners(start, first.size)
    behind = np.append(first[1:], target.size)
    return start, first, np.minimum(behind, wiring.out_start[row + 1]), row


def make_loop(
    job: Job, bundles: Bundles, weight: Any, *, lateral: bool = True, flights: bool = True
) -> Loop:
    """The loop of a stage; bundles in NumPy arrays, the rest where the network has its arrays.

    ``weight`` is that of every synapse times its target's resistance, in the form that the kernels
    of the backend take. ``lateral``: as the bundles were made. ``flights``: whether targets of the
    loop's own synapses with delays of their own will be read; where all have such, they are not
    made without.
    """
    stage = job.stage
    flown = not flights and all(p.delay_per_synapse or p.values.size == 0 for p in stage.lateral)
    n_read = len(stage.afferents if flown else stage.projections)
    start, bundle = _of_structure(stage, lateral, _bundles_of_neurons, stage, bundles)
    return Loop(
        start,
        bundles.first[bundle],
        bundles.last[bundle],
        bundles.delay[bundle],
        stage.wiring.first_targets(n_read),
        weight,
        job.self_weights() * (1.0 if stage.is_linear else stage.population.resistance),
        job.self_delays(),
    )


def _bundles_of_neurons(stage: Stage, bundles: Bundles) -> tuple[Array, Array]:
    """Bounds of the bundles of every neuron of a loop, and their numbers."""
    neurons, rows = [np.zeros(0, np.int64)], [np.zeros(0, np.int64)]
    for k, projection in enumerate(stage.lateral, start=len(stage.afferents)):
        low, high = stage.wiring.row_start[k], stage.wiring.row_start[k + 1]
        rows.append(np.arange(low, high))
        neurons.append(np.arange(high - low) + stage.start_of(projection.source))
    neuron, row = np.concatenate(neurons), np.concatenate(rows)
    by_neuron = np.argsort(neuron, kind="stable")
    bundle, place = bundles.of_rows(row[by_neuron])
    counts = np.bincount(neuron[by_neuron][place], minlength=int(stage.member_start[-1]))
    return _starts(counts), bundle


def outside_arrivals(job: Job, bundles: Bundles) -> Arriving:
    """Arrivals from other stages before the end of the samples."""
    sources = job.sources[: len(job.stage.afferents)]
    parts = [_spread(bundles, sources, 0)]
    return _ordered(job, parts)


def all_arrivals(
    job: Job, bundles: Bundles, trains: SpikeTrains, begin: Array | None = None
) -> Arriving:
    """Arrivals before the end of the samples, those of the loop's own spikes included.

    From ``begin`` on, if it is given: ms, by sample.
    ``job.sources`` are those of all projections, ``trains`` the spikes of the loop.
    """
    cause = causes(job, trains)
    sample, time, first, last, spike, _ = _spread(bundles, job.sources, 0)
    returns = _returns(source_of(trains), beside(job.self_delays(), trains.times))
    met = _ordered(job, [(sample, time, first, last, spike, cause[spike]), returns])
    return met if begin is None else arrivals_between(met, begin, job.duration)


def causes(job: Job, trains: SpikeTrains) -> Array:
    """Number of every spike of all sources of a loop among ``trains``, its own; -1 of others."""
    stage, bases, xp = job.stage, spike_bases(job), namespace(trains.times)
    cause = xp.full(int(bases[-1]), -1)
    for k, projection in enumerate(stage.lateral, start=len(stage.afferents)):
        low = stage.start_of(projection.source)
        high = low + job.sources[k].size
        mine = xp.flatnonzero((trains.neurons >= low) & (trains.neurons < high))
        cause[int(bases[k]) : int(bases[k + 1])] = mine
    return cause


def arrivals_of(job: Job, loop: Loop, spikes: SourceSpikes) -> Arriving:
    """Arrivals of some spikes of the loop before the end of the samples; cause and spike: -1.

    Neurons are numbered as those of the stage; NumPy arrays.
    """
    bundles = Bundles(loop.start, loop.first, loop.last, loop.delay)
    sent = _spread(bundles, (spikes,), 0)
    *returns, own = _returns(spikes, loop.own_delay)
    return _ordered(job, [sent, (*returns, np.full(own.size, -1))])


def in_order(job: Job, parts: Sequence[Arriving]) -> Arriving:
    """Arrivals of several parts before the end of the samples, in one order."""
    return _ordered(job, [(owners(p.offsets, p.time.size), *p[1:]) for p in parts])


def arrivals_between(arriving: Arriving, low: Array, high: Array) -> Arriving:
    """The arrivals at or after ``low`` and before ``high``, ms by sample."""
    xp = namespace(arriving.time)
    sample = owners(arriving.offsets, arriving.time.size)
    met = arriving.time >= xp.asarray(low)[sample]
    met &= arriving.time < xp.asarray(high)[sample]
    before = xp.concatenate([xp.zeros(1, np.int64), xp.cumsum(met)]).astype(np.int64)
    return Arriving(before[arriving.offsets], *(values[met] for values in arriving[1:]))


def _returns(spikes: SourceSpikes, own_delay: Array) -> tuple[Array, ...]:
    """As :func:`_spread`, of self-connections with a delay; the last is the number of the spike."""
    xp, delay = namespace(spikes.times), own_delay[spikes.neurons]
    own = xp.flatnonzero(delay > 0.0)
    neurons = spikes.neurons[own].astype(np.int64)
    return (
        owners(spikes.offsets, spikes.times.size)[own],
        (spikes.times + delay)[own],
        neurons + OWN,
        neurons + (OWN + 1),
        xp.full(own.size, -1),
        own,
    )


def _spread(
    bundles: Bundles, sources: tuple[SourceSpikes, ...], first_row: int
) -> tuple[Array, Array, Array, Array, Array, Array]:
    """Sample, time, synapses, spike and cause (none) of every bundle of consecutive sources."""
    xp = namespace(sources[0].times) if sources else np
    rows, times, samples = [xp.zeros(0, np.int64)], [xp.zeros(0)], [xp.zeros(0, np.int64)]
    numbers, before = [xp.zeros(0, np.int64)], 0
    # On a device a choice takes more launches than it spares.
    all_heard = xp is not np or bool((bundles.start[1:] > bundles.start[:-1]).all())
    for source in sources:
        mine: Any = slice(None) if all_heard else _heard(bundles, source, first_row)
        rows.append(source.neurons[mine].astype(np.int64) + first_row)
        times.append(source.times[mine])
        samples.append(owners(source.offsets, source.times.size)[mine].astype(np.int64))
        if not all_heard:
            numbers.append(mine + before)
        first_row += source.size
        before += source.times.size
    bundle, place = bundles.of_rows(xp.concatenate(rows))
    time = xp.concatenate(times)[place] + beside(bundles.delay, bundle)[bundle]
    first, last = (beside(values, bundle)[bundle] for values in (bundles.first, bundles.last))
    spike = place if all_heard else xp.concatenate(numbers)[place]
    return xp.concatenate(samples)[place], time, first, last, spike, xp.full(spike.size, -1)


def _heard(bundles: Bundles, source: SourceSpikes, first_row: int) -> Array:
    """Numbers of the spikes that have bundles: of an input, many may be for other populations."""
    xp = namespace(source.times)
    start = bundles.start[first_row : first_row + source.size + 1]
    heard = start[1:] > start[:-1]
    return xp.flatnonzero(beside(heard, source.neurons)[source.neurons])


def _ordered(job: Job, parts: Sequence[tuple[Array, ...]]) -> Arriving:
    xp = namespace(parts[0][0])
    sample, time, first, last, spike, cause = (
        parts[0]
        if len(parts) == 1
        else (xp.concatenate(list(arrays)) for arrays in zip(*parts, strict=True))
    )
    met = xp.flatnonzero(time < xp.asarray(job.duration)[sample])
    samples = xp.arange(job.n_samples + 1)
    if xp is np and met.size == time.size and is_ordered(sample, time, np.minimum(first, OWN)):
        return Arriving(np.searchsorted(sample, samples), time, first, last, spike, cause)
    if met.size == 0:  # which CuPy neither sorts nor searches
        empty = (values[met] for values in (time, first, last, spike, cause))
        return Arriving(xp.zeros(job.n_samples + 1, np.int64), *empty)
    if xp is np:
        order = met[order_of_parts(sample[met], time[met], np.minimum(first[met], OWN))]
    else:
        # Floats hold every synapse number; those from OWN on become equal, and keep their order.
        keys = [first[met].astype(np.float64), time[met], sample[met].astype(np.float64)]
        order = met[xp.lexsort(xp.stack(keys))]
    offsets = xp.searchsorted(sample[order], samples)
    return Arriving(offsets, time[order], first[order], last[order], spike[order], cause[order])


def _starts(counts: Array) -> Array:
    """First item of every group, and their total, from the size of every group; int64."""
    xp = namespace(counts)
    return xp.concatenate([xp.zeros(1, np.int64), xp.cumsum(counts).astype(np.int64)])
