"""Voltage of a readout at any times, in closed form, for pictures and tests."""

import numpy as np
from numpy.typing import ArrayLike

from eventsim.arrays import Floats
from eventsim.engine.job import Job
from eventsim.engine.run import readout_job
from eventsim.engine.voltage_kernel import kernel
from eventsim.errors import ShapeError
from eventsim.events import SpikeTape
from eventsim.events.doors import real_array
from eventsim.network import Network


def readout_voltage(net: Network, tape: SpikeTape, name: str, times: ArrayLike) -> Floats:
    """Voltage of readout ``name`` at ``times`` of every sample.

    Parameters
    ----------
    net, tape
        The network and its run.
    name
        A readout population.
    times
        ms: one time, or an array of one dimension.

    Returns
    -------
    float64 [samples, times, size]
    """
    job = readout_job(net.to_host(), tape.to_host(), name)
    at = np.atleast_1d(real_array(times, "readout_voltage: times"))
    if at.ndim != 1:
        raise ShapeError(
            f"readout_voltage: times have shape {at.shape}, expected one number or one dimension."
        )
    return np.stack([_sample_voltage(job, sample, at) for sample in range(job.n_samples)])


def _sample_voltage(job: Job, sample: int, at: Floats) -> Floats:
    p, wiring = job.stage.population, job.stage.wiring
    weights, delays = job.weights(), job.delays()
    a, b = 1.0 / p.tau_mem, 1.0 / p.tau_syn
    result = np.broadcast_to(p.v_leak, (at.size, p.size)).copy()
    for afferent, source in enumerate(job.sources):
        lo, hi = source.offsets[sample], source.offsets[sample + 1]
        for time, index in zip(source.times[lo:hi], source.neurons[lo:hi], strict=True):
            row = wiring.row_start[afferent] + index
            mine = slice(wiring.out_start[row], wiring.out_start[row + 1])
            target = wiring.target[mine]
            since = at[:, None] - time - delays[mine]
            gain = kernel(np.maximum(since, 0.0), a[target], b[target]).g
            result[:, target] += p.resistance[target] * weights[mine] * gain
    return result
