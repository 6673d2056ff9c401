"""Forward pass on the grid; the equations are those of :mod:`eventsim.clocked.network`.

Input from outside a population's loop is one matrix product over all steps. The loop over the steps
computes what depends on the step before.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import DTypeLike, NDArray

from eventsim.arrays import Precision
from eventsim.clocked.bins import BinnedEvents, bin_events
from eventsim.clocked.network import ClockedNetwork
from eventsim.clocked.synapses import Array, Synapses
from eventsim.errors import NetworkError
from eventsim.events import EventStream, SpikeTape, SpikeTrains
from eventsim.network import Population
from eventsim.plan import Plan, Stage, make_plan
from eventsim.summary import short_repr

DTYPES: Mapping[str, Any] = {"single": np.float32, "double": np.float64}
LOW_TRACE = 0.25  # of 1 / tau_syn: below, TSSL-BP takes its surrogate


@dataclass(frozen=True, eq=False)
class GridRecord:
    """Recorded states and spikes of one population; each array is [steps, samples, size]."""

    current: Array  # x after every step
    voltage: Array  # u after every step, before the reset; 0 past the end of the sample
    spikes: NDArray[np.bool_] | None  # booleans; None for a readout
    # Whether u was held at its reset; None without refractory time
    held: NDArray[np.bool_] | None = None
    # Whether the neuron's own trace was below a quarter of one spike's jump; None for a readout and
    # where no backward pass is wanted
    low: NDArray[np.bool_] | None = None

    __repr__ = short_repr

    @property
    def nbytes(self) -> int:
        """Size of the arrays."""
        parts = (self.current, self.voltage, self.spikes, self.held, self.low)
        return sum(part.nbytes for part in parts if part is not None)


class Coefficients:
    """Constants of one population's step, [size], in the precision of the run."""

    def __init__(self, population: Population, dt: float, dtype: DTypeLike):
        p, self.dt = population, dt
        self.tau_mem, self.tau_syn = p.tau_mem.astype(dtype), p.tau_syn.astype(dtype)
        self.decay_syn = (1.0 - dt / p.tau_syn).astype(dtype)
        self.decay_mem = (1.0 - dt / p.tau_mem).astype(dtype)
        self.gain = (dt * p.resistance).astype(dtype)
        self.start = np.zeros(p.size, dtype)
        if p.is_spiking:
            self.level = (p.threshold - p.v_leak).astype(dtype)
            self.reset = (p.v_reset - p.v_leak).astype(dtype)
            self.hold = np.rint(p.refractory / dt).astype(np.int64)
            # A neuron that fires by itself begins at its reset, as in exact time.
            self.start = np.where(self.level <= 0, self.reset, self.start)


@dataclass(frozen=True, eq=False)
class ClockedRun:
    """A run on the grid.

    Attributes
    ----------
    clocked
        The network that ran.
    stream, events
        The input, and the input on the grid.
    records
        By population.
    precision
        Of all arrays.
    """

    clocked: ClockedNetwork
    stream: EventStream
    events: BinnedEvents
    records: Mapping[str, GridRecord]
    precision: Precision

    __repr__ = short_repr

    @property
    def plan(self) -> Plan:
        """Order of the populations."""
        return make_plan(self.clocked.grid)

    @cached_property
    def tape(self) -> SpikeTape:
        """The spikes as a tape of exact time, each in the middle of its step.

        ``synaptic_events`` are counted as in exact time: one per spike and synapse.
        """
        trains = {
            name: self._trains(record.spikes)
            for name, record in self.records.items()
            if record.spikes is not None
        }
        return SpikeTape(self.stream, trains, self.synaptic_events, "clocked", self.precision)

    @cached_property
    def synaptic_events(self) -> dict[str, int]:
        """Spike arrivals at synapses before the samples' ends, by projection."""
        alive = self.events.alive
        return {
            name: link.arrivals(self.spikes(link.projection.source), alive)
            for name, link in self.synapses.items()
        }

    @cached_property
    def synapses(self) -> dict[str, Synapses]:
        """Synapses of all projections, by name."""
        return make_synapses(self.clocked, DTYPES[self.precision])

    def spikes(self, name: str) -> Array:
        """Spikes of a population: counts of events for the input, booleans for others."""
        if name == self.clocked.grid.input.name:
            return self.events.counts
        spikes = self.records[name].spikes
        if spikes is None:
            raise NetworkError("ClockedRun", f"{name!r} is a readout and sends no spikes")
        return spikes

    @property
    def neuron_updates(self) -> int:
        """Times that a neuron's state was advanced within its sample."""
        sizes = sum(int(r.current.shape[2]) for r in self.records.values())
        return int(self.events.steps.sum()) * sizes

    @property
    def stored_bytes(self) -> int:
        """Size of all that is kept from the forward pass."""
        return self.events.counts.nbytes + sum(r.nbytes for r in self.records.values())

    def _trains(self, spikes: NDArray[np.bool_]) -> SpikeTrains:
        sample, step, neuron = np.nonzero(spikes.transpose(1, 0, 2))
        duration = self.stream.duration
        times = np.minimum((step + 0.5) * self.clocked.dt, np.nextafter(duration, 0.0)[sample])
        offsets = np.concatenate([[0], np.cumsum(np.bincount(sample, minlength=duration.size))])
        blank = np.full(times.size, np.nan)
        return SpikeTrains(
            times, neuron.astype(np.int32), offsets.astype(np.int64), spikes.shape[2], blank, blank
        )


def run(
    clocked: ClockedNetwork,
    stream: EventStream,
    *,
    precision: Precision = "single",
    clip: bool = False,
    keep: bool = False,
) -> ClockedRun:
    """Run a network on the grid.

    Parameters
    ----------
    clocked
        The network.
    stream
        Its input.
    precision
        ``single`` or ``double``.
    clip
        As in :func:`bin_events`.
    keep
        Whether the arrays that only the backward pass needs are recorded too.

    Raises
    ------
    ShapeError, ParameterError
        The stream does not fit the network, or a value has left its domain.
    """
    clocked.check()
    plan, dtype = make_plan(clocked.grid), DTYPES[precision]
    plan.check_channels(stream.n_channels, "clocked.run")
    events = bin_events(stream, clocked.dt, clip=clip)
    records: dict[str, GridRecord] = {}
    result = ClockedRun(clocked, stream, events, records, precision)
    for stage in plan.stages:
        _run_stage(stage, result, records, dtype, keep=keep)
    return result


def make_synapses(clocked: ClockedNetwork, dtype: DTypeLike) -> dict[str, Synapses]:
    """Projections on the grid; those of a loop and self-connections have a delay of a step."""
    found = {}
    for stage in make_plan(clocked.grid).stages:
        own = [p for p in stage.recurrences if p is not None]
        for projections, earliest in ((stage.afferents, 0), ((*stage.lateral, *own), 1)):
            for p in projections:
                found[p.name] = Synapses(p, clocked.dt, earliest, dtype)
    return {name: found[name] for name in clocked.grid.projections}


def lateral_names(stage: Stage) -> list[str]:
    """Projections inside the stage, self-connections included."""
    own = [p.name for p in stage.recurrences if p is not None]
    return [p.name for p in stage.lateral] + own


class _Advance:
    """Forward pass of one population through the steps."""

    def __init__(
        self, population: Population, drive: Array, events: BinnedEvents, dt: float, *, keep: bool
    ):
        self.c = Coefficients(population, dt, drive.dtype)
        self.alive, self.live = events.alive, events.live
        self.fires = population.is_spiking
        shape = drive.shape
        self.current, self.voltage = drive, np.zeros_like(drive)
        self.after = np.tile(self.c.start, (shape[1], 1))  # u after the reset
        self.spikes = np.zeros(shape, bool) if self.fires else None
        refractory = self.fires and bool(self.c.hold.any())
        self.held = np.zeros(shape, bool) if refractory else None
        self.left = np.zeros(shape[1:], np.int64)  # steps for which u is still held
        self.low = np.zeros(shape, bool) if self.fires and keep else None
        self.trace = np.zeros(shape[1:], drive.dtype)  # of own spikes, in jumps of one

    def step(self, t: int) -> None:
        c, n = self.c, self.live[t]
        current = self.current[t, :n]
        if t:
            current += c.decay_syn * self.current[t - 1, :n]
        voltage = np.multiply(self.after[:n], c.decay_mem, out=self.voltage[t, :n])
        voltage += c.gain * current
        if self.spikes is None:
            self.after = voltage
            return
        if self.held is not None:
            held = np.greater(self.left[:n], 0, out=self.held[t, :n])
            np.copyto(voltage, c.reset, where=held)
        spikes = np.greater(voltage, c.level, out=self.spikes[t, :n])
        if self.alive is not None:
            spikes &= self.alive[t, :n]
        self.after = np.where(spikes, c.reset, voltage)
        if self.held is not None:
            self.left = np.where(spikes, c.hold, np.maximum(self.left[:n] - 1, 0))
        if self.low is not None:
            trace = self.trace[:n]
            trace *= c.decay_syn
            trace += spikes
            np.less(trace, LOW_TRACE, out=self.low[t, :n])

    def record(self) -> GridRecord:
        return GridRecord(self.current, self.voltage, self.spikes, self.held, self.low)


def _run_stage(
    stage: Stage,
    result: ClockedRun,
    records: dict[str, GridRecord],
    dtype: DTypeLike,
    *,
    keep: bool,
) -> None:
    events, dt, synapses = result.events, result.clocked.dt, result.synapses
    n_steps, n_samples = events.counts.shape[:2]
    members: dict[str, _Advance] = {}
    for population in stage.members:
        drive = np.zeros((n_steps, n_samples, population.size), dtype)
        for p in stage.afferents:
            if p.target == population.name:
                synapses[p.name].add(result.spikes(p.source), drive)
        drive *= (1.0 / population.tau_syn).astype(dtype)
        members[population.name] = _Advance(population, drive, events, dt, keep=keep)
    inside = [synapses[name] for name in lateral_names(stage)]
    for t, n in enumerate(events.live):
        for link in inside:
            source, target = members[link.projection.source], members[link.projection.target]
            arrived = np.zeros_like(target.current[t, :n])
            link.at(source.spikes[:, :n], t, arrived)  # type: ignore[index]
            target.current[t, :n] += arrived / target.c.tau_syn
        for member in members.values():
            member.step(t)
    for name, member in members.items():
        records[name] = member.record()
