"""The cpu backend: compiled kernels on all cores, single or double precision.

The kernels are C++, compiled ahead of time: :mod:`eventsim.compiled` calls them.

The hosts, by what a stage is: ``layer`` and ``layer_adjoint`` (neurons that share their events;
with ``fanin`` those that do not), ``queue_host`` (loops, with ``flights`` and ``window_host``),
``linear_host`` (with ``linear_lanes`` and ``linear_fanin``), ``readout_host`` and
``voltages_host``; ``window_step`` is for ranks. Below are ``arrays``, ``weights``, ``blocks``,
``threads`` and ``counting``.
"""

from eventsim.arrays import Floats
from eventsim.engine.contract.backend import FURTHER, AbstractHostBackend, hosted
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


class CpuBackend(AbstractHostBackend):
    """Neurons side by side in vectors, where they do not cause each other's events."""

    name = "cpu"
    runs = FURTHER
    by_algorithm = True

    layer_forward = hosted(layer.forward, threads_for)
    layer_resume = hosted(layer.resume, threads_for)
    layer_backward = hosted(layer_adjoint.backward, threads_for)
    queue_forward = hosted(queue_host.forward)
    queue_resume = hosted(queue_host.resume)
    queue_backward = hosted(queue_host.backward)
    linear_forward = hosted(linear_host.forward, threads_for)
    linear_resume = hosted(linear_host.resume, threads_for)
    linear_backward = hosted(linear_host.backward, threads_for)
    readout_forward = hosted(readout_host.forward, threads_for)
    readout_backward = hosted(readout_host.backward, threads_for)
    stepped = hosted(window_step.SteppedNeurons)
    count_arrivals = hosted(counting.count_arrivals)

    def readout_peaks(self, job: Job) -> Voltages | None:
        return voltages_host.largest(job) if job.stage.shares_events else None

    def readout_voltages(self, job: Job, times: Floats) -> Voltages | None:
        return voltages_host.at(job, times) if job.stage.shares_events else None
