"""The reference backend: plain Python, double precision, slow, the definition."""

import numpy as np

from eventsim.arrays import Floats
from eventsim.engine.contract.backend import AbstractHostBackend
from eventsim.engine.contract.job import Job, StageGradients
from eventsim.engine.contract.loop_state import LoopState
from eventsim.engine.contract.piece import Piece
from eventsim.engine.contract.state import LayerState
from eventsim.engine.reference import (
    layer,
    layer_adjoint,
    linear,
    linear_adjoint,
    queue,
    readout,
)
from eventsim.errors import BackendError
from eventsim.events import SpikeTrains


class ReferenceBackend(AbstractHostBackend):
    """Walks every (sample, neuron) pair alone with the functions of :mod:`eventsim.neuron.lif`."""

    name = "reference"
    adaptive = True
    linear = True

    def layer_forward(self, job: Job) -> SpikeTrains:
        _double_only(job)
        return layer.forward(job)

    def layer_resume(self, job: Job, state: LayerState) -> tuple[SpikeTrains, LayerState]:
        _double_only(job)
        return layer.resume(job, state)

    def layer_backward(
        self,
        job: Job,
        trains: SpikeTrains,
        by_time: Floats,
        by_voltage: Floats,
        piece: Piece | None = None,
    ) -> StageGradients:
        _whole_only(piece)
        return layer_adjoint.backward(job, trains, by_time, by_voltage)

    def queue_forward(self, job: Job) -> SpikeTrains:
        _double_only(job)
        return queue.forward(job)

    def queue_resume(self, job: Job, state: LoopState) -> tuple[SpikeTrains, LoopState]:
        _double_only(job)
        return queue.resume(job, state)

    def queue_backward(
        self,
        job: Job,
        trains: SpikeTrains,
        by_time: Floats,
        by_voltage: Floats,
        piece: Piece | None = None,
    ) -> StageGradients:
        _whole_only(piece)
        return queue.backward(job, trains, by_time, by_voltage)

    def linear_forward(self, job: Job) -> SpikeTrains:
        _double_only(job)
        return linear.forward(job)

    def linear_backward(
        self, job: Job, trains: SpikeTrains, by_time: Floats, by_voltage: Floats
    ) -> StageGradients:
        return linear_adjoint.backward(job, trains, by_time, by_voltage)

    def readout_forward(self, job: Job, rate: float) -> Floats:
        return readout.forward(job, rate)

    def readout_backward(self, job: Job, rate: float, by_integral: Floats) -> StageGradients:
        return readout.backward(job, rate, np.asarray(by_integral))


def _double_only(job: Job) -> None:
    if job.precision != "double":
        raise BackendError(
            f"Backend 'reference' computes in double precision only, got {job.precision!r}. Pass "
            "precision='double' or backend='cpu'."
        )


def _whole_only(piece: Piece | None) -> None:
    if piece is not None:
        raise BackendError(
            "Backend 'reference' computes gradients of whole runs only, not by chunk. Run the "
            "chunks with backend='cpu'."
        )
