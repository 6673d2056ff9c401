"""Windows of loops on the CPU, host side, for kernels/cpu/loop/summed.hpp."""

from typing import Any, NamedTuple

import numpy as np

from eventsim.arrays import Ints
from eventsim.compiled import roles_loop as RL
from eventsim.compiled.library import library
from eventsim.compiled.roles import NeuronsRole, SpikesRole, TasksRole
from eventsim.engine.contract.job import Job
from eventsim.engine.contract.windowing import POWERS_DOUBLE, POWERS_SINGLE, Windows
from eventsim.processors import n_threads

# Synaptic events in a window for which a thread is woken: some 0.05 ms of work.
PART_EVENTS = 5_000

# Neurons whose window takes as long as an event: 1.4 and 7 ns in bench/macro/microcircuit.py.
NEURONS_AN_EVENT = 5

# The bounds of parts are multiples of that many neurons, of which no vector has more.
BLOCK = 128

# Border of windows that each have their own.
NO_BORDER = -1.0


class SumsRun(NamedTuple):
    """Arguments of a loop by windows, with sums, beside its tasks.

    The neurons ``bounds[p] : bounds[p + 1]`` of a sample are part p.
    """

    arriving: RL.ArrivingRole
    loop: RL.LoopRole
    tiles: RL.TilesRole
    series: RL.FlightSeriesRole
    under_way: RL.UnderWayRole
    neurons: NeuronsRole
    windows: RL.WindowsRole
    basis: RL.SumBasisRole
    begin: RL.LoopStopRole
    end: RL.LoopStopRole
    bounds: Ints

    def run(self, todo: Ints, spikes: SpikesRole) -> None:
        """Run tasks, number sample * parts + part; of a sample all or none."""
        parts, real = self.bounds.size - 1, self.loop.own_weight.dtype.type
        if parts == 1:
            library().run(self._call(todo, spikes, 0), real)
            return
        with library().crew(min(parts, n_threads()) - 1) as crew:
            for sample in np.unique(todo // parts):
                tasks = sample * parts + np.arange(parts)
                library().run(self._call(tasks, spikes, crew), real, threads=1)

    def _call(self, todo: Ints, spikes: SpikesRole, crew: int) -> RL.LoopSums:
        return RL.LoopSums(
            TasksRole(todo, todo.size, self.bounds.size - 1), self.arriving, self.loop,
            self.tiles, self.series, self.under_way, self.neurons, self.windows, self.basis,
            RL.NeuronPartsRole(self.bounds, crew), self.begin, self.end, spikes,
        )  # fmt: skip


def basis_of(windows: Windows) -> RL.SumBasisRole:
    """The functions of the time to a window's end, as the kernel takes them."""
    basis = windows.basis
    return RL.SumBasisRole(
        np.ascontiguousarray(basis.by_v), np.ascontiguousarray(basis.by_j), windows.width,
        basis.reach,
    )  # fmt: skip


def series_of(windows: Windows, real: type[np.floating[Any]]) -> RL.FlightSeriesRole:
    """Series of the responses to spikes in flight, as the kernel takes them."""
    if windows.series is not None:
        return RL.FlightSeriesRole(*windows.series)
    none = np.zeros(max(POWERS_SINGLE, POWERS_DOUBLE), real)
    return RL.FlightSeriesRole(none, none, windows.basis.reach or 1.0)


def parts_for(met: float, size: int, most: int, each: float | None = None) -> int:
    """Parts that run side by side: a window has ``met`` events of other stages, ``size`` neurons.

    A part has the work of ``each`` synaptic events at least, PART_EVENTS unless given. Events of
    the loop's own spikes are not counted: nobody knows them yet.
    """
    work = met + size / NEURONS_AN_EVENT
    return int(np.clip(work / (PART_EVENTS if each is None else each), 1, most))


def bounds_of_parts(size: int, parts: int) -> Ints:
    """First neuron of every part, and their total: whole blocks."""
    blocks = np.linspace(0, -(-size // BLOCK), parts + 1).astype(np.int64)
    return np.minimum(blocks * BLOCK, size)


def rows_of(job: Job) -> RL.SynapseRowsRole:
    """Row of the weights of every synapse, of neurons that share their events."""

    def make() -> RL.SynapseRowsRole:
        fan_out = np.diff(job.stage.wiring.out_start)
        return RL.SynapseRowsRole(np.repeat(np.arange(fan_out.size, dtype=np.int32), fan_out))

    return job.stage.once(RL.SynapseRowsRole, make)
