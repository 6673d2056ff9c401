"""The reference backend: plain Python, double precision, slow, the definition."""

from collections.abc import Callable
from functools import wraps
from typing import Any, Concatenate, ParamSpec, TypeVar

from eventsim.engine.contract.backend import AbstractHostBackend
from eventsim.engine.reference import layer, layer_adjoint, linear_adjoint, queue, readout
from eventsim.engine.reference import linear as linear_stage
from eventsim.errors import BackendError

Given = ParamSpec("Given")
Found = TypeVar("Found")


def _in_double(run: Callable[Given, Found]) -> Callable[Concatenate[Any, Given], Found]:
    """The function of a job as a method, which refuses single precision."""

    @wraps(run)
    def method(self: Any, /, *given: Given.args, **named: Given.kwargs) -> Found:
        del self
        job: Any = given[0]
        if job.precision != "double":
            raise BackendError(
                f"Backend 'reference' computes in double precision only, got {job.precision!r}. "
                "Pass precision='double' or backend='cpu'."
            )
        return run(*given, **named)

    return method


class ReferenceBackend(AbstractHostBackend):
    """Walks every (sample, neuron) pair alone with the functions of :mod:`eventsim.neuron.lif`."""

    name = "reference"
    adaptive = True
    linear = True

    layer_forward = _in_double(layer.forward)
    layer_resume = _in_double(layer.resume)
    layer_backward = staticmethod(layer_adjoint.backward)
    queue_forward = _in_double(queue.forward)
    queue_resume = _in_double(queue.resume)
    queue_backward = staticmethod(queue.backward)
    linear_forward = _in_double(linear_stage.forward)
    linear_backward = staticmethod(linear_adjoint.backward)
    readout_forward = staticmethod(readout.forward)
    readout_backward = staticmethod(readout.backward)
