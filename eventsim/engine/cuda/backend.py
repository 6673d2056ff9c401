"""The cuda backend: which host runs a job.

In single precision spike times and counts have the same bits as those of the cpu backend, in double
they agree to rounding. Gradients are summed in a fixed order, without atomics: two runs give the
same bits. Spikes, and gradients by their times, stay on the device; gradients by parameters go to
where the network's parameters are.
"""

from collections.abc import Callable, Sequence
from typing import Any, Concatenate

import numpy as np

from eventsim.arrays import Array, Floats
from eventsim.engine.contract.adam import Bounded, Trained
from eventsim.engine.contract.backend import FURTHER, Backend, Found, Given
from eventsim.engine.contract.job import Job
from eventsim.engine.cuda import counts, layer, layer_adjoint, linear_loop, queue, readout_host
from eventsim.engine.cuda.arrays import sum_source
from eventsim.engine.cuda.device import CupyDevice, Device
from eventsim.engine.cuda.optimiser import FusedAdam
from eventsim.engine.cuda.order import sum_by
from eventsim.engine.cuda.spikes import GROUPINGS
from eventsim.errors import BackendError
from eventsim.events import SpikeTrains
from eventsim.events.source import SourceSpikes
from eventsim.network import Projection


def _hosted(
    run: Callable[Concatenate[Device, Given], Found],
) -> Callable[Concatenate[Any, Given], Found]:
    """A host as a method; says what to do where a job does not fit the device's memory."""

    def method(self: "CudaBackend", /, *given: Given.args, **named: Given.kwargs) -> Found:
        try:
            return run(self.device, *given, **named)
        except self.device.out_of_memory as error:
            job: Any = given[0] if given else named["job"]
            raise BackendError(
                f"cuda: {job.stage.name!r} with {job.n_samples} samples does not fit the memory of "
                f"{self.device.name} ({error}). Run fewer samples at a time (batch_size in "
                "training, stream[a:b] otherwise), or precision='single'."
            ) from error

    return method


def _plain(arrays: Sequence[Array]) -> bool:
    """Whether kernels can take arrays by their addresses: float64 in C order."""
    return all(a.flags.c_contiguous and a.dtype == np.float64 for a in arrays)


class CudaBackend(Backend):
    """Kernels of all stages on one device.

    ``device``: what runs the kernels; None for the current CUDA device.
    """

    name = "cuda"
    runs = FURTHER - {"linear_chunks_back", "windows"}
    by_algorithm = True

    def __init__(self, device: Device | None = None) -> None:
        self.device: Device = CupyDevice() if device is None else device
        self._synapses = counts.SynapseCache()

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
        known = GROUPINGS.get(trains)
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
        arrays += [one.self_weights for one in bounded if one.self_weights is not None]
        others = any(one.population.neuron is not None for one in bounded)
        if not trained or others or not _plain(arrays):
            return None
        return FusedAdam(self.device, trained, bounded, margin=margin, stable=stable)

    def sum_by(self, values: Array, index: Array, size: int) -> Array:
        return sum_by(self.device, values, index, size)

    def sum_source(self, job: Job, k: int, values: Array) -> Array:
        return sum_source(self.device, job, k, values)

    layer_forward = _hosted(layer.forward)
    layer_resume = _hosted(layer.resume)
    layer_backward = _hosted(layer_adjoint.backward)
    queue_forward = _hosted(queue.forward)
    queue_resume = _hosted(queue.resume)
    queue_backward = _hosted(queue.backward)
    linear_forward = _hosted(linear_loop.forward)
    linear_resume = _hosted(linear_loop.resume)
    linear_backward = _hosted(linear_loop.backward)
    readout_forward = _hosted(readout_host.forward)
    readout_backward = _hosted(readout_host.backward)
