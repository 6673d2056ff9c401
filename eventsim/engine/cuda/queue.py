"""Stage with a loop on a GPU, host side; twin of engine/cpu/queue_host.py."""

from dataclasses import replace
from typing import Protocol

import numpy as np

from eventsim.arrays import Array, Floats, owners
from eventsim.engine.algorithm import Algorithm, algorithm_by_windows
from eventsim.engine.contract.bundles import (
    Arriving,
    Loop,
    all_arrivals,
    make_bundles,
    make_loop,
    outside_arrivals,
)
from eventsim.engine.contract.job import Job, StageGradients, raise_first_runaway
from eventsim.engine.contract.loop_state import (
    LoopState,
    LoopStop,
    after,
    arrivals_since,
    start_loop,
)
from eventsim.engine.contract.piece import Piece
from eventsim.engine.contract.state import start_voltage
from eventsim.engine.contract.table import (
    FoundBack,
    fastest_rate,
    guess_spikes,
    layer_gradients,
    real_type,
    row_weights,
    scaled_weights,
    spike_bases,
)
from eventsim.engine.contract.windowing import Windows, windows_of
from eventsim.engine.cuda.arrays import (
    PlacedPiece,
    members_of,
    n_gradients,
    parameters_home,
    sample_parts,
    to_real,
    way_back,
)
from eventsim.engine.cuda.device import Device, size_of
from eventsim.engine.cuda.order import by_time, firsts, sorting, starts_of, sum_by, sum_rows
from eventsim.engine.cuda.roles import (
    ArrivingStruct,
    BundlesStruct,
    CellsStruct,
    LoopFoundStruct,
    LoopStopStruct,
    LoopStruct,
    PlacesStruct,
    RoomStruct,
    RoundStruct,
    WindowsStruct,
    on_host,
    types_of,
)
from eventsim.engine.cuda.spikes import grouped_tape, resistance_of
from eventsim.events import SpikeTrains
from eventsim.events.source import SourceSpikes
from eventsim.events.tape import Adapted

# Threads of one sample's block: a power of two, for the way back.
LEAST_BLOCK, MOST_BLOCK = 32, 256

# Room for spikes and for arrivals on their way that every sample has at first.
GUESS_LEAST, HEAP_LEAST = 256, 4096

# Weight gradients are summed in parts over the samples, as many as fit this memory.
PARTS_BYTES, PARTS = 256 * 2**20, 512

DONE, FULL, RUNAWAY = range(3)  # as in the kernel


def placed_sources(dev: Device, job: Job) -> Job:
    """The job with its sources on the device."""
    sources = tuple(
        SourceSpikes(dev.asarray(s.times), dev.asarray(s.neurons), dev.asarray(s.offsets), s.size)
        for s in job.sources
    )
    return replace(job, sources=sources, asked=None)


def block_of(size: int) -> int:
    """Threads of a block for that many neurons."""
    return min(MOST_BLOCK, max(LEAST_BLOCK, 1 << (size - 1).bit_length()))


def placed_arrivals(dev: Device, arrivals: Arriving, duration: Array) -> ArrivingStruct:
    """Arrivals as the kernels that go forward take them."""
    offsets, time, first, last = map(dev.asarray, arrivals[:4])
    return ArrivingStruct(offsets, time, first, last, None, duration)


def placed_loop(dev: Device, job: Job, loop: Loop) -> LoopStruct:
    types = types_of(LoopStruct, real_type(job))
    return LoopStruct(*(dev.asarray(a, t) for a, t in zip(loop, types, strict=True)))


def forward(dev: Device, job: Job) -> SpikeTrains:
    job = placed_sources(dev, job)
    bundles = make_bundles(job)
    loop, outside = make_loop(job, bundles, scaled_weights(job)), outside_arrivals(job, bundles)
    launch = _Forward(dev, job, loop, outside, windows_of(job), _start(dev, job))
    return advance(dev, job, launch, job.duration)


def resume(dev: Device, job: Job, state: LoopState) -> tuple[SpikeTrains, LoopState]:
    """Spikes and state are on the host."""
    bundles = make_bundles(job)
    loop = make_loop(job, bundles, scaled_weights(job))
    arrivals = arrivals_since(job, bundles, loop, state)
    windows = windows_of(job)
    begin = LoopStopStruct(*map(dev.asarray, (*state.stop, *(state.adapted or ()))))
    launch = _Forward(dev, job, loop, arrivals, windows, begin)
    trains = advance(dev, job, launch, job.duration - state.begin).map(dev.get)
    stop, adapted = on_host(launch.stop, dev.get)
    found = LoopStop(*stop)
    stand = job.duration if windows is None else found.border
    return after(job, loop, state, arrivals, trains, found, stand=stand, adapted=adapted)


def _start(dev: Device, job: Job) -> LoopStopStruct:
    """States of the neurons at time zero."""
    if job.start is not None:
        start = start_loop(job)
        return LoopStopStruct(*map(dev.asarray, (*start.stop, *(start.adapted or ()))))
    n, size, adaptive = job.n_samples, job.stage.population.size, job.stage.population.is_adaptive
    state, times = dev.zeros((2, n, size), real_type(job)), dev.zeros((5, n, size), np.float64)
    state[0] = to_real(dev, job, start_voltage(job))
    window = dev.zeros((2, n), np.int64)
    return LoopStopStruct(
        times[0], state[0], state[1], times[1], times[2], dev.zeros((n, size), np.int64),
        dev.zeros(n, np.float64), window[0], window[1], *((times[3], times[4]) if adaptive else ()),
    )  # fmt: skip


def advance(dev: Device, job: Job, launch: "Running", span: Floats) -> SpikeTrains:
    """Spikes from the states of the neurons on, over ``span`` ms of every sample."""
    xp, size, n = dev.xp, job.stage.population.size, job.n_samples
    count, status = dev.zeros(n, np.int32), dev.zeros(n, np.int32)
    reached = dev.zeros(n, np.float64)
    guess = guess_spikes(job, size, GUESS_LEAST, span).astype(np.int32)
    limit, capacity, rounds = dev.asarray(guess), HEAP_LEAST, []
    while n:
        written = launch.run(limit, capacity, count, status, reached)
        _raise_runaway(dev, job, count, status, reached)
        ran, full = limit >= 0, status == FULL
        short = ran & (full | (count > limit))
        rounds.append((written, xp.where(ran & ~short, count, 0)))
        if not bool(short.any()):
            break
        capacity *= 4 if bool((ran & full).any()) else 1
        limit = xp.where(short, xp.maximum(count, 2 * limit), -1).astype(np.int32)
    return _packed(dev, job, rounds)


def new_round(
    dev: Device, job: Job, limit: Array, count: Array, status: Array, reached: Array
) -> RoundStruct:
    """Room for as many spikes of every sample as ``limit`` says."""
    start, real = starts_of(dev, dev.xp.maximum(limit, 0)), real_type(job)
    total, types = int(start[-1]), (np.float64, np.int32, real, real)
    time, neuron, current, restart = (dev.empty(total, dtype) for dtype in types)
    return RoundStruct(start[:-1], limit, time, neuron, current, restart, count, status, reached)


def new_bundles(dev: Device, job: Job, capacity: int) -> BundlesStruct:
    """Room for so many bundles of every sample."""
    types, shape = types_of(BundlesStruct, real_type(job)), (job.n_samples, capacity)
    time, first, last = (dev.empty(shape, dtype) for dtype in types)
    return BundlesStruct(time, first, last, capacity)


class Running(Protocol):
    """A launcher of the kernel that runs the samples of a loop."""

    def run(
        self, limit: Array, capacity: int, count: Array, status: Array, reached: Array
    ) -> RoundStruct:
        """Run the samples whose limit is not -1."""


class _Forward:
    """Arguments of the kernel that stay the same; ``stop`` says how the neurons stand after it."""

    def __init__(
        self, dev: Device, job: Job, loop: Loop, arrivals: Arriving, windows: Windows | None,
        begin: LoopStopStruct,
    ) -> None:  # fmt: skip
        self._dev, self._job, self._windows = dev, job, windows
        self.stop = LoopStopStruct(
            *(None if v is None else dev.empty(v.shape, v.dtype) for v in begin)
        )
        self._arguments = [
            placed_arrivals(dev, arrivals, dev.asarray(job.duration)),
            placed_loop(dev, job, loop),
            members_of(dev, job),
            begin,
            self.stop,
        ]

    def run(
        self, limit: Array, capacity: int, count: Array, status: Array, reached: Array
    ) -> RoundStruct:
        """Run the samples whose limit is not -1."""
        dev, job, real = self._dev, self._job, real_type(self._job)
        size, n = job.stage.population.size, job.n_samples
        adaptive = job.stage.population.is_adaptive
        types = types_of(CellsStruct, real)
        types = types if adaptive else types[: -len(Adapted._fields)]
        cells = CellsStruct(*(dev.empty((n, size), dtype) for dtype in types))
        written = new_round(dev, job, limit, count, status, reached)
        room = RoomStruct(cells, new_bundles(dev, job, capacity))
        arguments = [*self._arguments, room, written]
        if self._windows is None:
            dev.launch(
                job.precision, "queue_forward", n, block_of(size), arguments,
                size_of("QueueMemory", job.precision), adaptive=adaptive,
            )  # fmt: skip
        else:
            dev.launch(
                job.precision, "windows_forward", n, block_of(size),
                [*arguments, self._of_windows(self._windows, capacity)],
                size_of("WindowMemory", job.precision), adaptive=adaptive,
            )  # fmt: skip
        return written

    def _of_windows(self, windows: Windows, capacity: int) -> WindowsStruct:
        """Further arguments of ``windows_forward``."""
        dev, job, n, real = self._dev, self._job, self._job.n_samples, real_type(self._job)
        basis = windows.basis
        shares = algorithm_by_windows(job.stage) is Algorithm.LOOP_STRETCHES
        width = 0 if shares else windows.width
        return WindowsStruct(
            windows.length, basis.reach, dev.asarray(basis.by_v), dev.asarray(basis.by_j),
            windows.pieces, width, len(basis.by_v), new_bundles(dev, job, capacity),
            dev.empty((n, job.stage.population.size, width), real), shares,
            to_real(dev, job, row_weights(job)) if shares else None,
            job.stage.once(_rows, lambda: _rows(dev, job)) if shares else None,
            fastest_rate(job),
        )  # fmt: skip


def _rows(dev: Device, job: Job) -> Array:
    """The row of every synapse in the wiring of a stage."""
    wiring = job.stage.wiring
    return dev.asarray(owners(wiring.out_start, wiring.target.size), np.int32)


def _raise_runaway(dev: Device, job: Job, count: Array, status: Array, reached: Array) -> None:
    failed = dev.xp.flatnonzero(status == RUNAWAY)
    if failed.size:
        samples = dev.get(failed)
        raise_first_runaway(job, samples, dev.get(count)[samples], dev.get(reached)[samples])


def _packed(dev: Device, job: Job, rounds: list[tuple[RoundStruct, Array]]) -> SpikeTrains:
    """The spikes of all samples by (sample, time, neuron), from every round those it completed."""
    xp, real = dev.xp, real_type(job)
    types = (np.int64, np.float64, np.int32, real, real)
    parts: list[list[Array]] = [[dev.zeros(0, dtype)] for dtype in types]
    for part, kept in rounds:
        before = starts_of(dev, kept)
        total = int(before[-1])
        sample = xp.searchsorted(before, xp.arange(total), side="right") - 1
        place = part.start[sample] + xp.arange(total) - before[sample]
        for into, values in zip(
            parts, (None, part.time, part.neuron, part.current, part.restart), strict=True
        ):
            into.append(sample if values is None else values[place])
    sample, time, neuron, current, restart = (xp.concatenate(arrays) for arrays in parts)
    by_neuron = sorting(dev, neuron)
    order = by_neuron[by_time(dev, time[by_neuron], sample[by_neuron], job.n_samples)]
    neurons = neuron[order]
    resistance = resistance_of(dev, job)[neurons]
    return SpikeTrains(
        time[order],
        neurons,
        firsts(dev, sample[order], job.n_samples),
        job.stage.population.size,
        current=current[order].astype(np.float64) / resistance,
        restart_current=restart[order].astype(np.float64) / resistance,
    )


def backward(
    dev: Device, job: Job, trains: SpikeTrains, by_time: Array, by_voltage: Array,
    piece: Piece | None = None,
) -> StageGradients:  # fmt: skip
    job, trains = placed_sources(dev, job), trains.map(dev.asarray)
    size, real, xp, adaptive = trains.size, real_type(job), dev.xp, job.stage.population.is_adaptive
    tape = grouped_tape(dev, job, trains, by_time, by_voltage)
    order = tape.order
    bundles = make_bundles(job)
    placed = None if piece is None else PlacedPiece.of(dev, piece)
    met = all_arrivals(job, bundles, trains, None if placed is None else placed.begin)
    loop = placed_loop(dev, job, make_loop(job, bundles, scaled_weights(job)))
    grouped = dev.empty(order.size + 1, np.int64)
    grouped[order] = xp.arange(order.size)
    grouped[-1:] = -1  # what has no cause here
    n_synapses = loop.weight.size
    bounds = sample_parts(job, bytes_each=16 * n_synapses, most_bytes=PARTS_BYTES, most=PARTS)
    parts = bounds.size - 1
    found = LoopFoundStruct(
        dev.zeros((parts, n_synapses), real), dev.zeros((parts, n_synapses), np.float64),
        dev.empty(met.time.size, np.float64),
        dev.zeros((parts, n_gradients(job), size), np.float64), dev.zeros((parts, size), np.int32),
        n_synapses,
    )  # fmt: skip
    places = PlacesStruct(
        dev.empty((parts, 5, size), real), dev.empty((parts, size), np.float64),
        dev.empty((parts, size), np.int64), dev.empty((parts, size), np.uint8),
        dev.empty((parts, size, 3 if adaptive else 0), np.float64),
    )  # fmt: skip
    dev.launch(
        job.precision, "queue_backward", parts, block_of(size),
        [
            dev.asarray(bounds),
            ArrivingStruct(*met[:4], grouped[met.cause], dev.asarray(job.duration)), loop,
            members_of(dev, job), tape._replace(neuron=trains.neurons[order]), way_back(placed),
            places, found,
        ],
        shared=block_of(size) * 8,
        adaptive=adaptive,
    )  # fmt: skip
    home, total = parameters_home(dev, job), sum_rows(dev, job.precision, found.sums)
    by_drive, by_delay = (
        home(sum_rows(dev, job.precision, sums)) for sums in (found.by_weight, found.by_delay)
    )
    by_spike = _by_spike(dev, job, met.spike, found.effects)
    back = FoundBack(by_drive, by_delay, by_spike, home(total), found.grazes.sum())
    gradients = layer_gradients(job, back)
    return gradients if placed is None else placed.handed_on(dev, gradients, tape)


def _by_spike(dev: Device, job: Job, spike: Array, effects: Array) -> Array:
    """Sum over the bundles of every spike; those without a synapse have no spike, -1."""
    n = int(spike_bases(job)[-1])
    kept = spike >= 0
    return sum_by(dev, effects[kept], spike[kept], n)
