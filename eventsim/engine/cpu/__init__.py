"""The cpu backend: compiled kernels on all cores, single or double precision.

The kernels are C++, compiled ahead of time: ``library`` loads and runs them, ``calls`` lists them,
and their arguments are declared in ``roles``, ``roles_fanin``, ``roles_loop``, ``roles_linear``,
``roles_order`` and ``roles_mapping``.

The hosts, by what a stage is: ``layer`` and ``layer_adjoint`` (neurons that share their events;
with ``fanin`` those that do not), ``queue_host`` (loops, with ``window_host`` those by windows),
``linear_host`` (with ``linear_lanes``), ``readout_host`` and ``voltages_host``; ``window_step`` is
for ranks. Below are ``arrays``, ``weights``, ``blocks``, ``lanes``, ``threads`` and ``counting``.
"""

from collections.abc import Callable
from functools import wraps
from typing import Any, Concatenate, ParamSpec, TypeVar

from eventsim.arrays import Floats
from eventsim.engine.contract.backend import AbstractHostBackend
from eventsim.engine.contract.job import Job, Voltages
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

Given = ParamSpec("Given")
Found = TypeVar("Found")


def _threaded(run: Callable[Given, Found]) -> Callable[Concatenate[Any, Given], Found]:
    """The function of a job as a method, with as many threads as the job is worth."""

    @wraps(run)
    def method(self: Any, /, *given: Given.args, **named: Given.kwargs) -> Found:
        del self
        job: Any = given[0]
        with threads_for(job):
            return run(*given, **named)

    return method


class CpuBackend(AbstractHostBackend):
    """Neurons side by side in vectors, where they do not cause each other's events."""

    name = "cpu"
    adaptive = True
    linear = linear_pieces = True
    by_algorithm = True

    layer_forward = _threaded(layer.forward)
    layer_resume = _threaded(layer.resume)
    layer_backward = _threaded(layer_adjoint.backward)
    queue_forward = staticmethod(queue_host.forward)
    queue_resume = staticmethod(queue_host.resume)
    queue_backward = staticmethod(queue_host.backward)
    linear_forward = _threaded(linear_host.forward)
    linear_resume = _threaded(linear_host.resume)
    linear_backward = _threaded(linear_host.backward)
    readout_forward = _threaded(readout_host.forward)
    readout_backward = _threaded(readout_host.backward)
    stepped = staticmethod(window_step.SteppedNeurons)
    count_arrivals = staticmethod(counting.count_arrivals)

    def readout_peaks(self, job: Job) -> Voltages | None:
        return voltages_host.largest(job) if job.stage.shares_events else None

    def readout_voltages(self, job: Job, times: Floats) -> Voltages | None:
        return voltages_host.at(job, times) if job.stage.shares_events else None
