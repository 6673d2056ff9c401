"""Host side of the layer in which every neuron walks arrivals of its own.

Twin of eventsim/kernels/cpu/fanin, which has the arrivals of a block of neurons together.
"""

import numpy as np

from eventsim.arrays import Array
from eventsim.engine.contract.job import Job
from eventsim.engine.contract.table import scaled_weights
from eventsim.engine.cuda.arrays import (
    PlacedPiece,
    members_of,
    n_gradients,
    placed_wiring,
    spike_arrivals,
    spike_groups,
    sums_of_arrivals,
    to_real,
    way_back,
)
from eventsim.engine.cuda.device import Device
from eventsim.engine.cuda.order import launch, sum_rows
from eventsim.engine.cuda.roles import ArrivalsFoundStruct, BuffersStruct, ReturnsStruct, TapeStruct
from eventsim.engine.cuda.spikes import PlacedState


class FanInLayer:
    """Arrivals, weights and parameters of one job on the device."""

    def __init__(self, dev: Device, job: Job, begin: Array | None = None) -> None:
        self._dev, self._job = dev, job
        self._wiring = placed_wiring(dev, job)
        self._groups = spike_groups(dev, job)
        self._arrivals = spike_arrivals(dev, job, self._wiring, self._groups, begin)
        p = job.stage.population
        self._weights = to_real(dev, job, scaled_weights(job))
        self._members = members_of(dev, job)
        self._own = ReturnsStruct(
            to_real(dev, job, job.self_weights() * p.resistance), dev.asarray(job.self_delays())
        )
        self._n_pairs, self._adaptive = job.n_samples * p.size, p.is_adaptive

    def run(self, state: PlacedState, into: BuffersStruct) -> None:
        """Run the pairs that ``into`` has room for."""
        job, own = self._job, self._own._replace(first=state.first, early=state.spikes)
        launch(
            self._dev, job.precision, "fanin_forward", self._n_pairs,
            [
                self._n_pairs, self._arrivals, self._weights, self._members, own, state.begin,
                state.end, into,
            ],
            adaptive=self._adaptive,
        )  # fmt: skip

    def run_back(
        self, tape: TapeStruct, piece: PlacedPiece | None
    ) -> tuple[Array, Array, Array, Array, Array]:
        """dL/d(scaled weight), dL/d(delay), dL/dt of all spikes of the sources, sums, grazes."""
        dev, job, arrivals, wiring = self._dev, self._job, self._arrivals, self._wiring
        size, real, groups = job.stage.population.size, self._weights.dtype, self._groups
        # Arrivals after the end of their sample are not met, and stay zero.
        found = ArrivalsFoundStruct(
            dev.zeros(arrivals.time.size, real),
            dev.zeros(arrivals.time.size, real),
            dev.empty((job.n_samples, n_gradients(job), size), np.float64),
            dev.empty((job.n_samples, size), np.int32),
        )
        launch(
            dev, job.precision, "fanin_backward", self._n_pairs,
            [
                self._n_pairs, arrivals, self._weights, self._members, self._own, tape,
                way_back(piece), found,
            ],
            adaptive=self._adaptive,
        )  # fmt: skip
        summed = sums_of_arrivals(dev, job, wiring, groups, arrivals, found)
        return (*summed, sum_rows(dev, job.precision, found.sums), found.grazes)
