"""Readout on a GPU, host side; twin of engine/cpu/readout_host.py."""

from dataclasses import dataclass
from typing import Any

import numpy as np

from eventsim.arrays import Array
from eventsim.engine.cuda.arrays import (
    PlacedWiring,
    WiringCache,
    parameters_home,
    sample_parts,
    spike_groups,
    to_real,
)
from eventsim.engine.cuda.device import Device
from eventsim.engine.cuda.order import Groups, launch, sum_rows
from eventsim.engine.job import Job, StageGradients
from eventsim.engine.table import (
    leak_weight,
    readout_gradients,
    readout_table,
    real_type,
    split_effects,
)

BLOCK = 64  # threads that share one output's synapses; a power of two

# Weight gradients are summed in parts over the samples, as many as fit this memory.
PARTS_BYTES, PARTS = 64 * 2**20, 256


@dataclass(frozen=True, eq=False)
class _Readout:
    """One job on the device."""

    wiring: PlacedWiring
    groups: Groups
    weight: Array
    delay: Array
    duration: Array
    par: Array
    rate: np.floating[Any]

    @classmethod
    def of(cls, dev: Device, job: Job, wirings: WiringCache, rate: float) -> "_Readout":
        return cls(
            wirings.place(dev, job.stage.wiring),
            spike_groups(dev, job),
            to_real(dev, job, job.weights()),
            dev.asarray(job.delays()),
            dev.asarray(job.duration),
            to_real(dev, job, readout_table(job)),
            real_type(job)(rate),
        )

    def by_output(self) -> list[Any]:
        """Arguments of the kernels that go by output."""
        return [
            self.wiring.in_start, self.wiring.row, self.wiring.synapse, self.weight, self.delay,
            self.groups.first, self.groups.times, self.duration, self.par, self.rate,
        ]  # fmt: skip

    def by_spike(self) -> list[Any]:
        """Arguments of the kernel that goes by spike."""
        return [
            self.groups.sample, self.groups.row, self.groups.times, self.groups.spike,
            self.wiring.out_start, self.wiring.target, self.weight, self.delay, self.duration,
            self.par, self.rate,
        ]  # fmt: skip


def forward(dev: Device, job: Job, wirings: WiringCache, rate: float) -> Array:
    p, readout = job.stage.population, _Readout.of(dev, job, wirings, rate)
    n_rows = int(job.stage.wiring.row_start[-1])
    integral = dev.empty((job.n_samples, p.size), np.float64)
    dev.launch(
        job.precision, "readout_forward", integral.size, BLOCK,
        [p.size, n_rows, *readout.by_output(), integral],
        shared=BLOCK * 8,
    )  # fmt: skip
    return integral + dev.asarray(p.v_leak) * dev.asarray(leak_weight(job, rate))


def backward(
    dev: Device, job: Job, wirings: WiringCache, rate: float, by_integral: Array
) -> StageGradients:
    p, readout = job.stage.population, _Readout.of(dev, job, wirings, rate)
    n_rows, n_synapses = int(job.stage.wiring.row_start[-1]), readout.weight.size
    seed = dev.asarray(by_integral)
    bounds = sample_parts(job, bytes_each=16 * n_synapses, most_bytes=PARTS_BYTES, most=PARTS)
    parts = bounds.size - 1
    by_weight = dev.zeros((parts, n_synapses), np.float64)
    by_delay = dev.zeros((parts, n_synapses), np.float64)
    sums = dev.empty((parts, 3, p.size), np.float64)
    dev.launch(
        job.precision, "readout_backward", parts * p.size, BLOCK,
        [
            p.size, n_rows, n_synapses, dev.asarray(bounds), *readout.by_output(), seed, by_weight,
            by_delay, sums,
        ],
        shared=BLOCK * 8,
    )  # fmt: skip
    n_spikes = readout.groups.times.size
    effects = dev.empty(n_spikes, np.float64)
    launch(
        dev, job.precision, "readout_by_time", n_spikes,
        [n_spikes, p.size, *readout.by_spike(), seed, effects],
    )  # fmt: skip
    home = parameters_home(dev, job)
    return readout_gradients(
        job,
        by_weight=home(sum_rows(dev, job.precision, by_weight)),
        by_delay=home(sum_rows(dev, job.precision, by_delay)),
        source_times=split_effects(job, effects),
        sums=home(sum_rows(dev, job.precision, sums)),
        by_leak=home(sum_rows(dev, job.precision, seed * dev.asarray(leak_weight(job, rate)))),
    )
