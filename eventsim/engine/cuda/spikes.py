"""Spikes on the device: buffers that grow until all fit, packing, and grouping for the way back."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, NamedTuple
from weakref import WeakKeyDictionary

import numpy as np

from eventsim.arrays import Array
from eventsim.engine.contract.job import Job, raise_first_runaway
from eventsim.engine.contract.state import LayerState, start_state
from eventsim.engine.contract.table import GUESS_MOST, guess_spikes, real_type
from eventsim.engine.cuda.device import Device
from eventsim.engine.cuda.order import by_key, launch, merged_order, owners, starts_of
from eventsim.engine.cuda.roles import (
    BuffersStruct,
    PackedStruct,
    RecordedStruct,
    RunsStruct,
    StopStruct,
    TapeStruct,
    types_of,
)
from eventsim.engine.cuda.tables import start_of
from eventsim.events import SpikeTrains

# Every (sample, neuron) has room for at least that many spikes at first; and where a stage keeps
# how much it needed.
GUESS_LEAST = 8
ROOM = "spikes of a neuron in a sample"

BLOCK, BLOCKS = 128, 32  # threads of a block, and blocks, that look at all pairs


@dataclass(frozen=True, eq=False)
class PlacedState:
    """A :class:`.state.LayerState` on the device, and where its successor goes."""

    begin: StopStruct
    end: StopStruct
    spikes: Array
    first: Array


def place_state(dev: Device, state: LayerState) -> PlacedState:
    """A state on the device."""
    begin = StopStruct(*map(dev.asarray, (*state.stop, *(state.adapted or ()))))
    # A pair that nothing moves in the time of the job keeps its state.
    return PlacedState(begin, begin.copy(), dev.asarray(state.spikes), dev.asarray(state.first))


def place_start(dev: Device, job: Job) -> PlacedState:
    """The state at time zero; nobody reads the state at the end."""
    if job.start is not None:
        return place_state(dev, start_state(job))
    shape, real = (job.n_samples, job.stage.population.size), real_type(job)
    n_pairs = shape[0] * shape[1]
    adapted = (np.float64,) * 2 if job.stage.population.is_adaptive else ()

    def new(make: Callable[..., Array]) -> StopStruct:
        types = (np.float64, real, real, np.float64, *adapted)
        return StopStruct(*(make(shape, dtype) for dtype in types))

    begin = new(dev.zeros)
    launch(
        dev, job.precision, "begin_pairs", n_pairs,
        [n_pairs, shape[1], start_of(dev, job), begin.v, begin.until],
    )  # fmt: skip
    first = dev.zeros(n_pairs + 1, np.int64)
    return PlacedState(begin, new(dev.empty), dev.zeros(0, np.float64), first)


@dataclass(frozen=True, eq=False)
class Grouping:
    """Places of a population's spikes by (sample, neuron).

    ``first`` is the first of every pair and their total, ``order`` the number of each in the tape,
    ``count`` how many every pair has.
    """

    first: Array
    order: Array
    count: Array


# Those of trains that were made on a device, until these go.
GROUPINGS: WeakKeyDictionary[SpikeTrains, Grouping] = WeakKeyDictionary()


def _room_of(dev: Device, job: Job) -> tuple[int, Array, Array]:
    """Spikes that every pair has room for, starts, and limits.

    A stage's buffers are as large as its last run needed them, at first as guessed.
    """
    stage, n_pairs = job.stage, job.n_samples * job.stage.population.size
    limit, made = int(stage.seen.get(ROOM, 0)), stage.kept.made
    if not limit:
        limit = int(guess_spikes(job, 1.0, GUESS_LEAST).max(initial=GUESS_LEAST))
    known = made.get((_room_of, dev))
    if known is None or known[0] != limit or known[1].size != n_pairs:
        start = dev.xp.arange(n_pairs, dtype=np.int64) * limit
        known = made[_room_of, dev] = limit, start, dev.xp.full(n_pairs, limit, np.int32)
    return known


def _note(job: Job, room: int, most: int) -> None:
    """Give the next run more or less room, if a pair fired ``most`` times at ``room``."""
    n_pairs = job.n_samples * job.stage.population.size
    wanted = min(most + most // 4 + 1, max(room, GUESS_MOST // n_pairs))
    if wanted > room or 2 * wanted < room:
        job.stage.seen[ROOM] = max(wanted, GUESS_LEAST)


def collect(dev: Device, job: Job, run: Callable[[BuffersStruct], None]) -> SpikeTrains:
    """Run all pairs; those whose spikes do not fit are run again with room for all.

    The host waits once, where all fit.
    """
    n_pairs, real = job.n_samples * job.stage.population.size, real_type(job)
    count, reached = dev.zeros(n_pairs, np.int32), dev.zeros(n_pairs, np.float64)
    if n_pairs == 0:
        return _packed(dev, job, [], Grouping(dev.zeros(1, np.int64), count, count), 0)
    each, start, limit = _room_of(dev, job)
    room, rounds = n_pairs * each, list[BuffersStruct]()
    while True:
        time = dev.empty(room, np.float64)
        current, restart = dev.empty(room, real), dev.empty(room, real)
        rounds.append(BuffersStruct(start, limit, time, current, restart, count, reached))
        run(rounds[-1])
        to = starts_of(dev, count)
        verdict = _judged(dev, job, limit, count, to)
        if verdict.failed:
            _raise_runaway(dev, job, count, reached)
        if not verdict.short:
            break
        over = (limit >= 0) & (count > limit)
        limit = dev.xp.where(over, dev.xp.maximum(count, 2 * limit), -1).astype(np.int32)
        starts = starts_of(dev, dev.xp.maximum(limit, 0))
        start, room = starts[:-1], int(starts[-1])
    _note(job, each, verdict.most)
    return _packed(dev, job, rounds, Grouping(to, count, count), verdict.total)


class _Verdict(NamedTuple):
    """Verdict of a round: largest count, pairs without room, pairs that ran away, sum of counts."""

    most: int
    short: int
    failed: int
    total: int


def _judged(dev: Device, job: Job, limit: Array, count: Array, to: Array) -> _Verdict:
    found = dev.empty(3 * BLOCKS + 1, np.int64)
    dev.launch(
        job.precision, "judge_pairs", BLOCKS, BLOCK, [count.size, limit, count, to, found],
        shared=BLOCK * 4,
    )  # fmt: skip
    on_host = dev.get(found)
    most, short, failed = on_host[:-1].reshape(BLOCKS, 3).T
    return _Verdict(int(most.max()), int(short.sum()), int(failed.sum()), int(on_host[-1]))


def _raise_runaway(dev: Device, job: Job, count: Array, reached: Array) -> None:
    failed = np.flatnonzero(dev.get(count) < 0)
    sample, neuron = np.divmod(failed, job.stage.population.size)
    raise_first_runaway(job, sample, neuron, dev.get(reached)[failed])


def _packed(
    dev: Device, job: Job, rounds: list[BuffersStruct], pairs: Grouping, total: int
) -> SpikeTrains:
    size, real, to, count = job.stage.population.size, real_type(job), pairs.first, pairs.count
    packed = PackedStruct(*(dev.empty(total, each) for each in types_of(PackedStruct, real)))
    for part in rounds:
        launch(
            dev, job.precision, "pack_spikes", count.size, [count.size, size, part, to, packed],
        )  # fmt: skip
    runs = RunsStruct(to, packed.time, packed.sample, packed.neuron)
    order = merged_order(dev, job.precision, size, runs)
    found = RecordedStruct(*(dev.empty(total, each) for each in types_of(RecordedStruct, real)))
    number = dev.empty(total, np.int64)
    launch(
        dev, job.precision, "arrange_spikes", total,
        [total, resistance_of(dev, job), order, packed, found, number],
    )  # fmt: skip
    per_sample = dev.asarray(to[::size]) if count.size else dev.zeros(job.n_samples + 1, np.int64)
    trains = SpikeTrains(
        found.time, found.neuron, per_sample, size,
        current=found.current, restart_current=found.restart,
    )  # fmt: skip
    GROUPINGS[trains] = Grouping(to, number, count)
    return trains


def resistance_of(dev: Device, job: Job) -> Array:
    """The resistance by which a recorded drive is divided; linear neurons record no drive."""
    if job.stage.is_linear:
        return dev.zeros(job.stage.population.size, np.float64)
    return dev.asarray(job.stage.population.resistance)


def grouped_tape(
    dev: Device, job: Job, trains: SpikeTrains, by_time: Any, by_voltage: Any
) -> TapeStruct:
    """Recorded spikes by (sample, neuron), with what the loss says of them."""
    neurons, real = dev.asarray(trains.neurons), real_type(job)
    n, (order, first) = neurons.size, grouping_of(dev, job, trains)
    through = dev.zeros(n, np.float64)
    tape = TapeStruct(
        order,
        first,
        dev.empty(n, np.float64),
        dev.empty(n, real),
        dev.empty(n, real),
        dev.empty(n, np.float64),
        dev.empty(n, real),
        through,
        dev.empty(n, np.float64) if job.stage.population.is_adaptive else through,
    )
    currents = (dev.asarray(v, np.float64) for v in (trains.current, trains.restart_current))
    recorded = RecordedStruct(dev.asarray(trains.times), neurons, *currents)
    seeds = (dev.asarray(values, np.float64) for values in (by_time, by_voltage))
    launch(
        dev, job.precision, "group_tape", n,
        [n, dev.asarray(job.stage.population.resistance), order, recorded, *seeds, tape],
    )  # fmt: skip
    return tape


def grouping_of(dev: Device, job: Job, trains: SpikeTrains) -> tuple[Array, Array]:
    """Order of spikes by (sample, neuron), and the first of every pair."""
    known = GROUPINGS.get(trains)
    if known is not None:
        return known.order, known.first
    size, neurons = job.stage.population.size, dev.asarray(trains.neurons)
    sample = owners(dev, dev.asarray(trains.offsets), neurons.size).astype(np.int64)
    return by_key(dev, sample * size + neurons, job.n_samples * size)
