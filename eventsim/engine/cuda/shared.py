"""Host side of the layer whose neurons all meet the same events; twin of engine/cpu/shared*.py."""

import numpy as np

from eventsim.arrays import Array
from eventsim.engine.cuda.arrays import GroupedTape, merged_events, sample_parts, since, to_real
from eventsim.engine.cuda.device import BACKWARD_EVENTS, FORWARD_EVENTS, TILE, Device
from eventsim.engine.cuda.order import sum_rows
from eventsim.engine.cuda.spikes import Buffers, PlacedState
from eventsim.engine.job import Job
from eventsim.engine.table import (
    N_OWN,
    N_SUMS,
    fastest_rate,
    neuron_table,
    of_synapses,
    row_weights,
)

# Weight gradients are summed in parts over the samples, as many as fit this memory.
PARTS_BYTES, PARTS = 512 * 2**20, 1024


class SharedLayer:
    """Events, weights and parameters of one job on the device."""

    def __init__(self, dev: Device, job: Job, begin: Array | None = None) -> None:
        self._dev, self._job = dev, job
        events = merged_events(dev, job)
        self._events = events if begin is None else since(dev, events, begin)
        self._weights = to_real(dev, job, row_weights(job))
        self._n_rows = self._weights.shape[0] - 1
        self._par = to_real(dev, job, neuron_table(job))
        self._refractory = dev.asarray(job.stage.population.refractory)
        self._duration = dev.asarray(job.duration)
        self._tiles = -(-job.stage.population.size // TILE)

    def run(self, state: PlacedState, into: Buffers) -> None:
        """Run the pairs that ``into`` has room for."""
        job, events, bytes_each = self._job, self._events, self._weights.dtype.itemsize
        self._dev.launch(
            job.precision, "shared_forward", job.n_samples * self._tiles, TILE,
            [
                job.stage.population.size, self._n_rows, events.offsets, events.times, events.rows,
                self._duration, self._weights, self._par, self._refractory, fastest_rate(job),
                *state.arguments(), *into.arguments(),
            ],
            shared=(FORWARD_EVENTS + 1) * (8 + 4) + FORWARD_EVENTS * bytes_each,
        )  # fmt: skip

    def run_back(self, tape: GroupedTape) -> tuple[Array, Array, Array, Array]:
        """dL/d(scaled weight), dL/dt of all spikes of the sources, sums and grazes."""
        dev, job, events = self._dev, self._job, self._events
        rows, size = self._n_rows, self._weights.shape[1]
        n_events, real = events.times.size, self._weights.dtype
        bounds = sample_parts(
            job, bytes_each=rows * size * real.itemsize, most_bytes=PARTS_BYTES, most=PARTS
        )
        parts = bounds.size - 1
        by_weight = dev.zeros((parts, rows, size), real)
        effects = dev.zeros((self._tiles, n_events), real)
        sums = dev.zeros((parts, N_SUMS + N_OWN, size), np.float64)
        grazes = dev.zeros((parts, size), np.int32)
        dev.launch(
            job.precision, "shared_backward", parts * self._tiles, TILE,
            [
                size, rows, n_events, dev.asarray(bounds), events.offsets, events.times,
                events.rows, self._duration, self._weights, self._par, self._refractory,
                fastest_rate(job), tape.first, tape.time, tape.current, tape.restart, tape.by_time,
                tape.by_voltage, tape.through, by_weight, effects, sums, grazes,
            ],
            shared=BACKWARD_EVENTS * (8 + 4 + real.itemsize * (1 + TILE)) + 8,
        )  # fmt: skip
        by_event = sum_rows(dev, job.precision, effects)
        if events.spike is not None:
            by_spike = dev.empty(n_events, np.float64)
            by_spike[events.spike] = by_event
            by_event = by_spike
        total = of_synapses(job, sum_rows(dev, job.precision, by_weight))
        return total, by_event, sum_rows(dev, job.precision, sums), grazes
