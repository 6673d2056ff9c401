"""The cpu backend: compiled kernels on all cores, single or double precision.

The kernels are C++, compiled ahead of time: ``library`` loads and runs them, ``calls`` lists them,
and their arguments are declared in ``roles``, ``roles_fanin``, ``roles_loop``, ``roles_linear``,
``roles_order`` and ``roles_mapping``.

The hosts, by what a stage is: ``layer`` and ``layer_adjoint`` (neurons that share their events;
with ``fanin`` those that do not), ``queue_host`` (loops, with ``window_host`` those by windows),
``linear_host`` (with ``linear_lanes``), ``readout_host`` and ``voltages_host``; ``window_step`` is
for ranks. Below are ``arrays``, ``weights``, ``blocks``, ``lanes``, ``threads`` and ``counting``.
"""

from collections.abc import Sequence

from eventsim.arrays import Floats, Ints
from eventsim.engine.contract.backend import AbstractHostBackend
from eventsim.engine.contract.job import Job, StageGradients, Voltages
from eventsim.engine.contract.loop_state import LoopState
from eventsim.engine.contract.piece import Piece
from eventsim.engine.contract.state import LayerState
from eventsim.engine.contract.stepping import BundledSynapses, Frame, Stepped
from eventsim.engine.cpu import (
    counting,
    layer,
    layer_adjoint,
    linear_host,
    queue_host,
    readout_host,
    voltages_host,
    window_step,
)
from eventsim.engine.cpu.threads import threads_for
from eventsim.events import SpikeTrains
from eventsim.events.source import SourceSpikes
from eventsim.network import Projection


class CpuBackend(AbstractHostBackend):
    """Neurons side by side in vectors, where they do not cause each other's events."""

    name = "cpu"
    adaptive = True
    linear = True
    by_algorithm = True

    def count_arrivals(
        self, pairs: Sequence[tuple[Projection, SourceSpikes]], duration: Floats
    ) -> Ints:
        return counting.count_arrivals(pairs, duration)

    def layer_forward(self, job: Job) -> SpikeTrains:
        with threads_for(job):
            return layer.forward(job)

    def layer_resume(self, job: Job, state: LayerState) -> tuple[SpikeTrains, LayerState]:
        with threads_for(job):
            return layer.resume(job, state)

    def stepped(self, job: Job, synapses: BundledSynapses, frame: Frame) -> Stepped:
        return window_step.SteppedNeurons(job, synapses, frame)

    def layer_backward(
        self,
        job: Job,
        trains: SpikeTrains,
        by_time: Floats,
        by_voltage: Floats,
        piece: Piece | None = None,
    ) -> StageGradients:
        with threads_for(job):
            return layer_adjoint.backward(job, trains, by_time, by_voltage, piece)

    def queue_forward(self, job: Job) -> SpikeTrains:
        return queue_host.forward(job)

    def queue_resume(self, job: Job, state: LoopState) -> tuple[SpikeTrains, LoopState]:
        return queue_host.resume(job, state)

    def queue_backward(
        self,
        job: Job,
        trains: SpikeTrains,
        by_time: Floats,
        by_voltage: Floats,
        piece: Piece | None = None,
    ) -> StageGradients:
        return queue_host.backward(job, trains, by_time, by_voltage, piece)

    def linear_forward(self, job: Job) -> SpikeTrains:
        with threads_for(job):
            return linear_host.forward(job)

    def linear_backward(
        self, job: Job, trains: SpikeTrains, by_time: Floats, by_voltage: Floats
    ) -> StageGradients:
        with threads_for(job):
            return linear_host.backward(job, trains, by_time, by_voltage)

    def readout_forward(self, job: Job, rate: float) -> Floats:
        with threads_for(job):
            return readout_host.forward(job, rate)

    def readout_backward(self, job: Job, rate: float, by_integral: Floats) -> StageGradients:
        with threads_for(job):
            return readout_host.backward(job, rate, by_integral)

    def readout_peaks(self, job: Job) -> Voltages | None:
        return voltages_host.largest(job) if job.stage.shares_events else None

    def readout_voltages(self, job: Job, times: Floats) -> Voltages | None:
        return voltages_host.at(job, times) if job.stage.shares_events else None
