r"""simulate_ranks: one network over many processes, window by window.

A window is as long as the least delay d between neurons. A spike at t in the window

.. math:: [e_k, e_{k+1}), \qquad e_{k+1} = \min(e_k + d,\; T),

arrives at :math:`t + d \ge e_{k+1}` or later; rounding is monotonic and does not change this. So
all arrivals of a window are known when it begins. A process runs its neurons to the end of the
window as a layer, recurrent or not. Then spikes are exchanged. Morrison et al. (2005) do the same
on a grid, Arbor and NEURON with events.

The arrivals of a neuron, their order and the order of sums do not depend on the process of its
neighbours (:mod:`eventsim.engine.contract.stepping`). So spikes have the same bits for any number
of processes and threads, and are those of :func:`eventsim.simulate` up to rounding.

References
----------
Morrison, Mehring, Geisel, Aertsen and Diesmann (2005), Advancing the boundaries of high-
connectivity network simulation with distributed computing, Neural Computation 17:1776.
"""

from __future__ import annotations

import hashlib
import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np

from eventsim.arrays import Floats, Ints, Precision
from eventsim.engine import get_backend
from eventsim.engine.contract.backend import Backend, features_of
from eventsim.engine.contract.job import Job
from eventsim.engine.contract.stepping import BundledSynapses, Due, Frame, ranges
from eventsim.engine.run.run import check_network, check_precision
from eventsim.errors import ParameterError, RunawayError, ShapeError
from eventsim.events import EventStream, SpikeTrains
from eventsim.matrix import require
from eventsim.network import Network
from eventsim.plan import Stage, make_plan
from eventsim.ranks.decomposition import Decomposition
from eventsim.ranks.drawing import RandomNetwork
from eventsim.ranks.exchange import Exchange, RankTraffic, SpikeList, World
from eventsim.ranks.part import Part, outline_of, part_of


@dataclass(frozen=True, eq=False)
class RankRun:
    """The results of a run for the neurons of one process.

    Attributes
    ----------
    trains
        Spikes of the own neurons, by population; neurons are numbered as in the whole population,
        and there are no currents.
    synaptic_events
        Arrivals at the own neurons before the end, by projection, as in
        :class:`eventsim.SpikeTape`.
    window
        ms; infinite if no neuron projects to another one, or to itself with a delay.
    traffic
        What this process sent.
    seconds
        ``build``: time until all processes had their part. ``run``: time after that, exchanges
        included. ``cpu``: CPU time of this process in ``run``, without exchanges.
    n_neurons, n_synapses
        Numbers of those of this process.
    """

    trains: Mapping[str, SpikeTrains]
    synaptic_events: Mapping[str, int]
    window: float
    traffic: RankTraffic
    seconds: Mapping[str, float]
    n_neurons: int
    n_synapses: int

    def gather(self, world: World | None) -> dict[str, SpikeTrains]:
        """The spikes of all processes, in each process; all processes must call it."""
        pieces = [self.trains] if world is None else world.allgather(self.trains)
        return {name: _merged([piece[name] for piece in pieces]) for name in self.trains}


def simulate_ranks(
    net: RandomNetwork | Network,
    stream: EventStream,
    world: World | None = None,
    *,
    backend: str = "cpu",
    precision: Precision = "double",
) -> RankRun:
    """Run one network over the processes of an MPI communicator; all of them must call this.

    Parameters
    ----------
    net
        Rules, of which each process draws its own part, or the whole network in each process.
        Delays between neurons are > 0; that of a neuron onto itself may be 0.
    stream
        One sample; the whole input, in every process.
    world
        ``MPI.COMM_WORLD`` of mpi4py, or another communicator of it; None for this process alone.
    backend
        ``cpu``, or a backend of one's own with ``windows`` among what it ``runs``.
    precision
        As in :func:`eventsim.simulate`.

    Returns
    -------
    RankRun
        Results of the neurons of this process.

    Raises
    ------
    NetworkError, ShapeError, ParameterError, BackendError, RunawayError
        As :func:`eventsim.simulate`; NetworkError also for readouts, and for a delay of 0 between
        neurons.
    PeerError
        Another process failed, or made another call.
    """
    began = time.perf_counter()
    exchange = Exchange(world)
    try:
        engine = get_backend(backend)
        _check(net, stream, engine, precision)
        part, facts = _part(net, exchange), _facts(net, stream, engine.name, precision)
        course = _Course(part, stream, engine, precision)
    except BaseException as error:
        exchange.agree(error)
        raise
    exchange.agree(None, facts)
    neurons = part.sources[np.searchsorted(part.sources, part.outline.n_inputs) :]
    exchange.listen(part.decomposition, neurons - part.outline.n_inputs)
    built, cpu = time.perf_counter(), time.process_time()
    found = list(_windows(course, part, exchange))
    own = SpikeList(*(np.concatenate(each) for each in zip(*found, strict=True)))
    traffic = exchange.traffic
    seconds = {
        "build": built - began,
        "run": time.perf_counter() - built,
        "cpu": time.process_time() - cpu - traffic.cpu_seconds,
    }
    return RankRun(
        _trains(part, own),
        course.synaptic_events() | _own_events(net, part, own, float(stream.duration[0])),
        part.outline.least_delay,
        traffic,
        seconds,
        part.neurons.size,
        part.n_synapses,
    )


def _windows(course: _Course, part: Part, exchange: Exchange) -> Iterator[SpikeList]:
    """The own spikes of each window, which are exchanged before the next window begins."""
    while not course.over:
        try:
            spikes = course.advance()
        except BaseException:
            exchange.fail()
            raise
        theirs = exchange.spikes(spikes.times, spikes.neurons, part.neurons)
        course.take(SpikeList(spikes.times, part.neurons[spikes.neurons]))
        course.take(theirs)
        yield spikes


class _Travelling(NamedTuple):
    """Spikes that have not reached all synapses: time in ms, row, and next bundle of each."""

    times: Floats
    rows: Ints
    bundles: Ints


class _Course:
    """The neurons of one process between windows."""

    def __init__(self, part: Part, stream: EventStream, engine: Backend, precision: Precision):
        self._part, self._end, self._duration = part, 0.0, float(stream.duration[0])
        outline, none = part.outline, np.zeros(0, np.int64)
        stage = Stage((part.population,), (), (), (part.recurrence,))
        frame = Frame(min(outline.least_delay, self._duration), outline.fastest, outline.alike)
        self._neurons = engine.stepped(
            Job(stage, (), stream.duration, precision),
            BundledSynapses(part.target, part.weight),
            frame,
        )
        self._travelling = _Travelling(np.zeros(0), none, none)
        self._arrived = np.zeros(part.delay.size, np.int64)
        heard = np.isin(stream.channels, part.sources)
        self._input = SpikeList(stream.times[heard], stream.channels[heard].astype(np.int64))
        self._met = 0

    @property
    def over(self) -> bool:
        """Whether the run has reached its end."""
        return self._end >= self._duration

    def advance(self) -> SpikeList:
        """Run the next window; its spikes, with own neurons counted from 0."""
        end = min(self._end + self._part.outline.least_delay, self._duration)
        low, high = self._met, int(np.searchsorted(self._input.times, end))
        self._met = high
        self._send(SpikeList(self._input.times[low:high], self._input.neurons[low:high]))
        try:
            times, neurons = self._neurons.run(self._due(end), end)
        except RunawayError as error:
            raise self._named(error) from None
        self._end = end
        return SpikeList(times, neurons.astype(np.int64))

    def take(self, spikes: SpikeList) -> None:
        """Take spikes of neurons, by their numbers, which arrive in later windows."""
        self._send(SpikeList(spikes.times, spikes.neurons + self._part.outline.n_inputs))

    def synaptic_events(self) -> dict[str, int]:
        """Arrivals so far, by projection."""
        part, outline = self._part, self._part.outline
        bounds = np.searchsorted(part.neurons, part.decomposition.first)
        first = outline.source_first()
        rows = np.searchsorted(part.sources, first)
        found = {}
        for (source, target), name in outline.projections.items():
            # Bundles of a source population lie side by side.
            low, high = part.first[rows[source]], part.first[rows[source + 1]]
            synapses = slice(part.synapse[low], part.synapse[high])
            onto = part.target[synapses]
            mine = (bounds[target] <= onto) & (onto < bounds[target + 1])
            each = np.repeat(self._arrived[low:high], np.diff(part.synapse[low : high + 1]))
            found[name] = int(each[mine].sum())
        return found

    def _send(self, spikes: SpikeList) -> None:
        """Spikes of sources, some of which have synapses here."""
        part = self._part
        if not part.sources.size:
            return
        rows = np.minimum(np.searchsorted(part.sources, spikes.neurons), part.sources.size - 1)
        heard = part.sources[rows] == spikes.neurons
        rows = rows[heard]
        new = _Travelling(spikes.times[heard], rows, part.first[rows])
        self._travelling = _Travelling(
            *(np.concatenate(both) for both in zip(self._travelling, new, strict=True))
        )

    def _due(self, end: float) -> Due:
        """The bundles that arrive before ``end``."""
        part, (times, rows, bundles) = self._part, self._travelling
        last = self._reached(end)
        bundle = ranges(bundles, last - bundles)
        time = np.repeat(times, last - bundles) + part.delay[bundle]
        order = np.lexsort((bundle, time))
        time, bundle = time[order], bundle[order]
        np.add.at(self._arrived, bundle, 1)
        left = last < part.first[rows + 1]
        self._travelling = _Travelling(times[left], rows[left], last[left])
        return Due(time, part.synapse[bundle], part.synapse[bundle + 1])

    def _reached(self, end: float) -> Ints:
        """First bundle of every travelling spike that arrives at ``end`` or later."""
        part, (times, rows, low) = self._part, self._travelling
        high = part.first[rows + 1]
        for _ in range(int((high - low).max(initial=0)).bit_length()):
            middle = (low + high) // 2
            met = times + part.delay[np.minimum(middle, part.delay.size - 1)] < end
            met &= low < high
            low, high = np.where(met, middle + 1, low), np.where(met, high, middle)
        return low

    def _named(self, error: RunawayError) -> RunawayError:
        """The same error with the population of the neuron."""
        first, neuron = self._part.decomposition.first, int(self._part.neurons[error.neuron])
        k = int(np.searchsorted(first, neuron, side="right")) - 1
        return RunawayError(
            population=self._part.outline.names[k],
            sample=error.sample,
            neuron=neuron - int(first[k]),
            time=error.time,
            limit=int(error.limit),
        )


def _check(
    net: RandomNetwork | Network, stream: EventStream, engine: Backend, precision: Precision
) -> None:
    if not isinstance(stream, EventStream) or stream.n_samples != 1:
        came = f"{stream.n_samples} samples" if isinstance(stream, EventStream) else type(stream)
        raise ParameterError(
            "simulate_ranks",
            f"the stream is {came}",
            "an EventStream of one sample",
            "Call it once for each.",
        )
    check_precision(precision, "simulate_ranks")
    require("ranks", features_of(engine))
    if isinstance(net, Network):
        plan = make_plan(net)
        check_network(net, plan, engine, precision, "ranks")
        plan.check_channels(stream.n_channels, "simulate")
        outline_of(net)
    elif stream.n_channels != net.outline().n_inputs:
        raise ShapeError(
            "simulate_ranks",
            f"the stream has {stream.n_channels} channels, the input of the network has "
            f"{net.outline().n_inputs}",
            remedy="They must be equal.",
        )


def _part(net: RandomNetwork | Network, exchange: Exchange) -> Part:
    if isinstance(net, RandomNetwork):
        return net.part(exchange.size, exchange.rank)
    decomposition = Decomposition(outline_of(net).sizes, exchange.size)
    decomposition.check()
    return part_of(net, decomposition, exchange.rank)


def _facts(net: RandomNetwork | Network, stream: EventStream, *words: str) -> str:
    """Facts that must be equal in all processes."""
    digest = hashlib.blake2b(digest_size=16)
    for array in (stream.times, stream.channels, stream.duration):
        digest.update(np.ascontiguousarray(array).data)
    if isinstance(net, RandomNetwork):
        known = net.facts()
    else:
        known = make_plan(net).structure
        delays = (p.delays for p in net.projections.values())
        for values in (*net.parameters().values(), *delays):
            digest.update(np.ascontiguousarray(values).data)
    digest.update(repr((known, words)).encode())
    return digest.hexdigest()


def _trains(part: Part, own: SpikeList) -> dict[str, SpikeTrains]:
    """Spikes of the own neurons by population, numbered there."""
    numbers, first = part.neurons[own.neurons], part.decomposition.first
    trains = {}
    for k, name in enumerate(part.outline.names):
        mine = (first[k] <= numbers) & (numbers < first[k + 1])
        trains[name] = SpikeTrains(
            own.times[mine],
            (numbers[mine] - first[k]).astype(np.int32),
            np.array([0, np.count_nonzero(mine)]),
            part.outline.sizes[k],
        )
    return trains


def _own_events(
    net: RandomNetwork | Network, part: Part, own: SpikeList, duration: float
) -> dict[str, int]:
    """Arrivals at self-connections, by projection."""
    if part.recurrence is None or isinstance(net, RandomNetwork):
        return {}
    met = own.neurons[own.times + part.recurrence.delays[own.neurons] < duration]
    counts = np.histogram(part.neurons[met], part.decomposition.first)[0]
    found = dict(zip(part.outline.names, counts.tolist(), strict=True))
    return {p.name: found[p.target] for p in net.projections.values() if p.one_to_one}


def _merged(pieces: list[SpikeTrains]) -> SpikeTrains:
    times = np.concatenate([piece.times for piece in pieces])
    neurons = np.concatenate([piece.neurons for piece in pieces])
    order = np.lexsort((neurons, times))
    return SpikeTrains(times[order], neurons[order], np.array([0, times.size]), pieces[0].size)
