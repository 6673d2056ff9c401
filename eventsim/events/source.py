"""SourceSpikes: what a population sends, in one form, be it the input or a spiking one."""

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from eventsim.arrays import Floats, Ints, owners
from eventsim.events.stream import EventStream
from eventsim.events.tape import SpikeTrains


class SourceSpikes(NamedTuple):
    """Spikes of a source population, sample after sample; fields as those of SpikeTrains."""

    times: Floats
    neurons: NDArray[np.int32]
    offsets: Ints
    size: int

    @property
    def sample(self) -> Ints:
        """Sample of every spike. New array."""
        found: Ints = owners(self.offsets, self.times.size)
        return found

    def between(self, low: int, high: int) -> "SourceSpikes":
        """The spikes of samples ``low`` to ``high - 1``, numbered from 0. Views."""
        first, last = int(self.offsets[low]), int(self.offsets[high])
        offsets = self.offsets[low : high + 1] - first
        return SourceSpikes(self.times[first:last], self.neurons[first:last], offsets, self.size)


def source_of(data: EventStream | SpikeTrains) -> SourceSpikes:
    """The events of a stream or the spikes of a population, in one form. Views."""
    if isinstance(data, EventStream):
        return SourceSpikes(data.times, data.channels, data.offsets, data.n_channels)
    return SourceSpikes(data.times, data.neurons, data.offsets, data.size)
