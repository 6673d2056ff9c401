r"""Exact counts of a run, from its tape: nothing in them depends on a time step.

==================  ================================================================================
count               what is counted
==================  ================================================================================
spikes              spikes of a population, or events of the input
synaptic_events     arrivals of spikes at synapses before the end of their sample; stored synapses,
                    also those of weight zero: what the tape has
effective_events    the same at synapses whose weight is not zero: NeuroBench's effective operations
                    if no time step ever puts two events of a source together
membrane_updates    pairs (neuron, time) at which at least one spike arrives, at a synapse whose
                    weight is not zero: how often an event-driven machine brings a neuron, or
                    readout, up to date
adaptive_updates    those of neurons with an adaptive threshold, each of which also decays the
                    rise of the threshold and adds it: one more multiplication and addition
state_updates       further states of linear neurons at these updates: n - 2 of a neuron of n
                    states, beside V and one current
active_synapses     synapses of non-zero weight that carry at least one event in any sample
decision_macs       multiply-adds of the linear decision behind a readout, its weights that are not
                    zero: once a sample, or in every frame of ``ctc`` (mean over the samples)
events_in           events that enter the chip: those of the input
events_out          what leaves it: one answer a sample where the network has a readout or an
                    answer, else the spikes of populations that project to no other
==================  ================================================================================

**Sparsity.** Connection sparsity is the share of synapses that are missing or zero, among all that
full matrices would have, and the further ones of pairs that have several; a self-recurrent
projection could have one per neuron. The silent share is
that of pairs (sample, neuron) without a single spike; it is not activation sparsity, which depends
on a time step: :mod:`eventsim.energy.steps`.

**Memory** is what must be stored, at the widths that were named: weights; for sparse projections
one index per synapse and one pointer per source; delays, unless there are none (one number where
all are equal); the neurons' parameters, one number where all neurons have the same; and the state,
V and I, the adaptation where thresholds are adaptive, and the further states of linear neurons.
"""

from collections.abc import Collection, Mapping
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from eventsim.arrays import Floats, Ints
from eventsim.energy import arrivals
from eventsim.energy.arrivals import CountedRun, Wires
from eventsim.entries import Count, Settings
from eventsim.events import SpikeTape
from eventsim.network import Network, Population
from eventsim.network.answer import count_frames
from eventsim.summary import short_repr

BITS_PER_BYTE = 8
STATES = 2  # V and I; an adaptive threshold has one more


@dataclass(frozen=True)
class Widths(Settings):
    """Bits in which numbers are stored."""

    weight: Count = 32
    index: Count = 32
    delay: Count = 32
    parameter: Count = 32
    state: Count = 32


@dataclass(frozen=True)
class Footprint:
    """Memory in bytes, by what it holds."""

    weights: float
    indices: float
    delays: float
    parameters: float
    states: float

    @property
    def total(self) -> float:
        """Total memory in bytes."""
        return self.weights + self.indices + self.delays + self.parameters + self.states


@dataclass(frozen=True)
class SynapseCounts:
    """Synapses of a projection, in numbers."""

    possible: int
    stored: int
    nonzero: int
    active: int


# Fields of Counts by population or projection that are of what is counted alone.
_NARROWED = (
    "kinds", "spikes", "synaptic_events", "effective_events", "membrane_updates",
    "adaptive_updates", "further_states",
)  # fmt: skip


@dataclass(frozen=True, eq=False)
class Counts:
    """Exact counts of a run; see :mod:`eventsim.energy.counts`.

    Attributes
    ----------
    duration
        ms. [samples]
    sizes
        Neurons by population, the input's channels included.
    kinds
        ``input``, ``spiking`` or ``readout`` by population.
    spikes, silent
        Spikes, and neurons without any, by population; input included, readouts not. [samples]
    synaptic_events, effective_events
        By projection. [samples]
    membrane_updates
        By population, readouts included, the input not. [samples]
    adaptive_updates
        By population with an adaptive threshold. [samples]
    further_states
        Of a neuron, beside V and one current; by population that has some.
    synapses
        By projection.
    decision_macs
        Of a sample; 0 without a linear decision.
    events_in, events_out
        Of the chip. [samples]
    widths, footprint
        Bits of a number, and bytes that follow.
    """

    duration: Floats
    sizes: Mapping[str, int]
    kinds: Mapping[str, str]
    spikes: Mapping[str, Ints]
    silent: Mapping[str, Ints]
    synaptic_events: Mapping[str, Ints]
    effective_events: Mapping[str, Ints]
    membrane_updates: Mapping[str, Ints]
    adaptive_updates: Mapping[str, Ints]
    further_states: Mapping[str, int]
    synapses: Mapping[str, SynapseCounts]
    decision_macs: int
    events_in: Ints
    events_out: Ints
    widths: Widths
    footprint: Footprint

    __repr__ = short_repr

    @property
    def n_samples(self) -> int:
        """Number of samples."""
        return self.duration.size

    @property
    def spiking(self) -> tuple[str, ...]:
        """Populations of spiking neurons."""
        return tuple(name for name, kind in self.kinds.items() if kind == "spiking")

    def only(self, names: Collection[str]) -> "Counts":
        """Operations of these projections, and spikes and updates of these populations, alone.

        What enters and leaves the chip is none then.
        """
        nothing = np.zeros(self.n_samples, np.int64)
        tables = arrivals.entries(self, _NARROWED, names)
        return replace(self, **tables, decision_macs=0, events_in=nothing, events_out=nothing)

    @property
    def state_updates(self) -> dict[str, Ints]:
        """Updates of further states by population, [samples]."""
        return {
            name: self.membrane_updates[name] * n
            for name, n in self.further_states.items()
            if name in self.membrane_updates
        }

    @property
    def connection_sparsity(self) -> float:
        """Share of possible synapses that are missing or zero."""
        possible = sum(s.possible for s in self.synapses.values())
        nonzero = sum(s.nonzero for s in self.synapses.values())
        return 1.0 - nonzero / possible if possible else 0.0

    @property
    def silent_share(self) -> float:
        """Share of pairs (sample, neuron) without a spike."""
        pairs = sum(self.sizes[name] for name in self.spiking) * self.n_samples
        silent = sum(int(self.silent[name].sum()) for name in self.spiking)
        return silent / pairs if pairs else 0.0

    @property
    def rates(self) -> dict[str, float]:
        """Spikes per neuron and second of every spiking population."""
        seconds = float(self.duration.sum()) / 1000.0
        return {
            name: float(self.spikes[name].sum()) / (self.sizes[name] * seconds)
            for name in self.spiking
        }

    def to_dict(self) -> dict[str, Any]:
        """Means over the samples and what does not depend on them, for JSON."""

        def mean(table: Mapping[str, Ints]) -> dict[str, float]:
            return {name: float(values.mean()) for name, values in table.items()}

        return {
            "samples": self.n_samples,
            "milliseconds_per_sample": float(self.duration.mean()),
            "neurons": dict(self.sizes),
            "kinds": dict(self.kinds),
            "spikes_per_sample": mean(self.spikes),
            "silent_per_sample": mean(self.silent),
            "spikes_per_neuron_and_second": self.rates,
            "synaptic_events_per_sample": mean(self.synaptic_events),
            "effective_events_per_sample": mean(self.effective_events),
            "membrane_updates_per_sample": mean(self.membrane_updates),
            "adaptive_updates_per_sample": mean(self.adaptive_updates),
            "state_updates_per_sample": mean(self.state_updates),
            "decision_macs_per_sample": self.decision_macs,
            "events_in_per_sample": float(self.events_in.mean()),
            "events_out_per_sample": float(self.events_out.mean()),
            "synapses": {name: vars(found) for name, found in self.synapses.items()},
            "connection_sparsity": self.connection_sparsity,
            "silent_share": self.silent_share,
            "widths_bits": vars(self.widths),
            "footprint_bytes": {**vars(self.footprint), "total": self.footprint.total},
        }


def count(net: Network, tape: SpikeTape, *, widths: Widths | None = None) -> Counts:
    """Count what a run did.

    Parameters
    ----------
    net, tape
        A network, and the tape of :func:`eventsim.simulate` with it.
    widths
        Bits of stored numbers, for the footprint; 32 of each by default.

    Raises
    ------
    NetworkError, ShapeError
        The tape is that of another network, or of no sample.
    """
    return count_run(arrivals.make_run(net, tape), Widths() if widths is None else widths)


def count_run(run: CountedRun, widths: Widths, *, updates: bool = True) -> Counts:
    """As :func:`count`; without ``updates`` those by arrivals, which take longest, are none."""
    events = {name: _events(run, wires) for name, wires in run.wires.items()}
    populations, updated = run.net.populations, run.net.neurons if updates else ()
    membrane_updates = {name: arrivals.distinct_arrivals(run, name) for name in updated}
    fired = {  # sample of every neuron that has a spike there
        name: arrivals.distinct(sent.sample * sent.size + sent.neurons) // sent.size
        for name, sent in run.sent.items()
    }
    sending = leaving_spikes(run.net)
    leaving = (np.diff(run.sent[name].offsets) for name in sending)
    return Counts(
        duration=run.duration,
        sizes={name: p.size for name, p in populations.items()},
        kinds={name: p.kind for name, p in populations.items()},
        spikes={name: np.diff(sent.offsets) for name, sent in run.sent.items()},
        silent={
            name: sent.size - np.bincount(fired[name], minlength=run.n_samples)
            for name, sent in run.sent.items()
        },
        synaptic_events={name: found[0] for name, found in events.items()},
        effective_events={name: found[1] for name, found in events.items()},
        membrane_updates=membrane_updates,
        adaptive_updates={
            name: n for name, n in membrane_updates.items() if populations[name].is_adaptive
        },
        further_states={name: n for name, p in populations.items() if (n := _further_states(p))},
        synapses={name: _synapses(run, wires) for name, wires in run.wires.items()},
        decision_macs=_decided(run),
        events_in=np.diff(run.sent[run.net.input.name].offsets),
        # Answers, or spikes of the outputs.
        events_out=sum(leaving, start=np.full(run.n_samples, 0 if sending else 1)),
        widths=widths,
        footprint=footprint(run.net, widths),
    )


def _decided(run: CountedRun) -> int:
    """Multiply-adds of the linear decision for a sample, mean over the samples."""
    decision, answer = run.net.decision, run.net.answer
    if decision is None:
        return 0
    times = 1.0
    if answer is not None and answer.interval is not None:
        times = float(count_frames(run.duration, answer.interval).mean())
    return round(times * np.count_nonzero(decision.weights))


def leaving_spikes(net: Network) -> tuple[str, ...]:
    """Populations whose spikes leave the chip; none where an answer does."""
    return () if net.answer is not None or net.readouts else net.outputs


def _events(run: CountedRun, wires: Wires) -> tuple[Ints, Ints]:
    """Arrivals at synapses in every sample: at all, and at those of non-zero weight."""
    sent = run.source(wires)
    if not wires.by_synapse:
        met, _ = wires.sources_met(sent, run.duration)
        sample, source = sent.sample[met], sent.neurons[met]
        return (
            arrivals.sums_by_sample(sample, wires.fan_out[source], run.n_samples),
            arrivals.sums_by_sample(sample, wires.nonzero_fan_out[source], run.n_samples),
        )
    stored, effective = np.zeros((2, run.n_samples), np.int64)
    for low, high in run.pieces([wires]):
        found = wires.arrivals(sent.between(low, high), run.duration[low:high])
        weighted = found.sample[wires.values[found.synapse] != 0.0]
        stored[low:high] = np.bincount(found.sample, minlength=high - low)
        effective[low:high] = np.bincount(weighted, minlength=high - low)
    return stored, effective


def _synapses(run: CountedRun, wires: Wires) -> SynapseCounts:
    """Counts of synapses: possible, stored, not zero, and with an event."""
    return SynapseCounts(
        possible=wires.n_possible,
        stored=wires.n_synapses,
        nonzero=int(wires.nonzero_fan_out.sum()),
        active=_active(run, wires),
    )


def _active(run: CountedRun, wires: Wires) -> int:
    """Synapses of non-zero weight that carried an event."""
    if not wires.by_synapse:
        sent = run.source(wires)
        met, _ = wires.sources_met(sent, run.duration)
        return int(
            wires.nonzero_fan_out[arrivals.distinct(sent.neurons[met].astype(np.int64))].sum()
        )
    source = np.repeat(np.arange(wires.n_sources), wires.fan_out)
    delays = wires.projection.delays.ravel()
    active = np.zeros(wires.n_synapses, bool)
    for sample in range(run.n_samples):
        # If any spike of a source reaches a synapse in time, its earliest does.
        sent = run.source(wires).between(sample, sample + 1)
        earliest = np.full(wires.n_sources, np.inf)
        np.minimum.at(earliest, sent.neurons, sent.times)
        active |= earliest[source] + delays < run.duration[sample]
    return int((active & (wires.values != 0.0)).sum())


def footprint(net: Network, widths: Widths) -> Footprint:
    """Memory that a network needs, in bytes; see :mod:`eventsim.energy.counts`."""
    weights = indices = delays = 0
    for projection in net.projections.values():
        weights += projection.values.size
        if projection.pattern is not None:
            indices += sum(part.size for part in projection.pattern)
        delays += _numbers(projection.delays) if projection.delays.any() else 0
    if net.decision is not None:
        weights += net.decision.weights.size + net.decision.bias.size
    neurons = list(net.neurons.values())
    parameters = sum(_numbers(values) for p in neurons for values in p.parameters.values())
    return Footprint(
        weights=weights * widths.weight / BITS_PER_BYTE,
        indices=indices * widths.index / BITS_PER_BYTE,
        delays=delays * widths.delay / BITS_PER_BYTE,
        parameters=parameters * widths.parameter / BITS_PER_BYTE,
        states=sum(states_of(p) * p.size for p in neurons) * widths.state / BITS_PER_BYTE,
    )


def _further_states(population: Population) -> int:
    """States of a linear neuron beside V and one current."""
    return 0 if population.neuron is None else len(population.neuron.states) - STATES


def states_of(population: Population) -> int:
    """Numbers that the state of a neuron is."""
    return STATES + population.is_adaptive + _further_states(population)


def _numbers(values: Floats) -> int:
    """Numbers that must be kept: one if all are the same."""
    return 1 if (values == values.flat[0]).all() else values.size
