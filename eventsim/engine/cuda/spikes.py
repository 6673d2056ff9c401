"""Spikes on the device: buffers that grow until all fit, packing, and grouping for the way back."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np

from eventsim.arrays import Array
from eventsim.engine.cuda.arrays import GroupedTape, to_real
from eventsim.engine.cuda.device import Device
from eventsim.engine.cuda.order import by_key, by_time, launch, owners, starts_of
from eventsim.engine.job import Job, raise_first_runaway
from eventsim.engine.state import LayerState, Stop, start_voltage
from eventsim.engine.table import guess_spikes, real_type
from eventsim.events import SpikeTrains

# Every (sample, neuron) has room for at least that many spikes at first.
GUESS_LEAST = 8


@dataclass(frozen=True, eq=False)
class Buffers:
    """Room for the spikes of the pairs that one round runs; ``limit`` is -1 for all others.

    ``count`` and ``reached`` are those of all rounds.
    """

    start: Array
    limit: Array
    time: Array
    current: Array
    restart: Array
    count: Array
    reached: Array

    def arguments(self) -> list[Array]:
        """In the order of the kernels."""
        return [
            self.start, self.limit, self.time, self.current, self.restart, self.count,
            self.reached,
        ]  # fmt: skip


@dataclass(frozen=True, eq=False)
class PlacedState:
    """A :class:`eventsim.engine.state.LayerState` on the device, and where its successor goes."""

    begin: Stop
    end: Stop
    spikes: Array
    first: Array

    def arguments(self) -> list[Array]:
        """In the order of the kernels."""
        return [*self.begin, *self.end]


def place_state(dev: Device, state: LayerState) -> PlacedState:
    """A state on the device."""
    begin = Stop(*(dev.asarray(values) for values in state.stop))
    end = Stop(*(values.copy() for values in begin))
    return PlacedState(begin, end, dev.asarray(state.spikes), dev.asarray(state.first))


def place_start(dev: Device, job: Job) -> PlacedState:
    """The state at time zero."""
    shape, real = (job.n_samples, job.stage.population.size), real_type(job)
    v = dev.zeros(shape, real) + to_real(dev, job, start_voltage(job))
    time = dev.zeros(shape, np.float64)
    begin = Stop(time, v, dev.zeros(shape, real), time - 1.0)
    first = dev.zeros(shape[0] * shape[1] + 1, np.int64)
    return PlacedState(
        begin, Stop(*(values.copy() for values in begin)), dev.zeros(0, np.float64), first
    )


def collect(dev: Device, job: Job, run: Callable[[Buffers], None]) -> SpikeTrains:
    """Run all pairs; those whose spikes do not fit are run again with room for all."""
    n_pairs = job.n_samples * job.stage.population.size
    guess = guess_spikes(job, 1.0, GUESS_LEAST).max(initial=GUESS_LEAST)
    count, reached = dev.zeros(n_pairs, np.int32), dev.zeros(n_pairs, np.float64)
    limit = dev.zeros(n_pairs, np.int32) + np.int32(guess)
    rounds: list[Buffers] = []
    while n_pairs:
        start = starts_of(dev, dev.xp.maximum(limit, 0))
        total, real = int(start[-1]), real_type(job)
        time = dev.empty(total, np.float64)
        current, restart = dev.empty(total, real), dev.empty(total, real)
        rounds.append(Buffers(start[:-1], limit, time, current, restart, count, reached))
        run(rounds[-1])
        _raise_runaway(dev, job, count, reached)
        over = (limit >= 0) & (count > limit)
        if not bool(over.any()):
            break
        limit = dev.xp.where(over, dev.xp.maximum(count, 2 * limit), -1).astype(np.int32)
    return _packed(dev, job, rounds, count)


def _raise_runaway(dev: Device, job: Job, count: Array, reached: Array) -> None:
    if int(count.min()) >= 0:
        return
    failed = np.flatnonzero(dev.get(count) < 0)
    sample, neuron = np.divmod(failed, job.stage.population.size)
    raise_first_runaway(job, sample, neuron, dev.get(reached)[failed])


def _packed(dev: Device, job: Job, rounds: list[Buffers], count: Array) -> SpikeTrains:
    size, real = job.stage.population.size, real_type(job)
    to = starts_of(dev, count)
    total = int(to[-1])
    time, current, restart = (dev.empty(total, dtype) for dtype in (np.float64, real, real))
    sample, neuron = dev.empty(total, np.int32), dev.empty(total, np.int32)
    for part in rounds:
        launch(
            dev, job.precision, "pack_spikes", count.size,
            [
                count.size, size, part.start, count, part.limit, to, part.time, part.current,
                part.restart, time, sample, neuron, current, restart,
            ],
        )  # fmt: skip
    order = by_time(dev, time, sample)
    neurons = neuron[order]
    resistance = dev.asarray(job.stage.population.resistance)[neurons]
    per_sample = to[::size] if size else dev.zeros(job.n_samples + 1, np.int64)
    return SpikeTrains(
        time[order],
        neurons,
        dev.asarray(per_sample),
        size,
        current=current[order].astype(np.float64) / resistance,
        restart_current=restart[order].astype(np.float64) / resistance,
    )


def grouped_tape(
    dev: Device, job: Job, trains: SpikeTrains, by_time: Any, by_voltage: Any
) -> GroupedTape:
    """Recorded spikes by (sample, neuron), with what the loss says of them."""
    size = job.stage.population.size
    neurons, offsets = dev.asarray(trains.neurons), dev.asarray(trains.offsets)
    sample = owners(dev, offsets, neurons.size).astype(np.int64)
    order, first = by_key(dev, sample * size + neurons, job.n_samples * size)
    resistance = dev.asarray(job.stage.population.resistance)[neurons]
    return GroupedTape(
        order,
        first,
        dev.asarray(trains.times)[order],
        to_real(dev, job, (dev.asarray(trains.current) * resistance)[order]),
        to_real(dev, job, (dev.asarray(trains.restart_current) * resistance)[order]),
        dev.asarray(by_time)[order],
        to_real(dev, job, dev.asarray(by_voltage)[order]),
        dev.zeros(neurons.size, np.float64),
    )
