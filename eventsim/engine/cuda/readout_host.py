"""Readout on a GPU, host side; twin of engine/cpu/readout_host.py."""

from typing import Any

import numpy as np

from eventsim.arrays import Array
from eventsim.engine.contract.gain_windows import N_GAIN, count_windows, terms_of, windows_per_ms
from eventsim.engine.contract.job import Job, StageGradients
from eventsim.engine.contract.table import N_READOUT, leak_weight, real_type, stage_gradients
from eventsim.engine.cuda.arrays import (
    parameters_home,
    placed_delays,
    placed_wiring,
    real_weights,
    sample_parts,
)
from eventsim.engine.cuda.device import LANES, OUTPUTS, Device
from eventsim.engine.cuda.order import launch, sum_rows
from eventsim.engine.cuda.roles import (
    FanOutStruct,
    GainTableStruct,
    IntegralsBackStruct,
    SourceSpikesStruct,
)
from eventsim.engine.cuda.tables import in_type_of_state

BLOCK = 128
GROUPS = BLOCK // LANES  # of threads that share a spike

# So many blocks share the spikes of one source, where there are enough samples or rows.
BLOCKS, MOST_PARTS = 512, 16

# In the order of the kernels.
PARAMETERS = ("tau_mem", "tau_syn", "resistance")

# Weight gradients are summed in parts over the samples, as many as fit this memory.
PARTS_BYTES, PARTS = 64 * 2**20, 256


class _Readout:
    """Arrays of a readout's job on the device."""

    def __init__(self, dev: Device, job: Job, rate: float) -> None:
        self._dev, self._job = dev, job
        per_ms, wiring = windows_per_ms(job, rate), placed_wiring(dev, job)
        self.fan = FanOutStruct(
            wiring.out_start, wiring.target, placed_delays(dev, job), real_weights(dev, job)
        )
        self._duration = dev.asarray(job.duration)
        values = gains_of(dev, job, rate, per_ms)
        self._gains = GainTableStruct(values, job.stage.population.size, rate, per_ms)

    def of_source(self, k: int) -> list[Any]:
        """Synapses, spikes and table of source ``k``, as both kernels take them."""
        place, source = self._dev.asarray, self._job.sources[k]
        spikes = SourceSpikesStruct(
            place(source.offsets), place(source.times), place(source.neurons), self._duration,
            int(self._job.stage.wiring.row_start[k]),
        )  # fmt: skip
        return [self.fan, spikes, self._gains]


def _placed(dev: Device, job: Job) -> list[Array]:
    """PARAMETERS on the device."""
    p = job.stage.population
    return [dev.asarray(getattr(p, name), np.float64) for name in PARAMETERS]


def gains_of(dev: Device, job: Job, rate: float, per_ms: float) -> Array:
    """The table, computed in double precision, in the type of the state; once while values stay."""
    size, real = job.stage.population.size, real_type(job)
    n_windows, n_terms = count_windows(job, per_ms), terms_of(real)

    def make() -> Array:
        gains, into = in_type_of_state(dev, job, (n_windows, N_GAIN, n_terms, size))
        taus = _placed(dev, job)[:2]
        launch(
            dev, "double", "readout_gains", n_windows * size,
            [size, n_windows, n_terms, *taus, rate, per_ms, into],
        )  # fmt: skip
        return gains

    return job.stage.once((gains_of, real, rate, per_ms, n_windows), make)


def forward(dev: Device, job: Job, rate: float) -> Array:
    p, readout, n = job.stage.population, _Readout(dev, job, rate), job.n_samples
    parts = min(max(BLOCKS // max(n, 1), 1), MOST_PARTS)
    integral = dev.zeros((len(job.sources), parts, n, p.size), np.float64)
    for k in range(len(job.sources)):
        dev.launch(
            job.precision, "readout_forward", n * parts, BLOCK,
            [n, parts, *readout.of_source(k), integral[k]],
            shared=GROUPS * OUTPUTS * 8,
        )  # fmt: skip
    total = dev.empty((n, p.size), np.float64)
    launch(
        dev, job.precision, "readout_total", n * p.size,
        [
            len(job.sources) * parts, n, p.size, integral, _placed(dev, job)[2],
            dev.asarray(p.v_leak, np.float64), dev.asarray(leak_weight(job, rate)), total,
        ],
    )  # fmt: skip
    return total


def _slices(parts: int, n_rows: int) -> int:
    """Blocks that share the source rows, so that all parts together have BLOCKS; a power of two."""
    slices = max(min(BLOCKS // parts, n_rows // GROUPS), 1)
    return 1 << (slices.bit_length() - 1)


def backward(dev: Device, job: Job, rate: float, by_integral: Array) -> StageGradients:
    p, readout = job.stage.population, _Readout(dev, job, rate)
    n_synapses, delayed = readout.fan.target.size, job.stage.delays_per_synapse
    seed = dev.asarray(by_integral)
    bounds = sample_parts(job, bytes_each=16 * n_synapses, most_bytes=PARTS_BYTES, most=PARTS)
    parts = bounds.size - 1
    slices = _slices(parts, max((source.size for source in job.sources), default=1))
    by_weight = dev.zeros((parts, n_synapses), np.float64)
    by_delay = dev.zeros((parts, n_synapses), np.float64) if delayed else None
    sums = dev.zeros((len(job.sources), parts * slices, N_READOUT, p.size), np.float64)
    effects = tuple(dev.zeros(source.times.size, np.float64) for source in job.sources)
    scaled, by_leak = dev.empty(seed.shape, np.float64), dev.empty(p.size, np.float64)
    placed, neurons = dev.asarray(bounds), _placed(dev, job)
    launch(
        dev, job.precision, "readout_seeds", p.size,
        [
            job.n_samples, p.size, seed, neurons[2], dev.asarray(leak_weight(job, rate)), scaled,
            by_leak,
        ],
    )  # fmt: skip
    for k, effect in enumerate(effects):
        dev.launch(
            job.precision, "readout_backward", parts * slices, BLOCK,
            [
                slices, placed, *readout.of_source(k),
                IntegralsBackStruct(scaled, by_weight, by_delay, effect, sums[k], n_synapses),
            ],
            shared=GROUPS * 3 * OUTPUTS * 8,
        )  # fmt: skip
    home, found = parameters_home(dev, job), dev.empty((N_READOUT, p.size), np.float64)
    total = sum_rows(dev, job.precision, sums.reshape(-1, N_READOUT, p.size))
    launch(dev, "double", "readout_gradients", p.size, [p.size, *neurons, total, found])
    return stage_gradients(
        job,
        {**dict(zip(PARAMETERS, home(found), strict=True)), "v_leak": home(by_leak)},
        weights=home(sum_rows(dev, job.precision, by_weight)),
        delays=None if by_delay is None else home(sum_rows(dev, job.precision, by_delay)),
        effects=effects,
    )
