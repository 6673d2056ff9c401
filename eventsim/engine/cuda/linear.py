"""A layer of linear neurons on a GPU, host side; twin of engine/cpu/linear_host.py.

Each neuron walks the events that reach it, event by event. Its tables are made on the host, where
there is extended precision, from parameters that may lie on the device. The type of the state is
that of :func:`~eventsim.engine.contract.linear.linear_type`.
"""

from dataclasses import replace
from typing import Any, NamedTuple

import numpy as np

from eventsim.arrays import Array, Precision
from eventsim.engine.contract.job import Job, StageGradients
from eventsim.engine.contract.linear import (
    linear_gradients,
    of_sums,
    typed_back,
    typed_cells,
    width_of_sums,
)
from eventsim.engine.contract.table import split_effects
from eventsim.engine.cuda.arrays import (
    WiringCache,
    real_weights,
    spike_arrivals,
    spike_groups,
    sums_of_arrivals,
    to_real,
)
from eventsim.engine.cuda.device import Device
from eventsim.engine.cuda.order import launch, sum_rows
from eventsim.engine.cuda.spikes import Buffers, SpikeMemory, collect, grouping_of
from eventsim.events import SpikeTrains


class PlacedArrivals(NamedTuple):
    """As ``LinearArrivals`` of the kernels."""

    first: Array
    time: Array
    synapse: Array
    duration: Array


class PlacedTables(NamedTuple):
    """As ``LinearTables`` of the kernels; what only the way back reads may be None."""

    flow: Array
    alpha: Array
    powers: Array
    bounds: Array
    piece: Array
    beta: Array | None
    products: Array | None
    size: int
    bits: int


class PlacedJumps(NamedTuple):
    """As ``LinearJumps`` of the kernels."""

    keep: Array
    jump: Array
    level: Array
    alert: Array
    hold: Array
    start: Array


class PlacedWires(NamedTuple):
    """As ``LinearWires`` of the kernels."""

    weight: Array
    state: Array
    own_weight: Array
    own_delay: Array
    own_state: Array
    ordered: bool


class PlacedTape(NamedTuple):
    """As ``LinearTape`` of the kernels."""

    first: Array
    time: Array
    by_time: Array
    by_voltage: Array
    through: Array


class LogRoom(NamedTuple):
    """As ``LinearLog`` of the kernels."""

    state: Array
    span: Array
    kind: Array


class Found(NamedTuple):
    """As ``LinearResults`` of the kernels."""

    by_arrival: Array
    later: Array
    sums: Array
    grazes: Array


class LinearLayer:
    """Arrivals, weights and tables of one job on the device."""

    def __init__(self, dev: Device, job: Job, wirings: WiringCache) -> None:
        self._dev, self._cells = dev, typed_cells(job)
        self._real = self._cells.real
        precision: Precision = "single" if self._real is np.float32 else "double"
        self.job = job = replace(job, precision=precision)
        self._wiring = wirings.place(dev, job.stage.wiring)
        self._groups = spike_groups(dev, job)
        self._arrivals = spike_arrivals(dev, job, self._wiring, self._groups)
        self._n_pairs = job.n_samples * self._cells.size

    @property
    def n_states(self) -> int:
        """States of every neuron."""
        return self._cells.n

    def run(self, into: Buffers) -> None:
        """Run the pairs that ``into`` has room for."""
        self._launch("linear_forward", [self._tables(), self._jumps(), self._wires(), into])

    def run_back(self, tape: PlacedTape) -> tuple[Found, Array, Array, Array]:
        """Sums and grazes; dL/d(weight), dL/d(delay), dL/dt of all spikes of the sources."""
        dev, job, n, real = self._dev, self.job, self._cells.n, self._real
        n_arrivals = self._arrivals.times.size
        steps = n_arrivals + 3 * tape.time.size
        log = LogRoom(
            dev.empty((steps, n), real), dev.empty(steps, np.float64), dev.empty(steps, np.uint8)
        )
        found = Found(
            dev.zeros(n_arrivals, real),
            dev.zeros(n_arrivals, real),
            dev.zeros((job.n_samples, self._cells.size, width_of_sums(n)), np.float64),
            dev.zeros(self._n_pairs, np.int32),
        )
        self._launch(
            "linear_backward",
            [
                self._arrivals.origin, self._tables(back=True), self._jumps(), self._wires(), tape,
                log, found,
            ],
        )  # fmt: skip
        sums = sums_of_arrivals(
            dev, job, self._wiring, self._groups, self._arrivals, found.by_arrival, found.later
        )
        return (found, *sums)

    def _launch(self, kernel: str, arguments: list[Any]) -> None:
        x, duration = self._arrivals, self._dev.asarray(self.job.duration)
        met = PlacedArrivals(x.first, x.times, x.synapse, duration)
        launch(
            self._dev, self.job.precision, kernel, self._n_pairs,
            [self._n_pairs, met, *arguments], states=self._cells.n,
        )  # fmt: skip

    def _tables(self, *, back: bool = False) -> PlacedTables:
        t, place = self._cells.tables, self._dev.asarray
        beta, products = map(place, typed_back(self.job)) if back else (None, None)
        return PlacedTables(
            place(t.flow), place(t.alpha), place(t.powers), place(t.bounds), place(t.piece),
            beta, products, self._cells.size, t.powers.shape[1],
        )  # fmt: skip

    def _jumps(self) -> PlacedJumps:
        m, cells = self._cells.matrices, self._cells
        parts = (m.keep, m.jump, m.level, cells.alert, m.hold, cells.start)
        return PlacedJumps(*map(self._dev.asarray, parts))

    def _wires(self) -> PlacedWires:
        dev, job, cells = self._dev, self.job, self._cells
        own_delay = dev.asarray(job.self_delays())
        return PlacedWires(
            real_weights(dev, job),
            dev.asarray(cells.synapse_state, np.int32),
            to_real(dev, job, job.self_weights()),
            own_delay,
            dev.asarray(cells.own_state, np.int32),
            bool((own_delay > 0.0).any()),
        )


def forward(dev: Device, job: Job, wirings: WiringCache, memory: SpikeMemory) -> SpikeTrains:
    """Spikes of the layer; without currents (NaN)."""
    layer = LinearLayer(dev, job, wirings)
    return collect(dev, layer.job, memory, layer.run)


def backward(
    dev: Device, job: Job, wirings: WiringCache, memory: SpikeMemory, trains: SpikeTrains,
    by_time: Array, by_voltage: Array,
) -> StageGradients:  # fmt: skip
    """Gradients from dL/dt of its spikes and dL/dV just before them."""
    order, first = grouping_of(dev, job, memory, trains)
    times, by_time, by_voltage = (
        dev.asarray(values, np.float64)[order] for values in (trains.times, by_time, by_voltage)
    )
    tape = PlacedTape(first, times, by_time, by_voltage, dev.zeros(order.size, np.float64))
    layer = LinearLayer(dev, job, wirings)
    found, weights, delays, effects = layer.run_back(tape)
    total = dev.get(sum_rows(dev, layer.job.precision, found.sums))
    by, own_weight, own_delay = of_sums(total, layer.n_states)
    by_host = linear_gradients(
        job,
        by,
        weights=dev.get(weights),
        delays=dev.get(delays),
        self_weights=own_weight,
        self_delays=own_delay,
        source_times=split_effects(job, effects),
        grazes=found.grazes.sum(),
    )
    return by_host if _on_host(job) else _placed(dev, by_host)


def _on_host(job: Job) -> bool:
    return all(type(a) is np.ndarray for a in job.stage.population.parameters.values())


def _placed(dev: Device, found: StageGradients) -> StageGradients:
    """Gradients of parameters where the network's parameters are."""
    place = dev.asarray
    return replace(
        found,
        parameters={name: place(values) for name, values in found.parameters.items()},
        weights=place(found.weights),
        delays=None if found.delays is None else place(found.delays),
        self_weights=place(found.self_weights),
        self_delays=place(found.self_delays),
    )
