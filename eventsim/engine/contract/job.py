"""Jobs of a backend and their results: plain arrays, one stage at a time.

Spikes and what belongs to them are arrays of the backend's own library. Parameters of the network,
and gradients by them, are where the network has its arrays: NumPy's or the backend's.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from typing import Any, Literal, NamedTuple

import numpy as np
from numpy.typing import NDArray

from eventsim.arrays import Array, Floats, Ints, Precision, beside, fetch, namespace
from eventsim.engine.contract.start import StageStart
from eventsim.errors import RunawayError
from eventsim.events.source import SourceSpikes
from eventsim.plan import Stage
from eventsim.summary import short_repr

# Spikes of one neuron per ms, inside one gap between two of its inputs, beyond which a run stops.
RUNAWAY_PER_MS = 1000


@dataclass(frozen=True, eq=False)
class Job:
    """One stage with the spikes of all its sources."""

    stage: Stage
    # One per afferent of the stage, in the same order; for the way back over a stage with a loop
    # one per projection
    sources: tuple[SourceSpikes, ...]
    duration: Floats  # ms, shape [samples]
    precision: Precision  # double or single: the type of the state. Times are float64 in both.
    # Of every source whether the way back is asked for dL/dt of its spikes, which may be zeros
    # where it is not; None: of all
    asked: tuple[bool, ...] | None = None
    # Where the neurons start, if that is given. None: at rest, or as the state of a chunk says
    start: StageStart | None = None

    __repr__ = short_repr

    @property
    def n_samples(self) -> int:
        """Number of samples."""
        return self.duration.size

    def since(self, origin: Floats) -> "Job":
        """The job in times that count from ``origin``, ms [samples]; no spike is earlier."""
        sources = tuple(
            source._replace(times=source.times - beside(origin, source.times)[source.sample])
            for source in self.sources
        )
        return replace(self, sources=sources, duration=self.duration - origin)

    def of_samples(self, numbers: Ints) -> "Job":
        """The job of some samples. New arrays."""
        start = self.start and self.start._replace(state=self.start.state[numbers])
        sources = tuple(source.of_samples(numbers) for source in self.sources)
        return replace(self, sources=sources, duration=self.duration[numbers], start=start)

    def weights(self) -> Floats:
        """Weights of all synapses in the order of the wiring, float64; not to be changed."""
        parts = [p.values.ravel() for p in self.stage.projections]
        return self.stage.once(Job.weights, lambda: self._joined(parts))

    def delays(self, *, lateral: bool = True) -> Floats:
        """Delays of all synapses in the order of the stage's wiring, ms; not to be changed.

        ``lateral``: those of a loop's own synapses, which come last, as well.
        """
        chosen = self.stage.projections if lateral else self.stage.afferents

        def make() -> Floats:
            return self._joined([p.synapse_delays() for p in chosen])

        return self.stage.once((Job.delays, lateral), make)

    def row_delays(self) -> Floats:
        """Delay of every row of the wiring, ms, [rows]; 0 where synapses have their own. NumPy."""
        stage = self.stage
        starts = stage.wiring.row_start
        shared = [k for k, p in enumerate(stage.projections) if not p.delay_per_synapse]
        delays = np.zeros(int(starts[-1]))
        for k, found in zip(
            shared, fetch(*(stage.projections[k].delays for k in shared)), strict=True
        ):
            delays[starts[k] : starts[k + 1]] = found
        return delays

    def self_weights(self) -> Floats:
        """Self-recurrent weights, zero where there are none, shape [size]. New array."""
        return self._of_own_synapses("weights")

    def self_delays(self) -> Floats:
        """Delays of the self-connections, ms, shape [size]. New array."""
        return self._of_own_synapses("delays")

    def _of_own_synapses(self, what: Literal["weights", "delays"]) -> Floats:
        parts = []
        for member, recurrence in zip(self.stage.members, self.stage.recurrences, strict=True):
            part = self._xp.zeros(member.size)
            if recurrence is not None:
                part[...] = getattr(recurrence, what)
            parts.append(part)
        return parts[0] if len(parts) == 1 else self._joined(parts)

    def _joined(self, parts: "list[Floats]") -> Floats:
        joined: Floats = self._xp.concatenate([self._xp.zeros(0), *parts])
        return joined

    @property
    def _xp(self) -> Any:
        """Library of the network's arrays."""
        return namespace(next(iter(self.stage.members[0].parameters.values())))


def raise_first_runaway(
    job: Job, samples: NDArray[Any], neurons: NDArray[Any], times: Floats
) -> None:
    """Raise RunawayError for the first of some neurons that ran away; nothing if there are none.

    The first in the first of the samples, and of the lowest number where times are equal: the same
    on every backend, whatever runs side by side.
    """
    if samples.size == 0:
        return
    first = np.lexsort((neurons, times, samples))[0]
    raise RunawayError(
        population=job.stage.name,
        sample=int(samples[first]),
        neuron=int(neurons[first]),
        time=float(times[first]),
        limit=RUNAWAY_PER_MS,
    )


@dataclass(frozen=True, eq=False)
class StageGradients:
    """Gradients of one stage."""

    parameters: Mapping[str, Floats]  # dL/d(parameter) [size] by name
    # dL/dw of all synapses, in the order of the stage's wiring: float64, or the type that
    # eventsim.engine.contract.table.gradient_type says
    weights: Floats
    delays: Floats | None  # As weights, for delays; None where no projection has delays per synapse
    # self_weights, self_delays: Shape [size]
    self_weights: Floats
    self_delays: Floats
    # dL/dt of every spike of every source, by what that projection alone carries of it; one array
    # per projection. Empty of those of a loop's own whose delays are by synapse: nothing asks.
    source_times: tuple[Floats, ...]
    # Spikes whose V rose too slowly for a gradient; theirs was left out. A whole number, or an
    # array of the backend without dimensions.
    grazes: Array
    # dL/dt of every spike of the stage itself, what was given included; of spikes before a piece's
    # begin what comes of them in it. None of a readout.
    own_times: Array | None = None

    def plus(self, other: "StageGradients") -> "StageGradients":
        """The sum with other gradients of the same readout. New arrays."""
        pairs = zip(self.source_times, other.source_times, strict=True)
        delays = None
        if self.delays is not None and other.delays is not None:
            delays = self.delays + other.delays
        return replace(
            self,
            parameters={key: v + other.parameters[key] for key, v in self.parameters.items()},
            weights=self.weights + other.weights,
            delays=delays,
            source_times=tuple(one + two for one, two in pairs),
        )


class DirectGradients(NamedTuple):
    """Derivatives of a loss by what acts on the neurons of a stage directly.

    ``synapses`` and ``delays`` by the synapses of the stage, the latter None where none has a delay
    of its own; ``spikes`` by the times of all sources' spikes, one source after the other;
    ``parameters`` by neuron.
    """

    synapses: Array
    delays: Array | None
    spikes: Array
    parameters: dict[str, Array]


class Voltages(NamedTuple):
    """Voltages V of every readout neuron in every sample, [samples, size, asked].

    ``backward`` takes dL/d(value) and gives the gradients, those by parameters [size] each.
    """

    value: Floats
    backward: Callable[[Floats], DirectGradients]
