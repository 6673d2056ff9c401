r"""Counts of a clocked machine with the same spikes, for a given time step.

Spikes of the exact run are put into bins of ``step_ms``; an event counts in the bin in which it
arrives. In every step a clocked machine updates all neurons, and calls every layer (projection)
with the vector of its sources' events in that bin.

**Operations**, as NeuroBench 2.3 defines them: *dense* is all weights in every step; *effective* is
a source with events times a weight that is not zero. Those of one call are accumulations (AC) if
every source has at most one event in it, else all of the call are multiplications (MAC). A call
holds ``batch_size`` samples, as in NeuroBench's harness, where a second event of one of them turns
the operations of all into MACs; with one sample per call, the default, samples do not see each
other. Where delays differ between synapses of a source, an event is counted at each synapse in its
own bin.

**Activation sparsity** is the share of (sample, neuron, step) without a spike, of spiking neurons.
"""

from collections.abc import Collection, Mapping
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any

import numpy as np

from eventsim.arrays import Floats, Ints
from eventsim.energy import arrivals
from eventsim.energy.arrivals import CountedRun, Wires
from eventsim.errors import ParameterError
from eventsim.events import SpikeTape
from eventsim.events.steps import step_count, step_within
from eventsim.network import Network
from eventsim.summary import short_repr

# Fields of ClockedCounts by population or projection.
_TABLES = ("sizes", "active_updates", "activations", "dense", "effective_acs", "effective_macs")


@dataclass(frozen=True, eq=False)
class ClockedCounts:
    """Counts of a clocked machine; see :mod:`eventsim.energy.steps`.

    Attributes
    ----------
    step_ms
        Length of a step.
    batch_size
        Samples of one call.
    steps
        Steps of every sample; of the longest one in its call. [samples]
    sizes
        Neurons by population, readouts included, the input not.
    active_updates
        Pairs (neuron, step) in which something arrives at a synapse whose weight is not zero, by
        population. [samples]
    activations
        Pairs (neuron, step) with a spike, by spiking population. [samples]
    dense, effective_acs, effective_macs
        Operations by projection. [samples]
    """

    step_ms: float
    batch_size: int
    steps: Ints
    sizes: Mapping[str, int]
    active_updates: Mapping[str, Ints]
    activations: Mapping[str, Ints]
    dense: Mapping[str, Ints]
    effective_acs: Mapping[str, Ints]
    effective_macs: Mapping[str, Ints]

    __repr__ = short_repr

    def only(self, names: Collection[str]) -> "ClockedCounts":
        """Operations of these projections, and updates of these populations, alone."""
        return replace(self, **arrivals.entries(self, _TABLES, names))

    @property
    def neuron_updates(self) -> Ints:
        """Updates of neurons: all, in every step, [samples]."""
        return self.steps * sum(self.sizes.values())

    @property
    def activation_sparsity(self) -> float:
        """Share of (sample, neuron, step) without a spike."""
        neurons = sum(self.sizes[name] for name in self.activations)
        places = int(self.steps.sum()) * neurons
        return 1.0 - int(total(self.activations, 1).sum()) / places if places else 0.0

    def to_dict(self) -> dict[str, Any]:
        """Means over the samples, for JSON."""
        n = self.steps.size
        return {
            "step_ms": self.step_ms,
            "batch_size": self.batch_size,
            "steps_per_sample": float(self.steps.mean()),
            "neuron_updates_per_sample": float(self.neuron_updates.mean()),
            "active_updates_per_sample": float(total(self.active_updates, n).mean()),
            "dense_operations_per_sample": float(total(self.dense, n).mean()),
            "effective_acs_per_sample": float(total(self.effective_acs, n).mean()),
            "effective_macs_per_sample": float(total(self.effective_macs, n).mean()),
            "activation_sparsity": self.activation_sparsity,
        }


def total(table: Mapping[str, Ints], n_samples: int) -> Ints:
    """Sum over populations or projections. [samples]; zeros if there are none."""
    return sum(table.values(), start=np.zeros(n_samples, np.int64))


def clocked(net: Network, tape: SpikeTape, *, step_ms: float, batch_size: int = 1) -> ClockedCounts:
    """Count what a clocked machine does with the spikes of a run.

    Parameters
    ----------
    net, tape
        A network, and the tape of :func:`eventsim.simulate` with it.
    step_ms
        Length of a step in ms, > 0.
    batch_size
        Samples that share a call; those of one call take as many steps as the longest of them.

    Raises
    ------
    NetworkError, ShapeError, ParameterError
    """
    return clock_run(arrivals.make_run(net, tape), step_ms=step_ms, batch_size=batch_size)


def clock_run(
    run: CountedRun, *, step_ms: float, batch_size: int = 1, operations: bool = True
) -> ClockedCounts:
    """As :func:`clocked`; without ``operations`` there are none of them, and no activations."""
    if not 0.0 < step_ms < np.inf:
        raise ParameterError("clocked", f"step_ms is {step_ms}", "a finite number > 0")
    if batch_size < 1:
        raise ParameterError("clocked", f"batch_size is {batch_size}", "at least 1")
    own = step_count(run.duration, step_ms)
    call = np.arange(run.n_samples) // batch_size
    longest = np.zeros(int(call.max(initial=-1)) + 1, np.int64)
    np.maximum.at(longest, call, own)
    grid = _Grid(step_ms, run.duration, call, longest)
    wires_of, spiking = (run.wires, run.net.spiking) if operations else ({}, {})
    effective = {name: _effective(run, wires, grid) for name, wires in wires_of.items()}
    neurons = run.net.neurons
    return ClockedCounts(
        step_ms=step_ms,
        batch_size=batch_size,
        steps=grid.steps,
        sizes={name: p.size for name, p in neurons.items()},
        active_updates={n: arrivals.distinct_arrivals(run, n, step_ms=step_ms) for n in neurons},
        activations={name: _activations(run, name, grid) for name in spiking},
        dense={name: grid.steps * wires.n_possible for name, wires in wires_of.items()},
        effective_acs={name: found[0] for name, found in effective.items()},
        effective_macs={name: found[1] for name, found in effective.items()},
    )


@dataclass(frozen=True, eq=False)
class _Grid:
    """Steps of all samples, numbered sample after sample, and those of all calls."""

    step_ms: float
    duration: Floats
    call_of_sample: Ints
    steps_of_call: Ints

    @property
    def steps(self) -> Ints:
        """Steps of every sample."""
        return self.steps_of_call[self.call_of_sample]

    @cached_property
    def first(self) -> Ints:
        """First step of every sample, and their total."""
        return np.concatenate([[0], np.cumsum(self.steps)]).astype(np.int64)

    def step(self, sample: Ints, time: Floats) -> Ints:
        """Number of the step in which a time lies, among those of all samples."""
        return self.first[sample] + step_within(time, self.duration[sample], self.step_ms)

    def sample(self, step: Ints) -> Ints:
        """Sample to which steps belong."""
        found: Ints = np.searchsorted(self.first, step, side="right") - 1
        return found

    def call(self, step: Ints) -> Ints:
        """Number of the call in which steps take part."""
        sample = self.sample(step)
        begin = np.cumsum(self.steps_of_call) - self.steps_of_call
        found: Ints = begin[self.call_of_sample[sample]] + step - self.first[sample]
        return found

    def by_sample(self, step: Ints, weights: Any = 1) -> Ints:
        """Sum over the steps of every sample."""
        return arrivals.sums_by_sample(self.sample(step), weights, self.duration.size)


def _activations(run: CountedRun, name: str, grid: _Grid) -> Ints:
    """Pairs (neuron, step) with a spike in every sample."""
    sent = run.sent[name]
    pairs = arrivals.distinct(grid.step(sent.sample, sent.times) * sent.size + sent.neurons)
    return grid.by_sample(pairs // sent.size)


def _effective(run: CountedRun, wires: Wires, grid: _Grid) -> tuple[Ints, Ints]:
    """Accumulations and multiplications of a projection in every sample."""
    sent = run.source(wires)
    if wires.by_synapse:
        steps, operations, repeated = _units_by_synapse(run, wires, grid)
    else:
        met, time = wires.sources_met(sent, run.duration)
        step = grid.step(sent.sample[met], time[met])
        pairs, events = np.unique(step * sent.size + sent.neurons[met], return_counts=True)
        steps, repeated = pairs // sent.size, events > 1
        operations = wires.nonzero_fan_out[pairs % sent.size]
    call = grid.call(steps)
    multiplies = np.zeros(int(grid.steps_of_call.sum()), bool)
    multiplies[call[repeated]] = True
    mac = multiplies[call]
    return (
        grid.by_sample(steps[~mac], operations[~mac]),
        grid.by_sample(steps[mac], operations[mac]),
    )


def _units_by_synapse(run: CountedRun, wires: Wires, grid: _Grid) -> tuple[Ints, Ints, Any]:
    """Step, operations (0 or 1) and whether events meet, of every (step, synapse) with events."""
    found = []
    for low, high in run.pieces([wires]):
        sent = run.source(wires).between(low, high)
        came = wires.arrivals(sent, run.duration[low:high])
        step = grid.step(came.sample + low, came.time)
        pairs, events = np.unique(step * wires.n_synapses + came.synapse, return_counts=True)
        weighted = wires.values[pairs % wires.n_synapses] != 0.0
        found.append((pairs // wires.n_synapses, weighted.astype(np.int64), events > 1))
    steps, operations, repeated = (np.concatenate(part) for part in zip(*found, strict=True))
    return steps, operations, repeated
