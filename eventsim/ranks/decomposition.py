"""Assigns neurons to processes: blocks of neighbouring neurons, round robin.

The spiking populations are cut into blocks of BLOCK neurons; the last block of a population has the
rest. The blocks of all populations are numbered one after the other. Block b belongs to process
``b % n_ranks``. So each process has about the same share of each population, and equal work
whatever the rates and in-degrees are. NEST assigns single neurons round robin for this reason. A
block is also the unit of one generator of random numbers, see :mod:`eventsim.ranks.drawing`.

Neurons are numbered through all spiking populations, in the order in which they were added. Sources
of synapses are numbered too: first the channels of the input, then the neurons.
"""

from dataclasses import dataclass
from functools import cached_property
from typing import NamedTuple

import numpy as np

from eventsim.arrays import Ints
from eventsim.checks import MOST_NUMBERS
from eventsim.errors import ParameterError

# A generator is made for every block and projection, which costs about as much as drawing 1,000
# numbers; processes differ by one block of every kind at most.
BLOCK = 32


class NeuronBlock(NamedTuple):
    """A block of a population, with its number: neurons ``low`` to ``high - 1``."""

    population: int
    number: int
    low: int
    high: int


@dataclass(frozen=True)
class Decomposition:
    """Spiking populations of these sizes, spread over a number of processes."""

    sizes: tuple[int, ...]
    n_ranks: int

    @cached_property
    def first(self) -> Ints:
        """First neuron of every population, and their total."""
        return np.cumsum([0, *self.sizes])

    @cached_property
    def _first_block(self) -> Ints:
        return np.cumsum([0, *(-(-size // BLOCK) for size in self.sizes)])

    def check(self) -> None:
        """Raise ParameterError if some process would have no neurons, or there are too many."""
        if self.first[-1] > MOST_NUMBERS:
            raise ParameterError(
                "simulate_ranks",
                f"there are {int(self.first[-1]):,} neurons in all",
                f"at most {MOST_NUMBERS:,}: spikes carry the number of their neuron in 32 bits",
            )
        n_blocks = int(self._first_block[-1])
        if self.n_ranks > n_blocks:
            raise ParameterError(
                "simulate_ranks",
                f"there are {self.n_ranks} processes for {int(self.first[-1])} neurons, which are "
                f"{n_blocks} blocks of up to {BLOCK}",
                remedy=f"Start at most {n_blocks} processes.",
            )

    def owner(self, neurons: Ints) -> Ints:
        """Process of every neuron."""
        population = np.searchsorted(self.first, neurons, side="right") - 1
        block = self._first_block[population] + (neurons - self.first[population]) // BLOCK
        owner: Ints = block % self.n_ranks
        return owner

    def blocks(self, rank: int) -> list[NeuronBlock]:
        """The blocks of a process, in order."""
        found = []
        for k, size in enumerate(self.sizes):
            begin, end = int(self._first_block[k]), int(self._first_block[k + 1])
            for b in range(begin + (rank - begin) % self.n_ranks, end, self.n_ranks):
                low = (b - begin) * BLOCK
                found.append(NeuronBlock(k, b - begin, low, min(low + BLOCK, size)))
        return found

    def neurons(self, rank: int) -> Ints:
        """The neurons of a process, ascending."""
        ranges = [self.first[b.population] + np.arange(b.low, b.high) for b in self.blocks(rank)]
        return np.concatenate([np.zeros(0, np.int64), *ranges])
