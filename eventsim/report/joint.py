"""What a joint report is made of: a network's run with its training, costs, mappings, formats.

One HTML file is made of it, in which every figure is inside. A part that was not asked for, or
could not be made, is a sentence instead. See :func:`eventsim.report.write.write_joint`.
"""

from collections.abc import Mapping as Table
from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from eventsim.energy import DenseEquivalent, RunCosts
from eventsim.events import EventStream, SpikeTape
from eventsim.mapping import Comparison, Congestion, StudyRow
from eventsim.network import Network
from eventsim.report.record import RunRecord


@dataclass(frozen=True)
class Unmade:
    """Stands for a part that was not made.

    Attributes
    ----------
    reason
        A sentence: why, and how one gets it.
    """

    reason: str


@dataclass(frozen=True, eq=False)
class ChipMapping:
    """A network on one chip.

    Attributes
    ----------
    compared
        The mapping and its baselines.
    congestion
        Of the mapping; a sentence where the chip has no figures for it.
    """

    compared: Comparison
    congestion: Congestion | Unmade


@dataclass(frozen=True)
class Priced:
    """Costs of the run, and the dense networks beside it."""

    costs: RunCosts
    dense: tuple[DenseEquivalent, ...]


@dataclass(frozen=True, eq=False, kw_only=True)
class JointRecord:
    """A run of a network on recordings, and everything that is told of it.

    Attributes
    ----------
    title, about, version
        Heading, sentences on the data, version of eventsim.
    data
        Which recordings were run, in words: data set and part.
    command
        What was typed for this report.
    net, stream, rates
        The network, the recordings, and spikes per neuron and second, [size] by population.
    run
        The training.
    priced
        Sparsity and energy.
    mappings
        By title of the chip.
    studies
        Number formats, by title of the chip.
    """

    title: str
    about: str
    version: str
    data: str
    command: str
    net: Network
    stream: EventStream
    rates: Table[str, NDArray[np.float64]]
    run: RunRecord | Unmade
    priced: Priced
    mappings: Table[str, ChipMapping | Unmade] = field(default_factory=dict)
    studies: Table[str, Sequence[StudyRow] | Unmade] = field(default_factory=dict)


def firing_rates(tape: SpikeTape) -> dict[str, NDArray[np.float64]]:
    """Spikes per second of every neuron over all recordings, [size] by population."""
    seconds = float(tape.stream.duration.sum()) / 1000.0
    return {
        name: np.bincount(tape[name].neurons, minlength=tape[name].size) / seconds
        for name in tape.names
    }
