"""From a job to the arrays that the kernels take, on the device."""

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from eventsim.arrays import Array
from eventsim.engine.contract.job import Job, StageGradients
from eventsim.engine.contract.piece import AdaptedPiece, Piece
from eventsim.engine.contract.table import N_OWN, N_SUMS, neuron_table, real_type, spike_bases
from eventsim.engine.cuda.device import Device
from eventsim.engine.cuda.order import (
    by_time,
    firsts,
    launch,
    merged_order,
    owners,
    sorting,
    starts_of,
)
from eventsim.engine.cuda.roles import (
    ArrivalsFoundStruct,
    ArrivalsStruct,
    ExpandedStruct,
    FanOutStruct,
    GroupsStruct,
    MembersStruct,
    ReadStruct,
    RunsStruct,
    TapeStruct,
    WayBackStruct,
)
from eventsim.events.tape import Adapted

# Sums behind the others where thresholds are adaptive: by their rise, and by their rate.
N_ADAPTED = 2


class PlacedWiring(NamedTuple):
    """Fan-out of a :class:`eventsim.plan.Wiring` on the device, with the row of every synapse."""

    out_start: Array
    out_counts: Array
    target: Array
    source_row: Array


def placed_wiring(dev: Device, job: Job) -> PlacedWiring:
    """The wiring of a stage on the device, once while its structure stays."""

    def make() -> PlacedWiring:
        wiring = job.stage.wiring
        counts = np.diff(wiring.out_start)
        row = np.repeat(np.arange(counts.size, dtype=np.int32), counts)
        return PlacedWiring(*map(dev.asarray, (wiring.out_start, counts, wiring.target, row)))

    return job.stage.kept.once((placed_wiring, dev), make)


@dataclass(frozen=True, eq=False)
class DeviceEvents:
    """Events of all sources of a stage in order, as in :mod:`eventsim.engine.cpu.arrays`."""

    offsets: Array
    times: Array
    rows: Array
    spike: Array | None

    def arguments(self) -> list[Array | None]:
        """In the order of the kernels that make them."""
        return [self.offsets, self.times, self.rows, self.spike]


def _of_sources(make: Callable[[Device, Job], Any], dev: Device, job: Job) -> Any:
    """Values made of a job's sources' spikes, once while the spikes stay."""
    # The spikes are kept with it, so that no others can get their ids.
    key = make, job.precision, *(id(source.times) for source in job.sources)
    kept = not job.stage.memo.pieces
    return job.stage.once(key, lambda: (make(dev, job), job.sources), kept=kept)[0]


def merged_events(dev: Device, job: Job) -> DeviceEvents:
    """A list of events in order for all neurons of a stage that shares events."""
    events: DeviceEvents = _of_sources(_merged_events, dev, job)
    return events


def _merged_events(dev: Device, job: Job) -> DeviceEvents:
    if len(job.sources) == 1 and not job.stage.memo.any_nonzero(job.stage.afferents[0].delays):
        source = job.sources[0]
        return DeviceEvents(
            dev.asarray(source.offsets),
            dev.asarray(source.times),
            dev.asarray(source.neurons),
            None,
        )
    if all(projection.delays.ndim == 0 for projection in job.stage.afferents):
        return _merged_sources(dev, job)
    return _merged_rows(dev, job)


def _merged_rows(dev: Device, job: Job) -> DeviceEvents:
    """Events where every source row has a delay of its own, and so is in order alone.

    Arrivals at one time go by row, then as they were.
    """
    groups = spike_groups(dev, job)
    runs, n = RunsStruct(groups.first, groups.time, groups.sample, groups.row), groups.time.size
    order = merged_order(dev, job.precision, groups.n_rows, runs)
    events = _empty_events(dev, job.n_samples, n)
    launch(
        dev, job.precision, "order_arrivals", max(n, job.n_samples + 1),
        [n, order, groups, *events.arguments()],
    )  # fmt: skip
    return events


@dataclass(frozen=True, eq=False)
class _PlacedSources:
    """Spikes of a job's sources on the device; ``table`` is what kernels take of them."""

    kept: list[Array]
    table: Array
    n: int

    @classmethod
    def of(cls, dev: Device, job: Job) -> "_PlacedSources":
        """With their delays where the stage shares its events."""
        bases, rows, kept, table = spike_bases(job), job.stage.wiring.row_start, [], []
        for k, source in enumerate(job.sources):
            arrays = [dev.asarray(v) for v in (source.times, source.neurons, source.offsets)]
            delays = job.stage.projections[k].delays
            if job.stage.shares_events:
                arrays.append(dev.asarray(delays, np.float64))
            addresses = [array.data.ptr for array in arrays] + [0] * (4 - len(arrays))
            table.append([*addresses, int(bases[k]), int(rows[k]), delays.ndim])
            kept += arrays
        return cls(kept, dev.asarray(np.array(table, np.int64)), int(bases[-1]))


def _merged_sources(dev: Device, job: Job) -> DeviceEvents:
    """Events of sources that are in order each, with one delay each."""
    sources, n_samples = _PlacedSources.of(dev, job), job.n_samples
    events = _empty_events(dev, n_samples, sources.n)
    launch(
        dev, job.precision, "merge_sources", max(sources.n, n_samples + 1),
        [sources.n, n_samples, len(job.sources), sources.table, *events.arguments()],
    )  # fmt: skip
    return events


def _empty_events(dev: Device, n_samples: int, n: int) -> DeviceEvents:
    """Room for n events of all sources."""
    return DeviceEvents(
        dev.empty(n_samples + 1, np.int64), dev.empty(n, np.float64), dev.empty(n, np.int32),
        dev.empty(n, np.int64),
    )  # fmt: skip


def since(dev: Device, merged: DeviceEvents, begin: Array) -> DeviceEvents:
    """The events at or after ``begin`` (ms, by sample)."""
    kept = merged.times >= begin[owners(dev, merged.offsets, merged.times.size)]
    before = starts_of(dev, kept)
    spike = dev.xp.flatnonzero(kept) if merged.spike is None else merged.spike[kept]
    return DeviceEvents(before[merged.offsets], merged.times[kept], merged.rows[kept], spike)


def spike_groups(dev: Device, job: Job) -> GroupsStruct:
    """Spikes of all sources by (sample, source row)."""
    groups: GroupsStruct = _of_sources(_spike_groups, dev, job)
    return groups


def _spike_groups(dev: Device, job: Job) -> GroupsStruct:
    n_rows, sources = int(job.stage.wiring.row_start[-1]), _PlacedSources.of(dev, job)
    n, n_groups = sources.n, job.n_samples * n_rows
    read, sorted_ = (
        ReadStruct(dev.empty(n, np.float64), dev.empty(n, np.int32), dev.empty(n, np.int32))
        for _ in range(2)
    )
    key = dev.empty(n, np.int32)
    launch(
        dev, job.precision, "read_sources", n,
        [n, job.n_samples, len(job.sources), n_rows, sources.table, read, key],
    )  # fmt: skip
    # The key of most jobs is a number of 32 bits, over which a sort goes in half of the rounds.
    small = n_groups < 2**31
    order = sorting(dev, key if small else read.sample.astype(np.int64) * n_rows + read.row)
    first = dev.empty(n_groups + 1, np.int64)
    launch(
        dev, job.precision, "group_sources", max(n, n_groups + 1),
        [n, n_rows, n_groups, order, read, first, sorted_],
    )  # fmt: skip
    return GroupsStruct(first, *sorted_, order, job.n_samples, n_rows)


def sum_source(dev: Device, job: Job, k: int, values: Array) -> Array:
    """Sum of what the spikes of source k are given, by its neuron; in the order of the spikes."""
    groups, wiring, size = spike_groups(dev, job), job.stage.wiring, job.sources[k].size
    found = dev.empty(size, np.float64)
    launch(
        dev, job.precision, "sum_by_row", size,
        [size, int(wiring.row_start[k]), int(spike_bases(job)[k]), groups, values, found],
    )  # fmt: skip
    return found


def spike_arrivals(
    dev: Device, job: Job, wiring: PlacedWiring, groups: GroupsStruct, begin: Array | None = None
) -> ArrivalsStruct:
    """Arrivals by (sample, neuron), one for each spike and synapse of its source.

    Those before ``begin`` (ms, by sample) are left out.
    """
    if begin is not None:
        return _spike_arrivals(dev, job, wiring, groups, begin)
    key = spike_arrivals, job.precision, groups
    kept = job.stage.memo.back
    return job.stage.once(key, lambda: _spike_arrivals(dev, job, wiring, groups, None), kept=kept)


def _spike_arrivals(
    dev: Device, job: Job, wiring: PlacedWiring, groups: GroupsStruct, begin: Array | None
) -> ArrivalsStruct:
    size = job.stage.population.size
    n_pairs, n_spikes = job.n_samples * size, groups.time.size
    to, duration = starts_of(dev, wiring.out_counts[groups.row]), dev.asarray(job.duration)
    n = int(to[-1])
    found = ExpandedStruct(
        dev.empty(n, np.float64), dev.empty(n, np.int64), dev.empty(n, np.int32)
    )  # fmt: skip
    launch(
        dev, job.precision, "expand_arrivals", 32 * n_spikes,
        [
            n_spikes, size, groups, to,
            FanOutStruct(wiring.out_start, wiring.target, _delays_beside(dev, job)),
            dev.zeros(job.n_samples, np.float64) if begin is None else begin, duration, found,
        ],
    )  # fmt: skip
    order = by_time(dev, found.time, found.pair, n_pairs)
    first = firsts(dev, found.pair[order], n_pairs)
    return ArrivalsStruct(first, found.time[order], found.synapse[order], order, duration, to)


def sums_of_arrivals(
    dev: Device, job: Job, wiring: PlacedWiring, groups: GroupsStruct, arrivals: ArrivalsStruct,
    found: ArrivalsFoundStruct,
) -> tuple[Array, Array, Array]:  # fmt: skip
    """dL/d(weight), dL/d(delay), dL/dt of all spikes of the sources, from those of the arrivals."""
    n_synapses, n_spikes = wiring.target.size, int(spike_bases(job)[-1])
    by_weight, by_delay = dev.empty(n_synapses, np.float64), dev.empty(n_synapses, np.float64)
    launch(
        dev, job.precision, "sum_by_synapse", n_synapses,
        [
            n_synapses, wiring.source_row, wiring.out_start, groups, arrivals.to, found, by_weight,
            by_delay,
        ],
    )  # fmt: skip
    by_spike = dev.empty(n_spikes, np.float64)
    launch(
        dev, job.precision, "sum_by_spike", n_spikes,
        [n_spikes, groups.spike, arrivals.to, found.later, by_spike],
    )  # fmt: skip
    return by_weight, by_delay, by_spike


@dataclass(frozen=True, eq=False)
class PlacedPiece:
    """A :class:`.piece.Piece` on the device, ``given`` in arrays of NumPy."""

    begin: Array
    adjoint: Array
    adapted: AdaptedPiece | None
    given: Piece

    @classmethod
    def of(cls, dev: Device, piece: Piece) -> "PlacedPiece":
        """From arrays of NumPy."""
        adapted = None
        if piece.adapted is not None:
            begin = Adapted(*(dev.asarray(values) for values in piece.adapted.begin))
            adapted = AdaptedPiece(begin, dev.asarray(piece.adapted.behind))
        return cls(dev.asarray(piece.begin), dev.asarray(piece.adjoint), adapted, piece)

    def handed_on(self, dev: Device, found: StageGradients, tape: TapeStruct) -> StageGradients:
        """Leave the adjoint state at the begin in what was given; gradients with own spikes'."""
        self.given.adjoint[:] = dev.get(self.adjoint)
        if self.adapted is not None and self.given.adapted is not None:
            self.given.adapted.behind[:] = dev.get(self.adapted.behind)
        own_times = dev.empty(tape.order.size, np.float64)
        own_times[tape.order] = tape.by_time + tape.through
        return replace(found, own_times=own_times)


def way_back(piece: PlacedPiece | None) -> WayBackStruct:
    """The way back over a piece; to the start of samples if there is none."""
    if piece is None:
        return WayBackStruct()
    adapted: tuple[Array, ...] = ()
    if piece.adapted is not None:
        adapted = (*piece.adapted.begin, piece.adapted.behind)
    return WayBackStruct(piece.given.starts, piece.begin, piece.adjoint, *adapted)


def _neuron_times(dev: Device, job: Job) -> Array:
    """Refractory times in ms; with adaptive thresholds also their rise and rate, [3, size]."""
    p = job.stage.population
    if not p.is_adaptive:
        return dev.asarray(p.refractory)
    rows = (p.refractory, p.adaptation, 1.0 / p.tau_adaptation)
    return dev.xp.stack([dev.asarray(values) for values in rows])


def members_of(dev: Device, job: Job) -> MembersStruct:
    """Parameters of a stage's neurons."""
    table = to_real(dev, job, neuron_table(job))
    return MembersStruct(table, _neuron_times(dev, job), job.stage.population.size)


def n_gradients(job: Job) -> int:
    """Rows of the sums of a stage's neurons on the way back."""
    return N_SUMS + N_OWN + (N_ADAPTED if job.stage.population.is_adaptive else 0)


def sample_parts(job: Job, *, bytes_each: int, most_bytes: int, most: int) -> NDArray[np.int64]:
    """Bounds of the sample groups whose sums are taken apart; a rule of sizes only.

    So a result does not depend on the card.
    """
    n = max(1, min(most, most_bytes // max(bytes_each, 1), job.n_samples))
    return np.linspace(0, job.n_samples, n + 1).astype(np.int64)


def parameters_home(dev: Device, job: Job) -> Callable[[Array], Array]:
    """Takes gradients of parameters to where the network's parameters are."""
    values = next(iter(job.stage.members[0].parameters.values()))
    return dev.get if type(values) is np.ndarray else lambda gradients: gradients


def _delays_beside(dev: Device, job: Job) -> Array:
    """Delays of all synapses that are not in the times of the groups, ms."""
    if not job.stage.shares_events:
        return placed_delays(dev, job)
    return dev.zeros(job.stage.wiring.target.size, np.float64)


def to_real(dev: Device, job: Job, values: Array) -> Array:
    """On the device, in the type of the state."""
    return dev.asarray(values, real_type(job))


def real_weights(dev: Device, job: Job) -> Array:
    """Weights of all synapses on the device, in the type of the state, once while values stay."""

    def make() -> Array:
        parts = [projection.values.ravel() for projection in job.stage.projections]
        if not parts or not all(isinstance(part, dev.xp.ndarray) for part in parts):
            return to_real(dev, job, job.weights())
        return dev.xp.concatenate(parts, dtype=real_type(job), casting="same_kind")

    return job.stage.once((real_weights, job.precision), make)


def placed_delays(dev: Device, job: Job) -> Array:
    """Delays of all synapses on the device, ms, once while values stay."""

    def make() -> Array:
        projections = job.stage.projections
        if not all(isinstance(one.delays, dev.xp.ndarray) for one in projections):
            return dev.asarray(job.delays())
        ends = np.cumsum([0, *(one.values.size for one in projections)])
        delays = dev.empty(int(ends[-1]), np.float64)
        for one, low, high in zip(projections, ends[:-1], ends[1:], strict=True):
            one.synapse_delays(out=delays[int(low) : int(high)])
        return delays

    return job.stage.once(placed_delays, make)
