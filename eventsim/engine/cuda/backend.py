"""The cuda backend: which host runs a job.

In single precision spike times and counts have the same bits as those of the cpu backend, in double
they agree to rounding. Gradients are summed in a fixed order, without atomics: two runs give the
same bits. Spikes, and gradients by their times, stay on the device; gradients by parameters go to
where the network's parameters are.
"""

from collections.abc import Callable, Sequence
from functools import wraps
from typing import Any

import numpy as np

from eventsim.arrays import Array, Floats
from eventsim.engine.contract.adam import Bounded, Trained
from eventsim.engine.contract.backend import Backend
from eventsim.engine.contract.job import Job, StageGradients
from eventsim.engine.contract.linear import LinearPiece
from eventsim.engine.contract.loop_state import LoopState
from eventsim.engine.contract.piece import Piece
from eventsim.engine.contract.state import LayerState
from eventsim.engine.cuda import (
    counts,
    layer,
    layer_adjoint,
    linear,
    linear_loop,
    queue,
    readout_host,
)
from eventsim.engine.cuda.arrays import WiringCache, sum_source
from eventsim.engine.cuda.device import CupyDevice, Device
from eventsim.engine.cuda.optimiser import FusedAdam
from eventsim.engine.cuda.order import sum_by
from eventsim.engine.cuda.spikes import SpikeMemory
from eventsim.errors import BackendError
from eventsim.events import SpikeTrains
from eventsim.events.source import SourceSpikes
from eventsim.network import Projection


def _advised(run: Callable[..., Any]) -> Callable[..., Any]:
    """Say what to do where a job does not fit the device's memory."""

    @wraps(run)
    def advised(self: "CudaBackend", job: Job, *args: Any) -> Any:
        try:
            return run(self, job, *args)
        except self.device.out_of_memory as error:
            raise BackendError(
                f"cuda: {job.stage.name!r} with {job.n_samples} samples does not fit the memory of "
                f"{self.device.name} ({error}). Run fewer samples at a time (batch_size in "
                "training, stream[a:b] otherwise), or precision='single'."
            ) from error

    return advised


def _plain(arrays: Sequence[Array]) -> bool:
    """Whether kernels can take arrays by their addresses: float64 in C order."""
    return all(a.flags.c_contiguous and a.dtype == np.float64 for a in arrays)


class CudaBackend(Backend):
    """All kernels on one device.

    ``device``: what runs the kernels; None for the current CUDA device.
    """

    name = "cuda"
    adaptive = True
    linear = linear_pieces = True
    by_algorithm = True

    def __init__(self, device: Device | None = None) -> None:
        self.device: Device = CupyDevice() if device is None else device
        self._wirings = WiringCache()
        self._synapses = counts.SynapseCache()
        self._memory = SpikeMemory()

    @property
    def xp(self) -> Any:
        """Namespace of the backend's arrays."""
        return self.device.xp

    def asarray(self, values: Any) -> Array:
        """Values on the device."""
        return self.device.asarray(values)

    def get(self, array: Array) -> Any:
        """A copy on the host."""
        return self.device.get(array)

    def lookup(self, pairs: Sequence[tuple[Array, Array | None]]) -> counts.AddressLookup | None:
        arrays = [array for pair in pairs for array in pair if array is not None]
        return counts.AddressLookup(self.device, pairs) if _plain(arrays) else None

    def count_arrivals(
        self, pairs: Sequence[tuple[Projection, SourceSpikes]], duration: Floats
    ) -> Array:
        return counts.count_arrivals(self.device, self._synapses, pairs, duration)

    def total_counts(self, trains: SpikeTrains) -> Array:
        known = self._memory.groupings.get(trains)
        if known is None:
            return trains.total_counts()
        return known.count.reshape(-1, trains.size).sum(axis=0)

    def adam(
        self,
        trained: Sequence[Trained],
        bounded: Sequence[Bounded],
        *,
        margin: float,
        stable: float,
    ) -> FusedAdam | None:
        arrays = [one.values for one in trained]
        arrays += [a for one in bounded for a in one.population.parameters.values()]
        others = any(one.population.neuron is not None for one in bounded)
        if not trained or others or not _plain(arrays):
            return None
        return FusedAdam(self.device, trained, bounded, margin=margin, stable=stable)

    def sum_by(self, values: Array, index: Array, size: int) -> Array:
        return sum_by(self.device, values, index, size)

    def sum_source(self, job: Job, k: int, values: Array) -> Array:
        return sum_source(self.device, job, k, values)

    @_advised
    def layer_forward(self, job: Job) -> SpikeTrains:
        return layer.forward(self.device, job, self._wirings, self._memory)

    @_advised
    def layer_resume(self, job: Job, state: LayerState) -> tuple[SpikeTrains, LayerState]:
        return layer.resume(self.device, job, self._wirings, self._memory, state)

    @_advised
    def layer_backward(
        self,
        job: Job,
        trains: SpikeTrains,
        by_time: Array,
        by_voltage: Array,
        piece: Piece | None = None,
    ) -> StageGradients:
        return layer_adjoint.backward(
            self.device, job, self._wirings, self._memory, trains, by_time, by_voltage, piece
        )

    @_advised
    def queue_forward(self, job: Job) -> SpikeTrains:
        return queue.forward(self.device, job)

    @_advised
    def queue_resume(self, job: Job, state: LoopState) -> tuple[SpikeTrains, LoopState]:
        return queue.resume(self.device, job, state)

    @_advised
    def queue_backward(
        self,
        job: Job,
        trains: SpikeTrains,
        by_time: Array,
        by_voltage: Array,
        piece: Piece | None = None,
    ) -> StageGradients:
        return queue.backward(self.device, job, trains, by_time, by_voltage, piece)

    @_advised
    def linear_forward(self, job: Job) -> SpikeTrains:
        if job.stage.lateral:
            return linear_loop.forward(self.device, job)
        return linear.forward(self.device, job, self._wirings, self._memory)

    @_advised
    def linear_resume(self, job: Job, state: LoopState) -> tuple[SpikeTrains, LoopState]:
        return linear_loop.resume(self.device, job, state)

    @_advised
    def linear_backward(
        self,
        job: Job,
        trains: SpikeTrains,
        by_time: Array,
        by_voltage: Array,
        piece: LinearPiece | None = None,
    ) -> StageGradients:
        assert piece is None  # which check_pieces refuses
        given = self._wirings, self._memory, trains, by_time, by_voltage
        if job.stage.lateral:
            return linear_loop.backward(self.device, job, *given)
        return linear.backward(self.device, job, *given)

    @_advised
    def readout_forward(self, job: Job, rate: float) -> Array:
        return readout_host.forward(self.device, job, self._wirings, rate)

    @_advised
    def readout_backward(self, job: Job, rate: float, by_integral: Array) -> StageGradients:
        return readout_host.backward(self.device, job, self._wirings, rate, by_integral)
