"""A layer of linear neurons on a GPU, host side; twin of engine/cpu/linear_host.py.

Each neuron walks the events that reach it, event by event. Its tables are made on the host, where
there is extended precision, from parameters that may lie on the device. The type of the state is
that of :func:`~eventsim.engine.contract.linear.linear_type`.
"""

from collections.abc import Callable, Hashable
from dataclasses import replace
from typing import Any, TypeVar

import numpy as np

from eventsim.arrays import Array, Precision
from eventsim.engine.contract.job import Job, StageGradients
from eventsim.engine.contract.linear import (
    LinearCells,
    by_sums,
    typed_back,
    typed_cells,
    width_of_sums,
)
from eventsim.engine.contract.table import stage_gradients
from eventsim.engine.cuda.arrays import (
    parameters_home,
    placed_wiring,
    real_weights,
    spike_arrivals,
    spike_groups,
    sums_of_arrivals,
    to_real,
)
from eventsim.engine.cuda.device import Device
from eventsim.engine.cuda.order import launch, sum_rows
from eventsim.engine.cuda.roles import (
    ArrivalsFoundStruct,
    BuffersStruct,
    LinearJumpsStruct,
    LinearLogStruct,
    LinearStruct,
    LinearTablesStruct,
    LinearTapeStruct,
    LinearWiresStruct,
)
from eventsim.engine.cuda.spikes import collect, grouping_of
from eventsim.events import SpikeTrains

Made = TypeVar("Made")


class LinearNeurons:
    """The neurons of one job on the device, with their tables; and the job in their precision."""

    def __init__(self, dev: Device, job: Job) -> None:
        self.dev, self.cells = dev, typed_cells(job)
        self.real = self.cells.real
        precision: Precision = "single" if self.real is np.float32 else "double"
        self.job = job = replace(job, precision=precision)
        given = dev, job, self.cells
        self.neurons = LinearStruct(_tables(*given), _jumps(*given), _wires(*given))


class LinearLayer(LinearNeurons):
    """With the arrivals of all neurons."""

    def __init__(self, dev: Device, job: Job) -> None:
        super().__init__(dev, job)
        self._wiring = placed_wiring(dev, job)
        self.groups = spike_groups(dev, self.job)
        self.arrivals = spike_arrivals(dev, self.job, self._wiring, self.groups)
        self.n_pairs = job.n_samples * self.cells.size

    def run(self, into: BuffersStruct) -> None:
        """Run the pairs that ``into`` has room for."""
        self._launch("linear_forward", [self.neurons, into])

    def run_back(self, tape: LinearTapeStruct) -> tuple[ArrivalsFoundStruct, Array, Array, Array]:
        """Sums and grazes; dL/d(weight), dL/d(delay), dL/dt of all spikes of the sources."""
        dev, job, n, real = self.dev, self.job, self.cells.n, self.real
        n_arrivals = self.arrivals.time.size
        steps = n_arrivals + 3 * tape.time.size
        log = LinearLogStruct(
            dev.empty((steps, n), real), dev.empty(steps, np.float64), dev.empty(steps, np.uint8)
        )
        found = ArrivalsFoundStruct(
            dev.zeros(n_arrivals, real),
            dev.zeros(n_arrivals, real),
            dev.zeros((job.n_samples, self.cells.size, width_of_sums(n)), np.float64),
            dev.zeros(self.n_pairs, np.int32),
        )
        tables = _with_back(dev, job, self.neurons.tables)
        self._run_back([self.neurons._replace(tables=tables), tape, log, found])
        sums = sums_of_arrivals(dev, job, self._wiring, self.groups, self.arrivals, found)
        return (found, *sums)

    def _run_back(self, arguments: list[Any]) -> None:
        self._launch("linear_backward", arguments)

    def _launch(self, kernel: str, arguments: list[Any]) -> None:
        launch(
            self.dev, self.job.precision, kernel, self.n_pairs,
            [self.n_pairs, self.arrivals, *arguments], states=self.cells.n,
        )  # fmt: skip


def kept(job: Job, key: Hashable, make: Callable[[], Made]) -> Made:
    """Values on the device, made once for all passes of a step and all pieces of a run."""
    return job.stage.once(key, make, kept=job.stage.memo.again)


def _tables(dev: Device, job: Job, cells: LinearCells) -> LinearTablesStruct:
    t, place = cells.tables, dev.asarray
    return kept(
        job,
        (_tables, cells),
        lambda: LinearTablesStruct(
            place(t.flow), place(t.alpha), place(t.powers), place(t.bounds), place(t.piece),
            None, None, cells.size, t.powers.shape[1],
        ),
    )  # fmt: skip


def _with_back(dev: Device, job: Job, tables: LinearTablesStruct) -> LinearTablesStruct:
    """With what the way back reads besides; it is met once in a step."""
    beta, products = map(dev.asarray, typed_back(job))
    return tables._replace(beta=beta, products=products)


def _jumps(dev: Device, job: Job, cells: LinearCells) -> LinearJumpsStruct:
    m = cells.matrices
    parts = (m.keep, m.jump, m.level, cells.alert, m.hold, cells.start)
    return kept(job, (_jumps, cells), lambda: LinearJumpsStruct(*map(dev.asarray, parts)))


def _wires(dev: Device, job: Job, cells: LinearCells) -> LinearWiresStruct:
    def make() -> LinearWiresStruct:
        own_delay = dev.asarray(job.self_delays())
        return LinearWiresStruct(
            real_weights(dev, job),
            dev.asarray(cells.synapse_state, np.int32),
            to_real(dev, job, job.self_weights()),
            own_delay,
            dev.asarray(cells.own_state, np.int32),
            bool((own_delay > 0.0).any()),
        )

    return kept(job, (_wires, cells), make)


def forward(dev: Device, job: Job) -> SpikeTrains:
    """Spikes of the layer; without currents (NaN)."""
    layer = LinearLayer(dev, job)
    return collect(dev, layer.job, layer.run)


def backward(
    dev: Device, job: Job, trains: SpikeTrains, by_time: Array, by_voltage: Array
) -> StageGradients:
    """Gradients from dL/dt of its spikes and dL/dV just before them."""
    order, first = grouping_of(dev, job, trains)
    tape = tape_of(dev, trains, (by_time, by_voltage), order, first)
    return gradients_of(LinearLayer(dev, job), tape)


def tape_of(
    dev: Device, trains: SpikeTrains, seeds: tuple[Array, Array], order: Array, first: Array
) -> LinearTapeStruct:
    """Recorded spikes by (sample, neuron), with dL/dt of them and dL/dV just before them."""
    time, by_time, by_voltage = (
        dev.asarray(values, np.float64)[order] for values in (trains.times, *seeds)
    )
    return LinearTapeStruct(first, time, by_time, by_voltage, dev.zeros(order.size, np.float64))


def gradients_of(layer: LinearLayer, tape: LinearTapeStruct) -> StageGradients:
    """Gradients of the stage by a tape."""
    dev, job = layer.dev, layer.job
    found, weights, delays, effects = layer.run_back(tape)
    total = dev.get(sum_rows(dev, job.precision, found.sums))
    parameters, (own_weight, own_delay) = by_sums(job, total, layer.cells.n)
    home = parameters_home(dev, job)
    # What is by neuron goes where the gradients by synapse are.
    place = np.asarray if type(weights := home(weights)) is np.ndarray else dev.asarray
    return stage_gradients(
        job,
        {name: place(values) for name, values in parameters.items()},
        weights=weights,
        delays=home(delays),
        effects=effects,
        own=(place(own_weight), place(own_delay)),
        grazes=found.grazes.sum(),
    )
