"""The reference backend: plain Python, double precision, slow, the definition."""

from collections.abc import Iterator
from contextlib import contextmanager

from eventsim.engine.contract.backend import AbstractHostBackend, hosted
from eventsim.engine.contract.job import Job
from eventsim.engine.reference import layer, layer_adjoint, linear_adjoint, queue, readout
from eventsim.engine.reference import linear as linear_stage
from eventsim.errors import BackendError


@contextmanager
def _in_double(job: Job) -> Iterator[None]:
    """Refuses single precision."""
    if job.precision != "double":
        raise BackendError(
            f"Backend 'reference' computes in double precision only, got {job.precision!r}. "
            "Pass precision='double' or backend='cpu'."
        )
    yield


class ReferenceBackend(AbstractHostBackend):
    """Walks every (sample, neuron) pair alone with the functions of :mod:`eventsim.neuron.lif`."""

    name = "reference"
    adaptive = True
    linear = True

    layer_forward = hosted(layer.forward, _in_double)
    layer_resume = hosted(layer.resume, _in_double)
    layer_backward = hosted(layer_adjoint.backward)
    queue_forward = hosted(queue.forward, _in_double)
    queue_resume = hosted(queue.resume, _in_double)
    queue_backward = hosted(queue.backward)
    linear_forward = hosted(linear_stage.forward, _in_double)
    linear_backward = hosted(linear_adjoint.backward)
    readout_forward = hosted(readout.forward)
    readout_backward = hosted(readout.backward)
