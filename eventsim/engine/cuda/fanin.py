"""Host side of the layer in which every neuron walks arrivals of its own.

Twin of eventsim/kernels/cpu/fanin, which has the arrivals of a block of neurons together.
"""

import numpy as np

from eventsim.arrays import Array
from eventsim.engine.contract.job import Job
from eventsim.engine.contract.table import neuron_table, scaled_weights
from eventsim.engine.cuda.arrays import (
    GroupedTape,
    PlacedPiece,
    WiringCache,
    n_gradients,
    neuron_times,
    spike_arrivals,
    spike_groups,
    sums_of_arrivals,
    to_real,
    way_back,
)
from eventsim.engine.cuda.device import Device
from eventsim.engine.cuda.order import launch, sum_rows
from eventsim.engine.cuda.spikes import Buffers, PlacedState


class FanInLayer:
    """Arrivals, weights and parameters of one job on the device."""

    def __init__(
        self, dev: Device, job: Job, wirings: WiringCache, begin: Array | None = None
    ) -> None:
        self._dev, self._job = dev, job
        self._wiring = wirings.place(dev, job.stage.wiring)
        self._groups = spike_groups(dev, job)
        self._arrivals = spike_arrivals(dev, job, self._wiring, self._groups, begin)
        p = job.stage.population
        self._weights = to_real(dev, job, scaled_weights(job))
        self._parameters = [
            dev.asarray(job.duration),
            to_real(dev, job, neuron_table(job)),
            neuron_times(dev, job),
            to_real(dev, job, job.self_weights() * p.resistance),
            dev.asarray(job.self_delays()),
        ]
        self._n_pairs, self._adaptive = job.n_samples * p.size, p.is_adaptive

    def run(self, state: PlacedState, into: Buffers) -> None:
        """Run the pairs that ``into`` has room for."""
        job, arrivals = self._job, self._arrivals
        launch(
            self._dev, job.precision, "fanin_forward", self._n_pairs,
            [
                self._n_pairs, job.stage.population.size, arrivals.first, arrivals.times,
                arrivals.synapse, self._weights, *self._parameters, state.begin, state.end,
                state.first, state.spikes, into,
            ],
            adaptive=self._adaptive,
        )  # fmt: skip

    def run_back(
        self, tape: GroupedTape, piece: PlacedPiece | None
    ) -> tuple[Array, Array, Array, Array, Array]:
        """dL/d(scaled weight), dL/d(delay), dL/dt of all spikes of the sources, sums, grazes."""
        dev, job, arrivals, wiring = self._dev, self._job, self._arrivals, self._wiring
        size, real, groups = job.stage.population.size, self._weights.dtype, self._groups
        # Arrivals after the end of their sample are not met, and stay zero.
        by_arrival = dev.zeros(arrivals.times.size, real)
        later = dev.zeros(arrivals.times.size, real)
        sums = dev.empty((job.n_samples, n_gradients(job), size), np.float64)
        grazes = dev.empty((job.n_samples, size), np.int32)
        launch(
            dev, job.precision, "fanin_backward", self._n_pairs,
            [
                self._n_pairs, size, arrivals.first, arrivals.times, arrivals.synapse,
                arrivals.origin, self._weights, *self._parameters, tape, way_back(piece),
                by_arrival, later, sums, grazes,
            ],
            adaptive=self._adaptive,
        )  # fmt: skip
        summed = sums_of_arrivals(dev, job, wiring, groups, arrivals, by_arrival, later)
        return (*summed, sum_rows(dev, job.precision, sums), grazes)
