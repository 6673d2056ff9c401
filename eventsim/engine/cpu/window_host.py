"""Windows of loops on the CPU, host side, for kernels/cpu/loop/summed.hpp."""

from typing import NamedTuple

import numpy as np

from eventsim.arrays import Ints
from eventsim.engine.contract.windowing import Windows
from eventsim.engine.cpu import roles_loop as RL
from eventsim.engine.cpu.library import library
from eventsim.engine.cpu.roles import NeuronsRole, SpikesRole, TasksRole

# Synaptic events of other stages in a window for which a thread is woken: some 0.05 ms of work.
PART_EVENTS = 5_000

# The bounds of parts are multiples of that many neurons, of which no vector has more.
BLOCK = 128

# Numbers of a place where threads meet: meeting.hpp.
N_MEETING = 24

# Border of windows that each have their own.
NO_BORDER = -1.0


class SumsRun(NamedTuple):
    """What a loop by windows takes, with sums, beside its tasks.

    The neurons ``bounds[p] : bounds[p + 1]`` of a sample are part p.
    """

    arriving: RL.ArrivingRole
    loop: RL.LoopRole
    neurons: NeuronsRole
    windows: RL.WindowsRole
    basis: RL.SumBasisRole
    begin: RL.LoopStopRole
    end: RL.LoopStopRole
    bounds: Ints

    def run(self, todo: Ints, spikes: SpikesRole) -> None:
        """Run tasks, number sample * parts + part; of a sample all or none."""
        parts, real = self.bounds.size - 1, self.loop.own_weight.dtype.type
        apart = [todo]
        if parts > 1:
            apart = [s * parts + np.arange(parts) for s in np.unique(todo // parts)]
        for tasks in apart:
            meeting = RL.NeuronPartsRole(self.bounds, np.zeros(N_MEETING, np.int64))
            call = RL.LoopSums(
                TasksRole(tasks, tasks.size, parts), self.arriving, self.loop, self.neurons,
                self.windows, self.basis, meeting, self.begin, self.end, spikes,
            )  # fmt: skip
            library().run(call, real)


def basis_of(windows: Windows) -> RL.SumBasisRole:
    """The functions of the time to a window's end, as the kernel takes them."""
    basis = windows.basis
    return RL.SumBasisRole(
        np.ascontiguousarray(basis.by_v), np.ascontiguousarray(basis.by_j), windows.width,
        basis.reach,
    )  # fmt: skip


def parts_for(met: float, most: int, each: float | None = None) -> int:
    """Parts that run side by side where a window has so many synaptic events of other stages.

    A part has ``each`` of them at least, PART_EVENTS unless given.
    """
    return int(np.clip(met / (PART_EVENTS if each is None else each), 1, most))


def bounds_of_parts(size: int, parts: int) -> Ints:
    """First neuron of every part, and their total: whole blocks."""
    blocks = np.linspace(0, -(-size // BLOCK), parts + 1).astype(np.int64)
    return np.minimum(blocks * BLOCK, size)
