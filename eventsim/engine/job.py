"""What a backend is given and what it gives back: plain arrays, one stage at a time."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal, NamedTuple, Protocol

import numpy as np
from numpy.typing import NDArray

from eventsim.events import EventStream, SpikeTrains
from eventsim.network import Projection
from eventsim.plan import Stage

if TYPE_CHECKING:
    from eventsim.engine.state import LayerState

Floats = NDArray[np.float64]
Precision = Literal["double", "single"]

# Spikes of one neuron per ms, inside one gap between two of its inputs, beyond which a run stops.
RUNAWAY_PER_MS = 1000


class Source(NamedTuple):
    """Spikes of a source population, whether it is an input or a spiking one."""

    times: Floats
    channel: NDArray[np.int32]
    offsets: NDArray[np.int64]
    size: int


def source_of(data: EventStream | SpikeTrains) -> Source:
    """The spikes of a stream or of a population, in one form. Views."""
    if isinstance(data, EventStream):
        return Source(data.times, data.channels, data.offsets, data.n_channels)
    return Source(data.times, data.neurons, data.offsets, data.size)


@dataclass(frozen=True, eq=False)
class Job:
    """One stage with the spikes of all its sources.

    Attributes
    ----------
    sources
        One per afferent of the stage, in the same order.
    duration
        ms, shape [samples].
    precision
        ``double`` or ``single``: the type of the state. Times are float64 in both.
    """

    stage: Stage
    sources: tuple[Source, ...]
    duration: Floats
    precision: Precision

    @property
    def n_samples(self) -> int:
        """Number of samples."""
        return self.duration.size

    def weights(self) -> Floats:
        """Weights of all afferent synapses in the order of the stage's wiring. New array."""
        return np.concatenate([np.zeros(0), *(p.values.ravel() for p in self.stage.afferents)])

    def delays(self) -> Floats:
        """Delays of all afferent synapses in the order of the stage's wiring, ms. New array."""
        return np.concatenate([np.zeros(0), *(synapse_delays(p) for p in self.stage.afferents)])

    def self_weights(self) -> Floats:
        """Self-recurrent weights, zero where there are none, shape [size]. New array."""
        recurrence = self.stage.recurrence
        return np.zeros(self.stage.population.size) if recurrence is None else +recurrence.weights

    def self_delays(self) -> Floats:
        """Delays of the self-connections, ms, shape [size]. New array."""
        recurrence = self.stage.recurrence
        given = np.zeros(()) if recurrence is None else recurrence.delays
        return np.array(np.broadcast_to(given, (self.stage.population.size,)))


def synapse_delays(projection: Projection) -> Floats:
    """One delay per synapse in CSR order, whatever form they were given in. New array."""
    delays = projection.delays
    if projection.kind == "sparse":
        if projection.delay_per_synapse:
            return +delays
        per_source = np.broadcast_to(delays, (projection.weights.shape[0],))
        return np.repeat(per_source, np.diff(projection.weights.indptr))
    per_source = delays if projection.delay_per_synapse else delays.reshape(-1, 1)
    return np.broadcast_to(per_source, projection.weights.shape).ravel()


@dataclass(frozen=True, eq=False)
class StageGradients:
    """Gradients of one stage.

    Attributes
    ----------
    parameters
        dL/d(parameter) [size] by name.
    weights
        dL/dw of all afferent synapses, in the order of the stage's wiring.
    delays
        As weights, for delays; None where no afferent has delays per synapse.
    self_weights, self_delays
        Shape [size].
    source_times
        dL/dt of every spike of every source, one array per afferent.
    grazes
        Spikes whose V rose too slowly for a gradient; theirs was left out.
    """

    parameters: Mapping[str, Floats]
    weights: Floats
    delays: Floats | None
    self_weights: Floats
    self_delays: Floats
    source_times: tuple[Floats, ...]
    grazes: int


class Backend(Protocol):
    """What every backend offers; ``reference`` defines what each must compute."""

    name: str

    def layer_forward(self, job: Job) -> SpikeTrains:
        """Spikes of a spiking population."""

    def layer_resume(self, job: Job, state: "LayerState") -> tuple[SpikeTrains, "LayerState"]:
        """Spikes from the end of ``state`` to the end of the job, and the state to go on from."""

    def layer_backward(
        self, job: Job, trains: SpikeTrains, by_time: Floats, by_voltage: Floats
    ) -> StageGradients:
        """Gradients from dL/dt of its spikes and dL/dV just before them."""

    def readout_forward(self, job: Job, rate: float) -> Floats:
        """Integral of exp(-rate t) V(t) over every sample, shape [samples, size]."""

    def readout_backward(self, job: Job, rate: float, by_integral: Floats) -> StageGradients:
        """Gradients from dL/d(integral), shape [samples, size]."""
