"""Neurons that go window by window, while others of their network run elsewhere.

What a window does to a neuron depends on the neuron and on what arrives at it, not on which others
are here. So all that is chosen for a window is chosen from the :class:`Frame`, which is that of the
whole network.
"""

from collections.abc import Callable
from typing import NamedTuple, Protocol

import numpy as np
from numpy.typing import NDArray

from eventsim.arrays import Floats, Ints, csr_array
from eventsim.engine.contract.job import Job
from eventsim.engine.contract.state import LayerState, start_state
from eventsim.engine.contract.windowing import Windows, windows_by
from eventsim.events import SpikeTrains
from eventsim.events.source import SourceSpikes
from eventsim.network import Projection
from eventsim.plan import Stage

# Neurons whose functions are computed together.
TOGETHER = 32


class Frame(NamedTuple):
    """What windows are like, the same for all neurons of a network.

    ``length`` in ms, ``fastest`` the largest of all rates of membranes and synapses in 1/ms;
    ``alike`` whether all neurons share both time constants.
    """

    length: float
    fastest: float
    alike: bool


class BundledSynapses(NamedTuple):
    """Target and weight of every synapse; a range of them, with ascending targets, is a bundle."""

    target: NDArray[np.int32]
    weight: Floats


class Due(NamedTuple):
    """Bundles that arrive in a window, in order of (time, first synapse); ms and synapses."""

    time: Floats
    first: Ints
    last: Ints


class Stepped(Protocol):
    """Neurons of one sample, from its start on."""

    def run(self, due: Due, end: float) -> tuple[Floats, NDArray[np.int32]]:
        """Run to ``end``, ms; times and neurons of the spikes, in order."""


def windows_in(job: Job, frame: Frame) -> Windows:
    """The windows of the neurons of a job; their functions do not depend on the others."""
    return windows_by(
        job, frame.length, fastest=frame.fastest, alike=frame.alike, together=TOGETHER
    )


class LayerStepped:
    """As :class:`Stepped`, for a stage of no afferents, by a backend's ``layer_resume``."""

    def __init__(
        self,
        resume: Callable[[Job, LayerState], tuple[SpikeTrains, LayerState]],
        job: Job,
        synapses: BundledSynapses,
    ):
        self._resume, self._job, self._synapses = resume, job, synapses
        self._state = start_state(job)

    def run(self, due: Due, end: float) -> tuple[Floats, NDArray[np.int32]]:
        """As :meth:`Stepped.run`."""
        job = self._with(due, end)
        trains, self._state = self._resume(job, self._state)
        return trains.times, trains.neurons

    def _with(self, due: Due, end: float) -> Job:
        """The stage with one source for each bundle."""
        stage, counts = self._job.stage, due.last - due.first
        synapse = ranges(due.first, counts)
        n_rows = counts.size
        starts = np.zeros(n_rows + 1, np.int32)
        starts[1:] = np.cumsum(counts)
        target, weight = (values[synapse] for values in self._synapses)
        weights = csr_array((weight, target, starts), shape=(n_rows, stage.population.size))
        name, to = "arrivals", stage.name
        projection = Projection(
            f"{name}->{to}", name, to, "sparse", weights, np.zeros(synapse.size), "synapse"
        )
        rows = np.arange(counts.size, dtype=np.int32)
        source = SourceSpikes(due.time, rows, np.array([0, counts.size], np.int64), n_rows)
        fed = Stage(stage.members, (projection,), (), stage.recurrences)
        return Job(fed, (source,), np.array([end]), self._job.precision)


def ranges(first: Ints, counts: Ints) -> Ints:
    """The numbers ``first[k] : first[k] + counts[k]`` for every k. New array."""
    before = np.cumsum(counts) - counts
    numbers: Ints = np.arange(int(counts.sum())) + np.repeat(first - before, counts)
    return numbers
