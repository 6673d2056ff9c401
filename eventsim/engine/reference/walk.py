"""Neurons on their way through a sample: each goes to its next event, and whose turn it is.

Rules of simultaneity: arrivals of one time are summed before the threshold is tested, so an
interval between two arrivals is half-open. Of one time arrivals come first, then own spikes that
return, then the end of a refractory time, then a crossing. A self-connection without delay acts
right after the reset.

**Loops.** Always the neuron goes whose event is the earliest of all, at one time crossings last and
lower neurons first; what a spike sends out joins the arrivals of its targets. The log of all steps,
in that order, is what the backward pass reads from its end: there a spike has been met by all that
it caused. A neuron of a loop runs away if it fires too often within a ms: between two of its
arrivals it may fire but once, where neurons that excite each other go on for ever.
"""

from abc import ABC, abstractmethod
from bisect import insort
from collections import deque
from collections.abc import Iterator, Sequence
from typing import Any, NamedTuple

import numpy as np

from eventsim.engine.contract.job import RUNAWAY_PER_MS, Job
from eventsim.errors import RunawayError


class Arrival(NamedTuple):
    """A spike of a source reaching a synapse of the neuron.

    ``spike`` is its number among those of the afferent; in a loop, of its neuron in the sample.
    """

    time: float
    row: int
    synapse: int
    weight: float
    afferent: int
    spike: int


class SelfArrival(NamedTuple):
    """The neuron's own spike number ``spike`` comes back."""

    spike: int


class Spike(NamedTuple):
    """The neuron fires; ``state`` is that just before."""

    time: float
    state: Any


class Release(NamedTuple):
    """V is let go in that state, at the end of the refractory time after spike ``spike``."""

    spike: int
    state: Any


Step = Any  # Arrival, SelfArrival, Spike, Release, or what the neurons call the time between
Log = list[tuple[int, Step]]


def gather(job: Job, sample: int, neuron: int) -> deque[Arrival]:
    """Arrivals from other stages before the sample's end, by (time, source row, synapse)."""
    wiring, weights, delays = job.stage.wiring, job.weights(), job.delays()
    found = []
    for entry in range(wiring.in_start[neuron], wiring.in_start[neuron + 1]):
        row, synapse = int(wiring.row[entry]), int(wiring.synapse[entry])
        afferent = int(np.searchsorted(wiring.row_start, row, side="right")) - 1
        if afferent >= len(job.stage.afferents):
            continue  # of the loop itself: its spikes bring them
        source = job.sources[afferent]
        lo, hi = source.offsets[sample], source.offsets[sample + 1]
        mine = np.flatnonzero(source.neurons[lo:hi] == row - wiring.row_start[afferent]) + lo
        for spike in mine:
            time = float(source.times[spike] + delays[synapse])
            if time < job.duration[sample]:
                weight = float(weights[synapse])
                found.append(Arrival(time, row, synapse, weight, afferent, int(spike)))
    return deque(sorted(found))


def caused(job: Job, neuron: int, time: float, ordinal: int) -> Iterator[tuple[int, Arrival]]:
    """The arrivals that the neuron's spike number ``ordinal`` causes inside the loop, by target."""
    stage, wiring, weights, delays = job.stage, job.stage.wiring, job.weights(), job.delays()
    for k, projection in enumerate(stage.lateral, start=len(stage.afferents)):
        source = neuron - stage.start_of(projection.source)
        if 0 <= source < wiring.row_start[k + 1] - wiring.row_start[k]:
            row = int(wiring.row_start[k]) + source
            for synapse in range(wiring.out_start[row], wiring.out_start[row + 1]):
                then, weight = time + float(delays[synapse]), float(weights[synapse])
                arrival = Arrival(then, row, synapse, weight, k, ordinal)
                yield int(wiring.target[synapse]), arrival


class AbstractWalk(ABC):
    """A neuron on its way; ``held`` is the spike whose reset still holds V.

    Spikes of the ms from ``since`` on are counted in ``recent``.
    """

    def __init__(self, duration: float, arrivals: deque[Arrival], self_delay: float) -> None:
        self.duration, self.arrivals, self.self_delay = duration, arrivals, self_delay
        self.returning = deque[tuple[float, int]]()
        self.t, self.n_spikes, self.since, self.recent = 0.0, 0, 0.0, 0
        self.held: int | None = None
        self.release_time = 0.0

    @abstractmethod
    def noted(self) -> Any:
        """The state, as spikes and releases note it."""

    @abstractmethod
    def crossing(self, until: float) -> float:
        """Time of the next crossing if it is before ``until``; V is not held."""

    @abstractmethod
    def flow(self, end: float) -> Step:
        """Go on to a time up to which nothing happens."""

    @abstractmethod
    def reset(self, spike: int) -> Sequence[Step]:
        """Spike number ``spike`` changes the state, and may hold V; what else happens then."""

    @abstractmethod
    def meet(self, arrival: Arrival | None) -> None:
        """Effect of an arrival on the state; None is an own spike that returns."""

    def due(self) -> tuple[float, bool]:
        """Time of the next event or of the end, and whether it is a crossing."""
        times = [
            self.duration,
            *(queue[0][0] for queue in (self.arrivals, self.returning) if queue),
        ]
        if self.held is not None:
            return min(*times, self.release_time), False
        until = min(times)
        crossing = self.crossing(until)
        return (crossing, True) if crossing < until else (until, False)

    def step(self, time: float, *, crosses: bool) -> Iterator[Step]:
        """The flow up to the next event, which :meth:`due` gave, and the event."""
        yield self.flow(time)
        if crosses:
            yield from self._fire()
        elif self.t < self.duration:
            yield from self._events()

    def _fire(self) -> Iterator[Step]:
        k = self.n_spikes
        yield Spike(self.t, self.noted())
        self.n_spikes += 1
        yield from self.reset(k)
        if self.self_delay == 0.0:
            self.meet(None)
            yield SelfArrival(k)
        else:
            self.returning.append((self.t + self.self_delay, k))

    def _events(self) -> Iterator[Step]:
        while self.arrivals and self.arrivals[0].time == self.t:
            arrival = self.arrivals.popleft()
            self.meet(arrival)
            yield arrival
        while self.returning and self.returning[0][0] == self.t:
            self.meet(None)
            yield SelfArrival(self.returning.popleft()[1])
        if self.held is not None and self.release_time == self.t:
            yield self.release()

    def release(self) -> Release:
        """V is let go."""
        assert self.held is not None
        step, self.held = Release(self.held, self.noted()), None
        return step

    def too_many(self) -> bool:
        """Count a spike of now; whether there were too many in a ms."""
        if self.t - self.since > 1.0:
            self.since, self.recent = self.t, 0
        self.recent += 1
        return self.recent > RUNAWAY_PER_MS


def run_together(
    job: Job, sample: int, walkers: Sequence[AbstractWalk], group: Sequence[int]
) -> Iterator[tuple[int, Step]]:
    """Steps of the neurons of a group, in turn; the way from their last events on is left."""
    duration, dues = float(job.duration[sample]), {n: walkers[n].due() for n in group}
    while True:
        first = min(group, key=lambda n: (*dues[n], n), default=None)
        if first is None or dues[first][0] >= duration:
            return
        changed, (time, crosses) = {first}, dues[first]
        for step in walkers[first].step(time, crosses=crosses):
            yield first, step
            if isinstance(step, Spike):
                if walkers[first].too_many():
                    raise runaway(job, sample, first, time)
                for target, arrival in caused(job, first, time, walkers[first].n_spikes):
                    if arrival.time < duration:
                        insort(walkers[target].arrivals, arrival)
                        changed.add(target)
        for n in changed:
            dues[n] = walkers[n].due()


def runaway(job: Job, sample: int, neuron: int, time: float) -> RunawayError:
    """The error for a neuron that fires too often."""
    return RunawayError(
        population=job.stage.name, sample=sample, neuron=neuron, time=time, limit=RUNAWAY_PER_MS
    )
