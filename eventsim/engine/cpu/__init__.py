"""The cpu backend: Numba kernels on all cores, single or double precision."""

from eventsim.arrays import Floats
from eventsim.engine.cpu import layer, layer_adjoint, peaks_host, queue_host, readout_host
from eventsim.engine.cpu.threads import threads_for
from eventsim.engine.host import AbstractHostBackend
from eventsim.engine.job import Job, Peaks, StageGradients
from eventsim.engine.state import LayerState
from eventsim.events import SpikeTrains


class CpuBackend(AbstractHostBackend):
    """Neurons side by side where they share events, one by one where they do not."""

    name = "cpu"

    def layer_forward(self, job: Job) -> SpikeTrains:
        """As :meth:`eventsim.engine.backend.Backend.layer_forward`."""
        with threads_for(job):
            return layer.forward(job)

    def layer_resume(self, job: Job, state: LayerState) -> tuple[SpikeTrains, LayerState]:
        """As :meth:`eventsim.engine.backend.Backend.layer_resume`."""
        with threads_for(job):
            return layer.resume(job, state)

    def layer_backward(
        self, job: Job, trains: SpikeTrains, by_time: Floats, by_voltage: Floats
    ) -> StageGradients:
        """As :meth:`eventsim.engine.backend.Backend.layer_backward`."""
        with threads_for(job):
            return layer_adjoint.backward(job, trains, by_time, by_voltage)

    def queue_forward(self, job: Job) -> SpikeTrains:
        """As :meth:`eventsim.engine.backend.Backend.queue_forward`."""
        return queue_host.forward(job)

    def queue_backward(
        self, job: Job, trains: SpikeTrains, by_time: Floats, by_voltage: Floats
    ) -> StageGradients:
        """As :meth:`eventsim.engine.backend.Backend.queue_backward`."""
        return queue_host.backward(job, trains, by_time, by_voltage)

    def readout_forward(self, job: Job, rate: float) -> Floats:
        """As :meth:`eventsim.engine.backend.Backend.readout_forward`."""
        with threads_for(job):
            return readout_host.forward(job, rate)

    def readout_backward(self, job: Job, rate: float, by_integral: Floats) -> StageGradients:
        """As :meth:`eventsim.engine.backend.Backend.readout_backward`."""
        with threads_for(job):
            return readout_host.backward(job, rate, by_integral)

    def readout_peaks(self, job: Job) -> Peaks | None:
        """As :meth:`eventsim.engine.backend.Backend.readout_peaks`."""
        if not job.stage.shares_events:
            return None
        return peaks_host.find(job)
