"""A stage of linear neurons on a GPU, host side; twin of engine/cpu/linear_host.py.

Layers are those of :mod:`.linear`. Loops go forward by one queue per sample, event by event; so do
pieces of a stream, of layers too. Backward each neuron goes over what happened to it, as in a
layer, and waits at each of its spikes until all that the spike has sent was gone over.
"""

from typing import Any

import numpy as np

from eventsim.arrays import Array
from eventsim.engine.algorithm import least_delay
from eventsim.engine.contract.bundles import (
    Arriving,
    Loop,
    causes,
    make_bundles,
    outside_arrivals,
)
from eventsim.engine.contract.job import Job, StageGradients
from eventsim.engine.contract.linear import (
    NOWHERE,
    LinearPiece,
    LinearStop,
    loop_of,
    start_linear,
)
from eventsim.engine.contract.loop_state import LoopState, after, arrivals_since
from eventsim.engine.cuda import linear
from eventsim.engine.cuda.device import Device, size_of
from eventsim.engine.cuda.order import by_key, owners, sorting
from eventsim.engine.cuda.queue import (
    advance,
    block_of,
    new_bundles,
    new_round,
    placed_arrivals,
    placed_loop,
    placed_sources,
)
from eventsim.engine.cuda.roles import (
    LinearDuesStruct,
    LinearMarksStruct,
    LinearSentStruct,
    LinearTapeStruct,
    RoundStruct,
    types_of,
)
from eventsim.engine.cuda.spikes import grouping_of
from eventsim.events import SpikeTrains


def forward(dev: Device, job: Job) -> SpikeTrains:
    """Spikes of the stage; without currents (NaN)."""
    if not job.stage.lateral and job.start is None:
        return linear.forward(dev, job)
    job, begin = placed_sources(dev, job), NOWHERE
    if job.start is not None:
        begin = LinearStop(*map(dev.asarray, start_linear(job).stop))
    bundles = make_bundles(job)
    queue = _Queue(dev, job, loop_of(job, bundles), outside_arrivals(job, bundles), begin)
    return advance(dev, queue.job, queue, job.duration)


def resume(dev: Device, job: Job, state: LoopState) -> tuple[SpikeTrains, LoopState]:
    """A piece of a stream, of a layer too; spikes and state are on the host."""
    bundles = make_bundles(job)
    loop = loop_of(job, bundles)
    arrivals = arrivals_since(job, bundles, loop, state)
    queue = _Queue(dev, job, loop, arrivals, LinearStop(*map(dev.asarray, state.stop)))
    trains = advance(dev, queue.job, queue, job.duration - state.begin).map(dev.get)
    stop = LinearStop(*map(dev.get, queue.stop))
    left = None if state.left is None else stop  # event by event
    return after(job, loop, state, arrivals, trains, stop, stand=job.duration, left=left)


class _Queue(linear.LinearNeurons):
    """Arrivals and connections of a loop; ``stop`` has the states of its neurons behind it."""

    def __init__(
        self, dev: Device, job: Job, loop: Loop, arrivals: Arriving, begin: LinearStop
    ) -> None:
        super().__init__(dev, job)
        shape, n = (job.n_samples, self.cells.size), self.cells.n
        placed = linear.kept(job, (_Queue, self.cells), lambda: placed_loop(dev, self.job, loop))
        time, until, since = (dev.empty(shape, np.float64) for _ in range(3))
        state, recent = dev.empty((*shape, n), self.real), dev.empty(shape, np.int64)
        self.stop = LinearStop(state, time, until, since, recent)
        self._arguments = [
            placed_arrivals(dev, arrivals, dev.asarray(job.duration)), placed, self.neurons, begin,
            self.stop,
        ]  # fmt: skip

    def run(
        self, limit: Array, capacity: int, count: Array, status: Array, reached: Array
    ) -> RoundStruct:
        """Run the samples whose limit is not -1."""
        dev, job, size = self.dev, self.job, self.cells.size
        types = types_of(LinearDuesStruct, self.real)
        dues = LinearDuesStruct(*(dev.empty((job.n_samples, size), dtype) for dtype in types))
        heaps, written = (
            new_bundles(dev, job, capacity), new_round(dev, job, limit, count, status, reached)
        )  # fmt: skip
        dev.launch(
            job.precision, "linear_queue", job.n_samples, block_of(size),
            [*self._arguments, dues, heaps, written],
            size_of("QueueMemory", job.precision),
            states=self.cells.n,
        )  # fmt: skip
        return written


def backward(
    dev: Device,
    job: Job,
    trains: SpikeTrains,
    by_time: Array,
    by_voltage: Array,
    piece: LinearPiece | None = None,
) -> StageGradients:
    """Gradients from dL/dt of its spikes and dL/dV just before them."""
    assert piece is None  # refused: chunk_gradients in matrix.toml
    if not job.stage.lateral:
        return linear.backward(dev, job, trains, by_time, by_voltage)
    job, trains = placed_sources(dev, job), trains.map(dev.asarray)
    order, first = grouping_of(dev, job, trains)
    tape = linear.tape_of(dev, trains, (by_time, by_voltage), order, first)
    return linear.gradients_of(_LoopBack(dev, job, causes(job, trains), order, tape), tape)


class _LoopBack(linear.LinearLayer):
    """A layer whose neurons' own spikes are among what arrives.

    ``cause`` says which own spike, in the tape, each spike of all sources is, -1 where it is none;
    ``order`` which spike of the tape each of (sample, neuron) is.
    """

    def __init__(
        self, dev: Device, job: Job, cause: Array, order: Array, tape: LinearTapeStruct
    ) -> None:
        super().__init__(dev, job)
        n, xp, x = order.size, dev.xp, self.arrivals
        grouped = xp.full(n + 1, n)  # what has no cause here
        grouped[order] = xp.arange(n)
        cause = grouped[cause[self.groups.spike]]
        sent, first = by_key(dev, cause, n + 1)
        self._sent = LinearSentStruct(first, sent, x.to, least_delay(job.stage))
        caused = cause[owners(dev, x.to, x.time.size)][x.origin]
        caused = xp.where(caused == n, -1, caused)
        if self._sent.least == 0.0 and x.time.size:
            place = self._at_once_last(caused, tape)
            caused = caused[place]
            x = x._replace(synapse=x.synapse[place], origin=x.origin[place])
        self.arrivals = x._replace(cause=caused)

    def _at_once_last(self, cause: Array, tape: LinearTapeStruct) -> Array:
        """Order of the arrivals, those of one time that come behind a spike of the neuron last."""
        xp, x = self.dev.xp, self.arrivals
        pair = owners(self.dev, x.first, x.time.size)
        behind = (cause >= tape.first[pair]) & (tape.time[xp.maximum(cause, 0)] == x.time)
        new = xp.ones(x.time.size, np.int64)
        new[1:] = (pair[1:] != pair[:-1]) | (x.time[1:] != x.time[:-1])
        return sorting(self.dev, 2 * xp.cumsum(new) + behind)

    def _run_back(self, arguments: list[Any]) -> None:
        dev, n_pairs, size = self.dev, self.n_pairs, self.cells.size
        block, numbers = block_of(size), (dev.empty(n_pairs, np.int64) for _ in range(4))
        marks = LinearMarksStruct(dev.empty((n_pairs, self.cells.n), self.real), *numbers)
        dev.launch(
            self.job.precision, "linear_loop_backward", self.job.n_samples, block,
            [self.arrivals, *arguments, self._sent, marks],
            shared=8 * block,
            states=self.cells.n,
        )  # fmt: skip
