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

    def of_samples(self, numbers: Ints) -> "SourceSpikes":
        """The spikes of some samples, in that order; NumPy. New arrays."""
        counts = np.diff(self.offsets)[numbers]
        offsets = np.concatenate([[0], np.cumsum(counts)])
        mine = owners(offsets, int(offsets[-1]))
        mine = np.arange(mine.size) + (self.offsets[numbers] - offsets[:-1])[mine]
        return SourceSpikes(self.times[mine], self.neurons[mine], offsets, self.size)

    def of_neurons(self, numbers: Ints) -> "SourceSpikes":
        """The spikes of some neurons, ascending numbers, numbered from 0; NumPy. New arrays."""
        place = np.minimum(np.searchsorted(numbers, self.neurons), max(numbers.size - 1, 0))
        mine = numbers[place] == self.neurons
        before = np.concatenate([[0], np.cumsum(mine)])
        neurons = place[mine].astype(np.int32)
        return SourceSpikes(self.times[mine], neurons, before[self.offsets], numbers.size)

    def where(self, which: NDArray[np.bool_]) -> "SourceSpikes":
        """The spikes that are marked, [spikes]; NumPy. New arrays."""
        before = np.concatenate([[0], np.cumsum(which)]).astype(np.int64)
        return SourceSpikes(self.times[which], self.neurons[which], before[self.offsets], self.size)

    def followed_by(self, later: "SourceSpikes") -> "SourceSpikes":
        """In every sample these spikes and then the others; NumPy. New arrays."""
        order = np.argsort(np.concatenate([self.sample, later.sample]), kind="stable")
        return SourceSpikes(
            np.concatenate([self.times, later.times])[order],
            np.concatenate([self.neurons, later.neurons])[order],
            self.offsets + later.offsets,
            self.size,
        )


def source_of(data: EventStream | SpikeTrains) -> SourceSpikes:
    """The events of a stream or the spikes of a population, in one form. Views."""
    if isinstance(data, EventStream):
        return SourceSpikes(data.times, data.channels, data.offsets, data.n_channels)
    return SourceSpikes(data.times, data.neurons, data.offsets, data.size)
