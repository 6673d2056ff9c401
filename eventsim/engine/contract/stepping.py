"""Neurons that go window by window, while others of their network run elsewhere.

What a window does to a neuron depends on the neuron and on what arrives at it, not on which others
are here. So all that is chosen for a window is chosen from the :class:`Frame`, which is that of the
whole network.
"""

from typing import NamedTuple, Protocol

import numpy as np
from numpy.typing import NDArray

from eventsim.arrays import Floats, Ints
from eventsim.engine.contract.job import Job
from eventsim.engine.contract.windowing import Windows, windows_by

# Neurons whose functions are computed together.
TOGETHER = 32


class Frame(NamedTuple):
    """Properties of windows, the same for all neurons of a network.

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


def ranges(first: Ints, counts: Ints) -> Ints:
    """The numbers ``first[k] : first[k] + counts[k]`` for every k. New array."""
    before = np.cumsum(counts) - counts
    numbers: Ints = np.arange(int(counts.sum())) + np.repeat(first - before, counts)
    return numbers
