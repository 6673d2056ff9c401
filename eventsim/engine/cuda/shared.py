"""Host side of the layer whose neurons all meet the same events; twin of engine/cpu/layer.py."""

import numpy as np
from numpy.typing import NDArray

from eventsim.arrays import Array
from eventsim.engine.contract import table
from eventsim.engine.contract.adjoint_series import span_of
from eventsim.engine.contract.job import Job
from eventsim.engine.contract.state import LayerState, Pending, still_pending, with_pending
from eventsim.engine.cuda.arrays import (
    DeviceEvents,
    PlacedPiece,
    members_of,
    merged_events,
    n_gradients,
    sample_parts,
    since,
    to_real,
    way_back,
)
from eventsim.engine.cuda.device import TILE, Device, size_of
from eventsim.engine.cuda.order import sum_rows
from eventsim.engine.cuda.roles import (
    BuffersStruct,
    ChunksStruct,
    EventsStruct,
    LayerFoundStruct,
    TapeStruct,
)
from eventsim.engine.cuda.spikes import PlacedState

# Weight gradients are summed in parts over the samples, as many as fit this memory.
PARTS_BYTES, PARTS = 512 * 2**20, 1024


class SharedLayer:
    """Events, weights and parameters of one job on the device."""

    def __init__(self, dev: Device, job: Job, state: LayerState | None = None) -> None:
        self._dev, self._job = dev, job
        self._events, skip = merged_events(dev, job), np.zeros(job.n_samples, np.int64)
        if state is not None:
            self._events, skip = _since(dev, self._events, state)
        self._skip = dev.asarray(skip)
        self._weights = to_real(dev, job, table.row_weights(job))
        self._n_rows = self._weights.shape[0] - 1
        self._members = members_of(dev, job)
        self._adaptive = job.stage.population.is_adaptive
        self._duration = dev.asarray(job.duration)
        self._tiles = -(-job.stage.population.size // TILE)

    def run(self, state: PlacedState, met: Array, into: BuffersStruct) -> None:
        """Run the pairs that ``into`` has room for; ``met`` events of each sample at its end."""
        job, events = self._job, self._events
        self._dev.launch(
            job.precision, "shared_forward", job.n_samples * self._tiles, TILE,
            [
                self._met(events, self._skip, met), self._weights, self._members,
                table.fastest_rate(job), state.begin, state.end, into,
            ],
            shared=size_of("StagedEvents", job.precision),
            adaptive=self._adaptive,
        )  # fmt: skip

    def _met(self, events: DeviceEvents, *skip_met: Array) -> EventsStruct:
        """Events as the kernels take them."""
        n = events.times.size
        return EventsStruct(events.offsets, events.times, events.rows, self._duration, n, *skip_met)

    def pending(self, met: Array) -> Pending:
        """The events that are not all met."""
        get, events, job = self._dev.get, self._events, self._job
        return still_pending(
            get(events.offsets),
            get(events.times),
            get(events.rows),
            get(met)[:, np.newaxis],
            job.duration,
        )

    def run_back(
        self, tape: TapeStruct, piece: PlacedPiece | None
    ) -> tuple[Array, Array, Array, Array]:
        """dL/d(scaled weight), dL/dt of all spikes of the sources, sums and grazes."""
        dev, job, events = self._dev, self._job, self._events
        n_spikes = events.times.size
        if piece is not None:
            events = since(dev, events, piece.begin)
        rows, size = self._n_rows, self._weights.shape[1]
        n_events, real = events.times.size, self._weights.dtype
        bounds = sample_parts(
            job, bytes_each=rows * size * real.itemsize, most_bytes=PARTS_BYTES, most=PARTS
        )
        parts = bounds.size - 1
        found = LayerFoundStruct(
            dev.zeros((parts, rows, size), real),
            dev.zeros((self._tiles, n_events), real),
            dev.zeros((parts, n_gradients(job), size), np.float64),
            dev.zeros((parts, size), np.int32),
            rows,
        )
        dev.launch(
            job.precision, "shared_backward", parts * self._tiles, TILE,
            [
                ChunksStruct(dev.asarray(bounds), *span_of(job)), self._met(events), self._weights,
                self._members, tape, way_back(piece), found,
            ],
            shared=size_of("StagedArrivals", job.precision),
            adaptive=self._adaptive,
        )  # fmt: skip
        by_event = sum_rows(dev, job.precision, found.effects)
        if events.spike is not None:
            whole = n_events == n_spikes
            by_spike = (dev.empty if whole else dev.zeros)(n_spikes, np.float64)
            by_spike[events.spike] = by_event
            by_event = by_spike
        total = table.of_synapses(job, sum_rows(dev, job.precision, found.by_weight))
        return total, by_event, sum_rows(dev, job.precision, found.sums), found.grazes


def _since(
    dev: Device, events: DeviceEvents, state: LayerState
) -> tuple[DeviceEvents, NDArray[np.int64]]:
    """Pending events and those after the state, and the number of each sample's that are met."""
    found = since(dev, events, dev.asarray(state.begin))
    offsets, times, rows = with_pending(
        state.pending, dev.get(found.offsets), dev.get(found.times), dev.get(found.rows)
    )
    skip = np.zeros(state.begin.size, np.int64) if state.pending is None else state.pending.skip
    arrivals = DeviceEvents(dev.asarray(offsets), dev.asarray(times), dev.asarray(rows), None)
    return arrivals, skip.ravel()
