r"""Why a neuron is silent, or fires so much: its arrivals, its drive, and the missing factor.

The **drive** of a neuron is the voltage that it would have if it never fired,

.. math::
    U(t) = E + R \sum_k w_k\, g(t - t_k; \tau_m, \tau_s),

over the arrivals k of weight :math:`w_k` from other neurons, with g of :mod:`eventsim.neuron.lif`.
Until the first spike it is the membrane voltage. Its largest value :math:`U^*` follows in closed
form: between two arrivals there is one extremum at most. The drive above rest is linear in the
weights, so

.. math::
    f = (\vartheta - E) / (U^* - E)

is the factor on all incoming weights at which the neuron just reaches its threshold. It is above 1
where the neuron is silent, and below 1 where it fires. One event of weight w raises V by at most
:math:`w R \max_h g(h)`. Voltages are in the unit of the threshold, times in ms.
"""

import math
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from typing import Any, NamedTuple

import numpy as np

from eventsim.arrays import Floats, Ints
from eventsim.errors import NetworkError, ParameterError
from eventsim.events import SpikeTape
from eventsim.matrix import require
from eventsim.network import Network, Population, Projection
from eventsim.network.features import neurons_of
from eventsim.neuron import lif
from eventsim.plan import make_plan

MS_PER_S = 1000.0


@dataclass(frozen=True)
class ArrivingEvents:
    """Events of one projection at a neuron in one recording."""

    # projection, source: Names
    projection: str
    source: str
    synapses: int  # Onto the neuron
    unused: int  # Those of them without an arrival
    events: int  # Arrivals before the end of the recording
    mean_weight: float  # Mean weight of an arrival; 0 without arrivals
    # excitation, inhibition: What arrivals of positive and of negative weight add to the drive at
    # its peak, in the unit of the threshold
    excitation: float
    inhibition: float


@dataclass(frozen=True)
class Explanation:
    """Why a neuron is silent or active in one recording; its text says it.

    Attributes
    ----------
    population, neuron, sample
        Which.
    chosen
        Whether nobody named the recording: it is that of most spikes, or, where the neuron is
        silent in all, that of the largest drive, so that the factor is the least.
    recordings, fires_in
        How many there are, and in how many of them the neuron fires.
    duration
        ms of the recording, its tail included.
    spikes
        Times of its spikes, ms.
    sources
        What arrives, by projection.
    rest, threshold
        ``v_leak`` and the threshold before any spike; the threshold of a readout is None.
    peak, peak_time
        Largest drive, and when, ms. Drive: the voltage that the neuron would have without its own
        spikes.
    lift
        Largest rise of the voltage by one event of weight 1.
    factor
        Factor on all incoming weights with which the neuron just reaches its threshold, for the
        same arrivals. None where there is no such factor: nothing arrives, inhibition wins at all
        times, it rests at or above its threshold, or it is a readout.
    """

    population: str
    neuron: int
    sample: int
    chosen: bool
    recordings: int
    fires_in: int
    duration: float
    spikes: tuple[float, ...]
    sources: tuple[ArrivingEvents, ...]
    rest: float
    threshold: float | None
    peak: float
    peak_time: float
    lift: float
    factor: float | None

    @property
    def events(self) -> int:
        """Arrivals from all sources."""
        return sum(one.events for one in self.sources)

    @property
    def why(self) -> str:
        """The reason in one or two sentences."""
        if self.threshold is None:
            return "It is a readout: it has no threshold and sends no spikes."
        if self.threshold < self.rest:
            return "It rests above its threshold: it fires without any event."
        if self.threshold == self.rest:
            return "It rests at its threshold: without events it comes near and does not fire."
        if not self.events:
            return "No event arrives: its sources are silent here, or it has no synapses."
        if self.factor is None:
            return (
                "Its drive never rises above rest: events of negative weight outweigh the others "
                "at all times."
            )
        times = f"its incoming weights times {self.factor:.4g}"
        if self.spikes:
            return f"Its drive passes the threshold. With {times} it would just be silent."
        needed = self.threshold - self.rest
        held = [one for one in self.sources if one.inhibition < 0]
        excitation = sum(one.excitation for one in self.sources)
        said = f"Its drive ends below the threshold. With {times} it would fire."
        if held and excitation >= needed:
            names = ", ".join(one.source for one in held)
            said += f" Without the events of negative weight from {names} it would fire as it is."
        return said

    def __str__(self) -> str:
        return "\n".join(self._lines())

    def _lines(self) -> Iterator[str]:
        level = "" if self.threshold is None else f", threshold {self.threshold:.4g}"
        n, seconds = len(self.spikes), self.duration / MS_PER_S
        rate = f", {n / seconds:.1f} per second" if seconds else ""
        what = f"{self.population}, neuron {self.neuron}, recording {self.sample}"
        fired = "" if self.threshold is None else f": {n} spikes in {self.duration:.6g} ms{rate}"
        yield what + fired
        if self.recordings > 1:
            most = "it fires most" if self.fires_in else "its drive is largest"
            here = f"; of these, {most} in recording {self.sample}" if self.chosen else ""
            of = f"of {self.recordings:,} recordings"
            told = f"It fires in {self.fires_in:,} {of}" if level else f"One {of}"
            yield f"{told}{here}."
        yield self.why
        yield (
            f"drive (the voltage without its own spikes): at most {self.peak:.4g}, at "
            f"{self.peak_time:.6g} ms; rest {self.rest:.4g}{level}"
        )
        yield f"one event of weight w lifts the voltage by at most {self.lift:.4g} w"
        for one in self.sources:
            at_peak = f"{one.excitation:+.4g}"
            at_peak += f" and {one.inhibition:+.4g}" if one.inhibition else ""
            unused = f" ({one.unused} of them bring nothing)" if one.unused else ""
            yield (
                f"from {one.source}: {one.events:,} events by {one.synapses:,} synapses{unused}, "
                f"mean weight {one.mean_weight:.4g}; at the peak {at_peak}"
            )

    def to_dict(self) -> dict[str, Any]:
        """The fields, ``events`` and ``why``, as plain values that JSON can hold."""
        return {**asdict(self), "events": self.events, "why": self.why}


def explain(
    net: Network,
    tape: SpikeTape,
    population: str | Population,
    neuron: int,
    *,
    sample: int | None = None,
) -> Explanation:
    """Why a neuron is silent in a recording, or fires so much.

    Parameters
    ----------
    net, tape
        The network and its run, of any backend and precision, from the start of the recording.
    population
        Name of a spiking population or a readout, or the population itself.
    neuron
        Number of the neuron.
    sample
        Number of the recording. None: the one in which the neuron fires most; where it is silent
        in all, the one of the largest drive, whose factor is the least.

    Returns
    -------
    Explanation
        Printed, it is a few lines. Arrivals through the neuron's connection to itself are left out,
        since the drive is that before the first spike.

    Raises
    ------
    NetworkError
        There is no such population, it is the input, its neurons are of a kind without closed form
        here, or the tape is that of another network.
    ParameterError
        There is no such neuron or recording; the tape is that of a later chunk.

    Examples
    --------
    >>> import eventsim as es
    >>> net = es.Network()
    >>> net.add_input("input", 1)
    Population('input', 1 channel)
    >>> net.add_population("hidden", 1, tau_mem=20.0, tau_syn=5.0)
    Population('hidden', 1 spiking neuron)
    >>> net.connect("input", "hidden", [[2.0]])
    Projection('input->hidden', dense, 1 synapse)
    >>> stream = es.EventStream([1.0], [0], [0, 1], n_channels=1, duration=30.0)
    >>> found = es.explain(net, es.simulate(net, stream, backend="reference"), "hidden", 0)
    >>> print(found.why)
    Its drive ends below the threshold. With its incoming weights times 3.175 it would fire.
    """
    place, net, tape = net.population(population), net.to_host(), tape.to_host()
    _check(net, tape, place, neuron, sample)
    return _explained(net, tape, net.population(place.name), neuron, sample)


def _explained(
    net: Network, tape: SpikeTape, place: Population, neuron: int, sample: int | None
) -> Explanation:
    one, spikes = _Neuron.of(place, neuron), _spikes(tape, place, neuron)
    drives = _Drives(net, tape, place.name, neuron, one)
    chosen, sample = sample is None, drives.telling(spikes) if sample is None else sample
    brought, peak, peak_time = drives.of(sample)
    threshold = float(place.threshold[neuron]) if place.is_spiking else None
    return Explanation(
        population=place.name,
        neuron=neuron,
        sample=sample,
        chosen=chosen,
        recordings=len(spikes),
        fires_in=sum(found.size > 0 for found in spikes),
        duration=float(tape.stream.duration[sample]),
        spikes=tuple(spikes[sample].tolist()),
        sources=tuple(_arriving(p, found, one, peak_time) for p, found in brought),
        rest=one.rest,
        threshold=threshold,
        peak=one.rest + peak,
        peak_time=peak_time,
        lift=one.lift(),
        factor=_factor(threshold, one.rest, peak),
    )


def _spikes(tape: SpikeTape, place: Population, neuron: int) -> list[Floats]:
    """Times of the neuron's spikes in every recording; a readout has none."""
    if not place.is_spiking:
        return [np.zeros(0)] * tape.stream.n_samples
    each = map(tape[place.name].sample, range(tape.stream.n_samples))
    return [times[neurons == neuron] for times, neurons in each]


def _check(
    net: Network, tape: SpikeTape, place: Population, neuron: int, sample: int | None
) -> None:
    if place.is_input:
        raise NetworkError(
            "explain",
            f"population {place.name!r} is the input, whose channels have no voltage",
            f"one of {list(net.neurons)}",
        )
    require("explain", neurons_of(place))
    make_plan(net).check_tape(tape, f"explain of {place.name!r}")
    tape.require_whole("explain")
    tape.require_rest("explain", place.name)
    for name, value, n in (
        ("neuron", neuron, place.size),
        ("sample", sample or 0, tape.stream.n_samples),
    ):
        if not 0 <= value < n:
            raise ParameterError("explain", f"{name} is {value}", f"a number in 0 .. {n - 1}")


def _factor(threshold: float | None, rest: float, peak: float) -> float | None:
    if threshold is None or peak <= 0.0 or threshold <= rest:
        return None
    return (threshold - rest) / peak


class _Brought(NamedTuple):
    """Arrivals through one projection, and how many of its synapses bring none."""

    time: Floats
    weight: Floats
    synapses: int
    unused: int


class _Neuron(NamedTuple):
    """Parameters of a neuron on which its drive depends."""

    tau_mem: float
    tau_syn: float
    resistance: float
    rest: float

    @classmethod
    def of(cls, place: Population, neuron: int) -> "_Neuron":
        names = ("tau_mem", "tau_syn", "resistance", "v_leak")
        return cls(*(float(getattr(place, name)[neuron]) for name in names))

    def lift(self) -> float:
        """Largest voltage that an event of weight 1 causes."""
        after = lif.extremum(0.0, self.resistance, self.tau_mem, self.tau_syn)
        return lif.voltage(0.0, self.resistance, after, self.tau_mem, self.tau_syn)


class _Drives(NamedTuple):
    """The drive of a neuron in each recording of a tape."""

    net: Network
    tape: SpikeTape
    population: str
    neuron: int
    one: _Neuron

    def of(self, sample: int) -> "tuple[list[tuple[Projection, _Brought]], float, float]":
        """Arrivals by projection, the largest drive above rest, and its time."""
        into = [p for p in self.net.projections.values() if p.target == self.population]
        brought = [
            (p, _brought(self.net, self.tape, p, self.neuron, sample))
            for p in into
            if not p.one_to_one
        ]
        duration = float(self.tape.stream.duration[sample])
        return brought, *_peak(self.one, [found for _, found in brought], duration)

    def telling(self, spikes: list[Floats]) -> int:
        """The recording of most spikes; where there is no spike, that of the largest drive."""
        numbers = range(len(spikes))
        if any(found.size for found in spikes):
            return max(numbers, key=lambda k: spikes[k].size)
        return max(numbers, key=lambda k: self.of(k)[1])


def _brought(
    net: Network, tape: SpikeTape, projection: Projection, neuron: int, sample: int
) -> _Brought:
    """Arrivals at the neuron through one projection, in no order."""
    own: Ints = np.flatnonzero(projection.targets() == neuron)
    source = projection.sources()[own]
    weights = projection.values.ravel()[own].astype(np.float64)
    delays = projection.synapse_delays()[own]
    is_input = projection.source == net.input.name
    sent = tape.stream if is_input else tape[projection.source]
    times, neurons = sent.sample(sample)
    order = np.argsort(neurons, kind="stable")
    first = np.searchsorted(neurons[order], source)
    counts = np.searchsorted(neurons[order], source, side="right") - first
    synapse = np.repeat(np.arange(own.size), counts)
    place = np.arange(synapse.size) - np.repeat(np.cumsum(counts) - counts, counts)
    arrival = times[order[first[synapse] + place]] + delays[synapse]
    met = arrival < float(tape.stream.duration[sample])
    used = np.unique(synapse[met]).size
    return _Brought(arrival[met], weights[synapse[met]], own.size, own.size - used)


def _peak(one: _Neuron, brought: list[_Brought], duration: float) -> tuple[float, float]:
    """Largest drive above rest, and when."""
    time = np.concatenate([np.zeros(0), *(found.time for found in brought)])
    weight = np.concatenate([np.zeros(0), *(found.weight for found in brought)])
    order = np.argsort(time, kind="stable")
    best, at, v, drive, now = 0.0, 0.0, 0.0, 0.0, 0.0
    for then, w in [*zip(time[order].tolist(), weight[order].tolist(), strict=True), (duration, 0)]:
        span = then - now
        for step in (lif.extremum(v, drive, one.tau_mem, one.tau_syn), span):
            if step <= span:
                reached = lif.voltage(v, drive, step, one.tau_mem, one.tau_syn)
                best, at = (reached, now + step) if reached > best else (best, at)
        v = lif.voltage(v, drive, span, one.tau_mem, one.tau_syn)
        drive = drive * math.exp(-span / one.tau_syn) + one.resistance * w
        now = then
    return best, at


def _arriving(projection: Projection, found: _Brought, one: _Neuron, at: float) -> ArrivingEvents:
    """Events of one projection, with what they add to the drive at its peak."""
    before = found.time <= at
    gain = [lif.synaptic_gain(float(at - t), one.tau_mem, one.tau_syn) for t in found.time[before]]
    added = one.resistance * found.weight[before] * np.array(gain, np.float64)
    return ArrivingEvents(
        projection=projection.name,
        source=projection.source,
        synapses=found.synapses,
        unused=found.unused,
        events=found.time.size,
        mean_weight=float(found.weight.mean()) if found.weight.size else 0.0,
        excitation=float(added[added > 0].sum()),
        inhibition=float(added[added < 0].sum()),
    )
